/* The store on rqlite: the common suite, on each version there is. What only rqlite can do is in
 * test_rqlite_node.c, and what a bad one can do in test_rqlite_fake.c. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "rqlite_server.h"
#include "store_suite.h"

static struct rqlite_server *server;

/* One server for all tests: emptying it takes less time than starting one. */
static void *make(void)
{
    if (server->pid == 0) {
        rqlite_server_start(server, true);
    }
    rqlite_server_wipe(server);
    return server;
}

static void drop(void *place)
{
    (void)place;
}

static const struct store_options *options(void *place)
{
    struct rqlite_server *s = place;
    return &s->options;
}

static void wipe(void *place)
{
    rqlite_server_wipe(place);
}

static void execute(void *place, const char *sql)
{
    rqlite_server_execute(place, sql);
}

static int run_on(const char *program)
{
    char version[32], name[64];
    snprintf(name, sizeof name, "rqlite %s", rqlite_server_version(program, version));
    const struct store_suite_engine rqlite = {.name = name,
                                              .make = make,
                                              .drop = drop,
                                              .options = options,
                                              .wipe = wipe,
                                              .execute = execute};
    server = rqlite_server_new(program);
    int failed = store_suite_run(&rqlite);
    rqlite_server_free(server);
    return failed;
}

int main(void)
{
    char **programs = rqlite_server_programs();
    int failed = 0;
    for (size_t i = 0; programs[i] != NULL; i++) {
        failed += run_on(programs[i]);
    }
    free(programs);
    return failed;
}

/* The store on SQLite: the common suite. What only a file can do is in test_store_file.c. */

#include "store_file.h"
#include "store_suite.h"

static void *make(void)
{
    return store_file_new();
}

static void drop(void *place)
{
    store_file_free(place);
}

static const struct store_options *options(void *place)
{
    struct store_file *f = place;
    return &f->options;
}

static void wipe(void *place)
{
    store_file_wipe(place);
}

static void execute(void *place, const char *sql)
{
    store_file_execute(place, sql);
}

int main(void)
{
    const struct store_suite_engine sqlite = {.name = "sqlite",
                                              .moment = true,
                                              .make = make,
                                              .drop = drop,
                                              .options = options,
                                              .wipe = wipe,
                                              .execute = execute};
    return store_suite_run(&sqlite);
}

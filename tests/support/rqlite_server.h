/* A real rqlited for a test: started, asked as another program would, stopped. It dies with the test
 * at the latest. Everything blocks, with a deadline; what goes wrong fails the test.
 */
#ifndef TESTS_SUPPORT_RQLITE_SERVER_H
#define TESTS_SUPPORT_RQLITE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "store/store.h"

#define RQLITE_SERVER_USER     "dnsd"
#define RQLITE_SERVER_PASSWORD "s3cret: it's"

/* The rqliteds that the tests are to be run with (DNSD_RQLITEDS), oldest first, ended by a NULL, to
 * be freed. None is a failure. */
char **rqlite_server_programs(void);
/* The version that a program's path names; borrowed from it. */
const char *rqlite_server_version(const char *program, char out[32]);

struct rqlite_server {
    char folder[64];
    const char *program; /* borrowed */
    unsigned number;     /* of the node in its cluster */
    uint16_t join_port;  /* 0: nobody's */
    uint16_t http_port;
    uint16_t raft_port;
    pid_t pid; /* 0: not running */
    char url[64];
    struct store_options options;
};

/* With a user that may do everything, one (reader, r) who may not write, and room to join. Not
 * started. It makes a cluster of its own, unless `join_port` is set to another's raft_port. */
struct rqlite_server *rqlite_server_new(const char *program);
/* Returns once it answers; with READY, once it has a leader. */
void rqlite_server_start(struct rqlite_server *s, bool ready);
void rqlite_server_stop(struct rqlite_server *s, int signal);
/* Until it knows a leader, or no more. */
void rqlite_server_await_leader(struct rqlite_server *s, bool there);
void rqlite_server_free(struct rqlite_server *s);

/* POSTs BODY; the reply's JSON, the caller's to json_decref(). *status may be NULL. NULL if it is no
 * JSON. */
json_t *rqlite_server_post(struct rqlite_server *s, const char *target, const char *body,
                           unsigned *status);
/* One statement, committed on return. */
void rqlite_server_execute(struct rqlite_server *s, const char *sql);
/* The first cell of the first row, as a number; asked of the leader. */
long long rqlite_server_number(struct rqlite_server *s, const char *sql);
/* Removes every table. */
void rqlite_server_wipe(struct rqlite_server *s);

#endif

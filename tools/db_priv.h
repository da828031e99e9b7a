/* One call at a time: between the files of db. */
#ifndef TOOLS_DB_PRIV_H
#define TOOLS_DB_PRIV_H

#include <jansson.h>

#include "db.h"

struct db {
    uv_loop_t loop;
    struct store *store;
};

/* One operation: its callback leaves the outcome here and ends the wait. */
struct db_call {
    bool done;
    enum err e;
    struct err_info *info; /* borrowed */
    union {                /* what a callback copies out; borrowed from the caller */
        struct store **store;
        struct store_state *state;
        char **text;
        struct store_tally *tally;
        struct db_cores *cores;
        json_t **json;
        struct store_withdrawn *withdrawn;
        enum store_admission_state *admission;
    } out;
};

void db_finish(struct db_call *call, enum err e, const struct err_info *info);
enum err db_wait(struct db *db, struct db_call *call);

#endif

/* What every engine of the store must do: a suite written against store/store.h alone. An engine's
 * own program brings a struct store_suite_engine and calls store_suite_run().
 */
#ifndef TESTS_SUPPORT_STORE_SUITE_H
#define TESTS_SUPPORT_STORE_SUITE_H

#include "store/store.h"

struct store_suite_engine {
    const char *name;
    bool moment; /* a scan is as of one moment */
    /* A place of its own for one test, without a database in it yet; DROP removes it. */
    void *(*make)(void);
    void (*drop)(void *place);
    /* How to open what is there. Borrowed from the place. */
    const struct store_options *(*options)(void *place);
    /* Removes the database; no store is open. */
    void (*wipe)(void *place);
    /* Writes as another program would: one statement, past the store, committed on return. */
    void (*execute)(void *place, const char *sql);
};

/* The number of tests that failed. */
int store_suite_run(const struct store_suite_engine *engine);

#endif

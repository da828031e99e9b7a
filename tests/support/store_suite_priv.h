/* Shared by the files of the suite. */
#ifndef TESTS_SUPPORT_STORE_SUITE_PRIV_H
#define TESTS_SUPPORT_STORE_SUITE_PRIV_H

#include "store_suite.h"
#include "store_sync.h"

struct suite {
    const struct store_suite_engine *engine;
    void *place;    /* owned */
    uv_loop_t loop; /* of both stores */
    struct sync a;  /* open when a test begins */
    struct sync b;  /* a second store on the same database; a test opens it if it wants one */
};

struct suite_test {
    const char *name;
    void (*run)(struct suite *t);
};

/* Each ends with a test whose name is NULL. */
extern const struct suite_test suite_rows[];
extern const struct suite_test suite_feed[];
extern const struct suite_test suite_many[];
extern const struct suite_test suite_place[];
extern const struct suite_test suite_http[];
extern const struct suite_test suite_lease[];
extern const struct suite_test suite_acme[];
extern const struct suite_test suite_ledger[];
extern const struct suite_test suite_cert[];
extern const struct suite_test suite_join[];
extern const struct suite_test suite_leave[];
extern const struct suite_test suite_join_race[];
extern const struct suite_test suite_old[];

void suite_execute(struct suite *t, const char *sql);
void suite_open_b(struct suite *t);
/* LEN bytes: BEGIN, many x, END. The caller frees it. */
char *suite_text(size_t len, const char *begin, const char *end);

#endif

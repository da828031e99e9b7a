/* What the files of the API's contract test share: a server, a store and a client for each test, and the
 * tests themselves. tests/contract/test_api.c runs them all.
 */
#ifndef TESTS_SUPPORT_API_SUITE_H
#define TESTS_SUPPORT_API_SUITE_H

#include "api_fixture.h"
#include "store_file.h"
#include "store_sync.h"

/* The test that runs now. */
extern struct api_suite {
    uv_loop_t loop;
    struct web web;
    struct store_file *file; /* owned */
    struct sync sync;        /* open: web.env.store */
} suite;

/* Every route that wants the key, with a body if it takes one; method NULL ends. */
struct suite_route {
    const char *method, *target, *body;
};
extern const struct suite_route suite_admin_routes[];

void suite_add_core(const char *id, bool available, const char *url);
/* METHOD TARGET with KEY as in struct web_ask. */
void suite_ask(const char *method, const char *target, const char *key, struct web_got *got);
/* LEN blanks; the caller frees them. */
char *suite_blanks(size_t len);

/* Each ends with a test whose name is NULL. */
extern const struct CMUnitTest api_suite_access[];
extern const struct CMUnitTest api_suite_operation[];
extern const struct CMUnitTest api_suite_users[];
extern const struct CMUnitTest api_suite_records[];
extern const struct CMUnitTest api_suite_challenges[];
extern const struct CMUnitTest api_suite_join[];
extern const struct CMUnitTest api_suite_nodes[];

int suite_setup(void **state);
int suite_teardown(void **state);
#define SUITE_TEST(f) cmocka_unit_test_setup_teardown(f, suite_setup, suite_teardown)
#define SUITE_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#endif

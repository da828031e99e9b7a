/* Every route of the API on a real server and a real store (SQLite), and every status that
 * docs/openapi.yaml promises: who is let in, what is written, what is refused and why. The tests are
 * tests/support/api_suite_*.c. What happens when the store fails is in tests/unit/api/test_api.c. */
#include "api_suite.h"

#include <string.h>

#define TESTS_MAX 64

static bool is_usual(unsigned status)
{
    return status != 500 && status != 504;
}

static void documented(void **state)
{
    (void)state;
    web_check_documented(is_usual);
}

int main(void)
{
    static const struct CMUnitTest *const parts[] = {
        api_suite_access,     api_suite_operation, api_suite_users, api_suite_records,
        api_suite_challenges, api_suite_join,      api_suite_nodes};
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    memset(tests, 0, sizeof tests); /* cmocka leaves out tests without a function */
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (const struct CMUnitTest *t = parts[i]; t->name != NULL && count < TESTS_MAX - 1; t++) {
            tests[count++] = *t;
        }
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(documented);
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}

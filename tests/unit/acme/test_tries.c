/* acme/tries: what is worth another try, and after which pause. */
#include "acme/tries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_problem(void **state)
{
    (void)state;
    struct acme_problem p, fine = {.class = ACME_FINE};
    assert_false(tries_problem(ERR_OK, NULL, NULL, -1, &p));
    assert_false(tries_problem(ERR_OK, NULL, &fine, 3, &p));

    assert_true(tries_problem(ERR_TIMEOUT, "", NULL, -1, &p));
    assert_int_equal(ACME_AGAIN, p.class);
    assert_string_equal(err_text(ERR_TIMEOUT), p.text);
    assert_int_equal(-1, p.retry_ms);
    assert_true(tries_problem(ERR_DENIED, "not theirs", NULL, -1, &p));
    assert_int_equal(ACME_DENIED, p.class);
    assert_string_equal("not theirs", p.text);

    struct acme_problem said = {.class = ACME_LIMITED, .type = "rateLimited", .retry_ms = -1};
    assert_true(tries_problem(ERR_OK, NULL, &said, 7000, &p));
    assert_int_equal(7000, p.retry_ms); /* of the reply */
    said.retry_ms = 9000;
    assert_true(tries_problem(ERR_OK, NULL, &said, 7000, &p));
    assert_int_equal(9000, p.retry_ms);
    assert_string_equal("rateLimited", p.type);
    assert_true(tries_problem(ERR_UNAVAIL, "the directory", &said, -1, &p));
    assert_int_equal(ACME_LIMITED, p.class);
    assert_int_equal(9000, p.retry_ms);
    assert_true(tries_problem(ERR_MALFORMED, "the directory", &fine, -1, &p));
    assert_int_equal(ACME_AGAIN, p.class);
}

static void test_pauses(void **state)
{
    (void)state;
    static const int64_t want_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000};
    struct acme_problem p = {.class = ACME_AGAIN, .retry_ms = -1};
    unsigned tries = 0;
    int64_t wait_ms = 0;
    for (size_t i = 0; i < sizeof want_ms / sizeof want_ms[0]; i++) {
        assert_true(tries_again(&tries, &p, &wait_ms));
        assert_int_equal(want_ms[i], wait_ms);
    }
    assert_false(tries_again(&tries, &p, &wait_ms));
    assert_int_equal(TRIES_MAX, tries);

    tries = 0; /* what was asked for, if it is longer */
    p.retry_ms = 5000;
    assert_true(tries_again(&tries, &p, &wait_ms));
    assert_int_equal(5000, wait_ms);
    tries = 4;
    assert_true(tries_again(&tries, &p, &wait_ms));
    assert_int_equal(16000, wait_ms);
    tries = 0;
    p.retry_ms = TRIES_PAUSE_MS;
    assert_true(tries_again(&tries, &p, &wait_ms));
    p.retry_ms = TRIES_PAUSE_MS + 1;
    assert_false(tries_again(&tries, &p, &wait_ms));
    for (int class = ACME_LIMITED; class <= ACME_BUG; class ++) {
        tries = 0;
        p = (struct acme_problem){.class = (enum acme_class) class, .retry_ms = -1};
        assert_false(tries_again(&tries, &p, &wait_ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_problem),
                                       cmocka_unit_test(test_pauses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

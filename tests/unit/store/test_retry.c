#include "store/rqlite/retry.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* Attempts that take 10 ms each, within 1000 ms: when the next one begins, and when it is over. */
static void grows_and_ends(void **state)
{
    static const int64_t waits[] = {100, 200, 400, 260, -1};
    struct retry r;
    int64_t now_ms = 5000;
    (void)state;
    retry_begin(&r, now_ms, 1000);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        now_ms += 10;
        int64_t wait_ms = retry_next(&r, now_ms, false);
        assert_int_equal(waits[i], wait_ms);
        now_ms += wait_ms;
    }
    assert_false(r.unknown);
}

static void no_longer_than(void **state)
{
    struct retry r;
    (void)state;
    retry_begin(&r, 0, 1000000);
    for (int i = 0; i < 20; i++) {
        assert_true(retry_next(&r, i, false) <= RETRY_MAX_MS);
    }
    assert_int_equal(RETRY_MAX_MS, retry_next(&r, 0, false));
}

/* What once was unknown stays so, whatever comes after it. */
static void unknown_stays(void **state)
{
    struct retry r;
    (void)state;
    retry_begin(&r, 0, 100);
    assert_int_equal(100, retry_next(&r, 0, true));
    assert_int_equal(-1, retry_next(&r, 100, false));
    assert_true(r.unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows_and_ends),
                                       cmocka_unit_test(no_longer_than),
                                       cmocka_unit_test(unknown_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

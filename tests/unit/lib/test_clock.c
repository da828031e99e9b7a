/* lib/clock: the machine's clock in milliseconds, and a clock that a test owns. */
#include "lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void wall_time_is_unix_milliseconds(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t now = clk_wall_ms(&clk_system);
    int64_t after = ((int64_t)time(NULL) + 1) * 1000;
    /* time() may lag the clock by a tick of the kernel's. */
    assert_true(now >= before - 1000 && now <= after + 1000);
}

static void mono_time_never_goes_back_and_moves(void **state)
{
    (void)state;
    int64_t first = clk_mono_ms(&clk_system);
    int64_t last = first;
    while (last - first < 5) {
        int64_t now = clk_mono_ms(&clk_system);
        assert_true(now >= last);
        last = now;
    }
}

static int64_t fixed(void *ctx)
{
    return *(int64_t *)ctx;
}

static void a_test_can_own_the_clock(void **state)
{
    int64_t now = 1234;
    struct clk c = {.wall_ms = fixed, .mono_ms = fixed, .ctx = &now};
    (void)state;
    assert_int_equal(clk_wall_ms(&c), 1234);
    now = 5;
    assert_int_equal(clk_mono_ms(&c), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_unix_milliseconds),
        cmocka_unit_test(mono_time_never_goes_back_and_moves),
        cmocka_unit_test(a_test_can_own_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The histogram: every time has its bucket, bounds belong to the one below. */
#include "dnsd/net/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void steps_of_1_2_5(void **state)
{
    (void)state;
    assert_true(net_latency_bounds[0] == 1e-6);
    assert_true(net_latency_bounds[NET_LATENCY_BOUNDS - 1] == 1);
    for (unsigned i = 1; i < NET_LATENCY_BOUNDS; i++) {
        double step = net_latency_bounds[i] / net_latency_bounds[i - 1];
        assert_true(fabs(step - (i % 3 == 2 ? 2.5 : 2)) < 1e-9);
    }
}

static void buckets(void **state)
{
    static const struct {
        uint64_t ns;
        unsigned bucket;
    } rows[] = {{0, 0},          {999, 0},         {1000, 0},        {1001, 1},
                {2000, 1},       {5000, 2},        {5001, 3},        {10000, 3},
                {100000, 6},     {999999, 9},      {1000000, 9},     {1000001, 10},
                {500000000, 17}, {1000000000, 18}, {1000000001, 19}, {60000000000, 19}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_latency l = {.sum_ns = 0};
        net_latency_add(&l, rows[i].ns, 3);
        for (unsigned b = 0; b < NET_LATENCY_BUCKETS; b++) {
            if (l.buckets[b] != (b == rows[i].bucket ? 3 : 0)) {
                fail_msg("%llu ns: bucket %u", (unsigned long long)rows[i].ns, b);
            }
        }
        assert_int_equal(l.sum_ns, 3 * rows[i].ns);
    }
}

static void the_clock_goes_on(void **state)
{
    (void)state;
    uint64_t began = net_latency_now_ns(), now = began;
    for (unsigned looks = 0; now == began && looks < 1000000; looks++) {
        now = net_latency_now_ns();
    }
    assert_true(now > began);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_of_1_2_5),
        cmocka_unit_test(buckets),
        cmocka_unit_test(the_clock_goes_on),
    };
    return cmocka_run_group_tests_name("net/latency", tests, NULL, NULL);
}

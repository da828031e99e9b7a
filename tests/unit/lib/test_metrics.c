#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/metrics.h"

static void test_samples(void **state)
{
    struct metrics_writer w = {.family = NULL};
    (void)state;
    metrics_family(&w, "dnsd_queries_total", METRICS_COUNTER, "Queries answered.");
    metrics_sample(&w, 3, METRICS_LABELS({"transport", "udp"}, {"rcode", "NOERROR"}));
    metrics_sample(&w, 123456789012, METRICS_LABELS({"transport", "tcp"}));
    metrics_family(&w, "dnsd_snapshot_age_seconds", METRICS_GAUGE, "Age.");
    metrics_sample(&w, 0.25, METRICS_NO_LABELS);
    assert_string_equal(w.text.text, "# HELP dnsd_queries_total Queries answered.\n"
                                     "# TYPE dnsd_queries_total counter\n"
                                     "dnsd_queries_total{transport=\"udp\",rcode=\"NOERROR\"} 3\n"
                                     "dnsd_queries_total{transport=\"tcp\"} 123456789012\n"
                                     "# HELP dnsd_snapshot_age_seconds Age.\n"
                                     "# TYPE dnsd_snapshot_age_seconds gauge\n"
                                     "dnsd_snapshot_age_seconds 0.25\n");
    str_free(&w.text);
}

/* A name from a certificate or a row must not be able to end its quotes. */
static void test_label_values_are_escaped(void **state)
{
    struct metrics_writer w = {.family = NULL};
    (void)state;
    metrics_family(&w, "x", METRICS_GAUGE, "X.");
    metrics_sample(&w, 1, METRICS_LABELS({"name", "a\"} 1\nb\\c"}));
    assert_string_equal(w.text.text,
                        "# HELP x X.\n# TYPE x gauge\nx{name=\"a\\\"} 1\\nb\\\\c\"} 1\n");
    str_free(&w.text);
}

static void test_values(void **state)
{
    const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "v 0\n"},           {-1, "v -1\n"},          {1e14, "v 100000000000000\n"},
        {1e16, "v 1e+16\n"},    {0.1, "v 0.1\n"},        {1.5e-6, "v 1.5e-06\n"},
        {INFINITY, "v +Inf\n"}, {-INFINITY, "v -Inf\n"}, {NAN, "v NaN\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct metrics_writer w = {.family = "v"};
        metrics_sample(&w, cases[i].value, METRICS_NO_LABELS);
        assert_string_equal(w.text.text, cases[i].text);
        str_free(&w.text);
    }
}

static void test_histogram(void **state)
{
    const double bounds[] = {1e-6, 0.5};
    const uint64_t counts[] = {4, 0, 2};
    struct metrics_writer w = {.family = NULL};
    (void)state;
    metrics_family(&w, "d_seconds", METRICS_HISTOGRAM, "D.");
    metrics_histogram(&w, bounds, 2, counts, 1.25, METRICS_LABELS({"t", "udp"}));
    metrics_histogram(&w, bounds, 2, counts, 1.25, METRICS_NO_LABELS);
    assert_string_equal(w.text.text, "# HELP d_seconds D.\n"
                                     "# TYPE d_seconds histogram\n"
                                     "d_seconds_bucket{t=\"udp\",le=\"1e-06\"} 4\n"
                                     "d_seconds_bucket{t=\"udp\",le=\"0.5\"} 4\n"
                                     "d_seconds_bucket{t=\"udp\",le=\"+Inf\"} 6\n"
                                     "d_seconds_sum{t=\"udp\"} 1.25\n"
                                     "d_seconds_count{t=\"udp\"} 6\n"
                                     "d_seconds_bucket{le=\"1e-06\"} 4\n"
                                     "d_seconds_bucket{le=\"0.5\"} 4\n"
                                     "d_seconds_bucket{le=\"+Inf\"} 6\n"
                                     "d_seconds_sum 1.25\n"
                                     "d_seconds_count 6\n");
    str_free(&w.text);
}

static void test_counter(void **state)
{
    _Atomic uint64_t counter = 40;
    (void)state;
    metrics_add(&counter, 2);
    assert_int_equal(metrics_get(&counter), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_label_values_are_escaped),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cluster/bundle_time: instants in text, UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/bundle_priv.h"

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-05-01T12:00:00.250Z", INT64_C(1777636800250)},
        {"2026-05-01T12:00:00Z", INT64_C(1777636800000)},
        {"2026-05-01T12:00:00.2Z", INT64_C(1777636800200)},
        {"2026-05-01T12:00:00.2509999999Z", INT64_C(1777636800250)},
        {"2024-02-29T23:59:59.999Z", INT64_C(1709251199999)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"1969-12-31T23:59:59.999Z", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = 7;
        assert_true(bundle_time_read(rows[i].text, &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void what_is_no_time_is_not_read(void **state)
{
    static const char *const texts[] = {"",
                                        "2026",
                                        "2026-05-01",
                                        "2026-05-01T12:00:00",
                                        "2026-05-01 12:00:00Z",
                                        "2026-05-01t12:00:00Z",
                                        "2026-05-01T12:00:00z",
                                        "2026-05-01T12:00:00+00:00",
                                        "2026-05-01T12:00:00.Z",
                                        "2026-05-01T12:00:00.2",
                                        "2026-05-01T12:00:00Z ",
                                        " 2026-05-01T12:00:00Z",
                                        "2026-02-29T12:00:00Z",
                                        "2026-13-01T12:00:00Z",
                                        "2026-00-01T12:00:00Z",
                                        "2026-05-00T12:00:00Z",
                                        "2026-05-01T24:00:00Z",
                                        "2026-05-01T12:60:00Z",
                                        "2026-05-01T12:00:60Z",
                                        "+026-05-01T12:00:00Z",
                                        "20266-05-01T12:00:00Z",
                                        "2026-5-01T12:00:00Z",
                                        "2026-05-01T12:00:00.25 Z"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ms = 7;
        if (bundle_time_read(texts[i], &ms)) {
            fail_msg("%s", texts[i]);
        }
        assert_int_equal(ms, 7);
    }
}

/* Wherever the machine stands. */
static void what_is_written_is_read(void **state)
{
    static const char *const zones[] = {"UTC", "Pacific/Kiritimati", "America/St_Johns"};
    char text[BUNDLE_TIME];
    (void)state;
    for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
        setenv("TZ", zones[z], 1);
        for (int64_t ms = -1000000007; ms < INT64_C(253402300799999); ms = ms * 3 + 4000000087) {
            int64_t again = 0;
            bundle_time_write(ms, text);
            assert_int_equal(strlen(text), sizeof "2026-05-01T12:00:00.250Z" - 1);
            assert_true(bundle_time_read(text, &again));
            assert_int_equal(again, ms);
        }
    }
    bundle_time_write(INT64_C(1777636800250), text);
    assert_string_equal(text, "2026-05-01T12:00:00.250Z");
    bundle_time_write(INT64_MAX, text); /* a year of nine digits */
    assert_false(bundle_time_read(text, &(int64_t){0}));
    bundle_time_write(INT64_MIN, text);
    assert_false(bundle_time_read(text, &(int64_t){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(what_is_no_time_is_not_read),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* failures.c: who has to wait, from when, until when, and who is forgotten. */
#include "http/api/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/api/api.h"

#define PLACES 3

static int setup(void **state)
{
    *state = failures_new(PLACES);
    return 0;
}

static int teardown(void **state)
{
    failures_free(*state);
    return 0;
}

static bool fail_at(struct failures *f, const char *peer, int64_t now_ms)
{
    struct failures_client c = failures_client_of(peer);
    return failures_add(f, &c, now_ms);
}

static unsigned wait_at(struct failures *f, const char *peer, int64_t now_ms)
{
    struct failures_client c = failures_client_of(peer);
    return failures_wait_s(f, &c, now_ms);
}

/* So many at once; the last says whether that was too many. */
static bool fail_often(struct failures *f, const char *peer, unsigned times, int64_t now_ms)
{
    bool locked = false;
    for (unsigned i = 0; i < times; i++) {
        locked = fail_at(f, peer, now_ms);
    }
    return locked;
}

static void too_many_and_then_a_wait(void **state)
{
    struct failures *f = *state;
    assert_int_equal(wait_at(f, "192.0.2.1", 1000), 0);
    assert_false(fail_often(f, "192.0.2.1", API_FAILURES_MAX - 1, 1000));
    assert_int_equal(wait_at(f, "192.0.2.1", 1000), 0);
    assert_true(fail_at(f, "192.0.2.1", 2000));
    assert_int_equal(wait_at(f, "192.0.2.1", 2000), API_LOCKED_S);
    assert_int_equal(wait_at(f, "192.0.2.1", 2001), API_LOCKED_S);
    assert_int_equal(wait_at(f, "192.0.2.1", 2000 + API_LOCKED_S * 1000 - 1), 1);
    assert_int_equal(wait_at(f, "192.0.2.1", 2000 + API_LOCKED_S * 1000), 0);
    assert_int_equal(wait_at(f, "192.0.2.2", 2000), 0);
}

static void afterwards_it_begins_anew(void **state)
{
    struct failures *f = *state;
    int64_t after = 1000 + API_LOCKED_S * 1000;
    assert_true(fail_often(f, "192.0.2.1", API_FAILURES_MAX, 1000));
    assert_false(fail_often(f, "192.0.2.1", API_FAILURES_MAX - 1, after));
    assert_int_equal(wait_at(f, "192.0.2.1", after), 0);
    assert_true(fail_at(f, "192.0.2.1", after));
    assert_int_equal(wait_at(f, "192.0.2.1", after), API_LOCKED_S);
}

static void a_minute_is_forgiven(void **state)
{
    struct failures *f = *state;
    fail_often(f, "192.0.2.1", API_FAILURES_MAX - 1, 1000);
    assert_false(fail_at(f, "192.0.2.1", 1000 + FAILURES_WINDOW_MS));
    assert_int_equal(wait_at(f, "192.0.2.1", 1000 + FAILURES_WINDOW_MS), 0);
    fail_often(f, "192.0.2.2", API_FAILURES_MAX - 1, 1000);
    assert_true(fail_at(f, "192.0.2.2", 1000 + FAILURES_WINDOW_MS - 1));
}

static void the_oldest_goes(void **state)
{
    struct failures *f = *state;
    assert_true(fail_often(f, "192.0.2.1", API_FAILURES_MAX, 1));
    assert_true(fail_often(f, "192.0.2.2", API_FAILURES_MAX, 2));
    assert_true(fail_often(f, "192.0.2.3", API_FAILURES_MAX, 3));
    fail_at(f, "192.0.2.4", 4);
    assert_int_equal(wait_at(f, "192.0.2.1", 4), 0);
    assert_int_equal(wait_at(f, "192.0.2.2", 4), API_LOCKED_S);
    assert_int_equal(wait_at(f, "192.0.2.3", 4), API_LOCKED_S);
    assert_false(fail_often(f, "192.0.2.1", API_FAILURES_MAX - 1, 5)); /* takes 192.0.2.2's */
    assert_int_equal(wait_at(f, "192.0.2.2", 5), 0);
    assert_true(fail_at(f, "192.0.2.1", 5));
}

static void who_is_the_same_client(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"fe80::1%eth0", "fe80::2%lo", true},
        {"not an address", "", true},
        {"0123456789012345678901234567890123456789012345678901234567890123", "", true},
        {"192.0.2.1", "", false},
        {"::1", "127.0.0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct failures_client a = failures_client_of(rows[i].a);
        struct failures_client b = failures_client_of(rows[i].b);
        if ((memcmp(&a, &b, sizeof a) == 0) != rows[i].same) {
            fail_msg("row %zu: %s, %s", i, rows[i].a, rows[i].b);
        }
    }
}

/* The size that is really used, with more clients than it has places. */
static void many_clients(void **state)
{
    struct failures *f = failures_new(API_CLIENTS_MAX);
    char peer[32];
    (void)state;
    assert_true(fail_often(f, "198.51.100.1", API_FAILURES_MAX, 0));
    for (int i = 0; i < API_CLIENTS_MAX - 1; i++) {
        snprintf(peer, sizeof peer, "10.0.%d.%d", i / 256, i % 256);
        fail_at(f, peer, 1);
    }
    assert_int_equal(wait_at(f, "198.51.100.1", 1), API_LOCKED_S);
    fail_at(f, "203.0.113.1", 2);
    assert_int_equal(wait_at(f, "198.51.100.1", 2), 0);
    failures_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(too_many_and_then_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(afterwards_it_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_minute_is_forgiven, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_goes, setup, teardown),
        cmocka_unit_test(who_is_the_same_client),
        cmocka_unit_test(many_clients),
    };
    return cmocka_run_group_tests_name("api/failures", tests, NULL, NULL);
}

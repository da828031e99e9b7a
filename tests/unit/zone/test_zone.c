/* The zone as a whole: random operations beside a model, what is refused, what a change costs. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "zone_build.h"
#include "zone_model.h"

#define RUNS    25
#define RUN_LEN 800

/* As fuzz_zone, with operations from a generator that gives the same ones each time. */
static void beside_a_model(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint8_t bytes[RUN_LEN];
    (void)state;
    for (unsigned run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            bytes[i] = (uint8_t)(seed >> 56);
        }
        zone_model_run(bytes, sizeof bytes);
    }
}

static void what_is_refused_changes_nothing(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\n", "core a ip=192.0.2.1\nuser u a\n"
                                                         "record r A - 192.0.2.5\n");
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    struct wire_name outside = zone_build_name(NULL, "r.example.com");
    struct wire_name r = zone_build_name(&apex, "r");
    struct record_set cname_and_a = {.sets = NULL};
    char long_label[80];
    (void)state;
    static const struct zone_core bad_cores[] = {
        {.id = "a.b"},
        {.id = ""},
        {.id = "a", .ip = "192.0.2"},
        {.id = "a", .ipv6 = "192.0.2.1"},
        {.id = "a", .cname = "a..b"},
    };
    static const char *const bad_users[] = {"", "a.b", "a b", "*", "u\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad_cores / sizeof bad_cores[0]; i++) {
        assert_int_equal(zone_core_put(z, &bad_cores[i], NULL), ERR_MALFORMED);
    }
    for (size_t i = 0; i < sizeof bad_users / sizeof bad_users[0]; i++) {
        assert_int_equal(zone_user_put(z, bad_users[i], "a", NULL), ERR_MALFORMED);
        zone_user_delete(z, bad_users[i]);
    }
    memset(long_label, 'x', sizeof long_label);
    long_label[64] = '\0';
    assert_int_equal(zone_user_put(z, long_label, "a", NULL), ERR_MALFORMED);
    assert_int_equal(record_add_text(&cname_and_a, TYPE_A, -1, "192.0.2.1", &apex, 300, NULL),
                     ERR_OK);
    assert_int_equal(zone_records_put(z, &outside, &cname_and_a, NULL), ERR_MALFORMED);
    assert_int_equal(record_add_text(&cname_and_a, TYPE_CNAME, -1, "u", &apex, 300, NULL), ERR_OK);
    assert_int_equal(zone_records_put(z, &r, &cname_and_a, NULL), ERR_CONFLICT);
    assert_int_equal(zone_records_put(z, &apex, &cname_and_a, NULL), ERR_CONFLICT);
    const struct zone_snapshot *s = zone_commit(z, 1);
    assert_int_equal(s->users, 1);
    assert_int_equal(s->cores_count, 1);
    char *text = zone_build_text(s, "r");
    assert_string_equal(text, "hit\nA 300 192.0.2.5\n");
    free(text);
    zone_snapshot_unref(s);
    record_set_free(&cname_and_a);
    zone_free(z);
}

static void static_entries_belong_below_the_domain(void **state)
{
    static const struct {
        const char *owner;
        enum err e;
    } rows[] = {
        {"www.mc.example.com", ERR_OK},        {"a.b.c.mc.example.com", ERR_OK},
        {"mc.example.com", ERR_MALFORMED},     {"example.com", ERR_MALFORMED},
        {"www.mc.example.org", ERR_MALFORMED}, {"a.much.longer.name.example.net", ERR_MALFORMED}};
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    struct record_set set = {.sets = NULL};
    (void)state;
    assert_int_equal(record_add_text(&set, TYPE_A, -1, "192.0.2.1", &apex, 300, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone_entry entry = {.owner = zone_build_name(NULL, rows[i].owner), .records = &set};
        struct zone_options o = {.apex = apex,
                                 .default_ttl_s = 300,
                                 .static_entries = &entry,
                                 .static_entries_count = 1};
        struct err_info info = {.text = ""};
        struct zone *z = NULL;
        assert_int_equal(zone_new(&o, &z, &info), rows[i].e);
        assert_int_equal(info.text[0] != '\0', rows[i].e != ERR_OK);
        if (rows[i].e == ERR_OK) {
            zone_free(z);
        }
    }
    record_set_free(&set);
}

static void names_and_ids_are_case_blind(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\n", "core a ip=192.0.2.1\nuser AlIce a\n");
    const struct zone_snapshot *s = zone_commit(z, 1);
    (void)state;
    assert_int_equal(zone_build_find(s, "aLICE", TYPE_A).match.kind, ZONE_HIT);
    zone_snapshot_unref(s);
    zone_user_delete(z, "ALICE");
    s = zone_commit(z, 2);
    assert_int_equal(s->users, 0);
    zone_snapshot_unref(s);
    zone_free(z);
}

static void as_many_core_ids_as_fit(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\n", NULL);
    char name[32];
    (void)state;
    for (unsigned i = 0; i < ZONE_CORES_MAX; i++) {
        snprintf(name, sizeof name, "core-%u", i);
        assert_int_equal(zone_user_put(z, name, name, NULL), ERR_OK);
    }
    struct zone_core one_more = {.id = "one-more", .ip = "192.0.2.1"};
    assert_int_equal(zone_user_put(z, "user", "one-more", NULL), ERR_LIMIT);
    assert_int_equal(zone_core_put(z, &one_more, NULL), ERR_LIMIT);
    assert_int_equal(zone_user_put(z, "user", "core-4095", NULL), ERR_OK);
    zone_snapshot_unref(zone_commit(z, 1));
    zone_free(z);
}

static struct zone *zone_of_users(unsigned users)
{
    struct zone *z =
        zone_build("apex mc.example.com\n", "core a ip=192.0.2.1\ncore b ip=192.0.2.2\n");
    char name[32];
    for (unsigned i = 0; i < users; i++) {
        snprintf(name, sizeof name, "user-%u", i);
        assert_int_equal(zone_user_put(z, name, "a", NULL), ERR_OK);
    }
    zone_snapshot_unref(zone_commit(z, 1));
    return z;
}

/* What one change takes while an older version is held: the new parts, nothing else. */
static size_t cost_of_a_change(unsigned users)
{
    struct zone *z = zone_of_users(users);
    const struct zone_snapshot *held = zone_current(z);
    size_t most = 0;
    for (unsigned i = 0; i < 100; i++) {
        char line[64];
        size_t before = memory_in_use();
        snprintf(line, sizeof line, "user user-%u b\n", i * (users / 100));
        zone_build_add(z, line);
        zone_snapshot_unref(zone_commit(z, i + 2));
        size_t cost = memory_in_use() - before;
        most = cost > most ? cost : most;
    }
    zone_snapshot_unref(held);
    zone_free(z);
    return most;
}

static void a_change_costs_the_same_in_a_large_zone(void **state)
{
    size_t small = cost_of_a_change(1000), large = cost_of_a_change(200000);
    (void)state;
    print_message("one change takes at most %zu bytes of 1,000 names, %zu of 200,000\n", small,
                  large);
    assert_true(large < small + 8192);
    assert_true(large < 24000);
}

/* Changes back and forth, each committed: what is replaced is freed. */
static void memory_stays_where_it_is(void **state)
{
    static const char there[] = "user x b\nrecord y.z A - 192.0.2.7\nrecord y.z TXT - t\ncore b "
                                "ip=192.0.2.3\nproof _acme-challenge v 9000\nrecord @ TXT - t\n";
    static const char back[] = "-user x\n-record y.z\ncore b ip=192.0.2.2\n-proof "
                               "_acme-challenge\n-record @\n";
    struct zone *z = zone_of_users(1000);
    size_t before = 0;
    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        zone_build_add(z, there);
        zone_snapshot_unref(zone_commit(z, 2 * i));
        zone_build_add(z, back);
        zone_snapshot_unref(zone_commit(z, 2 * i + 1));
        if (i == 100) {
            before = memory_in_use();
        }
    }
    /* The C library may give a few octets more than asked for when it reuses what was freed. */
    size_t slack = TESTS_SANITIZED ? 0 : 256;
    assert_in_range(memory_in_use(), before - slack, before + slack);
    zone_free(z);
}

/* Each way of calling users takes its own names only, and says so. */
static void users_of_the_other_mode(void **state)
{
    static const char token[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    struct zone *clear = zone_build("apex mc.example.com\n", NULL);
    struct zone *hashed = zone_build("hashed key\napex mc.example.com\n", NULL);
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(zone_user_put(clear, token, "core-a", &info), ERR_MALFORMED);
    assert_non_null(strstr(info.text, "piiMode"));
    assert_non_null(strstr(info.text, "seem to be hashed"));
    assert_int_equal(zone_user_put(clear, "no good", "core-a", &info), ERR_MALFORMED);
    assert_null(strstr(info.text, "piiMode"));
    assert_int_equal(zone_user_put(hashed, token, "core-a", &info), ERR_OK);
    assert_int_equal(zone_user_put(hashed, "alice", "core-a", &info), ERR_MALFORMED);
    assert_non_null(strstr(info.text, "64 lower-case hexadecimal digits"));
    assert_null(strstr(info.text, "alice"));
    assert_int_equal(zone_user_put(hashed, token, "no good", &info), ERR_MALFORMED);
    zone_user_delete(clear, token);
    zone_user_delete(hashed, "alice");
    const struct zone_snapshot *s = zone_commit(clear, 1);
    assert_int_equal(s->users, 0);
    zone_snapshot_unref(s);
    s = zone_commit(hashed, 1);
    assert_int_equal(s->users, 1);
    zone_snapshot_unref(s);
    zone_user_delete(hashed, token);
    zone_user_delete(hashed, token);
    s = zone_commit(hashed, 2);
    assert_int_equal(s->users, 0);
    zone_snapshot_unref(s);
    zone_free(clear);
    zone_free(hashed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_a_model),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(static_entries_belong_below_the_domain),
        cmocka_unit_test(names_and_ids_are_case_blind),
        cmocka_unit_test(as_many_core_ids_as_fit),
        cmocka_unit_test(a_change_costs_the_same_in_a_large_zone),
        cmocka_unit_test(memory_stays_where_it_is),
        cmocka_unit_test(users_of_the_other_mode),
    };
    return cmocka_run_group_tests_name("zone/zone", tests, NULL, NULL);
}

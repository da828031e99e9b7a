/* The digest of a zone: the same for the same rows, whatever way they came in, and another one for
 * each difference. tests/unit/zone/test_zone.c follows it through random histories. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/str.h"
#include "zone_build.h"

#define OPTIONS  "apex mc.example.com\nservice reg\nstatic www A - 203.0.113.1\n"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* One row a line. */
static const char *const rows[] = {
    "core core-a ip=192.0.2.1 ipv6=2001:db8::1",
    "core core-b ip=192.0.2.2 drained",
    "core core-c cname=c.example.org",
    "user alice core-a",
    "user bob core-nobody-knows",
    "user a-user-with-a-name-that-is-not-short core-b",
    "user both core-b",
    "record both A 60 198.51.100.1",
    "record www TXT - hidden",
    "record reg TXT - hidden as well",
    "record *.deep.er MX - 10 core-b",
    "record sub NS 77 ns.sub.mc.example.com",
    "record @ TXT - apex",
    "record _acme-challenge TXT - stored",
};

static void expect_digest(const struct zone *z, const char *expected, const char *what)
{
    char digest[ZONE_DIGEST_TEXT];
    zone_digest(z, digest);
    assert_int_equal(strlen(digest), ZONE_DIGEST_TEXT - 1);
    if (strcmp(digest, expected) != 0) {
        fail_msg("%s: %s, not %s", what, digest, expected);
    }
}

static void digest_of(const char *content, char out[ZONE_DIGEST_TEXT])
{
    struct zone *z = zone_build(OPTIONS, content);
    zone_digest(z, out);
    zone_free(z);
}

/* ROWS from FIRST on, every STEPth of the circle. */
static void digest_in_order(size_t first, size_t step, char out[ZONE_DIGEST_TEXT])
{
    struct str content = {.text = NULL};
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_appendf(&content, "%s\n", rows[(first + i * step) % COUNT(rows)]);
    }
    digest_of(content.text, out);
    str_free(&content);
}

/* Cores of several versions compare theirs, so what a row is hashed as stays as it is. */
static void for_ever_the_same(void **state)
{
    char digest[ZONE_DIGEST_TEXT];
    struct zone *z = zone_build(OPTIONS, NULL);
    (void)state;
    expect_digest(z, "00000000000000000000000000000000", "no rows");
    zone_free(z);
    digest_in_order(0, 1, digest);
    assert_string_equal(digest, "1c00b03c1032de3ee9690e46864f729c");
}

static void in_any_order(void **state)
{
    char expected[ZONE_DIGEST_TEXT], digest[ZONE_DIGEST_TEXT];
    static const size_t steps[] = {1, 3, 5, 9, 11, 13}; /* no common divisor with the rows */
    (void)state;
    assert_int_equal(COUNT(rows), 14);
    digest_in_order(0, 1, expected);
    for (size_t first = 0; first < COUNT(rows); first++) {
        for (size_t i = 0; i < COUNT(steps); i++) {
            digest_in_order(first, steps[i], digest);
            assert_string_equal(digest, expected);
        }
    }
}

/* Contents that differ in one thing from another one each. */
static const char *const different[] = {
    "",
    "core a ip=192.0.2.1\n",
    "core b ip=192.0.2.1\n",
    "core a ip=192.0.2.2\n",
    "core a ip=192.0.2.1 ipv6=2001:db8::1\n",
    "core a ipv6=2001:db8::1\n",
    "core a ip=192.0.2.1 drained\n",
    "core a cname=192.0.2.1\n", /* a name, if a strange one */
    "core a cname=host.example.org\n",
    "core a ip=192.0.2.1 cname=host.example.org\n",
    "core a\n",
    "core a ip=192.0.2.1\ncore b ip=192.0.2.1\n",
    "user alice a\n",
    "user alice b\n",
    "user alic a\n",
    "user alice ea\n",
    "user alic ea\n",
    "user alice a\nuser bob a\n",
    "user alice a\nuser bob b\n",
    "user alice b\nuser bob a\n",
    "user a-user-with-a-name-that-is-not-short a\n",
    "user a-user-with-a-name-that-is-not-short b\n",
    "record alice A - 192.0.2.1\n",
    "record alice.x A - 192.0.2.1\n",
    "record x.alice A - 192.0.2.1\n",
    "record @ A - 192.0.2.1\n",
    "record @ A - 192.0.2.2\n",
    "record alice A 300 192.0.2.1\n", /* what the default is now, but it stays */
    "record alice A 0 192.0.2.1\n",
    "record alice A 299 192.0.2.1\n",
    "record alice A 2147483647 192.0.2.1\n",
    "record alice A - 192.0.2.2\n",
    "record alice A - 192.0.2.1\nrecord alice A - 192.0.2.2\n",
    "record alice A - 192.0.2.2\nrecord alice A - 192.0.2.1\n", /* the order of one row's values */
    "record alice TYPE65280 - \\# 4 c0000201\n",
    "record alice TYPE65281 - \\# 4 c0000201\n",
    "record alice TYPE65281 - \\# 3 c00002\n",
    "record alice TXT - ab\n",
    "record alice TXT - \"a\" \"b\"\n",
    "record alice TXT - a\nrecord alice TXT - b\n",
    "record alice CNAME - bob\n",
    "record alice CNAME - bob.mc.example.org\n",
    "record alice CNAME - Bob\n",
    "record alice MX - 10 bob\n",
    "record alice MX - 11 bob\n",
    "record alice A - 192.0.2.1\nrecord alice TXT - a\n",
    "record alice A - 192.0.2.1\nrecord bob A - 192.0.2.1\n",
    "record alice A - 192.0.2.1\nuser alice a\n",
    "record reg A - 192.0.2.1\n",
    "record www A - 192.0.2.1\n",
    "record _acme-challenge A - 192.0.2.1\n",
};

static void each_difference_shows(void **state)
{
    static char digests[COUNT(different)][ZONE_DIGEST_TEXT];
    (void)state;
    for (size_t i = 0; i < COUNT(different); i++) {
        digest_of(different[i], digests[i]);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(digests[i], digests[j]) == 0) {
                fail_msg("the same digest:\n%s---- and ----\n%s", different[i], different[j]);
            }
        }
    }
    /* Each half alone tells them apart as well. */
    for (size_t i = 0; i < COUNT(different); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(digests[i], digests[j], 16);
            assert_memory_not_equal(digests[i] + 16, digests[j] + 16, 16);
        }
    }
}

/* Steps that leave the rows as they are, each after the other. */
static void what_makes_no_difference(void **state)
{
    static const char *const steps[] = {
        "core core-a ip=192.0.2.1 ipv6=2001:db8::1 dead\n",
        "core core-a ip=192.0.2.1 ipv6=2001:db8::1\n",
        "user alice core-a\n",
        "user ALICE core-a\n",
        "record both A 60 198.51.100.1\n",
        "record sub NS 77 ns.sub.MC.Example.com\n", /* names are case-blind */
        "proof _acme-challenge value 1000\nproof both value 1000\nproof www value 1000\n",
        "record www TXT - hidden\nrecord _acme-challenge TXT - stored\nrecord @ TXT - apex\n",
        "-proof _acme-challenge\n-proof both\n-proof www\n",
        "user carol core-c\nuser carol core-b\n-user carol\n-user carol\n",
        "core core-d ip=192.0.2.4\ncore core-d ip=192.0.2.5\n-core core-d\n-core core-d\n",
        "-user nobody\n-core nobody\n-record nobody\n",
    };
    char expected[ZONE_DIGEST_TEXT];
    struct str content = {.text = NULL};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_appendf(&content, "%s\n", rows[i]);
    }
    struct zone *z = zone_build(OPTIONS, content.text);
    zone_digest(z, expected);
    for (size_t i = 0; i < COUNT(steps); i++) {
        zone_snapshot_unref(zone_commit(z, i + 1));
        expect_digest(z, expected, "committed");
        zone_build_add(z, steps[i]);
        expect_digest(z, expected, steps[i]);
    }
    assert_true(zone_core_live(z, "core-a", false));
    expect_digest(z, expected, "core-a is dead");
    zone_free(z);
    str_free(&content);
}

/* Another configuration is no other row. */
static void of_the_rows_alone(void **state)
{
    static const char content[] = "core a ip=192.0.2.1\nrecord x A - 192.0.2.2\nuser u a\n"
                                  "record _acme-challenge.u TXT - v\n";
    char one[ZONE_DIGEST_TEXT], two[ZONE_DIGEST_TEXT];
    struct zone *z = zone_build("apex mc.example.com\nttl 20\nservice x\nstatic u A - 192.0.2.9\n"
                                "root TXT - configured\nwildcard cores\n",
                                content);
    (void)state;
    zone_digest(z, one);
    digest_of(content, two);
    assert_string_equal(one, two);
    zone_free(z);
}

static void what_is_refused_does_not_count(void **state)
{
    struct zone *z = zone_build(OPTIONS, "core a ip=192.0.2.1\nuser u a\nrecord r A - 192.0.2.5\n"
                                         "record @ TXT - apex\n");
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    struct wire_name r = zone_build_name(&apex, "r");
    struct record_set cname_and_a = {.sets = NULL};
    struct zone_core bad = {.id = "a", .ip = "192.0.2", .available = true};
    char expected[ZONE_DIGEST_TEXT];
    (void)state;
    zone_digest(z, expected);
    assert_int_equal(record_add_text(&cname_and_a, TYPE_A, -1, "192.0.2.1", &apex, 300, NULL),
                     ERR_OK);
    assert_int_equal(record_add_text(&cname_and_a, TYPE_CNAME, -1, "u", &apex, 300, NULL), ERR_OK);
    assert_int_equal(zone_records_put(z, &r, &cname_and_a, NULL), ERR_CONFLICT);
    assert_int_equal(zone_records_put(z, &apex, &cname_and_a, NULL), ERR_CONFLICT);
    assert_int_equal(zone_core_put(z, &bad, NULL), ERR_MALFORMED);
    assert_int_equal(zone_user_put(z, "u", "no.label", NULL), ERR_MALFORMED);
    assert_int_equal(zone_user_put(z, "v w", "unknown", NULL), ERR_MALFORMED);
    zone_user_delete(z, "v w");
    expect_digest(z, expected, "refused");
    record_set_free(&cname_and_a);
    zone_free(z);
}

/* The last row gone, nothing is left of any. */
static void back_to_nothing(void **state)
{
    struct str content = {.text = NULL};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_appendf(&content, "%s\n", rows[i]);
    }
    struct zone *z = zone_build(OPTIONS, content.text);
    zone_snapshot_unref(zone_commit(z, 1));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[80];
        const char *name = strchr(rows[i], ' ') + 1;
        int kind = (int)(name - rows[i]) - 1;
        snprintf(line, sizeof line, "-%.*s %.*s\n", kind, rows[i], (int)strcspn(name, " "), name);
        zone_build_add(z, line);
    }
    expect_digest(z, "00000000000000000000000000000000", "all gone");
    zone_free(z);
    str_free(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_ever_the_same),     cmocka_unit_test(in_any_order),
        cmocka_unit_test(each_difference_shows), cmocka_unit_test(what_makes_no_difference),
        cmocka_unit_test(of_the_rows_alone),     cmocka_unit_test(what_is_refused_does_not_count),
        cmocka_unit_test(back_to_nothing),
    };
    return cmocka_run_group_tests_name("zone/rowsum", tests, NULL, NULL);
}

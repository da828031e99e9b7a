/* Record sets: adding, finding, removing, and the rules for a whole name. */
#include "dnsd/zone/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEFAULT_TTL 300

static struct wire_name name_of(const char *text)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    return name;
}

static uint16_t type_of(const char *text)
{
    uint16_t type = 0;
    assert_true(wire_type_from_text(text, &type));
    return type;
}

static enum err add(struct record_set *set, const char *type, int64_t ttl, const char *text,
                    struct err_info *info)
{
    struct wire_name apex = name_of("mc.example.com");
    return record_add_text(set, type_of(type), ttl, text, &apex, DEFAULT_TTL, info);
}

static void adding_and_finding(void **state)
{
    struct record_set set = {.sets = NULL};
    const struct record_rrset *found;
    (void)state;
    assert_null(record_find(&set, TYPE_A));
    assert_int_equal(add(&set, "TXT", -1, "x", NULL), ERR_OK);
    assert_int_equal(add(&set, "A", -1, "192.0.2.2", NULL), ERR_OK);
    assert_int_equal(add(&set, "CAA", 60, "0 issue \"x\"", NULL), ERR_OK);
    assert_int_equal(add(&set, "A", -1, "192.0.2.1", NULL), ERR_OK);
    assert_int_equal(add(&set, "A", -1, "192.0.2.2", NULL), ERR_OK); /* there already */
    assert_int_equal(set.count, 3);
    assert_int_equal(set.sets[0].type, TYPE_A);
    assert_int_equal(set.sets[1].type, TYPE_TXT);
    assert_int_equal(set.sets[2].type, TYPE_CAA);
    found = record_find(&set, TYPE_A);
    assert_int_equal(found->count, 2);
    assert_memory_equal(found->data[0].bytes, "\300\0\2\2", 4);
    assert_memory_equal(found->data[1].bytes, "\300\0\2\1", 4);
    assert_int_equal(found->ttl, DEFAULT_TTL);
    assert_true(found->ttl_default);
    assert_int_equal(set.sets[2].ttl, 60);
    assert_false(set.sets[2].ttl_default);
    assert_null(record_find(&set, TYPE_AAAA));
    record_set_free(&set);
    assert_int_equal(set.count, 0);
    record_set_free(&set);
}

/* RFC 2181 §5.2 */
static void one_ttl_for_a_type(void **state)
{
    struct record_set set = {.sets = NULL};
    (void)state;
    assert_int_equal(add(&set, "A", 60, "192.0.2.1", NULL), ERR_OK);
    assert_int_equal(add(&set, "A", -1, "192.0.2.2", NULL), ERR_OK);
    assert_int_equal(set.sets[0].ttl, 60); /* none given: the type keeps what it has */
    assert_int_equal(add(&set, "A", 0, "192.0.2.2", NULL), ERR_OK);
    assert_int_equal(set.sets[0].ttl, 0);
    assert_false(set.sets[0].ttl_default);
    assert_int_equal(record_add_wire(&set, TYPE_A, 7, (const uint8_t *)"\1\2\3\4", 4, NULL),
                     ERR_OK);
    assert_int_equal(set.sets[0].ttl, 7);
    assert_int_equal(set.sets[0].count, 3);
    record_set_free(&set);
}

static void removing(void **state)
{
    struct record_set set = {.sets = NULL};
    (void)state;
    assert_false(record_remove(&set, TYPE_A));
    assert_int_equal(add(&set, "A", -1, "192.0.2.1", NULL), ERR_OK);
    assert_int_equal(add(&set, "AAAA", -1, "::1", NULL), ERR_OK);
    assert_int_equal(add(&set, "TXT", -1, "x", NULL), ERR_OK);
    assert_true(record_remove(&set, TYPE_AAAA));
    assert_false(record_remove(&set, TYPE_AAAA));
    assert_int_equal(set.count, 2);
    assert_non_null(record_find(&set, TYPE_A));
    assert_non_null(record_find(&set, TYPE_TXT));
    assert_true(record_remove(&set, TYPE_TXT));
    assert_true(record_remove(&set, TYPE_A));
    assert_int_equal(set.count, 0);
    record_set_free(&set);
}

static void what_cannot_be_added(void **state)
{
    static const struct {
        const char *type;
        int64_t ttl;
        const char *text;
        enum err e;
        const char *says;
    } rows[] = {
        {"A", -1, "x", ERR_MALFORMED, "not an IPv4 address"},
        {"CNAME", -1, "192.0.2.1", ERR_MALFORMED, "this is an address"},
        {"A", 2147483648, "192.0.2.1", ERR_LIMIT, "a TTL is at most 2147483647"},
        {"OPT", -1, "\\# 0", ERR_DENIED, "OPT is not a type that a zone holds"},
        {"ANY", -1, "\\# 0", ERR_DENIED, "ANY is not a type"},
        {"TYPE0", -1, "\\# 0", ERR_DENIED, "TYPE0 is not a type"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set = {.sets = NULL};
        struct err_info info = {.text = ""};
        enum err e = add(&set, rows[i].type, rows[i].ttl, rows[i].text, &info);
        if (e != rows[i].e || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("%s %s: %d %s", rows[i].type, rows[i].text, e, info.text);
        }
        assert_int_equal(set.count, 0);
        record_set_free(&set);
    }
}

static void a_type_has_at_most_a_hundred_values(void **state)
{
    struct record_set set = {.sets = NULL};
    struct err_info info = {.text = ""};
    char text[32];
    (void)state;
    for (int i = 0; i < RECORD_RRS_MAX; i++) {
        snprintf(text, sizeof text, "192.0.2.%d", i);
        assert_int_equal(add(&set, "A", -1, text, NULL), ERR_OK);
    }
    assert_int_equal(add(&set, "A", -1, "192.0.2.0", &info), ERR_OK); /* there already */
    assert_int_equal(add(&set, "A", -1, "192.0.2.200", &info), ERR_LIMIT);
    assert_string_equal(info.text, "more than 100 values of A at one name");
    assert_int_equal(set.sets[0].count, RECORD_RRS_MAX);
    assert_int_equal(add(&set, "AAAA", -1, "::1", NULL), ERR_OK);
    record_set_free(&set);
}

static void rules_of_a_name(void **state)
{
    static const struct {
        const char *owner;
        const char *records; /* "TYPE text|TYPE text" */
        enum err e;
        const char *says;
    } rows[] = {
        {"www", "A 192.0.2.1|AAAA ::1|TXT x|MX 10 a", ERR_OK, ""},
        {"www", "CNAME a", ERR_OK, ""},
        {"www", "HTTPS 0 a|NS a", ERR_OK, ""},
        {"*", "CNAME a", ERR_OK, ""},
        {"@", "A 192.0.2.1|NS a|SOA a. b. 1 2 3 4 5|HTTPS 0 a", ERR_OK, ""},
        {"_acme-challenge", "TXT x", ERR_OK, ""},
        {"x-acme-challenge", "CNAME a", ERR_OK, ""},
        {"www", "CNAME a|TXT x", ERR_CONFLICT, "a CNAME stands alone at its name, but here is TXT"},
        {"www", "A 192.0.2.1|CNAME a", ERR_CONFLICT, "but here is A too"},
        {"www", "CNAME a|CNAME b", ERR_CONFLICT, "one CNAME at most; keep one of the 2"},
        {"www", "CNAME WWW", ERR_CONFLICT, "points to itself"},
        {"@", "CNAME a", ERR_CONFLICT, "no CNAME at the domain itself; write A and AAAA there"},
        {"@", "SOA a. b. 1 2 3 4 5|SOA a. b. 2 2 3 4 5", ERR_CONFLICT, "one SOA at most"},
        {"www", "SOA a. b. 1 2 3 4 5", ERR_DENIED, "SOA belongs at the domain itself only"},
        {"_acme-challenge", "CNAME a.b", ERR_CONFLICT, "no CNAME at a challenge name"},
        {"_acme-challenge.www", "CNAME a.b", ERR_CONFLICT, "no CNAME at a challenge name"},
        {"_x._acme-challenge", "CNAME a.b", ERR_CONFLICT, "no CNAME at a challenge name"},
        {"_ACME-Challenge", "CNAME a.b", ERR_CONFLICT, "no CNAME at a challenge name"},
        {"www", "DNAME a.b", ERR_DENIED, "DNAME is not served here"},
        {"@", "DNAME a.b", ERR_DENIED, "DNAME is not served here"},
        {"www", "DS 1 13 2 ab", ERR_DENIED, "DS belongs to DNSSEC"},
        {"www", "RRSIG \\# 1 00", ERR_DENIED, "RRSIG belongs to DNSSEC"},
        {"www", "NSEC \\# 1 00", ERR_DENIED, "NSEC belongs to DNSSEC"},
        {"www", "DNSKEY 256 3 13 AAAA", ERR_DENIED, "DNSKEY belongs to DNSSEC"},
        {"www", "CDS 1 13 2 ab", ERR_DENIED, "CDS belongs to DNSSEC"},
        {"www", "NSEC3PARAM \\# 5 0100000000", ERR_DENIED, "NSEC3PARAM belongs to DNSSEC"},
        {"www.example.org.", "A 192.0.2.1", ERR_MALFORMED, "not under the domain"},
        {"evilmc.example.com.", "A 192.0.2.1", ERR_MALFORMED, "not under the domain"},
    };
    struct wire_name apex = name_of("mc.example.com");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set = {.sets = NULL};
        struct err_info info = {.text = ""};
        struct wire_name owner;
        char copy[256];
        char *rest = NULL;
        snprintf(copy, sizeof copy, "%s", rows[i].records);
        for (char *r = strtok_r(copy, "|", &rest); r != NULL; r = strtok_r(NULL, "|", &rest)) {
            char *blank = strchr(r, ' ');
            *blank = '\0';
            assert_int_equal(add(&set, r, -1, blank + 1, NULL), ERR_OK);
        }
        assert_int_equal(wire_name_from_text(rows[i].owner, &apex, &owner, NULL), ERR_OK);
        enum err e = record_check(&set, &owner, &apex, &info);
        if (e != rows[i].e || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("%s %s: %d \"%s\"", rows[i].owner, rows[i].records, e, info.text);
        }
        record_set_free(&set);
    }
}

/* Each value of N octets counts with 12 more; 60000 is the end. */
static void an_rrset_is_bounded_in_bytes(void **state)
{
    static uint8_t bytes[60000];
    struct wire_name apex = name_of("mc.example.com");
    struct record_set set = {.sets = NULL};
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(record_add_wire(&set, 65280, 1, bytes, RECORD_BYTES_MAX - 12 - 12, NULL),
                     ERR_OK);
    assert_int_equal(record_add_wire(&set, 65280, 1, bytes, 0, NULL), ERR_OK);
    assert_int_equal(record_check(&set, &apex, &apex, &info), ERR_OK);
    assert_true(record_remove(&set, 65280));
    assert_int_equal(record_add_wire(&set, 65280, 1, bytes, RECORD_BYTES_MAX - 12 - 12, NULL),
                     ERR_OK);
    assert_int_equal(record_add_wire(&set, 65280, 1, bytes, 1, NULL), ERR_OK);
    assert_int_equal(record_check(&set, &apex, &apex, &info), ERR_LIMIT);
    assert_string_equal(info.text,
                        "the TYPE65280 values make 60001 bytes; 60000 fit into an answer");
    record_set_free(&set);
}

static void sets_by_hand_are_checked_too(void **state)
{
    struct wire_name apex = name_of("mc.example.com");
    struct record_data data[RECORD_RRS_MAX + 1] = {{.bytes = NULL}};
    struct record_rrset rrset = {.type = TYPE_A, .ttl = 1, .data = data, .count = RECORD_RRS_MAX};
    struct record_set set = {.sets = &rrset, .count = 1};
    (void)state;
    assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_OK);
    rrset.count++;
    assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_LIMIT);
    rrset.count = 1;
    rrset.ttl = 2147483648;
    assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_LIMIT);
    rrset.ttl = 1;
    rrset.type = TYPE_ANY;
    assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_DENIED);
}

static void a_name_has_few_types(void **state)
{
    struct wire_name apex = name_of("mc.example.com");
    struct record_set set = {.sets = NULL};
    char type[16];
    (void)state;
    for (int i = 0; i <= RECORD_TYPES_MAX; i++) {
        assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_OK);
        snprintf(type, sizeof type, "TYPE%d", 65280 + i);
        assert_int_equal(add(&set, type, -1, "\\# 1 00", NULL), ERR_OK);
    }
    assert_int_equal(record_check(&set, &apex, &apex, NULL), ERR_LIMIT);
    record_set_free(&set);
}

static void equality(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "192.0.2.2"};
    struct record_set a = {.sets = NULL};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(add(&a, "A", 60, texts[i], NULL), ERR_OK);
    }
    /* The same; another order; another TTL; a TTL by default; one less; another type; nothing. */
    for (int kind = 0; kind < 7; kind++) {
        struct record_set b = {.sets = NULL};
        const char *type = kind == 5 ? "TXT" : "A";
        for (int i = 0; i < (kind == 6 ? 0 : kind == 4 ? 1 : 2); i++) {
            int64_t ttl = kind == 2 ? 61 : kind == 3 ? -1 : 60;
            assert_int_equal(add(&b, type, ttl, texts[kind == 1 ? 1 - i : i], NULL), ERR_OK);
        }
        assert_int_equal(record_equal(&a, &b), kind == 0);
        assert_int_equal(record_equal(&b, &a), kind == 0);
        record_set_free(&b);
    }
    record_set_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adding_and_finding),
        cmocka_unit_test(one_ttl_for_a_type),
        cmocka_unit_test(removing),
        cmocka_unit_test(what_cannot_be_added),
        cmocka_unit_test(a_type_has_at_most_a_hundred_values),
        cmocka_unit_test(rules_of_a_name),
        cmocka_unit_test(an_rrset_is_bounded_in_bytes),
        cmocka_unit_test(sets_by_hand_are_checked_too),
        cmocka_unit_test(a_name_has_few_types),
        cmocka_unit_test(equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

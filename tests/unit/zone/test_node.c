/* Rendered RRsets, octet by octet, and back. */
#include "dnsd/zone/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone_build.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static struct wire_name apex(void)
{
    return zone_build_name(NULL, "mc.example.com");
}

static struct record_set set_of(uint16_t type, const char *const *values, size_t count)
{
    struct record_set set = {.sets = NULL};
    struct wire_name origin = apex();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(record_add_text(&set, type, 300, values[i], &origin, 300, NULL), ERR_OK);
    }
    return set;
}

static void names_of_the_zone_are_pointers(void **state)
{
    static const struct {
        const char *what;
        uint16_t type;
        const char *value;
        const char *wire;
        size_t len;
        unsigned patches;
        uint16_t patch[2];
    } rows[] = {
        {"A", TYPE_A, "192.0.2.1", BYTES("\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"), 0, {0}},
        {"NS in the zone",
         TYPE_NS,
         "ns1",
         BYTES("\xc0\x0c\0\2\0\1\0\0\1\x2c\0\6\3ns1\xc0\0"),
         1,
         {16}},
        {"NS elsewhere",
         TYPE_NS,
         "ns.example.com.",
         BYTES("\xc0\x0c\0\2\0\1\0\0\1\x2c\0\x10\2ns\7example\3com\0"),
         0,
         {0}},
        {"CNAME to the zone itself",
         TYPE_CNAME,
         "@",
         BYTES("\xc0\x0c\0\5\0\1\0\0\1\x2c\0\2\xc0\0"),
         1,
         {12}},
        {"CNAME that only looks like it",
         TYPE_CNAME,
         "evilmc.example.com.",
         BYTES("\xc0\x0c\0\5\0\1\0\0\1\x2c\0\x14\6evilmc\7example\3com\0"),
         0,
         {0}},
        {"the case of names is kept, that of the zone's is not",
         TYPE_CNAME,
         "WWW.MC.Example.Com.",
         BYTES("\xc0\x0c\0\5\0\1\0\0\1\x2c\0\6\3WWW\xc0\0"),
         1,
         {16}},
        {"MX",
         TYPE_MX,
         "10 mail",
         BYTES("\xc0\x0c\0\x0f\0\1\0\0\1\x2c\0\x09\0\x0a\4mail\xc0\0"),
         1,
         {19}},
        {"PTR", TYPE_PTR, "host", BYTES("\xc0\x0c\0\x0c\0\1\0\0\1\x2c\0\7\4host\xc0\0"), 1, {17}},
        /* RFC 3597 §4: not in newer types */
        {"SRV",
         TYPE_SRV,
         "0 5 443 host.mc.example.com.",
         BYTES("\xc0\x0c\0\x21\0\1\0\0\1\x2c\0\x1b\0\0\0\5\1\xbb\4host\2mc\7example\3com\0"),
         0,
         {0}},
        {"SOA, two names",
         TYPE_SOA,
         "ns1.mc.example.com. me.mc.example.com. 1 2 3 4 5",
         BYTES("\xc0\x0c\0\6\0\1\0\0\1\x2c\0\x1f\3ns1\xc0\0\2me\xc0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"
               "\4\0"
               "\0\0\5"),
         2,
         {16, 21}},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set = set_of(rows[i].type, &rows[i].value, 1);
        struct zone_rrset *s = zone_rrset_make(&set.sets[0], 300, &origin, true);
        uint8_t data[600];
        if (s->len != rows[i].len || memcmp(zone_rrset_wire(s), rows[i].wire, s->len) != 0 ||
            s->patches != rows[i].patches ||
            memcmp(s->patch, rows[i].patch, s->patches * sizeof s->patch[0]) != 0) {
            fail_msg("%s: %u octets, %u patches", rows[i].what, s->len, s->patches);
        }
        /* And back, uncompressed; the zone's own part of a name comes back folded. */
        size_t len = zone_rrset_data(s, 0, &origin, data, sizeof data);
        assert_int_equal(len, set.sets[0].data[0].len);
        wire_name_fold(data, data, len);
        wire_name_fold(set.sets[0].data[0].bytes, set.sets[0].data[0].bytes, len);
        assert_memory_equal(data, set.sets[0].data[0].bytes, len);
        assert_int_equal(zone_rrset_data(s, 0, &origin, data, len - 1), 0);
        free(s);
        record_set_free(&set);
    }
}

static void data_of_each_record(void **state)
{
    static const char *const values[] = {"10 a", "20 b.example.net.", "30 c.d", "40 @"};
    struct wire_name origin = apex();
    struct record_set set = set_of(TYPE_MX, values, 4);
    struct zone_rrset *s = zone_rrset_make(&set.sets[0], 60, &origin, true);
    (void)state;
    assert_int_equal(s->count, 4);
    assert_int_equal(s->patches, 2); /* "c.d" is absolute: it has a dot */
    for (unsigned i = 0; i < 4; i++) {
        uint8_t data[300];
        size_t len = zone_rrset_data(s, i, &origin, data, sizeof data);
        assert_int_equal(len, set.sets[0].data[i].len);
        assert_memory_equal(data, set.sets[0].data[i].bytes, len);
    }
    free(s);
    record_set_free(&set);
}

static void what_rotates(void **state)
{
    static const char *const two_a[] = {"192.0.2.1", "192.0.2.2"};
    static const char *const two_aaaa[] = {"2001:db8::1", "2001:db8::2"};
    static const char *const two_ns[] = {"ns1", "ns2"};
    static const struct {
        uint16_t type;
        const char *const *values;
        size_t count;
        bool rotate;
        unsigned same_len;
    } rows[] = {
        {TYPE_A, two_a, 2, true, 16},  {TYPE_AAAA, two_aaaa, 2, true, 28},
        {TYPE_A, two_a, 1, true, 0},   {TYPE_A, two_a, 2, false, 0},
        {TYPE_NS, two_ns, 2, true, 0},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set = set_of(rows[i].type, rows[i].values, rows[i].count);
        struct zone_rrset *s = zone_rrset_make(&set.sets[0], 60, &origin, rows[i].rotate);
        assert_int_equal(s->same_len, rows[i].same_len);
        assert_int_equal(s->ttl, 60);
        free(s);
        record_set_free(&set);
    }
}

static void which_nodes_are_cuts(void **state)
{
    static const char *const ns[] = {"ns1.example.net."};
    static const struct {
        const char *key;
        size_t len;
        bool is_cut;
    } rows[] = {{BYTES("\3sub"), true},     {BYTES("\1a\3sub"), true},
                {BYTES(""), false},    /* the apex */
                {BYTES("\1*"), false}, /* a wildcard delegates nothing */
                {BYTES("\1*\3sub"), false}, {BYTES("\2*a"), true}};
    struct wire_name origin = apex();
    struct record_set set = set_of(TYPE_NS, ns, 1);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone_rrset *s = zone_rrset_make(&set.sets[0], 60, &origin, false);
        struct zone_node *n =
            zone_node_make(ZONE_STORED, (const uint8_t *)rows[i].key, rows[i].len, &s, 1, NULL);
        assert_int_equal(n->is_cut, rows[i].is_cut);
        assert_ptr_equal(zone_node_find(n, TYPE_NS), s);
        assert_null(zone_node_find(n, TYPE_A));
        assert_int_equal(n->key_len, rows[i].len);
        assert_memory_equal(n->key, rows[i].key, rows[i].len);
        free(n);
        free(s);
    }
    record_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_the_zone_are_pointers),
        cmocka_unit_test(data_of_each_record),
        cmocka_unit_test(what_rotates),
        cmocka_unit_test(which_nodes_are_cuts),
    };
    return cmocka_run_group_tests_name("zone/node", tests, NULL, NULL);
}

/* Looking names up: which are in the zone, what the limits of names do, cuts with and without glue.
 */
#include "dnsd/zone/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/query.h"
#include "zone_build.h"

static bool covers(const struct zone_snapshot *s, const char *text, unsigned *relative)
{
    struct wire_name n = zone_build_name(NULL, text);
    uint8_t at[WIRE_LABELS_MAX + 1];
    unsigned labels = wire_name_offsets(n.bytes, at);
    return zone_snapshot_covers(s, n.bytes, n.len, at, labels, relative);
}

static void which_names_are_covered(void **state)
{
    static const struct {
        const char *name;
        bool covered;
        unsigned relative;
    } rows[] = {
        {"mc.example.com.", true, 0},
        {"a.mc.example.com.", true, 1},
        {"c.b.a.mc.example.com.", true, 3},
        {"evilmc.example.com.", false, 0},
        {"x.evilmc.example.com.", false, 0},
        {"example.com.", false, 0},
        {"com.", false, 0},
        {".", false, 0},
        {"mc.example.org.", false, 0},
        {"mc.example.com.net.", false, 0},
        {"xmc.example.com.", false, 0},
        /* the octets of the apex, but not at labels' borders */
        {"a\\002mc\\007example\\003com.", false, 0},
    };
    struct zone *z = zone_build("apex mc.example.com\n", NULL);
    const struct zone_snapshot *s = zone_commit(z, 1);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned relative = 99;
        if (covers(s, rows[i].name, &relative) != rows[i].covered ||
            (rows[i].covered && relative != rows[i].relative)) {
            fail_msg("%s: %u", rows[i].name, relative);
        }
    }
    zone_snapshot_unref(s);
    zone_free(z);
}

/* N labels of one octet before APEX. */
static struct wire_name deep_name(unsigned n, const char *first, const struct wire_name *apex)
{
    struct wire_name name = {.len = 0};
    for (unsigned i = 0; i < n; i++) {
        name.bytes[name.len++] = 1;
        name.bytes[name.len++] = i == 0 ? (uint8_t)first[0] : 'd';
    }
    memcpy(name.bytes + name.len, apex->bytes, apex->len);
    name.len = (uint8_t)(name.len + apex->len);
    name.labels = (uint8_t)(n + apex->labels);
    return name;
}

static enum zone_match_kind kind_of(const struct zone_snapshot *s, const struct wire_name *n,
                                    bool glue)
{
    uint8_t at[WIRE_LABELS_MAX + 1];
    unsigned relative = 0;
    unsigned labels = wire_name_offsets(n->bytes, at);
    assert_true(zone_snapshot_covers(s, n->bytes, n->len, at, labels, &relative));
    return zone_snapshot_find(s, n->bytes, at, relative, glue).kind;
}

/* An apex of 3 octets leaves 252: 126 labels. Owners, wildcards and questions of that depth. */
static void names_as_deep_as_they_go(void **state)
{
    struct zone *z = zone_build("apex a\n", "core c ip=192.0.2.1\n");
    struct wire_name apex = zone_build_name(NULL, "a");
    struct record_set set = {.sets = NULL};
    (void)state;
    assert_int_equal(record_add_text(&set, TYPE_A, -1, "192.0.2.5", &apex, 300, NULL), ERR_OK);
    struct wire_name deepest = deep_name(126, "x", &apex);
    struct wire_name beside = deep_name(126, "y", &apex);
    struct wire_name wildcard = deep_name(126, "*", &apex);
    assert_int_equal(deepest.len, WIRE_NAME_MAX);
    assert_int_equal(zone_records_put(z, &deepest, &set, NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(z, 1);
    assert_int_equal(s->max_labels, 126);
    assert_int_equal(kind_of(s, &deepest, false), ZONE_HIT);
    assert_int_equal(kind_of(s, &beside, false), ZONE_MISS);
    for (unsigned n = 1; n < 126; n++) {
        struct wire_name between = deep_name(n, "d", &apex);
        struct wire_name other = deep_name(n, "z", &apex);
        assert_int_equal(kind_of(s, &between, false), ZONE_HIT);
        assert_int_equal(kind_of(s, &other, false), ZONE_MISS);
    }
    zone_snapshot_unref(s);
    assert_int_equal(zone_records_put(z, &wildcard, &set, NULL), ERR_OK);
    s = zone_commit(z, 2);
    assert_int_equal(kind_of(s, &beside, false), ZONE_WILD);
    zone_snapshot_unref(s);
    struct record_set none = {.sets = NULL};
    assert_int_equal(zone_records_put(z, &wildcard, &none, NULL), ERR_OK);
    assert_int_equal(zone_records_put(z, &deepest, &none, NULL), ERR_OK);
    s = zone_commit(z, 3);
    assert_int_equal(kind_of(s, &beside, false), ZONE_MISS);
    assert_int_equal(s->max_labels, 1);
    zone_snapshot_unref(s);
    record_set_free(&set);
    zone_free(z);
}

static void cuts_with_and_without_glue(void **state)
{
    struct zone *z =
        zone_build("apex mc.example.com\n", "core c ip=192.0.2.1\n"
                                            "record sub NS - ns.sub.mc.example.com\n"
                                            "record ns.sub A - 192.0.2.2\n"
                                            "record low.x.sub NS - ns.sub.mc.example.com\n"
                                            "record *.sub A - 192.0.2.3\n"
                                            "record *.w NS - ns.example.net\n");
    const struct zone_snapshot *s = zone_commit(z, 1);
    static const struct {
        const char *name;
        enum zone_match_kind kind, glue;
    } rows[] = {
        {"sub", ZONE_DELEGATED, ZONE_HIT},   {"ns.sub", ZONE_DELEGATED, ZONE_HIT},
        {"x.sub", ZONE_DELEGATED, ZONE_HIT}, {"q.sub", ZONE_DELEGATED, ZONE_WILD},
        {"*.sub", ZONE_DELEGATED, ZONE_HIT}, {"a.low.x.sub", ZONE_DELEGATED, ZONE_MISS},
        {"q.w", ZONE_WILD, ZONE_WILD},       {"c", ZONE_HIT, ZONE_HIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name n = zone_build_name(&s->apex, rows[i].name);
        if (kind_of(s, &n, false) != rows[i].kind || kind_of(s, &n, true) != rows[i].glue) {
            fail_msg("%s", rows[i].name);
        }
    }
    /* The highest cut answers for all below it. */
    struct zone_match m = zone_build_find(s, "a.low.x.sub", TYPE_NS).match;
    assert_int_equal(m.cut, 3);
    zone_snapshot_unref(s);
    zone_free(z);
}

static void references(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\n", "core c ip=192.0.2.1\n");
    const struct zone_snapshot *first = zone_commit(z, 1);
    (void)state;
    assert_ptr_equal(zone_snapshot_ref(first), first);
    zone_snapshot_unref(first);
    zone_build_add(z, "core c ip=192.0.2.9\nrecord x A - 192.0.2.5\n");
    const struct zone_snapshot *second = zone_commit(z, 2);
    assert_false(zone_is_idle(z));
    /* The first is what it was. */
    char *text = zone_build_text(first, "c");
    assert_string_equal(text, "hit\nA 300 192.0.2.1\n");
    free(text);
    assert_int_equal(zone_build_find(first, "x", TYPE_A).match.kind, ZONE_MISS);
    zone_snapshot_unref(second);
    assert_false(zone_is_idle(z));
    zone_snapshot_unref(first);
    assert_true(zone_is_idle(z));
    const struct zone_snapshot *current = zone_current(z);
    assert_int_equal(current->revision, 2);
    assert_int_equal(zone_revision(z), 2);
    zone_snapshot_unref(current);
    zone_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_names_are_covered),
        cmocka_unit_test(names_as_deep_as_they_go),
        cmocka_unit_test(cuts_with_and_without_glue),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests_name("zone/snapshot", tests, NULL, NULL);
}

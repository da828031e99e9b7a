/* One name, several meanings: whatever the order in which they come and go, the highest that is
 * there wins (zone.h), and nothing is left when the last has gone. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone_build.h"

/* The name of all trials: a name server's, a record's, a core's and a user's at once. */
#define NAME "dns2"

enum layer { PROOF, GENERATED, STORED, CORE, USER, LAYERS };

struct fixture {
    struct zone *zone;
    struct wire_name owner;
    struct record_set records;
    bool has_static;
    uint64_t revision;
};

static void must(enum err e)
{
    assert_int_equal(e, ERR_OK);
}

static void change(struct fixture *f, enum layer layer, bool add)
{
    static const struct record_set none = {.sets = NULL};
    static const struct zone_core second = {
        .id = "second", .ip = "192.0.2.2", .available = true, .live = true};
    /* Without an address it is no name server itself. */
    static const struct zone_core core = {
        .id = NAME, .cname = "host.example.org", .available = true, .live = true};
    static const struct zone_proof proof = {.value = "proof", .expires_ms = 1000};
    switch (layer) {
    case PROOF:
        must(zone_proofs_put(f->zone, &f->owner, &proof, add ? 1 : 0, 0, NULL));
        break;
    case GENERATED: /* dns2 is the second core with an address */
        if (add) {
            must(zone_core_put(f->zone, &second, NULL));
        } else {
            zone_core_delete(f->zone, "second");
        }
        break;
    case STORED:
        must(zone_records_put(f->zone, &f->owner, add ? &f->records : &none, NULL));
        break;
    case CORE:
        if (add) {
            must(zone_core_put(f->zone, &core, NULL));
        } else {
            zone_core_delete(f->zone, NAME);
        }
        break;
    default:
        if (add) {
            must(zone_user_put(f->zone, NAME, "first", NULL));
        } else {
            zone_user_delete(f->zone, NAME);
        }
    }
}

/* The type and the last octet of the address that tell the layers apart. */
static void expect_winner(struct fixture *f, unsigned present)
{
    static const struct {
        uint16_t type;
        uint8_t last;
    } tells[LAYERS] = {[GENERATED] = {TYPE_A, 2},
                       [STORED] = {TYPE_A, 3},
                       [CORE] = {TYPE_CNAME, 0},
                       [USER] = {TYPE_A, 1}};
    const struct zone_snapshot *s = zone_commit(f->zone, ++f->revision);
    struct zone_match m = zone_build_find(s, NAME, TYPE_A).match;
    unsigned winner = GENERATED;
    while (winner < LAYERS && (present & 1u << winner) == 0) {
        winner++;
    }
    bool statics = f->has_static && winner > GENERATED;
    bool proof = (present & 1u << PROOF) != 0;
    assert_int_equal(m.kind, winner < LAYERS || statics || proof ? ZONE_HIT : ZONE_MISS);
    if (m.kind == ZONE_HIT) {
        const struct zone_rrset *txt = zone_node_find(m.node, TYPE_TXT);
        assert_int_equal(txt != NULL ? txt->count : 0, proof + (!statics && winner == STORED));
    }
    if (statics) {
        assert_int_equal(zone_rrset_wire(zone_node_find(m.node, TYPE_A))[15], 4);
    } else if (winner < LAYERS && !(winner == USER && proof)) {
        /* A proof at a user's own name hides it; no CA asks for one there. */
        const struct zone_rrset *set = zone_node_find(m.node, tells[winner].type);
        assert_non_null(set);
        if (set->type == TYPE_A) {
            assert_int_equal(zone_rrset_wire(set)[NODE_RR_HEADER + 3], tells[winner].last);
        }
    }
    assert_int_equal(s->users, (present >> USER) & 1);
    zone_snapshot_unref(s);
}

static struct fixture fixture_of(bool has_static)
{
    struct fixture f = {.has_static = has_static};
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    f.zone =
        zone_build("apex mc.example.com\n", has_static ? "static " NAME " A - 192.0.2.4\n" : "");
    zone_snapshot_unref(zone_commit(f.zone, ++f.revision));
    zone_build_add(f.zone, "core first ip=192.0.2.1\n");
    f.owner = zone_build_name(&apex, NAME);
    must(record_add_text(&f.records, TYPE_A, -1, "192.0.2.3", &apex, 300, NULL));
    must(record_add_text(&f.records, TYPE_TXT, -1, "stored", &apex, 300, NULL));
    return f;
}

static void fixture_end(struct fixture *f)
{
    zone_free(f->zone);
    record_set_free(&f->records);
}

/* The N-th order of LAYERS things. */
static void order_of(unsigned n, enum layer order[LAYERS])
{
    enum layer left[LAYERS] = {PROOF, GENERATED, STORED, CORE, USER};
    for (unsigned i = LAYERS; i > 0; i--) {
        unsigned pick = n % i;
        n /= i;
        order[LAYERS - i] = left[pick];
        memmove(left + pick, left + pick + 1, (i - pick - 1) * sizeof left[0]);
    }
}

#define ORDERS 120 /* 5! */
#define STRIDE 7   /* each order of coming meets a seventh of those of going */

static void come_and_go(struct fixture *f, unsigned coming, unsigned going)
{
    enum layer order[LAYERS];
    unsigned present = 0;
    order_of(coming, order);
    for (unsigned i = 0; i < LAYERS; i++) {
        change(f, order[i], true);
        present |= 1u << order[i];
        expect_winner(f, present);
    }
    order_of(going, order);
    for (unsigned i = 0; i < LAYERS; i++) {
        change(f, order[i], false);
        present &= ~(1u << order[i]);
        expect_winner(f, present);
    }
}

static void in_every_order(void **state)
{
    (void)state;
    for (int with_static = 0; with_static < 2; with_static++) {
        struct fixture f = fixture_of(with_static);
        for (unsigned coming = 0; coming < ORDERS; coming++) {
            for (unsigned going = coming % STRIDE; going < ORDERS; going += STRIDE) {
                come_and_go(&f, coming, going);
            }
        }
        fixture_end(&f);
    }
}

/* The wildcard below everything: of the pool, of records, of the configuration. */
static void wildcards_of_the_apex(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\nwildcard cores\n", "core a ip=192.0.2.1\n");
    (void)state;
    static const struct {
        const char *lines;
        const char *text;
    } steps[] = {
        {"", "wild\nA 300 192.0.2.1\n"},
        {"record * TXT - stored\n", "wild\nTXT 300 \"stored\"\n"},
        {"record x.y A - 192.0.2.9\n", "wild\nTXT 300 \"stored\"\n"},
        {"-record *\n", "wild\nA 300 192.0.2.1\n"},
        {"-core a\n", "miss\n"},
        {"record * TXT - stored\n", "wild\nTXT 300 \"stored\"\n"},
        {"-record *\n", "miss\n"},
    };
    zone_snapshot_unref(zone_commit(z, 1));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        zone_build_add(z, steps[i].lines);
        const struct zone_snapshot *s = zone_commit(z, i + 2);
        char *text = zone_build_text(s, "any.thing");
        assert_string_equal(text, steps[i].text);
        free(text);
        zone_snapshot_unref(s);
    }
    zone_free(z);
}

/* Names between exist with the first name below and end with the last (RFC 4592 §2.2.2). */
static void names_between(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\n", "core a ip=192.0.2.1\n");
    (void)state;
    static const struct {
        const char *lines;
        const char *name;
        const char *text;
        unsigned deepest;
    } steps[] = {
        {"record a.b.c.d A - 192.0.2.5\n", "d", "hit\n", 4},
        {"", "b.c.d", "hit\n", 4},
        {"record x.c.d A - 192.0.2.6\n", "c.d", "hit\n", 4},
        {"-record a.b.c.d\n", "b.c.d", "miss\n", 3},
        {"", "c.d", "hit\n", 3},
        {"record d TXT - own\n", "d", "hit\nTXT 300 \"own\"\n", 3},
        {"-record x.c.d\n", "c.d", "miss\n", 2 - 1},
        {"", "d", "hit\nTXT 300 \"own\"\n", 1},
        {"record x.d A - 192.0.2.7\n-record d\n", "d", "hit\n", 2},
        {"user d a\n", "d", "hit\nA 300 192.0.2.1\n", 2}, /* a user with names below it */
        {"-record x.d\n", "d", "hit\nA 300 192.0.2.1\n", 1},
        {"record x.d A - 192.0.2.7\n-user d\n", "d", "hit\n", 2},
        {"-record x.d\n", "d", "miss\n", 1},
        {"record *.w TXT - wild\n", "w", "hit\n", 2},
        {"", "q.w", "wild\nTXT 300 \"wild\"\n", 2},
        {"user w a\n", "q.w", "wild\nTXT 300 \"wild\"\n", 2},
        {"", "w", "hit\nA 300 192.0.2.1\n", 2},
        {"record w MX - 10 mail\n", "q.q.w", "wild\nTXT 300 \"wild\"\n", 2},
        {"-record *.w\n", "q.w", "miss\n", 1},
    };
    zone_snapshot_unref(zone_commit(z, 1));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        zone_build_add(z, steps[i].lines);
        const struct zone_snapshot *s = zone_commit(z, i + 2);
        char *text = zone_build_text(s, steps[i].name);
        if (strcmp(text, steps[i].text) != 0 || s->max_labels != steps[i].deepest) {
            fail_msg("step %zu: %s (%u labels): %s", i, steps[i].name, s->max_labels, text);
        }
        free(text);
        zone_snapshot_unref(s);
    }
    zone_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_every_order),
        cmocka_unit_test(wildcards_of_the_apex),
        cmocka_unit_test(names_between),
    };
    return cmocka_run_group_tests_name("zone/layers", tests, NULL, NULL);
}

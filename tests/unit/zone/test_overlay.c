/* Proofs: over nothing, over records, over names between; replaced, expired, limited. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone_build.h"

struct fixture {
    struct zone *zone;
    uint64_t revision;
};

static struct fixture fixture_of(const char *lines)
{
    struct fixture f = {.zone = zone_build("apex mc.example.com\nstatic st TXT - static\n", lines)};
    zone_snapshot_unref(zone_commit(f.zone, ++f.revision));
    return f;
}

static void expect(struct fixture *f, const char *name, const char *expected)
{
    const struct zone_snapshot *s = zone_commit(f->zone, ++f->revision);
    char *text = zone_build_text(s, name);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s:\n%s---- and not ----\n%s", name, text, expected);
    }
    free(text);
    zone_snapshot_unref(s);
}

static enum err put(struct fixture *f, const char *name, const struct zone_proof *proofs, size_t n,
                    int64_t now, struct err_info *info)
{
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    struct wire_name owner = zone_build_name(&apex, name);
    return zone_proofs_put(f->zone, &owner, proofs, n, now, info);
}

static void over_everything(void **state)
{
    static const struct {
        const char *lines;
        const char *name;
        const char *with, *without;
    } rows[] = {
        {"", "_acme-challenge", "hit\nTXT 1 \"p\"\n", "hit\n"},
        {"", "_acme-challenge.new", "hit\nTXT 1 \"p\"\n", "miss\n"},
        {"record r TXT 60 own\nrecord r A - 192.0.2.1\nrecord r CAA - 0 issue \"ca\"\n", "r",
         "hit\nA 300 192.0.2.1\nTXT 1 \"own\"\nTXT 1 \"p\"\nCAA 300 0 issue \"ca\"\n",
         "hit\nA 300 192.0.2.1\nTXT 60 \"own\"\nCAA 300 0 issue \"ca\"\n"},
        {"record r A - 192.0.2.1\n", "r", "hit\nA 300 192.0.2.1\nTXT 1 \"p\"\n",
         "hit\nA 300 192.0.2.1\n"},
        {"record r CAA - 0 issue \"ca\"\n", "r", "hit\nTXT 1 \"p\"\nCAA 300 0 issue \"ca\"\n",
         "hit\nCAA 300 0 issue \"ca\"\n"},
        {"record r TXT - p\n", "r", "hit\nTXT 1 \"p\"\n",
         "hit\nTXT 300 \"p\"\n"}, /* the same value */
        {"record x.ent A - 192.0.2.1\n", "ent", "hit\nTXT 1 \"p\"\n", "hit\n"},
        {"record *.w TXT - wild\n", "_acme-challenge.w", "hit\nTXT 1 \"p\"\n",
         "wild\nTXT 300 \"wild\"\n"},
        {"", "st", "hit\nTXT 1 \"static\"\nTXT 1 \"p\"\n", "hit\nTXT 300 \"static\"\n"},
        {"core c ip=192.0.2.3\n", "c", "hit\nA 300 192.0.2.3\nTXT 1 \"p\"\n",
         "hit\nA 300 192.0.2.3\n"},
    };
    static const struct zone_proof proof = {.value = "p", .expires_ms = 1000};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f = fixture_of(rows[i].lines);
        bool changed = false;
        expect(&f, rows[i].name, rows[i].without);
        assert_int_equal(put(&f, rows[i].name, &proof, 1, 0, NULL), ERR_OK);
        expect(&f, rows[i].name, rows[i].with);
        assert_int_equal(zone_proofs_expire(f.zone, 999, &changed), 1000);
        assert_false(changed);
        assert_int_equal(zone_proofs_expire(f.zone, 1000, &changed), INT64_MAX);
        assert_true(changed);
        expect(&f, rows[i].name, rows[i].without);
        /* Taken back before it expires. */
        assert_int_equal(put(&f, rows[i].name, &proof, 1, 0, NULL), ERR_OK);
        assert_int_equal(put(&f, rows[i].name, NULL, 0, 0, NULL), ERR_OK);
        expect(&f, rows[i].name, rows[i].without);
        zone_free(f.zone);
    }
}

/* The name above exists with the proof and goes with it: asked with QNAME minimisation. */
static void names_above_a_proof(void **state)
{
    static const struct zone_proof proof = {.value = "p", .expires_ms = 1000};
    struct fixture f = fixture_of("core a ip=192.0.2.1\nuser alice a\n");
    (void)state;
    assert_int_equal(put(&f, "_acct._acme-challenge", &proof, 1, 0, NULL), ERR_OK);
    assert_int_equal(put(&f, "_acme-challenge.alice", &proof, 1, 0, NULL), ERR_OK);
    assert_int_equal(put(&f, "_acme-challenge.a.b.c", &proof, 1, 0, NULL), ERR_OK);
    expect(&f, "_acme-challenge", "hit\n");
    expect(&f, "alice", "hit\nA 300 192.0.2.1\n");
    expect(&f, "b.c", "hit\n");
    bool changed = false;
    zone_proofs_expire(f.zone, 1000, &changed);
    expect(&f, "_acme-challenge", "hit\n");
    expect(&f, "alice", "hit\nA 300 192.0.2.1\n");
    expect(&f, "b.c", "miss\n");
    expect(&f, "c", "miss\n");
    zone_free(f.zone);
}

static void several_values(void **state)
{
    static const struct zone_proof three[] = {{"one", 3000}, {"two", 1000}, {"three", 2000}};
    static const struct zone_proof late[] = {{"one", 10}, {"two", 2000}};
    struct fixture f = fixture_of("");
    bool changed = false;
    (void)state;
    assert_int_equal(put(&f, "_acme-challenge", three, 3, 0, NULL), ERR_OK);
    expect(&f, "_acme-challenge", "hit\nTXT 1 \"one\"\nTXT 1 \"two\"\nTXT 1 \"three\"\n");
    assert_int_equal(zone_proofs_expire(f.zone, 1000, &changed), 2000);
    assert_true(changed);
    expect(&f, "_acme-challenge", "hit\nTXT 1 \"one\"\nTXT 1 \"three\"\n");
    assert_int_equal(zone_proofs_expire(f.zone, 1500, &changed), 2000);
    assert_false(changed);
    assert_int_equal(zone_proofs_expire(f.zone, 2000, &changed), 3000);
    expect(&f, "_acme-challenge", "hit\nTXT 1 \"one\"\n");
    /* All of a name at a time; what has expired when it comes does not count. */
    assert_int_equal(put(&f, "_acme-challenge", late, 2, 10, NULL), ERR_OK);
    expect(&f, "_acme-challenge", "hit\nTXT 1 \"two\"\n");
    assert_int_equal(put(&f, "_acme-challenge", late, 1, 10, NULL), ERR_OK);
    expect(&f, "_acme-challenge", "hit\n");
    zone_free(f.zone);
}

/* Records may change beneath. */
static void over_records_that_change(void **state)
{
    static const struct zone_proof proof = {.value = "p", .expires_ms = 1000};
    struct fixture f = fixture_of("");
    (void)state;
    assert_int_equal(put(&f, "_acme-challenge.w", &proof, 1, 0, NULL), ERR_OK);
    zone_build_add(f.zone, "record _acme-challenge.w TXT 60 stored\n");
    expect(&f, "_acme-challenge.w", "hit\nTXT 1 \"stored\"\nTXT 1 \"p\"\n");
    zone_build_add(f.zone, "record _acme-challenge.w A 60 192.0.2.1\n");
    expect(&f, "_acme-challenge.w", "hit\nA 60 192.0.2.1\nTXT 1 \"p\"\n");
    zone_build_add(f.zone, "-record _acme-challenge.w\n");
    expect(&f, "_acme-challenge.w", "hit\nTXT 1 \"p\"\n");
    zone_free(f.zone);
}

static void limits(void **state)
{
    struct zone_proof many[ZONE_PROOFS_MAX + 1];
    char values[ZONE_PROOFS_MAX + 1][16];
    char longest[257];
    struct fixture f = fixture_of("");
    struct err_info info = {.text = ""};
    (void)state;
    for (unsigned i = 0; i <= ZONE_PROOFS_MAX; i++) {
        snprintf(values[i], sizeof values[i], "v%u", i);
        many[i] = (struct zone_proof){.value = values[i], .expires_ms = 1000};
    }
    assert_int_equal(put(&f, "_acme-challenge", many, ZONE_PROOFS_MAX + 1, 0, &info), ERR_LIMIT);
    expect(&f, "_acme-challenge", "hit\n");
    assert_int_equal(put(&f, "_acme-challenge.a", many, ZONE_PROOFS_MAX, 0, &info), ERR_OK);
    assert_int_equal(put(&f, "_acme-challenge.b", many, 1, 0, &info), ERR_LIMIT);
    /* Those of the same name are replaced, so they do not count. */
    assert_int_equal(put(&f, "_acme-challenge.a", many, ZONE_PROOFS_MAX, 0, &info), ERR_OK);
    assert_int_equal(put(&f, "_acme-challenge.a", many, 1, 0, &info), ERR_OK);
    expect(&f, "_acme-challenge.a", "hit\nTXT 1 \"v0\"\n");
    assert_int_equal(put(&f, "_acme-challenge.b", many, 1, 0, &info), ERR_OK);
    memset(longest, 'x', sizeof longest);
    longest[256] = '\0';
    many[0].value = longest;
    assert_int_equal(put(&f, "_acme-challenge.b", many, 1, 0, &info), ERR_MALFORMED);
    expect(&f, "_acme-challenge.b", "hit\nTXT 1 \"v0\"\n");
    many[0].value = longest + 1; /* 255 */
    assert_int_equal(put(&f, "_acme-challenge.b", many, 1, 0, &info), ERR_OK);
    assert_int_equal(put(&f, "@", many, 1, 0, &info), ERR_MALFORMED);
    assert_int_equal(put(&f, "_acme-challenge.example.net.", many, 1, 0, &info), ERR_MALFORMED);
    assert_int_equal(put(&f, "example.com.", many, 1, 0, &info), ERR_MALFORMED);
    zone_free(f.zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_everything), cmocka_unit_test(names_above_a_proof),
        cmocka_unit_test(several_values),  cmocka_unit_test(over_records_that_change),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests_name("zone/overlay", tests, NULL, NULL);
}

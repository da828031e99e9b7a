/* The snapshot file: what goes in comes out, and nothing that is not whole comes in. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/mem.h"
#include "zone_build.h"

#define OPTIONS                                                                                    \
    "apex mc.example.com\nservice reg\nstatic hidden A - 203.0.113.1\nroot MX - 10 mail\n"
#define CONTENT                                                                                    \
    "core core-a ip=192.0.2.1 ipv6=2001:db8::1\n"                                                  \
    "core core-b ip=192.0.2.2 drained\n"                                                           \
    "core core-c cname=c.example.org dead\n"                                                       \
    "user alice core-a\n"                                                                          \
    "user bob core-nobody-knows\n"                                                                 \
    "user a-user-with-a-name-that-is-not-short core-c\n"                                           \
    "user both core-b\n"                                                                           \
    "record both A 60 198.51.100.1\n"                                                              \
    "record hidden TXT 5 stored\n"                                                                 \
    "record hidden A - 198.51.100.2\n"                                                             \
    "record core-a TXT - over a core\n"                                                            \
    "record *.deep.er MX - 10 core-b\n"                                                            \
    "record sub NS 77 ns.sub.mc.example.com\n"                                                     \
    "record alias CNAME - alice\n"                                                                 \
    "record @ TXT - apex\n"                                                                        \
    "record @ MX - 20 stored.example.org\n"                                                        \
    "record types TYPE65280 - \\# 2 abcd\n"                                                        \
    "proof _acme-challenge value-one 4000\n"                                                       \
    "proof _acme-challenge value-two 5000\n"                                                       \
    "proof _acme-challenge.alice other 4000\n"

#define HASHED "hashed a-key\n"

static const char *const names[] = {"@",
                                    "SOA",
                                    "core-a",
                                    "core-b",
                                    "core-c",
                                    "alice",
                                    "bob",
                                    "a-user-with-a-name-that-is-not-short",
                                    "both",
                                    "hidden",
                                    "q.deep.er",
                                    "deep.er",
                                    "er",
                                    "sub",
                                    "x.sub",
                                    "alias",
                                    "types",
                                    "reg",
                                    "lsc",
                                    "dns1",
                                    "dns2",
                                    "dns3",
                                    "_acme-challenge",
                                    "_acme-challenge.alice",
                                    "nobody",
                                    "core-nobody-knows"};

struct file {
    uint8_t *bytes; /* owned */
    size_t len;
};

static struct file save(struct zone *z, uint64_t revision)
{
    struct file f;
    const struct zone_snapshot *s = zone_commit(z, revision);
    assert_int_equal(zone_save(s, "store-id", &f.bytes, &f.len), ERR_OK);
    zone_snapshot_unref(s);
    return f;
}

static struct file small_file_of(const char *options)
{
    struct zone *z = zone_build(options, CONTENT);
    struct file f = save(z, 77);
    zone_free(z);
    return f;
}

static struct file small_file(void)
{
    return small_file_of(OPTIONS);
}

static enum err restore(struct zone *z, const void *bytes, size_t len, uint64_t *revision,
                        struct err_info *info)
{
    char store_id[ZONE_STORE_ID_MAX] = "";
    uint8_t *copy = mem_xmemdup(bytes, len); /* of exactly LEN octets */
    enum err e = zone_restore(z, copy, len, store_id, revision, info);
    free(copy);
    if (e == ERR_OK) {
        assert_string_equal(store_id, "store-id");
    }
    return e;
}

static void expect_equal(struct zone *a, struct zone *b)
{
    const struct zone_snapshot *x = zone_current(a), *y = zone_current(b);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *one = zone_build_text(x, names[i]);
        char *two = zone_build_text(y, names[i]);
        if (strcmp(one, two) != 0) {
            fail_msg("%s:\n%s---- and ----\n%s", names[i], one, two);
        }
        free(one);
        free(two);
    }
    assert_int_equal(x->users, y->users);
    assert_int_equal(x->names, y->names);
    assert_int_equal(x->serial, y->serial);
    zone_snapshot_unref(x);
    zone_snapshot_unref(y);
}

static void expect_same_digest(const struct zone *a, const struct zone *b)
{
    char x[ZONE_DIGEST_TEXT], y[ZONE_DIGEST_TEXT];
    zone_digest(a, x);
    zone_digest(b, y);
    assert_string_equal(x, y);
}

static void round_trip(const char *options)
{
    struct zone *a = zone_build(options, CONTENT);
    struct zone *b = zone_build(options, NULL);
    struct file f = save(a, 77);
    uint64_t revision = 0;
    struct err_info info = {.text = ""};
    assert_int_equal(restore(b, f.bytes, f.len, &revision, &info), ERR_OK);
    assert_int_equal(revision, 77);
    struct file again = save(b, revision);
    expect_equal(a, b);
    expect_same_digest(a, b);
    assert_int_equal(again.len, f.len);
    /* Both go on as the same zone. */
    static const char change[] = "-record both\n-core core-a\nuser bob core-b\n-record hidden\n";
    zone_build_add(a, change);
    zone_build_add(b, change);
    zone_snapshot_unref(zone_commit(a, 78));
    zone_snapshot_unref(zone_commit(b, 78));
    expect_equal(a, b);
    expect_same_digest(a, b);
    bool changed = false;
    assert_int_equal(zone_proofs_expire(b, 4000, &changed), 5000);
    assert_true(changed);
    zone_free(a);
    zone_free(b);
    free(f.bytes);
    free(again.bytes);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    round_trip(OPTIONS);
    round_trip(HASHED OPTIONS);
}

/* Records are written whichever layer is on top: a configuration that has changed finds them. */
static void into_another_configuration(void **state)
{
    static const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"hidden", "hit\nA 20 198.51.100.2\nTXT 5 \"stored\"\n"}, /* nothing static over it now */
        {"both", "hit\nA 60 198.51.100.1\n"},
        {"sub", "cut\nNS 77 ns.sub.mc.example.com.\n"},
        {"types", "hit\nTYPE65280 20 \\# 2 abcd\n"},
        {"core-b", "hit\nA 20 192.0.2.2\n"}, /* who chose no TTL follows the new default */
        {"@",
         "hit\nA 20 192.0.2.1\nNS 20 dns1.mc.example.com.\nNS 20 dns2.mc.example.com.\nMX 20 20 "
         "stored.example.org.\nTXT 20 \"apex\"\nAAAA 20 2001:db8::1\n"},
    };
    struct zone *z = zone_build("apex mc.example.com\nttl 20\n", NULL);
    struct file f = small_file();
    uint64_t revision = 0;
    (void)state;
    assert_int_equal(restore(z, f.bytes, f.len, &revision, NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(z, revision);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = zone_build_text(s, rows[i].name);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
    zone_snapshot_unref(s);
    zone_free(z);
    free(f.bytes);
}

/* Founders stand in for cores that are not known; those of the file are. */
static void cores_of_the_file_win_over_founders(void **state)
{
    struct zone *z = zone_build("apex mc.example.com\nstatic lsc A - 203.0.113.9\n", NULL);
    struct file f = small_file();
    uint64_t revision = 0;
    (void)state;
    assert_int_equal(restore(z, f.bytes, f.len, &revision, NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(z, revision);
    char *text = zone_build_text(s, "lsc");
    assert_string_equal(text, "hit\nA 5 192.0.2.1\nA 5 192.0.2.2\n");
    free(text);
    zone_snapshot_unref(s);
    zone_free(z);
    free(f.bytes);
}

static void a_provisional_zone_is_not_saved(void **state)
{
    struct zone *z = zone_build(OPTIONS, NULL);
    struct file f = {.bytes = NULL};
    (void)state;
    zone_set_provisional(z, true);
    const struct zone_snapshot *s = zone_commit(z, 0);
    assert_true(s->provisional);
    assert_int_equal(zone_save(s, "store-id", &f.bytes, &f.len), ERR_UNAVAIL);
    assert_null(f.bytes);
    zone_snapshot_unref(s);
    zone_set_provisional(z, false);
    f = save(z, 1);
    assert_non_null(f.bytes);
    zone_free(z);
    free(f.bytes);
}

static void expect_refused(const void *bytes, size_t len, const char *options, const char *says)
{
    struct zone *z = zone_build(options, NULL);
    struct err_info info = {.text = ""};
    uint64_t revision = 0;
    if (restore(z, bytes, len, &revision, &info) != ERR_MALFORMED) {
        fail_msg("%zu octets are accepted", len);
    }
    assert_true(info.text[0] != '\0');
    if (says != NULL) {
        assert_non_null(strstr(info.text, says));
    }
    zone_free(z);
}

static void every_flipped_bit(void **state)
{
    struct file f = small_file();
    (void)state;
    for (size_t bit = 0; bit < f.len * 8; bit++) {
        f.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_refused(f.bytes, f.len, OPTIONS, NULL);
        f.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(f.bytes);
}

static void every_truncation(void **state)
{
    struct file f = small_file();
    (void)state;
    for (size_t len = 0; len < f.len; len++) {
        expect_refused(f.bytes, len, OPTIONS, NULL);
    }
    f.bytes = mem_xrealloc(f.bytes, f.len + 1);
    f.bytes[f.len] = 0;
    expect_refused(f.bytes, f.len + 1, OPTIONS, "checksum");
    free(f.bytes);
}

static void seal(struct file *f)
{
    size_t body = f->len - DIGEST_SHA256_LEN;
    assert_int_equal(digest_sha256(f->bytes, body, f->bytes + body), ERR_OK);
}

static void of_another_kind(void **state)
{
    struct file f = small_file();
    (void)state;
    expect_refused(f.bytes, f.len, "apex other.example.com\n", "another domain");
    expect_refused(f.bytes, f.len, "apex example.com\n", "another domain");
    f.bytes[11]++;
    seal(&f);
    expect_refused(f.bytes, f.len, OPTIONS, "another version");
    expect_refused("DNSDZON", 7, OPTIONS, "not a snapshot");
    expect_refused("a text file that is longer than a header is, of course", 54, OPTIONS,
                   "not a snapshot");
    free(f.bytes);
}

/* Users that are called otherwise are no users of this zone's. */
static void of_other_names_of_users(void **state)
{
    struct file clear = small_file();
    struct file hashed = small_file_of(HASHED OPTIONS);
    (void)state;
    expect_refused(clear.bytes, clear.len, HASHED OPTIONS, "its users are not hashed");
    expect_refused(hashed.bytes, hashed.len, OPTIONS, "its users are hashed");
    expect_refused(hashed.bytes, hashed.len, "hashed another-key\n" OPTIONS, "another key");
    expect_refused(hashed.bytes, hashed.len, "hashed a-key2\n" OPTIONS, "piiHmacKey");
    free(clear.bytes);
    free(hashed.bytes);
}

/* The file with the user's key at the first MARK (its length, then the key) made longer by an octet,
 * or with another first octet. */
static struct file with_key(const struct file *f, const char *mark, size_t mark_len, bool longer,
                            uint8_t first)
{
    struct file out = {.len = f->len + longer};
    out.bytes = mem_xalloc(out.len);
    const uint8_t *found = memmem(f->bytes, f->len, mark, mark_len);
    assert_non_null(found);
    size_t at = (size_t)(found - f->bytes);
    memcpy(out.bytes, f->bytes, at + 2);
    memcpy(out.bytes + at + 2 + longer, f->bytes + at + 2, f->len - at - 2);
    out.bytes[at] = (uint8_t)(out.bytes[at] + longer);
    out.bytes[at + 1] = first;
    if (longer) {
        out.bytes[at + 2] = 'a';
    }
    seal(&out);
    return out;
}

/* Whatever wrote it: what cannot be a user's key does not come into the table. */
static void keys_that_no_user_has(void **state)
{
    static const struct {
        const char *options, *mark;
        size_t mark_len;
        bool longer;
        uint8_t first;
        bool good;
    } rows[] = {
        {OPTIONS, "\6\5alice", 7, false, 5, true},
        {OPTIONS, "\6\5alice", 7, false, 4, false},
        {OPTIONS, "\6\5alice", 7, false, 6, false},
        {OPTIONS, "\6\5alice", 7, true, 6, true},
        {OPTIONS, "\6\5alice", 7, true, 5, false},
        {HASHED OPTIONS, "\30\377", 2, false, 0xff, true},
        {HASHED OPTIONS, "\30\377", 2, false, 23, false},
        {HASHED OPTIONS, "\30\377", 2, true, 0xff, false},
        {HASHED OPTIONS, "\30\377", 2, true, 24, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct file f = small_file_of(rows[i].options);
        struct file other =
            with_key(&f, rows[i].mark, rows[i].mark_len, rows[i].longer, rows[i].first);
        if (rows[i].good) {
            struct zone *z = zone_build(rows[i].options, NULL);
            uint64_t revision;
            assert_int_equal(restore(z, other.bytes, other.len, &revision, NULL), ERR_OK);
            zone_free(z);
        } else {
            expect_refused(other.bytes, other.len, rows[i].options, "does not make sense");
        }
        free(f.bytes);
        free(other.bytes);
    }
    /* Characters that no name has. */
    struct file f = small_file();
    uint8_t *alice = memmem(f.bytes, f.len, "\6\5alice", 7);
    assert_non_null(alice);
    alice[3] = '.';
    seal(&f);
    expect_refused(f.bytes, f.len, OPTIONS, "does not make sense");
    free(f.bytes);
}

static bool holds(const struct file *f, const char *text)
{
    return memmem(f->bytes, f->len, text, strlen(text)) != NULL;
}

static void no_name_in_a_file_of_hashed_users(void **state)
{
    static const char content[] = "core core-a ip=192.0.2.1\nuser gertrude core-a\n"
                                  "user a-user-with-a-name-that-is-not-short core-a\n";
    (void)state;
    for (int hashed = 0; hashed < 2; hashed++) {
        struct zone *z = zone_build(hashed != 0 ? HASHED OPTIONS : OPTIONS, content);
        struct file f = save(z, 1);
        assert_true(holds(&f, "core-a"));
        assert_int_equal(holds(&f, "gertrude"), hashed == 0);
        assert_int_equal(holds(&f, "not-short"), hashed == 0);
        assert_false(holds(&f, "a-key"));
        zone_free(z);
        free(f.bytes);
    }
}

/* A file whose checksum is right and whose content is not is refused or makes some sense, but never
 * reads outside or leaves something behind. */
static void nonsense(const char *options)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct file f = small_file_of(options);
    unsigned refused = 0;
    for (size_t at = 12; at < f.len - DIGEST_SHA256_LEN; at++) {
        for (size_t i = 0; i < sizeof changes; i++) {
            struct zone *z = zone_build(options, NULL);
            uint64_t revision = 0;
            char store_id[ZONE_STORE_ID_MAX];
            f.bytes[at] ^= changes[i];
            seal(&f);
            if (zone_restore(z, f.bytes, f.len, store_id, &revision, NULL) == ERR_OK) {
                zone_snapshot_unref(zone_commit(z, revision));
            } else {
                refused++;
            }
            f.bytes[at] ^= changes[i];
            zone_free(z);
        }
    }
    assert_true(refused > f.len / 2);
    free(f.bytes);
}

static void nonsense_with_a_right_checksum(void **state)
{
    (void)state;
    nonsense(OPTIONS);
    nonsense(HASHED OPTIONS);
}

static void many_users(void **state)
{
    struct zone *a = zone_build(OPTIONS, "core core-0 ip=192.0.2.1\ncore core-1 ip=192.0.2.2\n");
    struct zone *b = zone_build(OPTIONS, NULL);
    uint64_t revision = 0;
    char name[80], core[16];
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, i % 50 == 0 ? "user-with-a-long-name-%08u" : "u%u", i);
        snprintf(core, sizeof core, "core-%u", i % 2);
        assert_int_equal(zone_user_put(a, name, core, NULL), ERR_OK);
    }
    struct file f = save(a, 9);
    assert_int_equal(restore(b, f.bytes, f.len, &revision, NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(b, revision);
    assert_int_equal(s->users, 200000);
    for (unsigned i = 0; i < 200000; i += 7) {
        snprintf(name, sizeof name, i % 50 == 0 ? "user-with-a-long-name-%08u" : "u%u", i);
        struct zone_build_find found = zone_build_find(s, name, TYPE_A);
        assert_int_equal(found.match.kind, ZONE_HIT);
        assert_int_equal(zone_rrset_wire(found.set)[NODE_RR_HEADER + 3], i % 2 + 1);
    }
    zone_snapshot_unref(s);
    zone_free(a);
    zone_free(b);
    free(f.bytes);
}

/* Users are written with the place of their core among all, so ids that the file cannot hold must
 * not get one: the next would be somebody else's. */
static void core_ids_of_any_length(void **state)
{
    struct zone *z = zone_build(OPTIONS, "core core-a ip=192.0.2.1\n");
    char long_id[400];
    (void)state;
    memset(long_id, 'x', sizeof long_id);
    long_id[300] = '\0';
    assert_int_equal(zone_user_put(z, "first", long_id, NULL), ERR_MALFORMED);
    long_id[299] = '\0';
    assert_int_equal(zone_user_put(z, "second", long_id, NULL), ERR_MALFORMED);
    assert_int_equal(zone_user_put(z, "third", "", NULL), ERR_MALFORMED);
    long_id[WIRE_LABEL_MAX] = '\0';
    assert_int_equal(zone_user_put(z, "fourth", long_id, NULL), ERR_OK);
    assert_int_equal(zone_user_put(z, "fifth", "core-a", NULL), ERR_OK);
    struct file f = save(z, 1);
    struct zone *again = zone_build(OPTIONS, NULL);
    uint64_t revision = 0;
    assert_int_equal(restore(again, f.bytes, f.len, &revision, NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(again, 1);
    char *text = zone_build_text(s, "fifth");
    assert_string_equal(text, "hit\nA 300 192.0.2.1\n");
    free(text);
    zone_snapshot_unref(s);
    zone_free(z);
    zone_free(again);
    free(f.bytes);
}

/* The file has one octet for the length of a core's name elsewhere, whose text may have escapes. */
static void names_of_cores_up_to_the_limit(void **state)
{
    (void)state;
    for (size_t len = 253; len <= 257; len += 4) { /* a dot, and escapes of 4 */
        char cname[258];
        struct zone *z = zone_build(OPTIONS, NULL), *again = zone_build(OPTIONS, NULL);
        for (size_t i = 0; i < len; i++) { /* "\101" is an "e"; 62 of them, and one label more */
            cname[i] = i == 128 ? '.' : "\\101"[(i - (i > 128)) % 4];
        }
        cname[len] = '\0';
        struct zone_core core = {.id = "a", .cname = cname, .available = true};
        enum err e = zone_core_put(z, &core, NULL);
        assert_int_equal(e, len <= UINT8_MAX ? ERR_OK : ERR_MALFORMED);
        struct file f = save(z, 1);
        uint64_t revision = 0;
        assert_int_equal(restore(again, f.bytes, f.len, &revision, NULL), ERR_OK);
        expect_same_digest(z, again);
        zone_free(z);
        zone_free(again);
        free(f.bytes);
    }
}

static void store_ids_up_to_the_limit(void **state)
{
    char id[ZONE_STORE_ID_MAX + 1];
    char read[ZONE_STORE_ID_MAX];
    (void)state;
    memset(id, 'i', sizeof id);
    for (size_t len = ZONE_STORE_ID_MAX - 1; len <= ZONE_STORE_ID_MAX; len++) {
        struct zone *z = zone_build(OPTIONS, NULL), *again = zone_build(OPTIONS, NULL);
        const struct zone_snapshot *s = zone_commit(z, 1);
        struct file f;
        uint64_t revision = 0;
        id[len] = '\0';
        assert_int_equal(zone_save(s, id, &f.bytes, &f.len), ERR_OK);
        enum err e = zone_restore(again, f.bytes, f.len, read, &revision, NULL);
        assert_int_equal(e, len < ZONE_STORE_ID_MAX ? ERR_OK : ERR_MALFORMED);
        if (e == ERR_OK) {
            assert_string_equal(read, id);
        }
        id[len] = 'i';
        zone_snapshot_unref(s);
        zone_free(z);
        zone_free(again);
        free(f.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(into_another_configuration),
        cmocka_unit_test(cores_of_the_file_win_over_founders),
        cmocka_unit_test(a_provisional_zone_is_not_saved),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(of_another_kind),
        cmocka_unit_test(of_other_names_of_users),
        cmocka_unit_test(keys_that_no_user_has),
        cmocka_unit_test(no_name_in_a_file_of_hashed_users),
        cmocka_unit_test(nonsense_with_a_right_checksum),
        cmocka_unit_test(many_users),
        cmocka_unit_test(core_ids_of_any_length),
        cmocka_unit_test(names_of_cores_up_to_the_limit),
        cmocka_unit_test(store_ids_up_to_the_limit),
    };
    return cmocka_run_group_tests_name("zone/savefile", tests, NULL, NULL);
}

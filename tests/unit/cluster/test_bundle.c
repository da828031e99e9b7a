/* cluster/bundle: what was sealed opens with its passphrase, whole and unchanged; every octet of the text
 * counts; the predecessor's bundles open, too. */
#include "cluster/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/err.h>

#include "bundle_fixture.h"
#include "cluster/bundle_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"
#include "memory.h"
#include "openssl_memory.h"

static struct err_info info;

static enum err open_text(const char *text, size_t len, const char *phrase, struct bundle *out)
{
    info = (struct err_info){.text = ""};
    memset(out, 0xa5, sizeof *out);
    enum err e = bundle_open(text, len, phrase, out, &info);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    if (e != ERR_OK) { /* there is nothing to free, and nothing of the bundle */
        static const struct bundle none;
        assert_memory_equal(out, &none, sizeof none);
    }
    return e;
}

static bool opens(const char *text, size_t len)
{
    struct bundle b;
    bool ok = open_text(text, len, BUNDLE_FIXTURE_PHRASE, &b) == ERR_OK;
    bundle_free(&b);
    return ok;
}

/* ---- there and back ------------------------------------------------------------------------ */

static void what_was_sealed_opens(void **state)
{
    static const char first[] = "-----BEGIN DNSD BOOTSTRAP BUNDLE-----\nAg8IA"; /* 2, 15, 8, 1 */
    struct bundle b, again;
    char *text = NULL;
    (void)state;
    bundle_fixture(&b);
    assert_int_equal(bundle_seal(&b, BUNDLE_FIXTURE_PHRASE, &text, NULL), ERR_OK);
    assert_memory_equal(text, first, sizeof first - 1);
    assert_int_equal(open_text(text, strlen(text), BUNDLE_FIXTURE_PHRASE, &again), ERR_OK);
    assert_int_equal(again.version, BUNDLE_VERSION);
    bundle_fixture_same(&b, &again);
    assert_int_equal(bundle_check(&again, BUNDLE_FIXTURE_NOW_MS, NULL), ERR_OK);
    bundle_free(&again);
    /* As somebody might type it. */
    assert_int_equal(open_text(text, strlen(text), "o123 4567 89ab-cdef-ghjk mnpq", &again),
                     ERR_OK);
    bundle_free(&again);
    assert_int_equal(open_text(text, strlen(text), "0123-4567-89AB-CDEF-GHJK-MNPR", &again),
                     ERR_DENIED);
    free(text);
    bundle_free(&b);
}

static void what_may_be_missing_may_be_missing(void **state)
{
    struct bundle b, again;
    char *text = NULL;
    (void)state;
    bundle_fixture(&b);
    char **optional[] = {&b.cluster.domain,
                         &b.node.ip,
                         &b.node.ipv6,
                         &b.node.hosting,
                         &b.node.url,
                         &b.secrets.admin_access_key,
                         &b.secrets.files_read_token_secret,
                         &b.secrets.at_rest_key,
                         &b.secrets.pii_hmac_key,
                         &b.cluster.members[0].ip,
                         &b.cluster.members[0].ipv6};
    json_decref(b.secrets.at_rest_keys);
    b.secrets.at_rest_keys = NULL;
    json_decref(b.config);
    b.config = NULL;
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        free(*optional[i]);
        *optional[i] = NULL;
        text = bundle_fixture_text(&b);
        assert_int_equal(open_text(text, strlen(text), BUNDLE_FIXTURE_PHRASE, &again), ERR_OK);
        bundle_fixture_same(&b, &again);
        bundle_free(&again);
        free(text);
    }
    bundle_free(&b);
}

/* The first key at rest is written alone, too, whoever has filled what in. */
static void the_first_key_at_rest_is_the_key_at_rest(void **state)
{
    struct bundle b, again;
    (void)state;
    bundle_fixture(&b);
    free(b.secrets.at_rest_key);
    b.secrets.at_rest_key = NULL;
    char *text = bundle_fixture_text(&b);
    assert_int_equal(open_text(text, strlen(text), BUNDLE_FIXTURE_PHRASE, &again), ERR_OK);
    assert_string_equal(again.secrets.at_rest_key, "the key at rest");
    assert_int_equal(json_array_size(again.secrets.at_rest_keys), 2);
    free(text);
    bundle_free(&again);
    bundle_free(&b);
}

/* A configuration may have them in any form. */
static void addresses_become_canonical(void **state)
{
    struct bundle b, again;
    (void)state;
    bundle_fixture(&b);
    free(b.node.ipv6);
    b.node.ipv6 = mem_xstrdup("2001:DB8:0:0::0011");
    free(b.cluster.members[1].ipv6);
    b.cluster.members[1].ipv6 = mem_xstrdup("2001:0db8::c");
    char *text = bundle_fixture_text(&b);
    assert_int_equal(open_text(text, strlen(text), BUNDLE_FIXTURE_PHRASE, &again), ERR_OK);
    assert_string_equal(again.node.ipv6, "2001:db8::11");
    assert_string_equal(again.cluster.members[1].ipv6, "2001:db8::c");
    free(text);
    bundle_free(&again);
    bundle_free(&b);
}

static void what_would_not_open_is_not_sealed(void **state)
{
    static const struct {
        const char *says, *id, *hosting;
        int64_t expires_ms;
    } rows[] = {
        {"node.id: must be", "not an id", "h", 1},
        {"node.id: must be", "", "h", 1},
        {"node.hosting: not UTF-8", "core-b", "\xff", 1},
        {"expiresAt: must be after", "core-b", "h", 0},
        {"expiresAt: must be a time", "core-b", "h", INT64_C(253402300800000)}, /* 10000-01-01 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bundle b;
        char *text = NULL;
        bundle_fixture(&b);
        free(b.node.id);
        free(b.node.hosting);
        b.node.id = mem_xstrdup(rows[i].id);
        b.node.hosting = mem_xstrdup(rows[i].hosting);
        b.expires_ms = rows[i].expires_ms == 1 ? b.expires_ms : rows[i].expires_ms;
        info.text[0] = '\0';
        assert_int_equal(bundle_seal(&b, BUNDLE_FIXTURE_PHRASE, &text, &info), ERR_MALFORMED);
        assert_null(text);
        assert_non_null(strstr(info.text, "cannot seal the bundle: "));
        if (strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, info.text, rows[i].says);
        }
        bundle_free(&b);
    }
}

static void a_passphrase_must_be_there_and_bearable(void **state)
{
    char *text = NULL, large[BUNDLE_PASSPHRASE_MAX + 2];
    struct bundle b, again;
    (void)state;
    bundle_fixture(&b);
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(bundle_seal(&b, "", &text, NULL), ERR_MALFORMED);
    assert_int_equal(bundle_seal(&b, " - - ", &text, NULL), ERR_MALFORMED);
    assert_int_equal(bundle_seal(&b, large, &text, NULL), ERR_MALFORMED);
    assert_null(text);
    text = bundle_fixture_text(&b);
    assert_int_equal(open_text(text, strlen(text), "--", &again), ERR_MALFORMED);
    assert_int_equal(open_text(text, strlen(text), large, &again), ERR_MALFORMED);
    free(text);
    bundle_free(&b);
}

static void a_bundle_has_a_largest_size(void **state)
{
    struct bundle b;
    char *text = NULL, *much = calloc(1, 256 * 1024 + 1);
    (void)state;
    bundle_fixture(&b);
    memset(much, 'x', 256 * 1024);
    json_object_set_new(b.config, "much", json_string(much));
    info.text[0] = '\0';
    assert_int_equal(bundle_seal(&b, BUNDLE_FIXTURE_PHRASE, &text, &info), ERR_LIMIT);
    much[250 * 1024] = '\0'; /* and nearly the largest */
    json_object_set_new(b.config, "much", json_string(much));
    assert_int_equal(bundle_seal(&b, BUNDLE_FIXTURE_PHRASE, &text, &info), ERR_OK);
    assert_true(strlen(text) < BUNDLE_TEXT_MAX);
    assert_true(opens(text, strlen(text)));
    free(text);
    free(much);
    bundle_free(&b);
}

/* ---- damage -------------------------------------------------------------------------------- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* All but this is refused: a line's end that becomes other white space says the same, unless a line with a mark
 * ends or begins there. (No single bit makes white space of a line's end; three patterns here do.) */
static bool says_the_same(const char *text, size_t len, size_t at, char now)
{
    const char *body = strchr(text, '\n'), *last = strstr(text, "\n-----END");
    bool ends_a_mark = text + at == body || text + at == last;
    assert_true(body != NULL && last != NULL && at < len);
    return text[at] == '\n' && is_white(now) && !ends_a_mark;
}

#define STEP (TESTS_THREAD_SANITIZED ? 7 : 1) /* octets; of one thread it has nothing to say */

static void every_octet_of_the_text_counts(void **state)
{
    static const uint8_t flips[] = {1, 2, 4, 8, 16, 32, 64, 128, 3, 7, 0x2a, 0xff};
    size_t same = 0, refused[ERR_BUG + 1] = {0};
    struct bundle b, out;
    (void)state;
    bundle_fixture(&b);
    char *text = bundle_fixture_text(&b);
    size_t len = strlen(text);
    for (size_t at = 0; at < len; at += STEP) {
        for (size_t i = 0; i < sizeof flips; i++) {
            char was = text[at], now = (char)(was ^ flips[i]);
            bool expect = says_the_same(text, len, at, now);
            text[at] = now;
            enum err e = open_text(text, len, BUNDLE_FIXTURE_PHRASE, &out);
            text[at] = was;
            if ((e == ERR_OK) != expect) {
                fail_msg("octet %zu, %02x for %02x: %s", at, (uint8_t)now, (uint8_t)was,
                         e == ERR_OK ? "opens" : info.text);
            }
            assert_true(e == ERR_OK || e == ERR_MALFORMED || e == ERR_DENIED || e == ERR_LIMIT);
            refused[e]++;
            same += e == ERR_OK;
            bundle_free(&out);
        }
    }
    /* Not armour; not what was sealed; another version of the envelope. */
    assert_true(refused[ERR_MALFORMED] > len / STEP && refused[ERR_DENIED] > len / STEP);
    assert_true(STEP > 1 || (refused[ERR_LIMIT] > 0 && same > 0 && same <= 3 * (len / 64)));
    assert_true(opens(text, len));
    print_message("%zu octets: %zu changes refused, %zu of white space taken\n", len,
                  refused[ERR_MALFORMED] + refused[ERR_DENIED] + refused[ERR_LIMIT], same);
    free(text);
    bundle_free(&b);
}

static void every_length_of_the_text_counts(void **state)
{
    struct bundle b;
    (void)state;
    bundle_fixture(&b);
    char *text = bundle_fixture_text(&b);
    size_t len = strlen(text);
    for (size_t n = 0; n <= len; n++) {
        char *cut = malloc(n + 1); /* of exactly so many octets, for the sanitizer to see */
        char *exact = realloc(cut, n > 0 ? n : 1);
        memcpy(exact, text, n);
        /* The last octet is the last line's end, which it may do without. */
        assert_int_equal(opens(exact, n), n >= len - 1);
        free(exact);
    }
    free(text);
    bundle_free(&b);
}

/* One line less, one twice, two exchanged: all are found. */
static void every_line_counts(void **state)
{
    struct bundle b;
    (void)state;
    bundle_fixture(&b);
    char *text = bundle_fixture_text(&b);
    size_t len = strlen(text), first = (size_t)(strchr(text, '\n') + 1 - text);
    char *other = calloc(1, 2 * len);
    for (size_t at = first; text[at] != '-'; at += 65) {
        size_t rest = at + 65;
        if (rest >= len || text[rest] == '-') {
            break;
        }
        memcpy(other, text, at);
        strcpy(other + at, text + rest);
        assert_false(opens(other, strlen(other)));
        memcpy(other, text, rest);
        strcpy(other + rest, text + at);
        assert_false(opens(other, strlen(other)));
        if (rest + 64 < len && text[rest + 64] == '\n') {
            strcpy(other, text);
            memcpy(other + at, text + rest, 65);
            memcpy(other + rest, text + at, 65);
            assert_false(opens(other, strlen(other)));
        }
    }
    free(other);
    free(text);
    bundle_free(&b);
}

static void each_failure_has_its_own_sentence(void **state)
{
    struct bundle b, out;
    (void)state;
    bundle_fixture(&b);
    char *good = bundle_fixture_text(&b);
    char *newer = bundle_fixture_seal("{\"version\":5}", 13);
    char *words = bundle_fixture_seal("hello, secret", 13);
    char *list = bundle_fixture_seal("[1]", 3);
    const struct {
        const char *text, *phrase;
        enum err e;
        const char *says;
    } rows[] = {
        {"", "x", ERR_MALFORMED, "this is no bundle"},
        {"a letter\nfrom home\n", "x", ERR_MALFORMED, "this is no bundle"},
        {"-----END DNSD BOOTSTRAP BUNDLE-----", "x", ERR_MALFORMED, "first line is missing"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----\nAgoB", "x", ERR_MALFORMED, "last line is missing"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----\nA*oB\n-----END DNSD BOOTSTRAP BUNDLE-----", "x",
         ERR_MALFORMED, "base64 is broken"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----\nAgoB\n-----END DNSD BOOTSTRAP BUNDLE-----", "x",
         ERR_MALFORMED, "too few"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----\n-----END DNSD BOOTSTRAP BUNDLE-----", "x",
         ERR_MALFORMED, "0 octets are too few"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----\nAwoB\n-----END DNSD BOOTSTRAP BUNDLE-----", "x",
         ERR_LIMIT, "envelope is of version 3"},
        {good, "another", ERR_DENIED, "passphrase is wrong"},
        {newer, BUNDLE_FIXTURE_PHRASE, ERR_LIMIT,
         "made by a newer dnsd: the bundle is of version 5"},
        {words, BUNDLE_FIXTURE_PHRASE, ERR_MALFORMED, "not a JSON object"},
        {list, BUNDLE_FIXTURE_PHRASE, ERR_MALFORMED, "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(open_text(rows[i].text, strlen(rows[i].text), rows[i].phrase, &out),
                         rows[i].e);
        if (strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, info.text, rows[i].says);
        }
        assert_memory_equal(info.text, "cannot open the bundle: ", 24);
        assert_null(strstr(info.text, "secret"));
    }
    free(good);
    free(newer);
    free(words);
    free(list);
    bundle_free(&b);
}

/* ---- made by another program (tests/vectors/bundle/make.py) ------------------------------------ */

#define OLD_PHRASE "aB3d-_x9Z-Q0-l-OI1k-7sTu"
#define ISSUED_MS  INT64_C(1777636800250) /* 2026-05-01T12:00:00.250Z */

static char *vector(const char *name, size_t *len)
{
    char path[512];
    uint8_t *text = NULL;
    const char *source = getenv("DNSD_SOURCE");
    snprintf(path, sizeof path, "%s/tests/vectors/bundle/%s", source != NULL ? source : ".", name);
    assert_int_equal(file_read(path, BUNDLE_TEXT_MAX, &text, len, &info), ERR_OK);
    return (char *)text;
}

static void open_vector(const char *name, const char *phrase, struct bundle *out)
{
    size_t len = 0;
    char *text = vector(name, &len);
    if (open_text(text, len, phrase, out) != ERR_OK) {
        fail_msg("%s: %s", name, info.text);
    }
    free(text);
    assert_int_equal(out->issued_ms, ISSUED_MS);
    assert_string_equal(out->cluster.join_token, "jv_KcXG1n5vXAm3zW4cTj0JQ3kH3r8wZ7pYq2sLd9fE");
    assert_string_equal(out->node.id, "core-b");
    assert_string_equal(out->node.ip, "192.0.2.11");
    assert_string_equal(out->secrets.admin_access_key, "the admin's key");
    assert_string_equal(out->secrets.files_read_token_secret, "the files' secret");
    assert_int_equal(out->rqlite.raft_port, 4002);
    assert_int_equal(out->rqlite.http_port, 4001);
    if (bundle_check(out, ISSUED_MS + 1000, &info) != ERR_OK) {
        fail_msg("%s: %s", name, info.text);
    }
}

static void the_predecessors_open(void **state)
{
    static const struct {
        const char *name, *domain, *url, *hosting, *at_rest_key, *pepper;
        int version;
    } rows[] = {
        {"v1.txt", "example.test", NULL, NULL, NULL, NULL, 1},
        {"v2.txt", "example.test", NULL, "h1", "the key at rest", NULL, 2},
        {"v3.txt", "example.test", NULL, "h1", "the key at rest", "the pepper", 3},
        {"dnsless.txt", NULL, "https://b.example.test/", "h1", "the key at rest", "the pepper", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bundle b;
        open_vector(rows[i].name, OLD_PHRASE, &b);
        const char *const got[] = {b.cluster.domain, b.node.url, b.node.hosting,
                                   b.secrets.at_rest_key, b.secrets.pii_hmac_key};
        const char *const expect[] = {rows[i].domain, rows[i].url, rows[i].hosting,
                                      rows[i].at_rest_key, rows[i].pepper};
        for (size_t k = 0; k < 5; k++) {
            assert_int_equal(got[k] == NULL, expect[k] == NULL);
            assert_true(got[k] == NULL || strcmp(got[k], expect[k]) == 0);
        }
        assert_int_equal(b.version, rows[i].version);
        assert_int_equal(b.expires_ms, 0);
        assert_null(b.cluster.issuer);
        assert_null(b.node.ipv6);
        assert_null(b.config);
        assert_null(b.secrets.at_rest_keys);
        assert_int_equal(b.cluster.members_count + b.cluster.ack_pins_count, 0);
        bundle_free(&b);
    }
}

/* Dashes and letter case are part of the secret there. */
static void the_predecessors_passphrase_is_taken_as_it_is(void **state)
{
    static const char *const others[] = {"aB3d_x9ZQ0lOI1k7sTu", "AB3D-_X9Z-Q0-L-OI1K-7STU",
                                         OLD_PHRASE " ", ""};
    size_t len = 0;
    char *text = vector("v3.txt", &len);
    struct bundle b;
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(open_text(text, len, others[i], &b), ERR_DENIED);
    }
    free(text);
}

static void ours_opens_when_another_wrote_it(void **state)
{
    struct bundle b;
    (void)state;
    open_vector("v4.txt", BUNDLE_FIXTURE_PHRASE, &b);
    assert_int_equal(b.version, 4);
    assert_int_equal(b.expires_ms, ISSUED_MS + INT64_C(86400000));
    assert_string_equal(b.cluster.issuer, "core-a");
    assert_int_equal(b.cluster.ack_pins_count, 1);
    assert_string_equal(b.cluster.ack_pins[0], "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert_int_equal(b.cluster.members_count, 2);
    assert_string_equal(b.cluster.members[0].id, "core-a");
    assert_string_equal(b.cluster.members[0].ip, "192.0.2.10");
    assert_string_equal(b.cluster.members[0].ipv6, "2001:db8::10");
    assert_string_equal(b.cluster.members[1].id, "core-c");
    assert_null(b.cluster.members[1].ip);
    assert_string_equal(b.node.ipv6, "2001:db8::11");
    assert_int_equal(json_array_size(b.secrets.at_rest_keys), 2);
    assert_string_equal(json_string_value(json_array_get(b.secrets.at_rest_keys, 1)),
                        "the one before it");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(b.config, "dns"), "ttl")),
                     60);
    bundle_free(&b);
}

/* ---- memory -------------------------------------------------------------------------------- */

#if TESTS_SANITIZED && !TESTS_THREAD_SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static const char *wanted;
static size_t found;

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
}

static void on_free(const volatile void *p)
{
    if (wanted != NULL && p != NULL) {
        found +=
            memmem((const void *)p, malloc_usable_size((void *)p), wanted, strlen(wanted)) != NULL;
    }
}

/* Each block is looked at when it is given back. */
static void nothing_secret_is_left_behind(void **state)
{
    const char *const secrets[] = {
        "the admin's key",   "the files' secret", "the key at rest",
        "the one before it", "the pepper",        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"};
    struct bundle b;
    (void)state;
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        uint8_t *json = NULL;
        size_t len = 0;
        bundle_fixture(&b);
        wanted = secrets[i];
        found = 0;
        char *probe = mem_xstrdup(wanted); /* the hook sees what it is for */
        free(probe);
        assert_int_equal(found, 1);
        found = 0;
        assert_int_equal(bundle_write(&b, &json, &len, NULL), ERR_OK);
        assert_int_equal(found, 0);
        free(json);
        found = 0;
        bundle_free(&b);
        assert_int_equal(found, 0);
        wanted = NULL;
    }
}
#else
static void nothing_secret_is_left_behind(void **state)
{
    (void)state;
    skip(); /* blocks that are freed are seen by AddressSanitizer only */
}
#endif

static size_t json_left; /* 0: none fails */

static void *json_take(size_t n)
{
    return json_left > 0 && --json_left == 0 ? NULL : malloc(n);
}

static void json_runs_out_of_memory(void **state)
{
    struct bundle b, again;
    uint8_t *json = NULL;
    size_t len = 0, failed = 0, told = 0;
    (void)state;
    json_set_alloc_funcs(json_take, free);
    bundle_fixture(&b);
    assert_int_equal(bundle_write(&b, &json, &len, NULL), ERR_OK);
    for (bool over = false; !over; failed++) {
        uint8_t *other = NULL;
        size_t other_len = 0;
        json_left = failed + 1;
        enum err e = bundle_write(&b, &other, &other_len, NULL);
        over = json_left > 0;
        json_left = 0;
        assert_int_equal(e, over ? ERR_OK : ERR_NOMEM);
        free(other);
    }
    assert_true(failed > 50);
    failed = 0;
    for (bool over = false; !over; failed++) {
        json_left = failed + 1;
        enum err e = bundle_read((const char *)json, len, &again, NULL);
        over = json_left > 0;
        json_left = 0;
        /* When the buffer of a token cannot grow, jansson 2.14 goes on without that character: a wrong token,
         * or another text. Nothing of that is ours to see; what we allocate by it is. */
        assert_true(e == ERR_OK || (!over && (e == ERR_NOMEM || e == ERR_MALFORMED)));
        told += e == ERR_NOMEM;
        bundle_free(&again);
    }
    assert_true(failed > 50 && told > 20);
    json_set_alloc_funcs(malloc, free);
    free(json);
    bundle_free(&b);
}

/* It may call that by another name in the middle of a certificate, but it never says that all is well. Not each
 * allocation in turn: tests of cert/ and of lib/seal_phrase do that. */
static void openssl_runs_out_of_memory(void **state)
{
    struct bundle b, again;
    size_t failed = 0, told = 0;
    (void)state;
    bundle_fixture(&b);
    char *text = bundle_fixture_text(&b);
    for (size_t n = 0;; n += 1 + n / 16) {
        openssl_memory_fail_after(n);
        enum err e = bundle_open(text, strlen(text), BUNDLE_FIXTURE_PHRASE, &again, NULL);
        bool fell = openssl_memory_failed();
        assert_int_equal(ERR_peek_error(), 0);
        if (e == ERR_OK) {
            bundle_fixture_same(&b, &again);
        }
        bundle_free(&again);
        failed += fell;
        told += e == ERR_NOMEM;
        if (!fell) {
            assert_int_equal(e, ERR_OK);
            break;
        }
    }
    assert_true(failed > 50 && told > 10);
    free(text);
    bundle_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(what_may_be_missing_may_be_missing),
        cmocka_unit_test(the_first_key_at_rest_is_the_key_at_rest),
        cmocka_unit_test(addresses_become_canonical),
        cmocka_unit_test(what_would_not_open_is_not_sealed),
        cmocka_unit_test(a_passphrase_must_be_there_and_bearable),
        cmocka_unit_test(a_bundle_has_a_largest_size),
        cmocka_unit_test(every_octet_of_the_text_counts),
        cmocka_unit_test(every_length_of_the_text_counts),
        cmocka_unit_test(every_line_counts),
        cmocka_unit_test(each_failure_has_its_own_sentence),
        cmocka_unit_test(the_predecessors_open),
        cmocka_unit_test(the_predecessors_passphrase_is_taken_as_it_is),
        cmocka_unit_test(ours_opens_when_another_wrote_it),
        cmocka_unit_test(nothing_secret_is_left_behind),
        cmocka_unit_test(json_runs_out_of_memory),
        cmocka_unit_test(openssl_runs_out_of_memory),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

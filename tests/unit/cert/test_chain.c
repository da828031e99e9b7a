/* cert/chain: what is believed of a CA's answer. */
#include "cert/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "openssl_memory.h"
#include "test_chains.h"
#include "test_keys.h"
#include "tls_peer.h"

static struct err_info info;

/* ---- names and dates ----------------------------------------------------------------------- */

#define FROM_MS INT64_C(1800000000000)
#define TO_MS   INT64_C(1807776000000)

static enum err check(const char *const *has, size_t has_count, const char *const *wants,
                      size_t wants_count, int64_t now_ms)
{
    const struct tls_pair_info pair = {
        .names = has, .names_count = has_count, .not_before_ms = FROM_MS, .not_after_ms = TO_MS};
    info = (struct err_info){.text = ""};
    enum err e = cert_chain_check(&pair, wants, wants_count, now_ms, &info);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    return e;
}

static void the_names_are_those_and_only_those(void **state)
{
    static const struct {
        const char *has[3], *wants[3];
        const char *says; /* NULL: nothing */
    } rows[] = {
        {{"a.example"}, {"a.example"}, NULL},
        {{"a.example"}, {"A.Example"}, NULL},
        {{"*.a.example", "a.example"}, {"a.example", "*.a.example"}, NULL},
        {{"a.example", "a.example"}, {"a.example"}, NULL},
        {{"b.example"}, {"a.example"}, "; missing: a.example; too many: b.example"},
        {{"a.example"}, {"a.example", "*.a.example"}, "asked for; missing: *.a.example"},
        {{"a.example", "b.example", "c.example"},
         {"b.example"},
         "asked for; too many: a.example, c.example"},
        /* a wildcard is a name of its own here, whatever it covers */
        {{"*.example"}, {"a.example"}, "; missing: a.example; too many: *.example"},
        {{"a.example.org"}, {"a.example"}, "; missing: a.example; too many: a.example.org"},
        {{NULL}, {"a.example", "b.example"}, "; missing: a.example, b.example"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t has = 0, wants = 0;
        for (; has < 3 && rows[i].has[has] != NULL; has++) {
        }
        for (; wants < 3 && rows[i].wants[wants] != NULL; wants++) {
        }
        enum err e = check(rows[i].has, has, rows[i].wants, wants, FROM_MS);
        assert_int_equal(e, rows[i].says == NULL ? ERR_OK : ERR_CONFLICT);
        if (rows[i].says != NULL) {
            size_t len = strlen(info.text), end = strlen(rows[i].says);
            assert_true(len > end);
            assert_string_equal(info.text + len - end, rows[i].says);
        }
    }
}

/* A hundred names do not fit into the sentence: it says how many are left out. */
static void a_long_list_is_cut(void **state)
{
    static char texts[TLS_PAIR_NAMES_MAX][32], long_name[254];
    const char *names[TLS_PAIR_NAMES_MAX], *one = "a.example";
    (void)state;
    for (size_t i = 0; i < TLS_PAIR_NAMES_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "core-%zu.example", i);
        names[i] = texts[i];
    }
    assert_int_equal(check(&one, 1, names, TLS_PAIR_NAMES_MAX, FROM_MS), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "; missing: core-0.example, core-1.example, "));
    assert_non_null(strstr(info.text, " and 89 more; too many: a.example"));
    assert_int_equal(check(names, TLS_PAIR_NAMES_MAX, names + 50, 1, FROM_MS), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "too many: core-0.example, "));
    assert_null(strstr(info.text, "missing"));
    memset(long_name, 'x', sizeof long_name - 1);
    names[0] = long_name;
    assert_int_equal(check(&one, 1, names, 1, FROM_MS), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "missing: 1 with long names; too many: a.example"));
}

static void it_is_valid_now(void **state)
{
    static const struct {
        int64_t now_ms;
        enum err e;
        const char *says;
    } rows[] = {
        {FROM_MS, ERR_OK, ""},
        {TO_MS, ERR_OK, ""},
        {FROM_MS - CERT_CHAIN_EARLY_MS, ERR_OK, ""},
        {FROM_MS - CERT_CHAIN_EARLY_MS - 1, ERR_DENIED, "not valid before 2027-01-15 08:00:00 UTC"},
        {FROM_MS - CERT_CHAIN_EARLY_MS - 1, ERR_DENIED, "it is 2027-01-15 07:54:59 UTC here"},
        {0, ERR_DENIED, "is the clock right?"},
        {TO_MS + 1, ERR_DENIED, "expired at 2027-04-15 08:00:00 UTC"},
    };
    static const char *const names[] = {"a.example"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(check(names, 1, names, 1, rows[i].now_ms), rows[i].e);
        assert_non_null(strstr(info.text, rows[i].says));
    }
}

/* ---- renewal information ------------------------------------------------------------------- */

static void its_name_in_renewal_information(void **state)
{
    static const struct {
        const char *pem, *id;
        enum err e;
    } rows[] = {
        {CHAIN_LEAF, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", ERR_OK}, /* RFC 9773 §4.1 */
        {CHAIN_LEAF CHAIN_Y1, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", ERR_OK},
        {"words\n" CHAIN_LEAF "words", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", ERR_OK},
        {TEST_KEY_RFC7515 CHAIN_SMALL, "-_8.fw", ERR_OK},
        {CHAIN_WIDE,
         "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ."
         "f_________________________8",
         ERR_OK},
        {CHAIN_BARE CHAIN_LEAF, "before", ERR_NOTFOUND},
        {CHAIN_NO_KEY_ID, "before", ERR_NOTFOUND},
        {CHAIN_LONG, "before", ERR_MALFORMED},
        {"", "before", ERR_MALFORMED},
        {TEST_KEY_RFC7515, "before", ERR_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[CERT_CHAIN_ARI_MAX] = "before";
        info = (struct err_info){.text = ""};
        assert_int_equal(cert_chain_ari_id(rows[i].pem, strlen(rows[i].pem), id, &info), rows[i].e);
        assert_string_equal(id, rows[i].id);
        assert_int_equal(rows[i].e == ERR_OK, info.text[0] == '\0');
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* ---- apart --------------------------------------------------------------------------------- */

static void expect_split(const char *pem, const char *leaf_expected, const char *rest_expected)
{
    char *leaf = NULL, *rest = NULL;
    assert_int_equal(cert_chain_split(pem, strlen(pem), &leaf, &rest, NULL), ERR_OK);
    assert_string_equal(leaf, leaf_expected);
    assert_string_equal(rest, rest_expected);
    free(leaf);
    free(rest);
}

static void a_leaf_and_the_rest(void **state)
{
    (void)state;
    expect_split(CHAIN_LEAF, CHAIN_LEAF, "");
    expect_split(CHAIN_LEAF CHAIN_Y1 CHAIN_CROSS, CHAIN_LEAF, CHAIN_Y1 CHAIN_CROSS);
    expect_split("\n\n" CHAIN_LEAF "\n\nsubject=x\n" CHAIN_Y1 "\n", CHAIN_LEAF, CHAIN_Y1);
}

/* A server that looks for its key in the same file would take it from the CA. */
static void what_is_no_certificate_is_dropped(void **state)
{
    (void)state;
    expect_split(TEST_KEY_RFC7515 CHAIN_LEAF TEST_KEY_RFC7515 CHAIN_Y1 TEST_KEY_RFC7515, CHAIN_LEAF,
                 CHAIN_Y1);
}

static void lines_may_end_as_they_like(void **state)
{
    static char text[4096];
    size_t n = 0;
    (void)state;
    for (const char *c = CHAIN_LEAF CHAIN_Y1; *c != '\0'; c++) {
        if (*c == '\n') {
            text[n++] = '\r';
        }
        text[n++] = *c;
    }
    text[n] = '\0';
    expect_split(text, CHAIN_LEAF, CHAIN_Y1);
    text[n - 2] = '\0'; /* the last line without its end */
    expect_split(text, CHAIN_LEAF, CHAIN_Y1);
}

static void what_is_broken_is_refused(void **state)
{
    static char large[TLS_PAIR_PEM_MAX + 2];
    static const struct {
        const char *pem;
        enum err e;
    } rows[] = {
        {"", ERR_MALFORMED},
        {"words", ERR_MALFORMED},
        {TEST_KEY_RFC7515, ERR_MALFORMED},
        {"-----BEGIN CERTIFICATE-----\n", ERR_MALFORMED},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ERR_MALFORMED},
        {CHAIN_LEAF "-----BEGIN CERTIFICATE-----\nMAAA\n", ERR_MALFORMED},
        {CHAIN_LEAF "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
         ERR_MALFORMED},
        {CHAIN_LEAF "-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----\n",
         ERR_MALFORMED},
        {large, ERR_LIMIT},
    };
    (void)state;
    memset(large, '\n', sizeof large - 1);
    memcpy(large, CHAIN_LEAF, strlen(CHAIN_LEAF));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *leaf = NULL, *rest = NULL;
        info = (struct err_info){.text = ""};
        assert_int_equal(cert_chain_split(rows[i].pem, strlen(rows[i].pem), &leaf, &rest, &info),
                         rows[i].e);
        assert_null(leaf);
        assert_null(rest);
        assert_string_not_equal(info.text, "");
        assert_int_equal(ERR_peek_error(), 0);
    }
    large[TLS_PAIR_PEM_MAX] = '\0';
    expect_split(large, CHAIN_LEAF, "");
}

static void a_chain_has_a_length(void **state)
{
    static char text[16 * 1024], rest_expected[16 * 1024];
    char *leaf = NULL, *rest = NULL;
    (void)state;
    strcpy(text, CHAIN_LEAF);
    for (int i = 1; i < TLS_PAIR_CHAIN_MAX; i++) {
        strcat(text, CHAIN_Y1);
        strcat(rest_expected, CHAIN_Y1);
    }
    expect_split(text, CHAIN_LEAF, rest_expected);
    strcat(text, CHAIN_Y1);
    assert_int_equal(cert_chain_split(text, strlen(text), &leaf, &rest, NULL), ERR_LIMIT);
    assert_false(cert_chain_leads_to(text, strlen(text), "Example Y1"));
    assert_null(leaf);
}

/* A certificate with octets behind its end is none, even if the text around it is whole. */
static void octets_behind_the_end_are_refused(void **state)
{
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    char *leaf = NULL, *rest = NULL;
    uint8_t *der = NULL;
    (void)state;
    int len = i2d_X509(m->x, &der);
    uint8_t *more = OPENSSL_zalloc((size_t)len + 1);
    memcpy(more, der, (size_t)len);
    for (int extra = 0; extra < 2; extra++) {
        char *text;
        BIO *b = BIO_new(BIO_s_mem());
        assert_true(PEM_write_bio(b, PEM_STRING_X509, "", more, len + extra) > 0);
        long text_len = BIO_get_mem_data(b, &text);
        assert_int_equal(cert_chain_split(text, (size_t)text_len, &leaf, &rest, NULL),
                         extra == 0 ? ERR_OK : ERR_MALFORMED);
        BIO_free(b);
    }
    assert_string_equal(leaf, m->cert);
    free(leaf);
    free(rest);
    OPENSSL_free(der);
    OPENSSL_free(more);
    tls_made_free(m);
}

/* ---- where it leads ------------------------------------------------------------------------ */

static void who_is_in_a_chain(void **state)
{
    static const struct {
        const char *pem, *name;
        bool leads;
    } rows[] = {
        {CHAIN_LEAF CHAIN_Y1, "Example Root Y", true}, /* the last one's issuer */
        {CHAIN_LEAF CHAIN_Y1, "Example Y1", true},     /* the last one itself */
        {CHAIN_LEAF CHAIN_Y1, "Example Root X", false},
        {CHAIN_LEAF CHAIN_Y1 CHAIN_CROSS, "Example Root X", true},
        {CHAIN_LEAF CHAIN_Y1 CHAIN_CROSS, "Example Root Y", true}, /* in the middle */
        {CHAIN_LEAF, "Example Y1", true},
        {CHAIN_LEAF CHAIN_Y1, "Example Root", false},
        {CHAIN_LEAF CHAIN_Y1, "Example Root Y ", false},
        {CHAIN_LEAF CHAIN_Y1, "example root y", false},
        {CHAIN_LEAF CHAIN_Y1, "", false},
        {CHAIN_Y1 CHAIN_CROSS, "Example Y1", false}, /* the leaf's own name is not the question */
        {"", "Example Y1", false},
        {"", "", false},
        {CHAIN_LEAF CHAIN_Y1 "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
         "Example Root Y", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cert_chain_leads_to(rows[i].pem, strlen(rows[i].pem), rows[i].name) != rows[i].leads) {
            fail_msg("row %zu", i);
        }
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* ---- TLS-ALPN-01 --------------------------------------------------------------------------- */

static const uint8_t digest[32] = {0xf0, 0x1,  0x2,  0x3,  0x4,  0x5,  0x6,  0x7,  0x8,  0x9,  0xa,
                                   0xb,  0xc,  0xd,  0xe,  0xf,  0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
                                   0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0xff};

/* As a validator looks at it. */
static void expect_acme_identifier(X509 *x)
{
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = X509_get_ext_by_OBJ(x, id, -1);
    assert_true(at >= 0);
    assert_int_equal(X509_get_ext_by_OBJ(x, id, at), -1);
    X509_EXTENSION *ext = X509_get_ext(x, at);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
    assert_int_equal(X509_EXTENSION_get_critical(ext), 1);
    assert_int_equal(ASN1_STRING_length(value), 34);
    assert_memory_equal(ASN1_STRING_get0_data(value), "\x04\x20", 2);
    assert_memory_equal(ASN1_STRING_get0_data(value) + 2, digest, 32);
    ASN1_OBJECT_free(id);
}

static void a_validator_is_shown_the_digest(void **state)
{
    struct tls_pair *pair = NULL;
    (void)state;
    assert_int_equal(cert_chain_alpn01("a.example", digest, FROM_MS, &pair, NULL), ERR_OK);
    const struct tls_pair_info *about = tls_pair_info(pair);
    assert_int_equal(about->names_count, 1);
    assert_string_equal(about->names[0], "a.example");
    assert_true(about->self_signed);
    assert_true(about->not_before_ms < FROM_MS && about->not_after_ms > FROM_MS);
    struct tls_context *context = tls_context_of(&pair, 1, NULL);
    struct tls_conn *c = tls_conn_new(context, TLS_USE_HTTP);
    struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.sni = "a.example"});
    assert_true(tls_peer_run(p, c, SIZE_MAX));
    expect_acme_identifier(SSL_get0_peer_certificate(p->ssl));
    tls_peer_free(p);
    tls_conn_free(c);
    tls_context_unref(context);
    tls_pair_unref(pair);
}

static void it_is_for_one_host(void **state)
{
    static const char *const wrong[] = {"",          "*.a.example", "*",   "a..b",
                                        "192.0.2.1", "2001:db8::1", "a b", "a,DNS:b"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct tls_pair *pair = NULL;
        info = (struct err_info){.text = ""};
        assert_int_equal(cert_chain_alpn01(wrong[i], digest, FROM_MS, &pair, &info), ERR_MALFORMED);
        assert_null(pair);
        assert_string_not_equal(info.text, "");
    }
}

/* ---- memory -------------------------------------------------------------------------------- */

static enum err all_of_it(void)
{
    static const char pem[] = CHAIN_LEAF CHAIN_Y1;
    char id[CERT_CHAIN_ARI_MAX], *leaf = NULL, *rest = NULL;
    struct tls_pair *pair = NULL;
    enum err e = cert_chain_ari_id(pem, sizeof pem - 1, id, NULL);
    e = e == ERR_OK ? cert_chain_split(pem, sizeof pem - 1, &leaf, &rest, NULL) : e;
    e = e == ERR_OK ? cert_chain_alpn01("a.example", digest, FROM_MS, &pair, NULL) : e;
    free(leaf);
    free(rest);
    tls_pair_unref(pair);
    return e;
}

/* OpenSSL gets over some failures, and calls others by another name. Nearly all allocations are within
 * it, so not each is tried. */
static void memory_runs_out(void **state)
{
    unsigned told = 0, failed = 0;
    (void)state;
    assert_int_equal(all_of_it(), ERR_OK);
    for (size_t n = 0;; n += 1 + n / 100) {
        openssl_memory_fail_after(n);
        enum err e = all_of_it();
        if (!openssl_memory_failed()) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
        assert_int_not_equal(e, ERR_NOTFOUND); /* "it has no identifier" would be a lie */
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_true(failed > 200 && told > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_names_are_those_and_only_those),
        cmocka_unit_test(a_long_list_is_cut),
        cmocka_unit_test(it_is_valid_now),
        cmocka_unit_test(its_name_in_renewal_information),
        cmocka_unit_test(a_leaf_and_the_rest),
        cmocka_unit_test(what_is_no_certificate_is_dropped),
        cmocka_unit_test(lines_may_end_as_they_like),
        cmocka_unit_test(what_is_broken_is_refused),
        cmocka_unit_test(a_chain_has_a_length),
        cmocka_unit_test(octets_behind_the_end_are_refused),
        cmocka_unit_test(who_is_in_a_chain),
        cmocka_unit_test(a_validator_is_shown_the_digest),
        cmocka_unit_test(it_is_for_one_host),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

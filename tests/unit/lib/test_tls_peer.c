/* lib/tls_peer: what is told of the other end's certificate. */
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
#include "tls_peer.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define MAKE(...) tls_make(&(struct tls_make){__VA_ARGS__})

static struct tls_made *ca;
static struct tls_context *context;
static struct tls_conn *conn;
static struct tls_caller *p;

static int make_all(void **state)
{
    struct tls_pair *pair = tls_pair_for("DNS:server.example", "server");
    (void)state;
    ca = MAKE(.subject = "cluster", .ca = true);
    const struct tls_context_options o = {
        .pairs = &pair, .pairs_count = 1, .client_ca = ca->cert, .client_ca_len = strlen(ca->cert)};
    assert_int_equal(tls_context_new(&o, &context, NULL), ERR_OK);
    tls_pair_unref(pair);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    tls_context_unref(context);
    tls_made_free(ca);
    return 0;
}

/* M, signed again after it was changed, is shown to the server. */
static void show(struct tls_made *m, int version)
{
    assert_true(X509_sign(m->x, ca->key, EVP_sha256()) > 0);
    tls_made_write(m);
    conn = tls_conn_new(context, TLS_USE_PLAIN);
    p = tls_peer_new(&(struct tls_peer_options){.version = version, .cert = m});
    (void)tls_peer_run(p, conn, SIZE_MAX);
    assert_string_equal(tls_conn_failure(conn), "");
    assert_int_equal(tls_conn_state(conn), TLS_OPEN);
}

static void part(void)
{
    tls_conn_free(conn);
    tls_peer_free(p);
}

/* ---- names --------------------------------------------------------------------------------- */

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static void names_that_are_none(void **state)
{
    static const struct {
        int type;
        const char *bytes;
        int len;
        const char *name;
    } rows[] = {
        {V_ASN1_UTF8STRING, "core-b", 6, "core-b"},
        {V_ASN1_UTF8STRING, "k\xc3\xb6ln", 5, "k\xc3\xb6ln"},
        {V_ASN1_T61STRING, "k\xf6ln", 4, "k\xc3\xb6ln"},
        {V_ASN1_BMPSTRING, "\0b\x20\xac", 4, "b\xe2\x82\xac"},
        {V_ASN1_UTF8STRING, "core-a\0.evil", 12, ""},
        {V_ASN1_UTF8STRING, "core-a\n", 7, ""},
        {V_ASN1_UTF8STRING, "core-a\x7f", 7, ""},
        {V_ASN1_UTF8STRING, "", 0, ""},
        {V_ASN1_UTF8STRING, X60 X60 X60 X60 X10 "xxxxx", 255, X60 X60 X60 X60 X10 "xxxxx"},
        {V_ASN1_UTF8STRING, X60 X60 X60 X60 X10 "xxxxxx", 256, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_peer who;
        struct tls_made *m = MAKE(.issuer = ca);
        X509_NAME *subject = X509_get_subject_name(m->x);
        ASN1_STRING *text = ASN1_STRING_type_new(rows[i].type);
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
        assert_int_equal(ASN1_STRING_set(text, rows[i].bytes, rows[i].len), 1);
        X509_NAME_ENTRY *entry =
            X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, rows[i].type, NULL, 0);
        assert_int_equal(ASN1_STRING_copy(X509_NAME_ENTRY_get_data(entry), text), 1);
        assert_int_equal(X509_NAME_add_entry(subject, entry, -1, 0), 1);
        X509_NAME_ENTRY_free(entry);
        ASN1_STRING_free(text);
        show(m, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
        assert_true(tls_conn_peer(conn, &who));
        assert_string_equal(who.name, rows[i].name);
        assert_int_equal(ERR_peek_error(), 0);
        part();
        tls_made_free(m);
    }
}

/* Which of two is meant, nobody knows; and other kinds of names are not common ones. */
static void several_names(void **state)
{
    struct tls_peer who;
    struct tls_made *m = MAKE(.issuer = ca, .subject = "core-a");
    X509_NAME *subject = X509_get_subject_name(m->x);
    (void)state;
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                                                (const unsigned char *)"core-b", -1, 0, 0),
                     1);
    show(m, TLS1_3_VERSION);
    assert_true(tls_conn_peer(conn, &who));
    assert_string_equal(who.name, "core-a");
    part();
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"core-b", -1, 0, 0),
                     1);
    show(m, TLS1_3_VERSION);
    assert_true(tls_conn_peer(conn, &who));
    assert_string_equal(who.name, "");
    part();
    for (int i; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)) >= 0;) {
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, i));
    }
    show(m, TLS1_3_VERSION);
    assert_true(tls_conn_peer(conn, &who));
    assert_string_equal(who.name, "");
    part();
    tls_made_free(m);
}

/* ---- numbers ------------------------------------------------------------------------------- */

static void serial_numbers(void **state)
{
    static const struct {
        const char *hex; /* as BN_hex2bn() reads it */
        const char *serial;
    } rows[] = {
        {"0a", "0a"},
        {"0", "00"},
        {"ABCDEF", "abcdef"},
        {"ffffffffffffffffffffffffffffffffffffffff", "ffffffffffffffffffffffffffffffffffffffff"},
        {"100000000000000000000000000000000000000000", NULL}, /* RFC 5280 §4.1.2.2: 20 octets */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_peer who;
        struct tls_made *m = MAKE(.issuer = ca);
        BIGNUM *n = NULL;
        assert_true(BN_hex2bn(&n, rows[i].hex) > 0);
        assert_non_null(BN_to_ASN1_INTEGER(n, X509_get_serialNumber(m->x)));
        BN_free(n);
        show(m, TLS1_3_VERSION);
        assert_int_equal(tls_conn_peer(conn, &who), rows[i].serial != NULL);
        if (rows[i].serial != NULL) {
            assert_string_equal(who.serial, rows[i].serial);
        }
        part();
        tls_made_free(m);
    }
}

/* ---- when ---------------------------------------------------------------------------------- */

/* The certificate is there some time before it is known that its key is, too. */
static void not_before_the_handshake_is_over(void **state)
{
    struct tls_peer who;
    struct tls_made *m = MAKE(.issuer = ca, .subject = "core-b");
    uint8_t octet;
    const uint8_t *out;
    (void)state;
    assert_true(X509_sign(m->x, ca->key, EVP_sha256()) > 0);
    tls_made_write(m);
    conn = tls_conn_new(context, TLS_USE_PLAIN);
    p = tls_peer_new(&(struct tls_peer_options){.version = TLS1_2_VERSION, .cert = m});
    for (int i = 0; i < 9000 && tls_conn_state(conn) == TLS_HANDSHAKE; i++) {
        assert_false(tls_conn_peer(conn, &who));
        (void)SSL_do_handshake(p->ssl);
        if (BIO_read(p->out, &octet, 1) == 1) {
            assert_int_equal(tls_conn_feed(conn, &octet, 1), ERR_OK);
        }
        size_t n = tls_conn_out(conn, &out);
        BIO_write(p->in, out, (int)n);
        tls_conn_sent(conn, n);
    }
    assert_true(tls_conn_peer(conn, &who));
    part();
    tls_made_free(m);
}

static void before_and_after(void **state)
{
    struct tls_peer who;
    struct tls_made *m = MAKE(.issuer = ca, .subject = "core-b");
    uint8_t text[16];
    (void)state;
    conn = tls_conn_new(context, TLS_USE_PLAIN);
    assert_false(tls_conn_peer(conn, &who));
    tls_conn_free(conn);
    show(m, TLS1_3_VERSION);
    assert_true(tls_conn_peer(conn, &who));
    assert_int_equal(SSL_shutdown(p->ssl), 0);
    assert_true(tls_peer_run(p, conn, SIZE_MAX));
    assert_int_equal(tls_conn_read(conn, text, sizeof text), 0);
    assert_int_equal(tls_conn_state(conn), TLS_ENDED);
    assert_true(tls_conn_peer(conn, &who)); /* what was said before is still to be done */
    assert_string_equal(who.name, "core-b");
    part();
    show(m, TLS1_3_VERSION);
    assert_int_equal(tls_conn_feed(conn, "\x17\x03\x03\x00\x01x", 6), ERR_OK);
    assert_int_equal(tls_conn_read(conn, text, sizeof text), 0);
    assert_int_equal(tls_conn_state(conn), TLS_FAILED);
    assert_false(tls_conn_peer(conn, &who));
    part();
    tls_made_free(m);
}

/* It is nobody's rather than another's. */
static void memory_runs_out(void **state)
{
    struct tls_made *m = MAKE(.issuer = ca, .subject = "core-b");
    size_t n = 0;
    (void)state;
    show(m, TLS1_3_VERSION);
    for (bool failed = true; failed; n++) {
        struct tls_peer who = {.name = "x"};
        openssl_memory_fail_after(n);
        bool known = tls_conn_peer(conn, &who);
        failed = openssl_memory_failed();
        assert_true(known || failed);
        assert_true(strcmp(who.name, "core-b") == 0 || who.name[0] == '\0');
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_true(n > 1);
    part();
    tls_made_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_none), cmocka_unit_test(several_names),
        cmocka_unit_test(serial_numbers),      cmocka_unit_test(not_before_the_handshake_is_over),
        cmocka_unit_test(before_and_after),    cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, make_all, free_all);
}

/* lib/tls_client: whom a client believes, by what name, and what it shows. The server is ours, or
 * OpenSSL's where it must be one that ours would not be. */
#include "lib/tls_client.h"

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
#define DAY_S     86400

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static struct tls_made *ca, *other, *server, *node;
static struct tls_pair *server_pair, *node_pair;

static int make_all(void **state)
{
    (void)state;
    ca = MAKE(.subject = "cluster", .ca = true);
    other = MAKE(.subject = "other", .ca = true);
    server = MAKE(.subject = "core-a", .issuer = ca, .purpose = "serverAuth,clientAuth",
                  .names = "DNS:core-a.example,DNS:*.wild.example,IP:192.0.2.1,IP:2001:db8::1");
    node = MAKE(.subject = "core-b", .issuer = ca, .purpose = "serverAuth,clientAuth",
                .names = "DNS:core-b.example");
    server_pair = tls_pair_of(server);
    node_pair = tls_pair_of(node);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    tls_pair_unref(server_pair);
    tls_pair_unref(node_pair);
    tls_made_free(ca);
    tls_made_free(other);
    tls_made_free(server);
    tls_made_free(node);
    return 0;
}

static struct tls_client *client_of(const struct tls_made *authority, struct tls_pair *pair)
{
    struct tls_client *c = NULL;
    struct err_info info = {.text = ""};
    if (tls_client_new(authority->cert, strlen(authority->cert), pair, &c, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return c;
}

static struct tls_context *context_of(bool must)
{
    struct tls_context *c = NULL;
    const struct tls_context_options o = {.pairs = &server_pair,
                                          .pairs_count = 1,
                                          .client_ca = ca->cert,
                                          .client_ca_len = strlen(ca->cert),
                                          .client_must = must};
    assert_int_equal(tls_context_new(&o, &c, NULL), ERR_OK);
    return c;
}

/* ---- two of ours --------------------------------------------------------------------------- */

static struct tls_conn *near, *far; /* the client's and the server's */

static bool move(struct tls_conn *from, struct tls_conn *to, size_t step)
{
    const uint8_t *out;
    bool moved = false;
    for (size_t n; (n = tls_conn_out(from, &out)) > 0; moved = true) {
        n = n < step ? n : step;
        assert_int_equal(tls_conn_feed(to, out, n), ERR_OK);
        tls_conn_sent(from, n);
    }
    return moved;
}

static void run(size_t step)
{
    bool moved;
    do {
        moved = move(near, far, step);
        moved = move(far, near, step) || moved;
    } while (moved);
}

static void meet(struct tls_client *c, struct tls_context *s, const char *name, size_t step)
{
    near = tls_conn_dial(c, name);
    far = tls_conn_new(s, TLS_USE_PLAIN);
    assert_true(near != NULL && far != NULL);
    run(step);
}

static void part(void)
{
    tls_conn_free(near);
    tls_conn_free(far);
}

static void expect_said(struct tls_conn *from, struct tls_conn *to, const char *text)
{
    char heard[64];
    assert_int_equal(tls_conn_write(from, text, strlen(text)), ERR_OK);
    move(from, to, 3);
    size_t n = tls_conn_read(to, heard, sizeof heard - 1);
    heard[n] = '\0';
    assert_string_equal(heard, text);
}

static void expect_peer(struct tls_conn *c, const char *name, const struct tls_pair *pair)
{
    struct tls_peer who;
    assert_true(tls_conn_peer(c, &who));
    assert_string_equal(who.name, name);
    assert_string_equal(who.serial, tls_pair_info(pair)->serial);
    assert_string_equal(who.sha256, tls_pair_info(pair)->sha256);
    assert_int_equal(who.not_after_ms, tls_pair_info(pair)->not_after_ms);
}

static void each_sees_the_other(void **state)
{
    static const size_t steps[] = {1, 100, SIZE_MAX};
    struct tls_client *c = client_of(ca, node_pair);
    struct tls_context *s = context_of(true);
    const uint8_t *out;
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        meet(c, s, "core-a.example", steps[i]);
        assert_int_equal(tls_conn_state(near), TLS_OPEN);
        assert_int_equal(tls_conn_state(far), TLS_OPEN);
        assert_string_equal(tls_conn_version(near), "TLSv1.3");
        expect_peer(near, "core-a", server_pair);
        expect_peer(far, "core-b", node_pair);
        expect_said(near, far, "append these entries");
        expect_said(far, near, "so be it");
        assert_false(tls_conn_resumed(near) || tls_conn_resumed(far));
        tls_conn_end(near);
        run(SIZE_MAX);
        char none[1];
        assert_int_equal(tls_conn_read(far, none, 1), 0);
        assert_int_equal(tls_conn_state(far), TLS_ENDED);
        expect_peer(far, "core-b", node_pair);
        tls_conn_end(far);
        run(SIZE_MAX);
        assert_int_equal(tls_conn_read(near, none, 1), 0);
        assert_int_equal(tls_conn_state(near), TLS_ENDED);
        assert_int_equal(tls_conn_out(near, &out), 0);
        part();
    }
    tls_client_unref(c);
    tls_context_unref(s);
}

/* The client is open before it is refused, and is told when it reads. */
static void a_client_that_is_refused(void **state)
{
    struct tls_made *stranger = MAKE(.issuer = other, .names = "DNS:core-b.example");
    struct tls_pair *pair = tls_pair_of(stranger);
    struct tls_client *clients[] = {client_of(ca, NULL), client_of(ca, pair)};
    static const char *const words[] = {"no certificate was shown",
                                        "the certificate is signed by somebody else"};
    static const char *const told[] = {"tlsv13 alert certificate required",
                                       "tlsv1 alert unknown ca"};
    struct tls_context *s = context_of(true);
    char none[1];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        meet(clients[i], s, "core-a.example", SIZE_MAX);
        assert_int_equal(tls_conn_state(far), TLS_FAILED);
        assert_string_equal(tls_conn_failure(far), words[i]);
        assert_int_equal(tls_conn_state(near), TLS_OPEN);
        assert_int_equal(tls_conn_read(near, none, 1), 0);
        assert_int_equal(tls_conn_state(near), TLS_FAILED);
        assert_string_equal(tls_conn_failure(near), told[i]);
        struct tls_peer who;
        assert_false(tls_conn_peer(near, &who) || tls_conn_peer(far, &who));
        part();
        tls_client_unref(clients[i]);
    }
    tls_context_unref(s);
    tls_pair_unref(pair);
    tls_made_free(stranger);
}

/* ---- names --------------------------------------------------------------------------------- */

static void the_name_must_be_the_servers(void **state)
{
    static const char other_name[] = "the certificate is for another name";
    static const char none[] = "this is no name to ask for";
    static char longest[255], longer[256];
    static const struct {
        const char *name, *failure;
    } rows[] = {
        {NULL, ""},
        {"core-a.example", ""},
        {"CORE-A.example", ""},
        {"core-a.example.", ""},
        {"a.wild.example", ""},
        {"192.0.2.1", ""},
        {"2001:db8::1", ""},
        {"2001:DB8:0:0::1", ""},
        {"core-a", other_name}, /* its common name */
        {"core-b.example", other_name},
        {"example", other_name},
        {"a.b.wild.example", other_name},
        {"wild.example", other_name},
        {"192.0.2.2", other_name},
        {"2001:db8::2", other_name},
        {"", none},
        {".", none},
        {".example", none}, /* to OpenSSL all of a domain */
        {"core-a.example..", none},
        {"core-a..example", none},
        {"core-a.example\n", none},
        {"*.wild.example", none},
        {"192.0.2.1:443", none},
        {"fe80::1%lo", none},
        {longest, other_name},
        {longer, none},
    };
    struct tls_client *c = client_of(ca, node_pair);
    struct tls_context *s = context_of(true);
    const uint8_t *out;
    (void)state;
    for (size_t i = 0; i < sizeof longer - 1; i++) {
        longer[i] = i % 50 == 49 ? '.' : 'x';
    }
    longer[254] = '\0';
    memcpy(longest, longer, 253);
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool sends = rows[i].failure != none;
        near = tls_conn_dial(c, rows[i].name);
        far = tls_conn_new(s, TLS_USE_PLAIN);
        assert_int_equal(tls_conn_out(near, &out) > 0, sends); /* at once */
        assert_int_equal(tls_conn_state(near), sends ? TLS_HANDSHAKE : TLS_FAILED);
        run(SIZE_MAX);
        assert_string_equal(tls_conn_failure(near), rows[i].failure);
        assert_int_equal(tls_conn_state(near), rows[i].failure[0] == '\0' ? TLS_OPEN : TLS_FAILED);
        part();
    }
    tls_client_unref(c);
    tls_context_unref(s);
}

/* RFC 6066 §3: a host name is told to the server, without the dot at its end; an address is not. */
static void what_is_asked_for(void **state)
{
    struct tls_made *second = MAKE(.subject = "second", .issuer = ca,
                                   .names = "DNS:b.example,"
                                            "IP:192.0.2.7");
    struct tls_pair *pairs[] = {server_pair, tls_pair_of(second)};
    struct tls_context *s = tls_context_of(pairs, 2, NULL);
    struct tls_client *c = client_of(ca, NULL);
    static const struct {
        const char *name, *shown;
    } rows[] = {{"b.example.", "second"}, {"core-a.example", "core-a"}, {"192.0.2.1", "core-a"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_peer who;
        meet(c, s, rows[i].name, SIZE_MAX);
        assert_true(tls_conn_peer(near, &who));
        assert_string_equal(who.name, rows[i].shown);
        assert_false(tls_conn_peer(far, &who));
        part();
    }
    meet(c, s, "192.0.2.7", SIZE_MAX); /* the first was shown */
    assert_string_equal(tls_conn_failure(near), "the certificate is for another name");
    part();
    tls_client_unref(c);
    tls_context_unref(s);
    tls_pair_unref(pairs[1]);
    tls_made_free(second);
}

/* ---- servers of another make --------------------------------------------------------------- */

/* OpenSSL's server with M; returns why the client has failed, "" if it is open. */
static const char *served_by(struct tls_client *c, const struct tls_made *m, int version,
                             const char *suites)
{
    static char failure[128];
    uint8_t bytes[16384];
    const uint8_t *out;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, to);
    SSL_set_min_proto_version(ssl, version);
    SSL_set_max_proto_version(ssl, version);
    assert_true(suites == NULL || SSL_set_cipher_list(ssl, suites) == 1);
    tls_made_use(m, ssl);
    near = tls_conn_dial(c, "core-a.example");
    assert_non_null(near);
    for (int turn = 0; turn < 6; turn++) {
        size_t n = tls_conn_out(near, &out);
        BIO_write(in, out, (int)n);
        tls_conn_sent(near, n);
        (void)SSL_accept(ssl);
        ERR_clear_error();
        int len = BIO_read(to, bytes, sizeof bytes);
        assert_int_equal(tls_conn_feed(near, bytes, len > 0 ? (size_t)len : 0), ERR_OK);
    }
    if (tls_conn_state(near) == TLS_OPEN) { /* tickets came, too, and are nothing to be read */
        assert_int_equal(tls_conn_read(near, bytes, sizeof bytes), 0);
        assert_int_equal(SSL_write(ssl, "hello", 5), 5);
        int len = BIO_read(to, bytes, sizeof bytes);
        assert_int_equal(tls_conn_feed(near, bytes, (size_t)len), ERR_OK);
        assert_int_equal(tls_conn_read(near, bytes, sizeof bytes), 5);
    }
    snprintf(failure, sizeof failure, "%s", tls_conn_failure(near));
    assert_int_equal(failure[0] == '\0', tls_conn_state(near) == TLS_OPEN);
    tls_conn_free(near);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return failure;
}

static void whom_a_client_believes(void **state)
{
    static const char names[] = "DNS:core-a.example";
    struct tls_made *between = MAKE(.subject = "between", .ca = true, .issuer = ca);
    struct {
        struct tls_made *m;
        const char *failure;
    } rows[] = {
        {MAKE(.issuer = ca, .names = names), ""},
        {MAKE(.issuer = ca, .names = names, .key = "RSA 2048"), ""},
        {MAKE(.issuer = between, .names = names), ""}, /* with the one between behind it */
        {MAKE(.issuer = between, .names = names), "the certificate is signed by somebody else"},
        {MAKE(.issuer = other, .names = names), "the certificate is signed by somebody else"},
        {MAKE(.names = names), "the certificate is signed by somebody else"},
        {MAKE(.issuer = ca, .names = names, .from_s = -DAY_S, .to_s = -1),
         "the certificate has expired"},
        {MAKE(.issuer = ca, .names = names, .from_s = 60, .to_s = DAY_S),
         "the certificate is not valid yet"},
        {MAKE(.issuer = ca, .names = names, .purpose = "clientAuth"),
         "the certificate is for another purpose"},
        {MAKE(.issuer = ca, .subject = "core-a.example"), "the certificate is for another name"},
        {MAKE(.issuer = ca, .names = names, .key = "RSA 1024"), "EE certificate key too weak"},
    };
    struct tls_client *c = client_of(ca, node_pair);
    (void)state;
    tls_made_append(rows[2].m, between);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        assert_string_equal(served_by(c, rows[i / 2].m, versions[i % 2], NULL),
                            rows[i / 2].failure);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        tls_made_free(rows[i].m);
    }
    tls_made_free(between);
    tls_client_unref(c);
}

static void a_chain_without_end(void **state)
{
    struct tls_made *m = MAKE(.issuer = ca, .names = "DNS:core-a.example");
    struct tls_client *c = client_of(ca, NULL);
    (void)state;
    while (strlen(m->cert) * 3 / 4 < TLS_PEER_CHAIN_MAX * 5 / 4) { /* base64 */
        tls_made_append(m, other);
    }
    for (size_t v = 0; v < COUNT(versions); v++) {
        assert_string_equal(served_by(c, m, versions[v], NULL), "excessive message size");
    }
    tls_made_free(m);
    tls_client_unref(c);
}

static void what_is_too_old_is_refused(void **state)
{
    struct tls_client *c = client_of(ca, NULL);
    struct tls_made *m = MAKE(.issuer = ca, .names = "DNS:core-a.example", .key = "RSA 2048");
    (void)state;
    assert_string_not_equal(served_by(c, m, TLS1_1_VERSION, "ALL:@SECLEVEL=0"), "");
    assert_string_not_equal(served_by(c, m, TLS1_2_VERSION, "AES128-GCM-SHA256"), "");
    assert_string_not_equal(served_by(c, m, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256"), "");
    assert_string_equal(served_by(c, m, TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256"), "");
    tls_made_free(m);
    tls_client_unref(c);
}

static void a_server_that_does_not_speak_tls(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03\x00\x02\x02\x28",
        "\x16\x03\x03\x00\x04\x02\xff\xff\xff", "\x16\x03\x03\xff\xff"};
    static const size_t lens[] = {28, 7, 9, 5};
    struct tls_client *c = client_of(ca, NULL);
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        near = tls_conn_dial(c, NULL);
        assert_int_equal(tls_conn_feed(near, texts[i], lens[i]), ERR_OK);
        assert_int_equal(tls_conn_state(near), TLS_FAILED);
        assert_string_not_equal(tls_conn_failure(near), "");
        assert_int_equal(tls_conn_write(near, "x", 1), ERR_UNAVAIL);
        assert_int_equal(ERR_peek_error(), 0);
        tls_conn_free(near);
    }
    tls_client_unref(c);
}

/* ---- what a client is made of -------------------------------------------------------------- */

static void texts_that_are_no_authority(void **state)
{
    struct tls_client *c = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(tls_client_new("", 0, NULL, &c, &info), ERR_MALFORMED);
    assert_int_equal(tls_client_new("nothing", 7, node_pair, &c, &info), ERR_MALFORMED);
    assert_int_equal(tls_client_new(node->cert, strlen(node->cert), NULL, &c, &info),
                     ERR_MALFORMED);
    assert_string_equal(info.text, "certificate 1 is not a CA's (basicConstraints)");
    assert_null(c);
}

/* A connection keeps what it began with. */
static void a_client_that_is_let_go(void **state)
{
    struct tls_client *c = client_of(ca, node_pair);
    struct tls_context *s = context_of(true);
    (void)state;
    near = tls_conn_dial(c, "core-a.example");
    far = tls_conn_new(s, TLS_USE_PLAIN);
    tls_client_unref(tls_client_ref(c));
    tls_client_unref(c);
    tls_context_unref(s);
    tls_client_unref(NULL);
    run(SIZE_MAX);
    assert_int_equal(tls_conn_state(far), TLS_OPEN);
    expect_said(near, far, "hello");
    part();
}

/* All of it with each allocation failing in turn. False: it did not come to an open connection. */
static bool live(struct tls_context *s)
{
    struct tls_client *c = NULL;
    struct tls_peer who = {.name = ""};
    enum err e = tls_client_new(ca->cert, strlen(ca->cert), node_pair, &c, NULL);
    assert_true(e == ERR_OK || e == ERR_NOMEM || e == ERR_IO || e == ERR_MALFORMED);
    near = e == ERR_OK ? tls_conn_dial(c, "core-a.example") : NULL;
    far = tls_conn_new(s, TLS_USE_PLAIN);
    bool well = near != NULL && far != NULL;
    for (int turn = 0; well && turn < 3; turn++) {
        const uint8_t *out;
        size_t n = tls_conn_out(near, &out);
        well = tls_conn_feed(far, out, n) == ERR_OK;
        tls_conn_sent(near, n);
        n = tls_conn_out(far, &out);
        well = well && tls_conn_feed(near, out, n) == ERR_OK;
        tls_conn_sent(far, n);
    }
    well = well && tls_conn_state(near) == TLS_OPEN && tls_conn_state(far) == TLS_OPEN &&
           tls_conn_peer(far, &who);
    if (near != NULL) {
        enum tls_state state = tls_conn_state(near);
        assert_int_equal(state == TLS_FAILED, tls_conn_failure(near)[0] != '\0');
    }
    assert_true(!well || strcmp(who.name, "core-b") == 0);
    part();
    tls_client_unref(c);
    assert_int_equal(ERR_peek_error(), 0);
    return well;
}

static void memory_runs_out(void **state)
{
    struct tls_context *s = context_of(true);
    unsigned ended = 0;
    (void)state;
    for (size_t n = 0;; n += 1 + n / 100) {
        openssl_memory_fail_after(n);
        bool well = live(s);
        if (!openssl_memory_failed()) {
            assert_true(well);
            break;
        }
        ended += !well;
    }
    assert_true(ended > 100);
    tls_context_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sees_the_other),
        cmocka_unit_test(a_client_that_is_refused),
        cmocka_unit_test(the_name_must_be_the_servers),
        cmocka_unit_test(what_is_asked_for),
        cmocka_unit_test(whom_a_client_believes),
        cmocka_unit_test(a_chain_without_end),
        cmocka_unit_test(what_is_too_old_is_refused),
        cmocka_unit_test(a_server_that_does_not_speak_tls),
        cmocka_unit_test(texts_that_are_no_authority),
        cmocka_unit_test(a_client_that_is_let_go),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, make_all, free_all);
}

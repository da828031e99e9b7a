/* lib/tls_trust, and what lib/tls_context makes of it: whose certificates a server takes, and what it says of
 * the others. The client is OpenSSL's, which shows whatever it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "openssl_memory.h"
#include "tls_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_S    86400

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

enum who {
    NOBODY,
    GOOD,
    ANY_PURPOSE,
    OTHER_CA,
    SAME_NAME, /* of a CA that is called like ours */
    TAMPERED,  /* says that it is by ours, key and all, but is not */
    SELF,
    EXPIRED,
    EARLY,
    FOR_SERVERS,
    WITH_RSA,
    WEAK, /* RSA 1024 */
    UNDER,
    ORPHAN, /* as UNDER, but its issuer is not shown */
    DEEP,   /* four intermediates */
    DEEPER,
    OF_A_LEAF,
    OLD_ISSUER, /* signed by an intermediate that has expired */
    WHO_COUNT
};
static struct tls_made *made[WHO_COUNT];
static struct tls_made *ca, *other, *twin;
static struct tls_made *between[6]; /* the first is by the CA, each other by the one before */
static struct tls_made *old;
static struct tls_pair *pair;

#define MAKE(...) tls_make(&(struct tls_make){__VA_ARGS__})

static int make_all(void **state)
{
    char name[16];
    (void)state;
    ca = MAKE(.subject = "cluster", .ca = true);
    other = MAKE(.subject = "other", .ca = true);
    twin = MAKE(.subject = "cluster", .ca = true);
    for (size_t i = 0; i < COUNT(between); i++) {
        snprintf(name, sizeof name, "between-%zu", i);
        between[i] = MAKE(.subject = name, .ca = true, .issuer = i == 0 ? ca : between[i - 1]);
    }
    old = MAKE(.subject = "old", .ca = true, .issuer = ca, .from_s = -2 * DAY_S, .to_s = -DAY_S);
    made[GOOD] = MAKE(.subject = "core-b", .issuer = ca, .names = "DNS:core-b.example",
                      .purpose = "serverAuth,clientAuth");
    made[ANY_PURPOSE] = MAKE(.subject = "plain", .issuer = ca);
    made[OTHER_CA] = MAKE(.subject = "stranger", .issuer = other);
    made[SAME_NAME] = MAKE(.subject = "twin", .issuer = twin);
    made[TAMPERED] = MAKE(.subject = "tampered", .issuer = ca);
    assert_true(X509_sign(made[TAMPERED]->x, other->key, EVP_sha256()) > 0);
    tls_made_write(made[TAMPERED]);
    made[SELF] = MAKE(.subject = "self");
    made[EXPIRED] = MAKE(.issuer = ca, .from_s = -2 * DAY_S, .to_s = -10);
    made[EARLY] = MAKE(.issuer = ca, .from_s = 60, .to_s = DAY_S);
    made[FOR_SERVERS] = MAKE(.issuer = ca, .purpose = "serverAuth");
    made[WITH_RSA] = MAKE(.subject = "rsa", .issuer = ca, .key = "RSA 2048");
    made[WEAK] = MAKE(.issuer = ca, .key = "RSA 1024");
    made[UNDER] = MAKE(.subject = "under", .issuer = between[0]);
    tls_made_append(made[UNDER], between[0]);
    made[ORPHAN] = MAKE(.subject = "orphan", .issuer = between[0]);
    made[DEEP] = MAKE(.subject = "deep", .issuer = between[3]);
    made[DEEPER] = MAKE(.subject = "deeper", .issuer = between[4]);
    for (size_t i = 0; i < 5; i++) {
        if (i < 4) {
            tls_made_append(made[DEEP], between[i]);
        }
        tls_made_append(made[DEEPER], between[i]);
    }
    made[OF_A_LEAF] = MAKE(.subject = "forged", .issuer = made[GOOD]);
    tls_made_append(made[OF_A_LEAF], made[GOOD]);
    made[OLD_ISSUER] = MAKE(.subject = "late", .issuer = old);
    tls_made_append(made[OLD_ISSUER], old);
    pair = tls_pair_for("DNS:server.example", "server");
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < WHO_COUNT; i++) {
        tls_made_free(made[i]);
    }
    for (size_t i = 0; i < COUNT(between); i++) {
        tls_made_free(between[i]);
    }
    tls_made_free(ca);
    tls_made_free(other);
    tls_made_free(twin);
    tls_made_free(old);
    tls_pair_unref(pair);
    return 0;
}

static enum err try_context(const char *authorities, bool must, struct tls_context **out,
                            struct err_info *info)
{
    return tls_context_new(
        &(struct tls_context_options){.pairs = &pair,
                                      .pairs_count = 1,
                                      .client_ca = authorities,
                                      .client_ca_len = authorities ? strlen(authorities) : 0,
                                      .client_must = must},
        out, info);
}

static struct tls_context *context_of(const char *authorities, bool must)
{
    struct tls_context *c = NULL;
    struct err_info info = {.text = ""};
    if (try_context(authorities, must, &c, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return c;
}

/* The ends of one connection. */
static struct tls_conn *conn;
static struct tls_caller *p;

static void meet(struct tls_context *c, const struct tls_peer_options *o, size_t step)
{
    conn = tls_conn_new(c, TLS_USE_PLAIN);
    p = tls_peer_new(o);
    (void)tls_peer_run(p, conn, step);
}

static void part(void)
{
    tls_conn_free(conn);
    tls_peer_free(p);
}

/* ---- who is taken -------------------------------------------------------------------------- */

static const struct row {
    enum who who;
    const char *failure; /* "": taken */
    const char *alert;   /* in TLS 1.3 */
} rows[] = {
    {GOOD, "", ""},
    {ANY_PURPOSE, "", ""},
    {WITH_RSA, "", ""},
    {UNDER, "", ""},
    {DEEP, "", ""},
    {OTHER_CA, "the certificate is signed by somebody else", "unknown CA"},
    {SAME_NAME, "the certificate is signed by somebody else", "unknown CA"},
    {TAMPERED, "the certificate is signed by somebody else", "decrypt error"},
    {SELF, "the certificate is signed by somebody else", "unknown CA"},
    {ORPHAN, "the certificate is signed by somebody else", "unknown CA"},
    {EXPIRED, "the certificate has expired", "certificate expired"},
    {OLD_ISSUER, "the certificate has expired", "certificate expired"},
    {EARLY, "the certificate is not valid yet", "bad certificate"},
    {FOR_SERVERS, "the certificate is for another purpose", "unsupported certificate"},
    {WEAK, "EE certificate key too weak", "bad certificate"},
    {DEEPER, "the certificate's chain is too long", "unknown CA"},
    {OF_A_LEAF, "invalid CA certificate", "unknown CA"},
};

static void check(struct tls_context *c, const struct row *r, int version, size_t step)
{
    struct tls_peer who;
    meet(c, &(struct tls_peer_options){.version = version, .cert = made[r->who]}, step);
    assert_string_equal(tls_conn_failure(conn), r->failure);
    assert_string_equal(tls_peer_alert(p), r->alert);
    assert_int_equal(tls_conn_state(conn), r->failure[0] == '\0' ? TLS_OPEN : TLS_FAILED);
    ERR_clear_error(); /* the client's */
    assert_int_equal(tls_conn_peer(conn, &who), r->failure[0] == '\0');
    assert_int_equal(ERR_peek_error(), 0);
    if (r->failure[0] == '\0') {
        tls_peer_say(p, conn, "hello");
        char text[8];
        assert_int_equal(tls_conn_read(conn, text, sizeof text), 5);
        assert_int_equal(tls_conn_write(conn, "well", 4), ERR_OK);
        assert_string_equal(tls_peer_heard(p, conn), "well");
    }
    part();
}

static void each_certificate_and_its_fate(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct tls_context *c = context_of(ca->cert, m == 1);
        for (size_t i = 0; i < 2 * COUNT(rows); i++) {
            check(c, &rows[i / 2], versions[i % 2], i % 3 == 0 ? 1 : SIZE_MAX);
        }
        tls_context_unref(c);
    }
}

static void who_shows_none(void **state)
{
    struct tls_peer who;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        int version = versions[i / 2];
        bool must = i % 2 == 1;
        struct tls_context *c = context_of(ca->cert, must);
        meet(c, &(struct tls_peer_options){.version = version}, SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), must ? TLS_FAILED : TLS_OPEN);
        assert_string_equal(tls_conn_failure(conn), must ? "no certificate was shown" : "");
        /* "unknown": certificate_required is newer than the names of OpenSSL 3.0 */
        const char *alert = version == TLS1_3_VERSION ? "unknown" : "handshake failure";
        assert_string_equal(tls_peer_alert(p), must ? alert : "");
        assert_false(tls_conn_peer(conn, &who));
        part();
        tls_context_unref(c);
    }
}

/* Whoever shows one without being asked does not: TLS has no way to. */
static void who_is_not_asked(void **state)
{
    struct tls_peer who;
    struct tls_context *c = context_of(NULL, false);
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        meet(c, &(struct tls_peer_options){.version = versions[v], .cert = made[OTHER_CA]},
             SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), TLS_OPEN);
        assert_false(tls_conn_peer(conn, &who));
        part();
    }
    tls_context_unref(c);
}

/* An authority may be no root (it is believed for what it is), and there may be several. */
static void several_authorities(void **state)
{
    struct str all = {.text = NULL};
    (void)state;
    str_appendf(&all, "words\n%s%s", other->cert, between[0]->cert);
    struct tls_context *c = context_of(all.text, true);
    static const struct {
        enum who who;
        bool taken;
    } cases[] = {{OTHER_CA, true}, {ORPHAN, true}, {UNDER, true}, {GOOD, false}};
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        meet(c,
             &(struct tls_peer_options){.version = versions[i % 2], .cert = made[cases[i / 2].who]},
             SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), cases[i / 2].taken ? TLS_OPEN : TLS_FAILED);
        /* The names of those who are believed are told (RFC 8446 §4.2.4). */
        const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(p->ssl);
        assert_int_equal(sk_X509_NAME_num(names), 2);
        assert_int_equal(
            X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(other->x)), 0);
        part();
    }
    tls_context_unref(c);
    str_free(&all);
}

/* ---- what is offered ----------------------------------------------------------------------- */

/* Nobody gets a ticket, whether a certificate was shown or not, and one of a context before is not taken. */
static void no_session_is_resumed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        int version = versions[i / 2];
        struct tls_context *before = context_of(NULL, false), *c = NULL;
        const struct tls_context_options o = {.pairs = &pair,
                                              .pairs_count = 1,
                                              .previous = before,
                                              .client_ca = ca->cert,
                                              .client_ca_len = strlen(ca->cert)};
        assert_int_equal(tls_context_new(&o, &c, NULL), ERR_OK);
        meet(before, &(struct tls_peer_options){.version = version}, SIZE_MAX);
        SSL_SESSION *ticket = p->session != NULL ? p->session : SSL_get1_session(p->ssl);
        p->session = NULL;
        assert_true(SSL_SESSION_has_ticket(ticket));
        part();
        for (size_t k = 0; k < 2; k++) { /* the second with what came of the first */
            meet(c,
                 &(struct tls_peer_options){
                     .version = version, .cert = i % 2 == 0 ? made[GOOD] : NULL, .session = ticket},
                 SIZE_MAX);
            assert_int_equal(tls_conn_state(conn), TLS_OPEN);
            assert_false(tls_conn_resumed(conn));
            assert_null(version == TLS1_3_VERSION ? p->session : NULL);
            SSL_SESSION_free(ticket);
            ticket = SSL_get1_session(p->ssl);
            assert_false(SSL_SESSION_has_ticket(ticket));
            part();
        }
        SSL_SESSION_free(ticket);
        tls_context_unref(before);
        tls_context_unref(c);
    }
}

/* RFC 8446 §4.2.6: a client may offer it; nobody is asked later. */
static void nobody_is_asked_later(void **state)
{
    struct tls_peer who;
    struct tls_context *c = context_of(ca->cert, false);
    (void)state;
    meet(c, &(struct tls_peer_options){.version = TLS1_3_VERSION, .later = true}, SIZE_MAX);
    tls_made_use(made[GOOD], p->ssl);
    tls_peer_say(p, conn, "hello");
    char text[8];
    assert_int_equal(tls_conn_read(conn, text, sizeof text), 5);
    assert_int_equal(tls_conn_write(conn, "well", 4), ERR_OK);
    assert_string_equal(tls_peer_heard(p, conn), "well");
    assert_false(tls_conn_peer(conn, &who));
    part();
    tls_context_unref(c);
}

/* RFC 7301 §3.2: no answer is no agreement, and no refusal. */
static void what_is_spoken_is_not_looked_at(void **state)
{
    const unsigned char *alpn;
    unsigned len;
    struct tls_context *c = context_of(ca->cert, false);
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        meet(c, &(struct tls_peer_options){.version = versions[v], .alpn = "\2h2\4raft"}, SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), TLS_OPEN);
        assert_false(tls_conn_is_h2(conn));
        SSL_get0_alpn_selected(p->ssl, &alpn, &len);
        assert_int_equal(len, 0);
        part();
    }
    tls_context_unref(c);
}

/* A validator has no certificate, and need not have one. */
static void a_validator_is_not_asked(void **state)
{
    struct tls_pair *proof = tls_pair_for("DNS:proved.example", "proof");
    const struct tls_context_options o = {.pairs = &pair,
                                          .pairs_count = 1,
                                          .proofs = &proof,
                                          .proofs_count = 1,
                                          .client_ca = ca->cert,
                                          .client_ca_len = strlen(ca->cert),
                                          .client_must = true};
    struct tls_context *c = NULL;
    (void)state;
    assert_int_equal(tls_context_new(&o, &c, NULL), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        conn = tls_conn_new(c, TLS_USE_HTTP);
        p = tls_peer_new(&(struct tls_peer_options){.version = versions[i / 2],
                                                    .sni = "proved.example",
                                                    .alpn = i % 2 == 0 ? "\12acme-tls/1" : NULL});
        (void)tls_peer_run(p, conn, SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), i % 2 == 0 ? TLS_OPEN : TLS_FAILED);
        assert_int_equal(tls_conn_is_proof(conn), i % 2 == 0);
        part();
    }
    tls_context_unref(c);
    tls_pair_unref(proof);
}

/* ---- limits -------------------------------------------------------------------------------- */

/* Four certificates that are as large as with RSA keys of 4096 bits: 2 KiB each. */
static void a_large_chain_fits(void **state)
{
    struct str names = {.text = NULL};
    struct tls_made *chain[4];
    struct tls_context *c = context_of(ca->cert, true);
    (void)state;
    for (int i = 0; i < 26; i++) {
        str_appendf(&names, "%sDNS:%c%049d.example", i > 0 ? "," : "", 'a' + i, i);
    }
    for (size_t i = 0; i < COUNT(chain); i++) {
        chain[i] = MAKE(.ca = i < 3, .issuer = i == 0 ? ca : chain[i - 1], .names = names.text);
        assert_true(i2d_X509(chain[i]->x, NULL) > 1900);
    }
    for (size_t i = 0; i < 3; i++) {
        tls_made_append(chain[3], chain[2 - i]);
    }
    for (size_t v = 0; v < COUNT(versions); v++) {
        meet(c, &(struct tls_peer_options){.version = versions[v], .cert = chain[3]}, SIZE_MAX);
        assert_string_equal(tls_conn_failure(conn), "");
        assert_int_equal(tls_conn_state(conn), TLS_OPEN);
        part();
    }
    for (size_t i = 0; i < COUNT(chain); i++) {
        tls_made_free(chain[i]);
    }
    str_free(&names);
    tls_context_unref(c);
}

/* The good one with so much behind it that it is more than a chain may have. */
static void a_chain_without_end_does_not(void **state)
{
    struct tls_made *m = MAKE(.subject = "core-b", .issuer = ca);
    struct tls_context *c = context_of(ca->cert, true);
    (void)state;
    for (size_t i = 0; strlen(m->cert) * 3 / 4 < TLS_PEER_CHAIN_MAX * 5 / 4; i++) { /* base64 */
        tls_made_append(m, between[i % COUNT(between)]);
    }
    for (size_t v = 0; v < COUNT(versions); v++) {
        meet(c, &(struct tls_peer_options){.version = versions[v], .cert = m}, SIZE_MAX);
        assert_int_equal(tls_conn_state(conn), TLS_FAILED);
        assert_string_equal(tls_conn_failure(conn), "excessive message size");
        part();
    }
    tls_made_free(m);
    tls_context_unref(c);
}

static void texts_that_are_no_authority(void **state)
{
    struct str many = {.text = NULL}, half = {.text = NULL};
    struct err_info info = {.text = ""};
    struct tls_context *c = NULL;
    (void)state;
    for (size_t i = 0; i <= TLS_TRUST_MAX; i++) {
        str_append(&many, ca->cert);
    }
    str_appendf(&half, "%s%.*s", ca->cert, 200, ca->cert);
    str_append(&half, "\n-----END CERTIFICATE-----\n");
    const struct {
        const char *text;
        enum err e;
        const char *words;
    } cases[] = {
        {"", ERR_MALFORMED, "empty"},
        {"nothing", ERR_MALFORMED, "no certificate"},
        {ca->private, ERR_MALFORMED, "no certificate"},
        {made[GOOD]->cert, ERR_MALFORMED, "certificate 1 is not a CA's"},
        {made[UNDER]->cert, ERR_MALFORMED, "certificate 1 is not a CA's"},
        {half.text, ERR_MALFORMED, "cannot be read"},
        {many.text, ERR_LIMIT, "more than 16"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(try_context(cases[i].text, false, &c, &info), cases[i].e);
        assert_non_null(strstr(info.text, cases[i].words));
        assert_null(c);
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_int_equal(try_context(NULL, true, &c, &info), ERR_BUG);
    char *huge = mem_xalloc(TLS_PAIR_PEM_MAX + 2);
    memset(huge, '\n', TLS_PAIR_PEM_MAX + 1);
    assert_int_equal(try_context(huge, true, &c, &info), ERR_LIMIT);
    free(huge);
    str_free(&many);
    str_free(&half);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void memory_runs_out_for_a_context(void **state)
{
    size_t n = 0;
    (void)state;
    for (;; n++) {
        struct tls_context *c = NULL;
        openssl_memory_fail_after(n);
        enum err e = try_context(ca->cert, true, &c, NULL);
        bool failed = openssl_memory_failed();
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(e == ERR_OK, c != NULL);
        if (!failed) {
            assert_int_equal(e, ERR_OK);
        }
        tls_context_unref(c);
        if (!failed) {
            break;
        }
        /* OpenSSL calls some failures by other names. */
        assert_true(e == ERR_OK || e == ERR_NOMEM || e == ERR_IO || e == ERR_MALFORMED);
    }
    assert_true(n > 100);
}

/* Whatever fails, nobody is let in who should not be, and nobody is nobody else. */
static void memory_runs_out_for_a_handshake(void **state)
{
    static const enum who cases[] = {GOOD, OTHER_CA, EXPIRED, NOBODY};
    struct tls_context *c = context_of(ca->cert, true);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned ended = 0;
        for (size_t n = 0;; n += 1 + n / 40) {
            struct tls_peer who = {.name = ""};
            p = tls_peer_new(
                &(struct tls_peer_options){.version = versions[n % 2], .cert = made[cases[i]]});
            conn = tls_conn_new(c, TLS_USE_PLAIN);
            uint8_t bytes[16384];
            const uint8_t *out;
            bool well = true;
            for (int turn = 0; well && turn < 4; turn++) {
                (void)SSL_do_handshake(p->ssl);
                int len = BIO_read(p->out, bytes, sizeof bytes);
                openssl_memory_fail_after(n);
                well = len <= 0 || tls_conn_feed(conn, bytes, (size_t)len) == ERR_OK;
                if (openssl_memory_failed()) {
                    ended++;
                }
                size_t waiting = tls_conn_out(conn, &out);
                BIO_write(p->in, out, (int)waiting);
                tls_conn_sent(conn, waiting);
            }
            bool open = tls_conn_state(conn) == TLS_OPEN;
            assert_true(cases[i] == GOOD || !open);
            assert_int_equal(tls_conn_state(conn) == TLS_FAILED, tls_conn_failure(conn)[0] != '\0');
            assert_int_equal(tls_conn_peer(conn, &who), open);
            assert_true(!open || strcmp(who.name, "core-b") == 0);
            part();
            ERR_clear_error();
            if (n > 3000) {
                break;
            }
        }
        assert_true(ended > 50);
    }
    tls_context_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_certificate_and_its_fate),
        cmocka_unit_test(who_shows_none),
        cmocka_unit_test(who_is_not_asked),
        cmocka_unit_test(several_authorities),
        cmocka_unit_test(no_session_is_resumed),
        cmocka_unit_test(nobody_is_asked_later),
        cmocka_unit_test(what_is_spoken_is_not_looked_at),
        cmocka_unit_test(a_validator_is_not_asked),
        cmocka_unit_test(a_large_chain_fits),
        cmocka_unit_test(a_chain_without_end_does_not),
        cmocka_unit_test(texts_that_are_no_authority),
        cmocka_unit_test(memory_runs_out_for_a_context),
        cmocka_unit_test(memory_runs_out_for_a_handshake),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, make_all, free_all);
}

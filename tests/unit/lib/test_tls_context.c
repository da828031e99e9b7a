/* lib/tls_context: what is offered to whom, and which sessions are taken up again. */
#include "lib/tls_context.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "openssl_memory.h"
#include "tls_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* One connection to C, to its end. */
struct visit {
    struct tls_peer_options as;
    enum tls_use use;
    /* what came of it */
    bool open, resumed, h2, proof;
    char saw[64], version[16], suite[64], alpn[32], alert[64], failure[96];
    SSL_SESSION *session; /* to be freed */
};

static void visit(struct tls_context *c, struct visit *v)
{
    struct tls_caller *p = tls_peer_new(&v->as);
    struct tls_conn *conn = tls_conn_new(c, v->use);
    const unsigned char *alpn;
    unsigned alpn_len;
    assert_non_null(conn);
    bool well = tls_peer_run(p, conn, SIZE_MAX);
    v->open = well && tls_conn_state(conn) == TLS_OPEN;
    v->resumed = v->open && tls_conn_resumed(conn);
    v->h2 = v->open && tls_conn_is_h2(conn);
    v->proof = v->open && tls_conn_is_proof(conn);
    SSL_get0_alpn_selected(p->ssl, &alpn, &alpn_len);
    snprintf(v->alpn, sizeof v->alpn, "%.*s", (int)alpn_len, (const char *)alpn);
    snprintf(v->saw, sizeof v->saw, "%s", tls_peer_saw(p));
    snprintf(v->version, sizeof v->version, "%s", tls_conn_version(conn));
    snprintf(v->suite, sizeof v->suite, "%s", SSL_get_cipher_name(p->ssl));
    snprintf(v->alert, sizeof v->alert, "%s", tls_peer_alert(p));
    snprintf(v->failure, sizeof v->failure, "%s", tls_conn_failure(conn));
    assert_int_equal(v->open, well);
    assert_int_equal(v->open, v->failure[0] == '\0');
    assert_int_equal(v->resumed, v->open && SSL_session_reused(p->ssl) == 1);
    if (v->open) {
        assert_null(SSL_get_current_compression(p->ssl));
        assert_int_equal(SSL_get_secure_renegotiation_support(p->ssl),
                         SSL_version(p->ssl) == TLS1_2_VERSION);
    }
    /* With TLS 1.2 OpenSSL does not tell of a ticket that takes the place of another. */
    v->session = p->session != NULL ? p->session : v->open ? SSL_get1_session(p->ssl) : NULL;
    p->session = NULL;
    tls_conn_free(conn);
    tls_peer_free(p);
}

/* ---- which pair ---------------------------------------------------------------------------- */

static void the_name_decides(void **state)
{
    static const struct {
        const char *key, *names, *subject;
    } made[] = {
        {"EC P-256", "DNS:first.example", "first"},
        {"RSA 2048", "DNS:second.example,DNS:shared.example", "second"},
        {"EC P-384", "DNS:*.wild.example,DNS:shared.example,IP:192.0.2.1", "third"},
        {"ED25519", "DNS:fourth.example", "fourth"},
    };
    static const struct {
        const char *asked, *shown;
    } rows[] = {
        {NULL, "first"},
        {"first.example", "first"},
        {"second.example", "second"},
        {"SECOND.example", "second"},
        {"a.wild.example", "third"},
        {"a.b.wild.example", "first"},
        {"wild.example", "first"},
        {"shared.example", "second"},
        {"fourth.example", "fourth"},
        {"elsewhere.example", "first"},
        {"192.0.2.1", "third"}, /* not allowed by RFC 6066 §3, and no reason to refuse */
    };
    struct tls_pair *pairs[COUNT(made)];
    (void)state;
    for (size_t i = 0; i < COUNT(made); i++) {
        struct tls_made *m = tls_make(&(struct tls_make){
            .key = made[i].key, .names = made[i].names, .subject = made[i].subject});
        pairs[i] = tls_pair_of(m);
        tls_made_free(m);
    }
    struct tls_context *c = tls_context_of(pairs, COUNT(pairs), NULL);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const char *asked = rows[i / 2].asked, *shown = rows[i / 2].shown;
        struct visit v = {.as = {.sni = asked, .version = versions[i % 2]}};
        visit(c, &v);
        assert_string_equal(v.saw, shown);
        assert_true(v.open);
        SSL_SESSION_free(v.session);
        const char *subject = NULL;
        for (size_t k = 0; k < COUNT(pairs); k++) {
            subject = tls_context_pair(c, asked) == pairs[k] ? made[k].subject : subject;
        }
        assert_string_equal(subject, shown);
    }
    tls_context_unref(c);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        tls_pair_unref(pairs[i]);
    }
}

static void every_kind_of_key_is_shown(void **state)
{
    static const char *const kinds[] = {"EC P-256", "EC P-384", "EC P-521",
                                        "RSA 2048", "RSA 4096", "ED25519"};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
        struct tls_made *m =
            tls_make(&(struct tls_make){.key = kinds[i / 2], .names = "DNS:a.example"});
        struct tls_pair *p = tls_pair_of(m);
        struct tls_context *c = tls_context_of(&p, 1, NULL);
        struct visit v = {.as = {.version = versions[i % 2]}};
        visit(c, &v);
        assert_true(v.open);
        assert_string_equal(v.version, i % 2 == 0 ? "TLSv1.2" : "TLSv1.3");
        SSL_SESSION_free(v.session);
        tls_context_unref(c);
        tls_pair_unref(p);
        tls_made_free(m);
    }
}

static void how_many_pairs(void **state)
{
    struct tls_pair *p = tls_pair_for("DNS:a.example", NULL), *many[TLS_CONTEXT_PAIRS_MAX + 1];
    struct tls_context *c = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i < COUNT(many); i++) {
        many[i] = p;
    }
    tls_context_unref(tls_context_of(many, TLS_CONTEXT_PAIRS_MAX, NULL));
    struct tls_context_options o = {.pairs = many, .pairs_count = COUNT(many)};
    assert_int_equal(tls_context_new(&o, &c, &info), ERR_LIMIT);
    o.pairs_count = 0;
    assert_int_equal(tls_context_new(&o, &c, &info), ERR_LIMIT);
    tls_context_unref(NULL);
    tls_pair_unref(p);
}

/* ---- what is offered ----------------------------------------------------------------------- */

static void what_is_too_old_is_refused(void **state)
{
    static const struct {
        struct tls_peer_options as;
        const char *alert, *failure;
    } rows[] = {
        {{.version = TLS1_VERSION}, "protocol version", "unsupported protocol"},
        {{.version = TLS1_1_VERSION}, "protocol version", "unsupported protocol"},
        {{.version = TLS1_2_VERSION, .suites12 = "ECDHE-ECDSA-AES128-SHA256"},
         "handshake failure",
         "no shared cipher"},
        {{.version = TLS1_2_VERSION, .suites12 = "ECDHE-ECDSA-AES256-SHA"},
         "handshake failure",
         "no shared cipher"},
        {{.version = TLS1_2_VERSION, .suites12 = "ECDHE-ECDSA-AES128-CCM8"},
         "handshake failure",
         "no shared cipher"},
        {{.version = TLS1_2_VERSION, .suites12 = "aNULL"}, "handshake failure", "no shared cipher"},
        {{.version = TLS1_2_VERSION, .sigalgs = "ECDSA+SHA1"},
         "handshake failure",
         "no shared signature algorithms"},
        {{.version = TLS1_3_VERSION, .sigalgs = "rsa_pss_rsae_sha256"},
         "handshake failure",
         "no suitable signature algorithm"},
        {{.version = TLS1_3_VERSION, .groups = "P-521:X448"},
         "handshake failure",
         "no suitable key share"},
        {{.version = TLS1_3_VERSION, .groups = "ffdhe2048"},
         "handshake failure",
         "no suitable key share"},
    };
    (void)state;
    struct tls_context *c = tls_context_for("DNS:a.example");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct visit v = {.as = rows[i].as};
        visit(c, &v);
        assert_false(v.open);
        assert_string_equal(v.failure, rows[i].failure);
        assert_string_equal(v.alert, rows[i].alert);
    }
    tls_context_unref(c);
}

static void suites_that_an_rsa_key_could_do_without_ecdhe(void **state)
{
    static const char *const suites[] = {"DHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256",
                                         "ECDHE-RSA-AES128-SHA256", "AES256-SHA"};
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.key = "RSA 2048", .names = "DNS:a"});
    struct tls_pair *p = tls_pair_of(m);
    struct tls_context *c = tls_context_of(&p, 1, NULL);
    for (size_t i = 0; i < COUNT(suites); i++) {
        struct visit v = {.as = {.version = TLS1_2_VERSION, .suites12 = suites[i]}};
        visit(c, &v);
        assert_string_equal(v.failure, "no shared cipher");
    }
    tls_context_unref(c);
    tls_pair_unref(p);
    tls_made_free(m);
}

static void the_order_is_ours_but_for_chacha(void **state)
{
    static const struct {
        const char *wish, *got;
    } rows[] = {
        {"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
         "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
         "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
         "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    };
    static const char *const groups[] = {"X25519", "P-256", "P-384", "X448:P-521:P-384"};
    (void)state;
    struct tls_context *c = tls_context_for("DNS:a.example");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct visit v = {.as = {.version = TLS1_2_VERSION, .suites12 = rows[i].wish}};
        visit(c, &v);
        assert_string_equal(v.suite, rows[i].got);
        SSL_SESSION_free(v.session);
    }
    for (size_t i = 0; i < COUNT(groups); i++) { /* the last one by way of a HelloRetryRequest */
        struct visit v = {.as = {.version = TLS1_3_VERSION, .groups = groups[i]}};
        visit(c, &v);
        assert_true(v.open);
        assert_string_equal(v.suite, "TLS_AES_128_GCM_SHA256");
        SSL_SESSION_free(v.session);
    }
    tls_context_unref(c);
}

/* ---- ALPN ---------------------------------------------------------------------------------- */

static void the_protocol_is_agreed_on(void **state)
{
    static const struct {
        const char *offered;
        const char *dot, *http; /* what is agreed on; NULL: refused */
    } rows[] = {
        {NULL, "", ""},
        {"\3dot", "dot", NULL},
        {"\2h2", NULL, "h2"},
        {"\10http/1.1", NULL, "http/1.1"},
        {"\10http/1.1\2h2", NULL, "h2"}, /* ours is the order */
        {"\2h2\3dot\10http/1.1", "dot", "h2"},
        {"\10http/1.0\6spdy/3", NULL, NULL},
        {"\2do", NULL, NULL},
        {"\4dots", NULL, NULL},
        {"\3DOT", NULL, NULL},
        {"\3doq\3dot", "dot", NULL},
    };
    (void)state;
    struct tls_context *c = tls_context_for("DNS:a.example");
    for (size_t i = 0; i < 4 * COUNT(rows); i++) {
        enum tls_use use = i % 2 == 0 ? TLS_USE_DOT : TLS_USE_HTTP;
        const char *agreed = use == TLS_USE_DOT ? rows[i / 4].dot : rows[i / 4].http;
        struct visit v = {.use = use,
                          .as = {.alpn = rows[i / 4].offered, .version = versions[i / 2 % 2]}};
        visit(c, &v);
        assert_int_equal(v.open, agreed != NULL);
        assert_string_equal(v.alpn, agreed != NULL ? agreed : "");
        assert_int_equal(v.h2, agreed != NULL && strcmp(agreed, "h2") == 0);
        if (agreed == NULL) {
            assert_string_equal(v.alert, "no application protocol");
            assert_string_equal(v.failure, "no application protocol");
        }
        SSL_SESSION_free(v.session);
    }
    tls_context_unref(c);
}

/* ---- sessions ------------------------------------------------------------------------------ */

/* A session begun with C, asking for NAME. */
static SSL_SESSION *begin(struct tls_context *c, int version, const char *name)
{
    struct visit v = {.as = {.version = version, .sni = name}};
    visit(c, &v);
    assert_true(v.open && !v.resumed);
    assert_non_null(v.session);
    assert_int_equal(SSL_SESSION_get_max_early_data(v.session), 0);
    assert_true(SSL_SESSION_get_ticket_lifetime_hint(v.session) > 0 &&
                SSL_SESSION_get_ticket_lifetime_hint(v.session) <= 7200);
    return v.session;
}

/* Whether C takes S up again; either way the connection is as good as any, and sees SUBJECT. */
static bool goes_on(struct tls_context *c, SSL_SESSION *s, const char *name, const char *subject)
{
    SSL_SESSION *copy = SSL_SESSION_dup(s); /* OpenSSL marks those that were refused */
    struct visit v = {
        .as = {.version = SSL_SESSION_get_protocol_version(s), .sni = name, .session = copy},
        .use = TLS_USE_HTTP};
    visit(c, &v);
    assert_true(v.open);
    assert_string_equal(v.saw, subject);
    SSL_SESSION_free(v.session);
    SSL_SESSION_free(copy);
    return v.resumed;
}

static void a_ticket_is_taken_by_its_context_and_the_next(void **state)
{
    (void)state;
    struct tls_pair *p = tls_pair_for("DNS:a.example", "a");
    struct tls_context *first = tls_context_of(&p, 1, NULL);
    struct tls_context *second = tls_context_of(&p, 1, first);
    struct tls_context *third = tls_context_of(&p, 1, second);
    struct tls_context *stranger = tls_context_of(&p, 1, NULL);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *s = begin(first, versions[i], "a.example");
        SSL_SESSION *s2 = begin(second, versions[i], "a.example");
        assert_true(goes_on(first, s, "a.example", "a"));
        assert_true(goes_on(second, s, "a.example", "a"));
        assert_false(goes_on(third, s, "a.example", "a"));
        assert_false(goes_on(stranger, s, "a.example", "a"));
        assert_true(goes_on(second, s2, "a.example", "a"));
        assert_true(goes_on(third, s2, "a.example", "a"));
        assert_false(goes_on(first, s2, "a.example", "a")); /* the older does not know the newer */
        SSL_SESSION_free(s);
        SSL_SESSION_free(s2);
    }
    tls_context_unref(first);
    tls_context_unref(second);
    tls_context_unref(third);
    tls_context_unref(stranger);
    tls_pair_unref(p);
}

/* With the previous key, a ticket is replaced by one of the own key, which then lasts. */
static void a_ticket_that_is_taken_is_renewed(void **state)
{
    (void)state;
    struct tls_pair *p = tls_pair_for("DNS:a.example", "a");
    struct tls_context *first = tls_context_of(&p, 1, NULL);
    struct tls_context *second = tls_context_of(&p, 1, first);
    struct tls_context *third = tls_context_of(&p, 1, second);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *s = begin(first, versions[i], "a.example");
        struct visit v = {.as = {.version = versions[i], .sni = "a.example", .session = s}};
        visit(second, &v);
        assert_true(v.resumed);
        assert_non_null(v.session);
        assert_true(goes_on(third, v.session, "a.example", "a"));
        SSL_SESSION_free(v.session);
        SSL_SESSION_free(s);
    }
    tls_context_unref(first);
    tls_context_unref(second);
    tls_context_unref(third);
    tls_pair_unref(p);
}

static void other_pairs_open_no_tickets(void **state)
{
    (void)state;
    struct tls_pair *a = tls_pair_for("DNS:a.example", "a"), *b = tls_pair_for("DNS:b", "b");
    struct tls_pair *ab[] = {a, b}, *ba[] = {b, a};
    struct tls_context *only_a = tls_context_of(&a, 1, NULL);
    struct tls_context *others[] = {
        tls_context_of(&b, 1, only_a),
        tls_context_of(ab, 2, only_a),
        tls_context_of(ba, 2, only_a),
    };
    static const char *const shown[] = {"b", "a", "a"};
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *s = begin(only_a, versions[i], "a.example");
        for (size_t k = 0; k < COUNT(others); k++) {
            assert_false(goes_on(others[k], s, "a.example", shown[k]));
        }
        assert_true(goes_on(only_a, s, "a.example", "a"));
        SSL_SESSION_free(s);
    }
    for (size_t k = 0; k < COUNT(others); k++) {
        tls_context_unref(others[k]);
    }
    tls_context_unref(only_a);
    tls_pair_unref(a);
    tls_pair_unref(b);
}

/* RFC 6066 §3: not with another name. With another name of the same certificate it is fine. */
static void a_session_is_one_certificates(void **state)
{
    (void)state;
    struct tls_pair *pairs[] = {tls_pair_for("DNS:a.example,DNS:aa.example", "a"),
                                tls_pair_for("DNS:b.example", "b")};
    struct tls_context *c = tls_context_of(pairs, 2, NULL);
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_SESSION *a = begin(c, versions[i], "a.example");
        SSL_SESSION *b = begin(c, versions[i], "b.example");
        assert_true(goes_on(c, a, "a.example", "a"));
        assert_true(goes_on(c, b, "b.example", "b"));
        assert_false(goes_on(c, a, "b.example", "b"));
        assert_false(goes_on(c, b, "a.example", "a"));
        assert_false(goes_on(c, b, NULL, "a"));
        SSL_SESSION_free(a);
        SSL_SESSION_free(b);
    }
    tls_context_unref(c);
    tls_pair_unref(pairs[0]);
    tls_pair_unref(pairs[1]);
}

/* A ticket that was tampered with is no ticket. */
static void a_forged_ticket(void **state)
{
    (void)state;
    struct tls_context *c = tls_context_for("DNS:a.example");
    SSL_SESSION *s = begin(c, TLS1_3_VERSION, "a.example");
    const unsigned char *ticket;
    size_t ticket_len;
    SSL_SESSION_get0_ticket(s, &ticket, &ticket_len);
    unsigned char *der = NULL;
    int len = i2d_SSL_SESSION(s, &der);
    unsigned char *at = memmem(der, (size_t)len, ticket, ticket_len);
    assert_non_null(at);
    for (size_t i = 0; i < ticket_len; i += 13) {
        const unsigned char *p = der;
        at[i] ^= 1;
        SSL_SESSION *forged = d2i_SSL_SESSION(NULL, &p, len);
        assert_false(goes_on(c, forged, "a.example", "dnsd test"));
        SSL_SESSION_free(forged);
        at[i] ^= 1;
    }
    assert_true(goes_on(c, s, "a.example", "dnsd test"));
    OPENSSL_free(der);
    SSL_SESSION_free(s);
    tls_context_unref(c);
}

/* ---- sharing ------------------------------------------------------------------------------- */

static void connections_keep_the_context_they_began_with(void **state)
{
    (void)state;
    struct tls_context *c = tls_context_for("DNS:a.example");
    struct tls_conn *conn = tls_conn_new(c, TLS_USE_DOT);
    struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.version = 0});
    assert_ptr_equal(tls_context_ref(c), c);
    tls_context_unref(c);
    tls_context_unref(c); /* the connection's is left */
    assert_true(tls_peer_run(p, conn, SIZE_MAX));
    assert_int_equal(tls_conn_state(conn), TLS_OPEN);
    tls_conn_free(conn);
    tls_peer_free(p);
}

#define THREADS 4
#define VISITS  12

static struct tls_pair *shared_pair;
static struct tls_context *_Atomic shared;
static pthread_mutex_t swap = PTHREAD_MUTEX_INITIALIZER;

static struct tls_context *current(void)
{
    pthread_mutex_lock(&swap);
    struct tls_context *c = tls_context_ref(shared);
    pthread_mutex_unlock(&swap);
    return c;
}

static void *visit_often(void *good)
{
    for (int i = 0; i < VISITS; i++) {
        struct tls_context *c = current();
        struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.sni = "a.example"});
        struct tls_conn *conn = tls_conn_new(c, TLS_USE_DOT);
        tls_context_unref(c);
        *(int *)good += tls_peer_run(p, conn, SIZE_MAX) && tls_conn_state(conn) == TLS_OPEN;
        tls_conn_free(conn);
        tls_peer_free(p);
    }
    return NULL;
}

static void threads_share_what_is_swapped_meanwhile(void **state)
{
    pthread_t threads[THREADS];
    int good[THREADS] = {0};
    (void)state;
    shared_pair = tls_pair_for("DNS:a.example", NULL);
    shared = tls_context_of(&shared_pair, 1, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, visit_often, &good[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        struct tls_context *was = shared, *next = tls_context_of(&shared_pair, 1, was);
        pthread_mutex_lock(&swap);
        shared = next;
        pthread_mutex_unlock(&swap);
        tls_context_unref(was);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], VISITS);
    }
    tls_context_unref(shared);
    tls_pair_unref(shared_pair);
}

static void memory_runs_out(void **state)
{
    struct tls_pair *pairs[] = {tls_pair_for("DNS:a.example", "a"), tls_pair_for("DNS:b", "b")};
    unsigned refused = 0;
    (void)state;
    for (size_t n = 0;; n++) {
        struct tls_context *c = NULL;
        struct err_info info = {.text = ""};
        openssl_memory_fail_after(n);
        enum err e = tls_context_new(
            &(struct tls_context_options){.pairs = pairs, .pairs_count = 2}, &c, &info);
        bool failed = openssl_memory_failed();
        assert_int_equal(e == ERR_OK, c != NULL);
        assert_int_equal(e == ERR_OK, info.text[0] == '\0');
        refused += e != ERR_OK;
        tls_context_unref(c);
        if (!failed) {
            assert_int_equal(e, ERR_OK);
            break;
        }
    }
    assert_true(refused > 50);
    tls_pair_unref(pairs[0]);
    tls_pair_unref(pairs[1]);
}

/* ---- proofs -------------------------------------------------------------------------------- */

#define ACME "\12acme-tls/1"

static void a_validator_is_shown_the_proof(void **state)
{
    static const struct {
        const char *sni, *alpn;
        enum tls_use use;
        const char *saw, *alert; /* one of them is "" */
    } rows[] = {
        {"proved.example", ACME, TLS_USE_HTTP, "proof", ""},
        {"PROVED.example", ACME, TLS_USE_HTTP, "proof", ""},
        {"other.example", ACME, TLS_USE_HTTP, "", "unrecognized name"},
        {"usual.example", ACME, TLS_USE_HTTP, "", "unrecognized name"},
        {NULL, ACME, TLS_USE_HTTP, "", "unrecognized name"},
        /* Only who offers nothing else is one (RFC 8737 §3). */
        {"proved.example", ACME "\2h2", TLS_USE_HTTP, "usual", ""},
        {"proved.example", "\2h2" ACME, TLS_USE_HTTP, "usual", ""},
        {"proved.example", "\2h2", TLS_USE_HTTP, "usual", ""},
        {"proved.example", NULL, TLS_USE_HTTP, "usual", ""},
        {"proved.example", ACME, TLS_USE_DOT, "", "no application protocol"},
    };
    struct tls_pair *usual = tls_pair_for("DNS:usual.example", "usual");
    struct tls_pair *proof = tls_pair_for("DNS:proved.example", "proof");
    const struct tls_context_options o = {
        .pairs = &usual, .pairs_count = 1, .proofs = &proof, .proofs_count = 1};
    struct tls_context *c = NULL;
    (void)state;
    assert_int_equal(tls_context_new(&o, &c, NULL), ERR_OK);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const char *saw = rows[i / 2].saw;
        bool is_proof = strcmp(saw, "proof") == 0;
        struct visit v = {
            .as = {.sni = rows[i / 2].sni, .alpn = rows[i / 2].alpn, .version = versions[i % 2]},
            .use = rows[i / 2].use};
        visit(c, &v);
        assert_string_equal(v.alert, rows[i / 2].alert);
        assert_int_equal(v.open, saw[0] != '\0');
        if (v.open) {
            assert_string_equal(v.saw, saw);
            assert_int_equal(v.proof, is_proof);
            assert_int_equal(strcmp(v.alpn, "acme-tls/1") == 0, is_proof);
        }
        SSL_SESSION_free(v.session);
    }
    tls_context_unref(c);
    tls_pair_unref(usual);
    tls_pair_unref(proof);
}

static void how_many_proofs(void **state)
{
    struct tls_pair *pair = tls_pair_for("DNS:a.example", NULL);
    struct tls_pair *proofs[TLS_CONTEXT_PROOFS_MAX + 1];
    struct tls_context *c = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i < COUNT(proofs); i++) {
        proofs[i] = pair;
    }
    struct tls_context_options o = {
        .pairs = &pair, .pairs_count = 1, .proofs = proofs, .proofs_count = COUNT(proofs)};
    assert_int_equal(tls_context_new(&o, &c, &info), ERR_LIMIT);
    assert_non_null(strstr(info.text, "up to 8"));
    o.proofs_count--;
    assert_int_equal(tls_context_new(&o, &c, NULL), ERR_OK);
    tls_context_unref(c);
    tls_pair_unref(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides),
        cmocka_unit_test(every_kind_of_key_is_shown),
        cmocka_unit_test(how_many_pairs),
        cmocka_unit_test(what_is_too_old_is_refused),
        cmocka_unit_test(suites_that_an_rsa_key_could_do_without_ecdhe),
        cmocka_unit_test(the_order_is_ours_but_for_chacha),
        cmocka_unit_test(the_protocol_is_agreed_on),
        cmocka_unit_test(a_ticket_is_taken_by_its_context_and_the_next),
        cmocka_unit_test(a_ticket_that_is_taken_is_renewed),
        cmocka_unit_test(other_pairs_open_no_tickets),
        cmocka_unit_test(a_session_is_one_certificates),
        cmocka_unit_test(a_forged_ticket),
        cmocka_unit_test(connections_keep_the_context_they_began_with),
        cmocka_unit_test(threads_share_what_is_swapped_meanwhile),
        cmocka_unit_test(a_validator_is_shown_the_proof),
        cmocka_unit_test(how_many_proofs),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

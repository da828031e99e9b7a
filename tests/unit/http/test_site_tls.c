/* Sites with a face of their own, and whose certificate a handler is told of: mutual TLS over HTTP/1.1 and
 * HTTP/2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2_client.h"
#include "http_tls.h"

#define NODES 1 /* the site that asks for certificates */

static struct http_fixture f;
static struct tls_made *ca, *other_ca, *node, *stranger, *stale;

/* Shows SUBJECT and asks clients for a certificate of the CA's. */
static struct tls_context *asking(const char *subject, bool must)
{
    struct err_info info = {.text = ""};
    struct tls_pair *pair = tls_pair_for("DNS:core-a", subject);
    struct tls_context *context = NULL;
    const struct tls_context_options options = {.pairs = &pair,
                                                .pairs_count = 1,
                                                .client_ca = ca->cert,
                                                .client_ca_len = strlen(ca->cert),
                                                .client_must = must};
    if (tls_context_new(&options, &context, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    tls_pair_unref(pair);
    return context;
}

static struct tls_context *showing(const char *subject)
{
    struct tls_pair *pair = tls_pair_for("DNS:a.example", subject);
    struct tls_context *context = tls_context_of(&pair, 1, NULL);
    tls_pair_unref(pair);
    return context;
}

static int make(void **state)
{
    (void)state;
    ca = tls_make(&(struct tls_make){.subject = "the CA", .ca = true});
    other_ca = tls_make(&(struct tls_make){.subject = "the CA", .ca = true});
    node = tls_make(&(struct tls_make){.subject = "core-b", .issuer = ca});
    stranger = tls_make(&(struct tls_make){.subject = "core-b", .issuer = other_ca});
    stale = tls_make(
        &(struct tls_make){.subject = "core-b", .issuer = ca, .from_s = -7200, .to_s = -3600});
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tls_made_free(ca);
    tls_made_free(other_ca);
    tls_made_free(node);
    tls_made_free(stranger);
    tls_made_free(stale);
    return 0;
}

static void begin(void)
{
    http_fixture_init(&f);
    http_fixture_open(&f);
}

/* The server takes a reference of its own. */
static void use(int site, struct tls_context *context)
{
    if (site < 0) {
        http_server_use_tls(f.server, context);
    } else {
        http_server_use_site_tls(f.server, (unsigned)site, context);
    }
    tls_context_unref(context);
}

static void dial(struct http_tls *c, uint16_t port, const char *alpn, const struct tls_made *shown,
                 SSL_SESSION *session)
{
    http_tls_dial(c, &f, port, &(struct tls_peer_options){.alpn = alpn, .session = session});
    if (shown != NULL) {
        assert_int_equal(SSL_use_certificate(c->peer->ssl, shown->x), 1);
        assert_int_equal(SSL_use_PrivateKey(c->peer->ssl, shown->key), 1);
    }
}

/* The text that handlers make of M, with the values that OpenSSL has for them. */
static const char *text_of(const struct tls_made *m, const char *name)
{
    static char text[HTTP_FIXTURE_PEER_MAX];
    uint8_t digest[32];
    struct tm tm;
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(m->x), NULL);
    char *serial = BN_bn2hex(n);
    size_t len = (size_t)snprintf(text, sizeof text, "local %s ", name);
    for (const char *s = serial; *s != '\0'; s++) {
        text[len++] = *s >= 'A' ? (char)(*s - 'A' + 'a') : *s;
    }
    text[len++] = ' ';
    assert_int_equal(X509_digest(m->x, EVP_sha256(), digest, NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%02x", digest[i]);
    }
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(m->x), &tm), 1);
    snprintf(text + len, sizeof text - len, " %lld", (long long)timegm(&tm) * 1000);
    OPENSSL_free(serial);
    BN_free(n);
    return text;
}

/* ---- faces ------------------------------------------------------------------------------------- */

static void expect_face(uint16_t port, const char *subject)
{
    struct http_tls c;
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    assert_string_equal(tls_peer_saw(c.peer), subject);
    http_tls_expect_alive(&c);
    http_tls_close(&c);
}

static void each_site_has_its_own(void **state)
{
    (void)state;
    begin();
    use(-1, showing("everybody's"));
    use(NODES, asking("node's", false));
    uint16_t api = http_fixture_listen_tls(&f, 0);
    uint16_t nodes = http_fixture_listen_tls(&f, NODES);
    uint16_t third = http_fixture_listen_tls(&f, 2);
    expect_face(api, "everybody's");
    expect_face(nodes, "node's");
    expect_face(third, "everybody's");
    use(NODES, asking("node's second", false));
    expect_face(api, "everybody's");
    expect_face(nodes, "node's second");
    use(-1, showing("another"));
    expect_face(api, "another");
    expect_face(nodes, "node's second");
    expect_face(third, "another");
    use(2, showing("third's"));
    expect_face(third, "third's");
    expect_face(api, "another");
    http_fixture_end(&f);
}

/* Who has come before goes on with what it was shown. */
static void who_is_there_stays(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    use(NODES, asking("first", false)); /* and there is none for everybody */
    uint16_t port = http_fixture_listen_tls(&f, NODES);
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    use(NODES, asking("second", false));
    use(-1, showing("everybody's"));
    http_tls_expect_alive(&c);
    expect_face(port, "second");
    http_tls_expect_alive(&c);
    http_tls_close(&c);
    http_fixture_end(&f);
}

/* ---- who it is ----------------------------------------------------------------------------------- */

static void expect_h1(struct http_tls *c, const char *text)
{
    static const char request[] = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char got[1500] = "";
    http_tls_say(c, request, sizeof request - 1);
    http_tls_read(c, got, sizeof got - 1);
    const char *body = strstr(got, "\r\n\r\n");
    assert_non_null(body);
    assert_string_equal(body + 4, text);
}

static void expect_h2(struct http_tls *c, const char *text)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t bytes[400], block[300], head[9];
    char payload[16384];
    size_t len = 0;
    http_tls_say(c, preface, sizeof preface - 1);
    http_tls_say(c, bytes, h2_frame(bytes, H2_SETTINGS, 0, 0, NULL, 0));
    size_t n = h2_block(block, "GET", "/peer");
    http_tls_say(c, bytes, h2_frame(bytes, H2_HEADERS, H2_BOTH, 1, block, n));
    do {
        assert_int_equal(http_tls_read(c, head, 9), 9);
        len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        assert_true(len < sizeof payload);
        assert_int_equal(http_tls_read(c, payload, len), len);
    } while (head[3] != H2_DATA);
    payload[len] = '\0';
    assert_string_equal(payload, text);
}

static void the_peer_in_both_protocols(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    use(NODES, asking("node's", true));
    uint16_t port = http_fixture_listen_tls(&f, NODES);
    dial(&c, port, HTTP_TLS_H1, node, NULL);
    assert_true(http_tls_shake(&c));
    expect_h1(&c, text_of(node, "core-b"));
    http_tls_close(&c);
    dial(&c, port, HTTP_TLS_H2, node, NULL);
    assert_true(http_tls_shake(&c));
    expect_h2(&c, text_of(node, "core-b"));
    http_tls_close(&c);
    http_fixture_end(&f);
}

static void nobody(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    use(NODES, asking("node's", false));
    use(-1, showing("everybody's"));
    uint16_t nodes = http_fixture_listen_tls(&f, NODES), api = http_fixture_listen_tls(&f, 0);
    for (unsigned i = 0; i < 2; i++) {
        dial(&c, nodes, i == 0 ? HTTP_TLS_H1 : HTTP_TLS_H2, NULL, NULL);
        assert_true(http_tls_shake(&c));
        (i == 0 ? expect_h1 : expect_h2)(&c, "local nobody");
        http_tls_close(&c);
    }
    dial(&c, api, HTTP_TLS_H1, node, NULL); /* which is not asked for there */
    assert_true(http_tls_shake(&c));
    expect_h1(&c, "local nobody");
    http_tls_close(&c);
    http_fixture_end(&f);
}

static void without_tls(void **state)
{
    (void)state;
    begin();
    int near = http_fixture_dial(&f, f.port), far = http_fixture_pair_far(&f);
    http_fixture_say(&f, near, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(http_fixture_got(&f, near)->body, "local nobody");
    http_fixture_say(&f, near,
                     "GET /peer HTTP/1.1\r\nHost: x\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\n\r\n");
    assert_string_equal(http_fixture_got(&f, near)->body, "local nobody");
    http_fixture_say(&f, far,
                     "GET /peer HTTP/1.1\r\nHost: x\r\n"
                     "X-Forwarded-For: 127.0.0.1\r\n\r\n");
    assert_string_equal(http_fixture_got(&f, far)->body, "far nobody");
    close(near);
    close(far);
    http_fixture_end(&f);
}

/* With TLS 1.3 the client hears of it after its own end of the handshake. */
static void others_do_not_come_in(void **state)
{
    const struct tls_made *const wrong[] = {stranger, stale};
    static const char request[] = "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_tls c;
    uint8_t octet;
    (void)state;
    begin();
    use(NODES, asking("node's", false));
    uint16_t port = http_fixture_listen_tls(&f, NODES);
    for (unsigned i = 0; i < 2; i++) {
        dial(&c, port, HTTP_TLS_H1, wrong[i], NULL);
        if (http_tls_shake(&c)) {
            http_tls_say(&c, request, sizeof request - 1);
            assert_int_equal(http_tls_read(&c, &octet, 1), 0);
        }
        assert_string_not_equal(tls_peer_alert(c.peer), "");
        http_tls_close(&c);
    }
    http_fixture_until(&f, &http_fixture_counters(&f)->handshakes_failed, 2);
    assert_int_equal(f.served, 0);
    http_fixture_end(&f);
}

static void a_resumed_session_is_the_same_peer(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    use(NODES, asking("node's", true));
    uint16_t port = http_fixture_listen_tls(&f, NODES);
    dial(&c, port, HTTP_TLS_H1, node, NULL);
    assert_true(http_tls_shake(&c));
    expect_h1(&c, text_of(node, "core-b"));
    SSL_SESSION *session = c.peer->session;
    if (session != NULL) { /* no ticket at all would be as good */
        SSL_SESSION_up_ref(session);
    }
    http_tls_close(&c);
    dial(&c, port, HTTP_TLS_H1, node, session);
    assert_true(http_tls_shake(&c));
    expect_h1(&c, text_of(node, "core-b"));
    http_tls_close(&c);
    SSL_SESSION_free(session);
    http_fixture_end(&f);
}

static void of_a_client_that_has_gone(void **state)
{
    static const char request[] = "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_tls c;
    char text[HTTP_FIXTURE_PEER_MAX];
    (void)state;
    begin();
    use(NODES, asking("node's", true));
    uint16_t port = http_fixture_listen_tls(&f, NODES);
    dial(&c, port, HTTP_TLS_H1, node, NULL);
    assert_true(http_tls_shake(&c));
    http_tls_say(&c, request, sizeof request - 1);
    http_fixture_wait_kept(&f, 1);
    http_fixture_peer(f.kept[0], text);
    assert_string_equal(text, text_of(node, "core-b"));
    tls_peer_free(c.peer);
    http_fixture_reset(c.fd);
    http_fixture_until(&f, &http_fixture_counters(&f)->open, 0);
    http_fixture_peer(f.kept[0], text);
    assert_string_equal(text, "local nobody");
    http_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_site_has_its_own),
        cmocka_unit_test(who_is_there_stays),
        cmocka_unit_test(the_peer_in_both_protocols),
        cmocka_unit_test(nobody),
        cmocka_unit_test(without_tls),
        cmocka_unit_test(others_do_not_come_in),
        cmocka_unit_test(a_resumed_session_is_the_same_peer),
        cmocka_unit_test(of_a_client_that_has_gone),
    };
    return cmocka_run_group_tests_name("http/site_tls", tests, make, unmake);
}

/* lib/tls_look_uv: against servers of lib/tls on loopback, and against those who are none. */
#include "lib/tls_look_uv.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cert/authority.h"
#include "tls_peer.h"

#define DEADLINE_MS 20000

enum manner { TALKS, SILENT, HANGS_UP, BABBLES };

static struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_tcp_t listener, peer;
    struct tls_context *context;
    struct tls_conn *conn; /* the server's */
    enum manner manner;
    enum tls_state server; /* when the peer has gone */
    struct sockaddr_storage address;
    bool accepted, cancel;
    struct tls_look *look;
    unsigned told;
    enum err e;
    struct err_info info;
    struct tls_looked seen;
    uint8_t chunk[65536];
} t;

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened in time");
}

/* ---- the server ---------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *h, size_t want, uv_buf_t *buf)
{
    (void)h;
    (void)want;
    *buf = uv_buf_init((char *)t.chunk, sizeof t.chunk);
}

static void write_all(uv_stream_t *s)
{
    const uint8_t *bytes;
    for (size_t n; (n = tls_conn_out(t.conn, &bytes)) > 0; tls_conn_sent(t.conn, n)) {
        uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)n);
        assert_int_equal(uv_try_write(s, &buf, 1), n);
    }
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    uint8_t plain[64];
    if (n < 0) {
        if (t.conn != NULL) {
            t.server = tls_conn_state(t.conn);
        }
        uv_close((uv_handle_t *)s, NULL);
        t.accepted = false;
    } else if (t.conn != NULL) {
        assert_int_equal(tls_conn_feed(t.conn, buf->base, (size_t)n), ERR_OK);
        assert_int_equal(tls_conn_read(t.conn, plain, sizeof plain), 0); /* nothing is said */
        write_all(s);
    }
}

static void babble(uv_write_t *w, int rc)
{
    static uint8_t noise[16384 + 5] = {22, 3, 3, 64, 0, 11, 0xff, 0xff, 0xff};
    uv_buf_t buf = uv_buf_init((char *)noise, sizeof noise);
    if (rc == 0 && t.accepted) {
        uv_write(w, (uv_stream_t *)&t.peer, &buf, 1, babble);
    }
}

static void on_peer(uv_stream_t *listener, int rc)
{
    static uv_write_t w;
    assert_int_equal(rc, 0);
    uv_tcp_init(&t.loop, &t.peer);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&t.peer), 0);
    t.accepted = true;
    if (t.cancel) {
        tls_look_cancel(t.look);
        tls_look_cancel(t.look); /* again: nothing */
    }
    if (t.manner == HANGS_UP) {
        t.accepted = false;
        uv_close((uv_handle_t *)&t.peer, NULL);
        return;
    }
    tls_conn_free(t.conn); /* of the look before */
    t.conn = t.manner == TALKS ? tls_conn_new(t.context, TLS_USE_HTTP) : NULL;
    uv_read_start((uv_stream_t *)&t.peer, on_alloc, on_read);
    if (t.manner == BABBLES) {
        babble(&w, 0);
    }
}

static int setup(void **state)
{
    struct sockaddr_in any;
    int len = sizeof t.address;
    (void)state;
    memset(&t, 0, sizeof t);
    uv_ip4_addr("127.0.0.1", 0, &any);
    if (uv_loop_init(&t.loop) != 0 || uv_timer_init(&t.loop, &t.deadline) != 0 ||
        uv_tcp_init(&t.loop, &t.listener) != 0 ||
        uv_tcp_bind(&t.listener, (struct sockaddr *)&any, 0) != 0 ||
        uv_listen((uv_stream_t *)&t.listener, 8, on_peer) != 0) {
        return -1;
    }
    t.context = tls_context_for("DNS:a.example");
    return uv_tcp_getsockname(&t.listener, (struct sockaddr *)&t.address, &len);
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    if (!uv_is_closing((uv_handle_t *)&t.listener)) {
        uv_close((uv_handle_t *)&t.listener, NULL);
    }
    if (t.accepted) {
        uv_close((uv_handle_t *)&t.peer, NULL);
    }
    uv_close((uv_handle_t *)&t.deadline, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    tls_conn_free(t.conn);
    tls_context_unref(t.context);
    return uv_loop_close(&t.loop);
}

/* ---- looking ------------------------------------------------------------------------------- */

static void on_look(void *ctx, enum err e, const struct err_info *info,
                    const struct tls_looked *looked)
{
    assert_ptr_equal(ctx, &t);
    assert_true((e == ERR_OK) == (looked != NULL));
    t.told++;
    t.e = e;
    t.info = *info;
    if (looked != NULL) {
        t.seen = *looked;
    }
    uv_timer_stop(&t.deadline);
    uv_stop(&t.loop);
}

static void look(const char *name, const char *alpn)
{
    t.told = 0;
    uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
    t.look = tls_look_start(&t.loop, &t.address, name, alpn, on_look, &t);
    assert_non_null(t.look);
    assert_int_equal(t.told, 0); /* not inside the call */
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.told, 1);
    uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
    while (t.accepted && t.manner == TALKS) { /* the server sees the end, too */
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.deadline);
}

static void show(const struct tls_made *const *made, size_t count)
{
    struct tls_pair *pairs[2];
    tls_context_unref(t.context);
    for (size_t i = 0; i < count; i++) {
        pairs[i] = tls_pair_of(made[i]);
    }
    t.context = tls_context_of(pairs, count, NULL);
    for (size_t i = 0; i < count; i++) {
        tls_pair_unref(pairs[i]);
    }
}

static const struct tls_pair_info *shown(const char *name)
{
    return tls_pair_info(tls_context_pair(t.context, name));
}

static void the_leaf_is_told_by_its_fingerprint_and_number(void **state)
{
    (void)state;
    look("a.example", NULL);
    assert_int_equal(t.e, ERR_OK);
    assert_string_equal(t.seen.sha256, shown(NULL)->sha256);
    assert_string_equal(t.seen.serial, shown(NULL)->serial);
    assert_string_equal(t.seen.alpn, "");
    assert_string_equal(t.seen.acme_identifier, "");
    /* A whole handshake, and a proper end: nobody counts it among the failed. */
    assert_int_equal(t.server, TLS_ENDED);
}

static void the_name_decides_which_is_shown(void **state)
{
    struct tls_made *a = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    struct tls_made *b = tls_make(&(struct tls_make){.names = "DNS:b.example"});
    (void)state;
    show((const struct tls_made *const[]){a, b}, 2);
    look("b.example", NULL);
    assert_string_equal(t.seen.sha256, shown("b.example")->sha256);
    look(NULL, NULL);
    assert_string_equal(t.seen.sha256, shown(NULL)->sha256);
    assert_string_not_equal(shown(NULL)->sha256, shown("b.example")->sha256);
    tls_made_free(a);
    tls_made_free(b);
}

/* RFC 7469 §2.4, by the PEM reader's way to it. */
static void the_public_key_is_told(void **state)
{
    static const char *const kinds[] = {"EC P-256", "RSA 2048"};
    char pin[CERT_PIN];
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct tls_made *m =
            tls_make(&(struct tls_make){.key = kinds[i], .names = "DNS:a.example"});
        show((const struct tls_made *const[]){m}, 1);
        look("a.example", NULL);
        assert_int_equal(cert_pin(m->cert, strlen(m->cert), pin, NULL), ERR_OK);
        assert_string_equal(t.seen.pin, pin);
        tls_made_free(m);
    }
}

static void what_is_expired_is_seen_all_the_same(void **state)
{
    struct tls_made *old =
        tls_make(&(struct tls_make){.names = "DNS:a.example", .from_s = -7200, .to_s = -3600});
    (void)state;
    show((const struct tls_made *const[]){old}, 1);
    look("a.example", "h2");
    assert_int_equal(t.e, ERR_OK);
    assert_string_equal(t.seen.sha256, shown(NULL)->sha256);
    assert_string_equal(t.seen.alpn, "h2");
    tls_made_free(old);
}

static void a_protocol_that_is_not_spoken_is_refused(void **state)
{
    (void)state;
    look("a.example", "smtp");
    assert_int_equal(t.e, ERR_DENIED);
    assert_non_null(strstr(t.info.text, "the handshake has failed: "));
}

static void an_acme_identifier_is_read(void **state)
{
    static const uint8_t digest[34] = {4, 32, 0xab, 0xcd, [33] = 0x01};
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    (void)state;
    ASN1_OCTET_STRING_set(value, digest, sizeof digest);
    X509_EXTENSION *ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    X509_add_ext(m->x, ext, -1);
    assert_true(X509_sign(m->x, m->key, EVP_sha256()) > 0);
    tls_made_write(m);
    show((const struct tls_made *const[]){m}, 1);
    look("a.example", NULL);
    assert_string_equal(t.seen.acme_identifier,
                        "abcd000000000000000000000000000000000000000000000000000000000001");
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
    tls_made_free(m);
}

static void who_is_not_there_is_unavailable(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&t.listener, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    look("a.example", NULL);
    assert_int_equal(t.e, ERR_UNAVAIL);
}

static void an_address_that_is_none(void **state)
{
    (void)state;
    memset(&t.address, 0, sizeof t.address);
    look("a.example", NULL);
    assert_int_equal(t.e, ERR_UNAVAIL);
}

static void who_hangs_up_has_refused(void **state)
{
    (void)state;
    t.manner = HANGS_UP;
    look("a.example", NULL);
    assert_true(t.e == ERR_DENIED || t.e == ERR_UNAVAIL); /* FIN or RST */
}

static void who_says_too_much_is_left(void **state)
{
    (void)state;
    t.manner = BABBLES;
    look("a.example", NULL);
    assert_int_equal(t.e, ERR_DENIED);
}

static void speed_up(uv_handle_t *h, void *found)
{
    if (h->type == UV_TIMER && h != (uv_handle_t *)&t.deadline && uv_is_active(h)) {
        uv_timer_t *timer = (uv_timer_t *)h;
        assert_true(uv_timer_get_due_in(timer) > TLS_LOOK_WAIT_MS - 1000);
        assert_true(uv_timer_get_due_in(timer) <= TLS_LOOK_WAIT_MS);
        uv_timer_start(timer, timer->timer_cb, 100, 0);
        ++*(unsigned *)found;
    }
}

static void who_is_silent_is_not_waited_for(void **state)
{
    unsigned found = 0;
    (void)state;
    t.manner = SILENT;
    t.look = tls_look_start(&t.loop, &t.address, NULL, NULL, on_look, &t);
    uv_walk(&t.loop, speed_up, &found);
    assert_int_equal(found, 1);
    uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.e, ERR_TIMEOUT);
}

static void canceled_at_once(void **state)
{
    (void)state;
    t.look = tls_look_start(&t.loop, &t.address, NULL, NULL, on_look, &t);
    tls_look_cancel(t.look);
    assert_int_equal(t.told, 0);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.e, ERR_CANCELED);
    assert_int_equal(t.told, 1);
}

static void canceled_in_the_middle(void **state)
{
    (void)state;
    t.cancel = true;
    look("a.example", NULL);
    assert_int_equal(t.e, ERR_CANCELED);
    assert_string_equal(t.info.text, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_leaf_is_told_by_its_fingerprint_and_number),
        TEST(the_name_decides_which_is_shown),
        TEST(the_public_key_is_told),
        TEST(what_is_expired_is_seen_all_the_same),
        TEST(a_protocol_that_is_not_spoken_is_refused),
        TEST(an_acme_identifier_is_read),
        TEST(who_is_not_there_is_unavailable),
        TEST(an_address_that_is_none),
        TEST(who_hangs_up_has_refused),
        TEST(who_says_too_much_is_left),
        TEST(who_is_silent_is_not_waited_for),
        TEST(canceled_at_once),
        TEST(canceled_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

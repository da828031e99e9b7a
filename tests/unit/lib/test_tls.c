/* lib/tls: one connection over memory, against OpenSSL's client. */
#include "lib/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "memory.h"
#include "openssl_memory.h"
#include "tls_peer.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define BIG       100000
#define OCTETS(s) (s), sizeof(s) - 1

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static struct tls_context *context;
static uint8_t big[BIG];

/* The connection of each test, and its client. */
static struct tls_conn *c;
static struct tls_caller *p;

static int make_context(void **state)
{
    (void)state;
    context = tls_context_for("DNS:a.example");
    for (size_t i = 0; i < BIG; i++) {
        big[i] = (uint8_t)(i * 31 + i / 251);
    }
    return 0;
}

static int free_context(void **state)
{
    (void)state;
    tls_context_unref(context);
    return 0;
}

static void begin(const struct tls_peer_options *o)
{
    p = tls_peer_new(o);
    c = tls_conn_new(context, TLS_USE_DOT);
    assert_non_null(c);
    assert_int_equal(tls_conn_state(c), TLS_HANDSHAKE);
}

static void finish(void)
{
    tls_conn_free(c);
    tls_peer_free(p);
    c = NULL;
    p = NULL;
}

static void open_with(int version)
{
    begin(&(struct tls_peer_options){.version = version});
    assert_true(tls_peer_run(p, c, SIZE_MAX));
    assert_int_equal(tls_conn_state(c), TLS_OPEN);
}

/* What there is to read, terminated. */
static const char *heard(void)
{
    static char text[BIG * 2];
    size_t n = tls_conn_read(c, text, sizeof text - 1);
    text[n] = '\0';
    return text;
}

static size_t waiting(void)
{
    const uint8_t *bytes;
    return tls_conn_out(c, &bytes);
}

/* What the client has to send, taken away from it. */
static size_t take(uint8_t *out, size_t cap)
{
    int n = BIO_read(p->out, out, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

static void expect_failed(const char *why)
{
    assert_int_equal(tls_conn_state(c), TLS_FAILED);
    assert_string_equal(tls_conn_failure(c), why);
    assert_int_equal(tls_conn_write(c, "x", 1), ERR_UNAVAIL);
    assert_int_equal(tls_conn_feed(c, "x", 1), ERR_OK); /* ignored */
    assert_string_equal(heard(), "");
    tls_conn_end(c);
    assert_string_equal(tls_conn_failure(c), why);
}

/* ---- talking ------------------------------------------------------------------------------- */

static void a_conversation_in_pieces_of_any_size(void **state)
{
    static const size_t steps[] = {1, 7, 1000, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(steps); i++) {
        begin(&(struct tls_peer_options){.version = versions[i % 2]});
        assert_true(tls_peer_run(p, c, steps[i / 2]));
        assert_int_equal(tls_conn_state(c), TLS_OPEN);
        assert_string_equal(tls_conn_version(c), i % 2 == 0 ? "TLSv1.2" : "TLSv1.3");
        assert_string_equal(tls_conn_failure(c), "");
        assert_false(tls_conn_resumed(c));
        tls_peer_say(p, c, "hello");
        assert_string_equal(heard(), "hello");
        assert_string_equal(heard(), "");
        assert_int_equal(tls_conn_write(c, "world", 5), ERR_OK);
        assert_string_equal(tls_peer_heard(p, c), "world");
        finish();
    }
}

/* The last of the handshake and the first of the questions in one packet. */
static void a_question_with_the_handshakes_end(void **state)
{
    uint8_t bytes[8192];
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        begin(&(struct tls_peer_options){.version = versions[i]});
        const uint8_t *out;
        size_t n;
        while (SSL_do_handshake(p->ssl) != 1) {
            if ((n = take(bytes, sizeof bytes)) > 0) {
                assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
            }
            n = tls_conn_out(c, &out);
            assert_true(n > 0);
            BIO_write(p->in, out, (int)n);
            tls_conn_sent(c, n);
        }
        SSL_write(p->ssl, "now", 3);
        n = take(bytes, sizeof bytes);
        if (versions[i] == TLS1_3_VERSION) { /* the client's Finished is in there, too */
            assert_int_equal(tls_conn_state(c), TLS_HANDSHAKE);
        }
        assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
        assert_int_equal(tls_conn_state(c), TLS_OPEN);
        assert_string_equal(heard(), "now");
        finish();
    }
}

static void many_questions_in_one_feed(void **state)
{
    struct str all = {.text = NULL};
    static uint8_t bytes[BIG];
    char text[32], part[10];
    (void)state;
    open_with(TLS1_3_VERSION);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "question %d.", i);
        SSL_write(p->ssl, text, (int)strlen(text));
        str_append(&all, text);
    }
    size_t n = take(bytes, sizeof bytes);
    assert_int_equal(tls_conn_feed(c, bytes, n - 100), ERR_OK);
    assert_int_equal(tls_conn_feed(c, bytes + n - 100, 100), ERR_OK); /* not yet read: it is kept */
    struct str got = {.text = NULL};
    while ((n = tls_conn_read(c, part, sizeof part)) > 0) { /* a record in several parts */
        str_append_n(&got, part, n);
    }
    assert_string_equal(got.text, all.text);
    str_free(&got);
    str_free(&all);
    finish();
}

static unsigned records(size_t *octets)
{
    const uint8_t *at;
    size_t n = tls_conn_out(c, &at);
    struct buf_reader r = buf_reader_of(at, n);
    unsigned count = 0;
    for (; buf_left(&r) > 0; count++) {
        assert_int_equal(buf_u8(&r), SSL3_RT_APPLICATION_DATA);
        buf_u16(&r);
        buf_take(&r, buf_u16(&r));
    }
    assert_false(r.bad);
    *octets = n;
    return count;
}

/* 16 KiB each: RFC 8446 §5.1. */
static void a_write_is_as_few_records_as_it_can_be(void **state)
{
    static const struct {
        size_t len;
        unsigned records;
    } rows[] = {{1, 1}, {16384, 1}, {16385, 2}, {BIG, 7}};
    static uint8_t got[BIG];
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t octets, len = rows[i / 2].len, n, sum = 0;
        open_with(versions[i % 2]);
        assert_int_equal(waiting(), 0);
        assert_int_equal(tls_conn_write(c, big, len), ERR_OK);
        assert_int_equal(records(&octets), rows[i / 2].records);
        assert_true(octets - len <= 40 * rows[i / 2].records);
        (void)tls_peer_run(p, c, SIZE_MAX);
        while (sum < len && SSL_read_ex(p->ssl, got + sum, sizeof got - sum, &n) == 1) {
            sum += n;
        }
        assert_int_equal(sum, len);
        assert_memory_equal(got, big, len);
        assert_int_equal(tls_conn_write(c, big, 0), ERR_OK);
        assert_int_equal(waiting(), 0); /* nothing is no record */
        finish();
    }
}

static void what_is_written_waits_in_order(void **state)
{
    const uint8_t *out;
    struct str all = {.text = NULL};
    char text[32];
    (void)state;
    open_with(TLS1_3_VERSION);
    for (int i = 0; i < 400; i++) { /* and is taken away a bit at a time, between writes */
        snprintf(text, sizeof text, "answer %d.", i);
        assert_int_equal(tls_conn_write(c, text, strlen(text)), ERR_OK);
        str_append(&all, text);
        size_t n = tls_conn_out(c, &out);
        n = n < 31 ? n : 31;
        BIO_write(p->in, out, (int)n);
        tls_conn_sent(c, n);
    }
    assert_string_equal(tls_peer_heard(p, c), all.text);
    assert_int_equal(waiting(), 0);
    str_free(&all);
    finish();
}

static void much_in_both_directions(void **state)
{
    static uint8_t got[BIG];
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        size_t sum = 0;
        uint8_t bytes[3001];
        assert_int_equal(SSL_write(p->ssl, big, BIG), BIG);
        for (size_t n; (n = take(bytes, sizeof bytes)) > 0;) {
            assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
            sum += tls_conn_read(c, got + sum, sizeof got - sum);
        }
        assert_int_equal(sum, BIG);
        assert_memory_equal(got, big, BIG);
        finish();
    }
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void the_client_ends_first(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        SSL_write(p->ssl, "last", 4);
        SSL_shutdown(p->ssl);
        SSL_write(p->ssl, "more", 4); /* refused by OpenSSL itself */
        (void)tls_peer_run(p, c, SIZE_MAX);
        assert_string_equal(heard(), "last");
        assert_int_equal(tls_conn_state(c), TLS_ENDED);
        assert_int_equal(tls_conn_feed(c, "garbage", 7), ERR_OK); /* ignored */
        assert_string_equal(heard(), "");
        assert_int_equal(tls_conn_write(c, "answer", 6), ERR_OK);
        tls_conn_end(c);
        assert_string_equal(tls_peer_heard(p, c), "answer");
        assert_true(tls_peer_ended(p));
        assert_int_equal(tls_conn_state(c), TLS_ENDED);
        assert_string_equal(tls_conn_failure(c), "");
        finish();
    }
}

static void we_end_first(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        assert_int_equal(tls_conn_write(c, "answer", 6), ERR_OK);
        tls_conn_end(c);
        size_t n = waiting();
        tls_conn_end(c);
        assert_int_equal(waiting(), n); /* once is enough */
        assert_int_equal(tls_conn_write(c, "more", 4), ERR_UNAVAIL);
        assert_int_equal(tls_conn_state(c), TLS_OPEN);
        tls_peer_say(p, c, "still here"); /* it does not know yet */
        assert_string_equal(heard(), "still here");
        assert_string_equal(tls_peer_heard(p, c), "answer");
        assert_true(tls_peer_ended(p));
        SSL_shutdown(p->ssl);
        (void)tls_peer_run(p, c, SIZE_MAX);
        assert_string_equal(heard(), "");
        assert_int_equal(tls_conn_state(c), TLS_ENDED);
        finish();
    }
}

static void ends_that_cross(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        tls_conn_end(c);
        SSL_shutdown(p->ssl);
        (void)tls_peer_run(p, c, 1);
        assert_string_equal(heard(), "");
        assert_int_equal(tls_conn_state(c), TLS_ENDED);
        assert_string_equal(tls_peer_heard(p, c), "");
        assert_true(tls_peer_ended(p));
        finish();
    }
}

static void before_the_handshake_is_over(void **state)
{
    uint8_t hello[2000];
    (void)state;
    begin(&(struct tls_peer_options){.version = 0});
    tls_conn_end(c);
    assert_int_equal(tls_conn_write(c, "x", 1), ERR_UNAVAIL);
    assert_string_equal(heard(), "");
    assert_int_equal(waiting(), 0);
    (void)SSL_do_handshake(p->ssl);
    size_t n = take(hello, sizeof hello);
    assert_int_equal(tls_conn_feed(c, hello, 0), ERR_OK);
    assert_int_equal(tls_conn_feed(c, hello, n), ERR_OK);
    size_t flight = waiting();
    assert_true(flight > 0);
    tls_conn_end(c);
    assert_int_equal(tls_conn_write(c, "x", 1), ERR_UNAVAIL);
    assert_int_equal(waiting(), flight);
    assert_true(tls_peer_run(p, c, SIZE_MAX)); /* no harm was done */
    assert_int_equal(tls_conn_state(c), TLS_OPEN);
    finish();
    tls_conn_free(NULL);
}

/* Freed in every state, with whatever waits: what the sanitizer would see. */
static void freed_at_any_point(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (size_t stop = 0; stop < 1200; stop += 37) {
            uint8_t octet;
            const uint8_t *out;
            size_t n = stop;
            begin(&(struct tls_peer_options){.version = versions[v]});
            while (n > 0) {
                (void)SSL_do_handshake(p->ssl);
                if (take(&octet, 1) == 0) {
                    size_t got = tls_conn_out(c, &out);
                    if (got == 0) {
                        break;
                    }
                    BIO_write(p->in, out, (int)got);
                    tls_conn_sent(c, got);
                    continue;
                }
                assert_int_equal(tls_conn_feed(c, &octet, 1), ERR_OK);
                n--;
            }
            finish();
        }
    }
}

/* ---- strangers ----------------------------------------------------------------------------- */

static void what_is_not_tls(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        {OCTETS("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"), "http request"},
        {OCTETS("CONNECT a.example:443 HTTP/1.1\r\n\r\n"), "https proxy request"},
        {OCTETS("SSH-2.0-OpenSSH_9.2\r\n"), "wrong version number"},
        {OCTETS("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1"),
         "wrong version number"},
        {OCTETS("\x15\x03\x01\x00\x02\x02\x28"), "unexpected message"},
        {OCTETS("\x17\x03\x03\x00\x05hello"), "unexpected message"},
        {OCTETS("\x14\x03\x03\x00\x01\x01"), "unexpected message"},
        {OCTETS("\x16\x03\x01\xff\xff"), "packet length too long"},
        {OCTETS("\x16\x03\x01\x00\x04\x0e\x00\x00\x00"), "unexpected message"},
        {OCTETS("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"), "length too short"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t step = i % 2 == 0 ? rows[i / 2].len : 1;
        begin(&(struct tls_peer_options){.version = 0});
        for (size_t at = 0; at < rows[i / 2].len; at += step) {
            assert_int_equal(tls_conn_feed(c, rows[i / 2].bytes + at, step), ERR_OK);
        }
        expect_failed(rows[i / 2].why);
        assert_true(waiting() <= 7); /* an alert or nothing */
        assert_int_equal(ERR_peek_error(), 0);
        finish();
    }
}

static void an_alert_of_the_client(void **state)
{
    (void)state;
    /* It does not like the version, and says so. */
    begin(&(struct tls_peer_options){.version = TLS1_3_VERSION, .sigalgs = "ECDSA+SHA256"});
    SSL_set_verify(p->ssl, SSL_VERIFY_PEER, NULL);
    assert_false(tls_peer_run(p, c, SIZE_MAX));
    expect_failed("tlsv1 alert unknown ca");
    finish();
}

/* Any octet that is changed on the way: the connection fails and says so, and nothing is read. */
static void what_is_changed_on_the_way(void **state)
{
    static const char *const why[] = {"cipher operation failed",
                                      "decryption failed or bad record mac"};
    uint8_t bytes[100];
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (size_t i = 5; i < 24; i++) {
            open_with(versions[v]);
            SSL_write(p->ssl, "hello", 5);
            size_t n = take(bytes, sizeof bytes);
            assert_true(n > i);
            bytes[i] ^= 0x20;
            assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
            assert_string_equal(heard(), "");
            expect_failed(why[v]);
            (void)tls_peer_heard(p, c);
            assert_string_equal(tls_peer_alert(p), "bad record mac");
            finish();
        }
    }
}

static void records_that_are_too_long(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        assert_int_equal(tls_conn_feed(c, "\x17\x03\x03\x60\x00", 5), ERR_OK);
        assert_string_equal(heard(), "");
        expect_failed("packet length too long");
        finish();
    }
}

/* ---- bounds -------------------------------------------------------------------------------- */

/* A client with KIB KiB of protocols to offer. */
static void begin_with_much(size_t kib)
{
    struct str alpn = {.text = NULL};
    for (size_t i = 0; i < kib * 8; i++) {
        str_append(&alpn, "\x7f");
        for (int k = 0; k < 127; k++) {
            str_append(&alpn, "x");
        }
    }
    str_append(&alpn, "\3dot");
    begin(&(struct tls_peer_options){.alpn = alpn.text});
    str_free(&alpn);
}

/* OpenSSL would take 128 KiB, and make room for it at once. */
static void a_client_that_never_stops_to_say_hello(void **state)
{
    static const size_t steps[] = {1, 3, 1000, 20000, SIZE_MAX};
    static uint8_t bytes[70000];
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(steps); i++) {
        bool large = i % 2 != 0;
        begin_with_much(large ? 60 : 8);
        (void)SSL_do_handshake(p->ssl);
        size_t n = take(bytes, sizeof bytes), before = memory_in_use();
        for (size_t at = 0; at < n && tls_conn_state(c) == TLS_HANDSHAKE;) {
            size_t step = n - at < steps[i / 2] ? n - at : steps[i / 2];
            assert_int_equal(tls_conn_feed(c, bytes + at, step), ERR_OK);
            assert_true(memory_in_use() < before + 80000);
            at += step;
        }
        if (large) {
            expect_failed("too much besides application data");
            assert_true(memory_in_use() < before);
            assert_int_equal(waiting(), 0);
        } else {
            assert_true(n > 8192);
            assert_true(waiting() > 500);
            assert_true(tls_peer_run(p, c, SIZE_MAX)); /* it was answered */
            assert_int_equal(tls_conn_state(c), TLS_OPEN);
        }
        finish();
    }
}

/* It only says that it will send so much. */
static void what_a_client_announces(void **state)
{
    static const struct {
        const char *octets;
        size_t len;
        bool taken;
    } rows[] = {
        {OCTETS("\x16\x03\x01\x00\x04\x01\x00\x3f\xfc"), true}, /* TLS_TALK_MAX with its head */
        {OCTETS("\x16\x03\x01\x00\x04\x01\x00\x3f\xfd"), false},
        {OCTETS("\x16\x03\x01\x02\x00\x01\x02\x00\x00"), false},
        {OCTETS("\x16\x03\x01\x00\x03\x01\x00\x00"), false}, /* not even a head */
        {OCTETS("\x16\x03\x01\x00\x04\x01\x00\x01\x00\x16\x03\x01\x00\x01\xff"),
         true}, /* goes on */
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t step = i % 2 == 0 ? rows[i / 2].len : 1, before = memory_in_use();
        begin(&(struct tls_peer_options){.version = 0});
        size_t with = memory_in_use() - before;
        for (size_t at = 0; at < rows[i / 2].len; at += step) {
            assert_int_equal(tls_conn_feed(c, rows[i / 2].octets + at, step), ERR_OK);
        }
        if (rows[i / 2].taken) {
            assert_int_equal(tls_conn_state(c), TLS_HANDSHAKE);
            assert_true(memory_in_use() - before < with + 70000);
        } else {
            expect_failed("too much besides application data");
        }
        finish();
    }
}

/* After a HelloRetryRequest a second one comes, which has the same bounds. */
static void the_second_hello(void **state)
{
    uint8_t bytes[8192];
    const uint8_t *out;
    (void)state;
    for (int honest = 0; honest < 2; honest++) {
        begin(&(struct tls_peer_options){.version = TLS1_3_VERSION, .groups = "P-521:P-384"});
        (void)SSL_do_handshake(p->ssl);
        size_t n = take(bytes, sizeof bytes);
        assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
        assert_int_equal(tls_conn_state(c), TLS_HANDSHAKE);
        n = tls_conn_out(c, &out);
        assert_true(n > 0 && n < 200);
        if (honest != 0) {
            assert_true(tls_peer_run(p, c, 1));
            assert_int_equal(tls_conn_state(c), TLS_OPEN);
        } else {
            size_t before = memory_in_use();
            assert_int_equal(tls_conn_feed(c, "\x16\x03\x01\x02\x00\x01\x01\xff\xff", 9), ERR_OK);
            assert_true(memory_in_use() < before);
            expect_failed("too much besides application data");
        }
        finish();
    }
}

/* Key updates are answered, and an ordinary number of them is (RFC 8446 §4.6.3). */
static void key_updates(void **state)
{
    unsigned updates = 0;
    (void)state;
    open_with(TLS1_3_VERSION);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        tls_peer_say(p, c, "a");
        assert_string_equal(heard(), "a");
        assert_int_equal(tls_conn_write(c, "b", 1), ERR_OK);
        assert_string_equal(tls_peer_heard(p, c), "b");
    }
    while (tls_conn_state(c) == TLS_OPEN && updates < 10000) {
        assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        (void)SSL_do_handshake(p->ssl);
        (void)tls_peer_run(p, c, SIZE_MAX);
        assert_string_equal(heard(), "");
        updates++;
    }
    assert_true(updates > 300 && updates < TLS_TALK_MAX / 26);
    expect_failed("too much besides application data");
    finish();
}

/* All in one feed: there is an end to it before all of it was looked at. */
static void key_updates_by_the_thousand(void **state)
{
    static uint8_t bytes[BIG * 2];
    size_t n = 0;
    (void)state;
    open_with(TLS1_3_VERSION);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        (void)SSL_do_handshake(p->ssl);
        n += take(bytes + n, sizeof bytes - n);
    }
    assert_true(n > 60000);
    assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
    assert_string_equal(heard(), "");
    expect_failed("too much besides application data");
    assert_true(waiting() < TLS_TALK_MAX + 100); /* no more than it said itself */
    finish();
}

/* With a warning, upon which OpenSSL's client gives up (RFC 5246 §7.2.2, RFC 9113 §9.2.1). */
static void renegotiation_is_refused(void **state)
{
    uint8_t bytes[2000];
    const uint8_t *out;
    (void)state;
    open_with(TLS1_2_VERSION);
    assert_int_equal(SSL_renegotiate(p->ssl), 1);
    (void)SSL_do_handshake(p->ssl);
    size_t n = take(bytes, sizeof bytes);
    assert_true(n > 100);
    assert_int_equal(tls_conn_feed(c, bytes, n), ERR_OK);
    assert_string_equal(heard(), "");
    assert_int_equal(tls_conn_state(c), TLS_OPEN);
    assert_int_equal(tls_conn_out(c, &out), 5 + 8 + 2 + 16);
    assert_int_equal(out[0], SSL3_RT_ALERT);
    assert_int_equal(tls_conn_write(c, "still here", 10), ERR_OK);
    assert_false(tls_peer_run(p, c, SIZE_MAX));
    finish();
}

/* Half a ClientHello inside a TLS 1.2 connection: OpenSSL would make room for all that it announces,
 * and want the rest before it sends anything. */
static void half_a_handshake_message(void **state)
{
    uint8_t bytes[4096];
    char name[251] = "";
    (void)state;
    memset(name, 'x', sizeof name - 1);
    begin(&(struct tls_peer_options){
        .version = TLS1_2_VERSION, .sni = name, .suites12 = "ALL:COMPLEMENTOFALL"});
    assert_true(tls_peer_run(p, c, SIZE_MAX));
    SSL_set_max_send_fragment(p->ssl, 512);
    assert_int_equal(SSL_renegotiate(p->ssl), 1);
    (void)SSL_do_handshake(p->ssl);
    size_t n = take(bytes, sizeof bytes), first = 5 + (size_t)get_u16(bytes + 3);
    assert_true(n > first); /* two records */
    assert_int_equal(tls_conn_feed(c, bytes, first), ERR_OK);
    size_t before = memory_in_use();
    assert_int_equal(tls_conn_state(c), TLS_OPEN);
    assert_int_equal(tls_conn_write(c, "answer", 6), ERR_OK); /* it has not been read yet */
    assert_string_equal(heard(), "");
    expect_failed("half a handshake message");
    assert_true(memory_in_use() < before);
    finish();
}

/* An idle connection has no buffers; the figure is what OpenSSL keeps. */
static void what_an_idle_connection_holds(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        size_t before = memory_in_use();
        struct tls_conn *extra = tls_conn_new(context, TLS_USE_DOT);
        struct tls_caller *peer = tls_peer_new(&(struct tls_peer_options){.version = versions[v]});
        size_t with_peer = memory_in_use();
        assert_true(tls_peer_run(peer, extra, SIZE_MAX));
        tls_peer_say(peer, extra, "hello");
        c = extra;
        assert_string_equal(heard(), "hello");
        assert_int_equal(tls_conn_write(c, big, BIG), ERR_OK);
        (void)tls_peer_heard(peer, c);
        assert_true(with_peer > before);
        tls_peer_free(peer);
        size_t held = memory_in_use() - before;
        assert_true(held > 1000 && held < 24 * 1024);
        tls_conn_free(extra);
        c = NULL;
    }
}

/* ---- others -------------------------------------------------------------------------------- */

/* What one connection, or anybody else on this thread, leaves in OpenSSL's queue of errors must not be
 * taken for another's. */
static void errors_do_not_bleed(void **state)
{
    struct tls_caller *good_peer;
    struct tls_conn *good;
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        open_with(versions[v]);
        good = c;
        good_peer = p;
        begin(&(struct tls_peer_options){.version = 0});
        assert_int_equal(tls_conn_feed(c, "GET / HTTP/1.0\r\n\r\n", 18), ERR_OK);
        assert_int_equal(tls_conn_state(c), TLS_FAILED);
        assert_int_equal(ERR_peek_error(), 0);
        finish();
        c = good;
        p = good_peer;
        uint8_t bytes[100];
        SSL_write(p->ssl, "hello", 5);
        size_t n = take(bytes, sizeof bytes);
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
        assert_int_equal(tls_conn_feed(c, bytes, n - 3), ERR_OK);
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
        assert_string_equal(heard(), ""); /* the beginning of a record */
        assert_int_equal(tls_conn_state(c), TLS_OPEN);
        assert_int_equal(tls_conn_feed(c, bytes + n - 3, 3), ERR_OK);
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
        assert_string_equal(heard(), "hello");
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
        assert_int_equal(tls_conn_write(c, "world", 5), ERR_OK);
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
        tls_conn_end(c);
        assert_int_equal(tls_conn_state(c), TLS_OPEN);
        assert_string_equal(tls_peer_heard(p, c), "world");
        finish();
    }
}

/* A handshake with an error in the queue at each step. */
static void errors_do_not_bleed_into_a_handshake(void **state)
{
    uint8_t octet;
    const uint8_t *out;
    (void)state;
    begin(&(struct tls_peer_options){.version = TLS1_3_VERSION});
    for (int i = 0; i < 5000 && tls_conn_state(c) == TLS_HANDSHAKE; i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(p->ssl);
        if (take(&octet, 1) == 1) {
            ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
            assert_int_equal(tls_conn_feed(c, &octet, 1), ERR_OK);
            continue;
        }
        size_t n = tls_conn_out(c, &out);
        BIO_write(p->in, out, (int)n);
        tls_conn_sent(c, n);
    }
    assert_int_equal(tls_conn_state(c), TLS_OPEN);
    finish();
}

/* A whole life with each allocation failing in turn: it ends in one of the ways the header has. The
 * client's memory is the same, so it may be the client that fails. */
static bool live(void)
{
    uint8_t bytes[8192];
    const uint8_t *out;
    struct tls_conn *conn = tls_conn_new(context, TLS_USE_DOT);
    bool well = conn != NULL;
    for (int turn = 0; well && turn < 6 && tls_conn_state(conn) == TLS_HANDSHAKE; turn++) {
        (void)SSL_do_handshake(p->ssl);
        size_t n = take(bytes, sizeof bytes);
        well = tls_conn_feed(conn, bytes, n) == ERR_OK;
        n = tls_conn_out(conn, &out);
        BIO_write(p->in, out, (int)n);
        tls_conn_sent(conn, n);
    }
    if (well && tls_conn_state(conn) == TLS_OPEN) {
        SSL_write(p->ssl, "hello", 5);
        size_t n = take(bytes, sizeof bytes);
        well = tls_conn_feed(conn, bytes, n) == ERR_OK;
        n = tls_conn_read(conn, bytes, sizeof bytes);
        well = well && n == 5 && tls_conn_write(conn, big, BIG) == ERR_OK;
        tls_conn_end(conn);
    }
    if (conn != NULL) {
        well = well && tls_conn_state(conn) == TLS_OPEN;
        enum tls_state s = tls_conn_state(conn);
        assert_int_equal(s == TLS_FAILED, tls_conn_failure(conn)[0] != '\0');
    }
    tls_conn_free(conn);
    return well;
}

static void memory_runs_out(void **state)
{
    unsigned ended = 0;
    (void)state;
    for (size_t n = 0;; n += 1 + n / 100) {
        p = tls_peer_new(&(struct tls_peer_options){.version = versions[n % 2]});
        openssl_memory_fail_after(n);
        bool well = live();
        bool failed = openssl_memory_failed();
        tls_peer_free(p);
        if (!failed) {
            assert_true(well);
            break;
        }
        ended += !well;
    }
    assert_true(ended > 100);
    p = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_in_pieces_of_any_size),
        cmocka_unit_test(a_question_with_the_handshakes_end),
        cmocka_unit_test(many_questions_in_one_feed),
        cmocka_unit_test(a_write_is_as_few_records_as_it_can_be),
        cmocka_unit_test(what_is_written_waits_in_order),
        cmocka_unit_test(much_in_both_directions),
        cmocka_unit_test(the_client_ends_first),
        cmocka_unit_test(we_end_first),
        cmocka_unit_test(ends_that_cross),
        cmocka_unit_test(before_the_handshake_is_over),
        cmocka_unit_test(freed_at_any_point),
        cmocka_unit_test(what_is_not_tls),
        cmocka_unit_test(an_alert_of_the_client),
        cmocka_unit_test(what_is_changed_on_the_way),
        cmocka_unit_test(records_that_are_too_long),
        cmocka_unit_test(a_client_that_never_stops_to_say_hello),
        cmocka_unit_test(what_a_client_announces),
        cmocka_unit_test(the_second_hello),
        cmocka_unit_test(key_updates),
        cmocka_unit_test(key_updates_by_the_thousand),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(half_a_handshake_message),
        cmocka_unit_test(what_an_idle_connection_holds),
        cmocka_unit_test(errors_do_not_bleed),
        cmocka_unit_test(errors_do_not_bleed_into_a_handshake),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, make_context, free_context);
}

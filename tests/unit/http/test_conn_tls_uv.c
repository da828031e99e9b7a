/* Connections with TLS: the handshake and its deadlines, what is agreed on, another certificate, the
 * end, and what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_tls.h"
#include "lib/clock.h"
#include "memory.h"

static struct http_fixture f;
static struct tls_context *context;
static uint16_t port;

static void open_server(void)
{
    context = tls_context_for("DNS:a.example");
    http_fixture_open(&f);
    port = http_fixture_open_tls(&f, context);
}

static void begin(void)
{
    http_fixture_init(&f);
    open_server();
}

static void end(void)
{
    http_fixture_end(&f);
    tls_context_unref(context);
}

static const struct http_counters *counters(void)
{
    return http_fixture_counters(&f);
}

static void say(struct http_tls *c, const char *text)
{
    http_tls_say(c, text, strlen(text));
}

/* ---- what is agreed on ------------------------------------------------------------------------- */

static void http_1_1(void **state)
{
    static const char *const offers[] = {HTTP_TLS_H1, NULL};
    struct http_tls c;
    (void)state;
    begin();
    for (unsigned i = 0; i < 2; i++) {
        http_tls_open(&c, &f, port, offers[i]);
        http_tls_expect_alive(&c);
        http_tls_expect_alive(&c);
        http_tls_close(&c);
    }
    http_fixture_until(&f, &counters()->open, 0);
    assert_int_equal(counters()->handshakes, 2);
    assert_int_equal(counters()->resumed, 0);
    assert_int_equal(counters()->handshakes_failed, 0);
    end();
}

static void http_2_if_there_is_a_choice(void **state)
{
    struct http_tls c;
    uint8_t frame[9];
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1 HTTP_TLS_H2);
    say(&c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_int_equal(http_tls_read(&c, frame, 9), 9);
    assert_int_equal(frame[3], 4); /* SETTINGS */
    http_tls_close(&c);
    end();
}

static void handlers_see_tls(void **state)
{
    static const char request[] = "GET /who HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n";
    struct http_tls c;
    char got[1000] = "";
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    say(&c, request);
    http_tls_read(&c, got, sizeof got - 1);
    assert_non_null(strstr(got, "\r\n\r\n127.0.0.1 y tls"));
    assert_true(http_tls_ended(&c, true));
    http_tls_close(&c);
    end();
}

static void sessions_are_resumed(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    http_tls_expect_alive(&c);
    SSL_SESSION *session = c.peer->session;
    assert_non_null(session);
    SSL_SESSION_up_ref(session);
    http_tls_close(&c);
    http_tls_dial(&c, &f, port,
                  &(struct tls_peer_options){.alpn = HTTP_TLS_H1, .session = session});
    assert_true(http_tls_shake(&c));
    http_tls_expect_alive(&c);
    assert_int_equal(counters()->handshakes, 2);
    assert_int_equal(counters()->resumed, 1);
    SSL_SESSION_free(session);
    http_tls_close(&c);
    end();
}

static void another_certificate_for_newcomers(void **state)
{
    struct http_tls first, second, halfway;
    struct tls_pair *a = tls_pair_for("DNS:a.example", "old"),
                    *b = tls_pair_for("DNS:a.example", "new");
    struct tls_context *old = tls_context_of(&a, 1, NULL), *new = tls_context_of(&b, 1, old);
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    port = http_fixture_open_tls(&f, old);
    tls_context_unref(old); /* the server has its own */
    http_tls_open(&first, &f, port, HTTP_TLS_H1);
    http_tls_dial(&halfway, &f, port, &(struct tls_peer_options){.alpn = HTTP_TLS_H1});
    http_fixture_until(&f, &counters()->accepted, 2);
    http_server_use_tls(f.server, new);
    tls_context_unref(new);
    http_tls_open(&second, &f, port, HTTP_TLS_H1);
    assert_true(http_tls_shake(&halfway)); /* had come before */
    assert_string_equal(tls_peer_saw(first.peer), "old");
    assert_string_equal(tls_peer_saw(halfway.peer), "old");
    assert_string_equal(tls_peer_saw(second.peer), "new");
    http_tls_expect_alive(&first);
    http_tls_expect_alive(&halfway);
    http_tls_expect_alive(&second);
    http_tls_close(&first);
    http_tls_close(&halfway);
    http_tls_close(&second);
    http_fixture_end(&f);
    tls_pair_unref(a);
    tls_pair_unref(b);
}

/* ---- handshakes that come to nothing ------------------------------------------------------------- */

static void not_tls(void **state)
{
    (void)state;
    begin();
    int fd = http_fixture_dial(&f, port);
    char got[100];
    http_fixture_say(&f, fd, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    http_fixture_read(&f, fd, got, sizeof got);
    close(fd);
    http_fixture_until(&f, &counters()->open, 0);
    assert_int_equal(counters()->handshakes_failed, 1);
    assert_int_equal(counters()->handshakes, 0);
    end();
}

static void nothing_in_common(void **state)
{
    struct http_tls c;
    (void)state;
    begin();
    http_tls_dial(&c, &f, port,
                  &(struct tls_peer_options){.alpn = "\x03"
                                                     "dot"});
    assert_false(http_tls_shake(&c));
    assert_string_equal(tls_peer_alert(c.peer), "no application protocol");
    assert_int_equal(counters()->handshakes_failed, 1);
    http_tls_close(&c);
    end();
}

static void handshakes_that_stop(void **state)
{
    struct http_tls c;
    (void)state;
    http_fixture_init(&f);
    f.limits.handshake_ms = 100;
    f.limits.idle_ms = 60000;
    open_server();
    int silent = http_fixture_dial(&f, port);
    http_tls_dial(&c, &f, port, &(struct tls_peer_options){.alpn = HTTP_TLS_H1});
    http_tls_begin(&c);
    assert_int_equal(http_tls_flush(&c, 50), 50);
    assert_true(http_fixture_ended(&f, silent));
    assert_true(http_tls_ended(&c, false));
    assert_int_equal(counters()->timed_out, 2);
    close(silent);
    http_tls_close(&c);
    end();
}

/* Many who begin at the same time: the loop has other things to do, too. */
static void handshakes_all_at_once(void **state)
{
    enum { CROWD = 40 };
    static struct http_tls c[CROWD];
    bool answered[CROWD] = {false};
    unsigned all = 0;
    uint8_t octet;
    (void)state;
    begin();
    for (unsigned i = 0; i < CROWD; i++) {
        http_tls_dial(&c[i], &f, port, &(struct tls_peer_options){.alpn = HTTP_TLS_H1});
    }
    http_fixture_until(&f, &counters()->accepted, CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        http_tls_begin(&c[i]);
        http_tls_flush(&c[i], SIZE_MAX);
    }
    while (all < CROWD) {
        unsigned in_this_turn = 0;
        http_fixture_turn(&f, -1);
        for (unsigned i = 0; i < CROWD; i++) {
            if (!answered[i] && recv(c[i].fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
                answered[i] = true;
                in_this_turn++;
            }
        }
        all += in_this_turn;
        assert_true(in_this_turn <= 8);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        assert_true(http_tls_shake(&c[i]));
        http_tls_close(&c[i]);
    }
    end();
}

static void drops_of_a_handshake(void **state)
{
    struct http_tls c;
    (void)state;
    http_fixture_init(&f);
    f.limits.handshake_ms = 200;
    open_server();
    http_tls_dial(&c, &f, port, &(struct tls_peer_options){.alpn = HTTP_TLS_H1});
    http_tls_begin(&c);
    int64_t began = clk_mono_ms(&clk_system);
    while (counters()->timed_out == 0) {
        int64_t next = clk_mono_ms(&clk_system) + 10;
        assert_int_equal(http_tls_flush(&c, 1), 1);
        while (clk_mono_ms(&clk_system) < next) {
            http_fixture_turn(&f, -1);
        }
        assert_true(clk_mono_ms(&clk_system) - began < HTTP_FIXTURE_DEADLINE_MS);
    }
    http_tls_close(&c);
    end();
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void who_ends_hears_the_answer(void **state)
{
    struct http_tls c;
    char got[1000] = "";
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    say(&c, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    SSL_shutdown(c.peer->ssl);
    http_tls_flush(&c, SIZE_MAX);
    shutdown(c.fd, SHUT_WR);
    http_fixture_wait_kept(&f, 1);
    http_fixture_answer(&f);
    http_tls_read(&c, got, sizeof got - 1);
    assert_non_null(strstr(got, "\r\n\r\nkept"));
    assert_true(http_tls_ended(&c, true));
    http_fixture_until(&f, &counters()->open, 0);
    http_tls_close(&c);
    end();
}

/* Also if there are more answers than one turn begins. */
static void who_ends_hears_all_answers(void **state)
{
    static const char request[] = "GET /now HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_tls c;
    char all[100 * sizeof request], got[40000] = "";
    size_t len = 0;
    unsigned answers = 0;
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    for (unsigned i = 0; i < 100; i++) {
        memcpy(all + len, request, sizeof request - 1);
        len += sizeof request - 1;
    }
    assert_int_equal(SSL_write(c.peer->ssl, all, (int)len), len);
    SSL_shutdown(c.peer->ssl);
    http_tls_flush(&c, SIZE_MAX);
    http_tls_read(&c, got, sizeof got - 1);
    for (const char *at = got; (at = strstr(at, "\r\n\r\nnow")) != NULL; at++) {
        answers++;
    }
    assert_int_equal(answers, 100);
    http_tls_close(&c);
    end();
}

/* Garbage in the middle of it. */
static void broken_records(void **state)
{
    struct http_tls c;
    uint8_t octet;
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    http_tls_expect_alive(&c);
    http_fixture_say(&f, c.fd, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_tls_read(&c, &octet, 1), 0);
    assert_string_not_equal(tls_peer_alert(c.peer), "");
    assert_int_equal(counters()->handshakes_failed, 0); /* that went well */
    http_tls_close(&c);
    http_fixture_until(&f, &counters()->open, 0);
    end();
}

static void the_end_of_the_server(void **state)
{
    struct http_tls idle;
    (void)state;
    begin();
    http_tls_open(&idle, &f, port, HTTP_TLS_H1);
    http_tls_expect_alive(&idle);
    int shaking = http_fixture_dial(&f, port);
    http_fixture_until(&f, &counters()->accepted, 2);
    http_fixture_close_begin(&f);
    assert_true(http_tls_ended(&idle, true));
    assert_true(http_fixture_ended(&f, shaking));
    http_tls_close(&idle);
    close(shaking);
    end();
}

/* Many requests in one record, and one in many: what is left in between stays in the reader. */
static void pipelined(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    char *all = malloc(300 * sizeof request), *got = malloc(300 * 400);
    struct http_tls c;
    size_t len = 0, n = 0;
    unsigned answers = 0;
    (void)state;
    begin();
    http_tls_open(&c, &f, port, HTTP_TLS_H1);
    for (unsigned i = 0; i < 300; i++) {
        memcpy(all + len, request, sizeof request - 1);
        len += sizeof request - 1;
    }
    http_tls_say(&c, all, len - 3);
    for (unsigned i = 3; i > 0; i--) {
        http_fixture_turn(&f, -1);
        http_tls_say(&c, all + len - i, 1);
    }
    while (answers < 300) {
        assert_true(n < 300 * 400);
        assert_int_equal(http_tls_read(&c, got + n, 1), 1);
        n++;
        answers += n > 7 && memcmp(got + n - 7, "\r\n\r\nabc", 7) == 0;
    }
    free(all);
    free(got);
    http_tls_close(&c);
    end();
}

#define IDLE 50

static void an_idle_connection_is_small(void **state)
{
    static int fd[IDLE];
    (void)state;
    begin();
    for (unsigned round = 0; round < 2; round++) {
        size_t before = memory_in_use();
        for (unsigned i = 0; i < IDLE; i++) {
            fd[i] = http_fixture_dial(&f, port);
        }
        http_fixture_until(&f, &counters()->open, IDLE);
        print_message("%zu octets before the handshake\n", (memory_in_use() - before) / IDLE);
        assert_true((memory_in_use() - before) / IDLE < 12000);
        for (unsigned i = 0; i < IDLE; i++) {
            close(fd[i]);
        }
        http_fixture_until(&f, &counters()->open, 0);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_1_1),
        cmocka_unit_test(http_2_if_there_is_a_choice),
        cmocka_unit_test(handlers_see_tls),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(another_certificate_for_newcomers),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(nothing_in_common),
        cmocka_unit_test(handshakes_that_stop),
        cmocka_unit_test(handshakes_all_at_once),
        cmocka_unit_test(drops_of_a_handshake),
        cmocka_unit_test(who_ends_hears_the_answer),
        cmocka_unit_test(who_ends_hears_all_answers),
        cmocka_unit_test(broken_records),
        cmocka_unit_test(the_end_of_the_server),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(an_idle_connection_is_small),
    };
    return cmocka_run_group_tests_name("http/conn_tls", tests, NULL, NULL);
}

/* DNS over TLS: handshakes, frames and records in pieces, certificates that change. How such
 * connections end: test_tls_ends_uv.c. */
#include "dnsd/net/net.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/wire/type.h"
#include "dot_client.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "openssl_memory.h"
#include "rich_zone.h"

#define BIG_VALUES 40 /* of 200 octets: an answer of 8.7 KB */
#define SWAPS      50
#define KNOCKS     12 /* fewer than one client may have */

static const struct tls_peer_options any = {.version = 0};

static struct tls_context *context_of(const char *subject)
{
    struct tls_pair *p = tls_pair_for("DNS:mc.example.com,DNS:*.mc.example.com", subject);
    struct tls_context *c = tls_context_of(&p, 1, NULL);
    tls_pair_unref(p);
    return c;
}

static struct net_fixture *fixture(void)
{
    static struct net_fixture f;
    struct str content = {.text = NULL};
    struct tls_context *context = context_of("first");
    str_append(&content, RICH_CONTENT);
    for (unsigned i = 0; i < BIG_VALUES; i++) {
        str_appendf(&content, "record big TXT - %04u%0196u\n", i, 0);
    }
    net_fixture_init(&f, RICH_OPTIONS, content.text);
    net_fixture_open_tls(&f, "127.0.0.1", context);
    tls_context_unref(context);
    str_free(&content);
    return &f;
}

static const struct net_counters *counters(const struct net_fixture *f)
{
    return net_worker_counters(f->worker);
}

static size_t frame_of(uint8_t *out, uint16_t id)
{
    return net_fixture_query(out, 300, id, "alice.mc.example.com.", TYPE_A, true);
}

static uint64_t observations(const struct net_latency *l)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < NET_LATENCY_BUCKETS; i++) {
        sum += l->buckets[i];
    }
    return sum;
}

static void both_versions(void **state)
{
    static const struct {
        int version;
        enum net_tls_version counted;
    } rows[] = {{TLS1_2_VERSION, NET_TLS_1_2}, {TLS1_3_VERSION, NET_TLS_1_3}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_fixture *f = fixture();
        struct dot_client c;
        dot_client_open(&c, f, &(struct tls_peer_options){.version = rows[i].version});
        dot_client_ask(&c, 7, "alice.mc.example.com.", TYPE_A);
        assert_int_equal(dot_client_expect(&c, 7)->counts[1], 1);
        assert_string_equal(tls_peer_saw(c.peer), "first");
        const struct net_counters *k = counters(f);
        for (enum net_tls_version v = 0; v < NET_TLS_VERSIONS; v++) {
            assert_int_equal(k->tls.done[v], v == rows[i].counted);
            assert_int_equal(k->tls.resumed[v], 0);
        }
        assert_int_equal(k->tls.failed, 0);
        assert_int_equal(k->conns[ANSWER_TLS].accepted, 1);
        assert_int_equal(k->conns[ANSWER_TLS].open, 1);
        assert_int_equal(k->conns[ANSWER_TCP].accepted, 0);
        assert_int_equal(answer_queries_over(&k->answer, ANSWER_TLS), 1);
        assert_int_equal(observations(&k->latency[ANSWER_TLS]), 1);
        dot_client_close(&c);
        net_fixture_until(f, &k->conns[ANSWER_TLS].open, 0);
        net_fixture_end(f);
    }
}

/* RFC 9539 §3.2: whatever name is asked for, or none; RFC 7858 has no ALPN, later ones have "dot". */
static void any_name_and_dot(void **state)
{
    static const struct tls_peer_options rows[] = {
        {.sni = "mc.example.com"},
        {.sni = "ns7.example.org"},
        {.alpn = "\3dot"},
        {.alpn = "\2h2\3dot"},
        {.sni = "mc.example.com", .alpn = "\3dot"},
    };
    struct net_fixture *f = fixture();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dot_client c;
        dot_client_open(&c, f, &rows[i]);
        dot_client_expect_alive(&c);
        dot_client_close(&c);
    }
    net_fixture_end(f);
}

static void a_session_is_resumed(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct net_fixture *f = fixture();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dot_client first, second;
        dot_client_open(&first, f, &(struct tls_peer_options){.version = versions[i]});
        dot_client_expect_alive(&first); /* and its ticket has come */
        dot_client_open(
            &second, f,
            &(struct tls_peer_options){.version = versions[i], .session = first.peer->session});
        dot_client_expect_alive(&second);
        assert_int_equal(SSL_session_reused(second.peer->ssl), 1);
        assert_int_equal(counters(f)->tls.done[i], 2);
        assert_int_equal(counters(f)->tls.resumed[i], 1);
        dot_client_close(&first);
        dot_client_close(&second);
    }
    net_fixture_end(f);
}

/* ---- frames and records ---------------------------------------------------------------------- */

/* What one read brought is answered with one record. */
static void fifty_in_one_go(void **state)
{
    (void)state;
    for (unsigned per_record = 1; per_record <= 50; per_record += 49) {
        struct net_fixture *f = fixture();
        struct dot_client c;
        uint8_t frames[50 * 64];
        size_t len = 0;
        dot_client_open(&c, f, &any);
        dot_client_expect_alive(&c);
        c.records = 0;
        for (uint16_t i = 0; i < 50; i++) {
            len += frame_of(frames + len, i);
            if ((i + 1u) % per_record == 0) {
                dot_client_put(&c, frames, len);
                len = 0;
            }
        }
        dot_client_flush(&c);
        for (uint16_t i = 0; i < 50; i++) {
            dot_client_expect(&c, i);
        }
        assert_int_equal(c.records, 1);
        assert_int_equal(answer_queries_over(&counters(f)->answer, ANSWER_TLS), 51);
        assert_int_equal(observations(&counters(f)->latency[ANSWER_TLS]), 51);
        dot_client_close(&c);
        net_fixture_end(f);
    }
}

/* Sends what waits in pieces of STEP octets, each in a turn of its own. */
static void trickle(struct dot_client *c, size_t step)
{
    uint8_t bytes[4096];
    for (size_t n; (n = dot_client_waiting(c, bytes, step)) > 0;) {
        net_fixture_send(c->f, c->fd, bytes, n);
        net_fixture_turn(c->f, -1);
    }
}

static void one_octet_at_a_time(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct net_fixture *f = fixture();
        struct dot_client c;
        uint8_t frames[3 * 64];
        size_t len = 0;
        dot_client_dial(&c, f, &(struct tls_peer_options){.version = versions[i]}, NULL);
        for (unsigned turns = 0; SSL_is_init_finished(c.peer->ssl) == 0; turns++) {
            uint8_t octet;
            assert_true(turns < 20000);
            dot_client_begin(&c);
            trickle(&c, 1);
            if (recv(c.fd, &octet, 1, MSG_DONTWAIT) == 1) { /* and the server's octets one by one */
                assert_int_equal(BIO_write(c.peer->in, &octet, 1), 1);
            } else {
                net_fixture_turn(f, c.fd);
            }
        }
        trickle(&c, 1);
        for (uint16_t id = 0; id < 3; id++) {
            len += frame_of(frames + len, id);
        }
        for (size_t at = 0; at < len; at++) { /* a record for each */
            dot_client_put(&c, frames + at, 1);
        }
        trickle(&c, 1);
        for (uint16_t id = 0; id < 3; id++) {
            dot_client_expect(&c, id);
        }
        dot_client_close(&c);
        net_fixture_end(f);
    }
}

/* Who sends its query with the last words of its handshake need not say anything more. */
static void a_query_with_the_end_of_the_handshake(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct net_fixture *f = fixture();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dot_client first, c;
        uint8_t frame[300];
        dot_client_open(&first, f, &(struct tls_peer_options){.version = versions[i]});
        dot_client_expect_alive(&first);
        /* Resumed, the client's is the last word in TLS 1.2, too. */
        dot_client_dial(
            &c, f,
            &(struct tls_peer_options){.version = versions[i], .session = first.peer->session},
            NULL);
        dot_client_begin(&c);
        dot_client_flush(&c);
        for (unsigned turns = 0; SSL_is_init_finished(c.peer->ssl) == 0; turns++) {
            uint8_t bytes[8192];
            ssize_t n = recv(c.fd, bytes, sizeof bytes, MSG_DONTWAIT);
            assert_true(turns < NET_FIXTURE_DEADLINE_MS);
            net_fixture_turn(f, c.fd);
            if (n > 0) {
                assert_int_equal(BIO_write(c.peer->in, bytes, (int)n), n);
                dot_client_begin(&c);
            }
        }
        dot_client_put(&c, frame, frame_of(frame, 5));
        dot_client_flush(&c);
        dot_client_expect(&c, 5);
        dot_client_close(&c);
        dot_client_close(&first);
    }
    net_fixture_end(f);
}

static void the_largest_frame(void **state)
{
    struct net_fixture *f = fixture();
    struct dot_client c;
    uint8_t *frame = mem_xalloc(2 + 65535);
    (void)state;
    dot_client_open(&c, f, &any);
    frame_of(frame, 5);
    put_u16(frame, 65535);
    for (unsigned i = 0; i < 3; i++) {
        dot_client_put(&c, frame, 2 + 65535);
        dot_client_flush(&c);
        dot_client_expect(&c, 5);
    }
    assert_int_equal(counters(f)->answer.trailing, 3);
    free(frame);
    dot_client_close(&c);
    net_fixture_end(f);
}

/* RFC 7830, 7828: what is asked for in the OPT record. */
static void padding_and_keepalive(void **state)
{
    static const char opt[] = "\0\0\51\4\xd0\0\0\0\0\0\10\0\14\0\0\0\13\0\0";
    struct net_fixture *f = fixture();
    struct dot_client c;
    uint8_t frame[320];
    (void)state;
    dot_client_open(&c, f, &any);
    size_t len = frame_of(frame, 5);
    memcpy(frame + len, opt, sizeof opt - 1);
    frame[13] = 1;
    len += sizeof opt - 1;
    put_u16(frame, (uint16_t)(len - 2));
    dot_client_put(&c, frame, len);
    dot_client_flush(&c);
    const struct dns_message *m = dot_client_expect(&c, 5);
    assert_int_equal(m->len, 468);
    assert_int_equal(m->counts[1], 1);
    const struct dns_rr *rr = &m->rrs[m->rrs_count - 1];
    assert_int_equal(rr->type, TYPE_OPT);
    assert_memory_equal(m->bytes + rr->rdata_at, "\0\13\0\2\0\144\0\14", 8); /* 100: 10 s */
    dot_client_close(&c);
    net_fixture_end(f);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void another_certificate_with_connections_open(void **state)
{
    struct net_fixture *f = fixture();
    struct dot_client old, half;
    (void)state;
    dot_client_open(&old, f, &any);
    dot_client_dial(&half, f, &any, NULL);
    dot_client_begin(&half);
    uint8_t hello[2048];
    size_t len = dot_client_waiting(&half, hello, sizeof hello);
    net_fixture_send(f, half.fd, hello, len / 2);
    net_fixture_until(f, &counters(f)->conns[ANSWER_TLS].open, 2);
    for (unsigned i = 0; i < SWAPS; i++) {
        const char *subject = i % 2 == 0 ? "second" : "third";
        struct dot_client c;
        net_worker_use_tls(f->worker, context_of(subject));
        dot_client_open(&c, f, &any);
        assert_string_equal(tls_peer_saw(c.peer), subject);
        dot_client_expect_alive(&c);
        dot_client_expect_alive(&old);
        dot_client_close(&c);
    }
    /* Whoever came in before keeps what was shown then. */
    net_fixture_send(f, half.fd, hello + len / 2, len - len / 2);
    assert_true(dot_client_shake(&half));
    assert_string_equal(tls_peer_saw(half.peer), "first");
    dot_client_expect_alive(&half);
    dot_client_expect_alive(&old);
    dot_client_close(&old);
    dot_client_close(&half);
    net_fixture_end(f);
}

/* Whoever comes before there is one waits for it, and is served. */
static void before_there_is_a_certificate(void **state)
{
    static struct net_fixture f;
    struct dot_client c[KNOCKS];
    (void)state;
    net_fixture_init(&f, RICH_OPTIONS, RICH_CONTENT);
    net_fixture_open_tls(&f, "127.0.0.1", NULL);
    for (unsigned i = 0; i < KNOCKS; i++) { /* all are there at once */
        dot_client_dial(&c[i], &f, &any, NULL);
        dot_client_begin(&c[i]);
        dot_client_flush(&c[i]);
        net_fixture_turn(&f, c[i].fd);
    }
    assert_int_equal(counters(&f)->conns[ANSWER_TLS].accepted, 0);
    net_worker_use_tls(f.worker, context_of("late"));
    for (unsigned i = 0; i < KNOCKS; i++) {
        assert_true(dot_client_shake(&c[i]));
        assert_string_equal(tls_peer_saw(c[i].peer), "late");
        dot_client_expect_alive(&c[i]);
    }
    assert_int_equal(counters(&f)->conns[ANSWER_TLS].accepted, KNOCKS);
    assert_int_equal(counters(&f)->conns[ANSWER_TLS].refused, 0);
    for (unsigned i = 0; i < KNOCKS; i++) {
        dot_client_close(&c[i]);
    }
    net_fixture_end(&f);
}

/* And if there never is one, the end comes all the same. */
static void without_a_certificate(void **state)
{
    static struct net_fixture f;
    struct dot_client c;
    (void)state;
    net_fixture_init(&f, RICH_OPTIONS, RICH_CONTENT);
    net_fixture_open_tls(&f, "127.0.0.1", NULL);
    dot_client_dial(&c, &f, &any, NULL);
    dot_client_begin(&c);
    dot_client_flush(&c);
    net_fixture_turn(&f, c.fd);
    net_fixture_end(&f);
    dot_client_close(&c);
}

/* ---- no memory ------------------------------------------------------------------------------- */

/* Nobody is kept waiting at a door that will not open, and afterwards it does. */
static void no_memory_for_connections(void **state)
{
    struct net_fixture *f = fixture();
    struct dot_client c, old;
    int fds[KNOCKS];
    (void)state;
    dot_client_open(&old, f, &any);
    dot_client_expect_alive(&old);
    for (unsigned i = 0; i < KNOCKS; i++) { /* all are there at once */
        fds[i] = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", NULL);
        assert_int_equal(send(fds[i], "\26\3\1", 3, MSG_NOSIGNAL), 3);
    }
    openssl_memory_gone(true);
    net_fixture_until(f, &counters(f)->conns[ANSWER_TLS].refused, KNOCKS);
    openssl_memory_gone(false);
    for (unsigned i = 0; i < KNOCKS; i++) {
        assert_true(net_fixture_ended(f, fds[i]));
        close(fds[i]);
    }
    assert_int_equal(counters(f)->conns[ANSWER_TLS].accepted, 1);
    dot_client_open(&c, f, &any);
    dot_client_expect_alive(&c);
    dot_client_expect_alive(&old);
    /* In the middle of its life it costs the connection, and nobody else's. */
    uint8_t frame[300];
    dot_client_put(&old, frame, frame_of(frame, 1));
    dot_client_flush(&old);
    openssl_memory_gone(true);
    net_fixture_until(f, &counters(f)->conns[ANSWER_TLS].open, 1);
    openssl_memory_gone(false);
    dot_client_expect_alive(&c);
    dot_client_close(&old);
    dot_client_close(&c);
    net_fixture_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions),
        cmocka_unit_test(any_name_and_dot),
        cmocka_unit_test(a_session_is_resumed),
        cmocka_unit_test(fifty_in_one_go),
        cmocka_unit_test(one_octet_at_a_time),
        cmocka_unit_test(a_query_with_the_end_of_the_handshake),
        cmocka_unit_test(the_largest_frame),
        cmocka_unit_test(padding_and_keepalive),
        cmocka_unit_test(another_certificate_with_connections_open),
        cmocka_unit_test(before_there_is_a_certificate),
        cmocka_unit_test(without_a_certificate),
        cmocka_unit_test(no_memory_for_connections),
    };
    signal(SIGPIPE, SIG_IGN);
    openssl_memory_init();
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}

/* DNS over TLS: ends in every state, peers that send anything but TLS or do not read, deadlines, who
 * has to go. */
#include "dnsd/net/net.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/wire/type.h"
#include "dot_client.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/str.h"
#include "rich_zone.h"

#define BIG_VALUES 40 /* of 200 octets: an answer of 8.7 KB */
#define QUIET_MS   50 /* nothing was taken for so long: nothing will be */

static const struct tls_peer_options any = {.version = 0};
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct net_fixture *fixture_new(void)
{
    static struct net_fixture f;
    struct str content = {.text = NULL};
    str_append(&content, RICH_CONTENT);
    for (unsigned i = 0; i < BIG_VALUES; i++) {
        str_appendf(&content, "record big TXT - %04u%0196u\n", i, 0);
    }
    net_fixture_init(&f, RICH_OPTIONS, content.text);
    str_free(&content);
    return &f;
}

static void open_worker(struct net_fixture *f)
{
    struct tls_context *context = tls_context_for("DNS:mc.example.com");
    net_fixture_open_tls(f, "127.0.0.1", context);
    tls_context_unref(context);
}

static struct net_fixture *fixture(void)
{
    struct net_fixture *f = fixture_new();
    open_worker(f);
    return f;
}

static const struct net_conn_counters *conns(const struct net_fixture *f)
{
    return &net_worker_counters(f->worker)->conns[ANSWER_TLS];
}

static const struct net_tls_counters *handshakes(const struct net_fixture *f)
{
    return &net_worker_counters(f->worker)->tls;
}

static uint64_t done(const struct net_fixture *f)
{
    return handshakes(f)->done[NET_TLS_1_2] + handshakes(f)->done[NET_TLS_1_3];
}

static uint64_t queries(const struct net_fixture *f)
{
    return answer_queries_over(&net_worker_counters(f->worker)->answer, ANSWER_TLS);
}

static size_t frame_of(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
    return net_fixture_query(out, 300, id, name, type, true);
}

/* ---- ends in every state --------------------------------------------------------------------- */

/* The client's side of a connection in order: what it would send in one piece each. */
enum stage { STAGE_HELLO, STAGE_FINISH, STAGE_QUERY, STAGE_END, STAGES };

/* Goes through the stages until CUT octets of the STOP-th are sent; false: the stage is shorter. */
static bool play(struct dot_client *c, enum stage stop, size_t cut)
{
    uint8_t frame[300], bytes[4096];
    for (enum stage at = STAGE_HELLO; at <= stop; at++) {
        switch (at) {
        case STAGE_HELLO:
            dot_client_begin(c);
            break;
        case STAGE_FINISH: {
            size_t n;
            for (unsigned turns = 0; BIO_ctrl_pending(c->peer->out) == 0; turns++) {
                assert_true(turns < NET_FIXTURE_DEADLINE_MS);
                ssize_t got = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
                n = got > 0 ? (size_t)got : 0;
                assert_int_equal(BIO_write(c->peer->in, bytes, (int)n), n);
                dot_client_begin(c);
                net_fixture_turn(c->f, c->fd);
            }
            break;
        }
        case STAGE_QUERY:
            assert_true(dot_client_shake(c));
            dot_client_put(c, frame, frame_of(frame, 1, "alice.mc.example.com.", TYPE_A));
            break;
        default:
            SSL_shutdown(c->peer->ssl);
            break;
        }
        if (at < stop) {
            dot_client_flush(c);
        }
    }
    size_t len = dot_client_waiting(c, bytes, sizeof bytes);
    if (cut > len) {
        return false;
    }
    net_fixture_send(c->f, c->fd, bytes, cut);
    return true;
}

/* Whatever has been said, and however it ends, it leaves nothing behind and disturbs nobody. */
static void ends_in_every_state(void **state)
{
    struct net_fixture *f = fixture_new();
    unsigned ways = 0;
    (void)state;
    f->limits.tcp_per_client = 4;
    open_worker(f);
    struct dot_client other;
    dot_client_open(&other, f, &any);
    for (unsigned i = 0; i < 2 * 2 * STAGES; i++) {
        enum stage stop = i / 4;
        bool there = true;
        /* Each octet of a short stage, and a sample of a long one. */
        for (size_t cut = 0; there; cut += cut < 8 || stop >= STAGE_QUERY ? 1 : 37) {
            struct dot_client c;
            dot_client_dial(&c, f, &(struct tls_peer_options){.version = versions[i % 2]}, NULL);
            there = play(&c, stop, cut);
            for (unsigned turns = cut % 3; turns > 0; turns--) {
                net_fixture_turn(f, -1);
            }
            if (i / 2 % 2 == 0) {
                dot_client_reset(&c);
            } else {
                dot_client_close(&c);
            }
            net_fixture_until(f, &conns(f)->open, 1);
            dot_client_expect_alive(&other);
            ways++;
        }
    }
    print_message("%u ways to end\n", ways);
    assert_true(ways > 400);
    assert_int_equal(conns(f)->timed_out, 0);
    assert_int_equal(conns(f)->evicted, 0);
    /* Of all that have begun, each was done or failed; some never said a word. */
    assert_true(done(f) > ways / 4 && handshakes(f)->failed > 20);
    assert_in_range(done(f) + handshakes(f)->failed, ways / 2, ways + 1);
    dot_client_close(&other);
    net_fixture_end(f);
}

/* Who has said everything says so, and may still read (RFC 8446 §6.1). */
static void half_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct net_fixture *f = fixture();
        struct dot_client c;
        dot_client_open(&c, f, &(struct tls_peer_options){.version = versions[i]});
        for (uint16_t id = 0; id < 30; id++) {
            uint8_t frame[300];
            dot_client_put(&c, frame, frame_of(frame, id, "big.mc.example.com.", TYPE_TXT));
        }
        SSL_shutdown(c.peer->ssl);
        dot_client_flush(&c);
        shutdown(c.fd, SHUT_WR);
        for (uint16_t id = 0; id < 30; id++) {
            assert_int_equal(dot_client_expect(&c, id)->counts[1], BIG_VALUES);
        }
        assert_true(dot_client_ended(&c, true));
        dot_client_close(&c);
        net_fixture_until(f, &conns(f)->open, 0);
        net_fixture_end(f);
    }
}

/* Who ends without a word (RFC 8446 §6.1 calls it a truncation) has its answers all the same. */
static void half_closed_without_a_word(void **state)
{
    struct net_fixture *f = fixture();
    struct dot_client c;
    (void)state;
    dot_client_open(&c, f, &any);
    for (uint16_t id = 0; id < 30; id++) {
        dot_client_ask(&c, id, "big.mc.example.com.", TYPE_TXT);
    }
    shutdown(c.fd, SHUT_WR);
    for (uint16_t id = 0; id < 30; id++) {
        dot_client_expect(&c, id);
    }
    assert_true(dot_client_ended(&c, true));
    dot_client_close(&c);
    net_fixture_end(f);
}

static void frames_too_short_for_a_header(void **state)
{
    static const uint8_t lengths[] = {0, 1, 11};
    struct net_fixture *f = fixture();
    (void)state;
    for (size_t i = 0; i < sizeof lengths; i++) {
        struct dot_client c;
        uint8_t bytes[320];
        dot_client_open(&c, f, &any);
        size_t len = frame_of(bytes, 3, "alice.mc.example.com.", TYPE_A);
        memset(bytes + len, 0, 13);
        bytes[len + 1] = lengths[i];
        dot_client_put(&c, bytes, len + 2 + lengths[i]);
        dot_client_flush(&c);
        dot_client_expect(&c, 3); /* what came before it is answered */
        assert_true(dot_client_ended(&c, true));
        dot_client_close(&c);
    }
    net_fixture_end(f);
}

/* ---- anything but TLS ------------------------------------------------------------------------ */

static void something_else_is_spoken(void **state)
{
#define L(string) (string), sizeof(string) - 1
    static const struct {
        const char *bytes;
        size_t len;
    } words[] = {
        {L("GET / HTTP/1.1\r\nHost: mc.example.com\r\n\r\n")},
        {L("\26\3\1\377\377\1\1\1\1")}, /* a record of 65,535 octets */
        {L("\25\3\1\0\2\2\12")},        /* an alert for a greeting */
        {L("\27\3\3\0\5abcde")},        /* data without a handshake */
        {L("\26\3\1\0\4\2\0\0\0")},     /* the server's part of it */
        {L("SSH-2.0-OpenSSH_9.2\r\n")},
        {NULL, 0}, /* DNS without TLS (RFC 7858 §3.1) */
    };
#undef L
    struct net_fixture *f = fixture_new();
    (void)state;
    f->limits.tls_handshake_ms = 60000; /* not because of that */
    open_worker(f);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        int fd = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", NULL);
        uint8_t frame[300], answer[100];
        size_t len = frame_of(frame, 1, "alice.mc.example.com.", TYPE_A);
        net_fixture_send(f, fd, words[i].len > 0 ? words[i].bytes : (const char *)frame,
                         words[i].len > 0 ? words[i].len : len);
        net_fixture_until(f, &handshakes(f)->failed, i + 1);
        net_fixture_until(f, &conns(f)->open, 0);
        size_t n = net_fixture_read(f, fd, answer, sizeof answer);
        assert_true(n == 0 || (n == 7 && answer[0] == 0x15)); /* an alert at most */
        close(fd);
    }
    assert_int_equal(queries(f), 0);
    net_fixture_end(f);
}

static void handshakes_that_are_refused(void **state)
{
    static const struct {
        struct tls_peer_options options;
        const char *alert;
    } rows[] = {
        {{.version = TLS1_1_VERSION}, "protocol version"},
        {{.alpn = "\2h2\10http/1.1"}, "no application protocol"},
        {{.version = TLS1_2_VERSION, .suites12 = "AES128-SHA"}, "handshake failure"},
    };
    struct net_fixture *f = fixture();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dot_client c;
        dot_client_dial(&c, f, &rows[i].options, NULL);
        assert_false(dot_client_shake(&c));
        assert_string_equal(tls_peer_alert(c.peer), rows[i].alert);
        assert_int_equal(handshakes(f)->failed, i + 1);
        assert_true(net_fixture_ended(f, c.fd));
        dot_client_close(&c);
    }
    assert_int_equal(done(f), 0);
    net_fixture_end(f);
}

/* A record that is not what was sealed: an alert, and the end; of it nothing is answered. */
static void a_record_that_was_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct net_fixture *f = fixture();
        struct dot_client c;
        uint8_t bytes[1024], frame[300];
        dot_client_open(&c, f, &(struct tls_peer_options){.version = versions[i]});
        dot_client_expect_alive(&c);
        dot_client_put(&c, frame, frame_of(frame, 1, "alice.mc.example.com.", TYPE_A));
        size_t len = dot_client_waiting(&c, bytes, sizeof bytes);
        bytes[len - 1] ^= 1;
        net_fixture_send(f, c.fd, bytes, len);
        assert_true(dot_client_ended(&c, false));
        assert_string_equal(tls_peer_alert(c.peer), "bad record mac");
        assert_int_equal(queries(f), 1);
        assert_int_equal(handshakes(f)->failed, 0); /* it was done */
        dot_client_close(&c);
        net_fixture_end(f);
    }
}

/* ---- peers that do not read ------------------------------------------------------------------ */

/* A client with small buffers, so that the end of what the system takes comes soon. */
static void open_narrow(struct dot_client *c, struct net_fixture *f)
{
    struct net_address to = f->sockets.bound[0].address;
    int size = 4096;
    *c = (struct dot_client){.f = f, .peer = tls_peer_new(&any)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to.sa, sizeof(struct sockaddr_in)), 0);
    assert_true(dot_client_shake(c));
}

/* Sends queries for the big answer until nothing more is taken; how many whole ones were. What is left
 * of the last is in REST. */
static unsigned stuff(struct dot_client *c, uint8_t *rest, size_t *rest_len)
{
    unsigned whole = 0;
    int64_t quiet_since = clk_mono_ms(&clk_system);
    *rest_len = 0;
    while (clk_mono_ms(&clk_system) - quiet_since < QUIET_MS) {
        uint8_t frame[300];
        if (*rest_len == 0) {
            dot_client_put(c, frame,
                           frame_of(frame, (uint16_t)whole, "big.mc.example.com.", TYPE_TXT));
            *rest_len = dot_client_waiting(c, rest, 1024);
        }
        ssize_t n = send(c->fd, rest, *rest_len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            net_fixture_turn(c->f, -1);
            continue;
        }
        quiet_since = clk_mono_ms(&clk_system);
        *rest_len -= (size_t)n;
        memmove(rest, rest + n, *rest_len);
        whole += *rest_len == 0;
    }
    return whole;
}

static void who_does_not_read_is_not_read(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c, other;
    uint8_t rest[1024];
    size_t len;
    (void)state;
    f->limits.tcp_write_ms = 60000;
    open_worker(f);
    open_narrow(&c, f);
    dot_client_open(&other, f, &any);
    unsigned whole = stuff(&c, rest, &len);
    /* More queries wait at the door than were answered into the air. */
    assert_true(whole > 0 && queries(f) < whole);
    dot_client_expect_alive(&other);
    /* Now it reads: nothing was lost, and all is in order. */
    for (unsigned i = 0; i < whole; i++) {
        assert_int_equal(dot_client_expect(&c, (uint16_t)i)->counts[1], BIG_VALUES);
    }
    net_fixture_send(f, c.fd, rest, len);
    if (len > 0) {
        dot_client_expect(&c, (uint16_t)whole);
    }
    assert_int_equal(conns(f)->timed_out, 0);
    dot_client_close(&c);
    dot_client_close(&other);
    net_fixture_end(f);
}

static void who_never_reads_is_cut_off(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c, other;
    uint8_t rest[1024];
    size_t len;
    (void)state;
    f->limits.tcp_write_ms = 100;
    open_worker(f);
    open_narrow(&c, f);
    dot_client_open(&other, f, &any);
    stuff(&c, rest, &len);
    net_fixture_until(f, &conns(f)->timed_out, 1);
    dot_client_expect_alive(&other);
    dot_client_close(&c);
    dot_client_close(&other);
    net_fixture_end(f);
}

static void who_goes_in_the_middle(void **state)
{
    struct net_fixture *f = fixture();
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct dot_client c;
        uint8_t rest[1024];
        size_t len;
        open_narrow(&c, f);
        stuff(&c, rest, &len);
        dot_client_reset(&c);
        net_fixture_until(f, &conns(f)->open, 0);
    }
    net_fixture_end(f);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void half_a_handshake_and_silence(void **state)
{
    static const size_t parts[] = {1, 5, 100};
    struct net_fixture *f = fixture_new();
    struct dot_client clients[4];
    (void)state;
    f->limits.tls_handshake_ms = 200;
    open_worker(f);
    for (size_t i = 0; i < 4; i++) {
        dot_client_dial(&clients[i], f, &any, NULL);
        dot_client_begin(&clients[i]);
        uint8_t hello[2048];
        size_t len = dot_client_waiting(&clients[i], hello, sizeof hello);
        net_fixture_send(f, clients[i].fd, hello, i < 3 ? parts[i] : len);
    }
    net_fixture_until(f, &conns(f)->timed_out, 4); /* the last one has heard the server's part */
    assert_int_equal(handshakes(f)->failed, 4);
    assert_int_equal(conns(f)->open, 0);
    for (size_t i = 0; i < 4; i++) {
        dot_client_close(&clients[i]);
    }
    net_fixture_end(f);
}

/* The deadline is the handshake's, not the octet's. */
static void drops_do_not_help(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c;
    uint8_t hello[2048];
    (void)state;
    f->limits.tls_handshake_ms = 300;
    f->limits.tcp_idle_ms = 60000;
    open_worker(f);
    dot_client_dial(&c, f, &any, NULL);
    dot_client_begin(&c);
    size_t len = dot_client_waiting(&c, hello, sizeof hello);
    int64_t began = clk_mono_ms(&clk_system);
    ssize_t n = 1;
    for (size_t at = 0; n > 0 && at < len; at++) {
        int64_t next = clk_mono_ms(&clk_system) + 40;
        n = send(c.fd, hello + at, 1, MSG_NOSIGNAL);
        while (clk_mono_ms(&clk_system) < next) {
            net_fixture_turn(f, -1);
        }
    }
    assert_true(n < 0 && clk_mono_ms(&clk_system) - began < NET_FIXTURE_DEADLINE_MS);
    assert_int_equal(conns(f)->timed_out, 1);
    dot_client_close(&c);
    net_fixture_end(f);
}

static void idle_ones_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct net_fixture *f = fixture_new();
        struct dot_client c;
        f->limits.tcp_idle_ms = 200;
        open_worker(f);
        dot_client_open(&c, f, &(struct tls_peer_options){.version = versions[i]});
        dot_client_expect_alive(&c);
        assert_true(dot_client_ended(&c, true));
        assert_int_equal(conns(f)->timed_out, 0); /* that is how connections should end */
        assert_int_equal(conns(f)->open, 0);
        dot_client_close(&c);
        net_fixture_end(f);
    }
}

static void half_a_frame_and_silence(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c;
    uint8_t frame[300];
    (void)state;
    f->limits.tcp_frame_ms = 100;
    open_worker(f);
    dot_client_open(&c, f, &any);
    frame_of(frame, 1, "alice.mc.example.com.", TYPE_A);
    dot_client_put(&c, frame, 20);
    dot_client_flush(&c);
    assert_true(dot_client_ended(&c, true));
    assert_int_equal(conns(f)->timed_out, 1);
    dot_client_close(&c);
    net_fixture_end(f);
}

/* What is TLS' own (here: empty records) is no query, and keeps nobody in. */
static void records_with_nothing_in_them(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c;
    (void)state;
    f->limits.tcp_idle_ms = 300;
    open_worker(f);
    dot_client_open(&c, f, &(struct tls_peer_options){.version = TLS1_3_VERSION});
    int64_t began = clk_mono_ms(&clk_system);
    for (ssize_t n = 1; n > 0;) {
        uint8_t bytes[256];
        int64_t next = clk_mono_ms(&clk_system) + 40;
        assert_int_equal(SSL_key_update(c.peer->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(c.peer->ssl), 1);
        size_t len = dot_client_waiting(&c, bytes, sizeof bytes);
        n = send(c.fd, bytes, len, MSG_NOSIGNAL);
        while (clk_mono_ms(&clk_system) < next) {
            net_fixture_turn(f, -1);
        }
        assert_true(clk_mono_ms(&clk_system) - began < NET_FIXTURE_DEADLINE_MS);
    }
    assert_int_equal(conns(f)->open, 0);
    dot_client_close(&c);
    net_fixture_end(f);
}

/* ---- who has to go --------------------------------------------------------------------------- */

static void the_longest_idle_makes_room(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client c[5];
    char from[16];
    (void)state;
    f->limits.tls_clients = 4;
    open_worker(f);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(from, sizeof from, "127.0.2.%u", i + 1);
        dot_client_dial(&c[i], f, &any, from);
        if (i == 4) {
            dot_client_expect_alive(&c[0]); /* now the second is the longest idle */
        }
        assert_true(dot_client_shake(&c[i])); /* the newcomer comes in */
        dot_client_expect_alive(&c[i]);
    }
    assert_true(dot_client_ended(&c[1], true));
    assert_int_equal(conns(f)->evicted, 1);
    assert_int_equal(conns(f)->open, 4);
    for (unsigned i = 0; i < 5; i++) {
        if (i != 1) {
            dot_client_expect_alive(&c[i]);
        }
        dot_client_close(&c[i]);
    }
    net_fixture_end(f);
}

/* Those who only knock take nobody's place for long. */
static void at_most_so_many_of_one_client(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client stranger, c[4];
    (void)state;
    f->limits.tcp_per_client = 3;
    open_worker(f);
    dot_client_dial(&stranger, f, &any, "127.0.0.7");
    assert_true(dot_client_shake(&stranger));
    dot_client_expect_alive(&stranger);
    for (unsigned i = 0; i < 4; i++) {
        dot_client_dial(&c[i], f, &any, NULL);
        dot_client_begin(&c[i]);
        dot_client_flush(&c[i]);
        net_fixture_until(f, &conns(f)->accepted, i + 2);
    }
    assert_int_equal(conns(f)->evicted, 1);
    assert_int_equal(handshakes(f)->failed, 1);
    for (unsigned i = 1; i < 4; i++) {
        assert_true(dot_client_shake(&c[i]));
        dot_client_expect_alive(&c[i]);
    }
    dot_client_expect_alive(&stranger);
    for (unsigned i = 0; i < 4; i++) {
        dot_client_close(&c[i]);
    }
    dot_client_close(&stranger);
    net_fixture_end(f);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void the_end_with_connections_open(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client idle, halfway, shaking, reading;
    uint8_t frame[300], rest[1024], hello[2048];
    size_t rest_len;
    (void)state;
    f->limits.tcp_write_ms = f->limits.tcp_frame_ms = 60000;
    open_worker(f);
    dot_client_open(&idle, f, &any);
    dot_client_open(&halfway, f, &any);
    dot_client_dial(&shaking, f, &any, NULL);
    open_narrow(&reading, f);
    size_t len = frame_of(frame, 7, "alice.mc.example.com.", TYPE_A);
    dot_client_expect_alive(&idle);
    dot_client_put(&halfway, frame, 20);
    dot_client_flush(&halfway);
    dot_client_begin(&shaking);
    size_t hello_len = dot_client_waiting(&shaking, hello, sizeof hello);
    net_fixture_send(f, shaking.fd, hello, 100);
    unsigned owed = stuff(&reading, rest, &rest_len);
    net_fixture_close_begin(f);
    assert_true(dot_client_ended(&idle, true));
    assert_false(f->closed);
    dot_client_put(&halfway, frame + 20, len - 20); /* it may finish */
    dot_client_flush(&halfway);
    dot_client_expect(&halfway, 7);
    assert_true(dot_client_ended(&halfway, true));
    net_fixture_send(f, shaking.fd, hello + 100, hello_len - 100);
    assert_true(dot_client_shake(&shaking));
    assert_true(dot_client_ended(&shaking, true));
    for (unsigned i = 0; i < owed; i++) {
        dot_client_expect(&reading, (uint16_t)i);
    }
    dot_client_close(&reading); /* whether it was in the middle of a query: the system's buffers */
    net_fixture_end(f);
    dot_client_close(&idle);
    dot_client_close(&halfway);
    dot_client_close(&shaking);
}

/* Even those who neither read nor write cannot keep it from ending. */
static void the_end_has_deadlines(void **state)
{
    struct net_fixture *f = fixture_new();
    struct dot_client silent, deaf;
    uint8_t rest[1024];
    size_t len;
    (void)state;
    f->limits.tcp_write_ms = 200;
    open_worker(f);
    dot_client_dial(&silent, f, &any, NULL);
    net_fixture_send(f, silent.fd, "\26", 1);
    open_narrow(&deaf, f);
    stuff(&deaf, rest, &len);
    int64_t began = clk_mono_ms(&clk_system);
    net_fixture_end(f);
    assert_true(clk_mono_ms(&clk_system) - began < 4000); /* the handshake's deadline is 5 s */
    dot_client_close(&silent);
    dot_client_close(&deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_in_every_state),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(half_closed_without_a_word),
        cmocka_unit_test(frames_too_short_for_a_header),
        cmocka_unit_test(something_else_is_spoken),
        cmocka_unit_test(handshakes_that_are_refused),
        cmocka_unit_test(a_record_that_was_changed),
        cmocka_unit_test(who_does_not_read_is_not_read),
        cmocka_unit_test(who_never_reads_is_cut_off),
        cmocka_unit_test(who_goes_in_the_middle),
        cmocka_unit_test(half_a_handshake_and_silence),
        cmocka_unit_test(drops_do_not_help),
        cmocka_unit_test(idle_ones_go),
        cmocka_unit_test(half_a_frame_and_silence),
        cmocka_unit_test(records_with_nothing_in_them),
        cmocka_unit_test(the_longest_idle_makes_room),
        cmocka_unit_test(at_most_so_many_of_one_client),
        cmocka_unit_test(the_end_with_connections_open),
        cmocka_unit_test(the_end_has_deadlines),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("net/tls ends", tests, NULL, NULL);
}

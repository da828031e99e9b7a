/* cluster/gate_conn_uv and gate_leg_uv: what passes through the gate, how much of it waits there, how
 * connections end, and memory that runs out. Who is let in: test_gate_uv.c. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "cluster/gate_priv.h"
#include "gate_fixture.h"

#define BULK  ((size_t)64 * 1024 * 1024)
#define PIECE 65536
#define IDLE  300 /* ms without a step: nobody takes any more */
#define BUSY  8
#define BEATS 300

static struct gate_fixture f;
static struct tls_made *node;

static int setup(void **state)
{
    (void)state;
    gate_fixture_init(&f, true);
    node = gate_fixture_node(&f, "core-b");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_fixture_end(&f);
    tls_made_free(node);
    return 0;
}

static void open_as(struct gate_caller *c, const char *mode)
{
    gate_caller_open(c, &f, node);
    assert_int_equal(SSL_write(c->ssl, mode, 1), 1);
}

/* ---- a stream whose octets tell their place ------------------------------------------------ */

struct stream {
    struct gate_caller *c;
    size_t written, read;
};

static void fill(uint8_t *bytes, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)((at + i) * 31 + ((at + i) >> 12));
    }
}

static void open_stream(struct stream *s, struct gate_caller *c)
{
    open_as(c, "e");
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    *s = (struct stream){.c = c};
}

static bool write_some(struct stream *s, size_t until)
{
    static uint8_t bytes[PIECE];
    size_t n = until - s->written < PIECE ? until - s->written : PIECE;
    if (n == 0) {
        return false;
    }
    fill(bytes, s->written, n);
    bool moved = SSL_write_ex(s->c->ssl, bytes, n, &n) == 1;
    s->written += moved ? n : 0;
    return moved;
}

static bool read_some(struct stream *s)
{
    static uint8_t bytes[PIECE], want[PIECE];
    size_t n;
    if (SSL_read_ex(s->c->ssl, bytes, sizeof bytes, &n) != 1) {
        assert_int_equal(SSL_get_error(s->c->ssl, 0), SSL_ERROR_WANT_READ);
        return false;
    }
    fill(want, s->read, n);
    assert_memory_equal(bytes, want, n);
    s->read += n;
    return true;
}

/* Writes without reading until nobody takes any more. */
static void stuff(struct stream *s)
{
    do {
        while (write_some(s, BULK)) {
        }
    } while (poll(&(struct pollfd){.fd = s->c->fd, .events = POLLOUT}, 1, IDLE) == 1 &&
             s->written < BULK);
}

/* ---- octets -------------------------------------------------------------------------------- */

/* 64 MiB there and back, first by somebody who does not read at all: then everybody on the way waits, and the
 * gate holds no more than it may. */
static void test_bulk_and_a_slow_reader(void **state)
{
    struct gate_caller c;
    struct stream s;
    (void)state;
    open_stream(&s, &c);
    size_t before = gate_memory_used();
    uint64_t begun = uv_hrtime();
    stuff(&s);
    size_t held = gate_memory_used() - before;
    print_message("clogged after %zu KiB; %zu KiB wait in memory\n", s.written / 1024, held / 1024);
    assert_true(s.written < BULK);
    assert_true(held > GATE_UNSENT_MAX);
    /* a queue that grows is up to twice as wide as what is in it, and has its old place, too; the gate is
     * not alone, either */
    const size_t most = (size_t)2 * 3 * (GATE_UNSENT_MAX + 2 * GATE_READ) + 256 * 1024;
    assert_true(held < most);
    size_t peak = before;
    while (s.read < BULK) {
        bool moved = write_some(&s, BULK);
        moved = read_some(&s) || moved;
        size_t now = gate_memory_used();
        peak = now > peak ? now : peak;
        if (!moved) {
            short events = s.written < BULK ? POLLIN | POLLOUT : POLLIN;
            assert_int_equal(
                poll(&(struct pollfd){.fd = c.fd, .events = events}, 1, GATE_FIXTURE_MS), 1);
        }
    }
    assert_int_equal(s.written, BULK);
    print_message("64 MiB there and back in %.2f s, at most %zu KiB in memory\n",
                  (double)(uv_hrtime() - begun) / 1e9, (peak - before) / 1024);
    assert_true(peak - before < most);
    gate_caller_close(&c);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Small exchanges while others send as fast as they can. */
static void test_heartbeats_among_bulk(void **state)
{
    static double ms[BEATS];
    struct gate_caller beat, c[2];
    struct stream s[2];
    (void)state;
    gate_caller_open(&beat, &f, node);
    assert_true(gate_caller_passes(&beat));
    for (unsigned i = 0; i < 2; i++) {
        open_stream(&s[i], &c[i]);
    }
    for (unsigned i = 0; i < BEATS; i++) {
        for (unsigned j = 0; j < 2; j++) { /* as much as there is room for */
            while (s[j].written - s[j].read < 4 * GATE_UNSENT_MAX && write_some(&s[j], SIZE_MAX)) {
            }
        }
        uint64_t begun = uv_hrtime();
        assert_true(gate_caller_echo(&beat, "beat"));
        ms[i] = (double)(uv_hrtime() - begun) / 1e6;
        for (unsigned j = 0; j < 2; j++) {
            for (unsigned k = 0; k < 16 && read_some(&s[j]); k++) {
            }
        }
    }
    qsort(ms, BEATS, sizeof ms[0], by_size);
    print_message("beats beside bulk: p50 %.2f ms, p99 %.2f ms; %zu MiB passed\n", ms[BEATS / 2],
                  ms[BEATS * 99 / 100], (s[0].read + s[1].read) >> 20);
    assert_true(s[0].read + s[1].read > 4 * GATE_UNSENT_MAX);
    assert_true(ms[BEATS / 2] < 100);
    gate_caller_close(&beat);
    gate_caller_close(&c[0]);
    gate_caller_close(&c[1]);
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void until(atomic_uint *counter, unsigned want)
{
    uint64_t end = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
    while (atomic_load(counter) != want && uv_hrtime() < end) {
        gate_fixture_turn(&f);
    }
    assert_int_equal(atomic_load(counter), want);
}

/* One side ends after a megabyte: the other has all of it, then the end, and still answers. */
static void test_half_close(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static uint8_t bytes[1 << 20];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct gate_caller c;
        char heard[32] = "";
        gate_caller_dial(&c, &f, 0, 1);
        assert_true(gate_caller_shake(&c, f.ca, node, versions[i]));
        assert_int_equal(SSL_write(c.ssl, "c", 1), 1);
        for (size_t at = 0, n; at < sizeof bytes; at += n) {
            assert_int_equal(SSL_write_ex(c.ssl, bytes + at, sizeof bytes - at, &n), 1);
        }
        SSL_shutdown(c.ssl);
        assert_int_equal(SSL_read(c.ssl, heard, sizeof heard - 1), 7);
        assert_string_equal(heard, "1048576");
        assert_true(SSL_read(c.ssl, heard, 1) <= 0);
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        gate_fixture_until(&f, &f.counters->open, 0);
        until(&f.backend.notified, i + 1);
        gate_caller_close(&c);
    }
    assert_int_equal(atomic_load(&f.backend.cut), 0);
}

/* An end without close_notify stays one: who is behind can tell that something may be missing. */
static void test_end_without_notice(void **state)
{
    struct gate_caller c;
    (void)state;
    open_as(&c, "c");
    assert_int_equal(SSL_write(c.ssl, "half", 4), 4);
    gate_fixture_until(&f, &f.counters->open, 1);
    gate_caller_close(&c);
    until(&f.backend.cut, 1);
    gate_fixture_until(&f, &f.counters->open, 0);
    assert_int_equal(atomic_load(&f.backend.notified), 0);

    /* a reset; and broken TLS in the middle */
    struct linger none = {.l_onoff = 1};
    gate_caller_open(&c, &f, node);
    assert_true(gate_caller_passes(&c));
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    gate_caller_close(&c);
    until(&f.backend.cut, 2);
    gate_caller_open(&c, &f, node);
    assert_true(gate_caller_passes(&c));
    assert_int_equal(send(c.fd, "\x17\3\3\0\x20 no record of this one's", 27, MSG_NOSIGNAL), 27);
    shutdown(c.fd, SHUT_WR);
    assert_true(gate_caller_is_out(&c));
    gate_caller_close(&c);
    until(&f.backend.cut, 3);
    gate_fixture_until(&f, &f.counters->open, 0);
    assert_int_equal(gate_fixture_get(&f.counters->failed), 0);
}

/* The gate ends while everything is clogged. */
static void test_stop_while_busy(void **state)
{
    static struct gate_caller c[BUSY];
    struct stream s[BUSY];
    struct gate_caller strange;
    (void)state;
    for (unsigned i = 0; i < BUSY; i++) {
        open_stream(&s[i], &c[i]);
        stuff(&s[i]);
    }
    gate_caller_dial(&strange, &f, 0, 1);
    gate_fixture_until(&f, &f.counters->open, BUSY + 1);
    gate_fixture_stop(&f);
    for (unsigned i = 0; i < BUSY; i++) {
        uint64_t end = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
        bool over = false;
        while (!over && uv_hrtime() < end) { /* what was in the sockets may still come */
            char bytes[4096];
            poll(&(struct pollfd){.fd = c[i].fd, .events = POLLIN}, 1, GATE_FIXTURE_MS);
            over = recv(c[i].fd, bytes, sizeof bytes, 0) <= 0;
        }
        assert_true(over);
        gate_caller_close(&c[i]);
    }
    assert_true(gate_caller_is_out(&strange));
    gate_caller_close(&strange);
}

/* ---- no memory ----------------------------------------------------------------------------- */

/* Allocations of a connection fail, the first ones each in turn and of the others some, until one connection
 * needs no more: it costs that one. */
static void test_no_memory(void **state)
{
    struct gate_caller first;
    unsigned ends = 0, rounds = 0;
    (void)state;
    gate_caller_open(&first, &f, node);
    assert_true(gate_caller_passes(&first));
    for (long n = 0;; n += 1 + n / 10, rounds++) {
        struct gate_caller c;
        gate_caller_dial(&c, &f, 0, 2);
        gate_memory_fail_after(n);
        bool passed = gate_caller_shake(&c, f.ca, node, 0) && gate_caller_passes(&c);
        bool failed = gate_memory_failed();
        ends += !passed;
        gate_caller_close(&c);
        assert_true(gate_caller_echo(&first, "still here"));
        gate_fixture_until(&f, &f.counters->open, 1);
        assert_true(passed || failed);
        if (!failed) {
            break;
        }
    }
    print_message("%u rounds, %u connections lost\n", rounds, ends);
    assert_true(ends >= 20);
    assert_int_equal(gate_fixture_get(&f.counters->accepted), rounds + 2);
    gate_caller_close(&first);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    gate_memory_init();
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_bulk_and_a_slow_reader), T(test_heartbeats_among_bulk), T(test_half_close),
        T(test_end_without_notice),     T(test_stop_while_busy),       T(test_no_memory),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}

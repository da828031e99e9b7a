/* Connections: frames in pieces, peers that do not read, deadlines, who has to go, the end. */
#include "dnsd/net/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns_decode.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net_fixture.h"
#include "rich_zone.h"

#define BIG_VALUES     40 /* of 200 octets: an answer of 8.7 KB */
#define SHORTEST_FRAME 14 /* a length and a header */
#define QUIET_MS       50 /* nothing was taken for so long: nothing will be */

static struct dns_message message;

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

static struct net_fixture *fixture(void)
{
    struct net_fixture *f = fixture_new();
    net_fixture_open(f, "127.0.0.1");
    return f;
}

static const struct net_counters *counters(const struct net_fixture *f)
{
    return net_worker_counters(f->worker);
}

static const struct net_conn_counters *conns(const struct net_fixture *f)
{
    return &counters(f)->conns[ANSWER_TCP];
}

static int dial(struct net_fixture *f)
{
    return net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", NULL);
}

static size_t frame_of(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
    return net_fixture_query(out, 300, id, name, type, true);
}

static void ask(struct net_fixture *f, int fd, uint16_t id, const char *name, uint16_t type)
{
    uint8_t frame[300];
    net_fixture_send(f, fd, frame, frame_of(frame, id, name, type));
}

/* The next answer, decoded into `message`; false: the other side has ended. */
static bool receive(struct net_fixture *f, int fd)
{
    static uint8_t bytes[65535];
    uint8_t head[2];
    if (net_fixture_read(f, fd, head, 2) != 2) {
        return false;
    }
    size_t len = get_u16(head);
    assert_int_equal(net_fixture_read(f, fd, bytes, len), len);
    assert_true(dns_decode(bytes, len, &message));
    return true;
}

static void expect_answer(struct net_fixture *f, int fd, uint16_t id)
{
    assert_true(receive(f, fd));
    assert_int_equal(message.id, id);
}

/* Whether the connection is alive: it answers. */
static void expect_alive(struct net_fixture *f, int fd)
{
    ask(f, fd, 99, "bob.mc.example.com.", TYPE_A);
    expect_answer(f, fd, 99);
}

static void fifty_in_one_write(void **state)
{
    struct net_fixture *f = fixture();
    int fd = dial(f);
    uint8_t all[50 * 64];
    size_t len = 0;
    (void)state;
    for (uint16_t i = 0; i < 50; i++) {
        len += net_fixture_query(all + len, sizeof all - len, i, "alice.mc.example.com.", TYPE_A,
                                 true);
    }
    net_fixture_send(f, fd, all, len);
    for (uint16_t i = 0; i < 50; i++) {
        expect_answer(f, fd, i);
    }
    assert_int_equal(answer_queries_over(&counters(f)->answer, ANSWER_TCP), 50);
    close(fd);
    net_fixture_end(f);
}

static void one_octet_at_a_time(void **state)
{
    struct net_fixture *f = fixture();
    int fd = dial(f);
    uint8_t frames[3 * 64];
    size_t len = 0;
    (void)state;
    for (uint16_t i = 0; i < 3; i++) {
        len += net_fixture_query(frames + len, sizeof frames - len, i, "al.mc.example.com.", TYPE_A,
                                 true);
    }
    for (size_t i = 0; i < len; i++) {
        net_fixture_send(f, fd, frames + i, 1);
        net_fixture_turn(f, -1);
    }
    for (uint16_t i = 0; i < 3; i++) {
        expect_answer(f, fd, i);
    }
    close(fd);
    net_fixture_end(f);
}

static void the_largest_frame(void **state)
{
    struct net_fixture *f = fixture();
    int fd = dial(f);
    uint8_t *frame = mem_xalloc(2 + 65535);
    uint8_t query[300];
    (void)state;
    size_t len = frame_of(query, 5, "alice.mc.example.com.", TYPE_A);
    memcpy(frame, query, len);
    put_u16(frame, 65535);
    for (unsigned i = 0; i < 3; i++) {
        net_fixture_send(f, fd, frame, 2 + 65535);
        expect_answer(f, fd, 5);
    }
    assert_int_equal(counters(f)->answer.trailing, 3);
    free(frame);
    close(fd);
    net_fixture_end(f);
}

static void frames_too_short_for_a_header(void **state)
{
    static const uint8_t lengths[] = {0, 1, 11};
    (void)state;
    for (size_t i = 0; i < sizeof lengths; i++) {
        struct net_fixture *f = fixture();
        int fd = dial(f);
        uint8_t bytes[300];
        size_t len = frame_of(bytes, 3, "alice.mc.example.com.", TYPE_A);
        memset(bytes + len, 0, 13);
        bytes[len + 1] = lengths[i];
        net_fixture_send(f, fd, bytes, len + 2 + lengths[i]);
        expect_answer(f, fd, 3); /* what came before it is answered */
        assert_true(net_fixture_ended(f, fd));
        assert_int_equal(conns(f)->open, 0);
        close(fd);
        net_fixture_end(f);
    }
}

static void messages_that_get_no_answer(void **state)
{
    struct net_fixture *f = fixture();
    int fd = dial(f);
    uint8_t frame[300];
    (void)state;
    size_t len = frame_of(frame, 1, "alice.mc.example.com.", TYPE_A);
    frame[4] |= 0x80; /* an answer */
    net_fixture_send(f, fd, frame, len);
    expect_alive(f, fd);
    close(fd);
    net_fixture_end(f);
}

/* Who has said everything may close its half and still read. */
static void half_closed(void **state)
{
    struct net_fixture *f = fixture();
    int fd = dial(f);
    (void)state;
    for (uint16_t i = 0; i < 30; i++) {
        ask(f, fd, i, "big.mc.example.com.", TYPE_TXT);
    }
    shutdown(fd, SHUT_WR);
    for (uint16_t i = 0; i < 30; i++) {
        expect_answer(f, fd, i);
        assert_int_equal(message.counts[1], BIG_VALUES);
    }
    assert_true(net_fixture_ended(f, fd));
    close(fd);
    net_fixture_until(f, &conns(f)->open, 0);
    net_fixture_end(f);
}

/* ---- peers that do not read ------------------------------------------------------------------ */

/* Writes queries for the big answer until nothing more is taken; returns how many whole ones were.
 */
static unsigned stuff(struct net_fixture *f, int fd)
{
    uint8_t frame[300];
    unsigned whole = 0;
    int64_t quiet_since = clk_mono_ms(&clk_system);
    size_t len = frame_of(frame, 0, "big.mc.example.com.", TYPE_TXT);
    size_t at = 0;
    while (clk_mono_ms(&clk_system) - quiet_since < QUIET_MS) {
        put_u16(frame + 2, (uint16_t)whole);
        ssize_t n = send(fd, frame + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            net_fixture_turn(f, -1);
            continue;
        }
        quiet_since = clk_mono_ms(&clk_system);
        at += (size_t)n;
        if (at == len) {
            at = 0;
            whole++;
        }
    }
    return whole;
}

/* Small buffers, so that the end of what the system takes comes soon. */
static int dial_narrow(struct net_fixture *f)
{
    struct net_address to = f->sockets.bound[0].address;
    int size = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    assert_int_equal(connect(fd, (struct sockaddr *)&to.sa, sizeof(struct sockaddr_in)), 0);
    return fd;
}

static void who_does_not_read_is_not_read(void **state)
{
    struct net_fixture *f = fixture_new();
    f->limits.tcp_write_ms = 60000;
    net_fixture_open(f, "127.0.0.1");
    int fd = dial_narrow(f), other = dial(f);
    (void)state;
    unsigned whole = stuff(f, fd);
    uint64_t answered = answer_queries_over(&counters(f)->answer, ANSWER_TCP);
    /* More queries wait at the door than were answered into the air. */
    assert_true(whole > 0 && answered < whole);
    expect_alive(f, other);
    /* Now it reads: nothing was lost, and all is in order. */
    for (unsigned i = 0; i < whole; i++) {
        expect_answer(f, fd, (uint16_t)i);
        assert_int_equal(message.counts[1], BIG_VALUES);
    }
    assert_int_equal(conns(f)->timed_out, 0);
    close(fd);
    close(other);
    net_fixture_end(f);
}

static void who_never_reads_is_cut_off(void **state)
{
    struct net_fixture *f = fixture_new();
    f->limits.tcp_write_ms = 100;
    net_fixture_open(f, "127.0.0.1");
    int fd = dial_narrow(f), other = dial(f);
    (void)state;
    stuff(f, fd);
    net_fixture_until(f, &conns(f)->timed_out, 1);
    expect_alive(f, other);
    close(fd);
    close(other);
    net_fixture_end(f);
}

static void who_goes_in_the_middle(void **state)
{
    struct net_fixture *f = fixture();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        int fd = dial_narrow(f);
        stuff(f, fd);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        net_fixture_until(f, &conns(f)->open, 0);
    }
    net_fixture_end(f);
}

struct flood {
    int fd;
    atomic_bool stop;
};

/* Messages that get no answer, as many as go out. */
static void flood(void *arg)
{
    static uint8_t frames[1 << 20];
    struct flood *x = arg;
    for (size_t i = 0; i + SHORTEST_FRAME <= sizeof frames; i += SHORTEST_FRAME) {
        frames[i + 1] = SHORTEST_FRAME - 2;
        frames[i + 4] = 0x80;
    }
    while (!atomic_load(&x->stop)) {
        if (send(x->fd, frames, sizeof frames / SHORTEST_FRAME * SHORTEST_FRAME, MSG_NOSIGNAL) <
            0) {
            break;
        }
    }
}

/* However much one sends, the others of the loop get their turn after one read of it. */
static void who_sends_without_end_gets_one_read_a_turn(void **state)
{
    struct net_fixture *f = fixture();
    struct flood x = {.fd = dial(f)};
    uv_thread_t thread;
    uint64_t most = 0;
    (void)state;
    atomic_init(&x.stop, false);
    assert_int_equal(uv_thread_create(&thread, flood, &x), 0);
    while (counters(f)->answer.dropped[ANSWER_DROP_ANSWER] < 2000000) {
        uint64_t before = counters(f)->answer.dropped[ANSWER_DROP_ANSWER];
        net_fixture_turn(f, -1);
        uint64_t now = counters(f)->answer.dropped[ANSWER_DROP_ANSWER] - before;
        most = now > most ? now : most;
    }
    atomic_store(&x.stop, true);
    shutdown(x.fd, SHUT_RDWR);
    uv_thread_join(&thread);
    close(x.fd);
    net_fixture_end(f);
    print_message("%llu messages in one turn\n", (unsigned long long)most);
    assert_true(most <= 2 * 65536 / SHORTEST_FRAME);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void half_a_frame_and_silence(void **state)
{
    static const size_t parts[] = {1, 2, 10, 30};
    struct net_fixture *f = fixture_new();
    uint8_t frame[300];
    int fds[4];
    (void)state;
    f->limits.tcp_frame_ms = 100;
    net_fixture_open(f, "127.0.0.1");
    frame_of(frame, 1, "alice.mc.example.com.", TYPE_A);
    for (unsigned i = 0; i < 4; i++) {
        fds[i] = dial(f);
        net_fixture_send(f, fds[i], frame, parts[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_true(net_fixture_ended(f, fds[i]));
        close(fds[i]);
    }
    assert_int_equal(conns(f)->timed_out, 4);
    net_fixture_end(f);
}

/* The deadline is the frame's, not the octet's. */
static void drops_do_not_help(void **state)
{
    struct net_fixture *f = fixture_new();
    uint8_t octet = 0;
    (void)state;
    f->limits.tcp_frame_ms = 300;
    f->limits.tcp_idle_ms = 60000;
    net_fixture_open(f, "127.0.0.1");
    int fd = dial(f);
    int64_t began = clk_mono_ms(&clk_system);
    net_fixture_send(f, fd, "\1\0", 2); /* 256 octets are promised */
    ssize_t n = 1;
    while (n > 0 && clk_mono_ms(&clk_system) - began < NET_FIXTURE_DEADLINE_MS) {
        int64_t next = clk_mono_ms(&clk_system) + 40;
        n = send(fd, &octet, 1, MSG_NOSIGNAL);
        while (clk_mono_ms(&clk_system) < next) {
            net_fixture_turn(f, -1);
        }
    }
    assert_true(n < 0);
    assert_int_equal(conns(f)->timed_out, 1);
    close(fd);
    net_fixture_end(f);
}

static void idle_ones_go(void **state)
{
    struct net_fixture *f = fixture_new();
    (void)state;
    f->limits.tcp_idle_ms = 200;
    net_fixture_open(f, "127.0.0.1");
    int fd = dial(f);
    expect_alive(f, fd);
    assert_true(net_fixture_ended(f, fd));
    assert_int_equal(conns(f)->timed_out, 0); /* that is how connections should end */
    assert_int_equal(conns(f)->open, 0);
    close(fd);
    net_fixture_end(f);
}

/* ---- who has to go --------------------------------------------------------------------------- */

static void at_most_so_many_of_one_client(void **state)
{
    struct net_fixture *f = fixture_new();
    int fds[4];
    (void)state;
    f->limits.tcp_per_client = 3;
    net_fixture_open(f, "127.0.0.1");
    int stranger = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", "127.0.0.7");
    expect_alive(f, stranger); /* the longest idle of all, but of another client */
    for (unsigned i = 0; i < 4; i++) {
        fds[i] = dial(f);
        expect_alive(f, fds[i]);
    }
    assert_true(net_fixture_ended(f, fds[0]));
    assert_int_equal(conns(f)->evicted, 1);
    assert_int_equal(conns(f)->open, 4);
    expect_alive(f, fds[1]);
    expect_alive(f, fds[2]);
    expect_alive(f, fds[3]);
    expect_alive(f, stranger);
    for (unsigned i = 0; i < 4; i++) {
        close(fds[i]);
    }
    close(stranger);
    net_fixture_end(f);
}

static void the_longest_idle_makes_room(void **state)
{
    struct net_fixture *f = fixture_new();
    int fds[5];
    char from[16];
    (void)state;
    f->limits.tcp_clients = 4;
    net_fixture_open(f, "127.0.0.1");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(from, sizeof from, "127.0.2.%u", i + 1);
        fds[i] = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", from);
        expect_alive(f, fds[i]);
    }
    expect_alive(f, fds[0]); /* now the second is the longest idle */
    fds[4] = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", "127.0.2.9");
    expect_alive(f, fds[4]); /* the newcomer comes in */
    assert_true(net_fixture_ended(f, fds[1]));
    assert_int_equal(conns(f)->evicted, 1);
    expect_alive(f, fds[0]);
    expect_alive(f, fds[2]);
    expect_alive(f, fds[3]);
    for (unsigned i = 0; i < 5; i++) {
        close(fds[i]);
    }
    net_fixture_end(f);
}

static void many_come_and_go(void **state)
{
    struct net_fixture *f = fixture();
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        int fd = dial(f);
        expect_alive(f, fd);
        close(fd);
    }
    net_fixture_until(f, &conns(f)->open, 0);
    assert_int_equal(conns(f)->accepted, 200);
    net_fixture_end(f);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void the_end_with_connections_open(void **state)
{
    struct net_fixture *f = fixture_new();
    uint8_t frame[300];
    (void)state;
    f->limits.tcp_write_ms = f->limits.tcp_frame_ms = 60000;
    net_fixture_open(f, "127.0.0.1");
    int idle = dial(f), halfway = dial(f), reading = dial_narrow(f);
    size_t len = frame_of(frame, 7, "alice.mc.example.com.", TYPE_A);
    expect_alive(f, idle);
    net_fixture_send(f, halfway, frame, 20);
    unsigned owed = stuff(f, reading);
    net_fixture_close_begin(f);
    assert_true(net_fixture_ended(f, idle));
    assert_false(f->closed);
    net_fixture_send(f, halfway, frame + 20, len - 20); /* it may finish */
    expect_answer(f, halfway, 7);
    assert_true(net_fixture_ended(f, halfway));
    for (unsigned i = 0; i < owed; i++) {
        expect_answer(f, reading, (uint16_t)i);
    }
    close(reading); /* whether it was in the middle of a query depends on the system's buffers */
    close(idle);
    close(halfway);
    net_fixture_end(f);
}

/* Even those who neither read nor write cannot keep it from ending. */
static void the_end_has_deadlines(void **state)
{
    struct net_fixture *f = fixture_new();
    (void)state;
    f->limits.tcp_write_ms = f->limits.tcp_frame_ms = 200;
    net_fixture_open(f, "127.0.0.1");
    int silent = dial(f), deaf = dial_narrow(f);
    net_fixture_send(f, silent, "\0", 1);
    stuff(f, deaf);
    net_fixture_end(f);
    close(silent);
    close(deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_in_one_write),
        cmocka_unit_test(one_octet_at_a_time),
        cmocka_unit_test(the_largest_frame),
        cmocka_unit_test(frames_too_short_for_a_header),
        cmocka_unit_test(messages_that_get_no_answer),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(who_does_not_read_is_not_read),
        cmocka_unit_test(who_never_reads_is_cut_off),
        cmocka_unit_test(who_goes_in_the_middle),
        cmocka_unit_test(who_sends_without_end_gets_one_read_a_turn),
        cmocka_unit_test(half_a_frame_and_silence),
        cmocka_unit_test(drops_do_not_help),
        cmocka_unit_test(idle_ones_go),
        cmocka_unit_test(at_most_so_many_of_one_client),
        cmocka_unit_test(the_longest_idle_makes_room),
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(the_end_with_connections_open),
        cmocka_unit_test(the_end_has_deadlines),
    };
    return cmocka_run_group_tests_name("net/tcp", tests, NULL, NULL);
}

/* Connections: half-closed ones, peers that do not read, deadlines, who has to go. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/server_priv.h"
#include "http_fixture.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "memory.h"

#define HOST " HTTP/1.1\r\nHost: x\r\n"
#define NOW  "GET /now" HOST "\r\n"
#define KEEP "GET /keep" HOST "\r\n"
#define BIG  "GET /big" HOST "\r\n"

#define QUIET_MS 50 /* nothing was taken for so long: nothing will be */

static struct http_fixture f;

static void begin(void)
{
    http_fixture_init(&f);
    http_fixture_open(&f);
}

static int dial(void)
{
    return http_fixture_dial(&f, f.port);
}

static const struct http_counters *counters(void)
{
    return http_fixture_counters(&f);
}

/* ---- half-closed and vanished ------------------------------------------------------------------ */

/* Who has said everything may close its half and still read. */
static void half_closed(void **state)
{
    (void)state;
    begin();
    int fd = dial();
    http_fixture_say(&f, fd, KEEP NOW NOW);
    shutdown(fd, SHUT_WR);
    http_fixture_wait_kept(&f, 1);
    for (unsigned i = 0; i < 20; i++) {
        http_fixture_turn(&f, -1);
    }
    assert_false(http_request_gone(f.kept[0])); /* nobody can tell this from one who waits */
    http_fixture_answer(&f);
    assert_string_equal(http_fixture_got(&f, fd)->body, "kept");
    http_fixture_expect(&f, fd, 200);
    http_fixture_expect(&f, fd, 200);
    assert_true(http_fixture_ended(&f, fd));
    http_fixture_until(&f, &counters()->open, 0);
    close(fd);
    http_fixture_end(&f);
}

static void half_closed_in_the_middle(void **state)
{
    static const char *const parts[] = {"", "GET /now" HOST,
                                        "POST /echo" HOST "Content-Length: 9\r\n\r\nabc"};
    (void)state;
    begin();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int fd = dial();
        http_fixture_expect_alive(&f, fd);
        http_fixture_say(&f, fd, parts[i]);
        shutdown(fd, SHUT_WR);
        assert_true(http_fixture_ended(&f, fd));
        close(fd);
        http_fixture_until(&f, &counters()->open, 0);
    }
    http_fixture_end(&f);
}

static void many_come_and_go(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 300; i++) {
        int fd = dial();
        if (i % 3 == 0) {
            http_fixture_expect_alive(&f, fd);
            close(fd);
        } else if (i % 3 == 1) {
            http_fixture_say(&f, fd, NOW BIG "POST");
            http_fixture_reset(fd);
        } else {
            http_fixture_say(&f, fd, "GE");
            close(fd);
        }
    }
    http_fixture_until(&f, &counters()->accepted, 300);
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* ---- peers that do not read -------------------------------------------------------------------- */

/* Writes requests until nothing more is taken; returns how many whole ones were. */
static unsigned stuff(int fd, const char *request)
{
    size_t len = strlen(request), at = 0;
    unsigned whole = 0;
    int64_t quiet_since = clk_mono_ms(&clk_system);
    while (clk_mono_ms(&clk_system) - quiet_since < QUIET_MS) {
        ssize_t n = send(fd, request + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            http_fixture_turn(&f, -1);
            continue;
        }
        quiet_since = clk_mono_ms(&clk_system);
        at += (size_t)n;
        whole += at == len ? 1 : 0;
        at %= len;
    }
    return whole;
}

static void who_does_not_read_is_not_read(void **state)
{
    (void)state;
    begin();
    int fd = http_fixture_dial_narrow(&f, f.port), other = dial();
    unsigned whole = stuff(fd, NOW);
    assert_true(whole >
                f.served); /* more requests wait at the door than were answered into the air */
    http_fixture_expect_alive(&f, other);
    for (unsigned i = 0; i < whole; i++) {
        http_fixture_expect(&f, fd, 200);
    }
    assert_int_equal(counters()->timed_out, 0);
    close(fd);
    close(other);
    http_fixture_end(&f);
}

/* One answer goes out whatever its size, but no second one before the first is nearly taken. */
static void one_big_answer_at_a_time(void **state)
{
    (void)state;
    begin();
    int fd = http_fixture_dial_narrow(&f, f.port);
    http_fixture_say(&f, fd, BIG BIG BIG);
    for (unsigned i = 0; i < 100; i++) {
        http_fixture_turn(&f, -1);
    }
    assert_int_equal(f.served, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct http_got *g = http_fixture_got(&f, fd);
        assert_int_equal(g->len, HTTP_FIXTURE_BIG);
        assert_int_equal(g->body[HTTP_FIXTURE_BIG - 1], 'a' + (HTTP_FIXTURE_BIG - 1) % 23);
    }
    close(fd);
    http_fixture_end(&f);
}

static void who_never_reads_is_cut_off(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 100;
    http_fixture_open(&f);
    int fd = http_fixture_dial_narrow(&f, f.port), other = dial();
    http_fixture_say(&f, fd, BIG);
    http_fixture_until(&f, &counters()->timed_out, 1);
    assert_int_equal(counters()->open, 1);
    http_fixture_expect_alive(&f, other);
    close(fd);
    close(other);
    http_fixture_end(&f);
}

/* The deadline is the answer's, not the octet's. */
static void sips_do_not_help(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 300;
    http_fixture_open(&f);
    int fd = http_fixture_pair(&f, 4096, false);
    int64_t began = clk_mono_ms(&clk_system);
    char octets[2000];
    http_fixture_say(&f, fd, BIG);
    while (counters()->timed_out == 0 &&
           clk_mono_ms(&clk_system) - began < HTTP_FIXTURE_DEADLINE_MS) {
        int64_t next = clk_mono_ms(&clk_system) + 10;
        (void)!recv(fd, octets, sizeof octets, MSG_DONTWAIT);
        while (clk_mono_ms(&clk_system) < next) {
            http_fixture_turn(&f, -1);
        }
    }
    assert_int_equal(counters()->timed_out, 1);
    close(fd);
    http_fixture_end(&f);
}

static void ask_for_much(int fd)
{
    static char body[60000];
    http_fixture_say(&f, fd, "POST /echo" HOST "Content-Length: 60000\r\n\r\n");
    http_fixture_send(&f, fd, body, sizeof body);
}

/* Who reads, answer after answer, may take as long as it likes, though there is always one more. */
static void who_reads_is_never_late(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 400;
    http_fixture_open(&f);
    int fd = http_fixture_pair(&f, 4096, false);
    int64_t began = clk_mono_ms(&clk_system);
    for (unsigned i = 0; i < 4; i++) {
        ask_for_much(fd);
    }
    while (clk_mono_ms(&clk_system) - began < 1500) {
        ask_for_much(fd);
        assert_int_equal(http_fixture_got(&f, fd)->len, 60000);
    }
    assert_int_equal(counters()->timed_out, 0);
    close(fd);
    http_fixture_end(&f);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void expect_408(const char *request)
{
    int fd = dial();
    http_fixture_say(&f, fd, request);
    http_fixture_expect_error(&f, fd, 408, "request-timeout");
    assert_true(http_fixture_ended(&f, fd));
    close(fd);
}

static void requests_that_stop(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.header_ms = f.limits.body_ms = 50;
    http_fixture_open(&f);
    expect_408("G");
    expect_408("GET /now" HOST "X: ");
    expect_408("\r\nG");
    expect_408("POST /echo" HOST "Content-Length: 5\r\n\r\nabcd");
    expect_408("POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n");
    expect_408("POST /nothing" HOST "Content-Length: 5\r\n\r\nabcd");
    assert_int_equal(counters()->timed_out, 6);
    http_fixture_end(&f);
}

/* Writes an octet of TEXT, again and again its last one, every few milliseconds until the other side
 * has had enough; returns after how many milliseconds. */
static int64_t drip(int fd, const char *text)
{
    int64_t began = clk_mono_ms(&clk_system);
    ssize_t n = 1;
    while (counters()->timed_out == 0 && n > 0) {
        int64_t next = clk_mono_ms(&clk_system) + 10;
        n = send(fd, text, 1, MSG_NOSIGNAL);
        text += text[1] != '\0' ? 1 : 0;
        while (clk_mono_ms(&clk_system) < next) {
            http_fixture_turn(&f, -1);
        }
        assert_true(clk_mono_ms(&clk_system) - began < HTTP_FIXTURE_DEADLINE_MS);
    }
    return clk_mono_ms(&clk_system) - began;
}

static void drops_do_not_help(void **state)
{
    static const char *const requests[] = {"GET /now" HOST "X: aa",
                                           "POST /echo" HOST "Content-Length: 60000\r\n\r\na"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        http_fixture_init(&f);
        f.limits.header_ms = i == 0 ? 300 : 60000;
        f.limits.body_ms = 300;
        f.limits.idle_ms = 60000;
        http_fixture_open(&f);
        int fd = dial();
        http_fixture_expect_alive(&f, fd); /* so it is not the first request */
        assert_true(drip(fd, requests[i]) >= 300);
        close(fd);
        http_fixture_end(&f);
    }
}

static void idle_ones_go(void **state)
{
    static const char *const said[] = {"", "\r\n", NOW};
    (void)state;
    http_fixture_init(&f);
    f.limits.idle_ms = 150;
    http_fixture_open(&f);
    for (unsigned i = 0; i < 3; i++) {
        int fd = dial();
        http_fixture_say(&f, fd, said[i]);
        if (i == 2) {
            http_fixture_expect(&f, fd, 200);
        }
        assert_true(http_fixture_ended(&f, fd));
        close(fd);
    }
    assert_int_equal(counters()->timed_out, 0); /* that is how connections should end */
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* A request that is with its handler is not idle. */
static void handlers_may_take_longer_than_idleness(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.idle_ms = 50;
    http_fixture_open(&f);
    int fd = dial();
    int64_t began = clk_mono_ms(&clk_system);
    http_fixture_say(&f, fd, KEEP);
    while (clk_mono_ms(&clk_system) - began < 400) {
        http_fixture_turn(&f, -1);
    }
    assert_int_equal(counters()->open, 1);
    http_fixture_answer(&f);
    http_fixture_expect(&f, fd, 200);
    close(fd);
    http_fixture_end(&f);
}

/* ---- after the end of what we say ---------------------------------------------------------------- */

/* An answer that says no while the body is still coming arrives, and the body is not read for ever. */
static void who_goes_on_after_the_end(void **state)
{
    static char body[65536];
    (void)state;
    begin();
    int fd = dial();
    http_fixture_say(&f, fd, "POST /echo" HOST "Content-Length: 1000000000000\r\n\r\n");
    size_t sent = 0;
    int64_t began = clk_mono_ms(&clk_system);
    while (clk_mono_ms(&clk_system) - began < HTTP_FIXTURE_DEADLINE_MS) {
        ssize_t n = send(fd, body, sizeof body, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            break;
        }
        sent += n > 0 ? (size_t)n : 0;
        http_fixture_turn(&f, -1);
    }
    assert_int_equal(counters()->open, 0);
    print_message("%zu octets were taken of a body of 10^12\n", sent);
    assert_true(sent < 16u << 20);
    close(fd);
    /* One who reads in between has its answer. */
    fd = dial();
    http_fixture_say(&f, fd, "POST /echo" HOST "Content-Length: 1000000000000\r\n\r\n");
    for (unsigned i = 0; i < 3; i++) {
        http_fixture_send(&f, fd, body, sizeof body);
    }
    http_fixture_expect(&f, fd, 413);
    assert_true(http_fixture_ended(&f, fd));
    close(fd);
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* And it does not stay for ever because it says nothing more either. */
static void who_stays_after_the_end(void **state)
{
    (void)state;
    begin();
    int fd = dial();
    http_fixture_say(&f, fd, "bad\r\n\r\n");
    http_fixture_expect(&f, fd, 400);
    assert_true(http_fixture_ended(&f, fd));
    assert_int_equal(counters()->open, 1);
    int64_t began = clk_mono_ms(&clk_system);
    http_fixture_until(&f, &counters()->open, 0);
    assert_true(clk_mono_ms(&clk_system) - began < 2 * HTTP_LINGER_MS);
    assert_int_equal(counters()->timed_out, 0);
    close(fd);
    http_fixture_end(&f);
}

/* ---- who has to go --------------------------------------------------------------------------- */

static void the_longest_idle_makes_room(void **state)
{
    int fd[5];
    (void)state;
    http_fixture_init(&f);
    f.limits.connections = 4;
    http_fixture_open(&f);
    for (unsigned i = 0; i < 4; i++) {
        fd[i] = dial();
        http_fixture_expect_alive(&f, fd[i]);
    }
    http_fixture_expect_alive(&f, fd[0]); /* now the second is the longest idle */
    fd[4] = dial();
    http_fixture_expect_alive(&f, fd[4]);
    assert_true(http_fixture_ended(&f, fd[1]));
    assert_int_equal(counters()->evicted, 1);
    assert_int_equal(counters()->open, 4);
    http_fixture_expect_alive(&f, fd[0]);
    http_fixture_expect_alive(&f, fd[2]);
    http_fixture_expect_alive(&f, fd[3]);
    for (unsigned i = 0; i < 5; i++) {
        close(fd[i]);
    }
    http_fixture_end(&f);
}

static void who_asks_stays(void **state)
{
    int fd[4];
    (void)state;
    http_fixture_init(&f);
    f.limits.connections = 3;
    http_fixture_open(&f);
    for (unsigned i = 0; i < 3; i++) {
        fd[i] = dial();
        http_fixture_expect_alive(&f, fd[i]);
    }
    http_fixture_say(&f, fd[0], KEEP); /* the longest there, but it has asked for something */
    http_fixture_wait_kept(&f, 1);
    http_fixture_say(&f, fd[1], "GET /n"); /* which half a request is not */
    http_fixture_turn(&f, -1);
    fd[3] = dial();
    http_fixture_expect_alive(&f, fd[3]);
    assert_true(http_fixture_ended(&f, fd[1]));
    http_fixture_answer(&f);
    http_fixture_expect(&f, fd[0], 200);
    http_fixture_expect_alive(&f, fd[2]);
    for (unsigned i = 0; i < 4; i++) {
        close(fd[i]);
    }
    http_fixture_end(&f);
}

static void unless_all_do(void **state)
{
    int fd[3];
    (void)state;
    http_fixture_init(&f);
    f.limits.connections = 2;
    http_fixture_open(&f);
    for (unsigned i = 0; i < 2; i++) {
        fd[i] = dial();
        http_fixture_say(&f, fd[i], KEEP);
        http_fixture_wait_kept(&f, i + 1);
    }
    fd[2] = dial();
    http_fixture_expect_alive(&f, fd[2]);
    assert_true(http_fixture_ended(&f, fd[0]));
    assert_true(http_request_gone(f.kept[0]));
    assert_false(http_request_gone(f.kept[1]));
    for (unsigned i = 0; i < 3; i++) {
        close(fd[i]);
    }
    http_fixture_end(&f);
}

/* Who has been told to go is the first who goes. */
static void the_lingering_go_first(void **state)
{
    int fd[3];
    (void)state;
    http_fixture_init(&f);
    f.limits.connections = 2;
    http_fixture_open(&f);
    fd[0] = dial();
    http_fixture_expect_alive(&f, fd[0]);
    fd[1] = dial();
    http_fixture_say(&f, fd[1], "bad\r\n\r\n");
    http_fixture_expect(&f, fd[1], 400);
    assert_true(http_fixture_ended(&f, fd[1]));
    fd[2] = dial();
    http_fixture_expect_alive(&f, fd[2]);
    http_fixture_expect_alive(&f, fd[0]);
    for (unsigned i = 0; i < 3; i++) {
        close(fd[i]);
    }
    http_fixture_end(&f);
}

/* ---- what it costs ----------------------------------------------------------------------------- */

#define IDLE 200

static void an_idle_connection_is_small(void **state)
{
    static int fd[IDLE];
    (void)state;
    begin();
    int first = dial();
    http_fixture_expect_alive(&f, first);
    size_t before = memory_in_use();
    for (unsigned i = 0; i < IDLE; i++) {
        fd[i] = dial();
        http_fixture_expect_alive(&f, fd[i]);
    }
    size_t each = (memory_in_use() - before) / IDLE;
    print_message("%zu octets for an idle connection of HTTP/1.1\n", each);
    assert_true(each < 1024);
    for (unsigned i = 0; i < IDLE; i++) {
        close(fd[i]);
    }
    close(first);
    http_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_closed),
        cmocka_unit_test(half_closed_in_the_middle),
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(who_does_not_read_is_not_read),
        cmocka_unit_test(one_big_answer_at_a_time),
        cmocka_unit_test(who_never_reads_is_cut_off),
        cmocka_unit_test(sips_do_not_help),
        cmocka_unit_test(who_reads_is_never_late),
        cmocka_unit_test(requests_that_stop),
        cmocka_unit_test(drops_do_not_help),
        cmocka_unit_test(idle_ones_go),
        cmocka_unit_test(handlers_may_take_longer_than_idleness),
        cmocka_unit_test(who_goes_on_after_the_end),
        cmocka_unit_test(who_stays_after_the_end),
        cmocka_unit_test(the_longest_idle_makes_room),
        cmocka_unit_test(who_asks_stays),
        cmocka_unit_test(unless_all_do),
        cmocka_unit_test(the_lingering_go_first),
        cmocka_unit_test(an_idle_connection_is_small),
    };
    return cmocka_run_group_tests_name("http/conn", tests, NULL, NULL);
}

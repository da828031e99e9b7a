/* Who comes in, and who waits outside: no files left, too many handshakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_fixture.h"
#include "lib/clock.h"
#include "tls_peer.h"

#define KEEP "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n"

static struct http_fixture f;

static const struct http_counters *counters(void)
{
    return http_fixture_counters(&f);
}

static void turn_for(int64_t ms)
{
    int64_t end = clk_mono_ms(&clk_system) + ms;
    while (clk_mono_ms(&clk_system) < end) {
        http_fixture_turn(&f, -1);
    }
}

/* A crowd at the door comes in turn by turn, not all in one. */
static void a_crowd(void **state)
{
    int fd[100];
    unsigned turns = 0;
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    for (unsigned i = 0; i < 100; i++) {
        fd[i] = http_fixture_dial(&f, f.port);
    }
    while (counters()->accepted < 100) {
        uint64_t before = counters()->accepted;
        http_fixture_turn(&f, -1);
        turns++;
        assert_true(counters()->accepted - before <= 8);
        assert_true(turns < 1000);
    }
    for (unsigned i = 0; i < 100; i++) {
        http_fixture_expect_alive(&f, fd[i]);
        close(fd[i]);
    }
    http_fixture_end(&f);
}

/* ---- files ------------------------------------------------------------------------------------- */

static struct rlimit usual;

static void no_more_files(void)
{
    int next = dup(0);
    struct rlimit none = usual;
    close(next);
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void enough_files(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

static void out_of_files(void **state)
{
    (void)state;
    getrlimit(RLIMIT_NOFILE, &usual);
    http_fixture_init(&f);
    http_fixture_open(&f);
    int idle = http_fixture_dial(&f, f.port);
    http_fixture_expect_alive(&f, idle);
    int next = http_fixture_dial(&f, f.port);
    no_more_files();
    /* Who is idle makes room, and so the newcomer gets in. */
    assert_true(http_fixture_ended(&f, idle));
    http_fixture_expect_alive(&f, next);
    assert_int_equal(counters()->evicted, 1);
    assert_int_equal(counters()->refused, 1);
    /* Nobody is idle: he waits, and is asked a few times a second whether it goes now. */
    http_fixture_say(&f, next, KEEP);
    http_fixture_wait_kept(&f, 1);
    enough_files();
    close(idle);
    int last = http_fixture_dial(&f, f.port);
    no_more_files();
    turn_for(400);
    assert_in_range(counters()->refused, 3, 7);
    assert_int_equal(counters()->evicted, 1);
    enough_files();
    http_fixture_expect_alive(&f, last);
    http_fixture_answer(&f);
    http_fixture_expect(&f, next, 200);
    close(next);
    close(last);
    http_fixture_end(&f);
}

/* ---- handshakes -------------------------------------------------------------------------------- */

/* Everybody comes in, but only so many begin a handshake in a second; nobody else waits for them, and who
 * has not said anything does not count. */
static void handshakes_a_second(void **state)
{
    int fd[60];
    (void)state;
    struct tls_context *context = tls_context_for("DNS:a.example");
    http_fixture_init(&f);
    f.limits.handshakes = 20;
    f.limits.handshake_ms = 60000;
    http_fixture_open(&f);
    uint16_t port = http_fixture_open_tls(&f, context);
    int64_t began = clk_mono_ms(&clk_system);
    for (unsigned i = 0; i < 60; i++) {
        fd[i] = http_fixture_dial(&f, port);
    }
    http_fixture_until(&f, &counters()->accepted, 60);
    for (unsigned i = 0; i < 60; i += 2) {
        assert_int_equal(write(fd[i], "no hello", 8), 8);
    }
    http_fixture_until(&f, &counters()->handshakes_failed, 20); /* what a second may have at most */
    int plain = http_fixture_dial(&f, f.port);
    http_fixture_expect_alive(&f, plain);
    http_fixture_until(&f, &counters()->handshakes_failed, 30);
    assert_true(clk_mono_ms(&clk_system) - began >= 450);
    for (unsigned i = 0; i < 60; i++) {
        close(fd[i]);
    }
    close(plain);
    http_fixture_end(&f);
    tls_context_unref(context);
}

/* ---- not a socket to listen on -------------------------------------------------------------------- */

static void not_a_socket(void **state)
{
    struct err_info info = {.text = ""};
    int pipes[2];
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(http_server_listen(f.server, pipes[0], 0, false, &info), ERR_IO);
    assert_string_not_equal(info.text, "");
    assert_int_equal(close(pipes[0]), -1); /* was the server's */
    close(pipes[1]);
    http_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd),
        cmocka_unit_test(out_of_files),
        cmocka_unit_test(handshakes_a_second),
        cmocka_unit_test(not_a_socket),
    };
    return cmocka_run_group_tests_name("http/listen", tests, NULL, NULL);
}

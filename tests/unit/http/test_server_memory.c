/* The server while memory runs out: each allocation of its own fails in turn. Whoever it concerns is
 * answered with 503 or sent away; the next one is served as ever, and nothing is lost. (What head.c and
 * h1.c need is test_head_memory.c's.) */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2_client.h"

static unsigned left; /* allocations until one fails; 0: none does */
static bool failed;

static bool fails(void)
{
    failed = failed || left == 1;
    return left > 0 && --left == 0;
}

static void *test_alloc(size_t n)
{
    return fails() ? NULL : malloc(n);
}

static void *test_zeroed(size_t count, size_t n)
{
    return fails() ? NULL : calloc(count, n);
}

static void *test_wider(void *p, size_t n)
{
    return fails() ? NULL : realloc(p, n);
}

/* The sources themselves, with our allocator in place of the C library's. */
#define malloc  test_alloc
#define calloc  test_zeroed
#define realloc test_wider
#include "http/stream.c"
#include "http/conn_io_uv.c"
#include "http/h2_nghttp2.c"
#define on_closed on_conn_closed
#include "http/conn_uv.c"
#undef on_closed
#define on_closed on_listener_closed
#include "http/listen_uv.c"
#undef on_closed
#include "http/server_uv.c"
#undef malloc
#undef calloc
#undef realloc

static struct http_fixture f;

static void fail_after(unsigned n)
{
    left = n;
    failed = false;
}

/* All that comes until the connection ends, or until it is quiet. */
static size_t hear(int fd, char *out, size_t cap)
{
    size_t len = 0;
    for (unsigned quiet = 0; quiet < 20; quiet++) {
        ssize_t n = recv(fd, out + len, cap - len, MSG_DONTWAIT);
        if (n == 0) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet;
        http_fixture_turn(&f, -1);
    }
    return len;
}

static void http_1_1(void **state)
{
    static char body[3000], got[20000];
    unsigned answers = 0, busy = 0, n = 1;
    (void)state;
    memset(body, 'b', sizeof body);
    http_fixture_init(&f);
    http_fixture_open(&f);
    do {
        int fd = http_fixture_dial(&f, f.port);
        fail_after(n++);
        http_fixture_say(&f, fd,
                         "POST /keep HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < 2; i++) {
            http_fixture_turn(&f, -1);
            if (send(fd, "bb8\r\n", 5, MSG_NOSIGNAL) == 5 &&
                send(fd, body, sizeof body, MSG_NOSIGNAL) == sizeof body) {
                (void)!send(fd, "\r\n", 2, MSG_NOSIGNAL);
            }
        }
        (void)!send(fd, "0\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n", 35, MSG_NOSIGNAL);
        for (unsigned i = 0; i < 10; i++) {
            http_fixture_turn(&f, -1);
        }
        if (f.kept_count > 0) {
            http_fixture_answer(&f);
        }
        size_t len = hear(fd, got, sizeof got);
        answers += len > 0 ? 1 : 0;
        busy += memmem(got, len, "HTTP/1.1 503 ", 13) != NULL;
        close(fd);
        left = 0;
        fd = http_fixture_dial(&f, f.port);
        http_fixture_expect_alive(&f, fd);
        close(fd);
    } while (failed);
    print_message("%u allocations, %u answers, %u of them 503\n", n - 2, answers, busy);
    assert_true(n > 6 && busy > 0 && answers > busy);
    assert_non_null(memmem(got, sizeof got, "kept", 4)); /* the last time nothing failed */
    http_fixture_until(&f, &http_fixture_counters(&f)->open, 0);
    assert_int_equal(f.server->held, 0);
    http_fixture_end(&f);
}

static void http_2(void **state)
{
    static char got[20000];
    uint8_t block[100];
    unsigned n = 1;
    size_t len;
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    do {
        fail_after(n++);
        int fd = http_fixture_pair(&f, 0, true);
        uint8_t frames[600];
        size_t at = 24;
        memcpy(frames, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", at);
        at += h2_frame(frames + at, H2_SETTINGS, 0, 0, NULL, 0);
        at += h2_frame(frames + at, H2_HEADERS, H2_END_HEADERS, 1, block,
                       h2_block(block, "POST", "/echo"));
        at += h2_frame(frames + at, H2_DATA, H2_END_STREAM, 1, "abcde", 5);
        at += h2_frame(frames + at, H2_HEADERS, H2_BOTH, 3, block, h2_block(block, "GET", "/now"));
        (void)!send(fd, frames, at, MSG_NOSIGNAL);
        for (unsigned i = 0; i < 5; i++) {
            http_fixture_turn(&f, -1);
        }
        len = hear(fd, got, sizeof got);
        close(fd);
        left = 0;
        fd = http_fixture_dial(&f, f.port);
        http_fixture_expect_alive(&f, fd);
        close(fd);
    } while (failed);
    print_message("%u allocations\n", n - 2);
    assert_true(n > 6);
    assert_non_null(memmem(got, len, "abcde", 5));
    assert_non_null(memmem(got, len, "now", 3));
    http_fixture_until(&f, &http_fixture_counters(&f)->open, 0);
    assert_int_equal(f.server->held, 0);
    http_fixture_end(&f);
}

static void no_server(void **state)
{
    const struct http_site site = {.routes = NULL};
    struct http_server *s;
    struct err_info info = {.text = ""};
    unsigned n = 1;
    (void)state;
    http_fixture_init(&f);
    for (fail_after(n); http_server_open(&f.loop, &site, 1, &f.limits, &s, &info) != ERR_OK;
         fail_after(++n)) {
        assert_string_not_equal(info.text, "");
    }
    left = 0;
    assert_int_equal(n, 3);
    f.server = s;
    fail_after(1);
    assert_int_equal(http_server_listen(s, socket(AF_INET, SOCK_STREAM, 0), 0, false, &info),
                     ERR_IO);
    http_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_1_1),
        cmocka_unit_test(http_2),
        cmocka_unit_test(no_server),
    };
    return cmocka_run_group_tests_name("http/server_memory", tests, NULL, NULL);
}

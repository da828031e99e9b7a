/* What is answered over HTTP/1.1, by handlers and without them; when, in which order, and what becomes
 * of the connection. */
#include "http/server.h"

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

#include "http_fixture.h"
#include "lib/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define HOST " HTTP/1.1\r\nHost: x\r\n"
#define NOW  "GET /now" HOST "\r\n"
#define KEEP "GET /keep" HOST "\r\n"
#define POST "POST /echo" HOST "Content-Length: 5\r\n\r\nabcde"

static struct http_fixture f;

static int open_and_dial(void)
{
    http_fixture_open(&f);
    return http_fixture_dial(&f, f.port);
}

static int begin(void)
{
    http_fixture_init(&f);
    return open_and_dial();
}

static void end(int fd)
{
    close(fd);
    http_fixture_end(&f);
}

/* ---- what is answered ------------------------------------------------------------------------ */

struct exchange {
    const char *request;
    unsigned status;
    bool ends; /* the connection ends with it */
    const char *id;
};

static const struct exchange exchanges[] = {
    {NOW, 200, false, NULL},
    {"GET http://y/now" HOST "\r\n", 200, false, NULL},
    {"GET /now?a=b" HOST "\r\n", 200, false, NULL},
    {"GET /now HTTP/1.0\r\n\r\n", 200, true, NULL},
    {"GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false, NULL},
    {"GET /now" HOST "Connection: close\r\n\r\n", 200, true, NULL},
    {"DELETE /things/a%20b" HOST "\r\n", 204, false, NULL},
    {"GET /cached" HOST "\r\n", 308, false, NULL},
    /* 400 */
    {"GET /now HTTP/1.1\r\n\r\n", 400, true, "bad-request"},
    {"GET /now" HOST "Host: y\r\n\r\n", 400, true, "bad-request"},
    {"hello\r\n\r\n", 400, true, "bad-request"},
    {"GET /a%zz" HOST "\r\n", 400, false, "bad-request"},
    {"GET /../now" HOST "\r\n", 400, false, "bad-request"},
    {"POST /echo" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     true, "bad-request"},
    /* routes */
    {"GET /nothing" HOST "\r\n", 404, false, "not-found"},
    {"PUT /now" HOST "\r\n", 405, false, "method-not-allowed"},
    {"PUT /now" HOST "Content-Length: 3\r\n\r\nabc", 405, false, "method-not-allowed"},
    {"POST /nothing" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 404, false,
     "not-found"},
    {"BREW /now" HOST "\r\n", 501, false, "unknown-method"},
    {"CONNECT x:1" HOST "\r\n", 501, true, "unknown-method"},
    {"POST /echo" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, true, "unknown-method"},
    {"GET /now HTTP/2.0\r\n\r\n", 505, true, "unknown-version"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true, "unknown-version"},
    /* bodies */
    {POST, 200, false, NULL},
    {"POST /echo" HOST "\r\n", 200, false, NULL},
    {"POST /echo" HOST "Content-Length: 65536\r\n\r\n", 408, true, "request-timeout"},
    {"POST /echo" HOST "Content-Length: 65537\r\n\r\n", 413, true, "body-too-large"},
    {"POST /echo" HOST "Content-Length: 1000000000000\r\n\r\n", 413, true, "body-too-large"},
    {"GET /now" HOST "Content-Length: 1\r\n\r\na", 413, true, "body-too-large"},
    {"GET /now" HOST "Content-Length: 0\r\n\r\n", 200, false, NULL},
    {"GET /now" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, false, NULL},
    {"GET /now" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 413, true,
     "body-too-large"},
    {"PUT /json" HOST "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 200, false,
     NULL},
    {"PUT /json" HOST
     "Content-Type: Application/JSON ; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
     200, false, NULL},
    {"PUT /json" HOST "\r\n", 200, false, NULL},
    {"PUT /json" HOST "Content-Length: 2\r\n\r\n{}", 415, false, "not-json"},
    {"PUT /json" HOST "Content-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{}", 415, false,
     "not-json"},
    {"PUT /json" HOST "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     415, false, "not-json"},
    {"PUT /json" HOST "Content-Type: text/plain\r\nContent-Length: 70000\r\n\r\n", 413, true,
     "body-too-large"},
    {"POST /echo" HOST "Content-Length: 5\r\nExpect: tea\r\n\r\n", 417, true,
     "unknown-expectation"},
    {"PUT /now" HOST "Content-Length: 70000\r\n\r\n", 405, true, "method-not-allowed"},
    {"PUT /now" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 405, true,
     "method-not-allowed"},
    /* time */
    {"GET /now HT", 408, true, "request-timeout"},
};

static void each_request_gets_its_status(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.header_ms = f.limits.body_ms = 100;
    close(open_and_dial());
    for (size_t i = 0; i < COUNT(exchanges); i++) {
        const struct exchange *x = &exchanges[i];
        int fd = http_fixture_dial(&f, f.port);
        http_fixture_say(&f, fd, x->request);
        struct http_got *g = http_fixture_got(&f, fd);
        const char *connection = http_got_field(g, "connection");
        bool ends = connection != NULL && strcmp(connection, "close") == 0;
        char id[64];
        snprintf(id, sizeof id, "{\"error\":{\"id\":\"%s\",", x->id != NULL ? x->id : "");
        if (g->status != x->status || ends != x->ends ||
            (x->id != NULL && strncmp(g->body, id, strlen(id)) != 0)) {
            fail_msg("%s: %u, ends %d: %s", x->request, g->status, ends, g->body);
        }
        if (ends) {
            assert_true(http_fixture_ended(&f, fd));
        } else {
            http_fixture_expect_alive(&f, fd);
        }
        close(fd);
    }
    http_fixture_end(&f);
}

static void heads_too_large(void **state)
{
    static char text[70000];
    int fd = begin();
    (void)state;
    memset(text, 'a', sizeof text - 1);
    http_fixture_say(&f, fd, "GET /now" HOST "X: ");
    http_fixture_say(&f, fd, text);
    http_fixture_expect_error(&f, fd, 431, "headers-too-large");
    assert_true(http_fixture_ended(&f, fd));
    close(fd);
    fd = http_fixture_dial(&f, f.port);
    http_fixture_say(&f, fd, "GET /");
    http_fixture_say(&f, fd, text);
    http_fixture_expect_error(&f, fd, 414, "target-too-long");
    assert_true(http_fixture_ended(&f, fd));
    assert_int_equal(http_fixture_count(&f, -1, 431), 1);
    end(fd);
}

static void every_answer_has_its_fields(void **state)
{
    static const char *const requests[] = {NOW, "GET /nothing" HOST "\r\n", "bad\r\n\r\n"};
    int fd = begin();
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        http_fixture_say(&f, fd, requests[i]);
        struct http_got *g = http_fixture_got(&f, fd);
        assert_string_equal(http_got_field(g, "cache-control"), "no-store");
        assert_string_equal(http_got_field(g, "x-content-type-options"), "nosniff");
        assert_string_equal(http_got_field(g, "x-frame-options"), "DENY");
        assert_string_equal(http_got_field(g, "content-security-policy"),
                            "default-src 'none'; frame-ancestors 'none'");
        assert_string_equal(http_got_field(g, "referrer-policy"), "no-referrer");
        assert_non_null(http_got_field(g, "content-type"));
        assert_non_null(http_got_field(g, "content-length"));
        assert_int_equal(strlen(http_got_field(g, "date")), 29);
        assert_string_equal(g->field + 26, "GMT");
    }
    end(fd);
}

static void what_a_handler_adds(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "GET /cached" HOST "\r\n");
    struct http_got *g = http_fixture_got(&f, fd);
    assert_string_equal(http_got_field(g, "location"), "/now");
    assert_string_equal(http_got_field(g, "x-other"), "a b");
    assert_string_equal(http_got_field(g, "cache-control"), "public, max-age=60");
    http_fixture_say(&f, fd, "DELETE /things/x" HOST "\r\n");
    g = http_fixture_got(&f, fd);
    assert_int_equal(g->status, 204);
    assert_null(http_got_field(g, "content-length")); /* RFC 9110 §8.6 */
    assert_null(http_got_field(g, "content-type"));
    end(fd);
}

static void errors_are_json_whatever_they_say(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "GET /broken?with=%22q%5c%0a%7f%c3%a9%ff%e2%82" HOST "\r\n");
    struct http_got *g = http_fixture_got(&f, fd);
    assert_int_equal(g->status, 418);
    assert_string_equal(http_got_field(g, "retry-after"), "7");
    assert_string_equal(g->body, "{\"error\":{\"id\":\"a-teapot\",\"message\":"
                                 "\"it was \\\"q\\\\\\u000a\\u007f\xc3\xa9???\"}}");
    end(fd);
}

static void head_is_get_without_a_body(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "HEAD /now" HOST "\r\n" NOW "HEAD /nothing" HOST "\r\n" NOW);
    struct http_got *g = http_fixture_got_head(&f, fd);
    assert_int_equal(g->status, 200);
    assert_string_equal(http_got_field(g, "content-length"), "3");
    http_fixture_expect(&f, fd, 200);
    g = http_fixture_got_head(&f, fd);
    assert_int_equal(g->status, 404);
    assert_string_not_equal(http_got_field(g, "content-length"), "0");
    http_fixture_expect(&f, fd, 200);
    end(fd);
}

static void allow_says_what_is_allowed(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "PATCH /keep" HOST "\r\n");
    assert_string_equal(http_got_field(http_fixture_got(&f, fd), "allow"), "GET, HEAD, POST");
    http_fixture_say(&f, fd, "OPTIONS /now" HOST "\r\n");
    assert_string_equal(http_got_field(http_fixture_got(&f, fd), "allow"), "GET, HEAD");
    end(fd);
}

static void counters_know_the_route(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, NOW NOW "PUT /now" HOST "\r\n" POST "GET /broken" HOST "\r\n");
    for (unsigned i = 0; i < 5; i++) {
        http_fixture_got(&f, fd);
    }
    assert_int_equal(http_fixture_count(&f, HTTP_FIXTURE_NOW, 200), 2);
    assert_int_equal(http_fixture_count(&f, HTTP_FIXTURE_ECHO, 200), 1);
    assert_int_equal(http_fixture_count(&f, -1, 405), 1);
    assert_int_equal(http_fixture_count(&f, 10, 418), 1); /* among all others */
    assert_int_equal(http_fixture_counters(&f)->accepted, 1);
    assert_int_equal(http_fixture_counters(&f)->open, 1);
    end(fd);
}

static void expect_who(int fd, const char *fields, const char *who)
{
    http_fixture_say(&f, fd, "GET /who" HOST);
    http_fixture_say(&f, fd, fields);
    http_fixture_say(&f, fd, "\r\n");
    assert_string_equal(http_fixture_got(&f, fd)->body, who);
}

static void a_proxy_here_says_who_asks(void **state)
{
    int fd = begin();
    (void)state;
    expect_who(fd, "", "127.0.0.1 x plain");
    expect_who(fd, "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7 x plain");
    expect_who(fd, "X-Forwarded-For: 192.0.2.7,2001:DB8::1\r\n", "2001:db8::1 x plain");
    expect_who(fd, "X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7 x plain");
    /* The last is the proxy's own word, whatever it was told before. */
    expect_who(fd, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.8 , 192.0.2.9\r\n",
               "192.0.2.9 x plain");
    expect_who(fd, "X-Forwarded-For: 192.0.2.7, unknown\r\n", "127.0.0.1 x plain");
    expect_who(fd, "X-Forwarded-For: 192.0.2.7:80\r\n", "127.0.0.1 x plain");
    expect_who(fd, "X-Forwarded-For: 192.0.2.7,\r\n", "127.0.0.1 x plain");
    expect_who(fd, "X-Forwarded-For:\r\n", "127.0.0.1 x plain");
    end(fd);
}

/* ---- one behind the other -------------------------------------------------------------------- */

static void pipelined(void **state)
{
    static const char all[] = NOW POST POST NOW "GET /nothing" HOST "\r\n" POST KEEP POST NOW;
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, all);
    http_fixture_expect(&f, fd, 200);
    assert_string_equal(http_fixture_got(&f, fd)->body, "abcde");
    assert_string_equal(http_fixture_got(&f, fd)->body, "abcde");
    assert_string_equal(http_fixture_got(&f, fd)->body, "now");
    http_fixture_expect(&f, fd, 404);
    http_fixture_expect(&f, fd, 200);
    http_fixture_wait_kept(&f, 1);
    assert_int_equal(f.served, 6); /* what is behind it waits */
    http_fixture_answer(&f);
    assert_int_equal(f.served, 6); /* nobody is called inside of http_reply() */
    assert_string_equal(http_fixture_got(&f, fd)->body, "kept");
    assert_string_equal(http_fixture_got(&f, fd)->body, "abcde");
    assert_string_equal(http_fixture_got(&f, fd)->body, "now");
    assert_int_equal(f.served, 8);
    end(fd);
}

/* More in one write than one turn takes. */
static void a_thousand_pipelined(void **state)
{
    int fd = begin();
    (void)state;
    char *all = mem_xalloc(1000 * strlen(NOW) + 1);
    for (unsigned i = 0; i < 1000; i++) {
        memcpy(all + i * strlen(NOW), NOW, strlen(NOW));
    }
    http_fixture_say(&f, fd, all);
    for (unsigned i = 0; i < 1000; i++) {
        http_fixture_expect(&f, fd, 200);
    }
    free(all);
    end(fd);
}

static void one_connection_has_its_share_of_a_turn(void **state)
{
    int fd = begin();
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        http_fixture_say(&f, fd, NOW);
    }
    while (f.served < 200) {
        unsigned before = f.served;
        http_fixture_turn(&f, -1);
        assert_true(f.served - before <= 32);
    }
    for (unsigned i = 0; i < 200; i++) {
        http_fixture_expect(&f, fd, 200);
    }
    end(fd);
}

static void one_octet_at_a_time(void **state)
{
    static const char all[] =
        NOW "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
            "Trailer: t\r\n\r\n" NOW;
    int fd = begin();
    (void)state;
    for (size_t i = 0; i < sizeof all - 1; i++) {
        http_fixture_send(&f, fd, all + i, 1);
        http_fixture_turn(&f, -1);
    }
    http_fixture_expect(&f, fd, 200);
    assert_string_equal(http_fixture_got(&f, fd)->body, "abcde");
    assert_string_equal(http_fixture_got(&f, fd)->body, "now");
    end(fd);
}

static void the_largest_body(void **state)
{
    static char body[65536];
    char chunk[32];
    int fd = begin();
    (void)state;
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)('a' + i % 26);
    }
    http_fixture_say(&f, fd, "POST /echo" HOST "Content-Length: 65536\r\n\r\n");
    http_fixture_send(&f, fd, body, sizeof body);
    struct http_got *g = http_fixture_got(&f, fd);
    assert_int_equal(g->len, sizeof body);
    assert_memory_equal(g->body, body, sizeof body);
    http_fixture_say(&f, fd, "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, n = 1; at < sizeof body; at += n, n *= 2) {
        n = n < sizeof body - at ? n : sizeof body - at;
        snprintf(chunk, sizeof chunk, "%zx\r\n", n);
        http_fixture_say(&f, fd, chunk);
        http_fixture_send(&f, fd, body + at, n);
        http_fixture_say(&f, fd, "\r\n");
    }
    http_fixture_say(&f, fd, "0\r\n\r\n");
    g = http_fixture_got(&f, fd);
    assert_int_equal(g->len, sizeof body);
    assert_memory_equal(g->body, body, sizeof body);
    /* And one octet more, which nobody has announced. */
    http_fixture_say(&f, fd, "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n10001\r\n");
    http_fixture_send(&f, fd, body, sizeof body);
    http_fixture_say(&f, fd, "x");
    http_fixture_expect_error(&f, fd, 413, "body-too-large");
    assert_true(http_fixture_ended(&f, fd));
    end(fd);
}

/* A body that nobody wants is no reason to end the connection, unless it is long. */
static void bodies_that_nobody_wants(void **state)
{
    static char chunk[4096 + 9];
    int fd = begin();
    (void)state;
    memset(chunk, 'x', sizeof chunk - 1);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + sizeof chunk - 3, "\r\n", 3);
    http_fixture_say(&f, fd, "POST /nothing" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 16; i++) {
        http_fixture_say(&f, fd, chunk);
    }
    http_fixture_say(&f, fd, "0\r\n\r\n");
    http_fixture_expect(&f, fd, 404);
    http_fixture_expect_alive(&f, fd);
    http_fixture_say(&f, fd, "POST /nothing" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 17; i++) {
        http_fixture_say(&f, fd, chunk);
    }
    http_fixture_expect(&f, fd, 404);
    assert_true(http_fixture_ended(&f, fd));
    end(fd);
}

static void expect_text(int fd, const char *text)
{
    char got[100];
    assert_true(strlen(text) < sizeof got);
    size_t n = http_fixture_read(&f, fd, got, strlen(text));
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void leave_to_send_a_body(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "POST /echo" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    http_fixture_say(&f, fd, "abcde");
    assert_string_equal(http_fixture_got(&f, fd)->body, "abcde");
    /* Who does not wait for it does not get it; in HTTP/1.0 there is no such thing. */
    http_fixture_say(&f, fd,
                     "POST /echo" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde");
    http_fixture_expect(&f, fd, 200);
    http_fixture_say(&f, fd,
                     "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\n"
                     "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    http_fixture_turn(&f, fd);
    http_fixture_say(&f, fd, "abcde");
    struct http_got *g = http_fixture_got(&f, fd);
    assert_int_equal(g->status, 200);
    assert_string_equal(http_got_field(g, "connection"), "keep-alive");
    end(fd);
}

/* ---- handlers that answer later, too late, or nobody ----------------------------------------- */

static void too_many_with_the_handlers(void **state)
{
    int fd[4];
    (void)state;
    http_fixture_init(&f);
    f.limits.requests = 3;
    http_fixture_open(&f);
    for (unsigned i = 0; i < 4; i++) {
        fd[i] = http_fixture_dial(&f, f.port);
        http_fixture_say(&f, fd[i], KEEP);
        if (i < 3) {
            http_fixture_wait_kept(&f, i + 1);
        }
    }
    struct http_got *g = http_fixture_got(&f, fd[3]);
    assert_int_equal(g->status, 503);
    assert_string_equal(http_got_field(g, "retry-after"), "1");
    assert_int_equal(http_fixture_count(&f, HTTP_FIXTURE_KEEP, 503), 1);
    http_fixture_answer(&f);
    http_fixture_expect_alive(&f, fd[3]);
    for (unsigned i = 0; i < 4; i++) {
        close(fd[i]);
    }
    http_fixture_end(&f);
}

static void a_handler_that_takes_too_long(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.answer_ms = 50;
    int fd = open_and_dial();
    http_fixture_say(&f, fd, KEEP NOW);
    http_fixture_expect_error(&f, fd, 503, "busy");
    assert_string_equal(http_fixture_got(&f, fd)->body, "now");
    assert_int_equal(f.kept_count, 1);
    assert_true(http_request_gone(f.kept[0]));
    assert_string_equal(http_request_path(f.kept[0]), "/keep"); /* it is still there */
    assert_int_equal(http_fixture_counters(&f)->timed_out, 1);
    http_fixture_answer(&f);
    http_fixture_expect_alive(&f, fd); /* which is not the late answer */
    end(fd);
}

/* A connection may not have more of them than HTTP/2 gives it at a time. */
static void late_answers_count(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.answer_ms = 1;
    f.limits.streams = 2;
    int fd = open_and_dial();
    http_fixture_say(&f, fd, KEEP KEEP KEEP);
    for (unsigned i = 0; i < 3; i++) {
        http_fixture_expect(&f, fd, 503);
    }
    assert_int_equal(f.served, 2);
    end(fd);
}

static void clients_that_are_gone(void **state)
{
    int fd = begin();
    (void)state;
    http_fixture_say(&f, fd, "POST /keep" HOST "Content-Length: 3\r\n\r\nabc");
    http_fixture_wait_kept(&f, 1);
    assert_false(http_request_gone(f.kept[0]));
    http_fixture_reset(fd);
    http_fixture_until(&f, &http_fixture_counters(&f)->open, 0);
    assert_true(http_request_gone(f.kept[0]));
    size_t len;
    assert_string_equal(http_request_body(f.kept[0], &len), "abc");
    assert_int_equal(len, 3);
    http_fixture_answer(&f);
    assert_int_equal(http_fixture_count(&f, 5, 200), 0);
    http_fixture_end(&f);
}

static void what_a_handler_sees(void **state)
{
    int fd = begin();
    char value[4];
    size_t len;
    (void)state;
    http_fixture_say(&f, fd,
                     "GET /keep/a%20b?x=1&y=%32%33&z=12345" HOST "X-One: 1\r\nX-ONE: 2\r\n\r\n");
    http_fixture_wait_kept(&f, 1);
    const struct http_request *r = f.kept[0];
    assert_string_equal(http_request_method(r), "GET");
    assert_string_equal(http_request_path(r), "/keep/a b");
    assert_string_equal(http_request_target(r), "/keep/a%20b?x=1&y=%32%33&z=12345");
    assert_string_equal(http_request_param(r, "name"), "a b");
    assert_null(http_request_param(r, "nam"));
    assert_null(http_request_param(r, "names"));
    assert_int_equal(http_request_query(r, "y", value, sizeof value), ERR_OK);
    assert_string_equal(value, "23");
    assert_int_equal(http_request_query(r, "z", value, sizeof value), ERR_LIMIT);
    assert_int_equal(http_request_query(r, "w", value, sizeof value), ERR_NOTFOUND);
    assert_string_equal(http_request_header(r, "x-one"), "1");
    assert_null(http_request_header(r, "x-two"));
    assert_string_equal(http_request_host(r), "x");
    assert_string_equal(http_request_peer(r), "127.0.0.1");
    assert_false(http_request_is_tls(r));
    assert_string_equal(http_request_body(r, &len), "");
    assert_int_equal(len, 0);
    end(fd);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void the_end_with_nobody_there(void **state)
{
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    http_fixture_end(&f);
}

/* What is under way is finished; who asks for nothing is let go at once. */
static void the_end_with_connections_open(void **state)
{
    int idle = begin();
    int halfway = http_fixture_dial(&f, f.port), waiting = http_fixture_dial(&f, f.port),
        late = http_fixture_dial(&f, f.port);
    (void)state;
    http_fixture_expect_alive(&f, idle);
    http_fixture_expect_alive(&f, late);
    http_fixture_say(&f, waiting, KEEP NOW);
    http_fixture_wait_kept(&f, 1);
    http_fixture_say(&f, halfway, "GET /now" HOST);
    while (http_fixture_counters(&f)->open < 4) {
        http_fixture_turn(&f, -1);
    }
    http_fixture_turn(&f, -1);
    http_fixture_say(&f, late, NOW); /* it has come, and nobody has read it */
    http_fixture_close_begin(&f);
    assert_true(http_fixture_ended(&f, idle));
    struct http_got *g = http_fixture_got(&f, late);
    assert_string_equal(http_got_field(g, "connection"), "close");
    assert_true(http_fixture_ended(&f, late));
    http_fixture_say(&f, halfway, "\r\n");
    http_fixture_expect(&f, halfway, 200);
    assert_true(http_fixture_ended(&f, halfway));
    assert_false(f.closed);
    http_fixture_answer(&f);
    g = http_fixture_got(&f, waiting);
    assert_string_equal(g->body, "kept");
    assert_string_equal(http_got_field(g, "connection"), "close");
    assert_true(http_fixture_ended(&f, waiting));
    close(idle);
    close(halfway);
    close(waiting);
    end(late);
}

/* Neither who says half a request nor who never reads keeps it from ending; only handlers do. */
static void the_end_has_a_deadline(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.drain_ms = 100;
    int halfway = open_and_dial(), deaf = http_fixture_dial_narrow(&f, f.port),
        waiting = http_fixture_dial(&f, f.port);
    http_fixture_say(&f, halfway, "GET /now" HOST);
    http_fixture_say(&f, deaf, "GET /big" HOST "\r\n");
    http_fixture_say(&f, waiting, KEEP);
    http_fixture_wait_kept(&f, 1);
    while (f.served < 2) {
        http_fixture_turn(&f, -1);
    }
    const struct http_counters *n = http_fixture_counters(&f);
    http_fixture_close_begin(&f);
    http_fixture_until(&f, &n->open, 0);
    assert_false(f.closed);
    assert_true(http_request_gone(f.kept[0]));
    assert_true(http_fixture_ended(&f, waiting));
    http_fixture_answer(&f);
    assert_false(f.closed); /* not inside of http_reply() */
    close(halfway);
    close(deaf);
    end(waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_its_status),
        cmocka_unit_test(heads_too_large),
        cmocka_unit_test(every_answer_has_its_fields),
        cmocka_unit_test(what_a_handler_adds),
        cmocka_unit_test(errors_are_json_whatever_they_say),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(allow_says_what_is_allowed),
        cmocka_unit_test(counters_know_the_route),
        cmocka_unit_test(a_proxy_here_says_who_asks),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(a_thousand_pipelined),
        cmocka_unit_test(one_connection_has_its_share_of_a_turn),
        cmocka_unit_test(one_octet_at_a_time),
        cmocka_unit_test(the_largest_body),
        cmocka_unit_test(bodies_that_nobody_wants),
        cmocka_unit_test(leave_to_send_a_body),
        cmocka_unit_test(too_many_with_the_handlers),
        cmocka_unit_test(a_handler_that_takes_too_long),
        cmocka_unit_test(late_answers_count),
        cmocka_unit_test(clients_that_are_gone),
        cmocka_unit_test(what_a_handler_sees),
        cmocka_unit_test(the_end_with_nobody_there),
        cmocka_unit_test(the_end_with_connections_open),
        cmocka_unit_test(the_end_has_a_deadline),
    };
    return cmocka_run_group_tests_name("http/server", tests, NULL, NULL);
}

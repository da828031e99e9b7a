/* HTTP/2 with clients that keep to the protocol, or break it a little: what is answered, what becomes
 * of requests whose clients or handlers are gone, the end. */
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
#include "lib/clock.h"
#include "memory.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct http_fixture f;
static struct h2_client c;

static void begin(void)
{
    http_fixture_init(&f);
    http_fixture_open(&f);
    h2_client_open(&c, &f, 0);
}

static void end(void)
{
    h2_client_close(&c);
    http_fixture_end(&f);
}

static const struct http_counters *counters(void)
{
    return http_fixture_counters(&f);
}

static struct h2_reply *reply_to(const struct h2_ask *a)
{
    return h2_client_reply(&c, h2_client_ask(&c, a));
}

static void expect_alive(void)
{
    struct h2_reply *r = h2_client_reply(&c, h2_client_get(&c, "/now"));
    assert_int_equal(r->status, 200);
    assert_string_equal(r->body, "now");
}

/* ---- what is answered -------------------------------------------------------------------------- */

static char much[70000];

#define JSON .name = "content-type", .value = "application/json"

static const struct {
    struct h2_ask ask;
    unsigned status;
    const char *body; /* its beginning */
} exchanges[] = {
    {{.path = "/now"}, 200, "now"},
    {{.path = "/now?a=b"}, 200, "now"},
    {{.path = "/who", .authority = "y:8443"}, 200, "127.0.0.1 y:8443 plain"},
    {{.path = "/who", .name = "host", .value = "x"}, 200, "127.0.0.1 x plain"},
    {{.path = "/who", .name = "x-forwarded-for", .value = "a, 192.0.2.7"}, 200, "192.0.2.7 x"},
    {{.path = "/cached"}, 308, ""},
    {{.path = "/things/x", .method = "DELETE"}, 204, ""},
    {{.path = "/echo", .method = "POST", .body = "abcde", .len = 5}, 200, "abcde"},
    {{.path = "/echo", .method = "POST", .body = "", .len = 0}, 200, ""},
    {{.path = "/echo", .method = "POST"}, 200, ""},
    {{.path = "/echo", .method = "POST", .body = "abc", .len = 3, .trailers = true}, 200, "abc"},
    {{.path = "/echo",
      .method = "POST",
      .body = "abc",
      .len = 3,
      .name = "content-length",
      .value = "3"},
     200,
     "abc"},
    {{.path = "/echo", .method = "POST", .body = much, .len = 65536}, 200, ""},
    {{.path = "/json", .method = "PUT", .body = "{}", .len = 2, JSON}, 200, "{}"},
    {{.path = "/json", .method = "PUT"}, 200, ""},
    /* errors */
    {{.path = "/who", .name = "host", .value = "y"}, 400, "{\"error\":{\"id\":\"bad-request\""},
    {{.path = "/a/../b"}, 400, "{\"error\":{\"id\":\"bad-request\""},
    {{.path = "/now", .name = "expect", .value = "tea"}, 417, "{\"error\":{\"id\":\"unknown-exp"},
    {{.path = "/nothing"}, 404, "{\"error\":{\"id\":\"not-found\""},
    {{.path = "/nothing", .method = "POST", .body = "abc", .len = 3}, 404, "{\"error\""},
    {{.path = "/now", .method = "PUT"}, 405, "{\"error\":{\"id\":\"method-not-allowed\""},
    {{.path = "/now", .method = "BREW"}, 501, "{\"error\":{\"id\":\"unknown-method\""},
    {{.path = "/now", .body = "a", .len = 1}, 413, "{\"error\":{\"id\":\"body-too-large\""},
    {{.path = "/echo", .method = "POST", .body = much, .len = 65537}, 413, "{\"error\""},
    {{.path = "/echo",
      .method = "POST",
      .body = "a",
      .len = 1,
      .unfinished = true,
      .name = "content-length",
      .value = "65537"},
     413,
     "{\"error\""},
    {{.path = "/json", .method = "PUT", .body = "{}", .len = 2},
     415,
     "{\"error\":{\"id\":\"not-js"},
    {{.path = "/json", .method = "PUT", .body = much, .len = 101, JSON}, 413, "{\"error\""},
    {{.path = "/now", .name = "te", .value = "trailers"}, 200, "now"},
};

static void each_request_gets_its_status(void **state)
{
    (void)state;
    begin();
    memset(much, 'm', sizeof much);
    for (size_t i = 0; i < COUNT(exchanges); i++) {
        struct h2_reply *r = reply_to(&exchanges[i].ask);
        if (r->status != exchanges[i].status ||
            strncmp(r->body, exchanges[i].body, strlen(exchanges[i].body)) != 0) {
            fail_msg("%zu: %s: %u %s", i, exchanges[i].ask.path, r->status, r->body);
        }
        assert_true(r->ended);
        assert_int_equal(r->error, NGHTTP2_NO_ERROR);
    }
    assert_int_equal(counters()->accepted, 1); /* all on one connection */
    assert_false(c.goaway);
    end();
}

static void fields(void **state)
{
    (void)state;
    begin();
    struct h2_reply *r = h2_client_reply(&c, h2_client_get(&c, "/now"));
    assert_int_equal(r->fields, 1 + 8);
    assert_string_equal(r->type, "text/plain");
    assert_string_equal(r->length, "3");
    r = reply_to(&(struct h2_ask){.path = "/keep", .method = "PATCH"});
    assert_string_equal(r->allow, "GET, HEAD, POST");
    r = reply_to(&(struct h2_ask){.path = "/now", .method = "HEAD"});
    assert_int_equal(r->status, 200);
    assert_string_equal(r->length, "3");
    assert_int_equal(r->len, 0);
    assert_int_equal(http_fixture_count(&f, HTTP_FIXTURE_NOW, 200), 2);
    assert_int_equal(http_fixture_count(&f, -1, 405), 1);
    end();
}

static void leave_to_send_a_body(void **state)
{
    struct h2_ask a = {.path = "/echo",
                       .method = "POST",
                       .body = "abcde",
                       .len = 5,
                       .name = "expect",
                       .value = "100-continue"};
    (void)state;
    begin();
    struct h2_reply *r = reply_to(&a);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->infos, 1);
    a.path = "/nothing";
    r = reply_to(&a);
    assert_int_equal(r->status, 404);
    assert_int_equal(r->infos, 0);
    end();
}

static void heads_too_large(void **state)
{
    static char value[9000];
    (void)state;
    memset(value, 'a', sizeof value - 1);
    begin();
    struct h2_ask a = {.path = "/now", .name = "x-a", .value = value};
    assert_int_equal(reply_to(&a)->status, 200);
    a.name2 = "x-b";
    a.value2 = value;
    struct h2_reply *r = reply_to(&a);
    assert_int_equal(r->status, 431);
    assert_true(strncmp(r->body, "{\"error\":{\"id\":\"headers-too-large\"", 34) == 0);
    static char path[9001] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    assert_int_equal(h2_client_reply(&c, h2_client_get(&c, path))->status, 414);
    expect_alive();
    end();
}

static void many_at_a_time_in_any_order(void **state)
{
    int32_t id[32];
    (void)state;
    begin();
    expect_alive(); /* now it knows how many */
    for (unsigned i = 0; i < 32; i++) {
        id[i] = h2_client_get(&c, "/keep");
    }
    while (f.kept_count < 32) {
        h2_client_turn(&c);
    }
    for (unsigned i = 0; i < 16; i++) { /* from both ends */
        struct http_request *last = f.kept[f.kept_count - 1];
        http_fixture_answer(&f);
        f.kept_count--;
        http_reply(last, &(struct http_reply){.status = 201});
    }
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(h2_client_reply(&c, id[i])->status, i < 16 ? 200 : 201);
    }
    expect_alive();
    end();
}

static void many_one_after_the_other(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 350; i++) {
        expect_alive();
    }
    assert_int_equal(counters()->accepted, 1);
    end();
}

static void a_big_answer(void **state)
{
    (void)state;
    begin();
    int32_t id[3];
    for (unsigned i = 0; i < 3; i++) {
        id[i] = h2_client_get(&c, "/big");
    }
    for (unsigned i = 0; i < 3; i++) {
        struct h2_reply *r = h2_client_reply(&c, id[i]);
        assert_int_equal(r->len, HTTP_FIXTURE_BIG);
        assert_memory_equal(r->body, "abcdefghijklmnopqrstuvwabcd", 27);
    }
    assert_false(c.goaway);
    end();
}

/* One that the system takes in gulps, with windows that never close: nobody but us goes on with it. */
static void a_big_answer_in_gulps(void **state)
{
    static const uint8_t wide[] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    struct h2_frame *frame;
    size_t len = 0;
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    int fd = http_fixture_pair(&f, 1 << 20, true);
    http_fixture_say(&f, fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_raw_send(&f, fd, H2_SETTINGS, 0, 0, wide, sizeof wide);
    h2_raw_send(&f, fd, H2_WINDOW, 0, 0, "\x7f\0\0\0", 4);
    h2_raw_get(&f, fd, 1, "/big");
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
        len += frame->type == H2_DATA ? frame->len : 0;
    } while (frame->type != H2_DATA || (frame->flags & H2_END_STREAM) == 0);
    assert_int_equal(len, HTTP_FIXTURE_BIG);
    close(fd);
    http_fixture_end(&f);
}

/* ---- malformed (RFC 9113 §8) --------------------------------------------------------------------- */

static const struct {
    const char *name[6], *value[6];
    unsigned status; /* 0: the stream is reset */
} malformed[] = {
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "/now", "x"}, 200},
    {{":method", ":scheme", ":path", "host"}, {"GET", "https", "/now", "x"}, 200},
    {{":method", ":scheme", ":authority"}, {"GET", "https", "x"}, 0},
    {{":method", ":path", ":authority"}, {"GET", "/now", "x"}, 0},
    {{":scheme", ":path", ":authority"}, {"https", "/now", "x"}, 0},
    {{":method", ":scheme", ":path"}, {"GET", "https", "/now"}, 0},
    {{":method", ":scheme", ":path", ":path", ":authority"},
     {"GET", "https", "/now", "/now", "x"},
     0},
    {{":method", ":scheme", ":path", "a", ":authority"}, {"GET", "https", "/now", "b", "x"}, 0},
    {{":method", ":scheme", ":path", ":authority", ":status"},
     {"GET", "https", "/now", "x", "200"},
     0},
    {{":method", ":scheme", ":path", ":authority", ":other"},
     {"GET", "https", "/now", "x", "y"},
     0},
    {{":method", ":scheme", ":path", ":authority", "X-Up"}, {"GET", "https", "/now", "x", "y"}, 0},
    {{":method", ":scheme", ":path", ":authority", "connection"},
     {"GET", "https", "/now", "x", "close"},
     0},
    {{":method", ":scheme", ":path", ":authority", "transfer-encoding"},
     {"GET", "https", "/now", "x", "chunked"},
     0},
    {{":method", ":scheme", ":path", ":authority", "te"}, {"GET", "https", "/now", "x", "gzip"}, 0},
    {{":method", ":scheme", ":path", ":authority", "a"},
     {"GET", "https", "/now", "x", "b\nc"},
     400},
    {{":method", ":scheme", ":path", ":authority", "a b"}, {"GET", "https", "/now", "x", "b"}, 400},
    {{":method", ":scheme", ":path", ":authority", "content-length"},
     {"GET", "https", "/now", "x", "5"},
     0},
    {{":method", ":scheme", ":path", ":authority", "content-length"},
     {"GET", "https", "/now", "x", "-1"},
     0},
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "now", "x"}, 0},
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "*", "x"}, 0},
    {{":method", ":scheme", ":path", ":authority"}, {"OPTIONS", "https", "*", "x"}, 405},
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "/a b", "x"}, 0},
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "/now", "a@b"}, 400},
    {{":method", ":authority"}, {"CONNECT", "x:1"}, 501},
    {{":method", ":scheme", ":path", ":authority", ":protocol"},
     {"CONNECT", "https", "/now", "x", "websocket"},
     0},
};

/* The next frame of the stream: its status, as nghttp2 reads it; 0: a reset with PROTOCOL_ERROR. */
static unsigned status_of(int fd, nghttp2_hd_inflater *inflater)
{
    struct h2_frame *frame;
    unsigned status = 0;
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
    } while (frame->type != H2_HEADERS && frame->type != H2_RESET);
    if (frame->type == H2_RESET) {
        assert_int_equal(frame->error, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    for (size_t at = 0; at < frame->len;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n =
            nghttp2_hd_inflate_hd2(inflater, &nv, &flags, frame->payload + at, frame->len - at, 1);
        assert_true(n >= 0);
        at += (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && strcmp((char *)nv.name, ":status") == 0) {
            status = (unsigned)(nv.value[0] - '0') * 100 + (unsigned)(nv.value[1] - '0') * 10 +
                     (unsigned)(nv.value[2] - '0');
        }
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return status;
}

static void malformed_requests(void **state)
{
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    int fd = h2_raw_open(&f);
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (uint32_t i = 0; i < COUNT(malformed); i++) {
        uint8_t block[400];
        size_t len = 0;
        for (unsigned k = 0; k < 6 && malformed[i].name[k] != NULL; k++) {
            len += h2_field(block + len, malformed[i].name[k], malformed[i].value[k]);
        }
        h2_raw_send(&f, fd, H2_HEADERS, H2_BOTH, 2 * i + 1, block, len);
        unsigned status = status_of(fd, inflater);
        if (status != malformed[i].status) {
            fail_msg("%u: %u, not %u", i, status, malformed[i].status);
        }
    }
    h2_raw_get(&f, fd, 1001, "/now");
    assert_int_equal(status_of(fd, inflater), 200);
    nghttp2_hd_inflate_del(inflater);
    close(fd);
    http_fixture_end(&f);
}

static void bodies_of_another_length(void **state)
{
    uint8_t block[300];
    (void)state;
    http_fixture_init(&f);
    http_fixture_open(&f);
    int fd = h2_raw_open(&f);
    size_t len = h2_block(block, "POST", "/echo");
    len += h2_field(block + len, "content-length", "4");
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    h2_raw_send(&f, fd, H2_HEADERS, H2_END_HEADERS, 1, block, len);
    h2_raw_send(&f, fd, H2_DATA, H2_END_STREAM, 1, "abc", 3);
    assert_int_equal(status_of(fd, inflater), 0);
    h2_raw_send(&f, fd, H2_HEADERS, H2_END_HEADERS, 3, block, len);
    h2_raw_send(&f, fd, H2_DATA, 0, 3, "abcde", 5);
    assert_int_equal(status_of(fd, inflater), 0);
    h2_raw_send(&f, fd, H2_HEADERS, H2_END_HEADERS, 5, block, len);
    h2_raw_send(&f, fd, H2_DATA, 9, 5, "\2abcd\0\0", 7); /* padded */
    assert_int_equal(status_of(fd, inflater), 200);
    assert_int_equal(f.served, 1);
    nghttp2_hd_inflate_del(inflater);
    close(fd);
    http_fixture_end(&f);
}

/* ---- who is gone, and who is late ------------------------------------------------------------------ */

static void streams_that_are_reset(void **state)
{
    (void)state;
    begin();
    int32_t id = h2_client_get(&c, "/keep"), other = h2_client_get(&c, "/keep");
    while (f.kept_count < 2) {
        h2_client_turn(&c);
    }
    nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    while (!http_request_gone(f.kept[0])) {
        h2_client_turn(&c);
    }
    assert_string_equal(http_request_path(f.kept[0]), "/keep");
    assert_false(http_request_gone(f.kept[1]));
    http_fixture_answer(&f);
    http_fixture_answer(&f);
    assert_int_equal(h2_client_reply(&c, other)->status, 200);
    assert_int_equal(http_fixture_count(&f, HTTP_FIXTURE_KEEP, 200), 1);
    assert_int_equal(h2_client_of(&c, id)->status, 0);
    end();
}

static void clients_that_are_gone(void **state)
{
    (void)state;
    begin();
    h2_client_get(&c, "/keep");
    h2_client_get(&c, "/keep");
    while (f.kept_count < 2) {
        h2_client_turn(&c);
    }
    shutdown(c.fd, SHUT_RDWR);
    http_fixture_until(&f, &counters()->open, 0);
    assert_true(http_request_gone(f.kept[0]) && http_request_gone(f.kept[1]));
    end();
}

static void a_handler_that_takes_too_long(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.answer_ms = 50;
    http_fixture_open(&f);
    h2_client_open(&c, &f, 0);
    struct h2_reply *r = h2_client_reply(&c, h2_client_get(&c, "/keep"));
    assert_int_equal(r->status, 503);
    assert_int_equal(counters()->timed_out, 1);
    assert_true(http_request_gone(f.kept[0]));
    http_fixture_answer(&f);
    expect_alive();
    end();
}

/* What was reset is still with its handler, and counts (CVE-2023-44487). */
static void handlers_of_streams_that_were_reset(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.streams = 4;
    http_fixture_open(&f);
    h2_client_open(&c, &f, 0);
    for (unsigned i = 0; i < 4; i++) {
        int32_t id = h2_client_get(&c, "/keep");
        while (f.kept_count < i + 1) {
            h2_client_turn(&c);
        }
        nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
    assert_int_equal(h2_client_reply(&c, h2_client_get(&c, "/keep"))->status, 503);
    http_fixture_answer(&f);
    int32_t id = h2_client_get(&c, "/keep");
    while (f.kept_count < 4) {
        h2_client_turn(&c);
    }
    while (f.kept_count > 0) {
        http_fixture_answer(&f);
    }
    assert_int_equal(h2_client_reply(&c, id)->status, 200);
    end();
}

/* ---- deadlines --------------------------------------------------------------------------------- */

static void bodies_that_stop(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.body_ms = 50;
    http_fixture_open(&f);
    h2_client_open(&c, &f, 0);
    struct h2_reply *r = reply_to(&(struct h2_ask){
        .path = "/echo", .method = "POST", .body = "abc", .len = 3, .unfinished = true});
    assert_int_equal(r->status, 408);
    assert_int_equal(counters()->timed_out, 1);
    expect_alive();
    end();
}

/* A window that is never opened again costs the stream, not the connection. */
static void windows_that_stay_closed(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 50;
    http_fixture_open(&f);
    int fd = http_fixture_pair(&f, 0, true);
    static const uint8_t tiny[] = {0, 4, 0, 0, 0, 10}; /* INITIAL_WINDOW_SIZE */
    struct h2_frame *frame;
    http_fixture_say(&f, fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_raw_send(&f, fd, H2_SETTINGS, 0, 0, tiny, sizeof tiny);
    h2_raw_get(&f, fd, 1, "/big");
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
    } while (frame->type != H2_RESET);
    assert_int_equal(frame->id, 1);
    assert_int_equal(frame->error, NGHTTP2_CANCEL);
    assert_int_equal(counters()->timed_out, 1);
    h2_raw_get(&f, fd, 3, "/now"); /* three octets fit */
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
    } while (frame->type != H2_DATA);
    assert_int_equal(frame->id, 3);
    assert_int_equal(frame->len, 3);
    close(fd);
    http_fixture_end(&f);
}

static void idle_ones_go(void **state)
{
    (void)state;
    http_fixture_init(&f);
    f.limits.idle_ms = 100;
    http_fixture_open(&f);
    h2_client_open(&c, &f, 0);
    expect_alive();
    int64_t began = clk_mono_ms(&clk_system);
    while (!c.eof) { /* pings are no requests */
        int64_t next = clk_mono_ms(&clk_system) + 10;
        nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
        while (!c.eof && clk_mono_ms(&clk_system) < next) {
            h2_client_turn(&c);
        }
        assert_true(clk_mono_ms(&clk_system) - began < HTTP_FIXTURE_DEADLINE_MS);
    }
    assert_true(c.goaway);
    assert_int_equal(c.goaway_error, NGHTTP2_NO_ERROR);
    assert_int_equal(counters()->timed_out, 0);
    end();
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void the_end_of_the_server(void **state)
{
    static struct h2_client idle;
    (void)state;
    begin();
    h2_client_open(&idle, &f, 0);
    int32_t id = h2_client_get(&c, "/keep");
    while (f.kept_count < 1) {
        h2_client_turn(&c);
        h2_client_turn(&idle);
    }
    http_fixture_close_begin(&f);
    h2_client_until_eof(&idle);
    assert_true(idle.goaway);
    while (!c.goaway) {
        h2_client_turn(&c);
    }
    assert_int_equal(c.goaway_error, NGHTTP2_NO_ERROR);
    assert_int_equal(c.goaway_last, id);
    assert_false(h2_client_of(&c, id)->closed);
    http_fixture_answer(&f);
    assert_int_equal(h2_client_reply(&c, id)->status, 200);
    h2_client_until_eof(&c);
    h2_client_close(&idle);
    end();
}

#define IDLE 50

static void an_idle_connection_is_small(void **state)
{
    static struct h2_client idle[IDLE];
    (void)state;
    begin();
    expect_alive();
    size_t before = memory_in_use();
    for (unsigned i = 0; i < IDLE; i++) {
        h2_client_open(&idle[i], &f, 0);
        h2_client_reply(&idle[i], h2_client_get(&idle[i], "/now"));
    }
    size_t each = (memory_in_use() - before) / IDLE; /* the client's half is among it */
    print_message("%zu octets for both ends of an idle connection of HTTP/2\n", each);
    assert_true(each < 60000);
    for (unsigned i = 0; i < IDLE; i++) {
        h2_client_close(&idle[i]);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_its_status),
        cmocka_unit_test(fields),
        cmocka_unit_test(leave_to_send_a_body),
        cmocka_unit_test(heads_too_large),
        cmocka_unit_test(many_at_a_time_in_any_order),
        cmocka_unit_test(many_one_after_the_other),
        cmocka_unit_test(a_big_answer),
        cmocka_unit_test(a_big_answer_in_gulps),
        cmocka_unit_test(malformed_requests),
        cmocka_unit_test(bodies_of_another_length),
        cmocka_unit_test(streams_that_are_reset),
        cmocka_unit_test(clients_that_are_gone),
        cmocka_unit_test(a_handler_that_takes_too_long),
        cmocka_unit_test(handlers_of_streams_that_were_reset),
        cmocka_unit_test(bodies_that_stop),
        cmocka_unit_test(windows_that_stay_closed),
        cmocka_unit_test(idle_ones_go),
        cmocka_unit_test(the_end_of_the_server),
        cmocka_unit_test(an_idle_connection_is_small),
    };
    return cmocka_run_group_tests_name("http/h2", tests, NULL, NULL);
}

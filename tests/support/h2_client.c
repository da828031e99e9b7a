#include "h2_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/str.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* ---- one that keeps to the protocol ------------------------------------------------------------ */

struct h2_reply *h2_client_of(struct h2_client *c, int32_t id)
{
    assert_true(id > 0 && id / 2 < H2_STREAMS_MAX);
    return &c->replies[id / 2];
}

static void copy(char *out, size_t cap, const uint8_t *value, size_t len)
{
    assert_true(len < cap);
    memcpy(out, value, len);
    out[len] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags,
                     void *user_data)
{
    struct h2_reply *r = h2_client_of(user_data, frame->hd.stream_id);
    const char *n = (const char *)name;
    char status[4];
    uint32_t number = 0;
    (void)session;
    (void)name_len;
    (void)flags;
    r->fields++;
    if (strcmp(n, ":status") == 0) {
        copy(status, sizeof status, value, len);
        assert_true(str_parse_u32(status, 999, &number));
        r->infos += number < 200 ? 1 : 0;
        r->status = number < 200 ? r->status : number;
    } else if (strcmp(n, "allow") == 0) {
        copy(r->allow, sizeof r->allow, value, len);
    } else if (strcmp(n, "content-type") == 0) {
        copy(r->type, sizeof r->type, value, len);
    } else if (strcmp(n, "content-length") == 0) {
        copy(r->length, sizeof r->length, value, len);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *user_data)
{
    struct h2_reply *r = h2_client_of(user_data, id);
    size_t room = r->len < H2_BODY_MAX ? H2_BODY_MAX - r->len : 0;
    (void)session;
    (void)flags;
    memcpy(r->body + r->len * (room > 0), bytes, len < room ? len : room);
    r->len += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2_client *c = user_data;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = true;
        c->goaway_error = frame->goaway.error_code;
        c->goaway_last = frame->goaway.last_stream_id;
    } else if (frame->hd.stream_id > 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        h2_client_of(c, frame->hd.stream_id)->ended = true;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user_data)
{
    struct h2_reply *r = h2_client_of(user_data, id);
    (void)session;
    r->closed = true;
    r->error = error;
    return 0;
}

void h2_client_open(struct h2_client *c, struct http_fixture *f, uint32_t window)
{
    nghttp2_session_callbacks *cb;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    memset(c, 0, sizeof *c);
    c->f = f;
    c->fd = http_fixture_pair(f, 0, true);
    assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    assert_int_equal(nghttp2_session_client_new(&c->session, cb, c), 0);
    nghttp2_session_callbacks_del(cb);
    assert_int_equal(
        nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, window > 0 ? 1 : 0), 0);
}

void h2_client_close(struct h2_client *c)
{
    nghttp2_session_del(c->session);
    close(c->fd);
}

static nghttp2_nv nv_of(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

struct body {
    size_t len;
    bool trailers, unfinished;
    uint8_t bytes[];
};

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                       uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct body *b = source->ptr;
    size_t n = b->len < cap ? b->len : cap;
    (void)user_data;
    if (n == 0 && b->unfinished) {
        free(b);
        source->ptr = NULL;
        return NGHTTP2_ERR_DEFERRED;
    }
    memcpy(out, b->bytes, n);
    memmove(b->bytes, b->bytes + n, b->len - n);
    b->len -= n;
    if (b->len == 0 && !b->unfinished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (b->trailers) {
            const nghttp2_nv nv = nv_of("x-trailer", "t");
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, &nv, 1);
        }
        free(b);
        source->ptr = NULL;
    }
    return (ssize_t)n;
}

int32_t h2_client_ask(struct h2_client *c, const struct h2_ask *a)
{
    nghttp2_nv nv[6];
    size_t count = 0;
    nghttp2_data_provider body = {.read_callback = on_read};
    nv[count++] = nv_of(":method", a->method != NULL ? a->method : "GET");
    nv[count++] = nv_of(":scheme", "https");
    nv[count++] = nv_of(":path", a->path);
    nv[count++] = nv_of(":authority", a->authority != NULL ? a->authority : "x");
    if (a->name != NULL) {
        nv[count++] = nv_of(a->name, a->value);
    }
    if (a->name2 != NULL) {
        nv[count++] = nv_of(a->name2, a->value2);
    }
    if (a->body != NULL) {
        struct body *b = mem_xalloc(sizeof *b + a->len);
        b->len = a->len;
        b->trailers = a->trailers;
        b->unfinished = a->unfinished;
        memcpy(b->bytes, a->body, a->len);
        body.source.ptr = b;
    }
    int32_t id =
        nghttp2_submit_request(c->session, NULL, nv, count, a->body != NULL ? &body : NULL, NULL);
    assert_true(id > 0);
    return id;
}

int32_t h2_client_get(struct h2_client *c, const char *path)
{
    return h2_client_ask(c, &(struct h2_ask){.path = path});
}

void h2_client_turn(struct h2_client *c)
{
    const uint8_t *out;
    uint8_t in[16384];
    ssize_t n;
    while (!c->eof && (n = nghttp2_session_mem_send(c->session, &out)) > 0) {
        for (ssize_t at = 0; at < n;) {
            ssize_t rc = send(c->fd, out + at, (size_t)(n - at), MSG_NOSIGNAL);
            at += rc > 0 ? rc : 0;
            if (rc < 0 && errno != EAGAIN) {
                break;
            }
            if (rc < 0) {
                http_fixture_turn(c->f, -1);
            }
        }
    }
    http_fixture_turn(c->f, c->fd);
    while ((n = recv(c->fd, in, sizeof in, 0)) > 0) {
        assert_int_equal(nghttp2_session_mem_recv(c->session, in, (size_t)n), n);
    }
    c->eof = c->eof || n == 0 || errno != EAGAIN;
}

struct h2_reply *h2_client_reply(struct h2_client *c, int32_t id)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    struct h2_reply *r = h2_client_of(c, id);
    while (!r->closed && !c->eof && clk_mono_ms(&clk_system) < deadline) {
        h2_client_turn(c);
    }
    assert_true(r->closed);
    return r;
}

void h2_client_until_eof(struct h2_client *c)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    while (!c->eof && clk_mono_ms(&clk_system) < deadline) {
        h2_client_turn(c);
    }
    assert_true(c->eof);
}

/* ---- one that does not ------------------------------------------------------------------------- */

int h2_raw_open(struct http_fixture *f)
{
    int fd = http_fixture_pair(f, 0, true);
    http_fixture_say(f, fd, PREFACE);
    h2_raw_send(f, fd, H2_SETTINGS, 0, 0, NULL, 0);
    return fd;
}

size_t h2_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                size_t len)
{
    out[0] = (uint8_t)(len >> 16);
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
    out[3] = type;
    out[4] = flags;
    put_u32(out + 5, id);
    if (len > 0) {
        memcpy(out + 9, payload, len);
    }
    return 9 + len;
}

void h2_raw_send(struct http_fixture *f, int fd, uint8_t type, uint8_t flags, uint32_t id,
                 const void *payload, size_t len)
{
    static uint8_t frame[9 + 70000];
    http_fixture_send(f, fd, frame, h2_frame(frame, type, flags, id, payload, len));
}

size_t h2_field(uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value), at = 0;
    assert_true(n < 127 && v < 127);
    out[at++] = 0; /* RFC 7541 §6.2.2: literal, new name, not for the table */
    out[at++] = (uint8_t)n;
    memcpy(out + at, name, n);
    at += n;
    out[at++] = (uint8_t)v;
    memcpy(out + at, value, v);
    return at + v;
}

size_t h2_block(uint8_t *out, const char *method, const char *path)
{
    size_t at = h2_field(out, ":method", method);
    at += h2_field(out + at, ":scheme", "https");
    at += h2_field(out + at, ":authority", "x");
    return at + h2_field(out + at, ":path", path);
}

void h2_raw_get(struct http_fixture *f, int fd, uint32_t id, const char *path)
{
    uint8_t block[300];
    h2_raw_send(f, fd, H2_HEADERS, H2_BOTH, id, block, h2_block(block, "GET", path));
}

bool h2_raw_next(struct http_fixture *f, int fd, struct h2_frame **out)
{
    static struct h2_frame frame;
    uint8_t head[9];
    if (http_fixture_read(f, fd, head, 9) != 9) {
        return false;
    }
    frame.len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    frame.type = head[3];
    frame.flags = head[4];
    frame.id = get_u32(head + 5);
    assert_true(frame.len <= sizeof frame.payload);
    assert_int_equal(http_fixture_read(f, fd, frame.payload, frame.len), frame.len);
    frame.error = frame.type == H2_RESET    ? get_u32(frame.payload)
                  : frame.type == H2_GOAWAY ? get_u32(frame.payload + 4)
                                            : 0;
    *out = &frame;
    return true;
}

void h2_raw_expect_goaway(struct http_fixture *f, int fd, uint32_t error)
{
    struct h2_frame *frame;
    bool told = false;
    while (h2_raw_next(f, fd, &frame)) {
        if (frame->type == H2_GOAWAY) {
            told = true;
            assert_int_equal(frame->error, error);
        }
    }
    assert_true(told);
}

bool h2_raw_told(struct http_fixture *f, int fd, uint32_t error)
{
    struct h2_frame *frame;
    uint8_t octet;
    while (recv(fd, &octet, 1, MSG_PEEK) == 1 && h2_raw_next(f, fd, &frame)) {
        if (frame->type == H2_GOAWAY) {
            assert_int_equal(frame->error, error);
            return true;
        }
    }
    return false;
}

unsigned h2_raw_flood(struct http_fixture *f, int fd, const uint8_t *bytes, size_t len,
                      uint32_t error)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    unsigned times = 0;
    size_t at = 0;
    while (!h2_raw_told(f, fd, error)) {
        ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        assert_true(n >= 0 || errno == EAGAIN);
        at += n > 0 ? (size_t)n : 0;
        times += at == len ? 1 : 0;
        at %= len;
        http_fixture_turn(f, -1);
        assert_true(clk_mono_ms(&clk_system) < deadline);
    }
    return times;
}

/* HTTP/2 by nghttp2: streams out of octets, answers into frames, and what a peer may not do.
 *
 * nghttp2 keeps to the protocol, its state machine and the rules for malformed requests (RFC 9113 §8);
 * it bounds continuations, settings and what waits to be acknowledged. Ours on top: how many requests
 * are with handlers, reset or not; how large all fields of a head are together, compressed or not; and
 * frames that bring nothing forward, theirs or the resets they make us send, which are paid from a
 * bucket that fills with time and with requests that were answered. Whoever overdraws it is asked to
 * be calm (ENHANCE_YOUR_CALM), and is gone.
 */
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "h2.h"
#include "h2_frames.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The bucket: what it holds, what a second brings, and what an answer does (a client acknowledges
 * octets as they come). */
#define BUCKET_MAX    1000
#define BUCKET_RATE   100
#define BUCKET_ANSWER 8

/* Resets of streams by the peer: the bucket's, in nghttp2's words. */
#define RESETS_MAX  (BUCKET_MAX / H2_FRAMES_RESET)
#define RESETS_RATE (BUCKET_RATE / H2_FRAMES_RESET)

/* How many times the limit of a head the sum of its fields may be before it is not worth an answer. A
 * table of the compression makes many large fields out of few octets. */
#define FIELDS_FACTOR 8

/* Of the table with which our answers are compressed: their fields are always the same. */
#define TABLE_MAX 1024

struct h2_setup {
    nghttp2_session_callbacks *callbacks; /* owned */
    nghttp2_option *option;               /* owned */
    nghttp2_settings_entry settings[3];
};

struct h2 {
    nghttp2_session *session; /* owned */
    struct h2_frames frames;
    uint64_t bucket_milli, bucket_ms;
    size_t fields_len; /* of the head that is being read */
    bool draining;
    bool dammed; /* there are more frames than the connection may owe */
};

/* ---- the bucket ---------------------------------------------------------------------------- */

static void fill(struct h2 *h, uint64_t milli)
{
    h->bucket_milli += milli;
    if (h->bucket_milli > BUCKET_MAX * 1000) {
        h->bucket_milli = BUCKET_MAX * 1000;
    }
}

static void charge(struct http_conn *c, unsigned cost)
{
    struct h2 *h = c->h2;
    uint64_t now = http_server_now(c->s);
    fill(h, (now - h->bucket_ms) * BUCKET_RATE);
    h->bucket_ms = now;
    if (h->bucket_milli < (uint64_t)cost * 1000) {
        h->bucket_milli = 0;
        nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        h->bucket_milli -= (uint64_t)cost * 1000;
    }
}

/* ---- heads --------------------------------------------------------------------------------- */

static struct http_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http_conn *c = user_data;
    c->h2->fields_len = 0;
    if (!is_request(frame)) {
        return 0;
    }
    struct http_stream *st = http_stream_new(c, frame->hd.stream_id);
    if (st == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    st->begun = true;
    nghttp2_session_set_stream_user_data(session, st->id, st);
    return 0;
}

static http_status take_field(struct http_head *h, const char *name, size_t name_len,
                              const char *value, size_t len)
{
    static const struct {
        const char *name;
        http_status (*take)(struct http_head *h, const char *text, size_t len);
    } pseudo[] = {
        {":method", http_head_method},
        {":path", http_head_target},
        {":authority", http_head_authority},
    };
    if (name_len == 0 || name[0] != ':') {
        return http_head_field(h, name, name_len, value, len, true);
    }
    for (size_t i = 0; i < COUNT(pseudo); i++) {
        if (strcmp(pseudo[i].name, name) == 0) {
            return pseudo[i].take(h, value, len);
        }
    }
    return 0; /* :scheme; nghttp2 knows all others */
}

/* All fields count, even those that came too late to be kept (RFC 9113 §10.5.1). */
static bool has_room(struct http_conn *c, size_t name_len, size_t len)
{
    c->h2->fields_len += name_len + len + 32;
    if (c->h2->fields_len <= FIELDS_FACTOR * c->s->limits.header_max) {
        return true;
    }
    nghttp2_session_terminate_session(c->h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags,
                     void *user_data)
{
    struct http_stream *st = stream_of(session, frame->hd.stream_id);
    (void)flags;
    if (!has_room(user_data, name_len, len)) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (st != NULL && is_request(frame) && st->status == 0) {
        st->status =
            take_field(&st->r->head, (const char *)name, name_len, (const char *)value, len);
    }
    return 0;
}

/* nghttp2 would leave the field out; RFC 9113 §8.2.1 calls the request malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value, size_t len,
                             uint8_t flags, void *user_data)
{
    struct http_stream *st = stream_of(session, frame->hd.stream_id);
    (void)name;
    (void)value;
    (void)flags;
    if (!has_room(user_data, name_len, len)) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (st != NULL && is_request(frame) && st->status == 0) {
        st->status = 400;
    }
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------ */

static nghttp2_nv nv_of(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static void on_request(struct http_stream *st, bool whole)
{
    st->whole = whole;
    if (st->status == 0) {
        st->status = http_head_end(&st->r->head, -1);
    }
    if (st->status == 0) {
        http_stream_head(st);
    }
    if (whole) {
        http_stream_end(st);
    } else if (st->status != 0) {
        http_stream_fail(st, st->status);
    } else if (st->r->head.expect_continue) {
        const nghttp2_nv go_on = nv_of(":status", "100");
        nghttp2_submit_headers(st->c->h2->session, NGHTTP2_FLAG_NONE, st->id, NULL, &go_on, 1,
                               NULL);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http_stream *st = stream_of(session, frame->hd.stream_id);
    bool whole = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)user_data;
    if (st == NULL) {
        return 0;
    }
    if (is_request(frame)) {
        on_request(st, whole);
    } else if (whole && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        st->whole = true; /* of trailers nothing is wanted */
        if (st->phase == HTTP_PHASE_BODY) {
            http_stream_end(st);
        }
    }
    return 0;
}

static int on_data_chunk_recv(nghttp2_session *session, uint8_t flags, int32_t id,
                              const uint8_t *bytes, size_t len, void *user_data)
{
    struct http_stream *st = stream_of(session, id);
    (void)flags;
    (void)user_data;
    if (st != NULL && st->phase == HTTP_PHASE_BODY) {
        http_stream_body(st, bytes, len);
        if (st->status != 0) {
            http_stream_fail(st, st->status);
        }
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct http_stream *st = stream_of(session, id);
    (void)code;
    (void)user_data;
    if (st != NULL) {
        http_stream_free(st);
    }
    return 0;
}

/* ---- answers ------------------------------------------------------------------------------- */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                       uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct http_stream *st = source->ptr;
    size_t n = st->len - st->at < cap ? st->len - st->at : cap;
    (void)session;
    (void)id;
    (void)user_data;
    memcpy(out, st->body + st->at, n);
    st->at += n;
    if (st->at == st->len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static bool keep_body(struct http_stream *st, const struct http_answer *a)
{
    st->body = a->len > 0 ? malloc(a->len) : NULL;
    if (st->body == NULL) {
        return a->len == 0;
    }
    memcpy(st->body, a->body, a->len);
    st->len = a->len;
    st->c->s->held += a->len;
    st->c->answers += a->len;
    return true;
}

void h2_answer(struct http_stream *st, const struct http_answer *a)
{
    nghttp2_session *session = st->c->h2->session;
    nghttp2_nv nv[1 + HTTP_FIELDS_OUT_MAX];
    nghttp2_data_provider body = {.source.ptr = st, .read_callback = on_read};
    nv[0] = nv_of(":status", a->status);
    for (size_t i = 0; i < a->count; i++) {
        nv[1 + i] = nv_of(a->fields[i].name, a->fields[i].value);
    }
    if (!keep_body(st, a) || nghttp2_submit_response(session, st->id, nv, 1 + a->count,
                                                     a->len > 0 ? &body : NULL) != 0) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_INTERNAL_ERROR);
    }
    http_stream_part(st); /* last: fields of the answer may be the request's */
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http_conn *c = user_data;
    int32_t id = frame->hd.stream_id;
    bool body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
        charge(c, H2_FRAMES_RESET); /* whoever made us do it: CVE-2025-8671 */
    } else if (body && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        fill(c->h2, BUCKET_ANSWER * 1000);
        if (nghttp2_session_get_stream_remote_close(session, id) == 0) {
            /* RFC 9113 §8.1: the rest of the request is not wanted */
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
        }
    }
    return 0;
}

/* ---- sessions ------------------------------------------------------------------------------ */

static void set_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
}

struct h2_setup *h2_setup_new(const struct http_limits *limits)
{
    struct h2_setup *s = calloc(1, sizeof *s);
    if (s == NULL || nghttp2_session_callbacks_new(&s->callbacks) != 0 ||
        nghttp2_option_new(&s->option) != 0) {
        h2_setup_free(s);
        return NULL;
    }
    set_callbacks(s->callbacks);
    nghttp2_option_set_no_closed_streams(s->option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(s->option, TABLE_MAX);
    nghttp2_option_set_stream_reset_rate_limit(s->option, RESETS_MAX, RESETS_RATE);
    s->settings[0] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams};
    s->settings[1] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                                              (uint32_t)limits->header_max};
    s->settings[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
    return s;
}

void h2_setup_free(struct h2_setup *s)
{
    if (s != NULL) {
        nghttp2_session_callbacks_del(s->callbacks);
        nghttp2_option_del(s->option);
    }
    free(s);
}

enum err h2_open(struct http_conn *c)
{
    const struct h2_setup *s = c->s->h2;
    struct h2 *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return ERR_NOMEM;
    }
    if (nghttp2_session_server_new2(&h->session, s->callbacks, c, s->option) != 0 ||
        nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, s->settings, COUNT(s->settings)) !=
            0) {
        h2_free(h);
        return ERR_NOMEM;
    }
    h2_frames_init(&h->frames);
    h->bucket_milli = BUCKET_MAX * 1000;
    h->bucket_ms = http_server_now(c->s);
    c->h2 = h;
    return ERR_OK;
}

void h2_free(struct h2 *h)
{
    if (h != NULL) {
        nghttp2_session_del(h->session);
    }
    free(h);
}

void h2_take(struct http_conn *c, const uint8_t *bytes, size_t len)
{
    charge(c, h2_frames_cost(&c->h2->frames, bytes, len));
    ssize_t rc = nghttp2_session_mem_recv(c->h2->session, bytes, len);
    if (rc == NGHTTP2_ERR_NOMEM) {
        c->failed = true;
    } else if (rc < 0) { /* nghttp2 reads no further, but writes what it has to */
        nghttp2_session_terminate_session(c->h2->session, rc == NGHTTP2_ERR_BAD_CLIENT_MAGIC
                                                              ? NGHTTP2_PROTOCOL_ERROR
                                                              : NGHTTP2_ENHANCE_YOUR_CALM);
        http_conn_end(c);
    }
}

void h2_output(struct http_conn *c)
{
    const uint8_t *bytes;
    c->h2->dammed = true;
    while (!c->failed && http_conn_unsent(c) < c->s->limits.unsent_max) {
        ssize_t n = nghttp2_session_mem_send(c->h2->session, &bytes);
        if (n <= 0) {
            c->h2->dammed = false;
            c->failed = n < 0;
            break;
        }
        http_conn_put(c, bytes, (size_t)n);
    }
}

bool h2_has_more(const struct http_conn *c)
{
    return c->h2->dammed;
}

void h2_drain(struct http_conn *c)
{
    struct h2 *h = c->h2;
    if (!h->draining) {
        h->draining = true;
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                              NULL, 0);
    }
}

void h2_give_up(struct http_stream *st)
{
    nghttp2_session *session = st->c->h2->session;
    st->begun = false; /* is not late any more */
    if (st->phase == HTTP_PHASE_HEAD) {
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
    }
}

bool h2_is_over(const struct http_conn *c)
{
    return nghttp2_session_want_read(c->h2->session) == 0 &&
           nghttp2_session_want_write(c->h2->session) == 0;
}

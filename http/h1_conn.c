/* HTTP/1.x on a connection: one request at a time, in order. */
#include <string.h>

#include "server_priv.h"

static void text(struct http_conn *c, const char *s)
{
    http_conn_put(c, s, strlen(s));
}

/* The peer waits for leave to send its body (RFC 9110 §10.1.1), and it has not sent it all the same. */
static void on_head(struct http_conn *c, struct http_stream *st, size_t left)
{
    http_stream_head(st);
    const struct http_head *head = &st->r->head;
    if (st->status == 0) {
        if (head->expect_continue && left == 0) {
            text(c, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        return;
    }
    bool has_body = head->chunked || head->content_length > 0;
    if (has_body &&
        (head->expect_continue || st->status == 413 || head->content_length > HTTP_DISCARD_MAX)) {
        http_stream_fail(st, st->status);
    }
}

static void on_body(struct http_stream *st, const uint8_t *bytes, size_t len)
{
    http_stream_body(st, bytes, len);
    if (st->status == 413 || st->discarded > HTTP_DISCARD_MAX) {
        http_stream_fail(st, st->status);
    }
}

static void begin(struct http_conn *c, struct http_stream *st)
{
    if (!st->begun && c->h1.begun) {
        st->begun = true;
        st->since_ms = http_server_now(c->s);
    }
}

size_t h1_conn_take(struct http_conn *c, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    while (http_conn_may_take(c) && (at < len || c->streams != NULL)) {
        struct http_stream *st = c->streams != NULL ? c->streams : http_stream_new(c, 0);
        const uint8_t *piece;
        size_t used, piece_len;
        if (st == NULL) {
            c->failed = true;
            break;
        }
        enum h1_event event =
            h1_read(&c->h1, &st->r->head, bytes + at, len - at, &used, &piece, &piece_len);
        at += used;
        begin(c, st);
        switch (event) {
        case H1_MORE:
            return at;
        case H1_HEAD:
            on_head(c, st, len - at);
            break;
        case H1_BODY:
            on_body(st, piece, piece_len);
            break;
        case H1_END:
            http_stream_end(st);
            break;
        case H1_BAD:
            http_stream_fail(st, c->h1.status);
            break;
        }
    }
    return at;
}

/* Who is not told how long the connection lives takes it for one of the protocol's version (RFC 9112
 * §9.3). */
static const char *connection_of(const struct http_conn *c, bool last)
{
    return last ? "connection: close\r\n" : c->h1.minor == 0 ? "connection: keep-alive\r\n" : "";
}

void h1_conn_answer(struct http_stream *st, const struct http_answer *a)
{
    struct http_conn *c = st->c;
    /* What is not read would be taken for the next request. */
    bool last = !st->whole || c->s->closing || st->r == NULL || st->r->head.close;
    text(c, "HTTP/1.1 ");
    text(c, a->status);
    text(c, " ");
    text(c, a->reason);
    text(c, "\r\n");
    for (size_t i = 0; i < a->count; i++) {
        text(c, a->fields[i].name);
        text(c, ": ");
        text(c, a->fields[i].value);
        text(c, "\r\n");
    }
    text(c, connection_of(c, last));
    text(c, "\r\n");
    http_conn_put(c, a->body, a->len);
    if (last) {
        http_conn_end(c);
    }
    http_stream_free(st);
}

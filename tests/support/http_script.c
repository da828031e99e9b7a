#include "http_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"

#define REQUEST_MAX (4u << 20)
#define FILL_CHUNK  65536u

struct http_script_conn {
    struct http_script *server;
    struct http_script_conn *next;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned open_handles;
    unsigned number, requests;
    char *in; /* owned: what came and is not answered, and a NUL */
    size_t in_len;
    size_t request_len;                /* of the one being answered */
    const struct http_script_act *act; /* NULL: a request is waited for */
    size_t done;                       /* of the act: octets */
    bool closing;
};

struct sending {
    uv_write_t req;
    struct http_script_conn *conn;
    char bytes[];
};

static void step(struct http_script_conn *c);
static void read_on(struct http_script_conn *c);

static void on_conn_closed(uv_handle_t *h)
{
    struct http_script_conn *c = h->data;
    c->server->handles--;
    if (--c->open_handles == 0) {
        free(c->in);
        free(c);
    }
}

static void conn_close(struct http_script_conn *c, bool reset)
{
    if (c->closing) {
        return;
    }
    c->closing = true;
    c->server->open--;
    struct http_script_conn **at = &c->server->first;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0) {
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
    }
    uv_close((uv_handle_t *)&c->timer, on_conn_closed);
}

static void on_sent(uv_write_t *req, int status)
{
    struct sending *s = (struct sending *)req;
    struct http_script_conn *c = s->conn;
    free(s);
    if (status != 0) {
        conn_close(c, false);
    } else if (!c->closing) {
        step(c);
    }
}

/* One after the other; the next act comes when it is out. */
static void send_bytes(struct http_script_conn *c, const char *bytes, size_t len)
{
    struct sending *s = mem_xalloc(sizeof *s + len);
    s->conn = c;
    memcpy(s->bytes, bytes, len);
    uv_buf_t buf = uv_buf_init(s->bytes, (unsigned)len);
    if (uv_write(&s->req, (uv_stream_t *)&c->tcp, &buf, 1, on_sent) != 0) {
        free(s);
        conn_close(c, false);
    }
}

static void send_reply(struct http_script_conn *c, const char *body, size_t len)
{
    char *text = mem_xalloc(len + 128);
    int n = snprintf(text, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    memcpy(text + n, body, len);
    send_bytes(c, text, (size_t)n + len);
    free(text);
}

static void fill(struct http_script_conn *c, size_t n)
{
    static char chunk[FILL_CHUNK];
    memset(chunk, 'x', sizeof chunk);
    n = n < sizeof chunk ? n : sizeof chunk;
    c->done += n;
    send_bytes(c, chunk, n);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_script_conn *c = timer->data;
    if (c->act->kind == HTTP_SCRIPT_DRIP) {
        send_bytes(c, c->act->text + c->done % strlen(c->act->text), 1);
        c->done++;
    } else {
        step(c);
    }
}

static void perform(struct http_script_conn *c)
{
    const struct http_script_act *a = c->act;
    switch (a->kind) {
    case HTTP_SCRIPT_END:
        c->act = NULL;
        if (c->request_len > 0) { /* 0: it was the greeting */
            memmove(c->in, c->in + c->request_len, c->in_len - c->request_len + 1);
            c->in_len -= c->request_len;
        }
        read_on(c);
        break;
    case HTTP_SCRIPT_SEND:
        send_bytes(c, a->text, a->n != 0 ? a->n : strlen(a->text));
        break;
    case HTTP_SCRIPT_REPLY:
        send_reply(c, a->text, strlen(a->text));
        break;
    case HTTP_SCRIPT_ECHO:
        send_reply(c, c->in, c->request_len);
        break;
    case HTTP_SCRIPT_FILL:
        fill(c, a->n - c->done);
        break;
    case HTTP_SCRIPT_DRIP:
    case HTTP_SCRIPT_PAUSE:
        uv_timer_start(&c->timer, on_timer, a->ms, 0);
        break;
    case HTTP_SCRIPT_HANG:
        break;
    case HTTP_SCRIPT_CLOSE:
    case HTTP_SCRIPT_RESET:
        conn_close(c, a->kind == HTTP_SCRIPT_RESET);
        break;
    }
}

/* What is left of the present act, or the next one. */
static void step(struct http_script_conn *c)
{
    const struct http_script_act *a = c->act;
    if (!(a->kind == HTTP_SCRIPT_FILL && c->done < a->n) && a->kind != HTTP_SCRIPT_DRIP) {
        c->act++;
        c->done = 0;
    }
    perform(c);
}

/* The length of the whole request at the beginning of what came; 0: not all there yet. */
static size_t request_len(const struct http_script_conn *c)
{
    const char *end = c->in != NULL ? strstr(c->in, "\r\n\r\n") : NULL;
    if (end == NULL) {
        return 0;
    }
    const char *field = strcasestr(c->in, "\r\nContent-Length: ");
    size_t len = (size_t)(end + 4 - c->in);
    if (field != NULL && field < end) {
        len += strtoul(field + strlen("\r\nContent-Length: "), NULL, 10);
    }
    return len <= c->in_len ? len : 0;
}

static void read_on(struct http_script_conn *c)
{
    struct http_script *s = c->server;
    c->request_len = request_len(c);
    if (c->act != NULL || c->request_len == 0) {
        return;
    }
    char kept = c->in[c->request_len];
    c->in[c->request_len] = '\0';
    struct http_script_request r = {c->number, c->requests++, c->in, c->request_len};
    s->requests++;
    c->act = s->choose != NULL ? s->choose(s->ctx, &r) : s->acts;
    c->done = 0;
    c->in[c->request_len] = kept;
    perform(c);
}

static void on_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)h, (void)hint;
    *buf = uv_buf_init(mem_xalloc(FILL_CHUNK), FILL_CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_script_conn *c = stream->data;
    if (n > 0) {
        assert_true(c->in_len + (size_t)n < REQUEST_MAX);
        c->in = mem_xrealloc(c->in, c->in_len + (size_t)n + 1);
        memcpy(c->in + c->in_len, buf->base, (size_t)n);
        c->in_len += (size_t)n;
        c->in[c->in_len] = '\0';
    }
    free(buf->base);
    if (n < 0) {
        conn_close(c, false);
    } else if (c->act == NULL) {
        read_on(c);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_script *s = listener->data;
    struct http_script_conn *c = mem_xalloc(sizeof *c);
    assert_int_equal(status, 0);
    c->server = s;
    c->number = s->connections++;
    c->next = s->first;
    s->first = c;
    s->open++;
    s->open_max = s->open > s->open_max ? s->open : s->open_max;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->open_handles = 2;
    s->handles += 2;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);
    if (s->greeting != NULL) {
        c->act = s->greeting;
        perform(c);
    }
}

void http_script_open_at(struct http_script *s, uv_loop_t *loop, uint16_t port,
                         http_script_choose *choose, void *ctx)
{
    struct sockaddr_in at;
    int len = sizeof at;
    *s = (struct http_script){.choose = choose, .ctx = ctx, .handles = 1};
    uv_tcp_init(loop, &s->listener);
    s->listener.data = s;
    uv_ip4_addr("127.0.0.1", port, &at);
    assert_int_equal(uv_tcp_bind(&s->listener, (struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 64, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    uv_unref((uv_handle_t *)&s->listener);
}

void http_script_open(struct http_script *s, uv_loop_t *loop, http_script_choose *choose, void *ctx)
{
    http_script_open_at(s, loop, 0, choose, ctx);
}

void http_script_drop(struct http_script *s)
{
    struct http_script_conn *next;
    for (struct http_script_conn *c = s->first; c != NULL; c = next) {
        next = c->next;
        if (c->act == NULL) {
            conn_close(c, false);
        }
    }
}

static void on_listener_closed(uv_handle_t *h)
{
    struct http_script *s = h->data;
    s->handles--;
}

void http_script_close(struct http_script *s)
{
    while (s->first != NULL) {
        conn_close(s->first, false);
    }
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
}

#include "lossy.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

#define CHUNK 65536

struct link {
    uv_tcp_t near, far; /* who asks; who is asked */
    uv_connect_t connecting;
    struct lossy *lossy; /* borrowed */
    bool losing;         /* the next answer is not passed on */
    unsigned open;       /* handles */
    char buffer[CHUNK];  /* of either: what was read is written at once */
};

static void on_closed(uv_handle_t *h)
{
    struct link *link = h->data;
    if (--link->open == 0) {
        free(link);
    }
}

static void end(struct link *link)
{
    uv_handle_t *const both[] = {(uv_handle_t *)&link->near, (uv_handle_t *)&link->far};
    for (size_t i = 0; i < sizeof link->lossy->handles / sizeof link->lossy->handles[0]; i++) {
        if (link->lossy->handles[i] == both[0]) {
            link->lossy->handles[i] = NULL;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (!uv_is_closing(both[i])) {
            uv_close(both[i], on_closed);
        }
    }
}

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    *buf = uv_buf_init(((struct link *)h->data)->buffer, CHUNK);
}

static void on_written(uv_write_t *w, int status)
{
    (void)status;
    free(w);
}

static void pass_on(uv_tcp_t *to, const char *bytes, size_t n)
{
    uv_write_t *w = mem_xalloc(sizeof *w + n);
    memcpy(w + 1, bytes, n);
    uv_buf_t buf = uv_buf_init((char *)(w + 1), (unsigned)n);
    if (uv_write(w, (uv_stream_t *)to, &buf, 1, on_written) != 0) {
        free(w);
    }
}

static void on_asked(uv_stream_t *near, ssize_t n, const uv_buf_t *buf)
{
    static const char write[] = "POST /db/execute";
    struct link *link = near->data;
    if (n < 0) {
        end(link);
        return;
    }
    if (link->lossy->lose > 0 && (size_t)n > strlen(write) &&
        memcmp(buf->base, write, strlen(write)) == 0) {
        link->lossy->lose--;
        link->losing = true;
    }
    pass_on(&link->far, buf->base, (size_t)n);
}

static void on_answer(uv_stream_t *far, ssize_t n, const uv_buf_t *buf)
{
    struct link *link = far->data;
    if (n < 0 || link->losing) {
        link->lossy->lost += n > 0;
        end(link);
        return;
    }
    pass_on(&link->near, buf->base, (size_t)n);
}

static void on_connected(uv_connect_t *c, int status)
{
    struct link *link = c->handle->data;
    if (status != 0) {
        end(link);
        return;
    }
    uv_read_start((uv_stream_t *)&link->near, on_room, on_asked);
    uv_read_start((uv_stream_t *)&link->far, on_room, on_answer);
}

static void on_guest(uv_stream_t *listener, int status)
{
    struct lossy *l = listener->data;
    struct link *link = mem_xalloc(sizeof *link);
    struct sockaddr_in to;
    size_t at = 0;
    assert_int_equal(0, status);
    link->lossy = l;
    link->open = 2;
    uv_tcp_init(listener->loop, &link->near);
    uv_tcp_init(listener->loop, &link->far);
    link->near.data = link->far.data = link;
    while (l->handles[at] != NULL) {
        at++;
        assert_true(at < sizeof l->handles / sizeof l->handles[0]);
    }
    l->handles[at] = (uv_handle_t *)&link->near;
    assert_int_equal(0, uv_accept(listener, (uv_stream_t *)&link->near));
    uv_ip4_addr("127.0.0.1", l->to, &to);
    assert_int_equal(
        0, uv_tcp_connect(&link->connecting, &link->far, (struct sockaddr *)&to, on_connected));
}

void lossy_open(struct lossy *l, uv_loop_t *loop, uint16_t to)
{
    struct sockaddr_in at;
    int len = sizeof at;
    *l = (struct lossy){.to = to};
    uv_tcp_init(loop, &l->listener);
    l->listener.data = l;
    uv_ip4_addr("127.0.0.1", 0, &at);
    assert_int_equal(0, uv_tcp_bind(&l->listener, (struct sockaddr *)&at, 0));
    assert_int_equal(0, uv_listen((uv_stream_t *)&l->listener, 16, on_guest));
    assert_int_equal(0, uv_tcp_getsockname(&l->listener, (struct sockaddr *)&at, &len));
    l->port = ntohs(at.sin_port);
    snprintf(l->url, sizeof l->url, "http://127.0.0.1:%u", l->port);
}

void lossy_close(struct lossy *l)
{
    uv_close((uv_handle_t *)&l->listener, NULL);
    for (size_t i = 0; i < sizeof l->handles / sizeof l->handles[0]; i++) {
        if (l->handles[i] != NULL) {
            end(l->handles[i]->data);
        }
    }
}

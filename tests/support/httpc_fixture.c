#include "httpc_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"

const struct http_script_act http_script_echo[] = {{.kind = HTTP_SCRIPT_ECHO},
                                                   {.kind = HTTP_SCRIPT_END}};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void httpc_fixture_init(struct httpc_fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->guard);
}

static void on_closed(void *ctx)
{
    (*(unsigned *)ctx)++;
}

int httpc_fixture_end(struct httpc_fixture *f)
{
    bool open = f->client != NULL;
    if (open) {
        httpc_close(f->client, on_closed, &f->closed);
    }
    if (f->server.port != 0) {
        http_script_close(&f->server);
    }
    uv_close((uv_handle_t *)&f->guard, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (open) {
        assert_int_equal(f->closed, 1);
    }
    return uv_loop_close(&f->loop);
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard;
    fail_msg("not over in time");
}

void httpc_fixture_until(struct httpc_fixture *f, const unsigned *counter, unsigned n)
{
    uv_update_time(&f->loop);
    uv_timer_start(&f->guard, on_guard, HTTPC_FIXTURE_DEADLINE_MS, 0);
    while (*counter < n) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&f->guard);
}

void httpc_fixture_client(struct httpc_fixture *f, const struct httpc_options *options)
{
    static const struct httpc_options usual = {.user_agent = NULL};
    struct err_info info = {.text = ""};
    enum err e = httpc_open(&f->loop, options != NULL ? options : &usual, &f->client, &info);
    if (e != ERR_OK) {
        fail_msg("%s: %s", err_text(e), info.text);
    }
}

void httpc_fixture_serve_by(struct httpc_fixture *f, http_script_choose *choose, void *ctx)
{
    http_script_open(&f->server, &f->loop, choose, ctx);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/some/path?q=1", f->server.port);
    if (f->client == NULL) {
        httpc_fixture_client(f, NULL);
    }
}

void httpc_fixture_serve(struct httpc_fixture *f, const struct http_script_act *acts)
{
    httpc_fixture_serve_by(f, NULL, NULL);
    f->server.acts = acts;
}

void httpc_fixture_unserve(struct httpc_fixture *f)
{
    http_script_close(&f->server);
    while (f->server.handles > 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    f->server.port = 0;
}

struct httpc_request httpc_fixture_get(const struct httpc_fixture *f)
{
    return (struct httpc_request){.method = "GET",
                                  .url = f->url,
                                  .body_max = 100000,
                                  .wait_ms = HTTPC_FIXTURE_DEADLINE_MS / 2};
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct httpc_got *g = ctx;
    g->calls++;
    g->e = e;
    g->took_ms = now_ms() - g->took_ms;
    g->info = *info;
    assert_true((reply != NULL) == (e == ERR_OK));
    if (reply != NULL) {
        const char *header = httpc_reply_header(reply, "x-tEST");
        snprintf(g->header, sizeof g->header, "%s", header != NULL ? header : "(none)");
        assert_int_equal(reply->body[reply->len], '\0');
        g->status = reply->status;
        g->len = reply->len;
        g->body = mem_xmemdup(reply->body, reply->len + 1);
    }
    if (g->then != NULL) {
        g->then(g);
    }
}

void httpc_fixture_start(struct httpc_fixture *f, struct httpc_got *g,
                         const struct httpc_request *r)
{
    *g = (struct httpc_got){.f = f, .then = g->then, .took_ms = now_ms()};
    g->call = httpc_start(f->client, r, on_reply, g);
    assert_non_null(g->call);
    assert_int_equal(g->calls, 0); /* never inside */
}

void httpc_fixture_expect(struct httpc_fixture *f, const struct httpc_request *r, enum err e,
                          struct httpc_got *g)
{
    struct httpc_got own;
    struct httpc_got *got = g != NULL ? g : &own;
    got->then = NULL;
    httpc_fixture_start(f, got, r);
    httpc_fixture_until(f, &got->calls, 1);
    if (got->e != e) {
        fail_msg("%s instead of %s: %s", err_text(got->e), err_text(e), got->info.text);
    }
    if (g == NULL) {
        httpc_got_free(got);
    }
}

void httpc_got_free(struct httpc_got *g)
{
    free(g->body);
    g->body = NULL;
}

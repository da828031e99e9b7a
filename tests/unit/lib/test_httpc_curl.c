/* lib/httpc_curl: every kind of peer, good and bad, leads to exactly one callback with the right
 * code, in time, and nothing is left on the loop. */
#include "lib/httpc_curl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_script.h"

#define DEADLINE_MS 20000
#define LATE_MS     1000 /* how much later than its deadline a request may end */
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))

static struct {
    uv_loop_t loop;
    uv_timer_t guard; /* the test's own deadline */
    struct http_script server;
    struct httpc *client;
    bool closed;
    char url[128];
} t;

/* What one callback brought. */
struct got {
    unsigned calls;
    enum err e;
    unsigned status;
    char info[600];
    char *body; /* owned */
    size_t len;
    char header[128]; /* X-Test, if there is one */
    uint64_t at_ms;
    struct httpc_call *call;
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard;
    fail_msg("not over in time");
}

static void until(const unsigned *counter, unsigned n)
{
    uv_timer_start(&t.guard, on_guard, DEADLINE_MS, 0);
    while (*counter < n) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.guard);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.guard);
    return 0;
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

/* Fails if anything of the client's is left on the loop. */
static int teardown(void **state)
{
    (void)state;
    if (t.client != NULL) {
        httpc_close(t.client, on_closed, &t.closed);
    }
    if (t.server.port != 0) {
        http_script_close(&t.server);
    }
    uv_close((uv_handle_t *)&t.guard, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_true(t.client == NULL || t.closed);
    return uv_loop_close(&t.loop);
}

static void client_open(const struct httpc_options *options)
{
    struct err_info info = {.text = ""};
    static const struct httpc_options usual = {.user_agent = NULL};
    enum err e = httpc_open(&t.loop, options != NULL ? options : &usual, &t.client, &info);
    if (e != ERR_OK) {
        fail_msg("%s: %s", err_text(e), info.text);
    }
}

static void serve(const struct http_script_act *acts)
{
    http_script_open_acts(&t.server, &t.loop, acts);
    snprintf(t.url, sizeof t.url, "http://127.0.0.1:%u/some/path?q=1", t.server.port);
    client_open(NULL);
}

static void serve_by(http_script_choose *choose)
{
    http_script_open(&t.server, &t.loop, choose, NULL);
    snprintf(t.url, sizeof t.url, "http://127.0.0.1:%u/", t.server.port);
    client_open(NULL);
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct got *g = ctx;
    g->calls++;
    g->e = e;
    g->at_ms = now_ms();
    snprintf(g->info, sizeof g->info, "%s", info->text);
    assert_true((reply != NULL) == (e == ERR_OK));
    if (reply != NULL) {
        const char *header = httpc_reply_header(reply, "x-tEST");
        g->status = reply->status;
        g->len = reply->len;
        g->body = malloc(reply->len + 1);
        memcpy(g->body, reply->body, reply->len + 1);
        snprintf(g->header, sizeof g->header, "%s", header != NULL ? header : "(none)");
    }
}

static struct httpc_request get(void)
{
    return (struct httpc_request){
        .method = "GET", .url = t.url, .body_max = 100000, .wait_ms = DEADLINE_MS / 2};
}

static void start(struct got *g, const struct httpc_request *r)
{
    *g = (struct got){.calls = 0};
    g->call = httpc_start(t.client, r, on_reply, g);
    assert_non_null(g->call);
    assert_int_equal(g->calls, 0); /* never inside */
}

static void drop(struct got *g)
{
    free(g->body);
    g->body = NULL;
}

/* One request and what it must end with; info is kept in *g if it is wanted. */
static void expect(const struct httpc_request *r, enum err e, struct got *g)
{
    struct got own;
    g = g != NULL ? g : &own;
    start(g, r);
    until(&g->calls, 1);
    if (g->e != e) {
        fail_msg("%s instead of %s: %s", err_text(g->e), err_text(e), g->info);
    }
    if (g == &own) {
        drop(g);
    }
}

/* --- what goes well ------------------------------------------------------------------------ */

static const struct http_script_act echo[] = {{.kind = HTTP_SCRIPT_ECHO},
                                              {.kind = HTTP_SCRIPT_END}};

static void a_get(void **state)
{
    struct got g;
    (void)state;
    serve(echo);
    struct httpc_request r = get();
    expect(&r, ERR_OK, &g);
    assert_int_equal(g.status, 200);
    assert_int_equal(g.len, strlen(g.body));
    assert_ptr_equal(strstr(g.body, "GET /some/path?q=1 HTTP/1.1\r\n"), g.body);
    assert_non_null(strstr(g.body, "\r\nUser-Agent: dnsd\r\n"));
    assert_null(strstr(g.body, "Content-"));
    assert_null(strstr(g.body, "Authorization"));
    assert_string_equal(g.info, "");
    drop(&g);
}

/* --- connections --------------------------------------------------------------------------- */

/* The first connection is cut instead of its second reply. */
static const struct http_script_act *cut_second(void *ctx, const struct http_script_request *r)
{
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};
    (void)ctx;
    return r->connection == 0 && r->number == 1 ? cut : echo;
}

static void a_get_on_a_dying_connection_is_sent_again(void **state)
{
    (void)state;
    serve_by(cut_second);
    struct httpc_request r = get();
    expect(&r, ERR_OK, NULL);
    expect(&r, ERR_OK, NULL);
    assert_int_equal(t.server.requests, 3);
}

static void a_post_on_a_dying_connection_is_not_sent_again(void **state)
{
    struct got g;
    (void)state;
    serve_by(cut_second);
    struct httpc_request r = get();
    r.method = "POST";
    expect(&r, ERR_OK, NULL);
    expect(&r, ERR_UNAVAIL, &g);
    assert_non_null(strstr(g.info, "not known whether"));
    assert_int_equal(t.server.requests, 2);
    expect(&r, ERR_OK, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_get, setup, teardown),
        cmocka_unit_test_setup_teardown(a_get_on_a_dying_connection_is_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_post_on_a_dying_connection_is_not_sent_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

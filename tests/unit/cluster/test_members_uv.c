/* members_uv.c: what is sent to an rqlite, and how every kind of answer ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cluster/members_uv.h"
#include "httpc_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct httpc_fixture t;

struct got {
    unsigned calls;
    enum err e;
    struct err_info info;
    size_t count;
    char leader[MEMBERS_ID];
};

static int setup(void **state)
{
    (void)state;
    httpc_fixture_init(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return httpc_fixture_end(&t);
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    struct got *g = ctx;
    g->e = e;
    g->info = info != NULL ? *info : (struct err_info){.text = ""};
    g->calls++;
}

static void on_list(void *ctx, enum err e, const struct err_info *info, const struct members *m)
{
    struct got *g = ctx;
    g->count = m->count;
    if (m->leader != NULL) {
        snprintf(g->leader, sizeof g->leader, "%s", m->leader->id);
    }
    on_done(ctx, e, info);
}

static struct members_access reach(void)
{
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", t.server.port);
    return (struct members_access){.url = url, .user = "dnsd", .password = "secret"};
}

static struct got list(void)
{
    struct got g = {.calls = 0};
    struct members_access access = reach();
    members_list(t.client, &access, on_list, &g);
    assert_int_equal(g.calls, 0); /* never inside the call */
    httpc_fixture_until(&t, &g.calls, 1);
    return g;
}

static struct got take_out(const char *id)
{
    struct got g = {.calls = 0};
    struct members_access access = reach();
    members_remove(t.client, &access, id, on_done, &g);
    assert_int_equal(g.calls, 0);
    httpc_fixture_until(&t, &g.calls, 1);
    return g;
}

/* The request as it came, and one reply for all. */
static char seen[4096];
static const struct http_script_act *reply_with;

static const struct http_script_act *choose(void *ctx, const struct http_script_request *request)
{
    (void)ctx;
    snprintf(seen, sizeof seen, "%s", request->text);
    return reply_with;
}

static void serve(const struct http_script_act *acts)
{
    reply_with = acts;
    httpc_fixture_serve_by(&t, choose, NULL);
}

static void the_list_is_asked_for_and_read(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_REPLY,
         .text =
             "{\"nodes\":[{\"id\":\"core-b\",\"addr\":\"h:1\",\"voter\":true,\"reachable\":true,"
             "\"leader\":true},{\"id\":\"core-a\",\"addr\":\"h:2\",\"voter\":false}]}"},
        {.kind = HTTP_SCRIPT_END}};
    (void)state;
    serve(acts);
    struct got g = list();
    assert_int_equal(g.e, ERR_OK);
    assert_int_equal(g.count, 2);
    assert_string_equal(g.leader, "core-b");
    assert_ptr_equal(strstr(seen, "GET /nodes?ver=2&nonvoters&timeout=2s HTTP/1.1\r\n"), seen);
    assert_non_null(strstr(seen, "\r\nAuthorization: Basic ZG5zZDpzZWNyZXQ=\r\n"));
}

static void a_removal_names_the_node(void **state)
{
    static const struct http_script_act acts[] = {{.kind = HTTP_SCRIPT_REPLY, .text = ""},
                                                  {.kind = HTTP_SCRIPT_END}};
    (void)state;
    serve(acts);
    assert_int_equal(take_out("core-\"d").e, ERR_OK);
    assert_ptr_equal(strstr(seen, "DELETE /remove?timeout=5s HTTP/1.1\r\n"), seen);
    assert_non_null(strstr(seen, "\r\n\r\n{\"id\":\"core-\\\"d\"}"));
}

#define SAYS(status, body) "HTTP/1.1 " status " x\r\nContent-Length: " body

static void what_is_answered_instead(void **state)
{
    static const struct {
        struct http_script_act act;
        enum err list, remove;
        const char *said; /* of the list */
    } cases[] = {
        {{.kind = HTTP_SCRIPT_SEND, .text = SAYS("401", "0\r\n\r\n")},
         ERR_DENIED,
         ERR_DENIED,
         "refuses this user or password"},
        {{.kind = HTTP_SCRIPT_SEND, .text = SAYS("503", "17\r\n\r\nleader not found\n")},
         ERR_UNAVAIL,
         ERR_UNAVAIL,
         "leader not found"},
        {{.kind = HTTP_SCRIPT_SEND,
          .text = SAYS("500", "32\r\n\r\nleader address: leader not found")},
         ERR_UNAVAIL,
         ERR_UNAVAIL,
         "leader not found"},
        {{.kind = HTTP_SCRIPT_SEND, .text = SAYS("500", "15\r\n\r\nleadership lost")},
         ERR_TIMEOUT,
         ERR_TIMEOUT,
         "leadership lost"},
        {{.kind = HTTP_SCRIPT_SEND, .text = SAYS("404", "0\r\n\r\n")}, ERR_IO, ERR_IO, "(404)"},
        {{.kind = HTTP_SCRIPT_REPLY, .text = "{\"nodes\":[{\"id\":\"co"},
         ERR_MALFORMED,
         ERR_OK,
         "rqlite's list of nodes: JSON"},
        {{.kind = HTTP_SCRIPT_REPLY, .text = "{\"results\":[]}"},
         ERR_MALFORMED,
         ERR_OK,
         "rqlite's list of nodes: nodes: must be a list"},
        {{.kind = HTTP_SCRIPT_SEND, .text = "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
         ERR_MALFORMED,
         ERR_MALFORMED,
         ""},
        {{.kind = HTTP_SCRIPT_RESET}, ERR_UNAVAIL, ERR_UNAVAIL, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct http_script_act acts[] = {
            cases[i].act, {.kind = HTTP_SCRIPT_CLOSE}, {.kind = HTTP_SCRIPT_END}};
        serve(acts);
        struct got g = list();
        assert_int_equal(g.e, cases[i].list);
        assert_int_equal(g.count, 0);
        if (strstr(g.info.text, cases[i].said) == NULL) {
            fail_msg("case %zu: said %s", i, g.info.text);
        }
        assert_null(strstr(g.info.text, "secret"));
        assert_int_equal(take_out("core-d").e, cases[i].remove);
        httpc_fixture_unserve(&t);
    }
}

static void a_list_without_end_is_cut(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\n"},
        {.kind = HTTP_SCRIPT_FILL, .n = 10 * 1024 * 1024},
        {.kind = HTTP_SCRIPT_CLOSE},
        {.kind = HTTP_SCRIPT_END}};
    (void)state;
    serve(acts);
    struct got g = list();
    assert_int_equal(g.e, ERR_LIMIT);
    assert_int_equal(g.count, 0);
}

static void closing_the_client_ends_what_is_under_way(void **state)
{
    static const struct http_script_act acts[] = {{.kind = HTTP_SCRIPT_HANG},
                                                  {.kind = HTTP_SCRIPT_END}};
    struct got first = {.calls = 0};
    struct got second = {.calls = 0};
    (void)state;
    serve(acts);
    struct members_access access = reach();
    members_list(t.client, &access, on_list, &first);
    members_remove(t.client, &access, "core-d", on_done, &second);
    httpc_close(t.client, NULL, NULL);
    t.client = NULL;
    httpc_fixture_until(&t, &second.calls, 1);
    httpc_fixture_until(&t, &first.calls, 1);
    assert_int_equal(first.e, ERR_CANCELED);
    assert_int_equal(second.e, ERR_CANCELED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_list_is_asked_for_and_read),
        TEST(a_removal_names_the_node),
        TEST(what_is_answered_instead),
        TEST(a_list_without_end_is_cut),
        TEST(closing_the_client_ends_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

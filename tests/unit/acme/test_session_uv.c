/* A session against a scripted CA: the directory, cancel and close at each point. What is sent and when
 * it is sent again is in test_session_call_uv.c, what is read out of replies in test_session_reply.c. */
#include "acme/session_uv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ca_script.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define URN      "urn:ietf:params:acme:error:"

static struct ca_script t;

static int setup(void **state)
{
    (void)state;
    ca_script_init(&t, true);
    return 0;
}

static int setup_bare(void **state)
{
    (void)state;
    ca_script_init(&t, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ca_script_end(&t);
}

static const struct ca_script_request *last_request(void)
{
    assert_true(t.requests_count > 0);
    return &t.requests[t.requests_count - 1];
}

static void assert_has(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, text);
    }
}

/* --- directory ---------------------------------------------------------------------------- */

static void a_directory_is_kept(void **state)
{
    struct ca_script_got g = {.calls = 0};
    static const struct {
        int64_t later_ms;
        bool fresh;
        unsigned asked;
    } rows[] = {{0, false, 1},
                {SESSION_DIRECTORY_MS - 1, false, 1},
                {0, true, 2},
                {SESSION_DIRECTORY_MS - 1, false, 2},
                {1, false, 3}};
    (void)state;
    ca_script_directory(&t, false, &g);
    ca_script_until(&t, &g.calls, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        t.mono_ms += rows[i].later_ms;
        ca_script_directory(&t, rows[i].fresh, &g);
        ca_script_until(&t, &g.calls, 1);
        assert_int_equal(g.e, ERR_OK);
        assert_int_equal(g.problem.class, ACME_FINE);
        assert_string_equal(g.directory.new_order, ca_script_url(&t, "/order"));
        assert_int_equal(t.directories_asked, rows[i].asked);
    }
    assert_has(last_request()->header, "User-Agent: dnsd\r\n");
    assert_has(last_request()->header, "Accept-Language: en\r\n");
    assert_string_equal(session_url(t.session), ca_script_url(&t, "/directory"));
}

static void those_who_wait_share_a_look(void **state)
{
    struct ca_script_got g[5];
    (void)state;
    memset(g, 0, sizeof g);
    for (size_t i = 0; i < COUNT(g); i++) {
        ca_script_directory(&t, i == 3, &g[i]);
    }
    for (size_t i = 0; i < COUNT(g); i++) {
        ca_script_until(&t, &g[i].calls, 1);
        assert_int_equal(g[i].e, ERR_OK);
    }
    assert_int_equal(t.directories_asked, 1);
}

static void directories_that_cannot_be_had(void **state)
{
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};
    static const struct http_script_act huge[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"},
        {.kind = HTTP_SCRIPT_FILL, .n = 10000000},
        {.kind = HTTP_SCRIPT_END}};
    static const struct {
        struct ca_script_reply reply;
        enum err e;
        enum acme_class class;
        int64_t retry_ms;
        const char *says;
    } rows[] = {
        {{"503 Busy", "Retry-After: 7\r\n", "<html>busy</html>", NULL},
         ERR_UNAVAIL,
         ACME_AGAIN,
         7000,
         "HTTP 503: <html>busy</html>"},
        {{"429 Enough", "", "{\"type\":\"" URN "rateLimited\",\"detail\":\"slow\"}", NULL},
         ERR_UNAVAIL,
         ACME_LIMITED,
         -1,
         "slow"},
        {{"404 Nothing", "", "", NULL}, ERR_DENIED, ACME_DENIED, -1, "HTTP 404"},
        {{"301 There", "Location: %U/other\r\n", "", NULL},
         ERR_UNAVAIL,
         ACME_AGAIN,
         -1,
         "redirect"},
        {{NULL, "", "{\"newNonce\":\"%U/no", NULL},
         ERR_MALFORMED,
         ACME_FINE,
         -1,
         "directory: JSON"},
        {{NULL, "",
          "{\"newNonce\":\"%U/nonce\",\"newAccount\":\"%U/account\","
          "\"newOrder\":\"https://evil.example/order\"}",
          NULL},
         ERR_DENIED,
         ACME_FINE,
         -1,
         "another origin"},
        {{NULL, NULL, NULL, cut}, ERR_UNAVAIL, ACME_FINE, -1, ""},
        {{NULL, NULL, NULL, huge}, ERR_LIMIT, ACME_FINE, -1, "larger"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ca_script_got g = {.calls = 0};
        t.directory = &rows[i].reply;
        ca_script_directory(&t, false, &g);
        ca_script_until(&t, &g.calls, 1);
        assert_int_equal(g.e, rows[i].e);
        assert_int_equal(g.problem.class, rows[i].class);
        assert_true(g.problem.retry_ms == rows[i].retry_ms);
        assert_has(g.info.text, rows[i].says);
    }
    assert_int_equal(t.requests_count, t.directories_asked); /* nothing was followed */
}

static void a_directory_outlives_a_failed_look(void **state)
{
    static const struct ca_script_reply busy = {"503 Busy", "", "", NULL};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.directory = &busy;
    ca_script_directory(&t, true, &g);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_UNAVAIL);
    ca_script_expect(&t, "/order", ERR_OK, &g);
    ca_script_got_free(&g);
}

static void directories_that_are_not_asked(void **state)
{
    static const char *const urls[] = {"http://ca.example/directory",
                                       "http://localhost:1/",
                                       "ftp://127.0.0.1/",
                                       "",
                                       "https://u:p@ca.example/",
                                       "127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct session_options options = {.directory_url = urls[i], .clock = &t.clock};
        struct session *s = NULL;
        struct err_info info = {.text = ""};
        assert_int_equal(session_open(&t.loop, &options, &s, &info), ERR_MALFORMED);
        assert_null(s);
        assert_has(info.text, "URL");
    }
    struct session_options options = {.directory_url = "https://ca.example/",
                                      .ca_file = "/nonexistent/ca.pem",
                                      .clock = &t.clock};
    struct session *s = NULL;
    assert_int_equal(session_open(&t.loop, &options, &s, NULL), ERR_NOTFOUND);
    assert_null(s);
}

/* --- cancel and close --------------------------------------------------------------------- */

static const struct http_script_act hang[] = {{.kind = HTTP_SCRIPT_HANG}};
static const struct ca_script_reply hanging = {.acts = hang};

static void until_requests(size_t n)
{
    unsigned there = 0;
    while (t.requests_count < n) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    there = 1;
    ca_script_until(&t, &there, 1);
}

static void cancel_at_each_point(void **state)
{
    struct ca_script_got g = {.calls = 0};
    (void)state;
    session_cancel(ca_script_post(&t, "/order/1", &g)); /* at once */
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_CANCELED);

    struct session_call *call = ca_script_get(&t, "https://evil.example/", &g);
    session_cancel(call); /* over already, but not told */
    session_cancel(call);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_CANCELED);

    t.nonce = &hanging;
    size_t before = t.requests_count;
    call = ca_script_post(&t, "/order/1", &g);
    until_requests(before + 1);
    session_cancel(call); /* waits for a nonce */
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_CANCELED);

    t.nonce = NULL;
    t.replies = &hanging;
    t.replies_count = 1;
    before = t.requests_count;
    call = ca_script_post(&t, "/order/1", &g);
    until_requests(before + 2);
    session_cancel(call); /* waits for the reply */
    session_cancel(call);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_CANCELED);
    assert_int_equal(g.calls, 1);

    t.replies_count = 0;
    ca_script_expect(&t, "/order/1", ERR_OK, &g); /* and the session goes on */
    ca_script_got_free(&g);
}

static void close_at_each_point(void **state)
{
    for (unsigned point = 0; point < 4; point++) {
        struct ca_script_got g[4];
        unsigned closed = 0;
        memset(g, 0, sizeof g);
        ca_script_init(&t, true);
        t.nonce = point == 1 ? &hanging : NULL;
        t.replies = &hanging;
        t.replies_count = 1;
        ca_script_post(&t, "/order/1", &g[0]);
        if (point > 0) {
            until_requests(point == 1 ? 2 : 3);
        }
        t.directory = &hanging;
        ca_script_directory(&t, true, &g[1]);
        if (point == 3) {
            until_requests(4);
        }
        ca_script_directory(&t, false, &g[2]); /* from memory: over, not told */
        ca_script_get(&t, "https://evil.example/", &g[3]);
        session_close(t.session, NULL, NULL);
        session_close(t.session, NULL, &closed);
        t.session = NULL;
        for (size_t i = 0; i < COUNT(g); i++) {
            ca_script_until(&t, &g[i].calls, 1);
            assert_int_equal(g[i].e, ERR_CANCELED);
        }
        assert_int_equal(ca_script_end(&t), 0);
        for (size_t i = 0; i < COUNT(g); i++) {
            assert_int_equal(g[i].calls, 1);
        }
    }
    (void)state;
    ca_script_init(&t, false); /* for the teardown */
}

static void on_closed(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static struct ca_script_got late[3];

/* From inside a callback: close, and start more. */
static void close_in_it(struct ca_script_got *g)
{
    struct session_post post = {.key = t.key, .url = ca_script_url(&t, "/order/1")};
    (void)g;
    session_close(t.session, on_closed, &t.closed);
    session_post(t.session, &post, ca_script_on_reply, &late[0]);
    ca_script_get(&t, ca_script_url(&t, "/ari"), &late[1]);
    ca_script_directory(&t, false, &late[2]);
    t.session = NULL;
}

static void a_callback_may_close(void **state)
{
    for (unsigned which = 0; which < 4; which++) {
        struct ca_script_got g = {.then = close_in_it}, other = {.calls = 0};
        memset(late, 0, sizeof late);
        ca_script_init(&t, true);
        switch (which) {
        case 0:
            ca_script_post(&t, "/order/1", &g);
            break;
        case 1:
            ca_script_get(&t, ca_script_url(&t, "/ari"), &g);
            break;
        case 2:
            ca_script_directory(&t, true, &g);
            ca_script_directory(&t, true, &other);
            break;
        default:
            ca_script_get(&t, "https://evil.example/", &g);
            ca_script_get(&t, "https://evil.example/", &other);
            break;
        }
        ca_script_until(&t, &t.closed, 1);
        assert_int_equal(g.calls, 1);
        for (size_t i = 0; i < COUNT(late); i++) {
            assert_int_equal(late[i].calls, 1);
            assert_int_equal(late[i].e, ERR_CANCELED);
        }
        assert_int_equal(other.calls, which < 2 ? 0 : 1);
        assert_int_equal(other.e, which < 2 ? ERR_OK : ERR_CANCELED);
        ca_script_got_free(&g);
        assert_int_equal(ca_script_end(&t), 0);
    }
    (void)state;
    ca_script_init(&t, false);
}

/* One that is told before another cancels it. */
static struct session_call *victim;

static void cancel_in_it(struct ca_script_got *g)
{
    (void)g;
    session_cancel(victim);
}

static void a_callback_may_cancel_another(void **state)
{
    struct ca_script_got first = {.then = cancel_in_it}, second = {.calls = 0};
    (void)state;
    ca_script_get(&t, "https://evil.example/", &first);
    victim = ca_script_get(&t, "https://evil.example/", &second);
    ca_script_until(&t, &second.calls, 1);
    assert_int_equal(first.e, ERR_DENIED);
    assert_int_equal(second.e, ERR_CANCELED);
}

int main(void)
{
#define BARE(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)
#define ON(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        BARE(a_directory_is_kept),
        BARE(those_who_wait_share_a_look),
        BARE(directories_that_cannot_be_had),
        ON(a_directory_outlives_a_failed_look),
        BARE(directories_that_are_not_asked),
        ON(cancel_at_each_point),
        cmocka_unit_test_teardown(close_at_each_point, teardown),
        cmocka_unit_test_teardown(a_callback_may_close, teardown),
        ON(a_callback_may_cancel_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A session against a scripted CA: the directory, nonces and their retries, the origin rule, cancel and
 * close at each point. What is read out of replies is in test_session_reply.c. */
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
#define PROBLEM  "Content-Type: application/problem+json\r\n"

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

/* --- nonces ------------------------------------------------------------------------------- */

static void a_post_is_signed(void **state)
{
    struct ca_script_got g = {.calls = 0};
    struct session_post post = {.key = t.key,
                                .url = ca_script_url(&t, "/account"),
                                .payload = "{\"termsOfServiceAgreed\":true}",
                                .accept = "application/pem-certificate-chain"};
    (void)state;
    session_post(t.session, &post, ca_script_on_reply, &g);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_OK);
    ca_script_got_free(&g);
    const struct ca_script_request *r = last_request();
    assert_string_equal(r->line, "POST /account");
    assert_has(r->header, "Content-Type: application/jose+json\r\n");
    assert_has(r->header, "Accept: application/pem-certificate-chain\r\n");
    assert_has(r->header, "Accept-Language: en\r\n");
    assert_string_equal(r->payload, post.payload);
    assert_string_equal(r->nonce, "nonce-0"); /* newNonce's */
    assert_string_equal(json_string_value(json_object_get(r->protected, "url")), post.url);
    assert_non_null(json_object_get(r->protected, "jwk"));
    assert_null(json_object_get(r->protected, "kid"));

    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
    r = last_request();
    assert_string_equal(r->payload, "");      /* POST-as-GET (§6.3) */
    assert_string_equal(r->nonce, "nonce-1"); /* of the reply before */
    assert_null(json_object_get(r->protected, "jwk"));
    assert_string_equal(json_string_value(json_object_get(r->protected, "kid")),
                        ca_script_url(&t, "/account/1"));
    assert_null(strstr(r->header, "Accept: application/pem"));
    assert_int_equal(t.nonces_asked, 1);
}

static void an_old_nonce_is_not_used(void **state)
{
    struct ca_script_got g = {.calls = 0};
    (void)state;
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
    t.mono_ms += SESSION_NONCE_MS - 1;
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
    assert_int_equal(t.nonces_asked, 1);
    t.mono_ms += SESSION_NONCE_MS;
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
    assert_int_equal(t.nonces_asked, 2);
    assert_string_equal(last_request()->nonce, "nonce-3");
}

#define BAD_NONCE(header)                                                                          \
    {                                                                                              \
        "400 Bad", PROBLEM header, "{\"type\":\"" URN "badNonce\",\"detail\":\"no\"}", NULL        \
    }

/* §6.5: the nonce of the error is good for the next try. */
static void a_bad_nonce_is_replaced_by_the_errors(void **state)
{
    static const struct ca_script_reply replies[] = {
        BAD_NONCE("Replay-Nonce: of-the-error\r\n"), BAD_NONCE("Replay-Nonce: %N\r\n"), {NULL}};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.replies = replies;
    t.replies_count = COUNT(replies);
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    assert_int_equal(g.reply.status, 200);
    assert_int_equal(g.reply.bad_nonces, 2);
    assert_int_equal(g.reply.problem.class, ACME_FINE);
    ca_script_got_free(&g);
    assert_int_equal(t.asked, 3);
    assert_int_equal(t.nonces_asked, 1);
    assert_string_equal(t.requests[3].nonce, "of-the-error");
    assert_string_equal(t.requests[4].nonce, "nonce-1");
}

static void a_bad_nonce_without_another(void **state)
{
    static const struct ca_script_reply replies[] = {BAD_NONCE(""),
                                                     BAD_NONCE("Replay-Nonce: not/base64url\r\n"),
                                                     BAD_NONCE("Replay-Nonce: \r\n"),
                                                     {NULL}};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.replies = replies;
    t.replies_count = COUNT(replies);
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    assert_int_equal(g.reply.bad_nonces, 3);
    ca_script_got_free(&g);
    assert_int_equal(t.nonces_asked, 4);
    assert_string_equal(last_request()->nonce, "nonce-3");
}

static void a_storm_of_bad_nonces_ends(void **state)
{
    static const struct ca_script_reply replies[] = {BAD_NONCE("Replay-Nonce: %N\r\n")};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.replies = replies;
    t.replies_count = COUNT(replies);
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    assert_int_equal(t.asked, SESSION_NONCE_TRIES + 1);
    assert_int_equal(g.reply.bad_nonces, SESSION_NONCE_TRIES + 1);
    assert_int_equal(g.reply.problem.class, ACME_AGAIN);
    assert_string_equal(g.reply.problem.type, "badNonce");
    ca_script_got_free(&g);
    assert_int_equal(t.nonces_asked, 1);
}

static void nonces_that_cannot_be_had(void **state)
{
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};
    static const struct ca_script_reply busy = {"503 Busy", "Retry-After: 9\r\n", NULL, NULL};
    static const struct ca_script_reply none = {NULL, "", NULL, NULL};
    static const struct ca_script_reply gone = {NULL, NULL, NULL, cut};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.nonce = &busy;
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    assert_int_equal(g.reply.problem.class, ACME_AGAIN);
    assert_true(g.reply.problem.retry_ms == 9000);
    ca_script_got_free(&g);
    t.nonce = &none;
    ca_script_expect(&t, "/order/1", ERR_MALFORMED, &g);
    assert_has(g.info.text, "no nonce");
    t.nonce = &gone;
    ca_script_expect(&t, "/order/1", ERR_UNAVAIL, &g);
    assert_int_equal(t.asked, 0);
    t.nonce = NULL;
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
}

static void no_nonce_is_used_twice(void **state)
{
    struct ca_script_got g[20];
    (void)state;
    memset(g, 0, sizeof g);
    ca_script_expect(&t, "/order/1", ERR_OK, &g[0]); /* now one is kept */
    ca_script_got_free(&g[0]);
    for (size_t i = 0; i < COUNT(g); i++) {
        ca_script_post(&t, "/order/1", &g[i]);
    }
    for (size_t i = 0; i < COUNT(g); i++) {
        ca_script_until(&t, &g[i].calls, 1);
        assert_int_equal(g[i].e, ERR_OK);
        ca_script_got_free(&g[i]);
    }
    for (size_t i = 0; i < t.requests_count; i++) {
        for (size_t j = i + 1; j < t.requests_count; j++) {
            assert_true(t.requests[i].nonce[0] == '\0' ||
                        strcmp(t.requests[i].nonce, t.requests[j].nonce) != 0);
        }
    }
    assert_int_equal(t.asked, COUNT(g) + 1);
    assert_int_equal(t.nonces_asked, COUNT(g)); /* one had the kept one */
}

/* --- what is not sent --------------------------------------------------------------------- */

static void nothing_leaves_the_origin(void **state)
{
    const char *const urls[] = {
        "https://evil.example/order",
        "http://127.0.0.1/order",
        "http://127.0.0.2:1/order",
        "file:///etc/passwd",
        "/order",
        "",
        "http://user@127.0.0.1/",
        "order\r\nX: y",
    };
    char other_port[64], with_user[96];
    (void)state;
    snprintf(other_port, sizeof other_port, "http://127.0.0.1:%u/order", t.server.port % 65535 + 1);
    snprintf(with_user, sizeof with_user, "http://127.0.0.1:%u@evil.example/", t.server.port);
    size_t before = t.requests_count;
    for (size_t i = 0; i < COUNT(urls) + 2; i++) {
        struct ca_script_got g = {.calls = 0};
        struct session_post post = {.key = t.key,
                                    .url = i < COUNT(urls)    ? urls[i]
                                           : i == COUNT(urls) ? other_port
                                                              : with_user};
        session_post(t.session, &post, ca_script_on_reply, &g);
        assert_int_equal(g.calls, 0);
        ca_script_until(&t, &g.calls, 1);
        assert_int_equal(g.e, ERR_DENIED);
        assert_null(strchr(g.info.text, '\n'));
        ca_script_get(&t, post.url, &g);
        ca_script_until(&t, &g.calls, 1);
        assert_int_equal(g.e, ERR_DENIED);
    }
    assert_int_equal(t.requests_count, before);
}

static void requests_that_are_none(void **state)
{
    struct ca_script_got g = {.calls = 0};
    char url[2 * ACME_URL_MAX];
    (void)state;
    ca_script_expect(&t, "/order/1", ERR_BUG, &g); /* there is no directory yet */
    memset(url, 'x', sizeof url);
    memcpy(url, t.origin, strlen(t.origin));
    url[strlen(t.origin)] = '/';
    url[ACME_URL_MAX] = '\0';
    ca_script_get(&t, url, &g);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_LIMIT);
    assert_int_equal(t.requests_count, 0);
}

/* Nothing that lets somebody else do what we did. */
static void no_error_tells_a_nonce(void **state)
{
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};
    static const struct ca_script_reply replies[] = {{.acts = cut}};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.replies = replies;
    t.replies_count = 1;
    ca_script_expect(&t, "/order/1", ERR_UNAVAIL, &g);
    assert_has(g.info.text, "/order/1");
    assert_null(strstr(g.info.text, "nonce-"));
    assert_null(strstr(g.info.text, "protected"));
    assert_int_equal(t.asked, 1); /* and it is not sent twice */
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
        ON(a_post_is_signed),
        ON(an_old_nonce_is_not_used),
        ON(a_bad_nonce_is_replaced_by_the_errors),
        ON(a_bad_nonce_without_another),
        ON(a_storm_of_bad_nonces_ends),
        ON(nonces_that_cannot_be_had),
        ON(no_nonce_is_used_twice),
        ON(nothing_leaves_the_origin),
        BARE(requests_that_are_none),
        ON(no_error_tells_a_nonce),
        ON(cancel_at_each_point),
        cmocka_unit_test_teardown(close_at_each_point, teardown),
        cmocka_unit_test_teardown(a_callback_may_close, teardown),
        ON(a_callback_may_cancel_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

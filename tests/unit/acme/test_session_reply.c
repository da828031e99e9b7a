/* What a session reads out of replies: where things are, when to come again, alternates, problems, the
 * CA's clock. */
#include "acme/session_uv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ca_script.h"
#include "lib/mem.h"
#include "lib/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define URN      "urn:ietf:params:acme:error:"

static struct ca_script t;

static int setup(void **state)
{
    (void)state;
    ca_script_init(&t, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ca_script_end(&t);
}

/* The reply to a POST to /order/1; its body is freed. */
static struct session_reply reply_to(const struct ca_script_reply *reply)
{
    struct ca_script_got g = {.calls = 0};
    t.replies = reply;
    t.replies_count = 1;
    t.replied = 0;
    ca_script_expect(&t, "/order/1?x", ERR_OK, &g);
    ca_script_got_free(&g);
    return g.reply;
}

static void locations(void **state)
{
    static const struct {
        const char *header, *path; /* path NULL: none */
    } rows[] = {
        {"Location: %U/order/7\r\n", "/order/7"},
        {"Location: /order/7\r\n", "/order/7"},
        {"Location: 7\r\n", "/order/7"},
        {"location:  %U/order/7  \r\n", "/order/7"},
        {"Location: %U/order/6\r\nLocation: %U/order/7\r\n", "/order/7"},
        {"", NULL},
        {"Location: \r\n", NULL},
        {"Location: https://evil.example/order/7\r\n", NULL},
        {"Location: //evil.example/order/7\r\n", NULL},
        {"Location: ../7\r\n", NULL},
        {"Location: javascript:7\r\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ca_script_reply r = {"201 Made", rows[i].header, "{}", NULL};
        struct session_reply got = reply_to(&r);
        assert_string_equal(got.location,
                            rows[i].path != NULL ? ca_script_url(&t, rows[i].path) : "");
        assert_int_equal(got.status, 201);
        assert_int_equal(got.problem.class, ACME_FINE);
    }
}

static void a_location_has_a_bound(void **state)
{
    char header[2 * ACME_URL_MAX];
    (void)state;
    for (size_t len = ACME_URL_MAX - 1; len <= ACME_URL_MAX; len++) {
        int path = (int)(len - strlen(t.origin) - 1);
        snprintf(header, sizeof header, "Location: /%0*d\r\n", path, 7);
        struct ca_script_reply r = {NULL, header, "{}", NULL};
        assert_int_equal(strlen(reply_to(&r).location), len < ACME_URL_MAX ? len : 0);
    }
}

/* The clock says 2026-01-01 00:00:00. */
static void when_to_come_again(void **state)
{
    static const struct {
        const char *header;
        int64_t ms;
    } rows[] = {
        {"Retry-After: 3\r\n", 3000},
        {"Retry-After: Thu, 01 Jan 2026 00:00:30 GMT\r\n", 30000},
        {"Retry-After: Wed, 31 Dec 2025 23:59:30 GMT\r\n", 0},
        /* by the CA's clock, which is an hour fast: not in an hour */
        {"Date: Thu, 01 Jan 2026 01:00:00 GMT\r\nRetry-After: Thu, 01 Jan 2026 01:00:30 GMT\r\n",
         29500},
        {"Retry-After: soon\r\n", -1},
        {"", -1},
    };
    static const char *const statuses[] = {"200 OK", "429 Enough", "503 Busy"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t s = 0; s < COUNT(statuses); s++) {
            struct ca_script_reply r = {statuses[s], rows[i].header, "{}", NULL};
            struct session_reply got = reply_to(&r);
            assert_true(got.retry_ms == rows[i].ms);
            assert_true(got.problem.retry_ms == (s > 0 ? rows[i].ms : -1));
        }
    }
}

static void the_clocks_differ(void **state)
{
    struct ca_script_reply r = {NULL, "Date: Thu, 01 Jan 2026 00:10:00 GMT\r\n", "{}", NULL};
    (void)state;
    assert_true(session_skew_ms(t.session) == 0);
    (void)reply_to(&r);
    assert_true(session_skew_ms(t.session) == 600500);
    r.header = "Date: whenever\r\n";
    (void)reply_to(&r);
    assert_true(session_skew_ms(t.session) == 600500);
    t.wall_ms += 1200000;
    r.header = "Date: Thu, 01 Jan 2026 00:10:00 GMT\r\n";
    r.status = "500 Oops";
    (void)reply_to(&r);
    assert_true(session_skew_ms(t.session) == -599500);
}

static void alternates(void **state)
{
    struct ca_script_reply r = {
        NULL,
        "Link: <%U/directory>;rel=\"index\"\r\n"
        "Link: <%U/cert/1/1>;rel=\"alternate\"\r\n"
        "Link: <https://evil.example/cert>;rel=\"alternate\", </cert/1/2>;rel=alternate\r\n"
        "link: <2>; rel=\"up\"\r\nLink: nonsense\r\n",
        "-----BEGIN", NULL};
    (void)state;
    struct session_reply got = reply_to(&r);
    assert_int_equal(got.alternates_count, 2);
    assert_string_equal(got.alternates[0], ca_script_url(&t, "/cert/1/1"));
    assert_string_equal(got.alternates[1], ca_script_url(&t, "/cert/1/2"));
    assert_int_equal(got.len, 10);
}

static void alternates_without_end(void **state)
{
    struct str header = {.text = NULL};
    (void)state;
    for (int i = 0; i < 100; i++) {
        str_appendf(&header, "%s</c/%d>;rel=alternate%s", i % 10 == 0 ? "Link: " : ",", i,
                    i % 10 == 9 ? "\r\n" : "");
    }
    struct ca_script_reply r = {NULL, header.text, "{}", NULL};
    struct session_reply got = reply_to(&r);
    str_free(&header);
    assert_int_equal(got.alternates_count, SESSION_LINKS_MAX);
    assert_string_equal(got.alternates[7], ca_script_url(&t, "/c/7"));
}

static void problems(void **state)
{
    static const struct {
        struct ca_script_reply reply;
        enum acme_class class;
        const char *type, *text, *url;
        int64_t retry_ms;
    } rows[] = {
        {{"429 Enough",
          "Retry-After: Thu, 01 Jan 2026 02:00:00 GMT\r\n"
          "Link: <https://ca.example/docs/rate-limits>;rel=\"help\"\r\n",
          "{\"type\":\"" URN "rateLimited\",\"detail\":\"too many\"}", NULL},
         ACME_LIMITED,
         "rateLimited",
         "too many",
         "https://ca.example/docs/rate-limits",
         7200000},
        {{"429 Enough", "Link: <https://ca.example/docs/rate-limits>;rel=\"help\"\r\n",
          "{\"type\":\"" URN "rateLimited\",\"detail\":\"Your account is temporarily prevented. "
          "Please visit: https://ca.example/sfe/v1/unpause?jwt=a.b.c\"}",
          NULL},
         ACME_PAUSED,
         "rateLimited",
         "Your account is temporarily prevented. Please visit: "
         "https://ca.example/sfe/v1/unpause?jwt=a.b.c",
         "https://ca.example/sfe/v1/unpause?jwt=a.b.c",
         -1},
        {{"429 Enough",
          "Link: "
          "<https://ca.example/docs>;rel=\"up\",<https://ca.example/unpause/1>;rel=\"help\"\r\n",
          "{\"type\":\"" URN "rateLimited\",\"detail\":\"no\"}", NULL},
         ACME_PAUSED,
         "rateLimited",
         "no",
         "https://ca.example/unpause/1",
         -1},
        {{"403 New terms", "Link: <https://ca.example/terms/2>;rel=\"terms-of-service\"\r\n",
          "{\"type\":\"" URN "userActionRequired\",\"detail\":\"agree\"}", NULL},
         ACME_TERMS,
         "userActionRequired",
         "agree",
         "https://ca.example/terms/2",
         -1},
        {{"502 Bad gateway", "Content-Type: text/html\r\n", "<html>\x1b[2J</html>", NULL},
         ACME_AGAIN,
         "",
         "HTTP 502: <html>?[2J</html>",
         "",
         -1},
        {{"400 Bad", "", "{\"type\":\"" URN "malfor", NULL},
         ACME_BUG,
         "",
         "HTTP 400: {\"type\":\"" URN "malfor",
         "",
         -1},
        {{"409 Replaced", "Location: %U/order/5\r\n",
          "{\"type\":\"" URN "alreadyReplaced\",\"detail\":\"by /order/5\"}", NULL},
         ACME_REPLACED,
         "alreadyReplaced",
         "by /order/5",
         "",
         -1},
        {{"302 There", "Location: %U/order/5\r\n", "", NULL},
         ACME_AGAIN,
         "",
         "HTTP 302, a redirect, which is not followed",
         "",
         -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct session_reply got = reply_to(&rows[i].reply);
        assert_int_equal(got.problem.class, rows[i].class);
        assert_string_equal(got.problem.type, rows[i].type);
        assert_string_equal(got.problem.text, rows[i].text);
        assert_string_equal(got.problem.url, rows[i].url);
        assert_true(got.problem.retry_ms == rows[i].retry_ms);
        assert_int_equal(got.alternates_count, 0);
    }
    assert_int_equal(t.asked, COUNT(rows)); /* no redirect was followed */
}

static void replies_that_are_too_large(void **state)
{
    static const struct http_script_act huge[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\n"},
        {.kind = HTTP_SCRIPT_FILL, .n = 10000000},
        {.kind = HTTP_SCRIPT_CLOSE}};
    static const struct ca_script_reply r = {.acts = huge};
    struct ca_script_got g = {.calls = 0};
    char *body = mem_xalloc(SESSION_BODY_MAX + 2);
    (void)state;
    t.replies = &r;
    t.replies_count = 1;
    ca_script_expect(&t, "/order/1", ERR_LIMIT, &g);
    memset(body, 'x', SESSION_BODY_MAX + 1);
    for (size_t len = SESSION_BODY_MAX; len <= SESSION_BODY_MAX + 1; len++) {
        body[len] = '\0';
        struct ca_script_reply exact = {NULL, NULL, body, NULL};
        t.replies = &exact;
        ca_script_expect(&t, "/order/1", len <= SESSION_BODY_MAX ? ERR_OK : ERR_LIMIT, &g);
        ca_script_got_free(&g);
        body[len] = 'x';
    }
    free(body);
}

static void a_limit_of_the_callers(void **state)
{
    static const struct ca_script_reply r = {NULL, NULL, "0123456789", NULL};
    (void)state;
    t.replies = &r;
    t.replies_count = 1;
    for (size_t max = 9; max <= 10; max++) {
        struct ca_script_got g = {.calls = 0};
        struct session_post post = {
            .key = t.key, .url = ca_script_url(&t, "/cert/1"), .body_max = max};
        session_post(t.session, &post, ca_script_on_reply, &g);
        ca_script_until(&t, &g.calls, 1);
        assert_int_equal(g.e, max < 10 ? ERR_LIMIT : ERR_OK);
        ca_script_got_free(&g);
    }
}

/* RFC 9773 §4.1: neither signed nor with a nonce, but what it brings is kept. */
static void a_get(void **state)
{
    static const struct ca_script_reply r = {
        NULL, "Replay-Nonce: of-a-get\r\nRetry-After: 21600\r\n", "{\"x\":1}", NULL};
    struct ca_script_got g = {.calls = 0};
    (void)state;
    t.replies = &r;
    t.replies_count = 1;
    ca_script_get(&t, ca_script_url(&t, "/ari/1"), &g);
    ca_script_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_OK);
    assert_string_equal(g.reply.body, "{\"x\":1}");
    assert_true(g.reply.retry_ms == 21600000);
    ca_script_got_free(&g);
    assert_string_equal(t.requests[t.requests_count - 1].line, "GET /ari/1");
    assert_int_equal(t.nonces_asked, 0);
    ca_script_expect(&t, "/order/1", ERR_OK, &g);
    ca_script_got_free(&g);
    assert_int_equal(t.nonces_asked, 0);
    assert_string_equal(t.requests[t.requests_count - 1].nonce, "of-a-get");
}

int main(void)
{
#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON(locations),
        ON(a_location_has_a_bound),
        ON(when_to_come_again),
        ON(the_clocks_differ),
        ON(alternates),
        ON(alternates_without_end),
        ON(problems),
        ON(replies_that_are_too_large),
        ON(a_limit_of_the_callers),
        ON(a_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who is let in, and the routes for everybody. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- without a key --------------------------------------------------------------------------- */

static void health_and_metrics(void **state)
{
    struct web_got got;
    (void)state;
    suite_ask("GET", "/healthz", "", &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body, "{\"status\":\"ok\"}");
    assert_string_equal(got.type, "application/json");
    web_got_free(&got);
    web_expect(&suite.web, "GET", "/readyz", NULL, 200, "{\"status\":\"ready\"}");
    suite.web.ready = (struct api_ready){.reason = "no rows yet"};
    web_expect(&suite.web, "GET", "/readyz", NULL, 503,
               "{\"status\":\"unready\",\"reason\":\"no rows yet\"}");
    suite_ask("GET", "/metrics", "", &got);
    assert_string_equal(got.body, "# HELP dnsd_up The daemon answers.\n# TYPE dnsd_up gauge\n"
                                  "dnsd_up 1\n");
    assert_string_equal(got.type, "text/plain; version=0.0.4; charset=utf-8");
    web_got_free(&got);
}

static void discovery(void **state)
{
    (void)state;
    suite_add_core("core-a", true, NULL);
    suite_add_core("core-b", false, "https://b.example.net/x");
    assert_err(ERR_OK, sync_user_put(&suite.sync, "alice", "core-a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&suite.sync, "bo_b", "core-b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&suite.sync, "carol", "core-gone", STORE_ONLY_NEW));
    static const struct {
        const char *query;
        unsigned status;
        const char *says;
    } rows[] = {
        {"?username=alice", 200, "{\"core\":{\"url\":\"https://core-a.mc.example.com/\"}}"},
        {"?username=ALICE", 200, "{\"core\":{\"url\":\"https://core-a.mc.example.com/\"}}"},
        {"?x=y&username=%62o_b", 200, "{\"core\":{\"url\":\"https://b.example.net/x/\"}}"},
        {"?username=carol", 404, "\"unknown-core\""},
        {"?username=dave", 404, "\"unknown-user\""},
        {"?username=no%20name", 404, "\"unknown-user\""},
        {"?username=%27%3B--", 404, "\"unknown-user\""},
        {"?username=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 404,
         "\"unknown-user\""},
        {"", 400, "\"invalid-parameters\""},
        {"?username=", 400, "\"invalid-parameters\""},
        {"?username=%zz", 400, "\"invalid-parameters\""},
        {"?email=a@example.org", 400, "by their names"},
        {"?username=alice&email=a@example.org", 400, "by their names"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char target[256];
        snprintf(target, sizeof target, "/reg/cores%s", rows[i].query);
        web_expect_ask(&suite.web, &(struct web_ask){.method = "GET", .target = target, .key = ""},
                       rows[i].status, rows[i].says);
    }
    suite.web.env.domain = NULL; /* nothing says where core-a is */
    web_expect(&suite.web, "GET", "/reg/cores?username=alice", NULL, 404, "\"unknown-core\"");
}

/* ---- the key --------------------------------------------------------------------------------- */

/* Each route, from a client that nobody has seen. */
static void expect_everywhere(const char *key, unsigned status, const char *says)
{
    static unsigned clients;
    for (size_t i = 0; suite_admin_routes[i].method != NULL; i++) {
        char from[32];
        clients++;
        snprintf(from, sizeof from, "198.51.%u.%u", clients / 250, clients % 250);
        const struct web_ask a = {.method = suite_admin_routes[i].method,
                                  .target = suite_admin_routes[i].target,
                                  .body = suite_admin_routes[i].body,
                                  .key = key,
                                  .from = from};
        struct web_got got;
        web_ask(&suite.web, &a, &got);
        if (got.status != status || (status == 401 && strcmp(got.body, says) != 0)) {
            fail_msg("%s %s, key \"%s\": %u %s", a.method, a.target, key, got.status, got.body);
        }
        assert_string_equal(got.www_authenticate, status == 401 ? "Bearer" : "");
        web_got_free(&got);
    }
}

static const char refused[] = "{\"error\":{\"id\":\"unauthorized\",\"message\":"
                              "\"this wants the admin access key in the header Authorization\"}}";

static void who_is_let_in(void **state)
{
    static const char *const right[] = {WEB_KEY, "Bearer " WEB_KEY, "bEARER  " WEB_KEY};
    static const char *const wrong[] = {
        "",
        "x",
        "Bearer",
        "Bearer ",
        "Basic " WEB_KEY,
        WEB_KEY "x",
        "Bearer Bearer " WEB_KEY,
        "the admin key of the test",
        "The admin key of the tests",
    };
    struct web_got got;
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect_everywhere(wrong[i], 401, refused);
    }
    for (size_t i = 0; i < COUNT(right); i++) {
        suite_ask("GET", "/system/admin/cores", right[i], &got);
        assert_int_equal(got.status, 200);
        web_got_free(&got);
    }
    suite.web.env.admin_key = NULL; /* not configured: nobody, not even with nothing */
    expect_everywhere("", 401, refused);
    expect_everywhere("x", 401, refused);
    suite.web.env.admin_key = "";
    expect_everywhere("", 401, refused);
    suite.web.env.admin_key = "Bearer of keys"; /* a key that begins like a scheme */
    suite_ask("GET", "/system/admin/cores", "Bearer of keys", &got);
    assert_int_equal(got.status, 200);
    web_got_free(&got);
}

static unsigned try_key(const char *from, const char *key, char *retry_after)
{
    const struct web_ask a = {
        .method = "GET", .target = "/system/admin/cores", .key = key, .from = from};
    struct web_got got;
    web_ask(&suite.web, &a, &got);
    strcpy(retry_after, got.retry_after);
    if (got.status == 429) {
        assert_non_null(strstr(got.body, "\"too-many-failures\""));
    }
    web_got_free(&got);
    return got.status;
}

static void too_many_wrong_keys(void **state)
{
    char retry[16];
    (void)state;
    for (unsigned i = 0; i < API_FAILURES_MAX; i++) {
        assert_int_equal(try_key("203.0.113.1", "wrong", retry), 401);
    }
    assert_int_equal(try_key("203.0.113.1", "wrong", retry), 429);
    assert_string_equal(retry, "60");
    suite.web.mono_ms += 30500;
    assert_int_equal(try_key("203.0.113.1", NULL, retry), 429); /* nor is the right one looked at */
    assert_string_equal(retry, "30");
    assert_int_equal(try_key("203.0.113.2", NULL, retry), 200);
    for (size_t i = 0; suite_admin_routes[i].method != NULL; i++) {
        const struct web_ask a = {.method = suite_admin_routes[i].method,
                                  .target = suite_admin_routes[i].target,
                                  .body = suite_admin_routes[i].body,
                                  .from = "203.0.113.1"};
        web_expect_ask(&suite.web, &a, 429, "\"too-many-failures\"");
    }
    web_expect_ask(&suite.web,
                   &(struct web_ask){.method = "GET", .target = "/healthz", .from = "203.0.113.1"},
                   200, "ok");
    suite.web.mono_ms += 29500;
    assert_int_equal(try_key("203.0.113.1", NULL, retry), 200);
    for (unsigned i = 0; i < API_FAILURES_MAX; i++) { /* the same /64 */
        assert_int_equal(try_key(i % 2 == 0 ? "2001:db8::1" : "2001:db8::2", "", retry), 401);
    }
    assert_int_equal(try_key("2001:db8::3", NULL, retry), 429);
    assert_int_equal(try_key("2001:db8:0:1::3", NULL, retry), 200);
}

const struct CMUnitTest api_suite_access[] = {
    SUITE_TEST(health_and_metrics),
    SUITE_TEST(discovery),
    SUITE_TEST(who_is_let_in),
    SUITE_TEST(too_many_wrong_keys),
    SUITE_END,
};

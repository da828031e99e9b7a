/* Records: stored, shown, removed, refused, page by page. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/api/body.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void post(const char *body, unsigned status, const char *says)
{
    web_expect(&suite.web, "POST", "/reg/records", body, status, says);
}

static void records_are_stored(void **state)
{
    (void)state;
    post("{\"subdomain\":\"Web\",\"records\":{\"a\":\"192.0.2.1\",\"ttl\":60}}", 200,
         "{\"subdomain\":\"web\",\"records\":{\"a\":[\"192.0.2.1\"],\"ttl\":60},"
         "\"status\":\"ok\"}");
    assert_err(ERR_OK, sync_record_get(&suite.sync, "web"));
    post("{\"subdomain\":\"web.mc.example.com.\",\"records\":{\"cname\":\"host.example.org\"}}",
         200,
         "{\"subdomain\":\"web\",\"records\":{\"cname\":\"host.example.org\"},"
         "\"status\":\"ok\"}");
    post("{\"subdomain\":\"@\",\"records\":{\"mx\":[\"5 mail\"]}}", 200, "\"@\"");
    post("{\"subdomain\":\"_x.a\",\"records\":{\"txt\":[\"\\u00e4\"]}}", 200, "\"_x.a\"");
    web_expect(&suite.web, "GET", "/reg/records/WEB", NULL, 200,
               "{\"subdomain\":\"web\",\"records\":{\"cname\":\"host.example.org\"}}");
    web_expect(&suite.web, "GET", "/reg/records/@", NULL, 200, "mail.mc.example.com");
    web_expect(&suite.web, "GET", "/reg/records/%40", NULL, 200, "mail.mc.example.com");
    web_expect(&suite.web, "GET", "/reg/records/none", NULL, 404, "\"unknown-resource\"");
    web_expect(&suite.web, "GET", "/reg/records/a%20b", NULL, 404, "\"unknown-resource\"");
    web_expect(&suite.web, "GET", "/reg/records/%FF", NULL, 404, "\"unknown-resource\"");
    web_expect(&suite.web, "DELETE", "/reg/records/Web.mc.example.com.", NULL, 200,
               "{\"subdomain\":\"web\",\"status\":\"deleted\"}");
    web_expect(&suite.web, "DELETE", "/reg/records/web", NULL, 404, "\"unknown-resource\"");
    assert_err(ERR_NOTFOUND, sync_record_get(&suite.sync, "web"));
}

/* Under a name that we would not give, and without a domain. */
static void rows_of_others(void **state)
{
    (void)state;
    assert_err(ERR_OK, sync_record(&suite.sync, "WEB", NULL, "{\"a\":[1]}"));
    assert_err(ERR_OK, sync_record(&suite.sync, "a b", NULL, "{}"));
    web_expect(&suite.web, "GET", "/reg/records/WEB", NULL, 200,
               "{\"subdomain\":\"WEB\",\"records\":{\"a\":[1]}}");
    web_expect(&suite.web, "GET", "/reg/records/web", NULL, 404, "\"unknown-resource\"");
    web_expect(&suite.web, "DELETE", "/reg/records/a%20b", NULL, 200,
               "{\"subdomain\":\"a b\",\"status\":\"deleted\"}");
    suite.web.env.apex = NULL;
    web_expect(&suite.web, "DELETE", "/reg/records/WEB", NULL, 200, "\"deleted\"");
    post("{\"subdomain\":\"web\",\"records\":{\"a\":\"192.0.2.1\"}}", 409, "\"no-domain\"");
}

static void records_are_refused(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *says;
    } rows[] = {
        {"{\"subdomain\":\"reg\",\"records\":{\"a\":\"192.0.2.1\"}}", 409, "\"name-reserved\""},
        {"{\"subdomain\":\"www\",\"records\":{\"a\":\"192.0.2.1\"}}", 409, "\"name-reserved\""},
        {"{\"subdomain\":\"@\",\"records\":{\"caa\":\"0 issue \\\"x\\\"\"}}", 409,
         "\"name-reserved\""},
        {"{\"subdomain\":\"core-a\",\"records\":{\"a\":\"192.0.2.1\"}}", 409, "\"name-taken\""},
        {"{\"subdomain\":\"Alice\",\"records\":{\"a\":\"192.0.2.1\"}}", 409, "\"name-taken\""},
        {"{\"subdomain\":\"web\",\"records\":{\"a\":[\"192.0.2.1\",\"x\",3],\"b\":[]}}", 400,
         "(and 2 more)\",\"problems\":[{\"member\":\"records.a[1]\""},
        {"{\"subdomain\":\"web\",\"records\":{\"cname\":\"a\",\"a\":\"192.0.2.1\"}}", 400,
         "stands alone"},
        {"{\"subdomain\":\"web\"}", 400, "\"member\":\"records\""},
        {"{\"records\":{\"a\":\"192.0.2.1\"}}", 400, "\"member\":\"subdomain\""},
        {"", 400, "\"member\":\"subdomain\""},
        {"{", 400, "\"member\":\"\""},
    };
    char *large = suite_blanks(BODY_MAX + 1);
    (void)state;
    suite_add_core("core-a", true, NULL);
    assert_err(ERR_OK, sync_user_put(&suite.sync, "alice", "core-a", STORE_ONLY_NEW));
    for (size_t i = 0; i < COUNT(rows); i++) {
        post(rows[i].body, rows[i].status, rows[i].says);
    }
    post(large, 413, "\"error\"");
    web_expect_ask(
        &suite.web,
        &(struct web_ask){.method = "POST", .target = "/reg/records", .body = "{}", .type = "a/b"},
        415, "\"error\"");
    assert_err(ERR_OK, sync_scan(&suite.sync, "dns-record/", 100));
    assert_string_equal(suite.sync.out.text, "");
    free(large);
}

static void pages_of_records(void **state)
{
    static const char *const bad[] = {"?limit=0",   "?limit=1001", "?limit=x", "?limit=-1",
                                      "?after=%FF", "?after=%zz",  "?limit=",  "?limit=000001000"};
    (void)state;
    web_expect(&suite.web, "GET", "/reg/records", NULL, 200, "{\"records\":[]}");
    assert_err(ERR_OK, sync_record(&suite.sync, "a", NULL, "{\"a\":[]}"));
    assert_err(ERR_OK, sync_record(&suite.sync, "b c", NULL, "{}"));
    assert_err(ERR_OK, sync_record(&suite.sync, "d", NULL, "{}"));
    web_expect(&suite.web, "GET", "/reg/records", NULL, 200,
               "{\"records\":[{\"subdomain\":\"a\",\"records\":{\"a\":[]}},"
               "{\"subdomain\":\"b c\",\"records\":{}},{\"subdomain\":\"d\",\"records\":{}}]}");
    web_expect(&suite.web, "GET", "/reg/records?limit=2", NULL, 200,
               "{\"records\":[{\"subdomain\":\"a\",\"records\":{\"a\":[]}},"
               "{\"subdomain\":\"b c\",\"records\":{}}],\"next\":\"b c\"}");
    web_expect(&suite.web, "GET", "/reg/records?limit=2&after=b%20c", NULL, 200,
               "{\"records\":[{\"subdomain\":\"d\",\"records\":{}}]}");
    web_expect(&suite.web, "GET", "/reg/records?after=d", NULL, 200, "{\"records\":[]}");
    for (size_t i = 0; i < COUNT(bad); i++) {
        char target[64];
        snprintf(target, sizeof target, "/reg/records%s", bad[i]);
        web_expect(&suite.web, "GET", target, NULL, 400, "\"invalid-parameters\"");
    }
}

const struct CMUnitTest api_suite_records[] = {
    SUITE_TEST(records_are_stored),
    SUITE_TEST(rows_of_others),
    SUITE_TEST(records_are_refused),
    SUITE_TEST(pages_of_records),
    SUITE_END,
};

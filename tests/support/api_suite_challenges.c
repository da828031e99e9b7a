/* The challenge port. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void challenge(const char *token, unsigned status, const char *says)
{
    char target[400];
    struct web_got got;
    snprintf(target, sizeof target, "/.well-known/acme-challenge/%s", token);
    web_ask(&suite.web,
            &(struct web_ask){.method = "GET", .target = target, .site = WEB_CHALLENGES}, &got);
    assert_int_equal(got.status, status);
    if (status == 200) {
        assert_string_equal(got.type, "text/plain");
        assert_string_equal(got.body, says);
    } else {
        assert_non_null(strstr(got.body, says));
    }
    web_got_free(&got);
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    (void)info;
    assert_int_equal(e, ERR_OK);
    ++*(unsigned *)ctx;
}

static void put_http01(const char *token, const char *value, int64_t left_ms)
{
    unsigned done = 0;
    const struct store_http01 h = {
        .token = token, .value = value, .order = "o", .expires_ms = suite.web.wall_ms + left_ms};
    store_http01_put(suite.sync.store, NULL, &h, on_done, &done);
    web_until(&suite.web, &done, 1);
}

static void challenges(void **state)
{
    char longest[130];
    (void)state;
    memset(longest, 'a', sizeof longest);
    challenge("tok-1_X", 404, "\"unknown-token\"");
    put_http01("tok-1_X", "tok-1_X.thumb", 1000);
    challenge("tok-1_X", 200, "tok-1_X.thumb");
    challenge("tok-2", 404, "\"unknown-token\"");
    challenge("*", 404, "\"unknown-token\"");
    challenge("a.b", 404, "\"unknown-token\"");
    challenge("a%20b", 404, "\"unknown-token\"");
    put_http01("*", "thumbprint", 1000);
    challenge("tok-2", 200, "tok-2.thumbprint");
    challenge("tok-1_X", 200, "tok-1_X.thumb");
    challenge("*", 404, "\"unknown-token\"");
    longest[128] = '\0';
    char expected[160];
    snprintf(expected, sizeof expected, "%s.thumbprint", longest);
    challenge(longest, 200, expected);
    longest[128] = 'a';
    longest[129] = '\0';
    challenge(longest, 404, "\"unknown-token\"");
    suite.web.wall_ms += 1000;
    challenge("tok-1_X", 404, "\"unknown-token\"");
    challenge("tok-2", 404, "\"unknown-token\"");
}

static void redirect(const char *method, const char *host, const char *target, unsigned status,
                     const char *location)
{
    const struct web_ask a = {
        .method = method, .target = target, .host = host, .key = "", .site = WEB_CHALLENGES};
    struct web_got got;
    web_ask(&suite.web, &a, &got);
    if (got.status != status || strcmp(got.location, location) != 0) {
        fail_msg("%s %s%s: %u %s", method, host, target, got.status, got.location);
    }
    web_got_free(&got);
}

static void redirects(void **state)
{
    (void)state;
    suite.web.env.core_ip = "192.0.2.1";
    suite.web.env.core_ipv6 = "2001:db8::1";
    suite.web.env.core_url = "https://a.example.net:8443/";
    suite.web.env.public_url = "https://me.example.org/x";
    redirect("GET", "Al.mc.example.com:80", "/a/b?c=%20d", 301,
             "https://al.mc.example.com/a/b?c=%20d");
    redirect("POST", "mc.example.com", "/", 308, "https://mc.example.com/");
    redirect("DELETE", "[2001:db8::1]", "/x", 308, "https://[2001:db8::1]/x");
    redirect("GET", "192.0.2.1", "/", 301, "https://192.0.2.1/");
    redirect("GET", "a.example.net", "/", 301, "https://a.example.net/");
    redirect("GET", "me.example.org", "/", 301, "https://me.example.org/");
    redirect("GET", "mc.example.com", "/.well-known/acme-challenge/", 301,
             "https://mc.example.com/.well-known/acme-challenge/");
    redirect("GET", "evil.example", "/", 421, "");
    redirect("GET", "mc.example.com.evil.example", "/", 421, "");
    suite.web.env.https_port = 8443;
    redirect("GET", "mc.example.com:80", "/", 301, "https://mc.example.com:8443/");
    suite.web.env.https_port = 0;
    redirect("GET", "mc.example.com", "/", 404, "");
}

const struct CMUnitTest api_suite_challenges[] = {
    SUITE_TEST(challenges),
    SUITE_TEST(redirects),
    SUITE_END,
};

/* One exchange with a scripted CA: signatures, nonces and their retries, the origin rule. */
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
    static const struct ca_script_reply replies[] = {BAD_NONCE("Replay-Nonce: of-the-error\r\n"),
                                                     BAD_NONCE("Replay-Nonce: %N\r\n"),
                                                     {.status = NULL}};
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
                                                     {.status = NULL}};
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

int main(void)
{
#define BARE(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)
#define ON(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

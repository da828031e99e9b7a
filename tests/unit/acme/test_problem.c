/* Problem documents: classes, texts made safe, pauses, bodies that are none. */
#include "acme/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define URN      "urn:ietf:params:acme:error:"

static struct acme_problem read_of(unsigned status, const char *body)
{
    struct acme_problem p;
    acme_problem_read(status, body, strlen(body), &p);
    assert_int_equal(p.status, status);
    assert_true(p.retry_ms == -1);
    return p;
}

static void classes(void **state)
{
    static const struct {
        const char *type;
        unsigned status;
        enum acme_class class;
    } rows[] = {
        {"badNonce", 400, ACME_AGAIN},
        {"serverInternal", 500, ACME_AGAIN},
        {"orderNotReady", 403, ACME_AGAIN},
        {"rateLimited", 429, ACME_LIMITED},
        {"rateLimited", 0, ACME_LIMITED},
        {"accountDoesNotExist", 400, ACME_ACCOUNT},
        {"unauthorized", 401, ACME_IDENTIFIER},
        {"unauthorized", 403, ACME_IDENTIFIER},
        {"conflict", 409, ACME_REPLACED},
        {"conflict", 400, ACME_BUG},
        {"alreadyReplaced", 409, ACME_REPLACED},
        {"alreadyReplaced", 400, ACME_REPLACED},
        {"malformed", 409, ACME_BUG},
        {"userActionRequired", 403, ACME_TERMS},
        {"agreementRequired", 403, ACME_TERMS},
        {"invalidProfile", 400, ACME_PROFILE},
        {"externalAccountRequired", 403, ACME_DENIED},
        {"invalidContact", 400, ACME_DENIED},
        {"unsupportedContact", 400, ACME_DENIED},
        {"badCSR", 400, ACME_IDENTIFIER},
        {"rejectedIdentifier", 400, ACME_IDENTIFIER},
        {"unsupportedIdentifier", 400, ACME_IDENTIFIER},
        {"caa", 403, ACME_IDENTIFIER},
        {"dns", 400, ACME_IDENTIFIER},
        {"connection", 400, ACME_IDENTIFIER},
        {"tls", 400, ACME_IDENTIFIER},
        {"incorrectResponse", 403, ACME_IDENTIFIER},
        {"dns", 503, ACME_IDENTIFIER},
        {"malformed", 400, ACME_BUG},
        {"malformed", 404, ACME_BUG},
        {"malformed", 503, ACME_AGAIN},
        {"badSignatureAlgorithm", 400, ACME_BUG},
        {"badPublicKey", 400, ACME_BUG},
        {"", 503, ACME_AGAIN},
        {"", 500, ACME_AGAIN},
        {"", 408, ACME_AGAIN},
        {"", 302, ACME_AGAIN},
        {"", 0, ACME_AGAIN},
        {"", 429, ACME_LIMITED},
        {"", 403, ACME_DENIED},
        {"", 404, ACME_DENIED},
        {"", 400, ACME_BUG},
        {"Malformed", 503, ACME_AGAIN},
        {"badNonc", 400, ACME_BUG},
        {"somethingNew", 429, ACME_LIMITED},
        {"somethingNew", 403, ACME_DENIED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum acme_class class = acme_problem_class(rows[i].type, rows[i].status);
        if (class != rows[i].class) {
            fail_msg("%s %u: %d", rows[i].type, rows[i].status, class);
        }
    }
}

static void documents(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        enum acme_class class;
        const char *type, *text, *url;
    } rows[] = {
        {400, "{\"type\":\"" URN "badNonce\",\"detail\":\"JWS has an invalid anti-replay nonce\"}",
         ACME_AGAIN, "badNonce", "JWS has an invalid anti-replay nonce", ""},
        {403, "{\"type\":\"urn:acme:error:unauthorized\",\"title\":\"No\"}", ACME_IDENTIFIER,
         "unauthorized", "No", ""},
        {400, "{\"type\":\"" URN "badCSR\"}", ACME_IDENTIFIER, "badCSR", "badCSR", ""},
        {500, "{\"type\":\"about:blank\",\"detail\":\"d\"}", ACME_AGAIN, "", "d", ""},
        {400, "{\"type\":\"https://example.com/probs/out-of-credit\",\"detail\":\"d\"}", ACME_BUG,
         "https://example.com/probs/out-of-credit", "d", ""},
        {403,
         "{\"type\":\"" URN "userActionRequired\",\"detail\":\"New terms\","
         "\"instance\":\"https://example.com/acme/agreement/?token=W8Ih3PswD-8\"}",
         ACME_TERMS, "userActionRequired", "New terms",
         "https://example.com/acme/agreement/?token=W8Ih3PswD-8"},
        {403, "{\"type\":\"x\",\"detail\":\"d\",\"instance\":\"http://example.com/\"}", ACME_DENIED,
         "x", "d", ""},
        {403, "{\"type\":\"x\",\"detail\":\"d\",\"instance\":\"https://a@example.com/\"}",
         ACME_DENIED, "x", "d", ""},
        /* what should be text and is not */
        {400, "{\"type\":7,\"detail\":[\"x\"],\"title\":\"t\",\"subproblems\":{},\"status\":\"x\"}",
         ACME_BUG, "", "t", ""},
        /* bodies that are none */
        {503, "", ACME_AGAIN, "", "HTTP 503", ""},
        {503, "{}", ACME_AGAIN, "", "HTTP 503: {}", ""},
        {502, "<html>\r\n <h1>Bad   gateway</h1>\n\n</html>\n", ACME_AGAIN, "",
         "HTTP 502: <html> <h1>Bad gateway</h1> </html>", ""},
        {429, "slow down", ACME_LIMITED, "", "HTTP 429: slow down", ""},
        {400, "{\"type\":\"" URN "badNonce\",\"detail\":\"JWS ha", ACME_BUG, "",
         "HTTP 400: {\"type\":\"" URN "badNonce\",\"detail\":\"JWS ha", ""},
        {500, "[1]", ACME_AGAIN, "", "HTTP 500: [1]", ""},
        {500, "\"\\n\"", ACME_AGAIN, "", "HTTP 500: \"\\n\"", ""},
        {301, "", ACME_AGAIN, "", "HTTP 301, a redirect, which is not followed", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_problem p = read_of(rows[i].status, rows[i].body);
        assert_string_equal(p.type, rows[i].type);
        assert_string_equal(p.text, rows[i].text);
        assert_string_equal(p.url, rows[i].url);
        assert_int_equal(p.class, rows[i].class);
    }
}

static void subproblems_are_told(void **state)
{
    struct acme_problem p;
    (void)state;
    p = read_of(400, "{\"type\":\"" URN "malformed\",\"detail\":\"Some of the identifiers\","
                     "\"subproblems\":[{\"type\":\"" URN "malformed\",\"detail\":\"Invalid "
                     "underscore\",\"identifier\":{\"type\":\"dns\",\"value\":\"_example.org\"}},"
                     "{\"type\":\"" URN "rejectedIdentifier\"},{\"detail\":\"a\"},7]}");
    assert_string_equal(p.text, "Some of the identifiers; _example.org: Invalid underscore; "
                                "rejectedIdentifier; a; ");
    assert_int_equal(p.class, ACME_BUG);
    p = read_of(403,
                "{\"type\":\"" URN "compound\",\"subproblems\":["
                "{\"type\":\"" URN "caa\",\"detail\":\"1\"},{\"detail\":\"2\"},"
                "{\"detail\":\"3\"},{\"detail\":\"4\"},{\"detail\":\"5\"},{\"detail\":\"6\"}]}");
    assert_string_equal(p.text, "1; 2; 3; 4; and 2 more");
    assert_int_equal(p.class, ACME_IDENTIFIER);
}

static void a_pause_is_no_ordinary_limit(void **state)
{
    static const struct {
        const char *detail;
        enum acme_class class;
        const char *url;
    } rows[] = {
        {"Your account is temporarily prevented from requesting certificates for a.example.com "
         "and possibly others. Please visit: https://portal.example.org/sfe/v1/unpause?jwt=ey.J-_x",
         ACME_PAUSED, "https://portal.example.org/sfe/v1/unpause?jwt=ey.J-_x"},
        {"paused: see https://a.example/docs, then (https://b.example/unpause).", ACME_PAUSED,
         "https://b.example/unpause"},
        {"Account is paused. See https://a.example/help.", ACME_PAUSED, "https://a.example/help"},
        {"The account is Paused", ACME_PAUSED, ""},
        {"unpause it first", ACME_PAUSED, ""},
        {"too many certificates already issued for paused.example.com: see "
         "https://example.org/docs/rate-limits/",
         ACME_LIMITED, ""},
        {"too many for a.paused, *.paused.org, x-paused.org, see https://unpause.example/limits",
         ACME_LIMITED, ""},
        {"see http://portal.example/unpause-it", ACME_LIMITED, ""},
        {"unpaused", ACME_LIMITED, ""},
        {"", ACME_LIMITED, ""},
    };
    char body[700];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(body, sizeof body, "{\"type\":\"" URN "rateLimited\",\"detail\":\"%s\"}",
                 rows[i].detail);
        struct acme_problem p = read_of(429, body);
        if (p.class != rows[i].class) {
            fail_msg("row %zu: class %d", i, p.class);
        }
        assert_string_equal(p.url, rows[i].url);
        snprintf(body, sizeof body, "{\"type\":\"" URN "dns\",\"detail\":\"%s\"}", rows[i].detail);
        assert_int_equal(read_of(400, body).class, ACME_IDENTIFIER);
    }
}

/* Its token is longer than what is kept of the text; what does not fit at all is left out whole. */
static void a_long_url_ends_a_pause(void **state)
{
    char body[3000], url[2000];
    (void)state;
    for (size_t len = ACME_HELP_URL_MAX - 2; len < ACME_HELP_URL_MAX + 2; len++) {
        memset(url, 'x', len);
        memcpy(url, "https://ca.example/unpause?jwt=", 31);
        url[len] = '\0';
        snprintf(body, sizeof body,
                 "{\"type\":\"" URN "rateLimited\",\"detail\":\"paused. Visit %s\"}", url);
        struct acme_problem p = read_of(429, body);
        assert_int_equal(p.class, ACME_PAUSED);
        assert_string_equal(p.url, len < ACME_HELP_URL_MAX ? url : "");
        assert_int_equal(strlen(p.text), ACME_TEXT_MAX - 1);
    }
}

static void links(void **state)
{
    struct acme_problem p = read_of(429, "");
    (void)state;
    acme_problem_link(&p, "http://ca.example/help");
    acme_problem_link(&p, "/help");
    assert_string_equal(p.url, "");
    acme_problem_link(&p, "https://ca.example/help");
    acme_problem_link(&p, "https://ca.example/other");
    assert_string_equal(p.url, "https://ca.example/help");
    assert_int_equal(p.class, ACME_LIMITED);
    acme_problem_link(&p, "https://unpause.example/other");
    assert_int_equal(p.class, ACME_LIMITED);
    acme_problem_link(&p, "https://ca.example/sfe/unpause");
    assert_string_equal(p.url, "https://ca.example/sfe/unpause");
    assert_int_equal(p.class, ACME_PAUSED);
    p = read_of(503, "");
    acme_problem_link(&p, "https://ca.example/sfe/unpause");
    assert_int_equal(p.class, ACME_AGAIN);
}

static void texts_are_made_safe(void **state)
{
    static const struct {
        const char *text, *out;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa9", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa9"},
        {"\xc3", "?"},
        {"\xff\xfe\xc0\x80", "????"},
        {"\xed\xa0\x80", "???"}, /* a surrogate */
        {"\xc2\x85", "?"},       /* next line, a C1 control */
        {"a\xe2\x80\xae"
         "b",
         "a?b"}, /* from here on right to left */
        {"a\xe2\x80\xa8"
         "b",
         "a?b"}, /* line separator */
        {"\xef\xbb\xbfx\xe2\x80\x8by", "?x?y"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        acme_text_clean(rows[i].text, out, sizeof out);
        assert_string_equal(out, rows[i].out);
    }
    for (size_t room = 1; room < 8; room++) { /* cut between characters */
        static const char *const cut[] = {"",
                                          "a",
                                          "a",
                                          "a",
                                          "a\xe2\x82\xac",
                                          "a\xe2\x82\xac"
                                          "b",
                                          "a\xe2\x82\xac"
                                          "b"};
        memset(out, 'z', sizeof out);
        acme_text_clean("a\xe2\x82\xac"
                        "b",
                        out, room);
        assert_string_equal(out, cut[room - 1]);
        assert_int_equal(out[room], 'z');
    }
}

static void hostile_lengths(void **state)
{
    static char body[70000];
    struct acme_problem p;
    (void)state;
    size_t n = (size_t)snprintf(body, sizeof body, "{\"type\":\"" URN);
    memset(body + n, 't', 30000);
    n += 30000;
    n += (size_t)snprintf(body + n, sizeof body - n, "\",\"detail\":\"");
    memset(body + n, 'd', 30000);
    n += 30000;
    n += (size_t)snprintf(body + n, sizeof body - n, "\"}");
    acme_problem_read(400, body, n, &p);
    assert_int_equal(strlen(p.type), ACME_TYPE_MAX - 1);
    assert_int_equal(strlen(p.text), ACME_TEXT_MAX - 1);
    acme_problem_read(500, "a\0b\0\0c", 6, &p);
    assert_string_equal(p.text, "HTTP 500: a b c");
    memset(body, '[', sizeof body);
    acme_problem_read(500, body, sizeof body, &p);
    assert_int_equal(p.class, ACME_AGAIN);
    assert_true(strlen(p.text) < 220);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(documents),
        cmocka_unit_test(subproblems_are_told),
        cmocka_unit_test(a_pause_is_no_ordinary_limit),
        cmocka_unit_test(a_long_url_ends_a_pause),
        cmocka_unit_test(links),
        cmocka_unit_test(texts_are_made_safe),
        cmocka_unit_test(hostile_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

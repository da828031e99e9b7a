/* lib/httpc_call_curl: what one request sends, what is kept of a reply, and how every kind of bad
 * peer ends: with the right code, in time, within the limits. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "httpc_fixture.h"
#include "lib/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK       "HTTP/1.1 200 OK\r\n"

static struct httpc_fixture t;

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

/* Sends R to a server that echoes, and checks that TEXTS (to a NULL) are in what arrived, NOT
 * (or NULL) is not. */
static void expect_sent(const struct httpc_request *r, const char *const *texts, const char * not )
{
    struct httpc_got g;
    httpc_fixture_expect(&t, r, ERR_OK, &g);
    for (; *texts != NULL; texts++) {
        if (strstr(g.body, *texts) == NULL) {
            fail_msg("no \"%s\" in:\n%s", *texts, g.body);
        }
    }
    if (not != NULL && strcasestr(g.body, not ) != NULL) {
        fail_msg("\"%s\" in:\n%s", not, g.body);
    }
    httpc_got_free(&g);
}
#define SENT(...) ((const char *const[]){__VA_ARGS__, NULL})

/* --- what is sent ------------------------------------------------------------------------ */

static void a_get(void **state)
{
    struct httpc_got g;
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, &g);
    assert_int_equal(g.status, 200);
    assert_int_equal(g.len, strlen(g.body));
    assert_ptr_equal(strstr(g.body, "GET /some/path?q=1 HTTP/1.1\r\n"), g.body);
    assert_non_null(strstr(g.body, "\r\nUser-Agent: dnsd\r\n"));
    assert_null(strstr(g.body, "Content-"));
    assert_null(strstr(g.body, "Authorization"));
    assert_null(strstr(g.body, "Cookie"));
    assert_string_equal(g.info.text, "");
    httpc_got_free(&g);
}

static void methods_and_bodies(void **state)
{
    static const char *const with_length[] = {"POST", "PUT", "PATCH"};
    char line[64];
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    for (size_t i = 0; i < COUNT(with_length); i++) {
        r.method = with_length[i];
        r.body_len = 0;
        snprintf(line, sizeof line, "%s /some/path?q=1 HTTP/1.1\r\n", r.method);
        expect_sent(&r, SENT(line, "\r\nContent-Length: 0\r\n"), "Content-Type");
        r.body = "a\0b and so on";
        r.body_len = 3;
        expect_sent(&r, SENT(line, "\r\nContent-Length: 3\r\n", "\r\n\r\na"), "Content-Type");
    }
    r.method = "DELETE";
    expect_sent(&r, SENT("DELETE /", "\r\nContent-Length: 3\r\n"), "Content-Type");
    r.body_len = 0;
    expect_sent(&r, SENT("DELETE /"), "Content-");
    r.method = "OPTIONS";
    expect_sent(&r, SENT("OPTIONS /"), "Content-");
}

/* A proper server takes it at once; libcurl by itself would wait a second for a 100. */
static void a_large_body_is_sent_without_asking(void **state)
{
    struct httpc_got g;
    size_t len = 1500000;
    char *body = mem_xalloc(len);
    (void)state;
    memset(body, 'b', len);
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    r.method = "POST";
    r.body = body;
    r.body_len = len;
    r.body_max = 2 * len;
    httpc_fixture_expect(&t, &r, ERR_OK, &g);
    assert_null(strstr(g.body, "Expect"));
    assert_memory_equal(g.body + g.len - len, body, len);
    httpc_got_free(&g);
    free(body);
}

static void headers_of_the_caller(void **state)
{
    static const struct httpc_header headers[] = {
        {"Content-Type", "application/json"}, {"X-One", "1"}, {"X-None", ""}, {"Accept", "text/x"}};
    (void)state;
    struct httpc_options options = {.user_agent = "somebody/1"};
    httpc_fixture_client(&t, &options);
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    r.method = "POST";
    r.headers = headers;
    r.headers_count = COUNT(headers);
    expect_sent(&r,
                SENT("\r\nContent-Type: application/json\r\n", "\r\nX-One: 1\r\n",
                     "\r\nX-None:", "\r\nAccept: text/x\r\n", "\r\nUser-Agent: somebody/1\r\n"),
                "urlencoded");
}

static void basic_authentication(void **state)
{
    char url[200];
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    r.user = "Aladdin"; /* RFC 7617 §2 */
    r.password = "open sesame";
    expect_sent(&r, SENT("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), NULL);
    r.user = "test"; /* RFC 7617 §2.1 */
    r.password = "123\xc2\xa3";
    expect_sent(&r, SENT("\r\nAuthorization: Basic dGVzdDoxMjPCow==\r\n"), NULL);
    r.user = "u";
    r.password = "p:q"; /* a password may have a colon */
    expect_sent(&r, SENT("\r\nAuthorization: Basic dTpwOnE=\r\n"), NULL);
    r.password = "p";
    expect_sent(&r, SENT("\r\nAuthorization: Basic dTpw\r\n"), NULL);
    r.password = NULL;
    expect_sent(&r, SENT("\r\nAuthorization: Basic dTo=\r\n"), NULL);
    r.user = NULL; /* and not what an earlier request on this connection said */
    expect_sent(&r, SENT("GET /"), "Authorization");
    snprintf(url, sizeof url, "http://Aladdin:open%%20sesame@127.0.0.1:%u/#part", t.server.port);
    r.url = url;
    expect_sent(&r, SENT("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n", "GET / "),
                NULL);
    r.user = "u"; /* what is said explicitly wins */
    r.password = "p:q";
    expect_sent(&r, SENT("\r\nAuthorization: Basic dTpwOnE=\r\n"), "Aladdin");
    assert_int_equal(t.server.connections, 1);
}

static void no_info_shows_a_password(void **state)
{
    static const char *const urls[] = {
        "http://bob:sesame@127.0.0.1:1/x", "http://bob:sesame@/",
        "http://bob:sesame@[::1/",         "gopher://bob:sesame@127.0.0.1/",
        "http://bob:sesame@host name/",    "http://bob:sesame@127.0.0.1:99999/"};
    (void)state;
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.user = "carol";
    r.password = "secret";
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct httpc_got g = {.calls = 0};
        r.url = urls[i];
        httpc_fixture_start(&t, &g, &r);
        httpc_fixture_until(&t, &g.calls, 1);
        assert_int_equal(g.e, i == 0 ? ERR_UNAVAIL : ERR_MALFORMED);
        assert_null(strstr(g.info.text, "sesame"));
        assert_null(strstr(g.info.text, "bob"));
        assert_null(strstr(g.info.text, "secret"));
        if (i == 0) {
            assert_non_null(strstr(g.info.text, "GET http://127.0.0.1:1/x: "));
        }
    }
}

static void the_environment_is_not_asked(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        setenv(names[i], "http://127.0.0.1:1/", 1);
    }
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    for (size_t i = 0; i < COUNT(names); i++) {
        unsetenv(names[i]);
    }
}

static void requests_that_are_none(void **state)
{
    static const struct httpc_header split[] = {{"X-One", "1\r\nX-Two: 2"}};
    static const struct httpc_header spaced[] = {{"X One", "1"}};
    static const struct httpc_header unnamed[] = {{"", "1"}};
    static const struct httpc_header many[HTTPC_HEADERS_MAX + 1];
    static const struct {
        const char *method, *url, *user; /* NULL: a good one */
        const struct httpc_header *headers;
        size_t headers_count;
        enum err e;
    } cases[] = {
        {.url = "", .e = ERR_MALFORMED},
        {.url = "nonsense:", .e = ERR_MALFORMED},
        {.url = "http://", .e = ERR_MALFORMED},
        {.url = "http://a b/", .e = ERR_MALFORMED},
        {.url = "http://127.0.0.1:1/a b", .e = ERR_MALFORMED},
        {.url = "http://127.0.0.1:1/\r\nX: y", .e = ERR_MALFORMED},
        {.url = "http://127.0.0.1:70000/", .e = ERR_MALFORMED},
        {.url = "ftp://127.0.0.1/", .e = ERR_MALFORMED},
        {.url = "file:///etc/hostname", .e = ERR_MALFORMED},
        {.method = "", .e = ERR_MALFORMED},
        {.method = "GET /x HTTP/1.1\r\nX: y\r\n", .e = ERR_MALFORMED},
        {.method = "ABCDEFGHIJKLMNOPQ", .e = ERR_MALFORMED},
        {.user = "a:b", .e = ERR_MALFORMED},
        {.headers = split, .headers_count = 1, .e = ERR_MALFORMED},
        {.headers = spaced, .headers_count = 1, .e = ERR_MALFORMED},
        {.headers = unnamed, .headers_count = 1, .e = ERR_MALFORMED},
        {.headers = many, .headers_count = COUNT(many), .e = ERR_LIMIT},
    };
    (void)state;
    httpc_fixture_client(&t, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_got g;
        struct httpc_request r = {.method = cases[i].method != NULL ? cases[i].method : "GET",
                                  .url =
                                      cases[i].url != NULL ? cases[i].url : "http://127.0.0.1:1/",
                                  .user = cases[i].user,
                                  .headers = cases[i].headers,
                                  .headers_count = cases[i].headers_count,
                                  .body_max = 1,
                                  .wait_ms = 1000};
        httpc_fixture_expect(&t, &r, cases[i].e, &g);
        assert_true(g.info.text[0] != '\0');
    }
}

static void requests_without_a_limit(void **state)
{
    (void)state;
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = "http://127.0.0.1:1/";
    r.wait_ms = 0;
    httpc_fixture_expect(&t, &r, ERR_BUG, NULL);
    r.wait_ms = 1000;
    r.body_max = 0;
    httpc_fixture_expect(&t, &r, ERR_BUG, NULL);
}

/* --- replies ------------------------------------------------------------------------------- */

/* Each of these is a reply; its status and body are what CASES says. */
static void replies_that_are_answers(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
        const char *body;
        const char *header; /* X-Test */
        enum http_script_kind then;
    } cases[] = {
        {OK "Content-Length: 2\r\n\r\nab", 200, "ab", "(none)", HTTP_SCRIPT_END},
        {OK "Content-Length: 0\r\n\r\n", 200, "", "(none)", HTTP_SCRIPT_END},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", "(none)", HTTP_SCRIPT_CLOSE},
        {OK "\r\nuntil the end", 200, "until the end", "(none)", HTTP_SCRIPT_CLOSE},
        {"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy", "(none)",
         HTTP_SCRIPT_END},
        {"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n", 401,
         "", "(none)", HTTP_SCRIPT_END},
        {"HTTP/1.1 301 There\r\nLocation: http://127.0.0.1:1/\r\nX-Test: r\r\nContent-Length: 0\r\n"
         "\r\n",
         301, "", "r", HTTP_SCRIPT_END},
        {"HTTP/1.1 204 Nothing\r\nX-Test: z\r\n\r\n", 204, "", "z", HTTP_SCRIPT_END},
        {"HTTP/1.1 100 Go on\r\nX-Test: no\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc",
         200, "c", "(none)", HTTP_SCRIPT_END},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", 200,
         "abcdefg", "(none)", HTTP_SCRIPT_END},
        {OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Test: trailer\r\n\r\n", 200, "a",
         "(none)", HTTP_SCRIPT_END},
        {OK "X-Test: one\r\nx-TEST:   two \r\nX-Test2: no\r\nContent-Length: 0\r\n\r\n", 200, "",
         "two", HTTP_SCRIPT_END},
        {OK "X-Test:\r\nContent-Length: 0\r\n\r\n", 200, "", "", HTTP_SCRIPT_END},
        {OK "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", 200, "ab", "(none)",
         HTTP_SCRIPT_END},
        {OK "Content-Length: 5\r\n\r\nwhole", 200, "whole", "(none)", HTTP_SCRIPT_RESET},
        {OK "X-Test: a\r\n   b\r\nContent-Length: 0\r\n\r\n", 200, "", "a b", HTTP_SCRIPT_END},
        {"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n", 599, "", "(none)", HTTP_SCRIPT_END},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_got g;
        struct http_script_act acts[] = {{.kind = HTTP_SCRIPT_SEND, .text = cases[i].text},
                                         {.kind = cases[i].then}};
        httpc_fixture_serve(&t, acts);
        struct httpc_request r = httpc_fixture_get(&t);
        httpc_fixture_expect(&t, &r, ERR_OK, &g);
        assert_int_equal(g.status, cases[i].status);
        assert_string_equal(g.body, cases[i].body);
        assert_int_equal(g.len, strlen(cases[i].body));
        assert_string_equal(g.header, cases[i].header);
        httpc_got_free(&g);
        httpc_fixture_unserve(&t);
    }
}

static unsigned lines_seen;

static void on_lines(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    static const char *const values[] = {"one", "", "two, three"};
    (void)ctx, (void)info;
    assert_int_equal(e, ERR_OK);
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_string_equal(httpc_reply_header_at(reply, "x-TEST", i), values[i]);
    }
    assert_null(httpc_reply_header_at(reply, "x-TEST", COUNT(values)));
    assert_null(httpc_reply_header_at(reply, "x-TEST", SIZE_MAX));
    assert_null(httpc_reply_header_at(reply, "X-Other", 0));
    assert_string_equal(httpc_reply_header(reply, "X-Test"), "two, three");
    lines_seen++;
}

static void a_header_of_several_lines(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_SEND,
         .text = "HTTP/1.1 103 Hints\r\nX-Test: no\r\n\r\n" OK
                 "X-Test: one\r\nX-Test2: no\r\nX-Test:\r\nx-test:  two, three\r\n"
                 "Content-Length: 0\r\n\r\n"},
        {.kind = HTTP_SCRIPT_END}};
    (void)state;
    httpc_fixture_serve(&t, acts);
    struct httpc_request r = httpc_fixture_get(&t);
    lines_seen = 0;
    httpc_start(t.client, &r, on_lines, NULL);
    httpc_fixture_until(&t, &lines_seen, 1);
}

static void a_head_has_no_body(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = OK "Content-Length: 5000000\r\nX-Test: h\r\n\r\n"},
        {.kind = HTTP_SCRIPT_END}};
    struct httpc_got g;
    (void)state;
    httpc_fixture_serve(&t, acts);
    struct httpc_request r = httpc_fixture_get(&t);
    r.method = "HEAD";
    r.body_max = 1;
    httpc_fixture_expect(&t, &r, ERR_OK, &g);
    assert_int_equal(g.len, 0);
    assert_string_equal(g.header, "h");
    httpc_got_free(&g);
}

/* One octet at a time, quickly: whatever is cut anywhere is put together again. */
static void a_reply_in_single_octets(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_DRIP,
         .text = OK "X-Test: slow\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
         .ms = 0}};
    struct httpc_got g;
    (void)state;
    httpc_fixture_serve(&t, acts);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, &g);
    assert_string_equal(g.body, "abcde");
    assert_string_equal(g.header, "slow");
    httpc_got_free(&g);
}

static void body_max_is_exact(void **state)
{
    static const struct {
        const char *header;
        size_t n;
        const char *after;
        enum err e;
    } cases[] = {
        {OK "Content-Length: 5000\r\n\r\n", 5000, "", ERR_OK},
        {OK "Content-Length: 5001\r\n\r\n", 5001, "", ERR_LIMIT},
        {OK "\r\n", 5000, "", ERR_OK},
        {OK "\r\n", 5001, "", ERR_LIMIT},
        {OK "Transfer-Encoding: chunked\r\n\r\n1388\r\n", 5000, "\r\n0\r\n\r\n", ERR_OK},
        {OK "Transfer-Encoding: chunked\r\n\r\n1389\r\n", 5001, "\r\n0\r\n\r\n", ERR_LIMIT},
        {OK "\r\n", 10u << 20, "", ERR_LIMIT},
        {OK "Content-Length: 10485760\r\n\r\n", 10u << 20, "", ERR_LIMIT},
        {OK "Content-Length: 9223372036854775807\r\n\r\n", 0, "", ERR_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_script_act acts[] = {{.kind = HTTP_SCRIPT_SEND, .text = cases[i].header},
                                         {.kind = HTTP_SCRIPT_FILL, .n = cases[i].n},
                                         {.kind = HTTP_SCRIPT_SEND, .text = cases[i].after},
                                         {.kind = HTTP_SCRIPT_CLOSE}};
        struct httpc_got g;
        httpc_fixture_serve(&t, acts);
        struct httpc_request r = httpc_fixture_get(&t);
        r.body_max = 5000;
        httpc_fixture_expect(&t, &r, cases[i].e, &g);
        assert_true(g.e != ERR_OK || g.len == 5000);
        httpc_got_free(&g);
        httpc_fixture_unserve(&t);
    }
}

/* --- bad peers ----------------------------------------------------------------------------- */

#define LINE_10 "X-Filling: a\r\n"
static char long_line[HTTPC_HEADER_ROOM + 100], longer_line[200000], many_lines[40000];

static void make_long_texts(void)
{
    memset(long_line, 'y', sizeof long_line - 1);
    memcpy(long_line, OK "X-Long: ", strlen(OK "X-Long: "));
    memcpy(long_line + sizeof long_line - 5, "\r\n\r\n", 4);
    memset(longer_line, 'y', sizeof longer_line - 1);
    memcpy(longer_line, OK "X-Long: ", strlen(OK "X-Long: "));
    memcpy(many_lines, OK, strlen(OK));
    for (size_t at = strlen(OK); at + sizeof LINE_10 < sizeof many_lines; at += strlen(LINE_10)) {
        memcpy(many_lines + at, LINE_10, sizeof LINE_10);
    }
}

static void replies_that_are_none(void **state)
{
    static const struct {
        const char *what;
        const char *text;
        size_t n;
        enum http_script_kind then;
        enum err e;
    } cases[] = {
        {"nothing", "", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"reset", "", 0, HTTP_SCRIPT_RESET, ERR_UNAVAIL},
        {"half a status", "HTTP/1.", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"half a header", OK "Content-Le", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"header without end", OK "Content-Length: 2\r\n", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"interim reply only", "HTTP/1.1 100 Go on\r\n\r\n", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"half a body", OK "Content-Length: 20\r\n\r\nabc", 0, HTTP_SCRIPT_CLOSE, ERR_UNAVAIL},
        {"half a body, reset", OK "Content-Length: 20\r\n\r\nabc", 0, HTTP_SCRIPT_RESET,
         ERR_UNAVAIL},
        {"half a chunk", OK "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", 0, HTTP_SCRIPT_CLOSE,
         ERR_UNAVAIL},
        {"no last chunk", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 0, HTTP_SCRIPT_CLOSE,
         ERR_UNAVAIL},
        {"no chunk", OK "Transfer-Encoding: chunked\r\n\r\nhello\r\n", 0, HTTP_SCRIPT_HANG,
         ERR_MALFORMED},
        {"chunk of -1", OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 0, HTTP_SCRIPT_HANG,
         ERR_MALFORMED},
        {"endless chunk", OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n", 0,
         HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"garbage", "What do you want?\r\n\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n", 16, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"another version", "HTTP/7.7 200 OK\r\n\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"no number", "HTTP/1.1 abc OK\r\n\r\n", 0, HTTP_SCRIPT_CLOSE, ERR_MALFORMED},
        {"status 999", "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", 0, HTTP_SCRIPT_HANG,
         ERR_MALFORMED},
        {"status 000", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", 0, HTTP_SCRIPT_CLOSE,
         ERR_MALFORMED},
        {"status 20", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", 0, HTTP_SCRIPT_CLOSE,
         ERR_MALFORMED},
        {"length -1", OK "Content-Length: -1\r\n\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"length abc", OK "Content-Length: abc\r\n\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"no colon", OK "what is this\r\n\r\n", 0, HTTP_SCRIPT_HANG, ERR_MALFORMED},
        {"a NUL", OK "X-A: b\0c\r\n\r\n", sizeof(OK "X-A: b\0c\r\n\r\n") - 1, HTTP_SCRIPT_HANG,
         ERR_MALFORMED},
        {"a long line", long_line, 0, HTTP_SCRIPT_HANG, ERR_LIMIT},
        {"a longer line", longer_line, 0, HTTP_SCRIPT_HANG, ERR_LIMIT},
        {"many lines", many_lines, 0, HTTP_SCRIPT_HANG, ERR_LIMIT},
    };
    (void)state;
    make_long_texts();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_script_act acts[] = {
            {.kind = HTTP_SCRIPT_SEND, .text = cases[i].text, .n = cases[i].n},
            {.kind = cases[i].then}};
        struct httpc_got g = {.calls = 0};
        httpc_fixture_serve(&t, acts);
        struct httpc_request r = httpc_fixture_get(&t);
        r.wait_ms = 3000;
        httpc_fixture_start(&t, &g, &r);
        httpc_fixture_until(&t, &g.calls, 1);
        if (g.e != cases[i].e) {
            fail_msg("%s: %s instead of %s: %s\n", cases[i].what, err_text(g.e),
                     err_text(cases[i].e), g.info.text);
        }
        httpc_got_free(&g);
        httpc_fixture_unserve(&t);
    }
}

/* --- slow peers ---------------------------------------------------------------------------- */

static void slow_peers_end_at_the_deadline(void **state)
{
    static const struct http_script_act cases[][2] = {
        {{.kind = HTTP_SCRIPT_HANG}},
        {{.kind = HTTP_SCRIPT_SEND, .text = OK "Content-Le"}, {.kind = HTTP_SCRIPT_HANG}},
        {{.kind = HTTP_SCRIPT_SEND, .text = OK "Content-Length: 9\r\n\r\nabc"},
         {.kind = HTTP_SCRIPT_HANG}},
        {{.kind = HTTP_SCRIPT_SEND, .text = OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"},
         {.kind = HTTP_SCRIPT_HANG}},
        {{.kind = HTTP_SCRIPT_SEND, .text = OK "\r\n"},
         {.kind = HTTP_SCRIPT_DRIP, .text = "drip", .ms = 20}},
        {{.kind = HTTP_SCRIPT_SEND, .text = OK}, {.kind = HTTP_SCRIPT_DRIP, .text = "X", .ms = 20}},
        {{.kind = HTTP_SCRIPT_DRIP, .text = "HTTP/1.1 100 Go on\r\n\r\n", .ms = 1}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_got g;
        httpc_fixture_serve(&t, cases[i]);
        struct httpc_request r = httpc_fixture_get(&t);
        r.wait_ms = 400;
        r.connect_ms = 200; /* long over by then, and of no meaning once connected */
        httpc_fixture_expect(&t, &r, ERR_TIMEOUT, &g);
        assert_in_range(g.took_ms, 400, 400 + HTTPC_FIXTURE_LATE_MS);
        assert_non_null(strstr(g.info.text, "GET http://127.0.0.1:"));
        httpc_fixture_unserve(&t);
    }
}

/* Interim replies have no end, but the room for headers has. */
static void endless_interim_replies(void **state)
{
    static const struct http_script_act acts[] = {
        {.kind = HTTP_SCRIPT_DRIP, .text = "HTTP/1.1 100 C\n\n", .ms = 0}};
    (void)state;
    httpc_fixture_serve(&t, acts);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_LIMIT, NULL);
}

/* A peer that takes nothing: its buffers are full before a large body is out. */
static void a_peer_that_does_not_read(void **state)
{
    struct httpc_got g;
    int len = 20 << 20;
    char *body = mem_xalloc((size_t)len);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    char url[64];
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* connections are made without accept() */
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(at.sin_port));
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = {.method = "POST",
                              .url = url,
                              .body = body,
                              .body_len = (size_t)len,
                              .body_max = 100,
                              .wait_ms = 300};
    httpc_fixture_expect(&t, &r, ERR_TIMEOUT, &g);
    assert_in_range(g.took_ms, 300, 300 + HTTPC_FIXTURE_LATE_MS);
    close(fd);
    free(body);
}

/* The queue of a listener that accepts nothing is full: the next SYN is not answered. */
static void connecting_has_its_own_deadline(void **state)
{
    struct httpc_got g;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    int fill[4];
    char url[64];
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
    for (size_t i = 0; i < COUNT(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (struct sockaddr *)&at, sizeof at);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(at.sin_port));
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = url;
    r.connect_ms = 300;
    httpc_fixture_expect(&t, &r, ERR_TIMEOUT, &g);
    assert_in_range(g.took_ms, 250, 300 + HTTPC_FIXTURE_LATE_MS); /* libcurl's clock */
    for (size_t i = 0; i < COUNT(fill); i++) {
        close(fill[i]);
    }
    close(fd);
}

static void nobody_there(void **state)
{
    struct httpc_got g;
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    char url[sizeof t.url];
    memcpy(url, t.url, sizeof url);
    httpc_fixture_unserve(&t);
    r.url = url; /* just closed */
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, &g);
    assert_true(g.took_ms < HTTPC_FIXTURE_LATE_MS);
    r.url = "http://[::1]:1/";
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, NULL);
}

/* Whoever must not ask twice can tell whether the peer may have seen the request. */
static void whether_it_was_sent(void **state)
{
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}, {0}};
    static const struct http_script_act hang[] = {{.kind = HTTP_SCRIPT_HANG}, {0}};
    static const struct http_script_act *const acts[] = {cut, hang, http_script_echo};
    static const enum err ends[] = {ERR_UNAVAIL, ERR_TIMEOUT, ERR_OK};
    struct httpc_request r;
    bool sent = false;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        httpc_fixture_serve(&t, acts[i]);
        r = httpc_fixture_get(&t);
        r.method = "POST";
        r.wait_ms = i == 1 ? 200 : r.wait_ms;
        r.sent = &sent;
        sent = false;
        httpc_fixture_expect(&t, &r, ends[i], NULL);
        assert_true(sent);
        httpc_fixture_unserve(&t);
    }
    sent = false;
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, NULL); /* the server is gone */
    assert_false(sent);
}

static void a_name_that_does_not_exist(void **state)
{
    struct httpc_got g = {.calls = 0};
    (void)state;
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = "http://nowhere.invalid/";
    r.connect_ms = 500; /* a machine without a network may wait for its resolver */
    httpc_fixture_start(&t, &g, &r);
    httpc_fixture_until(&t, &g.calls, 1);
    assert_true(g.e == ERR_UNAVAIL || g.e == ERR_TIMEOUT);
    assert_true(g.took_ms < 500 + HTTPC_FIXTURE_LATE_MS);
}

/* Both families are tried: the server has but one of them. */
static void localhost_is_found(void **state)
{
    char url[64];
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    snprintf(url, sizeof url, "http://localhost:%u/", t.server.port);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = url;
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_get, setup, teardown),
        cmocka_unit_test_setup_teardown(methods_and_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_body_is_sent_without_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_of_the_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(basic_authentication, setup, teardown),
        cmocka_unit_test_setup_teardown(no_info_shows_a_password, setup, teardown),
        cmocka_unit_test_setup_teardown(the_environment_is_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_without_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_that_are_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_header_of_several_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_in_single_octets, setup, teardown),
        cmocka_unit_test_setup_teardown(body_max_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_peers_end_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_interim_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_does_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(connecting_has_its_own_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(whether_it_was_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_does_not_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(localhost_is_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

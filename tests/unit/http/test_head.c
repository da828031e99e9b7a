/* Heads, whichever protocol brought them: what is refused, with which status, and what is understood. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX 16384
#define V1  1
#define V2  (-1)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static http_status method(struct http_head *h, const char *text)
{
    return http_head_method(h, text, strlen(text));
}

static http_status target(struct http_head *h, const char *text)
{
    return http_head_target(h, text, strlen(text));
}

static http_status field(struct http_head *h, const char *name, const char *value, bool v2)
{
    return http_head_field(h, name, strlen(name), value, strlen(value), v2);
}

static void start(struct http_head *h, const char *verb, const char *path)
{
    http_head_init(h, MAX);
    assert_int_equal(method(h, verb), 0);
    assert_int_equal(target(h, path), 0);
}

/* ---- the request line --------------------------------------------------------------------- */

static void methods(void **state)
{
    static const struct {
        const char *text;
        http_status status;
    } rows[] = {
        {"GET", 0},
        {"get", 0},
        {"!#$%&'*+-.^_`|~09", 501}, /* a token, too long */
        {"!#$%&'*+-.^_`|~0", 0},
        {"CONNECT", 501},
        {"connect", 0}, /* RFC 9110 §9.1: case-sensitive */
        {"", 400},
        {"GE T", 400},
        {"GET ", 400},
        {"GET:", 400},
        {"G\xc3\x8bT", 400},
        {"\"GET\"", 400},
        {"G\x7fT", 400},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_head h;
        http_head_init(&h, MAX);
        assert_int_equal(method(&h, rows[i].text), rows[i].status);
        if (rows[i].status == 0) {
            assert_string_equal(h.method, rows[i].text);
        }
        http_head_fini(&h);
    }
}

static void each_octet(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        struct http_head h;
        char text[] = {'/', (char)c, 'x'};
        bool in_token = c != 0 && strchr(token, (int)c) != NULL;
        bool in_value = c == '\t' || (c >= ' ' && c != 0x7f);
        http_head_init(&h, MAX);
        assert_int_equal(http_head_method(&h, text + 1, 2), in_token ? 0 : 400);
        assert_int_equal(http_head_target(&h, text, 3), c > ' ' && c < 0x7f && c != '#' ? 0 : 400);
        assert_int_equal(http_head_field(&h, text + 1, 2, "", 0, false), in_token ? 0 : 400);
        assert_int_equal(http_head_field(&h, text + 1, 2, "", 0, true),
                         in_token && (c < 'A' || c > 'Z') ? 0 : 400);
        assert_int_equal(http_head_field(&h, "x", 1, text, 3, false), in_value ? 0 : 400);
        assert_int_equal(http_head_field(&h, "x", 1, text, 3, true), in_value ? 0 : 400);
        http_head_fini(&h);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *method, *text;
        http_status status;
        const char *target, *host;
    } rows[] = {
        {"GET", "/", 0, "/", NULL},
        {"GET", "/a/b%2f?c=d&e", 0, "/a/b%2f?c=d&e", NULL},
        {"GET", "//a", 0, "//a", NULL}, /* lib/target says what it thinks of that */
        {"GET", "/\"<>\\^`{|}", 0, "/\"<>\\^`{|}", NULL},
        {"OPTIONS", "*", 0, "*", NULL},
        {"OPTIONS", "/", 0, "/", NULL},
        {"GET", "*", 0, "*", NULL}, /* asterisks() */
        {"OPTIONS", "**", 400, NULL, NULL},
        {"GET", "", 400, NULL, NULL},
        {"GET", "?a", 400, NULL, NULL},
        {"GET", "a/b", 400, NULL, NULL},
        {"GET", "a.example:443", 400, NULL, NULL},
        {"GET", "/a#b", 400, NULL, NULL},
        {"GET", "/a b", 400, NULL, NULL},
        /* RFC 9112 §3.2.2 */
        {"GET", "http://a.example/b?c", 0, "/b?c", "a.example"},
        {"GET", "HTTPS://a.example:8443/", 0, "/", "a.example:8443"},
        {"GET", "http://a.example", 0, "/", "a.example"},
        {"GET", "http://a.example?b", 0, "/?b", "a.example"},
        {"OPTIONS", "http://a.example", 0, "*", "a.example"}, /* §3.2.4 */
        {"OPTIONS", "http://a.example?b", 0, "/?b", "a.example"},
        {"OPTIONS", "http://a.example/", 0, "/", "a.example"},
        {"GET", "http://[2001:db8::1]:80/x", 0, "/x", "[2001:db8::1]:80"},
        {"GET", "http:///b", 400, NULL, NULL},
        {"GET", "http://", 400, NULL, NULL},
        {"GET", "http://?", 400, NULL, NULL},
        {"GET", "http://u@a/", 400, NULL, NULL}, /* RFC 9110 §4.2.4 */
        {"GET", "http://u:p@a/", 400, NULL, NULL},
        {"GET", "http:/a/", 400, NULL, NULL},
        {"GET", "http:a", 400, NULL, NULL},
        {"GET", "http://a\\b/", 400, NULL, NULL},
        {"GET", "ftp://a/", 400, NULL, NULL},
        {"GET", "ws://a/", 400, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_head h;
        http_head_init(&h, MAX);
        assert_int_equal(method(&h, rows[i].method), 0);
        assert_int_equal(target(&h, rows[i].text), rows[i].status);
        if (rows[i].status == 0) {
            assert_string_equal(h.target, rows[i].target);
        }
        if (rows[i].host != NULL) {
            assert_string_equal(h.host, rows[i].host);
        } else {
            assert_null(h.host);
        }
        http_head_fini(&h);
    }
}

/* RFC 9112 §3.2.4. HTTP/2 may send the path before the method. */
static void asterisks(void **state)
{
    static const char *const methods[] = {"OPTIONS", "GET", "options"};
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct http_head h;
        http_head_init(&h, MAX);
        assert_int_equal(target(&h, "*"), 0);
        assert_int_equal(target(&h, "/"), 400); /* once */
        assert_int_equal(http_head_authority(&h, "a", 1), 0);
        assert_int_equal(method(&h, methods[i]), 0);
        assert_int_equal(http_head_end(&h, V2), i == 0 ? 0 : 400);
        http_head_fini(&h);
    }
    struct http_head h;
    http_head_init(&h, MAX);
    assert_int_equal(method(&h, "GET"), 0);
    assert_int_equal(http_head_authority(&h, "a", 1), 0);
    assert_int_equal(http_head_end(&h, V2), 400); /* no path */
    http_head_fini(&h);
}

static void target_limits(void **state)
{
    static char text[HTTP_TARGET_MAX + 1];
    struct http_head h;
    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = '/';
    http_head_init(&h, MAX);
    assert_int_equal(http_head_target(&h, text, HTTP_TARGET_MAX + 1), 414);
    assert_int_equal(http_head_target(&h, text, HTTP_TARGET_MAX), 0); /* RFC 9110 §4.1 */
    assert_int_equal(strlen(h.target), HTTP_TARGET_MAX);
    http_head_fini(&h);
    http_head_init(&h, 100);
    assert_int_equal(http_head_target(&h, text, 100), 414);
    http_head_fini(&h);
}

/* ---- hosts -------------------------------------------------------------------------------- */

static void hosts(void **state)
{
    static const struct {
        const char *text;
        http_status status;
    } rows[] = {
        {"a", 0},
        {"a.example", 0},
        {"A.Example.", 0},
        {"a_b.example:1", 0},
        {"a:", 0}, /* RFC 3986 §3.2.3 */
        {"a:0", 0},
        {"a:65535", 0},
        {"a:00000080", 0},
        {"a:65536", 400},
        {"a:4294967376", 400}, /* 80, modulo 2^32 */
        {"a:99999999999999999999999999999999999999", 400},
        {"a:80:80", 400},
        {"a:+80", 400},
        {"a:8 0", 400},
        {"a:http", 400},
        {"192.0.2.1", 0},
        {"192.0.2.1:53", 0},
        {"[::1]", 0},
        {"[::1]:443", 0},
        {"[::ffff:192.0.2.1]", 0},
        {"[::1", 400},
        {"::1", 400},
        {"[]", 400},
        {"[::1]443", 400},
        {"[::1]a", 400},
        {"[::g]", 400},
        {"[fe80::1%25eth0]", 400},
        {"[v1.x]", 400},
        {"[1:2:3:4:5:6:7:8:9]", 400},
        {"[0000000000000000000000000000000000000000000000000000000000001]", 400},
        {"", 400}, /* RFC 9112 §3.3 */
        {":80", 400},
        {"a b", 400},
        {"a/b", 400},
        {"a?b", 400},
        {"a\\b", 400},
        {"u@a", 400},
        {"<a>", 400},
        {"a%41", 0},
        {"a%4", 400},
        {"a%", 400},
        {"a%gg", 400},
        {"a!$&'()*+,;=~-._b", 0}, /* RFC 3986 §3.2.2 */
        {"b\xc3\xbc"
         "cher",
         400},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_head h;
        start(&h, "GET", "/");
        assert_int_equal(field(&h, "Host", rows[i].text, false), rows[i].status);
        http_head_fini(&h);
        start(&h, "GET", "/");
        assert_int_equal(http_head_authority(&h, rows[i].text, strlen(rows[i].text)),
                         rows[i].status);
        if (rows[i].status == 0) {
            assert_string_equal(h.host, rows[i].text);
            assert_int_equal(http_head_authority(&h, "a", 1), 400); /* once */
        }
        http_head_fini(&h);
    }
}

/* Which of the three is the host. NULL: not sent. */
static void which_host(void **state)
{
    static const struct {
        const char *target, *authority, *host;
        int minor;
        http_status status;
        const char *result;
    } rows[] = {
        {"/", NULL, "a", 1, 0, "a"},
        {"/", NULL, NULL, 1, 400, NULL}, /* RFC 9112 §3.2 */
        {"/", NULL, NULL, 0, 0, NULL},
        {"/", NULL, "a", 0, 0, "a"},
        {"http://b/", NULL, "a", 1, 0, "b"}, /* RFC 9112 §3.2.2 */
        {"http://b/", NULL, NULL, 1, 400, NULL},
        {"http://b/", NULL, NULL, 0, 0, "b"},
        {"/", "a", NULL, V2, 0, "a"}, /* RFC 9113 §8.3.1 */
        {"/", NULL, "a", V2, 0, "a"},
        {"/", NULL, NULL, V2, 400, NULL},
        {"/", "a.example:1", "A.example:1", V2, 0, "a.example:1"},
        {"/", "a", "b", V2, 400, NULL},
        {"/", "a", "a:443", V2, 400, NULL},
        {"http://b/", NULL, NULL, V2, 400, NULL},
        {"http://b/", NULL, "b", V2, 400, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_head h;
        start(&h, "GET", rows[i].target);
        if (rows[i].authority != NULL) {
            assert_int_equal(http_head_authority(&h, rows[i].authority, strlen(rows[i].authority)),
                             0);
        }
        if (rows[i].host != NULL) {
            assert_int_equal(field(&h, "host", rows[i].host, rows[i].minor == V2), 0);
        }
        assert_int_equal(http_head_end(&h, rows[i].minor), rows[i].status);
        if (rows[i].result != NULL) {
            assert_string_equal(h.host, rows[i].result);
        } else if (rows[i].status == 0) {
            assert_null(h.host);
        }
        http_head_fini(&h);
    }
}

/* ---- fields ------------------------------------------------------------------------------- */

/* Up to two fields, what the later of them gets, and what the end says. */
struct field_row {
    const char *name1, *value1, *name2, *value2;
    http_status status, end;
};

static void expect_fields(const struct field_row *row, int minor)
{
    struct http_head h;
    start(&h, "POST", "/");
    assert_int_equal(field(&h, "host", "a", minor == V2), 0);
    if (row->name2 != NULL) {
        assert_int_equal(field(&h, row->name1, row->value1, minor == V2), 0);
        assert_int_equal(field(&h, row->name2, row->value2, minor == V2), row->status);
    } else {
        assert_int_equal(field(&h, row->name1, row->value1, minor == V2), row->status);
    }
    if (row->status == 0) {
        assert_int_equal(http_head_end(&h, minor), row->end);
    }
    http_head_fini(&h);
}

static void fields_of_http1(void **state)
{
    static const struct field_row rows[] = {
        {"X", "", NULL, NULL, 0, 0},
        {"X", "a", "x", "b", 0, 0},
        {"X", " a", NULL, NULL, 400, 0},
        {"X", "a\t", NULL, NULL, 400, 0},
        {"", "a", NULL, NULL, 400, 0},
        {":path", "/", NULL, NULL, 400, 0},
        {"Host", "a", NULL, NULL, 400, 0}, /* the second */
        {"Content-Length", "1", "CONTENT-LENGTH", "1", 400, 0},
        {"Content-Length", "1", "Transfer-Encoding", "chunked", 0, 400},
        {"Transfer-Encoding", "chunked", "Content-Length", "1", 0, 400},
        {"Transfer-Encoding", "cHUNKED", NULL, NULL, 0, 0},
        {"Transfer-Encoding", "chunked", "transfer-encoding", "chunked", 400, 0},
        {"Transfer-Encoding", "gzip,\tChunked", NULL, NULL, 501, 0},
        {"Transfer-Encoding", "gzip", NULL, NULL, 400, 0},
        {"Content-Length", "9223372036854775808", NULL, NULL, 413, 0},
        {"Expect", "100-CONTINUE", NULL, NULL, 0, 0},
        {"Expect", "100-continue", "Expect", "more", 0, 417},
        {"Expect", "", NULL, NULL, 0, 417},
        {"Upgrade", "h2c", "Connection", "Upgrade", 0, 0},
        {"Keep-Alive", "timeout=5", "Proxy-Connection", "keep-alive", 0, 0},
        {"TE", "gzip", NULL, NULL, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_fields(&rows[i], V1);
    }
}

static void fields_of_http2(void **state)
{
    static const struct field_row rows[] = {
        {"x", "", NULL, NULL, 0, 0},
        {"X", "a", NULL, NULL, 400, 0}, /* RFC 9113 §8.2.1 */
        {"x-Y", "a", NULL, NULL, 400, 0},
        {"x", " a", NULL, NULL, 400, 0},
        {"x", "a\t", NULL, NULL, 400, 0},
        {"x", "a\nb", NULL, NULL, 400, 0},
        {":authority", "a", NULL, NULL, 400, 0},
        /* §8.2.2 */
        {"connection", "close", NULL, NULL, 400, 0},
        {"connection", "", NULL, NULL, 400, 0},
        {"keep-alive", "1", NULL, NULL, 400, 0},
        {"proxy-connection", "close", NULL, NULL, 400, 0},
        {"transfer-encoding", "chunked", NULL, NULL, 400, 0},
        {"upgrade", "h2c", NULL, NULL, 400, 0},
        {"te", "trailers", NULL, NULL, 0, 0},
        {"te", "Trailers", NULL, NULL, 0, 0},
        {"te", "trailers, gzip", NULL, NULL, 400, 0},
        {"te", "", NULL, NULL, 400, 0},
        {"host", "a", NULL, NULL, 400, 0}, /* the second */
        {"content-length", "1", "content-length", "1", 400, 0},
        {"content-length", "-1", NULL, NULL, 400, 0},
        {"expect", "100-continue", NULL, NULL, 0, 0},
        {"expect", "x", NULL, NULL, 0, 417},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_fields(&rows[i], V2);
    }
}

static void understood(void **state)
{
    struct http_head h;
    (void)state;
    start(&h, "POST", "/");
    assert_int_equal(h.content_length, -1);
    assert_int_equal(field(&h, "Host", "a", false), 0);
    assert_int_equal(field(&h, "Expect", "100-continue", false), 0);
    assert_int_equal(field(&h, "Transfer-Encoding", "chunked", false), 0);
    assert_int_equal(field(&h, "X-A", "1", false), 0);
    assert_int_equal(field(&h, "x-a", "2", false), 0);
    assert_int_equal(http_head_end(&h, 1), 0);
    assert_true(h.chunked && h.expect_continue && !h.close);
    assert_int_equal(h.count, 5);
    assert_string_equal(http_head_find(&h, "x-a"), "1");
    assert_null(http_head_find(&h, "X-A"));
    assert_null(http_head_find(&h, "x"));
    http_head_fini(&h);
    assert_null(h.room);
    assert_int_equal(h.count, 0);

    start(&h, "POST", "/");
    assert_int_equal(field(&h, "host", "a", true), 0);
    assert_int_equal(field(&h, "expect", "100-continue", true), 0);
    assert_int_equal(http_head_end(&h, V2), 0);
    assert_true(h.expect_continue && !h.close &&
                !h.chunked); /* HTTP/2 need not say how much comes */
    http_head_fini(&h);
}

static void limits(void **state)
{
    struct http_head h;
    static char value[MAX];
    (void)state;
    memset(value, 'x', sizeof value);
    /* "/" and 63 fields of 4 octets, each with a NUL: 2 + 63 * 4. */
    for (unsigned spare = 0; spare < 2; spare++) {
        http_head_init(&h, 2 + (size_t)HTTP_FIELDS_MAX * 4 - 1 + spare);
        assert_int_equal(http_head_target(&h, "/", 1), 0);
        for (unsigned i = 0; i < HTTP_FIELDS_MAX - 1; i++) {
            assert_int_equal(field(&h, "x", "y", false), 0);
        }
        assert_int_equal(field(&h, "x", "y", false), spare == 1 ? 0 : 431);
        assert_int_equal(field(&h, "", "", false), 400);
        assert_int_equal(field(&h, "x", "", false), spare == 1 ? 431 : 0); /* 3 were left */
        http_head_fini(&h);
    }
    start(&h, "GET", "/");
    assert_int_equal(http_head_field(&h, "x", 1, value, MAX - 2 - 2, false), 431);
    assert_int_equal(http_head_field(&h, "x", 1, value, MAX - 2 - 3, false), 0);
    assert_int_equal(h.len, MAX);
    assert_int_equal(http_head_authority(&h, "a", 1), 431);
    http_head_fini(&h);
}

/* The room moves while it grows; what looks into it moves along. */
static void growth(void **state)
{
    struct http_head h;
    char value[HTTP_FIELDS_MAX][200];
    (void)state;
    start(&h, "GET", "http://b.example/path?query");
    for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++) {
        char name[16];
        memset(value[i], 'a' + (int)i % 26, sizeof value[i]);
        value[i][3 * i] = '\0';
        snprintf(name, sizeof name, "X-%u", i);
        assert_int_equal(field(&h, name, value[i], false), 0);
    }
    assert_string_equal(h.target, "/path?query");
    assert_string_equal(h.host, "b.example");
    assert_string_equal(h.method, "GET");
    for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "x-%u", i);
        assert_string_equal(http_head_find(&h, name), value[i]);
    }
    http_head_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods),         cmocka_unit_test(each_octet),
        cmocka_unit_test(targets),         cmocka_unit_test(asterisks),
        cmocka_unit_test(target_limits),   cmocka_unit_test(hosts),
        cmocka_unit_test(which_host),      cmocka_unit_test(fields_of_http1),
        cmocka_unit_test(fields_of_http2), cmocka_unit_test(understood),
        cmocka_unit_test(limits),          cmocka_unit_test(growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

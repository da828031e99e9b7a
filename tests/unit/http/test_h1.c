/* HTTP/1.x out of octets: each input whole, octet by octet and in random cuts, with the same events. */
#include "http/h1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h1_events.h"
#include "lib/str.h"

#define MAX   16384
#define SEEDS 24

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void expect_n(size_t max, const char *bytes, size_t len, const char *expected)
{
    struct h1_events how = {.max = max, .seed = H1_EVENTS_WHOLE, .fields = false};
    struct str plain = {.text = NULL};
    struct str whole = {.text = NULL};
    h1_events(&how, bytes, len, &plain);
    assert_string_equal(plain.text != NULL ? plain.text : "", expected);
    how.fields = true;
    h1_events(&how, bytes, len, &whole);
    for (how.seed = H1_EVENTS_OCTETS; how.seed < SEEDS; how.seed++) {
        struct str cut = {.text = NULL};
        h1_events(&how, bytes, len, &cut);
        assert_string_equal(cut.text != NULL ? cut.text : "", whole.text != NULL ? whole.text : "");
        str_free(&cut);
    }
    str_free(&whole);
    str_free(&plain);
}

static void expect(const char *text, const char *expected)
{
    expect_n(MAX, text, strlen(text), expected);
}

/* The fields of one request, as they were understood. */
static void expect_fields(const char *fields, const char *expected)
{
    struct h1_events how = {.max = MAX, .seed = H1_EVENTS_WHOLE, .fields = true};
    struct str in = {.text = NULL};
    struct str out = {.text = NULL};
    str_appendf(&in, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    h1_events(&how, in.text, in.len, &out);
    assert_string_equal(out.text, expected);
    str_free(&in);
    str_free(&out);
}

struct row {
    const char *in;
    const char *expected;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect(rows[i].in, rows[i].expected);
    }
}

/* Rows of fields: behind "POST / HTTP/1.1" and a Host, before the empty line and "hello". */
static void expect_posts(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str in = {.text = NULL};
        str_appendf(&in, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\nhello", rows[i].in);
        expect(in.text, rows[i].expected);
        str_free(&in);
    }
}

#define HOST "Host: a\r\n\r\n"

static void requests(void **state)
{
    static const struct row rows[] = {
        {"", ""},
        {"GET / HTTP/1.1\r\n" HOST, "GET / a 1.1\nend\n"},
        {"GET /a%20b?c=d&e HTTP/1.1\r\n" HOST, "GET /a%20b?c=d&e a 1.1\nend\n"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / - 1.0 close\nend\n"},
        {"GET / HTTP/1.0\r\nHost: b\r\nConnection: Keep-Alive\r\n\r\n", "GET / b 1.0\nend\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / - 1.0 close\nend\n"},
        {"GET / HTTP/1.1\r\nConnection: x, Close ,y\r\n" HOST, "GET / a 1.1 close\nend\n"},
        {"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n" HOST,
         "GET / a 1.1 close\nend\n"},
        {"GET / HTTP/1.1\r\nConnection: closed, upgrade\r\nUpgrade: h2c\r\n" HOST,
         "GET / a 1.1\nend\n"},
        {"OPTIONS * HTTP/1.1\r\n" HOST, "OPTIONS * a 1.1\nend\n"},
        {"GET http://b:80/c?d HTTP/1.1\r\n" HOST, "GET /c?d b:80 1.1\nend\n"},
        {"FOO-bar.1 / HTTP/1.1\r\n" HOST, "FOO-bar.1 / a 1.1\nend\n"},
        /* A body goes with any method (RFC 9110 §9.3.1: with GET it means nothing, but it is there). */
        {"GET / HTTP/1.1\r\nContent-Length: 3\r\n" HOST "abcGET /2 HTTP/1.1\r\n" HOST,
         "GET / a 1.1 length=3\nbody abc\nend\nGET /2 a 1.1\nend\n"},
        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n" HOST, "POST / a 1.1 length=0\nend\n"},
        {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab",
         "POST / - 1.0 length=2 close\nbody ab\nend\n"},
        /* Pipelines, cut off. */
        {"GET /1 HTTP/1.1\r\n" HOST "POST /2 HTTP/1.1\r\nContent-Length: 5\r\n" HOST
         "helloGET /3 HTTP/1.1\r\n" HOST "GET /4",
         "GET /1 a 1.1\nend\nPOST /2 a 1.1 length=5\nbody hello\nend\nGET /3 a 1.1\nend\nbegun\n"},
        {"POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST "abc",
         "POST / a 1.1 length=9\nbody abc\nbegun\n"},
        {"G", "begun\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r", "begun\n"},
    };
    (void)state;
    expect_rows(rows, COUNT(rows));
}

/* RFC 9112 §2.2, §3. */
static void request_lines(void **state)
{
    static const struct row rows[] = {
        {"\r\nGET / HTTP/1.1\r\n" HOST, "GET / a 1.1\nend\n"},
        {"\r\n", ""},
        {"\r", ""},
        {"\r\nG", "begun\n"},
        {"\r\n\r\nGET / HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST,
         "GET / a 1.1\nend\nGET /2 a 1.1\nend\n"},
        {"GET / HTTP/1.1\r\n" HOST "\r\n\r\n", "GET / a 1.1\nend\nbad 400\n"},
        {"\nGET / HTTP/1.1\r\n" HOST, "bad 400\n"},
        {" GET / HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET  / HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /  HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.1 \r\n" HOST, "bad 400\n"},
        {"GET / a HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET\t/ HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /\tHTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /\r\n", "bad 400\n"}, /* HTTP/0.9 */
        {"GET\r\n", "bad 400\n"},
        {"GET HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GE(T / HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.1\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", "bad 400\n"},
        {"GET / HTTP/1.1\r\r\n" HOST, "bad 400\n"},
        {"GET / http/1.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.10\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/11\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.x\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/x.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1,1\r\n" HOST, "bad 400\n"},
        {"GET / HTTPS/1.1\r\n" HOST, "bad 400\n"},
        {"GET / HTTP/1.2\r\n" HOST, "bad 505\n"},
        {"GET / HTTP/0.9\r\n" HOST, "bad 505\n"},
        {"GET / HTTP/3.0\r\n" HOST, "bad 505\n"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad 505\n"},
        {"CONNECT a:443 HTTP/1.1\r\n" HOST, "bad 501\n"},
        {"SIXTEEN-LETTERS- / HTTP/1.1\r\n" HOST, "SIXTEEN-LETTERS- / a 1.1\nend\n"},
        {"SEVENTEEN-LETTERS / HTTP/1.1\r\n" HOST, "bad 501\n"},
        {"GET * HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET a HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET a:443 HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /a#b HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /\x80 HTTP/1.1\r\n" HOST, "bad 400\n"},
        {"GET /\x01", "bad 400\n"},
        {"\x16\x03\x01\x02", "bad 400\n"}, /* TLS */
    };
    (void)state;
    expect_rows(rows, COUNT(rows));
}

/* RFC 9112 §5; each one behind a request line that is right. */
static void field_lines(void **state)
{
    static const struct row rows[] = {
        {"Host: a\r\nX: y\r\n", "GET / a 1.1\nend\n"},
        {"Host:a\r\n", "GET / a 1.1\nend\n"},
        {"Host: \t a \t\r\n", "GET / a 1.1\nend\n"},
        {"hOsT: a\r\n", "GET / a 1.1\nend\n"},
        {"Host: a\r\nX:\r\nY: \t\r\n", "GET / a 1.1\nend\n"},
        {"Host: a\r\nX: a\x80\xff b\tc\r\n", "GET / a 1.1\nend\n"},
        {"Host : a\r\n", "bad 400\n"},
        {"Host\t: a\r\n", "bad 400\n"},
        {" Host: a\r\n", "bad 400\n"},
        {"Host: a\r\nX: y\r\n z\r\n", "bad 400\n"}, /* obs-fold */
        {"Host: a\r\nX: y\r\n\tz: 1\r\n", "bad 400\n"},
        {"Host: a\r\n \r\n", "bad 400\n"},
        {"Host: a\r\nX\r\n", "bad 400\n"},
        {"Host: a\r\n: y\r\n", "bad 400\n"},
        {"Host: a\r\nX y: z\r\n", "bad 400\n"},
        {"Host: a\r\nX\x80: z\r\n", "bad 400\n"},
        {"Host: a\r\n\"X\": z\r\n", "bad 400\n"},
        {"Host: a\r\nX: y\nZ: 1\r\n", "bad 400\n"},
        {"Host: a\r\nX: y\rZ: 1\r\n", "bad 400\n"},
        {"Host: a\r\nX: y\r\r\n", "bad 400\n"},
        {"Host: a\n", "bad 400\n"},
        {"Host: a\r\nX: \x01\r\n", "bad 400\n"},
        {"Host: a\r\nX: \x7f\r\n", "bad 400\n"},
        {"Host: a\r\nX: \x1b[2J\r\n", "bad 400\n"},
        /* RFC 9112 §3.2 */
        {"", "bad 400\n"},
        {"X: y\r\n", "bad 400\n"},
        {"Host: a\r\nHost: a\r\n", "bad 400\n"},
        {"Host: a\r\nhost: b\r\n", "bad 400\n"},
        {"Host:\r\n", "bad 400\n"},
        {"Host: a b\r\n", "bad 400\n"},
        {"Host: a/b\r\n", "bad 400\n"},
        {"Host: a@b\r\n", "bad 400\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str in = {.text = NULL};
        str_appendf(&in, "GET / HTTP/1.1\r\n%s\r\n", rows[i].in);
        expect(in.text, rows[i].expected);
        str_free(&in);
    }
    expect_fields("X-One:  a  b \r\nTWO:\r\n",
                  "GET / a 1.1\n  host: a\n  x-one: a  b\n  two: \nend\n");
}

static void nul_octets(void **state)
{
    static const struct {
        const char *in;
        size_t len;
    } rows[] = {
#define BYTES(text) {text, sizeof text - 1}
        BYTES("\0"),
        BYTES("GET /\0 HTTP/1.1\r\n" HOST),
        BYTES("GE\0T / HTTP/1.1\r\n" HOST),
        BYTES("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nX: \0\r\n" HOST),
        BYTES("GET / HTTP/1.1\r\nX\0: y\r\n" HOST),
        BYTES("GET / HTTP/1.1\0\r\n" HOST),
        BYTES("POST / HTTP/1.1\r\nContent-Length: 5\0\r\n" HOST),
        BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\0\r\n" HOST),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_n(MAX, rows[i].in, rows[i].len, "bad 400\n");
    }
    static const char body[] = "POST / HTTP/1.1\r\nContent-Length: 1\r\nHost: a\r\n\r\n\0";
    struct str out = {.text = NULL};
    struct h1_events how = {.max = MAX, .seed = H1_EVENTS_WHOLE};
    h1_events(&how, body, sizeof body - 1, &out); /* a body is of any octets */
    assert_int_equal(out.text[out.len - 6], '\0');
    assert_string_equal(out.text + out.len - 5, "\nend\n");
    str_free(&out);
}

/* RFC 9112 §6: what decides where a request ends. */
static void lengths(void **state)
{
    static const struct row rows[] = {
        {"Content-Length: 5\r\n", "POST / a 1.1 length=5\nbody hello\nend\n"},
        {"Content-Length: 000000000000000000000000000005\r\n",
         "POST / a 1.1 length=5\nbody hello\nend\n"},
        {"Content-Length: 4\r\n", "POST / a 1.1 length=4\nbody hell\nend\nbegun\n"},
        {"Content-Length: 9223372036854775807\r\n",
         "POST / a 1.1 length=9223372036854775807\nbody hello\nbegun\n"},
        {"Content-Length: 9223372036854775808\r\n", "bad 413\n"},
        {"Content-Length: 18446744073709551621\r\n", "bad 413\n"}, /* 5, modulo 2^64 */
        {"Content-Length: 99999999999999999999999999999\r\n", "bad 413\n"},
        {"Content-Length: 99999999999999999999999999999x\r\n", "bad 400\n"},
        {"Content-Length: +5\r\n", "bad 400\n"},
        {"Content-Length: -5\r\n", "bad 400\n"},
        {"Content-Length: -0\r\n", "bad 400\n"},
        {"Content-Length: 5 5\r\n", "bad 400\n"},
        {"Content-Length: 5, 5\r\n", "bad 400\n"},
        {"Content-Length: 5,\r\n", "bad 400\n"},
        {"Content-Length: 0x5\r\n", "bad 400\n"},
        {"Content-Length: 5.0\r\n", "bad 400\n"},
        {"Content-Length: 5e0\r\n", "bad 400\n"},
        {"Content-Length: \"5\"\r\n", "bad 400\n"},
        {"Content-Length: five\r\n", "bad 400\n"},
        {"Content-Length:\r\n", "bad 400\n"},
        {"Content-Length: 5\r\nContent-Length: 5\r\n", "bad 400\n"},
        {"Content-Length: 5\r\ncontent-length: 0\r\n", "bad 400\n"},
        {"Content-Length : 5\r\n", "bad 400\n"},
        {"Content_Length: 5\r\n", "POST / a 1.1\nend\nbegun\n"}, /* another field */
        {"Expect: 100-continue\r\nContent-Length: 5\r\n",
         "POST / a 1.1 length=5 expect\nbody hello\nend\n"},
        {"Expect: 100-Continue\r\n", "POST / a 1.1\nend\nbegun\n"},
        {"Expect: 200-ok\r\nContent-Length: 5\r\n", "bad 417\n"},
        {"Expect: 100-continue, x\r\nContent-Length: 5\r\n", "bad 417\n"},
    };
    (void)state;
    expect_posts(rows, COUNT(rows));
}

/* RFC 9112 §6.1, §6.3 */
static void codings(void **state)
{
    static const struct row rows[] = {
        {"Transfer-Encoding: chunked\r\n", "POST / a 1.1 chunked\nbegun\n"},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "bad 400\n"},
        {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "bad 400\n"},
        {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked, chunked\r\n", "bad 400\n"},
        {"Transfer-Encoding: xchunked\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunkedx\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked,\r\n", "bad 400\n"},
        {"Transfer-Encoding: , chunked\r\n", "bad 400\n"},
        {"Transfer-Encoding: \"chunked\"\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked;q=1\r\n", "bad 400\n"},
        {"Transfer-Encoding: chunked, gzip\r\n", "bad 400\n"},
        {"Transfer-Encoding: gzip\r\n", "bad 400\n"},
        {"Transfer-Encoding: identity\r\n", "bad 400\n"},
        {"Transfer-Encoding:\r\n", "bad 400\n"},
        {"Transfer-Encoding : chunked\r\n", "bad 400\n"},
        {"Transfer-Encoding:\x0b"
         "chunked\r\n",
         "bad 400\n"},
        {"Transfer-Encoding: gzip, chunked\r\n", "bad 501\n"},
        {"Transfer-Encoding: gzip, chunked, chunked\r\n", "bad 400\n"},
        {"TE: chunked\r\n", "POST / a 1.1\nend\nbegun\n"},
    };
    (void)state;
    expect_posts(rows, COUNT(rows));
    expect("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad 400\n");
    expect("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "bad 400\n");
    expect("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\na",
           "POST / - 1.0 length=1 close\nbody a\nend\n");
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
#define THEN    "GET / HTTP/1.1\r\nHost: b\r\n\r\n"

/* RFC 9112 §7.1; behind a head, before another request. */
static void chunks(void **state)
{
    static const struct row rows[] = {
        {"0\r\n\r\n", "end\nGET / b 1.1\nend\n"},
        {"0000\r\n\r\n", "end\nGET / b 1.1\nend\n"},
        {"5\r\nhello\r\n0\r\n\r\n", "body hello\nend\nGET / b 1.1\nend\n"},
        {"5\r\nhello\r\n00000000000000000\r\n\r\n", "body hello\nbad 400\n"}, /* 17 digits */
        {"0000000000000005\r\nhello\r\n0\r\n\r\n", "body hello\nend\nGET / b 1.1\nend\n"},
        {"1\r\na\r\n2\r\nbc\r\nA\r\n0123456789\r\n0b\r\n0123456789a\r\n0\r\n\r\n",
         "body abc01234567890123456789a\nend\nGET / b 1.1\nend\n"},
        {"5;a=b;c=\"d;e\"\r\nhello\r\n0;x\r\n\r\n", "body hello\nend\nGET / b 1.1\nend\n"},
        {"5 \t;a\r\nhello\r\n0\r\n\r\n", "body hello\nend\nGET / b 1.1\nend\n"},
        {"0\r\nX: y\r\nZ:\r\n\r\n", "end\nGET / b 1.1\nend\n"},
        {"0\r\nContent-Length: 5\r\nHost: c\r\n\r\n", "end\nGET / b 1.1\nend\n"}, /* thrown away */
        {"5\r\nhello0\r\n\r\n", "body hello\nbad 400\n"},
        {"5\r\nhello!\r\n0\r\n\r\n", "body hello\nbad 400\n"},
        {"5\r\nhello\n0\r\n\r\n", "body hello\nbad 400\n"},
        {"5\r\nhello\r0\r\n\r\n", "body hello\nbad 400\n"},
        {"5\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5;a\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5;a\rb\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5;\x01\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5;\x7f\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5;\t\x80\r\nhello\r\n0\r\n\r\n", "body hello\nend\nGET / b 1.1\nend\n"},
        {"5\r\nhello\r\n0\r\nX: \x01\r\n\r\n", "body hello\nbad 400\n"},
        {"5\r\nhellox\r\n0\r\n\r\n", "body hello\nbad 400\n"},
        {"5\r\nhello\rx0\r\n\r\n", "body hello\nbad 400\n"},
        {"5 \r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {" 5\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"+5\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"-5\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"0x5\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5h\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"5 a\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {";a\r\nhello\r\n0\r\n\r\n", "bad 400\n"},
        {"10000000000000005\r\nhello\r\n0\r\n\r\n", "bad 400\n"}, /* 5, modulo 2^64 */
        {"0\r\n\n", "bad 400\n"},
        {"0\r\nX\r\n\r\n", "bad 400\n"},
        {"0\r\nX : y\r\n\r\n", "bad 400\n"},
        {"0\r\n X: y\r\n\r\n", "bad 400\n"},
        {"0\r\nX: y\r\n z\r\n\r\n", "bad 400\n"},
        {"0\r\nX: y\nZ: a\r\n\r\n", "bad 400\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str in = {.text = NULL};
        struct str expected = {.text = NULL};
        str_appendf(&in, CHUNKED "%s" THEN, rows[i].in);
        str_appendf(&expected, "POST / a 1.1 chunked\n%s", rows[i].expected);
        expect(in.text, expected.text);
        str_free(&in);
        str_free(&expected);
    }
    expect(CHUNKED "ffffffffffffffff\r\nhello", "POST / a 1.1 chunked\nbody hello\nbegun\n");
    expect(CHUNKED "5", "POST / a 1.1 chunked\nbegun\n");
    expect(CHUNKED "5\r\nhel", "POST / a 1.1 chunked\nbody hel\nbegun\n");
    expect(CHUNKED "5\r\nhello\r\n0\r\n\r", "POST / a 1.1 chunked\nbody hello\nbegun\n");
}

static void repeat(struct str *s, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        str_append(s, text);
    }
}

/* BEFORE, N times TEXT, AFTER. */
static void expect_many(size_t max, const char *before, const char *text, size_t n,
                        const char *after, const char *expected)
{
    struct str in = {.text = NULL};
    str_append(&in, before);
    repeat(&in, text, n);
    str_append(&in, after);
    expect_n(max, in.text, in.len, expected);
    str_free(&in);
}

static void limits_of_heads(void **state)
{
    (void)state;
    /* "GET / HTTP/1.1", "Host: a" and the end: 16 + 9 + 2 octets. */
    expect_n(27, "GET / HTTP/1.1\r\n" HOST, 27, "GET / a 1.1\nend\n");
    expect_n(26, "GET / HTTP/1.1\r\n" HOST, 27, "bad 431\n");
    expect_n(16, "GET / HTTP/1.1\r\n" HOST, 27, "bad 431\n");
    expect_n(15, "GET / HTTP/1.1\r\n" HOST, 27, "bad 414\n");
    expect_n(27, "\r\nGET / HTTP/1.1\r\n" HOST "GET / HTTP/1.1\r\n" HOST, 56,
             "GET / a 1.1\nend\nGET / a 1.1\nend\n");
    /* RFC 9110 §4.1 */
    expect_many(MAX, "PUT /x?", "y", HTTP_TARGET_MAX + 1 - 3, " HTTP/1.1\r\n" HOST, "bad 414\n");
    expect_many(1000, "GET /", "x", 1000, "", "bad 414\n");
    expect_many(1000, "", "x", 1001, "", "bad 414\n");
    expect_many(1000, "", "x", 1000, "", "begun\n");
    expect_many(MAX, "GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", MAX, "", "bad 431\n");
    expect_many(MAX, "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", HTTP_FIELDS_MAX - 1, "\r\n",
                "GET / a 1.1\nend\n");
    expect_many(MAX, "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", HTTP_FIELDS_MAX, "\r\n",
                "bad 431\n");
}

static void limits_of_chunks(void **state)
{
    (void)state;
    /* The line of a size: 256 octets with its end. */
    expect_many(MAX, CHUNKED "0;", "x", 252, "\r\n\r\n", "POST / a 1.1 chunked\nend\n");
    expect_many(MAX, CHUNKED "0;", "x", 253, "\r\n\r\n", "POST / a 1.1 chunked\nbad 400\n");
    expect_many(MAX, CHUNKED "0;", "x", 255, "", "POST / a 1.1 chunked\nbad 400\n");
    /* All extensions: as much as a head. The sizes themselves do not count. */
    expect_many(101, CHUNKED, "1;23456789\r\na\r\n", 11, "0\r\n\r\n",
                "POST / a 1.1 chunked\nbody aaaaaaaaaaa\nend\n");
    expect_many(101, CHUNKED, "1;23456789\r\na\r\n", 12, "0\r\n\r\n",
                "POST / a 1.1 chunked\nbody aaaaaaaaaaa\nbad 400\n");
    expect_many(
        60, CHUNKED, "0001\r\na\r\n", 100, "",
        "POST / a 1.1 chunked\nbody "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaa\nbegun\n");
    /* Trailers: each 6 octets, and the end. */
    expect_many(98, CHUNKED "0\r\n", "X: y\r\n", 16, "\r\n", "POST / a 1.1 chunked\nend\n");
    expect_many(97, CHUNKED "0\r\n", "X: y\r\n", 16, "\r\n", "POST / a 1.1 chunked\nbad 431\n");
    expect_many(MAX, CHUNKED "0\r\n", "X: y\r\n", 1000, "\r\n", "POST / a 1.1 chunked\nend\n");
    expect_many(MAX, CHUNKED "0\r\nX: ", "y", MAX, "", "POST / a 1.1 chunked\nbad 431\n");
}

/* A body that is longer than any piece, and requests without number, leave nothing behind. */
static void long_streams(void **state)
{
    struct h1 h1;
    struct http_head head;
    const uint8_t *piece;
    size_t piece_len;
    size_t used;
    static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
    static uint8_t block[100000];
    (void)state;
    h1_init(&h1, MAX);
    http_head_init(&head, MAX);
    assert_int_equal(h1_read(&h1, &head, (const uint8_t *)request, sizeof request - 1, &used,
                             &piece, &piece_len),
                     H1_HEAD);
    assert_int_equal(used, sizeof request - 1);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(h1_read(&h1, &head, block, sizeof block, &used, &piece, &piece_len),
                         H1_BODY);
        assert_ptr_equal(piece, block);
        assert_int_equal(piece_len, sizeof block);
    }
    assert_int_equal(h1_read(&h1, &head, NULL, 0, &used, &piece, &piece_len), H1_END);
    assert_false(h1.begun);
    assert_int_equal(h1_read(&h1, &head, NULL, 0, &used, &piece, &piece_len), H1_MORE);
    http_head_fini(&head);
    h1_fini(&h1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),         cmocka_unit_test(request_lines),
        cmocka_unit_test(field_lines),      cmocka_unit_test(nul_octets),
        cmocka_unit_test(lengths),          cmocka_unit_test(codings),
        cmocka_unit_test(chunks),           cmocka_unit_test(limits_of_heads),
        cmocka_unit_test(limits_of_chunks), cmocka_unit_test(long_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

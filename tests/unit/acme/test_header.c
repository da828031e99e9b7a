/* Times, Retry-After, Link. */
#include "acme/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOV_1994 784111777000LL /* RFC 9110 §5.6.7's example */

static void http_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994},
        {" \tSun, 06 Nov 1994 08:49:37 GMT \r\n", NOV_1994},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOV_1994},
        {"Sun Nov  6 08:49:37 1994", NOV_1994},
        {"Sun Nov 06 08:49:37 1994", NOV_1994},
        {"Mon, 01 Jan 2080 00:00:00 GMT", 3471292800000},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
        {"Friday, 01-Jan-27 00:00:00 GMT", 1798761600000},
        {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800000},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000},
        {"Thu, 30 Feb 2024 00:00:00 GMT", -1},
        {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
        {"Thu, 29 Feb 1900 00:00:00 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMTx", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nox 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov -994 08:49:37 GMT", -1},
        {"06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 No", -1},
        {"Sun", -1},
        {"120", -1},
        {"", -1},
        {NULL, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -1;
        bool ok = acme_http_date(rows[i].text, &ms);
        if (ok != (rows[i].ms >= 0) || ms != rows[i].ms) {
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
        }
    }
}

static void rfc3339(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        {"1985-04-12T23:20:50.52Z", 482196050520},
        {"1996-12-19T16:39:57-08:00", 851042397000},
        {"1990-12-31T23:59:60Z", 662688000000},
        {"1990-12-31T15:59:60-08:00", 662688000000},
        {"1937-01-01T12:00:27.87+00:20", -1041337172130},
        {"2026-01-01t00:00:00z", 1767225600000},
        {"2026-01-01T00:00:00.123456789Z", 1767225600123},
        {"2026-01-01T00:00:00.1+00:00", 1767225600100},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"9999-12-31T23:59:59Z", 253402300799000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-01-01 00:00:00Z", -1},
        {"2026-01-01T00:00:00", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00Zx", -1},
        {"2026-01-01T00:00:00+0100", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-01-01T00:00:00+01:60", -1},
        {"2026-01-01T00:00Z", -1},
        {"2026-01-01", -1},
        {"26-01-01T00:00:00Z", -1},
        {"2026-1-01T00:00:00Z", -1},
        {"", -1},
        {NULL, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -1;
        bool ok = acme_rfc3339(rows[i].text, &ms);
        if (ok != (rows[i].ms != -1) || ms != rows[i].ms) {
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
        }
    }
}

/* Against the C library, some 200 years of days. */
static void every_day(void **state)
{
    char text[64];
    (void)state;
    for (int64_t day = -25000; day < 50000; day++) {
        time_t t = (time_t)(day * 86400 + 3600 * (day % 24 + 24) % 86400);
        struct tm tm;
        int64_t ms = 0;
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_true(acme_rfc3339(text, &ms) && ms == (int64_t)t * 1000);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_true(acme_http_date(text, &ms) && ms == (int64_t)t * 1000);
    }
}

static void retry_after(void **state)
{
    static const int64_t month = 30LL * 86400000;
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        {"0", 0},
        {"120", 120000},
        {" 3 ", 3000},
        {"3\r\n", 3000},
        {"2591999", month - 1000},
        {"2592000", month},
        {"2592001", month},
        {"99999999999999999999999999999999", month},
        {"18446744073709551616", month},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
        {"Sun Nov  6 08:49:47 1994", 10000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:27 GMT", 0}, /* past */
        {"Sun, 06 Nov 2094 08:49:27 GMT", month},
        {"-1", -1},
        {"+1", -1},
        {"1.5", -1},
        {"1 2", -1},
        {"0x10", -1},
        {"soon", -1},
        {"", -1},
        {NULL, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -1;
        bool ok = acme_retry_after(rows[i].text, NOV_1994, &ms);
        if (ok != (rows[i].ms >= 0) || ms != rows[i].ms) {
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
        }
    }
}

static void links(void **state)
{
    static const struct {
        const char *value;
        size_t n;
        const char *out; /* NULL: there is none */
    } rows[] = {
        {"<https://ca.example/1>;rel=\"alternate\"", 0, "https://ca.example/1"},
        {"<https://ca.example/1>;rel=\"alternate\"", 1, NULL},
        {"<https://ca.example/1> ; rel = alternate", 0, "https://ca.example/1"},
        {"<https://ca.example/1>; REL=Alternate", 0, "https://ca.example/1"},
        {"</acme/cert/2>;rel=\"alternate\"", 0, "https://ca.example/acme/cert/2"},
        {"<2>;rel=\"alternate\"", 0, "https://ca.example/cert/2"},
        {"<https://x/1>;rel=\"index\", <https://x/2>;rel=\"alternate\",<https://x/3>;rel=alternate",
         0, "https://x/2"},
        {"<https://x/1>;rel=\"index\", <https://x/2>;rel=\"alternate\",<https://x/3>;rel=alternate",
         1, "https://x/3"},
        {"<https://x/1>;title=\"a, <https://x/0>;rel=alternate;\\\" b\";rel=alternate", 0,
         "https://x/1"},
        {"<https://x/a,b;c>;rel=\"up alternate\"", 0, "https://x/a,b;c"},
        {"<https://x/1>;rel=\"alternates\"", 0, NULL},
        {"<https://x/1>;rel=\"alt\"", 0, NULL},
        {"<https://x/1>;rel=up;rel=alternate", 0, NULL},
        {"<https://x/1>;rel=alternate;anchor=\"https://y/\"", 0, NULL},
        {"<https://x/1>;flag;rel=alternate", 0, "https://x/1"},
        {",, <https://x/1>;rel=alternate,", 0, "https://x/1"},
        {"<https://x/1>", 0, NULL},
        {"<https://x/1;rel=alternate", 0, NULL},
        {"https://x/1;rel=alternate", 0, NULL},
        {"<https://x/1>;rel=\"alternate", 0, "https://x/1"},
        {"<https://x/1>;rel=", 0, NULL},
        {"<https://x/1> junk, <https://x/2>;rel=alternate", 0, NULL},
        {"<ftp://x/1>;rel=alternate, <https://x/2>;rel=alternate", 0, ""},
        {"<ftp://x/1>;rel=alternate, <https://x/2>;rel=alternate", 1, "https://x/2"},
        {"<>;rel=alternate", 0, ""},
        {"<https://x/\\>;rel=alternate", 0, ""},
        {"<https://x/a-target-that-is-too-long-for-the-room-that-there-is>;rel=alternate", 0, ""},
        {"", 0, NULL},
        {NULL, 0, NULL},
    };
    char out[40];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool ok = acme_link(rows[i].value, "alternate", rows[i].n, "https://ca.example/cert/1", out,
                            sizeof out);
        if (ok != (rows[i].out != NULL)) {
            fail_msg("%s: %s", rows[i].value, out);
        }
        assert_string_equal(out, ok ? rows[i].out : "");
    }
}

static void a_long_target_is_left_out(void **state)
{
    static char value[20000], out[30000];
    (void)state;
    memset(value, 'x', sizeof value);
    memcpy(value, "</", 2);
    memcpy(value + sizeof value - 20, ">;rel=alternate", 16);
    assert_true(acme_link(value, "alternate", 0, "https://ca.example/", out, sizeof out));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_dates), cmocka_unit_test(rfc3339),
        cmocka_unit_test(every_day),  cmocka_unit_test(retry_after),
        cmocka_unit_test(links),      cmocka_unit_test(a_long_target_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* url.c: where cores are, and whom a redirect sends where. */
#include "http/api/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void urls_of_cores(void **state)
{
    static const struct {
        const char *id, *row, *domain, *public_url;
        const char *url; /* NULL: not known */
    } rows[] = {
        {"core-a", NULL, "mc.example.com", NULL, "https://core-a.mc.example.com/"},
        {"Core-A", NULL, "mc.example.com", NULL, "https://core-a.mc.example.com/"},
        {"core-a", "https://a.example.net", "mc.example.com", NULL, "https://a.example.net/"},
        {"core-a", "https://a.example.net/", NULL, NULL, "https://a.example.net/"},
        {"core-a", "http://a.example.net:3000/x", NULL, NULL, "http://a.example.net:3000/x/"},
        {"core-a", NULL, NULL, "https://me.example.org", "https://me.example.org/"},
        {"core-a", NULL, "mc.example.com", "https://me.example.org",
         "https://core-a.mc.example.com/"},
        {"core-a", NULL, NULL, NULL, NULL},
        {"no label", NULL, "mc.example.com", NULL, NULL},
        {"", NULL, "mc.example.com", NULL, NULL},
        {"no label", NULL, "mc.example.com", "https://me.example.org", "https://me.example.org/"},
        {"core-a", "", "mc.example.com", NULL, "https://core-a.mc.example.com/"},
        {"core-a", "a.example.net", "mc.example.com", NULL, "https://core-a.mc.example.com/"},
        {"core-a", "javascript:alert(1)", NULL, NULL, NULL},
        {"core-a", "https://", NULL, NULL, NULL},
        {"core-a", "https:///x", NULL, NULL, NULL},
        {"core-a", "https://a b", NULL, NULL, NULL},
        {"core-a", "https://a\nb", NULL, NULL, NULL},
        {"core-a", "https://\xc3\xa4", NULL, NULL, NULL},
    };
    char out[URL_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool known = url_of_core(rows[i].id, rows[i].row, rows[i].domain, rows[i].public_url, out);
        if (known != (rows[i].url != NULL) || (known && strcmp(out, rows[i].url) != 0)) {
            fail_msg("row %zu: %s", i, known ? out : "(not known)");
        }
    }
}

static void long_urls(void **state)
{
    char url[URL_MAX + 1];
    char out[URL_MAX];
    (void)state;
    memset(url, 'a', sizeof url);
    memcpy(url, "https://", 8);
    url[URL_MAX - 2] = '\0'; /* and a slash makes URL_MAX - 1 octets */
    assert_true(url_of_core("a", url, NULL, NULL, out));
    assert_int_equal(strlen(out), URL_MAX - 1);
    url[URL_MAX - 2] = 'a';
    url[URL_MAX - 1] = '\0';
    assert_false(url_of_core("a", url, NULL, NULL, out));
    assert_true(url_of_core("a", url, "b", NULL, out)); /* as if there were none */
    assert_string_equal(out, "https://a.b/");
}

static const struct url_hosts hosts = {
    .domain = "mc.Example.com",
    .urls = {"https://Public.example.net:8443/path", "http://[2001:db8::2]/"},
    .addresses = {"192.0.2.1", "2001:db8::0:1"},
};

static enum err redirect(const char *host, const char *target, char *out, size_t cap)
{
    struct err_info info = {.text = ""};
    enum err e = url_redirect(&hosts, 443, host, target, out, cap, &info);
    assert_true((e == ERR_OK) == (info.text[0] == '\0'));
    return e;
}

static void hosts_that_are_ours(void **state)
{
    static const struct {
        const char *host, *location;
    } rows[] = {
        {"mc.example.com", "https://mc.example.com/x"},
        {"MC.EXAMPLE.COM", "https://mc.example.com/x"},
        {"mc.example.com.", "https://mc.example.com/x"},
        {"mc.example.com:80", "https://mc.example.com/x"},
        {"mc.example.com:", "https://mc.example.com/x"},
        {"mc.example.com.:8080", "https://mc.example.com/x"},
        {"al.mc.example.com", "https://al.mc.example.com/x"},
        {"a_b.c.mc.example.com", "https://a_b.c.mc.example.com/x"},
        {"public.example.net", "https://public.example.net/x"},
        {"192.0.2.1", "https://192.0.2.1/x"},
        {"192.0.2.1:80", "https://192.0.2.1/x"},
        {"[2001:db8::1]", "https://[2001:db8::1]/x"},
        {"[2001:DB8:0::1]:80", "https://[2001:db8::1]/x"},
        {"[2001:db8::2]", "https://[2001:db8::2]/x"},
    };
    char out[512];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (redirect(rows[i].host, "/x", out, sizeof out) != ERR_OK ||
            strcmp(out, rows[i].location) != 0) {
            fail_msg("%s", rows[i].host);
        }
    }
}

static void hosts_that_are_not(void **state)
{
    static const struct {
        const char *host;
        enum err e;
    } rows[] = {
        {"example.com", ERR_DENIED},
        {"evil.example", ERR_DENIED},
        {"xmc.example.com", ERR_DENIED},
        {"mc.example.com.evil.example", ERR_DENIED},
        {"sub.public.example.net", ERR_DENIED},
        {"192.0.2.2", ERR_DENIED},
        {"192.0.2.1.", ERR_DENIED}, /* a name */
        {"[2001:db8::3]", ERR_DENIED},
        {"", ERR_MALFORMED},
        {".", ERR_MALFORMED},
        {".mc.example.com", ERR_MALFORMED},
        {"a..mc.example.com", ERR_MALFORMED},
        {"mc.example.com..", ERR_MALFORMED},
        {"evil.example@mc.example.com", ERR_MALFORMED},
        {"mc.example.com@evil.example", ERR_MALFORMED},
        {"evil.example/.mc.example.com", ERR_MALFORMED},
        {"evil.example\\.mc.example.com", ERR_MALFORMED},
        {"evil.example?.mc.example.com", ERR_MALFORMED},
        {"evil.example#.mc.example.com", ERR_MALFORMED},
        {"mc.example.com:80@evil.example", ERR_MALFORMED},
        {"mc.example.com:65536", ERR_MALFORMED},
        {"mc.example.com:80:80", ERR_MALFORMED},
        {"mc.example.com: 80", ERR_MALFORMED},
        {"mc.example.com\r\nX: y", ERR_MALFORMED},
        {" mc.example.com", ERR_MALFORMED},
        {"\xc3\xa4.mc.example.com", ERR_MALFORMED},
        {"%61.mc.example.com", ERR_MALFORMED},
        {"2001:db8::1", ERR_MALFORMED},
        {"[2001:db8::1", ERR_MALFORMED},
        {"[2001:db8::1]x", ERR_MALFORMED},
        {"[2001:db8::1]:x", ERR_MALFORMED},
        {"[fe80::1%25eth0]", ERR_MALFORMED},
        {"[192.0.2.1]", ERR_MALFORMED},
        {"[mc.example.com]", ERR_MALFORMED},
    };
    char out[512];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum err e = redirect(rows[i].host, "/", out, sizeof out);
        if (e != rows[i].e) {
            fail_msg("%s: %s", rows[i].host, err_text(e));
        }
    }
}

static void long_hosts(void **state)
{
    char host[400];
    char out[1024];
    (void)state;
    memset(host, 'a', 64);
    strcpy(host + 64, ".mc.example.com");
    assert_int_equal(redirect(host, "/", out, sizeof out), ERR_MALFORMED);
    assert_int_equal(redirect(host + 1, "/", out, sizeof out), ERR_OK);
    for (size_t i = 0; i < 240; i++) {
        host[i] = i % 2 == 0 ? 'a' : '.';
    }
    strcpy(host + 240, "mc.example.com"); /* 254 octets: one more than a name has in text */
    assert_int_equal(redirect(host, "/", out, sizeof out), ERR_MALFORMED);
    strcpy(host + 239, ".mc.example.com");
    host[0] = 'b';
    assert_int_equal(redirect(host + 2, "/", out, sizeof out), ERR_OK);
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    assert_int_equal(redirect(host, "/", out, sizeof out), ERR_MALFORMED);
}

static void targets(void **state)
{
    static const struct {
        const char *target;
        enum err e;
    } rows[] = {
        {"/", ERR_OK},
        {"/a/b?c=d&e=%20f", ERR_OK},
        {"//evil.example/", ERR_OK}, /* a path, behind our own host */
        {"/a|b{c}", ERR_OK},
        {"", ERR_MALFORMED},
        {"*", ERR_MALFORMED},
        {"http://evil.example/", ERR_MALFORMED},
        {".evil.example/", ERR_MALFORMED},
        {"@evil.example/", ERR_MALFORMED},
        {"/a b", ERR_MALFORMED},
        {"/a\r\nSet-Cookie: x", ERR_MALFORMED},
        {"/a\tb", ERR_MALFORMED},
        {"/a#b", ERR_MALFORMED},
        {"/\x7f", ERR_MALFORMED},
        {"/\xc3\xa4", ERR_MALFORMED},
    };
    char out[512];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum err e = redirect("mc.example.com", rows[i].target, out, sizeof out);
        if (e != rows[i].e) {
            fail_msg("%s: %s", rows[i].target, err_text(e));
        }
        if (e == ERR_OK) {
            assert_memory_equal(out, "https://mc.example.com/", 23);
            assert_string_equal(out + 22, rows[i].target);
        }
    }
    assert_int_equal(redirect("mc.example.com", "/abc", out, 27), ERR_OK); /* with its NUL */
    assert_int_equal(redirect("mc.example.com", "/abc", out, 26), ERR_LIMIT);
}

static void ports_and_nothing_of_ours(void **state)
{
    const struct url_hosts none = {.domain = NULL};
    char out[128];
    (void)state;
    assert_int_equal(url_redirect(&hosts, 8443, "mc.example.com", "/", out, sizeof out, NULL),
                     ERR_OK);
    assert_string_equal(out, "https://mc.example.com:8443/");
    assert_int_equal(url_redirect(&hosts, 65535, "[2001:db8::1]:80", "/", out, sizeof out, NULL),
                     ERR_OK);
    assert_string_equal(out, "https://[2001:db8::1]:65535/");
    assert_int_equal(url_redirect(&none, 443, "mc.example.com", "/", out, sizeof out, NULL),
                     ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_cores),
        cmocka_unit_test(long_urls),
        cmocka_unit_test(hosts_that_are_ours),
        cmocka_unit_test(hosts_that_are_not),
        cmocka_unit_test(long_hosts),
        cmocka_unit_test(targets),
        cmocka_unit_test(ports_and_nothing_of_ours),
    };
    return cmocka_run_group_tests_name("api/url", tests, NULL, NULL);
}

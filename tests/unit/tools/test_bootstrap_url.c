/* bootstrap_url.c: https URLs and addresses of cores. */
#include "tools/bootstrap_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void urls_are_read(void **state)
{
    static const struct {
        const char *text, *host, *path;
        uint16_t port;
        bool is_address;
    } cases[] = {
        {"https://a.example.com", "a.example.com", "", 443, false},
        {"https://A.Example.COM/", "a.example.com", "/", 443, false},
        {"https://core-a:9090/x/y?z=1", "core-a", "/x/y?z=1", 9090, false},
        {"https://192.0.2.1:1", "192.0.2.1", "", 1, true},
        {"https://[2001:db8::1]", "2001:db8::1", "", 443, true},
        {"https://[2001:db8::1]:65535/a", "2001:db8::1", "/a", 65535, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bootstrap_url url;
        struct err_info info = {.text = ""};
        assert_int_equal(bootstrap_url_read(cases[i].text, &url, &info), ERR_OK);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.is_address, cases[i].is_address);
    }
}

static void what_is_no_https_url_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "https://",
        "https:///x",
        "http://a.example.com", /* a token in clear */
        "HTTPS://a.example.com",
        "a.example.com",
        "https://user@a.example.com",
        "https://user:secret@a.example.com/",
        "https://a.example.com:0",
        "https://a.example.com:",
        "https://a.example.com:65536",
        "https://a.example.com:9x",
        "https://a.example.com:000009090",
        "https://a.example.com#x",
        "https://a.example.com/#x",
        "https://a.example.com?x",
        "https://a b.example.com",
        "https://a.example.com/\n",
        "https://a_b.example.com",
        "https://-a.example.com",
        "https://a-.example.com",
        "https://a..example.com",
        "https://.example.com",
        "https://[2001:db8::1",
        "https://2001:db8::1/",
        "https://[192.0.2.1]",
        "https://[]",
        "https://\xc3\xa9.example.com",
        "https://a123456789012345678901234567890123456789012345678901234567890123.example.com",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bootstrap_url url;
        struct err_info info = {.text = ""};
        if (bootstrap_url_read(cases[i], &url, &info) != ERR_MALFORMED || info.text[0] == '\0') {
            fail_msg("%s", cases[i]);
        }
    }
}

static void a_url_has_a_limit(void **state)
{
    char text[BOOTSTRAP_URL_MAX + 2] = "https://a.example.com/";
    struct bootstrap_url url;
    (void)state;
    memset(text + strlen(text), 'x', BOOTSTRAP_URL_MAX - strlen(text));
    text[BOOTSTRAP_URL_MAX] = '\0';
    assert_int_equal(bootstrap_url_read(text, &url, NULL), ERR_OK);
    text[BOOTSTRAP_URL_MAX] = 'x';
    text[BOOTSTRAP_URL_MAX + 1] = '\0';
    assert_int_equal(bootstrap_url_read(text, &url, NULL), ERR_MALFORMED);
}

static void addresses_are_those_that_others_can_call(void **state)
{
    static const struct {
        const char *text, *ipv4, *ipv6; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", NULL},
        {"10.0.0.1", "10.0.0.1", NULL},
        {"223.255.255.255", "223.255.255.255", NULL},
        {"0.0.0.0", NULL, NULL},
        {"127.0.0.1", NULL, NULL},
        {"224.0.0.1", NULL, NULL},
        {"255.255.255.255", NULL, NULL},
        {"192.0.2", NULL, NULL},
        {"192.0.2.256", NULL, NULL},
        {"192.0.2.01", NULL, NULL},
        {" 192.0.2.1", NULL, NULL},
        {"192.0.2.1,DNS:evil", NULL, NULL},
        {"", NULL, NULL},
        {"2001:DB8:0:0::1", NULL, "2001:db8::1"},
        {"fd00::1", NULL, "fd00::1"},
        {"::", NULL, NULL},
        {"::1", NULL, NULL},
        {"::ffff:192.0.2.1", NULL, NULL},
        {"fe80::1", NULL, NULL},
        {"febf::1", NULL, NULL},
        {"ff02::1", NULL, NULL},
        {"2001:db8::1%eth0", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[INET6_ADDRSTRLEN] = "";
        enum err e = bootstrap_ipv4_read(cases[i].text, out, NULL);
        assert_int_equal(e, cases[i].ipv4 != NULL ? ERR_OK : ERR_MALFORMED);
        assert_string_equal(out, cases[i].ipv4 != NULL ? cases[i].ipv4 : "");
        out[0] = '\0';
        e = bootstrap_ipv6_read(cases[i].text, out, NULL);
        assert_int_equal(e, cases[i].ipv6 != NULL ? ERR_OK : ERR_MALFORMED);
        assert_string_equal(out, cases[i].ipv6 != NULL ? cases[i].ipv6 : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(what_is_no_https_url_is_refused),
        cmocka_unit_test(a_url_has_a_limit),
        cmocka_unit_test(addresses_are_those_that_others_can_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

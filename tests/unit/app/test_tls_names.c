#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dnsd/app/tls.h"

static char domain[] = "mc.example.com", id[] = "core-a", ip[] = "192.0.2.1", ip6[] = "2001:db8::1";

static void expect(const struct config *c, const char *const *names)
{
    char *got[TLS_SLOT_NAMES_MAX];
    size_t n = tls_slot_names(c, got);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(names[i]);
        assert_string_equal(got[i], names[i]);
        free(got[i]);
    }
    assert_null(names[n]);
}

static void everything_that_leads_here(void **state)
{
    char url[] = "https://core-a.example.net:8443/api";
    char public_url[] = "https://platform.example.com";
    struct config c = {.core = {.id = id, .url = url, .ip = ip, .ipv6 = ip6},
                       .dns = {.domain_text = domain},
                       .dns_less = {.public_url = public_url}};
    (void)state;
    expect(&c, (const char *const[]){"mc.example.com", "*.mc.example.com", "core-a.example.net",
                                     "platform.example.com", ip, ip6, NULL});
}

static void hosts_of_urls(void **state)
{
    const struct {
        const char *url, *host;
    } cases[] = {
        {"http://a.example", "a.example"},
        {"https://a.example:1/x?y#z", "a.example"},
        {"https://user:word@a.example/", "a.example"},
        {"https://[2001:db8::7]:8443/", "2001:db8::7"},
        {"https://192.0.2.9?x=@", "192.0.2.9"},
        {"https://MC.example.com.", "mc.example.com"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char url[64];
        snprintf(url, sizeof url, "%s", cases[i].url);
        struct config c = {.core = {.id = id, .url = url}};
        expect(&c, (const char *const[]){cases[i].host, NULL});
    }
}

static void each_name_once(void **state)
{
    char url[] = "https://MC.example.com/";
    char public_url[] = "https://192.0.2.1/";
    struct config c = {.core = {.id = id, .url = url, .ip = ip},
                       .dns = {.domain_text = domain},
                       .dns_less = {.public_url = public_url}};
    (void)state;
    expect(&c, (const char *const[]){"mc.example.com", "*.mc.example.com", ip, NULL});
}

static void without_anything_the_id(void **state)
{
    struct config c = {.core = {.id = id}};
    (void)state;
    expect(&c, (const char *const[]){"core-a", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_leads_here),
        cmocka_unit_test(hosts_of_urls),
        cmocka_unit_test(each_name_once),
        cmocka_unit_test(without_anything_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bootstrap_wish.c: what new-core is asked for, all problems in one go. */
#include "tools/bootstrap_wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ttl_s; /* 0: refused */
    } cases[] = {
        {"24h", 86400},
        {"1m", 60},
        {"60s", 60},
        {"90s", 90},
        {"30d", 2592000},
        {"720h", 2592000},
        {"2592000s", 2592000},
        {"59s", 0},
        {"0m", 0},
        {"31d", 0},
        {"721h", 0},
        {"2592001s", 0},
        {"", 0},
        {"h", 0},
        {"24", 0},
        {"86400000", 0},
        {"24 h", 0},
        {"-1h", 0},
        {"+1h", 0},
        {"1.5h", 0},
        {"24H", 0},
        {"1w", 0},
        {"1h30m", 0},
        {"99999999d", 0},
        {"0x5m", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ttl_s = 0;
        bool well = wish_ttl_read(cases[i].text, &ttl_s);
        if (well != (cases[i].ttl_s != 0) || ttl_s != cases[i].ttl_s) {
            fail_msg("%s: %lld", cases[i].text, (long long)ttl_s);
        }
    }
}

/* A core that may let others in. */
static struct config good(void)
{
    return (struct config){
        .core = {.id = (char *)"core-a", .ip = (char *)"192.0.2.1"},
        .dns = {.domain_text = (char *)"mc.example.com"},
        .auth = {.admin_access_key = (char *)"key"},
        .cluster = {.join_port = 9090},
        .storages = {.engine_rqlite = true},
    };
}

static void read_wish(const struct args *args, const struct config *config, struct wish *out,
                      struct wish_problems *problems)
{
    *problems = (struct wish_problems){.count = 0};
    wish_read(args, config, out, problems);
}

static void a_plain_wish(void **state)
{
    const struct args args = {.id = "Core-B", .ip = "192.0.2.2"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 0);
    assert_string_equal(w.id, "core-b");
    assert_string_equal(w.ip, "192.0.2.2");
    assert_string_equal(w.ipv6, "");
    assert_null(w.url);
    assert_string_equal(w.out, "./bootstrap-core-b.bundle");
    assert_int_equal(w.ttl_s, 86400);
    assert_string_equal(w.ack_url, "https://192.0.2.1:9090/system/admin/cores/ack");
    assert_false(w.ack_given);
    assert_false(w.replace);
    wish_free(&w);
    config.core.ip = NULL;
    config.core.ipv6 = (char *)"2001:db8::1";
    read_wish(&args, &config, &w, &p);
    assert_string_equal(w.ack_url, "https://[2001:db8::1]:9090/system/admin/cores/ack");
    wish_free(&w);
}

static void a_full_wish(void **state)
{
    const struct args args = {.given = ARGS_REPLACE,
                              .id = "b",
                              .ip = "192.0.2.2",
                              .ipv6 = "2001:DB8::2",
                              .url = "https://b.example.org/",
                              .hosting = "eu west",
                              .out = "/x/y",
                              .ttl = "2h",
                              .ack_url = "https://front.example.org:444/"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    config.cluster.join_port = 0; /* it is not needed then */
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 0);
    assert_string_equal(w.ipv6, "2001:db8::2");
    assert_string_equal(w.url, "https://b.example.org/");
    assert_string_equal(w.hosting, "eu west");
    assert_string_equal(w.out, "/x/y");
    assert_int_equal(w.ttl_s, 7200);
    assert_true(w.replace);
    assert_true(w.ack_given);
    assert_string_equal(w.ack_url, "https://front.example.org:444/system/admin/cores/ack");
    wish_free(&w);
}

static void an_ack_url_with_a_path_stays(void **state)
{
    const struct args args = {
        .id = "b", .ip = "192.0.2.2", .ack_url = "https://front.example.org/join?x=1"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 0);
    assert_string_equal(w.ack_url, "https://front.example.org/join?x=1");
    wish_free(&w);
}

static void all_problems_in_one_go(void **state)
{
    const struct args args = {.id = "core_b",
                              .ip = "300.1.1.1",
                              .ipv6 = "::1",
                              .url = "http://b.example.org",
                              .hosting = "",
                              .ttl = "31d",
                              .out = "-",
                              .ack_url = "http://a.example.org"};
    static const char *const named[] = {
        "--id core_b: ", "--ip 300.1.1.1: ", "--ipv6 ::1: ", "--url http://b",
        "--hosting: ",   "--ttl 31d: ",      "--out: ",      "--ack-url http://a"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, COUNT(named));
    assert_false(p.missing);
    for (size_t i = 0; i < COUNT(named); i++) {
        if (strstr(p.text.text, named[i]) == NULL) {
            fail_msg("%s is not in: %s", named[i], p.text.text);
        }
    }
    assert_null(strchr(p.text.text, '\n'));
    str_free(&p.text);
    wish_free(&w);
}

static void what_is_missing_is_wrong_usage(void **state)
{
    const struct args args = {.given = 0};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    config.dns.domain_text = NULL;
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 3);
    assert_true(p.missing);
    assert_non_null(strstr(p.text.text, "--id is missing"));
    assert_non_null(strstr(p.text.text, "--ip is missing"));
    assert_non_null(strstr(p.text.text, "--url is missing"));
    str_free(&p.text);
    wish_free(&w);
}

static void this_core_is_no_new_one(void **state)
{
    const struct args args = {.id = "core-a", .ip = "192.0.2.1", .ipv6 = "2001:db8::1"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    config.core.id = (char *)"Core-A";
    config.core.ipv6 = (char *)"2001:db8::1";
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 3);
    str_free(&p.text);
    wish_free(&w);
}

static void no_port_and_no_ack_url(void **state)
{
    const struct args args = {.id = "b", .ip = "192.0.2.2"};
    struct config config = good();
    struct wish w;
    struct wish_problems p;
    (void)state;
    config.cluster.join_port = 0;
    read_wish(&args, &config, &w, &p);
    assert_int_equal(p.count, 1);
    assert_non_null(strstr(p.text.text, "cluster.joinPort"));
    str_free(&p.text);
    wish_free(&w);
}

static void check(const struct config *config, bool has_keys, const char *expect)
{
    struct wish_problems p = {.count = 0};
    wish_check_config(config, has_keys, &p);
    if (expect == NULL) {
        assert_int_equal(p.count, 0);
    } else {
        assert_int_equal(p.count, 1);
        assert_non_null(strstr(p.text.text, expect));
    }
    str_free(&p.text);
}

static void a_configuration_has_to_be_one_of_a_cluster(void **state)
{
    struct config config = good();
    (void)state;
    check(&config, false, NULL);
    config.lets_encrypt.enabled = true;
    check(&config, true, NULL);
    check(&config, false, "letsEncrypt.atRestKey");
    config = good();
    config.platform.pii_hashed = true;
    check(&config, false, "platform.piiHmacKey");
    config.platform.pii_hmac_key = (char *)"pepper";
    check(&config, false, NULL);
    config.auth.admin_access_key = NULL;
    check(&config, false, "auth.adminAccessKey");
    config = good();
    config.storages.engine_rqlite = false;
    check(&config, false, "storages.platform.engine: rqlite first, see docs/OPERATIONS.md");
    config = good();
    config.storages.rqlite.external = true;
    check(&config, false, "external");
    config = good();
    config.core.ip = NULL;
    check(&config, false, "core.ip");
    config.core.ipv6 = (char *)"2001:db8::1";
    check(&config, false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(a_plain_wish),
        cmocka_unit_test(a_full_wish),
        cmocka_unit_test(an_ack_url_with_a_path_stays),
        cmocka_unit_test(all_problems_in_one_go),
        cmocka_unit_test(what_is_missing_is_wrong_usage),
        cmocka_unit_test(this_core_is_no_new_one),
        cmocka_unit_test(no_port_and_no_ack_url),
        cmocka_unit_test(a_configuration_has_to_be_one_of_a_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

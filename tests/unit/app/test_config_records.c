/* dnsd/app/config: dns.staticEntries and dns.records.root become record sets with canonical names.
 */
#include "dnsd/app/config_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum err load(const char *yaml, struct config *config, struct config_problems *problems)
{
    struct cfg *c = cfg_new();
    *config = (struct config){.path = NULL};
    *problems = (struct config_problems){.count = 0};
    cfg_add(c, "f", yaml, strlen(yaml));
    enum err e = config_from_cfg(c, config, problems);
    cfg_free(c);
    return e;
}

static const struct config_entry *entry(const struct config *c, const char *relative)
{
    char text[WIRE_NAME_TEXT_MAX];
    for (size_t i = 0; i < c->dns.static_entries.count; i++) {
        wire_name_to_relative(&c->dns.static_entries.items[i].owner, &c->dns.domain, text);
        if (strcmp(text, relative) == 0) {
            return &c->dns.static_entries.items[i];
        }
    }
    return NULL;
}

/* ROW as record_to_json() writes it: that fixes types, data and TTLs at once. */
static void expect_row(const struct record_set *set, const struct wire_name *apex, const char *row)
{
    char *json = record_to_json(set, apex);
    assert_string_equal(json, row);
    free(json);
}

static void entries_have_the_shape_of_rows(void **state)
{
    static const struct {
        const char *name, *row;
    } expected[] = {
        {"www", "{\"a\":[\"192.0.2.1\",\"192.0.2.2\"],\"aaaa\":[\"2001:db8::1\"]}"},
        {"alias", "{\"cname\":\"www.mc.example.com\"}"},
        {"deep.er", "{\"txt\":[\"12345\",\"two words\"],\"ttl\":60}"},
        {"mail",
         "{\"a\":[\"192.0.2.3\"],\"mx\":[{\"exchange\":\"mail.mc.example.com\",\"priority\":"
         "0}],\"ttls\":{\"mx\":5}}"},
        {"_imaps._tcp", "{\"srv\":[\"0 5 993 mail.example.net.\"]}"},
        {"odd", "{\"type65280\":[\"\\\\# 2 abcd\"]}"},
        {"*.dyn", "{\"a\":[\"192.0.2.9\"]}"},
        {"caa", "{\"caa\":[{\"flags\":128,\"tag\":\"issue\",\"value\":\"ca.example\"}]}"},
        {"abs", "{\"a\":[\"192.0.2.8\"]}"},
    };
    struct config c;
    struct config_problems p;
    (void)state;
    enum err e = load("dns:\n"
                      "  domain: mc.example.com\n"
                      "  staticEntries:\n"
                      "    WWW: {a: [192.0.2.1, REPLACE ME, 192.0.2.2], aaaa: '2001:db8::1'}\n"
                      "    alias: {cname: www}\n"
                      "    deep.er: {txt: [12345, two words], ttl: 60}\n"
                      "    mail:\n"
                      "      a: 192.0.2.3\n"
                      "      mx: {exchange: mail, priority: 0}\n"
                      "      ttls: {mx: 5}\n"
                      "    _imaps._tcp: {srv: ['0 5 993 mail.example.net.']}\n"
                      "    odd: {type65280: '\\# 2 abcd'}\n"
                      "    '*.dyn': {a: [192.0.2.9], aaaa: [], txt: null}\n"
                      "    caa: {caa: [{flags: 128, tag: issue, value: ca.example}]}\n"
                      "    abs.mc.example.com.: {a: 192.0.2.8}\n"
                      "    later: REPLACE ME\n",
                      &c, &p);
    assert_string_equal(p.text.text != NULL ? p.text.text : "", "");
    assert_int_equal(e, ERR_OK);
    assert_int_equal(c.dns.static_entries.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct config_entry *found = entry(&c, expected[i].name);
        assert_non_null(found);
        expect_row(&found->records, &c.dns.domain, expected[i].row);
    }
    for (size_t i = 1; i < c.dns.static_entries.count; i++) {
        const struct wire_name *a = &c.dns.static_entries.items[i - 1].owner;
        const struct wire_name *b = &c.dns.static_entries.items[i].owner;
        assert_true(memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len) < 0);
    }
    config_free(&c);
    config_problems_free(&p);
}

static void the_default_ttl_is_the_configured_one(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    assert_int_equal(load("dns:\n  domain: a.example\n  staticEntries: {x: {a: 192.0.2.1}}\n"
                          "  defaultTTL: 77\n",
                          &c, &p),
                     ERR_OK);
    const struct record_rrset *a = record_find(&entry(&c, "x")->records, TYPE_A);
    assert_non_null(a);
    assert_int_equal(a->ttl, 77);
    assert_true(a->ttl_default);
    config_free(&c);
    config_problems_free(&p);
}

static void the_domains_own_records_arrive(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    enum err e = load("dns:\n"
                      "  domain: mc.example.com\n"
                      "  records:\n"
                      "    root:\n"
                      "      a: [192.0.2.1]\n"
                      "      ns: [ns1, ns.example.net]\n"
                      "      mx: [{exchange: mail.example.net, priority: 0}]\n"
                      "      txt: 'v=spf1 -all'\n"
                      "      caa: [{flags: 0, tag: issue, value: ca.example}]\n"
                      "      soa:\n"
                      "        primary: ns1\n"
                      "        admin: first.last@example.com\n"
                      "        serial: 4294967295\n"
                      "        refresh: 1\n"
                      "        retry: 2\n"
                      "        expiration: 3\n"
                      "        minimum: 0\n",
                      &c, &p);
    assert_string_equal(p.text.text != NULL ? p.text.text : "", "");
    assert_int_equal(e, ERR_OK);
    expect_row(&c.dns.root, &c.dns.domain,
               "{\"a\":[\"192.0.2.1\"],\"txt\":[\"v=spf1 -all\"],\"mx\":[{\"exchange\":"
               "\"mail.example.net\",\"priority\":0}],\"caa\":[{\"flags\":0,\"tag\":\"issue\","
               "\"value\":\"ca.example\"}],\"ns\":[\"ns1.mc.example.com.\",\"ns.example.net.\"]}");
    assert_string_equal(c.dns.soa.primary, "ns1");
    assert_string_equal(c.dns.soa.admin, "first.last@example.com");
    assert_true(c.dns.soa.serial == UINT32_MAX);
    assert_int_equal(c.dns.soa.refresh_s, 1);
    assert_int_equal(c.dns.soa.retry_s, 2);
    assert_int_equal(c.dns.soa.expiration_s, 3);
    assert_int_equal(c.dns.soa.minimum_s, 0);
    config_free(&c);
    config_problems_free(&p);
}

/* Without a domain the entries are checked all the same, and then left out. */
static void records_without_a_domain_are_checked(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    assert_int_equal(load("dns: {staticEntries: {x: {a: 192.0.2.1}}, records: {root: {a: "
                          "192.0.2.1}}}\n",
                          &c, &p),
                     ERR_OK);
    assert_int_equal(c.dns.static_entries.count, 0);
    assert_int_equal(c.dns.root.count, 0);
    config_free(&c);
    config_problems_free(&p);
    assert_int_equal(load("dns: {staticEntries: {x: {a: 192.0.2}}}\n", &c, &p), ERR_MALFORMED);
    config_problems_free(&p);
}

/* One entry per row, on line 3; each gives one problem there that starts so. */
static void bad_entries_are_told_where_they_stand(void **state)
{
    static const struct {
        const char *line, *problem;
    } rows[] = {
        {"x: {a: [192.0.2.1, ~, 999]}", "f:3: dns.staticEntries.x.a[2]: A: \"999\" is not an IPv4"},
        {"x: {a: {b: c}}", "f:3: dns.staticEntries.x.a: "},
        {"x: {aaaa: 192.0.2.1}", "f:3: dns.staticEntries.x.aaaa: "},
        {"x: {cname: [a, b]}", "f:3: dns.staticEntries.x: "},
        {"x: {cname: a, a: 192.0.2.1}", "f:3: dns.staticEntries.x: "},
        {"x: {mx: [{exchange: a, priority: 65536}]}", "f:3: dns.staticEntries.x.mx[0]: "},
        {"x: {mx: [{exchange: a, priority: high}]}", "f:3: dns.staticEntries.x.mx[0]: "},
        {"x: {ttl: 1h, a: 192.0.2.1}", "f:3: dns.staticEntries.x.ttl: "},
        {"x: {ttls: {a: -1}, a: 192.0.2.1}", "f:3: dns.staticEntries.x.ttls: "},
        {"x: {nope: 1}", "f:3: dns.staticEntries.x.nope: not a record type"},
        {"x: {soa: 1}", "f:3: dns.staticEntries.x"},
        {"x: {rrsig: 'a'}", "f:3: dns.staticEntries.x"},
        {"x: {}", "f:3: dns.staticEntries.x: holds no record; "},
        {"x: {a: []}", "f:3: dns.staticEntries.x: holds no record; "},
        {"x: 192.0.2.1", "f:3: dns.staticEntries.x: must be a map of record types"},
        {"x: [192.0.2.1]", "f:3: dns.staticEntries.x: must be a map of record types"},
        {"'@': {a: 192.0.2.1}", "f:3: dns.staticEntries.@: the domain's own records belong under "
                                "dns.records.root\n"},
        {"mc.example.com.: {a: 192.0.2.1}",
         "f:3: dns.staticEntries.mc.example.com.: the domain's own records belong under"},
        {"www.mc.example.com: {a: 192.0.2.1}", "f:3: dns.staticEntries.www.mc.example.com: "},
        {"www.example.org.: {a: 192.0.2.1}", "f:3: dns.staticEntries.www.example.org.: "},
        {"a b: {a: 192.0.2.1}", "f:3: dns.staticEntries.a b: "},
        {"a..b: {a: 192.0.2.1}", "f:3: dns.staticEntries.a..b: "},
        {"'a*': {a: 192.0.2.1}", "f:3: dns.staticEntries.a*: "},
        {"REG: {a: 192.0.2.1}",
         "f:3: dns.staticEntries.REG: is a service name (dns.serviceNames), which wins over static "
         "entries, so this would never be answered; remove one of the two\n"},
        {"lsc: {cname: host.example.org}", "f:3: dns.staticEntries.lsc: leads to every core; an "
                                           "entry may only give the addresses (a, "
                                           "aaaa) of the first ones\n"},
        {"LSC: {a: 192.0.2.1, txt: t}", "f:3: dns.staticEntries.LSC: leads to every core; "},
        {"lsc.mc.example.com.: {txt: t}",
         "f:3: dns.staticEntries.lsc.mc.example.com.: leads to every core; "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c;
        struct config_problems p;
        char yaml[256];
        snprintf(yaml, sizeof yaml, "dns:\n  {domain: mc.example.com, staticEntries: {\n  %s}}\n",
                 rows[i].line);
        enum err e = load(yaml, &c, &p);
        const char *text = p.text.text != NULL ? p.text.text : "";
        if (e != ERR_MALFORMED || p.count != 1 ||
            strncmp(text, rows[i].problem, strlen(rows[i].problem)) != 0) {
            fail_msg("for %s expected %s got %zu: %s", rows[i].line, rows[i].problem, p.count,
                     text);
        }
        config_free(&c);
        config_problems_free(&p);
    }
}

static void names_around_a_service_name_are_free(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    assert_int_equal(load("dns: {domain: a.example, staticEntries: {x.reg: {a: 192.0.2.1}, "
                          "_acme.lsc: {txt: t}, reg.x: {a: 192.0.2.1}, lsc.x: {txt: t}}}\n",
                          &c, &p),
                     ERR_OK);
    assert_int_equal(c.dns.static_entries.count, 4);
    config_free(&c);
    config_problems_free(&p);
}

static void founders_may_be_given(void **state)
{
    static const char *const entries[] = {
        "lsc: {a: [192.0.2.1, 192.0.2.2], aaaa: [\"2001:db8::1\"]}",
        "LSC: {a: 192.0.2.1}",
        "lsc.a.example.: {aaaa: \"2001:db8::1\", ttl: 60}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        struct config c;
        struct config_problems p;
        char yaml[256];
        snprintf(yaml, sizeof yaml, "dns: {domain: a.example, staticEntries: {%s}}\n", entries[i]);
        assert_int_equal(load(yaml, &c, &p), ERR_OK);
        assert_int_equal(c.dns.static_entries.count, 1);
        config_free(&c);
        config_problems_free(&p);
    }
}

static void one_name_written_in_two_ways_is_told(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    assert_int_equal(load("dns:\n"
                          "  domain: a.example\n"
                          "  staticEntries:\n"
                          "    www: {a: 192.0.2.1}\n"
                          "    other: {a: 192.0.2.1}\n"
                          "    WWW: {a: 192.0.2.1}\n"
                          "    www.a.example.: {a: 192.0.2.1}\n",
                          &c, &p),
                     ERR_MALFORMED);
    assert_string_equal(p.text.text,
                        "f:6: dns.staticEntries.WWW: is the same name as `www` on line 4; keep one "
                        "of them\n"
                        "f:7: dns.staticEntries.www.a.example.: is the same name as `WWW` on line "
                        "6; keep one of them\n");
    config_problems_free(&p);
}

static void bad_root_records_are_told_once(void **state)
{
    static const struct {
        const char *line, *problem;
    } rows[] = {
        {"cname: a", "f:2: dns.records.root.cname: unknown key; "},
        {"a: [192.0.2.1, x]", "f:2: dns.records.root.a[1]: "},
        {"aaa: x", "f:2: dns.records.root.aaa: unknown key; did you mean `aaaa`?\n"},
        {"mx: [{priority: 5}]", "f:2: dns.records.root.mx[0]: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c;
        struct config_problems p;
        char yaml[256];
        snprintf(yaml, sizeof yaml, "dns: {domain: mc.example.com, records: {root: {\n  %s}}}\n",
                 rows[i].line);
        enum err e = load(yaml, &c, &p);
        const char *text = p.text.text != NULL ? p.text.text : "";
        if (e != ERR_MALFORMED || p.count != 1 ||
            strncmp(text, rows[i].problem, strlen(rows[i].problem)) != 0) {
            fail_msg("for %s expected %s got %zu: %s", rows[i].line, rows[i].problem, p.count,
                     text);
        }
        config_free(&c);
        config_problems_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_have_the_shape_of_rows),
        cmocka_unit_test(the_default_ttl_is_the_configured_one),
        cmocka_unit_test(the_domains_own_records_arrive),
        cmocka_unit_test(records_without_a_domain_are_checked),
        cmocka_unit_test(bad_entries_are_told_where_they_stand),
        cmocka_unit_test(names_around_a_service_name_are_free),
        cmocka_unit_test(founders_may_be_given),
        cmocka_unit_test(one_name_written_in_two_ways_is_told),
        cmocka_unit_test(bad_root_records_are_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dnsd/app/config_names.h"
#include "dnsd/wire/type.h"

/* What the rules make of a name, once the configuration has been through. */
static enum names_kind kind_of(const struct names *n, const struct config *c, const char *name)
{
    struct wire_name owner;
    assert_int_equal(wire_name_owner(name, config_apex(c), &owner, NULL), ERR_OK);
    return names_fixed(n, &owner);
}

static void test_every_section_has_its_say(void **state)
{
    char reg[] = "reg", access[] = "access", server[] = "ns-one", core[] = "core-a";
    char domain[] = "mc.example.com";
    char *services[] = {reg, access};
    struct config_pair servers[] = {{server, core}};
    struct config_entry statics[1] = {{.records = {.count = 0}}};
    struct record_rrset root[] = {{.type = TYPE_MX}};
    struct config c = {.dns = {.domain_text = domain,
                               .service_names = {services, 2},
                               .nameservers = {servers, 1},
                               .static_entries = {statics, 1},
                               .root = {root, 1}}};
    struct err_info info;
    (void)state;
    assert_int_equal(wire_name_from_text("mc.example.com", NULL, &c.dns.domain, NULL), ERR_OK);
    assert_int_equal(wire_name_owner("www", &c.dns.domain, &statics[0].owner, NULL), ERR_OK);
    struct names *n = config_names_new(&c);
    assert_int_equal(kind_of(n, &c, "lsc"), NAMES_DISCOVERY);
    assert_int_equal(kind_of(n, &c, "access"), NAMES_SERVICE);
    assert_int_equal(kind_of(n, &c, "ns-one"), NAMES_SERVER);
    assert_int_equal(kind_of(n, &c, "dns1"), NAMES_NONE); /* they are named, so not numbered */
    assert_int_equal(kind_of(n, &c, "www"), NAMES_STATIC);
    assert_int_equal(kind_of(n, &c, "anna"), NAMES_NONE);
    assert_int_equal(names_check_type(n, &c.dns.domain, TYPE_MX, &info), ERR_CONFLICT);
    assert_int_equal(names_check_type(n, &c.dns.domain, TYPE_TXT, &info), ERR_OK);
    names_free(n);
}

static void test_without_a_domain(void **state)
{
    struct config c = {.dns = {.domain_text = NULL}};
    (void)state;
    assert_int_equal(config_apex(&c)->labels, 0);
    assert_int_equal(config_apex(&c)->len, 1);
    struct names *n = config_names_new(&c);
    assert_int_equal(kind_of(n, &c, "dns7"), NAMES_SERVER);
    assert_int_equal(kind_of(n, &c, "anna"), NAMES_NONE);
    names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_section_has_its_say),
        cmocka_unit_test(test_without_a_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* names.c: who may have a name. */
#include "dnsd/zone/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dnsd/wire/type.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct wire_name apex;

static struct wire_name at(const char *text)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text(text, &apex, &name, NULL), ERR_OK);
    return name;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(wire_name_from_text("mc.Example.com.", NULL, &apex, NULL), ERR_OK);
    return 0;
}

/* With generated servers, or with the two given. */
static struct names *make(bool servers)
{
    static const char *const services[] = {"reg", "Access", "not a name, ..", "mfa"};
    static const char *const labels[] = {"ns-a", "NS-B"};
    static const uint16_t root[] = {TYPE_MX, TYPE_NS};
    struct wire_name statics[] = {at("www"), at("a.B"), at("reg"), at("dns3"), at("lsc")};
    return names_new(&(struct names_config){
        .apex = &apex,
        .services = services,
        .service_count = COUNT(services),
        .servers = labels,
        .server_count = servers ? COUNT(labels) : 0,
        .servers_numbered = !servers,
        .statics = statics,
        .static_count = COUNT(statics),
        .root_types = root,
        .root_type_count = COUNT(root),
    });
}

static void fixed_names_are_found_whatever_the_case(void **state)
{
    static const struct {
        const char *name;
        enum names_kind generated, configured;
    } cases[] = {
        {"lsc", NAMES_DISCOVERY, NAMES_DISCOVERY}, /* also static: the founders */
        {"LSC", NAMES_DISCOVERY, NAMES_DISCOVERY},
        {"a.lsc", NAMES_NONE, NAMES_NONE},
        {"reg", NAMES_SERVICE, NAMES_SERVICE}, /* also static: the service has more meaning */
        {"access", NAMES_SERVICE, NAMES_SERVICE},
        {"aCCess", NAMES_SERVICE, NAMES_SERVICE},
        {"mfa", NAMES_SERVICE, NAMES_SERVICE},
        {"www", NAMES_STATIC, NAMES_STATIC},
        {"A.b", NAMES_STATIC, NAMES_STATIC},
        {"b", NAMES_NONE, NAMES_NONE},
        {"dns1", NAMES_SERVER, NAMES_NONE},
        {"DNS12", NAMES_SERVER, NAMES_NONE},
        {"dns3", NAMES_SERVER, NAMES_STATIC},
        {"dns0", NAMES_NONE, NAMES_NONE},
        {"dns01", NAMES_NONE, NAMES_NONE},
        {"dns", NAMES_NONE, NAMES_NONE},
        {"dns1a", NAMES_NONE, NAMES_NONE},
        {"x.dns1", NAMES_NONE, NAMES_NONE},
        {"dns1.x", NAMES_NONE, NAMES_NONE},
        {"ns-a", NAMES_NONE, NAMES_SERVER},
        {"ns-b", NAMES_NONE, NAMES_SERVER},
        {"@", NAMES_NONE, NAMES_NONE},
        {"dns1.example.com.", NAMES_NONE, NAMES_NONE},
        {"dns1.other.tld.", NAMES_NONE, NAMES_NONE},
    };
    struct names *generated = make(false);
    struct names *configured = make(true);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire_name name = at(cases[i].name);
        print_message("%s\n", cases[i].name);
        assert_int_equal(names_fixed(generated, &name), cases[i].generated);
        assert_int_equal(names_fixed(configured, &name), cases[i].configured);
    }
    names_free(generated);
    names_free(configured);
}

static void labels_are_ldh(void **state)
{
    static const char sixty_three[] =
        "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz";
    static const struct {
        const char *text;
        const char *label; /* NULL: refused */
    } cases[] = {
        {"alice", "alice"},
        {"Alice-2", "alice-2"},
        {"9", "9"},
        {sixty_three, sixty_three},
        {"", NULL},
        {"-a", NULL},
        {"a-", NULL},
        {"_acme-challenge", NULL},
        {"*", NULL},
        {"a.b", NULL},
        {"a b", NULL},
        {"@", NULL},
        {"a_b", NULL},
        {"j\xc3\xbcrg", NULL},
        {"xabcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz", NULL},
    };
    (void)state;
    assert_int_equal(strlen(sixty_three), WIRE_LABEL_MAX);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[WIRE_LABEL_MAX + 1] = "untouched";
        struct err_info info = {.text = ""};
        enum err e = names_label(cases[i].text, out, &info);
        print_message("%s\n", cases[i].text);
        assert_int_equal(e, cases[i].label != NULL ? ERR_OK : ERR_MALFORMED);
        assert_string_equal(out, cases[i].label != NULL ? cases[i].label : "untouched");
        assert_int_equal(info.text[0] != '\0', cases[i].label == NULL);
    }
}

static void what_is_above_shadows_and_what_is_below_would_be_hidden(void **state)
{
    static const struct {
        enum names_kind kind;
        const char *name;
        struct names_rows rows;
        enum names_kind shadow;
        const char *why; /* part of the reason; NULL: allowed */
    } cases[] = {
        {NAMES_RECORD, "x", {false, false, false}, NAMES_NONE, NULL},
        {NAMES_RECORD, "x", {true, false, false}, NAMES_NONE, NULL}, /* itself */
        {NAMES_RECORD, "x", {false, true, false}, NAMES_NONE, "is a core: a record"},
        {NAMES_RECORD, "x", {false, false, true}, NAMES_NONE, "is a user: a record"},
        {NAMES_RECORD, "lsc", {false, false, false}, NAMES_DISCOVERY, "never be answered"},
        {NAMES_RECORD, "reg", {false, false, false}, NAMES_SERVICE, "dns.serviceNames"},
        {NAMES_RECORD, "dns9", {false, false, false}, NAMES_SERVER, "dns.nameservers"},
        {NAMES_RECORD, "www", {false, false, false}, NAMES_STATIC, "dns.staticEntries"},
        {NAMES_RECORD, "@", {false, false, false}, NAMES_NONE, NULL},
        {NAMES_RECORD, "*", {false, false, false}, NAMES_NONE, NULL},
        {NAMES_RECORD, "_acme-challenge", {false, false, false}, NAMES_NONE, NULL},
        {NAMES_CORE, "x", {false, true, false}, NAMES_NONE, NULL},
        {NAMES_CORE, "x", {true, false, false}, NAMES_RECORD, "is a stored record: a core"},
        {NAMES_CORE, "x", {false, false, true}, NAMES_NONE, "would hide it"},
        {NAMES_CORE, "mfa", {false, false, false}, NAMES_SERVICE, "a core of that name"},
        {NAMES_USER, "x", {false, false, true}, NAMES_NONE, NULL},
        {NAMES_USER, "x", {true, false, false}, NAMES_RECORD, "stored record"},
        {NAMES_USER, "x", {false, true, false}, NAMES_CORE, "is a core: a user"},
        {NAMES_USER, "www", {false, false, true}, NAMES_STATIC, "a user of that name"},
        {NAMES_USER, "dns1", {false, false, false}, NAMES_SERVER, "name server"},
    };
    struct names *n = make(false);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err_info info = {.text = ""};
        struct wire_name owner = at(cases[i].name);
        enum err e = names_check(n, cases[i].kind, &owner, &cases[i].rows, &info);
        print_message("%zu %s: %s\n", i, cases[i].name, info.text);
        assert_int_equal(names_shadow(n, cases[i].kind, &owner, &cases[i].rows), cases[i].shadow);
        assert_int_equal(e, cases[i].why != NULL ? ERR_CONFLICT : ERR_OK);
        if (cases[i].why != NULL) {
            assert_non_null(strstr(info.text, cases[i].why));
            assert_ptr_equal(strstr(info.text, cases[i].name), info.text);
        }
    }
    names_free(n);
}

static void the_apex_means_one_thing_per_type(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        const char *why;
    } cases[] = {
        {"@", TYPE_SOA, "dns.records.root.soa"},
        {"@", TYPE_MX, "MX of the domain itself"},
        {"@", TYPE_NS, "dns.records.root"},
        {"@", TYPE_TXT, NULL},
        {"@", TYPE_A, NULL},
        {"MC.example.COM.", TYPE_MX, "MX"},
        {"x", TYPE_MX, NULL},
        {"x", TYPE_NS, NULL},
    };
    struct names *n = make(false);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err_info info = {.text = ""};
        struct wire_name owner = at(cases[i].name);
        enum err e = names_check_type(n, &owner, cases[i].type, &info);
        assert_int_equal(e, cases[i].why != NULL ? ERR_CONFLICT : ERR_OK);
        assert_true(cases[i].why == NULL || strstr(info.text, cases[i].why) != NULL);
    }
    names_free(n);
    names_free(NULL);
}

static void without_a_domain_labels_are_names_below_the_root(void **state)
{
    static const struct wire_name root = {.len = 1, .bytes = {0}};
    struct names_rows none = {.record = false};
    struct wire_name owner;
    struct names *n = names_new(&(struct names_config){.apex = &root, .servers_numbered = true});
    (void)state;
    assert_int_equal(wire_name_from_text("lsc", &root, &owner, NULL), ERR_OK);
    assert_int_equal(names_check(n, NAMES_USER, &owner, &none, NULL), ERR_CONFLICT);
    assert_int_equal(wire_name_from_text("alice", &root, &owner, NULL), ERR_OK);
    assert_int_equal(names_check(n, NAMES_USER, &owner, &none, NULL), ERR_OK);
    names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fixed_names_are_found_whatever_the_case, setup),
        cmocka_unit_test_setup(labels_are_ldh, setup),
        cmocka_unit_test_setup(what_is_above_shadows_and_what_is_below_would_be_hidden, setup),
        cmocka_unit_test_setup(the_apex_means_one_thing_per_type, setup),
        cmocka_unit_test_setup(without_a_domain_labels_are_names_below_the_root, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

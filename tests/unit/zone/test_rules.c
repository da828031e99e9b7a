/* rules.c: which of the rules of record.h and names.h speaks, and that each is asked. */
#include "dnsd/zone/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct wire_name apex;
static struct names *names;

static struct wire_name at(const char *text)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text(text, &apex, &name, NULL), ERR_OK);
    return name;
}

static int setup(void **state)
{
    static const char *const services[] = {"reg"};
    static const uint16_t root[] = {TYPE_MX};
    (void)state;
    assert_int_equal(wire_name_from_text("mc.example.com.", NULL, &apex, NULL), ERR_OK);
    names = names_new(&(struct names_config){.apex = &apex,
                                             .services = services,
                                             .service_count = 1,
                                             .root_types = root,
                                             .root_type_count = 1});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_free(names);
    return 0;
}

static void each_rule_speaks(void **state)
{
    static const struct {
        const char *owner, *json;
        struct names_rows others;
        enum err e;
        const char *says;
    } rows[] = {
        {"www", "{\"a\":[\"192.0.2.1\"]}", {.core = false}, ERR_OK, ""},
        {"@", "{\"a\":[\"192.0.2.1\"]}", {.core = false}, ERR_OK, ""},
        {"www", "{\"cname\":\"a\",\"txt\":\"x\"}", {.core = false}, ERR_CONFLICT, "stands alone"},
        {"@", "{\"cname\":\"a\"}", {.core = false}, ERR_CONFLICT, "at the domain itself"},
        {"www", "{\"dname\":\"a\"}", {.core = false}, ERR_DENIED, "DNAME"},
        {"@", "{\"mx\":[\"10 a\"]}", {.core = false}, ERR_CONFLICT, "dns.records.root"},
        {"www", "{\"mx\":[\"10 a\"]}", {.core = false}, ERR_OK, ""},
        {"Reg", "{\"a\":[\"192.0.2.1\"]}", {.core = false}, ERR_CONFLICT, "a service name"},
        {"lsc", "{\"a\":[\"192.0.2.1\"]}", {.core = false}, ERR_CONFLICT, "finds its members"},
        {"al", "{\"a\":[\"192.0.2.1\"]}", {.user = true}, ERR_CONFLICT, "a user"},
        {"al", "{\"a\":[\"192.0.2.1\"]}", {.core = true}, ERR_CONFLICT, "a core"},
        {"al", "{\"a\":[\"192.0.2.1\"]}", {.record = true}, ERR_OK, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        struct wire_name owner = at(rows[i].owner);
        struct record_set set;
        assert_int_equal(record_from_json(rows[i].json, &apex, 300, &set, NULL, NULL), ERR_OK);
        enum err e = rules_records(names, &apex, &owner, &set, &rows[i].others, &info);
        if (e != rows[i].e || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: %s, \"%s\"", i, err_text(e), info.text);
        }
        record_set_free(&set);
    }
}

static void labels(void **state)
{
    static const struct {
        const char *owner;
        bool is;
    } rows[] = {{"@", false}, {"a", true}, {"a.b", false}, {"*", true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name owner = at(rows[i].owner);
        assert_int_equal(rules_is_label(&apex, &owner), rows[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_rule_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(labels, setup, teardown),
    };
    return cmocka_run_group_tests_name("zone/rules", tests, NULL, NULL);
}

/* dnsd/app/config_json: a tree as JSON reads the same again. */
#include "dnsd/app/config_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char *json_of(const char *yaml)
{
    struct cfg *c = cfg_new();
    cfg_add(c, "f.yml", yaml, strlen(yaml));
    assert_int_equal(cfg_problem_count(c), 0);
    json_t *json = config_json(cfg_root(c));
    char *text = json_dumps(json, JSON_COMPACT);
    assert_non_null(text);
    json_decref(json);
    cfg_free(c);
    return text;
}

static void types_are_kept(void **state)
{
    static const char *const rows[][2] = {
        {"a: 1", "{\"a\":1}"},
        {"a: -5", "{\"a\":-5}"},
        {"a: 0", "{\"a\":0}"},
        {"a: '1'", "{\"a\":\"1\"}"},
        {"a: \"true\"", "{\"a\":\"true\"}"},
        {"a: true\nb: false", "{\"a\":true,\"b\":false}"},
        {"a: yes\nb: True", "{\"a\":\"yes\",\"b\":\"True\"}"},
        {"a: 010\nb: 0x1f\nc: 1.0\nd: 1e3\ne: -0", "{\"a\":\"010\",\"b\":\"0x1f\",\"c\":\"1.0\","
                                                   "\"d\":\"1e3\",\"e\":\"-0\"}"},
        {"a: 9223372036854775807", "{\"a\":9223372036854775807}"},
        {"a: 9223372036854775808", "{\"a\":\"9223372036854775808\"}"},
        {"a: ' 1'\nb: +1", "{\"a\":\" 1\",\"b\":\"+1\"}"},
        {"a: {b: [1, x, {c: d}]}", "{\"a\":{\"b\":[1,\"x\",{\"c\":\"d\"}]}}"},
        {"a: []\nb: {}", "{\"a\":[],\"b\":{}}"},
        {"a: 'a \"b\" \\ c'", "{\"a\":\"a \\\"b\\\" \\\\ c\"}"},
        {"a: 192.0.2.1\nb: 2001:db8::1", "{\"a\":\"192.0.2.1\",\"b\":\"2001:db8::1\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *once = json_of(rows[i][0]);
        assert_string_equal(once, rows[i][1]);
        char *twice = json_of(once); /* JSON is YAML */
        assert_string_equal(twice, once);
        free(once);
        free(twice);
    }
}

static void what_is_unset_is_left_out(void **state)
{
    static const char *const rows[][2] = {
        {"a:\nb: ~\nc: null\nd: ''\ne: x", "{\"e\":\"x\"}"},
        {"a: 'null'", "{\"a\":\"null\"}"},
        {"a: REPLACE ME\nb: 'x REPLACE ME y'\nc: ${HOME}", "{}"},
        {"a: [REPLACE ME, x, ~]", "{\"a\":[\"x\"]}"},
        {"a: {b: '${X}'}", "{\"a\":{}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = json_of(rows[i][0]);
        assert_string_equal(text, rows[i][1]);
        free(text);
    }
    assert_null(config_json(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_kept),
        cmocka_unit_test(what_is_unset_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

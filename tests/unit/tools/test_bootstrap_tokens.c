/* bootstrap_tokens.c: join tokens as they are shown. */
#include "tools/bootstrap_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define NOW 1700000000000

static json_t *token(const char *core, json_int_t expires, json_int_t consumed, json_int_t revoked)
{
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "core", core, "issuedAt",
                     (json_int_t)NOW - 1000, "expiresAt", expires, "consumedAt",
                     consumed != 0 ? json_integer(consumed) : json_null(), "consumedFrom",
                     consumed != 0 ? json_string("192.0.2.9") : json_null(), "revokedAt",
                     revoked != 0 ? json_integer(revoked) : json_null());
}

static json_t *every_kind(void)
{
    json_t *list = json_array();
    json_array_append_new(list, token("core-b", NOW + 1, 0, 0));
    json_array_append_new(list, token("core-c", NOW, 0, 0));
    json_array_append_new(list, token("core-d", NOW + 1, NOW - 5, 0));
    json_array_append_new(list, token("core-e", NOW + 1, 0, NOW - 5));
    return list;
}

static const char *shown_at(const json_t *shown, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(shown, i), key));
}

static void only_active_ones_unless_all_are_wanted(void **state)
{
    json_t *list = every_kind();
    json_t *some = tokens_shown(list, false, NOW);
    json_t *all = tokens_shown(list, true, NOW);
    (void)state;
    assert_int_equal(json_array_size(some), 1);
    assert_string_equal(shown_at(some, 0, "core"), "core-b");
    assert_string_equal(shown_at(some, 0, "state"), "active");
    assert_int_equal(json_array_size(all), 4);
    assert_string_equal(shown_at(all, 1, "state"), "expired");
    assert_string_equal(shown_at(all, 2, "state"), "consumed from 192.0.2.9");
    assert_string_equal(shown_at(all, 3, "state"), "revoked");
    json_decref(some);
    json_decref(all);
    json_decref(list);
}

static void columns_line_up(void **state)
{
    json_t *list = every_kind();
    json_t *shown = tokens_shown(list, false, NOW);
    struct str out = {.text = NULL};
    (void)state;
    tokens_render(shown, false, &out);
    assert_string_equal(out.text,
                        "CORE    EXPIRES                  ISSUED                   STATE\n"
                        "core-b  2023-11-14 22:13:20 UTC  2023-11-14 22:13:19 UTC  active\n");
    str_free(&out);
    json_decref(shown);
    json_decref(list);
}

static void none_is_said(void **state)
{
    json_t *none = json_array();
    struct str out = {.text = NULL};
    (void)state;
    tokens_render(none, false, &out);
    assert_string_equal(out.text, "(no active join tokens)\n");
    str_free(&out);
    tokens_render(none, true, &out);
    assert_string_equal(out.text, "(no join tokens)\n");
    str_free(&out);
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_active_ones_unless_all_are_wanted),
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(none_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

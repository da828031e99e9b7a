/* Typed JSON access: what is refused, and what each refusal says. */
#include "lib/jx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    struct err_info info = {.text = ""};
    if (jx_parse(text, strlen(text), &root, &info) != ERR_OK) {
        fail_msg("%s: %s", text, info.text);
    }
    return root;
}

static void texts_that_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } rows[] = {
        {"", 0, "JSON line"},
        {"{", 1, "JSON line 1"},
        {"{\"a\":1,\"a\":2}", 13, "duplicate"},
        {"{\"a\":1} x", 9, "end of file"},
        {"\"a\\u0000b\"", 10, "\\u0000"},
        {"\"a\0b\"", 5, "JSON line"},
        {"\"\xff\"", 3, "byte 0xff"},
        {"[1,]", 4, "JSON line"},
        {"01", 2, "JSON line"},
        {"99999999999999999999", 20, "big integer"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *root = NULL;
        struct err_info info = {.text = ""};
        assert_int_equal(jx_parse(rows[i].text, rows[i].len, &root, &info), ERR_MALFORMED);
        assert_null(root);
        if (strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, info.text, rows[i].says);
        }
    }
}

static void loose_texts(void **state)
{
    static const char text[] = "[\"a\\u0000b\", 9223372036854775807]";
    static const char large[] = "[\"a\\u0000b\", 7, 100000000000000000000]";
    struct err_info info = {.text = ""};
    json_t *root = NULL;
    (void)state;
    assert_int_equal(jx_parse_loose(text, strlen(text), &root, &info), ERR_OK);
    assert_int_equal(3, json_string_length(json_array_get(root, 0)));
    assert_true(json_integer_value(json_array_get(root, 1)) == INT64_MAX);
    json_decref(root);
    assert_int_equal(jx_parse_loose(large, strlen(large), &root, &info), ERR_OK);
    assert_true(json_real_value(json_array_get(root, 1)) == 7.0);
    assert_true(json_real_value(json_array_get(root, 2)) == 1e20);
    json_decref(root);
    root = NULL;
    assert_int_equal(jx_parse_loose("[1e999]", 7, &root, &info), ERR_MALFORMED);
    assert_int_equal(jx_parse_loose("{\"a\":1,\"a\":2}", 13, &root, &info), ERR_MALFORMED);
    assert_null(root);
}

static void any_value_parses_but_objects_may_be_asked_for(void **state)
{
    static const char *const texts[] = {"1", "null", "\"a\"", "[]", "true", " 1.5 "};
    json_t *root = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_decref(parse(texts[i]));
        assert_int_equal(jx_parse_object(texts[i], strlen(texts[i]), &root, &info), ERR_MALFORMED);
        assert_non_null(strstr(info.text, "must be an object"));
        assert_null(root);
    }
    assert_int_equal(jx_parse_object("{}", 2, &root, &info), ERR_OK);
    json_decref(root);
}

static void depth_is_bounded(void **state)
{
    char text[2 * JX_DEPTH_MAX + 8];
    json_t *root = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    memset(text, '[', JX_DEPTH_MAX);
    memset(text + JX_DEPTH_MAX, ']', JX_DEPTH_MAX);
    assert_int_equal(jx_parse(text, 2 * JX_DEPTH_MAX, &root, &info), ERR_OK);
    json_decref(root);
    root = NULL;
    memset(text, '[', JX_DEPTH_MAX + 1);
    memset(text + JX_DEPTH_MAX + 1, ']', JX_DEPTH_MAX + 1);
    assert_int_equal(jx_parse(text, 2 * JX_DEPTH_MAX + 2, &root, &info), ERR_LIMIT);
    assert_null(root);
}

static void brackets_in_strings_do_not_nest(void **state)
{
    char text[256];
    (void)state;
    memset(text, '[', sizeof text);
    memcpy(text, "\"\\\"", 3);
    text[sizeof text - 2] = '"';
    text[sizeof text - 1] = '\0';
    json_decref(parse(text));
}

static void lists(void **state)
{
    json_t *o = parse("{\"l\":[1],\"n\":7,\"z\":null}");
    const json_t *list = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(jx_array(o, "l", &list, &info), ERR_OK);
    assert_int_equal(1, json_array_size(list));
    assert_int_equal(jx_array(o, "q", &list, &info), ERR_NOTFOUND);
    assert_int_equal(jx_array(o, "z", &list, &info), ERR_NOTFOUND);
    assert_int_equal(jx_array(o, "n", &list, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "n: must be a list");
    json_decref(o);
}

static void texts_that_must_fit(void **state)
{
    json_t *o = parse("{\"s\":\"four\",\"n\":7,\"e\":\"\",\"l\":[\"a\",7,\"b\"]}");
    struct err_info info = {.text = ""};
    char out[8];
    (void)state;
    memset(out, 'z', sizeof out);
    assert_int_equal(jx_text(o, "s", out, 5, &info), ERR_OK);
    assert_string_equal(out, "four");
    assert_int_equal(out[5], 'z');
    assert_int_equal(jx_text(o, "s", out, 4, &info), ERR_LIMIT);
    assert_string_equal(info.text, "s: longer than 3 octets");
    assert_string_equal(out, "");
    assert_int_equal(jx_text(o, "e", out, 1, &info), ERR_OK);
    out[0] = 'z';
    assert_int_equal(jx_text(o, "n", out, sizeof out, &info), ERR_MALFORMED);
    assert_string_equal(out, "");
    assert_int_equal(jx_text(o, "q", out, sizeof out, &info), ERR_NOTFOUND);
    assert_string_equal(jx_string_at(json_object_get(o, "l"), 2), "b");
    assert_null(jx_string_at(json_object_get(o, "l"), 1));
    assert_null(jx_string_at(json_object_get(o, "l"), 3));
    assert_null(jx_string_at(o, 0));
    json_decref(o);
}

static void objects(void **state)
{
    json_t *o = parse("{\"o\":{\"x\":1},\"n\":7,\"z\":null}");
    const json_t *inner = NULL;
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(jx_object(o, "o", &inner, &info), ERR_OK);
    assert_int_equal(1, json_object_size(inner));
    assert_int_equal(jx_object(o, "q", &inner, &info), ERR_NOTFOUND);
    assert_int_equal(jx_object(o, "z", &inner, &info), ERR_NOTFOUND);
    assert_int_equal(jx_object(o, "n", &inner, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "n: must be an object");
    json_decref(o);
}

static void members(void **state)
{
    json_t *o = parse("{\"s\":\"x\",\"b\":true,\"n\":7,\"r\":7.0,\"z\":null,\"o\":{}}");
    const char *text = NULL;
    bool flag = false;
    int64_t number = 0;
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(jx_string(o, "s", &text, &info), ERR_OK);
    assert_string_equal(text, "x");
    assert_int_equal(jx_bool(o, "b", &flag, &info), ERR_OK);
    assert_true(flag);
    assert_int_equal(jx_int(o, "n", 7, 7, &number, &info), ERR_OK);
    assert_int_equal(number, 7);

    assert_int_equal(jx_string(o, "q", &text, &info), ERR_NOTFOUND);
    assert_string_equal(info.text, "q: missing");
    assert_int_equal(jx_string(o, "z", &text, &info), ERR_NOTFOUND);
    assert_int_equal(jx_string(o, "n", &text, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "n: must be a string");
    assert_int_equal(jx_bool(o, "s", &flag, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "s: must be true or false");
    assert_int_equal(jx_bool(o, "q", &flag, &info), ERR_NOTFOUND);
    assert_int_equal(jx_int(o, "r", 0, 9, &number, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "r: must be a whole number");
    assert_int_equal(jx_int(o, "n", 8, 9, &number, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "n: must be from 8 to 9");
    assert_int_equal(jx_int(o, "n", 0, 6, &number, &info), ERR_MALFORMED);
    assert_int_equal(jx_int(o, "z", 0, 6, &number, &info), ERR_NOTFOUND);
    assert_int_equal(jx_int(o, "o", 0, 6, &number, NULL), ERR_MALFORMED);
    assert_string_equal(text, "x");
    assert_int_equal(number, 7);
    json_decref(o);
}

/* ---- secrets, and memory --------------------------------------------------------------------- */

static unsigned left_behind, taken;
static size_t fails_at; /* 0: never */

static void *take(size_t n)
{
    taken++;
    return fails_at > 0 && --fails_at == 0 ? NULL : calloc(1, n);
}

static void give(void *p)
{
    left_behind += p != NULL && memmem(p, malloc_usable_size(p), "secret", 6) != NULL;
    free(p);
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    json_set_alloc_funcs(take, give);
    json_t *shared = json_string("a shared secret");
    json_t *root = json_pack("{s:[s,{s:s},n,i],s:s,s:O}", "a", "secret 1", "b", "secret 2", 7, "c",
                             "secret 3", "d", shared);
    assert_non_null(root);
    left_behind = 0;
    jx_wipe(json_incref(root)); /* somebody else holds it: nothing happens to it */
    assert_string_equal(jx_string_at(json_object_get(root, "a"), 0), "secret 1");
    jx_wipe(root);
    assert_int_equal(left_behind, 0);
    assert_string_equal(json_string_value(shared), "a shared secret");
    json_decref(shared);
    assert_int_equal(left_behind, 1); /* so it would have been seen */
    jx_wipe(NULL);
    json_set_alloc_funcs(malloc, free);
}

static void no_memory_for_the_first_buffer(void **state)
{
    struct err_info info = {.text = ""};
    json_t *root = NULL;
    (void)state;
    json_set_alloc_funcs(take, give);
    taken = 0;
    fails_at = 1;
    assert_int_equal(jx_parse("{}", 2, &root, &info), ERR_NOMEM);
    assert_int_equal(taken, 1);
    assert_null(root);
    assert_string_equal(info.text, "no memory to read JSON");
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_refused),
        cmocka_unit_test(loose_texts),
        cmocka_unit_test(any_value_parses_but_objects_may_be_asked_for),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(brackets_in_strings_do_not_nest),
        cmocka_unit_test(lists),
        cmocka_unit_test(texts_that_must_fit),
        cmocka_unit_test(objects),
        cmocka_unit_test(members),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(no_memory_for_the_first_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "store/range.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/str.h"

static void ranges(void **state)
{
    static const struct {
        const char *prefix;
        const char *expected; /* low..high of each, '*' before that of challenges */
    } cases[] = {
        {"", "*challenge/..challenge0 core-info/..core-info0 dns-record/..dns-record0 "
             "user-core/..user-core0 "},
        {"c", "*challenge/..challenge0 core-info/..core-info0 "},
        {"ch", "*challenge/..challenge0 "},
        {"user-core", "user-core/..user-core0 "},
        {"user-core/", "user-core/..user-core0 "},
        {"user-core/a", "user-core/a..user-core/b "},
        {"user-core/a}", "user-core/a}..user-core/a~ "},
        {"user-core/a~", "user-core/a~..user-core/b "},
        {"user-core/a\x7f", "user-core/a\x7f..user-core/b "},
        {"user-core/\xc3\xa9", "user-core/\xc3\xa9..user-core0 "},
        {"user-core0", ""},
        {"user-corf", ""},
        {"tls-cert/", ""},
        {"/", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct range out[RANGE_KINDS];
        struct str text = {.text = NULL};
        size_t count = range_of(cases[i].prefix, out);
        str_append(&text, "");
        for (size_t k = 0; k < count; k++) {
            str_appendf(&text, "%s%s..%s ", out[k].challenge ? "*" : "", out[k].low, out[k].high);
        }
        assert_string_equal(cases[i].expected, text.text);
        str_free(&text);
    }
}

static void longest(void **state)
{
    char prefix[STORE_KEY_MAX + 1];
    struct range out[RANGE_KINDS];
    (void)state;
    memset(prefix, 'z', STORE_KEY_MAX);
    memcpy(prefix, "user-core/", 10);
    prefix[STORE_KEY_MAX] = '\0';
    assert_int_equal(1, range_of(prefix, out));
    assert_string_equal(prefix, out[0].low);
    assert_int_equal('{', out[0].high[STORE_KEY_MAX - 1]);
    memset(prefix + 10, '\xff', STORE_KEY_MAX - 10);
    assert_int_equal(1, range_of(prefix, out));
    assert_string_equal("user-core0", out[0].high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(longest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* lib/str: numbers, edit distance, suggestions, growing text. */
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_digits_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        uint32_t max;
        bool ok;
        uint32_t value;
    } rows[] = {
        {"0", 10, true, 0},
        {"7", 7, true, 7},
        {"8", 7, false, 0},
        {"007", 10, true, 7},
        {"4294967295", UINT32_MAX, true, UINT32_MAX},
        {"4294967296", UINT32_MAX, false, 0},
        {"99999999999999999999999999", UINT32_MAX, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"1e1", 100, false, 0},
        {"0x1", 100, false, 0},
        {"\xd9\xa1", 100, false, 0}, /* an Arabic one */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t out = 12345;
        assert_int_equal(str_parse_u32(rows[i].text, rows[i].max, &out), rows[i].ok);
        assert_int_equal(out, rows[i].ok ? rows[i].value : 12345);
    }
}

static void distance_counts_edits(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned edits;
    } rows[] = {
        {"", "", 0},        {"", "abc", 3},           {"port", "port", 0}, {"port", "PORT", 0},
        {"port", "prt", 1}, {"port", "poort", 1},     {"port", "pork", 1}, {"port", "prot", 1},
        {"dsn", "dns", 1},  {"kitten", "sitting", 3}, {"abcd", "badc", 2}, {"ca", "abc", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(str_distance(rows[i].a, rows[i].b), rows[i].edits);
        assert_int_equal(str_distance(rows[i].b, rows[i].a), rows[i].edits);
    }
}

static void distance_of_long_texts_is_bounded(void **state)
{
    char a[65], b[66];
    (void)state;
    memset(a, 'a', 64);
    memset(b, 'a', 65);
    a[64] = b[65] = '\0';
    assert_int_equal(str_distance(a, a), 0);
    a[0] = 'b';
    a[63] = 'b';
    b[64] = '\0';
    assert_int_equal(str_distance(a, b), 2);
    b[64] = 'a';
    assert_int_equal(str_distance(a, b), 64);
    assert_int_equal(str_distance(b, b), 64);
}

static void nearest_suggests_slips_only(void **state)
{
    static const char *const words[] = {"active", "domain", "port", "ip", "ip6", "wildcard", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"actve", "active"}, {"ACTIVE", "active"},  {"wild-card", "wildcard"},
        {"prot", "port"},    {"ipp", "ip"},         {"xyz", NULL},
        {"p", NULL},         {"dmn", NULL},         {"", NULL},
        {"po", NULL},        {"domains", "domain"}, {"ip6", "ip6"},
        {"pxyt", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = str_nearest(rows[i].text, words);
        if (rows[i].expected == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found, rows[i].expected);
        }
    }
    assert_null(str_nearest("active", none));
}

static void text_grows_and_stays_terminated(void **state)
{
    struct str s = {.text = NULL};
    char longer[500];
    (void)state;
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    str_append(&s, "");
    assert_string_equal(s.text, "");
    str_append(&s, "a");
    str_append_n(&s, "bcd", 2);
    str_appendf(&s, "-%d-%s", 7, "x");
    assert_string_equal(s.text, "abc-7-x");
    for (int i = 0; i < 100; i++) {
        size_t before = s.len;
        str_appendf(&s, "%s", longer);
        assert_int_equal(s.len, before + sizeof longer - 1);
        assert_int_equal(strlen(s.text), s.len);
    }
    str_free(&s);
    assert_null(s.text);
    assert_int_equal(s.len, 0);
    str_free(&s);
}

/* Each length around the first sizes of the buffer, so that a missing byte for the NUL shows. */
static void every_length_fits(void **state)
{
    (void)state;
    for (size_t n = 0; n < 600; n++) {
        struct str s = {.text = NULL};
        char *bytes = malloc(n + 1);
        assert_non_null(bytes);
        memset(bytes, 'z', n + 1);
        str_append_n(&s, bytes, n);
        assert_int_equal(strlen(s.text), n);
        str_append_n(&s, bytes, 1);
        assert_int_equal(strlen(s.text), n + 1);
        free(bytes);
        str_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_and_nothing_else),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(distance_of_long_texts_is_bounded),
        cmocka_unit_test(nearest_suggests_slips_only),
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(every_length_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

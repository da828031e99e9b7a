/* cluster/bundle_passphrase: made, read from a file, and what counts of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/bundle_priv.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void six_groups_of_four(void **state)
{
    char one[BUNDLE_PASSPHRASE_LEN + 1], two[BUNDLE_PASSPHRASE_LEN + 1];
    size_t met[256] = {0};
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        bundle_passphrase(one);
        bundle_passphrase(two);
        assert_string_not_equal(one, two);
        assert_int_equal(strlen(one), BUNDLE_PASSPHRASE_LEN);
        for (size_t k = 0; k < BUNDLE_PASSPHRASE_LEN; k++) {
            assert_int_equal(one[k] == '-', k % 5 == 4);
            met[(unsigned char)one[k]]++;
        }
        assert_int_equal(strspn(one, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), BUNDLE_PASSPHRASE_LEN);
    }
    /* 24000 of 32 kinds: 750 of each, plus or minus seven times its deviation (27). */
    for (const char *c = alphabet; *c != '\0'; c++) {
        assert_in_range(met[(unsigned char)*c], 560, 940);
    }
}

static void folds_to(const char *text, const char *expect)
{
    char out[BUNDLE_PASSPHRASE_MAX];
    size_t len = 0;
    assert_int_equal(bundle_passphrase_fold(text, out, &len, NULL), ERR_OK);
    assert_int_equal(len, strlen(expect));
    assert_memory_equal(out, expect, len);
}

static void what_people_change_does_not_count(void **state)
{
    char out[BUNDLE_PASSPHRASE_MAX];
    size_t len = 0;
    (void)state;
    folds_to("0123-4567-89AB-CDEF-GHJK-MNPQ", "0123456789ABCDEFGHJKMNPQ");
    folds_to("0123 4567 89ab cdef\tghjk  mnpq", "0123456789ABCDEFGHJKMNPQ");
    folds_to("OiIlLo", "011110");
    folds_to("u_\xc3\xa9.", "U_\xc3\xa9."); /* somebody's own: nothing else is changed */
    folds_to(alphabet, alphabet);
    assert_int_equal(bundle_passphrase_fold("", out, &len, NULL), ERR_MALFORMED);
    assert_int_equal(bundle_passphrase_fold("- -", out, &len, NULL), ERR_MALFORMED);
}

static void there_is_a_longest_one(void **state)
{
    char text[BUNDLE_PASSPHRASE_MAX + 2], out[BUNDLE_PASSPHRASE_MAX];
    size_t len = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    text[BUNDLE_PASSPHRASE_MAX] = '\0';
    assert_int_equal(bundle_passphrase_fold(text, out, &len, NULL), ERR_OK);
    assert_int_equal(len, BUNDLE_PASSPHRASE_MAX);
    text[BUNDLE_PASSPHRASE_MAX] = 'x';
    text[BUNDLE_PASSPHRASE_MAX + 1] = '\0';
    assert_int_equal(bundle_passphrase_fold(text, out, &len, NULL), ERR_MALFORMED);
}

static void a_file_holds_one_line(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *expect; /* NULL: refused */
    } rows[] = {
        {"abc", 3, "abc"},       {"abc\n", 4, "abc"},  {"abc\r\n", 5, "abc"},
        {" a b \n", 6, " a b "}, {"", 0, NULL},        {"\n", 1, NULL},
        {"\r\n", 2, NULL},       {"abc\n\n", 5, NULL}, {"abc\ndef\n", 8, NULL},
        {"abc\rdef", 7, NULL},   {"abc\r", 4, NULL},   {"\nabc", 4, NULL},
        {"ab\0c\n", 5, NULL},    {"abc\0", 4, NULL},   {"abc\n\0", 5, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        char text[20];
        const char *out = NULL;
        memset(text, 'x', sizeof text);
        memcpy(text, rows[i].text, rows[i].len);
        text[rows[i].len] = '\0';
        enum err e = bundle_passphrase_read(text, rows[i].len, &out, &info);
        assert_int_equal(e, rows[i].expect != NULL ? ERR_OK : ERR_MALFORMED);
        assert_int_equal(e == ERR_OK, info.text[0] == '\0');
        assert_null(strstr(info.text, "abc"));
        if (rows[i].expect != NULL) {
            assert_string_equal(out, rows[i].expect);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_groups_of_four),
        cmocka_unit_test(what_people_change_does_not_count),
        cmocka_unit_test(there_is_a_longest_one),
        cmocka_unit_test(a_file_holds_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

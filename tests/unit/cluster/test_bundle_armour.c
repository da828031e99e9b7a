/* cluster/bundle_armour: what mail and editors do to a text is forgiven, nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/bundle_priv.h"

#define BEGIN     "-----BEGIN DNSD BOOTSTRAP BUNDLE-----"
#define END       "-----END DNSD BOOTSTRAP BUNDLE-----"
#define OLD_BEGIN "-----BEGIN PRYV BOOTSTRAP BUNDLE-----"
#define OLD_END   "-----END PRYV BOOTSTRAP BUNDLE-----"

static struct err_info info;

static enum err read_text(const char *text, const char *expect)
{
    uint8_t *octets = NULL;
    size_t len = 0;
    info = (struct err_info){.text = ""};
    enum err e = bundle_armour_read(text, strlen(text), &octets, &len, &info);
    assert_int_equal(e == ERR_OK, octets != NULL);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    if (e == ERR_OK) {
        assert_int_equal(len, strlen(expect));
        assert_memory_equal(octets, expect, len);
    }
    free(octets);
    return e;
}

static void the_text_is_as_written_down(void **state)
{
    char *text = NULL;
    (void)state;
    assert_int_equal(bundle_armour_write((const uint8_t *)"hello", 5, &text, NULL), ERR_OK);
    assert_string_equal(text, BEGIN "\naGVsbG8=\n" END "\n");
    free(text);
    assert_int_equal(bundle_armour_write((const uint8_t *)"", 0, &text, NULL), ERR_OK);
    assert_string_equal(text, BEGIN "\n" END "\n");
    free(text);
}

static void lines_have_64_characters(void **state)
{
    uint8_t octets[300];
    (void)state;
    memset(octets, 'o', sizeof octets);
    for (size_t n = 0; n <= sizeof octets; n++) {
        char *text = NULL;
        uint8_t *again = NULL;
        size_t len = 0, lines = 0, digits = (n + 2) / 3 * 4;
        assert_int_equal(bundle_armour_write(octets, n, &text, NULL), ERR_OK);
        for (const char *at = strchr(text, '\n') + 1; *at != '-'; at = strchr(at, '\n') + 1) {
            size_t line = strcspn(at, "\n");
            assert_true(line > 0 && line <= 64);
            assert_true(line == 64 || at[line + 1] == '-');
            lines++;
        }
        assert_int_equal(lines, (digits + 63) / 64);
        assert_int_equal(bundle_armour_read(text, strlen(text), &again, &len, NULL), ERR_OK);
        assert_int_equal(len, n);
        assert_memory_equal(again, octets, n);
        free(again);
        free(text);
    }
}

static void what_mail_does_is_forgiven(void **state)
{
    static const char *const texts[] = {
        BEGIN "\naGVsbG8=\n" END,
        BEGIN "\r\naGVsbG8=\r\n" END "\r\n",
        "  " BEGIN "  \n\t aGVs\n\n bG8= \n  " END "\t\n",
        "Here it is:\n\n" BEGIN "\naGVsbG8=\n" END "\nRegards,\n-- \nA\n",
        BEGIN "\na G V s b G 8 =\n" END "\n",
        OLD_BEGIN "\naGVsbG8=\n" OLD_END "\n",
        BEGIN "\naGVsbG8=\n" END "\n" BEGIN "\nAAAA\n" END "\n", /* the first of two */
        OLD_END "\n" BEGIN "\naGVsbG8=\n" END "\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (read_text(texts[i], "hello") != ERR_OK) {
            fail_msg("text %zu: %s", i, info.text);
        }
    }
}

static void all_else_is_not(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no bundle"},
        {"aGVsbG8=", "no bundle"},
        {"> " BEGIN "\naGVsbG8=\n" END "\n", "first line is missing"},
        {"-----BEGIN DNSD BOOTSTRAP BUNDLE----\naGVsbG8=\n" END "\n", "first line is missing"},
        {"-----begin dnsd bootstrap bundle-----\naGVsbG8=\n-----end dnsd bootstrap bundle-----\n",
         "no bundle"},
        {"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "no bundle"},
        {BEGIN " aGVsbG8=\n" END "\n", "first line is missing"},
        {BEGIN "\raGVsbG8=\r" END "\r", "no bundle"},
        {BEGIN "\naGVsbG8=\n", "last line is missing"},
        {BEGIN "\naGVsbG8=" END "\n", "last line is missing"},
        {BEGIN "\naGVsbG8=\n" OLD_END "\n", "last line is missing"},
        {OLD_BEGIN "\naGVsbG8=\n" END "\n", "last line is missing"},
        {BEGIN "\naGVsbG8\n" END "\n", "base64 is broken"},
        {BEGIN "\naGVsbG9=\n" END "\n", "base64 is broken"}, /* bits left over */
        {BEGIN "\naGVs=bG8\n" END "\n", "base64 is broken"},
        {BEGIN "\naGVs-G8=\n" END "\n", "base64 is broken"}, /* the other alphabet */
        {BEGIN "\n> aGVsbG8=\n" END "\n", "base64 is broken"},
        {BEGIN "\naGVsbG8=\n=AAA\n" END "\n", "base64 is broken"},
        {BEGIN "\naGVs\vbG8=\n" END "\n", "base64 is broken"},
        {BEGIN "\n" BEGIN "\naGVsbG8=\n" END "\n", "base64 is broken"},
        {BEGIN "\nVersion: 1\n\naGVsbG8=\n" END "\n", "base64 is broken"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_text(rows[i].text, ""), ERR_MALFORMED);
        if (strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, info.text, rows[i].says);
        }
    }
}

static void a_nul_is_no_end(void **state)
{
    static const char text[] = BEGIN "\naGVs\0bG8=\n" END "\n";
    uint8_t *octets = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(bundle_armour_read(text, sizeof text - 1, &octets, &len, NULL), ERR_MALFORMED);
    assert_null(octets);
}

static void there_is_a_largest_text(void **state)
{
    char *text = malloc(BUNDLE_TEXT_MAX + 1);
    uint8_t *octets = NULL;
    size_t len = 0;
    (void)state;
    memset(text, '\n', BUNDLE_TEXT_MAX + 1);
    memcpy(text, BEGIN "\naGVsbG8=\n" END, sizeof(BEGIN "\naGVsbG8=\n" END) - 1);
    assert_int_equal(bundle_armour_read(text, BUNDLE_TEXT_MAX + 1, &octets, &len, NULL), ERR_LIMIT);
    assert_null(octets);
    assert_int_equal(bundle_armour_read(text, BUNDLE_TEXT_MAX, &octets, &len, NULL), ERR_OK);
    assert_int_equal(len, 5);
    free(octets);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_as_written_down),
        cmocka_unit_test(lines_have_64_characters),
        cmocka_unit_test(what_mail_does_is_forgiven),
        cmocka_unit_test(all_else_is_not),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(there_is_a_largest_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

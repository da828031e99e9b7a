/* The lexical layer of presentation form: tokens, escapes, and how octets are written. */
#include "dnsd/wire/text_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void tokens(void **state)
{
    static const struct {
        const char *text;
        const char *tokens; /* in brackets if quoted, each with a '|' behind */
        const char *says;   /* the error after them */
    } rows[] = {
        {"", "", ""},
        {" \t\r\n ", "", ""},
        {"a", "a|", ""},
        {"  a  b\tc\n", "a|b|c|", ""},
        {"\"a b\" c", "[a b]|c|", ""},
        {"\"\"", "[]|", ""},
        {"\"a\\\"b\" \"\\\\\"", "[a\\\"b]|[\\\\]|", ""},
        {"a\\ b c", "a\\ b|c|", ""},
        {"x=\"a b\"c d", "x=\"a b\"c|d|", ""},
        {"x\\\"a b", "x\\\"a|b|", ""},
        {"a\\", "a\\|", ""},
        {";(", ";(|", ""},
        {"a \"b", "a|", "has no end"},
        {"a \"b\\\"", "a|", "has no end"},
        {"a\"b", "", "has no end"},
        {"\"a\"b", "", "a blank is missing"},
        {"\"a\"\"b\"", "", "a blank is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[128] = "";
        size_t len = 0;
        struct err_info info = {.text = ""};
        struct wire_token token;
        const char *at = rows[i].text;
        while (wire_text_next(&at, &token, &info) == ERR_OK && token.at != NULL) {
            len += (size_t)snprintf(got + len, sizeof got - len, token.quoted ? "[%.*s]|" : "%.*s|",
                                    (int)token.len, token.at);
        }
        assert_string_equal(got, rows[i].tokens);
        if (strstr(info.text, rows[i].says) == NULL || (*rows[i].says == '\0' && *info.text)) {
            fail_msg("%s: \"%s\"", rows[i].text, info.text);
        }
    }
}

static void octets(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
        size_t len;
        const char *says;
    } rows[] = {
        {"", "", 0, ""},
        {"a\\b\\\\\\\"", "ab\\\"", 4, ""},
        {"\\000\\255\\065x",
         "\0\xff"
         "Ax",
         4, ""},
        {"\xc3\xa4", "\xc3\xa4", 2, ""},
        {"a\\", "", 0, "middle of an escape"},
        {"\\2", "", 0, "three digits"},
        {"\\25", "", 0, "three digits"},
        {"\\25x", "", 0, "three digits"},
        {"\\256", "", 0, "more than \\255"},
        {"a\"b", "", 0, "a quote in the middle"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[16];
        struct buf_writer w = buf_writer_of(out, sizeof out);
        struct err_info info = {.text = ""};
        struct wire_token token = {.at = rows[i].text, .len = strlen(rows[i].text)};
        bool bad = *rows[i].says != '\0';
        assert_int_equal(wire_text_octets(&token, &w, &info), bad ? ERR_MALFORMED : ERR_OK);
        assert_non_null(strstr(info.text, rows[i].says));
        if (!bad) {
            assert_int_equal(w.len, rows[i].len);
            assert_memory_equal(out, rows[i].bytes, w.len);
        }
    }
}

/* The text goes on behind the token with what would complete the escape. */
static void an_escape_ends_with_its_token(void **state)
{
    uint8_t out[16];
    struct buf_writer w = buf_writer_of(out, sizeof out);
    struct wire_token token = {.at = "a\\065", .len = 4};
    (void)state;
    assert_int_equal(wire_text_octets(&token, &w, NULL), ERR_MALFORMED);
    token.len = 2;
    assert_int_equal(wire_text_octets(&token, &w, NULL), ERR_MALFORMED);
}

static void room_is_bounded(void **state)
{
    uint8_t out[2];
    struct buf_writer w = buf_writer_of(out, sizeof out);
    struct wire_token token = {.at = "abc", .len = 3};
    char copy[3];
    (void)state;
    assert_int_equal(wire_text_octets(&token, &w, NULL), ERR_LIMIT);
    assert_false(wire_text_copy(&token, copy, sizeof copy));
    token.len = 2;
    assert_true(wire_text_copy(&token, copy, sizeof copy));
    assert_string_equal(copy, "ab");
}

static void every_octet_is_written_to_be_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 512; i++) {
        bool bare = i >= 256;
        uint8_t text[8];
        uint8_t back[8];
        struct buf_writer w = buf_writer_of(text, sizeof text);
        wire_text_put(&w, (uint8_t)i, bare);
        for (size_t j = 0; j < w.len; j++) {
            assert_true(text[j] >= ' ' && text[j] < 0x7f && !(bare && text[j] == ' '));
        }
        struct wire_token token = {.at = (char *)text, .len = w.len};
        struct buf_writer b = buf_writer_of(back, sizeof back);
        assert_int_equal(wire_text_octets(&token, &b, NULL), ERR_OK);
        assert_int_equal(b.len, 1);
        assert_int_equal(back[0], (uint8_t)i);
        bool plain = i == 'a' || i == ';' || i == '(' || i == ' ' || i == 256 + 'a';
        assert_true(!plain || w.len == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(octets),
        cmocka_unit_test(an_escape_ends_with_its_token),
        cmocka_unit_test(room_is_bounded),
        cmocka_unit_test(every_octet_is_written_to_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

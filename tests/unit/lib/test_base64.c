/* lib/base64: both alphabets, and all that is none. */
#include "lib/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Exactly as much room as is promised, so that a sanitizer sees one octet more. */
static bool decode(bool url, const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t *room = malloc(len / 4 * 3 + 3);
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    *out_len = 99;
    bool ok =
        url ? base64url_decode(copy, len, room, out_len) : base64_decode(copy, len, room, out_len);
    memcpy(out, room, *out_len);
    free(copy);
    free(room);
    return ok;
}

static const struct row {
    const char *bytes;
    size_t len;
    const char *standard, *url;
} rows[] = {
    /* RFC 4648 §10 */
    {"", 0, "", ""},
    {"f", 1, "Zg==", "Zg"},
    {"fo", 2, "Zm8=", "Zm8"},
    {"foo", 3, "Zm9v", "Zm9v"},
    {"foob", 4, "Zm9vYg==", "Zm9vYg"},
    {"fooba", 5, "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", 6, "Zm9vYmFy", "Zm9vYmFy"},
    /* RFC 7515 appendix C */
    {"\x03\xec\xff\xe0\xc1", 5, "A+z/4ME=", "A-z_4ME"},
    {"\0\0\0", 3, "AAAA", "AAAA"},
    {"\xff\xff\xff\xff", 4, "/////w==", "_____w"},
    {"\xfb\xef\xbe", 3, "++++", "----"},
    {"\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7"
     "\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3"
     "\xdf\xbf",
     48, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"},
};

static void it_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *out = malloc(BASE64_ROOM(rows[i].len));
        assert_int_equal(base64_encode(rows[i].bytes, rows[i].len, out), strlen(rows[i].standard));
        assert_string_equal(out, rows[i].standard);
        assert_int_equal(base64url_encode(rows[i].bytes, rows[i].len, out), strlen(rows[i].url));
        assert_string_equal(out, rows[i].url);
        free(out);
    }
}

static void it_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        uint8_t out[64];
        size_t len;
        assert_true(decode(false, r->standard, strlen(r->standard), out, &len));
        assert_int_equal(len, r->len);
        assert_memory_equal(out, r->bytes, len);
        assert_true(decode(true, r->url, strlen(r->url), out, &len));
        assert_int_equal(len, r->len);
        assert_memory_equal(out, r->bytes, len);
    }
}

static void url_may_be_padded_and_standard_has_to(void **state)
{
    uint8_t out[16];
    size_t len;
    (void)state;
    assert_true(decode(true, "A-z_4ME=", 8, out, &len));
    assert_int_equal(len, 5);
    assert_true(decode(true, "Zg==", 4, out, &len));
    assert_int_equal(len, 1);
    assert_false(decode(false, "Zg", 2, out, &len));
    assert_false(decode(false, "Zm8", 3, out, &len));
    assert_false(decode(false, "Zm9vYg", 6, out, &len));
}

static void all_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "Z",
        "Zg=",
        "Z===",
        "====",
        "=",
        "==",
        "Zg===",
        "Zg==Zg==",
        "Z=g=",
        "=Zg=",
        "Zm9v=",
        "Zm9v====",
        " Zg==",
        "Zg== ",
        "Zg=\n",
        "Zm9v\n",
        "Zm\n9v",
        "Zm9 v",
        "Zm9vY\r\n",
        "Zm.v",
        "Zm9,",
        "Zm9vYmF*",
        "Zm9v\x80gAA",
        "\xc3\xa9gA",
        /* bits that are left over and not zero */
        "Zh==",
        "Zm9=",
        "Zv==",
        "Zm+=",
        "//==",
        "Zh",
        "Zm9",
        "__",
    };
    uint8_t out[16];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(decode(false, wrong[i], strlen(wrong[i]), out, &len));
        assert_int_equal(len, 0);
        assert_false(decode(true, wrong[i], strlen(wrong[i]), out, &len));
        assert_int_equal(len, 0);
    }
    assert_false(decode(false, "Zm\0v", 4, out, &len));
    assert_false(decode(true, "Zm\0v", 4, out, &len));
}

/* Neither takes the other's digits, nor any octet that is no digit. */
static void each_octet_is_a_digit_or_not(void **state)
{
    static const char both[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[4] = {(char)c, 'A', 'A', 'A'};
        uint8_t out[16];
        size_t len;
        bool digit = c != 0 && strchr(both, c) != NULL;
        assert_int_equal(decode(false, text, 4, out, &len), digit || c == '+' || c == '/');
        assert_int_equal(decode(true, text, 4, out, &len), digit || c == '-' || c == '_');
    }
}

static void it_comes_back(void **state)
{
    uint8_t bytes[200], back[256];
    char text[BASE64_ROOM(200)];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 151 + i / 7);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t len;
        assert_true(decode(false, text, base64_encode(bytes, n, text), back, &len));
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
        assert_true(decode(true, text, base64url_encode(bytes, n, text), back, &len));
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written),
        cmocka_unit_test(it_is_read),
        cmocka_unit_test(url_may_be_padded_and_standard_has_to),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(each_octet_is_a_digit_or_not),
        cmocka_unit_test(it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Base64 (RFC 4648 §4): its vectors, and that data has one text only. */
#include "dnsd/wire/rdata_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 §10 */
static void vectors(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {{"f", "Zg=="},           {"fo", "Zm8="},        {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
                {"\xfb\xef\xff", "++//"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[32];
        size_t len = strlen(rows[i].bytes);
        struct buf_writer w = buf_writer_of(out, sizeof out);
        rdata_base64_write((const uint8_t *)rows[i].bytes, len, &w);
        assert_int_equal(w.len, strlen(rows[i].text));
        assert_memory_equal(out, rows[i].text, w.len);
        w = buf_writer_of(out, sizeof out);
        assert_int_equal(rdata_base64_read(rows[i].text, strlen(rows[i].text), &w, NULL), ERR_OK);
        assert_int_equal(w.len, len);
        assert_memory_equal(out, rows[i].bytes, len);
    }
}

static void what_is_not_base64(void **state)
{
    static const char *const rows[] = {
        "",     "A",    "AA",   "AAA",  "A===",  "====",     "AA=A",  "=AAA",
        "AB==", "AAB=", "AA-_", "AA A", "AAA\n", "AA==AAAA", "AAAA=", "\xc3\xa4=="};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[32];
        struct buf_writer w = buf_writer_of(out, sizeof out);
        if (rdata_base64_read(rows[i], strlen(rows[i]), &w, NULL) != ERR_MALFORMED) {
            fail_msg("%s", rows[i]);
        }
    }
}

static void room_is_bounded(void **state)
{
    uint8_t out[8];
    struct buf_writer w = buf_writer_of(out, 2);
    (void)state;
    assert_int_equal(rdata_base64_read("AAAA", 4, &w, NULL), ERR_OK);
    assert_true(w.bad); /* the caller looks once at the end */
    w = buf_writer_of(out, 3);
    rdata_base64_write((const uint8_t *)"x", 1, &w);
    assert_true(w.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(what_is_not_base64),
        cmocka_unit_test(room_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

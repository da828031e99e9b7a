/* lib/seal_phrase: what is sealed opens with its passphrase, unchanged, and in no other way. */
#include "lib/seal_phrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "lib/seal.h"
#include "lib/seal_priv.h"
#include "openssl_memory.h"

#define PHRASE "open sesame"
#define HEAD   32
#define TAG    16

static const struct seal_phrase_cost cheap = {.log2_n = 10, .r = 8, .p = 1};
static struct err_info info;

/* What was opened must be EXPECT. */
static enum err open_as(const char *phrase, const void *sealed, size_t len, const void *expect,
                        size_t expect_len)
{
    uint8_t *plain = NULL;
    size_t plain_len = 0;
    info = (struct err_info){.text = ""};
    enum err e = seal_phrase_open(phrase, strlen(phrase), sealed, len, &plain, &plain_len, &info);
    assert_int_equal(e == ERR_OK, plain != NULL);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    if (e == ERR_OK) {
        assert_int_equal(plain_len, expect_len);
        assert_memory_equal(plain, expect, expect_len);
        assert_int_equal(plain[plain_len], '\0');
    }
    seal_wipe(plain, plain_len);
    return e;
}

static uint8_t *close_cheap(const void *plain, size_t len, size_t *sealed_len)
{
    uint8_t *sealed = NULL;
    assert_int_equal(
        seal_phrase_close_at(&cheap, PHRASE, strlen(PHRASE), plain, len, &sealed, sealed_len, NULL),
        ERR_OK);
    return sealed;
}

/* ---- literal octets, made by another implementation (Python's hashlib and cryptography) ------- */

#define SALT  "101112131415161718191a1b1c1d1e1f"
#define NONCE "404142434445464748494a4b"

static void the_layout_is_as_written_down(void **state)
{
    static const struct {
        const char *hex, *plain;
    } rows[] = {
        {"020a0801" SALT NONCE "677bf0b548e1cbb256bfac661c11bb7b2ae1beed8409e2421795",
         "the secret"},
        {"020b0302" SALT NONCE "596f17857deb31e5092ba3a005a5ff50", ""},
        {"01" SALT NONCE "649f2f66352e8b4e6570bd8a4ff44c86"
         "0015379b4d32a9a412cf",
         "the secret"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t octets[100];
        size_t n = strlen(rows[i].hex) / 2;
        for (size_t k = 0; k < n; k++) {
            char two[3] = {rows[i].hex[2 * k], rows[i].hex[2 * k + 1], '\0'};
            octets[k] = (uint8_t)strtoul(two, NULL, 16);
        }
        assert_int_equal(open_as(PHRASE, octets, n, rows[i].plain, strlen(rows[i].plain)), ERR_OK);
        assert_int_equal(open_as("open sesamE", octets, n, "", 0), ERR_DENIED);
        assert_int_equal(seal_phrase_version(octets, n), octets[0]);
    }
    assert_int_equal(seal_phrase_version("", 0), 0);
}

static void what_is_written_has_the_standard_cost(void **state)
{
    static const uint8_t head[] = {2, 15, 8, 1};
    uint8_t *a = NULL, *b = NULL;
    size_t a_len = 0, b_len = 0;
    (void)state;
    assert_int_equal(seal_phrase_close(PHRASE, strlen(PHRASE), "x", 1, &a, &a_len, NULL), ERR_OK);
    assert_int_equal(seal_phrase_close(PHRASE, strlen(PHRASE), "x", 1, &b, &b_len, NULL), ERR_OK);
    assert_int_equal(a_len, HEAD + 1 + TAG);
    assert_memory_equal(a, head, sizeof head);
    assert_memory_not_equal(a + 4, b + 4, 16);   /* salt */
    assert_memory_not_equal(a + 20, b + 20, 12); /* nonce */
    assert_int_equal(open_as(PHRASE, a, a_len, "x", 1), ERR_OK);
    free(a);
    free(b);
}

/* ---- what opens, and what does not ---------------------------------------------------------- */

static void octets_of_any_kind_and_number(void **state)
{
    static uint8_t large[SEAL_PHRASE_MAX + 1];
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, SEAL_PHRASE_MAX};
    uint8_t *sealed = NULL;
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 7 / 3);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        sealed = close_cheap(large, sizes[i], &len);
        assert_int_equal(len, HEAD + sizes[i] + TAG);
        assert_int_equal(open_as(PHRASE, sealed, len, large, sizes[i]), ERR_OK);
        free(sealed);
    }
    sealed = NULL;
    assert_int_equal(
        seal_phrase_close(PHRASE, strlen(PHRASE), large, SEAL_PHRASE_MAX + 1, &sealed, &len, NULL),
        ERR_LIMIT);
    assert_null(sealed);
    uint8_t *more = calloc(1, HEAD + SEAL_PHRASE_MAX + 1 + TAG);
    memcpy(more, "\2\12\10\1", 4);
    assert_int_equal(open_as(PHRASE, more, HEAD + SEAL_PHRASE_MAX + 1 + TAG, "", 0), ERR_LIMIT);
    free(more);
}

static void every_octet_counts(void **state)
{
    static const uint8_t flips[] = {1, 2, 4, 8, 16, 32, 64, 128, 0xff};
    size_t len = 0, denied = 0, other = 0;
    uint8_t *sealed = close_cheap("the secret", 10, &len);
    (void)state;
    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            sealed[at] ^= flips[i];
            enum err e = open_as(PHRASE, sealed, len, "", 0);
            sealed[at] ^= flips[i];
            /* A version that is not known, or a cost out of bounds; all the rest is found by the tag. */
            assert_true(e == ERR_DENIED || (at < 4 && (e == ERR_LIMIT || e == ERR_MALFORMED)));
            denied += e == ERR_DENIED;
            other += e != ERR_DENIED;
        }
    }
    assert_true(other > 9 && denied > (len - 4) * sizeof flips);
    assert_int_equal(open_as(PHRASE, sealed, len, "the secret", 10), ERR_OK);
    free(sealed);
}

static void every_length_counts(void **state)
{
    size_t len = 0;
    uint8_t *sealed = close_cheap("the secret", 10, &len);
    (void)state;
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, sealed, n);
        assert_int_equal(open_as(PHRASE, cut, n, "", 0),
                         n < HEAD + TAG ? ERR_MALFORMED : ERR_DENIED);
        cut[n] = 0;
        free(cut);
    }
    uint8_t *longer = calloc(1, len + 1);
    memcpy(longer, sealed, len);
    assert_int_equal(open_as(PHRASE, longer, len + 1, "", 0), ERR_DENIED);
    free(longer);
    /* The predecessor's: 45 octets of overhead. */
    memset(sealed, 0, len);
    sealed[0] = 1;
    assert_int_equal(open_as(PHRASE, sealed, 44, "", 0), ERR_MALFORMED);
    assert_int_equal(open_as(PHRASE, sealed, 45, "", 0), ERR_DENIED);
    free(sealed);
}

static void the_passphrase_counts_to_its_end(void **state)
{
    static const char *const others[] = {"", "open sesam", "open sesame ", "Open sesame", "x"};
    size_t len = 0;
    uint8_t *sealed = close_cheap("the secret", 10, &len);
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(open_as(others[i], sealed, len, "", 0), ERR_DENIED);
    }
    free(sealed);
}

/* The header is believed by nobody before the tag is right, but it says how much is to be calculated. */
static void the_cost_has_bounds(void **state)
{
    static const struct {
        uint8_t log2_n, r, p;
        enum err e;
    } rows[] = {
        {9, 8, 1, ERR_MALFORMED},   {10, 1, 1, ERR_DENIED},
        {10, 32, 16, ERR_DENIED},   {10, 0, 1, ERR_MALFORMED},
        {10, 33, 1, ERR_MALFORMED}, {10, 8, 0, ERR_MALFORMED},
        {10, 8, 17, ERR_MALFORMED}, {15, 1, 1, ERR_DENIED},
        {16, 1, 1, ERR_MALFORMED},                             /* RFC 7914 §2 */
        {17, 8, 1, ERR_DENIED},     {18, 8, 1, ERR_MALFORMED}, /* memory */
        {19, 2, 1, ERR_DENIED},     {20, 2, 1, ERR_MALFORMED},
        {21, 2, 1, ERR_MALFORMED},  {255, 255, 255, ERR_MALFORMED},
    };
    size_t len = 0;
    uint8_t *sealed = close_cheap("the secret", 10, &len);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sealed[1] = rows[i].log2_n;
        sealed[2] = rows[i].r;
        sealed[3] = rows[i].p;
        assert_int_equal(open_as(PHRASE, sealed, len, "", 0), rows[i].e);
    }
    free(sealed);
}

static void each_failure_has_its_own_sentence(void **state)
{
    size_t len = 0;
    uint8_t *sealed = close_cheap("the secret", 10, &len);
    (void)state;
    assert_int_equal(open_as("another", sealed, len, "", 0), ERR_DENIED);
    assert_non_null(strstr(info.text, "passphrase is wrong, or the text was changed"));
    assert_int_equal(open_as(PHRASE, sealed, 12, "", 0), ERR_MALFORMED);
    assert_non_null(strstr(info.text, "too few"));
    sealed[1] = 63;
    assert_int_equal(open_as(PHRASE, sealed, len, "", 0), ERR_MALFORMED);
    assert_non_null(strstr(info.text, "N = 2^63"));
    sealed[0] = 3;
    assert_int_equal(open_as(PHRASE, sealed, len, "", 0), ERR_LIMIT);
    assert_non_null(strstr(info.text, "version 3"));
    free(sealed);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void openssl_runs_out_of_memory(void **state)
{
    unsigned failed = 0, told = 0;
    size_t len = 0;
    uint8_t *good = close_cheap("the secret", 10, &len);
    (void)state;
    for (size_t n = 0;; n++) {
        uint8_t *out = NULL;
        size_t out_len = 0;
        bool closing = n % 2 == 0;
        openssl_memory_fail_after(n / 2);
        enum err e =
            closing
                ? seal_phrase_close_at(&cheap, PHRASE, strlen(PHRASE), "x", 1, &out, &out_len, NULL)
                : seal_phrase_open(PHRASE, strlen(PHRASE), good, len, &out, &out_len, NULL);
        bool fell = openssl_memory_failed();
        assert_int_equal(e == ERR_OK, out != NULL);
        assert_int_equal(ERR_peek_error(), 0);
        assert_true(e != ERR_DENIED); /* that would be a lie */
        seal_wipe(out, out_len);
        failed += fell;
        told += e == ERR_NOMEM;
        if (!fell && !closing) {
            assert_int_equal(e, ERR_OK);
            break;
        }
    }
    assert_true(failed > 10 && told > 5);
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_as_written_down),
        cmocka_unit_test(what_is_written_has_the_standard_cost),
        cmocka_unit_test(octets_of_any_kind_and_number),
        cmocka_unit_test(every_octet_counts),
        cmocka_unit_test(every_length_counts),
        cmocka_unit_test(the_passphrase_counts_to_its_end),
        cmocka_unit_test(the_cost_has_bounds),
        cmocka_unit_test(each_failure_has_its_own_sentence),
        cmocka_unit_test(openssl_runs_out_of_memory),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

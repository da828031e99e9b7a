/* lib/seal: what is sealed opens with its key and in its place, and in no other way. */
#include "lib/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "memory.h"
#include "openssl_memory.h"

/* A: octets 0 to 31; B: 0xb0 to 0xbf, twice. */
static uint8_t key_a[SEAL_KEY_LEN], key_b[SEAL_KEY_LEN];
#define ID_A "d1744a1b"
#define ID_B "e096df1c"

static struct err_info info;

static struct seal_ring *ring_of(const uint8_t *first, const uint8_t *second)
{
    uint8_t keys[2][SEAL_KEY_LEN];
    struct seal_ring *r = NULL;
    memcpy(keys[0], first, SEAL_KEY_LEN);
    if (second != NULL) {
        memcpy(keys[1], second, SEAL_KEY_LEN);
    }
    assert_int_equal(seal_ring_new(keys, second != NULL ? 2 : 1, &r, NULL), ERR_OK);
    return r;
}

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < SEAL_KEY_LEN; i++) {
        key_a[i] = (uint8_t)i;
        key_b[i] = (uint8_t)(0xb0 + i % 16);
    }
    return 0;
}

static const char *const place_parts[] = {"a.example", "7"};
static const struct seal_context place = {
    .purpose = "leaf", .parts = place_parts, .parts_count = 2};

static enum err open_text(const struct seal_ring *r, const struct seal_context *c, const char *text,
                          const char *expect)
{
    uint8_t *plain = NULL;
    size_t len = 0;
    info = (struct err_info){.text = ""};
    enum err e = seal_open(r, c, text, &plain, &len, &info);
    assert_int_equal(e == ERR_OK, plain != NULL);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    if (e == ERR_OK) {
        assert_int_equal(len, strlen(expect));
        assert_string_equal((const char *)plain, expect);
        seal_wipe(plain, len);
    }
    return e;
}

static char *close_text(const struct seal_ring *r, const struct seal_context *c, const char *plain)
{
    char *text = NULL;
    assert_int_equal(seal_close(r, c, plain, strlen(plain), &text, NULL), ERR_OK);
    return text;
}

/* ---- literal texts, all made by another implementation (Python's cryptography) ---------------- */

#define SEALED                                                                                     \
    "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm+WcH0T87cwsmtGJtrpa8AnrUhCjlMpIjMMRA=="
#define SEALED_EMPTY "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm8Z6+Udc7kPTHIlR9JwcrIe"

static void the_layout_is_as_written_down(void **state)
{
    static const struct seal_context nowhere = {.purpose = "leaf"};
    struct seal_ring *r = ring_of(key_a, NULL);
    (void)state;
    assert_string_equal(seal_ring_id(r, 0), ID_A);
    assert_int_equal(open_text(r, &place, SEALED, "the secret"), ERR_OK);
    assert_int_equal(open_text(r, &nowhere, SEALED_EMPTY, ""), ERR_OK);
    seal_ring_free(r);
}

static const char *const old_texts[] = {
    "AWRlZmdoaWprbG1ub8OYnZZVAqVcvyvZIL3KCNQnd7pGCow17FsW", /* key A itself */
    "AWRlZmdoaWprbG1ub+I3wHqa0187kSLVFT7t0wS/juECr2Xr8Yxp", /* key B itself */
    "AWRlZmdoaWprbG1ub7HlP2xsuFmeUhIt1iR0TaYCyxq51tbb6XUY", /* derived of A */
    "AWRlZmdoaWprbG1ub+xaCn2sQTRomy9HGoD2Ry80Y7KnJrTnH9H9", /* derived of B */
};

static void the_predecessors_texts_open(void **state)
{
    static const struct seal_context other = {.purpose = "anything"};
    struct seal_ring *a = ring_of(key_a, NULL), *both = ring_of(key_a, key_b);
    char id[SEAL_ID_TEXT];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(open_text(both, &place, old_texts[i], "old secret"), ERR_OK);
        assert_int_equal(open_text(both, &other, old_texts[i], "old secret"), ERR_OK);
        assert_int_equal(open_text(a, &place, old_texts[i], "old secret"),
                         i % 2 == 0 ? ERR_OK : ERR_NOTFOUND);
        assert_int_equal(seal_text_id(old_texts[i], id), ERR_OK);
        assert_string_equal(id, "v1");
    }
    assert_int_equal(open_text(a, &place, old_texts[1], ""), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "v1"));
    assert_int_equal(open_text(a, &place, "AWRlZmdoaWprbG1ub2Cb1Q9q1232ZfBIuoxf1wY=", ""), ERR_OK);
    seal_ring_free(a);
    seal_ring_free(both);
}

/* ---- there and back ------------------------------------------------------------------------ */

static void what_is_sealed_opens(void **state)
{
    static const char *const plains[] = {"", "x", "fifteen octets.", "sixteen octets..",
                                         "-----BEGIN PRIVATE KEY-----\nMIGH...\n"};
    struct seal_ring *r = ring_of(key_a, key_b);
    (void)state;
    for (size_t i = 0; i < sizeof plains / sizeof plains[0]; i++) {
        char *text = close_text(r, &place, plains[i]), id[SEAL_ID_TEXT];
        assert_int_equal(strlen(text), (strlen(plains[i]) + 51 + 2) / 3 * 4);
        assert_int_equal(open_text(r, &place, text, plains[i]), ERR_OK);
        assert_int_equal(seal_text_id(text, id), ERR_OK);
        assert_string_equal(id, ID_A); /* the first key's */
        free(text);
    }
    seal_ring_free(r);
}

static void octets_of_any_kind_and_number(void **state)
{
    static uint8_t large[SEAL_PLAIN_MAX + 1];
    struct seal_ring *r = ring_of(key_a, NULL);
    uint8_t *plain = NULL;
    char *text = NULL;
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 7 / 3);
    }
    assert_int_equal(seal_close(r, &place, large, SEAL_PLAIN_MAX, &text, NULL), ERR_OK);
    assert_int_equal(seal_open(r, &place, text, &plain, &len, NULL), ERR_OK);
    assert_int_equal(len, SEAL_PLAIN_MAX);
    assert_memory_equal(plain, large, len);
    assert_int_equal(plain[len], 0);
    seal_wipe(plain, len);
    free(text);
    text = NULL;
    assert_int_equal(seal_close(r, &place, large, sizeof large, &text, NULL), ERR_LIMIT);
    assert_null(text);
    seal_wipe(NULL, 7);
    seal_ring_free(r);
}

static int by_octets(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

/* Many, with one key and of one text: no nonce comes again. */
static void nonces_are_used_once(void **state)
{
    enum { MANY = 4000 };
    static uint8_t nonces[MANY][12];
    struct seal_ring *r = ring_of(key_a, NULL);
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        char *text = close_text(r, &place, "");
        uint8_t octets[54];
        size_t len;
        assert_true(base64_decode(text, strlen(text), octets, &len));
        memcpy(nonces[i], octets + 23, 12);
        free(text);
    }
    qsort(nonces, MANY, sizeof nonces[0], by_octets);
    for (size_t i = 1; i < MANY; i++) {
        assert_memory_not_equal(nonces[i - 1], nonces[i], sizeof nonces[0]);
    }
    seal_ring_free(r);
}

/* ---- what does not open -------------------------------------------------------------------- */

/* Each bit of each octet. What it says is decided by what the octet is for. */
static void no_bit_may_change(void **state)
{
    struct seal_ring *r = ring_of(key_a, key_b);
    uint8_t octets[80];
    char text[sizeof SEALED];
    size_t len;
    (void)state;
    assert_true(base64_decode(SEALED, strlen(SEALED), octets, &len));
    assert_int_equal(len, 61);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        size_t at = bit / 8;
        enum err expect = at < 3 ? ERR_MALFORMED : at < 7 ? ERR_NOTFOUND : ERR_DENIED;
        octets[at] ^= (uint8_t)(1 << bit % 8);
        base64_encode(octets, len, text);
        assert_int_equal(open_text(r, &place, text, ""), expect);
        octets[at] ^= (uint8_t)(1 << bit % 8);
    }
    base64_encode(octets, len, text);
    assert_int_equal(open_text(r, &place, text, "the secret"), ERR_OK);
    seal_ring_free(r);
}

static void no_bit_of_the_predecessors_may_change(void **state)
{
    struct seal_ring *r = ring_of(key_a, key_b);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t octets[48];
        char text[64];
        size_t len;
        assert_true(base64_decode(old_texts[i], strlen(old_texts[i]), octets, &len));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
            base64_encode(octets, len, text);
            assert_int_equal(open_text(r, &place, text, ""),
                             bit < 8 ? ERR_MALFORMED : ERR_NOTFOUND);
            octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    seal_ring_free(r);
}

/* Each character, by digits, padding, and what is neither. */
static void no_character_may_change(void **state)
{
    struct seal_ring *r = ring_of(key_a, NULL);
    char text[] = SEALED;
    char id[SEAL_ID_TEXT];
    (void)state;
    for (size_t i = 0; i < strlen(SEALED); i++) {
        for (const char *c = "A/z=- \n"; *c != '\0'; c++) {
            text[i] = *c;
            enum err e = open_text(r, &place, text, "the secret");
            assert_int_equal(e == ERR_OK, *c == SEALED[i]);
            if (strchr("- \n", *c) != NULL) {
                assert_int_equal(e, ERR_MALFORMED);
                assert_int_equal(seal_text_id(text, id), ERR_MALFORMED);
            }
        }
        text[i] = SEALED[i];
    }
    seal_ring_free(r);
}

static void no_end_may_be_missing_or_too_much(void **state)
{
    struct seal_ring *r = ring_of(key_a, NULL);
    uint8_t octets[80] = {0};
    char text[128], id[SEAL_ID_TEXT];
    size_t len;
    (void)state;
    assert_true(base64_decode(SEALED, strlen(SEALED), octets, &len));
    for (size_t n = 0; n < len + 5; n++) {
        base64_encode(octets, n, text);
        if (n != len) {
            enum err expect = n < 51 ? ERR_MALFORMED : ERR_DENIED;
            assert_int_equal(open_text(r, &place, text, ""), expect);
        }
        assert_int_equal(seal_text_id(text, id), n < 51 ? ERR_MALFORMED : ERR_OK);
    }
    seal_ring_free(r);
}

static void it_opens_in_its_place_only(void **state)
{
    static const char *const other_name[] = {"b.example", "7"};
    static const char *const other_number[] = {"a.example", "8"};
    static const char *const swapped[] = {"7", "a.example"};
    static const char *const together[] = {"a.example7", ""};
    static const char *const shifted[] = {"a.exampl", "e7"};
    static const char *const more[] = {"a.example", "7", ""};
    static const struct seal_context others[] = {
        {"leaf", other_name, 2},   {"leaf", other_number, 2}, {"leaf", swapped, 2},
        {"leaf", together, 2},     {"leaf", shifted, 2},      {"leaf", more, 3},
        {"leaf", place_parts, 1},  {"leaf", NULL, 0},         {"account", place_parts, 2},
        {"leaf ", place_parts, 2}, {"", place_parts, 2},
    };
    struct seal_ring *r = ring_of(key_a, NULL);
    char *text = close_text(r, &place, "secret");
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(open_text(r, &others[i], text, ""), ERR_DENIED);
        assert_non_null(strstr(info.text, ID_A));
        char *own = close_text(r, &others[i], "other secret");
        assert_int_equal(open_text(r, &others[i], own, "other secret"), ERR_OK);
        assert_int_equal(open_text(r, &place, own, ""), ERR_DENIED);
        free(own);
    }
    assert_int_equal(open_text(r, &place, text, "secret"), ERR_OK);
    free(text);
    seal_ring_free(r);
}

static void what_is_no_sealed_text(void **state)
{
    static char huge[2 * SEAL_PLAIN_MAX];
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "not a sealed text"},
        {"ZHM=", "not a sealed text"},
        {"-----BEGIN PRIVATE KEY-----\n", "not a sealed text"},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         "not a sealed text"},
        /* "ds" and 1, 3, 255; nothing is guessed */
        {"ZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMB", "version 1"},
        {"ZHMDZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMBZHMB", "version 3"},
        {"ZHP/", "version 255"},
        /* the predecessor's, of two */
        {"AmRlZmdoaWprbG1ub8OYnZZVAqVcvyvZIL3KCNQnd7pGCow17FsW", "not a sealed text"},
        {"AQ==", "not a sealed text"},
        {"AWRlZmdoaWprbG1ub2Cb1Q9q1232ZfBIuoxf1w==", "not a sealed text"},
        {huge, "not a sealed text"},
    };
    struct seal_ring *r = ring_of(key_a, NULL);
    (void)state;
    memset(huge, 'A', sizeof huge - 1);
    memcpy(huge, SEALED, 64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[SEAL_ID_TEXT] = "before";
        assert_int_equal(open_text(r, &place, rows[i].text, ""), ERR_MALFORMED);
        if (strstr(info.text, rows[i].why) == NULL) {
            fail_msg("row %zu: %s", i, info.text);
        }
        assert_int_equal(seal_text_id(rows[i].text, id), ERR_MALFORMED);
    }
    seal_ring_free(r);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void keys_can_be_changed(void **state)
{
    struct seal_ring *old = ring_of(key_a, NULL), *both = ring_of(key_b, key_a),
                     *later = ring_of(key_b, NULL);
    char *before = close_text(old, &place, "before"), *after = close_text(both, &place, "after");
    char id[SEAL_ID_TEXT];
    (void)state;
    assert_int_equal(open_text(both, &place, before, "before"), ERR_OK);
    assert_int_equal(open_text(both, &place, after, "after"), ERR_OK);
    assert_int_equal(open_text(later, &place, after, "after"), ERR_OK);
    assert_int_equal(open_text(later, &place, before, ""), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, ID_A));
    assert_int_equal(open_text(old, &place, after, ""), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, ID_B));
    assert_int_equal(seal_text_id(after, id), ERR_OK);
    assert_string_equal(id, ID_B);
    assert_int_equal(seal_ring_count(both), 2);
    assert_string_equal(seal_ring_id(both, 0), ID_B);
    assert_string_equal(seal_ring_id(both, 1), ID_A);
    free(before);
    free(after);
    seal_ring_free(old);
    seal_ring_free(both);
    seal_ring_free(later);
    seal_ring_free(NULL);
}

/* Another key by the same id: the commitment tells. The id is of the ring alone, so it can be put on. */
static void an_id_put_on_does_not_open(void **state)
{
    struct seal_ring *a = ring_of(key_a, NULL), *b = ring_of(key_b, NULL);
    char *of_a = close_text(a, &place, "secret"), *of_b = close_text(b, &place, "secret"),
         text[128];
    uint8_t octets[2][64];
    size_t len;
    (void)state;
    assert_true(base64_decode(of_a, strlen(of_a), octets[0], &len));
    assert_true(base64_decode(of_b, strlen(of_b), octets[1], &len));
    memcpy(octets[0] + 3, octets[1] + 3, 4);
    base64_encode(octets[0], len, text);
    assert_int_equal(open_text(b, &place, text, ""), ERR_DENIED);
    assert_int_equal(open_text(a, &place, text, ""), ERR_NOTFOUND);
    free(of_a);
    free(of_b);
    seal_ring_free(a);
    seal_ring_free(b);
}

static void a_ring_has_some_keys_and_each_once(void **state)
{
    uint8_t keys[SEAL_KEYS_MAX + 1][SEAL_KEY_LEN] = {{0}};
    struct seal_ring *r = NULL;
    (void)state;
    for (size_t i = 0; i < SEAL_KEYS_MAX + 1; i++) {
        keys[i][31] = (uint8_t)(i + 1);
    }
    assert_int_equal(seal_ring_new(keys, 0, &r, &info), ERR_LIMIT);
    assert_int_equal(seal_ring_new(keys, SEAL_KEYS_MAX + 1, &r, &info), ERR_LIMIT);
    memcpy(keys[3], keys[1], SEAL_KEY_LEN);
    assert_int_equal(seal_ring_new(keys, SEAL_KEYS_MAX, &r, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "keys 2 and 4"));
    assert_null(r);
    keys[3][0] = 9;
    assert_int_equal(seal_ring_new(keys, SEAL_KEYS_MAX, &r, NULL), ERR_OK);
    assert_int_equal(seal_ring_count(r), SEAL_KEYS_MAX);
    char *text = close_text(r, &place, "x");
    assert_int_equal(open_text(r, &place, text, "x"), ERR_OK);
    free(text);
    seal_ring_free(r);
}

/* ---- memory -------------------------------------------------------------------------------- */

static enum err all_of_it(void)
{
    uint8_t keys[1][SEAL_KEY_LEN] = {{7}};
    struct seal_ring *r = NULL;
    char *text = NULL;
    uint8_t *plain = NULL;
    size_t len = 0;
    enum err e = seal_ring_new((const uint8_t(*)[SEAL_KEY_LEN])keys, 1, &r, NULL);
    e = e == ERR_OK ? seal_close(r, &place, "secret", 6, &text, NULL) : e;
    e = e == ERR_OK ? seal_open(r, &place, text, &plain, &len, NULL) : e;
    assert_int_equal(e == ERR_OK, plain != NULL && memcmp(plain, "secret", 7) == 0);
    seal_wipe(plain, len);
    free(text);
    seal_ring_free(r);
    return e;
}

static void memory_runs_out(void **state)
{
    unsigned failed = 0, told = 0;
    (void)state;
    assert_int_equal(all_of_it(), ERR_OK); /* what is made once and kept */
    for (size_t n = 0;; n++) {
        openssl_memory_fail_after(n);
        enum err e = all_of_it();
        if (!openssl_memory_failed()) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
        assert_true(e == ERR_OK || e == ERR_NOMEM || e == ERR_IO); /* never: "it was damaged" */
    }
    assert_true(failed > 20 && told > 15);
}

static void nothing_is_left(void **state)
{
    struct seal_ring *r = ring_of(key_a, NULL);
    (void)state;
    assert_int_equal(open_text(r, &place, SEALED, "the secret"), ERR_OK);
    size_t before = memory_in_use();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(open_text(r, &place, SEALED, "the secret"), ERR_OK);
        assert_int_equal(open_text(r, &place, SEALED_EMPTY, ""), ERR_DENIED);
        assert_int_equal(open_text(r, &place, old_texts[1], ""), ERR_NOTFOUND);
    }
    assert_true(memory_in_use() <= before + 4096);
    seal_ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_as_written_down),
        cmocka_unit_test(the_predecessors_texts_open),
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(octets_of_any_kind_and_number),
        cmocka_unit_test(nonces_are_used_once),
        cmocka_unit_test(no_bit_may_change),
        cmocka_unit_test(no_bit_of_the_predecessors_may_change),
        cmocka_unit_test(no_character_may_change),
        cmocka_unit_test(no_end_may_be_missing_or_too_much),
        cmocka_unit_test(it_opens_in_its_place_only),
        cmocka_unit_test(what_is_no_sealed_text),
        cmocka_unit_test(keys_can_be_changed),
        cmocka_unit_test(an_id_put_on_does_not_open),
        cmocka_unit_test(a_ring_has_some_keys_and_each_once),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(nothing_is_left),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, make_keys, NULL);
}

/* lib/digest: SHA-256 and HMAC against the published examples. */
#include "lib/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180-4 and NIST's examples: the empty message, one block, two blocks. */
static void published_examples(void **state)
{
    static const struct {
        const char *text;
        uint8_t digest[DIGEST_SHA256_LEN];
    } rows[] = {
        {"", {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
              0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
              0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55}},
        {"abc", {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
          0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
          0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[DIGEST_SHA256_LEN] = {0};
        assert_int_equal(digest_sha256(rows[i].text, strlen(rows[i].text), out), ERR_OK);
        assert_memory_equal(out, rows[i].digest, sizeof out);
    }
}

static void one_bit_changes_it(void **state)
{
    uint8_t a[DIGEST_SHA256_LEN];
    uint8_t b[DIGEST_SHA256_LEN];
    (void)state;
    assert_int_equal(digest_sha256("\x00", 1, a), ERR_OK);
    assert_int_equal(digest_sha256("\x01", 1, b), ERR_OK);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- HMAC -------------------------------------------------------------------------------- */

struct hmac_row {
    const char *key;
    size_t key_len;
    const char *text;
    size_t text_len;
    const char *hex; /* as many octets as are published */
};

static void expect_hmac(const struct digest_hmac *h, const void *text, size_t len, const char *hex)
{
    uint8_t out[DIGEST_SHA256_LEN];
    char got[2 * DIGEST_SHA256_LEN + 1];
    digest_hmac(h, text, len, out);
    for (size_t i = 0; i < sizeof out; i++) {
        snprintf(got + 2 * i, 3, "%02x", out[i]);
    }
    got[strlen(hex)] = '\0';
    assert_string_equal(got, hex);
}

/* RFC 4231 §4.2 to §4.8; §4.6 is cut to 128 bits there. */
static void published_hmacs(void **state)
{
    static const char by_20[] = "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                                "\x0b\x0b\x0b\x0b";
    static const char counted[] = "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27"
                                  "\30\31";
    static char aa[131], dd[50], cd[50], c12[20];
    static const char first[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char longer[] =
        "This is a test using a larger than block-size key and a larger than block-size data. The "
        "key needs to be hashed before being used by the HMAC algorithm.";
    const struct hmac_row rows[] = {
        {by_20, 20, "Hi There", 8,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?", 28,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {aa, 20, dd, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {counted, 25, cd, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {c12, 20, "Test With Truncation", 20, "a3b6167473100ee06e0c796c2955552b"},
        {aa, 131, first, sizeof first - 1,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {aa, 131, longer, sizeof longer - 1,
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    (void)state;
    memset(aa, 0xaa, sizeof aa);
    memset(dd, 0xdd, sizeof dd);
    memset(cd, 0xcd, sizeof cd);
    memset(c12, 0x0c, sizeof c12);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct digest_hmac h;
        digest_hmac_init(&h, rows[i].key, rows[i].key_len);
        expect_hmac(&h, rows[i].text, rows[i].text_len, rows[i].hex);
        /* A prepared key is not used up. */
        expect_hmac(&h, rows[i].text, rows[i].text_len, rows[i].hex);
    }
}

/* Where SHA-256's padding takes another block, and a key of just one block; computed with another
 * implementation (Python's hmac, key: octets 0 to 63, text: as many 'x'). */
static void hmacs_around_a_block(void **state)
{
    static const struct {
        size_t len;
        const char *hex;
    } rows[] = {
        {0, "3499f163f48604c0b15ac89e4e7c66f314fb3b203b8ac2f564828e62f6be9d9d"},
        {1, "b8dc75d4220cfd86a5bf7c4301b3698f142a66fd7c004627df558626edb480cd"},
        {46, "b81bd27d694c9ffcd78a1e2a48f2e0464ced5efa2a361c5beabfb96d5ef0e8a5"},
        {47, "e907036169303af3d1a1b52ed0d9ec0386a4820fd89f6670ff5b99e073ce5ce9"},
        {55, "38d9fb98840c15edc524af7803ee5ad1b4bc19b4f3ccb5a5f9b05cc651d5d6f4"},
        {56, "ecbb80af3252a1d4d4a027ef3670e7a1999251c791d3233cd3945caf738e52aa"},
        {63, "123dee75a0e4bd710a8bd0f724cd47d49543e7df47b43cf04031fff22be74e44"},
        {64, "68ea1dc616c008f415c25ae1c02e52f6d3944979c639fee1891de2bfcb75cb45"},
        {65, "73de0aa920eead6bad701309bcf15b1506ac559f00267f7d791b60b5c186b1f7"},
        {119, "5cc6af7c0e1ad186e7747f3313f170b78c9f4c721af7f7174ce3972c3eeb21a8"},
        {120, "d239af23068a209799f65a019a47aca947457b20d7b2db478009c3f998ed310f"},
        {128, "0f3ce304d4532cd081207204f6de945aaaa4572b431345988747ac10cf8bc3e5"},
        {130, "d1d314e59ef4abd6c02cd7bcd75772fd47859eb7b5f402704826fa740cd356c5"},
    };
    uint8_t key[64];
    char text[130];
    struct digest_hmac h;
    (void)state;
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    memset(text, 'x', sizeof text);
    digest_hmac_init(&h, key, sizeof key);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_hmac(&h, text, rows[i].len, rows[i].hex);
    }
}

/* RFC 2104 §2: a short key is padded with zeros, so an empty one is a block of them. */
static void an_empty_key_is_zeros(void **state)
{
    static const uint8_t zeros[64];
    struct digest_hmac a, b;
    (void)state;
    digest_hmac_init(&a, NULL, 0);
    digest_hmac_init(&b, zeros, sizeof zeros);
    assert_memory_equal(&a, &b, sizeof a);
    expect_hmac(&a, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void the_same_secret(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"", "", true},
        {"key", "key", true},
        {"key", "kez", false},
        {"key", "kex", false},
        {"key", "ke", false},
        {"key", "keyy", false},
        {"key", "", false},
        {"a key of more than one block of SHA-256, which has sixty-four octets",
         "a key of more than one block of SHA-256, which has sixty-four octets", true},
        {"a key of more than one block of SHA-256, which has sixty-four octets",
         "a key of more than one block of SHA-256, which has sixty-four octetS", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t a = strlen(rows[i].a);
        size_t b = strlen(rows[i].b);
        assert_int_equal(digest_same(rows[i].a, a, rows[i].b, b), rows[i].same);
        assert_int_equal(digest_same(rows[i].b, b, rows[i].a, a), rows[i].same);
    }
    assert_false(digest_same("key", 3, "key", 4)); /* a NUL counts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),    cmocka_unit_test(one_bit_changes_it),
        cmocka_unit_test(published_hmacs),       cmocka_unit_test(hmacs_around_a_block),
        cmocka_unit_test(an_empty_key_is_zeros), cmocka_unit_test(the_same_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cluster/token: new ones differ, and what is stored of one is its SHA-256. */
#include "cluster/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Of octets 0 to 31; the hash is sha256sum's of the text. */
#define TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define HASH "ea866a757e4c38babfa8127cbe9a409d3e1f93a00ff1488ff735fcf917afffd0"

static void a_token_is_43_characters_of_base64url(void **state)
{
    char a[TOKEN_LEN + 1], b[TOKEN_LEN + 1], hash[TOKEN_HASH];
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        token_new(a);
        token_new(b);
        assert_int_equal(strlen(a), TOKEN_LEN);
        assert_int_equal(
            strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            TOKEN_LEN);
        assert_string_not_equal(a, b);
        assert_true(token_hash(a, hash));
        assert_int_equal(strlen(hash), 64);
        assert_int_equal(strspn(hash, "0123456789abcdef"), 64);
    }
}

static void the_hash_is_of_the_text(void **state)
{
    char hash[TOKEN_HASH];
    (void)state;
    assert_true(token_hash(TEXT, hash));
    assert_string_equal(hash, HASH);
}

static void what_is_no_token_has_no_hash(void **state)
{
    static const char *const texts[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",  /* 42 */
        TEXT "A",                                      /* 44 */
        TEXT "=",                                      /* with its padding */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", /* bits left over that are not zero */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+", /* the other alphabet */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/",
        " AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH\xc3\xa9",
    };
    char hash[TOKEN_HASH];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        memset(hash, 'x', sizeof hash);
        assert_false(token_hash(texts[i], hash));
        assert_string_equal(hash, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_43_characters_of_base64url),
        cmocka_unit_test(the_hash_is_of_the_text),
        cmocka_unit_test(what_is_no_token_has_no_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

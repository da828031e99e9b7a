/* What a user is called where names are hashed, beside tokens made by another implementation. */
#include "dnsd/zone/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/name.h"

/* Octets 0 to 31, as in the rows below. */
static struct digest_hmac key_of_test(void)
{
    struct digest_hmac h;
    uint8_t key[USER_KEY_LEN];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    digest_hmac_init(&h, key, sizeof key);
    return h;
}

/* Python: hmac.new(bytes(range(32)), b"username\0" + name, "sha256").hexdigest() */
static const struct {
    const char *name;
    const char *token;
} known[] = {
    {"alice", "cb77926710e5e61f22e338e0e93e3e9aefb8884ae30137809185f4657d655056"},
    {"bob", "5605a6db332c5aeb5fdd33c081fcb9a142ca9722ebc3cdd957d6fb9987c9bdd6"},
    {"a", "0c914bd58f0fa8d35d086485834a7828ed95ebfa3488964481ae6613f66ffff2"},
    {"with-dash", "1a2e67cd4ee141ba7351b62ee11ee514ccdb024e047f73321f0e26cb240d19a4"},
    {"under_score", "1f2e7671c7368dc01884a3ce6186ed9c3317703f0577e23d5a36ba55e0510cfa"},
    {"0", "3a161a1f5ac97fac85846705b3133c0eb75e614ea3964b66d5316bc27ff7d007"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "dc5e02bccc9624b791b625e681994f263db8f93aea9611b7dcacadbc0d8bd94b"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "43899298113eae10cca90e6153b497d68883e8cacc04c87b745f226292f14d6d"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "6723bfbc0a44f75a33bc131b219ff4f56b069325cf0ce6a238d801b48bbeda5f"},
    {"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
     "730969aab661f4af1dea6447656996160d4bd4034ff0c093807b9f3bd415ed61"},
    {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
     "ca35c9e2daa55944f8d3ca0e6915403dde408f01ad1c7f951be52f7291f1077a"},
};

static void tokens(void **state)
{
    struct digest_hmac key = key_of_test();
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t token[USER_TOKEN_LEN], again[USER_TOKEN_LEN];
        char text[USER_TOKEN_TEXT];
        assert_true(user_token(&key, (const uint8_t *)known[i].name, strlen(known[i].name), token));
        user_token_to_text(token, text);
        assert_string_equal(text, known[i].token);
        assert_true(user_token_from_text(text, again));
        assert_memory_equal(again, token, sizeof token);
    }
}

static void names_that_nobody_has(void **state)
{
    static const struct {
        const char *name;
        size_t len;
    } rows[] = {
        {"", 0},         {"a.b", 3},
        {"Alice", 5},    {"a b", 3},
        {"a\0b", 3},     {"*", 1},
        {"\xc3\xa9", 2}, {"a/b", 3},
        {"a:b", 3},      {"@", 1},
        {"[", 1},        {"`", 1},
        {"{", 1},        {"0123456789012345678901234567890123456789012345678901234567890123", 64}};
    struct digest_hmac key = key_of_test();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t token[USER_TOKEN_LEN];
        assert_false(user_name_is_plain((const uint8_t *)rows[i].name, rows[i].len));
        assert_false(user_token(&key, (const uint8_t *)rows[i].name, rows[i].len, token));
    }
}

static void what_rows_call_a_user(void **state)
{
    static const uint8_t bytes[USER_KEY_LEN] = {1, 2, 3};
    struct digest_hmac key;
    uint8_t token[USER_TOKEN_LEN];
    char text[USER_TOKEN_TEXT];
    char expected[USER_TOKEN_TEXT];
    (void)state;
    digest_hmac_init(&key, bytes, sizeof bytes);
    assert_string_equal(user_row(NULL, "alice", text), "alice");
    assert_true(user_token(&key, (const uint8_t *)"alice", 5, token));
    user_token_to_text(token, expected);
    assert_string_equal(user_row(&key, "alice", text), expected);
    assert_null(user_row(NULL, "*", text));
    assert_null(user_row(&key, "*", text));
    assert_null(user_row(NULL, "", text));
    assert_null(user_row(&key, "Alice", text)); /* not folded */
}

static void texts_that_are_no_token(void **state)
{
    static const char good[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char bad[] = "ABCDEFg/:@G`{- ";
    uint8_t token[USER_TOKEN_LEN];
    char text[sizeof good + 1];
    (void)state;
    assert_true(user_token_from_text(good, token));
    assert_memory_equal(token, "\x01\x23\x45\x67\x89\xab\xcd\xef\x01", 9);
    for (size_t at = 0; at < sizeof good - 1; at += 21) {
        for (size_t i = 0; i < sizeof bad - 1; i++) {
            memcpy(text, good, sizeof good);
            text[at] = bad[i];
            assert_false(user_token_from_text(text, token));
        }
    }
    memcpy(text, good, sizeof good);
    text[63] = '\0';
    assert_false(user_token_from_text(text, token));
    memcpy(text, good, sizeof good);
    memcpy(text + 64, "0", 2);
    assert_false(user_token_from_text(text, token));
    assert_false(user_token_from_text("", token));
}

/* In the table it is no label, and as much of the token as lies in a slot. */
static void slots(void **state)
{
    uint8_t token[USER_TOKEN_LEN], key[USER_SLOT_LEN];
    (void)state;
    assert_true(user_token_from_text(known[0].token, token));
    user_slot_key(token, key);
    assert_true(key[0] > WIRE_LABEL_MAX);
    assert_memory_equal(key + 1, token, sizeof key - 1);
    assert_int_equal(sizeof key, TABLE_INLINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(names_that_nobody_has),
        cmocka_unit_test(what_rows_call_a_user),
        cmocka_unit_test(texts_that_are_no_token),
        cmocka_unit_test(slots),
    };
    return cmocka_run_group_tests_name("zone/user", tests, NULL, NULL);
}

/* dnsd/app/config: from platform.piiMode and piiHmacKey to how users are called. */
#include "dnsd/app/config_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/app/config_priv.h"
#include "dnsd/app/config_zone.h"
#include "lib/str.h"

#define HASHED(key) "platform: {piiMode: hashed, piiHmacKey: " key "}\n"

static void load(const char *platform, struct config *config)
{
    struct str yaml = {.text = NULL};
    struct cfg *c = cfg_new();
    struct config_problems problems = {.count = 0};
    *config = (struct config){.path = NULL};
    str_appendf(
        &yaml, "core: {id: core-a, ip: 192.0.2.1}\ndns: {active: true, domain: mc.example.com}\n%s",
        platform);
    cfg_add(c, "f", yaml.text, yaml.len);
    if (config_from_cfg(c, config, &problems) != ERR_OK) {
        fail_msg("%s", problems.text.text);
    }
    config_problems_free(&problems);
    cfg_free(c);
    str_free(&yaml);
}

/* Keys, and what Python makes of them: base64.b64decode(), hmac.new(key, b"username\\0alice"). */
static const struct {
    const char *platform;
    const char *token;
} keys[] = {
    {HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
     "cb77926710e5e61f22e338e0e93e3e9aefb8884ae30137809185f4657d655056"},
    {HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
     "cb77926710e5e61f22e338e0e93e3e9aefb8884ae30137809185f4657d655056"},
    {HASHED("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
     "17a3f000e98e3d98491a06296c5872415b50556a6458f94056fabf6af68b6451"},
    {HASHED("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
     "17a3f000e98e3d98491a06296c5872415b50556a6458f94056fabf6af68b6451"},
    {HASHED("//////////////////////////////////////////8="),
     "cf32818c6f13e4fea18c0c7a9c224d0e0c0ac617e1862221f9319ee93e76cffc"},
    {HASHED("__________________________________________8"),
     "cf32818c6f13e4fea18c0c7a9c224d0e0c0ac617e1862221f9319ee93e76cffc"},
    {HASHED("grcO7n8aUDm+8H7CNH8GbtCPXcdRJEfjQEMAAmtuVFU="),
     "51cbd00de34cd751eac67e01d03c15de1063c3efa114190b0bff774b1be7b7c9"},
    {HASHED("grcO7n8aUDm-8H7CNH8GbtCPXcdRJEfjQEMAAmtuVFU"),
     "51cbd00de34cd751eac67e01d03c15de1063c3efa114190b0bff774b1be7b7c9"},
    {HASHED("+++++++++++++++++++++++++++++++++++++++++/8="),
     "d82f0db574dd840ba130d6558ffc796f12bb5ada5c155d516f1a5377fb681550"},
    {HASHED("-----------------------------------------_8"),
     "d82f0db574dd840ba130d6558ffc796f12bb5ada5c155d516f1a5377fb681550"},
};

static void keys_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct config c;
        uint8_t key[USER_KEY_LEN], token[USER_TOKEN_LEN];
        char text[USER_TOKEN_TEXT];
        struct digest_hmac h;
        load(keys[i].platform, &c);
        assert_true(config_user_key(&c, key));
        digest_hmac_init(&h, key, sizeof key);
        assert_true(user_token(&h, (const uint8_t *)"alice", 5, token));
        user_token_to_text(token, text);
        assert_string_equal(text, keys[i].token);
        config_free(&c);
    }
}

static void in_clear_there_is_no_key(void **state)
{
    static const char with_key[] = "platform: {piiMode: cleartext, piiHmacKey: "
                                   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\n";
    static const char *const rows[] = {"", "platform: {piiMode: cleartext}\n", with_key};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c;
        uint8_t key[USER_KEY_LEN] = {7};
        load(rows[i], &c);
        assert_false(config_user_key(&c, key));
        assert_int_equal(key[0], 7);
        config_free(&c);
    }
}

static void equal(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"", "", true},
        {"", "platform: {piiHmacKey: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\n", true},
        {"", HASHED("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), false},
        {HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
         HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), true},
        {HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
         HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="), true},
        {HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
         HASHED("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg8="), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config a, b;
        load(rows[i].a, &a);
        load(rows[i].b, &b);
        assert_int_equal(config_users_equal(&a, &b), rows[i].equal);
        assert_int_equal(config_users_equal(&b, &a), rows[i].equal);
        config_free(&a);
        config_free(&b);
    }
}

/* The zone made from the configuration takes tokens by that key, and only those. */
static void the_zone_has_the_key(void **state)
{
    struct config c;
    struct zone *z = NULL;
    (void)state;
    load(keys[0].platform, &c);
    assert_int_equal(config_zone_new(&c, &z, NULL), ERR_OK);
    config_free(&c);
    assert_int_equal(zone_user_put(z, "alice", "core-a", NULL), ERR_MALFORMED);
    assert_int_equal(zone_user_put(z, keys[0].token, "core-a", NULL), ERR_OK);
    const struct zone_snapshot *s = zone_commit(z, 1);
    static const uint8_t label_at[] = {0, 6, 9, 17, 21};
    assert_int_equal(zone_snapshot_find(s, (const uint8_t *)"\5alice", label_at, 1, false).kind,
                     ZONE_HIT);
    assert_int_equal(zone_snapshot_find(s, (const uint8_t *)"\5alicf", label_at, 1, false).kind,
                     ZONE_MISS);
    zone_snapshot_unref(s);
    zone_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_decoded),
        cmocka_unit_test(in_clear_there_is_no_key),
        cmocka_unit_test(equal),
        cmocka_unit_test(the_zone_has_the_key),
    };
    return cmocka_run_group_tests_name("app/config_users", tests, NULL, NULL);
}

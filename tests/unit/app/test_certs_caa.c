/* dnsd/app/certs_caa: who may issue, as the zone says it. */
#include "dnsd/app/certs_caa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PRODUCTION "https://ca.example/directory"
#define STAGING    "https://staging.example/directory"

static char production[] = PRODUCTION, staging[] = STAGING, fixed[] = "ca.example.org",
            off[] = "off", odd[] = "ca.example.org; x=y";

static const struct store_account accounts[] = {
    {.directory = PRODUCTION, .url = "https://ca.example/acct/7", .issuer = "ca.example"},
    {.directory = STAGING, .url = "https://staging.example/acct/8", .issuer = "ca.example"},
    {.directory = "https://old.example/d", .url = "https://old.example/1", .issuer = "old.example"},
};
static const struct store_account nameless = {
    .directory = PRODUCTION, .url = "https://ca.example/acct/7", .issuer = ""};
static const struct store_account unregistered = {
    .directory = PRODUCTION, .url = "", .issuer = "ca.example"};
static const struct store_account hostile = {
    .directory = PRODUCTION, .url = "https://ca.example/\"; accounturi=x", .issuer = "ca.example"};

#define OURS                                                                                       \
    "0 issue \"ca.example; accounturi=https://ca.example/acct/7; validationmethods=dns-01\"\n"
#define THEIRS                                                                                     \
    "0 issue \"ca.example; accounturi=https://staging.example/acct/8; "                            \
    "validationmethods=dns-01\"\n"

static void what_follows_from_the_accounts(void **state)
{
    static const struct {
        bool enabled;
        char *caa;
        const struct store_account *accounts;
        size_t count;
        const char *want;
    } rows[] = {
        {true, NULL, accounts, 3, OURS THEIRS},
        {true, NULL, accounts, 1, OURS},
        {true, NULL, accounts, 0, ""},
        {true, fixed, accounts, 0, "0 issue \"ca.example.org\"\n"},
        {true, fixed, accounts, 1,
         "0 issue \"ca.example.org; accounturi=https://ca.example/acct/7; "
         "validationmethods=dns-01\"\n"},
        {true, off, accounts, 3, ""},
        {true, NULL, &nameless, 1, ""},
        {true, fixed, &nameless, 1,
         "0 issue \"ca.example.org; accounturi=https://ca.example/acct/7; "
         "validationmethods=dns-01\"\n"},
        {true, NULL, &unregistered, 1, ""},
        {true, NULL, &hostile, 1, ""},
        {true, odd, accounts, 1, ""},
        {false, NULL, accounts, 3, ""},
        {false, fixed, accounts, 3, "0 issue \"ca.example.org\"\n"},
        {false, odd, accounts, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c = {.lets_encrypt = {.enabled = rows[i].enabled,
                                            .directory_url = production,
                                            .staging_url = staging,
                                            .caa = rows[i].caa}};
        char texts[4][CERTS_CAA_TEXT];
        char got[4 * CERTS_CAA_TEXT] = "";
        size_t n = certs_caa(&c, rows[i].accounts, rows[i].count, texts, 4);
        for (size_t k = 0; k < n; k++) {
            strcat(strcat(got, texts[k]), "\n");
        }
        assert_string_equal(got, rows[i].want);
    }
}

static void no_more_than_there_is_room_for(void **state)
{
    struct config c = {
        .lets_encrypt = {.enabled = true, .directory_url = production, .staging_url = staging}};
    char texts[1][CERTS_CAA_TEXT];
    (void)state;
    assert_int_equal(certs_caa(&c, accounts, 3, texts, 1), 1);
    assert_int_equal(certs_caa(&c, accounts, 3, texts, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_from_the_accounts),
        cmocka_unit_test(no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

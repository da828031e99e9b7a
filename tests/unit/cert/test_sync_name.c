/* cert/sync_name: hosts as folders, generations as folders, and which of two is a step back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cert/sync_priv.h"

static void hosts_become_folders(void **state)
{
    static const struct {
        const char *host, *folder;
    } good[] = {
        {"a.example", "a.example"},
        {"*.a.example", "wildcard.a.example"},
        {"A.eXample", "a.example"},
        {"localhost", "localhost"},
        {"core-1.9.example", "core-1.9.example"},
        {"*.example", "wildcard.example"},
    };
    char out[SYNC_HOST_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(sync_name_folder(good[i].host, out, NULL), ERR_OK);
        assert_string_equal(out, good[i].folder);
    }
}

static void whatever_leads_elsewhere_is_no_host(void **state)
{
    static const char *const bad[] = {
        "",           ".",
        "..",         "a..b",
        ".a",         "a.",
        "../a",       "a/b",
        "/etc",       "a/../b",
        "*",          "*.",
        "a.*.b",      "**.a",
        "*a.b",       "-a.example",
        "a-.example", "a_b.example",
        "a b",        "a\nb",
        "a\\b",       "\xc3\xa9.example",
        "a.example/", "*./a",
    };
    char out[SYNC_HOST_MAX], label[65], text[300];
    struct err_info info;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sync_name_folder(bad[i], out, &info), ERR_MALFORMED);
        assert_non_null(strstr(info.text, "not the name of a host"));
    }
    memset(label, 'a', 64);
    label[64] = '\0';
    assert_int_equal(sync_name_folder(label, out, NULL), ERR_MALFORMED);
    label[63] = '\0';
    assert_int_equal(sync_name_folder(label, out, NULL), ERR_OK);
    for (size_t i = 0; i < 253; i++) {
        text[i] = i % 2 == 0 ? 'a' : '.';
    }
    text[253] = '\0';
    assert_int_equal(sync_name_folder(text, out, NULL), ERR_OK);
    text[0] = '*'; /* the longest folder there is */
    assert_int_equal(sync_name_folder(text, out, NULL), ERR_OK);
    assert_int_equal(strlen(out), 253 - 2 + strlen("wildcard."));
    text[253] = 'a';
    text[254] = '\0';
    assert_int_equal(sync_name_folder(text, out, NULL), ERR_MALFORMED);
}

static struct sync_gen gen(uint64_t number, int64_t issued_ms, const char *print)
{
    struct sync_gen g = {.number = number, .issued_ms = issued_ms};
    memcpy(g.print, print, sizeof g.print);
    return g;
}

static void generations_become_folders_and_back(void **state)
{
    static const uint8_t digest[DIGEST_SHA256_LEN] = {0x9f, 0x86, 0xd0, 0x81};
    struct sync_gen g, again;
    char folder[SYNC_FOLDER_MAX];
    (void)state;
    sync_gen_init(&g, 42, INT64_C(1790000000000), digest);
    sync_gen_format(&g, folder);
    assert_string_equal(folder, "00000042-1790000000000-9f86d081");
    assert_true(sync_gen_parse(folder, &again));
    assert_memory_equal(&again, &g, sizeof g);
    sync_gen_init(&g, UINT64_MAX, INT64_MAX, digest);
    sync_gen_format(&g, folder);
    assert_true(sync_gen_parse(folder, &again));
    assert_true(again.number == UINT64_MAX && again.issued_ms == INT64_MAX);
    sync_gen_init(&g, 0, -5, digest); /* a row that says nothing sensible */
    assert_int_equal(g.issued_ms, 0);
}

static void what_is_not_ours_is_not_taken_for_it(void **state)
{
    static const char *const bad[] = {
        "",
        "42",
        "00000042-1790000000000",
        "00000042-1790000000000-",
        "00000042-1790000000000-9f86d08",
        "00000042-1790000000000-9f86d0811",
        "00000042-1790000000000-9F86d081",
        "42-1790000000000-9f86d081",
        "+0000042-1790000000000-9f86d081",
        "00000042-1790000000000-9f86d081/..",
        "00000042--790000000000-9f86d081",
        "18446744073709551616-1790000000000-9f86d081",
        "00000042-9223372036854775808-9f86d081",
        "..",
    };
    struct sync_gen g;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sync_gen_parse(bad[i], &g));
    }
}

static void which_is_a_step_back(void **state)
{
    static const struct {
        uint64_t offered;
        int64_t offered_ms;
        uint64_t shown;
        int64_t shown_ms;
        bool older;
    } t[] = {
        /* both counted */
        {4, 400, 5, 500, true},
        {5, 500, 4, 400, false},
        {5, 400, 5, 500, true},
        {5, 500, 5, 400, false},
        {4, 500, 5, 500, true},
        {5, 500, 4, 500, false},
        {5, 400, 4, 500, false}, /* who issued it had a slow clock */
        {1, 700, 5, 500, false}, /* the counting has begun anew, after a predecessor */
        /* the predecessor's */
        {0, 500, 5, 400, false},
        {0, 400, 5, 500, true},
        {0, 500, 5, 500, true},
        {5, 500, 0, 400, false},
        {5, 400, 0, 500, true},
        {5, 500, 0, 500, false},
        {0, 400, 0, 500, true},
        {0, 500, 0, 400, false},
        {0, 500, 0, 500, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct sync_gen a = gen(t[i].offered, t[i].offered_ms, "00000001"),
                        b = gen(t[i].shown, t[i].shown_ms, "00000002");
        if (sync_gen_older(&a, &b) != t[i].older) {
            fail_msg("row %zu", i);
        }
        memcpy(a.print, b.print, sizeof a.print); /* the same certificate is never a step back */
        assert_false(sync_gen_older(&a, &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_become_folders),
        cmocka_unit_test(whatever_leads_elsewhere_is_no_host),
        cmocka_unit_test(generations_become_folders_and_back),
        cmocka_unit_test(what_is_not_ours_is_not_taken_for_it),
        cmocka_unit_test(which_is_a_step_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

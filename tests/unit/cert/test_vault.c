/* cert/vault: each kind of key in its place and in no other. */
#include "cert/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cert/key.h"
#include "openssl_memory.h"
#include "test_keys.h"

/* Octets 0 to 31; 0xb0 to 0xbf, twice. */
#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ID_A  "d1744a1b"
#define KEY_B "sLGys7S1tre4ubq7vL2+v7CxsrO0tba3uLm6u7y9vr8="
#define ID_B  "e096df1c"

#define ED25519                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIGW+ytK1vtGbNVopE8cTlkqQTaT7HRCQuCKjL8X0ORzx\n"                           \
    "-----END PRIVATE KEY-----\n"

#define CA "https://ca.example/dir"

static struct err_info info;

static struct cert_vault *vault_of(const char *first, const char *second)
{
    const char *keys[] = {first, second};
    struct cert_vault *v = NULL;
    assert_int_equal(cert_vault_new(keys, second != NULL ? 2 : 1, &v, NULL), ERR_OK);
    return v;
}

static enum err open_at(struct cert_vault *v, const struct cert_vault_place *place,
                        const char *sealed, const char *expect)
{
    char *pem = NULL;
    uint64_t failures = cert_vault_failures(v);
    info = (struct err_info){.text = ""};
    enum err e = cert_vault_open(v, place, sealed, &pem, &info);
    assert_int_equal(e == ERR_OK, pem != NULL);
    assert_int_equal(e == ERR_OK, info.text[0] == '\0');
    assert_int_equal(cert_vault_failures(v), failures + (e != ERR_OK));
    assert_null(strstr(info.text, "BEGIN"));
    if (e == ERR_OK) {
        assert_string_equal(pem, expect);
    }
    cert_key_pem_free(pem);
    return e;
}

/* ---- literal texts, all made by another implementation (Python's cryptography) ---------------- */

/* Purposes and places are part of what is stored: a row of today opens tomorrow. */
static const struct {
    struct cert_vault_place place;
    const char *sealed;
} rows[] = {
    {{CERT_VAULT_LEAF, "a.example", "7"},
     "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm/PNTUerZAWh0d80X9y5KR3JmnYSNVcFw4jU+0p"
     "UANJVQkbecLjGupAypKqbszkEIFUl2+6rdXsREUldHftAq1xKB1hE3oq9jGtpUL43FGZ6rtLaFo0J4Wwz7kE"
     "65hfVKozMseagu6wrns5ck7AS6LOAx7jmSIv/6TyvXwMWoxbqWGjW6miOEA="},
    {{CERT_VAULT_STAGED, "a.example", "ab12"},
     "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm88lW74KTRf2TTMGIT3k5BrrTfvq2Iypg3JtQIj"
     "yJks2xIsPXavMTvo7zr5cW9XSu9jUfE8s13PRZF9l7JWjHHan0OSPQcnweK8E4m/gtxD1E2/14fcvuohGlW6"
     "wq1iIxVKScSeikInuBVRxgKE5jhKPwLYh+INtRSEVhT465t7WEEK5kl53fU="},
    {{CERT_VAULT_ACCOUNT, CA, NULL},
     "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm+NM0vvERn+ZNg282UJ+0NSne+vi7G49IAKq5Lp"
     "fB88gmWEnncsHYN+ZqwdXoTN8lJsm7L14s+Ae434oIoonddN1RshoUFZaMT2FsdRm3d0+aC6xIl8OegMdBZb"
     "ZJRP3cfGOqX8tW6Su8x3gz4l411U8kSR+9ygzCt+Wx+7e8myPrcHTWOaavU="},
    {{CERT_VAULT_PENDING, CA, NULL},
     "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm+5jLkzgIkF7IWPl2aycxg+65oOeSKEF8kDZqku"
     "9OedcnrK2vNa7xaUszsZG7dLz3i7q511cVFFJMaEojfGa65Jmhs7wwnrvWwpt2vI0t9M+Ky2t5XuIKjqZPn4"
     "7P2jeFF3ofwPvCu9cApupF6/5np963UduRQGx4nWjil+Hq/8AHm3osgXCxE="},
};
#define ROWS (sizeof rows / sizeof rows[0])

static const char old_text[] =
    "AWRlZmdoaWprbG1uby1Vlel5PZph34KewIlqYbVlNvNLVKsT2Xcsf7iILDy8FocmQc413l+K/IFCtuCRC9W4"
    "AbcOQ8JAtsEuSL8Bg4pSHM/MWT4KGYyF67Sh18r6TbS4WrogSlTfDrl0WdhytxE7VF7r/dX2kKNMvHE+Y3yj"
    "XNcwL23oLPqsn5HnLfOtewatMuxUsw==";

static void what_is_stored_opens_in_its_place_only(void **state)
{
    static const struct cert_vault_place others[] = {
        {CERT_VAULT_LEAF, "a.example", "8"},     {CERT_VAULT_LEAF, "b.example", "7"},
        {CERT_VAULT_LEAF, "a.example", "ab12"},  {CERT_VAULT_STAGED, "a.example", "7"},
        {CERT_VAULT_ACCOUNT, "a.example", NULL}, {CERT_VAULT_ACCOUNT, CA "/", NULL},
    };
    struct cert_vault *v = vault_of(KEY_B, KEY_A);
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < ROWS; k++) {
            assert_int_equal(open_at(v, &rows[k].place, rows[i].sealed, ED25519),
                             i == k ? ERR_OK : ERR_DENIED);
        }
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            assert_int_equal(open_at(v, &others[k], rows[i].sealed, ""), ERR_DENIED);
        }
        assert_int_equal(open_at(v, &rows[i].place, old_text, ED25519), ERR_OK);
    }
    cert_vault_free(v);
}

static void what_opens_is_a_key(void **state)
{
    static const char *const wrong[] = {
        /* words; nothing; a key, a NUL, and more */
        "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm+Vd2pX82sm77BYuiON+kmJM/VQ81c=",
        "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm/t9ggR/nMfiwBbhIKSah2p",
        "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm/PNTUerZAWh0d80X9y5KR3JmnYSNVcFw4jU+0p"
        "UANJVQkbecLjGupAypKqbszkEIFUl2+6rdXsREUldHftAq1xKB1hE3oq9jGtpUL43FGZ6rtLaFo0J4Wwz7kE"
        "65hfVKozMseagu6wrns5ck7AS6LOAx7jmSIv/3fQFlvcpAL2GzECz77npiBM1w==",
    };
    struct cert_vault *v = vault_of(KEY_A, NULL);
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(open_at(v, &rows[0].place, wrong[i], ""), ERR_MALFORMED);
        assert_non_null(strstr(info.text, "no key"));
    }
    cert_vault_free(v);
}

static void what_is_put_in_comes_out(void **state)
{
    struct cert_vault *v = vault_of(KEY_A, KEY_B), *b = vault_of(KEY_B, NULL);
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char *sealed = NULL, id[SEAL_ID_TEXT];
        assert_int_equal(cert_vault_seal(v, &rows[i].place, TEST_KEY_RFC7515, &sealed, NULL),
                         ERR_OK);
        assert_int_equal(open_at(v, &rows[i].place, sealed, TEST_KEY_RFC7515), ERR_OK);
        assert_int_equal(open_at(v, &rows[(i + 1) % ROWS].place, sealed, ""), ERR_DENIED);
        assert_int_equal(seal_text_id(sealed, id), ERR_OK);
        assert_string_equal(id, ID_A);
        /* a core without the key says which one it misses */
        assert_int_equal(open_at(b, &rows[i].place, sealed, ""), ERR_NOTFOUND);
        assert_non_null(strstr(info.text, ID_A));
        free(sealed);
    }
    assert_int_equal(open_at(v, &rows[0].place, "", ""), ERR_MALFORMED);
    assert_int_equal(cert_vault_failures(b), ROWS);
    cert_vault_free(v);
    cert_vault_free(b);
}

/* ---- its own keys -------------------------------------------------------------------------- */

static void it_says_which_keys_it_has(void **state)
{
    struct cert_vault *v = vault_of(KEY_B, KEY_A);
    (void)state;
    assert_int_equal(cert_vault_keys(v), 2);
    assert_string_equal(cert_vault_key_id(v, 0), ID_B);
    assert_string_equal(cert_vault_key_id(v, 1), ID_A);
    cert_vault_free(v);
    cert_vault_free(NULL);
}

static void a_wrong_key_is_named_by_its_place(void **state)
{
    static const char *const wrong[] = {
        "",
        "REPLACE ME",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", /* 31 octets */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", /* 33 */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", /* bits left over */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=AAAA",
        "_AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *keys[] = {KEY_B, wrong[i]};
        struct cert_vault *v = NULL;
        assert_int_equal(cert_vault_new(keys, 2, &v, &info), ERR_MALFORMED);
        assert_null(v);
        assert_non_null(strstr(info.text, "key 2 of 2"));
        assert_null(strstr(info.text, "AAEC"));
        assert_int_equal(cert_vault_new(keys + 1, 1, &v, &info), ERR_MALFORMED);
        assert_non_null(strstr(info.text, "key 1 of 1"));
    }
}

static void some_keys_and_each_once(void **state)
{
    const char *keys[SEAL_KEYS_MAX + 1] = {KEY_A, KEY_B, KEY_A};
    struct cert_vault *v = NULL;
    (void)state;
    for (size_t i = 3; i < SEAL_KEYS_MAX + 1; i++) {
        keys[i] = KEY_A;
    }
    assert_int_equal(cert_vault_new(keys, 0, &v, &info), ERR_LIMIT);
    assert_int_equal(cert_vault_new(keys, SEAL_KEYS_MAX + 1, &v, &info), ERR_LIMIT);
    assert_int_equal(cert_vault_new(keys, 3, &v, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "1 and 3"));
    assert_null(v);
}

/* ---- memory -------------------------------------------------------------------------------- */

static enum err all_of_it(void)
{
    const char *keys[] = {KEY_A};
    struct cert_vault *v = NULL;
    char *sealed = NULL, *pem = NULL;
    enum err e = cert_vault_new(keys, 1, &v, NULL);
    e = e == ERR_OK ? cert_vault_seal(v, &rows[0].place, ED25519, &sealed, NULL) : e;
    e = e == ERR_OK ? cert_vault_open(v, &rows[0].place, sealed, &pem, NULL) : e;
    free(sealed);
    cert_key_pem_free(pem);
    cert_vault_free(v);
    return e;
}

/* While it looks whether it is a key, OpenSSL calls it by another name. */
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
        assert_true(e != ERR_DENIED && e != ERR_NOTFOUND);
    }
    assert_true(failed > 50 && told > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_opens_in_its_place_only),
        cmocka_unit_test(what_opens_is_a_key),
        cmocka_unit_test(what_is_put_in_comes_out),
        cmocka_unit_test(it_says_which_keys_it_has),
        cmocka_unit_test(a_wrong_key_is_named_by_its_place),
        cmocka_unit_test(some_keys_and_each_once),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

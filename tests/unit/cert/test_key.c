/* cert/key: what it makes and takes, and that OpenSSL believes what it signs. */
#include "cert/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "openssl_memory.h"
#include "test_keys.h"

static struct cert_key *key_of(const char *pem)
{
    struct cert_key *k = NULL;
    struct err_info info = {.text = ""};
    if (cert_key_from_pem(pem, strlen(pem), &k, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return k;
}

static EVP_PKEY *openssl_key_of(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(pkey);
    return pkey;
}

static void expect_public(const struct cert_key *k, const char *x_hex, const char *y_hex)
{
    uint8_t xy[2][CERT_KEY_COORDINATE];
    char hex[2][2 * CERT_KEY_COORDINATE + 1];
    assert_int_equal(cert_key_public(k, xy[0], xy[1], NULL), ERR_OK);
    for (size_t i = 0; i < CERT_KEY_COORDINATE; i++) {
        snprintf(hex[0] + 2 * i, 3, "%02x", xy[0][i]);
        snprintf(hex[1] + 2 * i, 3, "%02x", xy[1][i]);
    }
    assert_string_equal(hex[0], x_hex);
    assert_string_equal(hex[1], y_hex);
}

#define RFC7515_X "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"
#define RFC7515_Y "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad"

/* The same key in the forms that programs write: all are read, one is written. */
static void all_forms_are_one_key(void **state)
{
    static const char *const forms[] = {
        TEST_KEY_RFC7515,
        "words before\n" TEST_KEY_RFC7515 "\nand after",
        /* SEC 1, as the predecessor's program for its cluster writes it, with its parameters */
        "-----BEGIN EC PARAMETERS-----\n"
        "BggqhkjOPQMBBw==\n"
        "-----END EC PARAMETERS-----\n"
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49\n"
        "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
        "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
        "-----END EC PRIVATE KEY-----\n",
        /* its point compressed */
        "-----BEGIN PRIVATE KEY-----\n"
        "MGcCAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcETTBLAgEBBCCOmxCecZCYv5gEh98f\n"
        "XXfpyylgbr7SJjtfV8IT34T0sqEkAyIAA3/Nzidw9sRdQYPL7m/bS3tYBzM1e+nv\n"
        "E7rPbjx70VRF\n"
        "-----END PRIVATE KEY-----\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct cert_key *k = key_of(forms[i]);
        char *pem = NULL;
        expect_public(k, RFC7515_X, RFC7515_Y);
        assert_int_equal(cert_key_to_pem(k, &pem, NULL), ERR_OK);
        if (i < 3) { /* a compressed point stays one */
            assert_string_equal(pem, TEST_KEY_RFC7515);
        }
        cert_key_pem_free(pem);
        cert_key_free(k);
    }
}

/* RFC 7518 §6.2.1.2: a coordinate has its full length, zeros before it. */
static void short_coordinates_are_padded(void **state)
{
    (void)state;
    struct cert_key *k = key_of(TEST_KEY_SHORT_X);
    expect_public(k, "00bca9cf317469f055aec1c89ee0d6fab4e23d180b938f5519d339fafed15e3e",
                  "22e1ceff4c88f58c8891d5276c0d7d315d2064653cb5652aaab9c4867327228e");
    cert_key_free(k);
    k = key_of(TEST_KEY_SHORT_Y);
    expect_public(k, "97a88b49ba495ce47af1b5a707e111307ca91cc2e21dd1b78f1b2f94cd92c2a0",
                  "009b0159eccb2519a74ea66acceaedc37cfe8e64004cc4f5c218dc5c83d89876");
    cert_key_free(k);
}

static void what_is_not_ours_is_refused(void **state)
{
    static const struct {
        const char *pem, *why;
    } rows[] = {
        {"", "holds no private key"},
        {"nothing of the kind", "holds no private key"},
        {"-----BEGIN PRIVATE KEY-----\n", "holds no private key"},
        {"-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n",
         "holds no private key"},
        {"-----BEGIN PUBLIC KEY-----\n"
         "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
         "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
         "-----END PUBLIC KEY-----\n",
         "holds no private key"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
         "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiQ61DlJa0yYgICCAAw\n"
         "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIkWh2leVCfu3sy0Vw0qM/wEgZBM\n"
         "eZN/YxvLYGLlFFUeH5ZK/lvISYc0F3gN0301WERqmxQU5pc3F5grr2zy7NHQ72HO\n"
         "usWQSz+SEESsHgH0iFCKYpBXWWu871H+OhvIXzaqn0OBUtynjnU0QvCfsZHxdNDv\n"
         "bl67ZhlTqPc9gc8um3T4OHSpyYAePScQ2G60K9NAZ51GW6tlIrFNYVVrbOqCiK4=\n"
         "-----END ENCRYPTED PRIVATE KEY-----\n",
         "encrypted"},
        /* P-384, secp256k1, Ed25519, P-256 spelled out */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCNlUUuxPDVlzLQMoSM\n"
         "WwYB+lqbVPaH+AkuenUhYf20c1wRBE4UCAkiRBqgHR+yYPyhZANiAAQQLNEzBDHO\n"
         "9dmRIZ7luXVFaTFI94XkPyhCKUuNPIVYDSz8ZLzd1n58LLvuUqll/rA9GWQ2+1Lr\n"
         "YMnLsRLonyIGCx64hOW7m4ujm0zCE0lkJenVDsRHmep9W9XOoGG7gfY=\n"
         "-----END PRIVATE KEY-----\n",
         "not EC P-256"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgJR7dz5kdhgKWUkdeRtQ3\n"
         "dcPBdcudEgapsKtunYZyGfahRANCAATE/ntMqZaLoMOaf7XsVWe1K/xg26L3cBH+\n"
         "jdT/36tM116duiyXfnvIztQIuuerHQX3WMMtTX339vyb+zy00Zi/\n"
         "-----END PRIVATE KEY-----\n",
         "not EC P-256"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VwBCIEIGW+ytK1vtGbNVopE8cTlkqQTaT7HRCQuCKjL8X0ORzx\n"
         "-----END PRIVATE KEY-----\n",
         "not EC P-256"},
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MIIBaAIBAQQgjpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fCE9+E9LKggfowgfcC\n"
         "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
         "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
         "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
         "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
         "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
         "YyVRAgEBoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTN\n"
         "G72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
         "-----END EC PRIVATE KEY-----\n",
         "not EC P-256"},
        /* another key's public half, and one that is not on the curve */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
         "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAASXqItJuklc5HrxtacH4REwfKkcwuId\n"
         "0bePGy+UzZLCoACbAVnsyyUZp06maszq7cN8/o5kAEzE9cIY3FyD2Jh2\n"
         "-----END PRIVATE KEY-----\n",
         "damaged"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
         "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
         "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWs\n"
         "-----END PRIVATE KEY-----\n",
         "holds no private key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cert_key *k = NULL;
        struct err_info info = {.text = ""};
        assert_int_equal(cert_key_from_pem(rows[i].pem, strlen(rows[i].pem), &k, &info),
                         ERR_MALFORMED);
        assert_null(k);
        if (strstr(info.text, rows[i].why) == NULL) {
            fail_msg("row %zu: %s", i, info.text);
        }
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void a_text_has_a_limit(void **state)
{
    static char text[CERT_KEY_PEM_MAX + 2];
    struct cert_key *k = NULL;
    (void)state;
    memset(text, '\n', sizeof text);
    memcpy(text, TEST_KEY_RFC7515, strlen(TEST_KEY_RFC7515));
    assert_int_equal(cert_key_from_pem(text, CERT_KEY_PEM_MAX + 1, &k, NULL), ERR_MALFORMED);
    assert_int_equal(cert_key_from_pem(text, CERT_KEY_PEM_MAX, &k, NULL), ERR_OK);
    cert_key_free(k);
}

static void new_ones_differ_and_come_back(void **state)
{
    struct cert_key *a = NULL, *b = NULL;
    uint8_t ax[2][CERT_KEY_COORDINATE], ay[2][CERT_KEY_COORDINATE];
    char *a_pem = NULL, *b_pem = NULL;
    (void)state;
    assert_int_equal(cert_key_new(&a, NULL), ERR_OK);
    assert_int_equal(cert_key_new(&b, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(a, &a_pem, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(b, &b_pem, NULL), ERR_OK);
    assert_string_not_equal(a_pem, b_pem);
    assert_int_equal(strncmp(a_pem, "-----BEGIN PRIVATE KEY-----\n", 28), 0);
    struct cert_key *again = key_of(a_pem);
    assert_int_equal(cert_key_public(a, ax[0], ay[0], NULL), ERR_OK);
    assert_int_equal(cert_key_public(again, ax[1], ay[1], NULL), ERR_OK);
    assert_memory_equal(ax[0], ax[1], sizeof ax[0]);
    assert_memory_equal(ay[0], ay[1], sizeof ay[0]);
    cert_key_free(again);
    cert_key_pem_free(a_pem);
    cert_key_pem_free(b_pem);
    cert_key_free(a);
    cert_key_free(b);
    cert_key_free(NULL);
    cert_key_pem_free(NULL);
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* OpenSSL's own word on r and s. */
static bool verifies(EVP_PKEY *pkey, const uint8_t rs[CERT_KEY_SIGNATURE], const void *bytes,
                     size_t len)
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    uint8_t *der = NULL;
    ECDSA_SIG_set0(s, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL));
    int der_len = i2d_ECDSA_SIG(s, &der);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestVerify(c, der, (size_t)der_len, bytes, len) == 1;
    EVP_MD_CTX_free(c);
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
    ERR_clear_error();
    return good;
}

/* A number begins with a zero octet in one signature out of 128: so many are made that all of them
 * being longer is less likely than 10^-6. */
static void openssl_takes_what_it_signs(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    EVP_PKEY *pkey = openssl_key_of(TEST_KEY_RFC7515);
    unsigned short_ones = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint8_t rs[CERT_KEY_SIGNATURE];
        memset(rs, 0xa5, sizeof rs);
        assert_int_equal(cert_key_sign(k, &i, sizeof i, rs, NULL), ERR_OK);
        assert_true(verifies(pkey, rs, &i, sizeof i));
        short_ones += rs[0] == 0 || rs[32] == 0;
    }
    assert_int_not_equal(short_ones, 0);
    EVP_PKEY_free(pkey);
    cert_key_free(k);
}

static void a_signature_is_of_one_text_by_one_key(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    EVP_PKEY *own = openssl_key_of(TEST_KEY_RFC7515);
    EVP_PKEY *other = openssl_key_of(TEST_KEY_SHORT_X);
    uint8_t rs[CERT_KEY_SIGNATURE];
    (void)state;
    assert_int_equal(cert_key_sign(k, "", 0, rs, NULL), ERR_OK);
    assert_true(verifies(own, rs, "", 0));
    assert_int_equal(cert_key_sign(k, "text", 4, rs, NULL), ERR_OK);
    assert_true(verifies(own, rs, "text", 4));
    assert_false(verifies(own, rs, "texT", 4));
    assert_false(verifies(other, rs, "text", 4));
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
    cert_key_free(k);
}

/* ---- memory -------------------------------------------------------------------------------- */

static enum err all_of_it(void)
{
    struct cert_key *made = NULL, *read = NULL;
    char *pem = NULL;
    uint8_t rs[CERT_KEY_SIGNATURE], x[CERT_KEY_COORDINATE], y[CERT_KEY_COORDINATE];
    enum err e = cert_key_new(&made, NULL);
    e = e == ERR_OK ? cert_key_to_pem(made, &pem, NULL) : e;
    e = e == ERR_OK ? cert_key_from_pem(pem, strlen(pem), &read, NULL) : e;
    e = e == ERR_OK ? cert_key_public(read, x, y, NULL) : e;
    e = e == ERR_OK ? cert_key_sign(read, "text", 4, rs, NULL) : e;
    cert_key_pem_free(pem);
    cert_key_free(made);
    cert_key_free(read);
    return e;
}

/* OpenSSL gets over some failures, and calls others by another name: an error it is at any rate, or
 * what it should be all the same. Nearly all allocations are within it, so not each is tried. */
static void memory_runs_out(void **state)
{
    unsigned told = 0, failed = 0;
    (void)state;
    assert_int_equal(all_of_it(), ERR_OK); /* what is made once and kept */
    for (size_t n = 0;; n += 1 + n / 80) {
        openssl_memory_fail_after(n);
        enum err e = all_of_it();
        if (!openssl_memory_failed()) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_true(failed > 200 && told > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_one_key),
        cmocka_unit_test(short_coordinates_are_padded),
        cmocka_unit_test(what_is_not_ours_is_refused),
        cmocka_unit_test(a_text_has_a_limit),
        cmocka_unit_test(new_ones_differ_and_come_back),
        cmocka_unit_test(openssl_takes_what_it_signs),
        cmocka_unit_test(a_signature_is_of_one_text_by_one_key),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

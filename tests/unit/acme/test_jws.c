/* acme/jws: literal texts where they are always the same, and OpenSSL's word on signatures. */
#include "acme/jws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "lib/base64.h"
#include "openssl_memory.h"
#include "test_keys.h"

#define URL "https://ca.example/acme/new-account"

static struct cert_key *key_of(const char *pem)
{
    struct cert_key *k = NULL;
    assert_int_equal(cert_key_from_pem(pem, strlen(pem), &k, NULL), ERR_OK);
    return k;
}

/* RFC 7515 §A.3.1's key; two whose coordinates begin with zeros. The texts and hashes are of another
 * implementation. */
static const struct {
    const char *pem, *jwk, *thumbprint;
} keys[] = {
    {TEST_KEY_RFC7515,
     "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"},
    {TEST_KEY_SHORT_X,
     "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"ALypzzF0afBVrsHInuDW-rTiPRgLk49VGdM5-v7RXj4\","
     "\"y\":\"IuHO_0yI9YyIkdUnbA19MV0gZGU8tWUqqrnEhnMnIo4\"}",
     "PH98l6DbQtmyOAXTelTatjaCi2S6UEXO58NXDoCmwCY"},
    {TEST_KEY_SHORT_Y,
     "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"l6iLSbpJXOR68bWnB-ERMHypHMLiHdG3jxsvlM2SwqA\","
     "\"y\":\"AJsBWezLJRmnTqZqzOrtw3z-jmQATMT1whjcXIPYmHY\"}",
     "qz-kOwllvwJecE94I0GPGUXDsfkX5INUfC0gCsVI6Ks"},
};

static void a_key_as_jwk_and_its_thumbprint(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct cert_key *k = key_of(keys[i].pem);
        char thumbprint[JWS_THUMBPRINT];
        char *jwk = NULL;
        assert_int_equal(jws_jwk(k, &jwk, NULL), ERR_OK);
        assert_string_equal(jwk, keys[i].jwk);
        assert_int_equal(jws_thumbprint(k, thumbprint, NULL), ERR_OK);
        assert_string_equal(thumbprint, keys[i].thumbprint);
        free(jwk);
        cert_key_free(k);
    }
}

/* ---- signed requests ----------------------------------------------------------------------- */

struct parts {
    char *protected, *payload, *signature; /* as they came: base64url */
};

/* {"protected","payload","signature"}, nothing else, in any order; each in base64url without padding. */
static struct parts parts_of(const char *text)
{
    struct parts p;
    const char *protected, *payload, *signature;
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(all);
    assert_int_equal(json_unpack(all, "{s:s, s:s, s:s !}", "protected", &protected, "payload",
                                 &payload, "signature", &signature),
                     0);
    assert_null(strchr(text, '='));
    p.protected = strdup(protected);
    p.payload = strdup(payload);
    p.signature = strdup(signature);
    json_decref(all);
    return p;
}

static void parts_free(struct parts *p)
{
    free(p->protected);
    free(p->payload);
    free(p->signature);
}

static void expect_decoded(const char *base64url, const char *text)
{
    uint8_t *out = malloc(strlen(base64url) + 3);
    size_t len = 0;
    assert_true(base64url_decode(base64url, strlen(base64url), out, &len));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(out, text, len);
    free(out);
}

static EVP_PKEY *openssl_key_of(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    return pkey;
}

/* RFC 7515 §5.2: over protected, a dot, payload, as they came. */
static bool verifies(const char *pem, const struct parts *p)
{
    uint8_t rs[66], *der = NULL;
    size_t len = 0, input_len = strlen(p->protected) + 1 + strlen(p->payload);
    char *input = malloc(input_len + 1);
    assert_true(base64url_decode(p->signature, strlen(p->signature), rs, &len));
    assert_int_equal(len, 64);
    strcpy(input, p->protected);
    strcat(input, ".");
    strcat(input, p->payload);
    ECDSA_SIG *s = ECDSA_SIG_new();
    ECDSA_SIG_set0(s, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL));
    int der_len = i2d_ECDSA_SIG(s, &der);
    EVP_PKEY *pkey = openssl_key_of(pem);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestVerify(c, der, (size_t)der_len, (uint8_t *)input, input_len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(pkey);
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
    free(input);
    return good;
}

#define RFC7515_JWK                                                                                \
    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static const struct {
    const char *kid, *nonce, *url, *payload; /* of the request */
    const char *protected;
} requests[] = {
    /* newAccount, RFC 8555 §7.3 */
    {NULL, "6S8IqOGY7eL2lsGoTZYifg", URL, "{\"termsOfServiceAgreed\":true}",
     "{\"alg\":\"ES256\",\"jwk\":" RFC7515_JWK
     ",\"nonce\":\"6S8IqOGY7eL2lsGoTZYifg\",\"url\":\"" URL "\"}"},
    /* everything after that, §6.2 */
    {"https://ca.example/acme/acct/evOfKhNU60wg", "5XJ1L3lEkMG7tR6pA00clA",
     "https://ca.example/acme/new-order", "{\"identifiers\":[]}",
     "{\"alg\":\"ES256\",\"kid\":\"https://ca.example/acme/acct/evOfKhNU60wg\","
     "\"nonce\":\"5XJ1L3lEkMG7tR6pA00clA\",\"url\":\"https://ca.example/acme/new-order\"}"},
    /* the answer to a challenge, §7.5.1, and POST-as-GET, §6.3: not the same */
    {"k", "n", "u", "{}", "{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"n\",\"url\":\"u\"}"},
    {"k", "n", "u", NULL, "{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"n\",\"url\":\"u\"}"},
    /* the inner part of a key change, §7.3.5 */
    {NULL, NULL, "u", "{\"account\":\"a\"}",
     "{\"alg\":\"ES256\",\"jwk\":" RFC7515_JWK ",\"url\":\"u\"}"},
    /* what a CA says goes in as text */
    {"a\"b\\c", "d\ne", "\xc3\xa9", "\xff\xfe",
     "{\"alg\":\"ES256\",\"kid\":\"a\\\"b\\\\c\",\"nonce\":\"d\\ne\",\"url\":\"\xc3\xa9\"}"},
};

static void requests_are_signed(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct jws_request r = {.key = k,
                                .kid = requests[i].kid,
                                .nonce = requests[i].nonce,
                                .url = requests[i].url,
                                .payload = requests[i].payload};
        char *text = NULL;
        assert_int_equal(jws_sign(&r, &text, NULL), ERR_OK);
        struct parts p = parts_of(text);
        expect_decoded(p.protected, requests[i].protected);
        expect_decoded(p.payload, requests[i].payload != NULL ? requests[i].payload : "");
        assert_true(verifies(TEST_KEY_RFC7515, &p));
        assert_false(verifies(TEST_KEY_SHORT_X, &p));
        p.payload[0] = p.payload[0] == '\0' ? '\0' : (char)(p.payload[0] == 'A' ? 'B' : 'A');
        assert_int_equal(verifies(TEST_KEY_RFC7515, &p), p.payload[0] == '\0');
        parts_free(&p);
        free(text);
    }
    cert_key_free(k);
}

/* Signatures have chance in them: what of them could be padded or in the other alphabet, is not. */
static void many_signatures_are_base64url(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    struct jws_request r = {.key = k, .kid = "k", .nonce = "n", .url = "u", .payload = ">>>???"};
    (void)state;
    for (int i = 0; i < 50; i++) {
        char *text = NULL;
        assert_int_equal(jws_sign(&r, &text, NULL), ERR_OK);
        struct parts p = parts_of(text);
        assert_string_equal(p.payload, "Pj4-Pz8_");
        assert_int_equal(strlen(p.signature), 86);
        assert_true(verifies(TEST_KEY_RFC7515, &p));
        parts_free(&p);
        free(text);
    }
    cert_key_free(k);
}

static void what_is_not_utf8_is_not_signed(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    struct jws_request r = {.key = k, .nonce = "\xff", .url = "u"};
    struct err_info info = {.text = ""};
    char *text = NULL;
    (void)state;
    assert_int_equal(jws_sign(&r, &text, &info), ERR_MALFORMED);
    assert_non_null(strstr(info.text, "UTF-8"));
    r.kid = "kid";
    assert_int_equal(jws_sign(&r, &text, NULL), ERR_MALFORMED);
    assert_int_equal(jws_bind(k, "\x80", "AAECAwQFBgcICQoLDA0ODw", "u", &text, NULL),
                     ERR_MALFORMED);
    assert_null(text);
    cert_key_free(k);
}

/* ---- external account binding -------------------------------------------------------------- */

#define BOUND                                                                                      \
    "{\"protected\":"                                                                              \
    "\"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtleWlkLTAwIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFtcGxl"               \
    "L2FjbWUvbmV3LWFjY291bnQifQ\","                                                                \
    "\"payload\":\"eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vj" \
    "c2ZThUdXM5dVBIdlJWRVUiLCJ5IjoieF9GRXpSdTltMzZITE5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTVhMCJ9\"" \
    ","                                                                                            \
    "\"signature\":\"%s\"}"

/* RFC 8555 §7.3.4; the MACs are of another implementation. */
static void a_binding_is_literally_this(void **state)
{
    static const struct {
        const char *key, *mac;
    } rows[] = {
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z7774",
         "576yHofjikdmwVm_vhRZkWLLbgLEGtf9BslhbMCaxYU"},
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z7774=",
         "576yHofjikdmwVm_vhRZkWLLbgLEGtf9BslhbMCaxYU"},
        {"AAECAwQFBgcICQoLDA0ODw", "EWwgGhSxUCO7rHbTNZwBhp2942Fbg8imlka0j_9dNdI"},
        {"AAECAwQFBgcICQoLDA0ODw==", "EWwgGhSxUCO7rHbTNZwBhp2942Fbg8imlka0j_9dNdI"},
    };
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = NULL, expect[sizeof BOUND + 64];
        assert_int_equal(jws_bind(k, "keyid-00", rows[i].key, URL, &text, NULL), ERR_OK);
        snprintf(expect, sizeof expect, BOUND, rows[i].mac);
        assert_string_equal(text, expect);
        free(text);
    }
    cert_key_free(k);
}

/* What is wrong is said so that somebody can mend it, and without showing the key. */
static void a_wrong_mac_key_is_explained(void **state)
{
    static char large[1032];
    static const struct {
        const char *key, *why;
    } rows[] = {
        {"AAkSGyQtNj9IUVpjbHV+h5CZoqu0vcbP2OHq8/z7774=", "standard base64: write '-' for each '+'"},
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8/z7774", "standard base64"},
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z7774\n", "not base64url"},
        {" AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z7774", "not base64url"},
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z7775", "not base64url"}, /* bits left over */
        {"AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_z77", "not base64url"},
        {"AAECAwQFBgcICQoLDA0O", "15 octets"},
        {"", "0 octets"},
        {large, "longer than 1024"},
    };
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    (void)state;
    memset(large, 'A', 1028);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        char *text = NULL;
        assert_int_equal(jws_bind(k, "kid", rows[i].key, URL, &text, &info), ERR_MALFORMED);
        assert_null(text);
        if (strstr(info.text, rows[i].why) == NULL || strstr(info.text, "AAkS") != NULL ||
            strstr(info.text, "AAEC") != NULL) {
            fail_msg("row %zu: %s", i, info.text);
        }
    }
    cert_key_free(k);
}

/* ---- memory -------------------------------------------------------------------------------- */

static size_t json_left; /* 0: none fails */

static void *json_take(size_t n)
{
    return json_left > 0 && --json_left == 0 ? NULL : malloc(n);
}

static void json_runs_out(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    struct jws_request r = {.key = k, .nonce = "n", .url = "u", .payload = "{}"};
    unsigned failed[2] = {0, 0};
    (void)state;
    json_set_alloc_funcs(json_take, free);
    for (int kind = 0; kind < 2; kind++) {
        for (size_t n = 1;; n++) {
            char *text = NULL;
            json_left = n;
            enum err e = kind == 0 ? jws_sign(&r, &text, NULL)
                                   : jws_bind(k, "kid", "AAECAwQFBgcICQoLDA0ODw", "u", &text, NULL);
            bool over = json_left > 0;
            assert_int_equal(e, over ? ERR_OK : ERR_NOMEM);
            json_left = 0;
            free(text);
            if (over) {
                break;
            }
            failed[kind]++;
        }
    }
    assert_true(failed[0] > 10 && failed[1] > 5);
    cert_key_free(k);
}

static void openssl_runs_out(void **state)
{
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    struct jws_request r = {.key = k, .nonce = "n", .url = "u", .payload = "{}"};
    unsigned failed = 0;
    (void)state;
    for (size_t n = 0;; n++) {
        char *text = NULL;
        openssl_memory_fail_after(n);
        enum err e = jws_sign(&r, &text, NULL);
        bool fell = openssl_memory_failed();
        assert_true(e == ERR_OK ? text != NULL : fell && text == NULL);
        free(text);
        if (!fell) {
            break;
        }
        failed += e != ERR_OK;
    }
    assert_true(failed > 10);
    cert_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_as_jwk_and_its_thumbprint),
        cmocka_unit_test(requests_are_signed),
        cmocka_unit_test(many_signatures_are_base64url),
        cmocka_unit_test(what_is_not_utf8_is_not_signed),
        cmocka_unit_test(a_binding_is_literally_this),
        cmocka_unit_test(a_wrong_mac_key_is_explained),
        cmocka_unit_test(json_runs_out),
        cmocka_unit_test(openssl_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "make_priv.h"

#define CURVE   "P-256"
#define DER_MAX 80 /* a signature: two integers of 33 octets at most, and their headers */

/* ---- new, and out of a text ---------------------------------------------------------------- */

/* Takes PKEY in any case. */
static enum err wrap(EVP_PKEY *pkey, struct cert_key **out, struct err_info *info)
{
    struct cert_key *k = OPENSSL_zalloc(sizeof *k);
    if (k == NULL) {
        EVP_PKEY_free(pkey);
        return make_error(info, ERR_NOMEM, "cannot keep a key");
    }
    k->pkey = pkey;
    *out = k;
    return ERR_OK;
}

enum err cert_key_new(struct cert_key **out, struct err_info *info)
{
    ERR_clear_error();
    EVP_PKEY *pkey = EVP_EC_gen(CURVE);
    enum err e = make_outcome(pkey != NULL, info, ERR_IO, "cannot make a key");
    return e == ERR_OK ? wrap(pkey, out, info) : e;
}

bool make_is_p256(const EVP_PKEY *pkey)
{
    char group[64] = "";
    int explicit_form = 0; /* the curve spelled out: RFC 5480 §2.1.1 forbids it */
    EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL);
    EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_form);
    ERR_clear_error(); /* of asking a key that is no EC key */
    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC && strcmp(group, SN_X9_62_prime256v1) == 0 &&
           explicit_form == 0;
}

/* The two halves belong together: what a damaged one signs nobody takes. */
static enum err check(EVP_PKEY *pkey, struct err_info *info)
{
    if (!make_is_p256(pkey)) {
        return err_set(info, ERR_MALFORMED, "the key is not EC " CURVE);
    }
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = c != NULL && EVP_PKEY_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return make_outcome(good, info, ERR_MALFORMED, "the key is damaged");
}

enum err cert_key_from_pem(const void *pem, size_t len, struct cert_key **out,
                           struct err_info *info)
{
    EVP_PKEY *pkey = NULL;
    enum err e = make_read_key(pem, len, &pkey, info);
    e = e == ERR_OK ? check(pkey, info) : e;
    if (e == ERR_OK) {
        return wrap(pkey, out, info);
    }
    EVP_PKEY_free(pkey);
    return e;
}

void cert_key_free(struct cert_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->pkey);
        OPENSSL_free(k);
    }
}

/* ---- to a text ----------------------------------------------------------------------------- */

enum err cert_key_to_pem(const struct cert_key *k, char **pem, struct err_info *info)
{
    char *bytes;
    ERR_clear_error();
    BIO *b = BIO_new(BIO_s_mem()); /* wiped by BIO_free() */
    if (b == NULL || PEM_write_bio_PKCS8PrivateKey(b, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(b);
        return make_error(info, ERR_IO, "cannot write a key");
    }
    size_t len = (size_t)BIO_get_mem_data(b, &bytes);
    char *text = malloc(len + 1);
    if (text != NULL) {
        memcpy(text, bytes, len);
        text[len] = '\0';
        *pem = text;
    }
    BIO_free(b);
    ERR_clear_error();
    return text != NULL ? ERR_OK : err_set(info, ERR_NOMEM, "no memory for a key's text");
}

void cert_key_pem_free(char *pem)
{
    if (pem != NULL) {
        explicit_bzero(pem, strlen(pem));
        free(pem);
    }
}

/* ---- use ----------------------------------------------------------------------------------- */

/* By its coordinates: as an octet string the point may be compressed, if it came so. */
static bool coordinate(const EVP_PKEY *pkey, const char *which, uint8_t out[CERT_KEY_COORDINATE])
{
    BIGNUM *n = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, which, &n) == 1 &&
              BN_bn2binpad(n, out, CERT_KEY_COORDINATE) == CERT_KEY_COORDINATE;
    BN_free(n);
    return ok;
}

enum err cert_key_public(const struct cert_key *k, uint8_t x[CERT_KEY_COORDINATE],
                         uint8_t y[CERT_KEY_COORDINATE], struct err_info *info)
{
    ERR_clear_error();
    bool ok = coordinate(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, x) &&
              coordinate(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y);
    return make_outcome(ok, info, ERR_IO, "cannot tell a key's public half");
}

/* OpenSSL's signatures are DER; these are the two numbers alone, with the zeros before them. */
static bool flatten(const uint8_t *der, size_t len, uint8_t out[CERT_KEY_SIGNATURE])
{
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = s != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(s), out, CERT_KEY_COORDINATE) == CERT_KEY_COORDINATE &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), out + CERT_KEY_COORDINATE, CERT_KEY_COORDINATE) ==
                  CERT_KEY_COORDINATE;
    ECDSA_SIG_free(s);
    return ok;
}

enum err cert_key_sign(const struct cert_key *k, const void *bytes, size_t len,
                       uint8_t out[CERT_KEY_SIGNATURE], struct err_info *info)
{
    uint8_t der[DER_MAX];
    size_t der_len = sizeof der;
    ERR_clear_error();
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c != NULL && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
              EVP_DigestSign(c, der, &der_len, bytes, len) == 1 && flatten(der, der_len, out);
    EVP_MD_CTX_free(c);
    return make_outcome(ok, info, ERR_IO, "cannot sign");
}

#include "tls_pair.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls_priv.h"

#define RSA_BITS_MIN  2048
#define RSA_BITS_MAX  4096
#define SECURITY_BITS 112 /* of each key and signature: RSA 2048, SHA-224; SHA-1 has 63 */

/* ---- reading PEM --------------------------------------------------------------------------- */

static enum err read_certificates(struct tls_pair *p, BIO *pem, struct err_info *info)
{
    p->chain = sk_X509_new_null();
    if (p->chain == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot read certificates");
    }
    for (int i = 0;; i++) {
        X509 *x = NULL;
        enum err e = tls_pem_certificate(pem, &x, info);
        if (e == ERR_OK && x == NULL && i == 0) {
            return err_set(info, ERR_MALFORMED, "no certificate is in the certificate's text");
        }
        if (x == NULL) {
            return e;
        }
        if (i == 0) {
            p->leaf = x;
        } else if (i == TLS_PAIR_CHAIN_MAX) {
            X509_free(x);
            return err_set(info, ERR_LIMIT, "more than %d certificates", TLS_PAIR_CHAIN_MAX);
        } else if (sk_X509_push(p->chain, x) == 0) {
            X509_free(x);
            return tls_error(info, ERR_NOMEM, "cannot keep a certificate");
        }
    }
}

/* Called for what is encrypted. There is nobody to ask. */
static int no_password(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum err read_key(struct tls_pair *p, BIO *pem, struct err_info *info)
{
    bool asked = false;
    p->key = PEM_read_bio_PrivateKey(pem, NULL, no_password, &asked);
    if (p->key != NULL) {
        ERR_clear_error(); /* of the formats that were tried before */
        return ERR_OK;
    }
    if (asked) {
        ERR_clear_error();
        return err_set(info, ERR_MALFORMED, "the key is encrypted; it must be without a password");
    }
    bool no_memory;
    tls_error_take(&no_memory); /* which of the formats gave up last says nothing */
    return no_memory ? err_set(info, ERR_NOMEM, "no memory to read the key")
                     : err_set(info, ERR_MALFORMED, "no private key is in the key's text");
}

/* ---- what clients take --------------------------------------------------------------------- */

static enum err check_ec(struct tls_pair *p, EVP_PKEY *public, struct err_info *info)
{
    static const struct {
        const char *group, *text;
    } curves[] = {{"prime256v1", "EC P-256"}, {"secp384r1", "EC P-384"}, {"secp521r1", "EC P-521"}};
    char group[64] = "";
    int explicit_form = 0;
    EVP_PKEY_get_group_name(public, group, sizeof group, NULL);
    EVP_PKEY_get_int_param(public, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_form);
    ERR_clear_error();
    if (explicit_form != 0) { /* RFC 5480 §2.1.1 forbids it, and clients do, too */
        return err_set(info, ERR_MALFORMED, "the key spells its curve out instead of naming it");
    }
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(group, curves[i].group) == 0) {
            snprintf(p->key_text, sizeof p->key_text, "%s", curves[i].text);
            return ERR_OK;
        }
    }
    return err_set(info, ERR_MALFORMED,
                   "the key's curve is %s; clients take P-256, P-384 and P-521", group);
}

static enum err check_rsa(struct tls_pair *p, EVP_PKEY *public, struct err_info *info)
{
    int bits = EVP_PKEY_get_bits(public);
    if (bits < RSA_BITS_MIN) {
        return err_set(info, ERR_MALFORMED, "the key is RSA of %d bits; clients take %d and more",
                       bits, RSA_BITS_MIN);
    }
    if (bits > RSA_BITS_MAX) { /* a handshake would hold the loop up for some ten milliseconds */
        return err_set(info, ERR_LIMIT, "the key is RSA of %d bits; at most %d", bits,
                       RSA_BITS_MAX);
    }
    snprintf(p->key_text, sizeof p->key_text, "RSA %d", bits);
    return ERR_OK;
}

static enum err check_kind(struct tls_pair *p, struct err_info *info)
{
    EVP_PKEY *public = X509_get0_pubkey(p->leaf);
    if (public == NULL) {
        return tls_error(info, ERR_MALFORMED, "the certificate's public key cannot be read");
    }
    switch (EVP_PKEY_get_base_id(public)) {
    case EVP_PKEY_RSA:
        return check_rsa(p, public, info);
    case EVP_PKEY_EC:
        return check_ec(p, public, info);
    case EVP_PKEY_ED25519:
        snprintf(p->key_text, sizeof p->key_text, "Ed25519");
        return ERR_OK;
    default:
        return err_set(info, ERR_MALFORMED, "the key is of a kind that clients do not take");
    }
}

/* Certificate NUMBER (from 1) is followed by its issuer's, and is strong enough (RFC 8446 §4.4.2). */
static enum err check_link(X509 *x, X509 *issuer, int number, struct err_info *info)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (X509_check_issued(issuer, x) != X509_V_OK || key == NULL || X509_verify(x, key) != 1) {
        bool no_memory;
        tls_error_take(&no_memory);
        return no_memory ? err_set(info, ERR_NOMEM, "no memory to check the chain")
                         : err_set(info, ERR_MALFORMED,
                                   "certificate %d did not issue certificate %d before it",
                                   number + 1, number);
    }
    if (EVP_PKEY_get_security_bits(key) < SECURITY_BITS) {
        return err_set(info, ERR_MALFORMED, "certificate %d has a weak key", number + 1);
    }
    return ERR_OK;
}

static enum err check_chain(struct tls_pair *p, struct err_info *info)
{
    X509 *x = p->leaf;
    enum err e = ERR_OK;
    for (int i = 0; e == ERR_OK && x != NULL; i++) {
        X509 *issuer = i < sk_X509_num(p->chain) ? sk_X509_value(p->chain, i) : NULL;
        int strength = 0;
        /* A signature by itself proves nothing and is not looked at (a root's is often SHA-1). */
        if ((X509_get_extension_flags(x) & EXFLAG_SS) == 0 &&
            (X509_get_signature_info(x, NULL, NULL, &strength, NULL) != 1 ||
             strength < SECURITY_BITS)) {
            e = err_set(info, ERR_MALFORMED, "certificate %d has a weak signature", i + 1);
        } else if (issuer != NULL) {
            e = check_link(x, issuer, i + 1, info);
        }
        x = issuer;
    }
    return e;
}

/* The private key makes signatures that the leaf's public key takes: the halves of a damaged key
 * would look equal. */
static bool signs_for(EVP_PKEY *key, EVP_PKEY *public)
{
    static const uint8_t text[] = "one pair";
    const EVP_MD *md = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    uint8_t sig[1024];
    size_t len = sizeof sig;
    EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    bool ok = sign != NULL && verify != NULL &&
              EVP_DigestSignInit(sign, NULL, md, NULL, key) == 1 &&
              EVP_DigestSign(sign, sig, &len, text, sizeof text) == 1 &&
              EVP_DigestVerifyInit(verify, NULL, md, NULL, public) == 1 &&
              EVP_DigestVerify(verify, sig, len, text, sizeof text) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return ok;
}

static enum err check_fit(struct tls_pair *p, struct err_info *info)
{
    EVP_PKEY *public = X509_get0_pubkey(p->leaf);
    if (EVP_PKEY_eq(p->key, public) == 1 && signs_for(p->key, public)) {
        return ERR_OK;
    }
    bool no_memory;
    tls_error_take(&no_memory);
    return no_memory ? err_set(info, ERR_NOMEM, "no memory to check the key")
                     : err_set(info, ERR_CONFLICT, "the key is not the certificate's");
}

/* ---- pairs --------------------------------------------------------------------------------- */

static void pair_free(struct tls_pair *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->info.names_count; i++) {
        OPENSSL_free(p->names[i]);
    }
    OPENSSL_free(p->names);
    OPENSSL_free(p->issuer);
    EVP_PKEY_free(p->key);
    X509_free(p->leaf);
    sk_X509_pop_free(p->chain, X509_free);
    OPENSSL_free(p);
}

static enum err pair_read(struct tls_pair *p, BIO *cert, BIO *key, struct err_info *info)
{
    enum err e = read_certificates(p, cert, info);
    e = e == ERR_OK ? check_kind(p, info) : e;
    e = e == ERR_OK ? check_chain(p, info) : e;
    e = e == ERR_OK ? read_key(p, key, info) : e;
    e = e == ERR_OK ? check_fit(p, info) : e;
    return e == ERR_OK ? tls_pair_describe(p, info) : e;
}

enum err tls_pair_new(const void *cert_pem, size_t cert_len, const void *key_pem, size_t key_len,
                      struct tls_pair **out, struct err_info *info)
{
    BIO *cert = NULL, *key = NULL;
    ERR_clear_error();
    struct tls_pair *p = OPENSSL_zalloc(sizeof *p);
    enum err e = p != NULL ? ERR_OK : tls_error(info, ERR_NOMEM, "cannot read a certificate");
    e = e == ERR_OK ? tls_pem_open(cert_pem, cert_len, "certificate", &cert, info) : e;
    e = e == ERR_OK ? tls_pem_open(key_pem, key_len, "key", &key, info) : e;
    e = e == ERR_OK ? pair_read(p, cert, key, info) : e;
    BIO_free(cert);
    BIO_free(key);
    ERR_clear_error(); /* of what was tried on the way */
    if (e != ERR_OK) {
        pair_free(p);
        return e;
    }
    atomic_init(&p->refs, 1);
    *out = p;
    return ERR_OK;
}

struct tls_pair *tls_pair_ref(struct tls_pair *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void tls_pair_unref(struct tls_pair *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1) {
        pair_free(p);
    }
}

const struct tls_pair_info *tls_pair_info(const struct tls_pair *p)
{
    return &p->info;
}

bool tls_pair_equal(const struct tls_pair *a, const struct tls_pair *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

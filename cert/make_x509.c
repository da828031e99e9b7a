/* Certificates that nobody else signs, and the names in them. */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/rng.h"
#include "make_priv.h"

#define EARLY_S    3600 /* clocks differ */
#define SERIAL_LEN 16
#define SERIAL_MAX 20 /* RFC 5280 §4.1.2.2 */
#define NAME_LIMIT 253
#define LABEL_MAX  63

/* ---- names --------------------------------------------------------------------------------- */

static bool is_label(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return len > 0 && len <= LABEL_MAX;
}

bool make_is_host(const char *name)
{
    const char *at = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    if (strlen(name) > NAME_LIMIT) {
        return false;
    }
    for (;;) {
        size_t len = strcspn(at, ".");
        if (!is_label(at, len)) {
            return false;
        }
        if (at[len] == '\0') {
            return true;
        }
        at += len + 1;
    }
}

static GENERAL_NAME *general_name(int type, const void *octets, size_t len)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    if (g == NULL || s == NULL || ASN1_STRING_set(s, octets, (int)len) != 1) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, type, s);
    return g;
}

/* NULL: no memory. NAME has been checked. */
static GENERAL_NAME *name_of(const char *name)
{
    uint8_t octets[16];
    if (inet_pton(AF_INET, name, octets) == 1) {
        return general_name(GEN_IPADD, octets, 4);
    }
    if (inet_pton(AF_INET6, name, octets) == 1) {
        return general_name(GEN_IPADD, octets, 16);
    }
    return general_name(GEN_DNS, name, strlen(name));
}

GENERAL_NAMES *make_names(const char *const *names, size_t count)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    for (size_t i = 0; all != NULL && i < count; i++) {
        GENERAL_NAME *g = name_of(names[i]);
        if (g == NULL || sk_GENERAL_NAME_push(all, g) <= 0) {
            GENERAL_NAME_free(g);
            GENERAL_NAMES_free(all);
            all = NULL;
        }
    }
    return all;
}

/* ---- the certificate ----------------------------------------------------------------------- */

bool make_add_names(X509 *x, const char *const *names, size_t count)
{
    GENERAL_NAMES *all = make_names(names, count);
    bool ok =
        all != NULL && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

bool make_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

bool make_serial(X509 *x, size_t len)
{
    uint8_t octets[SERIAL_MAX];
    assert(len >= 1 && len <= sizeof octets);
    rng_bytes(octets, len);
    octets[0] &= 0x7f; /* positive without one more octet */
    BIGNUM *n = BN_bin2bn(octets, (int)len, NULL);
    bool ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

bool make_dates(X509 *x, int64_t from_s, int64_t until_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)until_s) != NULL;
}

static bool fill(X509 *x, EVP_PKEY *key, const struct make_certificate *m)
{
    int64_t now_s = m->now_ms / 1000;
    X509_NAME *subject = X509_get_subject_name(x);
    return X509_set_version(x, X509_VERSION_3) == 1 && make_serial(x, SERIAL_LEN) &&
           make_dates(x, now_s - EARLY_S, now_s + (int64_t)m->days * 86400) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)m->subject, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
           make_extension(x, x, NID_basic_constraints, "critical,CA:FALSE") &&
           make_extension(x, x, NID_key_usage, "critical,digitalSignature") &&
           make_extension(x, x, NID_ext_key_usage, "serverAuth") &&
           make_extension(x, x, NID_subject_key_identifier, "hash") &&
           make_add_names(x, m->names, m->names_count) &&
           (m->extension == NULL || X509_add_ext(x, m->extension, -1) == 1) &&
           X509_sign(x, key, EVP_sha256()) > 0;
}

/* ---- the pair ------------------------------------------------------------------------------ */

#define FAILED "cannot make a certificate"

static enum err to_pair(X509 *x, EVP_PKEY *key, struct tls_pair **out, struct err_info *info)
{
    BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
    char *cert, *private; /* wiped by BIO_free() */
    enum err e;
    if (cert_pem == NULL || key_pem == NULL || PEM_write_bio_X509(cert_pem, x) != 1 ||
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1) {
        e = make_error(info, ERR_IO, FAILED);
    } else {
        size_t cert_len = (size_t)BIO_get_mem_data(cert_pem, &cert);
        size_t key_len = (size_t)BIO_get_mem_data(key_pem, &private);
        e = tls_pair_new(cert, cert_len, private, key_len, out, info);
    }
    BIO_free(cert_pem);
    BIO_free(key_pem);
    return e;
}

enum err make_self_signed(const struct make_certificate *m, struct tls_pair **out,
                          struct err_info *info)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    enum err e = make_outcome(key != NULL && x != NULL && fill(x, key, m), info, ERR_IO, FAILED);
    e = e == ERR_OK ? to_pair(x, key, out, info) : e;
    X509_free(x);
    EVP_PKEY_free(key);
    return e;
}

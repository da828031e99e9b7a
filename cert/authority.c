/* The cluster's authority: made, opened, and what it signs. What certificates say: authority_read.c. */
#include "authority.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "authority_priv.h"
#include "lib/tls_pair.h"

#define SERIAL_LEN  20 /* RFC 5280 §4.1.2.2: the most there may be; the first bit is 0 */
#define DAY_S       86400
#define BACKDATE_S  (CERT_BACKDATE_MS / 1000)
#define MAKE_FAILED "cannot make the cluster's CA"
#define SIGN_FAILED "cannot sign a node's certificate"

struct cert_authority {
    X509 *x;              /* owned */
    struct cert_key *key; /* owned */
};

static enum err to_pem(X509 *x, char **out, struct err_info *info)
{
    char *bytes;
    BIO *b = BIO_new(BIO_s_mem());
    if (b == NULL || PEM_write_bio_X509(b, x) != 1) {
        BIO_free(b);
        return make_error(info, ERR_IO, "cannot write a certificate");
    }
    size_t len = (size_t)BIO_get_mem_data(b, &bytes);
    char *text = malloc(len + 1);
    if (text != NULL) {
        memcpy(text, bytes, len);
        text[len] = '\0';
        *out = text;
    }
    BIO_free(b);
    return text != NULL ? ERR_OK : err_set(info, ERR_NOMEM, "no memory for a certificate");
}

static bool add_name(X509_NAME *name, const char *common)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)common,
                                      -1, -1, 0) == 1;
}

/* ---- the authority ------------------------------------------------------------------------- */

static bool fill_authority(X509 *x, EVP_PKEY *key, int64_t now_s)
{
    X509_NAME *subject = X509_get_subject_name(x);
    return X509_set_version(x, X509_VERSION_3) == 1 && make_serial(x, SERIAL_LEN) &&
           make_dates(x, now_s - BACKDATE_S, now_s + (int64_t)CERT_AUTHORITY_DAYS * DAY_S) &&
           add_name(subject, CERT_AUTHORITY_NAME) && X509_set_issuer_name(x, subject) == 1 &&
           X509_set_pubkey(x, key) == 1 &&
           make_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           make_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           make_extension(x, x, NID_subject_key_identifier, "hash") &&
           make_extension(x, x, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(x, key, EVP_sha256()) > 0;
}

enum err cert_authority_make(int64_t now_ms, char **cert_pem, char **key_pem, struct err_info *info)
{
    struct cert_key *key = NULL;
    char *cert_text = NULL;
    enum err e = cert_key_new(&key, info);
    if (e != ERR_OK) {
        return e;
    }
    X509 *x = X509_new();
    e = make_outcome(x != NULL && fill_authority(x, key->pkey, now_ms / 1000), info, ERR_IO,
                     MAKE_FAILED);
    e = e == ERR_OK ? to_pem(x, &cert_text, info) : e;
    e = e == ERR_OK ? cert_key_to_pem(key, key_pem, info) : e;
    if (e == ERR_OK) {
        *cert_pem = cert_text;
    } else {
        free(cert_text);
    }
    X509_free(x);
    cert_key_free(key);
    return e;
}

/* An authority's own certificate: may it sign, today? */
static enum err check_authority(X509 *x, int64_t now_ms, struct err_info *info)
{
    if (!make_is_p256(X509_get0_pubkey(x))) {
        ERR_clear_error(); /* of a key that cannot even be read */
        return err_set(info, ERR_MALFORMED, "the key of the CA's certificate is not EC P-256");
    }
    /* 1: of version 3, and says so; others are guesses (RFC 5280 §4.2.1.9). */
    if (X509_check_ca(x) != 1) {
        ERR_clear_error();
        return err_set(info, ERR_DENIED, "the certificate is not an authority's: it may not sign");
    }
    return authority_check_dates(x, now_ms, "the CA's certificate", info);
}

enum err cert_authority_open(const void *cert_pem, size_t cert_len, const void *key_pem,
                             size_t key_len, int64_t now_ms, struct cert_authority **out,
                             struct err_info *info)
{
    struct cert_authority *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for the CA");
    }
    enum err e = authority_read(cert_pem, cert_len, &a->x, info);
    e = e == ERR_OK ? check_authority(a->x, now_ms, info) : e;
    e = e == ERR_OK ? cert_key_from_pem(key_pem, key_len, &a->key, info) : e;
    if (e == ERR_OK && X509_check_private_key(a->x, a->key->pkey) != 1) {
        ERR_clear_error();
        e = err_set(info, ERR_CONFLICT, "the CA's key and certificate do not belong together");
    }
    if (e != ERR_OK) {
        cert_authority_free(a);
        return e;
    }
    *out = a;
    return ERR_OK;
}

void cert_authority_free(struct cert_authority *a)
{
    if (a != NULL) {
        X509_free(a->x);
        cert_key_free(a->key);
        free(a);
    }
}

/* ---- what is asked for --------------------------------------------------------------------- */

static bool is_pem(const void *request, size_t len)
{
    static const char begin[] = "-----BEGIN ";
    return memmem(request, len, begin, sizeof begin - 1) != NULL;
}

static enum err read_request(const void *request, size_t len, X509_REQ **out, struct err_info *info)
{
    const uint8_t *at = request;
    if (len > CERT_REQUEST_MAX) {
        return err_set(info, ERR_LIMIT, "the certificate request is larger than %d bytes",
                       CERT_REQUEST_MAX);
    }
    ERR_clear_error();
    if (is_pem(request, len)) {
        BIO *b = BIO_new_mem_buf(request, (int)len);
        *out = b != NULL ? PEM_read_bio_X509_REQ(b, NULL, make_no_password, &(bool){false}) : NULL;
        BIO_free(b);
    } else {
        *out = d2i_X509_REQ(NULL, &at, (long)len);
        if (*out != NULL && at != (const uint8_t *)request + len) {
            return err_set(info, ERR_MALFORMED, "something follows the certificate request");
        }
    }
    return make_outcome(*out != NULL, info, ERR_MALFORMED, "not a certificate request");
}

/* RFC 2986 §3: who asks has the key. Signatures are checked with P-256 alone, so a request costs the same
 * whatever is in it. */
static enum err check_request(X509_REQ *req, struct err_info *info)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(req);
    if (key == NULL || !make_is_p256(key)) {
        ERR_clear_error();
        return err_set(info, ERR_MALFORMED, "the key of the certificate request is not EC P-256");
    }
    if (X509_REQ_verify(req, key) != 1) {
        return make_error(info, ERR_MALFORMED,
                          "the certificate request is not signed with its key");
    }
    /* A compressed point is legal (RFC 5480 §2.2), but rqlited's Go does not read it. */
    return make_outcome(EVP_PKEY_set_utf8_string_param(
                            key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") == 1,
                        info, ERR_IO, SIGN_FAILED);
}

static bool is_address(const char *name)
{
    uint8_t octets[16];
    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* RFC 1123 §2.1: no hyphen at either end of a label. What looks like an address and is none is no host
 * either. */
static bool is_plain_host(const char *name)
{
    size_t len = strlen(name);
    return make_is_host(name) && name[0] != '*' && name[0] != '-' && name[len - 1] != '-' &&
           strstr(name, ".-") == NULL && strstr(name, "-.") == NULL &&
           (strchr(name, '.') == NULL || strspn(name, "0123456789.") < len);
}

static enum err check_wish(const struct cert_node_wish *w, struct err_info *info)
{
    if (!authority_is_id(w->id, strlen(w->id))) {
        return err_set(info, ERR_MALFORMED,
                       "a node's id has 1 to %d characters, and none that controls",
                       AUTHORITY_ID_CHARS);
    }
    if (w->names_count == 0 || w->names_count > TLS_PAIR_NAMES_MAX) {
        return err_set(info, ERR_LIMIT, "%zu names for a node's certificate: 1 to %d are possible",
                       w->names_count, TLS_PAIR_NAMES_MAX);
    }
    for (size_t i = 0; i < w->names_count; i++) {
        if (!is_address(w->names[i]) && !is_plain_host(w->names[i])) {
            return err_set(info, ERR_MALFORMED, "neither a host name nor an address: %.100s",
                           w->names[i]);
        }
    }
    if (w->lifetime_s <= 0 || w->lifetime_s > (int64_t)CERT_AUTHORITY_DAYS * DAY_S) {
        return err_set(info, ERR_LIMIT, "a node's certificate is valid for 1 s to %d days",
                       CERT_AUTHORITY_DAYS);
    }
    return ERR_OK;
}

/* ---- signing ------------------------------------------------------------------------------- */

static bool set_dates(const struct cert_authority *a, X509 *x, const struct cert_node_wish *w)
{
    int64_t now_s = w->now_ms / 1000, last_ms, until_s = now_s + w->lifetime_s;
    if (!make_time_ms(X509_get0_notAfter(a->x), &last_ms)) {
        return false;
    }
    return make_dates(x, now_s - BACKDATE_S, until_s < last_ms / 1000 ? until_s : last_ms / 1000);
}

/* The identifier is that of the authority, if it has one (RFC 5280 §4.2.1.1). */
static bool add_issuer(const struct cert_authority *a, X509 *x)
{
    return X509_set_issuer_name(x, X509_get_subject_name(a->x)) == 1 &&
           (X509_get0_subject_key_id(a->x) == NULL ||
            make_extension(x, a->x, NID_authority_key_identifier, "keyid:always"));
}

static bool fill_node(const struct cert_authority *a, X509 *x, EVP_PKEY *key,
                      const struct cert_node_wish *w)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && make_serial(x, SERIAL_LEN) &&
           set_dates(a, x, w) && add_name(X509_get_subject_name(x), w->id) &&
           X509_set_pubkey(x, key) == 1 &&
           make_extension(x, x, NID_basic_constraints, "critical,CA:FALSE") &&
           make_extension(x, x, NID_key_usage, "critical,digitalSignature") &&
           make_extension(x, x, NID_ext_key_usage, "serverAuth,clientAuth") &&
           make_extension(x, x, NID_subject_key_identifier, "hash") && add_issuer(a, x) &&
           make_add_names(x, w->names, w->names_count) &&
           X509_sign(x, a->key->pkey, EVP_sha256()) > 0;
}

enum err cert_authority_sign(const struct cert_authority *a, const void *request, size_t len,
                             const struct cert_node_wish *wish, char **cert_pem,
                             struct err_info *info)
{
    X509_REQ *req = NULL;
    X509 *x = NULL;
    enum err e = check_wish(wish, info);
    e = e == ERR_OK ? authority_check_dates(a->x, wish->now_ms, "the CA's certificate", info) : e;
    e = e == ERR_OK ? read_request(request, len, &req, info) : e;
    e = e == ERR_OK ? check_request(req, info) : e;
    if (e == ERR_OK) {
        x = X509_new();
        e = make_outcome(x != NULL && fill_node(a, x, X509_REQ_get0_pubkey(req), wish), info,
                         ERR_IO, SIGN_FAILED);
    }
    e = e == ERR_OK ? to_pem(x, cert_pem, info) : e;
    X509_free(x);
    X509_REQ_free(req);
    return e;
}

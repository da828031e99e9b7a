/* What certificates of the cluster say, and whether they are to be believed. */
#include "authority_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/base64.h"
#include "lib/digest.h"
#include "lib/str.h"

#define ROOTS_MAX 10 /* authorities in one text: the one of today and one before, and some */

bool authority_is_id(const char *id, size_t len)
{
    size_t chars = 0;
    for (size_t at = 0; at < len; chars++) {
        size_t step = str_utf8_len((const unsigned char *)id + at);
        if (step == 0 || (unsigned char)id[at] < ' ' || id[at] == 0x7f) {
            return false;
        }
        at += step;
    }
    return chars >= 1 && chars <= AUTHORITY_ID_CHARS && len < CERT_ID_MAX;
}

static enum err check_size(size_t len, struct err_info *info)
{
    return len <= CERT_PEM_MAX
               ? ERR_OK
               : err_set(info, ERR_LIMIT, "the certificate's text is larger than %d bytes",
                         CERT_PEM_MAX);
}

enum err authority_read(const void *pem, size_t len, X509 **out, struct err_info *info)
{
    enum err e = check_size(len, info);
    if (e != ERR_OK) {
        return e;
    }
    ERR_clear_error();
    *out = make_read_x509(pem, len);
    return make_outcome(*out != NULL, info, ERR_MALFORMED, "the certificate cannot be read");
}

/* ---- dates --------------------------------------------------------------------------------- */

static enum err read_dates(const X509 *x, int64_t *from_ms, int64_t *until_ms,
                           struct err_info *info)
{
    bool good = make_time_ms(X509_get0_notBefore(x), from_ms) &&
                make_time_ms(X509_get0_notAfter(x), until_ms) && *from_ms < *until_ms;
    return make_outcome(good, info, ERR_MALFORMED, "the certificate's dates make no sense");
}

static void write_time(int64_t time_ms, char out[32])
{
    time_t s = (time_t)(time_ms / 1000);
    struct tm tm;
    if (gmtime_r(&s, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        snprintf(out, 32, "(a time out of bounds)");
    }
}

enum err authority_check_dates(const X509 *x, int64_t now_ms, const char *what,
                               struct err_info *info)
{
    int64_t from_ms = 0, until_ms = 0;
    char when[32], now[32];
    enum err e = read_dates(x, &from_ms, &until_ms, info);
    if (e != ERR_OK) {
        return e;
    }
    bool early = now_ms < from_ms;
    if (!early && now_ms <= until_ms) {
        return ERR_OK;
    }
    write_time(early ? from_ms : until_ms, when);
    write_time(now_ms, now);
    return err_set(info, ERR_DENIED,
                   early ? "%s is not valid before %s, and it is %s here: is the clock right?"
                         : "%s has expired at %s, and it is %s here",
                   what, when, now);
}

/* ---- what a node's certificate says -------------------------------------------------------- */

/* The one common name there is. */
static bool read_id(const X509 *x, char out[CERT_ID_MAX])
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return false;
    }
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool good = len > 0 && authority_is_id((const char *)text, (size_t)len);
    if (good) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
    return good;
}

static bool is_positive(const X509 *x)
{
    return ASN1_STRING_type(X509_get0_serialNumber(x)) == V_ASN1_INTEGER;
}

static bool read_fingerprint(const X509 *x, char out[65])
{
    uint8_t digest[DIGEST_SHA256_LEN];
    unsigned len = 0;
    if (X509_digest(x, EVP_sha256(), digest, &len) != 1 || len != sizeof digest) {
        return false;
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    return true;
}

enum err cert_node_read(const void *pem, size_t len, struct cert_node_info *out,
                        struct err_info *info)
{
    X509 *x = NULL;
    *out = (struct cert_node_info){.id = ""};
    enum err e = authority_read(pem, len, &x, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!read_id(x, out->id)) {
        e = make_error(NULL, ERR_MALFORMED, "");
        err_set(info, e, "the certificate does not name one core");
    }
    e = e == ERR_OK ? read_dates(x, &out->not_before_ms, &out->not_after_ms, info) : e;
    if (e == ERR_OK && (!is_positive(x) || !make_serial_text(x, out->serial))) {
        e = err_set(info, ERR_MALFORMED, "the certificate's serial number makes no sense");
    }
    e = e == ERR_OK ? make_outcome(read_fingerprint(x, out->sha256), info, ERR_IO,
                                   "cannot tell a certificate's fingerprint")
                    : e;
    X509_free(x);
    return e;
}

/* ---- whether it is the cluster's ----------------------------------------------------------- */

static enum err read_roots(const void *pem, size_t len, STACK_OF(X509) * out, struct err_info *info)
{
    enum err e = check_size(len, info);
    if (e != ERR_OK) {
        return e;
    }
    ERR_clear_error();
    BIO *b = BIO_new_mem_buf(pem, (int)len);
    X509 *x = NULL;
    bool asked = false;
    while (b != NULL && sk_X509_num(out) < ROOTS_MAX &&
           (x = PEM_read_bio_X509(b, NULL, make_no_password, &asked)) != NULL) {
        if (sk_X509_push(out, x) <= 0) {
            X509_free(x);
            break;
        }
    }
    BIO_free(b);
    return make_outcome(sk_X509_num(out) > 0, info, ERR_MALFORMED,
                        "the CA's certificate cannot be read");
}

/* Only those of ROOTS are believed, and they need not be self-signed to be. */
static enum err verify(X509 *x, STACK_OF(X509) * roots, int64_t now_ms, struct err_info *info)
{
    enum err e = ERR_OK;
    X509_STORE *none = X509_STORE_new();
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    if (none == NULL || c == NULL || X509_STORE_CTX_init(c, none, x, NULL) != 1) {
        e = make_error(info, ERR_NOMEM, "cannot verify a certificate");
        goto out;
    }
    X509_STORE_CTX_set0_trusted_stack(c, roots);
    X509_STORE_CTX_set_flags(c, X509_V_FLAG_PARTIAL_CHAIN |
                                    (now_ms == CERT_ANY_TIME ? X509_V_FLAG_NO_CHECK_TIME : 0));
    if (now_ms != CERT_ANY_TIME) {
        X509_STORE_CTX_set_time(c, 0, (time_t)(now_ms / 1000));
    }
    if (X509_verify_cert(c) != 1) {
        int why = X509_STORE_CTX_get_error(c);
        e = make_error(NULL, why == X509_V_ERR_OUT_OF_MEM ? ERR_NOMEM : ERR_DENIED, "");
        err_set(info, e, "the certificate is not one of this cluster's now: %s",
                X509_verify_cert_error_string(why));
    }
out:
    X509_STORE_CTX_free(c);
    X509_STORE_free(none);
    return e;
}

enum err cert_node_verify(const void *pem, size_t len, const void *ca_pem, size_t ca_len,
                          int64_t now_ms, struct err_info *info)
{
    X509 *x = NULL;
    STACK_OF(X509) *roots = sk_X509_new_null();
    if (roots == NULL) {
        return make_error(info, ERR_NOMEM, "cannot verify a certificate");
    }
    enum err e = authority_read(pem, len, &x, info);
    e = e == ERR_OK ? read_roots(ca_pem, ca_len, roots, info) : e;
    e = e == ERR_OK ? verify(x, roots, now_ms, info) : e;
    X509_free(x);
    sk_X509_pop_free(roots, X509_free);
    ERR_clear_error();
    return e;
}

/* ---- its key ------------------------------------------------------------------------------- */

enum err cert_pin(const void *pem, size_t len, char out[CERT_PIN], struct err_info *info)
{
    static_assert(CERT_PIN == BASE64_ROOM(DIGEST_SHA256_LEN), "a pin");
    X509 *x = NULL;
    uint8_t digest[DIGEST_SHA256_LEN], *der = NULL;
    enum err e = authority_read(pem, len, &x, info);
    if (e != ERR_OK) {
        return e;
    }
    int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    e = make_outcome(der_len > 0, info, ERR_IO, "cannot tell a certificate's key");
    e = e == ERR_OK ? digest_sha256(der, (size_t)der_len, digest) : e;
    if (e == ERR_OK) {
        base64_encode(digest, sizeof digest, out);
    }
    OPENSSL_free(der);
    X509_free(x);
    return e;
}

#include "make_priv.h"

#include <limits.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum err make_error(struct err_info *info, enum err e, const char *what)
{
    const char *why = NULL;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        why = why == NULL ? ERR_reason_error_string(code) : why;
        e = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? ERR_NOMEM : e;
    }
    return err_set(info, e, "%s: %s", what, why != NULL ? why : err_text(e));
}

enum err make_outcome(bool well, struct err_info *info, enum err e, const char *what)
{
    if (!well) {
        return make_error(info, e, what);
    }
    ERR_clear_error(); /* OpenSSL gets over some failures, but not without a word */
    return ERR_OK;
}

/* ---- keys ---------------------------------------------------------------------------------- */

int make_no_password(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

enum err make_read_key(const void *pem, size_t len, EVP_PKEY **out, struct err_info *info)
{
    bool asked = false;
    if (len > CERT_KEY_PEM_MAX) {
        return err_set(info, ERR_MALFORMED, "the key's text is larger than %d bytes",
                       CERT_KEY_PEM_MAX);
    }
    ERR_clear_error();
    BIO *b = BIO_new_mem_buf(pem, (int)len);
    if (b == NULL) {
        return make_error(info, ERR_NOMEM, "cannot read a key");
    }
    *out = PEM_read_bio_PrivateKey(b, NULL, make_no_password, &asked);
    BIO_free(b);
    if (*out != NULL) {
        ERR_clear_error(); /* of the formats that were tried before */
        return ERR_OK;
    }
    enum err e = make_error(NULL, ERR_MALFORMED, ""); /* which format gave up last says nothing */
    return asked ? err_set(info, ERR_MALFORMED, "the key is encrypted; it must have no password")
                 : err_set(info, e,
                           e == ERR_NOMEM ? "no memory to read a key"
                                          : "the text holds no private key");
}

/* ---- what a certificate says --------------------------------------------------------------- */

#define SERIAL_MAX 20 /* RFC 5280 §4.1.2.2 */

X509 *make_read_x509(const void *pem, size_t len)
{
    bool asked = false; /* no certificate is encrypted; without this a terminal would be asked */
    BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    X509 *x = bio != NULL ? PEM_read_bio_X509(bio, NULL, make_no_password, &asked) : NULL;
    BIO_free(bio);
    return x;
}

bool make_time_ms(const ASN1_TIME *when, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(when, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm) * 1000;
    return true;
}

bool make_serial_text(const X509 *x, char out[MAKE_SERIAL_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int len = ASN1_STRING_length(serial);
    for (int i = 0; len <= SERIAL_MAX && i < len; i++) {
        *out++ = digits[ASN1_STRING_get0_data(serial)[i] >> 4];
        *out++ = digits[ASN1_STRING_get0_data(serial)[i] & 15];
    }
    *out = '\0';
    return len >= 1 && len <= SERIAL_MAX;
}

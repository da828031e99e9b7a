/* Certificates out of PEM, and whom a peer must be signed by. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls_priv.h"

#define INTERMEDIATES_MAX 4 /* of a peer's chain: each is one more signature to check */

/* ---- PEM ----------------------------------------------------------------------------------- */

/* Called for what is encrypted. There is nobody to ask. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

enum err tls_pem_open(const void *pem, size_t len, const char *what, BIO **out,
                      struct err_info *info)
{
    if (len > TLS_PAIR_PEM_MAX) {
        return err_set(info, ERR_LIMIT, "the %s is larger than %d bytes", what, TLS_PAIR_PEM_MAX);
    }
    if (len == 0) {
        return err_set(info, ERR_MALFORMED, "the %s is empty", what);
    }
    *out = BIO_new_mem_buf(pem, (int)len);
    return *out != NULL ? ERR_OK : tls_error(info, ERR_NOMEM, "cannot read PEM");
}

/* There are no more certificates, rather than a broken one. */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

enum err tls_pem_certificate(BIO *pem, X509 **out, struct err_info *info)
{
    *out = PEM_read_bio_X509(pem, NULL, no_password, NULL);
    if (*out != NULL) {
        return ERR_OK;
    }
    if (!at_end()) {
        return tls_error(info, ERR_MALFORMED, "a certificate cannot be read");
    }
    ERR_clear_error();
    return ERR_OK;
}

/* ---- whom we believe ----------------------------------------------------------------------- */

/* One that is no authority would let nobody in, which is found out only when somebody comes. */
static enum err believe(SSL_CTX *ssl, X509 *x, int number, bool server, struct err_info *info)
{
    if (X509_check_ca(x) != 1) {
        bool no_memory;
        tls_error_take(&no_memory);
        return no_memory ? err_set(info, ERR_NOMEM, "no memory to look at a certificate")
                         : err_set(info, ERR_MALFORMED,
                                   "certificate %d is not a CA's (basicConstraints)", number);
    }
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), x) != 1 ||
        (server && SSL_CTX_add_client_CA(ssl, x) != 1)) {
        return tls_error(info, ERR_NOMEM, "cannot keep a CA's certificate");
    }
    return ERR_OK;
}

static enum err believe_all(SSL_CTX *ssl, BIO *pem, bool server, struct err_info *info)
{
    for (int i = 0;; i++) {
        X509 *x = NULL;
        enum err e = tls_pem_certificate(pem, &x, info);
        if (e != ERR_OK) {
            return e;
        }
        if (x == NULL) {
            return i > 0 ? ERR_OK
                         : err_set(info, ERR_MALFORMED, "no certificate is in the CA's text");
        }
        e = i < TLS_TRUST_MAX ? believe(ssl, x, i + 1, server, info)
                              : err_set(info, ERR_LIMIT, "more than %d CAs", TLS_TRUST_MAX);
        X509_free(x);
        if (e != ERR_OK) {
            return e;
        }
    }
}

enum err tls_trust(SSL_CTX *ssl, const void *ca, size_t ca_len, bool server, struct err_info *info)
{
    BIO *pem = NULL;
    /* What is in the store is believed though it be no root, and it is all that is in there. */
    if (X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
        SSL_CTX_set_purpose(ssl, server ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER) != 1) {
        return tls_error(info, ERR_NOMEM, "cannot set a CA up");
    }
    SSL_CTX_set_verify_depth(ssl, INTERMEDIATES_MAX);
    enum err e = tls_pem_open(ca, ca_len, "CA's text", &pem, info);
    e = e == ERR_OK ? believe_all(ssl, pem, server, info) : e;
    BIO_free(pem);
    ERR_clear_error();
    return e;
}

/* Who the other end is. */
#include <string.h>

#include <openssl/err.h>

#include "tls_priv.h"

/* Names that look like another's are none: with a NUL or a control character in them, or one of several, or
 * cut. */
static void take_name(const X509 *x, char *out, size_t cap)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    unsigned char *text = NULL;
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    out[0] = '\0';
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return;
    }
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool good = len > 0 && (size_t)len < cap;
    for (int i = 0; good && i < len; i++) {
        good = text[i] >= ' ' && text[i] != 0x7f;
    }
    if (good) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
}

bool tls_conn_peer(const struct tls_conn *c, struct tls_peer *out)
{
    uint8_t digest[TLS_DIGEST_LEN];
    const X509 *x =
        c->ssl != NULL && c->state != TLS_HANDSHAKE ? SSL_get0_peer_certificate(c->ssl) : NULL;
    if (x == NULL || SSL_get_verify_result(c->ssl) != X509_V_OK) {
        return false;
    }
    take_name(x, out->name, sizeof out->name);
    bool ok = tls_serial(x, out->serial) &&
              tls_time_ms(X509_get0_notAfter(x), &out->not_after_ms) &&
              X509_digest(x, EVP_sha256(), digest, NULL) == 1;
    if (ok) {
        tls_hex(digest, sizeof digest, out->sha256);
    }
    ERR_clear_error();
    return ok;
}

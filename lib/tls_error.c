#include "tls_priv.h"

#include <openssl/err.h>
#include <openssl/x509.h>

const char *tls_error_take(bool *no_memory)
{
    const char *first = NULL;
    *no_memory = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
            *no_memory = true;
        }
        if (first == NULL) {
            first = ERR_reason_error_string(code);
        }
    }
    return *no_memory ? "out of memory" : first != NULL ? first : "no reason given";
}

enum err tls_error(struct err_info *info, enum err e, const char *what)
{
    bool no_memory;
    const char *why = tls_error_take(&no_memory);
    return err_set(info, no_memory ? ERR_NOMEM : e, "%s: %s", what, why);
}

/* Why a peer's certificate was not taken. NULL: OpenSSL has no better words than we. */
static const char *refusal(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate is not valid yet";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "the certificate is signed by somebody else";
    case X509_V_ERR_INVALID_PURPOSE:
        return "the certificate is for another purpose";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return "the certificate's chain is too long";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is for another name";
    default:
        return X509_verify_cert_error_string(verdict);
    }
}

const char *tls_failure_take(const SSL *ssl, bool *no_memory)
{
    long verdict = SSL_get_verify_result(ssl);
    bool none = ERR_GET_REASON(ERR_peek_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    const char *why = tls_error_take(no_memory);
    *no_memory = *no_memory || verdict == X509_V_ERR_OUT_OF_MEM;
    return verdict != X509_V_OK ? refusal(verdict) : none ? "no certificate was shown" : why;
}

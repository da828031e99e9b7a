#include "covers.h"

#include <arpa/inet.h>
#include <limits.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static bool has(X509 *leaf, const char *name)
{
    unsigned char octets[16];
    bool is_address =
        inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
    return is_address
               ? X509_check_ip_asc(leaf, name, 0) == 1
               : X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

bool cert_covers(const void *pem, size_t len, const char *const *names, size_t count)
{
    BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    X509 *leaf = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool all = leaf != NULL;
    for (size_t i = 0; i < count && all; i++) {
        all = has(leaf, names[i]);
    }
    X509_free(leaf);
    BIO_free(bio);
    ERR_clear_error();
    return all;
}

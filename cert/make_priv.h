/* What the files that make keys, requests and certificates share. */
#ifndef CERT_MAKE_PRIV_H
#define CERT_MAKE_PRIV_H

#include <openssl/evp.h>

#include "key.h"

struct cert_key {
    EVP_PKEY *pkey; /* owned */
};

/* Empties OpenSSL's queue of this thread. ERR_NOMEM if anything there is about that, else E. INFO:
 * "WHAT: reason", the oldest entry's, which says the most. */
enum err make_error(struct err_info *info, enum err e, const char *what);
/* The same if it did not go well; ERR_OK otherwise, and the queue is emptied in any case. */
enum err make_outcome(bool well, struct err_info *info, enum err e, const char *what) MUST_USE;

/* A private key of any kind out of a PEM text without password. ERR_MALFORMED, ERR_NOMEM. */
enum err make_read_key(const void *pem, size_t len, EVP_PKEY **out, struct err_info *info) MUST_USE;

#endif

/* What the files that make keys, requests and certificates share. */
#ifndef CERT_MAKE_PRIV_H
#define CERT_MAKE_PRIV_H

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "key.h"
#include "lib/tls_pair.h"

/* ---- keys and errors (make.c) -------------------------------------------------------------- */

struct cert_key {
    EVP_PKEY *pkey; /* owned */
};

/* Empties OpenSSL's queue of this thread. ERR_NOMEM if anything there is about that, else E. INFO:
 * "WHAT: reason", the oldest entry's, which says the most. */
enum err make_error(struct err_info *info, enum err e, const char *what);
/* The same if it did not go well; ERR_OK otherwise, and the queue is emptied in any case. */
enum err make_outcome(bool well, struct err_info *info, enum err e, const char *what) MUST_USE;

/* For OpenSSL to call for what is encrypted: there is nobody to ask. Sets *ASKED, a bool. */
int make_no_password(char *buf, int size, int writing, void *asked);
/* A private key of any kind out of a PEM text without password. ERR_MALFORMED, ERR_NOMEM. */
enum err make_read_key(const void *pem, size_t len, EVP_PKEY **out, struct err_info *info) MUST_USE;

/* EC P-256, its curve named, not spelled out (RFC 5480 §2.1.1). */
bool make_is_p256(const EVP_PKEY *pkey);

/* ---- what a certificate says (make.c) ------------------------------------------------------ */

#define MAKE_SERIAL_TEXT 41 /* hex of 20 octets, and a NUL */

/* The first certificate of a PEM text; NULL: there is none, and OpenSSL's queue says why. */
X509 *make_read_x509(const void *pem, size_t len);
bool make_time_ms(const ASN1_TIME *when, int64_t *out);
bool make_serial_text(const X509 *x, char out[MAKE_SERIAL_TEXT]);

/* ---- names and certificates (make_x509.c) -------------------------------------------------- */

/* A host name, perhaps with a star for its first label. */
bool make_is_host(const char *name);
/* For a subjectAltName: host names, wildcards and addresses, which have been checked. NULL: no memory. */
GENERAL_NAMES *make_names(const char *const *names, size_t count);

/* A random serial number of LEN octets at most, positive. */
bool make_serial(X509 *x, size_t len);
bool make_dates(X509 *x, int64_t from_s, int64_t until_s);
/* As VALUE says in OpenSSL's configuration language; ISSUER may be X. */
bool make_extension(X509 *x, X509 *issuer, int nid, const char *value);
bool make_add_names(X509 *x, const char *const *names, size_t count);

struct make_certificate {
    const char *subject; /* its common name, and its issuer's */
    const char *const *names;
    size_t names_count;
    int64_t now_ms; /* it is valid from an hour before */
    int days;
    X509_EXTENSION *extension; /* one more; borrowed; NULL: none */
};
/* A leaf for servers, self-signed, with a key of its own. ERR_NOMEM, ERR_IO. */
enum err make_self_signed(const struct make_certificate *m, struct tls_pair **out,
                          struct err_info *info) MUST_USE;

#endif

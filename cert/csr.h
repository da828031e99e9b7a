/* A certificate signing request (RFC 2986): names in subjectAltName alone, an empty subject, no other
 * extension (must-staple is refused by CAs since OCSP went). Any thread. */
#ifndef CERT_CSR_H
#define CERT_CSR_H

#include "key.h"

/* NAMES: host names and wildcards in lower case. *der is the caller's to free. ERR_MALFORMED (a name),
 * ERR_LIMIT (none, or over TLS_PAIR_NAMES_MAX), ERR_NOMEM, ERR_IO. */
enum err cert_csr_new(const struct cert_key *key, const char *const *names, size_t count,
                      uint8_t **der, size_t *len, struct err_info *info) MUST_USE;
/* The same as PEM (RFC 7468 §7). */
enum err cert_csr_new_pem(const struct cert_key *key, const char *const *names, size_t count,
                          char **pem, struct err_info *info) MUST_USE;

#endif

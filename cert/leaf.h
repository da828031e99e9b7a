/* What a stored certificate says of itself, read without its key: for deciding when it has to be
 * renewed, which must not depend on whether this core can open the key.
 *
 * Pure; any thread. ERR_MALFORMED (no certificate, dates or serial number that make no sense),
 * ERR_NOMEM.
 */
#ifndef CERT_LEAF_H
#define CERT_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct cert_leaf {
    char serial[41]; /* hex, lower case, as in struct tls_pair_info */
    int64_t not_before_ms, not_after_ms;
    bool same_names; /* its DNS names are exactly those asked about (order and case ignored) */
};
/* Of the first certificate of PEM. */
enum err cert_leaf_read(const void *pem, size_t len, const char *const *names, size_t count,
                        struct cert_leaf *out, struct err_info *info) MUST_USE;

/* The same certificate as DER; the caller's to free. */
enum err cert_leaf_der(const void *pem, size_t len, uint8_t **der, size_t *der_len,
                       struct err_info *info) MUST_USE;

#endif

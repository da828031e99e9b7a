/* SHA-256, for telling whether bytes are what they were, HMAC with it, and comparing secrets. Any
 * thread. */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define DIGEST_SHA256_LEN 32

/* ERR_IO if the library has no SHA-256 for us. */
enum err digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SHA256_LEN]) MUST_USE;

/* HMAC-SHA256 (RFC 2104) with a key prepared once. Holds what follows from the key: wipe it with
 * the key. Read-only after digest_hmac_init(), so any number of threads may use one. */
struct digest_hmac {
    uint32_t inner[8], outer[8]; /* SHA-256's state after the padded key */
};
void digest_hmac_init(struct digest_hmac *h, const void *key, size_t len);
/* No heap, no lock, no failure: fit for the packet path. */
void digest_hmac(const struct digest_hmac *h, const void *bytes, size_t len,
                 uint8_t out[DIGEST_SHA256_LEN]);

/* Are they the same? How long it takes depends on the two lengths alone, neither on where they differ
 * nor on whether they are as long as each other: their digests are compared. */
bool digest_same(const void *a, size_t a_len, const void *b, size_t b_len);

#endif

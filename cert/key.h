/* Private keys: EC P-256, for leaves and for accounts (RFC 7518 §3.4 ES256).
 *
 * Threads: a key is read-only once made; any thread. Memory: the key is OpenSSL's, wiped on free; PEM
 * texts are the caller's, to be wiped with cert_key_pem_free().
 * Errors: ERR_MALFORMED (not a key, or not P-256), ERR_NOMEM, ERR_IO (OpenSSL refuses).
 */
#ifndef CERT_KEY_H
#define CERT_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define CERT_KEY_COORDINATE 32
#define CERT_KEY_SIGNATURE  64 /* r and s, each 32 octets (RFC 7518 §3.4) */
#define CERT_KEY_PEM_MAX    (16 * 1024)

struct cert_key;

/* Generates: under a millisecond, but it asks the system for randomness, so off the loop. */
enum err cert_key_new(struct cert_key **out, struct err_info *info) MUST_USE;
enum err cert_key_from_pem(const void *pem, size_t len, struct cert_key **out,
                           struct err_info *info) MUST_USE;
void cert_key_free(struct cert_key *k);

/* PKCS #8, unencrypted. */
enum err cert_key_to_pem(const struct cert_key *k, char **pem, struct err_info *info) MUST_USE;
void cert_key_pem_free(char *pem); /* wipes; NULL is fine */

/* The public point. */
enum err cert_key_public(const struct cert_key *k, uint8_t x[CERT_KEY_COORDINATE],
                         uint8_t y[CERT_KEY_COORDINATE], struct err_info *info) MUST_USE;
/* ECDSA with SHA-256 over LEN octets. About 30 us. */
enum err cert_key_sign(const struct cert_key *k, const void *bytes, size_t len,
                       uint8_t out[CERT_KEY_SIGNATURE], struct err_info *info) MUST_USE;

#endif

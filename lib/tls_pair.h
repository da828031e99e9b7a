/* A certificate chain with the leaf's private key: immutable, shared, ready to be shown to peers.
 *
 * What it refuses: a key that is not the leaf's, a chain whose links do not follow each other, keys
 * that no client takes (RSA below 2048 bits, curves other than P-256, P-384, P-521, Ed25519),
 * signatures with SHA-1, and RSA above 4096 bits, whose handshakes would hold a loop up. An expired
 * pair is taken: whether to show it is for the caller to say, who knows the time. The leaf comes
 * first; either text may hold the other's blocks, too, and words between blocks.
 *
 * Names are those of subjectAltName, DNS and IP (RFC 9525 §6.3); a leaf without any is refused.
 *
 * Threads: any. Memory: reference-counted; the count is atomic. The key is OpenSSL's and is wiped
 * with the last reference. PEM texts are the caller's, who wipes the key's.
 *
 * Errors: ERR_MALFORMED (not PEM, not X.509, an encrypted key, ...), ERR_CONFLICT (key and leaf do
 * not belong together), ERR_LIMIT, ERR_NOMEM (as far as OpenSSL tells: in the middle of a calculation
 * it may call that by another name). INFO says what is wrong in a sentence that quotes nothing of the
 * key.
 */
#ifndef LIB_TLS_PAIR_H
#define LIB_TLS_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define TLS_PAIR_PEM_MAX   (256 * 1024) /* of either text */
#define TLS_PAIR_CHAIN_MAX 10           /* certificates */
#define TLS_PAIR_NAMES_MAX 100          /* what Let's Encrypt puts into one certificate */

struct tls_pair;

struct tls_pair_info {
    const char *const *names; /* lower case; addresses in text form */
    size_t names_count;
    const char *issuer;    /* "CN=..., O=..." */
    const char *key;       /* "EC P-256", "RSA 2048" */
    char serial[41];       /* hex, lower case (RFC 5280 §4.1.2.2: at most 20 octets) */
    char sha256[65];       /* of the leaf's DER, hex */
    int64_t not_before_ms; /* wall clock */
    int64_t not_after_ms;
    bool self_signed;
};

enum err tls_pair_new(const void *cert_pem, size_t cert_len, const void *key_pem, size_t key_len,
                      struct tls_pair **out, struct err_info *info) MUST_USE;
struct tls_pair *tls_pair_ref(struct tls_pair *p);
void tls_pair_unref(struct tls_pair *p);

/* Borrowed from P. */
const struct tls_pair_info *tls_pair_info(const struct tls_pair *p);

/* NAME (any case, perhaps with a trailing dot) is one of its names, or is under one of its wildcards:
 * one whole label in the star's place (RFC 9525 §6.3). */
bool tls_pair_covers(const struct tls_pair *p, const char *name);

/* The same leaf. */
bool tls_pair_equal(const struct tls_pair *a, const struct tls_pair *b);

#endif

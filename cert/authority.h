/* A certificate authority of the cluster's own, and the certificates of its nodes (RFC 5280).
 *
 * The authority: EC P-256, self-signed, basicConstraints critical CA:TRUE pathlen:0, keyUsage critical
 * keyCertSign and cRLSign, subject and authority key identifiers, 10 years. A node's: EC P-256, CN = the
 * core's id, keyUsage critical digitalSignature, EKU serverAuth and clientAuth, basicConstraints CA:FALSE,
 * key identifiers, names (DNS and IP) in subjectAltName; serial numbers are 159 random bits. Both are
 * valid from CERT_BACKDATE_MS before NOW: clocks of machines differ.
 *
 * What it refuses: to sign for a key that is not P-256, or whose request is not signed with it (RFC 2986
 * §3); names of the request are not believed, the caller gives them. Ids and names are written as they are
 * (no configuration text is made of them).
 *
 * Threads: an authority is read-only once open; any thread. Signing is under a millisecond, but asks the
 * system for randomness: off the loop. Texts handed out are the caller's; keys' are wiped with
 * cert_key_pem_free(), others freed.
 * Errors: ERR_MALFORMED (not a certificate, key or request; a name that is neither host nor address),
 * ERR_CONFLICT (key and certificate do not belong together), ERR_DENIED (the certificate is no authority, or
 * not valid now, or not signed by it), ERR_LIMIT, ERR_NOMEM, ERR_IO (OpenSSL refuses).
 */
#ifndef CERT_AUTHORITY_H
#define CERT_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define CERT_BACKDATE_MS    ((int64_t)2 * 3600 * 1000)
#define CERT_AUTHORITY_NAME "dnsd cluster CA"
#define CERT_AUTHORITY_DAYS 3650
#define CERT_NODE_DAYS      365
#define CERT_ID_MAX         256 /* a common name, and its NUL */
#define CERT_PIN            45  /* base64 of SHA-256, and its NUL */
#define CERT_PEM_MAX        (64 * 1024)
#define CERT_REQUEST_MAX    (16 * 1024)

struct cert_authority;

/* Makes one: its certificate and its key (PKCS #8) as PEM. */
enum err cert_authority_make(int64_t now_ms, char **cert_pem, char **key_pem,
                             struct err_info *info) MUST_USE;
/* Also one that another program made (the predecessor's has no keyUsage), as long as it says CA:TRUE and
 * has an EC P-256 key. Expired at NOW_MS: ERR_DENIED. */
enum err cert_authority_open(const void *cert_pem, size_t cert_len, const void *key_pem,
                             size_t key_len, int64_t now_ms, struct cert_authority **out,
                             struct err_info *info) MUST_USE;
void cert_authority_free(struct cert_authority *a); /* wipes; NULL is fine */

/* A node's certificate for the key of REQUEST (PEM or DER of a PKCS #10). It never outlives the authority. */
struct cert_node_wish {
    const char *id;           /* common name */
    const char *const *names; /* host names and addresses; the id among them if it is to be */
    size_t names_count;
    int64_t now_ms;
    int64_t lifetime_s; /* from now */
};
enum err cert_authority_sign(const struct cert_authority *a, const void *request, size_t len,
                             const struct cert_node_wish *wish, char **cert_pem,
                             struct err_info *info) MUST_USE;

/* What a node's certificate says of itself. Of the first certificate of PEM. */
struct cert_node_info {
    char id[CERT_ID_MAX]; /* its common name */
    char serial[41];      /* hex, lower case */
    char sha256[65];      /* fingerprint: of the DER, hex, lower case */
    int64_t not_before_ms, not_after_ms;
};
enum err cert_node_read(const void *pem, size_t len, struct cert_node_info *out,
                        struct err_info *info) MUST_USE;

/* PEM's first certificate is signed by one of CA_PEM's, and both are valid at NOW_MS. ERR_DENIED. */
#define CERT_ANY_TIME INT64_MIN /* for NOW_MS: dates do not matter */
enum err cert_node_verify(const void *pem, size_t len, const void *ca_pem, size_t ca_len,
                          int64_t now_ms, struct err_info *info) MUST_USE;

/* base64 of the SHA-256 of the subject public key (RFC 7469 §2.4), of the first certificate of PEM. */
enum err cert_pin(const void *pem, size_t len, char out[CERT_PIN], struct err_info *info) MUST_USE;

#endif

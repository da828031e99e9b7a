/* What came from a CA, looked at before it is believed.
 *
 * Built on lib/tls_pair, which takes care of the chain's links, the key and the algorithms; this adds
 * what belongs to an order: are these the names, and only these; is it valid now; what is it called in
 * renewal information (RFC 9773 §4.1). Pure; any thread.
 */
#ifndef CERT_CHAIN_H
#define CERT_CHAIN_H

#include "lib/tls_pair.h"

#define CERT_CHAIN_ARI_MAX 128 /* text of an identifier, the NUL counted */
/* CAs backdate by an hour; a certificate that begins this much in the future is a wrong clock. */
#define CERT_CHAIN_EARLY_MS (5 * 60 * 1000)

/* Names are exactly those of NAMES (any order, case ignored), and NOW_MS lies in its validity.
 * ERR_CONFLICT: other names (INFO lists which are missing, which are too many); ERR_DENIED: expired, or
 * not valid yet. */
enum err cert_chain_check(const struct tls_pair_info *pair, const char *const *names, size_t count,
                          int64_t now_ms, struct err_info *info) MUST_USE;

/* base64url(authority key identifier).base64url(serial number), of the first certificate of PEM.
 * ERR_NOTFOUND: it has no authority key identifier; ERR_MALFORMED, ERR_LIMIT, ERR_NOMEM. */
enum err cert_chain_ari_id(const void *pem, size_t len, char out[CERT_CHAIN_ARI_MAX],
                           struct err_info *info) MUST_USE;

/* Splits PEM behind the first certificate: *leaf and *rest are texts of their own, the caller's to
 * free. *rest may be "". What is between the blocks, and what is no certificate, is dropped.
 * ERR_MALFORMED: no certificate, or a broken one; ERR_LIMIT: more than TLS_PAIR_CHAIN_MAX, or over
 * TLS_PAIR_PEM_MAX; ERR_NOMEM. */
enum err cert_chain_split(const void *pem, size_t len, char **leaf, char **rest,
                          struct err_info *info) MUST_USE;

/* The last certificate of PEM is issued by somebody whose common name is NAME (RFC 8555 §7.4.2: the
 * choice among alternate chains), or one of those behind the leaf is called so. False also if there is no
 * reading PEM. */
bool cert_chain_leads_to(const void *pem, size_t len, const char *name);

/* The self-signed certificate that answers TLS-ALPN-01 for NAME (RFC 8737 §3): its one
 * subjectAltName is NAME, and the critical acmeIdentifier extension holds DIGEST, the SHA-256 of the key
 * authorization. With a key of its own. Off the loop. ERR_MALFORMED (no host name, or a
 * wildcard), ERR_NOMEM, ERR_IO. */
enum err cert_chain_alpn01(const char *name, const uint8_t digest[32], int64_t now_ms,
                           struct tls_pair **out, struct err_info *info) MUST_USE;

#endif

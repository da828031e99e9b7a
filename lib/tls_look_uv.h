/* Looking at what a TLS server shows: one connection, one handshake, the leaf's fingerprint. For seeing
 * that one's own listeners serve what they should; nothing is verified, nothing is sent but the
 * handshake. Also as an ALPN-01 validator does it (RFC 8737 §3).
 *
 * Threads: the loop's; the callback later, once. ERR_UNAVAIL, ERR_TIMEOUT (LOOK_WAIT_MS), ERR_DENIED (the
 * handshake was refused), ERR_CANCELED, ERR_NOMEM.
 */
#ifndef LIB_TLS_LOOK_UV_H
#define LIB_TLS_LOOK_UV_H

#include <netinet/in.h>
#include <uv.h>

#include "err.h"

#define TLS_LOOK_WAIT_MS 5000

struct tls_looked {
    char sha256[65]; /* of the leaf's DER, hex */
    char serial[41];
    char pin[45];             /* base64 of the SHA-256 of its public key (RFC 7469 §2.4) */
    char alpn[32];            /* what was agreed on; "" */
    char acme_identifier[65]; /* hex of the acmeIdentifier extension's digest; "": it has none */
};
typedef void tls_look_cb(void *ctx, enum err e, const struct err_info *info,
                         const struct tls_looked *looked);
struct tls_look;
/* NAME: for SNI; NULL: none. ALPN: one protocol; NULL: none. NULL: no memory; nobody is told more. */
struct tls_look *tls_look_start(uv_loop_t *loop, const struct sockaddr_storage *address,
                                const char *name, const char *alpn, tls_look_cb *cb, void *ctx);
/* The callback comes as always, with ERR_CANCELED. */
void tls_look_cancel(struct tls_look *l);

#endif

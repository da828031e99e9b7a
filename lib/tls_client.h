/* What a TLS client shows and believes: a CA of its own choice, and perhaps a pair of certificate and key.
 * Immutable and shared by reference, as struct tls_context is for servers. TLS 1.2 and 1.3; no session is
 * resumed. Any thread.
 */
#ifndef LIB_TLS_CLIENT_H
#define LIB_TLS_CLIENT_H

#include "tls.h"

struct tls_client;

/* CA: PEM, one to TLS_TRUST_MAX certificates, roots or not; nothing else is believed, whatever the system
 * trusts. PAIR: what is needed of it is kept; NULL: shows none.
 * ERR_MALFORMED (no CA's certificate in CA, or another's), ERR_LIMIT, ERR_NOMEM, ERR_IO. */
enum err tls_client_new(const void *ca, size_t ca_len, struct tls_pair *pair,
                        struct tls_client **out, struct err_info *info) MUST_USE;
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client *c);

/* The client's side of one connection; everything in lib/tls.h goes for it (use: no ALPN). Its first octets
 * are in `out` at once. NAME: a host name or an address that the server's certificate must have; NULL: any
 * certificate of the CA will do. A name that is none makes a connection that has failed. NULL: no memory.
 *
 * In TLS 1.3 it is open before the server has seen our certificate (RFC 8446 §2): that it is refused is told
 * after TLS_OPEN, by tls_conn_read() and TLS_FAILED. */
struct tls_conn *tls_conn_dial(struct tls_client *c, const char *name);

#endif

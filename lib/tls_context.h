/* What a TLS server shows to a newcomer: some pairs of certificate and key, and the keys of its
 * session tickets. Immutable and shared by reference; a swap is another context in its place, made
 * off the loop and then handed to each loop, which uses it for whoever comes next. Connections keep
 * the context they began with.
 *
 * TLS 1.2 and 1.3; with 1.2 only ECDHE and AEAD suites; no compression, no renegotiation, no session
 * cache. Which pair a peer gets is decided by the name it asks for (SNI, RFC 6066 §3): the first pair
 * that covers the name, else the first pair, whatever was asked (RFC 9539 §3.2 wants any name
 * answered).
 *
 * Who offers "acme-tls/1" and nothing else by ALPN is a validator (RFC 8737 §3): it is shown the proof
 * for exactly the name that it asks for, without a ticket, and refused if there is none. Proofs are
 * shown to nobody else.
 *
 * Tickets (RFC 8446 §4.6.1) are sealed with a key of the context's own, random and never stored. A
 * context made from a previous one with the same pairs still opens the tickets of that one: that is
 * how keys are rotated. With other pairs it does not, so that nobody resumes a session that began
 * with a certificate which is no longer shown.
 *
 * Threads: any. Memory: reference-counted, atomically.
 */
#ifndef LIB_TLS_CONTEXT_H
#define LIB_TLS_CONTEXT_H

#include "tls_pair.h"

#define TLS_CONTEXT_PAIRS_MAX  16
#define TLS_CONTEXT_PROOFS_MAX 8
#define TLS_TRUST_MAX          16 /* CAs */

struct tls_context;

struct tls_context_options {
    struct tls_pair *const *pairs;      /* references are taken */
    size_t pairs_count;                 /* 1 to TLS_CONTEXT_PAIRS_MAX */
    struct tls_pair *const *proofs;     /* references are taken */
    size_t proofs_count;                /* up to TLS_CONTEXT_PROOFS_MAX */
    const struct tls_context *previous; /* NULL: none. Borrowed for the call */
    /* PEM of those who sign clients' certificates, up to TLS_TRUST_MAX, roots or not: clients are asked for
     * one (RFC 8446 §4.3.2), and who shows one that is not signed by these, is not valid now or not for
     * clients is refused. There are no tickets then: with one a session would outlive the certificate.
     * Validators are not asked. NULL: nobody is. */
    const void *client_ca;
    size_t client_ca_len;
    bool client_must; /* ... and who shows none is refused, too */
};
/* Some hundred microseconds. ERR_LIMIT, ERR_MALFORMED (no CA's certificate in client_ca, or another's),
 * ERR_NOMEM, ERR_IO (OpenSSL refuses: INFO says why), ERR_BUG (client_must of nobody). */
enum err tls_context_new(const struct tls_context_options *options, struct tls_context **out,
                         struct err_info *info) MUST_USE;
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

/* The pair for somebody who asks for NAME (NULL: for none). Borrowed. Never NULL. */
struct tls_pair *tls_context_pair(const struct tls_context *c, const char *name);

#endif

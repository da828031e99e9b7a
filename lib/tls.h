/* The server's side of one TLS connection, without a socket: octets in, octets out.
 *
 *     socket ──> feed ──> read ──> plaintext
 *     socket <── out  <── write <── plaintext
 *
 * The caller feeds what it has received, reads until 0, writes its answers and then sends what is
 * in `out`; after each feed there may be something to send even if nothing was read (the handshake,
 * an alert). Nothing is sent or received here, and nothing waits. Bounded: at most what was fed in
 * one go and not read, and what was written and not taken away; and TLS_TALK_MAX for the rest.
 *
 * One write becomes as few records as its length allows, so answers that are written together leave
 * together.
 *
 * Threads: one connection on one loop. Memory: owns everything; an idle connection holds no
 * buffers. Early data (0-RTT) is not taken: a replayed request must not be possible.
 */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include "tls_context.h"

/* Octets of records that are not application data, in a connection's whole life: handshake, key
 * updates, alerts. A ClientHello has 2 KiB, a key update 27 octets. Who sends more has failed. */
#define TLS_TALK_MAX (16 * 1024)
/* ... of which a peer's certificates may be this. One with an RSA key of 4096 bits has 2 KiB. */
#define TLS_PEER_CHAIN_MAX (12 * 1024)

/* What is spoken inside; decides the names offered by ALPN (RFC 7301). A peer that offers only
 * others is refused with no_application_protocol; one that offers none is taken. */
enum tls_use {
    TLS_USE_DOT,  /* "dot" (RFC 7858, RFC 9539) */
    TLS_USE_HTTP, /* "h2", "http/1.1" */
    TLS_USE_PLAIN /* none: what a peer offers is not looked at */
};

enum tls_state {
    TLS_HANDSHAKE, /* not yet open */
    TLS_OPEN,
    TLS_ENDED, /* the peer has said that it ends (close_notify); what was written may still go out */
    TLS_FAILED, /* broken; what is in `out` (an alert) may be sent, then close */
};

struct tls_conn;

/* Keeps a reference to CONTEXT. NULL: no memory. */
struct tls_conn *tls_conn_new(struct tls_context *context, enum tls_use use);
void tls_conn_free(struct tls_conn *c);

/* Takes all of it. ERR_NOMEM: close the connection. */
enum err tls_conn_feed(struct tls_conn *c, const void *bytes, size_t len) MUST_USE;
/* Octets of plaintext put into OUT; 0: no more now, see the state. */
size_t tls_conn_read(struct tls_conn *c, void *out, size_t cap);
/* Only when TLS_OPEN (or TLS_ENDED). Takes all of it. ERR_NOMEM, ERR_UNAVAIL: close. */
enum err tls_conn_write(struct tls_conn *c, const void *bytes, size_t len) MUST_USE;
/* We end (close_notify goes to `out`). Does nothing before the handshake is over. */
void tls_conn_end(struct tls_conn *c);

/* What waits to be sent: *BYTES is good until the next call with C. */
size_t tls_conn_out(const struct tls_conn *c, const uint8_t **bytes);
/* N octets of it have been sent, or copied by the caller. */
void tls_conn_sent(struct tls_conn *c, size_t n);

enum tls_state tls_conn_state(const struct tls_conn *c);
/* After TLS_OPEN was reached. */
bool tls_conn_resumed(const struct tls_conn *c);
bool tls_conn_is_h2(const struct tls_conn *c);    /* "h2" was agreed on */
bool tls_conn_is_proof(const struct tls_conn *c); /* "acme-tls/1" was: nothing more is to be said */
const char *tls_conn_version(const struct tls_conn *c); /* "TLSv1.3" */
/* Who the peer is, by the certificate that it has shown and that was found good. After TLS_OPEN, until
 * TLS_FAILED. False: it has shown none, or one of which this cannot be told (no memory). */
struct tls_peer {
    char name[256];  /* common name; "": none, several, too long, or with control characters */
    char serial[41]; /* hex, lower case */
    char sha256[65]; /* of its DER, hex */
    int64_t not_after_ms;
};
bool tls_conn_peer(const struct tls_conn *c, struct tls_peer *out);
/* Why it failed, for counting and the debug log; "": it has not. */
const char *tls_conn_failure(const struct tls_conn *c);

#endif

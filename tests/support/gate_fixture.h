/* What tests of the gate need beside it: a CA and nodes' certificates, a stand-in for rqlited with TLS on
 * threads of its own, and nodes and strangers that knock, with blocking sockets and OpenSSL's own client.
 * Failures end the test; nothing waits longer than GATE_FIXTURE_MS. */
#ifndef TESTS_GATE_FIXTURE_H
#define TESTS_GATE_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cluster/gate_uv.h"
#include "tls_peer.h"

#define GATE_FIXTURE_MS 20000

/* ---- OpenSSL's memory ---------------------------------------------------------------------- */

/* Once, before anything of OpenSSL's is called. */
void gate_memory_init(void);
/* Octets in use, by everybody. */
size_t gate_memory_used(void);
/* After N more allocations of the gate's one fails. */
void gate_memory_fail_after(long n);
/* Whether it has; and no more from here on. */
bool gate_memory_failed(void);

/* ---- instead of rqlited -------------------------------------------------------------------- */

/* What the first octet says is done:
 *   e: what comes is sent back      c: what comes is counted, and the number said at the end */
struct gate_backend {
    SSL_CTX *ctx;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool stopping;
    atomic_uint accepted; /* connections with a handshake */
    atomic_uint notified; /* ... that ended with close_notify */
    atomic_uint cut;      /* ... without */
    atomic_uint running;  /* connections */
};
void gate_backend_start(struct gate_backend *b, uint16_t port, const struct tls_made *ca,
                        const struct tls_made *shown);
void gate_backend_stop(struct gate_backend *b);

/* ---- the gate ------------------------------------------------------------------------------ */

struct gate_fixture {
    uv_loop_t loop;
    uv_timer_t tick;
    struct gate *gate; /* NULL: stopped */
    const struct gate_counters *counters;
    struct gate_backend backend;
    struct tls_made *ca, *own;
    uint16_t port;
};
/* With a backend, if BACKED. */
void gate_fixture_init(struct gate_fixture *f, bool backed);
void gate_fixture_end(struct gate_fixture *f);
void gate_fixture_stop(struct gate_fixture *f); /* the gate alone */
struct gate_identity gate_fixture_identity(const struct tls_made *ca, const struct tls_made *own);
void gate_identity_free(struct gate_identity *i);
/* Of the fixture's CA. */
struct tls_made *gate_fixture_node(const struct gate_fixture *f, const char *id);
void gate_fixture_serial(const struct tls_made *m, char out[41]);
void gate_fixture_revoke(struct gate_fixture *f, const struct tls_made *m); /* NULL: nobody */

void gate_fixture_turn(struct gate_fixture *f);
uint64_t gate_fixture_get(const _Atomic uint64_t *counter);
void gate_fixture_until(struct gate_fixture *f, const _Atomic uint64_t *counter, uint64_t want);
void gate_fixture_until_said(struct gate_fixture *f, const char *part); /* the last refusal */

/* ---- who knocks ---------------------------------------------------------------------------- */

struct gate_caller {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL: no TLS */
};
/* LAST: of its address, 127.0.0.LAST, or 127.0.N.LAST. */
void gate_caller_dial(struct gate_caller *c, const struct gate_fixture *f, unsigned n,
                      unsigned last);
/* The client's part of a handshake as SHOWN (NULL: without a certificate). It may succeed though the gate
 * refuses: in TLS 1.3 the client is done first. */
bool gate_caller_shake(struct gate_caller *c, const struct tls_made *ca,
                       const struct tls_made *shown, int version);
/* Both, from 127.0.0.1. */
void gate_caller_open(struct gate_caller *c, const struct gate_fixture *f,
                      const struct tls_made *shown);
/* TEXT is written, and as much read: whether it is the same. */
bool gate_caller_echo(struct gate_caller *c, const char *text);
/* Says MODE first. */
bool gate_caller_passes(struct gate_caller *c);
/* Its connection has ended: nothing can be read any more, and nothing was. */
bool gate_caller_is_out(struct gate_caller *c);
void gate_caller_close(struct gate_caller *c); /* no close_notify */

#endif

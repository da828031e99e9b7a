/* The gate before rqlited's Raft port: dnsd listens where the other nodes dial, rqlited on loopback behind
 * it. rqlite checks that a node's certificate is signed by the cluster's CA and not expired; it knows no
 * revocation. The gate does, and so a core that was thrown out is out at once.
 *
 *   other nodes ══ mutual TLS ══> gate (raftPort) ══ mutual TLS as ourselves ══> rqlited (loopback)
 *
 * Who shows no certificate, another CA's, an expired or a revoked one is refused in the handshake (an alert,
 * then the end) and counted; for a revoked one it is an end without an alert. Connections whose certificate is
 * revoked later are cut at that moment (the other side sees a reset). What passes is not looked at.
 *
 * rqlited dials other nodes by itself, with the node's certificate, and asks only whether the CA has signed
 * theirs: a node that is thrown out must be removed from Raft as well, or the leader goes on telling it. A node
 * that joins first asks others, without a certificate, whether this is an HTTP port by mistake: two or three
 * refusals that mean nothing.
 *
 * Limits: GATE_CONNECTIONS_MAX in all and GATE_PER_CLIENT of one address that have not shown a good
 * certificate yet (of those the oldest goes for a newcomer); handshakes have GATE_HANDSHAKE_MS; GATE_UNSENT_MAX
 * octets wait for either side, then the other is read no further. No idle limit: Raft's connections live as
 * long as the nodes; a peer that is gone without a word is found out by TCP's keep-alive in two minutes.
 *
 * Threads: a thread and a loop of its own, so that a busy control loop costs no election; all functions are
 * called on the loop given to gate_start(), and so are callbacks.
 */
#ifndef CLUSTER_GATE_UV_H
#define CLUSTER_GATE_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/tls_client.h"
#include "lib/tls_context.h"

#define GATE_CONNECTIONS_MAX 1024
#define GATE_PER_CLIENT      16
#define GATE_HANDSHAKE_MS    5000
#define GATE_UNSENT_MAX      (512 * 1024)
#define GATE_REVOKED_MAX     4096

struct gate;

/* What it shows to those who come, and to rqlited. References are taken. SERVER: a context that wants a
 * client certificate; CLIENT: our own pair, and the CA. */
struct gate_identity {
    struct tls_context *server;
    struct tls_client *client;
};
struct gate_options {
    const int
        *fds; /* bound, non-blocking, not listening; the gate's from here on, also on an error */
    size_t fds_count;
    uint16_t local_port; /* of rqlited, on 127.0.0.1 */
    struct gate_identity identity;
};
/* ERR_IO, ERR_NOMEM, ERR_LIMIT (more than 16 addresses). */
enum err gate_start(uv_loop_t *loop, const struct gate_options *options, struct gate **out,
                    struct err_info *info) MUST_USE;
/* For whoever comes from now on; connections go on. */
void gate_use(struct gate *g, const struct gate_identity *identity);
/* Serial numbers (hex, lower case) that count no more: all of them, each time. Copied. More than
 * GATE_REVOKED_MAX: the first. */
void gate_revoked(struct gate *g, const char *const *serials, size_t count);
/* Cuts everything, then DONE, and G is gone. Once only. */
void gate_stop(struct gate *g, void (*done)(void *ctx), void *ctx);

/* Read any time, from any thread, until DONE. */
struct gate_counters {
    _Atomic uint64_t accepted; /* connections, strangers' too */
    _Atomic uint64_t refused;  /* ... that were not let in */
    _Atomic uint64_t
        revoked;           /* not let in (refused, too) or cut, for a certificate that is revoked */
    _Atomic uint64_t open; /* now, strangers' too */
    _Atomic uint64_t failed; /* let in, but rqlited was not there or did not take it */
};
const struct gate_counters *gate_counters(const struct gate *g);
/* The last refusal in a sentence ("192.0.2.1: no certificate"), for the log and the status; "": none. On the
 * loop given to gate_start(). */
const char *gate_last_refusal(const struct gate *g);

#endif

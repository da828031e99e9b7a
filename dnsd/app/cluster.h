/* What makes this core a member: the gate before the Raft port, the port where others join, this node's
 * certificate and its renewal, who is revoked, and the moment when a new core makes itself available.
 *
 *   storages.engines.rqlite.tls ─> identity ─┬─> gate (Raft port)      node_cert rows ─> revoked ─> gate, API
 *                                            └─> join port (where the CA is) ─> API: ack, node-certificate
 *   near its end ─> another key, a request to the core with the CA (or signed here) ─> cluster.tlsDir ─> identity
 *   admission of this core (acked) ─> in Raft, caught up, answering ─> available
 *
 * Threads: the control loop's. Without rqlite of our own there is no struct cluster (a->cluster is NULL) and
 * every function does nothing. docs/design/0006-joining.md.
 */
#ifndef DNSD_APP_CLUSTER_H
#define DNSD_APP_CLUSTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/api/api.h"
#include "lib/err.h"
#include "lib/metrics.h"

struct app;
struct rqlited_config;

/* Begins. Ports are opened when this node's material has been read; what is wrong with it is told and tried
 * again, for DNS does not depend on it. */
void cluster_open(struct app *a);
/* The configuration was read again, or somebody said that the material has changed. */
void cluster_look(struct app *a);
/* True if it goes on and app_continue_stop() will be called. */
bool cluster_stop(struct app *a);
/* The daemon is about to stop: nothing is waited for any more. */
void cluster_hush(struct app *a);

/* How rqlited is to listen. */
void cluster_raft(const struct app *a, struct rqlited_config *out);

/* Another certificate for this node, now. CB later, once, or inside this call if there is nothing to begin; SERIAL
 * of the new one on ERR_OK. */
typedef void cluster_renewed_cb(void *ctx, enum err e, const struct err_info *info,
                                const char *serial);
void cluster_renew(struct app *a, cluster_renewed_cb *cb, void *ctx);

/* For the API. */
void cluster_sign(struct app *a, const char *core, const char *csr, size_t csr_len,
                  api_signed_cb *cb, void *cb_ctx);
bool cluster_is_revoked(const struct app *a, const char *serial);

/* What this core tells the others, for its heartbeat; NULL: nothing. */
json_t *cluster_beat(const struct app *a);
json_t *cluster_status(const struct app *a);
void cluster_metrics(const struct app *a, struct metrics_writer *w);

#endif

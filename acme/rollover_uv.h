/* Another key for the account: the driver of acme/rollover.h. While it runs nobody else may use the
 * account: no job, one lease.
 *
 * Threads: the loop's; the callback comes later, once. Options are copied but for what says borrowed.
 */
#ifndef ACME_ROLLOVER_UV_H
#define ACME_ROLLOVER_UV_H

#include <uv.h>

#include "cert/vault.h"
#include "session_uv.h"
#include "store/store.h"

struct acme_rollover_options {
    uv_loop_t *loop;          /* borrowed */
    struct session *session;  /* borrowed */
    struct store *store;      /* borrowed */
    struct cert_vault *vault; /* borrowed */
    struct store_fence fence; /* its texts are borrowed */
    bool (*is_held)(void *ctx);
    void *ctx; /* borrowed */
};
/* PROBLEM: class ACME_FINE: the account has another key. Types of ours, besides the CA's: "vault" (a key
 * cannot be opened here), "account" (there is none, or no changing its key), "" (the network, the store).
 * LEASE_LOST: and nothing more was done; of who cancelled too. */
typedef void acme_rollover_cb(void *ctx, const struct acme_problem *problem, bool lease_lost);

struct acme_change;
/* Goes on with what somebody was interrupted in. Ends within the session's and the store's limits. */
void acme_rollover_start(const struct acme_rollover_options *options, acme_rollover_cb *cb,
                         void *ctx, struct acme_change **out);
/* Stops at the next possible moment; what was begun is for the next one to find out. */
void acme_rollover_cancel(struct acme_change *c);

#endif

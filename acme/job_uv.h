/* One attempt to get one certificate: the order machine's driver. Owns everything between "order now"
 * and an outcome: account (acme_account), order row, ledger, proofs, key, chain.
 *
 * Threads: the loop's. Callbacks come later, once. Options are copied but for what says borrowed.
 */
#ifndef ACME_JOB_UV_H
#define ACME_JOB_UV_H

#include <uv.h>

#include "cert/vault.h"
#include "lib/clock.h"
#include "order.h"
#include "publisher.h"
#include "session_uv.h"
#include "store/store.h"

enum acme_purpose {
    ACME_ISSUE,
    ACME_REHEARSE /* the whole way at a staging directory; the certificate is looked at and dropped */
};

struct acme_job_options {
    uv_loop_t *loop;                        /* borrowed */
    struct session *session;                /* borrowed: to the directory to be used */
    struct store *store;                    /* borrowed */
    struct cert_vault *vault;               /* borrowed */
    const struct acme_publisher *publisher; /* borrowed */
    const struct clk *clock;                /* borrowed */
    struct store_fence fence;               /* the lease this is done under */
    bool (*is_held)(void *ctx); /* is it still ours; asked before what cannot be fenced */
    enum acme_purpose purpose;
    const char *core;         /* our id, for the ledger */
    const char *hostname;     /* the row's name */
    const char *const *names; /* what the certificate is to say, sorted */
    size_t names_count;
    enum acme_challenge_type type;
    const char *contact;                /* mail; NULL */
    const char *eab_kid, *eab_hmac_key; /* NULL: none */
    const char *profile;         /* letsEncrypt.profile; NULL or "auto": tlsserver if offered */
    const char *preferred_chain; /* NULL */
    const char *replaces;        /* ARI id of the certificate it replaces; "" */
    uint64_t expect;             /* generation of the stored certificate; 0: none */
    const char *forced;          /* the store_job's id, for the ledger's text; NULL */
    /* The account is known and usable: CAA can be generated for it. READY must be called, once (at once
     * is fine), when every core gives what follows from it; also if the job has ended meanwhile, which
     * waits no longer than ORDER_PROVE_MS. NULL: nobody wants to know. */
    void (*on_account)(void *ctx, const char *url, void (*ready)(void *ready_ctx), void *ready_ctx);
    /* For status, job rows, fault points: before what STATE names is done, and after the row says so (up
     * to "precheck" there is no row yet). May cancel the job. TEXT: of "failed", why; else "". NULL. */
    /* Again for the same state while something is tried again; TEXT says why. */
    void (*on_step)(void *ctx, const char *state, const char *text);
    void *ctx; /* borrowed */
};

struct acme_outcome {
    bool ok;
    /* Of a failure. Types of ours, not the CA's (status is 0): "" (the network, the store),
     * "cancelled", "lease", "vault", "eab", "account", "profile", "precheck", "order",
     * "authorization", "challenge", "propagation", "deadline", "certificate", "conflict". */
    struct acme_problem problem;
    char state[24]; /* where it failed */
    bool lease_lost;
    uint64_t generation; /* of what was stored */
    char ari_id[128];    /* of it; "" */
    char serial[41];
    int64_t not_before_ms, not_after_ms;
    bool without_replaces;            /* the CA did not want it */
    int64_t took_ms, ca_ms, prove_ms; /* monotonic: all; waiting for the CA; for the proof */
};
typedef void acme_job_cb(void *ctx, const struct acme_outcome *outcome);

struct acme_job;
/* Goes on with the order's row if there is one for the same directory, names and purpose that has not
 * expired; else begins anew (an old row of other names or another directory is ended first).
 *
 * The ledger (store_attempt): an "order" row is open from right before newOrder on, and closed in any
 * end but a lost lease, being cancelled and "vault", when whoever goes on closes it; a failure before
 * newOrder (but "vault") is a failed "order" row too, so that the plan backs off. An order that is given up for another one is
 * failed with problem "abandoned". "authorization": failed ones; "certificate": stored ones;
 * "rehearsal": their ends. */
void acme_job_start(const struct acme_job_options *options, acme_job_cb *cb, void *ctx,
                    struct acme_job **out);
/* Stops at the next possible moment, leaves the row for the next holder; the outcome comes. */
void acme_job_cancel(struct acme_job *j);

#endif

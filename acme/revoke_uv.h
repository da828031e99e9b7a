/* A certificate is to count no more: the driver of acme/revoke.h. It is the stored one, and the CA the
 * session's.
 *
 * Threads: the loop's; the callback comes later, once. Options are copied but for what says borrowed.
 */
#ifndef ACME_REVOKE_UV_H
#define ACME_REVOKE_UV_H

#include <uv.h>

#include "cert/vault.h"
#include "session_uv.h"
#include "store/store.h"

struct acme_revoke_options {
    uv_loop_t *loop;          /* borrowed */
    struct session *session;  /* borrowed */
    struct store *store;      /* borrowed */
    struct cert_vault *vault; /* borrowed */
    const char *hostname;     /* borrowed */
    const char *argument;     /* of the job (acme/revoke.h); read before this returns */
    bool (*is_held)(void *ctx);
    void *ctx; /* borrowed */
};
/* PROBLEM: class ACME_FINE: it is revoked (text: "" or that it was so already). Types of ours, besides
 * the CA's: "vault" (the account's key cannot be opened here), "account" (there is none), "argument",
 * "serial" (another certificate is stored, or none), "certificate" (it is another CA's), "" (the
 * network, the store). LEASE_LOST: and nothing more was done; of who cancelled too. */
typedef void acme_revoke_cb(void *ctx, const struct acme_problem *problem, bool lease_lost);

struct acme_revocation;
/* Ends within the session's and the store's limits. */
void acme_revoke_start(const struct acme_revoke_options *options, acme_revoke_cb *cb, void *ctx,
                       struct acme_revocation **out);
/* Stops at the next possible moment. */
void acme_revoke_cancel(struct acme_revocation *v);

#endif

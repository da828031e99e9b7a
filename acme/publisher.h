/* What the order machine needs of the world to prove control over names: implemented by the daemon
 * (dnsd/app), which knows the zone, the other cores and the store; by a fake in tests.
 *
 * All callbacks come later, once, on the loop. One operation at a time per caller. Texts are copied.
 * REPORT (JSON object, borrowed for the callback; NULL: none) is evidence for the order's row: who was
 * asked for what, over what, when, and what came.
 */
#ifndef ACME_PUBLISHER_H
#define ACME_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "object.h"
#include "store/store.h"

struct acme_proof {
    enum acme_challenge_type type;
    const char *name;  /* host name, without "*." */
    const char *token; /* HTTP-01 */
    const char
        *value; /* DNS-01: the TXT value; HTTP-01: the key authorization; ALPN-01: digest, hex */
};

typedef void acme_publisher_cb(void *ctx, enum err e, const struct err_info *info,
                               const char *report);

struct acme_precheck {
    const char *const *names; /* as ordered, wildcards with "*." */
    size_t names_count;
    enum acme_challenge_type type;
    const char *account;        /* URL: CAA accounturi (RFC 8657 §3); "" if not known yet */
    const char *const *issuers; /* the CA's caaIdentities; none: CAA is not judged */
    size_t issuers_count;
};

struct acme_publisher {
    void *ctx; /* borrowed */
    /* Before anything is asked of the CA: delegation, CAA at every label (RFC 8659 §3, RFC 8657), stale
     * challenge values. ERR_DENIED: the CA would refuse, INFO says why and what to change; transient
     * errors: could not be found out. */
    void (*precheck)(void *ctx, const struct acme_precheck *check, acme_publisher_cb *cb,
                     void *cb_ctx);
    /* Writes the proofs under FENCE, good until EXPIRES_MS. ERR_DENIED: the lease is lost. */
    void (*put)(void *ctx, const struct store_fence *fence, const char *order,
                const struct acme_proof *proofs, size_t count, int64_t expires_ms,
                acme_publisher_cb *cb, void *cb_ctx);
    /* Every core has them, and everybody a validator may ask gives exactly them. Ends when that is so, or
     * at DEADLINE_MS (monotonic) with ERR_TIMEOUT and who does not. */
    void (*prove)(void *ctx, const struct acme_proof *proofs, size_t count, int64_t deadline_ms,
                  acme_publisher_cb *cb, void *cb_ctx);
    /* Who asked for these names since SINCE_MS (wall clock), for a failure's report. Never an error. */
    void (*witnesses)(void *ctx, const struct acme_proof *proofs, size_t count, int64_t since_ms,
                      acme_publisher_cb *cb, void *cb_ctx);
    /* No callback after this of what is under way: ERR_CANCELED comes, later. */
    void (*cancel)(void *ctx);
};

#endif

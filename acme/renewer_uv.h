/* Certificates that renew themselves: the lease, the decision when, rehearsal before the first order,
 * renewal information, jobs of operators, alarms. One per process, one hostname per renewer.
 *
 * Who has not got the lease reads the certificate's row now and then, for the alarms, and does nothing
 * else. Who has it looks for jobs that were asked for on other cores every LEASE_LOOK_MS, and decides when
 * the plan says so, when it is woken, and at least once a day. A job that meets a shut gate fails at once
 * and says which gate that is, when it opens and which override passes it; one that finds an order
 * under way ends with that. Jobs that are no orders (another key for the account, revocation) are
 * carried out when no order is under way, whatever the gates say; after a revocation another
 * certificate is due at once. Who cannot open a key that is needed (another atRestKey) spends nothing:
 * it gives the lease back, keeps away from it for some minutes, and comes last from then on. While the clock differs from the CA's by more than five minutes nothing is
 * ordered. A store that makes trouble is tried again, with pauses; nothing is decided without it.
 *
 * Threads: the loop's; callbacks come from its timers and from what the renewer waits for, never inside a
 * call of these functions, and may call any of them. Options are copied but for what says borrowed.
 */
#ifndef ACME_RENEWER_UV_H
#define ACME_RENEWER_UV_H

#include <uv.h>

#include "job_uv.h"
#include "lease.h"
#include "plan.h"

struct renewer;

struct renewer_options {
    uv_loop_t *loop;                        /* borrowed */
    struct cert_vault *vault;               /* borrowed */
    const struct acme_publisher *publisher; /* borrowed */
    const struct clk *clock;                /* borrowed */
    const char *core;
    enum lease_rank rank;
    const char *hostname;
    const char *const *names;
    size_t names_count;
    enum acme_challenge_type type;
    const char *directory_url; /* production, staging or a private CA */
    const char *staging_url;   /* where a first issuance is rehearsed; NULL: not */
    const char *ca_file;
    const char *contact, *eab_kid, *eab_hmac_key, *profile, *preferred_chain;
    int64_t renew_before_days; /* -1 */
    double
        scale; /* of every time of plan.h and lease.h; 1, less in tests (leases: 0.05 at least) */
    /* As in job_uv.h. ACCOUNTS' URLs for CAA: production's and, while rehearsing, staging's. */
    void (*on_account)(void *ctx, const char *directory, const char *url,
                       void (*ready)(void *ready_ctx), void *ready_ctx);
    bool (*better)(void *ctx);    /* a live core of higher rank was heard */
    void (*on_stored)(void *ctx); /* another certificate is in the store */
    /* An order has come to STATE, and that is saved. NULL: nobody wants to know. */
    void (*on_step)(void *ctx, const char *state);
    void (*on_alarm)(void *ctx, unsigned level,
                     int64_t left_ms); /* 25, 10, 5 % left, over: once each */
    void *ctx;                         /* borrowed */
};
/* ERR_MALFORMED, ERR_NOTFOUND, ...: caFile, a URL. Blocks (reads caFile): boot. */
enum err renewer_open(const struct renewer_options *options, struct renewer **out,
                      struct err_info *info) MUST_USE;
/* The store is there (or, with NULL, gone: the renewer lets go of it before this returns only what is
 * not under way; ON_GONE says when it uses it no more). Nothing is done before the first call. */
void renewer_use_store(struct renewer *r, struct store *store, void (*on_gone)(void *ctx),
                       void *ctx);
/* Something may have changed (a job was asked for): decide now. */
void renewer_wake(struct renewer *r);
/* What is under way is stopped first and left for the next holder, then the lease is given back. */
void renewer_close(struct renewer *r, void (*done)(void *ctx), void *ctx);

/* Failed orders by the problem's type ("": ours); what is over RENEWER_FAILURES_MAX counts as "other". */
#define RENEWER_FAILURES_MAX 16
struct renewer_failure {
    char type[ACME_TYPE_MAX];
    uint64_t count;
};

struct renewer_view {
    bool holds;           /* the lease */
    enum lease_rank rank; /* as configured, or LEASE_LAST for who could not open a key */
    const char *holder;   /* "": nobody, or not known */
    uint64_t term;
    struct plan plan;  /* of the last decision (text "" before it) */
    const char *state; /* order's state while one is under way; "" */
    const char *step_text;
    int64_t step_ms;     /* wall clock: since when */
    const char *problem; /* of the last failure; "" after a success */
    const char *problem_type;
    int64_t last_ok_ms;           /* wall clock; 0 */
    struct store_renewal renewal; /* texts borrowed */
    int64_t propagation_ms;       /* of the last proof; -1 */
    int64_t skew_ms;              /* CA's clock minus ours */
    struct {
        uint64_t orders_ok, orders_failed, challenges_ok, challenges_failed;
        const struct renewer_failure *failures; /* borrowed */
        size_t failures_count;
    } counts; /* since the start */
};
void renewer_view(const struct renewer *r, struct renewer_view *out);

#endif

/* The parts of the renewer: its turns and its end (renewer_uv.c), the lease (renewer_lease_uv.c), what
 * is read before each decision (renewer_round_uv.c), renewal information (renewer_ari_uv.c), orders
 * (renewer_order_uv.c), other jobs (renewer_wish_uv.c), what is written down when they have ended
 * (renewer_finish_uv.c), and what is on its behalf in other modules (renewer_open_uv.c).
 *
 * A round is one walk through the steps below, at most one operation under way at a time. Beats of the
 * lease go on beside it. A step that needs the lease is not begun without it, and what comes back
 * after it was lost is dropped.
 *
 *   IDLE ─> REAP ─> ROW ─> (DROP) ─> CERT ─> RENEWAL ─> (ARI_DIRECTORY ─> ARI_GET ─> ARI_PUT)
 *    ^ ^             │                 │                                          │
 *    │ │                               │      │ an order is to be                   ASKED ─> LEDGER
 *    │ └─ without the lease ───────────┘      │ gone on with                                │ order
 *    │            WORKING <─ (TELL) <─ CLOCK <┴─────────────────────────────────────────────┤
 *    │               │                                                                      │ wait
 *    │<─ (AUDIT) <─ (ANSWER) <─ FINISH_ASKED <─ FINISH_RENEWAL                               │
 *    └<─ (AUDIT) <─ (ANSWER) <──────────────────────────────────────────────────────────────┘
 *
 * A job that is no order leaves ASKED by WISH ─> WISHED ─> (REVOKED) ─> ANSWER ─> AUDIT.
 */
#ifndef ACME_RENEWER_PRIV_H
#define ACME_RENEWER_PRIV_H

#include "cert/chain.h"
#include "cert/leaf.h"
#include "lib/log.h"
#include "renewer_uv.h"
#include "revoke_uv.h"
#include "rollover_uv.h"

#define RENEWER_TAG         "renewer"
#define RENEWER_SKEW_MS     300000 /* a clock that differs by more from the CA's: nothing is ordered */
#define RENEWER_PAUSE_MS    60000   /* after a failure that the ledger may not know of; doubles */
#define RENEWER_PAUSES_MAX  6       /* times it doubles */
#define RENEWER_REAP_MS     3600000 /* how often proofs of nobody are looked for */
#define RENEWER_LEASE_SCALE 0.05
#define RENEWER_AWAY_TTLS   5 /* of the lease, for others to take it when we cannot open a key */
#define RENEWER_NAME_MAX    256
#define RENEWER_TEXT_MAX    768

/* What is asked of the network; a test has its own. */
struct renewer_ops {
    enum err (*session_open)(uv_loop_t *loop, const struct session_options *options,
                             struct session **out, struct err_info *info) MUST_USE;
    void (*session_close)(struct session *s, void (*done)(void *ctx), void *ctx);
    void (*session_directory)(struct session *s, bool fresh, session_directory_cb *cb, void *ctx);
    struct session_call *(*session_get)(struct session *s, const char *url, session_reply_cb *cb,
                                        void *ctx);
    int64_t (*session_skew_ms)(const struct session *s);
    void (*job_start)(const struct acme_job_options *options, acme_job_cb *cb, void *ctx,
                      struct acme_job **out);
    void (*job_cancel)(struct acme_job *j);
    void (*rollover_start)(const struct acme_rollover_options *options, acme_rollover_cb *cb,
                           void *ctx, struct acme_change **out);
    void (*rollover_cancel)(struct acme_change *c);
    void (*revoke_start)(const struct acme_revoke_options *options, acme_revoke_cb *cb, void *ctx,
                         struct acme_revocation **out);
    void (*revoke_cancel)(struct acme_revocation *v);
};

enum renewer_step {
    RENEWER_IDLE,
    RENEWER_PEEK, /* has anybody asked */
    RENEWER_REAP,
    RENEWER_ROW,
    RENEWER_DROP,
    RENEWER_CERT,
    RENEWER_RENEWAL,
    RENEWER_ARI_DIRECTORY,
    RENEWER_ARI_GET,
    RENEWER_ARI_PUT,
    RENEWER_ASKED,
    RENEWER_WISH,
    RENEWER_WISHED,
    RENEWER_LEDGER,
    RENEWER_CLOCK,
    RENEWER_TELL,
    RENEWER_WORKING,
    RENEWER_FINISH_RENEWAL,
    RENEWER_FINISH_ASKED,
    RENEWER_REVOKED,
    RENEWER_ANSWER,
    RENEWER_AUDIT
};

enum renewer_flight { RENEWER_GROUND, RENEWER_STORE, RENEWER_CA };

struct renewer {
    struct renewer_options o; /* its texts are in TEXTS and NAMES */
    const struct renewer_ops *ops;
    char *texts[24]; /* owned */
    size_t texts_count;
    const char *names[ACME_NAMES_MAX];
    char lease_name[RENEWER_NAME_MAX + 8];
    struct session *session; /* owned, as the next */
    struct session *staging; /* NULL: no rehearsals */
    uint64_t random;         /* for the backoff's jitter, all along */

    uv_timer_t timer;
    struct store *store; /* borrowed; NULL: none */
    void (*on_gone)(void *ctx);
    void *gone_ctx; /* borrowed */
    bool leaving;   /* the store is to be let go */
    bool closing;
    unsigned open; /* to be closed: timer, sessions */
    void (*done)(void *ctx);
    void *done_ctx; /* borrowed */

    struct lease_times times;
    struct lease lease;
    bool lease_flying, held; /* held: as of the last turn */
    enum lease_act lease_act;
    int64_t lease_begun_ms;

    enum renewer_step step;
    enum renewer_flight flying;
    bool wake;
    bool with_lease; /* this round, in TERM */
    uint64_t term;
    int64_t round_ms;  /* monotonic: when the next one is due */
    int64_t decide_ms; /* wall clock: likewise */
    int64_t peek_ms, reap_ms, hold_off_ms, pause_ms, ari_ms; /* monotonic: not before */
    unsigned troubles;                                       /* of the store, in a row */
    unsigned local_failures;                                 /* of orders, in a row */

    /* what was read */
    char row_id[64]; /* of the order's row; "" */
    bool cert_there, cert_readable, foreign, first, known;
    struct store_cert cert; /* without its hostname */
    struct cert_leaf leaf;
    char ari_id[CERT_CHAIN_ARI_MAX]; /* "": none */
    bool renewal_matches;
    char serial[64], explanation[ACME_URL_MAX], replaced[CERT_CHAIN_ARI_MAX];
    struct store_renewal renewal; /* borrows the three above */
    char ari_url[ACME_URL_MAX];
    char ari_serial[41]; /* what ari_ms is about */
    int64_t ari_retry_ms;
    bool ari_told;
    bool asked; /* somebody wants something, by ASKED_KIND "renew" a certificate now: */
    char asked_id[64], asked_by[64], asked_override[32];
    char asked_kind[16], asked_argument[80];
    struct plan plan;
    enum plan_why told_why;
    bool rehearsed; /* or no need to */

    /* what is done about it */
    struct acme_job *job; /* under way, at most one of these; not ours */
    struct acme_change *change;
    struct acme_revocation *revocation;
    enum acme_purpose purpose;
    bool resuming; /* it was begun, by us or by somebody before us */
    bool cancelled;
    char order_ari_id[CERT_CHAIN_ARI_MAX]; /* of what the order replaces; "" */
    struct acme_outcome outcome;
    char answer[RENEWER_TEXT_MAX], answer_type[ACME_TYPE_MAX];
    bool answer_ok;
    bool unopened;      /* a key of what was to be done could not be opened here, */
    bool handing_on;    /* so another core is to try; the answer says so, and is not the last */
    char handed_on[64]; /* the job that was */
    bool again;         /* decide again at once when this round is over */

    char state[24], step_text[RENEWER_TEXT_MAX], problem[RENEWER_TEXT_MAX];
    char problem_type[ACME_TYPE_MAX];
    int64_t step_since_ms, last_ok_ms, propagation_ms;
    uint64_t orders_ok, orders_failed, challenges_ok, challenges_failed;
    struct renewer_failure failures[RENEWER_FAILURES_MAX];
    size_t failures_count;
    char alarm_serial[41];
    unsigned alarm_level;
};

static inline int64_t renewer_mono_ms(const struct renewer *r)
{
    return clk_mono_ms(r->o.clock);
}
static inline int64_t renewer_wall_ms(const struct renewer *r)
{
    return clk_wall_ms(r->o.clock);
}
static inline int64_t renewer_scaled(const struct renewer *r, int64_t ms)
{
    return (int64_t)((double)ms * r->o.scale);
}

/* renewer_open() with operations of the caller's. */
enum err renewer_open_on(const struct renewer_options *options, const struct renewer_ops *ops,
                         struct renewer **out, struct err_info *info) MUST_USE;

/* renewer_uv.c. Whatever has come back ends with this: it does what can be done now. */
void renewer_turn(struct renewer *r);

/* Something is under way that tells of its end by itself. */
static inline bool renewer_works(const struct renewer *r)
{
    return r->job != NULL || r->change != NULL || r->revocation != NULL;
}
void renewer_cancel(struct renewer *r);

/* renewer_lease_uv.c */
void renewer_lease_turn(struct renewer *r);
bool renewer_holds(const struct renewer *r); /* in the term of this round, now */
struct store_fence renewer_fence(const struct renewer *r);
bool renewer_is_idle(const struct renewer *r); /* nothing is under way under the lease */

/* renewer_round_uv.c */
bool renewer_is_due(const struct renewer *r);
void renewer_round_begin(struct renewer *r);
/* Does what r->step says. Ends in a callback, or has set the next step. */
void renewer_round_step(struct renewer *r);
/* To step NEXT and on, if E is ERR_OK; else the round is over, and another follows after a pause. */
void renewer_round_next(struct renewer *r, enum err e, const struct err_info *info,
                        enum renewer_step next);
void renewer_round_over(struct renewer *r);
void renewer_round_done(void *ctx, enum err e, const struct err_info *info);
/* Has the certificate that is stored become old? Tells once per level. */
void renewer_alarm(struct renewer *r);
/* JSON array NAMES says what the certificate is to say. */
bool renewer_names_match(const struct renewer *r, const char *names);

/* renewer_ari_uv.c */
bool renewer_ari_is_due(const struct renewer *r);
/* How long until it is; INT64_MAX: never. */
int64_t renewer_ari_wait_ms(const struct renewer *r);
void renewer_ari_step(struct renewer *r);
void renewer_renewal_reset(struct renewer *r, const char *serial);

/* renewer_order_uv.c */
void renewer_order_step(struct renewer *r);
void renewer_order_resume(struct renewer *r, bool rehearsal);
/* After r->plan was made. */
void renewer_order_decided(struct renewer *r);

/* renewer_wish_uv.c */
bool renewer_wish_known(const struct renewer *r);
void renewer_wish_step(struct renewer *r);

/* renewer_finish_uv.c */
void renewer_finish_step(struct renewer *r);
/* A key that is sealed with one this core lacks: others may have it. */
bool renewer_is_ours_alone(const struct acme_problem *p);
/* ... so they are to try, and this core keeps away for a while. */
void renewer_cannot_open(struct renewer *r, const struct acme_problem *p);

#endif

/* The parts of the order's driver: each performs some of the machines' actions and hands the result
 * back. One operation is under way at a time. */
#ifndef ACME_JOB_PRIV_H
#define ACME_JOB_PRIV_H

#include "account.h"
#include "job_uv.h"
#include "jws.h"
#include "lib/jx.h"
#include "lib/loop_uv.h"

#define JOB_ID         33
#define JOB_TEXTS_MAX  24
#define JOB_PROOF_MAX  (ACME_TOKEN_MAX + JWS_THUMBPRINT + 1)
#define JOB_LEDGER_MAX 2048 /* of a text in the ledger, with what the validators saw */
#define JOB_DETAIL_MAX (64 * 1024)

/* What the job waits for. */
enum job_park {
    JOB_RUNNING,
    JOB_STORE,
    JOB_CALL,
    JOB_DIRECTORY,
    JOB_TIMER,
    JOB_PUBLISHER,
    JOB_WORK,
    JOB_READY
};

/* Outlives the job if the caller has not said READY yet. */
struct job_ready {
    struct acme_job *job; /* borrowed; NULL: it is not interested any more */
};

struct acme_job {
    struct acme_job_options o;  /* its texts are in TEXTS and NAMES */
    char *texts[JOB_TEXTS_MAX]; /* owned */
    size_t texts_count;
    const char *names[ACME_NAMES_MAX];
    acme_job_cb *cb;
    void *ctx; /* borrowed */

    struct acme_order order;
    struct acme_account account;
    bool in_account;
    enum job_park park;
    uv_timer_t timer;
    struct session_call *call; /* under way with JOB_CALL */
    struct job_ready *ready;   /* ours while JOB_READY */
    bool in_on_account, ready_at_once;
    struct loop_work work;
    enum err work_err;
    struct err_info work_info;

    struct acme_directory directory;
    struct cert_key *key;              /* owned: the account's; NULL */
    char *key_sealed, *pending_sealed; /* owned */
    char thumbprint[JWS_THUMBPRINT];
    char contact[ACME_NAME_MAX]; /* as the CA knows it */
    int64_t account_ms;
    bool account_fenced_off;

    char id[JOB_ID];                       /* of the order; until there is one, of the attempt */
    char *order_directory, *order_purpose; /* owned: of the row; they may be another job's */
    char *names_json;                      /* owned */
    int64_t order_ms;
    struct cert_key *staged; /* owned; NULL */
    char *staged_sealed;     /* owned */
    json_t *detail;          /* owned: evidence; NULL without memory */
    char *witnesses;         /* owned: what the validators saw, JSON; NULL */
    int64_t challenged_ms;   /* wall clock: since when they may look */

    struct acme_proof proofs[ACME_NAMES_MAX];
    char proof_values[ACME_NAMES_MAX][JOB_PROOF_MAX];
    size_t proofs_count;

    char *chain; /* owned: as downloaded */
    size_t chain_len;
    char *leaf, *rest, *leaf_key; /* owned: as stored */
    union {
        struct acme_order_object order;
        struct acme_authorization authorization;
        struct acme_account_object account;
    } object; /* of the last reply */
    struct acme_outcome outcome;
    int64_t begun_ms, since_ms; /* monotonic: the job; what is under way */
};

static inline int64_t acme_job_mono_ms(const struct acme_job *j)
{
    return clk_mono_ms(j->o.clock);
}
static inline int64_t acme_job_wall_ms(const struct acme_job *j)
{
    return clk_wall_ms(j->o.clock);
}

/* job_uv.c. The last statement of whoever calls one of these: the job may be gone afterwards. */
void acme_job_result(struct acme_job *j, struct acme_ev *ev); /* kind and times are filled in */
void acme_job_done(void *ctx, enum err e, const struct err_info *info); /* of a store's operation */
/* What is tried again, in the log and for those who watch. */
void acme_job_tell_again(struct acme_job *j, const struct acme_problem *why, int64_t wait_ms);
void acme_job_wait(struct acme_job *j, int64_t wait_ms);
/* What could not even be begun; said later, as everything is. */
void acme_job_later(struct acme_job *j, enum err e, const struct err_info *info);
void acme_job_offload(struct acme_job *j, void (*work)(struct loop_work *w),
                      void (*done)(struct loop_work *w));
static inline struct acme_job *acme_job_of_work(struct loop_work *w)
{
    return (struct acme_job *)((char *)w - offsetof(struct acme_job, work));
}
/* Replaces the owned text *TO. False: no memory (and *to is NULL). */
bool acme_job_keep(char **to, const char *text);

/* job_account_uv.c */
void acme_job_account_start(struct acme_job *j, bool anew);
void acme_job_account_waited(struct acme_job *j);
void acme_job_account_failed(struct acme_job *j, enum err e, const struct err_info *info);
void acme_job_account_canceled(struct acme_job *j); /* while JOB_READY */

/* job_store_uv.c */
void acme_job_load(struct acme_job *j);
void acme_job_save(struct acme_job *j);
void acme_job_ledger(struct acme_job *j, const struct acme_act *act);
void acme_job_store(struct acme_job *j);
void acme_job_end(struct acme_job *j);
void acme_job_new_id(struct acme_job *j); /* what is done from now on is another order */

/* job_work_uv.c: off the loop */
void acme_job_stage(struct acme_job *j);
void acme_job_check(struct acme_job *j);

/* job_ca_uv.c */
void acme_job_directory(struct acme_job *j);
void acme_job_request(struct acme_job *j, const struct acme_act *act);
/* KEY and KID of the account unless WITH_KEY (newAccount). */
void acme_job_post(struct acme_job *j, const char *url, const char *payload, bool with_key,
                   session_reply_cb *cb);
int64_t acme_job_retry_ms(const struct session_reply *reply);

/* job_proof_uv.c */
void acme_job_precheck(struct acme_job *j);
void acme_job_publish(struct acme_job *j);
void acme_job_prove(struct acme_job *j);
void acme_job_witnesses(struct acme_job *j);

/* job_payload.c: pure. NULL: no memory; free() them. */
char *acme_job_payload_account(const char *contact, bool only_existing, const char *binding);
char *acme_job_payload_contact(const char *contact);
char *acme_job_payload_order(const char *const *names, size_t count, const char *replaces,
                             const char *profile);
char *acme_job_payload_finalize(const uint8_t *csr, size_t len);
char *acme_job_payload_revoke(const uint8_t *der, size_t len, int reason); /* -1: none is given */

#endif

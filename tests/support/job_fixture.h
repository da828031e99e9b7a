/* A job with what it needs but a CA: a SQLite store with a lease taken, a vault, a clock that can be
 * moved, and a publisher that writes proofs and says what the test wants. cmocka assertions; deadlines
 * instead of sleeps.
 */
#ifndef TESTS_SUPPORT_JOB_FIXTURE_H
#define TESTS_SUPPORT_JOB_FIXTURE_H

#include "acme/job_uv.h"
#include "lib/tls_pair.h"
#include "store_file.h"
#include "store_sync.h"

#define JOB_FIXTURE_HOST "*.job.example"

struct job_fixture {
    uv_loop_t *loop; /* borrowed */
    struct store_file *file;
    struct sync y;
    struct cert_vault *vault;
    struct clk clock;
    int64_t wall_plus_ms; /* the wall clock is the machine's and this */
    uint64_t term;
    bool held;           /* what is_held says */
    const char *lose_at; /* at this step somebody else takes the lease; NULL */
    struct acme_job_options
        options; /* for the test to change; names are the wildcard and its apex */
    struct acme_publisher publisher;
    struct acme_job *job;
    bool done, ready_is_late;
    struct acme_outcome outcome;
    char steps[1024];      /* the states, with a space between */
    const char *cancel_at; /* at this step the job is cancelled; NULL */
    void (*on_step)(struct job_fixture *f, const char *state); /* NULL */
    char account[ACME_URL_MAX];                                /* as on_account had it */
    unsigned accounts;

    /* the publisher */
    uv_timer_t timer;
    acme_publisher_cb *cb;
    void *cb_ctx;
    enum err then;
    const char *report;
    enum err precheck, put, prove; /* what they end with */
    char prechecked[256];          /* names, account, issuers */
    char put_values[512]; /* name=value of all that was put at once, with a space between */
    unsigned puts, proves, witnessed;
    unsigned closed;
    void *ctx; /* the test's */
};

void job_fixture_init(struct job_fixture *f, uv_loop_t *loop);
/* Runs F->options to the end of a job, against SESSION. */
void job_fixture_run(struct job_fixture *f, struct session *session);
void job_fixture_need(const struct job_fixture *f, const char *state, enum acme_class class,
                      const char *type); /* the failure it ended with */
/* Somebody else, who goes on where the job was left: the next term. */
void job_fixture_take_over(struct job_fixture *f);
/* The stored row is of that generation, and its key opens and fits; *pair is the caller's. */
void job_fixture_stored(struct job_fixture *f, uint64_t generation, struct tls_pair **pair);
/* The ledger, newest first: "kind outcome problem;". */
const char *job_fixture_ledger(struct job_fixture *f);
/* No order's row is left, and no proof. */
void job_fixture_clean(struct job_fixture *f);
void job_fixture_end(struct job_fixture *f);

#endif

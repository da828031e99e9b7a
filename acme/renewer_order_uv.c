/* What the renewer does about its decision: a rehearsal, an order, an answer to whoever asked. */
#include "renewer_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *purpose_word(enum acme_purpose purpose)
{
    return purpose == ACME_REHEARSE ? "rehearsal" : "order";
}

static struct session *session_for(const struct renewer *r, enum acme_purpose purpose)
{
    return purpose == ACME_REHEARSE ? r->staging : r->session;
}

/* ---- the job's questions -------------------------------------------------------------------------- */

static bool is_held(void *ctx)
{
    return renewer_holds(ctx);
}

static void on_account(void *ctx, const char *url, void (*ready)(void *ready_ctx), void *ready_ctx)
{
    struct renewer *r = ctx;
    bool rehearsal = r->purpose == ACME_REHEARSE;
    if (r->o.on_account == NULL) {
        ready(ready_ctx);
        return;
    }
    r->o.on_account(r->o.ctx, rehearsal ? r->o.staging_url : r->o.directory_url, url, ready,
                    ready_ctx);
}

static void on_step(void *ctx, const char *state, const char *text)
{
    struct renewer *r = ctx;
    bool other = strcmp(r->state, state) != 0;
    snprintf(r->state, sizeof r->state, "%s", state);
    snprintf(r->step_text, sizeof r->step_text, "%s", text != NULL ? text : "");
    r->step_since_ms = other ? renewer_wall_ms(r) : r->step_since_ms;
    if (other && r->o.on_step != NULL) {
        r->o.on_step(r->o.ctx, state);
    }
}

/* ---- how it ended --------------------------------------------------------------------------------- */

static void count_failure(struct renewer *r, const char *type)
{
    size_t i = 0;
    while (i < r->failures_count && strcmp(r->failures[i].type, type) != 0) {
        i++;
    }
    if (i == r->failures_count && i + 1 >= RENEWER_FAILURES_MAX) {
        if (i + 1 == RENEWER_FAILURES_MAX) { /* the last place is everybody else's */
            snprintf(r->failures[r->failures_count++].type, ACME_TYPE_MAX, "other");
        }
        i = RENEWER_FAILURES_MAX - 1;
    } else if (i == r->failures_count) {
        snprintf(r->failures[r->failures_count++].type, ACME_TYPE_MAX, "%s", type);
    }
    r->failures[i].count++;
}

static void note_problem(struct renewer *r, const char *type, const char *text)
{
    snprintf(r->problem_type, sizeof r->problem_type, "%s", type);
    snprintf(r->problem, sizeof r->problem, "%s", text);
    r->answer_ok = false;
    snprintf(r->answer, sizeof r->answer, "%s", text);
}

static void hold_off(struct renewer *r)
{
    unsigned n = r->local_failures < RENEWER_PAUSES_MAX ? r->local_failures : RENEWER_PAUSES_MAX;
    r->local_failures++;
    r->hold_off_ms = renewer_mono_ms(r) + renewer_scaled(r, (int64_t)RENEWER_PAUSE_MS << n);
}

/* The CA did not want an order that names what it replaces, for whatever reason it gave: there are more
 * words for that than RFC 9773 §5 has, and no certificate may run out over it. The next one names none. */
static bool refused_replacing(const struct renewer *r, const struct acme_outcome *o)
{
    bool said_no = strcmp(o->state, "new") == 0 && o->problem.status >= 400 &&
                   o->problem.status < 500 && o->problem.class != ACME_LIMITED &&
                   o->problem.class != ACME_PAUSED;
    return r->order_ari_id[0] != '\0' && (o->without_replaces || said_no);
}

static void failed(struct renewer *r, const struct acme_outcome *o)
{
    char text[RENEWER_TEXT_MAX];
    const char *type = o->problem.type;
    snprintf(text, sizeof text, "%s failed at \"%s\": %s%s%s", purpose_word(r->purpose), o->state,
             type, *type != '\0' ? ": " : "", o->problem.text);
    note_problem(r, type, text);
    hold_off(r);
    if (r->purpose == ACME_ISSUE) {
        r->orders_failed++;
        count_failure(r, type);
    }
    if (o->problem.class == ACME_IDENTIFIER) {
        r->challenges_failed++;
    }
    r->step = refused_replacing(r, o) ? RENEWER_FINISH_RENEWAL : RENEWER_FINISH_ASKED;
}

static void rehearsed(struct renewer *r)
{
    LOG_INFO(RENEWER_TAG, "the rehearsal went well", LOG_S("hostname", r->o.hostname),
             LOG_S("directory", r->o.staging_url));
    renewer_round_over(r);
}

static void issued(struct renewer *r, const struct acme_outcome *o)
{
    char until[PLAN_SPAN_TEXT];
    r->orders_ok++;
    r->last_ok_ms = renewer_wall_ms(r);
    r->propagation_ms = o->prove_ms;
    r->answer_ok = true;
    plan_span_text(o->not_after_ms - r->last_ok_ms, until);
    snprintf(r->answer, sizeof r->answer, "serial %s, generation %llu, good for %s", o->serial,
             (unsigned long long)o->generation, until);
    r->step = RENEWER_FINISH_RENEWAL;
}

static void succeeded(struct renewer *r, const struct acme_outcome *o)
{
    r->problem[0] = r->problem_type[0] = '\0';
    r->local_failures = 0;
    r->hold_off_ms = 0;
    r->lease.rank = r->o.rank;
    r->challenges_ok += r->o.names_count;
    if (r->purpose == ACME_REHEARSE) {
        rehearsed(r);
        return;
    }
    issued(r, o);
    if (r->o.on_stored != NULL) {
        r->o.on_stored(r->o.ctx);
    }
}

static void on_outcome(void *ctx, const struct acme_outcome *outcome)
{
    struct renewer *r = ctx;
    r->job = NULL;
    r->flying = RENEWER_GROUND;
    r->outcome = *outcome;
    r->again = true;
    r->state[0] = r->step_text[0] = '\0';
    r->step_since_ms = 0;
    if (outcome->ok) {
        succeeded(r, outcome);
    } else if (outcome->lease_lost ||
               r->cancelled) { /* whoever has the lease next goes on with it */
        if (outcome->lease_lost && r->lease.term == r->term) {
            lease_lost(&r->lease, renewer_mono_ms(r));
        }
        renewer_round_over(r);
    } else if (renewer_is_ours_alone(&outcome->problem)) {
        renewer_cannot_open(r, &outcome->problem);
    } else {
        failed(r, outcome);
    }
    renewer_turn(r);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

static void start_job(struct renewer *r)
{
    const struct renewer_options *o = &r->o;
    struct acme_job_options job = {.loop = o->loop,
                                   .session = session_for(r, r->purpose),
                                   .store = r->store,
                                   .vault = o->vault,
                                   .publisher = o->publisher,
                                   .clock = o->clock,
                                   .fence = renewer_fence(r),
                                   .is_held = is_held,
                                   .purpose = r->purpose,
                                   .core = o->core,
                                   .hostname = o->hostname,
                                   .names = r->names,
                                   .names_count = o->names_count,
                                   .type = o->type,
                                   .contact = o->contact,
                                   .eab_kid = o->eab_kid,
                                   .eab_hmac_key = o->eab_hmac_key,
                                   .profile = o->profile,
                                   .preferred_chain = o->preferred_chain,
                                   .replaces = r->order_ari_id,
                                   .expect = r->cert.generation,
                                   .forced = r->asked ? r->asked_id : NULL,
                                   .on_account = on_account,
                                   .on_step = on_step,
                                   .ctx = r};
    r->step = RENEWER_WORKING;
    r->flying = RENEWER_GROUND;
    r->cancelled = false;
    r->ops->job_start(&job, on_outcome, r, &r->job);
}

void renewer_order_resume(struct renewer *r, bool rehearsal)
{
    int64_t now = renewer_mono_ms(r);
    if (now < r->hold_off_ms) {
        r->round_ms = r->hold_off_ms;
        renewer_round_over(r);
        return;
    }
    r->purpose = rehearsal ? ACME_REHEARSE : ACME_ISSUE;
    r->resuming = true;
    r->step = RENEWER_CERT; /* what is there now, for the generation */
}

static void refuse(struct renewer *r)
{
    const struct plan *p = &r->plan;
    const char *gate = plan_why_text(p->why);
    if (p->why == PLAN_GATE_CA) {
        snprintf(r->answer, sizeof r->answer, "held up (%s): %s; cannot be overridden", gate,
                 p->text);
    } else {
        snprintf(r->answer, sizeof r->answer, "held up (%s): %s; override: %s", gate, p->text,
                 gate);
    }
    r->answer_ok = false;
    r->step = RENEWER_ANSWER;
}

static void wait_for(struct renewer *r, int64_t wait_ms)
{
    r->round_ms = renewer_mono_ms(r) + wait_ms;
    r->decide_ms = renewer_wall_ms(r) + wait_ms;
}

/* ... but not for longer than until the CA is to be asked again. */
static void wait_until(struct renewer *r, int64_t at_ms)
{
    int64_t wait_ms = at_ms - renewer_wall_ms(r);
    int64_t ari_ms = renewer_ari_wait_ms(r);
    ari_ms = ari_ms > r->times.look_ms ? ari_ms : r->times.look_ms;
    wait_for(r, wait_ms < ari_ms ? wait_ms : ari_ms);
}

void renewer_order_decided(struct renewer *r)
{
    const struct plan *p = &r->plan;
    int64_t left_ms = r->hold_off_ms - renewer_mono_ms(r);
    if (p->what == PLAN_WAIT) {
        if (p->why != r->told_why && p->why != PLAN_NOT_DUE) {
            LOG_INFO(RENEWER_TAG, "not now", LOG_S("hostname", r->o.hostname),
                     LOG_S("gate", plan_why_text(p->why)), LOG_S("why", p->text));
        }
        r->told_why = p->why;
        wait_until(r, p->at_ms);
        if (r->asked) {
            refuse(r);
        } else {
            renewer_round_over(r);
        }
        return;
    }
    r->told_why = PLAN_NOT_DUE;
    if (left_ms > 0 && !r->asked) {
        wait_for(r, left_ms);
        renewer_round_over(r);
        return;
    }
    r->purpose = r->rehearsed ? ACME_ISSUE : ACME_REHEARSE;
    r->resuming = false;
    r->order_ari_id[0] = '\0';
    r->step = RENEWER_CLOCK;
}

/* The CA's clock is known once it has answered something. */
static bool clock_is_wrong(struct renewer *r)
{
    int64_t skew_ms = r->ops->session_skew_ms(session_for(r, r->purpose));
    char text[RENEWER_TEXT_MAX], by[PLAN_SPAN_TEXT];
    if (skew_ms >= -RENEWER_SKEW_MS && skew_ms <= RENEWER_SKEW_MS) {
        return false;
    }
    plan_span_text(skew_ms < 0 ? -skew_ms : skew_ms, by);
    snprintf(text, sizeof text, "this machine's clock is %s %s the CA's; nothing is ordered", by,
             skew_ms > 0 ? "behind" : "ahead of");
    if (strcmp(r->problem_type, "clock") != 0) {
        LOG_ERROR(RENEWER_TAG, "the clock is wrong", LOG_S("hostname", r->o.hostname),
                  LOG_S("why", text));
    }
    note_problem(r, "clock", text);
    return true;
}

static void on_clock(void *ctx, enum err e, const struct err_info *info,
                     const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct renewer *r = ctx;
    bool ari = e == ERR_OK && directory->renewal_info[0] != '\0';
    (void)info;
    (void)problem; /* an order that fails for the same reason tells of it, and is in the ledger */
    r->flying = RENEWER_GROUND;
    if (clock_is_wrong(r)) {
        wait_for(r, renewer_scaled(r, RENEWER_PAUSE_MS));
        if (r->asked) {
            r->step = RENEWER_ANSWER;
        } else {
            renewer_round_over(r);
        }
        renewer_turn(r);
        return;
    }
    if (strcmp(r->problem_type, "clock") == 0) {
        r->problem[0] = r->problem_type[0] = '\0';
    }
    if (ari && !r->resuming && r->purpose == ACME_ISSUE && !r->foreign &&
        strcmp(r->ari_id, r->replaced) != 0) {
        snprintf(r->order_ari_id, sizeof r->order_ari_id, "%s", r->ari_id);
    }
    r->step = RENEWER_TELL;
    renewer_turn(r);
}

static void on_told(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    renewer_round_next(r, e, info, RENEWER_WORKING);
    renewer_turn(r);
}

static void tell(struct renewer *r)
{
    LOG_INFO(RENEWER_TAG, r->resuming ? "resuming" : "ordering", LOG_S("hostname", r->o.hostname),
             LOG_S("purpose", purpose_word(r->purpose)),
             LOG_S("why", r->resuming ? "it was begun" : plan_why_text(r->plan.why)),
             LOG_S("text", r->resuming ? "" : r->plan.text));
    if (!r->asked) {
        r->flying = RENEWER_GROUND;
        r->step = RENEWER_WORKING;
        return;
    }
    struct store_fence fence = renewer_fence(r);
    struct store_job job = {.id = r->asked_id,
                            .hostname = r->o.hostname,
                            .state = "working",
                            .text = r->purpose == ACME_REHEARSE
                                        ? "rehearsal at the staging directory"
                                        : "order under way"};
    store_job_put(r->store, &fence, &job, on_told, r);
}

void renewer_order_step(struct renewer *r)
{
    switch (r->step) {
    case RENEWER_CLOCK: {
        struct session *s = session_for(r, r->purpose);
        int64_t skew_ms = r->ops->session_skew_ms(s);
        r->flying = RENEWER_CA;
        /* What was wrong may have been put right. */
        r->ops->session_directory(s, skew_ms < -RENEWER_SKEW_MS || skew_ms > RENEWER_SKEW_MS,
                                  on_clock, r);
        return;
    }
    case RENEWER_TELL:
        tell(r);
        return;
    case RENEWER_WORKING:
        start_job(r);
        return;
    default:
        renewer_finish_step(r);
        return;
    }
}

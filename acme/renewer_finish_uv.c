/* What is written down when it has ended: what is known of when, the answer to whoever asked, and that he
 * did. */
#include "renewer_priv.h"

#include <stdio.h>
#include <string.h>

/* What is known of the certificate that was is of no use any more, but which one it was. */
static void finish_renewal(struct renewer *r, const struct store_fence *fence)
{
    bool ok = r->outcome.ok;
    if (r->order_ari_id[0] != '\0') {
        snprintf(r->replaced, sizeof r->replaced, "%s", r->order_ari_id);
    }
    if (ok || !r->renewal_matches) {
        renewer_renewal_reset(r, ok ? r->outcome.serial : r->leaf.serial);
    }
    store_renewal_put(r->store, fence, &r->renewal, renewer_round_done, r);
}

static void on_answered(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    bool last = r->step == RENEWER_AUDIT || r->handing_on;
    renewer_round_next(r, e, info, last ? RENEWER_IDLE : RENEWER_AUDIT);
    renewer_turn(r);
}

static void answer(struct renewer *r, const struct store_fence *fence)
{
    r->handing_on = r->unopened && (r->handing_on || strcmp(r->handed_on, r->asked_id) != 0);
    snprintf(r->handed_on, sizeof r->handed_on, "%s", r->unopened ? r->asked_id : "");
    struct store_job job = {.id = r->asked_id,
                            .hostname = r->o.hostname,
                            .state = r->handing_on  ? "waiting"
                                     : r->answer_ok ? "done"
                                                    : "failed",
                            .text = r->answer,
                            .ended_ms = r->handing_on ? 0 : renewer_wall_ms(r)};
    store_job_put(r->store, fence, &job, on_answered, r);
}

/* Who asked for what, and how it went, goes into the ledger; the plan does not count it. */
static void audit(struct renewer *r, const struct store_fence *fence)
{
    char text[RENEWER_TEXT_MAX + 128];
    bool override = r->asked_override[0] != '\0';
    bool order = strcmp(r->asked_kind, "renew") == 0;
    snprintf(text, sizeof text, "asked for by %s%s%s: %s", r->asked_by,
             override ? ", override " : "", r->asked_override, r->answer);
    struct store_attempt a = {.id = r->asked_id,
                              .hostname = r->o.hostname,
                              .directory = r->o.directory_url,
                              .kind = order ? "forced" : r->asked_kind,
                              .outcome = r->answer_ok ? "ok" : "failed",
                              .problem = order || r->answer_ok ? "" : r->answer_type,
                              .text = text,
                              .core = r->o.core,
                              .at_ms = renewer_wall_ms(r)};
    store_attempt_put(r->store, fence, &a, on_answered, r);
}

bool renewer_is_ours_alone(const struct acme_problem *p)
{
    return p->status == 0 && strcmp(p->type, "vault") == 0;
}

/* Nothing of the cluster's is spent: no row in the ledger, no pause but our own. Whoever asked is told,
 * and waits for another core; if the same job comes back to us, nobody else could either. */
void renewer_cannot_open(struct renewer *r, const struct acme_problem *p)
{
    char away[PLAN_SPAN_TEXT];
    int64_t away_ms = RENEWER_AWAY_TTLS * r->times.ttl_ms;
    bool told = strcmp(r->problem_type, "vault") == 0;
    plan_span_text(away_ms, away);
    lease_stay_away(&r->lease, renewer_mono_ms(r) + away_ms);
    snprintf(r->problem_type, sizeof r->problem_type, "vault");
    snprintf(
        r->problem, sizeof r->problem,
        "this core (%s) cannot open a key (letsEncrypt.atRestKey), others are to try, for %s: %s",
        r->o.core, away, p->text);
    LOG_AT(told ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, RENEWER_TAG,
           "a key cannot be opened on this core; another one is to order",
           LOG_S("hostname", r->o.hostname), LOG_S("why", p->text), LOG_S("for", away));
    r->answer_ok = false;
    snprintf(r->answer, sizeof r->answer, "%s", r->problem);
    snprintf(r->answer_type, sizeof r->answer_type, "vault");
    r->unopened = true;
    r->lease.rank = LEASE_LAST; /* until it has gone well once */
    r->step = r->step == RENEWER_WISHED ? RENEWER_ANSWER : RENEWER_FINISH_ASKED;
}

void renewer_finish_step(struct renewer *r)
{
    struct store_fence fence = renewer_fence(r);
    switch (r->step) {
    case RENEWER_FINISH_RENEWAL:
        finish_renewal(r, &fence);
        return;
    case RENEWER_ANSWER:
        answer(r, &fence);
        return;
    case RENEWER_AUDIT:
        audit(r, &fence);
        return;
    default:
        renewer_round_over(r);
        return;
    }
}

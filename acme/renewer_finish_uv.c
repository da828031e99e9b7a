/* What is written down when it has ended: what is known of when, the answer to whoever asked, and that he
 * did. */
#include "renewer_priv.h"

#include <stdio.h>

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
    renewer_round_next(r, e, info, r->step == RENEWER_ANSWER ? RENEWER_AUDIT : RENEWER_IDLE);
    renewer_turn(r);
}

static void answer(struct renewer *r, const struct store_fence *fence)
{
    struct store_job job = {.id = r->asked_id,
                            .hostname = r->o.hostname,
                            .state = r->answer_ok ? "done" : "failed",
                            .by = r->asked_by,
                            .override = r->asked_override,
                            .text = r->answer,
                            .ended_ms = renewer_wall_ms(r)};
    store_job_put(r->store, fence, &job, on_answered, r);
}

/* Who asked for what goes into the ledger; the plan does not count it. */
static void audit(struct renewer *r, const struct store_fence *fence)
{
    char text[RENEWER_TEXT_MAX + 128];
    bool override = r->asked_override[0] != '\0';
    snprintf(text, sizeof text, "asked for by %s%s%s: %s", r->asked_by,
             override ? ", override " : "", r->asked_override, r->answer);
    struct store_attempt a = {.id = r->asked_id,
                              .hostname = r->o.hostname,
                              .directory = r->o.directory_url,
                              .kind = "forced",
                              .outcome = r->answer_ok ? "ok" : "failed",
                              .problem = "",
                              .text = text,
                              .core = r->o.core,
                              .at_ms = renewer_wall_ms(r)};
    store_attempt_put(r->store, fence, &a, on_answered, r);
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

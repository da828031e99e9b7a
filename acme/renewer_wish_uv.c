/* Jobs that are no orders: another key for the account, a certificate that is to count no more. One at a
 * time, under the lease, when no order is under way; how it went is answered and in the ledger. */
#include "renewer_priv.h"

#include <stdio.h>
#include <string.h>

static bool is_rollover(const struct renewer *r)
{
    return strcmp(r->asked_kind, "rollover") == 0;
}

static bool is_held(void *ctx)
{
    return renewer_holds(ctx);
}

bool renewer_wish_known(const struct renewer *r)
{
    return is_rollover(r) || strcmp(r->asked_kind, "revoke") == 0;
}

/* ---- how it ended ---------------------------------------------------------------------------------- */

static void revoked(struct renewer *r, const struct acme_problem *p)
{
    size_t len = strcspn(r->asked_argument, " ");
    snprintf(r->answer, sizeof r->answer, "revoked: serial %.*s%s%s", (int)len, r->asked_argument,
             p->text[0] != '\0' ? ", " : "", p->text);
    /* Unless what is stored has become another one meanwhile. */
    bool same = r->cert_readable && strlen(r->leaf.serial) == len &&
                strncmp(r->leaf.serial, r->asked_argument, len) == 0;
    r->step = same ? RENEWER_REVOKED : RENEWER_ANSWER;
}

static void refused(struct renewer *r, const struct acme_problem *p)
{
    r->answer_ok = false;
    snprintf(r->answer_type, sizeof r->answer_type, "%s", p->type);
    snprintf(r->answer, sizeof r->answer, "%s failed: %s%s%s", r->asked_kind, p->type,
             p->type[0] != '\0' ? ": " : "", p->text);
    r->step = RENEWER_ANSWER;
}

static void on_done(void *ctx, const struct acme_problem *p, bool is_lost)
{
    struct renewer *r = ctx;
    bool well = p->class == ACME_FINE;
    r->change = NULL;
    r->revocation = NULL;
    r->again = true;
    r->answer_ok = true;
    r->answer_type[0] = '\0';
    if (well) {
        r->lease.rank = r->o.rank;
    }
    r->state[0] = r->step_text[0] = '\0';
    r->step_since_ms = 0;
    if (is_lost) { /* whoever has the lease next does it */
        if (!r->cancelled && r->lease.term == r->term) {
            lease_lost(&r->lease, renewer_mono_ms(r));
        }
        renewer_round_over(r);
    } else if (!well && renewer_is_ours_alone(p)) {
        renewer_cannot_open(r, p);
    } else if (!well) {
        refused(r, p);
    } else if (is_rollover(r)) {
        snprintf(r->answer, sizeof r->answer, "the account has another key");
        r->step = RENEWER_ANSWER;
    } else {
        revoked(r, p);
    }
    renewer_turn(r);
}

/* ---- beginning -------------------------------------------------------------------------------------- */

static void on_told(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    renewer_round_next(r, e, info, RENEWER_WISHED);
    renewer_turn(r);
}

static void tell(struct renewer *r, const struct store_fence *fence)
{
    struct store_job job = {
        .id = r->asked_id, .hostname = r->o.hostname, .state = "working", .text = "under way"};
    LOG_INFO(RENEWER_TAG, "carrying out", LOG_S("hostname", r->o.hostname),
             LOG_S("job", r->asked_kind), LOG_S("argument", r->asked_argument),
             LOG_S("by", r->asked_by));
    store_job_put(r->store, fence, &job, on_told, r);
}

static void start(struct renewer *r, const struct store_fence *fence)
{
    struct acme_rollover_options change = {.loop = r->o.loop,
                                           .session = r->session,
                                           .store = r->store,
                                           .vault = r->o.vault,
                                           .fence = *fence,
                                           .is_held = is_held,
                                           .ctx = r};
    struct acme_revoke_options revoke = {.loop = r->o.loop,
                                         .session = r->session,
                                         .store = r->store,
                                         .vault = r->o.vault,
                                         .hostname = r->o.hostname,
                                         .argument = r->asked_argument,
                                         .is_held = is_held,
                                         .ctx = r};
    r->flying = RENEWER_GROUND;
    r->cancelled = false;
    snprintf(r->state, sizeof r->state, "%s", r->asked_kind);
    r->step_since_ms = renewer_wall_ms(r);
    if (is_rollover(r)) {
        r->ops->rollover_start(&change, on_done, r, &r->change);
    } else {
        r->ops->revoke_start(&revoke, on_done, r, &r->revocation);
    }
}

/* It is due at once, and stays so for whoever decides next. */
static void put_revoked(struct renewer *r, const struct store_fence *fence)
{
    if (!r->renewal_matches) {
        renewer_renewal_reset(r, r->leaf.serial);
        r->renewal_matches = true;
    }
    if (r->renewal.revoked_ms == 0) {
        r->renewal.revoked_ms = renewer_wall_ms(r);
    }
    store_renewal_put(r->store, fence, &r->renewal, renewer_round_done, r);
}

void renewer_wish_step(struct renewer *r)
{
    struct store_fence fence = renewer_fence(r);
    switch (r->step) {
    case RENEWER_WISH:
        tell(r, &fence);
        return;
    case RENEWER_WISHED:
        start(r, &fence);
        return;
    default:
        put_revoked(r, &fence);
        return;
    }
}

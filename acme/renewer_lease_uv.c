/* The renewer's lease: what acme/lease.h says, done. */
#include "renewer_priv.h"

#include <stdio.h>

bool renewer_holds(const struct renewer *r)
{
    return lease_is_held(&r->lease, renewer_mono_ms(r)) && r->lease.term == r->term;
}

struct store_fence renewer_fence(const struct renewer *r)
{
    return (struct store_fence){.name = r->lease_name, .holder = r->o.core, .term = r->term};
}

bool renewer_is_idle(const struct renewer *r)
{
    bool at_the_ca = r->leaving && r->flying == RENEWER_CA; /* what comes of it is dropped */
    return r->step == RENEWER_IDLE || at_the_ca;
}

/* ---- what came back ------------------------------------------------------------------------------ */

static void on_seen(void *ctx, enum err e, const struct err_info *info,
                    const struct store_lease *lease)
{
    struct renewer *r = ctx;
    int64_t now = renewer_mono_ms(r);
    (void)info;
    r->lease_flying = false;
    if (e == ERR_NOTFOUND) {
        lease_saw(&r->lease, "", 0, 0, now);
    } else if (e == ERR_OK) {
        lease_saw(&r->lease, lease->holder, lease->term, lease->beat, now);
    } else {
        lease_unseen(&r->lease, now);
    }
    renewer_turn(r);
}

static void on_written(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    int64_t now = renewer_mono_ms(r);
    (void)info;
    r->lease_flying = false;
    switch (r->lease_act) {
    case LEASE_ACT_TAKE:
        lease_took(&r->lease, e, r->lease_begun_ms, now);
        break;
    case LEASE_ACT_BEAT:
        lease_beaten(&r->lease, e, r->lease_begun_ms, now);
        break;
    default:
        lease_released(&r->lease, now);
        break;
    }
    renewer_turn(r);
}

/* ---- turns --------------------------------------------------------------------------------------- */

static void start(struct renewer *r, enum lease_act act)
{
    struct store_fence fence = {.name = r->lease_name, .holder = r->o.core, .term = r->lease.term};
    struct store_lease seen = {.name = r->lease_name,
                               .holder = r->lease.holder,
                               .term = r->lease.term,
                               .beat = r->lease.beat};
    if (act == LEASE_ACT_WAIT) {
        return;
    }
    r->lease_act = act;
    r->lease_flying = true;
    r->lease_begun_ms = renewer_mono_ms(r);
    switch (act) {
    case LEASE_ACT_READ:
        store_lease_get(r->store, r->lease_name, on_seen, r);
        break;
    case LEASE_ACT_TAKE:
        store_lease_take(r->store, &seen, r->o.core, on_written, r);
        break;
    case LEASE_ACT_BEAT:
        store_lease_beat(r->store, &fence, r->lease.beat + 1, on_written, r);
        break;
    case LEASE_ACT_RELEASE:
        LOG_INFO(RENEWER_TAG, "lease given back", LOG_S("hostname", r->o.hostname),
                 LOG_N("term", r->lease.term));
        store_lease_release(r->store, &fence, on_written, r);
        break;
    case LEASE_ACT_WAIT:
        break;
    }
}

static void taken(struct renewer *r)
{
    LOG_INFO(RENEWER_TAG, "lease taken", LOG_S("hostname", r->o.hostname),
             LOG_N("term", r->lease.term));
    r->reap_ms = renewer_mono_ms(r);
    r->wake = true;
}

static void lost(struct renewer *r, enum lease_act act)
{
    if (act != LEASE_ACT_RELEASE) {
        LOG_INFO(RENEWER_TAG, "lease lost", LOG_S("hostname", r->o.hostname),
                 LOG_N("term", r->lease.term));
    }
    renewer_cancel(r);
    r->plan = (struct plan){.text = ""};
    r->told_why = PLAN_NOT_DUE;
    r->wake = true;
}

void renewer_lease_turn(struct renewer *r)
{
    int64_t now = renewer_mono_ms(r);
    bool idle = renewer_is_idle(r);
    bool held = lease_is_held(&r->lease, now);
    enum lease_act act = LEASE_ACT_WAIT;
    if (r->store != NULL && (held || r->held || !r->leaving)) {
        bool better = r->leaving || (r->o.better != NULL && r->o.better(r->o.ctx));
        act = lease_next(&r->lease, now, better, idle);
    }
    if (r->leaving && (act == LEASE_ACT_READ || act == LEASE_ACT_TAKE)) {
        lease_unseen(&r->lease, now); /* nobody wants it any more */
        act = LEASE_ACT_WAIT;
    }
    held = lease_is_held(&r->lease, now);
    if (held != r->held) {
        r->held = held;
        if (held) {
            taken(r);
        } else {
            lost(r, act);
        }
    }
    start(r, act);
}

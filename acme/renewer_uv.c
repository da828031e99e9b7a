#include "renewer_uv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/rng.h"
#include "renewer_priv.h"

#define TIMER_MAX_MS 60000 /* the wall clock may be set; it is looked at this often at least */

/* ---- letting go ---------------------------------------------------------------------------------- */

static void on_part_closed(void *ctx)
{
    struct renewer *r = ctx;
    if (--r->open > 0) {
        return;
    }
    void (*done)(void *) = r->done;
    void *done_ctx = r->done_ctx;
    for (size_t i = 0; i < r->texts_count; i++) {
        explicit_bzero(r->texts[i], strlen(r->texts[i])); /* an HMAC key is among them */
        free(r->texts[i]);
    }
    free(r);
    if (done != NULL) {
        done(done_ctx);
    }
}

static void on_timer_closed(uv_handle_t *timer)
{
    on_part_closed(timer->data);
}

static void close_parts(struct renewer *r)
{
    r->open = 1 + (r->session != NULL) + (r->staging != NULL);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
    if (r->staging != NULL) {
        r->ops->session_close(r->staging, on_part_closed, r);
    }
    r->ops->session_close(r->session, on_part_closed, r);
}

/* Nothing of ours uses the store any more. */
static void gone(struct renewer *r)
{
    void (*on_gone)(void *) = r->on_gone;
    r->store = NULL;
    r->on_gone = NULL;
    r->leaving = r->closing;
    r->held = false;
    lease_init(&r->lease, &r->times, r->o.core, r->o.rank);
    if (r->flying == RENEWER_GROUND) {
        renewer_round_over(r);
    }
    if (r->closing) {
        close_parts(r);
    }
    if (on_gone != NULL) {
        on_gone(r->gone_ctx);
    }
}

static bool may_go(const struct renewer *r)
{
    return r->leaving && r->open == 0 && !renewer_works(r) && r->flying != RENEWER_STORE &&
           !r->lease_flying && !r->held;
}

void renewer_cancel(struct renewer *r)
{
    if (!renewer_works(r) || r->cancelled) {
        return;
    }
    r->cancelled = true;
    if (r->job != NULL) {
        r->ops->job_cancel(r->job);
    } else if (r->change != NULL) {
        r->ops->rollover_cancel(r->change);
    } else {
        r->ops->revoke_cancel(r->revocation);
    }
}

static void leave(struct renewer *r)
{
    r->leaving = true;
    renewer_cancel(r);
    renewer_wake(r);
}

/* ---- turns --------------------------------------------------------------------------------------- */

/* What was won is written down even by somebody who leaves. */
static bool may_go_on(const struct renewer *r)
{
    bool finishing = r->step >= RENEWER_FINISH_RENEWAL;
    return r->store != NULL && (finishing || !r->leaving) && (!r->with_lease || renewer_holds(r));
}

static void advance(struct renewer *r)
{
    while (r->flying == RENEWER_GROUND && !renewer_works(r)) {
        bool peek = r->held && renewer_mono_ms(r) >= r->peek_ms;
        if (r->step != RENEWER_IDLE && may_go_on(r) && !r->leaving &&
            renewer_mono_ms(r) < r->pause_ms) {
            return;
        }
        if (r->step != RENEWER_IDLE && may_go_on(r)) {
            renewer_round_step(r);
        } else if (r->step != RENEWER_IDLE) {
            renewer_round_over(r);
        } else if (r->store != NULL && !r->leaving && (peek || renewer_is_due(r))) {
            renewer_round_begin(r);
        } else {
            return;
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    renewer_turn(timer->data);
}

static void earlier(int64_t *wait_ms, int64_t at_ms, int64_t now_ms)
{
    int64_t left_ms = at_ms - now_ms;
    if (left_ms < *wait_ms) {
        *wait_ms = left_ms > 1 ? left_ms : 1;
    }
}

static void arm(struct renewer *r)
{
    int64_t now = renewer_mono_ms(r);
    int64_t wait_ms = TIMER_MAX_MS;
    if (r->store != NULL && !r->lease_flying && (r->held || !r->leaving)) {
        earlier(&wait_ms, r->lease.next_ms, now);
    }
    if (r->held) {
        earlier(&wait_ms, r->lease.confirmed_ms + r->times.give_up_ms, now);
    }
    if (r->step != RENEWER_IDLE && r->pause_ms > now) {
        earlier(&wait_ms, r->pause_ms, now);
    }
    if (r->store != NULL && r->step == RENEWER_IDLE && !r->leaving) {
        earlier(&wait_ms, r->round_ms, now);
        earlier(&wait_ms, r->decide_ms, renewer_wall_ms(r));
        if (r->held) {
            earlier(&wait_ms, r->peek_ms, now);
        }
    }
    uv_timer_start(&r->timer, on_timer, (uint64_t)wait_ms, 0);
}

void renewer_turn(struct renewer *r)
{
    if (r->open > 0) { /* what was under way has been cancelled */
        r->flying = RENEWER_GROUND;
        return;
    }
    renewer_lease_turn(r);
    advance(r);
    renewer_lease_turn(r); /* an idle one may have become free to give it back */
    renewer_alarm(r);
    if (may_go(r)) {
        gone(r);
    }
    if (r->open == 0) {
        arm(r);
    }
}

void renewer_wake(struct renewer *r)
{
    r->wake = true;
    if (r->open == 0) {
        uv_timer_start(&r->timer, on_timer, 0, 0);
    }
}

/* ---- from outside -------------------------------------------------------------------------------- */

static const char *text_of(struct renewer *r, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    assert(r->texts_count < sizeof r->texts / sizeof r->texts[0]);
    return r->texts[r->texts_count++] = mem_xstrdup(text);
}

static void copy_options(struct renewer *r, const struct renewer_options *from)
{
    const char **const texts[] = {&r->o.core,           &r->o.hostname,     &r->o.directory_url,
                                  &r->o.staging_url,    &r->o.ca_file,      &r->o.contact,
                                  &r->o.eab_kid,        &r->o.eab_hmac_key, &r->o.profile,
                                  &r->o.preferred_chain};
    r->o = *from;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = text_of(r, *texts[i]);
    }
    for (size_t i = 0; i < from->names_count; i++) {
        r->names[i] = text_of(r, from->names[i]);
    }
    r->o.names = r->names;
    r->o.scale = from->scale > 0 ? from->scale : 1;
}

/* A write or two that take their time must not cost a lease, however short the times of a test are. */
static void scale_times(struct renewer *r)
{
    const struct lease_times *t = &lease_times_default;
    double scale = r->o.scale > RENEWER_LEASE_SCALE ? r->o.scale : RENEWER_LEASE_SCALE;
    r->times = (struct lease_times){.ttl_ms = (int64_t)((double)t->ttl_ms * scale),
                                    .beat_ms = (int64_t)((double)t->beat_ms * scale),
                                    .give_up_ms = (int64_t)((double)t->give_up_ms * scale),
                                    .rank_ms = (int64_t)((double)t->rank_ms * scale),
                                    .look_ms = (int64_t)((double)t->look_ms * scale)};
}

static enum err open_sessions(struct renewer *r, struct err_info *info)
{
    struct session_options main = {
        .directory_url = r->o.directory_url, .ca_file = r->o.ca_file, .clock = r->o.clock};
    struct session_options staging = {
        .directory_url = r->o.staging_url, .ca_file = r->o.ca_file, .clock = r->o.clock};
    bool rehearse = r->o.staging_url != NULL && strcmp(r->o.staging_url, r->o.directory_url) != 0;
    enum err e = r->ops->session_open(r->o.loop, &main, &r->session, info);
    if (e == ERR_OK && rehearse) {
        e = r->ops->session_open(r->o.loop, &staging, &r->staging, info);
    }
    return e;
}

enum err renewer_open_on(const struct renewer_options *options, const struct renewer_ops *ops,
                         struct renewer **out, struct err_info *info)
{
    struct renewer *r = mem_xalloc(sizeof *r);
    assert(options->names_count > 0 && options->names_count <= ACME_NAMES_MAX);
    *out = NULL;
    r->ops = ops;
    copy_options(r, options);
    scale_times(r);
    int n = snprintf(r->lease_name, sizeof r->lease_name, "acme/%s", r->o.hostname);
    assert(n < (int)sizeof r->lease_name);
    rng_bytes(&r->random, sizeof r->random);
    lease_init(&r->lease, &r->times, r->o.core, r->o.rank);
    r->round_ms = r->decide_ms = 0;
    r->propagation_ms = -1;
    renewer_renewal_reset(r, "");
    uv_timer_init(r->o.loop, &r->timer);
    r->timer.data = r;
    enum err e = open_sessions(r, info);
    if (e == ERR_OK) {
        *out = r;
        return e;
    }
    if (r->session == NULL) { /* only the timer is there to be closed */
        r->open = 1;
        uv_close((uv_handle_t *)&r->timer, on_timer_closed);
    } else {
        close_parts(r);
    }
    return e;
}

void renewer_use_store(struct renewer *r, struct store *store, void (*on_gone)(void *ctx),
                       void *ctx)
{
    if (store != NULL) {
        assert(r->store == NULL && !r->closing);
        r->store = store;
        r->troubles = 0;
        renewer_wake(r);
        return;
    }
    r->on_gone = on_gone;
    r->gone_ctx = ctx;
    leave(r);
}

void renewer_close(struct renewer *r, void (*done)(void *ctx), void *ctx)
{
    r->closing = true;
    r->done = done;
    r->done_ctx = ctx;
    leave(r);
}

void renewer_view(const struct renewer *r, struct renewer_view *out)
{
    *out = (struct renewer_view){
        .holds = lease_is_held(&r->lease, renewer_mono_ms(r)),
        .rank = r->lease.rank,
        .holder = r->lease.holder,
        .term = r->lease.term,
        .plan = r->plan,
        .state = r->state,
        .step_text = r->step_text,
        .step_ms = r->step_since_ms,
        .problem = r->problem,
        .problem_type = r->problem_type,
        .last_ok_ms = r->last_ok_ms,
        .renewal = r->renewal,
        .propagation_ms = r->propagation_ms,
        .skew_ms = r->ops->session_skew_ms(r->session),
        .counts = {.orders_ok = r->orders_ok,
                   .orders_failed = r->orders_failed,
                   .challenges_ok = r->challenges_ok,
                   .challenges_failed = r->challenges_failed,
                   .failures = r->failures,
                   .failures_count = r->failures_count},
    };
}

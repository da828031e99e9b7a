#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_priv.h"

#include "lib/log.h"
#include "lib/mem.h"

bool acme_job_keep(char **to, const char *text)
{
    free(*to);
    *to = text != NULL ? strdup(text) : NULL;
    return text == NULL || *to != NULL;
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void free_job(struct acme_job *j)
{
    for (size_t i = 0; i < j->texts_count; i++) {
        explicit_bzero(j->texts[i], strlen(j->texts[i])); /* the HMAC key is among them */
        free(j->texts[i]);
    }
    cert_key_free(j->key);
    cert_key_free(j->staged);
    json_decref(j->detail);
    char *const owned[] = {j->key_sealed, j->pending_sealed, j->order_directory, j->order_purpose,
                           j->names_json, j->staged_sealed,  j->witnesses,       j->chain,
                           j->leaf,       j->rest,           j->leaf_key};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        free(owned[i]);
    }
    free(j);
}

static void on_closed(uv_handle_t *timer)
{
    free_job(timer->data);
}

static void own_problem(struct acme_problem *p, const char *type, const char *text)
{
    *p = (struct acme_problem){.class = ACME_AGAIN, .retry_ms = -1};
    snprintf(p->type, sizeof p->type, "%s", type);
    snprintf(p->text, sizeof p->text, "%s", text);
}

static void note(const struct acme_job *j)
{
    const struct acme_outcome *o = &j->outcome;
    if (o->ok) {
        LOG_INFO("acme", "certificate", LOG_S("hostname", j->o.hostname),
                 LOG_S("purpose", j->o.purpose == ACME_ISSUE ? "issue" : "rehearsal"),
                 LOG_S("serial", o->serial), LOG_N("generation", o->generation),
                 LOG_N("took_ms", o->took_ms));
        return;
    }
    if (j->order.lease_lost || j->order.cancelled) { /* nothing is wrong: others go on */
        LOG_INFO("acme", "left to others", LOG_S("hostname", j->o.hostname),
                 LOG_S("state", o->state), LOG_S("why", o->problem.text));
        return;
    }
    LOG_WARN("acme", "no certificate", LOG_S("hostname", j->o.hostname), LOG_S("state", o->state),
             LOG_S("type", o->problem.type), LOG_S("problem", o->problem.text),
             LOG_S("url", o->problem.url), LOG_N("retry_ms", o->problem.retry_ms));
}

static void finish(struct acme_job *j)
{
    struct acme_outcome *out = &j->outcome;
    const struct acme_order *o = &j->order;
    bool failed = o->problem.class != ACME_FINE;
    out->ok = acme_order_result(o);
    out->lease_lost = o->lease_lost;
    out->without_replaces = o->options.replaces && !o->with_replaces;
    out->took_ms = acme_job_mono_ms(j) - j->begun_ms;
    snprintf(out->state, sizeof out->state, "%s",
             acme_order_state_text(failed ? o->failed_in : o->state));
    if (failed) {
        out->problem = o->problem;
    } else if (!out->ok) {
        own_problem(&out->problem, o->lease_lost ? "lease" : "cancelled",
                    o->lease_lost ? "the lease has passed on" : "stopped");
    }
    note(j);
    acme_job_cb *cb = j->cb;
    void *ctx = j->ctx;
    struct acme_outcome outcome = *out;
    uv_close((uv_handle_t *)&j->timer, on_closed);
    cb(ctx, &outcome);
}

/* ---- actions ------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    struct acme_job *j = timer->data;
    if (j->in_account) {
        acme_job_account_waited(j);
        return;
    }
    if (j->order.doing == ACME_ACT_WAIT && j->order.state != ORDER_FAILED) {
        j->outcome.ca_ms += acme_job_mono_ms(j) - j->since_ms;
    }
    struct acme_ev ev = {.retry_ms = -1};
    acme_job_result(j, &ev);
}

void acme_job_wait(struct acme_job *j, int64_t wait_ms)
{
    j->park = JOB_TIMER;
    j->since_ms = acme_job_mono_ms(j);
    uv_timer_start(&j->timer, on_timer, (uint64_t)wait_ms, 0);
}

static void on_later(uv_timer_t *timer)
{
    struct acme_job *j = timer->data;
    if (j->in_account) {
        acme_job_account_failed(j, j->work_err, &j->work_info);
    } else {
        acme_job_done(j, j->work_err, &j->work_info);
    }
}

void acme_job_later(struct acme_job *j, enum err e, const struct err_info *info)
{
    j->park = JOB_TIMER;
    j->work_err = e;
    j->work_info = *info;
    uv_timer_start(&j->timer, on_later, 0, 0);
}

void acme_job_offload(struct acme_job *j, void (*work)(struct loop_work *w),
                      void (*done)(struct loop_work *w))
{
    j->park = JOB_WORK;
    j->work.work = work;
    j->work.done = done;
    loop_offload(j->o.loop, &j->work);
}

void acme_job_tell_again(struct acme_job *j, const struct acme_problem *why, int64_t wait_ms)
{
    const char *state = acme_order_state_text(j->order.state);
    char text[ACME_TEXT_MAX + ACME_TYPE_MAX + 64];
    LOG_WARN("acme", "once more", LOG_S("hostname", j->o.hostname), LOG_S("state", state),
             LOG_S("type", why->type), LOG_S("problem", why->text), LOG_N("in_ms", wait_ms));
    if (j->o.on_step != NULL) { /* the end of all tries may be minutes away */
        snprintf(text, sizeof text, "once more in %lld ms: %s%s%s", (long long)wait_ms, why->type,
                 why->type[0] != '\0' ? ": " : "", why->text);
        j->o.on_step(j->o.ctx, state, text);
    }
}

static void wait_for(struct acme_job *j, const struct acme_act *act)
{
    if (act->problem != NULL) {
        acme_job_tell_again(j, act->problem, act->wait_ms);
    } else if (j->order.state == ORDER_AUTHORIZE && j->order.authz_count == 0 &&
               j->o.on_step != NULL) {
        j->o.on_step(j->o.ctx, acme_order_state_text(j->order.state),
                     "the order has no authorizations and is not ready: waiting for the CA");
    }
    acme_job_wait(j, act->wait_ms);
}

static void tell(struct acme_job *j)
{
    const char *state = acme_order_state_text(j->order.state);
    LOG_DEBUG("acme", "step", LOG_S("hostname", j->o.hostname), LOG_S("state", state));
    if (j->o.on_step != NULL) {
        j->o.on_step(j->o.ctx, state, j->order.problem.text);
    }
}

static void perform(struct acme_job *j, const struct acme_act *act)
{
    switch (act->kind) {
    case ACME_ACT_SAVE:
        acme_job_save(j);
        return;
    case ACME_ACT_LOAD:
        acme_job_load(j);
        return;
    case ACME_ACT_DIRECTORY:
        acme_job_directory(j);
        return;
    case ACME_ACT_ACCOUNT:
        acme_job_account_start(j, act->anew);
        return;
    case ACME_ACT_PRECHECK:
        acme_job_precheck(j);
        return;
    case ACME_ACT_STAGE:
        acme_job_stage(j);
        return;
    case ACME_ACT_LEDGER:
        acme_job_ledger(j, act);
        return;
    case ACME_ACT_PUBLISH:
        acme_job_publish(j);
        return;
    case ACME_ACT_PROVE:
        acme_job_prove(j);
        return;
    case ACME_ACT_CHECK:
        acme_job_check(j);
        return;
    case ACME_ACT_STORE:
        acme_job_store(j);
        return;
    case ACME_ACT_WITNESSES:
        acme_job_witnesses(j);
        return;
    case ACME_ACT_END:
        acme_job_end(j);
        return;
    case ACME_ACT_WAIT:
        wait_for(j, act);
        return;
    case ACME_ACT_DONE:
        finish(j);
        return;
    default: /* the rest are requests to the CA */
        acme_job_request(j, act);
        return;
    }
}

void acme_job_result(struct acme_job *j, struct acme_ev *ev)
{
    j->park = JOB_RUNNING;
    for (;;) {
        ev->now_ms = acme_job_mono_ms(j);
        ev->wall_ms = acme_job_wall_ms(j);
        if (j->order.doing == ACME_ACT_SAVE && ev->e == ERR_OK) {
            tell(j);
        }
        struct acme_act act = acme_order_next(&j->order, ev);
        *ev = (struct acme_ev){.kind = ACME_EV_RESULT, .retry_ms = -1};
        if (act.kind == ACME_ACT_CONFIRM) {
            ev->held = j->o.is_held(j->o.ctx);
        } else if (act.kind == ACME_ACT_TELL) {
            tell(j);
        } else {
            perform(j, &act);
            return;
        }
    }
}

void acme_job_done(void *ctx, enum err e, const struct err_info *info)
{
    struct acme_ev ev = {
        .kind = ACME_EV_RESULT, .e = e, .text = info != NULL ? info->text : NULL, .retry_ms = -1};
    acme_job_result(ctx, &ev);
}

/* ---- from outside -------------------------------------------------------------------------------- */

static const char *text_of(struct acme_job *j, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    assert(j->texts_count < JOB_TEXTS_MAX);
    return j->texts[j->texts_count++] = mem_xstrdup(text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void copy_names(struct acme_job *j, const struct acme_job_options *from)
{
    assert(from->names_count > 0 && from->names_count <= ACME_NAMES_MAX);
    for (size_t i = 0; i < from->names_count; i++) {
        j->names[i] = text_of(j, from->names[i]);
        for (char *c = j->texts[j->texts_count - 1]; *c != '\0'; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
        }
    }
    qsort(j->names, from->names_count, sizeof j->names[0], by_name);
    j->o.names = j->names;
}

static void copy_options(struct acme_job *j, const struct acme_job_options *from)
{
    const char **const texts[] = {&j->o.fence.name,   &j->o.fence.holder, &j->o.core,
                                  &j->o.hostname,     &j->o.contact,      &j->o.eab_kid,
                                  &j->o.eab_hmac_key, &j->o.profile,      &j->o.preferred_chain,
                                  &j->o.replaces,     &j->o.forced};
    j->o = *from;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = text_of(j, *texts[i]);
    }
    copy_names(j, from);
}

static void on_go(uv_timer_t *timer)
{
    struct acme_job *j = timer->data;
    struct acme_ev ev = {.kind = ACME_EV_GO, .retry_ms = -1};
    acme_job_result(j, &ev);
}

void acme_job_start(const struct acme_job_options *options, acme_job_cb *cb, void *ctx,
                    struct acme_job **out)
{
    struct acme_job *j = mem_xalloc(sizeof *j);
    copy_options(j, options);
    j->cb = cb;
    j->ctx = ctx;
    j->begun_ms = acme_job_mono_ms(j);
    j->detail = json_object();
    acme_job_new_id(j);
    acme_order_init(&j->order, &(struct acme_order_options){
                                   .rehearsal = j->o.purpose == ACME_REHEARSE,
                                   .type = j->o.type,
                                   .names = j->names,
                                   .names_count = j->o.names_count,
                                   .profile = j->o.profile,
                                   .replaces = j->o.replaces != NULL && j->o.replaces[0] != '\0'});
    uv_timer_init(j->o.loop, &j->timer);
    j->timer.data = j;
    j->park = JOB_TIMER;
    uv_timer_start(&j->timer, on_go, 0, 0);
    *out = j;
}

void acme_job_cancel(struct acme_job *j)
{
    struct acme_ev ev = {.kind = ACME_EV_CANCEL, .retry_ms = -1};
    if (j->order.cancelled) {
        return;
    }
    acme_order_next(&j->order, &ev);
    switch (j->park) {
    case JOB_CALL:
        session_cancel(j->call);
        break;
    case JOB_PUBLISHER:
        j->o.publisher->cancel(j->o.publisher->ctx);
        break;
    case JOB_TIMER:
        uv_timer_start(&j->timer, j->timer.timer_cb, 0, 0);
        break;
    case JOB_READY:
        acme_job_account_canceled(j);
        break;
    default: /* ends soon by itself */
        break;
    }
}

/* One round of the renewer: what the store has is read, the lease in hand, and then decided on. */
#include "renewer_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/jx.h"

#define HOUR_MS     3600000
#define PAUSE_MAX   6 /* doublings of look_ms after trouble with the store */
#define LEDGER_ROWS STORE_ATTEMPT_KEEP

static void copy(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text != NULL ? text : "");
}

/* ---- beginning and end --------------------------------------------------------------------------- */

bool renewer_is_due(const struct renewer *r)
{
    return r->wake || renewer_mono_ms(r) >= r->round_ms || renewer_wall_ms(r) >= r->decide_ms;
}

void renewer_round_begin(struct renewer *r)
{
    int64_t now = renewer_mono_ms(r);
    r->peek_ms = now + r->times.look_ms;
    if (!renewer_is_due(r)) {
        r->step = RENEWER_PEEK;
        return;
    }
    r->wake = false;
    r->again = false;
    r->asked = r->resuming = r->unopened = r->handing_on = false;
    r->with_lease = r->held;
    r->term = r->lease.term;
    r->round_ms = now + renewer_scaled(r, HOUR_MS) + r->times.look_ms;
    r->decide_ms = INT64_MAX;
    r->step = !r->with_lease ? RENEWER_CERT : now >= r->reap_ms ? RENEWER_REAP : RENEWER_ROW;
}

void renewer_round_over(struct renewer *r)
{
    r->step = RENEWER_IDLE;
    r->wake = r->wake || r->again;
    r->again = false;
}

static void trouble(struct renewer *r, enum err e, const struct err_info *info)
{
    unsigned n = r->troubles < PAUSE_MAX ? r->troubles : PAUSE_MAX;
    if (e == ERR_DENIED) { /* the next turn tells of it */
        lease_lost(&r->lease, renewer_mono_ms(r));
    } else if (r->troubles++ == 0) {
        LOG_WARN(RENEWER_TAG, "cannot decide about the certificate",
                 LOG_S("hostname", r->o.hostname),
                 LOG_S("why", info != NULL && info->text[0] != '\0' ? info->text : err_text(e)));
    }
    r->round_ms = renewer_mono_ms(r) + (r->times.look_ms << n);
    r->decide_ms = INT64_MAX;
}

void renewer_round_next(struct renewer *r, enum err e, const struct err_info *info,
                        enum renewer_step next)
{
    bool finishing = r->step >= RENEWER_FINISH_RENEWAL;
    r->flying = RENEWER_GROUND;
    if (e != ERR_OK) {
        trouble(r, e, info);
    }
    if (e != ERR_OK && finishing && err_is_transient(e) && !r->leaving) {
        r->pause_ms = r->round_ms; /* how it went must not get lost: the same step again */
        return;
    }
    r->step = next;
    if (e != ERR_OK) {
        renewer_round_over(r);
    } else if (next == RENEWER_IDLE) {
        r->troubles = 0;
        renewer_round_over(r);
    }
}

/* ---- proofs and the order's row ------------------------------------------------------------------- */

static void on_reaped(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    if (e == ERR_OK) {
        r->reap_ms = renewer_mono_ms(r) + renewer_scaled(r, RENEWER_REAP_MS);
    }
    renewer_round_next(r, e, info, RENEWER_ROW);
    renewer_turn(r);
}

static bool has_name(json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = NULL;
        if (json_unpack(json_array_get(list, i), "s", &one) == 0 && strcasecmp(one, name) == 0) {
            return true;
        }
    }
    return false;
}

bool renewer_names_match(const struct renewer *r, const char *names)
{
    json_t *list = NULL;
    bool match = jx_parse(names, strlen(names), &list, NULL) == ERR_OK && json_is_array(list) &&
                 json_array_size(list) == r->o.names_count;
    for (size_t i = 0; match && i < r->o.names_count; i++) {
        match = has_name(list, r->names[i]);
    }
    json_decref(list);
    return match;
}

/* Of ours: for what we want now, and not over. */
static bool is_of_use(const struct renewer *r, const struct store_order *o, bool *rehearsal)
{
    const char *directory = r->o.directory_url;
    *rehearsal = strcmp(o->purpose, "rehearsal") == 0;
    if (*rehearsal) {
        directory = r->staging != NULL ? r->o.staging_url : "";
    }
    return strcmp(o->directory, directory) == 0 && renewer_names_match(r, o->names) &&
           (o->expires_ms == 0 || o->expires_ms > renewer_wall_ms(r));
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_order *order)
{
    struct renewer *r = ctx;
    bool rehearsal = false;
    if (e == ERR_NOTFOUND) {
        renewer_round_next(r, ERR_OK, NULL, RENEWER_CERT);
    } else if (e != ERR_OK) {
        renewer_round_next(r, e, info, RENEWER_IDLE);
    } else if (!is_of_use(r, order, &rehearsal)) {
        copy(r->row_id, sizeof r->row_id, order->id);
        renewer_round_next(r, ERR_OK, NULL, RENEWER_DROP);
    } else if (order->url[0] == '\0') { /* another newOrder: what the ledger says to it, first */
        renewer_round_next(r, ERR_OK, NULL, RENEWER_CERT);
    } else {
        r->flying = RENEWER_GROUND;
        copy(r->order_ari_id, sizeof r->order_ari_id, order->replaces);
        renewer_order_resume(r, rehearsal);
    }
    renewer_turn(r);
}

/* ---- the certificate ------------------------------------------------------------------------------ */

static void read_cert(struct renewer *r, const struct store_cert_row *row)
{
    size_t len = strlen(row->cert_pem);
    bool elsewhere = row->directory == NULL || strcmp(row->directory, r->o.directory_url) != 0;
    r->cert = row->cert;
    r->cert.hostname = r->o.hostname;
    r->cert_there = true;
    r->cert_readable =
        cert_leaf_read(row->cert_pem, len, r->names, r->o.names_count, &r->leaf, NULL) == ERR_OK;
    if (!r->cert_readable || cert_chain_ari_id(row->cert_pem, len, r->ari_id, NULL) != ERR_OK) {
        r->ari_id[0] = '\0';
    }
    if (r->cert_readable) {
        r->cert.expires_ms = r->leaf.not_after_ms;
    }
    r->first = elsewhere;
    r->foreign = !r->cert_readable || !r->leaf.same_names || (elsewhere && row->directory != NULL);
}

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct renewer *r = ctx;
    bool none = e == ERR_NOTFOUND || e == ERR_MALFORMED; /* what cannot be read is replaced */
    if (none || e == ERR_OK) {
        r->known = true;
        r->cert_there = r->cert_readable = r->foreign = false;
        r->first = true;
        r->ari_id[0] = '\0';
        r->cert = (struct store_cert){.hostname = r->o.hostname};
        r->leaf = (struct cert_leaf){.serial = ""};
    }
    if (e == ERR_OK) {
        read_cert(r, row);
    }
    renewer_round_next(r, none ? ERR_OK : e, info, RENEWER_RENEWAL);
    renewer_turn(r);
}

void renewer_alarm(struct renewer *r)
{
    int64_t wall = renewer_wall_ms(r);
    int64_t left_ms = r->leaf.not_after_ms - wall;
    char left[PLAN_SPAN_TEXT];
    if (!r->known || !r->cert_readable) {
        return;
    }
    unsigned level = plan_alarm(r->leaf.not_before_ms, r->leaf.not_after_ms, wall);
    if (strcmp(r->alarm_serial, r->leaf.serial) != 0) {
        copy(r->alarm_serial, sizeof r->alarm_serial, r->leaf.serial);
        r->alarm_level = 0;
    }
    if (level <= r->alarm_level) {
        return;
    }
    r->alarm_level = level;
    plan_span_text(left_ms > 0 ? left_ms : -left_ms, left);
    LOG_AT(level < 3 ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, RENEWER_TAG,
           level < 4 ? "the certificate runs out" : "the certificate has run out",
           LOG_S("hostname", r->o.hostname), LOG_S("serial", r->leaf.serial),
           LOG_S(level < 4 ? "left" : "since", left), LOG_S("problem", r->problem));
    if (r->o.on_alarm != NULL) {
        r->o.on_alarm(r->o.ctx, level, left_ms);
    }
}

/* ---- what is known of when ------------------------------------------------------------------------ */

static void on_renewal(void *ctx, enum err e, const struct err_info *info,
                       const struct store_renewal *row)
{
    struct renewer *r = ctx;
    if (e == ERR_OK) {
        r->renewal = *row;
        copy(r->serial, sizeof r->serial, row->serial);
        copy(r->explanation, sizeof r->explanation, row->explanation);
        copy(r->replaced, sizeof r->replaced, row->replaced);
        r->renewal.hostname = r->o.hostname;
        r->renewal.serial = r->serial;
        r->renewal.explanation = r->explanation;
        r->renewal.replaced = r->replaced;
    } else if (e == ERR_NOTFOUND) {
        r->replaced[0] = '\0';
        renewer_renewal_reset(r, "");
        e = ERR_OK;
    }
    r->renewal_matches = r->cert_readable && strcmp(r->serial, r->leaf.serial) == 0;
    renewer_round_next(r, e, info,
                       !r->with_lease          ? RENEWER_IDLE
                       : r->resuming           ? RENEWER_CLOCK
                       : renewer_ari_is_due(r) ? RENEWER_ARI_DIRECTORY
                                               : RENEWER_ASKED);
    renewer_turn(r);
}

/* ---- who asked, and the ledger -------------------------------------------------------------------- */

static enum renewer_step asked_for(struct renewer *r)
{
    if (!r->asked || strcmp(r->asked_kind, "renew") == 0) {
        return RENEWER_LEDGER;
    }
    if (renewer_wish_known(r)) {
        return RENEWER_WISH;
    }
    r->answer_ok = false; /* of a version to come */
    copy(r->answer, sizeof r->answer, "this core does not know of such a job");
    r->again = true;
    return RENEWER_ANSWER;
}

static void on_asked(void *ctx, enum err e, const struct err_info *info,
                     const struct store_job *job)
{
    struct renewer *r = ctx;
    bool peeked = r->step == RENEWER_PEEK;
    r->asked = e == ERR_OK;
    if (r->asked) {
        copy(r->asked_id, sizeof r->asked_id, job->id);
        copy(r->asked_by, sizeof r->asked_by, job->by);
        copy(r->asked_override, sizeof r->asked_override, job->override);
        copy(r->asked_kind, sizeof r->asked_kind, job->kind);
        copy(r->asked_argument, sizeof r->asked_argument, job->argument);
    }
    if (peeked) { /* trouble with the store is the rounds' affair */
        r->flying = RENEWER_GROUND;
        r->wake = r->wake || r->asked;
        renewer_round_over(r);
    } else {
        renewer_round_next(r, e == ERR_NOTFOUND ? ERR_OK : e, info,
                           r->step == RENEWER_ASKED ? asked_for(r)
                           : r->asked               ? RENEWER_ANSWER
                                                    : RENEWER_IDLE);
    }
    renewer_turn(r);
}

/* When the last certificate came, if that was before our time. */
static void note_last(struct renewer *r, const struct store_attempt *list, size_t count)
{
    for (size_t i = 0; i < count && r->last_ok_ms == 0; i++) {
        if (strcmp(list[i].kind, "certificate") == 0 && strcmp(list[i].outcome, "ok") == 0) {
            r->last_ok_ms = list[i].at_ms;
        }
    }
}

static void on_ledger(void *ctx, enum err e, const struct err_info *info,
                      const struct store_attempt *list, size_t count)
{
    struct renewer *r = ctx;
    if (e != ERR_OK) {
        renewer_round_next(r, e, info, RENEWER_IDLE);
        renewer_turn(r);
        return;
    }
    struct plan_input in = {.now_ms = renewer_wall_ms(r),
                            .cert = r->cert_there ? &r->cert : NULL,
                            .not_before_ms = r->leaf.not_before_ms,
                            .foreign = r->foreign,
                            .renewal = &r->renewal,
                            .renewal_matches = r->renewal_matches,
                            .attempts = list,
                            .attempts_count = count,
                            .directory = r->o.directory_url,
                            .renew_before_days = r->o.renew_before_days,
                            .forced = r->asked,
                            .override = r->asked ? r->asked_override : "",
                            .random = r->random,
                            .scale = r->o.scale};
    note_last(r, list, count);
    plan_make(&in, &r->plan);
    r->rehearsed = r->staging == NULL || !r->first || plan_rehearsed(&in, r->o.staging_url);
    r->flying = RENEWER_GROUND;
    r->troubles = 0;
    renewer_order_decided(r);
    renewer_turn(r);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

void renewer_round_done(void *ctx, enum err e, const struct err_info *info)
{
    struct renewer *r = ctx;
    renewer_round_next(r, e, info,
                       r->step == RENEWER_DROP      ? RENEWER_CERT
                       : r->step == RENEWER_ARI_PUT ? RENEWER_ASKED
                       : r->step == RENEWER_REVOKED ? RENEWER_ANSWER
                                                    : RENEWER_FINISH_ASKED);
    renewer_turn(r);
}

void renewer_round_step(struct renewer *r)
{
    struct store_fence fence = renewer_fence(r);
    r->flying = RENEWER_STORE;
    switch (r->step) {
    case RENEWER_REAP:
        store_proofs_reap(r->store, &fence, renewer_wall_ms(r), on_reaped, r);
        return;
    case RENEWER_ROW:
        store_order_get(r->store, r->o.hostname, on_row, r);
        return;
    case RENEWER_DROP:
        store_order_end(r->store, &fence, r->o.hostname, r->row_id, renewer_round_done, r);
        return;
    case RENEWER_CERT:
        store_cert_get(r->store, r->o.hostname, on_cert, r);
        return;
    case RENEWER_RENEWAL:
        store_renewal_get(r->store, r->o.hostname, on_renewal, r);
        return;
    case RENEWER_PEEK:
    case RENEWER_ASKED:
        store_job_open(r->store, r->o.hostname, NULL, on_asked, r);
        return;
    case RENEWER_FINISH_ASKED: /* an order is no answer to anything else */
        store_job_open(r->store, r->o.hostname, "renew", on_asked, r);
        return;
    case RENEWER_WISH:
    case RENEWER_WISHED:
    case RENEWER_REVOKED:
        renewer_wish_step(r);
        return;
    case RENEWER_LEDGER:
        store_attempts_list(r->store, r->o.hostname, 0, LEDGER_ROWS, true, on_ledger, r);
        return;
    case RENEWER_ARI_DIRECTORY:
    case RENEWER_ARI_GET:
    case RENEWER_ARI_PUT:
        renewer_ari_step(r);
        return;
    default:
        renewer_order_step(r);
        return;
    }
}

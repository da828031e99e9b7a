/* Renewal information (RFC 9773): the CA says in which window a certificate is to be renewed. A moment
 * of it is drawn once and kept in the store, so that neither a restart nor another holder draws again.
 * Nothing that goes wrong here holds anything up: the lifetime decides then. */
#include "renewer_priv.h"

#include <stdio.h>
#include <string.h>

#include "lib/rng.h"

#define FUTURE_MS (2 * 86400000LL) /* nobody is asked to wait for longer: a clock was wrong */
#define NONE_MS   (6 * 3600000LL)

int64_t renewer_ari_wait_ms(const struct renewer *r)
{
    int64_t wall_ms = r->renewal.ari_next_ms - renewer_wall_ms(r);
    int64_t mono_ms = r->ari_ms - renewer_mono_ms(r);
    if (r->ari_id[0] == '\0' || r->foreign) {
        return INT64_MAX;
    }
    if (!r->renewal_matches || wall_ms > FUTURE_MS) {
        wall_ms = 0;
    }
    if (strcmp(r->ari_serial, r->leaf.serial) != 0) {
        mono_ms = 0;
    }
    return wall_ms > mono_ms ? wall_ms : mono_ms;
}

bool renewer_ari_is_due(const struct renewer *r)
{
    return renewer_ari_wait_ms(r) <= 0;
}

void renewer_renewal_reset(struct renewer *r, const char *serial)
{
    snprintf(r->serial, sizeof r->serial, "%s", serial);
    r->explanation[0] = '\0';
    r->renewal = (struct store_renewal){.hostname = r->o.hostname,
                                        .serial = r->serial,
                                        .explanation = r->explanation,
                                        .replaced = r->replaced};
}

/* plan_ari_wait_ms(), with our own times scaled; what the CA says is in its own. */
static int64_t ask_again_ms(const struct renewer *r)
{
    int64_t least_ms = renewer_scaled(r, plan_ari_wait_ms(0));
    int64_t most_ms = renewer_scaled(r, plan_ari_wait_ms(INT64_MAX));
    if (r->ari_retry_ms < 0) {
        return renewer_scaled(r, plan_ari_wait_ms(-1));
    }
    return r->ari_retry_ms < least_ms  ? least_ms
           : r->ari_retry_ms > most_ms ? most_ms
                                       : r->ari_retry_ms;
}

/* When to ask again; the rest of the row stays as it is. */
static void put(struct renewer *r)
{
    int64_t wait_ms = ask_again_ms(r);
    r->ari_ms = renewer_mono_ms(r) + wait_ms; /* also if the row cannot be written */
    r->renewal.ari_next_ms = renewer_wall_ms(r) + wait_ms;
    r->renewal_matches = true;
    r->step = RENEWER_ARI_PUT;
}

static void complain(struct renewer *r, const char *why)
{
    if (!r->ari_told) {
        LOG_WARN(RENEWER_TAG, "no renewal information from the CA",
                 LOG_S("hostname", r->o.hostname), LOG_S("why", why));
    }
    r->ari_told = true;
}

static void new_window(struct renewer *r, const struct acme_renewal_info *ari)
{
    struct store_renewal *n = &r->renewal;
    uint64_t random;
    bool kept =
        n->renew_ms > 0 && ((n->ari_start_ms == ari->start_ms && n->ari_end_ms == ari->end_ms) ||
                            (n->renew_ms >= ari->start_ms && n->renew_ms <= ari->end_ms));
    if (!kept) {
        char in[PLAN_SPAN_TEXT];
        rng_bytes(&random, sizeof random);
        n->renew_ms = plan_ari_moment(ari->start_ms, ari->end_ms, renewer_wall_ms(r), random);
        plan_span_text(n->renew_ms - renewer_wall_ms(r), in);
        LOG_INFO(RENEWER_TAG, "the CA has said when to renew", LOG_S("hostname", r->o.hostname),
                 LOG_S("in", in), LOG_S("explanation", ari->explanation));
    }
    n->ari_start_ms = ari->start_ms;
    n->ari_end_ms = ari->end_ms;
    snprintf(r->explanation, sizeof r->explanation, "%s", ari->explanation);
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    struct renewer *r = ctx;
    struct acme_renewal_info ari;
    struct err_info own = {.text = ""};
    const char *why =
        e != ERR_OK && info != NULL && info->text[0] != '\0' ? info->text : err_text(e);
    r->flying = RENEWER_GROUND;
    r->ari_retry_ms = e == ERR_OK ? reply->retry_ms : -1;
    if (!r->renewal_matches) {
        renewer_renewal_reset(r, r->leaf.serial);
    }
    if (e == ERR_OK && reply->problem.class != ACME_FINE) {
        e = ERR_UNAVAIL;
        why = reply->problem.text;
        r->ari_retry_ms = reply->problem.retry_ms >= 0 ? reply->problem.retry_ms : reply->retry_ms;
    } else if (e == ERR_OK) {
        e = acme_renewal_info_read(reply->body, reply->len, &ari, &own);
        why = own.text;
    }
    if (e == ERR_OK) {
        r->ari_told = false;
        new_window(r, &ari);
    } else {
        complain(r, why);
    }
    put(r);
    renewer_turn(r);
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct renewer *r = ctx;
    r->flying = RENEWER_GROUND;
    r->step = RENEWER_ASKED;
    if (e != ERR_OK) {
        complain(r, info != NULL && info->text[0] != '\0' ? info->text : problem->text);
        r->ari_ms = renewer_mono_ms(r) + renewer_scaled(r, RENEWER_PAUSE_MS);
    } else if (directory->renewal_info[0] == '\0') {
        r->ari_ms = renewer_mono_ms(r) + renewer_scaled(r, NONE_MS);
    } else { /* RFC 9773 §4.1 */
        size_t len = strlen(directory->renewal_info);
        bool slash = directory->renewal_info[len - 1] == '/';
        int n = snprintf(r->ari_url, sizeof r->ari_url, "%s%s%s", directory->renewal_info,
                         slash ? "" : "/", r->ari_id);
        if (n < (int)sizeof r->ari_url) {
            r->step = RENEWER_ARI_GET;
        }
    }
    renewer_turn(r);
}

void renewer_ari_step(struct renewer *r)
{
    struct store_fence fence = renewer_fence(r);
    switch (r->step) {
    case RENEWER_ARI_DIRECTORY:
        snprintf(r->ari_serial, sizeof r->ari_serial, "%s", r->leaf.serial);
        r->flying = RENEWER_CA;
        r->ops->session_directory(r->session, false, on_directory, r);
        return;
    case RENEWER_ARI_GET:
        r->flying = RENEWER_CA;
        (void)r->ops->session_get(r->session, r->ari_url, on_reply, r);
        return;
    default:
        store_renewal_put(r->store, &fence, &r->renewal, renewer_round_done, r);
        return;
    }
}

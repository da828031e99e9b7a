/* The order machine until there is an order. */
#include "order_priv.h"

#include <stdio.h>
#include <string.h>

static void copy(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from != NULL ? from : "");
}

/* ---- what is in the store ------------------------------------------------------------------- */

struct acme_act order_loaded(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (order_failed(o, ev, ACME_ACT_LOAD, &act)) {
        return act;
    }
    if (!ev->found) {
        return order_enter(o, ORDER_DIRECTORY);
    }
    bool over = ev->expires_ms != 0 && ev->expires_ms <= ev->wall_ms;
    if (!ev->usable || over || ev->url == NULL || *ev->url == '\0') {
        return order_drop(o, "another order was begun");
    }
    o->staged = o->resumed = true;
    o->expires_ms = ev->expires_ms;
    copy(o->url, sizeof o->url, ev->url);
    return order_enter(o, ORDER_DIRECTORY);
}

/* First the ledger, where it is open still. */
struct acme_act order_drop(struct acme_order *o, const char *text)
{
    o->dropping = true;
    o->problem = (struct acme_problem){.class = ACME_ORDER, .type = "abandoned", .retry_ms = -1};
    copy(o->problem.text, sizeof o->problem.text, text);
    return order_ledger(o, ACME_ENTRY_ORDER, ACME_ENTRY_FAILED, 0);
}

struct acme_act order_dropped(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (order_failed(o, ev, ACME_ACT_END, &act)) {
        return act;
    }
    memset(&o->problem, 0, sizeof o->problem);
    o->staged = o->resumed = o->dropping = false;
    o->url[0] = o->certificate[0] = o->finalize[0] = '\0';
    o->expires_ms = 0;
    o->authz_count = 0;
    return order_enter(o, o->state == ORDER_BEGIN ? ORDER_DIRECTORY
                          : o->renewed            ? ORDER_ACCOUNT
                                                  : ORDER_PRECHECK);
}

/* ---- directory, account --------------------------------------------------------------------- */

/* A profile is only asked for if it is offered: a CA refuses an order with another. Named ones are not
 * silently replaced by the CA's default, which may be another lifetime. */
static bool choose_profile(struct acme_order *o, const struct acme_directory *d)
{
    const char *want = o->options.profile;
    bool chosen = want != NULL && strcmp(want, "auto") != 0;
    want = chosen ? want : "tlsserver";
    o->profile[0] = '\0';
    for (size_t i = 0; i < d->profiles_count; i++) {
        if (strcmp(d->profiles[i], want) == 0) {
            copy(o->profile, sizeof o->profile, want);
            return true;
        }
    }
    return !chosen;
}

struct acme_act order_directory(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (order_failed(o, ev, ACME_ACT_DIRECTORY, &act)) {
        return act;
    }
    if (!choose_profile(o, ev->directory)) {
        char text[160];
        snprintf(text, sizeof text,
                 "the CA does not offer the profile '%.60s' (letsEncrypt.profile)",
                 o->options.profile);
        return order_fail_for(o, ACME_PROFILE, "profile", text);
    }
    return order_enter(o, ORDER_ACCOUNT);
}

struct acme_act order_account(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_problem p; /* what is worth another try was tried there */
    if (tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &p)) {
        return order_fail(o, &p);
    }
    return order_enter(o, o->resumed ? ORDER_AUTHORIZE : ORDER_PRECHECK);
}

/* The CA does not know us, or not any more. Deactivated accounts are `unauthorized` (RFC 8555 §7.3.6). */
static bool is_account(const struct acme_ev *ev)
{
    return ev->e == ERR_OK && ev->problem != NULL &&
           (ev->problem->class == ACME_ACCOUNT || strcmp(ev->problem->type, "unauthorized") == 0);
}

static struct acme_act account_anew(struct acme_order *o)
{
    o->renewed = true;
    return order_enter(o, ORDER_ACCOUNT);
}

struct acme_act order_prechecked(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (ev->e == ERR_DENIED) {
        return order_fail_for(o, ACME_IDENTIFIER, "precheck", ev->text);
    }
    if (order_failed(o, ev, ACME_ACT_PRECHECK, &act)) {
        return act;
    }
    return o->staged ? order_enter(o, ORDER_NEW) : order_act(o, ACME_ACT_STAGE, 0);
}

struct acme_act order_staged(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (order_failed(o, ev, ACME_ACT_STAGE, &act)) {
        return act;
    }
    o->staged = true;
    return order_enter(o, ORDER_NEW);
}

struct acme_act order_begin_entered(struct acme_order *o)
{
    switch (o->state) {
    case ORDER_BEGIN:
        return order_act(o, ACME_ACT_LOAD, 0);
    case ORDER_DIRECTORY:
        return order_act(o, ACME_ACT_DIRECTORY, 0);
    case ORDER_ACCOUNT: {
        struct acme_act act = order_act(o, ACME_ACT_ACCOUNT, 0);
        act.anew = o->renewed;
        return act;
    }
    case ORDER_PRECHECK:
        return order_act(o, ACME_ACT_PRECHECK, 0);
    case ORDER_NEW: /* what counts is written down before it is done */
        return order_ledger(o, ACME_ENTRY_ORDER, ACME_ENTRY_OPEN, 0);
    default: /* ORDERED: where newOrder's answer says it is */
        return o->certificate[0] != '\0'             ? order_enter(o, ORDER_DOWNLOAD)
               : o->status == ACME_STATUS_READY      ? order_enter(o, ORDER_FINALIZE)
               : o->status == ACME_STATUS_PROCESSING ? order_enter(o, ORDER_ISSUE)
                                                     : order_enter(o, ORDER_AUTHORIZE);
    }
}

/* ---- newOrder, and the order as the CA has it -------------------------------------------------- */

/* Exactly the names asked for (RFC 8555 §7.4: the CA may not change them, but look). */
static bool same_names(const struct acme_order *o, const struct acme_order_object *object)
{
    if (object->names_count != o->options.names_count) {
        return false;
    }
    for (size_t i = 0; i < o->options.names_count; i++) {
        size_t k = 0;
        while (k < object->names_count && strcmp(object->names[k], o->options.names[i]) != 0) {
            k++;
        }
        if (k == object->names_count) {
            return false;
        }
    }
    return true;
}

void order_take(struct acme_order *o, const struct acme_ev *ev)
{
    const struct acme_order_object *object = ev->order;
    o->status = object->status;
    copy(o->finalize, sizeof o->finalize, object->finalize);
    copy(o->certificate, sizeof o->certificate,
         object->status == ACME_STATUS_VALID ? object->certificate : "");
    if (object->expires_ms != 0) {
        int64_t end_ms = ev->now_ms + (object->expires_ms - ev->wall_ms);
        o->expires_ms = object->expires_ms;
        o->deadline_ms = end_ms < o->deadline_ms ? end_ms : o->deadline_ms;
    }
    if (o->authz_count == 0) { /* the first look */
        o->authz_count = object->authorizations_count;
        for (size_t i = 0; i < o->authz_count; i++) {
            copy(o->authz[i].url, sizeof o->authz[i].url, object->authorizations[i]);
        }
    }
}

static bool is_dead(enum acme_status s)
{
    return s == ACME_STATUS_INVALID || s == ACME_STATUS_DEACTIVATED || s == ACME_STATUS_EXPIRED ||
           s == ACME_STATUS_REVOKED;
}

struct acme_act order_refused(struct acme_order *o, const struct acme_order_object *object)
{
    if (object->has_error) {
        return order_fail(o, &object->error);
    }
    return order_fail_for(o, ACME_ORDER, "order", "the CA has made the order invalid");
}

/* newOrder was refused: are there other ways. */
static bool another_way(struct acme_order *o, const struct acme_ev *ev, struct acme_act *act)
{
    bool auto_profile = o->options.profile == NULL || strcmp(o->options.profile, "auto") == 0;
    if (ev->e != ERR_OK || ev->problem == NULL) {
        return false;
    }
    if (ev->problem->class == ACME_REPLACED && o->with_replaces) {
        o->with_replaces = false;
    } else if (ev->problem->class == ACME_PROFILE && auto_profile && o->profile[0] != '\0') {
        o->profile[0] = '\0';
    } else if (is_account(ev) && !o->renewed) {
        *act = account_anew(o);
        return true;
    } else {
        return false;
    }
    *act = order_confirm(o, ACME_ACT_NEW_ORDER, 0);
    return true;
}

struct acme_act order_made(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (another_way(o, ev, &act)) {
        return act;
    }
    if (order_failed(o, ev, ACME_ACT_NEW_ORDER, &act)) {
        return act;
    }
    if (ev->url == NULL || *ev->url == '\0') {
        return order_fail_for(o, ACME_AGAIN, "order", "the CA does not say where the order is");
    }
    copy(o->url, sizeof o->url, ev->url);
    order_take(o, ev);
    if (!same_names(o, ev->order)) {
        return order_fail_for(o, ACME_DENIED, "order", "the CA's order is for other names");
    }
    if (is_dead(o->status)) {
        return order_refused(o, ev->order);
    }
    return order_enter(o, ORDER_ORDERED);
}

/* Where an order of that status goes on. */
static struct acme_act go_on(struct acme_order *o, const struct acme_ev *ev)
{
    if (is_dead(o->status)) {
        return order_refused(o, ev->order);
    }
    if (o->certificate[0] != '\0') {
        return order_enter(o, ORDER_DOWNLOAD);
    }
    switch (o->status) {
    case ACME_STATUS_READY: /* after finalize: another of the CA's machines, which has not heard */
        return o->state == ORDER_ISSUE ? order_poll(o, ev, ACME_ACT_ORDER)
                                       : order_enter(o, ORDER_FINALIZE);
    case ACME_STATUS_PROCESSING:
    case ACME_STATUS_VALID:
        return o->state == ORDER_ISSUE ? order_poll(o, ev, ACME_ACT_ORDER)
                                       : order_enter(o, ORDER_ISSUE);
    default:
        return o->state == ORDER_AUTHORIZE && o->authz_count > 0
                   ? order_act(o, ACME_ACT_AUTHORIZATION, 0)
                   : order_poll(o, ev, ACME_ACT_ORDER);
    }
}

/* The order that was found in the store is of no use. */
static bool is_gone(const struct acme_ev *ev)
{
    if (ev->e != ERR_OK) {
        return false;
    }
    if (ev->problem != NULL && ev->problem->class != ACME_FINE) {
        return ev->problem->class == ACME_ORDER || is_account(ev) || ev->problem->status == 404 ||
               ev->problem->status == 410;
    }
    return is_dead(ev->order->status);
}

struct acme_act order_seen(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (o->resumed && is_gone(ev)) {
        bool ours = ev->problem == NULL || !is_account(ev);
        o->renewed = o->renewed || !ours; /* newOrder would say so, too */
        return order_drop(o, "the CA has no use for this order any more");
    }
    if (order_failed(o, ev, ACME_ACT_ORDER, &act)) {
        return act;
    }
    if (o->resumed && !same_names(o, ev->order)) {
        return order_fail_for(o, ACME_DENIED, "order", "the CA's order is for other names");
    }
    order_take(o, ev);
    o->hint_ms = ev->retry_ms;
    return go_on(o, ev);
}

/* The order machine from proved names to a stored certificate. */
#include "order_priv.h"

#include <string.h>

struct acme_act order_issue_entered(struct acme_order *o, const struct acme_ev *ev)
{
    switch (o->state) {
    case ORDER_FINALIZE:
        return order_confirm(o, ACME_ACT_FINALIZE, 0);
    case ORDER_ISSUE:
        return order_poll(o, ev, ACME_ACT_ORDER);
    case ORDER_DOWNLOAD:
        return order_act(o, ACME_ACT_DOWNLOAD, 0);
    case ORDER_STORE:
        return o->options.rehearsal ? order_ledger(o, ACME_ENTRY_ORDER, ACME_ENTRY_OK, 0)
                                    : order_act(o, ACME_ACT_STORE, 0);
    default:
        return order_act(o, ACME_ACT_END, 0);
    }
}

/* An order that is not ready (RFC 8555 §7.4), or was finalized already by a request whose answer got
 * lost, is looked at before it is tried again. */
static bool looks_again(const struct acme_ev *ev)
{
    struct acme_problem p;
    if (!tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &p)) {
        return false;
    }
    return (p.class == ACME_AGAIN && p.retry_ms <= ORDER_POLL_MAX_MS) ||
           strcmp(p.type, "orderNotReady") == 0;
}

struct acme_act order_finalized(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (looks_again(ev) && ++o->finalizes < ORDER_TRIES_MAX) {
        o->hint_ms = ev->problem != NULL && ev->problem->retry_ms > ev->retry_ms
                         ? ev->problem->retry_ms
                         : ev->retry_ms;
        o->polls = o->finalizes;
        return order_poll(o, ev, ACME_ACT_ORDER);
    }
    o->tries = ORDER_TRIES_MAX; /* counted by finalizes */
    if (order_failed(o, ev, ACME_ACT_FINALIZE, &act)) {
        return act;
    }
    order_take(o, ev);
    if (o->status == ACME_STATUS_INVALID) {
        return order_refused(o, ev->order);
    }
    o->hint_ms = ev->retry_ms;
    return order_enter(o, o->certificate[0] != '\0' ? ORDER_DOWNLOAD : ORDER_ISSUE);
}

static void take_alternates(struct acme_order *o, const struct acme_ev *ev)
{
    o->alternates_count =
        ev->alternates_count < ORDER_ALTERNATES_MAX ? ev->alternates_count : ORDER_ALTERNATES_MAX;
    if (o->alternates_count > 0) {
        memcpy(o->alternates, ev->alternates, o->alternates_count * sizeof o->alternates[0]);
    }
}

struct acme_act order_downloaded(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    size_t i = o->index;
    struct acme_problem p;
    if (i == 0) {
        if (order_failed(o, ev, ACME_ACT_DOWNLOAD, &act)) {
            return act;
        }
        take_alternates(o, ev);
    }
    /* An alternate that cannot be had is passed over: the first chain is good, too. */
    bool came = !tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &p);
    o->chain_found = came && ev->matches;
    return o->chain_found || i == o->alternates_count ? order_act(o, ACME_ACT_CHECK, 0)
                                                      : order_act(o, ACME_ACT_DOWNLOAD, i + 1);
}

struct acme_act order_checked(struct acme_order *o, const struct acme_ev *ev)
{
    if (ev->e != ERR_OK) {
        return order_fail_for(o, ACME_AGAIN, "certificate", ev->text);
    }
    return order_enter(o, ORDER_STORE);
}

struct acme_act order_stored(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (ev->e == ERR_CONFLICT) {
        return order_fail_for(o, ACME_AGAIN, "conflict", ev->text);
    }
    return order_failed(o, ev, ACME_ACT_STORE, &act)
               ? act
               : order_ledger(o, ACME_ENTRY_CERTIFICATE, ACME_ENTRY_OK, 0);
}

/* What was won is not lost because it could not be written down. */
static struct acme_act won(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_problem p;
    int64_t wait_ms = 0;
    if (tries_problem(ev->e, ev->text, NULL, -1, &p) && err_is_transient(ev->e) &&
        tries_again(&o->tries, &p, &wait_ms) && ev->now_ms + wait_ms < o->deadline_ms) {
        o->again = p;
        return order_wait(o, ev, wait_ms, ACME_ACT_LEDGER, &o->again);
    }
    o->tries = 0;
    if (o->entry == ACME_ENTRY_CERTIFICATE) {
        return order_ledger(o, ACME_ENTRY_ORDER, ACME_ENTRY_OK, 0);
    }
    if (o->entry == ACME_ENTRY_ORDER && o->options.rehearsal) {
        return order_ledger(o, ACME_ENTRY_REHEARSAL, ACME_ENTRY_OK, 0);
    }
    o->stored = true;
    return order_enter(o, ORDER_CLEAN);
}

struct acme_act order_written(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (o->dropping) {
        return order_act(o, ACME_ACT_END, 0);
    }
    if (o->state == ORDER_STORE) {
        return won(o, ev);
    }
    return order_failed(o, ev, ACME_ACT_LEDGER, &act) ? act
                                                      : order_confirm(o, ACME_ACT_NEW_ORDER, 0);
}

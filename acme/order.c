#include "order_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const words[ORDER_STATES] = {
    [ORDER_BEGIN] = "begin",
    [ORDER_DIRECTORY] = "directory",
    [ORDER_ACCOUNT] = "account",
    [ORDER_PRECHECK] = "precheck",
    [ORDER_NEW] = "new",
    [ORDER_ORDERED] = "ordered",
    [ORDER_AUTHORIZE] = "authorize",
    [ORDER_PUBLISH] = "publish",
    [ORDER_PROVE] = "prove",
    [ORDER_CHALLENGE] = "challenge",
    [ORDER_VALIDATE] = "validate",
    [ORDER_FINALIZE] = "finalize",
    [ORDER_ISSUE] = "issue",
    [ORDER_DOWNLOAD] = "download",
    [ORDER_STORE] = "store",
    [ORDER_CLEAN] = "clean",
    [ORDER_DONE] = "done",
    [ORDER_FAILED] = "failed",
};

const char *acme_order_state_text(enum acme_order_state s)
{
    return (unsigned)s < ORDER_STATES ? words[s] : NULL;
}

bool acme_order_state_parse(const char *text, enum acme_order_state *out)
{
    for (unsigned i = 0; i < ORDER_STATES; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (enum acme_order_state)i;
            return true;
        }
    }
    return false;
}

void acme_order_init(struct acme_order *o, const struct acme_order_options *options)
{
    memset(o, 0, sizeof *o);
    assert(options->names_count > 0 && options->names_count <= ACME_NAMES_MAX);
    o->options = *options;
    o->with_replaces = options->replaces;
    o->hint_ms = -1;
    o->doing = ACME_ACT_NONE;
}

struct acme_act order_act(struct acme_order *o, enum acme_act_kind kind, size_t index)
{
    o->doing = kind;
    o->index = index;
    return (struct acme_act){.kind = kind, .index = index};
}

struct acme_act order_enter(struct acme_order *o, enum acme_order_state state)
{
    o->state = state;
    o->polls = 0;
    if (state != ORDER_VALIDATE &&
        state != ORDER_ISSUE) { /* what was asked for just before counts */
        o->hint_ms = -1;
    }
    bool saves = o->staged && state >= ORDER_NEW && state != ORDER_FAILED;
    return order_act(o, saves ? ACME_ACT_SAVE : ACME_ACT_TELL, 0);
}

struct acme_act order_confirm(struct acme_order *o, enum acme_act_kind then, size_t index)
{
    o->then = then;
    return order_act(o, ACME_ACT_CONFIRM, index);
}

struct acme_act order_wait(struct acme_order *o, const struct acme_ev *ev, int64_t wait_ms,
                           enum acme_act_kind then, const struct acme_problem *why)
{
    if (ev->now_ms + wait_ms >= o->deadline_ms) {
        return why != NULL ? order_fail(o, why)
                           : order_fail_for(o, ACME_AGAIN, "deadline",
                                            "the CA has not come to an end in time");
    }
    o->then = then;
    struct acme_act act = order_act(o, ACME_ACT_WAIT, o->index);
    act.wait_ms = wait_ms;
    act.problem = why;
    return act;
}

struct acme_act order_poll(struct acme_order *o, const struct acme_ev *ev, enum acme_act_kind then)
{
    static const int64_t own_ms[] = {
        ORDER_POLL_SOON_MS, ORDER_POLL_FIRST_MS, 2000, 3000, 4000, 5000};
    enum { STEPS = sizeof own_ms / sizeof own_ms[0] };
    int64_t wait_ms = own_ms[o->polls < STEPS ? o->polls : STEPS - 1];
    if (o->hint_ms >= 0) {
        wait_ms = o->hint_ms < ORDER_POLL_FIRST_MS ? ORDER_POLL_FIRST_MS
                  : o->hint_ms > ORDER_POLL_MAX_MS ? ORDER_POLL_MAX_MS
                                                   : o->hint_ms;
    }
    o->polls++;
    o->hint_ms = -1;
    return order_wait(o, ev, wait_ms, then, NULL);
}

struct acme_act order_ledger(struct acme_order *o, enum acme_entry entry,
                             enum acme_entry_outcome outcome, size_t index)
{
    struct acme_act act = order_act(o, ACME_ACT_LEDGER, index);
    act.entry = o->entry = entry;
    act.outcome = o->outcome = outcome;
    if (outcome == ACME_ENTRY_FAILED) {
        act.problem = entry == ACME_ENTRY_AUTHORIZATION ? &o->authz[index].problem : &o->problem;
    }
    return act;
}

/* Reading again what came damaged harms nobody; doing again might. */
static bool may_repeat(enum err e, enum acme_act_kind kind)
{
    bool looks = kind == ACME_ACT_DIRECTORY || kind == ACME_ACT_ORDER ||
                 kind == ACME_ACT_AUTHORIZATION || kind == ACME_ACT_DOWNLOAD;
    return e == ERR_OK || err_is_transient(e) || (e == ERR_MALFORMED && looks);
}

bool order_failed(struct acme_order *o, const struct acme_ev *ev, enum acme_act_kind then,
                  struct acme_act *act)
{
    struct acme_problem p;
    int64_t wait_ms = 0;
    if (!tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &p)) {
        o->tries = 0;
        return false;
    }
    if (!may_repeat(ev->e, then) || !tries_again(&o->tries, &p, &wait_ms)) {
        *act = order_fail(o, &p);
        return true;
    }
    o->again = p;
    *act = order_wait(o, ev, wait_ms, then, &o->again);
    return true;
}

/* Are we to ask whether the lease is ours before KIND. */
static bool is_outside(enum acme_act_kind kind)
{
    return kind == ACME_ACT_NEW_ORDER || kind == ACME_ACT_CHALLENGE || kind == ACME_ACT_FINALIZE;
}

static struct acme_act done(struct acme_order *o)
{
    return order_act(o, ACME_ACT_DONE, 0);
}

static struct acme_act waited(struct acme_order *o)
{
    if (o->then == ACME_ACT_LEDGER) {
        return order_ledger(o, o->entry, o->outcome, o->index);
    }
    return is_outside(o->then) ? order_confirm(o, o->then, o->index)
                               : order_act(o, o->then, o->index);
}

static struct acme_act confirmed(struct acme_order *o, const struct acme_ev *ev)
{
    if (!ev->held) {
        o->lease_lost = true;
        return done(o);
    }
    return order_act(o, o->then, o->index);
}

static struct acme_act entered(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    if (o->doing == ACME_ACT_SAVE && order_failed(o, ev, ACME_ACT_SAVE, &act)) {
        return act;
    }
    return o->state == ORDER_FAILED     ? order_fail_next(o, ev)
           : o->state < ORDER_AUTHORIZE ? order_begin_entered(o)
           : o->state <= ORDER_VALIDATE ? order_prove_entered(o, ev)
                                        : order_issue_entered(o, ev);
}

static bool is_fenced(enum acme_act_kind kind)
{
    return kind == ACME_ACT_SAVE || kind == ACME_ACT_LEDGER || kind == ACME_ACT_PUBLISH ||
           kind == ACME_ACT_STORE || kind == ACME_ACT_END || kind == ACME_ACT_ACCOUNT;
}

static struct acme_act ended(struct acme_order *o, const struct acme_ev *ev)
{
    if (o->dropping) {
        return order_dropped(o, ev);
    }
    return o->state == ORDER_FAILED ? order_fail_next(o, ev) : done(o);
}

static struct acme_act result(struct acme_order *o, const struct acme_ev *ev)
{
    switch (o->doing) {
    case ACME_ACT_TELL:
    case ACME_ACT_SAVE:
        return entered(o, ev);
    case ACME_ACT_LOAD:
        return order_loaded(o, ev);
    case ACME_ACT_DIRECTORY:
        return order_directory(o, ev);
    case ACME_ACT_ACCOUNT:
        return order_account(o, ev);
    case ACME_ACT_PRECHECK:
        return order_prechecked(o, ev);
    case ACME_ACT_STAGE:
        return order_staged(o, ev);
    case ACME_ACT_LEDGER:
        return o->state == ORDER_FAILED ? order_fail_next(o, ev) : order_written(o, ev);
    case ACME_ACT_CONFIRM:
        return confirmed(o, ev);
    case ACME_ACT_NEW_ORDER:
        return order_made(o, ev);
    case ACME_ACT_ORDER:
        return order_seen(o, ev);
    case ACME_ACT_AUTHORIZATION:
        return order_authorization(o, ev);
    case ACME_ACT_PUBLISH:
        return order_published(o, ev);
    case ACME_ACT_PROVE:
        return order_proved(o, ev);
    case ACME_ACT_CHALLENGE:
        return order_challenged(o, ev);
    case ACME_ACT_FINALIZE:
        return order_finalized(o, ev);
    case ACME_ACT_DOWNLOAD:
        return order_downloaded(o, ev);
    case ACME_ACT_CHECK:
        return order_checked(o, ev);
    case ACME_ACT_STORE:
        return order_stored(o, ev);
    case ACME_ACT_DEACTIVATE:
    case ACME_ACT_WITNESSES:
        return order_fail_next(o, ev);
    case ACME_ACT_END:
        return ended(o, ev);
    case ACME_ACT_WAIT:
        return waited(o);
    case ACME_ACT_NONE:
    case ACME_ACT_DONE:
        break;
    }
    assert(false);
    return done(o);
}

struct acme_act acme_order_next(struct acme_order *o, const struct acme_ev *ev)
{
    if (ev->kind == ACME_EV_CANCEL) {
        o->cancelled = true;
        return (struct acme_act){.kind = ACME_ACT_NONE};
    }
    if (ev->kind == ACME_EV_GO) {
        o->deadline_ms = ev->now_ms + ORDER_DEADLINE_MS;
        return order_enter(o, ORDER_BEGIN);
    }
    if (is_fenced(o->doing) && ev->e == ERR_DENIED) {
        o->lease_lost = true;
    }
    /* What was stored just now is not forgotten because of either. */
    o->stored = o->stored || (o->doing == ACME_ACT_STORE && ev->e == ERR_OK);
    return o->lease_lost || o->cancelled ? done(o) : result(o, ev);
}

bool acme_order_proves(const struct acme_order *o, size_t i)
{
    return i < o->authz_count && o->authz[i].status != ACME_STATUS_VALID &&
           o->authz[i].challenge[0] != '\0';
}

bool acme_order_result(const struct acme_order *o)
{
    return o->stored;
}

/* The parts of the order machine: what each does when the result of an action of its is there. */
#ifndef ACME_ORDER_PRIV_H
#define ACME_ORDER_PRIV_H

#include "order.h"

/* order.c */
struct acme_act order_act(struct acme_order *o, enum acme_act_kind kind, size_t index);
struct acme_act order_enter(struct acme_order *o, enum acme_order_state state); /* tells or saves */
/* Asks whether the lease is still ours first. */
struct acme_act order_confirm(struct acme_order *o, enum acme_act_kind then, size_t index);
struct acme_act order_wait(struct acme_order *o, const struct acme_ev *ev, int64_t wait_ms,
                           enum acme_act_kind then, const struct acme_problem *why);
/* The pause between two looks at something that the CA is busy with. */
struct acme_act order_poll(struct acme_order *o, const struct acme_ev *ev, enum acme_act_kind then);
struct acme_act order_ledger(struct acme_order *o, enum acme_entry entry,
                             enum acme_entry_outcome outcome, size_t index);
/* What the CA answered: false if it is well; else *act is what follows (a pause, then THEN once more;
 * or the way out). */
bool order_failed(struct acme_order *o, const struct acme_ev *ev, enum acme_act_kind then,
                  struct acme_act *act);

/* order_begin.c: load, directory, account, precheck, new, ordered */
struct acme_act order_loaded(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_begin_entered(struct acme_order *o);
struct acme_act order_directory(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_account(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_prechecked(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_staged(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_made(struct acme_order *o, const struct acme_ev *ev);
/* The order as the CA has it now. */
struct acme_act order_seen(struct acme_order *o, const struct acme_ev *ev);
/* Remembers what EV->order says. */
void order_take(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_refused(struct acme_order *o, const struct acme_order_object *object);
/* Ends what was found in the store. */
struct acme_act order_drop(struct acme_order *o, const char *text);
struct acme_act order_dropped(struct acme_order *o, const struct acme_ev *ev);

/* order_prove.c: authorize, publish, prove, challenge, validate */
struct acme_act order_prove_entered(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_authorization(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_published(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_proved(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_challenged(struct acme_order *o, const struct acme_ev *ev);

/* order_issue.c: finalize, issue, download, store, clean */
struct acme_act order_issue_entered(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_finalized(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_downloaded(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_checked(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_stored(struct acme_order *o, const struct acme_ev *ev);
struct acme_act order_written(struct acme_order *o, const struct acme_ev *ev); /* the ledger */

/* order_fail.c: the way out */
struct acme_act order_fail(struct acme_order *o, const struct acme_problem *p);
struct acme_act order_fail_for(struct acme_order *o, enum acme_class class, const char *type,
                               const char *text);
struct acme_act order_fail_next(struct acme_order *o, const struct acme_ev *ev);

#endif

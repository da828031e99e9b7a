/* One certificate's way through RFC 8555, as a machine: no socket, no clock, no store, no heap. It is
 * told what happened (struct acme_ev) and says what to do next (struct acme_act); acme/order_uv.c does
 * it. What it needs to go on after a crash is in the order's row: url and state; everything else is
 * asked of the CA again, whose word counts.
 *
 *   begin ─> directory ─> account ─> precheck ─> new ─> ordered ─> authorize ─> publish ─> prove
 *              (ACME 7.1.1) (7.3)      CAA, NS     (7.4)            (7.5)                      │
 *     done <─ store <─ download <─ issue <─ finalize <─ validate <─ challenge <────────────────┘
 *                       (7.4.2)   (7.4: poll)           (7.5.1: poll) (7.5.1)
 *
 * `authorize` skips what is valid already; with every authorization valid the order goes from there to
 * finalize; an order that comes back `ready`, `processing` or `valid` enters at that place. A resumed
 * one enters at `authorize`, after its url has been asked for.
 *
 * Every state is saved (ACT_SAVE) before the step that it names is taken; ACT_CONFIRM (is the lease
 * still ours) comes right before newOrder, each challenge and finalize, which cannot be fenced.
 *
 * On the way out after a failure proofs are taken away, pending authorizations deactivated (§7.5.2)
 * and, if validation was what failed, witnesses asked.
 */
#ifndef ACME_ORDER_H
#define ACME_ORDER_H

#include "object.h"

#define ORDER_POLL_FIRST_MS 1000
#define ORDER_POLL_MAX_MS   60000 /* what Retry-After is cut to while polling */
#define ORDER_DEADLINE_MS                                                                          \
    900000                /* from the first step to the certificate; the CA's `expires` if less */
#define ORDER_TRIES_MAX 8 /* of one request that failed for transient reasons */
#define ORDER_PROVE_MS  120000

enum acme_order_state {
    ORDER_BEGIN,
    ORDER_DIRECTORY,
    ORDER_ACCOUNT,
    ORDER_PRECHECK,
    ORDER_NEW,
    ORDER_ORDERED,
    ORDER_AUTHORIZE,
    ORDER_PUBLISH,
    ORDER_PROVE,
    ORDER_CHALLENGE,
    ORDER_VALIDATE,
    ORDER_FINALIZE,
    ORDER_ISSUE,
    ORDER_DOWNLOAD,
    ORDER_STORE,
    ORDER_CLEAN,
    ORDER_DONE,
    ORDER_FAILED,
    ORDER_STATES
};
/* The words of the diagram: rows, logs and fault points use them. NULL: no such state. */
const char *acme_order_state_text(enum acme_order_state s);
bool acme_order_state_parse(const char *text, enum acme_order_state *out);

#endif

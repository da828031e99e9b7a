/* The order machine's way out after a failure: the ledger, what the validators saw, authorizations
 * that nobody will use, the order's row with its proofs. What fails on the way out is passed over. */
#include "order_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    FAIL_AUTHORIZATIONS, /* those that count at the CA, into the ledger */
    FAIL_WITNESSES,
    FAIL_ORDER,
    FAIL_REHEARSAL,
    FAIL_DEACTIVATE, /* RFC 8555 §7.5.2: CAs limit how many are pending */
    FAIL_END,
    FAIL_STEPS
};

static bool any_failed(const struct acme_order *o)
{
    for (size_t i = 0; i < o->authz_count; i++) {
        if (o->authz[i].failed) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct acme_order *o, size_t i)
{
    switch (o->failing) {
    case FAIL_AUTHORIZATIONS:
        return o->authz[i].failed;
    case FAIL_WITNESSES:
        return any_failed(o);
    case FAIL_REHEARSAL:
        return o->options.rehearsal;
    case FAIL_DEACTIVATE:
        return o->authz[i].status == ACME_STATUS_PENDING && o->authz[i].url[0] != '\0';
    case FAIL_END:
        return o->staged;
    default:
        return true;
    }
}

static struct acme_act take_step(struct acme_order *o, size_t i)
{
    switch (o->failing) {
    case FAIL_AUTHORIZATIONS:
        return order_ledger(o, ACME_ENTRY_AUTHORIZATION, ACME_ENTRY_FAILED, i);
    case FAIL_WITNESSES:
        return order_act(o, ACME_ACT_WITNESSES, 0);
    case FAIL_ORDER:
        return order_ledger(o, ACME_ENTRY_ORDER, ACME_ENTRY_FAILED, 0);
    case FAIL_REHEARSAL:
        return order_ledger(o, ACME_ENTRY_REHEARSAL, ACME_ENTRY_FAILED, 0);
    case FAIL_DEACTIVATE:
        return order_act(o, ACME_ACT_DEACTIVATE, i);
    default:
        return order_act(o, ACME_ACT_END, 0);
    }
}

struct acme_act order_fail_next(struct acme_order *o, const struct acme_ev *ev)
{
    if (o->doing == ACME_ACT_DEACTIVATE && ev->e != ERR_OK) { /* nobody there: no more of that */
        o->failing_index = o->authz_count;
    }
    for (; o->failing < FAIL_STEPS; o->failing++, o->failing_index = 0) {
        bool each = o->failing == FAIL_AUTHORIZATIONS || o->failing == FAIL_DEACTIVATE;
        while (o->failing_index < (each ? o->authz_count : 1)) {
            size_t i = o->failing_index++;
            if (is_wanted(o, i)) {
                return take_step(o, i);
            }
        }
    }
    return order_act(o, ACME_ACT_DONE, 0);
}

/* Another core may have the key. */
static bool is_ours_alone(const struct acme_problem *p)
{
    return p->status == 0 && strcmp(p->type, "vault") == 0;
}

struct acme_act order_fail(struct acme_order *o, const struct acme_problem *p)
{
    if (o->stored) { /* nothing that comes later makes it undone */
        return order_act(o, ACME_ACT_DONE, 0);
    }
    o->problem = *p;
    o->failed_in = o->state;
    o->dropping = false;
    o->failing = is_ours_alone(p) ? FAIL_STEPS : FAIL_AUTHORIZATIONS;
    o->failing_index = 0;
    return order_enter(o, ORDER_FAILED);
}

struct acme_act order_fail_for(struct acme_order *o, enum acme_class class, const char *type,
                               const char *text)
{
    struct acme_problem p = {.class = class, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    snprintf(p.text, sizeof p.text, "%s", text != NULL ? text : "");
    return order_fail(o, &p);
}

/* The parts of the plan: when it is due (plan_when.c), what the ledger says (plan_gate.c), and the
 * decision (plan.c). */
#ifndef ACME_PLAN_PRIV_H
#define ACME_PLAN_PRIV_H

#include "plan.h"

#define PLAN_DAY_MS 86400000LL

static inline int64_t plan_scaled(const struct plan_input *in, int64_t ms)
{
    return in->scale > 0 ? (int64_t)((double)ms * in->scale) : ms;
}

struct plan_due {
    enum plan_why why; /* PLAN_NOT_DUE, or the reason */
    int64_t renew_ms;  /* 0: there is no certificate */
    bool ari;          /* renewal information says that it is time */
};
void plan_due(const struct plan_input *in, struct plan_due *out);

struct plan_gate {
    enum plan_why why; /* PLAN_NOT_DUE: every gate is open */
    int64_t opens_ms;  /* 0: nobody knows */
    const char
        *said; /* of the last failure: its problem, of a pause its text; borrowed; NULL: none */
};
/* Fills the budgets and the failures of OUT in, and says which gate is in the way: of several the one
 * that opens last. */
struct plan_gate plan_gate(const struct plan_input *in, const struct plan_due *due,
                           struct plan *out);

#endif

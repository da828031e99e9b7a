/* The ledger's say. Each gate gives the time from which on it is open; the last one counts. */
#include "plan_priv.h"

#include <string.h>

#define HOUR_MS 3600000LL
#define RETRY_MAX_MS                                                                               \
    (31 * PLAN_DAY_MS) /* nobody says more (acme/header.h); the clock was wrong then */

static bool is(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static bool counts(const struct plan_input *in, const struct store_attempt *a)
{
    return a->at_ms <= in->now_ms + plan_scaled(in, PLAN_AHEAD_MS);
}

/* Of the directory that is configured now, of KIND and (NULL: any) OUTCOME. */
static bool matches(const struct plan_input *in, const struct store_attempt *a, const char *kind,
                    const char *outcome)
{
    return counts(in, a) && is(a->directory, in->directory) && is(a->kind, kind) &&
           (outcome == NULL || is(a->outcome, outcome));
}

/* How many of a kind there were in the last SPAN_MS. *opens_ms: when there will be less than MAX; 0:
 * there are. */
static unsigned tally(const struct plan_input *in, const char *kind, const char *outcome,
                      int64_t span_ms, unsigned max, int64_t *opens_ms)
{
    int64_t span = plan_scaled(in, span_ms);
    unsigned n = 0;
    *opens_ms = 0;
    for (size_t i = 0; i < in->attempts_count; i++) {
        const struct store_attempt *a = &in->attempts[i];
        if (matches(in, a, kind, outcome) && in->now_ms < a->at_ms + span && ++n == max) {
            *opens_ms = a->at_ms + span;
        }
    }
    return n;
}

static unsigned left(unsigned max, unsigned n)
{
    return n < max ? max - n : 0;
}

/* ---- failures in a row ------------------------------------------------------------------------- */

struct streak {
    unsigned count;
    const struct store_attempt *last; /* the newest failure; NULL: none */
    int64_t retry_ms;                 /* what the CA said; 0 */
};

/* Newest first, up to the last success. A rehearsal that went well makes earlier failed ones
 * forgotten, not failed orders: it is not what they were about. */
static struct streak streak(const struct plan_input *in)
{
    struct streak s = {.count = 0};
    bool rehearsed = false;
    for (size_t i = 0; i < in->attempts_count; i++) {
        const struct store_attempt *a = &in->attempts[i];
        bool ours = is(a->directory, in->directory);
        bool rehearsal = is(a->kind, "rehearsal");
        bool ok = is(a->outcome, "ok");
        if (!counts(in, a) || (!ours && !rehearsal)) {
            continue;
        }
        if (ok && ours && (is(a->kind, "order") || is(a->kind, "certificate"))) {
            break;
        }
        rehearsed = rehearsed || (rehearsal && ok);
        if (ok || (rehearsal && rehearsed)) {
            continue;
        }
        if (a->retry_ms > s.retry_ms && a->retry_ms <= in->now_ms + RETRY_MAX_MS) {
            s.retry_ms = a->retry_ms;
        }
        if (rehearsal || is(a->kind, "order")) {
            s.last = s.last != NULL ? s.last : a;
            s.count++;
        }
    }
    return s;
}

/* FNV-1a, then a mix: the same failure always waits for the same time. */
static uint64_t blend(const char *text, uint64_t random)
{
    uint64_t h = 14695981039346656037ULL ^ random;
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 1099511628211ULL;
    }
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    return h ^ h >> 33;
}

static int64_t backoff_opens(const struct plan_input *in, const struct streak *s)
{
    static const int64_t steps_ms[] = {60000, 600000, 6000000, PLAN_DAY_MS};
    unsigned last = sizeof steps_ms / sizeof steps_ms[0] - 1;
    if (s->count == 0) {
        return 0;
    }
    int64_t step = plan_scaled(in, steps_ms[s->count - 1 < last ? s->count - 1 : last]);
    uint64_t permille = 800 + blend(s->last->id, in->random) % 401;
    return s->last->at_ms + (int64_t)((double)step * (double)permille / 1000);
}

/* ---- all of them ------------------------------------------------------------------------------- */

static void pass(const struct plan_input *in, struct plan_gate *g, enum plan_why why,
                 int64_t opens_ms)
{
    bool overridden = why != PLAN_GATE_CA && in->forced && is(in->override, plan_why_text(why));
    if (opens_ms > in->now_ms && opens_ms > g->opens_ms && !overridden) {
        g->why = why;
        g->opens_ms = opens_ms;
    }
}

struct plan_gate plan_gate(const struct plan_input *in, const struct plan_due *due,
                           struct plan *out)
{
    bool revoked = due->why == PLAN_REVOKED;
    struct streak s = streak(in);
    struct plan_gate g = {.why = PLAN_NOT_DUE, .said = s.count > 0 ? s.last->problem : NULL};
    int64_t order = 0, floor = 0, certs = 0, authz = 0;
    unsigned orders = tally(in, "order", NULL, PLAN_ORDER_MS, 1, &order);
    unsigned got = tally(in, "certificate", "ok", PLAN_WINDOW_MS, PLAN_CERTS_MAX, &certs);
    unsigned refused = tally(in, "authorization", "failed", HOUR_MS, PLAN_AUTHZ_MAX, &authz);
    (void)tally(in, "certificate", "ok", PLAN_FLOOR_MS, 1, &floor);
    out->failures = s.count;
    out->orders_left = left(1, orders);
    out->certs_left = left(PLAN_CERTS_MAX, got);
    out->authz_left = left(PLAN_AUTHZ_MAX, refused);
    pass(in, &g, PLAN_GATE_ORDER, order);
    pass(in, &g, PLAN_GATE_FLOOR, revoked ? 0 : floor);
    pass(in, &g, PLAN_GATE_CERTS, due->ari || revoked ? 0 : certs);
    pass(in, &g, PLAN_GATE_AUTHZ, authz);
    pass(in, &g, PLAN_GATE_BACKOFF, backoff_opens(in, &s));
    pass(in, &g, PLAN_GATE_CA, s.retry_ms);
    if (s.count > 0 && is(s.last->problem, "paused") &&
        !(in->forced && is(in->override, "paused"))) {
        g = (struct plan_gate){.why = PLAN_GATE_PAUSED, .said = s.last->text};
    }
    return g;
}

bool plan_rehearsed(const struct plan_input *in, const char *staging)
{
    for (size_t i = 0; i < in->attempts_count; i++) {
        const struct store_attempt *a = &in->attempts[i];
        if (counts(in, a) && is(a->kind, "rehearsal") && is(a->outcome, "ok") &&
            is(a->directory, staging) && in->now_ms < a->at_ms + plan_scaled(in, PLAN_WINDOW_MS)) {
            return true;
        }
    }
    return false;
}

#include "plan.h"

#include <stdio.h>

#include "plan_priv.h"

#define STEP_MS 1000 /* two decisions are at least this far apart */

const char *plan_why_text(enum plan_why why)
{
    static const char *const text[] = {
        [PLAN_NOT_DUE] = "not-due",
        [PLAN_FIRST] = "first",
        [PLAN_DUE] = "due",
        [PLAN_ARI] = "ari",
        [PLAN_URGENT] = "urgent",
        [PLAN_FORCED] = "forced",
        [PLAN_FOREIGN] = "foreign",
        [PLAN_REVOKED] = "revoked",
        [PLAN_GATE_ORDER] = "order",
        [PLAN_GATE_FLOOR] = "floor",
        [PLAN_GATE_CERTS] = "certs",
        [PLAN_GATE_AUTHZ] = "authz",
        [PLAN_GATE_BACKOFF] = "backoff",
        [PLAN_GATE_CA] = "retry-after",
        [PLAN_GATE_PAUSED] = "paused",
    };
    return text[why];
}

void plan_span_text(int64_t ms, char out[PLAN_SPAN_TEXT])
{
    static const struct {
        int64_t ms, from;
        const char *unit;
    } units[] = {{86400000, 2 * 86400000, "d"},
                 {3600000, 2 * 3600000, "h"},
                 {60000, 2 * 60000, "min"},
                 {1000, 1000, "s"},
                 {1, INT64_MIN, "ms"}};
    size_t i = 0;
    while (ms < units[i].from) {
        i++;
    }
    snprintf(out, PLAN_SPAN_TEXT, "%lld %s", (long long)((ms + units[i].ms / 2) / units[i].ms),
             units[i].unit);
}

static void explain(const struct plan_input *in, const char *said, struct plan *p)
{
    char span[PLAN_SPAN_TEXT];
    int64_t to = p->why == PLAN_NOT_DUE ? p->renew_ms : p->opens_ms;
    said = said != NULL ? said : "";
    plan_span_text(to - in->now_ms, span);
    switch (p->why) {
    case PLAN_NOT_DUE:
        snprintf(p->text, sizeof p->text, "due in %s", span);
        break;
    case PLAN_FIRST:
        snprintf(p->text, sizeof p->text, "there is no certificate yet");
        break;
    case PLAN_DUE:
        snprintf(p->text, sizeof p->text, "its lifetime is so far gone");
        break;
    case PLAN_ARI:
        snprintf(p->text, sizeof p->text, "the CA's renewal window has come");
        break;
    case PLAN_URGENT:
        snprintf(p->text, sizeof p->text, "less than a tenth of its lifetime is left");
        break;
    case PLAN_FORCED:
        snprintf(p->text, sizeof p->text, "somebody asked for it");
        break;
    case PLAN_FOREIGN:
        snprintf(p->text, sizeof p->text, "what is stored is another CA's or for other names");
        break;
    case PLAN_REVOKED:
        snprintf(p->text, sizeof p->text, "what is stored is revoked");
        break;
    case PLAN_GATE_ORDER:
        snprintf(p->text, sizeof p->text, "an order was begun a moment ago; again in %s", span);
        break;
    case PLAN_GATE_FLOOR:
        snprintf(p->text, sizeof p->text, "a certificate came within the hour; again in %s", span);
        break;
    case PLAN_GATE_CERTS:
        snprintf(p->text, sizeof p->text, "%d certificates in 7 days; again in %s", PLAN_CERTS_MAX,
                 span);
        break;
    case PLAN_GATE_AUTHZ:
        snprintf(p->text, sizeof p->text, "%d failed authorizations in an hour; again in %s",
                 PLAN_AUTHZ_MAX, span);
        break;
    case PLAN_GATE_BACKOFF:
        snprintf(p->text, sizeof p->text, "failed %u time%s in a row%s%s%s; again in %s",
                 p->failures, p->failures == 1 ? "" : "s", *said != '\0' ? " (" : "", said,
                 *said != '\0' ? ")" : "", span);
        break;
    case PLAN_GATE_CA:
        snprintf(p->text, sizeof p->text, "the CA said not before %s from now (Retry-After)", span);
        break;
    case PLAN_GATE_PAUSED:
        snprintf(p->text, sizeof p->text,
                 "the CA has paused the account for these names; a human has to act there: %s",
                 said);
        break;
    }
}

void plan_make(const struct plan_input *in, struct plan *out)
{
    struct plan_due due;
    int64_t last_ms = in->now_ms + plan_scaled(in, PLAN_WAIT_MS);
    int64_t first_ms = in->now_ms + plan_scaled(in, STEP_MS) + 1;
    *out = (struct plan){.what = PLAN_ORDER};
    plan_due(in, &due);
    struct plan_gate gate = plan_gate(in, &due, out);
    out->renew_ms = due.renew_ms;
    out->why = due.why == PLAN_NOT_DUE && in->forced ? PLAN_FORCED : due.why;
    out->at_ms = due.renew_ms;
    if (out->why != PLAN_NOT_DUE && gate.why != PLAN_NOT_DUE) {
        out->why = gate.why;
        out->opens_ms = gate.opens_ms;
        out->at_ms = gate.opens_ms > 0 ? gate.opens_ms : last_ms;
    }
    if (out->why == PLAN_NOT_DUE || out->why >= PLAN_GATE_ORDER) {
        out->what = PLAN_WAIT;
    }
    out->at_ms = out->at_ms < last_ms ? out->at_ms : last_ms;
    out->at_ms = out->at_ms > first_ms ? out->at_ms : first_ms;
    explain(in, gate.said, out);
}

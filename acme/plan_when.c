/* When a certificate is due, by its lifetime and by what the CA says (RFC 9773). */
#include "plan_priv.h"

#define SHORT_MS    (10 * PLAN_DAY_MS)
#define ARI_MIN_MS  60000
#define ARI_MAX_MS  PLAN_DAY_MS
#define ARI_NONE_MS (6 * 3600000LL) /* RFC 9773 §4.3.2 recommends it */
#define DAYS_MAX    3650

int64_t plan_due_ms(int64_t not_before_ms, int64_t not_after_ms, int64_t renew_before_days)
{
    int64_t life = not_after_ms - not_before_ms;
    if (life <= 0) {
        return not_after_ms; /* a row that does not say; the past */
    }
    int64_t due = not_after_ms - life / (life < SHORT_MS ? 2 : 3);
    if (renew_before_days >= 0) {
        int64_t days = renew_before_days < DAYS_MAX ? renew_before_days : DAYS_MAX;
        int64_t wish = not_after_ms - days * PLAN_DAY_MS;
        int64_t first = not_before_ms + life / 3;
        wish = wish > first ? wish : first;
        due = wish < due ? wish : due;
    }
    return due;
}

int64_t plan_ari_moment(int64_t start_ms, int64_t end_ms, int64_t now_ms, uint64_t random)
{
    if (end_ms <= now_ms) {
        return now_ms;
    }
    return end_ms <= start_ms ? start_ms
                              : start_ms + (int64_t)(random % (uint64_t)(end_ms - start_ms));
}

int64_t plan_ari_wait_ms(int64_t retry_ms)
{
    if (retry_ms < 0) {
        return ARI_NONE_MS;
    }
    return retry_ms < ARI_MIN_MS ? ARI_MIN_MS : retry_ms > ARI_MAX_MS ? ARI_MAX_MS : retry_ms;
}

unsigned plan_alarm(int64_t not_before_ms, int64_t not_after_ms, int64_t now_ms)
{
    int64_t life = not_after_ms - not_before_ms;
    int64_t left = not_after_ms - now_ms;
    if (left <= 0) {
        return 4;
    }
    return left < life / 20 ? 3 : left < life / 10 ? 2 : left < life / 4 ? 1 : 0;
}

/* The moment that was drawn, if there is one and it is about this certificate. */
static bool ari_moment(const struct plan_input *in, int64_t *moment)
{
    const struct store_renewal *r = in->renewal;
    if (r == NULL || !in->renewal_matches || r->renew_ms <= 0 || r->ari_start_ms <= 0 ||
        r->ari_end_ms < r->ari_start_ms) {
        return false;
    }
    *moment = r->renew_ms;
    return true;
}

static bool is_revoked(const struct plan_input *in)
{
    return in->renewal != NULL && in->renewal_matches && in->renewal->revoked_ms > 0;
}

/* The earlier one of MOMENT and what the operator asked for. */
static int64_t not_after_wish(const struct plan_input *in, int64_t moment, int64_t not_before_ms)
{
    int64_t wish = plan_due_ms(not_before_ms, in->cert->expires_ms, in->renew_before_days);
    int64_t without = plan_due_ms(not_before_ms, in->cert->expires_ms, -1);
    return wish < without && wish < moment ? wish : moment;
}

void plan_due(const struct plan_input *in, struct plan_due *out)
{
    *out = (struct plan_due){.why = PLAN_FIRST};
    if (in->cert == NULL) {
        return;
    }
    int64_t not_after_ms = in->cert->expires_ms;
    int64_t not_before_ms = in->not_before_ms > 0 ? in->not_before_ms : in->cert->issued_ms;
    int64_t urgent_ms = not_after_ms - (not_after_ms - not_before_ms) / 10;
    int64_t moment = 0;
    bool by_ari = ari_moment(in, &moment);
    out->ari = by_ari && in->now_ms >= moment;
    out->renew_ms = by_ari ? not_after_wish(in, moment, not_before_ms)
                           : plan_due_ms(not_before_ms, not_after_ms, in->renew_before_days);
    out->renew_ms = out->renew_ms < urgent_ms ? out->renew_ms : urgent_ms;
    if (in->foreign) {
        out->renew_ms = in->now_ms;
        out->why = PLAN_FOREIGN;
    } else if (is_revoked(in)) {
        out->renew_ms =
            in->renewal->revoked_ms < out->renew_ms ? in->renewal->revoked_ms : out->renew_ms;
        out->why = PLAN_REVOKED;
    } else if (in->now_ms < out->renew_ms) {
        out->why = PLAN_NOT_DUE;
    } else if (in->now_ms >= urgent_ms) {
        out->why = PLAN_URGENT;
    } else {
        out->why = out->ari ? PLAN_ARI : PLAN_DUE;
    }
}

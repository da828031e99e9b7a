/* When to order. Pure: what there is, what has been tried, the time, and a random number go in, one
 * decision with its reason comes out.
 *
 * Without renewal information: at a third of the lifetime left, at half of it for lifetimes below ten
 * days. With it (RFC 9773): at a moment of the window that was drawn at random once and is kept. In either
 * case at renewBeforeDays, if that is earlier (but never before a third of the lifetime is over: 30 days
 * make no sense with 160 hours), and urgent when a tenth of the lifetime is left. The lifetime is what
 * the certificate says, so 160 hours, 45 and 90 days need no setting.
 *
 * The ledger (store_attempt) is asked before each order; a restart does not empty it:
 *   - no two orders within PLAN_ORDER_MS; no two certificates for the same names within PLAN_FLOOR_MS;
 *   - at most PLAN_CERTS_MAX certificates for the same names in 7 days (unless ARI says renew);
 *     neither of these two holds the replacement of a certificate up that we had revoked;
 *   - at most PLAN_AUTHZ_MAX failed authorizations in an hour;
 *   - after failures in a row: 1, 10, 100 minutes, then a day (each 20 % more or less, at random);
 *   - never before what the CA said in Retry-After, never while the account is paused.
 * Rehearsals count in the backoff, and in nothing else; "forced", "rollover" and "revoke" in nothing. An attempt that nobody told the end of (its
 * maker died) counts as a failure. Rows of another directory do not count, and neither do rows that are
 * PLAN_AHEAD_MS in the future: some clock was wrong then.
 *
 * An override (force-renew) names the one gate that it passes over, in the word of plan_why_text():
 * "order", "floor", "certs", "authz", "backoff"; and "paused", for whoever has unpaused the account at
 * the CA. Retry-After is never passed over.
 */
#ifndef ACME_PLAN_H
#define ACME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define PLAN_ORDER_MS  36000
#define PLAN_FLOOR_MS  3600000
#define PLAN_CERTS_MAX 4
#define PLAN_AUTHZ_MAX 4
#define PLAN_WINDOW_MS (7 * 86400000LL) /* how far back the ledger is read */
#define PLAN_AHEAD_MS  3600000
#define PLAN_WAIT_MS   86400000 /* the next decision is never further away */
#define PLAN_TEXT_MAX  512

struct plan_input {
    int64_t now_ms;
    const struct store_cert *cert; /* NULL: none */
    int64_t not_before_ms;         /* of the certificate; 0: issued_ms stands in */
    bool foreign; /* it is of another directory than the one now configured, or for other names */
    const struct store_renewal *renewal;  /* NULL: nothing known */
    bool renewal_matches;                 /* ... and it is about this certificate (serial) */
    const struct store_attempt *attempts; /* newest first */
    size_t attempts_count;
    const char *directory;     /* the one now configured */
    int64_t renew_before_days; /* -1: unset */
    bool forced;               /* a job waits */
    const char *override;      /* of the job; "" */
    uint64_t random; /* for jitter; the same one for as long as there is somebody to keep it */
    double
        scale; /* 1; tests, with lifetimes of seconds: every fixed time above is multiplied by it */
};

enum plan_what { PLAN_WAIT, PLAN_ORDER };
enum plan_why {
    PLAN_NOT_DUE,
    PLAN_FIRST, /* there is no certificate */
    PLAN_DUE,   /* by lifetime */
    PLAN_ARI,   /* by the CA's window */
    PLAN_URGENT,
    PLAN_FORCED,
    PLAN_FOREIGN, /* of another CA, or names changed */
    PLAN_REVOKED, /* it is, and somebody asked for that */
    PLAN_GATE_ORDER,
    PLAN_GATE_FLOOR,
    PLAN_GATE_CERTS,
    PLAN_GATE_AUTHZ, /* the ledger says not now */
    PLAN_GATE_BACKOFF,
    PLAN_GATE_CA, /* Retry-After */
    PLAN_GATE_PAUSED
};
struct plan {
    enum plan_what what;
    enum plan_why why;
    int64_t at_ms; /* PLAN_WAIT: when to decide again (wall clock), at the latest; in the future */
    int64_t opens_ms;  /* PLAN_GATE_*: when that gate opens (wall clock); 0: when somebody acts */
    int64_t renew_ms;  /* when it is, or was, due; 0: there is no certificate */
    unsigned failures; /* in a row */
    unsigned certs_left, authz_left, orders_left; /* of the budgets; for metrics */
    char text[PLAN_TEXT_MAX];                     /* the reason, for people */
};
void plan_make(const struct plan_input *in, struct plan *out);
const char *plan_why_text(enum plan_why why); /* one word per reason: "not-due", "backoff", ... */
/* The ledger knows of a rehearsal at directory STAGING that went well, in PLAN_WINDOW_MS. */
bool plan_rehearsed(const struct plan_input *in, const char *staging);
/* "3 min", "29 d": for people. */
#define PLAN_SPAN_TEXT 32
void plan_span_text(int64_t ms, char out[PLAN_SPAN_TEXT]);

/* The moment in an ARI window, for a row of acme_renewal: evenly at random (RFC 9773 §4.2), now if the
 * window is over. */
int64_t plan_ari_moment(int64_t start_ms, int64_t end_ms, int64_t now_ms, uint64_t random);
/* How long until ARI is asked again: Retry-After between a minute and a day, else six hours. */
int64_t plan_ari_wait_ms(int64_t retry_ms);
/* What is left of the lifetime: 0 all well, 1, 2, 3 for under 25, 10, 5 %; 4: it is over. */
unsigned plan_alarm(int64_t not_before_ms, int64_t not_after_ms, int64_t now_ms);
/* By lifetime alone. */
int64_t plan_due_ms(int64_t not_before_ms, int64_t not_after_ms, int64_t renew_before_days);

#endif

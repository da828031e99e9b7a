/* Another key for the account (RFC 8555 §7.3.5), as a machine: pure, like acme/order.h.
 *
 *   read ─ nothing begun ─> make ─> save (pending) ─> change ─ done ─> promote ─> save ─> over
 *     │                                                 ^ │              ^
 *     └─ begun by somebody ─> probe ── is not known ────┘ └ not known how it ended ─> pause ─> probe ...
 *                               └───── is the account's ─────────────────┘
 *
 * The new key is in the store before the CA hears of it, beside the old one, and takes its place after
 * the CA has said yes; whatever is lost in between is found out by asking for the account with the new
 * key (onlyReturnExisting, §7.3.1). The account's URL stays, and with it CAA.
 */
#ifndef ACME_ROLLOVER_H
#define ACME_ROLLOVER_H

#include "tries.h"

/* What to do; the result comes with acme_rollover_next(), with what is named here. */
enum acme_rollover_act {
    ROLLOVER_READ,    /* directory, and the account's row: found, pending */
    ROLLOVER_MAKE,    /* the other key, in memory */
    ROLLOVER_SAVE,    /* fenced: the row as it is in memory */
    ROLLOVER_PROBE,   /* is there an account with the other key */
    ROLLOVER_CHANGE,  /* keyChange; the lease confirmed before */
    ROLLOVER_PROMOTE, /* the other key is the account's now, in memory */
    ROLLOVER_WAIT,    /* wait_ms */
    ROLLOVER_OVER,    /* the end: well */
    ROLLOVER_FAILED   /* the end: problem */
};

struct acme_rollover_ev {
    enum err e;
    const char *text;                   /* of e; NULL */
    const struct acme_problem *problem; /* what the CA answered; NULL */
    int64_t retry_ms;                   /* -1 */
    bool found, pending;
};

struct acme_rollover {
    enum acme_rollover_act doing, then;
    bool promoted;
    unsigned tries;
    int64_t wait_ms;
    struct acme_problem problem;
};

/* The first thing to do is ROLLOVER_READ. */
void acme_rollover_init(struct acme_rollover *r);
enum acme_rollover_act acme_rollover_next(struct acme_rollover *r,
                                          const struct acme_rollover_ev *ev);

#endif

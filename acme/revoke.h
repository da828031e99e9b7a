/* A certificate is to count no more (RFC 8555 §7.6), as a machine: pure, like acme/rollover.h.
 *
 *   read ──> ask ── done, or it was revoked already ──> over
 *    │ ^      │ ^
 *    └─┴ pause┴─┘
 *
 * Asking twice is asking once, so whoever was interrupted asks again. Signed with the account's key: the
 * certificate's own may be the one that is lost.
 */
#ifndef ACME_REVOKE_H
#define ACME_REVOKE_H

#include "tries.h"

/* What is asked for, as a job's row has it: "<serial in hex> <reason>". */
struct acme_revoke_wish {
    char serial[41]; /* lower case */
    int reason;      /* RFC 5280 §5.3.1; -1: none is given, which is how "unspecified" is said */
};
/* Reasons: "keyCompromise", "superseded", "cessationOfOperation", "unspecified". False: neither. */
bool acme_revoke_wish_read(const char *argument, struct acme_revoke_wish *out);

enum acme_revoke_act {
    REVOKE_READ,  /* directory, the account's key, the certificate */
    REVOKE_ASK,   /* revokeCert; the lease confirmed before */
    REVOKE_WAIT,  /* wait_ms */
    REVOKE_OVER,  /* the end: well */
    REVOKE_FAILED /* the end: problem */
};

struct acme_revoke_ev {
    enum err e;
    const char *text;                   /* of e; NULL */
    const struct acme_problem *problem; /* what the CA answered, or we found; NULL */
    int64_t retry_ms;                   /* -1 */
};

struct acme_revoke {
    enum acme_revoke_act doing, then;
    bool already; /* somebody else was first */
    unsigned tries;
    int64_t wait_ms;
    struct acme_problem problem;
};

/* The first thing to do is REVOKE_READ. */
void acme_revoke_init(struct acme_revoke *r);
enum acme_revoke_act acme_revoke_next(struct acme_revoke *r, const struct acme_revoke_ev *ev);

#endif

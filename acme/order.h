/* One certificate's way through RFC 8555, as a machine: no socket, no clock, no store, no heap. It is
 * told what happened (struct acme_ev) and says what to do next (struct acme_act); acme/job_uv.c does
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
 * From `new` on every state is saved (ACME_ACT_SAVE) before the step that it names is taken; before it
 * there is no order of ours to save, and the state is only told (ACME_ACT_TELL). ACME_ACT_CONFIRM (is
 * the lease still ours) comes right before newOrder, each challenge and finalize, which cannot be
 * fenced.
 *
 * On the way out after a failure proofs are taken away, pending authorizations deactivated (§7.5.2)
 * and, if validation was what failed, witnesses asked. Three ends leave everything as it is, for the next
 * holder: the lease is lost (a fenced write was refused, or CONFIRM said no), being cancelled, and a key
 * that cannot be opened here ("vault"): that is this core's trouble, not the order's, and no attempt.
 *
 * An order that was found in the store, and that the CA does not know any more or calls invalid, is
 * ended, and another one begun, once. An account that is gone is made again, once.
 *
 * What failed for transient reasons (ACME_AGAIN) is done again after a pause: Retry-After if it was
 * said and is not longer than ORDER_POLL_MAX_MS (else that is the end, and the ledger remembers),
 * else growing from a second to a minute.
 */
#ifndef ACME_ORDER_H
#define ACME_ORDER_H

#include "object.h"
#include "tries.h"

/* Between two looks while the CA says nothing about it: soon once, for those that are quick, then a
 * second growing to five. */
#define ORDER_POLL_SOON_MS  250
#define ORDER_POLL_FIRST_MS 1000
#define ORDER_POLL_MAX_MS   60000 /* what Retry-After is cut to while polling; no less than FIRST */
#define ORDER_DEADLINE_MS                                                                          \
    900000 /* from the first step to the certificate; the CA's `expires` if less */
#define ORDER_TRIES_MAX TRIES_MAX /* of one request that failed for transient reasons */
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

/* What to do next. The result comes as an event of kind ACME_EV_RESULT, with what is named here filled
 * in besides e and text; one action is under way at a time. F: a fenced write, whose ERR_DENIED says
 * that the lease has passed on. C: a request to the CA: problem and retry_ms too. */
enum acme_act_kind {
    ACME_ACT_NONE,      /* go on waiting for the result */
    ACME_ACT_TELL,      /* says where it is */
    ACME_ACT_SAVE,      /* F. the order's row, with the machine's state, url and expires_ms */
    ACME_ACT_LOAD,      /* the order's row: found, usable (then url and expires_ms) */
    ACME_ACT_DIRECTORY, /* C: directory */
    ACME_ACT_ACCOUNT,   /* F, C. know the account (acme/account.h), its CAA served; anew: its url is
                              not to be believed */
    ACME_ACT_PRECHECK,  /* ERR_DENIED: the CA would refuse; text */
    ACME_ACT_STAGE,     /* an id and a key for a new order, in memory */
    ACME_ACT_LEDGER,    /* F. an attempt: entry, outcome, index */
    ACME_ACT_CONFIRM,   /* held */
    ACME_ACT_NEW_ORDER, /* C, with profile and, if it is still wanted, replaces: order, location */
    ACME_ACT_ORDER,     /* C. asks for the order: order */
    ACME_ACT_AUTHORIZATION, /* C. asks for authorization INDEX: authorization */
    ACME_ACT_PUBLISH,       /* F. puts the proofs of all that acme_order_proves() */
    ACME_ACT_PROVE,         /* until they are served everywhere */
    ACME_ACT_CHALLENGE,     /* C. tells the CA to look at authorization INDEX's challenge */
    ACME_ACT_FINALIZE,      /* C: order */
    ACME_ACT_DOWNLOAD,   /* C. the chain, INDEX 0, or its INDEX-th alternate: matches, alternates */
    ACME_ACT_CHECK,      /* is what was downloaded what was asked for, and for the staged key */
    ACME_ACT_STORE,      /* F. the certificate */
    ACME_ACT_DEACTIVATE, /* C. authorization INDEX */
    ACME_ACT_WITNESSES,  /* who asked for the proofs */
    ACME_ACT_END,        /* F. the order's row and its proofs go */
    ACME_ACT_WAIT,       /* wait_ms */
    ACME_ACT_DONE        /* the end: acme_order_result() */
};

enum acme_entry {
    ACME_ENTRY_ORDER,
    ACME_ENTRY_AUTHORIZATION,
    ACME_ENTRY_CERTIFICATE,
    ACME_ENTRY_REHEARSAL
};
enum acme_entry_outcome { ACME_ENTRY_OPEN, ACME_ENTRY_OK, ACME_ENTRY_FAILED };

struct acme_act {
    enum acme_act_kind kind;
    size_t index;
    int64_t wait_ms;
    bool anew;
    enum acme_entry entry;
    enum acme_entry_outcome outcome;
    const struct acme_problem *problem; /* LEDGER of a failure, WAIT after one; borrowed; NULL */
};

enum acme_ev_kind { ACME_EV_RESULT, ACME_EV_GO, ACME_EV_CANCEL };

/* Pointers are borrowed for the call. */
struct acme_ev {
    enum acme_ev_kind kind;
    int64_t now_ms, wall_ms; /* monotonic; wall clock (the CA's times are compared with it) */
    enum err e;
    const char *text;                   /* of e; NULL */
    const struct acme_problem *problem; /* what the CA answered; NULL: no problem, or no answer */
    int64_t retry_ms;                   /* -1: nobody said */
    bool found, usable, held, matches;
    const char *url; /* of LOAD, and where a new order is; NULL or "": not told */
    int64_t expires_ms;
    const struct acme_directory *directory;
    const struct acme_order_object *order;
    const struct acme_authorization *authorization;
    const char (*alternates)[ACME_URL_MAX];
    size_t alternates_count;
};

struct acme_order_options {
    bool rehearsal;
    enum acme_challenge_type type;
    const char *const *names; /* borrowed: lower case, sorted, at most ACME_NAMES_MAX */
    size_t names_count;
    const char *profile; /* borrowed; NULL or "auto" */
    bool replaces;       /* there is a certificate to name */
};

#define ORDER_ALTERNATES_MAX 8

/* One authorization, as far as it is of use. */
struct acme_order_authz {
    char url[ACME_URL_MAX];
    char name[ACME_NAME_MAX];
    bool wildcard;
    enum acme_status status;
    enum acme_status challenge_status;
    char challenge[ACME_URL_MAX]; /* of the one chosen; "" */
    char token[ACME_TOKEN_MAX];
    bool failed;                 /* validated, with no success: it counts at the CA */
    bool refused;                /* the CA did not want to look at it */
    struct acme_problem problem; /* of either, or if it cannot be used */
};

/* Fixed storage, some 30 KiB, no pointers but the options'. Read by the driver, changed by the machine
 * alone. */
struct acme_order {
    struct acme_order_options options;
    enum acme_order_state state;
    enum acme_act_kind doing, then; /* under way; after the pause or the confirmation */
    size_t index;                   /* of either */
    enum acme_entry entry;          /* likewise */
    enum acme_entry_outcome outcome;
    int64_t deadline_ms; /* monotonic */
    unsigned tries, polls, finalizes;
    int64_t hint_ms; /* the longest Retry-After of this round of polling; -1 */
    bool staged;     /* there is an id, a key, perhaps a row */
    bool resumed;    /* the order was found in the store */
    bool dropping, renewed;
    bool cancelled, lease_lost;
    bool stored; /* the certificate is; or the rehearsal went well */
    bool with_replaces;
    char profile[64]; /* "": none asked for */
    char url[ACME_URL_MAX];
    enum acme_status status;
    int64_t expires_ms; /* wall clock; 0 */
    char finalize[ACME_URL_MAX];
    char certificate[ACME_URL_MAX];
    char alternates[ORDER_ALTERNATES_MAX][ACME_URL_MAX];
    size_t alternates_count;
    bool chain_found; /* no chain was preferred, or the one that was came */
    struct acme_order_authz authz[ACME_NAMES_MAX];
    size_t authz_count;
    unsigned failing; /* where on the way out */
    size_t failing_index;
    enum acme_order_state failed_in; /* out of what */
    struct acme_problem problem;     /* and why; class ACME_FINE: all is well */
    struct acme_problem again;       /* what a pause is for */
};

void acme_order_init(struct acme_order *o, const struct acme_order_options *options);
struct acme_act acme_order_next(struct acme_order *o, const struct acme_ev *ev);
/* Authorization I has a proof of ours to be published. */
bool acme_order_proves(const struct acme_order *o, size_t i);
/* At the end: it went well (the certificate is stored, or the rehearsal over). */
bool acme_order_result(const struct acme_order *o);

#endif

/* What the files of publisher share: an operation, from the call to its callback. It waits for one thing
 * at a time; whatever that is, its callback begins with publisher_op_over().
 */
#ifndef DNSD_APP_PUBLISHER_PRIV_H
#define DNSD_APP_PUBLISHER_PRIV_H

#include <jansson.h>

#include "dnsd/probe/prove_uv.h"
#include "dnsd/probe/resolve_uv.h"
#include "lib/httpc_curl.h"
#include "lib/tls_look_uv.h"
#include "publisher_uv.h"

#define CHALLENGE_LABEL "_acme-challenge"
#define DELEGATION_KEEP_MS                                                                         \
    60000 /* a proof follows its precheck: the parent need not be asked twice */

struct op;
typedef void op_step(struct op *op);

/* A proof, or a name of a precheck. */
struct item {
    enum acme_challenge_type type;
    char *name, *token, *value; /* owned; NULL: none */
    bool wildcard;
    struct wire_name host;   /* the name itself, without "*." */
    char row[STORE_KEY_MAX]; /* DNS-01: the challenge's name as rows have it */
};

struct op {
    struct publisher *p;
    struct op *next;
    acme_publisher_cb *cb;
    void *cb_ctx; /* borrowed */
    uv_timer_t timer;
    op_step *step; /* what the timer runs */
    bool canceled, ended;
    struct err_info info;
    json_t *report; /* owned */
    json_t *notes;  /* borrowed from the report; NULL: none yet */

    /* Under way, NULL or false if not. */
    struct probe_call *call;
    struct prove *prove;
    struct httpc_call *http;
    struct tls_look *look;
    bool resolving;

    struct item *items; /* owned */
    size_t items_count, at;
    int64_t deadline_ms; /* monotonic, of our clock */
    int64_t since_ms, expires_ms;

    /* precheck */
    enum acme_challenge_type type;
    char *account, **issuers; /* owned */
    size_t issuers_count, foreign;
    struct publisher_core *cores; /* owned; PUBLISHER_CORES_MAX */
    size_t cores_count, core;
    struct sockaddr_storage asked;
    struct wire_name label; /* CAA is asked for it now */
    bool in_zone, above;    /* some core has a CAA set; some has none up to the apex */
    struct caa_set *set;    /* owned */

    /* put */
    char *order, *lease, *holder; /* owned */
    uint64_t term;

    /* prove */
    struct prove_name names[PROVE_NAMES_MAX]; /* values owned */
    size_t names_count;
    struct prove_server *servers; /* owned, with labels; PROVE_SERVERS_MAX */
    size_t servers_count;
    uint64_t revision;
    json_t *entry; /* borrowed from the report: of the name that is looked at */

    /* witnesses */
    json_t *witnesses; /* borrowed from the report */
    struct said *said; /* owned */
};

struct publisher {
    struct publisher_options
        o; /* pointers borrowed, but for the apex and the resolvers (not kept) */
    struct wire_name apex;
    bool has_apex;
    struct acme_publisher face;
    struct probe *probe;                   /* owned */
    struct resolve *resolve;               /* owned */
    struct httpc *http;                    /* owned */
    struct op *ops;                        /* owned */
    struct resolve_delegation *delegation; /* owned; as last told */
    int64_t delegation_ms;                 /* monotonic; when; < 0: never */
    unsigned open;                         /* of probe, resolve and http */
    bool closing;
    void (*done)(void *ctx);
    void *ctx; /* borrowed */
};

/* publisher_uv.c: closes what nobody uses any more, if P is to close. */
void publisher_see_closed(struct publisher *p);

/* publisher_op.c */
void publisher_op_cancel(struct op *op);
struct op *publisher_op_new(struct publisher *p, acme_publisher_cb *cb, void *cb_ctx,
                            op_step *first);
/* The operation is to end, and this ends it: its callback must return at once. */
bool publisher_op_over(struct op *op);
void publisher_op_end(struct op *op, enum err e);
void publisher_op_later(struct op *op, int64_t wait_ms, op_step *step);
enum err publisher_op_take_proofs(struct op *op, const struct acme_proof *proofs, size_t count);
/* Fills in host, row and wildcard. ERR_DENIED: a DNS-01 name that is not in our zone. */
enum err publisher_op_read_name(struct op *op, struct item *item);
/* The store; NULL: it is not there, and INFO says so. */
struct store *publisher_op_store(struct op *op);
/* A line in the report's "notes". */
void publisher_op_note(struct op *op, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Asks for the delegation, unless it was told a moment ago. STEP has op->p->delegation; E: as
 * resolve_delegation_cb(), with op->info. */
void publisher_op_delegation(struct op *op, op_step *step,
                             void (*failed)(struct op *op, enum err e));
size_t publisher_op_core_addresses(const struct op *op, const struct publisher_core *core,
                                   struct sockaddr_storage out[2]);

/* The values that others have at a DNS-01 item's name: rows that have not expired and the record's.
 * EACH is called for each. */
void publisher_op_foreign(struct op *op, void (*each)(struct op *op, const char *value),
                          void (*done)(struct op *op, enum err e));

/* publisher_precheck.c, publisher_prove.c and the others: the first step of each. */
void publisher_precheck_begin(struct op *op);
void publisher_put_begin(struct op *op);
void publisher_prove_begin(struct op *op);
void publisher_witness_begin(struct op *op);

#endif

/* node_cert: the certificates that the cluster's CA has given, and which of them count no more. */
#include "joining.h"

#include "looked.h"

/* Of a core that was taken out while its renewed certificate was being signed there is none that nobody
 * revoked. */
static const char PUT_SQL[] =
    "INSERT INTO node_cert(serial, core, fingerprint, issued_ms, expires_ms, revoked_ms, reason)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
    " WHERE EXISTS (SELECT 1 FROM keyValue WHERE key = '" KEY_CORE "' || ?2)"
    " OR EXISTS (SELECT 1 FROM node_cert AS c WHERE c.core = ?2 AND c.revoked_ms = 0)"
    " OR NOT EXISTS (SELECT 1 FROM node_cert AS c WHERE c.core = ?2)"
    " ON CONFLICT(serial) DO NOTHING";
static const char PURGE_SQL[] = "DELETE FROM node_cert WHERE expires_ms <= ?1";

#define COLUMNS                                                                                    \
    "SELECT serial, core, fingerprint, issued_ms, expires_ms, revoked_ms, reason FROM node_cert"
#define WHICH  "(NOT ?1 OR (revoked_ms <> 0 AND expires_ms > ?2))"
#define NEWEST " ORDER BY n DESC LIMIT ?3"
static const char ALL_SQL[] = COLUMNS " WHERE " WHICH NEWEST;
static const char OF_SQL[] = COLUMNS " WHERE core = ?4 AND " WHICH NEWEST;
enum {
    COL_SERIAL,
    COL_CORE,
    COL_FINGERPRINT,
    COL_ISSUED,
    COL_EXPIRES,
    COL_REVOKED,
    COL_REASON,
    COL_COUNT
};

/* ?2: the serial, or "" for all. */
#define COUNTING "core = ?1 AND (?2 = '' OR serial = ?2) AND revoked_ms = 0"
#define COUNT    "(SELECT count(*) FROM node_cert WHERE " COUNTING ")"
static const char COUNT_SQL[] = "SELECT " COUNT;
static const char GUARD_SQL[] = LOOKED_GUARD(COUNT, "?3");
static const char REVOKE_SQL[] =
    "UPDATE node_cert SET revoked_ms = ?3, reason = ?4 WHERE " COUNTING;

/* One that counts has none. */
static const char *reason_of(const struct store_node_cert *c)
{
    return c->reason != NULL ? c->reason : "";
}

void node_certs_check(struct op *op, const struct store_node_cert *c)
{
    op_check_name(op, KEY_SERIAL, c->serial);
    op_check_name(op, KEY_SERIAL, c->fingerprint);
    op_check_name(op, KEY_CORE, c->core);
    op_check_value(op, c->core, reason_of(c));
}

void node_certs_add(struct op *op, struct backend_statement statements[NODE_CERTS_ADD],
                    const struct store_node_cert *c)
{
    op_statement(op, &statements[0], PUT_SQL, true,
                 OP_ARGS(OP_TEXT(c->serial), OP_TEXT(c->core), OP_TEXT(c->fingerprint),
                         OP_NUMBER(c->issued_ms), OP_NUMBER(c->expires_ms),
                         OP_NUMBER(c->revoked_ms), OP_TEXT(reason_of(c))));
    op_statement(op, &statements[1], PURGE_SQL, false,
                 OP_ARGS(OP_NUMBER(c->issued_ms - STORE_NODE_CERTS_KEEP)));
}

void store_node_cert_put(struct store *s, const struct store_node_cert *cert, store_done_cb *cb,
                         void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    struct backend_statement *st =
        pool_array(&o->op.pool, NODE_CERTS_ADD, sizeof *o->op.batch.statements);
    node_certs_check(&o->op, cert);
    o->name = pool_text(&o->op.pool, cert->serial);
    o->missed = ERR_CONFLICT;
    o->what = "there is already such a serial number, or the core was taken out";
    if (st != NULL) {
        node_certs_add(&o->op, st, cert);
        o->op.batch = (struct backend_batch){.statements = st, .count = NODE_CERTS_ADD};
    }
    op_start_batch(&o->op);
}

struct list_op {
    struct op op;
    store_node_certs_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_node_cert *list =
        op_list(op, &e, &info, reply, sizeof *list, "certificates", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_node_cert){
            .serial = backend_text(&cells[COL_SERIAL]),
            .core = backend_text(&cells[COL_CORE]),
            .fingerprint = backend_text(&cells[COL_FINGERPRINT]),
            .issued_ms = backend_number(&cells[COL_ISSUED]),
            .expires_ms = backend_number(&cells[COL_EXPIRES]),
            .revoked_ms = backend_number(&cells[COL_REVOKED]),
            .reason = backend_text(&cells[COL_REASON]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_node_certs_list(struct store *s, const char *core, bool revoked, int64_t now_ms,
                           store_node_certs_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    const struct backend_value values[] = {OP_NUMBER(revoked), OP_NUMBER(now_ms),
                                           OP_NUMBER(STORE_NODE_CERTS_MAX),
                                           OP_TEXT(core != NULL ? core : "")};
    o->cb = cb;
    o->ctx = ctx;
    if (core == NULL) {
        op_read(&o->op, ALL_SQL, BACKEND_LOCAL, values, 3);
        return;
    }
    op_check_name(&o->op, KEY_CORE, core);
    op_read(&o->op, OF_SQL, BACKEND_LOCAL, values, 4);
}

struct revoke_op {
    struct looked looked;
    int64_t now_ms;
    const char *reason; /* in op.pool */
    struct store_tally tally;
    store_tally_cb *cb;
    void *ctx; /* borrowed */
};

static enum err plan_revoke(struct looked *l)
{
    struct revoke_op *o = (struct revoke_op *)l;
    o->tally.updated = (size_t)looked_cell(l, 0);
    if (o->tally.updated > 0) {
        looked_add(l, REVOKE_SQL,
                   OP_ARGS(l->values[0], l->values[1], OP_NUMBER(o->now_ms), OP_TEXT(o->reason)));
    }
    return ERR_OK;
}

static void revoked(struct looked *l, enum err e, const struct err_info *info)
{
    struct revoke_op *o = (struct revoke_op *)l;
    o->cb(o->ctx, e, info, e == ERR_OK ? &o->tally : NULL);
}

void store_node_certs_revoke(struct store *s, const char *core, const char *serial, int64_t now_ms,
                             const char *reason, store_tally_cb *cb, void *ctx)
{
    static const struct looked_kind kind = {.look_sql = COUNT_SQL,
                                            .guard_sql = GUARD_SQL,
                                            .args = 2,
                                            .cells = 1,
                                            .plan = plan_revoke,
                                            .done = revoked};
    struct revoke_op *o = looked_new(s, sizeof *o, &kind);
    struct op *op = &o->looked.op;
    o->now_ms = now_ms;
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(op, KEY_CORE, core);
    op_check_value(op, core, reason);
    joining_check_now(op, now_ms);
    if (serial != NULL) {
        op_check_name(op, KEY_SERIAL, serial);
    }
    o->reason = pool_text(&op->pool, reason);
    const struct backend_value values[] = {OP_TEXT(core), OP_TEXT(serial != NULL ? serial : "")};
    looked_start(&o->looked, values);
}

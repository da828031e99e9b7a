/* A core shows its token. One conditional statement consumes it; if it did not, what is there is read
 * to say why not. Somebody may have been there in between: then what is found is told, and if nothing
 * is in its way any more it is tried again.
 *
 *     write ── consumed ──────> acked
 *       ^ └─── not ───> why ──> again, unknown, expired, ...
 *       └── no reason any more ───┘
 */
#include "joining.h"

#include <string.h>

#define TRIES 3

static const char CONSUME_SQL[] =
    "UPDATE join_token SET consumed_ms = ?5, consumed_by = ?3, consumed_from = ?4, core = ?1"
    " WHERE hash = ?2 AND core IN (?1, '') AND " JOINING_TOKEN_LIVE(
        "?5") " AND EXISTS (SELECT 1 FROM admission AS a WHERE a.core = ?1"
              " AND lower(a.fingerprint) = lower(?3)) AND " JOINING_ROW " IS NOT NULL";
static const char ACKED_SQL[] =
    "UPDATE admission SET state = 'acked', acked_ms = ?2 WHERE core = ?1";

static const char WHY_SQL[] =
    "SELECT t.core, t.consumed_ms, t.revoked_ms, t.expires_ms, lower(t.consumed_by) = lower(?3),"
    " t.consumed_from = ?4, a.core IS NOT NULL, lower(a.fingerprint) = lower(?3), " JOINING_ROW
    " IS NOT NULL FROM join_token AS t LEFT JOIN admission AS a ON a.core = ?1 WHERE t.hash = ?2";
enum {
    WHY_CORE,
    WHY_CONSUMED,
    WHY_REVOKED,
    WHY_EXPIRES,
    WHY_BY_SAME,
    WHY_FROM_SAME,
    WHY_ADMITTED,
    WHY_CERT_SAME,
    WHY_ROW
};

struct ack_op {
    struct op op;
    struct backend_statement statements[2];
    struct backend_value values[5]; /* in op.pool: core, hash, fingerprint, from, now */
    unsigned tries;
    store_ack_cb *cb;
    void *ctx; /* borrowed */
};

static op_end_cb on_written;

static void finish(struct ack_op *o, enum err e, const struct err_info *info, enum store_acked how)
{
    o->cb(o->ctx, e, info, how);
    op_free(&o->op);
}

/* It was consumed: by whoever asks now? */
static enum store_acked consumed(const struct backend_value *cells, bool admitted, bool same_cert)
{
    if (backend_number(&cells[WHY_BY_SAME]) == 0 || backend_number(&cells[WHY_FROM_SAME]) == 0) {
        return STORE_ACK_CONSUMED;
    }
    if (backend_number(&cells[WHY_ROW]) == 0) {
        return STORE_ACK_NO_CORE;
    }
    return admitted && !same_cert ? STORE_ACK_OTHER_CERT : STORE_ACK_AGAIN;
}

/* STORE_ACKED: there is no reason any more. In the order in which reasons are told: whose token it is
 * comes first, so that nobody learns more of another's. */
static enum store_acked why_not(const struct ack_op *o, const struct backend_reply *reply)
{
    const struct backend_value *cells = reply->cells;
    if (reply->rows == 0) {
        return STORE_ACK_UNKNOWN;
    }
    const char *core = backend_text(&cells[WHY_CORE]);
    bool admitted = backend_number(&cells[WHY_ADMITTED]) != 0;
    bool same_cert = backend_number(&cells[WHY_CERT_SAME]) != 0;
    if (core == NULL || (core[0] != '\0' && strcmp(core, o->values[0].text) != 0)) {
        return STORE_ACK_OTHER_CORE;
    }
    if (backend_number(&cells[WHY_REVOKED]) != 0) {
        return STORE_ACK_REVOKED;
    }
    if (backend_number(&cells[WHY_CONSUMED]) != 0) {
        return consumed(cells, admitted, same_cert);
    }
    if (backend_number(&cells[WHY_EXPIRES]) <= o->values[4].number) {
        return STORE_ACK_EXPIRED;
    }
    if (!admitted || backend_number(&cells[WHY_ROW]) == 0) {
        return STORE_ACK_NO_CORE;
    }
    return same_cert ? STORE_ACKED : STORE_ACK_OTHER_CERT;
}

static void on_why_not(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct ack_op *o = (struct ack_op *)op;
    enum store_acked how = e == ERR_OK ? why_not(o, reply) : STORE_ACK_UNKNOWN;
    if (e != ERR_OK || how != STORE_ACKED) {
        finish(o, e, info, how);
    } else if (o->tries < TRIES) {
        o->tries++;
        op->end = on_written;
        op_start_batch(op);
    } else {
        e = err_set(&op->info, ERR_CONFLICT, "%s: others keep changing what is in its way",
                    o->values[0].text);
        finish(o, e, &op->info, STORE_ACK_UNKNOWN);
    }
}

static void on_written(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct ack_op *o = (struct ack_op *)op;
    (void)reply;
    if (e == ERR_CONFLICT) {
        op->end = on_why_not;
        op_read(op, WHY_SQL, BACKEND_LATEST, o->values, 4);
        return;
    }
    finish(o, e, info, STORE_ACKED);
}

void store_admission_ack(struct store *s, const struct store_ack *ack, store_ack_cb *cb, void *ctx)
{
    struct ack_op *o = op_new(s, sizeof *o, on_written);
    struct op *op = &o->op;
    const char *const texts[] = {ack->core, ack->hash, ack->fingerprint, ack->from};
    o->cb = cb;
    o->ctx = ctx;
    o->tries = 1;
    op_check_name(op, KEY_CORE, ack->core);
    op_check_name(op, KEY_TOKEN, ack->hash);
    op_check_name(op, KEY_SERIAL, ack->fingerprint);
    op_check_name(op, KEY_TOKEN, ack->from);
    joining_check_now(op, ack->now_ms);
    for (size_t i = 0; i < 4 && op->early == ERR_OK; i++) {
        o->values[i] = OP_TEXT(pool_text(&op->pool, texts[i]));
    }
    o->values[4] = OP_NUMBER(ack->now_ms);
    if (op->early == ERR_OK && !op->pool.bad) {
        op_statement(op, &o->statements[0], CONSUME_SQL, true, o->values, 5);
        op_statement(op, &o->statements[1], ACKED_SQL, true, OP_ARGS(o->values[0], o->values[4]));
    }
    op->batch = (struct backend_batch){.statements = o->statements, .count = 2};
    op_start_batch(op);
}

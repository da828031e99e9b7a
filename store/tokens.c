/* join_token: what newcomers prove themselves with. Made by admission.c, consumed by
 * admission_ack.c; here they are listed, and swept up. */
#include "joining.h"

static const char LIST_SQL[] =
    "SELECT hash, core, issued_ms, expires_ms, consumed_ms, revoked_ms, consumed_by, consumed_from"
    " FROM join_token ORDER BY n";
enum {
    COL_HASH,
    COL_CORE,
    COL_ISSUED,
    COL_EXPIRES,
    COL_CONSUMED,
    COL_REVOKED,
    COL_BY,
    COL_FROM,
    COL_COUNT
};

/* It ended with the first of the three. */
static const char PURGE_SQL[] =
    "DELETE FROM join_token WHERE expires_ms <= ?1 OR (consumed_ms <> 0 AND consumed_ms <= ?1)"
    " OR (revoked_ms <> 0 AND revoked_ms <= ?1)";

struct list_op {
    struct op op;
    store_tokens_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_token *list = op_list(op, &e, &info, reply, sizeof *list, "tokens", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_token){
            .hash = backend_text(&cells[COL_HASH]),
            .core = backend_text(&cells[COL_CORE]),
            .issued_ms = backend_number(&cells[COL_ISSUED]),
            .expires_ms = backend_number(&cells[COL_EXPIRES]),
            .consumed_ms = backend_number(&cells[COL_CONSUMED]),
            .revoked_ms = backend_number(&cells[COL_REVOKED]),
            .consumed_by = backend_text(&cells[COL_BY]),
            .consumed_from = backend_text(&cells[COL_FROM]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_tokens_list(struct store *s, store_tokens_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LATEST, NULL, 0);
}

void store_tokens_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_write(&o->op, PURGE_SQL, false, OP_ARGS(OP_NUMBER(now_ms - STORE_TOKENS_KEEP)));
}

/* HTTP-01: what a token is answered with, one row each. Whoever is asked reads the row; nobody
 * keeps a copy, so there is nothing to tell anybody. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

static const char PUT_SQL[] =
    "INSERT INTO http01(token, value, order_id, expires_ms) VALUES(?1, ?2, ?3, ?4)"
    " ON CONFLICT(token) DO UPDATE SET value = excluded.value, order_id = excluded.order_id,"
    " expires_ms = excluded.expires_ms";
static const char DELETE_SQL[] = "DELETE FROM http01 WHERE token = ?1";
static const char PURGE_SQL[] = "DELETE FROM http01 WHERE expires_ms <= ?1";
/* Of the two rows that it may be, the one for any token comes last. */
static const char FIND_SQL[] =
    "SELECT token, value, order_id, expires_ms FROM http01"
    " WHERE token IN (?1, '*') AND expires_ms > ?2 ORDER BY token = '*' LIMIT 1";
enum { COL_TOKEN, COL_VALUE, COL_ORDER, COL_EXPIRES };

void store_http01_put(struct store *s, const struct store_fence *fence,
                      const struct store_http01 *h, store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, h->token, cb, ctx);
    op_check_name(&f->op, KEY_HTTP01, h->token);
    op_check_value(&f->op, h->token, h->value);
    op_check_value(&f->op, h->token, h->order);
    fenced_add(
        f, PUT_SQL, false,
        OP_ARGS(OP_TEXT(h->token), OP_TEXT(h->value), OP_TEXT(h->order), OP_NUMBER(h->expires_ms)));
    fenced_start(f);
}

void store_http01_delete(struct store *s, const char *token, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_HTTP01, token);
    o->name = pool_text(&o->op.pool, token);
    o->missed = ERR_NOTFOUND;
    o->what = "no such token";
    op_write(&o->op, DELETE_SQL, true, OP_ARGS(OP_TEXT(token)));
}

void store_http01_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_write(&o->op, PURGE_SQL, false, OP_ARGS(OP_NUMBER(now_ms)));
}

struct find_op {
    struct op op;
    const char *token; /* in op.pool */
    store_http01_cb *cb;
    void *ctx; /* borrowed */
};

static void on_found(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct find_op *o = (struct find_op *)op;
    struct store_http01 h = {.token = NULL};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no such token", o->token);
        info = &op->info;
    } else if (e == ERR_OK) {
        h.token = backend_text(&reply->cells[COL_TOKEN]);
        h.value = backend_text(&reply->cells[COL_VALUE]);
        h.order = backend_text(&reply->cells[COL_ORDER]);
        h.expires_ms = backend_number(&reply->cells[COL_EXPIRES]);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &h : NULL);
    op_free(op);
}

void store_http01_find(struct store *s, const char *token, int64_t now_ms, store_http01_cb *cb,
                       void *ctx)
{
    struct find_op *o = op_new(s, sizeof *o, on_found);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_HTTP01, token);
    o->token = pool_text(&o->op.pool, token);
    op_read(&o->op, FIND_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(token), OP_NUMBER(now_ms)));
}

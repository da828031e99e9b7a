/* TLS-ALPN-01: what a name is shown with, one row each. As with HTTP-01 nobody keeps a copy. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

static const char PUT_SQL[] =
    "INSERT INTO alpn01(name, digest, order_id, expires_ms) VALUES(?1, ?2, ?3, ?4)"
    " ON CONFLICT(name) DO UPDATE SET digest = excluded.digest, order_id = excluded.order_id,"
    " expires_ms = excluded.expires_ms";
static const char LIST_SQL[] = "SELECT name, digest, order_id, expires_ms FROM alpn01"
                               " WHERE expires_ms > ?1 ORDER BY name LIMIT ?2";
enum { COL_NAME, COL_DIGEST, COL_ORDER, COL_EXPIRES, COL_COUNT };

void store_alpn01_put(struct store *s, const struct store_fence *fence,
                      const struct store_alpn01 *a, store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, a->name, cb, ctx);
    op_check_name(&f->op, KEY_ALPN01, a->name);
    op_check_value(&f->op, a->name, a->digest);
    op_check_value(&f->op, a->name, a->order);
    fenced_add(
        f, PUT_SQL, false,
        OP_ARGS(OP_TEXT(a->name), OP_TEXT(a->digest), OP_TEXT(a->order), OP_NUMBER(a->expires_ms)));
    fenced_start(f);
}

struct list_op {
    struct op op;
    store_alpn01_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_alpn01 *list = op_list(op, &e, &info, reply, sizeof *list, "names", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_alpn01){
            .name = backend_text(&cells[COL_NAME]),
            .digest = backend_text(&cells[COL_DIGEST]),
            .order = backend_text(&cells[COL_ORDER]),
            .expires_ms = backend_number(&cells[COL_EXPIRES]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_alpn01_list(struct store *s, int64_t now_ms, store_alpn01_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL,
            OP_ARGS(OP_NUMBER(now_ms), OP_NUMBER(STORE_PROOFS_MAX)));
}

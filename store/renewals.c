/* acme_renewal: what is known of when a certificate is to be renewed. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

static const char GET_SQL[] =
    "SELECT hostname, serial, renew_ms, ari_start_ms, ari_end_ms, ari_next_ms, explanation,"
    " replaced, revoked_ms FROM acme_renewal WHERE hostname = ?1";
enum {
    COL_HOSTNAME,
    COL_SERIAL,
    COL_RENEW,
    COL_START,
    COL_END,
    COL_NEXT,
    COL_EXPLANATION,
    COL_REPLACED,
    COL_REVOKED
};
static const char PUT_SQL[] =
    "INSERT INTO acme_renewal(hostname, serial, renew_ms, ari_start_ms, ari_end_ms, ari_next_ms,"
    " explanation, replaced, revoked_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    " ON CONFLICT(hostname) DO UPDATE SET serial = excluded.serial, renew_ms = excluded.renew_ms,"
    " ari_start_ms = excluded.ari_start_ms, ari_end_ms = excluded.ari_end_ms,"
    " ari_next_ms = excluded.ari_next_ms, explanation = excluded.explanation,"
    " replaced = excluded.replaced, revoked_ms = excluded.revoked_ms";

struct get_op {
    struct op op;
    const char *hostname; /* in op.pool */
    store_renewal_cb *cb;
    void *ctx; /* borrowed */
};

static void on_renewal(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_renewal r = {.hostname = NULL};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: nothing is known of its renewal", o->hostname);
        info = &op->info;
    } else if (e == ERR_OK) {
        r = (struct store_renewal){
            .hostname = backend_text(&reply->cells[COL_HOSTNAME]),
            .serial = backend_text(&reply->cells[COL_SERIAL]),
            .renew_ms = backend_number(&reply->cells[COL_RENEW]),
            .ari_start_ms = backend_number(&reply->cells[COL_START]),
            .ari_end_ms = backend_number(&reply->cells[COL_END]),
            .ari_next_ms = backend_number(&reply->cells[COL_NEXT]),
            .explanation = backend_text(&reply->cells[COL_EXPLANATION]),
            .replaced = backend_text(&reply->cells[COL_REPLACED]),
            .revoked_ms = backend_number(&reply->cells[COL_REVOKED]),
        };
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &r : NULL);
    op_free(op);
}

void store_renewal_get(struct store *s, const char *hostname, store_renewal_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_renewal);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_ORDER, hostname);
    o->hostname = pool_text(&o->op.pool, hostname);
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(hostname)));
}

void store_renewal_put(struct store *s, const struct store_fence *fence,
                       const struct store_renewal *r, store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, r->hostname, cb, ctx);
    op_check_name(&f->op, KEY_ORDER, r->hostname);
    op_check_value(&f->op, r->hostname, r->serial);
    op_check_value(&f->op, r->hostname, r->explanation);
    op_check_value(&f->op, r->hostname, r->replaced);
    fenced_add(f, PUT_SQL, false,
               OP_ARGS(OP_TEXT(r->hostname), OP_TEXT(r->serial), OP_NUMBER(r->renew_ms),
                       OP_NUMBER(r->ari_start_ms), OP_NUMBER(r->ari_end_ms),
                       OP_NUMBER(r->ari_next_ms), OP_TEXT(r->explanation), OP_TEXT(r->replaced),
                       OP_NUMBER(r->revoked_ms)));
    fenced_start(f);
}

/* acme_order: the one order under way for a hostname, and the proofs that are there on its behalf.
 */
#include "store.h"

#include "fenced.h"
#include "keys.h"

#define COLUMNS                                                                                    \
    "SELECT hostname, id, directory, purpose, state, url, names, key, replaces, detail,"           \
    " started_ms, expires_ms FROM acme_order"
static const char GET_SQL[] = COLUMNS " WHERE hostname = ?1";
static const char LIST_SQL[] = COLUMNS " ORDER BY hostname";
enum {
    COL_HOSTNAME,
    COL_ID,
    COL_DIRECTORY,
    COL_PURPOSE,
    COL_STATE,
    COL_URL,
    COL_NAMES,
    COL_KEY,
    COL_REPLACES,
    COL_DETAIL,
    COL_STARTED,
    COL_EXPIRES,
    COL_COUNT
};

static const char PUT_SQL[] =
    "INSERT INTO acme_order(hostname, id, directory, purpose, state, url, names, key, replaces,"
    " detail, started_ms, expires_ms)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    " ON CONFLICT(hostname) DO UPDATE SET id = excluded.id, directory = excluded.directory,"
    " purpose = excluded.purpose, state = excluded.state, url = excluded.url,"
    " names = excluded.names, key = excluded.key, replaces = excluded.replaces,"
    " detail = excluded.detail, started_ms = excluded.started_ms,"
    " expires_ms = excluded.expires_ms";

static const char END_SQL[] = "DELETE FROM acme_order WHERE hostname = ?1 AND id = ?2";
static const char *const end_proofs[] = {
    "DELETE FROM challenge WHERE order_id = ?1",
    "DELETE FROM http01 WHERE order_id = ?1",
    "DELETE FROM alpn01 WHERE order_id = ?1",
};

#define REAP(table)                                                                                \
    "DELETE FROM " table " WHERE expires_ms <= ?1"                                                 \
    " AND NOT EXISTS (SELECT 1 FROM acme_order AS o WHERE o.id = " table ".order_id)"
static const char *const reap_proofs[] = {REAP("challenge"), REAP("http01"), REAP("alpn01")};

static struct store_order read_row(const struct backend_value *cells)
{
    return (struct store_order){
        .hostname = backend_text(&cells[COL_HOSTNAME]),
        .id = backend_text(&cells[COL_ID]),
        .directory = backend_text(&cells[COL_DIRECTORY]),
        .purpose = backend_text(&cells[COL_PURPOSE]),
        .state = backend_text(&cells[COL_STATE]),
        .url = backend_text(&cells[COL_URL]),
        .names = backend_text(&cells[COL_NAMES]),
        .key = backend_text(&cells[COL_KEY]),
        .replaces = backend_text(&cells[COL_REPLACES]),
        .detail = backend_text(&cells[COL_DETAIL]),
        .started_ms = backend_number(&cells[COL_STARTED]),
        .expires_ms = backend_number(&cells[COL_EXPIRES]),
    };
}

struct get_op {
    struct op op;
    const char *hostname; /* in op.pool */
    store_order_cb *cb;
    void *ctx; /* borrowed */
};

static void on_order(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_order order = {.hostname = NULL};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no order is under way", o->hostname);
        info = &op->info;
    } else if (e == ERR_OK) {
        order = read_row(reply->cells);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &order : NULL);
    op_free(op);
}

void store_order_get(struct store *s, const char *hostname, store_order_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_order);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_ORDER, hostname);
    o->hostname = pool_text(&o->op.pool, hostname);
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(hostname)));
}

void store_order_put(struct store *s, const struct store_fence *fence, const struct store_order *o,
                     store_done_cb *cb, void *ctx)
{
    const char *const texts[] = {o->directory, o->purpose, o->state,    o->url,
                                 o->names,     o->key,     o->replaces, o->detail};
    struct fenced *f = fenced_new(s, fence, o->hostname, cb, ctx);
    op_check_name(&f->op, KEY_ORDER, o->hostname);
    op_check_name(&f->op, KEY_ORDER, o->id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        op_check_value(&f->op, o->hostname, texts[i]);
    }
    fenced_add(f, PUT_SQL, false,
               OP_ARGS(OP_TEXT(o->hostname), OP_TEXT(o->id), OP_TEXT(o->directory),
                       OP_TEXT(o->purpose), OP_TEXT(o->state), OP_TEXT(o->url), OP_TEXT(o->names),
                       OP_TEXT(o->key), OP_TEXT(o->replaces), OP_TEXT(o->detail),
                       OP_NUMBER(o->started_ms), OP_NUMBER(o->expires_ms)));
    fenced_start(f);
}

void store_order_end(struct store *s, const struct store_fence *fence, const char *hostname,
                     const char *id, store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, hostname, cb, ctx);
    op_check_name(&f->op, KEY_ORDER, hostname);
    op_check_name(&f->op, KEY_ORDER, id);
    fenced_add(f, END_SQL, false, OP_ARGS(OP_TEXT(hostname), OP_TEXT(id)));
    for (size_t i = 0; i < sizeof end_proofs / sizeof end_proofs[0]; i++) {
        fenced_add(f, end_proofs[i], false, OP_ARGS(OP_TEXT(id)));
    }
    fenced_start(f);
}

void store_proofs_reap(struct store *s, const struct store_fence *fence, int64_t now_ms,
                       store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, "proofs", cb, ctx);
    for (size_t i = 0; i < sizeof reap_proofs / sizeof reap_proofs[0]; i++) {
        fenced_add(f, reap_proofs[i], false, OP_ARGS(OP_NUMBER(now_ms)));
    }
    fenced_start(f);
}

struct list_op {
    struct op op;
    store_orders_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_order *list = op_list(op, &e, &info, reply, sizeof *list, "orders", &count);
    for (size_t i = 0; i < count; i++) {
        list[i] = read_row(reply->cells + i * COL_COUNT);
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_orders_list(struct store *s, store_orders_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL, NULL, 0);
}

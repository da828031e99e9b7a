/* Challenge values, one row each, so that two who add a value to one name never overwrite each
 * other (the predecessor kept a list per name, and lost values). */
#include "store.h"

#include <string.h>

#include "fenced.h"
#include "keys.h"

static const char PUT_SQL[] =
    "INSERT INTO challenge(name, value, order_id, expires_ms) VALUES(?1, ?2, ?3, ?4)"
    " ON CONFLICT(name, value) DO UPDATE SET order_id = excluded.order_id,"
    " expires_ms = excluded.expires_ms";
static const char DELETE_SQL[] = "DELETE FROM challenge WHERE name = ?1 AND value = ?2";
static const char PURGE_SQL[] = "DELETE FROM challenge WHERE expires_ms <= ?1";

#define COLUMNS "SELECT name, value, order_id, expires_ms FROM challenge"
static const char OF_SQL[] = COLUMNS " WHERE name = ?1 ORDER BY value";
static const char ALL_SQL[] = COLUMNS " ORDER BY name, value";
enum { COL_NAME, COL_VALUE, COL_ORDER, COL_EXPIRES, COL_COUNT };

enum { PUT_PARAMS = 4 };

static void put(struct store *s, const struct store_fence *fence,
                const struct store_challenge *list, size_t count, store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, "challenges", cb, ctx);
    struct backend_value *rows =
        pool_array(&f->op.pool, STORE_PROOFS_MAX, sizeof(*rows) * PUT_PARAMS);
    if (count > STORE_PROOFS_MAX) {
        op_refuse(&f->op, ERR_LIMIT, "more than %d challenges at once", STORE_PROOFS_MAX);
        count = 0;
    }
    for (size_t i = 0; i < count && rows != NULL; i++) {
        const struct store_challenge *c = &list[i];
        op_check_name(&f->op, KEY_CHALLENGE, c->name);
        op_check_value(&f->op, c->name, c->value);
        op_check_value(&f->op, c->name, c->order);
        const struct backend_value row[PUT_PARAMS] = {OP_TEXT(c->name), OP_TEXT(c->value),
                                                      OP_TEXT(c->order), OP_NUMBER(c->expires_ms)};
        memcpy(rows + i * PUT_PARAMS, row, sizeof row);
    }
    fenced_add_sets(f, PUT_SQL, rows, PUT_PARAMS, count);
    fenced_start(f);
}

void store_challenge_put(struct store *s, const struct store_challenge *c, store_done_cb *cb,
                         void *ctx)
{
    put(s, NULL, c, 1, cb, ctx);
}

void store_challenges_put(struct store *s, const struct store_fence *fence,
                          const struct store_challenge *list, size_t count, store_done_cb *cb,
                          void *ctx)
{
    put(s, fence, list, count, cb, ctx);
}

void store_challenge_delete(struct store *s, const char *name, const char *value, store_done_cb *cb,
                            void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_CHALLENGE, name);
    op_check_value(&o->op, name, value);
    o->name = pool_text(&o->op.pool, name);
    o->missed = ERR_NOTFOUND;
    o->what = "has no such challenge value";
    op_write(&o->op, DELETE_SQL, true, OP_ARGS(OP_TEXT(name), OP_TEXT(value)));
}

void store_challenges_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_write(&o->op, PURGE_SQL, false, OP_ARGS(OP_NUMBER(now_ms)));
}

struct list_op {
    struct op op;
    store_challenges_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_challenge *list =
        op_list(op, &e, &info, reply, sizeof *list, "challenges", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_challenge){
            .name = backend_text(&cells[COL_NAME]),
            .value = backend_text(&cells[COL_VALUE]),
            .order = backend_text(&cells[COL_ORDER]),
            .expires_ms = backend_number(&cells[COL_EXPIRES]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_challenges_of(struct store *s, const char *name, store_challenges_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    if (name == NULL) {
        op_read(&o->op, ALL_SQL, BACKEND_LOCAL, NULL, 0);
        return;
    }
    op_check_name(&o->op, KEY_CHALLENGE, name);
    op_read(&o->op, OF_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name)));
}

/* Leases: who may do what only one may do. A lease is taken by compare-and-set; there is no clock
 * in it, so none can be wrong. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

static const char GET_SQL[] = "SELECT name, holder, term, beat FROM lease WHERE name = ?1";
enum { COL_NAME, COL_HOLDER, COL_TERM, COL_BEAT };

static const char MAKE_SQL[] = "INSERT INTO lease(name, holder, term, beat) VALUES(?1, ?2, 1, 0)"
                               " ON CONFLICT(name) DO NOTHING";
static const char TAKE_SQL[] = "UPDATE lease SET holder = ?2, term = term + 1"
                               " WHERE name = ?1 AND term = ?3 AND beat = ?4";
static const char BEAT_SQL[] =
    "UPDATE lease SET beat = ?4 WHERE name = ?1 AND holder = ?2 AND term = ?3";
static const char RELEASE_SQL[] =
    "UPDATE lease SET holder = '' WHERE name = ?1 AND holder = ?2 AND term = ?3";

struct get_op {
    struct op op;
    const char *name; /* in op.pool */
    store_lease_cb *cb;
    void *ctx; /* borrowed */
};

static void on_lease(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_lease lease = {.name = o->name};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: nobody ever had this lease", o->name);
        info = &op->info;
    } else if (e == ERR_OK) {
        lease.holder = backend_text(&reply->cells[COL_HOLDER]);
        lease.term = (uint64_t)backend_number(&reply->cells[COL_TERM]);
        lease.beat = (uint64_t)backend_number(&reply->cells[COL_BEAT]);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &lease : NULL);
    op_free(op);
}

void store_lease_get(struct store *s, const char *name, store_lease_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_lease);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_LEASE, name);
    o->name = pool_text(&o->op.pool, name);
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(name)));
}

void store_lease_take(struct store *s, const struct store_lease *seen, const char *holder,
                      store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_LEASE, seen->name);
    op_check_name(&o->op, KEY_CORE, holder);
    o->name = pool_text(&o->op.pool, seen->name);
    o->missed = ERR_CONFLICT;
    o->what = "the lease is not any more as it was seen";
    if (seen->term == 0) {
        op_write(&o->op, MAKE_SQL, true, OP_ARGS(OP_TEXT(seen->name), OP_TEXT(holder)));
        return;
    }
    op_write(&o->op, TAKE_SQL, true,
             OP_ARGS(OP_TEXT(seen->name), OP_TEXT(holder), OP_NUMBER((int64_t)seen->term),
                     OP_NUMBER((int64_t)seen->beat)));
}

static struct op_simple *held(struct store *s, const struct store_fence *fence, store_done_cb *cb,
                              void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_LEASE, fence->name);
    op_check_name(&o->op, KEY_CORE, fence->holder);
    o->name = pool_text(&o->op.pool, fence->name);
    o->missed = ERR_DENIED;
    o->what = "the lease has passed on";
    return o;
}

void store_lease_beat(struct store *s, const struct store_fence *fence, uint64_t beat,
                      store_done_cb *cb, void *ctx)
{
    struct op_simple *o = held(s, fence, cb, ctx);
    op_write(&o->op, BEAT_SQL, true,
             OP_ARGS(OP_TEXT(fence->name), OP_TEXT(fence->holder), OP_NUMBER((int64_t)fence->term),
                     OP_NUMBER((int64_t)beat)));
}

void store_lease_release(struct store *s, const struct store_fence *fence, store_done_cb *cb,
                         void *ctx)
{
    struct op_simple *o = held(s, fence, cb, ctx);
    op_write(
        &o->op, RELEASE_SQL, true,
        OP_ARGS(OP_TEXT(fence->name), OP_TEXT(fence->holder), OP_NUMBER((int64_t)fence->term)));
}

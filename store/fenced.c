#include "fenced.h"

#include <assert.h>

#include "keys.h"

static const char FENCE_SQL[] =
    "UPDATE lease SET term = term WHERE name = ?1 AND holder = ?2 AND term = ?3";

void fenced_end(struct op *op, enum err e, const struct err_info *info,
                const struct backend_reply *reply)
{
    struct fenced *f = (struct fenced *)op;
    if (e == ERR_CONFLICT && reply->failed < f->first) {
        e = err_set(&op->info, ERR_DENIED, "%s: the lease %s has passed on; nothing was written",
                    f->name, f->statements[0].values[0].text);
        info = &op->info;
    } else if (e == ERR_CONFLICT) {
        e = err_set(&op->info, ERR_CONFLICT, "%s: %s", f->name, f->what);
        info = &op->info;
    }
    f->cb(f->ctx, e, info);
    op_free(op);
}

struct fenced *fenced_new(struct store *s, const struct store_fence *fence, const char *name,
                          store_done_cb *cb, void *ctx)
{
    struct fenced *f = op_new(s, sizeof *f, fenced_end);
    f->cb = cb;
    f->ctx = ctx;
    f->what = "is not as expected";
    f->op.batch.statements = f->statements;
    f->name = pool_text(&f->op.pool, name);
    if (fence != NULL) {
        op_check_name(&f->op, KEY_LEASE, fence->name);
        op_check_name(&f->op, KEY_CORE, fence->holder);
        fenced_add(
            f, FENCE_SQL, true,
            OP_ARGS(OP_TEXT(fence->name), OP_TEXT(fence->holder), OP_NUMBER((int64_t)fence->term)));
        f->first = 1;
    }
    return f;
}

void fenced_add(struct fenced *f, const char *sql, bool must_change,
                const struct backend_value *values, size_t count)
{
    assert(f->op.batch.count < FENCED_STATEMENTS);
    op_statement(&f->op, &f->statements[f->op.batch.count++], sql, must_change, values, count);
}

void fenced_add_sets(struct fenced *f, const char *sql, const struct backend_value *values,
                     size_t params, size_t sets)
{
    struct backend_statement *st = &f->statements[f->op.batch.count];
    fenced_add(f, sql, false, values, params * sets);
    st->params = params;
    st->sets = sets;
}

void fenced_start(struct fenced *f)
{
    op_start_batch(&f->op);
}

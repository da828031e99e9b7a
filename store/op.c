#include "op.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "store_priv.h"
#include "watch_uv.h"

void *op_new(struct store *s, size_t size, op_end_cb *end)
{
    assert(size >= sizeof(struct op));
    struct op *op = mem_xalloc(size);
    op->store = s;
    op->end = end;
    s->pending++;
    if (s->closing) {
        op_refuse(op, ERR_CANCELED, "the store is being closed");
    }
    return op;
}

void op_free(struct op *op)
{
    struct store *s = op->store;
    pool_fini(&op->pool);
    free(op);
    store_op_ended(s);
}

void op_refuse(struct op *op, enum err e, const char *fmt, ...)
{
    if (op->early != ERR_OK) {
        return;
    }
    op->early = e;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(op->info.text, sizeof op->info.text, fmt, ap);
    va_end(ap);
}

void op_check_name(struct op *op, const char *prefix, const char *name)
{
    size_t len = strnlen(name, STORE_KEY_MAX + 1);
    if (len == 0) {
        op_refuse(op, ERR_MALFORMED, "%s: the name is empty", prefix);
    } else if (strlen(prefix) + len > STORE_KEY_MAX) {
        op_refuse(op, ERR_LIMIT, "%s%.60s...: longer than %d bytes", prefix, name, STORE_KEY_MAX);
    }
}

void op_check_value(struct op *op, const char *what, const char *value)
{
    if (strnlen(value, STORE_VALUE_MAX + 1) > STORE_VALUE_MAX) {
        op_refuse(op, ERR_LIMIT, "%.100s: the value is longer than %d bytes", what,
                  STORE_VALUE_MAX);
    }
}

static struct backend_value *copy_values(struct op *op, const struct backend_value *values,
                                         size_t count)
{
    struct backend_value *copy = pool_array(&op->pool, count, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = values[i];
        if (values[i].kind == BACKEND_TEXT) {
            copy[i].text = pool_text(&op->pool, values[i].text);
        }
    }
    return copy;
}

void op_statement(struct op *op, struct backend_statement *st, const char *sql, bool must_change,
                  const struct backend_value *values, size_t count)
{
    if (op->early != ERR_OK) {
        return; /* it will not be asked, and may be too large to copy */
    }
    *st = (struct backend_statement){
        .sql = sql,
        .values = copy_values(op, values, count),
        .params = count,
        .sets = 1,
        .must_change = must_change,
    };
}

void *op_list(struct op *op, enum err *e, const struct err_info **info,
              const struct backend_reply *reply, size_t size, const char *what, size_t *count)
{
    *count = *e == ERR_OK ? reply->rows : 0;
    void *list = pool_array(&op->pool, *count, size);
    if (list == NULL && *e == ERR_OK) {
        *e = err_set(&op->info, ERR_NOMEM, "no memory for %zu %s", *count, what);
        *info = &op->info;
        *count = 0;
    }
    return list;
}

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct op *op = ctx;
    op->end(op, e, info, reply);
}

static void on_written(void *ctx, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct op *op = ctx;
    struct store *s = op->store;
    s->pending++; /* the store must outlive the call below, whatever the user does in its callback
                   */
    op->end(op, e, info, reply);
    if (e == ERR_OK) {
        watch_told(s);
    }
    store_op_ended(s);
}

static void on_early(struct loop_msg *msg)
{
    struct op *op = (struct op *)msg; /* the first member */
    op->end(op, op->early, &op->info, NULL);
}

/* False: it ended before it began, and the loop will hear of it. */
static bool may_start(struct op *op)
{
    if (op->pool.bad) {
        op_refuse(op, ERR_NOMEM, "no memory for the arguments");
    }
    if (op->early == ERR_OK) {
        return true;
    }
    op->msg.run = on_early;
    loop_box_send(&op->store->box, &op->msg);
    return false;
}

void op_start_batch(struct op *op)
{
    if (may_start(op)) {
        struct backend *b = op->store->backend;
        b->ops->batch(b, &op->batch, on_written, op);
    }
}

void op_start_scan(struct op *op)
{
    if (may_start(op)) {
        struct backend *b = op->store->backend;
        b->ops->scan(b, &op->scan, on_answer, op);
    }
}

void op_write(struct op *op, const char *sql, bool must_change, const struct backend_value *values,
              size_t count)
{
    struct backend_statement *st = pool_take(&op->pool, sizeof *st);
    if (st != NULL) {
        op_statement(op, st, sql, must_change, values, count);
        op->batch.statements = st;
        op->batch.count = 1;
    }
    op_start_batch(op);
}

void op_read(struct op *op, const char *sql, enum backend_level level,
             const struct backend_value *values, size_t count)
{
    op->query.sql = sql;
    op->query.level = level;
    op->query.params = count;
    if (op->early == ERR_OK) {
        op->query.values = copy_values(op, values, count);
    }
    if (may_start(op)) {
        struct backend *b = op->store->backend;
        b->ops->query(b, &op->query, on_answer, op);
    }
}

static void on_simple(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct op_simple *w = (struct op_simple *)op;
    (void)reply;
    if (e == ERR_CONFLICT) {
        e = err_set(&op->info, w->missed, "%s: %s", w->name, w->what);
        info = &op->info;
    }
    w->cb(w->ctx, e, info);
    op_free(op);
}

struct op_simple *op_simple_new(struct store *s, store_done_cb *cb, void *ctx)
{
    struct op_simple *w = op_new(s, sizeof *w, on_simple);
    w->cb = cb;
    w->ctx = ctx;
    return w;
}

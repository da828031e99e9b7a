#include "looked.h"

#include <assert.h>

#define TRIES 5 /* to give up needs as many others who come between look and write each time */

static void look(struct looked *l);

static void end(struct looked *l, enum err e, const struct err_info *info)
{
    l->kind->done(l, e, info);
    op_free(&l->op);
}

static void on_written(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct looked *l = (struct looked *)op;
    (void)reply;
    if (e == ERR_CONFLICT && l->tries < TRIES) {
        look(l);
        return;
    }
    if (e == ERR_CONFLICT) {
        e = err_set(&op->info, e, "%s: others keep changing it", l->values[0].text);
        info = &op->info;
    }
    end(l, e, info);
}

static void on_look(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct looked *l = (struct looked *)op;
    const struct looked_kind *kind = l->kind;
    if (e == ERR_OK) {
        for (size_t i = 0; i < kind->cells; i++) {
            l->values[kind->args + i] = OP_NUMBER(backend_number(&reply->cells[i]));
        }
        op->batch = (struct backend_batch){.statements = l->statements, .count = 0};
        looked_add(l, kind->guard_sql, l->values, kind->args + kind->cells);
        l->statements[0].must_change = true;
        e = kind->plan(l);
        info = &op->info;
    }
    if (e != ERR_OK || op->batch.count == 1) {
        end(l, e, info);
        return;
    }
    op->end = on_written;
    op_start_batch(op);
}

static void look(struct looked *l)
{
    l->tries++;
    l->op.end = on_look;
    op_read(&l->op, l->kind->look_sql, BACKEND_LATEST, l->values, l->kind->args);
}

void *looked_new(struct store *s, size_t size, const struct looked_kind *kind)
{
    assert(size >= sizeof(struct looked) && kind->args <= LOOKED_ARGS &&
           kind->cells <= LOOKED_CELLS);
    struct looked *l = op_new(s, size, on_look);
    l->kind = kind;
    return l;
}

void looked_start(struct looked *l, const struct backend_value *values)
{
    for (size_t i = 0; i < l->kind->args; i++) {
        l->values[i] = values[i];
        if (values[i].kind == BACKEND_TEXT && l->op.early == ERR_OK) {
            l->values[i].text = pool_text(&l->op.pool, values[i].text);
        }
    }
    look(l);
}

int64_t looked_cell(const struct looked *l, size_t cell)
{
    return l->values[l->kind->args + cell].number;
}

void looked_add(struct looked *l, const char *sql, const struct backend_value *values, size_t count)
{
    assert(l->op.batch.count < LOOKED_STATEMENTS);
    op_statement(&l->op, &l->statements[l->op.batch.count++], sql, false, values, count);
}

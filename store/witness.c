/* acme_witness: who asked a core for a challenge's name. Strangers decide how many rows there would
 * be, so each core has room for so many. */
#include "store.h"

#include <string.h>

#include "fenced.h"
#include "keys.h"

static const char PUT_SQL[] =
    "INSERT INTO acme_witness(core, name, source, transport, answer, at_ms, count)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    " ON CONFLICT(core, name, source, transport, answer) DO UPDATE SET"
    " at_ms = max(at_ms, excluded.at_ms), count = count + excluded.count";
static const char PRUNE_SQL[] =
    "DELETE FROM acme_witness WHERE n IN (SELECT n FROM acme_witness WHERE core = ?1"
    " ORDER BY at_ms DESC, n DESC LIMIT -1 OFFSET ?2)";

#define COLUMNS "SELECT core, name, source, transport, answer, at_ms, count FROM acme_witness"
#define OLDEST  " ORDER BY at_ms, n"
static const char OF_SQL[] = COLUMNS " WHERE name = ?1 AND at_ms >= ?2" OLDEST;
static const char ALL_SQL[] = COLUMNS " WHERE at_ms >= ?1" OLDEST;
enum { COL_CORE, COL_NAME, COL_SOURCE, COL_TRANSPORT, COL_ANSWER, COL_AT, COL_TIMES, COL_COUNT };

enum { PUT_PARAMS = 7, PRUNE_PARAMS = 2 };

static void check_row(struct op *op, const struct store_witness *w)
{
    op_check_name(op, KEY_WITNESS, w->core);
    op_check_name(op, KEY_WITNESS, w->name);
    op_check_value(op, w->name, w->source);
    op_check_value(op, w->name, w->transport);
    op_check_value(op, w->name, w->answer);
}

static void add_rows(struct fenced *f, const struct store_witness *list, size_t count)
{
    struct backend_value *rows = pool_array(&f->op.pool, count, PUT_PARAMS * sizeof *rows);
    for (size_t i = 0; i < count && rows != NULL; i++) {
        const struct store_witness *w = &list[i];
        check_row(&f->op, w);
        const struct backend_value row[PUT_PARAMS] = {OP_TEXT(w->core),
                                                      OP_TEXT(w->name),
                                                      OP_TEXT(w->source),
                                                      OP_TEXT(w->transport),
                                                      OP_TEXT(w->answer),
                                                      OP_NUMBER(w->at_ms),
                                                      OP_NUMBER((int64_t)w->count)};
        memcpy(rows + i * PUT_PARAMS, row, sizeof row);
    }
    fenced_add_sets(f, PUT_SQL, rows, PUT_PARAMS, count);
}

/* Once for each core of the list; as a rule there is one. */
static void add_prunes(struct fenced *f, const struct store_witness *list, size_t count)
{
    struct backend_value *prunes = pool_array(&f->op.pool, count, PRUNE_PARAMS * sizeof *prunes);
    size_t sets = 0;
    for (size_t i = 0; i < count && prunes != NULL; i++) {
        if (i == 0 || strcmp(list[i].core, list[i - 1].core) != 0) {
            prunes[sets * PRUNE_PARAMS] = OP_TEXT(list[i].core);
            prunes[sets * PRUNE_PARAMS + 1] = OP_NUMBER(STORE_WITNESS_KEEP);
            sets++;
        }
    }
    fenced_add_sets(f, PRUNE_SQL, prunes, PRUNE_PARAMS, sets);
}

void store_witness_put(struct store *s, const struct store_witness *list, size_t count,
                       store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, NULL, "witnesses", cb, ctx);
    if (count > STORE_WITNESS_KEEP) {
        op_refuse(&f->op, ERR_LIMIT, "more than %d witnesses at once", STORE_WITNESS_KEEP);
        count = 0;
    }
    add_rows(f, list, count);
    add_prunes(f, list, count);
    fenced_start(f);
}

struct list_op {
    struct op op;
    store_witnesses_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_witness *list = op_list(op, &e, &info, reply, sizeof *list, "witnesses", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_witness){
            .core = backend_text(&cells[COL_CORE]),
            .name = backend_text(&cells[COL_NAME]),
            .source = backend_text(&cells[COL_SOURCE]),
            .transport = backend_text(&cells[COL_TRANSPORT]),
            .answer = backend_text(&cells[COL_ANSWER]),
            .at_ms = backend_number(&cells[COL_AT]),
            .count = (uint64_t)backend_number(&cells[COL_TIMES]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_witnesses_list(struct store *s, const char *name, int64_t since_ms,
                          store_witnesses_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    if (name == NULL) {
        op_read(&o->op, ALL_SQL, BACKEND_LOCAL, OP_ARGS(OP_NUMBER(since_ms)));
        return;
    }
    op_check_name(&o->op, KEY_WITNESS, name);
    op_read(&o->op, OF_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name), OP_NUMBER(since_ms)));
}

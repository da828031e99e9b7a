/* dns-record/<name>: a JSON object per name, changed only from what the caller last saw. */
#include "store.h"

#include <string.h>

#include "keys.h"
#include "lib/jx.h"
#include "op.h"

static const char GET_SQL[] = "SELECT value FROM keyValue WHERE key = '" KEY_RECORD "' || ?1";

/* One statement per kind of wish; each changes a row exactly if the row is as expected. */
static const char ADD_SQL[] = "INSERT INTO keyValue(key, value) VALUES('" KEY_RECORD "' || ?1, ?2)"
                              " ON CONFLICT(key) DO NOTHING";
static const char REPLACE_SQL[] =
    "UPDATE keyValue SET value = ?3 WHERE key = '" KEY_RECORD "' || ?1 AND value = ?2";
static const char DELETE_SQL[] =
    "DELETE FROM keyValue WHERE key = '" KEY_RECORD "' || ?1 AND value = ?2";
/* From nothing to nothing: touches a row of ours, without effect, if there is none. */
static const char ABSENT_SQL[] =
    "UPDATE dnsd_meta SET value = value WHERE key = 'id'"
    " AND NOT EXISTS (SELECT 1 FROM keyValue WHERE key = '" KEY_RECORD "' || ?1)";

/* The first ?2 behind ?1. One lower bound, that the index is entered with: of two SQLite may take
 * the one that makes it go through all the pages before again. */
static const char LIST_SQL[] =
    "SELECT substr(key, length('" KEY_RECORD "') + 1), value FROM keyValue"
    " WHERE key > '" KEY_RECORD "' || ?1 AND key < '" KEY_RECORD_END "' ORDER BY key LIMIT ?2";
enum { COL_NAME, COL_VALUE, COL_COUNT };

#define LIST_MAX 1000

struct record_op {
    struct op op;
    const char *name; /* in op.pool */
    store_record_cb *cb;
    void *ctx; /* borrowed */
};

static void on_record(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct record_op *o = (struct record_op *)op;
    struct store_record record = {.name = o->name};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no records", o->name);
        info = &op->info;
    } else if (e == ERR_OK) {
        record.json = backend_text(&reply->cells[0]);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &record : NULL);
    op_free(op);
}

void store_record_get(struct store *s, const char *name, store_record_cb *cb, void *ctx)
{
    struct record_op *o = op_new(s, sizeof *o, on_record);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_RECORD, name);
    o->name = pool_text(&o->op.pool, name);
    op_read(&o->op, GET_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name)));
}

struct apply_op {
    struct op op;
    store_done_cb *cb;
    void *ctx; /* borrowed */
};

static void on_applied(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct apply_op *o = (struct apply_op *)op;
    if (e == ERR_CONFLICT && reply != NULL) {
        const char *name = op->batch.statements[reply->failed].values[0].text;
        e = err_set(&op->info, ERR_CONFLICT,
                    "%s: changed by somebody else in the meantime; nothing was written", name);
        info = &op->info;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static void check_change(struct op *op, const struct store_record_change *c)
{
    op_check_name(op, KEY_RECORD, c->name);
    if (c->expect != NULL) {
        op_check_value(op, c->name, c->expect);
    }
    if (c->value == NULL || op->early != ERR_OK) {
        return;
    }
    op_check_value(op, c->name, c->value);
    json_t *object = NULL;
    struct err_info why = {.text = ""};
    enum err e =
        op->early == ERR_OK ? jx_parse_object(c->value, strlen(c->value), &object, &why) : ERR_OK;
    if (e != ERR_OK) {
        op_refuse(op, e, "%.100s: the value is not a JSON object: %s", c->name, why.text);
    }
    json_decref(object);
}

static void add_change(struct op *op, struct backend_statement *st,
                       const struct store_record_change *c)
{
    if (c->expect == NULL && c->value == NULL) {
        op_statement(op, st, ABSENT_SQL, true, OP_ARGS(OP_TEXT(c->name)));
    } else if (c->expect == NULL) {
        op_statement(op, st, ADD_SQL, true, OP_ARGS(OP_TEXT(c->name), OP_TEXT(c->value)));
    } else if (c->value == NULL) {
        op_statement(op, st, DELETE_SQL, true, OP_ARGS(OP_TEXT(c->name), OP_TEXT(c->expect)));
    } else {
        op_statement(op, st, REPLACE_SQL, true,
                     OP_ARGS(OP_TEXT(c->name), OP_TEXT(c->expect), OP_TEXT(c->value)));
    }
}

void store_records_apply(struct store *s, const struct store_record_change *changes, size_t count,
                         store_done_cb *cb, void *ctx)
{
    struct apply_op *o = op_new(s, sizeof *o, on_applied);
    o->cb = cb;
    o->ctx = ctx;
    if (count > STORE_BATCH_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "more than %d rows at once", STORE_BATCH_MAX);
        count = 0;
    }
    struct backend_statement *st = pool_array(&o->op.pool, count, sizeof *st);
    for (size_t i = 0; i < count && st != NULL && o->op.early == ERR_OK; i++) {
        check_change(&o->op, &changes[i]);
        add_change(&o->op, &st[i], &changes[i]);
    }
    o->op.batch = (struct backend_batch){.statements = st, .count = count};
    op_start_batch(&o->op);
}

struct list_op {
    struct op op;
    const char *after; /* in op.pool */
    size_t max;
    store_records_cb *cb;
    void *ctx; /* borrowed */
};

static void list(struct list_op *o);

/* One row more was asked for than is given: it says that there is more. */
static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t rows = e == ERR_OK ? reply->rows : 0;
    size_t count = rows > o->max ? o->max : rows;
    if (e == ERR_LIMIT && reply != NULL &&
        o->max > 1) { /* large rows: more than a reply may have */
        o->max /= 2;
        list(o);
        return;
    }
    struct store_record *records = pool_array(&op->pool, count, sizeof *records);
    if (records == NULL && e == ERR_OK) {
        e = err_set(&op->info, ERR_NOMEM, "no memory for %zu records", count);
        info = &op->info;
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        records[i] = (struct store_record){.name = backend_text(&cells[COL_NAME]),
                                           .json = backend_text(&cells[COL_VALUE])};
    }
    o->cb(o->ctx, e, info, records, count, rows > count);
    op_free(op);
}

static void list(struct list_op *o)
{
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL,
            OP_ARGS(OP_TEXT(o->after), OP_NUMBER((int64_t)o->max + 1)));
}

void store_records_list(struct store *s, const char *after, size_t max, store_records_cb *cb,
                        void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    o->max = max;
    if (after[0] != '\0') {
        op_check_name(&o->op, KEY_RECORD, after);
    }
    if (max < 1 || max > LIST_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "%zu rows at once: 1 to %d can be asked for", max, LIST_MAX);
    }
    o->after = pool_text(&o->op.pool, after);
    list(o);
}

/* core-info/<id>: a core as a JSON object. The predecessor writes the same rows and members of its
 * own, so a change is a merge patch (RFC 7396) that SQL applies to whatever is there: nothing is
 * read first, so nothing can be lost between. */
#include "nodes.h"

#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "lib/jx.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "op.h"

static const char LIST_SQL[] =
    "SELECT substr(k.key, length('" KEY_CORE "') + 1), k.value,"
    " (SELECT count(*) FROM keyValue AS u WHERE " IS_USER(
        "u.key") " AND u.value = substr(k.key, length('" KEY_CORE "') + 1))"
                 " FROM keyValue AS k WHERE " IS_CORE("k.key") " ORDER BY k.key";
enum { COL_ID, COL_VALUE, COL_USERS, COL_COUNT };

#define INSERT_SQL                                                                                 \
    "INSERT INTO keyValue(key, value) VALUES('" KEY_CORE "' || ?1, json_patch('{}', ?2))"          \
    " ON CONFLICT(key) DO "
static const char ADD_SQL[] = INSERT_SQL "NOTHING";
/* A row that is not JSON cannot be patched, and is of no use to anybody: it is replaced. */
const char nodes_put_sql[] =
    INSERT_SQL "UPDATE SET value = CASE WHEN json_valid(keyValue.value)"
               " THEN json_patch(keyValue.value, ?2) ELSE excluded.value END";
const char nodes_delete_sql[] = "DELETE FROM keyValue WHERE key = '" KEY_CORE "' || ?1";
static const char DELETE_SQL[] =
    "DELETE FROM keyValue WHERE key = '" KEY_CORE "' || ?1 AND NOT EXISTS"
    " (SELECT 1 FROM keyValue AS u WHERE " IS_USER("u.key") " AND u.value = ?1)";
const char *const nodes_forget[NODES_FORGET] = {
    "DELETE FROM heartbeat WHERE core = ?1",
    "DELETE FROM acme_witness WHERE core = ?1",
    "DELETE FROM admission WHERE core = ?1",
};
static const char WHY_NOT_SQL[] =
    "SELECT (SELECT count(*) FROM keyValue WHERE key = '" KEY_CORE "' || ?1),"
    " (SELECT count(*) FROM keyValue AS u WHERE " IS_USER("u.key") " AND u.value = ?1)";

struct store_core_row {
    json_t *json; /* owned */
    char *id;     /* owned */
};

/* *out stays NULL if there is no such member, or null (how the predecessor's tool writes that). */
static enum err optional_text(const json_t *object, const char *key, const char **out,
                              struct err_info *info)
{
    enum err e = jx_string(object, key, out, info);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err read_members(const json_t *object, struct store_core *core, struct err_info *info)
{
    const struct {
        const char *key;
        const char **out;
    } texts[] = {
        {"url", &core->url},     {"ip", &core->ip},           {"ipv6", &core->ipv6},
        {"cname", &core->cname}, {"hosting", &core->hosting},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum err e = optional_text(object, texts[i].key, texts[i].out, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    core->available = true; /* the predecessor: everything but false */
    enum err e = jx_bool(object, "available", &core->available, info);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

enum err store_core_row_parse(const char *id, const char *json, struct store_core_row **row,
                              struct store_core *core, struct err_info *info)
{
    enum err e = ERR_NOMEM;
    struct store_core_row *r = calloc(1, sizeof *r);
    *row = NULL;
    *core = (struct store_core){.id = NULL};
    if (r == NULL || (r->id = strdup(id)) == NULL) {
        (void)err_set(info, e, "core-info/%s: no memory", id);
        goto out;
    }
    e = jx_parse_object(json, strlen(json), &r->json, info);
    if (e == ERR_OK) {
        e = read_members(r->json, core, info);
    }
    if (e != ERR_OK) {
        (void)err_prefix(info, e, "core-info/%s: ", id);
        goto out;
    }
    core->id = r->id;
    *row = r;
    r = NULL;
out:
    store_core_row_free(r);
    return e;
}

void store_core_row_free(struct store_core_row *row)
{
    if (row != NULL) {
        json_decref(row->json);
        free(row->id);
        free(row);
    }
}

struct list_op {
    struct op op;
    store_cores_cb *cb;
    void *ctx; /* borrowed */
};

/* Fills cores and the rows that they borrow from; returns how many of them could be read. */
static size_t read_rows(const struct backend_reply *reply, struct store_core *cores,
                        struct store_core_row **rows)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->rows; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        const char *id = backend_text(&cells[COL_ID]);
        const char *json = backend_text(&cells[COL_VALUE]);
        struct err_info why = {.text = ""};
        if (id == NULL || json == NULL ||
            store_core_row_parse(id, json, &rows[count], &cores[count], &why) != ERR_OK) {
            LOG_WARN("store", "a core's row cannot be read and is left out",
                     LOG_S("core", id != NULL ? id : ""), LOG_S("reason", why.text));
            continue;
        }
        cores[count++].users = (uint64_t)backend_number(&cells[COL_USERS]);
    }
    return count;
}

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t n = e == ERR_OK ? reply->rows : 0;
    struct store_core *cores = pool_array(&op->pool, n, sizeof *cores);
    struct store_core_row **rows = pool_array(&op->pool, n, sizeof *rows);
    if (e == ERR_OK && op->pool.bad) {
        e = err_set(&op->info, ERR_NOMEM, "no memory for %zu cores", n);
        info = &op->info;
    }
    size_t count = e == ERR_OK ? read_rows(reply, cores, rows) : 0;
    o->cb(o->ctx, e, info, cores, count);
    while (count > 0) {
        store_core_row_free(rows[--count]);
    }
    op_free(op);
}

void store_cores_list(struct store *s, store_cores_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    o->op.query.aside = true; /* counts users: tens of milliseconds for a million */
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL, NULL, 0);
}

char *nodes_patch(const struct store_core *core)
{
    json_t *patch = json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:b}", "id", core->id, "url",
                              core->url, "ip", core->ip, "ipv6", core->ipv6, "cname", core->cname,
                              "hosting", core->hosting, "available", (int)core->available);
    char *text = patch != NULL ? json_dumps(patch, JSON_COMPACT) : NULL;
    json_decref(patch);
    return text;
}

void store_core_put(struct store *s, const struct store_core *core, enum store_put how,
                    store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_CORE, core->id);
    o->name = pool_text(&o->op.pool, core->id);
    o->missed = ERR_CONFLICT;
    o->what = "there is already a core of this id";
    char *patch = nodes_patch(core);
    if (patch == NULL) {
        op_refuse(&o->op, ERR_MALFORMED, "%.100s: a member is not UTF-8", core->id);
    } else {
        op_check_value(&o->op, core->id, patch);
    }
    bool add = how == STORE_ONLY_NEW;
    op_write(&o->op, add ? ADD_SQL : nodes_put_sql, add,
             OP_ARGS(OP_TEXT(core->id), OP_TEXT(patch != NULL ? patch : "")));
    free(patch);
}

struct delete_op {
    struct op op;
    struct backend_statement statements[1 + NODES_FORGET];
    const char *id; /* in op.pool */
    store_done_cb *cb;
    void *ctx; /* borrowed */
};

/* Second step of a delete that changed nothing: was there no core, or were there users? */
static void on_why_not(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct delete_op *o = (struct delete_op *)op;
    if (e == ERR_OK) {
        int64_t users = backend_number(&reply->cells[1]);
        e = backend_number(&reply->cells[0]) == 0
                ? err_set(&op->info, ERR_NOTFOUND, "%s: no such core", o->id)
                : err_set(&op->info, ERR_CONFLICT, "%s: %lld users are on it", o->id,
                          (long long)users);
        info = &op->info;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static void on_deleted(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct delete_op *o = (struct delete_op *)op;
    (void)reply;
    if (e == ERR_CONFLICT) {
        op->end = on_why_not;
        op->query.aside = true;
        op_read(op, WHY_NOT_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(o->id)));
        return;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

void store_core_delete(struct store *s, const char *id, bool force, store_done_cb *cb, void *ctx)
{
    struct delete_op *o = op_new(s, sizeof *o, on_deleted);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_CORE, id);
    o->id = pool_text(&o->op.pool, id);
    op_statement(&o->op, &o->statements[0], force ? nodes_delete_sql : DELETE_SQL, true,
                 OP_ARGS(OP_TEXT(id)));
    for (size_t i = 0; i < NODES_FORGET; i++) {
        op_statement(&o->op, &o->statements[1 + i], nodes_forget[i], false, OP_ARGS(OP_TEXT(id)));
    }
    o->op.batch = (struct backend_batch){.statements = o->statements, .count = 1 + NODES_FORGET};
    op_start_batch(&o->op);
}

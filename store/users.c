/* user-core/<username>: the id of the core that a user lives on, as bare text. */
#include "store.h"

#include <string.h>

#include "keys.h"
#include "op.h"

static const char GET_SQL[] = "SELECT value FROM keyValue WHERE key = '" KEY_USER "' || ?1";
/* OR IGNORE, where ON CONFLICT DO NOTHING would say the same: it also tells SQLite that the
 * statement never has to be undone alone, which halves the time of a load (no journal for each row
 * and its triggers). */
static const char ADD_SQL[] =
    "INSERT OR IGNORE INTO keyValue(key, value) VALUES('" KEY_USER "' || ?1, ?2)";
static const char MOVE_SQL[] =
    "UPDATE OR IGNORE keyValue SET value = ?2 WHERE key = '" KEY_USER "' || ?1 AND value <> ?2";
/* Both for many users at once, as a JSON array of [name, core]; of a name that comes twice, MOVE
 * takes the last. */
static const char ADD_MANY_SQL[] =
    "INSERT OR IGNORE INTO keyValue(key, value)"
    " SELECT '" KEY_USER "' || json_extract(value, '$[0]'), json_extract(value, '$[1]')"
    " FROM json_each(?1)";
static const char MOVE_MANY_SQL[] =
    "UPDATE OR IGNORE keyValue SET value = u.core FROM"
    " (SELECT '" KEY_USER "' || json_extract(value, '$[0]') AS key,"
    " json_extract(value, '$[1]') AS core, max(json_each.key) FROM json_each(?1) GROUP BY 1) AS u"
    " WHERE keyValue.key = u.key AND keyValue.value <> u.core";
static const char PUT_SQL[] = "INSERT INTO keyValue(key, value) VALUES('" KEY_USER "' || ?1, ?2)"
                              " ON CONFLICT(key) DO UPDATE SET value = excluded.value"
                              " WHERE value <> excluded.value";
static const char DELETE_SQL[] = "DELETE FROM keyValue WHERE key = '" KEY_USER "' || ?1";
static const char HOME_SQL[] = "SELECT u.value, c.value FROM keyValue AS u"
                               " LEFT JOIN keyValue AS c ON c.key = '" KEY_CORE "' || u.value"
                               " WHERE u.key = '" KEY_USER "' || ?1";

struct user_op {
    struct op op;
    const char *name; /* in op.pool */
    store_user_cb *cb;
    void *ctx; /* borrowed */
};

static void on_user(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct user_op *o = (struct user_op *)op;
    struct store_user user = {.name = o->name};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no such user", o->name);
        info = &op->info;
    } else if (e == ERR_OK) {
        user.core = backend_text(&reply->cells[0]);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &user : NULL);
    op_free(op);
}

void store_user_get(struct store *s, const char *name, store_user_cb *cb, void *ctx)
{
    struct user_op *o = op_new(s, sizeof *o, on_user);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_USER, name);
    o->name = pool_text(&o->op.pool, name);
    op_read(&o->op, GET_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name)));
}

struct home_op {
    struct op op;
    const char *name; /* in op.pool */
    store_home_cb *cb;
    void *ctx; /* borrowed */
};

/* A core's row that cannot be read is not logged here: anybody may ask where a user lives, and the
 * list of cores has told of it. */
static void on_home(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct home_op *o = (struct home_op *)op;
    struct store_user user = {.name = o->name};
    struct store_core core;
    struct store_core_row *row = NULL;
    struct err_info ignored;
    if (e == ERR_OK && (reply->rows == 0 || backend_text(&reply->cells[0]) == NULL)) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no such user", o->name);
        info = &op->info;
    } else if (e == ERR_OK) {
        const char *json = backend_text(&reply->cells[1]);
        user.core = backend_text(&reply->cells[0]);
        if (json != NULL) {
            (void)!store_core_row_parse(user.core, json, &row, &core, &ignored);
        }
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &user : NULL, row != NULL ? &core : NULL);
    store_core_row_free(row);
    op_free(op);
}

void store_user_home(struct store *s, const char *name, store_home_cb *cb, void *ctx)
{
    struct home_op *o = op_new(s, sizeof *o, on_home);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_USER, name);
    o->name = pool_text(&o->op.pool, name);
    op_read(&o->op, HOME_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name)));
}

struct put_op {
    struct op op;
    const char *name; /* in op.pool */
    store_done_cb *cb;
    void *ctx; /* borrowed */
};

/* Second step of a put that found a user: on which core? */
static void on_owner(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct put_op *o = (struct put_op *)op;
    if (e == ERR_OK) {
        const char *core = reply->rows > 0 ? backend_text(&reply->cells[0]) : NULL;
        e = err_set(&op->info, ERR_CONFLICT, "%s: is already on core %s", o->name,
                    core != NULL ? core : "(removed just now)");
        info = &op->info;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static void on_put(struct op *op, enum err e, const struct err_info *info,
                   const struct backend_reply *reply)
{
    struct put_op *o = (struct put_op *)op;
    (void)reply;
    if (e == ERR_CONFLICT) {
        op->end = on_owner;
        op_read(op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(o->name)));
        return;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static void check_user(struct op *op, const struct store_user *user)
{
    op_check_name(op, KEY_USER, user->name);
    op_check_name(op, KEY_CORE, user->core);
}

void store_user_put(struct store *s, const struct store_user *user, enum store_put how,
                    store_done_cb *cb, void *ctx)
{
    struct put_op *o = op_new(s, sizeof *o, on_put);
    o->cb = cb;
    o->ctx = ctx;
    check_user(&o->op, user);
    o->name = pool_text(&o->op.pool, user->name);
    op_write(&o->op, how == STORE_ONLY_NEW ? ADD_SQL : PUT_SQL, how == STORE_ONLY_NEW,
             OP_ARGS(OP_TEXT(user->name), OP_TEXT(user->core)));
}

void store_user_delete(struct store *s, const char *name, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_USER, name);
    o->name = pool_text(&o->op.pool, name);
    o->missed = ERR_NOTFOUND;
    o->what = "no such user";
    op_write(&o->op, DELETE_SQL, true, OP_ARGS(OP_TEXT(name)));
}

struct load_op {
    struct op op;
    size_t count;
    struct backend_statement statements[2];
    store_tally_cb *cb;
    void *ctx; /* borrowed */
};

static void on_loaded(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct load_op *o = (struct load_op *)op;
    struct store_tally tally;
    if (e == ERR_OK) {
        tally.added = reply->changes[0];
        tally.updated = reply->changes[1];
        tally.unchanged = o->count - tally.added - tally.updated;
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &tally : NULL);
    op_free(op);
}

/* Users of one core tend to come together: its id is copied once. */
static const char *core_text(struct pool *pool, const char *last, const char *core)
{
    return last != NULL && strcmp(last, core) == 0 ? last : pool_text(pool, core);
}

static struct backend_value *load_values(struct load_op *o, const struct store_user *users)
{
    struct op *op = &o->op;
    struct backend_value *values = pool_array(&op->pool, o->count, 2 * sizeof *values);
    const char *core = NULL;
    for (size_t i = 0; i < o->count && values != NULL; i++) {
        check_user(op, &users[i]);
        if (op->early != ERR_OK) {
            return NULL;
        }
        core = core_text(&op->pool, core, users[i].core);
        values[2 * i] = OP_TEXT(pool_text(&op->pool, users[i].name));
        values[2 * i + 1] = OP_TEXT(core);
    }
    return values;
}

/* New ones first, then those that are elsewhere: so what each statement changed is the tally, and
 * if a name comes twice the later one wins. */
void store_users_load(struct store *s, const struct store_user *users, size_t count,
                      store_tally_cb *cb, void *ctx)
{
    struct load_op *o = op_new(s, sizeof *o, on_loaded);
    o->cb = cb;
    o->ctx = ctx;
    if (count > STORE_BATCH_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "more than %d users at once", STORE_BATCH_MAX);
        count = 0;
    }
    o->count = count;
    struct backend_statement st = {
        .values = load_values(o, users), .params = 2, .sets = count, .any_order = true};
    o->statements[0] = o->statements[1] = st;
    o->statements[0].sql = ADD_SQL;
    o->statements[0].bulk_sql = ADD_MANY_SQL;
    o->statements[1].sql = MOVE_SQL;
    o->statements[1].bulk_sql = MOVE_MANY_SQL;
    o->op.batch =
        (struct backend_batch){.statements = o->statements, .count = 2, .divisible = true};
    op_start_batch(&o->op);
}

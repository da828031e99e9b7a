/* acme_account: what an ACME account is known by, one row for each CA's directory. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

#define COLUMNS                                                                                    \
    "SELECT directory, url, key, pending_key, thumbprint, contact, issuer, created_ms"             \
    " FROM acme_account"
static const char GET_SQL[] = COLUMNS " WHERE directory = ?1";
static const char LIST_SQL[] = COLUMNS " ORDER BY directory";
enum {
    COL_DIRECTORY,
    COL_URL,
    COL_KEY,
    COL_PENDING,
    COL_THUMBPRINT,
    COL_CONTACT,
    COL_ISSUER,
    COL_CREATED,
    COL_COUNT
};

static const char PUT_SQL[] =
    "INSERT INTO acme_account(directory, url, key, pending_key, thumbprint, contact, issuer,"
    " created_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    " ON CONFLICT(directory) DO UPDATE SET url = excluded.url, key = excluded.key,"
    " pending_key = excluded.pending_key, thumbprint = excluded.thumbprint,"
    " contact = excluded.contact, issuer = excluded.issuer, created_ms = excluded.created_ms";
static const char RESEAL_SQL[] = "UPDATE acme_account SET key = ?4, pending_key = ?5"
                                 " WHERE directory = ?1 AND key = ?2 AND pending_key IS ?3";

static struct backend_value text_or_null(const char *text)
{
    return text != NULL ? OP_TEXT(text) : (struct backend_value){.kind = BACKEND_NULL};
}

static struct store_account read_row(const struct backend_value *cells)
{
    return (struct store_account){
        .directory = backend_text(&cells[COL_DIRECTORY]),
        .url = backend_text(&cells[COL_URL]),
        .key = backend_text(&cells[COL_KEY]),
        .pending_key = backend_text(&cells[COL_PENDING]),
        .thumbprint = backend_text(&cells[COL_THUMBPRINT]),
        .contact = backend_text(&cells[COL_CONTACT]),
        .issuer = backend_text(&cells[COL_ISSUER]),
        .created_ms = backend_number(&cells[COL_CREATED]),
    };
}

struct get_op {
    struct op op;
    const char *directory; /* in op.pool */
    store_account_cb *cb;
    void *ctx; /* borrowed */
};

static void on_account(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_account account = {.directory = NULL};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: no account", o->directory);
        info = &op->info;
    } else if (e == ERR_OK) {
        account = read_row(reply->cells);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &account : NULL);
    op_free(op);
}

void store_account_get(struct store *s, const char *directory, store_account_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_account);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_ACCOUNT, directory);
    o->directory = pool_text(&o->op.pool, directory);
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(directory)));
}

static void check_keys(struct op *op, const char *directory, const char *key,
                       const char *pending_key)
{
    op_check_name(op, KEY_ACCOUNT, directory);
    op_check_value(op, directory, key);
    op_check_value(op, directory, pending_key != NULL ? pending_key : "");
}

void store_account_put(struct store *s, const struct store_fence *fence,
                       const struct store_account *a, store_done_cb *cb, void *ctx)
{
    const char *const texts[] = {a->url, a->thumbprint, a->contact, a->issuer};
    struct fenced *f = fenced_new(s, fence, a->directory, cb, ctx);
    check_keys(&f->op, a->directory, a->key, a->pending_key);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        op_check_value(&f->op, a->directory, texts[i]);
    }
    fenced_add(f, PUT_SQL, false,
               OP_ARGS(OP_TEXT(a->directory), OP_TEXT(a->url), OP_TEXT(a->key),
                       text_or_null(a->pending_key), OP_TEXT(a->thumbprint), OP_TEXT(a->contact),
                       OP_TEXT(a->issuer), OP_NUMBER(a->created_ms)));
    fenced_start(f);
}

void store_account_reseal(struct store *s, const struct store_account *expect, const char *key,
                          const char *pending_key, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    check_keys(&o->op, expect->directory, expect->key, expect->pending_key);
    check_keys(&o->op, expect->directory, key, pending_key);
    o->name = pool_text(&o->op.pool, expect->directory);
    o->missed = ERR_CONFLICT;
    o->what = "the account's keys are not those that were read";
    op_write(&o->op, RESEAL_SQL, true,
             OP_ARGS(OP_TEXT(expect->directory), OP_TEXT(expect->key),
                     text_or_null(expect->pending_key), OP_TEXT(key), text_or_null(pending_key)));
}

struct list_op {
    struct op op;
    store_accounts_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_account *list = op_list(op, &e, &info, reply, sizeof *list, "accounts", &count);
    for (size_t i = 0; i < count; i++) {
        list[i] = read_row(reply->cells + i * COL_COUNT);
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_accounts_list(struct store *s, store_accounts_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL, NULL, 0);
}

/* Which rows there are under one name. */
#include "store.h"

#include "keys.h"
#include "op.h"

#define HAS(key) "EXISTS (SELECT 1 FROM keyValue WHERE key = '" key "' || "

static const char TAKEN_SQL[] =
    "SELECT " HAS(KEY_RECORD) "?1), " HAS(KEY_CORE) "?1), " HAS(KEY_USER) "?2)";
enum { COL_RECORD, COL_CORE, COL_USER };

struct taken_op {
    struct op op;
    store_taken_cb *cb;
    void *ctx; /* borrowed */
};

static void on_taken(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct taken_op *o = (struct taken_op *)op;
    struct store_taken taken = {.record = false};
    if (e == ERR_OK) {
        taken.record = backend_number(&reply->cells[COL_RECORD]) != 0;
        taken.core = backend_number(&reply->cells[COL_CORE]) != 0;
        taken.user = backend_number(&reply->cells[COL_USER]) != 0;
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &taken : NULL);
    op_free(op);
}

void store_name_taken(struct store *s, const char *name, const char *user_row, store_taken_cb *cb,
                      void *ctx)
{
    struct taken_op *o = op_new(s, sizeof *o, on_taken);
    struct backend_value user = {.kind = BACKEND_NULL}; /* no key is equal to NULL */
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_RECORD, name); /* the longer of the two prefixes */
    if (user_row != NULL) {
        op_check_name(&o->op, KEY_USER, user_row);
        user = OP_TEXT(user_row);
    }
    op_read(&o->op, TAKEN_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(name), user));
}

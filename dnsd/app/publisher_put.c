/* Rows under the fence: all challenge values at once, then tokens and names one by one. */
#include "lib/mem.h"
#include "publisher_priv.h"

static void put_next(struct op *op);

static void on_put(void *ctx, enum err e, const struct err_info *info)
{
    struct op *op = ctx;
    if (publisher_op_over(op)) {
        return;
    }
    if (e != ERR_OK) {
        op->info = *info;
        publisher_op_end(op, e);
        return;
    }
    put_next(op);
}

static void put_one(struct op *op, struct store *s, const struct store_fence *fence,
                    const struct item *item)
{
    if (item->type == ACME_HTTP01) {
        store_http01_put(s, fence,
                         &(struct store_http01){.token = item->token,
                                                .value = item->value,
                                                .order = op->order,
                                                .expires_ms = op->expires_ms},
                         on_put, op);
    } else {
        store_alpn01_put(s, fence,
                         &(struct store_alpn01){.name = item->name,
                                                .digest = item->value,
                                                .order = op->order,
                                                .expires_ms = op->expires_ms},
                         on_put, op);
    }
}

static void put_next(struct op *op)
{
    struct store_fence fence = {.name = op->lease, .holder = op->holder, .term = op->term};
    while (op->at < op->items_count && op->items[op->at].type == ACME_DNS01) {
        op->at++;
    }
    if (op->at == op->items_count) {
        publisher_op_end(op, ERR_OK);
        return;
    }
    struct store *s = publisher_op_store(op);
    if (s == NULL) {
        publisher_op_end(op, ERR_UNAVAIL);
        return;
    }
    put_one(op, s, &fence, &op->items[op->at++]);
}

void publisher_put_begin(struct op *op)
{
    struct store_fence fence = {.name = op->lease, .holder = op->holder, .term = op->term};
    struct store_challenge list[STORE_PROOFS_MAX];
    size_t count = 0;
    struct store *s = publisher_op_store(op);
    if (s == NULL || op->items_count > STORE_PROOFS_MAX) {
        publisher_op_end(op, s == NULL
                                 ? ERR_UNAVAIL
                                 : err_set(&op->info, ERR_LIMIT, "more than %d proofs at a time",
                                           STORE_PROOFS_MAX));
        return;
    }
    for (size_t i = 0; i < op->items_count; i++) {
        if (op->items[i].type == ACME_DNS01) {
            list[count++] = (struct store_challenge){.name = op->items[i].row,
                                                     .value = op->items[i].value,
                                                     .order = op->order,
                                                     .expires_ms = op->expires_ms};
        }
    }
    if (count > 0) {
        store_challenges_put(s, &fence, list, count, on_put, op);
    } else {
        put_next(op);
    }
}

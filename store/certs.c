/* tls-cert/<hostname>: a certificate with its key, as the platform stores them. What is secret
 * stays in the database: SQL takes the two times out of a row, and nothing else is fetched. */
#include "store.h"

#include "keys.h"
#include "lib/log.h"
#include "op.h"

/* CASE, because it alone keeps json_type() and json_extract() from text that is no JSON. */
#define IS_TIME(path)                                                                              \
    "coalesce(json_type(value, '" path "'), 'null') IN ('integer', 'real', 'null')"
#define TIME_OF(path)                                                                              \
    "CASE WHEN json_valid(value) THEN CAST(json_extract(value, '" path "') AS INTEGER) END"
#define IS_READABLE                                                                                \
    "CASE WHEN json_valid(value) THEN json_type(value) = 'object'"                                 \
    " AND " IS_TIME("$.issuedAt") " AND " IS_TIME("$.expiresAt") " END"
#define ISSUED  TIME_OF("$.issuedAt")
#define EXPIRES TIME_OF("$.expiresAt")

static const char LIST_SQL[] =
    "SELECT substr(key, length('" KEY_CERT "') + 1), " IS_READABLE ", " ISSUED ", " EXPIRES
    " FROM keyValue WHERE " IS_CERT("key") " ORDER BY key";
enum { COL_HOSTNAME, COL_READABLE, COL_ISSUED, COL_EXPIRES, COL_COUNT };

struct list_op {
    struct op op;
    store_certs_cb *cb;
    void *ctx; /* borrowed */
};

/* Returns how many of the rows could be read. */
static size_t read_rows(const struct backend_reply *reply, struct store_cert *list)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->rows; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        const char *hostname = backend_text(&cells[COL_HOSTNAME]);
        if (hostname == NULL || backend_number(&cells[COL_READABLE]) == 0) {
            LOG_WARN("store", "a certificate's row cannot be read and is left out",
                     LOG_S("hostname", hostname != NULL ? hostname : ""));
            continue;
        }
        list[count++] = (struct store_cert){
            .hostname = hostname,
            .issued_ms = backend_number(&cells[COL_ISSUED]),
            .expires_ms = backend_number(&cells[COL_EXPIRES]),
        };
    }
    return count;
}

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t n = e == ERR_OK ? reply->rows : 0;
    struct store_cert *list = pool_array(&op->pool, n, sizeof *list);
    if (list == NULL && e == ERR_OK) {
        e = err_set(&op->info, ERR_NOMEM, "no memory for %zu certificates", n);
        info = &op->info;
    }
    size_t count = e == ERR_OK ? read_rows(reply, list) : 0;
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_certs_list(struct store *s, store_certs_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL, NULL, 0);
}

/* tls-cert/<hostname>: a certificate with its key, as the platform stores them. The predecessor
 * writes the same rows and perhaps members of its own, so a change is a merge patch (RFC 7396) that
 * SQL applies to whatever is there. The list takes out of a row what everybody may know; the key,
 * sealed as it is, is fetched with the whole row only. */
#include "store.h"

#include <stdlib.h>

#include "fenced.h"
#include "keys.h"
#include "lib/jx.h"
#include "lib/log.h"

/* CASE, because it alone keeps json_type() and json_extract() from text that is no JSON. */
#define IF_JSON(then) "CASE WHEN json_valid(value) THEN " then " END"
#define TYPE_OF(path) "coalesce(json_type(value, '" path "'), 'null')"
#define IS_TIME(path) TYPE_OF(path) " IN ('integer', 'real', 'null')"
#define TIME_OF(path) IF_JSON("CAST(json_extract(value, '" path "') AS INTEGER)")
#define TEXT_OF(path) IF_JSON("json_extract(value, '" path "')")
#define IS_READABLE                                                                                \
    "json_type(value) = 'object' AND " IS_TIME("$.issuedAt") " AND " IS_TIME(                      \
        "$.expiresAt") " AND " TYPE_OF("$.generation") " IN ('integer', 'null')"
#define IS_CERTIFICATE                                                                             \
    IS_READABLE                                                                                    \
    " AND json_type(value, '$.certPem') = 'text' AND "                                             \
    "json_type(value, '$.keyPem') = 'text' AND " TYPE_OF(                                          \
        "$.chainPem") " IN ('text', 'null') AND " TYPE_OF("$.directory") " IN ('text', "           \
                                                                         "'null')"
#define GENERATION                                                                                 \
    IF_JSON("CASE WHEN json_type(value, '$.generation') = 'integer'"                               \
            " THEN json_extract(value, '$.generation') ELSE 0 END")
#define ISSUED  TIME_OF("$.issuedAt")
#define EXPIRES TIME_OF("$.expiresAt")

static const char LIST_SQL[] =
    "SELECT substr(key, length('" KEY_CERT
    "') + 1), " IF_JSON(IS_READABLE) ", " ISSUED ", " EXPIRES ", " GENERATION
                                     " FROM keyValue WHERE " IS_CERT("key") " ORDER BY key";
static const char GET_SQL[] = "SELECT substr(key, length('" KEY_CERT "') + 1), " IF_JSON(
    IS_CERTIFICATE) ", " ISSUED ", " EXPIRES ", " GENERATION
                    ", " TEXT_OF("$.certPem") ", " TEXT_OF("$.chainPem") ", " TEXT_OF(
                        "$.keyPem") ", " TEXT_OF("$.directory") " FROM keyValue WHERE key = "
                                                                "'" KEY_CERT "' || ?1";
enum {
    COL_HOSTNAME,
    COL_READABLE,
    COL_ISSUED,
    COL_EXPIRES,
    COL_GENERATION,
    COL_LIST_COUNT,
    COL_CERT = COL_LIST_COUNT,
    COL_CHAIN,
    COL_KEY,
    COL_DIRECTORY
};

/* What is no JSON object cannot be patched and is of no use to anybody; it must not be in the way
 * of what is. */
static const char CLEAR_SQL[] =
    "DELETE FROM keyValue WHERE key = '" KEY_CERT "' || ?1 AND ?2 = 0"
    " AND CASE WHEN json_valid(value) THEN json_type(value) <> 'object' ELSE 1 END";
static const char PUT_SQL[] =
    "INSERT INTO keyValue(key, value) SELECT '" KEY_CERT "' || ?1, json_patch('{}', ?3)"
    " WHERE ?2 = 0 OR EXISTS (SELECT 1 FROM keyValue WHERE key = '" KEY_CERT "' || ?1)"
    " ON CONFLICT(key) DO UPDATE SET value = json_patch(value, ?3) WHERE " GENERATION " = ?2";
static const char RESEAL_SQL[] =
    "UPDATE keyValue SET value = json_set(value, '$.keyPem', ?3)"
    " WHERE key = '" KEY_CERT "' || ?1 AND " TEXT_OF("$.keyPem") " = ?2";

/* ---- reading --------------------------------------------------------------------------------- */

static struct store_cert read_cert(const struct backend_value *cells)
{
    return (struct store_cert){
        .hostname = backend_text(&cells[COL_HOSTNAME]),
        .issued_ms = backend_number(&cells[COL_ISSUED]),
        .expires_ms = backend_number(&cells[COL_EXPIRES]),
        .generation = (uint64_t)backend_number(&cells[COL_GENERATION]),
    };
}

struct list_op {
    struct op op;
    store_certs_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t rows, count = 0;
    struct store_cert *list = op_list(op, &e, &info, reply, sizeof *list, "certificates", &rows);
    for (size_t i = 0; i < rows; i++) {
        const struct backend_value *cells = reply->cells + i * COL_LIST_COUNT;
        const char *hostname = backend_text(&cells[COL_HOSTNAME]);
        if (hostname == NULL || backend_number(&cells[COL_READABLE]) == 0) {
            LOG_WARN("store", "a certificate's row cannot be read and is left out",
                     LOG_S("hostname", hostname != NULL ? hostname : ""));
            continue;
        }
        list[count++] = read_cert(cells);
    }
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

struct get_op {
    struct op op;
    const char *hostname; /* in op.pool */
    store_cert_row_cb *cb;
    void *ctx; /* borrowed */
};

static enum err read_row(const struct get_op *o, const struct backend_reply *reply,
                         struct store_cert_row *row, struct err_info *info)
{
    const struct backend_value *cells = reply->cells;
    if (reply->rows == 0) {
        return err_set(info, ERR_NOTFOUND, "%s: no certificate", o->hostname);
    }
    if (backend_number(&cells[COL_READABLE]) == 0) {
        return err_set(info, ERR_MALFORMED, "%s: its row is not a certificate's", o->hostname);
    }
    const char *chain = backend_text(&cells[COL_CHAIN]);
    *row = (struct store_cert_row){
        .cert = read_cert(cells),
        .cert_pem = backend_text(&cells[COL_CERT]),
        .chain_pem = chain != NULL ? chain : "",
        .key = backend_text(&cells[COL_KEY]),
        .directory = backend_text(&cells[COL_DIRECTORY]),
    };
    return ERR_OK;
}

static void on_row(struct op *op, enum err e, const struct err_info *info,
                   const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_cert_row row;
    if (e == ERR_OK) {
        e = read_row(o, reply, &row, &op->info);
        info = &op->info;
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &row : NULL);
    op_free(op);
}

void store_cert_get(struct store *s, const char *hostname, store_cert_row_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_row);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_CERT, hostname);
    o->hostname = pool_text(&o->op.pool, hostname);
    op_read(&o->op, GET_SQL, BACKEND_LOCAL, OP_ARGS(OP_TEXT(hostname)));
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_put(struct op *op, enum err e, const struct err_info *info,
                   const struct backend_reply *reply)
{
    struct fenced *f = (struct fenced *)op;
    if (e == ERR_OK && reply->changes[f->first] > 0) {
        LOG_WARN("store", "a certificate's row was unreadable and is replaced",
                 LOG_S("hostname", f->name));
    }
    fenced_end(op, e, info, reply);
}

/* As a merge patch. The caller frees it. */
static char *patch_of(const struct store_cert_row *row)
{
    json_t *patch =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s?}", "certPem", row->cert_pem, "chainPem",
                  row->chain_pem, "keyPem", row->key, "issuedAt", (json_int_t)row->cert.issued_ms,
                  "expiresAt", (json_int_t)row->cert.expires_ms, "generation",
                  (json_int_t)row->cert.generation, "directory", row->directory);
    char *text = patch != NULL ? json_dumps(patch, JSON_COMPACT) : NULL;
    json_decref(patch);
    return text;
}

void store_cert_put(struct store *s, const struct store_fence *fence,
                    const struct store_cert_row *row, uint64_t expect, store_done_cb *cb, void *ctx)
{
    const char *hostname = row->cert.hostname;
    struct fenced *f = fenced_new(s, fence, hostname, cb, ctx);
    f->op.end = on_put;
    f->what = "another certificate has been stored in the meantime";
    op_check_name(&f->op, KEY_CERT, hostname);
    char *patch = patch_of(row);
    if (patch == NULL) {
        op_refuse(&f->op, ERR_MALFORMED, "%.100s: a member is not UTF-8", hostname);
    } else {
        op_check_value(&f->op, hostname, patch);
    }
    fenced_add(f, CLEAR_SQL, false, OP_ARGS(OP_TEXT(hostname), OP_NUMBER((int64_t)expect)));
    fenced_add(f, PUT_SQL, true,
               OP_ARGS(OP_TEXT(hostname), OP_NUMBER((int64_t)expect),
                       OP_TEXT(patch != NULL ? patch : "")));
    fenced_start(f);
    free(patch);
}

void store_cert_reseal(struct store *s, const char *hostname, const char *expect, const char *key,
                       store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_CERT, hostname);
    op_check_value(&o->op, hostname, expect);
    op_check_value(&o->op, hostname, key);
    o->name = pool_text(&o->op.pool, hostname);
    o->missed = ERR_CONFLICT;
    o->what = "the key is not sealed any more as it was read";
    op_write(&o->op, RESEAL_SQL, true, OP_ARGS(OP_TEXT(hostname), OP_TEXT(expect), OP_TEXT(key)));
}

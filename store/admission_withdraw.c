/* The way back: of a core that has not arrived (withdraw), and of one that has (retire). */
#include "joining.h"

#include "looked.h"
#include "nodes.h"

struct withdraw_op {
    struct looked looked;
    int64_t now_ms;
    struct store_withdrawn result;
    store_withdraw_cb *cb;
    void *ctx; /* borrowed */
};

static void done(struct looked *l, enum err e, const struct err_info *info)
{
    struct withdraw_op *o = (struct withdraw_op *)l;
    o->cb(o->ctx, e, info, e == ERR_OK ? &o->result : NULL);
}

static struct withdraw_op *withdraw_new(struct store *s, const struct looked_kind *kind,
                                        const char *core, int64_t now_ms, store_withdraw_cb *cb,
                                        void *ctx)
{
    struct withdraw_op *o = looked_new(s, sizeof *o, kind);
    o->now_ms = now_ms;
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->looked.op, KEY_CORE, core);
    joining_check_now(&o->looked.op, now_ms);
    return o;
}

static void revoke_all(struct withdraw_op *o, const char *reason)
{
    struct looked *l = &o->looked;
    const struct backend_value *id = &l->values[0];
    looked_add(l, joining_revoke_tokens_sql, OP_ARGS(*id, OP_NUMBER(o->now_ms)));
    looked_add(l, joining_revoke_certs_sql, OP_ARGS(*id, OP_NUMBER(o->now_ms), OP_TEXT(reason)));
}

/* The row of a core, and what goes with it. */
static void drop_core(struct withdraw_op *o)
{
    struct looked *l = &o->looked;
    looked_add(l, nodes_delete_sql, l->values, 1);
    for (size_t i = 0; i < NODES_FORGET; i++) {
        looked_add(l, nodes_forget[i], l->values, 1);
    }
    o->result.core_deleted = true;
}

static void drop_record(struct withdraw_op *o)
{
    looked_add(&o->looked, joining_drop_record_sql, o->looked.values, 1);
    o->result.record_deleted = true;
}

/* ---- withdraw -------------------------------------------------------------------------------- */

#define USERS_ON "FROM keyValue AS u WHERE " IS_USER("u.key") " AND u.value = ?1"

/* ?2: the address, or NULL; ?3: now. */
#define WITHDRAW_CELLS                                                                             \
    JOINING_LIVE_COUNT("?3")                                                                       \
    ", " JOINING_CERT_COUNT ", EXISTS (SELECT 1 FROM admission WHERE core = ?1)"                   \
    ", EXISTS (SELECT 1 FROM admission WHERE core = ?1 AND previous IS NULL)"                      \
    ", " JOINING_ROW " IS NOT NULL, EXISTS (SELECT 1 " USERS_ON ")"                                \
    ", ?2 IS NOT NULL AND " JOINING_RECORD("?2", "?2")
static const char WITHDRAW_LOOK_SQL[] = "SELECT " WITHDRAW_CELLS;
static const char WITHDRAW_GUARD_SQL[] =
    LOOKED_GUARD(WITHDRAW_CELLS, "?4, ?5, ?6, ?7, ?8, ?9, ?10");
enum { SEEN_TOKENS, SEEN_CERTS, SEEN_ADMITTED, SEEN_CREATED, SEEN_ROW, SEEN_USERS, SEEN_RECORD };

static const char REVOKE_LIVE_SQL[] = "UPDATE join_token SET revoked_ms = ?2"
                                      " WHERE " JOINING_TOKEN_OF " AND " JOINING_TOKEN_LIVE("?2");
static const char RESTORE_SQL[] =
    "UPDATE keyValue SET value = (SELECT previous FROM admission WHERE core = ?1)"
    " WHERE key = " JOINING_KEY;
static const char FORGET_SQL[] = "DELETE FROM admission WHERE core = ?1";

static enum err plan_withdraw(struct looked *l)
{
    struct withdraw_op *o = (struct withdraw_op *)l;
    const struct backend_value *id = &l->values[0];
    bool row = looked_cell(l, SEEN_ROW) != 0, created = looked_cell(l, SEEN_CREATED) != 0;
    o->result = (struct store_withdrawn){.tokens = (size_t)looked_cell(l, SEEN_TOKENS)};
    if (looked_cell(l, SEEN_ADMITTED) == 0) {
        if (o->result.tokens > 0) {
            looked_add(l, REVOKE_LIVE_SQL, OP_ARGS(*id, OP_NUMBER(o->now_ms)));
        }
        return ERR_OK;
    }
    o->result.certs = (size_t)looked_cell(l, SEEN_CERTS);
    revoke_all(o, "withdrawn");
    if (row && !created) {
        looked_add(l, RESTORE_SQL, id, 1);
        o->result.core_restored = true;
    } else if (row && looked_cell(l, SEEN_USERS) == 0) {
        drop_core(o);
    }
    if (!o->result.core_deleted) {
        looked_add(l, FORGET_SQL, id, 1);
    }
    if (looked_cell(l, SEEN_RECORD) != 0) {
        drop_record(o);
    }
    return ERR_OK;
}

void store_admission_withdraw(struct store *s, const char *core, const char *ip, int64_t now_ms,
                              store_withdraw_cb *cb, void *ctx)
{
    static const struct looked_kind kind = {.look_sql = WITHDRAW_LOOK_SQL,
                                            .guard_sql = WITHDRAW_GUARD_SQL,
                                            .args = 3,
                                            .cells = 7,
                                            .plan = plan_withdraw,
                                            .done = done};
    struct withdraw_op *o = withdraw_new(s, &kind, core, now_ms, cb, ctx);
    struct backend_value values[] = {OP_TEXT(core), {.kind = BACKEND_NULL}, OP_NUMBER(now_ms)};
    if (ip != NULL) {
        op_check_name(&o->looked.op, KEY_RECORD, ip);
        values[1] = OP_TEXT(ip);
    }
    looked_start(&o->looked, values);
}

/* ---- retire ---------------------------------------------------------------------------------- */

/* ?2: now, ?3: whoever is on it. The addresses are the row's own. */
#define OWN(member)                                                                                \
    "(SELECT CASE WHEN json_valid(value) THEN json_extract(value, '$." member "') END"             \
    " FROM keyValue WHERE key = " JOINING_KEY ")"
#define RETIRE_CELLS                                                                               \
    JOINING_LIVE_COUNT("?2")                                                                       \
    ", " JOINING_CERT_COUNT ", " JOINING_ROW " IS NOT NULL"                                        \
    ", CASE WHEN ?3 THEN 0 ELSE (SELECT count(*) " USERS_ON ") END"                                \
    ", " JOINING_RECORD(OWN("ip"), OWN("ipv6"))
static const char RETIRE_LOOK_SQL[] = "SELECT " RETIRE_CELLS;
static const char RETIRE_GUARD_SQL[] = LOOKED_GUARD(RETIRE_CELLS, "?4, ?5, ?6, ?7, ?8");
enum { LEFT_TOKENS, LEFT_CERTS, LEFT_ROW, LEFT_USERS, LEFT_RECORD };

static enum err plan_retire(struct looked *l)
{
    struct withdraw_op *o = (struct withdraw_op *)l;
    const char *id = l->values[0].text;
    int64_t users = looked_cell(l, LEFT_USERS);
    if (looked_cell(l, LEFT_ROW) == 0) {
        return err_set(&l->op.info, ERR_NOTFOUND, "%s: no such core", id);
    }
    if (users > 0) {
        return err_set(&l->op.info, ERR_CONFLICT, "%s: %lld users are on it", id, (long long)users);
    }
    o->result = (struct store_withdrawn){.tokens = (size_t)looked_cell(l, LEFT_TOKENS),
                                         .certs = (size_t)looked_cell(l, LEFT_CERTS)};
    revoke_all(o, "removed");
    drop_core(o);
    if (looked_cell(l, LEFT_RECORD) != 0) {
        drop_record(o);
    }
    return ERR_OK;
}

void store_core_retire(struct store *s, const char *id, bool force, int64_t now_ms,
                       store_withdraw_cb *cb, void *ctx)
{
    static const struct looked_kind kind = {.look_sql = RETIRE_LOOK_SQL,
                                            .guard_sql = RETIRE_GUARD_SQL,
                                            .args = 3,
                                            .cells = 5,
                                            .plan = plan_retire,
                                            .done = done};
    struct withdraw_op *o = withdraw_new(s, &kind, id, now_ms, cb, ctx);
    const struct backend_value values[] = {OP_TEXT(id), OP_NUMBER(now_ms), OP_NUMBER(force)};
    o->looked.op.query.aside = true; /* counts users */
    looked_start(&o->looked, values);
}

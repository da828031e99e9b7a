/* admission: letting a core in. One transaction each: what lets it in (issue), and its arrival
 * (finish). That it shows its token is in admission_ack.c, the way back in admission_withdraw.c.
 *
 *            issue            ack             finish
 *     none ────────> issued ───────> acked ─────────> none, and the core is one like the others
 *       ^             │  ^ └─issue     │
 *       └──withdraw───┴──┴──withdraw───┘   and the core's row is as before the first issue
 */
#include "joining.h"

#include <stdlib.h>
#include <string.h>

#include "nodes.h"

const char joining_revoke_tokens_sql[] =
    "UPDATE join_token SET revoked_ms = ?2 WHERE " JOINING_TOKEN_OF " AND revoked_ms = 0";
const char joining_revoke_certs_sql[] =
    "UPDATE node_cert SET revoked_ms = ?2, reason = ?3 WHERE core = ?1 AND revoked_ms = 0";
const char joining_drop_record_sql[] = "DELETE FROM keyValue WHERE key = '" KEY_RECORD "' || ?1";

void joining_check_now(struct op *op, int64_t now_ms)
{
    if (now_ms < 1) {
        op_refuse(op, ERR_MALFORMED, "the time is before 1970");
    }
}

/* ---- issue ----------------------------------------------------------------------------------- */

#define TRIES 3 /* to give up needs as many others who come between write and read each time */

#define IS_ISSUED "EXISTS (SELECT 1 FROM admission AS i WHERE i.core = ?1 AND i.state = 'issued')"
/* Another core whose row has the address. CASE, because it alone keeps json_extract() from text that
 * is no JSON. */
#define IS_OTHER IS_CORE("c.key") " AND c.key <> " JOINING_KEY
#define OTHER_WITH(member, address)                                                                \
    "(SELECT substr(c.key, length('" KEY_CORE "') + 1) FROM keyValue AS c WHERE " IS_OTHER         \
    " AND CASE WHEN json_valid(c.value)"                                                           \
    " THEN lower(json_extract(c.value, '$." member "')) = lower(" address ") END LIMIT 1)"
/* Tokens that can still be shown, but for the core's: those do not survive this. */
#define OTHERS_LIVE(now)                                                                           \
    "(SELECT count(*) FROM join_token WHERE NOT " JOINING_TOKEN_OF                                 \
    " AND " JOINING_TOKEN_LIVE(now) ")"

/* An earlier attempt's token and certificate, or those of the core that is replaced; those of a core
 * that somebody has deleted, too. */
static const char SUPERSEDE_SQL[] =
    "UPDATE node_cert SET revoked_ms = ?2,"
    " reason = CASE WHEN " IS_ISSUED " THEN 'superseded' ELSE 'replaced' END"
    " WHERE core = ?1 AND revoked_ms = 0";

#define HAS_NO_OTHER  OTHER_WITH("ip", "?7") " IS NULL AND " OTHER_WITH("ipv6", "?8") " IS NULL"
#define HAS_ROOM      OTHERS_LIVE("?2") " < ?9"
#define MAY_BE_LET_IN "(?6 OR " JOINING_ROW " IS NULL OR " IS_ISSUED ") AND " HAS_NO_OTHER
/* What was there before the first attempt stays remembered, unless that row is gone too. */
static const char ADMIT_SQL[] =
    "INSERT INTO admission(core, state, token, serial, fingerprint, previous, issued_ms, acked_ms)"
    " SELECT ?1, 'issued', ?3, ?4, ?5, " JOINING_ROW ", ?2, 0"
    " WHERE " MAY_BE_LET_IN " AND " HAS_ROOM
    " ON CONFLICT(core) DO UPDATE SET state = excluded.state, token = excluded.token,"
    " serial = excluded.serial, fingerprint = excluded.fingerprint,"
    " previous = CASE WHEN excluded.previous IS NOT NULL THEN admission.previous END,"
    " issued_ms = excluded.issued_ms, acked_ms = 0";
static const char TOKEN_SQL[] =
    "INSERT INTO join_token(hash, core, issued_ms, expires_ms, consumed_ms, revoked_ms,"
    " consumed_by, consumed_from) VALUES(?1, ?2, ?3, ?4, 0, 0, '', '')"
    " ON CONFLICT(hash) DO NOTHING";
/* Of those that ended the last STORE_TOKENS_MAX are kept. */
#define ENDED "NOT (" JOINING_TOKEN_LIVE("?1") ")"
static const char SWEEP_SQL[] =
    "DELETE FROM join_token WHERE " ENDED " AND n <= (SELECT n FROM join_token WHERE " ENDED
    " ORDER BY n DESC LIMIT 1 OFFSET ?2)";

static const char WHY_SQL[] =
    "SELECT " JOINING_ROW " IS NOT NULL, (SELECT state FROM admission WHERE core = ?1),"
    " " OTHER_WITH("ip", "?3") ", " OTHER_WITH("ipv6", "?4") ", " OTHERS_LIVE("?2");
enum { WHY_ROW, WHY_STATE, WHY_IP, WHY_IPV6, WHY_TOKENS };

enum issue_step {
    ISSUE_TOKENS,
    ISSUE_CERTS,
    ISSUE_ADMIT,
    ISSUE_ROW,
    ISSUE_TOKEN,
    ISSUE_SWEEP,
    ISSUE_CERT,
    ISSUE_STEPS = ISSUE_CERT + NODE_CERTS_ADD
};

struct issue_op {
    struct op op;
    struct backend_statement statements[ISSUE_STEPS];
    struct backend_value why[4]; /* id, now, addresses; in op.pool */
    bool replace;
    unsigned tries;
    store_done_cb *cb;
    void *ctx; /* borrowed */
};

static op_end_cb on_issued;

/* ERR_OK: there is no reason any more. */
static enum err why_not(struct issue_op *o, const struct backend_value *cells)
{
    struct err_info *info = &o->op.info;
    const char *id = o->why[0].text;
    const char *state = backend_text(&cells[WHY_STATE]);
    const char *ip = backend_text(&cells[WHY_IP]), *ipv6 = backend_text(&cells[WHY_IPV6]);
    bool issued = state != NULL && strcmp(state, "issued") == 0;
    if (backend_number(&cells[WHY_ROW]) != 0 && !o->replace && !issued) {
        return err_set(info, ERR_CONFLICT, "%s: there is already a core of this id%s", id,
                       state != NULL ? ", on its way in" : "");
    }
    if (ip != NULL) {
        return err_set(info, ERR_CONFLICT, "%s: core %s has the address %s", id, ip,
                       o->why[2].text);
    }
    if (ipv6 != NULL) {
        return err_set(info, ERR_CONFLICT, "%s: core %s has the address %s", id, ipv6,
                       o->why[3].text);
    }
    if (backend_number(&cells[WHY_TOKENS]) >= STORE_TOKENS_MAX) {
        return err_set(info, ERR_LIMIT, "%s: there are already %d tokens that were not shown yet",
                       id, STORE_TOKENS_MAX);
    }
    return o->tries < TRIES
               ? ERR_OK
               : err_set(info, ERR_CONFLICT, "%s: others keep changing what is in its way", id);
}

static void on_why_not(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct issue_op *o = (struct issue_op *)op;
    if (e == ERR_OK) {
        e = why_not(o, reply->cells);
        info = &op->info;
        if (e == ERR_OK) {
            o->tries++;
            op->end = on_issued;
            op_start_batch(op);
            return;
        }
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static void on_issued(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct issue_op *o = (struct issue_op *)op;
    if (e == ERR_CONFLICT && reply->failed == ISSUE_ADMIT) {
        op->end = on_why_not;
        op_read(op, WHY_SQL, BACKEND_LATEST, o->why, 4);
        return;
    }
    if (e == ERR_CONFLICT) {
        e = err_set(&op->info, e, "%s: there is already a %s like this", o->why[0].text,
                    reply->failed == ISSUE_TOKEN ? "token" : "certificate");
        info = &op->info;
    }
    o->cb(o->ctx, e, info);
    op_free(op);
}

static struct backend_value text_or_null(struct pool *pool, const char *text)
{
    return text != NULL ? OP_TEXT(pool_text(pool, text))
                        : (struct backend_value){.kind = BACKEND_NULL};
}

static void issue_add(struct issue_op *o, enum issue_step at, const char *sql,
                      const struct backend_value *values, size_t count)
{
    op_statement(&o->op, &o->statements[at], sql, at == ISSUE_ADMIT || at == ISSUE_TOKEN, values,
                 count);
}

static void issue_plan(struct issue_op *o, const struct store_letting *l, const char *patch)
{
    const struct backend_value *id = &o->why[0], *now = &o->why[1];
    const struct store_token *t = &l->token;
    issue_add(o, ISSUE_TOKENS, joining_revoke_tokens_sql, OP_ARGS(*id, *now));
    issue_add(o, ISSUE_CERTS, SUPERSEDE_SQL, OP_ARGS(*id, *now));
    issue_add(o, ISSUE_ADMIT, ADMIT_SQL,
              OP_ARGS(*id, *now, OP_TEXT(t->hash), OP_TEXT(l->cert.serial),
                      OP_TEXT(l->cert.fingerprint), OP_NUMBER(l->replace), o->why[2], o->why[3],
                      OP_NUMBER(STORE_TOKENS_MAX)));
    issue_add(o, ISSUE_ROW, nodes_put_sql, OP_ARGS(*id, OP_TEXT(patch)));
    issue_add(o, ISSUE_TOKEN, TOKEN_SQL,
              OP_ARGS(OP_TEXT(t->hash), OP_TEXT(t->core), OP_NUMBER(t->issued_ms),
                      OP_NUMBER(t->expires_ms)));
    issue_add(o, ISSUE_SWEEP, SWEEP_SQL, OP_ARGS(*now, OP_NUMBER(STORE_TOKENS_MAX)));
    node_certs_add(&o->op, &o->statements[ISSUE_CERT], &l->cert);
    o->op.batch = (struct backend_batch){.statements = o->statements, .count = ISSUE_STEPS};
}

static void check_letting(struct op *op, const struct store_letting *l)
{
    op_check_name(op, KEY_CORE, l->core.id);
    op_check_name(op, KEY_TOKEN, l->token.hash);
    node_certs_check(op, &l->cert);
    joining_check_now(op, l->now_ms);
    if (l->token.core[0] != '\0' && strcmp(l->token.core, l->core.id) != 0) {
        op_refuse(op, ERR_MALFORMED, "%.100s: the token is for another core", l->core.id);
    }
    if (strcmp(l->cert.core, l->core.id) != 0) {
        op_refuse(op, ERR_MALFORMED, "%.100s: the certificate is another core's", l->core.id);
    }
}

void store_admission_issue(struct store *s, const struct store_letting *l, store_done_cb *cb,
                           void *ctx)
{
    struct issue_op *o = op_new(s, sizeof *o, on_issued);
    struct store_core core = l->core;
    o->cb = cb;
    o->ctx = ctx;
    o->replace = l->replace;
    o->tries = 1;
    core.available = false;
    check_letting(&o->op, l);
    char *patch = nodes_patch(&core);
    if (patch == NULL) {
        op_refuse(&o->op, ERR_MALFORMED, "%.100s: a member is not UTF-8", core.id);
    } else {
        op_check_value(&o->op, core.id, patch);
    }
    if (o->op.early == ERR_OK) {
        o->why[0] = OP_TEXT(pool_text(&o->op.pool, core.id));
        o->why[1] = OP_NUMBER(l->now_ms);
        o->why[2] = text_or_null(&o->op.pool, core.ip);
        o->why[3] = text_or_null(&o->op.pool, core.ipv6);
        if (!o->op.pool.bad) {
            issue_plan(o, l, patch);
        }
    }
    op_start_batch(&o->op);
    free(patch);
}

/* ---- get, finish ----------------------------------------------------------------------------- */

static const char GET_SQL[] = "SELECT state, token, serial, fingerprint, previous IS NULL,"
                              " issued_ms, acked_ms FROM admission WHERE core = ?1";
enum { COL_STATE, COL_TOKEN, COL_SERIAL, COL_FINGERPRINT, COL_CREATED, COL_ISSUED, COL_ACKED };

static const char ARRIVED_SQL[] = "DELETE FROM admission WHERE core = ?1 AND state = 'acked'";
static const char AVAILABLE_SQL[] = "UPDATE keyValue SET value = json_patch(value, ?2)"
                                    " WHERE key = " JOINING_KEY " AND json_valid(value)";

struct get_op {
    struct op op;
    const char *core; /* in op.pool */
    store_admission_cb *cb;
    void *ctx; /* borrowed */
};

static void on_admission(struct op *op, enum err e, const struct err_info *info,
                         const struct backend_reply *reply)
{
    struct get_op *o = (struct get_op *)op;
    struct store_admission a = {.core = o->core};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_NOTFOUND, "%s: is not being let in", o->core);
        info = &op->info;
    } else if (e == ERR_OK) {
        const char *state = backend_text(&reply->cells[COL_STATE]);
        a.state = state != NULL && strcmp(state, "acked") == 0 ? STORE_ADMISSION_ACKED
                                                               : STORE_ADMISSION_ISSUED;
        a.token = backend_text(&reply->cells[COL_TOKEN]);
        a.serial = backend_text(&reply->cells[COL_SERIAL]);
        a.fingerprint = backend_text(&reply->cells[COL_FINGERPRINT]);
        a.created = backend_number(&reply->cells[COL_CREATED]) != 0;
        a.issued_ms = backend_number(&reply->cells[COL_ISSUED]);
        a.acked_ms = backend_number(&reply->cells[COL_ACKED]);
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &a : NULL);
    op_free(op);
}

void store_admission_get(struct store *s, const char *core, store_admission_cb *cb, void *ctx)
{
    struct get_op *o = op_new(s, sizeof *o, on_admission);
    o->cb = cb;
    o->ctx = ctx;
    op_check_name(&o->op, KEY_CORE, core);
    o->core = pool_text(&o->op.pool, core);
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(core)));
}

void store_admission_finish(struct store *s, const char *core, bool available, store_done_cb *cb,
                            void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    struct op *op = &o->op;
    struct backend_statement *st = pool_array(&op->pool, 2, sizeof *st);
    op_check_name(op, KEY_CORE, core);
    o->name = pool_text(&op->pool, core);
    o->missed = ERR_CONFLICT;
    o->what = "has not been let in, or its row is gone";
    if (st != NULL) {
        op_statement(op, &st[0], ARRIVED_SQL, true, OP_ARGS(OP_TEXT(core)));
        op_statement(op, &st[1], AVAILABLE_SQL, true,
                     OP_ARGS(OP_TEXT(core), OP_TEXT(available ? "{\"available\":true}"
                                                              : "{\"available\":false}")));
        op->batch = (struct backend_batch){.statements = st, .count = 2};
    }
    op_start_batch(op);
}

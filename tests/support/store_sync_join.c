/* The operations that cores come in and go with. */
#include "store_sync_priv.h"

#define BEGIN(y)                                                                                   \
    struct sync_op o = {.y = (y)};                                                                 \
    sync_begin(y)

static void text(struct sync_op *o, const char *value)
{
    assert_non_null(value);
    str_appendf(&o->y->out, ",%s", value);
}

static void number(struct sync_op *o, int64_t value)
{
    str_appendf(&o->y->out, ",%lld", (long long)value);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void on_tokens(void *ctx, enum err e, const struct err_info *info,
                      const struct store_token *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_append(&o->y->out, list[i].hash);
        text(o, list[i].core);
        number(o, list[i].issued_ms);
        number(o, list[i].expires_ms);
        number(o, list[i].consumed_ms);
        number(o, list[i].revoked_ms);
        text(o, list[i].consumed_by);
        text(o, list[i].consumed_from);
    }
    sync_ended(o, e, info);
}

enum err sync_tokens(struct sync *y)
{
    BEGIN(y);
    store_tokens_list(y->store, on_tokens, &o);
    return sync_finish(&o);
}

enum err sync_tokens_purge(struct sync *y, int64_t now_ms)
{
    BEGIN(y);
    store_tokens_purge(y->store, now_ms, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- certificates ---------------------------------------------------------------------------- */

enum err sync_node_cert_put(struct sync *y, const struct store_node_cert *cert)
{
    BEGIN(y);
    store_node_cert_put(y->store, cert, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_node_cert *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_append(&o->y->out, list[i].serial);
        text(o, list[i].core);
        text(o, list[i].fingerprint);
        number(o, list[i].issued_ms);
        number(o, list[i].expires_ms);
        number(o, list[i].revoked_ms);
        text(o, list[i].reason);
    }
    sync_ended(o, e, info);
}

enum err sync_node_certs(struct sync *y, const char *core, bool revoked, int64_t now_ms)
{
    BEGIN(y);
    store_node_certs_list(y->store, core, revoked, now_ms, on_certs, &o);
    return sync_finish(&o);
}

static void on_tally(void *ctx, enum err e, const struct err_info *info,
                     const struct store_tally *tally)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (tally != NULL));
    if (e == ERR_OK) {
        o->y->tally = *tally;
    }
    sync_ended(o, e, info);
}

enum err sync_node_certs_revoke(struct sync *y, const char *core, const char *serial,
                                int64_t now_ms, const char *reason)
{
    BEGIN(y);
    store_node_certs_revoke(y->store, core, serial, now_ms, reason, on_tally, &o);
    return sync_finish(&o);
}

/* ---- admissions ------------------------------------------------------------------------------ */

enum err sync_admission_issue(struct sync *y, const struct store_letting *l)
{
    BEGIN(y);
    store_admission_issue(y->store, l, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_admission(void *ctx, enum err e, const struct err_info *info,
                         const struct store_admission *a)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (a != NULL));
    if (e == ERR_OK) {
        str_append(&o->y->out, a->core);
        text(o, a->state == STORE_ADMISSION_ACKED ? "acked" : "issued");
        text(o, a->token);
        text(o, a->serial);
        text(o, a->fingerprint);
        number(o, a->created);
        number(o, a->issued_ms);
        number(o, a->acked_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_admission_get(struct sync *y, const char *core)
{
    BEGIN(y);
    store_admission_get(y->store, core, on_admission, &o);
    return sync_finish(&o);
}

const char *sync_acked_text(enum store_acked how)
{
    static const char *const words[] = {
        [STORE_ACKED] = "acked",
        [STORE_ACK_AGAIN] = "again",
        [STORE_ACK_UNKNOWN] = "unknown",
        [STORE_ACK_EXPIRED] = "expired",
        [STORE_ACK_REVOKED] = "revoked",
        [STORE_ACK_CONSUMED] = "consumed",
        [STORE_ACK_OTHER_CORE] = "other core",
        [STORE_ACK_OTHER_CERT] = "other cert",
        [STORE_ACK_NO_CORE] = "no core",
    };
    return words[how];
}

static void on_ack(void *ctx, enum err e, const struct err_info *info, enum store_acked how)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        str_append(&o->y->out, sync_acked_text(how));
    }
    sync_ended(o, e, info);
}

enum err sync_admission_ack(struct sync *y, const struct store_ack *ack)
{
    BEGIN(y);
    store_admission_ack(y->store, ack, on_ack, &o);
    return sync_finish(&o);
}

enum err sync_admission_finish(struct sync *y, const char *core, bool available)
{
    BEGIN(y);
    store_admission_finish(y->store, core, available, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_withdrawn(void *ctx, enum err e, const struct err_info *info,
                         const struct store_withdrawn *w)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (w != NULL));
    if (e == ERR_OK) {
        str_appendf(&o->y->out, "%zu,%zu%s%s%s", w->tokens, w->certs,
                    w->core_deleted ? " deleted" : "", w->core_restored ? " restored" : "",
                    w->record_deleted ? " record" : "");
    }
    sync_ended(o, e, info);
}

enum err sync_admission_withdraw(struct sync *y, const char *core, const char *ip, int64_t now_ms)
{
    BEGIN(y);
    store_admission_withdraw(y->store, core, ip, now_ms, on_withdrawn, &o);
    return sync_finish(&o);
}

enum err sync_core_retire(struct sync *y, const char *id, bool force, int64_t now_ms)
{
    BEGIN(y);
    store_core_retire(y->store, id, force, now_ms, on_withdrawn, &o);
    return sync_finish(&o);
}

#include "db_join.h"

#include <string.h>

#include "cli.h"
#include "db_priv.h"

static json_t *time_json(int64_t time_ms)
{
    return time_ms != 0 ? json_integer((json_int_t)time_ms) : json_null();
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    db_finish(ctx, e, info);
}

/* ---- tokens -------------------------------------------------------------------------------------- */

static json_t *token_json(const struct store_token *t)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "core", cli_text(t->core), "issuedAt",
                     time_json(t->issued_ms), "expiresAt", time_json(t->expires_ms), "consumedAt",
                     time_json(t->consumed_ms), "consumedFrom",
                     t->consumed_ms != 0 ? cli_text(t->consumed_from) : json_null(), "revokedAt",
                     time_json(t->revoked_ms));
}

static void on_tokens(void *ctx, enum err e, const struct err_info *info,
                      const struct store_token *list, size_t count)
{
    struct db_call *call = ctx;
    *call->out.json = json_array();
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        json_array_append_new(*call->out.json, token_json(&list[i]));
    }
    db_finish(call, e, info);
}

enum err db_tokens(struct db *db, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    store_tokens_list(db->store, on_tokens, &call);
    return db_wait(db, &call);
}

enum err db_tokens_purge(struct db *db, int64_t now_ms, struct err_info *info)
{
    struct db_call call = {.info = info};
    store_tokens_purge(db->store, now_ms, on_done, &call);
    return db_wait(db, &call);
}

/* ---- admissions ---------------------------------------------------------------------------------- */

enum err db_admission_issue(struct db *db, const struct store_letting *l, struct err_info *info)
{
    struct db_call call = {.info = info};
    store_admission_issue(db->store, l, on_done, &call);
    return db_wait(db, &call);
}

static void on_admission(void *ctx, enum err e, const struct err_info *info,
                         const struct store_admission *a)
{
    struct db_call *call = ctx;
    *call->out.admission = e == ERR_OK ? a->state : STORE_ADMISSION_NONE;
    db_finish(call, e == ERR_NOTFOUND ? ERR_OK : e, info);
}

enum err db_admission_state(struct db *db, const char *core, enum store_admission_state *out,
                            struct err_info *info)
{
    struct db_call call = {.info = info, .out.admission = out};
    store_admission_get(db->store, core, on_admission, &call);
    return db_wait(db, &call);
}

static void on_withdrawn(void *ctx, enum err e, const struct err_info *info,
                         const struct store_withdrawn *w)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.withdrawn = *w;
    }
    db_finish(call, e, info);
}

enum err db_admission_withdraw(struct db *db, const char *core, const char *ip, int64_t now_ms,
                               struct store_withdrawn *out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.withdrawn = out};
    *out = (struct store_withdrawn){.tokens = 0};
    store_admission_withdraw(db->store, core, ip, now_ms, on_withdrawn, &call);
    return db_wait(db, &call);
}

enum err db_core_retire(struct db *db, const char *id, bool force, int64_t now_ms,
                        struct store_withdrawn *out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.withdrawn = out};
    *out = (struct store_withdrawn){.tokens = 0};
    store_core_retire(db->store, id, force, now_ms, on_withdrawn, &call);
    return db_wait(db, &call);
}

/* ---- certificates of nodes ------------------------------------------------------------------------ */

enum err db_node_cert_put(struct db *db, const struct store_node_cert *cert, struct err_info *info)
{
    struct db_call call = {.info = info};
    store_node_cert_put(db->store, cert, on_done, &call);
    return db_wait(db, &call);
}

struct cert_look {
    struct db_call call;
    const char *serial;     /* borrowed */
    enum db_node_cert *out; /* borrowed */
};

static void on_node_certs(void *ctx, enum err e, const struct err_info *info,
                          const struct store_node_cert *list, size_t count)
{
    struct cert_look *look = ctx;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        if (strcmp(list[i].serial, look->serial) == 0) {
            *look->out = list[i].revoked_ms != 0 ? DB_NODE_CERT_REVOKED : DB_NODE_CERT_GOOD;
        }
    }
    db_finish(&look->call, e, info);
}

enum err db_node_cert_look(struct db *db, const char *core, const char *serial,
                           enum db_node_cert *out, struct err_info *info)
{
    struct cert_look look = {.call = {.info = info}, .serial = serial, .out = out};
    *out = DB_NODE_CERT_UNKNOWN;
    store_node_certs_list(db->store, core, false, 0, on_node_certs, &look);
    return db_wait(db, &look.call);
}

/* ---- heartbeats ------------------------------------------------------------------------------------ */

struct beat_look {
    struct db_call call;
    const char *core; /* borrowed */
    uint64_t *out;    /* borrowed */
};

static void on_beats(void *ctx, enum err e, const struct err_info *info,
                     const struct store_beat *list, size_t count)
{
    struct beat_look *look = ctx;
    bool found = false;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        if (strcmp(list[i].core, look->core) == 0) {
            *look->out = list[i].revision;
            found = true;
        }
    }
    db_finish(&look->call, e == ERR_OK && !found ? ERR_NOTFOUND : e, info);
}

enum err db_beat_revision(struct db *db, const char *core, uint64_t *out, struct err_info *info)
{
    struct beat_look look = {.call = {.info = info}, .core = core, .out = out};
    store_beats_list(db->store, on_beats, &look);
    return db_wait(db, &look.call);
}

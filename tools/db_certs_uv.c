#include "db_certs.h"

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

/* What is not there is no failure here. */
static void finish_optional(struct db_call *call, enum err e, const struct err_info *info)
{
    db_finish(call, e == ERR_NOTFOUND ? ERR_OK : e, info);
}

/* ---- certificates -------------------------------------------------------------------------------- */

static json_t *cert_json(const struct store_cert *c)
{
    return json_pack("{s:o, s:o, s:o, s:I}", "hostname", cli_text(c->hostname), "issuedAt",
                     time_json(c->issued_ms), "expiresAt", time_json(c->expires_ms), "generation",
                     (json_int_t)c->generation);
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_cert *list, size_t count)
{
    struct db_call *call = ctx;
    *call->out.json = json_array();
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        json_array_append_new(*call->out.json, cert_json(&list[i]));
    }
    db_finish(call, e, info);
}

enum err db_certs_list(struct db *db, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    store_certs_list(db->store, on_certs, &call);
    return db_wait(db, &call);
}

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        json_t *o = cert_json(&row->cert);
        json_object_set_new(o, "certPem", cli_text(row->cert_pem));
        json_object_set_new(o, "chainPem", cli_text(row->chain_pem));
        json_object_set_new(o, "directory", cli_text(row->directory));
        json_object_set_new(o, "sealed", cli_text(row->key));
        *call->out.json = o;
    }
    finish_optional(call, e, info);
}

enum err db_cert_get(struct db *db, const char *hostname, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    *out = NULL;
    store_cert_get(db->store, hostname, on_cert, &call);
    return db_wait(db, &call);
}

enum err db_cert_reseal(struct db *db, const char *hostname, const char *expect, const char *sealed,
                        struct err_info *info)
{
    struct db_call call = {.info = info};
    store_cert_reseal(db->store, hostname, expect, sealed, on_done, &call);
    return db_wait(db, &call);
}

/* ---- attempts ------------------------------------------------------------------------------------- */

static void on_attempts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_attempt *list, size_t count)
{
    struct db_call *call = ctx;
    *call->out.json = json_array();
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        const struct store_attempt *a = &list[i];
        json_array_append_new(
            *call->out.json,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "at", time_json(a->at_ms),
                      "hostname", cli_text(a->hostname), "kind", cli_text(a->kind), "outcome",
                      cli_text(a->outcome), "problem", cli_text(a->problem), "text",
                      cli_text(a->text), "core", cli_text(a->core), "directory",
                      cli_text(a->directory), "notBefore", time_json(a->retry_ms)));
    }
    db_finish(call, e, info);
}

enum err db_attempts(struct db *db, const char *hostname, int64_t since_ms, size_t max,
                     json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    store_attempts_list(db->store, hostname, since_ms, max, false, on_attempts, &call);
    return db_wait(db, &call);
}

/* ---- accounts, lease, heartbeats -------------------------------------------------------------------- */

static void on_accounts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_account *list, size_t count)
{
    struct db_call *call = ctx;
    *call->out.json = json_array();
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        const struct store_account *a = &list[i];
        json_array_append_new(
            *call->out.json,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "directory", cli_text(a->directory),
                      "url", cli_text(a->url), "contact", cli_text(a->contact), "issuer",
                      cli_text(a->issuer), "createdAt", time_json(a->created_ms), "sealed",
                      cli_text(a->key), "sealedPending", cli_text(a->pending_key)));
    }
    db_finish(call, e, info);
}

enum err db_accounts(struct db *db, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    store_accounts_list(db->store, on_accounts, &call);
    return db_wait(db, &call);
}

enum err db_account_reseal(struct db *db, const char *directory, const char *expect,
                           const char *expect_pending, const char *sealed, const char *pending,
                           struct err_info *info)
{
    struct db_call call = {.info = info};
    const struct store_account old = {
        .directory = directory, .key = expect, .pending_key = expect_pending};
    store_account_reseal(db->store, &old, sealed, pending, on_done, &call);
    return db_wait(db, &call);
}

static void on_lease(void *ctx, enum err e, const struct err_info *info,
                     const struct store_lease *lease)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.json = json_pack("{s:o, s:I}", "holder", cli_text(lease->holder), "term",
                                    (json_int_t)lease->term);
    }
    finish_optional(call, e, info);
}

enum err db_lease(struct db *db, const char *name, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    *out = NULL;
    store_lease_get(db->store, name, on_lease, &call);
    return db_wait(db, &call);
}

static void on_beats(void *ctx, enum err e, const struct err_info *info,
                     const struct store_beat *list, size_t count)
{
    struct db_call *call = ctx;
    *call->out.json = json_array();
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        json_array_append_new(*call->out.json,
                              json_pack("{s:o, s:o}", "core", cli_text(list[i].core), "detail",
                                        cli_text(list[i].detail)));
    }
    db_finish(call, e, info);
}

enum err db_beats(struct db *db, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    store_beats_list(db->store, on_beats, &call);
    return db_wait(db, &call);
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

static void on_job(void *ctx, enum err e, const struct err_info *info, const struct store_job *job)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.json =
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", cli_text(job->id),
                      "hostname", cli_text(job->hostname), "kind", cli_text(job->kind), "state",
                      cli_text(job->state), "text", cli_text(job->text), "by", cli_text(job->by),
                      "askedAt", time_json(job->asked_ms), "endedAt", time_json(job->ended_ms));
    }
    finish_optional(call, e, info);
}

enum err db_job_ask(struct db *db, const struct store_job *job, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    *out = NULL;
    store_job_ask(db->store, job, on_job, &call);
    return db_wait(db, &call);
}

enum err db_job_get(struct db *db, const char *id, json_t **out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.json = out};
    *out = NULL;
    store_job_get(db->store, id, on_job, &call);
    return db_wait(db, &call);
}

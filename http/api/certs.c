/* GET /system/admin/certs, POST /system/admin/certs/force-renew, GET /system/admin/certs/jobs/{id} */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>

#include "lib/rng.h"

#define DAY_MS 86400000.0

static json_t *time_json(int64_t time_ms)
{
    return time_ms != 0 ? json_integer(time_ms) : json_null(); /* the row does not say */
}

/* ---- the list -------------------------------------------------------------------------------- */

/* Rounded. In floating point, because a row may say anything. */
static json_t *days_json(int64_t expires_ms, int64_t now_ms)
{
    double days = ((double)expires_ms - (double)now_ms) / DAY_MS;
    return json_integer((json_int_t)(days < 0 ? days - 0.5 : days + 0.5));
}

/* Which core serves which generation of the managed certificate. */
static json_t *served_json(struct api *a)
{
    struct api_served list[API_SERVED_MAX];
    json_t *cores = json_array();
    size_t n = a->daemon.served != NULL ? a->daemon.served(a->daemon.ctx, list, API_SERVED_MAX) : 0;
    for (size_t i = 0; i < n; i++) {
        json_t *serial = list[i].serial[0] != '\0' ? body_text(list[i].serial) : json_null();
        json_array_append_new(cores,
                              json_pack("{s:o, s:b, s:I, s:o}", "id", body_text(list[i].core),
                                        "live", (int)list[i].live, "generation",
                                        (json_int_t)list[i].generation, "serial", serial));
    }
    return cores;
}

static json_t *render(struct api *a, const char *managed, const struct store_cert *certs,
                      size_t count)
{
    int64_t now_ms = api_wall_ms(a);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct store_cert *c = &certs[i];
        json_t *days = c->expires_ms != 0 ? days_json(c->expires_ms, now_ms) : json_null();
        json_t *one =
            json_pack("{s:o, s:o, s:o, s:o, s:I}", "hostname", body_text(c->hostname), "issuedAt",
                      time_json(c->issued_ms), "expiresAt", time_json(c->expires_ms),
                      "daysUntilExpiry", days, "generation", (json_int_t)c->generation);
        if (managed != NULL && strcmp(managed, c->hostname) == 0) {
            json_object_set_new(one, "cores", served_json(a));
        }
        json_array_append_new(list, one);
    }
    return json_pack("{s:o}", "certs", list);
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_cert *list, size_t count)
{
    struct api_job *job = ctx;
    if (e == ERR_OK) {
        const struct api_env env = api_env_of(job->api);
        api_reply_own(job->request, 200, render(job->api, env.managed, list, count));
    } else {
        api_store_error(job, e, info, API_READ);
    }
    api_end(job);
}

void api_certs_list(void *ctx, struct http_request *r)
{
    struct api_env env;
    struct api_job *job = api_admin(ctx, r) ? api_start(ctx, r, sizeof *job, &env) : NULL;
    if (job != NULL) {
        store_certs_list(env.store, on_certs, job);
    }
}

/* ---- renewal ---------------------------------------------------------------------------------- */

static json_t *job_json(const struct store_job *j)
{
    json_t *job = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", body_text(j->id),
                            "hostname", body_text(j->hostname), "kind", body_text(j->kind), "state",
                            body_text(j->state), "text", body_text(j->text), "by", body_text(j->by),
                            "askedAt", time_json(j->asked_ms), "endedAt", time_json(j->ended_ms));
    return json_pack("{s:o}", "job", job);
}

static void on_asked(void *ctx, enum err e, const struct err_info *info,
                     const struct store_job *asked)
{
    struct api_job *job = ctx;
    if (e == ERR_OK) {
        api_reply_own(job->request, 202, job_json(asked));
        if (job->api->daemon.renew != NULL) {
            job->api->daemon.renew(job->api->daemon.ctx);
        }
    } else {
        api_store_error(job, e, info, API_WRITE);
    }
    api_end(job);
}

static void ask(struct api *a, struct http_request *r, const struct body_renew *wish)
{
    struct api_env env;
    char id[33], by[128];
    struct api_job *job = api_start(a, r, sizeof *job, &env);
    if (job == NULL) {
        return;
    }
    rng_hex(id, 16);
    snprintf(by, sizeof by, "api %.64s", env.core_id);
    const struct store_job wanted = {.id = id,
                                     .hostname = env.managed,
                                     .kind = "renew",
                                     .argument = "",
                                     .state = "waiting",
                                     .by = by,
                                     .override = wish->override,
                                     .text = "",
                                     .asked_ms = api_wall_ms(a)};
    store_job_ask(env.store, &wanted, on_asked, job);
}

/* The holder of the lease does it, which may be another core: hence a job, and no waiting here. */
void api_certs_renew(void *ctx, struct http_request *r)
{
    struct body_problems problems = {.list = NULL};
    struct body_renew wish;
    size_t len;
    if (!api_admin(ctx, r)) {
        return;
    }
    const struct api_env env = api_env_of(ctx);
    const char *body = http_request_body(r, &len);
    if (!body_read_renew(body, len, &wish, &problems)) {
        api_invalid_own(r, &problems);
    } else if (env.managed == NULL) {
        api_error(r, 409, "certificates-not-managed",
                  "this core orders no certificates: letsEncrypt.enabled is false");
    } else if (wish.hostname[0] != '\0' && strcmp(wish.hostname, env.managed) != 0) {
        api_error(r, 404, "unknown-certificate", "this core manages the certificate of %s alone",
                  env.managed);
    } else {
        ask(ctx, r, &wish);
    }
}

static void on_job(void *ctx, enum err e, const struct err_info *info,
                   const struct store_job *found)
{
    struct api_job *job = ctx;
    if (e == ERR_OK) {
        api_reply_own(job->request, 200, job_json(found));
    } else if (e == ERR_NOTFOUND) {
        api_error(job->request, 404, "unknown-job", "there is no job of that id (any more)");
    } else {
        api_store_error(job, e, info, API_READ);
    }
    api_end(job);
}

void api_certs_job(void *ctx, struct http_request *r)
{
    struct api_env env;
    const char *id = http_request_param(r, "id");
    if (!api_admin(ctx, r)) {
        return;
    }
    if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32) {
        api_error(r, 404, "unknown-job", "there is no job of that id (any more)");
        return;
    }
    struct api_job *job = api_start(ctx, r, sizeof *job, &env);
    if (job != NULL) {
        store_job_get(env.store, id, on_job, job);
    }
}

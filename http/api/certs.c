/* GET /system/admin/certs, POST /system/admin/certs/force-renew */
#include "api_priv.h"

#define DAY_MS 86400000.0

static json_t *time_json(int64_t time_ms)
{
    return time_ms != 0 ? json_integer(time_ms) : json_null(); /* the row does not say */
}

/* Rounded. In floating point, because a row may say anything. */
static json_t *days_json(int64_t expires_ms, int64_t now_ms)
{
    double days = ((double)expires_ms - (double)now_ms) / DAY_MS;
    return json_integer((json_int_t)(days < 0 ? days - 0.5 : days + 0.5));
}

static json_t *render(const struct store_cert *certs, size_t count, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct store_cert *c = &certs[i];
        json_t *days = c->expires_ms != 0 ? days_json(c->expires_ms, now_ms) : json_null();
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o}", "hostname", body_text(c->hostname),
                                        "issuedAt", time_json(c->issued_ms), "expiresAt",
                                        time_json(c->expires_ms), "daysUntilExpiry", days));
    }
    return json_pack("{s:o}", "certs", list);
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_cert *list, size_t count)
{
    struct api_job *job = ctx;
    if (e == ERR_OK) {
        api_reply_own(job->request, 200, render(list, count, api_wall_ms(job->api)));
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

void api_certs_renew(void *ctx, struct http_request *r)
{
    struct body_problems problems = {.list = NULL};
    size_t len;
    if (!api_admin(ctx, r)) {
        return;
    }
    const char *body = http_request_body(r, &len);
    if (!body_read_renew(body, len, &problems)) {
        api_invalid_own(r, &problems);
        return;
    }
    api_error(r, 409, "certificates-not-managed",
              "this version of dnsd does not order certificates: whoever does has to renew them");
}

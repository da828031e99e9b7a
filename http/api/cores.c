/* GET /system/admin/cores */
#include "api_priv.h"

static json_t *render(const struct api_env *env, const struct store_core *cores, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct store_core *c = &cores[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o, s:b, s:I}", "id", body_text(c->id),
                                        "url", api_url_json(env, c), "ip", body_text(c->ip),
                                        "hosting", body_text(c->hosting), "available",
                                        (int)c->available, "userCount", (json_int_t)c->users));
    }
    return json_pack("{s:o}", "cores", list);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct api_job *job = ctx;
    const struct api_env env = api_env_of(job->api);
    if (e == ERR_OK) {
        api_reply_own(job->request, 200, render(&env, cores, count));
    } else {
        api_store_error(job, e, info, API_READ);
    }
    api_end(job);
}

void api_cores_list(void *ctx, struct http_request *r)
{
    struct api_env env;
    struct api_job *job = api_admin(ctx, r) ? api_start(ctx, r, sizeof *job, &env) : NULL;
    if (job != NULL) {
        store_cores_list(env.store, on_cores, job);
    }
}

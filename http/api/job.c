#include "api_priv.h"

#include <stdlib.h>

struct api_env api_env_of(struct api *a)
{
    struct api_env env = {.store = NULL};
    a->daemon.env(a->daemon.ctx, &env);
    return env;
}

int64_t api_wall_ms(const struct api *a)
{
    return clk_wall_ms(a->daemon.clock);
}

int64_t api_mono_ms(const struct api *a)
{
    return clk_mono_ms(a->daemon.clock);
}

static void no_store(struct http_request *r)
{
    http_reply_error(r, 503, "unavailable", API_RETRY_S, "the store is not open; try again");
}

void *api_start(struct api *a, struct http_request *r, size_t size, struct api_env *env)
{
    *env = api_env_of(a);
    if (env->store == NULL) {
        no_store(r);
        return NULL;
    }
    struct api_job *job = calloc(1, size);
    if (job == NULL) {
        http_reply_error(r, 503, "unavailable", API_RETRY_S, "no memory; try again");
        return NULL;
    }
    job->api = a;
    job->request = r;
    a->jobs++;
    return job;
}

bool api_has_store(struct api_job *job, const struct api_env *env)
{
    if (env->store == NULL) {
        no_store(job->request);
    }
    return env->store != NULL;
}

void api_end(struct api_job *job)
{
    job->api->jobs--;
    free(job);
}

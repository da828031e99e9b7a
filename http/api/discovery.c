/* GET /reg/cores?username=: on which core a user lives. For everybody: no key, and nothing told that
 * DNS does not tell. */
#include "api_priv.h"

#include <string.h>

#include "url.h"

static void unknown_user(struct http_request *r)
{
    api_error(r, 404, "unknown-user", "nobody is called that");
}

static void answer(struct http_request *r, const struct api_env *env, const struct store_core *core)
{
    char url[URL_MAX];
    if (core == NULL || !url_of_core(core->id, core->url, env->domain, env->public_url, url)) {
        api_error(r, 404, "unknown-core", "where this user's core is reached is not known");
        return;
    }
    api_reply_own(r, 200, json_pack("{s:{s:s}}", "core", "url", url));
}

static void on_home(void *ctx, enum err e, const struct err_info *info,
                    const struct store_user *user, const struct store_core *core)
{
    struct api_job *job = ctx;
    const struct api_env env = api_env_of(job->api);
    (void)user;
    if (e == ERR_OK) {
        answer(job->request, &env, core);
    } else if (e == ERR_NOTFOUND) {
        unknown_user(job->request);
    } else {
        api_store_error(job, e, info, API_READ);
    }
    api_end(job);
}

/* What is wrong with the query; NULL: nothing. NAME gets the name; a longer one than a name can be
 * becomes "", which nobody is called. */
static const char *read_query(const struct http_request *r, char name[WIRE_LABEL_MAX + 1])
{
    char ignored[2];
    if (http_request_query(r, "email", ignored, sizeof ignored) != ERR_NOTFOUND) {
        return "users are known by their names here; ask with ?username=";
    }
    enum err e = http_request_query(r, "username", name, WIRE_LABEL_MAX + 1);
    if (e == ERR_LIMIT) {
        name[0] = '\0';
        return NULL;
    }
    if (e == ERR_MALFORMED) {
        return "username: not a text";
    }
    return e != ERR_OK || name[0] == '\0' ? "username: missing; ask with ?username=<name>" : NULL;
}

void api_discovery_get(void *ctx, struct http_request *r)
{
    char name[WIRE_LABEL_MAX + 1] = "";
    char token[USER_TOKEN_TEXT];
    struct api_env env;
    const char *wrong = read_query(r, name);
    if (wrong != NULL) {
        api_error(r, 400, "invalid-parameters", "%s", wrong);
        return;
    }
    struct api_job *job = api_start(ctx, r, sizeof *job, &env);
    if (job == NULL) {
        return;
    }
    wire_name_fold((uint8_t *)name, (const uint8_t *)name, strlen(name));
    const char *row = api_user_row(&env, name, token);
    if (row != NULL) {
        store_user_home(env.store, row, on_home, job);
    } else {
        unknown_user(r);
        api_end(job);
    }
}

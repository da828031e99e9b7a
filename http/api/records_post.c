/* POST /reg/records: the whole row of a name is replaced. */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/zone/rules.h"
#include "lib/jx.h"

#define ATTEMPTS 16 /* how often others may change the row between our look and our word */

/*   ┌─→ taken (who else has the name?) ─→ row (what is there?) ─→ apply ─→ 200
 *   └───────────────── somebody else changed the row meanwhile ─────┘        */
struct post {
    struct api_job job;
    struct body_records wish; /* owned */
    char *value;              /* owned: the row to be */
    unsigned attempts;
};

static void end(struct post *p)
{
    body_records_free(&p->wish);
    free(p->value);
    api_end(&p->job);
}

static void done(struct post *p)
{
    json_t *records = NULL;
    if (jx_parse(p->value, strlen(p->value), &records, NULL) != ERR_OK) {
        records = NULL; /* no memory, which json_pack() tells as well */
    }
    api_reply_own(p->job.request, 200,
                  json_pack("{s:s, s:o, s:s}", "subdomain", p->wish.name, "records", records,
                            "status", "ok"));
    end(p);
}

static void ask(struct post *p, const struct api_env *env);

static void on_applied(void *ctx, enum err e, const struct err_info *info)
{
    struct post *p = ctx;
    const struct api_env env = api_env_of(p->job.api);
    if (e == ERR_OK) {
        done(p);
    } else if (e == ERR_CONFLICT && ++p->attempts < ATTEMPTS) {
        ask(p, &env);
    } else {
        api_store_error(&p->job, e, info, API_WRITE);
        end(p);
    }
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_record *record)
{
    struct post *p = ctx;
    const struct api_env env = api_env_of(p->job.api);
    if (e != ERR_OK && e != ERR_NOTFOUND) {
        api_store_error(&p->job, e, info, API_READ);
        end(p);
    } else if (e == ERR_OK && strcmp(record->json, p->value) == 0) {
        done(p); /* as it is */
    } else if (api_has_store(&p->job, &env)) {
        const struct store_record_change change = {
            .name = p->wish.name, .expect = e == ERR_OK ? record->json : NULL, .value = p->value};
        store_records_apply(env.store, &change, 1, on_applied, p);
    } else {
        end(p);
    }
}

/* The rules once more, now that it is known who else has the name. False: answered. */
static bool may_be_stored(struct post *p, const struct api_env *env,
                          const struct store_taken *taken)
{
    struct err_info why = {.text = ""};
    const struct wire_name *apex = api_apex(env);
    bool label = rules_is_label(apex, &p->wish.owner);
    const struct names_rows others = {.core = label && taken->core, .user = label && taken->user};
    if (rules_records(env->names, apex, &p->wish.owner, &p->wish.set, &others, &why) == ERR_OK) {
        return true;
    }
    bool row =
        names_fixed(env->names, &p->wish.owner) == NAMES_NONE && (others.core || others.user);
    api_error(p->job.request, 409, row ? "name-taken" : "name-reserved", "%s", why.text);
    return false;
}

static void on_taken(void *ctx, enum err e, const struct err_info *info,
                     const struct store_taken *taken)
{
    struct post *p = ctx;
    const struct api_env env = api_env_of(p->job.api);
    if (e != ERR_OK) {
        api_store_error(&p->job, e, info, API_READ);
        end(p);
    } else if (may_be_stored(p, &env, taken) && api_has_store(&p->job, &env)) {
        store_record_get(env.store, p->wish.name, on_row, p);
    } else {
        end(p);
    }
}

static void ask(struct post *p, const struct api_env *env)
{
    char token[USER_TOKEN_TEXT];
    if (api_has_store(&p->job, env)) {
        store_name_taken(env->store, p->wish.name, api_user_row(env, p->wish.name, token), on_taken,
                         p);
    } else {
        end(p);
    }
}

/* Reads the body into P. False: answered. */
static bool read_wish(struct post *p, const struct api_env *env)
{
    struct body_problems problems = {.list = NULL};
    struct http_request *r = p->job.request;
    size_t len;
    const char *body = http_request_body(r, &len);
    if (env->apex == NULL) {
        api_error(r, 409, "no-domain", "dns.domain is not set, so there are no names to store at");
        return false;
    }
    if (!body_read_records(body, len, env->apex, env->default_ttl_s, &p->wish, &problems)) {
        api_invalid_own(r, &problems);
        return false;
    }
    p->value = record_to_json(&p->wish.set, env->apex);
    if (strlen(p->value) > STORE_VALUE_MAX) {
        api_error(r, 400, "invalid-parameters", "records: more than %d octets as they are stored",
                  STORE_VALUE_MAX);
        return false;
    }
    return true;
}

void api_records_post(void *ctx, struct http_request *r)
{
    struct api_env env;
    struct post *p = api_admin(ctx, r) ? api_start(ctx, r, sizeof *p, &env) : NULL;
    if (p == NULL) {
        return;
    }
    if (read_wish(p, &env)) {
        ask(p, &env);
    } else {
        end(p);
    }
}

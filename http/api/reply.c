#include "api_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

#define LOG_EVERY_MS 10000

void api_reply_own(struct http_request *r, unsigned status, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL) {
        http_reply_error(r, 500, "internal", 0, "no memory for the answer");
        return;
    }
    http_reply(r, &(struct http_reply){.status = status, .body = text, .len = strlen(text)});
    free(text);
}

void api_error_own(struct http_request *r, unsigned status, const char *id, const char *member,
                   json_t *value, const char *message)
{
    json_t *error = json_pack("{s:s, s:o}", "id", id, "message", body_text(message));
    if (member != NULL && error != NULL) {
        json_object_set_new(error, member, value);
    } else {
        json_decref(value);
    }
    api_reply_own(r, status, error != NULL ? json_pack("{s:o}", "error", error) : NULL);
}

void api_error(struct http_request *r, unsigned status, const char *id, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    api_error_own(r, status, id, NULL, NULL, text);
}

void api_problems_own(struct http_request *r, const char *id, struct body_problems *p)
{
    char text[sizeof p->first.text + 64];
    size_t more = p->count - 1;
    json_t *list = p->list;
    p->list = NULL;
    snprintf(text, sizeof text, more > 0 ? "%s (and %zu more)" : "%s", p->first.text, more);
    api_error_own(r, 400, id, "problems", list, text);
    body_problems_free(p);
}

void api_invalid_own(struct http_request *r, struct body_problems *p)
{
    api_problems_own(r, API_INVALID_PARAMETERS, p);
}

static void tell(struct api *a, enum err e, const struct err_info *info)
{
    uint64_t held = 0;
    if (log_limit_pass(&a->store_failed, api_mono_ms(a), LOG_EVERY_MS, &held)) {
        LOG_ERROR("api", "the store could not do what a request asked for",
                  LOG_S("error", err_text(e)), LOG_S("reason", info != NULL ? info->text : ""),
                  LOG_N("unsaid", held));
    }
}

void api_store_error(struct api_job *job, enum err e, const struct err_info *info,
                     enum api_kind kind)
{
    struct http_request *r = job->request;
    switch (e) {
    case ERR_TIMEOUT:
        if (kind == API_WRITE) {
            http_reply_error(
                r, 504, "outcome-unknown", 0,
                "the store did not say whether this was carried out; look, then decide");
            return;
        }
        http_reply_error(r, 503, "unavailable", API_RETRY_S, "the store did not answer; try again");
        return;
    case ERR_UNAVAIL:
    case ERR_BUSY:
        http_reply_error(r, 503, "unavailable", API_RETRY_S, "%s",
                         kind == API_WRITE
                             ? "the store cannot write now; nothing was written, try again"
                             : "the store cannot be read now; try again");
        return;
    case ERR_CONFLICT:
        http_reply_error(r, 503, "unavailable", API_RETRY_S,
                         "others keep changing the same rows; try again");
        return;
    default:
        tell(job->api, e, info);
        http_reply_error(r, 500, "internal", 0, "the store could not do this; the log says why");
        return;
    }
}

json_t *api_url_json(const struct api_env *env, const struct store_core *core)
{
    char url[URL_MAX];
    return core != NULL && url_of_core(core->id, core->url, env->domain, env->public_url, url)
               ? json_string(url)
               : json_null();
}

json_t *api_core_json(const struct api_env *env, const char *id, const struct store_core *core)
{
    return json_pack("{s:o, s:o}", "id", body_text(id), "url", api_url_json(env, core));
}

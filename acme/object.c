#include "object_priv.h"

#include <string.h>

#include "header.h"
#include "problem_priv.h"

enum err object_parse(const char *body, size_t len, json_t **out, struct err_info *info)
{
    struct err_info why = {.text = ""};
    enum err e = jx_parse_object(body, len, out, &why);
    if (e != ERR_OK && info != NULL) {
        acme_text_clean(why.text, info->text, sizeof info->text);
    }
    return e;
}

/* --- members ------------------------------------------------------------------------------ */

enum err object_url(const json_t *object, const char *key, char out[ACME_URL_MAX],
                    struct err_info *info)
{
    enum err e = jx_text(object, key, out, ACME_URL_MAX, info);
    if (e == ERR_OK && !acme_url_ok(out)) {
        out[0] = '\0';
        return err_set(info, ERR_MALFORMED, "%s: not a URL", key);
    }
    return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

void object_url_if(const json_t *object, const char *key, char out[ACME_URL_MAX])
{
    if (object_url(object, key, out, NULL) != ERR_OK) {
        out[0] = '\0';
    }
}

int64_t object_time_if(const json_t *object, const char *key)
{
    const char *text = NULL;
    int64_t ms = 0;
    bool ok = jx_string(object, key, &text, NULL) == ERR_OK && acme_rfc3339(text, &ms);
    return ok && ms > 0 ? ms : 0; /* 0001-01-01: what a time that was never set looks like */
}

bool object_problem_if(const json_t *object, struct acme_problem *out)
{
    const json_t *error = NULL;
    if (jx_object(object, "error", &error, NULL) != ERR_OK) {
        return false;
    }
    acme_problem_take(error, 0, out);
    return true;
}

enum err object_status(const json_t *object, enum acme_status *out, struct err_info *info)
{
    static const char *const words[] = {
        [ACME_STATUS_PENDING] = "pending",       [ACME_STATUS_READY] = "ready",
        [ACME_STATUS_PROCESSING] = "processing", [ACME_STATUS_VALID] = "valid",
        [ACME_STATUS_INVALID] = "invalid",       [ACME_STATUS_DEACTIVATED] = "deactivated",
        [ACME_STATUS_EXPIRED] = "expired",       [ACME_STATUS_REVOKED] = "revoked",
    };
    const char *text = NULL;
    enum err e = jx_string(object, "status", &text, info);
    *out = ACME_STATUS_UNKNOWN;
    if (e != ERR_OK) {
        return ERR_MALFORMED;
    }
    for (size_t i = ACME_STATUS_PENDING; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (enum acme_status)i;
        }
    }
    return ERR_OK;
}

enum err object_name(const char *text, char out[ACME_NAME_MAX], struct err_info *info)
{
    size_t len = strlen(text);
    out[0] = '\0';
    if (len >= ACME_NAME_MAX) {
        return err_set(info, ERR_LIMIT, "identifier: longer than %d octets", ACME_NAME_MAX - 1);
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (c < '0' || c > '9') && strchr("-._*", c) == NULL) {
            out[0] = '\0';
            return err_set(info, ERR_MALFORMED, "identifier: not a host name");
        }
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[len] = '\0';
    return len > 0 ? ERR_OK : err_set(info, ERR_MALFORMED, "identifier: empty");
}

/* --- order (§7.1.3) ----------------------------------------------------------------------- */

/* Names of type dns; there may be others some day, which we did not order. */
static enum err read_names(const json_t *root, struct acme_order_object *out, struct err_info *info)
{
    const json_t *list = NULL;
    enum err e = jx_array(root, "identifiers", &list, info);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *type = NULL, *value = NULL;
        if (jx_string(item, "type", &type, NULL) != ERR_OK || strcmp(type, "dns") != 0) {
            continue;
        }
        if (out->names_count == ACME_NAMES_MAX) {
            return err_set(info, ERR_LIMIT, "identifiers: more than %d names", ACME_NAMES_MAX);
        }
        e = jx_string(item, "value", &value, info);
        if (e == ERR_OK) {
            e = object_name(value, out->names[out->names_count++], info);
        }
    }
    return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

static enum err read_authorizations(const json_t *root, struct acme_order_object *out,
                                    struct err_info *info)
{
    const json_t *list = NULL;
    enum err e = jx_array(root, "authorizations", &list, info);
    if (e != ERR_OK) {
        return ERR_MALFORMED;
    }
    if (json_array_size(list) > ACME_NAMES_MAX) {
        return err_set(info, ERR_LIMIT, "authorizations: more than %d", ACME_NAMES_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *url = jx_string_at(list, i);
        if (url == NULL || !acme_url_ok(url)) {
            return err_set(info, ERR_MALFORMED, "authorizations: not a URL");
        }
        if (strlen(url) >= ACME_URL_MAX) {
            return err_set(info, ERR_LIMIT, "authorizations: a URL longer than %d octets",
                           ACME_URL_MAX - 1);
        }
        memcpy(out->authorizations[out->authorizations_count++], url, strlen(url) + 1);
    }
    return ERR_OK;
}

/* What a status makes necessary: where to finalize, where the certificate is. */
static enum err read_ways(const json_t *root, struct acme_order_object *out, struct err_info *info)
{
    enum acme_status s = out->status;
    enum err e = ERR_OK;
    object_url_if(root, "finalize", out->finalize);
    object_url_if(root, "certificate", out->certificate);
    if (out->finalize[0] == '\0' && s <= ACME_STATUS_READY) {
        e = object_url(root, "finalize", out->finalize, info);
    }
    if (e == ERR_OK && out->certificate[0] == '\0' && s == ACME_STATUS_VALID) {
        e = object_url(root, "certificate", out->certificate, info);
    }
    return e;
}

static enum err read_order(const json_t *root, struct acme_order_object *out, struct err_info *info)
{
    enum err e = object_status(root, &out->status, info);
    if (e == ERR_OK) {
        e = read_names(root, out, info);
    }
    if (e == ERR_OK) {
        e = read_authorizations(root, out, info);
    }
    if (e == ERR_OK) {
        e = read_ways(root, out, info);
    }
    out->expires_ms = object_time_if(root, "expires");
    out->has_error = object_problem_if(root, &out->error);
    if (jx_text(root, "profile", out->profile, sizeof out->profile, NULL) != ERR_OK) {
        out->profile[0] = '\0';
    }
    return e;
}

enum err acme_order_read(const char *body, size_t len, struct acme_order_object *out,
                         struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_order_object){.status = ACME_STATUS_UNKNOWN};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = read_order(root, out, info);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "order: ");
}

/* --- account (§7.1.2), renewal information (RFC 9773 §4.2) --------------------------------- */

enum err acme_account_read(const char *body, size_t len, struct acme_account_object *out,
                           struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_account_object){.status = ACME_STATUS_UNKNOWN};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = object_status(root, &out->status, info);
        object_url_if(root, "orders", out->orders);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "account: ");
}

static enum err read_time(const json_t *object, const char *key, int64_t *out,
                          struct err_info *info)
{
    const char *text = NULL;
    if (jx_string(object, key, &text, info) != ERR_OK) {
        return ERR_MALFORMED;
    }
    return acme_rfc3339(text, out) ? ERR_OK : err_set(info, ERR_MALFORMED, "%s: not a time", key);
}

static enum err read_window(const json_t *root, struct acme_renewal_info *out,
                            struct err_info *info)
{
    const json_t *window = NULL;
    if (jx_object(root, "suggestedWindow", &window, info) != ERR_OK) {
        return ERR_MALFORMED;
    }
    enum err e = read_time(window, "start", &out->start_ms, info);
    if (e == ERR_OK) {
        e = read_time(window, "end", &out->end_ms, info);
    }
    if (e == ERR_OK && out->end_ms < out->start_ms) {
        e = err_set(info, ERR_MALFORMED, "suggestedWindow: ends before it begins");
    }
    object_url_if(root, "explanationURL", out->explanation);
    return e;
}

enum err acme_renewal_info_read(const char *body, size_t len, struct acme_renewal_info *out,
                                struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_renewal_info){.start_ms = 0};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = read_window(root, out, info);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "renewal information: ");
}

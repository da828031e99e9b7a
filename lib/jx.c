#include "jx.h"

#include <inttypes.h>
#include <string.h>

/* jansson's own bound (2048) is deep enough to make recursion over the result a risk, so brackets
 * are counted first. Malformed text is left for the parser to name. */
static bool too_deep(const char *text, size_t len)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JX_DEPTH_MAX) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static enum err parse(const char *text, size_t len, size_t flags, json_t **out,
                      enum json_error_code *code, struct err_info *info)
{
    json_error_t error;
    if (too_deep(text, len)) {
        return err_set(info, ERR_LIMIT, "JSON is nested deeper than %d levels", JX_DEPTH_MAX);
    }
    json_t *root = json_loadb(text, len, flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL) {
        *code = json_error_code(&error);
        /* Without its first buffers jansson says nothing at all. */
        if (*code == json_error_out_of_memory || error.text[0] == '\0') {
            return err_set(info, ERR_NOMEM, "no memory to read JSON");
        }
        return err_set(info, ERR_MALFORMED, "JSON line %d, column %d: %s", error.line, error.column,
                       error.text);
    }
    *out = root;
    return ERR_OK;
}

enum err jx_parse(const char *text, size_t len, json_t **out, struct err_info *info)
{
    enum json_error_code code;
    return parse(text, len, 0, out, &code, info);
}

enum err jx_parse_loose(const char *text, size_t len, json_t **out, struct err_info *info)
{
    enum json_error_code code = json_error_unknown;
    enum err e = parse(text, len, JSON_ALLOW_NUL, out, &code, info);
    if (e == ERR_MALFORMED && code == json_error_numeric_overflow) {
        e = parse(text, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, out, &code, info);
    }
    return e;
}

enum err jx_parse_object(const char *text, size_t len, json_t **out, struct err_info *info)
{
    json_t *root = NULL;
    enum err e = jx_parse(text, len, &root, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(info, ERR_MALFORMED, "JSON must be an object, as in {\"key\": ...}");
    }
    *out = root;
    return ERR_OK;
}

static enum err find(const json_t *object, const char *key, const json_t **out,
                     struct err_info *info)
{
    const json_t *member = json_object_get(object, key);
    if (member == NULL || json_is_null(member)) {
        return err_set(info, ERR_NOTFOUND, "%s: missing", key);
    }
    *out = member;
    return ERR_OK;
}

enum err jx_array(const json_t *object, const char *key, const json_t **out, struct err_info *info)
{
    const json_t *member = NULL;
    enum err e = find(object, key, &member, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_array(member)) {
        return err_set(info, ERR_MALFORMED, "%s: must be a list", key);
    }
    *out = member;
    return ERR_OK;
}

enum err jx_object(const json_t *object, const char *key, const json_t **out, struct err_info *info)
{
    const json_t *member = NULL;
    enum err e = find(object, key, &member, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_object(member)) {
        return err_set(info, ERR_MALFORMED, "%s: must be an object", key);
    }
    *out = member;
    return ERR_OK;
}

enum err jx_string(const json_t *object, const char *key, const char **out, struct err_info *info)
{
    const json_t *member = NULL;
    enum err e = find(object, key, &member, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_string(member)) {
        return err_set(info, ERR_MALFORMED, "%s: must be a string", key);
    }
    *out = json_string_value(member);
    return ERR_OK;
}

enum err jx_text(const json_t *object, const char *key, char *out, size_t room,
                 struct err_info *info)
{
    const char *text = NULL;
    out[0] = '\0';
    enum err e = jx_string(object, key, &text, info);
    if (e != ERR_OK) {
        return e;
    }
    size_t len = strlen(text);
    if (len >= room) {
        return err_set(info, ERR_LIMIT, "%s: longer than %zu octets", key, room - 1);
    }
    memcpy(out, text, len + 1);
    return ERR_OK;
}

const char *jx_string_at(const json_t *list, size_t i)
{
    return json_string_value(json_array_get(list, i));
}

enum err jx_bool(const json_t *object, const char *key, bool *out, struct err_info *info)
{
    const json_t *member = NULL;
    enum err e = find(object, key, &member, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_boolean(member)) {
        return err_set(info, ERR_MALFORMED, "%s: must be true or false", key);
    }
    *out = json_is_true(member);
    return ERR_OK;
}

enum err jx_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                struct err_info *info)
{
    const json_t *member = NULL;
    enum err e = find(object, key, &member, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!json_is_integer(member)) {
        return err_set(info, ERR_MALFORMED, "%s: must be a whole number", key);
    }
    int64_t value = json_integer_value(member);
    if (value < min || value > max) {
        return err_set(info, ERR_MALFORMED, "%s: must be from %" PRId64 " to %" PRId64, key, min,
                       max);
    }
    *out = value;
    return ERR_OK;
}

static void wipe(json_t *value)
{
    const char *key;
    size_t i;
    json_t *item;
    if (value->refcount > 1) {
        return;
    }
    if (json_is_string(value)) {
        explicit_bzero((void *)(uintptr_t)json_string_value(value), json_string_length(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            wipe(item);
        }
    } else if (json_is_object(value)) {
        json_object_foreach(value, key, item)
        {
            wipe(item);
        }
    }
}

void jx_wipe(json_t *value)
{
    if (value != NULL) {
        wipe(value);
        json_decref(value);
    }
}

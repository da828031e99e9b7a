#include "bootstrap_tokens.h"

#include <stdio.h>
#include <string.h>

#include "certs.h"

static int64_t number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
}

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

bool token_is_active(const json_t *token, int64_t now_ms)
{
    return number(token, "consumedAt") == 0 && number(token, "revokedAt") == 0 &&
           number(token, "expiresAt") > now_ms;
}

void token_state(const json_t *token, int64_t now_ms, char out[TOKEN_STATE_TEXT])
{
    const char *state = token_is_active(token, now_ms)    ? "active"
                        : number(token, "revokedAt") != 0 ? "revoked"
                                                          : "expired";
    const char *from = text(token, "consumedFrom");
    if (number(token, "consumedAt") != 0) {
        snprintf(out, TOKEN_STATE_TEXT, "consumed%s%.80s", from[0] != '\0' ? " from " : "", from);
    } else {
        snprintf(out, TOKEN_STATE_TEXT, "%s", state);
    }
}

json_t *tokens_shown(const json_t *list, bool all, int64_t now_ms)
{
    json_t *shown = json_array();
    char state[TOKEN_STATE_TEXT];
    size_t i;
    json_t *t;
    json_array_foreach(list, i, t)
    {
        if (all || token_is_active(t, now_ms)) {
            json_t *row = json_copy(t);
            token_state(t, now_ms, state);
            json_object_set_new(row, "state", json_string(state));
            json_array_append_new(shown, row);
        }
    }
    return shown;
}

void tokens_render(const json_t *shown, bool all, struct str *out)
{
    static const char *const header[] = {"CORE", "EXPIRES", "ISSUED", "STATE"};
    struct columns table;
    size_t i;
    json_t *t;
    if (json_array_size(shown) == 0) {
        str_append(out, all ? "(no join tokens)\n" : "(no active join tokens)\n");
        return;
    }
    columns_init(&table, 4, header);
    json_array_foreach(shown, i, t)
    {
        char expires[CERTS_TIME_TEXT], issued[CERTS_TIME_TEXT];
        certs_time_text(number(t, "expiresAt"), expires);
        certs_time_text(number(t, "issuedAt"), issued);
        const char *cells[] = {text(t, "core"), expires, issued, text(t, "state")};
        columns_add(&table, cells);
    }
    columns_render(&table, out);
    columns_free(&table);
}

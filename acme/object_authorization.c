/* Authorizations and challenges (RFC 8555 §7.1.4, §8), and what answers them. */
#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/digest.h"
#include "object_priv.h"

#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static bool is_token(const char *text)
{
    return text[0] != '\0' && text[strspn(text, BASE64URL)] == '\0'; /* §8.1 */
}

static enum acme_challenge_type type_of(const char *text)
{
    static const char *const words[] = {
        [ACME_DNS01] = "dns-01", [ACME_HTTP01] = "http-01", [ACME_ALPN01] = "tls-alpn-01"};
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && strcmp(text, words[i]) != 0) {
        i++;
    }
    return i < ACME_OTHER ? (enum acme_challenge_type)i : ACME_OTHER;
}

static enum err read_challenge(const json_t *object, struct acme_challenge *out,
                               struct err_info *info)
{
    const char *type = NULL;
    *out = (struct acme_challenge){.type = ACME_OTHER};
    if (jx_string(object, "type", &type, info) != ERR_OK) {
        return ERR_MALFORMED;
    }
    out->type = type_of(type);
    object_url_if(object, "url", out->url);
    if (jx_text(object, "token", out->token, sizeof out->token, NULL) != ERR_OK ||
        !is_token(out->token)) {
        out->token[0] = '\0'; /* unknown types may have none, or another thing of that name */
    }
    if (object_status(object, &out->status, NULL) != ERR_OK) {
        out->status = ACME_STATUS_UNKNOWN;
    }
    out->has_error = object_problem_if(object, &out->error);
    return ERR_OK;
}

enum err acme_challenge_read(const char *body, size_t len, struct acme_challenge *out,
                             struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_challenge){.type = ACME_OTHER};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = read_challenge(root, out, info);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "challenge: ");
}

/* Those of types that we know (KNOWN) or do not, as far as there is room. */
static void read_challenges(const json_t *list, bool known, struct acme_authorization *out)
{
    for (size_t i = 0; i < json_array_size(list) && out->challenges_count < ACME_CHALLENGES_MAX;
         i++) {
        struct acme_challenge *c = &out->challenges[out->challenges_count];
        if (read_challenge(json_array_get(list, i), c, NULL) == ERR_OK &&
            (c->type != ACME_OTHER) == known) {
            out->challenges_count++;
        }
    }
}

static enum err read_identifier(const json_t *root, struct acme_authorization *out,
                                struct err_info *info)
{
    const json_t *identifier = NULL;
    const char *type = NULL, *value = NULL;
    bool wildcard = false;
    if (jx_object(root, "identifier", &identifier, info) != ERR_OK ||
        jx_string(identifier, "type", &type, info) != ERR_OK ||
        jx_string(identifier, "value", &value, info) != ERR_OK) {
        return ERR_MALFORMED;
    }
    if (strcmp(type, "dns") != 0) {
        return err_set(info, ERR_MALFORMED, "identifier: not of type dns");
    }
    out->wildcard = jx_bool(root, "wildcard", &wildcard, NULL) == ERR_OK && wildcard;
    if (strncmp(value, "*.", 2) == 0) { /* §7.1.4: it should be without */
        out->wildcard = true;
        value += 2;
    }
    return object_name(value, out->name, info);
}

static enum err read_authorization(const json_t *root, struct acme_authorization *out,
                                   struct err_info *info)
{
    const json_t *list = NULL;
    enum err e = object_status(root, &out->status, info);
    if (e == ERR_OK) {
        e = read_identifier(root, out, info);
    }
    out->expires_ms = object_time_if(root, "expires");
    if (e == ERR_OK && jx_array(root, "challenges", &list, info) != ERR_OK) {
        e = out->status == ACME_STATUS_PENDING ? ERR_MALFORMED : ERR_OK;
    }
    if (list != NULL) {
        read_challenges(list, true, out);
        read_challenges(list, false, out);
    }
    return e;
}

enum err acme_authorization_read(const char *body, size_t len, struct acme_authorization *out,
                                 struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_authorization){.status = ACME_STATUS_UNKNOWN};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = read_authorization(root, out, info);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "authorization: ");
}

/* --- answers ------------------------------------------------------------------------------ */

enum err acme_key_authorization(const char *token, const char *thumbprint, char *out, size_t room)
{
    out[0] = '\0';
    if (!is_token(token) || !is_token(thumbprint)) {
        return ERR_MALFORMED;
    }
    int n = snprintf(out, room, "%s.%s", token, thumbprint);
    if (n < 0 || (size_t)n >= room) {
        out[0] = '\0';
        return ERR_LIMIT;
    }
    return ERR_OK;
}

enum err acme_dns01_value(const char *token, const char *thumbprint, char out[44])
{
    char text[2 * ACME_TOKEN_MAX];
    uint8_t digest[DIGEST_SHA256_LEN];
    out[0] = '\0';
    enum err e = acme_key_authorization(token, thumbprint, text, sizeof text);
    if (e == ERR_OK) {
        e = digest_sha256(text, strlen(text), digest);
    }
    if (e == ERR_OK) {
        char value[BASE64_ROOM(DIGEST_SHA256_LEN)];
        size_t len = base64url_encode(digest, sizeof digest, value);
        memcpy(out, value, len + 1);
    }
    return e;
}

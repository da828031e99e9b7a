/* The admin key. Where it is missing, wrong, or not configured at all, the answer is the same, takes the
 * same way through this file, and counts the same. */
#include "api_priv.h"

#include <string.h>

#include "lib/digest.h"

#define LOG_EVERY_MS 10000

static const char scheme[] = "bearer ";

/* The token behind "Bearer " (RFC 6750 §2.1; of a scheme no case counts: RFC 9110 §11.1); TEXT itself if
 * there is none. */
static const char *token_of(const char *text)
{
    char word[sizeof scheme];
    size_t len = strnlen(text, sizeof scheme - 1);
    wire_name_fold((uint8_t *)word, (const uint8_t *)text, len);
    if (len < sizeof scheme - 1 || memcmp(word, scheme, len) != 0) {
        return text;
    }
    return text + len + strspn(text + len, " ");
}

static bool has_key(const struct api_env *env, const char *shown)
{
    const char *key = env->admin_key != NULL ? env->admin_key : "";
    const char *token = token_of(shown);
    /* Both, always: a key may itself begin with the scheme's word. */
    bool whole = digest_same(key, strlen(key), shown, strlen(shown));
    bool part = digest_same(key, strlen(key), token, strlen(token));
    return (whole || part) && key[0] != '\0';
}

static void refuse(struct api *a, struct http_request *r, const struct failures_client *client)
{
    static const char body[] = "{\"error\":{\"id\":\"unauthorized\",\"message\":"
                               "\"this wants the admin access key in the header Authorization\"}}";
    static const struct http_header challenge = {"www-authenticate",
                                                 "Bearer"}; /* RFC 9110 §11.6.1 */
    uint64_t held = 0;
    if (failures_add(a->failures, client, api_mono_ms(a)) &&
        log_limit_pass(&a->locked_out, api_mono_ms(a), LOG_EVERY_MS, &held)) {
        LOG_WARN("api", "too many wrong admin keys, not looking at more of them for a while",
                 LOG_S("client", http_request_peer(r)), LOG_N("seconds", API_LOCKED_S),
                 LOG_N("unsaid", held));
    }
    http_reply(r, &(struct http_reply){.status = 401,
                                       .body = body,
                                       .len = sizeof body - 1,
                                       .headers = &challenge,
                                       .headers_count = 1});
}

bool api_admin(struct api *a, struct http_request *r)
{
    struct failures_client client = failures_client_of(http_request_peer(r));
    unsigned wait_s = failures_wait_s(a->failures, &client, api_mono_ms(a));
    if (wait_s > 0) {
        http_reply_error(r, 429, "too-many-failures", wait_s, "too many wrong admin keys; wait");
        return false;
    }
    struct api_env env = api_env_of(a);
    const char *shown = http_request_header(r, "authorization");
    if (has_key(&env, shown != NULL ? shown : "")) {
        return true;
    }
    refuse(a, r, &client);
    return false;
}

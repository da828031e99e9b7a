/* POST /system/admin/cores/ack: a core that joins shows its token.
 *
 * No admin key is asked for: the token is the proof. Whatever is wrong with it, the answer is the same, octet
 * by octet; the reason is in the log. Over plain HTTP from elsewhere the token is not looked at: it has been
 * sent in clear already, and whoever sends it so has a wrong URL to be told of. */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>

#include "cluster/token.h"

/* At a time: strangers may ask, and each asks the store to write. The other routes' share of what the server
 * lends (http_limits.requests) is not theirs. */
#define ACKS_MAX            32
#define LOG_EVERY_MS        1000
#define LOCKED_LOG_EVERY_MS 10000

/*   admission_ack ─→ acked, again ─→ cores_list ─→ 200
 *              └───→ no core ─→ 404
 *              └───→ anything else ─→ 401                 */
struct ack {
    struct api_job job;
    char core[BODY_CORE_MAX + 1];
    char fingerprint[BODY_FINGERPRINT_MAX + 1];
    char from[HTTP_PEER_MAX];
};

static void end(struct ack *ack)
{
    ack->job.api->acks--;
    api_end(&ack->job);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static const char *outcome_text(enum store_acked how)
{
    static const char *const texts[] = {
        [STORE_ACKED] = "acked",
        [STORE_ACK_AGAIN] = "again",
        [STORE_ACK_UNKNOWN] = "unknown token",
        [STORE_ACK_EXPIRED] = "expired token",
        [STORE_ACK_REVOKED] = "revoked token",
        [STORE_ACK_CONSUMED] = "consumed by another, or from elsewhere",
        [STORE_ACK_OTHER_CORE] = "token of another core",
        [STORE_ACK_OTHER_CERT] = "not the certificate that came with the token",
        [STORE_ACK_NO_CORE] = "no such core, or it is in already",
    };
    return texts[how];
}

/* CORE is a stranger's word, in the place of which somebody may have put the token itself. */
static void tell_refused(struct api *a, const char *core, const char *from, const char *outcome)
{
    char hash[TOKEN_HASH];
    uint64_t held = 0;
    if (log_limit_pass(&a->token_refused, api_mono_ms(a), LOG_EVERY_MS, &held)) {
        LOG_INFO("api", "a core was not let in", LOG_S("core", token_hash(core, hash) ? "?" : core),
                 LOG_S("from", from), LOG_S("outcome", outcome), LOG_N("unsaid", held));
    }
    explicit_bzero(hash, sizeof hash);
}

static void refuse(struct api *a, struct http_request *r, const char *core, const char *outcome)
{
    static const char body[] = "{\"error\":{\"id\":\"token-invalid\",\"message\":"
                               "\"this token lets nobody in from here\"}}";
    const char *from = http_request_peer(r);
    struct failures_client client = failures_client_of(from);
    uint64_t held = 0;
    tell_refused(a, core, from, outcome);
    if (failures_add(a->ack_failures, &client, api_mono_ms(a)) &&
        log_limit_pass(&a->tokens_locked_out, api_mono_ms(a), LOCKED_LOG_EVERY_MS, &held)) {
        LOG_WARN("api", "too many wrong tokens, not looking at more of them for a while",
                 LOG_S("client", from), LOG_N("seconds", API_LOCKED_S), LOG_N("unsaid", held));
    }
    http_reply(r, &(struct http_reply){.status = 401, .body = body, .len = sizeof body - 1});
}

/* ---- what is told of the cluster --------------------------------------------------------------- */

static json_t *cluster_json(const struct api_env *env, const struct store_core *cores, size_t count)
{
    json_t *list = json_array();
    json_t *addresses = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct store_core *c = &cores[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:b}", "id", body_text(c->id), "url",
                                        api_url_json(env, c), "hosting", body_text(c->hosting),
                                        "available", (int)c->available));
        if (c->ip != NULL) {
            json_array_append_new(addresses, body_text(c->ip));
        }
        if (c->ipv6 != NULL) {
            json_array_append_new(addresses, body_text(c->ipv6));
        }
    }
    return json_pack("{s:o, s:o}", "cores", list, "lscIps", addresses);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct ack *ack = ctx;
    const struct api_env env = api_env_of(ack->job.api);
    if (e == ERR_OK) {
        api_reply_own(ack->job.request, 200,
                      json_pack("{s:b, s:s, s:o}", "ok", 1, "coreId", ack->core, "cluster",
                                cluster_json(&env, cores, count)));
    } else {
        api_store_error(&ack->job, e, info, API_READ); /* asked again it gets the rest */
    }
    end(ack);
}

/* ---- the token --------------------------------------------------------------------------------- */

static void on_let_in(struct ack *ack, enum store_acked how)
{
    const struct api_env env = api_env_of(ack->job.api);
    if (how == STORE_ACKED) {
        LOG_INFO("api", "a core has shown its token and may join", LOG_S("core", ack->core),
                 LOG_S("from", ack->from), LOG_S("fingerprint", ack->fingerprint));
    }
    if (api_has_store(&ack->job, &env)) {
        store_cores_list(env.store, on_cores, ack);
    } else {
        end(ack);
    }
}

static void on_acked(void *ctx, enum err e, const struct err_info *info, enum store_acked how)
{
    struct ack *ack = ctx;
    if (e == ERR_OK && (how == STORE_ACKED || how == STORE_ACK_AGAIN)) {
        on_let_in(ack, how);
        return;
    }
    if (e != ERR_OK) {
        api_store_error(&ack->job, e, info, API_WRITE);
    } else if (how == STORE_ACK_NO_CORE) {
        tell_refused(ack->job.api, ack->core, ack->from, outcome_text(how));
        api_error(ack->job.request, 404, "core-not-pre-registered",
                  "no core of that id is expected (any more)");
    } else {
        refuse(ack->job.api, ack->job.request, ack->core, outcome_text(how));
    }
    end(ack);
}

static void show(struct api *a, struct http_request *r, const struct body_ack *wish,
                 const char *hash)
{
    struct api_env env;
    if (a->acks >= ACKS_MAX) {
        http_reply_error(r, 503, "busy", API_RETRY_S, "too many cores at a time; try again");
        return;
    }
    struct ack *ack = api_start(a, r, sizeof *ack, &env);
    if (ack == NULL) {
        return;
    }
    a->acks++;
    snprintf(ack->core, sizeof ack->core, "%s", wish->core);
    snprintf(ack->fingerprint, sizeof ack->fingerprint, "%s", wish->fingerprint);
    snprintf(ack->from, sizeof ack->from, "%s", http_request_peer(r));
    const struct store_ack shown = {.hash = hash,
                                    .core = ack->core,
                                    .fingerprint = ack->fingerprint,
                                    .from = ack->from,
                                    .now_ms = api_wall_ms(a)};
    store_admission_ack(env.store, &shown, on_acked, ack);
}

/* May R's token be looked at? False: answered. */
static bool may_try(struct api *a, struct http_request *r)
{
    struct failures_client client = failures_client_of(http_request_peer(r));
    unsigned wait_s = failures_wait_s(a->ack_failures, &client, api_mono_ms(a));
    if (!http_request_is_tls(r) && !http_request_is_local(r)) {
        api_error(r, 403, "tls-required",
                  "a token is shown over HTTPS only; this one was sent in clear: revoke it");
        return false;
    }
    if (wait_s > 0) {
        http_reply_error(r, 429, "too-many-failures", wait_s, "too many wrong tokens; wait");
        return false;
    }
    return true;
}

void api_cores_ack(void *ctx, struct http_request *r)
{
    struct body_problems problems = {.list = NULL};
    struct body_ack wish;
    char hash[TOKEN_HASH];
    size_t len;
    if (!may_try(ctx, r)) {
        return;
    }
    const char *body = http_request_body(r, &len);
    if (!body_read_ack(body, len, &wish, &problems)) {
        api_problems_own(r, API_INVALID_BODY, &problems);
    } else if (!token_hash(wish.token, hash)) {
        refuse(ctx, r, wish.core, "not a token");
    } else {
        show(ctx, r, &wish, hash);
    }
    explicit_bzero(&wish, sizeof wish);
    explicit_bzero(hash, sizeof hash);
}

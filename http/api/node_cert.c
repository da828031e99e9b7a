/* POST /cluster/node-certificate: a core wants another certificate for itself, before its own expires.
 *
 * Who asks is the certificate that came with the connection: signed by the cluster's CA (the handshake has
 * seen to it), still valid, not revoked, and of a core that has a row. What the request says of names is not
 * looked at here or there. */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>

#define RENEWALS_MAX 8 /* at a time, one of a core: each is a signature, and a row */
#define LOG_EVERY_MS 1000

/*   cores_list (is it one?) ─→ node_certs_list (does its certificate count?) ─→ sign ─→ 200
 *          └─→ 403                          └─→ 403                             └─→ 400, 403, 503 */
struct api_renewal {
    struct api_job job;
    struct api_renewal *next; /* of the API's */
    struct tls_peer peer;     /* who asks */
    char from[HTTP_PEER_MAX];
    char csr[BODY_CSR_MAX + 1];
};

static void end(struct api_renewal *n)
{
    struct api_renewal **at = &n->job.api->renewals;
    while (*at != n) {
        at = &(*at)->next;
    }
    *at = n->next;
    api_end(&n->job);
}

static void tell_refused(struct api *a, const struct tls_peer *peer, const char *from,
                         const char *why)
{
    uint64_t held = 0;
    if (log_limit_pass(&a->node_refused, api_mono_ms(a), LOG_EVERY_MS, &held)) {
        LOG_WARN("api", "a core was not given another certificate", LOG_S("core", peer->name),
                 LOG_S("serial", peer->serial), LOG_S("from", from), LOG_S("reason", why),
                 LOG_N("unsaid", held));
    }
}

static void refuse(struct api *a, struct http_request *r, const struct tls_peer *peer,
                   const char *id, const char *why)
{
    tell_refused(a, peer, http_request_peer(r), why);
    api_error(r, 403, id, "%s", why);
}

static void refuse_revoked(struct api *a, struct http_request *r, const struct tls_peer *peer)
{
    refuse(a, r, peer, "certificate-revoked", "this certificate counts no more");
}

static void busy(struct http_request *r, const char *why)
{
    http_reply_error(r, 503, "busy", API_RETRY_S, "%s; try again", why);
}

/* ---- the signature ----------------------------------------------------------------------------- */

static void on_signed(void *ctx, enum err e, const struct err_info *info, const char *cert,
                      const char *ca)
{
    struct api_renewal *n = ctx;
    struct api *a = n->job.api;
    struct http_request *r = n->job.request;
    struct body_problems problems = {.list = NULL};
    if (e == ERR_OK) {
        LOG_INFO("api", "a core was given another certificate", LOG_S("core", n->peer.name),
                 LOG_S("before", n->peer.serial), LOG_S("from", n->from));
        api_reply_own(r, 200,
                      json_pack("{s:o, s:o}", "certPem", body_text(cert), "caPem", body_text(ca)));
    } else if (e == ERR_MALFORMED) {
        body_problems_add(&problems, "csr", info->text);
        api_problems_own(r, API_INVALID_BODY, &problems);
    } else if (e == ERR_DENIED) {
        refuse(a, r, &n->peer, "certificate-denied", info->text);
    } else if (err_is_transient(e)) {
        busy(r, "nothing can be signed now");
    } else {
        LOG_ERROR("api", "a certificate for a core could not be made", LOG_S("core", n->peer.name),
                  LOG_S("error", err_text(e)), LOG_S("reason", info->text));
        http_reply_error(r, 500, "internal", 0, "this could not be signed; the log says why");
    }
    end(n);
}

/* ---- who asks ---------------------------------------------------------------------------------- */

/* A certificate that the store does not know is as good as the CA that signed it. */
static bool is_revoked(const struct tls_peer *peer, const struct store_node_cert *list,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool same = strcmp(list[i].serial, peer->serial) == 0 ||
                    strcmp(list[i].fingerprint, peer->sha256) == 0;
        if (same && list[i].revoked_ms != 0) {
            return true;
        }
    }
    return false;
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_node_cert *list, size_t count)
{
    struct api_renewal *n = ctx;
    struct api *a = n->job.api;
    if (e == ERR_OK && !is_revoked(&n->peer, list, count)) {
        a->daemon.sign(a->daemon.ctx, n->peer.name, n->csr, strlen(n->csr), on_signed, n);
        return;
    }
    if (e != ERR_OK) {
        api_store_error(&n->job, e, info, API_READ);
    } else {
        refuse_revoked(a, n->job.request, &n->peer);
    }
    end(n);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct api_renewal *n = ctx;
    const struct api_env env = api_env_of(n->job.api);
    size_t i = 0;
    while (i < count && strcmp(cores[i].id, n->peer.name) != 0) {
        i++;
    }
    if (e == ERR_OK && i < count && api_has_store(&n->job, &env)) {
        store_node_certs_list(env.store, n->peer.name, false, api_wall_ms(n->job.api), on_certs, n);
        return;
    }
    if (e != ERR_OK) {
        api_store_error(&n->job, e, info, API_READ);
    } else if (i == count) {
        refuse(n->job.api, n->job.request, &n->peer, "unknown-core",
               "there is no core of the name that this certificate has");
    }
    end(n);
}

/* Whose certificate came with R, if it counts as far as is known without the store. False: answered. */
static bool find_peer(struct api *a, struct http_request *r, struct tls_peer *peer)
{
    const struct api_daemon *d = &a->daemon;
    if (!http_request_tls_peer(r, peer) || peer->not_after_ms <= api_wall_ms(a)) {
        api_error(r, 401, "certificate-required",
                  "this wants a certificate of one of the cluster's cores");
        return false;
    }
    if (d->revoked != NULL && d->revoked(d->ctx, peer->serial)) {
        refuse_revoked(a, r, peer);
        return false;
    }
    return true;
}

/* Is there room for one more, of this core? False: answered. */
static bool has_room(struct api *a, struct http_request *r, const struct tls_peer *peer)
{
    unsigned count = 0;
    for (const struct api_renewal *n = a->renewals; n != NULL; n = n->next) {
        if (strcmp(n->peer.name, peer->name) == 0) {
            busy(r, "a certificate for this core is being made");
            return false;
        }
        count++;
    }
    if (count >= RENEWALS_MAX) {
        busy(r, "too many certificates are being made");
    }
    return count < RENEWALS_MAX;
}

static void renew(struct api *a, struct http_request *r, const struct tls_peer *peer,
                  const char *csr)
{
    struct api_env env;
    struct api_renewal *n = has_room(a, r, peer) ? api_start(a, r, sizeof *n, &env) : NULL;
    if (n == NULL) {
        return;
    }
    n->peer = *peer;
    snprintf(n->from, sizeof n->from, "%s", http_request_peer(r));
    snprintf(n->csr, sizeof n->csr, "%s", csr);
    n->next = a->renewals;
    a->renewals = n;
    store_cores_list(env.store, on_cores, n);
}

void api_node_cert(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct body_problems problems = {.list = NULL};
    struct tls_peer peer;
    char csr[BODY_CSR_MAX + 1];
    size_t len;
    if (!find_peer(a, r, &peer)) {
        return;
    }
    const char *body = http_request_body(r, &len);
    if (a->daemon.sign == NULL) {
        api_error(r, 404, "no-authority", "the cluster's CA is not on this core");
    } else if (!body_read_csr(body, len, csr, &problems)) {
        api_problems_own(r, API_INVALID_BODY, &problems);
    } else {
        renew(a, r, &peer, csr);
    }
}

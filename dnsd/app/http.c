/* The HTTP face of the daemon: its listeners, and what the API is told about the daemon. */
#include "app.h"
#include "config_names.h"
#include "config_users.h"

bool http_has_tls(const struct config *c)
{
    return c->http.cert_file != NULL || c->lets_encrypt.enabled;
}

bool http_needs_tls(const struct config *c)
{
    return (c->http.port != 0 && http_has_tls(c)) || (c->dns.active && c->http.dot_port != 0);
}

/* ---- what the API is told ------------------------------------------------------------------ */

static void on_env(void *ctx, struct api_env *out)
{
    struct app *a = ctx;
    const struct config *c = &a->config;
    *out = (struct api_env){
        .store = a->opening || a->stopping || a->store_leaving ? NULL : a->store,
        .names = a->names,
        .apex = c->dns.domain_text != NULL ? &c->dns.domain : NULL,
        .domain = c->dns.domain_text,
        .default_ttl_s = c->dns.default_ttl_s,
        .admin_key = c->auth.admin_access_key,
        .user_key = a->has_user_key ? a->user_key : NULL,
        .public_url = c->dns_less.public_url,
        .https_port = a->https ? c->http.port : 0,
        .core_url = c->core.url,
        .core_ip = c->core.ip,
        .core_ipv6 = c->core.ipv6,
        .core_id = a->id,
        .managed = certs_hostname(a),
    };
}

/* Whether to send users here. What DNS needs is a zone with rows; a store that is away for a while is
 * no reason to turn anybody away. */
static void on_ready(void *ctx, struct api_ready *out)
{
    const struct app *a = ctx;
    out->reason = a->stopping                                 ? "stopping"
                  : !a->loaded                                ? "no rows yet: waiting for the store"
                  : a->config.dns.active && a->server == NULL ? "DNS is not answering yet"
                                                              : NULL;
    out->ready = out->reason == NULL;
}

static void on_metrics(void *ctx, struct metrics_writer *w)
{
    metrics_of(ctx, w);
}

static size_t on_served(void *ctx, struct api_served *out, size_t max)
{
    return certs_served(ctx, out, max);
}

static void on_challenge(void *ctx, const char *client, const char *token, unsigned status)
{
    certs_asked(ctx, client, token, status);
}

static void on_renew(void *ctx)
{
    certs_wake(ctx);
}

static void on_sign(void *ctx, const char *core, const char *csr, size_t csr_len, api_signed_cb *cb,
                    void *cb_ctx)
{
    cluster_sign(ctx, core, csr, csr_len, cb, cb_ctx);
}

static bool on_revoked(void *ctx, const char *serial)
{
    return cluster_is_revoked(ctx, serial);
}

void http_take_config(struct app *a)
{
    names_free(a->names);
    a->names = config_names_new(&a->config);
    a->has_user_key = config_user_key(&a->config, a->user_key);
}

/* ---- listening ----------------------------------------------------------------------------- */

enum err http_bind(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    enum err e = listen_bind(c->http.ip, c->http.port, "http.port", &a->api_sockets, info);
    return e == ERR_OK ? listen_bind(c->http.ip, c->http.challenge_port, "http.challengePort",
                                     &a->challenge_sockets, info)
                       : e;
}

enum err http_listen(struct app *a, struct app_listeners *l, unsigned site, bool tls,
                     struct err_info *info)
{
    static const char *const purposes[] = {"api", "challenges", "joining"};
    for (size_t i = 0; i < l->count; i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        int fd = l->items[i].fd;
        l->items[i].fd = -1;
        if (fd < 0) {
            continue; /* it listens */
        }
        enum err e = http_server_listen(a->http, fd, site, tls, info);
        if (e != ERR_OK) {
            return e;
        }
        net_address_text(&l->items[i].address, text);
        LOG_INFO("http", "listening", LOG_S("address", text),
                 LOG_S("transport", tls ? "https" : "http"), LOG_S("for", purposes[site]));
    }
    return ERR_OK;
}

enum err http_open(struct app *a, struct err_info *info)
{
    const struct api_daemon daemon = {.env = on_env,
                                      .ready = on_ready,
                                      .metrics = on_metrics,
                                      .served = on_served,
                                      .renew = on_renew,
                                      .challenge = on_challenge,
                                      .sign = on_sign,
                                      .revoked = on_revoked,
                                      .ctx = a};
    if (a->api_sockets.count == 0 && a->challenge_sockets.count == 0 &&
        (a->cluster == NULL || a->config.cluster.join_port == 0)) {
        return ERR_OK;
    }
    a->https = a->config.http.port != 0 && http_has_tls(&a->config);
    a->api = api_new(&daemon);
    const struct http_site sites[] = {api_site(a->api), api_challenge_site(a->api),
                                      api_cluster_site(a->api)};
    enum err e = http_server_open(&a->loop, sites, sizeof sites / sizeof sites[0],
                                  &http_limits_default, &a->http, info);
    if (e == ERR_OK) {
        e = http_listen(a, &a->challenge_sockets, 1, false, info);
    }
    if (e == ERR_OK && !a->https) {
        e = http_listen(a, &a->api_sockets, 0, false, info);
    }
    return e; /* with TLS: when there is a certificate */
}

void http_use_tls(struct app *a, struct tls_context *context)
{
    struct err_info info = {.text = ""};
    if (a->http == NULL || a->http_closing) {
        return;
    }
    http_server_use_tls(a->http, context);
    if (a->https && http_listen(a, &a->api_sockets, 0, true, &info) != ERR_OK) {
        LOG_ERROR("http", "cannot listen", LOG_S("reason", info.text));
        app_stop(a, APP_EXIT_FAILED);
    }
}

/* ---- stopping ------------------------------------------------------------------------------ */

static void on_closed(void *ctx)
{
    struct app *a = ctx;
    a->http = NULL;
    api_free(a->api);
    a->api = NULL;
    app_continue_stop(a);
}

bool http_stop(struct app *a)
{
    if (a->http != NULL && !a->http_closing) {
        a->http_closing = true;
        http_server_close(a->http, on_closed, a);
    }
    return a->http != NULL;
}

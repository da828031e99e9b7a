#include "api_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api_raw.h"
#include "lib/mem.h"

/* ---- the daemon ---------------------------------------------------------------------------- */

static void on_env(void *ctx, struct api_env *out)
{
    *out = ((struct web *)ctx)->env;
}

static void on_ready(void *ctx, struct api_ready *out)
{
    *out = ((struct web *)ctx)->ready;
}

static void on_metrics(void *ctx, struct metrics_writer *w)
{
    (void)ctx;
    metrics_family(w, "dnsd_up", METRICS_GAUGE, "The daemon answers.");
    metrics_sample(w, 1, METRICS_NO_LABELS);
}

static size_t on_served(void *ctx, struct api_served *out, size_t max)
{
    const struct web *w = ctx;
    size_t n = w->served_count < max ? w->served_count : max;
    for (size_t i = 0; i < n; i++) {
        out[i] = w->served[i];
    }
    return n;
}

static void on_renew(void *ctx)
{
    ((struct web *)ctx)->renewals++;
}

static void on_signer(uv_timer_t *t)
{
    web_sign_go(t->data);
}

static void on_sign(void *ctx, const char *core, const char *csr, size_t csr_len, api_signed_cb *cb,
                    void *cb_ctx)
{
    struct web *w = ctx;
    assert_true(w->sign.waiting < WEB_SIGNS_MAX);
    w->sign.asked[w->sign.waiting++] = (struct web_sign){.cb = cb, .ctx = cb_ctx};
    w->sign.count++;
    snprintf(w->sign.last, sizeof w->sign.last, "%s", core);
    str_free(&w->sign.csr);
    w->sign.csr = (struct str){.text = NULL};
    str_append_n(&w->sign.csr, csr, csr_len);
    if (!w->sign.hold) {
        uv_timer_start(&w->signer, on_signer, 0, 0);
    }
}

void web_sign_go(struct web *w)
{
    struct err_info info = {.text = ""};
    unsigned count = w->sign.waiting;
    struct web_sign asked[WEB_SIGNS_MAX];
    memcpy(asked, w->sign.asked, sizeof asked);
    w->sign.waiting = 0;
    snprintf(info.text, sizeof info.text, "%s", w->sign.why != NULL ? w->sign.why : "");
    for (unsigned i = 0; i < count; i++) {
        bool ok = w->sign.e == ERR_OK;
        asked[i].cb(asked[i].ctx, w->sign.e, &info, ok ? WEB_CERT : NULL, ok ? WEB_CA : NULL);
    }
}

static bool on_revoked(void *ctx, const char *serial)
{
    const struct web *w = ctx;
    return w->revoked != NULL && strcmp(w->revoked, serial) == 0;
}

static int64_t wall_ms(void *ctx)
{
    return ((struct web *)ctx)->wall_ms;
}

static int64_t mono_ms(void *ctx)
{
    return ((struct web *)ctx)->mono_ms;
}

static int bind_any(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static struct names *make_names(const struct wire_name *apex)
{
    static const char *const services[] = {"reg"};
    static const uint16_t root[] = {257}; /* CAA */
    struct wire_name www;
    assert_int_equal(wire_name_from_text("www", apex, &www, NULL), ERR_OK);
    return names_new(&(struct names_config){.apex = apex,
                                            .services = services,
                                            .service_count = 1,
                                            .servers_numbered = true,
                                            .statics = &www,
                                            .static_count = 1,
                                            .root_types = root,
                                            .root_type_count = 1});
}

static void serve(struct web *w)
{
    struct err_info info = {.text = ""};
    const struct api_daemon daemon = {.env = on_env,
                                      .ready = on_ready,
                                      .metrics = on_metrics,
                                      .served = on_served,
                                      .renew = on_renew,
                                      .sign = on_sign,
                                      .revoked = on_revoked,
                                      .ctx = w,
                                      .clock = &w->clock};
    w->api = api_new(&daemon);
    const struct http_site sites[WEB_SITES] = {api_site(w->api), api_challenge_site(w->api),
                                               api_cluster_site(w->api)};
    struct http_limits limits = http_limits_default;
    limits.per_client = 1024;
    enum err e = http_server_open(w->loop, sites, WEB_SITES, &limits, &w->server, &info);
    for (unsigned i = 0; i < WEB_SITES && e == ERR_OK; i++) {
        bool tls = i == WEB_CLUSTER;
        if (tls) {
            http_server_use_site_tls(w->server, i, web_cluster()->context);
        }
        e = http_server_listen(w->server, bind_any(&w->port[i]), i, tls, &info);
    }
    if (e != ERR_OK) {
        fail_msg("%s: %s", err_text(e), info.text);
    }
}

void web_open(struct web *w, uv_loop_t *loop)
{
    static const struct httpc_options options = {.connections_max = 64};
    *w = (struct web){.loop = loop, .wall_ms = 1767225600000, .mono_ms = 1};
    uv_timer_init(loop, &w->guard);
    uv_timer_init(loop, &w->signer);
    w->signer.data = w;
    assert_int_equal(wire_name_from_text(WEB_DOMAIN ".", NULL, &w->apex, NULL), ERR_OK);
    w->names = make_names(&w->apex);
    w->clock = (struct clk){.wall_ms = wall_ms, .mono_ms = mono_ms, .ctx = w};
    w->ready.ready = true;
    w->env = (struct api_env){.names = w->names,
                              .apex = &w->apex,
                              .domain = WEB_DOMAIN,
                              .default_ttl_s = 300,
                              .admin_key = WEB_KEY,
                              .https_port = 443};
    serve(w);
    assert_int_equal(httpc_open(loop, &options, &w->client, NULL), ERR_OK);
    w->open = 2;
}

static void on_closed(void *ctx)
{
    ((struct web *)ctx)->open--;
}

static void turn_until_open(struct web *w, unsigned n)
{
    while (w->open > n) {
        uv_run(w->loop, UV_RUN_ONCE);
    }
}

void web_close_server(struct web *w)
{
    unsigned left = w->open - 1;
    http_server_close(w->server, on_closed, w);
    turn_until_open(w, left);
    w->server = NULL;
}

static void on_timer_closed(uv_handle_t *timer)
{
    ((struct web *)timer->data)->open--;
}

void web_close(struct web *w)
{
    httpc_close(w->client, on_closed, w);
    turn_until_open(w, w->server != NULL ? 1 : 0);
    if (w->server != NULL) {
        web_close_server(w);
    }
    api_free(w->api);
    names_free(w->names);
    str_free(&w->sign.csr);
    w->guard.data = w;
    w->open = 2;
    uv_close((uv_handle_t *)&w->guard, on_timer_closed);
    uv_close((uv_handle_t *)&w->signer, on_timer_closed);
    turn_until_open(w, 0);
}

/* ---- asking -------------------------------------------------------------------------------- */

static struct str seen;

const char *web_seen(void)
{
    return seen.text != NULL ? seen.text : "";
}

void web_note(const struct web_got *g)
{
    if (g->status == 404 && strstr(g->body, "\"not-found\"") != NULL) {
        return; /* no such route on that site */
    }
    str_appendf(&seen, "%s %.*s %u\n", g->method, (int)strcspn(g->target, "?"), g->target,
                g->status);
}

static void copy_header(const struct httpc_reply *reply, const char *name, char *out, size_t cap)
{
    const char *value = httpc_reply_header(reply, name);
    snprintf(out, cap, "%s", value != NULL ? value : "");
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct web_got *g = ctx;
    (void)info;
    g->e = e;
    g->ended++;
    if (e != ERR_OK) {
        return;
    }
    g->status = reply->status;
    g->body = mem_xmemdup(reply->body, reply->len + 1);
    copy_header(reply, "content-type", g->type, sizeof g->type);
    copy_header(reply, "retry-after", g->retry_after, sizeof g->retry_after);
    copy_header(reply, "www-authenticate", g->www_authenticate, sizeof g->www_authenticate);
    copy_header(reply, "location", g->location, sizeof g->location);
    copy_header(reply, "cache-control", g->cache, sizeof g->cache);
    web_note(g);
}

void web_start(struct web *w, const struct web_ask *ask, struct web_got *got)
{
    struct httpc_header headers[4];
    size_t count = 0;
    char url[1200];
    *got = (struct web_got){.web = w, .site = ask->site};
    snprintf(got->method, sizeof got->method, "%s", ask->method);
    snprintf(got->target, sizeof got->target, "%s", ask->target);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", w->port[ask->site], ask->target);
    if (ask->key == NULL || ask->key[0] != '\0') {
        headers[count++] = (struct httpc_header){"Authorization", ask->key ? ask->key : WEB_KEY};
    }
    if (ask->body != NULL) {
        headers[count++] =
            (struct httpc_header){"Content-Type", ask->type ? ask->type : "application/json"};
    }
    if (ask->host != NULL) {
        headers[count++] = (struct httpc_header){"Host", ask->host};
    }
    if (ask->from != NULL) {
        headers[count++] = (struct httpc_header){"X-Forwarded-For", ask->from};
    }
    const struct httpc_request request = {.method = ask->method,
                                          .url = url,
                                          .headers = headers,
                                          .headers_count = count,
                                          .body = ask->body,
                                          .body_len = ask->body != NULL ? strlen(ask->body) : 0,
                                          .body_max = WEB_BODY_MAX,
                                          .wait_ms = WEB_DEADLINE_MS};
    httpc_start(w->client, &request, on_reply, got);
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard;
    fail_msg("not over in time");
}

void web_until(struct web *w, const unsigned *counter, unsigned n)
{
    uv_update_time(w->loop);
    uv_timer_start(&w->guard, on_guard, WEB_DEADLINE_MS, 0);
    while (*counter < n) {
        uv_run(w->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&w->guard);
}

void web_wait(struct web *w, struct web_got *got)
{
    web_until(w, &got->ended, 1);
}

void web_got_free(struct web_got *got)
{
    free(got->body);
    got->body = NULL;
}

void web_ask(struct web *w, const struct web_ask *ask, struct web_got *got)
{
    web_start(w, ask, got);
    web_wait(w, got);
    if (got->e != ERR_OK) {
        fail_msg("%s %s: %s", ask->method, ask->target, err_text(got->e));
    }
    if (got->status < 300) {
        assert_string_equal(got->cache, "no-store");
    }
}

void web_expect_ask(struct web *w, const struct web_ask *ask, unsigned status, const char *says)
{
    struct web_got got;
    web_ask(w, ask, &got);
    bool right = says[0] == '{' ? strcmp(got.body, says) == 0 : strstr(got.body, says) != NULL;
    if (got.status != status || !right) {
        fail_msg("%s %s: %u %s\ninstead of %u %s", ask->method, ask->target, got.status, got.body,
                 status, says);
    }
    web_got_free(&got);
}

void web_expect(struct web *w, const char *method, const char *target, const char *body,
                unsigned status, const char *says)
{
    const struct web_ask ask = {.method = method, .target = target, .body = body};
    web_expect_ask(w, &ask, status, says);
}

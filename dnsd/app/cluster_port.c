/* The gate before the Raft port, and the port where others join. Both are opened when there is something to
 * show: at the start as a rule, and later where a core that was alone becomes one with a CA. Until rqlited has
 * left the Raft port to the gate, binding it is tried again. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/rqlited_uv.h"
#include "cluster_priv.h"

#define JOIN_SITE 2

/* A port that nobody has now. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    uint16_t port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
        port = ntohs(a.sin_port);
    }
    if (fd >= 0) {
        close(fd);
    }
    return port;
}

static bool wants_gate(const struct config *c)
{
    return c->storages.rqlite.ca_file != NULL && c->storages.rqlite.verify_client;
}

void cluster_raft(const struct app *a, struct rqlited_config *out)
{
    struct cluster *c = a->cluster;
    if (c == NULL || !wants_gate(&a->config)) {
        return;
    }
    if (c->local_port == 0) {
        c->local_port = free_port();
    }
    out->raft_local_port = c->local_port;
}

/* ---- the gate ------------------------------------------------------------------------------ */

static void tell_revoked(struct cluster *c)
{
    static const char *serials[GATE_REVOKED_MAX]; /* one loop calls */
    for (size_t i = 0; i < c->revoked_count; i++) {
        serials[i] = c->revoked[i];
    }
    gate_revoked(c->gate, serials, c->revoked_count);
}

static enum err start_gate(struct cluster *c, struct err_info *info)
{
    int fds[APP_LISTENERS_MAX];
    struct gate_options o = {.fds = fds,
                             .fds_count = c->raft_sockets.count,
                             .local_port = c->local_port,
                             .identity = {c->identity.gate, c->identity.client}};
    for (size_t i = 0; i < c->raft_sockets.count; i++) {
        fds[i] = c->raft_sockets.items[i].fd;
        c->raft_sockets.items[i].fd = -1; /* the gate's from here on */
    }
    enum err e = gate_start(&c->app->loop, &o, &c->gate, info);
    if (e == ERR_OK) {
        tell_revoked(c);
    }
    return e;
}

static void see_gate(struct cluster *c)
{
    const struct config *config = &c->app->config;
    struct err_info info = {.text = ""};
    if (c->gate != NULL || !c->has_identity || c->local_port == 0) {
        return;
    }
    enum err e = ERR_OK;
    if (c->raft_sockets.count == 0) {
        e = listen_bind(NULL, config->storages.rqlite.raft_port, "storages.engines.rqlite.raftPort",
                        &c->raft_sockets, &info);
    }
    if (e == ERR_OK) {
        e = start_gate(c, &info);
    }
    if (e != ERR_OK) {
        listen_close(&c->raft_sockets);
    }
    if (e == ERR_OK) {
        c->problem[0] = '\0'; /* that it was not open yet */
        LOG_INFO("cluster", "the Raft port is guarded",
                 LOG_N("port", config->storages.rqlite.raft_port));
    } else if (strcmp(c->problem, info.text) != 0) {
        snprintf(c->problem, sizeof c->problem, "%s", info.text);
        LOG_WARN("cluster", "the Raft port is not open yet", LOG_S("reason", info.text));
    }
}

/* ---- the join port ------------------------------------------------------------------------- */

static void see_join_port(struct cluster *c)
{
    struct app *a = c->app;
    struct err_info info = {.text = ""};
    if (c->joining || !c->has_ca || !c->has_identity || a->http == NULL || a->http_closing ||
        a->config.cluster.join_port == 0) {
        return;
    }
    enum err e = ERR_OK;
    if (c->join_sockets.count == 0) {
        e = listen_bind(a->config.http.ip, a->config.cluster.join_port, "cluster.joinPort",
                        &c->join_sockets, &info);
    }
    if (e == ERR_OK) {
        http_server_use_site_tls(a->http, JOIN_SITE, c->identity.join);
        e = http_listen(a, &c->join_sockets, JOIN_SITE, true, &info);
    }
    if (e == ERR_OK) {
        c->joining = true;
        return;
    }
    listen_close(&c->join_sockets);
    if (strcmp(c->problem, info.text) != 0) {
        snprintf(c->problem, sizeof c->problem, "%s", info.text);
        LOG_ERROR("cluster", "cores cannot join here", LOG_S("reason", info.text));
    }
}

void cluster_see_ports(struct cluster *c)
{
    see_gate(c);
    see_join_port(c);
}

void cluster_use_identity(struct cluster *c)
{
    if (c->gate != NULL && !c->gate_closing) {
        gate_use(c->gate, &(struct gate_identity){c->identity.gate, c->identity.client});
    }
    if (c->joining && c->app->http != NULL && !c->app->http_closing) {
        http_server_use_site_tls(c->app->http, JOIN_SITE, c->identity.join);
    }
}

/* ---- who is revoked ------------------------------------------------------------------------- */

static void on_revoked(void *ctx, enum err e, const struct err_info *info,
                       const struct store_node_cert *list, size_t count)
{
    struct cluster *c = ctx;
    (void)info; /* the store's troubles are told by the feed */
    c->revoked_reading = false;
    if (e == ERR_OK && !c->closing) {
        size_t n = count < GATE_REVOKED_MAX ? count : GATE_REVOKED_MAX;
        for (size_t i = 0; i < n; i++) {
            snprintf(c->revoked[i], sizeof c->revoked[i], "%s", list[i].serial);
        }
        c->revoked_count = n;
        if (c->gate != NULL && !c->gate_closing) {
            tell_revoked(c);
        }
    }
    cluster_done(c);
}

void cluster_see_revoked(struct cluster *c, int64_t now_ms)
{
    struct store *s = cluster_store(c);
    if (s == NULL || c->revoked_reading || now_ms - c->revoked_ms < CLUSTER_REVOKED_MS) {
        return;
    }
    c->revoked_reading = true;
    c->revoked_ms = now_ms;
    c->busy++;
    store_node_certs_list(s, NULL, true, clk_wall_ms(&clk_system), on_revoked, c);
}

bool cluster_is_revoked(const struct app *a, const char *serial)
{
    const struct cluster *c = a->cluster;
    for (size_t i = 0; c != NULL && i < c->revoked_count; i++) {
        if (strcmp(c->revoked[i], serial) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void on_gate_stopped(void *ctx)
{
    struct cluster *c = ctx;
    c->gate = NULL;
    app_continue_stop(c->app);
}

bool cluster_close_ports(struct cluster *c)
{
    listen_close(&c->raft_sockets);
    listen_close(&c->join_sockets);
    if (c->gate != NULL && !c->gate_closing) {
        c->gate_closing = true;
        gate_stop(c->gate, on_gate_stopped, c);
    }
    return c->gate != NULL;
}

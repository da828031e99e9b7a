#include "cluster_priv.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/rqlited_uv.h"
#include "lib/mem.h"

struct store *cluster_store(const struct cluster *c)
{
    const struct app *a = c->app;
    return c->closing || a->opening || a->stopping || a->store_leaving || !a->loaded ? NULL
                                                                                     : a->store;
}

static void see_end(struct cluster *c)
{
    struct app *a = c->app;
    if (!c->closing || c->busy > 0 || !c->timer_closed || c->gate != NULL) {
        return;
    }
    cluster_identity_free(&c->identity);
    free(c->revoked);
    free(c);
    a->cluster = NULL;
}

void cluster_done(struct cluster *c)
{
    c->busy--;
    if (c->app->stopping) {
        app_continue_stop(c->app);
    }
}

/* ---- what is to be done now ---------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct cluster *c = timer->data;
    int64_t now_ms = clk_mono_ms(&clk_system);
    if (c->app->stopping) {
        return;
    }
    cluster_read_identity(c, CLUSTER_READ_LATER);
    cluster_see_ports(c);
    cluster_see_revoked(c, now_ms);
    cluster_see_renewal(c, now_ms);
    cluster_see_admission(c, now_ms);
}

void cluster_look(struct app *a)
{
    struct cluster *c = a->cluster;
    struct rqlited_config config;
    struct err_info info = {.text = ""};
    if (c == NULL || c->closing) {
        return;
    }
    cluster_read_identity(c, CLUSTER_READ_NOW);
    c->revoked_ms = clk_mono_ms(&clk_system) - CLUSTER_REVOKED_MS;
    if (a->rqlited != NULL && !a->rqlited_stopping) {
        engine_config(a, &config);
        if (rqlited_reconfigure(a->rqlited, &config, &info) != ERR_OK) {
            LOG_WARN("cluster", "rqlited goes on as it was started", LOG_S("reason", info.text));
        }
    }
}

/* ---- beginning and end ---------------------------------------------------------------------- */

void cluster_open(struct app *a)
{
    const struct config *config = &a->config;
    if (!config->storages.engine_rqlite || config->storages.rqlite.external) {
        return;
    }
    struct cluster *c = mem_xalloc(sizeof *c);
    c->app = a;
    c->revoked = mem_xalloc(GATE_REVOKED_MAX * sizeof *c->revoked);
    c->revoked_ms = -CLUSTER_REVOKED_MS;
    c->looked_ms = -CLUSTER_LOOK_MS;
    a->cluster = c;
    uv_timer_init(&a->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_tick, 0, CLUSTER_TICK_MS);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct cluster *c = h->data;
    c->timer_closed = true;
    app_continue_stop(c->app);
}

void cluster_hush(struct app *a)
{
    if (a->cluster != NULL) {
        cluster_renewal_stop(a->cluster);
    }
}

bool cluster_stop(struct app *a)
{
    struct cluster *c = a->cluster;
    if (c == NULL) {
        return false;
    }
    if (!c->closing) {
        c->closing = true;
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
        cluster_close_ports(c);
    }
    see_end(c);
    return a->cluster != NULL;
}

/* ---- what is told --------------------------------------------------------------------------- */

json_t *cluster_beat(const struct app *a)
{
    const struct cluster *c = a->cluster;
    return c != NULL && c->joining
               ? json_pack("{s:i}", "joinPort", (int)a->config.cluster.join_port)
               : NULL;
}

static json_t *gate_json(const struct cluster *c)
{
    if (c->gate == NULL) {
        return json_null();
    }
    const struct gate_counters *n = gate_counters(c->gate);
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s}", "open", (json_int_t)metrics_get(&n->open), "accepted",
        (json_int_t)metrics_get(&n->accepted), "refused", (json_int_t)metrics_get(&n->refused),
        "revoked", (json_int_t)metrics_get(&n->revoked), "failed",
        (json_int_t)metrics_get(&n->failed), "lastRefusal", gate_last_refusal(c->gate));
}

json_t *cluster_status(const struct app *a)
{
    const struct cluster *c = a->cluster;
    if (c == NULL) {
        return json_null();
    }
    json_t *o =
        json_pack("{s:b, s:b, s:s?, s:o}", "ca", (int)c->has_ca, "joining", (int)c->joining,
                  "problem", c->problem[0] != '\0' ? c->problem : NULL, "gate", gate_json(c));
    if (c->has_identity) {
        json_object_set_new(o, "node",
                            json_pack("{s:s, s:s, s:I, s:b, s:b, s:s?}", "id", c->identity.info.id,
                                      "serial", c->identity.info.serial, "notAfter",
                                      (json_int_t)c->identity.info.not_after_ms, "managed",
                                      (int)c->identity.managed, "runsOut", (int)cluster_runs_out(c),
                                      "renewProblem",
                                      c->renew_problem[0] != '\0' ? c->renew_problem : NULL));
    }
    return o;
}

void cluster_metrics(const struct app *a, struct metrics_writer *w)
{
    const struct cluster *c = a->cluster;
    if (c == NULL || !c->has_identity) {
        return;
    }
    metrics_family(w, "dnsd_node_certificate_not_after_seconds", METRICS_GAUGE,
                   "When this node's certificate for the cluster ends.");
    metrics_sample(w, (double)c->identity.info.not_after_ms / 1000, METRICS_NO_LABELS);
    if (c->gate == NULL) {
        return;
    }
    const struct gate_counters *n = gate_counters(c->gate);
    metrics_family(w, "dnsd_gate_connections", METRICS_GAUGE,
                   "Connections of other nodes at the Raft port.");
    metrics_sample(w, (double)metrics_get(&n->open), METRICS_NO_LABELS);
    metrics_family(w, "dnsd_gate_connections_total", METRICS_COUNTER,
                   "Connections to the Raft port, by how they went.");
    metrics_sample(w, (double)metrics_get(&n->accepted), METRICS_LABELS({"outcome", "accepted"}));
    metrics_sample(w, (double)metrics_get(&n->refused), METRICS_LABELS({"outcome", "refused"}));
    metrics_sample(w, (double)metrics_get(&n->revoked), METRICS_LABELS({"outcome", "revoked"}));
    metrics_sample(w, (double)metrics_get(&n->failed), METRICS_LABELS({"outcome", "failed"}));
}

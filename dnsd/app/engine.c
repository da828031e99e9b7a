/* The store's engine: an SQLite file, an rqlited of ours, or one that somebody else looks after. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cluster/rqlited_uv.h"
#include "dnsd/wire/type.h"

enum err engine_prepare(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    if (!c->storages.engine_rqlite) {
        return ERR_OK;
    }
    enum err e = config_rqlite_read(c, true, &a->rqlite, info);
    if (e == ERR_OK && !c->storages.rqlite.external && !a->rqlite.loopback) {
        e = err_set(info, ERR_CONFLICT,
                    "storages.engines.rqlite.url: %s is not this machine; dnsd starts rqlited on "
                    "http://localhost:4001 or the like, or set external: true",
                    a->rqlite.url);
    }
    return e;
}

void engine_options(const struct app *a, struct store_options *out)
{
    /* Where there is a zone there was a store: a new, empty one in its place would empty the zone.
     */
    *out = (struct store_options){.must_exist = a->loaded};
    if (a->config.storages.engine_rqlite) {
        out->engine = STORE_RQLITE;
        out->rqlite.url = a->rqlite.url;
        out->rqlite.user = a->rqlite.user;
        out->rqlite.password = a->rqlite.password;
    } else {
        out->engine = STORE_SQLITE;
        out->sqlite_path = a->config.storages.sqlite_path;
    }
}

/* ---- who is known ---------------------------------------------------------------------------- */

static void add_peer(struct rqlited_peers *peers, const char *address)
{
    if (peers->count < RQLITED_PEERS_MAX && address != NULL) {
        snprintf(peers->address[peers->count++], RQLITED_ADDRESS, "%s", address);
    }
}

static void add_members(const struct app *a, struct rqlited_peers *peers)
{
    const struct zone_snapshot *s = zone_current(a->zone);
    for (uint32_t i = 0; i < s->cores_count; i++) {
        const struct zone_core_info *core = s->infos[i];
        if (core->present && strcmp(core->id, a->id) != 0) {
            add_peer(peers, core->ip != NULL ? core->ip : core->ipv6);
        }
    }
    zone_snapshot_unref(s);
}

static void add_addresses(const struct record_set *set, uint16_t type, int family,
                          struct rqlited_peers *peers)
{
    const struct record_rrset *rrset = record_find(set, type);
    char text[INET6_ADDRSTRLEN];
    for (size_t i = 0; rrset != NULL && i < rrset->count; i++) {
        add_peer(peers, inet_ntop(family, rrset->data[i].bytes, text, sizeof text));
    }
}

/* dns.staticEntries lsc: the founders. */
static void add_seeds(const struct app *a, struct rqlited_peers *peers)
{
    const struct config_entries *entries = &a->config.dns.static_entries;
    struct wire_name lsc;
    if (a->config.dns.domain_text == NULL ||
        wire_name_from_text("lsc", &a->config.dns.domain, &lsc, NULL) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < entries->count; i++) {
        if (wire_name_equal(&entries->items[i].owner, &lsc)) {
            add_addresses(&entries->items[i].records, TYPE_A, AF_INET, peers);
            add_addresses(&entries->items[i].records, TYPE_AAAA, AF_INET6, peers);
        }
    }
}

static void on_known(void *ctx, struct rqlited_known *out)
{
    const struct app *a = ctx;
    out->members.count = 0;
    out->seeds.count = 0;
    add_members(a, &out->members);
    if (out->members.count == 0) { /* a newcomer: nothing else is known yet */
        for (size_t i = 0; i < a->config.cluster.members.count; i++) {
            add_peer(&out->members, a->config.cluster.members.items[i]);
        }
    }
    add_seeds(a, &out->seeds);
}

/* ---- rqlited --------------------------------------------------------------------------------- */

static enum rqlited_state state_of(const struct app *a)
{
    struct rqlited_view view;
    rqlited_view(a->rqlited, &view);
    return view.state;
}

static void on_rqlited(void *ctx)
{
    struct app *a = ctx;
    if (state_of(a) != RQLITED_READY) {
        return;
    }
    if (a->store == NULL) {
        feed_start(a); /* instead of at the next try */
    } else if (a->confirm_due && !a->feed_busy && !a->reloading && !a->stopping) {
        a->confirm_due = false;
        feed_confirm(a);
    }
}

/* Without a leader there may still be rows to read. */
bool engine_runs(const struct app *a)
{
    return a->rqlited == NULL || state_of(a) == RQLITED_ALIVE || state_of(a) == RQLITED_READY;
}

void engine_config(const struct app *a, struct rqlited_config *out)
{
    const struct config *c = &a->config;
    *out = (struct rqlited_config){.bin_path = c->storages.rqlite.bin_path,
                                   .data_dir = c->storages.rqlite.data_dir,
                                   .node_id = a->id,
                                   .ip = c->core.ip,
                                   .ipv6 = c->core.ipv6,
                                   .domain = c->dns.domain_text,
                                   .http_port = a->rqlite.port,
                                   .raft_port = c->storages.rqlite.raft_port,
                                   .ca_file = c->storages.rqlite.ca_file,
                                   .cert_file = c->storages.rqlite.cert_file,
                                   .key_file = c->storages.rqlite.key_file,
                                   .verify_client = c->storages.rqlite.verify_client,
                                   .non_voter = c->core.non_voter,
                                   .discovery = c->cluster.discovery_enabled,
                                   .user = a->rqlite.user};
    cluster_raft(a, out);
}

enum err engine_start(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    if (!c->storages.engine_rqlite || c->storages.rqlite.external) {
        return ERR_OK;
    }
    struct rqlited_options o = {
        .password = a->rqlite.password,
        .state_dir = a->state_dir,
        .known = on_known,
        .on_change = on_rqlited,
        .ctx = a,
    };
    engine_config(a, &o.config);
    return rqlited_start(&a->loop, &o, &a->rqlited, info);
}

static void on_rqlited_stopped(void *ctx)
{
    struct app *a = ctx;
    a->rqlited = NULL;
    app_continue_stop(a);
}

bool engine_stop(struct app *a)
{
    if (a->rqlited != NULL && !a->rqlited_stopping) {
        a->rqlited_stopping = true;
        rqlited_stop(a->rqlited, on_rqlited_stopped, a);
    }
    return a->rqlited != NULL;
}

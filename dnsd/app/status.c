#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "cluster/rqlited_uv.h"

struct totals {
    uint64_t udp, tcp, tls, dropped, truncated, send_failed, tcp_open, tcp_evicted, tls_open;
    uint64_t rcodes[ANSWER_RCODES];
};

static void add_up(const struct app *a, struct totals *t)
{
    if (a->server == NULL || a->server_closing) {
        return;
    }
    for (unsigned i = 0; i < net_server_workers(a->server); i++) {
        const struct net_counters *c = net_server_counters(a->server, i);
        t->udp += answer_queries_over(&c->answer, ANSWER_UDP);
        t->tcp += answer_queries_over(&c->answer, ANSWER_TCP);
        t->tls += answer_queries_over(&c->answer, ANSWER_TLS);
        t->dropped += metrics_get(&c->answer.dropped[ANSWER_DROP_SHORT]) +
                      metrics_get(&c->answer.dropped[ANSWER_DROP_ANSWER]) +
                      metrics_get(&c->answer.dropped[ANSWER_DROP_PORT_ZERO]);
        t->truncated += metrics_get(&c->answer.truncated);
        t->send_failed += metrics_get(&c->answer.dropped[ANSWER_DROP_SEND_FAILED]);
        t->tcp_open += metrics_get(&c->conns[ANSWER_TCP].open);
        t->tcp_evicted += metrics_get(&c->conns[ANSWER_TCP].evicted);
        t->tls_open += metrics_get(&c->conns[ANSWER_TLS].open);
        for (unsigned j = 0; j < ANSWER_RCODES; j++) {
            t->rcodes[j] += answer_queries_with(&c->answer, j);
        }
    }
}

static json_t *rcodes(const struct totals *t)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < ANSWER_RCODES - 1; i++) { /* no answer of ours is among the others */
        json_object_set_new(o, answer_rcode_text(i), json_integer((json_int_t)t->rcodes[i]));
    }
    return o;
}

static void add_address(json_t *list, const struct net_address *address, const char *kind)
{
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(address, text);
    json_array_append_new(list, json_sprintf("%s/%s", text, kind));
}

static void add_listeners(json_t *list, const struct app_listeners *l, const char *kind)
{
    for (size_t i = 0; i < l->count; i++) {
        add_address(list, &l->items[i].address, kind);
    }
}

static json_t *listening(const struct app *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->sockets.count; i++) {
        const struct net_address *address = &a->sockets.bound[i].address;
        add_address(list, address, address->tls ? "tls" : "udp");
        if (!address->tls) {
            add_address(list, address, "tcp");
        }
    }
    add_listeners(list, &a->api_sockets, a->https ? "https" : "http");
    add_listeners(list, &a->challenge_sockets, "http-01");
    return list;
}

/* What is shown to TLS clients; null: none of our ports speaks TLS. */
static json_t *certificate(const struct app *a)
{
    struct tls_slot_view v;
    if (a->tls == NULL) {
        return json_null();
    }
    tls_slot_view(a->tls, &v);
    json_t *names = json_array();
    for (size_t i = 0; v.pair != NULL && i < v.pair->names_count; i++) {
        json_array_append_new(names, json_string(v.pair->names[i]));
    }
    json_t *o = json_pack("{s:s, s:s?, s:s?, s:o, s:s?}", "source", v.source, "certFile",
                          v.cert_file, "keyFile", v.key_file, "names", names, "problem",
                          v.problem[0] != '\0' ? v.problem : NULL);
    if (v.pair != NULL) {
        json_object_set_new(o, "issuer", json_string(v.pair->issuer));
        json_object_set_new(o, "serial", json_string(v.pair->serial));
        json_object_set_new(o, "sha256", json_string(v.pair->sha256));
        json_object_set_new(o, "key", json_string(v.pair->key));
        json_object_set_new(o, "notBefore", json_integer((json_int_t)v.pair->not_before_ms));
        json_object_set_new(o, "notAfter", json_integer((json_int_t)v.pair->not_after_ms));
    }
    return o;
}

static uint32_t known_cores(const struct zone_snapshot *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->cores_count; i++) {
        n += s->infos[i]->present;
    }
    return n;
}

static const char *source(const struct app *a)
{
    return !a->loaded ? "configuration" : a->from_file ? "snapshot file" : "store";
}

static json_t *rqlite(const struct app *a)
{
    struct rqlited_view v;
    if (!a->config.storages.engine_rqlite) {
        return json_null();
    }
    if (a->rqlited == NULL) {
        return json_pack("{s:b}", "external", (int)a->config.storages.rqlite.external);
    }
    rqlited_view(a->rqlited, &v);
    return json_pack("{s:b, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:I, s:I}", "external", 0,
                     "state", rqlited_state_text(v.state), "role", v.role, "leader", v.leader,
                     "pid", v.pid, "restarts", (int)v.restarts, "lastExit", v.last_exit, "version",
                     v.version, "voters", (json_int_t)v.voters, "nonVoters",
                     (json_int_t)v.nonvoters, "unreachable", (json_int_t)v.unreachable);
}

/* This core as it is now, the others as their heartbeats say. */
static json_t *peers(const struct app *a, const char *digest)
{
    int64_t now = clk_mono_ms(&clk_system);
    json_t *list = json_array();
    for (size_t i = 0; i < a->peers.count; i++) {
        const struct peer *p = &a->peers.items[i];
        bool self = strcmp(p->id, a->id) == 0;
        json_array_append_new(list,
                              json_pack("{s:s, s:b, s:b, s:I, s:s, s:s, s:I, s:I, s:s}", "id",
                                        p->id, "live", (int)p->live, "self", (int)self, "revision",
                                        (json_int_t)(self ? zone_revision(a->zone) : p->revision),
                                        "digest", self ? digest : p->digest, "version", p->version,
                                        "ageMs", (json_int_t)(now - p->heard_ms), "certGeneration",
                                        (json_int_t)p->generation, "certSerial", p->serial));
    }
    return list;
}

char *status_json(struct app *a)
{
    char digest[ZONE_DIGEST_TEXT];
    struct totals t = {.udp = 0};
    const struct zone_snapshot *s = zone_current(a->zone);
    add_up(a, &t);
    json_t *o = json_pack(
        "{s:s, s:s, s:i, s:I, s:s?, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:{s:I, s:I, "
        "s:I}, "
        "s:o, s:I, s:I, s:I, s:I, s:I, s:I}",
        "id", a->id, "version", DNSD_VERSION, "pid", (int)getpid(), "uptimeMs",
        (json_int_t)(clk_mono_ms(&clk_system) - a->started_ms), "domain", a->config.dns.domain_text,
        "revision", (json_int_t)s->revision, "serial", (json_int_t)s->serial, "snapshotAgeMs",
        (json_int_t)(a->fresh_ms != 0 ? clk_wall_ms(&clk_system) - a->fresh_ms : -1), "source",
        source(a), "users", (json_int_t)s->users, "names", (json_int_t)s->names, "cores",
        (json_int_t)known_cores(s), "workers",
        (json_int_t)(a->server != NULL
                         ? net_server_workers(a->server) - net_server_tls_workers(a->server)
                         : 0),
        "listen", listening(a), "queries", "udp", (json_int_t)t.udp, "tcp", (json_int_t)t.tcp,
        "tls", (json_int_t)t.tls, "rcodes", rcodes(&t), "dropped", (json_int_t)t.dropped,
        "truncated", (json_int_t)t.truncated, "sendFailed", (json_int_t)t.send_failed,
        "tcpConnections", (json_int_t)t.tcp_open, "tcpEvicted", (json_int_t)t.tcp_evicted,
        "tlsConnections", (json_int_t)t.tls_open);
    json_object_set_new(
        o, "httpConnections",
        json_integer(a->http != NULL ? (json_int_t)metrics_get(&http_server_counters(a->http)->open)
                                     : 0));
    json_object_set_new(o, "certificate", certificate(a));
    json_object_set_new(o, "managed", certs_status(a));
    json_object_set_new(o, "cluster", cluster_status(a));
    zone_digest(a->zone, digest);
    json_object_set_new(o, "digest", json_string(digest));
    json_object_set_new(o, "engine",
                        json_string(a->config.storages.engine_rqlite ? "rqlite" : "sqlite"));
    json_object_set_new(o, "stale", json_boolean(a->stale));
    json_object_set_new(o, "rqlite", rqlite(a));
    json_object_set_new(o, "peers", peers(a, digest));
    json_object_set_new(o, "storeError",
                        a->store_error[0] != '\0' ? json_string(a->store_error) : json_null());
    json_object_set_new(o, "memoryBytes", json_integer((json_int_t)zone_bytes(a->zone)));
    zone_snapshot_unref(s);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

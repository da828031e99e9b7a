#include "dnsd/dnsd.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "dnsd/net/net.h"
#include "dnsd/zone/zone.h"
#include "lib/mem.h"

#define DEFAULT_TTL_S 300

struct dnsd {
    struct zone *zone; /* owned */
    struct wire_name apex;
    uint32_t default_ttl_s;
    char *id; /* owned */
    struct answer_config answer;
    struct net_worker **workers; /* owned: one per address */
    size_t count, open;
    void (*done)(void *ctx);
    void *ctx; /* borrowed */
};

enum err dnsd_new(const struct dnsd_options *options, struct dnsd **out, struct err_info *info)
{
    struct zone_options o = {.contact = options->contact};
    enum err e = wire_name_from_text(options->domain, NULL, &o.apex, info);
    if (e != ERR_OK) {
        return err_prefix(info, e, "domain %s: ", options->domain);
    }
    wire_name_fold(o.apex.bytes, o.apex.bytes, o.apex.len);
    o.default_ttl_s = options->default_ttl_s != 0 ? options->default_ttl_s : DEFAULT_TTL_S;
    o.soa = (struct zone_soa){
        .serial = -1, .refresh_s = -1, .retry_s = -1, .expire_s = -1, .minimum_s = -1};
    struct dnsd *d = mem_xalloc(sizeof *d);
    e = zone_new(&o, &d->zone, info);
    if (e != ERR_OK) {
        free(d);
        return e;
    }
    d->apex = o.apex;
    d->default_ttl_s = o.default_ttl_s;
    d->id = options->id != NULL ? mem_xstrdup(options->id) : NULL;
    d->answer = (struct answer_config){.id = d->id, .chaos = true, .keepalive_ds = 100};
    zone_snapshot_unref(zone_commit(d->zone, 0));
    *out = d;
    return ERR_OK;
}

static enum err add_record(const struct dnsd *d, const struct dnsd_record *r,
                           struct record_set *set, struct err_info *info)
{
    uint16_t type;
    if (!wire_type_from_text(r->type, &type)) {
        return err_set(info, ERR_MALFORMED, "%s is not a record type", r->type);
    }
    return record_add_text(set, type, r->ttl_s, r->value, &d->apex, d->default_ttl_s, info);
}

enum err dnsd_name_set(struct dnsd *d, const char *name, const struct dnsd_record *records,
                       size_t count, struct err_info *info)
{
    struct wire_name owner;
    struct record_set set = {.sets = NULL};
    enum err e = wire_name_owner(name, &d->apex, &owner, info);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = add_record(d, &records[i], &set, info);
    }
    if (e == ERR_OK) {
        e = zone_records_put(d->zone, &owner, &set, info);
    }
    record_set_free(&set);
    return e;
}

void dnsd_commit(struct dnsd *d)
{
    const struct zone_snapshot *s = zone_commit(d->zone, zone_revision(d->zone) + 1);
    for (size_t i = 0; i < d->count; i++) {
        net_worker_use(d->workers[i], zone_snapshot_ref(s));
    }
    zone_snapshot_unref(s);
}

static uint16_t port_of(const struct net_address *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
    return ntohs(a->sa.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
}

enum err dnsd_listen(struct dnsd *d, uv_loop_t *loop, const char *ip, uint16_t port,
                     uint16_t *bound_port, struct err_info *info)
{
    struct net_address address;
    struct net_sockets sockets;
    struct net_worker *w;
    if (net_address_parse(ip, port, &address) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "%s is not an address", ip);
    }
    enum err e = net_sockets_bind(&address, 1, 1, &sockets, info);
    if (e != ERR_OK) {
        return e;
    }
    if (bound_port != NULL) {
        *bound_port = port_of(&sockets.bound[0].address);
    }
    e = net_worker_open(loop, &sockets, 0, &d->answer, &net_limits_default, &w, info);
    net_sockets_close(&sockets);
    if (e != ERR_OK) {
        return e;
    }
    net_worker_use(w, zone_current(d->zone));
    d->workers = mem_xrealloc(d->workers, (d->count + 1) * sizeof(struct net_worker *));
    d->workers[d->count++] = w;
    return ERR_OK;
}

static void finish(struct dnsd *d)
{
    void (*done)(void *ctx) = d->done;
    void *ctx = d->ctx;
    zone_free(d->zone);
    free(d->workers);
    free(d->id);
    free(d);
    if (done != NULL) {
        done(ctx);
    }
}

static void on_worker_closed(void *ctx)
{
    struct dnsd *d = ctx;
    if (--d->open == 0) {
        finish(d);
    }
}

void dnsd_close(struct dnsd *d, void (*done)(void *ctx), void *ctx)
{
    d->done = done;
    d->ctx = ctx;
    d->open = d->count;
    for (size_t i = 0; i < d->count; i++) {
        net_worker_close(d->workers[i], on_worker_closed, d);
    }
    if (d->count == 0) {
        finish(d);
    }
}

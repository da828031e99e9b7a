#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/query.h"
#include "dnsd/wire/rdata.h"
#include "dnsd/zone/zone.h"
#include "lib/mem.h"

struct view {
    struct zone *zone;                    /* owned */
    const struct zone_snapshot *snapshot; /* our reference */
};

/* "host.example.org" or "mail@example.org" as a name; len 0 if there is none. */
static struct wire_name soa_name(const char *text, const struct wire_name *apex)
{
    struct wire_name name = {.len = 0};
    if (text != NULL && strchr(text, '@') == NULL) {
        bool absolute = strchr(text, '.') != NULL;
        enum err e = wire_name_from_text(text, absolute ? NULL : apex, &name, NULL);
        if (e != ERR_OK) {
            name.len = 0;
        }
    }
    return name;
}

static enum err zone_of(struct cli *cli, struct zone **out, struct err_info *info)
{
    const struct config *c = &cli->config;
    size_t statics = c->dns.static_entries.count;
    size_t servers = c->dns.nameservers.count;
    struct zone_entry *entries = mem_xalloc((statics + 1) * sizeof *entries);
    struct zone_nameserver *list = mem_xalloc((servers + 1) * sizeof *list);
    for (size_t i = 0; i < statics; i++) {
        const struct config_entry *entry = &c->dns.static_entries.items[i];
        entries[i] = (struct zone_entry){.owner = entry->owner, .records = &entry->records};
    }
    for (size_t i = 0; i < servers; i++) {
        const struct config_pair *pair = &c->dns.nameservers.items[i];
        list[i] = (struct zone_nameserver){.label = pair->key, .core_id = pair->value};
    }
    struct zone_options options = {
        .apex = c->dns.domain,
        .default_ttl_s = c->dns.default_ttl_s,
        .wildcard_cores = c->dns.wildcard == CONFIG_WILDCARD_CORES,
        .service_names = (const char *const *)c->dns.service_names.items,
        .service_names_count = c->dns.service_names.count,
        .nameservers = list,
        .nameservers_count = servers,
        .static_entries = entries,
        .static_entries_count = statics,
        .root = &c->dns.root,
        .soa =
            {
                .primary = soa_name(c->dns.soa.primary, cli_apex(cli)),
                .admin = soa_name(c->dns.soa.admin, cli_apex(cli)),
                .serial = c->dns.soa.serial,
                .refresh_s = c->dns.soa.refresh_s,
                .retry_s = c->dns.soa.retry_s,
                .expire_s = c->dns.soa.expiration_s,
                .minimum_s = c->dns.soa.minimum_s,
            },
        .contact = c->lets_encrypt.email,
        .caa_issue = c->lets_encrypt.caa,
    };
    if (c->dns.soa.admin != NULL && strchr(c->dns.soa.admin, '@') != NULL) {
        options.contact = c->dns.soa.admin;
    }
    enum err e = zone_new(&options, out, info);
    free(list);
    free(entries);
    return e;
}

static enum err put_cores(struct cli *cli, struct zone *zone, struct err_info *info)
{
    struct db_cores cores;
    enum err e = db_cores_list(cli->db, &cores, info);
    for (size_t i = 0; e == ERR_OK && i < cores.count; i++) {
        const struct store_core *c = &cores.items[i];
        struct err_info why = {.text = ""};
        struct zone_core core = {.id = c->id,
                                 .ip = c->ip,
                                 .ipv6 = c->ipv6,
                                 .cname = c->cname,
                                 .available = c->available,
                                 .live = true};
        if (zone_core_put(zone, &core, &why) != ERR_OK) {
            cli_warn(cli, "left out: %s", why.text);
        }
    }
    if (e == ERR_OK) {
        db_cores_free(&cores);
    }
    return e;
}

static void put_rows(struct cli *cli, struct zone *zone, const struct rows *rows)
{
    for (size_t i = 0; rows != NULL && i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        struct err_info why = {.text = ""};
        if (row->usable && zone_records_put(zone, &row->owner, &row->set, &why) != ERR_OK) {
            cli_warn(cli, "stored dns-record/%s left out: %s", row->name, why.text);
        }
    }
}

int view_make(struct cli *cli, const struct rows *rows, struct view **out)
{
    struct err_info info = {.text = ""};
    struct view *v = mem_xalloc(sizeof *v);
    struct store_state state = {.revision = 0};
    enum err e = zone_of(cli, &v->zone, &info);
    if (e == ERR_OK) {
        e = put_cores(cli, v->zone, &info);
    }
    if (e == ERR_OK) {
        e = db_state(cli->db, &state, &info);
    }
    if (e != ERR_OK) {
        view_free(v);
        return cli_fail(cli, "%s", info.text);
    }
    put_rows(cli, v->zone, rows);
    v->snapshot = zone_commit(v->zone, state.revision);
    *out = v;
    return CLI_OK;
}

void view_free(struct view *v)
{
    if (v != NULL) {
        if (v->snapshot != NULL) {
            zone_snapshot_unref(v->snapshot);
        }
        zone_free(v->zone);
        free(v);
    }
}

static void add(const struct view *v, const struct zone_rrset *set, struct record_set *out)
{
    uint8_t data[WIRE_RDATA_MAX];
    for (unsigned i = 0; i < set->count; i++) {
        size_t len = zone_rrset_data(set, i, &v->snapshot->apex, data, sizeof data);
        enum err e = record_add_wire(out, set->type, set->ttl, data, len, NULL);
        (void)e; /* it was within the limits where it came from */
    }
}

bool view_find(const struct view *v, const struct wire_name *owner, struct record_set *out)
{
    uint8_t at[WIRE_LABELS_MAX + 1];
    struct wire_name folded = *owner;
    unsigned relative;
    *out = (struct record_set){.sets = NULL};
    wire_name_fold(folded.bytes, folded.bytes, folded.len);
    unsigned labels = wire_name_offsets(folded.bytes, at);
    if (!zone_snapshot_covers(v->snapshot, folded.bytes, folded.len, at, labels, &relative)) {
        return false;
    }
    struct zone_match m = zone_snapshot_find(v->snapshot, folded.bytes, at, relative, true);
    if (m.kind != ZONE_HIT) {
        return false;
    }
    if (relative == 0) {
        add(v, v->snapshot->soa, out);
    }
    for (unsigned i = 0; i < m.node->sets_count; i++) {
        add(v, m.node->sets[i], out);
    }
    return true;
}

#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/app/config_zone.h"
#include "dnsd/wire/query.h"
#include "dnsd/wire/rdata.h"
#include "lib/mem.h"

struct view {
    struct zone *zone;                    /* owned */
    const struct zone_snapshot *snapshot; /* our reference */
};

/* ---- cores --------------------------------------------------------------------------------- */

static void replace(const char **text, const char *with)
{
    if (with != NULL) {
        free((char *)*text);
        *text = mem_xstrdup(with);
    }
}

/* The place of core ID, made (empty) if it is not there. The list stays in order. */
static struct store_core *place_of(struct db_cores *cores, const char *id)
{
    size_t at = 0;
    while (at < cores->count && strcmp(cores->items[at].id, id) < 0) {
        at++;
    }
    if (at == cores->count || strcmp(cores->items[at].id, id) != 0) {
        cores->items = mem_xrealloc(cores->items, (cores->count + 1) * sizeof *cores->items);
        memmove(cores->items + at + 1, cores->items + at,
                (cores->count - at) * sizeof *cores->items);
        cores->items[at] = (struct store_core){.id = mem_xstrdup(id), .available = true};
        cores->count++;
    }
    return &cores->items[at];
}

enum err view_cores(struct cli *cli, struct db_cores *out, struct err_info *info)
{
    const struct config *c = &cli->config;
    *out = (struct db_cores){.count = 0};
    enum err e = cli->db != NULL ? db_cores_list(cli->db, out, info) : ERR_OK;
    if (e == ERR_OK && (c->core.ip != NULL || c->core.ipv6 != NULL)) {
        struct store_core *own = place_of(out, c->core.id);
        replace(&own->ip, c->core.ip);
        replace(&own->ipv6, c->core.ipv6);
    }
    return e;
}

static enum err put_cores(struct cli *cli, struct zone *zone, struct err_info *info)
{
    struct db_cores cores;
    enum err e = view_cores(cli, &cores, info);
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
    db_cores_free(&cores);
    return e;
}

/* ---- the whole ----------------------------------------------------------------------------- */

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
    enum err e = config_zone_new(&cli->config, &v->zone, &info);
    if (e == ERR_OK) {
        e = put_cores(cli, v->zone, &info);
    }
    if (e == ERR_OK && cli->db != NULL) {
        e = db_state(cli->db, &state, &info);
    }
    if (e != ERR_OK) {
        view_free(v);
        return cli_fail_store(cli, e, "%s", info.text);
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

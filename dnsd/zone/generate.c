/* What follows from the cores: made anew, as a whole, whenever a core changes. There are tens of
 * cores, not thousands, so this costs nothing beside the users, which are not touched: a user's
 * slot names its core, and the core's records are in one place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "zone_priv.h"

/* Addresses of the infos are checked when they come in, so adding them cannot fail. */
static void add_address(struct zone *z, struct record_set *set, uint16_t type, int64_t ttl_s,
                        const char *ip)
{
    if (ip != NULL) {
        enum err e = record_add_text(set, type, ttl_s, ip, &z->apex, z->default_ttl_s, NULL);
        (void)e; /* the 101st address of a pool is left out */
    }
}

static void add_core(struct zone *z, struct record_set *set, int64_t ttl_s,
                     const struct zone_core_info *c)
{
    add_address(z, set, TYPE_A, ttl_s, c->ip);
    add_address(z, set, TYPE_AAAA, ttl_s, c->ipv6);
    if (c->ip == NULL && c->ipv6 == NULL) {
        add_address(z, set, TYPE_CNAME, ttl_s, c->cname);
    }
}

static bool has_address(const struct zone_core_info *c)
{
    return c->present && (c->ip != NULL || c->ipv6 != NULL);
}

/* How much a core may be missing before it is left out of the pool of those that serve: first
 * only live and available ones, then live ones, then all (facts: never empty while a core exists).
 */
static bool serves(const struct zone_core_info *c, int strictness)
{
    return has_address(c) && (strictness < 1 || c->live) && (strictness < 2 || c->available);
}

static int strictest(const struct zone *z)
{
    for (int strictness = 2; strictness > 0; strictness--) {
        for (uint32_t i = 0; i < z->cores_count; i++) {
            if (serves(z->infos[i], strictness)) {
                return strictness;
            }
        }
    }
    return 0;
}

static void pool(struct zone *z, struct record_set *set)
{
    int strictness = strictest(z);
    for (uint32_t i = 0; i < z->cores_count; i++) {
        const struct zone_core_info *c = z->infos[i];
        if (serves(c, strictness)) {
            add_address(z, set, TYPE_A, -1, c->ip);
            add_address(z, set, TYPE_AAAA, -1, c->ipv6);
        }
    }
}

/* lsc: rqlite nodes dial every address of either family, so IPv6 only if all have it. */
static void discovery(struct zone *z, struct record_set *set)
{
    bool all_ipv6 = true;
    for (uint32_t i = 0; i < z->cores_count; i++) {
        all_ipv6 = all_ipv6 && (!has_address(z->infos[i]) || z->infos[i]->ipv6 != NULL);
    }
    for (uint32_t i = 0; i < z->cores_count; i++) {
        const struct zone_core_info *c = z->infos[i];
        if (has_address(c)) {
            add_address(z, set, TYPE_A, ZONE_LSC_TTL_S, c->ip);
            add_address(z, set, TYPE_AAAA, ZONE_LSC_TTL_S, all_ipv6 ? c->ipv6 : NULL);
        }
    }
}

static int by_id(const void *a, const void *b)
{
    const struct zone_core_info *const *x = a;
    const struct zone_core_info *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* The name servers: label and core, as configured or one dnsN per core in the order of ids. */
struct server {
    char label[WIRE_LABEL_MAX + 1];
    const struct zone_core_info *core;
};

static struct server *servers(const struct zone *z, size_t *count)
{
    const struct zone_core_info **cores = mem_xalloc((z->cores_count + 1) * sizeof *cores);
    struct server *list = mem_xalloc((z->cores_count + z->nameservers_count + 1) * sizeof *list);
    size_t n = 0;
    *count = 0;
    for (uint32_t i = 0; i < z->cores_count; i++) {
        if (has_address(z->infos[i])) {
            cores[n++] = z->infos[i];
        }
    }
    qsort(cores, n, sizeof *cores, by_id);
    for (size_t i = 0; z->nameservers_count == 0 && i < n; i++) {
        snprintf(list[*count].label, sizeof list[0].label, "dns%zu", i + 1);
        list[(*count)++].core = cores[i];
    }
    for (size_t i = 0; i < z->nameservers_count; i++) {
        for (size_t j = 0; j < n; j++) {
            if (strcmp(cores[j]->id, z->nameservers[i].core_id) == 0) {
                snprintf(list[*count].label, sizeof list[0].label, "%s", z->nameservers[i].label);
                list[(*count)++].core = cores[j];
            }
        }
    }
    free(cores);
    return list;
}

/* ---- generated names --------------------------------------------------------------------- */

static void make_name(struct zone *z, const char *label, const struct record_set *set, bool rotate)
{
    struct generated_name g;
    size_t len;
    if (!zone_label_key(label, g.key, &len)) {
        return; /* labels of the configuration are checked there */
    }
    g.len = (uint8_t)len;
    layer_put_records(z, g.key, len, ZONE_GENERATED, set, rotate);
    z->generated = mem_xrealloc(z->generated, (z->generated_count + 1) * sizeof *z->generated);
    z->generated[z->generated_count++] = g;
}

static bool is_generated(const struct zone *z, const struct generated_name *g)
{
    for (size_t i = 0; i < z->generated_count; i++) {
        if (z->generated[i].len == g->len && memcmp(z->generated[i].key, g->key, g->len) == 0) {
            return true;
        }
    }
    return false;
}

static void generate_names(struct zone *z, const struct record_set *serving)
{
    struct generated_name *before = z->generated;
    size_t before_count = z->generated_count;
    struct record_set lsc = {.sets = NULL};
    size_t n;
    struct server *list = servers(z, &n);
    z->generated = NULL;
    z->generated_count = 0;

    discovery(z, &lsc);
    make_name(z, "lsc", &lsc, false);
    for (size_t i = 0; i < z->service_names_count; i++) {
        make_name(z, z->service_names[i], serving, true);
    }
    for (size_t i = 0; i < n; i++) {
        struct record_set set = {.sets = NULL};
        add_core(z, &set, -1, list[i].core);
        make_name(z, list[i].label, &set, false);
        record_set_free(&set);
    }
    for (size_t i = 0; i < before_count; i++) {
        if (!is_generated(z, &before[i])) {
            layer_put(z, before[i].key, before[i].len, ZONE_GENERATED, NULL, 0);
        }
    }
    static const uint8_t wildcard[] = {1, '*'};
    if (z->wildcard_cores) {
        layer_put_records(z, wildcard, sizeof wildcard, ZONE_WILDCARD, serving, true);
    }
    record_set_free(&lsc);
    free(list);
    free(before);
}

void generate_core(struct zone *z, uint32_t index)
{
    const struct zone_core_info *c = z->infos[index];
    struct record_set set = {.sets = NULL};
    struct zone_rrset **sets;
    size_t count;
    uint8_t key[WIRE_LABEL_MAX + 1];
    size_t len;
    if (c->present) {
        add_core(z, &set, -1, c);
    }
    if (z->cores[index] != NULL) {
        zone_drop_node(z, z->cores[index], true);
    }
    layer_render(z, NULL, 0, &set, false, &sets, &count);
    z->cores[index] = zone_node_make(ZONE_CORE, NULL, 0, sets, count, NULL);
    free(sets);
    if (zone_label_key(c->id, key, &len)) {
        layer_put_records(z, key, len, ZONE_CORE, &set, false);
    }
    record_set_free(&set);
}

/* ---- the apex ---------------------------------------------------------------------------- */

static void add_set(struct record_set *to, const struct record_rrset *from)
{
    for (size_t i = 0; i < from->count; i++) {
        enum err e = record_add_wire(to, from->type, from->ttl, from->data[i].bytes,
                                     from->data[i].len, NULL);
        (void)e; /* it was within the limits where it came from */
    }
    for (size_t i = 0; i < to->count; i++) {
        if (to->sets[i].type == from->type) {
            to->sets[i].ttl_default = from->ttl_default;
        }
    }
}

static void generated_apex(struct zone *z, const struct record_set *serving, struct record_set *out)
{
    size_t n;
    struct server *list = servers(z, &n);
    for (size_t i = 0; i < n; i++) {
        add_address(z, out, TYPE_NS, -1, list[i].label);
    }
    free(list);
    for (size_t i = 0; i < z->caa_count; i++) {
        add_address(z, out, TYPE_CAA, -1, z->caa[i]);
    }
    for (size_t i = 0; i < serving->count; i++) {
        add_set(out, &serving->sets[i]);
    }
}

/* Type by type: what the configuration says, else what is stored, else what follows from the cores.
 */
static void generate_apex(struct zone *z, const struct record_set *serving)
{
    struct record_set all = {.sets = NULL};
    struct record_set generated = {.sets = NULL};
    generated_apex(z, serving, &generated);
    const struct record_set *order[] = {&z->root, &z->apex_records, &generated};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < order[i]->count; j++) {
            if (record_find(&all, order[i]->sets[j].type) == NULL) {
                add_set(&all, &order[i]->sets[j]);
            }
        }
    }
    struct zone_rrset **sets;
    size_t count;
    layer_render(z, NULL, 0, &all, true, &sets, &count);
    if (z->apex_node != NULL) {
        zone_drop_node(z, z->apex_node, true);
    }
    z->apex_node = zone_node_make(ZONE_GENERATED, NULL, 0, sets, count, NULL);
    free(sets);
    record_set_free(&all);
    record_set_free(&generated);
}

void generate(struct zone *z)
{
    struct record_set serving = {.sets = NULL};
    if (!z->cores_dirty && !z->apex_dirty) {
        return;
    }
    pool(z, &serving);
    if (z->cores_dirty) {
        generate_names(z, &serving);
    }
    generate_apex(z, &serving);
    record_set_free(&serving);
    z->cores_dirty = false;
    z->apex_dirty = false;
}

/* ---- the SOA ----------------------------------------------------------------------------- */

static void put_primary(struct zone *z, struct buf_writer *w)
{
    const struct zone_rrset *ns = zone_node_find(z->apex_node, TYPE_NS);
    uint8_t name[WIRE_NAME_MAX];
    if (z->soa.primary.len != 0) {
        buf_put(w, z->soa.primary.bytes, z->soa.primary.len);
    } else if (ns != NULL) {
        buf_put(w, name, zone_rrset_data(ns, 0, &z->apex, name, sizeof name));
    } else {
        buf_put(w, "\4dns1", 5);
        buf_put(w, z->apex.bytes, z->apex.len);
    }
}

struct zone_rrset *generate_soa(struct zone *z, uint32_t serial, uint32_t *negative_ttl_s)
{
    const struct zone_soa *o = &z->soa;
    uint8_t bytes[2 * WIRE_NAME_MAX + 20];
    struct buf_writer w = buf_writer_of(bytes, sizeof bytes);
    uint32_t minimum = o->minimum_s >= 0 ? (uint32_t)o->minimum_s : ZONE_NEGATIVE_S;
    put_primary(z, &w);
    buf_put(&w, z->contact.bytes, z->contact.len);
    buf_put_u32(&w, serial);
    buf_put_u32(&w, o->refresh_s >= 0 ? (uint32_t)o->refresh_s : 3600);
    buf_put_u32(&w, o->retry_s >= 0 ? (uint32_t)o->retry_s : 600);
    buf_put_u32(&w, o->expire_s >= 0 ? (uint32_t)o->expire_s : 604800);
    buf_put_u32(&w, minimum);
    *negative_ttl_s = z->default_ttl_s < minimum ? z->default_ttl_s : minimum; /* RFC 2308 §5 */
    struct record_data data = {.bytes = bytes, .len = (uint16_t)w.len};
    struct record_rrset set = {.type = TYPE_SOA, .data = &data, .count = 1};
    return zone_rrset_make(&set, z->default_ttl_s, &z->apex, false);
}

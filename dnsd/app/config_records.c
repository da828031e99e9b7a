/* dns.staticEntries and dns.records.root: both have the shape of a stored row, so they become the
 * row's JSON and go through the reader of rows; its problems find their way back to file and line.
 */
#include "config_priv.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* Members of rows that are numbers; every other scalar is text, even when it looks like one. */
static bool is_number_member(const char *key)
{
    static const char *const names[] = {"ttl", "priority", "flags", "weight", "port"};
    for (size_t i = 0; key != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(key, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *scalar_json(const struct cfg_node *node)
{
    const char *up = node->parent != NULL ? node->parent->key : NULL;
    uint32_t number = 0;
    bool in_ttls = up != NULL && strcmp(up, "ttls") == 0;
    if ((is_number_member(node->key) || in_ttls) &&
        str_parse_u32(node->text, UINT32_MAX, &number)) {
        return json_integer(number);
    }
    return json_string(node->text);
}

/* New reference. Recursion is bounded by CFG_DEPTH_MAX. */
static json_t *node_json(const struct cfg_node *node)
{
    if (node->kind == CFG_SCALAR) {
        return scalar_json(node);
    }
    json_t *json = node->kind == CFG_MAP ? json_object() : json_array();
    for (size_t i = 0; i < node->count; i++) {
        const struct cfg_node *item = node->items[i];
        if (!cfg_is_set(item)) {
            continue;
        }
        int rc = node->kind == CFG_MAP ? json_object_set_new(json, item->key, node_json(item))
                                       : json_array_append_new(json, node_json(item));
        if (rc != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

/* New reference: the members of NODE (a map) that are records of the domain itself. The others are
 * soa, which is no record here, and keys that the table of keys has refused. */
static json_t *root_json(const struct cfg_node *node)
{
    json_t *json = json_object();
    for (const struct cfg_key *k = config_root.keys; k->type != CFG_END; k++) {
        const struct cfg_node *member = cfg_get(node, k->name);
        if (k->type == CFG_CODE && cfg_is_set(member) &&
            json_object_set_new(json, k->name, node_json(member)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

struct teller {
    struct cfg *c;               /* borrowed */
    const struct cfg_node *node; /* borrowed: the map that became the row */
    bool told;
};

/* The node that WHERE ("a", "a[1]", "ttls.txt") means, or the whole map. Unset items were left out
 * of the row, so they do not count. */
static const struct cfg_node *node_at(const struct cfg_node *map, const char *where)
{
    char name[64];
    size_t len = strcspn(where, "[.");
    if (len >= sizeof name) {
        return map;
    }
    memcpy(name, where, len);
    name[len] = '\0';
    const struct cfg_node *member = cfg_get(map, name);
    if (member == NULL) {
        return map;
    }
    if (where[len] != '[' || member->kind != CFG_LIST) {
        return member;
    }
    unsigned long wanted = strtoul(where + len + 1, NULL, 10);
    for (size_t i = 0; i < member->count; i++) {
        if (cfg_is_set(member->items[i]) && wanted-- == 0) {
            return member->items[i];
        }
    }
    return member;
}

static void on_problem(void *ctx, const char *where, const char *why)
{
    struct teller *t = ctx;
    /* Finding the place takes longer the further down it is; past the limit nobody sees it. */
    bool seen = cfg_problem_count(t->c) < CFG_PROBLEMS_MAX;
    cfg_problem(t->c, seen ? node_at(t->node, where) : t->node, "%s", why);
    t->told = true;
}

/* Reads ROW_OWN (a reference that this ends; NULL if there is none), made from NODE, as the records
 * of OWNER. False: a problem was told; *out is zeroed. */
static bool read_records(struct cfg *c, const struct cfg_node *node, json_t *row_own,
                         const struct wire_name *owner, const struct wire_name *apex,
                         uint32_t default_ttl, struct record_set *out)
{
    struct teller teller = {.c = c, .node = node};
    struct err_info why = {.text = ""};
    enum err e = ERR_MALFORMED;
    char *row = row_own != NULL ? json_dumps(row_own, JSON_COMPACT) : NULL;
    *out = (struct record_set){.sets = NULL};
    if (row != NULL) {
        e = record_from_json(row, apex, default_ttl, out, on_problem, &teller);
    }
    if (e == ERR_OK && !teller.told) {
        e = record_check(out, owner, apex, &why);
    }
    if (e != ERR_OK && !teller.told) {
        cfg_problem(c, node, "%s", why.text[0] != '\0' ? why.text : "cannot be read as records");
    }
    free(row);
    json_decref(row_own);
    if (e != ERR_OK || teller.told) {
        record_set_free(out);
        return false;
    }
    return true;
}

/* ---- static entries ---- */

struct found {
    struct config_entry entry;
    const struct cfg_node *node; /* borrowed */
};

static bool first_label_is(const struct wire_name *name, const char *label)
{
    size_t len = strlen(label);
    return name->bytes[0] == len && memcmp(name->bytes + 1, label, len) == 0;
}

/* What would always be answered in place of a static entry: NULL, or why. */
static const char *shadow_of(const struct wire_name *owner, const struct wire_name *apex,
                             const struct config_list *service_names)
{
    if (owner->labels != apex->labels + 1) {
        return NULL;
    }
    for (size_t i = 0; i < service_names->count; i++) {
        if (first_label_is(owner, service_names->items[i])) {
            return "is a service name (dns.serviceNames), which wins over static entries, so this "
                   "would never be answered; remove one of the two";
        }
    }
    return NULL;
}

/* lsc leads to the cores, and before one is known to the founders: what else an entry gave it would
 * be answered for as long as that and then be gone. */
static bool is_of_founders(const struct wire_name *owner, const struct wire_name *apex,
                           const struct record_set *records)
{
    if (owner->labels != apex->labels + 1 || !first_label_is(owner, "lsc")) {
        return true;
    }
    for (size_t i = 0; i < records->count; i++) {
        if (records->sets[i].type != TYPE_A && records->sets[i].type != TYPE_AAAA) {
            return false;
        }
    }
    return true;
}

static bool read_entry(struct cfg *c, const struct cfg_node *node, const struct config *config,
                       const struct wire_name *apex, struct config_entry *out)
{
    struct err_info why = {.text = ""};
    if (wire_name_owner(node->key, apex, &out->owner, &why) != ERR_OK) {
        cfg_problem(c, node, "%s", why.text);
        return false;
    }
    if (out->owner.labels == apex->labels) {
        cfg_problem(c, node, "the domain's own records belong under dns.records.root");
        return false;
    }
    const char *shadow = shadow_of(&out->owner, apex, &config->dns.service_names);
    if (shadow != NULL) {
        cfg_problem(c, node, "%s", shadow);
        return false;
    }
    if (node->kind != CFG_MAP) {
        cfg_problem(c, node, "must be a map of record types, as in `{ a: [192.0.2.1] }`");
        return false;
    }
    if (!read_records(c, node, node_json(node), &out->owner, apex, config->dns.default_ttl_s,
                      &out->records)) {
        return false;
    }
    if (out->records.count == 0) {
        cfg_problem(c, node, "holds no record; remove it or give it one, as in `a: [192.0.2.1]`");
        return false;
    }
    if (!is_of_founders(&out->owner, apex, &out->records)) {
        cfg_problem(c, node,
                    "leads to every core; an entry may only give the addresses (a, aaaa) of the "
                    "first ones");
        record_set_free(&out->records);
        return false;
    }
    return true;
}

static int by_owner(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    size_t shorter =
        x->entry.owner.len < y->entry.owner.len ? x->entry.owner.len : y->entry.owner.len;
    int order = memcmp(x->entry.owner.bytes, y->entry.owner.bytes, shorter);
    if (order != 0) {
        return order;
    }
    if (x->entry.owner.len != y->entry.owner.len) {
        return x->entry.owner.len < y->entry.owner.len ? -1 : 1;
    }
    return x->node->index < y->node->index ? -1 : x->node->index > y->node->index;
}

/* Moves the N entries of FOUND into OUT in order; a name written in two ways is a problem. */
static void take_entries(struct cfg *c, struct found *found, size_t n, struct config_entries *out)
{
    qsort(found, n, sizeof *found, by_owner);
    out->items = mem_xalloc(n * sizeof out->items[0]);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && wire_name_equal(&found[i].entry.owner, &found[i - 1].entry.owner)) {
            cfg_problem(c, found[i].node,
                        "is the same name as `%.64s` on line %u; keep one of them",
                        found[i - 1].node->key, found[i - 1].node->line);
            record_set_free(&found[i].entry.records);
        } else {
            out->items[out->count++] = found[i].entry;
        }
    }
}

static void read_static_entries(struct cfg *c, const struct cfg_node *map,
                                const struct wire_name *apex, struct config *out)
{
    size_t n = 0;
    if (map->kind != CFG_MAP) {
        cfg_problem(c, map, "must be a map of names to records, as in `www: { a: [192.0.2.1] }`");
        return;
    }
    if (map->count == 0) {
        return;
    }
    struct found *found = mem_xalloc(map->count * sizeof *found);
    for (size_t i = 0; i < map->count; i++) {
        found[n] = (struct found){.node = map->items[i]};
        if (cfg_is_set(map->items[i]) && read_entry(c, map->items[i], out, apex, &found[n].entry)) {
            n++;
        }
    }
    if (n > 0) {
        take_entries(c, found, n, &out->dns.static_entries);
    }
    free(found);
}

void config_entries_free(struct config_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        record_set_free(&entries->items[i].records);
    }
    free(entries->items);
    *entries = (struct config_entries){.items = NULL};
}

void config_read_records(struct cfg *c, struct config *out)
{
    /* Without a domain records are still checked, against a name that cannot be one (RFC 6761). */
    static const struct wire_name nowhere = {
        .len = 9, .labels = 1, .bytes = {7, 'i', 'n', 'v', 'a', 'l', 'i', 'd', 0}};
    const struct wire_name *apex = out->dns.domain_text != NULL ? &out->dns.domain : &nowhere;
    const struct cfg_node *entries = cfg_find(c, "dns.staticEntries");
    const struct cfg_node *root = cfg_find(c, "dns.records.root");
    if (cfg_is_set(entries)) {
        read_static_entries(c, entries, apex, out);
    }
    if (cfg_is_set(root) && root->kind == CFG_MAP) {
        (void)read_records(c, root, root_json(root), apex, apex, out->dns.default_ttl_s,
                           &out->dns.root);
    }
    if (apex == &nowhere) {
        config_entries_free(&out->dns.static_entries);
        record_set_free(&out->dns.root);
    }
}

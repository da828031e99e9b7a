#include "zone.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dnsd/wire/rdata.h"
#include "lib/mem.h"
#include "user.h"
#include "zone_priv.h"

/* ---- names ------------------------------------------------------------------------------- */

void zone_key_name(const struct zone *z, const uint8_t *key, size_t len, struct wire_name *out)
{
    assert(len + z->apex.len <= WIRE_NAME_MAX);
    memcpy(out->bytes, key, len);
    memcpy(out->bytes + len, z->apex.bytes, z->apex.len);
    out->len = (uint8_t)(len + z->apex.len);
    unsigned labels = 0;
    for (size_t pos = 0; out->bytes[pos] != 0; pos += (size_t)out->bytes[pos] + 1) {
        labels++;
    }
    out->labels = (uint8_t)labels;
}

bool zone_label_key(const char *text, uint8_t key[WIRE_LABEL_MAX + 1], size_t *len)
{
    size_t n = strlen(text);
    if (n == 0 || n > WIRE_LABEL_MAX) {
        return false;
    }
    key[0] = (uint8_t)n;
    wire_name_fold(key + 1, (const uint8_t *)text, n);
    *len = n + 1;
    return user_name_is_plain(key + 1, n);
}

/* ---- making and ending ------------------------------------------------------------------- */

static void copy_options(struct zone *z, const struct zone_options *o)
{
    z->apex = o->apex;
    z->default_ttl_s = o->default_ttl_s;
    z->wildcard_cores = o->wildcard_cores;
    z->soa = o->soa;
    z->users_hashed = o->user_key != NULL;
    if (z->users_hashed) {
        digest_hmac_init(&z->user_key, o->user_key, USER_KEY_LEN);
    }
    z->service_names = mem_xalloc(o->service_names_count * sizeof *z->service_names);
    for (; z->service_names_count < o->service_names_count; z->service_names_count++) {
        z->service_names[z->service_names_count] =
            mem_xstrdup(o->service_names[z->service_names_count]);
    }
    z->nameservers = mem_xalloc(o->nameservers_count * sizeof *z->nameservers);
    for (; z->nameservers_count < o->nameservers_count; z->nameservers_count++) {
        const struct zone_nameserver *n = &o->nameservers[z->nameservers_count];
        z->nameservers[z->nameservers_count] = (struct zone_nameserver){
            .label = mem_xstrdup(n->label), .core_id = mem_xstrdup(n->core_id)};
    }
}

/* The mail address as a name (RFC 1035 §8): the local part is one label, its dots included. */
static bool contact_name(const struct zone *z, const char *mail, struct wire_name *out)
{
    const char *at = mail != NULL ? strrchr(mail, '@') : NULL;
    size_t local = at != NULL ? (size_t)(at - mail) : 0;
    struct wire_name host;
    if (mail == NULL) {
        zone_key_name(z, (const uint8_t *)"\12hostmaster", 11, out);
        return true;
    }
    if (local == 0 || local > WIRE_LABEL_MAX ||
        wire_name_from_text(at + 1, NULL, &host, NULL) != ERR_OK ||
        local + 1 + host.len > WIRE_NAME_MAX) {
        return false;
    }
    out->len = (uint8_t)(local + 1 + host.len);
    out->labels = (uint8_t)(host.labels + 1);
    out->bytes[0] = (uint8_t)local;
    memcpy(out->bytes + 1, mail, local);
    memcpy(out->bytes + 1 + local, host.bytes, host.len);
    return true;
}

static enum err set_contact(struct zone *z, const struct zone_options *o, struct err_info *info)
{
    if (o->soa.admin.len != 0) {
        z->contact = o->soa.admin;
        return ERR_OK;
    }
    if (!contact_name(z, o->contact, &z->contact)) {
        return err_set(info, ERR_MALFORMED, "%s is not a mail address that fits a SOA record",
                       o->contact);
    }
    return ERR_OK;
}

/* Copies a record set (and checks it against OWNER's rules). */
static enum err copy_records(const struct zone *z, const struct wire_name *owner,
                             const struct record_set *from, struct record_set *to,
                             struct err_info *info)
{
    *to = (struct record_set){.sets = NULL};
    for (size_t i = 0; i < from->count; i++) {
        const struct record_rrset *s = &from->sets[i];
        for (size_t j = 0; j < s->count; j++) {
            enum err e =
                record_add_wire(to, s->type, s->ttl, s->data[j].bytes, s->data[j].len, info);
            if (e != ERR_OK) {
                record_set_free(to);
                return e;
            }
        }
    }
    for (size_t i = 0; i < to->count; i++) {
        to->sets[i].ttl_default = from->sets[i].ttl_default;
    }
    enum err e = record_check(to, owner, &z->apex, info);
    if (e != ERR_OK) {
        record_set_free(to);
    }
    return e;
}

static bool is_label(const uint8_t *key, size_t len, const char *label)
{
    return len == strlen(label) + 1 && key[0] == len - 1 && memcmp(key + 1, label, len - 1) == 0;
}

/* The static entry lsc: as what is made of the cores, in whose place it stands. */
static void put_founders(struct zone *z, const struct zone_entry *entry)
{
    struct zone_rrset *sets[RECORD_TYPES_MAX];
    const struct record_set *r = entry->records;
    for (size_t i = 0; i < r->count; i++) {
        sets[i] = zone_rrset_make(&r->sets[i], ZONE_LSC_TTL_S, &z->apex, false);
    }
    layer_put(z, entry->owner.bytes, (size_t)(entry->owner.len - z->apex.len), ZONE_STATIC, sets,
              r->count);
}

static enum err add_static(struct zone *z, const struct zone_options *o, struct err_info *info)
{
    for (size_t i = 0; i < o->static_entries_count; i++) {
        const struct zone_entry *entry = &o->static_entries[i];
        size_t len = (size_t)(entry->owner.len - z->apex.len);
        if (len == 0 || !wire_name_is_under(&entry->owner, &z->apex)) {
            return err_set(info, ERR_MALFORMED, "a static entry must lie below the domain");
        }
        enum err e = record_check(entry->records, &entry->owner, &z->apex, info);
        if (e != ERR_OK) {
            return e;
        }
        if (is_label(entry->owner.bytes, len, "lsc")) {
            put_founders(z, entry);
        } else {
            layer_put_records(z, entry->owner.bytes, len, ZONE_STATIC, entry->records, true);
        }
    }
    return ERR_OK;
}

/* Names that exist before there is anything to say of them: a CA asks below _acme-challenge first
 * (RFC 8555 §8.4), a cluster that forms asks for lsc, and "no such name" would be believed for the
 * negative TTL; and no wildcard may answer for them. */
static void reserve(struct zone *z, const char *label)
{
    uint8_t key[WIRE_LABEL_MAX + 1];
    size_t len;
    if (zone_label_key(label, key, &len)) {
        layer_reserve(z, key, len);
    }
}

enum err zone_new(const struct zone_options *options, struct zone **out, struct err_info *info)
{
    struct hash_key hash;
    enum err e;
    if (options->apex.len + WIRE_LABEL_MAX + 1 > WIRE_NAME_MAX) {
        return err_set(
            info, ERR_LIMIT,
            "the domain is too long: with a label of %d octets its names must fit into %d",
            WIRE_LABEL_MAX, WIRE_NAME_MAX);
    }
    struct zone *z = mem_xalloc(sizeof *z);
    if (getrandom(&hash, sizeof hash, 0) != (ssize_t)sizeof hash) {
        free(z);
        return err_set(info, ERR_IO, "the system has no random numbers");
    }
    copy_options(z, options);
    table_init(&z->w.now, &hash);
    z->w.version = 1;
    z->w.retired = &z->retired;
    z->cores_dirty = true;
    e = set_contact(z, options, info);
    if (e == ERR_OK && options->root != NULL) {
        e = copy_records(z, &z->apex, options->root, &z->root, info);
    }
    if (e == ERR_OK) {
        e = add_static(z, options, info);
    }
    if (e != ERR_OK) {
        zone_free(z);
        return e;
    }
    reserve(z, "_acme-challenge");
    reserve(z, "lsc");
    for (size_t i = 0; i < z->service_names_count; i++) {
        reserve(z, z->service_names[i]);
    }
    *out = z;
    return ERR_OK;
}

/* What a snapshot has of its own. */
static void drop_parts(struct zone *z, const struct zone_snapshot *s)
{
    zone_drop(z, (void *)s->soa);
    zone_drop(z, (void *)s->cores);
    zone_drop(z, (void *)s->infos);
}

static void snapshot_free(struct zone_snapshot *s)
{
    table_retired_free(&s->retired);
    free(s);
}

static bool free_slot_node(void *ctx, const struct table_slot *slot)
{
    (void)ctx;
    if (slot->kind == TABLE_NODE) {
        node_free(slot->u.node);
    }
    return true;
}

static void free_cores(struct zone *z)
{
    for (uint32_t i = 0; i < z->cores_count; i++) {
        free(z->infos[i]);
        node_free((struct zone_node *)z->cores[i]);
    }
    free(z->infos);
    free(z->cores);
}

static void free_caa(struct zone *z)
{
    while (z->caa_count > 0) {
        free(z->caa[--z->caa_count]);
    }
}

static void free_options(struct zone *z)
{
    for (size_t i = 0; i < z->service_names_count; i++) {
        free(z->service_names[i]);
    }
    free(z->service_names);
    for (size_t i = 0; i < z->nameservers_count; i++) {
        free((char *)z->nameservers[i].label);
        free((char *)z->nameservers[i].core_id);
    }
    free(z->nameservers);
    free_caa(z);
    explicit_bzero(&z->user_key, sizeof z->user_key);
    record_set_free(&z->root);
}

void zone_free(struct zone *z)
{
    if (z == NULL) {
        return;
    }
    if (z->newest != NULL) {
        drop_parts(z, z->newest);
    }
    for (struct zone_snapshot *s = z->oldest; s != NULL;) {
        struct zone_snapshot *newer = s->newer;
        assert(atomic_load(&s->refs) == 0);
        snapshot_free(s);
        s = newer;
    }
    table_retired_free(&z->retired);
    table_each(&z->w.now, free_slot_node, NULL);
    table_free(&z->w.now);
    free_cores(z);
    node_free((struct zone_node *)z->apex_node);
    node_free(z->apex_stored);
    record_set_free(&z->apex_records);
    overlay_free(&z->overlay);
    free(z->sealed);
    free(z->generated);
    free_options(z);
    free(z);
}

/* ---- cores ------------------------------------------------------------------------------- */

static struct zone_core_info *info_make(const struct zone_core *c, bool present)
{
    const char *texts[] = {c->id, c->ip, c->ipv6, c->cname};
    size_t sizes[4], total = 0;
    for (size_t i = 0; i < 4; i++) {
        sizes[i] = texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
        total += sizes[i];
    }
    struct zone_core_info *info = mem_xalloc(sizeof *info + total);
    const char **members[] = {&info->id, &info->ip, &info->ipv6, &info->cname};
    char *at = info->text;
    for (size_t i = 0; i < 4; i++) {
        if (texts[i] != NULL) {
            memcpy(at, texts[i], sizes[i]);
            *members[i] = at;
            at += sizes[i];
        }
    }
    info->present = present;
    info->available = c->available;
    info->live = c->live;
    rowsum_user_keys(c->id, info->user_keys);
    return info;
}

static uint32_t core_home(const struct zone *z, const char *id)
{
    uint64_t hash = hash_name(&z->w.now.hash, (const uint8_t *)id, strlen(id));
    uint32_t i = (uint32_t)hash % CORE_SLOTS;
    while (z->core_slot[i] != 0 && strcmp(z->infos[z->core_slot[i] - 1]->id, id) != 0) {
        i = (i + 1) % CORE_SLOTS;
    }
    return i;
}

int zone_core_index(struct zone *z, const char *id)
{
    uint32_t slot = core_home(z, id);
    if (z->core_slot[slot] != 0) {
        return z->core_slot[slot] - 1;
    }
    if (z->cores_count == ZONE_CORES_MAX) {
        return -1;
    }
    if (z->cores_count == z->cores_cap) {
        z->cores_cap = z->cores_cap == 0 ? 16 : z->cores_cap * 2;
        z->infos = mem_xrealloc(z->infos, z->cores_cap * sizeof *z->infos);
        z->cores = mem_xrealloc(z->cores, z->cores_cap * sizeof *z->cores);
    }
    uint32_t i = z->cores_count++;
    z->infos[i] = info_make(&(struct zone_core){.id = id}, false);
    z->cores[i] = NULL;
    z->core_slot[slot] = (uint16_t)(i + 1);
    generate_core(z, i);
    z->cores_dirty = true;
    return (int)i;
}

static enum err check_core(const struct zone_core *c, struct err_info *info)
{
    uint8_t key[WIRE_LABEL_MAX + 1];
    uint8_t data[WIRE_RDATA_MAX];
    size_t len;
    struct wire_name name;
    if (!zone_label_key(c->id, key, &len)) {
        return err_set(info, ERR_MALFORMED, "core id %s is not one label", c->id);
    }
    if (c->ip != NULL && wire_rdata_from_text(TYPE_A, c->ip, NULL, data, &len, NULL) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "core %s: ip %s is not an IPv4 address", c->id, c->ip);
    }
    if (c->ipv6 != NULL &&
        wire_rdata_from_text(TYPE_AAAA, c->ipv6, NULL, data, &len, NULL) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "core %s: ipv6 %s is not an IPv6 address", c->id,
                       c->ipv6);
    }
    if (c->cname != NULL && (strlen(c->cname) > UINT8_MAX ||
                             wire_name_from_text(c->cname, NULL, &name, NULL) != ERR_OK)) {
        return err_set(info, ERR_MALFORMED, "core %s: cname %s is not a name", c->id, c->cname);
    }
    return ERR_OK;
}

static void put_core(struct zone *z, uint32_t i, struct zone_core_info *info)
{
    if (z->infos[i]->present) {
        rowsum_take(&z->rows, rowsum_core(z->infos[i]));
    }
    if (info->present) {
        rowsum_add(&z->rows, rowsum_core(info));
    }
    zone_drop(z, z->infos[i]);
    z->infos[i] = info;
    generate_core(z, i);
    z->cores_dirty = true;
}

enum err zone_core_put(struct zone *z, const struct zone_core *core, struct err_info *info)
{
    enum err e = check_core(core, info);
    if (e != ERR_OK) {
        return e;
    }
    int i = zone_core_index(z, core->id);
    if (i < 0) {
        return err_set(info, ERR_LIMIT, "more than %d cores", ZONE_CORES_MAX);
    }
    put_core(z, (uint32_t)i, info_make(core, true));
    return ERR_OK;
}

void zone_core_delete(struct zone *z, const char *id)
{
    uint32_t slot = core_home(z, id);
    if (z->core_slot[slot] != 0) {
        /* Users may still name it: the place stays, without addresses. */
        put_core(z, z->core_slot[slot] - 1u, info_make(&(struct zone_core){.id = id}, false));
    }
}

bool zone_core_live(struct zone *z, const char *id, bool live)
{
    uint32_t slot = core_home(z, id);
    uint32_t i = z->core_slot[slot] - 1u;
    if (z->core_slot[slot] == 0 || !z->infos[i]->present || z->infos[i]->live == live) {
        return false;
    }
    const struct zone_core_info *known = z->infos[i];
    z->infos[i] = info_make(&(struct zone_core){.id = known->id,
                                                .ip = known->ip,
                                                .ipv6 = known->ipv6,
                                                .cname = known->cname,
                                                .available = known->available,
                                                .live = live},
                            true);
    zone_drop(z, (void *)known);
    /* Its own name and its users' stay as they are; lsc and NS come out the same. */
    z->cores_dirty = true;
    return true;
}

/* ---- users ------------------------------------------------------------------------------- */

static void sum_user(struct zone *z, const uint8_t *key, size_t len, uint16_t before, uint16_t now)
{
    if (before == now) {
        return;
    }
    if (before != TABLE_NO_CORE) {
        rowsum_take(&z->rows, rowsum_user(key, len, z->infos[before]->user_keys));
    }
    if (now != TABLE_NO_CORE) {
        rowsum_add(&z->rows, rowsum_user(key, len, z->infos[now]->user_keys));
    }
}

void zone_user_set(struct zone *z, const uint8_t *key, size_t len, uint16_t core)
{
    struct table_slot *s = table_edit(&z->w, key, len);
    z->users += s->core == TABLE_NO_CORE;
    sum_user(z, key, len, s->core, core);
    if (s->kind == TABLE_NODE) {
        s->core = core;
    } else {
        table_slot_user(&z->w, s, key, len, core);
    }
}

/* Where the user that rows call NAME is in the table. */
static enum err user_key_of(const struct zone *z, const char *name, uint8_t key[WIRE_LABEL_MAX + 1],
                            size_t *len, struct err_info *info)
{
    uint8_t token[USER_TOKEN_LEN];
    bool is_token = user_token_from_text(name, token);
    if (z->users_hashed && is_token) {
        user_slot_key(token, key);
        *len = USER_SLOT_LEN;
        return ERR_OK;
    }
    if (z->users_hashed) {
        return err_set(info, ERR_MALFORMED,
                       "a user's name must be hashed: 64 lower-case hexadecimal digits "
                       "(platform.piiMode: hashed)");
    }
    if (!zone_label_key(name, key, len)) {
        return err_set(info, ERR_MALFORMED, "user name %.70s is not one label%s", name,
                       is_token ? "; names seem to be hashed (platform.piiMode)" : "");
    }
    return ERR_OK;
}

enum err zone_user_put(struct zone *z, const char *name, const char *core_id, struct err_info *info)
{
    uint8_t key[WIRE_LABEL_MAX + 1];
    uint8_t core_key[WIRE_LABEL_MAX + 1];
    size_t len, core_len;
    enum err e = user_key_of(z, name, key, &len, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!zone_label_key(core_id, core_key, &core_len)) {
        return err_set(info, ERR_MALFORMED, "user %.70s: core id %.70s is not one label", name,
                       core_id);
    }
    int core = zone_core_index(z, core_id);
    if (core < 0) {
        return err_set(info, ERR_LIMIT, "user %.70s: more than %d core ids", name, ZONE_CORES_MAX);
    }
    zone_user_set(z, key, len, (uint16_t)core);
    return ERR_OK;
}

void zone_user_delete(struct zone *z, const char *name)
{
    uint8_t key[WIRE_LABEL_MAX + 1];
    size_t len;
    if (user_key_of(z, name, key, &len, NULL) != ERR_OK) {
        return;
    }
    const struct table_slot *there = table_find(&z->w.now, key, len);
    if (there == NULL || there->core == TABLE_NO_CORE) {
        return;
    }
    z->users--;
    sum_user(z, key, len, there->core, TABLE_NO_CORE);
    if (there->kind == TABLE_NODE) {
        table_edit(&z->w, key, len)->core = TABLE_NO_CORE;
    } else {
        table_remove(&z->w, key, len);
    }
}

/* ---- records ----------------------------------------------------------------------------- */

static enum err put_apex_records(struct zone *z, const struct record_set *records,
                                 struct err_info *info)
{
    struct record_set copy;
    struct zone_rrset **sets;
    size_t count;
    enum err e = copy_records(z, &z->apex, records, &copy, info);
    if (e != ERR_OK) {
        return e;
    }
    if (z->apex_stored != NULL) {
        rowsum_take(&z->rows, rowsum_records(z->apex_stored));
        zone_drop_node(z, z->apex_stored, true);
        z->apex_stored = NULL;
    }
    record_set_free(&z->apex_records);
    z->apex_records = copy;
    if (copy.count > 0) {
        layer_render(z, NULL, 0, &copy, true, &sets, &count);
        z->apex_stored = zone_node_make(ZONE_STORED, NULL, 0, sets, count, NULL);
        rowsum_add(&z->rows, rowsum_records(z->apex_stored));
        free(sets);
    }
    z->apex_dirty = true;
    return ERR_OK;
}

enum err zone_records_put(struct zone *z, const struct wire_name *owner,
                          const struct record_set *records, struct err_info *info)
{
    if (!wire_name_is_under(owner, &z->apex)) {
        return err_set(info, ERR_MALFORMED, "not in the zone");
    }
    size_t len = (size_t)(owner->len - z->apex.len);
    if (len == 0) {
        return put_apex_records(z, records, info);
    }
    enum err e = record_check(records, owner, &z->apex, info);
    if (e != ERR_OK) {
        return e;
    }
    const struct zone_node *stored = layer_find(z, owner->bytes, len, ZONE_STORED);
    if (stored != NULL) {
        rowsum_take(&z->rows, rowsum_records(stored));
    }
    layer_put_records(z, owner->bytes, len, ZONE_STORED, records, true);
    stored = layer_find(z, owner->bytes, len, ZONE_STORED);
    if (stored != NULL) {
        rowsum_add(&z->rows, rowsum_records(stored));
    }
    return ERR_OK;
}

static bool same_caa(const struct zone *z, const char *const *texts, size_t count)
{
    bool same = count == z->caa_count;
    for (size_t i = 0; same && i < count; i++) {
        same = strcmp(texts[i], z->caa[i]) == 0;
    }
    return same;
}

bool zone_set_caa(struct zone *z, const char *const *texts, size_t count)
{
    count = count < ZONE_CAA_MAX ? count : ZONE_CAA_MAX;
    if (same_caa(z, texts, count)) {
        return false;
    }
    free_caa(z);
    for (size_t i = 0; i < count; i++) {
        z->caa[z->caa_count++] = mem_xstrdup(texts[i]);
    }
    z->apex_dirty = true;
    return true;
}

/* ---- publishing -------------------------------------------------------------------------- */

void zone_set_provisional(struct zone *z, bool provisional)
{
    z->provisional = provisional;
}

void zone_set_dated(struct zone *z, bool dated)
{
    z->dated = dated;
}

/* What no reader can see any more: versions from the oldest on that nobody holds. */
static void collect(struct zone *z)
{
    while (z->oldest != z->newest && atomic_load(&z->oldest->refs) == 0) {
        struct zone_snapshot *s = z->oldest;
        z->oldest = s->newer;
        snapshot_free(s);
    }
}

static uint8_t deepest(const struct zone *z)
{
    unsigned labels = WIRE_LABELS_MAX;
    while (labels > 0 && z->depth[labels] == 0) {
        labels--;
    }
    return labels == 0 && z->users > 0 ? 1 : (uint8_t)labels;
}

static void fill(struct zone *z, struct zone_snapshot *s, uint64_t revision)
{
    uint64_t serial = revision + (z->soa.serial > 0 ? (uint64_t)z->soa.serial : 0);
    s->table = z->w.now;
    s->apex = z->apex;
    s->apex_node = z->apex_node;
    s->apex_stored = z->apex_stored;
    s->sealed = z->sealed;
    s->cores_count = z->cores_count;
    s->cores = mem_xmemdup(z->cores, z->cores_count * sizeof *z->cores);
    s->infos = mem_xmemdup(z->infos, z->cores_count * sizeof *z->infos);
    /* Serials are of the circle of RFC 1982, and 0 is a value that registries refuse. */
    s->serial = (uint32_t)serial != 0 ? (uint32_t)serial : 1;
    s->user_key = z->users_hashed ? &z->user_key : NULL;
    s->soa = generate_soa(z, s->serial, &s->negative_ttl_s);
    s->max_labels = deepest(z);
    s->has_cuts = z->cuts > 0;
    s->apex_wildcard = z->apex_wildcard;
    s->provisional = z->provisional;
    s->dated = z->dated;
    s->revision = revision;
    s->users = z->users;
    s->names = z->names;
}

const struct zone_snapshot *zone_commit(struct zone *z, uint64_t revision)
{
    struct zone_snapshot *s = mem_xalloc(sizeof *s);
    generate(z);
    if (!z->overlay.sealed) {
        zone_drop(z, z->sealed);
        z->sealed = overlay_seal(&z->overlay);
        z->overlay.sealed = true;
    }
    fill(z, s, revision);
    if (z->newest != NULL) {
        struct zone_snapshot *old = z->newest;
        drop_parts(z, old);
        old->retired = z->retired;
        old->newer = s;
    } else {
        table_retired_free(&z->retired); /* nobody has seen anything yet */
        z->oldest = s;
    }
    z->retired = (struct table_retired){.items = NULL};
    z->newest = s;
    z->revision = revision;
    z->w.version++;
    collect(z);
    return zone_snapshot_ref(s);
}

const struct zone_snapshot *zone_current(const struct zone *z)
{
    return zone_snapshot_ref(z->newest);
}

uint64_t zone_revision(const struct zone *z)
{
    return z->revision;
}

void zone_digest(const struct zone *z, char out[ZONE_DIGEST_TEXT])
{
    snprintf(out, ZONE_DIGEST_TEXT, "%016" PRIx64 "%016" PRIx64, z->rows.lane[0], z->rows.lane[1]);
}

bool zone_is_idle(const struct zone *z)
{
    for (const struct zone_snapshot *s = z->oldest; s != NULL; s = s->newer) {
        if (atomic_load(&((struct zone_snapshot *)s)->refs) != 0) {
            return false;
        }
    }
    return true;
}

size_t zone_bytes(const struct zone *z)
{
    return table_bytes(&z->w.now);
}

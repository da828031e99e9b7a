/* The snapshot file: the zone without what the configuration adds, for the next start.
 *
 *   magic  version  revision  store id  domain
 *   8 octets that tell the key of hashed users from others; zeros: users are not hashed
 *   cores:   count, then id, ip, ipv6, cname (a length octet each), flags
 *   users:   count, then length, key as in the table, core index
 *   records: count of names, then key length, key, count of RRsets, each type, flags, TTL, count,
 *            and the data with its length
 *   proofs:  count of names, then name, count, each expiry and value
 *   SHA-256 of all of it
 *
 * Integers are big-endian. It is read only by the version that wrote it or a later one; another
 * VERSION is refused and the store read instead, so no conversion is ever needed. Records are
 * written whichever layer is on top of them, so a configuration that has changed meanwhile finds
 * them all.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/mem.h"
#include "user.h"
#include "zone_priv.h"

#define MAGIC   "DNSDZONE"
#define VERSION 2

#define CORE_PRESENT    1
#define CORE_AVAILABLE  2
#define CORE_LIVE       4
#define SET_TTL_DEFAULT 1

/* What tells one key from another without telling the key. */
#define CHECK_LEN 8
static void key_check(const struct digest_hmac *key, uint8_t out[CHECK_LEN])
{
    static const char text[] = "dnsd zone.snapshot"; /* no user: see user.h */
    uint8_t mac[DIGEST_SHA256_LEN] = {0};
    if (key != NULL) {
        digest_hmac(key, text, sizeof text, mac);
    }
    memcpy(out, mac, CHECK_LEN);
}

/* ---- writing ----------------------------------------------------------------------------- */

struct saver {
    uint8_t *bytes;
    size_t len, cap;
    const struct wire_name *apex;
    uint64_t users, names;
    bool users_now;
    bool failed;
};

static uint8_t *room(struct saver *v, size_t n)
{
    if (v->failed) {
        return NULL;
    }
    if (v->cap - v->len < n) {
        size_t cap = (v->cap + n) * 3 / 2;
        uint8_t *wider = realloc(v->bytes, cap);
        if (wider == NULL) {
            v->failed = true;
            return NULL;
        }
        v->bytes = wider;
        v->cap = cap;
    }
    uint8_t *p = v->bytes + v->len;
    v->len += n;
    return p;
}

static void save(struct saver *v, const void *bytes, size_t n)
{
    uint8_t *p = room(v, n);
    if (p != NULL && n > 0) {
        memcpy(p, bytes, n);
    }
}

static void save_u8(struct saver *v, uint8_t n)
{
    save(v, &n, 1);
}

static void save_u16(struct saver *v, uint16_t n)
{
    uint8_t b[2];
    put_u16(b, n);
    save(v, b, sizeof b);
}

static void save_u32(struct saver *v, uint32_t n)
{
    uint8_t b[4];
    put_u32(b, n);
    save(v, b, sizeof b);
}

static void save_u64(struct saver *v, uint64_t n)
{
    save_u32(v, (uint32_t)(n >> 32));
    save_u32(v, (uint32_t)n);
}

/* Texts of a core are labels, addresses and names: shorter than 256. */
static void save_text(struct saver *v, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    n = n > UINT8_MAX ? 0 : n;
    save_u8(v, (uint8_t)n);
    save(v, text, n);
}

static void save_core(struct saver *v, const struct zone_core_info *c)
{
    save_text(v, c->id);
    save_text(v, c->ip);
    save_text(v, c->ipv6);
    save_text(v, c->cname);
    save_u8(v, (uint8_t)((c->present ? CORE_PRESENT : 0) | (c->available ? CORE_AVAILABLE : 0) |
                         (c->live ? CORE_LIVE : 0)));
}

static void save_sets(struct saver *v, const struct zone_node *n)
{
    uint8_t data[WIRE_RDATA_MAX];
    save_u8(v, n->key_len);
    save(v, n->key, n->key_len);
    save_u16(v, n->sets_count);
    for (unsigned i = 0; i < n->sets_count; i++) {
        const struct zone_rrset *s = n->sets[i];
        save_u16(v, s->type);
        save_u8(v, s->ttl_default ? SET_TTL_DEFAULT : 0);
        save_u32(v, s->ttl);
        save_u16(v, s->count);
        for (unsigned j = 0; j < s->count; j++) {
            size_t len = zone_rrset_data(s, j, v->apex, data, sizeof data);
            save_u16(v, (uint16_t)len);
            save(v, data, len);
        }
    }
    v->names++;
}

static bool save_slot(void *ctx, const struct table_slot *slot)
{
    struct saver *v = ctx;
    if (v->users_now && slot->core != TABLE_NO_CORE) {
        const uint8_t *key = table_slot_key(slot);
        save_u8(v, slot->len);
        save(v, key, slot->len);
        save_u16(v, slot->core);
        v->users++;
    }
    for (const struct zone_node *n = slot->u.node;
         !v->users_now && slot->kind == TABLE_NODE && n != NULL; n = n->below) {
        if (n->source == ZONE_STORED) {
            save_sets(v, n);
        }
    }
    return !v->failed;
}

/* A count that is known only after what it counts has been written. */
static size_t save_count_later(struct saver *v)
{
    save_u64(v, 0);
    return v->len - 8;
}

static void save_count_now(struct saver *v, size_t at, uint64_t count)
{
    if (!v->failed) {
        put_u32(v->bytes + at, (uint32_t)(count >> 32));
        put_u32(v->bytes + at + 4, (uint32_t)count);
    }
}

enum err zone_save(const struct zone_snapshot *snapshot, const char *store_id, uint8_t **out,
                   size_t *len)
{
    struct saver v = {.apex = &snapshot->apex};
    if (snapshot->provisional) {
        return ERR_UNAVAIL;
    }
    uint8_t check[CHECK_LEN];
    v.cap = 4096 + snapshot->users * 24 + snapshot->names * 128;
    v.bytes = malloc(v.cap);
    v.failed = v.bytes == NULL;
    save(&v, MAGIC, 8);
    save_u32(&v, VERSION);
    save_u64(&v, snapshot->revision);
    save_text(&v, store_id);
    save_u8(&v, snapshot->apex.len);
    save(&v, snapshot->apex.bytes, snapshot->apex.len);
    key_check(snapshot->user_key, check);
    save(&v, check, sizeof check);
    save_u32(&v, snapshot->cores_count);
    for (uint32_t i = 0; i < snapshot->cores_count; i++) {
        save_core(&v, snapshot->infos[i]);
    }
    size_t count_at = save_count_later(&v);
    v.users_now = true;
    table_each(&snapshot->table, save_slot, &v);
    save_count_now(&v, count_at, v.users);
    count_at = save_count_later(&v);
    v.users_now = false;
    table_each(&snapshot->table, save_slot, &v);
    if (snapshot->apex_stored != NULL) {
        save_sets(&v, snapshot->apex_stored);
    }
    save_count_now(&v, count_at, v.names);
    save_u32(&v, snapshot->sealed->names);
    save(&v, snapshot->sealed->bytes, snapshot->sealed->len);
    uint8_t digest[DIGEST_SHA256_LEN];
    if (!v.failed && digest_sha256(v.bytes, v.len, digest) == ERR_OK) {
        save(&v, digest, sizeof digest);
    } else {
        v.failed = true;
    }
    if (v.failed) {
        free(v.bytes);
        return ERR_NOMEM;
    }
    *out = v.bytes;
    *len = v.len;
    return ERR_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool load_text(struct buf_reader *r, char out[UINT8_MAX + 1])
{
    uint8_t n = buf_u8(r);
    const uint8_t *p = buf_take(r, n);
    if (p == NULL) {
        return false;
    }
    memcpy(out, p, n);
    out[n] = '\0';
    return n > 0;
}

static enum err load_core(struct zone *z, struct buf_reader *r)
{
    char id[UINT8_MAX + 1], ip[UINT8_MAX + 1], ipv6[UINT8_MAX + 1], cname[UINT8_MAX + 1];
    struct zone_core c = {.id = id};
    load_text(r, id);
    c.ip = load_text(r, ip) ? ip : NULL;
    c.ipv6 = load_text(r, ipv6) ? ipv6 : NULL;
    c.cname = load_text(r, cname) ? cname : NULL;
    uint8_t flags = buf_u8(r);
    if (r->bad) {
        return ERR_MALFORMED;
    }
    c.available = (flags & CORE_AVAILABLE) != 0;
    c.live = (flags & CORE_LIVE) != 0;
    if ((flags & CORE_PRESENT) != 0) {
        return zone_core_put(z, &c, NULL);
    }
    return zone_core_index(z, id) >= 0 ? ERR_OK : ERR_MALFORMED;
}

static bool is_user_key(const struct zone *z, const uint8_t *key, size_t len)
{
    return z->users_hashed ? len == USER_SLOT_LEN && key[0] == USER_SLOT_MARK
                           : len >= 2 && key[0] == len - 1 && user_name_is_plain(key + 1, len - 1);
}

static enum err load_user(struct zone *z, struct buf_reader *r)
{
    uint8_t len = buf_u8(r);
    const uint8_t *key = buf_take(r, len);
    uint16_t core = buf_u16(r);
    /* The core's index is its place in the file: cores were read in that order. */
    if (r->bad || !is_user_key(z, key, len) || core >= z->cores_count) {
        return ERR_MALFORMED;
    }
    zone_user_set(z, key, len, core);
    return ERR_OK;
}

static enum err load_set(struct record_set *set, struct buf_reader *r)
{
    uint16_t type = buf_u16(r);
    uint8_t flags = buf_u8(r);
    uint32_t ttl = buf_u32(r);
    uint16_t count = buf_u16(r);
    enum err e = ERR_OK;
    for (unsigned i = 0; i < count && e == ERR_OK; i++) {
        uint16_t len = buf_u16(r);
        const uint8_t *data = buf_take(r, len);
        e = r->bad ? ERR_MALFORMED : wire_rdata_check(type, data, len, NULL);
        if (e == ERR_OK) {
            e = record_add_wire(set, type, ttl, data, len, NULL);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->sets[i].type == type) {
            set->sets[i].ttl_default = (flags & SET_TTL_DEFAULT) != 0;
        }
    }
    return e;
}

static enum err load_name(struct zone *z, struct buf_reader *r)
{
    struct record_set set = {.sets = NULL};
    struct wire_name owner;
    uint8_t name[2 * WIRE_NAME_MAX];
    uint8_t len = buf_u8(r);
    const uint8_t *key = buf_take(r, len);
    uint16_t sets = buf_u16(r);
    enum err e = r->bad ? ERR_MALFORMED : ERR_OK;
    if (e == ERR_OK) {
        memcpy(name, key, len);
        memcpy(name + len, z->apex.bytes, z->apex.len);
        e = wire_name_from_wire(name, (size_t)len + z->apex.len, &owner);
    }
    for (unsigned i = 0; i < sets && e == ERR_OK; i++) {
        e = load_set(&set, r);
    }
    if (e == ERR_OK) {
        e = zone_records_put(z, &owner, &set, NULL);
    }
    record_set_free(&set);
    return e;
}

typedef enum err load_fn(struct zone *z, struct buf_reader *r);

static enum err load_all(struct zone *z, struct buf_reader *r, uint64_t count, load_fn *load)
{
    enum err e = r->bad ? ERR_MALFORMED : ERR_OK;
    for (; count > 0 && e == ERR_OK; count--) {
        e = load(z, r);
    }
    return e;
}

static enum err check_users(const struct zone *z, struct buf_reader *r, struct err_info *info)
{
    static const uint8_t none[CHECK_LEN];
    uint8_t ours[CHECK_LEN];
    const uint8_t *check = buf_take(r, CHECK_LEN);
    key_check(z->users_hashed ? &z->user_key : NULL, ours);
    if (r->bad) {
        return err_set(info, ERR_MALFORMED, "damaged");
    }
    if (memcmp(check, ours, CHECK_LEN) == 0) {
        return ERR_OK;
    }
    if (z->users_hashed && memcmp(check, none, CHECK_LEN) != 0) {
        return err_set(info, ERR_MALFORMED,
                       "its users were hashed with another key (platform.piiHmacKey)");
    }
    return err_set(info, ERR_MALFORMED, "its users are%s hashed (platform.piiMode)",
                   z->users_hashed ? " not" : "");
}

static enum err check_frame(const struct zone *z, struct buf_reader *r, const uint8_t *bytes,
                            size_t len, char *store_id, uint64_t *revision, struct err_info *info)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    const uint8_t *magic = buf_take(r, 8);
    uint32_t version = buf_u32(r);
    if (r->bad || memcmp(magic, MAGIC, 8) != 0) {
        return err_set(info, ERR_MALFORMED, "not a snapshot file");
    }
    if (version != VERSION) {
        return err_set(info, ERR_MALFORMED, "a snapshot file of another version of dnsd");
    }
    if (len < DIGEST_SHA256_LEN + 16 ||
        digest_sha256(bytes, len - DIGEST_SHA256_LEN, digest) != ERR_OK ||
        memcmp(digest, bytes + len - DIGEST_SHA256_LEN, sizeof digest) != 0) {
        return err_set(info, ERR_MALFORMED, "truncated or damaged (its checksum does not match)");
    }
    char id[UINT8_MAX + 1];
    *revision = buf_u64(r);
    load_text(r, id);
    uint8_t apex_len = buf_u8(r);
    const uint8_t *apex = buf_take(r, apex_len);
    if (r->bad || strlen(id) >= ZONE_STORE_ID_MAX) {
        return err_set(info, ERR_MALFORMED, "damaged");
    }
    if (apex_len != z->apex.len || memcmp(apex, z->apex.bytes, apex_len) != 0) {
        return err_set(info, ERR_MALFORMED, "of another domain");
    }
    memcpy(store_id, id, strlen(id) + 1);
    return check_users(z, r, info);
}

enum err zone_restore(struct zone *z, const uint8_t *bytes, size_t len,
                      char store_id[ZONE_STORE_ID_MAX], uint64_t *revision, struct err_info *info)
{
    struct buf_reader r = buf_reader_of(bytes, len);
    enum err e = check_frame(z, &r, bytes, len, store_id, revision, info);
    if (e != ERR_OK) {
        return e;
    }
    r.end -= DIGEST_SHA256_LEN;
    e = load_all(z, &r, buf_u32(&r), load_core);
    if (e == ERR_OK) {
        e = load_all(z, &r, buf_u64(&r), load_user);
    }
    if (e == ERR_OK) {
        e = load_all(z, &r, buf_u64(&r), load_name);
    }
    if (e == ERR_OK) {
        e = load_all(z, &r, buf_u32(&r), overlay_unseal);
    }
    if (e != ERR_OK || buf_left(&r) != 0) {
        return err_set(info, ERR_MALFORMED, "its content does not make sense");
    }
    return ERR_OK;
}

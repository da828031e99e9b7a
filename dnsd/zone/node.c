#include "node.h"

#include <string.h>

#include "dnsd/wire/name.h"
#include "lib/buf.h"
#include "lib/mem.h"

/* Where names begin in the data of types that may be compressed (RFC 3597 §4), and how many. */
static unsigned names_in(uint16_t type, unsigned *offset)
{
    *offset = type == TYPE_MX ? 2 : 0;
    switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_MX:
        return 1;
    case TYPE_SOA:
        return 2;
    default:
        return 0;
    }
}

struct renderer {
    const struct wire_name *apex;
    uint8_t *wire;
    uint16_t *patch;
    uint32_t len;
    uint16_t patches;
};

static void put(struct renderer *r, const uint8_t *bytes, size_t n)
{
    if (r->wire != NULL) {
        memcpy(r->wire + r->len, bytes, n);
    }
    r->len += (uint32_t)n;
}

/* Writes the name at BYTES, its tail as a pointer if that is the zone's. Returns its octets. */
static size_t put_name(struct renderer *r, const uint8_t *bytes, size_t len)
{
    struct wire_name name;
    if (wire_name_from_wire(bytes, len, &name) != ERR_OK) {
        put(r, bytes, len); /* not reached: data was checked at the door */
        return len;
    }
    if (!wire_name_is_under(&name, r->apex)) {
        put(r, name.bytes, name.len);
        return name.len;
    }
    put(r, name.bytes, (size_t)(name.len - r->apex->len));
    if (r->patch != NULL) {
        r->patch[r->patches] = (uint16_t)r->len;
    }
    r->patches++;
    put(r, (const uint8_t[]){0xC0, 0}, 2);
    return name.len;
}

static void put_record(struct renderer *r, uint16_t type, uint32_t ttl_s,
                       const struct record_data *data)
{
    uint8_t header[NODE_RR_HEADER] = {0xC0, WIRE_OWNER_AT};
    uint32_t start = r->len;
    unsigned offset;
    unsigned names = names_in(type, &offset);
    size_t done = 0;
    put_u16(header + 2, type);
    put_u16(header + 4, CLASS_IN);
    put_u32(header + 6, ttl_s);
    put(r, header, sizeof header);
    if (names > 0 && offset <= data->len) {
        put(r, data->bytes, offset);
        done = offset;
        for (; names > 0; names--) {
            done += put_name(r, data->bytes + done, data->len - done);
        }
    }
    put(r, data->bytes + done, data->len - done);
    if (r->wire != NULL) {
        put_u16(r->wire + start + 10, (uint16_t)(r->len - start - NODE_RR_HEADER));
    }
}

static void put_all(struct renderer *r, const struct record_rrset *set, uint32_t ttl_s)
{
    for (size_t i = 0; i < set->count; i++) {
        put_record(r, set->type, ttl_s, &set->data[i]);
    }
}

struct zone_rrset *zone_rrset_make(const struct record_rrset *set, uint32_t ttl_s,
                                   const struct wire_name *apex, bool rotate)
{
    struct renderer size = {.apex = apex};
    put_all(&size, set, ttl_s);
    struct zone_rrset *s = mem_xalloc(sizeof *s + size.patches * sizeof s->patch[0] + size.len);
    s->type = set->type;
    s->count = (uint16_t)set->count;
    s->ttl = ttl_s;
    s->ttl_default = set->ttl_default;
    s->patches = size.patches;
    s->len = size.len;
    if (rotate && set->count > 1 && (set->type == TYPE_A || set->type == TYPE_AAAA)) {
        s->same_len = (uint16_t)(size.len / set->count);
    }
    struct renderer r = {
        .apex = apex, .wire = (uint8_t *)(s->patch + s->patches), .patch = s->patch};
    put_all(&r, set, ttl_s);
    return s;
}

size_t zone_rrset_data(const struct zone_rrset *s, unsigned i, const struct wire_name *apex,
                       uint8_t *out, size_t cap)
{
    const uint8_t *wire = zone_rrset_wire(s);
    uint32_t at = 0;
    uint16_t patch = 0;
    for (; i > 0; i--) {
        at += NODE_RR_HEADER + get_u16(wire + at + 10);
    }
    uint32_t end = at + NODE_RR_HEADER + get_u16(wire + at + 10);
    struct buf_writer w = buf_writer_of(out, cap);
    at += NODE_RR_HEADER;
    while (patch < s->patches && s->patch[patch] < at) {
        patch++;
    }
    for (; patch < s->patches && s->patch[patch] < end; patch++) {
        buf_put(&w, wire + at, s->patch[patch] - at);
        buf_put(&w, apex->bytes, apex->len);
        at = s->patch[patch] + 2u;
    }
    buf_put(&w, wire + at, end - at);
    return w.bad ? 0 : w.len;
}

struct zone_node *zone_node_make(enum zone_source source, const uint8_t *key, size_t key_len,
                                 struct zone_rrset *const *sets, size_t count,
                                 struct zone_node *below)
{
    struct zone_node *n = mem_xalloc(sizeof *n + count * sizeof n->sets[0] + key_len);
    uint8_t *own_key = (uint8_t *)(n->sets + count);
    n->source = (uint8_t)source;
    n->sets_count = (uint16_t)count;
    n->key_len = (uint8_t)key_len;
    n->key = own_key;
    n->below = below;
    if (key_len > 0) {
        memcpy(own_key, key, key_len);
    }
    if (count > 0) {
        memcpy(n->sets, sets, count * sizeof n->sets[0]);
    }
    bool is_wildcard = key_len >= 2 && key[0] == 1 && key[1] == '*';
    n->is_cut = key_len > 0 && !is_wildcard && zone_node_find(n, TYPE_NS) != NULL;
    return n;
}

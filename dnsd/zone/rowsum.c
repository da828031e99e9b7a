#include "rowsum.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "lib/buf.h"
#include "lib/mem.h"

/* Digits of pi: any would do, as long as all cores have the same. */
static const struct hash_key keys[2] = {{0x243f6a8885a308d3, 0x13198a2e03707344},
                                        {0xa4093822299f31d0, 0x082efa98ec4e6c89}};

enum kind { KIND_USERS_0 = 1, KIND_USERS_1, KIND_CORE, KIND_RECORDS };

#define TTL_DEFAULT UINT32_MAX /* above every TTL there is (RFC 2181 §8) */

void rowsum_add(struct rowsum *sum, struct rowsum row)
{
    sum->lane[0] += row.lane[0];
    sum->lane[1] += row.lane[1];
}

void rowsum_take(struct rowsum *sum, struct rowsum row)
{
    sum->lane[0] -= row.lane[0];
    sum->lane[1] -= row.lane[1];
}

static struct rowsum sum_of(const uint8_t *bytes, size_t len)
{
    return (struct rowsum){{hash_name(&keys[0], bytes, len), hash_name(&keys[1], bytes, len)}};
}

/* Texts of a core are shorter than 256 octets: zone.c and savefile.c see to it. */
void rowsum_user_keys(const char *core_id, struct hash_key out[2])
{
    uint8_t row[1 + UINT8_MAX];
    size_t len = strlen(core_id);
    memcpy(row + 1, core_id, len);
    for (unsigned lane = 0; lane < 2; lane++) {
        row[0] = (uint8_t)(KIND_USERS_0 + lane);
        struct rowsum sum = sum_of(row, 1 + len);
        out[lane] = (struct hash_key){sum.lane[0], sum.lane[1]};
    }
}

struct rowsum rowsum_user(const uint8_t *key, size_t len, const struct hash_key core[2])
{
    return (struct rowsum){{hash_name(&core[0], key, len), hash_name(&core[1], key, len)}};
}

/* None is as good as an empty one. */
static void put_text(struct buf_writer *w, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    buf_put_u8(w, (uint8_t)len);
    buf_put(w, text, len);
}

struct rowsum rowsum_core(const struct zone_core_info *core)
{
    uint8_t row[2 + 4 * (1 + UINT8_MAX)];
    struct buf_writer w = buf_writer_of(row, sizeof row);
    buf_put_u8(&w, KIND_CORE);
    put_text(&w, core->id);
    put_text(&w, core->ip);
    put_text(&w, core->ipv6);
    put_text(&w, core->cname);
    buf_put_u8(&w, core->available);
    return sum_of(row, w.len);
}

/* The data of each record with its length before it; owner, class and TTL are not the data's. */
static void put_rrset(struct buf_writer *w, const struct zone_rrset *set)
{
    const uint8_t *wire = zone_rrset_wire(set);
    buf_put_u16(w, set->type);
    buf_put_u32(w, set->ttl_default ? TTL_DEFAULT : set->ttl);
    buf_put_u16(w, set->count);
    for (uint32_t at = 0; at < set->len;) {
        uint32_t len = get_u16(wire + at + 10) + 2u;
        buf_put(w, wire + at + 10, len);
        at += 10 + len;
    }
}

struct rowsum rowsum_records(const struct zone_node *stored)
{
    uint8_t small[512];
    size_t size = 2u + stored->key_len;
    for (unsigned i = 0; i < stored->sets_count; i++) {
        size += 8u + stored->sets[i]->len;
    }
    uint8_t *row = size <= sizeof small ? small : mem_xalloc(size);
    struct buf_writer w = buf_writer_of(row, size);
    buf_put_u8(&w, KIND_RECORDS);
    buf_put_u8(&w, stored->key_len);
    buf_put(&w, stored->key, stored->key_len);
    for (unsigned i = 0; i < stored->sets_count; i++) {
        put_rrset(&w, stored->sets[i]);
    }
    struct rowsum sum = sum_of(row, w.len);
    if (row != small) {
        free(row);
    }
    return sum;
}

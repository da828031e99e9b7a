/* Records into the reply, and the OPT record. */
#include <string.h>

#include "answer_priv.h"
#include "lib/buf.h"

#define PADDING_BLOCK 468 /* RFC 8467 §4.1 */

static uint8_t *take(struct job *j, size_t n)
{
    if (j->limit - j->len < n) {
        j->overflow = true;
        return NULL;
    }
    uint8_t *p = j->out + j->len;
    j->len += n;
    return p;
}

/* Address records all have the same length, so another order is two copies instead of one. */
static void copy_rotated(uint8_t *to, const struct zone_rrset *set, uint32_t turn)
{
    const uint8_t *wire = zone_rrset_wire(set);
    size_t first = (size_t)(turn % set->count) * set->same_len;
    memcpy(to, wire + first, set->len - first);
    memcpy(to + set->len - first, wire, first);
}

static void patch_owners(uint8_t *wire, size_t len, unsigned owner_at)
{
    for (size_t at = 0; at < len; at += NODE_RR_HEADER + get_u16(wire + at + 10)) {
        put_u16(wire + at, (uint16_t)(0xC000 | owner_at));
    }
}

bool write_rrset(struct job *j, enum section section, const struct zone_rrset *set,
                 unsigned owner_at)
{
    uint8_t *to = take(j, set->len);
    if (to == NULL) {
        return false;
    }
    if (set->same_len != 0) {
        copy_rotated(to, set, j->a->turn);
    } else {
        memcpy(to, zone_rrset_wire(set), set->len);
        for (unsigned i = 0; i < set->patches; i++) {
            put_u16(to + set->patch[i], (uint16_t)(0xC000 | j->apex_at));
        }
    }
    if (owner_at != WIRE_OWNER_AT) {
        patch_owners(to, set->len, owner_at);
    }
    j->counts[section] = (uint16_t)(j->counts[section] + set->count);
    return true;
}

bool write_record(struct job *j, enum section section, uint16_t type, uint16_t class,
                  uint32_t ttl_s, const void *rdata, size_t len)
{
    uint8_t *to = take(j, NODE_RR_HEADER + len);
    if (to == NULL) {
        return false;
    }
    put_u16(to, 0xC000 | WIRE_OWNER_AT);
    put_u16(to + 2, type);
    put_u16(to + 4, class);
    put_u32(to + 6, ttl_s);
    put_u16(to + 10, (uint16_t)len);
    memcpy(to + NODE_RR_HEADER, rdata, len);
    j->counts[section]++;
    return true;
}

void write_nothing(struct job *j)
{
    j->len = WIRE_HEADER_LEN + j->q.question_len;
    memset(j->counts + 1, 0, sizeof j->counts - sizeof j->counts[0]);
}

void write_negative(struct job *j)
{
    const struct zone_snapshot *s = j->a->snapshot;
    size_t at = j->len;
    if (write_rrset(j, SECTION_AUTHORITY, s->soa, j->apex_at)) {
        put_u32(j->out + at + 6, s->negative_ttl_s); /* RFC 2308 §5 */
    }
}

static size_t nsid_len(const struct job *j)
{
    return j->q.edns.nsid && j->a->config->id != NULL ? strlen(j->a->config->id) : 0;
}

static bool keepalive(const struct job *j)
{
    return j->q.edns.keepalive && j->transport != ANSWER_UDP; /* RFC 7828 §3.3.1: not over UDP */
}

/* Octets of the padding option behind an answer of LEN octets, its header included (RFC 8467 §4.1).
 * Clear text is not worth hiding the length of, and the option gives way to the answer. */
static size_t padding_len(const struct job *j, size_t len)
{
    if (!j->q.edns.padding || j->transport != ANSWER_TLS || len + 4 > ANSWER_TCP_MAX) {
        return 0;
    }
    size_t padded = (len + 4 + PADDING_BLOCK - 1) / PADDING_BLOCK * PADDING_BLOCK;
    return (padded < ANSWER_TCP_MAX ? padded : ANSWER_TCP_MAX) - len;
}

size_t write_opt_len(const struct job *j)
{
    if (!j->q.edns.present) {
        return 0; /* RFC 6891 §7: only to those who sent one */
    }
    size_t nsid = nsid_len(j);
    return 11 + (nsid > 0 ? 4 + nsid : 0) + (keepalive(j) ? 6 : 0);
}

void write_opt(struct job *j)
{
    size_t len = write_opt_len(j);
    size_t nsid = nsid_len(j);
    if (len == 0) {
        return;
    }
    size_t padding = padding_len(j, j->len + len);
    len += padding;
    struct buf_writer w = buf_writer_of(j->out + j->len, len);
    buf_put_u8(&w, 0);
    buf_put_u16(&w, TYPE_OPT);
    buf_put_u16(&w, ANSWER_UDP_MAX);
    buf_put_u8(&w, (uint8_t)(j->rcode >> 4));
    buf_put_u8(&w, 0);
    buf_put_u16(&w, j->q.edns.flags & EDNS_FLAG_DO); /* RFC 3225 §3: copied; other Z bits clear */
    buf_put_u16(&w, (uint16_t)(len - 11));
    if (nsid > 0) {
        buf_put_u16(&w, EDNS_OPTION_NSID);
        buf_put_u16(&w, (uint16_t)nsid);
        buf_put(&w, j->a->config->id, nsid);
    }
    if (keepalive(j)) {
        buf_put_u16(&w, EDNS_OPTION_KEEPALIVE);
        buf_put_u16(&w, 2);
        buf_put_u16(&w, j->a->config->keepalive_ds);
    }
    if (padding > 0) {
        buf_put_u16(&w, EDNS_OPTION_PADDING);
        buf_put_u16(&w, (uint16_t)(padding - 4));
        uint8_t *zeros = buf_room(&w, padding - 4); /* RFC 7830 §3 */
        if (zeros != NULL) {
            memset(zeros, 0, padding - 4);
        }
    }
    j->len += len;
    j->counts[SECTION_ADDITIONAL]++;
}

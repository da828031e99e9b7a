#include "query.h"

#include "lib/buf.h"
#include "type.h"

/* Reads the question's name: no pointers, no other label types (RFC 1035 §4.1.4 has nothing
 * earlier to point at; RFC 6891 §5 retired the 0x40 kind). */
static bool read_qname(struct buf_reader *r, struct wire_query *q)
{
    const uint8_t *name = r->at;
    size_t left = buf_left(r);
    size_t at = 0;
    unsigned labels = 0;
    for (;;) {
        if (at >= left || at >= WIRE_NAME_MAX) {
            return false;
        }
        uint8_t n = name[at];
        q->label_at[labels] = (uint8_t)at;
        if (n == 0) {
            break;
        }
        if (n > WIRE_LABEL_MAX || labels == WIRE_LABELS_MAX) {
            return false;
        }
        labels++;
        at += (size_t)n + 1;
    }
    q->qname_len = (uint8_t)(at + 1);
    q->labels = (uint8_t)labels;
    wire_name_fold(q->qname, name, at + 1);
    r->at += at + 1;
    return true;
}

/* Steps over a name that may end in a pointer; how many octets of it there are is all that counts.
 */
static void skip_name(struct buf_reader *r, bool *is_root)
{
    *is_root = false;
    for (unsigned labels = 0; labels <= WIRE_LABELS_MAX; labels++) {
        uint8_t n = buf_u8(r);
        if (r->bad) {
            return;
        }
        if (n == 0) {
            *is_root = labels == 0;
            return;
        }
        if (n >= 0xC0) {
            buf_u8(r);
            return;
        }
        if (n > WIRE_LABEL_MAX) {
            break;
        }
        buf_take(r, n);
    }
    r->bad = true;
}

/* RFC 7873 §5.2.2: a client cookie of 8 octets, alone or with a server's of 8 to 32. */
static bool read_cookie(struct wire_edns *e, const uint8_t *value, uint16_t len)
{
    if (len != 8 && (len < 16 || len > 40)) {
        return false;
    }
    e->cookie_len = (uint8_t)len;
    memcpy(e->cookie, value, len);
    return true;
}

static bool read_options(struct buf_reader *r, struct wire_edns *e)
{
    unsigned options = 0;
    while (buf_left(r) > 0) {
        uint16_t code = buf_u16(r);
        uint16_t len = buf_u16(r);
        const uint8_t *value = buf_take(r, len);
        if (value == NULL || ++options > WIRE_OPTIONS_MAX) {
            return false;
        }
        if (code == EDNS_OPTION_NSID) {
            e->nsid = true;
        } else if (code == EDNS_OPTION_KEEPALIVE) {
            e->keepalive = true;
        } else if (code == EDNS_OPTION_PADDING) {
            e->padding = true; /* RFC 7830 §3: its octets mean nothing */
        } else if (code == EDNS_OPTION_COOKIE && e->cookie_len == 0 &&
                   !read_cookie(e, value, len)) {
            return false;
        }
    }
    return true;
}

static bool read_opt(struct wire_edns *e, uint16_t class, uint32_t ttl, const uint8_t *rdata,
                     uint16_t rdlen)
{
    e->present = true;
    e->udp_size = class;
    e->version = (uint8_t)(ttl >> 16);
    e->flags = (uint16_t)ttl;
    if (e->version != 0) {
        return true; /* RFC 6891 §6.1.3: what another version's options mean is not known */
    }
    struct buf_reader options = buf_reader_of(rdata, rdlen);
    return read_options(&options, e);
}

static bool read_additional(struct buf_reader *r, unsigned count, struct wire_query *q)
{
    for (; count > 0; count--) {
        bool is_root;
        skip_name(r, &is_root);
        uint16_t type = buf_u16(r);
        uint16_t class = buf_u16(r);
        uint32_t ttl = buf_u32(r);
        uint16_t rdlen = buf_u16(r);
        const uint8_t *rdata = buf_take(r, rdlen);
        if (r->bad) {
            return false;
        }
        if (type != TYPE_OPT) {
            continue;
        }
        /* RFC 6891 §6.1.1: at most one, owned by the root. */
        if (!is_root || q->edns.present || !read_opt(&q->edns, class, ttl, rdata, rdlen)) {
            return false;
        }
    }
    return true;
}

enum wire_verdict wire_query_parse(const uint8_t *packet, size_t len, struct wire_query *q)
{
    if (len < WIRE_HEADER_LEN) {
        return WIRE_DROP;
    }
    q->id = get_u16(packet);
    q->flags = get_u16(packet + 2);
    q->opcode = WIRE_OPCODE(q->flags);
    q->question_len = 0;
    q->trailing = false;
    q->edns = (struct wire_edns){.present = false};
    if ((q->flags & WIRE_QR) != 0) {
        return WIRE_DROP; /* answering answers is how two servers talk for ever */
    }
    if (q->opcode != WIRE_OPCODE_QUERY) {
        return WIRE_OTHER_OPCODE;
    }
    unsigned qdcount = get_u16(packet + 4);
    unsigned rrs_before = (unsigned)get_u16(packet + 6) + get_u16(packet + 8);
    unsigned arcount = get_u16(packet + 10);
    if (qdcount != 1) {
        return WIRE_FORMERR; /* RFC 9619 */
    }
    struct buf_reader r = buf_reader_of(packet + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN);
    if (!read_qname(&r, q)) {
        return WIRE_FORMERR;
    }
    q->qtype = buf_u16(&r);
    q->qclass = buf_u16(&r);
    if (r.bad) {
        return WIRE_FORMERR;
    }
    q->question_len = (uint16_t)(q->qname_len + 4);
    /* A query brings no answers along; an IXFR's SOA is the exception, and gets NOTIMP anyway. */
    if (rrs_before != 0 && q->qtype != TYPE_IXFR) {
        return WIRE_FORMERR;
    }
    if (rrs_before == 0) {
        if (arcount > WIRE_ADDITIONAL_MAX || !read_additional(&r, arcount, q)) {
            return WIRE_FORMERR;
        }
        q->trailing = buf_left(&r) > 0;
    }
    return WIRE_QUERY;
}

unsigned wire_name_offsets(const uint8_t *name, uint8_t at[WIRE_LABELS_MAX + 1])
{
    unsigned labels = 0;
    uint8_t pos = 0;
    while (name[pos] != 0) {
        at[labels++] = pos;
        pos = (uint8_t)(pos + name[pos] + 1);
    }
    at[labels] = pos;
    return labels;
}

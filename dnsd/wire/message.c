/* Names in replies may be compressed (RFC 1035 §4.1.4). A pointer is followed only to a place before
 * the one where the labels that led to it began, and at most WIRE_LABELS_MAX + 1 times in one name: so
 * no name goes round, and reading a packet takes time in proportion to its records.
 */
#include "message.h"

#include "lib/buf.h"
#include "type.h"

#define POINTERS_MAX (WIRE_LABELS_MAX + 1)

/* Where a name is read, and where the labels that are read now began. */
struct place {
    size_t at, began;
    unsigned pointers;
};

/* Goes where the pointer at P->at says. */
static bool follow(const uint8_t *packet, size_t end, struct place *p)
{
    if (end - p->at < 2 || ++p->pointers > POINTERS_MAX) {
        return false;
    }
    size_t target = (size_t)(packet[p->at] & 0x3f) << 8 | packet[p->at + 1];
    if (target < WIRE_HEADER_LEN || target >= p->began) {
        return false;
    }
    p->at = p->began = target;
    return true;
}

/* Reads the name at *AT; what stands there in place must end before END. *AT moves behind it. The
 * case is kept. */
static bool read_name(const uint8_t *packet, size_t end, size_t *at, struct wire_name *out)
{
    struct place p = {.at = *at, .began = *at};
    size_t len = 0;
    uint8_t labels = 0;
    while (p.at < end) {
        uint8_t n = packet[p.at];
        if (n >= 0xC0) {
            size_t behind = p.at + 2;
            if (!follow(packet, end, &p)) {
                return false;
            }
            *at = p.pointers == 1 ? behind : *at;
            continue;
        }
        /* The two kinds between are not in use (RFC 6891 §5). */
        if (n > WIRE_LABEL_MAX || end - p.at < (size_t)n + 1 || len + n + 1 > WIRE_NAME_MAX) {
            return false;
        }
        memcpy(out->bytes + len, packet + p.at, (size_t)n + 1);
        len += (size_t)n + 1;
        p.at += (size_t)n + 1;
        if (n == 0) {
            *at = p.pointers == 0 ? p.at : *at;
            out->len = (uint8_t)len;
            out->labels = labels;
            return true;
        }
        labels++;
    }
    return false;
}

/* ---- header and question ------------------------------------------------------------------- */

/* It answers QUERY, whose one question ends at *AT in both packets then. */
static enum err read_question(struct wire_message *m, const uint8_t *query, size_t query_len,
                              size_t *at)
{
    struct wire_name asked, answered;
    size_t query_at = WIRE_HEADER_LEN;
    if (query_len < WIRE_HEADER_LEN || !read_name(query, query_len, &query_at, &asked) ||
        query_len - query_at < 4) {
        return ERR_BUG;
    }
    if ((m->flags & WIRE_QR) == 0 || WIRE_OPCODE(m->flags) != WIRE_OPCODE_QUERY ||
        m->id != get_u16(query) || get_u16(m->packet + 4) != 1) {
        return ERR_CONFLICT;
    }
    *at = WIRE_HEADER_LEN;
    if (!read_name(m->packet, m->len, at, &answered) || m->len - *at < 4) {
        return ERR_MALFORMED;
    }
    if (!wire_name_equal(&asked, &answered) ||
        memcmp(m->packet + *at, query + query_at, 4) != 0) { /* type and class */
        return ERR_CONFLICT;
    }
    m->question_same_case = memcmp(asked.bytes, answered.bytes, asked.len) == 0;
    *at += 4;
    return ERR_OK;
}

/* ---- records ------------------------------------------------------------------------------- */

/* RFC 6891 §6.1.1: one OPT, owned by the root, among the additional records. */
static bool read_opt(struct wire_message *m, const struct wire_record *r, bool *has_opt)
{
    if (*has_opt || r->section != WIRE_ADDITIONAL || r->owner.len != 1) {
        return false;
    }
    *has_opt = true;
    m->rcode = (uint16_t)((r->ttl_s >> 24) << 4 | m->rcode); /* §6.1.3 */
    return true;
}

static enum err read_record(struct wire_message *m, enum wire_section section, size_t *at,
                            bool *has_opt)
{
    struct wire_record r = {.section = section};
    size_t begin = *at;
    if (!read_name(m->packet, m->len, &begin, &r.owner)) {
        return ERR_MALFORMED;
    }
    wire_name_fold(r.owner.bytes, r.owner.bytes, r.owner.len);
    struct buf_reader in = buf_reader_of(m->packet + begin, m->len - begin);
    r.type = buf_u16(&in);
    r.class = buf_u16(&in);
    r.ttl_s = buf_u32(&in);
    r.rdata_len = buf_u16(&in);
    r.rdata = buf_take(&in, r.rdata_len);
    if (in.bad) {
        return ERR_MALFORMED;
    }
    *at = (size_t)(in.at - m->packet);
    if (r.type == TYPE_OPT) {
        return read_opt(m, &r, has_opt) ? ERR_OK : ERR_MALFORMED;
    }
    if (m->count == WIRE_RECORDS_MAX) {
        return ERR_LIMIT;
    }
    m->records[m->count++] = r;
    return ERR_OK;
}

static enum err read_records(struct wire_message *m, size_t at)
{
    bool has_opt = false;
    for (unsigned section = WIRE_ANSWER; section <= WIRE_ADDITIONAL; section++) {
        for (unsigned n = get_u16(m->packet + 6 + 2 * (size_t)section); n > 0; n--) {
            enum err e = read_record(m, (enum wire_section)section, &at, &has_opt);
            if (e == ERR_MALFORMED && (m->flags & WIRE_TC) != 0) {
                return ERR_OK; /* RFC 2181 §9: it is of no use anyway, and some cut where it ends */
            }
            if (e != ERR_OK) {
                return e;
            }
        }
    }
    return at == m->len ? ERR_OK : ERR_MALFORMED;
}

enum err wire_message_read(const uint8_t *packet, size_t len, const uint8_t *query,
                           size_t query_len, struct wire_message *out)
{
    if (len < WIRE_HEADER_LEN || len > UINT16_MAX) {
        return ERR_MALFORMED;
    }
    out->packet = packet;
    out->len = len;
    out->id = get_u16(packet);
    out->flags = get_u16(packet + 2);
    out->rcode = out->flags & 15;
    out->question_same_case = false;
    out->count = 0;
    size_t at = 0;
    enum err e = read_question(out, query, query_len, &at);
    return e == ERR_OK ? read_records(out, at) : e;
}

/* ---- record data --------------------------------------------------------------------------- */

enum err wire_record_name(const struct wire_message *m, const struct wire_record *r, size_t skip,
                          struct wire_name *out)
{
    size_t at = (size_t)(r->rdata - m->packet);
    size_t end = at + r->rdata_len;
    if (skip > r->rdata_len) {
        return ERR_MALFORMED;
    }
    at += skip;
    if (!read_name(m->packet, end, &at, out) || (at != end && r->type != TYPE_SOA)) {
        return ERR_MALFORMED;
    }
    wire_name_fold(out->bytes, out->bytes, out->len);
    return ERR_OK;
}

static const struct wire_record *find_cname(const struct wire_message *m,
                                            const struct wire_name *owner)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_record *r = &m->records[i];
        if (r->section == WIRE_ANSWER && r->type == TYPE_CNAME && r->class == CLASS_IN &&
            wire_name_equal(&r->owner, owner)) {
            return r;
        }
    }
    return NULL;
}

bool wire_message_alias(const struct wire_message *m, const struct wire_name *name,
                        struct wire_name *out)
{
    const struct wire_record *r;
    struct wire_name target;
    unsigned hops = 0;
    *out = *name;
    while (hops < WIRE_ALIASES_MAX && (r = find_cname(m, out)) != NULL &&
           wire_record_name(m, r, 0, &target) == ERR_OK) {
        *out = target;
        hops++;
    }
    return hops > 0;
}

enum err wire_record_text(const struct wire_record *r, char *out, size_t room)
{
    struct buf_reader in = buf_reader_of(r->rdata, r->rdata_len);
    size_t len = 0;
    if (r->rdata_len == 0) { /* RFC 1035 §3.3.14: one string at least */
        return ERR_MALFORMED;
    }
    while (buf_left(&in) > 0) {
        uint8_t n = buf_u8(&in);
        const uint8_t *string = buf_take(&in, n);
        if (string == NULL || memchr(string, '\0', n) != NULL) {
            return ERR_MALFORMED;
        }
        if (len + n >= room) {
            return ERR_LIMIT;
        }
        memcpy(out + len, string, n);
        len += n;
    }
    out[len] = '\0';
    return ERR_OK;
}

enum err wire_record_caa(const struct wire_record *r, struct wire_caa *out)
{
    struct buf_reader in = buf_reader_of(r->rdata, r->rdata_len);
    out->flags = buf_u8(&in);
    uint8_t tag_len = buf_u8(&in);
    const uint8_t *tag = buf_take(&in, tag_len);
    if (tag == NULL || tag_len == 0) { /* RFC 8659 §4.1: the length is at least 1 */
        return ERR_MALFORMED;
    }
    size_t value_len = buf_left(&in);
    if (value_len >= sizeof out->value) {
        return ERR_LIMIT;
    }
    wire_name_fold((uint8_t *)out->tag, tag, tag_len);
    out->tag[tag_len] = '\0';
    for (size_t i = 0; i < tag_len; i++) { /* letters and digits: anything else is no known tag */
        char c = out->tag[i];
        out->tag[i] = (char)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '?');
    }
    for (size_t i = 0; i < value_len; i++) {
        out->value[i] = (char)(in.at[i] >= ' ' && in.at[i] < 0x7f ? in.at[i] : '?');
    }
    out->value[value_len] = '\0';
    return ERR_OK;
}

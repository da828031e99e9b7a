#include "dns_decode.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/str.h"

static unsigned u16(const uint8_t *p)
{
    return (unsigned)p[0] * 256 + p[1];
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)u16(p) * 65536 + u16(p + 2);
}

bool dns_decode_name(const uint8_t *bytes, size_t len, size_t *at, struct dns_name *out)
{
    size_t pos = *at, barrier = *at, behind = 0;
    bool jumped = false;
    out->len = 0;
    for (;;) {
        if (pos >= len) {
            return false;
        }
        unsigned n = bytes[pos];
        if (n >= 192) {
            if (pos + 1 >= len) {
                return false;
            }
            size_t target = (n - 192) * 256 + bytes[pos + 1];
            if (target >= barrier || target < 12) {
                return false;
            }
            behind = jumped ? behind : pos + 2;
            jumped = true;
            pos = barrier = target;
            continue;
        }
        if (n > 63 || pos + 1 + n > len || out->len + 1 + n > sizeof out->bytes) {
            return false;
        }
        memcpy(out->bytes + out->len, bytes + pos, n + 1);
        out->len += n + 1;
        pos += n + 1;
        if (n == 0) {
            *at = jumped ? behind : pos;
            return true;
        }
    }
}

/* Names, strings and octets that the data of a type is made of: 'n' name, '2' and '4' octets, 's'
 * strings to the end. */
static const char *layout(unsigned type)
{
    switch (type) {
    case 1:
        return "4";
    case 2:
    case 5:
    case 12:
        return "n";
    case 6:
        return "nn44444";
    case 13:
    case 16:
        return "s";
    case 15:
        return "2n";
    case 28:
        return "4444";
    default:
        return NULL;
    }
}

static bool data_is_whole(const uint8_t *bytes, size_t at, size_t end, unsigned type)
{
    struct dns_name name;
    const char *fields = layout(type);
    if (fields == NULL) {
        return true;
    }
    for (; *fields != '\0'; fields++) {
        switch (*fields) {
        case 'n':
            if (!dns_decode_name(bytes, end, &at, &name)) {
                return false;
            }
            break;
        case 's':
            if (at == end) {
                return false;
            }
            while (at < end) {
                at += (size_t)bytes[at] + 1;
            }
            break;
        default:
            at += (size_t)(*fields - '0');
        }
    }
    return at == end;
}

static bool decode_rr(struct dns_message *m, int section, size_t *at)
{
    if (m->rrs_count == DNS_RRS_MAX) {
        m->why = "more records than a message can hold";
        return false;
    }
    struct dns_rr *rr = &m->rrs[m->rrs_count++];
    rr->section = section;
    if (!dns_decode_name(m->bytes, m->len, at, &rr->owner)) {
        m->why = "an owner is not a name";
        return false;
    }
    if (m->len - *at < 10) {
        m->why = "a record is cut";
        return false;
    }
    const uint8_t *p = m->bytes + *at;
    rr->type = u16(p);
    rr->class = u16(p + 2);
    rr->ttl = u32(p + 4);
    rr->rdata_len = u16(p + 8);
    rr->rdata_at = *at + 10;
    if (m->len - rr->rdata_at < rr->rdata_len) {
        m->why = "data is cut";
        return false;
    }
    *at = rr->rdata_at + rr->rdata_len;
    if (!data_is_whole(m->bytes, rr->rdata_at, *at, rr->type)) {
        m->why = "data is not what its type says";
        return false;
    }
    return true;
}

bool dns_decode(const uint8_t *bytes, size_t len, struct dns_message *m)
{
    size_t at = 12;
    m->bytes = bytes;
    m->len = len;
    m->rrs_count = 0;
    m->qname.len = 0;
    m->why = "shorter than a header";
    if (len < 12) {
        return false;
    }
    m->id = u16(bytes);
    m->flags = u16(bytes + 2);
    for (unsigned i = 0; i < 4; i++) {
        m->counts[i] = u16(bytes + 4 + 2 * i);
    }
    m->why = "the question is cut";
    if (m->counts[0] > 1) {
        return false;
    }
    if (m->counts[0] == 1) {
        if (!dns_decode_name(bytes, len, &at, &m->qname) || len - at < 4) {
            return false;
        }
        m->qtype = u16(bytes + at);
        m->qclass = u16(bytes + at + 2);
        at += 4;
    }
    m->question_end = at;
    for (int section = DNS_ANSWER; section <= DNS_ADDITIONAL; section++) {
        for (unsigned i = 0; i < m->counts[section]; i++) {
            if (!decode_rr(m, section, &at)) {
                return false;
            }
        }
    }
    m->why = "octets behind the last record";
    return at == len;
}

/* ---- text -------------------------------------------------------------------------------- */

static void put_name(struct str *s, const struct dns_name *n)
{
    if (n->len == 1) {
        str_append(s, ".");
    }
    for (size_t at = 0; n->len > 0 && n->bytes[at] != 0; at += (size_t)n->bytes[at] + 1) {
        for (size_t i = 1; i <= n->bytes[at]; i++) {
            uint8_t c = n->bytes[at + i];
            if (c <= ' ' || c >= 127 || c == '.' || c == '\\') {
                str_appendf(s, "\\%03u", c);
            } else {
                str_appendf(s, "%c", c);
            }
        }
        str_append(s, ".");
    }
}

static void put_type(struct str *s, unsigned type)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{1, "A"},      {2, "NS"},     {5, "CNAME"}, {6, "SOA"},   {12, "PTR"},
                 {13, "HINFO"}, {15, "MX"},    {16, "TXT"},  {28, "AAAA"}, {33, "SRV"},
                 {43, "DS"},    {65, "HTTPS"}, {255, "ANY"}, {257, "CAA"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            str_append(s, names[i].name);
            return;
        }
    }
    str_appendf(s, "TYPE%u", type);
}

static void put_hex(struct str *s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        str_appendf(s, "%02x", p[i]);
    }
}

static void put_strings(struct str *s, const uint8_t *p, const uint8_t *end)
{
    for (; p < end; p += (size_t)p[0] + 1) {
        str_appendf(s, " \"%.*s\"", p[0], (const char *)p + 1);
    }
}

static void put_data(struct str *s, const struct dns_message *m, const struct dns_rr *rr)
{
    const uint8_t *p = m->bytes + rr->rdata_at;
    size_t at = rr->rdata_at;
    size_t end = at + rr->rdata_len;
    char ip[INET6_ADDRSTRLEN];
    struct dns_name name;
    if (rr->type == 1 || rr->type == 28) {
        inet_ntop(rr->type == 1 ? AF_INET : AF_INET6, p, ip, sizeof ip);
        str_appendf(s, " %s", ip);
        return;
    }
    const char *fields = layout(rr->type);
    if (fields == NULL) {
        str_append(s, " ");
        put_hex(s, p, rr->rdata_len);
        return;
    }
    for (; *fields != '\0'; fields++) {
        switch (*fields) {
        case 'n':
            str_append(s, " ");
            dns_decode_name(m->bytes, end, &at, &name);
            put_name(s, &name);
            break;
        case 's':
            put_strings(s, m->bytes + at, m->bytes + end);
            break;
        case '2':
            str_appendf(s, " %u", u16(m->bytes + at));
            at += 2;
            break;
        default:
            str_appendf(s, " %u", u32(m->bytes + at));
            at += 4;
        }
    }
}

static void put_opt(struct str *s, const struct dns_message *m, const struct dns_rr *rr)
{
    const uint8_t *p = m->bytes + rr->rdata_at;
    str_appendf(s, "+ OPT %u", rr->class);
    if ((rr->ttl & 0x8000) != 0) {
        str_append(s, " do");
    }
    if ((rr->ttl & 0xffff7fff) != 0) {
        str_appendf(s, " %08x", rr->ttl & 0xffff7fff);
    }
    for (size_t at = 0; at + 4 <= rr->rdata_len; at += 4 + u16(p + at + 2)) {
        str_appendf(s, " %u:", u16(p + at));
        put_hex(s, p + at + 4, u16(p + at + 2));
    }
    str_append(s, "\n");
}

static void put_header(struct str *s, const struct dns_message *m)
{
    static const char *const rcodes[16] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                           "NXDOMAIN", "NOTIMP",  "REFUSED"};
    static const struct {
        unsigned bit;
        const char *name;
    } flags[] = {{0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"}, {0x0080, "ra"},
                 {0x0040, "z"},  {0x0020, "ad"}, {0x0010, "cd"}};
    const char *rcode = rcodes[m->flags & 15];
    str_append(s, rcode != NULL ? rcode : "?");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if ((m->flags & flags[i].bit) != 0) {
            str_appendf(s, " %s", flags[i].name);
        }
    }
    if ((m->flags >> 11 & 15) != 0) {
        str_appendf(s, " opcode=%u", m->flags >> 11 & 15);
    }
    str_append(s, (m->flags & 0x8000) != 0 ? "\n" : " query\n");
}

char *dns_text(const struct dns_message *m)
{
    struct str s = {.text = NULL};
    put_header(&s, m);
    if (m->counts[0] == 1) {
        str_append(&s, "? ");
        put_name(&s, &m->qname);
        str_append(&s, " ");
        put_type(&s, m->qtype);
        if (m->qclass != 1) {
            str_appendf(&s, " CLASS%u", m->qclass);
        }
        str_append(&s, "\n");
    }
    for (size_t i = 0; i < m->rrs_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        if (rr->type == 41) {
            put_opt(&s, m, rr);
            continue;
        }
        str_append(&s, rr->section == DNS_ANSWER      ? "= "
                       : rr->section == DNS_AUTHORITY ? "! "
                                                      : "+ ");
        put_name(&s, &rr->owner);
        str_appendf(&s, " %u ", rr->ttl);
        if (rr->class != 1) {
            str_appendf(&s, "CLASS%u ", rr->class);
        }
        put_type(&s, rr->type);
        put_data(&s, m, rr);
        str_append(&s, "\n");
    }
    return s.text;
}

#include "answer_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX     (ANSWER_TCP_MAX + 1)
#define RCODE_OF(m) ((m)->flags & 15)

static uint8_t separate[OUT_MAX], in_place[OUT_MAX];
static struct dns_message reply, query;

static void must(bool ok, const char *what, const uint8_t *in, size_t len)
{
    if (ok) {
        return;
    }
    fprintf(stderr, "answer_check: %s; the query:", what);
    for (size_t i = 0; i < len; i++) {
        fprintf(stderr, " %02x", in[i]);
    }
    fprintf(stderr, "\n");
    abort();
}

static bool same_name(const struct dns_name *a, const struct dns_name *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        uint8_t x = a->bytes[i], y = b->bytes[i];
        x = x >= 'A' && x <= 'Z' ? (uint8_t)(x + 32) : x;
        y = y >= 'A' && y <= 'Z' ? (uint8_t)(y + 32) : y;
        same = x == y;
    }
    return same;
}

static unsigned count(const struct dns_message *m, int section, unsigned type)
{
    unsigned n = 0;
    for (size_t i = 0; i < m->rrs_count; i++) {
        n += m->rrs[i].section == section && m->rrs[i].type == type;
    }
    return n;
}

/* What the query allows; the most that UDP ever allows if it is too odd to be sure. */
static size_t limit_of(enum answer_transport transport, const uint8_t *in, size_t len)
{
    if (transport != ANSWER_UDP) {
        return 65535;
    }
    if (in[10] == 0 && in[11] == 0) {
        return 512;
    }
    if (!dns_decode(in, len, &query)) {
        return 1232;
    }
    for (size_t i = 0; i < query.rrs_count; i++) {
        unsigned size = query.rrs[i].class;
        if (query.rrs[i].type == 41) {
            return size < 512 ? 512 : size > 1232 ? 1232 : size;
        }
    }
    return 512;
}

static void check_header(const uint8_t *in, size_t len)
{
    const uint8_t *out = separate;
    must(out[0] == in[0] && out[1] == in[1], "another id", in, len);
    must((out[2] & 0x80) != 0, "QR is not set", in, len);
    must((out[2] & 0x79) == (in[2] & 0x79), "another opcode or RD", in, len);
    must((out[3] & 0xf0) == 0, "RA, Z, AD or CD is set", in, len);
    must(memcmp(out + 12, in + 12, reply.question_end - 12) == 0, "another question", in, len);
}

static void check_opt(const uint8_t *in, size_t len)
{
    unsigned opts = count(&reply, DNS_ADDITIONAL, 41);
    must(count(&reply, DNS_ANSWER, 41) + count(&reply, DNS_AUTHORITY, 41) == 0, "a stray OPT", in,
         len);
    must(opts <= 1, "two OPTs", in, len);
    must(opts == 0 || in[10] != 0 || in[11] != 0, "an OPT nobody asked for", in, len);
}

/* Where M's padding option is (EDNS option 12), *len octets of it; 0: there is none. */
static size_t padding_at(const struct dns_message *m, size_t *len)
{
    for (size_t i = 0; i < m->rrs_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        for (size_t at = 0; rr->type == 41 && at + 4 <= rr->rdata_len;) {
            const uint8_t *p = m->bytes + rr->rdata_at + at;
            *len = (size_t)p[2] << 8 | p[3];
            if (p[0] == 0 && p[1] == 12) {
                return rr->rdata_at + at + 4;
            }
            at += 4 + *len;
        }
    }
    return 0;
}

/* An RCODE that does not fit the header alone, as of a query whose options are not looked at. */
static bool is_extended(const struct dns_message *m)
{
    for (size_t i = 0; i < m->rrs_count; i++) {
        if (m->rrs[i].type == 41 && m->rrs[i].ttl >> 24 != 0) {
            return true;
        }
    }
    return false;
}

static void check_padding(enum answer_transport transport, const uint8_t *in, size_t len)
{
    size_t zeros, asked;
    size_t at = padding_at(&reply, &zeros);
    bool known = dns_decode(in, len, &query);
    bool wanted = known && padding_at(&query, &asked) != 0;
    if (at == 0) {
        bool able = transport == ANSWER_TLS && count(&reply, DNS_ADDITIONAL, 41) > 0 &&
                    !is_extended(&reply) && reply.len <= 65531;
        must(!wanted || !able, "no padding", in, len);
        return;
    }
    must(transport == ANSWER_TLS, "padding in clear text", in, len);
    must(!known || wanted, "padding nobody asked for", in, len);
    must(reply.len % 468 == 0 || reply.len == 65535, "padding to another size", in, len);
    must(zeros < 468, "more padding than a block", in, len);
    for (size_t i = 0; i < zeros; i++) {
        must(separate[at + i] == 0, "padding with something in it", in, len);
    }
}

static void check_sections(enum answer_transport transport, const uint8_t *in, size_t len)
{
    bool tc = (reply.flags & 0x0200) != 0;
    bool aa = (reply.flags & 0x0400) != 0;
    unsigned opts = count(&reply, DNS_ADDITIONAL, 41);
    unsigned soas = count(&reply, DNS_AUTHORITY, 6);
    if (tc) {
        must(transport == ANSWER_UDP, "TC over TCP", in, len);
        must(reply.rrs_count == opts, "TC with records", in, len);
        return;
    }
    must(RCODE_OF(&reply) != 3 || (aa && soas == 1), "NXDOMAIN without a SOA", in, len);
    must(soas <= 1, "two SOAs", in, len);
    if (RCODE_OF(&reply) == 0 && reply.counts[1] == 0 && reply.counts[2] > 0) {
        must(aa ? soas == 1 && reply.counts[2] == 1
                : count(&reply, DNS_AUTHORITY, 2) == reply.counts[2],
             "neither NODATA nor a referral", in, len);
    }
    if (RCODE_OF(&reply) == 0 && reply.counts[1] == 0 && opts == 0) {
        must(reply.counts[2] > 0, "NOERROR with nothing in it", in, len);
    }
    if (reply.counts[1] > 0) {
        must(same_name(&reply.rrs[0].owner, &reply.qname), "an answer to another name", in, len);
        must(RCODE_OF(&reply) == 0 || RCODE_OF(&reply) == 3, "an answer with an error", in, len);
    }
}

size_t answer_check(struct answerer *a, enum answer_transport transport, const uint8_t *in,
                    size_t len, const struct dns_message **m)
{
    uint32_t turn = a->turn;
    size_t n = answer_query(a, transport, in, len, separate);
    a->turn = turn;
    memcpy(in_place, in, len);
    size_t n2 = answer_query(a, transport, in_place, len, in_place);
    bool droppable = len < 12 || (in[2] & 0x80) != 0;
    *m = NULL;
    must((n == 0) == droppable, n == 0 ? "no answer" : "an answer to an answer", in, len);
    must(n == n2 && memcmp(separate, in_place, n) == 0, "another answer in place", in, len);
    if (n == 0) {
        return 0;
    }
    must(n <= limit_of(transport, in, len), "larger than allowed", in, len);
    bool decoded = dns_decode(separate, n, &reply);
    must(decoded, reply.why, in, len);
    check_header(in, len);
    check_opt(in, len);
    check_padding(transport, in, len);
    check_sections(transport, in, len);
    *m = &reply;
    return n;
}

#include "answer.h"

#include <string.h>

#include "answer_priv.h"
#include "lib/buf.h"

/* The question as it was asked, letter case included: resolvers compare it octet by octet. */
static void begin(struct job *j, const uint8_t *in)
{
    size_t question = j->q.question_len;
    if (j->out != in) {
        memcpy(j->out, in, WIRE_HEADER_LEN + question);
    }
    j->len = WIRE_HEADER_LEN + question;
    j->limit = policy_limit(j) - write_opt_len(j);
    j->counts[0] = question > 0;
}

/* Nothing of an answer that did not fit is sent (RFC 2181 §9). From a connection there is nowhere to
 * send the client: an answer too large for 64 KB is a mistake of ours. */
static void truncate(struct job *j, uint16_t *flags)
{
    write_nothing(j);
    if (j->transport != ANSWER_UDP) {
        j->rcode = RCODE_SERVFAIL;
        j->aa = false;
        return;
    }
    *flags |= WIRE_TC;
    metrics_add(&j->a->counters->truncated, 1);
}

static void count(const struct job *j)
{
    /* Without a question that could be read there is no type. */
    uint16_t type = j->q.question_len > 0 ? j->q.qtype : 0;
    metrics_add(&j->a->counters
                     ->queries[j->transport][answer_type_index(type)][answer_rcode_index(j->rcode)],
                1);
}

/* RFC 8555 §8.4 */
static void look_for_challenge(const struct job *j, uint16_t flags)
{
    static const uint8_t label[] = "\17_acme-challenge";
    struct answer_challenge *c = &j->a->challenge;
    if (j->q.question_len == 0 || j->q.qname[0] != label[0] ||
        memcmp(j->q.qname, label, sizeof label - 1) != 0) {
        return;
    }
    c->name_len = j->q.qname_len;
    memcpy(c->name, j->q.qname, j->q.qname_len);
    c->type = j->q.qtype;
    c->rcode = j->rcode;
    c->answers = j->counts[1];
    c->truncated = (flags & WIRE_TC) != 0;
}

static size_t finish(struct job *j)
{
    uint16_t flags = WIRE_QR | (uint16_t)(j->q.opcode << 11) | (j->q.flags & WIRE_RD);
    if (j->overflow) {
        truncate(j, &flags);
    }
    write_opt(j);
    flags |= (uint16_t)((j->aa ? WIRE_AA : 0) | (j->rcode & 15));
    put_u16(j->out + 2, flags);
    for (unsigned i = 0; i < 4; i++) {
        put_u16(j->out + 4 + 2 * i, j->counts[i]);
    }
    count(j);
    look_for_challenge(j, flags);
    j->a->turn++;
    return j->len;
}

size_t answer_query(struct answerer *a, enum answer_transport transport, const uint8_t *in,
                    size_t len, uint8_t *out)
{
    struct job j;
    enum wire_verdict verdict = wire_query_parse(in, len, &j.q);
    if (verdict == WIRE_DROP) {
        enum answer_drop why = len < WIRE_HEADER_LEN ? ANSWER_DROP_SHORT : ANSWER_DROP_ANSWER;
        metrics_add(&a->counters->dropped[why], 1);
        return 0;
    }
    j.a = a;
    j.transport = transport;
    j.out = out;
    j.rcode = RCODE_NOERROR;
    j.aa = false;
    j.overflow = false;
    memset(j.counts, 0, sizeof j.counts);
    if (verdict != WIRE_QUERY) {
        j.q.edns.present = false; /* what could not be read cannot be answered in kind */
    }
    begin(&j, in);
    switch (verdict) {
    case WIRE_OTHER_OPCODE:
        /* RFC 8906 §3.1.3; NOTIFY and UPDATE are known, and nobody may send them to us. */
        j.rcode = j.q.opcode == WIRE_OPCODE_NOTIFY || j.q.opcode == WIRE_OPCODE_UPDATE
                      ? RCODE_REFUSED
                      : RCODE_NOTIMP;
        break;
    case WIRE_FORMERR:
        j.rcode = RCODE_FORMERR;
        break;
    default:
        if (j.q.trailing) {
            metrics_add(&a->counters->trailing, 1);
        }
        if (policy_admit(&j)) {
            solve(&j);
        }
        break;
    }
    return finish(&j);
}

/* Which well-formed questions are answered from the zone, and how large the answer may be. */
#include <string.h>

#include "answer_priv.h"

static bool refuse(struct job *j, enum wire_rcode rcode)
{
    j->rcode = rcode;
    return false;
}

static bool is_name(const struct wire_query *q, const char *wire, size_t len)
{
    return q->qname_len == len && memcmp(q->qname, wire, len) == 0;
}

#define IS(q, wire) is_name((q), (wire), sizeof(wire)) /* the literal's NUL is the root label */

/* RFC 4892: who are you, and of which version. */
static bool chaos(struct job *j)
{
    const struct answer_config *c = j->a->config;
    const char *text = NULL;
    uint8_t rdata[256];
    if (IS(&j->q, "\2id\6server") || IS(&j->q, "\10hostname\4bind")) {
        text = c->id;
    } else if (IS(&j->q, "\7version\6server") || IS(&j->q, "\7version\4bind")) {
        text = c->version;
    }
    bool asks_text = j->q.qtype == TYPE_TXT || j->q.qtype == TYPE_ANY;
    if (!c->chaos || text == NULL || !asks_text || strlen(text) > 255) {
        return refuse(j, RCODE_REFUSED);
    }
    rdata[0] = (uint8_t)strlen(text);
    memcpy(rdata + 1, text, rdata[0]);
    j->aa = true;
    write_record(j, SECTION_ANSWER, TYPE_TXT, CLASS_CH, 0, rdata, (size_t)rdata[0] + 1);
    return false;
}

bool policy_admit(struct job *j)
{
    const struct wire_query *q = &j->q;
    if (q->edns.present && q->edns.version != 0) {
        return refuse(j, RCODE_BADVERS); /* RFC 6891 §6.1.3 */
    }
    if (q->qclass == CLASS_CH) {
        return chaos(j);
    }
    if (q->qclass != CLASS_IN) {
        return refuse(j, RCODE_REFUSED);
    }
    switch (q->qtype) {
    case TYPE_OPT:
    case TYPE_TKEY:
    case TYPE_TSIG:
    case TYPE_NXNAME: /* RFC 9824 §3.5 */
        return refuse(j, RCODE_FORMERR);
    case TYPE_IXFR:
    case TYPE_AXFR:
    case TYPE_MAILB:
    case TYPE_MAILA:
        return refuse(j, RCODE_NOTIMP);
    default:
        break;
    }
    if (j->a->snapshot == NULL) {
        return refuse(j, RCODE_SERVFAIL);
    }
    if (!zone_snapshot_covers(j->a->snapshot, q->qname, q->qname_len, q->label_at, q->labels,
                              &j->relative)) {
        return refuse(j, RCODE_REFUSED);
    }
    return true;
}

size_t policy_limit(const struct job *j)
{
    size_t asked = j->q.edns.udp_size;
    if (j->transport != ANSWER_UDP) {
        return ANSWER_TCP_MAX;
    }
    if (!j->q.edns.present || asked < 512) {
        return 512; /* RFC 1035 §4.2.1; RFC 6891 §6.2.3 */
    }
    return asked < ANSWER_UDP_MAX ? asked : ANSWER_UDP_MAX;
}

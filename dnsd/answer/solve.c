/* What the zone says (RFC 1034 §4.3.2, as later RFCs have mended it).
 *
 * One walk: find the name; a cut above it is a referral, no name is NXDOMAIN, the type is the
 * answer, a CNAME is part of the answer and the walk goes on with its target if that is ours. The
 * walk takes at most CHAIN_MAX steps and never looks at a node twice, so a loop ends with what has
 * been collected. RCODE is that of the walk's last name (RFC 6604 §3).
 *
 * A provisional snapshot has the configuration's names and no rows. What is in it is answered, but
 * "no" is an answer too, and only sure where no row can speak: at names that a static entry settles
 * as a whole, and at lsc as soon as it has addresses. Anywhere else (unknown names, those that a
 * wildcard would stand in for, names that merely have others below them, types that the apex has not
 * got from the configuration) a row may say otherwise a moment later, while resolvers keep a "no"
 * for the negative TTL. So there it is SERVFAIL, and nothing of an alias that led there. The same
 * goes for names that a dated snapshot has not got, and for those that exist only because they are
 * reserved: a validator would believe that there is no proof.
 */
#include <string.h>

#include "answer_priv.h"
#include "lib/buf.h"

#define CHAIN_MAX   16
#define POINTER_MAX 0x3FFF
/* RFC 8482 §4.2: an answer to ANY that nobody needs to ask again soon. */
#define ANY_TTL_S 3600

/* The name the walk is at. */
struct step {
    uint8_t name[WIRE_NAME_MAX];           /* folded, without the zone's own labels */
    uint8_t label_at[WIRE_LABELS_MAX + 1]; /* [relative] is where they would begin */
    unsigned relative;
    unsigned owner_at; /* where in the message it is */
};

/* A name in rendered data that ends with the zone's name: the octets before that. */
static void step_to(struct step *s, const uint8_t *labels, size_t len, unsigned owner_at)
{
    s->relative = 0;
    s->owner_at = owner_at;
    wire_name_fold(s->name, labels, len);
    for (size_t at = 0; at < len; at += (size_t)labels[at] + 1) {
        s->label_at[s->relative++] = (uint8_t)at;
    }
    s->label_at[s->relative] = (uint8_t)len;
}

static const struct zone_rrset *find_type(const struct job *j, const struct zone_node *node,
                                          uint16_t type)
{
    const struct zone_snapshot *s = j->a->snapshot;
    if (type == TYPE_SOA && node == s->apex_node) {
        return s->soa;
    }
    return zone_node_find(node, type);
}

/* Addresses of the name servers in SET (just written at SET_AT) that the zone knows. Their owners
 * are pointers into SET, and a pointer has 14 bits (RFC 1035 §4.1.4): of servers beyond its reach,
 * as a hundred of the longest names can be, the address is left to the resolver. */
static void write_glue(struct job *j, const struct zone_rrset *set, size_t set_at)
{
    const uint8_t *wire = zone_rrset_wire(set);
    unsigned patch = 0;
    for (uint32_t at = 0; at < set->len;) {
        uint32_t data = at + NODE_RR_HEADER;
        uint32_t end = data + get_u16(wire + at + 10);
        if (set_at + data > POINTER_MAX) {
            return;
        }
        if (patch < set->patches && set->patch[patch] < end) {
            struct step s;
            step_to(&s, wire + data, set->patch[patch] - data, (unsigned)(set_at + data));
            struct zone_match m =
                zone_snapshot_find(j->a->snapshot, s.name, s.label_at, s.relative, true);
            const struct zone_rrset *a = m.kind == ZONE_HIT ? zone_node_find(m.node, TYPE_A) : NULL;
            const struct zone_rrset *aaaa =
                m.kind == ZONE_HIT ? zone_node_find(m.node, TYPE_AAAA) : NULL;
            if ((a != NULL && !write_rrset(j, SECTION_ADDITIONAL, a, s.owner_at)) ||
                (aaaa != NULL && !write_rrset(j, SECTION_ADDITIONAL, aaaa, s.owner_at))) {
                return;
            }
            patch++;
        }
        at = end;
    }
}

/* RFC 1034 §4.2.1; RFC 9471 §3.1: glue that does not fit means TC. Over TCP there is no more to ask
 * for, so there it is what fits. */
static void refer(struct job *j, const struct step *s, const struct zone_match *m)
{
    const struct zone_rrset *ns = zone_node_find(m->node, TYPE_NS);
    size_t at = j->len;
    if (write_rrset(j, SECTION_AUTHORITY, ns, s->owner_at + s->label_at[m->cut])) {
        write_glue(j, ns, at);
        j->overflow = j->overflow && j->transport == ANSWER_UDP;
    }
}

/* The zone's own name servers come with their addresses as far as there is room. */
static void answer_apex_ns(struct job *j, const struct zone_rrset *ns, unsigned owner_at)
{
    size_t at = j->len;
    if (write_rrset(j, SECTION_ANSWER, ns, owner_at)) {
        write_glue(j, ns, at);
        j->overflow = false;
    }
}

/* Whether NODE holds all that its name will ever hold. */
static bool is_settled(const struct zone_node *node)
{
    static const uint8_t lsc[] = {3, 'l', 's', 'c'};
    return node != NULL && (node->source == ZONE_STATIC ||
                            (node->source == ZONE_GENERATED && node->key_len == sizeof lsc &&
                             memcmp(node->key, lsc, sizeof lsc) == 0));
}

/* NODE has not got it; NULL: there is no such name. */
static void say_no(struct job *j, const struct zone_node *node)
{
    const struct zone_snapshot *s = j->a->snapshot;
    if ((s->provisional && !is_settled(node)) ||
        (s->dated && (node == NULL || node->source == ZONE_RESERVED))) {
        write_nothing(j);
        j->rcode = RCODE_SERVFAIL;
        j->aa = false;
        return;
    }
    j->rcode = node != NULL ? RCODE_NOERROR : RCODE_NXDOMAIN;
    write_negative(j);
}

static void answer_any(struct job *j, const struct zone_node *node, const struct step *s)
{
    static const uint8_t hinfo[] = "\7RFC8482"; /* and an empty OS string: the NUL */
    const struct zone_rrset *cname = zone_node_find(node, TYPE_CNAME);
    if (cname != NULL) {
        write_rrset(j, SECTION_ANSWER, cname, s->owner_at);
    } else if (node->sets_count > 0 || node == j->a->snapshot->apex_node) {
        write_record(j, SECTION_ANSWER, TYPE_HINFO, CLASS_IN, ANY_TTL_S, hinfo, sizeof hinfo);
    } else {
        say_no(j, node);
    }
}

/* One step at a name that exists, or that a wildcard stands in for. True: go on with *s. */
static bool answer_node(struct job *j, const struct zone_node *node, struct step *s)
{
    uint16_t type = j->q.qtype;
    if (type == TYPE_ANY) {
        answer_any(j, node, s);
        return false;
    }
    const struct zone_rrset *set = find_type(j, node, type);
    if (set != NULL && type == TYPE_NS && node == j->a->snapshot->apex_node) {
        answer_apex_ns(j, set, s->owner_at);
        return false;
    }
    if (set != NULL) {
        write_rrset(j, SECTION_ANSWER, set, s->owner_at);
        return false;
    }
    set = zone_node_find(node, TYPE_CNAME);
    if (set == NULL) {
        say_no(j, node);
        return false;
    }
    unsigned data_at = (unsigned)j->len + NODE_RR_HEADER;
    if (!write_rrset(j, SECTION_ANSWER, set, s->owner_at) || set->patches == 0) {
        return false; /* a target elsewhere is for the resolver to follow */
    }
    step_to(s, zone_rrset_wire(set) + NODE_RR_HEADER, set->patch[0] - NODE_RR_HEADER, data_at);
    return true;
}

static bool seen(const struct zone_node **nodes, unsigned n, const struct zone_node *node)
{
    for (unsigned i = 0; i < n; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

void solve(struct job *j)
{
    const struct zone_node *nodes[CHAIN_MAX];
    struct step s;
    step_to(&s, j->q.qname, j->q.label_at[j->relative], WIRE_OWNER_AT);
    j->apex_at = (uint16_t)(WIRE_OWNER_AT + j->q.label_at[j->relative]);
    j->aa = true;
    for (unsigned n = 0; n < CHAIN_MAX; n++) {
        struct zone_match m =
            zone_snapshot_find(j->a->snapshot, s.name, s.label_at, s.relative, false);
        if (m.kind == ZONE_DELEGATED && m.cut == 0 && j->q.qtype == TYPE_DS) {
            /* RFC 4035 §3.1.4.1: DS is the parent's, so the cut's own name is answered here. */
            m.kind = ZONE_HIT;
        }
        if (m.kind == ZONE_DELEGATED) {
            j->aa = n > 0; /* RFC 1035 §4.1.1: that of the first name */
            refer(j, &s, &m);
            return;
        }
        if (m.kind == ZONE_MISS || (m.kind == ZONE_WILD && j->a->snapshot->provisional)) {
            say_no(j, NULL);
            return;
        }
        if (seen(nodes, n, m.node)) {
            return;
        }
        nodes[n] = m.node;
        if (!answer_node(j, m.node, &s)) {
            return;
        }
    }
}

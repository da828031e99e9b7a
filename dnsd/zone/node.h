/* What a name of the zone holds, ready to be copied into an answer: RRsets rendered to wire form.
 *
 * A rendered record is owner, type, class, TTL, length and data. The owner is a pointer to the
 * question (0xC00C), patched when the owner is another name; names in the data of RFC 1035 types
 * that end with the zone's own name end with a pointer to it, patched when the answer is written
 * (RFC 1035 §4.1.4; RFC 3597 §4 forbids it for newer types). Immutable once published.
 */
#ifndef DNSD_ZONE_NODE_H
#define DNSD_ZONE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/wire/name.h"
#include "record.h"

#define NODE_RR_HEADER 12 /* owner pointer, type, class, TTL, length */
#define WIRE_OWNER_AT  12 /* where the question's name is in a message: right after the header */

struct zone_rrset {
    uint16_t type;
    uint16_t count;
    uint16_t same_len; /* octets of each record if all are equal and may be rotated; 0: do not */
    uint16_t patches;  /* how many pointers to the zone's name there are */
    uint32_t ttl;
    uint32_t len;     /* octets of wire */
    bool ttl_default; /* nobody chose the TTL */
    /* then uint16_t patch[patches], the offsets of the pointers in wire, and the wire itself */
    uint16_t patch[];
};

static inline const uint8_t *zone_rrset_wire(const struct zone_rrset *s)
{
    return (const uint8_t *)(s->patch + s->patches);
}

/* Where a node's records come from, in the order of who wins. */
enum zone_source {
    ZONE_PROOFS,    /* challenge values, together with what is below them */
    ZONE_GENERATED, /* service names, lsc, name servers */
    ZONE_STATIC,    /* the configuration */
    ZONE_STORED,    /* dns-record/<name> */
    ZONE_CORE,      /* core-info/<id> */
    ZONE_WILDCARD,  /* the pool behind `dns.wildcard: cores` */
    ZONE_RESERVED,  /* a name that exists even without records */
    ZONE_ENT        /* an empty non-terminal: no records, but names below it */
};

/* The layers of one name, the winner first. Immutable but for what is marked the writer's, so that
 * any holder of a snapshot may walk all of them. */
struct zone_node {
    uint32_t children; /* the writer's: nodes exactly one label below; right in the winner only */
    uint16_t sets_count;
    uint8_t source; /* enum zone_source */
    uint8_t key_len;
    bool has_wildcard;         /* there is a `*` directly below; right in the winner only */
    uint32_t cuts_below;       /* delegations below, at any depth; right in the winner only */
    bool is_cut;               /* NS below the apex: a delegation */
    struct zone_node *below;   /* the next layer; NULL: none */
    const uint8_t *key;        /* behind the sets */
    struct zone_rrset *sets[]; /* owned, in the order of types */
};

/* Takes SETS (the array is copied, the sets are owned by the node). KEY is copied. */
struct zone_node *zone_node_make(enum zone_source source, const uint8_t *key, size_t key_len,
                                 struct zone_rrset *const *sets, size_t count,
                                 struct zone_node *below);

/* Renders one RRset; a CNAME's or MX's names under APEX are compressed. ROTATE: its order may
 * change from answer to answer. Caller frees. */
struct zone_rrset *zone_rrset_make(const struct record_rrset *set, uint32_t ttl_s,
                                   const struct wire_name *apex, bool rotate);

/* The other way: the data of record I as it was, in OUT (WIRE_NAME_MAX more than the rendered data
 * may be needed); returns its octets. */
size_t zone_rrset_data(const struct zone_rrset *s, unsigned i, const struct wire_name *apex,
                       uint8_t *out, size_t cap);

static inline const struct zone_rrset *zone_node_find(const struct zone_node *n, uint16_t type)
{
    for (unsigned i = 0; i < n->sets_count; i++) {
        if (n->sets[i]->type == type) {
            return n->sets[i];
        }
    }
    return NULL;
}

#endif

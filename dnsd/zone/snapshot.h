/* One version of the zone as the answering side sees it: immutable, complete, cheap to look at.
 *
 * Workers hold one reference each and swap it for a newer one between two batches of packets; a
 * query takes no reference, no lock and writes nothing shared. The memory behind a snapshot belongs
 * to the zone's writer (zone.h), which frees it after the last reference to it and to all older
 * ones is gone. ref and unref: any thread. Everything else here is read-only: any thread that holds
 * a reference.
 */
#ifndef DNSD_ZONE_SNAPSHOT_H
#define DNSD_ZONE_SNAPSHOT_H

#include <stdatomic.h>

#include "lib/digest.h"
#include "node.h"
#include "table.h"

/* What was told of a core; immutable. */
struct zone_core_info {
    const char *ip, *ipv6, *cname; /* NULL: none; in text[] */
    bool present;                  /* false: users name it, but nobody has told what it is */
    bool available, live;
    struct hash_key user_keys[2]; /* what its users are hashed with in the digest (rowsum.h) */
    const char *id;
    char text[];
};

/* All proofs as the snapshot file has them; immutable. */
struct zone_sealed {
    uint32_t names;
    size_t len;
    uint8_t bytes[];
};

struct zone_snapshot {
    /* looked at for every query */
    struct table table;
    const struct zone_node *apex_node;    /* without the SOA */
    const struct zone_node *const *cores; /* by the index in a user's slot; never NULL */
    const struct zone_rrset *soa;         /* with this version's serial */
    const struct digest_hmac *user_key;   /* users are hashed with it, the zone's; NULL: are not */
    struct wire_name apex;                /* folded */
    uint32_t negative_ttl_s;              /* RFC 2308 §5: min(SOA's TTL, MINIMUM) */
    uint32_t serial;
    uint8_t max_labels; /* of the deepest name, relative: deeper questions need no look */
    bool has_cuts;
    bool apex_wildcard;
    bool provisional; /* made of the configuration alone: what is not in it is not known */
    bool dated;       /* the latest rows may be missing: so may names */
    /* for saving it, and for whoever asks for the state */
    const struct zone_core_info *const *infos; /* as cores[]; never NULL */
    const struct zone_node *apex_stored;       /* NULL: nothing stored for the apex */
    const struct zone_sealed *sealed;          /* proofs, with their expiry */
    uint64_t revision;
    uint64_t users;
    uint64_t names;       /* with records of their own, without the users */
    uint32_t cores_count; /* entries of cores[], also for cores that users name but nobody knows */
    /* the writer's */
    _Atomic unsigned refs;
    struct zone_snapshot *newer;
    struct table_retired retired; /* what the next version replaced */
};

const struct zone_snapshot *zone_snapshot_ref(const struct zone_snapshot *s);
void zone_snapshot_unref(const struct zone_snapshot *s);

enum zone_match_kind {
    ZONE_HIT,      /* the name exists: node, perhaps without records */
    ZONE_WILD,     /* it does not; node is the wildcard that stands in (RFC 4592 §3.3) */
    ZONE_MISS,     /* NXDOMAIN */
    ZONE_DELEGATED /* at or below a cut: node is the cut's */
};
struct zone_match {
    enum zone_match_kind kind;
    const struct zone_node *node;
    uint8_t cut; /* ZONE_DELEGATED: which label the cut's name begins with */
};

/* Whether NAME (folded, offsets as from wire_name_offsets()) is in the zone; if so, how many labels
 * it has before the zone's own. */
bool zone_snapshot_covers(const struct zone_snapshot *s, const uint8_t *name, unsigned name_len,
                          const uint8_t *label_at, unsigned labels, unsigned *relative);

/* What the zone says of a name it covers. With GLUE, cuts are looked through. */
struct zone_match zone_snapshot_find(const struct zone_snapshot *s, const uint8_t *name,
                                     const uint8_t *label_at, unsigned relative, bool glue);

#endif

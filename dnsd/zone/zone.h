/* The zone's writer: takes what the store and the configuration say, one name at a time, and makes
 * snapshots (snapshot.h) out of it. A change of k names costs O(k), whatever else the zone holds.
 *
 * Layers. A name may mean several things; the highest wins and the others wait below it:
 *   service names, lsc, name servers > static (configuration) > stored records > core ids > users >
 *   wildcard. Proofs (challenge values) are laid over all of them: their TXT values are added to
 *   whatever TXT the name has.
 *
 * Generated from the cores: <core-id>; lsc (every member; AAAA only if all have one; TTL 5; the
 * static entry lsc, the founders, as long as no core is known);
 * service names, apex addresses and the wildcard pool (live and available cores; if there is none,
 * live ones; if there is none, all: never empty while a core exists); NS (dnsN per core with an
 * address, in id order, unless configured), SOA, CAA.
 *
 * Nothing is visible before zone_commit(). Threads: one at a time; a zone may be handed from the
 * thread that filled it to the one that keeps it. Memory: aborts when there is none (lib/mem.h):
 * half a change would be a wrong answer. Input is judged (labels, limits), and what cannot be used
 * is ERR_MALFORMED or ERR_LIMIT with the reason and leaves the zone as it was.
 */
#ifndef DNSD_ZONE_ZONE_H
#define DNSD_ZONE_ZONE_H

#include "record.h"
#include "snapshot.h"

#define ZONE_CORES_MAX   4096 /* ids the zone can know; a user's slot has 16 bits for it */
#define ZONE_PROOFS_MAX  1000 /* challenge values at one time, over all names */
#define ZONE_PROOF_TTL_S 1    /* CAs must not meet an old value (facts of every ACME DNS) */
#define ZONE_LSC_TTL_S   5
#define ZONE_NEGATIVE_S  30 /* SOA MINIMUM: how long a new user may stay unknown to resolvers */

struct zone_entry {
    struct wire_name owner;           /* absolute, folded */
    const struct record_set *records; /* borrowed during zone_new() */
};
struct zone_nameserver {
    const char *label;
    const char *core_id;
};
struct zone_soa {
    struct wire_name primary, admin;                 /* len 0: generated */
    int64_t serial;                                  /* added to the revision; -1: 0 */
    int64_t refresh_s, retry_s, expire_s, minimum_s; /* -1: 3600, 600, 604800, ZONE_NEGATIVE_S */
};

/* Everything is copied. */
struct zone_options {
    struct wire_name apex; /* folded */
    uint32_t default_ttl_s;
    bool wildcard_cores; /* any other name resolves to the pool */
    const char *const *service_names;
    size_t service_names_count;
    const struct zone_nameserver *nameservers; /* none: one dnsN per core */
    size_t nameservers_count;
    const struct zone_entry *static_entries;
    size_t static_entries_count;
    const struct record_set *root; /* NULL: nothing configured for the apex */
    struct zone_soa soa;
    const char *contact; /* mail address for the SOA; NULL: hostmaster@domain */
    /* 32 bytes: the rows name users by HMAC-SHA256 (piiMode hashed), in 64 hex digits, and questions
     * are looked up so. NULL: by their names. */
    const uint8_t *user_key;
};

struct zone_core {
    const char *id;
    const char *ip, *ipv6, *cname; /* NULL: none. cname counts only without addresses */
    bool available;
    bool live;
};

struct zone;

enum err zone_new(const struct zone_options *options, struct zone **out,
                  struct err_info *info) MUST_USE;
/* All references to its snapshots must be gone. */
void zone_free(struct zone *z);

enum err zone_core_put(struct zone *z, const struct zone_core *core,
                       struct err_info *info) MUST_USE;
void zone_core_delete(struct zone *z, const char *id);
/* Only whether it is alive. True: it was known and not so before; a commit is due. */
bool zone_core_live(struct zone *z, const char *id, bool live);

/* CAA records for the apex, as in zone files: `0 issue "ca.example.org"`; unless the configuration or
 * stored records have CAA of their own there. At most ZONE_CAA_MAX; one that cannot be read is left
 * out. True: they were others before; a commit is due. A new zone has none. */
#define ZONE_CAA_MAX 8
bool zone_set_caa(struct zone *z, const char *const *texts, size_t count);

/* A zone that has no rows yet, only the configuration: from the next commit on it answers what the
 * configuration says (static entries, lsc from the static entry of that name) and SERVFAIL for
 * everything else, for nobody knows what else there is (answer/solve.c has the rule). A new zone is
 * not. */
void zone_set_provisional(struct zone *z, bool provisional);

/* A zone that may lack the latest rows: from the next commit on a name that is not in it is SERVFAIL
 * instead of NXDOMAIN, for it may have been made meanwhile, and resolvers would remember the "no".
 * Everything else is answered. A new zone is not. */
void zone_set_dated(struct zone *z, bool dated);

/* NAME is one label (with user_key: 64 lower-case hex digits). A core that is not known (yet) is
 * fine: the name exists, without addresses. */
enum err zone_user_put(struct zone *z, const char *name, const char *core_id,
                       struct err_info *info) MUST_USE;
void zone_user_delete(struct zone *z, const char *name);

/* Stored records of OWNER (absolute, folded, in the zone). An empty set deletes. */
enum err zone_records_put(struct zone *z, const struct wire_name *owner,
                          const struct record_set *records, struct err_info *info) MUST_USE;

struct zone_proof {
    const char *value;
    int64_t expires_ms; /* wall clock */
};
/* All proofs of OWNER, in place of those it had; those that expired by NOW_MS do not count. */
enum err zone_proofs_put(struct zone *z, const struct wire_name *owner,
                         const struct zone_proof *proofs, size_t count, int64_t now_ms,
                         struct err_info *info) MUST_USE;
/* Removes what expired. Returns when the next one will (INT64_MAX: none); *changed if a commit is
 * due. */
int64_t zone_proofs_expire(struct zone *z, int64_t now_ms, bool *changed);

/* Publishes what has changed as REVISION. The snapshot returned is the zone's current one, with a
 * reference for the caller. Frees what no reader can see any more. */
const struct zone_snapshot *zone_commit(struct zone *z, uint64_t revision);

/* The snapshot of the last commit, with a reference for the caller. There must have been one. */
const struct zone_snapshot *zone_current(const struct zone *z);
uint64_t zone_revision(const struct zone *z);

/* A digest of the rows in the zone (cores, users, stored records; neither proofs nor who is alive),
 * the same for the same rows however they came in, on every core. It finds differences that come by
 * accident; it is no proof against somebody who chooses the rows. Kept up to date with each change
 * at O(1). As of the last put, commit or not. */
#define ZONE_DIGEST_TEXT 33
void zone_digest(const struct zone *z, char out[ZONE_DIGEST_TEXT]);
/* Nobody holds any of its snapshots: it may be freed. */
bool zone_is_idle(const struct zone *z);
size_t zone_bytes(const struct zone *z); /* about how much memory its names take */

/* ---- the snapshot file ------------------------------------------------------------------- */

/* Everything but the configuration's part, as bytes that zone_restore() takes: cores, users,
 * stored records, proofs (expired ones too: expire them first), the revision and the id of the
 * store it is of. Reads SNAPSHOT only, so any thread that holds a reference may do it. Caller
 * frees. ERR_UNAVAIL: a provisional one; restored, its few names would pass for all there are. */
enum err zone_save(const struct zone_snapshot *snapshot, const char *store_id, uint8_t **out,
                   size_t *len) MUST_USE;

#define ZONE_STORE_ID_MAX 64
/* Fills an empty zone. ERR_MALFORMED (truncated, flipped bits, another version, another domain, users
 * that are hashed otherwise) leaves it unusable: free it and start with a new one. */
enum err zone_restore(struct zone *z, const uint8_t *bytes, size_t len,
                      char store_id[ZONE_STORE_ID_MAX], uint64_t *revision,
                      struct err_info *info) MUST_USE;

#endif

/* A sum over the zone's rows by which two cores see whether they have the same ones.
 *
 * Each row is hashed by itself, in a form that depends on its content alone, and the hashes are
 * added up: rows may come and go in any order, and one that changes costs two hashes. What a row
 * is hashed as has its lengths in it, so no two rows that differ are hashed as the same octets.
 *
 * The keys are fixed and known: SipHash is here for how well it mixes. Whoever chooses the rows can
 * make sums that are equal; accidents cannot (128 bits). Pure.
 */
#ifndef DNSD_ZONE_ROWSUM_H
#define DNSD_ZONE_ROWSUM_H

#include "snapshot.h"

struct rowsum {
    uint64_t lane[2];
};

void rowsum_add(struct rowsum *sum, struct rowsum row);
void rowsum_take(struct rowsum *sum, struct rowsum row);

/* KEY as in the table; the core by what its id, which outlives it, is made into once. */
void rowsum_user_keys(const char *core_id, struct hash_key out[2]);
struct rowsum rowsum_user(const uint8_t *key, size_t len, const struct hash_key core[2]);
/* Without whether it is alive: that is no row's content. */
struct rowsum rowsum_core(const struct zone_core_info *core);
/* Stored records, as rendered: names in them that end with the zone's own are the same in any case.
 * A TTL that nobody chose counts as that, whatever the default is. */
struct rowsum rowsum_records(const struct zone_node *stored);

#endif

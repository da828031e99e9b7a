/* SipHash-1-3, keyed: names in the table come from whoever registers and queries, so nobody may
 * be able to choose names that fall together. Pure.
 */
#ifndef DNSD_ZONE_HASH_H
#define DNSD_ZONE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1; /* random, per process; secret */
};

uint64_t hash_name(const struct hash_key *key, const uint8_t *bytes, size_t len);

#endif

#include "hash.h"

#include <endian.h>
#include <string.h>

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

#define ROUND()                                                                                    \
    do {                                                                                           \
        v0 += v1;                                                                                  \
        v2 += v3;                                                                                  \
        v1 = rotl(v1, 13) ^ v0;                                                                    \
        v3 = rotl(v3, 16) ^ v2;                                                                    \
        v0 = rotl(v0, 32);                                                                         \
        v2 += v1;                                                                                  \
        v0 += v3;                                                                                  \
        v1 = rotl(v1, 17) ^ v2;                                                                    \
        v3 = rotl(v3, 21) ^ v0;                                                                    \
        v2 = rotl(v2, 32);                                                                         \
    } while (0)

uint64_t hash_name(const struct hash_key *key, const uint8_t *bytes, size_t len)
{
    uint64_t v0 = key->k0 ^ 0x736f6d6570736575;
    uint64_t v1 = key->k1 ^ 0x646f72616e646f6d;
    uint64_t v2 = key->k0 ^ 0x6c7967656e657261;
    uint64_t v3 = key->k1 ^ 0x7465646279746573;
    uint64_t word;
    uint64_t last = (uint64_t)len << 56;
    for (; len >= 8; len -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        word = le64toh(word);
        v3 ^= word;
        ROUND();
        v0 ^= word;
    }
    for (size_t i = 0; i < len; i++) {
        last |= (uint64_t)bytes[i] << (8 * i);
    }
    v3 ^= last;
    ROUND();
    v0 ^= last;
    v2 ^= 0xff;
    ROUND();
    ROUND();
    ROUND();
    return v0 ^ v1 ^ v2 ^ v3;
}

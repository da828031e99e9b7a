/* What the files of lib/seal share. */
#ifndef LIB_SEAL_PRIV_H
#define LIB_SEAL_PRIV_H

#include "digest.h"
#include "seal.h"

#define SEAL_ID_LEN     4
#define SEAL_COMMIT_LEN 16

struct seal_key {
    uint8_t master[SEAL_KEY_LEN]; /* the predecessor's way: it is the data key */
    uint8_t v1[SEAL_KEY_LEN];     /* and the other way */
    struct digest_hmac commit;
    uint8_t id[SEAL_ID_LEN];
    char id_text[SEAL_ID_TEXT];
};

struct seal_ring {
    struct seal_key keys[SEAL_KEYS_MAX];
    size_t count;
};

/* NULL: not in the ring. */
const struct seal_key *seal_ring_find(const struct seal_ring *r, const uint8_t id[SEAL_ID_LEN]);

/* The key for one kind of secret. */
enum err seal_data_key(const struct seal_key *k, const char *purpose, uint8_t out[SEAL_KEY_LEN],
                       struct err_info *info) MUST_USE;

/* lib/seal_phrase.h, with another cost than the standard one (for tests: 2^10 takes a millisecond). */
struct seal_phrase_cost {
    unsigned log2_n, r, p;
};
enum err seal_phrase_close_at(const struct seal_phrase_cost *cost, const char *phrase,
                              size_t phrase_len, const void *plain, size_t len, uint8_t **out,
                              size_t *out_len, struct err_info *info) MUST_USE;

enum err seal_no_memory(struct err_info *info);
/* OpenSSL has failed: empties its queue. ERR_NOMEM, ERR_IO. */
enum err seal_failed(struct err_info *info);

#endif

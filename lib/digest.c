/* The low-level SHA-256 functions: deprecated since OpenSSL 3.0 in favour of EVP, which allocates
 * for each digest. These do not, and their state can be copied, which is what an HMAC with a
 * prepared key is. Only here. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "digest.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

enum err digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SHA256_LEN])
{
    return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1 ? ERR_OK : ERR_IO;
}

/* ---- HMAC (RFC 2104 §2) ------------------------------------------------------------------ */

_Static_assert(sizeof(((SHA256_CTX *)0)->h) == sizeof(((struct digest_hmac *)0)->inner),
               "SHA-256's state is eight words of 32 bits");

/* The state after KEY, padded to one block, each octet with PAD. */
static void state_after(const uint8_t key[SHA256_CBLOCK], uint8_t pad, uint32_t state[8])
{
    uint8_t block[SHA256_CBLOCK];
    SHA256_CTX c;
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = key[i] ^ pad;
    }
    SHA256_Init(&c);
    SHA256_Update(&c, block, sizeof block);
    memcpy(state, c.h, sizeof c.h);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(&c, sizeof c);
}

/* Goes on from there. */
static void finish(const uint32_t state[8], const void *bytes, size_t len,
                   uint8_t out[DIGEST_SHA256_LEN])
{
    SHA256_CTX c = {.Nl = SHA256_CBLOCK * 8, .md_len = SHA256_DIGEST_LENGTH};
    memcpy(c.h, state, sizeof c.h);
    SHA256_Update(&c, bytes, len);
    SHA256_Final(out, &c);
}

void digest_hmac_init(struct digest_hmac *h, const void *key, size_t len)
{
    uint8_t block[SHA256_CBLOCK] = {0};
    if (len > sizeof block) {
        SHA256_CTX c;
        SHA256_Init(&c);
        SHA256_Update(&c, key, len);
        SHA256_Final(block, &c);
    } else if (len > 0) {
        memcpy(block, key, len);
    }
    state_after(block, 0x36, h->inner);
    state_after(block, 0x5c, h->outer);
    OPENSSL_cleanse(block, sizeof block);
}

void digest_hmac(const struct digest_hmac *h, const void *bytes, size_t len,
                 uint8_t out[DIGEST_SHA256_LEN])
{
    uint8_t inner[DIGEST_SHA256_LEN];
    finish(h->inner, bytes, len, inner);
    finish(h->outer, inner, sizeof inner, out);
}

bool digest_same(const void *a, size_t a_len, const void *b, size_t b_len)
{
    struct digest_hmac h;
    uint8_t of_a[DIGEST_SHA256_LEN];
    uint8_t of_b[DIGEST_SHA256_LEN];
    digest_hmac_init(&h, NULL, 0); /* as a hash that cannot fail */
    digest_hmac(&h, a, a_len, of_a);
    digest_hmac(&h, b, b_len, of_b);
    bool same = CRYPTO_memcmp(of_a, of_b, sizeof of_a) == 0;
    OPENSSL_cleanse(of_a, sizeof of_a);
    OPENSSL_cleanse(of_b, sizeof of_b);
    return same;
}

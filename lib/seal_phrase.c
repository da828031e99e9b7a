#include "seal_phrase.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "rng.h"
#include "seal_priv.h"

#define KEY_LEN   32
#define SALT_LEN  16
#define NONCE_LEN 12
#define TAG_LEN   16

#define VERSION     2
#define VERSION_OLD 1

/* Where the parts are. */
#define LOG2_N_AT 1
#define R_AT      2
#define P_AT      3
#define SALT_AT   4
#define NONCE_AT  (SALT_AT + SALT_LEN)
#define CIPHER_AT (NONCE_AT + NONCE_LEN) /* what is before it is authenticated, too */
#define OVERHEAD  (CIPHER_AT + TAG_LEN)

/* And in the predecessor's: version, salt, nonce, tag, ciphertext. */
#define OLD_SALT_AT   1
#define OLD_NONCE_AT  (OLD_SALT_AT + SALT_LEN)
#define OLD_TAG_AT    (OLD_NONCE_AT + NONCE_LEN)
#define OLD_CIPHER_AT (OLD_TAG_AT + TAG_LEN)

#define LOG2_N_MIN 10
#define LOG2_N_MAX 20
#define R_MAX      32
#define P_MAX      16

static const struct seal_phrase_cost standard = {.log2_n = 15, .r = 8, .p = 1};

/* ---- the key ------------------------------------------------------------------------------- */

static uint64_t memory_of(const struct seal_phrase_cost *c)
{
    /* RFC 7914 §5, §6: V, T and X, and B. */
    return (uint64_t)128 * c->r * (((uint64_t)1 << c->log2_n) + 2 + c->p);
}

static bool is_bearable(const struct seal_phrase_cost *c)
{
    return c->log2_n >= LOG2_N_MIN && c->log2_n <= LOG2_N_MAX && c->r >= 1 && c->r <= R_MAX &&
           c->p >= 1 && c->p <= P_MAX && c->log2_n < 16 * c->r && /* RFC 7914 §2 */
           memory_of(c) <= SEAL_PHRASE_MEMORY;
}

static enum err derive(const char *phrase, size_t phrase_len, const uint8_t *salt,
                       const struct seal_phrase_cost *c, uint8_t key[KEY_LEN],
                       struct err_info *info)
{
    ERR_clear_error();
    bool ok = EVP_PBE_scrypt(phrase, phrase_len, salt, SALT_LEN, (uint64_t)1 << c->log2_n, c->r,
                             c->p, SEAL_PHRASE_MEMORY, key, KEY_LEN) == 1;
    return ok ? ERR_OK : seal_failed(info);
}

/* ---- AES-256-GCM --------------------------------------------------------------------------- */

/* Where everything is in one envelope, whatever its version. */
struct envelope {
    struct seal_phrase_cost cost;
    uint8_t *salt, *nonce, *tag, *cipher; /* borrowed */
    size_t len;                           /* of the ciphertext */
    const uint8_t *head;                  /* CIPHER_AT octets; NULL: version 1 has no such thing */
};

/* ERR_DENIED: the tag is another one. */
static enum err run(const struct envelope *v, const uint8_t key[KEY_LEN], bool sealing,
                    const uint8_t *in, uint8_t *out, struct err_info *info)
{
    int n = 0;
    ERR_clear_error();
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ready = c != NULL &&
                 EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, v->nonce, sealing) == 1 &&
                 (sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, v->tag) == 1) &&
                 (v->head == NULL || EVP_CipherUpdate(c, NULL, &n, v->head, CIPHER_AT) == 1) &&
                 (v->len == 0 || EVP_CipherUpdate(c, out, &n, in, (int)v->len) == 1);
    bool right = ready && EVP_CipherFinal_ex(c, out + v->len, &n) == 1;
    bool ok =
        right && (!sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, v->tag) == 1);
    EVP_CIPHER_CTX_free(c); /* wipes */
    if (!ok && (sealing || !ready)) {
        return seal_failed(info);
    }
    ERR_clear_error();
    return ok ? ERR_OK
              : err_set(info, ERR_DENIED,
                        "the passphrase is wrong, or the text was changed on the way");
}

/* ---- closing ------------------------------------------------------------------------------- */

static struct envelope envelope_of(uint8_t *octets, size_t len)
{
    return (struct envelope){
        .cost = {.log2_n = octets[LOG2_N_AT], .r = octets[R_AT], .p = octets[P_AT]},
        .salt = octets + SALT_AT,
        .nonce = octets + NONCE_AT,
        .cipher = octets + CIPHER_AT,
        .tag = octets + len - TAG_LEN,
        .len = len - OVERHEAD,
        .head = octets};
}

enum err seal_phrase_close_at(const struct seal_phrase_cost *cost, const char *phrase,
                              size_t phrase_len, const void *plain, size_t len, uint8_t **out,
                              size_t *out_len, struct err_info *info)
{
    uint8_t key[KEY_LEN];
    assert(is_bearable(cost));
    if (len > SEAL_PHRASE_MAX) {
        return err_set(info, ERR_LIMIT, "a text of %zu octets: at most %d can be sealed", len,
                       SEAL_PHRASE_MAX);
    }
    uint8_t *octets = malloc(OVERHEAD + len);
    if (octets == NULL) {
        return seal_no_memory(info);
    }
    octets[0] = VERSION;
    octets[LOG2_N_AT] = (uint8_t)cost->log2_n;
    octets[R_AT] = (uint8_t)cost->r;
    octets[P_AT] = (uint8_t)cost->p;
    rng_bytes(octets + SALT_AT, SALT_LEN + NONCE_LEN);
    struct envelope v = envelope_of(octets, OVERHEAD + len);
    enum err e = derive(phrase, phrase_len, v.salt, cost, key, info);
    e = e == ERR_OK ? run(&v, key, true, plain, v.cipher, info) : e;
    explicit_bzero(key, sizeof key);
    if (e != ERR_OK) {
        seal_wipe(octets, OVERHEAD + len); /* a part of the text may be in it */
        return e;
    }
    *out = octets;
    *out_len = OVERHEAD + len;
    return ERR_OK;
}

enum err seal_phrase_close(const char *phrase, size_t phrase_len, const void *plain, size_t len,
                           uint8_t **out, size_t *out_len, struct err_info *info)
{
    return seal_phrase_close_at(&standard, phrase, phrase_len, plain, len, out, out_len, info);
}

/* ---- opening ------------------------------------------------------------------------------- */

unsigned seal_phrase_version(const void *sealed, size_t len)
{
    return len > 0 ? ((const uint8_t *)sealed)[0] : 0;
}

/* Nothing is written through what *OUT borrows. */
static enum err look(uint8_t *octets, size_t len, struct envelope *out, struct err_info *info)
{
    unsigned version = seal_phrase_version(octets, len);
    if (len > 0 && version != VERSION && version != VERSION_OLD) {
        return err_set(info, ERR_LIMIT, "the envelope is of version %u; this program knows 1 and 2",
                       version);
    }
    if (len < (version == VERSION ? OVERHEAD : OLD_CIPHER_AT)) {
        return err_set(info, ERR_MALFORMED, "%zu octets are too few for a sealed text", len);
    }
    if (version == VERSION_OLD) {
        *out = (struct envelope){.cost = standard,
                                 .salt = octets + OLD_SALT_AT,
                                 .nonce = octets + OLD_NONCE_AT,
                                 .tag = octets + OLD_TAG_AT,
                                 .cipher = octets + OLD_CIPHER_AT,
                                 .len = len - OLD_CIPHER_AT};
    } else {
        *out = envelope_of(octets, len);
    }
    if (out->len > SEAL_PHRASE_MAX) {
        return err_set(info, ERR_LIMIT, "a sealed text of more than %d octets", SEAL_PHRASE_MAX);
    }
    if (!is_bearable(&out->cost)) {
        return err_set(info, ERR_MALFORMED,
                       "the envelope asks for scrypt with N = 2^%u, r = %u, p = %u, which is out "
                       "of bounds: it was changed on the way",
                       out->cost.log2_n, out->cost.r, out->cost.p);
    }
    return ERR_OK;
}

enum err seal_phrase_open(const char *phrase, size_t phrase_len, const void *sealed, size_t len,
                          uint8_t **out, size_t *out_len, struct err_info *info)
{
    struct envelope v = {.len = 0};
    uint8_t key[KEY_LEN];
    enum err e = look((uint8_t *)(uintptr_t)sealed, len, &v, info);
    if (e != ERR_OK) {
        return e;
    }
    uint8_t *plain = malloc(v.len + 1);
    if (plain == NULL) {
        return seal_no_memory(info);
    }
    e = derive(phrase, phrase_len, v.salt, &v.cost, key, info);
    e = e == ERR_OK ? run(&v, key, false, v.cipher, plain, info) : e;
    explicit_bzero(key, sizeof key);
    if (e != ERR_OK) {
        seal_wipe(plain, v.len); /* what did not prove to be right */
        return e;
    }
    plain[v.len] = '\0';
    *out = plain;
    *out_len = v.len;
    return ERR_OK;
}

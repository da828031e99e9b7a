#include "seal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base64.h"
#include "buf.h"
#include "rng.h"
#include "seal_priv.h"

#define NONCE_LEN 12
#define TAG_LEN   16

/* Where the parts of a sealed text's octets are. */
#define VERSION_AT 2
#define ID_AT      3
#define COMMIT_AT  (ID_AT + SEAL_ID_LEN)
#define NONCE_AT   (COMMIT_AT + SEAL_COMMIT_LEN)
#define CIPHER_AT  (NONCE_AT + NONCE_LEN)
#define OVERHEAD   (CIPHER_AT + TAG_LEN)

/* And of the predecessor's: version, nonce, tag, ciphertext. */
#define V1_NONCE_AT  1
#define V1_TAG_AT    (V1_NONCE_AT + NONCE_LEN)
#define V1_CIPHER_AT (V1_TAG_AT + TAG_LEN)
#define V1_ID        "v1"

#define VERSION     2
#define VERSION_OLD 1
#define TEXT_MAX    (BASE64_ROOM(SEAL_PLAIN_MAX + OVERHEAD) - 1)

static const uint8_t magic[VERSION_AT] = {'d', 's'};

/* ---- AES-256-GCM --------------------------------------------------------------------------- */

/* What is sealed or opened, and with what. */
struct job {
    const uint8_t *key, *nonce;
    const uint8_t *head;           /* version and id; NULL: no additional data (version 1) */
    const struct seal_context *to; /* what it is bound to */
    const uint8_t *in;
    uint8_t *out; /* LEN octets, like IN */
    size_t len;
    uint8_t *tag;
};

/* With its length before it: no two lists of texts are the same octets. */
static bool bind(EVP_CIPHER_CTX *c, const void *octets, size_t len)
{
    uint8_t before[4];
    int n;
    put_u32(before, (uint32_t)len);
    return EVP_CipherUpdate(c, NULL, &n, before, sizeof before) == 1 &&
           (len == 0 || EVP_CipherUpdate(c, NULL, &n, octets, (int)len) == 1);
}

static bool bind_all(EVP_CIPHER_CTX *c, const struct job *j)
{
    if (j->head == NULL) {
        return true;
    }
    assert(j->to->parts_count <= SEAL_PARTS_MAX);
    bool ok = bind(c, j->head, 1) && bind(c, j->head + 1, SEAL_ID_LEN) &&
              bind(c, j->to->purpose, strlen(j->to->purpose));
    for (size_t i = 0; ok && i < j->to->parts_count; i++) {
        ok = bind(c, j->to->parts[i], strlen(j->to->parts[i]));
    }
    return ok;
}

/* ERR_DENIED: the tag is another one. */
static enum err run(const struct job *j, bool sealing, struct err_info *info)
{
    int n;
    ERR_clear_error();
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ready = c != NULL &&
                 EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, j->key, j->nonce, sealing) == 1 &&
                 (sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, j->tag) == 1) &&
                 bind_all(c, j) && EVP_CipherUpdate(c, j->out, &n, j->in, (int)j->len) == 1;
    bool right = ready && EVP_CipherFinal_ex(c, j->out + j->len, &n) == 1;
    bool ok =
        right && (!sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, j->tag) == 1);
    EVP_CIPHER_CTX_free(c); /* wipes */
    if (!ok && (sealing || !ready)) {
        return seal_failed(info);
    }
    ERR_clear_error();
    return ok ? ERR_OK : ERR_DENIED;
}

/* ---- closing ------------------------------------------------------------------------------- */

static void commit_to(const struct seal_key *k, const uint8_t nonce[NONCE_LEN],
                      uint8_t out[SEAL_COMMIT_LEN])
{
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_hmac(&k->commit, nonce, NONCE_LEN, digest);
    memcpy(out, digest, SEAL_COMMIT_LEN);
}

static enum err close_into(const struct seal_key *k, const struct seal_context *c,
                           const void *plain, size_t len, uint8_t *octets, struct err_info *info)
{
    uint8_t data_key[SEAL_KEY_LEN];
    memcpy(octets, magic, sizeof magic);
    octets[VERSION_AT] = VERSION;
    memcpy(octets + ID_AT, k->id, SEAL_ID_LEN);
    rng_bytes(octets + NONCE_AT, NONCE_LEN);
    commit_to(k, octets + NONCE_AT, octets + COMMIT_AT);
    enum err e = seal_data_key(k, c->purpose, data_key, info);
    if (e == ERR_OK) {
        const struct job j = {.key = data_key,
                              .nonce = octets + NONCE_AT,
                              .head = octets + VERSION_AT,
                              .to = c,
                              .in = plain,
                              .out = octets + CIPHER_AT,
                              .len = len,
                              .tag = octets + CIPHER_AT + len};
        e = run(&j, true, info);
    }
    explicit_bzero(data_key, sizeof data_key);
    return e;
}

enum err seal_close(const struct seal_ring *r, const struct seal_context *c, const void *plain,
                    size_t len, char **out, struct err_info *info)
{
    if (len > SEAL_PLAIN_MAX) {
        return err_set(info, ERR_LIMIT, "a secret of %zu octets: at most %d can be sealed", len,
                       SEAL_PLAIN_MAX);
    }
    uint8_t *octets = malloc(OVERHEAD + len);
    char *text = malloc(BASE64_ROOM(OVERHEAD + len));
    enum err e = octets != NULL && text != NULL
                     ? close_into(&r->keys[0], c, plain, len, octets, info)
                     : seal_no_memory(info);
    if (e == ERR_OK) {
        base64_encode(octets, OVERHEAD + len, text);
        *out = text;
        text = NULL;
    }
    free(octets);
    free(text);
    return e;
}

/* ---- opening ------------------------------------------------------------------------------- */

static enum err not_sealed(struct err_info *info)
{
    return err_set(info, ERR_MALFORMED, "not a sealed text");
}

/* What begins like LEN octets of a sealed text: which version is it? */
static enum err version_of(const uint8_t *octets, size_t len, unsigned *out, struct err_info *info)
{
    bool ours = len > VERSION_AT && memcmp(octets, magic, sizeof magic) == 0;
    if (ours && octets[VERSION_AT] != VERSION) {
        return err_set(info, ERR_MALFORMED,
                       "sealed in version %u, which this program is too old for",
                       octets[VERSION_AT]);
    }
    if (ours && len >= OVERHEAD) {
        *out = VERSION;
        return ERR_OK;
    }
    if (!ours && len >= V1_CIPHER_AT && octets[0] == VERSION_OLD) {
        *out = VERSION_OLD;
        return ERR_OK;
    }
    return not_sealed(info);
}

/* All of the ring, both ways: there is no id. */
static enum err open_old(const struct seal_ring *r, uint8_t *octets, size_t len, uint8_t *plain,
                         struct err_info *info)
{
    struct job j = {.nonce = octets + V1_NONCE_AT,
                    .in = octets + V1_CIPHER_AT,
                    .out = plain,
                    .len = len - V1_CIPHER_AT,
                    .tag = octets + V1_TAG_AT};
    for (size_t i = 0; i < 2 * r->count; i++) {
        const struct seal_key *k = &r->keys[i / 2];
        j.key = i % 2 == 0 ? k->master : k->v1;
        enum err e = run(&j, false, info);
        if (e != ERR_DENIED) {
            return e;
        }
    }
    return err_set(info, ERR_NOTFOUND,
                   "sealed by the predecessor (" V1_ID
                   ") with a key that is not here, or damaged since");
}

static enum err open_new(const struct seal_ring *r, const struct seal_context *c, uint8_t *octets,
                         size_t len, uint8_t *plain, struct err_info *info)
{
    uint8_t commit[SEAL_COMMIT_LEN], data_key[SEAL_KEY_LEN];
    const uint8_t *id = octets + ID_AT;
    const struct seal_key *k = seal_ring_find(r, id);
    if (k == NULL) {
        return err_set(info, ERR_NOTFOUND, "sealed with key %02x%02x%02x%02x, which is not here",
                       id[0], id[1], id[2], id[3]);
    }
    struct job j = {.key = data_key,
                    .nonce = octets + NONCE_AT,
                    .head = octets + VERSION_AT,
                    .to = c,
                    .in = octets + CIPHER_AT,
                    .out = plain,
                    .len = len - OVERHEAD,
                    .tag = octets + len - TAG_LEN};
    commit_to(k, j.nonce, commit);
    enum err e =
        CRYPTO_memcmp(commit, octets + COMMIT_AT, SEAL_COMMIT_LEN) == 0 ? ERR_OK : ERR_DENIED;
    e = e == ERR_OK ? seal_data_key(k, c->purpose, data_key, info) : e;
    e = e == ERR_OK ? run(&j, false, info) : e;
    explicit_bzero(data_key, sizeof data_key);
    return e != ERR_DENIED
               ? e
               : err_set(info, e,
                         "sealed with key %s, but damaged since, or moved to another place",
                         k->id_text);
}

/* PLAIN has room for LEN octets, the number of OCTETS. */
static enum err open_octets(const struct seal_ring *r, const struct seal_context *c,
                            uint8_t *octets, size_t len, uint8_t *plain, size_t *plain_len,
                            struct err_info *info)
{
    unsigned version = 0;
    enum err e = version_of(octets, len, &version, info);
    if (e != ERR_OK) {
        return e;
    }
    *plain_len = len - (version == VERSION ? OVERHEAD : V1_CIPHER_AT);
    return version == VERSION ? open_new(r, c, octets, len, plain, info)
                              : open_old(r, octets, len, plain, info);
}

enum err seal_open(const struct seal_ring *r, const struct seal_context *c, const char *text,
                   uint8_t **out, size_t *len, struct err_info *info)
{
    size_t text_len = strnlen(text, TEXT_MAX + 1), octets_len = 0;
    if (text_len > TEXT_MAX) {
        return not_sealed(info);
    }
    size_t room = text_len / 4 * 3 + 3;
    uint8_t *octets = malloc(room), *plain = malloc(room);
    enum err e = octets != NULL && plain != NULL ? ERR_OK : seal_no_memory(info);
    if (e == ERR_OK && !base64_decode(text, text_len, octets, &octets_len)) {
        e = not_sealed(info);
    }
    e = e == ERR_OK ? open_octets(r, c, octets, octets_len, plain, len, info) : e;
    if (e == ERR_OK) {
        plain[*len] = '\0';
        *out = plain;
    } else {
        seal_wipe(plain, plain != NULL ? octets_len : 0); /* what did not prove to be right */
    }
    free(octets);
    return e;
}

void seal_wipe(uint8_t *plain, size_t len)
{
    if (plain != NULL) {
        explicit_bzero(plain, len);
        free(plain);
    }
}

/* ---- what it is ---------------------------------------------------------------------------- */

#define PIECE 64 /* characters; whole groups of four */

/* The whole is base64; HEAD gets its first octets. */
static bool look_through(const char *text, uint8_t head[PIECE], size_t *octets_len)
{
    size_t left = strnlen(text, TEXT_MAX + 1), n = PIECE / 4 * 3;
    uint8_t piece[PIECE];
    *octets_len = 0;
    if (left > TEXT_MAX) {
        return false;
    }
    while (left > 0) {
        size_t take = left < PIECE ? left : PIECE;
        /* Whatever comes after padding is too much. */
        if (n < PIECE / 4 * 3 || !base64_decode(text, take, piece, &n)) {
            return false;
        }
        if (*octets_len == 0) {
            memcpy(head, piece, n);
        }
        *octets_len += n;
        text += take;
        left -= take;
    }
    return true;
}

enum err seal_text_id(const char *text, char id[SEAL_ID_TEXT])
{
    uint8_t head[PIECE];
    size_t len;
    unsigned version = 0;
    if (!look_through(text, head, &len) || version_of(head, len, &version, NULL) != ERR_OK) {
        return ERR_MALFORMED;
    }
    if (version == VERSION) {
        snprintf(id, SEAL_ID_TEXT, "%02x%02x%02x%02x", head[ID_AT], head[ID_AT + 1],
                 head[ID_AT + 2], head[ID_AT + 3]);
    } else {
        snprintf(id, SEAL_ID_TEXT, "%s", V1_ID);
    }
    return ERR_OK;
}

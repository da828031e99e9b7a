#include "vault.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/base64.h"
#include "make_priv.h"

#define KEY_TEXT (BASE64_ROOM(SEAL_KEY_LEN) - 1)

struct cert_vault {
    struct seal_ring *ring; /* owned */
    atomic_uint_fast64_t failures;
};

/* ---- the keys ------------------------------------------------------------------------------ */

static enum err read_keys(const char *const *texts, size_t count, uint8_t (*keys)[SEAL_KEY_LEN],
                          struct err_info *info)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t octets[KEY_TEXT / 4 * 3 + 3];
        size_t len = 0;
        bool good = strlen(texts[i]) == KEY_TEXT &&
                    base64_decode(texts[i], KEY_TEXT, octets, &len) && len == SEAL_KEY_LEN;
        if (good) {
            memcpy(keys[i], octets, SEAL_KEY_LEN);
        }
        explicit_bzero(octets, sizeof octets);
        if (!good) {
            return err_set(info, ERR_MALFORMED,
                           "key %zu of %zu to seal with is not base64 of %d octets", i + 1, count,
                           SEAL_KEY_LEN);
        }
    }
    return ERR_OK;
}

static enum err make_ring(const char *const *texts, size_t count, struct seal_ring **out,
                          struct err_info *info)
{
    uint8_t keys[SEAL_KEYS_MAX][SEAL_KEY_LEN];
    enum err e = count <= SEAL_KEYS_MAX ? read_keys(texts, count, keys, info) : ERR_OK;
    if (e == ERR_OK) { /* which also says what is wrong with COUNT */
        e = seal_ring_new((const uint8_t(*)[SEAL_KEY_LEN])keys, count, out, info);
    }
    explicit_bzero(keys, sizeof keys);
    return e;
}

enum err cert_vault_new(const char *const *keys, size_t count, struct cert_vault **out,
                        struct err_info *info)
{
    struct cert_vault *v = OPENSSL_zalloc(sizeof *v);
    if (v == NULL) {
        return make_error(info, ERR_NOMEM, "cannot keep keys to seal with");
    }
    atomic_init(&v->failures, 0);
    enum err e = make_ring(keys, count, &v->ring, info);
    if (e != ERR_OK) {
        cert_vault_free(v);
        return e;
    }
    *out = v;
    return ERR_OK;
}

void cert_vault_free(struct cert_vault *v)
{
    if (v != NULL) {
        seal_ring_free(v->ring);
        OPENSSL_free(v);
    }
}

size_t cert_vault_keys(const struct cert_vault *v)
{
    return seal_ring_count(v->ring);
}

const char *cert_vault_key_id(const struct cert_vault *v, size_t i)
{
    return seal_ring_id(v->ring, i);
}

uint64_t cert_vault_failures(const struct cert_vault *v)
{
    return atomic_load_explicit(&v->failures, memory_order_relaxed);
}

/* ---- sealing and opening ------------------------------------------------------------------- */

#define PARTS_MAX 2

/* PARTS is the context's. */
static struct seal_context context_of(const struct cert_vault_place *place,
                                      const char *parts[PARTS_MAX])
{
    static const struct {
        const char *purpose;
        size_t parts;
    } kinds[] = {[CERT_VAULT_LEAF] = {"leaf", 2},
                 [CERT_VAULT_STAGED] = {"staged", 2},
                 [CERT_VAULT_ACCOUNT] = {"account", 1},
                 [CERT_VAULT_PENDING] = {"pending", 1}};
    parts[0] = place->name;
    parts[1] = place->id;
    assert(place->name != NULL && (place->id != NULL) == (kinds[place->kind].parts == 2));
    return (struct seal_context){.purpose = kinds[place->kind].purpose,
                                 .parts = parts,
                                 .parts_count = kinds[place->kind].parts};
}

enum err cert_vault_seal(const struct cert_vault *v, const struct cert_vault_place *place,
                         const char *pem, char **out, struct err_info *info)
{
    const char *parts[PARTS_MAX];
    const struct seal_context c = context_of(place, parts);
    return seal_close(v->ring, &c, pem, strlen(pem), out, info);
}

/* Of any kind: the predecessor's are RSA. */
static enum err check(const uint8_t *plain, size_t len, struct err_info *info)
{
    EVP_PKEY *key = NULL;
    enum err e = memchr(plain, '\0', len) == NULL
                     ? make_read_key(plain, len, &key, info)
                     : err_set(info, ERR_MALFORMED, "the text holds no private key");
    EVP_PKEY_free(key);
    return e == ERR_OK ? e : err_prefix(info, e, "what was opened is no key: ");
}

enum err cert_vault_open(struct cert_vault *v, const struct cert_vault_place *place,
                         const char *sealed, char **pem, struct err_info *info)
{
    const char *parts[PARTS_MAX];
    const struct seal_context c = context_of(place, parts);
    uint8_t *plain = NULL;
    size_t len = 0;
    enum err e = seal_open(v->ring, &c, sealed, &plain, &len, info);
    if (e == ERR_OK && (e = check(plain, len, info)) != ERR_OK) {
        seal_wipe(plain, len);
    }
    if (e != ERR_OK) {
        atomic_fetch_add_explicit(&v->failures, 1, memory_order_relaxed);
        return e;
    }
    *pem = (char *)plain; /* terminated, and nothing of it behind the NUL */
    return ERR_OK;
}

/* The master keys, and what is derived from them. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "seal_priv.h"

#define V1_LABEL "pryv-at-rest-tls-v1" /* the predecessor's */

/* Neither is the beginning of the other, whatever the purpose. */
#define DATA_LABEL   "dnsd seal 2: "
#define COMMIT_LABEL "dnsd seal 2 commitment"

/* ---- errors -------------------------------------------------------------------------------- */

enum err seal_no_memory(struct err_info *info)
{
    return err_set(info, ERR_NOMEM, "no memory to seal or open a secret");
}

enum err seal_failed(struct err_info *info)
{
    const char *why = NULL;
    bool memory = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        why = why == NULL ? ERR_reason_error_string(code) : why;
        memory = memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    }
    return memory ? seal_no_memory(info)
                  : err_set(info, ERR_IO, "cannot seal or open a secret: %s",
                            why != NULL ? why : "OpenSSL does not say why");
}

/* ---- deriving ------------------------------------------------------------------------------ */

/* HKDF-SHA256 (RFC 5869) with no salt. */
static enum err derive(const uint8_t master[SEAL_KEY_LEN], const char *label,
                       uint8_t out[SEAL_KEY_LEN], struct err_info *info)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master, SEAL_KEY_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label)),
        OSSL_PARAM_construct_end(),
    };
    ERR_clear_error();
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = c != NULL && EVP_KDF_derive(c, out, SEAL_KEY_LEN, params) == 1;
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
    if (!ok) {
        return seal_failed(info);
    }
    ERR_clear_error();
    return ERR_OK;
}

enum err seal_data_key(const struct seal_key *k, const char *purpose, uint8_t out[SEAL_KEY_LEN],
                       struct err_info *info)
{
    char label[sizeof DATA_LABEL + SEAL_PURPOSE_MAX];
    assert(strlen(purpose) <= SEAL_PURPOSE_MAX);
    snprintf(label, sizeof label, "%s%s", DATA_LABEL, purpose);
    return derive(k->master, label, out, info);
}

static void set_id(struct seal_key *k)
{
    static const char label[] = "dnsd seal key id";
    struct digest_hmac h;
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_hmac_init(&h, k->master, sizeof k->master);
    digest_hmac(&h, label, sizeof label - 1, digest);
    memcpy(k->id, digest, sizeof k->id);
    snprintf(k->id_text, sizeof k->id_text, "%02x%02x%02x%02x", k->id[0], k->id[1], k->id[2],
             k->id[3]);
    explicit_bzero(&h, sizeof h);
    explicit_bzero(digest, sizeof digest);
}

static enum err key_init(struct seal_key *k, const uint8_t master[SEAL_KEY_LEN],
                         struct err_info *info)
{
    uint8_t commit[SEAL_KEY_LEN];
    memcpy(k->master, master, sizeof k->master);
    set_id(k);
    enum err e = derive(master, V1_LABEL, k->v1, info);
    e = e == ERR_OK ? derive(master, COMMIT_LABEL, commit, info) : e;
    if (e == ERR_OK) {
        digest_hmac_init(&k->commit, commit, sizeof commit);
    }
    explicit_bzero(commit, sizeof commit);
    return e;
}

/* ---- the ring ------------------------------------------------------------------------------ */

const struct seal_key *seal_ring_find(const struct seal_ring *r, const uint8_t id[SEAL_ID_LEN])
{
    for (size_t i = 0; i < r->count; i++) {
        if (memcmp(r->keys[i].id, id, SEAL_ID_LEN) == 0) {
            return &r->keys[i];
        }
    }
    return NULL;
}

enum err seal_ring_new(const uint8_t (*keys)[SEAL_KEY_LEN], size_t count, struct seal_ring **out,
                       struct err_info *info)
{
    if (count == 0 || count > SEAL_KEYS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu keys to seal with: 1 to %d are possible", count,
                       SEAL_KEYS_MAX);
    }
    struct seal_ring *r = OPENSSL_zalloc(sizeof *r);
    enum err e = r != NULL ? ERR_OK : seal_failed(info);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = key_init(&r->keys[i], keys[i], info);
        const struct seal_key *same = seal_ring_find(r, r->keys[i].id);
        if (e == ERR_OK && same != NULL) {
            e = err_set(info, ERR_CONFLICT, "keys %zu and %zu are the same (id %s)",
                        (size_t)(same - r->keys) + 1, i + 1, same->id_text);
        }
        r->count++;
    }
    if (e != ERR_OK) {
        seal_ring_free(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void seal_ring_free(struct seal_ring *r)
{
    OPENSSL_clear_free(r, sizeof *r);
}

size_t seal_ring_count(const struct seal_ring *r)
{
    return r->count;
}

const char *seal_ring_id(const struct seal_ring *r, size_t i)
{
    return r->keys[i].id_text;
}

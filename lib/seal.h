/* Sealing small secrets for storage: AES-256-GCM under keys derived from one master key, bound to
 * what they are and where they belong, with a list of master keys so that they can be changed.
 *
 * A sealed text is base64 (RFC 4648 §4) of
 *   "ds" | version 2 | key id (4) | commitment (16) | nonce (12) | ciphertext | tag (16)
 * The data key is HKDF-SHA256 (RFC 5869) of the master key with the purpose, after a label of ours, as
 * info. The additional data are version, key id, purpose and the context's parts, each with its length
 * (32 bits) before it: a text that is moved to another row, name or generation does not open. The key id
 * is the beginning of an HMAC of the master key over a constant, so cores can tell each other which keys
 * they have without telling the keys. GCM alone does not commit to a key; the commitment, an HMAC over
 * the nonce under another derived key, does.
 *
 * The predecessor's texts (base64 of version 1, nonce, tag, ciphertext; no additional data; the key
 * itself, or HKDF of it) are opened too, and never made.
 *
 * Errors of seal_open(): ERR_NOTFOUND: sealed with a key that is not in the ring (INFO names its id;
 * the predecessor's have none, so a damaged one looks the same); ERR_DENIED: the key is there, but this is not what was sealed, or not for this context; ERR_MALFORMED: not a sealed text, or
 * of a version we do not know; ERR_NOMEM; ERR_IO: OpenSSL refuses. What was opened is wiped by
 * seal_wipe(). Threads: a ring is read-only once made; any thread.
 */
#ifndef LIB_SEAL_H
#define LIB_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define SEAL_KEY_LEN     32
#define SEAL_KEYS_MAX    8
#define SEAL_PLAIN_MAX   (64 * 1024)
#define SEAL_PARTS_MAX   8
#define SEAL_PURPOSE_MAX 64
#define SEAL_ID_TEXT     9 /* 8 hex digits and a NUL; "v1" for the predecessor's */

struct seal_ring;

/* The first of COUNT keys seals, all open. The keys are copied. ERR_LIMIT, ERR_CONFLICT (two keys with
 * the same id), ERR_NOMEM, ERR_IO. */
enum err seal_ring_new(const uint8_t (*keys)[SEAL_KEY_LEN], size_t count, struct seal_ring **out,
                       struct err_info *info) MUST_USE;
void seal_ring_free(struct seal_ring *r); /* wipes */
size_t seal_ring_count(const struct seal_ring *r);
const char *seal_ring_id(const struct seal_ring *r, size_t i); /* borrowed */

struct seal_context {
    const char *purpose;      /* static: one word per kind of secret, at most SEAL_PURPOSE_MAX */
    const char *const *parts; /* what it belongs to */
    size_t parts_count;       /* at most SEAL_PARTS_MAX */
};

/* *out is a text, the caller's to free. ERR_LIMIT (SEAL_PLAIN_MAX), ERR_NOMEM, ERR_IO. */
enum err seal_close(const struct seal_ring *r, const struct seal_context *c, const void *plain,
                    size_t len, char **out, struct err_info *info) MUST_USE;
/* *out has one NUL more than *len counts; free it with seal_wipe(). */
enum err seal_open(const struct seal_ring *r, const struct seal_context *c, const char *text,
                   uint8_t **out, size_t *len, struct err_info *info) MUST_USE;
void seal_wipe(uint8_t *plain, size_t len); /* and frees; NULL is fine */

/* The id of the key that TEXT is sealed with. ERR_MALFORMED. */
enum err seal_text_id(const char *text, char id[SEAL_ID_TEXT]) MUST_USE;

#endif

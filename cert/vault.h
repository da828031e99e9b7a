/* The one place where a plaintext key and the store's rows meet: what is sealed under which purpose,
 * and what it is bound to.
 *
 *   leaf     tls-cert/<hostname>      hostname, generation
 *   staged   an order's row           hostname, order id
 *   account  an account's row         directory URL
 *   pending  the same, during a change of keys
 *
 * Keys travel as PKCS #8 PEM. The predecessor's sealed texts open whatever they are bound to.
 * Threads: any; a vault is read-only. Errors: those of lib/seal.h; ERR_MALFORMED also: what was opened
 * is not a private key (of any kind: the predecessor's are RSA). Failures to open are counted
 * (cert_vault_failures()).
 */
#ifndef CERT_VAULT_H
#define CERT_VAULT_H

#include "lib/seal.h"

struct cert_vault;

enum cert_vault_kind { CERT_VAULT_LEAF, CERT_VAULT_STAGED, CERT_VAULT_ACCOUNT, CERT_VAULT_PENDING };

struct cert_vault_place {
    enum cert_vault_kind kind;
    const char *name; /* hostname, or directory URL */
    const char *id;   /* generation in decimal, or order id; NULL with accounts */
};

/* KEYS: base64 of 32 octets each (letsEncrypt.atRestKey). ERR_MALFORMED names the position, never the
 * key; ERR_LIMIT, ERR_CONFLICT (one is there twice), ERR_NOMEM, ERR_IO. */
enum err cert_vault_new(const char *const *keys, size_t count, struct cert_vault **out,
                        struct err_info *info) MUST_USE;
void cert_vault_free(struct cert_vault *v);

enum err cert_vault_seal(const struct cert_vault *v, const struct cert_vault_place *place,
                         const char *pem, char **out, struct err_info *info) MUST_USE;
/* *pem is freed with cert_key_pem_free(). */
enum err cert_vault_open(struct cert_vault *v, const struct cert_vault_place *place,
                         const char *sealed, char **pem, struct err_info *info) MUST_USE;

size_t cert_vault_keys(const struct cert_vault *v);
const char *cert_vault_key_id(const struct cert_vault *v, size_t i); /* [0] seals */
uint64_t cert_vault_failures(const struct cert_vault *v);

#endif

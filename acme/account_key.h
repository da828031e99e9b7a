/* The keys of accounts, between the rows and the requests. Any thread; errors of cert/vault.h and
 * cert/key.h, with no name in front. */
#ifndef ACME_ACCOUNT_KEY_H
#define ACME_ACCOUNT_KEY_H

#include "cert/vault.h"
#include "jws.h"

/* KIND: CERT_VAULT_ACCOUNT, or CERT_VAULT_PENDING during a change of keys. *key is the caller's. */
enum err account_key_open(struct cert_vault *v, enum cert_vault_kind kind, const char *directory,
                          const char *sealed, struct cert_key **key,
                          char thumbprint[JWS_THUMBPRINT], struct err_info *info) MUST_USE;
/* Another one, and sealed; both the caller's. Off the loop. */
enum err account_key_make(const struct cert_vault *v, enum cert_vault_kind kind,
                          const char *directory, struct cert_key **key, char **sealed,
                          char thumbprint[JWS_THUMBPRINT], struct err_info *info) MUST_USE;
enum err account_key_seal(const struct cert_vault *v, enum cert_vault_kind kind,
                          const char *directory, const struct cert_key *key, char **sealed,
                          struct err_info *info) MUST_USE;

#endif

#include "account_key.h"

#include <stdlib.h>
#include <string.h>

enum err account_key_open(struct cert_vault *v, enum cert_vault_kind kind, const char *directory,
                          const char *sealed, struct cert_key **key,
                          char thumbprint[JWS_THUMBPRINT], struct err_info *info)
{
    struct cert_vault_place place = {.kind = kind, .name = directory};
    char *pem = NULL;
    *key = NULL;
    enum err e = cert_vault_open(v, &place, sealed, &pem, info);
    if (e == ERR_OK) {
        e = cert_key_from_pem(pem, strlen(pem), key, info);
    }
    cert_key_pem_free(pem);
    if (e == ERR_OK) {
        e = jws_thumbprint(*key, thumbprint, info);
    }
    if (e != ERR_OK) {
        cert_key_free(*key);
        *key = NULL;
    }
    return e;
}

enum err account_key_seal(const struct cert_vault *v, enum cert_vault_kind kind,
                          const char *directory, const struct cert_key *key, char **sealed,
                          struct err_info *info)
{
    struct cert_vault_place place = {.kind = kind, .name = directory};
    char *pem = NULL;
    *sealed = NULL;
    enum err e = cert_key_to_pem(key, &pem, info);
    if (e == ERR_OK) {
        e = cert_vault_seal(v, &place, pem, sealed, info);
    }
    cert_key_pem_free(pem);
    return e;
}

enum err account_key_make(const struct cert_vault *v, enum cert_vault_kind kind,
                          const char *directory, struct cert_key **key, char **sealed,
                          char thumbprint[JWS_THUMBPRINT], struct err_info *info)
{
    *sealed = NULL;
    enum err e = cert_key_new(key, info);
    if (e != ERR_OK) {
        *key = NULL;
        return e;
    }
    e = jws_thumbprint(*key, thumbprint, info);
    if (e == ERR_OK) {
        e = account_key_seal(v, kind, directory, *key, sealed, info);
    }
    if (e != ERR_OK) {
        cert_key_free(*key);
        *key = NULL;
    }
    return e;
}

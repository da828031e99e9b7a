/* The directory (RFC 8555 §7.1.1) and its `meta`: mostly things that may be missing. */
#include <string.h>

#include "object_priv.h"

/* Names offered (draft-ietf-acme-profiles §3), values are descriptions. */
static void read_profiles(const json_t *meta, struct acme_directory *out)
{
    const json_t *profiles = NULL;
    if (jx_object(meta, "profiles", &profiles, NULL) != ERR_OK) {
        return;
    }
    for (void *at = json_object_iter((json_t *)profiles);
         at != NULL && out->profiles_count < ACME_PROFILES_MAX;
         at = json_object_iter_next((json_t *)profiles, at)) {
        const char *name = json_object_iter_key(at);
        char *to = out->profiles[out->profiles_count];
        acme_text_clean(name, to, sizeof out->profiles[0]);
        out->profiles_count += name[0] != '\0' && strcmp(name, to) == 0 ? 1 : 0;
    }
}

static void read_issuers(const json_t *meta, struct acme_directory *out)
{
    const json_t *list = NULL;
    if (jx_array(meta, "caaIdentities", &list, NULL) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < json_array_size(list) && out->caa_identities_count < ACME_ISSUERS_MAX;
         i++) {
        const char *name = jx_string_at(list, i);
        char *to = out->caa_identities[out->caa_identities_count];
        if (name != NULL && object_name(name, to, NULL) == ERR_OK) {
            out->caa_identities_count++;
        }
    }
}

static void read_meta(const json_t *meta, struct acme_directory *out)
{
    bool bound = false;
    object_url_if(meta, "termsOfService", out->terms);
    object_url_if(meta, "website", out->website);
    out->external_account_required =
        jx_bool(meta, "externalAccountRequired", &bound, NULL) == ERR_OK && bound;
    read_profiles(meta, out);
    read_issuers(meta, out);
}

static enum err read_directory(const json_t *root, struct acme_directory *out,
                               struct err_info *info)
{
    const json_t *meta = NULL;
    enum err e = object_url(root, "newNonce", out->new_nonce, info);
    if (e == ERR_OK) {
        e = object_url(root, "newAccount", out->new_account, info);
    }
    if (e == ERR_OK) {
        e = object_url(root, "newOrder", out->new_order, info);
    }
    object_url_if(root, "revokeCert", out->revoke_cert);
    object_url_if(root, "keyChange", out->key_change);
    object_url_if(root, "renewalInfo", out->renewal_info);
    if (jx_object(root, "meta", &meta, NULL) == ERR_OK) {
        read_meta(meta, out);
    }
    return e;
}

enum err acme_directory_read(const char *body, size_t len, struct acme_directory *out,
                             struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct acme_directory){.new_nonce = ""};
    enum err e = object_parse(body, len, &root, info);
    if (e == ERR_OK) {
        e = read_directory(root, out, info);
    }
    json_decref(root);
    return e == ERR_OK ? e : err_prefix(info, e, "directory: ");
}

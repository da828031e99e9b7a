/* What is sent to a CA, as JSON (RFC 8555 §7). */
#include <stdlib.h>

#include "job_priv.h"
#include "lib/base64.h"

static char *dump(json_t *object)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

/* "": none, which takes away what was there (§7.3.2). */
static json_t *contacts(const char *contact)
{
    return *contact != '\0' ? json_pack("[s+]", "mailto:", contact) : json_array();
}

char *acme_job_payload_revoke(const uint8_t *der, size_t len, int reason)
{
    char *text = malloc(BASE64_ROOM(len));
    json_t *object = NULL;
    if (text != NULL) {
        base64url_encode(der, len, text);
        object = reason < 0 ? json_pack("{s:s}", "certificate", text)
                            : json_pack("{s:s, s:i}", "certificate", text, "reason", reason);
    }
    free(text);
    return dump(object);
}

char *acme_job_payload_account(const char *contact, bool only_existing, const char *binding)
{
    if (only_existing) {
        return dump(json_pack("{s:b}", "onlyReturnExisting", true));
    }
    json_t *inner = binding != NULL ? json_loads(binding, 0, NULL) : NULL;
    if (binding != NULL && inner == NULL) {
        return NULL;
    }
    return dump(json_pack("{s:b, s:o*, s:o*}", "termsOfServiceAgreed", true, "contact",
                          *contact != '\0' ? contacts(contact) : NULL, "externalAccountBinding",
                          inner));
}

char *acme_job_payload_contact(const char *contact)
{
    return dump(json_pack("{s:o}", "contact", contacts(contact)));
}

char *acme_job_payload_order(const char *const *names, size_t count, const char *replaces,
                             const char *profile)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:s, s:s}", "type", "dns", "value", names[i]);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return dump(json_pack("{s:o, s:s*, s:s*}", "identifiers", list, "replaces", replaces, "profile",
                          profile));
}

char *acme_job_payload_finalize(const uint8_t *csr, size_t len)
{
    char *text = malloc(BASE64_ROOM(len));
    if (text == NULL) {
        return NULL;
    }
    base64url_encode(csr, len, text);
    char *payload = dump(json_pack("{s:s}", "csr", text));
    free(text);
    return payload;
}

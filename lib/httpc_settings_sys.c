/* What all requests of an HTTP client have in common. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "file_sys.h"
#include "httpc_priv.h"
#include "str.h"

#define CA_FILE_MAX (1024 * 1024) /* all of Debian's are 220 KB */
#define PIN_OCTETS  32            /* of a SHA-256 ... */
#define PIN_LEN     44            /* ... as base64 (RFC 4648 §4) */

static enum err ca_read(struct httpc_settings *s, const char *path, struct err_info *info)
{
    uint8_t *pem = NULL;
    size_t len;
    enum err e = file_read(path, CA_FILE_MAX, &pem, &len, info);
    if (e != ERR_OK) {
        return e;
    }
    s->ca = (struct curl_blob){.data = pem, .len = len, .flags = CURL_BLOB_NOCOPY};
    if (memmem(pem, len, "CERTIFICATE-----", 16) == NULL) {
        return err_set(info, ERR_MALFORMED, "%s has no certificate (PEM)", path);
    }
    return ERR_OK;
}

static bool copy(const char *text, char **out)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

/* Without a check libcurl would take what it does not know for the name of a file. */
static enum err pins_join(struct httpc_settings *s, const struct httpc_options *o,
                          struct err_info *info)
{
    struct str all = {.text = NULL};
    for (size_t i = 0; i < o->pins_count; i++) {
        uint8_t octets[PIN_LEN];
        size_t len = strlen(o->pins[i]);
        if (len != PIN_LEN || !base64_decode(o->pins[i], len, octets, &len) || len != PIN_OCTETS) {
            str_free(&all);
            return err_set(info, ERR_MALFORMED, "pin %zu is not the SHA-256 of a key (base64)",
                           i + 1);
        }
        str_appendf(&all, "%ssha256//%s", i > 0 ? ";" : "", o->pins[i]);
    }
    s->pins = all.text;
    return ERR_OK;
}

enum err httpc_settings_init(struct httpc_settings *s, const struct httpc_options *o,
                             struct err_info *info)
{
    if ((o->cert_file == NULL) != (o->key_file == NULL)) {
        return err_set(info, ERR_CONFLICT, "a certificate's file and its key's belong together");
    }
    if (o->pins_count > HTTPC_PINS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu pins: up to %d are possible", o->pins_count,
                       HTTPC_PINS_MAX);
    }
    if (o->pins_count > 0 && o->ca_file != NULL) {
        return err_set(info, ERR_CONFLICT, "either a CA is believed or a pinned key");
    }
    if (!copy(o->user_agent != NULL ? o->user_agent : "dnsd", &s->user_agent) ||
        !copy(o->cert_file, &s->cert_file) || !copy(o->key_file, &s->key_file)) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    enum err e = o->pins_count > 0 ? pins_join(s, o, info) : ERR_OK;
    return e == ERR_OK && o->ca_file != NULL ? ca_read(s, o->ca_file, info) : e;
}

void httpc_settings_fini(struct httpc_settings *s)
{
    free(s->user_agent);
    free(s->ca.data);
    free(s->cert_file);
    free(s->key_file);
    free(s->pins);
}

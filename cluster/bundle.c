#include "bundle.h"

#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "lib/jx.h"
#include "lib/seal.h"
#include "lib/seal_phrase.h"

/* ---- memory -------------------------------------------------------------------------------- */

static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void wipe_section(const struct bundle_section *s, void *base)
{
    for (size_t i = 0; i < s->count; i++) {
        wipe(*(char **)(void *)((char *)base + s->fields[i].at));
    }
}

void bundle_free(struct bundle *b)
{
    const struct bundle_section *const sections[] = {
        &bundle_cluster, &bundle_ca, &bundle_node, &bundle_auth, &bundle_acme, &bundle_platform};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        wipe_section(sections[i], b);
    }
    for (size_t i = 0; i < b->cluster.ack_pins_count; i++) {
        wipe(b->cluster.ack_pins[i]);
    }
    for (size_t i = 0; i < b->cluster.members_count; i++) {
        wipe_section(&bundle_member, &b->cluster.members[i]);
    }
    jx_wipe(b->secrets.at_rest_keys);
    jx_wipe(b->config);
    *b = (struct bundle){.version = 0};
}

/* ---- sealing ------------------------------------------------------------------------------- */

/* What cannot be opened again is not worth sealing. */
static enum err write_checked(const struct bundle *b, uint8_t **json, size_t *len,
                              struct err_info *info)
{
    struct bundle again;
    enum err e = bundle_write(b, json, len, info);
    if (e != ERR_OK) {
        return e;
    }
    e = *len <= SEAL_PHRASE_MAX ? bundle_read((const char *)*json, *len, &again, info)
                                : err_set(info, ERR_LIMIT, "%zu octets; at most %d can be sealed",
                                          *len, SEAL_PHRASE_MAX);
    if (e == ERR_OK) {
        bundle_free(&again);
    } else {
        seal_wipe(*json, *len);
        *json = NULL;
    }
    return e;
}

enum err bundle_seal(const struct bundle *b, const char *passphrase, char **text,
                     struct err_info *info)
{
    char phrase[BUNDLE_PASSPHRASE_MAX];
    size_t phrase_len = 0, len = 0, octets_len = 0;
    uint8_t *json = NULL, *octets = NULL;
    enum err e = bundle_passphrase_fold(passphrase, phrase, &phrase_len, info);
    e = e == ERR_OK ? write_checked(b, &json, &len, info) : e;
    e = e == ERR_OK ? seal_phrase_close(phrase, phrase_len, json, len, &octets, &octets_len, info)
                    : e;
    e = e == ERR_OK ? bundle_armour_write(octets, octets_len, text, info) : e;
    free(octets);
    seal_wipe(json, len);
    explicit_bzero(phrase, sizeof phrase);
    return e == ERR_OK ? e : err_prefix(info, e, "cannot seal the bundle: ");
}

/* ---- opening ------------------------------------------------------------------------------- */

/* In version 1 every octet of the passphrase counts. */
static enum err open_octets(const uint8_t *octets, size_t octets_len, const char *passphrase,
                            uint8_t **json, size_t *len, struct err_info *info)
{
    char phrase[BUNDLE_PASSPHRASE_MAX];
    size_t phrase_len = 0;
    if (seal_phrase_version(octets, octets_len) == 1) {
        return seal_phrase_open(passphrase, strlen(passphrase), octets, octets_len, json, len,
                                info);
    }
    enum err e = bundle_passphrase_fold(passphrase, phrase, &phrase_len, info);
    e = e == ERR_OK ? seal_phrase_open(phrase, phrase_len, octets, octets_len, json, len, info) : e;
    explicit_bzero(phrase, sizeof phrase);
    return e;
}

enum err bundle_open(const char *text, size_t len, const char *passphrase, struct bundle *out,
                     struct err_info *info)
{
    uint8_t *octets = NULL, *json = NULL;
    size_t octets_len = 0, json_len = 0;
    *out = (struct bundle){.version = 0};
    enum err e = bundle_armour_read(text, len, &octets, &octets_len, info);
    e = e == ERR_OK ? open_octets(octets, octets_len, passphrase, &json, &json_len, info) : e;
    e = e == ERR_OK ? bundle_read((const char *)json, json_len, out, info) : e;
    free(octets);
    seal_wipe(json, json_len);
    return e == ERR_OK ? e : err_prefix(info, e, "cannot open the bundle: ");
}

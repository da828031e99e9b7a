/* A bundle as JSON. Whether it makes sense is for the reader to say: bundle_seal() reads what was written. */
#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "lib/jx.h"
#include "lib/str.h"

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_NOMEM, "no memory for a bundle");
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool is_utf8(const char *text)
{
    for (size_t n; *text != '\0'; text += n) {
        n = str_utf8_len((const unsigned char *)text);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

static enum err put(json_t *o, const char *key, json_t *value, struct err_info *info)
{
    return json_object_set_new(o, key, value) == 0 ? ERR_OK : no_memory(info);
}

static enum err put_fields(json_t *o, const struct bundle_section *s, const void *base,
                           struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        const struct bundle_field *f = &s->fields[i];
        const char *text = *(char *const *)(const void *)((const char *)base + f->at);
        text = text == NULL && f->empty_too ? "" : text;
        if (text != NULL) {
            char room[BUNDLE_ADDRESS];
            text = bundle_field_written(f, text, room);
            e = is_utf8(text) ? put(o, f->key, json_string(text), info)
                              : err_set(info, ERR_MALFORMED, "%s: not UTF-8", f->key);
        }
    }
    return e;
}

/* An object of the section's texts, into PARENT. *out is borrowed from it; NULL is fine. */
static enum err put_section(json_t *parent, const char *key, const struct bundle_section *s,
                            const void *base, json_t **out, struct err_info *info)
{
    json_t *o = json_object();
    enum err e = put(parent, key, o, info);
    if (e == ERR_OK) {
        e = put_fields(o, s, base, info);
        if (e != ERR_OK) {
            (void)err_prefix(info, e, "%s.", key);
        }
    }
    if (out != NULL) {
        *out = o;
    }
    return e;
}

/* ---- the sections -------------------------------------------------------------------------- */

static enum err put_pins(json_t *cluster, const struct bundle *b, struct err_info *info)
{
    json_t *list = json_array();
    enum err e = put(cluster, "ackPins", list, info);
    for (size_t i = 0; e == ERR_OK && i < b->cluster.ack_pins_count; i++) {
        e = json_array_append_new(list, json_string(b->cluster.ack_pins[i])) == 0 ? ERR_OK
                                                                                  : no_memory(info);
    }
    return e;
}

static enum err put_members(json_t *cluster, const struct bundle *b, struct err_info *info)
{
    json_t *list = json_array();
    enum err e = put(cluster, "members", list, info);
    for (size_t i = 0; e == ERR_OK && i < b->cluster.members_count; i++) {
        json_t *o = json_object();
        e = json_array_append_new(list, o) == 0 ? ERR_OK : no_memory(info);
        e = e == ERR_OK ? put_fields(o, &bundle_member, &b->cluster.members[i], info) : e;
        if (e != ERR_OK) {
            (void)err_prefix(info, e, "members[%zu].", i);
        }
    }
    return e;
}

static enum err put_cluster(json_t *root, const struct bundle *b, struct err_info *info)
{
    json_t *cluster = NULL;
    enum err e = put_section(root, "cluster", &bundle_cluster, b, &cluster, info);
    if (e != ERR_OK) {
        return e;
    }
    e = put_section(cluster, "ca", &bundle_ca, b, NULL, info);
    e = e == ERR_OK ? put_pins(cluster, b, info) : e;
    e = e == ERR_OK ? put_members(cluster, b, info) : e;
    return e == ERR_OK ? e : err_prefix(info, e, "cluster.");
}

/* A list's first key is written alone, too: versions 2 and 3 knew no other. */
static enum err put_acme(json_t *secrets, const struct bundle *b, struct err_info *info)
{
    json_t *acme = NULL;
    const char *first = jx_string_at(b->secrets.at_rest_keys, 0);
    if (b->secrets.at_rest_keys == NULL) {
        return b->secrets.at_rest_key == NULL
                   ? ERR_OK
                   : put_section(secrets, "letsEncrypt", &bundle_acme, b, NULL, info);
    }
    enum err e = put_section(secrets, "letsEncrypt", &bundle_acme, b, &acme, info);
    if (e == ERR_OK && b->secrets.at_rest_key == NULL && first != NULL) {
        e = put(acme, "atRestKey", json_string(first), info);
    }
    return e == ERR_OK ? put(acme, "atRestKeys", json_incref(b->secrets.at_rest_keys), info) : e;
}

static enum err put_secrets(json_t *root, const struct bundle *b, struct err_info *info)
{
    json_t *secrets = json_object();
    enum err e = put(root, "platformSecrets", secrets, info);
    e = e == ERR_OK ? put_section(secrets, "auth", &bundle_auth, b, NULL, info) : e;
    e = e == ERR_OK ? put_acme(secrets, b, info) : e;
    if (e == ERR_OK && b->secrets.pii_hmac_key != NULL) {
        e = put_section(secrets, "platform", &bundle_platform, b, NULL, info);
    }
    return e == ERR_OK ? e : err_prefix(info, e, "platformSecrets.");
}

static enum err put_ports(json_t *root, const struct bundle *b, struct err_info *info)
{
    json_t *o = json_object();
    enum err e = put(root, "rqlite", o, info);
    e = e == ERR_OK ? put(o, "raftPort", json_integer(b->rqlite.raft_port), info) : e;
    return e == ERR_OK ? put(o, "httpPort", json_integer(b->rqlite.http_port), info) : e;
}

static enum err put_time(json_t *root, const char *key, int64_t ms, struct err_info *info)
{
    char text[BUNDLE_TIME];
    bundle_time_write(ms, text);
    return put(root, key, json_string(text), info);
}

static enum err put_all(json_t *root, const struct bundle *b, struct err_info *info)
{
    enum err e = put(root, "version", json_integer(BUNDLE_VERSION), info);
    e = e == ERR_OK ? put_time(root, "issuedAt", b->issued_ms, info) : e;
    e = e == ERR_OK ? put_time(root, "expiresAt", b->expires_ms, info) : e;
    e = e == ERR_OK ? put_cluster(root, b, info) : e;
    e = e == ERR_OK ? put_section(root, "node", &bundle_node, b, NULL, info) : e;
    e = e == ERR_OK ? put_secrets(root, b, info) : e;
    e = e == ERR_OK ? put_ports(root, b, info) : e;
    return e == ERR_OK && b->config != NULL ? put(root, "config", json_incref(b->config), info) : e;
}

/* ---- the text ------------------------------------------------------------------------------ */

/* Into a buffer of ours, which can be wiped. */
static enum err dump(const json_t *root, uint8_t **text, size_t *len, struct err_info *info)
{
    size_t n = json_dumpb(root, NULL, 0, JSON_COMPACT);
    uint8_t *out = n > 0 ? malloc(n + 1) : NULL;
    if (out == NULL || json_dumpb(root, (char *)out, n, JSON_COMPACT) != n) {
        free(out);
        return no_memory(info);
    }
    out[n] = '\0';
    *text = out;
    *len = n;
    return ERR_OK;
}

enum err bundle_write(const struct bundle *b, uint8_t **text, size_t *len, struct err_info *info)
{
    json_t *root = json_object();
    enum err e = root != NULL ? put_all(root, b, info) : no_memory(info);
    e = e == ERR_OK ? dump(root, text, len, info) : e;
    jx_wipe(root);
    return e;
}

/* A bundle's JSON, opened: each member is looked at, and named when it is wrong. Values are never quoted:
 * most of them are secrets. What is not known here is left alone: it may be of a later version's making. */
#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "lib/jx.h"
#include "lib/seal.h"

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_NOMEM, "no memory for a bundle");
}

/* A member that has to be there. */
static enum err needed(enum err e)
{
    return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

/* ---- texts --------------------------------------------------------------------------------- */

static enum err take(const char *text, bundle_rule *rule, char **out, struct err_info *info)
{
    enum err e = rule(text, info);
    if (e == ERR_OK) {
        *out = strdup(text);
        e = *out != NULL ? ERR_OK : no_memory(info);
    }
    return e;
}

static enum err read_field(const json_t *o, const struct bundle_field *f, int version, void *base,
                           struct err_info *info)
{
    const char *text = NULL;
    enum err e = jx_string(o, f->key, &text, info);
    if (e == ERR_NOTFOUND && version < f->needed) {
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return needed(e);
    }
    if (f->empty_too && text[0] == '\0') {
        return ERR_OK;
    }
    e = take(text, f->rule, (char **)(void *)((char *)base + f->at), info);
    return e == ERR_OK ? e : err_prefix(info, e, "%s: ", f->key);
}

static enum err read_section(const json_t *o, const struct bundle_section *s, int version,
                             void *base, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        e = read_field(o, &s->fields[i], version, base, info);
    }
    return e;
}

/* Where the sections are. */
static const struct place {
    const char *outer, *inner; /* inner NULL: the outer's own members */
    const struct bundle_section *section;
    bool optional;
} places[] = {
    {"cluster", NULL, &bundle_cluster, false},
    {"cluster", "ca", &bundle_ca, false},
    {"node", NULL, &bundle_node, false},
    {"platformSecrets", "auth", &bundle_auth, true},
    {"platformSecrets", "letsEncrypt", &bundle_acme, true},
    {"platformSecrets", "platform", &bundle_platform, true},
};

static enum err read_inner(const json_t *outer, const struct place *p, struct bundle *b,
                           struct err_info *info)
{
    const json_t *o = NULL;
    enum err e = jx_object(outer, p->inner, &o, info);
    if (e != ERR_OK) {
        return e;
    }
    e = read_section(o, p->section, b->version, b, info);
    return e == ERR_OK ? e : err_prefix(info, e, "%s.", p->inner);
}

static enum err read_place(const json_t *root, const struct place *p, struct bundle *b,
                           struct err_info *info)
{
    const json_t *o = NULL;
    enum err e = jx_object(root, p->outer, &o, info);
    if (e == ERR_OK) {
        e = p->inner != NULL ? read_inner(o, p, b, info)
                             : read_section(o, p->section, b->version, b, info);
        if (e != ERR_OK) {
            (void)err_prefix(info, e, "%s.", p->outer);
        }
    }
    return e == ERR_NOTFOUND && p->optional ? ERR_OK : needed(e);
}

/* ---- lists --------------------------------------------------------------------------------- */

/* NULL: there is none. */
static enum err find_list(const json_t *o, const char *key, size_t most, const json_t **out,
                          struct err_info *info)
{
    *out = NULL;
    enum err e = jx_array(o, key, out, info);
    if (e == ERR_OK && json_array_size(*out) > most) {
        e = err_set(info, ERR_LIMIT, "%s: more than %zu", key, most);
    }
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err check_text_at(const json_t *list, size_t i, bundle_rule *rule,
                              struct err_info *info)
{
    const char *text = jx_string_at(list, i);
    return text != NULL ? rule(text, info) : err_set(info, ERR_MALFORMED, "must be a string");
}

static enum err read_pins(const json_t *cluster, struct bundle *b, struct err_info *info)
{
    const json_t *list = NULL;
    enum err e = find_list(cluster, "ackPins", BUNDLE_PINS_MAX, &list, info);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(list); i++) {
        e = check_text_at(list, i, bundle_rule_pin, info);
        if (e != ERR_OK) {
            return err_prefix(info, e, "ackPins[%zu]: ", i);
        }
        b->cluster.ack_pins[i] = strdup(jx_string_at(list, i));
        e = b->cluster.ack_pins[i] != NULL ? ERR_OK : no_memory(info);
        b->cluster.ack_pins_count++;
    }
    return e;
}

static enum err check_member(const struct bundle *b, size_t number, struct err_info *info)
{
    const char *id = b->cluster.members[number].id;
    if (strcmp(id, b->node.id) == 0) {
        return err_set(info, ERR_MALFORMED, "id: this is the new core itself");
    }
    for (size_t i = 0; i < number; i++) {
        if (strcmp(id, b->cluster.members[i].id) == 0) {
            return err_set(info, ERR_MALFORMED, "id: the same as members[%zu].id", i);
        }
    }
    return ERR_OK;
}

static enum err read_members(const json_t *cluster, struct bundle *b, struct err_info *info)
{
    const json_t *list = NULL;
    enum err e = find_list(cluster, "members", BUNDLE_MEMBERS_MAX, &list, info);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        b->cluster.members_count++;
        e = json_is_object(o)
                ? read_section(o, &bundle_member, b->version, &b->cluster.members[i], info)
                : err_set(info, ERR_MALFORMED, "must be an object");
        e = e == ERR_OK ? check_member(b, i, info) : e;
        if (e != ERR_OK) {
            (void)err_prefix(info, e, json_is_object(o) ? "members[%zu]." : "members[%zu]: ", i);
        }
    }
    return e;
}

static enum err read_cluster_lists(const json_t *root, struct bundle *b, struct err_info *info)
{
    const json_t *cluster = NULL;
    enum err e = needed(jx_object(root, "cluster", &cluster, info));
    if (e != ERR_OK) {
        return e;
    }
    e = read_pins(cluster, b, info);
    e = e == ERR_OK ? read_members(cluster, b, info) : e;
    return e == ERR_OK ? e : err_prefix(info, e, "cluster.");
}

/* atRestKey is the first of atRestKeys. */
static enum err check_keys(const json_t *list, struct bundle *b, struct err_info *info)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum err e = check_text_at(list, i, bundle_rule_secret, info);
        if (e != ERR_OK) {
            return err_prefix(info, e, "atRestKeys[%zu]: ", i);
        }
    }
    const char *first = jx_string_at(list, 0);
    if (first == NULL) {
        return err_set(info, ERR_MALFORMED, "atRestKeys: must not be empty");
    }
    if (b->secrets.at_rest_key == NULL) {
        b->secrets.at_rest_key = strdup(first);
        return b->secrets.at_rest_key != NULL ? ERR_OK : no_memory(info);
    }
    return strcmp(first, b->secrets.at_rest_key) == 0
               ? ERR_OK
               : err_set(info, ERR_MALFORMED, "atRestKeys[0]: must be the same as atRestKey");
}

static enum err read_keys(const json_t *root, struct bundle *b, struct err_info *info)
{
    const json_t *secrets = NULL, *acme = NULL, *list = NULL;
    if (jx_object(root, "platformSecrets", &secrets, NULL) != ERR_OK ||
        jx_object(secrets, "letsEncrypt", &acme, NULL) != ERR_OK) {
        return ERR_OK; /* they are optional; of the wrong type they have been refused already */
    }
    enum err e = find_list(acme, "atRestKeys", SEAL_KEYS_MAX, &list, info);
    if (e == ERR_OK && list != NULL) {
        e = check_keys(list, b, info);
        if (e == ERR_OK) {
            b->secrets.at_rest_keys = json_incref((json_t *)(uintptr_t)list);
        }
    }
    return e == ERR_OK ? e : err_prefix(info, e, "platformSecrets.letsEncrypt.");
}

/* ---- numbers and times --------------------------------------------------------------------- */

static enum err read_port(const json_t *o, const char *key, uint16_t *out, struct err_info *info)
{
    int64_t value = 0;
    enum err e = jx_int(o, key, 1, UINT16_MAX, &value, info);
    *out = (uint16_t)value;
    return needed(e);
}

static enum err read_ports(const json_t *root, struct bundle *b, struct err_info *info)
{
    const json_t *o = NULL;
    enum err e = needed(jx_object(root, "rqlite", &o, info));
    if (e != ERR_OK) {
        return e;
    }
    e = read_port(o, "raftPort", &b->rqlite.raft_port, info);
    e = e == ERR_OK ? read_port(o, "httpPort", &b->rqlite.http_port, info) : e;
    return e == ERR_OK ? e : err_prefix(info, e, "rqlite.");
}

static enum err read_time(const json_t *root, const char *key, int64_t *out, struct err_info *info)
{
    const char *text = NULL;
    enum err e = jx_string(root, key, &text, info);
    if (e == ERR_OK && !bundle_time_read(text, out)) {
        e = err_set(info, ERR_MALFORMED, "%s: must be a time such as 2026-01-31T08:30:00.000Z",
                    key);
    }
    return e;
}

static enum err read_times(const json_t *root, struct bundle *b, struct err_info *info)
{
    enum err e = needed(read_time(root, "issuedAt", &b->issued_ms, info));
    if (e != ERR_OK || b->version < 4) {
        return e;
    }
    e = needed(read_time(root, "expiresAt", &b->expires_ms, info));
    return e != ERR_OK || b->expires_ms > b->issued_ms
               ? e
               : err_set(info, ERR_MALFORMED, "expiresAt: must be after issuedAt");
}

static enum err read_version(const json_t *root, struct bundle *b, struct err_info *info)
{
    int64_t version = 0;
    enum err e = needed(jx_int(root, "version", 1, INT32_MAX, &version, info));
    if (e == ERR_OK && version > BUNDLE_VERSION) {
        return err_set(info, ERR_LIMIT,
                       "made by a newer dnsd: the bundle is of version %d, and this one knows 1 to "
                       "%d; update dnsd here first",
                       (int)version, BUNDLE_VERSION);
    }
    b->version = (int)version;
    return e;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static enum err read_config(const json_t *root, struct bundle *b, struct err_info *info)
{
    const json_t *config = NULL;
    enum err e = jx_object(root, "config", &config, info);
    if (e == ERR_OK && b->version >= 4) {
        b->config = json_incref((json_t *)(uintptr_t)config);
    }
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err read_all(const json_t *root, struct bundle *b, struct err_info *info)
{
    enum err e = read_version(root, b, info);
    e = e == ERR_OK ? read_times(root, b, info) : e;
    for (size_t i = 0; e == ERR_OK && i < sizeof places / sizeof places[0]; i++) {
        e = read_place(root, &places[i], b, info);
    }
    e = e == ERR_OK ? read_cluster_lists(root, b, info) : e;
    e = e == ERR_OK ? read_keys(root, b, info) : e;
    e = e == ERR_OK ? read_ports(root, b, info) : e;
    return e == ERR_OK ? read_config(root, b, info) : e;
}

enum err bundle_read(const char *text, size_t len, struct bundle *out, struct err_info *info)
{
    json_t *root = NULL;
    *out = (struct bundle){.version = 0};
    enum err e = jx_parse_object(text, len, &root, info);
    if (e == ERR_MALFORMED) { /* jansson quotes what it stumbled over */
        return err_set(info, e, "what is inside is not a JSON object");
    }
    e = e == ERR_OK ? read_all(root, out, info) : e;
    if (e != ERR_OK) {
        bundle_free(out);
    } else if (info != NULL) {
        info->text[0] = '\0'; /* of members that may be missing */
    }
    jx_wipe(root);
    return e;
}

#include "config_bootstrap.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_certs.h"
#include "config_json.h"
#include "config_priv.h"
#include "lib/file_sys.h"
#include "lib/jx.h"
#include "lib/mem.h"

#define HEADING                                                                                    \
    "# Written by dnsd, which writes over it: put your own settings into override-config.yml.\n"
#define RQLITE "http://localhost:%u"

/* Running out of memory before anything runs: nothing better can be done. */
static json_t *must(json_t *value)
{
    if (value == NULL) {
        abort();
    }
    return value;
}

/* OBJECT.KEY becomes VALUE (ours to give); NULL: nothing is changed. */
static void set(json_t *object, const char *key, json_t *value)
{
    if (value != NULL && json_object_set_new(object, key, value) != 0) {
        abort();
    }
}

static json_t *text(const char *value)
{
    return value != NULL ? must(json_string(value)) : NULL;
}

/* The object at PATH ("storages.engines") inside OBJECT, made if it is not there. */
static json_t *section(json_t *object, const char *path)
{
    char key[64];
    for (;;) {
        size_t len = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)len, path);
        const json_t *there = NULL;
        json_t *next = NULL;
        if (jx_object(object, key, &there, NULL) == ERR_OK) {
            next = (json_t *)there;
        } else {
            next = must(json_object());
            set(object, key, next);
        }
        object = next;
        if (path[len] == '\0') {
            return object;
        }
        path += len + 1;
    }
}

char *config_bootstrap_path(const char *config_path)
{
    const char *path = config_main_path(config_path);
    char *ours = config_beside(path, CONFIG_BOOTSTRAP_FILE);
    return ours != NULL ? ours : mem_xstrdup(path);
}

/* ---- what is the same on every core ------------------------------------------------------------ */

/* The members of the section KEY but those of LEFT_OUT, which are each core's own. */
static void share(json_t *to, const json_t *from, const char *key, const char *const *left_out)
{
    const json_t *all = NULL;
    if (jx_object(from, key, &all, NULL) != ERR_OK) {
        return;
    }
    json_t *some = must(json_copy((json_t *)all));
    for (; *left_out != NULL; left_out++) {
        json_object_del(some, *left_out);
    }
    if (json_object_size(some) > 0) {
        set(to, key, some);
    } else {
        json_decref(some);
    }
}

/* The single value at PATH.KEY. */
static void share_one(json_t *to, const json_t *from, const char *path, const char *key)
{
    char name[64];
    const char *rest = path;
    while (*rest != '\0') {
        size_t len = strcspn(rest, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, rest);
        if (jx_object(from, name, &from, NULL) != ERR_OK) {
            return;
        }
        rest += len + (rest[len] == '.');
    }
    const char *now;
    json_t *value;
    json_object_foreach((json_t *)from, now, value)
    {
        if (strcmp(now, key) == 0 && !json_is_null(value)) {
            set(section(to, path), key, json_incref(value));
        }
    }
}

/* Used on both sides: what may leave the issuer, and what is taken from a bundle. */
static json_t *shared_of(const json_t *tree)
{
    static const char *const none[] = {NULL};
    static const char *const dns[] = {"ip", "ip6", "port", "workers", "publicIp", NULL};
    static const char *const lets_encrypt[] = {"certRenewer",    "atRestKeyFile", "tlsDir",
                                               "onRotateScript", "caFile",        NULL};
    json_t *out = must(json_object());
    share(out, tree, "dns", dns);
    share(out, tree, "dnsLess", none);
    share(out, tree, "letsEncrypt", lets_encrypt);
    share(out, tree, "platform", none);
    share_one(out, tree, "auth", "adminAccessKey");
    share_one(out, tree, "cluster", "discoveryEnabled");
    share_one(out, tree, "storages.engines.rqlite", "raftPort");
    return out;
}

static json_t *texts(const struct config_list *list)
{
    json_t *out = list->count > 0 ? must(json_array()) : NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (json_array_append_new(out, text(list->items[i])) != 0) {
            abort();
        }
    }
    return out;
}

enum err config_shared(const char *config_path, json_t **out, struct err_info *info)
{
    struct config config = {.path = NULL};
    struct config_problems problems = {.count = 0};
    struct config_list keys = {.items = NULL};
    struct cfg *cfg = cfg_new();
    *out = NULL;
    config_add_files(cfg, config_main_path(config_path), NULL);
    enum err e = config_from_cfg(cfg, &config, &problems);
    if (e != ERR_OK) {
        const char *why = problems.text.text != NULL ? problems.text.text : err_text(e);
        (void)err_set(info, e, "%.*s", (int)strcspn(why, "\n"), why);
    } else {
        e = config_keys_read(&config, &keys, info);
        if (e == ERR_NOTFOUND && config.lets_encrypt.at_rest_key_file == NULL) {
            e = ERR_OK; /* there are none */
        }
    }
    if (e == ERR_OK) {
        json_t *tree = config_json(cfg_root(cfg));
        *out = shared_of(tree);
        jx_wipe(tree);
        if (keys.count > 0) {
            set(section(*out, "letsEncrypt"), "atRestKey", texts(&keys));
        }
    }
    config_keys_free(&keys);
    config_free(&config);
    config_problems_free(&problems);
    cfg_free(cfg);
    return e;
}

/* ---- of a bundle ------------------------------------------------------------------------------- */

/* Where a member is reached: by a kind of address that the new core has too, if there is one. */
static const char *address_of(const struct bundle *b, const struct bundle_member *m)
{
    bool only_ipv6 = b->node.ip == NULL && b->node.ipv6 != NULL;
    if (m->ip == NULL || (only_ipv6 && m->ipv6 != NULL)) {
        return m->ipv6;
    }
    return m->ip;
}

static void add_members(json_t *object, const struct bundle *b)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < b->cluster.members_count; i++) {
        const char *address = address_of(b, &b->cluster.members[i]);
        bool there = address == NULL;
        for (size_t j = 0; j < json_array_size(list) && !there; j++) {
            there = strcmp(jx_string_at(list, j), address) == 0;
        }
        if (!there && json_array_append_new(list, text(address)) != 0) {
            abort();
        }
    }
    set(section(object, "cluster"), "members", list);
}

/* Members that are absent are null, so that they do not stay in the file from an earlier bundle. */
static void add_core(json_t *object, const struct bundle *b, bool as_voter)
{
    json_t *core = section(object, "core");
    set(core, "id", text(b->node.id));
    set(core, "ip", b->node.ip != NULL ? text(b->node.ip) : json_null());
    set(core, "ipv6", b->node.ipv6 != NULL ? text(b->node.ipv6) : json_null());
    set(core, "url", b->node.url != NULL ? text(b->node.url) : json_null());
    set(core, "hosting", b->node.hosting != NULL ? text(b->node.hosting) : json_null());
    set(core, "nonVoter", as_voter ? json_null() : json_true());
}

static void add_tls(json_t *object, const char *tls_dir)
{
    json_t *tls = section(object, "storages.engines.rqlite.tls");
    char path[4096];
    static const char *const keys[][2] = {
        {"caFile", "ca.crt"}, {"certFile", "node.crt"}, {"keyFile", "node.key"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", tls_dir, keys[i][1]);
        set(tls, keys[i][0], text(path));
    }
}

static void add_names(json_t *object, const struct bundle *b)
{
    json_t *dns = section(object, "dns");
    json_t *dns_less = section(object, "dnsLess");
    if (b->cluster.domain != NULL) {
        set(dns, "domain", text(b->cluster.domain));
        set(dns_less, "isActive", json_false());
        return;
    }
    json_object_del(dns, "domain");
    set(dns, "active", json_false());
    if (jx_bool(dns_less, "isActive", &(bool){false}, NULL) == ERR_NOTFOUND) {
        set(dns_less, "isActive", json_true());
    }
    if (b->node.url != NULL) { /* that of one core, and this one has its own */
        set(dns_less, "publicUrl", json_null());
    }
}

static void add_secrets(json_t *object, const struct bundle *b)
{
    if (b->secrets.admin_access_key != NULL) {
        set(section(object, "auth"), "adminAccessKey", text(b->secrets.admin_access_key));
    }
    if (b->secrets.files_read_token_secret != NULL) { /* the host platform's */
        set(section(object, "auth"), "filesReadTokenSecret",
            text(b->secrets.files_read_token_secret));
    }
    if (b->secrets.pii_hmac_key != NULL) {
        set(section(object, "platform"), "piiHmacKey", text(b->secrets.pii_hmac_key));
    }
    json_t *lets_encrypt = section(object, "letsEncrypt");
    if (json_array_size(b->secrets.at_rest_keys) > 0) {
        set(lets_encrypt, "atRestKey", json_incref(b->secrets.at_rest_keys));
    } else if (b->secrets.at_rest_key != NULL) {
        set(lets_encrypt, "atRestKey", text(b->secrets.at_rest_key));
    }
    set(lets_encrypt, "certRenewer", json_false());
}

json_t *config_of_bundle(const struct bundle *b, const char *tls_dir, bool as_voter)
{
    json_t *object = shared_of(b->config);
    json_t *storages = section(object, "storages");
    json_t *rqlite = section(storages, "engines.rqlite");
    char url[64];
    add_core(object, b, as_voter);
    add_names(object, b);
    add_secrets(object, b);
    set(section(storages, "platform"), "engine", text("rqlite"));
    if (b->rqlite.raft_port != 0) {
        set(rqlite, "raftPort", must(json_integer(b->rqlite.raft_port)));
    }
    if (b->rqlite.http_port != 0 && b->version < 4) { /* each core's own business since */
        snprintf(url, sizeof url, RQLITE, b->rqlite.http_port);
        set(rqlite, "url", text(url));
    }
    add_tls(object, tls_dir);
    set(section(object, "cluster"), "discoveryEnabled", json_true());
    set(section(object, "cluster"), "tlsDir", text(tls_dir));
    add_members(object, b);
    return object;
}

json_t *config_of_holder(const char *tls_dir)
{
    json_t *object = must(json_object());
    add_tls(object, tls_dir);
    return object;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static char *rendered(const json_t *object)
{
    struct str s = {.text = NULL};
    char *json = json_dumps(object, JSON_INDENT(2));
    if (json == NULL) {
        abort();
    }
    str_appendf(&s, HEADING "%s\n", json);
    explicit_bzero(json, strlen(json));
    free(json);
    return s.text;
}

static void wipe(char *secret)
{
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

enum err config_load_with(const char *config_path, const json_t *object, struct config *out,
                          struct config_problems *problems)
{
    char *generated = rendered(object);
    enum err e = config_load_files(config_path, generated, out, problems);
    wipe(generated);
    return e;
}

/* What is in the file at PATH; an empty object if there is none. */
static enum err present(const char *path, json_t **out, struct err_info *info)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    *out = NULL;
    enum err e = file_read(path, CFG_BYTES_MAX, &bytes, &len, info);
    if (e == ERR_NOTFOUND) {
        *out = must(json_object());
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return e;
    }
    const char *from = (const char *)bytes;
    while (from[0] == '#') {
        from += strcspn(from, "\n");
        from += from[0] == '\n';
    }
    e = jx_parse_object(from, len - (size_t)(from - (const char *)bytes), out, info);
    if (e != ERR_OK) {
        e = err_prefix(info, ERR_MALFORMED, "%s is not as dnsd writes it; move it away: ", path);
    }
    explicit_bzero(bytes, len);
    free(bytes);
    return e;
}

/* RFC 7396: what is null in OVER is taken away. Depth is bounded by JX_DEPTH_MAX and by what we make. */
static void merge(json_t *base, const json_t *over)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)over, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(base, key);
        } else if (json_is_object(value)) {
            merge(section(base, key), value);
        } else {
            set(base, key, json_incref(value));
        }
    }
}

/* Whose it is to be; *pw NULL: nobody's but ours. */
static enum err find_owner(const char *account, const struct passwd **pw, struct err_info *info)
{
    *pw = NULL;
    if (account == NULL || geteuid() != 0) {
        return ERR_OK;
    }
    *pw = getpwnam(account);
    return *pw != NULL ? ERR_OK : err_set(info, ERR_NOTFOUND, "there is no account %s", account);
}

/* A process killed before this leaves root's file, which dnsd can read as long as it is root; the next run
 * gives it away. */
static enum err give(const char *path, const struct passwd *pw, struct err_info *info)
{
    return pw == NULL || lchown(path, pw->pw_uid, pw->pw_gid) == 0
               ? ERR_OK
               : err_set(info, ERR_IO, "cannot give %s to %s: %s", path, pw->pw_name,
                         strerror(errno));
}

enum err config_bootstrap_write(const char *config_path, const char *account, const json_t *object,
                                struct err_info *info)
{
    char *path = config_bootstrap_path(config_path);
    const struct passwd *pw = NULL;
    json_t *all = NULL;
    enum err e = find_owner(account, &pw, info);
    if (e == ERR_OK) {
        e = present(path, &all, info);
    }
    if (e == ERR_OK) {
        file_replace_leftovers(path); /* with secrets in them */
        merge(all, object);
        char *bytes = rendered(all);
        e = file_replace(path, bytes, strlen(bytes), 0600, info);
        wipe(bytes);
    }
    if (e == ERR_OK) {
        e = give(path, pw, info);
    }
    jx_wipe(all);
    free(path);
    return e;
}

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config_bootstrap.h"
#include "config_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

#define DEFAULT_PATH "/etc/dnsd/dnsd.yml"

static void set_defaults(struct config *c)
{
    c->core.id = mem_xstrdup("single");
    c->core.available = true;
    c->dns.port = 53;
    config_list_add(&c->dns.ip, "0.0.0.0");
    c->dns.default_ttl_s = 300;
    config_list_add(&c->dns.service_names, "reg");
    config_list_add(&c->dns.service_names, "access");
    config_list_add(&c->dns.service_names, "mfa");
    c->dns.soa = (struct config_soa){
        .serial = -1, .refresh_s = -1, .retry_s = -1, .expiration_s = -1, .minimum_s = -1};
    c->dns.chaos = true;
    c->lets_encrypt.renew_before_days = -1;
    c->lets_encrypt.check_delegation = true;
    c->lets_encrypt.tls_dir = mem_xstrdup("/var/lib/dnsd/tls");
    c->http.challenge_port = 80;
    c->cluster.ca_path = mem_xstrdup("/var/lib/dnsd/ca");
    c->cluster.tls_dir = mem_xstrdup(CONFIG_TLS_DIR);
    c->cluster.join_port = 9090;
    c->storages.sqlite_path = mem_xstrdup("/var/lib/dnsd/platform.db");
    c->storages.rqlite.url = mem_xstrdup("http://localhost:4001");
    c->storages.rqlite.bin_path = mem_xstrdup("rqlited");
    c->storages.rqlite.data_dir = mem_xstrdup("/var/lib/dnsd/rqlite");
    c->storages.rqlite.verify_client = true;
    c->storages.rqlite.raft_port = 4002;
    c->log.level = LOG_LEVEL_INFO;
    c->log.format = LOG_FORMAT_TEXT;
}

static void finish_domain(struct config *c)
{
    char *text = c->dns.domain_text;
    if (text == NULL) {
        return;
    }
    config_fold(text);
    size_t len = strlen(text);
    if (text[len - 1] == '.') {
        text[len - 1] = '\0';
    }
    if (wire_name_from_text(text, NULL, &c->dns.domain, NULL) != ERR_OK) {
        abort(); /* config_is_host() has accepted it */
    }
}

static void strip_slashes(char *url)
{
    for (size_t len = url != NULL ? strlen(url) : 0; len > 0 && url[len - 1] == '/'; len--) {
        url[len - 1] = '\0';
    }
}

/* The predecessor's place for core.ip. */
static void read_public_ip(struct cfg *cfg, struct config *c)
{
    const struct cfg_node *node = cfg_find(cfg, "dns.publicIp");
    struct err_info why = {.text = ""};
    char shown[CFG_SHOWN_MAX];
    const char *text = NULL;
    if (!cfg_is_set(node) || !cfg_text(cfg, node, &text)) {
        return;
    }
    if (config_is_public_ipv4(text, &why) != ERR_OK) {
        cfg_problem(cfg, node, "%s %s", cfg_shown(text, shown), why.text);
    } else if (c->core.ip == NULL) {
        c->core.ip = mem_xstrdup(text);
    }
}

static void read_all(struct cfg *cfg, struct config *c)
{
    set_defaults(c);
    cfg_read(cfg, &config_top, c);
    finish_domain(c);
    strip_slashes(c->core.url);
    strip_slashes(c->dns_less.public_url);
    read_public_ip(cfg, c);
    c->lets_encrypt.cert_renewer_set = cfg_is_set(cfg_find(cfg, "letsEncrypt.certRenewer"));
    /* Nobody who wants no certificate has port 80 taken without asking for it. */
    if (!c->lets_encrypt.enabled && !cfg_is_set(cfg_find(cfg, "http.challengePort"))) {
        c->http.challenge_port = 0;
    }
    config_read_records(cfg, c);
    config_check_rules(cfg, c);
}

enum err config_from_cfg(struct cfg *cfg, struct config *out, struct config_problems *problems)
{
    if (cfg_is_whole(cfg)) {
        read_all(cfg, out);
    }
    cfg_problems_text(cfg, &problems->text);
    cfg_notes_text(cfg, &problems->notes);
    problems->count = cfg_problem_count(cfg);
    if (problems->count == 0) {
        return ERR_OK;
    }
    config_free(out);
    return ERR_MALFORMED;
}

/* Adds the file at PATH; false: there is none. */
static bool add_file(struct cfg *cfg, const char *path, struct err_info *why)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err e = file_read(path, CFG_BYTES_MAX, &bytes, &len, why);
    if (e == ERR_OK) {
        cfg_add(cfg, path, (const char *)bytes, len);
        explicit_bzero(bytes, len); /* there are secrets in it */
    } else if (e != ERR_NOTFOUND) {
        cfg_problem_file(cfg, path, "%s", why->text);
    }
    free(bytes);
    return e != ERR_NOTFOUND;
}

char *config_beside(const char *path, const char *name)
{
    struct str s = {.text = NULL};
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    if (strcmp(last, name) == 0) {
        return NULL;
    }
    str_append_n(&s, path, (size_t)(last - path));
    str_append(&s, name);
    return s.text;
}

const char *config_main_path(const char *path)
{
    if (path == NULL) {
        path = getenv("DNSD_CONFIG");
    }
    return path != NULL && path[0] != '\0' ? path : DEFAULT_PATH;
}

void config_add_files(struct cfg *cfg, const char *path, const char *generated)
{
    struct err_info missing = {.text = ""};
    struct err_info why = {.text = ""};
    char *ours = config_beside(path, CONFIG_BOOTSTRAP_FILE);
    char *override = config_beside(path, CONFIG_OVERRIDE_FILE);
    bool main_file = add_file(cfg, path, &missing);
    bool joined = true;
    if (generated != NULL) {
        cfg_add(cfg, ours != NULL ? ours : path, generated, strlen(generated));
    } else {
        joined = ours != NULL && add_file(cfg, ours, &why);
    }
    if (!main_file && !joined) {
        cfg_problem_file(cfg, path, "%s; name the file with -c FILE or $DNSD_CONFIG", missing.text);
    }
    if (override != NULL) {
        (void)add_file(cfg, override, &why);
    }
    free(ours);
    free(override);
}

enum err config_load_files(const char *path, const char *generated, struct config *out,
                           struct config_problems *problems)
{
    *out = (struct config){.path = NULL};
    *problems = (struct config_problems){.count = 0};
    struct cfg *cfg = cfg_new();
    path = config_main_path(path);
    out->path = mem_xstrdup(path);
    config_add_files(cfg, path, generated);
    enum err e = config_from_cfg(cfg, out, problems);
    cfg_free(cfg);
    return e;
}

enum err config_load(const char *path, struct config *out, struct config_problems *problems)
{
    return config_load_files(path, NULL, out, problems);
}

static void free_dns(struct config *c)
{
    free(c->dns.domain_text);
    config_list_free(&c->dns.ip);
    config_list_free(&c->dns.ip6);
    config_list_free(&c->dns.service_names);
    for (size_t i = 0; i < c->dns.nameservers.count; i++) {
        free(c->dns.nameservers.items[i].key);
        free(c->dns.nameservers.items[i].value);
    }
    free(c->dns.nameservers.items);
    config_entries_free(&c->dns.static_entries);
    record_set_free(&c->dns.root);
    free(c->dns.soa.primary);
    free(c->dns.soa.admin);
}

static void wipe(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

static void free_lets_encrypt(struct config *c)
{
    free(c->lets_encrypt.email);
    free(c->lets_encrypt.directory_url);
    free(c->lets_encrypt.staging_url);
    config_list_free(&c->lets_encrypt.resolvers);
    free(c->lets_encrypt.ca_file);
    free(c->lets_encrypt.profile);
    free(c->lets_encrypt.eab_kid);
    wipe(c->lets_encrypt.eab_hmac_key);
    free(c->lets_encrypt.preferred_chain);
    free(c->lets_encrypt.tls_dir);
    free(c->lets_encrypt.on_rotate_script);
    free(c->lets_encrypt.caa);
    free(c->lets_encrypt.at_rest_key_file);
    for (size_t i = 0; i < c->lets_encrypt.at_rest_keys.count; i++) {
        wipe(c->lets_encrypt.at_rest_keys.items[i]);
    }
    free(c->lets_encrypt.at_rest_keys.items);
}

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    free(c->path);
    free(c->core.id);
    free(c->core.ip);
    free(c->core.ipv6);
    free(c->core.cname);
    free(c->core.url);
    free(c->core.hosting);
    free_dns(c);
    free(c->dns_less.public_url);
    free_lets_encrypt(c);
    free(c->http.ip);
    free(c->http.cert_file);
    free(c->http.key_file);
    wipe(c->auth.admin_access_key);
    free(c->cluster.ca_path);
    free(c->cluster.tls_dir);
    config_list_free(&c->cluster.members);
    free(c->storages.sqlite_path);
    free(c->storages.rqlite.url);
    free(c->storages.rqlite.bin_path);
    free(c->storages.rqlite.data_dir);
    free(c->storages.rqlite.ca_file);
    free(c->storages.rqlite.cert_file);
    free(c->storages.rqlite.key_file);
    wipe(c->platform.pii_hmac_key);
    free(c->user);
    *c = (struct config){.path = NULL};
}

void config_problems_free(struct config_problems *p)
{
    if (p != NULL) {
        str_free(&p->text);
        str_free(&p->notes);
        p->count = 0;
    }
}

char *config_state_dir(const struct config *c)
{
    struct str s = {.text = NULL};
    if (c->storages.engine_rqlite) { /* rqlited's own folder: ours is one inside */
        str_appendf(&s, "%s/dnsd", c->storages.rqlite.data_dir);
        return s.text;
    }
    const char *path = c->storages.sqlite_path;
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_xstrdup(".");
    }
    str_append_n(&s, path, slash == path ? 1 : (size_t)(slash - path));
    return s.text;
}

/* Rules between keys. A rule that asks for a key looks whether the file gives it, not whether the
 * value was good: a bad value has been told already. */
#include "config_priv.h"

#include <string.h>

#include "config_certs.h"
#include "lib/seal.h"

static bool given(const struct cfg *c, const char *path)
{
    return cfg_is_set(cfg_find(c, path));
}

static void check_dns(struct cfg *c, const struct config *config)
{
    const struct cfg_node *ip = cfg_find(c, "dns.ip");
    if (!config->dns.active) {
        return;
    }
    if (!given(c, "dns.domain")) {
        cfg_problem_at(c, "dns.domain",
                       "is missing; dns.active needs the domain it serves, such "
                       "as mc.example.com");
    }
    if (config->dns_less.is_active) {
        cfg_problem_at(c, "dnsLess.isActive",
                       "cannot be true together with dns.active; set one of them to false");
    }
    if (cfg_is_set(ip) && ip->kind == CFG_LIST && ip->count == 0 && !given(c, "dns.ip6")) {
        cfg_problem_at(c, "dns.ip",
                       "leaves nothing to listen on; give an address here or in "
                       "dns.ip6");
    }
    if (!given(c, "core.ip") && !given(c, "core.ipv6") && !given(c, "core.cname") &&
        !given(c, "dns.publicIp")) {
        cfg_note_at(c, "core.ip", "is not set (nor core.ipv6): no name can lead to this core");
    }
}

/* What is answered in place of LABEL, whatever it is meant to be: NULL, or its kind. */
static const char *taken_by(const struct config *config, const char *label)
{
    char folded[WIRE_LABEL_MAX + 1] = "";
    strncpy(folded, label, sizeof folded - 1);
    config_fold(folded);
    if (strcmp(folded, "lsc") == 0) {
        return "always leads to every core";
    }
    for (size_t i = 0; i < config->dns.service_names.count; i++) {
        if (strcmp(config->dns.service_names.items[i], folded) == 0) {
            return "is a service name (dns.serviceNames)";
        }
    }
    return NULL;
}

static void check_names(struct cfg *c, const struct config *config)
{
    const struct config_pairs *servers = &config->dns.nameservers;
    const char *taken = taken_by(config, config->core.id);
    if (taken != NULL) {
        cfg_problem_at(c, "core.id", "`%s` %s; choose another id", config->core.id, taken);
    }
    for (size_t i = 0; i < servers->count; i++) {
        taken = taken_by(config, servers->items[i].key);
        if (taken != NULL) {
            cfg_problem_at(c, "dns.nameservers", "`%s` %s; choose another name, such as dns1",
                           servers->items[i].key, taken);
        }
    }
}

static void check_cert(struct cfg *c, const struct config *config)
{
    struct config_cert cert;
    struct err_info why = {.text = ""};
    bool told = (config->dns.active && config->dns.domain_text == NULL) ||
                (given(c, "core.url") && config->core.url == NULL) ||
                (given(c, "dnsLess.publicUrl") && config->dns_less.public_url == NULL);
    if (told) {
        return;
    }
    if (config_cert(config, &cert, &why) != ERR_OK) {
        cfg_problem_at(c, "letsEncrypt.enabled", "%s", why.text);
    } else if (cert.proof == CONFIG_PROOF_ALPN && config->http.port == 0) {
        cfg_problem_at(c, "letsEncrypt.enabled",
                       "nothing could prove that %s is ours: set http.challengePort (80) for "
                       "HTTP-01, or http.port (443) for TLS-ALPN-01",
                       cert.hostname);
    }
    config_cert_free(&cert);
}

static void check_lets_encrypt(struct cfg *c, const struct config *config)
{
    bool key = given(c, "letsEncrypt.atRestKey");
    bool key_file = given(c, "letsEncrypt.atRestKeyFile");
    if (key && key_file) {
        cfg_problem_at(c, "letsEncrypt.atRestKeyFile",
                       "is given together with atRestKey; keep one of them");
    }
    if (config->lets_encrypt.at_rest_keys.count > SEAL_KEYS_MAX) {
        cfg_problem_at(
            c, "letsEncrypt.atRestKey",
            "has more than %d keys; take those out that seal nothing any more (dnsctl certs "
            "rewrap)",
            SEAL_KEYS_MAX);
    }
    if (given(c, "letsEncrypt.eab.kid") != given(c, "letsEncrypt.eab.hmacKey")) {
        cfg_problem_at(c, "letsEncrypt.eab",
                       "needs both kid and hmacKey, as the authority gave them");
    }
    if (!config->lets_encrypt.enabled) {
        return;
    }
    if (!given(c, "letsEncrypt.email")) {
        cfg_problem_at(c, "letsEncrypt.email",
                       "is missing; letsEncrypt.enabled needs the account's mail address");
    }
    if (!key && !key_file) {
        cfg_problem_at(c, "letsEncrypt.atRestKey",
                       "is missing; letsEncrypt.enabled needs base64 of 32 bytes, the same on "
                       "every core: make one with `openssl rand -base64 32`");
    }
    check_cert(c, config);
}

static bool has_user(const char *url)
{
    const char *at = strstr(url, "://");
    return at != NULL && memchr(at + 3, '@', strcspn(at + 3, "/?#")) != NULL;
}

/* What a node of ours needs so that the others can find it and let it in. */
static void check_rqlite(struct cfg *c, const struct config *config)
{
    if (!config->storages.engine_rqlite || config->storages.rqlite.external) {
        return;
    }
    if (config->storages.rqlite.raft_port == 0) {
        cfg_problem_at(c, "storages.engines.rqlite.raftPort",
                       "cannot be 0: the other nodes have to know it; the default is 4002");
    }
    bool joins = config->cluster.discovery_enabled || config->core.non_voter;
    if (!joins) {
        return;
    }
    if (config->core.ip == NULL && config->core.ipv6 == NULL) {
        cfg_problem_at(c, "core.ip",
                       "is missing (and core.ipv6); the other cores' databases reach this one "
                       "there");
    }
    /* Without a name the members are told, or, on the core that the others join, it is enough that only
     * cores of the cluster are let in. */
    if (!given(c, "dns.domain") && !given(c, "cluster.members") &&
        !given(c, "storages.engines.rqlite.tls")) {
        cfg_problem_at(c, "dns.domain",
                       "is missing; cluster.discoveryEnabled looks for lsc.<domain>. Without a "
                       "domain, give the other cores' addresses in cluster.members");
    }
    if (!given(c, "auth.adminAccessKey") && !has_user(config->storages.rqlite.url)) {
        cfg_problem_at(c, "auth.adminAccessKey",
                       "is missing; the cores' databases know each other by a password made from "
                       "it, so it must be the same on every core");
    }
    if (!given(c, "storages.engines.rqlite.tls")) {
        cfg_note_at(c, "storages.engines.rqlite.tls",
                    "is not set: whoever reaches the raftPort can read what passes between the "
                    "cores, and pretend to be one");
    }
}

static void check_storages(struct cfg *c)
{
    static const char *const files[] = {"storages.engines.rqlite.tls.caFile",
                                        "storages.engines.rqlite.tls.certFile",
                                        "storages.engines.rqlite.tls.keyFile"};
    const struct cfg_node *tls = cfg_find(c, "storages.engines.rqlite.tls");
    if (!cfg_is_set(tls) || tls->kind != CFG_MAP || tls->count == 0) {
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!given(c, files[i])) {
            cfg_problem_at(c, files[i], "is missing; tls needs caFile, certFile and keyFile");
        }
    }
}

/* Two listeners of ours cannot have one TCP port, unless they are on different addresses. */
static void check_ports(struct cfg *c, const struct config *config)
{
    const struct {
        const char *key;
        uint16_t port;
        bool dns; /* on the addresses of dns.ip, else of http.ip */
    } ports[] = {{"dns.port", config->dns.active ? config->dns.port : 0, true},
                 {"http.dotPort", config->http.dot_port, true},
                 {"http.port", config->http.port, false},
                 {"http.challengePort", config->http.challenge_port, false}};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            bool same_side = ports[i].dns == ports[j].dns || config->http.ip == NULL;
            if (ports[i].port != 0 && ports[i].port == ports[j].port && same_side) {
                cfg_problem_at(c, ports[i].key, "is the port of %s too; choose another one",
                               ports[j].key);
            }
        }
    }
}

static void check_http(struct cfg *c, const struct config *config)
{
    bool cert = given(c, "http.ssl.certFile");
    if (cert != given(c, "http.ssl.keyFile")) {
        cfg_problem_at(c, cert ? "http.ssl.keyFile" : "http.ssl.certFile",
                       "is missing; certFile and keyFile go together");
    }
    check_ports(c, config);
    if (config->http.dot_port != 0 && !config->dns.active) {
        cfg_note_at(c, "http.dotPort", "has no effect: there is no DNS without dns.active: true");
    }
    if (cert && config->http.port == 0 && config->http.dot_port == 0) {
        cfg_note_at(c, "http.ssl", "has no effect: neither http.port nor http.dotPort is set");
    }
    if (config->http.port != 0 && !given(c, "auth.adminAccessKey")) {
        cfg_note_at(c, "auth.adminAccessKey",
                    "is not set: the API's admin routes refuse everybody");
    }
}

static void check_rest(struct cfg *c, const struct config *config)
{
    if (config->platform.pii_hashed && !given(c, "platform.piiHmacKey")) {
        cfg_problem_at(c, "platform.piiHmacKey",
                       "is missing; piiMode hashed needs base64 of 32 bytes, the same on every "
                       "core");
    }
    if (config->dns_less.is_active && !given(c, "dnsLess.publicUrl") && !given(c, "core.url")) {
        cfg_note_at(c, "dnsLess.publicUrl", "is not set: this core has no URL of its own");
    }
    if (!config->dns.active && !config->dns_less.is_active) {
        cfg_note_at(c, "dns.active", "is false, and so is dnsLess.isActive: no name is served");
    }
    if (given(c, "core.cname") && (given(c, "core.ip") || given(c, "core.ipv6"))) {
        cfg_note_at(c, "core.cname", "is not used while core.ip or core.ipv6 is set");
    }
}

void config_check_rules(struct cfg *c, const struct config *config)
{
    check_dns(c, config);
    check_names(c, config);
    check_lets_encrypt(c, config);
    check_storages(c);
    check_rqlite(c, config);
    check_http(c, config);
    check_rest(c, config);
}

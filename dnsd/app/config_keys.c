/* The table of all keys: docs/CONFIGURATION.md says the same in words. */
#include "config_priv.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

#define IN(member) CFG_TO(struct config, member)

#define BOOLEAN(name_, member)                                                                     \
    {                                                                                              \
        .name = (name_), .type = CFG_BOOL, IN(member)                                              \
    }
#define NUMBER(name_, member, min_, max_)                                                          \
    {                                                                                              \
        .name = (name_), .type = CFG_INT, .min = (min_), .max = (max_), IN(member)                 \
    }
#define TEXT(name_, member, check_)                                                                \
    {                                                                                              \
        .name = (name_), .type = CFG_TEXT, .check = (check_), IN(member)                           \
    }
#define SECRET(name_, member, check_)                                                              \
    {                                                                                              \
        .name = (name_), .type = CFG_TEXT, .secret = true, .check = (check_), IN(member)           \
    }
#define CUSTOM(name_, member, read_)                                                               \
    {                                                                                              \
        .name = (name_), .type = CFG_CUSTOM, .read = (read_), IN(member)                           \
    }
#define SECTION(name_, section_)                                                                   \
    {                                                                                              \
        .name = (name_), .type = CFG_SECTION, .section = (section_)                                \
    }
#define CODE(name_)                                                                                \
    {                                                                                              \
        .name = (name_), .type = CFG_CODE                                                          \
    }
#define IGNORED(name_, why_)                                                                       \
    {                                                                                              \
        .name = (name_), .type = CFG_IGNORED, .why = (why_)                                        \
    }
#define REFUSED(name_, why_)                                                                       \
    {                                                                                              \
        .name = (name_), .type = CFG_REFUSED, .why = (why_)                                        \
    }
#define END                                                                                        \
    {                                                                                              \
        .type = CFG_END                                                                            \
    }

#define PORT_MAX 65535

/* ---- lists ---- */

void config_list_add(struct config_list *list, const char *text)
{
    list->items = mem_xrealloc(list->items, (list->count + 1) * sizeof list->items[0]);
    list->items[list->count++] = mem_xstrdup(text);
}

void config_list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct config_list){.items = NULL};
}

struct list_reader {
    struct config_list *list; /* borrowed */
    cfg_check_fn *check;
    bool secret;
};

static bool list_has(const struct config_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void read_item(struct cfg *c, const struct cfg_node *item, void *ctx)
{
    struct list_reader *r = ctx;
    struct err_info why = {.text = ""};
    char shown[CFG_SHOWN_MAX];
    const char *text = NULL;
    if (!cfg_text(c, item, &text)) {
        return;
    }
    if (r->check(text, &why) != ERR_OK) {
        if (r->secret) {
            cfg_problem(c, item, "%s", why.text);
        } else {
            cfg_problem(c, item, "%s %s", cfg_shown(text, shown), why.text);
        }
    } else if (list_has(r->list, text)) {
        cfg_problem(c, item, "is there twice");
    } else {
        config_list_add(r->list, text);
    }
}

static void read_list(struct cfg *c, const struct cfg_node *node, void *field, cfg_check_fn *check,
                      bool secret)
{
    struct list_reader r = {.list = field, .check = check, .secret = secret};
    config_list_free(r.list); /* the default */
    cfg_each(c, node, CONFIG_LIST_MAX, read_item, &r);
}

static void read_ipv4_list(struct cfg *c, const struct cfg_node *node, void *field)
{
    read_list(c, node, field, config_is_listen_ipv4, false);
}

static void read_ipv6_list(struct cfg *c, const struct cfg_node *node, void *field)
{
    read_list(c, node, field, config_is_listen_ipv6, false);
}

static void read_ip_list(struct cfg *c, const struct cfg_node *node, void *field)
{
    read_list(c, node, field, config_is_ip, false);
}

static void read_server_list(struct cfg *c, const struct cfg_node *node, void *field)
{
    read_list(c, node, field, config_is_server, false);
}

/* The last digit has two bits more than 32 octets. What they are makes no difference to the platform,
 * but strict decoders want them to be zero. */
static char last_digit(char ch)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return digits[(size_t)(strchr(digits, ch) - digits) & ~(size_t)3];
}

/* Keys leave here in the common alphabet with padding, so that one decoder reads them all. */
void config_normalize_key32(char **key)
{
    if (*key == NULL) {
        return;
    }
    char *text = mem_xalloc(45);
    for (size_t i = 0; i < 43; i++) {
        char ch = (*key)[i];
        text[i] = ch == '-' ? '+' : ch == '_' ? '/' : ch;
    }
    text[42] = last_digit(text[42]);
    text[43] = '=';
    explicit_bzero(*key, strlen(*key));
    free(*key);
    *key = text;
}

static void read_key32_list(struct cfg *c, const struct cfg_node *node, void *field)
{
    struct config_list *list = field;
    read_list(c, node, list, config_is_key32, true);
    for (size_t i = 0; i < list->count; i++) {
        config_normalize_key32(&list->items[i]);
    }
}

static void read_key32(struct cfg *c, const struct cfg_node *node, void *field)
{
    struct err_info why = {.text = ""};
    const char *text = NULL;
    char **key = field;
    if (!cfg_text(c, node, &text)) {
        return;
    }
    if (config_is_key32(text, &why) != ERR_OK) {
        cfg_problem(c, node, "%s", why.text);
        return;
    }
    free(*key);
    *key = mem_xstrdup(text);
    config_normalize_key32(key);
}

/* ---- labels and words ---- */

static void read_service_names(struct cfg *c, const struct cfg_node *node, void *field)
{
    struct config_list *list = field;
    struct config_list folded = {.items = NULL};
    read_list(c, node, list, config_is_label, false);
    for (size_t i = 0; i < list->count; i++) {
        char *label = list->items[i];
        config_fold(label);
        if (strcmp(label, "lsc") == 0) {
            cfg_problem(c, node, "`lsc` always leads to every core; it cannot be a service name");
        } else if (list_has(&folded, label)) {
            cfg_problem(c, node, "`%s` is there twice", label);
        } else {
            config_list_add(&folded, label);
        }
    }
    config_list_free(list);
    *list = folded;
}

static bool pairs_have(const struct config_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static void read_nameserver(struct cfg *c, const struct cfg_node *item, struct config_pairs *pairs)
{
    struct err_info why = {.text = ""};
    char shown[CFG_SHOWN_MAX];
    const char *core = NULL;
    if (config_is_label(item->key, &why) != ERR_OK) {
        cfg_problem(c, item, "the name server's name %s", why.text);
        return;
    }
    if (!cfg_is_set(item)) {
        cfg_problem(c, item, "needs the id of the core that is this name server");
        return;
    }
    if (!cfg_text(c, item, &core)) {
        return;
    }
    if (config_is_label(core, &why) != ERR_OK) {
        cfg_problem(c, item, "%s is no core id: it %s", cfg_shown(core, shown), why.text);
        return;
    }
    char *label = mem_xstrdup(item->key);
    config_fold(label);
    if (pairs_have(pairs, label)) {
        cfg_problem(c, item, "is there twice but for case");
        free(label);
    } else {
        pairs->items = mem_xrealloc(pairs->items, (pairs->count + 1) * sizeof pairs->items[0]);
        pairs->items[pairs->count++] =
            (struct config_pair){.key = label, .value = mem_xstrdup(core)};
    }
}

static void read_nameservers(struct cfg *c, const struct cfg_node *node, void *field)
{
    if (node->kind != CFG_MAP) {
        cfg_problem(c, node, "must be a map of names to core ids, as in `dns1: core-a`");
        return;
    }
    if (node->count > CONFIG_LIST_MAX) {
        cfg_problem(c, node, "has %zu name servers; at most %d are allowed", node->count,
                    CONFIG_LIST_MAX);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        read_nameserver(c, node->items[i], field);
    }
}

/* The index of NODE's text in WORDS (NULL-terminated), or -1 and a problem. */
static int read_word(struct cfg *c, const struct cfg_node *node, const char *const *words)
{
    struct str all = {.text = NULL};
    char shown[CFG_SHOWN_MAX];
    const char *text = NULL;
    if (!cfg_text(c, node, &text)) {
        return -1;
    }
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            str_free(&all);
            return i;
        }
        str_appendf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    cfg_problem(c, node, "%s is not one of: %s", cfg_shown(text, shown), all.text);
    str_free(&all);
    return -1;
}

static void read_wildcard(struct cfg *c, const struct cfg_node *node, void *field)
{
    static const char *const words[] = {"users", "cores", NULL};
    int word = read_word(c, node, words);
    if (word >= 0) {
        *(enum config_wildcard *)field = word == 0 ? CONFIG_WILDCARD_USERS : CONFIG_WILDCARD_CORES;
    }
}

static void read_engine(struct cfg *c, const struct cfg_node *node, void *field)
{
    static const char *const words[] = {"sqlite", "rqlite", NULL};
    int word = read_word(c, node, words);
    if (word >= 0) {
        *(bool *)field = word == 1;
    }
}

static void read_pii_mode(struct cfg *c, const struct cfg_node *node, void *field)
{
    static const char *const words[] = {"cleartext", "hashed", NULL};
    int word = read_word(c, node, words);
    if (word >= 0) {
        *(bool *)field = word == 1;
    }
}

static void read_level(struct cfg *c, const struct cfg_node *node, void *field)
{
    static const char *const words[] = {"error", "warn", "info", "debug", NULL};
    int word = read_word(c, node, words);
    if (word >= 0) {
        (void)log_level_parse(words[word], field);
    }
}

static void read_format(struct cfg *c, const struct cfg_node *node, void *field)
{
    static const char *const words[] = {"text", "json", NULL};
    int word = read_word(c, node, words);
    if (word >= 0) {
        (void)log_format_parse(words[word], field);
    }
}

/* ---- the tables ---- */

static const struct cfg_key core_keys[] = {
    TEXT("id", core.id, config_is_label),
    TEXT("ip", core.ip, config_is_public_ipv4),
    TEXT("ipv6", core.ipv6, config_is_public_ipv6),
    TEXT("cname", core.cname, config_is_host),
    TEXT("url", core.url, config_is_url),
    TEXT("hosting", core.hosting, NULL),
    BOOLEAN("available", core.available),
    BOOLEAN("nonVoter", core.non_voter),
    IGNORED("isSingleCore", "it follows from the other keys"),
    END,
};
static const struct cfg_section core_section = {.strict = CFG_OURS, .keys = core_keys};

static const struct cfg_key soa_keys[] = {
    TEXT("primary", dns.soa.primary, config_is_soa_name),
    TEXT("admin", dns.soa.admin, config_is_mailbox),
    NUMBER("serial", dns.soa.serial, 0, UINT32_MAX),
    NUMBER("refresh", dns.soa.refresh_s, 0, RECORD_TTL_MAX),
    NUMBER("retry", dns.soa.retry_s, 0, RECORD_TTL_MAX),
    NUMBER("expiration", dns.soa.expiration_s, 0, RECORD_TTL_MAX),
    NUMBER("minimum", dns.soa.minimum_s, 0, RECORD_TTL_MAX),
    END,
};
static const struct cfg_section soa_section = {.strict = CFG_OURS, .keys = soa_keys};

/* CODE rows are members of the apex's row (config_records.c). */
static const struct cfg_key root_keys[] = {
    CODE("a"),   CODE("aaaa"), CODE("ns"),    CODE("mx"),
    CODE("txt"), CODE("caa"),  CODE("ttl"),   CODE("ttls"),
    CODE("srv"), CODE("svcb"), CODE("https"), SECTION("soa", &soa_section),
    END,
};
const struct cfg_section config_root = {.strict = CFG_OURS, .keys = root_keys};

static const struct cfg_key records_keys[] = {SECTION("root", &config_root), END};
static const struct cfg_section records_section = {.strict = CFG_OURS, .keys = records_keys};

static const struct cfg_key dns_keys[] = {
    BOOLEAN("active", dns.active),
    TEXT("domain", dns.domain_text, config_is_host),
    NUMBER("port", dns.port, 0, PORT_MAX),
    CUSTOM("ip", dns.ip, read_ipv4_list),
    CUSTOM("ip6", dns.ip6, read_ipv6_list),
    CODE("publicIp"),
    NUMBER("defaultTTL", dns.default_ttl_s, 0, RECORD_TTL_MAX),
    NUMBER("workers", dns.workers, 0, 256),
    CUSTOM("wildcard", dns.wildcard, read_wildcard),
    CUSTOM("serviceNames", dns.service_names, read_service_names),
    CUSTOM("nameservers", dns.nameservers, read_nameservers),
    CODE("staticEntries"),
    SECTION("records", &records_section),
    BOOLEAN("chaos", dns.chaos),
    IGNORED("tcpMaxConnections", "the limits of TCP are built in"),
    END,
};
static const struct cfg_section dns_section = {.strict = CFG_OURS, .keys = dns_keys};

static const struct cfg_key dns_less_keys[] = {
    BOOLEAN("isActive", dns_less.is_active),
    TEXT("publicUrl", dns_less.public_url, config_is_url),
    END,
};
static const struct cfg_section dns_less_section = {.strict = CFG_OURS, .keys = dns_less_keys};

static const struct cfg_key eab_keys[] = {
    TEXT("kid", lets_encrypt.eab_kid, NULL),
    SECRET("hmacKey", lets_encrypt.eab_hmac_key, NULL),
    END,
};
static const struct cfg_section eab_section = {.strict = CFG_OURS, .keys = eab_keys};

static const struct cfg_key lets_encrypt_keys[] = {
    BOOLEAN("enabled", lets_encrypt.enabled),
    TEXT("email", lets_encrypt.email, config_is_email),
    CUSTOM("atRestKey", lets_encrypt.at_rest_keys, read_key32_list),
    TEXT("atRestKeyFile", lets_encrypt.at_rest_key_file, NULL),
    BOOLEAN("certRenewer", lets_encrypt.cert_renewer),
    BOOLEAN("staging", lets_encrypt.staging),
    TEXT("directoryUrl", lets_encrypt.directory_url, config_is_url),
    TEXT("stagingUrl", lets_encrypt.staging_url, config_is_url),
    CUSTOM("resolvers", lets_encrypt.resolvers, read_server_list),
    BOOLEAN("checkDelegation", lets_encrypt.check_delegation),
    TEXT("caFile", lets_encrypt.ca_file, NULL),
    TEXT("profile", lets_encrypt.profile, NULL),
    SECTION("eab", &eab_section),
    TEXT("preferredChain", lets_encrypt.preferred_chain, NULL),
    TEXT("tlsDir", lets_encrypt.tls_dir, NULL),
    TEXT("onRotateScript", lets_encrypt.on_rotate_script, config_is_absolute_path),
    TEXT("caa", lets_encrypt.caa, NULL),
    NUMBER("renewBeforeDays", lets_encrypt.renew_before_days, 0, 365),
    REFUSED("hostnames", "there is no such key: the names follow from dnsLess.publicUrl, "
                         "dns.domain or core.url; remove it"),
    END,
};
static const struct cfg_section lets_encrypt_section = {.strict = CFG_OURS,
                                                        .keys = lets_encrypt_keys};

static const struct cfg_key ssl_keys[] = {
    TEXT("certFile", http.cert_file, NULL),
    TEXT("keyFile", http.key_file, NULL),
    END,
};
static const struct cfg_section ssl_section = {.strict = CFG_SHARED, .keys = ssl_keys};

static const struct cfg_key http_keys[] = {
    TEXT("ip", http.ip, config_is_ip),
    NUMBER("port", http.port, 0, PORT_MAX),
    SECTION("ssl", &ssl_section),
    NUMBER("challengePort", http.challenge_port, 0, PORT_MAX),
    NUMBER("dotPort", http.dot_port, 0, PORT_MAX),
    END,
};
static const struct cfg_section http_section = {.strict = CFG_SHARED, .keys = http_keys};

static const struct cfg_key auth_keys[] = {
    SECRET("adminAccessKey", auth.admin_access_key, NULL),
    END,
};
static const struct cfg_section auth_section = {.strict = CFG_SHARED, .keys = auth_keys};

static const struct cfg_key ca_keys[] = {TEXT("path", cluster.ca_path, NULL), END};
static const struct cfg_section ca_section = {.strict = CFG_OURS, .keys = ca_keys};

static const struct cfg_key tokens_keys[] = {
    IGNORED("path", "join tokens are rows of the platform's database"),
    END,
};
static const struct cfg_section tokens_section = {.strict = CFG_OURS, .keys = tokens_keys};

static const struct cfg_key cluster_keys[] = {
    SECTION("ca", &ca_section),
    SECTION("tokens", &tokens_section),
    TEXT("tlsDir", cluster.tls_dir, config_is_absolute_path),
    CUSTOM("members", cluster.members, read_ip_list),
    BOOLEAN("discoveryEnabled", cluster.discovery_enabled),
    NUMBER("joinPort", cluster.join_port, 0, PORT_MAX),
    IGNORED("apiWorkers", NULL),
    IGNORED("hfsWorkers", NULL),
    IGNORED("previewsWorker", NULL),
    IGNORED("clockSkewSeconds", NULL),
    IGNORED("allowInsecurePeerUrl", NULL),
    END,
};
static const struct cfg_section cluster_section = {.strict = CFG_OURS, .keys = cluster_keys};

static const struct cfg_key engine_keys[] = {
    CUSTOM("engine", storages.engine_rqlite, read_engine),
    END,
};
static const struct cfg_section engine_section = {.strict = CFG_SHARED, .keys = engine_keys};

static const struct cfg_key sqlite_keys[] = {TEXT("path", storages.sqlite_path, NULL), END};
static const struct cfg_section sqlite_section = {.strict = CFG_OURS, .keys = sqlite_keys};

static const struct cfg_key tls_keys[] = {
    TEXT("caFile", storages.rqlite.ca_file, NULL),
    TEXT("certFile", storages.rqlite.cert_file, NULL),
    TEXT("keyFile", storages.rqlite.key_file, NULL),
    BOOLEAN("verifyClient", storages.rqlite.verify_client),
    IGNORED("verifyServerName", "peers are checked against their own names"),
    END,
};
static const struct cfg_section tls_section = {.strict = CFG_OURS, .keys = tls_keys};

static const struct cfg_key rqlite_keys[] = {
    SECRET("url", storages.rqlite.url, config_is_url), /* may hold user:password@ */
    BOOLEAN("external", storages.rqlite.external),
    TEXT("binPath", storages.rqlite.bin_path, NULL),
    TEXT("dataDir", storages.rqlite.data_dir, NULL),
    NUMBER("raftPort", storages.rqlite.raft_port, 0, PORT_MAX),
    SECTION("tls", &tls_section),
    IGNORED("httpBindAddr", NULL),
    IGNORED("readyTimeoutMs", NULL),
    IGNORED("logFile", NULL),
    END,
};
static const struct cfg_section rqlite_section = {.strict = CFG_OURS, .keys = rqlite_keys};

static const struct cfg_key engines_keys[] = {
    SECTION("sqlite", &sqlite_section),
    SECTION("rqlite", &rqlite_section),
    END,
};
static const struct cfg_section engines_section = {.strict = CFG_SHARED, .keys = engines_keys};

static const struct cfg_key storages_keys[] = {
    SECTION("platform", &engine_section),
    SECTION("engines", &engines_section),
    END,
};
static const struct cfg_section storages_section = {.strict = CFG_SHARED, .keys = storages_keys};

static const struct cfg_key platform_keys[] = {
    CUSTOM("piiMode", platform.pii_hashed, read_pii_mode),
    CUSTOM("piiHmacKey", platform.pii_hmac_key, read_key32),
    IGNORED("piiAlgorithm", "there is only hmac-sha256"),
    END,
};
static const struct cfg_section platform_section = {.strict = CFG_OURS, .keys = platform_keys};

static const struct cfg_key log_keys[] = {
    CUSTOM("level", log.level, read_level),
    CUSTOM("format", log.format, read_format),
    END,
};
static const struct cfg_section log_section = {.strict = CFG_OURS, .keys = log_keys};

static const struct cfg_key top_keys[] = {
    SECTION("core", &core_section),
    SECTION("dns", &dns_section),
    SECTION("dnsLess", &dns_less_section),
    SECTION("letsEncrypt", &lets_encrypt_section),
    SECTION("http", &http_section),
    SECTION("auth", &auth_section),
    SECTION("cluster", &cluster_section),
    SECTION("storages", &storages_section),
    SECTION("platform", &platform_section),
    SECTION("log", &log_section),
    TEXT("user", user, config_is_account),
    IGNORED("hostings", NULL),
    END,
};
/* Sections of the host platform that are one letter away from ours. */
static const char *const top_foreign[] = {"logs", "oauth", "users", "https", NULL};

const struct cfg_section config_top = {.strict = CFG_TOP, .keys = top_keys, .foreign = top_foreign};

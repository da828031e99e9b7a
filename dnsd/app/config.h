/* The configuration: one YAML file, beside it bootstrap-config.yml (dnsd's own, see config_bootstrap.h) and
 * override-config.yml, a typed struct.
 *
 * Keys and defaults: docs/CONFIGURATION.md. All problems are found in one pass, each as
 * `file:line: key: what is wrong and what would be right`. Unknown keys in our sections are
 * problems, with the nearest known key suggested; sections of the host platform are ignored.
 * Placeholders (a value with REPLACE ME, or ${VAR}) count as unset.
 *
 * Used by the daemon and by the tools, which hand structs down; no module reads a file to learn how
 * to behave. Blocks (reads files): boot, tools, and the reload's offloaded part. Strings and lists
 * are owned by the struct; config_free() accepts a zeroed one. Secrets are never printed or logged.
 */
#ifndef DNSD_APP_CONFIG_H
#define DNSD_APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/wire/name.h"
#include "dnsd/zone/record.h"
#include "lib/log.h"
#include "lib/str.h"

struct config_list {
    char **items; /* owned */
    size_t count;
};
struct config_pair {
    char *key;   /* owned */
    char *value; /* owned */
};
struct config_pairs {
    struct config_pair *items; /* owned */
    size_t count;
};
/* A name whose records the configuration fixes. */
struct config_entry {
    struct wire_name owner; /* absolute, folded */
    struct record_set records;
};
struct config_entries {
    struct config_entry *items; /* owned; sorted by the owner's bytes, no duplicates */
    size_t count;
};
/* dns.records.root.soa; unset members NULL / -1 */
struct config_soa {
    char *primary, *admin;
    int64_t serial, refresh_s, retry_s, expiration_s, minimum_s;
};

enum config_wildcard { CONFIG_WILDCARD_USERS, CONFIG_WILDCARD_CORES };

struct config {
    char *path; /* owned: the file that was read */
    struct {
        char *id;                                /* default "single" */
        char *ip, *ipv6, *cname, *url, *hosting; /* NULL: unset. ip falls back to dns.publicIp */
        bool available, non_voter;
    } core;
    struct {
        bool active;
        char *domain_text;       /* NULL: unset; without a trailing dot, lower case */
        struct wire_name domain; /* valid if domain_text is set; folded */
        uint16_t port;
        struct config_list ip;  /* a string or a list; default 0.0.0.0 */
        struct config_list ip6; /* default none */
        uint32_t default_ttl_s;
        unsigned workers; /* 0: as many as the machine has cores */
        enum config_wildcard wildcard;
        struct config_list service_names;
        struct config_pairs nameservers; /* label -> core id; empty: one dnsN per core */
        struct config_entries static_entries;
        struct record_set root; /* dns.records.root without soa */
        struct config_soa soa;
        bool chaos; /* answer version.bind and id.server in class CH */
    } dns;
    struct {
        bool is_active;
        char *public_url;
    } dns_less;
    struct {
        bool enabled, staging, cert_renewer, cert_renewer_set, check_delegation;
        char *email, *directory_url, *staging_url, *ca_file, *profile, *eab_kid, *eab_hmac_key;
        char *preferred_chain, *tls_dir, *on_rotate_script, *caa, *at_rest_key_file;
        struct config_list at_rest_keys; /* secret; RFC 4648 §4 with padding, 32 bytes each */
        struct config_list resolvers;    /* 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53 */
        int64_t renew_before_days;       /* -1: unset */
    } lets_encrypt;
    struct {
        char *ip;                                /* NULL: every address, IPv4 and IPv6 */
        char *cert_file, *key_file;              /* both or none */
        uint16_t port, challenge_port, dot_port; /* 0: off */
    } http;
    struct {
        char *admin_access_key; /* secret */
    } auth;
    struct {
        char *ca_path, *tls_dir;
        struct config_list members; /* addresses of cores to join; default none */
        bool discovery_enabled;
        uint16_t join_port; /* 0: off; open only where the CA is */
    } cluster;
    struct {
        bool engine_rqlite;
        char *sqlite_path; /* default /var/lib/dnsd/platform.db */
        struct {
            char *url, *bin_path, *data_dir, *ca_file, *cert_file, *key_file;
            bool external, verify_client;
            uint16_t raft_port;
        } rqlite;
    } storages;
    struct {
        bool pii_hashed;
        char *pii_hmac_key; /* secret */
    } platform;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    char *user; /* top-level `user`: account to become after binding; NULL: stay */
};

struct config_problems {
    struct str text; /* one line per problem; empty: none */
    size_t count;
    struct str notes; /* lines worth telling by --check: keys accepted but without effect */
};

/* Reads PATH (NULL: $DNSD_CONFIG, else /etc/dnsd/dnsd.yml) and the two beside it, in the order above; each
 * may be missing, but either PATH or bootstrap-config.yml must be there. ERR_OK: *out is good,
 * the caller frees it. ERR_MALFORMED: problems->text says what and *out is zeroed; an unreadable
 * file is a problem too. The caller frees PROBLEMS with config_problems_free() in either case. */
enum err config_load(const char *path, struct config *out,
                     struct config_problems *problems) MUST_USE;

void config_free(struct config *c);
void config_problems_free(struct config_problems *p);

/* Where this core keeps its own files (snapshot, control socket, lock): the folder of the sqlite
 * file, or `dnsd` inside rqlite's dataDir. Caller frees. */
char *config_state_dir(const struct config *c);

#endif

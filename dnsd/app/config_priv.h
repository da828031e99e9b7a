/* Between the files of config: the steps of config_load(), and one entry for bytes in memory. */
#ifndef DNSD_APP_CONFIG_PRIV_H
#define DNSD_APP_CONFIG_PRIV_H

#include "config.h"
#include "lib/cfg.h"

#define CONFIG_OVERRIDE_FILE "override-config.yml"
#define CONFIG_TLS_DIR       "/var/lib/dnsd/cluster" /* unless cluster.tlsDir says otherwise */
#define CONFIG_LIST_MAX      100 /* addresses, labels, keys in one list: more cannot be meant */

/* What config_load() does once the files are in C. OUT must be zeroed. */
enum err config_from_cfg(struct cfg *c, struct config *out,
                         struct config_problems *problems) MUST_USE;

/* config_load(), with GENERATED as the text of bootstrap-config.yml; NULL: what is there. */
enum err config_load_files(const char *path, const char *generated, struct config *out,
                           struct config_problems *problems) MUST_USE;
/* The files in the order that they are laid over each other: main, ours, override. PATH is that of
 * config_main_path(). */
void config_add_files(struct cfg *c, const char *path, const char *generated);
/* PATH, or where it is if nobody says so: borrowed, or static. */
const char *config_main_path(const char *path);
/* The file NAME in the folder of PATH; NULL if PATH is that file itself. The caller frees. */
char *config_beside(const char *path, const char *name);

/* The table of all keys, and the part for dns.records.root (config_keys.c). */
extern const struct cfg_section config_top;
extern const struct cfg_section config_root;

/* Reads dns.staticEntries and dns.records.root into OUT (config_records.c). Needs dns.domain,
 * dns.service_names and dns.default_ttl_s to be there. */
void config_read_records(struct cfg *c, struct config *out);
void config_entries_free(struct config_entries *entries);

/* Rules between keys (config_rules.c). */
void config_check_rules(struct cfg *c, const struct config *config);

/* Syntax of single values (config_syntax.c). INFO says what would be right. Signature:
 * cfg_check_fn. */
enum err config_is_label(const char *text, struct err_info *info);
enum err config_is_host(const char *text, struct err_info *info);
enum err config_is_listen_ipv4(const char *text, struct err_info *info);
enum err config_is_listen_ipv6(const char *text, struct err_info *info);
enum err config_is_public_ipv4(const char *text, struct err_info *info);
enum err config_is_public_ipv6(const char *text, struct err_info *info);
enum err config_is_ip(const char *text, struct err_info *info);
enum err config_is_server(const char *text, struct err_info *info);
enum err config_is_url(const char *text, struct err_info *info);
enum err config_is_email(const char *text, struct err_info *info);
enum err config_is_absolute_path(const char *text, struct err_info *info);
enum err config_is_key32(const char *text, struct err_info *info);
enum err config_is_soa_name(const char *text, struct err_info *info);
enum err config_is_mailbox(const char *text, struct err_info *info);
enum err config_is_account(const char *text, struct err_info *info);

/* A key that config_is_key32() likes, in the one form that is kept: RFC 4648 §4, with padding. */
void config_normalize_key32(char **key);

/* Lower case in place, ASCII only. */
void config_fold(char *text);

/* LIST takes TEXT (copied). */
void config_list_add(struct config_list *list, const char *text);
void config_list_free(struct config_list *list);

#endif

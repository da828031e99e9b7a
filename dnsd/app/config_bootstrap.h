/* The configuration that dnsd itself writes: bootstrap-config.yml beside the main file, read after it and
 * before override-config.yml. It is a JSON object, which is YAML, with a comment line before it.
 *
 * On a core that has joined it holds what the bundle said; on the core with the CA the paths of its own TLS
 * material. The operator's files are never touched. Blocks: boot and tools only.
 */
#ifndef DNSD_APP_CONFIG_BOOTSTRAP_H
#define DNSD_APP_CONFIG_BOOTSTRAP_H

#include <jansson.h>

#include "cluster/bundle.h"
#include "config.h"

#define CONFIG_BOOTSTRAP_FILE "bootstrap-config.yml"

/* Beside CONFIG_PATH (as config_load() takes it, NULL too); the caller frees. */
char *config_bootstrap_path(const char *config_path);

/* What must be the same on every core, out of the files of CONFIG_PATH: an object of sections with the keys
 * of docs/CONFIGURATION.md as they stand there: dns (but ip, ip6, publicIp, port and workers), dnsLess, letsEncrypt
 * (without certRenewer, atRestKeyFile, tlsDir, onRotateScript, caFile; atRestKey with what the file holds),
 * auth.adminAccessKey, platform, cluster.discoveryEnabled, storages.engines.rqlite.raftPort. Unset ones are
 * absent. *out is the caller's, for jx_wipe(). ERR_MALFORMED: the configuration's first
 * problem. */
enum err config_shared(const char *config_path, json_t **out, struct err_info *info) MUST_USE;

/* The object for the core that B is for. TLS_DIR: where its material is. Of the bundle's configuration only
 * what config_shared() hands out is taken, and not dnsLess.publicUrl, which is that of one core, if this one
 * has a url. What a core may have and this one has not is null: see config_bootstrap_write(). */
json_t *config_of_bundle(const struct bundle *b, const char *tls_dir, bool as_voter);
/* The object for the core with the CA: storages.engines.rqlite.tls. */
json_t *config_of_holder(const char *tls_dir);

/* Loads the configuration as if OBJECT stood in the generated file. As config_load(). A missing main file is
 * no problem then: a core that joins needs none. */
enum err config_load_with(const char *config_path, const json_t *object, struct config *out,
                          struct config_problems *problems) MUST_USE;

/* Replaces the file (0600; ACCOUNT as in cluster/ca_sys.h). Members that are there and not in OBJECT are kept,
 * those that are null in OBJECT are taken away (RFC 7396). Anything but an object in the present file is ERR_MALFORMED. */
enum err config_bootstrap_write(const char *config_path, const char *account, const json_t *object,
                                struct err_info *info) MUST_USE;

#endif

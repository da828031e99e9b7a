/* What `dnsd --bootstrap` asks of the configuration that is here before it changes anything.
 *
 * Blocks (reads files): boot only. Texts handed out are the caller's.
 */
#ifndef DNSD_APP_CONFIG_JOIN_H
#define DNSD_APP_CONFIG_JOIN_H

#include "cluster/bundle.h"
#include "config.h"

/* cluster.tlsDir of the operator's own files, or the default. Whether it is a good one is told by
 * config_load_with(). */
char *config_join_tls_dir(const char *config_path);

/* What the operator's files say otherwise than the bundle: another core.id or dns.domain in any of them, an
 * engine other than rqlite where it would win. Appended to PROBLEMS; ERR_CONFLICT: there are some. */
enum err config_join_check(const char *config_path, const struct bundle *b,
                           struct config_problems *problems) MUST_USE;

/* core.id of the file that dnsd has written. NULL: there is no such file, or none in it. */
char *config_join_core(const char *config_path);

#endif

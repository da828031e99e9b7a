/* Between the files of join: what is on disk, and the ack. Everything blocks. */
#ifndef DNSD_APP_JOIN_PRIV_H
#define DNSD_APP_JOIN_PRIV_H

#include "cluster/bundle.h"
#include "config.h"
#include "join_sys.h"
#include "lib/digest.h"

#define JOIN_PASSPHRASE_MAX 1024 /* of the file */
#define JOIN_DONE_FILE      "joined"
#define JOIN_DIGEST         (2 * DIGEST_SHA256_LEN + 1)

/* join_files_sys.c */

/* What FILE holds, without the end of its line; the caller wipes. ERR_MALFORMED: no regular file, empty or more
 * than a line; ERR_DENIED: others may read it; errors of file_read(). */
enum err join_passphrase(const char *file, char **out, struct err_info *info) MUST_USE;

/* The bundle's text; DIGEST: SHA-256 of it in hex. Errors of file_read(). */
enum err join_bundle(const char *file, char **out, size_t *len, char digest[JOIN_DIGEST],
                     struct err_info *info) MUST_USE;

/* What `joined` says. ERR_NOTFOUND; ERR_MALFORMED: not as we write it. */
struct join_done {
    char core[256];
    char digest[JOIN_DIGEST]; /* of the bundle */
};
enum err join_done_read(const char *tls_dir, struct join_done *out, struct err_info *info) MUST_USE;
enum err join_done_write(const char *tls_dir, const char *account, const struct join_done *done,
                         int64_t now_ms, struct err_info *info) MUST_USE;

/* ERR_CONFLICT: this machine is a member of something already. GENERATED: core.id of bootstrap-config.yml, or
 * NULL. */
enum err join_is_free(const struct config *c, const struct bundle *b, const char *generated,
                      struct err_info *info) MUST_USE;

/* join_ack_uv.c: on a loop of its own, until it is heard, refused, too late, or SIGTERM or SIGINT come
 * (ERR_CANCELED). */
enum err join_ack(const struct bundle *b, const char *ca_file, bool trust_system_ca,
                  struct err_info *info) MUST_USE;

#endif

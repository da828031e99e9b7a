/* What concerns cores that come and go in the store (store/store.h, "joining"), one call at a time
 * (tools/db.h). Lists come as JSON with the members that --json shows; no hash of a token is among them. */
#ifndef TOOLS_DB_JOIN_H
#define TOOLS_DB_JOIN_H

#include <jansson.h>

#include "db.h"

/* [{core, issuedAt, expiresAt, consumedAt, consumedFrom, revokedAt}], the oldest first. */
enum err db_tokens(struct db *db, json_t **out, struct err_info *info) MUST_USE;
enum err db_tokens_purge(struct db *db, int64_t now_ms, struct err_info *info) MUST_USE;

enum err db_admission_issue(struct db *db, const struct store_letting *l,
                            struct err_info *info) MUST_USE;
/* STORE_ADMISSION_NONE: there is none. */
enum err db_admission_state(struct db *db, const char *core, enum store_admission_state *out,
                            struct err_info *info) MUST_USE;
enum err db_admission_withdraw(struct db *db, const char *core, const char *ip, int64_t now_ms,
                               struct store_withdrawn *out, struct err_info *info) MUST_USE;
enum err db_core_retire(struct db *db, const char *id, bool force, int64_t now_ms,
                        struct store_withdrawn *out, struct err_info *info) MUST_USE;

enum err db_node_cert_put(struct db *db, const struct store_node_cert *cert,
                          struct err_info *info) MUST_USE;
/* What is known of CORE's certificate with SERIAL: not listed, listed, revoked. */
enum db_node_cert { DB_NODE_CERT_UNKNOWN, DB_NODE_CERT_GOOD, DB_NODE_CERT_REVOKED };
enum err db_node_cert_look(struct db *db, const char *core, const char *serial,
                           enum db_node_cert *out, struct err_info *info) MUST_USE;

/* How far CORE's zone has come, as its last heartbeat told. ERR_NOTFOUND: it has none. */
enum err db_beat_revision(struct db *db, const char *core, uint64_t *out,
                          struct err_info *info) MUST_USE;

#endif

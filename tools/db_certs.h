/* What concerns certificates in the store, one call at a time (tools/db.h). Rows come as JSON with the
 * members that --json shows; what is sealed is in members named "sealed...", which no command prints. */
#ifndef TOOLS_DB_CERTS_H
#define TOOLS_DB_CERTS_H

#include <jansson.h>

#include "db.h"

/* [{hostname, issuedAt, expiresAt, generation}] */
enum err db_certs_list(struct db *db, json_t **out, struct err_info *info) MUST_USE;
/* {..., certPem, chainPem, directory, sealed}; NULL: there is none. */
enum err db_cert_get(struct db *db, const char *hostname, json_t **out,
                     struct err_info *info) MUST_USE;
/* Of HOSTNAME (NULL: all), the newest first: [{at, hostname, kind, outcome, problem, text, core,
 * directory, notBefore}] */
enum err db_attempts(struct db *db, const char *hostname, int64_t since_ms, size_t max,
                     json_t **out, struct err_info *info) MUST_USE;
/* [{directory, url, contact, issuer, createdAt, sealed, sealedPending}] */
enum err db_accounts(struct db *db, json_t **out, struct err_info *info) MUST_USE;
/* {holder, term}; NULL: nobody ever had it. */
enum err db_lease(struct db *db, const char *name, json_t **out, struct err_info *info) MUST_USE;
/* [{core, detail}]: what the cores told last; detail as they wrote it. */
enum err db_beats(struct db *db, json_t **out, struct err_info *info) MUST_USE;
/* {id, hostname, kind, state, text, by, askedAt, endedAt}; of get NULL: there is none. */
enum err db_job_ask(struct db *db, const struct store_job *job, json_t **out,
                    struct err_info *info) MUST_USE;
enum err db_job_get(struct db *db, const char *id, json_t **out, struct err_info *info) MUST_USE;
/* ERR_CONFLICT: the row does not have EXPECT any more. */
enum err db_cert_reseal(struct db *db, const char *hostname, const char *expect, const char *sealed,
                        struct err_info *info) MUST_USE;
/* PENDING: NULL for none, before and after. */
enum err db_account_reseal(struct db *db, const char *directory, const char *expect,
                           const char *expect_pending, const char *sealed, const char *pending,
                           struct err_info *info) MUST_USE;

#endif

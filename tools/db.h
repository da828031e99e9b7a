/* The store, one call at a time: each function here starts an operation on a private loop and runs
 * the loop until it is done. For tools only; a daemon must never wait like this.
 *
 * Errors are the store's (store/store.h) and go to INFO. What a function hands out is the caller's
 * copy. Aborts when out of memory (lib/mem.h). One thread; DB_ROW callbacks are the exception.
 */
#ifndef TOOLS_DB_H
#define TOOLS_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/app/config.h"
#include "dnsd/app/config_rqlite.h"
#include "store/store.h"

struct db;

/* DB_READ: the database must be there already, else ERR_NOTFOUND. DB_WRITE: made if need be; when
 * that is done by root, for the account that dnsd will become (`user`). INFO says what may help. */
enum db_mode { DB_READ, DB_WRITE };
enum err db_open(const struct config *config, enum db_mode mode, struct db **out,
                 struct err_info *info) MUST_USE;
void db_close(struct db *db);

/* How rqlite is reached, and with which credentials; INFO says what to do without them. Freed with
 * config_rqlite_free(). */
enum err db_access(const struct config *config, struct config_rqlite *out,
                   struct err_info *info) MUST_USE;
/* Puts where and what may help around what rqlite's refusal said. Returns E. */
enum err db_explain(enum err e, const struct config *config, const struct config_rqlite *reach,
                    struct err_info *info);

enum err db_state(struct db *db, struct store_state *out, struct err_info *info) MUST_USE;

/* ON_ROW runs on a thread of the store's while this waits; the keys come in order, as of one
 * moment. ERR_CANCELED if it returned false. */
enum err db_scan(struct db *db, const char *prefix, store_row_cb *on_row, void *ctx,
                 struct err_info *info) MUST_USE;

/* *json is the caller's to free; NULL if there is no such row. */
enum err db_record_get(struct db *db, const char *name, char **json,
                       struct err_info *info) MUST_USE;
enum err db_records_apply(struct db *db, const struct store_record_change *changes, size_t count,
                          struct err_info *info) MUST_USE;

/* *core is the caller's to free; NULL if there is no such user. */
enum err db_user_get(struct db *db, const char *name, char **core, struct err_info *info) MUST_USE;
enum err db_user_put(struct db *db, const char *name, const char *core, enum store_put how,
                     struct err_info *info) MUST_USE;
enum err db_user_delete(struct db *db, const char *name, struct err_info *info) MUST_USE;
enum err db_users_load(struct db *db, const struct store_user *users, size_t count,
                       struct store_tally *tally, struct err_info *info) MUST_USE;

/* Copies, in the order of ids. */
struct db_cores {
    struct store_core *items; /* owned, and each text in them */
    size_t count;
};
enum err db_cores_list(struct db *db, struct db_cores *out, struct err_info *info) MUST_USE;
void db_cores_free(struct db_cores *cores);
/* Borrowed from CORES; NULL if there is no core of that id. */
const struct store_core *db_cores_find(const struct db_cores *cores, const char *id);

enum err db_core_put(struct db *db, const struct store_core *core, enum store_put how,
                     struct err_info *info) MUST_USE;
enum err db_core_delete(struct db *db, const char *id, bool force, struct err_info *info) MUST_USE;

#endif

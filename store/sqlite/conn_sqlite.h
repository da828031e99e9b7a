/* One connection to the file and what can be done on it. Blocks; used by one thread at a time.
 * Errors as in store.h; INFO names the file.
 */
#ifndef STORE_SQLITE_CONN_SQLITE_H
#define STORE_SQLITE_CONN_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/backend.h"
#include "store/pool.h"

/* More than there are different statements in this folder's parent. */
#define CONN_CACHE 64

enum conn_mode {
    CONN_READ, /* what CONN_MUST_EXIST or CONN_MAKE opened before, reading only */
    CONN_MUST_EXIST,
    CONN_MAKE,
};

struct conn {
    sqlite3 *db; /* owned; NULL: closed */
    char *path;  /* owned */
    unsigned busy_ms;
    struct {
        const char *sql;    /* static: known by its address */
        sqlite3_stmt *stmt; /* owned */
    } cache[CONN_CACHE];
    size_t cache_next; /* the place that the next new statement takes */
};

/* A result, kept. Zeroed before use; conn_rows_fini() after, also after an error. */
struct conn_rows {
    struct pool pool;            /* owned: the text */
    struct backend_value *cells; /* owned */
    size_t columns;
    size_t rows;
    size_t room; /* cells there is room for */
};

/* ERR_NOTFOUND: no such file, and MODE wanted one. */
enum err conn_open(struct conn *c, const char *path, unsigned busy_ms, enum conn_mode mode,
                   struct err_info *info) MUST_USE;
void conn_close(struct conn *c);

/* CHANGES has room for a number per statement. */
enum err conn_batch(struct conn *c, const struct backend_batch *batch, uint64_t *changes,
                    size_t *failed, struct err_info *info) MUST_USE;
enum err conn_query(struct conn *c, const struct backend_query *q, struct conn_rows *rows,
                    struct err_info *info) MUST_USE;
enum err conn_scan(struct conn *c, const struct backend_scan *scan, struct err_info *info) MUST_USE;
void conn_rows_fini(struct conn_rows *rows);

/* ERR_IO once the file is no longer where it was opened: what is written now would be lost. */
enum err conn_check_place(struct conn *c, struct err_info *info) MUST_USE;

/* A number that changes when another connection commits. */
enum err conn_data_version(struct conn *c, int64_t *out, struct err_info *info) MUST_USE;

#endif

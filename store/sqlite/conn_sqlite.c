#include "conn_sqlite.h"

#include <errno.h>
#include <stdlib.h>

#include "conn_priv.h"
#include "error_sqlite.h"
#include "order.h"

/* SQLite keeps what the system said only on some of its paths; on the others (a commit) errno still
 * has it, since run() cleared it before. */
static int why_errno(const struct conn *c)
{
    int now = errno;
    int kept = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
    return kept != 0 ? kept : now;
}

enum err conn_error(struct conn *c, int rc, struct err_info *info)
{
    struct error_place at = {
        .path = c->path,
        .busy_ms = c->busy_ms,
        .system_errno = why_errno(c),
        .message = c->db != NULL ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc),
    };
    return error_from(rc, &at, info);
}

static enum err prepared(struct conn *c, const char *sql, sqlite3_stmt **out, struct err_info *info)
{
    for (size_t i = 0; i < CONN_CACHE; i++) {
        if (c->cache[i].sql == sql) {
            *out = c->cache[i].stmt;
            return ERR_OK;
        }
    }
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return conn_error(c, rc, info);
    }
    size_t at = c->cache_next++ % CONN_CACHE;
    sqlite3_finalize(c->cache[at].stmt);
    c->cache[at].sql = sql;
    c->cache[at].stmt = stmt;
    *out = stmt;
    return ERR_OK;
}

static int bind(sqlite3_stmt *stmt, const struct backend_value *values, size_t count)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        int at = (int)i + 1;
        switch (values[i].kind) {
        case BACKEND_NUMBER:
            rc = sqlite3_bind_int64(stmt, at, values[i].number);
            break;
        case BACKEND_TEXT: /* static: it lives until the operation is done */
            rc = sqlite3_bind_text(stmt, at, values[i].text, -1, SQLITE_STATIC);
            break;
        case BACKEND_NULL:
            rc = sqlite3_bind_null(stmt, at);
            break;
        }
    }
    return rc;
}

/* Binds and steps to the end; *changed is the number of rows it changed. */
static enum err run(struct conn *c, sqlite3_stmt *stmt, const struct backend_value *values,
                    size_t count, uint64_t *changed, struct err_info *info)
{
    int rc = bind(stmt, values, count);
    errno = 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
    }
    enum err e = rc == SQLITE_DONE ? ERR_OK : conn_error(c, rc, info);
    *changed = (uint64_t)sqlite3_changes64(c->db);
    sqlite3_reset(stmt); /* repeats the error that step has told */
    return e;
}

enum err conn_exec(struct conn *c, const char *sql, struct err_info *info)
{
    sqlite3_stmt *stmt = NULL;
    uint64_t changed;
    enum err e = prepared(c, sql, &stmt, info);
    return e == ERR_OK ? run(c, stmt, NULL, 0, &changed, info) : e;
}

static enum err statement(struct conn *c, const struct backend_statement *st,
                          const struct order_item *order, uint64_t *changes, struct err_info *info)
{
    sqlite3_stmt *stmt = NULL;
    enum err e = prepared(c, st->sql, &stmt, info);
    *changes = 0;
    for (size_t i = 0; i < st->sets && e == ERR_OK; i++) {
        size_t set = order != NULL ? order[i].set : i;
        uint64_t changed = 0;
        e = run(c, stmt, st->values + set * st->params, st->params, &changed, info);
        *changes += changed;
        if (e == ERR_OK && st->must_change && changed == 0) {
            e = err_set(info, ERR_CONFLICT, "%s: a row was not as expected", c->path);
        }
    }
    return e;
}

/* A million names in the order of their keys touch each page once; in any other order, each page
 * many times, now and in every scan from then on, since rows lie in the order they came. Statements
 * that share their values share the order. */
static enum err statements(struct conn *c, const struct backend_batch *batch, uint64_t *changes,
                           size_t *failed, struct err_info *info)
{
    const struct backend_statement *sorted = NULL;
    struct order_item *order = NULL;
    enum err e = ERR_OK;
    for (size_t i = 0; i < batch->count && e == ERR_OK; i++) {
        const struct backend_statement *st = &batch->statements[i];
        *failed = i;
        bool shares = sorted != NULL && sorted->values == st->values &&
                      sorted->params == st->params && sorted->sets == st->sets;
        if (st->any_order && !shares) {
            free(order);
            order = order_of(st);
            sorted = st;
        }
        e = statement(c, st, st->any_order ? order : NULL, &changes[i], info);
    }
    free(order);
    return e;
}

/* SQLite may have rolled back by itself (full disk); then there is nothing left to do. */
static void roll_back(struct conn *c)
{
    struct err_info ignored;
    if (!sqlite3_get_autocommit(c->db)) {
        (void)!conn_exec(c, "ROLLBACK", &ignored);
    }
}

enum err conn_batch(struct conn *c, const struct backend_batch *batch, uint64_t *changes,
                    size_t *failed, struct err_info *info)
{
    /* IMMEDIATE: waits for the other writer now, and cannot fail half way for want of the lock. */
    enum err e = conn_exec(c, "BEGIN IMMEDIATE", info);
    if (e != ERR_OK) {
        return e;
    }
    e = statements(c, batch, changes, failed, info);
    if (e == ERR_OK) {
        e = conn_exec(c, "COMMIT", info);
    }
    if (e != ERR_OK) {
        roll_back(c);
    }
    return e;
}

static struct backend_value cell_of(sqlite3_stmt *stmt, int column)
{
    struct backend_value v = {.kind = BACKEND_NULL};
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL:
        break;
    case SQLITE_INTEGER:
        v.kind = BACKEND_NUMBER;
        v.number = sqlite3_column_int64(stmt, column);
        break;
    default:
        v.kind = BACKEND_TEXT;
        v.text = (const char *)sqlite3_column_text(stmt, column);
        break;
    }
    return v;
}

/* Text is NULL when there was no memory to convert it. */
static bool keep_row(struct conn_rows *rows, sqlite3_stmt *stmt)
{
    size_t used = rows->rows * rows->columns;
    if (used + rows->columns > rows->room) {
        size_t room = rows->room == 0 ? 8 * rows->columns : 2 * rows->room;
        struct backend_value *cells = realloc(rows->cells, room * sizeof *cells);
        if (cells == NULL) {
            return false;
        }
        rows->cells = cells;
        rows->room = room;
    }
    for (size_t i = 0; i < rows->columns; i++) {
        struct backend_value v = cell_of(stmt, (int)i);
        if (v.kind == BACKEND_TEXT) {
            v.text = v.text != NULL ? pool_text(&rows->pool, v.text) : NULL;
            if (v.text == NULL) {
                return false;
            }
        }
        rows->cells[used + i] = v;
    }
    rows->rows++;
    return true;
}

enum err conn_query(struct conn *c, const struct backend_query *q, struct conn_rows *rows,
                    struct err_info *info)
{
    sqlite3_stmt *stmt = NULL;
    enum err e = prepared(c, q->sql, &stmt, info);
    if (e != ERR_OK) {
        return e;
    }
    rows->columns = (size_t)sqlite3_column_count(stmt);
    int rc = bind(stmt, q->values, q->params);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && !keep_row(rows, stmt)) {
            rc = SQLITE_NOMEM;
        }
    }
    if (rc != SQLITE_DONE) {
        e = conn_error(c, rc, info);
    }
    sqlite3_reset(stmt);
    return e;
}

void conn_rows_fini(struct conn_rows *rows)
{
    pool_fini(&rows->pool);
    free(rows->cells);
    *rows = (struct conn_rows){.cells = NULL};
}

#define SCAN_COLUMNS 8

static enum err scan_one(struct conn *c, const struct backend_scan *scan, size_t query,
                         struct err_info *info)
{
    const struct backend_query *q = &scan->queries[query];
    sqlite3_stmt *stmt = NULL;
    enum err e = prepared(c, q->sql, &stmt, info);
    if (e != ERR_OK) {
        return e;
    }
    int columns = sqlite3_column_count(stmt);
    int rc = columns <= SCAN_COLUMNS ? bind(stmt, q->values, q->params) : SQLITE_RANGE;
    bool go_on = true;
    while (go_on && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            struct backend_value cells[SCAN_COLUMNS];
            for (int i = 0; i < columns; i++) {
                cells[i] = cell_of(stmt, i);
            }
            go_on = scan->on_row(scan->ctx, query, cells);
        }
    }
    if (!go_on) {
        e = err_set(info, ERR_CANCELED, "%s: the scan was ended by its reader", c->path);
    } else if (rc != SQLITE_DONE) {
        e = conn_error(c, rc, info);
    }
    sqlite3_reset(stmt);
    return e;
}

enum err conn_scan(struct conn *c, const struct backend_scan *scan, struct err_info *info)
{
    enum err e = conn_exec(c, "BEGIN", info); /* all queries see what the first one saw */
    for (size_t i = 0; i < scan->count && e == ERR_OK; i++) {
        e = scan_one(c, scan, i, info);
    }
    roll_back(c); /* there is nothing to commit */
    sqlite3_db_release_memory(c->db);
    return e;
}

enum err conn_check_place(struct conn *c, struct err_info *info)
{
    int moved = 0;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved == 0) {
        return ERR_OK;
    }
    return err_set(info, ERR_IO,
                   "%s: was removed, moved or replaced while in use; nothing was changed; put it "
                   "back, with its -wal file, if it was not meant to go",
                   c->path);
}

enum err conn_number(struct conn *c, const char *sql, int64_t *out, struct err_info *info)
{
    sqlite3_stmt *stmt = NULL;
    enum err e = prepared(c, sql, &stmt, info);
    if (e != ERR_OK) {
        return e;
    }
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(stmt, 0);
    } else {
        e = conn_error(c, rc, info);
    }
    sqlite3_reset(stmt);
    return e;
}

enum err conn_data_version(struct conn *c, int64_t *out, struct err_info *info)
{
    return conn_number(c, "PRAGMA data_version", out, info);
}

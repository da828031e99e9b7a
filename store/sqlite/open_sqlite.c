/* Opening the file: every way in which it can be the wrong one is found here, before anything is
 * written to it. */
#include "conn_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conn_priv.h"
#include "lib/clock.h"

#define WAL_RETRY_MS 5

/* A scan goes by keys, and rows lie in the order they came: this much of a table of a million users
 * is kept while the scan lasts. */
#define READ_CACHE "PRAGMA cache_size = -65536"

/* A trigger's working memory comes from here and not from malloc: a sixth of the time of a load. */
#define LOOKASIDE_SIZE  4096
#define LOOKASIDE_COUNT 64

/* Tables of somebody else and none that we know: a wrong path, not a database to take over. */
static const char FOREIGN_SQL[] =
    "SELECT count(*) > 0 AND sum(name IN ('keyValue', 'dnsd_migration')) = 0 FROM sqlite_master"
    " WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'";

static enum err check_file(const char *path, enum conn_mode mode, struct err_info *info)
{
    struct stat st;
    if (path[0] == '\0') {
        return err_set(info, ERR_IO, "the database's path is empty");
    }
    if (stat(path, &st) != 0) {
        if (errno != ENOENT) {
            return err_set(info, ERR_IO, "%s: %s", path, strerror(errno));
        }
        return mode == CONN_MAKE ? ERR_OK
                                 : err_set(info, ERR_NOTFOUND, "%s: there is no database", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return err_set(info, ERR_IO, "%s: is a folder; name a file in it", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(info, ERR_IO, "%s: is not a file", path);
    }
    /* SQLite would go on read-only where it may not write, and fail later with less to say. */
    if (access(path, mode == CONN_READ ? R_OK : R_OK | W_OK) != 0) {
        return err_set(info, ERR_IO,
                       "%s: %s; this user (uid %ld) must be able to read and write it", path,
                       strerror(errno), (long)geteuid());
    }
    return ERR_OK;
}

static enum err check_foreign(struct conn *c, struct err_info *info)
{
    int64_t foreign = 0;
    enum err e = conn_number(c, FOREIGN_SQL, &foreign, info);
    if (e == ERR_OK && foreign != 0) {
        e = err_set(info, ERR_MALFORMED,
                    "%s: is the database of some other program (none of its tables is known); name "
                    "another path",
                    c->path);
    }
    return e;
}

static enum err try_wal(struct conn *c, struct err_info *info)
{
    struct backend_query q = {.sql = "PRAGMA journal_mode = WAL"};
    struct conn_rows rows = {.cells = NULL};
    enum err e = conn_query(c, &q, &rows, info);
    if (e == ERR_OK && (rows.rows == 0 || strcmp(backend_text(rows.cells), "wal") != 0)) {
        e = err_set(
            info, ERR_IO,
            "%s: this file system cannot share memory between programs, which a database in "
            "WAL mode needs; use a local disk",
            c->path);
    }
    conn_rows_fini(&rows);
    return e;
}

/* The change to WAL needs the file for itself, and SQLite does not wait for that. */
static enum err enter_wal(struct conn *c, struct err_info *info)
{
    const int64_t end_ms = clk_mono_ms(&clk_system) + c->busy_ms;
    enum err e = try_wal(c, info);
    while (e == ERR_BUSY && clk_mono_ms(&clk_system) < end_ms) {
        nanosleep(&(struct timespec){.tv_nsec = WAL_RETRY_MS * 1000000L}, NULL);
        e = try_wal(c, info);
    }
    return e;
}

static enum err prepare(struct conn *c, struct err_info *info)
{
    /* FULL: what was acknowledged survives a power cut, not only our own end. The WAL is cut back
     * to a size that does not matter after a large load. The cache holds the upper levels of the
     * trees of a million users. */
    static const char *const settings[] = {
        "PRAGMA synchronous = FULL",
        "PRAGMA journal_size_limit = 16777216",
        "PRAGMA cache_size = -16384",
        "PRAGMA temp_store = MEMORY",
    };
    enum err e = check_foreign(c, info);
    if (e == ERR_OK) {
        e = enter_wal(c, info);
    }
    for (size_t i = 0; e == ERR_OK && i < sizeof settings / sizeof settings[0]; i++) {
        e = conn_exec(c, settings[i], info);
    }
    return e;
}

/* "./x": a path of ours is never one of SQLite's special names (":memory:", "file:..."). */
static char *plain_path(const char *path)
{
    char *plain = NULL;
    if (path[0] == '/') {
        return strdup(path);
    }
    return asprintf(&plain, "./%s", path) >= 0 ? plain : NULL;
}

enum err conn_open(struct conn *c, const char *path, unsigned busy_ms, enum conn_mode mode,
                   struct err_info *info)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= mode == CONN_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= mode == CONN_MAKE ? SQLITE_OPEN_CREATE : 0;
    *c = (struct conn){.busy_ms = busy_ms};
    enum err e = check_file(path, mode, info);
    if (e != ERR_OK) {
        return e;
    }
    c->path = plain_path(path);
    if (c->path == NULL) {
        return err_set(info, ERR_NOMEM, "%s: out of memory", path);
    }
    int rc = sqlite3_open_v2(c->path, &c->db, flags, NULL);
    if (rc != SQLITE_OK) {
        e = conn_error(c, rc, info);
        goto out;
    }
    sqlite3_busy_timeout(c->db, (int)busy_ms);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_SIZE, LOOKASIDE_COUNT);
    e = mode == CONN_READ ? conn_exec(c, READ_CACHE, info) : prepare(c, info);
out:
    if (e != ERR_OK) {
        conn_close(c);
    }
    return e;
}

void conn_close(struct conn *c)
{
    for (size_t i = 0; i < CONN_CACHE; i++) {
        sqlite3_finalize(c->cache[i].stmt);
    }
    sqlite3_close(c->db);
    free(c->path);
    *c = (struct conn){.db = NULL};
}

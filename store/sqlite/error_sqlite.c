#include "error_sqlite.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

static bool no_space(int system_errno)
{
    return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

static enum err full(const struct error_place *at, struct err_info *info)
{
    return err_set(info, ERR_IO,
                   "%s: no room to write (%s); nothing was changed; free some space on that disk "
                   "or raise the limit, then try again",
                   at->path,
                   at->system_errno != 0 ? strerror(at->system_errno) : "the database is full");
}

static enum err input_output(const struct error_place *at, struct err_info *info)
{
    if (no_space(at->system_errno)) {
        return full(at, info);
    }
    return err_set(info, ERR_IO,
                   "%s: the disk failed (%s); look at the system's log before trying again",
                   at->path, at->system_errno != 0 ? strerror(at->system_errno) : at->message);
}

enum err error_from(int rc, const struct error_place *at, struct err_info *info)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return full(at, info);
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM) {
            return err_set(info, ERR_NOMEM, "%s: out of memory", at->path);
        }
        return input_output(at, info);
    case SQLITE_CORRUPT:
        return err_set(info, ERR_IO,
                       "%s: the database is damaged (%s); put a backup in its place, or save what "
                       "can be read with: sqlite3 '%s' .recover",
                       at->path, at->message, at->path);
    case SQLITE_NOTADB:
        return err_set(info, ERR_MALFORMED,
                       "%s: this file is not a database; name another path, or move the file away "
                       "to begin with an empty database",
                       at->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(info, ERR_IO,
                       "%s: may not be written by this user; give the user the file, the files "
                       "beside it and their folder (%s)",
                       at->path, at->message);
    case SQLITE_CANTOPEN:
        return err_set(info, ERR_IO,
                       "%s: cannot be opened (%s); check the path and its permissions", at->path,
                       at->system_errno != 0 ? strerror(at->system_errno) : at->message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return err_set(info, ERR_BUSY,
                       "%s: another program has been writing for more than %u ms; nothing was "
                       "written",
                       at->path, at->busy_ms);
    case SQLITE_NOMEM:
        return err_set(info, ERR_NOMEM, "%s: out of memory", at->path);
    case SQLITE_TOOBIG:
        return err_set(info, ERR_LIMIT, "%s: %s", at->path, at->message);
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        /* Our statements are right for our tables, so the tables are not ours. */
        return err_set(info, ERR_MALFORMED,
                       "%s: the tables in this database are not as this program makes them (%s)",
                       at->path, at->message);
    default:
        return err_set(info, ERR_BUG, "%s: SQLite error %d: %s", at->path, rc, at->message);
    }
}

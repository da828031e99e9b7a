/* What SQLite says, in the words of store.h: each message names the file, the reason, the remedy.
 */
#ifndef STORE_SQLITE_ERROR_SQLITE_H
#define STORE_SQLITE_ERROR_SQLITE_H

#include "lib/err.h"

struct error_place {
    const char *path;
    unsigned busy_ms;
    int system_errno;    /* what the operating system said last; 0: nothing */
    const char *message; /* SQLite's own words */
};

/* RC is an (extended) result code, not SQLITE_OK. Pure. */
enum err error_from(int rc, const struct error_place *at, struct err_info *info) MUST_USE;

#endif

/* A folder with a database file in it, for one test; and SQLite's own API on that file, as another
 * program would use it.
 */
#ifndef TESTS_SUPPORT_STORE_FILE_H
#define TESTS_SUPPORT_STORE_FILE_H

#include <sqlite3.h>

#include "store/store.h"

struct store_file {
    char folder[64];
    char path[80];
    struct store_options options; /* for path */
};

struct store_file *store_file_new(void);
/* Removes the folder with all that is in it. */
void store_file_free(struct store_file *f);
void store_file_wipe(struct store_file *f);

/* A connection of the caller's, to be closed with sqlite3_close(). */
sqlite3 *store_file_connect(struct store_file *f);
/* Statements, from a connection that is made and closed for them. Fails the test on an error. */
void store_file_execute(struct store_file *f, const char *sql);
void store_file_execute_on(sqlite3 *db, const char *sql);

#endif

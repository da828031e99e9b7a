/* Shared by open_sqlite.c and conn_sqlite.c. */
#ifndef STORE_SQLITE_CONN_PRIV_H
#define STORE_SQLITE_CONN_PRIV_H

#include "conn_sqlite.h"

/* Runs one static statement without parameters; its rows are of no interest. */
enum err conn_exec(struct conn *c, const char *sql, struct err_info *info) MUST_USE;

/* The first cell of the one row that SQL, static and without parameters, always has. */
enum err conn_number(struct conn *c, const char *sql, int64_t *out, struct err_info *info) MUST_USE;

/* Translates RC, which the connection reported just now. */
enum err conn_error(struct conn *c, int rc, struct err_info *info) MUST_USE;

#endif

/* What this driver has to know of a statement's text. The texts are this program's own (see
 * store/backend.h), so this is no parser of SQL: it knows quotes, brackets and ?N. Pure.
 */
#ifndef STORE_RQLITE_SQLTEXT_H
#define STORE_RQLITE_SQLTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct sqltext_shape {
    size_t columns;
    bool one_row; /* it gives one row whatever the tables hold: neither FROM nor WHERE */
};

/* Of a statement that begins with SELECT. A reply is only believed if it has this shape: whoever
 * asked counts on it. */
struct sqltext_shape sqltext_shape(const char *sql);

/* The next ?N at or after SQL, with its end and its N; NULL if there is none. */
const char *sqltext_param(const char *sql, const char **end, size_t *n);

#endif

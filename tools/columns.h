/* Columns that line up. Widths are those of the widest cell; the last column is left ragged. Bytes
 * that would steer a terminal are shown as '?'. Pure but for columns_print(). */
#ifndef TOOLS_COLUMNS_H
#define TOOLS_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

#include "lib/str.h"

#define COLUMNS_MAX 8

/* Bytes that would steer a terminal become '?', in place: names and texts come from other programs
 * and from files. */
void columns_clean(char *text);

struct columns {
    char **cells; /* owned: rows of COLUMNS */
    size_t count, cap;
    size_t columns;
};

/* HEADER has COLUMNS texts and is the first row; NULL: none. */
void columns_init(struct columns *t, size_t columns, const char *const *header);
/* CELLS are copied; NULL is an empty cell. */
void columns_add(struct columns *t, const char *const *cells);
void columns_render(const struct columns *t, struct str *out);
void columns_print(const struct columns *t, FILE *out);
void columns_free(struct columns *t);

#endif

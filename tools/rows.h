/* The stored records as the tools work with them: the raw text (what a change must expect), and
 * what can be read of it. Aborts when out of memory. */
#ifndef TOOLS_ROWS_H
#define TOOLS_ROWS_H

#include "cli.h"
#include "dnsd/zone/record.h"

struct row {
    char *name; /* owned: as in the store */
    char *key;  /* owned: as we would call it (another program may have used capitals) */
    char *json; /* owned: as in the store */
    struct wire_name owner; /* absolute, folded; valid if `usable` */
    bool usable;            /* the name is one that can be asked for, the value is an object */
    struct record_set set;  /* owned: what of it can be served */
    size_t problems;        /* values that cannot */
};

struct rows {
    struct row *items; /* owned; in the order of keys, byte by byte */
    size_t count, cap;
};

/* Reads every row (none if no store was opened); warns of what cannot be served. CLI_OK, or said
 * why not. */
int rows_read(struct cli *cli, struct rows *out);
void rows_free(struct rows *rows);

/* The row of that key; NULL if there is none. Borrowed. */
struct row *rows_find(const struct rows *rows, const char *key);

/* Fills ROW from its name and json, telling each problem as a warning. */
void row_parse(const struct cli *cli, struct row *row);

void row_fini(struct row *row);

/* How an owner is called in the store: relative, lower case. OUT has WIRE_NAME_TEXT_MAX. */
void row_name(const struct cli *cli, const struct wire_name *owner, char *out);

#endif

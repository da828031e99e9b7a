/* Writes that tell exactly what they did. The number of rows a statement has changed is not always
 * known (rqlite: the reply was lost, and all that can be found out is that the write was carried
 * out). So what is there is read first, the write is planned from that, and bound to its still being
 * so; what was planned is then what was done.
 *
 *     look ──> plan ──> write ──> done
 *       ^                 │
 *       └── not any more ─┘   a few times
 */
#ifndef STORE_LOOKED_H
#define STORE_LOOKED_H

#include "op.h"

#define LOOKED_ARGS       4
#define LOOKED_CELLS      8
#define LOOKED_STATEMENTS 10

struct looked;

struct looked_kind {
    const char *look_sql; /* one row of whole numbers, from ?1 to ?args */
    const char
        *guard_sql; /* changes a row if they are ?args+1 and so on; one that stays as it is */
    size_t args, cells;
    /* Adds what is to be written. Nothing added: there is nothing to do. An error, told by
     * l->op.info, ends it. */
    enum err (*plan)(struct looked *l);
    /* Calls the user's callback. */
    void (*done)(struct looked *l, enum err e, const struct err_info *info);
};

struct looked {
    struct op op;
    const struct looked_kind *kind;                          /* static */
    struct backend_value values[LOOKED_ARGS + LOOKED_CELLS]; /* in op.pool; what was seen behind */
    struct backend_statement statements[LOOKED_STATEMENTS];
    unsigned tries;
};

#define LOOKED_GUARD(cells, params)                                                                \
    "UPDATE dnsd_meta SET value = value WHERE key = 'id' AND (" cells ") = (" params ")"

/* SIZE is that of the embedding struct, of which struct looked is the first member. */
void *looked_new(struct store *s, size_t size, const struct looked_kind *kind);
/* VALUES: kind->args of them, copied. */
void looked_start(struct looked *l, const struct backend_value *values);

/* For plan(). */
int64_t looked_cell(const struct looked *l, size_t cell);
void looked_add(struct looked *l, const char *sql, const struct backend_value *values,
                size_t count);

#endif

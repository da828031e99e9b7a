/* Writes under a lease: one transaction whose first statement touches the lease's row, without
 * effect, and must find it as the fence says. If it does not, that statement is the one that
 * failed, nothing of the rest is there, and the caller is told ERR_DENIED; whatever else fails is
 * the operation's own ERR_CONFLICT. (Both drivers carry a batch out as one transaction and break it
 * off for must_change.)
 */
#ifndef STORE_FENCED_H
#define STORE_FENCED_H

#include "op.h"

#define FENCED_STATEMENTS 6

struct fenced {
    struct op op;
    struct backend_statement statements[FENCED_STATEMENTS];
    size_t first; /* of the operation's own: 1, or 0 without a fence */
    store_done_cb *cb;
    void *ctx;        /* borrowed */
    const char *name; /* in op.pool: of what, for messages */
    const char *what; /* static: the words for ERR_CONFLICT */
};

/* FENCE may be NULL: then it is a write like any other. NAME is what the operation is about. */
struct fenced *fenced_new(struct store *s, const struct store_fence *fence, const char *name,
                          store_done_cb *cb, void *ctx);
/* One more statement; VALUES and their text are copied. */
void fenced_add(struct fenced *f, const char *sql, bool must_change,
                const struct backend_value *values, size_t count);
/* One that is carried out SETS times, with PARAMS values each. */
void fenced_add_sets(struct fenced *f, const char *sql, const struct backend_value *values,
                     size_t params, size_t sets);
void fenced_start(struct fenced *f);

/* op->end as fenced_new() sets it, for those who do something first. */
op_end_cb fenced_end;

#endif

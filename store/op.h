/* One operation under way: the copies of its arguments, what it asks of the driver, and how it
 * ends.
 *
 * A kind of operation embeds struct op as its first member in a struct of its own (mem_xalloc:
 * small and fixed, and without it nobody could be told of anything), says in `end` what becomes of
 * the driver's answer, and starts it with op_write() or op_read(). Whatever is wrong with the
 * arguments is noted by op_refuse() and ends the operation later, without the driver. end() either
 * starts a next step on the same op or calls the user's callback and then, last, op_free().
 */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "store.h"

#include "backend.h"
#include "lib/loop_uv.h"
#include "pool.h"

struct op;

typedef void op_end_cb(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply);

struct op {
    struct loop_msg msg;
    struct store *store; /* borrowed */
    struct pool pool;    /* owned: everything below and every argument lives here */
    op_end_cb *end;

    struct backend_batch batch;
    struct backend_query query;
    struct backend_scan scan;

    enum err early; /* why it ends before it began */
    struct err_info info;
};

#define OP_TEXT(s)   ((struct backend_value){.kind = BACKEND_TEXT, .text = (s)})
#define OP_NUMBER(n) ((struct backend_value){.kind = BACKEND_NUMBER, .number = (n)})
#define OP_ARGS(...)                                                                               \
    ((const struct backend_value[]){__VA_ARGS__}),                                                 \
        sizeof((const struct backend_value[]){__VA_ARGS__}) / sizeof(struct backend_value)

/* SIZE is that of the embedding struct, of which the op is the first member. */
void *op_new(struct store *s, size_t size, op_end_cb *end);
void op_free(struct op *op);

/* Notes the first reason. */
void op_refuse(struct op *op, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Refuses an empty NAME, and one that makes a key longer than STORE_KEY_MAX. */
void op_check_name(struct op *op, const char *prefix, const char *name);
void op_check_value(struct op *op, const char *what, const char *value);

/* Fills ST in; VALUES and their text are copied. */
void op_statement(struct op *op, struct backend_statement *st, const char *sql, bool must_change,
                  const struct backend_value *values, size_t count);

/* Room for what an answer's rows are read into, COUNT things of SIZE bytes, in op->pool; *count is
 * 0 on errors. NULL also if there is no memory: then *e and *info say so. WHAT: "attempts". */
void *op_list(struct op *op, enum err *e, const struct err_info **info,
              const struct backend_reply *reply, size_t size, const char *what, size_t *count);

/* Start a batch of one statement; a query; what is in op->batch; what is in op->scan. */
void op_write(struct op *op, const char *sql, bool must_change, const struct backend_value *values,
              size_t count);
void op_read(struct op *op, const char *sql, enum backend_level level,
             const struct backend_value *values, size_t count);
void op_start_batch(struct op *op);
void op_start_scan(struct op *op);

/* The many writes that end in store_done_cb, and tell "changed nothing" in words of their own. */
struct op_simple {
    struct op op;
    store_done_cb *cb;
    void *ctx;        /* borrowed */
    enum err missed;  /* what ERR_CONFLICT of the driver means here */
    const char *what; /* static: the words for it */
    const char *name; /* in op.pool: of what */
};
struct op_simple *op_simple_new(struct store *s, store_done_cb *cb, void *ctx);

#endif

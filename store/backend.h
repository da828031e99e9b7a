/* What a driver of the store implements. Private: only this folder and its drivers include it.
 *
 * store/<kind>.c speaks SQL (the dialect of SQLite, which rqlite shares) and no more than this to a
 * driver. The contract is drawn so that a driver can sit behind one HTTP request per operation:
 *
 * - A write is a BATCH: statements with their parameters, sent whole, carried out as one
 *   transaction. Nothing can be read inside a transaction and then decided upon: a statement that
 *   depends on what is there says so in its own SQL (WHERE, ON CONFLICT) and sets must_change.
 * - Times and random bytes are parameters. No statement uses RANDOM() or SQL's clock, so that
 *   replaying it elsewhere gives the same rows.
 * - SQL texts are static: a driver may keep prepared statements by their address.
 *
 * Required operations: batch, query, scan, close. Optional: watch, told by BACKEND_WATCH; for a
 * driver without it the store asks for the revision from time to time.
 *
 * Threads. All operations are called on the loop that the driver was opened with. DONE runs there
 * too, later, exactly once. Batches and queries are carried out in the order they were started; a
 * query marked `aside` and a scan see at least everything started before them.
 *
 * Memory. What an operation is given (statements, values, text) is borrowed until DONE has been
 * called; what DONE is given, until it returns.
 *
 * Errors are those of store.h, told in its words, INFO naming the database. A batch that fails has
 * changed nothing, but for two: ERR_TIMEOUT says that the outcome is not known, and a divisible
 * batch may have got part of the way.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum backend_kind { BACKEND_NULL, BACKEND_NUMBER, BACKEND_TEXT };

/* A parameter or a cell. Text ends with its first NUL; what is neither whole number nor NULL comes
 * as text. */
struct backend_value {
    enum backend_kind kind;
    union {
        int64_t number;
        const char *text; /* borrowed */
    };
};

/* What a cell holds, NULL or 0 if it is of another kind: other programs write rows too. */
static inline const char *backend_text(const struct backend_value *v)
{
    return v->kind == BACKEND_TEXT ? v->text : NULL;
}

static inline int64_t backend_number(const struct backend_value *v)
{
    return v->kind == BACKEND_NUMBER ? v->number : 0;
}

struct backend_statement {
    const char *sql;                    /* static */
    const struct backend_value *values; /* sets * params of them, set after set */
    size_t params;                      /* ?1 to ?N */
    size_t sets;                        /* it is carried out once for each */
    bool must_change;                   /* each set must change a row, else ERR_CONFLICT */
    bool any_order; /* sets with different first values may change places: nearby rows together */
    /* The same for any number of sets at once, which come as ?1: a JSON array of arrays. NULL: none
     * is offered. For drivers to which a statement is dear. */
    const char *bulk_sql;
};

struct backend_batch {
    const struct backend_statement *statements;
    size_t count;
    /* A driver may take some of the sets of every statement (the same stretch of each) in one
     * transaction and the next ones in another. If one fails, those before it stay. */
    bool divisible;
    /* Worth nothing later: one try, without waiting for a leader. */
    bool hasty;
};

/* How fresh a read has to be, where several nodes hold the rows. */
enum backend_level {
    /* What this node knows, and at least what was written through this driver; answers even while
     * the other nodes are away, and says so: reply->stale. */
    BACKEND_LOCAL,
    BACKEND_LATEST, /* everything that was ever acknowledged */
};

struct backend_query {
    const char *sql; /* static; one SELECT */
    const struct backend_value *values;
    size_t params;
    enum backend_level level;
    bool aside; /* takes long: must not delay what is started after it */
};

/* Large results: QUERIES one after the other. ON_ROW is called on a thread of the driver's choice,
 * for one row at a time; its cells are borrowed until it returns. False ends the scan with
 * ERR_CANCELED.
 *
 * All is as of one moment (BACKEND_MOMENT), or the first query is as of some moment and no row of
 * the others is older than that. A driver without BACKEND_MOMENT fetches a query by its
 * page: SQL that gives the query's rows in ascending order of their first `keys` columns, and to
 * which the driver adds, after the query's own values, the last row's first `keys` cells (at the
 * beginning: '') and how many rows to give. */
struct backend_page {
    const char *sql; /* static; NULL: the query is small */
    size_t keys;
};
struct backend_scan {
    const struct backend_query *queries;
    const struct backend_page *pages; /* one for each query */
    size_t count;
    bool (*on_row)(void *ctx, size_t query, const struct backend_value *cells);
    void *ctx;
};

struct backend_reply {
    const uint64_t *changes; /* batch, on OK: rows changed by each statement (DDL: meaningless) */
    size_t failed;           /* batch, on ERR_CONFLICT: the statement that changed nothing */
    const struct backend_value *cells; /* query, on OK: row after row */
    size_t columns;
    size_t rows;
    bool stale; /* query of BACKEND_LOCAL: this node is cut off from the others; it may be old */
};

typedef void backend_done_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct backend_reply *reply);

struct backend;

enum backend_feature {
    BACKEND_WATCH = 1 << 0,  /* the driver notices changes by others by itself */
    BACKEND_MOMENT = 1 << 1, /* a scan is as of one moment */
};

struct backend_ops {
    const char *name;
    unsigned features; /* enum backend_feature */

    void (*batch)(struct backend *b, const struct backend_batch *batch, backend_done_cb *done,
                  void *ctx);
    void (*query)(struct backend *b, const struct backend_query *query, backend_done_cb *done,
                  void *ctx);
    void (*scan)(struct backend *b, const struct backend_scan *scan, backend_done_cb *done,
                 void *ctx);

    /* Calls ON_CHANGE after others' commits (own ones need not be told), and once at the start; it
     * may come without a change. NULL ends it: no call after that. */
    void (*watch)(struct backend *b, void (*on_change)(void *ctx), void *ctx);

    /* Nothing else is under way, and nothing will be started. The driver frees itself. */
    void (*close)(struct backend *b, void (*done)(void *ctx), void *ctx);
};

/* The first member of a driver's own struct. */
struct backend {
    const struct backend_ops *ops;
};

/* A driver's open ends with this; *b is the receiver's to close. */
typedef void backend_open_cb(void *ctx, enum err e, const struct err_info *info, struct backend *b);

#endif

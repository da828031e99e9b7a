/* What is asked of rqlite: the bodies of its requests, from statements and their parameters. Pure.
 *
 * A body is a JSON array of entries `[sql, parameter...]`, carried out in their order, those of a
 * write as one transaction. rqlite knows of no conditions and keeps no record of requests; two
 * tables of the driver's own make up for it:
 *
 * - dnsd_guard refuses every row. `INSERT ... WHERE changes() = 0` behind a statement that must
 *   change something thus breaks the transaction off if it did not.
 * - dnsd_write holds a random token of each of the latest writes, put there by its first entry. A
 *   write whose reply got lost is sent again as it is: if it has been carried out before, the token
 *   is refused and nothing happens twice. And a node whose dnsd_write has the token has the rows.
 *
 * Three kinds of text cannot be parameters of rqlite's: what is not UTF-8 (it would arrive as
 * something else), what looks like a blob in SQL (x'00': from 8.30 or so on it would become one),
 * and a NUL, which our texts end with. The first two go into the statement itself, as a blob that
 * is cast to text. They are rare, so that its being long does not matter.
 */
#ifndef STORE_RQLITE_REQUEST_H
#define STORE_RQLITE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "store/backend.h"

#define REQUEST_MAX       (16 * 1024 * 1024) /* a body; more than that would hold up Raft for long */
#define REQUEST_TOKEN_LEN 32

/* A piece of a divisible batch: a request should take well under a second, else the cluster's
 * heartbeats wait behind it. */
#define REQUEST_PIECE_SETS  5000
#define REQUEST_PIECE_BYTES (1024 * 1024)

/* How many of the latest writes dnsd_write keeps: a write is sent again within seconds. */
#define REQUEST_TOKENS_KEEP 10000

/* Makes the two tables and the trigger that prunes. */
#define REQUEST_TABLES 3
extern const char *const request_tables[REQUEST_TABLES];
/* One row: how many of the three are there, and whether the store's own tables are. */
extern const char request_look_sql[];

/* A growing body. Sticky error: after the first, nothing is added. */
struct request {
    char *text; /* owned */
    size_t len, cap;
    enum err bad; /* ERR_OK; ERR_LIMIT; ERR_NOMEM */
};

/* Begins anew; keeps the memory. A zeroed struct request may be begun. */
void request_begin(struct request *r);
void request_add(struct request *r, const char *sql, const struct backend_value *values,
                 size_t params);
/* SETS times PARAMS values as one parameter: a JSON array of arrays, as text, which must be UTF-8. */
void request_add_many(struct request *r, const char *sql, const struct backend_value *values,
                      size_t params, size_t sets);
bool request_is_utf8(const char *text);
enum err request_end(struct request *r, struct err_info *info) MUST_USE;
void request_fini(struct request *r);

/* The entry that tells whether the node knows TOKEN: one row, or none. */
void request_add_check(struct request *r, const char *token);

/* The entry that tells how far the node's database has come: one row with a number that grows with
 * each change of the feed, whoever makes it, and with each write of this driver's. */
void request_add_mark(struct request *r);

/* Sets FROM to TO (not included) of all statements of a batch: one request. */
struct request_piece {
    const struct backend_batch *batch; /* borrowed */
    size_t from, to;
    const char *token; /* borrowed; NULL: none */
    bool apart;        /* bulk_sql cannot be used: some text is not UTF-8 */
};

/* The piece that begins with set FROM; false if there is none. A batch that may not be divided is
 * one piece. */
bool request_piece_next(const struct backend_batch *batch, size_t from, struct request_piece *out);
/* Whether making bodies of it takes longer than a loop may be kept from its work. */
bool request_is_large(const struct backend_batch *batch);
enum err request_piece_body(struct request *r, const struct request_piece *p,
                            struct err_info *info) MUST_USE;
size_t request_piece_entries(const struct request_piece *p);

enum request_entry { REQUEST_TOKEN, REQUEST_STATEMENT, REQUEST_GUARD };
/* What entry I of a piece's body is, and of which statement. */
enum request_entry request_piece_entry(const struct request_piece *p, size_t i, size_t *statement);

/* Adds to CHANGES, which has a place for each statement, what the piece's entries changed. */
typedef uint64_t request_changes_of(const void *ctx, size_t entry);
void request_piece_sum(const struct request_piece *p, request_changes_of *changes_of,
                       const void *ctx, uint64_t *changes);
/* The same, of a piece about which no more is known than that it was carried out. */
void request_piece_guess(const struct request_piece *p, uint64_t *changes);

#endif

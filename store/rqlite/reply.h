/* What rqlite answers: HTTP statuses, JSON, and the errors that are hidden in replies of 200. Pure.
 *
 * The input is foreign, and so is not believed: it is bounded by the caller, of limited depth, and
 * must have the shape that the request asked for. What a reply means for a write is said with care:
 * whatever is not known to have failed may have been carried out.
 */
#ifndef STORE_RQLITE_REPLY_H
#define STORE_RQLITE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/jx.h"
#include "sqltext.h"
#include "store/backend.h"
#include "store/pool.h"

enum reply_kind {
    REPLY_OK,
    REPLY_STALE,     /* this node has had no leader for longer than was asked for */
    REPLY_LATER,     /* not carried out; may go well later: no leader, not ready, nobody there */
    REPLY_UNKNOWN,   /* may have been carried out */
    REPLY_BEFORE,    /* the token is there: an earlier request with it was carried out */
    REPLY_UNCHANGED, /* the guard at entry `at` has refused: nothing was carried out */
    REPLY_MISSING, /* a table is not there, so nothing was carried out; it may be on its way here */
    REPLY_FAILED,  /* nothing was carried out, and the same again will fail too */
};

struct reply {
    enum reply_kind kind;
    enum err e; /* what to tell if it cannot be helped; ERR_OK with REPLY_OK alone */
    struct err_info info;
    size_t at;             /* the entry that has failed, if one has */
    json_t *root;          /* owned */
    size_t count;          /* of entries answered, with REPLY_OK */
    const json_t *results; /* borrowed from root */
};

/* An HTTP reply to a request of ENTRIES entries. LOCATION: that header, or NULL. The rest of *r
 * is filled in even if the kind is not REPLY_OK; end it with reply_fini(). */
void reply_read(struct reply *r, unsigned status, const char *location, const char *body,
                size_t len, size_t entries);
/* No HTTP reply came: E and WHY are the HTTP client's; SENT: the request may have arrived. */
void reply_none(struct reply *r, enum err e, const char *why, bool sent);
void reply_fini(struct reply *r);

/* Of a reply that is REPLY_OK. An entry that says nothing has changed nothing. */
uint64_t reply_changes(const struct reply *r, size_t entry);

/* Rows, with a row of NULLs behind the last. Text is borrowed from the reply or is in the pool. */
struct reply_rows {
    struct pool pool; /* owned */
    struct backend_value *cells;
    size_t columns, rows;
};
/* Of a reply that is REPLY_OK; ERR_MALFORMED if they have not SHAPE. *out is zeroed before, and
 * goes with reply_rows_fini(), in any case. */
enum err reply_rows(const struct reply *r, size_t entry, struct sqltext_shape shape,
                    struct reply_rows *out, struct err_info *info) MUST_USE;
void reply_rows_fini(struct reply_rows *rows);

/* Whether a node that calls itself VERSION (a reply's X-RQLITE-VERSION; may be NULL) is known to
 * know the read level `linearizable` (8.32). One that does not would silently take it for `weak`;
 * the builds of some distributions say no more than "8". */
bool reply_linearizable(const char *version);

#endif

/* What changed, and everything at once. */
#include "store.h"

#include <stdio.h>
#include <string.h>

#include "keys.h"
#include "op.h"
#include "range.h"

/* One row: id, revision, the oldest revision that the feed knows. */
#define STATE                                                                                      \
    "SELECT (SELECT value FROM dnsd_meta WHERE key = 'id') AS id,"                                 \
    " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0) AS revision,"           \
    " (SELECT min(rev) FROM change) AS oldest"

static const char STATE_SQL[] = STATE;

/* The state in every row, so that it is of the same moment, and in one row if there is no other. */
static const char FEED_SQL[] =
    "SELECT s.id, s.revision, s.oldest, c.rev, c.key, k.value FROM (" STATE ") AS s"
    " LEFT JOIN (SELECT rev, key FROM change WHERE rev > ?1 ORDER BY rev LIMIT ?2) AS c"
    " LEFT JOIN keyValue AS k ON k.key = c.key AND " IS_FED("c.key") " ORDER BY c.rev";
enum { FEED_REV = 3, FEED_KEY, FEED_VALUE, FEED_COLUMNS };

#define SCAN_ROWS "SELECT key, value FROM keyValue WHERE key >= ?1 AND key < ?2"
static const char SCAN_ROWS_SQL[] = SCAN_ROWS " ORDER BY key";
static const struct backend_page SCAN_ROWS_PAGE = {
    /* One bound that the index is entered with: of two SQLite takes the first, and would go through
     * all the pages before again. */
    .sql = "SELECT key, value FROM keyValue WHERE key >= max(?1, ?3) AND key < ?2 AND +key > ?3"
           " ORDER BY key LIMIT ?4",
    .keys = 1};
#define SCAN_CHALLENGES                                                                            \
    "SELECT '" KEY_CHALLENGE "' || name, value FROM challenge"                                     \
    " WHERE '" KEY_CHALLENGE "' || name >= ?1 AND '" KEY_CHALLENGE "' || name < ?2"
static const char SCAN_CHALLENGES_SQL[] = SCAN_CHALLENGES " ORDER BY name, value";
static const struct backend_page SCAN_CHALLENGES_PAGE = {
    .sql = SCAN_CHALLENGES " AND ('" KEY_CHALLENGE
                           "' || name, value) > (?3, ?4) ORDER BY name, value LIMIT ?5",
    .keys = 2};

/* From the three cells of STATE. */
static void state_from(const struct backend_value *cells, struct store_state *out)
{
    const char *id = backend_text(&cells[0]);
    *out = (struct store_state){.revision = (uint64_t)backend_number(&cells[1])};
    snprintf(out->id, sizeof out->id, "%s", id != NULL ? id : "");
    out->oldest = cells[2].kind == BACKEND_NUMBER ? (uint64_t)cells[2].number : out->revision + 1;
}

struct state_op {
    struct op op;
    store_state_cb *cb;
    void *ctx; /* borrowed */
};

static void on_state(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct state_op *o = (struct state_op *)op;
    struct store_state state;
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, ERR_MALFORMED, "the database does not tell its state");
        info = &op->info;
    } else if (e == ERR_OK) {
        state_from(reply->cells, &state);
        state.stale = reply->stale;
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &state : NULL);
    op_free(op);
}

void store_state(struct store *s, store_state_cb *cb, void *ctx)
{
    struct state_op *o = op_new(s, sizeof *o, on_state);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, STATE_SQL, BACKEND_LOCAL, NULL, 0);
}

struct feed_op {
    struct op op;
    uint64_t after;
    size_t max;
    store_feed_cb *cb;
    void *ctx; /* borrowed */
};

/* The rows behind the state that each carries; ROWS has room for all. */
static size_t feed_rows(const struct backend_reply *reply, struct store_row *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->rows; i++) {
        const struct backend_value *cells = reply->cells + i * FEED_COLUMNS;
        const char *key = backend_text(&cells[FEED_KEY]);
        if (key != NULL) { /* the row that brings the state alone has none */
            rows[count++] =
                (struct store_row){.key = key, .value = backend_text(&cells[FEED_VALUE])};
        }
    }
    return count;
}

static enum err feed_from(struct feed_op *o, const struct backend_reply *reply,
                          struct store_feed *feed)
{
    struct store_state state;
    if (reply->rows == 0) {
        return err_set(&o->op.info, ERR_MALFORMED, "the database does not tell its state");
    }
    state_from(reply->cells, &state);
    *feed = (struct store_feed){.revision = state.revision, .stale = reply->stale};
    if (o->after > state.revision || o->after + 1 < state.oldest) {
        feed->pruned = true;
        return ERR_OK;
    }
    struct store_row *rows = pool_array(&o->op.pool, reply->rows, sizeof *rows);
    if (rows == NULL) {
        return err_set(&o->op.info, ERR_NOMEM, "no memory for %zu rows of the feed", reply->rows);
    }
    feed->rows = rows;
    feed->count = feed_rows(reply, rows);
    if (feed->count == o->max) {
        const struct backend_value *last = reply->cells + (reply->rows - 1) * FEED_COLUMNS;
        feed->revision = (uint64_t)backend_number(&last[FEED_REV]);
        feed->more = feed->revision < state.revision;
    }
    return ERR_OK;
}

static void on_feed(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct feed_op *o = (struct feed_op *)op;
    struct store_feed feed;
    if (e == ERR_OK) {
        e = feed_from(o, reply, &feed);
        info = &op->info;
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &feed : NULL);
    op_free(op);
}

void store_feed_read(struct store *s, uint64_t after, size_t max, store_feed_cb *cb, void *ctx)
{
    struct feed_op *o = op_new(s, sizeof *o, on_feed);
    o->after = after;
    o->max = max;
    o->cb = cb;
    o->ctx = ctx;
    if (max == 0 || max > STORE_BATCH_MAX || after > INT64_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "the feed gives 1 to %d rows at a time", STORE_BATCH_MAX);
    }
    op_read(&o->op, FEED_SQL, BACKEND_LOCAL,
            OP_ARGS(OP_NUMBER((int64_t)after), OP_NUMBER((int64_t)max)));
}

struct scan_op {
    struct op op;
    struct backend_query queries[1 + RANGE_KINDS];
    struct backend_page pages[1 + RANGE_KINDS];
    const char *prefix; /* in op.pool */
    struct store_state state;
    store_row_cb *on_row;
    store_scan_cb *cb;
    void *ctx; /* borrowed */
};

/* On the driver's thread. */
static bool on_scan_row(void *ctx, size_t query, const struct backend_value *cells)
{
    struct scan_op *o = ctx;
    if (query == 0) {
        state_from(cells, &o->state);
        return true;
    }
    struct store_row row = {.key = backend_text(&cells[0]), .value = backend_text(&cells[1])};
    if (row.key == NULL || row.value == NULL ||
        strncmp(row.key, o->prefix, strlen(o->prefix)) != 0) {
        return true; /* beside the prefix: range_of() is generous */
    }
    return o->on_row(o->ctx, &row);
}

static void on_scanned(struct op *op, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct scan_op *o = (struct scan_op *)op;
    o->state.stale = e == ERR_OK && reply->stale;
    o->cb(o->ctx, e, info, e == ERR_OK ? &o->state : NULL);
    op_free(op);
}

static void scan_queries(struct scan_op *o, const char *prefix)
{
    struct range *ranges = pool_array(&o->op.pool, RANGE_KINDS, sizeof *ranges);
    struct backend_value *values = pool_array(&o->op.pool, 2 * RANGE_KINDS, sizeof *values);
    o->prefix = pool_text(&o->op.pool, prefix);
    if (o->op.pool.bad) {
        return;
    }
    size_t count = range_of(prefix, ranges);
    o->queries[0] = (struct backend_query){.sql = STATE_SQL};
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = OP_TEXT(ranges[i].low);
        values[2 * i + 1] = OP_TEXT(ranges[i].high);
        o->queries[1 + i] = (struct backend_query){
            .sql = ranges[i].challenge ? SCAN_CHALLENGES_SQL : SCAN_ROWS_SQL,
            .values = values + 2 * i,
            .params = 2,
        };
        o->pages[1 + i] = ranges[i].challenge ? SCAN_CHALLENGES_PAGE : SCAN_ROWS_PAGE;
    }
    o->op.scan = (struct backend_scan){.queries = o->queries,
                                       .pages = o->pages,
                                       .count = 1 + count,
                                       .on_row = on_scan_row,
                                       .ctx = o};
}

void store_scan(struct store *s, const char *prefix, store_row_cb *on_row, store_scan_cb *cb,
                void *ctx)
{
    struct scan_op *o = op_new(s, sizeof *o, on_scanned);
    o->on_row = on_row;
    o->cb = cb;
    o->ctx = ctx;
    if (strnlen(prefix, STORE_KEY_MAX + 1) > STORE_KEY_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "a prefix has at most %d bytes", STORE_KEY_MAX);
    } else {
        scan_queries(o, prefix);
    }
    op_start_scan(&o->op);
}

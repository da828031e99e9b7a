/* acme_attempt: the ledger of what was asked of a CA, and how it ended. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

/* When and by whom it was begun stays as it was first told. */
static const char PUT_SQL[] =
    "INSERT INTO acme_attempt(id, hostname, directory, kind, outcome, problem, text, core, at_ms,"
    " retry_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    " ON CONFLICT(id) DO UPDATE SET outcome = excluded.outcome, problem = excluded.problem,"
    " text = excluded.text, retry_ms = excluded.retry_ms";
static const char PRUNE_SQL[] =
    "DELETE FROM acme_attempt WHERE hostname = ?1 AND n <= (SELECT n FROM acme_attempt"
    " WHERE hostname = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)";

#define COLUMNS                                                                                    \
    "SELECT id, hostname, directory, kind, outcome, problem, text, core, at_ms, retry_ms"          \
    " FROM acme_attempt"
#define NEWEST " ORDER BY at_ms DESC, n DESC LIMIT "
static const char OF_SQL[] = COLUMNS " WHERE hostname = ?1 AND at_ms >= ?2" NEWEST "?3";
static const char ALL_SQL[] = COLUMNS " WHERE at_ms >= ?1" NEWEST "?2";
enum {
    COL_ID,
    COL_HOSTNAME,
    COL_DIRECTORY,
    COL_KIND,
    COL_OUTCOME,
    COL_PROBLEM,
    COL_TEXT,
    COL_CORE,
    COL_AT,
    COL_RETRY,
    COL_COUNT
};

void store_attempt_put(struct store *s, const struct store_fence *fence,
                       const struct store_attempt *a, store_done_cb *cb, void *ctx)
{
    const char *const texts[] = {a->directory, a->kind, a->outcome, a->problem, a->text, a->core};
    struct fenced *f = fenced_new(s, fence, a->hostname, cb, ctx);
    op_check_name(&f->op, KEY_ATTEMPT, a->id);
    op_check_name(&f->op, KEY_ATTEMPT, a->hostname);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        op_check_value(&f->op, a->hostname, texts[i]);
    }
    fenced_add(f, PUT_SQL, false,
               OP_ARGS(OP_TEXT(a->id), OP_TEXT(a->hostname), OP_TEXT(a->directory),
                       OP_TEXT(a->kind), OP_TEXT(a->outcome), OP_TEXT(a->problem), OP_TEXT(a->text),
                       OP_TEXT(a->core), OP_NUMBER(a->at_ms), OP_NUMBER(a->retry_ms)));
    fenced_add(f, PRUNE_SQL, false, OP_ARGS(OP_TEXT(a->hostname), OP_NUMBER(STORE_ATTEMPT_KEEP)));
    fenced_start(f);
}

struct list_op {
    struct op op;
    store_attempts_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_attempt *list = op_list(op, &e, &info, reply, sizeof *list, "attempts", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_attempt){
            .id = backend_text(&cells[COL_ID]),
            .hostname = backend_text(&cells[COL_HOSTNAME]),
            .directory = backend_text(&cells[COL_DIRECTORY]),
            .kind = backend_text(&cells[COL_KIND]),
            .outcome = backend_text(&cells[COL_OUTCOME]),
            .problem = backend_text(&cells[COL_PROBLEM]),
            .text = backend_text(&cells[COL_TEXT]),
            .core = backend_text(&cells[COL_CORE]),
            .at_ms = backend_number(&cells[COL_AT]),
            .retry_ms = backend_number(&cells[COL_RETRY]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_attempts_list(struct store *s, const char *hostname, int64_t since_ms, size_t max,
                         bool latest, store_attempts_cb *cb, void *ctx)
{
    enum backend_level level = latest ? BACKEND_LATEST : BACKEND_LOCAL;
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    if (max < 1 || max > STORE_BATCH_MAX) {
        op_refuse(&o->op, ERR_LIMIT, "1 to %d attempts can be asked for", STORE_BATCH_MAX);
    }
    if (hostname == NULL) {
        op_read(&o->op, ALL_SQL, level, OP_ARGS(OP_NUMBER(since_ms), OP_NUMBER((int64_t)max)));
        return;
    }
    op_check_name(&o->op, KEY_ATTEMPT, hostname);
    op_read(&o->op, OF_SQL, level,
            OP_ARGS(OP_TEXT(hostname), OP_NUMBER(since_ms), OP_NUMBER((int64_t)max)));
}

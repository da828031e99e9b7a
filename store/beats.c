/* Heartbeats: what each core tells of itself, outside the feed and its revisions. */
#include "store.h"

#include "keys.h"
#include "op.h"

/* A core that starts again may have a clock that was set back: what it tells then counts too. One
 * that was taken out of the cluster and still runs tells nothing. */
static const char PUT_SQL[] =
    "INSERT INTO heartbeat(core, beat, revision, digest, detail) SELECT ?1, ?2, ?3, ?4, ?5"
    " WHERE EXISTS (SELECT 1 FROM keyValue WHERE key = '" KEY_CORE "' || ?1)"
    " ON CONFLICT(core) DO UPDATE SET beat = excluded.beat, revision = excluded.revision,"
    " digest = excluded.digest, detail = excluded.detail";
static const char LIST_SQL[] =
    "SELECT core, beat, revision, digest, detail FROM heartbeat ORDER BY core";
enum { COL_CORE, COL_BEAT, COL_REVISION, COL_DIGEST, COL_DETAIL, COL_COUNT };

void store_beat_put(struct store *s, const struct store_beat *beat, store_done_cb *cb, void *ctx)
{
    struct op_simple *o = op_simple_new(s, cb, ctx);
    op_check_name(&o->op, KEY_CORE, beat->core);
    op_check_value(&o->op, beat->core, beat->digest);
    op_check_value(&o->op, beat->core, beat->detail);
    o->op.batch.hasty = true; /* the next one says more */
    op_write(&o->op, PUT_SQL, false,
             OP_ARGS(OP_TEXT(beat->core), OP_NUMBER((int64_t)beat->beat),
                     OP_NUMBER((int64_t)beat->revision), OP_TEXT(beat->digest),
                     OP_TEXT(beat->detail)));
}

struct list_op {
    struct op op;
    store_beats_cb *cb;
    void *ctx; /* borrowed */
};

static void on_list(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct list_op *o = (struct list_op *)op;
    size_t count;
    struct store_beat *list = op_list(op, &e, &info, reply, sizeof *list, "heartbeats", &count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_value *cells = reply->cells + i * COL_COUNT;
        list[i] = (struct store_beat){
            .core = backend_text(&cells[COL_CORE]),
            .beat = (uint64_t)backend_number(&cells[COL_BEAT]),
            .revision = (uint64_t)backend_number(&cells[COL_REVISION]),
            .digest = backend_text(&cells[COL_DIGEST]),
            .detail = backend_text(&cells[COL_DETAIL]),
        };
    }
    o->cb(o->ctx, e, info, list, count);
    op_free(op);
}

void store_beats_list(struct store *s, store_beats_cb *cb, void *ctx)
{
    struct list_op *o = op_new(s, sizeof *o, on_list);
    o->cb = cb;
    o->ctx = ctx;
    op_read(&o->op, LIST_SQL, BACKEND_LOCAL, NULL, 0);
}

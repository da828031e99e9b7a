/* acme_job: what somebody wishes. Of a hostname and a kind at most one is open, and that one is the newest
 * of them: a job is only added where none is open. */
#include "store.h"

#include "fenced.h"
#include "keys.h"

#define IS_OPEN "state IN ('waiting', 'working')"

static const char ASK_SQL[] =
    "INSERT OR IGNORE INTO acme_job(id, hostname, kind, argument, state, asked_by, passes_over, "
    "text,"
    " asked_ms, ended_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10"
    " WHERE NOT EXISTS (SELECT 1 FROM acme_job WHERE hostname = ?2 AND kind = ?3 AND " IS_OPEN ")";
static const char PUT_SQL[] =
    "UPDATE acme_job SET state = ?2, text = ?3, ended_ms = ?4 WHERE id = ?1";
static const char PRUNE_SQL[] =
    "DELETE FROM acme_job WHERE n IN (SELECT n FROM acme_job WHERE hostname ="
    " (SELECT hostname FROM acme_job WHERE id = ?1) AND NOT " IS_OPEN
    " ORDER BY n DESC LIMIT -1 OFFSET ?2)";

#define COLUMNS                                                                                    \
    "SELECT id, hostname, kind, argument, state, asked_by, passes_over, text, asked_ms, ended_ms"  \
    " FROM acme_job"
static const char GET_SQL[] = COLUMNS " WHERE id = ?1";
static const char OPEN_SQL[] =
    COLUMNS " WHERE hostname = ?1 AND (?2 = '' OR kind = ?2) AND " IS_OPEN " ORDER BY n LIMIT 1";
/* What asking led to: the job itself, or the one that was open then; it may have ended since. */
static const char ASKED_SQL[] =
    COLUMNS " WHERE hostname = ?1 AND kind = ?3 ORDER BY id = ?2 DESC, n DESC LIMIT 1";
enum {
    COL_ID,
    COL_HOSTNAME,
    COL_KIND,
    COL_ARGUMENT,
    COL_STATE,
    COL_BY,
    COL_OVERRIDE,
    COL_TEXT,
    COL_ASKED,
    COL_ENDED
};

struct job_op {
    struct op op;
    const char *hostname, *id; /* in op.pool; of a get only one of them */
    const char *kind;          /* in op.pool; of asking */
    enum err missed;           /* what no row means */
    const char *what;          /* static: the words for it */
    store_job_cb *cb;
    void *ctx; /* borrowed */
};

static struct job_op *job_new(struct store *s, const char *hostname, const char *id, op_end_cb *end,
                              store_job_cb *cb, void *ctx)
{
    struct job_op *o = op_new(s, sizeof *o, end);
    o->cb = cb;
    o->ctx = ctx;
    if (hostname != NULL) {
        op_check_name(&o->op, KEY_JOB, hostname);
        o->hostname = pool_text(&o->op.pool, hostname);
    }
    if (id != NULL) {
        op_check_name(&o->op, KEY_JOB, id);
        o->id = pool_text(&o->op.pool, id);
    }
    return o;
}

static void on_job(struct op *op, enum err e, const struct err_info *info,
                   const struct backend_reply *reply)
{
    struct job_op *o = (struct job_op *)op;
    struct store_job job = {.id = NULL};
    if (e == ERR_OK && reply->rows == 0) {
        e = err_set(&op->info, o->missed, "%s: %s", o->id != NULL ? o->id : o->hostname, o->what);
        info = &op->info;
    } else if (e == ERR_OK) {
        job = (struct store_job){
            .id = backend_text(&reply->cells[COL_ID]),
            .hostname = backend_text(&reply->cells[COL_HOSTNAME]),
            .kind = backend_text(&reply->cells[COL_KIND]),
            .argument = backend_text(&reply->cells[COL_ARGUMENT]),
            .state = backend_text(&reply->cells[COL_STATE]),
            .by = backend_text(&reply->cells[COL_BY]),
            .override = backend_text(&reply->cells[COL_OVERRIDE]),
            .text = backend_text(&reply->cells[COL_TEXT]),
            .asked_ms = backend_number(&reply->cells[COL_ASKED]),
            .ended_ms = backend_number(&reply->cells[COL_ENDED]),
        };
    }
    o->cb(o->ctx, e, info, e == ERR_OK ? &job : NULL);
    op_free(op);
}

/* Second step of asking. */
static void on_asked(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct job_op *o = (struct job_op *)op;
    (void)reply;
    if (e == ERR_OK) {
        op->end = on_job;
        op_read(op, ASKED_SQL, BACKEND_LATEST,
                OP_ARGS(OP_TEXT(o->hostname), OP_TEXT(o->id), OP_TEXT(o->kind)));
        return;
    }
    o->cb(o->ctx, e, info, NULL);
    op_free(op);
}

static void check_texts(struct op *op, const struct store_job *job)
{
    op_check_value(op, job->id, job->state);
    op_check_value(op, job->id, job->text);
}

void store_job_ask(struct store *s, const struct store_job *job, store_job_cb *cb, void *ctx)
{
    struct job_op *o = job_new(s, job->hostname, job->id, on_asked, cb, ctx);
    o->missed = ERR_CONFLICT;
    o->what = "another hostname's job, or one of another kind, is called so";
    check_texts(&o->op, job);
    op_check_name(&o->op, KEY_JOB, job->kind);
    op_check_value(&o->op, job->id, job->argument);
    o->kind = pool_text(&o->op.pool, job->kind);
    op_check_value(&o->op, job->id, job->by);
    op_check_value(&o->op, job->id, job->override);
    op_write(&o->op, ASK_SQL, false,
             OP_ARGS(OP_TEXT(job->id), OP_TEXT(job->hostname), OP_TEXT(job->kind),
                     OP_TEXT(job->argument), OP_TEXT(job->state), OP_TEXT(job->by),
                     OP_TEXT(job->override), OP_TEXT(job->text), OP_NUMBER(job->asked_ms),
                     OP_NUMBER(job->ended_ms)));
}

void store_job_get(struct store *s, const char *id, store_job_cb *cb, void *ctx)
{
    struct job_op *o = job_new(s, NULL, id, on_job, cb, ctx);
    o->missed = ERR_NOTFOUND;
    o->what = "no such job";
    op_read(&o->op, GET_SQL, BACKEND_LATEST, OP_ARGS(OP_TEXT(id)));
}

void store_job_open(struct store *s, const char *hostname, const char *kind, store_job_cb *cb,
                    void *ctx)
{
    struct job_op *o = job_new(s, hostname, NULL, on_job, cb, ctx);
    o->missed = ERR_NOTFOUND;
    o->what = "no job is open";
    op_read(&o->op, OPEN_SQL, BACKEND_LATEST,
            OP_ARGS(OP_TEXT(hostname), OP_TEXT(kind != NULL ? kind : "")));
}

void store_job_put(struct store *s, const struct store_fence *fence, const struct store_job *job,
                   store_done_cb *cb, void *ctx)
{
    struct fenced *f = fenced_new(s, fence, job->id, cb, ctx);
    f->what = "no such job";
    op_check_name(&f->op, KEY_JOB, job->id);
    check_texts(&f->op, job);
    fenced_add(f, PUT_SQL, true,
               OP_ARGS(OP_TEXT(job->id), OP_TEXT(job->state), OP_TEXT(job->text),
                       OP_NUMBER(job->ended_ms)));
    fenced_add(f, PRUNE_SQL, false, OP_ARGS(OP_TEXT(job->id), OP_NUMBER(STORE_JOBS_KEEP)));
    fenced_start(f);
}

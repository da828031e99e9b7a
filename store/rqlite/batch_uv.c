/* Batches: one request for each piece, sent again until it is known what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver_priv.h"
#include "lib/rng.h"

/* How long one answer may take. A small write is two fsyncs and two trips; it gets half of busy_ms,
 * so that there is time to ask again what became of it. A large one is the work of seconds on a
 * slow machine. */
#define SMALL_MIN_MS 500
#define LARGE_MS     10000

static unsigned wait_for(const struct job *j)
{
    unsigned half_ms = j->driver->busy_ms / 2;
    if (j->large || half_ms > LARGE_MS) {
        return LARGE_MS;
    }
    return half_ms < SMALL_MIN_MS ? SMALL_MIN_MS : half_ms;
}

static enum err batch_prepare(struct job *j)
{
    if (j->changes == NULL) {
        j->changes = calloc(j->batch->count + 1, sizeof *j->changes);
        if (j->changes == NULL) {
            return err_set(&j->info, ERR_NOMEM, "no memory for a batch of %zu", j->batch->count);
        }
    }
    j->through = !request_piece_next(j->batch, j->piece.to, &j->piece);
    if (j->through) {
        return ERR_OK;
    }
    if (!j->bare) {
        rng_hex(j->token, REQUEST_TOKEN_LEN / 2);
        j->piece.token = j->token;
    }
    j->entries = request_piece_entries(&j->piece);
    j->wait_ms = wait_for(j);
    snprintf(j->target, sizeof j->target, "/db/execute?transaction&noparse&timeout=%ums",
             j->wait_ms);
    retry_begin(&j->retry, job_now_ms(), j->batch->hasty ? 0 : j->driver->busy_ms);
    return request_piece_body(&j->request, &j->piece, &j->info);
}

static uint64_t changes_of(const void *ctx, size_t entry)
{
    return reply_changes(ctx, entry);
}

static void batch_look(struct job *j)
{
    request_piece_sum(&j->piece, changes_of, &j->reply, j->changes);
}

static void carried_out(struct job *j)
{
    memcpy(j->driver->token, j->token, sizeof j->token);
    job_step(j);
}

static void fail(struct job *j, enum err e)
{
    struct err_info why = j->reply.info;
    const char *more = "; nothing was written";
    if (j->piece.from > 0) {
        more = "; what came before was written, the rest was not";
    }
    job_fail(j, e, why.text, more);
}

/* What one of the requests may have done can no longer be found out. */
static void fail_unknown(struct job *j)
{
    struct err_info why = j->reply.info;
    job_fail(j, ERR_TIMEOUT, why.text, "; whether it was written is not known");
}

static void fail_unchanged(struct job *j)
{
    size_t statement;
    if (request_piece_entry(&j->piece, j->reply.at, &statement) != REQUEST_GUARD) {
        job_fail(j, ERR_MALFORMED, "it refuses a row that was not asked about", "");
        return;
    }
    j->result.failed = statement;
    fail(j, ERR_CONFLICT);
}

static void again(struct job *j)
{
    int64_t wait_ms = retry_next(&j->retry, job_now_ms(), j->reply.kind == REPLY_UNKNOWN);
    if (wait_ms >= 0) {
        job_send_in(j, wait_ms);
    } else if (j->retry.unknown) {
        fail_unknown(j);
    } else {
        fail(j, j->reply.e);
    }
}

static void batch_settle(struct job *j)
{
    if (j->through) {
        j->result.changes = j->changes;
        job_done(j);
        return;
    }
    switch (j->reply.kind) {
    case REPLY_OK:
        carried_out(j);
        return;
    case REPLY_BEFORE:
        request_piece_guess(&j->piece, j->changes);
        carried_out(j);
        return;
    case REPLY_UNCHANGED:
        fail_unchanged(j);
        return;
    case REPLY_STALE:
    case REPLY_LATER:
    case REPLY_UNKNOWN:
        again(j);
        return;
    case REPLY_MISSING:
    case REPLY_FAILED:
        /* Only if the database itself has said so, nothing can have happened before. */
        if (j->retry.unknown && j->reply.count == 0) {
            fail_unknown(j);
        } else {
            fail(j, j->reply.e);
        }
        return;
    }
}

const struct job_ops job_batch_ops = {
    .prepare = batch_prepare, .look = batch_look, .settle = batch_settle};

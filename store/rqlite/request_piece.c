/* Batches as requests: how statements and their sets become entries, and which entry was which. */
#include <assert.h>
#include <string.h>

#include "request.h"

/* Beyond this a body is the work of milliseconds, on a slow machine. */
#define LARGE_BYTES (64 * 1024)
#define LARGE_COUNT 256

static const char TOKEN_SQL[] = "INSERT INTO dnsd_write(token) VALUES(?1)";
static const char GUARD_SQL[] = "INSERT INTO dnsd_guard SELECT NULL WHERE changes() = 0";

/* What of a statement's sets is in the piece. */
struct stretch {
    const struct backend_value *values;
    size_t sets;
    bool bulk;      /* in one entry */
    size_t entries; /* with the guards */
};

static struct stretch stretch_of(const struct request_piece *p, const struct backend_statement *st)
{
    size_t to = p->to < st->sets ? p->to : st->sets;
    struct stretch s = {.sets = p->from < to ? to - p->from : 0};
    s.values = st->params > 0 ? st->values + p->from * st->params : NULL;
    s.bulk = s.sets > 1 && st->bulk_sql != NULL && st->params > 0 && !st->must_change && !p->apart;
    s.entries = s.bulk ? 1 : st->must_change ? 2 * s.sets : s.sets;
    return s;
}

static size_t most_sets(const struct backend_batch *batch)
{
    size_t most = 0;
    for (size_t i = 0; i < batch->count; i++) {
        most = batch->statements[i].sets > most ? batch->statements[i].sets : most;
    }
    return most;
}

/* Of set I of all statements, about; and whether all of its texts are UTF-8. */
static size_t set_size(const struct backend_batch *batch, size_t i, bool *apart)
{
    size_t size = 0;
    for (size_t k = 0; k < batch->count; k++) {
        const struct backend_statement *st = &batch->statements[k];
        if (i >= st->sets) {
            continue;
        }
        size += st->bulk_sql == NULL ? strlen(st->sql) : 0;
        for (size_t v = i * st->params; v < (i + 1) * st->params; v++) {
            const struct backend_value *value = &st->values[v];
            size += 8;
            if (value->kind == BACKEND_TEXT) {
                size += strlen(value->text);
                *apart = *apart || (st->bulk_sql != NULL && !request_is_utf8(value->text));
            }
        }
    }
    return size;
}

bool request_piece_next(const struct backend_batch *batch, size_t from, struct request_piece *out)
{
    size_t most = most_sets(batch);
    size_t size = 0;
    *out = (struct request_piece){.batch = batch, .from = from, .to = from};
    while (out->to < most && (!batch->divisible || (out->to - from < REQUEST_PIECE_SETS &&
                                                    size < REQUEST_PIECE_BYTES))) {
        size += set_size(batch, out->to, &out->apart);
        out->to++;
    }
    return out->to > from;
}

bool request_is_large(const struct backend_batch *batch)
{
    bool apart = false;
    size_t size = 0;
    size_t most = most_sets(batch);
    for (size_t i = 0; i < most && size <= LARGE_BYTES; i++) {
        size += set_size(batch, i, &apart);
    }
    return size > LARGE_BYTES || most > LARGE_COUNT;
}

enum err request_piece_body(struct request *r, const struct request_piece *p, struct err_info *info)
{
    request_begin(r);
    if (p->token != NULL) {
        const struct backend_value token = {.kind = BACKEND_TEXT, .text = p->token};
        request_add(r, TOKEN_SQL, &token, 1);
    }
    for (size_t k = 0; k < p->batch->count; k++) {
        const struct backend_statement *st = &p->batch->statements[k];
        struct stretch s = stretch_of(p, st);
        if (s.bulk) {
            request_add_many(r, st->bulk_sql, s.values, st->params, s.sets);
            continue;
        }
        for (size_t i = 0; i < s.sets && r->bad == ERR_OK; i++) {
            request_add(r, st->sql, st->params > 0 ? s.values + i * st->params : NULL, st->params);
            if (st->must_change) {
                request_add(r, GUARD_SQL, NULL, 0);
            }
        }
    }
    return request_end(r, info);
}

size_t request_piece_entries(const struct request_piece *p)
{
    size_t entries = p->token != NULL ? 1 : 0;
    for (size_t k = 0; k < p->batch->count; k++) {
        entries += stretch_of(p, &p->batch->statements[k]).entries;
    }
    return entries;
}

enum request_entry request_piece_entry(const struct request_piece *p, size_t i, size_t *statement)
{
    *statement = 0;
    if (p->token != NULL && i-- == 0) {
        return REQUEST_TOKEN;
    }
    for (size_t k = 0; k < p->batch->count; k++) {
        const struct backend_statement *st = &p->batch->statements[k];
        struct stretch s = stretch_of(p, st);
        if (i < s.entries) {
            *statement = k;
            return st->must_change && i % 2 == 1 ? REQUEST_GUARD : REQUEST_STATEMENT;
        }
        i -= s.entries;
    }
    assert(!"no such entry");
    return REQUEST_STATEMENT;
}

void request_piece_sum(const struct request_piece *p, request_changes_of *changes_of,
                       const void *ctx, uint64_t *changes)
{
    size_t entry = p->token != NULL ? 1 : 0;
    for (size_t k = 0; k < p->batch->count; k++) {
        size_t step = p->batch->statements[k].must_change ? 2 : 1;
        size_t entries = stretch_of(p, &p->batch->statements[k]).entries;
        for (size_t i = 0; i < entries; i += step) {
            changes[k] += changes_of(ctx, entry + i);
        }
        entry += entries;
    }
}

void request_piece_guess(const struct request_piece *p, uint64_t *changes)
{
    for (size_t k = 0; k < p->batch->count; k++) {
        const struct backend_statement *st = &p->batch->statements[k];
        changes[k] += st->must_change ? stretch_of(p, st).sets : 0;
    }
}

/* The rows of an embedded store into this one, for a core that becomes the first of several: page by page, and
 * begun only where there is nothing yet. dnsd_meta says how far it has come, so that a process that was killed goes
 * on, and nobody begins again:
 *
 *   imported = "begun <id of the other>", then "done <id of the other>"
 */
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "lib/mem.h"
#include "op.h"

#define PAGE_ROWS 500

static const char ID_SQL[] = "SELECT value FROM dnsd_meta WHERE key = 'id'";
static const char LOOK_SQL[] = "SELECT (SELECT value FROM dnsd_meta WHERE key = 'imported'),"
                               " EXISTS (SELECT 1 FROM keyValue)";
static const char BEGIN_SQL[] =
    "INSERT INTO dnsd_meta(key, value) SELECT 'imported', ?1 WHERE NOT EXISTS (SELECT 1 FROM"
    " keyValue) ON CONFLICT(key) DO NOTHING";
static const char END_SQL[] = "UPDATE dnsd_meta SET value = ?1 WHERE key = 'imported'";

/* What is worth keeping: rows, and what a new certificate authority would count against us. The first column is
 * the key. Leases, proofs and heartbeats are of the present only. */
static const struct table {
    const char *read, *write, *many;
    size_t columns;
} tables[] = {
    {"SELECT key, value FROM keyValue WHERE key > ?1 ORDER BY key LIMIT ?2",
     "INSERT INTO keyValue(key, value) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
     "INSERT INTO keyValue(key, value) SELECT json_extract(value, '$[0]'), json_extract(value, "
     "'$[1]')"
     " FROM json_each(?1) WHERE 1 ON CONFLICT DO NOTHING",
     2},
    {"SELECT directory, url, key, pending_key, thumbprint, contact, issuer, created_ms FROM "
     "acme_account"
     " WHERE directory > ?1 ORDER BY directory LIMIT ?2",
     "INSERT INTO acme_account(directory, url, key, pending_key, thumbprint, contact, issuer, "
     "created_ms)"
     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
     NULL, 8},
    {"SELECT id, hostname, directory, kind, outcome, problem, text, core, at_ms, retry_ms FROM "
     "acme_attempt"
     " WHERE id > ?1 ORDER BY id LIMIT ?2",
     "INSERT INTO acme_attempt(id, hostname, directory, kind, outcome, problem, text, core, at_ms, "
     "retry_ms)"
     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
     NULL, 10},
    {"SELECT hostname, serial, renew_ms, ari_start_ms, ari_end_ms, ari_next_ms, explanation, "
     "replaced,"
     " revoked_ms FROM acme_renewal WHERE hostname > ?1 ORDER BY hostname LIMIT ?2",
     "INSERT INTO acme_renewal(hostname, serial, renew_ms, ari_start_ms, ari_end_ms, ari_next_ms,"
     " explanation, replaced, revoked_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
     " ON CONFLICT DO NOTHING",
     NULL, 9},
};
#define TABLES (sizeof tables / sizeof tables[0])

struct import {
    struct store *to, *from; /* borrowed */
    size_t table;
    char *after; /* owned: the last key that is there */
    char id[64];
    uint64_t rows;
    size_t page; /* rows of the page that is being written */
    bool ended;  /* ... and there is none after it in its table */
    store_import_cb *cb;
    void *ctx; /* borrowed */
};
struct step {
    struct op op;
    struct import *import;
    struct backend_statement statement;
};

static void finish(struct import *m, enum err e, const struct err_info *info)
{
    m->cb(m->ctx, e, info, m->rows);
    free(m->after);
    free(m);
}

static struct step *step(struct import *m, struct store *s, op_end_cb *end)
{
    struct step *st = op_new(s, sizeof *st, end);
    st->import = m;
    return st;
}

/* ---- pages --------------------------------------------------------------------------------- */

static void next_page(struct import *m);

static void on_done(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    (void)reply;
    finish(((struct step *)op)->import, e, info);
    op_free(op);
}

static void mark_done(struct import *m)
{
    char value[80];
    snprintf(value, sizeof value, "done %s", m->id);
    op_write(&step(m, m->to, on_done)->op, END_SQL, true, OP_ARGS(OP_TEXT(value)));
}

static void on_page_written(struct op *op, enum err e, const struct err_info *info,
                            const struct backend_reply *reply)
{
    struct import *m = ((struct step *)op)->import;
    (void)reply;
    if (e != ERR_OK) {
        finish(m, e, info);
    } else {
        m->rows += m->page;
        if (m->ended) {
            m->table++;
            free(m->after);
            m->after = mem_xstrdup("");
        }
        next_page(m);
    }
    op_free(op);
}

static void write_page(struct import *m, const struct backend_reply *reply)
{
    const struct table *t = &tables[m->table];
    struct step *st = step(m, m->to, on_page_written);
    op_statement(&st->op, &st->statement, t->write, false, reply->cells, reply->rows * t->columns);
    st->statement.params = t->columns;
    st->statement.sets = reply->rows;
    st->statement.bulk_sql = t->many;
    st->op.batch =
        (struct backend_batch){.statements = &st->statement, .count = 1, .divisible = true};
    op_start_batch(&st->op);
}

static void on_page(struct op *op, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct import *m = ((struct step *)op)->import;
    const struct backend_value *last =
        e == ERR_OK && reply->rows > 0 ? &reply->cells[(reply->rows - 1) * reply->columns] : NULL;
    if (e != ERR_OK) {
        finish(m, e, info);
    } else if (last == NULL) {
        m->table++;
        free(m->after);
        m->after = mem_xstrdup("");
        next_page(m);
    } else {
        free(m->after);
        m->after = mem_xstrdup(backend_text(last) != NULL ? backend_text(last) : "");
        m->page = reply->rows;
        m->ended = reply->rows < PAGE_ROWS;
        write_page(m, reply);
    }
    op_free(op);
}

static void next_page(struct import *m)
{
    if (m->table == TABLES) {
        mark_done(m);
        return;
    }
    op_read(&step(m, m->from, on_page)->op, tables[m->table].read, BACKEND_LOCAL,
            OP_ARGS(OP_TEXT(m->after), OP_NUMBER(PAGE_ROWS)));
}

/* ---- whether to begin ------------------------------------------------------------------------ */

static void on_begun(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct import *m = ((struct step *)op)->import;
    (void)reply;
    if (e == ERR_OK) {
        next_page(m);
    } else { /* ERR_CONFLICT: somebody else was faster */
        finish(m, e == ERR_CONFLICT ? ERR_OK : e, e == ERR_CONFLICT ? NULL : info);
    }
    op_free(op);
}

static void on_looked(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct import *m = ((struct step *)op)->import;
    char begun[80];
    snprintf(begun, sizeof begun, "begun %s", m->id);
    const char *mark = e == ERR_OK && reply->rows == 1 ? backend_text(&reply->cells[0]) : NULL;
    bool empty = e == ERR_OK && reply->rows == 1 && backend_number(&reply->cells[1]) == 0;
    if (e != ERR_OK) {
        finish(m, e, info);
    } else if (mark != NULL && strcmp(mark, begun) == 0) {
        next_page(m);
    } else if (mark == NULL && empty) {
        op_write(&step(m, m->to, on_begun)->op, BEGIN_SQL, true, OP_ARGS(OP_TEXT(begun)));
    } else {
        finish(m, ERR_OK, NULL);
    }
    op_free(op);
}

static void on_id(struct op *op, enum err e, const struct err_info *info,
                  const struct backend_reply *reply)
{
    struct import *m = ((struct step *)op)->import;
    const char *id = e == ERR_OK && reply->rows == 1 ? backend_text(&reply->cells[0]) : NULL;
    if (id == NULL) {
        struct err_info why;
        err_set(&why, ERR_MALFORMED, "the embedded store has no id");
        finish(m, e == ERR_OK ? ERR_MALFORMED : e, e == ERR_OK ? &why : info);
    } else {
        snprintf(m->id, sizeof m->id, "%s", id);
        op_read(&step(m, m->to, on_looked)->op, LOOK_SQL, BACKEND_LATEST, NULL, 0);
    }
    op_free(op);
}

void store_import(struct store *s, struct store *from, store_import_cb *cb, void *ctx)
{
    struct import *m = mem_xalloc(sizeof *m);
    m->to = s;
    m->from = from;
    m->after = mem_xstrdup("");
    m->cb = cb;
    m->ctx = ctx;
    op_read(&step(m, from, on_id)->op, ID_SQL, BACKEND_LOCAL, NULL, 0);
}

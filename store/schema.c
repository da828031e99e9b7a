/* Migrations. Each is one batch whose first statement takes its number in dnsd_migration, so that
 * of two programs that try at once one does all of it and the other nothing.
 * What they consist of is in tables.c.
 */
#include "schema.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/rng.h"
#include "tables.h"

static const char TAKE[] = "INSERT INTO dnsd_migration(version, applied_ms) VALUES(?1, ?2)"
                           " ON CONFLICT(version) DO NOTHING";
static const char NAME[] = "INSERT INTO dnsd_meta(key, value) VALUES('id', ?1)"
                           " ON CONFLICT(key) DO NOTHING";

/* look ── no table ──> make ──┐
 *   ^│                        │
 *   │└── behind ──> migrate ──┤
 *   └─────────────────────────┘   and out when up to date
 *
 * The first look is at what this node has: where that is up to date, opening needs nobody else. Only
 * if it is not are the others asked too. */
struct schema {
    struct backend *backend; /* borrowed */
    schema_done_cb *done;
    void *ctx;                /* borrowed */
    enum backend_level level; /* of the present look */
    struct backend_statement statements[TABLES_STATEMENTS + 2];
    struct backend_batch batch;
    struct backend_query query;
    struct backend_value values[2];
    struct backend_value id;
    char id_text[33];
};

static void look(struct schema *s);

static void finish(struct schema *s, enum err e, const struct err_info *info)
{
    s->done(s->ctx, e, info);
    free(s);
}

/* True: it was the first look, and the next one is on its way. */
static bool look_again(struct schema *s)
{
    if (s->level == BACKEND_LATEST) {
        return false;
    }
    s->level = BACKEND_LATEST;
    look(s);
    return true;
}

static void on_step(void *ctx, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct schema *s = ctx;
    (void)reply;
    if (e == ERR_OK || e == ERR_CONFLICT) { /* in conflict: somebody else did it just now */
        look(s);
        return;
    }
    finish(s, e, info);
}

static void add(struct schema *s, const char *sql, const struct backend_value *values,
                size_t params, bool must_change)
{
    s->statements[s->batch.count++] = (struct backend_statement){
        .sql = sql, .values = values, .params = params, .sets = 1, .must_change = must_change};
}

static void make(struct schema *s)
{
    s->batch = (struct backend_batch){.statements = s->statements, .count = 0};
    add(s,
        "CREATE TABLE IF NOT EXISTS dnsd_migration"
        " (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)",
        NULL, 0, false);
    s->backend->ops->batch(s->backend, &s->batch, on_step, s);
}

static void migrate(struct schema *s, size_t version)
{
    s->batch = (struct backend_batch){.statements = s->statements, .count = 0};
    s->values[0] = (struct backend_value){.kind = BACKEND_NUMBER, .number = (int64_t)version};
    s->values[1] =
        (struct backend_value){.kind = BACKEND_NUMBER, .number = clk_wall_ms(&clk_system)};
    add(s, TAKE, s->values, 2, true);
    for (size_t i = 0; i < tables_versions[version - 1].count; i++) {
        add(s, tables_versions[version - 1].statements[i], NULL, 0, false);
    }
    if (version == 1) {
        s->id = (struct backend_value){.kind = BACKEND_TEXT, .text = s->id_text};
        add(s, NAME, &s->id, 1, true);
    }
    LOG_INFO("store", "bringing the schema up to date", LOG_N("version", version));
    s->backend->ops->batch(s->backend, &s->batch, on_step, s);
}

static void on_version(void *ctx, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct schema *s = ctx;
    struct err_info why;
    if (e != ERR_OK) {
        finish(s, e, info);
        return;
    }
    int64_t version = reply->cells[0].kind == BACKEND_NUMBER ? reply->cells[0].number : 0;
    if (version > (int64_t)TABLES_VERSIONS) {
        e = err_set(
            &why, ERR_MALFORMED,
            "the database was made by a later version of this program (its schema is %" PRId64
            ", this program knows %d): update this program",
            version, TABLES_VERSIONS);
        finish(s, e, &why);
    } else if (version == (int64_t)TABLES_VERSIONS) {
        finish(s, ERR_OK, NULL);
    } else if (!look_again(s)) {
        migrate(s, (size_t)version + 1);
    }
}

static void on_table(void *ctx, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct schema *s = ctx;
    if (e != ERR_OK) {
        finish(s, e, info);
        return;
    }
    if (reply->cells[0].number == 0) {
        if (!look_again(s)) {
            make(s);
        }
        return;
    }
    s->query =
        (struct backend_query){.sql = "SELECT max(version) FROM dnsd_migration", .level = s->level};
    s->backend->ops->query(s->backend, &s->query, on_version, s);
}

/* An up-to-date database is only read, so that opening waits for no writer. */
static void look(struct schema *s)
{
    s->query = (struct backend_query){
        .sql =
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'dnsd_migration'",
        .level = s->level};
    s->backend->ops->query(s->backend, &s->query, on_table, s);
}

void schema_prepare(struct backend *b, schema_done_cb *done, void *ctx)
{
    struct schema *s = mem_xalloc(sizeof *s);
    s->backend = b;
    s->done = done;
    s->ctx = ctx;
    s->level = BACKEND_LOCAL;
    rng_hex(s->id_text, sizeof s->id_text / 2);
    look(s);
}

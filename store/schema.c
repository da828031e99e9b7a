/* Migrations. Each is one batch whose first statement takes its number in dnsd_migration, so that
 * of two programs that try at once one does all of it and the other nothing.
 *
 * The tables. keyValue is the predecessor's and shared with it; everything else is ours. `change`
 * is the feed: triggers write a key into it, so that the writes of any program are seen, in the
 * same transaction. Three things about them are not obvious:
 * - INSERT OR REPLACE fires no DELETE trigger for the row that goes, only the INSERT one. That is
 *   enough, since both have the same key.
 * - AUTOINCREMENT keeps the last revision in sqlite_sequence, so revisions grow even when `change`
 *   is empty.
 * - The feed prunes itself, some rows at a time: the cost per write is constant, and nobody has to
 *   come by to do it.
 *
 * A database with rows but without our triggers has a past that the feed does not know. Its first
 * revision is used up at once, so that a reader who knows nothing (revision 0) is told that the
 * feed does not reach back to there, and scans.
 *
 * dnsd_user_core answers "how many users are on this core" and "is there any". Counters kept by
 * triggers would be cheaper to read, but INSERT OR REPLACE hides the old row from them; an index
 * cannot be wrong.
 */
#include "schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "keys.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "store.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

#define PRUNE_STEP 64

#define FEED(name, when, cond, key)                                                                \
    "CREATE TRIGGER dnsd_feed_" name " AFTER " when " WHEN " cond                                  \
    " BEGIN INSERT INTO change(key) VALUES(" key "); END"

#define CHALLENGE_OF(row) "'" KEY_CHALLENGE "' || " row ".name"

static const char *const first_version[] = {
    "CREATE TABLE IF NOT EXISTS keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE INDEX dnsd_user_core ON keyValue(value) WHERE " IS_USER("key"),
    "CREATE TABLE change (rev INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL)",
    "CREATE TABLE challenge (name TEXT NOT NULL, value TEXT NOT NULL, order_id TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID",
    "CREATE TABLE dnsd_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    /* Uses up revision 1 where there is a past. */
    "INSERT INTO change(key) SELECT '' WHERE EXISTS (SELECT 1 FROM keyValue WHERE " IS_FED(
        "key") ")",
    "DELETE FROM change",
    FEED("insert", "INSERT ON keyValue", IS_FED("NEW.key"), "NEW.key"),
    FEED("delete", "DELETE ON keyValue", IS_FED("OLD.key"), "OLD.key"),
    /* A key that becomes another one is two changes. */
    "CREATE TRIGGER dnsd_feed_update AFTER UPDATE ON keyValue"
    " WHEN OLD.key IS NOT NEW.key OR OLD.value IS NOT NEW.value BEGIN"
    " INSERT INTO change(key) SELECT OLD.key WHERE " IS_FED(
        "OLD.key") " AND OLD.key IS NOT NEW.key;"
                   " INSERT INTO change(key) SELECT NEW.key WHERE " IS_FED("NEW.key") "; END",
    FEED("challenge_insert", "INSERT ON challenge", "1", CHALLENGE_OF("NEW")),
    FEED("challenge_delete", "DELETE ON challenge", "1", CHALLENGE_OF("OLD")),
    "CREATE TRIGGER dnsd_feed_challenge_update AFTER UPDATE ON challenge"
    " WHEN OLD.name <> NEW.name OR OLD.value <> NEW.value OR OLD.order_id <> NEW.order_id"
    " OR OLD.expires_ms <> NEW.expires_ms BEGIN"
    " INSERT INTO change(key) SELECT " CHALLENGE_OF(
        "OLD") " WHERE OLD.name <> NEW.name;"
               " INSERT INTO change(key) VALUES(" CHALLENGE_OF("NEW") "); END",
    "CREATE TRIGGER dnsd_feed_prune AFTER INSERT ON change"
    " WHEN NEW.rev % " TEXT_OF(PRUNE_STEP) " = 0 BEGIN"
                                           " DELETE FROM change WHERE rev <= NEW.rev - " TEXT_OF(
                                               STORE_FEED_KEEP) "; END",
};

/* Without a trigger: a heartbeat is no change of the zone. */
static const char *const second_version[] = {
    "CREATE TABLE heartbeat (core TEXT PRIMARY KEY, beat INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, digest TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID",
};

/* Without a trigger: nobody answers from a copy of these rows. */
static const char *const third_version[] = {
    "CREATE TABLE http01 (token TEXT PRIMARY KEY, value TEXT NOT NULL, order_id TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL) WITHOUT ROWID",
};

static const struct {
    const char *const *statements;
    size_t count;
} versions[] = {
    {first_version, sizeof first_version / sizeof first_version[0]},
    {second_version, sizeof second_version / sizeof second_version[0]},
    {third_version, sizeof third_version / sizeof third_version[0]},
};
#define VERSION_LAST   (sizeof versions / sizeof versions[0])
#define STATEMENTS_MAX 32 /* of one migration, with the two around it */

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
    struct backend_statement statements[STATEMENTS_MAX];
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

static void make_id(char out[33])
{
    uint8_t bytes[16];
    ssize_t got = getrandom(bytes, sizeof bytes, 0);
    assert(got == (ssize_t)sizeof bytes); /* getrandom(2): up to 256 bytes come whole */
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void migrate(struct schema *s, size_t version)
{
    _Static_assert(sizeof first_version / sizeof first_version[0] + 2 <= STATEMENTS_MAX, "room");
    s->batch = (struct backend_batch){.statements = s->statements, .count = 0};
    s->values[0] = (struct backend_value){.kind = BACKEND_NUMBER, .number = (int64_t)version};
    s->values[1] =
        (struct backend_value){.kind = BACKEND_NUMBER, .number = clk_wall_ms(&clk_system)};
    add(s, TAKE, s->values, 2, true);
    for (size_t i = 0; i < versions[version - 1].count; i++) {
        add(s, versions[version - 1].statements[i], NULL, 0, false);
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
    if (version > (int64_t)VERSION_LAST) {
        e = err_set(
            &why, ERR_MALFORMED,
            "the database was made by a later version of this program (its schema is %" PRId64
            ", this program knows %zu): update this program",
            version, VERSION_LAST);
        finish(s, e, &why);
    } else if (version == (int64_t)VERSION_LAST) {
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
    make_id(s->id_text);
    look(s);
}

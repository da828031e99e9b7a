/* The tables. keyValue is the predecessor's and shared with it; everything else is ours. `change`
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
 *
 * Tables of which the oldest rows go have a number of their own, n, which tells in what order they
 * came: clocks of cores differ, and may be set back.
 */
#include "tables.h"

#include "keys.h"
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

/* Certificates that renew themselves: leases, and what is done under one. The feed now tells of
 * certificates too, and of accounts (CAA names them), but not of another sealing of their keys. */
#define ACCOUNT_OF(row) "'" KEY_ACCOUNT "' || " row ".directory"
#define ACCOUNT_TELLS                                                                              \
    "OLD.directory <> NEW.directory OR OLD.url <> NEW.url OR OLD.thumbprint <> NEW.thumbprint"     \
    " OR OLD.contact <> NEW.contact OR OLD.issuer <> NEW.issuer"

static const char *const fourth_version[] = {
    "CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, term INTEGER NOT NULL,"
    " beat INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE alpn01 (name TEXT PRIMARY KEY, digest TEXT NOT NULL, order_id TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE acme_account (directory TEXT PRIMARY KEY, url TEXT NOT NULL, key TEXT NOT NULL,"
    " pending_key TEXT, thumbprint TEXT NOT NULL, contact TEXT NOT NULL, issuer TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE acme_order (hostname TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " directory TEXT NOT NULL, purpose TEXT NOT NULL, state TEXT NOT NULL, url TEXT NOT NULL,"
    " names TEXT NOT NULL, key TEXT NOT NULL, replaces TEXT NOT NULL, detail TEXT NOT NULL,"
    " started_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE acme_attempt (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " hostname TEXT NOT NULL, directory TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,"
    " problem TEXT NOT NULL, text TEXT NOT NULL, core TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " retry_ms INTEGER NOT NULL)",
    "CREATE INDEX acme_attempt_of ON acme_attempt(hostname, n)",
    "CREATE TABLE acme_renewal (hostname TEXT PRIMARY KEY, serial TEXT NOT NULL,"
    " renew_ms INTEGER NOT NULL, ari_start_ms INTEGER NOT NULL, ari_end_ms INTEGER NOT NULL,"
    " ari_next_ms INTEGER NOT NULL, explanation TEXT NOT NULL, replaced TEXT NOT NULL,"
    " revoked_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE acme_job (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " hostname TEXT NOT NULL, kind TEXT NOT NULL, argument TEXT NOT NULL, state TEXT NOT NULL,"
    " asked_by TEXT NOT NULL, passes_over TEXT NOT NULL, text TEXT NOT NULL,"
    " asked_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL)",
    "CREATE INDEX acme_job_of ON acme_job(hostname, n)",
    "CREATE TABLE acme_witness (n INTEGER PRIMARY KEY, core TEXT NOT NULL, name TEXT NOT NULL,"
    " source TEXT NOT NULL, transport TEXT NOT NULL, answer TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, count INTEGER NOT NULL,"
    " UNIQUE (core, name, source, transport, answer))",
    FEED("account_insert", "INSERT ON acme_account", "1", ACCOUNT_OF("NEW")),
    FEED("account_delete", "DELETE ON acme_account", "1", ACCOUNT_OF("OLD")),
    "CREATE TRIGGER dnsd_feed_account_update AFTER UPDATE ON acme_account WHEN " ACCOUNT_TELLS
    " BEGIN INSERT INTO change(key) SELECT " ACCOUNT_OF(
        "OLD") " WHERE OLD.directory <> NEW.directory;"
               " INSERT INTO change(key) VALUES(" ACCOUNT_OF("NEW") "); END",
    "DROP TRIGGER IF EXISTS dnsd_feed_insert",
    "DROP TRIGGER IF EXISTS dnsd_feed_delete",
    "DROP TRIGGER IF EXISTS dnsd_feed_update",
    FEED("insert", "INSERT ON keyValue", IS_TOLD("NEW.key"), "NEW.key"),
    FEED("delete", "DELETE ON keyValue", IS_TOLD("OLD.key"), "OLD.key"),
    "CREATE TRIGGER dnsd_feed_update AFTER UPDATE ON keyValue"
    " WHEN OLD.key IS NOT NEW.key OR OLD.value IS NOT NEW.value BEGIN"
    " INSERT INTO change(key) SELECT OLD.key WHERE " IS_TOLD(
        "OLD.key") " AND OLD.key IS NOT NEW.key;"
                   " INSERT INTO change(key) SELECT NEW.key WHERE " IS_TOLD("NEW.key") "; END",
};

/* Cores that join. Without triggers: what of it is of the zone is the core's row in keyValue. An
 * admission's `previous` is the row that was there before it; NULL: there was none. */
static const char *const fifth_version[] = {
    "CREATE TABLE join_token (n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " core TEXT NOT NULL, issued_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " consumed_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL, consumed_by TEXT NOT NULL,"
    " consumed_from TEXT NOT NULL)",
    "CREATE TABLE node_cert (n INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE,"
    " core TEXT NOT NULL, fingerprint TEXT NOT NULL, issued_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL, reason TEXT NOT NULL)",
    "CREATE INDEX node_cert_of ON node_cert(core, n)",
    "CREATE TABLE admission (core TEXT PRIMARY KEY, state TEXT NOT NULL, token TEXT NOT NULL,"
    " serial TEXT NOT NULL, fingerprint TEXT NOT NULL, previous TEXT,"
    " issued_ms INTEGER NOT NULL, acked_ms INTEGER NOT NULL) WITHOUT ROWID",
};

#define VERSION(statements)                                                                        \
    {                                                                                              \
        (statements), sizeof(statements) / sizeof(statements)[0]                                   \
    }
_Static_assert(sizeof first_version / sizeof first_version[0] <= TABLES_STATEMENTS, "room");
_Static_assert(sizeof fourth_version / sizeof fourth_version[0] <= TABLES_STATEMENTS, "room");

const struct tables_version tables_versions[TABLES_VERSIONS] = {
    VERSION(first_version),  VERSION(second_version), VERSION(third_version),
    VERSION(fourth_version), VERSION(fifth_version),
};

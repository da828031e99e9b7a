/* Databases that an earlier version of this program made: nothing of them is lost. */
#include "store_suite_priv.h"

#include <string.h>

struct opening {
    struct store *store;
    bool done;
};

static void on_opened(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct opening *o = ctx;
    if (e != ERR_OK) {
        fail_msg("%s: %s", err_text(e), info->text);
    }
    o->store = s;
    o->done = true;
}

/* Whatever version it was, and however many find it so at once: nothing is lost, nothing fails. */
static void earlier_versions(struct suite *t)
{
    enum { PROGRAMS = 4 };
    static const char *const steps[] = {"DELETE FROM dnsd_migration WHERE version = 5",
                                        "DROP TABLE join_token",
                                        "DROP TABLE node_cert",
                                        "DROP TABLE admission",
                                        "DELETE FROM dnsd_migration WHERE version = 4",
                                        "DROP TABLE lease",
                                        "DROP TABLE alpn01",
                                        "DROP TABLE acme_account",
                                        "DROP TABLE acme_order",
                                        "DROP TABLE acme_attempt",
                                        "DROP TABLE acme_renewal",
                                        "DROP TABLE acme_job",
                                        "DROP TABLE acme_witness",
                                        "DELETE FROM dnsd_migration WHERE version = 3",
                                        "DROP TABLE http01",
                                        "DELETE FROM dnsd_migration WHERE version = 2",
                                        "DROP TABLE heartbeat"};
    static const size_t back[] = {4, 13, 15, 17}; /* to version 4, 3, 2, 1 */
    const struct store_http01 h = {.token = "t", .value = "v", .order = "o", .expires_ms = 1};
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_ONLY_NEW));
    for (size_t round = 0; round < 8; round++) {
        struct opening o[PROGRAMS] = {{.store = NULL}};
        sync_close(&t->a);
        for (size_t i = 0; i < back[round % 4]; i++) {
            suite_execute(t, steps[i]);
        }
        for (size_t i = 0; i < PROGRAMS; i++) {
            store_open(&t->loop, t->engine->options(t->place), on_opened, &o[i]);
        }
        for (size_t i = 0; i < PROGRAMS; i++) {
            sync_wait(&t->loop, &o[i].done);
            store_close(o[i].store, NULL, NULL);
        }
        assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
        assert_err(ERR_OK, sync_http01_put(&t->a, &h));
        assert_err(ERR_OK, sync_http01_find(&t->a, "t", 0));
        assert_err(ERR_OK, sync_beats(&t->a));
        assert_err(ERR_OK, sync_user_get(&t->a, "ana"));
        assert_err(ERR_OK, sync_state(&t->a));
        assert_int_equal(1, t->a.state.revision);
    }
}

/* Version 3 as it was given to people, word for word: what is made of it must not depend on what the
 * program would write today. */
static const char *const version_three[] = {
    "CREATE TABLE dnsd_migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)",
    "INSERT INTO dnsd_migration VALUES(1, 0), (2, 0), (3, 0)",
    "CREATE TABLE IF NOT EXISTS keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE INDEX dnsd_user_core ON keyValue(value) WHERE key >= 'user-core/' AND key < "
    "'user-core0'",
    "CREATE TABLE change (rev INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL)",
    "CREATE TABLE challenge (name TEXT NOT NULL, value TEXT NOT NULL, order_id TEXT NOT "
    "NULL, expires_ms INTEGER NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID",
    "CREATE TABLE dnsd_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TRIGGER dnsd_feed_insert AFTER INSERT ON keyValue WHEN ((NEW.key >= "
    "'core-info/' AND NEW.key < 'core-info0') OR (NEW.key >= 'dns-record/' AND NEW.key < "
    "'dns-record0') OR (NEW.key >= 'user-core/' AND NEW.key < 'user-core0')) BEGIN "
    "INSERT INTO change(key) VALUES(NEW.key); END",
    "CREATE TRIGGER dnsd_feed_delete AFTER DELETE ON keyValue WHEN ((OLD.key >= "
    "'core-info/' AND OLD.key < 'core-info0') OR (OLD.key >= 'dns-record/' AND OLD.key < "
    "'dns-record0') OR (OLD.key >= 'user-core/' AND OLD.key < 'user-core0')) BEGIN "
    "INSERT INTO change(key) VALUES(OLD.key); END",
    "CREATE TRIGGER dnsd_feed_update AFTER UPDATE ON keyValue WHEN OLD.key IS NOT "
    "NEW.key OR OLD.value IS NOT NEW.value BEGIN INSERT INTO change(key) SELECT OLD.key "
    "WHERE ((OLD.key >= 'core-info/' AND OLD.key < 'core-info0') OR (OLD.key >= "
    "'dns-record/' AND OLD.key < 'dns-record0') OR (OLD.key >= 'user-core/' AND OLD.key "
    "< 'user-core0')) AND OLD.key IS NOT NEW.key; INSERT INTO change(key) SELECT NEW.key "
    "WHERE ((NEW.key >= 'core-info/' AND NEW.key < 'core-info0') OR (NEW.key >= "
    "'dns-record/' AND NEW.key < 'dns-record0') OR (NEW.key >= 'user-core/' AND NEW.key "
    "< 'user-core0')); END",
    "CREATE TRIGGER dnsd_feed_challenge_insert AFTER INSERT ON challenge WHEN 1 BEGIN "
    "INSERT INTO change(key) VALUES('challenge/' || NEW.name); END",
    "CREATE TRIGGER dnsd_feed_challenge_delete AFTER DELETE ON challenge WHEN 1 BEGIN "
    "INSERT INTO change(key) VALUES('challenge/' || OLD.name); END",
    "CREATE TRIGGER dnsd_feed_challenge_update AFTER UPDATE ON challenge WHEN OLD.name "
    "<> NEW.name OR OLD.value <> NEW.value OR OLD.order_id <> NEW.order_id OR "
    "OLD.expires_ms <> NEW.expires_ms BEGIN INSERT INTO change(key) SELECT 'challenge/' "
    "|| OLD.name WHERE OLD.name <> NEW.name; INSERT INTO change(key) VALUES('challenge/' "
    "|| NEW.name); END",
    "CREATE TRIGGER dnsd_feed_prune AFTER INSERT ON change WHEN NEW.rev % 64 = 0 BEGIN "
    "DELETE FROM change WHERE rev <= NEW.rev - 100000; END",
    "CREATE TABLE heartbeat (core TEXT PRIMARY KEY, beat INTEGER NOT NULL, revision "
    "INTEGER NOT NULL, digest TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE http01 (token TEXT PRIMARY KEY, value TEXT NOT NULL, order_id TEXT NOT "
    "NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO dnsd_meta VALUES('id', '00112233445566778899aabbccddeeff')",
    "INSERT INTO keyValue VALUES('core-info/a', '{}'), ('user-core/ana', 'a'),"
    " ('dns-record/www', '{}'), ('tls-cert/h', '{\"certPem\":\"c\",\"keyPem\":\"k\"}')",
    "INSERT INTO challenge VALUES('n', 'v', 'o', 1)",
    "INSERT INTO http01 VALUES('t', 'v', 'o', 1)",
    "INSERT INTO heartbeat VALUES('a', 1, 2, '0a', '{}')",
};

static void from_version_three(struct suite *t)
{
    const struct store_fence held = {.name = "l", .holder = "a", .term = 1};
    struct opening o[2] = {{.store = NULL}};
    sync_close(&t->a);
    t->engine->wipe(t->place);
    for (size_t i = 0; i < sizeof version_three / sizeof version_three[0]; i++) {
        suite_execute(t, version_three[i]);
    }
    for (size_t i = 0; i < 2; i++) { /* both want to bring it up to date */
        store_open(&t->loop, t->engine->options(t->place), on_opened, &o[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        sync_wait(&t->loop, &o[i].done);
        store_close(o[i].store, NULL, NULL);
    }
    assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_string_equal("00112233445566778899aabbccddeeff", t->a.state.id);
    assert_int_equal(4, t->a.state.revision); /* nobody has to read anything again */
    assert_err(ERR_OK, sync_feed(&t->a, 1, 10));
    assert_false(t->a.pruned);
    assert_string_equal("user-core/ana=a dns-record/www={} challenge/n-", t->a.out.text);
    assert_err(ERR_OK, sync_http01_find(&t->a, "t", 0));
    assert_err(ERR_OK, sync_beats(&t->a));
    assert_string_equal("a=1(2,0a,{})", t->a.out.text);
    assert_err(ERR_OK, sync_cert_get(&t->a, "h"));
    assert_string_equal("h,0,0,0,c,,k,-", t->a.out.text);
    /* From now on certificates are told of, once each, and the others as before. */
    assert_err(ERR_OK, sync_cert_reseal(&t->a, "h", "k", "l"));
    suite_execute(t, "INSERT INTO keyValue VALUES('tls-cert/i', '{}'), ('user-core/bob', 'a')");
    suite_execute(t, "DELETE FROM keyValue WHERE key IN ('tls-cert/i', 'core-info/a')");
    assert_err(ERR_OK, sync_feed(&t->a, 4, 10));
    assert_int_equal(9, t->a.revision);
    assert_non_null(strstr(t->a.out.text, "tls-cert/h- tls-cert/i- user-core/bob=a "));
    assert_err(ERR_OK, sync_lease_take(&t->a, held.name, 0, 0, held.holder));
    assert_err(ERR_OK, sync_order_end(&t->a, &held, "h", "o"));
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t", 0));
}

const struct suite_test suite_old[] = {
    {"earlier_versions", earlier_versions},
    {"from_version_three", from_version_three},
    {NULL, NULL},
};

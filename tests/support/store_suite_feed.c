/* The feed, the state, scans, and watching. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"

static void state_new(struct suite *t)
{
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision);
    assert_int_equal(1, t->a.state.oldest);
    assert_int_equal(32, strlen(t->a.state.id));
    assert_int_equal(32, strspn(t->a.state.id, "0123456789abcdef"));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_false(t->a.pruned);
    assert_false(t->a.more);
    assert_string_equal("", t->a.out.text);
}

static void state_id(struct suite *t)
{
    char id[33];
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_state(&t->a));
    strcpy(id, t->a.state.id);
    sync_close(&t->a);
    assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_string_equal(id, t->a.state.id);
    assert_int_equal(1, t->a.state.revision);
    sync_close(&t->a);
    t->engine->wipe(t->place);
    assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_string_not_equal(id, t->a.state.id);
    assert_int_equal(0, t->a.state.revision);
}

static void feed_deltas(struct suite *t)
{
    const struct store_core core = {.id = "a", .available = true};
    assert_err(ERR_OK, sync_record(&t->a, "www", NULL, "{}"));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_core_put(&t->a, &core, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "_acme-challenge", "v", "o", 1));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_string_equal("dns-record/www={} user-core/ana=a "
                        "core-info/a={\"id\":\"a\",\"available\":true} challenge/_acme-challenge-",
                        t->a.out.text);
    assert_int_equal(4, t->a.revision);
    assert_false(t->a.more);
    /* Values are as of now, and a key comes once for each change. */
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_REPLACE));
    assert_err(ERR_OK, sync_record(&t->a, "www", "{}", NULL));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 3));
    assert_string_equal("dns-record/www- user-core/ana=b "
                        "core-info/a={\"id\":\"a\",\"available\":true}",
                        t->a.out.text);
    assert_int_equal(3, t->a.revision);
    assert_true(t->a.more);
    assert_err(ERR_OK, sync_feed(&t->a, 3, 3));
    assert_string_equal("challenge/_acme-challenge- user-core/ana=b dns-record/www-",
                        t->a.out.text);
    assert_int_equal(6, t->a.revision);
    assert_false(t->a.more);
    assert_err(ERR_OK, sync_feed(&t->a, 6, 3));
    assert_string_equal("", t->a.out.text);
    assert_false(t->a.pruned);
    assert_err(ERR_OK, sync_feed(&t->a, 7, 3)); /* of a future that this database has not had */
    assert_true(t->a.pruned);
}

static void feed_limits(struct suite *t)
{
    assert_err(ERR_LIMIT, sync_feed(&t->a, 0, 0));
    assert_err(ERR_LIMIT, sync_feed(&t->a, UINT64_MAX, 1));
    assert_err(ERR_LIMIT, sync_feed(&t->a, 0, SIZE_MAX));
    assert_err(ERR_OK, sync_feed(&t->a, INT64_MAX, 1));
    assert_true(t->a.pruned);
}

/* What changes nothing takes no revision, so nobody is woken for it. */
static void feed_quiet(struct suite *t)
{
    const struct store_core core = {.id = "a", .available = true};
    const struct store_user ana = {"ana", "a"};
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_record(&t->a, "www", NULL, "{}"));
    assert_err(ERR_OK, sync_core_put(&t->a, &core, STORE_REPLACE));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", 1));
    assert_err(ERR_OK, sync_state(&t->a));
    uint64_t before = t->a.state.revision;
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_REPLACE));
    assert_err(ERR_OK, sync_load(&t->a, &ana, 1));
    assert_err(ERR_OK, sync_record(&t->a, "www", "{}", "{}"));
    assert_err(ERR_OK, sync_record(&t->a, "none", NULL, NULL));
    assert_err(ERR_OK, sync_core_put(&t->a, &core, STORE_REPLACE));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", 1));
    assert_err(ERR_OK, sync_challenges_purge(&t->a, 0));
    suite_execute(t, "UPDATE keyValue SET value = value");
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(before, t->a.state.revision);
}

static void feed_other_programs(struct suite *t)
{
    static const struct {
        const char *sql;
        const char *fed;
    } steps[] = {
        {"INSERT INTO keyValue VALUES('dns-record/a', '{}')", "dns-record/a={}"},
        {"INSERT OR REPLACE INTO keyValue VALUES('dns-record/a', '{\"x\":1}')",
         "dns-record/a={\"x\":1}"},
        {"INSERT OR REPLACE INTO keyValue VALUES('user-core/u', 'a')", "user-core/u=a"},
        {"REPLACE INTO keyValue VALUES('core-info/a', '{}')", "core-info/a={}"},
        {"INSERT INTO keyValue VALUES('user-core/u', 'b') ON CONFLICT(key)"
         " DO UPDATE SET value = excluded.value",
         "user-core/u=b"},
        {"INSERT OR IGNORE INTO keyValue VALUES('user-core/u', 'c')", ""},
        {"UPDATE keyValue SET value = 'd' WHERE key = 'user-core/u'", "user-core/u=d"},
        {"UPDATE keyValue SET key = 'user-core/v' WHERE key = 'user-core/u'",
         "user-core/u- user-core/v=d"},
        {"UPDATE keyValue SET key = 'elsewhere/v' WHERE key = 'user-core/v'", "user-core/v-"},
        {"UPDATE keyValue SET key = 'user-core/w' WHERE key = 'elsewhere/v'", "user-core/w=d"},
        {"UPDATE OR REPLACE keyValue SET key = 'user-core/w' WHERE key = 'dns-record/a'",
         "dns-record/a- user-core/w={\"x\":1}"},
        {"DELETE FROM keyValue WHERE key = 'user-core/w'", "user-core/w-"},
        {"DELETE FROM keyValue WHERE key = 'user-core/w'", ""},
        {"INSERT INTO keyValue VALUES('tls-cert0', '{}'), ('user-cor', ''), ('user-core0', ''),"
         " ('migrations/version', '')",
         ""},
        {"DELETE FROM keyValue", "core-info/a-"},
        /* A certificate has a key: the feed says that it changed, and not what it is. */
        {"INSERT INTO keyValue VALUES('tls-cert/x', '{}')", "tls-cert/x-"},
        {"INSERT OR REPLACE INTO keyValue VALUES('tls-cert/x', '1')", "tls-cert/x-"},
        {"UPDATE keyValue SET value = '1'", ""},
        {"UPDATE keyValue SET value = '2'", "tls-cert/x-"},
        {"UPDATE keyValue SET key = 'tls-cert/y'", "tls-cert/x- tls-cert/y-"},
        {"UPDATE keyValue SET key = 'elsewhere/y'", "tls-cert/y-"},
        {"UPDATE keyValue SET key = 'tls-cert/y'", "tls-cert/y-"},
        {"DELETE FROM keyValue", "tls-cert/y-"},
        {"INSERT INTO challenge VALUES('n', 'v', 'o', 1)", "challenge/n-"},
        {"UPDATE challenge SET value = 'w'", "challenge/n-"},
        {"DELETE FROM challenge", "challenge/n-"},
    };
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        suite_execute(t, steps[i].sql);
        assert_err(ERR_OK, sync_feed(&t->a, at, 10));
        assert_string_equal(steps[i].fed, t->a.out.text);
        at = t->a.revision;
    }
}

/* N users at once, u<from> on. */
static void load_many(struct sync *y, size_t from, size_t n, const char *core)
{
    struct store_user *users = mem_xalloc(n * sizeof *users);
    char(*names)[16] = mem_xalloc(n * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "u%07zu", from + i);
        users[i] = (struct store_user){.name = names[i], .core = core};
    }
    assert_err(ERR_OK, sync_load(y, users, n));
    free(users);
    free(names);
}

static void feed_pruned(struct suite *t)
{
    const size_t n = STORE_FEED_KEEP + 1000;
    load_many(&t->a, 0, n, "a");
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(n, t->a.state.revision);
    uint64_t oldest = t->a.state.oldest;
    assert_true(oldest > 1);
    assert_true(n - oldest + 1 >= STORE_FEED_KEEP);       /* keeps what it promises */
    assert_true(n - oldest + 1 < STORE_FEED_KEEP + 1000); /* and not all */
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_true(t->a.pruned);
    assert_string_equal("", t->a.out.text);
    assert_err(ERR_OK, sync_feed(&t->a, oldest - 2, 10));
    assert_true(t->a.pruned);
    assert_err(ERR_OK, sync_feed(&t->a, oldest - 1, 1));
    assert_false(t->a.pruned);
    assert_true(t->a.more);
    assert_int_equal(oldest, t->a.revision);
    /* All pages together are all changes. */
    size_t rows = 0;
    for (uint64_t at = oldest - 1; t->a.more; at = t->a.revision) {
        assert_err(ERR_OK, sync_feed(&t->a, at, 30000));
        for (const char *p = t->a.out.text; *p != '\0'; p++) {
            rows += *p == '=';
        }
    }
    assert_int_equal(n - oldest + 1, rows);
    assert_int_equal(n, t->a.revision);
}

static void scan_prefixes(struct suite *t)
{
    static const struct {
        const char *prefix;
        const char *rows;
    } cases[] = {
        {"", "challenge/n=v core-info/a={} dns-record/a={} dns-record/a.b={} dns-record/b={} "
             "user-core/a~=x user-core/a\x7f=x user-core/a\xc3\xa9=x user-core/ana=x"},
        {"dns-record/", "dns-record/a={} dns-record/a.b={} dns-record/b={}"},
        {"dns-record/a", "dns-record/a={} dns-record/a.b={}"},
        {"dns-record/a.b", "dns-record/a.b={}"},
        {"dns-record/c", ""},
        {"c", "challenge/n=v core-info/a={}"},
        {"user-core", "user-core/a~=x user-core/a\x7f=x user-core/a\xc3\xa9=x user-core/ana=x"},
        {"user-core/a~", "user-core/a~=x"},
        {"user-core/a\x7f", "user-core/a\x7f=x"},
        {"user-core/a\xc3", "user-core/a\xc3\xa9=x"},
        {"challenge/n", "challenge/n=v"},
        {"challenge/m", ""},
        {"tls-cert/", ""},
        {"zzz", ""},
    };
    suite_execute(t, "INSERT INTO keyValue VALUES('user-core/ana', 'x'), ('dns-record/b', '{}'),"
                     "('dns-record/a', '{}'), ('dns-record/a.b', '{}'), ('core-info/a', '{}'),"
                     "('tls-cert/x', '{}'), ('user-core0', ''), ('user-core/a~', 'x'),"
                     "('user-core/a\x7f', 'x'), ('user-core/a\xc3\xa9', 'x')");
    assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", 1));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(ERR_OK, sync_scan(&t->a, cases[i].prefix, 100));
        /* '~' and DEL come after letters. */
        if (strstr(cases[i].rows, "user-core/ana") == NULL) {
            assert_string_equal(cases[i].rows, t->a.out.text);
        } else {
            assert_int_equal(strlen(cases[i].rows), t->a.out.len);
        }
        assert_int_equal(10, t->a.state.revision);
    }
    assert_err(ERR_CANCELED, sync_scan(&t->a, "", 2));
    assert_string_equal("challenge/n=v core-info/a={}", t->a.out.text);
}

static void scan_limits(struct suite *t)
{
    char prefix[STORE_KEY_MAX + 2];
    memset(prefix, 'x', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    assert_err(ERR_LIMIT, sync_scan(&t->a, prefix, 1));
    memcpy(prefix, "user-core/", 10);
    prefix[STORE_KEY_MAX] = '\0';
    assert_err(ERR_OK, sync_scan(&t->a, prefix, 1));
}

/* ---- a scan beside a writer ------------------------------------------------------------------ */

struct pair_scan {
    struct sync *y;
    bool moment;                /* a scan is as of one */
    char first[32], second[32]; /* what the scan saw; its thread's until it has ended */
    unsigned scans;
    bool writing;
    bool ended;
};

static bool on_pair_row(void *ctx, const struct store_row *row)
{
    struct pair_scan *p = ctx;
    if (strcmp(row->key, "dns-record/1st") == 0) {
        snprintf(p->first, sizeof p->first, "%s", row->value);
    } else if (strcmp(row->key, "dns-record/2nd") == 0) {
        snprintf(p->second, sizeof p->second, "%s", row->value);
    }
    return true;
}

static void on_pair_scanned(void *ctx, enum err e, const struct err_info *info,
                            const struct store_state *state)
{
    struct pair_scan *p = ctx;
    unsigned first = 0;
    unsigned second = 0;
    (void)info;
    assert_err(ERR_OK, e);
    assert_int_equal(1, sscanf(p->first, "{\"n\":%u}", &first));
    assert_int_equal(1, sscanf(p->second, "{\"n\":%u}", &second));
    if (p->moment) { /* both rows are of one moment, and the revision says which */
        assert_int_equal(state->revision / 2, first);
        assert_int_equal(first, second);
    } else { /* none is older than the revision, so the feed from there on makes up for the rest */
        assert_true(first >= state->revision / 2);
        assert_true(second >= state->revision / 2);
    }
    p->scans++;
    if (p->writing) {
        store_scan(p->y->store, "", on_pair_row, on_pair_scanned, p);
    } else {
        p->ended = true;
    }
}

static void scan_consistent(struct suite *t)
{
    struct pair_scan p = {.y = &t->a, .moment = t->engine->moment, .writing = true};
    char was[32] = "";
    suite_open_b(t);
    for (unsigned n = 1; n <= 200 || p.scans < 10; n++) {
        char now[32];
        snprintf(now, sizeof now, "{\"n\":%u}", n);
        const char *expect = n == 1 ? NULL : was;
        const struct store_record_change both[] = {{"1st", expect, now}, {"2nd", expect, now}};
        assert_err(ERR_OK, sync_records(&t->b, both, 2));
        strcpy(was, now);
        if (n == 1) {
            store_scan(t->a.store, "", on_pair_row, on_pair_scanned, &p);
        }
    }
    p.writing = false;
    sync_wait(&t->loop, &p.ended);
}

/* ---- watching -------------------------------------------------------------------------------- */

static void watch_own(struct suite *t)
{
    sync_watch(&t->a);
    for (int i = 0; i < 3; i++) {
        unsigned before = t->a.changes;
        assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", i));
        sync_wait_count(&t->loop, &t->a.changes, before + 1);
    }
}

/* A reader that does nothing until it is told sees every change of others. */
static void watch_others(struct suite *t)
{
    suite_open_b(t);
    sync_watch(&t->a);
    uint64_t seen = 0;
    for (unsigned i = 1; i <= 20; i++) {
        if (i % 2 == 0) {
            char sql[80];
            snprintf(sql, sizeof sql, "INSERT INTO keyValue VALUES('user-core/%u', 'a')", i);
            suite_execute(t, sql);
        } else {
            assert_err(ERR_OK, sync_challenge_put(&t->b, "n", "v", "o", i));
        }
        int64_t begin_ms = clk_mono_ms(&clk_system);
        while (seen < i) {
            unsigned before = t->a.changes;
            assert_err(ERR_OK, sync_state(&t->a));
            seen = t->a.state.revision;
            if (seen < i) {
                sync_wait_count(&t->loop, &t->a.changes, before + 1);
            }
        }
        assert_true(clk_mono_ms(&clk_system) - begin_ms < SYNC_WAIT_MS);
    }
    /* Told by the watch, not only seen because the test asked: one more, asking nothing. */
    unsigned before = t->a.changes;
    suite_execute(t, "INSERT INTO keyValue VALUES('user-core/last', 'a')");
    sync_wait_count(&t->loop, &t->a.changes, before + 1);
}

static void watch_ended(struct suite *t)
{
    sync_watch(&t->a);
    sync_wait_count(&t->loop, &t->a.changes, 1); /* once at the start */
    store_watch(t->a.store, NULL, NULL);
    unsigned before = t->a.changes;
    for (int i = 0; i < 20; i++) {
        assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", i));
    }
    assert_int_equal(before, t->a.changes);
    sync_watch(&t->a); /* and may begin anew */
    sync_wait_count(&t->loop, &t->a.changes, before + 1);
}

const struct suite_test suite_feed[] = {
    {"state_new", state_new},     {"state_id", state_id},
    {"feed_deltas", feed_deltas}, {"feed_limits", feed_limits},
    {"feed_quiet", feed_quiet},   {"feed_other_programs", feed_other_programs},
    {"feed_pruned", feed_pruned}, {"scan_prefixes", scan_prefixes},
    {"scan_limits", scan_limits}, {"scan_consistent", scan_consistent},
    {"watch_own", watch_own},     {"watch_others", watch_others},
    {"watch_ended", watch_ended}, {NULL, NULL},
};

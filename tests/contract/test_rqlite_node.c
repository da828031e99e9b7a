/* What only a real rqlite can show: users and passwords, a node without a leader or without its
 * others, results of several pages. On each version there is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "rqlite_server.h"
#include "store_crowd.h"
#include "store_sync.h"

static const char *program;          /* the version under test */
static struct rqlite_server *shared; /* for the tests that do not stop it: a start takes a second */

struct fixture {
    struct rqlite_server *one;
    struct rqlite_server *two;   /* NULL: only one */
    struct rqlite_server *three; /* NULL: no more than two */
    uv_loop_t loop;
    struct sync y;
};

static struct fixture *fixture_new(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    assert_int_equal(0, uv_loop_init(&t->loop));
    *state = t;
    return t;
}

/* A server of its own, not started. */
static int setup(void **state)
{
    struct fixture *t = fixture_new(state);
    t->one = rqlite_server_new(program);
    t->one->number = 1;
    return 0;
}

/* The server that is there, empty. */
static int setup_shared(void **state)
{
    static struct store_options options;
    struct fixture *t = fixture_new(state);
    if (shared == NULL) {
        shared = rqlite_server_new(program);
        rqlite_server_start(shared, true);
        options = shared->options;
    }
    rqlite_server_wipe(shared);
    shared->options = options;
    t->one = shared;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    sync_close(&t->y);
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t->loop));
    if (t->one != shared) {
        rqlite_server_free(t->one);
    }
    rqlite_server_free(t->two);
    rqlite_server_free(t->three);
    free(t);
    return 0;
}

static int teardown_shared(void **state)
{
    (void)state;
    rqlite_server_free(shared);
    shared = NULL;
    return 0;
}

static enum err open_on(struct fixture *t, const struct rqlite_server *s)
{
    return sync_open(&t->y, &t->loop, &s->options);
}

static void start_open(struct fixture *t)
{
    if (t->one->pid == 0) {
        rqlite_server_start(t->one, true);
    }
    assert_err(ERR_OK, open_on(t, t->one));
}

/* Another node, which follows the first. */
static struct rqlite_server *start_follower(struct fixture *t, unsigned number)
{
    struct rqlite_server *s = rqlite_server_new(program);
    s->number = number;
    s->join_port = t->one->raft_port;
    rqlite_server_start(s, true);
    return s;
}

static void start_two(struct fixture *t)
{
    rqlite_server_start(t->one, true);
    t->two = start_follower(t, 2);
}

static void assert_says(const struct fixture *t, const char *words)
{
    if (strstr(t->y.info.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, t->y.info.text);
    }
    assert_null(strstr(t->y.info.text, RQLITE_SERVER_PASSWORD));
}

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void nobody_there(void **state)
{
    struct fixture *t = *state;
    int64_t begin_ms = now_ms();
    assert_err(ERR_UNAVAIL, open_on(t, t->one));
    assert_true(now_ms() - begin_ms < 2000); /* and not after busy_ms */
    assert_says(t, t->one->url);
    assert_says(t, "is rqlited running?");
}

static void who_may_what(void **state)
{
    struct fixture *t = *state;
    t->one->options.rqlite.password = "guess";
    assert_err(ERR_DENIED, open_on(t, t->one));
    assert_says(t, "password");
    assert_null(strstr(t->y.info.text, "guess"));
    t->one->options.rqlite.user = NULL;
    t->one->options.rqlite.password = NULL;
    assert_err(ERR_DENIED, open_on(t, t->one));
    t->one->options.rqlite.user = "reader";
    t->one->options.rqlite.password = "r";
    assert_err(ERR_DENIED, open_on(t, t->one)); /* it would have to make the tables */
    t->one->options.rqlite.user = RQLITE_SERVER_USER;
    t->one->options.rqlite.password = RQLITE_SERVER_PASSWORD;
    assert_err(ERR_OK, open_on(t, t->one));
    assert_err(ERR_OK, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    sync_close(&t->y);
    t->one->options.rqlite.user = "reader";
    t->one->options.rqlite.password = "r";
    assert_err(ERR_OK, open_on(t, t->one));
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
    int64_t begin_ms = now_ms();
    assert_err(ERR_DENIED, sync_user_delete(&t->y, "ana"));
    assert_says(t, "nothing was written");
    assert_true(now_ms() - begin_ms < 2000);
}

static void urls(void **state)
{
    struct fixture *t = *state;
    char with_slash[80], with_password[80];
    char *endless = mem_xalloc(2000);
    snprintf(with_slash, sizeof with_slash, "%s/", t->one->url);
    snprintf(with_password, sizeof with_password, "http://me:hidden@127.0.0.1:%u",
             t->one->http_port);
    memset(endless, 'x', 1999);
    memcpy(endless, "http://", 7);
    const struct {
        const char *url;
        enum err e;
    } cases[] = {
        {with_slash, ERR_OK},
        {with_password, ERR_MALFORMED},
        {"127.0.0.1:4001", ERR_MALFORMED},
        {"", ERR_MALFORMED},
        {"http://", ERR_MALFORMED},
        {"http://127.0.0.1:4001/db?level=none", ERR_MALFORMED},
        {"gopher://127.0.0.1", ERR_MALFORMED},
        {endless, ERR_MALFORMED},
        {NULL, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        t->one->options.rqlite.url = cases[i].url;
        assert_err(cases[i].e, open_on(t, t->one));
        assert_null(strstr(t->y.info.text, "hidden"));
        sync_close(&t->y);
    }
    free(endless);
}

static void must_exist(void **state)
{
    struct fixture *t = *state;
    t->one->options.must_exist = true;
    assert_err(ERR_NOTFOUND, open_on(t, t->one));
    assert_says(t, "no database of this program");
    assert_int_equal(0, rqlite_server_number(
                            t->one, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'dnsd%'"));
    t->one->options.must_exist = false;
    assert_err(ERR_OK, open_on(t, t->one));
    sync_close(&t->y);
    t->one->options.must_exist = true;
    assert_err(ERR_OK, open_on(t, t->one));
}

/* The predecessor's database is taken over as it is. */
static void adopt(void **state)
{
    struct fixture *t = *state;
    rqlite_server_execute(t->one,
                          "CREATE TABLE keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
    rqlite_server_execute(t->one, "INSERT INTO keyValue VALUES('user-core/ana', 'a')");
    assert_err(ERR_OK, open_on(t, t->one));
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
    assert_err(ERR_OK, sync_feed(&t->y, 0, 10));
    assert_true(t->y.pruned);
}

/* One that waits for another which never comes: alive, but of no use yet. */
static void never_had_a_leader(void **state)
{
    struct fixture *t = *state;
    t->one->join_port = 1;
    rqlite_server_start(t->one, false);
    int64_t begin_ms = now_ms();
    assert_err(ERR_UNAVAIL, open_on(t, t->one));
    assert_true(now_ms() - begin_ms < 2000);
}

/* ---- writes ---------------------------------------------------------------------------------- */

/* A batch that fails leaves nothing behind, in the driver's own tables neither. */
static void refused_batch(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    assert_err(ERR_OK, sync_record(&t->y, "www", NULL, "{}"));
    long long tokens = rqlite_server_number(t->one, "SELECT count(*) FROM dnsd_write");
    const struct store_record_change changes[] = {
        {.name = "a", .value = "{}"}, {.name = "www", .expect = "{\"x\":1}", .value = "{}"}};
    assert_err(ERR_CONFLICT, sync_records(&t->y, changes, 2));
    assert_says(t, "www: changed by somebody else");
    assert_err(ERR_NOTFOUND, sync_user_delete(&t->y, "ana"));
    assert_int_equal(tokens, rqlite_server_number(t->one, "SELECT count(*) FROM dnsd_write"));
    assert_int_equal(0, rqlite_server_number(t->one, "SELECT count(*) FROM dnsd_guard"));
    assert_int_equal(1, rqlite_server_number(t->one, "SELECT count(*) FROM keyValue"));
}

static void tokens_are_pruned(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    rqlite_server_execute(t->one, "INSERT INTO dnsd_write(token) WITH RECURSIVE c(i) AS (SELECT 1"
                                  " UNION ALL SELECT i + 1 FROM c LIMIT 20000)"
                                  " SELECT 'token ' || i FROM c");
    long long left = rqlite_server_number(t->one, "SELECT count(*) FROM dnsd_write");
    assert_true(left >= 10000 && left < 10100);
    assert_err(ERR_OK, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
}

static void tables_removed(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    rqlite_server_wipe(t->one);
    int64_t begin_ms = now_ms();
    assert_err(ERR_MALFORMED, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    assert_says(t, "no such table");
    assert_err(ERR_UNAVAIL, sync_user_get(&t->y, "ana"));
    assert_says(t, "somebody removed them");
    assert_true(now_ms() - begin_ms < 5000);
}

/* A user of each of these, one at a time and many at once. */
static void odd_texts(void **state)
{
    static const char *const names[] = {
        "x'6162'",           "X'", " x''", "a\"b\\", "\x01",        "\xc3\xa9",
        "\xe2\x80\x83x'00'", "?1", "it's", "a\xff",  "\xed\xa0\x80"};
    enum { COUNT = sizeof names / sizeof names[0] };
    struct fixture *t = *state;
    struct store_user users[COUNT];
    start_open(t);
    for (size_t i = 0; i < COUNT; i++) {
        users[i] = (struct store_user){.name = names[i], .core = "x'61'"};
        assert_err(ERR_OK, sync_user_put(&t->y, names[i], "x'61'", STORE_ONLY_NEW));
        assert_err(ERR_OK, sync_user_get(&t->y, names[i]));
        assert_string_equal("x'61'", t->y.out.text);
    }
    assert_int_equal(COUNT, rqlite_server_number(t->one, "SELECT count(*) FROM keyValue WHERE"
                                                         " typeof(key) = 'text' AND value ="
                                                         " char(120, 39, 54, 49, 39)"));
    for (size_t count = COUNT - 2; count <= COUNT; count += 2) { /* all of UTF-8, and not */
        assert_err(ERR_OK, sync_load(&t->y, users, count));
        assert_int_equal(count, t->y.tally.unchanged);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_err(ERR_OK, sync_user_delete(&t->y, names[i]));
    }
}

/* ---- large results --------------------------------------------------------------------------- */

enum { MANY = 25000 }; /* several pages, several pieces */

struct seen {
    size_t rows;
    char last[STORE_KEY_MAX + 400];
    bool in_order;
    bool done;
    enum err e;
    struct store_state state;
};

static bool on_row(void *ctx, const struct store_row *row)
{
    struct seen *s = ctx;
    char now[sizeof s->last];
    snprintf(now, sizeof now, "%s %.300s", row->key, row->value);
    s->in_order = s->in_order && strcmp(s->last, now) < 0;
    strcpy(s->last, now);
    s->rows++;
    return true;
}

static void on_scanned(void *ctx, enum err e, const struct err_info *info,
                       const struct store_state *state)
{
    struct seen *s = ctx;
    if (e != ERR_OK) {
        print_message("%s\n", info->text);
    } else {
        s->state = *state;
    }
    s->e = e;
    s->done = true;
}

static struct seen scan(struct fixture *t, const char *prefix)
{
    struct seen s = {.in_order = true};
    store_scan(t->y.store, prefix, on_row, on_scanned, &s);
    sync_wait(&t->loop, &s.done);
    assert_err(ERR_OK, s.e);
    return s;
}

static void load_many(struct fixture *t, const char *core)
{
    struct store_user *users = mem_xalloc(MANY * sizeof *users);
    char(*names)[16] = mem_xalloc(MANY * sizeof *names);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "u%05zu", i);
        users[i] = (struct store_user){.name = names[i], .core = core};
    }
    assert_err(ERR_OK, sync_load(&t->y, users, MANY));
    free(users);
    free(names);
}

static void pages_and_pieces(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    load_many(t, "a");
    assert_int_equal(MANY, t->y.tally.added);
    load_many(t, "a");
    assert_int_equal(MANY, t->y.tally.unchanged);
    load_many(t, "b");
    assert_int_equal(MANY, t->y.tally.updated);
    struct seen s = scan(t, "user-core/");
    assert_int_equal(MANY, s.rows);
    assert_true(s.in_order);
    assert_int_equal(2 * MANY, s.state.revision);
    /* Many values of one name, and many names: a page may end within either. */
    rqlite_server_execute(
        t->one, "INSERT INTO challenge SELECT printf('n%05d', i / 15000), printf('v%05d',"
                " i), 'o', 1 FROM (WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1"
                " FROM c LIMIT 32000) SELECT i FROM c)");
    s = scan(t, "challenge/");
    assert_int_equal(32000, s.rows);
    assert_true(s.in_order);
}

/* More than one reply may have: a page comes with fewer rows; of the feed fewer are asked for. */
static void large_rows(void **state)
{
    enum { ROWS = 70 };
    struct fixture *t = *state;
    start_open(t);
    rqlite_server_execute(t->one,
                          "INSERT INTO keyValue SELECT printf('dns-record/r%02d', i), '{\"x\":\"'"
                          " || hex(zeroblob(130000)) || '\"}' FROM (WITH RECURSIVE c(i) AS"
                          " (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 70)"
                          " SELECT i FROM c)");
    struct seen s = scan(t, "");
    assert_int_equal(ROWS, s.rows);
    assert_true(s.in_order);
    assert_err(ERR_LIMIT, sync_feed(&t->y, 0, 2000));
    assert_err(ERR_OK, sync_feed(&t->y, 0, 20));
    assert_true(t->y.more);
}

static void batch_too_large(void **state)
{
    enum { ROWS = 70 };
    struct fixture *t = *state;
    struct store_record_change changes[ROWS];
    char names[ROWS][8];
    char *value = mem_xalloc(STORE_VALUE_MAX + 1);
    memset(value, 'x', STORE_VALUE_MAX);
    memcpy(value, "{\"x\":\"", 6);
    memcpy(value + STORE_VALUE_MAX - 2, "\"}", 2);
    start_open(t);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "r%02zu", i);
        changes[i] = (struct store_record_change){.name = names[i], .value = value};
    }
    assert_err(ERR_LIMIT, sync_records(&t->y, changes, ROWS));
    assert_int_equal(0, rqlite_server_number(t->one, "SELECT count(*) FROM keyValue"));
    assert_err(ERR_OK, sync_records(&t->y, changes, ROWS / 2));
    assert_int_equal(ROWS / 2, rqlite_server_number(t->one, "SELECT count(*) FROM keyValue"));
    free(value);
}

/* ---- several nodes --------------------------------------------------------------------------- */

/* Through a follower, which hears of a write a moment after it was acknowledged. */
static void reads_its_own_writes(void **state)
{
    enum { ROUNDS = 20 };
    struct fixture *t = *state;
    start_two(t);
    assert_err(ERR_OK, open_on(t, t->two));
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", i);
        assert_err(ERR_OK, sync_user_put(&t->y, name, "a", STORE_ONLY_NEW));
        assert_err(ERR_OK, sync_user_get(&t->y, name));
        assert_err(ERR_OK, sync_user_put(&t->y, name, "b", STORE_REPLACE));
        assert_err(ERR_OK, sync_state(&t->y));
        assert_int_equal(2 * (i + 1), t->y.state.revision);
        assert_false(t->y.state.stale);
    }
    load_many(t, "c");
    assert_int_equal(MANY, t->y.tally.added);
    assert_int_equal(MANY + ROUNDS, scan(t, "user-core/").rows);
}

/* New users come to three cores at once, each through its own node, two of which only follow. */
static void placed_by_three(void **state)
{
    struct fixture *t = *state;
    struct sync others[2] = {{.store = NULL}, {.store = NULL}};
    start_two(t);
    t->three = start_follower(t, 3);
    for (int same = 0; same < 2; same++) {
        assert_err(ERR_OK, open_on(t, t->one));
        assert_err(ERR_OK, sync_open(&others[0], &t->loop, &t->two->options));
        assert_err(ERR_OK, sync_open(&others[1], &t->loop, &t->three->options));
        rqlite_server_execute(t->one, "DELETE FROM keyValue");
        rqlite_server_execute(t->one, "INSERT INTO keyValue VALUES('core-info/a', '{}'),"
                                      " ('core-info/b', '{}'), ('core-info/c', '{}')");
        struct store *const stores[] = {t->y.store, others[0].store, others[1].store};
        int64_t begin_ms = now_ms();
        struct crowd c = crowd_place(&t->loop, stores, 3, same == 1);
        print_message("%d placements through three nodes: %lld ms\n", CROWD,
                      (long long)(now_ms() - begin_ms));
        if (same == 1) {
            crowd_assert_one(c);
        } else {
            crowd_assert_spread(c);
        }
        assert_int_equal(same == 1 ? 1 : CROWD,
                         rqlite_server_number(t->one, "SELECT count(*) FROM keyValue"
                                                      " WHERE key LIKE 'user-core/%'"));
        sync_close(&others[0]);
        sync_close(&others[1]);
        sync_close(&t->y);
    }
}

static void await_stale(struct fixture *t, bool stale)
{
    int64_t end_ms = now_ms() + SYNC_WAIT_MS;
    do {
        assert_true(now_ms() < end_ms);
        assert_err(ERR_OK, sync_state(&t->y));
    } while (t->y.state.stale != stale);
}

/* While the node believes in its leader, or is one, what is written may be carried out later. Once
 * it knows better, it says that nothing was. NAME: of the user that was refused. */
static void write_until_refused(struct fixture *t, char *name, size_t cap)
{
    int64_t end_ms = now_ms() + SYNC_WAIT_MS;
    int64_t begin_ms;
    enum err e = ERR_TIMEOUT;
    for (unsigned i = 0; e == ERR_TIMEOUT; i++) {
        begin_ms = now_ms();
        assert_true(begin_ms < end_ms);
        snprintf(name, cap, "user%u", i);
        e = sync_user_put(&t->y, name, "a", STORE_ONLY_NEW);
    }
    assert_err(ERR_UNAVAIL, e);
    assert_true(now_ms() - begin_ms >= 700 && now_ms() - begin_ms < 5000);
}

/* One of two is left: it goes on reading and says so; nothing can be written; and all is well once
 * the other is back. Whether the leader was lost or the follower comes to the same. */
static void cut_off(struct fixture *t, struct rqlite_server *left, struct rqlite_server *lost)
{
    struct rqlite_server *const both[] = {left, lost};
    assert_err(ERR_OK, open_on(t, left));
    assert_err(ERR_OK, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_get(&t->y, "ana")); /* so it has come to this node */
    sync_close(&t->y);
    left->options.busy_ms = 700;
    assert_err(ERR_OK, open_on(t, left));
    assert_err(ERR_OK, sync_state(&t->y));
    assert_false(t->y.state.stale);
    rqlite_server_stop(lost, SIGKILL);
    rqlite_server_await_leader(left, false);
    char unwritten[16];
    write_until_refused(t, unwritten, sizeof unwritten);
    assert_says(t, "leader");
    assert_says(t, "nothing was written");
    await_stale(t, true);
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
    assert_err(ERR_NOTFOUND, sync_user_get(&t->y, unwritten));
    assert_int_equal(1, scan(t, "user-core/").rows);
    sync_close(&t->y);
    assert_err(ERR_OK, open_on(t, left)); /* a restart is possible meanwhile */
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
    rqlite_server_start(lost, true);
    rqlite_server_await_leader(left, true);
    await_stale(t, false);
    left->options.busy_ms = 0;
    assert_err(ERR_OK, sync_user_put(&t->y, "bob", "a", STORE_ONLY_NEW));
    sync_close(&t->y);
    for (int i = 0; i < 2; i++) { /* both have it */
        assert_err(ERR_OK, open_on(t, both[i]));
        for (int64_t end_ms = now_ms() + SYNC_WAIT_MS; sync_user_get(&t->y, "bob") != ERR_OK;) {
            assert_true(now_ms() < end_ms);
        }
        assert_err(ERR_NOTFOUND, sync_user_get(&t->y, unwritten));
        sync_close(&t->y);
    }
}

static void leader_lost(void **state)
{
    struct fixture *t = *state;
    start_two(t);
    cut_off(t, t->two, t->one);
}

static void follower_lost(void **state)
{
    struct fixture *t = *state;
    start_two(t);
    cut_off(t, t->one, t->two);
}

/* ---- a node that comes and goes -------------------------------------------------------------- */

static void restarted(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    assert_err(ERR_OK, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    rqlite_server_stop(t->one, SIGTERM);
    assert_err(ERR_UNAVAIL, sync_user_get(&t->y, "ana"));
    assert_err(ERR_UNAVAIL, sync_scan(&t->y, "", 10));
    rqlite_server_start(t->one, true);
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
    rqlite_server_stop(t->one, SIGKILL);
    rqlite_server_start(t->one, true);
    assert_err(ERR_OK, sync_user_put(&t->y, "bob", "a", STORE_ONLY_NEW)); /* on a dead connection */
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
}

/* A node that carries out its log again answers meanwhile. Neither who was there before nor who
 * comes just then is shown the past. */
static void shows_no_past(void **state)
{
    enum { WRITES = 1000 };
    struct fixture *t = *state;
    struct sync other = {.store = NULL};
    enum err e;
    start_open(t);
    for (int i = 0; i < WRITES; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", i);
        assert_err(ERR_OK, sync_user_put(&t->y, name, "a", STORE_ONLY_NEW));
    }
    rqlite_server_stop(t->one, SIGKILL);
    rqlite_server_start(t->one, false);
    int64_t end_ms = now_ms() + SYNC_WAIT_MS;
    do { /* from when it has the tables on */
        e = sync_open(&other, &t->loop, &t->one->options);
        assert_true(now_ms() < end_ms);
    } while (e == ERR_UNAVAIL);
    assert_err(ERR_OK, e);
    assert_err(ERR_OK, sync_state(&other));
    assert_int_equal(WRITES, other.state.revision);
    sync_close(&other);
    assert_err(ERR_OK, sync_state(&t->y));
    assert_int_equal(WRITES, t->y.state.revision);

    rqlite_server_stop(t->one, SIGKILL);
    rqlite_server_start(t->one, false);
    do {
        e = sync_state(&t->y);
        assert_true(now_ms() < end_ms);
    } while (e == ERR_UNAVAIL);
    assert_err(ERR_OK, e);
    assert_int_equal(WRITES, t->y.state.revision);
}

/* Neither refuses nor answers. What was sent to it may be carried out later, and here is. */
static void paused(void **state)
{
    struct fixture *t = *state;
    start_open(t);
    sync_close(&t->y);
    t->one->options.busy_ms = 3000; /* opening takes some of it on a busy machine */
    assert_err(ERR_OK, open_on(t, t->one));
    rqlite_server_stop(t->one, SIGSTOP);
    assert_err(ERR_TIMEOUT, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
    assert_says(t, "not known");
    assert_err(ERR_UNAVAIL, sync_user_get(&t->y, "ana"));
    assert_int_equal(0, kill(t->one->pid, SIGCONT));
    for (int64_t end_ms = now_ms() + SYNC_WAIT_MS; sync_user_get(&t->y, "ana") != ERR_OK;) {
        assert_true(now_ms() < end_ms);
    }
    assert_int_equal(1, rqlite_server_number(t->one, "SELECT count(*) FROM change"));
}

static int run_on(const char *path)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_shared, teardown)
#define OWN(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        OWN(nobody_there),
        TEST(who_may_what),
        TEST(urls),
        TEST(must_exist),
        TEST(adopt),
        OWN(never_had_a_leader),
        TEST(refused_batch),
        TEST(tokens_are_pruned),
        TEST(tables_removed),
        TEST(odd_texts),
        TEST(pages_and_pieces),
        TEST(large_rows),
        TEST(batch_too_large),
        OWN(reads_its_own_writes),
        OWN(placed_by_three),
        OWN(leader_lost),
        OWN(follower_lost),
        OWN(restarted),
        OWN(shows_no_past),
        OWN(paused),
    };
#undef TEST
#undef OWN
    char version[32], name[64];
    program = path;
    snprintf(name, sizeof name, "rqlite %s", rqlite_server_version(path, version));
    return cmocka_run_group_tests_name(name, tests, NULL, teardown_shared);
}

/* An argument: only tests whose name fits (with '*' and '?'). */
int main(int argc, char **argv)
{
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    char **programs = rqlite_server_programs();
    int failed = 0;
    for (size_t i = 0; programs[i] != NULL; i++) {
        failed += run_on(programs[i]);
    }
    free(programs);
    return failed;
}

/* One store's rows into another: all of them, over several pages, once; nothing where there are rows already; and
 * on from where it was broken off. The other engine is in tests/integration/join_story. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "store_file.h"
#include "store_sync.h"

#define USERS 1203 /* three pages, the last one short */

struct fixture {
    struct store_file *old, *new; /* owned */
    uv_loop_t loop;
    struct sync from, to;
    uint64_t rows;
    enum err e;
    bool done;
};

static int setup(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    t->old = store_file_new();
    t->new = store_file_new();
    *state = t;
    return uv_loop_init(&t->loop);
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    sync_close(&t->from);
    sync_close(&t->to);
    int rc = uv_loop_close(&t->loop);
    store_file_free(t->old);
    store_file_free(t->new);
    free(t);
    return rc;
}

static void open_both(struct fixture *t)
{
    assert_int_equal(sync_open(&t->from, &t->loop, &t->old->options), ERR_OK);
    assert_int_equal(sync_open(&t->to, &t->loop, &t->new->options), ERR_OK);
}

static void fill(struct fixture *t)
{
    static struct store_user users[USERS];
    static char names[USERS][16];
    struct store_core core = {.id = "core-a", .ip = "192.0.2.1", .available = true};
    for (size_t i = 0; i < USERS; i++) {
        snprintf(names[i], sizeof names[i], "user%04zu", i);
        users[i] = (struct store_user){.name = names[i], .core = "core-a"};
    }
    assert_int_equal(sync_core_put(&t->from, &core, STORE_ONLY_NEW), ERR_OK);
    assert_int_equal(sync_load(&t->from, users, USERS), ERR_OK);
    assert_int_equal(sync_record(&t->from, "www", NULL, "{\"a\":[\"192.0.2.7\"]}"), ERR_OK);
    store_file_execute(
        t->old,
        "INSERT INTO keyValue VALUES('tls-cert/*.x.example', "
        "'{\"certPem\":\"c\",\"keyPem\":\"k\"}');"
        "INSERT INTO acme_account VALUES('https://ca', 'u', 'k', NULL, 't', 'mailto:a', 'ca', 7);"
        "INSERT INTO acme_attempt(id, hostname, directory, kind, outcome, problem, text, core, "
        "at_ms,"
        " retry_ms) VALUES('a1', 'h', 'd', 'order', 'ok', '', '', 'core-a', 5, 0);"
        "INSERT INTO acme_renewal VALUES('h', 's', 1, 2, 3, 4, 'e', 'r', 0);"
        "INSERT INTO lease VALUES('l', 'core-a', 3, 4)");
}

static void on_imported(void *ctx, enum err e, const struct err_info *info, uint64_t rows)
{
    struct fixture *t = ctx;
    (void)info;
    t->e = e;
    t->rows = rows;
    t->done = true;
}

static uint64_t import(struct fixture *t)
{
    t->done = false;
    store_import(t->to.store, t->from.store, on_imported, t);
    assert_false(t->done);
    sync_wait(&t->loop, &t->done);
    assert_int_equal(t->e, ERR_OK);
    return t->rows;
}

static int64_t number(struct fixture *t, const char *sql)
{
    sqlite3 *db = store_file_connect(t->new);
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void everything_once(void **state)
{
    struct fixture *t = *state;
    open_both(t);
    fill(t);
    assert_int_equal(import(t), USERS + 3 + 3);
    assert_int_equal(sync_user_get(&t->to, "user1202"), ERR_OK);
    assert_string_equal(t->to.out.text, "core-a");
    assert_int_equal(sync_record_get(&t->to, "www"), ERR_OK);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM keyValue"), USERS + 3);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM acme_account WHERE pending_key IS NULL AND"
                               " created_ms = 7"),
                     1);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM acme_attempt"), 1);
    assert_int_equal(number(t, "SELECT ari_end_ms FROM acme_renewal"), 3);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM lease"), 0);
    assert_int_equal(sync_state(&t->to), ERR_OK); /* the feed has seen them */
    assert_true(t->to.state.revision >= USERS);
    assert_int_equal(sync_user_delete(&t->to, "user0000"), ERR_OK);
    assert_int_equal(import(t), 0); /* what was deleted since stays so */
    assert_int_equal(sync_user_get(&t->to, "user0000"), ERR_NOTFOUND);
}

static void not_over_rows(void **state)
{
    struct fixture *t = *state;
    open_both(t);
    fill(t);
    assert_int_equal(sync_user_put(&t->to, "alice", "core-b", STORE_ONLY_NEW), ERR_OK);
    assert_int_equal(import(t), 0);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM keyValue"), 1);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM acme_account"), 0);
}

static void broken_off(void **state)
{
    struct fixture *t = *state;
    open_both(t);
    fill(t);
    assert_int_equal(import(t), USERS + 6);
    store_file_execute(
        t->new, "UPDATE dnsd_meta SET value = 'begun' || substr(value, 5) WHERE key = 'imported';"
                "DELETE FROM keyValue WHERE key > 'user-core/user0600';"
                "DELETE FROM acme_account");
    assert_int_equal(import(t), USERS + 6);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM keyValue"), USERS + 3);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM acme_account"), 1);
    /* Begun with another store: that one's to go on with. */
    store_file_execute(t->new,
                       "UPDATE dnsd_meta SET value = 'begun elsewhere' WHERE key = 'imported';"
                       "DELETE FROM keyValue");
    assert_int_equal(import(t), 0);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM keyValue"), 0);
}

static void nothing_to_bring(void **state)
{
    struct fixture *t = *state;
    open_both(t);
    assert_int_equal(import(t), 0);
    assert_int_equal(number(t, "SELECT COUNT(*) FROM dnsd_meta WHERE value LIKE 'done %'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_once, setup, teardown),
        cmocka_unit_test_setup_teardown(not_over_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_off, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_bring, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

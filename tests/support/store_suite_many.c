/* Several operations, several stores at a time. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- order and ends -------------------------------------------------------------------------- */

struct trace {
    struct store *store; /* borrowed */
    struct str text;     /* owned */
    unsigned ended;
    unsigned on_close; /* how many had ended when the store was closed */
    bool closed;
};

static void trace_done(void *ctx, enum err e, const struct err_info *info)
{
    struct trace *tr = ctx;
    (void)info;
    str_appendf(&tr->text, "%s ", err_text(e));
    tr->ended++;
}

static void trace_user(void *ctx, enum err e, const struct err_info *info,
                       const struct store_user *user)
{
    struct trace *tr = ctx;
    (void)info;
    str_appendf(&tr->text, "%s ", e == ERR_OK ? user->core : err_text(e));
    tr->ended++;
}

static bool trace_row(void *ctx, const struct store_row *row)
{
    (void)ctx;
    (void)row;
    return true;
}

static void trace_scan(void *ctx, enum err e, const struct err_info *info,
                       const struct store_state *state)
{
    struct trace *tr = ctx;
    (void)info;
    (void)state;
    assert_err(ERR_OK, e);
    tr->ended++;
}

static void trace_closed(void *ctx)
{
    struct trace *tr = ctx;
    tr->closed = true;
    tr->on_close = tr->ended;
}

/* Started in one go, arguments gone at once: carried out in order, each seeing the ones before. */
static void many_in_order(struct suite *t)
{
    struct trace tr = {.ended = 0};
    char name[8] = "ana";
    char core[8] = "a";
    struct store_user ana = {name, core};
    struct store *s = t->a.store;
    store_user_get(s, name, trace_user, &tr);
    store_user_put(s, &ana, STORE_ONLY_NEW, trace_done, &tr);
    store_user_get(s, name, trace_user, &tr);
    strcpy(core, "b");
    store_user_put(s, &ana, STORE_REPLACE, trace_done, &tr);
    store_user_get(s, name, trace_user, &tr);
    store_user_delete(s, name, trace_done, &tr);
    store_user_get(s, name, trace_user, &tr);
    memset(name, 'x', sizeof name - 1);
    memset(core, 'x', sizeof core - 1);
    assert_int_equal(0, tr.ended); /* never inside the call */
    sync_wait_count(&t->loop, &tr.ended, 7);
    assert_string_equal("not found ok a ok b ok not found ", tr.text.text);
    str_free(&tr.text);
}

/* Closing waits for what was started, two-step operations and scans too. */
static void many_then_close(struct suite *t)
{
    struct trace tr = {.ended = 0};
    struct store_user ana = {"ana", "a"};
    struct store *s = t->a.store;
    store_user_put(s, &ana, STORE_ONLY_NEW, trace_done, &tr);
    store_user_put(s, &ana, STORE_ONLY_NEW, trace_done, &tr);
    store_core_delete(s, "a", false, trace_done, &tr);
    store_scan(s, "", trace_row, trace_scan, &tr);
    store_user_get(s, "ana", trace_user, &tr);
    store_close(s, trace_closed, &tr);
    t->a.store = NULL;
    sync_wait(&t->loop, &tr.closed);
    assert_int_equal(5, tr.on_close);
    str_free(&tr.text);
}

static void close_inside(void *ctx, enum err e, const struct err_info *info)
{
    struct trace *tr = ctx;
    trace_done(ctx, e, info);
    store_close(tr->store, trace_closed, tr);
    store_user_delete(tr->store, "ana", trace_done, tr); /* too late, and told so */
}

static void close_in_callback(struct suite *t)
{
    struct trace tr = {.store = t->a.store};
    struct store_user ana = {"ana", "a"};
    store_user_put(tr.store, &ana, STORE_ONLY_NEW, close_inside, &tr);
    t->a.store = NULL;
    sync_wait(&t->loop, &tr.closed);
    assert_int_equal(2, tr.on_close);
    assert_string_equal("ok canceled ", tr.text.text);
    str_free(&tr.text);
    assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
    assert_err(ERR_OK, sync_user_get(&t->a, "ana"));
}

/* Whatever the watch is doing at that moment. */
static void close_while_watching(struct suite *t)
{
    for (unsigned round = 0; round < 20; round++) {
        char sql[80];
        snprintf(sql, sizeof sql, "INSERT INTO keyValue VALUES('user-core/%u', 'a')", round);
        sync_watch(&t->a);
        sync_wait_count(&t->loop, &t->a.changes, 1);
        suite_execute(t, sql);
        unsigned before = t->a.changes;
        sync_close(&t->a);
        assert_int_equal(before, t->a.changes);
        assert_err(ERR_OK, sync_open(&t->a, &t->loop, t->engine->options(t->place)));
    }
}

/* ---- two stores on one database -------------------------------------------------------------- */

struct counter {
    struct store *store; /* borrowed */
    unsigned left;       /* how often it still wants to add one */
    unsigned conflicts;
    unsigned *finished; /* shared with the other: how many are through */
    char seen[32];
};

static void count_up(struct counter *c);

static void on_counted(void *ctx, enum err e, const struct err_info *info)
{
    struct counter *c = ctx;
    (void)info;
    if (e == ERR_OK) {
        c->left--;
    } else {
        assert_true(e == ERR_CONFLICT || e == ERR_BUSY);
        c->conflicts++;
    }
    if (c->left > 0) {
        count_up(c);
    } else {
        ++*c->finished;
    }
}

static void on_count(void *ctx, enum err e, const struct err_info *info,
                     const struct store_record *record)
{
    struct counter *c = ctx;
    char next[32];
    unsigned n = 0;
    (void)info;
    if (e == ERR_OK) {
        snprintf(c->seen, sizeof c->seen, "%s", record->json);
        assert_int_equal(1, sscanf(c->seen, "{\"n\":%u}", &n));
    }
    snprintf(next, sizeof next, "{\"n\":%u}", n + 1);
    struct store_record_change change = {
        .name = "count", .expect = e == ERR_OK ? c->seen : NULL, .value = next};
    store_records_apply(c->store, &change, 1, on_counted, c);
}

static void count_up(struct counter *c)
{
    store_record_get(c->store, "count", on_count, c);
}

/* Read, decide, write if unchanged: of two that race one wins, and nothing is lost. */
static void two_count(struct suite *t)
{
    unsigned finished = 0;
    suite_open_b(t);
    struct counter a = {.store = t->a.store, .left = 50, .finished = &finished};
    struct counter b = {.store = t->b.store, .left = 50, .finished = &finished};
    count_up(&a);
    count_up(&b);
    sync_wait_count(&t->loop, &finished, 2);
    assert_err(ERR_OK, sync_record_get(&t->a, "count"));
    assert_string_equal("{\"n\":100}", t->a.out.text);
    assert_true(a.conflicts + b.conflicts > 0); /* they did race */
}

static void two_register(struct suite *t)
{
    suite_open_b(t);
    for (unsigned round = 0; round < 20; round++) {
        struct trace tr = {.ended = 0};
        char name[16];
        snprintf(name, sizeof name, "user%u", round);
        store_user_put(t->a.store, &(struct store_user){name, "a"}, STORE_ONLY_NEW, trace_done,
                       &tr);
        store_user_put(t->b.store, &(struct store_user){name, "b"}, STORE_ONLY_NEW, trace_done,
                       &tr);
        sync_wait_count(&t->loop, &tr.ended, 2);
        assert_non_null(strstr(tr.text.text, "ok"));
        assert_non_null(strstr(tr.text.text, err_text(ERR_CONFLICT)));
        str_free(&tr.text);
    }
}

/* The apex and the wildcard are validated at the same name, at the same time. */
static void two_challenges(struct suite *t)
{
    const struct store_challenge apex = {"_acme-challenge", "for-apex", "o", 1};
    const struct store_challenge wild = {"_acme-challenge", "for-wildcard", "o", 2};
    suite_open_b(t);
    for (unsigned round = 0; round < 20; round++) {
        struct trace tr = {.ended = 0};
        store_challenge_put(t->a.store, &apex, trace_done, &tr);
        store_challenge_put(t->b.store, &wild, trace_done, &tr);
        sync_wait_count(&t->loop, &tr.ended, 2);
        assert_err(ERR_OK, sync_challenges(&t->b, "_acme-challenge"));
        assert_string_equal("_acme-challenge=for-apex(o,1) _acme-challenge=for-wildcard(o,2)",
                            t->b.out.text);
        store_challenge_delete(t->a.store, "_acme-challenge", "for-apex", trace_done, &tr);
        store_challenge_delete(t->b.store, "_acme-challenge", "for-wildcard", trace_done, &tr);
        sync_wait_count(&t->loop, &tr.ended, 4);
        assert_string_equal("ok ok ok ok ", tr.text.text);
        str_free(&tr.text);
    }
}

/* Two cores patch one row: members of both stay. */
static void two_patch(struct suite *t)
{
    const struct store_core core = {.id = "a", .ip = "192.0.2.1", .available = true};
    suite_open_b(t);
    for (unsigned round = 0; round < 20; round++) {
        struct trace tr = {.ended = 0};
        store_core_put(t->a.store, &core, STORE_REPLACE, trace_done, &tr);
        suite_execute(t, "INSERT INTO keyValue VALUES('core-info/a', '{\"rank\":7}') ON CONFLICT"
                         "(key) DO UPDATE SET value = json_set(value, '$.rank', 7)");
        sync_wait_count(&t->loop, &tr.ended, 1);
        assert_string_equal("ok ", tr.text.text);
        str_free(&tr.text);
        assert_err(ERR_OK, sync_scan(&t->b, "core-info/", 1));
        assert_non_null(strstr(t->b.out.text, "\"rank\":7"));
        assert_non_null(strstr(t->b.out.text, "\"ip\":\"192.0.2.1\""));
        suite_execute(t, "DELETE FROM keyValue");
    }
}

const struct suite_test suite_many[] = {
    {"many_in_order", many_in_order},
    {"many_then_close", many_then_close},
    {"close_in_callback", close_in_callback},
    {"close_while_watching", close_while_watching},
    {"two_count", two_count},
    {"two_register", two_register},
    {"two_challenges", two_challenges},
    {"two_patch", two_patch},
    {NULL, NULL},
};

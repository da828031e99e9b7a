/* Opening, closing and watching on a driver of the test's own: one that cannot watch, that fails
 * when told to, and whose database is a handful of numbers. */
#include "store/store_priv.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct fake {
    struct backend base;
    struct loop_box *box; /* borrowed */
    /* What its database is like. */
    bool has_table;
    int64_t version;
    int64_t revision;
    bool rival; /* another program migrates just before us */
    /* The request that fails, counted from 1, opening being the first; 0: none. */
    unsigned fail_at;
    unsigned requests;
    unsigned closed;
};

struct request {
    struct loop_msg msg;
    struct fake *fake; /* borrowed */
    backend_done_cb *done;
    backend_open_cb *open;
    void (*closed)(void *ctx);
    void *ctx;
    enum err e;
    struct backend_value cells[3];
    struct backend_reply reply;
};

static void answer(struct loop_msg *msg)
{
    struct request *r = (struct request *)msg;
    struct err_info info = {.text = "the fake was told to fail"};
    if (r->open != NULL) {
        r->open(r->ctx, r->e, &info, r->e == ERR_OK ? &r->fake->base : NULL);
    } else if (r->closed != NULL) {
        r->fake->closed++;
        r->closed(r->ctx);
    } else {
        r->reply.cells = r->cells;
        r->done(r->ctx, r->e, &info, &r->reply);
    }
    free(r);
}

static struct request *ask(struct fake *f, backend_done_cb *done, void *ctx)
{
    struct request *r = mem_xalloc(sizeof *r);
    r->msg.run = answer;
    r->fake = f;
    r->done = done;
    r->ctx = ctx;
    r->e = ++f->requests == f->fail_at ? ERR_UNAVAIL : ERR_OK;
    loop_box_send(f->box, &r->msg);
    return r;
}

static struct backend_value number(int64_t n)
{
    return (struct backend_value){.kind = BACKEND_NUMBER, .number = n};
}

static void fake_query(struct backend *b, const struct backend_query *q, backend_done_cb *done,
                       void *ctx)
{
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    r->reply.rows = 1;
    if (strstr(q->sql, "sqlite_master") != NULL) {
        r->cells[0] = number(f->has_table);
    } else if (strstr(q->sql, "max(version)") != NULL) {
        r->cells[0] =
            f->version != 0 ? number(f->version) : (struct backend_value){.kind = BACKEND_NULL};
    } else { /* the state */
        r->cells[0] = (struct backend_value){.kind = BACKEND_TEXT, .text = "the id"};
        r->cells[1] = number(f->revision);
    }
}

static void fake_batch(struct backend *b, const struct backend_batch *batch, backend_done_cb *done,
                       void *ctx)
{
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    if (r->e != ERR_OK) {
        return;
    }
    if (strstr(batch->statements[0].sql, "CREATE TABLE IF NOT EXISTS dnsd_migration") != NULL) {
        f->has_table = true;
    } else if (strstr(batch->statements[0].sql, "INTO dnsd_migration") != NULL) {
        r->e = f->rival ? ERR_CONFLICT : ERR_OK;
        f->version = batch->statements[0].values[0].number;
    } else {
        f->revision++;
    }
}

static void fake_close(struct backend *b, void (*done)(void *ctx), void *ctx)
{
    struct request *r = ask((struct fake *)b, NULL, ctx);
    r->closed = done;
}

static const struct backend_ops fake_ops = {
    .name = "fake", .batch = fake_batch, .query = fake_query, .close = fake_close};

static struct fake *the_fake; /* the one that fake_open() opens */

static void fake_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                      backend_open_cb *cb, void *ctx)
{
    (void)loop;
    (void)options;
    the_fake->base.ops = &fake_ops;
    the_fake->box = box;
    struct request *r = ask(the_fake, NULL, ctx);
    r->open = cb;
}

/* ---- the tests --------------------------------------------------------------------------------
 */

struct opened {
    struct store *store;
    enum err e;
    bool called;
    struct err_info info;
};

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct opened *o = ctx;
    assert_false(o->called);
    o->called = true;
    o->e = e;
    o->store = s;
    if (info != NULL) {
        o->info = *info;
    }
}

static struct opened open_fake(uv_loop_t *loop, struct fake *f)
{
    struct opened o = {.store = NULL};
    struct store_options options = {.engine = STORE_SQLITE};
    the_fake = f;
    store_open_on(loop, fake_open, &options, on_open, &o);
    assert_false(o.called);
    while (!o.called) {
        uv_run(loop, UV_RUN_ONCE);
    }
    return o;
}

static void close_fake(uv_loop_t *loop, struct opened *o)
{
    store_close(o->store, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(loop));
}

static void migrates(void **state)
{
    const struct {
        struct fake before;
        unsigned requests; /* how many it takes to open */
    } cases[] = {
        /* open, look here, look at the others; then make or migrate and look, each time */
        {{.has_table = false}, 1 + 1 + 1 + 6 * (1 + 2)},
        {{.has_table = true}, 1 + 2 + 2 + 5 * (1 + 2)},
        {{.has_table = true, .version = 1}, 1 + 2 + 2 + 4 * (1 + 2)},
        {{.has_table = true, .version = 2}, 1 + 2 + 2 + 3 * (1 + 2)},
        {{.has_table = true, .version = 3}, 1 + 2 + 2 + 2 * (1 + 2)},
        {{.has_table = true, .version = 4}, 1 + 2 + 2 + (1 + 2)},
        {{.has_table = true, .version = 5}, 1 + 2},
        {{.has_table = false, .rival = true}, 1 + 1 + 1 + 6 * (1 + 2)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uv_loop_t loop;
        struct fake f = cases[i].before;
        uv_loop_init(&loop);
        struct opened o = open_fake(&loop, &f);
        assert_int_equal(ERR_OK, o.e);
        assert_int_equal(5, f.version);
        assert_int_equal(cases[i].requests, f.requests);
        close_fake(&loop, &o);
        assert_int_equal(1, f.closed);
    }
}

/* Whatever step fails: the error is told, and nothing stays behind. */
static void opening_fails(void **state)
{
    (void)state;
    for (unsigned fail_at = 1;; fail_at++) {
        uv_loop_t loop;
        struct fake f = {.fail_at = fail_at};
        uv_loop_init(&loop);
        struct opened o = open_fake(&loop, &f);
        if (o.e == ERR_OK) {
            assert_int_equal(22, fail_at); /* one more than opening takes */
            close_fake(&loop, &o);
            return;
        }
        assert_int_equal(ERR_UNAVAIL, o.e);
        assert_null(o.store);
        assert_string_equal("the fake was told to fail", o.info.text);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(0, uv_loop_close(&loop));
        assert_int_equal(fail_at > 1, f.closed);
    }
}

static void later_version(void **state)
{
    uv_loop_t loop;
    struct fake f = {.has_table = true, .version = 6};
    (void)state;
    uv_loop_init(&loop);
    struct opened o = open_fake(&loop, &f);
    assert_int_equal(ERR_MALFORMED, o.e);
    assert_non_null(strstr(o.info.text, "update this program"));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
    assert_int_equal(1, f.closed);
}

static void count(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void ignore(void *ctx, enum err e, const struct err_info *info)
{
    (void)ctx;
    (void)e;
    (void)info;
}

/* A driver that cannot watch is asked, and each new revision is told once. */
static void polls(void **state)
{
    uv_loop_t loop;
    struct fake f = {.version = 1, .has_table = true};
    unsigned told = 0;
    (void)state;
    uv_loop_init(&loop);
    struct opened o = open_fake(&loop, &f);
    store_watch(o.store, count, &told);
    assert_int_equal(0, told);
    while (told < 1) { /* once at the start */
        uv_run(&loop, UV_RUN_ONCE);
    }
    for (unsigned round = 2; round < 5; round++) {
        unsigned asked = f.requests;
        while (f.requests < asked + 2) { /* asked again and again, but nothing is new */
            uv_run(&loop, UV_RUN_ONCE);
        }
        assert_int_equal(round - 1, told);
        f.revision += 10;
        while (told < round) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        assert_int_equal(round, told);
    }
    f.fail_at = f.requests + 1; /* an answer that does not come does not end it */
    f.revision++;
    while (told < 5) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    /* Our own writes are told without asking. */
    unsigned asked = f.requests;
    store_user_delete(o.store, "ana", ignore, NULL);
    while (told < 6) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_true(f.requests <= asked + 2);
    store_watch(o.store, NULL, NULL);
    f.revision++;
    store_user_delete(o.store, "ana", ignore, NULL);
    close_fake(&loop, &o); /* and nothing keeps asking: the loop ends */
    assert_int_equal(6, told);
}

static void closes_while_asking(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 6; turns++) {
        uv_loop_t loop;
        struct fake f = {.version = 1, .has_table = true};
        unsigned told = 0;
        uv_loop_init(&loop);
        struct opened o = open_fake(&loop, &f);
        store_watch(o.store, count, &told);
        for (unsigned i = 0; i < turns; i++) {
            f.revision++;
            uv_run(&loop, UV_RUN_ONCE);
        }
        unsigned before = told;
        close_fake(&loop, &o);
        assert_int_equal(before, told);
        assert_int_equal(1, f.closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(migrates),
        cmocka_unit_test(opening_fails),
        cmocka_unit_test(later_version),
        cmocka_unit_test(polls),
        cmocka_unit_test(closes_while_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

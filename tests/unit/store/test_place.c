/* What a placement makes of what it finds afterwards, when others have been there in between: on a
 * driver that answers as it is told. */
#include "store/store_priv.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum step_kind { STEP_END, STEP_WRITE, STEP_LOCAL, STEP_LATEST };

/* What must be asked, and the answer. */
struct step {
    enum step_kind kind;
    enum err e;
    const char *core;   /* a read's first cell; NULL: no such user */
    int64_t name, room; /* of a read why: its other cells */
    bool stale;
};

struct fake {
    struct backend base;
    struct loop_box *box; /* borrowed */
    const struct step *steps;
    size_t at;
    const char *write_sql; /* of the last write */
    size_t write_params;
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
    struct request *r = (struct request *)msg; /* the first member */
    struct err_info info = {.text = "the fake was told to fail"};
    if (r->open != NULL) {
        r->open(r->ctx, ERR_OK, NULL, &r->fake->base);
    } else if (r->closed != NULL) {
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
    loop_box_send(f->box, &r->msg);
    return r;
}

static struct backend_value number(int64_t n)
{
    return (struct backend_value){.kind = BACKEND_NUMBER, .number = n};
}

static const struct step *next(struct fake *f, enum step_kind kind)
{
    const struct step *step = &f->steps[f->at++];
    assert_int_equal(step->kind, kind);
    return step;
}

static void fake_query(struct backend *b, const struct backend_query *q, backend_done_cb *done,
                       void *ctx)
{
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    r->reply.rows = 1;
    if (strstr(q->sql, "dnsd_migration") != NULL) { /* there, and of version 5 */
        r->cells[0] = number(strstr(q->sql, "max(version)") != NULL ? 5 : 1);
        return;
    }
    const struct step *step = next(f, q->level == BACKEND_LATEST ? STEP_LATEST : STEP_LOCAL);
    r->e = step->e;
    r->reply.stale = step->stale;
    r->reply.rows = step->core != NULL || strncmp(q->sql, "SELECT (", 8) == 0;
    if (step->core != NULL) {
        r->cells[0] = (struct backend_value){.kind = BACKEND_TEXT, .text = step->core};
    }
    r->cells[1] = number(step->name);
    r->cells[2] = number(step->room);
}

static void fake_batch(struct backend *b, const struct backend_batch *batch, backend_done_cb *done,
                       void *ctx)
{
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    r->e = next(f, STEP_WRITE)->e;
    assert_int_equal(1, batch->count);
    assert_true(batch->statements[0].must_change);
    assert_true(f->write_sql == NULL || f->write_sql == batch->statements[0].sql);
    f->write_sql = batch->statements[0].sql;
    f->write_params = batch->statements[0].params;
}

static void fake_close(struct backend *b, void (*done)(void *ctx), void *ctx)
{
    ask((struct fake *)b, NULL, ctx)->closed = done;
}

static const struct backend_ops fake_ops = {.name = "fake",
                                            .features = BACKEND_WATCH,
                                            .batch = fake_batch,
                                            .query = fake_query,
                                            .close = fake_close};

static struct fake *the_fake; /* the one that fake_open() opens */

static void fake_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                      backend_open_cb *cb, void *ctx)
{
    (void)loop;
    (void)options;
    the_fake->base.ops = &fake_ops;
    the_fake->box = box;
    ask(the_fake, NULL, ctx)->open = cb;
}

/* ---- one placement --------------------------------------------------------------------------- */

struct outcome {
    struct store *store;
    unsigned called;
    enum err e;
    struct err_info info;
    enum store_placed how;
    char core[16]; /* "": none */
};

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct outcome *o = ctx;
    (void)info;
    assert_int_equal(ERR_OK, e);
    o->store = s;
}

static void on_place(void *ctx, enum err e, const struct err_info *info, enum store_placed how,
                     const struct store_user *user)
{
    struct outcome *o = ctx;
    o->called++;
    o->e = e;
    o->how = how;
    assert_true((e == ERR_OK) == (user != NULL));
    if (e != ERR_OK) {
        o->info = *info;
        assert_true(info->text[0] != '\0');
        return;
    }
    assert_string_equal("ana", user->name);
    if (user->core != NULL) {
        snprintf(o->core, sizeof o->core, "%s", user->core);
    }
}

static struct outcome place(const struct step *steps, const char *core)
{
    uv_loop_t loop;
    struct outcome o = {.called = 0};
    struct fake f = {.steps = steps};
    struct store_options options = {.engine = STORE_SQLITE};
    struct store_place p = {.name = "ana", .label = "ana", .core = core};
    uv_loop_init(&loop);
    the_fake = &f;
    store_open_on(&loop, fake_open, &options, on_open, &o);
    while (o.store == NULL) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    store_user_place(o.store, &p, on_place, &o);
    assert_int_equal(0, o.called);
    store_close(o.store, NULL, NULL); /* which waits for all the steps */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
    assert_int_equal(1, o.called);
    assert_int_equal(STEP_END, steps[f.at].kind); /* all was asked */
    assert_int_equal(core != NULL ? 3 : 2, f.write_params);
    return o;
}

#define STEPS(...) ((const struct step[]){__VA_ARGS__, {.kind = STEP_END}})
#define WRITE(...)                                                                                 \
    {                                                                                              \
        .kind = STEP_WRITE, __VA_ARGS__                                                            \
    }
#define LOCAL(...)                                                                                 \
    {                                                                                              \
        .kind = STEP_LOCAL, __VA_ARGS__                                                            \
    }
#define LATEST(...)                                                                                \
    {                                                                                              \
        .kind = STEP_LATEST, __VA_ARGS__                                                           \
    }

static void assert_placed(enum store_placed how, const char *core, struct outcome o)
{
    assert_int_equal(ERR_OK, o.e);
    assert_int_equal(how, o.how);
    assert_string_equal(core, o.core);
}

static void assert_failed(enum err e, const char *words, struct outcome o)
{
    assert_int_equal(e, o.e);
    assert_non_null(strstr(o.info.text, words));
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void read_back(void **state)
{
    (void)state;
    assert_placed(STORE_PLACED, "b", place(STEPS(WRITE(), LOCAL(.core = "b")), NULL));
    /* A core that was named is where the user is; there is nothing to ask. */
    assert_placed(STORE_PLACED, "x", place(STEPS(WRITE()), "x"));
    /* This node may be without the row, or with one from before. */
    assert_placed(STORE_PLACED, "b",
                  place(STEPS(WRITE(), LOCAL(.stale = true), LATEST(.core = "b")), NULL));
    assert_placed(
        STORE_PLACED, "b",
        place(STEPS(WRITE(), LOCAL(.core = "old", .stale = true), LATEST(.core = "b")), NULL));
}

/* It was written, so no error may say that nothing was. */
static void not_read_back(void **state)
{
    static const enum err errors[] = {ERR_UNAVAIL, ERR_BUSY, ERR_IO, ERR_NOMEM, ERR_TIMEOUT};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_failed(ERR_TIMEOUT, "which cannot be read: the fake was told to fail",
                      place(STEPS(WRITE(), LOCAL(.e = errors[i])), NULL));
        assert_failed(ERR_TIMEOUT, "the fake was told to fail",
                      place(STEPS(WRITE(), LOCAL(.stale = true), LATEST(.e = errors[i])), NULL));
    }
    assert_failed(ERR_CONFLICT, "removed by somebody else", place(STEPS(WRITE(), LOCAL()), NULL));
    assert_failed(ERR_CONFLICT, "removed by somebody else",
                  place(STEPS(WRITE(), LOCAL(.stale = true), LATEST()), NULL));
}

static void not_written(void **state)
{
    static const enum err errors[] = {ERR_TIMEOUT, ERR_UNAVAIL, ERR_BUSY, ERR_IO, ERR_MALFORMED};
    static const char *const cores[] = {NULL, "x"};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        for (size_t k = 0; k < 2; k++) {
            assert_failed(errors[i], "the fake was told to fail",
                          place(STEPS(WRITE(.e = errors[i])), cores[k]));
            assert_failed(errors[i], "the fake was told to fail",
                          place(STEPS(WRITE(.e = ERR_CONFLICT), LATEST(.e = errors[i])), cores[k]));
        }
    }
}

/* The first reason there is. */
static void reasons(void **state)
{
    static const struct {
        struct step why;
        enum store_placed how;
        const char *core;
    } cases[] = {
        {LATEST(.core = "b", .name = 1, .room = 0), STORE_PLACE_TAKEN, "b"},
        {LATEST(.core = "b", .name = 0, .room = 1), STORE_PLACE_TAKEN, "b"},
        {LATEST(.name = 1, .room = 0), STORE_PLACE_NAME, ""},
        {LATEST(.name = 1, .room = 1), STORE_PLACE_NAME, ""},
        {LATEST(.name = 0, .room = 0), STORE_PLACE_NONE, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct step *steps = STEPS(WRITE(.e = ERR_CONFLICT), cases[i].why);
        assert_placed(cases[i].how, cases[i].core, place(steps, NULL));
        assert_placed(cases[i].how, cases[i].core, place(steps, "x"));
    }
}

/* What was in its way is gone again: it is tried anew, and not for ever. */
static void reason_gone(void **state)
{
#define AGAIN WRITE(.e = ERR_CONFLICT), LATEST(.room = 1)
    (void)state;
    assert_placed(STORE_PLACED, "b", place(STEPS(AGAIN, WRITE(), LOCAL(.core = "b")), NULL));
    assert_placed(STORE_PLACED, "x", place(STEPS(AGAIN, AGAIN, WRITE()), "x"));
    assert_placed(STORE_PLACE_TAKEN, "c",
                  place(STEPS(AGAIN, WRITE(.e = ERR_CONFLICT), LATEST(.core = "c")), NULL));
    assert_failed(ERR_TIMEOUT, "the fake", place(STEPS(AGAIN, WRITE(.e = ERR_TIMEOUT)), "x"));
    assert_failed(ERR_CONFLICT, "in its way", place(STEPS(AGAIN, AGAIN, AGAIN), NULL));
#undef AGAIN
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_back), cmocka_unit_test(not_read_back), cmocka_unit_test(not_written),
        cmocka_unit_test(reasons),   cmocka_unit_test(reason_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

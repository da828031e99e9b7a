/* What the steps of joining make of what they find when others have been there in between: on a driver
 * that answers as it is told. */
#include "store/store_priv.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

#define CELLS 9

enum step_kind { STEP_END, STEP_WRITE, STEP_READ };

/* What must be asked, and the answer. */
struct step {
    enum step_kind kind;
    enum err e;
    size_t failed; /* of a write: which statement has changed nothing */
    size_t count;  /* of a write: so many statements; 0: any number */
    bool none;     /* a read brings no row */
    struct backend_value cells[CELLS];
};

struct fake {
    struct backend base;
    struct loop_box *box; /* borrowed */
    const struct step *steps;
    size_t at;
};

struct request {
    struct loop_msg msg;
    backend_done_cb *done;
    backend_open_cb *open;
    struct backend *b; /* borrowed */
    void (*closed)(void *ctx);
    void *ctx;
    enum err e;
    struct backend_value cells[CELLS];
    struct backend_reply reply;
};

static void answer(struct loop_msg *msg)
{
    struct request *r = (struct request *)msg; /* the first member */
    struct err_info info = {.text = "the fake was told to fail"};
    if (r->open != NULL) {
        r->open(r->ctx, ERR_OK, NULL, r->b);
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
    r->b = &f->base;
    r->done = done;
    r->ctx = ctx;
    loop_box_send(f->box, &r->msg);
    return r;
}

#define N(n)                                                                                       \
    {                                                                                              \
        .kind = BACKEND_NUMBER, .number = (n)                                                      \
    }
#define T(s)                                                                                       \
    {                                                                                              \
        .kind = BACKEND_TEXT, .text = (s)                                                          \
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
    static const struct backend_value one = N(1), version = N(5);
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    r->reply.rows = 1;
    if (strstr(q->sql, "dnsd_migration") != NULL) { /* there, and of version 5 */
        r->cells[0] = strstr(q->sql, "max(version)") != NULL ? version : one;
        return;
    }
    const struct step *step = next(f, STEP_READ);
    assert_int_equal(BACKEND_LATEST, q->level);
    r->e = step->e;
    r->reply.rows = !step->none;
    memcpy(r->cells, step->cells, sizeof r->cells);
}

static void fake_batch(struct backend *b, const struct backend_batch *batch, backend_done_cb *done,
                       void *ctx)
{
    struct fake *f = (struct fake *)b;
    struct request *r = ask(f, done, ctx);
    const struct step *step = next(f, STEP_WRITE);
    assert_true(step->count == 0 || step->count == batch->count);
    assert_true(step->e != ERR_CONFLICT || batch->statements[step->failed].must_change);
    r->e = step->e;
    r->reply.failed = step->failed;
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

/* ---- one operation --------------------------------------------------------------------------- */

struct outcome {
    struct store *store;
    unsigned called;
    enum err e;
    struct err_info info;
    enum store_acked how;
    struct store_withdrawn w;
};

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    (void)info;
    assert_int_equal(ERR_OK, e);
    ((struct outcome *)ctx)->store = s;
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    struct outcome *o = ctx;
    o->called++;
    o->e = e;
    if (e != ERR_OK) {
        o->info = *info;
        assert_true(info->text[0] != '\0');
    }
}

static void on_ack(void *ctx, enum err e, const struct err_info *info, enum store_acked how)
{
    ((struct outcome *)ctx)->how = how;
    on_done(ctx, e, info);
}

static void on_withdrawn(void *ctx, enum err e, const struct err_info *info,
                         const struct store_withdrawn *w)
{
    assert_true((e == ERR_OK) == (w != NULL));
    if (w != NULL) {
        ((struct outcome *)ctx)->w = *w;
    }
    on_done(ctx, e, info);
}

typedef void start_fn(struct store *s, struct outcome *o);

static struct outcome run(const struct step *steps, start_fn *start)
{
    uv_loop_t loop;
    struct outcome o = {.called = 0};
    struct fake f = {.steps = steps};
    struct store_options options = {.engine = STORE_SQLITE};
    uv_loop_init(&loop);
    the_fake = &f;
    store_open_on(&loop, fake_open, &options, on_open, &o);
    while (o.store == NULL) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    start(o.store, &o);
    assert_int_equal(0, o.called);
    store_close(o.store, NULL, NULL); /* which waits for all the steps */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&loop));
    assert_int_equal(1, o.called);
    assert_int_equal(STEP_END, steps[f.at].kind); /* all was asked */
    return o;
}

#define STEPS(...) ((const struct step[]){__VA_ARGS__, {.kind = STEP_END}})
#define WRITE(...)                                                                                 \
    {                                                                                              \
        .kind = STEP_WRITE, __VA_ARGS__                                                            \
    }
#define READ(...)                                                                                  \
    {                                                                                              \
        .kind = STEP_READ, .cells = { __VA_ARGS__ }                                                \
    }
#define MISSED(n) WRITE(.e = ERR_CONFLICT, .failed = (n))
#define READ_FAILS(x)                                                                              \
    {                                                                                              \
        .kind = STEP_READ, .e = (x)                                                                \
    }

static const enum err errors[] = {ERR_TIMEOUT, ERR_UNAVAIL, ERR_BUSY, ERR_IO, ERR_MALFORMED};
#define ERRORS (sizeof errors / sizeof errors[0])

static void assert_failed(enum err e, const char *words, struct outcome o)
{
    assert_int_equal(e, o.e);
    assert_non_null(strstr(o.info.text, words));
}

/* ---- a token is shown ------------------------------------------------------------------------ */

static void ack(struct store *s, struct outcome *o)
{
    const struct store_ack a = {"t", "b", "aa", "192.0.2.2", 200};
    store_admission_ack(s, &a, on_ack, o);
}

/* Core, consumed, revoked, expires, by the same, from the same, admitted, its certificate, row. */
#define GOOD READ(T("b"), N(0), N(0), N(201), N(0), N(0), N(1), N(1), N(1))

static void ack_reasons(void **state)
{
    const struct {
        struct step why;
        enum store_acked how;
    } cases[] = {
        {{.kind = STEP_READ, .none = true}, STORE_ACK_UNKNOWN},
        {READ(T("c"), N(1), N(1), N(0), N(1), N(1), N(1), N(1), N(1)), STORE_ACK_OTHER_CORE},
        {READ(T("b"), N(1), N(1), N(0), N(1), N(1), N(1), N(1), N(1)), STORE_ACK_REVOKED},
        {READ(T("b"), N(1), N(0), N(0), N(1), N(1), N(1), N(1), N(1)), STORE_ACK_AGAIN},
        {READ(T("b"), N(1), N(0), N(0), N(1), N(1), N(0), {0}, N(1)), STORE_ACK_AGAIN},
        {READ(T("b"), N(1), N(0), N(0), N(1), N(1), N(1), N(0), N(1)), STORE_ACK_OTHER_CERT},
        {READ(T("b"), N(1), N(0), N(0), N(1), N(1), N(0), {0}, N(0)), STORE_ACK_NO_CORE},
        {READ(T("b"), N(1), N(0), N(0), N(0), N(1), N(1), N(1), N(1)), STORE_ACK_CONSUMED},
        {READ(T("b"), N(1), N(0), N(0), N(1), N(0), N(1), N(1), N(1)), STORE_ACK_CONSUMED},
        {READ(T("b"), N(0), N(0), N(200), N(0), N(0), N(1), N(1), N(1)), STORE_ACK_EXPIRED},
        {READ(T(""), N(0), N(0), N(201), N(0), N(0), N(0), {0}, N(1)), STORE_ACK_NO_CORE},
        {READ(T(""), N(0), N(0), N(201), N(0), N(0), N(1), N(1), N(0)), STORE_ACK_NO_CORE},
        {READ(T(""), N(0), N(0), N(201), N(0), N(0), N(1), N(0), N(1)), STORE_ACK_OTHER_CERT},
        {READ({0}, N(0), N(0), N(201), N(0), N(0), N(1), N(1), N(1)), STORE_ACK_OTHER_CORE},
    };
    (void)state;
    assert_int_equal(STORE_ACKED, run(STEPS(WRITE(.count = 2)), ack).how);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = run(STEPS(MISSED(i % 2), cases[i].why), ack);
        assert_int_equal(ERR_OK, o.e);
        assert_int_equal(cases[i].how, o.how);
    }
}

/* What was in its way is gone again: it is tried anew, and not for ever. */
static void ack_reason_gone(void **state)
{
    struct outcome o = run(STEPS(MISSED(0), GOOD, WRITE(.count = 2)), ack);
    (void)state;
    assert_int_equal(ERR_OK, o.e);
    assert_int_equal(STORE_ACKED, o.how);
    assert_failed(ERR_CONFLICT, "in its way",
                  run(STEPS(MISSED(0), GOOD, MISSED(0), GOOD, MISSED(0), GOOD), ack));
    for (size_t i = 0; i < ERRORS; i++) {
        assert_failed(errors[i], "the fake", run(STEPS(WRITE(.e = errors[i])), ack));
        assert_failed(errors[i], "the fake", run(STEPS(MISSED(0), READ_FAILS(errors[i])), ack));
        assert_failed(errors[i], "the fake",
                      run(STEPS(MISSED(0), GOOD, WRITE(.e = errors[i])), ack));
    }
}

/* ---- a core is let in ------------------------------------------------------------------------ */

static void issue(struct store *s, struct outcome *o)
{
    const struct store_letting l = {
        .core = {.id = "b", .ip = "192.0.2.2", .ipv6 = "2001:db8::2"},
        .token = {.hash = "t", .core = "b", .issued_ms = 100, .expires_ms = 1000},
        .cert = {.serial = "01", .core = "b", .fingerprint = "aa", .issued_ms = 100},
        .now_ms = 100};
    store_admission_issue(s, &l, on_done, o);
}

#define ADMIT 2 /* which statement has the conditions */
/* Row, state, who has the addresses, tokens. */
#define FREE READ(N(0), {0}, {0}, {0}, N(999))

static void issue_reasons(void **state)
{
    static const struct {
        struct step why;
        enum err e;
        const char *words;
    } cases[] = {
        {READ(N(1), {0}, {0}, {0}, N(0)), ERR_CONFLICT, "b: there is already a core of this id"},
        {READ(N(1), T("acked"), {0}, {0}, N(0)), ERR_CONFLICT, "on its way in"},
        {READ(N(0), {0}, T("a"), T("x"), N(0)), ERR_CONFLICT, "core a has the address 192.0.2.2"},
        {READ(N(1), T("issued"), {0}, T("a"), N(0)), ERR_CONFLICT, "core a has the address 2001:"},
        {READ(N(0), {0}, {0}, {0}, N(1000)), ERR_LIMIT, "already 1000 tokens"},
    };
    (void)state;
    assert_int_equal(ERR_OK, run(STEPS(WRITE(.count = 8)), issue).e);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_failed(cases[i].e, cases[i].words, run(STEPS(MISSED(ADMIT), cases[i].why), issue));
    }
    assert_failed(ERR_CONFLICT, "a token like this", run(STEPS(MISSED(4)), issue));
    assert_failed(ERR_CONFLICT, "a certificate like this", run(STEPS(MISSED(6)), issue));
}

static void issue_reason_gone(void **state)
{
    (void)state;
    assert_int_equal(ERR_OK, run(STEPS(MISSED(ADMIT), FREE, WRITE(.count = 8)), issue).e);
    assert_failed(ERR_CONFLICT, "in its way",
                  run(STEPS(MISSED(ADMIT), FREE, MISSED(ADMIT), FREE, MISSED(ADMIT), FREE), issue));
    for (size_t i = 0; i < ERRORS; i++) {
        assert_failed(errors[i], "the fake", run(STEPS(WRITE(.e = errors[i])), issue));
        assert_failed(errors[i], "the fake",
                      run(STEPS(MISSED(ADMIT), READ_FAILS(errors[i])), issue));
    }
}

/* ---- the way back ---------------------------------------------------------------------------- */

static void withdraw(struct store *s, struct outcome *o)
{
    store_admission_withdraw(s, "b", "192.0.2.2", 300, on_withdrawn, o);
}

static void retire(struct store *s, struct outcome *o)
{
    store_core_retire(s, "b", false, 300, on_withdrawn, o);
}

/* Tokens, certificates, admitted, created, row, users, record. */
#define CAME   READ(N(1), N(2), N(1), N(1), N(1), N(0), N(1))
#define WAS    READ(N(0), N(1), N(1), N(0), N(1), N(0), N(0))
#define NO_ONE READ(N(0), N(2), N(0), N(0), N(1), N(0), N(1))

static void assert_withdrawn(struct outcome o, size_t tokens, size_t certs, const char *what)
{
    char text[80];
    snprintf(text, sizeof text, "%s%s%s", o.w.core_deleted ? "deleted " : "",
             o.w.core_restored ? "restored " : "", o.w.record_deleted ? "record " : "");
    assert_int_equal(ERR_OK, o.e);
    assert_int_equal(tokens, o.w.tokens);
    assert_int_equal(certs, o.w.certs);
    assert_string_equal(what, text);
}

/* What is told is what was seen when it was still so. */
static void withdrawn(void **state)
{
    (void)state;
    assert_withdrawn(run(STEPS(CAME, WRITE(.count = 8)), withdraw), 1, 2, "deleted record ");
    assert_withdrawn(run(STEPS(WAS, WRITE(.count = 5)), withdraw), 0, 1, "restored ");
    assert_withdrawn(run(STEPS(NO_ONE), withdraw), 0, 0, ""); /* nothing to be written */
    assert_withdrawn(run(STEPS(CAME, MISSED(0), WAS, WRITE(.count = 5)), withdraw), 0, 1,
                     "restored ");
    assert_withdrawn(run(STEPS(CAME, MISSED(0), NO_ONE), withdraw), 0, 0, "");
    assert_failed(ERR_CONFLICT, "b: others keep changing it",
                  run(STEPS(CAME, MISSED(0), CAME, MISSED(0), CAME, MISSED(0), CAME, MISSED(0),
                            CAME, MISSED(0)),
                      withdraw));
    for (size_t i = 0; i < ERRORS; i++) {
        assert_failed(errors[i], "the fake", run(STEPS(READ_FAILS(errors[i])), withdraw));
        assert_failed(errors[i], "the fake", run(STEPS(CAME, WRITE(.e = errors[i])), withdraw));
        assert_failed(errors[i], "the fake",
                      run(STEPS(CAME, MISSED(0), READ_FAILS(errors[i])), withdraw));
    }
}

/* Tokens, certificates, row, users, record. */
static void retired(void **state)
{
    (void)state;
#define THERE READ(N(0), N(1), N(1), N(0), N(1))
#define USERS READ(N(0), N(1), N(1), N(2), N(1))
#define GONE  READ(N(0), N(1), N(0), N(0), N(1))
    assert_withdrawn(run(STEPS(THERE, WRITE(.count = 8)), retire), 0, 1, "deleted record ");
    assert_failed(ERR_CONFLICT, "b: 2 users are on it", run(STEPS(USERS), retire));
    assert_failed(ERR_NOTFOUND, "b: no such core", run(STEPS(GONE), retire));
    /* A user came, or somebody else was faster, between look and write. */
    assert_failed(ERR_CONFLICT, "b: 2 users", run(STEPS(THERE, MISSED(0), USERS), retire));
    assert_failed(ERR_NOTFOUND, "b: no such core", run(STEPS(THERE, MISSED(0), GONE), retire));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ack_reasons),   cmocka_unit_test(ack_reason_gone),
        cmocka_unit_test(issue_reasons), cmocka_unit_test(issue_reason_gone),
        cmocka_unit_test(withdrawn),     cmocka_unit_test(retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The rqlite driver against a scripted rqlited, which does what a real one does rarely, or never
 * should: each list of acts answers one request, in order. */
#include "store/rqlite/backend_rqlite.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_script.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "store_sync.h"

#define BUSY_MS 600 /* time for a few attempts; an answer may take 500 ms then */

#define ACTS(...)                                                                                  \
    (const struct http_script_act[])                                                               \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            .kind = HTTP_SCRIPT_END                                                                \
        }                                                                                          \
    }
#define SAY(s)       ACTS({.kind = HTTP_SCRIPT_REPLY, .text = (s)})
#define SEND(s)      ACTS({.kind = HTTP_SCRIPT_SEND, .text = (s)})
#define CUT          ACTS({.kind = HTTP_SCRIPT_CLOSE})
#define RESET        ACTS({.kind = HTTP_SCRIPT_RESET})
#define HANG         ACTS({.kind = HTTP_SCRIPT_HANG})
#define STATUS(line) SEND("HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n")
/* Begins well, and then takes a minute for the rest. */
#define DRIP                                                                                       \
    ACTS({.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{"},    \
         {.kind = HTTP_SCRIPT_DRIP, .text = " ", .ms = 100})
#define HUGE_BODY SEND("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{")
#define ENDLESS                                                                                    \
    ACTS({.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\n{\"results\":[\""},            \
         {.kind = HTTP_SCRIPT_FILL, .n = 17 * 1024 * 1024}, {.kind = HTTP_SCRIPT_CLOSE})

#define NO_LEADER                                                                                  \
    SEND("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\n\r\nleader not found\n")
#define LOOK_OK SAY("{\"results\":[{\"values\":[[3,1]]}]}")

/* What comes and how it is answered. */
struct step {
    const char *wants; /* in the request; NULL: anything. "*x": all requests until one has no x */
    const struct http_script_act *acts;
};

struct fixture {
    uv_loop_t loop;
    struct loop_box box;
    struct http_script server;
    struct store_options options;
    char url[64];
    struct backend *b;        /* NULL: not open */
    const struct step *steps; /* ends with one without acts; the last is for all the rest */
    size_t at;
    unsigned requests;
    char first[4096]; /* the first request's body since expect() */
    bool same;        /* all since then had this body */

    /* How the last operation ended. */
    unsigned ended;
    enum err e;
    struct err_info info;
    size_t failed;
    uint64_t changes[2];
    bool stale;
    char cells[200]; /* n1 t:x 0 */
};

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

/* ---- the server ------------------------------------------------------------------------------ */

static const struct http_script_act *choose(void *ctx, const struct http_script_request *request)
{
    struct fixture *t = ctx;
    const struct step *step = &t->steps[t->at];
    const char *body = strstr(request->text, "\r\n\r\n");
    t->requests++;
    assert_non_null(body);
    assert_non_null(step->acts);
    bool many = step->wants != NULL && step->wants[0] == '*';
    if (many && strstr(request->text, step->wants + 1) == NULL) {
        step = &t->steps[++t->at];
        many = false;
    }
    if (!many && step->wants != NULL && strstr(request->text, step->wants) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", step->wants, request->text);
    }
    if (t->first[0] == '\0') {
        snprintf(t->first, sizeof t->first, "%s", body);
    }
    t->same = t->same && strncmp(t->first, body, sizeof t->first - 1) == 0;
    if (!many && t->steps[t->at + 1].acts != NULL) {
        t->at++;
    }
    return step->acts;
}

static void expect(struct fixture *t, const struct step *steps)
{
    t->steps = steps;
    t->at = 0;
    t->requests = 0;
    t->first[0] = '\0';
    t->same = true;
    t->ended = 0;
}

static int setup(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    assert_int_equal(0, uv_loop_init(&t->loop));
    assert_err(ERR_OK, loop_box_open(&t->box, &t->loop));
    http_script_open(&t->server, &t->loop, choose, t);
    snprintf(t->url, sizeof t->url, "http://127.0.0.1:%u", t->server.port);
    t->options = (struct store_options){
        .rqlite = {.url = t->url, .user = "u", .password = "hunter2"}, .busy_ms = BUSY_MS};
    *state = t;
    return 0;
}

static void on_count(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static void close_driver(struct fixture *t)
{
    unsigned closed = 0;
    if (t->b != NULL) {
        t->b->ops->close(t->b, on_count, &closed);
        assert_int_equal(0, closed);
        sync_wait_count(&t->loop, &closed, 1);
        t->b = NULL;
    }
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    close_driver(t);
    loop_box_close(&t->box, NULL, NULL);
    http_script_close(&t->server);
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t->loop));
    free(t);
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void note_end(struct fixture *t, enum err e, const struct err_info *info)
{
    t->e = e;
    t->info = (struct err_info){.text = ""};
    if (e != ERR_OK) {
        t->info = *info;
        assert_true(info->text[0] != '\0');
        assert_null(strstr(info->text, "hunter2"));
        assert_null(strstr(info->text, "\n"));
    }
    t->ended++;
}

static void on_open(void *ctx, enum err e, const struct err_info *info, struct backend *b)
{
    struct fixture *t = ctx;
    t->b = b;
    note_end(t, e, info);
}

static enum err open_driver(struct fixture *t)
{
    t->ended = 0;
    backend_rqlite_open(&t->loop, &t->box, &t->options, on_open, t);
    assert_int_equal(0, t->ended);
    sync_wait_count(&t->loop, &t->ended, 1);
    assert_true((t->e == ERR_OK) == (t->b != NULL));
    return t->e;
}

static void open_ok(struct fixture *t)
{
    expect(t, (const struct step[]){{"level=none", LOOK_OK}, {0}});
    assert_err(ERR_OK, open_driver(t));
}

static void note_cells(struct fixture *t, const struct backend_reply *reply)
{
    size_t len = 0;
    t->cells[0] = '\0';
    for (size_t i = 0; i < reply->rows * reply->columns && len < sizeof t->cells; i++) {
        const struct backend_value *v = &reply->cells[i];
        if (v->kind == BACKEND_TEXT) {
            len += (size_t)snprintf(t->cells + len, sizeof t->cells - len, "t:%.20s ", v->text);
        } else if (v->kind == BACKEND_NUMBER) {
            len += (size_t)snprintf(t->cells + len, sizeof t->cells - len, "n%lld ",
                                    (long long)v->number);
        } else {
            len += (size_t)snprintf(t->cells + len, sizeof t->cells - len, "0 ");
        }
    }
}

static void on_done(void *ctx, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    struct fixture *t = ctx;
    t->failed = reply->failed;
    t->stale = reply->stale;
    if (e == ERR_OK && reply->changes != NULL) {
        memcpy(t->changes, reply->changes, sizeof t->changes);
    } else if (e == ERR_OK && reply->cells != NULL) {
        note_cells(t, reply);
    }
    note_end(t, e, info);
}

static const struct backend_value value = {.kind = BACKEND_TEXT, .text = "v"};
/* Entries: token, A, guard, B. */
static const struct backend_statement statements[] = {
    {.sql = "A ?1", .values = &value, .params = 1, .sets = 1, .must_change = true},
    {.sql = "B", .sets = 1}};
static const struct backend_batch two = {.statements = statements, .count = 2};

static enum err run_batch(struct fixture *t)
{
    t->b->ops->batch(t->b, &two, on_done, t);
    assert_int_equal(0, t->ended);
    sync_wait_count(&t->loop, &t->ended, 1);
    return t->e;
}

static enum err run_query(struct fixture *t, enum backend_level level)
{
    struct backend_query q = {
        .sql = "SELECT a, b FROM t WHERE c = ?1", .values = &value, .params = 1, .level = level};
    t->ended = 0;
    t->b->ops->query(t->b, &q, on_done, t);
    assert_int_equal(0, t->ended);
    sync_wait_count(&t->loop, &t->ended, 1);
    return t->e;
}

/* ---- writes ---------------------------------------------------------------------------------- */

#define DONE                                                                                       \
    SAY("{\"results\":[{\"rows_affected\":1},{\"rows_affected\":1},{},"                            \
        "{\"rows_affected\":7}]}")
#define BEFORE SAY("{\"results\":[{\"error\":\"UNIQUE constraint failed: dnsd_write.token\"}]}")
#define GUARDED                                                                                    \
    SAY("{\"results\":[{},{},{\"error\":\"NOT NULL constraint failed: "                            \
        "dnsd_guard.nothing_changed\"}]}")

struct write_case {
    struct step steps[4];
    enum err e;
    const char *words;
    unsigned requests; /* 0: several, until the time is up */
    uint64_t changes[2];
};

static void check_write(struct fixture *t, const struct write_case *c, size_t i)
{
    expect(t, c->steps);
    int64_t begin_ms = now_ms();
    enum err e = run_batch(t);
    if (e != c->e || strstr(t->info.text, c->words) == NULL) {
        fail_msg("case %zu: %s, \"%s\"", i, err_text(e), t->info.text);
    }
    if (c->requests != 0) {
        assert_int_equal(c->requests, t->requests);
    } else {
        assert_true(t->requests > 1);
        assert_true(now_ms() - begin_ms >= BUSY_MS);
    }
    assert_true(now_ms() - begin_ms < 10 * BUSY_MS);
    assert_true(t->same); /* the same request, with the same token */
    if (e == ERR_OK) {
        assert_int_equal(c->changes[0], t->changes[0]);
        assert_int_equal(c->changes[1], t->changes[1]);
    }
}

static void writes(void **state)
{
    const struct write_case cases[] = {
        {{{"/db/execute?transaction", DONE}}, ERR_OK, "", 1, {1, 7}},
        {{{"dnsd_write", CUT}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, CUT}, {NULL, DONE}}, ERR_OK, "", 2, {1, 7}},
        {{{NULL, RESET}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, HANG}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, DRIP}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, HUGE_BODY}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, SAY("{\"results\":[{\"rows_aff")}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, SAY("{\"results\":7}")}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, SAY("{\"results\":[{},{}]}")}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, SAY("{\"results\":[],\"results\":[]}")}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, SAY("{\"error\":\"leadership lost while committing log\"}")}, {NULL, BEFORE}},
         ERR_OK,
         "",
         2,
         {1, 0}},
        {{{NULL, SEND("nonsense\r\n\r\n")}, {NULL, BEFORE}}, ERR_OK, "", 2, {1, 0}},
        {{{NULL, STATUS("500 No")}, {NULL, DONE}}, ERR_OK, "", 2, {1, 7}},
        {{{NULL, NO_LEADER}, {NULL, NO_LEADER}, {NULL, DONE}}, ERR_OK, "", 3, {1, 7}},
        {{{NULL, SAY("{\"results\":[],\"error\":\"not leader\"}")}, {NULL, DONE}},
         ERR_OK,
         "",
         2,
         {1, 7}},
        {{{NULL, CUT}, {NULL, NO_LEADER}, {NULL, BEFORE}}, ERR_OK, "", 3, {1, 0}},
        /* It is known that nothing has happened. */
        {{{NULL, GUARDED}}, ERR_CONFLICT, "not as expected", 1, {0}},
        {{{NULL, CUT}, {NULL, GUARDED}}, ERR_CONFLICT, "", 2, {0}},
        {{{NULL, SAY("{\"results\":[{},{},{},{\"error\":\"NOT NULL constraint failed: "
                     "dnsd_guard.nothing_changed\"}]}")}},
         ERR_MALFORMED,
         "not asked about",
         1,
         {0}},
        {{{NULL, CUT}, {NULL, SAY("{\"results\":[{\"error\":\"no such table: t\"}]}")}},
         ERR_MALFORMED,
         "nothing was written",
         2,
         {0}},
        {{{NULL, SAY("{\"results\":[{},{\"error\":\"no such table: t\"}]}")}},
         ERR_MALFORMED,
         "no such table",
         1,
         {0}},
        {{{NULL, STATUS("401 Unauthorized")}}, ERR_DENIED, "nothing was written", 1, {0}},
        {{{NULL, STATUS("404 Not Found")}}, ERR_MALFORMED, "HTTP 404", 1, {0}},
        {{{NULL, STATUS("301 Moved\r\nLocation: http://other:1/db/execute")}},
         ERR_UNAVAIL,
         "other:1",
         1,
         {0}},
        {{{NULL, NO_LEADER}}, ERR_UNAVAIL, "nothing was written", 0, {0}},
        {{{NULL, SAY("{\"results\":[],\"error\":\"store not open\"}")}},
         ERR_UNAVAIL,
         "starting",
         0,
         {0}},
        /* It is not known: also if it is this node's disk that failed, for the others' may not. */
        {{{NULL, SAY("{\"results\":[{\"error\":\"database or disk is full\"}]}")}},
         ERR_TIMEOUT,
         "free some space",
         0,
         {0}},
        {{{NULL, CUT}}, ERR_TIMEOUT, "not known", 0, {0}},
        {{{NULL, HANG}}, ERR_TIMEOUT, "not known", 0, {0}},
        {{{NULL, ENDLESS}}, ERR_TIMEOUT, "not known", 0, {0}},
        {{{NULL, SAY("[]")}}, ERR_TIMEOUT, "not known", 0, {0}},
        {{{NULL, CUT}, {NULL, NO_LEADER}}, ERR_TIMEOUT, "not known", 0, {0}},
        {{{NULL, CUT}, {NULL, STATUS("401 Unauthorized")}}, ERR_TIMEOUT, "not known", 2, {0}},
    };
    struct fixture *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_ok(t);
        check_write(t, &cases[i], i);
        close_driver(t);
    }
}

static void failed_statement(void **state)
{
    struct fixture *t = *state;
    open_ok(t);
    expect(t, (const struct step[]){{NULL, GUARDED}, {0}});
    assert_err(ERR_CONFLICT, run_batch(t));
    assert_int_equal(0, t->failed);
}

/* Each write has a token of its own, else the second would be taken for the first. */
static void tokens_differ(void **state)
{
    struct fixture *t = *state;
    char first[sizeof t->first];
    open_ok(t);
    expect(t, (const struct step[]){{NULL, DONE}, {0}});
    assert_err(ERR_OK, run_batch(t));
    memcpy(first, t->first, sizeof first);
    expect(t, (const struct step[]){{NULL, DONE}, {0}});
    assert_err(ERR_OK, run_batch(t));
    assert_string_not_equal(first, t->first);
    assert_int_equal(strlen(first), strlen(t->first));
}

static void nothing_to_write(void **state)
{
    struct fixture *t = *state;
    static const struct backend_statement idle[] = {{.sql = "A"}, {.sql = "B"}};
    static const struct backend_batch none = {.statements = idle, .count = 2};
    open_ok(t);
    expect(t, (const struct step[]){{0}});
    t->b->ops->batch(t->b, &none, on_done, t);
    assert_int_equal(0, t->ended);
    sync_wait_count(&t->loop, &t->ended, 1);
    assert_err(ERR_OK, t->e);
    assert_int_equal(0, t->requests);
}

/* Of several pieces the third cannot be carried out. */
static void pieces(void **state)
{
    enum { SETS = 12000 };
    struct fixture *t = *state;
    struct backend_value *values = mem_xalloc(SETS * sizeof *values);
    for (size_t i = 0; i < SETS; i++) {
        values[i] = value;
    }
    const struct backend_statement st[] = {
        {.sql = "A ?1", .values = values, .params = 1, .sets = SETS, .bulk_sql = "M ?1"},
        {.sql = "B ?1", .values = values, .params = 1, .sets = SETS, .bulk_sql = "N ?1"}};
    const struct backend_batch batch = {.statements = st, .count = 2, .divisible = true};
    open_ok(t);
    const struct http_script_act *ok =
        SAY("{\"results\":[{},{\"rows_affected\":5},{\"rows_affected\":1}]}");
    expect(t, (const struct step[]){{"M ?1", ok}, {"N ?1", ok}, {"M ?1", ok}, {0}});
    t->b->ops->batch(t->b, &batch, on_done, t);
    sync_wait_count(&t->loop, &t->ended, 1);
    assert_err(ERR_OK, t->e);
    assert_int_equal(3, t->requests);
    assert_int_equal(15, t->changes[0]);
    assert_int_equal(3, t->changes[1]);
    expect(t, (const struct step[]){{NULL, ok}, {NULL, ok}, {NULL, NO_LEADER}, {0}});
    t->b->ops->batch(t->b, &batch, on_done, t);
    sync_wait_count(&t->loop, &t->ended, 1);
    assert_err(ERR_UNAVAIL, t->e);
    assert_non_null(strstr(t->info.text, "what came before was written"));
    free(values);
}

/* ---- reads ----------------------------------------------------------------------------------- */

#define TWO        "{\"columns\":[\"a\",\"b\"],\"values\":[[1,\"x\"],[null,2]]}"
#define AT(n)      "{\"values\":[[" #n "]]}" /* how far the database has come */
#define LATEST     SAY("{\"results\":[" TWO "]}")
#define ROWS_AT(n) SAY("{\"results\":[" AT(n) "," TWO "]}")
#define ROWS       ROWS_AT(5)
#define LEADER(n)  SAY("{\"results\":[" AT(n) "]}")
#define STALE      SAY("{\"results\":[],\"error\":\"stale read\"}")
#define ROWS_TEXT  "n1 t:x 0 n2 "

/* Open, and at 5; the leader has been asked once. */
static void ready(struct fixture *t)
{
    static const char fresh[] = "/db/query?level=none&freshness=5s&";
    open_ok(t);
    expect(t,
           (const struct step[]){{fresh, ROWS}, {"level=strong", LEADER(5)}, {fresh, ROWS}, {0}});
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_int_equal(3, t->requests);
    assert_string_equal(ROWS_TEXT, t->cells);
    assert_false(t->stale);
}

struct read_case {
    struct step steps[4];
    enum err e;
    const char *words; /* of the message, or the cells */
    unsigned requests; /* 0: several, until the time is up */
    bool stale;
};

static void check_read(struct fixture *t, const struct read_case *c, size_t i,
                       enum backend_level level)
{
    ready(t);
    expect(t, c->steps);
    int64_t begin_ms = now_ms();
    enum err e = run_query(t, level);
    if (e != c->e || strstr(e == ERR_OK ? t->cells : t->info.text, c->words) == NULL) {
        fail_msg("case %zu: %s, \"%s\"", i, err_text(e), t->info.text);
    }
    if (c->requests != 0) {
        assert_int_equal(c->requests, t->requests);
    } else {
        assert_true(t->requests > 1);
        assert_true(now_ms() - begin_ms >= BUSY_MS);
    }
    assert_int_equal(c->stale, t->stale);
    close_driver(t);
}

static void local_reads(void **state)
{
    static const char fresh[] = "/db/query?level=none&freshness=5s&";
    static const char any[] = "/db/query?level=none&noparse";
    const struct read_case cases[] = {
        {{{fresh, ROWS}}, ERR_OK, ROWS_TEXT, 1, false},
        {{{fresh, SAY("{\"results\":[" AT(5) ",{\"columns\":[\"a\",\"b\"]}]}")}},
         ERR_OK,
         "",
         1,
         false},
        {{{fresh, STALE}, {any, ROWS}}, ERR_OK, ROWS_TEXT, 2, true},
        {{{fresh, STALE}, {any, STALE}}, ERR_UNAVAIL, "", 2, true},
        {{{NULL, CUT}, {NULL, ROWS}}, ERR_OK, ROWS_TEXT, 2, false},
        {{{NULL, CUT}, {NULL, CUT}}, ERR_UNAVAIL, "", 2, false},
        {{{NULL, HANG}}, ERR_UNAVAIL, "", 1, false},
        {{{NULL, DRIP}}, ERR_UNAVAIL, "", 1, false},
        {{{NULL, ENDLESS}}, ERR_LIMIT, "", 1, false},
        {{{NULL, HUGE_BODY}}, ERR_LIMIT, "", 1, false},
        {{{NULL, NO_LEADER}}, ERR_UNAVAIL, "", 1, false},
        {{{NULL, STATUS("401 Unauthorized")}}, ERR_DENIED, "", 1, false},
        {{{NULL, STATUS("302 Found\r\nLocation: /status")}}, ERR_UNAVAIL, "/status", 1, false},
        {{{NULL, STATUS("404 Not Found")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, SAY("{\"results\":[{\"error\":\"no such table: t\"}]}")}},
         ERR_UNAVAIL,
         "not got the tables",
         0,
         false},
        {{{NULL, SAY("{\"results\":[{\"error\":\"no such column: a\"}]}")}},
         ERR_MALFORMED,
         "no such column",
         1,
         false},
        {{{NULL, SAY("{\"results\":[{\"values\":[[1,")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, SAY("{\"results\":[" AT(5) ",{\"values\":[[1]]}]}")}},
         ERR_MALFORMED,
         "cells",
         1,
         false},
        {{{NULL, SAY("{\"results\":[" AT(5) ",{\"values\":[[1,2,3]]}]}")}},
         ERR_MALFORMED,
         "",
         1,
         false},
        {{{NULL, SAY("{\"results\":[" AT(5) ",{\"values\":[[1,{}]]}]}")}},
         ERR_MALFORMED,
         "",
         1,
         false},
        {{{NULL, SAY("{\"results\":[" AT(5) ",{\"values\":\"x\"}]}")}},
         ERR_MALFORMED,
         "",
         1,
         false},
        {{{NULL, SAY("{\"results\":[" AT(5) ",{},{}]}")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, SAY("{\"results\":[{}," TWO "]}")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, SAY("{\"results\":[{\"values\":[[]]}," TWO "]}")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, BEFORE}}, ERR_MALFORMED, "", 1, false}, /* that is for writes */
        {{{NULL, GUARDED}}, ERR_MALFORMED, "", 1, false},
    };
    struct fixture *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_read(t, &cases[i], i, BACKEND_LOCAL);
    }
}

static void latest_reads(void **state)
{
    static const char new_version[] =
        "HTTP/1.1 503 Service Unavailable\r\nX-RQLITE-VERSION: v8.43.4\r\n"
        "Content-Length: 17\r\n\r\nleader not found\n";
    const struct read_case cases[] = {
        {{{"/db/query?level=strong&", LATEST}}, ERR_OK, ROWS_TEXT, 1, false},
        {{{"level=strong", NO_LEADER}, {"level=strong", LATEST}}, ERR_OK, ROWS_TEXT, 2, false},
        {{{NULL, STALE}, {NULL, LATEST}}, ERR_OK, ROWS_TEXT, 2, false},
        {{{NULL, CUT}, {NULL, LATEST}}, ERR_OK, ROWS_TEXT, 2, false},
        /* Only asked for where it is known: elsewhere it would silently mean less. */
        {{{"level=strong", SEND(new_version)}, {"level=linearizable", LATEST}},
         ERR_OK,
         ROWS_TEXT,
         2,
         false},
        {{{NULL, NO_LEADER}}, ERR_UNAVAIL, "no leader", 0, false},
        {{{NULL, STATUS("401 Unauthorized")}}, ERR_DENIED, "", 1, false},
        {{{NULL, SAY("{\"results\":[{\"error\":\"no such table: t\"}]}")}},
         ERR_MALFORMED,
         "",
         1,
         false},
        {{{NULL, SAY("{")}}, ERR_MALFORMED, "", 1, false},
        {{{NULL, HUGE_BODY}}, ERR_LIMIT, "", 1, false},
    };
    struct fixture *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_read(t, &cases[i], i, BACKEND_LATEST);
    }
}

/* A reply of ten megabytes is nothing special. */
static void large_reply(void **state)
{
    struct fixture *t = *state;
    ready(t);
    const struct step steps[] = {
        {NULL, ACTS({.kind = HTTP_SCRIPT_SEND,
                     .text = "HTTP/1.1 200 OK\r\n\r\n{\"results\":[" AT(5) ",{\"values\":[[1,\""},
                    {.kind = HTTP_SCRIPT_FILL, .n = 10 * 1024 * 1024},
                    {.kind = HTTP_SCRIPT_SEND, .text = "\"]]}]}"}, {.kind = HTTP_SCRIPT_CLOSE})},
        {0}};
    expect(t, steps);
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_string_equal("n1 t:xxxxxxxxxxxxxxxxxxxx ", t->cells);
}

/* After a write, rows are only taken from a node that has it. */
static void own_writes(void **state)
{
    struct fixture *t = *state;
    static const char check[] = "SELECT 1 FROM dnsd_write WHERE token = ?1";
    const struct http_script_act *unseen =
        SAY("{\"results\":[" AT(5) ",{\"columns\":[\"1\"]},{\"values\":[[8,8]]}]}");
    const struct http_script_act *seen =
        SAY("{\"results\":[" AT(5) ",{\"values\":[[1]]},{\"values\":[[9,9]]}]}");
    ready(t);
    expect(t, (const struct step[]){{NULL, DONE}, {0}});
    assert_err(ERR_OK, run_batch(t));
    expect(t, (const struct step[]){{check, unseen}, {check, unseen}, {check, seen}, {0}});
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_int_equal(3, t->requests);
    assert_string_equal("n9 n9 ", t->cells);
    assert_false(t->stale);
    expect(t, (const struct step[]){{"sqlite_sequence\"],[\"SELECT a, b", ROWS},
                                    {0}}); /* no more asking */
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_string_equal(ROWS_TEXT, t->cells);

    /* One that never gets it is cut off, and says so; the next read does not wait again. */
    expect(t, (const struct step[]){{NULL, DONE}, {0}});
    assert_err(ERR_OK, run_batch(t));
    const struct step never[] = {
        {"*SELECT 1 FROM dnsd_write", unseen}, {"sqlite_sequence\"],[\"SELECT a, b", ROWS}, {0}};
    expect(t, never);
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_true(t->requests > 10);
    assert_string_equal(ROWS_TEXT, t->cells);
    assert_true(t->stale);
    expect(t, (const struct step[]){{"sqlite_sequence\"],[\"SELECT a, b", ROWS}, {0}});
    assert_err(ERR_OK, run_query(t, BACKEND_LOCAL));
    assert_false(t->stale);
}

static void expect_read(struct fixture *t, const struct step *steps, enum err e, bool stale)
{
    expect(t, steps);
    assert_err(e, run_query(t, BACKEND_LOCAL));
    assert_int_equal(stale, t->stale);
    assert_string_equal(e == ERR_OK ? ROWS_TEXT : "", e == ERR_OK ? t->cells : "");
}

/* At the beginning a node may be about to carry out its log again. */
static void catching_up(void **state)
{
    static const char all[] = "*level=none";
    struct fixture *t = *state;
    open_ok(t);
    expect_read(t,
                (const struct step[]){{NULL, ROWS_AT(5)},
                                      {"level=strong", LEADER(7)},
                                      {NULL, ROWS_AT(5)},
                                      {NULL, ROWS_AT(6)},
                                      {NULL, ROWS_AT(8)},
                                      {0}},
                ERR_OK, false);
    assert_int_equal(5, t->requests);
    close_driver(t);

    open_ok(t); /* it does not come */
    expect_read(t,
                (const struct step[]){
                    {NULL, ROWS_AT(5)}, {"level=strong", LEADER(7)}, {all, ROWS_AT(6)}, {0}},
                ERR_UNAVAIL, false);
    assert_non_null(strstr(t->info.text, "not caught up"));
    close_driver(t);

    open_ok(t); /* there is no leader: waited for once, and then called stale */
    int64_t begin_ms = now_ms();
    expect_read(t,
                (const struct step[]){{"level=none&freshness", ROWS_AT(5)},
                                      {"*level=strong", NO_LEADER},
                                      {"level=none&noparse", ROWS_AT(5)},
                                      {0}},
                ERR_OK, true);
    assert_true(now_ms() - begin_ms >= BUSY_MS);
    expect_read(t,
                (const struct step[]){{"level=none&freshness", ROWS_AT(5)},
                                      {"level=strong", NO_LEADER},
                                      {"level=none&noparse", ROWS_AT(5)},
                                      {0}},
                ERR_OK, true);
    assert_int_equal(3, t->requests);
    expect_read(
        t, (const struct step[]){{NULL, ROWS_AT(5)}, {NULL, LEADER(5)}, {NULL, ROWS_AT(5)}, {0}},
        ERR_OK, false);
    close_driver(t);

    open_ok(t); /* nor does the node think that there is one: it need not be asked */
    expect_read(t, (const struct step[]){{NULL, STALE}, {NULL, ROWS_AT(5)}, {0}}, ERR_OK, true);
    assert_int_equal(2, t->requests);
}

/* A node that was restarted shows the past for a while. */
static void going_back(void **state)
{
    struct fixture *t = *state;
    ready(t);
    expect_read(t,
                (const struct step[]){{NULL, ROWS_AT(3)},
                                      {"level=strong", LEADER(5)},
                                      {NULL, ROWS_AT(4)},
                                      {NULL, ROWS_AT(5)},
                                      {0}},
                ERR_OK, false);
    expect_read(
        t,
        (const struct step[]){
            {NULL, ROWS_AT(3)}, {"level=strong", NO_LEADER}, {"*level=none", ROWS_AT(3)}, {0}},
        ERR_UNAVAIL, true);
    expect_read(t, (const struct step[]){{NULL, ROWS_AT(5)}, {0}}, ERR_OK, false);
    /* All of it was put back: then this is how it is. */
    expect_read(
        t, (const struct step[]){{NULL, ROWS_AT(3)}, {NULL, LEADER(3)}, {NULL, ROWS_AT(3)}, {0}},
        ERR_OK, false);
    expect_read(t, (const struct step[]){{NULL, ROWS_AT(3)}, {0}}, ERR_OK, false);
    /* Before it has any tables, it has nothing. */
    expect_read(t,
                (const struct step[]){
                    {NULL, SAY("{\"results\":[{\"error\":\"no such table: sqlite_sequence\"}]}")},
                    {NULL, SAY("{\"results\":[" AT(2) ",{\"error\":\"no such table: t\"}]}")},
                    {NULL, ROWS_AT(3)},
                    {0}},
                ERR_OK, false);
}

/* ---- scans ----------------------------------------------------------------------------------- */

struct taken {
    char rows[200];
    size_t max;
};

static bool on_row(void *ctx, size_t query, const struct backend_value *cells)
{
    struct taken *taken = ctx;
    size_t len = strlen(taken->rows);
    assert_true(taken->max > 0);
    snprintf(taken->rows + len, sizeof taken->rows - len, "%zu:%.10s ", query,
             cells[0].kind == BACKEND_TEXT ? cells[0].text : "-");
    return --taken->max > 0;
}

static enum err run_scan(struct fixture *t, struct taken *taken)
{
    static const struct backend_query queries[] = {
        {.sql = "SELECT 1"},
        {.sql = "SELECT k FROM t WHERE c = ?1", .values = &value, .params = 1},
        {.sql = "SELECT k FROM u"}};
    static const struct backend_page pages[] = {
        {.sql = NULL},
        {.sql = "SELECT k FROM t WHERE c = ?1 AND k > ?2 ORDER BY k LIMIT ?3", .keys = 1},
        {.sql = "SELECT k FROM u WHERE k > ?1 ORDER BY k LIMIT ?2", .keys = 1}};
    const struct backend_scan scan = {
        .queries = queries, .pages = pages, .count = 3, .on_row = on_row, .ctx = taken};
    t->ended = 0;
    t->b->ops->scan(t->b, &scan, on_done, t);
    assert_int_equal(0, t->ended);
    sync_wait_count(&t->loop, &t->ended, 1);
    return t->e;
}

#define KEYS_AT(n, values) SAY("{\"results\":[" AT(n) ",{\"values\":[" values "]}]}")
#define KEYS(values)       KEYS_AT(5, values)
/* From 10000 rows down to one at a time. */
#define SHRINK                                                                                     \
    {"\"v\",\"\",10000]", HUGE_BODY}, {"\"v\",\"\",2500]", HUGE_BODY},                             \
        {"\"v\",\"\",625]", HUGE_BODY}, {"\"v\",\"\",156]", HUGE_BODY},                            \
        {"\"v\",\"\",39]", HUGE_BODY}, {"\"v\",\"\",9]", HUGE_BODY},                               \
    {                                                                                              \
        "\"v\",\"\",2]", HUGE_BODY                                                                 \
    }

static void scans(void **state)
{
    struct fixture *t = *state;
    const struct {
        struct step steps[14];
        size_t max;
        enum err e;
        const char *rows;
        bool stale;
    } cases[] = {
        {{{"level=none&freshness", KEYS("[7]")},
          {"level=none&noparse", KEYS("[\"a\"],[\"b\"]")},
          {"?2\",\"\",10000]", KEYS("")}},
         9,
         ERR_OK,
         "0:- 1:a 1:b ",
         false},
        {{{"freshness", STALE}, {"level=none&noparse", KEYS("[7]")}, {NULL, KEYS("[\"a\"]")}},
         9,
         ERR_OK,
         "0:- 1:a 2:a ",
         true},
        {{{NULL, KEYS("[7]")}, {NULL, KEYS("[\"a\"],[\"b\"]")}},
         2,
         ERR_CANCELED,
         "0:- 1:a ",
         false},
        {{{NULL, KEYS("")}}, 9, ERR_MALFORMED, "", false}, /* must be one row */
        {{{NULL, KEYS("[7]")}, {NULL, KEYS("[\"a\",1]")}}, 9, ERR_MALFORMED, "0:- ", false},
        {{{NULL, KEYS("[7]")}, {NULL, CUT}, {NULL, KEYS("")}}, 9, ERR_OK, "0:- ", false},
        {{{NULL, KEYS("[7]")}, {NULL, NO_LEADER}}, 9, ERR_UNAVAIL, "0:- ", false},
        {{{NULL, HUGE_BODY}}, 9, ERR_LIMIT, "", false},
        {{{NULL, KEYS("[7]")},
          {NULL, CUT},
          {NULL, KEYS("[\"a\"]")},
          {NULL, CUT},
          {NULL, KEYS("[\"b\"]")}},
         9,
         ERR_OK,
         "0:- 1:a 2:b ",
         false},
        /* The node is restarted between two pages. */
        {{{NULL, KEYS("[7]")},
          {NULL, KEYS_AT(2, "[\"a\"]")},
          {"level=strong", LEADER(5)},
          {NULL, KEYS("[\"a\"],[\"b\"]")},
          {NULL, KEYS("")}},
         9,
         ERR_OK,
         "0:- 1:a 1:b ",
         false},
        /* Pages of one row, then of two, and so on, behind each other. */
        {{{NULL, KEYS("[7]")},
          SHRINK,
          {"\"v\",\"\",1]", KEYS("[\"a\"]")},
          {"\"v\",\"a\",2]", KEYS("[\"b\"],[\"c\"]")},
          {"\"v\",\"c\",4]", KEYS("[\"d\"]")},
          {"FROM u", KEYS("")}},
         9,
         ERR_OK,
         "0:- 1:a 1:b 1:c 1:d ",
         false},
        /* The same page again; more rows than were asked for; one row is too large. */
        {{{NULL, KEYS("[7]")}, SHRINK, {"1]", KEYS("[\"a\"]")}, {"2]", KEYS("[\"a\"],[\"a\"]")}},
         9,
         ERR_MALFORMED,
         "0:- 1:a 1:a 1:a ",
         false},
        {{{NULL, KEYS("[7]")}, SHRINK, {"1]", KEYS("[\"a\"],[\"b\"]")}},
         9,
         ERR_MALFORMED,
         "0:- 1:a 1:b ",
         false},
        {{{NULL, KEYS("[7]")}, SHRINK, {"1]", HUGE_BODY}}, 9, ERR_LIMIT, "0:- ", false},
        {{{NULL, KEYS("[7]")}, SHRINK, {"1]", KEYS("[null]")}},
         9,
         ERR_MALFORMED,
         "0:- 1:- ",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct taken taken = {.max = cases[i].max};
        ready(t);
        expect(t, cases[i].steps);
        enum err e = run_scan(t, &taken);
        if (e != cases[i].e || strcmp(taken.rows, cases[i].rows) != 0 ||
            t->stale != cases[i].stale) {
            fail_msg("case %zu: %s \"%s\", \"%s\"", i, err_text(e), t->info.text, taken.rows);
        }
        close_driver(t);
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

struct order {
    char ends[64];
    unsigned count;
};

struct ordered {
    struct order *order;
    char name;
};

static void on_ordered(void *ctx, enum err e, const struct err_info *info,
                       const struct backend_reply *reply)
{
    struct ordered *o = ctx;
    (void)info;
    (void)reply;
    assert_err(ERR_OK, e);
    o->order->ends[o->order->count++] = o->name;
}

/* One after the other on one connection; what takes long goes beside, when its turn has come. */
static void in_order(void **state)
{
    struct fixture *t = *state;
    struct order order = {.count = 0};
    struct ordered each[] = {
        {&order, 'a'}, {&order, 'b'}, {&order, 'c'}, {&order, 'd'}, {&order, 'e'}};
    const struct http_script_act *slowly = ACTS(
        {.kind = HTTP_SCRIPT_PAUSE, .ms = 300},
        {.kind = HTTP_SCRIPT_REPLY, .text = "{\"results\":[" AT(5) ",{\"values\":[[1]]},{}]}"});
    const struct http_script_act *ok = SAY("{\"results\":[" AT(5) ",{\"values\":[[1]]},{}]}");
    const struct backend_query local = {.sql = "SELECT 1 WHERE 0"};
    const struct backend_query aside = {.sql = "SELECT 2 WHERE 0", .aside = true};
    const struct step steps[] = {{"\"A ?1\"", DONE}, {"SELECT 2", slowly}, {"SELECT 1", ok},
                                 {"\"A ?1\"", DONE}, {"SELECT 1", ok},     {0}};
    ready(t);
    expect(t, steps);
    t->b->ops->batch(t->b, &two, on_ordered, &each[0]);
    t->b->ops->query(t->b, &aside, on_ordered, &each[1]);
    t->b->ops->query(t->b, &local, on_ordered, &each[2]);
    t->b->ops->batch(t->b, &two, on_ordered, &each[3]);
    t->b->ops->query(t->b, &local, on_ordered, &each[4]);
    assert_int_equal(0, order.count);
    sync_wait_count(&t->loop, &order.count, 5);
    assert_string_equal("acdeb", order.ends);
    assert_true(t->server.open_max <= 2);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void opening(void **state)
{
    struct fixture *t = *state;
#define LOOK(row) SAY("{\"results\":[{\"values\":[" row "]}]}")
#define MADE      SAY("{\"results\":[{},{},{}]}")
    static const char make[] = "CREATE TABLE IF NOT EXISTS dnsd_guard";
    const struct {
        struct step steps[5];
        bool must_exist;
        enum err e;
        unsigned requests;
    } cases[] = {
        {{{"level=none", LOOK("[3,0]")}}, false, ERR_OK, 1},
        {{{NULL, LOOK("[3,1]")}}, true, ERR_OK, 1},
        {{{NULL, STALE}, {NULL, LOOK("[3,1]")}}, false, ERR_OK, 2}, /* it has no leader */
        {{{"level=none", LOOK("[0,0]")}, {"level=strong", LOOK("[0,0]")}, {make, MADE}},
         false,
         ERR_OK,
         3},
        {{{NULL, LOOK("[0,1]")}, {NULL, LOOK("[2,1]")}, {make, MADE}}, true, ERR_OK, 3},
        {{{NULL, LOOK("[0,0]")}, {NULL, LOOK("[3,1]")}}, true, ERR_OK, 2}, /* not yet here */
        {{{NULL, LOOK("[0,0]")}, {NULL, LOOK("[0,0]")}}, true, ERR_NOTFOUND, 2},
        {{{NULL, LOOK("[3,0]")}, {NULL, LOOK("[3,0]")}}, true, ERR_NOTFOUND, 2},
        {{{NULL, LOOK("[0,0]")}, {NULL, NO_LEADER}}, false, ERR_UNAVAIL, 2}, /* without waiting */
        {{{NULL, LOOK("[0,0]")}, {NULL, LOOK("[0,0]")}, {make, STATUS("401 No")}},
         false,
         ERR_DENIED,
         3},
        {{{NULL, SAY("{\"results\":[],\"error\":\"store not open\"}")}}, false, ERR_UNAVAIL, 1},
        {{{NULL, STATUS("401 No")}}, false, ERR_DENIED, 1},
        {{{NULL, STATUS("404 Not Found")}}, false, ERR_MALFORMED, 1},
        {{{NULL, SAY("<html>hello</html>")}}, false, ERR_MALFORMED, 1},
        {{{NULL, LOOK("[\"3\",\"1\"]")}, {NULL, LOOK("[null,null]")}, {make, MADE}},
         false,
         ERR_OK,
         3},
        {{{NULL, LOOK("[3]")}}, false, ERR_MALFORMED, 1},
        {{{NULL, LOOK("")}}, false, ERR_MALFORMED, 1},
        {{{NULL, HANG}}, false, ERR_UNAVAIL, 1},
        {{{NULL, CUT}}, false, ERR_UNAVAIL, 2},
        {{{NULL, SEND("220 mail.example ESMTP\r\n")}}, false, ERR_MALFORMED, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(t, cases[i].steps);
        t->options.must_exist = cases[i].must_exist;
        enum err e = open_driver(t);
        if (e != cases[i].e || t->requests != cases[i].requests) {
            fail_msg("case %zu: %s, \"%s\", %u requests", i, err_text(e), t->info.text,
                     t->requests);
        }
        close_driver(t);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(writes),     TEST(failed_statement), TEST(tokens_differ), TEST(nothing_to_write),
        TEST(pieces),     TEST(local_reads),      TEST(latest_reads),  TEST(large_reply),
        TEST(own_writes), TEST(catching_up),      TEST(going_back),    TEST(scans),
        TEST(in_order),   TEST(opening),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* acme/renewer: one and two renewers on a real SQLite store, with a clock of the test's own; sessions and
 * orders are fakes that do to the store what real ones would. */
#include "acme/renewer_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "store_file.h"
#include "store_sync.h"
#include "tls_peer.h"

#define SEC        1000LL
#define MINUTE     (60 * SEC)
#define HOUR       (60 * MINUTE)
#define DAY        (24 * HOUR)
#define HOST       "*.example.org"
#define NAMES      "DNS:*.example.org,DNS:example.org"
#define CA         "https://ca.example/dir"
#define STAGING    "https://staging.example/dir"
#define JOBS_MAX   40
#define WISHES_MAX 80
#define NODES_MAX  2
#define ANSWER_MAX 1024

/* ---- the fakes --------------------------------------------------------------------------------- */

struct session {
    struct node *node;
    const char *url;
    int64_t skew_ms;
    session_directory_cb *directory_cb; /* asked for, not answered yet */
    session_reply_cb *reply_cb;
    void *cb_ctx;
    void (*done)(void *ctx);
    void *done_ctx;
};

struct acme_job {
    struct node *node;
    struct session *session;
    struct store_fence fence;
    enum acme_purpose purpose;
    char replaces[CERT_CHAIN_ARI_MAX], forced[64];
    uint64_t expect;
    bool (*is_held)(void *ctx);
    void (*on_step)(void *ctx, const char *state, const char *text);
    void *held_ctx;
    acme_job_cb *cb;
    void *ctx;
    bool cancelled, ended;
};

/* Both jobs that are no orders. */
struct wish {
    struct session *session;
    bool (*is_held)(void *ctx);
    void *held_ctx, *ctx;
    void (*cb)(void *ctx, const struct acme_problem *problem, bool lease_lost);
    char argument[80];
    bool rollover, cancelled, ended;
};
struct acme_change {
    struct wish w;
};
struct acme_revocation {
    struct wish w;
};

struct node {
    struct renewer *r;
    struct session sessions[2];
    size_t sessions_count;
    char core[16];
    enum lease_rank rank;
    bool better, gone, closed;
    unsigned stored, alarms[5], steps;
    char account[128];
};

static struct {
    uv_loop_t loop;
    struct store_file *file;
    struct sync y;
    struct clk clock;
    int64_t wall, mono, wall0;
    struct tls_made *ca;
    struct node nodes[NODES_MAX];
    struct acme_job *jobs[JOBS_MAX];
    size_t jobs_count;
    struct wish *wishes[WISHES_MAX];
    size_t wishes_count;
    bool ari_offered;
    const char *ari_body;
    unsigned ari_status;
    int64_t ari_retry_ms;
    unsigned ari_asked, directories;
    bool directory_fresh;
    enum err directory_e;
    char ari_url[ACME_URL_MAX];
    const char *staging;
    double scale;
} t;

static int64_t wall(void *ctx)
{
    (void)ctx;
    return t.wall;
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return t.mono;
}

static enum err fake_open(uv_loop_t *loop, const struct session_options *options,
                          struct session **out, struct err_info *info)
{
    struct node *n = &t.nodes[0];
    (void)loop;
    (void)info;
    while (n->r != NULL || n->core[0] == '\0') { /* the one that is being opened */
        n++;
    }
    struct session *s = &n->sessions[n->sessions_count++];
    *s = (struct session){.node = n};
    s->url = strcmp(options->directory_url, CA) == 0 ? CA : STAGING;
    *out = s;
    return ERR_OK;
}

static void fake_close(struct session *s, void (*done)(void *ctx), void *ctx)
{
    s->done = done;
    s->done_ctx = ctx;
}

static void fake_directory(struct session *s, bool fresh, session_directory_cb *cb, void *ctx)
{
    assert_null(s->directory_cb);
    t.directories++;
    t.directory_fresh = fresh;
    s->directory_cb = cb;
    s->cb_ctx = ctx;
}

static struct session_call *fake_get(struct session *s, const char *url, session_reply_cb *cb,
                                     void *ctx)
{
    assert_null(s->reply_cb);
    t.ari_asked++;
    snprintf(t.ari_url, sizeof t.ari_url, "%s", url);
    s->reply_cb = cb;
    s->cb_ctx = ctx;
    return NULL;
}

static int64_t fake_skew(const struct session *s)
{
    return s->skew_ms;
}

static void fake_job(const struct acme_job_options *o, acme_job_cb *cb, void *ctx,
                     struct acme_job **out)
{
    struct acme_job *j = mem_xalloc(sizeof *j);
    assert_true(t.jobs_count < JOBS_MAX);
    t.jobs[t.jobs_count++] = j;
    *j = (struct acme_job){.session = o->session,
                           .node = o->session->node,
                           .fence = o->fence,
                           .purpose = o->purpose,
                           .expect = o->expect,
                           .is_held = o->is_held,
                           .on_step = o->on_step,
                           .held_ctx = o->ctx,
                           .cb = cb,
                           .ctx = ctx};
    j->fence.holder = j->node->core;
    snprintf(j->replaces, sizeof j->replaces, "%s", o->replaces);
    snprintf(j->forced, sizeof j->forced, "%s", o->forced != NULL ? o->forced : "");
    assert_true(o->is_held(o->ctx));
    assert_string_equal(o->fence.name, "acme/" HOST);
    assert_int_equal(o->names_count, 2);
    *out = j;
}

static void fake_cancel(struct acme_job *j)
{
    assert_false(j->cancelled);
    j->cancelled = true;
}

static void add_wish(struct wish *w)
{
    assert_true(t.wishes_count < WISHES_MAX);
    assert_true(w->is_held(w->held_ctx));
    t.wishes[t.wishes_count++] = w;
}

static void fake_rollover(const struct acme_rollover_options *o, acme_rollover_cb *cb, void *ctx,
                          struct acme_change **out)
{
    struct acme_change *c = mem_xalloc(sizeof *c);
    c->w = (struct wish){.session = o->session,
                         .is_held = o->is_held,
                         .held_ctx = o->ctx,
                         .cb = cb,
                         .ctx = ctx,
                         .rollover = true};
    assert_string_equal(o->fence.name, "acme/" HOST);
    add_wish(&c->w);
    *out = c;
}

static void fake_revoke(const struct acme_revoke_options *o, acme_revoke_cb *cb, void *ctx,
                        struct acme_revocation **out)
{
    struct acme_revocation *v = mem_xalloc(sizeof *v);
    v->w = (struct wish){
        .session = o->session, .is_held = o->is_held, .held_ctx = o->ctx, .cb = cb, .ctx = ctx};
    snprintf(v->w.argument, sizeof v->w.argument, "%s", o->argument);
    assert_string_equal(o->hostname, HOST);
    add_wish(&v->w);
    *out = v;
}

static void fake_rollover_cancel(struct acme_change *c)
{
    assert_false(c->w.cancelled);
    c->w.cancelled = true;
}

static void fake_revoke_cancel(struct acme_revocation *v)
{
    assert_false(v->w.cancelled);
    v->w.cancelled = true;
}

static const struct renewer_ops fakes = {.session_open = fake_open,
                                         .session_close = fake_close,
                                         .session_directory = fake_directory,
                                         .session_get = fake_get,
                                         .session_skew_ms = fake_skew,
                                         .job_start = fake_job,
                                         .job_cancel = fake_cancel,
                                         .rollover_start = fake_rollover,
                                         .rollover_cancel = fake_rollover_cancel,
                                         .revoke_start = fake_revoke,
                                         .revoke_cancel = fake_revoke_cancel};

/* ---- what they are answered --------------------------------------------------------------------- */

static void answer_directory(struct session *s, enum err e)
{
    static struct acme_directory d;
    struct acme_problem fine = {.class = ACME_FINE};
    struct err_info info = {.text = "nobody there"};
    session_directory_cb *cb = s->directory_cb;
    s->directory_cb = NULL;
    snprintf(d.renewal_info, sizeof d.renewal_info, "%s",
             t.ari_offered ? "https://ca.example/ari" : "");
    cb(s->cb_ctx, e, &info, e == ERR_OK ? &d : NULL, &fine);
}

static void answer_get(struct session *s, enum err e)
{
    struct session_reply *reply = mem_xalloc(sizeof *reply);
    session_reply_cb *cb = s->reply_cb;
    s->reply_cb = NULL;
    reply->status = t.ari_status;
    reply->body = t.ari_body;
    reply->len = t.ari_body != NULL ? strlen(t.ari_body) : 0;
    reply->retry_ms = t.ari_retry_ms;
    reply->problem.retry_ms = -1;
    if (reply->status >= 400) {
        reply->problem.class = ACME_AGAIN;
    }
    cb(s->cb_ctx, e, NULL, e == ERR_OK ? reply : NULL);
    free(reply);
}

static bool answer_session(struct session *s)
{
    bool closing = s->done != NULL;
    if (s->directory_cb != NULL) {
        answer_directory(s, closing ? ERR_CANCELED : t.directory_e);
    } else if (s->reply_cb != NULL) {
        answer_get(s, closing ? ERR_CANCELED : ERR_OK);
    } else if (closing) {
        void (*done)(void *) = s->done;
        s->done = NULL;
        done(s->done_ctx);
    } else {
        return false;
    }
    return true;
}

static void end_job(struct acme_job *j, const struct acme_outcome *o)
{
    assert_false(j->ended);
    j->ended = true;
    j->cb(j->ctx, o);
}

static void end_wish(struct wish *w, const struct acme_problem *p, bool lease_lost)
{
    assert_false(w->ended);
    w->ended = true;
    w->cb(w->ctx, p, lease_lost);
}

/* Everything that has been asked for is answered; orders and the like only if they were cancelled. */
static bool answer_all(void)
{
    bool any = false;
    for (size_t i = 0; i < NODES_MAX; i++) {
        for (size_t k = 0; k < t.nodes[i].sessions_count; k++) {
            any = answer_session(&t.nodes[i].sessions[k]) || any;
        }
    }
    for (size_t i = 0; i < t.jobs_count; i++) {
        if (t.jobs[i]->cancelled && !t.jobs[i]->ended) {
            struct acme_outcome o = {.problem = {.class = ACME_AGAIN, .type = "cancelled"}};
            end_job(t.jobs[i], &o);
            any = true;
        }
    }
    for (size_t i = 0; i < t.wishes_count; i++) {
        if (t.wishes[i]->cancelled && !t.wishes[i]->ended) {
            end_wish(t.wishes[i], &(struct acme_problem){.class = ACME_AGAIN}, true);
            any = true;
        }
    }
    return any;
}

/* ---- running ------------------------------------------------------------------------------------ */

static bool in_flight(const struct node *n)
{
    return n->r != NULL && !n->closed && (n->r->flying == RENEWER_STORE || n->r->lease_flying);
}

static bool rests(const struct node *n)
{
    const struct renewer *r = n->r;
    if (r == NULL || n->closed) {
        return true;
    }
    if (r->open > 0 || r->leaving || r->flying != RENEWER_GROUND || r->lease_flying) {
        return false;
    }
    if (r->store == NULL || renewer_works(r)) {
        return true;
    }
    if (r->step != RENEWER_IDLE) {
        return r->pause_ms > t.mono;
    }
    return !renewer_is_due(r) && (r->held ? t.mono < r->peek_ms : t.mono < r->lease.next_ms);
}

/* Until nothing is to be done any more at this time. */
static void settle(void)
{
    for (int turns = 0; turns < 100000; turns++) {
        bool flying = false, rest = !answer_all();
        for (size_t i = 0; i < NODES_MAX; i++) {
            flying = flying || in_flight(&t.nodes[i]);
            rest = rest && rests(&t.nodes[i]);
        }
        uv_run(&t.loop, flying ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        if (rest) {
            return;
        }
    }
    fail_msg("it does not come to rest");
}

/* What the timers would do now. */
static void turn_all(void)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (t.nodes[i].r != NULL && !t.nodes[i].closed) {
            renewer_turn(t.nodes[i].r);
        }
    }
    settle();
}

/* The wall clock alone goes on: leases stand still. */
static void wall_passes(int64_t ms)
{
    t.wall += ms;
    turn_all();
}

static void both_pass(int64_t ms)
{
    for (int64_t done = 0; done < ms; done += LEASE_LOOK_MS) {
        t.wall += LEASE_LOOK_MS;
        t.mono += LEASE_LOOK_MS;
        turn_all();
    }
}

/* ---- nodes -------------------------------------------------------------------------------------- */

static void on_account(void *ctx, const char *directory, const char *url,
                       void (*ready)(void *ready_ctx), void *ready_ctx)
{
    struct node *n = ctx;
    snprintf(n->account, sizeof n->account, "%s %s", directory, url);
    ready(ready_ctx);
}

static bool better(void *ctx)
{
    return ((struct node *)ctx)->better;
}

static void on_stored(void *ctx)
{
    ((struct node *)ctx)->stored++;
}

static void on_step(void *ctx, const char *state)
{
    (void)state;
    ((struct node *)ctx)->steps++;
}

static void on_alarm(void *ctx, unsigned level, int64_t left_ms)
{
    struct node *n = ctx;
    assert_in_range(level, 1, 4);
    assert_true((left_ms <= 0) == (level == 4));
    n->alarms[level]++;
}

static struct node *open_node_only(size_t i)
{
    static const char *const names[] = {"*.Example.org", "example.org"};
    struct node *n = &t.nodes[i];
    struct err_info info = {.text = ""};
    *n = (struct node){.rank = (enum lease_rank)i};
    snprintf(n->core, sizeof n->core, "core-%c", (char)('a' + i));
    struct renewer_options o = {.loop = &t.loop,
                                .clock = &t.clock,
                                .core = n->core,
                                .rank = n->rank,
                                .hostname = HOST,
                                .names = names,
                                .names_count = 2,
                                .type = ACME_DNS01,
                                .directory_url = CA,
                                .staging_url = t.staging,
                                .renew_before_days = -1,
                                .scale = t.scale,
                                .on_account = on_account,
                                .better = better,
                                .on_stored = on_stored,
                                .on_step = on_step,
                                .on_alarm = on_alarm,
                                .ctx = n};
    struct renewer *r = NULL;
    assert_int_equal(renewer_open_on(&o, &fakes, &r, &info), ERR_OK);
    n->r = r;
    return n;
}

static struct node *open_node(size_t i)
{
    struct node *n = open_node_only(i);
    renewer_use_store(n->r, t.y.store, NULL, NULL);
    settle();
    return n;
}

static void on_flag(void *ctx)
{
    *(bool *)ctx = true;
}

static void wait_for(const bool *flag)
{
    for (int i = 0; i < 100000 && !*flag; i++) {
        bool flying = in_flight(&t.nodes[0]) || in_flight(&t.nodes[1]);
        answer_all();
        uv_run(&t.loop, flying ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    assert_true(*flag);
}

static void close_node(struct node *n)
{
    renewer_close(n->r, on_flag, &n->closed);
    assert_false(n->closed);
    wait_for(&n->closed);
}

static struct renewer_view view(const struct node *n)
{
    struct renewer_view v;
    renewer_view(n->r, &v);
    return v;
}

static void need_plan_at(const struct node *n, const char *what, int line)
{
    struct renewer_view v = view(n);
    if (strcmp(plan_why_text(v.plan.why), what) != 0) {
        fail_msg("line %d: %s (%s), not %s", line, plan_why_text(v.plan.why), v.plan.text, what);
    }
}
#define NEED_PLAN(n, what) need_plan_at(n, what, __LINE__)

/* ---- rows --------------------------------------------------------------------------------------- */

static struct store_fence fence(void)
{
    static char holder[64];
    struct store_fence f = {.name = "acme/" HOST, .holder = holder};
    unsigned long long term, beat;
    assert_err(ERR_OK, sync_lease_get(&t.y, f.name));
    const char *is = strchr(t.y.out.text, '=') + 1;
    snprintf(holder, sizeof holder, "%.*s", (int)strcspn(is, "("), is);
    assert_int_equal(sscanf(strchr(is, '('), "(%llu,%llu)", &term, &beat), 2);
    f.term = term;
    return f;
}

static void put_attempt(const struct store_fence *f, const char *directory, const char *kind,
                        const char *outcome, const char *problem)
{
    static unsigned id;
    char text[16];
    snprintf(text, sizeof text, "a%u", id++);
    struct store_attempt a = {.id = text,
                              .hostname = HOST,
                              .directory = directory,
                              .kind = kind,
                              .outcome = outcome,
                              .problem = problem,
                              .text = "",
                              .core = f->holder,
                              .at_ms = t.wall};
    assert_err(ERR_OK, sync_attempt_put(&t.y, f, &a));
}

/* From the clock's time on. tls_make() counts from the machine's, which may go on to the next second. */
static struct tls_made *make_cert(const char *names, int64_t life_ms, struct cert_leaf *leaf)
{
    static const char *const none[] = {"x"};
    for (;;) {
        int64_t from_s = t.wall / 1000 - clk_wall_ms(&clk_system) / 1000;
        struct tls_made *m = tls_make(&(struct tls_make){
            .names = names, .issuer = t.ca, .from_s = from_s, .to_s = from_s + life_ms / 1000});
        assert_int_equal(cert_leaf_read(m->cert, strlen(m->cert), none, 1, leaf, NULL), ERR_OK);
        if (leaf->not_before_ms == t.wall / 1000 * 1000 &&
            leaf->not_after_ms == leaf->not_before_ms + life_ms) {
            return m;
        }
        tls_made_free(m);
    }
}

/* A certificate of LIFE_MS at generation EXPECT + 1. */
static void put_cert(const struct store_fence *f, uint64_t expect, const char *names,
                     const char *directory, int64_t life_ms, char serial[41])
{
    struct cert_leaf leaf;
    struct tls_made *m = make_cert(names, life_ms, &leaf);
    struct store_cert_row row = {.cert = {.hostname = HOST,
                                          .issued_ms = t.wall,
                                          .expires_ms = t.wall + life_ms,
                                          .generation = expect + 1},
                                 .cert_pem = m->cert,
                                 .chain_pem = "",
                                 .key = "sealed",
                                 .directory = directory};
    assert_err(ERR_OK, sync_cert_put(&t.y, f, &row, expect));
    snprintf(serial, 41, "%s", leaf.serial);
    tls_made_free(m);
}

static struct acme_job *last_job(void)
{
    assert_true(t.jobs_count > 0);
    return t.jobs[t.jobs_count - 1];
}

/* As a real order would: the ledger, the certificate, the outcome. */
static void job_succeeds(void)
{
    struct acme_job *j = last_job();
    struct acme_outcome o = {.ok = true, .prove_ms = 77, .generation = j->expect + 1};
    put_attempt(&j->fence, j->session->url, "order", "ok", "");
    if (j->purpose == ACME_REHEARSE) {
        put_attempt(&j->fence, STAGING, "rehearsal", "ok", "");
    } else {
        put_attempt(&j->fence, CA, "certificate", "ok", "");
        put_cert(&j->fence, j->expect, NAMES, CA, 90 * DAY, o.serial);
        o.not_before_ms = t.wall;
        o.not_after_ms = t.wall + 90 * DAY;
    }
    end_job(j, &o);
    settle();
}

static void job_fails(const char *problem)
{
    struct acme_job *j = last_job();
    struct acme_outcome o = {.problem = {.class = ACME_IDENTIFIER, .retry_ms = -1}};
    snprintf(o.problem.type, sizeof o.problem.type, "%s", problem);
    snprintf(o.problem.text, sizeof o.problem.text, "it did not work");
    snprintf(o.state, sizeof o.state, "validate");
    put_attempt(&j->fence, j->session->url, "order", "failed", problem);
    if (j->purpose == ACME_REHEARSE) {
        put_attempt(&j->fence, STAGING, "rehearsal", "failed", problem);
    }
    end_job(j, &o);
    settle();
}

static void ask_kind(const char *id, const char *kind, const char *argument, const char *override)
{
    struct store_job job = {.id = id,
                            .hostname = HOST,
                            .kind = kind,
                            .argument = argument,
                            .state = "waiting",
                            .by = "api core-b",
                            .override = override,
                            .text = "",
                            .asked_ms = t.wall};
    assert_err(ERR_OK, sync_job_ask(&t.y, &job));
}

static void ask(const char *id, const char *override)
{
    ask_kind(id, "renew", "", override);
}

static void need_job_at(const char *id, const char *state, const char *text, int line)
{
    char want[32];
    assert_err(ERR_OK, sync_job_get(&t.y, id));
    snprintf(want, sizeof want, ",%s,", state);
    if (strstr(t.y.out.text, want) == NULL || strstr(t.y.out.text, text) == NULL) {
        fail_msg("line %d: %s", line, t.y.out.text);
    }
}
#define NEED_JOB(id, state, text) need_job_at(id, state, text, __LINE__)

/* ---- setup -------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    uv_loop_init(&t.loop);
    t.clock = (struct clk){.wall_ms = wall, .mono_ms = mono};
    t.wall = t.wall0 = clk_wall_ms(&clk_system) / 1000 * 1000;
    t.mono = 1000000;
    t.ari_status = 200;
    t.ari_retry_ms = -1;
    t.scale = 1;
    t.file = store_file_new();
    t.file->options.busy_ms = 500;
    assert_err(ERR_OK, sync_open(&t.y, &t.loop, &t.file->options));
    t.ca = tls_make(&(struct tls_make){.ca = true, .subject = "CA"});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (t.nodes[i].r != NULL && !t.nodes[i].closed) {
            close_node(&t.nodes[i]);
        }
    }
    for (size_t i = 0; i < t.jobs_count; i++) {
        assert_true(t.jobs[i]->ended);
        free(t.jobs[i]);
    }
    for (size_t i = 0; i < t.wishes_count; i++) {
        assert_true(t.wishes[i]->ended);
        free(t.wishes[i]);
    }
    sync_close(&t.y);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    tls_made_free(t.ca);
    store_file_free(t.file);
    return 0;
}

/* For tests of many cases: case I has a fixture of its own. */
static void another(void **state, size_t i)
{
    if (i > 0) {
        teardown(state);
        setup(state);
    }
}

/* Longer than a lease is good for: it is lost, and taken again. */
static void long_time_passes(int64_t ms)
{
    t.wall += ms - 2 * LEASE_TTL_MS;
    t.mono += ms - 2 * LEASE_TTL_MS;
    turn_all();
    t.wall += 2 * LEASE_TTL_MS;
    t.mono += 2 * LEASE_TTL_MS;
    turn_all();
}

/* A holder with a certificate of 90 days, and what it thinks of it. */
static struct node *with_cert_of(const char *plan)
{
    struct node *n = open_node(0);
    assert_int_equal(t.jobs_count, 1);
    job_succeeds();
    assert_int_equal(t.jobs_count, 1);
    NEED_PLAN(n, plan);
    return n;
}

static struct node *with_cert(void)
{
    return with_cert_of("not-due");
}

/* ---- the way of a certificate ------------------------------------------------------------------- */

static void the_first_certificate(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    assert_true(view(n).holds);
    assert_string_equal(view(n).holder, "core-a");
    assert_int_equal(view(n).term, 1);
    assert_int_equal(t.jobs_count, 1);
    struct acme_job *j = last_job();
    assert_int_equal(j->purpose, ACME_ISSUE);
    assert_string_equal(j->session->url, CA);
    assert_int_equal(j->expect, 0);
    assert_string_equal(j->replaces, "");
    assert_string_equal(j->forced, "");
    assert_int_equal(j->fence.term, 1);
    j->on_step(j->held_ctx, "prove", "asking everybody");
    assert_string_equal(view(n).state, "prove");
    assert_string_equal(view(n).step_text, "asking everybody");
    assert_int_equal(view(n).step_ms, t.wall);
    assert_int_equal(n->steps, 1);
    assert_int_equal(n->stored, 0);
    job_succeeds();
    assert_int_equal(n->stored, 1);
    assert_int_equal(t.jobs_count, 1);
    NEED_PLAN(n, "not-due");
    struct renewer_view v = view(n);
    assert_string_equal(v.state, "");
    assert_int_equal(v.counts.orders_ok, 1);
    assert_int_equal(v.propagation_ms, 77);
    assert_int_equal(v.last_ok_ms, t.wall);
    assert_int_equal(v.plan.renew_ms, t.wall + 60 * DAY);
    assert_err(ERR_OK, sync_renewal_get(&t.y, HOST)); /* about the new one; nothing known of it */
    assert_non_null(strstr(t.y.out.text, ",0,0,0,"));
}

static void it_is_renewed_when_it_is_due(void **state)
{
    (void)state;
    struct node *n = with_cert();
    wall_passes(59 * DAY);
    NEED_PLAN(n, "not-due");
    assert_int_equal(t.jobs_count, 1);
    wall_passes(DAY);
    assert_int_equal(t.jobs_count, 2);
    assert_int_equal(last_job()->expect, 1);
    job_succeeds();
    NEED_PLAN(n, "not-due");
    assert_int_equal(n->stored, 2);
}

static void before_the_first_one_it_is_rehearsed(void **state)
{
    (void)state;
    t.staging = STAGING;
    struct node *n = open_node(0);
    assert_int_equal(t.jobs_count, 1);
    assert_int_equal(last_job()->purpose, ACME_REHEARSE);
    assert_string_equal(last_job()->session->url, STAGING);
    job_fails("dns");
    assert_int_equal(t.jobs_count, 1);
    NEED_PLAN(n, "backoff");
    assert_string_equal(view(n).problem_type, "dns");
    assert_non_null(strstr(view(n).problem, "rehearsal failed at \"validate\": dns"));
    assert_int_equal(view(n).counts.orders_failed, 0); /* spent nothing */
    both_pass(2 * MINUTE);
    assert_int_equal(t.jobs_count, 2);
    assert_int_equal(last_job()->purpose, ACME_REHEARSE);
    job_succeeds();
    assert_int_equal(t.jobs_count, 3); /* at once */
    assert_int_equal(last_job()->purpose, ACME_ISSUE);
    assert_string_equal(last_job()->session->url, CA);
    job_fails("connection");
    both_pass(2 * MINUTE);
    assert_int_equal(t.jobs_count, 4);
    assert_int_equal(last_job()->purpose, ACME_ISSUE); /* not rehearsed again */
    job_succeeds();
    wall_passes(60 * DAY);
    assert_int_equal(last_job()->purpose, ACME_ISSUE); /* nor for a renewal */
    job_succeeds();
}

static void another_cas_certificate_is_replaced(void **state)
{
    static const struct {
        const char *names, *directory;
        const char *plan; /* what is made of it */
        enum acme_purpose first;
    } cases[] = {
        {NAMES, STAGING, "foreign", ACME_REHEARSE},
        {"DNS:other.example.org", CA, "foreign", ACME_ISSUE},
        {"DNS:example.org", CA, "foreign", ACME_ISSUE},
        {NAMES ",DNS:more.example.org", CA, "foreign", ACME_ISSUE},
        {NAMES, NULL, "not-due", ACME_ISSUE}, /* the predecessor's */
        {NAMES, CA, "not-due", ACME_ISSUE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char serial[41];
        another(state, i);
        t.staging = STAGING;
        t.ari_offered = true;
        struct store_lease none = {.name = "acme/" HOST};
        assert_err(ERR_OK, sync_lease_take(&t.y, none.name, 0, 0, "core-z"));
        struct store_fence f = fence();
        put_cert(&f, 0, cases[i].names, cases[i].directory, 90 * DAY, serial);
        assert_err(ERR_OK, sync_lease_release(&t.y, &f));
        t.ari_body = "{}";
        struct node *n = open_node(0);
        NEED_PLAN(n, cases[i].plan);
        if (strcmp(cases[i].plan, "foreign") == 0) {
            assert_int_equal(t.jobs_count, 1);
            assert_int_equal(last_job()->purpose, cases[i].first);
            assert_int_equal(last_job()->expect, 1);
            assert_string_equal(last_job()->replaces, "");
            assert_int_equal(t.ari_asked, 0); /* the CA does not know it, or it is not wanted */
        } else {
            assert_int_equal(t.jobs_count, 0);
        }
    }
}

/* ---- renewal information ------------------------------------------------------------------------ */

static char window[ANSWER_MAX];

static void set_window(int64_t start_ms, int64_t end_ms)
{
    char from[32], to[32];
    time_t a = (time_t)(start_ms / 1000), b = (time_t)(end_ms / 1000);
    struct tm tm;
    strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&a, &tm));
    strftime(to, sizeof to, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&b, &tm));
    snprintf(window, sizeof window,
             "{\"suggestedWindow\":{\"start\":\"%s\",\"end\":\"%s\"},"
             "\"explanationURL\":\"https://ca.example/why\"}",
             from, to);
    t.ari_body = window;
}

static void the_moment_of_a_window_is_kept(void **state)
{
    (void)state;
    t.ari_offered = true;
    set_window(t.wall + 20 * DAY, t.wall + 40 * DAY);
    struct node *n = with_cert();
    assert_int_equal(t.ari_asked, 1);
    assert_memory_equal(t.ari_url, "https://ca.example/ari/", 23);
    assert_non_null(strchr(t.ari_url + 23, '.'));
    int64_t moment = view(n).renewal.renew_ms;
    assert_in_range(moment - t.wall, 20 * DAY, 40 * DAY);
    assert_int_equal(view(n).plan.renew_ms, moment);
    assert_string_equal(view(n).renewal.explanation, "https://ca.example/why");
    for (int i = 0; i < 3; i++) { /* restarts draw nothing and ask nothing */
        close_node(n);
        t.nodes[0].r = NULL;
        n = open_node(0);
        assert_int_equal(view(n).renewal.renew_ms, moment);
        assert_int_equal(t.ari_asked, 1);
    }
    long_time_passes(7 * HOUR);
    assert_int_equal(t.ari_asked, 2);
    assert_int_equal(view(n).renewal.renew_ms, moment);
    set_window(moment - DAY, moment + DAY); /* another window with the moment in it */
    long_time_passes(7 * HOUR);
    assert_int_equal(t.ari_asked, 3);
    assert_int_equal(view(n).renewal.renew_ms, moment);
    set_window(t.wall - 3 * DAY, t.wall - 2 * DAY); /* revoked: now */
    long_time_passes(7 * HOUR);
    assert_int_equal(t.ari_asked, 4);
    assert_int_equal(view(n).renewal.renew_ms, t.wall);
    NEED_PLAN(n, "ari");
    assert_int_equal(t.jobs_count, 2);
    assert_string_equal(last_job()->replaces, t.ari_url + 23);
    char replaced[ACME_URL_MAX];
    snprintf(replaced, sizeof replaced, "%s", t.ari_url + 23);
    job_succeeds();
    assert_int_equal(t.ari_asked, 5); /* about the new one */
    assert_string_not_equal(t.ari_url + 23, replaced);
    assert_string_equal(view(n).renewal.replaced, replaced);
    NEED_PLAN(n, "floor"); /* the CA is wrong about it; once an hour is often enough */
    assert_int_equal(t.jobs_count, 2);
}

static void a_refused_replacement_is_not_named_again(void **state)
{
    static const struct {
        struct acme_outcome outcome;
        bool again;
    } cases[] = {
        {{.without_replaces = true, .state = "validate"}, false},
        {{.state = "new", .problem = {.class = ACME_BUG, .status = 400}}, false},
        {{.state = "new", .problem = {.class = ACME_REPLACED, .status = 409}}, false},
        {{.state = "new", .problem = {.class = ACME_LIMITED, .status = 429}}, true},
        {{.state = "new", .problem = {.class = ACME_AGAIN, .status = 503}}, true},
        {{.state = "validate", .problem = {.class = ACME_IDENTIFIER, .status = 400}}, true},
        {{.state = "new", .problem = {.class = ACME_AGAIN}}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        another(state, i);
        t.ari_offered = true;
        set_window(t.wall + 40 * DAY, t.wall + 41 * DAY);
        struct node *n = with_cert();
        wall_passes(42 * DAY);
        assert_int_equal(t.jobs_count, 2);
        struct acme_job *j = last_job();
        assert_true(j->replaces[0] != '\0');
        put_attempt(&j->fence, CA, "order", "failed", "");
        end_job(j, &cases[i].outcome);
        settle();
        assert_string_equal(view(n).renewal.replaced, cases[i].again ? "" : j->replaces);
        assert_true(view(n).renewal.renew_ms > 0); /* the rest of the row is kept */
        both_pass(2 * MINUTE);
        assert_int_equal(t.jobs_count, 3);
        assert_string_equal(last_job()->replaces, cases[i].again ? j->replaces : "");
        job_succeeds();
    }
}

/* Whoever stored the present one had no time to say so. */
static void what_is_known_of_another_certificate_does_not_count(void **state)
{
    char serial[41];
    (void)state;
    t.ari_offered = true;
    set_window(t.wall - 2 * DAY, t.wall - DAY);
    struct node *n = with_cert_of("floor");
    close_node(n);
    t.nodes[0].r = NULL;
    assert_err(ERR_OK, sync_lease_take(&t.y, "acme/" HOST, 1, 0, "core-z"));
    struct store_fence f = fence();
    put_cert(&f, 1, NAMES, CA, 90 * DAY, serial);
    assert_err(ERR_OK, sync_lease_release(&t.y, &f));
    t.directory_e = ERR_UNAVAIL;
    n = open_node(0);
    NEED_PLAN(n, "not-due");
}

static void without_renewal_information_it_goes_on(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        int64_t retry_ms, again_ms;
    } cases[] = {{404, "", -1, 6 * HOUR},
                 {500, "<html>", 2 * HOUR, 2 * HOUR},
                 {200, "{\"suggestedWindow\":", 10 * SEC, MINUTE},
                 {200, "{}", 9 * DAY, DAY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        another(state, i);
        t.ari_offered = true;
        t.ari_status = cases[i].status;
        t.ari_body = cases[i].body;
        t.ari_retry_ms = cases[i].retry_ms;
        struct node *n = with_cert();
        assert_int_equal(t.ari_asked, 1);
        assert_int_equal(view(n).plan.renew_ms, t.wall + 60 * DAY);
        assert_int_equal(view(n).renewal.ari_next_ms, t.wall + cases[i].again_ms);
        long_time_passes(cases[i].again_ms < 3 * LEASE_TTL_MS ? 3 * LEASE_TTL_MS
                                                              : cases[i].again_ms);
        assert_int_equal(t.ari_asked, 2);
    }
}

static void short_times_are_ours_not_the_cas(void **state)
{
    (void)state;
    t.scale = 0.002;
    t.ari_offered = true;
    t.ari_status = 500;
    t.ari_retry_ms = 3 * SEC;
    struct node *n = with_cert();
    assert_int_equal(view(n).renewal.ari_next_ms, t.wall + 3 * SEC);
    assert_int_equal(n->r->times.ttl_ms, 3 * SEC); /* no lease is lost by a slow disk */
    t.ari_retry_ms = -1;
    wall_passes(3 * SEC);
    t.mono += 3 * SEC;
    turn_all();
    t.mono += 6 * SEC;
    turn_all();
    assert_int_equal(t.ari_asked, 2);
    assert_int_equal(view(n).renewal.ari_next_ms, t.wall + 6 * HOUR / 500);
}

static void a_ca_without_renewal_information_is_not_asked(void **state)
{
    (void)state;
    struct node *n = with_cert();
    assert_int_equal(t.ari_asked, 0);
    t.directory_e = ERR_TIMEOUT;
    long_time_passes(DAY);
    NEED_PLAN(n, "not-due");
}

/* ---- what is in the way ------------------------------------------------------------------------- */

static void a_restart_does_not_empty_the_ledger(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    job_fails("dns");
    NEED_PLAN(n, "backoff");
    assert_int_equal(view(n).counts.orders_failed, 1);
    assert_int_equal(view(n).counts.challenges_failed, 1);
    assert_int_equal(view(n).counts.failures_count, 1);
    assert_string_equal(view(n).counts.failures[0].type, "dns");
    close_node(n);
    t.nodes[0].r = NULL;
    n = open_node(0);
    NEED_PLAN(n, "backoff");
    assert_int_equal(view(n).plan.failures, 1);
    assert_int_equal(t.jobs_count, 1);
    wall_passes(40 * SEC);
    assert_int_equal(t.jobs_count, 1);
    wall_passes(40 * SEC);
    assert_int_equal(t.jobs_count, 2);
    job_fails("dns");
    both_pass(5 * MINUTE);
    assert_int_equal(t.jobs_count, 2);
    NEED_PLAN(n, "backoff");
    assert_int_equal(view(n).plan.failures, 2);
}

static void a_failure_that_is_in_no_ledger_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    for (size_t i = 1; i <= 3; i++) {
        struct acme_outcome o = {.problem = {.class = ACME_AGAIN, .retry_ms = -1}};
        assert_int_equal(t.jobs_count, i);
        end_job(last_job(), &o);
        settle();
        renewer_wake(n->r);
        settle();
        assert_int_equal(t.jobs_count, i);
        both_pass((MINUTE << (i - 1)) - LEASE_LOOK_MS);
        assert_int_equal(t.jobs_count, i);
        both_pass(LEASE_LOOK_MS);
    }
    assert_int_equal(t.jobs_count, 4);
    assert_int_equal(view(n).counts.orders_failed, 3);
    assert_string_equal(view(n).counts.failures[0].type, "");
    assert_int_equal(view(n).counts.failures[0].count, 3);
}

static void kinds_of_failures_are_bounded(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    for (int i = 0; i < 20; i++) {
        struct acme_outcome o = {.problem = {.class = ACME_AGAIN, .retry_ms = -1}};
        snprintf(o.problem.type, sizeof o.problem.type, "type%d", i);
        end_job(last_job(), &o);
        settle();
        long_time_passes(2 * HOUR);
    }
    struct renewer_view v = view(n);
    assert_int_equal(v.counts.failures_count, RENEWER_FAILURES_MAX);
    assert_string_equal(v.counts.failures[RENEWER_FAILURES_MAX - 1].type, "other");
    assert_int_equal(v.counts.failures[RENEWER_FAILURES_MAX - 1].count,
                     20 - (RENEWER_FAILURES_MAX - 1));
}

static void a_wrong_clock_orders_nothing(void **state)
{
    (void)state;
    struct node *n = open_node_only(0);
    n->sessions[0].skew_ms = 5 * MINUTE + 1;
    renewer_use_store(n->r, t.y.store, NULL, NULL);
    settle();
    assert_int_equal(t.jobs_count, 0);
    assert_string_equal(view(n).problem_type, "clock");
    assert_non_null(strstr(view(n).problem, "5 min behind the CA's"));
    assert_int_equal(view(n).skew_ms, 5 * MINUTE + 1);
    ask("f1", "");
    both_pass(LEASE_LOOK_MS);
    NEED_JOB("f1", "failed", "clock");
    n->sessions[0].skew_ms = -5 * MINUTE - 1;
    both_pass(2 * MINUTE);
    assert_true(t.directory_fresh); /* what it said long ago may be wrong by now */
    assert_int_equal(t.jobs_count, 0);
    n->sessions[0].skew_ms = -5 * MINUTE;
    both_pass(2 * MINUTE);
    assert_int_equal(t.jobs_count, 1);
    assert_string_equal(view(n).problem, "");
}

/* ---- who asked ---------------------------------------------------------------------------------- */

static void who_asks_is_told_which_gate_is_shut(void **state)
{
    (void)state;
    struct node *n = with_cert();
    ask("f1", "");
    both_pass(LEASE_LOOK_MS); /* asked on another core: nobody wakes us */
    assert_int_equal(t.jobs_count, 1);
    NEED_JOB("f1", "failed",
             "held up (floor): a certificate came within the hour; again in 60 min");
    both_pass(MINUTE);
    ask("f2", "");
    renewer_wake(n->r);
    settle();
    NEED_JOB("f2", "failed", "override: floor");
    ask("f3", "backoff");
    renewer_wake(n->r);
    settle();
    NEED_JOB("f3", "failed", "override: floor");
    assert_int_equal(t.jobs_count, 1);
    ask("f4", "floor");
    renewer_wake(n->r);
    settle();
    assert_int_equal(t.jobs_count, 2);
    assert_string_equal(last_job()->forced, "f4");
    NEED_JOB("f4", "working", "");
    job_succeeds();
    NEED_JOB("f4", "done", "generation 2");
    assert_err(ERR_OK, sync_attempts(&t.y, HOST, 0, 100, true));
    assert_non_null(strstr(t.y.out.text, "f4," HOST "," CA ",forced,ok,,asked for by api core-b, "
                                         "override floor: serial"));
    assert_non_null(strstr(t.y.out.text, "f3," HOST "," CA ",forced,failed,"));
}

static void a_job_that_fails_says_why(void **state)
{
    (void)state;
    struct node *n = with_cert();
    both_pass(2 * MINUTE);
    ask("f1", "floor");
    renewer_wake(n->r);
    settle();
    job_fails("dns");
    NEED_JOB("f1", "failed", "order failed at \"validate\": dns: it did not work");
}

static void a_job_ends_with_the_order_that_is_under_way(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    ask("f1", "");
    renewer_wake(n->r);
    both_pass(MINUTE);
    NEED_JOB("f1", "waiting", "");
    job_succeeds();
    assert_int_equal(t.jobs_count, 1);
    NEED_JOB("f1", "done", "serial");
}

static void a_job_waits_for_the_rehearsal_too(void **state)
{
    (void)state;
    t.staging = STAGING;
    ask("f1", "");
    open_node(0);
    NEED_JOB("f1", "working", "rehearsal");
    job_succeeds();
    assert_int_equal(t.jobs_count, 2);
    NEED_JOB("f1", "working", "order");
    job_succeeds();
    NEED_JOB("f1", "done", "serial");
}

static void a_paused_account_waits(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    job_fails("paused");
    NEED_PLAN(n, "paused");
    wall_passes(10 * DAY);
    NEED_PLAN(n, "paused");
    assert_int_equal(t.jobs_count, 1);
    ask("f1", "paused");
    both_pass(LEASE_LOOK_MS);
    assert_int_equal(t.jobs_count, 2);
    job_succeeds();
    NEED_PLAN(n, "not-due");
}

/* ---- the lease ---------------------------------------------------------------------------------- */

static void put_order(const char *directory, const char *url, const char *names, int64_t expires_ms)
{
    struct store_fence f = fence();
    struct store_order o = {.hostname = HOST,
                            .id = "0123",
                            .directory = directory,
                            .purpose = "issue",
                            .state = "prove",
                            .url = url,
                            .names = names,
                            .key = "sealed",
                            .replaces = "ab.cd",
                            .detail = "{}",
                            .started_ms = t.wall,
                            .expires_ms = expires_ms};
    assert_err(ERR_OK, sync_order_put(&t.y, &f, &o));
}

static void an_order_that_was_begun_is_gone_on_with(void **state)
{
    static const struct {
        const char *directory, *url, *names;
        int64_t expires_ms; /* from now */
        bool resumed, kept;
    } cases[] = {
        {CA, "https://ca.example/o/1", "[\"*.example.org\",\"example.org\"]", DAY, true, true},
        {CA, "https://ca.example/o/1", "[ \"example.org\", \"*.EXAMPLE.org\" ]", DAY, true, true},
        {CA, "https://ca.example/o/1", "[\"*.example.org\",\"example.org\"]", -1, false, false},
        {CA, "https://ca.example/o/1", "[\"example.org\"]", DAY, false, false},
        {CA, "https://ca.example/o/1", "[\"example.org\",\"example.org\"]", DAY, false, false},
        {CA, "https://ca.example/o/1", "rubbish", DAY, false, false},
        {STAGING, "https://ca.example/o/1", "[\"*.example.org\",\"example.org\"]", DAY, false,
         false},
        {CA, "", "[\"*.example.org\",\"example.org\"]", DAY, false, true}, /* would be a new one */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        another(state, i);
        struct node *n = with_cert();
        put_order(cases[i].directory, cases[i].url, cases[i].names, t.wall + cases[i].expires_ms);
        close_node(n);
        t.nodes[0].r = NULL;
        n = open_node(0);
        if (t.jobs_count != 1 + (size_t)cases[i].resumed) {
            fail_msg("case %zu: %zu orders", i, t.jobs_count);
        }
        if (cases[i].resumed) { /* though nothing is due */
            assert_string_equal(last_job()->replaces, "ab.cd");
            assert_int_equal(last_job()->expect, 1);
        }
        assert_err(cases[i].kept ? ERR_OK : ERR_NOTFOUND, sync_order_get(&t.y, HOST));
    }
}

static void two_cores_order_once(void **state)
{
    (void)state;
    struct node *a = open_node(0), *b = open_node(1);
    assert_true(view(a).holds);
    assert_false(view(b).holds);
    assert_string_equal(view(b).holder, "core-a");
    both_pass(2 * MINUTE);
    assert_int_equal(t.jobs_count, 1);
    job_succeeds();
    both_pass(2 * MINUTE);
    assert_int_equal(t.jobs_count, 1);
    assert_int_equal(view(b).term, 1);
}

static void a_sleeper_is_replaced_and_stops(void **state)
{
    (void)state;
    struct node *a = open_node(0), *b = open_node(1);
    struct acme_job *j = last_job();
    assert_ptr_equal(j->node, a);
    struct renewer *sleeping = a->r;
    a->r = NULL; /* it gets no turn */
    uv_timer_stop(&sleeping->timer);
    both_pass(LEASE_TTL_MS + LEASE_LOOK_MS + LEASE_RANK_MS + LEASE_LOOK_MS);
    assert_true(view(b).holds);
    assert_int_equal(t.jobs_count, 2);
    assert_ptr_equal(last_job()->node, b);
    assert_int_equal(last_job()->fence.term, 2);
    a->r = sleeping;
    assert_false(j->is_held(j->held_ctx)); /* before anything else is done */
    turn_all();
    assert_true(j->cancelled);
    assert_false(view(a).holds);
    assert_int_equal(view(a).term, 2);
    assert_int_equal(a->stored, 0);
    assert_string_equal(view(a).plan.text, "");
    last_job()->expect = 0;
    job_succeeds();
    assert_int_equal(b->stored, 1);
    assert_int_equal(t.jobs_count, 2);
}

static void a_better_core_gets_it_when_nothing_is_under_way(void **state)
{
    (void)state;
    struct node *b = open_node(1);
    both_pass(LEASE_RANK_MS); /* nobody has it: after its turn */
    assert_true(view(b).holds);
    assert_int_equal(t.jobs_count, 1);
    struct node *a = open_node(0);
    b->better = true;
    both_pass(MINUTE);
    assert_true(view(b).holds); /* an order is under way */
    job_succeeds();
    both_pass(LEASE_LOOK_MS);
    assert_false(view(b).holds);
    both_pass(2 * LEASE_LOOK_MS);
    assert_true(view(a).holds);
    assert_int_equal(view(a).term, 2);
    NEED_PLAN(a, "not-due");
    assert_int_equal(t.jobs_count, 1);
}

static void a_refused_write_is_the_end_of_it(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    struct acme_outcome o = {.lease_lost = true, .problem = {.class = ACME_AGAIN, .type = "lease"}};
    store_file_execute(t.file, "UPDATE lease SET term = 9, holder = 'core-z'");
    end_job(last_job(), &o);
    settle();
    assert_false(view(n).holds);
    assert_string_equal(view(n).holder, "core-z");
    assert_string_equal(view(n).problem, ""); /* it is no failure */
    both_pass(30 * SEC);
    assert_int_equal(t.jobs_count, 1);
}

/* ---- jobs that are no orders --------------------------------------------------------------------- */

static struct wish *last_wish(void)
{
    assert_true(t.wishes_count > 0);
    return t.wishes[t.wishes_count - 1];
}

static void wish_ends(enum acme_class class, const char *type)
{
    struct acme_problem p = {.class = class, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    snprintf(p.text, sizeof p.text, "%s", class != ACME_FINE ? "it did not work" : "");
    end_wish(last_wish(), &p, false);
    settle();
}

static const char *ledger(void)
{
    assert_err(ERR_OK, sync_attempts(&t.y, HOST, 0, 100, false));
    return t.y.out.text;
}

static void an_accounts_key_is_changed_on_request(void **state)
{
    (void)state;
    struct node *n = with_cert();
    ask_kind("k1", "rollover", "", "");
    both_pass(LEASE_LOOK_MS); /* looked for, as any job */
    assert_int_equal(t.wishes_count, 1);
    assert_true(last_wish()->rollover);
    assert_string_equal(last_wish()->session->url, CA);
    assert_string_equal(view(n).state, "rollover");
    NEED_JOB("k1", "working", "under way");
    ask_kind("k2", "rollover", "", ""); /* asking twice is asking once */
    both_pass(LEASE_LOOK_MS);
    assert_int_equal(t.wishes_count, 1);
    wish_ends(ACME_FINE, "");
    NEED_JOB("k1", "done", "another key");
    assert_non_null(strstr(ledger(), "k1," HOST "," CA ",rollover,ok,,"));
    assert_string_equal(view(n).state, "");
    both_pass(MINUTE);
    assert_int_equal(t.wishes_count, 1);
    ask_kind("k3", "rollover", "", "");
    both_pass(LEASE_LOOK_MS);
    assert_int_equal(t.wishes_count, 2);
    wish_ends(ACME_DENIED, "malformed");
    NEED_JOB("k3", "failed", "rollover failed: malformed: it did not work");
    assert_non_null(strstr(ledger(), "k3," HOST "," CA ",rollover,failed,malformed,"));
    assert_int_equal(t.jobs_count, 1); /* whatever became of it, the certificate is not due */
    assert_int_equal(view(n).plan.failures, 0);
    NEED_PLAN(n, "not-due");
    ask_kind("k4", "unheard", "", "");
    both_pass(LEASE_LOOK_MS);
    NEED_JOB("k4", "failed", "does not know");
}

/* Gates hold orders up, and nothing else. */
static void what_is_asked_for_waits_for_an_order_alone(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    ask_kind("r1", "revoke", "0a superseded", "");
    ask("f1", "");
    both_pass(MINUTE);
    assert_int_equal(t.wishes_count, 0); /* it is under way */
    job_fails("dns");
    NEED_JOB("f1", "failed", "dns"); /* ended with it; the other one did not */
    assert_int_equal(t.wishes_count, 1);
    assert_string_equal(last_wish()->argument, "0a superseded");
    wish_ends(ACME_DENIED, "serial");
    NEED_JOB("r1", "failed", "revoke failed: serial: it did not work");
    NEED_PLAN(n, "backoff");
    assert_int_equal(view(n).plan.failures, 1); /* the order's */
}

static void what_is_revoked_is_due(void **state)
{
    static const char *const cases[] = {"", "it answers late", "somebody else goes on",
                                        "nothing is known of when"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char argument[80];
        another(state, i);
        struct node *n = with_cert();
        snprintf(argument, sizeof argument, "%s keyCompromise", n->r->leaf.serial);
        if (i == 3) {
            store_file_execute(t.file, "DELETE FROM acme_renewal");
        }
        ask_kind("r1", "revoke", argument, "");
        both_pass(LEASE_LOOK_MS);
        assert_int_equal(t.wishes_count, 1);
        assert_false(last_wish()->rollover);
        assert_string_equal(last_wish()->argument, argument);
        if (i == 1) {
            both_pass(MINUTE); /* beats go on */
            assert_true(view(n).holds);
        }
        wish_ends(ACME_FINE, "");
        NEED_JOB("r1", "done", n->r->leaf.serial);
        assert_non_null(strstr(ledger(), ",revoke,ok,,"));
        /* At once, though a certificate came within the hour; and the ledger's other gates hold. */
        NEED_PLAN(n, i == 1 ? "revoked" : "order");
        if (i == 2) { /* remembered by the store */
            close_node(n);
            n = open_node(1);
            both_pass(LEASE_RANK_MS);
        }
        both_pass(MINUTE);
        assert_int_equal(t.jobs_count, 2);
        NEED_PLAN(n, "revoked");
        job_succeeds();
        both_pass(MINUTE);
        assert_int_equal(t.jobs_count, 2);
        NEED_PLAN(n, "not-due"); /* the new one is not */
    }
}

/* A window of the CA's that is still to come does not make what is revoked any better. */
static void a_window_does_not_hide_a_revocation(void **state)
{
    (void)state;
    char body[256], argument[80];
    time_t s = (time_t)((t.wall + 50 * DAY) / 1000);
    struct tm tm;
    char from[32];
    gmtime_r(&s, &tm);
    strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(body, sizeof body, "{\"suggestedWindow\":{\"start\":\"%s\",\"end\":\"%s\"}}", from,
             from);
    t.ari_offered = true;
    t.ari_body = body;
    struct node *n = with_cert();
    snprintf(argument, sizeof argument, "%s superseded", n->r->leaf.serial);
    ask_kind("r1", "revoke", argument, "");
    both_pass(LEASE_LOOK_MS);
    t.mono += 7 * HOUR; /* asked again meanwhile; the lease is lost, and the revocation with it */
    t.wall += 7 * HOUR;
    turn_all();
    assert_true(t.wishes[0]->cancelled);
    both_pass(MINUTE);
    assert_int_equal(t.wishes_count, 2); /* but not the job */
    wish_ends(ACME_FINE, "");
    NEED_PLAN(n, "revoked");
    assert_int_equal(t.jobs_count, 2);
    job_fails("connection");
    unsigned asked = t.ari_asked;
    t.mono += 7 * HOUR;
    t.wall += 7 * HOUR;
    turn_all();
    both_pass(MINUTE);
    assert_true(t.ari_asked > asked); /* the row was written again */
    NEED_PLAN(n, "revoked");
    assert_int_equal(t.jobs_count, 3);
    job_succeeds();
}

static void a_lost_lease_leaves_a_job_to_the_next(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        another(state, i);
        struct node *a = with_cert();
        ask_kind("k1", i == 0 ? "rollover" : "revoke", i == 0 ? "" : "0a superseded", "");
        both_pass(LEASE_LOOK_MS);
        assert_int_equal(t.wishes_count, 1);
        store_file_execute(t.file, "UPDATE lease SET term = 9, holder = 'core-z'");
        if (i < 2) {
            both_pass(LEASE_BEAT_MS);
            assert_true(t.wishes[0]->cancelled);
        } else { /* it finds out first */
            end_wish(last_wish(), &(struct acme_problem){.class = ACME_AGAIN}, true);
            settle();
            assert_false(view(a).holds);
        }
        NEED_JOB("k1", "working", "");
        assert_null(strstr(ledger(), "k1"));
        assert_string_equal(view(a).problem, "");
        both_pass(2 * LEASE_TTL_MS);
        assert_true(view(a).holds);
        assert_int_equal(t.wishes_count, 2);
        wish_ends(ACME_FINE, "");
        NEED_JOB("k1", "done", "");
    }
}

/* ---- a key that cannot be opened here ------------------------------------------------------------ */

static void job_cannot_open(void)
{
    struct acme_outcome o = {
        .problem = {.class = ACME_DENIED, .type = "vault", .text = "the key 0badc0de is lacking"},
        .state = "account"};
    end_job(last_job(), &o);
    settle();
}

static void who_cannot_open_a_key_leaves_it_to_others(void **state)
{
    (void)state;
    struct node *a = open_node(0), *b = open_node(1);
    assert_true(view(a).holds);
    assert_int_equal(view(a).rank, LEASE_FIRST);
    ask("f1", "");
    job_cannot_open();
    assert_false(view(a).holds); /* at once */
    assert_int_equal(view(a).rank, LEASE_LAST);
    assert_string_equal(view(a).problem_type, "vault");
    assert_non_null(strstr(view(a).problem, "core-a"));
    assert_non_null(strstr(view(a).problem, "0badc0de"));
    assert_int_equal(view(a).counts.orders_failed, 0);
    NEED_JOB("f1", "waiting", "others are to try");
    assert_string_equal(ledger(), "");
    both_pass(LEASE_RANK_MS + 2 * LEASE_LOOK_MS);
    assert_true(view(b).holds);
    assert_int_equal(t.jobs_count, 2);
    assert_string_equal(last_job()->session->node->core, "core-b");
    assert_string_equal(last_job()->forced, "f1");
    NEED_PLAN(b, "first"); /* nothing holds it up */
    job_succeeds();
    NEED_JOB("f1", "done", "serial");
    both_pass(20 * MINUTE);
    assert_true(view(b).holds);
    assert_int_equal(t.jobs_count, 2);
}

/* Nobody else is there: it tries again after a while, and who waits is told the second time. */
static void alone_it_tries_again(void **state)
{
    (void)state;
    struct node *a = open_node(0);
    ask("f1", "");
    job_cannot_open();
    NEED_JOB("f1", "waiting", "others are to try");
    both_pass(RENEWER_AWAY_TTLS * LEASE_TTL_MS - 2 * LEASE_LOOK_MS);
    assert_int_equal(t.jobs_count, 1);
    assert_false(view(a).holds);
    ask("f2", ""); /* the same one */
    renewer_wake(a->r);
    settle();
    assert_int_equal(t.jobs_count, 1);
    both_pass(MINUTE);
    assert_int_equal(t.jobs_count, 2);
    job_cannot_open();
    NEED_JOB("f1", "failed", "0badc0de");
    assert_non_null(strstr(ledger(), "f1," HOST "," CA ",forced,failed,"));
    ask("f3", "");
    both_pass((RENEWER_AWAY_TTLS + 1) * LEASE_TTL_MS);
    assert_int_equal(t.jobs_count, 3);
    job_succeeds(); /* it was put right */
    NEED_JOB("f3", "done", "serial");
    assert_int_equal(view(a).rank, LEASE_FIRST);
    assert_string_equal(view(a).problem, "");
    assert_true(view(a).holds);
    /* The same with what is no order. */
    ask_kind("k1", "rollover", "", "");
    both_pass(LEASE_LOOK_MS);
    wish_ends(ACME_DENIED, "vault");
    assert_false(view(a).holds);
    NEED_JOB("k1", "waiting", "others are to try");
    assert_null(strstr(ledger(), "k1"));
    both_pass((RENEWER_AWAY_TTLS + 1) * LEASE_TTL_MS);
    assert_int_equal(t.wishes_count, 2);
    wish_ends(ACME_DENIED, "vault");
    NEED_JOB("k1", "failed", "others are to try");
    assert_non_null(strstr(ledger(), "k1," HOST "," CA ",rollover,failed,vault,"));
    ask_kind("k2", "rollover", "", "");
    both_pass((RENEWER_AWAY_TTLS + 1) * LEASE_TTL_MS);
    assert_int_equal(view(a).rank, LEASE_LAST);
    wish_ends(ACME_FINE, "");
    NEED_JOB("k2", "done", "");
    assert_int_equal(view(a).rank, LEASE_FIRST);
}

/* ---- alarms -------------------------------------------------------------------------------------- */

static void alarms_come_once(void **state)
{
    (void)state;
    struct node *a = open_node(0), *b = open_node(1);
    job_succeeds();
    renewer_wake(b->r);
    settle();
    t.directory_e = ERR_UNAVAIL;
    static const struct {
        int64_t at;
        unsigned alarms[5];
    } cases[] = {{67 * DAY, {0, 0, 0, 0, 0}}, {68 * DAY, {0, 1, 0, 0, 0}},
                 {70 * DAY, {0, 1, 0, 0, 0}}, {82 * DAY, {0, 1, 1, 0, 0}},
                 {86 * DAY, {0, 1, 1, 1, 0}}, {91 * DAY, {0, 1, 1, 1, 1}},
                 {99 * DAY, {0, 1, 1, 1, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wall_passes(t.wall0 + cases[i].at - t.wall);
        assert_memory_equal(a->alarms, cases[i].alarms, sizeof a->alarms);
        assert_memory_equal(b->alarms, cases[i].alarms, sizeof b->alarms); /* each core's own */
    }
    job_succeeds();
    wall_passes(68 * DAY);
    assert_int_equal(a->alarms[1], 2); /* of another one */
    job_succeeds();
}

/* ---- trouble ------------------------------------------------------------------------------------ */

static void a_store_in_trouble_is_tried_again(void **state)
{
    (void)state;
    struct node *n = with_cert();
    store_file_execute(t.file, "ALTER TABLE acme_attempt RENAME TO hidden");
    wall_passes(60 * DAY);
    assert_int_equal(t.jobs_count, 1); /* no decision without the ledger */
    both_pass(LEASE_LOOK_MS);
    assert_int_equal(t.jobs_count, 1);
    store_file_execute(t.file, "ALTER TABLE hidden RENAME TO acme_attempt");
    both_pass(4 * LEASE_LOOK_MS);
    assert_int_equal(t.jobs_count, 2);
    assert_true(view(n).holds);
    job_succeeds();
}

static void what_could_not_be_written_is_written_later(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    struct acme_job *j = last_job();
    struct acme_outcome o = {.ok = true, .generation = 1};
    ask("f1", "");
    put_attempt(&j->fence, CA, "certificate", "ok", "");
    put_cert(&j->fence, 0, NAMES, CA, 90 * DAY, o.serial);
    sqlite3 *db = store_file_connect(t.file);
    store_file_execute_on(db, "BEGIN IMMEDIATE");
    end_job(j, &o);
    settle();
    assert_int_equal(n->stored, 1);
    NEED_JOB("f1", "waiting", "");
    both_pass(LEASE_LOOK_MS); /* once more in vain */
    NEED_JOB("f1", "waiting", "");
    store_file_execute_on(db, "COMMIT");
    sqlite3_close(db);
    both_pass(3 * LEASE_LOOK_MS);
    NEED_JOB("f1", "done", "serial");
    assert_err(ERR_OK, sync_renewal_get(&t.y, HOST));
    assert_int_equal(t.jobs_count, 1);
    NEED_PLAN(n, "not-due");
}

static void clocks_that_jump_make_no_loop(void **state)
{
    static const int64_t jumps[] = {-400 * DAY, 20 * DAY, 10 * DAY, -DAY, 365 * DAY, -365 * DAY};
    (void)state;
    struct node *n = with_cert();
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        size_t before = t.jobs_count;
        wall_passes(jumps[i]); /* settles: no loop */
        both_pass(MINUTE);
        assert_true(t.jobs_count <= before + 1);
        if (t.jobs_count > before) {
            struct acme_outcome o = {.problem = {.class = ACME_AGAIN, .retry_ms = -1}};
            end_job(last_job(), &o);
            settle();
        }
    }
    assert_true(view(n).holds);
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void need_given_back(const char *who)
{
    if (sync_lease_get(&t.y, "acme/" HOST) == ERR_OK) {
        if (strstr(t.y.out.text, "=(") == NULL) {
            fail_msg("%s: %s", who, t.y.out.text);
        }
    }
}

static void closing_is_safe_at_any_moment(void **state)
{
    size_t orders = 0, wishes = 0;
    for (unsigned moment = 0; moment < 60; moment++) {
        another(state, moment);
        t.staging = moment % 2 == 0 ? STAGING : NULL;
        ask("f1", "");
        if (moment % 4 > 1) {
            ask_kind("k1", moment % 4 == 2 ? "rollover" : "revoke", "0a superseded", "");
        }
        struct node *n = open_node_only(0);
        renewer_use_store(n->r, t.y.store, NULL, NULL);
        for (unsigned i = 0; i < moment; i++) {
            if (i % 3 == 2) {
                answer_all();
            }
            if (i % 17 == 16 && t.jobs_count > 0 && !last_job()->ended) {
                struct acme_outcome o = {.ok = true};
                put_attempt(&last_job()->fence, STAGING, "rehearsal", "ok", "");
                end_job(last_job(), &o);
            }
            uv_run(&t.loop, in_flight(n) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        }
        orders += t.jobs_count;
        wishes += t.wishes_count;
        if (moment % 3 == 0) { /* the store goes, and then the renewer */
            renewer_use_store(n->r, NULL, on_flag, &n->gone);
            assert_false(n->gone);
            wait_for(&n->gone);
            need_given_back("gone");
        }
        close_node(n);
        for (size_t i = 0; i < t.jobs_count; i++) {
            assert_true(t.jobs[i]->ended);
        }
        need_given_back("closed");
    }
    assert_true(orders > 10);
    assert_true(wishes > 3);
}

static void a_store_may_go_and_come(void **state)
{
    (void)state;
    struct node *n = with_cert();
    for (int i = 0; i < 3; i++) {
        n->gone = false;
        renewer_use_store(n->r, NULL, on_flag, &n->gone);
        wait_for(&n->gone);
        assert_false(view(n).holds);
        t.wall += HOUR;
        turn_all();
        renewer_use_store(n->r, t.y.store, NULL, NULL);
        settle();
        assert_true(view(n).holds);
        NEED_PLAN(n, "not-due");
    }
    assert_int_equal(t.jobs_count, 1);
}

/* Not even when there is no lease to be given back first. */
static void a_store_is_not_let_go_under_a_job(void **state)
{
    (void)state;
    struct node *n = with_cert();
    ask_kind("k1", "rollover", "", "");
    both_pass(LEASE_LOOK_MS);
    t.mono += LEASE_GIVE_UP_MS;
    renewer_turn(n->r);
    assert_true(last_wish()->cancelled);
    renewer_use_store(n->r, NULL, on_flag, &n->gone);
    for (int i = 0; i < 1000; i++) {
        uv_run(&t.loop, in_flight(n) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    assert_false(n->gone);
    wait_for(&n->gone);
    NEED_JOB("k1", "working", "");
}

static void what_was_won_is_written_down_by_who_leaves(void **state)
{
    (void)state;
    struct node *n = open_node(0);
    struct acme_job *j = last_job();
    struct acme_outcome o = {.ok = true, .generation = 1, .serial = "ab"};
    ask("f1", "");
    put_attempt(&j->fence, CA, "certificate", "ok", "");
    renewer_close(n->r, on_flag, &n->closed);
    end_job(j, &o); /* it was done just then */
    wait_for(&n->closed);
    assert_int_equal(n->stored, 1);
    NEED_JOB("f1", "done", "serial ab");
    need_given_back("closed");
}

static int quiet(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_certificate),
        TEST(it_is_renewed_when_it_is_due),
        TEST(before_the_first_one_it_is_rehearsed),
        TEST(another_cas_certificate_is_replaced),
        TEST(the_moment_of_a_window_is_kept),
        TEST(a_refused_replacement_is_not_named_again),
        TEST(what_is_known_of_another_certificate_does_not_count),
        TEST(without_renewal_information_it_goes_on),
        TEST(short_times_are_ours_not_the_cas),
        TEST(a_ca_without_renewal_information_is_not_asked),
        TEST(a_restart_does_not_empty_the_ledger),
        TEST(a_failure_that_is_in_no_ledger_is_not_repeated_at_once),
        TEST(kinds_of_failures_are_bounded),
        TEST(a_wrong_clock_orders_nothing),
        TEST(who_asks_is_told_which_gate_is_shut),
        TEST(a_job_that_fails_says_why),
        TEST(a_job_ends_with_the_order_that_is_under_way),
        TEST(a_job_waits_for_the_rehearsal_too),
        TEST(a_paused_account_waits),
        TEST(an_order_that_was_begun_is_gone_on_with),
        TEST(two_cores_order_once),
        TEST(a_sleeper_is_replaced_and_stops),
        TEST(a_better_core_gets_it_when_nothing_is_under_way),
        TEST(a_refused_write_is_the_end_of_it),
        TEST(an_accounts_key_is_changed_on_request),
        TEST(what_is_asked_for_waits_for_an_order_alone),
        TEST(what_is_revoked_is_due),
        TEST(a_window_does_not_hide_a_revocation),
        TEST(a_lost_lease_leaves_a_job_to_the_next),
        TEST(who_cannot_open_a_key_leaves_it_to_others),
        TEST(alone_it_tries_again),
        TEST(alarms_come_once),
        TEST(a_store_in_trouble_is_tried_again),
        TEST(what_could_not_be_written_is_written_later),
        TEST(clocks_that_jump_make_no_loop),
        TEST(closing_is_safe_at_any_moment),
        TEST(a_store_may_go_and_come),
        TEST(a_store_is_not_let_go_under_a_job),
        TEST(what_was_won_is_written_down_by_who_leaves),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}

/* What is known of getting certificates: attempts, renewals, jobs, witnesses. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <string.h>

static const struct store_fence held = {.name = "acme/h", .holder = "a", .term = 1};

static void take(struct suite *t)
{
    assert_err(ERR_OK, sync_lease_take(&t->a, held.name, 0, 0, held.holder));
}

static void assert_out(const struct suite *t, const char *expected)
{
    assert_string_equal(expected, t->a.out.text);
}

/* ---- the ledger ------------------------------------------------------------------------------ */

static void attempt_life(struct suite *t)
{
    struct store_attempt a = {.id = "i1",
                              .hostname = "h",
                              .directory = "d",
                              .kind = "order",
                              .outcome = "open",
                              .problem = "",
                              .text = "",
                              .core = "a",
                              .at_ms = 10,
                              .retry_ms = 0};
    take(t);
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a));
    a.id = "i2";
    a.at_ms = 20;
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a));
    a.id = "i3";
    a.hostname = "g";
    a.at_ms = 15;
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a));
    /* How it ended; when it was begun, and by whom, stays. */
    a = (struct store_attempt){.id = "i1",
                               .hostname = "x",
                               .directory = "x",
                               .kind = "x",
                               .outcome = "failed",
                               .problem = "rateLimited",
                               .text = "too many",
                               .core = "x",
                               .at_ms = 99,
                               .retry_ms = 500};
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a));
#define I1 "i1,h,d,order,failed,rateLimited,too many,a,10,500"
#define I2 "i2,h,d,order,open,,,a,20,0"
#define I3 "i3,g,d,order,open,,,a,15,0"
    const struct {
        const char *hostname;
        int64_t since_ms;
        size_t max;
        const char *expected;
    } cases[] = {
        {"h", 0, 10, I2 " " I1},   {"h", 10, 10, I2 " " I1},
        {"h", 11, 10, I2},         {"h", 21, 10, ""},
        {"h", 0, 1, I2},           {"x", 0, 10, ""},
        {NULL, 0, 2, I2 " " I3},   {NULL, 0, 10, I2 " " I3 " " I1},
        {NULL, 15, 10, I2 " " I3},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        size_t k = i / 2;
        assert_err(ERR_OK, sync_attempts(&t->a, cases[k].hostname, cases[k].since_ms, cases[k].max,
                                         i % 2 == 0));
        assert_out(t, cases[k].expected);
    }
    assert_err(ERR_LIMIT, sync_attempts(&t->a, "h", 0, 0, false));
    assert_err(ERR_LIMIT, sync_attempts(&t->a, "h", 0, SIZE_MAX, false));
    a.id = "";
    assert_err(ERR_MALFORMED, sync_attempt_put(&t->a, &held, &a));
}

/* A ledger as full as it may be, on any engine with one statement. */
#define FILL(what)                                                                                 \
    "INSERT INTO " what " FROM (WITH RECURSIVE c(i) AS"                                            \
    " (SELECT 0 UNION ALL SELECT i + 1 FROM c LIMIT 600) SELECT i FROM c) "

static size_t count_items(const struct suite *t)
{
    size_t n = t->a.out.len > 0;
    for (const char *at = t->a.out.text; *at != '\0'; at++) {
        n += *at == ' ';
    }
    return n;
}

static void attempt_keep(struct suite *t)
{
    struct store_attempt a = {.id = "new",
                              .hostname = "h",
                              .directory = "d",
                              .kind = "order",
                              .outcome = "open",
                              .problem = "",
                              .text = "",
                              .core = "a",
                              .at_ms = -5}; /* a clock that was set back: it counts all the same */
    take(t);
    suite_execute(t, FILL("acme_attempt(id, hostname, directory, kind, outcome, problem, text,"
                          " core, at_ms, retry_ms) SELECT 'i' || i, 'h', 'd', 'order', 'ok', '',"
                          " '', 'a', i, 0"));
    suite_execute(t, FILL("acme_attempt(id, hostname, directory, kind, outcome, problem, text,"
                          " core, at_ms, retry_ms) SELECT 'g' || i, 'g', 'd', 'order', 'ok', '',"
                          " '', 'a', i, 0"));
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_attempts(&t->a, "h", -10, 1000, true));
    assert_int_equal(STORE_ATTEMPT_KEEP, count_items(t));
    assert_non_null(strstr(t->a.out.text, "new,h,"));
    assert_non_null(strstr(t->a.out.text, "i599,h,"));
    assert_non_null(strstr(t->a.out.text, "i101,h,"));
    assert_null(strstr(t->a.out.text, "i100,h,"));
    a.outcome = "ok";
    assert_err(ERR_OK, sync_attempt_put(&t->a, &held, &a)); /* the same: nothing goes for it */
    assert_err(ERR_OK, sync_attempts(&t->a, "h", -10, 1000, true));
    assert_int_equal(STORE_ATTEMPT_KEEP, count_items(t));
    assert_err(ERR_OK, sync_attempts(&t->a, "g", -10, 1000, true));
    assert_int_equal(600, count_items(t)); /* another's is not touched */
}

static void renewal_life(struct suite *t)
{
    struct store_renewal r = {.hostname = "h",
                              .serial = "0a",
                              .renew_ms = 1,
                              .ari_start_ms = 2,
                              .ari_end_ms = 3,
                              .ari_next_ms = 4,
                              .explanation = "e",
                              .replaced = "r",
                              .revoked_ms = 5};
    take(t);
    assert_err(ERR_NOTFOUND, sync_renewal_get(&t->a, "h"));
    assert_err(ERR_OK, sync_renewal_put(&t->a, &held, &r));
    assert_err(ERR_OK, sync_renewal_get(&t->a, "h"));
    assert_out(t, "h,0a,1,2,3,4,e,r,5");
    r = (struct store_renewal){
        .hostname = "h", .serial = "0b", .renew_ms = 9, .explanation = "", .replaced = ""};
    assert_err(ERR_OK, sync_renewal_put(&t->a, &held, &r));
    assert_err(ERR_OK, sync_renewal_get(&t->a, "h"));
    assert_out(t, "h,0b,9,0,0,0,,,0");
    assert_err(ERR_NOTFOUND, sync_renewal_get(&t->a, "g"));
    r.hostname = "";
    assert_err(ERR_MALFORMED, sync_renewal_put(&t->a, &held, &r));
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static struct store_job job_of(const char *id, const char *hostname)
{
    return (struct store_job){.id = id,
                              .hostname = hostname,
                              .kind = "renew",
                              .argument = "",
                              .state = "waiting",
                              .by = "api",
                              .override = "limit",
                              .text = "t",
                              .asked_ms = 7};
}

static void job_life(struct suite *t)
{
    struct store_job j = job_of("j1", "h");
    const struct store_job second = job_of("j2", "h"), other = job_of("j1", "g");
    const struct store_job unknown = job_of("j9", "h"), elsewhere = job_of("j3", "f");
    take(t);
    assert_err(ERR_NOTFOUND, sync_job_get(&t->a, "j1"));
    assert_err(ERR_NOTFOUND, sync_job_open(&t->a, "h", NULL));
    assert_err(ERR_OK, sync_job_ask(&t->a, &j));
    assert_out(t, "j1,h,renew,,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &second)); /* asking twice is asking once */
    assert_out(t, "j1,h,renew,,waiting,api,limit,t,7,0");
    assert_err(ERR_NOTFOUND, sync_job_get(&t->a, "j2"));
    assert_err(ERR_CONFLICT, sync_job_ask(&t->a, &other)); /* the id is taken */
    j.state = "working";
    j.text = "on it";
    assert_err(ERR_OK, sync_job_put(&t->a, &held, &j));
    assert_err(ERR_OK, sync_job_ask(&t->a, &second));
    assert_out(t, "j1,h,renew,,working,api,limit,on it,7,0");
    assert_err(ERR_OK, sync_job_open(&t->a, "h", NULL));
    assert_out(t, "j1,h,renew,,working,api,limit,on it,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &elsewhere)); /* each hostname has its own */
    assert_out(t, "j3,f,renew,,waiting,api,limit,t,7,0");
    j.state = "done";
    j.text = "";
    j.ended_ms = 9;
    assert_err(ERR_OK, sync_job_put(&t->a, &held, &j));
    assert_err(ERR_NOTFOUND, sync_job_open(&t->a, "h", NULL));
    assert_err(ERR_OK, sync_job_ask(&t->a, &second)); /* a new one */
    assert_out(t, "j2,h,renew,,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &j)); /* the same again is that one, ended or not */
    assert_out(t, "j1,h,renew,,done,api,limit,,7,9");
    assert_err(ERR_OK, sync_job_get(&t->a, "j1"));
    assert_err(ERR_CONFLICT, sync_job_put(&t->a, &held, &unknown));
    j.id = "";
    assert_err(ERR_MALFORMED, sync_job_ask(&t->a, &j));
}

/* Each kind is asked for on its own; which one is carried out next is the first that was asked for. */
static void job_kinds(struct suite *t)
{
    struct store_job revoke = job_of("j1", "h"), rollover = job_of("j2", "h");
    struct store_job renew = job_of("j3", "h"), again = job_of("j4", "h");
    take(t);
    revoke.kind = again.kind = "revoke";
    revoke.argument = "0a superseded";
    again.argument = "0b keyCompromise";
    rollover.kind = "rollover";
    assert_err(ERR_OK, sync_job_ask(&t->a, &revoke));
    assert_out(t, "j1,h,revoke,0a superseded,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &rollover));
    assert_out(t, "j2,h,rollover,,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &renew));
    assert_out(t, "j3,h,renew,,waiting,api,limit,t,7,0");
    assert_err(ERR_OK,
               sync_job_ask(&t->a, &again)); /* not another one's, and what was asked stays */
    assert_out(t, "j1,h,revoke,0a superseded,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_open(&t->a, "h", NULL));
    assert_out(t, "j1,h,revoke,0a superseded,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_open(&t->a, "h", "renew"));
    assert_out(t, "j3,h,renew,,waiting,api,limit,t,7,0");
    revoke.state = "done";
    assert_err(ERR_OK, sync_job_put(&t->a, &held, &revoke));
    assert_err(ERR_NOTFOUND, sync_job_open(&t->a, "h", "revoke"));
    assert_err(ERR_OK, sync_job_open(&t->a, "h", NULL));
    assert_out(t, "j2,h,rollover,,waiting,api,limit,t,7,0");
    assert_err(ERR_OK, sync_job_ask(&t->a, &again));
    assert_out(t, "j4,h,revoke,0b keyCompromise,waiting,api,limit,t,7,0");
    again.id = "j3"; /* the id is taken by one of another kind */
    again.kind = "unheard";
    assert_err(ERR_CONFLICT, sync_job_ask(&t->a, &again));
    again.kind = "";
    assert_err(ERR_MALFORMED, sync_job_ask(&t->a, &again));
}

static void job_keep(struct suite *t)
{
    const struct store_job last = job_of("last", "h");
    struct store_job j = last;
    take(t);
    suite_execute(t,
                  FILL("acme_job(id, hostname, kind, argument, state, asked_by, passes_over, text,"
                       " asked_ms, ended_ms) SELECT 'j' || i, iif(i < 300, 'h', 'g'), 'renew', '',"
                       " 'failed', 'a', '', '', 0, 1"));
    assert_err(ERR_OK, sync_job_ask(&t->a, &last));
    j.state = "done";
    assert_err(ERR_OK, sync_job_put(&t->a, &held, &j));
    assert_err(ERR_OK, sync_job_get(&t->a, "last"));
    assert_err(ERR_OK, sync_job_get(&t->a, "j299"));
    assert_err(ERR_OK, sync_job_get(&t->a, "j281")); /* with it: 20 */
    assert_err(ERR_NOTFOUND, sync_job_get(&t->a, "j280"));
    assert_err(ERR_NOTFOUND, sync_job_get(&t->a, "j0"));
    assert_err(ERR_OK, sync_job_get(&t->a, "j300")); /* another's is not touched */
}

struct asked {
    bool done;
    char id[16];
};

static void on_asked(void *ctx, enum err e, const struct err_info *info,
                     const struct store_job *job)
{
    struct asked *a = ctx;
    (void)info;
    assert_err(ERR_OK, e);
    snprintf(a->id, sizeof a->id, "%s", job->id);
    a->done = true;
}

/* Two cores at once: it is one job, and both are told which. */
static void job_race(struct suite *t)
{
    take(t);
    suite_open_b(t);
    for (unsigned i = 0; i < 30; i++) {
        struct asked a = {.done = false}, b = {.done = false};
        char ids[2][16];
        snprintf(ids[0], sizeof ids[0], "a%u", i);
        snprintf(ids[1], sizeof ids[1], "b%u", i);
        struct store_job one = job_of(ids[0], "h"), two = job_of(ids[1], "h");
        store_job_ask(t->a.store, &one, on_asked, &a);
        store_job_ask(t->b.store, &two, on_asked, &b);
        sync_wait(&t->loop, &a.done);
        sync_wait(&t->loop, &b.done);
        assert_string_equal(a.id, b.id);
        assert_true(strcmp(a.id, ids[0]) == 0 || strcmp(a.id, ids[1]) == 0);
        one.id = a.id;
        one.state = "failed";
        assert_err(ERR_OK, sync_job_put(&t->a, &held, &one));
    }
}

/* ---- witnesses ------------------------------------------------------------------------------- */

static void witness_life(struct suite *t)
{
    const struct store_witness list[] = {
        {"a", "n", "192.0.2.0/24", "udp", "2 values", 20, 3},
        {"a", "m", "2001:db8::/48", "tcp", "NXDOMAIN", 10, 1},
        {"b", "n", "192.0.2.0/24", "udp", "2 values", 30, 5},
    };
    struct store_witness again = list[0];
    assert_err(ERR_OK, sync_witness_put(&t->a, list, 3));
    again.at_ms = 15; /* told late: the last one was later */
    again.count = 4;
    assert_err(ERR_OK, sync_witness_put(&t->a, &again, 1));
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_out(t, "a,m,2001:db8::/48,tcp,NXDOMAIN,10,1 a,n,192.0.2.0/24,udp,2 values,20,7 "
                  "b,n,192.0.2.0/24,udp,2 values,30,5");
    assert_err(ERR_OK, sync_witnesses(&t->a, "n", 21));
    assert_out(t, "b,n,192.0.2.0/24,udp,2 values,30,5");
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 20));
    assert_out(t, "a,n,192.0.2.0/24,udp,2 values,20,7 b,n,192.0.2.0/24,udp,2 values,30,5");
    again.at_ms = 40;
    again.count = 1;
    assert_err(ERR_OK, sync_witness_put(&t->a, &again, 1));
    assert_err(ERR_OK, sync_witnesses(&t->a, "n", 31));
    assert_out(t, "a,n,192.0.2.0/24,udp,2 values,40,8");
    assert_err(ERR_OK, sync_witness_put(&t->a, list, 0));
    again.name = "";
    assert_err(ERR_MALFORMED, sync_witness_put(&t->a, &again, 1));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision);
}

static void witness_keep(struct suite *t)
{
    struct store_witness list[STORE_WITNESS_KEEP + 1];
    char sources[STORE_WITNESS_KEEP + 1][16];
    for (size_t i = 0; i <= STORE_WITNESS_KEEP; i++) {
        snprintf(sources[i], sizeof sources[i], "s%03zu", i);
        list[i] = (struct store_witness){"a", "n", sources[i], "udp", "x", (int64_t)i, 1};
    }
    assert_err(ERR_LIMIT, sync_witness_put(&t->a, list, STORE_WITNESS_KEEP + 1));
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_out(t, "");
    assert_err(ERR_OK, sync_witness_put(&t->a, list, STORE_WITNESS_KEEP));
    list[1].core = "b";
    assert_err(ERR_OK, sync_witness_put(&t->a, &list[1], 1));
    assert_err(ERR_OK, sync_witness_put(&t->a, &list[STORE_WITNESS_KEEP], 1));
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_int_equal(STORE_WITNESS_KEEP + 1, count_items(t));
    assert_null(strstr(t->a.out.text, "s000"));
    assert_non_null(strstr(t->a.out.text, "a,n,s001"));
    assert_non_null(strstr(t->a.out.text, "b,n,s001"));
    assert_non_null(strstr(t->a.out.text, "a,n,s200"));
    /* Of several cores in one go, each is held to it. */
    list[0].core = "b";
    suite_execute(t, FILL("acme_witness(core, name, source, transport, answer, at_ms, count)"
                          " SELECT 'b', 'z', i, 'udp', 'x', 1000 + i, 1"));
    list[2].at_ms = 9999;
    list[0].at_ms = 9999;
    const struct store_witness mixed[] = {list[2], list[0]};
    assert_err(ERR_OK, sync_witness_put(&t->a, mixed, 2));
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_int_equal(2 * STORE_WITNESS_KEEP, count_items(t));
}

/* A core that is taken out leaves nothing of what it told of itself. */
static void witness_of_core(struct suite *t)
{
    const struct store_core core = {.id = "a", .available = true};
    const struct store_witness list[] = {{"a", "n", "s", "udp", "x", 1, 1},
                                         {"b", "n", "s", "udp", "x", 1, 1}};
    assert_err(ERR_OK, sync_core_put(&t->a, &core, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_witness_put(&t->a, list, 2));
    assert_err(ERR_OK, sync_core_delete(&t->a, "a", false));
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_out(t, "b,n,s,udp,x,1,1");
}

const struct suite_test suite_ledger[] = {
    {"attempt_life", attempt_life},
    {"attempt_keep", attempt_keep},
    {"renewal_life", renewal_life},
    {"job_life", job_life},
    {"job_kinds", job_kinds},
    {"job_keep", job_keep},
    {"job_race", job_race},
    {"witness_life", witness_life},
    {"witness_keep", witness_keep},
    {"witness_of_core", witness_of_core},
    {NULL, NULL},
};

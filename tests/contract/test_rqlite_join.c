/* Cores that come in and go, where it matters: through two nodes at once, with answers that get lost,
 * and on a node that does not hear of the others any more. On each version of rqlite there is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lossy.h"
#include "rqlite_server.h"
#include "store_sync.h"

#define CROWD 20

static const char *program; /* the version under test */

struct fixture {
    uv_loop_t loop;
    struct rqlite_server *one, *two; /* two follows one */
    struct lossy lossy;              /* in front of one */
    struct sync a, b;                /* through it; on two */
};

static int setup(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    assert_int_equal(0, uv_loop_init(&t->loop));
    t->one = rqlite_server_new(program);
    t->one->number = 1;
    rqlite_server_start(t->one, true);
    t->two = rqlite_server_new(program);
    t->two->number = 2;
    t->two->join_port = t->one->raft_port;
    rqlite_server_start(t->two, true);
    lossy_open(&t->lossy, &t->loop, t->one->http_port);
    struct store_options through = t->one->options;
    through.rqlite.url = t->lossy.url;
    assert_err(ERR_OK, sync_open(&t->a, &t->loop, &through));
    assert_err(ERR_OK, sync_open(&t->b, &t->loop, &t->two->options));
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    sync_close(&t->a);
    sync_close(&t->b);
    lossy_close(&t->lossy);
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t->loop));
    rqlite_server_free(t->one);
    rqlite_server_free(t->two);
    free(t);
    return 0;
}

struct names {
    char id[12], ip[24], token[12], serial[12];
};

static struct store_letting letting_of(struct names *n, unsigned id, unsigned ip, unsigned token)
{
    snprintf(n->id, sizeof n->id, "b%u", id);
    snprintf(n->ip, sizeof n->ip, "192.0.2.%u", ip);
    snprintf(n->token, sizeof n->token, "t%u", token);
    snprintf(n->serial, sizeof n->serial, "%04x", token);
    return (struct store_letting){
        .core = {.id = n->id, .ip = n->ip},
        .token = {.hash = n->token, .core = n->id, .issued_ms = 100, .expires_ms = 1000},
        .cert = {.serial = n->serial,
                 .core = n->id,
                 .fingerprint = "aa",
                 .issued_ms = 100,
                 .expires_ms = 5000},
        .now_ms = 100};
}

static void issue(struct sync *y, unsigned id, unsigned token)
{
    struct names n;
    const struct store_letting l = letting_of(&n, id, 2 + id, token);
    assert_err(ERR_OK, sync_admission_issue(y, &l));
}

static enum err ack(struct sync *y, unsigned id, unsigned token)
{
    struct names n;
    const struct store_letting l = letting_of(&n, id, 0, token);
    const struct store_ack a = {l.token.hash, l.core.id, "AA", "x", 200};
    return sync_admission_ack(y, &a);
}

/* ---- lost answers ---------------------------------------------------------------------------- */

/* The next write's answer is lost; CALL must tell OUT all the same. */
#define LOSING(t, expected, call)                                                                  \
    do {                                                                                           \
        (t)->lossy.lose = 1;                                                                       \
        (t)->lossy.lost = 0;                                                                       \
        assert_err(ERR_OK, call);                                                                  \
        assert_int_equal(1, (t)->lossy.lost);                                                      \
        assert_string_equal(expected, (t)->a.out.text);                                            \
    } while (0)

static void lost_answers(void **state)
{
    struct fixture *t = *state;
    struct names n;
    const struct store_letting first = letting_of(&n, 0, 2, 0);
    LOSING(t, "", sync_admission_issue(&t->a, &first));
    assert_err(ERR_OK, sync_tokens(&t->b));
    assert_string_equal("t0,b0,100,1000,0,0,,", t->b.out.text);
    LOSING(t, "1,1 deleted", sync_admission_withdraw(&t->a, "b0", NULL, 300));
    issue(&t->a, 0, 1);
    LOSING(t, "acked", ack(&t->a, 0, 1));
    assert_err(ERR_OK, ack(&t->a, 0, 1));
    assert_string_equal("again", t->a.out.text);
    LOSING(t, "", sync_admission_finish(&t->a, "b0", true));
    assert_err(ERR_OK, sync_record(&t->a, "b0", NULL, "{\"a\":[\"192.0.2.2\"]}"));
    LOSING(t, "0,1 deleted record", sync_core_retire(&t->a, "b0", false, 300));
    issue(&t->a, 0, 2);
    LOSING(t, "", sync_node_certs_revoke(&t->a, "b0", NULL, 300, "x"));
    assert_int_equal(1, t->a.tally.updated);
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
    assert_string_equal("0002,b0,aa,100,5000,300,x 0001,b0,aa,100,5000,300,removed"
                        " 0000,b0,aa,100,5000,300,withdrawn",
                        t->a.out.text);
}

/* ---- two nodes at once ----------------------------------------------------------------------- */

struct outcome {
    unsigned *ended;
    enum err e;
    enum store_acked how;
};

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    struct outcome *o = ctx;
    (void)info;
    o->e = e;
    ++*o->ended;
}

static void on_ack(void *ctx, enum err e, const struct err_info *info, enum store_acked how)
{
    ((struct outcome *)ctx)->how = how;
    on_done(ctx, e, info);
}

static void one_ack(void **state)
{
    struct fixture *t = *state;
    struct outcome outcomes[CROWD];
    unsigned acked = 0, consumed = 0, by_a = 0;
    for (unsigned round = 0; round < 5; round++) {
        unsigned ended = 0;
        struct names n;
        const struct store_letting l = letting_of(&n, round, 2 + round, round);
        assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
        for (unsigned i = 0; i < CROWD; i++) {
            char from[24];
            snprintf(from, sizeof from, "192.0.2.%u", i);
            const struct store_ack a = {l.token.hash, l.core.id, "aa", from, 200};
            outcomes[i] = (struct outcome){.ended = &ended};
            store_admission_ack((i + round) % 2 == 0 ? t->b.store : t->a.store, &a, on_ack,
                                &outcomes[i]);
        }
        sync_wait_count(&t->loop, &ended, CROWD);
        for (unsigned i = 0; i < CROWD; i++) {
            assert_err(ERR_OK, outcomes[i].e);
            acked += outcomes[i].how == STORE_ACKED;
            by_a += outcomes[i].how == STORE_ACKED && (i + round) % 2 != 0;
            consumed += outcomes[i].how == STORE_ACK_CONSUMED;
        }
        assert_int_equal(1 + round, acked);
        assert_int_equal((1 + round) * (CROWD - 1), consumed);
    }
    print_message("the leader's core won %u of 5\n", by_a);
}

static void one_address(void **state)
{
    struct fixture *t = *state;
    struct outcome outcomes[CROWD];
    unsigned ended = 0, ok = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, i, 2, i);
        outcomes[i] = (struct outcome){.ended = &ended};
        store_admission_issue(i % 2 == 0 ? t->b.store : t->a.store, &l, on_done, &outcomes[i]);
    }
    sync_wait_count(&t->loop, &ended, CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_true(outcomes[i].e == ERR_OK || outcomes[i].e == ERR_CONFLICT);
        ok += outcomes[i].e == ERR_OK;
    }
    assert_int_equal(1, ok);
    assert_err(ERR_OK, sync_tokens(&t->b));
    assert_null(strchr(t->b.out.text, ' '));
}

/* What one node has acknowledged, the other judges by at once. */
static void at_once(void **state)
{
    struct fixture *t = *state;
    for (unsigned i = 0; i < 10; i++) {
        issue(&t->a, 0, 2 * i);
        assert_err(ERR_OK, sync_admission_get(&t->b, "b0"));
        assert_non_null(strstr(t->b.out.text, "b0,issued,"));
        assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b0", NULL, 300));
        assert_err(ERR_OK, ack(&t->b, 0, 2 * i));
        assert_string_equal("revoked", t->b.out.text);
        issue(&t->a, 0, 2 * i + 1);
        assert_err(ERR_OK, ack(&t->b, 0, 2 * i + 1));
        assert_string_equal("acked", t->b.out.text);
        assert_err(ERR_OK, sync_core_retire(&t->a, "b0", false, 300));
        assert_string_equal("0,1 deleted", t->a.out.text);
        assert_err(ERR_CONFLICT, sync_admission_finish(&t->b, "b0", true));
    }
}

/* Cut off from the others, nobody is let in, and nobody is told that he was. */
static void cut_off(void **state)
{
    struct fixture *t = *state;
    struct names n;
    const struct store_letting l = letting_of(&n, 1, 3, 1);
    struct store_options hasty = t->two->options;
    hasty.busy_ms = 500;
    issue(&t->b, 0, 0);
    sync_close(&t->b);
    assert_err(ERR_OK, sync_open(&t->b, &t->loop, &hasty));
    sync_close(&t->a);
    rqlite_server_stop(t->one, SIGKILL);
    rqlite_server_await_leader(t->two, false);
    const enum err refused[] = {
        sync_admission_issue(&t->b, &l),
        ack(&t->b, 0, 0),
        sync_admission_finish(&t->b, "b0", true),
        sync_admission_withdraw(&t->b, "b0", NULL, 300),
        sync_core_retire(&t->b, "b0", true, 300),
        sync_admission_get(&t->b, "b0"),
        sync_tokens(&t->b),
        sync_node_certs_revoke(&t->b, "b0", NULL, 300, "x"),
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_true(refused[i] == ERR_UNAVAIL || refused[i] == ERR_TIMEOUT);
    }
    assert_err(ERR_OK,
               sync_node_certs(&t->b, NULL, true, 0)); /* who is revoked it goes on knowing */
}

static int run_on(const char *path)
{
    char version[32], name[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lost_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(one_ack, setup, teardown),
        cmocka_unit_test_setup_teardown(one_address, setup, teardown),
        cmocka_unit_test_setup_teardown(at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_off, setup, teardown),
    };
    program = path;
    snprintf(name, sizeof name, "rqlite %s", rqlite_server_version(path, version));
    return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof tests[0], NULL, NULL);
}

int main(void)
{
    char **programs = rqlite_server_programs();
    int failed = 0;
    for (size_t i = 0; programs[i] != NULL; i++) {
        failed += run_on(programs[i]);
    }
    free(programs);
    return failed;
}

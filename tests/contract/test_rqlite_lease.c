/* Leases where they matter: two cores, each with a node of its own, that want the same at once; and one
 * that does not hear of the others any more. On each version of rqlite there is. */
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
#include "rqlite_server.h"
#include "store_sync.h"

#define LEASE "acme/*.mc.example.com"

static const char *program; /* the version under test */

struct core {
    struct rqlite_server *node;
    struct sync y;
};

struct fixture {
    uv_loop_t loop;
    struct core a, b; /* b's node follows a's */
};

static int setup(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    assert_int_equal(0, uv_loop_init(&t->loop));
    t->a.node = rqlite_server_new(program);
    t->a.node->number = 1;
    rqlite_server_start(t->a.node, true);
    t->b.node = rqlite_server_new(program);
    t->b.node->number = 2;
    t->b.node->join_port = t->a.node->raft_port;
    rqlite_server_start(t->b.node, true);
    assert_err(ERR_OK, sync_open(&t->a.y, &t->loop, &t->a.node->options));
    assert_err(ERR_OK, sync_open(&t->b.y, &t->loop, &t->b.node->options));
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    sync_close(&t->a.y);
    sync_close(&t->b.y);
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t->loop));
    rqlite_server_free(t->a.node);
    rqlite_server_free(t->b.node);
    free(t);
    return 0;
}

struct outcome {
    bool done;
    enum err e;
    char id[16];
};

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    struct outcome *o = ctx;
    (void)info;
    o->e = e;
    o->done = true;
}

static void assert_lease(struct sync *y, const char *holder, unsigned term)
{
    char expected[100];
    snprintf(expected, sizeof expected, LEASE "=%s(%u,0)", holder, term);
    assert_err(ERR_OK, sync_lease_get(y, LEASE));
    assert_string_equal(expected, y->out.text);
}

/* Exactly one of the two has it, and both nodes know at once which: a lease is read as it was
 * acknowledged, not as a node happens to have it. */
static void one_of_two(void **state)
{
    struct fixture *t = *state;
    struct store_lease seen = {.name = LEASE, .holder = ""};
    unsigned won_by_a = 0;
    for (unsigned term = 0; term < 20; term++) {
        struct outcome a = {.done = false}, b = {.done = false};
        seen.term = term;
        if (term % 2 == 0) {
            store_lease_take(t->a.y.store, &seen, "a", on_done, &a);
        }
        store_lease_take(t->b.y.store, &seen, "b", on_done, &b);
        if (term % 2 != 0) {
            store_lease_take(t->a.y.store, &seen, "a", on_done, &a);
        }
        sync_wait(&t->loop, &a.done);
        sync_wait(&t->loop, &b.done);
        assert_true(a.e == ERR_OK || b.e == ERR_OK);
        assert_err(ERR_CONFLICT, a.e == ERR_OK ? b.e : a.e);
        won_by_a += a.e == ERR_OK;
        assert_lease(&t->b.y, a.e == ERR_OK ? "a" : "b", term + 1);
        assert_lease(&t->a.y, a.e == ERR_OK ? "a" : "b", term + 1);
    }
    print_message("the leader's core won %u of 20\n", won_by_a);
}

static enum err put_order(struct core *c, const char *holder, uint64_t term, const char *state)
{
    const struct store_fence fence = {.name = LEASE, .holder = holder, .term = term};
    const struct store_order o = {.hostname = "h",
                                  .id = "id",
                                  .directory = "d",
                                  .purpose = "issue",
                                  .state = state,
                                  .url = "",
                                  .names = "[]",
                                  .key = "",
                                  .replaces = "",
                                  .detail = "{}"};
    return sync_order_put(&c->y, &fence, &o);
}

/* What one core has written under the lease, the next one reads at once, and the first can write
 * nothing more, not even on a node that has not heard of the change. */
static void passed_on(void **state)
{
    struct fixture *t = *state;
    for (unsigned term = 0; term < 20; term += 2) {
        char step[16];
        assert_err(ERR_OK, sync_lease_take(&t->a.y, LEASE, term, 0, "a"));
        snprintf(step, sizeof step, "step%u", term);
        assert_err(ERR_OK, put_order(&t->a, "a", term + 1, step));
        assert_err(ERR_OK, sync_order_get(&t->b.y, "h"));
        assert_non_null(strstr(t->b.y.out.text, step));
        assert_err(ERR_OK, sync_lease_take(&t->b.y, LEASE, term + 1, 0, "b"));
        assert_err(ERR_DENIED, put_order(&t->a, "a", term + 1, "stale"));
        assert_err(ERR_OK, put_order(&t->b, "b", term + 2, "fresh"));
        assert_err(ERR_DENIED, put_order(&t->a, "a", term + 1, "stale"));
        assert_err(ERR_OK, sync_order_get(&t->a.y, "h"));
        assert_non_null(strstr(t->a.y.out.text, ",fresh,"));
    }
}

static void on_job(void *ctx, enum err e, const struct err_info *info, const struct store_job *job)
{
    struct outcome *o = ctx;
    (void)info;
    o->e = e;
    snprintf(o->id, sizeof o->id, "%s", job != NULL ? job->id : "");
    o->done = true;
}

static void one_job(void **state)
{
    struct fixture *t = *state;
    struct store_job job = {.kind = "renew",
                            .argument = "",
                            .state = "waiting",
                            .by = "api",
                            .override = "",
                            .text = "",
                            .asked_ms = 1};
    for (unsigned i = 0; i < 20; i++) {
        struct outcome a = {.done = false}, b = {.done = false};
        char hostname[16];
        snprintf(hostname, sizeof hostname, "h%u", i);
        char ids[2][16];
        snprintf(ids[0], sizeof ids[0], "a%u", i);
        snprintf(ids[1], sizeof ids[1], "b%u", i);
        job.hostname = hostname;
        job.id = ids[0];
        store_job_ask(t->a.y.store, &job, on_job, &a);
        job.id = ids[1];
        store_job_ask(t->b.y.store, &job, on_job, &b);
        sync_wait(&t->loop, &a.done);
        sync_wait(&t->loop, &b.done);
        assert_err(ERR_OK, a.e);
        assert_err(ERR_OK, b.e);
        assert_string_equal(a.id, b.id);
    }
}

/* Cut off from the others, a core neither reads a lease nor writes under one: it is told so, and
 * never that all is well. */
static void cut_off(void **state)
{
    struct fixture *t = *state;
    const struct store_fence held = {.name = LEASE, .holder = "b", .term = 1};
    struct store_options hasty = t->b.node->options;
    hasty.busy_ms = 500;
    sync_close(&t->b.y);
    assert_err(ERR_OK, sync_open(&t->b.y, &t->loop, &hasty));
    assert_err(ERR_OK, sync_lease_take(&t->b.y, LEASE, 0, 0, "b"));
    assert_err(ERR_OK, put_order(&t->b, "b", 1, "new"));
    assert_err(ERR_OK, sync_orders(&t->b.y)); /* its own node has it then, too */
    sync_close(&t->a.y);
    rqlite_server_stop(t->a.node, SIGKILL);
    rqlite_server_await_leader(t->b.node, false);
    const enum err refused[] = {sync_lease_get(&t->b.y, LEASE), sync_lease_beat(&t->b.y, &held, 1),
                                put_order(&t->b, "b", 1, "final"), sync_order_get(&t->b.y, "h")};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_true(refused[i] == ERR_UNAVAIL || refused[i] == ERR_TIMEOUT);
    }
    assert_err(ERR_OK, sync_orders(&t->b.y)); /* what this node has it goes on showing */
    assert_non_null(strstr(t->b.y.out.text, ",new,"));
}

static int run_on(const char *path)
{
    char version[32], name[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_two, setup, teardown),
        cmocka_unit_test_setup_teardown(passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(one_job, setup, teardown),
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

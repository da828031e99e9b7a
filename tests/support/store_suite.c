#include "store_suite_priv.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

void suite_execute(struct suite *t, const char *sql)
{
    t->engine->execute(t->place, sql);
}

void suite_open_b(struct suite *t)
{
    assert_err(ERR_OK, sync_open(&t->b, &t->loop, t->engine->options(t->place)));
}

char *suite_text(size_t len, const char *begin, const char *end)
{
    char *text = mem_xalloc(len + 1);
    memset(text, 'x', len);
    memcpy(text, begin, strlen(begin));
    memcpy(text + len - strlen(end), end, strlen(end));
    return text;
}

struct planned {
    const struct store_suite_engine *engine;
    const struct suite_test *test;
};

static void run_planned(void **state)
{
    const struct planned *p = *state;
    struct suite t = {.engine = p->engine, .place = p->engine->make()};
    assert_int_equal(0, uv_loop_init(&t.loop));
    assert_err(ERR_OK, sync_open(&t.a, &t.loop, p->engine->options(t.place)));
    p->test->run(&t);
    sync_close(&t.a);
    sync_close(&t.b);
    while (uv_run(&t.loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t.loop)); /* the store left no handle behind */
    p->engine->drop(t.place);
}

int store_suite_run(const struct store_suite_engine *engine)
{
    static const struct suite_test *const lists[] = {
        suite_rows,   suite_feed, suite_many, suite_place, suite_http,      suite_lease, suite_acme,
        suite_ledger, suite_cert, suite_join, suite_leave, suite_join_race, suite_old};
    struct CMUnitTest tests[160];
    struct planned plans[160];
    size_t count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct suite_test *test = lists[i]; test->name != NULL; test++) {
            assert_true(count < sizeof tests / sizeof tests[0]);
            plans[count] = (struct planned){.engine = engine, .test = test};
            tests[count] = (struct CMUnitTest){
                .name = test->name, .test_func = run_planned, .initial_state = &plans[count]};
            count++;
        }
    }
    return _cmocka_run_group_tests(engine->name, tests, count, NULL, NULL);
}

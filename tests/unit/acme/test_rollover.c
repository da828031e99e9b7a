/* acme/rollover: events in, actions out. Its driver: tests/contract/test_job.c. */
#include "acme/rollover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct acme_rollover r;

static int setup(void **state)
{
    (void)state;
    acme_rollover_init(&r);
    return 0;
}

static enum acme_rollover_act well(void)
{
    struct acme_rollover_ev ev = {.retry_ms = -1};
    return acme_rollover_next(&r, &ev);
}

static enum acme_rollover_act row(bool found, bool pending)
{
    struct acme_rollover_ev ev = {.found = found, .pending = pending, .retry_ms = -1};
    return acme_rollover_next(&r, &ev);
}

static enum acme_rollover_act err(enum err e)
{
    struct acme_rollover_ev ev = {.e = e, .retry_ms = -1};
    return acme_rollover_next(&r, &ev);
}

static enum acme_rollover_act problem(enum acme_class class)
{
    struct acme_problem p = {.class = class, .retry_ms = -1};
    struct acme_rollover_ev ev = {.problem = &p, .retry_ms = -1};
    return acme_rollover_next(&r, &ev);
}

#define need(want, call) assert_int_equal(want, call)

static void test_well(void **state)
{
    (void)state;
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_SAVE, well()); /* before the CA hears of it */
    need(ROLLOVER_CHANGE, well());
    need(ROLLOVER_PROMOTE, well());
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_OVER, well());
}

static void test_interrupted(void **state)
{
    (void)state;
    need(ROLLOVER_PROBE, row(true, true)); /* carried out */
    need(ROLLOVER_PROMOTE, well());
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_OVER, well());
    setup(NULL); /* not carried out: the same key again */
    need(ROLLOVER_PROBE, row(true, true));
    need(ROLLOVER_CHANGE, problem(ACME_ACCOUNT));
    need(ROLLOVER_PROMOTE, well());
}

static void test_unknown_end(void **state)
{
    (void)state;
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_CHANGE, well());
    need(ROLLOVER_WAIT, err(ERR_TIMEOUT));
    need(ROLLOVER_PROBE, well());
    need(ROLLOVER_WAIT, problem(ACME_AGAIN));
    need(ROLLOVER_PROBE, well());
    need(ROLLOVER_CHANGE, problem(ACME_ACCOUNT));
    for (unsigned i = 2; i + 1 < TRIES_MAX; i++) {
        need(ROLLOVER_WAIT, problem(ACME_AGAIN));
        need(ROLLOVER_PROBE, well());
        need(ROLLOVER_CHANGE, problem(ACME_ACCOUNT));
    }
    need(ROLLOVER_FAILED, problem(ACME_AGAIN)); /* not for ever */
}

static void test_refused(void **state)
{
    (void)state;
    need(ROLLOVER_FAILED, row(false, false));
    assert_int_equal(ACME_DENIED, r.problem.class);
    setup(NULL);
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_FAILED, err(ERR_IO));
    setup(NULL);
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_FAILED, err(ERR_DENIED)); /* the lease: the CA has not heard of it */
    setup(NULL);
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_CHANGE, well());
    need(ROLLOVER_FAILED, problem(ACME_ACCOUNT)); /* the old key is nobody's */
    setup(NULL);
    need(ROLLOVER_MAKE, row(true, false));
    need(ROLLOVER_SAVE, well());
    need(ROLLOVER_WAIT, err(ERR_BUSY));
    need(ROLLOVER_SAVE, well());
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_well), T(test_interrupted), T(test_unknown_end),
                                       T(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

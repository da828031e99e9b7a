/* acme/revoke: what is asked for, and events in, actions out. Its driver: tests/contract/test_job.c. */
#include "acme/revoke.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct acme_revoke r;

static int setup(void **state)
{
    (void)state;
    acme_revoke_init(&r);
    return 0;
}

static enum acme_revoke_act well(void)
{
    return acme_revoke_next(&r, &(struct acme_revoke_ev){.retry_ms = -1});
}

static enum acme_revoke_act err(enum err e)
{
    return acme_revoke_next(&r, &(struct acme_revoke_ev){.e = e, .retry_ms = -1});
}

static enum acme_revoke_act problem(enum acme_class class, const char *type)
{
    struct acme_problem p = {.class = class, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    return acme_revoke_next(&r, &(struct acme_revoke_ev){.problem = &p, .retry_ms = -1});
}

#define need(want, call) assert_int_equal(want, call)
#define FORTY            "0123456789abcdef0123456789abcdef01234567"

static void test_wish(void **state)
{
    static const struct {
        const char *text, *serial;
        int reason;
    } cases[] = {
        {"0a keyCompromise", "0a", 1},
        {FORTY " superseded", FORTY, 4},
        {"1 cessationOfOperation", "1", 5},
        {"1 unspecified", "1", -1},
        {"", NULL, 0},
        {"0a", NULL, 0},
        {"0a ", NULL, 0},
        {" superseded", NULL, 0},
        {"0A superseded", NULL, 0},
        {"0x superseded", NULL, 0},
        {FORTY "8 superseded", NULL, 0},
        {"0a  superseded", NULL, 0},
        {"0a superseded ", NULL, 0},
        {"0a keycompromise", NULL, 0},
        {"0a 1", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct acme_revoke_wish w;
        assert_int_equal(cases[i].serial != NULL, acme_revoke_wish_read(cases[i].text, &w));
        if (cases[i].serial != NULL) {
            assert_string_equal(cases[i].serial, w.serial);
            assert_int_equal(cases[i].reason, w.reason);
        }
    }
}

static void test_well(void **state)
{
    (void)state;
    need(REVOKE_ASK, well());
    need(REVOKE_OVER, well());
    assert_false(r.already);
}

/* Whoever was interrupted finds it done. */
static void test_already(void **state)
{
    (void)state;
    need(REVOKE_ASK, well());
    need(REVOKE_WAIT, err(ERR_TIMEOUT));
    need(REVOKE_ASK, well());
    need(REVOKE_OVER, problem(ACME_DENIED, "alreadyRevoked"));
    assert_true(r.already);
    setup(NULL); /* only of what asks for it */
    need(REVOKE_FAILED, problem(ACME_DENIED, "alreadyRevoked"));
}

static void test_refused(void **state)
{
    (void)state;
    need(REVOKE_FAILED, problem(ACME_DENIED, "serial"));
    assert_string_equal("serial", r.problem.type);
    setup(NULL);
    need(REVOKE_FAILED, err(ERR_DENIED));
    setup(NULL);
    need(REVOKE_ASK, well());
    need(REVOKE_FAILED, problem(ACME_IDENTIFIER, "unauthorized"));
    setup(NULL);
    need(REVOKE_ASK, well());
    need(REVOKE_FAILED, problem(ACME_LIMITED, "rateLimited"));
}

static void test_trouble(void **state)
{
    (void)state;
    need(REVOKE_WAIT, err(ERR_UNAVAIL)); /* the same again */
    need(REVOKE_READ, well());
    need(REVOKE_ASK, well());
    for (unsigned i = 2; i < TRIES_MAX; i++) {
        need(REVOKE_WAIT, problem(ACME_AGAIN, "serverInternal"));
        assert_true(r.wait_ms > 0);
        need(REVOKE_ASK, well());
    }
    need(REVOKE_FAILED, problem(ACME_AGAIN, "serverInternal")); /* not for ever */
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_wish), T(test_well), T(test_already), T(test_refused),
                                       T(test_trouble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

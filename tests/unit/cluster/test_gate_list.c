/* cluster/gate_list: serial numbers that count no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/gate_priv.h"

static void test_found(void **state)
{
    (void)state;
    static const char *const serials[] = {"7f", "00a1", "ffffffffffffffffffffffffffffffffffffffff",
                                          "0b", "7f",   "1"};
    struct gate_list *l = gate_list_new(serials, 6);
    assert_int_equal(l->count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(gate_list_has(l, serials[i]));
    }
    static const char *const others[] = {"", "a1", "00a", "00a10", "fffff", "7F", "2"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(gate_list_has(l, others[i]));
    }
    free(l);
    assert_false(gate_list_has(NULL, "7f"));
}

/* What is no serial number is left out, and does no harm to the others. */
static void test_no_serials(void **state)
{
    (void)state;
    static const char *const serials[] = {
        "", "00A1", "0x7f", "7f", "fffffffffffffffffffffffffffffffffffffffff", "7 "};
    struct gate_list *l = gate_list_new(serials, 6);
    assert_int_equal(l->count, 1);
    assert_true(gate_list_has(l, "7f"));
    free(l);
    l = gate_list_new(NULL, 0);
    assert_false(gate_list_has(l, ""));
    free(l);
}

static void test_bounded(void **state)
{
    (void)state;
    static char text[GATE_REVOKED_MAX + 2][8];
    static const char *serials[GATE_REVOKED_MAX + 2];
    for (unsigned i = 0; i < GATE_REVOKED_MAX + 2; i++) {
        snprintf(text[i], sizeof text[i], "%06x", (i * 7919) & 0xffffff);
        serials[i] = text[i];
    }
    struct gate_list *l = gate_list_new(serials, GATE_REVOKED_MAX + 2);
    assert_int_equal(l->count, GATE_REVOKED_MAX);
    for (unsigned i = 0; i < GATE_REVOKED_MAX + 2; i++) {
        assert_int_equal(gate_list_has(l, text[i]), i < GATE_REVOKED_MAX);
    }
    free(l);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_no_serials),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

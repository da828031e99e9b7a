#include "store/sqlite/order.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define T(s)                                                                                       \
    {                                                                                              \
        .kind = BACKEND_TEXT, .text = (s)                                                          \
    }
#define N(n)                                                                                       \
    {                                                                                              \
        .kind = BACKEND_NUMBER, .number = (n)                                                      \
    }

static void orders(void **state)
{
    static const struct backend_value mixed[] = {T("b"), N(0),  T("a"), N(1),   T("b"),
                                                 N(2),   T(""), N(3),   T("a"), N(4)};
    static const size_t expected[] = {3, 1, 4, 0, 2}; /* equal names stay in the order they came */
    struct backend_statement st = {.values = mixed, .params = 2, .sets = 5};
    (void)state;
    struct order_item *order = order_of(&st);
    assert_non_null(order);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(expected[i], order[i].set);
    }
    free(order);
}

static void nothing_to_do(void **state)
{
    static const struct backend_value sorted[] = {T("a"), T("a"), T("b"), T("ba")};
    struct backend_statement st = {.values = sorted, .params = 1, .sets = 4};
    (void)state;
    assert_null(order_of(&st));
    st.sets = 0;
    assert_null(order_of(&st));
    st = (struct backend_statement){.sets = 3}; /* no parameters at all */
    assert_null(order_of(&st));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(orders), cmocka_unit_test(nothing_to_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

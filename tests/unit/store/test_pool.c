#include "store/pool.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void keeps_what_it_is_given(void **state)
{
    struct pool p = {.chunks = NULL};
    const char *texts[2000];
    uint64_t *numbers[2000];
    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        char text[64];
        snprintf(text, sizeof text, "%0*zu", (int)(1 + i % 40), i);
        texts[i] = pool_text(&p, text);
        numbers[i] = pool_take(&p, sizeof *numbers[i]);
        assert_non_null(numbers[i]);
        assert_int_equal(0, (uintptr_t)numbers[i] % sizeof(uint64_t));
        *numbers[i] = i;
    }
    for (size_t i = 0; i < 2000; i++) {
        char text[64];
        snprintf(text, sizeof text, "%0*zu", (int)(1 + i % 40), i);
        assert_string_equal(text, texts[i]);
        assert_int_equal(i, *numbers[i]);
    }
    assert_false(p.bad);
    pool_fini(&p);
}

static void large_and_none(void **state)
{
    struct pool p = {.chunks = NULL};
    (void)state;
    assert_non_null(pool_array(&p, 0, 8));
    assert_string_equal("", pool_text(&p, ""));
    assert_string_equal("ab", pool_text_n(&p, "abc", 2));
    char *large = pool_array(&p, 3, 1000000);
    assert_non_null(large);
    memset(large, 'x', 3000000);
    assert_string_equal("after", pool_text(&p, "after"));
    pool_fini(&p);
    pool_fini(&p); /* an empty pool */
}

static void error_is_sticky(void **state)
{
    struct pool p = {.chunks = NULL};
    (void)state;
    assert_string_equal("before", pool_text(&p, "before"));
    assert_null(pool_array(&p, SIZE_MAX / 2, 3)); /* overflows */
    assert_true(p.bad);
    assert_null(pool_take(&p, 1));
    assert_null(pool_text(&p, "x"));
    pool_fini(&p);
    assert_false(p.bad);
    assert_null(pool_take(&p, SIZE_MAX - 8)); /* more than there is */
    assert_true(p.bad);
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_it_is_given),
        cmocka_unit_test(large_and_none),
        cmocka_unit_test(error_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

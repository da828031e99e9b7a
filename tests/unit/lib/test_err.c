/* lib/err: texts, the retry test, the detail that travels beside a code. */
#include "lib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_its_own_text(void **state)
{
    (void)state;
    for (int i = ERR_OK; i <= ERR_BUG; i++) {
        assert_string_not_equal(err_text((enum err)i), "");
        for (int j = ERR_OK; j < i; j++) {
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
        }
    }
    assert_string_equal(err_text((enum err)(ERR_BUG + 1)), "unknown error");
}

static void only_what_passes_is_transient(void **state)
{
    (void)state;
    for (int i = ERR_OK; i <= ERR_BUG; i++) {
        bool expected = i == ERR_BUSY || i == ERR_TIMEOUT || i == ERR_UNAVAIL;
        assert_int_equal(err_is_transient((enum err)i), expected);
    }
}

static void set_returns_the_code_and_writes_the_detail(void **state)
{
    struct err_info info = {.text = "old"};
    (void)state;
    assert_int_equal(err_set(&info, ERR_LIMIT, "%d is more than %s", 5, "four"), ERR_LIMIT);
    assert_string_equal(info.text, "5 is more than four");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void prefix_keeps_what_a_deeper_layer_wrote(void **state)
{
    struct err_info info = {.text = "no such row"};
    (void)state;
    assert_int_equal(err_prefix(&info, ERR_NOTFOUND, "user %s: ", "alice"), ERR_NOTFOUND);
    assert_string_equal(info.text, "user alice: no such row");
    assert_int_equal(err_prefix(NULL, ERR_NOTFOUND, "x"), ERR_NOTFOUND);
}

static void prefix_falls_back_on_the_text_of_the_code(void **state)
{
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(err_prefix(&info, ERR_BUSY, "store: "), ERR_BUSY);
    assert_string_equal(info.text, "store: busy, try again");
}

static void long_details_are_cut_and_terminated(void **state)
{
    struct err_info info;
    char longer[2 * sizeof info.text];
    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(err_set(&info, ERR_IO, "%s", longer), ERR_IO);
    assert_int_equal(strlen(info.text), sizeof info.text - 1);
    assert_int_equal(err_prefix(&info, ERR_IO, "p: "), ERR_IO);
    assert_int_equal(strlen(info.text), sizeof info.text - 1);
    assert_memory_equal(info.text, "p: xxx", 6);
    assert_int_equal(err_prefix(&info, ERR_IO, "%s", longer), ERR_IO);
    assert_int_equal(strlen(info.text), sizeof info.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_text),
        cmocka_unit_test(only_what_passes_is_transient),
        cmocka_unit_test(set_returns_the_code_and_writes_the_detail),
        cmocka_unit_test(prefix_keeps_what_a_deeper_layer_wrote),
        cmocka_unit_test(prefix_falls_back_on_the_text_of_the_code),
        cmocka_unit_test(long_details_are_cut_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

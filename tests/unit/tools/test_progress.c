/* progress.c: the text of the bar. */
#include "tools/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void the_bar_shows_the_part_that_is_done(void **state)
{
    static const struct {
        uint64_t done, total;
        const char *text;
    } cases[] = {
        {0, 100, "w  [------------------------------]   0%  0/100"},
        {50, 100, "w  [###############---------------]  50%  50/100"},
        {99, 100, "w  [#############################-]  99%  99/100"},
        {100, 100, "w  [##############################] 100%  100/100"},
        {7, 5, "w  [##############################] 100%  5/5"},
        {0, 0, "w  [##############################] 100%  0/0"},
    };
    char out[PROGRESS_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        progress_text(out, "w", cases[i].done, cases[i].total);
        assert_string_equal(out, cases[i].text);
    }
}

static void huge_numbers_fit(void **state)
{
    char out[PROGRESS_TEXT_MAX];
    (void)state;
    progress_text(out, "a rather long text about what is being done just now", UINT64_MAX,
                  UINT64_MAX);
    assert_true(strlen(out) < sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bar_shows_the_part_that_is_done),
        cmocka_unit_test(huge_numbers_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

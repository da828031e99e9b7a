/* columns.c: columns that line up. */
#include "tools/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(size_t columns, const char *const *header, const char *const *cells, size_t rows,
                  const char *expected)
{
    struct columns t;
    struct str text = {.text = NULL};
    columns_init(&t, columns, header);
    for (size_t i = 0; i < rows; i++) {
        columns_add(&t, cells + i * columns);
    }
    columns_render(&t, &text);
    assert_string_equal(text.text != NULL ? text.text : "", expected);
    str_free(&text);
    columns_free(&t);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    check(3, (const char *[]){"NAME", "T", "VALUE"},
          (const char *[]){"a", "AAAA", "x", "longer", "A", "much longer"}, 2,
          "NAME    T     VALUE\n"
          "a       AAAA  x\n"
          "longer  A     much longer\n");
}

static void empty_cells_leave_no_blanks_at_the_end(void **state)
{
    (void)state;
    check(3, NULL, (const char *[]){"a", NULL, "", "bb", "c", "d"}, 2,
          "a\n"
          "bb  c  d\n");
    check(2, NULL, NULL, 0, "");
    check(1, NULL, (const char *[]){""}, 1, "\n");
}

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    check(1, NULL, (const char *[]){"a\x1b[31mb\x7f\tc\r\n"}, 1, "a?[31mb??c??\n");
}

static void many_rows_fit(void **state)
{
    struct columns t;
    struct str text = {.text = NULL};
    (void)state;
    columns_init(&t, 2, NULL);
    for (size_t i = 0; i < 1000; i++) {
        columns_add(&t, (const char *[]){"a", "b"});
    }
    columns_render(&t, &text);
    assert_int_equal(text.len, 1000 * 5);
    str_free(&text);
    columns_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(empty_cells_leave_no_blanks_at_the_end),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(many_rows_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

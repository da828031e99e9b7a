#include "store/rqlite/sqltext.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void shapes(void **state)
{
    static const struct {
        const char *sql;
        size_t columns;
        bool one_row;
    } cases[] = {
        {"SELECT 1", 1, true},
        {"SELECT 1 WHERE 0", 1, false},
        {"SELECT a, b FROM t", 2, false},
        {"SELECT count(*) FROM t WHERE x IN (1, 2)", 1, false},
        {"SELECT coalesce(a, 0), 'x, y', 'it''s, so' FROM t", 3, false},
        {"SELECT (SELECT a, max(b) FROM t) AS a, (SELECT min(c) FROM u) AS b", 2, true},
        {"SELECT s.a, s.b FROM (SELECT 1 AS a, 2 AS b) AS s LEFT JOIN t, u", 2, false},
        {"SELECT 'challenge/' || name, value FROM(SELECT 1)", 2, false},
        {"SELECT FROMAGE, WHEREVER", 2, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sqltext_shape shape = sqltext_shape(cases[i].sql);
        assert_int_equal(cases[i].columns, shape.columns);
        assert_int_equal(cases[i].one_row, shape.one_row);
    }
}

static void params(void **state)
{
    const char *sql = "SELECT '?9', ?2 || ?13 WHERE x=?1";
    static const struct {
        size_t n;
        const char *behind;
    } expected[] = {{2, " || ?13 WHERE x=?1"}, {13, " WHERE x=?1"}, {1, ""}};
    const char *end = sql;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t n = 0;
        assert_non_null(sqltext_param(end, &end, &n));
        assert_int_equal(expected[i].n, n);
        assert_string_equal(expected[i].behind, end);
    }
    size_t n = 0;
    assert_null(sqltext_param(end, &end, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(params)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

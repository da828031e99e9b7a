/* promotion.c: whether a node may become one that votes. */
#include "tools/promotion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One letter a node, in the order of ids "a", "b", ...: V votes, N does not, small: does not answer. */
static struct members cluster(const char *letters, struct member *items)
{
    struct members m = {.items = items, .count = strlen(letters)};
    for (size_t i = 0; i < m.count; i++) {
        char letter = letters[i];
        items[i] = (struct member){.voter = letter == 'V' || letter == 'v',
                                   .reachable = letter == 'V' || letter == 'N'};
        snprintf(items[i].id, sizeof items[i].id, "%c", (char)('a' + i));
        m.voters += items[i].voter;
        m.nonvoters += !items[i].voter;
        m.unreachable += !items[i].reachable;
        m.voters_reachable += items[i].voter && items[i].reachable;
    }
    return m;
}

static void guards(void **state)
{
    static const struct {
        const char *letters, *id;
        enum promotion plain, forced;
    } cases[] = {
        {"VVN", "c", PROMOTION_FINE, PROMOTION_FINE},
        {"VVVN", "d", PROMOTION_FINE, PROMOTION_FINE},
        {"VN", "b", PROMOTION_TWO, PROMOTION_FINE},
        {"VNN", "c", PROMOTION_TWO, PROMOTION_FINE},
        {"VVn", "c", PROMOTION_UNREACHABLE, PROMOTION_FINE},
        {"Vn", "b", PROMOTION_UNREACHABLE, PROMOTION_FINE},
        {"VN", "a", PROMOTION_VOTER, PROMOTION_VOTER},
        {"VN", "z", PROMOTION_ABSENT, PROMOTION_ABSENT},
        {"vVN", "c", PROMOTION_NO_QUORUM, PROMOTION_NO_QUORUM},
        {"vVVN", "d", PROMOTION_FINE, PROMOTION_FINE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct member items[8];
        struct members m = cluster(cases[i].letters, items);
        assert_int_equal(promotion_judge(&m, cases[i].id, false), cases[i].plain);
        assert_int_equal(promotion_judge(&m, cases[i].id, true), cases[i].forced);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(guards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

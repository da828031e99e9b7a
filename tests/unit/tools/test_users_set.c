/* users_set.c: each name once. */
#include "tools/users_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#define MANY 50000 /* several doublings */

static void a_name_is_in_once_and_its_line_is_known(void **state)
{
    struct users_set s = {.count = 0};
    char name[32];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(users_set_add(&s, name, i % 7, i + 1), 0);
    }
    for (uint32_t i = 0; i < MANY; i += 97) {
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(users_set_add(&s, name, 0, MANY + i), i + 1);
    }
    assert_int_equal(s.count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "user%u", i);
        assert_string_equal(users_set_name(&s, i), name);
        assert_int_equal(s.items[i].core, i % 7);
    }
    users_set_free(&s);
    users_set_free(&s);
}

static void a_prefix_is_another_name(void **state)
{
    struct users_set s = {.count = 0};
    (void)state;
    assert_int_equal(users_set_add(&s, "alice", 0, 1), 0);
    assert_int_equal(users_set_add(&s, "alic", 0, 2), 0);
    assert_int_equal(users_set_add(&s, "alice2", 0, 3), 0);
    assert_int_equal(users_set_add(&s, "alice", 1, 4), 1);
    users_set_free(&s);
}

static void sorted_items_keep_their_line_and_core(void **state)
{
    (void)state;
    static const char *const names[] = {"carol", "alice", "bobby", "bob"};
    static const char *const sorted[] = {"alice", "bob", "bobby", "carol"};
    struct users_set s = {.count = 0};
    users_set_sort(&s); /* an empty one */
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(users_set_add(&s, names[i], 7 * i, i + 2), 0);
    }
    users_set_sort(&s);
    assert_int_equal(s.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(users_set_name(&s, i), sorted[i]);
    }
    assert_int_equal(s.items[2].line, 4);
    assert_int_equal(s.items[2].core, 14);
    users_set_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_in_once_and_its_line_is_known),
        cmocka_unit_test(a_prefix_is_another_name),
        cmocka_unit_test(sorted_items_keep_their_line_and_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* users_csv.c: lines of name,core. */
#include "tools/users_csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void lines_are_read(void **state)
{
    static const struct {
        const char *line;
        bool first;
        const char *name, *core; /* NULL: nothing */
    } cases[] = {
        {"alice,a\n", false, "alice", "a"},
        {"alice,a", false, "alice", "a"},
        {"alice,a\r\n", false, "alice", "a"},
        {" alice ,\ta \n", false, "alice", "a"},
        {"\"alice\",\"a\"\n", false, "alice", "a"},
        {"\xef\xbb\xbf"
         "alice,a\n",
         true, "alice", "a"},
        {"", false, NULL, NULL},
        {"\n", false, NULL, NULL},
        {"  \t\r\n", false, NULL, NULL},
        {"# alice,a\n", false, NULL, NULL},
        {"  # alice\n", false, NULL, NULL},
        {"name,core\n", true, NULL, NULL},
        {"Username, Core\n", true, NULL, NULL},
        {"name,core\n", false, "name", "core"},
        {"\xef\xbb\xbf"
         "name,core\n",
         true, NULL, NULL},
        {",a\n", false, "", "a"}, /* for names_label() to refuse */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[100];
        struct users_csv_line out;
        struct err_info info = {.text = ""};
        snprintf(line, sizeof line, "%s", cases[i].line);
        print_message("%s\n", cases[i].line);
        assert_int_equal(users_csv_read(line, cases[i].first, &out, &info), ERR_OK);
        assert_int_equal(out.kind, cases[i].name != NULL ? USERS_CSV_USER : USERS_CSV_NOTHING);
        if (cases[i].name != NULL) {
            assert_string_equal(out.name, cases[i].name);
            assert_string_equal(out.core, cases[i].core);
        }
    }
}

static void bad_lines_are_refused(void **state)
{
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {
        {"alice\n", "no comma"},
        {"alice a\n", "no comma"},
        {"alice,a,b\n", "more than two fields"},
        {"alice,\n", "no core"},
        {"alice, \"\" \n", "no core"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[100];
        struct users_csv_line out;
        struct err_info info = {.text = ""};
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(users_csv_read(line, false, &out, &info), ERR_MALFORMED);
        assert_ptr_equal(strstr(info.text, cases[i].why), info.text);
        assert_int_equal(out.kind, USERS_CSV_NOTHING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(bad_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

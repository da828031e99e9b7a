/* Reading a core's row; what is asked of the database is in the contract suite. */
#include "store/store.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const char *or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

static void rows(void **state)
{
    static const struct {
        const char *json;
        const char *expected; /* url ip ipv6 cname hosting available, or what the error says */
        enum err e;
    } cases[] = {
        {"{}", "- - - - - yes", ERR_OK},
        {"{\"id\":\"other\",\"available\":true}", "- - - - - yes", ERR_OK},
        {"{\"available\":false}", "- - - - - no", ERR_OK},
        {"{\"available\":null,\"url\":null}", "- - - - - yes", ERR_OK},
        {"{\"url\":\"u\",\"ip\":\"4\",\"ipv6\":\"6\",\"cname\":\"c\",\"hosting\":\"h\","
         "\"available\":true,\"more\":[{}]}",
         "u 4 6 c h yes", ERR_OK},
        {"{\"ip\":\"\"}", "-  - - - yes", ERR_OK},
        {"", "core-info/x: ", ERR_MALFORMED},
        {"null", "core-info/x: ", ERR_MALFORMED},
        {"[]", "core-info/x: ", ERR_MALFORMED},
        {"{\"ip\":4}", "core-info/x: ip", ERR_MALFORMED},
        {"{\"url\":[\"u\"]}", "core-info/x: url", ERR_MALFORMED},
        {"{\"available\":1}", "core-info/x: available", ERR_MALFORMED},
        {"{\"ip\":\"4\",\"ip\":\"5\"}", "core-info/x: ", ERR_MALFORMED},
        {"{\"ip\":\"4\"", "core-info/x: ", ERR_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_core_row *row = NULL;
        struct store_core c;
        struct err_info info = {.text = ""};
        char id[] = "x";
        char text[600];
        assert_string_equal(err_text(cases[i].e),
                            err_text(store_core_row_parse(id, cases[i].json, &row, &c, &info)));
        if (cases[i].e == ERR_OK) {
            id[0] = '?'; /* what was read owes nothing to what it was read from */
            assert_string_equal("x", c.id);
            assert_int_equal(0, c.users);
            snprintf(text, sizeof text, "%s %s %s %s %s %s", or_dash(c.url), or_dash(c.ip),
                     or_dash(c.ipv6), or_dash(c.cname), or_dash(c.hosting),
                     c.available ? "yes" : "no");
            assert_string_equal(cases[i].expected, text);
        } else {
            assert_null(row);
            assert_int_equal(0, strncmp(cases[i].expected, info.text, strlen(cases[i].expected)));
        }
        store_core_row_free(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Paths and queries out of targets. */
#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void paths(void **state)
{
    static const struct {
        const char *target;
        enum err e;
        const char *path;
    } rows[] = {
        {"/", ERR_OK, "/"},
        {"/a", ERR_OK, "/a"},
        {"/a/", ERR_OK, "/a/"},
        {"/a/b?c/../d//%00", ERR_OK, "/a/b"},
        {"/?", ERR_OK, "/"},
        {"*", ERR_OK, "*"},
        {"/*", ERR_OK, "/*"},
        {"/%61%7E%5f", ERR_OK, "/a~_"},
        {"/%2561", ERR_OK, "/%61"}, /* once (RFC 3986 §2.4) */
        {"/a%3Fb%23c", ERR_OK, "/a?b#c"},
        {"/a+b", ERR_OK, "/a+b"},
        {"/%20", ERR_OK, "/ "},
        {"/%c3%bc%FF", ERR_OK, "/\xc3\xbc\xff"},
        {"/...", ERR_OK, "/..."},
        {"/.a/..b/c./d..", ERR_OK, "/.a/..b/c./d.."},
        {"", ERR_MALFORMED, NULL},
        {"a", ERR_MALFORMED, NULL},
        {"?", ERR_MALFORMED, NULL},
        {"**", ERR_MALFORMED, NULL},
        {"*?a", ERR_MALFORMED, NULL},
        {"%2fa", ERR_MALFORMED, NULL},
        {"//", ERR_MALFORMED, NULL},
        {"//a", ERR_MALFORMED, NULL},
        {"/a//b", ERR_MALFORMED, NULL},
        {"/a//", ERR_MALFORMED, NULL},
        {"/a%2fb", ERR_MALFORMED, NULL},
        {"/a%2Fb", ERR_MALFORMED, NULL},
        {"/.", ERR_MALFORMED, NULL},
        {"/..", ERR_MALFORMED, NULL},
        {"/./a", ERR_MALFORMED, NULL},
        {"/a/../b", ERR_MALFORMED, NULL},
        {"/a/.", ERR_MALFORMED, NULL},
        {"/a/..?b", ERR_MALFORMED, NULL},
        {"/%2e", ERR_MALFORMED, NULL},
        {"/a/%2E./b", ERR_MALFORMED, NULL},
        {"/a/.%2e", ERR_MALFORMED, NULL},
        {"/%00", ERR_MALFORMED, NULL},
        {"/a%0d%0aSet-Cookie:", ERR_MALFORMED, NULL},
        {"/%1f", ERR_MALFORMED, NULL},
        {"/%7f", ERR_MALFORMED, NULL},
        {"/\x01", ERR_MALFORMED, NULL},
        {"/%", ERR_MALFORMED, NULL},
        {"/%4", ERR_MALFORMED, NULL},
        {"/%4?1", ERR_MALFORMED, NULL}, /* the query is no part of an escape */
        {"/%g0", ERR_MALFORMED, NULL},
        {"/%0x", ERR_MALFORMED, NULL},
        {"/%%41", ERR_MALFORMED, NULL},
        {"/%u0041", ERR_MALFORMED, NULL},
        /* 16 octets with the NUL are what there is room for. */
        {"/23456789012345", ERR_OK, "/23456789012345"},
        {"/2345678901234%35", ERR_OK, "/23456789012345"},
        {"/234567890123456", ERR_LIMIT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[16];
        assert_int_equal(target_path(rows[i].target, out, sizeof out), rows[i].e);
        if (rows[i].e == ERR_OK) {
            assert_string_equal(out, rows[i].path);
        }
    }
}

static void queries(void **state)
{
    static const struct {
        const char *target, *name;
        enum err e;
        const char *value;
    } rows[] = {
        {"/", "a", ERR_NOTFOUND, NULL},
        {"/?", "a", ERR_NOTFOUND, NULL},
        {"/a=b", "a", ERR_NOTFOUND, NULL},
        {"/?a=b", "a", ERR_OK, "b"},
        {"/?a=b", "A", ERR_NOTFOUND, NULL},
        {"/?a=", "a", ERR_OK, ""},
        {"/?a", "a", ERR_OK, ""},
        {"/?a&b=c", "b", ERR_OK, "c"},
        {"/?&&b=c&", "b", ERR_OK, "c"},
        {"/?x=1&a=2&a=3", "a", ERR_OK, "2"},
        {"/?ab=1&b=2", "b", ERR_OK, "2"},
        {"/?ab=1", "a", ERR_NOTFOUND, NULL},
        {"/?a=1", "ab", ERR_NOTFOUND, NULL},
        {"/?a=b=c?d", "a", ERR_OK, "b=c?d"},
        {"/?a=b+c%2Bd%20e", "a", ERR_OK, "b c+d e"},
        {"/?a=%26%3d", "a", ERR_OK, "&="},
        {"/?%61=b", "a", ERR_OK, "b"},
        {"/?x+y=b", "x y", ERR_OK, "b"},
        {"/?a=%c3%bc%0a", "a", ERR_OK, "\xc3\xbc\n"},
        {"/?a=%00", "a", ERR_MALFORMED, NULL},
        {"/?a=%", "a", ERR_MALFORMED, NULL},
        {"/?a=%4&1", "a", ERR_MALFORMED, NULL},
        {"/?a=%zz", "a", ERR_MALFORMED, NULL},
        {"/?a=%zz&b=c", "b", ERR_OK, "c"},
        {"/?%zz=1&b=c", "b", ERR_OK, "c"},
        {"/?a%00=1&a=c", "a", ERR_OK, "c"},
        {"/?%", "a", ERR_NOTFOUND, NULL},
        {"*", "a", ERR_NOTFOUND, NULL},
        {"/?a=1234567", "a", ERR_OK, "1234567"},
        {"/?a=123456%37", "a", ERR_OK, "1234567"},
        {"/?a=12345678", "a", ERR_LIMIT, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[8];
        assert_int_equal(target_query(rows[i].target, rows[i].name, out, sizeof out), rows[i].e);
        if (rows[i].e == ERR_OK) {
            assert_string_equal(out, rows[i].value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

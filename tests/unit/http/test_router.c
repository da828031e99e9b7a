/* Which route a request is for, and what is said if there is none. */
#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/"},
    {.method = "GET", .pattern = "/records"},
    {.method = "POST", .pattern = "/records"},
    {.method = "GET", .pattern = "/records/special"},
    {.method = "GET", .pattern = "/records/{name}"},
    {.method = "DELETE", .pattern = "/records/{name}"},
    {.method = "PUT", .pattern = "/{a}/x/{bc}/{d}"},
    {.method = "GET", .pattern = "/pre{x}"},
    {.method = "PATCH", .pattern = "/files/*"},
    {.method = "HEAD", .pattern = "/both"},
    {.method = "GET", .pattern = "/both"},
    {.method = "OPTIONS", .pattern = "/options"},
};
static const struct http_site site = {.routes = routes, .count = COUNT(routes)};

static const struct http_route challenge_routes[] = {
    {.method = "GET", .pattern = "/known/{token}"},
    {.method = "*", .pattern = "/*"},
};
static const struct http_site challenge = {.routes = challenge_routes,
                                           .count = COUNT(challenge_routes)};

struct row {
    const char *method, *path;
    unsigned status, index;
    const char *allow, *params; /* "name=value;" each */
};

static void expect(const struct http_site *s, const struct row *row)
{
    struct router_match m;
    char params[HTTP_PARAMS_MAX * 64] = "";
    memset(&m, 0xa5, sizeof m); /* nothing is taken from what was there */
    router_find(s, row->method, row->path, &m);
    for (unsigned i = 0; i < m.params_count; i++) {
        strncat(params, m.params[i].name, m.params[i].name_len);
        strcat(params, "=");
        strncat(params, m.params[i].value, 32);
        strcat(params, ";");
    }
    assert_int_equal(m.status, row->status);
    assert_int_equal(m.index, row->status == 0 ? row->index : HTTP_ROUTES_MAX);
    assert_string_equal(m.allow, row->allow != NULL ? row->allow : "");
    assert_string_equal(params, row->params != NULL ? row->params : "");
}

static void found(void **state)
{
    static const struct row rows[] = {
        {"GET", "/", 0, 0, NULL, NULL},
        {"HEAD", "/", 0, 0, NULL, NULL},
        {"GET", "/records", 0, 1, NULL, NULL},
        {"HEAD", "/records", 0, 1, NULL, NULL},
        {"POST", "/records", 0, 2, NULL, NULL},
        {"GET", "/records/special", 0, 3, NULL, NULL},
        {"DELETE", "/records/special", 0, 5, NULL, "name=special;"},
        {"GET", "/records/a b%{}*", 0, 4, NULL, "name=a b%{}*;"},
        {"HEAD", "/records/a", 0, 4, NULL, "name=a;"},
        {"PUT", "/1/x/2/3", 0, 6, NULL, "a=1;bc=2;d=3;"},
        {"GET", "/prefix", 0, 7, NULL, "x=fix;"},
        {"PATCH", "/files/", 0, 8, NULL, NULL},
        {"PATCH", "/files/a/b/c", 0, 8, NULL, NULL},
        {"HEAD", "/both", 0, 9, NULL, NULL},
        {"GET", "/both", 0, 10, NULL, NULL},
        {"OPTIONS", "/options", 0, 11, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&site, &rows[i]);
    }
}

static void not_found(void **state)
{
    static const struct row rows[] = {
        {"GET", "/nothing", 404, 0, NULL, NULL},
        {"GET", "/records/", 404, 0, NULL, NULL}, /* an empty name is none */
        {"GET", "/records/a/", 404, 0, NULL, NULL},
        {"GET", "/records/a/b", 404, 0, NULL, NULL},
        {"GET", "/record", 404, 0, NULL, NULL},
        {"GET", "/recordsx", 404, 0, NULL, NULL},
        {"GET", "/Records", 404, 0, NULL, NULL},
        {"GET", "", 404, 0, NULL, NULL},
        {"GET", "/pre", 404, 0, NULL, NULL},
        {"PATCH", "/files", 404, 0, NULL, NULL},
        {"OPTIONS", "/nothing", 404, 0, NULL, NULL},
        {"PUT", "/1/y/2/3", 404, 0, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&site, &rows[i]);
    }
}

static void not_allowed(void **state)
{
    static const struct row rows[] = {
        {"POST", "/", 405, 0, "GET, HEAD", NULL},
        {"OPTIONS", "/", 405, 0, "GET, HEAD", NULL},
        {"CONNECT", "/", 405, 0, "GET, HEAD", NULL},
        {"TRACE", "/records", 405, 0, "GET, HEAD, POST", NULL},
        {"PUT", "/records/special", 405, 0, "GET, HEAD, DELETE", NULL}, /* of both patterns, once */
        {"PUT", "/records/a", 405, 0, "GET, HEAD, DELETE", NULL},
        {"GET", "/1/x/2/3", 405, 0, "PUT", NULL},
        {"HEAD", "/files/a", 405, 0, "PATCH", NULL},
        {"PUT", "/both", 405, 0, "HEAD, GET", NULL},
        {"GET", "/options", 405, 0, "OPTIONS", NULL},
        {"OPTIONS", "*", 405, 0, "GET, HEAD, POST, DELETE, PUT, PATCH, OPTIONS", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&site, &rows[i]);
    }
}

static void not_implemented(void **state)
{
    static const struct row rows[] = {
        {"FOO", "/", 501, 0, NULL, NULL},  {"get", "/", 501, 0, NULL, NULL},
        {"GETX", "/", 501, 0, NULL, NULL}, {"PROPFIND", "/nothing", 501, 0, NULL, NULL},
        {"*", "/", 501, 0, NULL, NULL},    {"", "/", 501, 0, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&site, &rows[i]);
        expect(&challenge, &rows[i]);
    }
}

static void any_method(void **state)
{
    static const struct row rows[] = {
        {"GET", "/known/abc", 0, 0, NULL, "token=abc;"},
        {"HEAD", "/known/abc", 0, 0, NULL, "token=abc;"},
        {"POST", "/known/abc", 0, 1, NULL, NULL},
        {"GET", "/known/", 0, 1, NULL, NULL},
        {"GET", "/", 0, 1, NULL, NULL},
        {"PATCH", "/a/b/c", 0, 1, NULL, NULL},
        {"OPTIONS", "*", 405, 0, "GET, HEAD", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&challenge, &rows[i]);
    }
    expect(&(struct http_site){.count = 0}, &(struct row){"GET", "/", 404, 0, NULL, NULL});
}

static void long_parameters(void **state)
{
    struct router_match m;
    char path[sizeof "/records/" + HTTP_PARAM_MAX + 1];
    (void)state;
    memset(path, 'x', sizeof path);
    memcpy(path, "/records/", 9);
    path[9 + HTTP_PARAM_MAX] = '\0';
    router_find(&site, "GET", path, &m);
    assert_int_equal(m.status, 0);
    assert_string_equal(m.params[0].value, path + 9);
    path[9 + HTTP_PARAM_MAX] = 'x';
    path[9 + HTTP_PARAM_MAX + 1] = '\0';
    router_find(&site, "GET", path, &m);
    assert_int_equal(m.status, 404);
    router_find(&site, "POST", path, &m);
    assert_int_equal(m.status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found),       cmocka_unit_test(not_found),
        cmocka_unit_test(not_allowed), cmocka_unit_test(not_implemented),
        cmocka_unit_test(any_method),  cmocka_unit_test(long_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* body.c: what bodies say, and that every problem is named. */
#include "http/api/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct wire_name apex;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(wire_name_from_text("mc.example.com.", NULL, &apex, NULL), ERR_OK);
    return 0;
}

/* "member: why; member: why", "" if there are none. */
static void problems_text(struct body_problems *p, struct str *out)
{
    size_t i;
    json_t *item;
    str_append(out, "");
    json_array_foreach(p->list, i, item)
    {
        const char *member = NULL;
        const char *message = NULL;
        assert_int_equal(json_unpack(item, "{s:s, s:s}", "member", &member, "message", &message),
                         0);
        str_appendf(out, "%s%s: %s", i > 0 ? "; " : "", member, message);
    }
    assert_int_equal(p->count, json_array_size(p->list));
    body_problems_free(p);
}

static void expect_problems(struct body_problems *p, bool ok, const char *body, const char *says)
{
    struct str text = {.text = NULL};
    problems_text(p, &text);
    bool right = says[0] == '\0' ? text.len == 0 : strstr(text.text, says) != NULL;
    if (ok != (says[0] == '\0') || !right) {
        fail_msg("%s: \"%s\" does not say \"%s\"", body, text.text, says);
    }
    str_free(&text);
}

static void users(void **state)
{
    static const struct {
        const char *body, *core, *says;
    } rows[] = {
        {"", "", ""},
        {"{}", "", ""},
        {"{\"core\":null}", "", ""},
        {"{\"core\":\"core-a\"}", "core-a", ""},
        {"{\"core\":\"Any text\"}", "Any text",
         ""}, /* whether there is one is the store's to say */
        {"{\"core\":\"\"}", "", "core: must be a core's id"},
        {"{\"core\":7}", "", "core: must be a string"},
        {"{\"corE\":\"core-a\"}", "", "corE: not known here; did you mean core?"},
        {"{\"other\":1,\"core\":{}}", "", "other: not known here; core: must be a string"},
        {"[]", "", ": JSON must be an object"},
        {"{", "", ": JSON line 1"},
        {"{\"core\":\"a\",\"core\":\"b\"}", "", "duplicate"},
        {"{\"core\":\"a\\u0000b\"}", "", "\\u0000"},
    };
    char core[BODY_CORE_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        bool ok = body_read_user(rows[i].body, strlen(rows[i].body), core, &p);
        expect_problems(&p, ok, rows[i].body, rows[i].says);
        assert_string_equal(core, rows[i].core);
    }
}

static void long_cores(void **state)
{
    char body[BODY_CORE_MAX + 64];
    char core[BODY_CORE_MAX + 1];
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct body_problems p = {.list = NULL};
        int n = snprintf(body, sizeof body, "{\"core\":\"%0*d\"}", BODY_CORE_MAX + extra, 0);
        assert_int_equal(body_read_user(body, (size_t)n, core, &p), extra == 0);
        assert_int_equal(strlen(core), extra == 0 ? BODY_CORE_MAX : 0);
        body_problems_free(&p);
    }
}

static void renewals(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"", ""},
        {"{}", ""},
        {"{\"hostname\":null}", ""},
        {"{\"hostname\":\"*.mc.example.com\"}", ""},
        {"{\"hostname\":\"mc.example.com\"}", ""},
        {"{\"hostname\":true}", "hostname: must be a string"},
        {"{\"hostname\":\"a b\"}", "hostname: "},
        {"{\"hostname\":\"\"}", "hostname: "},
        {"{\"hostname\":\"a.*.b\"}", "hostname: "},
        {"{\"host\":\"a\"}", "host: not known here"},
        {"{\"override\":\"floor\"}", ""},
        {"{\"override\":null,\"hostname\":\"*.MC.example.com.\"}", ""},
        {"{\"override\":\"all\"}",
         "override: must be one of order, floor, certs, authz, backoff, paused"},
        {"{\"override\":1}", "override: must be a string"},
        {"\"a\"", ": JSON must be an object"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        struct body_renew wish;
        bool ok = body_read_renew(rows[i].body, strlen(rows[i].body), &wish, &p);
        bool star = strstr(rows[i].body, "\"*.") != NULL;
        assert_string_equal(wish.hostname, star ? "*.mc.example.com"
                                           : strstr(rows[i].body, "\"mc.") != NULL
                                               ? "mc.example.com"
                                               : "");
        assert_string_equal(wish.override, strstr(rows[i].body, "floor") != NULL ? "floor" : "");
        expect_problems(&p, ok, rows[i].body, rows[i].says);
    }
}

static bool read_records(const char *body, struct body_records *out, struct body_problems *p)
{
    return body_read_records(body, strlen(body), &apex, 300, out, p);
}

static void records(void **state)
{
    static const struct {
        const char *body, *name, *value;
    } rows[] = {
        {"{\"subdomain\":\"www\",\"records\":{\"a\":\"192.0.2.1\"}}", "www",
         "{\"a\":[\"192.0.2.1\"]}"},
        {"{\"subdomain\":\"WWW.mc.example.com.\",\"records\":{\"A\":[\"192.0.2.1\"],\"ttl\":60}}",
         "www", "{\"a\":[\"192.0.2.1\"],\"ttl\":60}"},
        {"{\"records\":{\"txt\":[\"\\u00e4\"]},\"subdomain\":\"@\"}", "@",
         "{\"txt\":[\"\xc3\xa4\"]}"},
        {"{\"subdomain\":\"*.a\",\"records\":{\"cname\":\"b\",\"a\":null}}", "*.a",
         "{\"cname\":\"b.mc.example.com\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        struct body_records r;
        bool ok = read_records(rows[i].body, &r, &p);
        expect_problems(&p, ok, rows[i].body, "");
        char *value = record_to_json(&r.set, &apex);
        assert_string_equal(r.name, rows[i].name);
        assert_string_equal(value, rows[i].value);
        free(value);
        body_records_free(&r);
    }
}

static void records_that_are_refused(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"", "subdomain: must be a name below the domain, or \"@\" for the domain itself; "
             "records: must be an object"},
        {"{}", "subdomain: must be a name"},
        {"{\"subdomain\":7,\"records\":[]}", "subdomain: must be a string; records: must be"},
        {"{\"subdomain\":\"a b\",\"records\":{\"a\":\"192.0.2.1\"}}", "subdomain: "},
        {"{\"subdomain\":\"www.example.org.\",\"records\":{\"a\":\"192.0.2.1\"}}",
         "is not under the domain"},
        {"{\"subdomain\":\"www\",\"records\":{}}", "records: holds no records"},
        {"{\"subdomain\":\"www\",\"records\":null}", "records: must be an object"},
        {"{\"subdomain\":\"www\",\"records\":{\"a\":[123,\"192.0.2.1\",\"1.2.3\"],\"ttl\":-1,"
         "\"xyz\":[]}}",
         "records.a[0]: "},
        {"{\"subdomain\":\"www\",\"records\":{\"a\":[123]},\"ttl\":5}",
         "ttl: not known here; records.a[0]: "},
        {"{\"subdomain\":\"www\",\"records\":{\"cname\":\"a\",\"txt\":\"b\"}}",
         "records: a CNAME stands alone"},
        {"{\"subdomain\":\"www\",\"records\":{\"dname\":\"a\"}}", "records: DNAME"},
        {"[1]", ": JSON must be an object"},
        {"{\"subdomain\":\"www\",", ": JSON line 1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        struct body_records r;
        bool ok = read_records(rows[i].body, &r, &p);
        expect_problems(&p, ok, rows[i].body, rows[i].says);
        body_records_free(&r);
    }
}

static void every_problem_is_named(void **state)
{
    struct body_problems p = {.list = NULL};
    struct body_records r;
    struct str text = {.text = NULL};
    (void)state;
    assert_false(read_records("{\"subdomain\":\"www\",\"records\":{\"a\":[123,\"192.0.2.1\","
                              "\"1.2.3\"],\"mx\":[{\"exchange\":1}],\"xyz\":[],\"ttl\":\"5\"}}",
                              &r, &p));
    assert_int_equal(p.count, 5);
    assert_memory_equal(p.first.text, "records.", 8);
    problems_text(&p, &text);
    assert_non_null(strstr(text.text, "records.a[0]: "));
    assert_null(strstr(text.text, "records.a[1]: "));
    assert_non_null(strstr(text.text, "records.a[2]: "));
    assert_non_null(strstr(text.text, "records.mx[0]: exchange: must be a string"));
    assert_non_null(strstr(text.text, "records.xyz: not a record type"));
    assert_non_null(strstr(text.text, "records.ttl: must be a number"));
    str_free(&text);
    body_records_free(&r);
}

static void problems_are_bounded(void **state)
{
    struct str body = {.text = NULL};
    struct body_problems p = {.list = NULL};
    struct body_records r;
    (void)state;
    str_append(&body, "{\"subdomain\":\"www\",\"records\":{\"a\":[1");
    for (int i = 1; i < 3 * BODY_PROBLEMS_MAX; i++) {
        str_append(&body, ",1");
    }
    str_append(&body, "]}}");
    assert_false(read_records(body.text, &r, &p));
    assert_int_equal(p.count, 3 * BODY_PROBLEMS_MAX);
    assert_int_equal(json_array_size(p.list), BODY_PROBLEMS_MAX);
    body_problems_free(&p);
    body_records_free(&r);
    str_free(&body);
}

static void texts(void **state)
{
    static const struct {
        const char *text, *json;
        bool utf8;
    } rows[] = {
        {"", "", true},         {"a\xc3\xa4", "a\xc3\xa4", true}, {"\xff\xc3", "??", false},
        {"a\xc3", "a?", false}, {"\xed\xa0\x80x", "???x", false}, /* a surrogate */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *json = body_text(rows[i].text);
        assert_string_equal(json_string_value(json), rows[i].json);
        assert_int_equal(body_is_utf8(rows[i].text), rows[i].utf8);
        json_decref(json);
    }
    assert_true(json_is_null(body_text(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users),
        cmocka_unit_test(long_cores),
        cmocka_unit_test(renewals),
        cmocka_unit_test(records),
        cmocka_unit_test(records_that_are_refused),
        cmocka_unit_test(every_problem_is_named),
        cmocka_unit_test(problems_are_bounded),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests_name("api/body", tests, setup, NULL);
}

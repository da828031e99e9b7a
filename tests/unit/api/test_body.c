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

/* ---- joining ------------------------------------------------------------------------------- */

#define HEX         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define COLON       "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
#define CORE        "\"coreId\":\"core-b\""
#define TOKEN       "\"token\":\"t\""
#define PRINT       "\"tlsFingerprint\":"
#define WRONG_PRINT "tlsFingerprint: must be the SHA-256"

static void acks(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{" CORE "," TOKEN "," PRINT "\"" HEX "\"}", ""},
        {"{" CORE "," TOKEN "," PRINT "\"" COLON ":" COLON "\"}", ""},
        {"", "coreId: must be the core's id; token: must be the token of the bundle; " WRONG_PRINT},
        {"{}",
         "coreId: must be the core's id; token: must be the token of the bundle; " WRONG_PRINT},
        {"{\"coreId\":\"\",\"token\":7,\"tlsFingerprint\":[]}",
         "coreId: must be the core's id; token: must be a string; tlsFingerprint: must be a "
         "string"},
        {"{\"coreid\":\"core-b\"," TOKEN "," PRINT "\"" HEX "\"}",
         "coreid: not known here; did you mean coreId?; coreId: must be the core's id"},
        {"{" CORE "," TOKEN "," PRINT "\"\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" HEX "0\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" HEX "00\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"00\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" COLON "\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" COLON ":" COLON ":\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" COLON ":" COLON ":00\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT "\"" COLON "-" COLON "\"}", WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT
         "\"g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}",
         WRONG_PRINT},
        {"{" CORE "," TOKEN "," PRINT
         "\"\\u0010112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}",
         WRONG_PRINT},
        {"[]", ": is no JSON object"},
        {"{" CORE "," CORE "," TOKEN "," PRINT "\"" HEX "\"}", ": is no JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        struct body_ack ack;
        bool ok = body_read_ack(rows[i].body, strlen(rows[i].body), &ack, &p);
        expect_problems(&p, ok, rows[i].body, rows[i].says);
        if (ok) {
            assert_string_equal(ack.core, "core-b");
            assert_string_equal(ack.token, "t");
            assert_string_equal(ack.fingerprint, HEX);
        }
    }
}

/* What cannot be read is not said again: it may be the token. */
static void an_ack_that_is_broken(void **state)
{
    static const char *const bodies[] = {
        "{" CORE ",\"token\":\"a-secret",
        "{" CORE ",\"token\":a-secret}",
        "{" CORE ",\"token\":\"a-secret\\q\"}",
        "{" CORE ",\"token\":\"x\",\"a-secret\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct body_problems p = {.list = NULL};
        struct body_ack ack;
        struct str text = {.text = NULL};
        assert_false(body_read_ack(bodies[i], strlen(bodies[i]), &ack, &p));
        assert_string_equal(p.first.text, "is no JSON object");
        problems_text(&p, &text);
        assert_string_equal(text.text, ": is no JSON object");
        str_free(&text);
    }
}

static void long_members(void **state)
{
    static const struct {
        const char *before, *after;
        int max;
    } rows[] = {
        {"{\"coreId\":\"", "\"," TOKEN "," PRINT "\"" HEX "\"}", BODY_CORE_MAX},
        {"{\"token\":\"", "\"," CORE "," PRINT "\"" HEX "\"}", BODY_TOKEN_MAX},
    };
    char body[1000];
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        struct body_problems p = {.list = NULL};
        struct body_ack ack;
        int n = snprintf(body, sizeof body, "%s%0*d%s", rows[i / 2].before,
                         rows[i / 2].max + (int)(i % 2), 0, rows[i / 2].after);
        assert_int_equal(body_read_ack(body, (size_t)n, &ack, &p), i % 2 == 0);
        assert_int_equal(p.count, i % 2);
        body_problems_free(&p);
    }
}

static void requests_for_certificates(void **state)
{
    static char body[BODY_CSR_MAX + 64], csr[BODY_CSR_MAX + 1];
    struct body_problems p = {.list = NULL};
    (void)state;
    assert_true(body_read_csr("{\"csr\":\"a\\nb\"}", 14, csr, &p));
    assert_string_equal(csr, "a\nb");
    for (int extra = 0; extra < 2; extra++) {
        int n = snprintf(body, sizeof body, "{\"csr\":\"%0*d\"}", BODY_CSR_MAX + extra, 0);
        assert_int_equal(body_read_csr(body, (size_t)n, csr, &p), extra == 0);
        assert_int_equal(strlen(csr), extra == 0 ? BODY_CSR_MAX : 0);
    }
    expect_problems(&p, false, "a long one", "csr: must be a PKCS #10 request");
    expect_problems(&p, body_read_csr("", 0, csr, &p), "", "csr: must be a PKCS #10 request");
    expect_problems(&p, body_read_csr("{\"csr\":7}", 9, csr, &p), "", "csr: must be a string");
    expect_problems(&p, body_read_csr("{\"crs\":\"x\"}", 11, csr, &p), "",
                    "crs: not known here; did you mean csr?; csr: must be");
    expect_problems(&p, body_read_csr("{\"", 2, csr, &p), "", ": JSON line 1");
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
        cmocka_unit_test(acks),
        cmocka_unit_test(an_ack_that_is_broken),
        cmocka_unit_test(long_members),
        cmocka_unit_test(requests_for_certificates),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests_name("api/body", tests, setup, NULL);
}

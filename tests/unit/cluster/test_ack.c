/* cluster/ack: lists of events in, actions out. */
#include "cluster/ack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define URL      "https://core-a.example/system/admin/cores/ack"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD                                                                                       \
    "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":["                                  \
    "{\"id\":\"core-a\",\"url\":\"https://a.example\",\"hosting\":null,\"available\":true},"       \
    "{\"id\":\"core-b\",\"url\":null,\"hosting\":\"ch\",\"available\":false}],"                    \
    "\"lscIps\":[\"192.0.2.1\",\"2001:db8::2\"]}}"

static struct ack_machine m;

static int setup(void **state)
{
    (void)state;
    ack_init(&m, URL, "core-b", 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ack_fini(&m);
    return 0;
}

static struct ack_act go(int64_t now_ms)
{
    return ack_next(&m, &(struct ack_ev){.kind = ACK_GO, .now_ms = now_ms});
}

static struct ack_act woken(int64_t now_ms)
{
    return ack_next(&m, &(struct ack_ev){.kind = ACK_WOKEN, .now_ms = now_ms});
}

static struct ack_act reply(int64_t now_ms, unsigned status, const char *body,
                            const char *retry_after)
{
    return ack_next(&m, &(struct ack_ev){.kind = ACK_REPLY,
                                         .now_ms = now_ms,
                                         .status = status,
                                         .body = body,
                                         .len = strlen(body),
                                         .retry_after = retry_after});
}

static struct ack_act failed(int64_t now_ms, enum err e, const char *what, unsigned chance)
{
    return ack_next(
        &m, &(struct ack_ev){
                .kind = ACK_FAILED, .now_ms = now_ms, .chance = chance, .error = e, .what = what});
}

static void expect_over(struct ack_act act, enum err result, const char *text)
{
    assert_int_equal(act.kind, ACK_DONE);
    assert_int_equal(act.result, result);
    if (strstr(m.info.text, text) == NULL) {
        fail_msg("`%s` does not say `%s`", m.info.text, text);
    }
}

static void expect_wait(struct ack_act act, unsigned ms)
{
    assert_int_equal(act.kind, ACK_WAIT);
    assert_int_equal(act.ms, ms);
}

static void a_good_answer_is_the_end(void **state)
{
    (void)state;
    struct ack_act act = go(1000);
    assert_int_equal(act.kind, ACK_POST);
    assert_int_equal(act.ms, ACK_TRY_MS);
    expect_over(reply(1100, 200, GOOD, NULL), ERR_OK, "");
    assert_int_equal(m.told.members_count, 2);
    assert_string_equal(m.told.members[0].id, "core-a");
    assert_string_equal(m.told.members[0].url, "https://a.example");
    assert_null(m.told.members[0].hosting);
    assert_true(m.told.members[0].available);
    assert_null(m.told.members[1].url);
    assert_string_equal(m.told.members[1].hosting, "ch");
    assert_false(m.told.members[1].available);
    assert_int_equal(m.told.lsc_ips_count, 2);
    assert_string_equal(m.told.lsc_ips[1], "2001:db8::2");
}

static void what_is_not_https_is_never_called(void **state)
{
    static const char *const urls[] = {
        "http://core-a.example/ack", "", "core-a.example", "ftp://a", "httpss://a", "https:/a"};
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        ack_init(&m, urls[i], "core-b", 0);
        expect_over(go(0), ERR_MALFORMED, "is not https");
    }
    ack_init(&m, NULL, "core-b", 0);
    expect_over(go(0), ERR_MALFORMED, "(none)");
    ack_init(&m, "HTTPS://core-a.example/ack", "core-b", 0);
    assert_int_equal(go(0).kind, ACK_POST); /* RFC 3986 §3.1 */
}

static void statuses_are_final_or_not(void **state)
{
    static const struct {
        unsigned status;
        enum err e; /* ERR_BUSY: tried again */
        const char *text;
    } rows[] = {
        {500, ERR_BUSY, "answered 500"},
        {502, ERR_BUSY, "answered 502"},
        {503, ERR_BUSY, "answered 503"},
        {599, ERR_BUSY, "answered 599"},
        {429, ERR_BUSY, "answered 429"},
        {401, ERR_DENIED, "ask for a new bundle (dnsctl bootstrap new-core --id core-b ...)"},
        {403, ERR_DENIED, "ask for a new bundle (dnsctl bootstrap new-core --id core-b ...)"},
        {404, ERR_NOTFOUND, "ask for a new bundle (dnsctl bootstrap new-core --id core-b ...)"},
        {400, ERR_MALFORMED, "are both of one version?"},
        {405, ERR_MALFORMED, "are both of one version?"},
        {413, ERR_MALFORMED, "are both of one version?"},
        {499, ERR_MALFORMED, "are both of one version?"},
        {301, ERR_MALFORMED, "not followed"},
        {302, ERR_MALFORMED, "not followed"},
        {308, ERR_MALFORMED, "not followed"},
        {204, ERR_MALFORMED, "not the answer of a dnsd"},
        {100, ERR_MALFORMED, "not the answer of a dnsd"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ack_init(&m, URL, "core-b", 0);
        (void)go(0);
        struct ack_act act = reply(5, rows[i].status, GOOD, NULL);
        if (rows[i].e == ERR_BUSY) {
            expect_wait(act, 1000);
            assert_non_null(strstr(m.info.text, rows[i].text));
        } else {
            expect_over(act, rows[i].e, rows[i].text);
        }
        ack_fini(&m);
    }
}

static void failures_are_final_or_not(void **state)
{
    static const struct {
        enum err e, result; /* ERR_BUSY: tried again */
    } rows[] = {
        {ERR_UNAVAIL, ERR_BUSY},        {ERR_TIMEOUT, ERR_BUSY},      {ERR_DENIED, ERR_DENIED},
        {ERR_LIMIT, ERR_MALFORMED},     {ERR_NOMEM, ERR_NOMEM},       {ERR_IO, ERR_IO},
        {ERR_MALFORMED, ERR_MALFORMED}, {ERR_CANCELED, ERR_CANCELED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ack_init(&m, URL, "core-b", 0);
        (void)go(0);
        struct ack_act act = failed(5, rows[i].e, "because", 0);
        if (rows[i].result == ERR_BUSY) {
            expect_wait(act, 1000);
            assert_int_equal(woken(1005).kind, ACK_POST);
        } else {
            expect_over(act, rows[i].result, "because");
        }
    }
}

static void pauses_grow_with_some_chance_in_them(void **state)
{
    static const unsigned pauses[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    (void)state;
    (void)go(0);
    int64_t now = 0;
    for (size_t i = 0; i < COUNT(pauses); i++) {
        unsigned chance = i % 2 == 0 ? 0 : 999;
        struct ack_act act = failed(now, ERR_UNAVAIL, "nobody", chance);
        expect_wait(act, pauses[i] + pauses[i] / 10 * chance / 1000);
        assert_int_equal(m.tries, i + 1);
        now += act.ms;
        assert_int_equal(woken(now).kind, ACK_POST);
    }
}

static void retry_after_is_obeyed_up_to_a_limit(void **state)
{
    static const struct {
        const char *header;
        unsigned wait_ms;
    } rows[] = {
        {NULL, 1000},
        {"0", 1000},
        {"1", 1000},
        {"7", 7000},
        {"60", 60000},
        {"61", ACK_RETRY_MAX_MS},
        {"4294967295", ACK_RETRY_MAX_MS},
        {"99999999999999999999", 1000},
        {"-1", 1000},
        {"", 1000},
        {"Wed, 21 Oct 2026 07:28:00 GMT", 1000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ack_init(&m, URL, "core-b", 0);
        (void)go(0);
        expect_wait(reply(0, i % 2 == 0 ? 429 : 503, "", rows[i].header), rows[i].wait_ms);
    }
}

static void the_deadline_ends_it_and_says_what_was_heard(void **state)
{
    (void)state;
    ack_init(&m, URL, "core-b", 20000);
    (void)go(100);
    expect_wait(reply(200, 500, "", NULL), 1000);
    struct ack_act act = woken(18100);
    assert_int_equal(act.kind, ACK_POST);
    assert_int_equal(act.ms, 2000); /* no longer than there is time */
    expect_over(failed(18200, ERR_UNAVAIL, "nobody there", 0), ERR_TIMEOUT,
                "not heard after 2 tries in 20 s; run the same command again. Last: nobody there");

    ack_init(&m, URL, "core-b", 20000);
    (void)go(100);
    expect_wait(reply(200, 500, "", NULL), 1000);
    expect_over(woken(20100), ERR_TIMEOUT, "Last: " URL " answered 500"); /* woken far too late */
}

static void it_can_be_canceled_anywhere(void **state)
{
    (void)state;
    (void)go(0);
    expect_over(ack_next(&m, &(struct ack_ev){.kind = ACK_CANCEL}), ERR_CANCELED, "stopped");
}

static void an_answer_that_is_none_is_told(void **state)
{
    static const char *const bodies[] = {
        "",
        "<html>",
        "[]",
        "{}",
        "{\"ok\":1,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[],\"lscIps\":[]}}",
        "{\"ok\":false,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[],\"lscIps\":[]}}",
        "{\"ok\":true,\"coreId\":\"core-c\",\"cluster\":{\"cores\":[],\"lscIps\":[]}}",
        "{\"ok\":true,\"cluster\":{\"cores\":[],\"lscIps\":[]}}",
        "{\"ok\":true,\"coreId\":\"core-b\"}",
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":[]}",
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"lscIps\":[]}}",
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[]}}",
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[1],\"lscIps\":[]}}",
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[{}],\"lscIps\":[]}}",
        ("{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[{\"id\":\"a\",\"url\":1}],"
         "\"lscIps\":[]}}"),
        "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[],\"lscIps\":[1]}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        ack_init(&m, URL, "core-b", 0);
        (void)go(0);
        expect_over(reply(1, 200, bodies[i], NULL), ERR_MALFORMED, "not as a dnsd does");
        ack_fini(&m);
    }
}

static void lists_have_a_limit(void **state)
{
    static const struct {
        const char *name, *item;
        size_t most;
    } rows[] = {{"cores", "{\"id\":\"a\"}", ACK_MEMBERS_MAX}, {"lscIps", "\"::1\"", ACK_LSC_MAX}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t more = 0; more < 2; more++) {
            json_t *list = json_array();
            for (size_t n = 0; n < rows[i].most + more; n++) {
                json_array_append_new(list, json_loads(rows[i].item, JSON_DECODE_ANY, NULL));
            }
            json_t *body = json_pack("{s:b,s:s,s:{s:[],s:[]}}", "ok", 1, "coreId", "core-b",
                                     "cluster", "cores", "lscIps");
            json_object_set_new(json_object_get(body, "cluster"), rows[i].name, list);
            char *text = json_dumps(body, 0);
            ack_init(&m, URL, "core-b", 0);
            (void)go(0);
            expect_over(reply(1, 200, text, NULL), more == 0 ? ERR_OK : ERR_MALFORMED, "");
            ack_fini(&m);
            free(text);
            json_decref(body);
        }
    }
}

static void the_body_is_what_the_issuer_reads(void **state)
{
    char out[ACK_BODY_MAX];
    char longest[ACK_BODY_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(ack_body("core-b", "to-Ken_1", "AA:0F", out, &len, NULL), ERR_OK);
    assert_string_equal(
        out, "{\"coreId\":\"core-b\",\"token\":\"to-Ken_1\",\"tlsFingerprint\":\"AA:0F\"}");
    assert_int_equal(len, strlen(out));
    static const char *const bad[] = {"", "a\"", "a\\", "a\n", "\xc3\xa4", "a b"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(ack_body(bad[i], "t", "f", out, &len, NULL), ERR_MALFORMED);
        assert_int_equal(ack_body("c", bad[i], "f", out, &len, NULL), ERR_MALFORMED);
        assert_int_equal(ack_body("c", "t", bad[i], out, &len, NULL), ERR_MALFORMED);
    }
    assert_int_equal(ack_body("c", NULL, "f", out, &len, NULL), ERR_MALFORMED);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(ack_body("c", longest, "f", out, &len, NULL), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_answer_is_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_https_is_never_called, setup, teardown),
        cmocka_unit_test_setup_teardown(statuses_are_final_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_final_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(pauses_grow_with_some_chance_in_them, setup, teardown),
        cmocka_unit_test_setup_teardown(retry_after_is_obeyed_up_to_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deadline_ends_it_and_says_what_was_heard, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_can_be_canceled_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_none_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_have_a_limit, setup, teardown),
        cmocka_unit_test(the_body_is_what_the_issuer_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Proof by asking: scripted servers that are right, wrong in each way, right later, or not there. */
#include "dnsd/probe/prove_uv.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "dns_script.h"
#include "dnsd/probe/address.h"
#include "lib/clock.h"
#include "lib/jx.h"
#include "lib/str.h"

#define NAME  "_acme-challenge.mc.example.com"
#define OTHER "_acme-challenge.x.mc.example.com"
#define ONE   "\n= " NAME ". TXT \"one\""
#define TWO   "\n= " NAME ". TXT \"two\""
#define RIGHT "aa" ONE TWO

static uv_loop_t loop;
static struct probe *probe;
static struct dns_script *servers[3];
static struct sockaddr_storage addresses[3]; /* theirs */

static struct {
    unsigned ended;
    enum err e;
    struct err_info info;
    struct str report; /* an entry a line: label transport ok|no|-- answer */
    int64_t rounds, ms;
} got;

static int setup(void **state)
{
    static const struct dns_rule right[] = {{NAME, "TXT", NULL, RIGHT}, {0}};
    (void)state;
    uv_loop_init(&loop);
    probe_open(&loop, &probe);
    for (size_t i = 0; i < 3; i++) {
        servers[i] = dns_script_open(&loop, "127.0.0.1", 0, right);
        dns_script_address(servers[i], &addresses[i]);
    }
    memset(&got, 0, sizeof got);
    str_append(&got.report, "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    probe_close(probe, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        dns_script_close(servers[i]);
    }
    str_free(&got.report);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void read_report(const char *text)
{
    json_t *all = NULL;
    const json_t *list;
    assert_int_equal(jx_parse_object(text, strlen(text), &all, NULL), ERR_OK);
    assert_int_equal(jx_array(all, "servers", &list, NULL), ERR_OK);
    assert_int_equal(jx_int(all, "rounds", 0, 1000, &got.rounds, NULL), ERR_OK);
    assert_int_equal(jx_int(all, "ms", 0, 100000, &got.ms, NULL), ERR_OK);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *label, *transport, *answer, *address;
        bool ok, checked;
        int64_t ms;
        assert_int_equal(jx_string(entry, "label", &label, NULL), ERR_OK);
        assert_int_equal(jx_string(entry, "address", &address, NULL), ERR_OK);
        assert_int_equal(jx_string(entry, "transport", &transport, NULL), ERR_OK);
        assert_int_equal(jx_string(entry, "answer", &answer, NULL), ERR_OK);
        assert_int_equal(jx_bool(entry, "ok", &ok, NULL), ERR_OK);
        assert_int_equal(jx_bool(entry, "checked", &checked, NULL), ERR_OK);
        assert_int_equal(jx_int(entry, "ms", 0, 100000, &ms, NULL), ERR_OK);
        str_appendf(&got.report, "%s %s %s %s\n", label, transport,
                    !checked ? "--"
                    : ok     ? "ok"
                             : "no",
                    answer);
    }
    json_decref(all);
}

static void on_proved(void *ctx, enum err e, const struct err_info *info, const char *report)
{
    (void)ctx;
    got.ended++;
    got.e = e;
    assert_true((info == NULL) == (e == ERR_OK));
    if (info != NULL) {
        got.info = *info;
    }
    read_report(report);
}

static const char *const values[] = {"two", "one"};

static unsigned silent_servers; /* bits: which may be silent */

static struct prove *begin(size_t servers_count, size_t names_count, int64_t wait_ms)
{
    struct prove_server list[3];
    struct prove_name names[2];
    static const char *const texts[] = {"core a", "core b", "ns dns1.mc.example.com"};
    static const char *const third[] = {"three"};
    for (size_t i = 0; i < 3; i++) {
        list[i].label = texts[i];
        list[i].address = addresses[i];
        list[i].may_be_silent = (silent_servers >> i & 1) != 0;
    }
    names[0].values = values;
    names[0].count = 2;
    names[1].values = third;
    names[1].count = 1;
    assert_int_equal(wire_name_from_text(NAME, NULL, &names[0].name, NULL), ERR_OK);
    assert_int_equal(wire_name_from_text(OTHER, NULL, &names[1].name, NULL), ERR_OK);
    got.ended = 0;
    got.report.len = 0;
    got.report.text[0] = '\0';
    return prove_start(probe, &loop, list, servers_count, names, names_count,
                       clk_mono_ms(&clk_system) + wait_ms, on_proved, NULL);
}

static void wait_end(void)
{
    assert_int_equal(got.ended, 0);
    while (got.ended == 0) {
        assert_int_not_equal(uv_run(&loop, UV_RUN_ONCE), 0);
    }
}

static void everybody_is_right(void **state)
{
    (void)state;
    begin(3, 1, 5000);
    wait_end();
    assert_int_equal(got.e, ERR_OK);
    assert_string_equal(got.report.text, "core a udp ok 2 values\ncore a tcp ok 2 values\n"
                                         "core b udp ok 2 values\ncore b tcp ok 2 values\n"
                                         "ns dns1.mc.example.com udp ok 2 values\n"
                                         "ns dns1.mc.example.com tcp ok 2 values\n");
    assert_int_equal(got.rounds, 1);
    print_message("3 servers, 12 questions: %d ms\n", (int)got.ms);
    assert_in_range(got.ms, 0, 500);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(dns_script_count(servers[i]), 4);
        assert_non_null(strstr(dns_script_asked(servers[i]), "udp " NAME));
        assert_non_null(strstr(dns_script_asked(servers[i]), "udp+edns " NAME));
        assert_non_null(strstr(dns_script_asked(servers[i]), "tcp " NAME));
        assert_non_null(strstr(dns_script_asked(servers[i]), "tcp+edns " NAME));
    }
}

struct wrong {
    const char *over, *reply, *says;
};

/* Long enough that two of them are over 512 octets, and one of them over 1232 with the values. */
#define LONG_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG    LONG_50 LONG_50 LONG_50 LONG_50 LONG_50

static void each_way_to_be_wrong(void **state)
{
    static const struct wrong wrongs[] = {
        {NULL, "aa" ONE, "1 of 2 values"},
        {NULL, RIGHT "\n= " NAME ". TXT \"stale\"", "2 of 2 values, and 1 other"},
        {NULL, RIGHT "\n= " NAME ". TXT \"stale\"\n= " NAME ". TXT \"old\"",
         "2 of 2 values, and 2 others"},
        {NULL, RIGHT ONE, "2 of 2 values, and 1 other"}, /* twice */
        {NULL, "aa\n= " NAME ". TXT \"stale\"", "0 of 2 values, and 1 other"},
        {NULL, "aa\n= " NAME ". TXT \"ones\"" TWO, "1 of 2 values, and 1 other"},
        {NULL, "aa\n= " NAME ". TXT \"on\"" TWO, "1 of 2 values, and 1 other"},
        {NULL, RIGHT "\n= " NAME ". TXT # 036f6e", "and 1 other"},
        {NULL, "aa", "no value"},
        {NULL, "aa\n= " OTHER ". TXT \"one\"\n= " OTHER ". TXT \"two\"", "no value"},
        {NULL, "aa\n+ " NAME ". TXT \"one\"\n! " NAME ". TXT \"two\"", "no value"},
        {NULL, "aa nxdomain", "NXDOMAIN"},
        {NULL, "refused", "REFUSED"},
        {NULL, "servfail", "SERVFAIL"},
        {NULL, "\n= " NAME ". TXT \"one\"" TWO, "no AA"},
        {"udp", "aa tc", "truncated (TC)"},
        {"udp", "aa tc" ONE TWO, "truncated (TC)"},
        {"tcp", "aa tc" ONE TWO, "truncated (TC)"},
        {"tcp", "aa" ONE, "1 of 2 values"},
        {"tcp", "close", "closed without an answer"},
        {"udp+edns", "aa formerr", "FORMERR"},
        {"udp", "lower " RIGHT, "letter case"},
        {NULL, "aa\n= " NAME ". CNAME v.else.test.", "a CNAME to v.else.test., without the values"},
        {NULL, "aa\n= " NAME ". CNAME v.else.test.\n= v.else.test. TXT \"one\"",
         "a CNAME to v.else.test., without the values"},
        {"udp", "aa" ONE "\n= " NAME ". TXT \"" LONG "\" \"" LONG "\"\n= " NAME ". TXT \"two\"",
         "larger than was asked for"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct str reply = {.text = NULL};
        str_append(&reply, wrongs[i].reply);
        char *hash =
            strstr(reply.text, "# 036f6e"); /* a string cut short, as no zone file has it */
        if (hash != NULL) {
            struct str raw = {.text = NULL};
            str_append_n(&raw, reply.text, (size_t)(hash - reply.text));
            str_append(&raw, "\\# 036f6e");
            str_free(&reply);
            reply = raw;
        }
        struct dns_rule rules[] = {
            {NAME, "TXT", wrongs[i].over, reply.text}, {NAME, "TXT", NULL, RIGHT}, {0}};
        dns_script_rules(servers[1], rules);
        begin(3, 1, 30);
        wait_end();
        if (got.e != ERR_TIMEOUT || strstr(got.info.text, wrongs[i].says) == NULL ||
            strncmp(got.info.text, "core b (127.0.0.1:", 18) != 0) {
            fail_msg("%s: %s, %s", wrongs[i].reply, err_text(got.e), got.info.text);
        }
        assert_non_null(strstr(got.report.text, wrongs[i].says));
        assert_non_null(
            strstr(got.report.text, "core a udp ok 2 values\ncore a tcp ok 2 values\n"));
        assert_true((strstr(got.report.text, "core b udp no") != NULL) ==
                    (wrongs[i].over == NULL || strncmp(wrongs[i].over, "udp", 3) == 0));
        assert_true((strstr(got.report.text, "core b tcp no") != NULL) ==
                    (wrongs[i].over == NULL || strncmp(wrongs[i].over, "tcp", 3) == 0));
        str_free(&reply);
    }
}

static void how_many_are_wrong(void **state)
{
    static const struct dns_rule without[] = {{NAME, "TXT", NULL, "aa nxdomain"}, {0}};
    (void)state;
    dns_script_rules(servers[1], without);
    dns_script_rules(servers[2], without);
    begin(3, 1, 30);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
    assert_non_null(strstr(got.info.text, "over UDP) gives for " NAME ".: NXDOMAIN; and 3 more are "
                                          "not right"));
}

/* An alias inside of what the server answers for leads a validator to the values, too. */
static void an_alias_with_the_values(void **state)
{
    static const struct dns_rule alias[] = {
        {NAME, "TXT", NULL,
         "aa\n= " NAME ". CNAME v.mc.example.com.\n= v.mc.example.com. TXT \"one\""
         "\n= v.mc.example.com. TXT \"two\""},
        {0}};
    static const struct dns_rule ring[] = {
        {NAME, "TXT", NULL,
         "aa\n= " NAME ". CNAME v.mc.example.com.\n= v.mc.example.com. CNAME " NAME "."},
        {0}};
    (void)state;
    dns_script_rules(servers[0], alias);
    begin(1, 1, 2000);
    wait_end();
    assert_int_equal(got.e, ERR_OK);
    dns_script_rules(servers[0], ring);
    begin(1, 1, 30);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
}

/* Two names; one core learns of the second later: only what was not right is asked again. */
static void right_in_the_end(void **state)
{
    static const struct dns_rule both[] = {
        {NAME, "TXT", NULL, RIGHT}, {OTHER, "TXT", NULL, "aa\n= " OTHER ". TXT \"three\""}, {0}};
    static const struct dns_rule one[] = {
        {NAME, "TXT", NULL, RIGHT}, {OTHER, "TXT", NULL, "aa nxdomain"}, {0}};
    (void)state;
    dns_script_rules(servers[0], both);
    dns_script_rules(servers[1], one);
    begin(2, 2, 10000);
    while (dns_script_count(servers[1]) < 8 + 4) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(got.ended, 0);
    dns_script_rules(servers[1], both);
    wait_end();
    assert_int_equal(got.e, ERR_OK);
    assert_int_equal(dns_script_count(servers[0]), 8);
    assert_in_range(got.rounds, 2, 4);
    assert_non_null(strstr(got.report.text, "core b tcp ok 3 values"));
}

static void nobody_there(void **state)
{
    (void)state;
    dns_script_close(servers[2]);
    uv_run(&loop, UV_RUN_NOWAIT);
    begin(3, 1, 100);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
    assert_non_null(strstr(got.info.text, "connection refused"));
    assert_non_null(strstr(got.report.text, "ns dns1.mc.example.com tcp no"));
    servers[2] = dns_script_open(&loop, "127.0.0.1", 0, (struct dns_rule[]){{0}});
}

/* Of one that may be silent only its answers count. */
static void silence_allowed(void **state)
{
    (void)state;
    dns_script_close(servers[2]);
    uv_run(&loop, UV_RUN_NOWAIT);
    silent_servers = 1u << 2;
    begin(3, 1, 5000);
    wait_end();
    assert_int_equal(got.e, ERR_OK);
    assert_non_null(strstr(got.report.text, "ns dns1.mc.example.com udp -- not checked: "));
    assert_non_null(strstr(got.report.text, "ns dns1.mc.example.com tcp -- not checked: "));
    servers[2] = dns_script_open(&loop, "127.0.0.1", 0, (struct dns_rule[]){{0}});
    silent_servers = 1u << 1;
    dns_script_rules(servers[1], (struct dns_rule[]){{NULL, NULL, NULL, "nxdomain"}, {0}});
    begin(2, 1, 50);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
    assert_non_null(strstr(got.info.text, "NXDOMAIN"));
    silent_servers = 0;
}

/* The last test: in a network of its own, in which there is no way to anywhere. */
static void no_way(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        skip();
    }
    assert_int_equal(address_read("[2001:db8::1]:53", 53, &addresses[0], NULL), ERR_OK);
    begin(1, 1, 5000);
    wait_end();
    assert_int_equal(got.e, ERR_OK);
    assert_string_equal(got.report.text, "core a udp -- not checked: no IPv6 from here\n"
                                         "core a tcp -- not checked: no IPv6 from here\n");
    /* Of IPv4 it is a failure. */
    assert_int_equal(address_read("192.0.2.1", 53, &addresses[0], NULL), ERR_OK);
    begin(1, 1, 50);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
    assert_non_null(strstr(got.report.text, "core a tcp no"));
}

static void silence_until_the_deadline(void **state)
{
    static const struct dns_rule mute[] = {{NULL, NULL, NULL, "silent"}, {0}};
    (void)state;
    dns_script_rules(servers[0], mute);
    int64_t began = clk_mono_ms(&clk_system);
    begin(2, 1, 60);
    wait_end();
    assert_int_equal(got.e, ERR_TIMEOUT);
    assert_non_null(strstr(got.info.text, "no answer yet"));
    assert_in_range(clk_mono_ms(&clk_system) - began, 60, 1000);
}

static void cancel(void **state)
{
    static const struct dns_rule mute[] = {{NULL, NULL, NULL, "silent"}, {0}};
    static const struct dns_rule without[] = {{NAME, "TXT", NULL, "aa nxdomain"}, {0}};
    (void)state;
    prove_cancel(begin(3, 1, 5000)); /* before it has begun */
    wait_end();
    assert_int_equal(got.e, ERR_CANCELED);
    dns_script_rules(servers[0], mute);
    struct prove *v = begin(1, 1, 5000);
    while (dns_script_count(servers[0]) < 4) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    prove_cancel(v);
    prove_cancel(v);
    wait_end();
    assert_int_equal(got.e, ERR_CANCELED);
    dns_script_rules(servers[1], without);
    v = begin(2, 1, 5000);
    while (got.ended == 0 && dns_script_count(servers[1]) < 4) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_run(&loop, UV_RUN_NOWAIT); /* perhaps in the pause */
    prove_cancel(v);
    wait_end();
    assert_int_equal(got.e, ERR_CANCELED);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(got.ended, 1);
}

/* The probe ends under it. */
static void closed_under_it(void **state)
{
    static const struct dns_rule mute[] = {{NULL, NULL, NULL, "silent"}, {0}};
    (void)state;
    dns_script_rules(servers[0], mute);
    struct prove *v = begin(1, 1, 5000);
    uv_run(&loop, UV_RUN_NOWAIT);
    prove_cancel(v);
    probe_close(probe, NULL, NULL);
    wait_end();
    assert_int_equal(got.e, ERR_CANCELED);
    probe_open(&loop, &probe);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(everybody_is_right),
        TEST(each_way_to_be_wrong),
        TEST(how_many_are_wrong),
        TEST(an_alias_with_the_values),
        TEST(right_in_the_end),
        TEST(nobody_there),
        TEST(silence_allowed),
        TEST(silence_until_the_deadline),
        TEST(cancel),
        TEST(closed_under_it),
        TEST(no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

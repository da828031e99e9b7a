/* One question to one server that may lie: what is taken for its answer and what is not, how long it is
 * waited for, and how calls end. */
#include "dnsd/probe/ask_uv.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_script.h"
#include "dnsd/probe/address.h"
#include "dnsd/wire/type.h"

#define NAME     "_acme-challenge.mc.example.com"
#define ANSWERED "aa\n= " NAME ". TXT \"value\""

static uv_loop_t loop;
static struct probe *probe;
static struct dns_script *server;

struct got {
    unsigned ended;
    enum err e;
    char info[512], text[64];
    uint16_t flags, rcode, size;
    bool same_case;
    int64_t took_ms;
};

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer)
{
    struct got *got = ctx;
    got->ended++;
    got->e = e;
    if (e != ERR_OK) {
        assert_null(answer);
        snprintf(got->info, sizeof got->info, "%s", info->text);
        return;
    }
    const struct wire_message *m = answer->message;
    got->flags = m->flags;
    got->rcode = m->rcode;
    got->same_case = m->question_same_case;
    got->size = answer->size;
    got->took_ms = answer->took_ms;
    if (m->count > 0) {
        assert_int_equal(wire_record_text(&m->records[0], got->text, sizeof got->text), ERR_OK);
    }
}

static struct probe_question question(bool tcp)
{
    struct probe_question q = {.type = TYPE_TXT, .tcp = tcp, .edns = true};
    dns_script_address(server, &q.server);
    assert_int_equal(wire_name_from_text(NAME, NULL, &q.name, NULL), ERR_OK);
    return q;
}

static void until(const unsigned *count, unsigned n)
{
    while (*count < n) {
        assert_true(uv_run(&loop, UV_RUN_ONCE) != 0 || *count >= n);
    }
}

static struct got ask(const char *reply, bool tcp)
{
    struct dns_rule rules[] = {{.name = NAME, .type = "TXT", .reply = reply}, {0}};
    struct probe_question q = question(tcp);
    struct got got = {.ended = 0};
    dns_script_rules(server, rules);
    probe_ask(probe, &q, on_answer, &got);
    assert_int_equal(got.ended, 0);
    until(&got.ended, 1);
    return got;
}

static int setup(void **state)
{
    static const struct dns_rule none[] = {{0}};
    (void)state;
    uv_loop_init(&loop);
    probe_open(&loop, &probe);
    server = dns_script_open(&loop, "127.0.0.1", 0, none);
    return 0;
}

static void on_closed(void *ctx)
{
    ++*(unsigned *)ctx;
}

static int teardown(void **state)
{
    unsigned closed = 0;
    (void)state;
    if (probe != NULL) {
        probe_close(probe, on_closed, &closed);
        assert_int_equal(closed, 0);
        until(&closed, 1);
        probe = NULL;
    }
    dns_script_close(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void an_answer(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        struct got got = ask(ANSWERED, tcp);
        assert_int_equal(got.e, ERR_OK);
        assert_string_equal(got.text, "value");
        assert_int_equal(got.flags, WIRE_QR | WIRE_AA);
        assert_true(got.same_case);
        assert_in_range(got.size, 40, 120);
        assert_in_range(got.took_ms, 0, 500);
    }
    assert_string_equal(dns_script_asked(server),
                        "udp+edns " NAME ". TXT\ntcp+edns " NAME ". TXT\n");
}

/* Many questions: letters come in both cases, and not always in the same. With plain_case they come as
 * they are. */
static void letter_case(void **state)
{
    uint8_t first[WIRE_NAME_MAX];
    size_t len, upper = 0, lower = 0, differ = 0;
    (void)state;
    for (int i = 0; i < 8; i++) {
        ask(ANSWERED, false);
        const uint8_t *name = dns_script_name(server, &len);
        if (i == 0) {
            memcpy(first, name, len);
        }
        differ += memcmp(first, name, len) != 0;
        for (size_t k = 0; k < len; k++) {
            upper += name[k] >= 'A' && name[k] <= 'Z';
            lower += name[k] >= 'a' && name[k] <= 'z';
        }
    }
    assert_int_equal(upper + lower, 8 * 25); /* letters in the name */
    assert_in_range(upper, 40, 8 * 25 - 40);
    assert_in_range(differ, 5, 7);
    struct got got = ask("aa lower\n= " NAME ". TXT \"value\"", false);
    assert_int_equal(got.e, ERR_OK); /* told, not judged */
    assert_false(got.same_case);

    struct dns_rule rules[] = {{.name = NAME, .reply = ANSWERED}, {0}};
    struct probe_question q = question(false);
    q.plain_case = q.recursive = true;
    q.edns = false;
    struct got plain = {.ended = 0};
    dns_script_rules(server, rules);
    probe_ask(probe, &q, on_answer, &plain);
    until(&plain.ended, 1);
    assert_int_equal(plain.e, ERR_OK);
    assert_memory_equal(dns_script_name(server, &len), q.name.bytes, q.name.len);
    assert_non_null(strstr(dns_script_asked(server), "udp " NAME)); /* without EDNS */
}

static void what_else_comes_is_dropped(void **state)
{
    struct got got;
    (void)state;
    got = ask("twice aa\n= " NAME ". TXT \"value\"", false);
    assert_int_equal(got.e, ERR_OK);
    assert_string_equal(got.text, "value");
    assert_int_equal(dns_script_count(server), 1);
}

static void truncation_is_told(void **state)
{
    struct got got;
    (void)state;
    got = ask("aa tc", false);
    assert_int_equal(got.e, ERR_OK);
    assert_int_equal(got.flags, WIRE_QR | WIRE_AA | WIRE_TC);
    assert_int_equal(dns_script_count(server), 1);
}

static void rcodes_are_told(void **state)
{
    (void)state;
    assert_int_equal(ask("servfail", false).rcode, RCODE_SERVFAIL);
    assert_int_equal(ask("nxdomain aa", true).rcode, RCODE_NXDOMAIN);
}

static void a_lost_datagram(void **state)
{
    struct got got;
    (void)state;
    got = ask("drop1 aa\n= " NAME ". TXT \"value\"", false);
    assert_int_equal(got.e, ERR_OK);
    assert_int_equal(dns_script_count(server), 2);
    assert_in_range(got.took_ms, PROBE_TRY_MS - 100, 2 * PROBE_TRY_MS);
}

/* All who never say the right thing, at the same time: each is given up in its time, with its reason. */
static void who_never_answers(void **state)
{
    static const struct {
        const char *reply;
        bool tcp;
        enum err e;
        const char *info;
    } rows[] = {
        {"silent", false, ERR_TIMEOUT, "over UDP: no answer"},
        {"foreign aa", false, ERR_TIMEOUT, "over UDP: no answer"},
        {"wrongid", false, ERR_TIMEOUT, "over UDP: no answer"},
        {"othername", false, ERR_TIMEOUT, "over UDP: no answer"},
        {"garbage", false, ERR_MALFORMED, "over UDP: what came is no DNS"},
        {"silent", true, ERR_TIMEOUT, "over TCP: no answer"},
        {"drip", true, ERR_TIMEOUT, "over TCP: no answer"},
        {"wrongid", true, ERR_MALFORMED, "over TCP: what came is not the answer"},
        {"garbage", true, ERR_MALFORMED, "over TCP: what came is not the answer"},
        {"close", true, ERR_UNAVAIL, "over TCP: closed without an answer"},
    };
    enum { N = sizeof rows / sizeof rows[0] };
    struct dns_rule rules[N][2];
    struct dns_script *servers[N];
    struct got got[N];
    (void)state;
    memset(rules, 0, sizeof rules);
    memset(got, 0, sizeof got);
    for (size_t i = 0; i < N; i++) {
        struct probe_question q = question(rows[i].tcp);
        rules[i][0].reply = rows[i].reply;
        servers[i] = dns_script_open(&loop, "127.0.0.1", 0, rules[i]);
        dns_script_address(servers[i], &q.server);
        probe_ask(probe, &q, on_answer, &got[i]);
    }
    uint64_t began = uv_hrtime();
    for (size_t i = 0; i < N; i++) {
        until(&got[i].ended, 1);
        if (got[i].e != rows[i].e || strstr(got[i].info, rows[i].info) == NULL ||
            strstr(got[i].info, "127.0.0.1:") == NULL) {
            fail_msg("%s: %s, %s", rows[i].reply, err_text(got[i].e), got[i].info);
        }
        assert_int_equal(dns_script_count(servers[i]), rows[i].tcp ? 1 : PROBE_TRIES);
        dns_script_close(servers[i]);
    }
    assert_in_range((uv_hrtime() - began) / 1000000, 2900, 4500);
}

static void nobody_there(void **state)
{
    struct probe_question q = question(false);
    struct got udp = {.ended = 0}, tcp = {.ended = 0};
    (void)state;
    struct dns_script *gone = dns_script_open(&loop, "127.0.0.2", 0, (struct dns_rule[]){{0}});
    dns_script_address(gone, &q.server);
    dns_script_close(gone);
    uv_run(&loop, UV_RUN_NOWAIT);
    probe_ask(probe, &q, on_answer, &udp);
    q.tcp = true;
    probe_ask(probe, &q, on_answer, &tcp);
    until(&udp.ended, 1);
    until(&tcp.ended, 1);
    assert_int_equal(udp.e, ERR_UNAVAIL);
    assert_int_equal(tcp.e, ERR_UNAVAIL);
    assert_non_null(strstr(tcp.info, "refused"));
}

/* TCP to everybody: the kernel knows no way. (Nothing leaves the machine.) */
static void no_way_there(void **state)
{
    struct probe_question q = question(true);
    struct got got = {.ended = 0};
    (void)state;
    assert_int_equal(address_read("255.255.255.255", 53, &q.server, NULL), ERR_OK);
    probe_ask(probe, &q, on_answer, &got);
    assert_int_equal(got.ended, 0);
    until(&got.ended, 1);
    assert_int_equal(got.e, ERR_NOTFOUND);
    assert_non_null(strstr(got.info, "255.255.255.255:53 over TCP: network is unreachable"));
}

/* More than may be asked at a time: nobody is forgotten, and no more than that are under way. */
static void many(void **state)
{
    enum { N = 3 * PROBE_AT_ONCE };
    static struct got got[N];
    struct dns_rule rules[] = {{.name = NAME, .reply = ANSWERED}, {0}};
    (void)state;
    dns_script_rules(server, rules);
    memset(got, 0, sizeof got);
    for (int i = 0; i < N; i++) {
        struct probe_question q = question(i % 2 == 1);
        probe_ask(probe, &q, on_answer, &got[i]);
    }
    for (int i = 0; i < N; i++) {
        until(&got[i].ended, 1);
        assert_int_equal(got[i].e, ERR_OK);
    }
    assert_int_equal(dns_script_count(server), N);
}

static void who_waits_for_a_turn(void **state)
{
    static struct got got[PROBE_AT_ONCE + 1];
    struct probe_call *calls[PROBE_AT_ONCE + 1];
    struct dns_rule rules[] = {{.name = NAME, .reply = "silent"}, {0}};
    struct probe_question q = question(false);
    (void)state;
    dns_script_rules(server, rules);
    memset(got, 0, sizeof got);
    for (int i = 0; i <= PROBE_AT_ONCE; i++) {
        calls[i] = probe_ask(probe, &q, on_answer, &got[i]);
    }
    while (dns_script_count(server) < PROBE_AT_ONCE) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(dns_script_count(server), PROBE_AT_ONCE);
    rules[0].reply = ANSWERED;
    probe_cancel(calls[0]);
    until(&got[0].ended, 1);
    assert_int_equal(got[0].e, ERR_CANCELED);
    until(&got[PROBE_AT_ONCE].ended, 1); /* the last one had its turn */
    assert_int_equal(got[PROBE_AT_ONCE].e, ERR_OK);
}

static void cancel(void **state)
{
    struct dns_rule rules[] = {{.name = NAME, .reply = "silent"}, {0}};
    struct probe_question q = question(false);
    struct got got[4];
    struct probe_call *calls[4];
    (void)state;
    memset(got, 0, sizeof got);
    dns_script_rules(server, rules);
    calls[0] = probe_ask(probe, &q, on_answer, &got[0]);
    probe_cancel(calls[0]); /* before it began */
    probe_cancel(calls[0]);
    assert_int_equal(got[0].ended, 0);
    until(&got[0].ended, 1);
    calls[1] = probe_ask(probe, &q, on_answer, &got[1]);
    q.tcp = true;
    calls[2] = probe_ask(probe, &q, on_answer, &got[2]);
    calls[3] = probe_ask(probe, &q, on_answer, &got[3]);
    uv_run(&loop, UV_RUN_NOWAIT); /* they are connecting */
    probe_cancel(calls[3]);
    while (dns_script_count(server) < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    probe_cancel(calls[1]);
    probe_cancel(calls[2]);
    for (int i = 0; i < 4; i++) {
        until(&got[i].ended, 1);
        assert_int_equal(got[i].e, ERR_CANCELED);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(got[i].ended, 1);
    }
}

static struct probe_call *connecting;

static void cancel_the_other(void *ctx, enum err e, const struct err_info *info,
                             const struct probe_answer *answer)
{
    on_answer(ctx, e, info, answer);
    probe_cancel(connecting);
}

/* A listener with room for nobody: further connections hang. */
static void full_listener(int fds[4], struct sockaddr_storage *address)
{
    socklen_t len = sizeof(struct sockaddr_in);
    assert_int_equal(address_read("127.0.0.1", 0, address, NULL), ERR_OK);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
    }
    assert_int_equal(bind(fds[0], (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)address, &len), 0);
    for (int i = 1; i < 4; i++) {
        (void)!connect(fds[i], (struct sockaddr *)address, len);
    }
}

/* Canceled by the callback of another question while connect() is under way. */
static void cancel_while_connecting(void **state)
{
    static const struct dns_rule rules[] = {{NAME, "TXT", NULL, ANSWERED}, {0}};
    struct probe_question hangs = question(true), q = question(false);
    struct got first = {.ended = 0}, second = {.ended = 0};
    int fds[4];
    (void)state;
    full_listener(fds, &hangs.server);
    dns_script_rules(server, rules);
    connecting = probe_ask(probe, &hangs, on_answer, &first);
    probe_ask(probe, &q, cancel_the_other, &second);
    until(&first.ended, 1);
    assert_int_equal(second.ended, 1);
    assert_int_equal(second.e, ERR_OK);
    assert_int_equal(first.e, ERR_CANCELED);
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
}

/* IPv6, if this machine has it at all. */
static void over_ipv6(void **state)
{
    static const struct dns_rule rules[] = {{NAME, "TXT", NULL, ANSWERED}, {0}};
    struct got got[2] = {{.ended = 0}, {.ended = 0}};
    uv_udp_t any;
    struct sockaddr_storage loopback;
    (void)state;
    assert_int_equal(address_read("::1", 0, &loopback, NULL), ERR_OK);
    uv_udp_init(&loop, &any);
    int rc = uv_udp_bind(&any, (struct sockaddr *)&loopback, 0);
    uv_close((uv_handle_t *)&any, NULL);
    if (rc != 0) {
        skip();
    }
    struct dns_script *s = dns_script_open(&loop, "::1", 0, rules);
    for (int tcp = 0; tcp < 2; tcp++) {
        struct probe_question q = question(tcp == 1);
        dns_script_address(s, &q.server);
        probe_ask(probe, &q, on_answer, &got[tcp]);
    }
    until(&got[0].ended, 1);
    until(&got[1].ended, 1);
    assert_string_equal(got[0].text, "value");
    assert_string_equal(got[1].text, "value");
    dns_script_close(s);
}

static void ask_again(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer)
{
    struct got *got = ctx;
    struct probe_question q = question(false);
    got->ended++;
    got->e = e;
    (void)info;
    (void)answer;
    if (got->ended == 1) {
        probe_ask(probe, &q, ask_again, got);
    }
}

static void closing_ends_all(void **state)
{
    static struct got got[PROBE_AT_ONCE + 2];
    struct dns_rule rules[] = {{.name = NAME, .reply = "silent"}, {0}};
    struct probe_question q = question(false);
    unsigned closed = 0;
    (void)state;
    memset(got, 0, sizeof got);
    dns_script_rules(server, rules);
    for (int i = 0; i <= PROBE_AT_ONCE; i++) {
        probe_ask(probe, &q, on_answer, &got[i]);
    }
    probe_ask(probe, &q, ask_again, &got[PROBE_AT_ONCE + 1]); /* asks on while it is closed */
    uv_run(&loop, UV_RUN_NOWAIT);
    probe_close(probe, on_closed, &closed);
    until(&closed, 1);
    probe = NULL;
    for (int i = 0; i <= PROBE_AT_ONCE; i++) {
        assert_int_equal(got[i].ended, 1);
        assert_int_equal(got[i].e, ERR_CANCELED);
    }
    assert_int_equal(got[PROBE_AT_ONCE + 1].ended, 2);
    assert_int_equal(got[PROBE_AT_ONCE + 1].e, ERR_CANCELED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_answer),
        TEST(letter_case),
        TEST(what_else_comes_is_dropped),
        TEST(truncation_is_told),
        TEST(rcodes_are_told),
        TEST(a_lost_datagram),
        TEST(who_never_answers),
        TEST(nobody_there),
        TEST(no_way_there),
        TEST(many),
        TEST(who_waits_for_a_turn),
        TEST(cancel),
        TEST(cancel_while_connecting),
        TEST(over_ipv6),
        TEST(closing_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The handlers when the store is not as it should be: every error at every step, others who change the same
 * rows, a store that goes away in between, clients and a daemon that do not wait for it. The store is a
 * fake that does what the test says; the server and the client are real. What a real store answers is in
 * tests/contract/test_api.c. */
#include "api_raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "store_fake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- fixture ------------------------------------------------------------------------------- */

static uv_loop_t loop;
static struct web w;
static char a_store; /* nobody looks into it */

static struct store_core core = {.id = "core-a", .ip = "192.0.2.1", .available = true, .users = 3};

static void reset(void)
{
    fake = (struct fake){.loop = &loop,
                         .placed = {STORE_PLACED},
                         .placed_count = 1,
                         .place_core = "core-a",
                         .core = &core,
                         .record = "{\"a\":[\"192.0.2.9\"]}",
                         .http01_token = "tok"};
    w.env.store = (struct store *)&a_store;
    w.env.managed = "*." WEB_DOMAIN;
    w.env.core_id = "core-a";
    w.renewals = 0;
    core.id = "core-a";
}

static int setup(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_int_equal(uv_loop_init(&loop), 0);
    web_open(&w, &loop);
    reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    web_close(&w);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* ---- errors -------------------------------------------------------------------------------- */

static const char ack[] =
    "{\"coreId\":\"core-a\",\"token\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
    "\"tlsFingerprint\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}";

#define WWW "{\"subdomain\":\"web\",\"records\":{\"a\":[\"192.0.2.1\"]}}"

static const struct route {
    const char *method, *target, *body;
    unsigned site;
    unsigned reads;  /* steps that read */
    unsigned writes; /* and then steps that write */
    unsigned success;
} routes[] = {
    {"GET", "/system/admin/cores", NULL, WEB_API, 1, 0, 200},
    {"POST", "/system/admin/cores/ack", ack, WEB_API, 1, 1, 200},
    {"GET", "/system/admin/certs", NULL, WEB_API, 1, 0, 200},
    {"POST", "/system/admin/certs/force-renew", NULL, WEB_API, 0, 1, 202},
    {"GET", "/system/admin/certs/jobs/0b4d8f2e6a1c3579bd02468ace13579f", NULL, WEB_API, 1, 0, 200},
    {"PUT", "/system/admin/users/al", NULL, WEB_API, 0, 1, 201},
    {"DELETE", "/system/admin/users/al", NULL, WEB_API, 0, 1, 200},
    {"GET", "/reg/records", NULL, WEB_API, 1, 0, 200},
    {"GET", "/reg/records/web", NULL, WEB_API, 1, 0, 200},
    {"POST", "/reg/records", WWW, WEB_API, 2, 1, 200},
    {"DELETE", "/reg/records/web", NULL, WEB_API, 1, 1, 200},
    {"GET", "/reg/cores?username=al", NULL, WEB_API, 1, 0, 200},
    {"GET", "/.well-known/acme-challenge/tok", NULL, WEB_CHALLENGES, 1, 0, 200},
};

static void expect(const struct route *r, unsigned status, const char *says, const char *retry)
{
    const struct web_ask ask = {
        .method = r->method, .target = r->target, .body = r->body, .site = r->site};
    struct web_got got;
    web_ask(&w, &ask, &got);
    if (got.status != status || strstr(got.body, says) == NULL ||
        strcmp(got.retry_after, retry) != 0 || strstr(got.body, "details") != NULL) {
        fail_msg("%s %s: %u %s, retry %s", r->method, r->target, got.status, got.body,
                 got.retry_after);
    }
    web_got_free(&got);
}

/* An ack is written first; then the newcomer is told of the others. */
static bool is_write(const struct route *r, unsigned step)
{
    return r->body == ack ? step <= r->writes : step > r->reads;
}

static void every_error_at_every_step(void **state)
{
    static const struct {
        enum err e;
        unsigned reading, writing;
        const char *read_says, *write_says;
    } errors[] = {
        {ERR_UNAVAIL, 503, 503, "cannot be read now", "nothing was written"},
        {ERR_BUSY, 503, 503, "cannot be read now", "nothing was written"},
        {ERR_TIMEOUT, 503, 504, "did not answer", "\"outcome-unknown\""},
        {ERR_IO, 500, 500, "\"internal\"", "\"internal\""},
        {ERR_NOMEM, 500, 500, "\"internal\"", "\"internal\""},
        {ERR_DENIED, 500, 500, "\"internal\"", "\"internal\""},
        {ERR_MALFORMED, 500, 500, "\"internal\"", "\"internal\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(routes); i++) {
        const struct route *r = &routes[i];
        reset();
        expect(r, r->success, "", "");
        for (unsigned step = 1; step <= r->reads + r->writes; step++) {
            for (size_t k = 0; k < COUNT(errors); k++) {
                bool writes = is_write(r, step);
                unsigned status = writes ? errors[k].writing : errors[k].reading;
                reset();
                fake.fail_at = fake.fail_to = step;
                fake.e = errors[k].e;
                expect(r, status, writes ? errors[k].write_says : errors[k].read_says,
                       status == 503 ? "2" : "");
                assert_int_equal(fake.ops, step);
            }
        }
    }
}

static void without_a_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(routes); i++) {
        w.env.store = NULL;
        expect(&routes[i], 503, "\"unavailable\"", "2");
    }
}

static const struct route removal = {"DELETE", "/system/admin/users/al", NULL, WEB_API, 0, 1, 200};

static void lose_the_store(void)
{
    w.env.store = NULL;
}

/* It closes after the first question has been asked: the answer comes, a next question cannot. */
static void the_store_closes_in_between(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(routes); i++) {
        const struct route *r = &routes[i];
        reset();
        fake.on_op = lose_the_store;
        bool goes_on = r->reads + r->writes > 1;
        expect(r, goes_on ? 503 : r->success, goes_on ? "\"unavailable\"" : "", goes_on ? "2" : "");
        assert_int_equal(fake.ops, 1);
    }
    reset(); /* no second attempt either */
    fake.on_op = lose_the_store;
    fake.delete_misses = 1;
    w.env.user_key = (const uint8_t *)"0123456789abcdef0123456789abcdef";
    expect(&removal, 503, "\"unavailable\"", "2");
    w.env.user_key = NULL;
    reset();
    fake.on_op = lose_the_store;
    fake.placed[0] = STORE_PLACE_NONE;
    web_expect(&w, "PUT", "/system/admin/users/al", "{\"core\":\"Core-A\"}", 503, "unavailable");
}

/* ---- acks ----------------------------------------------------------------------------------- */

/* Strangers can ask for it; so they are given a part of what the server has, and the rest goes on. */
static void too_many_acks(void **state)
{
    enum { MAX = 32 };
    const struct web_ask ask = {
        .method = "POST", .target = "/system/admin/cores/ack", .body = ack, .key = ""};
    struct web_got got[MAX];
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        reset();
        fake.hold = true;
        for (unsigned i = 0; i < MAX; i++) {
            web_start(&w, &ask, &got[i]);
        }
        web_until(&w, &fake.ops, MAX);
        web_expect_ask(&w, &ask, 503, "\"busy\"");
        web_expect(&w, "GET", "/healthz", NULL, 200, "\"ok\"");
        fake.acked = round == 0 ? STORE_ACKED : STORE_ACK_UNKNOWN;
        release();
        for (unsigned i = 0; i < MAX; i++) {
            web_wait(&w, &got[i]);
            assert_int_equal(got[i].status, round == 0 ? 200 : 401);
            web_got_free(&got[i]);
        }
    }
}

/* ---- a node's certificate ------------------------------------------------------------------------ */

static const struct web_ask node_wish = {
    .method = "POST", .target = "/cluster/node-certificate", .body = "{\"csr\":\"x\"}"};

static void expect_node(unsigned status, const char *says, unsigned ops)
{
    struct web_got got;
    web_tls_ask(&w, &node_wish, web_cluster()->core_b, &got);
    if (got.status != status || strstr(got.body, says) == NULL ||
        strcmp(got.retry_after, status == 503 ? "2" : "") != 0) {
        fail_msg("%u %s, retry %s", got.status, got.body, got.retry_after);
    }
    web_got_free(&got);
    assert_int_equal(fake.ops, ops);
}

static void node_begin(void)
{
    reset();
    core.id = "core-b";
}

static void a_node_asks_and_the_store_fails(void **state)
{
    static const struct {
        enum err e;
        unsigned status;
        const char *says;
    } errors[] = {
        {ERR_UNAVAIL, 503, "cannot be read now"}, {ERR_BUSY, 503, "cannot be read now"},
        {ERR_TIMEOUT, 503, "did not answer"},     {ERR_IO, 500, "\"internal\""},
        {ERR_NOMEM, 500, "\"internal\""},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(errors); i++) {
        unsigned step = 1 + (unsigned)(i % 2);
        node_begin();
        fake.fail_at = fake.fail_to = step;
        fake.e = errors[i / 2].e;
        expect_node(errors[i / 2].status, errors[i / 2].says, step);
    }
    node_begin();
    fake.on_op = lose_the_store;
    expect_node(503, "\"unavailable\"", 1);
    node_begin();
    w.env.store = NULL;
    expect_node(503, "\"unavailable\"", 0);
    assert_int_equal(w.sign.count, 0);
    node_begin();
    expect_node(200, "certPem", 2);
    assert_string_equal(fake.texts, "cores;node_certs core-b;");
}

/* What it has begun ends all the same, and it may come again. */
static void a_node_that_leaves(void **state)
{
    struct web_raw raw;
    struct web_got got;
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        node_begin();
        fake.hold = late == 0;
        w.sign.hold = true;
        w.sign.count = 0;
        web_tls_start(&w, &node_wish, web_cluster()->core_b, &raw, &got);
        web_until(&w, late == 0 ? &fake.ops : &w.sign.count, 1);
        web_raw_leave(&raw);
        release();
        web_until(&w, &w.sign.count, 1);
        w.sign.hold = false;
        web_sign_go(&w);
        node_begin();
        expect_node(200, "certPem", 2);
    }
}

/* Whoever orders is not woken for a row that is not there. */
static void a_renewal_that_is_not_stored(void **state)
{
    const char *target = "/system/admin/certs/force-renew";
    (void)state;
    fake.fail_at = fake.fail_to = 1;
    fake.e = ERR_UNAVAIL;
    web_expect(&w, "POST", target, NULL, 503, "nothing was written");
    assert_int_equal(w.renewals, 0);
    reset();
    web_expect(&w, "POST", target, "{\"override\":\"floor\"}", 202,
               "{\"job\":{\"id\":\"id\",\"hostname\":\"h\",\"kind\":\"renew\",\"state\":"
               "\"waiting\",\"text\":\"\","
               "\"by\":\"api\",\"askedAt\":null,\"endedAt\":null}}");
    assert_int_equal(w.renewals, 1);
    assert_string_equal(fake.texts, "ask *." WEB_DOMAIN " api core-a floor;");
}

/* ---- races --------------------------------------------------------------------------------- */

static void others_change_the_row(void **state)
{
    (void)state;
    fake.fail_at = fake.fail_to = 3; /* the first apply */
    fake.e = ERR_CONFLICT;
    web_expect(&w, "POST", "/reg/records", WWW, 200, "\"ok\"");
    assert_string_equal(fake.texts, "taken web web;get web;apply web {\"a\":[\"192.0.2.9\"]} "
                                    "{\"a\":[\"192.0.2.1\"]};"
                                    "taken web web;get web;apply web {\"a\":[\"192.0.2.9\"]} "
                                    "{\"a\":[\"192.0.2.1\"]};");
    reset();
    fake.fail_at = fake.fail_to = 2;
    fake.e = ERR_CONFLICT;
    web_expect(&w, "DELETE", "/reg/records/web", NULL, 200, "\"deleted\"");
    assert_int_equal(fake.ops, 4);
}

static void made_to_conflict(void)
{
    fake.fail_at = fake.ops; /* asked again and again, and each apply fails */
    fake.fail_to = strstr(fake.texts, "apply") != NULL ? fake.ops : 0;
    fake.texts[0] = '\0';
}

static void others_never_stop(void **state)
{
    (void)state;
    fake.on_op = made_to_conflict;
    fake.e = ERR_CONFLICT;
    web_expect(&w, "POST", "/reg/records", WWW, 503, "others keep changing");
    assert_int_equal(fake.ops, 16 * 3);
    reset();
    fake.on_op = made_to_conflict;
    fake.e = ERR_CONFLICT;
    web_expect(&w, "DELETE", "/reg/records/web", NULL, 503, "others keep changing");
    assert_int_equal(fake.ops, 16 * 2);
}

static void a_row_that_is_so_already(void **state)
{
    (void)state;
    fake.record = "{\"a\":[\"192.0.2.1\"]}";
    web_expect(&w, "POST", "/reg/records", WWW, 200,
               "{\"subdomain\":\"web\",\"records\":{\"a\":[\"192.0.2.1\"]},\"status\":\"ok\"}");
    assert_string_equal(fake.texts, "taken web web;get web;");
}

static void a_name_that_is_taken_meanwhile(void **state)
{
    (void)state;
    fake.taken.user = true;
    web_expect(&w, "POST", "/reg/records", WWW, 409, "\"name-taken\"");
    assert_string_equal(fake.texts, "taken web web;");
    /* Two labels are nobody's name, whatever rows there are. */
    reset();
    fake.taken = (struct store_taken){.user = true, .core = true};
    web_expect(&w, "POST", "/reg/records",
               "{\"subdomain\":\"a.b\",\"records\":{\"a\":[\"192.0.2.1\"]}}", 200, "\"ok\"");
}

/* The user is placed; that the core's row cannot be read afterwards changes nothing about it. */
static void placed_but_the_core_is_not_known(void **state)
{
    static const char unknown[] =
        "{\"user\":{\"username\":\"al\",\"core\":{\"id\":\"core-a\",\"url\":null}}}";
    static const char taken[] = "\"core\":{\"id\":\"core-a\",\"url\":null}}}";
    (void)state;
    fake.fail_at = fake.fail_to = 2;
    fake.e = ERR_IO;
    web_expect(&w, "PUT", "/system/admin/users/al", NULL, 201, unknown);
    reset();
    fake.on_op = lose_the_store;
    web_expect(&w, "PUT", "/system/admin/users/al", NULL, 201, unknown);
    reset();
    fake.core = NULL;
    fake.placed[0] = STORE_PLACE_TAKEN;
    web_expect(&w, "PUT", "/system/admin/users/al", NULL, 409, taken);
    reset();
    fake.user_missing = true;
    fake.placed[0] = STORE_PLACE_TAKEN;
    web_expect(&w, "PUT", "/system/admin/users/al", NULL, 409, taken);
}

static void a_core_in_another_case(void **state)
{
    (void)state;
    fake.placed[0] = STORE_PLACE_NONE;
    fake.placed[1] = STORE_PLACED;
    fake.placed_count = 2;
    web_expect(&w, "PUT", "/system/admin/users/Al", "{\"core\":\"CORE-A\"}", 201, "\"core-a\"");
    assert_string_equal(fake.texts, "place al al CORE-A;place al al core-a;home al;");
    reset();
    fake.placed[0] = STORE_PLACE_NONE;
    web_expect(&w, "PUT", "/system/admin/users/al", "{\"core\":\"CORE-A\"}", 404, "unknown-core");
    assert_int_equal(fake.ops, 2);
}

/* ---- rows of other programs ---------------------------------------------------------------- */

static void odd_rows(void **state)
{
    struct store_core odd = {.id = "core \xff", .url = "ftp://x", .hosting = "\xc3\xa4\xc3"};
    struct store_cert certs[] = {
        {.hostname = "a\xff", .issued_ms = 0, .expires_ms = 0},
        {.hostname = "b", .issued_ms = 1, .expires_ms = 1767225600000 + 12 * 3600 * 1000},
        {.hostname = "c",
         .issued_ms = 1,
         .expires_ms = 1767225600000 - 36 * 3600 * 1000 - 1,
         .generation = 7},
        {.hostname = "d", .issued_ms = INT64_MIN, .expires_ms = INT64_MIN},
    };
    struct store_record rows[] = {
        {"a\xff", "no JSON"}, {"b", "[]"}, {"c", "{\"a\":\"x\\u0000y\"}"}, {"d", ""}};
    (void)state;
    fake.core = &odd;
    web_expect(&w, "GET", "/system/admin/cores", NULL, 200,
               "{\"cores\":[{\"id\":\"core ?\",\"url\":null,\"ip\":null,\"hosting\":\"\xc3\xa4?\","
               "\"available\":false,\"userCount\":0}]}");
    fake.certs = certs;
    fake.certs_count = COUNT(certs);
    web_expect(&w, "GET", "/system/admin/certs", NULL, 200,
               "{\"certs\":["
               "{\"hostname\":\"a?\",\"issuedAt\":null,\"expiresAt\":null,"
               "\"daysUntilExpiry\":null,\"generation\":0},"
               "{\"hostname\":\"b\",\"issuedAt\":1,\"expiresAt\":1767268800000,"
               "\"daysUntilExpiry\":1,\"generation\":0},"
               "{\"hostname\":\"c\",\"issuedAt\":1,\"expiresAt\":1767095999999,"
               "\"daysUntilExpiry\":-2,\"generation\":7},"
               "{\"hostname\":\"d\",\"issuedAt\":-9223372036854775808,"
               "\"expiresAt\":-9223372036854775808,\"daysUntilExpiry\":-106752011621,"
               "\"generation\":0}]}");
    fake.list = rows;
    fake.list_count = COUNT(rows);
    web_expect(&w, "GET", "/reg/records", NULL, 200,
               "{\"records\":[{\"subdomain\":\"a?\",\"records\":null},"
               "{\"subdomain\":\"b\",\"records\":null},"
               "{\"subdomain\":\"c\",\"records\":{\"a\":\"x\\u0000y\"}},"
               "{\"subdomain\":\"d\",\"records\":null}]}");
    fake.record = "null";
    web_expect(&w, "GET", "/reg/records/www", NULL, 200,
               "{\"subdomain\":\"www\",\"records\":null}");
}

/* A page ends where it would take too long to make; it has one row at least. */
static void long_rows(void **state)
{
    size_t len = 200000;
    char *json = mem_xalloc(len + 1);
    struct store_record rows[] = {{"a", json}, {"b", "{}"}, {"c", json}};
    struct web_got got;
    (void)state;
    memset(json, ' ', len);
    json[0] = '{';
    json[len - 1] = '}';
    fake.list = rows;
    fake.list_count = 3;
    web_expect(&w, "GET", "/reg/records", NULL, 200,
               "{\"records\":[{\"subdomain\":\"a\",\"records\":{}},"
               "{\"subdomain\":\"b\",\"records\":{}}],\"next\":\"b\"}");
    fake.list = rows + 2;
    fake.list_count = 1;
    fake.list_more = true;
    web_ask(&w, &(struct web_ask){.method = "GET", .target = "/reg/records?after=b&limit=7"}, &got);
    assert_string_equal(got.body, "{\"records\":[{\"subdomain\":\"c\",\"records\":{}}],"
                                  "\"next\":\"c\"}");
    assert_non_null(strstr(fake.texts, "list b 7;"));
    web_got_free(&got);
    free(json);
}

/* ---- nobody waits -------------------------------------------------------------------------- */

/* The client goes while the store is asked; the job ends all the same. */
static void clients_that_leave(void **state)
{
    static const struct httpc_options options = {.connections_max = 64};
    struct web_got got[COUNT(routes)];
    (void)state;
    fake.hold = true;
    for (size_t i = 0; i < COUNT(routes); i++) {
        const struct web_ask ask = {.method = routes[i].method,
                                    .target = routes[i].target,
                                    .body = routes[i].body,
                                    .site = routes[i].site};
        web_start(&w, &ask, &got[i]);
    }
    web_until(&w, &fake.ops, COUNT(routes));
    httpc_close(w.client, NULL, NULL);
    for (size_t i = 0; i < COUNT(routes); i++) {
        web_wait(&w, &got[i]);
        assert_int_equal(got[i].e, ERR_CANCELED);
    }
    release();
    assert_int_equal(httpc_open(&loop, &options, &w.client, NULL), ERR_OK);
    web_expect(&w, "GET", "/healthz", NULL, 200, "\"ok\"");
}

static uv_timer_t soon;

static void on_soon(uv_timer_t *t)
{
    uv_close((uv_handle_t *)t, NULL);
    release();
}

/* The daemon stops while the store is asked: what is under way is answered first. */
static void a_daemon_that_stops(void **state)
{
    struct web_got got[COUNT(routes)];
    (void)state;
    fake.hold = true;
    for (size_t i = 0; i < COUNT(routes); i++) {
        const struct web_ask ask = {.method = routes[i].method,
                                    .target = routes[i].target,
                                    .body = routes[i].body,
                                    .site = routes[i].site};
        web_start(&w, &ask, &got[i]);
    }
    web_until(&w, &fake.ops, COUNT(routes));
    uv_timer_init(&loop, &soon);
    uv_timer_start(&soon, on_soon, 50, 0);
    web_close_server(&w);
    for (size_t i = 0; i < COUNT(routes); i++) {
        web_wait(&w, &got[i]);
        assert_int_equal(got[i].e, ERR_OK);
        assert_int_equal(got[i].status, routes[i].success);
        web_got_free(&got[i]);
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool is_trouble(unsigned status)
{
    return status == 500 || status == 504;
}

static void documented(void **state)
{
    (void)state;
    web_check_documented(is_trouble);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(every_error_at_every_step),
        WITH(without_a_store),
        WITH(the_store_closes_in_between),
        WITH(too_many_acks),
        WITH(a_node_asks_and_the_store_fails),
        WITH(a_node_that_leaves),
        WITH(a_renewal_that_is_not_stored),
        WITH(others_change_the_row),
        WITH(others_never_stop),
        WITH(a_row_that_is_so_already),
        WITH(a_name_that_is_taken_meanwhile),
        WITH(placed_but_the_core_is_not_known),
        WITH(a_core_in_another_case),
        WITH(odd_rows),
        WITH(long_rows),
        WITH(clients_that_leave),
        WITH(a_daemon_that_stops),
        cmocka_unit_test(documented),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}

/* The publisher between a real store (SQLite) and a scripted world: three cores, a resolver, a parent zone's
 * name server, our own HTTP port. TLS looks are faked: lib/tls_look_uv has a test of its own. */
#include "dnsd/app/publisher_uv.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_script.h"
#include "dnsd/probe/address.h"
#include "http_script.h"
#include "lib/mem.h"
#include "lib/tls_look_uv.h"
#include "store_file.h"
#include "store_sync.h"

#define NAME           "_acme-challenge.mc.example.com"
#define CORES          3
#define WALL_MS        1000000
#define PROVE_TOO_MANY 9
#define DIGEST         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define NO(zone)       "aa\n! " zone ". SOA ns. h. 1 2 3 4 5"

static const struct store_fence fence = {.name = "acme/x", .holder = "core-a", .term = 1};

static struct {
    uv_loop_t loop;
    struct store_file *file;
    struct sync sync;
    bool no_store;
    struct dns_script *cores[CORES], *resolver, *parent;
    struct dns_rule core_rules[CORES][4], world[16], parent_rules[4];
    struct publisher_core list[CORES + 1];
    size_t count;
    uint64_t revision;
    unsigned cores_asked;
    struct http_script http;
    const char *http_reply;
    struct publisher *p;
    const struct acme_publisher *face;
} t;

static struct {
    unsigned ended;
    enum err e;
    struct err_info info;
    char report[8000];
} got;

/* ---- a look that is not taken -------------------------------------------------------------- */

static struct fake_look {
    uv_timer_t timer;
    tls_look_cb *cb;
    void *ctx;
    bool canceled;
    unsigned count;
    enum err e;
    struct tls_looked seen;
    char name[64], alpn[32], address[ADDRESS_TEXT_MAX];
} look;

static void look_closed(uv_handle_t *handle)
{
    struct err_info info = {.text = "a fake of a failure"};
    (void)handle;
    look.cb(look.ctx, look.canceled ? ERR_CANCELED : look.e, &info, &look.seen);
}

static void look_done(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, look_closed);
}

struct tls_look *tls_look_start(uv_loop_t *loop, const struct sockaddr_storage *address,
                                const char *name, const char *alpn, tls_look_cb *cb, void *ctx)
{
    look.cb = cb;
    look.ctx = ctx;
    look.canceled = false;
    look.count++;
    snprintf(look.name, sizeof look.name, "%s", name);
    snprintf(look.alpn, sizeof look.alpn, "%s", alpn);
    address_to_text(address, look.address);
    uv_timer_init(loop, &look.timer);
    uv_timer_start(&look.timer, look_done, 1, 0);
    return (struct tls_look *)&look;
}

void tls_look_cancel(struct tls_look *l)
{
    assert_ptr_equal(l, &look);
    look.canceled = true;
}

/* ---- what the daemon would say ------------------------------------------------------------- */

static struct store *the_store(void *ctx)
{
    (void)ctx;
    return t.no_store ? NULL : t.sync.store;
}

static size_t the_cores(void *ctx, struct publisher_core *out, size_t max)
{
    (void)ctx;
    assert_true(t.count <= max);
    t.cores_asked++;
    memcpy(out, t.list, t.count * sizeof *out);
    return t.count;
}

static uint64_t the_revision(void *ctx)
{
    (void)ctx;
    return t.revision;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return WALL_MS;
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return clk_mono_ms(&clk_system);
}

static const struct clk the_clock = {.wall_ms = wall, .mono_ms = mono};

static const struct http_script_act *choose(void *ctx, const struct http_script_request *r)
{
    static struct http_script_act acts[2];
    (void)ctx;
    assert_non_null(strstr(r->text, "GET /.well-known/acme-challenge/tok HTTP/1.1\r\n"));
    assert_non_null(strstr(r->text, "Host: a.example.org\r\n"));
    acts[0].kind = HTTP_SCRIPT_REPLY;
    acts[0].text = t.http_reply;
    return acts;
}

/* ---- the world ----------------------------------------------------------------------------- */

static void everything_is_right(void)
{
    static const char *const ips[CORES] = {"", "127.0.0.2", "127.0.0.3"};
    static const struct dns_rule world[] = {
        {"example.com", "SOA", NULL, "aa\n= example.com. SOA ns. h. 1 2 3 4 5"},
        {"example.com", "NS", NULL, "aa\n= example.com. NS a.ns.test."},
        {"a.ns.test", "A", NULL, "aa\n= a.ns.test. A 127.0.0.11"},
        {"a.ns.test", "AAAA", NULL, NO("ns.test")},
        {"example.com", "CAA", NULL, NO("example.com")},
        {"com", "CAA", NULL, NO("com")},
        {"a.example.org", "CAA", NULL, "aa\n= a.example.org. CAA 0 issue \"ca.example\""},
        {0}};
    static const struct dns_rule parent[] = {
        {"mc.example.com", "NS", NULL,
         "\n! mc.example.com. NS dns1.mc.example.com.\n! mc.example.com. NS dns2.mc.example.com."
         "\n+ dns1.mc.example.com. A 127.0.0.2\n+ dns2.mc.example.com. A 127.0.0.3"},
        {"mc.example.com", "DS", NULL, NO("example.com")},
        {0}};
    static const struct dns_rule core[] = {
        {NAME, "TXT", NULL, "aa\n= " NAME ". TXT \"one\"\n= " NAME ". TXT \"two\""},
        {"mc.example.com", "CAA", NULL,
         "aa\n= mc.example.com. CAA 0 issue \"ca.example; accounturi=https://ca.example/1\""},
        {NULL, NULL, NULL, NO("mc.example.com")},
        {0}};
    memcpy(t.world, world, sizeof world);
    memcpy(t.parent_rules, parent, sizeof parent);
    memset(t.list, 0, sizeof t.list);
    for (size_t i = 0; i < CORES; i++) {
        memcpy(t.core_rules[i], core, sizeof core);
        snprintf(t.list[i].id, sizeof t.list[i].id, "core-%c", (char)('a' + i));
        snprintf(t.list[i].ip, sizeof t.list[i].ip, "%s", ips[i]);
        t.list[i].live = true;
        t.list[i].self = i == 0;
    }
    t.count = CORES;
    t.revision = 7;
}

static void open_publisher(bool check_delegation)
{
    char resolver[ADDRESS_TEXT_MAX];
    const char *resolvers[] = {resolver};
    struct wire_name apex;
    struct sockaddr_storage address;
    dns_script_address(t.resolver, &address);
    address_to_text(&address, resolver);
    assert_int_equal(wire_name_from_text("MC.example.com", NULL, &apex, NULL), ERR_OK);
    struct publisher_options o = {.loop = &t.loop,
                                  .clock = &the_clock,
                                  .apex = &apex,
                                  .dns_port = dns_script_port(t.cores[0]),
                                  .resolvers = resolvers,
                                  .resolvers_count = 1,
                                  .check_delegation = check_delegation,
                                  .store = the_store,
                                  .cores = the_cores,
                                  .revision = the_revision};
    assert_int_equal(address_read("127.0.0.1", t.http.port, &o.challenge, NULL), ERR_OK);
    assert_int_equal(address_read("127.0.0.1", 4433, &o.https, NULL), ERR_OK);
    assert_int_equal(publisher_open(&o, &t.p, NULL), ERR_OK);
    t.face = publisher_face(t.p);
}

static void on_closed(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void close_publisher(void)
{
    unsigned closed = 0;
    publisher_close(t.p, on_closed, &closed);
    assert_int_equal(closed, 0);
    sync_wait_count(&t.loop, &closed, 1);
    t.p = NULL;
}

static int setup(void **state)
{
    static const char *const ips[CORES] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    (void)state;
    memset(&t, 0, sizeof t);
    memset(&got, 0, sizeof got);
    memset(&look, 0, sizeof look);
    uv_loop_init(&t.loop);
    t.file = store_file_new();
    assert_int_equal(sync_open(&t.sync, &t.loop, &t.file->options), ERR_OK);
    assert_int_equal(sync_lease_take(&t.sync, fence.name, 0, 0, fence.holder), ERR_OK);
    everything_is_right();
    uint16_t port = 0;
    for (size_t i = 0; i < CORES; i++) {
        t.cores[i] = dns_script_open(&t.loop, ips[i], port, t.core_rules[i]);
        port = dns_script_port(t.cores[i]);
    }
    t.resolver = dns_script_open(&t.loop, "127.0.0.9", 0, t.world);
    t.parent = dns_script_open(&t.loop, "127.0.0.11", port, t.parent_rules);
    http_script_open(&t.http, &t.loop, choose, NULL);
    open_publisher(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t.p != NULL) {
        close_publisher();
    }
    for (size_t i = 0; i < CORES; i++) {
        dns_script_close(t.cores[i]);
    }
    dns_script_close(t.resolver);
    dns_script_close(t.parent);
    http_script_close(&t.http);
    sync_close(&t.sync);
    store_file_free(t.file);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    return 0;
}

/* ---- operations ---------------------------------------------------------------------------- */

static void on_end(void *ctx, enum err e, const struct err_info *info, const char *report)
{
    (void)ctx;
    got.ended++;
    got.e = e;
    got.info = *info;
    assert_non_null(report);
    assert_true(strlen(report) < sizeof got.report);
    snprintf(got.report, sizeof got.report, "%s", report);
}

static void expect_end(enum err e, const char *info, const char *report)
{
    assert_int_equal(got.ended, 0);
    sync_wait_count(&t.loop, &got.ended, 1);
    if (got.e != e || strstr(got.info.text, info) == NULL || strstr(got.report, report) == NULL) {
        fail_msg("%s, %s, %s\nnot: %s, %s, %s", err_text(got.e), got.info.text, got.report,
                 err_text(e), info, report);
    }
    got.ended = 0;
}

static const char *const issuers[] = {"ca.example"};

static void start_precheck(const char *first, const char *second, enum acme_challenge_type type)
{
    const char *names[] = {first, second};
    struct acme_precheck check = {.names = names,
                                  .names_count = second != NULL ? 2 : 1,
                                  .type = type,
                                  .account = "https://ca.example/1",
                                  .issuers = issuers,
                                  .issuers_count = 1};
    t.face->precheck(t.face->ctx, &check, on_end, NULL);
}

static void precheck(const char *first, const char *second, enum acme_challenge_type type,
                     enum err e, const char *info, const char *report)
{
    start_precheck(first, second, type);
    expect_end(e, info, report);
}

static const struct acme_proof dns_proofs[] = {
    {.type = ACME_DNS01, .name = "mc.example.com", .token = "t1", .value = "one"},
    {.type = ACME_DNS01, .name = "mc.example.com", .token = "t2", .value = "two"}};
static const struct acme_proof http_proof = {
    .type = ACME_HTTP01, .name = "a.example.org", .token = "tok", .value = "tok.thumb"};
static const struct acme_proof alpn_proof = {
    .type = ACME_ALPN01, .name = "a.example.org", .token = "tok", .value = DIGEST};

static void start_put(const struct acme_proof *proofs, size_t count)
{
    t.face->put(t.face->ctx, &fence, "order1", proofs, count, WALL_MS + 1000, on_end, NULL);
}

static void put(const struct acme_proof *proofs, size_t count, enum err e, const char *info)
{
    start_put(proofs, count);
    expect_end(e, info, "{");
}

static void start_prove(const struct acme_proof *proofs, size_t count, int64_t wait_ms)
{
    t.face->prove(t.face->ctx, proofs, count, clk_mono_ms(&clk_system) + wait_ms, on_end, NULL);
}

static void prove(const struct acme_proof *proofs, size_t count, int64_t wait_ms, enum err e,
                  const char *info, const char *report)
{
    start_prove(proofs, count, wait_ms);
    expect_end(e, info, report);
}

static void witnesses(const struct acme_proof *proofs, size_t count, const char *info,
                      const char *report)
{
    t.face->witnesses(t.face->ctx, proofs, count, 500, on_end, NULL);
    expect_end(ERR_OK, info, report);
}

/* ---- precheck ------------------------------------------------------------------------------ */

static void all_is_well(void **state)
{
    (void)state;
    precheck("mc.example.com", "*.mc.example.com", ACME_DNS01, ERR_OK, "",
             "\"delegation\":{\"parent\":\"example.com.\",\"ds\":false,\"servers\":[{\"name\":"
             "\"dns1.mc.example.com.\",\"glue\":true,\"addresses\":[\"127.0.0.2:");
    for (char c = 'a'; c <= 'c'; c++) {
        char entry[120];
        snprintf(entry, sizeof entry,
                 "\"at\":\"mc.example.com.\",\"who\":\"core core-%c\",\"records\":1", c);
        assert_non_null(strstr(got.report, entry));
    }
    assert_null(strstr(got.report, "notes"));
    assert_null(strstr(dns_script_asked(t.resolver), "CAA")); /* the zone's own set is the one */
}

static void the_delegation(void **state)
{
    (void)state;
    t.parent_rules[1].reply = "aa\n= mc.example.com. DS 1 13 2 "
                              "0000000000000000000000000000000000000000000000000000000000000000";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED, "has a DS record for mc.example.com.",
             "\"ds\":true");
    everything_is_right();
    t.parent_rules[0].reply = "\n! mc.example.com. NS dns1.mc.example.com."
                              "\n! mc.example.com. NS dns2.mc.example.com."
                              "\n+ dns2.mc.example.com. A 127.0.0.3";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
             "dns1.mc.example.com. is to answer for mc.example.com., but has no address: add glue",
             "\"addresses\":[]");
    t.parent_rules[0].reply = "nxdomain " NO("example.com");
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
             "NS records and glue for this domain are missing at its parent: 127.0.0.11:", "{");
    t.world[0].reply = "servfail";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "",
             "\"notes\":[\"the delegation could not be looked up: 127.0.0.9:");
    close_publisher();
    open_publisher(false);
    unsigned asked = dns_script_count(t.resolver);
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "", "\"caa\"");
    assert_int_equal(dns_script_count(t.resolver), asked);
}

static void caa_in_the_zone(void **state)
{
    (void)state;
    t.core_rules[2][1].reply = "aa\n= mc.example.com. CAA 0 issue \"other.example\"";
    precheck(
        "mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
        "mc.example.com, core core-c at mc.example.com.: CAA 0 issue \"other.example\" forbids it",
        "core-b");
    t.list[2].live = false; /* whom no validator can ask */
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "", "core-b");
    t.list[2].live = true;
    t.core_rules[2][1].reply = "aa\n= mc.example.com. CAA 0 issue \"ca.example\""
                               "\n= mc.example.com. CAA 0 issuewild \";\"";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "", "core-c");
    precheck("mc.example.com", "*.mc.example.com", ACME_DNS01, ERR_DENIED,
             "*.mc.example.com, core core-c", "{");
    t.core_rules[1][1].reply =
        "aa\n= mc.example.com. CAA 0 issue \"ca.example; accounturi=https://ca.example/2\"";
    precheck("x.mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
             "x.mc.example.com, core core-b at mc.example.com.: ", "{");
    assert_non_null(strstr(got.info.text, "accounturi is not our account"));
    t.core_rules[1][1].reply = "servfail";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_UNAVAIL,
             "core core-b does not answer for CAA of mc.example.com. (RCODE 2", "{");
    t.core_rules[1][1].reply = "\n= mc.example.com. CAA 0 issue \"ca.example\"";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_UNAVAIL, "no AA", "{");
    t.core_rules[1][1].reply = "aa\n= mc.example.com. CAA \\# 0005";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED, "a CAA record that is none", "{");
}

/* No set in the zone: the world's, from above the apex. */
static void caa_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < CORES; i++) {
        t.core_rules[i][1].reply = NO("mc.example.com");
    }
    precheck("x.mc.example.com", NULL, ACME_DNS01, ERR_OK, "",
             "\"at\":\".\",\"who\":\"the resolvers\",\"records\":0");
    assert_null(strstr(dns_script_asked(t.resolver), "mc.example.com. CAA"));
    t.world[4].reply = "aa\n= example.com. CAA 0 issue \";\"";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
             "mc.example.com, the resolvers at example.com.: CAA 0 issue \";\" forbids it", "{");
    /* Not every core has the zone's own set: a CA may meet the one above. */
    t.core_rules[0][1].reply = t.core_rules[1][1].reply =
        "aa\n= mc.example.com. CAA 0 issue \"ca.example\"";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED, "the resolvers at example.com.", "{");
    t.core_rules[2][1].reply = t.core_rules[0][1].reply;
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "", "core-c");
    t.core_rules[2][1].reply = NO("mc.example.com");
    t.world[4].reply = "servfail";
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_OK, "",
             "\"notes\":[\"CAA above mc.example.com could not be looked up");
}

static void caa_of_hosts(void **state)
{
    (void)state;
    precheck("a.example.org", NULL, ACME_HTTP01, ERR_OK, "", "\"at\":\"a.example.org.\"");
    t.world[6].reply = "aa\n= a.example.org. CAA 0 issue \"ca.example; validationmethods=dns-01\"";
    precheck("a.example.org", NULL, ACME_HTTP01, ERR_DENIED, "validationmethods do not have ours",
             "{");
    precheck("a.example.org", NULL, ACME_ALPN01, ERR_DENIED, "tls-alpn-01", "{");
    t.world[6].reply = "aa\n= a.example.org. CAA \\# 0005";
    precheck("a.example.org", NULL, ACME_HTTP01, ERR_DENIED, "a CAA record that is none", "{");
    t.world[6].reply = "servfail";
    precheck("a.example.org", NULL, ACME_HTTP01, ERR_OK, "", "could not be looked up");
    for (size_t i = 0; i < CORES; i++) {
        assert_int_equal(dns_script_count(t.cores[i]), 0);
    }
    assert_int_equal(dns_script_count(t.parent), 0);
    struct acme_precheck check = {.names = (const char *const[]){"a.example.org"},
                                  .names_count = 1,
                                  .type = ACME_HTTP01,
                                  .account = ""};
    t.face->precheck(t.face->ctx, &check, on_end, NULL); /* a CA without a name for CAA */
    expect_end(ERR_OK, "", "CAA is not judged");
}

static void not_our_zone(void **state)
{
    (void)state;
    precheck("mc.example.com", "a.example.org", ACME_DNS01, ERR_DENIED,
             "a.example.org is not in our zone (mc.example.com.)", "{}");
    precheck("bad..name", NULL, ACME_HTTP01, ERR_DENIED, "bad..name: an empty label", "{}");
}

static void put_value(const char *name, int number, int64_t expires_ms)
{
    char value[16];
    snprintf(value, sizeof value, "value%d", number);
    assert_int_equal(sync_challenge_put(&t.sync, name, value, "old", expires_ms), ERR_OK);
}

static void values_of_others(void **state)
{
    (void)state;
    for (int i = 0; i < PUBLISHER_FOREIGN_MAX - 2; i++) {
        put_value("_acme-challenge", i, WALL_MS + 1);
    }
    put_value("_acme-challenge", 50, WALL_MS); /* over */
    put_value("_acme-challenge.x", 51, WALL_MS + 1);
    assert_int_equal(sync_record(&t.sync, "_acme-challenge", NULL, "{\"txt\":[\"r1\",\"r2\"]}"),
                     ERR_OK);
    precheck("mc.example.com", "*.mc.example.com", ACME_DNS01, ERR_OK, "",
             "_acme-challenge has 6 TXT values of others");
    put_value("_acme-challenge", 7, WALL_MS + 1);
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_DENIED,
             "_acme-challenge has 7 TXT values that are not this order's", "{");
    precheck("x.mc.example.com", NULL, ACME_DNS01, ERR_OK, "",
             "_acme-challenge.x has 1 TXT values of others");
    t.no_store = true;
    precheck("mc.example.com", NULL, ACME_DNS01, ERR_UNAVAIL, "there is no store", "{");
}

/* ---- put ----------------------------------------------------------------------------------- */

static void rows_under_the_fence(void **state)
{
    struct acme_proof all[4] = {dns_proofs[0], http_proof, dns_proofs[1], alpn_proof};
    (void)state;
    put(all, 4, ERR_OK, "");
    assert_int_equal(sync_challenges(&t.sync, NULL), ERR_OK);
    assert_string_equal(t.sync.out.text, "_acme-challenge=one(order1,1001000) "
                                         "_acme-challenge=two(order1,1001000)");
    assert_int_equal(sync_http01_find(&t.sync, "tok", WALL_MS), ERR_OK);
    assert_string_equal(t.sync.out.text, "tok=tok.thumb(order1,1001000)");
    assert_int_equal(sync_alpn01(&t.sync, WALL_MS), ERR_OK);
    assert_string_equal(t.sync.out.text, "a.example.org=" DIGEST "(order1,1001000)");
}

static void the_lease_is_lost(void **state)
{
    (void)state;
    assert_int_equal(sync_lease_take(&t.sync, fence.name, 1, 0, "core-b"), ERR_OK);
    put(dns_proofs, 2, ERR_DENIED, "");
    put(&http_proof, 1, ERR_DENIED, "");
    put(&alpn_proof, 1, ERR_DENIED, "");
    assert_int_equal(sync_challenges(&t.sync, NULL), ERR_OK);
    assert_string_equal(t.sync.out.text, "");
    assert_int_equal(sync_http01_find(&t.sync, "tok", WALL_MS), ERR_NOTFOUND);
    t.no_store = true;
    put(dns_proofs, 2, ERR_UNAVAIL, "there is no store");
}

static void what_cannot_be_put(void **state)
{
    struct acme_proof many[STORE_PROOFS_MAX + 1];
    struct acme_proof elsewhere = dns_proofs[0];
    (void)state;
    for (size_t i = 0; i < STORE_PROOFS_MAX + 1; i++) {
        many[i] = dns_proofs[0];
    }
    put(many, STORE_PROOFS_MAX + 1, ERR_LIMIT, "more than 32 proofs");
    elsewhere.name = "a.example.org";
    put(&elsewhere, 1, ERR_DENIED, "is not in our zone");
    put(dns_proofs, 0, ERR_OK, "");
}

/* ---- prove --------------------------------------------------------------------------------- */

static void everybody_gives_it(void **state)
{
    (void)state;
    put(dns_proofs, 2, ERR_OK, "");
    int64_t began = clk_mono_ms(&clk_system);
    prove(dns_proofs, 2, 10000, ERR_OK, "",
          "\"heard\":[{\"id\":\"core-a\",\"live\":true,\"revision\":0}");
    print_message("proved in %d ms\n", (int)(clk_mono_ms(&clk_system) - began));
    assert_non_null(strstr(got.report, "\"revision\":7"));
    assert_non_null(strstr(got.report, "\"label\":\"core core-a\",\"address\":\"127.0.0.1:"));
    assert_non_null(strstr(got.report, "\"label\":\"core core-c\",\"address\":\"127.0.0.3:"));
    assert_non_null(
        strstr(got.report, "\"label\":\"ns dns1.mc.example.com.\",\"address\":\"127.0.0.2:"));
    assert_non_null(strstr(got.report, "\"label\":\"ns dns2.mc.example.com.\""));
    /* At once again: the parent has told a moment ago. */
    unsigned asked = dns_script_count(t.parent);
    prove(dns_proofs, 2, 10000, ERR_OK, "", "\"ns\":");
    assert_int_equal(dns_script_count(t.parent), asked);
}

static void the_set_is_the_stores(void **state)
{
    static const char with_old[] = "aa\n= " NAME ". TXT \"one\"\n= " NAME ". TXT \"two\"\n= " NAME
                                   ". TXT \"value1\"\n= " NAME ". TXT \"text\"";
    (void)state;
    put(dns_proofs, 2, ERR_OK, "");
    put_value("_acme-challenge", 1, WALL_MS + 1);
    put_value("_acme-challenge", 2, WALL_MS - 1); /* over: nobody serves it */
    assert_int_equal(sync_record(&t.sync, "_acme-challenge", NULL, "{\"txt\":\"text\"}"), ERR_OK);
    prove(dns_proofs, 2, 30, ERR_TIMEOUT, "gives for " NAME ".: 2 of 4 values", "{");
    for (size_t i = 0; i < CORES; i++) {
        t.core_rules[i][0].reply = with_old;
    }
    prove(dns_proofs, 2, 10000, ERR_OK, "", "4 values");
    assert_int_equal(sync_challenge_delete(&t.sync, "_acme-challenge", "value1"), ERR_OK);
    t.core_rules[0][0].reply = t.core_rules[1][0].reply =
        "aa\n= " NAME ". TXT \"one\"\n= " NAME ". TXT \"two\"\n= " NAME ". TXT \"text\"";
    prove(dns_proofs, 2, 30, ERR_TIMEOUT, "core core-c", "3 of 3 values, and 1 other");
}

static void who_is_behind(void **state)
{
    (void)state;
    t.core_rules[1][0].reply = "aa\n= " NAME ". TXT \"one\"";
    prove(dns_proofs, 2, 30, ERR_TIMEOUT, "core core-b (127.0.0.2:", "1 of 2 values");
    assert_non_null(strstr(got.info.text, "and 1 more are not right")); /* over TCP */
    t.list[1].live = false;
    t.list[1].unheard = true; /* it has come a moment ago, and answers already */
    prove(dns_proofs, 2, 30, ERR_TIMEOUT, "core core-b (127.0.0.2:", "1 of 2 values");
    t.list[1].unheard = false; /* nobody listens to it, but the parent sends validators there */
    prove(dns_proofs, 2, 30, ERR_TIMEOUT, "ns dns1.mc.example.com. (127.0.0.2:",
          "core core-b was not heard lately, and is not asked");
    close_publisher();
    open_publisher(false);
    prove(dns_proofs, 2, 10000, ERR_OK, "", "not heard lately");
}

static void by_heartbeat(void **state)
{
    (void)state;
    t.list[3] = (struct publisher_core){.id = "core-d", .live = false, .revision = 6};
    t.count = 4;
    prove(dns_proofs, 2, 10000, ERR_OK, "", "core core-d was not heard lately");
    t.list[3].live = true;
    prove(
        dns_proofs, 2, 300, ERR_TIMEOUT,
        "core core-d has no address to be asked at, and its heartbeat tells revision 6, not yet 7",
        "{");
    t.cores_asked = 0;
    start_prove(dns_proofs, 2, 10000);
    while (t.cores_asked < 3) {
        assert_int_equal(got.ended, 0);
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    t.list[3].revision = 8;
    expect_end(ERR_OK, "", "\"ns\":");
}

static void the_parent_cannot_be_asked(void **state)
{
    (void)state;
    t.parent_rules[0].reply = "nxdomain " NO("example.com");
    prove(dns_proofs, 2, 10000, ERR_DENIED, "no such name", "\"cores\":");
    t.world[0].reply = "servfail";
    prove(dns_proofs, 2, 10000, ERR_OK, "", "the delegation could not be looked up");
}

static void too_many(void **state)
{
    struct acme_proof proofs[PROVE_TOO_MANY];
    char names[PROVE_TOO_MANY][32];
    (void)state;
    for (size_t i = 0; i < PROVE_TOO_MANY; i++) {
        snprintf(names[i], sizeof names[i], "x%zu.mc.example.com", i);
        proofs[i] = dns_proofs[0];
        proofs[i].name = names[i];
    }
    prove(proofs, PROVE_TOO_MANY, 10000, ERR_LIMIT, "more than 8 names", "{");
}

static void over_http(void **state)
{
    (void)state;
    t.http_reply = "tok.thumb";
    prove(&http_proof, 1, 10000, ERR_OK, "",
          "our own http.challengePort gives the proof of a.example.org");
    t.http_reply = "tok.thumb\n";
    prove(
        &http_proof, 1, 250, ERR_TIMEOUT,
        "our own http.challengePort does not give the proof of a.example.org: status 200, another "
        "text",
        "{");
    assert_in_range(t.http.requests, 3, 4); /* once, and once or twice again */
    start_prove(&http_proof, 1, 10000);
    while (t.http.requests < 5) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    t.http_reply = "tok.thumb"; /* in the end */
    expect_end(ERR_OK, "", "gives the proof");
}

static void over_alpn(void **state)
{
    (void)state;
    snprintf(look.seen.alpn, sizeof look.seen.alpn, "acme-tls/1");
    snprintf(look.seen.acme_identifier, sizeof look.seen.acme_identifier, DIGEST);
    prove(&alpn_proof, 1, 10000, ERR_OK, "", "our own http.port gives the proof of a.example.org");
    assert_string_equal(look.name, "a.example.org");
    assert_string_equal(look.alpn, "acme-tls/1");
    assert_string_equal(look.address, "127.0.0.1:4433");
    look.seen.acme_identifier[63] = '0';
    prove(&alpn_proof, 1, 20, ERR_TIMEOUT, "a certificate with another digest, or none", "{");
    look.seen.acme_identifier[63] = 'f';
    look.seen.alpn[0] = '\0';
    prove(&alpn_proof, 1, 20, ERR_TIMEOUT, "it does not speak acme-tls/1", "{");
    look.e = ERR_UNAVAIL;
    prove(&alpn_proof, 1, 20, ERR_TIMEOUT, "a fake of a failure", "{");
}

/* ---- witnesses ----------------------------------------------------------------------------- */

static void who_asked(void **state)
{
    struct store_witness rows[] = {
        {"core-a", "_acme-challenge", "192.0.2.0/24", "udp", "2 values", 600, 2},
        {"core-a", "_acme-challenge", "198.51.100.0/24", "tcp", "2 values", 700, 1},
        {"core-b", "_acme-challenge", "192.0.2.0/24", "udp", "NXDOMAIN", 800, 1},
        {"core-b", "_acme-challenge", "2001:db8::/48", "udp", "NXDOMAIN", 900, 1},
        {"core-b", "_acme-challenge", "203.0.113.0/24", "udp", "2 values", 400, 9}, /* before */
        {"core-a", "tok", "203.0.113.0/24", "http", "200", 600, 1},
    };
    (void)state;
    witnesses(dns_proofs, 2, "nobody asked for it", "{\"witnesses\":[],\"summary\":");
    assert_int_equal(sync_witness_put(&t.sync, rows, sizeof rows / sizeof rows[0]), ERR_OK);
    witnesses(dns_proofs, 2,
              "asked 5 times from 3 networks at core-a and core-b; core-b answered NXDOMAIN",
              "{\"core\":\"core-b\",\"name\":\"_acme-challenge\",\"source\":\"192.0.2.0/24\","
              "\"transport\":\"udp\",\"answer\":\"NXDOMAIN\",\"count\":1,\"at\":800}");
    assert_null(strstr(got.report, "203.0.113"));
    witnesses(&http_proof, 1, "asked 1 time from 1 network at core-a", "\"200\"");
    assert_string_equal(got.info.text, "asked 1 time from 1 network at core-a");
    t.no_store = true;
    witnesses(dns_proofs, 2, "nobody asked for it",
              "who asked could not be read: there is no store");
}

/* ---- ends that come early ------------------------------------------------------------------ */

/* Canceled after each possible number of turns of the loop: the callback comes once, with ERR_CANCELED
 * unless it was already over. */
static unsigned cancel_after_each_turn(void (*start)(void))
{
    unsigned canceled = 0;
    for (unsigned turns = 0; turns < 400; turns++) {
        start();
        for (unsigned i = 0; i < turns && got.ended == 0; i++) {
            uv_run(&t.loop, UV_RUN_ONCE);
        }
        if (got.ended > 0) {
            assert_int_equal(got.e, ERR_OK);
            got.ended = 0;
            return canceled;
        }
        t.face->cancel(t.face->ctx);
        t.face->cancel(t.face->ctx);
        expect_end(ERR_CANCELED, "canceled", "{");
        canceled++;
        uv_run(&t.loop, UV_RUN_NOWAIT);
        assert_int_equal(got.ended, 0);
    }
    fail_msg("it never ends");
    return canceled;
}

static void a_precheck(void)
{
    start_precheck("mc.example.com", "x.mc.example.com", ACME_DNS01);
}

static void a_put(void)
{
    struct acme_proof all[4] = {dns_proofs[0], http_proof, dns_proofs[1], alpn_proof};
    start_put(all, 4);
}

static void a_proof(void)
{
    struct acme_proof all[4] = {dns_proofs[0], http_proof, dns_proofs[1], alpn_proof};
    t.http_reply = "tok.thumb";
    snprintf(look.seen.alpn, sizeof look.seen.alpn, "acme-tls/1");
    snprintf(look.seen.acme_identifier, sizeof look.seen.acme_identifier, DIGEST);
    start_prove(all, 4, 10000);
}

static void some_witnesses(void)
{
    t.face->witnesses(t.face->ctx, dns_proofs, 2, 0, on_end, NULL);
}

static void canceled_anywhere(void **state)
{
    (void)state;
    t.face->cancel(t.face->ctx); /* nothing is under way */
    assert_true(cancel_after_each_turn(a_precheck) > 8);
    assert_true(cancel_after_each_turn(a_put) > 2);
    assert_true(cancel_after_each_turn(a_proof) > 8);
    assert_true(cancel_after_each_turn(some_witnesses) > 0);
}

static void closed_anywhere(void **state)
{
    static void (*const starts[])(void) = {a_precheck, a_put, a_proof, some_witnesses};
    (void)state;
    for (unsigned i = 0; i < 4 * 12; i++) {
        starts[i % 4]();
        starts[(i + 1) % 4](); /* two at a time */
        for (unsigned turns = 0; turns < i / 4; turns++) {
            uv_run(&t.loop, UV_RUN_NOWAIT);
        }
        close_publisher();
        assert_int_equal(got.ended, 2);
        got.ended = 0;
        open_publisher(true);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_is_well),
        TEST(the_delegation),
        TEST(caa_in_the_zone),
        TEST(caa_above),
        TEST(caa_of_hosts),
        TEST(not_our_zone),
        TEST(values_of_others),
        TEST(rows_under_the_fence),
        TEST(the_lease_is_lost),
        TEST(what_cannot_be_put),
        TEST(everybody_gives_it),
        TEST(the_set_is_the_stores),
        TEST(who_is_behind),
        TEST(by_heartbeat),
        TEST(the_parent_cannot_be_asked),
        TEST(too_many),
        TEST(over_http),
        TEST(over_alpn),
        TEST(who_asked),
        TEST(canceled_anywhere),
        TEST(closed_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

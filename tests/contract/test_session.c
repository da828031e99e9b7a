/* acme/session_uv and the objects against real CAs: Debian's Pebble and the newest, strict, refusing every
 * second nonce. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "acme/session_uv.h"
#include "cert/csr.h"
#include "lib/base64.h"
#include "lib/mem.h"
#include "pebble.h"

#define WAIT_MS 60000

static const char *program; /* the version under test */
static bool is_new;         /* it has profiles, and renewal information */
static struct pebble pebble;
static uv_loop_t loop;
static uv_timer_t guard;
static struct session *session;
static struct acme_directory directory;
static struct cert_key *key;
static char account[ACME_URL_MAX];
static unsigned bad_nonces, posts;

/* --- one exchange after the other --------------------------------------------------------- */

static struct session_reply got; /* body: owned */
static unsigned ended;
static enum err outcome;

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("not over in time");
}

static void until_ended(unsigned n)
{
    uv_update_time(&loop);
    uv_timer_start(&guard, on_guard, WAIT_MS, 0);
    while (ended < n) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&guard);
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    (void)ctx;
    ended++;
    outcome = e;
    if (e != ERR_OK) {
        print_message("%s\n", info->text);
        return;
    }
    free((char *)got.body);
    got = *reply;
    got.body = mem_xmemdup(reply->body, reply->len + 1);
    bad_nonces += reply->bad_nonces;
    posts++;
}

static void post_as(const struct cert_key *k, const char *kid, const char *url, const char *payload)
{
    /* With every second nonce refused, 21 in a row are one chance in two millions. */
    struct session_post post = {.key = k, .kid = kid, .url = url, .payload = payload};
    ended = 0;
    session_post(session, &post, on_reply, NULL);
    until_ended(1);
    assert_int_equal(outcome, ERR_OK);
}

static void post(const char *url, const char *payload)
{
    post_as(key, account, url, payload);
}

static void expect(enum acme_class class, unsigned status)
{
    if (got.problem.class != class || got.status != status) {
        fail_msg("class %d, HTTP %u, %s: %s", got.problem.class, got.status, got.problem.type,
                 got.problem.text);
    }
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *d, const struct acme_problem *problem)
{
    (void)ctx, (void)problem;
    if (e != ERR_OK) {
        fail_msg("%s", info->text);
    }
    directory = *d;
    ended++;
}

static struct cert_key *new_key(void)
{
    struct cert_key *k = NULL;
    assert_int_equal(cert_key_new(&k, NULL), ERR_OK);
    return k;
}

static int start(void **state)
{
    struct err_info info = {.text = ""};
    (void)state;
    struct pebble_options served = {.program = program,
                                    .nonce_reject = 50,
                                    .alternate_roots = 2,
                                    .profile = "short",
                                    .blocked = "blocked.example",
                                    .caa = "Pebble.example"};
    pebble_start(&pebble, &served);
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &guard);
    struct session_options options = {
        .directory_url = pebble.url, .ca_file = pebble.ca_file, .clock = &clk_system};
    if (session_open(&loop, &options, &session, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    ended = 0;
    session_directory(session, false, on_directory, NULL);
    until_ended(1);
    is_new = directory.profiles_count > 0;
    key = new_key();
    post_as(key, NULL, directory.new_account, "{\"termsOfServiceAgreed\":true}");
    expect(ACME_FINE, 201);
    memcpy(account, got.location, sizeof account);
    return 0;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    ended++;
}

static int stop(void **state)
{
    (void)state;
    ended = 0;
    session_close(session, on_closed, NULL);
    until_ended(1);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    free((char *)got.body);
    got.body = NULL;
    cert_key_free(key);
    pebble_stop(&pebble);
    return uv_loop_close(&loop);
}

/* --- the directory and accounts ----------------------------------------------------------- */

static void a_directory(void **state)
{
    (void)state;
    assert_true(directory.new_order[0] != '\0' && directory.new_account[0] != '\0' &&
                directory.revoke_cert[0] != '\0' && directory.key_change[0] != '\0');
    assert_string_equal(directory.terms, ""); /* data:text/plain,Do what thou wilt */
    assert_false(directory.external_account_required);
    assert_int_equal(directory.renewal_info[0] != '\0', is_new);
    assert_int_equal(directory.caa_identities_count, is_new ? 1 : 0);
    if (is_new) {
        assert_string_equal(directory.profiles[0], "short");
        assert_string_equal(directory.caa_identities[0], "pebble.example");
    }
    assert_true(llabs(session_skew_ms(session)) < 2000);
}

static void an_account(void **state)
{
    struct acme_account_object a;
    struct err_info info;
    (void)state;
    assert_true(account[0] != '\0');
    post(account, NULL);
    expect(ACME_FINE, 200);
    assert_int_equal(acme_account_read(got.body, got.len, &a, &info), ERR_OK);
    assert_int_equal(a.status, ACME_STATUS_VALID);
    post_as(key, NULL, directory.new_account, "{\"onlyReturnExisting\":true}");
    expect(ACME_FINE, 200);
    assert_string_equal(got.location, account);
}

static void accounts_that_are_none(void **state)
{
    struct cert_key *other = new_key();
    struct acme_account_object a;
    struct err_info info;
    char url[ACME_URL_MAX];
    (void)state;
    post_as(other, NULL, directory.new_account, "{\"onlyReturnExisting\":true}");
    expect(ACME_ACCOUNT, 400);
    assert_string_equal(got.problem.type, "accountDoesNotExist");
    post_as(other, NULL, directory.new_account, "{}");
    expect(ACME_TERMS, 403);
    post_as(other, NULL, directory.new_account,
            "{\"termsOfServiceAgreed\":true,"
            "\"contact\":[\"tel:+1\"]}");
    expect(ACME_DENIED, 400);
    post_as(other, NULL, directory.new_account, "{\"termsOfServiceAgreed\":true}");
    expect(ACME_FINE, 201);
    memcpy(url, got.location, sizeof url);
    post_as(other, url, url, "{\"status\":\"deactivated\"}");
    expect(ACME_FINE, 200);
    assert_int_equal(acme_account_read(got.body, got.len, &a, &info), ERR_OK);
    assert_int_equal(a.status, ACME_STATUS_DEACTIVATED);
    post_as(other, url, url, NULL); /* "unauthorized": who asked knows that it is the account's */
    expect(ACME_IDENTIFIER, 403);
    post_as(other, account, account, NULL); /* signed by another than it says */
    assert_true(got.status >= 400 && got.problem.class != ACME_FINE);
    cert_key_free(other);
}

/* --- nonces and problems ------------------------------------------------------------------ */

static void a_storm_of_bad_nonces(void **state)
{
    (void)state;
    bad_nonces = posts = 0;
    for (unsigned i = 0; i < 60; i++) {
        post(account, NULL);
        expect(ACME_FINE, 200);
    }
    print_message("%u requests met %u bad nonces\n", posts, bad_nonces);
    assert_true(bad_nonces > 15 && bad_nonces < 300); /* 60 are to be expected */
}

static void wrong_urls(void **state)
{
    char url[ACME_URL_MAX];
    (void)state;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/no-such-thing", pebble.port);
    post(url, NULL);
    expect(ACME_DENIED, 404); /* no document: a page of the server's */
    assert_true(strncmp(got.problem.text, "HTTP 404", 8) == 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/my-order/no-such-order", pebble.port);
    post(url, NULL);
    expect(ACME_DENIED, 404);
    assert_string_equal(got.problem.text, "HTTP 404"); /* without a word */
    post(directory.new_order, "{\"identifiers\":");
    expect(ACME_BUG, 400);
    assert_string_equal(got.problem.type, "malformed");
}

static void what_is_refused(void **state)
{
    (void)state;
    post(directory.new_order,
         "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.blocked.example\"}]}");
    expect(ACME_IDENTIFIER, 400);
    assert_string_equal(got.problem.type, "rejectedIdentifier");
    if (is_new) {
        post(directory.new_order, "{\"profile\":\"no-such-profile\","
                                  "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}]}");
        expect(ACME_PROFILE, 400);
        post(directory.new_order, "{\"replaces\":\"AAAA.BBBB\","
                                  "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}]}");
        expect(ACME_BUG, 400); /* malformed: of no issuer that it knows */
    }
}

/* --- a whole order ------------------------------------------------------------------------ */

static struct acme_order_object order;
static char order_url[ACME_URL_MAX];

static void read_order(void)
{
    struct err_info info = {.text = ""};
    if (acme_order_read(got.body, got.len, &order, &info) != ERR_OK) {
        fail_msg("%s in %s", info.text, got.body);
    }
}

static void poll_order(enum acme_status until)
{
    for (int i = 0; i < 200 && order.status != until; i++) {
        poll(NULL, 0, 50);
        post(order_url, NULL);
        expect(ACME_FINE, 200);
        read_order();
    }
    assert_int_equal(order.status, until);
}

static void authorize(const char *url)
{
    struct acme_authorization a;
    struct err_info info = {.text = ""};
    const struct acme_challenge *dns = NULL;
    char value[44];
    post(url, NULL);
    expect(ACME_FINE, 200);
    if (acme_authorization_read(got.body, got.len, &a, &info) != ERR_OK) {
        fail_msg("%s in %s", info.text, got.body);
    }
    assert_int_equal(a.status, ACME_STATUS_PENDING);
    assert_string_equal(a.name, "example.org");
    assert_true(a.expires_ms > clk_wall_ms(&clk_system));
    for (size_t i = 0; i < a.challenges_count; i++) {
        dns = a.challenges[i].type == ACME_DNS01 ? &a.challenges[i] : dns;
    }
    assert_non_null(dns);
    assert_int_equal(acme_dns01_value(dns->token, "thumbprint", value), ERR_OK);
    post(dns->url, "{}");
    expect(ACME_FINE, 200);
    struct acme_challenge c;
    assert_int_equal(acme_challenge_read(got.body, got.len, &c, &info), ERR_OK);
    assert_int_equal(c.type, ACME_DNS01);
}

static void finalize(void)
{
    static const char *const names[] = {"*.example.org", "example.org"};
    struct cert_key *leaf = new_key();
    uint8_t *der = NULL;
    size_t len = 0;
    char payload[2000];
    assert_int_equal(cert_csr_new(leaf, names, 2, &der, &len, NULL), ERR_OK);
    char *text = mem_xalloc(BASE64_ROOM(len));
    base64url_encode(der, len, text);
    snprintf(payload, sizeof payload, "{\"csr\":\"%s\"}", text);
    post(order.finalize, payload);
    expect(ACME_FINE, 200);
    read_order();
    free(text);
    free(der);
    cert_key_free(leaf);
}

static void a_certificate(void **state)
{
    (void)state;
    post(directory.new_order, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.org\"},"
                              "{\"type\":\"dns\",\"value\":\"*.example.org\"}]}");
    expect(ACME_FINE, 201);
    memcpy(order_url, got.location, sizeof order_url);
    assert_true(order_url[0] != '\0');
    read_order();
    assert_int_equal(order.status, ACME_STATUS_PENDING);
    assert_int_equal(order.authorizations_count, 2);
    assert_int_equal(order.names_count, 2);
    for (size_t i = 0; i < 2; i++) {
        authorize(order.authorizations[i]);
    }
    poll_order(ACME_STATUS_READY);
    finalize();
    poll_order(ACME_STATUS_VALID);
    post(order.certificate, NULL);
    expect(ACME_FINE, 200);
    assert_true(strncmp(got.body, "-----BEGIN CERTIFICATE-----", 27) == 0);
    assert_int_equal(got.alternates_count, 2); /* PEBBLE_ALTERNATE_ROOTS */
    char alternate[ACME_URL_MAX];
    memcpy(alternate, got.alternates[0], sizeof alternate);
    post(alternate, NULL);
    expect(ACME_FINE, 200);
    assert_true(strncmp(got.body, "-----BEGIN CERTIFICATE-----", 27) == 0);
    assert_int_equal(got.alternates_count, 2);
}

/* RFC 9773 §4.1, of a certificate that does not exist. */
static void renewal_information(void **state)
{
    char url[2 * ACME_URL_MAX];
    (void)state;
    if (!is_new) {
        return;
    }
    snprintf(url, sizeof url, "%s/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", directory.renewal_info);
    ended = 0;
    session_get(session, url, on_reply, NULL);
    until_ended(1);
    assert_int_equal(outcome, ERR_OK);
    expect(ACME_BUG, 400); /* Boulder says 404 */
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory),
        cmocka_unit_test(an_account),
        cmocka_unit_test(accounts_that_are_none),
        cmocka_unit_test(a_storm_of_bad_nonces),
        cmocka_unit_test(wrong_urls),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_certificate),
        cmocka_unit_test(renewal_information),
    };
    return cmocka_run_group_tests_name(program, tests, start, stop);
}

int main(void)
{
    char **programs = pebble_programs();
    int failed = 0, news = 0;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; programs != NULL && programs[i] != NULL; i++) {
        program = programs[i];
        failed += run();
        news += is_new;
    }
    if (news == 0) {
        print_error("none of them is a new Pebble: run tools/setup test\n");
        failed++;
    }
    free(programs);
    return failed != 0;
}

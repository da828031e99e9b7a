/* cluster/ack_uv: against an issuer on the same loop. */
#include "cluster/ack_uv.h"

#include "issuer_fixture.h"

#define GOOD                                                                                       \
    "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":[{\"id\":\"core-a\"}],\"lscIps\":[" \
    "]}}"

static struct issuer s;
static char url[128];
static struct ack *ack;
static unsigned ends, tries, wait_ms;
static enum err result;
static struct err_info said;
static size_t told_members;

static void on_try(void *ctx, unsigned n, const char *what, unsigned ms)
{
    assert_ptr_equal(ctx, &s);
    assert_true(what[0] != '\0');
    tries = n;
    wait_ms = ms;
}

static void on_end(void *ctx, enum err e, const struct err_info *info, const struct ack_told *told)
{
    assert_ptr_equal(ctx, &s);
    assert_true((e == ERR_OK) == (told != NULL) && (e == ERR_OK) == (info == NULL));
    ends++;
    result = e;
    told_members = told != NULL ? told->members_count : 0;
    said = info != NULL ? *info : (struct err_info){.text = ""};
    ack = NULL;
}

static int setup(void **state)
{
    (void)state;
    issuer_begin(&s);
    s.answer = GOOD;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/ack", s.port);
    ends = tries = wait_ms = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    issuer_end(&s);
    return 0;
}

static struct ack_options options(void)
{
    return (struct ack_options){.url = url,
                                .core = "core-b",
                                .token = "a-token-of-16-and-more",
                                .fingerprint = "AA:BB",
                                .ca_file = s.ca_path,
                                .on_try = on_try,
                                .ctx = &s};
}

static void start(const struct ack_options *o)
{
    ack = ack_start(&s.loop, o, on_end, &s);
    assert_non_null(ack);
    assert_int_equal(ends, 0); /* never inside the call */
}

static void finish(const struct ack_options *o)
{
    start(o);
    while (ends == 0) {
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(ends, 1);
}

static void it_is_heard(void **state)
{
    struct ack_options o = options();
    (void)state;
    finish(&o);
    assert_int_equal(result, ERR_OK);
    assert_int_equal(told_members, 1);
    assert_string_equal(s.body, "{\"coreId\":\"core-b\",\"token\":\"a-token-of-16-and-more\","
                                "\"tlsFingerprint\":\"AA:BB\"}");
    assert_int_equal(tries, 0);
}

static void it_is_tried_again(void **state)
{
    struct ack_options o = options();
    (void)state;
    s.status = 503;
    s.retry_after = "1";
    s.better_after = 1;
    finish(&o);
    assert_int_equal(result, ERR_OK);
    assert_int_equal(s.requests, 2);
    assert_int_equal(tries, 1);
    assert_in_range(wait_ms, 1000, 1100);
}

static void only_whom_the_bundle_names(void **state)
{
    struct ack_options o = options();
    const char *pins[] = {s.pin};
    (void)state;
    o.ca_file = s.other_ca_path;
    finish(&o);
    assert_int_equal(result, ERR_DENIED);
    assert_non_null(strstr(said.text, "was told nothing"));
    assert_int_equal(s.requests, 0);

    ends = 0;
    o.pins = pins; /* then nobody asks who signed it */
    o.pins_count = 1;
    o.ca_file = NULL;
    finish(&o);
    assert_int_equal(result, ERR_OK);

    ends = 0;
    o.ca_file = s.ca_path;
    o.system_ca = true; /* instead of pins and file */
    finish(&o);
    assert_int_equal(result, ERR_DENIED);
    assert_int_equal(s.requests, 1);
}

static void what_is_wrong_from_the_start_is_told_later(void **state)
{
    struct ack_options o = options();
    (void)state;
    o.url = "http://127.0.0.1:1/";
    finish(&o);
    assert_int_equal(result, ERR_MALFORMED);
    ends = 0;
    o = options();
    o.url = NULL;
    finish(&o);
    assert_int_equal(result, ERR_MALFORMED);
    ends = 0;
    o = options();
    o.ca_file = "/nowhere/ca.crt";
    finish(&o);
    assert_int_equal(result, ERR_NOTFOUND);
    assert_non_null(strstr(said.text, "/nowhere/ca.crt"));
    ends = 0;
    o.ca_file = NULL;
    finish(&o);
    assert_int_equal(result, ERR_BUG);
    ends = 0;
    o = options();
    o.token = "a\"b";
    finish(&o);
    assert_int_equal(result, ERR_MALFORMED);
    assert_int_equal(s.requests, 0);
}

static void the_time_is_over(void **state)
{
    struct ack_options o = options();
    (void)state;
    s.status = 500;
    o.deadline_ms = 900; /* less than the first pause */
    finish(&o);
    assert_int_equal(result, ERR_TIMEOUT);
    assert_non_null(strstr(said.text, "answered 500"));
    assert_int_equal(tries, 0);
}

static void it_can_be_canceled(void **state)
{
    struct ack_options o = options();
    (void)state;
    start(&o); /* at once */
    ack_cancel(ack);
    ack_cancel(ack);
    while (ends == 0) {
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(result, ERR_CANCELED);
    ends = 0;
    s.status = 500;
    start(&o); /* while it waits */
    while (tries == 0) {
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    ack_cancel(ack);
    while (ends == 0) {
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(result, ERR_CANCELED);
    assert_int_equal(ends, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_heard),
        TEST(it_is_tried_again),
        TEST(only_whom_the_bundle_names),
        TEST(what_is_wrong_from_the_start_is_told_later),
        TEST(the_time_is_over),
        TEST(it_can_be_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cluster/renewal_uv: against an issuer on the same loop. */
#include "cluster/renewal_uv.h"

#include "issuer_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct issuer s;
static unsigned ends;
static enum err result;
static struct err_info said;
static char got[64];

static void on_end(void *ctx, enum err e, const struct err_info *info, const char *cert)
{
    assert_ptr_equal(ctx, &s);
    assert_true((e == ERR_OK) == (cert != NULL) && (e == ERR_OK) == (info == NULL));
    ends++;
    result = e;
    said = info != NULL ? *info : (struct err_info){.text = ""};
    snprintf(got, sizeof got, "%s", cert != NULL ? cert : "");
}

static int setup(void **state)
{
    (void)state;
    issuer_begin(&s);
    s.answer = "{\"certPem\":\"new one\",\"caPem\":\"x\"}";
    ends = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    issuer_end(&s);
    return 0;
}

static struct renewal_options options(void)
{
    return (struct renewal_options){.address = "127.0.0.1",
                                    .port = s.port,
                                    .ca_file = s.ca_path,
                                    .cert_file = s.cert_path,
                                    .key_file = s.key_path,
                                    .csr = "a\n\"request\""};
}

static struct renewal *start(const struct renewal_options *o)
{
    ends = 0;
    struct renewal *r = renewal_start(&s.loop, o, on_end, &s);
    assert_non_null(r);
    assert_int_equal(ends, 0);
    return r;
}

static void run(void)
{
    while (ends == 0) {
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(ends, 1);
}

static void it_gets_one(void **state)
{
    struct renewal_options o = options();
    (void)state;
    start(&o);
    run();
    assert_int_equal(result, ERR_OK);
    assert_string_equal(got, "new one");
    assert_string_equal(s.body, "{\"csr\":\"a\\n\\\"request\\\"\"}");
    assert_string_equal(s.peer, "core-b"); /* it has shown who it is */
}

static void answers_mean_something(void **state)
{
    static const struct {
        unsigned status;
        const char *answer;
        enum err e;
    } rows[] = {
        {401, "{}", ERR_DENIED},    {403, "{}", ERR_DENIED},
        {404, "{}", ERR_NOTFOUND},  {429, "{}", ERR_UNAVAIL},
        {500, "{}", ERR_UNAVAIL},   {503, "{}", ERR_UNAVAIL},
        {400, "{}", ERR_MALFORMED}, {302, "{}", ERR_MALFORMED},
        {200, "{}", ERR_MALFORMED}, {200, "[]", ERR_MALFORMED},
        {200, "<", ERR_MALFORMED},  {200, "{\"certPem\":1}", ERR_MALFORMED},
    };
    struct renewal_options o = options();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        s.status = rows[i].status;
        s.answer = rows[i].answer;
        start(&o);
        run();
        assert_int_equal(result, rows[i].e);
        assert_true(said.text[0] != '\0');
    }
    assert_int_equal(s.requests, COUNT(rows)); /* one try each */
}

static void other_ends(void **state)
{
    struct renewal_options o = options();
    (void)state;
    o.ca_file = s.other_ca_path;
    start(&o);
    run();
    assert_int_equal(result, ERR_DENIED);
    o.ca_file = "/nowhere/ca.crt";
    start(&o);
    run();
    assert_int_equal(result, ERR_NOTFOUND);
    o = options();
    o.address = "::1"; /* nobody listens there */
    start(&o);
    run();
    assert_int_equal(result, ERR_UNAVAIL);
    assert_non_null(strstr(said.text, "https://[::1]:"));
    assert_int_equal(s.requests, 0);
}

static void it_can_be_canceled(void **state)
{
    struct renewal_options o = options();
    (void)state;
    struct renewal *r = start(&o);
    renewal_cancel(r);
    renewal_cancel(r);
    run();
    assert_int_equal(result, ERR_CANCELED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_gets_one),
        TEST(answers_mean_something),
        TEST(other_ends),
        TEST(it_can_be_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

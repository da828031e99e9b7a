/* Where cores join: another certificate for a core that has one, and nothing for anybody else. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_raw.h"
#include "http/api/api_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define TARGET  "/cluster/node-certificate"
#define CSR     "{\"csr\":\"a request\\n\"}"
#define HOUR_MS 3600000
#define GIVEN   "{\"certPem\":\"a certificate\\n\",\"caPem\":\"the CA\\n\"}"

static const struct web_ask wish = {.method = "POST", .target = TARGET, .body = CSR, .key = ""};

static void expect_ask(const struct web_ask *ask, const struct tls_made *shown, unsigned status,
                       const char *says, const char *retry)
{
    struct web_got got;
    web_tls_ask(&suite.web, ask, shown, &got);
    if (got.status != status || strstr(got.body, says) == NULL ||
        strcmp(got.retry_after, retry) != 0) {
        fail_msg("%s %s: %u %s, retry \"%s\"\ninstead of %u %s", ask->method, ask->target,
                 got.status, got.body, got.retry_after, status, says);
    }
    web_got_free(&got);
}

static void expect(const struct tls_made *shown, unsigned status, const char *says)
{
    expect_ask(&wish, shown, status, says, status == 503 ? "2" : "");
}

/* The store knows CORE's certificate M. */
static void put_cert(const struct tls_made *m, const char *core)
{
    char serial[41], fingerprint[65];
    int64_t now_ms = suite.web.wall_ms;
    web_serial(m, serial);
    web_fingerprint(m, fingerprint);
    assert_err(ERR_OK,
               sync_node_cert_put(&suite.sync, &(struct store_node_cert){
                                                   .serial = serial,
                                                   .core = core,
                                                   .fingerprint = fingerprint,
                                                   .issued_ms = now_ms,
                                                   .expires_ms = now_ms + 1000LL * 24 * HOUR_MS,
                                                   .reason = ""}));
}

/* ---- who gets one ------------------------------------------------------------------------------ */

static void another_certificate(void **state)
{
    const struct tls_made *b = web_cluster()->core_b;
    (void)state;
    suite_add_core("core-b", true, NULL);
    expect(b, 200, GIVEN); /* made by hand, with the same CA */
    assert_string_equal(suite.web.sign.last, "core-b");
    assert_string_equal(suite.web.sign.csr.text, "a request\n");
    put_cert(b, "core-b");
    expect(b, 200, GIVEN);
    assert_err(ERR_OK,
               sync_core_put(&suite.sync, &(struct store_core){.id = "core-b", .available = false},
                             STORE_REPLACE));
    expect(b, 200, GIVEN); /* also one that is drained, or not there yet */
    assert_int_equal(suite.web.sign.count, 3);
}

static void who_gets_none(void **state)
{
    const struct tls_made *b = web_cluster()->core_b;
    struct tls_made *nameless =
        tls_make(&(struct tls_make){.subject = "", .issuer = web_cluster()->ca});
    char serial[41];
    (void)state;
    suite_add_core("core-a", true, NULL);
    suite_add_core("core-bb", true, NULL);
    expect(NULL, 401, "\"certificate-required\"");
    expect(b, 403, "\"unknown-core\"");
    expect(nameless, 403, "\"unknown-core\"");
    suite_add_core("core-b", true, NULL);
    web_serial(b, serial);
    suite.web.revoked = serial;
    expect(b, 403, "\"certificate-revoked\"");
    suite.web.revoked = NULL;
    put_cert(b, "core-b");
    assert_err(ERR_OK, sync_node_certs_revoke(&suite.sync, "core-b", serial, suite.web.wall_ms,
                                              "it was lost"));
    expect(b, 403, "\"certificate-revoked\""); /* the daemon has not heard of it yet */
    assert_int_equal(suite.web.sign.count, 0);
    tls_made_free(nameless);
}

/* Another of the same core's certificates may be revoked; this one counts. */
static void another_of_them_is_revoked(void **state)
{
    const struct tls_made *b = web_cluster()->core_b;
    struct tls_made *old =
        tls_make(&(struct tls_make){.subject = "core-b", .issuer = web_cluster()->ca});
    char serial[41];
    (void)state;
    suite_add_core("core-b", true, NULL);
    put_cert(b, "core-b");
    put_cert(old, "core-b");
    web_serial(old, serial);
    assert_err(ERR_OK,
               sync_node_certs_revoke(&suite.sync, "core-b", serial, suite.web.wall_ms, ""));
    expect(b, 200, GIVEN);
    expect(old, 403, "\"certificate-revoked\"");
    tls_made_free(old);
}

/* The connection was let in while the certificate was valid. */
static void it_has_expired_meanwhile(void **state)
{
    (void)state;
    suite_add_core("core-b", true, NULL);
    suite.web.wall_ms += 20LL * 365 * 24 * HOUR_MS;
    expect(web_cluster()->core_b, 401, "\"certificate-required\"");
    assert_int_equal(suite.web.sign.count, 0);
}

static void the_ca_is_not_here(void **state)
{
    (void)state;
    suite_add_core("core-b", true, NULL);
    suite.web.api->daemon.sign = NULL;
    expect(NULL, 401, "\"certificate-required\"");
    expect(web_cluster()->core_b, 404, "\"no-authority\"");
}

/* ---- what is asked ----------------------------------------------------------------------------- */

static void bodies_that_are_none(void **state)
{
    const struct tls_made *b = web_cluster()->core_b;
    char *blanks = suite_blanks(33000);
    (void)state;
    const struct {
        const char *body, *type;
        unsigned status;
        const char *says;
    } rows[] = {
        {NULL, NULL, 400, "\"csr: must be a PKCS #10 request in PEM, of 8 KiB at most\""},
        {"{\"csr\":7,\"x\":1}", NULL, 400, "x: not known here (and 1 more)"},
        {"{", NULL, 400, "\"invalid-body\""},
        {blanks, NULL, 413, "\"body-too-large\""},
        {"{}", "text/plain", 415, "\"not-json\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct web_ask ask = wish;
        ask.body = rows[i].body;
        ask.type = rows[i].type;
        expect_ask(&ask, b, rows[i].status, rows[i].says, "");
    }
    suite.web.env.store = NULL;
    expect(b, 503, "\"unavailable\"");
    free(blanks);
}

static void how_signing_ends(void **state)
{
    static const struct {
        enum err e;
        unsigned status;
        const char *says;
    } rows[] = {
        {ERR_MALFORMED, 400, "\"message\":\"csr: so it is\",\"problems\":[{\"member\":\"csr\""},
        {ERR_DENIED, 403, "\"certificate-denied\",\"message\":\"so it is\""},
        {ERR_UNAVAIL, 503, "\"busy\""},
        {ERR_BUSY, 503, "\"busy\""},
        {ERR_TIMEOUT, 503, "\"busy\""},
        {ERR_IO, 500, "\"internal\""},
        {ERR_NOMEM, 500, "\"internal\""},
        {ERR_OK, 200, GIVEN},
    };
    (void)state;
    suite_add_core("core-b", true, NULL);
    suite.web.sign.why = "so it is";
    for (size_t i = 0; i < COUNT(rows); i++) {
        suite.web.sign.e = rows[i].e;
        expect(web_cluster()->core_b, rows[i].status, rows[i].says);
    }
}

/* ---- how many ---------------------------------------------------------------------------------- */

/* One of each core, and eight in all; whoever is not served may come again. */
static void one_at_a_time(void **state)
{
    enum { ALL = 8 };
    struct tls_made *made[ALL + 1];
    struct web_raw raw[ALL];
    struct web_got got[ALL];
    char id[ALL + 1][16];
    (void)state;
    for (unsigned i = 0; i <= ALL; i++) {
        snprintf(id[i], sizeof id[i], "core-%u", i);
        suite_add_core(id[i], true, NULL);
        made[i] = tls_make(&(struct tls_make){.subject = id[i], .issuer = web_cluster()->ca});
    }
    suite.web.sign.hold = true;
    for (unsigned i = 0; i < ALL; i++) {
        web_tls_start(&suite.web, &wish, made[i], &raw[i], &got[i]);
        web_until(&suite.web, &suite.web.sign.waiting, i + 1);
        expect(made[i], 503, "a certificate for this core is being made");
    }
    expect(made[ALL], 503, "too many certificates are being made");
    assert_int_equal(suite.web.sign.count, ALL);
    suite.web.sign.hold = false;
    web_sign_go(&suite.web);
    for (unsigned i = 0; i < ALL; i++) {
        web_raw_wait(&raw[i]);
        assert_int_equal(got[i].status, 200);
        web_got_free(&got[i]);
    }
    for (unsigned i = 0; i <= ALL; i++) {
        expect(made[i], 200, GIVEN);
        tls_made_free(made[i]);
    }
}

/* ---- what else is there ------------------------------------------------------------------------ */

static void nothing_else(void **state)
{
    static const char *const targets[] = {
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/reg/cores?username=a",
        "/cluster",
        "/reg/records",
        "/system/admin/cores",
        "/system/admin/users/a",
    };
    const struct tls_made *const shown[] = {NULL, web_cluster()->core_b};
    (void)state;
    suite_add_core("core-b", true, NULL);
    for (size_t i = 0; i < 2 * COUNT(targets); i++) {
        const struct web_ask ask = {.method = "GET", .target = targets[i / 2]}; /* with the key */
        expect_ask(&ask, shown[i % 2], 404, "\"not-found\"", "");
    }
    web_expect_ask(&suite.web, &wish, 404, "\"not-found\""); /* nor is this anywhere else */
}

const struct CMUnitTest api_suite_nodes[] = {
    SUITE_TEST(another_certificate),
    SUITE_TEST(who_gets_none),
    SUITE_TEST(another_of_them_is_revoked),
    SUITE_TEST(it_has_expired_meanwhile),
    SUITE_TEST(the_ca_is_not_here),
    SUITE_TEST(bodies_that_are_none),
    SUITE_TEST(how_signing_ends),
    SUITE_TEST(one_at_a_time),
    SUITE_TEST(nothing_else),
    SUITE_END,
};

/* acme/job_uv and the other parts of a job, against a CA that says what a test tells it to, with a made-up
 * publisher and a real SQLite store. What a real CA does is in tests/contract/test_job.c. */
#include "job_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca_script.h"
#include "lib/base64.h"
#include "tls_peer.h"

static struct {
    struct ca_script ca;
    struct job_fixture f;
    struct ca_script_reply script[24];
    size_t count;
    struct tls_make cert; /* what the CA makes of the CSR */
    bool foreign;         /* ... for another key */
    struct tls_made *root, *leaf;
} t;

/* ---- what a good CA says -------------------------------------------------------------------------- */

#define AT(where) "Replay-Nonce: %N\r\nLocation: %U" where "\r\n"
#define NAMES                                                                                      \
    "\"identifiers\":[{\"type\":\"dns\",\"value\":\"job.example\"},{\"type\":\"dns\",\"value\":"   \
    "\"*.job.example\"}]"
#define ORDER_OF(status, more)                                                                     \
    "{\"status\":\"" status "\"," NAMES ",\"authorizations\":[\"%U/authz/0\",\"%U/authz/1\"],"     \
    "\"finalize\":\"%U/finalize\"" more "}"
#define CHALLENGE(n, status)                                                                       \
    "{\"type\":\"dns-01\",\"status\":\"" status "\",\"url\":\"%U/chal/" n "\",\"token\":\"tok-" n  \
    "\"}"
#define AUTHZ_OF(n, status, wildcard)                                                              \
    "{\"status\":\"" status                                                                        \
    "\",\"identifier\":{\"type\":\"dns\",\"value\":\"job.example\"}" wildcard                      \
    ",\"challenges\":[{\"type\":\"odd-99\",\"status\":\"pending\",\"url\":\"%U/x\"}," CHALLENGE(   \
        n, status) "]}"

static const struct ca_script_reply account = {"201 Created", AT("/account/1"),
                                               "{\"status\":\"valid\"}", NULL};
static const struct ca_script_reply order = {"201 Created", AT("/order/1"), ORDER_OF("pending", ""),
                                             NULL};
static const struct ca_script_reply authz[] = {
    {NULL, NULL, AUTHZ_OF("0", "pending", ""), NULL},
    {NULL, NULL, AUTHZ_OF("1", "pending", ",\"wildcard\":true"), NULL}};
static const struct ca_script_reply posted = {NULL, NULL, CHALLENGE("0", "processing"), NULL};
static const struct ca_script_reply valid[] = {
    {NULL, NULL, AUTHZ_OF("0", "valid", ""), NULL},
    {NULL, NULL, AUTHZ_OF("1", "valid", ",\"wildcard\":true"), NULL}};
static const struct ca_script_reply ready = {NULL, NULL, ORDER_OF("ready", ""), NULL};
static const struct ca_script_reply processing = {NULL, NULL, ORDER_OF("processing", ""), NULL};
static const struct ca_script_reply issued = {
    NULL, NULL, ORDER_OF("valid", ",\"certificate\":\"%U/cert\""), NULL};
static const struct ca_script_reply fine = {NULL, NULL, "{}", NULL};

#define PROBLEM(status, header, type, detail)                                                      \
    ((struct ca_script_reply){                                                                     \
        status, "Content-Type: application/problem+json\r\nReplay-Nonce: %N\r\n" header,           \
        "{\"type\":\"urn:ietf:params:acme:error:" type "\",\"detail\":\"" detail "\"}", NULL})

static void say(struct ca_script_reply reply)
{
    assert_true(t.count < sizeof t.script / sizeof t.script[0]);
    t.script[t.count++] = reply;
}

/* The replies of an order that goes well, up to before ITS-th: 0 newOrder, 1 and 2 authorizations, 3 and
 * 4 challenges, 5 and 6 authorizations, 7 order, 8 finalize, 9 order, 10 certificate. */
static void say_until(unsigned nth)
{
    const struct ca_script_reply *const all[] = {&order,      &authz[0], &authz[1], &posted,
                                                 &posted,     &valid[0], &valid[1], &ready,
                                                 &processing, &issued};
    for (unsigned i = 0; i < nth && i < sizeof all / sizeof all[0]; i++) {
        say(*all[i]);
    }
}

/* ---- a certificate for the CSR ------------------------------------------------------------------------ */

static EVP_PKEY *csr_key(void)
{
    for (size_t i = t.ca.requests_count; i-- > 0;) {
        if (strcmp(t.ca.requests[i].line, "POST /finalize") == 0) {
            json_t *payload = json_loads(t.ca.requests[i].payload, 0, NULL);
            const char *text = json_string_value(json_object_get(payload, "csr"));
            uint8_t der[1024];
            const uint8_t *at = der;
            size_t len = 0;
            assert_non_null(text);
            assert_true(base64url_decode(text, strlen(text), der, &len));
            X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)len);
            json_decref(payload);
            assert_non_null(csr);
            EVP_PKEY *key = X509_REQ_get_pubkey(csr);
            X509_REQ_free(csr);
            return key;
        }
    }
    fail_msg("no CSR came");
    return NULL;
}

/* Once the CSR is there the answer to the download can be made. */
static void on_step(struct job_fixture *f, const char *state)
{
    (void)f;
    if (strcmp(state, "download") != 0) {
        return;
    }
    t.root = tls_make(&(struct tls_make){.subject = "root", .ca = true});
    t.cert.issuer = t.root;
    t.leaf = tls_make(&t.cert);
    if (!t.foreign) {
        EVP_PKEY *key = csr_key();
        assert_int_equal(1, X509_set_pubkey(t.leaf->x, key));
        assert_true(X509_sign(t.leaf->x, t.root->key, EVP_sha256()) > 0);
        EVP_PKEY_free(key);
        tls_made_write(t.leaf);
    }
    tls_made_append(t.leaf, t.root);
    for (size_t i = 0; i < t.count; i++) {
        if (t.script[i].body == NULL) {
            t.script[i].body = t.leaf->cert;
        }
    }
}

static const struct ca_script_reply certificate = {NULL, NULL, NULL, NULL}; /* made later */

/* ---- fixture ------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    ca_script_init(&t.ca, false);
    job_fixture_init(&t.f, &t.ca.loop);
    t.f.on_step = on_step;
    t.cert.names = "DNS:job.example,DNS:*.job.example";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    job_fixture_end(&t.f);
    tls_made_free(t.leaf);
    tls_made_free(t.root);
    return ca_script_end(&t.ca);
}

/* For all rounds of a loop but the first. */
static void afresh(size_t round)
{
    if (round > 0) {
        assert_int_equal(0, teardown(NULL));
        assert_int_equal(0, setup(NULL));
    }
}

/* Runs a job against what was said. */
static void run(void)
{
    t.ca.replies = t.script;
    t.ca.replies_count = t.count;
    t.ca.replied = 0;
    t.ca.asked = 0;
    for (size_t i = 0; i < t.ca.requests_count; i++) {
        json_decref(t.ca.requests[i].protected);
    }
    t.ca.requests_count = 0;
    job_fixture_run(&t.f, t.ca.session);
}

static void run_all(void)
{
    say(account);
    say_until(10);
    say(certificate);
    run();
}

static void forget(void)
{
    t.count = 0;
    tls_made_free(t.leaf);
    tls_made_free(t.root);
    t.leaf = t.root = NULL;
}

static unsigned asked(const char *line)
{
    unsigned n = 0;
    for (size_t i = 0; i < t.ca.requests_count; i++) {
        n += strcmp(t.ca.requests[i].line, line) == 0;
    }
    return n;
}

/* The payload of the last request of LINE. */
static const char *payload(const char *line)
{
    for (size_t i = t.ca.requests_count; i-- > 0;) {
        if (strcmp(t.ca.requests[i].line, line) == 0) {
            return t.ca.requests[i].payload;
        }
    }
    fail_msg("%s was not asked", line);
    return NULL;
}

static void need_ok(void)
{
    if (!t.f.outcome.ok) {
        fail_msg("in %s, type '%s': %s", t.f.outcome.state, t.f.outcome.problem.type,
                 t.f.outcome.problem.text);
    }
}

/* ---- what is sent ------------------------------------------------------------------------------------- */

static void test_requests(void **state)
{
    (void)state;
    t.f.options.contact = "o\"ps@job.example";
    t.f.options.replaces = "AKI.serial";
    run_all();
    need_ok();
    assert_string_equal(
        "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:o\\\"ps@job.example\"]}",
        payload("POST /account"));
    assert_string_equal(
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"*.job.example\"},"
        "{\"type\":\"dns\",\"value\":\"job.example\"}],\"replaces\":\"AKI.serial\"}",
        payload("POST /order"));
    assert_string_equal("{}", payload("POST /chal/0"));
    assert_string_equal("{}", payload("POST /chal/1"));
    assert_string_equal("", payload("POST /authz/0")); /* POST-as-GET (RFC 8555 §6.3) */
    assert_string_equal("", payload("POST /order/1"));
    assert_string_equal("", payload("POST /cert"));
    for (size_t i = 0; i < t.ca.requests_count; i++) {
        const json_t *p = t.ca.requests[i].protected;
        const char *line = t.ca.requests[i].line;
        if (p != NULL) {
            bool first = strcmp(line, "POST /account") == 0;
            assert_int_equal(first, json_object_get(p, "jwk") != NULL);
            assert_int_equal(!first, json_object_get(p, "kid") != NULL);
        }
        if (strcmp(line, "POST /cert") == 0) {
            assert_non_null(strstr(t.ca.requests[i].header, "application/pem-certificate-chain"));
        }
    }
    assert_int_equal(1, asked("POST /chal/0"));
    assert_int_equal(1, asked("POST /finalize"));
    job_fixture_stored(&t.f, 1, NULL);
    job_fixture_clean(&t.f);
    assert_string_equal("certificate ok ;order ok ;", job_fixture_ledger(&t.f));
    assert_false(t.f.outcome.without_replaces);
    /* The key went into the store before the CA heard of it, and the same one again. */
    forget();
    say_until(10);
    say(certificate);
    t.f.options.expect = 1;
    run();
    need_ok();
    assert_int_equal(0, asked("POST /account"));
}

static void test_replaced(void **state)
{
    (void)state;
    t.f.options.replaces = "AKI.serial";
    say(account);
    say(PROBLEM("409 Conflict", "", "alreadyReplaced", "it is"));
    say_until(10);
    say(certificate);
    run();
    need_ok();
    assert_int_equal(2, asked("POST /order"));
    assert_null(strstr(payload("POST /order"), "replaces"));
    assert_true(t.f.outcome.without_replaces);
}

static void test_profile(void **state)
{
    (void)state;
    static const struct ca_script_reply offers = {
        NULL, "",
        "{\"newNonce\":\"%U/nonce\",\"newAccount\":\"%U/account\",\"newOrder\":\"%U/order\","
        "\"meta\":{\"profiles\":{\"classic\":\"x\",\"tlsserver\":\"x\"},"
        "\"caaIdentities\":[\"ca.example\"]}}",
        NULL};
    t.ca.directory = &offers;
    run_all();
    need_ok();
    assert_non_null(strstr(payload("POST /order"), "\"profile\":\"tlsserver\""));
    assert_non_null(strstr(t.f.prechecked, " ca.example"));
    assert_err(ERR_OK, sync_accounts(&t.f.y));
    assert_non_null(strstr(t.f.y.out.text, "ca.example"));
}

/* ---- the account ---------------------------------------------------------------------------------------- */

static void test_contact_changes(void **state)
{
    (void)state;
    run_all();
    need_ok();
    forget();
    t.f.options.contact = NULL;
    t.f.options.expect = 1;
    say(account);
    say_until(10);
    say(certificate);
    run();
    need_ok();
    assert_string_equal("{\"contact\":[]}", payload("POST /account/1"));
    assert_int_equal(0, asked("POST /account"));
    forget();
    t.f.options.expect = 2;
    say_until(10);
    say(certificate);
    run(); /* remembered */
    need_ok();
    assert_int_equal(0, asked("POST /account/1"));
}

static void test_account_gone(void **state)
{
    (void)state;
    const struct ca_script_reply other = {"201 Created", AT("/account/2"), "{\"status\":\"valid\"}",
                                          NULL};
    run_all();
    need_ok();
    forget();
    t.f.options.expect = 1;
    say(PROBLEM("400 Bad", "", "accountDoesNotExist", "who?"));
    say(PROBLEM("400 Bad", "", "accountDoesNotExist", "who?"));
    say(other);
    say_until(10);
    say(certificate);
    run();
    need_ok();
    assert_int_equal(2, asked("POST /account"));
    for (size_t i = 0; i < t.ca.requests_count; i++) { /* whose URL is in doubt shows its key */
        bool first = strcmp(t.ca.requests[i].line, "POST /account") == 0;
        assert_true(!first || json_object_get(t.ca.requests[i].protected, "jwk") != NULL);
    }
    assert_string_equal("{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:ops@job.example\"]}",
                        payload("POST /account"));
    assert_non_null(strstr(t.f.account, "/account/2"));
    assert_non_null(strstr(t.f.prechecked, "/account/2")); /* with its CAA */
    assert_string_equal("certificate ok ;order ok ;certificate ok ;order ok ;",
                        job_fixture_ledger(&t.f));
    /* Put out of use: another key, too. */
    assert_err(ERR_OK, sync_account_get(&t.f.y, session_url(t.ca.session)));
    char before[2048];
    snprintf(before, sizeof before, "%s", t.f.y.out.text);
    forget();
    t.f.options.expect = 2;
    say(PROBLEM("403 Forbidden", "", "unauthorized", "deactivated"));
    say(PROBLEM("403 Forbidden", "", "unauthorized", "deactivated"));
    say(account);
    say_until(10);
    say(certificate);
    run();
    need_ok();
    assert_err(ERR_OK, sync_account_get(&t.f.y, session_url(t.ca.session)));
    assert_string_not_equal(before, t.f.y.out.text);
}

/* Another atRestKey: nothing is written over. */
static void test_wrong_vault(void **state)
{
    (void)state;
    static const char *const keys[] = {"HxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRo="};
    struct cert_vault *other = NULL;
    char ledger[256];
    run_all();
    need_ok();
    assert_err(ERR_OK, sync_account_get(&t.f.y, session_url(t.ca.session)));
    char before[2048];
    snprintf(before, sizeof before, "%s", t.f.y.out.text);
    snprintf(ledger, sizeof ledger, "%s", job_fixture_ledger(&t.f));
    assert_err(ERR_OK, cert_vault_new(keys, 1, &other, NULL));
    t.f.options.vault = other;
    run();
    job_fixture_need(&t.f, "account", ACME_DENIED, "vault");
    assert_string_equal(ledger,
                        job_fixture_ledger(&t.f)); /* no attempt: another core may have it */
    assert_non_null(strstr(t.f.outcome.problem.text, cert_vault_key_id(t.f.vault, 0)));
    assert_err(ERR_OK, sync_account_get(&t.f.y, session_url(t.ca.session)));
    assert_string_equal(before, t.f.y.out.text);
    cert_vault_free(other);
    /* An order's key likewise: the row stays for who has it. */
    forget();
    t.f.options.vault = t.f.vault;
    t.f.cancel_at = "prove";
    say_until(3);
    run();
    snprintf(ledger, sizeof ledger, "%s", job_fixture_ledger(&t.f));
    assert_err(ERR_OK, cert_vault_new(keys, 1, &other, NULL));
    t.f.options.vault = other;
    t.f.cancel_at = NULL;
    run();
    job_fixture_need(&t.f, "begin", ACME_DENIED, "vault");
    assert_err(ERR_OK, sync_order_get(&t.f.y, JOB_FIXTURE_HOST));
    assert_string_equal(ledger, job_fixture_ledger(&t.f));
    /* Likewise if it is the account's alone that is sealed with another key. */
    cert_vault_free(other);
    t.f.options.vault = t.f.vault;
    store_file_execute(t.f.file, "UPDATE acme_account SET key = (SELECT key FROM acme_order)");
    run();
    job_fixture_need(&t.f, "account", ACME_DENIED, "vault");
    assert_err(ERR_OK, sync_order_get(&t.f.y, JOB_FIXTURE_HOST));
    assert_string_equal(ledger, job_fixture_ledger(&t.f));
    other = NULL;
    cert_vault_free(other);
}

static void test_ready_late(void **state)
{
    (void)state;
    t.f.ready_is_late = true;
    run_all();
    assert_false(t.f.outcome.ok);
    assert_string_equal("cancelled", t.f.outcome.problem.type);
    assert_string_equal("account", t.f.outcome.state);
}

/* ---- what goes wrong at the CA --------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    const struct {
        unsigned nth;
        struct ca_script_reply reply;
        const char *state;
        enum acme_class class;
        const char *type;
        int64_t retry_ms;
    } cases[] = {
        {0, PROBLEM("429 Too Many", "Retry-After: 7200\r\n", "rateLimited", "too many"), "new",
         ACME_LIMITED, "rateLimited", 7200000},
        {0,
         PROBLEM("429 Too Many", "Retry-After: Thu, 01 Jan 2026 01:00:00 GMT\r\n", "rateLimited",
                 "x"),
         "new", ACME_LIMITED, "rateLimited", 3600000},
        {0, PROBLEM("503 Busy", "Retry-After: 900\r\n", "serverInternal", "x"), "new", ACME_AGAIN,
         "serverInternal", 900000},
        {0, PROBLEM("400 Bad", "", "rejectedIdentifier", "no"), "new", ACME_IDENTIFIER,
         "rejectedIdentifier", -1},
        {0, {"201 Created", AT("/order/1"), "{\"status\":", NULL}, "new", ACME_AGAIN, "", -1},
        {0, {"201 Created", NULL, ORDER_OF("pending", ""), NULL}, "new", ACME_AGAIN, "order", -1},
        {0, {"403 No", NULL, "<html><title>no</title></html>", NULL}, "new", ACME_DENIED, "", -1},
        {2,
         {NULL, NULL,
          "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"job.example\"},"
          "\"challenges\":[{\"type\":\"http-01\",\"status\":\"pending\",\"url\":\"%U/c\","
          "\"token\":\"t\"}]}",
          NULL},
         "authorize",
         ACME_IDENTIFIER,
         "challenge",
         -1},
        {6,
         {NULL, NULL,
          "{\"status\":\"invalid\",\"identifier\":{\"type\":\"dns\",\"value\":\"job.example\"},"
          "\"challenges\":[{\"type\":\"dns-01\",\"status\":\"invalid\",\"url\":\"%U/c\",\"token\":"
          "\"t\",\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\"}}]}",
          NULL},
         "validate",
         ACME_IDENTIFIER,
         "caa",
         -1},
        {8, PROBLEM("403 No", "", "badCSR", "no"), "finalize", ACME_IDENTIFIER, "badCSR", -1},
        {10, {"404 Gone", NULL, "", NULL}, "download", ACME_DENIED, "", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        afresh(i);
        say(account);
        say_until(cases[i].nth);
        say(cases[i].reply);
        say(fine); /* deactivations */
        run();
        job_fixture_need(&t.f, cases[i].state, cases[i].class, cases[i].type);
        assert_int_equal(cases[i].retry_ms, t.f.outcome.problem.retry_ms);
        job_fixture_clean(&t.f);
        char want[64];
        snprintf(want, sizeof want, "order failed %s;", cases[i].type);
        assert_non_null(strstr(job_fixture_ledger(&t.f), want));
        assert_int_equal(cases[i].nth == 6, t.f.witnessed == 1);
        assert_err(ERR_NOTFOUND, sync_cert_get(&t.f.y, JOB_FIXTURE_HOST));
    }
}

static void test_paused(void **state)
{
    (void)state;
    say(account);
    say(PROBLEM("429 Too Many", "", "rateLimited",
                "Your account is paused for these names: https://ca.example/unpause?jwt=x"));
    run();
    job_fixture_need(&t.f, "new", ACME_PAUSED, "rateLimited");
    assert_string_equal("https://ca.example/unpause?jwt=x", t.f.outcome.problem.url);
    assert_string_equal("order failed paused;", job_fixture_ledger(&t.f)); /* the plan's word */
    job_fixture_clean(&t.f);
}

/* The CA's pace is kept to, too, when all is well. */
static void test_paced(void **state)
{
    (void)state;
    say(account);
    say_until(8);
    say((struct ca_script_reply){NULL, "Replay-Nonce: %N\r\nRetry-After: 2\r\n",
                                 ORDER_OF("processing", ""), NULL});
    say(issued);
    say(certificate);
    run();
    need_ok();
    assert_true(t.f.outcome.took_ms >= 2000 + ORDER_POLL_SOON_MS);
}

static void test_once_more(void **state)
{
    (void)state;
    say(account);
    say(PROBLEM("503 Busy", "", "serverInternal", "x"));
    say_until(1);
    say((struct ca_script_reply){NULL, NULL, "{\"status\":\"pen",
                                 NULL}); /* an authorization, cut */
    say(authz[0]);
    say(authz[1]);
    say(posted);
    say(posted);
    say(valid[0]);
    say(valid[1]);
    say(ready);
    say(processing);
    say(issued);
    say(certificate);
    run();
    need_ok();
    assert_int_equal(2, asked("POST /order"));
    assert_int_equal(3, asked("POST /authz/0"));
}

static void test_failed_authorization_is_left_clean(void **state)
{
    (void)state;
    t.f.prove = ERR_TIMEOUT;
    say(account);
    say_until(3);
    say(fine);
    run();
    job_fixture_need(&t.f, "prove", ACME_AGAIN, "propagation");
    assert_string_equal("as the test wants it", t.f.outcome.problem.text);
    assert_int_equal(0, asked("POST /chal/0") + asked("POST /chal/1"));
    assert_string_equal("{\"status\":\"deactivated\"}", payload("POST /authz/0"));
    assert_string_equal("{\"status\":\"deactivated\"}", payload("POST /authz/1"));
    job_fixture_clean(&t.f);
}

static void test_precheck(void **state)
{
    (void)state;
    t.f.precheck = ERR_DENIED;
    say(account);
    run();
    job_fixture_need(&t.f, "precheck", ACME_IDENTIFIER, "precheck");
    assert_int_equal(0, asked("POST /order"));
    assert_string_equal("order failed precheck;", job_fixture_ledger(&t.f));
}

/* ---- what it gives ----------------------------------------------------------------------------------------- */

static void test_wrong_certificates(void **state)
{
    (void)state;
    static const struct {
        struct tls_make cert;
        bool foreign;
    } cases[] = {
        {{.names = "DNS:job.example"}, false},
        {{.names = "DNS:job.example,DNS:*.job.example,DNS:www.example"}, false},
        {{.names = "DNS:job.example,DNS:*.job.examples"}, false},
        {{.names = "DNS:job.example,DNS:*.job.example", .from_s = -7200, .to_s = -3600}, false},
        {{.names = "DNS:job.example,DNS:*.job.example", .from_s = 3600, .to_s = 7200}, false},
        {{.names = "DNS:job.example,DNS:*.job.example"}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        afresh(i);
        t.cert = cases[i].cert;
        t.foreign = cases[i].foreign;
        run_all();
        job_fixture_need(&t.f, "download", ACME_AGAIN, "certificate");
        assert_err(ERR_NOTFOUND, sync_cert_get(&t.f.y, JOB_FIXTURE_HOST));
        job_fixture_clean(&t.f);
    }
}

static void test_another_generation(void **state)
{
    (void)state;
    t.f.options.expect = 3; /* but there is none */
    run_all();
    job_fixture_need(&t.f, "store", ACME_AGAIN, "conflict");
}

/* ---- the lease ------------------------------------------------------------------------------------------------ */

static void test_not_held(void **state)
{
    (void)state;
    t.f.held = false;
    run_all();
    assert_false(t.f.outcome.ok);
    assert_true(t.f.outcome.lease_lost);
    assert_int_equal(0, asked("POST /order"));
    assert_err(ERR_OK, sync_order_get(&t.f.y, JOB_FIXTURE_HOST)); /* left as it is */
}

static const char *lose_at;

static void on_step_lose(struct job_fixture *f, const char *state)
{
    on_step(f, state);
    if (strcmp(state, lose_at) == 0) { /* not through the loop, which is busy with us */
        store_file_execute(f->file, "UPDATE lease SET term = term + 1, holder = 'core-b'");
    }
}

static void test_fenced_off(void **state)
{
    (void)state;
    static const char *const states[] = {"begin", "account",  "precheck", "new",      "ordered",
                                         "prove", "validate", "finalize", "download", "store"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        afresh(i);
        lose_at = states[i];
        t.f.on_step = on_step_lose;
        run_all();
        assert_false(t.f.outcome.ok);
        assert_true(t.f.outcome.lease_lost);
        assert_err(ERR_NOTFOUND, sync_cert_get(&t.f.y, JOB_FIXTURE_HOST));
        assert_null(strstr(job_fixture_ledger(&t.f), "failed"));
        if (i > 2) { /* nothing was taken away */
            bool new_is_refused = i == 3;
            assert_err(ERR_OK, sync_order_get(&t.f.y, JOB_FIXTURE_HOST));
            assert_int_equal(new_is_refused ? 0 : 1, asked("POST /order"));
        }
    }
}

/* Anywhere: it ends at once, and takes nothing away. */
static void test_canceled(void **state)
{
    (void)state;
    for (unsigned s = ORDER_BEGIN; s < ORDER_STORE; s++) {
        afresh(s);
        t.f.cancel_at = acme_order_state_text((enum acme_order_state)s);
        run_all();
        assert_false(t.f.outcome.ok);
        assert_string_equal("cancelled", t.f.outcome.problem.type);
        assert_string_equal(t.f.cancel_at, t.f.outcome.state);
        assert_err(s < ORDER_NEW ? ERR_NOTFOUND : ERR_OK, sync_order_get(&t.f.y, JOB_FIXTURE_HOST));
    }
}

static void on_soon(uv_timer_t *timer)
{
    acme_job_cancel(t.f.job);
    acme_job_cancel(t.f.job); /* twice is once */
    uv_close((uv_handle_t *)timer, NULL);
}

/* While it waits for the CA, which says nothing. */
static void test_canceled_in_a_call(void **state)
{
    (void)state;
    static const struct http_script_act hang[] = {{.kind = HTTP_SCRIPT_HANG},
                                                  {.kind = HTTP_SCRIPT_END}};
    static uv_timer_t timer;
    uv_timer_init(&t.ca.loop, &timer);
    uv_timer_start(&timer, on_soon, 300, 0);
    say((struct ca_script_reply){.acts = hang});
    run();
    assert_string_equal("cancelled", t.f.outcome.problem.type);
    assert_string_equal("account", t.f.outcome.state);
    assert_true(t.f.outcome.took_ms < 10000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_requests),
        T(test_replaced),
        T(test_profile),
        T(test_contact_changes),
        T(test_account_gone),
        T(test_wrong_vault),
        T(test_ready_late),
        T(test_refusals),
        T(test_paused),
        T(test_paced),
        T(test_once_more),
        T(test_failed_authorization_is_left_clean),
        T(test_precheck),
        T(test_wrong_certificates),
        T(test_another_generation),
        T(test_not_held),
        T(test_fenced_off),
        T(test_canceled),
        T(test_canceled_in_a_call),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

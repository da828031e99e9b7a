/* acme/job on real components: a real Pebble of each version, a real SQLite store. Only who publishes
 * the proofs is made up, so validation is not the subject here (PEBBLE_VA_ALWAYS_VALID). */
#include "job_fixture.h"

#include <openssl/pem.h>
#include <signal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/revoke_uv.h"
#include "acme/rollover_uv.h"
#include "cert/chain.h"
#include "lib/httpc_curl.h"
#include "lib/jx.h"
#include "pebble.h"

static char **programs; /* ended by a NULL */

static struct {
    uv_loop_t loop;
    struct pebble pebble;
    struct pebble_options options;
    struct session *session;
    struct job_fixture f;
} t;

/* ---- a CA, and what talks to it --------------------------------------------------------------------- */

static void open_session(void)
{
    struct session_options options = {
        .directory_url = t.pebble.url, .ca_file = t.pebble.ca_file, .clock = &t.f.clock};
    struct err_info info = {.text = ""};
    if (session_open(&t.loop, &options, &t.session, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void close_session(void)
{
    bool closed = false;
    session_close(t.session, on_closed, &closed);
    sync_wait(&t.loop, &closed);
    t.session = NULL;
}

static void start(const char *program, struct pebble_options options)
{
    options.program = program;
    t.options = options;
    assert_int_equal(0, uv_loop_init(&t.loop));
    pebble_start(&t.pebble, &options);
    job_fixture_init(&t.f, &t.loop);
    open_session();
}

static void stop(void)
{
    close_session();
    job_fixture_end(&t.f);
    while (uv_run(&t.loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&t.loop));
    pebble_stop(&t.pebble);
}

/* Debian's has neither profiles nor renewal information. */
static bool is_old(const char *program)
{
    return strcmp(program, "/usr/bin/pebble") == 0;
}

static void need_ok(void)
{
    if (!t.f.outcome.ok) {
        fail_msg("in %s, type '%s': %s", t.f.outcome.state, t.f.outcome.problem.type,
                 t.f.outcome.problem.text);
    }
}

#define ALL                                                                                        \
    "begin directory account precheck new ordered authorize publish prove challenge validate "     \
    "finalize issue download store clean"

/* ---- tests ------------------------------------------------------------------------------------------- */

/* Two names that are one to prove: two values, there at once; a row that opens. */
static void test_whole_way(void **state)
{
    (void)state;
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.nonce_reject = 0});
        job_fixture_run(&t.f, t.session);
        need_ok();
        assert_string_equal(ALL, t.f.steps);
        assert_int_equal(1, t.f.puts);
        assert_int_equal(1, t.f.proves);
        char *second = strchr(t.f.put_values, ' ');
        assert_non_null(second);
        assert_memory_equal(t.f.put_values, "job.example=", 12);
        assert_memory_equal(second + 1, "job.example=", 12);
        assert_int_equal(43 + 12, strlen(second + 1));
        assert_memory_not_equal(t.f.put_values, second + 1, 43 + 12);
        assert_memory_equal(t.f.prechecked, "*.job.example job.example https://127.0.0.1:", 44);
        assert_int_equal(1, t.f.outcome.generation);
        assert_int_equal(1, t.f.accounts);
        struct tls_pair *pair = NULL;
        job_fixture_stored(&t.f, 1, &pair);
        assert_string_equal(tls_pair_info(pair)->serial, t.f.outcome.serial);
        assert_true(t.f.outcome.ari_id[0] != '\0');
        tls_pair_unref(pair);
        job_fixture_clean(&t.f);
        assert_string_equal("certificate ok ;order ok ;", job_fixture_ledger(&t.f));
        print_message("%s: took %lld ms, the CA %lld ms\n", *p, (long long)t.f.outcome.took_ms,
                      (long long)t.f.outcome.ca_ms);

        /* Another one, with the same account and another key. */
        t.f.options.expect = 1;
        job_fixture_run(&t.f, t.session);
        need_ok();
        job_fixture_stored(&t.f, 2, NULL);
        assert_err(ERR_OK, sync_accounts(&t.f.y));
        assert_null(strchr(t.f.y.out.text, ' '));
        stop();
    }
}

static void test_nonces_and_authorizations(void **state)
{
    (void)state;
    static const unsigned rejects[] = {0, 50, 90}, reuses[] = {0, 100};
    for (char **p = programs; *p != NULL; p++) {
        for (unsigned i = 0; i < 6; i++) {
            bool reuses_all = reuses[i % 2] == 100;
            start(*p, (struct pebble_options){.nonce_reject = rejects[i / 2],
                                              .authz_reuse = reuses[i % 2]});
            job_fixture_run(&t.f, t.session);
            need_ok();
            t.f.options.expect = 1;
            job_fixture_run(&t.f, t.session);
            need_ok();
            job_fixture_stored(&t.f, 2, NULL);
            /* What is valid already is not proved again. */
            assert_int_equal(reuses_all ? 1 : 2, t.f.puts);
            assert_int_equal(reuses_all, strstr(t.f.steps, "publish") == NULL);
            job_fixture_clean(&t.f);
            stop();
        }
    }
}

static void test_rehearsal(void **state)
{
    (void)state;
    start(programs[0], (struct pebble_options){.nonce_reject = 0});
    t.f.options.purpose = ACME_REHEARSE;
    job_fixture_run(&t.f, t.session);
    need_ok();
    assert_string_equal(ALL, t.f.steps);
    assert_err(ERR_NOTFOUND, sync_cert_get(&t.f.y, JOB_FIXTURE_HOST));
    assert_string_equal("rehearsal ok ;order ok ;", job_fixture_ledger(&t.f));
    job_fixture_clean(&t.f);
    stop();
}

/* The holder ends right after it has saved a state; the next one comes to the same end. */
static void test_resume(void **state)
{
    (void)state;
    char words[] = ALL;
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.authz_reuse = 0});
        char *rest = words;
        char copy[sizeof words];
        memcpy(copy, words, sizeof copy);
        rest = copy;
        for (char *word; (word = strsep(&rest, " ")) != NULL;) {
            bool stored = strcmp(word, "clean") == 0; /* by the first already */
            t.f.cancel_at = word;
            job_fixture_run(&t.f, t.session);
            assert_int_equal(stored, t.f.outcome.ok);
            assert_false(t.f.outcome.lease_lost);
            job_fixture_take_over(&t.f);
            if (stored) {
                t.f.options.expect = t.f.outcome.generation;
            }
            job_fixture_run(&t.f, t.session);
            need_ok();
            if (t.f.outcome.generation != t.f.options.expect + (stored ? 0 : 1)) {
                fail_msg("%s: generation %llu", word, (unsigned long long)t.f.outcome.generation);
            }
            t.f.options.expect = t.f.outcome.generation;
            job_fixture_stored(&t.f, t.f.options.expect, NULL);
            job_fixture_clean(&t.f);
            /* Nothing stays open in the ledger. */
            assert_null(strstr(job_fixture_ledger(&t.f), " open "));
        }
        stop();
    }
}

/* The CA has forgotten the order, and the account: another of each, once. */
static void test_forgotten(void **state)
{
    (void)state;
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.nonce_reject = 0});
        t.f.cancel_at = "prove";
        job_fixture_run(&t.f, t.session);
        close_session();
        pebble_restart(&t.pebble, &t.options);
        open_session();
        job_fixture_take_over(&t.f);
        job_fixture_run(&t.f, t.session);
        need_ok();
        job_fixture_stored(&t.f, 1, NULL);
        job_fixture_clean(&t.f);
        assert_string_equal("certificate ok ;order ok ;order failed abandoned;",
                            job_fixture_ledger(&t.f));
        /* And with no order under way. */
        close_session();
        pebble_restart(&t.pebble, &t.options);
        open_session();
        t.f.options.expect = 1;
        job_fixture_run(&t.f, t.session);
        need_ok();
        job_fixture_stored(&t.f, 2, NULL);
        stop();
    }
}

/* An order for other names, or of another purpose, is ended first. */
static void test_other_order(void **state)
{
    (void)state;
    start(programs[0], (struct pebble_options){.nonce_reject = 0});
    t.f.cancel_at = "prove";
    t.f.options.purpose = ACME_REHEARSE;
    job_fixture_run(&t.f, t.session);
    job_fixture_take_over(&t.f);
    t.f.options.purpose = ACME_ISSUE;
    job_fixture_run(&t.f, t.session);
    need_ok();
    assert_string_equal(ALL, t.f.steps);
    job_fixture_clean(&t.f);
    t.f.cancel_at = "prove";
    t.f.options.expect = 1;
    job_fixture_run(&t.f, t.session);
    job_fixture_take_over(&t.f);
    t.f.options.names_count = 1;
    job_fixture_run(&t.f, t.session);
    need_ok();
    job_fixture_stored(&t.f, 2, NULL);
    assert_string_equal(ALL, t.f.steps);
    stop();
}

static void test_external_account(void **state)
{
    (void)state;
    static const char key[] = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.eab_kid = "kid-1", .eab_key = key});
        job_fixture_run(&t.f, t.session);
        job_fixture_need(&t.f, "account", ACME_DENIED, "account");
        assert_non_null(strstr(t.f.outcome.problem.text, "letsEncrypt.eab"));
        t.f.options.eab_kid = "kid-1";
        t.f.options.eab_hmac_key = "+/+/standard+base64/";
        job_fixture_run(&t.f, t.session);
        job_fixture_need(&t.f, "account", ACME_DENIED, "eab");
        t.f.options.eab_hmac_key = key;
        job_fixture_run(&t.f, t.session);
        need_ok();
        stop();
    }
}

static void test_profiles(void **state)
{
    (void)state;
    for (char **p = programs; *p != NULL; p++) {
        if (is_old(*p)) {
            continue;
        }
        start(*p, (struct pebble_options){.profile = "tlsserver"});
        job_fixture_run(&t.f, t.session); /* by itself */
        need_ok();
        int64_t life_ms = t.f.outcome.not_after_ms - t.f.outcome.not_before_ms;
        assert_in_range(life_ms, 864000000 - 2000, 864000000 + 2000);
        t.f.options.profile = "shortlived";
        job_fixture_run(&t.f, t.session);
        job_fixture_need(&t.f, "directory", ACME_PROFILE, "profile");
        stop();
    }
}

/* ---- chains ----------------------------------------------------------------------------------------- */

static void on_root(void *ctx, enum err e, const struct err_info *info,
                    const struct httpc_reply *reply)
{
    char *out = ctx;
    BIO *bio = NULL;
    X509 *x = NULL;
    if (e != ERR_OK) {
        fail_msg("%s", info->text);
    }
    assert_int_equal(200, reply->status);
    bio = BIO_new_mem_buf(reply->body, (int)reply->len);
    x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(x);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 256) > 0);
    X509_free(x);
    BIO_free(bio);
}

/* Of Pebble's own interface; CB fills OUT, 256 octets. */
static void ask_management(const char *path, httpc_cb *cb, char *out)
{
    struct httpc *http = NULL;
    char url[128];
    bool closed = false;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/%s", t.pebble.management_port, path);
    struct httpc_options options = {.ca_file = t.pebble.ca_file};
    struct httpc_request request = {
        .method = "GET", .url = url, .body_max = 65536, .wait_ms = 10000};
    assert_err(ERR_OK, httpc_open(&t.loop, &options, &http, NULL));
    out[0] = '\0';
    httpc_start(http, &request, cb, out);
    while (out[0] == '\0') {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    httpc_close(http, on_closed, &closed);
    sync_wait(&t.loop, &closed);
}

/* The common name of Pebble's I-th root, which it makes up at each start. */
static void root_of(unsigned i, char out[256])
{
    char path[32];
    snprintf(path, sizeof path, "roots/%u", i);
    ask_management(path, on_root, out);
}

struct leads {
    const char *name;
    bool does, done;
};

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct leads *l = ctx;
    (void)info;
    assert_err(ERR_OK, e);
    l->does = cert_chain_leads_to(row->chain_pem, strlen(row->chain_pem), l->name);
    l->done = true;
}

static bool stored_leads_to(const char *name)
{
    struct leads l = {.name = name};
    store_cert_get(t.f.y.store, JOB_FIXTURE_HOST, on_cert, &l);
    sync_wait(&t.loop, &l.done);
    return l.does;
}

static void test_preferred_chain(void **state)
{
    (void)state;
    static char roots[3][256];
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.alternate_roots = 2});
        for (unsigned i = 0; i < 3; i++) {
            root_of(i, roots[i]);
        }
        /* None of them: the default, then, and a note. */
        t.f.options.preferred_chain = "nobody's root";
        job_fixture_run(&t.f, t.session);
        need_ok();
        assert_true(stored_leads_to(roots[0]));
        for (unsigned i = 0; i < 3; i++) {
            t.f.options.preferred_chain = roots[i];
            t.f.options.expect = 1 + i;
            job_fixture_run(&t.f, t.session);
            need_ok();
            assert_true(stored_leads_to(roots[i]));
            assert_false(stored_leads_to(roots[(i + 1) % 3]));
        }
        job_fixture_stored(&t.f, 4, NULL);
        stop();
    }
}

/* Nobody serves the proofs: the CA really looks, and says so. */
static void test_validation_fails(void **state)
{
    (void)state;
    start(programs[0], (struct pebble_options){.validates = true});
    t.f.options.type = ACME_HTTP01;
    t.f.options.names_count = 1; /* sorted by the job: the apex alone cannot be had by a wildcard */
    static const char *const apex[] = {"localhost"};
    t.f.options.names = apex;
    job_fixture_run(&t.f, t.session);
    assert_false(t.f.outcome.ok);
    assert_string_equal("validate", t.f.outcome.state);
    assert_int_equal(ACME_IDENTIFIER, t.f.outcome.problem.class);
    assert_int_equal(1, t.f.witnessed);
    job_fixture_clean(&t.f);
    assert_non_null(strstr(job_fixture_ledger(&t.f), "authorization failed"));
    assert_err(ERR_NOTFOUND, sync_cert_get(&t.f.y, JOB_FIXTURE_HOST));
    stop();
}

/* ---- another key for the account --------------------------------------------------------------------- */

struct changed {
    struct acme_problem problem;
    bool lease_lost, done;
};

static void on_changed(void *ctx, const struct acme_problem *problem, bool lease_lost)
{
    *(struct changed *)ctx =
        (struct changed){.problem = *problem, .lease_lost = lease_lost, .done = true};
}

static bool change_is_held(void *ctx)
{
    return *(bool *)ctx;
}

static struct changed change_or_cancel(bool held, bool go_on)
{
    struct changed changed = {.done = false};
    struct acme_rollover_options options = {.loop = &t.loop,
                                            .session = t.session,
                                            .store = t.f.y.store,
                                            .vault = t.f.vault,
                                            .fence = t.f.options.fence,
                                            .is_held = change_is_held,
                                            .ctx = &held};
    struct acme_change *change;
    acme_rollover_start(&options, on_changed, &changed, &change);
    if (!go_on) {
        acme_rollover_cancel(change);
    }
    sync_wait(&t.loop, &changed.done);
    return changed;
}

static struct changed change_key(bool held)
{
    return change_or_cancel(held, true);
}

/* The account's row, and its thumbprint. */
static void need_account(bool two_keys, char thumbprint[64])
{
    assert_err(ERR_OK, sync_account_get(&t.f.y, t.pebble.url));
    char *text = strdup(t.f.y.out.text), *rest = text;
    const char *part[5] = {NULL};
    for (size_t i = 0; i < 5 && rest != NULL; i++) {
        part[i] = strsep(&rest, ",");
    }
    assert_non_null(part[4]);
    assert_int_equal(two_keys, strcmp(part[3], "-") != 0);
    snprintf(thumbprint, 64, "%s", part[4]);
    free(text);
}

static void test_other_key(void **state)
{
    (void)state;
    char first[64], second[64], third[64], account[ACME_URL_MAX];
    for (char **p = programs; *p != NULL; p++) {
        start(*p, (struct pebble_options){.nonce_reject = 30});
        job_fixture_run(&t.f, t.session);
        need_ok();
        need_account(false, first);
        memcpy(account, t.f.account, sizeof account);
        assert_int_equal(ACME_FINE, change_key(true).problem.class);
        need_account(false, second);
        assert_string_not_equal(first, second);
        t.f.options.expect = 1;
        job_fixture_run(&t.f, t.session);
        need_ok();
        assert_string_equal(account, t.f.account);

        assert_true(change_or_cancel(true, false).lease_lost); /* nothing was begun */
        need_account(false, third);
        assert_string_equal(second, third);

        /* Interrupted before the CA heard of it: a job goes on with the old one, the change with the
         * key that is there. */
        assert_true(change_key(false).lease_lost);
        need_account(true, third);
        assert_string_equal(second, third);
        t.f.options.expect = 2;
        job_fixture_run(&t.f, t.session);
        need_ok();
        need_account(true, third);
        store_file_execute(t.f.file, "CREATE TABLE kept AS SELECT * FROM acme_account");
        assert_int_equal(ACME_FINE, change_key(true).problem.class);
        need_account(false, third);
        assert_string_not_equal(second, third);

        /* ... and after, before it was written down: both find out. */
        for (unsigned by_job = 0; by_job < 2; by_job++) {
            store_file_execute(t.f.file, "DELETE FROM acme_account;"
                                         "INSERT INTO acme_account SELECT * FROM kept");
            need_account(true, first);
            assert_string_equal(second, first);
            if (by_job) {
                t.f.options.expect = 3;
                job_fixture_run(&t.f, t.session);
                need_ok();
                assert_string_equal(account, t.f.account);
            } else {
                assert_int_equal(ACME_FINE, change_key(true).problem.class);
            }
            need_account(false, first);
            assert_string_equal(third, first);
        }
        stop();
    }
}

/* ---- revocation -------------------------------------------------------------------------------------- */

static struct changed revoke_it(const char *serial, const char *reason, bool held)
{
    struct changed changed = {.done = false};
    struct acme_revocation *revocation;
    char argument[80];
    snprintf(argument, sizeof argument, "%s %s", serial, reason);
    struct acme_revoke_options options = {.loop = &t.loop,
                                          .session = t.session,
                                          .store = t.f.y.store,
                                          .vault = t.f.vault,
                                          .hostname = JOB_FIXTURE_HOST,
                                          .argument = argument,
                                          .is_held = change_is_held,
                                          .ctx = &held};
    acme_revoke_start(&options, on_changed, &changed, &revocation);
    sync_wait(&t.loop, &changed.done);
    return changed;
}

/* A core that lacks the key of the account's key: it says so, and which. */
static void need_vault(const char *serial)
{
    static const char *const keys[] = {"HxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRo="};
    struct cert_vault *ours = t.f.vault;
    struct changed r;
    assert_err(ERR_OK, cert_vault_new(keys, 1, &t.f.vault, NULL));
    r = revoke_it(serial, "superseded", true);
    assert_string_equal("vault", r.problem.type);
    assert_non_null(strstr(r.problem.text, cert_vault_key_id(ours, 0)));
    r = change_key(true);
    assert_string_equal("vault", r.problem.type);
    assert_non_null(strstr(r.problem.text, cert_vault_key_id(ours, 0)));
    cert_vault_free(t.f.vault);
    t.f.vault = ours;
}

static void on_status(void *ctx, enum err e, const struct err_info *info,
                      const struct httpc_reply *reply)
{
    if (e != ERR_OK) {
        fail_msg("%s", info->text);
    }
    const char *status = "?";
    int reason = 0;
    json_t *root = json_loads(reply->body, 0, NULL);
    (void)json_unpack(root, "{s:s, s?i}", "Status", &status, "Reason", &reason);
    snprintf(ctx, 256, "%s %d", status, reason);
    json_decref(root);
}

static void need_status(const char *serial, const char *want)
{
    char path[96], status[256];
    while (serial[0] == '0') { /* Pebble's are without zeros in front */
        serial++;
    }
    snprintf(path, sizeof path, "cert-status-by-serial/%s", serial);
    ask_management(path, on_status, status);
    assert_string_equal(want, status);
}

static void test_revocation(void **state)
{
    (void)state;
    char first[41], second[41];
    for (char **p = programs; *p != NULL; p++) {
        struct changed r;
        start(*p, (struct pebble_options){.nonce_reject = 30});
        r = revoke_it("0a", "superseded", true);
        assert_string_equal("account", r.problem.type);
        job_fixture_run(&t.f, t.session);
        need_ok();
        memcpy(first, t.f.outcome.serial, sizeof first);
        r = revoke_it("0a", "superseded", true); /* another one than the stored one */
        assert_string_equal("serial", r.problem.type);
        assert_non_null(strstr(r.problem.text, first));
        r = revoke_it(first, "superstition", true);
        assert_string_equal("argument", r.problem.type);
        assert_true(revoke_it(first, "superseded", false).lease_lost);
        need_status(first, "Valid 0");
        r = revoke_it(first, "keyCompromise", true);
        assert_int_equal(ACME_FINE, r.problem.class);
        assert_string_equal("", r.problem.text);
        need_status(first, "Revoked 1");
        r = revoke_it(first, "superseded", true); /* it is done, if not by us */
        assert_int_equal(ACME_FINE, r.problem.class);
        assert_non_null(strstr(r.problem.text, "already"));

        t.f.options.expect = 1;
        job_fixture_run(&t.f, t.session);
        need_ok();
        memcpy(second, t.f.outcome.serial, sizeof second);
        assert_string_equal("serial", revoke_it(first, "superseded", true).problem.type);
        assert_int_equal(ACME_FINE, change_key(true).problem.class);
        r = revoke_it(second, "unspecified", true); /* signed with the account's other key */
        assert_int_equal(ACME_FINE, r.problem.class);
        need_status(second, "Revoked 0");
        need_vault(second);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_way),        cmocka_unit_test(test_nonces_and_authorizations),
        cmocka_unit_test(test_rehearsal),        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_forgotten),        cmocka_unit_test(test_other_order),
        cmocka_unit_test(test_external_account), cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_preferred_chain),  cmocka_unit_test(test_validation_fails),
        cmocka_unit_test(test_other_key),        cmocka_unit_test(test_revocation),
    };
    signal(SIGPIPE, SIG_IGN);
    programs = pebble_programs();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(programs);
    return failed;
}

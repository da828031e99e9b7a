/* A core that joins shows its token. */
#include "api_suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_raw.h"
#include "cluster/token.h"
#include "lib/log.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ACK     "/system/admin/cores/ack"
#define HOUR_MS 3600000
#define PRINT   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define COLONS                                                                                     \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"                                             \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct newcomer {
    char token[TOKEN_LEN + 1], hash[TOKEN_HASH];
};

static void let_in(const char *core, const char *ip, struct newcomer *out)
{
    int64_t now_ms = suite.web.wall_ms;
    char serial[41];
    token_new(out->token);
    assert_true(token_hash(out->token, out->hash));
    snprintf(serial, sizeof serial, "%.40s", out->hash);
    const struct store_letting l = {
        .core = {.id = core, .ip = ip, .hosting = "cellar", .available = false},
        .token = {.hash = out->hash,
                  .core = core,
                  .issued_ms = now_ms,
                  .expires_ms = now_ms + HOUR_MS,
                  .consumed_by = "",
                  .consumed_from = ""},
        .cert = {.serial = serial,
                 .core = core,
                 .fingerprint = PRINT,
                 .issued_ms = now_ms,
                 .expires_ms = now_ms + 365LL * 24 * HOUR_MS,
                 .reason = ""},
        .now_ms = now_ms};
    assert_err(ERR_OK, sync_admission_issue(&suite.sync, &l));
}

struct show {
    const char *core, *token;
    const char *print; /* NULL: PRINT */
    const char *from;  /* NULL: a client that nobody has seen */
};

static void body_of(const struct show *s, char out[1000])
{
    snprintf(out, 1000, "{\"coreId\":\"%s\",\"token\":\"%s\",\"tlsFingerprint\":\"%s\"}", s->core,
             s->token, s->print != NULL ? s->print : PRINT);
}

static const char *unseen(void)
{
    static unsigned clients;
    static char from[32];
    clients++;
    snprintf(from, sizeof from, "198.51.%u.%u", 100 + clients / 250, clients % 250);
    return from;
}

/* Later than what is said once a second. */
static void show(const struct show *s, struct web_got *got)
{
    char body[1000];
    body_of(s, body);
    suite.web.mono_ms += 2000;
    web_ask(&suite.web,
            &(struct web_ask){.method = "POST",
                              .target = ACK,
                              .body = body,
                              .key = "",
                              .from = s->from != NULL ? s->from : unseen()},
            got);
}

static void expect(const struct show *s, unsigned status, const char *says)
{
    struct web_got got;
    show(s, &got);
    if (got.status != status || strstr(got.body, says) == NULL) {
        fail_msg("core %s: %u %s\ninstead of %u %s", s->core, got.status, got.body, status, says);
    }
    web_got_free(&got);
}

static void expect_admission(const char *core, const char *says)
{
    assert_err(ERR_OK, sync_admission_get(&suite.sync, core));
    if (strstr(suite.sync.out.text, says) == NULL) {
        fail_msg("%s: %s, not %s", core, suite.sync.out.text, says);
    }
}

/* ---- coming in --------------------------------------------------------------------------------- */

static const char welcome[] =
    "{\"ok\":true,\"coreId\":\"core-b\",\"cluster\":{\"cores\":["
    "{\"id\":\"core-a\",\"url\":\"https://core-a.mc.example.com/\",\"hosting\":null,"
    "\"available\":true},"
    "{\"id\":\"core-b\",\"url\":\"https://core-b.mc.example.com/\",\"hosting\":\"cellar\","
    "\"available\":false}],\"lscIps\":[\"192.0.2.1\",\"2001:db8::1\",\"192.0.2.2\"]}}";

static void add_core_a(void)
{
    const struct store_core core = {
        .id = "core-a", .ip = "192.0.2.1", .ipv6 = "2001:db8::1", .available = true};
    assert_err(ERR_OK, sync_core_put(&suite.sync, &core, STORE_ONLY_NEW));
}

static void a_core_joins(void **state)
{
    struct newcomer b;
    struct web_got got;
    (void)state;
    add_core_a();
    let_in("core-b", "192.0.2.2", &b);
    const struct show s = {.core = "core-b", .token = b.token, .from = "192.0.2.2"};
    web_expect(&suite.web, "GET", "/system/admin/cores", NULL, 200,
               "\"hosting\":\"cellar\",\"available\":false,\"userCount\":0}]}");
    expect_admission("core-b", ",issued,");
    show(&s, &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body, welcome);
    assert_string_equal(got.type, "application/json");
    web_got_free(&got);
    expect_admission("core-b", ",acked,");
    assert_err(ERR_OK, sync_tokens(&suite.sync));
    assert_non_null(strstr(suite.sync.out.text, "," PRINT ",192.0.2.2"));
    /* The answer was lost: from the same address it is fine, from elsewhere it is not. */
    expect(&s, 200, welcome);
    suite.web.wall_ms += 2 * HOUR_MS;
    expect(&s, 200, welcome);
    expect(&(struct show){.core = "core-b", .token = b.token}, 401, "\"token-invalid\"");
    /* It makes itself available; until then nobody is put there. */
    web_expect(&suite.web, "GET", "/system/admin/cores", NULL, 200, "\"available\":false");
}

/* Where cores join, over TLS and without a certificate; and a fingerprint as people write it. */
static void a_core_joins_there(void **state)
{
    struct newcomer b;
    struct web_got got;
    char body[1000];
    (void)state;
    add_core_a();
    let_in("core-b", "192.0.2.2", &b);
    body_of(&(struct show){.core = "core-b", .token = b.token, .print = COLONS}, body);
    const struct web_ask ask = {.method = "POST", .target = ACK, .body = body, .key = ""};
    for (unsigned i = 0; i < 2; i++) {
        web_tls_ask(&suite.web, &ask, NULL, &got);
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, welcome);
        web_got_free(&got);
    }
    assert_err(ERR_OK, sync_tokens(&suite.sync));
    assert_non_null(strstr(suite.sync.out.text, "," PRINT ",127.0.0.1"));
}

/* Whoever sends a token in clear has lost it: it is not looked at, however good it is. */
static void not_without_tls(void **state)
{
    struct newcomer b;
    struct web_got got;
    char body[1000];
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    body_of(&(struct show){.core = "core-b", .token = b.token}, body);
    const char *const bodies[] = {body, "{", ""};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const struct web_ask ask = {.method = "POST",
                                    .target = ACK,
                                    .body = bodies[i],
                                    .key = "",
                                    .from = i == 0 ? "127.0.0.1" : NULL};
        web_far_ask(&suite.web, &ask, &got);
        assert_int_equal(got.status, 403);
        assert_non_null(strstr(got.body, "\"tls-required\""));
        web_got_free(&got);
    }
    expect_admission("core-b", ",issued,");
    expect(&(struct show){.core = "core-b", .token = b.token}, 200, "\"ok\":true");
}

/* ---- what is refused --------------------------------------------------------------------------- */

static const char refused[] = "{\"error\":{\"id\":\"token-invalid\",\"message\":"
                              "\"this token lets nobody in from here\"}}";

static void expect_refused(const struct show *s)
{
    struct web_got got;
    show(s, &got);
    if (got.status != 401 || strcmp(got.body, refused) != 0) {
        fail_msg("core %s: %u %s", s->core, got.status, got.body);
    }
    assert_string_equal(got.www_authenticate, "");
    assert_string_equal(got.retry_after, "");
    web_got_free(&got);
}

static void the_same_words_for_everything(void **state)
{
    struct newcomer b, c, d, nobody;
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    let_in("core-c", "192.0.2.3", &c);
    let_in("core-d", "192.0.2.4", &d);
    token_new(nobody.token);
    const char *const none[] = {"x", PRINT, "", b.hash};
    for (size_t i = 0; i < COUNT(none); i++) {
        if (none[i][0] != '\0') {
            expect_refused(&(struct show){.core = "core-b", .token = none[i]});
        }
    }
    expect_refused(&(struct show){.core = "core-b", .token = nobody.token});
    expect_refused(&(struct show){.core = "core-x", .token = nobody.token});
    expect_refused(&(struct show){.core = "core-c", .token = b.token});
    expect_refused(&(struct show){.core = "core-x", .token = b.token});
    expect_refused(&(struct show){.core = "core-b", .token = b.token, .print = OTHER});
    expect_admission("core-b", ",issued,"); /* none of these has used it up */
    expect(&(struct show){.core = "core-b", .token = b.token, .from = "192.0.2.2"}, 200, "true");
    expect_refused(&(struct show){.core = "core-b", .token = b.token});
    expect_refused(
        &(struct show){.core = "core-b", .token = b.token, .print = OTHER, .from = "192.0.2.2"});
    assert_err(ERR_OK, sync_admission_withdraw(&suite.sync, "core-c", NULL, suite.web.wall_ms));
    expect_refused(&(struct show){.core = "core-c", .token = c.token});
    suite.web.wall_ms += HOUR_MS;
    expect_refused(&(struct show){.core = "core-d", .token = d.token});
}

/* Its token is good, but its row has gone meanwhile: somebody has to begin anew. */
static void a_core_without_a_row(void **state)
{
    struct newcomer b;
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    assert_err(ERR_OK, sync_core_delete(&suite.sync, "core-b", true));
    expect(&(struct show){.core = "core-b", .token = b.token}, 404, "\"core-not-pre-registered\"");
}

/* All under way before the first is answered. */
static void one_of_twenty(void **state)
{
    enum { CROWD = 20 };
    struct newcomer b;
    struct web_got got[CROWD];
    char body[1000];
    unsigned in = 0;
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    for (unsigned i = 0; i < CROWD; i++) {
        char from[32];
        snprintf(from, sizeof from, "203.0.113.%u", i + 1);
        body_of(&(struct show){.core = "core-b", .token = b.token}, body);
        web_start(&suite.web,
                  &(struct web_ask){
                      .method = "POST", .target = ACK, .body = body, .key = "", .from = from},
                  &got[i]);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        web_wait(&suite.web, &got[i]);
        assert_int_equal(got[i].e, ERR_OK);
        in += got[i].status == 200;
        if (got[i].status != 200) {
            assert_int_equal(got[i].status, 401);
            assert_string_equal(got[i].body, refused);
        }
        web_got_free(&got[i]);
    }
    assert_int_equal(in, 1);
}

static void too_many_wrong_tokens(void **state)
{
    struct newcomer b, nobody;
    struct web_got got;
    struct show wrong = {.core = "core-b", .token = nobody.token, .from = "203.0.113.1"};
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    token_new(nobody.token);
    const struct show right = {.core = "core-b", .token = b.token, .from = "203.0.113.1"};
    for (unsigned i = 0; i < API_FAILURES_MAX; i++) {
        wrong.token = i % 2 == 0 ? nobody.token : "no token at all";
        expect_refused(&wrong);
    }
    show(&right, &got); /* which is not looked at */
    assert_int_equal(got.status, 429);
    assert_string_equal(got.retry_after, "58");
    web_got_free(&got);
    expect_admission("core-b", ",issued,");
    expect(&(struct show){.core = "", .token = "", .from = "203.0.113.1"}, 429, "too-many");
    web_expect_ask(
        &suite.web, /* and the admin key is another matter */
        &(struct web_ask){.method = "GET", .target = "/system/admin/cores", .from = "203.0.113.1"},
        200, "core-b");
    expect_refused(&(struct show){.core = "core-b", .token = nobody.token, .from = "203.0.113.2"});
    suite.web.mono_ms += API_LOCKED_S * 1000;
    expect(&right, 200, "\"ok\":true");
}

/* Acks that go well are no failures, and an admin's are none of these. */
static void not_too_many(void **state)
{
    struct newcomer b;
    char retry[16];
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    for (unsigned i = 0; i <= API_FAILURES_MAX; i++) {
        struct web_got got;
        web_ask(&suite.web,
                &(struct web_ask){.method = "GET",
                                  .target = "/system/admin/cores",
                                  .key = "wrong",
                                  .from = "192.0.2.2"},
                &got);
        snprintf(retry, sizeof retry, "%s", got.retry_after);
        web_got_free(&got);
    }
    assert_string_not_equal(retry, "");
    for (unsigned i = 0; i < 2 * API_FAILURES_MAX; i++) {
        expect(&(struct show){.core = "core-b", .token = b.token, .from = "192.0.2.2"}, 200, "ok");
    }
}

static void bodies_that_are_none(void **state)
{
    char *blanks = suite_blanks(5000);
    (void)state;
    const struct {
        const char *body, *type;
        unsigned status;
        const char *says;
    } rows[] = {
        {NULL, NULL, 400, "\"invalid-body\""},
        {"{}", NULL, 400, "\"member\":\"tlsFingerprint\""},
        {"{\"coreId\":7}", NULL, 400,
         "{\"error\":{\"id\":\"invalid-body\",\"message\":\"coreId: must be a string (and 2 "
         "more)\",\"problems\":["
         "{\"member\":\"coreId\",\"message\":\"must be a string\"},"
         "{\"member\":\"token\",\"message\":\"must be the token of the bundle\"},"
         "{\"member\":\"tlsFingerprint\",\"message\":\"must be the SHA-256 of the node's "
         "certificate in hex, with or without colons\"}]}}"},
        {"[]", NULL, 400, "\"invalid-body\""},
        {blanks, NULL, 413, "\"body-too-large\""},
        {"{}", "text/plain", 415, "\"not-json\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        web_expect_ask(&suite.web,
                       &(struct web_ask){.method = "POST",
                                         .target = ACK,
                                         .body = rows[i].body,
                                         .type = rows[i].type,
                                         .key = ""},
                       rows[i].status, rows[i].says);
    }
    suite.web.env.store = NULL;
    expect(&(struct show){.core = "core-b", .token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
           503, "\"unavailable\"");
    free(blanks);
}

/* ---- what is told ------------------------------------------------------------------------------ */

static struct {
    int file, kept;
    char text[64 * 1024];
} capture;

static void capture_begin(void)
{
    char path[] = "/tmp/dnsd-test-api-XXXXXX";
    capture.file = mkstemp(path);
    assert_true(capture.file >= 0);
    unlink(path);
    assert_int_equal(fcntl(capture.file, F_SETFL, O_APPEND), 0);
    capture.kept = dup(STDERR_FILENO);
    dup2(capture.file, STDERR_FILENO);
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
}

static const char *capture_end(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    dup2(capture.kept, STDERR_FILENO);
    close(capture.kept);
    ssize_t n = pread(capture.file, capture.text, sizeof capture.text - 1, 0);
    close(capture.file);
    assert_true(n >= 0);
    capture.text[n] = '\0';
    return capture.text;
}

static void expect_silence(const char *where, const char *text, const struct newcomer *n)
{
    char part[16];
    snprintf(part, sizeof part, "%.12s", n->token);
    if (strstr(text, part) != NULL || strstr(text, n->hash) != NULL) {
        fail_msg("%s tells of a token: %s", where, text);
    }
}

static void expect_said(const char *log, const char *words)
{
    if (strstr(log, words) == NULL) {
        fail_msg("\"%s\" is not in the log:\n%s", words, log);
    }
}

static void show_and_keep(const struct show *s, struct str *replies)
{
    struct web_got got;
    show(s, &got);
    str_append(replies, got.body);
    web_got_free(&got);
}

static void tokens_are_never_told(void **state)
{
    struct newcomer b, nobody;
    struct str replies = {.text = NULL};
    struct web_got got;
    char body[200];
    (void)state;
    let_in("core-b", "192.0.2.2", &b);
    token_new(nobody.token);
    assert_true(token_hash(nobody.token, nobody.hash));
    const struct show shows[] = {
        {.core = "core-b", .token = nobody.token, .from = "192.0.2.66"},
        {.core = nobody.token, .token = b.token},
        {.core = nobody.token, .token = "core-b"},
        {.core = "core-b", .token = b.token, .print = nobody.token},
        {.core = "core-b", .token = b.token, .print = OTHER},
        {.core = "core-b", .token = b.token, .from = "192.0.2.2"},
        {.core = "core-b", .token = b.token, .from = "192.0.2.2"},
        {.core = "core-b", .token = b.token},
        {.core = "core\\nfaked=1", .token = nobody.token},
    };
    capture_begin();
    for (size_t i = 0; i < COUNT(shows); i++) {
        show_and_keep(&shows[i], &replies);
    }
    snprintf(body, sizeof body, "{\"coreId\":\"core-b\",\"token\":\"%s", b.token);
    web_ask(&suite.web, &(struct web_ask){.method = "POST", .target = ACK, .body = body}, &got);
    str_append(&replies, got.body);
    web_got_free(&got);
    for (unsigned i = 0; i < API_FAILURES_MAX; i++) {
        show_and_keep(&shows[0], &replies);
    }
    const char *log = capture_end();
    expect_silence("an answer", replies.text, &b);
    expect_silence("an answer", replies.text, &nobody);
    expect_silence("the log", log, &b);
    expect_silence("the log", log, &nobody);
    expect_said(log, "core=core-b from=192.0.2.66 outcome=\"unknown token\"");
    expect_said(log, "core=? ");
    expect_said(log, "outcome=\"not the certificate that came with the token\"");
    expect_said(log, "a core has shown its token and may join core=core-b from=192.0.2.2 ");
    expect_said(log, "outcome=\"consumed by another, or from elsewhere\"");
    expect_said(log, "too many wrong tokens");
    assert_null(strstr(log, "\nfaked"));
    const char *once = strstr(log, "may join");
    assert_null(strstr(once + 1, "may join")); /* that it came again is no news */
    str_free(&replies);
}

const struct CMUnitTest api_suite_join[] = {
    SUITE_TEST(a_core_joins),
    SUITE_TEST(a_core_joins_there),
    SUITE_TEST(not_without_tls),
    SUITE_TEST(the_same_words_for_everything),
    SUITE_TEST(a_core_without_a_row),
    SUITE_TEST(one_of_twenty),
    SUITE_TEST(too_many_wrong_tokens),
    SUITE_TEST(not_too_many),
    SUITE_TEST(bodies_that_are_none),
    SUITE_TEST(tokens_are_never_told),
    SUITE_END,
};

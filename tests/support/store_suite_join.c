/* Cores that come in and go: tokens, certificates, admissions. What happens when several try at once
 * is in store_suite_join_race.c. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <string.h>

#define DAY ((int64_t)24 * 3600 * 1000)

static void assert_out(const struct suite *t, const char *expected)
{
    assert_string_equal(expected, t->a.out.text);
}

static void assert_says(const struct suite *t, const char *part)
{
    if (strstr(t->a.info.text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", t->a.info.text, part);
    }
}

static struct store_letting letting_of(const char *id, const char *ip, const char *token,
                                       const char *serial)
{
    return (struct store_letting){
        .core = {.id = id, .url = "https://x", .ip = ip, .hosting = "h", .available = true},
        .token = {.hash = token,
                  .core = id,
                  .issued_ms = 100,
                  .expires_ms = 1000,
                  .consumed_by = "",
                  .consumed_from = ""},
        .cert = {.serial = serial,
                 .core = id,
                 .fingerprint = "aa",
                 .issued_ms = 100,
                 .expires_ms = 5000,
                 .reason = ""},
        .now_ms = 100};
}

static void issue(struct suite *t, const char *id, const char *ip, const char *token,
                  const char *serial)
{
    const struct store_letting l = letting_of(id, ip, token, serial);
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
}

static struct store_ack ack_of(const char *core, const char *hash)
{
    return (struct store_ack){
        .hash = hash, .core = core, .fingerprint = "aa", .from = "192.0.2.9", .now_ms = 200};
}

static void assert_ack(struct suite *t, const struct store_ack *ack, const char *expected)
{
    assert_err(ERR_OK, sync_admission_ack(&t->a, ack));
    assert_out(t, expected);
}

/* What is there of everything. */
static void assert_state(struct suite *t, const char *cores, const char *tokens, const char *certs)
{
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_out(t, cores);
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_out(t, tokens);
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
    assert_out(t, certs);
}

/* ---- tokens and certificates ----------------------------------------------------------------- */

static void token_purge(struct suite *t)
{
    const int64_t now = 100 * DAY, week = STORE_TOKENS_KEEP;
    char sql[1000];
    snprintf(
        sql, sizeof sql,
        "INSERT INTO join_token(hash, core, issued_ms, expires_ms, consumed_ms, revoked_ms,"
        " consumed_by, consumed_from) VALUES('expired', '', 1, %lld, 0, 0, '', ''),"
        " ('expired2', '', 1, %lld, 0, 0, '', ''), ('consumed', '', 1, %lld, %lld, 0, '', ''),"
        " ('consumed2', '', 1, %lld, %lld, 0, '', ''), ('revoked', '', 1, %lld, 0, %lld, '', ''),"
        " ('revoked2', '', 1, %lld, 0, %lld, '', ''), ('live', '', 1, %lld, 0, 0, '', '')",
        (long long)(now - week), (long long)(now - week + 1), (long long)(now + DAY),
        (long long)(now - week), (long long)(now + DAY), (long long)(now - week + 1),
        (long long)(now + DAY), (long long)(now - week), (long long)(now + DAY),
        (long long)(now - week + 1), (long long)(now + DAY));
    suite_execute(t, sql);
    assert_err(ERR_OK, sync_tokens_purge(&t->a, now));
    assert_err(ERR_OK, sync_tokens(&t->a));
    snprintf(sql, sizeof sql,
             "expired2,,1,%lld,0,0,, consumed2,,1,%lld,%lld,0,, revoked2,,1,%lld,0,%lld,,"
             " live,,1,%lld,0,0,,",
             (long long)(now - week + 1), (long long)(now + DAY), (long long)(now - week + 1),
             (long long)(now + DAY), (long long)(now - week + 1), (long long)(now + DAY));
    assert_out(t, sql);
}

static void cert_life(struct suite *t)
{
    struct store_node_cert c = {
        .serial = "01", .core = "a", .fingerprint = "f1", .issued_ms = 10, .expires_ms = 100};
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_CONFLICT, sync_node_cert_put(&t->a, &c));
    assert_says(t, "01: there is already such a serial number");
    c.serial = "02";
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    c = (struct store_node_cert){.serial = "03",
                                 .core = "b",
                                 .fingerprint = "f3",
                                 .issued_ms = 20,
                                 .expires_ms = 200,
                                 .reason = ""};
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
#define C1 "01,a,f1,10,100,0,"
#define C2 "02,a,f1,10,100,0,"
#define C3 "03,b,f3,20,200,0,"
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 500));
    assert_out(t, C3 " " C2 " " C1);
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", false, 500));
    assert_out(t, C2 " " C1);
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", "03", 50, "x")); /* not a's */
    assert_int_equal(0, t->a.tally.updated);
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", "01", 50, "lost"));
    assert_int_equal(1, t->a.tally.updated);
    assert_int_equal(0, t->a.tally.added);
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", NULL, 60, "gone"));
    assert_int_equal(1, t->a.tally.updated); /* what is revoked stays as it was */
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 99));
    assert_out(t, "02,a,f1,10,100,60,gone 01,a,f1,10,100,50,lost");
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", true, 99));
    assert_out(t, "02,a,f1,10,100,60,gone 01,a,f1,10,100,50,lost");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", true, 99));
    assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 100)); /* they have expired */
    assert_out(t, "");
    /* Those that expired long before the issue of another go. */
    c = (struct store_node_cert){.serial = "04",
                                 .core = "b",
                                 .fingerprint = "f4",
                                 .issued_ms = 100 + STORE_NODE_CERTS_KEEP,
                                 .expires_ms = 300 + STORE_NODE_CERTS_KEEP};
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", false, 0));
    assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", false, 0));
    assert_non_null(strstr(t->a.out.text, C3));
    c.serial = "";
    assert_err(ERR_MALFORMED, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_MALFORMED, sync_node_certs_revoke(&t->a, "b", "", 1, "x"));
    assert_err(ERR_MALFORMED, sync_node_certs_revoke(&t->a, "b", NULL, 0, "x"));
}

/* ---- the way in ------------------------------------------------------------------------------ */

#define B_ROW(available) "b(https://x,192.0.2.2,-,-,h," available "):0"

static void join_life(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    assert_out(t, "b,issued,t1,01,aa,1,100,0");
    assert_state(t, B_ROW("no"), "t1,b,100,1000,0,0,,", "01,b,aa,100,5000,0,");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    assert_out(t, "b,acked,t1,01,aa,1,100,200");
    assert_ack(t, &ack, "again");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    assert_state(t, B_ROW("yes"), "t1,b,100,1000,200,0,aa,192.0.2.9", "01,b,aa,100,5000,0,");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    assert_ack(t, &ack, "again"); /* it has arrived, and asks once more */
}

static void join_unavailable(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", false));
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_out(t, B_ROW("no"));
}

/* A row that was taken away meanwhile does not come back. */
static void join_row_gone(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &ack, "acked");
    suite_execute(t, "DELETE FROM keyValue WHERE key = 'core-info/b'");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    assert_ack(t, &ack, "no core");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b")); /* nothing of it happened */
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "0,1");
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_out(t, "");
}

static void ack_refused(struct suite *t)
{
    struct store_ack ack = ack_of("b", "t1");
    struct store_letting any = letting_of("c", "192.0.2.3", "t2", "02");
    const struct store_core d = {.id = "d", .available = true};
    issue(t, "b", "192.0.2.2", "t1", "01");
    any.token.core = "";
    assert_err(ERR_OK, sync_admission_issue(&t->a, &any));
    assert_err(ERR_OK, sync_core_put(&t->a, &d, STORE_ONLY_NEW));
    const struct {
        const char *core, *hash, *fingerprint, *from;
        int64_t now_ms;
        const char *expected;
    } cases[] = {
        {"b", "t9", "aa", "x", 200, "unknown"},
        {"c", "t1", "aa", "x", 200, "other core"},
        {"d", "t1", "aa", "x", 200, "other core"},
        {"c", "t1", "aa", "x", 2000, "other core"}, /* nobody learns that it has expired */
        {"b", "t1", "ab", "x", 200, "other cert"},
        {"b", "t1", "aa", "x", 1000, "expired"},
        {"b", "t1", "AA", "x", 999, "acked"}, /* of all these none had consumed it */
        {"b", "t1", "aa", "x", 5000, "again"},
        {"b", "t1", "aa", "y", 200, "consumed"},
        {"b", "t1", "ab", "x", 200, "consumed"},
        {"c", "t1", "aa", "x", 200, "other core"},
        {"d", "t2", "aa", "x", 200, "no core"}, /* a core, but not let in */
        {"x", "t2", "aa", "x", 200, "no core"},
        {"c", "t2", "ab", "x", 200, "other cert"},
        {"c", "t2", "aa", "x", 200, "acked"},
        {"d", "t2", "aa", "x", 200, "other core"}, /* now it is c's */
        {"c", "t2", "aa", "x", 200, "again"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ack = (struct store_ack){cases[i].hash, cases[i].core, cases[i].fingerprint, cases[i].from,
                                 cases[i].now_ms};
        assert_ack(t, &ack, cases[i].expected);
    }
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_out(t, "t1,b,100,1000,999,0,AA,x t2,c,100,1000,200,0,aa,x");
    ack.hash = "";
    assert_err(ERR_MALFORMED, sync_admission_ack(&t->a, &ack));
    ack = ack_of("b", "t1");
    ack.now_ms = 0;
    assert_err(ERR_MALFORMED, sync_admission_ack(&t->a, &ack));
}

/* The row of a core with a token that is still good. */
static void ack_without_row(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    suite_execute(t, "DELETE FROM keyValue WHERE key = 'core-info/b'");
    assert_ack(t, &ack, "no core");
    issue(t, "b", "192.0.2.2", "t2", "02");
    assert_err(ERR_OK, sync_core_delete(&t->a, "b", false)); /* with it the admission went */
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    const struct store_ack second = ack_of("b", "t2");
    assert_ack(t, &second, "no core");
    assert_ack(t, &ack, "revoked");
}

/* ---- issue ----------------------------------------------------------------------------------- */

static void issue_again(struct suite *t)
{
    struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    struct store_letting l = letting_of("b", "192.0.2.22", "t2", "02");
    l.now_ms = 150;
    l.core.hosting = NULL;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_state(t, "b(https://x,192.0.2.22,-,-,-,no):0",
                 "t1,b,100,1000,0,150,, t2,b,100,1000,0,0,,",
                 "02,b,aa,100,5000,0, 01,b,aa,100,5000,150,superseded");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    assert_out(t, "b,issued,t2,02,aa,1,150,0");
    assert_ack(t, &ack, "revoked");
    ack.hash = "t2";
    assert_ack(t, &ack, "acked");
    /* It is on its way in: only who says so may begin anew. */
    l = letting_of("b", "192.0.2.2", "t3", "03");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "b: there is already a core of this id, on its way in");
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    assert_out(t, "b,issued,t3,03,aa,1,100,0"); /* it still came with the first */
    assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", true, 0));
    assert_out(t, "02,b,aa,100,5000,100,replaced 01,b,aa,100,5000,150,superseded");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "1,1 deleted");
}

/* A core that is there, with users and with members of its row that are not ours. */
static void issue_replace(struct suite *t)
{
    struct store_letting l = letting_of("b", "192.0.2.22", "t2", "02");
    const struct store_ack first = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &first, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    suite_execute(t, "UPDATE keyValue SET value = json_set(value, '$.other', 7)"
                     " WHERE key = 'core-info/b'");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "b: there is already a core of this id");
    assert_ack(t, &first, "again"); /* nothing was revoked */
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_state(t, "b(https://x,192.0.2.22,-,-,h,no):1",
                 "t1,b,100,1000,200,100,aa,192.0.2.9 t2,b,100,1000,0,0,,",
                 "02,b,aa,100,5000,0, 01,b,aa,100,5000,100,replaced");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/", 9));
    assert_non_null(strstr(t->a.out.text, "\"other\":7"));
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    assert_out(t, "b,issued,t2,02,aa,0,100,0");
    assert_ack(t, &first, "revoked");
    /* Another attempt at the same: what was there before the first is what comes back. */
    l = letting_of("b", "192.0.2.23", "t3", "03");
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "1,1 restored");
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_out(t, "b(https://x,192.0.2.2,-,-,h,yes):1");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/", 9));
    assert_non_null(strstr(t->a.out.text, "\"other\":7"));
}

static void issue_addresses(struct suite *t)
{
    const struct store_core a = {
        .id = "a", .ip = "192.0.2.1", .ipv6 = "2001:db8::a", .available = true};
    assert_err(ERR_OK, sync_core_put(&t->a, &a, STORE_ONLY_NEW));
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/x', 'no JSON'),"
                     " ('core-info/y', '[\"192.0.2.7\"]'), ('core-info/z', '{\"ip\":4}'),"
                     " ('dns-record/w', '{\"ip\":\"192.0.2.7\",\"a\":[\"192.0.2.7\"]}')");
    struct store_letting l = letting_of("b", "192.0.2.1", "t1", "01");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "b: core a has the address 192.0.2.1");
    l.replace = true; /* that is about the id */
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    l = letting_of("b", "192.0.2.7", "t1", "01");
    l.core.ipv6 = "2001:DB8::A";
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "b: core a has the address 2001:DB8::A");
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_out(t, ""); /* nothing was written */
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    l.core.ipv6 = NULL;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = letting_of("b", "192.0.2.7", "t2", "02"); /* its own */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = letting_of("c", NULL, "t3", "03"); /* none: those without one do not have the same */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = letting_of("d", NULL, "t4", "04");
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    /* A row of this id that is no JSON: replaced, and brought back as it was. */
    l = letting_of("x", "192.0.2.10", "t5", "05");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "x", NULL, 300));
    assert_out(t, "1,1 restored");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/x", 9));
    assert_out(t, "core-info/x=no JSON");
}

static void issue_refused(struct suite *t)
{
    struct store_letting l = letting_of("c", "192.0.2.3", "t1", "02");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "c: there is already a token like this");
    l.token.hash = "t2";
    l.cert.serial = "01";
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    assert_says(t, "c: there is already a certificate like this");
    assert_state(t, B_ROW("no"), "t1,b,100,1000,0,0,,", "01,b,aa,100,5000,0,");
    l = letting_of("c", "192.0.2.3", "t2", "02");
    l.token.core = "b";
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = letting_of("c", "192.0.2.3", "t2", "02");
    l.cert.core = "b";
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = letting_of("c", "\xff", "t2", "02");
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = letting_of("", "192.0.2.3", "t2", "02");
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = letting_of("c", "192.0.2.3", "t2", "02");
    l.now_ms = 0;
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
}

/* As many tokens as there may be, with one statement on any engine. */
#define FILL(hash, count, consumed)                                                                \
    "INSERT INTO join_token(hash, core, issued_ms, expires_ms, consumed_ms, revoked_ms,"           \
    " consumed_by, consumed_from) SELECT '" hash "' || i, 'x', 1, 1000, " consumed                 \
    ", 0, '', '' FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"             \
    " LIMIT " count ") SELECT i FROM c)"

static size_t count_items(const struct suite *t)
{
    size_t n = t->a.out.len > 0;
    for (const char *at = t->a.out.text; *at != '\0'; at++) {
        n += *at == ' ';
    }
    return n;
}

static void issue_tokens_max(struct suite *t)
{
    struct store_letting l = letting_of("c", "192.0.2.3", "t2", "02");
    suite_execute(t, FILL("old", "1100", "7")); /* these have ended: they do not count */
    suite_execute(t, FILL("live", "999", "0"));
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_LIMIT, sync_admission_issue(&t->a, &l));
    assert_says(t, "c: there are already 1000 tokens");
    l = letting_of("b", "192.0.2.2", "t2", "02"); /* in the place of its own */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_tokens(&t->a)); /* of those that ended the last 1000 are kept */
    assert_int_equal(2 * STORE_TOKENS_MAX, count_items(t));
    assert_null(strstr(t->a.out.text, "old101,"));
    assert_non_null(strstr(t->a.out.text, "old102,"));
    assert_non_null(strstr(t->a.out.text, "t1,b,100,1000,0,100,,"));
    l = letting_of("c", "192.0.2.3", "t3", "03");
    l.now_ms = 1000; /* by now all have expired */
    l.token.expires_ms = 2000;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_int_equal(STORE_TOKENS_MAX + 1, count_items(t));
}

/* ---- the way back ---------------------------------------------------------------------------- */

static void withdraw_life(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    const struct store_beat beat = {.core = "b", .beat = 1, .digest = "", .detail = "{}"};
    /* Nothing there at all. */
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
    assert_out(t, "0,0");
    for (unsigned acked = 0; acked < 2; acked++) {
        issue(t, "b", "192.0.2.2", acked ? "t2" : "t1", acked ? "02" : "01");
        assert_err(ERR_OK, sync_beat_put(&t->a, &beat));
        if (acked) {
            const struct store_ack second = ack_of("b", "t2");
            assert_ack(t, &second, "acked");
        }
        assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
        assert_out(t, acked ? "0,1 deleted" : "1,1 deleted");
        assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
        assert_err(ERR_OK, sync_beats(&t->a));
        assert_out(t, "");
    }
    assert_state(t, "", "t1,b,100,1000,0,300,, t2,b,100,1000,200,300,aa,192.0.2.9",
                 "02,b,aa,100,5000,300,withdrawn 01,b,aa,100,5000,300,withdrawn");
    assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 400));
    assert_out(t, "0,0");
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "", NULL, 400));
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "b", "", 400));
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "b", NULL, 0));
}

/* Without an admission: only tokens that could still be shown. */
static void withdraw_arrived(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    suite_execute(t, FILL("more", "2", "0"));
    suite_execute(t, "UPDATE join_token SET core = 'b' WHERE hash = 'more1'");
    assert_err(ERR_OK, sync_record(&t->a, "b", NULL, "{\"a\":[\"192.0.2.2\"]}"));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
    assert_out(t, "1,0");
    assert_state(t, B_ROW("yes"),
                 "t1,b,100,1000,200,0,aa,192.0.2.9 more1,b,1,1000,0,300,, more2,x,1,1000,0,0,,",
                 "01,b,aa,100,5000,0,");
    assert_err(ERR_OK, sync_record_get(&t->a, "b"));
    assert_ack(t, &ack, "again");
}

/* Users that somebody put there are not left without a core. */
static void withdraw_users(struct suite *t)
{
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "1,1");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_out(t, "b(https://x,192.0.2.2,-,-,h,no):1");
}

/* A token that was not bound is the one of the admission it came with. */
static void withdraw_unbound(struct suite *t)
{
    struct store_letting l = letting_of("b", "192.0.2.2", "t1", "01");
    l.token.core = "";
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l.token.hash = "t2";
    l.cert.serial = "02";
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "1,1 deleted");
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_out(t, "t1,,100,1000,0,100,, t2,,100,1000,0,300,,");
}

static const struct {
    const char *record;
    bool withdraw, retire; /* does it go? */
} records[] = {
    {"{\"a\":[\"192.0.2.2\"]}", true, true},
    {"{ \"a\" : [ \"192.0.2.2\" ] }", true, true},
    {"{\"aaaa\":[\"2001:DB8::2\"]}", false, true},
    {"{\"a\":[\"192.0.2.2\"],\"aaaa\":[\"2001:db8::2\"]}", false, true},
    {"{\"a\":[\"192.0.2.2\",\"192.0.2.3\"]}", false, false},
    {"{\"a\":[\"192.0.2.3\"]}", false, false},
    {"{\"a\":[\"192.0.2.2\"],\"txt\":[\"x\"]}", false, false},
    {"{\"a\":\"192.0.2.2\"}", false, false},
    {"{\"a\":[]}", false, false},
    {"{}", false, false},
};

static void way_back_record(struct suite *t, bool retire)
{
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        char token[8], serial[8];
        snprintf(token, sizeof token, "t%zu", i);
        snprintf(serial, sizeof serial, "%02zx", i);
        struct store_letting l = letting_of("b", "192.0.2.2", token, serial);
        l.core.ipv6 = "2001:db8::2";
        assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
        assert_err(ERR_OK, sync_record(&t->a, "b", NULL, records[i].record));
        assert_err(ERR_OK, retire ? sync_core_retire(&t->a, "b", false, 300)
                                  : sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
        bool goes = retire ? records[i].retire : records[i].withdraw;
        assert_out(t, goes ? "1,1 deleted record" : "1,1 deleted");
        assert_err(goes ? ERR_NOTFOUND : ERR_OK, sync_record_get(&t->a, "b"));
        if (!goes) {
            assert_err(ERR_OK, sync_record(&t->a, "b", records[i].record, NULL));
        }
    }
}

static void withdraw_record(struct suite *t)
{
    way_back_record(t, false);
    issue(t, "b", "192.0.2.2", "t", "99");
    assert_err(ERR_OK, sync_record(&t->a, "b", NULL, records[0].record));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300)); /* not asked for */
    assert_out(t, "1,1 deleted");
    assert_err(ERR_OK, sync_record_get(&t->a, "b"));
    issue(t, "b", NULL, "u", "98"); /* a core without an address has no record of its own */
    suite_execute(t, "UPDATE keyValue SET value = '{\"a\":[null]}' WHERE key = 'dns-record/b'");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    assert_out(t, "1,1 deleted");
}

static void retire_life(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    const struct store_beat beat = {.core = "b", .beat = 1, .digest = "", .detail = "{}"};
    const struct store_witness seen = {"b", "n", "s", "udp", "x", 1, 1};
    assert_err(ERR_NOTFOUND, sync_core_retire(&t->a, "b", false, 300));
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    issue(t, "c", "192.0.2.3", "t2", "02");
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_beat_put(&t->a, &beat));
    assert_err(ERR_OK, sync_witness_put(&t->a, &seen, 1));
    assert_err(ERR_CONFLICT, sync_core_retire(&t->a, "b", false, 300));
    assert_says(t, "b: 1 users are on it");
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    assert_out(t, ""); /* nothing was written */
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", true, 300));
    assert_out(t, "0,1 deleted");
    assert_state(t, "c(https://x,192.0.2.3,-,-,h,no):0",
                 "t1,b,100,1000,200,300,aa,192.0.2.9 t2,c,100,1000,0,0,,",
                 "02,c,aa,100,5000,0, 01,b,aa,100,5000,300,removed");
    assert_err(ERR_OK, sync_beats(&t->a));
    assert_out(t, "");
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    assert_out(t, "");
    assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_core_retire(&t->a, "c", false, 300)); /* one on its way in */
    assert_out(t, "1,1 deleted");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "c"));
    assert_err(ERR_NOTFOUND, sync_core_retire(&t->a, "c", true, 300));
    assert_err(ERR_MALFORMED, sync_core_retire(&t->a, "", true, 300));
    assert_err(ERR_MALFORMED, sync_core_retire(&t->a, "c", true, 0));
}

/* A certificate that was signed while its core was taken out would be one that nobody has revoked. */
static void retire_renewed(struct suite *t)
{
    struct store_node_cert c = {
        .serial = "02", .core = "b", .fingerprint = "bb", .issued_ms = 10, .expires_ms = 100};
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", false, 300));
    assert_out(t, "1,2 deleted");
    c.serial = "03";
    assert_err(ERR_CONFLICT, sync_node_cert_put(&t->a, &c));
    issue(t, "b", "192.0.2.2", "t2", "04"); /* it may come again */
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    assert_out(t, "02,b,bb,10,100,300,removed 01,b,aa,100,5000,300,removed");
}

static void retire_record(struct suite *t)
{
    way_back_record(t, true);
}

/* Of all this the feed tells the core's row alone, and only what changes it. */
static void join_feed(struct suite *t)
{
    const struct store_ack ack = ack_of("b", "t1");
    issue(t, "b", "192.0.2.2", "t1", "01");
    assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(1, t->a.state.revision);
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", false)); /* as it was */
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(1, t->a.state.revision);
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", false, 300));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_int_equal(2, t->a.revision);
    assert_out(t, "core-info/b- core-info/b-");
}

const struct suite_test suite_join[] = {
    {"token_purge", token_purge},
    {"cert_life", cert_life},
    {"join_life", join_life},
    {"join_unavailable", join_unavailable},
    {"join_row_gone", join_row_gone},
    {"ack_refused", ack_refused},
    {"ack_without_row", ack_without_row},
    {"issue_again", issue_again},
    {"issue_replace", issue_replace},
    {"issue_addresses", issue_addresses},
    {"issue_refused", issue_refused},
    {"issue_tokens_max", issue_tokens_max},
    {"withdraw_life", withdraw_life},
    {"withdraw_arrived", withdraw_arrived},
    {"withdraw_users", withdraw_users},
    {"withdraw_unbound", withdraw_unbound},
    {"withdraw_record", withdraw_record},
    {"retire_life", retire_life},
    {"retire_renewed", retire_renewed},
    {"retire_record", retire_record},
    {"join_feed", join_feed},
    {NULL, NULL},
};

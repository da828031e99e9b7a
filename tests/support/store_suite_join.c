/* Cores that come in and go: tokens, certificates, admissions. What happens when several try at once
 * is in store_suite_join_race.c, the way back in store_suite_leave.c. */
#include "store_suite_join.h"

#include <stdio.h>
#include <string.h>

#define DAY ((int64_t)24 * 3600 * 1000)

void join_assert_out(const struct suite *t, const char *expected)
{
    assert_string_equal(expected, t->a.out.text);
}

void join_assert_says(const struct suite *t, const char *part)
{
    if (strstr(t->a.info.text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", t->a.info.text, part);
    }
}

struct store_letting join_letting(const char *id, const char *ip, const char *token,
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

void join_issue(struct suite *t, const char *id, const char *ip, const char *token,
                const char *serial)
{
    const struct store_letting l = join_letting(id, ip, token, serial);
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
}

struct store_ack join_ack(const char *core, const char *hash)
{
    return (struct store_ack){
        .hash = hash, .core = core, .fingerprint = "aa", .from = "192.0.2.9", .now_ms = 200};
}

void join_assert_ack(struct suite *t, const struct store_ack *ack, const char *expected)
{
    assert_err(ERR_OK, sync_admission_ack(&t->a, ack));
    join_assert_out(t, expected);
}

/* What is there of everything. */
void join_assert_state(struct suite *t, const char *cores, const char *tokens, const char *certs)
{
    assert_err(ERR_OK, sync_cores(&t->a));
    join_assert_out(t, cores);
    assert_err(ERR_OK, sync_tokens(&t->a));
    join_assert_out(t, tokens);
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
    join_assert_out(t, certs);
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
    join_assert_out(t, sql);
}

static void cert_life(struct suite *t)
{
    struct store_node_cert c = {
        .serial = "01", .core = "a", .fingerprint = "f1", .issued_ms = 10, .expires_ms = 100};
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_CONFLICT, sync_node_cert_put(&t->a, &c));
    join_assert_says(t, "01: there is already such a serial number");
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
    join_assert_out(t, C3 " " C2 " " C1);
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", false, 500));
    join_assert_out(t, C2 " " C1);
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    join_assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", "03", 50, "x")); /* not a's */
    assert_int_equal(0, t->a.tally.updated);
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", "01", 50, "lost"));
    assert_int_equal(1, t->a.tally.updated);
    assert_int_equal(0, t->a.tally.added);
    assert_err(ERR_OK, sync_node_certs_revoke(&t->a, "a", NULL, 60, "gone"));
    assert_int_equal(1, t->a.tally.updated); /* what is revoked stays as it was */
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 99));
    join_assert_out(t, "02,a,f1,10,100,60,gone 01,a,f1,10,100,50,lost");
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", true, 99));
    join_assert_out(t, "02,a,f1,10,100,60,gone 01,a,f1,10,100,50,lost");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", true, 99));
    join_assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 100)); /* they have expired */
    join_assert_out(t, "");
    /* Those that expired long before the issue of another go. */
    c = (struct store_node_cert){.serial = "04",
                                 .core = "b",
                                 .fingerprint = "f4",
                                 .issued_ms = 100 + STORE_NODE_CERTS_KEEP,
                                 .expires_ms = 300 + STORE_NODE_CERTS_KEEP};
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_node_certs(&t->a, "a", false, 0));
    join_assert_out(t, "");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", false, 0));
    assert_non_null(strstr(t->a.out.text, C3));
    c.serial = "";
    assert_err(ERR_MALFORMED, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_MALFORMED, sync_node_certs_revoke(&t->a, "b", "", 1, "x"));
    assert_err(ERR_MALFORMED, sync_node_certs_revoke(&t->a, "b", NULL, 0, "x"));
}

/* ---- the way in ------------------------------------------------------------------------------ */

static void join_life(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    join_assert_out(t, "b,issued,t1,01,aa,1,100,0");
    join_assert_state(t, JOIN_B_ROW("no"), "t1,b,100,1000,0,0,,", "01,b,aa,100,5000,0,");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    join_assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    join_assert_out(t, "b,acked,t1,01,aa,1,100,200");
    join_assert_ack(t, &ack, "again");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    join_assert_state(t, JOIN_B_ROW("yes"), "t1,b,100,1000,200,0,aa,192.0.2.9",
                      "01,b,aa,100,5000,0,");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    join_assert_ack(t, &ack, "again"); /* it has arrived, and asks once more */
}

static void join_unavailable(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", false));
    assert_err(ERR_OK, sync_cores(&t->a));
    join_assert_out(t, JOIN_B_ROW("no"));
}

/* A row that was taken away meanwhile does not come back. */
static void join_row_gone(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &ack, "acked");
    suite_execute(t, "DELETE FROM keyValue WHERE key = 'core-info/b'");
    assert_err(ERR_CONFLICT, sync_admission_finish(&t->a, "b", true));
    join_assert_ack(t, &ack, "no core");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b")); /* nothing of it happened */
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "0,1");
    assert_err(ERR_OK, sync_cores(&t->a));
    join_assert_out(t, "");
}

static void ack_refused(struct suite *t)
{
    struct store_ack ack = join_ack("b", "t1");
    struct store_letting any = join_letting("c", "192.0.2.3", "t2", "02");
    const struct store_core d = {.id = "d", .available = true};
    join_issue(t, "b", "192.0.2.2", "t1", "01");
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
        join_assert_ack(t, &ack, cases[i].expected);
    }
    assert_err(ERR_OK, sync_tokens(&t->a));
    join_assert_out(t, "t1,b,100,1000,999,0,AA,x t2,c,100,1000,200,0,aa,x");
    ack.hash = "";
    assert_err(ERR_MALFORMED, sync_admission_ack(&t->a, &ack));
    ack = join_ack("b", "t1");
    ack.now_ms = 0;
    assert_err(ERR_MALFORMED, sync_admission_ack(&t->a, &ack));
}

/* The row of a core with a token that is still good. */
static void ack_without_row(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    suite_execute(t, "DELETE FROM keyValue WHERE key = 'core-info/b'");
    join_assert_ack(t, &ack, "no core");
    join_issue(t, "b", "192.0.2.2", "t2", "02");
    assert_err(ERR_OK, sync_core_delete(&t->a, "b", false)); /* with it the admission went */
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    const struct store_ack second = join_ack("b", "t2");
    join_assert_ack(t, &second, "no core");
    join_assert_ack(t, &ack, "revoked");
}

/* ---- issue ----------------------------------------------------------------------------------- */

static void issue_again(struct suite *t)
{
    struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    struct store_letting l = join_letting("b", "192.0.2.22", "t2", "02");
    l.now_ms = 150;
    l.core.hosting = NULL;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    join_assert_state(t, "b(https://x,192.0.2.22,-,-,-,no):0",
                      "t1,b,100,1000,0,150,, t2,b,100,1000,0,0,,",
                      "02,b,aa,100,5000,0, 01,b,aa,100,5000,150,superseded");
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    join_assert_out(t, "b,issued,t2,02,aa,1,150,0");
    join_assert_ack(t, &ack, "revoked");
    ack.hash = "t2";
    join_assert_ack(t, &ack, "acked");
    /* It is on its way in: only who says so may begin anew. */
    l = join_letting("b", "192.0.2.2", "t3", "03");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "b: there is already a core of this id, on its way in");
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    join_assert_out(t, "b,issued,t3,03,aa,1,100,0"); /* it still came with the first */
    join_assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_node_certs(&t->a, "b", true, 0));
    join_assert_out(t, "02,b,aa,100,5000,100,replaced 01,b,aa,100,5000,150,superseded");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "1,1 deleted");
}

/* A core that is there, with users and with members of its row that are not ours. */
static void issue_replace(struct suite *t)
{
    struct store_letting l = join_letting("b", "192.0.2.22", "t2", "02");
    const struct store_ack first = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &first, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    suite_execute(t, "UPDATE keyValue SET value = json_set(value, '$.other', 7)"
                     " WHERE key = 'core-info/b'");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "b: there is already a core of this id");
    join_assert_ack(t, &first, "again"); /* nothing was revoked */
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    join_assert_state(t, "b(https://x,192.0.2.22,-,-,h,no):1",
                      "t1,b,100,1000,200,100,aa,192.0.2.9 t2,b,100,1000,0,0,,",
                      "02,b,aa,100,5000,0, 01,b,aa,100,5000,100,replaced");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/", 9));
    assert_non_null(strstr(t->a.out.text, "\"other\":7"));
    assert_err(ERR_OK, sync_admission_get(&t->a, "b"));
    join_assert_out(t, "b,issued,t2,02,aa,0,100,0");
    join_assert_ack(t, &first, "revoked");
    /* Another attempt at the same: what was there before the first is what comes back. */
    l = join_letting("b", "192.0.2.23", "t3", "03");
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "1,1 restored");
    assert_err(ERR_OK, sync_cores(&t->a));
    join_assert_out(t, "b(https://x,192.0.2.2,-,-,h,yes):1");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/", 9));
    assert_non_null(strstr(t->a.out.text, "\"other\":7"));
}

static void issue_addresses(struct suite *t)
{
    const struct store_core a = {
        .id = "a", .ip = "192.0.2.1", .ipv6 = "2001:DB8::a", .available = true};
    assert_err(ERR_OK, sync_core_put(&t->a, &a, STORE_ONLY_NEW));
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/x', 'no JSON'),"
                     " ('core-info/y', '[\"192.0.2.7\"]'), ('core-info/z', '{\"ip\":4}'),"
                     " ('dns-record/w', '{\"ip\":\"192.0.2.7\",\"a\":[\"192.0.2.7\"]}')");
    struct store_letting l = join_letting("b", "192.0.2.1", "t1", "01");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "b: core a has the address 192.0.2.1");
    l.replace = true; /* that is about the id */
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    l = join_letting("b", "192.0.2.7", "t1", "01");
    l.core.ipv6 = "2001:db8::A";
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "b: core a has the address 2001:db8::A");
    assert_err(ERR_OK, sync_tokens(&t->a));
    join_assert_out(t, ""); /* nothing was written */
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    l.core.ipv6 = NULL;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = join_letting("b", "192.0.2.7", "t2", "02"); /* its own */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = join_letting("c", NULL, "t3", "03"); /* none: those without one do not have the same */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l = join_letting("d", NULL, "t4", "04");
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    /* A row of this id that is no JSON: replaced, and brought back as it was. */
    l = join_letting("x", "192.0.2.10", "t5", "05");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    l.replace = true;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "x", NULL, 300));
    join_assert_out(t, "1,1 restored");
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/x", 9));
    join_assert_out(t, "core-info/x=no JSON");
}

static void issue_refused(struct suite *t)
{
    struct store_letting l = join_letting("c", "192.0.2.3", "t1", "02");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "c: there is already a token like this");
    l.token.hash = "t2";
    l.cert.serial = "01";
    assert_err(ERR_CONFLICT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "c: there is already a certificate like this");
    join_assert_state(t, JOIN_B_ROW("no"), "t1,b,100,1000,0,0,,", "01,b,aa,100,5000,0,");
    l = join_letting("c", "192.0.2.3", "t2", "02");
    l.token.core = "b";
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = join_letting("c", "192.0.2.3", "t2", "02");
    l.cert.core = "b";
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = join_letting("c", "\xff", "t2", "02");
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = join_letting("", "192.0.2.3", "t2", "02");
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
    l = join_letting("c", "192.0.2.3", "t2", "02");
    l.now_ms = 0;
    assert_err(ERR_MALFORMED, sync_admission_issue(&t->a, &l));
}

/* As many tokens as there may be. */
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
    struct store_letting l = join_letting("c", "192.0.2.3", "t2", "02");
    suite_execute(t, JOIN_TOKENS("live", "999", "0"));
    suite_execute(t, JOIN_TOKENS("old", "1100", "7")); /* these have ended: they do not count */
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_LIMIT, sync_admission_issue(&t->a, &l));
    join_assert_says(t, "c: there are already 1000 tokens");
    l = join_letting("b", "192.0.2.2", "t2", "02"); /* in the place of its own */
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_tokens(&t->a)); /* of those that ended the last 1000 are kept */
    assert_int_equal(2 * STORE_TOKENS_MAX, count_items(t));
    assert_null(strstr(t->a.out.text, "old101,"));
    assert_non_null(strstr(t->a.out.text, "old102,"));
    assert_non_null(strstr(t->a.out.text, "t1,b,100,1000,0,100,,"));
    l = join_letting("c", "192.0.2.3", "t3", "03");
    l.now_ms = 1000; /* by now all have expired */
    l.token.expires_ms = 2000;
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_int_equal(STORE_TOKENS_MAX + 1, count_items(t));
}

/* Of all this the feed tells the core's row alone, and only what changes it. */
static void join_feed(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(1, t->a.state.revision);
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", false)); /* as it was */
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(1, t->a.state.revision);
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", false, 300));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_int_equal(2, t->a.revision);
    join_assert_out(t, "core-info/b- core-info/b-");
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
    {"join_feed", join_feed},
    {NULL, NULL},
};

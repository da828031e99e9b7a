/* What the HTTPS face reads and writes besides: HTTP-01 tokens, certificates, all records. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- HTTP-01 --------------------------------------------------------------------------------- */

static void assert_found(struct suite *t, const char *expected, const char *token, int64_t now_ms)
{
    assert_err(ERR_OK, sync_http01_find(&t->a, token, now_ms));
    assert_string_equal(expected, t->a.out.text);
}

static void http01_life(struct suite *t)
{
    struct store_http01 h = {.token = "t1", .value = "v1", .order = "o1", .expires_ms = 100};
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t1", 0));
    assert_err(ERR_OK, sync_http01_put(&t->a, &h));
    assert_found(t, "t1=v1(o1,100)", "t1", 99);
    h = (struct store_http01){.token = "t1", .value = "v2", .order = "o2", .expires_ms = 300};
    assert_err(ERR_OK, sync_http01_put(&t->a, &h)); /* renews */
    assert_found(t, "t1=v2(o2,300)", "t1", 99);
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t2", 0));
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "T1", 0)); /* letters count: RFC 8555 §8.3 */
    assert_err(ERR_OK, sync_http01_delete(&t->a, "t1"));
    assert_err(ERR_NOTFOUND, sync_http01_delete(&t->a, "t1"));
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t1", 0));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision); /* no change of the zone */
}

/* A token's own row counts until it expires, then the one for any token, until that does. */
static void http01_any(struct suite *t)
{
    const struct store_http01 any = {
        .token = "*", .value = "thumb", .order = "o", .expires_ms = 200};
    const struct store_http01 own = {.token = "t", .value = "own", .order = "o", .expires_ms = 100};
    const struct store_http01 later = {
        .token = "x", .value = "x", .order = "o", .expires_ms = INT64_MAX};
    assert_err(ERR_OK, sync_http01_put(&t->a, &own));
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "s", 0));
    assert_err(ERR_OK, sync_http01_put(&t->a, &any));
    assert_err(ERR_OK, sync_http01_put(&t->a, &later));
    assert_found(t, "*=thumb(o,200)", "s", 0);
    assert_found(t, "t=own(o,100)", "t", 99);
    assert_found(t, "*=thumb(o,200)", "t", 100);
    assert_found(t, "*=thumb(o,200)", "t", 199);
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t", 200));
    assert_found(t, "x=x(o,9223372036854775807)", "x", INT64_MAX - 1);
    assert_found(t, "*=thumb(o,200)", "'", 0);
    assert_err(ERR_OK, sync_http01_purge(&t->a, 99));
    assert_found(t, "t=own(o,100)", "t", 0);
    assert_err(ERR_OK, sync_http01_purge(&t->a, 100)); /* at or before */
    assert_found(t, "*=thumb(o,200)", "t", 0);
    assert_err(ERR_OK, sync_http01_purge(&t->a, 1000));
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, "t", 0));
    assert_found(t, "x=x(o,9223372036854775807)", "x", 0);
}

static void http01_limits(struct suite *t)
{
    char *token = suite_text(STORE_KEY_MAX - strlen("http-01/"), "", "");
    char *over = suite_text(STORE_KEY_MAX - strlen("http-01/") + 1, "", "");
    char *value = suite_text(STORE_VALUE_MAX, "", "");
    char *huge = suite_text(STORE_VALUE_MAX + 1, "", "");
    const struct {
        struct store_http01 h;
        enum err expected;
    } cases[] = {
        {{token, value, value, INT64_MIN}, ERR_OK}, {{over, "v", "o", 1}, ERR_LIMIT},
        {{"t", huge, "o", 1}, ERR_LIMIT},           {{"t", "v", huge, 1}, ERR_LIMIT},
        {{"", "v", "o", 1}, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(cases[i].expected, sync_http01_put(&t->a, &cases[i].h));
    }
    assert_err(ERR_NOTFOUND, sync_http01_find(&t->a, token, 0));
    assert_err(ERR_LIMIT, sync_http01_find(&t->a, over, 0));
    assert_err(ERR_MALFORMED, sync_http01_find(&t->a, "", 0));
    assert_err(ERR_LIMIT, sync_http01_delete(&t->a, over));
    assert_err(ERR_OK, sync_http01_delete(&t->a, token));
    free(token);
    free(over);
    free(value);
    free(huge);
}

/* What one core writes, the others answer with. */
static void http01_shared(struct suite *t)
{
    const struct store_http01 h = {.token = "t", .value = "v", .order = "o", .expires_ms = 1};
    suite_open_b(t);
    assert_err(ERR_OK, sync_http01_put(&t->a, &h));
    assert_err(ERR_OK, sync_http01_find(&t->b, "t", 0));
    assert_string_equal("t=v(o,1)", t->b.out.text);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void certs_list(struct suite *t)
{
    assert_err(ERR_OK, sync_certs(&t->a));
    assert_string_equal("", t->a.out.text);
    suite_execute(t, "INSERT INTO keyValue VALUES('tls-cert/mc.example.com', '{\"certPem\":\"x\","
                     "\"chainPem\":\"y\",\"keyPem\":\"z\",\"issuedAt\":1763737838000,"
                     "\"expiresAt\":1771513838000}'), ('tls-cert/*.mc.example.com',"
                     " '{\"expiresAt\":2.5,\"issuedAt\":1e3}'), ('tls-cert/none', '{}'),"
                     " ('tls-cert/null', '{\"issuedAt\":null,\"expiresAt\":7,\"generation\":3}'),"
                     " ('tls-cert0', '{}'), ('tls-cer', '{}'), ('tls-cert', '{}')");
    assert_err(ERR_OK, sync_certs(&t->a));
    assert_string_equal("*.mc.example.com(1000,2,0) mc.example.com(1763737838000,1771513838000,0)"
                        " none(0,0,0) null(0,7,3)",
                        t->a.out.text);
}

static void certs_unreadable(struct suite *t)
{
    suite_execute(t, "INSERT INTO keyValue VALUES('tls-cert/a', 'not JSON'), ('tls-cert/b', ''),"
                     " ('tls-cert/c', '[1]'), ('tls-cert/d', '{\"issuedAt\":\"1\"}'),"
                     " ('tls-cert/e', '{\"expiresAt\":true}'), ('tls-cert/f', '{\"issuedAt\":1'),"
                     " ('tls-cert/g', '\"x\"'), ('tls-cert/h', '{\"expiresAt\":[5]}'),"
                     " ('tls-cert/i', '5'), ('tls-cert/j', '{\"generation\":\"1\"}'),"
                     " ('tls-cert/k', '{\"generation\":1.5}'),"
                     " ('tls-cert/it''s', '{\"issuedAt\":3}')");
    assert_err(ERR_OK, sync_certs(&t->a));
    assert_string_equal("it's(3,0,0)", t->a.out.text);
}

/* ---- records, all of them -------------------------------------------------------------------- */

static void assert_page(struct suite *t, const char *expected, bool more, const char *after,
                        size_t max)
{
    assert_err(ERR_OK, sync_records_list(&t->a, after, max));
    assert_string_equal(expected, t->a.out.text);
    assert_true(more == t->a.more);
}

static void records_pages(struct suite *t)
{
    assert_page(t, "", false, "", 1000);
    suite_execute(t,
                  "INSERT INTO keyValue VALUES('dns-record/b', '{\"x\":1}'),"
                  " ('dns-record/@', '{}'), ('dns-record/a.b', 'not JSON'), ('dns-record/', '{}'),"
                  " ('dns-record/a', '{}'), ('dns-record0', '{}'), ('user-core/z', 'c'),"
                  " ('core-info/c', '{}'), ('dns-record/it''s', '{}')");
    assert_page(t, "@={} a={} a.b=not JSON b={\"x\":1} it's={}", false, "", 1000);
    assert_page(t, "@={} a={} a.b=not JSON b={\"x\":1} it's={}", false, "", 5);
    assert_page(t, "@={} a={} a.b=not JSON b={\"x\":1}", true, "", 4);
    assert_page(t, "@={}", true, "", 1);
    assert_page(t, "a={}", true, "@", 1);
    assert_page(t, "a.b=not JSON b={\"x\":1}", true, "a", 2);
    assert_page(t, "b={\"x\":1} it's={}", false, "a.b", 2);
    assert_page(t, "it's={}", false, "iss", 1); /* AFTER need not be there */
    assert_page(t, "", false, "it's", 1);
    assert_page(t, "", false, "\xff", 1000);
}

static void records_list_limits(struct suite *t)
{
    char *name = suite_text(STORE_KEY_MAX - strlen("dns-record/"), "", "");
    char *over = suite_text(STORE_KEY_MAX - strlen("dns-record/") + 1, "", "");
    assert_err(ERR_LIMIT, sync_records_list(&t->a, "", 0));
    assert_err(ERR_LIMIT, sync_records_list(&t->a, "", 1001));
    assert_err(ERR_LIMIT, sync_records_list(&t->a, "", SIZE_MAX));
    assert_err(ERR_LIMIT, sync_records_list(&t->a, over, 1));
    assert_err(ERR_OK, sync_record(&t->a, name, NULL, "{}"));
    assert_err(ERR_OK, sync_records_list(&t->a, "", 1));
    assert_int_equal(strlen(name) + strlen("={}"), strlen(t->a.out.text));
    assert_page(t, "", false, name, 1000);
    free(name);
    free(over);
}

/* Page after page gives each row once, also where rows are so large that fewer fit into a page. */
static void records_large(struct suite *t)
{
    enum { ROWS = 120 };
    char after[8] = "";
    unsigned seen = 0;
    suite_execute(t, "INSERT INTO keyValue SELECT printf('dns-record/r%03d', i), '{\"x\":\"'"
                     " || hex(zeroblob(100000)) || '\"}' FROM (WITH RECURSIVE c(i) AS"
                     " (SELECT 0 UNION ALL SELECT i + 1 FROM c LIMIT 120) SELECT i FROM c)");
    do {
        assert_err(ERR_OK, sync_records_list(&t->a, after, 1000));
        for (const char *at = t->a.out.text; at != NULL; at = strchr(at, ' ')) {
            at += *at == ' ';
            snprintf(after, sizeof after, "r%03u", seen++);
            assert_true(strncmp(after, at, 4) == 0);
        }
    } while (t->a.more);
    assert_int_equal(ROWS, seen);
}

const struct suite_test suite_http[] = {
    {"http01_life", http01_life},     {"http01_any", http01_any},
    {"http01_limits", http01_limits}, {"http01_shared", http01_shared},
    {"certs_list", certs_list},       {"certs_unreadable", certs_unreadable},
    {"records_pages", records_pages}, {"records_list_limits", records_list_limits},
    {"records_large", records_large}, {NULL, NULL},
};

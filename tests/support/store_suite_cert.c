/* Certificates as whole rows: read, put in each other's place, sealed anew. */
#include "store_suite_priv.h"

#include <stdlib.h>
#include <string.h>

#define HOST "*.mc.example.com"

static const struct store_fence held = {.name = "acme/h", .holder = "a", .term = 1};

static struct store_cert_row row_of(uint64_t generation)
{
    return (struct store_cert_row){.cert = {.hostname = HOST,
                                            .issued_ms = 1763737838000,
                                            .expires_ms = 1771513838000,
                                            .generation = generation},
                                   .cert_pem = "c\n\"1\"",
                                   .chain_pem = "ch",
                                   .key = "k1",
                                   .directory = "https://ca.example/"};
}

static void assert_cert(struct suite *t, const char *expected)
{
    assert_err(ERR_OK, sync_cert_get(&t->a, HOST));
    assert_string_equal(expected, t->a.out.text);
}

static void take(struct suite *t)
{
    assert_err(ERR_OK, sync_lease_take(&t->a, held.name, 0, 0, held.holder));
}

static void cert_life(struct suite *t)
{
    struct store_cert_row row = row_of(1);
    take(t);
    assert_err(ERR_NOTFOUND, sync_cert_get(&t->a, HOST));
    assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 1)); /* there is none */
    assert_err(ERR_NOTFOUND, sync_cert_get(&t->a, HOST));
    assert_err(ERR_OK, sync_cert_put(&t->a, &held, &row, 0));
    assert_cert(t, HOST ",1763737838000,1771513838000,1,c\n\"1\",ch,k1,https://ca.example/");
    assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 0));
    row = (struct store_cert_row){
        .cert = {.hostname = HOST, .issued_ms = 1, .expires_ms = 2, .generation = 2},
        .cert_pem = "d",
        .chain_pem = "",
        .key = "k2"};
    assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 2));
    assert_cert(t, HOST ",1763737838000,1771513838000,1,c\n\"1\",ch,k1,https://ca.example/");
    assert_err(ERR_OK, sync_cert_put(&t->a, &held, &row, 1));
    assert_cert(t, HOST ",1,2,2,d,,k2,-"); /* no directory any more */
    assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 1));
    assert_err(ERR_OK, sync_certs(&t->a));
    assert_string_equal(HOST "(1,2,2)", t->a.out.text);
    assert_err(ERR_NOTFOUND, sync_cert_get(&t->a, "mc.example.com"));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_string_equal("tls-cert/" HOST "- tls-cert/" HOST "-", t->a.out.text);
}

/* The predecessor's row has no generation and members that we do not know. */
static void cert_adopted(struct suite *t)
{
    struct store_cert_row row = row_of(1);
    take(t);
    suite_execute(t, "INSERT INTO keyValue VALUES('tls-cert/" HOST "', '{\"certPem\":\"c0\","
                     "\"chainPem\":\"ch0\",\"keyPem\":\"k0\",\"issuedAt\":5,\"expiresAt\":6,"
                     "\"note\":{\"by\":\"hand\"}}')");
    assert_cert(t, HOST ",5,6,0,c0,ch0,k0,-");
    assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 1));
    assert_cert(t, HOST ",5,6,0,c0,ch0,k0,-");
    assert_err(ERR_OK, sync_cert_put(&t->a, &held, &row, 0));
    assert_cert(t, HOST ",1763737838000,1771513838000,1,c\n\"1\",ch,k1,https://ca.example/");
    /* What the predecessor reads is where it was, and the member that is not ours too. */
    suite_execute(t, "INSERT INTO keyValue SELECT 'dns-record/seen', json_object("
                     "'c', json_extract(value, '$.certPem'), 'k', json_extract(value, '$.keyPem'),"
                     "'i', json_extract(value, '$.issuedAt'), 'n', json_extract(value,"
                     " '$.note.by'), 'count', (SELECT count(*) FROM json_each(keyValue.value)))"
                     " FROM keyValue WHERE key = 'tls-cert/" HOST "'");
    assert_err(ERR_OK, sync_record_get(&t->a, "seen"));
    assert_string_equal("{\"c\":\"c\\n\\\"1\\\"\",\"k\":\"k1\",\"i\":1763737838000,"
                        "\"n\":\"hand\",\"count\":8}",
                        t->a.out.text);
}

/* A row that nobody can read is told, does not pass for a certificate, and can be replaced by whoever
 * knows of none. */
static void cert_broken(struct suite *t)
{
    static const struct {
        const char *value;
        bool object; /* then it is patched, and its generation is what it says */
    } cases[] = {
        {"no JSON", false},
        {"", false},
        {"{\"certPem\":\"c\",", false},
        {"[1]", false},
        {"5", false},
        {"null", false},
        {"{}", true},
        {"{\"certPem\":\"c\"}", true},
        {"{\"certPem\":\"c\",\"keyPem\":5}", true},
        {"{\"certPem\":[],\"keyPem\":\"k\"}", true},
        {"{\"certPem\":\"c\",\"keyPem\":\"k\",\"chainPem\":1}", true},
        {"{\"certPem\":\"c\",\"keyPem\":\"k\",\"issuedAt\":\"1\"}", true},
        {"{\"certPem\":\"c\",\"keyPem\":\"k\",\"directory\":{}}", true},
        {"{\"certPem\":\"c\",\"keyPem\":\"k\",\"generation\":\"1\"}", true},
        {"{\"certPem\":\"c\",\"keyPem\":\"k\",\"generation\":1.5}", true},
    };
    const struct store_cert_row row = row_of(1);
    take(t);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[300] = "INSERT OR REPLACE INTO keyValue VALUES('tls-cert/" HOST "', '";
        strcat(strcat(sql, cases[i].value), "')");
        suite_execute(t, sql);
        assert_err(ERR_MALFORMED, sync_cert_get(&t->a, HOST));
        assert_err(ERR_CONFLICT, sync_cert_reseal(&t->a, HOST, "nobody's", "k"));
        assert_err(ERR_CONFLICT, sync_cert_put(&t->a, &held, &row, 1));
        assert_err(ERR_MALFORMED, sync_cert_get(&t->a, HOST)); /* and is as it was */
        assert_err(ERR_OK, sync_cert_put(&t->a, &held, &row, 0));
        assert_cert(t, HOST ",1763737838000,1771513838000,1,c\n\"1\",ch,k1,https://ca.example/");
    }
}

static void cert_reseal(struct suite *t)
{
    const struct store_cert_row row = row_of(1), next = row_of(2);
    take(t);
    assert_err(ERR_CONFLICT, sync_cert_reseal(&t->a, HOST, "k1", "n1")); /* there is none */
    assert_err(ERR_OK, sync_cert_put(&t->a, &held, &row, 0));
    assert_err(ERR_CONFLICT, sync_cert_reseal(&t->a, HOST, "k0", "n1"));
    assert_err(ERR_OK, sync_cert_reseal(&t->a, HOST, "k1", "n1"));
    assert_cert(t, HOST ",1763737838000,1771513838000,1,c\n\"1\",ch,n1,https://ca.example/");
    assert_err(ERR_CONFLICT, sync_cert_reseal(&t->a, HOST, "k1", "n2"));
    assert_err(ERR_OK, sync_cert_put(&t->a, &held, &next, 1)); /* the generation is as it was */
    assert_cert(t, HOST ",1763737838000,1771513838000,2,c\n\"1\",ch,k1,https://ca.example/");
}

static void cert_limits(struct suite *t)
{
    struct store_cert_row row = row_of(1);
    char *huge = suite_text(STORE_VALUE_MAX, "", "");
    char *over = suite_text(STORE_KEY_MAX, "", "");
    take(t);
    row.key = huge;
    assert_err(ERR_LIMIT, sync_cert_put(&t->a, &held, &row, 0));
    row.key = "\xff";
    assert_err(ERR_MALFORMED, sync_cert_put(&t->a, &held, &row, 0)); /* not UTF-8 */
    row.key = "k";
    row.cert.hostname = over;
    assert_err(ERR_LIMIT, sync_cert_put(&t->a, &held, &row, 0));
    assert_err(ERR_LIMIT, sync_cert_get(&t->a, over));
    assert_err(ERR_LIMIT, sync_cert_reseal(&t->a, over, "a", "b"));
    row.cert.hostname = "";
    assert_err(ERR_MALFORMED, sync_cert_put(&t->a, &held, &row, 0));
    assert_err(ERR_OK, sync_certs(&t->a));
    assert_string_equal("", t->a.out.text);
    free(huge);
    free(over);
}

const struct suite_test suite_cert[] = {
    {"cert_life", cert_life},     {"cert_adopted", cert_adopted}, {"cert_broken", cert_broken},
    {"cert_reseal", cert_reseal}, {"cert_limits", cert_limits},   {NULL, NULL},
};

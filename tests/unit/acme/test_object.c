/* The objects of RFC 8555, as CAs send them: what is needed, what may be missing, what is too much. */
#include "acme/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define URN      "urn:ietf:params:acme:error:"
#define CA       "https://ca.example"

/* The words of an error: they name the object, and the member. */
static void assert_says(const struct err_info *info, const char *words)
{
    if (strstr(info->text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", info->text, words);
    }
}

static const char *long_url(size_t len)
{
    static char url[4 * ACME_URL_MAX];
    memset(url, 'x', len);
    memcpy(url, CA "/", strlen(CA) + 1);
    url[len] = '\0';
    return url;
}

/* --- directory ---------------------------------------------------------------------------- */

#define DIRECTORY_NEEDED                                                                           \
    "\"newNonce\":\"" CA "/nonce\",\"newAccount\":\"" CA "/account\",\"newOrder\":\"" CA "/order"  \
    "\""

static struct acme_directory directory_of(const char *body)
{
    struct acme_directory d;
    struct err_info info = {.text = ""};
    if (acme_directory_read(body, strlen(body), &d, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return d;
}

static void a_directory(void **state)
{
    struct acme_directory d = directory_of(
        "{\"x1y2z3\":\"https://community.example/t/random-entry/1\"," DIRECTORY_NEEDED
        ",\"revokeCert\":\"" CA "/revoke\",\"keyChange\":\"" CA "/key\",\"renewalInfo\":\"" CA
        "/ari\",\"meta\":{\"termsOfService\":\"https://www.example/tos.pdf\","
        "\"website\":\"https://www.example\",\"externalAccountRequired\":true,"
        "\"caaIdentities\":[\"CA.example\",7,\"b c\",\"other.example\"],"
        "\"profiles\":{\"classic\":\"https://"
        "x\",\"tlsserver\":\"y\",\"bad\\nname\":\"z\",\"\":\"\"}}}");
    (void)state;
    assert_string_equal(d.new_nonce, CA "/nonce");
    assert_string_equal(d.new_account, CA "/account");
    assert_string_equal(d.new_order, CA "/order");
    assert_string_equal(d.revoke_cert, CA "/revoke");
    assert_string_equal(d.key_change, CA "/key");
    assert_string_equal(d.renewal_info, CA "/ari");
    assert_string_equal(d.terms, "https://www.example/tos.pdf");
    assert_string_equal(d.website, "https://www.example");
    assert_true(d.external_account_required);
    assert_int_equal(d.profiles_count, 2);
    assert_string_equal(d.profiles[0], "classic");
    assert_string_equal(d.profiles[1], "tlsserver");
    assert_int_equal(d.caa_identities_count, 2);
    assert_string_equal(d.caa_identities[0], "ca.example");
    assert_string_equal(d.caa_identities[1], "other.example");
}

static void a_bare_directory(void **state)
{
    static const char *const metas[] = {
        "", ",\"meta\":null", ",\"meta\":7",
        (",\"meta\":{\"termsOfService\":7,\"profiles\":[],\"caaIdentities\":{},"
         "\"externalAccountRequired\":\"yes\"},\"renewalInfo\":\"ftp://x/\",\"revokeCert\":\"\"")};
    char body[600];
    (void)state;
    for (size_t i = 0; i < COUNT(metas); i++) {
        snprintf(body, sizeof body, "{" DIRECTORY_NEEDED "%s}", metas[i]);
        struct acme_directory d = directory_of(body);
        assert_string_equal(d.revoke_cert, "");
        assert_string_equal(d.renewal_info, "");
        assert_string_equal(d.terms, "");
        assert_false(d.external_account_required);
        assert_int_equal(d.profiles_count + d.caa_identities_count, 0);
    }
}

static void directories_that_are_none(void **state)
{
    static const struct {
        const char *body;
        enum err e;
        const char *says;
    } rows[] = {
        {"", ERR_MALFORMED, "directory: JSON"},
        {"<html>", ERR_MALFORMED, "JSON"},
        {"{" DIRECTORY_NEEDED, ERR_MALFORMED, "JSON"}, /* truncated */
        {"[]", ERR_MALFORMED, "object"},
        {"{\x1b[2J", ERR_MALFORMED, "near '?'"}, /* quoted, but fit to be shown */
        {"{}", ERR_MALFORMED, "directory: newNonce"},
        {"{\"newNonce\":\"" CA "/\",\"newOrder\":\"" CA "/\"}", ERR_MALFORMED, "newAccount"},
        {"{\"newNonce\":\"" CA "/\",\"newAccount\":\"" CA "/\",\"newOrder\":7}", ERR_MALFORMED,
         "newOrder"},
        {"{\"newNonce\":\"/nonce\"}", ERR_MALFORMED, "newNonce: not a URL"},
        {"{\"newNonce\":\"https://a@ca.example/\"}", ERR_MALFORMED, "newNonce: not a URL"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_directory d;
        struct err_info info = {.text = ""};
        assert_int_equal(acme_directory_read(rows[i].body, strlen(rows[i].body), &d, &info),
                         rows[i].e);
        assert_says(&info, rows[i].says);
    }
}

static void a_directory_has_bounds(void **state)
{
    struct str body = {.text = NULL};
    struct acme_directory d;
    struct err_info info = {.text = ""};
    (void)state;
    str_append(&body, "{" DIRECTORY_NEEDED ",\"meta\":{\"profiles\":{");
    for (int i = 0; i < 100; i++) {
        str_appendf(&body, "\"%s%d\":\"\",", i % 2 == 0 ? "p" : long_url(100), i);
    }
    str_append(&body, "\"last\":1},\"caaIdentities\":[");
    for (int i = 0; i < 100; i++) {
        str_appendf(&body, "\"ca%d.example\",", i);
    }
    str_append(&body, "1]}}");
    d = directory_of(body.text);
    assert_int_equal(d.profiles_count, ACME_PROFILES_MAX);
    assert_string_equal(d.profiles[1], "p2");
    assert_int_equal(d.caa_identities_count, ACME_ISSUERS_MAX);
    str_free(&body);
    for (size_t len = ACME_URL_MAX - 1; len <= ACME_URL_MAX; len++) {
        str_appendf(&body,
                    "{\"newNonce\":\"%s\",\"newAccount\":\"" CA "\",\"newOrder\":\"" CA "\"}",
                    long_url(len));
        assert_int_equal(acme_directory_read(body.text, body.len, &d, &info),
                         len < ACME_URL_MAX ? ERR_OK : ERR_LIMIT);
        str_free(&body);
    }
    assert_says(&info, "newNonce");
}

/* --- order -------------------------------------------------------------------------------- */

#define ORDER_REST                                                                                 \
    "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}],\"authorizations\":[\"" CA       \
    "/authz/1\"],\"finalize\":\"" CA "/finalize/1\""

static enum err order_of(const char *body, struct acme_order_object *o, struct err_info *info)
{
    *info = (struct err_info){.text = ""};
    return acme_order_read(body, strlen(body), o, info);
}

static void an_order(void **state)
{
    struct acme_order_object o;
    struct err_info info;
    (void)state;
    assert_int_equal(
        order_of(
            "{\"status\":\"valid\",\"expires\":\"2026-01-20T14:09:07.99Z\",\"identifiers\":["
            "{\"type\":\"dns\",\"value\":\"*.Example.ORG\"},{\"type\":\"ip\",\"value\":\"::1\"},"
            "{\"type\":\"dns\",\"value\":\"example.org\"}],\"notBefore\":\"2016-01-01T00:00:00Z\","
            "\"authorizations\":[\"" CA "/authz/1\",\"" CA "/authz/2\"],\"finalize\":\"" CA
            "/finalize/1\",\"certificate\":\"" CA "/cert/1\",\"profile\":\"tlsserver\"}",
            &o, &info),
        ERR_OK);
    assert_int_equal(o.status, ACME_STATUS_VALID);
    assert_true(o.expires_ms == 1768918147990);
    assert_int_equal(o.names_count, 2);
    assert_string_equal(o.names[0], "*.example.org");
    assert_string_equal(o.names[1], "example.org");
    assert_int_equal(o.authorizations_count, 2);
    assert_string_equal(o.authorizations[1], CA "/authz/2");
    assert_string_equal(o.finalize, CA "/finalize/1");
    assert_string_equal(o.certificate, CA "/cert/1");
    assert_string_equal(o.profile, "tlsserver");
    assert_false(o.has_error);
}

static void statuses(void **state)
{
    static const struct {
        const char *word;
        enum acme_status status;
    } rows[] = {{"pending", ACME_STATUS_PENDING},
                {"ready", ACME_STATUS_READY},
                {"processing", ACME_STATUS_PROCESSING},
                {"valid", ACME_STATUS_VALID},
                {"invalid", ACME_STATUS_INVALID},
                {"deactivated", ACME_STATUS_DEACTIVATED},
                {"expired", ACME_STATUS_EXPIRED},
                {"revoked", ACME_STATUS_REVOKED},
                {"Valid", ACME_STATUS_UNKNOWN},
                {"held", ACME_STATUS_UNKNOWN},
                {"", ACME_STATUS_UNKNOWN}};
    char body[400];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_order_object o;
        struct err_info info;
        snprintf(body, sizeof body,
                 "{\"status\":\"%s\",\"certificate\":\"" CA "/c\"," ORDER_REST "}", rows[i].word);
        assert_int_equal(order_of(body, &o, &info), ERR_OK);
        assert_int_equal(o.status, rows[i].status);
    }
}

static void orders_with_little(void **state)
{
    static const struct {
        const char *body;
        enum err e;
        const char *says;
    } rows[] = {
        /* the machine judges what an empty list means */
        {"{\"status\":\"pending\",\"identifiers\":[],\"authorizations\":[],\"finalize\":\"" CA
         "\"}",
         ERR_OK, ""},
        /* what is over needs no way on */
        {"{\"status\":\"invalid\",\"identifiers\":[],\"authorizations\":[]}", ERR_OK, ""},
        {"{\"status\":\"processing\",\"identifiers\":[],\"authorizations\":[]}", ERR_OK, ""},
        {"{\"status\":\"processing\",\"identifiers\":[],\"authorizations\":[],\"finalize\":1,"
         "\"certificate\":null,\"expires\":\"soon\",\"profile\":7,\"error\":\"x\"}",
         ERR_OK, ""},
        {"{\"status\":\"ready\",\"identifiers\":[],\"authorizations\":[]}", ERR_MALFORMED,
         "order: finalize"},
        {"{\"status\":\"what\",\"identifiers\":[],\"authorizations\":[]}", ERR_MALFORMED,
         "finalize"},
        {"{\"status\":\"valid\",\"identifiers\":[],\"authorizations\":[]}", ERR_MALFORMED,
         "certificate"},
        {"{\"identifiers\":[],\"authorizations\":[]}", ERR_MALFORMED, "status"},
        {"{\"status\":7,\"identifiers\":[],\"authorizations\":[]}", ERR_MALFORMED, "status"},
        {"{\"status\":\"ready\",\"authorizations\":[]}", ERR_MALFORMED, "identifiers"},
        {"{\"status\":\"ready\",\"identifiers\":[]}", ERR_MALFORMED, "authorizations"},
        {"{\"status\":\"ready\",\"identifiers\":[{\"type\":\"dns\"}],\"authorizations\":[]}",
         ERR_MALFORMED, "value"},
        {"{\"status\":\"ready\",\"identifiers\":[{\"type\":\"dns\",\"value\":\"a b\"}],"
         "\"authorizations\":[]}",
         ERR_MALFORMED, "identifier"},
        {"{\"status\":\"ready\",\"identifiers\":[7,\"x\",{},{\"type\":7}],\"authorizations\":["
         "\"x\"]}",
         ERR_MALFORMED, "authorizations"},
        {"{\"status\":\"ready\",\"identifiers\":[],\"authorizations\":[{}]}", ERR_MALFORMED,
         "authorizations"},
        {"{\"status\":\"ready\",\"identi", ERR_MALFORMED, "JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_order_object o;
        struct err_info info;
        if (order_of(rows[i].body, &o, &info) != rows[i].e) {
            fail_msg("row %zu: %s", i, info.text);
        }
        assert_says(&info, rows[i].says);
    }
}

/* The time of a Go program that never set one. */
static void an_order_that_never_expires(void **state)
{
    struct acme_order_object o;
    struct err_info info;
    (void)state;
    assert_int_equal(
        order_of("{\"status\":\"ready\",\"expires\":\"0001-01-01T00:00:00Z\"," ORDER_REST "}", &o,
                 &info),
        ERR_OK);
    assert_true(o.expires_ms == 0);
}

static void an_order_has_bounds(void **state)
{
    struct acme_order_object o;
    struct err_info info;
    (void)state;
    for (int count = ACME_NAMES_MAX; count <= ACME_NAMES_MAX + 1; count++) {
        for (int which = 0; which < 2; which++) {
            struct str body = {.text = NULL};
            str_append(&body, "{\"status\":\"ready\",\"finalize\":\"" CA "\",\"identifiers\":[");
            for (int i = 0; which == 0 && i < count; i++) {
                str_appendf(&body, "%s{\"type\":\"dns\",\"value\":\"n%d\"}", i > 0 ? "," : "", i);
            }
            str_append(&body, "],\"authorizations\":[");
            for (int i = 0; which == 1 && i < count; i++) {
                str_appendf(&body, "%s\"" CA "/%d\"", i > 0 ? "," : "", i);
            }
            str_append(&body, "]}");
            assert_int_equal(order_of(body.text, &o, &info),
                             count > ACME_NAMES_MAX ? ERR_LIMIT : ERR_OK);
            str_free(&body);
        }
    }
    for (size_t len = ACME_URL_MAX - 1; len <= ACME_URL_MAX; len++) {
        struct str body = {.text = NULL};
        str_appendf(&body,
                    "{\"status\":\"invalid\",\"identifiers\":[],\"authorizations\":[\"%s\"]}",
                    long_url(len));
        assert_int_equal(order_of(body.text, &o, &info), len < ACME_URL_MAX ? ERR_OK : ERR_LIMIT);
        str_free(&body);
    }
    for (int len = ACME_NAME_MAX - 1; len <= ACME_NAME_MAX; len++) {
        struct str body = {.text = NULL};
        str_appendf(&body,
                    "{\"status\":\"invalid\",\"authorizations\":[],\"identifiers\":["
                    "{\"type\":\"dns\",\"value\":\"%0*d\"}]}",
                    len, 7);
        assert_int_equal(order_of(body.text, &o, &info), len < ACME_NAME_MAX ? ERR_OK : ERR_LIMIT);
        str_free(&body);
    }
}

static void an_order_that_failed(void **state)
{
    struct acme_order_object o;
    struct err_info info;
    (void)state;
    assert_int_equal(order_of("{\"status\":\"invalid\",\"error\":{\"type\":\"" URN
                              "caa\",\"detail\":\"CAA\\nrecord\",\"status\":403,\"subproblems\":[{"
                              "\"type\":\"" URN "caa\",\"detail\":\"forbids\",\"identifier\":{"
                              "\"type\":\"dns\",\"value\":\"a.example\"}}]}," ORDER_REST "}",
                              &o, &info),
                     ERR_OK);
    assert_true(o.has_error);
    assert_int_equal(o.error.class, ACME_IDENTIFIER);
    assert_int_equal(o.error.status, 403);
    assert_string_equal(o.error.type, "caa");
    assert_string_equal(o.error.text, "CAA?record; a.example: forbids");
    assert_true(o.error.retry_ms == -1);
}

/* --- authorization ------------------------------------------------------------------------ */

static enum err authorization_of(const char *body, struct acme_authorization *a,
                                 struct err_info *info)
{
    *info = (struct err_info){.text = ""};
    return acme_authorization_read(body, strlen(body), a, info);
}

static const struct acme_challenge *find(const struct acme_authorization *a,
                                         enum acme_challenge_type type)
{
    for (size_t i = 0; i < a->challenges_count; i++) {
        if (a->challenges[i].type == type) {
            return &a->challenges[i];
        }
    }
    return NULL;
}

static void an_authorization(void **state)
{
    struct acme_authorization a;
    struct err_info info;
    (void)state;
    assert_int_equal(
        authorization_of(
            "{\"status\":\"pending\",\"expires\":\"2026-01-02T14:09:30Z\",\"wildcard\":true,"
            "\"identifier\":{\"type\":\"dns\",\"value\":\"Example.org\"},\"challenges\":["
            "{\"type\":\"dns-persist-01\",\"url\":\"" CA "/chall/0\",\"status\":\"pending\","
            "\"issuer-domain-names\":[\"ca.example\"]},"
            "{\"type\":\"tls-alpn-01\",\"url\":\"" CA "/chall/1\",\"token\":\"t1\"},"
            "{\"type\":\"dns-01\",\"url\":\"" CA "/chall/2\",\"status\":\"invalid\","
            "\"token\":\"DGyRejmCefe7v4NfDGDKfA\",\"error\":{\"type\":\"" URN
            "unauthorized\",\"detail\":\"No TXT\",\"status\":403}},"
            "{\"type\":\"http-01\",\"url\":\"" CA
            "/chall/3\",\"status\":\"valid\",\"token\":\"a_-9\"},"
            "7,{},{\"type\":null}]}",
            &a, &info),
        ERR_OK);
    assert_int_equal(a.status, ACME_STATUS_PENDING);
    assert_true(a.expires_ms == 1767362970000);
    assert_string_equal(a.name, "example.org");
    assert_true(a.wildcard);
    assert_int_equal(a.challenges_count, 4);
    const struct acme_challenge *dns = find(&a, ACME_DNS01);
    assert_string_equal(dns->url, CA "/chall/2");
    assert_string_equal(dns->token, "DGyRejmCefe7v4NfDGDKfA");
    assert_int_equal(dns->status, ACME_STATUS_INVALID);
    assert_true(dns->has_error);
    assert_int_equal(dns->error.class, ACME_IDENTIFIER);
    assert_string_equal(dns->error.text, "No TXT");
    assert_string_equal(find(&a, ACME_HTTP01)->token, "a_-9");
    assert_int_equal(find(&a, ACME_ALPN01)->status, ACME_STATUS_UNKNOWN);
    assert_string_equal(find(&a, ACME_OTHER)->token, "");
    assert_string_equal(find(&a, ACME_OTHER)->url, CA "/chall/0");
}

/* Tokens out of the alphabet, URLs that are none, and everything that is not text. */
static void challenges_that_cannot_be_used(void **state)
{
    static const struct {
        const char *members, *url, *token;
    } rows[] = {
        {"\"url\":\"" CA "/1\",\"token\":\"ok\"", CA "/1", "ok"},
        {"\"url\":\"" CA "/1\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":\"\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":\"../../etc/passwd\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":\"a.b\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":\"a\\nb\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":\"a=\"", CA "/1", ""},
        {"\"url\":\"" CA "/1\",\"token\":{\"x\":1}", CA "/1", ""},
        {"\"token\":\"ok\"", "", "ok"},
        {"\"url\":\"javascript:x\",\"token\":\"ok\"", "", "ok"},
        {"\"url\":7,\"token\":\"ok\",\"status\":[],\"error\":[]", "", "ok"},
    };
    char body[400];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_challenge c;
        struct err_info info;
        snprintf(body, sizeof body, "{\"type\":\"dns-01\",%s}", rows[i].members);
        assert_int_equal(acme_challenge_read(body, strlen(body), &c, &info), ERR_OK);
        assert_int_equal(c.type, ACME_DNS01);
        assert_string_equal(c.url, rows[i].url);
        assert_string_equal(c.token, rows[i].token);
        assert_false(c.has_error);
    }
}

static void a_token_has_a_bound(void **state)
{
    char body[2 * ACME_TOKEN_MAX];
    (void)state;
    for (int len = ACME_TOKEN_MAX - 1; len <= ACME_TOKEN_MAX; len++) {
        struct acme_challenge c;
        struct err_info info;
        snprintf(body, sizeof body, "{\"type\":\"http-01\",\"token\":\"%0*d\"}", len, 7);
        assert_int_equal(acme_challenge_read(body, strlen(body), &c, &info), ERR_OK);
        assert_int_equal(strlen(c.token), len < ACME_TOKEN_MAX ? len : 0);
    }
}

/* Those of known types are found wherever they are. */
static void many_challenges(void **state)
{
    struct acme_authorization a;
    struct err_info info;
    struct str body = {.text = NULL};
    (void)state;
    str_append(&body, "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a\"},"
                      "\"challenges\":[");
    for (int i = 0; i < 100; i++) {
        str_appendf(&body, "{\"type\":\"new-%d\",\"url\":\"" CA "/%d\"},", i, i);
    }
    str_append(&body, "{\"type\":\"dns-01\",\"url\":\"" CA "/dns\",\"token\":\"t\"}]}");
    assert_int_equal(authorization_of(body.text, &a, &info), ERR_OK);
    str_free(&body);
    assert_int_equal(a.challenges_count, ACME_CHALLENGES_MAX);
    assert_non_null(find(&a, ACME_DNS01));
    assert_non_null(find(&a, ACME_OTHER));
}

static void authorizations_with_little(void **state)
{
#define NAMED "\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}"
    static const struct {
        const char *body;
        enum err e;
        const char *says;
    } rows[] = {
        {"{\"status\":\"valid\"," NAMED "}", ERR_OK, ""},
        {"{\"status\":\"deactivated\"," NAMED ",\"challenges\":null}", ERR_OK, ""},
        {"{\"status\":\"pending\"," NAMED ",\"challenges\":[]}", ERR_OK, ""},
        {"{\"status\":\"pending\"," NAMED "}", ERR_MALFORMED, "authorization: challenges"},
        {"{\"status\":\"pending\"," NAMED ",\"challenges\":{}}", ERR_MALFORMED, "challenges"},
        {"{" NAMED ",\"challenges\":[]}", ERR_MALFORMED, "status"},
        {"{\"status\":\"valid\"}", ERR_MALFORMED, "identifier"},
        {"{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\"}}", ERR_MALFORMED, "value"},
        {"{\"status\":\"valid\",\"identifier\":{\"type\":\"ip\",\"value\":\"::1\"}}", ERR_MALFORMED,
         "type dns"},
        {"{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\",\"value\":\"\"}}", ERR_MALFORMED,
         "empty"},
        {"{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\",\"value\":\"a/b\"}}",
         ERR_MALFORMED, "host name"},
    };
    struct acme_authorization a;
    struct err_info info;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (authorization_of(rows[i].body, &a, &info) != rows[i].e) {
            fail_msg("row %zu: %s", i, info.text);
        }
        assert_says(&info, rows[i].says);
    }
    assert_int_equal(
        authorization_of("{\"status\":\"valid\",\"wildcard\":\"true\"," NAMED "}", &a, &info),
        ERR_OK);
    assert_false(a.wildcard);
    assert_int_equal(authorization_of("{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\","
                                      "\"value\":\"*.a.example\"}}",
                                      &a, &info),
                     ERR_OK);
    assert_true(a.wildcard);
    assert_string_equal(a.name, "a.example");
}

static void errors_in_challenges(void **state)
{
    static const struct {
        const char *error;
        enum acme_class class;
        unsigned status;
        const char *text;
    } rows[] = {
        {"{\"type\":\"" URN "dns\",\"detail\":\"d\",\"status\":400}", ACME_IDENTIFIER, 400, "d"},
        {"{\"type\":\"" URN "serverInternal\",\"status\":500}", ACME_AGAIN, 500, "serverInternal"},
        {"{\"type\":\"" URN "rateLimited\",\"detail\":\"d\"}", ACME_LIMITED, 0, "d"},
        {"{\"type\":\"" URN "connection\",\"detail\":\"d\",\"status\":\"400\"}", ACME_IDENTIFIER, 0,
         "d"},
        {"{\"type\":\"" URN "dns\",\"status\":99999}", ACME_IDENTIFIER, 0, "dns"},
        {"{}", ACME_AGAIN, 0, ""},
    };
    char body[300];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_challenge c;
        struct err_info info;
        snprintf(body, sizeof body, "{\"type\":\"dns-01\",\"error\":%s}", rows[i].error);
        assert_int_equal(acme_challenge_read(body, strlen(body), &c, &info), ERR_OK);
        assert_true(c.has_error);
        assert_int_equal(c.error.class, rows[i].class);
        assert_int_equal(c.error.status, rows[i].status);
        assert_string_equal(c.error.text, rows[i].text);
    }
}

/* --- the others --------------------------------------------------------------------------- */

static void renewal_information(void **state)
{
    static const struct {
        const char *body;
        enum err e;
        const char *explanation;
    } rows[] = {
        {"{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"2025-01-03T04:00:"
         "00Z\"},"
         "\"explanationURL\":\"" CA "/docs/ari\"}",
         ERR_OK, CA "/docs/ari"},
        {"{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"2025-01-02T04:00:"
         "00Z\"},"
         "\"explanationURL\":\"see\"}",
         ERR_OK, ""},
        {"{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"2025-01-02T03:59:"
         "59Z\"}}",
         ERR_MALFORMED, NULL},
        {"{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"later\"}}",
         ERR_MALFORMED, NULL},
        {"{\"suggestedWindow\":{\"start\":1735790400,\"end\":1735876800}}", ERR_MALFORMED, NULL},
        {"{\"suggestedWindow\":{\"end\":\"2025-01-02T04:00:00Z\"}}", ERR_MALFORMED, NULL},
        {"{\"suggestedWindow\":[]}", ERR_MALFORMED, NULL},
        {"{}", ERR_MALFORMED, NULL},
        {"not JSON", ERR_MALFORMED, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_renewal_info r;
        struct err_info info = {.text = ""};
        enum err e = acme_renewal_info_read(rows[i].body, strlen(rows[i].body), &r, &info);
        assert_int_equal(e, rows[i].e);
        if (e == ERR_OK) {
            assert_true(r.start_ms == 1735790400000 && r.end_ms >= r.start_ms);
            assert_string_equal(r.explanation, rows[i].explanation);
        } else {
            assert_says(&info, "renewal information: ");
        }
    }
}

static void accounts(void **state)
{
    static const struct {
        const char *body;
        enum err e;
        enum acme_status status;
        const char *orders;
    } rows[] = {
        {"{\"status\":\"valid\",\"contact\":[\"mailto:a@b\"],\"orders\":\"" CA "/orders/1\"}",
         ERR_OK, ACME_STATUS_VALID, CA "/orders/1"},
        {"{\"status\":\"deactivated\",\"orders\":7,\"key\":{}}", ERR_OK, ACME_STATUS_DEACTIVATED,
         ""},
        {"{\"status\":\"revoked\"}", ERR_OK, ACME_STATUS_REVOKED, ""},
        {"{\"status\":\"odd\"}", ERR_OK, ACME_STATUS_UNKNOWN, ""},
        {"{}", ERR_MALFORMED, ACME_STATUS_UNKNOWN, ""},
        {"", ERR_MALFORMED, ACME_STATUS_UNKNOWN, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acme_account_object a;
        struct err_info info = {.text = ""};
        assert_int_equal(acme_account_read(rows[i].body, strlen(rows[i].body), &a, &info),
                         rows[i].e);
        assert_int_equal(a.status, rows[i].status);
        assert_string_equal(a.orders, rows[i].orders);
    }
}

/* A token of RFC 8555 §8.4 with the thumbprint of RFC 7638 §3.1's key; the digest is openssl's. */
static void answers(void **state)
{
    static const char token[] = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
    static const char thumbprint[] = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    char out[128], value[44];
    (void)state;
    assert_int_equal(acme_key_authorization(token, thumbprint, out, sizeof out), ERR_OK);
    assert_string_equal(out, "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
                             "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_int_equal(acme_key_authorization(token, thumbprint, out, 88), ERR_OK);
    assert_int_equal(acme_key_authorization(token, thumbprint, out, 87), ERR_LIMIT);
    assert_string_equal(out, "");
    assert_int_equal(acme_key_authorization("", thumbprint, out, sizeof out), ERR_MALFORMED);
    assert_int_equal(acme_key_authorization("a/b", thumbprint, out, sizeof out), ERR_MALFORMED);
    assert_int_equal(acme_key_authorization(token, "a b", out, sizeof out), ERR_MALFORMED);
    assert_int_equal(acme_dns01_value(token, thumbprint, value), ERR_OK);
    assert_string_equal(value, "ZTRx1Ckl1-tM05o5zaizTTA0yUy5AGereMgSNWC6Ll8");
    assert_int_equal(acme_dns01_value("", thumbprint, value), ERR_MALFORMED);
    assert_string_equal(value, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory),
        cmocka_unit_test(a_bare_directory),
        cmocka_unit_test(directories_that_are_none),
        cmocka_unit_test(a_directory_has_bounds),
        cmocka_unit_test(an_order),
        cmocka_unit_test(statuses),
        cmocka_unit_test(orders_with_little),
        cmocka_unit_test(an_order_that_never_expires),
        cmocka_unit_test(an_order_has_bounds),
        cmocka_unit_test(an_order_that_failed),
        cmocka_unit_test(an_authorization),
        cmocka_unit_test(challenges_that_cannot_be_used),
        cmocka_unit_test(a_token_has_a_bound),
        cmocka_unit_test(many_challenges),
        cmocka_unit_test(authorizations_with_little),
        cmocka_unit_test(errors_in_challenges),
        cmocka_unit_test(renewal_information),
        cmocka_unit_test(accounts),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

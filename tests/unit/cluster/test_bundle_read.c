/* cluster/bundle_read: each member is looked at, and the one that is wrong is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_fixture.h"
#include "cluster/bundle_priv.h"
#include "lib/jx.h"
#include "lib/seal.h"

static struct bundle fixture;
static char *fixture_json;

static int start(void **state)
{
    uint8_t *json = NULL;
    size_t len = 0;
    (void)state;
    bundle_fixture(&fixture);
    assert_int_equal(bundle_write(&fixture, &json, &len, NULL), ERR_OK);
    fixture_json = (char *)json;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    seal_wipe((uint8_t *)fixture_json, strlen(fixture_json));
    bundle_free(&fixture);
    return 0;
}

/* ---- one member changed -------------------------------------------------------------------- */

/* VALUE (JSON; NULL: none) in place of what is at PATH: names and numbers, with dots between them. */
static void put(json_t *root, const char *path, const char *value)
{
    char copy[200], *rest = NULL;
    json_t *at = root, *new = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    char *step = strtok_r(copy, ".", &rest);
    for (char *next; (next = strtok_r(NULL, ".", &rest)) != NULL; step = next) {
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(step, NULL, 10))
                               : json_object_get(at, step);
        assert_non_null(at);
    }
    if (value == NULL) {
        json_object_del(at, step);
        return;
    }
    new = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(new);
    assert_int_equal(json_is_array(at)
                         ? json_array_set_new(at, (size_t)strtoul(step, NULL, 10), new)
                         : json_object_set_new(at, step, new),
                     0);
}

static enum err read_with(const char *path, const char *value, struct bundle *out,
                          struct err_info *info)
{
    json_t *root = json_loads(fixture_json, 0, NULL);
    put(root, path, value);
    char *text = json_dumps(root, JSON_INDENT(1));
    memset(out, 0xa5, sizeof *out);
    enum err e = bundle_read(text, strlen(text), out, info);
    assert_int_equal(e == ERR_OK, info->text[0] == '\0');
    free(text);
    json_decref(root);
    return e;
}

/* As LEN times C, in quotes. Static. */
static const char *many(size_t len, char c)
{
    static char text[100 * 1024];
    text[0] = '"';
    memset(text + 1, c, len);
    memcpy(text + 1 + len, "\"", 2);
    return text;
}

static void refused(const char *path, const char *value, enum err expect, const char *says)
{
    static const struct bundle none;
    struct err_info info = {.text = ""};
    struct bundle b;
    enum err e = read_with(path, value, &b, &info);
    if (e != expect || strncmp(info.text, says, strlen(says)) != 0) {
        fail_msg("%s = %.60s: %s: \"%s\", not \"%s\"", path, value != NULL ? value : "(none)",
                 err_text(e), info.text, says);
    }
    assert_memory_equal(&b, &none, sizeof b);
}

static void taken(const char *path, const char *value)
{
    struct err_info info = {.text = ""};
    struct bundle b;
    if (read_with(path, value, &b, &info) != ERR_OK) {
        fail_msg("%s = %.60s: \"%s\"", path, value != NULL ? value : "(none)", info.text);
    }
    bundle_free(&b);
}

/* ---- which ones ---------------------------------------------------------------------------- */

static void a_member_of_the_wrong_kind_is_named(void **state)
{
    static const struct {
        const char *path, *named, *kind;
        bool optional;
    } rows[] = {
        {"version", "version", "must be a whole number", false},
        {"issuedAt", "issuedAt", "must be a string", false},
        {"expiresAt", "expiresAt", "must be a string", false},
        {"cluster", "cluster", "must be an object", false},
        {"cluster.domain", "cluster.domain", "must be a string", true},
        {"cluster.ackUrl", "cluster.ackUrl", "must be a string", false},
        {"cluster.joinToken", "cluster.joinToken", "must be a string", false},
        {"cluster.issuer", "cluster.issuer", "must be a string", false},
        {"cluster.ca", "cluster.ca", "must be an object", false},
        {"cluster.ca.certPem", "cluster.ca.certPem", "must be a string", false},
        {"cluster.ackPins", "cluster.ackPins", "must be a list", true},
        {"cluster.members", "cluster.members", "must be a list", true},
        {"cluster.members.1.id", "cluster.members[1].id", "must be a string", false},
        {"cluster.members.1.ip", "cluster.members[1].ip", "must be a string", true},
        {"cluster.members.1.ipv6", "cluster.members[1].ipv6", "must be a string", true},
        {"node", "node", "must be an object", false},
        {"node.id", "node.id", "must be a string", false},
        {"node.ip", "node.ip", "must be a string", true},
        {"node.ipv6", "node.ipv6", "must be a string", true},
        {"node.hosting", "node.hosting", "must be a string", true},
        {"node.url", "node.url", "must be a string", true},
        {"node.certPem", "node.certPem", "must be a string", false},
        {"node.keyPem", "node.keyPem", "must be a string", false},
        {"platformSecrets", "platformSecrets", "must be an object", true},
        {"platformSecrets.auth", "platformSecrets.auth", "must be an object", true},
        {"platformSecrets.auth.adminAccessKey", "platformSecrets.auth.adminAccessKey",
         "must be a string", true},
        {"platformSecrets.auth.filesReadTokenSecret", "platformSecrets.auth.filesReadTokenSecret",
         "must be a string", true},
        {"platformSecrets.letsEncrypt", "platformSecrets.letsEncrypt", "must be an object", true},
        {"platformSecrets.letsEncrypt.atRestKey", "platformSecrets.letsEncrypt.atRestKey",
         "must be a string", true},
        {"platformSecrets.letsEncrypt.atRestKeys", "platformSecrets.letsEncrypt.atRestKeys",
         "must be a list", true},
        {"platformSecrets.platform", "platformSecrets.platform", "must be an object", true},
        {"platformSecrets.platform.piiHmacKey", "platformSecrets.platform.piiHmacKey",
         "must be a string", true},
        {"rqlite", "rqlite", "must be an object", false},
        {"rqlite.raftPort", "rqlite.raftPort", "must be a whole number", false},
        {"rqlite.httpPort", "rqlite.httpPort", "must be a whole number", false},
        {"config", "config", "must be an object", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char says[200];
        snprintf(says, sizeof says, "%s: %s", rows[i].named, rows[i].kind);
        refused(rows[i].path, "true", ERR_MALFORMED, says);
        refused(rows[i].path, "1.5", ERR_MALFORMED, says);
        snprintf(says, sizeof says, "%s: missing", rows[i].named);
        if (rows[i].optional) {
            taken(rows[i].path, NULL);
            taken(rows[i].path, "null");
        } else {
            refused(rows[i].path, NULL, ERR_MALFORMED, says);
            refused(rows[i].path, "null", ERR_MALFORMED, says);
        }
    }
}

static void a_member_that_makes_no_sense_is_named(void **state)
{
    static const struct {
        const char *path, *value, *says;
    } rows[] = {
        {"version", "0", "version: must be from 1"},
        {"version", "-1", "version: must be from 1"},
        {"issuedAt", "\"yesterday\"", "issuedAt: must be a time"},
        {"issuedAt", "\"2036-05-01T12:00:00Z\"", "expiresAt: must be after issuedAt"},
        {"expiresAt", "\"2026-05-28\"", "expiresAt: must be a time"},
        {"cluster.domain", "\"a..b\"", "cluster.domain: must be a host name"},
        {"cluster.domain", "\"example.test.\"", "cluster.domain: must be a host name"},
        {"cluster.domain", "\".\"", "cluster.domain: must be a host name"},
        {"cluster.domain", "\"exa mple\"", "cluster.domain: must be a host name"},
        {"cluster.domain", "\"a.$(id).test\"", "cluster.domain: must be a host name"},
        {"cluster.ackUrl", "\"\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"https://\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"https:///x\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"ftp://a.test/\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"file:///etc/passwd\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\" https://a.test/\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"https://a.test/\\r\\nX: y\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"https://a.test/\\u007f\"", "cluster.ackUrl: must be a URL"},
        {"cluster.ackUrl", "\"https://\xc3\xa9.test/\"", "cluster.ackUrl: must be a URL"},
        {"cluster.joinToken", "\"fifteen-letters\"", "cluster.joinToken: must be 16"},
        {"cluster.joinToken", "\"with a space in it, too\"", "cluster.joinToken: must be 16"},
        {"cluster.joinToken", "\"with-a-line\\n-in-it-too\"", "cluster.joinToken: must be 16"},
        {"cluster.issuer", "\"core_a\"", "cluster.issuer: must be 1 to 63"},
        {"cluster.ca.certPem", "\"\"", "cluster.ca.certPem: "},
        {"cluster.ca.certPem", "\"BEGIN CERTIFICATE\"", "cluster.ca.certPem: "},
        {"cluster.ca.certPem",
         "\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"",
         "cluster.ca.certPem: "},
        {"cluster.ackPins.0", "1", "cluster.ackPins[0]: must be a string"},
        {"cluster.ackPins.1", "\"AAAA\"", "cluster.ackPins[1]: must be the base64 of a SHA-256"},
        {"cluster.ackPins.1", "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"",
         "cluster.ackPins[1]: must be the base64 of a SHA-256"},
        {"cluster.members.0", "\"core-a\"", "cluster.members[0]: must be an object"},
        {"cluster.members.0.id", "\"-a\"", "cluster.members[0].id: must be 1 to 63"},
        {"cluster.members.1.id", "\"core-a\"", "cluster.members[1].id: the same as members[0].id"},
        {"cluster.members.1.id", "\"core-b\"",
         "cluster.members[1].id: this is the new core itself"},
        {"cluster.members.1.ip", "\"2001:db8::12\"",
         "cluster.members[1].ip: must be an IPv4 address"},
        {"node.id", "\"\"", "node.id: must be 1 to 63"},
        {"node.id", "\"../../etc\"", "node.id: must be 1 to 63"},
        {"node.id", "\"a.b\"", "node.id: must be 1 to 63"},
        {"node.id", "\"a-\"", "node.id: must be 1 to 63"},
        {"node.id", "\"core-b\\n\"", "node.id: must be 1 to 63"},
        {"node.ip", "\"\"", "node.ip: must be an IPv4 address"},
        {"node.ip", "\"2001:db8::11\"", "node.ip: must be an IPv4 address"},
        {"node.ip", "\"192.0.2.011\"", "node.ip: must be an IPv4 address"},
        {"node.ip", "\"192.0.2\"", "node.ip: must be an IPv4 address"},
        {"node.ip", "\"192.0.2.11 \"", "node.ip: must be an IPv4 address"},
        {"node.ip", "\"core-b.example.test\"", "node.ip: must be an IPv4 address"},
        {"node.ipv6", "\"192.0.2.11\"", "node.ipv6: must be an IPv6 address"},
        {"node.ipv6", "\"2001:DB8::11\"", "node.ipv6: must be an IPv6 address in its canonical"},
        {"node.ipv6", "\"2001:db8:0:0:0:0:0:11\"", "node.ipv6: must be an IPv6 address in its"},
        {"node.ipv6", "\"[2001:db8::11]\"", "node.ipv6: must be an IPv6 address"},
        {"node.ipv6", "\"fe80::1%eth0\"", "node.ipv6: must be an IPv6 address"},
        {"node.hosting", "\"\"", "node.hosting: must be 1 to 256"},
        {"node.hosting", "\"a\\nb\"", "node.hosting: must be 1 to 256"},
        {"node.url", "\"b.example.test\"", "node.url: must be a URL"},
        {"node.certPem", "\"x\"", "node.certPem: "},
        {"node.keyPem", "\"x\"", "node.keyPem: "},
        {"node.keyPem", "\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"",
         "node.keyPem: "},
        {"platformSecrets.auth.adminAccessKey", "\"\"",
         "platformSecrets.auth.adminAccessKey: must be a text of 1 to 4096"},
        {"platformSecrets.letsEncrypt.atRestKey", "\"another\"",
         "platformSecrets.letsEncrypt.atRestKeys[0]: must be the same as atRestKey"},
        {"platformSecrets.letsEncrypt.atRestKeys", "[]",
         "platformSecrets.letsEncrypt.atRestKeys: must not be empty"},
        {"platformSecrets.letsEncrypt.atRestKeys.1", "\"\"",
         "platformSecrets.letsEncrypt.atRestKeys[1]: must be a text"},
        {"platformSecrets.letsEncrypt.atRestKeys.1", "7",
         "platformSecrets.letsEncrypt.atRestKeys[1]: must be a string"},
        {"rqlite.raftPort", "0", "rqlite.raftPort: must be from 1 to 65535"},
        {"rqlite.raftPort", "65536", "rqlite.raftPort: must be from 1 to 65535"},
        {"rqlite.httpPort", "-4001", "rqlite.httpPort: must be from 1 to 65535"},
        {"rqlite.httpPort", "\"4001\"", "rqlite.httpPort: must be a whole number"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refused(rows[i].path, rows[i].value, ERR_MALFORMED, rows[i].says);
    }
}

static void texts_have_a_largest_length(void **state)
{
    static const struct {
        const char *path;
        size_t most;
        char c;
    } rows[] = {
        {"cluster.joinToken", 256, 't'},
        {"cluster.issuer", 63, 'i'},
        {"cluster.members.0.id", 63, 'm'},
        {"node.id", 63, 'n'},
        {"node.hosting", 256, 'h'},
        {"platformSecrets.auth.adminAccessKey", 4096, 'a'},
        {"platformSecrets.platform.piiHmacKey", 4096, 'p'},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        taken(rows[i].path, many(rows[i].most, rows[i].c));
        refused(rows[i].path, many(rows[i].most + 1, rows[i].c), ERR_MALFORMED, "");
    }
    refused("cluster.domain", many(64, 'd'), ERR_MALFORMED, "cluster.domain: ");
    refused("cluster.ca.certPem", many(70000, 'c'), ERR_MALFORMED, "cluster.ca.certPem: ");
    refused("node.keyPem", many(70000, 'c'), ERR_MALFORMED, "node.keyPem: ");
    char url[3000] = "\"https://a.test/";
    memset(url + strlen(url), 'u', 2500);
    strcat(url, "\"");
    refused("node.url", url, ERR_MALFORMED, "node.url: ");
}

static void lists_have_a_largest_length(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        json_t *members = json_array(), *pins = json_array(), *keys = json_array();
        for (size_t i = 0; i < BUNDLE_MEMBERS_MAX + extra; i++) {
            char id[20];
            snprintf(id, sizeof id, "m%zu", i);
            json_array_append_new(members, json_pack("{s:s}", "id", id));
        }
        for (size_t i = 0; i < BUNDLE_PINS_MAX + extra; i++) {
            json_array_append_new(pins,
                                  json_string("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
        }
        for (size_t i = 0; i < SEAL_KEYS_MAX + extra; i++) {
            json_array_append_new(keys, json_string("the key at rest"));
        }
        char *texts[] = {json_dumps(members, 0), json_dumps(pins, 0), json_dumps(keys, 0)};
        static const char *const paths[] = {"cluster.members", "cluster.ackPins",
                                            "platformSecrets.letsEncrypt.atRestKeys"};
        for (size_t i = 0; i < 3; i++) {
            char says[100];
            snprintf(says, sizeof says, "%s: more than", paths[i]);
            if (extra == 0) {
                taken(paths[i], texts[i]);
            } else {
                refused(paths[i], texts[i], ERR_LIMIT, says);
            }
            free(texts[i]);
        }
        json_decref(members);
        json_decref(pins);
        json_decref(keys);
    }
}

static void a_newer_version_is_told_before_all_else(void **state)
{
    struct err_info info = {.text = ""};
    struct bundle b;
    (void)state;
    refused("version", "5", ERR_LIMIT,
            "made by a newer dnsd: the bundle is of version 5, and this one knows 1 to 4; update");
    assert_int_equal(bundle_read("{\"version\":2147483647}", 22, &b, &info), ERR_LIMIT);
    assert_int_equal(bundle_read("{\"version\":2147483648}", 22, &b, &info), ERR_MALFORMED);
}

static void what_is_not_known_is_left_alone(void **state)
{
    (void)state;
    taken("later", "{\"a\":[1,2,{\"b\":null}]}");
    taken("cluster.later", "[[[]]]");
    taken("cluster.members.0.later", "true");
    taken("node.later", "\"x\"");
    taken("platformSecrets.later", "{}");
    taken("rqlite.later", "1e3");
}

/* Before version 4 nobody wrote these; a configuration that came in one is nobody's. */
static void older_versions_need_less(void **state)
{
    static const char *const gone[] = {"expiresAt", "cluster.issuer", "cluster.ackPins",
                                       "cluster.members", "node.ipv6"};
    (void)state;
    for (int version = 1; version <= 3; version++) {
        json_t *root = json_loads(fixture_json, 0, NULL);
        struct err_info info = {.text = ""};
        struct bundle b;
        json_object_set_new(root, "version", json_integer(version));
        for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
            put(root, gone[i], NULL);
        }
        char *text = json_dumps(root, 0);
        assert_int_equal(bundle_read(text, strlen(text), &b, &info), ERR_OK);
        assert_int_equal(b.version, version);
        assert_int_equal(b.expires_ms, 0);
        assert_null(b.config);
        bundle_free(&b);
        free(text);
        json_decref(root);
    }
}

static void texts_that_are_no_object(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        enum err e;
    } rows[] = {
        {"", 0, ERR_MALFORMED},
        {"null", 4, ERR_MALFORMED},
        {"[]", 2, ERR_MALFORMED},
        {"\"the secret\"", 12, ERR_MALFORMED},
        {"{\"version\":4", 12, ERR_MALFORMED},
        {"{\"version\":4}x", 14, ERR_MALFORMED},
        {"{\"version\":4,\"version\":4}", 25, ERR_MALFORMED},
        {"{\"the secret\\u0000\":4}", 22, ERR_MALFORMED},
        {"{\"version\":4,\"node\":\"a\\u0000b\"}", 31, ERR_MALFORMED},
        {"{\"version\":\"\xff\"}", 15, ERR_MALFORMED},
        {"{\"a\":\0}", 7, ERR_MALFORMED},
    };
    struct bundle b;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        assert_int_equal(bundle_read(rows[i].text, rows[i].len, &b, &info), rows[i].e);
        assert_true(strstr(info.text, "secret") == NULL && info.text[0] != '\0');
    }
    char deep[2 * JX_DEPTH_MAX + 20];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    struct err_info info = {.text = ""};
    assert_int_equal(bundle_read(deep, sizeof deep, &b, &info), ERR_LIMIT);
    assert_non_null(strstr(info.text, "deeper than"));
}

/* A sentence about a member is for the terminal and the log. */
static void no_value_is_quoted(void **state)
{
    static const char *const paths[] = {"cluster.joinToken",
                                        "node.keyPem",
                                        "node.id",
                                        "node.ip",
                                        "cluster.ackUrl",
                                        "version",
                                        "platformSecrets.letsEncrypt.atRestKeys.0",
                                        "rqlite.raftPort",
                                        "issuedAt"};
    struct bundle b;
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct err_info info = {.text = ""};
        assert_int_equal(read_with(paths[i], "\"se cret\\n\"", &b, &info), ERR_MALFORMED);
        assert_null(strstr(info.text, "se cret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_of_the_wrong_kind_is_named),
        cmocka_unit_test(a_member_that_makes_no_sense_is_named),
        cmocka_unit_test(texts_have_a_largest_length),
        cmocka_unit_test(lists_have_a_largest_length),
        cmocka_unit_test(a_newer_version_is_told_before_all_else),
        cmocka_unit_test(what_is_not_known_is_left_alone),
        cmocka_unit_test(older_versions_need_less),
        cmocka_unit_test(texts_that_are_no_object),
        cmocka_unit_test(no_value_is_quoted),
    };
    return cmocka_run_group_tests(tests, start, finish);
}

/* dnsd/app/config_bootstrap: the third file, what is shared, what a bundle makes of a configuration. */
#include "dnsd/app/config_bootstrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/file_sys.h"
#include "lib/jx.h"

#define KEY1     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY2     "_____w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8P-__"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];
static char main_path[128], ours_path[128], override_path[128], key_path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dnsd-test-bootstrap-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(main_path, sizeof main_path, "%s/dnsd.yml", folder);
    snprintf(ours_path, sizeof ours_path, "%s/" CONFIG_BOOTSTRAP_FILE, folder);
    snprintf(override_path, sizeof override_path, "%s/override-config.yml", folder);
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(main_path);
    unlink(ours_path);
    unlink(override_path);
    unlink(key_path);
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), ERR_OK);
}

static char *read_file(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, NULL), ERR_OK);
    return (char *)bytes;
}

static void expect_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    jx_wipe(json);
}

static json_t *parsed(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

/* ---- the order of the files -------------------------------------------------------------------- */

static void it_is_read_between_the_two_others(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    write_file(main_path, "core: {id: one}\ndns: {port: 1}\nlog: {level: debug}\n");
    write_file(ours_path, "# x\n{\"core\": {\"id\": \"two\"}, \"dns\": {\"port\": 2}}\n");
    write_file(override_path, "dns: {port: 3}\n");
    assert_int_equal(config_load(main_path, &c, &p), ERR_OK);
    assert_string_equal(c.core.id, "two");
    assert_int_equal(c.dns.port, 3);
    assert_int_equal(c.log.level, LOG_LEVEL_DEBUG);
    assert_string_equal(c.path, main_path);
    config_free(&c);
    config_problems_free(&p);

    char expected[512];
    write_file(ours_path, "# x\n{\"core\":\n {\"idd\": \"two\"}}\n");
    write_file(override_path, "\n\ndns: {prot: 3}\n");
    write_file(main_path, "core: {id: -x}\n");
    snprintf(expected, sizeof expected, "%s:1: core.id: ", main_path);
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 3);
    assert_memory_equal(p.text.text, expected, strlen(expected));
    snprintf(expected, sizeof expected, "\n%s:3: core.idd: unknown key", ours_path);
    assert_non_null(strstr(p.text.text, expected));
    snprintf(expected, sizeof expected, "\n%s:3: dns.prot: unknown key", override_path);
    assert_non_null(strstr(p.text.text, expected));
    config_problems_free(&p);
}

static void without_a_main_file_it_is_enough(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    write_file(ours_path, "{\"core\": {\"id\": \"two\"}}");
    assert_int_equal(config_load(main_path, &c, &p), ERR_OK);
    assert_string_equal(c.core.id, "two");
    config_free(&c);
    config_problems_free(&p);
    /* The override alone is not. */
    unlink(ours_path);
    write_file(override_path, "core: {id: three}");
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_non_null(strstr(p.text.text, "name the file with -c FILE"));
    config_problems_free(&p);
    /* As the main file it is not read a second time. */
    write_file(ours_path, "{\"core\": {\"idd\": \"two\"}}");
    assert_int_equal(config_load(ours_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 1);
    config_problems_free(&p);
    char *path = config_bootstrap_path(ours_path);
    assert_string_equal(path, ours_path);
    free(path);
    path = config_bootstrap_path(main_path);
    assert_string_equal(path, ours_path);
    free(path);
    path = config_bootstrap_path("dnsd.yml");
    assert_string_equal(path, CONFIG_BOOTSTRAP_FILE);
    free(path);
}

static void it_can_be_tried_out(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    write_file(override_path, "dns: {port: 3}");
    write_file(ours_path, "core: {id: stale}");
    json_t *object =
        json_pack("{s:{s:s, s:n}, s:{s:i}}", "core", "id", "two", "ip", "dns", "port", 2);
    assert_int_equal(config_load_with(main_path, object, &c, &p), ERR_OK);
    assert_string_equal(c.core.id, "two");
    assert_int_equal(c.dns.port, 3);
    config_free(&c);
    config_problems_free(&p);
    json_decref(object);
    object = json_pack("{s:{s:s}}", "core", "idd", "two");
    assert_int_equal(config_load_with(main_path, object, &c, &p), ERR_MALFORMED);
    assert_memory_equal(p.text.text, ours_path, strlen(ours_path));
    config_problems_free(&p);
    json_decref(object);
}

/* ---- what is shared ---------------------------------------------------------------------------- */

static void each_cores_own_is_left_out(void **state)
{
    json_t *json = NULL;
    (void)state;
    write_file(
        main_path,
        "core: {id: a, ip: 192.0.2.1}\n"
        "dns: {active: true, domain: a.example, ip: 127.0.0.1, ip6: '::1', port: 5300,\n"
        "      workers: 2, publicIp: 192.0.2.9, defaultTTL: 60, chaos: REPLACE ME,\n"
        "      staticEntries: {www: {a: 192.0.2.3, txt: ['60', yes, 'true']}}}\n"
        "letsEncrypt: {email: a@a.example, certRenewer: true, tlsDir: /t, caFile: /c,\n"
        "              atRestKey: " KEY2 "}\n"
        "auth: {adminAccessKey: '${KEY}', filesReadTokenSecret: x}\n"
        "platform: {piiMode: cleartext}\nhttp: {port: 443}\nuser: dnsd\n"
        "cluster: {tlsDir: /t, discoveryEnabled: false}\n"
        "storages: {platform: {engine: rqlite}, engines: {rqlite: {raftPort: 4102, dataDir: /d,"
        " binPath: /b}}}\n");
    write_file(override_path, "auth: {adminAccessKey: 12}\n");
    struct err_info info = {.text = ""};
    assert_int_equal(config_shared(main_path, &json, &info), ERR_OK);
    expect_json(
        json,
        "{\"auth\":{\"adminAccessKey\":12},\"cluster\":{\"discoveryEnabled\":false},"
        "\"dns\":{\"active\":true,\"defaultTTL\":60,\"domain\":\"a.example\","
        "\"staticEntries\":{\"www\":{\"a\":\"192.0.2.3\",\"txt\":[\"60\",\"yes\",\"true\"]}}},"
        "\"letsEncrypt\":{\"atRestKey\":[\"/////w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8P+/8=\"],"
        "\"email\":\"a@a.example\"},\"platform\":{\"piiMode\":\"cleartext\"},"
        "\"storages\":{\"engines\":{\"rqlite\":{\"raftPort\":4102}}}}");
}

static void keys_come_out_of_their_file(void **state)
{
    json_t *json = NULL;
    char yaml[512];
    (void)state;
    write_file(key_path, "# new\n" KEY1 "\n" KEY2 " # old\n");
    snprintf(yaml, sizeof yaml, "letsEncrypt: {atRestKeyFile: %s}\n", key_path);
    write_file(main_path, yaml);
    assert_int_equal(config_shared(main_path, &json, NULL), ERR_OK);
    expect_json(json, "{\"letsEncrypt\":{\"atRestKey\":[\"" KEY1 "\","
                      "\"/////w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8P+/8=\"]}}");
    unlink(key_path);
    struct err_info info = {.text = ""};
    assert_int_equal(config_shared(main_path, &json, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, key_path));
    write_file(main_path, "log: {}\ndns: {port: x}\n");
    assert_int_equal(config_shared(main_path, &json, &info), ERR_MALFORMED);
    assert_non_null(strstr(info.text, ":2: dns.port: "));
    assert_null(strchr(info.text, '\n'));
    write_file(main_path, "log: {}\n");
    assert_int_equal(config_shared(main_path, &json, &info), ERR_OK);
    expect_json(json, "{}");
}

/* ---- of a bundle ------------------------------------------------------------------------------- */

static struct bundle a_bundle(void)
{
    struct bundle b = {.version = 4};
    b.cluster.domain = (char *)"a.example";
    b.node.id = (char *)"core-b";
    b.node.ip = (char *)"192.0.2.2";
    b.rqlite.raft_port = 4002;
    b.rqlite.http_port = 4001;
    return b;
}

static void version_4_brings_everything(void **state)
{
    struct bundle b = a_bundle();
    (void)state;
    b.secrets.admin_access_key = (char *)"k";
    b.secrets.at_rest_key = (char *)KEY1;
    b.secrets.at_rest_keys = json_pack("[s,s]", KEY1, "second");
    b.cluster.members[0] =
        (struct bundle_member){(char *)"a", (char *)"192.0.2.1", (char *)"2001:db8::1"};
    b.cluster.members[1] = (struct bundle_member){(char *)"c", NULL, (char *)"2001:db8::3"};
    b.cluster.members[2] = (struct bundle_member){(char *)"d", (char *)"192.0.2.1", NULL};
    b.cluster.members[3] = (struct bundle_member){(char *)"e", NULL, NULL};
    b.cluster.members_count = 4;
    b.config =
        parsed("{\"dns\":{\"active\":true,\"domain\":\"other\",\"defaultTTL\":60,\"port\":99},"
               "\"dnsLess\":{\"isActive\":false},\"user\":\"root\","
               "\"core\":{\"id\":\"x\",\"cname\":\"y\"},"
               "\"letsEncrypt\":{\"enabled\":true,\"onRotateScript\":\"/bin/sh\","
               "\"atRestKey\":\"z\"},"
               "\"storages\":{\"engines\":{\"rqlite\":{\"raftPort\":1,\"binPath\":\"/x\"}}},"
               "\"cluster\":{\"discoveryEnabled\":false,\"tlsDir\":\"/x\"}}");
    expect_json(
        config_of_bundle(&b, "/t", false),
        "{\"auth\":{\"adminAccessKey\":\"k\"},"
        "\"cluster\":{\"discoveryEnabled\":true,\"members\":[\"192.0.2.1\",\"2001:db8::3\"],"
        "\"tlsDir\":\"/t\"},"
        "\"core\":{\"hosting\":null,\"id\":\"core-b\",\"ip\":\"192.0.2.2\",\"ipv6\":null,"
        "\"nonVoter\":true,\"url\":null},"
        "\"dns\":{\"active\":true,\"defaultTTL\":60,\"domain\":\"a.example\"},"
        "\"dnsLess\":{\"isActive\":false},"
        "\"letsEncrypt\":{\"atRestKey\":[\"" KEY1 "\",\"second\"],\"certRenewer\":false,"
        "\"enabled\":true},"
        "\"storages\":{\"engines\":{\"rqlite\":{\"raftPort\":4002,\"tls\":{\"caFile\":\"/t/"
        "ca.crt\","
        "\"certFile\":\"/t/node.crt\",\"keyFile\":\"/t/node.key\"}}},"
        "\"platform\":{\"engine\":\"rqlite\"}}}");
    /* What it was made of is still whole. */
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(b.config, "dns"), "domain")), "other");
    json_decref(b.config);
    json_decref(b.secrets.at_rest_keys);
}

static void earlier_versions_bring_what_they_have(void **state)
{
    struct bundle b = a_bundle();
    (void)state;
    b.version = 3;
    b.rqlite.http_port = 4101;
    b.node.url = (char *)"https://b.example";
    b.node.hosting = (char *)"ch";
    b.secrets.admin_access_key = (char *)"k";
    b.secrets.files_read_token_secret = (char *)"f";
    b.secrets.at_rest_key = (char *)KEY1;
    b.secrets.pii_hmac_key = (char *)KEY2;
    expect_json(config_of_bundle(&b, "/t", true),
                "{\"auth\":{\"adminAccessKey\":\"k\",\"filesReadTokenSecret\":\"f\"},"
                "\"cluster\":{\"discoveryEnabled\":true,\"members\":[],\"tlsDir\":\"/t\"},"
                "\"core\":{\"hosting\":\"ch\",\"id\":\"core-b\",\"ip\":\"192.0.2.2\",\"ipv6\":null,"
                "\"nonVoter\":null,\"url\":\"https://b.example\"},"
                "\"dns\":{\"domain\":\"a.example\"},\"dnsLess\":{\"isActive\":false},"
                "\"letsEncrypt\":{\"atRestKey\":\"" KEY1 "\",\"certRenewer\":false},"
                "\"platform\":{\"piiHmacKey\":\"" KEY2 "\"},"
                "\"storages\":{\"engines\":{\"rqlite\":{\"raftPort\":4002,\"tls\":{\"caFile\":\"/t/"
                "ca.crt\","
                "\"certFile\":\"/t/node.crt\",\"keyFile\":\"/t/node.key\"},"
                "\"url\":\"http://localhost:4101\"}},\"platform\":{\"engine\":\"rqlite\"}}}");
}

static json_t *part(json_t *object, const char *key)
{
    json_t *value = json_incref(json_object_get(object, key));
    jx_wipe(object);
    return value;
}

static void without_a_domain(void **state)
{
    struct bundle b = a_bundle();
    (void)state;
    b.cluster.domain = NULL;
    expect_json(part(config_of_bundle(&b, "/t", false), "dnsLess"), "{\"isActive\":true}");
    b.config = parsed("{\"dns\":{\"active\":true,\"domain\":\"x\",\"chaos\":false},"
                      "\"dnsLess\":{\"isActive\":false,\"publicUrl\":\"https://a.example\"}}");
    expect_json(part(config_of_bundle(&b, "/t", false), "dns"),
                "{\"active\":false,\"chaos\":false}");
    expect_json(part(config_of_bundle(&b, "/t", false), "dnsLess"),
                "{\"isActive\":false,\"publicUrl\":\"https://a.example\"}");
    b.node.url = (char *)"https://b.example";
    expect_json(part(config_of_bundle(&b, "/t", false), "dnsLess"),
                "{\"isActive\":false,\"publicUrl\":null}");
    json_decref(b.config);
}

static void members_are_told_in_the_family_that_is_here(void **state)
{
    struct bundle b = a_bundle();
    (void)state;
    b.cluster.members[0] =
        (struct bundle_member){(char *)"a", (char *)"192.0.2.1", (char *)"2001:db8::1"};
    b.cluster.members[1] = (struct bundle_member){(char *)"c", (char *)"192.0.2.3", NULL};
    b.cluster.members_count = 2;
    b.node.ip = NULL;
    b.node.ipv6 = (char *)"2001:db8::2";
    json_t *cluster = part(config_of_bundle(&b, "/t", false), "cluster");
    expect_json(part(cluster, "members"), "[\"2001:db8::1\",\"192.0.2.3\"]");
}

/* ---- the file ---------------------------------------------------------------------------------- */

static void what_is_written_reads_the_same(void **state)
{
    struct config c;
    struct config_problems p;
    struct stat st;
    (void)state;
    json_t *object = config_of_holder("/t");
    assert_int_equal(config_bootstrap_write(main_path, NULL, object, NULL), ERR_OK);
    json_decref(object);
    assert_int_equal(stat(ours_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char *text = read_file(ours_path);
    assert_memory_equal(text, "# Written by dnsd", 17);
    free(text);
    assert_int_equal(config_load(main_path, &c, &p), ERR_OK);
    assert_string_equal(c.storages.rqlite.ca_file, "/t/ca.crt");
    assert_string_equal(c.storages.rqlite.key_file, "/t/node.key");
    config_free(&c);
    config_problems_free(&p);

    /* Members that the next one says nothing of are kept; null takes away. */
    object = parsed(
        "{\"core\":{\"id\":\"b\",\"url\":\"https://b.example\"},\"log\":{\"level\":\"debug\"}}");
    assert_int_equal(config_bootstrap_write(main_path, NULL, object, NULL), ERR_OK);
    json_decref(object);
    object = parsed("{\"core\":{\"url\":null,\"ip\":null},\"log\":{\"format\":\"json\"}}");
    assert_int_equal(config_bootstrap_write(main_path, NULL, object, NULL), ERR_OK);
    json_decref(object);
    text = read_file(ours_path);
    expect_json(parsed(strchr(text, '\n')),
                "{\"core\":{\"id\":\"b\"},\"log\":{\"format\":\"json\",\"level\":\"debug\"},"
                "\"storages\":{\"engines\":{\"rqlite\":{\"tls\":{\"caFile\":\"/t/ca.crt\","
                "\"certFile\":\"/t/node.crt\",\"keyFile\":\"/t/node.key\"}}}}}");
    free(text);
}

static void a_strange_file_is_left_alone(void **state)
{
    static const char *const files[] = {"core: x\n", "[]", "", "{", "# only this", "{}{}"};
    struct err_info info = {.text = ""};
    json_t *object = config_of_holder("/t");
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        write_file(ours_path, files[i]);
        assert_int_equal(config_bootstrap_write(main_path, NULL, object, &info), ERR_MALFORMED);
        assert_non_null(strstr(info.text, ours_path));
        char *text = read_file(ours_path);
        assert_string_equal(text, files[i]);
        free(text);
    }
    json_decref(object);
}

static void errors_leave_what_was_there(void **state)
{
    struct err_info info = {.text = ""};
    json_t *object = config_of_holder("/t");
    (void)state;
    assert_int_equal(mkdir(ours_path, 0700), 0);
    assert_int_not_equal(config_bootstrap_write(main_path, NULL, object, &info), ERR_OK);
    assert_non_null(strstr(info.text, ours_path));
    assert_int_equal(rmdir(ours_path), 0);
    if (geteuid() == 0) {
        assert_int_equal(config_bootstrap_write(main_path, "no-such-account", object, &info),
                         ERR_NOTFOUND);
        assert_non_null(strstr(info.text, "no-such-account"));
        assert_int_not_equal(access(ours_path, F_OK), 0);
    }
    json_decref(object);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_read_between_the_two_others),
        TEST(without_a_main_file_it_is_enough),
        TEST(it_can_be_tried_out),
        TEST(each_cores_own_is_left_out),
        TEST(keys_come_out_of_their_file),
        TEST(version_4_brings_everything),
        TEST(earlier_versions_bring_what_they_have),
        TEST(without_a_domain),
        TEST(members_are_told_in_the_family_that_is_here),
        TEST(what_is_written_reads_the_same),
        TEST(a_strange_file_is_left_alone),
        TEST(errors_leave_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

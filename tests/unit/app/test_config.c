/* dnsd/app/config: every key arrives in its field, defaults, files and the override, fallbacks. */
#include "dnsd/app/config_priv.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"

#define KEY1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY2 "_____w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8P-__"

static char folder[] = "/tmp/dnsd-test-config-XXXXXX";
static char main_path[128];
static char override_path[128];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(main_path, sizeof main_path, "%s/dnsd.yml", folder);
    snprintf(override_path, sizeof override_path, "%s/override-config.yml", folder);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(main_path);
    unlink(override_path);
    return 0;
}

static int remove_folder(void **state)
{
    return remove_files(state) != 0 ? -1 : rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* Loads YAML from memory; it must be good. */
static struct config good(const char *yaml)
{
    struct config config = {.path = NULL};
    struct config_problems problems = {.count = 0};
    struct cfg *c = cfg_new();
    cfg_add(c, "f.yml", yaml, strlen(yaml));
    enum err e = config_from_cfg(c, &config, &problems);
    assert_string_equal(problems.text.text != NULL ? problems.text.text : "", "");
    assert_int_equal(e, ERR_OK);
    assert_int_equal(problems.count, 0);
    config_problems_free(&problems);
    cfg_free(c);
    return config;
}

static void expect_list(const struct config_list *list, size_t count, const char *first,
                        const char *last)
{
    assert_int_equal(list->count, count);
    if (count > 0) {
        assert_string_equal(list->items[0], first);
        assert_string_equal(list->items[count - 1], last);
    }
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct config c = good("");
    (void)state;
    assert_string_equal(c.core.id, "single");
    assert_null(c.core.ip);
    assert_true(c.core.available);
    assert_false(c.core.non_voter);
    assert_false(c.dns.active);
    assert_null(c.dns.domain_text);
    assert_int_equal(c.dns.port, 53);
    expect_list(&c.dns.ip, 1, "0.0.0.0", "0.0.0.0");
    expect_list(&c.dns.ip6, 0, NULL, NULL);
    assert_int_equal(c.dns.default_ttl_s, 300);
    assert_int_equal(c.dns.workers, 0);
    assert_int_equal(c.dns.wildcard, CONFIG_WILDCARD_USERS);
    expect_list(&c.dns.service_names, 3, "reg", "mfa");
    assert_int_equal(c.dns.nameservers.count, 0);
    assert_int_equal(c.dns.static_entries.count, 0);
    assert_int_equal(c.dns.root.count, 0);
    assert_null(c.dns.soa.primary);
    assert_int_equal(c.dns.soa.serial, -1);
    assert_int_equal(c.dns.soa.minimum_s, -1);
    assert_true(c.dns.chaos);
    assert_false(c.dns_less.is_active);
    assert_false(c.lets_encrypt.enabled);
    assert_false(c.lets_encrypt.cert_renewer_set);
    assert_int_equal(c.lets_encrypt.renew_before_days, -1);
    assert_int_equal(c.lets_encrypt.at_rest_keys.count, 0);
    assert_string_equal(c.lets_encrypt.tls_dir, "/var/lib/dnsd/tls");
    assert_int_equal(c.http.port, 0);
    assert_int_equal(c.http.challenge_port, 0);
    assert_int_equal(c.http.dot_port, 0);
    assert_null(c.auth.admin_access_key);
    assert_string_equal(c.cluster.ca_path, "/var/lib/dnsd/ca");
    assert_string_equal(c.cluster.tls_dir, "/var/lib/dnsd/cluster");
    assert_int_equal(c.cluster.members.count, 0);
    assert_int_equal(c.cluster.join_port, 9090);
    assert_false(c.storages.engine_rqlite);
    assert_string_equal(c.storages.sqlite_path, "/var/lib/dnsd/platform.db");
    assert_string_equal(c.storages.rqlite.url, "http://localhost:4001");
    assert_string_equal(c.storages.rqlite.bin_path, "rqlited");
    assert_string_equal(c.storages.rqlite.data_dir, "/var/lib/dnsd/rqlite");
    assert_int_equal(c.storages.rqlite.raft_port, 4002);
    assert_true(c.storages.rqlite.verify_client);
    assert_false(c.platform.pii_hashed);
    assert_int_equal(c.log.level, LOG_LEVEL_INFO);
    assert_int_equal(c.log.format, LOG_FORMAT_TEXT);
    assert_null(c.user);
    config_free(&c);
}

static void core_and_dns_keys_arrive(void **state)
{
    struct config c = good("core:\n"
                           "  id: 7\n" /* a number is a fine text */
                           "  ip: 192.0.2.1\n"
                           "  ipv6: 2001:db8::1\n"
                           "  cname: host.example.org\n"
                           "  url: https://core.example.org:8443/base///\n"
                           "  hosting: eu-1\n"
                           "  available: no\n"
                           "  nonVoter: on\n"
                           "dns:\n"
                           "  active: yes\n"
                           "  domain: MC.Example.COM.\n"
                           "  port: 0\n"
                           "  ip: [127.0.0.1, 127.0.0.2]\n"
                           "  ip6: '::1'\n"
                           "  publicIp: 192.0.2.99\n"
                           "  defaultTTL: 0\n"
                           "  workers: 3\n"
                           "  wildcard: cores\n"
                           "  serviceNames: [REG, www]\n"
                           "  nameservers: {NS1: core-a, ns2: Core-B}\n"
                           "  chaos: off\n");
    (void)state;
    assert_string_equal(c.core.id, "7");
    assert_string_equal(c.core.ip, "192.0.2.1"); /* publicIp is only the fallback */
    assert_string_equal(c.core.ipv6, "2001:db8::1");
    assert_string_equal(c.core.cname, "host.example.org");
    assert_string_equal(c.core.url, "https://core.example.org:8443/base");
    assert_string_equal(c.core.hosting, "eu-1");
    assert_false(c.core.available);
    assert_true(c.core.non_voter);
    assert_true(c.dns.active);
    assert_string_equal(c.dns.domain_text, "mc.example.com");
    assert_int_equal(c.dns.domain.labels, 3);
    assert_memory_equal(c.dns.domain.bytes, "\2mc\7example\3com", c.dns.domain.len);
    assert_int_equal(c.dns.port, 0);
    expect_list(&c.dns.ip, 2, "127.0.0.1", "127.0.0.2");
    expect_list(&c.dns.ip6, 1, "::1", "::1");
    assert_int_equal(c.dns.default_ttl_s, 0);
    assert_int_equal(c.dns.workers, 3);
    assert_int_equal(c.dns.wildcard, CONFIG_WILDCARD_CORES);
    expect_list(&c.dns.service_names, 2, "reg", "www");
    assert_int_equal(c.dns.nameservers.count, 2);
    assert_string_equal(c.dns.nameservers.items[0].key, "ns1");
    assert_string_equal(c.dns.nameservers.items[1].value, "Core-B");
    assert_false(c.dns.chaos);
    config_free(&c);
}

static void certificate_keys_arrive(void **state)
{
    struct config c = good("dns: {active: true, domain: d.example}\n"
                           "letsEncrypt:\n"
                           "  enabled: true\n"
                           "  email: o'neil+x@example.org\n"
                           "  atRestKey: [" KEY1 ", " KEY2 "]\n"
                           "  certRenewer: false\n"
                           "  staging: true\n"
                           "  directoryUrl: https://[::1]:14000/dir\n"
                           "  caFile: /ca.pem\n"
                           "  profile: shortlived\n"
                           "  eab: {kid: 12, hmacKey: abc}\n"
                           "  preferredChain: Some Root X1\n"
                           "  tlsDir: tls\n"
                           "  onRotateScript: /bin/true\n"
                           "  caa: letsencrypt.org\n"
                           "  renewBeforeDays: 30\n");
    (void)state;
    assert_true(c.lets_encrypt.enabled);
    assert_string_equal(c.lets_encrypt.email, "o'neil+x@example.org");
    /* Both alphabets leave in the common one, padded. */
    expect_list(&c.lets_encrypt.at_rest_keys, 2, KEY1,
                "/////w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8P+/8=");
    assert_false(c.lets_encrypt.cert_renewer);
    assert_true(c.lets_encrypt.cert_renewer_set);
    assert_true(c.lets_encrypt.staging);
    assert_string_equal(c.lets_encrypt.directory_url, "https://[::1]:14000/dir");
    assert_string_equal(c.lets_encrypt.ca_file, "/ca.pem");
    assert_string_equal(c.lets_encrypt.profile, "shortlived");
    assert_string_equal(c.lets_encrypt.eab_kid, "12");
    assert_string_equal(c.lets_encrypt.eab_hmac_key, "abc");
    assert_string_equal(c.lets_encrypt.preferred_chain, "Some Root X1");
    assert_string_equal(c.lets_encrypt.tls_dir, "tls");
    assert_string_equal(c.lets_encrypt.on_rotate_script, "/bin/true");
    assert_string_equal(c.lets_encrypt.caa, "letsencrypt.org");
    assert_int_equal(c.lets_encrypt.renew_before_days, 30);
    assert_int_equal(c.http.challenge_port, 80);
    config_free(&c);
    c = good("letsEncrypt: {atRestKeyFile: /k, certRenewer: true}\n");
    assert_string_equal(c.lets_encrypt.at_rest_key_file, "/k");
    assert_true(c.lets_encrypt.cert_renewer);
    config_free(&c);
}

static void the_other_keys_arrive(void **state)
{
    struct config c = good("dnsLess: {isActive: true, publicUrl: 'http://h.example/'}\n"
                           "http:\n"
                           "  ip: '::1'\n"
                           "  port: 3000\n"
                           "  ssl: {certFile: c, keyFile: k, tlsDir: other}\n"
                           "  challengePort: 0\n"
                           "  dotPort: 853\n"
                           "auth: {adminAccessKey: s3cret, filesReadTokenSecret: x}\n"
                           "cluster: {ca: {path: /ca}, discoveryEnabled: true, joinPort: 1}\n"
                           "storages:\n"
                           "  platform: {engine: rqlite}\n"
                           "  engines:\n"
                           "    sqlite: {path: x.db}\n"
                           "    rqlite:\n"
                           "      url: http://user:pass@127.0.0.1:4001\n"
                           "      external: true\n"
                           "      binPath: b\n"
                           "      dataDir: data\n"
                           "      raftPort: 5\n"
                           "      tls: {caFile: a, certFile: b, keyFile: c, verifyClient: no}\n"
                           "platform: {piiMode: hashed, piiHmacKey: " KEY1 "}\n"
                           "log: {level: debug, format: json}\n"
                           "user: dnsd\n");
    (void)state;
    assert_true(c.dns_less.is_active);
    assert_string_equal(c.dns_less.public_url, "http://h.example");
    assert_string_equal(c.http.ip, "::1");
    assert_int_equal(c.http.port, 3000);
    assert_string_equal(c.http.cert_file, "c");
    assert_string_equal(c.http.key_file, "k");
    assert_int_equal(c.http.challenge_port, 0);
    assert_int_equal(c.http.dot_port, 853);
    assert_string_equal(c.auth.admin_access_key, "s3cret");
    assert_string_equal(c.cluster.ca_path, "/ca");
    assert_true(c.cluster.discovery_enabled);
    assert_int_equal(c.cluster.join_port, 1);
    assert_true(c.storages.engine_rqlite);
    assert_string_equal(c.storages.sqlite_path, "x.db");
    assert_string_equal(c.storages.rqlite.url, "http://user:pass@127.0.0.1:4001");
    assert_true(c.storages.rqlite.external);
    assert_string_equal(c.storages.rqlite.bin_path, "b");
    assert_string_equal(c.storages.rqlite.data_dir, "data");
    assert_int_equal(c.storages.rqlite.raft_port, 5);
    assert_string_equal(c.storages.rqlite.ca_file, "a");
    assert_string_equal(c.storages.rqlite.cert_file, "b");
    assert_string_equal(c.storages.rqlite.key_file, "c");
    assert_false(c.storages.rqlite.verify_client);
    assert_true(c.platform.pii_hashed);
    assert_string_equal(c.platform.pii_hmac_key, KEY1);
    assert_int_equal(c.log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(c.log.format, LOG_FORMAT_JSON);
    assert_string_equal(c.user, "dnsd");
    config_free(&c);
}

static void the_predecessors_address_is_the_fallback(void **state)
{
    struct config c = good("dns: {publicIp: 192.0.2.99}\n");
    (void)state;
    assert_string_equal(c.core.ip, "192.0.2.99");
    config_free(&c);
}

static void explicit_empty_lists_are_empty(void **state)
{
    struct config c = good("dns: {ip: [], ip6: ['::1'], serviceNames: []}\n");
    (void)state;
    assert_int_equal(c.dns.ip.count, 0);
    assert_int_equal(c.dns.ip6.count, 1);
    assert_int_equal(c.dns.service_names.count, 0);
    config_free(&c);
}

static void the_override_wins_and_keeps_its_own_lines(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    write_file(main_path, "core: {id: core-a}\ndns:\n  port: 5300\n  domain: a.example\n");
    write_file(override_path, "# mine\ndns:\n  port: 5301\ncore:\n  id: REPLACE ME\n");
    assert_int_equal(config_load(main_path, &c, &p), ERR_OK);
    assert_string_equal(c.path, main_path);
    assert_int_equal(c.dns.port, 5301);
    assert_string_equal(c.dns.domain_text, "a.example");
    assert_string_equal(c.core.id, "core-a");
    config_free(&c);
    config_problems_free(&p);

    char expected[1024];
    write_file(override_path, "dns:\n\n  port: x\n  domian: y\n");
    write_file(main_path, "core: {id: -a}\n");
    snprintf(expected, sizeof expected,
             "%s:1: core.id: \"-a\" must be one label: letters, digits and '-' (not first, not "
             "last), at most 63\n"
             "%s:3: dns.port: \"x\" is not a whole number; 0 to 65535 is allowed\n"
             "%s:4: dns.domian: unknown key; did you mean `domain`?\n",
             main_path, override_path, override_path);
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 3);
    assert_string_equal(p.text.text, expected);
    static const struct config zero;
    assert_memory_equal(&c, &zero, sizeof c);
    config_problems_free(&p);
}

static void files_that_cannot_be_read_are_problems(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 1);
    assert_memory_equal(p.text.text, main_path, strlen(main_path));
    assert_non_null(strstr(p.text.text, ":1: cannot open "));
    assert_non_null(strstr(p.text.text, "No such file or directory; name the file with -c FILE"));
    config_problems_free(&p);

    /* Without one of the files what is missing is unknown: only the true problem is told. */
    write_file(main_path, "dns: {active: true}\n");
    assert_int_equal(mkdir(override_path, 0700), 0);
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 1);
    assert_memory_equal(p.text.text, override_path, strlen(override_path));
    assert_non_null(strstr(p.text.text, "Is a directory"));
    config_problems_free(&p);
    assert_int_equal(rmdir(override_path), 0);

    write_file(main_path, "dns:\n  active: [true\n");
    assert_int_equal(config_load(main_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 1);
    assert_non_null(strstr(p.text.text, ":3: YAML: "));
    config_problems_free(&p);
}

static void the_path_comes_from_the_environment_if_not_given(void **state)
{
    struct config c;
    struct config_problems p;
    (void)state;
    write_file(override_path, "core: {id: from-env}\n");
    assert_int_equal(setenv("DNSD_CONFIG", override_path, 1), 0); /* an override beside itself */
    enum err e = config_load(NULL, &c, &p);
    unsetenv("DNSD_CONFIG");
    assert_int_equal(e, ERR_OK);
    assert_string_equal(c.core.id, "from-env");
    assert_string_equal(c.path, override_path);
    config_free(&c);
    config_problems_free(&p);
    write_file(override_path, "core: [\n");
    assert_int_equal(config_load(override_path, &c, &p), ERR_MALFORMED);
    assert_int_equal(p.count, 1); /* not laid over itself */
    config_problems_free(&p);
}

static void the_state_dir_follows_the_store(void **state)
{
    static const struct {
        const char *yaml, *dir;
    } rows[] = {
        {"", "/var/lib/dnsd"},
        {"storages: {engines: {sqlite: {path: a.db}}}", "."},
        {"storages: {engines: {sqlite: {path: ./b/a.db}}}", "./b"},
        {"storages: {engines: {sqlite: {path: /a.db}}}", "/"},
        {"storages: {platform: {engine: rqlite}}", "/var/lib/dnsd/rqlite/dnsd"},
        {"storages: {platform: {engine: rqlite}, engines: {rqlite: {dataDir: d/e}}}", "d/e/dnsd"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c = good(rows[i].yaml);
        char *dir = config_state_dir(&c);
        assert_string_equal(dir, rows[i].dir);
        free(dir);
        config_free(&c);
    }
}

static void freeing_nothing_is_fine(void **state)
{
    struct config c = {.path = NULL};
    struct config_problems p = {.count = 0};
    (void)state;
    config_free(&c);
    config_free(&c);
    config_free(NULL);
    config_problems_free(&p);
    config_problems_free(NULL);
}

/* The part of the platform's own file that dnsd shares, with what it does not use. */
static void the_platforms_own_file_is_readable(void **state)
{
    static const char yaml[] =
        "dnsLess: {isActive: false}\n"
        "reporting: {templateVersion: '1.0.0'}\n"
        "http: {ip: 127.0.0.1, port: 3000, hfsPort: 4000, trustedProxies: [loopback]}\n"
        "storages:\n"
        "  base: {engine: postgresql}\n"
        "  platform: {engine: rqlite, integrityCheckIntervalMs: 3600000}\n"
        "  contentIndexes: []\n"
        "  engines:\n"
        "    postgresql: {host: 127.0.0.1, port: 5432, user: u}\n"
        "    sqlite: {path: REPLACE ME}\n"
        "    rqlite:\n"
        "      url: http://localhost:4001\n"
        "      httpBindAddr: null\n"
        "      readyTimeoutMs: 30000\n"
        "      tls: null\n"
        "auth: {filesReadTokenSecret: REPLACE ME, adminAccessKey: x}\n"
        "oauth: {accessTokenTTL: 3600}\n"
        "logs: {console: {active: false}}\n"
        "uploads: {maxSizeMb: 50}\n"
        "core: {id: single, ip: null, ipv6: null, cname: null, hosting: null}\n"
        "dns:\n"
        "  domain: mc.example.com\n"
        "  active: true\n"
        "  publicIp: 192.0.2.1\n"
        "  tcpMaxConnections: 64\n"
        "  staticEntries: {}\n"
        "  records: {root: {a: [], ns: [], mx: [], txt: [], caa: [], soa: null}}\n"
        "hostings: {regions: {}}\n"
        "cluster:\n"
        "  apiWorkers: 2\n"
        "  previewsWorker: true\n"
        "  ca: {path: /etc/pryv/ca}\n"
        "  tokens: {path: /x}\n"
        "platform: {piiMode: cleartext, piiHmacKey: '', piiAlgorithm: h}\n"
        "letsEncrypt: {enabled: false, email: null, atRestKey: REPLACE ME}\n";
    static const char *const told[] = {"storages.engines.rqlite.readyTimeoutMs: has no effect here",
                                       "dns.tcpMaxConnections: has no effect here",
                                       ": hostings: has no effect here",
                                       "cluster.apiWorkers: has no effect here",
                                       "cluster.tokens.path: has no effect here",
                                       "platform.piiAlgorithm: has no effect here"};
    struct config config = {.path = NULL};
    struct config_problems problems = {.count = 0};
    struct cfg *c = cfg_new();
    (void)state;
    cfg_add(c, "f.yml", yaml, sizeof yaml - 1);
    enum err e = config_from_cfg(c, &config, &problems);
    assert_string_equal(problems.text.text != NULL ? problems.text.text : "", "");
    assert_int_equal(e, ERR_OK);
    assert_non_null(problems.notes.text);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        assert_non_null(strstr(problems.notes.text, told[i]));
    }
    assert_null(strstr(problems.notes.text, "hfsPort"));
    assert_null(strstr(problems.notes.text, "oauth"));
    assert_string_equal(config.core.ip, "192.0.2.1");
    assert_true(config.storages.engine_rqlite);
    config_problems_free(&problems);
    config_free(&config);
    cfg_free(c);
}

#define ENTRIES 10000

/* Loading must stay linear: a reload of a large file may not take seconds. */
static void ten_thousand_static_entries_load_quickly(void **state)
{
    struct str s = {.text = NULL};
    (void)state;
    str_append(&s, "dns:\n  domain: mc.example.com\n  staticEntries:\n");
    for (unsigned i = 0; i < ENTRIES; i++) {
        str_appendf(&s, "    n%u.sub: {a: [192.0.2.%u], txt: [\"v=%u\"], ttl: %u}\n",
                    (i * 7919) % ENTRIES, i % 256, i, i);
    }
    int64_t start = clk_mono_ms(&clk_system);
    struct config c = good(s.text);
    int64_t took = clk_mono_ms(&clk_system) - start;
    assert_int_equal(c.dns.static_entries.count, ENTRIES);
    for (size_t i = 1; i < ENTRIES; i++) {
        assert_int_equal(c.dns.static_entries.items[i].records.count, 2);
    }
    /* About 0.3 s with sanitizers; a quadratic step would take minutes. */
    assert_true(took < 15000);
    config_free(&c);
    str_free(&s);
}

static void *load_main(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < 50; i++) {
        struct config c;
        struct config_problems p;
        if (config_load(main_path, &c, &p) != ERR_OK || c.dns.static_entries.count != 1) {
            return (void *)main_path;
        }
        config_free(&c);
        config_problems_free(&p);
    }
    return NULL;
}

static void threads_may_load_at_once(void **state)
{
    pthread_t threads[4];
    (void)state;
    write_file(main_path, "dns: {domain: a.example, staticEntries: {www: {a: 192.0.2.1}}}\n");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load_main, NULL), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(core_and_dns_keys_arrive),
        cmocka_unit_test(certificate_keys_arrive),
        cmocka_unit_test(the_other_keys_arrive),
        cmocka_unit_test(the_predecessors_address_is_the_fallback),
        cmocka_unit_test(explicit_empty_lists_are_empty),
        cmocka_unit_test_teardown(the_override_wins_and_keeps_its_own_lines, remove_files),
        cmocka_unit_test_teardown(files_that_cannot_be_read_are_problems, remove_files),
        cmocka_unit_test_teardown(the_path_comes_from_the_environment_if_not_given, remove_files),
        cmocka_unit_test(the_state_dir_follows_the_store),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(the_platforms_own_file_is_readable),
        cmocka_unit_test(ten_thousand_static_entries_load_quickly),
        cmocka_unit_test_teardown(threads_may_load_at_once, remove_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

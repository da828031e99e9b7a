/* dnsd/app/config_certs: which certificate, which directory, which keys. */
#include "dnsd/app/config_certs.h"

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

#include "dnsd/app/config_priv.h"
#include "lib/file_sys.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ONE "//////////////////////////////////////////8="

static enum err load(const char *yaml, struct config *config, struct config_problems *problems)
{
    struct cfg *c = cfg_new();
    *config = (struct config){.path = NULL};
    *problems = (struct config_problems){.count = 0};
    cfg_add(c, "f", yaml, strlen(yaml));
    enum err e = config_from_cfg(c, config, problems);
    cfg_free(c);
    return e;
}

static void must_load(const char *yaml, struct config *config)
{
    struct config_problems problems;
    if (load(yaml, config, &problems) != ERR_OK) {
        fail_msg("%s", problems.text.text);
    }
    config_problems_free(&problems);
}

#define ON "letsEncrypt: {enabled: true, email: a@example.com, atRestKey: " KEY "}\n"

static void names_follow_from_the_topology(void **state)
{
    static const struct {
        const char *yaml, *hostname, *second;
        enum config_proof proof;
    } cases[] = {
        {ON "dns: {active: true, domain: MC.example.com.}\ncore: {ip: 192.0.2.1}",
         "*.mc.example.com", "mc.example.com", CONFIG_PROOF_DNS},
        {ON "dns: {active: true, domain: mc.example.com}\n"
            "core: {ip: 192.0.2.1, url: 'https://one.example.net'}",
         "*.mc.example.com", "mc.example.com", CONFIG_PROOF_DNS},
        {ON "dnsLess: {isActive: true, publicUrl: 'https://Host.Example.com:8443/x'}",
         "host.example.com", NULL, CONFIG_PROOF_HTTP},
        {ON "core: {url: 'https://one.example.net/'}", "one.example.net", NULL, CONFIG_PROOF_HTTP},
        {ON "core: {url: 'https://one.example.net'}\nhttp: {challengePort: 0, port: 443}",
         "one.example.net", NULL, CONFIG_PROOF_ALPN},
        {ON "core: {url: 'https://one.example.net'}\n"
            "dnsLess: {isActive: true, publicUrl: 'https://two.example.net'}",
         "two.example.net", NULL, CONFIG_PROOF_HTTP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct config_cert cert;
        must_load(cases[i].yaml, &config);
        assert_int_equal(config_cert(&config, &cert, NULL), ERR_OK);
        assert_string_equal(cert.hostname, cases[i].hostname);
        assert_string_equal(cert.names[0], cases[i].hostname);
        assert_int_equal(cert.count, cases[i].second != NULL ? 2 : 1);
        if (cases[i].second != NULL) {
            assert_string_equal(cert.names[1], cases[i].second);
        }
        assert_int_equal(cert.proof, cases[i].proof);
        config_cert_free(&cert);
        config_free(&config);
    }
}

static void what_cannot_be_had_is_told_at_the_start(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {ON, "f:1: letsEncrypt.enabled: no name to get a certificate for; set dns.active with "
             "dns.domain, dnsLess.publicUrl or core.url\n"},
        {ON "core: {url: 'https://192.0.2.1'}",
         "f:1: letsEncrypt.enabled: core.url: no certificate can be had for `192.0.2.1`: a name "
         "like core.example.com is needed\n"},
        {ON "core: {url: 'https://localhost'}",
         "f:1: letsEncrypt.enabled: core.url: no certificate can be had for `localhost`: a name "
         "like core.example.com is needed\n"},
        {ON "core: {url: 'https://one.example.net'}\nhttp: {challengePort: 0}",
         "f:1: letsEncrypt.enabled: nothing could prove that one.example.net is ours: set "
         "http.challengePort (80) for HTTP-01, or http.port (443) for TLS-ALPN-01\n"},
        {"letsEncrypt: {resolvers: [192.0.2.1, '192.0.2.1:70000']}",
         "f:1: letsEncrypt.resolvers[1]: \"192.0.2.1:70000\" must be an address, perhaps with a "
         "port: "
         "192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53\n"},
        {"letsEncrypt: {resolvers: ['2001:db8::1:x']}", "must be an address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct config_problems problems;
        assert_int_equal(load(cases[i].yaml, &config, &problems), ERR_MALFORMED);
        if (strstr(problems.text.text, cases[i].problem) == NULL) {
            fail_msg("expected\n%sgot\n%s", cases[i].problem, problems.text.text);
        }
        config_problems_free(&problems);
    }
}

static void directories(void **state)
{
    static const struct {
        const char *yaml, *directory, *staging;
    } cases[] = {
        {"", CONFIG_LE_PRODUCTION, CONFIG_LE_STAGING},
        {"letsEncrypt: {staging: true}", CONFIG_LE_STAGING, NULL},
        {"letsEncrypt: {directoryUrl: 'https://ca.example/d'}", "https://ca.example/d", NULL},
        {"letsEncrypt: {directoryUrl: 'https://ca.example/d', staging: true}",
         "https://ca.example/d", NULL},
        {"letsEncrypt: {directoryUrl: 'https://ca.example/d', stagingUrl: 'https://ca.example/s'}",
         "https://ca.example/d", "https://ca.example/s"},
        {"letsEncrypt: {stagingUrl: 'https://ca.example/s', staging: true}", "https://ca.example/s",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        must_load(cases[i].yaml, &config);
        assert_string_equal(config_directory(&config), cases[i].directory);
        if (cases[i].staging == NULL) {
            assert_null(config_staging(&config));
        } else {
            assert_string_equal(config_staging(&config), cases[i].staging);
        }
        config_free(&config);
    }
}

/* ---- keys ------------------------------------------------------------------------------------- */

static void resolvers_of_every_form(void **state)
{
    struct config config;
    (void)state;
    must_load("letsEncrypt: {resolvers: [192.0.2.1, '192.0.2.1:5353', '2001:db8::1', "
              "'[2001:db8::1]', '[2001:db8::1]:53']}",
              &config);
    assert_int_equal(config.lets_encrypt.resolvers.count, 5);
    config_free(&config);
}

static void keys_in_the_configuration(void **state)
{
    struct config config;
    struct config_list keys;
    (void)state;
    /* The last digit's odd bits mean nothing; strict decoders want them zero. */
    must_load("letsEncrypt: {atRestKey: ['__________________________________________9', " KEY "]}",
              &config);
    assert_int_equal(config_keys_read(&config, &keys, NULL), ERR_OK);
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.items[0], ONE);
    assert_string_equal(keys.items[1], KEY);
    config_keys_free(&keys);
    config_free(&config);
}

struct key_file {
    char path[64];
    struct config config;
    struct config_list keys;
    struct err_info info;
};

static enum err read_file(struct key_file *f, const char *text, unsigned mode)
{
    char yaml[128];
    snprintf(f->path, sizeof f->path, "/tmp/dnsd-keys-%d", (int)getpid());
    assert_int_equal(file_replace(f->path, text, strlen(text), mode, NULL), ERR_OK);
    snprintf(yaml, sizeof yaml, "letsEncrypt: {atRestKeyFile: %s}", f->path);
    must_load(yaml, &f->config);
    f->info.text[0] = '\0';
    enum err e = config_keys_read(&f->config, &f->keys, &f->info);
    config_free(&f->config);
    unlink(f->path);
    return e;
}

static void keys_in_a_file(void **state)
{
    struct key_file f;
    (void)state;
    assert_int_equal(read_file(&f, "# the new one\n\n  " KEY "\r\n" ONE " # the old one", 0600),
                     ERR_OK);
    assert_int_equal(f.keys.count, 2);
    assert_string_equal(f.keys.items[0], KEY);
    assert_string_equal(f.keys.items[1], ONE);
    config_keys_free(&f.keys);
    assert_int_equal(read_file(&f, KEY "\nhunter2\n", 0600), ERR_MALFORMED);
    assert_non_null(strstr(f.info.text, ":2: "));
    assert_null(strstr(f.info.text, "hunter2"));
    assert_int_equal(f.keys.count, 0);
    assert_int_equal(read_file(&f, "# nothing\n", 0600), ERR_MALFORMED);
    assert_int_equal(read_file(&f, KEY "\n", 0604), ERR_DENIED);
    assert_non_null(strstr(f.info.text, "chmod 600"));
    assert_int_equal(read_file(&f, KEY "\n", 0640), ERR_OK);
    config_keys_free(&f.keys);
}

static void a_key_file_that_is_not_there(void **state)
{
    struct config config;
    struct config_list keys;
    struct err_info info = {.text = ""};
    (void)state;
    must_load("letsEncrypt: {atRestKeyFile: /nowhere/key}", &config);
    assert_int_equal(config_keys_read(&config, &keys, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "/nowhere/key"));
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_from_the_topology),
        cmocka_unit_test(what_cannot_be_had_is_told_at_the_start),
        cmocka_unit_test(directories),
        cmocka_unit_test(resolvers_of_every_form),
        cmocka_unit_test(keys_in_the_configuration),
        cmocka_unit_test(keys_in_a_file),
        cmocka_unit_test(a_key_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

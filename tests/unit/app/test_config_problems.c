/* dnsd/app/config: what is wrong is told as `file:line: key: what is wrong and what would be
 * right`, all of it, and never a secret. */
#include "dnsd/app/config_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define BAD_LABEL "must be one label: letters, digits and '-' (not first, not last), at most 63"
#define BAD_HOST                                                                                   \
    "must be a name like mc.example.com: labels of letters, digits and '-' (not first, not "       \
    "last), "                                                                                      \
    "at most 63 each"
#define BAD_URL "must be a URL: http:// or https://, a host, then perhaps :port and a path"
#define BAD_KEY "must be base64 of exactly 32 bytes, as `openssl rand -base64 32` makes it"

static enum err load(const char *yaml, struct config_problems *problems)
{
    struct config config = {.path = NULL};
    struct cfg *c = cfg_new();
    *problems = (struct config_problems){.count = 0};
    cfg_add(c, "f", yaml, strlen(yaml));
    enum err e = config_from_cfg(c, &config, problems);
    config_free(&config);
    cfg_free(c);
    return e;
}

static const char *text_of(const struct str *s)
{
    return s->text != NULL ? s->text : "";
}

/* One problem for each row, "" for none. */
static const struct {
    const char *yaml, *problems;
} rows[] = {
    /* core */
    {"core: {id: a.b}", "f:1: core.id: \"a.b\" " BAD_LABEL "\n"},
    {"core: {id: ''}", ""}, /* unset */
    {"core: {id: a-}", "f:1: core.id: \"a-\" " BAD_LABEL "\n"},
    {"core: {id: c_1}", "f:1: core.id: \"c_1\" " BAD_LABEL "\n"},
    {"core: {id: aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb123}", ""},
    {"core: {id: aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb1234}",
     "f:1: core.id: \"aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb1234\" " BAD_LABEL
     "\n"},
    {"core: {id: reg}", "f:1: core.id: `reg` is a service name (dns.serviceNames); choose another "
                        "id\n"},
    {"core: {id: LSC}", "f:1: core.id: `LSC` always leads to every core; choose another id\n"},
    {"core: {ip: 1.2.3}", "f:1: core.ip: \"1.2.3\" must be an IPv4 address such as 192.0.2.1\n"},
    {"core: {ip: 01.2.3.4}", "f:1: core.ip: \"01.2.3.4\" must be an IPv4 address such as "
                             "192.0.2.1\n"},
    {"core: {ip: '::1'}", "f:1: core.ip: \"::1\" is an IPv6 address; it belongs in core.ipv6\n"},
    {"core: {ip: 0.0.0.0}", "f:1: core.ip: \"0.0.0.0\" is no address others can reach; write the "
                            "one this core is known by\n"},
    {"core: {ipv6: 1.2.3.4}",
     "f:1: core.ipv6: \"1.2.3.4\" is an IPv4 address; it belongs in core.ip\n"},
    {"core: {ipv6: 'fe80::1%eth0'}",
     "f:1: core.ipv6: \"fe80::1%eth0\" must be an IPv6 address such as 2001:db8::1\n"},
    {"core: {ipv6: '::'}", "f:1: core.ipv6: \"::\" is no address others can reach; write the one "
                           "this core is known by\n"},
    {"core: {cname: a..b}", "f:1: core.cname: \"a..b\" " BAD_HOST "\n"},
    {"core: {url: ftp://x}", "f:1: core.url: \"ftp://x\" " BAD_URL "\n"},
    {"core: {url: http://}", "f:1: core.url: \"http://\" " BAD_URL "\n"},
    {"core: {url: https://a b/}", "f:1: core.url: \"https://a b/\" " BAD_URL "\n"},
    {"core: {url: https://a:0/}", "f:1: core.url: \"https://a:0/\" " BAD_URL "\n"},
    {"core: {url: https://a:65536/}", "f:1: core.url: \"https://a:65536/\" " BAD_URL "\n"},
    {"core: {url: 'https://[::1/'}", "f:1: core.url: \"https://[::1/\" " BAD_URL "\n"},
    {"core: {url: 'https://[::1]x/'}", "f:1: core.url: \"https://[::1]x/\" " BAD_URL "\n"},
    {"core: {available: maybe}", "f:1: core.available: \"maybe\" is not true or false\n"},
    {"core: {availabel: true}", "f:1: core.availabel: unknown key; did you mean `available`?\n"},

    /* dns */
    {"dns: {domain: a_b.example}", "f:1: dns.domain: \"a_b.example\" " BAD_HOST "\n"},
    {"dns: {domain: .}", "f:1: dns.domain: \".\" " BAD_HOST "\n"},
    {"dns: {domain: -a.example}", "f:1: dns.domain: \"-a.example\" " BAD_HOST "\n"},
    {"dns: {domain: b\u00fccher.example}",
     "f:1: dns.domain: \"b\u00fccher.example\" has letters outside ASCII; write its xn-- form (RFC "
     "5891)\n"},
    {"dns: {domain: local}", ""},
    {"dns: {domain: 'a.'}", ""},
    {"dns: {active: true, domain: [a]}", "f:1: dns.domain: is a list; it must be a single text\n"},
    {"core: {ip: 192.0.2.1}\ndns:\n  active: true",
     "f:2: dns.domain: is missing; dns.active needs the domain it serves, such as "
     "mc.example.com\n"},
    {"dns:\n  active: true\n  domain: REPLACE ME",
     "f:3: dns.domain: is missing; dns.active needs the domain it serves, such as "
     "mc.example.com\n"},
    {"dns: {active: true, domain: a.example}\ndnsLess: {isActive: true}",
     "f:2: dnsLess.isActive: cannot be true together with dns.active; set one of them to false\n"},
    {"dns: {active: true, domain: a.example, ip: []}",
     "f:1: dns.ip: leaves nothing to listen on; give an address here or in dns.ip6\n"},
    {"dns: {port: 65536}", "f:1: dns.port: 65536 is out of range; 0 to 65535 is allowed\n"},
    {"dns: {port: http}", "f:1: dns.port: \"http\" is not a whole number; 0 to 65535 is allowed\n"},
    {"dns: {ip: ['::1']}", "f:1: dns.ip[0]: \"::1\" is an IPv6 address; it belongs in dns.ip6\n"},
    {"dns: {ip6: 0.0.0.0}", "f:1: dns.ip6: \"0.0.0.0\" is an IPv4 address; it belongs in dns.ip\n"},
    {"dns: {ip: [127.0.0.1, 127.0.0.1]}", "f:1: dns.ip[1]: is there twice\n"},
    {"dns: {publicIp: x}", "f:1: dns.publicIp: \"x\" must be an IPv4 address such as 192.0.2.1\n"},
    {"dns: {defaultTTL: 2147483648}",
     "f:1: dns.defaultTTL: 2147483648 is out of range; 0 to 2147483647 is allowed\n"},
    {"dns: {defaultTtl: 5}", "f:1: dns.defaultTtl: unknown key; did you mean `defaultTTL`?\n"},
    {"dns: {workers: -1}", "f:1: dns.workers: -1 is out of range; 0 to 256 is allowed\n"},
    {"dns: {wildcard: all}", "f:1: dns.wildcard: \"all\" is not one of: users, cores\n"},
    {"dns: {wildcard: [users]}", "f:1: dns.wildcard: is a list; it must be a single text\n"},
    {"dns: {serviceNames: [a.b]}", "f:1: dns.serviceNames[0]: \"a.b\" " BAD_LABEL "\n"},
    {"dns: {serviceNames: [a, A]}", "f:1: dns.serviceNames: `a` is there twice\n"},
    {"dns: {serviceNames: [lsc]}", "f:1: dns.serviceNames: `lsc` always leads to every core; it "
                                   "cannot be a service name\n"},
    {"dns: {nameservers: [a]}",
     "f:1: dns.nameservers: must be a map of names to core ids, as in `dns1: core-a`\n"},
    {"dns: {nameservers: {a.b: c}}",
     "f:1: dns.nameservers.a.b: the name server's name " BAD_LABEL "\n"},
    {"dns: {nameservers: {ns1: c_d}}",
     "f:1: dns.nameservers.ns1: \"c_d\" is no core id: it " BAD_LABEL "\n"},
    {"dns: {nameservers: {ns1: }}",
     "f:1: dns.nameservers.ns1: needs the id of the core that is this name server\n"},
    {"dns: {nameservers: {ns1: a, NS1: b}}",
     "f:1: dns.nameservers.NS1: is there twice but for case\n"},
    {"dns: {nameservers: {reg: a}}",
     "f:1: dns.nameservers: `reg` is a service name (dns.serviceNames); choose another name, such "
     "as dns1\n"},
    {"dns: {records: {rot: {}}}", "f:1: dns.records.rot: unknown key; did you mean `root`?\n"},
    {"dns: {records: {root: [a]}}",
     "f:1: dns.records.root: is a list; it must be a section with keys indented below it\n"},
    {"dns: {records: {root: {soa: {admin: a b}}}}",
     "f:1: dns.records.root.soa.admin: \"a b\" must be a domain name: a blank or control character "
     "in a name; if it is meant, write it as \\032\n"},
    {"dns: {records: {root: {soa: {admin: '@x'}}}}",
     "f:1: dns.records.root.soa.admin: \"@x\" must be a mail address such as admin@example.com\n"},
    {"dns: {records: {root: {soa: {serial: 4294967296}}}}",
     "f:1: dns.records.root.soa.serial: 4294967296 is out of range; 0 to 4294967295 is allowed\n"},
    {"dns: {records: {root: {soa: {refesh: 1}}}}",
     "f:1: dns.records.root.soa.refesh: unknown key; did you mean `refresh`?\n"},

    /* certificates */
    {"letsEncrypt: {enabled: true}\ncore: {url: 'https://a.example'}",
     "f:1: letsEncrypt.email: is missing; letsEncrypt.enabled needs the account's mail address\n"
     "f:1: letsEncrypt.atRestKey: is missing; letsEncrypt.enabled needs base64 of 32 bytes, the "
     "same on every core: make one with `openssl rand -base64 32`\n"},
    {"x: 1\nletsEncrypt:\n  enabled: true\n  email: a@b.c\n  atRestKey: " KEY,
     "f:3: letsEncrypt.enabled: no name to get a certificate for; set dns.active with dns.domain, "
     "dnsLess.publicUrl or core.url\n"},
    {"letsEncrypt: {enabled: true, email: a@b.c, atRestKeyFile: k}\n"
     "dnsLess: {publicUrl: 'https://a.example'}",
     ""},
    {"letsEncrypt: {atRestKey: " KEY ", atRestKeyFile: k}",
     "f:1: letsEncrypt.atRestKeyFile: is given together with atRestKey; keep one of them\n"},
    {"letsEncrypt: {email: nobody}",
     "f:1: letsEncrypt.email: \"nobody\" must be a mail address such as admin@example.com\n"},
    {"letsEncrypt: {onRotateScript: hook.sh}",
     "f:1: letsEncrypt.onRotateScript: \"hook.sh\" must be an absolute path: one that starts with "
     "'/'\n"},
    {"letsEncrypt: {directoryUrl: ca}", "f:1: letsEncrypt.directoryUrl: \"ca\" " BAD_URL "\n"},
    {"letsEncrypt: {hostnames: [a]}",
     "f:1: letsEncrypt.hostnames: there is no such key: the names follow from dnsLess.publicUrl, "
     "dns.domain or core.url; remove it\n"},
    {"letsEncrypt: {eab: {kid: a}}",
     "f:1: letsEncrypt.eab: needs both kid and hmacKey, as the authority gave them\n"},
    {"letsEncrypt: {eab: {kid: a, hmackey: b}}",
     "f:1: letsEncrypt.eab.hmackey: unknown key; did you mean `hmacKey`?\n"
     "f:1: letsEncrypt.eab: needs both kid and hmacKey, as the authority gave them\n"},
    {"letsEncrypt: {renewBeforeDays: 400}",
     "f:1: letsEncrypt.renewBeforeDays: 400 is out of range; 0 to 365 is allowed\n"},

    /* the rest */
    {"dnsLess: {isactive: true}", "f:1: dnsLess.isactive: unknown key; did you mean `isActive`?\n"},
    {"http: {ip: localhost}",
     "f:1: http.ip: \"localhost\" must be an IP address such as 192.0.2.1 or 2001:db8::1\n"},
    {"http: {ssl: {certFile: c}}",
     "f:1: http.ssl.keyFile: is missing; certFile and keyFile go together\n"},
    {"http: {ssl: {keyFile: c}}",
     "f:1: http.ssl.certFile: is missing; certFile and keyFile go together\n"},
    {"http: {port: 443, challengePort: 443}",
     "f:1: http.challengePort: is the port of http.port too; choose another one\n"},
    {"dns: {active: true, domain: a.example, port: 853}\nhttp: {dotPort: 853}",
     "f:2: http.dotPort: is the port of dns.port too; choose another one\n"},
    {"dns: {active: true, domain: a.example, port: 853}\nhttp: {port: 853}",
     "f:2: http.port: is the port of dns.port too; choose another one\n"},
    {"dns: {active: true, domain: a.example, port: 853}\nhttp: {port: 853, ip: 192.0.2.1}", ""},
    {"cluster: {joinport: 1}", "f:1: cluster.joinport: unknown key; did you mean `joinPort`?\n"},
    {"storages: {platform: {engine: postgresql}}",
     "f:1: storages.platform.engine: \"postgresql\" is not one of: sqlite, rqlite\n"},
    {"storages: {engines: {sqlite: {paht: x}}}",
     "f:1: storages.engines.sqlite.paht: unknown key; did you mean `path`?\n"},
    {"storages: {engines: {rqlite: {tls: {certfile: x}}}}",
     "f:1: storages.engines.rqlite.tls.certfile: unknown key; did you mean `certFile`?\n"
     "f:1: storages.engines.rqlite.tls.caFile: is missing; tls needs caFile, certFile and keyFile\n"
     "f:1: storages.engines.rqlite.tls.certFile: is missing; tls needs caFile, certFile and "
     "keyFile\n"
     "f:1: storages.engines.rqlite.tls.keyFile: is missing; tls needs caFile, certFile and "
     "keyFile\n"},
    {"storages:\n engines:\n  rqlite:\n   tls:\n    caFile: x\n    keyFile: y",
     "f:4: storages.engines.rqlite.tls.certFile: is missing; tls needs caFile, certFile and "
     "keyFile\n"},
    {"storages: {platform: {engine: rqlite}}\ncluster: {discoveryEnabled: true}",
     "f:1: core.ip: is missing (and core.ipv6); the other cores' databases reach this one there\n"
     "f:1: dns.domain: is missing; cluster.discoveryEnabled looks for lsc.<domain>. Without a "
     "domain, give the other cores' addresses in cluster.members\n"
     "f:1: auth.adminAccessKey: is missing; the cores' databases know each other by a password "
     "made from it, so it must be the same on every core\n"},
    /* without a domain the members are told, or only cores of the cluster are let in */
    {"core: {ip: 192.0.2.1}\nauth: {adminAccessKey: k}\nstorages: {platform: {engine: rqlite}}\n"
     "cluster: {discoveryEnabled: true, members: [192.0.2.2]}",
     ""},
    {"core: {ip: 192.0.2.1, nonVoter: true}\nauth: {adminAccessKey: k}\n"
     "cluster: {discoveryEnabled: true}\nstorages: {platform: {engine: rqlite}, engines: {rqlite: "
     "{tls: {caFile: a, certFile: b, keyFile: c}}}}",
     ""},
    {"core: {ip: 192.0.2.1}\nauth: {adminAccessKey: k}\nstorages: {platform: {engine: rqlite}}\n"
     "cluster: {discoveryEnabled: true, members: REPLACE ME}",
     "f:1: dns.domain: is missing; cluster.discoveryEnabled looks for lsc.<domain>. Without a "
     "domain, give the other cores' addresses in cluster.members\n"},
    {"core: {nonVoter: true, ip: 192.0.2.1}\ndns: {domain: a.example}\n"
     "storages: {platform: {engine: rqlite}, engines: {rqlite: {raftPort: 0,"
     " url: 'http://u:p@localhost:4001'}}}",
     "f:3: storages.engines.rqlite.raftPort: cannot be 0: the other nodes have to know it; the "
     "default is 4002\n"},
    {"cluster: {discoveryEnabled: true}\n"
     "storages: {platform: {engine: rqlite}, engines: {rqlite: {external: true}}}",
     ""},
    {"storages: {engines: {rqlite: {tls: {}}}}", ""},
    {"platform: {piiMode: plain}",
     "f:1: platform.piiMode: \"plain\" is not one of: cleartext, hashed\n"},
    {"platform: {piiMode: hashed}",
     "f:1: platform.piiHmacKey: is missing; piiMode hashed needs base64 of 32 bytes, the same on "
     "every core\n"},
    {"log: {level: verbose}",
     "f:1: log.level: \"verbose\" is not one of: error, warn, info, debug\n"},
    {"log: {format: xml}", "f:1: log.format: \"xml\" is not one of: text, json\n"},
    {"user: 'a b'", "f:1: user: \"a b\" must be the name of an account, such as dnsd\n"},
    {"user: {name: a}", "f:1: user: is a map; it must be a single text\n"},
    {"user: -rf", "f:1: user: \"-rf\" must be the name of an account, such as dnsd\n"},

    /* sections */
    {"dsn: {active: true}", "f:1: dsn: unknown section; did you mean `dns`?\n"},
    {"letsencrypt: {}", "f:1: letsencrypt: unknown section; did you mean `letsEncrypt`?\n"},
    {"DNS: {}", "f:1: DNS: unknown section; did you mean `dns`?\n"},
    {"dnsless: {}", "f:1: dnsless: unknown section; did you mean `dnsLess`?\n"},
    {"uploads: {}\nservice: {dns: 1}\nlogs: {}\noauth: {}\nx: [1]", ""},
    {"dns: word", "f:1: dns: is a single value; it must be a section with keys indented below "
                  "it\n"},
    {"dns: [a]", "f:1: dns: is a list; it must be a section with keys indented below it\n"},
    {"dns:", ""},
};

static void each_mistake_is_told_with_its_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config_problems p;
        enum err e = load(rows[i].yaml, &p);
        if (strcmp(text_of(&p.text), rows[i].problems) != 0) {
            fail_msg("for\n%s\nexpected\n%sgot\n%s", rows[i].yaml, rows[i].problems,
                     text_of(&p.text));
        }
        assert_int_equal(e, rows[i].problems[0] == '\0' ? ERR_OK : ERR_MALFORMED);
        config_problems_free(&p);
    }
}

static void all_problems_come_in_one_pass_in_order(void **state)
{
    struct config_problems p;
    (void)state;
    assert_int_equal(load("core:\n"
                          "  id: -bad\n"
                          "dns:\n"
                          "  active: true\n"
                          "  prot: 53\n"
                          "  staticEntries:\n"
                          "    www: {a: 1.2.3}\n"
                          "letsEncrypt:\n"
                          "  enabled: true\n"
                          "  atRestKey: short\n"
                          "log: {level: loud}\n",
                          &p),
                     ERR_MALFORMED);
    assert_string_equal(
        p.text.text,
        "f:2: core.id: \"-bad\" " BAD_LABEL "\n"
        "f:3: dns.domain: is missing; dns.active needs the domain it serves, such as "
        "mc.example.com\n"
        "f:5: dns.prot: unknown key; did you mean `port`?\n"
        "f:7: dns.staticEntries.www.a: A: \"1.2.3\" is not an IPv4 address, as in 192.0.2.1\n"
        "f:8: letsEncrypt.email: is missing; letsEncrypt.enabled needs the account's mail "
        "address\n"
        "f:10: letsEncrypt.atRestKey: " BAD_KEY "\n"
        "f:11: log.level: \"loud\" is not one of: error, warn, info, debug\n");
    assert_int_equal(p.count, 7);
    config_problems_free(&p);
}

/* Whatever is wrong with a secret, and wherever it was written by mistake. */
static void secrets_are_never_shown(void **state)
{
    static const char *const yaml[] = {
        "letsEncrypt: {atRestKey: hunter2hunter2}",
        "letsEncrypt: {atRestKey: [hunter2, hunter2, [hunter2], {a: hunter2}]}",
        "letsEncrypt: {atRestKey: {a: hunter2}}",
        "letsEncrypt: {atRestKey: \"hunter2\\n\"}",
        "letsEncrypt: {eab: {kid: 1, hmacKey: [hunter2]}}",
        "letsEncrypt: {eab: {kid: 1, hmacKey: \"hunter2\\t\"}}",
        "letsEncrypt: {eab: {kid: 1, hmcKey: hunter2}}",
        "platform: {piiMode: hashed, piiHmacKey: hunter2}",
        "platform: {piiHmacKey: {a: hunter2}}",
        "platform: {piiHmacKey: \"hunter2\\e\"}",
        "auth: {adminAccessKey: [hunter2]}",
        "auth: {adminAccessKey: \"hunter2\\n\"}",
        "auth: {adminAccessKey: &hunter2 hunter2}",
        "auth: {adminAccessKey: *hunter2}",
        "auth: {adminAccessKey: 'hunter2",
        "auth: {adminAccessKey: \"hunter2\\x\"}",
        "auth: hunter2",
        "storages: {engines: {rqlite: {url: 'htp://user:hunter2@localhost'}}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof yaml / sizeof yaml[0]; i++) {
        struct config_problems p;
        assert_int_equal(load(yaml[i], &p), ERR_MALFORMED);
        assert_true(p.count > 0);
        assert_null(strstr(text_of(&p.text), "hunter2"));
        assert_null(strstr(text_of(&p.notes), "hunter2"));
        config_problems_free(&p);
    }
}

static void a_key_that_looks_right_but_is_not_gives_a_note(void **state)
{
    static const struct {
        const char *yaml, *note;
    } notes[] = {
        {"auth: {adminAccesKey: x}",
         "f:1: auth.adminAccesKey: is not a key of ours and is ignored; "
         "did you mean `adminAccessKey`?\n"},
        {"http: {dotport: 853}",
         "f:1: http.dotport: is not a key of ours and is ignored; did you mean `dotPort`?\n"},
        {"storages: {engine: {}}",
         "f:1: storages.engine: is not a key of ours and is ignored; did you mean `engines`?\n"},
        {"storages: {platform: {engin: rqlite}}",
         "f:1: storages.platform.engin: is not a key of ours and is ignored; did you mean "
         "`engine`?\n"},
        {"core: {isSingleCore: true}",
         "f:1: core.isSingleCore: has no effect here: it follows from the other keys\n"},
        {"core: {ip: 192.0.2.1, cname: a.example}",
         "f:1: core.cname: is not used while core.ip or core.ipv6 is set\n"},
        {"dns: {active: true, domain: a.example}",
         "f:1: core.ip: is not set (nor core.ipv6): no name can lead to this core\n"},
        {"dnsLess: {isActive: true}",
         "f:1: dnsLess.publicUrl: is not set: this core has no URL of its own\n"},
        {"dns: {active: false}",
         "f:1: dns.active: is false, and so is dnsLess.isActive: no name is served\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        struct config_problems p;
        assert_int_equal(load(notes[i].yaml, &p), ERR_OK);
        if (strstr(text_of(&p.notes), notes[i].note) == NULL) {
            fail_msg("for %s expected\n%sgot\n%s", notes[i].yaml, notes[i].note, text_of(&p.notes));
        }
        config_problems_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_told_with_its_remedy),
        cmocka_unit_test(all_problems_come_in_one_pass_in_order),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(a_key_that_looks_right_but_is_not_gives_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

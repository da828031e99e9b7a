/* What follows from the cores and the configuration: lsc, service names, the pool, name servers,
 * the apex, the SOA. */
#include "dnsd/zone/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone_build.h"

#define BASE "apex mc.example.com\nservice reg\n"

struct expectation {
    const char *name;
    const char *text; /* as zone_build_text() */
};

static void expect(struct zone *z, const char *what, const struct expectation *rows, size_t count)
{
    const struct zone_snapshot *s = zone_commit(z, zone_revision(z) + 1);
    for (size_t i = 0; i < count; i++) {
        char *text = zone_build_text(s, rows[i].name);
        if (strcmp(text, rows[i].text) != 0) {
            fail_msg("%s: %s:\n%s---- and not ----\n%s", what, rows[i].name, text, rows[i].text);
        }
        free(text);
    }
    zone_snapshot_unref(s);
}

/* A zone of LINES, asked for ROWS. */
static void expect_zone(const char *what, const char *options, const char *lines,
                        const struct expectation *rows, size_t count)
{
    struct zone *z = zone_build(options, lines);
    expect(z, what, rows, count);
    zone_free(z);
}

#define EXPECT(what, options, lines, ...)                                                          \
    do {                                                                                           \
        const struct expectation rows_[] = {__VA_ARGS__};                                          \
        expect_zone(what, options, lines, rows_, sizeof rows_ / sizeof rows_[0]);                  \
    } while (0)

static void discovery(void **state)
{
    (void)state;
    EXPECT(
        "every member, live or not", BASE,
        "core b ip=192.0.2.2 ipv6=2001:db8::2 drained\ncore a ip=192.0.2.1 ipv6=2001:db8::1 dead\n",
        {"lsc", "hit\nA 5 192.0.2.2\nA 5 192.0.2.1\nAAAA 5 2001:db8::2\nAAAA 5 2001:db8::1\n"});
    EXPECT("AAAA only if every member has one", BASE,
           "core a ip=192.0.2.1 ipv6=2001:db8::1\ncore b ip=192.0.2.2\n",
           {"lsc", "hit\nA 5 192.0.2.1\nA 5 192.0.2.2\n"});
    EXPECT("members of IPv6 alone", BASE, "core a ipv6=2001:db8::1\ncore b ipv6=2001:db8::2\n",
           {"lsc", "hit\nAAAA 5 2001:db8::1\nAAAA 5 2001:db8::2\n"});
    EXPECT("who has no address does not count", BASE,
           "core a ip=192.0.2.1 ipv6=2001:db8::1\ncore c cname=c.example.org\nuser u gone\n",
           {"lsc", "hit\nA 5 192.0.2.1\nAAAA 5 2001:db8::1\n"});
    EXPECT("nobody yet: NODATA, not NXDOMAIN", BASE, "", {"lsc", "hit\n"}, {"reg", "hit\n"});
}

static void the_pool(void **state)
{
    (void)state;
    EXPECT("live and available", BASE "wildcard cores\n",
           "core a ip=192.0.2.1\ncore b ip=192.0.2.2 drained\ncore c ip=192.0.2.3 dead\n",
           {"reg", "hit\nA 300 192.0.2.1\n"}, {"anything", "wild\nA 300 192.0.2.1\n"},
           {"any.thing", "wild\nA 300 192.0.2.1\n"}, {"x.a", "miss\n"});
    EXPECT("none available: live ones", BASE,
           "core a ip=192.0.2.1 drained\ncore b ip=192.0.2.2 drained\ncore c ip=192.0.2.3 dead\n",
           {"reg", "hit\nA 300 192.0.2.1\nA 300 192.0.2.2\n"});
    EXPECT("none live: all", BASE, "core a ip=192.0.2.1 dead\ncore b ip=192.0.2.2 dead drained\n",
           {"reg", "hit\nA 300 192.0.2.1\nA 300 192.0.2.2\n"});
    EXPECT("users are sent to their core whatever its state", BASE,
           "core a ip=192.0.2.1 dead drained\nuser u a\n", {"u", "hit\nA 300 192.0.2.1\n"});
    EXPECT("without the option no name stands in", BASE, "core a ip=192.0.2.1\n",
           {"anything", "miss\n"});
}

static void name_servers(void **state)
{
    (void)state;
    EXPECT(
        "one per core with an address, in the order of ids", BASE,
        "core core-b ip=192.0.2.2\ncore core-a ipv6=2001:db8::1\ncore core-0 cname=x.example.org\n",
        {"dns1", "hit\nAAAA 300 2001:db8::1\n"}, {"dns2", "hit\nA 300 192.0.2.2\n"},
        {"dns3", "miss\n"},
        {"@", "hit\nA 300 192.0.2.2\nNS 300 dns1.mc.example.com.\nNS 300 "
              "dns2.mc.example.com.\nAAAA 300 2001:db8::1\n"});
    EXPECT("as configured", BASE "nameserver ns-x core-b\nnameserver ns-y core-a\n",
           "core core-a ip=192.0.2.1\ncore core-b ip=192.0.2.2\n",
           {"ns-x", "hit\nA 300 192.0.2.2\n"}, {"ns-y", "hit\nA 300 192.0.2.1\n"},
           {"dns1", "miss\n"},
           {"@", "hit\nA 300 192.0.2.1\nA 300 192.0.2.2\nNS 300 ns-x.mc.example.com.\nNS 300 "
                 "ns-y.mc.example.com.\n"});
    EXPECT("a configured one of a core that is not there is left out",
           BASE "nameserver ns-x core-b\nnameserver ns-y core-a\n", "core core-a ip=192.0.2.1\n",
           {"ns-x", "miss\n"}, {"@", "hit\nA 300 192.0.2.1\nNS 300 ns-y.mc.example.com.\n"});
}

static void the_apex(void **state)
{
    (void)state;
    EXPECT("configured, else stored, else generated; type by type",
           BASE "caa letsencrypt.org\nroot A 60 203.0.113.1\nroot TXT - configured\n",
           "core a ip=192.0.2.1 ipv6=2001:db8::1\nrecord @ A 70 198.51.100.1\nrecord @ TXT 70 "
           "stored\nrecord @ AAAA 70 2001:db8:f::1\nrecord @ MX - 10 mail\n",
           {"@", "hit\nA 60 203.0.113.1\nNS 300 dns1.mc.example.com.\nMX 300 10 "
                 "mail.mc.example.com.\nTXT 300 \"configured\"\nAAAA 70 2001:db8:f::1\nCAA 300 0 "
                 "issue \"letsencrypt.org\"\n"});
    EXPECT("stored name servers take the place of the generated ones", BASE,
           "core a ip=192.0.2.1\nrecord @ NS - ns.example.net\n",
           {"@", "hit\nA 300 192.0.2.1\nNS 300 ns.example.net.\n"},
           {"SOA", "SOA 300 ns.example.net. hostmaster.mc.example.com. 1 3600 600 604800 30\n"});
}

/* It follows from the accounts with a CA, which come and go while the zone is served. */
static void caa_changes(void **state)
{
    (void)state;
    static const char one[] = "0 issue \"ca.example.org; accounturi=https://ca.example.org/a/1\"";
    static const char two[] = "0 issue \"ca.example.org; accounturi=https://ca.example.org/a/2\"";
    struct zone *z = zone_build(BASE, "core a ip=192.0.2.1\n");
    const struct expectation none = {"@", "hit\nA 300 192.0.2.1\nNS 300 dns1.mc.example.com.\n"};
    const struct expectation both = {
        "@", "hit\nA 300 192.0.2.1\nNS 300 dns1.mc.example.com.\n"
             "CAA 300 0 issue \"ca.example.org; accounturi=https://ca.example.org/a/1\"\n"
             "CAA 300 0 issue \"ca.example.org; accounturi=https://ca.example.org/a/2\"\n"};
    assert_true(zone_set_caa(z, (const char *const[]){one, two}, 2));
    expect(z, "two accounts", &both, 1);
    assert_false(zone_set_caa(z, (const char *const[]){one, two}, 2));
    assert_true(zone_set_caa(z, (const char *const[]){one}, 1));
    assert_true(zone_set_caa(z, NULL, 0));
    expect(z, "none", &none, 1);
    zone_free(z);
}

/* The static entry lsc: what the cluster forms with, and nothing once there are members. */
static void founders(void **state)
{
#define SEEDS                                                                                      \
    BASE "static lsc A - 203.0.113.2\nstatic lsc A 60 203.0.113.1\nstatic lsc AAAA 60 "            \
         "2001:db8:f::1\n"
    static const char both[] = "hit\nA 5 203.0.113.2\nA 5 203.0.113.1\nAAAA 5 2001:db8:f::1\n";
    (void)state;
    EXPECT("no core is known", SEEDS, "", {"lsc", both}, {"@", "hit\n"});
    EXPECT("a core, but nobody knows its address", SEEDS,
           "core a cname=a.example.org\nuser u core-b\n", {"lsc", both});
    EXPECT("a stored row of that name is no founder", SEEDS, "record lsc A - 198.51.100.1\n",
           {"lsc", both});
    EXPECT("nor with a row that adds a type", SEEDS, "record lsc TXT - t\n", {"lsc", both});
    EXPECT("one core", SEEDS, "core a ip=192.0.2.1\n", {"lsc", "hit\nA 5 192.0.2.1\n"});
    EXPECT("one core, drained and dead", SEEDS, "core a ip=192.0.2.1 drained dead\n",
           {"lsc", "hit\nA 5 192.0.2.1\n"});
    EXPECT("one core with IPv6 alone", SEEDS, "core a ipv6=2001:db8::1\n",
           {"lsc", "hit\nAAAA 5 2001:db8::1\n"});
    EXPECT("only the domain's own lsc", BASE "static lsc.x A - 203.0.113.2\n", "", {"lsc", "hit\n"},
           {"lsc.x", "hit\nA 300 203.0.113.2\n"});
    struct zone *z = zone_build(SEEDS, "core a ip=192.0.2.1\ncore b ip=203.0.113.1\n");
    expect(z, "members",
           (const struct expectation[]){{"lsc", "hit\nA 5 192.0.2.1\nA 5 203.0.113.1\n"}}, 1);
    zone_build_add(z, "-core b\n");
    expect(z, "a founder is removed", (const struct expectation[]){{"lsc", "hit\nA 5 192.0.2.1\n"}},
           1);
    zone_build_add(z, "-core a\n");
    expect(z, "all are", (const struct expectation[]){{"lsc", both}}, 1);
    const struct zone_snapshot *s = zone_current(z);
    assert_int_equal(zone_build_find(s, "lsc", TYPE_A).set->same_len, 0); /* does not rotate */
    zone_snapshot_unref(s);
    zone_free(z);
#undef SEEDS
}

/* Pools and what an operator lists take turns; what names one machine, or must be met in the same
 * order by all, does not. */
static void what_rotates(void **state)
{
    static const struct {
        const char *name;
        bool rotates;
    } rows[] = {{"reg", true}, {"any", true}, {"@", true},
                {"st", true},  {"sto", true}, {"lsc", false}};
    struct zone *z =
        zone_build(BASE "wildcard cores\nstatic st A - 192.0.2.8\nstatic st A - 192.0.2.9\n",
                   "core a ip=192.0.2.1\ncore b ip=192.0.2.2\nrecord sto A - "
                   "192.0.2.6\nrecord sto A - 192.0.2.7\n");
    const struct zone_snapshot *s = zone_commit(z, 1);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone_build_find f = zone_build_find(s, rows[i].name, TYPE_A);
        assert_non_null(f.set);
        assert_int_equal(f.set->count, 2);
        if ((f.set->same_len != 0) != rows[i].rotates) {
            fail_msg("%s", rows[i].name);
        }
    }
    zone_snapshot_unref(s);
    zone_free(z);
}

#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"

static void labels_of_every_length(void **state)
{
    (void)state;
    EXPECT("a name server", BASE "nameserver " LABEL63 " a\n", "core a ip=192.0.2.1\n",
           {LABEL63, "hit\nA 300 192.0.2.1\n"},
           {"@", "hit\nA 300 192.0.2.1\nNS 300 " LABEL63 ".mc.example.com.\n"});
    EXPECT("a service", BASE "service " LABEL63 "\n", "core a ip=192.0.2.1\n",
           {LABEL63, "hit\nA 300 192.0.2.1\n"});
    EXPECT("a core and a user", BASE, "core " LABEL63 " ip=192.0.2.1\nuser u " LABEL63 "\n",
           {LABEL63, "hit\nA 300 192.0.2.1\n"}, {"u", "hit\nA 300 192.0.2.1\n"});
}

static void a_core_comes_and_goes(void **state)
{
    struct zone *z = zone_build(BASE, "core core-a ip=192.0.2.1\nuser alice core-b\n");
    (void)state;
#define STEP(what, lines, ...)                                                                     \
    do {                                                                                           \
        const struct expectation rows_[] = {__VA_ARGS__};                                          \
        zone_build_add(z, lines);                                                                  \
        expect(z, what, rows_, sizeof rows_ / sizeof rows_[0]);                                    \
    } while (0)
    zone_snapshot_unref(zone_commit(z, 1));
    STEP("a user of a core nobody knows exists", "", {"alice", "hit\n"}, {"core-b", "miss\n"});
    STEP("the core comes", "core core-b ip=192.0.2.2 ipv6=2001:db8::2\n",
         {"alice", "hit\nA 300 192.0.2.2\nAAAA 300 2001:db8::2\n"},
         {"core-b", "hit\nA 300 192.0.2.2\nAAAA 300 2001:db8::2\n"},
         {"dns2", "hit\nA 300 192.0.2.2\nAAAA 300 2001:db8::2\n"});
    STEP("moves", "core core-b ip=192.0.2.3\n", {"alice", "hit\nA 300 192.0.2.3\n"},
         {"reg", "hit\nA 300 192.0.2.1\nA 300 192.0.2.3\n"});
    STEP("has nothing but a name elsewhere", "core core-b cname=b.example.org\n",
         {"alice", "hit\nCNAME 300 b.example.org.\n"},
         {"core-b", "hit\nCNAME 300 b.example.org.\n"}, {"dns2", "miss\n"},
         {"reg", "hit\nA 300 192.0.2.1\n"});
    STEP("a name counts only without addresses", "core core-b ip=192.0.2.4 cname=b.example.org\n",
         {"alice", "hit\nA 300 192.0.2.4\n"});
    STEP("goes: its users exist, without addresses", "-core core-b\n", {"alice", "hit\n"},
         {"core-b", "miss\n"}, {"dns2", "miss\n"}, {"lsc", "hit\nA 5 192.0.2.1\n"});
    STEP("goes again, and one that never was", "-core core-b\n-core core-z\n", {"alice", "hit\n"});
    STEP("the last one goes", "-core core-a\n", {"reg", "hit\n"}, {"lsc", "hit\n"},
         {"dns1", "miss\n"}, {"@", "hit\n"},
         {"SOA", "SOA 300 dns1.mc.example.com. hostmaster.mc.example.com. 9 3600 600 604800 30\n"});
#undef STEP
    zone_free(z);
}

static const char *const names_of_cores[] = {"lsc",  "core-a", "core-b", "core-c", "dns1",
                                             "dns2", "alice",  "bob",    "carol"};

static void texts_of(const struct zone_snapshot *s, char **texts)
{
    for (size_t i = 0; i < sizeof names_of_cores / sizeof names_of_cores[0]; i++) {
        texts[i] = zone_build_text(s, names_of_cores[i]);
    }
}

/* Who is alive decides who serves, and nothing else; the revision may stay as it is. */
static void a_core_dies_and_comes_back(void **state)
{
    static const struct step {
        const char *id;
        bool live, changes;
        const char *pool; /* NULL: as before */
    } steps[] = {
        {"core-a", true, false, NULL},
        {"core-a", false, true, "A 300 192.0.2.2\n"},
        {"core-a", false, false, NULL},
        {"core-b", false, true, "A 300 192.0.2.1\nA 300 192.0.2.2\n"}, /* better than none */
        {"core-c", false, true, NULL},
        {"core-b", true, true, "A 300 192.0.2.2\n"},
        {"core-a", true, true, "A 300 192.0.2.1\nA 300 192.0.2.2\n"},
        {"core-x", false, false, NULL}, /* only users name it */
        {"core-y", true, false, NULL},
        {"CORE-A", false, false, NULL},
    };
    struct zone *z =
        zone_build(BASE "wildcard cores\n",
                   "core core-a ip=192.0.2.1\ncore core-b ip=192.0.2.2\ncore core-c "
                   "cname=c.example.org\nuser alice core-a\nuser bob core-b\nuser carol "
                   "core-c\nuser dave core-x\n");
    const char *pool = "A 300 192.0.2.1\nA 300 192.0.2.2\n";
    char *before[sizeof names_of_cores / sizeof names_of_cores[0]];
    const struct zone_snapshot *first = zone_commit(z, 7);
    (void)state;
    texts_of(first, before);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char *now[sizeof names_of_cores / sizeof names_of_cores[0]];
        char hit[100], wild[100], apex[200];
        assert_int_equal(zone_core_live(z, steps[i].id, steps[i].live), steps[i].changes);
        const struct zone_snapshot *s = zone_commit(z, 7);
        assert_int_equal(s->serial, 7);
        texts_of(s, now);
        for (size_t j = 0; j < sizeof before / sizeof before[0]; j++) {
            assert_string_equal(now[j], before[j]);
            free(now[j]);
        }
        pool = steps[i].pool != NULL ? steps[i].pool : pool;
        snprintf(hit, sizeof hit, "hit\n%s", pool);
        snprintf(wild, sizeof wild, "wild\n%s", pool);
        snprintf(apex, sizeof apex,
                 "hit\n%sNS 300 dns1.mc.example.com.\nNS 300 dns2.mc.example.com.\n", pool);
        const char *const expected[][2] = {{"reg", hit}, {"any", wild}, {"@", apex}};
        for (size_t j = 0; j < 3; j++) {
            char *text = zone_build_text(s, expected[j][0]);
            assert_string_equal(text, expected[j][1]);
            free(text);
        }
        zone_snapshot_unref(s);
    }
    /* Who holds an older version sees nothing of it. */
    char *text = zone_build_text(first, "reg");
    assert_string_equal(text, "hit\nA 300 192.0.2.1\nA 300 192.0.2.2\n");
    free(text);
    for (size_t j = 0; j < sizeof before / sizeof before[0]; j++) {
        free(before[j]);
    }
    zone_snapshot_unref(first);
    zone_free(z);
}

static void the_soa(void **state)
{
    (void)state;
    EXPECT(
        "generated", "apex mc.example.com\n", "core a ip=192.0.2.1\n",
        {"SOA", "SOA 300 dns1.mc.example.com. hostmaster.mc.example.com. 1 3600 600 604800 30\n"});
    EXPECT("dots in the local part (RFC 1035 §8)",
           "apex mc.example.com\ncontact john.q.doe@mail.example.org\n", "",
           {"SOA",
            "SOA 300 dns1.mc.example.com. john\\.q\\.doe.mail.example.org. 1 3600 600 604800 "
            "30\n"});
    EXPECT("configured",
           "apex mc.example.com\nttl 20\nminimum 60\nprimary ns0.example.net.\nadmin "
           "ops.example.net.\nserial 2026112100\n",
           "", {"SOA", "SOA 20 ns0.example.net. ops.example.net. 2026112101 3600 600 604800 60\n"});
}

/* RFC 2308 §5: the smaller of the SOA's TTL and MINIMUM. */
static void how_long_no_is_true(void **state)
{
    static const struct {
        const char *options;
        uint32_t ttl;
    } rows[] = {{"apex a.example\n", 30},
                {"apex a.example\nttl 20\n", 20},
                {"apex a.example\nminimum 60\n", 60},
                {"apex a.example\nttl 20\nminimum 60\n", 20}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *z = zone_build(rows[i].options, NULL);
        const struct zone_snapshot *s = zone_commit(z, 1);
        assert_int_equal(s->negative_ttl_s, rows[i].ttl);
        zone_snapshot_unref(s);
        zone_free(z);
    }
}

static void serials(void **state)
{
    static const struct {
        const char *options;
        uint64_t revision;
        uint32_t serial;
    } rows[] = {
        {"", 42, 42},
        {"", 0, 1}, /* 0 is a value that registries refuse */
        {"", 0xffffffff, 0xffffffff},
        {"", 0x100000000, 1},
        {"", 0x100000001, 1},
        {"", 0x100000002, 2},
        {"serial 2026112100\n", 5, 2026112105},
        {"serial 4294967295\n", 1, 1},
        {"serial 4294967295\n", 3, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *z = zone_build("apex mc.example.com\n", rows[i].options);
        const struct zone_snapshot *s = zone_commit(z, rows[i].revision);
        assert_int_equal(s->serial, rows[i].serial);
        assert_int_equal(s->revision, rows[i].revision);
        zone_snapshot_unref(s);
        zone_free(z);
    }
}

/* "xx...x@HOST" with a host of LEN octets, and a local part of 63. */
static enum err contact_of(size_t len)
{
    char mail[400];
    struct zone_options o = {.apex = zone_build_name(NULL, "mc.example.com"), .contact = mail};
    struct zone *z = NULL;
    memset(mail, 'x', sizeof mail);
    mail[63] = '@';
    for (size_t at = 64 + 50; at < 64 + len - 2; at += 51) {
        mail[at] = '.';
    }
    mail[64 + len - 2] = '\0'; /* as many characters as octets, but for a length and the root */
    enum err e = zone_new(&o, &z, NULL);
    if (e == ERR_OK) {
        zone_free(z);
    }
    return e;
}

static void contacts_up_to_the_limit(void **state)
{
    (void)state;
    assert_int_equal(contact_of(WIRE_NAME_MAX - 64), ERR_OK);
    assert_int_equal(contact_of(WIRE_NAME_MAX - 63), ERR_MALFORMED);
}

static void contacts_that_do_not_fit(void **state)
{
    static const char *const bad[] = {
        "nobody", "@example.org",
        "a@",     "a@.",
        "a@b..c", "a234567890123456789012345678901234567890123456789012345678901234@example.org"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct zone_options o = {.apex = zone_build_name(NULL, "mc.example.com"),
                                 .contact = bad[i]};
        struct err_info info = {.text = ""};
        struct zone *z = NULL;
        if (zone_new(&o, &z, &info) != ERR_MALFORMED) {
            if (strcmp(bad[i], "a@.") == 0) {
                zone_free(z); /* the root is a name */
                continue;
            }
            fail_msg("%s is accepted", bad[i]);
        }
        assert_non_null(strstr(info.text, "mail address"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discovery),
        cmocka_unit_test(the_pool),
        cmocka_unit_test(name_servers),
        cmocka_unit_test(the_apex),
        cmocka_unit_test(caa_changes),
        cmocka_unit_test(founders),
        cmocka_unit_test(what_rotates),
        cmocka_unit_test(labels_of_every_length),
        cmocka_unit_test(a_core_comes_and_goes),
        cmocka_unit_test(a_core_dies_and_comes_back),
        cmocka_unit_test(the_soa),
        cmocka_unit_test(how_long_no_is_true),
        cmocka_unit_test(serials),
        cmocka_unit_test(contacts_up_to_the_limit),
        cmocka_unit_test(contacts_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("zone/generate", tests, NULL, NULL);
}

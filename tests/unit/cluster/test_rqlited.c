/* cluster/rqlited: every rule by which a node starts, and the very arguments. */
#include "cluster/rqlited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define A  "192.0.2.1"
#define B  "192.0.2.2"
#define C  "192.0.2.3"
#define A6 "2001:db8::1"
#define B6 "2001:db8::2"

/* TEXT: addresses separated by spaces. */
static struct rqlited_peers peers_of(const char *text)
{
    struct rqlited_peers p = {.count = 0};
    char one[64];
    for (int n; text != NULL && sscanf(text, "%63s%n", one, &n) == 1; text += n) {
        rqlited_peers_add(&p, one);
    }
    return p;
}

static void join_text(const struct rqlited_peers *p, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < p->count; i++) {
        used += (size_t)snprintf(out + used, room - used, "%s%s", i > 0 ? " " : "", p->address[i]);
    }
}

static struct rqlited_config config(void)
{
    return (struct rqlited_config){.bin_path = "/usr/bin/rqlited",
                                   .data_dir = "/var/lib/dnsd/rqlite",
                                   .node_id = "core-a",
                                   .ip = A,
                                   .domain = "example.com",
                                   .http_port = 4001,
                                   .raft_port = 4002};
}

#define ON   1 /* cluster.discoveryEnabled */
#define NV   2 /* core.nonVoter */
#define TLS  4
#define BARE 8  /* no core.ip */
#define SIX  16 /* core.ipv6 alone */
#define TWO  32 /* both */
#define OLD  64 /* there is a raft.db */

struct rule {
    const char *name;
    unsigned config;
    const char *member_as;
    const char *members, *seeds, *lookup; /* lookup NULL: the resolver gave no answer */
    unsigned attempt;
    enum rqlited_way way;
    const char *peers; /* "lsc": rqlited is to ask itself */
    unsigned expect;
    const char *why; /* a part */
};

static void apply(struct rqlited_config *c, unsigned flags)
{
    c->discovery = (flags & ON) != 0;
    c->non_voter = (flags & NV) != 0;
    c->ip = (flags & (BARE | SIX)) != 0 ? NULL : A;
    c->ipv6 = (flags & (SIX | TWO)) != 0 ? A6 : NULL;
    if ((flags & TLS) != 0) {
        c->ca_file = "ca";
        c->cert_file = "cert";
        c->key_file = "key";
    }
}

static const struct rule rules[] = {
    /* RESUME: was a member under this address, whatever else is known */
    {"resume, lone", 0, A ":4002", "", "", "", 0, RQLITED_RESUME, "", 0, "member before"},
    {"resume, bare", BARE, "127.0.0.1:4002", "", "", NULL, 0, RQLITED_RESUME, "", 0, ""},
    {"resume, v6", SIX | ON, "[" A6 "]:4002", "", "", NULL, 0, RQLITED_RESUME, "", 0, ""},
    {"resume, among others", ON, A ":4002", B " " C, A " " B, B, 1, RQLITED_RESUME, "", 0, ""},
    {"resume, though lsc names others", 0, A ":4002", "", "", B, 0, RQLITED_RESUME, "", 0, ""},
    {"resume, non-voter", ON | NV, A ":4002", B, "", B, 0, RQLITED_RESUME, "", 0, ""},

    /* FOUND: alone in every respect */
    {"found", 0, NULL, "", "", "", 0, RQLITED_FOUND, "", 0, "lone"},
    {"found, bare", BARE, NULL, "", "", "", 0, RQLITED_FOUND, "", 0, ""},
    {"found, resolver says nothing", 0, NULL, "", "", NULL, 0, RQLITED_FOUND, "", 0, ""},
    {"found, with tls", TLS, NULL, "", "", "", 0, RQLITED_FOUND, "", 0, ""},
    {"found, lsc is this core", 0, NULL, A, A, A, 0, RQLITED_FOUND, "", 0, ""},
    {"found, lsc is this core twice", TWO, NULL, "", A " " A6, A " 2001:DB8:0::1", 0, RQLITED_FOUND,
     "", 0, ""},
    {"found, later attempt", 0, NULL, "", "", "", 7, RQLITED_FOUND, "", 0, ""},

    /* never a second cluster */
    {"lsc names another", 0, NULL, "", "", B, 0, RQLITED_NOBODY, "", 0,
     "lsc.<domain> names other cores: this core will not found a second cluster; set "
     "cluster.discoveryEnabled: true to join them"},
    {"lsc names another and us", TLS, NULL, "", "", A " " B, 3, RQLITED_NOBODY, "", 0, "second"},
    {"seeds name another", 0, NULL, "", A " " B, NULL, 0, RQLITED_NOBODY, "", 0, "second"},
    {"members are known, closed", 0, NULL, B, "", "", 0, RQLITED_NOBODY, "", 0, "Raft port"},
    {"members are known, bare", BARE | ON, NULL, B, "", "", 0, RQLITED_NOBODY, "", 0, "core.ip"},
    {"discovery, nobody", ON, NULL, "", "", "", 0, RQLITED_NOBODY, "", 0,
     "start it once with cluster.discoveryEnabled: false"},
    {"discovery, only us", ON, NULL, A, A, A, 0, RQLITED_NOBODY, "", 0, "nobody is known"},
    {"non-voter, nobody", NV, NULL, "", "", "", 0, RQLITED_NOBODY, "", 0, "founds no cluster"},
    {"non-voter, discovery, nobody", NV | ON, NULL, "", A, NULL, 0, RQLITED_NOBODY, "", 0,
     "non-voter"},
    {"non-voter, discovery off, lsc", NV, NULL, "", "", B, 0, RQLITED_NOBODY, "", 0, "second"},

    /* FORM: a founder, and nobody is a member yet */
    {"form by address", ON, NULL, "", A " " B " " C, NULL, 0, RQLITED_FORM, A " " B " " C, 3, ""},
    {"form by name", ON, NULL, "", A " " B " " C, A " " B " " C, 0, RQLITED_FORM, "lsc", 3, ""},
    {"form, then by address", ON, NULL, "", A " " B " " C, B, 1, RQLITED_FORM, A " " B " " C, 3,
     ""},
    {"form, then by name", ON, NULL, "", A " " B " " C, B, 2, RQLITED_FORM, "lsc", 3, ""},
    {"form, resolver knows nobody", ON, NULL, "", B " " A, "", 0, RQLITED_FORM, B " " A, 2, ""},
    {"form, resolver knows us", ON, NULL, "", B " " A, A, 0, RQLITED_FORM, B " " A, 2, ""},
    {"form, tls", ON | TLS, NULL, A, A " " B, NULL, 0, RQLITED_FORM, A " " B, 2, ""},
    {"form, twice the same", ON, NULL, "", A " " B " " A " " B, NULL, 0, RQLITED_FORM, A " " B, 2,
     ""},
    {"form, two families", ON | TWO, NULL, "", A " " A6 " " B " " B6, NULL, 0, RQLITED_FORM,
     A " " B, 2, ""},
    {"form, v6", ON | SIX, NULL, "", A " 2001:DB8:0:0::1 " B " " B6, NULL, 0, RQLITED_FORM,
     A6 " " B6, 2, ""},

    /* JOIN: everything else */
    {"a founder, members are known", ON, NULL, B, A " " B " " C, NULL, 0, RQLITED_JOIN, B, 0,
     "members"},
    {"no founder", ON, NULL, "", B " " C, NULL, 0, RQLITED_JOIN, B " " C, 0, "lsc"},
    {"no founder, lookup first", ON, NULL, "", B, C " " A, 0, RQLITED_JOIN, C " " B, 0, "lsc"},
    {"members first", ON, NULL, A " " B, "", C, 0, RQLITED_JOIN, B, 0, "members"},
    {"then those of lsc", ON, NULL, B, A " " C, C " " B " " A, 1, RQLITED_JOIN, C " " B, 0, "lsc"},
    {"then members again", ON, NULL, B, "", C, 2, RQLITED_JOIN, B, 0, "members"},
    {"members alone", ON, NULL, B, "", NULL, 1, RQLITED_JOIN, B, 0, "members"},
    {"tls opens the port", TLS, NULL, B, "", NULL, 0, RQLITED_JOIN, B, 0, "members"},
    {"without discovery lsc is not used", TLS, NULL, B, C, C, 1, RQLITED_JOIN, B, 0, "members"},
    {"non-voter, members", ON | NV, NULL, B, "", C, 0, RQLITED_JOIN, B, 0, ""},
    {"non-voter by name", ON | NV, NULL, "", A " " B, B " " C, 0, RQLITED_JOIN, "lsc", 0, ""},
    {"non-voter, then by address", ON | NV, NULL, "", A " " B, C, 1, RQLITED_JOIN, C " " B, 0, ""},
    {"non-voter, no answer", ON | NV, NULL, "", A " " B, NULL, 0, RQLITED_JOIN, B, 0, ""},
    {"voter never by name", ON, NULL, "", "", B " " C, 0, RQLITED_JOIN, B " " C, 0, ""},
    {"v6 and v4", ON | SIX, NULL, B " " B6, "", NULL, 0, RQLITED_JOIN, B " " B6, 0, ""},
    {"some at a time", ON, NULL, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6", "", NULL,
     0, RQLITED_JOIN, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4", 0, ""},
    {"others next", ON, NULL, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6", "", NULL, 2,
     RQLITED_JOIN, "10.0.0.5 10.0.0.6 10.0.0.1 10.0.0.2", 0, ""},

    /* a state of unknown origin */
    {"state, lone", OLD, NULL, "", "", "", 2, RQLITED_FOUND, "", 0, ""},
    {"state, form first", ON | OLD, NULL, "", A " " B, NULL, 0, RQLITED_FORM, A " " B, 2, ""},
    {"state, form again", ON | OLD, NULL, "", A " " B, NULL, 1, RQLITED_FORM, A " " B, 2, ""},
    {"state, then resume", ON | OLD, NULL, "", A " " B, B, 2, RQLITED_RESUME, "", 0, "state"},
    {"state, then form", ON | OLD, NULL, "", A " " B, B, 3, RQLITED_FORM, A " " B, 2, ""},
    {"state, join", ON | OLD, NULL, B, "", NULL, 1, RQLITED_JOIN, B, 0, ""},
    {"state, join, resume", ON | OLD, NULL, B, "", NULL, 5, RQLITED_RESUME, "", 0, ""},
    {"state, nobody", ON | OLD, NULL, "", "", NULL, 1, RQLITED_NOBODY, "", 0, "nobody"},
    {"state, nobody, resume", ON | OLD, NULL, "", "", NULL, 2, RQLITED_RESUME, "", 0, ""},
    {"state, lsc, resume", OLD, NULL, "", "", B, 2, RQLITED_RESUME, "", 0, ""},

    /* the own address has changed */
    {"moved, members", ON, B ":4002", B " " C, "", "", 0, RQLITED_JOIN, B " " C, 0, "changed"},
    {"moved, port", ON, A ":4444", B, "", "", 2, RQLITED_JOIN, B, 0, "changed"},
    {"moved, joining did not work", ON, "192.0.2.9:4002", B, "", "", 1, RQLITED_RESUME, "", 0,
     "another address"},
    {"moved, alone", ON, "127.0.0.1:4002", "", A " " B, B, 0, RQLITED_RESUME, "", 0, ""},
    {"moved, alone, closed", 0, "127.0.0.1:4002", A, "", B, 0, RQLITED_RESUME, "", 0, ""},
    {"moved, closed", 0, "127.0.0.1:4002", B, "", "", 0, RQLITED_RESUME, "", 0, ""},
    {"moved, bare", ON | BARE, A ":4002", B, "", "", 0, RQLITED_RESUME, "", 0, ""},
    {"moved, non-voter", ON | NV, "192.0.2.9:4002", B, "", C, 0, RQLITED_JOIN, B, 0, "changed"},
};

static void test_plan(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];
        struct rqlited_config c = config();
        apply(&c, r->config);
        struct rqlited_known k = {.member_as = r->member_as,
                                  .members = peers_of(r->members),
                                  .seeds = peers_of(r->seeds),
                                  .lookup = peers_of(r->lookup),
                                  .looked_up = r->lookup != NULL,
                                  .has_state = r->member_as != NULL || (r->config & OLD) != 0,
                                  .attempt = r->attempt};
        struct rqlited_plan p;
        memset(&p, 0xff, sizeof p);
        rqlited_plan(&c, &k, &p);
        char peers[RQLITED_PEERS_MAX * RQLITED_ADDRESS] = "lsc";
        if (!p.discover) {
            join_text(&p.peers, peers, sizeof peers);
        }
        if (p.way != r->way || strcmp(peers, r->peers) != 0 || p.expect != r->expect ||
            strstr(p.why, r->why) == NULL || (p.discover && p.peers.count > 0)) {
            fail_msg("%s: %s peers=[%s] expect=%u why=%s", r->name, rqlited_way_text(p.way), peers,
                     p.expect, p.why);
        }
        assert_int_equal(p.unsure, p.way == RQLITED_RESUME &&
                                       (r->member_as == NULL || strncmp(r->name, "moved", 5) == 0));
    }
}

static bool only_us(const struct rqlited_peers *p)
{
    return p->count == 0 || (p->count == 1 && strcmp(p->address[0], A) == 0);
}

/* Whatever is known: only a lone core founds, and FORM is never with fewer than all founders. */
static void test_no_accidental_cluster(void **state)
{
    (void)state;
    static const char *const some[] = {"", A, B, A " " B, B " " C, A " " B " " C};
    for (unsigned n = 0; n < 8u * 6 * 6 * 6 * 7 * 3 * 2; n++) {
        unsigned x = n;
        struct rqlited_config c = config();
        apply(&c, x % 8);
        x /= 8;
        struct rqlited_known k = {.attempt = x % 6};
        x /= 6;
        k.members = peers_of(some[x % 6]);
        x /= 6;
        k.seeds = peers_of(some[x % 6]);
        x /= 6;
        k.looked_up = x % 7 < 6;
        k.lookup = peers_of(k.looked_up ? some[x % 7] : "");
        x /= 7;
        static const char *const as[] = {NULL, A ":4002", B ":4002"};
        k.member_as = as[x % 3];
        k.has_state = k.member_as != NULL || x / 3 > 0;
        struct rqlited_plan p;
        rqlited_plan(&c, &k, &p);
        bool lone = only_us(&k.members) && only_us(&k.seeds) && only_us(&k.lookup);
        if (p.way == RQLITED_FOUND) {
            assert_true(k.member_as == NULL && !c.discovery && !c.non_voter);
            assert_true(lone);
        }
        if (p.way == RQLITED_FORM) {
            assert_true(k.member_as == NULL && c.discovery && !c.non_voter);
            assert_int_equal(p.expect, k.seeds.count);
            assert_true(p.expect >= 2);
        }
        if (p.way == RQLITED_RESUME) {
            assert_true(k.has_state);
            assert_true(k.member_as != NULL || p.unsure);
        }
        if (p.way == RQLITED_JOIN) {
            assert_int_equal(p.expect, 0);
            assert_true(p.discover ? c.non_voter : p.peers.count > 0);
            for (size_t i = 0; i < p.peers.count; i++) {
                assert_string_not_equal(p.peers.address[i], A);
            }
        }
    }
}

static void check_argv(const struct rqlited_config *c, const struct rqlited_plan *p,
                       const char *name, const char *expect)
{
    struct rqlited_argv a;
    struct err_info info = {""};
    assert_int_equal(rqlited_argv(c, p, &a, &info), ERR_OK);
    char text[8192] = "";
    size_t used = 0;
    for (size_t i = 0; i < a.count; i++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "", a.argv[i]);
    }
    assert_null(a.argv[a.count]);
    print_message("%-28s %s\n", name, text);
    assert_string_equal(text, expect);
}

#define HEAD                                                                                       \
    "/usr/bin/rqlited -node-id core-a -http-addr 127.0.0.1:4001 -http-adv-addr 127.0.0.1:4001 "
#define DATA  " /var/lib/dnsd/rqlite"
#define OPEN  "-raft-addr 0.0.0.0:4002 -raft-adv-addr 192.0.2.1:4002 -cluster-connect-timeout 2s "
#define OPEN6 "-raft-addr [::]:4002 -raft-adv-addr [2001:db8::1]:4002 -cluster-connect-timeout 2s "

static void test_argv(void **state)
{
    (void)state;
    struct {
        const char *name;
        unsigned config;
        bool auth;
        struct rqlited_plan plan;
        const char *peers;
        const char *expect;
    } table[] = {
        {"found, bare",
         BARE,
         false,
         {.way = RQLITED_FOUND},
         "",
         HEAD "-raft-addr 127.0.0.1:4002 -raft-adv-addr 127.0.0.1:4002 "
              "-cluster-connect-timeout 2s" DATA},
        {"found, with auth",
         0,
         true,
         {.way = RQLITED_FOUND},
         "",
         HEAD "-raft-addr 127.0.0.1:4002 -raft-adv-addr 192.0.2.1:4002 "
              "-cluster-connect-timeout 2s -auth /run/auth.json" DATA},
        {"found, tls",
         TLS,
         true,
         {.way = RQLITED_FOUND},
         "",
         HEAD OPEN "-node-ca-cert ca -node-cert cert -node-key key -auth /run/auth.json" DATA},
        {"resume",
         ON,
         true,
         {.way = RQLITED_RESUME},
         "",
         HEAD OPEN "-auth /run/auth.json -raft-non-voter" DATA},
        {"resume, non-voter",
         ON | NV,
         false,
         {.way = RQLITED_RESUME},
         "",
         HEAD OPEN "-raft-non-voter" DATA},
        {"form by address",
         ON,
         true,
         {.way = RQLITED_FORM, .expect = 3},
         A " " B " " C,
         HEAD OPEN "-auth /run/auth.json -join-as dnsd "
                   "-join 192.0.2.1:4002,192.0.2.2:4002,192.0.2.3:4002 "
                   "-bootstrap-expect 3 -bootstrap-expect-timeout 30s" DATA},
        {"form by name",
         ON | TLS,
         true,
         {.way = RQLITED_FORM, .expect = 3, .discover = true},
         "",
         HEAD OPEN "-node-ca-cert ca -node-cert cert -node-key key -auth /run/auth.json "
                   "-join-as dnsd -disco-mode dns "
                   "-disco-config {\"name\":\"lsc.example.com\",\"port\":4002} "
                   "-bootstrap-expect 3 -bootstrap-expect-timeout 30s" DATA},
        {"join",
         ON,
         true,
         {.way = RQLITED_JOIN},
         B " " C,
         HEAD OPEN "-auth /run/auth.json -join-as dnsd -join 192.0.2.2:4002,192.0.2.3:4002 "
                   "-join-attempts 8 -join-interval 2s" DATA},
        {"join, v6, no auth",
         ON | SIX,
         false,
         {.way = RQLITED_JOIN},
         B6 " " B,
         HEAD OPEN6 "-join [2001:db8::2]:4002,192.0.2.2:4002 "
                    "-join-attempts 8 -join-interval 2s" DATA},
        {"join, non-voter",
         ON | NV,
         true,
         {.way = RQLITED_JOIN},
         B,
         HEAD OPEN "-auth /run/auth.json -raft-non-voter -join-as dnsd -join 192.0.2.2:4002 "
                   "-join-attempts 8 -join-interval 2s" DATA},
        {"join by name, non-voter",
         ON | NV,
         true,
         {.way = RQLITED_JOIN, .discover = true},
         "",
         HEAD OPEN "-auth /run/auth.json -raft-non-voter -join-as dnsd -disco-mode dns "
                   "-disco-config {\"name\":\"lsc.example.com\",\"port\":4002} "
                   "-bootstrap-expect-timeout 30s" DATA},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct rqlited_config c = config();
        apply(&c, table[i].config);
        if (table[i].auth) {
            c.auth_file = "/run/auth.json";
            c.user = "dnsd";
        }
        table[i].plan.peers = peers_of(table[i].peers);
        check_argv(&c, &table[i].plan, table[i].name, table[i].expect);
    }
    struct rqlited_config c = config();
    apply(&c, TLS);
    c.verify_client = true;
    c.raft_bind = "127.0.0.9:777";
    check_argv(&c, &(struct rqlited_plan){.way = RQLITED_FOUND}, "verify client, own bind",
               HEAD "-raft-addr 127.0.0.9:777 -raft-adv-addr 192.0.2.1:4002 "
                    "-cluster-connect-timeout 2s -node-ca-cert ca -node-cert cert -node-key key "
                    "-node-verify-client" DATA);

    c.raft_local_port = 14002; /* which counts more than raft_bind */
    check_argv(&c, &(struct rqlited_plan){.way = RQLITED_FOUND}, "behind the gate",
               HEAD "-raft-addr 127.0.0.1:14002 -raft-adv-addr 192.0.2.1:4002 "
                    "-cluster-connect-timeout 2s -node-ca-cert ca -node-cert cert -node-key key "
                    "-node-verify-client" DATA);
    apply(&c, TLS | SIX);
    c.raft_bind = NULL;
    check_argv(&c, &(struct rqlited_plan){.way = RQLITED_JOIN, .peers = peers_of(B6)},
               "behind the gate, v6: others are asked at the port they are known by",
               HEAD "-raft-addr 127.0.0.1:14002 -raft-adv-addr [2001:db8::1]:4002 "
                    "-cluster-connect-timeout 2s -node-ca-cert ca -node-cert cert -node-key key "
                    "-node-verify-client -join [2001:db8::2]:4002 "
                    "-join-attempts 8 -join-interval 2s" DATA);
}

static void test_argv_same(void **state)
{
    (void)state;
    struct rqlited_config c = config();
    struct rqlited_plan p = {.way = RQLITED_RESUME};
    struct rqlited_argv a;
    struct rqlited_argv b;
    assert_int_equal(rqlited_argv(&c, &p, &a, NULL), ERR_OK);
    assert_int_equal(rqlited_argv(&c, &p, &b, NULL), ERR_OK);
    assert_true(rqlited_argv_same(&a, &b));
    c.raft_port++; /* as many arguments */
    assert_int_equal(rqlited_argv(&c, &p, &b, NULL), ERR_OK);
    assert_false(rqlited_argv_same(&a, &b));
    c.raft_port--;
    apply(&c, TLS); /* more */
    assert_int_equal(rqlited_argv(&c, &p, &b, NULL), ERR_OK);
    assert_false(rqlited_argv_same(&a, &b));
    assert_false(rqlited_argv_same(&b, &a));
}

static void test_argv_limits(void **state)
{
    (void)state;
    struct rqlited_config c = config();
    apply(&c, ON);
    struct rqlited_argv a;
    struct err_info info = {""};
    struct rqlited_plan p = {.way = RQLITED_NOBODY};
    assert_int_equal(rqlited_argv(&c, &p, &a, &info), ERR_BUG);

    /* as many and as long addresses as there may be */
    p.way = RQLITED_FORM;
    for (unsigned i = 0; i < RQLITED_PEERS_MAX + 5; i++) {
        char address[RQLITED_ADDRESS];
        snprintf(address, sizeof address, "2001:db8:1111:2222:3333:4444:5555:%x", 0xff00 + i);
        rqlited_peers_add(&p.peers, address);
    }
    assert_int_equal(p.peers.count, RQLITED_PEERS_MAX);
    assert_int_equal(rqlited_argv(&c, &p, &a, &info), ERR_OK);

    char longer[9000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    c.data_dir = longer;
    assert_int_equal(rqlited_argv(&c, &p, &a, &info), ERR_LIMIT);
    assert_non_null(strstr(info.text, "too long"));
}

static void test_advertised(void **state)
{
    (void)state;
    struct {
        const char *ip, *ipv6, *expect;
    } table[] = {
        {NULL, NULL, "127.0.0.1:4002"},
        {A, NULL, A ":4002"},
        {A, A6, A ":4002"},
        {NULL, "2001:DB8:0::1", "[2001:db8::1]:4002"},
        {"::ffff:192.0.2.7", NULL, "192.0.2.7:4002"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct rqlited_config c = config();
        c.ip = table[i].ip;
        c.ipv6 = table[i].ipv6;
        char text[RQLITED_ADDRESS + 8];
        rqlited_advertised(&c, text);
        assert_string_equal(text, table[i].expect);
    }
}

static void test_peers_add(void **state)
{
    (void)state;
    struct rqlited_peers p =
        peers_of("192.0.2.1 2001:DB8::0:1 2001:db8::1 ::ffff:192.0.2.1 name x");
    char text[512];
    join_text(&p, text, sizeof text);
    assert_string_equal(text, "192.0.2.1 2001:db8::1 name x");
    rqlited_peers_add(&p, "");
    assert_int_equal(p.count, 4);
}

static void test_auth_json(void **state)
{
    (void)state;
    char *text = rqlited_auth_json("dnsd", "quote\" back\\slash");
    assert_string_equal(
        text,
        "[{\"username\":\"dnsd\",\"password\":\"quote\\\" back\\\\slash\",\"perms\":[\"all\"]}]");
    free(text);
    assert_null(rqlited_auth_json("dnsd", "\xff"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),      cmocka_unit_test(test_no_accidental_cluster),
        cmocka_unit_test(test_argv),      cmocka_unit_test(test_argv_limits),
        cmocka_unit_test(test_argv_same), cmocka_unit_test(test_advertised),
        cmocka_unit_test(test_peers_add), cmocka_unit_test(test_auth_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

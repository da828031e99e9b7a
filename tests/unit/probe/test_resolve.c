/* What the world says, where the world is a scripted resolver and scripted name servers of a parent zone:
 * each way of finding a delegation, and of not finding it; addresses; CAA up the tree. */
#include "dnsd/probe/resolve_uv.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dns_script.h"
#include "dnsd/probe/address.h"
#include "dnsd/probe/resolve_priv.h"
#include "lib/str.h"

#define SOA(zone) "= " zone ". SOA ns. h. 1 2 3 4 5"
#define NO(zone)  "aa\n! " zone ". SOA ns. h. 1 2 3 4 5"
#define PARENT    "127.0.0.11"
#define PARENT_2  "127.0.0.12"

static uv_loop_t loop;
static struct probe *probe;
static struct resolve *resolve;
static struct dns_script *resolver, *resolver_2, *parent, *parent_2;

static struct {
    unsigned ended;
    enum err e;
    struct err_info info;
    struct str out;
} got;

static const struct dns_rule none[] = {{0}};

static void open_resolve(const char *const *servers, size_t count)
{
    struct err_info info = {.text = ""};
    if (resolve_open(&loop, probe, servers, count, &resolve, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    resolve_use_port(resolve, dns_script_port(parent));
}

static int setup(void **state)
{
    static char first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];
    const char *servers[] = {first, second};
    (void)state;
    uv_loop_init(&loop);
    probe_open(&loop, &probe);
    resolver = dns_script_open(&loop, "127.0.0.1", 0, none);
    resolver_2 = dns_script_open(&loop, "127.0.0.1", 0, none);
    parent = dns_script_open(&loop, PARENT, 0, none);
    parent_2 = dns_script_open(&loop, PARENT_2, dns_script_port(parent), none);
    snprintf(first, sizeof first, "127.0.0.1:%u", dns_script_port(resolver));
    snprintf(second, sizeof second, "127.0.0.1:%u", dns_script_port(resolver_2));
    open_resolve(servers, 2);
    memset(&got, 0, sizeof got);
    str_append(&got.out, "");
    return 0;
}

static void on_closed(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void until(const unsigned *count, unsigned n)
{
    while (*count < n) {
        assert_true(uv_run(&loop, UV_RUN_ONCE) != 0 || *count >= n);
    }
}

static void close_resolve(void)
{
    unsigned closed = 0;
    resolve_close(resolve, on_closed, &closed);
    assert_int_equal(closed, 0);
    until(&closed, 1);
    resolve = NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (resolve != NULL) {
        close_resolve();
    }
    probe_close(probe, NULL, NULL);
    dns_script_close(resolver);
    dns_script_close(resolver_2);
    dns_script_close(parent);
    dns_script_close(parent_2);
    str_free(&got.out);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

/* ---- what comes, as text ------------------------------------------------------------------- */

static void end(enum err e, const struct err_info *info)
{
    got.ended++;
    got.e = e;
    assert_true((e == ERR_OK) == (info == NULL));
    if (info != NULL) {
        got.info = *info;
    }
}

static void put_addresses(const struct sockaddr_storage *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[ADDRESS_TEXT_MAX];
        struct sockaddr_storage a = list[i];
        address_set_port(&a, 53);
        address_to_text(&a, text);
        text[strlen(text) - 3] = '\0';
        str_appendf(&got.out, " %s", text);
    }
}

static void on_delegation(void *ctx, enum err e, const struct err_info *info,
                          const struct resolve_delegation *d)
{
    char name[WIRE_NAME_TEXT_MAX];
    (void)ctx;
    if (d != NULL) {
        wire_name_to_text(&d->parent, name);
        str_appendf(&got.out, "%s%s", name, d->has_ds ? " DS" : "");
        for (size_t i = 0; i < d->count; i++) {
            const struct resolve_server *s = &d->servers[i];
            wire_name_to_text(&s->name, name);
            str_appendf(&got.out, "; %s%s", name, s->glue ? " glue" : "");
            put_addresses(s->addresses, s->count);
        }
    }
    end(e, info);
}

static void on_addresses(void *ctx, enum err e, const struct err_info *info,
                         const struct sockaddr_storage *list, size_t count)
{
    (void)ctx;
    put_addresses(list, count);
    end(e, info);
}

static void on_caa(void *ctx, enum err e, const struct err_info *info, const struct wire_name *at,
                   const struct caa_set *set)
{
    char name[WIRE_NAME_TEXT_MAX];
    (void)ctx;
    wire_name_to_text(at, name);
    str_append(&got.out, name);
    assert_true((set != NULL) == (e == ERR_OK));
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct wire_caa *c = &set->list[i];
        str_appendf(&got.out, "; %u %s %s", c->flags, c->tag, c->value);
    }
    end(e, info);
}

static void begin(void)
{
    got.ended = 0;
    got.out.len = 0;
    got.out.text[0] = '\0';
    got.info.text[0] = '\0';
}

static struct wire_name name_of(const char *text)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    return name;
}

static void expect(enum err e, const char *text)
{
    until(&got.ended, 1);
    const char *said = e == ERR_OK ? got.out.text : got.info.text;
    if (got.e != e || (e == ERR_OK ? strcmp(said, text) != 0 : strstr(said, text) == NULL)) {
        fail_msg("%s: %s%s; not %s", err_text(got.e), got.out.text, got.info.text, text);
    }
}

static void delegation(const char *zone, enum err e, const char *text)
{
    struct wire_name name = name_of(zone);
    begin();
    resolve_delegation(resolve, &name, on_delegation, NULL);
    assert_int_equal(got.ended, 0);
    expect(e, text);
}

static void caa(const char *of, enum err e, const char *text)
{
    struct wire_name name = name_of(of);
    begin();
    resolve_caa(resolve, &name, on_caa, NULL);
    expect(e, text);
}

static void addresses(const char *of, enum err e, const char *text)
{
    struct wire_name name = name_of(of);
    begin();
    resolve_addresses(resolve, &name, on_addresses, NULL);
    expect(e, text);
}

/* ---- delegations --------------------------------------------------------------------------- */

/* example.com has two servers; the rest is the tests'. */
#define EXAMPLE                                                                                    \
    {"example.com", "SOA", NULL, "aa\n" SOA("example.com")},                                       \
        {"example.com", "NS", NULL,                                                                \
         "aa\n= example.com. NS a.ns.test.\n= example.com. NS b.ns.test."},                        \
        {"a.ns.test", "A", NULL, "aa\n= a.ns.test. A " PARENT},                                    \
        {"a.ns.test", "AAAA", NULL, NO("ns.test")},                                                \
        {"b.ns.test", "A", NULL, "aa\n= b.ns.test. A " PARENT_2},                                  \
    {                                                                                              \
        "b.ns.test", "AAAA", NULL, NO("ns.test")                                                   \
    }
static const struct dns_rule world[] = {EXAMPLE, {0}};

#define NO_DS                                                                                      \
    {                                                                                              \
        "mc.example.com", "DS", NULL, NO("example.com")                                            \
    }

static void with_glue(void **state)
{
    static const struct dns_rule says[] = {
        {"mc.example.com", "NS", NULL,
         "\n! mc.example.com. NS dns1.mc.example.com.\n! mc.example.com. NS dns2.mc.example.com."
         "\n+ dns1.mc.example.com. A 192.0.2.1\n+ dns2.mc.example.com. A 192.0.2.2"
         "\n+ dns2.mc.example.com. AAAA 2001:db8::2\n+ other.example.com. A 192.0.2.9"},
        NO_DS,
        {0}};
    (void)state;
    dns_script_rules(resolver, world);
    dns_script_rules(parent, says);
    delegation("mc.example.com", ERR_OK,
               "example.com.; dns1.mc.example.com. glue 192.0.2.1; "
               "dns2.mc.example.com. glue 192.0.2.2 [2001:db8::2]");
    /* The resolver was not asked for what the parent has told, nor told to ask for our zone. */
    assert_null(strstr(dns_script_asked(resolver), "mc.example.com"));
    assert_string_equal(dns_script_asked(parent), "udp+edns mc.example.com. NS\n"
                                                  "udp+edns mc.example.com. DS\n");
    assert_int_equal(dns_script_count(parent_2), 0);
}

/* The parent zone is higher up; the name between is nobody's. */
static void found_by_climbing(void **state)
{
    static const struct dns_rule climb[] = {
        {"x.y.example.com", "SOA", NULL, "servfail"},
        {"y.example.com", "SOA", NULL, "aa\n= y.example.com. CNAME z.test."},
        EXAMPLE,
        {0}};
    static const struct dns_rule no_such_name[] = {
        {"y.example.com", "SOA", NULL, "nxdomain " NO("example.com")},
        {"example.com", "SOA", NULL, "servfail"},
        /* it was told already */ EXAMPLE,
        {0}};
    static const struct dns_rule says[] = {{"x.y.example.com", "NS", NULL,
                                            "\n! x.y.example.com. NS n.x.y.example.com."
                                            "\n+ n.x.y.example.com. A 192.0.2.1"},
                                           {"x.y.example.com", "DS", NULL, NO("example.com")},
                                           {0}};
    (void)state;
    dns_script_rules(parent, says);
    dns_script_rules(resolver, climb);
    delegation("x.y.example.com", ERR_OK, "example.com.; n.x.y.example.com. glue 192.0.2.1");
    dns_script_rules(resolver, no_such_name);
    delegation("x.y.example.com", ERR_OK, "example.com.; n.x.y.example.com. glue 192.0.2.1");
}

static void no_parent(void **state)
{
    static const struct dns_rule nothing[] = {{NULL, "SOA", NULL, "aa"}, {0}};
    static const struct dns_rule gone[] = {
        {"mc.example.com", "NS", NULL, "nxdomain " NO("example.com")}, {0}};
    static const struct dns_rule no_cut[] = {{"mc.example.com", "NS", NULL, NO("example.com")},
                                             {0}};
    (void)state;
    dns_script_rules(resolver, nothing);
    delegation("mc.example.com", ERR_UNAVAIL, "no SOA of the root");
    delegation(".", ERR_NOTFOUND, "nobody delegates the root");
    dns_script_rules(resolver, world);
    dns_script_rules(parent, gone);
    delegation("mc.example.com", ERR_NOTFOUND,
               "a name server of example.com., asked for the NS of "
               "mc.example.com.: no such name");
    assert_non_null(strstr(got.info.text, PARENT ":"));
    dns_script_rules(parent, no_cut);
    delegation("mc.example.com", ERR_NOTFOUND, "there is no delegation");
}

static void glue_is_missing(void **state)
{
    static const struct dns_rule sees[] = {
        EXAMPLE,
        {"dns2.mc.example.com", "A", NULL, "servfail"},
        {"dns2.mc.example.com", "AAAA", NULL, "servfail"},
        {"ns.else.test", "A", NULL, "aa\n= ns.else.test. A 192.0.2.3"},
        {"ns.else.test", "AAAA", NULL, NO("test")},
        {0}};
    static const struct dns_rule says[] = {
        {"mc.example.com", "NS", NULL,
         "\n! mc.example.com. NS dns1.mc.example.com.\n! mc.example.com. NS dns2.mc.example.com."
         "\n! mc.example.com. NS ns.else.test.\n+ dns1.mc.example.com. A 192.0.2.1"},
        NO_DS,
        {0}};
    (void)state;
    dns_script_rules(resolver, sees);
    dns_script_rules(resolver_2, sees);
    dns_script_rules(parent, says);
    delegation("mc.example.com", ERR_OK,
               "example.com.; dns1.mc.example.com. glue 192.0.2.1; dns2.mc.example.com.; "
               "ns.else.test. 192.0.2.3");
}

/* What cannot be found out is no finding: the name of a server elsewhere. */
static void a_server_elsewhere_cannot_be_found(void **state)
{
    static const struct dns_rule says[] = {
        {"mc.example.com", "NS", NULL, "\n! mc.example.com. NS ns.else.test."}, NO_DS, {0}};
    (void)state;
    dns_script_rules(resolver, world); /* REFUSED for ns.else.test */
    dns_script_rules(parent, says);
    delegation("mc.example.com", ERR_UNAVAIL, "says REFUSED to ns.else.test. A");
    static const struct dns_rule with_glue_for_it[] = {
        {"mc.example.com", "NS", NULL,
         "\n! mc.example.com. NS ns.example.com.\n+ ns.example.com. A 192.0.2.4"},
        NO_DS,
        {0}};
    dns_script_rules(parent, with_glue_for_it); /* that is something to go by */
    delegation("mc.example.com", ERR_OK, "example.com.; ns.example.com. glue 192.0.2.4");
}

static void lame_servers(void **state)
{
    static const char *const lame[] = {"refused",
                                       "servfail",
                                       "nxdomain",
                                       "",
                                       "\n! . NS root.test.",
                                       "\n! example.com. NS a.ns.test.",
                                       "\n! other.test. NS a.ns.test."};
    static const struct dns_rule says[] = {
        {"mc.example.com", "NS", NULL,
         "\n! mc.example.com. NS d.mc.example.com.\n+ d.mc.example.com. A 192.0.2.1"},
        NO_DS,
        {0}};
    static const struct dns_rule no_ds[] = {{"mc.example.com", "NS", NULL,
                                             "\n! mc.example.com. NS wrong.mc.example.com."
                                             "\n+ wrong.mc.example.com. A 192.0.2.8"},
                                            {"mc.example.com", "DS", NULL, "servfail"},
                                            {0}};
    (void)state;
    dns_script_rules(resolver, world);
    dns_script_rules(parent_2, says);
    for (size_t i = 0; i < sizeof lame / sizeof lame[0]; i++) {
        struct dns_rule one[] = {{"mc.example.com", NULL, NULL, lame[i]}, {0}};
        dns_script_rules(parent, one);
        delegation("mc.example.com", ERR_OK, "example.com.; d.mc.example.com. glue 192.0.2.1");
    }
    dns_script_rules(parent, no_ds);
    delegation("mc.example.com", ERR_OK, "example.com.; d.mc.example.com. glue 192.0.2.1");
    dns_script_rules(parent, none);
    dns_script_rules(parent_2, none);
    delegation("mc.example.com", ERR_UNAVAIL, PARENT_2);
}

static void ds_is_there(void **state)
{
    static const struct dns_rule says[] = {
        {"mc.example.com", "NS", "udp", "tc"},
        {"mc.example.com", "NS", "tcp",
         "\n! mc.example.com. NS d.mc.example.com.\n+ d.mc.example.com. A 192.0.2.1"},
        {"mc.example.com", "DS", NULL,
         "aa\n= mc.example.com. DS 1 13 2 "
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {0}};
    (void)state;
    dns_script_rules(resolver, world);
    dns_script_rules(parent, says);
    delegation("mc.example.com", ERR_OK, "example.com. DS; d.mc.example.com. glue 192.0.2.1");
}

/* One server of both zones; and a zone between that the resolver did not tell of. */
static void other_shapes(void **state)
{
    static const struct dns_rule both[] = {{"mc.example.com", "NS", NULL,
                                            "aa\n= mc.example.com. NS d.mc.example.com."
                                            "\n+ d.mc.example.com. A 192.0.2.1"},
                                           NO_DS,
                                           {0}};
    static const struct dns_rule between[] = {
        {"x.sub.example.com", "NS", NULL, "\n! sub.example.com. NS c.ns.test."}, {0}};
    static const struct dns_rule sees[] = {
        {"sub.example.com", "SOA", NULL, NO("example.com")},
        {"sub.example.com", "NS", NULL, "aa\n= sub.example.com. NS c.ns.test."},
        {"c.ns.test", "A", NULL, "aa\n= c.ns.test. A " PARENT_2},
        {"c.ns.test", "AAAA", NULL, NO("ns.test")},
        EXAMPLE,
        {0}};
    static const struct dns_rule says[] = {{"x.sub.example.com", "NS", NULL,
                                            "\n! x.sub.example.com. NS d.x.sub.example.com."
                                            "\n+ d.x.sub.example.com. A 192.0.2.1"},
                                           {"x.sub.example.com", "DS", NULL, NO("sub.example.com")},
                                           {0}};
    (void)state;
    dns_script_rules(resolver, world);
    dns_script_rules(parent, both);
    delegation("mc.example.com", ERR_OK, "example.com.; d.mc.example.com. glue 192.0.2.1");
    dns_script_rules(resolver, sees);
    dns_script_rules(parent, between);
    dns_script_rules(parent_2, says);
    delegation("x.sub.example.com", ERR_OK,
               "sub.example.com.; d.x.sub.example.com. glue 192.0.2.1");
}

static void too_many_servers(void **state)
{
    struct str reply = {.text = NULL};
    struct dns_rule says[] = {{"mc.example.com", "NS", NULL, NULL}, NO_DS, {0}};
    (void)state;
    for (int i = 0; i < RESOLVE_NS_MAX; i++) {
        str_appendf(&reply,
                    "\n! mc.example.com. NS n%d.mc.example.com."
                    "\n+ n%d.mc.example.com. A 192.0.2.%d",
                    i, i, i);
    }
    says[0].reply = reply.text;
    dns_script_rules(resolver, world);
    dns_script_rules(parent, says);
    begin();
    struct wire_name name = name_of("mc.example.com");
    resolve_delegation(resolve, &name, on_delegation, NULL);
    until(&got.ended, 1);
    assert_int_equal(got.e, ERR_OK);
    assert_non_null(strstr(got.out.text, "n15.mc.example.com. glue 192.0.2.15"));
    str_append(&reply, "\n! mc.example.com. NS n16.mc.example.com.");
    says[0].reply = reply.text;
    delegation("mc.example.com", ERR_LIMIT, "more name servers");
    str_free(&reply);
}

/* ---- CAA ----------------------------------------------------------------------------------- */

static void caa_up_the_tree(void **state)
{
    static const struct dns_rule rules[] = {
        {"own.mc.example.com", "CAA", NULL, "aa\n= own.mc.example.com. CAA 0 issue \"ca.example\""},
        {"a.mc.example.com", "CAA", NULL, NO("mc.example.com")},
        {"gone.mc.example.com", "CAA", NULL, "nxdomain " NO("mc.example.com")},
        {"alias.mc.example.com", "CAA", NULL,
         "aa\n= alias.mc.example.com. CNAME other.sub.test."
         "\n= other.sub.test. CAA 128 issue \"alias.example\"\n= sub.test. CAA 0 issue "
         "\"no.example\""},
        {"dead.mc.example.com", "CAA", NULL, "aa\n= dead.mc.example.com. CNAME other.sub.test."},
        {"ring.mc.example.com", "CAA", NULL,
         "aa\n= ring.mc.example.com. CNAME r.test.\n= r.test. CNAME ring.mc.example.com."},
        {"mc.example.com", "CAA", "udp", "tc"},
        {"mc.example.com", "CAA", "tcp",
         "aa\n= mc.example.com. CAA 0 issue \"ca.example\"\n= mc.example.com. CAA 0 iodef \"x\""},
        {"top.test", "CAA", NULL, NO("test")},
        {"test", "CAA", NULL, NO("test")},
        {"bad.test", "CAA", NULL, "aa\n= bad.test. CAA \\# 0005"},
        {"sick.example.com", "CAA", NULL, "servfail"},
        {0}};
    static const char apex[] = "mc.example.com.; 0 issue ca.example; 0 iodef x";
    (void)state;
    dns_script_rules(resolver, rules);
    dns_script_rules(resolver_2, rules);
    caa("own.mc.example.com", ERR_OK, "own.mc.example.com.; 0 issue ca.example");
    caa("a.mc.example.com", ERR_OK, apex);
    caa("gone.mc.example.com", ERR_OK, apex);
    caa("alias.mc.example.com", ERR_OK, "alias.mc.example.com.; 128 issue alias.example");
    caa("dead.mc.example.com", ERR_OK, apex); /* up the tree of the name, not of the alias */
    caa("ring.mc.example.com", ERR_OK, apex);
    caa("top.test", ERR_OK, ".");
    caa("bad.test", ERR_MALFORMED, "bad.test. has a CAA record that is none");
    caa("sick.example.com", ERR_UNAVAIL, "says SERVFAIL to sick.example.com. CAA");
}

/* ---- addresses, resolvers ------------------------------------------------------------------ */

static const struct dns_rule hosts[] = {
    {"h.test", "A", NULL,
     "\n= h.test. CNAME i.test.\n= i.test. A 192.0.2.1\n= i.test. A 192.0.2.2"
     "\n= x.test. A 192.0.2.3"},
    {"h.test", "AAAA", NULL, "\n= h.test. CNAME i.test.\n= i.test. AAAA 2001:db8::1"},
    {"none.test", NULL, NULL, NO("test")},
    {"gone.test", NULL, NULL, "nxdomain " NO("test")},
    {0}};

static void addresses_of_a_host(void **state)
{
    (void)state;
    dns_script_rules(resolver, hosts);
    addresses("h.test", ERR_OK, " 192.0.2.1 192.0.2.2 [2001:db8::1]");
    addresses("none.test", ERR_NOTFOUND, "none.test. has no address");
    addresses("gone.test", ERR_NOTFOUND, "gone.test. has no address");
}

/* The first resolver is no good: the second answers, and is asked first from then on. */
static void the_next_resolver(void **state)
{
    static const struct dns_rule broken[] = {{NULL, NULL, NULL, "servfail"}, {0}};
    (void)state;
    dns_script_rules(resolver, broken);
    dns_script_rules(resolver_2, hosts);
    addresses("h.test", ERR_OK, " 192.0.2.1 192.0.2.2 [2001:db8::1]");
    assert_int_equal(dns_script_count(resolver), 1);
    assert_int_equal(dns_script_count(resolver_2), 2);
    dns_script_rules(resolver_2, broken);
    addresses("h.test", ERR_UNAVAIL, "says SERVFAIL to h.test. A");
    assert_int_equal(dns_script_count(resolver), 2);
}

static void ends_early(void **state)
{
    static const struct dns_rule mute[] = {{NULL, NULL, NULL, "silent"}, {0}};
    struct wire_name name = name_of("mc.example.com");
    (void)state;
    dns_script_rules(resolver, mute);
    dns_script_rules(parent, mute);
    begin();
    resolve_addresses(resolve, &name, on_addresses, NULL);
    resolve_cancel(resolve); /* before it has begun */
    expect(ERR_CANCELED, "canceled");
    begin();
    resolve_addresses(resolve, &name, on_addresses, NULL);
    resolve_caa(resolve, &name, on_caa, NULL);
    resolve_delegation(resolve, &name, on_delegation, NULL);
    while (dns_script_count(resolver) < 3) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    resolve_cancel(resolve);
    assert_int_equal(got.ended, 0);
    until(&got.ended, 3);
    assert_int_equal(got.e, ERR_CANCELED);
    begin();
    dns_script_rules(resolver, world);
    resolve_delegation(resolve, &name, on_delegation, NULL);
    while (dns_script_count(parent) == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    resolve_caa(resolve, &name, on_caa, NULL);
    close_resolve();
    assert_int_equal(got.ended, 2);
    assert_int_equal(got.e, ERR_CANCELED);
}

static void opening(void **state)
{
    static const char *const many[RESOLVE_SERVERS_MAX + 1] = {"::1", "::1", "::1", "::1", "::1",
                                                              "::1", "::1", "::1", "::1"};
    struct err_info info;
    struct resolve *r = NULL;
    (void)state;
    assert_int_equal(resolve_open(&loop, probe, (const char *[]){"dns.test"}, 1, &r, &info),
                     ERR_MALFORMED);
    assert_non_null(strstr(info.text, "dns.test is not an address"));
    assert_int_equal(resolve_open(&loop, probe, many, RESOLVE_SERVERS_MAX + 1, &r, &info),
                     ERR_LIMIT);
    close_resolve();
    open_resolve(NULL, 0); /* the system's */
}

static void resolv_conf(void **state)
{
    struct sockaddr_storage list[3];
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    assert_int_equal(resolv_conf_read("", list, 3), 0);
    assert_int_equal(
        resolv_conf_read("search x\n# nameserver 192.0.2.9\nnameserverx 192.0.2.9\n"
                         "nameserver\nnameserver fe80::1%eth0\n nameserver\t192.0.2.1 \n"
                         "nameserver 2001:db8::1 # there\noptions edns0\n"
                         "nameserver 192.0.2.2\nnameserver 192.0.2.3",
                         list, 3),
        3);
    address_to_text(&list[0], text);
    assert_string_equal(text, "192.0.2.1:53");
    address_to_text(&list[1], text);
    assert_string_equal(text, "[2001:db8::1]:53");
    address_to_text(&list[2], text);
    assert_string_equal(text, "192.0.2.2:53");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(with_glue),
        TEST(found_by_climbing),
        TEST(no_parent),
        TEST(glue_is_missing),
        TEST(a_server_elsewhere_cannot_be_found),
        TEST(lame_servers),
        TEST(ds_is_there),
        TEST(other_shapes),
        TEST(too_many_servers),
        TEST(caa_up_the_tree),
        TEST(addresses_of_a_host),
        TEST(the_next_resolver),
        TEST(ends_early),
        TEST(opening),
        cmocka_unit_test(resolv_conf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

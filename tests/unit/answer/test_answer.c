/* From a packet to a packet: literal octets for what four servers agree on, and for every branch
 * the reply as text (dns_decode.h). Each reply also passes answer_check.h.
 */
#include "dnsd/answer/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_check.h"
#include "dnsd/wire/query.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/str.h"
#include "rich_zone.h"
#include "zone_build.h"

struct fixture {
    struct zone *zone;
    struct answerer answerer;
    struct answer_counters counters;
};

static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};

static struct fixture fixture_of(const char *content)
{
    struct fixture f = {.zone = zone_build(RICH_OPTIONS, content)};
    f.answerer.snapshot = zone_commit(f.zone, 42);
    f.answerer.config = &config;
    return f;
}

static int open_rich(void **state)
{
    static struct fixture f;
    f = fixture_of(RICH_CONTENT);
    f.answerer.counters = &f.counters;
    *state = &f;
    return 0;
}

static void fixture_close(struct fixture *f)
{
    zone_snapshot_unref(f->answerer.snapshot);
    zone_free(f->zone);
}

static int close_rich(void **state)
{
    fixture_close(*state);
    return 0;
}

/* ---- queries --------------------------------------------------------------------------------- */

struct query {
    uint8_t bytes[700];
    size_t len;
};

static void put_name(struct buf_writer *w, const char *name)
{
    struct wire_name n;
    assert_int_equal(wire_name_from_text(name, NULL, &n, NULL), ERR_OK);
    buf_put(w, n.bytes, n.len);
}

/* SIZE 0: no OPT record. OPTIONS is their octets. */
static struct query query_opt(const char *name, uint16_t type, uint16_t size, uint32_t opt_ttl,
                              const char *options, size_t options_len)
{
    struct query q;
    struct buf_writer w = buf_writer_of(q.bytes, sizeof q.bytes);
    buf_put(&w, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
    put_name(&w, name);
    buf_put_u16(&w, type);
    buf_put_u16(&w, CLASS_IN);
    if (size > 0) {
        q.bytes[11] = 1;
        buf_put_u8(&w, 0);
        buf_put_u16(&w, TYPE_OPT);
        buf_put_u16(&w, size);
        buf_put_u32(&w, opt_ttl);
        buf_put_u16(&w, (uint16_t)options_len);
        buf_put(&w, options, options_len);
    }
    assert_false(w.bad);
    q.len = w.len;
    return q;
}

static struct query query(const char *name, uint16_t type)
{
    return query_opt(name, type, 0, 0, NULL, 0);
}

static char *ask_packet(struct fixture *f, enum answer_transport transport, const struct query *q)
{
    const struct dns_message *m;
    f->answerer.turn = 0;
    return answer_check(&f->answerer, transport, q->bytes, q->len, &m) > 0 ? dns_text(m)
                                                                           : strdup("");
}

static void expect_packet(struct fixture *f, enum answer_transport transport, const struct query *q,
                          const char *what, const char *expected)
{
    char *text = ask_packet(f, transport, q);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s:\n%s---- and not ----\n%s", what, text, expected);
    }
    free(text);
}

struct row {
    const char *name;
    uint16_t type;
    const char *expected; /* the header's line, '|', and what follows the question's */
};

#define SOA_LINE                                                                                   \
    "! mc.example.com. 30 SOA dns1.mc.example.com. john\\046doe.example.org. 42 3600 600 604800 "  \
    "30\n"

static void expect_rows(struct fixture *f, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char type[WIRE_TYPE_TEXT_MAX];
        struct str what = {.text = NULL}, expected = {.text = NULL};
        const char *bar = strchr(rows[i].expected, '|');
        struct query q = query(rows[i].name, rows[i].type);
        wire_type_to_text(rows[i].type, type);
        str_appendf(&what, "%s %s", rows[i].name, type);
        str_append_n(&expected, rows[i].expected, (size_t)(bar - rows[i].expected));
        str_appendf(&expected, "\n? %s %s\n%s", rows[i].name, type, bar + 1);
        expect_packet(f, ANSWER_UDP, &q, what.text, expected.text);
        expect_packet(f, ANSWER_TCP, &q, what.text, expected.text);
        str_free(&what);
        str_free(&expected);
    }
}

#define EXPECT_ROWS(state, rows) expect_rows(*(state), rows, sizeof(rows) / sizeof(rows)[0])
#define OK                       "NOERROR aa rd|"
#define NX                       "NXDOMAIN aa rd|" SOA_LINE
#define NOD                      "NOERROR aa rd|" SOA_LINE

/* ---- literal octets -------------------------------------------------------------------------- */

#define Q_ALICE "\5alice\2mc\7example\3com\0"
#define APEX    "\2mc\7example\3com\0"
/* What follows the owner of a negative SOA (30 s): names dns1.<apex> and john.doe@example.org. */
#define SOA_AT(apex_at)                                                                            \
    "\xc0" apex_at "\0\6\0\1\0\0\0\x1e\0\x31"                                                      \
    "\4dns1\xc0" apex_at "\10john.doe\7example\3org\0"                                             \
    "\0\0\0\x2a\0\0\x0e\x10\0\0\2\x58\0\x09\x3a\x80\0\0\0\x1e"

struct literal {
    const char *what;
    const char *in;
    size_t in_len;
    const char *out; /* NULL: nothing is sent */
    size_t out_len;
};
#define L(literal) literal, sizeof(literal) - 1

static const struct literal literals[] = {
    {"11 octets", L("\x12\x34\1\0\0\1\0\0\0\0\0"), NULL, 0},
    {"an answer", L("\x12\x34\x81\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"), NULL, 0},
    {"no question: a header with FORMERR", L("\x12\x34\1\0\0\0\0\0\0\0\0\0"),
     L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
    {"two questions", L("\x12\x34\1\0\0\2\0\0\0\0\0\0" Q_ALICE "\0\1\0\1" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
    {"a question that is cut", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\5ali"),
     L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
    {"the 18 octets that point at themselves", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"),
     L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
    {"a label of type 0x40",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\0\x41"
       "a\0\0\1\0\1"),
     L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
    {"IQUERY", L("\x12\x34\x09\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\x89\4\0\0\0\0\0\0\0\0")},
    {"STATUS", L("\x12\x34\x10\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\x90\4\0\0\0\0\0\0\0\0")},
    {"NOTIFY", L("\x12\x34\x20\0\0\1\0\0\0\0\0\0" APEX "\0\6\0\1"),
     L("\x12\x34\xa0\5\0\0\0\0\0\0\0\0")},
    {"UPDATE", L("\x12\x34\x28\0\0\1\0\0\0\0\0\0" APEX "\0\6\0\1"),
     L("\x12\x34\xa8\5\0\0\0\0\0\0\0\0")},
    {"opcode 15", L("\x12\x34\x78\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\xf8\4\0\0\0\0\0\0\0\0")},
    {"A of a user, letters as they were asked",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\0\5aLIce\2Mc\7exaMPle\3COM\0\0\1\0\1"),
     L("\x12\x34\x85\0\0\1\0\1\0\0\0\0\5aLIce\2Mc\7exaMPle\3COM\0\0\1\0\1"
       "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1")},
    {"no RD, and CD is not copied", L("\x12\x34\0\x10\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\x84\0\0\1\0\1\0\0\0\0" Q_ALICE "\0\1\0\1"
       "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1")},
    {"four octets too many: answered", L("\x12\x34\1\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1xxxx"),
     L("\x12\x34\x85\0\0\1\0\1\0\0\0\0" Q_ALICE "\0\1\0\1"
       "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1")},
    {"NODATA", L("\x12\x34\1\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\x10\0\1"),
     L("\x12\x34\x85\0\0\1\0\0\0\1\0\0" Q_ALICE "\0\x10\0\1" SOA_AT("\x12"))},
    {"NXDOMAIN", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\2no" APEX "\0\1\0\1"),
     L("\x12\x34\x85\3\0\1\0\0\0\1\0\0\2no" APEX "\0\1\0\1" SOA_AT("\x0f"))},
    {"a CNAME and what it leads to", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\2al" APEX "\0\1\0\1"),
     L("\x12\x34\x85\0\0\1\0\2\0\0\0\0\2al" APEX "\0\1\0\1"
       "\xc0\x0c\0\5\0\1\0\0\1\x2c\0\x09\6core-a\xc0\x0f"
       "\xc0\x2f\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1")},
    {"out of zone", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3net\0\0\1\0\1"),
     L("\x12\x34\x81\5\0\1\0\0\0\0\0\0\3www\7example\3net\0\0\1\0\1")},
    {"not at a label's border: evilmc.example.com",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\0\6evilmc\7example\3com\0\0\1\0\1"),
     L("\x12\x34\x81\5\0\1\0\0\0\0\0\0\6evilmc\7example\3com\0\0\1\0\1")},
    {"the parent", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1"),
     L("\x12\x34\x81\5\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1")},
    {"EDNS version 1: BADVERS",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\1" Q_ALICE "\0\1\0\1"
       "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
     L("\x12\x34\x81\0\0\1\0\0\0\0\0\1" Q_ALICE "\0\1\0\1"
       "\0\0\x29\x04\xd0\1\0\0\0\0\0")},
    {"DO is copied, the other flags of EDNS are not",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\1\2no" APEX "\0\1\0\1\0\0\x29\x10\0\0\0\xff\xff\0\0"),
     L("\x12\x34\x85\3\0\1\0\0\0\1\0\1\2no" APEX
       "\0\1\0\1" SOA_AT("\x0f") "\0\0\x29\x04\xd0\0\0\x80\0\0\0")},
    {"two OPTs",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\2" Q_ALICE "\0\1\0\1"
       "\0\0\x29\x04\xd0\0\0\0\0\0\0"
       "\0\0\x29\x04\xd0\0\0\0\0\0\0"),
     L("\x12\x34\x81\1\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1")},
    {"a cookie of 7",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\1" Q_ALICE "\0\1\0\1"
       "\0\0\x29\x04\xd0\0\0\0\0\0\13\0\12\0\7"
       "1234567"),
     L("\x12\x34\x81\1\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1")},
    {"id.server CH TXT", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\2id\6server\0\0\x10\0\3"),
     L("\x12\x34\x85\0\0\1\0\1\0\0\0\0\2id\6server\0\0\x10\0\3"
       "\xc0\x0c\0\x10\0\3\0\0\0\0\0\7\6core-a")},
};

static void expect_literals(struct fixture *f, const struct literal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct literal *l = &rows[i];
        for (int transport = ANSWER_UDP; transport <= ANSWER_TLS; transport++) {
            const struct dns_message *m;
            f->answerer.turn = 0;
            size_t n = answer_check(&f->answerer, transport, (const uint8_t *)l->in, l->in_len, &m);
            if (n != l->out_len || (n > 0 && memcmp(m->bytes, l->out, n) != 0)) {
                char *text = n > 0 ? dns_text(m) : strdup("nothing\n");
                fail_msg("%s: %zu octets, not %zu:\n%s", l->what, n, l->out_len, text);
            }
        }
    }
}

static void what_four_servers_agree_on(void **state)
{
    expect_literals(*state, literals, sizeof literals / sizeof literals[0]);
}

/* ---- what the zone says ---------------------------------------------------------------------- */

static void names_that_exist(void **state)
{
    static const struct row rows[] = {
        {"alice.mc.example.com.", TYPE_A, OK "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        {"alice.mc.example.com.", TYPE_AAAA, OK "= alice.mc.example.com. 300 AAAA 2001:db8::1\n"},
        {"bob.mc.example.com.", TYPE_AAAA, NOD},
        {"dave.mc.example.com.", TYPE_A, NOD}, /* of a core that nobody knows */
        {"core-b.mc.example.com.", TYPE_A, OK "= core-b.mc.example.com. 300 A 192.0.2.2\n"},
        {"core-gone.mc.example.com.", TYPE_A, NX},
        {"carol.mc.example.com.", TYPE_A,
         OK "= carol.mc.example.com. 300 CNAME host.example.org.\n"},
        {"www.mc.example.com.", TYPE_A, OK "= www.mc.example.com. 300 A 203.0.113.7\n"},
        {"www.mc.example.com.", TYPE_TXT, OK "= www.mc.example.com. 60 TXT \"static\"\n"},
        {"lsc.mc.example.com.", TYPE_A,
         OK "= lsc.mc.example.com. 5 A 192.0.2.1\n= lsc.mc.example.com. 5 A 192.0.2.2\n"},
        {"lsc.mc.example.com.", TYPE_AAAA, NOD}, /* core-b has none */
        {"types.mc.example.com.", 65280, OK "= types.mc.example.com. 300 TYPE65280 abcd\n"},
    };
    EXPECT_ROWS(state, rows);
}

static void types_nobody_has(void **state)
{
    static const struct row rows[] = {
        {"types.mc.example.com.", 0, NOD},
        {"types.mc.example.com.", 65535, NOD},
        {"types.mc.example.com.", 65281, NOD},
        {"alice.mc.example.com.", 12345, NOD},
    };
    EXPECT_ROWS(state, rows);
}

static void wildcards(void **state)
{
    static const struct row rows[] = {
        {"nope.wild.mc.example.com.", TYPE_A, OK "= nope.wild.mc.example.com. 300 A 192.0.2.10\n"},
        {"q.w.e.wild.mc.example.com.", TYPE_A,
         OK "= q.w.e.wild.mc.example.com. 300 A 192.0.2.10\n"},
        {"nope.wild.mc.example.com.", TYPE_MX, NOD},
        {"host.wild.mc.example.com.", TYPE_TXT, NOD},
        {"a.host.wild.mc.example.com.", TYPE_A, NX},
        {"ent.wild.mc.example.com.", TYPE_A, NOD},
        {"zz.ent.wild.mc.example.com.", TYPE_A, NX},
        {"wild.mc.example.com.", TYPE_A, NOD},
        {"*.wild.mc.example.com.", TYPE_A, OK "= *.wild.mc.example.com. 300 A 192.0.2.10\n"},
        {"a.*.wild.mc.example.com.", TYPE_A, NX}, /* `*` exists, and has no wildcard below */
        {"a.*.star.mc.example.com.", TYPE_A, OK "= a.*.star.mc.example.com. 300 A 192.0.2.13\n"},
        {"b.star.mc.example.com.", TYPE_A, NOD}, /* the ENT `*` stands in (RFC 4592 §4.2) */
        {"x.cw.mc.example.com.", TYPE_A,
         OK "= x.cw.mc.example.com. 300 CNAME core-a.mc.example.com.\n"
            "= core-a.mc.example.com. 300 A 192.0.2.1\n"},
        {"x.cw.mc.example.com.", TYPE_TXT,
         OK "= x.cw.mc.example.com. 300 CNAME core-a.mc.example.com.\n" SOA_LINE},
    };
    EXPECT_ROWS(state, rows);
}

static void names_between(void **state)
{
    static const struct row rows[] = {
        {"_acme-challenge.mc.example.com.", TYPE_TXT, NOD},
        {"_acct._acme-challenge.mc.example.com.", TYPE_TXT, NOD},
        {"x._acct._acme-challenge.mc.example.com.", TYPE_TXT,
         OK "= x._acct._acme-challenge.mc.example.com. 1 TXT \"proof\"\n"},
        {"y._acct._acme-challenge.mc.example.com.", TYPE_TXT, NX},
        {"b.alice.mc.example.com.", TYPE_A, NX},
        {"a.b.c.d.e.f.g.h.mc.example.com.", TYPE_A, NX},
    };
    EXPECT_ROWS(state, rows);
}

static void aliases(void **state)
{
    static const struct row rows[] = {
        {"al.mc.example.com.", TYPE_A,
         OK "= al.mc.example.com. 300 CNAME core-a.mc.example.com.\n"
            "= core-a.mc.example.com. 300 A 192.0.2.1\n"},
        {"al.mc.example.com.", TYPE_TXT,
         OK "= al.mc.example.com. 300 CNAME core-a.mc.example.com.\n" SOA_LINE},
        {"al.mc.example.com.", TYPE_CNAME,
         OK "= al.mc.example.com. 300 CNAME core-a.mc.example.com.\n"},
        {"al.mc.example.com.", TYPE_ANY,
         OK "= al.mc.example.com. 300 CNAME core-a.mc.example.com.\n"},
        {"al-user.mc.example.com.", TYPE_A,
         OK "= al-user.mc.example.com. 300 CNAME alice.mc.example.com.\n"
            "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        /* RFC 6604 §3: the RCODE is that of the last name */
        {"gone.mc.example.com.", TYPE_A,
         "NXDOMAIN aa rd|= gone.mc.example.com. 300 CNAME nowhere.gone.mc.example.com.\n" SOA_LINE},
        {"out.mc.example.com.", TYPE_A, OK "= out.mc.example.com. 300 CNAME www.example.net.\n"},
        {"apexal.mc.example.com.", TYPE_MX,
         OK "= apexal.mc.example.com. 300 CNAME mc.example.com.\n"
            "= mc.example.com. 120 MX 10 mail.mc.example.com.\n"},
        {"loop1.mc.example.com.", TYPE_A,
         OK "= loop1.mc.example.com. 300 CNAME loop2.mc.example.com.\n"
            "= loop2.mc.example.com. 300 CNAME loop1.mc.example.com.\n"},
        /* into a delegation: AA is of the first name (RFC 1034 §6.2.7) */
        {"into.mc.example.com.", TYPE_A,
         OK "= into.mc.example.com. 300 CNAME deep.sub.mc.example.com.\n"
            "! sub.mc.example.com. 300 NS ns1.sub.mc.example.com.\n"
            "! sub.mc.example.com. 300 NS ns2.example.net.\n"
            "! sub.mc.example.com. 300 NS core-b.mc.example.com.\n"
            "+ ns1.sub.mc.example.com. 300 A 192.0.2.20\n"
            "+ ns1.sub.mc.example.com. 300 AAAA 2001:db8::20\n"
            "+ core-b.mc.example.com. 300 A 192.0.2.2\n"},
    };
    EXPECT_ROWS(state, rows);
}

#define REFERRAL                                                                                   \
    "NOERROR rd|"                                                                                  \
    "! sub.mc.example.com. 300 NS ns1.sub.mc.example.com.\n"                                       \
    "! sub.mc.example.com. 300 NS ns2.example.net.\n"                                              \
    "! sub.mc.example.com. 300 NS core-b.mc.example.com.\n"                                        \
    "+ ns1.sub.mc.example.com. 300 A 192.0.2.20\n"                                                 \
    "+ ns1.sub.mc.example.com. 300 AAAA 2001:db8::20\n"                                            \
    "+ core-b.mc.example.com. 300 A 192.0.2.2\n"

static void delegations(void **state)
{
    static const struct row rows[] = {
        {"sub.mc.example.com.", TYPE_A, REFERRAL},
        {"sub.mc.example.com.", TYPE_NS, REFERRAL},
        {"sub.mc.example.com.", TYPE_ANY, REFERRAL},
        {"a.b.sub.mc.example.com.", TYPE_A, REFERRAL},
        {"hidden.sub.mc.example.com.", TYPE_TXT, REFERRAL},
        {"ns1.sub.mc.example.com.", TYPE_A, REFERRAL},
        {"ns1.sub.mc.example.com.", TYPE_DS, REFERRAL},
        {"sub.mc.example.com.", TYPE_DS, NOD}, /* RFC 4035 §3.1.4.1: the parent's */
    };
    EXPECT_ROWS(state, rows);
}

#define APEX_NS                                                                                    \
    "= mc.example.com. 300 NS dns1.mc.example.com.\n"                                              \
    "= mc.example.com. 300 NS dns2.mc.example.com.\n"
#define APEX_GLUE                                                                                  \
    "+ dns1.mc.example.com. 300 A 192.0.2.1\n"                                                     \
    "+ dns1.mc.example.com. 300 AAAA 2001:db8::1\n"                                                \
    "+ dns2.mc.example.com. 300 A 192.0.2.2\n"

static void the_apex(void **state)
{
    static const struct row rows[] = {
        {"mc.example.com.", TYPE_SOA,
         OK "= mc.example.com. 300 SOA dns1.mc.example.com. john\\046doe.example.org. 42 3600 600 "
            "604800 30\n"},
        {"mc.example.com.", TYPE_NS, OK APEX_NS APEX_GLUE},
        {"mc.example.com.", TYPE_A,
         OK "= mc.example.com. 300 A 192.0.2.1\n= mc.example.com. 300 A 192.0.2.2\n"},
        {"mc.example.com.", TYPE_MX, OK "= mc.example.com. 120 MX 10 mail.mc.example.com.\n"},
        {"mc.example.com.", TYPE_TXT, NOD},
        {"mc.example.com.", TYPE_DS, NOD}, /* matrix row 13 */
    };
    EXPECT_ROWS(state, rows);
}

static void any_is_minimal(void **state)
{
    static const struct row rows[] = {
        {"mc.example.com.", TYPE_ANY, OK "= mc.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
        {"types.mc.example.com.", TYPE_ANY,
         OK "= types.mc.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
        {"ent.wild.mc.example.com.", TYPE_ANY, NOD},
        {"nope.mc.example.com.", TYPE_ANY, NX},
    };
    EXPECT_ROWS(state, rows);
}

/* ---- policy ---------------------------------------------------------------------------------- */

static unsigned rcode_of(struct fixture *f, const struct query *q)
{
    const struct dns_message *m;
    assert_true(answer_check(&f->answerer, ANSWER_TCP, q->bytes, q->len, &m) > 0);
    assert_int_equal(m->counts[1] + m->counts[2], 0);
    assert_int_equal(m->flags & 0x0400, 0); /* no AA */
    return m->flags & 15;
}

static void types_that_are_no_types(void **state)
{
    static const struct {
        uint16_t type;
        unsigned rcode;
    } rows[] = {{TYPE_OPT, 1},  {TYPE_TKEY, 1}, {TYPE_TSIG, 1},  {TYPE_NXNAME, 1},
                {TYPE_IXFR, 4}, {TYPE_AXFR, 4}, {TYPE_MAILB, 4}, {TYPE_MAILA, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query q = query("alice.mc.example.com.", rows[i].type);
        assert_int_equal(rcode_of(*state, &q), rows[i].rcode);
    }
}

static void other_classes_are_refused(void **state)
{
    static const uint8_t classes[] = {0, 2, 3, 4, 254, 255};
    for (size_t i = 0; i < sizeof classes; i++) {
        struct query q = query("mc.example.com.", TYPE_SOA);
        q.bytes[q.len - 1] = classes[i];
        assert_int_equal(rcode_of(*state, &q), 5);
    }
}

static void chaos_names(void **state)
{
    static const char *const served[][2] = {
        {"id.server.", "core-a"},        {"hostname.bind.", "core-a"},  {"ID.Server.", "core-a"},
        {"version.server.", "dnsd 0.1"}, {"version.bind.", "dnsd 0.1"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++) {
        char expected[200];
        struct query q = query(served[i][0], TYPE_TXT);
        q.bytes[q.len - 1] = CLASS_CH;
        snprintf(expected, sizeof expected,
                 "NOERROR aa rd\n? %s TXT CLASS3\n= %s 0 CLASS3 TXT \"%s\"\n", served[i][0],
                 served[i][0], served[i][1]);
        expect_packet(f, ANSWER_UDP, &q, served[i][0], expected);
    }
    static const struct {
        const char *name;
        uint16_t type;
    } refused[] = {{"id.server.", TYPE_A}, {"authors.bind.", TYPE_TXT}, {"server.", TYPE_TXT}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct query q = query(refused[i].name, refused[i].type);
        q.bytes[q.len - 1] = CLASS_CH;
        assert_int_equal(rcode_of(f, &q), 5);
    }
    static const struct answer_config off = {.id = "core-a", .version = "1", .chaos = false};
    static const struct answer_config nameless = {.chaos = true};
    const struct answer_config *const silent[] = {&off, &nameless};
    for (size_t i = 0; i < 2; i++) {
        struct query q = query("id.server.", TYPE_TXT);
        q.bytes[q.len - 1] = CLASS_CH;
        f->answerer.config = silent[i];
        assert_int_equal(rcode_of(f, &q), 5);
    }
    f->answerer.config = &config;
}

/* Never an error turned into "no such name": without a zone it is SERVFAIL. */
static void without_a_snapshot(void **state)
{
    struct fixture *f = *state;
    const struct zone_snapshot *s = f->answerer.snapshot;
    struct query q = query("alice.mc.example.com.", TYPE_A);
    f->answerer.snapshot = NULL;
    assert_int_equal(rcode_of(f, &q), 2);
    q = query("alice.mc.example.com.", TYPE_AXFR);
    assert_int_equal(rcode_of(f, &q), 4);
    f->answerer.snapshot = s;
}

/* ---- EDNS ------------------------------------------------------------------------------------ */

static void options(void **state)
{
    static const struct {
        const char *what;
        const char *options;
        size_t len;
        const char *udp, *tcp; /* TLS: as TCP */
    } rows[] = {
        {"none", L(""), "+ OPT 1232\n", "+ OPT 1232\n"},
        {"NSID", L("\0\3\0\0"), "+ OPT 1232 3:636f72652d61\n", "+ OPT 1232 3:636f72652d61\n"},
        {"keepalive: not over UDP (RFC 7828 §3.2.1)", L("\0\13\0\0"), "+ OPT 1232\n",
         "+ OPT 1232 11:0064\n"},
        {"both, and one that nobody knows", L("\0\13\0\0\xff\xfe\0\1x\0\3\0\0"),
         "+ OPT 1232 3:636f72652d61\n", "+ OPT 1232 3:636f72652d61 11:0064\n"},
        {"a cookie: for later",
         L("\0\12\0\10"
           "12345678"),
         "+ OPT 1232\n", "+ OPT 1232\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query q =
            query_opt("bob.mc.example.com.", TYPE_A, 1232, 0, rows[i].options, rows[i].len);
        for (int transport = ANSWER_UDP; transport <= ANSWER_TLS; transport++) {
            char expected[300];
            snprintf(expected, sizeof expected,
                     "NOERROR aa rd\n? bob.mc.example.com. A\n= bob.mc.example.com. 300 A "
                     "192.0.2.2\n%s",
                     transport == ANSWER_UDP ? rows[i].udp : rows[i].tcp);
            expect_packet(*state, transport, &q, rows[i].what, expected);
        }
    }
}

static void no_name_no_nsid(void **state)
{
    static const struct answer_config nameless = {.chaos = true};
    struct fixture *f = *state;
    struct query q = query_opt("nope.mc.example.com.", TYPE_A, 1232, 0, L("\0\3\0\0"));
    f->answerer.config = &nameless;
    expect_packet(f, ANSWER_UDP, &q, "NSID without a name",
                  "NXDOMAIN aa rd\n? nope.mc.example.com. A\n" SOA_LINE "+ OPT 1232\n");
    f->answerer.config = &config;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* A zone with N TXT values of 200 octets at `big` (each 213 in the answer). */
static struct fixture big_fixture(unsigned n)
{
    struct str content = {.text = NULL};
    str_append(&content, "core core-a ip=192.0.2.1\n");
    for (unsigned i = 0; i < n; i++) {
        str_appendf(&content, "record big TXT - %04u%0196u\n", i, 0);
    }
    struct fixture f = fixture_of(content.text);
    str_free(&content);
    return f;
}

static bool is_cut(struct fixture *f, uint16_t edns_size, size_t *len)
{
    const struct dns_message *m;
    struct query q = query_opt("big.mc.example.com.", TYPE_TXT, edns_size, 0, NULL, 0);
    *len = answer_check(&f->answerer, ANSWER_UDP, q.bytes, q.len, &m);
    assert_int_equal((m->flags & 0x0200) != 0, m->counts[1] == 0);
    return (m->flags & 0x0200) != 0;
}

static void sizes_of_udp(void **state)
{
    static const struct {
        unsigned values;
        uint16_t edns_size; /* 0: none */
        bool cut;
    } rows[] = {
        /* header and question 36, OPT 11, each value 213 */
        {2, 0, false},    {3, 0, true},    {2, 512, false},  {3, 512, true},   {2, 100, false},
        {3, 100, true},   {3, 685, true},  {3, 686, false},  {5, 1112, false}, {5, 1111, true},
        {5, 4096, false}, {6, 1232, true}, {6, 65535, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer_counters counters = {.truncated = 0};
        struct fixture f = big_fixture(rows[i].values);
        size_t len;
        f.answerer.counters = &counters;
        if (is_cut(&f, rows[i].edns_size, &len) != rows[i].cut) {
            fail_msg("%u values, EDNS %u: %zu octets", rows[i].values, rows[i].edns_size, len);
        }
        assert_int_equal(counters.truncated, rows[i].cut ? 2 : 0); /* asked twice */
        fixture_close(&f);
    }
}

static void forty_values_over_tcp(void **state)
{
    struct answer_counters counters = {.truncated = 0};
    struct fixture f = big_fixture(40);
    const struct dns_message *m;
    struct query q = query("big.mc.example.com.", TYPE_TXT);
    (void)state;
    f.answerer.counters = &counters;
    assert_int_equal(answer_check(&f.answerer, ANSWER_TCP, q.bytes, q.len, &m), 36 + 40 * 213);
    assert_int_equal(m->counts[1], 40);
    fixture_close(&f);
}

/* Delegations whose NS and glue are larger than the answer may be. NAME_LEN: octets of a label. */
static struct fixture cut_fixture(unsigned servers, unsigned name_len, unsigned addresses)
{
    struct str content = {.text = NULL};
    str_append(&content, "core core-a ip=192.0.2.1\n");
    for (unsigned i = 0; i < servers; i++) {
        str_appendf(&content, "record sub NS - n%0*u.%0*u.%0*u.%0*u.sub.mc.example.com\n",
                    (int)name_len - 1, i, (int)name_len, 0, (int)name_len, 0, (int)name_len, 0);
        for (unsigned j = 0; j < addresses; j++) {
            str_appendf(&content, "record n%0*u.%0*u.%0*u.%0*u.sub A - 192.0.2.%u\n",
                        (int)name_len - 1, i, (int)name_len, 0, (int)name_len, 0, (int)name_len, 0,
                        j);
        }
    }
    struct fixture f = fixture_of(content.text);
    str_free(&content);
    return f;
}

static const struct dns_message *ask_cut(struct fixture *f, enum answer_transport transport,
                                         uint16_t edns_size)
{
    const struct dns_message *m;
    struct query q = query_opt("x.sub.mc.example.com.", TYPE_A, edns_size, 0, NULL, 0);
    assert_true(answer_check(&f->answerer, transport, q.bytes, q.len, &m) > 0);
    return m;
}

/* RFC 9471 §3.1: glue that does not fit means TC, not less glue. */
static void glue_that_does_not_fit(void **state)
{
    struct answer_counters counters = {.truncated = 0};
    struct fixture f = cut_fixture(4, 4, 6);
    (void)state;
    f.answerer.counters = &counters;
    const struct dns_message *m = ask_cut(&f, ANSWER_UDP, 0);
    assert_int_equal(m->flags & 0x0200, 0x0200);
    m = ask_cut(&f, ANSWER_UDP, 1232);
    assert_int_equal(m->flags & 0x0200, 0);
    assert_int_equal(m->counts[2], 4);
    assert_int_equal(m->counts[3], 4 * 6 + 1);
    fixture_close(&f);
}

/* Name servers whose names lie where no pointer reaches (RFC 1035 §4.1.4: 14 bits), and more glue
 * than 64 KB: what fits is sent. */
static void delegations_beyond_every_size(void **state)
{
    struct answer_counters counters = {.truncated = 0};
    struct fixture f = cut_fixture(90, 50, 1);
    (void)state;
    f.answerer.counters = &counters;
    const struct dns_message *m = ask_cut(&f, ANSWER_TCP, 0);
    assert_int_equal(m->flags & 15, 0);
    assert_int_equal(m->counts[2], 90);
    assert_in_range(m->counts[3], 60, 89);
    fixture_close(&f);
    f = cut_fixture(100, 4, 60);
    f.answerer.counters = &counters;
    m = ask_cut(&f, ANSWER_TCP, 0);
    assert_int_equal(m->flags & 15, 0);
    assert_int_equal(m->counts[2], 100);
    assert_true(m->counts[3] > 3000);
    fixture_close(&f);
}

/* A chain of 15 aliases is followed, the 16th step is the last. */
static void long_chains(void **state)
{
    struct answer_counters counters = {.truncated = 0};
    struct str content = {.text = NULL};
    const struct dns_message *m;
    (void)state;
    str_append(&content, "core core-a ip=192.0.2.1\n");
    for (unsigned i = 1; i <= 20; i++) {
        str_appendf(&content, "record c%u CNAME - c%u\n", i, i - 1);
    }
    str_append(&content, "record c0 A - 192.0.2.9\n");
    struct fixture f = fixture_of(content.text);
    f.answerer.counters = &counters;
    struct query q = query("c15.mc.example.com.", TYPE_A);
    answer_check(&f.answerer, ANSWER_TCP, q.bytes, q.len, &m);
    assert_int_equal(m->counts[1], 16);
    q = query("c20.mc.example.com.", TYPE_A);
    answer_check(&f.answerer, ANSWER_TCP, q.bytes, q.len, &m);
    assert_int_equal(m->counts[1], 16);
    assert_int_equal(m->rrs[15].type, TYPE_CNAME);
    fixture_close(&f);
    str_free(&content);
}

/* ---- before there are rows -------------------------------------------------------------------- */

#define PROVISIONAL_OPTIONS                                                                        \
    "apex mc.example.com\ncontact john.doe@example.org\nprimary dns1\nservice reg\n"               \
    "wildcard cores\ncaa letsencrypt.org\n"                                                        \
    "root NS - ns1\nroot A 60 203.0.113.1\n"                                                       \
    "static ns1 A - 203.0.113.2\n"                                                                 \
    "static www A - 203.0.113.7\n"                                                                 \
    "static al CNAME - www\n"                                                                      \
    "static gone CNAME - alice\n"                                                                  \
    "static out CNAME - www.example.net\n"                                                         \
    "static *.w A - 203.0.113.8\n"                                                                 \
    "static a.b TXT - t\n"                                                                         \
    "static sub NS - ns.sub.mc.example.com\n"                                                      \
    "static ns.sub.mc.example.com. A - 203.0.113.9\n"

#define FOUNDERS "static lsc A - 203.0.113.21\nstatic lsc A 60 203.0.113.22\n"

static struct fixture provisional_of(const char *options, const char *more)
{
    static struct answer_counters counters;
    struct fixture f = {.zone = zone_build(options, more)};
    zone_set_provisional(f.zone, true);
    f.answerer.snapshot = zone_commit(f.zone, 42);
    f.answerer.config = &config;
    f.answerer.counters = &counters;
    return f;
}

#define FAIL "SERVFAIL rd|"

static void what_is_configured_is_answered(void **state)
{
    static const struct row rows[] = {
        {"www.mc.example.com.", TYPE_A, OK "= www.mc.example.com. 300 A 203.0.113.7\n"},
        {"www.mc.example.com.", TYPE_AAAA, NOD},
        {"lsc.mc.example.com.", TYPE_A,
         OK "= lsc.mc.example.com. 5 A 203.0.113.21\n= lsc.mc.example.com. 5 A 203.0.113.22\n"},
        {"lsc.mc.example.com.", TYPE_AAAA, NOD}, /* Go asks for both and believes no half */
        {"lsc.mc.example.com.", TYPE_TXT, NOD},
        {"lsc.mc.example.com.", TYPE_ANY, OK "= lsc.mc.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
        {"ns1.mc.example.com.", TYPE_A, OK "= ns1.mc.example.com. 300 A 203.0.113.2\n"},
        {"ns1.mc.example.com.", TYPE_AAAA, NOD},
        {"mc.example.com.", TYPE_NS,
         OK "= mc.example.com. 300 NS ns1.mc.example.com.\n"
            "+ ns1.mc.example.com. 300 A 203.0.113.2\n"},
        {"mc.example.com.", TYPE_SOA,
         OK "= mc.example.com. 300 SOA dns1.mc.example.com. john\\046doe.example.org. 42 3600 600 "
            "604800 30\n"},
        {"mc.example.com.", TYPE_A, OK "= mc.example.com. 60 A 203.0.113.1\n"},
        {"mc.example.com.", TYPE_CAA,
         OK "= mc.example.com. 300 CAA 000569737375656c657473656e63727970742e6f7267\n"},
        {"al.mc.example.com.", TYPE_A,
         OK "= al.mc.example.com. 300 CNAME www.mc.example.com.\n"
            "= www.mc.example.com. 300 A 203.0.113.7\n"},
        {"al.mc.example.com.", TYPE_TXT,
         OK "= al.mc.example.com. 300 CNAME www.mc.example.com.\n" SOA_LINE},
        {"gone.mc.example.com.", TYPE_CNAME,
         OK "= gone.mc.example.com. 300 CNAME alice.mc.example.com.\n"},
        {"out.mc.example.com.", TYPE_A, OK "= out.mc.example.com. 300 CNAME www.example.net.\n"},
        {"*.w.mc.example.com.", TYPE_A, OK "= *.w.mc.example.com. 300 A 203.0.113.8\n"},
        {"a.b.mc.example.com.", TYPE_TXT, OK "= a.b.mc.example.com. 300 TXT \"t\"\n"},
        {"x.sub.mc.example.com.", TYPE_A,
         "NOERROR rd|! sub.mc.example.com. 300 NS ns.sub.mc.example.com.\n"
         "+ ns.sub.mc.example.com. 300 A 203.0.113.9\n"},
        {"sub.mc.example.com.", TYPE_DS, NOD},
    };
    struct fixture f = provisional_of(PROVISIONAL_OPTIONS FOUNDERS, NULL);
    (void)state;
    expect_rows(&f, rows, sizeof rows / sizeof rows[0]);
    fixture_close(&f);
}

static const char *const unknown_names[] = {
    "alice.mc.example.com.",   "core-a.mc.example.com.", "dns1.mc.example.com.",
    "deep.er.mc.example.com.", "reg.mc.example.com.",    "_acme-challenge.mc.example.com.",
    "x.w.mc.example.com.", /* a record of that name may be stored */
    "w.mc.example.com.",       "b.mc.example.com.",      "x.b.mc.example.com.",
    "x.www.mc.example.com.",   "x.lsc.mc.example.com.",  "*.mc.example.com.",
    "gone.mc.example.com.", /* to a user, perhaps */
};

static void nobody_knows_what_else_there_is(void **state)
{
    static const uint16_t types[] = {TYPE_A,  TYPE_AAAA, TYPE_TXT, TYPE_SOA,
                                     TYPE_NS, TYPE_DS,   65280};
    static const struct row more[] = {
        {"alice.mc.example.com.", TYPE_ANY, FAIL}, {"reg.mc.example.com.", TYPE_ANY, FAIL},
        {"w.mc.example.com.", TYPE_ANY, FAIL},     {"x.w.mc.example.com.", TYPE_ANY, FAIL},
        {"mc.example.com.", TYPE_MX, FAIL},        {"mc.example.com.", TYPE_AAAA, FAIL},
        {"mc.example.com.", TYPE_TXT, FAIL},       {"www.example.net.", TYPE_A, "REFUSED rd|"},
        {"example.com.", TYPE_SOA, "REFUSED rd|"},
    };
    struct fixture f = provisional_of(PROVISIONAL_OPTIONS FOUNDERS, NULL);
    (void)state;
    for (size_t i = 0; i < sizeof unknown_names / sizeof unknown_names[0]; i++) {
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) {
            expect_rows(&f, &(struct row){unknown_names[i], types[j], FAIL}, 1);
        }
    }
    expect_rows(&f, more, sizeof more / sizeof more[0]);
    fixture_close(&f);
    f = provisional_of(PROVISIONAL_OPTIONS, NULL);
    expect_rows(&f, &(struct row){"lsc.mc.example.com.", TYPE_A, FAIL}, 1);
    expect_rows(&f, &(struct row){"lsc.mc.example.com.", TYPE_AAAA, FAIL}, 1);
    fixture_close(&f);
}

/* A core that is known before its row is: names made of it are answered as far as it goes. */
static void with_a_core_of_its_own(void **state)
{
    static const struct row rows[] = {
        {"lsc.mc.example.com.", TYPE_A, OK "= lsc.mc.example.com. 5 A 192.0.2.1\n"},
        {"lsc.mc.example.com.", TYPE_AAAA, NOD},
        {"reg.mc.example.com.", TYPE_A, OK "= reg.mc.example.com. 300 A 192.0.2.1\n"},
        {"reg.mc.example.com.", TYPE_AAAA, FAIL},
        {"core-a.mc.example.com.", TYPE_A, OK "= core-a.mc.example.com. 300 A 192.0.2.1\n"},
        {"core-a.mc.example.com.", TYPE_AAAA, FAIL},
        {"dns1.mc.example.com.", TYPE_A, OK "= dns1.mc.example.com. 300 A 192.0.2.1\n"},
        {"any.mc.example.com.", TYPE_A, FAIL}, /* the pool may not speak for a user */
        {"any.mc.example.com.", TYPE_ANY, FAIL},
    };
    struct fixture f = provisional_of(PROVISIONAL_OPTIONS FOUNDERS, "core core-a ip=192.0.2.1\n");
    (void)state;
    expect_rows(&f, rows, sizeof rows / sizeof rows[0]);
    fixture_close(&f);
}

static void until_there_are_rows(void **state)
{
    static const struct row rows[] = {
        {"alice.mc.example.com.", TYPE_A, OK "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        {"gone.mc.example.com.", TYPE_A,
         OK "= gone.mc.example.com. 300 CNAME alice.mc.example.com.\n"
            "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        {"bob.mc.example.com.", TYPE_A, OK "= bob.mc.example.com. 300 A 192.0.2.1\n"},
        {"x.www.mc.example.com.", TYPE_A, NX},
        {"x.w.mc.example.com.", TYPE_A, OK "= x.w.mc.example.com. 300 A 203.0.113.8\n"},
        {"b.mc.example.com.", TYPE_A, NOD},
        {"mc.example.com.", TYPE_MX, NOD},
        {"lsc.mc.example.com.", TYPE_A, OK "= lsc.mc.example.com. 5 A 192.0.2.1\n"},
        {"lsc.mc.example.com.", TYPE_AAAA, NOD},
    };
    struct fixture f = provisional_of(PROVISIONAL_OPTIONS FOUNDERS, NULL);
    (void)state;
    zone_snapshot_unref(f.answerer.snapshot);
    zone_build_add(f.zone, "core core-a ip=192.0.2.1\nuser alice core-a\n");
    zone_set_provisional(f.zone, false);
    f.answerer.snapshot = zone_commit(f.zone, 42);
    expect_rows(&f, rows, sizeof rows / sizeof rows[0]);
    fixture_close(&f);
}

/* A zone that may lack the latest rows is sure of what it has, and of nothing else. */
static void what_may_be_new_is_not_denied(void **state)
{
    static const struct row dated[] = {
        {"www.mc.example.com.", TYPE_A, OK "= www.mc.example.com. 300 A 203.0.113.7\n"},
        {"www.mc.example.com.", TYPE_AAAA, NOD},
        {"alice.mc.example.com.", TYPE_A, OK "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        {"alice.mc.example.com.", TYPE_AAAA, NOD},
        {"a.b.mc.example.com.", TYPE_A, NOD},
        {"b.mc.example.com.", TYPE_A, NOD},
        {"bob.mc.example.com.", TYPE_A, FAIL},
        {"x.a.b.mc.example.com.", TYPE_TXT, FAIL},
        {"_acme-challenge.mc.example.com.", TYPE_TXT, FAIL}, /* the proof may be one of them */
        {"evil-mc.example.com.", TYPE_A, "REFUSED rd|"},
    };
    static const struct row settled[] = {
        {"alice.mc.example.com.", TYPE_A, OK "= alice.mc.example.com. 300 A 192.0.2.1\n"},
        {"bob.mc.example.com.", TYPE_A, NX},
        {"_acme-challenge.mc.example.com.", TYPE_TXT, NOD},
    };
    struct fixture f = provisional_of("apex mc.example.com\ncontact john.doe@example.org\nprimary "
                                      "dns1\nstatic www A - 203.0.113.7\nstatic a.b TXT - t\n",
                                      "core core-a ip=192.0.2.1\n"
                                      "user alice core-a\n");
    (void)state;
    zone_set_provisional(f.zone, false);
    zone_set_dated(f.zone, true);
    zone_snapshot_unref(f.answerer.snapshot);
    f.answerer.snapshot = zone_commit(f.zone, 42);
    expect_rows(&f, dated, sizeof dated / sizeof dated[0]);
    zone_set_dated(f.zone, false);
    zone_snapshot_unref(f.answerer.snapshot);
    f.answerer.snapshot = zone_commit(f.zone, 42);
    expect_rows(&f, settled, sizeof settled / sizeof settled[0]);
    fixture_close(&f);
}

static const struct literal provisional_literals[] = {
    {"a name that is not known: SERVFAIL, without AA and SOA",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1"),
     L("\x12\x34\x81\2\0\1\0\0\0\0\0\0" Q_ALICE "\0\1\0\1")},
    {"an alias to one, with an OPT record: nothing of it",
     L("\x12\x34\1\0\0\1\0\0\0\0\0\1\4gone" APEX "\0\1\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0"),
     L("\x12\x34\x81\2\0\1\0\0\0\0\0\1\4gone" APEX "\0\1\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0")},
    {"AAAA of lsc: NODATA", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\3lsc" APEX "\0\x1c\0\1"),
     L("\x12\x34\x85\0\0\1\0\0\0\1\0\0\3lsc" APEX "\0\x1c\0\1" SOA_AT("\x10"))},
    {"A of lsc", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\3lsc" APEX "\0\1\0\1"),
     L("\x12\x34\x85\0\0\1\0\2\0\0\0\0\3lsc" APEX "\0\1\0\1"
       "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xcb\0\x71\x15"
       "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xcb\0\x71\x16")},
    {"out of zone", L("\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3net\0\0\1\0\1"),
     L("\x12\x34\x81\5\0\1\0\0\0\0\0\0\3www\7example\3net\0\0\1\0\1")},
    {"no question", L("\x12\x34\1\0\0\0\0\0\0\0\0\0"), L("\x12\x34\x81\1\0\0\0\0\0\0\0\0")},
};

static void octets_before_there_are_rows(void **state)
{
    struct fixture f = provisional_of(PROVISIONAL_OPTIONS FOUNDERS, NULL);
    (void)state;
    expect_literals(&f, provisional_literals,
                    sizeof provisional_literals / sizeof provisional_literals[0]);
    fixture_close(&f);
}

/* ---- rotation -------------------------------------------------------------------------------- */

static void addresses_take_turns(void **state)
{
    struct fixture *f = *state;
    bool first[4] = {false};
    struct query q = query("many.mc.example.com.", TYPE_A);
    for (unsigned i = 0; i < 3; i++) {
        const struct dns_message *m;
        unsigned seen = 0;
        f->answerer.turn = i;
        answer_check(&f->answerer, ANSWER_UDP, q.bytes, q.len, &m);
        assert_int_equal(m->counts[1], 3);
        for (unsigned j = 0; j < 3; j++) {
            unsigned last = m->bytes[m->rrs[j].rdata_at + 3];
            seen |= 1u << (last - 101);
            first[last - 101] = first[last - 101] || j == 0;
        }
        assert_int_equal(seen, 7);
        assert_int_equal(f->answerer.turn, i + 1);
    }
    assert_true(first[0] && first[1] && first[2]);
}

/* Resolvers must find the cores of the cluster in the same order, whoever asks (facts: rqlite). */
static void what_does_not_rotate(void **state)
{
    static const struct row rows[] = {
        {"lsc.mc.example.com.", TYPE_A,
         OK "= lsc.mc.example.com. 5 A 192.0.2.1\n= lsc.mc.example.com. 5 A 192.0.2.2\n"},
        {"mc.example.com.", TYPE_NS, OK APEX_NS APEX_GLUE},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        const struct dns_message *m;
        struct query q = query("lsc.mc.example.com.", TYPE_A);
        f->answerer.turn = i;
        answer_check(&f->answerer, ANSWER_UDP, q.bytes, q.len, &m);
        assert_int_equal(m->bytes[m->rrs[0].rdata_at + 3], 1);
    }
    EXPECT_ROWS(state, rows);
}

/* ---- counters -------------------------------------------------------------------------------- */

static uint64_t count_of(const struct answer_counters *c, enum answer_transport transport,
                         uint16_t type, unsigned rcode)
{
    return c->queries[transport][answer_type_index(type)][answer_rcode_index(rcode)];
}

static void everything_is_counted(void **state)
{
    struct fixture *f = *state;
    struct answer_counters counters = {.truncated = 0};
    uint8_t out[ANSWER_TCP_MAX];
    struct query q = query("nope.mc.example.com.", TYPE_A);
    f->answerer.counters = &counters;
    answer_query(&f->answerer, ANSWER_UDP, q.bytes, q.len, out);
    answer_query(&f->answerer, ANSWER_TCP, q.bytes, q.len, out);
    answer_query(&f->answerer, ANSWER_TCP, q.bytes, q.len + 1, out);
    answer_query(&f->answerer, ANSWER_TCP, q.bytes, 11, out);
    q = query_opt("bob.mc.example.com.", TYPE_A, 1232, 0x10000, NULL, 0);
    answer_query(&f->answerer, ANSWER_UDP, q.bytes, q.len, out);
    q = query("nope.mc.example.com.", TYPE_HTTPS);
    answer_query(&f->answerer, ANSWER_TLS, q.bytes, q.len, out);
    q.bytes[5] = 2; /* two questions: whatever was asked, it was not read */
    answer_query(&f->answerer, ANSWER_TLS, q.bytes, q.len, out);
    q.bytes[2] |= 0x80;
    answer_query(&f->answerer, ANSWER_UDP, q.bytes, q.len, out);
    assert_int_equal(answer_queries_over(&counters, ANSWER_UDP), 2);
    assert_int_equal(answer_queries_over(&counters, ANSWER_TCP), 2);
    assert_int_equal(answer_queries_over(&counters, ANSWER_TLS), 2);
    assert_int_equal(count_of(&counters, ANSWER_UDP, TYPE_A, RCODE_NXDOMAIN), 1);
    assert_int_equal(count_of(&counters, ANSWER_UDP, TYPE_A, RCODE_BADVERS), 1);
    assert_int_equal(count_of(&counters, ANSWER_TCP, TYPE_A, RCODE_NXDOMAIN), 2);
    assert_int_equal(count_of(&counters, ANSWER_TLS, TYPE_HTTPS, RCODE_NXDOMAIN), 1);
    assert_int_equal(count_of(&counters, ANSWER_TLS, 0, RCODE_FORMERR), 1);
    assert_int_equal(answer_queries_with(&counters, answer_rcode_index(RCODE_NXDOMAIN)), 4);
    assert_int_equal(counters.dropped[ANSWER_DROP_SHORT], 1);
    assert_int_equal(counters.dropped[ANSWER_DROP_ANSWER], 1);
    assert_int_equal(counters.trailing, 1);
    assert_int_equal(counters.truncated, 0);
    f->answerer.counters = &f->counters;
}

/* Who asks for a challenge is told to whoever has to explain a failure; nobody else is. */
static void questions_for_challenges_are_noted(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        bool noted;
        uint16_t rcode;
    } rows[] = {
        {"_acme-challenge.mc.example.com.", TYPE_TXT, true, RCODE_NOERROR},
        {"_ACME-challenge.nowhere.mc.example.com.", TYPE_CAA, true, RCODE_NXDOMAIN},
        {"_acme-challenge.example.net.", TYPE_TXT, true, RCODE_REFUSED},
        {"_acme-challengf.mc.example.com.", TYPE_TXT, false, 0},
        {"x._acme-challenge.mc.example.com.", TYPE_TXT, false, 0},
        {"mc.example.com.", TYPE_TXT, false, 0},
    };
    struct fixture f = fixture_of(RICH_CONTENT "proof _acme-challenge one 9000\n");
    struct answer_counters counters = {0};
    uint8_t out[ANSWER_TCP_MAX];
    (void)state;
    f.answerer.counters = &counters;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query q = query(rows[i].name, rows[i].type);
        f.answerer.challenge.name_len = 0;
        assert_true(answer_query(&f.answerer, ANSWER_UDP, q.bytes, q.len, out) > 0);
        const struct answer_challenge *c = &f.answerer.challenge;
        assert_int_equal(c->name_len != 0, rows[i].noted);
        if (rows[i].noted) {
            struct wire_name asked;
            assert_int_equal(wire_name_from_text(rows[i].name, NULL, &asked, NULL), ERR_OK);
            wire_name_fold(asked.bytes, asked.bytes, asked.len);
            assert_int_equal(c->name_len, asked.len);
            assert_memory_equal(c->name, asked.bytes, asked.len);
            assert_int_equal(c->type, rows[i].type);
            assert_int_equal(c->rcode, rows[i].rcode);
            assert_int_equal(c->answers, i == 0 ? 1 : 0);
            assert_false(c->truncated);
        }
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_four_servers_agree_on),
        cmocka_unit_test(names_that_exist),
        cmocka_unit_test(types_nobody_has),
        cmocka_unit_test(wildcards),
        cmocka_unit_test(names_between),
        cmocka_unit_test(aliases),
        cmocka_unit_test(delegations),
        cmocka_unit_test(the_apex),
        cmocka_unit_test(any_is_minimal),
        cmocka_unit_test(types_that_are_no_types),
        cmocka_unit_test(other_classes_are_refused),
        cmocka_unit_test(chaos_names),
        cmocka_unit_test(without_a_snapshot),
        cmocka_unit_test(options),
        cmocka_unit_test(no_name_no_nsid),
        cmocka_unit_test(sizes_of_udp),
        cmocka_unit_test(forty_values_over_tcp),
        cmocka_unit_test(glue_that_does_not_fit),
        cmocka_unit_test(delegations_beyond_every_size),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(what_is_configured_is_answered),
        cmocka_unit_test(what_may_be_new_is_not_denied),
        cmocka_unit_test(nobody_knows_what_else_there_is),
        cmocka_unit_test(with_a_core_of_its_own),
        cmocka_unit_test(until_there_are_rows),
        cmocka_unit_test(octets_before_there_are_rows),
        cmocka_unit_test(addresses_take_turns),
        cmocka_unit_test(what_does_not_rotate),
        cmocka_unit_test(everything_is_counted),
        cmocka_unit_test(questions_for_challenges_are_noted),
    };
    return cmocka_run_group_tests_name("answer", tests, open_rich, close_rich);
}

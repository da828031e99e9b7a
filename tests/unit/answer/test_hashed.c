/* The same zone twice, with users called by their names and by their tokens: every question gets
 * the same octets from both. Names that exist, names beside, above and below them, in both cases
 * of letters, of every kind of record; before and after changes, and out of the snapshot file.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_check.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/str.h"
#include "rich_zone.h"
#include "zone_build.h"

/* Users beside, above and below everything else that a name can be. */
#define USERS                                                                                      \
    "user www core-a\n" /* below a static entry */                                                 \
    "user mail core-b\n"                                                                           \
    "user core-b core-a\n"                                                                         \
    "user reg core-b\n"                                                                            \
    "user lsc core-b\n"                                                                            \
    "user dns1 core-b\n"                                                                           \
    "user _acme-challenge core-b\n"                                                                \
    "user wild core-a\n" /* names and a wildcard below it */                                       \
    "user star core-b\n"                                                                           \
    "user ent core-c\n"                                                                            \
    "record below.ent TXT - x\n"                                                                   \
    "user cut core-a\n" /* a delegation of its name */                                             \
    "record cut NS - ns.cut.mc.example.com\n"                                                      \
    "record ns.cut A - 192.0.2.30\n"                                                               \
    "user above core-a\n" /* a delegation below its name */                                        \
    "record sub.above NS - ns.example.net\n"                                                       \
    "record al-carol CNAME - carol\n"                                                              \
    "record al-dave CNAME - dave\n"                                                                \
    "record al-none CNAME - no-such-user\n"                                                        \
    "record al-below CNAME - x.alice.mc.example.com.\n"                                            \
    "record by-user NS - alice\n" /* glue of a user, and of nobody */                              \
    "record by-user NS - no-such-user\n"                                                           \
    "record to-user MX - 10 bob\n"                                                                 \
    "user with_underscore core-a\n"                                                                \
    "user 0123456789012345678901234567890123456789012345678901234567890ab core-a\n"                \
    "user a-user-with-a-name-that-is-not-short core-b\n"

static const char *const names[] = {
    "@",
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "www",
    "mail",
    "core-a",
    "core-b",
    "core-c",
    "core-gone",
    "reg",
    "access",
    "lsc",
    "dns1",
    "dns2",
    "dns3",
    "_acme-challenge",
    "_acct._acme-challenge",
    "x._acct._acme-challenge",
    "_acme-challenge.alice",
    "_acme-challenge.bob",
    "wild",
    "host.wild",
    "ent.wild",
    "b.ent.wild",
    "star",
    "*.star",
    "a.*.star",
    "cw",
    "ent",
    "below.ent",
    "cut",
    "ns.cut",
    "above",
    "sub.above",
    "al",
    "al-user",
    "al-carol",
    "al-dave",
    "al-none",
    "al-below",
    "gone",
    "out",
    "apexal",
    "loop1",
    "into",
    "sub",
    "ns1.sub",
    "deep.sub",
    "types",
    "many",
    "by-user",
    "to-user",
    "with_underscore",
    "0123456789012345678901234567890123456789012345678901234567890ab",
    "0123456789012345678901234567890123456789012345678901234567890ac",
    "a-user-with-a-name-that-is-not-short",
    "no-such-user",
    "*",
    "a\\.b",
    "\\255\\000",
    "-",
    "_",
};

static const uint16_t types[] = {TYPE_A,   TYPE_AAAA, TYPE_NS,    TYPE_CNAME, TYPE_SOA, TYPE_MX,
                                 TYPE_TXT, TYPE_ANY,  TYPE_HTTPS, TYPE_DS,    65535};

struct side {
    struct zone *zone;
    struct answer_counters counters;
    struct answerer answerer;
    uint8_t out[ANSWER_TCP_MAX];
};

static const struct answer_config config = {.id = "core-a", .version = "1"};

static struct side *side_new(const char *first)
{
    static const char content[] = RICH_OPTIONS RICH_CONTENT USERS;
    struct side *s = calloc(1, sizeof *s);
    s->zone = zone_build(first, content);
    s->answerer.config = &config;
    s->answerer.counters = &s->counters;
    return s;
}

static void side_commit(struct side *s, uint64_t revision)
{
    if (s->answerer.snapshot != NULL) {
        zone_snapshot_unref(s->answerer.snapshot);
    }
    s->answerer.snapshot = zone_commit(s->zone, revision);
}

static void side_free(struct side *s)
{
    zone_snapshot_unref(s->answerer.snapshot);
    zone_free(s->zone);
    free(s);
}

static size_t ask(struct side *s, enum answer_transport transport, const char *name, uint16_t type)
{
    struct wire_name apex = zone_build_name(NULL, RICH_APEX);
    struct wire_name n;
    uint8_t in[300];
    const struct dns_message *m;
    struct buf_writer w = buf_writer_of(in, sizeof in);
    assert_int_equal(wire_name_from_text(name, &apex, &n, NULL), ERR_OK);
    buf_put(&w, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
    buf_put(&w, n.bytes, n.len);
    buf_put_u16(&w, type);
    buf_put_u16(&w, CLASS_IN);
    s->answerer.turn = 1;
    answer_check(&s->answerer, transport, in, w.len, &m);
    return answer_query(&s->answerer, transport, in, w.len, s->out);
}

static void compare_name(struct side *clear, struct side *hashed, const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (int transport = 0; transport < ANSWER_TRANSPORTS; transport++) {
            size_t a = ask(clear, (enum answer_transport)transport, name, types[i]);
            size_t b = ask(hashed, (enum answer_transport)transport, name, types[i]);
            if (a != b || memcmp(clear->out, hashed->out, a) != 0) {
                fail_msg("%s, type %u: %zu octets in clear, %zu hashed, and not the same", name,
                         types[i], a, b);
            }
        }
    }
}

static void compare(struct side *clear, struct side *hashed)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        static const char *const before[] = {"", "x.", "*.", "y.x.", "alice.", "no.such."};
        for (size_t j = 0; j < sizeof before / sizeof before[0]; j++) {
            struct str name = {.text = NULL};
            if (names[i][0] == '@') {
                str_appendf(&name, "%s" RICH_APEX ".", before[j]);
            } else {
                str_appendf(&name, "%s%s", before[j], names[i]);
            }
            compare_name(clear, hashed, name.text);
            for (char *c = name.text; *c != '\0'; c++) {
                *c = (char)toupper(*c);
            }
            compare_name(clear, hashed, name.text);
            str_free(&name);
        }
    }
    assert_int_equal(clear->answerer.snapshot->users, hashed->answerer.snapshot->users);
    assert_int_equal(clear->answerer.snapshot->names, hashed->answerer.snapshot->names);
}

static const char *const changes[] = {
    "",
    "-user alice\n-user ent\n",
    "-record below.ent\nuser ent core-a\n",
    "-record mail\n-record cut\n-record sub.above\n",
    "record mail A - 192.0.2.77\nrecord alice TXT - over alice\nuser alice core-c\n",
    "-core core-b\n-user wild\n",
    "-record *.wild\n-record host.wild\n-record b.ent.wild\nuser wild core-a\n",
    "core core-b ip=192.0.2.99 drained\nproof _acme-challenge.bob value 9999\n",
    "record *.mail TXT - below a user\n-record mail\nrecord *.alice TXT - below another\n",
    "-user with_underscore\n-user no-such-user\nuser no-such-user core-a\nuser lsc core-gone\n",
    "-core core-a\n-core core-b\n-core core-c\n",
};

static void run(const char *options)
{
    struct str first = {.text = NULL};
    str_append(&first, options);
    struct side *clear = side_new(first.text);
    str_append(&first, "hashed key\n");
    struct side *hashed = side_new(first.text);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (i > 0) {
            zone_build_add(clear->zone, changes[i]);
            zone_build_add(hashed->zone, changes[i]);
        }
        side_commit(clear, i + 1);
        side_commit(hashed, i + 1);
        compare(clear, hashed);
    }
    str_free(&first);
    side_free(clear);
    side_free(hashed);
}

static void every_answer_is_the_same(void **state)
{
    (void)state;
    run("");
}

static void with_a_wildcard_too(void **state)
{
    (void)state;
    run("wildcard cores\n");
}

/* That they are the same would be no wonder if nobody were found. */
static void users_are_found(void **state)
{
    struct side *hashed = side_new("wildcard cores\nhashed key\n");
    (void)state;
    side_commit(hashed, 1);
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"alice", "hit\nA 300 192.0.2.1\nAAAA 300 2001:db8::1\n"},
        {"bob", "hit\nA 300 192.0.2.2\n"},
        {"carol", "hit\nCNAME 300 host.example.org.\n"},
        {"dave", "hit\n"},
        {"ent", "hit\nCNAME 300 host.example.org.\n"},
        {"mail", "hit\nA 300 192.0.2.25\n"},
        {"cut", "cut\nNS 300 ns.cut.mc.example.com.\n"},
        {"x.alice", "miss\n"},
        {"x.nobody", "wild\nA 300 192.0.2.1\nA 300 192.0.2.2\nAAAA 300 2001:db8::1\n"},
        {"nobody", "wild\nA 300 192.0.2.1\nA 300 192.0.2.2\nAAAA 300 2001:db8::1\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = zone_build_text(hashed->answerer.snapshot, rows[i].name);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
    side_free(hashed);
}

/* No key that a question could have leads to a token's slot: its octets are asked for as labels. */
static void a_token_is_nobodys_name(void **state)
{
    struct side *s = side_new("hashed key\n");
    char token[USER_TOKEN_TEXT];
    uint8_t bytes[USER_TOKEN_LEN];
    (void)state;
    side_commit(s, 1);
    zone_build_user(s->answerer.snapshot->user_key, "alice", token);
    assert_true(user_token_from_text(token, bytes));
    for (size_t len = 1; len < USER_TOKEN_TEXT - 1; len++) {
        char label[USER_TOKEN_TEXT];
        memcpy(label, token, len);
        label[len] = '\0';
        assert_int_equal(zone_build_find(s->answerer.snapshot, label, TYPE_A).match.kind,
                         ZONE_MISS);
    }
    for (size_t len = 1; len <= USER_TOKEN_LEN; len++) {
        struct str label = {.text = NULL};
        for (size_t i = 0; i < len; i++) {
            str_appendf(&label, "\\%03u", bytes[i]);
        }
        assert_int_equal(zone_build_find(s->answerer.snapshot, label.text, TYPE_A).match.kind,
                         ZONE_MISS);
        str_free(&label);
    }
    side_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_the_same),
        cmocka_unit_test(with_a_wildcard_too),
        cmocka_unit_test(users_are_found),
        cmocka_unit_test(a_token_is_nobodys_name),
    };
    return cmocka_run_group_tests_name("answer/hashed", tests, NULL, NULL);
}

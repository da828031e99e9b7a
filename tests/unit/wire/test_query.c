/* The parser of queries: what is a query, what is not, and every limit from both sides. Packets are
 * written out octet by octet. */
#include "dnsd/wire/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/type.h"
#include "lib/buf.h"

#define BYTES(literal) literal, sizeof(literal) - 1

/* Parses a copy of exactly LEN octets, so that a read beyond them is seen. */
static enum wire_verdict parse(const void *bytes, size_t len, struct wire_query *q)
{
    uint8_t *packet = malloc(len > 0 ? len : 1);
    assert_non_null(packet);
    memcpy(packet, bytes, len);
    memset(q, 0xee, sizeof *q);
    enum wire_verdict verdict = wire_query_parse(packet, len, q);
    free(packet);
    return verdict;
}

#define HEADER  "\x12\x34\1\0\0\1\0\0\0\0\0\0" /* RD, one question */
#define WITH_AR "\x12\x34\1\0\0\1\0\0\0\0\0\1" /* and one additional record */
#define WITH_2  "\x12\x34\1\0\0\1\0\0\0\0\0\2"
#define NAME    "\3wWw\2mC\0"
#define A_IN    "\0\1\0\1"
#define OPT     "\0\0\51\4\xd0\0\0\0\0" /* root, OPT, 1232, no flags; then the length */

static void a_plain_query(void **state)
{
    struct wire_query q;
    (void)state;
    assert_int_equal(parse(BYTES(HEADER NAME "\0\34\0\3"), &q), WIRE_QUERY);
    assert_int_equal(q.id, 0x1234);
    assert_int_equal(q.flags, WIRE_RD);
    assert_int_equal(q.opcode, WIRE_OPCODE_QUERY);
    assert_int_equal(q.qtype, TYPE_AAAA);
    assert_int_equal(q.qclass, CLASS_CH);
    assert_int_equal(q.labels, 2);
    assert_int_equal(q.qname_len, 8);
    assert_memory_equal(q.qname, "\3www\2mc\0", 8); /* folded */
    assert_memory_equal(q.label_at, "\0\4\7", 3);
    assert_int_equal(q.question_len, 12);
    assert_false(q.edns.present);
    assert_false(q.trailing);
}

static void the_root(void **state)
{
    struct wire_query q;
    (void)state;
    assert_int_equal(parse(BYTES(HEADER "\0\0\6\0\1"), &q), WIRE_QUERY);
    assert_int_equal(q.labels, 0);
    assert_int_equal(q.qname_len, 1);
    assert_int_equal(q.label_at[0], 0);
}

struct verdict_row {
    const char *what;
    const char *packet;
    size_t len;
    enum wire_verdict verdict;
    uint16_t question_len; /* looked at unless it is dropped */
};

static void run_rows(const struct verdict_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct wire_query q;
        enum wire_verdict verdict = parse(rows[i].packet, rows[i].len, &q);
        if (verdict != rows[i].verdict) {
            fail_msg("%s: verdict %d", rows[i].what, verdict);
        }
        if (verdict != WIRE_DROP && q.question_len != rows[i].question_len) {
            fail_msg("%s: question of %u octets", rows[i].what, q.question_len);
        }
    }
}

static void headers_and_questions(void **state)
{
    static const struct verdict_row rows[] = {
        {"nothing", BYTES(""), WIRE_DROP, 0},
        {"11 octets", BYTES("\0\1\1\0\0\1\0\0\0\0\0"), WIRE_DROP, 0},
        {"an answer", BYTES("\0\1\x81\0\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_DROP, 0},
        {"an answer of another opcode", BYTES("\0\1\xa8\0\0\0\0\0\0\0\0\0"), WIRE_DROP, 0},
        {"a header alone", BYTES("\0\1\0\0\0\0\0\0\0\0\0\0"), WIRE_FORMERR, 0},
        {"no question but octets", BYTES("\0\1\0\0\0\0\0\0\0\0\0\0" NAME A_IN), WIRE_FORMERR, 0},
        {"two questions", BYTES("\0\1\0\0\0\2\0\0\0\0\0\0" NAME A_IN NAME A_IN), WIRE_FORMERR, 0},
        {"65535 questions", BYTES("\0\1\0\0\xff\xff\0\0\0\0\0\0" NAME A_IN), WIRE_FORMERR, 0},
        {"IQUERY", BYTES("\0\1\x08\0\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_OTHER_OPCODE, 0},
        {"STATUS", BYTES("\0\1\x10\0\0\0\0\0\0\0\0\0"), WIRE_OTHER_OPCODE, 0},
        {"opcode 3", BYTES("\0\1\x18\0\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_OTHER_OPCODE, 0},
        {"NOTIFY", BYTES("\0\1\x20\0\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_OTHER_OPCODE, 0},
        {"UPDATE", BYTES("\0\1\x28\0\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_OTHER_OPCODE, 0},
        {"opcode 15", BYTES("\0\1\x78\0\xff\xff\0\0\0\0\0\0"), WIRE_OTHER_OPCODE, 0},
        {"no name", BYTES(HEADER), WIRE_FORMERR, 0},
        {"a name without end", BYTES(HEADER "\3www\2mc"), WIRE_FORMERR, 0},
        {"a label that is cut", BYTES(HEADER "\3ww"), WIRE_FORMERR, 0},
        {"no type", BYTES(HEADER NAME), WIRE_FORMERR, 0},
        {"half a class", BYTES(HEADER NAME "\0\1\0"), WIRE_FORMERR, 0},
        {"a pointer", BYTES(HEADER "\xc0\x0c" A_IN), WIRE_FORMERR, 0},
        {"18 octets that point at themselves", BYTES(HEADER "\xc0\x0c\0\1\0\1"), WIRE_FORMERR, 0},
        {"a pointer behind a label", BYTES(HEADER "\3www\xc0\x0c" A_IN), WIRE_FORMERR, 0},
        {"label type 0x40",
         BYTES(HEADER "\x41"
                      "a\0" A_IN),
         WIRE_FORMERR, 0},
        {"label type 0x80",
         BYTES(HEADER "\x81"
                      "a\0" A_IN),
         WIRE_FORMERR, 0},
        {"answers in a query", BYTES("\0\1\0\0\0\1\0\1\0\0\0\0" NAME A_IN), WIRE_FORMERR, 12},
        {"authority in a query", BYTES("\0\1\0\0\0\1\0\0\0\1\0\0" NAME A_IN), WIRE_FORMERR, 12},
        {"IXFR with its SOA", BYTES("\0\1\0\0\0\1\0\0\0\1\0\0" NAME "\0\xfb\0\1xx"), WIRE_QUERY,
         12},
        {"flags of all kinds", BYTES("\0\1\x07\xff\0\1\0\0\0\0\0\0" NAME A_IN), WIRE_QUERY, 12},
    };
    (void)state;
    run_rows(rows, sizeof rows / sizeof rows[0]);
}

static void additional_records(void **state)
{
    static const struct verdict_row rows[] = {
        {"OPT", BYTES(WITH_AR NAME A_IN OPT "\0\0"), WIRE_QUERY, 12},
        {"OPT that is counted but not there", BYTES(WITH_AR NAME A_IN), WIRE_FORMERR, 12},
        {"two OPTs", BYTES(WITH_2 NAME A_IN OPT "\0\0" OPT "\0\0"), WIRE_FORMERR, 12},
        {"OPT of another owner", BYTES(WITH_AR NAME A_IN "\1a" OPT "\0\0"), WIRE_FORMERR, 12},
        {"OPT of an owner that is a pointer",
         BYTES(WITH_AR NAME A_IN "\xc0\x13\0\51\4\xd0\0\0\0\0\0\0"), WIRE_FORMERR, 12},
        {"OPT whose length lies", BYTES(WITH_AR NAME A_IN OPT "\0\1"), WIRE_FORMERR, 12},
        {"half a length", BYTES(WITH_AR NAME A_IN OPT "\0"), WIRE_FORMERR, 12},
        {"an option that overruns", BYTES(WITH_AR NAME A_IN OPT "\0\5\0\3\0\2x"), WIRE_FORMERR, 12},
        {"half an option's header", BYTES(WITH_AR NAME A_IN OPT "\0\3\0\3\0"), WIRE_FORMERR, 12},
        {"an option nobody knows", BYTES(WITH_AR NAME A_IN OPT "\0\6\xff\xfe\0\2ab"), WIRE_QUERY,
         12},
        {"version 1 and nonsense in it", BYTES(WITH_AR NAME A_IN "\0\0\51\4\xd0\0\1\0\0\0\1x"),
         WIRE_QUERY, 12},
        {"a cookie of 7",
         BYTES(WITH_AR NAME A_IN OPT "\0\13\0\12\0\7"
                                     "1234567"),
         WIRE_FORMERR, 12},
        {"a cookie of 8",
         BYTES(WITH_AR NAME A_IN OPT "\0\14\0\12\0\10"
                                     "12345678"),
         WIRE_QUERY, 12},
        {"a cookie of 9",
         BYTES(WITH_AR NAME A_IN OPT "\0\15\0\12\0\11"
                                     "123456789"),
         WIRE_FORMERR, 12},
        {"a cookie of 16",
         BYTES(WITH_AR NAME A_IN OPT "\0\24\0\12\0\20"
                                     "1234567812345678"),
         WIRE_QUERY, 12},
        {"a cookie of 40",
         BYTES(WITH_AR NAME A_IN OPT "\0\54\0\12\0\50"
                                     "1234567812345678123456781234567812345678"),
         WIRE_QUERY, 12},
        {"a cookie of 41",
         BYTES(WITH_AR NAME A_IN OPT "\0\55\0\12\0\51"
                                     "12345678123456781234567812345678123456789"),
         WIRE_FORMERR, 12},
        {"TSIG behind OPT",
         BYTES(WITH_2 NAME A_IN OPT "\0\0"
                                    "\1k\0\0\xfa\0\xff\0\0\0\0\0\1x"),
         WIRE_QUERY, 12},
        {"another record with a pointer",
         BYTES(WITH_AR NAME A_IN "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"), WIRE_QUERY, 12},
        {"half a pointer", BYTES(WITH_AR NAME A_IN "\xc0"), WIRE_FORMERR, 12},
        {"an owner with a bad label", BYTES(WITH_AR NAME A_IN "\x40\0\51\4\xd0\0\0\0\0\0\0"),
         WIRE_FORMERR, 12},
        {"an owner without end", BYTES(WITH_AR NAME A_IN "\3ab"), WIRE_FORMERR, 12},
        {"nine records", BYTES("\0\1\0\0\0\1\0\0\0\0\0\11" NAME A_IN), WIRE_FORMERR, 12},
    };
    (void)state;
    run_rows(rows, sizeof rows / sizeof rows[0]);
}

static void trailing_octets_are_told(void **state)
{
    struct wire_query q;
    (void)state;
    assert_int_equal(parse(BYTES(HEADER NAME A_IN "abcd"), &q), WIRE_QUERY);
    assert_true(q.trailing);
    assert_int_equal(parse(BYTES(WITH_AR NAME A_IN OPT "\0\0"
                                                       "x"),
                           &q),
                     WIRE_QUERY);
    assert_true(q.trailing);
    assert_int_equal(parse(BYTES(WITH_AR NAME A_IN OPT "\0\0"), &q), WIRE_QUERY);
    assert_false(q.trailing);
}

static void what_the_opt_record_says(void **state)
{
    struct wire_query q;
    (void)state;
    assert_int_equal(parse(BYTES(WITH_AR NAME A_IN "\0\0\51\1\0\1\0\x80\1\0\22" /* 256, DO */
                                                   "\0\3\0\0"                   /* NSID */
                                                   "\0\13\0\2\0\1"              /* keepalive */
                                                   "\0\12\0\10"
                                                   "abcdefgh"), /* cookie */
                           &q),
                     WIRE_FORMERR); /* the options are one octet pair short of what they say */
    assert_int_equal(parse(BYTES(WITH_AR NAME A_IN "\0\0\51\1\0\1\0\x80\1\0\26"
                                                   "\0\3\0\0"
                                                   "\0\13\0\2\0\1"
                                                   "\0\12\0\10"
                                                   "abcdefgh"),
                           &q),
                     WIRE_QUERY);
    assert_true(q.edns.present);
    assert_int_equal(q.edns.version, 0);
    assert_int_equal(q.edns.udp_size, 256);
    assert_int_equal(q.edns.flags, 0x8001);
    assert_true(q.edns.nsid);
    assert_true(q.edns.keepalive);
    assert_false(q.edns.padding);
    assert_int_equal(q.edns.cookie_len, 8);
    assert_memory_equal(q.edns.cookie, "abcdefgh", 8);
}

/* RFC 7830 §3: its octets mean nothing, and need not be zero. */
static void padding(void **state)
{
    static const struct {
        const char *what, *packet;
        size_t len;
        bool padding;
    } rows[] = {
        {"of nothing", BYTES(WITH_AR NAME A_IN OPT "\0\4\0\14\0\0"), true},
        {"of three octets", BYTES(WITH_AR NAME A_IN OPT "\0\7\0\14\0\3abc"), true},
        {"behind another", BYTES(WITH_AR NAME A_IN OPT "\0\10\0\3\0\0\0\14\0\0"), true},
        {"another option", BYTES(WITH_AR NAME A_IN OPT "\0\4\14\0\0\0"), false},
        {"of another version", BYTES(WITH_AR NAME A_IN "\0\0\51\4\xd0\0\1\0\0\0\4\0\14\0\0"),
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_query q;
        assert_int_equal(parse(rows[i].packet, rows[i].len, &q), WIRE_QUERY);
        if (q.edns.padding != rows[i].padding) {
            fail_msg("%s", rows[i].what);
        }
    }
}

static void only_the_first_cookie_counts(void **state)
{
    struct wire_query q;
    (void)state;
    assert_int_equal(parse(BYTES(WITH_AR NAME A_IN OPT "\0\30\0\12\0\10"
                                                       "abcdefgh"
                                                       "\0\12\0\10"
                                                       "ABCDEFGH"),
                           &q),
                     WIRE_QUERY);
    assert_memory_equal(q.edns.cookie, "abcdefgh", 8);
}

/* N labels of LEN octets, and one more of LAST octets if that is not 0. */
static size_t query_of(uint8_t *out, unsigned n, uint8_t len, uint8_t last)
{
    struct buf_writer w = buf_writer_of(out, 2048);
    static const uint8_t octets[WIRE_LABEL_MAX] = {'X', 'y'};
    buf_put(&w, BYTES(HEADER));
    for (unsigned i = 0; i < n; i++) {
        buf_put_u8(&w, len);
        buf_put(&w, octets, len);
    }
    if (last > 0) {
        buf_put_u8(&w, last);
        buf_put(&w, octets, last);
    }
    buf_put(&w, BYTES("\0" A_IN));
    assert_false(w.bad);
    return w.len;
}

static void names_up_to_the_limits(void **state)
{
    uint8_t packet[2048];
    struct wire_query q;
    (void)state;
    /* 127 labels of one octet: 255 octets, both limits at once (RFC 1035 §2.3.4). */
    assert_int_equal(parse(packet, query_of(packet, 127, 1, 0), &q), WIRE_QUERY);
    assert_int_equal(q.labels, 127);
    assert_int_equal(q.qname_len, 255);
    assert_int_equal(q.label_at[127], 254);
    assert_int_equal(parse(packet, query_of(packet, 128, 1, 0), &q), WIRE_FORMERR);
    assert_int_equal(parse(packet, query_of(packet, 126, 1, 2), &q), WIRE_FORMERR); /* 256 */
    assert_int_equal(parse(packet, query_of(packet, 3, 63, 61), &q), WIRE_QUERY);   /* 255 */
    assert_int_equal(q.qname_len, 255);
    assert_int_equal(q.question_len, 259);
    assert_int_equal(parse(packet, query_of(packet, 3, 63, 62), &q), WIRE_FORMERR);
    assert_int_equal(parse(packet, query_of(packet, 1, 63, 0), &q), WIRE_QUERY);
}

/* A query with COUNT copies of OPTION in its OPT record. */
static size_t query_with_options(uint8_t *out, unsigned count, const char *option, size_t len)
{
    struct buf_writer w = buf_writer_of(out, 2048);
    buf_put(&w, BYTES(WITH_AR NAME A_IN OPT));
    buf_put_u16(&w, (uint16_t)(count * len));
    for (unsigned i = 0; i < count; i++) {
        buf_put(&w, option, len);
    }
    assert_false(w.bad);
    return w.len;
}

static void options_up_to_the_limit(void **state)
{
    uint8_t packet[2048];
    struct wire_query q;
    (void)state;
    size_t len = query_with_options(packet, WIRE_OPTIONS_MAX, BYTES("\0\3\0\0"));
    assert_int_equal(parse(packet, len, &q), WIRE_QUERY);
    len = query_with_options(packet, WIRE_OPTIONS_MAX + 1, BYTES("\0\3\0\0"));
    assert_int_equal(parse(packet, len, &q), WIRE_FORMERR);
}

static void additional_up_to_the_limit(void **state)
{
    static const char record[] = "\1a\0\0\1\0\1\0\0\0\0\0\0";
    uint8_t packet[2048];
    struct wire_query q;
    (void)state;
    struct buf_writer w = buf_writer_of(packet, sizeof packet);
    buf_put(&w, BYTES(HEADER NAME A_IN));
    for (unsigned i = 0; i < WIRE_ADDITIONAL_MAX + 1; i++) {
        buf_put(&w, BYTES(record));
    }
    put_u16(packet + 10, WIRE_ADDITIONAL_MAX);
    assert_int_equal(parse(packet, w.len, &q), WIRE_QUERY);
    assert_true(q.trailing);
    put_u16(packet + 10, WIRE_ADDITIONAL_MAX + 1);
    assert_int_equal(parse(packet, w.len, &q), WIRE_FORMERR);
}

/* Whatever is cut off or changed: a verdict, and no read outside (the copies are exact). */
static void every_cut_and_every_octet(void **state)
{
    static const char whole[] = WITH_AR NAME A_IN OPT "\0\14\0\12\0\10"
                                                      "12345678";
    struct wire_query q;
    (void)state;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        assert_int_not_equal(parse(whole, len, &q), WIRE_QUERY);
    }
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        for (unsigned value = 0; value < 256; value++) {
            char packet[sizeof whole];
            memcpy(packet, whole, sizeof whole);
            packet[at] = (char)value;
            enum wire_verdict verdict = parse(packet, sizeof whole - 1, &q);
            assert_in_range(verdict, WIRE_QUERY, WIRE_OTHER_OPCODE);
            if (verdict == WIRE_QUERY) {
                assert_true(q.question_len == q.qname_len + 4);
                assert_int_equal(q.qname[q.qname_len - 1], 0);
            }
        }
    }
}

static void offsets_of_labels(void **state)
{
    uint8_t at[WIRE_LABELS_MAX + 1];
    (void)state;
    assert_int_equal(wire_name_offsets((const uint8_t *)"\0", at), 0);
    assert_int_equal(at[0], 0);
    assert_int_equal(wire_name_offsets((const uint8_t *)"\3www\1a\2mc\0", at), 3);
    assert_memory_equal(at, "\0\4\6\11", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_query),
        cmocka_unit_test(the_root),
        cmocka_unit_test(headers_and_questions),
        cmocka_unit_test(additional_records),
        cmocka_unit_test(trailing_octets_are_told),
        cmocka_unit_test(what_the_opt_record_says),
        cmocka_unit_test(padding),
        cmocka_unit_test(only_the_first_cookie_counts),
        cmocka_unit_test(names_up_to_the_limits),
        cmocka_unit_test(options_up_to_the_limit),
        cmocka_unit_test(additional_up_to_the_limit),
        cmocka_unit_test(every_cut_and_every_octet),
        cmocka_unit_test(offsets_of_labels),
    };
    return cmocka_run_group_tests_name("wire/query", tests, NULL, NULL);
}

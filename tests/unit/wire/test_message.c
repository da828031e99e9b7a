/* The reader of replies: what answers our question and what does not, names that point back and names
 * that lead astray, every limit from both sides. Packets are written out octet by octet. */
#include "dnsd/wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/type.h"
#include "lib/buf.h"

#define BYTES(literal) literal, sizeof(literal) - 1

#define QUESTION "\3wWw\2mC\0\0\20\0\1" /* TXT IN, octets 12 to 23 */
#define QUERY    "\x12\x34\1\0\0\1\0\0\0\0\0\0" QUESTION
/* AA, NOERROR; then the counts of the three sections, one octet each in a pair. */
#define REPLY(an, ns, ar) "\x12\x34\x85\0\0\1\0" an "\0" ns "\0" ar QUESTION
#define TXT               "\0\20\0\1\0\0\0\1" /* type, class, TTL 1 */
#define OWNER             "\xc0\x0c"

static uint8_t *packet; /* of the last message read; freed by the next, or at the end */

static enum err read_as(const void *bytes, size_t len, const void *query, size_t query_len,
                        struct wire_message *m)
{
    free(packet);
    packet = malloc(len > 0 ? len : 1); /* exactly, so that a read beyond it is seen */
    assert_non_null(packet);
    memcpy(packet, bytes, len);
    memset(m, 0xee, sizeof *m);
    return wire_message_read(packet, len, query, query_len, m);
}

static enum err read_it(const void *bytes, size_t len, struct wire_message *m)
{
    return read_as(bytes, len, BYTES(QUERY), m);
}

static void two_values_and_the_rest(void **state)
{
    struct wire_message m;
    char text[16];
    (void)state;
    assert_int_equal(read_it(BYTES(REPLY("\2", "\1", "\1") OWNER TXT
                                   "\0\4\3abc" OWNER TXT "\0\7\2de\3fgh" /* two strings */
                                   "\2MC\0\0\2\0\1\0\0\1\x2c\0\6\3Ns1\xc0\x10"
                                   "\0\0\51\4\xd0\1\0\0\0\0\0"), /* OPT */
                             &m),
                     ERR_OK);
    assert_int_equal(m.id, 0x1234);
    assert_int_equal(m.flags, 0x8500);
    assert_int_equal(m.rcode, 16); /* with OPT's upper bits */
    assert_true(m.question_same_case);
    assert_int_equal(m.count, 3);
    assert_int_equal(m.records[0].section, WIRE_ANSWER);
    assert_int_equal(m.records[0].owner.len, 8);
    assert_int_equal(m.records[0].owner.labels, 2);
    assert_memory_equal(m.records[0].owner.bytes, "\3www\2mc\0", 8); /* folded */
    assert_int_equal(m.records[0].ttl_s, 1);
    assert_int_equal(wire_record_text(&m.records[0], text, sizeof text), ERR_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(wire_record_text(&m.records[1], text, sizeof text), ERR_OK);
    assert_string_equal(text, "defgh");
    assert_int_equal(m.records[2].section, WIRE_AUTHORITY);
    assert_int_equal(m.records[2].type, TYPE_NS);
    assert_int_equal(m.records[2].ttl_s, 300);
    struct wire_name ns;
    assert_int_equal(wire_record_name(&m, &m.records[2], 0, &ns), ERR_OK);
    assert_int_equal(ns.len, 8);
    assert_memory_equal(ns.bytes, "\3ns1\2mc\0", 8);
}

static void letter_case(void **state)
{
    struct wire_message m;
    (void)state;
    assert_int_equal(read_it(BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\3www\2mc\0\0\20\0\1"), &m),
                     ERR_OK);
    assert_false(m.question_same_case);
}

struct verdict_row {
    const char *what, *packet;
    size_t len;
    enum err e;
};

static void verdicts(void **state)
{
    static const struct verdict_row rows[] = {
        {"whole", BYTES(REPLY("\0", "\0", "\0")), ERR_OK},
        {"no header", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0"), ERR_MALFORMED},
        {"another id", BYTES("\x12\x35\x85\0\0\1\0\0\0\0\0\0" QUESTION), ERR_CONFLICT},
        {"a query", BYTES(QUERY), ERR_CONFLICT},
        {"an opcode", BYTES("\x12\x34\xa0\0\0\1\0\0\0\0\0\0" QUESTION), ERR_CONFLICT},
        {"no question", BYTES("\x12\x34\x85\1\0\0\0\0\0\0\0\0"), ERR_CONFLICT},
        {"two questions", BYTES("\x12\x34\x85\0\0\2\0\0\0\0\0\0" QUESTION QUESTION), ERR_CONFLICT},
        {"another name", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\3wWx\2mC\0\0\20\0\1"), ERR_CONFLICT},
        {"a longer name", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\1x\3wWw\2mC\0\0\20\0\1"),
         ERR_CONFLICT},
        {"another type", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\3wWw\2mC\0\0\1\0\1"), ERR_CONFLICT},
        {"another class", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\3wWw\2mC\0\0\20\0\3"),
         ERR_CONFLICT},
        {"a question cut off", BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\3wWw\2mC\0\0\20\0"),
         ERR_MALFORMED},
        {"a question that points into the header",
         BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\xc0\x04\0\20\0\1"), ERR_MALFORMED},
        {"a question that points at itself",
         BYTES("\x12\x34\x85\0\0\1\0\0\0\0\0\0\xc0\x0c\0\20\0\1"), ERR_MALFORMED},
        {"something behind it", BYTES(REPLY("\0", "\0", "\0") "\0"), ERR_MALFORMED},
        {"a record missing", BYTES(REPLY("\1", "\0", "\0")), ERR_MALFORMED},
        {"a record cut off", BYTES(REPLY("\1", "\0", "\0") OWNER TXT "\0\4\3ab"), ERR_MALFORMED},
        {"cut off with TC",
         BYTES("\x12\x34\x87\0\0\1\0\2\0\0\0\0" QUESTION OWNER TXT "\0\4\3abc" OWNER TXT
               "\0\4\3ab"),
         ERR_OK},
        {"an owner pointing at itself", BYTES(REPLY("\1", "\0", "\0") "\xc0\x18" TXT "\0\1\0"),
         ERR_MALFORMED},
        {"an owner pointing forward", BYTES(REPLY("\1", "\0", "\0") "\xc0\x22" TXT "\0\1\0"),
         ERR_MALFORMED},
        {"labels that lead back to where they began",
         BYTES(REPLY("\1", "\0", "\0") "\1a\xc0\x18" TXT "\0\1\0"), ERR_MALFORMED},
        {"a pointer into the label before it",
         BYTES(REPLY("\1", "\0", "\0") "\4\1b\0x\xc0\x19" TXT "\0\1\0"), ERR_MALFORMED},
        {"half a pointer", BYTES(REPLY("\1", "\0", "\0") "\xc0"), ERR_MALFORMED},
        {"the retired kind of label", BYTES(REPLY("\1", "\0", "\0") "\x41\0" TXT "\0\1\0"),
         ERR_MALFORMED},
        {"two OPT",
         BYTES(REPLY("\0", "\0", "\2") "\0\0\51\4\xd0\0\0\0\0\0\0"
                                       "\0\0\51\4\xd0\0\0\0\0\0\0"),
         ERR_MALFORMED},
        {"OPT as an answer", BYTES(REPLY("\1", "\0", "\0") "\0\0\51\4\xd0\0\0\0\0\0\0"),
         ERR_MALFORMED},
        {"OPT of a name", BYTES(REPLY("\0", "\0", "\1") OWNER "\0\51\4\xd0\0\0\0\0\0\0"),
         ERR_MALFORMED},
        {"an unknown type", BYTES(REPLY("\1", "\0", "\0") OWNER "\xff\1\0\1\0\0\0\1\0\3xyz"),
         ERR_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_message m;
        enum err e = read_it(rows[i].packet, rows[i].len, &m);
        if (e != rows[i].e) {
            fail_msg("%s: %s, not %s", rows[i].what, err_text(e), err_text(rows[i].e));
        }
    }
}

/* Whatever part of a good reply is missing at its end, it is seen. */
static void each_prefix(void **state)
{
    static const char whole[] =
        REPLY("\1", "\1", "\1") OWNER TXT "\0\4\3abc" OWNER "\0\2\0\1\0\0\1\x2c\0\6\3Ns1\xc0\x10"
                                          "\0\0\51\4\xd0\0\0\0\0\0\0";
    struct wire_message m;
    (void)state;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        assert_int_equal(read_it(whole, len, &m), ERR_MALFORMED);
    }
    assert_int_equal(read_it(whole, sizeof whole - 1, &m), ERR_OK);
}

static void cut_off_with_tc_keeps_what_is_whole(void **state)
{
    struct wire_message m;
    (void)state;
    assert_int_equal(read_it(BYTES("\x12\x34\x87\0\0\1\0\2\0\0\0\0" QUESTION OWNER TXT
                                   "\0\4\3abc" OWNER TXT "\0\4\3ab"),
                             &m),
                     ERR_OK);
    assert_int_equal(m.count, 1);
}

/* N records with an empty name and no data. */
static enum err read_many(unsigned n, bool opt, struct wire_message *m)
{
    static uint8_t bytes[24 + 300 * 11 + 11];
    size_t len = 24;
    memcpy(bytes, REPLY("\0", "\0", "\0"), 24);
    put_u16(bytes + 6, (uint16_t)n);
    bytes[11] = opt;
    for (unsigned i = 0; i < n; i++, len += 11) {
        memcpy(bytes + len, "\0\xff\1\0\1\0\0\0\0\0\0", 11);
    }
    if (opt) {
        memcpy(bytes + len, "\0\0\51\4\xd0\0\0\0\0\0\0", 11);
        len += 11;
    }
    return read_it(bytes, len, m);
}

static void how_many_records(void **state)
{
    struct wire_message m;
    (void)state;
    assert_int_equal(read_many(WIRE_RECORDS_MAX, true, &m), ERR_OK);
    assert_int_equal(m.count, WIRE_RECORDS_MAX);
    assert_int_equal(read_many(WIRE_RECORDS_MAX + 1, false, &m), ERR_LIMIT);
    assert_int_equal(read_many(WIRE_RECORDS_MAX + 2, false, &m), ERR_LIMIT);
}

/* A name of LEN octets, in labels of at most 63. */
static size_t put_name(uint8_t *out, size_t len)
{
    size_t at = 0;
    while (at < len - 1) {
        size_t n = len - 1 - at > 64 ? 63 : len - 1 - at - 1;
        out[at] = (uint8_t)n;
        memset(out + at + 1, 'a', n);
        at += n + 1;
    }
    out[at] = 0;
    return at + 1;
}

static enum err read_name_of(size_t len, struct wire_message *m)
{
    uint8_t bytes[24 + 300 + 10];
    memcpy(bytes, REPLY("\1", "\0", "\0"), 24);
    size_t at = 24 + put_name(bytes + 24, len);
    assert_int_equal(at, 24 + len);
    memcpy(bytes + at, TXT "\0\0", 10);
    return read_it(bytes, at + 10, m);
}

static void long_names(void **state)
{
    struct wire_message m;
    (void)state;
    assert_int_equal(read_name_of(255, &m), ERR_OK);
    assert_int_equal(m.records[0].owner.len, 255);
    assert_int_equal(read_name_of(256, &m), ERR_MALFORMED);
}

/* N pointers, each to the one before it, the first to the question's name; then a record whose owner
 * is a pointer to the last of them. */
static enum err read_chain(unsigned n, struct wire_message *m)
{
    uint8_t bytes[24 + 11 + 2 * 200 + 12];
    size_t at = 24, target = 12;
    memcpy(bytes, REPLY("\2", "\0", "\0"), 24);
    memcpy(bytes + at, "\0\xff\1\0\1\0\0\0\0\0\0", 11);
    put_u16(bytes + at + 9, (uint16_t)(2 * n));
    at += 11;
    for (unsigned i = 0; i <= n; i++) {
        put_u16(bytes + at, (uint16_t)(0xC000 | target));
        target = at;
        at += 2;
    }
    memcpy(bytes + at, TXT "\0\0", 10);
    return read_it(bytes, at + 10, m);
}

static void pointers_to_pointers(void **state)
{
    struct wire_message m;
    (void)state;
    assert_int_equal(read_chain(WIRE_LABELS_MAX, &m), ERR_OK);
    assert_int_equal(m.records[1].owner.len, 8);
    assert_int_equal(read_chain(WIRE_LABELS_MAX + 1, &m), ERR_MALFORMED);
}

/* Reads RDATA of TYPE as the only record of a reply. */
static void with_rdata(uint16_t type, const char *rdata, size_t len, struct wire_message *m)
{
    static uint8_t bytes[24 + 12 + 2000];
    memcpy(bytes, REPLY("\1", "\0", "\0") OWNER TXT, 34);
    put_u16(bytes + 26, type);
    put_u16(bytes + 34, (uint16_t)len);
    memcpy(bytes + 36, rdata, len);
    assert_int_equal(read_it(bytes, 36 + len, m), ERR_OK);
    assert_int_equal(m->count, 1);
}

static void names_in_data(void **state)
{
    struct wire_message m;
    struct wire_name name;
    (void)state;
    with_rdata(TYPE_CNAME, BYTES("\1X\xc0\x0c"), &m);
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_OK);
    assert_int_equal(name.len, 10);
    assert_memory_equal(name.bytes, "\1x\3www\2mc\0", 10);
    with_rdata(TYPE_MX, BYTES("\0\5\xc0\x10"), &m);
    assert_int_equal(wire_record_name(&m, m.records, 2, &name), ERR_OK);
    assert_int_equal(name.len, 4);
    assert_int_equal(wire_record_name(&m, m.records, 5, &name), ERR_MALFORMED);
    with_rdata(TYPE_NS, BYTES("\1x"), &m); /* would run out of the data */
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_MALFORMED);
    with_rdata(TYPE_NS, BYTES("\1x\0y"), &m);
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_MALFORMED);
    with_rdata(TYPE_SOA, BYTES("\1x\0y"), &m); /* its first name */
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_OK);
    with_rdata(TYPE_NS, BYTES("\xc0\x24"), &m); /* at itself: 36 */
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_MALFORMED);
    with_rdata(TYPE_NS, BYTES(""), &m);
    assert_int_equal(wire_record_name(&m, m.records, 0, &name), ERR_MALFORMED);
}

static void aliases(void **state)
{
    static const char chain[] = REPLY("\3", "\0", "\0") OWNER "\0\5\0\1\0\0\0\1\0\3\1a\0"
                                                              "\1b\0\0\5\0\1\0\0\0\1\0\3\1c\0"
                                                              "\1A\0\0\5\0\1\0\0\0\1\0\3\1b\0";
    static const char ring[] = REPLY("\1", "\0", "\0") OWNER "\0\5\0\1\0\0\0\1\0\2\xc0\x0c";
    static const char elsewhere[] = /* not an answer; not of the class */
        "\x12\x34\x85\0\0\1\0\1\0\1\0\0" QUESTION OWNER "\0\5\0\3\0\0\0\1\0\3\1a\0" OWNER
        "\0\5\0\1\0\0\0\1\0\3\1a\0";
    struct wire_message m;
    struct wire_name name, end;
    (void)state;
    assert_int_equal(wire_name_from_text("www.MC", NULL, &name, NULL), ERR_OK);
    assert_int_equal(read_it(BYTES(chain), &m), ERR_OK);
    assert_true(wire_message_alias(&m, &name, &end));
    assert_int_equal(end.len, 3);
    assert_memory_equal(end.bytes, "\1c\0", 3);
    assert_int_equal(read_it(BYTES(ring), &m), ERR_OK);
    assert_true(wire_message_alias(&m, &name, &end));
    assert_int_equal(read_it(BYTES(elsewhere), &m), ERR_OK);
    assert_false(wire_message_alias(&m, &name, &end));
    assert_true(wire_name_equal(&name, &end));
}

static void texts(void **state)
{
    struct wire_message m;
    char text[6];
    (void)state;
    with_rdata(TYPE_TXT, BYTES("\5abcde"), &m);
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_OK);
    assert_string_equal(text, "abcde");
    with_rdata(TYPE_TXT, BYTES("\3abc\3def"), &m);
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_LIMIT);
    with_rdata(TYPE_TXT, BYTES("\0"), &m);
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_OK);
    assert_string_equal(text, "");
    with_rdata(TYPE_TXT, BYTES(""), &m);
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_MALFORMED);
    with_rdata(TYPE_TXT, BYTES("\4abc"), &m);
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_MALFORMED);
    with_rdata(TYPE_TXT, BYTES("\4ab\0c"), &m); /* would be taken for "ab" */
    assert_int_equal(wire_record_text(m.records, text, sizeof text), ERR_MALFORMED);
}

static void caa(void **state)
{
    static char big[2000] = "\0\5issue";
    struct wire_message m;
    struct wire_caa c;
    (void)state;
    with_rdata(TYPE_CAA, BYTES("\200\5IsSueCa.example\t\377"), &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_OK);
    assert_int_equal(c.flags, 128);
    assert_string_equal(c.tag, "issue");
    assert_string_equal(c.value, "Ca.example??");
    with_rdata(TYPE_CAA, BYTES("\0\3a-b"), &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_OK);
    assert_string_equal(c.tag, "a?b");
    assert_string_equal(c.value, "");
    with_rdata(TYPE_CAA, BYTES("\0\0value"), &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_MALFORMED);
    with_rdata(TYPE_CAA, BYTES("\0\6issue"), &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_MALFORMED);
    with_rdata(TYPE_CAA, BYTES(""), &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_MALFORMED);
    memset(big + 7, 'v', sizeof big - 7);
    with_rdata(TYPE_CAA, big, 7 + sizeof c.value - 1, &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_OK);
    assert_int_equal(strlen(c.value), sizeof c.value - 1);
    with_rdata(TYPE_CAA, big, 7 + sizeof c.value, &m);
    assert_int_equal(wire_record_caa(m.records, &c), ERR_LIMIT);
}

static int forget(void **state)
{
    (void)state;
    free(packet);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_values_and_the_rest),
        cmocka_unit_test(letter_case),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(each_prefix),
        cmocka_unit_test(cut_off_with_tc_keeps_what_is_whole),
        cmocka_unit_test(how_many_records),
        cmocka_unit_test(long_names),
        cmocka_unit_test(pointers_to_pointers),
        cmocka_unit_test(names_in_data),
        cmocka_unit_test(aliases),
        cmocka_unit_test(texts),
        cmocka_unit_test(caa),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}

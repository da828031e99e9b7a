/* Padding (RFC 7830, RFC 8467): over TLS, for those who ask, and never at an answer's expense. */
#include "dnsd/answer/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "answer_check.h"
#include "dnsd/wire/query.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/str.h"
#include "rich_zone.h"
#include "zone_build.h"

#define BLOCK 468

struct fixture {
    struct zone *zone;
    struct answerer answerer;
    struct answer_counters counters;
};

static const struct answer_config config = {.id = "core-a", .chaos = true, .keepalive_ds = 100};

static void fixture_init(struct fixture *f, const char *content)
{
    memset(f, 0, sizeof *f);
    f->zone = zone_build(RICH_OPTIONS, content);
    f->answerer.snapshot = zone_commit(f->zone, 42);
    f->answerer.config = &config;
    f->answerer.counters = &f->counters;
}

static void fixture_fini(struct fixture *f)
{
    zone_snapshot_unref(f->answerer.snapshot);
    zone_free(f->zone);
}

#define PADDING   "\0\14\0\0"
#define L(string) (string), sizeof(string) - 1

/* The answer to a query with these OPTIONS; *padding: octets in the padding option, -1: none. */
static const struct dns_message *ask(struct fixture *f, enum answer_transport transport,
                                     const char *name, uint16_t type, const char *options,
                                     size_t options_len, int *padding)
{
    uint8_t packet[800];
    const struct dns_message *m;
    struct wire_name n = zone_build_name(NULL, name);
    struct buf_writer w = buf_writer_of(packet, sizeof packet);
    buf_put(&w, "\x12\x34\1\0\0\1\0\0\0\0\0\1", 12);
    buf_put(&w, n.bytes, n.len);
    buf_put_u16(&w, type);
    buf_put_u16(&w, CLASS_IN);
    buf_put(&w, "\0\0\51\4\xd0\0\0\0\0", 9);
    buf_put_u16(&w, (uint16_t)options_len);
    buf_put(&w, options, options_len);
    assert_false(w.bad);
    assert_true(answer_check(&f->answerer, transport, packet, w.len, &m) > 0);
    const struct dns_rr *opt = &m->rrs[m->rrs_count - 1];
    assert_int_equal(opt->type, TYPE_OPT);
    *padding = -1;
    struct buf_reader r = buf_reader_of(m->bytes + opt->rdata_at, opt->rdata_len);
    while (buf_left(&r) > 0) {
        uint16_t code = buf_u16(&r);
        uint16_t len = buf_u16(&r);
        const uint8_t *value = buf_take(&r, len);
        assert_non_null(value);
        for (unsigned i = 0; code == EDNS_OPTION_PADDING && i < len; i++) {
            assert_int_equal(value[i], 0);
        }
        *padding = code == EDNS_OPTION_PADDING ? len : *padding;
    }
    return m;
}

static void only_over_tls_and_only_if_asked_for(void **state)
{
    struct fixture f;
    int padding;
    (void)state;
    fixture_init(&f, RICH_CONTENT);
    for (unsigned t = 0; t < ANSWER_TRANSPORTS; t++) {
        const struct dns_message *m =
            ask(&f, t, "bob.mc.example.com.", TYPE_A, L(PADDING), &padding);
        assert_int_equal(padding >= 0, t == ANSWER_TLS);
        assert_int_equal(m->len, t == ANSWER_TLS ? BLOCK : 36 + 16 + 11);
        m = ask(&f, t, "bob.mc.example.com.", TYPE_A, L("\0\3\0\0"), &padding);
        assert_int_equal(padding, -1);
        assert_true(m->len < BLOCK);
    }
    fixture_fini(&f);
}

/* With whatever else is in the record, and whatever the answer is. */
static void every_answer(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        unsigned rcode;
    } questions[] = {
        {"bob.mc.example.com.", TYPE_A, RCODE_NOERROR},
        {"bob.mc.example.com.", TYPE_AAAA, RCODE_NOERROR},
        {"nope.mc.example.com.", TYPE_A, RCODE_NXDOMAIN},
        {"www.example.net.", TYPE_A, RCODE_REFUSED},
        {"bob.mc.example.com.", TYPE_AXFR, RCODE_NOTIMP},
        {"bob.mc.example.com.", TYPE_OPT, RCODE_FORMERR},
    };
    static const struct {
        const char *bytes;
        size_t len;
    } options[] = {
        {L(PADDING)},
        {L("\0\14\0\5\1\2\3\4\5")}, /* the query's own padding means nothing */
        {L("\0\3\0\0" PADDING "\0\13\0\0")},
        {L("\xff\xfe\0\1x" PADDING)},
        {L(PADDING PADDING)},
    };
    struct fixture f;
    (void)state;
    fixture_init(&f, RICH_CONTENT);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        for (size_t j = 0; j < sizeof options / sizeof options[0]; j++) {
            int padding;
            const struct dns_message *m = ask(&f, ANSWER_TLS, questions[i].name, questions[i].type,
                                              options[j].bytes, options[j].len, &padding);
            assert_int_equal(m->flags & 15, questions[i].rcode);
            assert_int_equal(m->len, BLOCK);
            assert_true(padding >= 0);
        }
    }
    fixture_fini(&f);
}

/* Around the end of a block, octet by octet: the option's own four are part of it. */
static void where_a_block_ends(void **state)
{
    struct fixture f;
    struct str content = {.text = NULL};
    unsigned exact = 0;
    (void)state;
    str_append(&content, "core core-a ip=192.0.2.1\n");
    str_appendf(&content, "record *.w TXT - %0255u\nrecord *.w TXT - %080u\n", 1, 2);
    fixture_init(&f, content.text);
    str_free(&content);
    for (unsigned label = 30; label <= 63; label++) {
        char name[100];
        int padding;
        snprintf(name, sizeof name, "%0*u.w.mc.example.com.", (int)label, 7u);
        const struct dns_message *m = ask(&f, ANSWER_TLS, name, TYPE_TXT, L(""), &padding);
        size_t plain = m->len;
        assert_int_equal(padding, -1);
        m = ask(&f, ANSWER_TLS, name, TYPE_TXT, L(PADDING), &padding);
        assert_int_equal(m->counts[1], 2);
        assert_int_equal(m->len % BLOCK, 0);
        assert_int_equal(m->len, plain + 4 + (size_t)padding);
        assert_in_range(padding, 0, BLOCK - 1);
        exact += padding == 0;
    }
    assert_int_equal(exact, 1);
    fixture_fini(&f);
}

/* A delegation with more glue than 64 KB, in small pieces at its end: as much of it is sent as without
 * padding, and what is left of the 65,535 octets is the padding. */
static void where_a_message_ends(void **state)
{
    struct fixture f;
    struct str content = {.text = NULL};
    bool without = false, with = false;
    (void)state;
    str_append(&content, "core core-a ip=192.0.2.1\n");
    for (unsigned i = 0; i < 100; i++) {
        str_appendf(&content, "record sub NS - n%02u.sub.mc.example.com\n", i);
        for (unsigned j = 0; j < (i < 65 ? 60 : 2); j++) {
            str_appendf(&content, "record n%02u.sub A - 192.0.2.%u\n", i, j);
        }
    }
    fixture_init(&f, content.text);
    str_free(&content);
    for (unsigned label = 1; label <= 63; label++) {
        char name[100];
        int padding;
        snprintf(name, sizeof name, "%0*u.sub.mc.example.com.", (int)label, 7u);
        const struct dns_message *m = ask(&f, ANSWER_TLS, name, TYPE_A, L(""), &padding);
        size_t plain = m->len;
        unsigned records = m->counts[3];
        m = ask(&f, ANSWER_TLS, name, TYPE_A, L(PADDING), &padding);
        assert_int_equal(m->flags & 15, 0);
        assert_int_equal(m->counts[3], records);
        if (plain + 4 > ANSWER_TCP_MAX) {
            assert_int_equal(padding, -1);
            assert_int_equal(m->len, plain);
            without = true;
        } else {
            assert_int_equal(m->len, plain > 65520 - 4 ? ANSWER_TCP_MAX : 65520);
            with = true;
        }
    }
    assert_true(with && without);
    assert_int_equal(f.counters.truncated, 0);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_over_tls_and_only_if_asked_for),
        cmocka_unit_test(every_answer),
        cmocka_unit_test(where_a_block_ends),
        cmocka_unit_test(where_a_message_ends),
    };
    return cmocka_run_group_tests_name("answer/padding", tests, NULL, NULL);
}

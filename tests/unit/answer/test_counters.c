/* The axes of the counters: every number has a place, every place a word. */
#include "dnsd/answer/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/query.h"
#include "dnsd/wire/type.h"

/* The word of a type is what wire/type calls it; types without a place of their own are "other". */
static void types_and_their_words(void **state)
{
    bool seen[ANSWER_TYPES] = {false};
    (void)state;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        unsigned index = answer_type_index((uint16_t)type);
        assert_true(index < ANSWER_TYPES);
        seen[index] = true;
        if (index < ANSWER_TYPES - 1) {
            char text[WIRE_TYPE_TEXT_MAX];
            wire_type_to_text((uint16_t)type, text);
            assert_string_equal(answer_type_text(index), text);
        }
    }
    for (unsigned i = 0; i < ANSWER_TYPES; i++) {
        assert_true(seen[i]);
    }
    assert_string_equal(answer_type_text(ANSWER_TYPES - 1), "other");
    assert_string_equal(answer_type_text(answer_type_index(TYPE_A)), "A");
    assert_string_equal(answer_type_text(answer_type_index(TYPE_CAA)), "CAA");
    assert_string_equal(answer_type_text(answer_type_index(TYPE_TLSA)), "other");
    assert_string_equal(answer_type_text(answer_type_index(0)), "other");
}

static void rcodes_and_their_words(void **state)
{
    static const struct {
        unsigned rcode;
        const char *text;
    } rows[] = {{RCODE_NOERROR, "NOERROR"},
                {RCODE_FORMERR, "FORMERR"},
                {RCODE_SERVFAIL, "SERVFAIL"},
                {RCODE_NXDOMAIN, "NXDOMAIN"},
                {RCODE_NOTIMP, "NOTIMP"},
                {RCODE_REFUSED, "REFUSED"},
                {RCODE_BADVERS, "BADVERS"},
                {6, "other"},
                {15, "other"},
                {17, "other"},
                {4095, "other"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(answer_rcode_text(answer_rcode_index(rows[i].rcode)), rows[i].text);
    }
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(answer_transport_text(ANSWER_UDP), "udp");
    assert_string_equal(answer_transport_text(ANSWER_TCP), "tcp");
    assert_string_equal(answer_transport_text(ANSWER_TLS), "tls");
    assert_string_equal(answer_drop_text(ANSWER_DROP_SHORT), "short");
    assert_string_equal(answer_drop_text(ANSWER_DROP_ANSWER), "answer");
    assert_string_equal(answer_drop_text(ANSWER_DROP_PORT_ZERO), "port_zero");
    assert_string_equal(answer_drop_text(ANSWER_DROP_SEND_FAILED), "send_failed");
}

static void sums(void **state)
{
    static struct answer_counters c;
    (void)state;
    c.queries[ANSWER_UDP][0][0] = 1;
    c.queries[ANSWER_UDP][ANSWER_TYPES - 1][ANSWER_RCODES - 1] = 2;
    c.queries[ANSWER_TLS][3][ANSWER_RCODES - 1] = 4;
    assert_int_equal(answer_queries_over(&c, ANSWER_UDP), 3);
    assert_int_equal(answer_queries_over(&c, ANSWER_TCP), 0);
    assert_int_equal(answer_queries_over(&c, ANSWER_TLS), 4);
    assert_int_equal(answer_queries_with(&c, 0), 1);
    assert_int_equal(answer_queries_with(&c, 1), 0);
    assert_int_equal(answer_queries_with(&c, ANSWER_RCODES - 1), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_their_words),
        cmocka_unit_test(rcodes_and_their_words),
        cmocka_unit_test(words),
        cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests_name("answer/counters", tests, NULL, NULL);
}

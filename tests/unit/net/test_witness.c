/* dnsd/net/witness: what is kept of who asked for a challenge. */
#include "dnsd/net/witness.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct net_witness_ring ring;

static void put(uint16_t rcode, const char *source)
{
    struct answer_challenge c = {.name_len = 3, .name = "\1a", .rcode = rcode};
    uint8_t address[16];
    bool v6 = strchr(source, ':') != NULL;
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, source, address), 1);
    net_witness_put(&ring, &c, ANSWER_TCP, v6, address);
}

static void empty(void)
{
    memset(&ring, 0, sizeof ring);
}

static void in_order_and_by_network(void **state)
{
    struct net_witness got[4];
    char source[NET_WITNESS_SOURCE_TEXT];
    (void)state;
    empty();
    assert_int_equal(net_witness_take(&ring, got, 4), 0);
    put(1, "192.0.2.77");
    put(2, "2001:db8:1:2:3:4:5:6");
    put(3, "255.255.255.255");
    assert_int_equal(net_witness_take(&ring, got, 2), 2);
    assert_int_equal(got[0].challenge.rcode, 1);
    assert_true(got[0].at_ms > 0);
    assert_int_equal(got[0].transport, ANSWER_TCP);
    net_witness_source(&got[0], source);
    assert_string_equal(source, "192.0.2.0/24");
    net_witness_source(&got[1], source);
    assert_string_equal(source, "2001:db8:1::/48");
    assert_int_equal(net_witness_take(&ring, got, 2), 1);
    net_witness_source(&got[0], source);
    assert_string_equal(source, "255.255.255.0/24");
}

static void when_it_is_full_the_newest_go(void **state)
{
    struct net_witness got[NET_WITNESSES + 1];
    (void)state;
    empty();
    for (unsigned round = 0; round < 3; round++) { /* round the corner, too */
        for (unsigned i = 0; i < NET_WITNESSES + 5; i++) {
            put((uint16_t)i, "192.0.2.1");
        }
        assert_int_equal(metrics_get(&ring.missed), 5 * (round + 1));
        assert_int_equal(net_witness_take(&ring, got, NET_WITNESSES + 1), NET_WITNESSES);
        assert_int_equal(got[0].challenge.rcode, 0);
        assert_int_equal(got[NET_WITNESSES - 1].challenge.rcode, NET_WITNESSES - 1);
        put(7, "192.0.2.1"); /* so that the next round begins elsewhere */
        assert_int_equal(net_witness_take(&ring, got, 1), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_by_network),
        cmocka_unit_test(when_it_is_full_the_newest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Datagrams: batches, the address that was asked, new zones, the end. */
#include "dnsd/net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns_decode.h"
#include "lib/buf.h"
#include "net_fixture.h"
#include "rich_zone.h"
#include "zone_build.h"

#define MANY 200 /* several batches; what a socket holds by default */

static struct dns_message message;

static struct net_fixture *fixture(const char *ip)
{
    static struct net_fixture f;
    net_fixture_init(&f, RICH_OPTIONS, RICH_CONTENT);
    net_fixture_open(&f, ip);
    return &f;
}

static void ask(struct net_fixture *f, int fd, uint16_t id, const char *name, uint16_t type)
{
    uint8_t packet[300];
    net_fixture_send(f, fd, packet,
                     net_fixture_query(packet, sizeof packet, id, name, type, false));
}

/* The next datagram, decoded into `message`. */
static void receive(struct net_fixture *f, int fd)
{
    static uint8_t packet[2048];
    ssize_t n = -1;
    for (unsigned turns = 0; n < 0 && turns < NET_FIXTURE_DEADLINE_MS; turns++) {
        net_fixture_turn(f, fd);
        n = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    assert_true(dns_decode(packet, (size_t)n, &message));
}

static void one_answer(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    (void)state;
    ask(f, fd, 7, "alice.mc.example.com.", TYPE_A);
    receive(f, fd);
    assert_int_equal(message.id, 7);
    assert_int_equal(message.counts[1], 1);
    close(fd);
    net_fixture_end(f);
}

static void batches(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    const struct net_counters *counters = net_worker_counters(f->worker);
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        uint8_t packet[300];
        for (unsigned i = 0; i < MANY; i++) {
            size_t len = net_fixture_query(packet, sizeof packet, (uint16_t)i,
                                           "bob.mc.example.com.", TYPE_A, false);
            /* Some that get no answer, so that the batch of replies is another one. */
            if (i % 3 == 0) {
                assert_int_equal(send(fd, "short", 5, 0), 5);
            }
            assert_int_equal(send(fd, packet, len, 0), (ssize_t)len);
        }
        for (unsigned i = 0; i < MANY; i++) {
            receive(f, fd);
            assert_int_equal(message.id, i);
        }
    }
    assert_int_equal(answer_queries_over(&counters->answer, ANSWER_UDP), 3 * MANY);
    assert_int_equal(counters->answer.dropped[ANSWER_DROP_SHORT], 3 * ((MANY + 2) / 3));
    assert_int_equal(counters->answer.dropped[ANSWER_DROP_SEND_FAILED], 0);
    close(fd);
    net_fixture_end(f);
}

/* A connected socket takes datagrams from the address it asked only. */
static void replies_come_from_the_address_that_was_asked(void **state)
{
    static const struct {
        const char *bound, *asked;
    } rows[] = {{"0.0.0.0", "127.0.0.1"},
                {"0.0.0.0", "127.0.0.2"},
                {"0.0.0.0", "127.1.2.3"},
                {"::", "::1"},
                {"127.0.0.1", "127.0.0.1"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_fixture *f = fixture(rows[i].bound);
        int fd = net_fixture_dial(f, SOCK_DGRAM, rows[i].asked, NULL);
        for (uint16_t id = 0; id < 130; id++) { /* each slot of the batch more than once */
            ask(f, fd, id, "alice.mc.example.com.", TYPE_A);
            receive(f, fd);
            assert_int_equal(message.id, id);
        }
        close(fd);
        net_fixture_end(f);
    }
}

static void several_clients_get_their_own(void **state)
{
    struct net_fixture *f = fixture("0.0.0.0");
    int fds[8];
    char from[16];
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i + 1);
        fds[i] = net_fixture_dial(f, SOCK_DGRAM, i % 2 == 0 ? "127.0.0.1" : "127.0.0.9", from);
    }
    for (unsigned round = 0; round < 20; round++) {
        uint8_t packet[300];
        for (unsigned i = 0; i < 8; i++) { /* all are there before the loop turns */
            size_t len = net_fixture_query(packet, sizeof packet, (uint16_t)(100 * round + i),
                                           "alice.mc.example.com.", TYPE_A, false);
            assert_int_equal(send(fds[i], packet, len, 0), (ssize_t)len);
        }
        for (unsigned i = 0; i < 8; i++) {
            receive(f, fds[i]);
            assert_int_equal(message.id, 100 * round + i);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        close(fds[i]);
    }
    net_fixture_end(f);
}

/* A query with more octets behind it than a buffer holds is cut there, and answered. */
static void large_packets(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    uint8_t packet[9000] = {0};
    (void)state;
    net_fixture_query(packet, sizeof packet, 9, "alice.mc.example.com.", TYPE_A, false);
    net_fixture_send(f, fd, packet, sizeof packet);
    receive(f, fd);
    assert_int_equal(message.id, 9);
    assert_int_equal(message.counts[1], 1);
    assert_int_equal(net_worker_counters(f->worker)->answer.trailing, 1);
    close(fd);
    net_fixture_end(f);
}

static void another_zone(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    (void)state;
    for (uint16_t i = 1; i <= 5; i++) {
        char line[64];
        snprintf(line, sizeof line, "record new-%u A - 192.0.2.5\n", i);
        zone_build_add(f->zone, line);
        net_worker_use(f->worker, zone_commit(f->zone, 42u + i));
        snprintf(line, sizeof line, "new-%u.mc.example.com.", i);
        ask(f, fd, i, line, TYPE_A);
        receive(f, fd);
        assert_int_equal(message.counts[1], 1);
    }
    close(fd);
    net_fixture_end(f);
}

static void before_there_is_a_zone(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    (void)state;
    net_worker_use(f->worker, NULL);
    ask(f, fd, 1, "alice.mc.example.com.", TYPE_A);
    receive(f, fd);
    assert_int_equal(message.flags & 15, 2);
    close(fd);
    net_fixture_end(f);
}

static void what_has_arrived_is_answered_at_the_end(void **state)
{
    struct net_fixture *f = fixture("127.0.0.1");
    int fd = net_fixture_dial(f, SOCK_DGRAM, "127.0.0.1", NULL);
    uint8_t packet[300];
    (void)state;
    for (uint16_t i = 0; i < 100; i++) {
        size_t len =
            net_fixture_query(packet, sizeof packet, i, "alice.mc.example.com.", TYPE_A, false);
        assert_int_equal(send(fd, packet, len, 0), (ssize_t)len);
    }
    net_fixture_close_begin(f);
    for (uint16_t i = 0; i < 100; i++) {
        receive(f, fd);
        assert_int_equal(message.id, i);
    }
    close(fd);
    net_fixture_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer),
        cmocka_unit_test(batches),
        cmocka_unit_test(replies_come_from_the_address_that_was_asked),
        cmocka_unit_test(several_clients_get_their_own),
        cmocka_unit_test(large_packets),
        cmocka_unit_test(another_zone),
        cmocka_unit_test(before_there_is_a_zone),
        cmocka_unit_test(what_has_arrived_is_answered_at_the_end),
    };
    return cmocka_run_group_tests_name("net/udp", tests, NULL, NULL);
}

/* Workers on threads of their own: zones are published under load, counters are read meanwhile, the
 * end comes with everything under way. Most telling under ThreadSanitizer.
 */
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
#include "lib/clock.h"
#include "net_fixture.h"
#include "rich_zone.h"
#include "zone_build.h"

#define WORKERS   4
#define CLIENTS   16
#define REVISIONS 200

/* The fixture's loop is the control loop; its worker is not used. */
struct fixture {
    struct net_fixture net;
    struct net_server *server;
};

static struct dns_message message;

static const struct answer_config config = {.id = "core-a", .chaos = true, .keepalive_ds = 100};

static struct fixture *fixture(void)
{
    static struct fixture f;
    struct net_address address;
    struct err_info info = {.text = ""};
    net_fixture_init(&f.net, RICH_OPTIONS, RICH_CONTENT);
    assert_int_equal(net_address_parse("127.0.0.1", 0, &address), ERR_OK);
    assert_int_equal(net_sockets_bind(&address, 1, WORKERS, &f.net.sockets, &info), ERR_OK);
    assert_int_equal(net_server_start(&f.net.loop, &f.net.sockets, &config, &f.net.limits,
                                      f.net.snapshot, NULL, &f.server, &info),
                     ERR_OK);
    assert_int_equal(net_server_workers(f.server), WORKERS);
    return &f;
}

static void on_closed(void *ctx)
{
    struct fixture *f = ctx;
    f->net.closed = true;
}

static void end(struct fixture *f)
{
    net_server_close(f->server, on_closed, f);
    net_fixture_end(&f->net);
}

static void ask(int fd, uint16_t id, const char *name, uint16_t type)
{
    uint8_t packet[300];
    size_t len = net_fixture_query(packet, sizeof packet, id, name, type, false);
    assert_int_equal(send(fd, packet, len, 0), (ssize_t)len);
}

static void receive(struct fixture *f, int fd)
{
    static uint8_t packet[2048];
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    ssize_t n = -1;
    while (n < 0 && clk_mono_ms(&clk_system) < deadline) {
        net_fixture_turn(&f->net, fd);
        n = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    assert_true(dns_decode(packet, (size_t)n, &message));
}

static uint32_t serial_of(struct fixture *f, int fd, uint16_t id)
{
    ask(fd, id, "mc.example.com.", TYPE_SOA);
    receive(f, fd);
    assert_int_equal(message.id, id);
    assert_int_equal(message.counts[1], 1);
    const uint8_t *end_of_data = message.bytes + message.rrs[0].rdata_at + message.rrs[0].rdata_len;
    return (uint32_t)end_of_data[-20] << 24 | (uint32_t)end_of_data[-19] << 16 |
           (uint32_t)end_of_data[-18] << 8 | end_of_data[-17];
}

static uint64_t queries(struct fixture *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        sum += answer_queries_over(&net_server_counters(f->server, i)->answer, ANSWER_UDP);
    }
    return sum;
}

/* A client's packets go to one worker (its socket is hashed), so what it sees never goes back. */
static void zones_are_published_under_load(void **state)
{
    struct fixture *f = fixture();
    int fds[CLIENTS];
    uint32_t seen[CLIENTS];
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        fds[i] = net_fixture_dial(&f->net, SOCK_DGRAM, "127.0.0.1", NULL);
        seen[i] = 42;
    }
    for (uint32_t revision = 43; revision < 43 + REVISIONS; revision++) {
        char line[80];
        snprintf(line, sizeof line,
                 "user new-%u core-b\nrecord r%u.x A - 192.0.2.5\n-record r%u.x\n", revision,
                 revision, revision - 1);
        zone_build_add(f->net.zone, line);
        const struct zone_snapshot *s = zone_commit(f->net.zone, revision);
        net_server_publish(f->server, s, revision % 2 == 0 ? &config : NULL);
        zone_snapshot_unref(s);
        for (unsigned i = revision % 4; i < CLIENTS; i += 4) {
            uint32_t serial = serial_of(f, fds[i], (uint16_t)revision);
            assert_in_range(serial, seen[i], revision);
            seen[i] = serial;
        }
    }
    /* And within the deadline all have the newest. */
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    for (unsigned i = 0; i < CLIENTS; i++) {
        while (serial_of(f, fds[i], 1) != 42 + REVISIONS) {
            assert_true(clk_mono_ms(&clk_system) < deadline);
        }
    }
    assert_true(queries(f) >= REVISIONS * CLIENTS / 4);
    for (unsigned i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    end(f);
}

static void connections_of_all_workers(void **state)
{
    struct fixture *f = fixture();
    int fds[CLIENTS];
    uint8_t frame[300], reply[100];
    (void)state;
    size_t len = net_fixture_query(frame, sizeof frame, 1, "alice.mc.example.com.", TYPE_A, true);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            fds[i] = net_fixture_dial(&f->net, SOCK_STREAM, "127.0.0.1", NULL);
            net_fixture_send(&f->net, fds[i], frame, len);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            assert_int_equal(net_fixture_read(&f->net, fds[i], reply, len + 16), len + 16);
            if (round < 2) {
                close(fds[i]);
            }
        }
    }
    /* The end comes with those of the last round open. */
    net_server_close(f->server, on_closed, f);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(net_fixture_ended(&f->net, fds[i]));
        close(fds[i]);
    }
    net_fixture_end(&f->net);
}

/* Packets and news are under way when it ends; nothing is lost to memory. */
static void the_end_under_load(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        struct fixture *f = fixture();
        int fds[CLIENTS];
        for (unsigned i = 0; i < CLIENTS; i++) {
            fds[i] = net_fixture_dial(&f->net, SOCK_DGRAM, "127.0.0.1", NULL);
            for (uint16_t id = 0; id < 20; id++) {
                ask(fds[i], id, "alice.mc.example.com.", TYPE_A);
            }
        }
        for (unsigned i = 0; i < 10; i++) {
            const struct zone_snapshot *s = zone_commit(f->net.zone, 43 + i);
            net_server_publish(f->server, s, NULL);
            zone_snapshot_unref(s);
        }
        end(f);
        for (unsigned i = 0; i < CLIENTS; i++) {
            close(fds[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_published_under_load),
        cmocka_unit_test(connections_of_all_workers),
        cmocka_unit_test(the_end_under_load),
    };
    return cmocka_run_group_tests_name("net/server", tests, NULL, NULL);
}

/* Workers on threads of their own: zones and certificates change under load, counters are read
 * meanwhile, the end comes with everything under way. Most telling under ThreadSanitizer.
 */
#include "dnsd/net/net.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns_decode.h"
#include "dot_client.h"
#include "lib/clock.h"
#include "lib/str.h"
#include "net_fixture.h"
#include "rich_zone.h"
#include "zone_build.h"

#define WORKERS   4
#define CLIENTS   16
#define REVISIONS 200

#define SWAPS    60
#define TLS_NICE 10

enum { PLAIN, TLS }; /* the addresses */

/* The fixture's loop is the control loop; its worker is not used. */
struct fixture {
    struct net_fixture net;
    struct net_server *server;
};

static struct dns_message message;

static const struct answer_config config = {.id = "core-a", .chaos = true, .keepalive_ds = 100};

/* CONTEXT NULL: without an address for TLS. */
static struct fixture *fixture_with(unsigned workers, struct tls_context *context)
{
    static struct fixture f;
    struct net_address addresses[2];
    struct err_info info = {.text = ""};
    net_fixture_init(&f.net, RICH_OPTIONS, RICH_CONTENT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(net_address_parse("127.0.0.1", 0, &addresses[i]), ERR_OK);
        addresses[i].tls = i == TLS;
    }
    assert_int_equal(
        net_sockets_bind(addresses, context != NULL ? 2 : 1, workers, &f.net.sockets, &info),
        ERR_OK);
    assert_int_equal(net_server_start(&f.net.loop, &f.net.sockets, &config, &f.net.limits,
                                      f.net.snapshot, context, &f.server, &info),
                     ERR_OK);
    return &f;
}

static struct fixture *fixture(void)
{
    struct fixture *f = fixture_with(WORKERS, NULL);
    assert_int_equal(net_server_workers(f->server), WORKERS);
    assert_int_equal(net_server_tls_workers(f->server), 0);
    return f;
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

/* ---- DNS over TLS ---------------------------------------------------------------------------- */

static struct tls_context *context_of(const char *subject)
{
    struct tls_pair *p = tls_pair_for("DNS:mc.example.com", subject);
    struct tls_context *c = tls_context_of(&p, 1, NULL);
    tls_pair_unref(p);
    return c;
}

/* How many threads of this process are called NAME, and have this priority. */
static unsigned threads_called(const char *name, int nice)
{
    DIR *d = opendir("/proc/self/task");
    unsigned n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *file = e->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (file == NULL) {
            continue;
        }
        if (fgets(comm, sizeof comm, file) != NULL) {
            comm[strcspn(comm, "\n")] = '\0';
        }
        fclose(file);
        uint32_t id;
        assert_true(str_parse_u32(e->d_name, UINT32_MAX, &id));
        n += strcmp(comm, name) == 0 && getpriority(PRIO_PROCESS, id) == nice;
    }
    closedir(d);
    return n;
}

/* TLS has threads of its own, at most two, which give way to the others. */
static void threads_of_their_own(void **state)
{
    static const struct {
        unsigned workers, tls;
    } rows[] = {{1, 1}, {2, 2}, {4, 2}};
    int own = getpriority(PRIO_PROCESS, 0);
    int lower = own + TLS_NICE < 19 ? own + TLS_NICE : 19;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_context *context = context_of("first");
        struct fixture *f = fixture_with(rows[i].workers, context);
        assert_int_equal(net_server_workers(f->server), rows[i].workers + rows[i].tls);
        assert_int_equal(net_server_tls_workers(f->server), rows[i].tls);
        int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
        while (threads_called("dns-tls-0", lower) != 1) { /* it says so itself */
            assert_true(clk_mono_ms(&clk_system) < deadline);
            net_fixture_turn(&f->net, -1);
        }
        for (unsigned j = 0; j < rows[i].workers; j++) {
            char name[32];
            snprintf(name, sizeof name, "dns-worker-%u", j);
            assert_int_equal(threads_called(name, own), 1);
        }
        tls_context_unref(context);
        end(f);
    }
}

/* Both kinds are asked, and each counts its own. */
static void both_kinds(void **state)
{
    struct tls_context *context = context_of("first");
    struct fixture *f = fixture_with(2, context);
    struct dot_client c[8];
    uint64_t over[ANSWER_TRANSPORTS] = {0};
    (void)state;
    tls_context_unref(context);
    int udp = net_fixture_dial(&f->net, SOCK_DGRAM, "127.0.0.1", NULL);
    f->net.dialled = TLS;
    for (unsigned i = 0; i < 8; i++) {
        dot_client_open(&c[i], &f->net, &(struct tls_peer_options){.version = 0});
        dot_client_expect_alive(&c[i]);
        ask(udp, (uint16_t)i, "alice.mc.example.com.", TYPE_A);
        receive(f, udp);
    }
    for (unsigned i = 0; i < net_server_workers(f->server); i++) {
        const struct net_counters *k = net_server_counters(f->server, i);
        bool tls = i >= net_server_workers(f->server) - net_server_tls_workers(f->server);
        assert_int_equal(answer_queries_over(&k->answer, tls ? ANSWER_UDP : ANSWER_TLS), 0);
        for (unsigned t = 0; t < ANSWER_TRANSPORTS; t++) {
            over[t] += answer_queries_over(&k->answer, t);
        }
    }
    assert_int_equal(over[ANSWER_UDP], 8);
    assert_int_equal(over[ANSWER_TCP], 0);
    assert_int_equal(over[ANSWER_TLS], 8);
    /* The end comes with all of them open. */
    net_server_close(f->server, on_closed, f);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(dot_client_ended(&c[i], true));
        dot_client_close(&c[i]);
    }
    close(udp);
    net_fixture_end(&f->net);
}

/* Certificates change while connections come and go: no handshake fails, none goes back to an older
 * one of the same worker's, and the old connections go on. */
static void certificates_change_under_load(void **state)
{
    struct tls_context *context = context_of("0");
    struct fixture *f = fixture_with(1, context);
    struct dot_client old[4];
    uint32_t newest = 0;
    (void)state;
    tls_context_unref(context);
    f->net.dialled = TLS;
    for (unsigned i = 0; i < 4; i++) {
        dot_client_open(&old[i], &f->net, &(struct tls_peer_options){.version = 0});
    }
    for (unsigned swap = 1; swap <= SWAPS; swap++) {
        char subject[8];
        snprintf(subject, sizeof subject, "%u", swap);
        context = context_of(subject);
        net_server_use_tls(f->server, context);
        tls_context_unref(context);
        for (unsigned i = 0; i < 3; i++) {
            struct dot_client c;
            uint32_t seen;
            dot_client_open(&c, &f->net, &(struct tls_peer_options){.version = 0});
            assert_true(str_parse_u32(tls_peer_saw(c.peer), UINT32_MAX, &seen));
            assert_in_range(seen, newest, swap);
            newest = seen;
            dot_client_expect_alive(&c);
            dot_client_close(&c);
        }
        dot_client_expect_alive(&old[swap % 4]);
    }
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    while (newest != SWAPS) {
        struct dot_client c;
        assert_true(clk_mono_ms(&clk_system) < deadline);
        dot_client_open(&c, &f->net, &(struct tls_peer_options){.version = 0});
        assert_true(str_parse_u32(tls_peer_saw(c.peer), UINT32_MAX, &newest));
        dot_client_close(&c);
    }
    const struct net_tls_counters *k = &net_server_counters(f->server, 1)->tls;
    assert_int_equal(metrics_get(&k->failed), 0);
    for (unsigned i = 0; i < 4; i++) {
        dot_client_close(&old[i]);
    }
    /* One more is under way when it ends. */
    context = context_of("last");
    net_server_use_tls(f->server, context);
    tls_context_unref(context);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_published_under_load),
        cmocka_unit_test(connections_of_all_workers),
        cmocka_unit_test(the_end_under_load),
        cmocka_unit_test(threads_of_their_own),
        cmocka_unit_test(both_kinds),
        cmocka_unit_test(certificates_change_under_load),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("net/server", tests, NULL, NULL);
}

/* cluster/gate_uv: who is let in and who is not, and what becomes of those whose certificate is revoked or
 * exchanged. What passes: test_gate_conn_uv.c. */
#include "cluster/gate_uv.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate_fixture.h"
#include "lib/log.h"

static struct gate_fixture f;

static int setup(void **state)
{
    (void)state;
    gate_fixture_init(&f, true);
    return 0;
}

static int setup_alone(void **state)
{
    (void)state;
    gate_fixture_init(&f, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_fixture_end(&f);
    return 0;
}

static void need_node(const struct tls_made *shown)
{
    struct gate_caller c;
    gate_caller_open(&c, &f, shown);
    assert_true(gate_caller_passes(&c));
    gate_caller_close(&c);
}

/* ---- who gets in --------------------------------------------------------------------------- */

static void test_nodes(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    (void)state;
    assert_string_equal(gate_last_refusal(f.gate), "");
    for (unsigned i = 0; i < 2; i++) {
        struct gate_caller c;
        gate_caller_dial(&c, &f, 0, 2);
        assert_true(gate_caller_shake(&c, f.ca, node, versions[i]));
        assert_true(gate_caller_passes(&c));
        assert_int_equal(gate_fixture_get(&f.counters->open), 1);
        assert_int_equal(gate_fixture_get(&f.counters->accepted), i + 1);
        gate_caller_close(&c);
        gate_fixture_until(&f, &f.counters->open, 0);
    }
    assert_int_equal(gate_fixture_get(&f.counters->refused), 0);
    assert_int_equal(gate_fixture_get(&f.counters->failed), 0);
    assert_string_equal(gate_last_refusal(f.gate), "");
    tls_made_free(node);
}

/* ---- who does not -------------------------------------------------------------------------- */

struct stranger {
    const char *says; /* without TLS; NULL: with */
    size_t len;
    const struct tls_made *shown;
    const char *why; /* a part */
    bool revoked;
};

static void check_stranger(const struct stranger *s, int version)
{
    struct gate_caller c;
    uint64_t refused = gate_fixture_get(&f.counters->refused);
    uint64_t revoked = gate_fixture_get(&f.counters->revoked);
    unsigned behind = atomic_load(&f.backend.accepted);
    gate_caller_dial(&c, &f, 0, 3);
    if (s->says != NULL) {
        assert_int_equal(send(c.fd, s->says, s->len, MSG_NOSIGNAL), s->len);
        shutdown(c.fd, SHUT_WR);
        assert_true(gate_caller_is_out(&c));
    } else if (gate_caller_shake(&c, f.ca, s->shown, version)) {
        assert_false(gate_caller_passes(&c));
    }
    gate_fixture_until(&f, &f.counters->refused, refused + 1);
    gate_fixture_until(&f, &f.counters->open, 0);
    gate_fixture_until_said(&f, s->why);
    assert_int_equal(strncmp(gate_last_refusal(f.gate), "127.0.0.3: ", 11), 0);
    assert_int_equal(gate_fixture_get(&f.counters->revoked), revoked + s->revoked);
    assert_int_equal(atomic_load(&f.backend.accepted), behind);
    gate_caller_close(&c);
}

static void test_strangers(void **state)
{
    (void)state;
    struct tls_made *ca2 = tls_make(&(struct tls_make){.subject = "the cluster", .ca = true});
    struct tls_made *other = tls_make(&(struct tls_make){.subject = "core-b", .issuer = ca2});
    struct tls_made *self = tls_make(&(struct tls_make){.subject = "core-b"});
    struct tls_made *old = tls_make(
        &(struct tls_make){.subject = "core-b", .issuer = f.ca, .from_s = -7200, .to_s = -60});
    struct tls_made *early = tls_make(
        &(struct tls_make){.subject = "core-b", .issuer = f.ca, .from_s = 600, .to_s = 7200});
    struct tls_made *server =
        tls_make(&(struct tls_make){.subject = "core-b", .issuer = f.ca, .purpose = "serverAuth"});
    struct tls_made *out = gate_fixture_node(&f, "core-out");
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    const struct stranger rows[] = {
        {"", 0, NULL, "went away", false},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, NULL, "http request", false},
        {"\0\1\2\3\4\5\6\7 no TLS at all", 22, NULL, "wrong version", false},
        {"\x16\3\1\0\xc8\1\0\0\xc4\3\3", 11, NULL, "went away", false}, /* half a hello */
        {NULL, 0, NULL, "no certificate", false},
        {NULL, 0, other, "signed by somebody else", false},
        {NULL, 0, self, "signed by somebody else", false},
        {NULL, 0, old, "has expired", false},
        {NULL, 0, early, "not valid yet", false},
        {NULL, 0, server, "purpose", false},
        {NULL, 0, out, "the certificate of core-out is revoked", true},
    };
    gate_fixture_revoke(&f, out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_stranger(&rows[i], TLS1_3_VERSION);
        if (rows[i].says == NULL) {
            check_stranger(&rows[i], TLS1_2_VERSION);
        }
        need_node(node);
        gate_fixture_until(&f, &f.counters->open, 0);
    }
    gate_fixture_revoke(&f, NULL); /* and it counts again */
    need_node(out);
    struct tls_made *all[] = {ca2, other, self, old, early, server, out, node};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        tls_made_free(all[i]);
    }
}

/* Who says nothing, and who says it one octet at a time: both have GATE_HANDSHAKE_MS. */
static void test_slow_strangers(void **state)
{
    static const char hello[] = "\x16\3\1\2\0\1\0\1\xfc\3\3"; /* the beginning of one */
    struct gate_caller silent, slow;
    uint64_t begun = uv_hrtime();
    (void)state;
    gate_caller_dial(&silent, &f, 0, 3);
    gate_caller_dial(&slow, &f, 0, 4);
    for (size_t i = 0; gate_fixture_get(&f.counters->refused) < 2; i++) {
        char byte = i < sizeof hello - 1 ? hello[i] : 0;
        (void)!send(slow.fd, &byte, 1, MSG_NOSIGNAL);
        struct pollfd p = {.fd = slow.fd, .events = POLLIN};
        (void)poll(&p, 1, 50);
        gate_fixture_turn(&f);
        assert_true(uv_hrtime() - begun < (uint64_t)2 * GATE_HANDSHAKE_MS * 1000000);
    }
    assert_true(uv_hrtime() - begun >= (uint64_t)(GATE_HANDSHAKE_MS - 100) * 1000000);
    assert_true(gate_caller_is_out(&silent));
    gate_fixture_until_said(&f, "no handshake in time");
    gate_fixture_until(&f, &f.counters->open, 0);
    gate_caller_close(&silent);
    gate_caller_close(&slow);
}

/* ---- crowds -------------------------------------------------------------------------------- */

#define CROWD (GATE_CONNECTIONS_MAX + 20)

static void need_files(rlim_t n)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur >= n);
}

/* Of one address only so many wait, and a node of the same address gets in all the same. */
static void test_crowd_of_one_address(void **state)
{
    static struct gate_caller crowd[3 * GATE_PER_CLIENT];
    const size_t n = sizeof crowd / sizeof crowd[0];
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    struct gate_caller first;
    (void)state;
    gate_caller_open(&first, &f, node);
    assert_true(gate_caller_passes(&first));
    for (size_t i = 0; i < n; i++) {
        gate_caller_dial(&crowd[i], &f, 0, 1);
    }
    gate_fixture_until(&f, &f.counters->refused, n - GATE_PER_CLIENT);
    gate_fixture_until(&f, &f.counters->open, GATE_PER_CLIENT + 1);
    gate_fixture_until_said(&f, "127.0.0.1: too many connections without");
    need_node(node); /* the oldest has gone for it */
    assert_int_equal(gate_fixture_get(&f.counters->refused), n - GATE_PER_CLIENT + 1);
    assert_true(gate_caller_is_out(&crowd[0]));
    assert_true(gate_caller_echo(&first, "still here"));
    gate_caller_close(&first);
    for (size_t i = 0; i < n; i++) {
        gate_caller_close(&crowd[i]);
    }
    tls_made_free(node);
}

/* The house is full of strangers of many addresses: a node comes in, and stays. */
static void test_full_house(void **state)
{
    static struct gate_caller crowd[CROWD];
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    struct gate_caller first;
    (void)state;
    need_files(2 * CROWD + 100);
    gate_caller_open(&first, &f, node);
    assert_true(gate_caller_passes(&first));
    for (unsigned i = 0; i < CROWD; i++) {
        gate_caller_dial(&crowd[i], &f, 1 + i / 8 / 200, 1 + i / 8 % 200);
        if (i % 64 == 63) { /* not more than a backlog at a time */
            gate_fixture_until(&f, &f.counters->accepted, 2 + i);
        }
    }
    gate_fixture_until(&f, &f.counters->accepted, 1 + CROWD);
    assert_true(gate_fixture_get(&f.counters->open) <= GATE_CONNECTIONS_MAX);
    assert_true(gate_fixture_get(&f.counters->refused) >= CROWD + 1 - GATE_CONNECTIONS_MAX);
    need_node(node);
    assert_true(gate_caller_echo(&first, "still here"));
    gate_caller_close(&first);
    for (unsigned i = 0; i < CROWD; i++) {
        gate_caller_close(&crowd[i]);
    }
    gate_fixture_until(&f, &f.counters->open, 0);
    tls_made_free(node);
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* No file is left for a newcomer: it waits, nobody spins for it, and it is let in when there is one. */
static void test_out_of_files(void **state)
{
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    struct gate_caller first, next;
    struct rlimit limit, none;
    (void)state;
    gate_caller_open(&first, &f, node);
    assert_true(gate_caller_passes(&first));
    gate_caller_dial(&next, &f, 0, 1);
    gate_fixture_until(&f, &f.counters->accepted, 2);
    gate_caller_close(&next);
    gate_fixture_until(&f, &f.counters->open, 1);
    getrlimit(RLIMIT_NOFILE, &limit);
    next.fd = socket(AF_INET, SOCK_STREAM, 0);
    close(next.fd);
    none = limit;
    none.rlim_cur = (rlim_t)next.fd + 1; /* for its own */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    gate_caller_dial(&next, &f, 0, 1);
    assert_true(gate_caller_echo(&first, "still here"));
    uint64_t begun = uv_hrtime();
    double spent_s = cpu_s();
    for (unsigned i = 0; i < 200; i++) {
        gate_fixture_turn(&f);
    }
    spent_s = cpu_s() - spent_s;
    print_message("%.0f ms of CPU in %.0f ms\n", spent_s * 1e3,
                  (double)(uv_hrtime() - begun) / 1e6);
    assert_true(spent_s < 0.1 * (double)(uv_hrtime() - begun) / 1e9);
    assert_true(gate_caller_echo(&first, "still here"));
    assert_int_equal(gate_fixture_get(&f.counters->accepted), 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(gate_caller_shake(&next, f.ca, node, 0));
    assert_true(gate_caller_passes(&next));
    gate_caller_close(&first);
    gate_caller_close(&next);
    tls_made_free(node);
}

/* ---- revoked, exchanged -------------------------------------------------------------------- */

static void test_revoked_meanwhile(void **state)
{
    struct tls_made *good = gate_fixture_node(&f, "core-b");
    struct tls_made *bad = gate_fixture_node(&f, "core-c");
    struct gate_caller stays[2], goes[3];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        gate_caller_open(&stays[i], &f, good);
        assert_true(gate_caller_passes(&stays[i]));
    }
    for (unsigned i = 0; i < 3; i++) {
        gate_caller_open(&goes[i], &f, bad);
        assert_true(gate_caller_passes(&goes[i]));
    }
    uint64_t begun = uv_hrtime();
    gate_fixture_revoke(&f, bad);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(gate_caller_is_out(&goes[i]));
        gate_caller_close(&goes[i]);
    }
    print_message("cut after %.1f ms\n", (double)(uv_hrtime() - begun) / 1e6);
    assert_int_equal(gate_fixture_get(&f.counters->revoked), 3);
    assert_int_equal(gate_fixture_get(&f.counters->open), 2);
    gate_fixture_until_said(&f, "127.0.0.1: the certificate of core-c is revoked");
    gate_caller_open(&goes[0], &f, bad);
    assert_false(gate_caller_passes(&goes[0]));
    gate_caller_close(&goes[0]);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(gate_caller_echo(&stays[i], "still here"));
        gate_caller_close(&stays[i]);
    }
    tls_made_free(good);
    tls_made_free(bad);
}

static void test_exchanged_under_load(void **state)
{
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    struct gate_caller stays;
    char subject[32];
    (void)state;
    gate_caller_open(&stays, &f, node);
    assert_true(gate_caller_passes(&stays));
    for (unsigned i = 0; i < 20; i++) {
        snprintf(subject, sizeof subject, "renewed-%u", i);
        struct tls_made *own = gate_fixture_node(&f, subject);
        struct gate_identity id = gate_fixture_identity(f.ca, own);
        gate_use(f.gate, &id);
        gate_identity_free(&id);
        assert_true(gate_caller_echo(&stays, "still here"));
        uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
        bool seen = false; /* the letter may come after the newcomer */
        while (!seen && uv_hrtime() < until) {
            struct gate_caller c;
            char cn[64] = "";
            gate_caller_open(&c, &f, node);
            assert_true(gate_caller_passes(&c));
            X509 *x = SSL_get0_peer_certificate(c.ssl);
            X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof cn);
            seen = strcmp(cn, subject) == 0;
            gate_caller_close(&c);
        }
        assert_true(seen);
        tls_made_free(own);
    }
    assert_int_equal(gate_fixture_get(&f.counters->refused), 0);
    assert_int_equal(gate_fixture_get(&f.counters->failed), 0);
    gate_caller_close(&stays);
    tls_made_free(node);
}

/* ---- rqlited is not there ------------------------------------------------------------------ */

static void need_failed(const struct tls_made *node, uint64_t count)
{
    struct gate_caller c;
    gate_caller_open(&c, &f, node);
    assert_false(gate_caller_passes(&c));
    gate_caller_close(&c);
    gate_fixture_until(&f, &f.counters->failed, count);
    gate_fixture_until(&f, &f.counters->open, 0);
}

static void test_nobody_behind(void **state)
{
    struct tls_made *node = gate_fixture_node(&f, "core-b");
    struct tls_made *ca2 = tls_make(&(struct tls_make){.subject = "another", .ca = true});
    struct tls_made *other = tls_make(&(struct tls_make){.subject = "core-a", .issuer = ca2});
    uint16_t port = f.backend.port;
    (void)state;
    need_failed(node, 1);

    gate_backend_start(&f.backend, port, f.ca, other); /* somebody else is there */
    need_failed(node, 2);
    gate_backend_stop(&f.backend);

    gate_backend_start(&f.backend, port, ca2,
                       f.own); /* it is the right one, but does not take us */
    need_failed(node, 3);
    gate_backend_stop(&f.backend);

    gate_backend_start(&f.backend, port, f.ca, f.own);
    need_node(node);
    assert_int_equal(gate_fixture_get(&f.counters->failed), 3);
    assert_int_equal(gate_fixture_get(&f.counters->refused), 0);
    tls_made_free(node);
    tls_made_free(other);
    tls_made_free(ca2);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void knock(const struct sockaddr *to, socklen_t len)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, to, len), 0);
    close(fd);
}

/* One socket for both families: who comes by IPv4 is called by its IPv4 address. */
static void test_both_families(void **state)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), no = 0;
    (void)state;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    struct gate_options o = {.fds = &fd,
                             .fds_count = 1,
                             .local_port = 1,
                             .identity = gate_fixture_identity(f.ca, f.own)};
    gate_fixture_stop(&f);
    assert_int_equal(gate_start(&f.loop, &o, &f.gate, NULL), ERR_OK);
    gate_identity_free(&o.identity);
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = any.sin6_port,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    knock((struct sockaddr *)&v4, sizeof v4);
    gate_fixture_until_said(&f, "127.0.0.1: ");
    assert_int_equal(strncmp(gate_last_refusal(f.gate), "127", 3), 0);
    any.sin6_addr = in6addr_loopback;
    knock((struct sockaddr *)&any, sizeof any);
    gate_fixture_until_said(&f, "::1: ");
}

/* ---- what cannot start --------------------------------------------------------------------- */

static void test_no_start(void **state)
{
    (void)state;
    struct err_info info = {""};
    struct gate *g = NULL;
    int fds[2] = {dup(f.tick.loop->backend_fd), socket(AF_INET, SOCK_STREAM, 0)}; /* no socket */
    struct gate_options o = {.fds = fds,
                             .fds_count = 2,
                             .local_port = 1,
                             .identity = gate_fixture_identity(f.ca, f.own)};
    assert_int_equal(gate_start(&f.loop, &o, &g, &info), ERR_IO);
    assert_null(g);
    assert_non_null(strstr(info.text, "Raft port"));
    for (unsigned i = 0; i < 2; i++) { /* they were the gate's */
        assert_int_equal(close(fds[i]), -1);
        assert_int_equal(errno, EBADF);
    }
    gate_identity_free(&o.identity);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    gate_memory_init();
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_nodes),
        T(test_strangers),
        T(test_slow_strangers),
        T(test_crowd_of_one_address),
        T(test_full_house),
        T(test_out_of_files),
        T(test_revoked_meanwhile),
        T(test_exchanged_under_load),
        cmocka_unit_test_setup_teardown(test_nobody_behind, setup_alone, teardown),
        T(test_both_families),
        T(test_no_start),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}

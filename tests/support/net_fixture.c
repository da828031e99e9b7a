#include "net_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/tls_context.h"
#include "zone_build.h"

static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};

void net_fixture_init(struct net_fixture *f, const char *options, const char *content)
{
    memset(f, 0, sizeof *f);
    f->limits = net_limits_default;
    f->zone = zone_build(options, content);
    f->snapshot = zone_commit(f->zone, 42);
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static void open_share(struct net_fixture *f, const struct net_address *address, bool tls)
{
    struct err_info info = {.text = ""};
    if (net_sockets_bind(address, 1, 1, &f->sockets, &info) != ERR_OK ||
        net_worker_open(&f->loop, &f->sockets, tls ? 1 : 0, &config, &f->limits, &f->worker,
                        &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    net_worker_use(f->worker, zone_snapshot_ref(f->snapshot));
}

void net_fixture_open(struct net_fixture *f, const char *ip)
{
    struct net_address address;
    assert_int_equal(net_address_parse(ip, 0, &address), ERR_OK);
    open_share(f, &address, false);
}

void net_fixture_open_tls(struct net_fixture *f, const char *ip, struct tls_context *context)
{
    struct net_address address;
    assert_int_equal(net_address_parse(ip, 0, &address), ERR_OK);
    address.tls = true;
    open_share(f, &address, true);
    if (context != NULL) {
        net_worker_use_tls(f->worker, tls_context_ref(context));
    }
}

static void on_closed(void *ctx)
{
    struct net_fixture *f = ctx;
    f->closed = true;
}

void net_fixture_close_begin(struct net_fixture *f)
{
    net_worker_close(f->worker, on_closed, f);
    f->worker = NULL;
}

void net_fixture_end(struct net_fixture *f)
{
    if (f->worker != NULL) {
        net_fixture_close_begin(f);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    net_sockets_close(&f->sockets);
    zone_snapshot_unref(f->snapshot);
    assert_true(zone_is_idle(f->zone));
    zone_free(f->zone);
}

uint16_t net_fixture_port(const struct net_fixture *f)
{
    const struct sockaddr_storage *sa = &f->sockets.bound[f->dialled].address.sa;
    return ntohs(sa->ss_family == AF_INET ? ((const struct sockaddr_in *)sa)->sin_port
                                          : ((const struct sockaddr_in6 *)sa)->sin6_port);
}

static socklen_t length_of(const struct net_address *a)
{
    return a->sa.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

int net_fixture_dial(struct net_fixture *f, int type, const char *ip, const char *from)
{
    struct net_address to, own;
    assert_int_equal(net_address_parse(ip, net_fixture_port(f), &to), ERR_OK);
    int fd = socket(to.sa.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (from != NULL) {
        assert_int_equal(net_address_parse(from, 0, &own), ERR_OK);
        assert_int_equal(bind(fd, (struct sockaddr *)&own.sa, length_of(&own)), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&to.sa, length_of(&to)), 0);
    return fd;
}

void net_fixture_turn(struct net_fixture *f, int fd)
{
    struct pollfd wait[] = {{.fd = fd, .events = POLLIN},
                            {.fd = uv_backend_fd(&f->loop), .events = POLLIN}};
    poll(wait, 2, 1);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

void net_fixture_until(struct net_fixture *f, const _Atomic uint64_t *counter, uint64_t n)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    while (*counter != n && clk_mono_ms(&clk_system) < deadline) {
        net_fixture_turn(f, -1);
    }
    assert_int_equal(*counter, n);
}

void net_fixture_send(struct net_fixture *f, int fd, const void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    for (size_t sent = 0; sent < len;) {
        ssize_t n =
            send(fd, (const uint8_t *)bytes + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else {
            assert_int_equal(errno, EAGAIN);
            assert_true(clk_mono_ms(&clk_system) < deadline);
            net_fixture_turn(f, -1);
        }
    }
}

size_t net_fixture_read(struct net_fixture *f, int fd, void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    size_t got = 0;
    while (got < len && clk_mono_ms(&clk_system) < deadline) {
        ssize_t n = recv(fd, (uint8_t *)bytes + got, len - got, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            break;
        }
        got += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            net_fixture_turn(f, fd);
        }
    }
    return got;
}

bool net_fixture_ended(struct net_fixture *f, int fd)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    uint8_t byte;
    while (clk_mono_ms(&clk_system) < deadline) {
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN) {
            return n <= 0;
        }
        net_fixture_turn(f, fd);
    }
    return false;
}

size_t net_fixture_query(uint8_t *out, size_t cap, uint16_t id, const char *name, uint16_t type,
                         bool framed)
{
    struct wire_name n = zone_build_name(NULL, name);
    struct buf_writer w = buf_writer_of(out, cap);
    if (framed) {
        buf_put_u16(&w, (uint16_t)(12 + n.len + 4));
    }
    buf_put_u16(&w, id);
    buf_put(&w, "\1\0\0\1\0\0\0\0\0\0", 10);
    buf_put(&w, n.bytes, n.len);
    buf_put_u16(&w, type);
    buf_put_u16(&w, CLASS_IN);
    assert_false(w.bad);
    return w.len;
}

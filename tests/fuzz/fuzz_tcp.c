/* What a stranger writes on a connection, in pieces of any size, through a real worker and a real
 * loopback connection: exactly the answers to the whole frames come back, in order; a frame too
 * short for a header ends the connection, and so does the peer's end.
 *
 * The first octet of the input says how large the pieces are (0: all at once), the rest is written.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer_check.h"
#include "dnsd/net/net.h"
#include "lib/buf.h"
#include "rich_zone.h"
#include "zone_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 70000
#define OUT_MAX   (4u << 20)
#define PATIENCE  200000 /* turns of the loop: far more than anything takes */

static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};

static struct {
    uv_loop_t loop;
    struct zone *zone;
    struct net_sockets sockets;
    struct net_worker *worker;
    struct answerer reference; /* answers what the worker should */
    struct answer_counters counters;
    uint8_t expected[OUT_MAX], got[OUT_MAX];
} t;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_tcp: %s (%s)\n", what, strerror(errno));
        abort();
    }
}

static void finish(void)
{
    net_worker_close(t.worker, NULL, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    uv_loop_close(&t.loop);
    net_sockets_close(&t.sockets);
    zone_snapshot_unref(t.reference.snapshot);
    zone_free(t.zone);
}

static void start(void)
{
    struct net_address address;
    struct err_info info = {.text = ""};
    t.zone = zone_build(RICH_OPTIONS, RICH_CONTENT);
    t.reference.config = &config;
    t.reference.counters = &t.counters;
    t.reference.snapshot = zone_commit(t.zone, 42);
    uv_loop_init(&t.loop);
    must(net_address_parse("127.0.0.1", 0, &address) == ERR_OK, "address");
    must(net_sockets_bind(&address, 1, 1, &t.sockets, &info) == ERR_OK, info.text);
    must(net_worker_open(&t.loop, &t.sockets, 0, &config, &net_limits_default, &t.worker, &info) ==
             ERR_OK,
         info.text);
    net_worker_use(t.worker, zone_snapshot_ref(t.reference.snapshot));
    atexit(finish);
}

/* The answers to all whole frames; *ends if the connection ends by itself. */
static size_t expect(const uint8_t *in, size_t len, bool *ends)
{
    size_t out = 0;
    *ends = false;
    while (len >= 2 && !*ends) {
        size_t frame = get_u16(in);
        *ends = frame < 12;
        if (*ends || len < 2 + frame) {
            break;
        }
        must(out + 2 + 65535 <= OUT_MAX, "too many answers for the test");
        size_t n = answer_query(&t.reference, ANSWER_TCP, in + 2, frame, t.expected + out + 2);
        if (n > 0) {
            put_u16(t.expected + out, (uint16_t)n);
            out += 2 + n;
        }
        in += 2 + frame;
        len -= 2 + frame;
    }
    return out;
}

static int dial(void)
{
    const struct sockaddr_storage *sa = &t.sockets.bound[0].address.sa;
    struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* ports must not wait when we are done */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    must(connect(fd, (const struct sockaddr *)sa, sizeof(struct sockaddr_in)) == 0, "connect");
    return fd;
}

/* Takes what has come; false: the other side has ended. */
static bool receive(int fd, size_t *got)
{
    ssize_t n;
    while ((n = recv(fd, t.got + *got, OUT_MAX - *got, MSG_DONTWAIT)) > 0) {
        *got += (size_t)n;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Writes all of it in pieces; false: the other side does not want more. */
static bool transmit(int fd, const uint8_t *in, size_t len, size_t piece, size_t *got)
{
    for (size_t sent = 0; sent < len;) {
        size_t n = len - sent < piece ? len - sent : piece;
        ssize_t rc = send(fd, in + sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (rc > 0) {
            sent += (size_t)rc;
        } else if (errno != EAGAIN) {
            return false;
        }
        uv_run(&t.loop, UV_RUN_NOWAIT);
        if (!receive(fd, got)) {
            return false;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool ends;
    size_t got = 0;
    if (t.worker == NULL) {
        start();
    }
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    size_t piece = data[0] == 0 ? size : data[0];
    size_t expected = expect(data + 1, size - 1, &ends);
    int fd = dial();
    bool open = transmit(fd, data + 1, size - 1, piece, &got);
    must(open || ends, "the connection ended in the middle");
    shutdown(fd, SHUT_WR);
    for (unsigned turns = 0; open; turns++) {
        must(turns < PATIENCE, "no answers, or no end");
        uv_run(&t.loop, UV_RUN_NOWAIT);
        open = receive(fd, &got);
    }
    /* If it ended by itself while we still wrote, the system may have thrown answers away. */
    must(ends ? got <= expected : got == expected, "another number of octets");
    must(memcmp(t.got, t.expected, got) == 0, "other answers");
    close(fd);
    for (unsigned turns = 0; net_worker_counters(t.worker)->conns[ANSWER_TCP].open > 0; turns++) {
        must(turns < PATIENCE, "a connection stays open");
        uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    return 0;
}

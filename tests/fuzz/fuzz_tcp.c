/* What a stranger writes on a connection, in pieces of any size, through a real worker and a real
 * loopback connection, with TLS or without: exactly the answers to the whole frames come back, in
 * order; a frame too short for a header ends the connection, and so does the peer's end.
 *
 * The first octet of the input says whether it is TLS (its highest bit) and how large the pieces are
 * (the others; 0: all at once), the rest is written. What is no TLS at all: fuzz_tls.c.
 */
#include <errno.h>
#include <signal.h>
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
#include "tls_peer.h"
#include "zone_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 70000
#define OUT_MAX   (4u << 20)
#define PATIENCE  200000 /* turns of the loop: far more than anything takes */

enum { PLAIN, TLS, KINDS }; /* addresses, shares of their sockets, workers */

static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};

static struct {
    uv_loop_t loop;
    struct zone *zone;
    struct net_sockets sockets;
    struct net_worker *workers[KINDS];
    const struct zone_snapshot *snapshot;
    struct answerer references[KINDS]; /* answer what the workers should */
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

/* The stranger: TLS' side of it if there is one, and the socket. */
struct client {
    struct tls_caller *peer; /* NULL: plain */
    int fd;
    size_t got;
};

static void finish(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        net_worker_close(t.workers[kind], NULL, NULL);
    }
    uv_run(&t.loop, UV_RUN_DEFAULT);
    uv_loop_close(&t.loop);
    net_sockets_close(&t.sockets);
    zone_snapshot_unref(t.snapshot);
    zone_free(t.zone);
}

static void start(void)
{
    struct net_address addresses[KINDS];
    struct err_info info = {.text = ""};
    signal(SIGPIPE, SIG_IGN);
    t.zone = zone_build(RICH_OPTIONS, RICH_CONTENT);
    t.snapshot = zone_commit(t.zone, 42);
    uv_loop_init(&t.loop);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        must(net_address_parse("127.0.0.1", 0, &addresses[kind]) == ERR_OK, "address");
        addresses[kind].tls = kind == TLS;
    }
    must(net_sockets_bind(addresses, KINDS, 1, &t.sockets, &info) == ERR_OK, info.text);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        must(net_worker_open(&t.loop, &t.sockets, kind, &config, &net_limits_default,
                             &t.workers[kind], &info) == ERR_OK,
             info.text);
        net_worker_use(t.workers[kind], zone_snapshot_ref(t.snapshot));
        t.references[kind] =
            (struct answerer){.config = &config, .counters = &t.counters, .snapshot = t.snapshot};
    }
    net_worker_use_tls(t.workers[TLS], tls_context_for("DNS:mc.example.com"));
    atexit(finish);
}

/* The answers to all whole frames; *ends if the connection ends by itself. */
static size_t expect(const uint8_t *in, size_t len, unsigned kind, bool *ends)
{
    enum answer_transport transport = kind == TLS ? ANSWER_TLS : ANSWER_TCP;
    size_t out = 0;
    *ends = false;
    while (len >= 2 && !*ends) {
        size_t frame = get_u16(in);
        *ends = frame < 12;
        if (*ends || len < 2 + frame) {
            break;
        }
        must(out + 2 + 65535 <= OUT_MAX, "too many answers for the test");
        size_t n =
            answer_query(&t.references[kind], transport, in + 2, frame, t.expected + out + 2);
        if (n > 0) {
            put_u16(t.expected + out, (uint16_t)n);
            out += 2 + n;
        }
        in += 2 + frame;
        len -= 2 + frame;
    }
    return out;
}

static void dial(struct client *c, unsigned kind)
{
    const struct sockaddr_storage *sa = &t.sockets.bound[kind].address.sa;
    struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* ports must not wait when we are done */
    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    must(c->fd >= 0, "socket");
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    must(connect(c->fd, (const struct sockaddr *)sa, sizeof(struct sockaddr_in)) == 0, "connect");
    c->peer = kind == TLS ? tls_peer_new(&(struct tls_peer_options){.version = 0}) : NULL;
}

static void hang_up(struct client *c)
{
    close(c->fd);
    if (c->peer != NULL) {
        tls_peer_free(c->peer);
    }
}

/* Takes what has come; false: the other side has ended. */
static bool receive(struct client *c)
{
    static uint8_t sealed[65536];
    ssize_t n;
    size_t read;
    do {
        n = c->peer == NULL ? recv(c->fd, t.got + c->got, OUT_MAX - c->got, MSG_DONTWAIT)
                            : recv(c->fd, sealed, sizeof sealed, MSG_DONTWAIT);
        if (n > 0 && c->peer == NULL) {
            c->got += (size_t)n;
        } else if (n > 0) {
            must(BIO_write(c->peer->in, sealed, (int)n) == n, "out of memory");
        }
    } while (n > 0);
    bool open = n < 0 && (errno == EAGAIN || errno == EINTR);
    while (c->peer != NULL &&
           SSL_read_ex(c->peer->ssl, t.got + c->got, OUT_MAX - c->got, &read) == 1) {
        c->got += read;
    }
    return open;
}

/* False: the other side does not want more. */
static bool push(struct client *c, const uint8_t *in, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t rc = send(c->fd, in + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (rc > 0) {
            sent += (size_t)rc;
        } else if (errno != EAGAIN) {
            return false;
        }
        uv_run(&t.loop, UV_RUN_NOWAIT);
        if (!receive(c)) {
            return false;
        }
    }
    return true;
}

/* What TLS has to send. */
static bool push_sealed(struct client *c)
{
    static uint8_t sealed[65536];
    int n;
    while ((n = BIO_read(c->peer->out, sealed, sizeof sealed)) > 0) {
        if (!push(c, sealed, (size_t)n)) {
            return false;
        }
    }
    return true;
}

static void shake(struct client *c)
{
    for (unsigned turns = 0; SSL_do_handshake(c->peer->ssl) != 1; turns++) {
        must(turns < PATIENCE && push_sealed(c), "no handshake");
        uv_run(&t.loop, UV_RUN_NOWAIT);
        must(receive(c), "the handshake ended in the middle");
    }
}

/* Writes all of it in pieces; false: the other side does not want more. */
static bool transmit(struct client *c, const uint8_t *in, size_t len, size_t piece)
{
    for (size_t sent = 0; sent < len; sent += piece) {
        size_t n = len - sent < piece ? len - sent : piece, written;
        bool wanted = c->peer == NULL ? push(c, in + sent, n)
                                      : SSL_write_ex(c->peer->ssl, in + sent, n, &written) == 1 &&
                                            push_sealed(c);
        if (!wanted) {
            return false;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool ends;
    struct client c;
    if (t.workers[PLAIN] == NULL) {
        start();
    }
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    unsigned kind = data[0] >= 128 ? TLS : PLAIN;
    size_t piece = (data[0] & 127) == 0 ? size : data[0] & 127;
    size_t expected = expect(data + 1, size - 1, kind, &ends);
    dial(&c, kind);
    if (kind == TLS) {
        shake(&c);
    }
    bool open = transmit(&c, data + 1, size - 1, piece);
    must(open || ends, "the connection ended in the middle");
    shutdown(c.fd, SHUT_WR);
    for (unsigned turns = 0; open; turns++) {
        must(turns < PATIENCE, "no answers, or no end");
        uv_run(&t.loop, UV_RUN_NOWAIT);
        open = receive(&c);
    }
    /* If it ended by itself while we still wrote, the system may have thrown answers away. */
    must(ends ? c.got <= expected : c.got == expected, "another number of octets");
    must(memcmp(t.got, t.expected, c.got) == 0, "other answers");
    hang_up(&c);
    const struct net_counters *k = net_worker_counters(t.workers[kind]);
    for (unsigned turns = 0; k->conns[kind == TLS ? ANSWER_TLS : ANSWER_TCP].open > 0; turns++) {
        must(turns < PATIENCE, "a connection stays open");
        uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    must(k->tls.failed == 0, "a handshake failed");
    return 0;
}

/* TCP (RFC 7766): frames of two octets of length and a message.
 *
 * A read brings any number of frames, or a part of one. All whole frames are answered into one
 * buffer and written at once; only what is left over, a frame's beginning, is kept, in memory that
 * the frame's own length bounds. Both big buffers belong to the worker, not to the connection: an
 * idle connection costs its struct and the kernel's part.
 *
 * A peer that does not take its answers stops being read (facts of BIND's CVE-2024-0760): what it
 * sent waits in `in`, bounded by one read. Every wait has a deadline: for the rest of a frame, for
 * the peer to read, for the next query. One timer a worker looks at all connections a few times a
 * second.
 *
 * Full house: the newcomer comes in and the one that has been idle longest goes, overall and per
 * client, so that whoever holds connections without asking loses them first.
 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "conn.h"
#include "dnsd/wire/query.h"
#include "latency.h"
#include "lib/buf.h"
#include "lib/mem.h"

#define BACKLOG 4096
#define TICK_MS 250
/* Between SYN and query a client has this long before the connection is handed to us at all. */
#define DEFER_ACCEPT_S 2

struct tcp_listener {
    uv_tcp_t tcp;
    struct net_worker *w; /* borrowed */
    bool waits;           /* somebody is at the door, until the spare can show him out */
};

static uint64_t client_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    int len = sizeof sa;
    uint64_t prefix = 0;
    uv_tcp_getpeername(tcp, (struct sockaddr *)&sa, &len);
    if (sa.ss_family == AF_INET) {
        prefix = ((struct sockaddr_in *)&sa)->sin_addr.s_addr;
    } else if (sa.ss_family == AF_INET6) {
        memcpy(&prefix, &((struct sockaddr_in6 *)&sa)->sin6_addr, sizeof prefix);
    }
    return prefix;
}

/* ---- closing ----------------------------------------------------------------------------- */

static void on_conn_closed(uv_handle_t *h)
{
    struct tcp_conn *c = h->data;
    struct net_worker *w = c->w;
    free(c->in);
    free(c->unsent);
    free(c);
    worker_handle_gone(w);
}

static void conn_close(struct tcp_conn *c)
{
    struct net_worker *w = c->w;
    if (c->closing) {
        return;
    }
    c->closing = true;
    conns_remove(c);
    if (w->conns == 0) {
        uv_timer_stop(&w->timer);
    }
    metrics_add(&worker_conns(w)->open, UINT64_MAX); /* one less */
    uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

/* Nothing is owed: no answer under way, no query half read. */
static bool is_settled(const struct tcp_conn *c)
{
    return c->unsent == NULL && c->in_len == 0;
}

/* Queries have arrived that nobody has read. Closing then would throw away answers, too: the system
 * resets a connection whose end did not read everything (RFC 1122 §4.2.2.13). */
static bool has_unread(const struct tcp_conn *c)
{
    uv_os_fd_t fd;
    int n = 0;
    return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, FIONREAD, &n) == 0 &&
           n > 0;
}

static bool may_go(const struct tcp_conn *c)
{
    return c->w->closing && is_settled(c) && !has_unread(c);
}

/* ---- answering --------------------------------------------------------------------------- */

static void read_start(struct tcp_conn *c);
static void proceed(struct tcp_conn *c);

static void on_written(uv_write_t *req, int status)
{
    struct tcp_conn *c = req->data;
    free(c->unsent);
    c->unsent = NULL;
    c->unsent_len = 0;
    if (status != 0) {
        conn_close(c);
    }
    if (c->closing) {
        return;
    }
    c->since_ms = uv_now(c->w->loop);
    c->w->began_ns = latency_now_ns();
    proceed(c);
}

/* Writes N octets of the worker's buffer: at once if the kernel takes them, else the rest from a
 * copy. False: the connection is gone. */
static bool flush(struct tcp_conn *c, size_t n)
{
    struct net_worker *w = c->w;
    uv_buf_t buf = uv_buf_init((char *)w->tcp_write, (unsigned)n);
    int sent = n > 0 ? uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) : 0;
    if (sent == UV_EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        conn_close(c);
        return false;
    }
    if ((size_t)sent == n) {
        return true;
    }
    c->unsent_len = n - (size_t)sent;
    c->unsent = malloc(c->unsent_len);
    if (c->unsent == NULL) {
        conn_close(c);
        return false;
    }
    memcpy(c->unsent, w->tcp_write + sent, c->unsent_len);
    buf = uv_buf_init((char *)c->unsent, (unsigned)c->unsent_len);
    c->write.data = c;
    c->since_ms = uv_now(w->loop);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        conn_close(c);
        return false;
    }
    return true;
}

/* Hands the answers to QUERIES, OUT octets, to the kernel. False: the connection is gone. */
static bool hand_over(struct tcp_conn *c, size_t out, uint64_t queries)
{
    struct net_worker *w = c->w;
    bool there = flush(c, out);
    latency_add(&w->counters.latency[w->streams], latency_now_ns() - w->began_ns, queries);
    return there;
}

/* Answers whole frames from BYTES until none is left or the peer has to read first. Returns how
 * many octets are done with; *gone if the connection is. */
static size_t answer_frames(struct tcp_conn *c, const uint8_t *bytes, size_t len, bool *gone)
{
    struct net_worker *w = c->w;
    size_t done = 0, out = 0;
    uint64_t queries = 0;
    *gone = false;
    while (c->unsent == NULL && len - done >= 2) {
        size_t frame = get_u16(bytes + done);
        if (frame < WIRE_HEADER_LEN) {
            if (hand_over(c, out, queries)) {
                conn_close(c); /* not even a header: no DNS client */
            }
            *gone = true;
            return done;
        }
        if (len - done < 2 + frame) {
            break;
        }
        size_t n =
            answer_query(&w->answerer, w->streams, bytes + done + 2, frame, w->tcp_write + out + 2);
        done += 2 + frame;
        if (n > 0) {
            put_u16(w->tcp_write + out, (uint16_t)n);
            out += 2 + n;
            queries++;
        }
        /* Stop where another answer of any size might not fit, or the peer is owed enough. */
        if (out + 2 + ANSWER_TCP_MAX > sizeof w->tcp_write || out >= w->limits->tcp_unsent) {
            if (!hand_over(c, out, queries)) {
                *gone = true;
                return done;
            }
            out = 0;
            queries = 0;
        }
    }
    *gone = out > 0 && !hand_over(c, out, queries);
    return done;
}

/* Keeps what could not be answered yet: the beginning of a frame, or queries of one who must read
 * first. Bounded by one read and one frame. */
static bool keep(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    if (c->in_cap - c->in_len < len) {
        size_t cap = c->in_len + len;
        uint8_t *wider = realloc(c->in, cap);
        if (wider == NULL) {
            return false;
        }
        c->in = wider;
        c->in_cap = cap;
    }
    memcpy(c->in + c->in_len, bytes, len);
    c->in_len += len;
    return true;
}

static void drop_input(struct tcp_conn *c, size_t done)
{
    c->in_len -= done;
    if (c->in_len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    } else if (done > 0) {
        memmove(c->in, c->in + done, c->in_len);
    }
}

/* Goes on with what is kept, then with reading. */
static void proceed(struct tcp_conn *c)
{
    bool gone = false;
    if (c->in_len > 0) {
        size_t done = answer_frames(c, c->in, c->in_len, &gone);
        if (gone) {
            return;
        }
        if (done > 0) {
            drop_input(c, done);
            c->since_ms = uv_now(c->w->loop);
        }
    }
    if (c->unsent != NULL) {
        uv_read_stop((uv_stream_t *)&c->tcp);
    } else if (may_go(c)) {
        conn_close(c);
    } else {
        read_start(c);
    }
}

static void take(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    bool gone = false;
    size_t done = 0;
    bool mid_frame = c->in_len > 0;
    conns_touch(c);
    if (!mid_frame) {
        done = answer_frames(c, bytes, len, &gone);
        if (gone) {
            return;
        }
        c->since_ms = uv_now(c->w->loop);
    }
    /* A frame's deadline runs from its first octet: more octets of it do not extend it. */
    if (done < len && !keep(c, bytes + done, len - done)) {
        conn_close(c);
        return;
    }
    proceed(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct tcp_conn *c = h->data;
    (void)suggested;
    /* libuv would read up to 32 times before anybody else has a turn; without a buffer it goes on,
     * and comes back as there is still something to read. */
    bool had_its_turn = c->full_ms == uv_now(c->w->loop);
    *buf = uv_buf_init((char *)c->w->tcp_read, had_its_turn ? 0 : TCP_READ_MAX);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_conn *c = stream->data;
    if (n > 0) {
        c->full_ms = n == TCP_READ_MAX ? uv_now(c->w->loop) : 0;
        c->w->began_ns = latency_now_ns();
        take(c, (const uint8_t *)buf->base, (size_t)n);
    } else if (n < 0 && n != UV_ENOBUFS) {
        conn_close(c);
    }
}

static void read_start(struct tcp_conn *c)
{
    int rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (rc != 0 && rc != UV_EALREADY) {
        conn_close(c);
    }
}

/* ---- coming in --------------------------------------------------------------------------- */

static uint64_t patience(const struct tcp_conn *c)
{
    const struct net_limits *l = c->w->limits;
    return c->unsent != NULL ? l->tcp_write_ms : c->in_len > 0 ? l->tcp_frame_ms : l->tcp_idle_ms;
}

static void on_tick(uv_timer_t *timer)
{
    struct net_worker *w = timer->data;
    uint64_t now = uv_now(w->loop);
    for (struct tcp_conn *c = w->first, *next; c != NULL; c = next) {
        next = c->next;
        bool too_long = w->closing && now - w->closing_ms >= w->limits->tcp_write_ms;
        if (too_long || now - c->since_ms >= patience(c)) {
            if (!is_settled(c)) {
                metrics_add(&worker_conns(w)->timed_out, 1);
            }
            conn_close(c);
        }
    }
}

static void let_in(struct tcp_listener *l);

static void on_spare_closed(uv_handle_t *h)
{
    struct net_worker *w = h->data;
    w->spare_busy = false;
    for (size_t i = 0; i < w->addresses && !w->closing; i++) {
        struct tcp_listener *l = w->tcp[i];
        if (l != NULL && l->waits) {
            l->waits = false;
            let_in(l);
        }
    }
    worker_handle_gone(w);
}

/* Who cannot stay is taken in all the same, and shown out: libuv hears of nobody else at this door as
 * long as one is standing in it. */
static void show_out(struct tcp_listener *l)
{
    struct net_worker *w = l->w;
    if (w->spare_busy) {
        l->waits = true;
        return;
    }
    uv_tcp_init(w->loop, &w->spare);
    w->spare.data = w;
    w->spare_busy = true;
    w->handles++;
    metrics_add(&worker_conns(w)->refused, 1);
    (void)uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&w->spare); /* either way he is gone */
    uv_close((uv_handle_t *)&w->spare, on_spare_closed);
}

static void make_room(struct net_worker *w, uint64_t client)
{
    struct tcp_conn *c = conns_in_the_way(w, client);
    if (c != NULL) {
        metrics_add(&worker_conns(w)->evicted, 1);
        conn_close(c);
    }
}

static void let_in(struct tcp_listener *l)
{
    struct net_worker *w = l->w;
    struct tcp_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        show_out(l);
        return;
    }
    uv_tcp_init(w->loop, &c->tcp);
    c->tcp.data = c;
    c->w = w;
    w->handles++;
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0) {
        metrics_add(&worker_conns(w)->refused, 1);
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
        return;
    }
    c->client = client_of(&c->tcp);
    make_room(w, c->client);
    if (w->conns == 0) {
        uv_timer_start(&w->timer, on_tick, TICK_MS, TICK_MS);
    }
    conns_add(c);
    c->since_ms = uv_now(w->loop);
    metrics_add(&worker_conns(w)->accepted, 1);
    metrics_add(&worker_conns(w)->open, 1);
    uv_tcp_nodelay(&c->tcp, 1);
    read_start(c);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct tcp_listener *l = server->data;
    if (status == 0) {
        let_in(l);
    } else {
        metrics_add(&worker_conns(l->w)->refused, 1); /* out of files: libuv has closed it */
    }
}

enum err tcp_open(struct net_worker *w, int fd, struct tcp_listener **out)
{
    struct tcp_listener *l = mem_xalloc(sizeof *l);
    int defer = DEFER_ACCEPT_S;
    uv_tcp_init(w->loop, &l->tcp);
    l->tcp.data = l;
    l->w = w;
    w->handles++;
    *out = l;
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
    if (uv_tcp_open(&l->tcp, fd) != 0 ||
        uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection) != 0) {
        return ERR_IO;
    }
    return ERR_OK;
}

static void on_listener_closed(uv_handle_t *h)
{
    struct tcp_listener *l = h->data;
    struct net_worker *w = l->w;
    free(l);
    worker_handle_gone(w);
}

void tcp_close(struct tcp_listener *l)
{
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

void tcp_drain(struct net_worker *w)
{
    for (struct tcp_conn *c = w->first, *next; c != NULL; c = next) {
        next = c->next;
        if (may_go(c)) {
            conn_close(c);
        }
    }
}

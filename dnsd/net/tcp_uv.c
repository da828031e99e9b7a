/* TCP (RFC 7766): frames of two octets of length and a message. With TLS in between (RFC 7858) it is
 * the same; what differs is in tls_uv.c.
 *
 * A read brings any number of frames, or a part of one. All whole frames are answered into one
 * buffer and written at once; only what is left over, a frame's beginning, is kept, in memory that
 * the frame's own length bounds. Both big buffers belong to the worker, not to the connection: an
 * idle connection costs its struct and the kernel's part.
 *
 * A peer that does not take its answers stops being read (facts of BIND's CVE-2024-0760): what it
 * sent waits in `in`, bounded by one read. Every wait has a deadline: for the end of a handshake, for
 * the rest of a frame, for the peer to read, for the next query. One timer a worker looks at all
 * connections a few times a second.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "conn.h"
#include "dnsd/wire/query.h"
#include "latency.h"
#include "lib/buf.h"
#include "lib/tls.h"

#define TICK_MS 250

/* ---- closing ----------------------------------------------------------------------------- */

void tcp_conn_on_closed(uv_handle_t *h)
{
    struct tcp_conn *c = h->data;
    struct net_worker *w = c->w;
    tls_conn_free(c->tls);
    free(c->in);
    free(c->unsent);
    free(c);
    worker_handle_gone(w);
}

void tcp_conn_close(struct tcp_conn *c)
{
    struct net_worker *w = c->w;
    if (c->closing) {
        return;
    }
    c->closing = true;
    tcp_conns_remove(c);
    if (w->conns == 0) {
        uv_timer_stop(&w->timer);
    }
    metrics_add(&worker_conns(w)->open, UINT64_MAX); /* one less */
    if (c->tls != NULL) {
        dot_end(c);
    }
    uv_close((uv_handle_t *)&c->tcp, tcp_conn_on_closed);
}

/* Nothing is owed: no answer under way, no query half read, no handshake half done. */
static bool is_settled(const struct tcp_conn *c)
{
    return c->unsent == NULL && c->in_len == 0 && (c->tls == NULL || !dot_is_shaking(c));
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

static bool give_up(struct tcp_conn *c)
{
    c->deaf = true;
    tcp_conn_close(c);
    return false;
}

static void on_written(uv_write_t *req, int status)
{
    struct tcp_conn *c = req->data;
    free(c->unsent);
    c->unsent = NULL;
    c->unsent_len = 0;
    if (status != 0) {
        give_up(c);
    }
    if (c->closing) {
        return;
    }
    c->since_ms = uv_now(c->w->loop);
    c->w->began_ns = net_latency_now_ns();
    proceed(c);
}

bool tcp_conn_send(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (sent == UV_EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        return give_up(c);
    }
    if ((size_t)sent == len) {
        return true;
    }
    c->unsent_len = len - (size_t)sent;
    c->unsent = malloc(c->unsent_len);
    if (c->unsent == NULL) {
        return give_up(c);
    }
    memcpy(c->unsent, bytes + sent, c->unsent_len);
    buf = uv_buf_init((char *)c->unsent, (unsigned)c->unsent_len);
    c->write.data = c;
    c->since_ms = uv_now(c->w->loop);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        return give_up(c);
    }
    return true;
}

/* Hands the answers to QUERIES, OUT octets, to the kernel. False: the connection is gone. */
static bool hand_over(struct tcp_conn *c, size_t out, uint64_t queries)
{
    struct net_worker *w = c->w;
    bool there = out == 0         ? true
                 : c->tls == NULL ? tcp_conn_send(c, w->tcp_write, out)
                                  : dot_send(c, w->tcp_write, out);
    net_latency_add(&w->counters.latency[w->streams], net_latency_now_ns() - w->began_ns, queries);
    return there;
}

static void note_challenge(struct tcp_conn *c)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    int len = sizeof peer;
    (void)uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &len); /* gone: of no address */
    worker_witness(c->w, c->w->streams, &peer);
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
                tcp_conn_close(c); /* not even a header: no DNS client */
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
        if (worker_saw_challenge(w)) {
            note_challenge(c);
        }
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

/* Goes on with what is kept, then with reading, or with the end. */
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
    if (c->tls != NULL && c->unsent == NULL && !dot_send(c, NULL, 0)) {
        return;
    }
    if (c->unsent != NULL) {
        uv_read_stop((uv_stream_t *)&c->tcp);
    } else if (may_go(c) || (c->tls != NULL && dot_is_over(c))) {
        tcp_conn_close(c);
    } else {
        read_start(c);
    }
}

bool tcp_conn_absorb(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    bool gone = false;
    size_t done = 0;
    bool mid_frame = c->in_len > 0;
    tcp_conns_touch(c);
    if (!mid_frame) {
        done = answer_frames(c, bytes, len, &gone);
        if (gone) {
            return false;
        }
        c->since_ms = uv_now(c->w->loop);
    }
    /* A frame's deadline runs from its first octet: more octets of it do not extend it. */
    if (done < len && !keep(c, bytes + done, len - done)) {
        tcp_conn_close(c);
        return false;
    }
    return true;
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
        c->w->began_ns = net_latency_now_ns();
        const uint8_t *bytes = (const uint8_t *)buf->base;
        if (c->tls == NULL ? tcp_conn_absorb(c, bytes, (size_t)n)
                           : dot_receive(c, bytes, (size_t)n)) {
            proceed(c);
        }
    } else if (n < 0 && n != UV_ENOBUFS) {
        tcp_conn_close(c);
    }
}

static void read_start(struct tcp_conn *c)
{
    int rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (rc != 0 && rc != UV_EALREADY) {
        tcp_conn_close(c);
    }
}

/* ---- deadlines, beginning and end -------------------------------------------------------- */

static bool is_overdue(const struct tcp_conn *c, uint64_t now)
{
    const struct net_limits *l = c->w->limits;
    if (c->tls != NULL && dot_is_shaking(c) && now - c->born_ms >= l->tls_handshake_ms) {
        return true;
    }
    return now - c->since_ms >= (c->unsent != NULL ? l->tcp_write_ms
                                 : c->in_len > 0   ? l->tcp_frame_ms
                                                   : l->tcp_idle_ms);
}

static void on_tick(uv_timer_t *timer)
{
    struct net_worker *w = timer->data;
    uint64_t now = uv_now(w->loop);
    for (struct tcp_conn *c = w->first, *next; c != NULL; c = next) {
        next = c->next;
        bool too_long = w->closing && now - w->closing_ms >= w->limits->tcp_write_ms;
        if (too_long || is_overdue(c, now)) {
            if (!is_settled(c)) {
                metrics_add(&worker_conns(w)->timed_out, 1);
            }
            tcp_conn_close(c);
        }
    }
}

void tcp_conn_begin(struct tcp_conn *c)
{
    struct net_worker *w = c->w;
    if (w->conns == 0) {
        uv_timer_start(&w->timer, on_tick, TICK_MS, TICK_MS);
    }
    tcp_conns_add(c);
    c->since_ms = c->born_ms = uv_now(w->loop);
    metrics_add(&worker_conns(w)->accepted, 1);
    metrics_add(&worker_conns(w)->open, 1);
    uv_tcp_nodelay(&c->tcp, 1);
    read_start(c);
}

void tcp_drain(struct net_worker *w)
{
    for (struct tcp_conn *c = w->first, *next; c != NULL; c = next) {
        next = c->next;
        if (may_go(c)) {
            tcp_conn_close(c);
        }
    }
}

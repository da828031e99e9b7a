/* One connection: its socket, its TLS, and what it waits for. What is in the octets is for h1_conn.c
 * and h2_nghttp2.c to know.
 *
 *   HANDSHAKE ──> OPEN ──> ENDING (what is written goes out) ──> LINGERING ──> closed
 *
 * A peer that does not take its answers stops being read, and so does one whose HTTP/1.1 request is
 * with a handler: what it has sent meanwhile waits in the system's buffers, but for the rest of one
 * read. Deadlines are for the whole of what they are for, so that single octets extend none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2.h"
#include "server_priv.h"

/* Steps of handshakes in one millisecond: each is public-key work, of which a turn of the loop shall
 * not have many. */
#define STEPS_MAX 4

/* ---- closing ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
    struct http_conn *c = h->data;
    struct http_server *s = c->s;
    free(c);
    http_server_handle_gone(s);
}

static void leave_requests(struct http_conn *c)
{
    while (c->streams != NULL) {
        http_stream_free(c->streams);
    }
    for (struct http_request *r = c->lent, *next; r != NULL; r = next) {
        next = r->next;
        r->c = NULL;
        r->prev = r->next = NULL;
    }
    c->lent = NULL;
}

static void unready(struct http_conn *c)
{
    struct http_conn **at = &c->s->ready;
    while (*at != c) {
        at = &(*at)->ready_next;
    }
    *at = c->ready_next;
}

void http_conn_close(struct http_conn *c)
{
    struct http_server *s = c->s;
    if (c->closed) {
        return;
    }
    c->closed = true;
    http_conns_remove(c);
    if (c->is_ready) {
        unready(c);
    }
    h2_free(c->h2);
    c->h2 = NULL;
    leave_requests(c);
    h1_fini(&c->h1);
    tls_conn_free(c->tls);
    free(c->in);
    free(c->out);
    http_server_count(s);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
}

void http_conn_end(struct http_conn *c)
{
    c->ending = true;
}

/* ---- out ----------------------------------------------------------------------------------- */

void http_conn_put(struct http_conn *c, const void *bytes, size_t len)
{
    if (c->out_cap - c->out_len < len) {
        size_t cap = c->out_cap == 0 ? 1024 : c->out_cap;
        while (cap - c->out_len < len) {
            cap *= 2;
        }
        uint8_t *wider = realloc(c->out, cap);
        if (wider == NULL) {
            c->failed = true;
            return;
        }
        c->out = wider;
        c->out_cap = cap;
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

static void drop_out(struct http_conn *c)
{
    free(c->out);
    c->out = NULL;
    c->out_len = c->out_at = c->out_cap = 0;
}

size_t http_conn_unsent(const struct http_conn *c)
{
    const uint8_t *bytes;
    return c->out_len - c->out_at + (c->tls != NULL ? tls_conn_out(c->tls, &bytes) : 0);
}

static bool is_speaking(const struct http_conn *c)
{
    enum tls_state state = tls_conn_state(c->tls);
    return state == TLS_OPEN || state == TLS_ENDED;
}

/* What is written becomes records. */
static void seal(struct http_conn *c)
{
    if (c->out_len > 0 && is_speaking(c) && tls_conn_write(c->tls, c->out, c->out_len) != ERR_OK) {
        c->failed = true;
    }
    drop_out(c);
}

static size_t next_out(const struct http_conn *c, const uint8_t **bytes)
{
    if (c->tls != NULL) {
        return tls_conn_out(c->tls, bytes);
    }
    *bytes = c->out + c->out_at;
    return c->out_len - c->out_at;
}

static void sent(struct http_conn *c, size_t n)
{
    c->sent += n;
    if (c->tls != NULL) {
        tls_conn_sent(c->tls, n);
    } else {
        c->out_at += n;
        if (c->out_at == c->out_len) {
            drop_out(c);
        }
    }
}

/* What is unsent now has to be taken within write_ms, whatever is written behind it. */
static void look_at_debt(struct http_conn *c)
{
    size_t unsent = http_conn_unsent(c);
    if (unsent > 0 && (!c->owing || c->sent >= c->owed)) {
        c->owed = c->sent + unsent;
        c->owed_ms = http_server_now(c->s);
    }
    c->owing = unsent > 0;
}

static void flush(struct http_conn *c)
{
    const uint8_t *bytes;
    size_t len;
    if (c->tls != NULL) {
        seal(c);
    }
    while (!c->failed && (len = next_out(c, &bytes)) > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n >= 0) {
            sent(c, (size_t)n);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            c->failed = true;
        }
    }
    look_at_debt(c);
}

/* ---- in ------------------------------------------------------------------------------------ */

static bool is_served(const struct http_conn *c)
{
    return c->streams != NULL && c->streams->phase == HTTP_PHASE_LENT;
}

bool http_conn_may_begin(const struct http_conn *c)
{
    return !c->ending && !c->failed && c->begun < HTTP_TURN_MAX && (c->h2 != NULL || !is_served(c));
}

static bool may_take(const struct http_conn *c)
{
    return c->opened && http_conn_may_begin(c) && http_conn_unsent(c) < c->s->limits.unsent_max;
}

/* Hands on N octets of plaintext, which are in a buffer that others use, too. */
static void take(struct http_conn *c, const uint8_t *bytes, size_t n)
{
    size_t used = n;
    if (c->h2 != NULL) {
        h2_take(c, bytes, n);
    } else {
        used = h1_conn_take(c, bytes, n);
    }
    if (used == n || c->ending) {
        return;
    }
    c->in = malloc(n - used);
    if (c->in == NULL) {
        c->failed = true;
        return;
    }
    memcpy(c->in, bytes + used, n - used);
    c->in_len = n - used;
}

static void take_kept(struct http_conn *c)
{
    c->in_at += h1_conn_take(c, c->in + c->in_at, c->in_len - c->in_at);
    if (c->in_at == c->in_len) {
        free(c->in);
        c->in = NULL;
        c->in_at = c->in_len = 0;
    }
}

/* Takes what is there, as far as it may. False: nothing was. */
static bool input(struct http_conn *c)
{
    bool any = false;
    c->dry = false;
    while (may_take(c)) {
        if (c->in != NULL) {
            take_kept(c);
        } else {
            size_t n = c->tls != NULL ? tls_conn_read(c->tls, c->s->plain, HTTP_READ_MAX) : 0;
            if (n == 0) {
                c->dry = true;
                break;
            }
            take(c, c->s->plain, n);
        }
        any = true;
    }
    return any;
}

static bool may_step(struct http_server *s)
{
    if (s->steps_ms != http_server_now(s)) {
        s->steps_ms = http_server_now(s);
        s->steps = 0;
    }
    return s->steps++ < STEPS_MAX;
}

static void open_up(struct http_conn *c)
{
    struct http_counters *n = &c->s->counters;
    c->opened = true;
    c->since_ms = http_server_now(c->s);
    metrics_add(&n->handshakes, 1);
    metrics_add(&n->resumed, tls_conn_resumed(c->tls) ? 1 : 0);
    if (tls_conn_is_h2(c->tls) && h2_open(c) != ERR_OK) {
        c->failed = true;
    }
}

static void feed(struct http_conn *c, const uint8_t *bytes, size_t n)
{
    c->failed = tls_conn_feed(c->tls, bytes, n) != ERR_OK;
    if (!c->opened && is_speaking(c)) {
        open_up(c);
    }
}

static bool wants_more(const struct http_conn *c)
{
    return c->lingering || (!c->eof && !c->ending && (!c->opened || (c->dry && may_take(c))));
}

/* One read. */
static void receive(struct http_conn *c)
{
    struct http_server *s = c->s;
    if (!wants_more(c) || (!c->opened && !may_step(s))) {
        return;
    }
    ssize_t n = recv(c->fd, s->read, HTTP_READ_MAX, 0);
    if (n < 0) {
        c->failed = errno != EAGAIN && errno != EINTR;
    } else if (n == 0) {
        c->eof = true;
    } else if (c->lingering) {
        c->lingered += (size_t)n;
    } else if (c->tls != NULL) {
        feed(c, s->read, (size_t)n);
    } else {
        take(c, s->read, (size_t)n);
    }
}

/* ---- what now ------------------------------------------------------------------------------ */

/* After everything else, for it may free C. */
static void finish(struct http_conn *c)
{
    if (c->tls != NULL && !c->said_end) {
        c->said_end = true;
        tls_conn_end(c->tls);
        flush(c);
    }
    if (c->failed || (c->eof && !c->owing) || c->lingered > HTTP_LINGER_MAX) {
        http_conn_close(c);
    } else if (!c->owing && !c->lingering) {
        shutdown(c->fd, SHUT_WR);
        c->lingering = true;
        c->since_ms = http_server_now(c->s);
        http_conns_offer(c);
    }
}

/* May it end, with nobody waiting for anything? */
static bool should_end(const struct http_conn *c)
{
    if (c->tls != NULL && tls_conn_state(c->tls) == TLS_FAILED) {
        return true;
    }
    bool over = c->eof || (c->tls != NULL && tls_conn_state(c->tls) == TLS_ENDED);
    if (!c->opened) {
        return over || c->s->closing;
    }
    if (c->h2 != NULL) {
        return h2_is_over(c) || (over && c->dry);
    }
    if (over) {
        return c->dry && !is_served(c); /* what is half there will not be more */
    }
    return c->s->closing && c->dry && (c->streams == NULL || !c->streams->begun);
}

static bool is_busy(const struct http_conn *c)
{
    for (const struct http_stream *st = c->streams; st != NULL; st = st->next) {
        if (st->phase >= HTTP_PHASE_LENT) {
            return true;
        }
    }
    return c->owing;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void wait_for(struct http_conn *c, int happened)
{
    int events = (wants_more(c) ? UV_READABLE : 0) | (c->owing ? UV_WRITABLE : 0) |
                 (c->hup ? 0 : UV_DISCONNECT);
    /* What is no longer wanted is taken back when it comes: changing costs system calls. */
    if ((events & ~c->events) == 0 && (happened & ~events) == 0) {
        return;
    }
    c->events = events;
    if (events == 0) {
        uv_poll_stop(&c->poll);
    } else {
        uv_poll_start(&c->poll, events, on_poll);
    }
}

static void settle(struct http_conn *c, int happened)
{
    if (c->tls != NULL && !c->opened && tls_conn_state(c->tls) == TLS_FAILED && !c->ending) {
        metrics_add(&c->s->counters.handshakes_failed, 1);
    }
    if (c->failed) {
        http_conn_close(c);
        return;
    }
    if (!c->ending && should_end(c)) {
        http_conn_end(c);
    }
    if (c->ending) {
        finish(c);
    } else {
        http_conns_list(c, is_busy(c));
    }
    if (c->closed) {
        return;
    }
    /* It has had its share of this turn. */
    if (c->begun == HTTP_TURN_MAX ||
        (c->h2 != NULL && h2_has_more(c) && http_conn_unsent(c) < c->s->limits.unsent_max)) {
        http_conn_wake(c);
    }
    wait_for(c, happened);
}

static void output(struct http_conn *c)
{
    if (c->h2 != NULL) {
        h2_output(c);
    }
    flush(c);
}

static void run(struct http_conn *c, int happened, bool read)
{
    c->running = true;
    c->begun = 0;
    output(c);
    if (read) {
        receive(c);
    }
    do {
        output(c);
    } while (input(c));
    c->running = false;
    settle(c, happened);
}

void http_conn_go_on(struct http_conn *c)
{
    run(c, 0, c->s->closing); /* at the end, who has been silent is asked once more */
}

void http_conn_wake(struct http_conn *c)
{
    struct http_server *s = c->s;
    if (c->is_ready || c->running || c->closed) {
        return;
    }
    c->is_ready = true;
    c->ready_next = s->ready;
    s->ready = c;
    http_server_wake(s);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_conn *c = poll->data;
    if (status < 0) {
        http_conn_close(c); /* reset */
        return;
    }
    c->hup = c->hup || (events & UV_DISCONNECT) != 0;
    run(c, events, (events & UV_READABLE) != 0);
}

/* ---- coming in ----------------------------------------------------------------------------- */

static void make_room(struct http_server *s, uint64_t client)
{
    struct http_conn *c = http_conns_in_the_way(s, client);
    if (c != NULL) {
        metrics_add(&s->counters.evicted, 1);
        http_conn_close(c);
    }
}

static bool set_up(struct http_conn *c, enum http_conn_kind kind)
{
    h1_init(&c->h1, c->s->limits.header_max);
    if (kind == HTTP_CONN_TLS) {
        c->tls = tls_conn_new(c->s->tls, TLS_USE_HTTP);
        return c->tls != NULL;
    }
    c->opened = true;
    return kind == HTTP_CONN_PLAIN || h2_open(c) == ERR_OK;
}

void http_conn_open(struct http_server *s, int fd, const struct sockaddr *peer, unsigned site,
                    enum http_conn_kind kind)
{
    struct http_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        metrics_add(&s->counters.refused, 1);
        close(fd);
        return;
    }
    c->s = s;
    c->fd = fd;
    c->site = site;
    c->is_tls = kind == HTTP_CONN_TLS;
    c->dry = true;
    c->peer = http_peer_of(peer);
    c->client = http_client_of(&c->peer);
    c->since_ms = http_server_now(s);
    if (!set_up(c, kind) || uv_poll_init(s->loop, &c->poll, fd) != 0) {
        metrics_add(&s->counters.refused, 1);
        h2_free(c->h2);
        tls_conn_free(c->tls);
        free(c);
        close(fd);
        return;
    }
    c->poll.data = c;
    s->handles++;
    make_room(s, c->client);
    http_conns_add(c);
    metrics_add(&s->counters.accepted, 1);
    http_server_count(s);
    http_conn_go_on(c);
}

/* ---- deadlines ----------------------------------------------------------------------------- */

static bool has_waited(const struct http_conn *c, uint64_t now, unsigned limit_ms)
{
    return now - c->since_ms >= limit_ms;
}

/* Does something about streams that are late; false: none was. */
static bool tick_streams(struct http_conn *c, uint64_t now)
{
    bool any = false;
    for (struct http_stream *st = c->streams, *next; st != NULL; st = next) {
        next = st->next;
        if (!http_stream_late(st, now)) {
            continue;
        }
        any = true;
        metrics_add(&c->s->counters.timed_out, 1);
        if (c->h2 != NULL && (st->phase == HTTP_PHASE_HEAD || st->phase == HTTP_PHASE_ANSWERED)) {
            h2_give_up(st); /* there is nothing to say, or nobody listens */
        } else {
            http_stream_fail(st, st->phase == HTTP_PHASE_LENT ? 503 : 408);
        }
    }
    return any;
}

void http_conn_tick(struct http_conn *c, uint64_t now)
{
    const struct http_limits *l = &c->s->limits;
    bool late = c->owing && now - c->owed_ms >= l->write_ms;
    if (c->lingering ? has_waited(c, now, HTTP_LINGER_MS)
                     : late || (!c->opened && has_waited(c, now, l->handshake_ms))) {
        metrics_add(&c->s->counters.timed_out, c->lingering ? 0 : 1);
        http_conn_close(c);
        return;
    }
    bool silent = c->opened && !c->ending && !c->owing &&
                  (c->streams == NULL || !c->streams->begun) && has_waited(c, now, l->idle_ms);
    if (silent) {
        if (c->h2 != NULL) {
            h2_drain(c);
        } else {
            http_conn_end(c);
        }
    }
    c->running = true;
    bool any = tick_streams(c, now);
    c->running = false;
    if (any || silent) {
        http_conn_go_on(c);
    }
}

/* One connection: how it begins and ends, and what it waits for. Its octets are for conn_io_uv.c.
 *
 *   HANDSHAKE ──> OPEN ──> ENDING (what is written goes out) ──> LINGERING ──> closed
 *
 * A peer that does not take its answers stops being read, and so does one whose HTTP/1.1 request is
 * with a handler: what it has sent meanwhile waits in the system's buffers, but for the rest of one
 * read. Deadlines are for the whole of what they are for, so that single octets extend none.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2.h"
#include "server_priv.h"

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

/* ---- what now ------------------------------------------------------------------------------ */

/* After everything else, for it may free C. */
static void finish(struct http_conn *c)
{
    if (c->tls != NULL && !c->said_end) {
        c->said_end = true;
        tls_conn_end(c->tls);
        http_conn_flush(c);
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
    if (over) {
        return c->dry; /* what is half there will not be more */
    }
    if (c->h2 != NULL) {
        return h2_is_over(c);
    }
    return c->s->closing && c->dry && (c->streams == NULL || !c->streams->begun);
}

static bool is_busy(const struct http_conn *c)
{
    for (const struct http_stream *st = c->streams; st != NULL; st = st->next) {
        if (st->phase >= HTTP_PHASE_WAITING) {
            return true;
        }
    }
    return c->owing;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void wait_for(struct http_conn *c, int happened)
{
    int events = (http_conn_wants_more(c) ? UV_READABLE : 0) | (c->owing ? UV_WRITABLE : 0) |
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
    if (c->begun >= HTTP_TURN_MAX ||
        (c->h2 != NULL && h2_has_more(c) && http_conn_unsent(c) < c->s->limits.unsent_max)) {
        http_conn_wake(c);
    }
    wait_for(c, happened);
}

static void output(struct http_conn *c)
{
    if (c->h2 != NULL) {
        h2_output(c);
        while (http_stream_resume(c)) {
            h2_output(c);
        }
    }
    http_conn_flush(c);
}

static void run(struct http_conn *c, int happened, bool read)
{
    c->running = true;
    c->begun = 0;
    output(c);
    if (read) {
        http_conn_receive(c);
    }
    do {
        output(c);
    } while (http_conn_input(c));
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
        c->tls = tls_conn_new(http_server_tls(c->s, c->site), TLS_USE_HTTP);
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
            http_stream_fail(st, st->phase >= HTTP_PHASE_WAITING ? 503 : 408);
        }
    }
    return any;
}

/* It has had its time, whatever it is doing. */
static bool is_overdue(const struct http_conn *c, uint64_t now)
{
    const struct http_limits *l = &c->s->limits;
    if (c->s->closing && now - c->s->closing_ms >= l->drain_ms) {
        return true;
    }
    if (c->lingering) {
        return has_waited(c, now, HTTP_LINGER_MS);
    }
    return (c->owing && now - c->owed_ms >= l->write_ms) ||
           (!c->opened && has_waited(c, now, l->handshake_ms));
}

static bool is_silent(const struct http_conn *c, uint64_t now)
{
    bool asks = c->streams != NULL && (c->h2 != NULL || c->streams->begun);
    return c->opened && !c->ending && !c->owing && !asks &&
           has_waited(c, now, c->s->limits.idle_ms);
}

void http_conn_tick(struct http_conn *c, uint64_t now)
{
    if (is_overdue(c, now)) {
        metrics_add(&c->s->counters.timed_out, c->lingering ? 0 : 1);
        http_conn_close(c);
        return;
    }
    bool waited = c->waiting;
    bool silent = is_silent(c, now);
    c->waiting = false;
    if (silent && c->h2 != NULL) {
        h2_drain(c);
    } else if (silent) {
        http_conn_end(c);
    }
    c->running = true;
    bool any = tick_streams(c, now);
    c->running = false;
    if (any || silent || waited) {
        http_conn_go_on(c);
    }
}

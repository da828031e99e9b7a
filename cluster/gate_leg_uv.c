/* One end of a connection: a socket and the TLS on it. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate_priv.h"

static bool is_failed(const struct gate_leg *l)
{
    return tls_conn_state(l->tls) == TLS_FAILED;
}

static size_t unsent(const struct gate_leg *l)
{
    const uint8_t *bytes;
    return tls_conn_out(l->tls, &bytes);
}

bool gate_leg_open(struct gate_leg *l, struct gate_conn *c, int fd, struct tls_conn *tls)
{
    l->conn = c;
    if (tls == NULL || uv_poll_init(&c->gate->loop, &l->poll, fd) != 0) {
        tls_conn_free(tls);
        close(fd);
        return false;
    }
    l->poll.data = l;
    l->tls = tls;
    l->fd = fd;
    c->handles++;
    return true;
}

void gate_leg_close(struct gate_leg *l, bool hard)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (l->tls == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&l->poll, gate_leg_on_closed);
    if (hard) {
        (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    close(l->fd);
    tls_conn_free(l->tls);
    l->tls = NULL;
}

void gate_leg_flush(struct gate_leg *l)
{
    const uint8_t *bytes;
    size_t n;
    while (!l->dead && (n = tls_conn_out(l->tls, &bytes)) > 0) {
        ssize_t sent = send(l->fd, bytes, n, MSG_NOSIGNAL);
        if (sent > 0) {
            tls_conn_sent(l->tls, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            l->dead = true;
        }
    }
    if (is_failed(l)) { /* its alert is out */
        l->dead = true;
    }
}

static void receive(struct gate_leg *l)
{
    uint8_t *wire = l->conn->gate->wire;
    ssize_t n = recv(l->fd, wire, GATE_READ, 0);
    if (n == 0) {
        l->eof = true;
    } else if (n < 0) {
        l->dead = l->dead || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    } else if (tls_conn_feed(l->tls, wire, (size_t)n) != ERR_OK) {
        l->dead = true; /* no memory */
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct gate_leg *l = poll->data;
    if (status <
        0) { /* a reset, most likely; libuv polls no more. An alert may have come before it */
        l->events = 0;
        receive(l);
        l->dead = true;
    } else if ((events & UV_READABLE) != 0) {
        receive(l);
    }
    gate_conn_advance(l->conn);
}

void gate_leg_watch(struct gate_leg *l, bool read)
{
    int events =
        l->dead ? 0 : (read && !l->eof ? UV_READABLE : 0) | (unsent(l) > 0 ? UV_WRITABLE : 0);
    if (events == l->events) {
        return;
    }
    l->events = events;
    if (events == 0) {
        uv_poll_stop(&l->poll);
    } else {
        uv_poll_start(&l->poll, events, on_poll);
    }
}

bool gate_leg_takes(const struct gate_leg *l)
{
    enum tls_state state = tls_conn_state(l->tls);
    return !l->dead && !l->told && (state == TLS_OPEN || state == TLS_ENDED) &&
           unsent(l) < GATE_UNSENT_MAX;
}

/* Each turn ends with a flush: if TO is full, it will be heard of when it takes more. */
void gate_leg_pump(struct gate_leg *from, struct gate_leg *to)
{
    uint8_t *plain = from->conn->gate->plain;
    size_t n;
    while (gate_leg_takes(to) && (n = tls_conn_read(from->tls, plain, GATE_READ)) > 0) {
        from->heard = true;
        if (tls_conn_write(to->tls, plain, n) != ERR_OK) {
            to->dead = true;
            return;
        }
        gate_leg_flush(to);
    }
}

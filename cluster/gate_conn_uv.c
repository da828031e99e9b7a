/* A connection through the gate.
 *
 *   SHAKING ──good certificate──> GREETING ──rqlited is there──> PASSING ──both ended──> CLOSED
 *      │ refused                      │ failed                      │ cut
 *      └──────────────────────────────┴─────────────────────────────┴──────────────────────^
 *
 * An end of one side (close_notify, or the connection's without one) is passed on as it came, after what that
 * side has said before; the other side may still answer. GATE_END_MS later both are over.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate_priv.h"
#include "lib/clock.h"

/* A node that is gone without a word is found out in KEEP_IDLE_S + KEEP_TRIES * KEEP_EVERY_S. */
#define KEEP_IDLE_S  60
#define KEEP_EVERY_S 15
#define KEEP_TRIES   4

static const char no_memory[] = "out of memory";

static struct gate_conns *list_of(struct gate_conn *c)
{
    return c->stage == GATE_SHAKING ? &c->gate->shaking : &c->gate->others;
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static void on_patience_over(uv_timer_t *timer);

static void be_patient(struct gate_conn *c, uint64_t ms)
{
    uv_timer_start(&c->timer, on_patience_over, ms, 0);
}

static void count(struct gate *g, int more)
{
    g->conns += (size_t)more;
    atomic_store_explicit(&g->counters.open, g->conns, memory_order_relaxed);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void on_closed(struct gate_conn *c)
{
    if (--c->handles == 0) {
        free(c);
    }
}

void gate_leg_on_closed(uv_handle_t *h)
{
    on_closed(((struct gate_leg *)h->data)->conn);
}

static void on_timer_closed(uv_handle_t *h)
{
    on_closed(h->data);
}

void gate_conn_close(struct gate_conn *c, bool hard)
{
    if (c->stage == GATE_CLOSED) {
        return;
    }
    gate_conns_remove(list_of(c), c);
    c->stage = GATE_CLOSED;
    count(c->gate, -1);
    gate_leg_close(&c->client, hard);
    gate_leg_close(&c->local, hard);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void show_out(struct gate_conn *c)
{
    metrics_add(&c->gate->counters.refused, 1);
    tls_conn_end(c->client.tls);
    gate_leg_flush(&c->client);
    gate_conn_close(c, false);
}

void gate_conn_refuse(struct gate_conn *c, const char *why)
{
    gate_note(&c->gate->refused, c->address, why);
    show_out(c);
}

static void fail(struct gate_conn *c, const char *why)
{
    metrics_add(&c->gate->counters.failed, 1);
    gate_note(&c->gate->failed, "", why);
    gate_conn_close(c, false);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct gate_conn *c = timer->data;
    if (c->stage == GATE_SHAKING) {
        gate_conn_refuse(c, "no handshake in time");
    } else if (c->stage == GATE_GREETING) {
        fail(c, "it does not answer in time");
    } else {
        gate_conn_close(c, true);
    }
}

/* ---- rqlited is called --------------------------------------------------------------------- */

static int dial(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

static void greet(struct gate_conn *c)
{
    struct gate *g = c->gate;
    gate_conns_remove(&g->shaking, c);
    c->stage = GATE_GREETING;
    gate_conns_add(&g->others, c);
    be_patient(c, GATE_HANDSHAKE_MS);
    int fd = dial(g->local_port);
    if (fd < 0) {
        fail(c, strerror(errno));
        return;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!gate_leg_open(&c->local, c, fd, tls_conn_dial(g->identity.client, NULL))) {
        fail(c, no_memory);
    }
}

static void advance_greeting(struct gate_conn *c)
{
    struct gate_leg *l = &c->local;
    gate_leg_flush(&c->client);
    gate_leg_flush(l);
    enum tls_state state = tls_conn_state(l->tls);
    if (state == TLS_OPEN || state == TLS_ENDED) {
        uv_timer_stop(&c->timer);
        c->stage = GATE_PASSING;
    } else if (state == TLS_FAILED) {
        fail(c, tls_conn_failure(l->tls));
    } else if (l->dead || l->eof) {
        fail(c, "nobody is there");
    } else if (c->client.dead) {
        gate_conn_close(c, false);
    }
}

/* ---- who is it ----------------------------------------------------------------------------- */

static void note_revoked(struct gate_conn *c)
{
    char why[sizeof c->gate->refused.said.why];
    snprintf(why, sizeof why, "the certificate of %s is revoked", c->name);
    metrics_add(&c->gate->counters.revoked, 1);
    gate_note(&c->gate->refused, c->address, why);
}

/* Whether it may pass. */
static bool judge(struct gate_conn *c)
{
    struct tls_peer peer;
    if (!tls_conn_peer(c->client.tls, &peer)) {
        gate_conn_refuse(c, no_memory);
        return false;
    }
    memcpy(c->serial, peer.serial, sizeof c->serial);
    snprintf(c->name, sizeof c->name, "%s", peer.name);
    if (!gate_list_has(c->gate->revoked, c->serial)) {
        return true;
    }
    note_revoked(c);
    show_out(c);
    return false;
}

static void advance_shaking(struct gate_conn *c)
{
    struct gate_leg *l = &c->client;
    gate_leg_flush(l);
    switch (tls_conn_state(l->tls)) {
    case TLS_FAILED:
        gate_conn_refuse(c, tls_conn_failure(l->tls));
        break;
    case TLS_OPEN:
    case TLS_ENDED:
        if (judge(c)) {
            greet(c);
        }
        break;
    case TLS_HANDSHAKE:
        if (l->eof || l->dead) {
            gate_conn_refuse(c, "it went away in the handshake");
        }
        break;
    }
}

/* ---- octets both ways ---------------------------------------------------------------------- */

static bool is_over(const struct gate_leg *l)
{
    return l->eof || l->dead || tls_conn_state(l->tls) != TLS_OPEN;
}

/* If FROM has ended and TO has all of it, TO is told. */
static void pass_end(struct gate_conn *c, struct gate_leg *from, struct gate_leg *to)
{
    if (is_over(from) && gate_leg_takes(to)) {
        if (tls_conn_state(from->tls) == TLS_ENDED) {
            tls_conn_end(to->tls);
        }
        to->told = true;
        if (!c->ending) {
            c->ending = true;
            be_patient(c, GATE_END_MS);
        }
    }
    if (!to->told || to->shut) {
        return;
    }
    const uint8_t *bytes;
    gate_leg_flush(to);
    if (!to->dead && tls_conn_out(to->tls, &bytes) == 0) {
        to->shut = true;
        (void)shutdown(to->fd, SHUT_WR);
    }
}

static bool is_done(const struct gate_leg *l)
{
    return l->dead || l->shut;
}

static void advance_passing(struct gate_conn *c)
{
    gate_leg_flush(&c->client);
    gate_leg_flush(&c->local);
    gate_leg_pump(&c->client, &c->local);
    gate_leg_pump(&c->local, &c->client);
    bool broken = c->local.dead || tls_conn_state(c->local.tls) == TLS_FAILED;
    if (broken && !c->local.heard && !is_over(&c->client)) { /* it has not let us in */
        const char *why = tls_conn_failure(c->local.tls);
        fail(c, why[0] != '\0' ? why : "it has reset the connection");
        return;
    }
    pass_end(c, &c->client, &c->local);
    pass_end(c, &c->local, &c->client);
    if (is_done(&c->client) && is_done(&c->local)) {
        gate_conn_close(c, false);
    }
}

void gate_conn_advance(struct gate_conn *c)
{
    if (c->stage == GATE_SHAKING) {
        advance_shaking(c);
    }
    if (c->stage == GATE_GREETING) {
        advance_greeting(c);
    }
    if (c->stage == GATE_PASSING) {
        advance_passing(c);
    }
    if (c->stage == GATE_CLOSED) {
        return;
    }
    gate_leg_watch(&c->client, c->stage == GATE_SHAKING ||
                                   (c->stage == GATE_PASSING && gate_leg_takes(&c->local)));
    if (c->local.tls != NULL) {
        gate_leg_watch(&c->local, c->stage == GATE_GREETING || gate_leg_takes(&c->client));
    }
}

/* ---- the beginning ------------------------------------------------------------------------- */

bool gate_conn_open(struct gate *g, int fd, const char *address, uint64_t from)
{
    struct gate_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return false;
    }
    c->gate = g;
    c->from = from;
    snprintf(c->address, sizeof c->address, "%s", address);
    if (!gate_leg_open(&c->client, c, fd, tls_conn_new(g->identity.server, TLS_USE_PLAIN))) {
        free(c);
        return false;
    }
    uv_timer_init(&g->loop, &c->timer);
    c->timer.data = c;
    c->handles++;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_TRIES);
    gate_conns_add(&g->shaking, c);
    count(g, 1);
    be_patient(c, GATE_HANDSHAKE_MS);
    gate_conn_advance(c);
    return true;
}

void gate_conns_cut_revoked(struct gate *g)
{
    for (struct gate_conn *c = g->others.first, *next; c != NULL; c = next) {
        next = c->next;
        if (gate_list_has(g->revoked, c->serial)) {
            note_revoked(c);
            gate_conn_close(c, true);
        }
    }
}

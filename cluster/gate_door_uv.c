/* The doors of the gate: who comes in, and who has to go for them.
 *
 * Who has not shown a good certificate yet goes for a newcomer when there are too many, the oldest first: so
 * silent strangers keep no node out. Who has shown one never goes for anybody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate_priv.h"

#define BACKLOG   511
#define IN_A_TURN 16
#define REST_MS   100

static const char crowd[] = "too many connections without a certificate";

/* ---- lists --------------------------------------------------------------------------------- */

void gate_conns_add(struct gate_conns *l, struct gate_conn *c)
{
    c->prev = l->last;
    c->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = c;
    l->last = c;
}

void gate_conns_remove(struct gate_conns *l, struct gate_conn *c)
{
    *(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
}

/* ---- room ---------------------------------------------------------------------------------- */

/* False: there is none. */
static bool make_room(struct gate *g, uint64_t from)
{
    struct gate_conn *oldest = NULL;
    unsigned same = 0;
    for (struct gate_conn *c = g->shaking.first; c != NULL; c = c->next) {
        if (c->from == from) {
            oldest = oldest == NULL ? c : oldest;
            same++;
        }
    }
    if (same >= GATE_PER_CLIENT) {
        gate_conn_refuse(oldest, crowd);
    } else if (g->conns >= GATE_CONNECTIONS_MAX && g->shaking.first != NULL) {
        gate_conn_refuse(g->shaking.first, crowd);
    }
    return g->conns < GATE_CONNECTIONS_MAX;
}

/* ---- in ------------------------------------------------------------------------------------ */

/* Whose limit it counts for: an address, or what one household has of IPv6. */
static uint64_t client_of(const struct sockaddr_storage *from, char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    uint64_t key = 0;
    struct in_addr a = {.s_addr = 0};
    if (from->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
        memcpy(&key, &v6->sin6_addr, sizeof key);
        return key;
    }
    if (from->ss_family == AF_INET6) {
        memcpy(&a, v6->sin6_addr.s6_addr + 12, sizeof a);
    } else {
        memcpy(&a, &v4->sin_addr, sizeof a);
    }
    inet_ntop(AF_INET, &a, text, INET6_ADDRSTRLEN);
    return a.s_addr;
}

static void let_in(struct gate *g, int fd, const struct sockaddr_storage *from)
{
    char address[INET6_ADDRSTRLEN];
    uint64_t client = client_of(from, address);
    metrics_add(&g->counters.accepted, 1);
    if (!make_room(g, client)) {
        close(fd);
        metrics_add(&g->counters.refused, 1);
        gate_note(&g->refused, address, "too many connections");
    } else if (!gate_conn_open(g, fd, address, client)) {
        metrics_add(&g->counters.refused, 1);
        gate_note(&g->refused, address, "out of memory");
    }
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct gate *g)
{
    for (size_t i = 0; i < g->doors_count; i++) {
        uv_poll_start(&g->doors[i].poll, UV_READABLE, on_poll);
    }
}

static void on_rested(uv_timer_t *timer)
{
    watch(timer->data);
}

/* Whoever stands at the door cannot be taken in, not even to be shown out. */
static void rest(struct gate *g)
{
    for (size_t i = 0; i < g->doors_count; i++) {
        uv_poll_stop(&g->doors[i].poll);
    }
    uv_timer_start(&g->rest, on_rested, REST_MS, 0);
}

static bool is_momentary(int code)
{
    return code == ECONNABORTED || code == EINTR || code == EPROTO || code == EPERM;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct gate_door *d = poll->data;
    (void)events;
    if (status < 0) {
        rest(d->gate);
        return;
    }
    for (unsigned i = 0; i < IN_A_TURN; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof from;
        int fd = accept4(d->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(d->gate, fd, &from);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_momentary(errno)) {
            rest(d->gate);
            return;
        }
    }
}

/* ---- open, close --------------------------------------------------------------------------- */

enum err gate_doors_open(struct gate *g, const int *fds, size_t count, struct err_info *info)
{
    enum err e = count <= GATE_DOORS ? ERR_OK : err_set(info, ERR_LIMIT, "too many addresses");
    uv_timer_init(&g->loop, &g->rest);
    g->rest.data = g;
    for (size_t i = 0; i < count; i++) {
        struct gate_door *d = &g->doors[g->doors_count];
        if (e == ERR_OK &&
            (listen(fds[i], BACKLOG) != 0 || uv_poll_init(&g->loop, &d->poll, fds[i]) != 0)) {
            e = err_set(info, ERR_IO, "cannot listen on the Raft port: %s", strerror(errno));
        }
        if (e != ERR_OK) {
            close(fds[i]);
            continue;
        }
        d->gate = g;
        d->fd = fds[i];
        d->poll.data = d;
        g->doors_count++;
    }
    watch(g);
    return e;
}

void gate_doors_close(struct gate *g)
{
    uv_close((uv_handle_t *)&g->rest, NULL);
    for (size_t i = 0; i < g->doors_count; i++) {
        uv_close((uv_handle_t *)&g->doors[i].poll, NULL);
        close(g->doors[i].fd);
    }
    g->doors_count = 0;
}

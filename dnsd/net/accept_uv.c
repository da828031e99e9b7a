/* The door: connections come in, and who has to go for them.
 *
 * Full house: the newcomer comes in and the one that has been idle longest goes, overall and per
 * client, so that whoever holds connections without asking loses them first.
 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "lib/mem.h"

#define BACKLOG 4096
/* Between SYN and query a client has this long before the connection is handed to us at all. */
#define DEFER_ACCEPT_S 2

struct tcp_listener {
    uv_tcp_t tcp;
    struct net_worker *w; /* borrowed */
    bool waits;           /* somebody is at the door, and behind him libuv lets nobody knock */
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

static void let_in(struct tcp_listener *l);

void tcp_let_in_waiting(struct net_worker *w)
{
    for (size_t i = 0; i < w->addresses && !w->closing; i++) {
        struct tcp_listener *l = w->tcp[i];
        if (l != NULL && l->waits) {
            l->waits = false;
            let_in(l);
        }
    }
}

static void on_spare_closed(uv_handle_t *h)
{
    struct net_worker *w = h->data;
    w->spare_busy = false;
    tcp_let_in_waiting(w);
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
    struct tcp_conn *c = tcp_conns_in_the_way(w, client);
    if (c != NULL) {
        metrics_add(&worker_conns(w)->evicted, 1);
        tcp_conn_close(c);
    }
}

static struct tcp_conn *conn_new(struct net_worker *w)
{
    struct tcp_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->w = w;
    if (w->streams == ANSWER_TLS && !dot_open(c)) {
        free(c);
        return NULL;
    }
    return c;
}

static void let_in(struct tcp_listener *l)
{
    struct net_worker *w = l->w;
    if (w->streams == ANSWER_TLS && w->tls == NULL) {
        l->waits = true; /* until there is a certificate; the system keeps him and the next */
        return;
    }
    struct tcp_conn *c = conn_new(w);
    if (c == NULL) {
        show_out(l);
        return;
    }
    uv_tcp_init(w->loop, &c->tcp);
    c->tcp.data = c;
    w->handles++;
    if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0) {
        metrics_add(&worker_conns(w)->refused, 1);
        uv_close((uv_handle_t *)&c->tcp, tcp_conn_on_closed);
        return;
    }
    c->client = client_of(&c->tcp);
    make_room(w, c->client);
    tcp_conn_begin(c);
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

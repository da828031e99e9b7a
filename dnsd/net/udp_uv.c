/* UDP: batches in, answers built over the queries, batches out.
 *
 * libuv sends one datagram a call and cannot say which address was asked, so the socket is ours and
 * libuv only tells when it is readable. At most ROUNDS batches per wake-up: connections, timers and
 * messages of the same loop get their turn under any load.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "latency.h"
#include "lib/mem.h"
#include "worker.h"

#define ROUNDS 4

/* Room for either family's packet information. */
union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp {
    uv_poll_t poll;
    struct net_worker *w; /* borrowed */
    int fd;               /* owned */
    unsigned used;        /* messages that the last round touched */
    bool wildcard;        /* bound to any address: the reply must name the one that was asked */
    struct mmsghdr in[UDP_BATCH];
    struct mmsghdr out[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    struct sockaddr_storage peer[UDP_BATCH];
    union control control[UDP_BATCH];
};

/* What the last round has changed goes back to how recvmmsg wants it. */
static void prepare(struct udp *u)
{
    for (unsigned i = 0; i < u->used; i++) {
        struct msghdr *h = &u->in[i].msg_hdr;
        u->iov[i].iov_base = u->w->udp_buf[i];
        u->iov[i].iov_len = UDP_QUERY_MAX;
        h->msg_name = &u->peer[i];
        h->msg_namelen = sizeof u->peer[i];
        h->msg_iov = &u->iov[i];
        h->msg_iovlen = 1;
        h->msg_control = u->wildcard ? &u->control[i] : NULL;
        h->msg_controllen = u->wildcard ? sizeof u->control[i] : 0;
    }
}

/* The packet information of a query becomes the reply's: the address stays, the way out is the
 * routing table's choice, but for link-local addresses, which mean nothing without it. */
static void turn_control(struct msghdr *h)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    if (c == NULL) {
        h->msg_control = NULL;
        h->msg_controllen = 0;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);
        info->ipi_ifindex = 0;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) {
            info->ipi6_ifindex = 0;
        }
    }
}

static bool from_port_zero(const struct sockaddr_storage *peer)
{
    return peer->ss_family == AF_INET ? ((const struct sockaddr_in *)peer)->sin_port == 0
                                      : ((const struct sockaddr_in6 *)peer)->sin6_port == 0;
}

/* A datagram the kernel refuses (its buffer is full, the peer unreachable) is dropped, and the next
 * one tried: UDP clients ask again, a queue would only make everybody late. */
static void send_all(struct udp *u, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(u->fd, u->out + done, count - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (unsigned)n;
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        metrics_add(&u->w->counters.answer.dropped[ANSWER_DROP_SEND_FAILED], 1);
        done++;
    }
}

/* Answers N messages of the round; how many are to be sent. */
static unsigned answer_all(struct udp *u, unsigned n)
{
    unsigned out = 0;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *buf = u->w->udp_buf[i];
        if (from_port_zero(&u->peer[i])) {
            metrics_add(&u->w->counters.answer.dropped[ANSWER_DROP_PORT_ZERO], 1);
            continue;
        }
        size_t len = answer_query(&u->w->answerer, ANSWER_UDP, buf, u->in[i].msg_len, buf);
        if (len == 0) {
            continue;
        }
        u->iov[i].iov_len = len;
        if (worker_saw_challenge(u->w)) {
            worker_witness(u->w, ANSWER_UDP, &u->peer[i]);
        }
        u->out[out].msg_hdr = u->in[i].msg_hdr;
        if (u->wildcard) {
            turn_control(&u->out[out].msg_hdr);
        }
        out++;
    }
    return out;
}

static int round_of(struct udp *u)
{
    prepare(u);
    int n = recvmmsg(u->fd, u->in, UDP_BATCH, MSG_DONTWAIT, NULL);
    u->used = n > 0 ? (unsigned)n : 0;
    if (n <= 0) {
        return n;
    }
    uint64_t began = net_latency_now_ns();
    unsigned out = answer_all(u, u->used);
    send_all(u, out);
    net_latency_add(&u->w->counters.latency[ANSWER_UDP], net_latency_now_ns() - began, out);
    return n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp *u = poll->data;
    (void)status; /* an error of the socket shows, and is cleared, in the next receive */
    (void)events;
    for (int i = 0; i < ROUNDS && round_of(u) == UDP_BATCH; i++) {
    }
}

enum err udp_open(struct net_worker *w, int fd, const struct net_address *address, struct udp **out)
{
    struct udp *u = mem_xalloc(sizeof *u);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->sa;
    if (uv_poll_init(w->loop, &u->poll, fd) != 0) {
        free(u);
        return ERR_IO;
    }
    u->w = w;
    u->fd = fd;
    u->wildcard = address->sa.ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
                                                   : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    u->poll.data = u;
    u->used = UDP_BATCH;
    w->handles++;
    uv_poll_start(&u->poll, UV_READABLE, on_readable);
    *out = u;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct udp *u = h->data;
    struct net_worker *w = u->w;
    close(u->fd);
    free(u);
    worker_handle_gone(w);
}

void udp_close(struct udp *u)
{
    for (int i = 0; i < ROUNDS && round_of(u) == UDP_BATCH; i++) {
    }
    uv_poll_stop(&u->poll);
    uv_close((uv_handle_t *)&u->poll, on_closed);
}

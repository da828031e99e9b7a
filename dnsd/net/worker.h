/* Inside of a worker, shared by the files of this folder. */
#ifndef DNSD_NET_WORKER_H
#define DNSD_NET_WORKER_H

#include "net.h"
#include "witness.h"

/* Packets of one recvmmsg: from 8 on more makes no difference (measured), 64 is four pages of
 * queue. */
#define UDP_BATCH 64
/* A query is at most a few hundred octets; what is longer is cut, and then is no query. */
#define UDP_QUERY_MAX 2048
/* What one read of a connection may bring, and what is collected before one write. */
#define TCP_READ_MAX  65536
#define TCP_WRITE_MAX (2 * (ANSWER_TCP_MAX + 2))
#define TCP_BUCKETS   1024

struct udp;
struct tcp_listener;
struct tcp_conn;

struct net_worker {
    uv_loop_t *loop;          /* borrowed */
    struct answerer answerer; /* owns its snapshot's reference */
    struct net_counters counters;
    struct net_witness_ring witnesses;
    const struct net_limits *limits;             /* borrowed */
    struct tls_context *tls;                     /* shared: our reference; NULL: none yet */
    struct udp *udp[NET_ADDRESSES_MAX];          /* owned */
    struct tcp_listener *tcp[NET_ADDRESSES_MAX]; /* owned */
    size_t addresses;

    /* connections, the longest idle first */
    struct tcp_conn *first, *last;
    struct tcp_conn *bucket[TCP_BUCKETS]; /* by client */
    uint64_t bucket_key;                  /* random, odd: nobody outside knows who is beside whom */
    unsigned conns, conns_max;
    enum answer_transport streams; /* what they are: ANSWER_TCP or ANSWER_TLS */
    uint64_t began_ns;             /* when what is being answered was received */
    uv_timer_t timer;

    /* Takes connections there is no memory for, and closes them. */
    uv_tcp_t spare;
    bool spare_busy;

    unsigned handles; /* open ones: the worker ends with the last */
    bool closing;
    uint64_t closing_ms; /* since when */
    void (*done)(void *ctx);
    void *ctx; /* borrowed */

    uint8_t udp_buf[UDP_BATCH][UDP_QUERY_MAX];
    uint8_t tcp_read[TCP_READ_MAX];
    uint8_t tcp_write[TCP_WRITE_MAX];
};

static inline struct net_conn_counters *worker_conns(struct net_worker *w)
{
    return &w->counters.conns[w->streams];
}

/* A challenge's name was just asked for: worker_witness() notes by whom. */
static inline bool worker_saw_challenge(const struct net_worker *w)
{
    return w->answerer.challenge.name_len != 0;
}
void worker_witness(struct net_worker *w, enum answer_transport transport,
                    const struct sockaddr_storage *peer);

/* A handle was closed. */
void worker_handle_gone(struct net_worker *w);

enum err udp_open(struct net_worker *w, int fd, const struct net_address *address,
                  struct udp **out);
/* Answers what has arrived, then closes. */
void udp_close(struct udp *u);

enum err tcp_open(struct net_worker *w, int fd, struct tcp_listener **out);
void tcp_close(struct tcp_listener *l);
/* What they waited for may be there now. */
void tcp_let_in_waiting(struct net_worker *w);
/* Closes connections that owe nothing, the others as soon as they have paid; all of them after the
 * time that a peer has for taking its answers. */
void tcp_drain(struct net_worker *w);

#endif

/* A connection, and the worker's book of them. Shared by conns.c and tcp_uv.c. */
#ifndef DNSD_NET_CONN_H
#define DNSD_NET_CONN_H

#include "worker.h"

struct tcp_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    struct net_worker *w;         /* borrowed */
    struct tcp_conn *prev, *next; /* the worker's list, the longest idle first */
    struct tcp_conn *same_next;   /* same bucket */
    uint64_t client;              /* v4 address, or the first 64 bits of v6 */
    uint8_t *in;                  /* owned: octets not yet answered; NULL: none */
    size_t in_len, in_cap;
    uint8_t *unsent; /* owned: being written; NULL: nothing is */
    size_t unsent_len;
    uint64_t since_ms; /* when what we wait for began: query, rest of the frame, writing */
    uint64_t full_ms;  /* when a read filled the buffer: there is more, but others are waiting */
    bool closing;
};

/* conns.c */
void conns_add(struct tcp_conn *c);
void conns_remove(struct tcp_conn *c);
/* C is no longer the idlest. */
void conns_touch(struct tcp_conn *c);
/* Who has to go before somebody else of CLIENT comes in; NULL: there is room. */
struct tcp_conn *conns_in_the_way(const struct net_worker *w, uint64_t client);

#endif

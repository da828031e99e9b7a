/* A connection, and the worker's book of them. */
#ifndef DNSD_NET_CONN_H
#define DNSD_NET_CONN_H

#include "worker.h"

struct tcp_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    struct net_worker *w;         /* borrowed */
    struct tls_conn *tls;         /* owned; NULL: plain */
    struct tcp_conn *prev, *next; /* the worker's list, the longest idle first */
    struct tcp_conn *same_next;   /* same bucket */
    uint64_t client;              /* v4 address, or the first 64 bits of v6 */
    uint8_t *in;                  /* owned: octets not yet answered; NULL: none */
    size_t in_len, in_cap;
    uint8_t *unsent; /* owned: being written; NULL: nothing is */
    size_t unsent_len;
    uint64_t since_ms; /* when what we wait for began: query, rest of the frame, writing */
    uint64_t born_ms;
    uint64_t full_ms; /* when a read filled the buffer: there is more, but others are waiting */
    bool tls_begun, tls_done; /* the handshake */
    bool deaf;                /* the socket takes nothing more, or not from where we were */
    bool closing;
};

/* conns.c */
void tcp_conns_add(struct tcp_conn *c);
void tcp_conns_remove(struct tcp_conn *c);
/* C is no longer the idlest. */
void tcp_conns_touch(struct tcp_conn *c);
/* Who has to go before somebody else of CLIENT comes in; NULL: there is room. */
struct tcp_conn *tcp_conns_in_the_way(const struct net_worker *w, uint64_t client);

/* tcp_uv.c */
/* Accepted, and all its fields zero but W and CLIENT, and TLS if it is not plain. */
void tcp_conn_begin(struct tcp_conn *c);
void tcp_conn_close(struct tcp_conn *c);
void tcp_conn_on_closed(uv_handle_t *h);
/* These may end the connection, and say so by false. */
/* Answers the whole frames in BYTES and keeps the rest. */
bool tcp_conn_absorb(struct tcp_conn *c, const uint8_t *bytes, size_t len);
/* Writes to the socket: at once what the kernel takes, the rest from a copy. Not while something is
 * unsent. */
bool tcp_conn_send(struct tcp_conn *c, const uint8_t *bytes, size_t len);

/* tls_uv.c, for connections that are not plain */
bool dot_open(struct tcp_conn *c); /* false: no memory */
bool dot_is_shaking(const struct tcp_conn *c);
bool dot_is_over(const struct tcp_conn *c); /* by the peer's wish or by a failure */
/* As tcp_conn_absorb() and tcp_conn_send(). BYTES of dot_receive() are in the worker's tcp_read. */
bool dot_receive(struct tcp_conn *c, const uint8_t *bytes, size_t len);
/* And whatever else waits to be sent. LEN may be 0. */
bool dot_send(struct tcp_conn *c, const uint8_t *bytes, size_t len);
/* The last words, as far as they can be said at once. */
void dot_end(struct tcp_conn *c);

#endif

/* Who asked for a challenge's name: a ring for each worker, written by the worker and emptied by one
 * other thread. No lock; when it is full the newest are counted and dropped. Only questions for names that
 * begin with _acme-challenge get here, so it costs the others nothing.
 */
#ifndef DNSD_NET_WITNESS_H
#define DNSD_NET_WITNESS_H

#include <netinet/in.h>
#include <stdatomic.h>

#include "dnsd/answer/answer.h"

#define NET_WITNESSES 64 /* validators ask a few dozen times for one name */

struct net_witness {
    int64_t at_ms; /* wall clock */
    enum answer_transport transport;
    bool v6;
    uint8_t source[6]; /* network of who asked: a /24, or a /48 */
    struct answer_challenge challenge;
};

struct net_witness_ring {
    _Atomic uint32_t written, taken; /* how many, ever */
    _Atomic uint64_t missed;
    struct net_witness items[NET_WITNESSES];
};

/* SOURCE: 4 octets of an IPv4 address, or at least 6 of an IPv6 one. */
void net_witness_put(struct net_witness_ring *r, const struct answer_challenge *challenge,
                     enum answer_transport transport, bool v6, const uint8_t *source);
/* Up to MAX of them, the oldest first. */
size_t net_witness_take(struct net_witness_ring *r, struct net_witness *out, size_t max);

/* 192.0.2.0/24, 2001:db8:1::/48 */
#define NET_WITNESS_SOURCE_TEXT 64
void net_witness_source(const struct net_witness *w, char out[NET_WITNESS_SOURCE_TEXT]);

#endif

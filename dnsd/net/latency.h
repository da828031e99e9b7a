/* How long answers take: two looks at the clock for a batch, however many queries it has. */
#ifndef DNSD_NET_LATENCY_H
#define DNSD_NET_LATENCY_H

#include "net.h"

/* Of a clock that never goes back; only differences mean anything. */
uint64_t net_latency_now_ns(void);

/* QUERIES of them took NS each. The worker's thread only. */
void net_latency_add(struct net_latency *l, uint64_t ns, uint64_t queries);

#endif

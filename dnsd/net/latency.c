#include "latency.h"

#include <time.h>

/* 1, 2, 5 of each unit in nanoseconds. */
#define STEPS(X, unit) X(1ull * (unit)) X(2ull * (unit)) X(5ull * (unit))
#define BOUNDS(X)                                                                                  \
    STEPS(X, 1000)                                                                                 \
    STEPS(X, 10000)                                                                                \
    STEPS(X, 100000)                                                                               \
    STEPS(X, 1000000)                                                                              \
    STEPS(X, 10000000)                                                                             \
    STEPS(X, 100000000)                                                                            \
    X(1000000000ull)

const double net_latency_bounds[NET_LATENCY_BOUNDS] = {
#define X(ns) (double)(ns) / 1e9,
    BOUNDS(X)
#undef X
};

static const uint64_t bounds_ns[NET_LATENCY_BOUNDS] = {
#define X(ns) ns,
    BOUNDS(X)
#undef X
};

uint64_t net_latency_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void net_latency_add(struct net_latency *l, uint64_t ns, uint64_t queries)
{
    unsigned bucket = 0;
    while (bucket < NET_LATENCY_BOUNDS && ns > bounds_ns[bucket]) {
        bucket++;
    }
    metrics_add(&l->buckets[bucket], queries);
    metrics_add(&l->sum_ns, ns * queries);
}

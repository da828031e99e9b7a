#include "latency.h"

#include <time.h>

const double net_latency_bounds[NET_LATENCY_BOUNDS] = {
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3,
    2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1, 5e-1, 1,
};

uint64_t latency_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void latency_add(struct net_latency *l, uint64_t ns, uint64_t queries)
{
    unsigned bucket = 0;
    double s = (double)ns * 1e-9;
    while (bucket < NET_LATENCY_BOUNDS && s > net_latency_bounds[bucket]) {
        bucket++;
    }
    metrics_add(&l->buckets[bucket], queries);
    metrics_add(&l->sum_ns, ns * queries);
}

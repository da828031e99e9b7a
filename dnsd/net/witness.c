#include "witness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"

void net_witness_put(struct net_witness_ring *r, const struct answer_challenge *challenge,
                     enum answer_transport transport, bool v6, const uint8_t *source)
{
    uint32_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&r->taken, memory_order_acquire) >= NET_WITNESSES) {
        metrics_add(&r->missed, 1);
        return;
    }
    struct net_witness *w = &r->items[written % NET_WITNESSES];
    w->at_ms = clk_wall_ms(&clk_system);
    w->transport = transport;
    w->v6 = v6;
    memset(w->source, 0, sizeof w->source);
    memcpy(w->source, source, v6 ? 6 : 3);
    w->challenge = *challenge;
    atomic_store_explicit(&r->written, written + 1, memory_order_release);
}

size_t net_witness_take(struct net_witness_ring *r, struct net_witness *out, size_t max)
{
    uint32_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
    uint32_t there = atomic_load_explicit(&r->written, memory_order_acquire) - taken;
    size_t n = there < max ? there : max;
    for (size_t i = 0; i < n; i++) {
        out[i] = r->items[(taken + i) % NET_WITNESSES];
    }
    atomic_store_explicit(&r->taken, taken + (uint32_t)n, memory_order_release);
    return n;
}

void net_witness_source(const struct net_witness *w, char out[NET_WITNESS_SOURCE_TEXT])
{
    uint8_t address[16] = {0};
    char text[INET6_ADDRSTRLEN];
    memcpy(address, w->source, sizeof w->source);
    inet_ntop(w->v6 ? AF_INET6 : AF_INET, address, text, sizeof text);
    snprintf(out, NET_WITNESS_SOURCE_TEXT, "%s/%d", text, w->v6 ? 48 : 24);
}

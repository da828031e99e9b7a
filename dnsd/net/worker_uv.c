#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/mem.h"
#include "lib/tls_context.h"
#include "worker.h"

const struct net_limits net_limits_default = {
    .tcp_idle_ms = 10000,
    .tcp_frame_ms = 2000,
    .tcp_write_ms = 2000,
    .tls_handshake_ms = 5000,
    .tcp_clients = 0,
    .tls_clients = 2000,
    .tcp_per_client = 16,
    .tcp_unsent = 65536,
};

/* Fewer than this is not a service. */
#define CLIENTS_MIN 16

static unsigned clients_max(const struct net_limits *limits, unsigned workers)
{
    struct rlimit files;
    if (limits->tcp_clients != 0) {
        return limits->tcp_clients;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return CLIENTS_MIN;
    }
    rlim_t share = files.rlim_cur / 2 / workers;
    return share < CLIENTS_MIN ? CLIENTS_MIN : share > 100000 ? 100000 : (unsigned)share;
}

const char *net_tls_version_text(enum net_tls_version version)
{
    static const char *const texts[NET_TLS_VERSIONS] = {"TLSv1.2", "TLSv1.3"};
    assert(version < NET_TLS_VERSIONS);
    return texts[version];
}

static void on_timer_closed(uv_handle_t *h)
{
    worker_handle_gone(h->data);
}

void worker_handle_gone(struct net_worker *w)
{
    if (--w->handles > 0) {
        /* The timer is the last: until then connections have their deadlines. */
        if (w->handles == 1 && w->closing && !uv_is_closing((uv_handle_t *)&w->timer)) {
            uv_close((uv_handle_t *)&w->timer, on_timer_closed);
        }
        return;
    }
    void (*done)(void *ctx) = w->done;
    void *ctx = w->ctx;
    if (w->answerer.snapshot != NULL) {
        zone_snapshot_unref(w->answerer.snapshot);
    }
    tls_context_unref(w->tls);
    free(w);
    if (done != NULL) {
        done(ctx);
    }
}

/* What the address has for this share: datagrams and connections, connections only, or nothing. */
static enum err open_address(struct net_worker *w, struct net_bound *b, unsigned share)
{
    size_t i = w->addresses;
    enum err e = ERR_OK;
    if (b->tcp[share] < 0) {
        return ERR_OK;
    }
    if (b->udp[share] >= 0) {
        e = udp_open(w, b->udp[share], &b->address, &w->udp[i]);
        if (e != ERR_OK) {
            return e;
        }
        b->udp[share] = -1;
    }
    w->addresses++;
    e = tcp_open(w, b->tcp[share], &w->tcp[i]);
    b->tcp[share] = -1;
    return e;
}

static void prepare(struct net_worker *w, const struct net_sockets *sockets, unsigned share,
                    const struct net_limits *limits)
{
    w->limits = limits;
    w->streams = share < sockets->workers ? ANSWER_TCP : ANSWER_TLS;
    w->conns_max = clients_max(limits, sockets->workers + sockets->tls_workers);
    if (w->streams == ANSWER_TLS && w->conns_max > limits->tls_clients) {
        w->conns_max = limits->tls_clients;
    }
    uv_random(NULL, NULL, &w->bucket_key, sizeof w->bucket_key, 0, NULL);
    w->bucket_key |= 1;
}

enum err net_worker_open(uv_loop_t *loop, struct net_sockets *sockets, unsigned share,
                         const struct answer_config *config, const struct net_limits *limits,
                         struct net_worker **out, struct err_info *info)
{
    struct net_worker *w = mem_xalloc(sizeof *w);
    w->loop = loop;
    prepare(w, sockets, share, limits);
    w->answerer.config = config;
    w->answerer.counters = &w->counters.answer;
    w->timer.data = w;
    uv_timer_init(loop, &w->timer);
    w->handles = 1;
    for (size_t i = 0; i < sockets->count; i++) {
        enum err e = open_address(w, &sockets->bound[i], share);
        if (e != ERR_OK) {
            char text[NET_ADDRESS_TEXT_MAX];
            net_address_text(&sockets->bound[i].address, text);
            net_worker_close(w, NULL, NULL);
            return err_set(info, e, "cannot serve %s: the loop does not take its sockets", text);
        }
    }
    *out = w;
    return ERR_OK;
}

void worker_witness(struct net_worker *w, enum answer_transport transport,
                    const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
    bool is_v6 = peer->ss_family == AF_INET6;
    net_witness_put(&w->witnesses, &w->answerer.challenge, transport, is_v6,
                    is_v6 ? v6->sin6_addr.s6_addr : (const uint8_t *)&v4->sin_addr);
    w->answerer.challenge.name_len = 0;
}

void net_worker_use(struct net_worker *w, const struct zone_snapshot *snapshot)
{
    const struct zone_snapshot *old = w->answerer.snapshot;
    w->answerer.snapshot = snapshot;
    if (old != NULL) {
        zone_snapshot_unref(old);
    }
}

void net_worker_use_tls(struct net_worker *w, struct tls_context *context)
{
    struct tls_context *old = w->tls;
    w->tls = context;
    tls_context_unref(old);
    tcp_let_in_waiting(w);
}

const struct net_counters *net_worker_counters(const struct net_worker *w)
{
    return &w->counters;
}

void net_worker_close(struct net_worker *w, void (*done)(void *ctx), void *ctx)
{
    w->closing = true;
    w->closing_ms = uv_now(w->loop);
    w->done = done;
    w->ctx = ctx;
    w->handles++; /* ours, until all is under way */
    for (size_t i = 0; i < w->addresses; i++) {
        if (w->udp[i] != NULL) {
            udp_close(w->udp[i]);
        }
        if (w->tcp[i] != NULL) {
            tcp_close(w->tcp[i]);
        }
    }
    tcp_drain(w);
    if (w->handles == 2) {
        uv_close((uv_handle_t *)&w->timer, on_timer_closed);
    }
    w->handles--;
}

/* Sockets and workers: the name server's outside.
 *
 * A worker is a loop with its own sockets, its own reference to the zone and its own counters.
 * Every worker has a socket of each address (SO_REUSEPORT), so the kernel spreads packets and
 * connections over them and they share nothing. struct net_server runs N workers on threads of
 * their own; struct net_worker runs on a loop of the caller's (that is how another program embeds
 * us).
 *
 * UDP: own sockets under uv_poll, recvmmsg/sendmmsg, replies from the address that was asked, never
 * fragmented. A reply that the kernel does not take at once is dropped and counted, never queued.
 * TCP (RFC 7766): whatever one read brought is answered in one write. Bounded by struct net_limits.
 *
 * Threads: everything is called on the control loop's thread; counters may be read at any time.
 */
#ifndef DNSD_NET_NET_H
#define DNSD_NET_NET_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <uv.h>

#include "dnsd/answer/answer.h"
#include "lib/err.h"

#define NET_ADDRESSES_MAX 64
#define NET_WORKERS_MAX   256

struct net_address {
    struct sockaddr_storage sa;
};
/* IP in text form, v4 or v6. ERR_MALFORMED. */
enum err net_address_parse(const char *ip, uint16_t port, struct net_address *out) MUST_USE;
/* "192.0.2.1:53", "[2001:db8::1]:53". */
#define NET_ADDRESS_TEXT_MAX 64
void net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT_MAX]);

/* Why these: a query and its answer need milliseconds, so seconds are for slow paths and not for
 * slow attackers; 16 connections are more than a resolver opens; 64 KiB unsent is one largest
 * answer. */
struct net_limits {
    unsigned tcp_idle_ms;    /* 10,000: without a query */
    unsigned tcp_frame_ms;   /* 2,000: from a query's first octet to its last */
    unsigned tcp_write_ms;   /* 2,000: for the peer to take what was answered */
    unsigned tcp_clients;    /* per worker; 0: half of the open files allowed, over all workers */
    unsigned tcp_per_client; /* 16 per address (IPv6: per /64) and worker */
    size_t tcp_unsent;       /* 65,536: beyond it the connection's queries wait */
};
extern const struct net_limits net_limits_default;

struct net_counters {
    struct answer_counters answer;
    _Atomic uint64_t udp_send_failed; /* replies the kernel did not take */
    _Atomic uint64_t tcp_accepted;
    _Atomic uint64_t tcp_open;
    _Atomic uint64_t tcp_evicted;   /* to make room for a newcomer */
    _Atomic uint64_t tcp_timed_out; /* idle ones not counted */
    _Atomic uint64_t tcp_refused;   /* accept failed: out of files or memory */
};

/* Sockets of one address, bound but not read yet: N of each kind. */
struct net_bound {
    struct net_address address; /* with the port that was really bound */
    int *udp, *tcp;             /* owned: N file descriptors each, -1 once taken over */
};
struct net_sockets {
    struct net_bound *bound; /* owned */
    size_t count;
    unsigned workers;
};

/* Binds COUNT addresses for WORKERS workers. Port 0: the system picks one, the same for UDP and
 * TCP. ERR_BUSY (somebody else has the port), ERR_DENIED (a port below 1024 without the right to),
 * ERR_IO (not an address of this machine, ...): INFO names address, port and remedy. Blocks; boot
 * only. */
enum err net_sockets_bind(const struct net_address *addresses, size_t count, unsigned workers,
                          struct net_sockets *out, struct err_info *info) MUST_USE;
void net_sockets_close(struct net_sockets *s);

/* ---- one worker on a loop of the caller's --------------------------------------------------- */

struct net_worker;
/* Takes over the sockets of index INDEX. CONFIG, LIMITS: borrowed until the worker is closed. */
enum err net_worker_open(uv_loop_t *loop, struct net_sockets *sockets, unsigned index,
                         const struct answer_config *config, const struct net_limits *limits,
                         struct net_worker **out, struct err_info *info) MUST_USE;
/* Answers from SNAPSHOT from the next packet on. Takes over the caller's reference. */
void net_worker_use(struct net_worker *w, const struct zone_snapshot *snapshot);
const struct net_counters *net_worker_counters(const struct net_worker *w);
/* Answers what has arrived, lets connections take their answers, then closes. */
void net_worker_close(struct net_worker *w, void (*done)(void *ctx), void *ctx);

/* ---- workers on threads of their own -------------------------------------------------------- */

struct net_server;
/* CONFIG and LIMITS are copied (the texts of CONFIG are borrowed until closed). FIRST is answered
 * from the first packet on; NULL: SERVFAIL until something is published. */
enum err net_server_start(uv_loop_t *control, struct net_sockets *sockets,
                          const struct answer_config *config, const struct net_limits *limits,
                          const struct zone_snapshot *first, struct net_server **out,
                          struct err_info *info) MUST_USE;
/* Gives each worker a reference to SNAPSHOT; the caller keeps its own. CONFIG NULL: as before; else
 * its texts are borrowed until the server is closed. */
void net_server_publish(struct net_server *s, const struct zone_snapshot *snapshot,
                        const struct answer_config *config);
unsigned net_server_workers(const struct net_server *s);
const struct net_counters *net_server_counters(const struct net_server *s, unsigned worker);
/* As net_worker_close() for all; DONE when the last thread has ended. */
void net_server_close(struct net_server *s, void (*done)(void *ctx), void *ctx);

#endif

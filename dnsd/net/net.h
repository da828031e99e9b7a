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
 * DNS over TLS (RFC 7858, 9539): TCP with lib/tls between socket and frames; one read's answers are
 * one run of records and one write.
 *
 * TLS addresses have workers of their own. A handshake costs a third of a millisecond, as much as
 * fifty UDP answers, and anybody can begin one; on a thread of UDP's all answers would wait for it.
 * There are at most NET_TLS_WORKERS of them, with a lower priority: whatever is asked of them, other
 * answers keep the rest of the machine, and two make more handshakes than anybody asks of a name
 * server's TLS.
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
#define NET_TLS_WORKERS   2

struct tls_context; /* lib/tls_context.h */

struct net_address {
    struct sockaddr_storage sa;
    bool tls; /* DNS over TLS, and nothing else, is spoken here */
};
/* IP in text form, v4 or v6; not TLS. ERR_MALFORMED. */
enum err net_address_parse(const char *ip, uint16_t port, struct net_address *out) MUST_USE;
/* "192.0.2.1:53", "[2001:db8::1]:53". */
#define NET_ADDRESS_TEXT_MAX 64
void net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT_MAX]);

/* Why these: a query and its answer need milliseconds, so seconds are for slow paths and not for
 * slow attackers; 16 connections are more than a resolver opens; 64 KiB unsent is one largest
 * answer. A handshake is two or three journeys there and back, with packets that get lost. A connection
 * with TLS takes 15 KB of memory, and 46 KB in the middle of a handshake (measured). */
struct net_limits {
    unsigned tcp_idle_ms;      /* 10,000: without a query */
    unsigned tcp_frame_ms;     /* 2,000: from a query's first octet to its last */
    unsigned tcp_write_ms;     /* 2,000: for the peer to take what was answered */
    unsigned tls_handshake_ms; /* 5,000: from the connection's beginning to its end */
    unsigned tcp_clients;      /* per worker; 0: half of the open files allowed, over all workers */
    unsigned tls_clients;      /* 2,000 per TLS worker, and never more than tcp_clients says */
    unsigned tcp_per_client;   /* 16 per address (IPv6: per /64) and worker */
    size_t tcp_unsent;         /* 65,536: beyond it the connection's queries wait */
};
extern const struct net_limits net_limits_default;

/* Connections of one transport. */
struct net_conn_counters {
    _Atomic uint64_t accepted;
    _Atomic uint64_t open;
    _Atomic uint64_t evicted;   /* to make room for a newcomer */
    _Atomic uint64_t timed_out; /* idle ones not counted */
    _Atomic uint64_t refused;   /* out of files or memory */
};

enum net_tls_version { NET_TLS_1_2, NET_TLS_1_3 };
#define NET_TLS_VERSIONS 2
/* "TLSv1.3" */
const char *net_tls_version_text(enum net_tls_version version);

struct net_tls_counters {
    _Atomic uint64_t done[NET_TLS_VERSIONS]; /* handshakes; those resumed, too */
    _Atomic uint64_t resumed[NET_TLS_VERSIONS];
    _Atomic uint64_t failed; /* begun and not done, for whatever reason */
};

/* Upper bounds of a histogram's buckets in seconds: 1 us to 1 s in steps of 1, 2, 5. One more bucket
 * has what took longer. */
#define NET_LATENCY_BOUNDS  19
#define NET_LATENCY_BUCKETS (NET_LATENCY_BOUNDS + 1)
extern const double net_latency_bounds[NET_LATENCY_BOUNDS];

/* From when a batch was received to when its answers were handed to the kernel; each query of the
 * batch counts, with the batch's time. For queries that had to wait for their peer to read, from
 * when they were taken up again: how slow a peer is, is not our time. */
struct net_latency {
    _Atomic uint64_t buckets[NET_LATENCY_BUCKETS];
    _Atomic uint64_t sum_ns;
};

struct net_counters {
    struct answer_counters answer;
    struct net_latency latency[ANSWER_TRANSPORTS];
    struct net_conn_counters conns[ANSWER_TRANSPORTS]; /* UDP has none */
    struct net_tls_counters tls;
};

/* Sockets, bound but not read yet, in shares: one for each worker. Shares 0 to workers - 1 have those
 * of plain addresses, the tls_workers after them those of TLS addresses. */
struct net_bound {
    struct net_address address; /* with the port that was really bound */
    int *udp, *tcp;             /* owned: a descriptor for each share; -1: none, or taken over */
};
struct net_sockets {
    struct net_bound *bound; /* owned */
    size_t count;
    unsigned workers;
    unsigned tls_workers; /* at most NET_TLS_WORKERS and WORKERS; 0 without TLS addresses */
};

/* Binds COUNT addresses for WORKERS workers. Port 0: the system picks one, the same for UDP and TCP
 * of all plain addresses, and another one for all TLS addresses. ERR_BUSY (somebody else has the
 * port), ERR_DENIED (a port below 1024 without the right to), ERR_IO (not an address of this
 * machine, ...): INFO names address, port and remedy. Blocks; boot only. */
enum err net_sockets_bind(const struct net_address *addresses, size_t count, unsigned workers,
                          struct net_sockets *out, struct err_info *info) MUST_USE;
void net_sockets_close(struct net_sockets *s);
/* Why A cannot be had (CODE: errno of bind(2)), for whoever binds sockets of his own: ERR_BUSY,
 * ERR_DENIED or ERR_IO, and INFO with the remedy. KIND: "tcp"; the keys are those that say A. */
enum err net_bind_error(const struct net_address *a, const char *kind, const char *port_key,
                        const char *ip_key, int code, struct err_info *info) MUST_USE;

/* ---- one worker on a loop of the caller's --------------------------------------------------- */

struct net_worker;
/* Takes over the sockets of a share. CONFIG, LIMITS: borrowed until the worker is closed. */
enum err net_worker_open(uv_loop_t *loop, struct net_sockets *sockets, unsigned share,
                         const struct answer_config *config, const struct net_limits *limits,
                         struct net_worker **out, struct err_info *info) MUST_USE;
/* Answers from SNAPSHOT from the next packet on. Takes over the caller's reference. */
void net_worker_use(struct net_worker *w, const struct zone_snapshot *snapshot);
/* Shows CONTEXT to TLS connections from the next one on; those that are open keep theirs. Takes over
 * the caller's reference. Until there is a first one, they wait outside. */
void net_worker_use_tls(struct net_worker *w, struct tls_context *context);
const struct net_counters *net_worker_counters(const struct net_worker *w);
/* Answers what has arrived, lets connections take their answers, then closes. */
void net_worker_close(struct net_worker *w, void (*done)(void *ctx), void *ctx);

/* ---- workers on threads of their own -------------------------------------------------------- */

struct net_server;
struct net_witness;
/* A thread for each share of SOCKETS. CONFIG and LIMITS are copied (the texts of CONFIG are borrowed
 * until closed). FIRST is answered from the first packet on; NULL: SERVFAIL until something is
 * published. TLS: references are taken; NULL: as net_worker_use_tls() says. */
enum err net_server_start(uv_loop_t *control, struct net_sockets *sockets,
                          const struct answer_config *config, const struct net_limits *limits,
                          const struct zone_snapshot *first, struct tls_context *tls,
                          struct net_server **out, struct err_info *info) MUST_USE;
/* Gives each worker a reference to SNAPSHOT; the caller keeps its own. CONFIG NULL: as before; else
 * its texts are borrowed until the server is closed. */
void net_server_publish(struct net_server *s, const struct zone_snapshot *snapshot,
                        const struct answer_config *config);
/* As net_worker_use_tls() for all; the caller keeps its reference. */
void net_server_use_tls(struct net_server *s, struct tls_context *context);
/* All that have counters, and how many of them, the last ones, serve TLS. */
unsigned net_server_workers(const struct net_server *s);
unsigned net_server_tls_workers(const struct net_server *s);
const struct net_counters *net_server_counters(const struct net_server *s, unsigned worker);
/* Up to MAX questions for challenges' names since the last call (witness.h). One thread alone may ask. */
size_t net_server_witnesses(struct net_server *s, struct net_witness *out, size_t max);
/* As net_worker_close() for all; DONE when the last thread has ended. */
void net_server_close(struct net_server *s, void (*done)(void *ctx), void *ctx);

#endif

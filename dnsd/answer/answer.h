/* Packet in, packet out: everything between the socket and the zone.
 *
 * The pipeline, each stage in a file of its own and each deciding one thing:
 *
 *   parse (wire/query)   is it a DNS query at all
 *   policy               which well-formed questions we answer, and how large an answer may be.
 *                        Cookies and response rate limiting belong here: they look at the peer
 *                        and the query, and may cut the reply's limit or ask for TC.
 *   solve                what the zone says: answer, referral, "no such type", "no such name"
 *   finish               OPT record, header, truncation
 *
 * RCODE, AA and TC are decided here and nowhere else. Nothing here allocates, locks, waits or
 * writes to shared memory; the work is bounded by the size of one message. An error of ours is
 * never turned into "no such name": without a snapshot the answer is SERVFAIL.
 *
 * Threads: one struct answerer per worker, used by that worker alone; its counters may be read from
 * any thread. Peers see: RFC 1034 §4.3.2, 1035, 2181, 2308, 4035 §3.1.4.1 (DS), 4592, 5001, 6604,
 * 6891, 7766, 7828, 8020, 8482, 8906, 9619.
 */
#ifndef DNSD_ANSWER_ANSWER_H
#define DNSD_ANSWER_ANSWER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/zone/snapshot.h"

/* What fits every path without fragments (DNS flag day 2020). */
#define ANSWER_UDP_MAX  1232
#define ANSWER_TCP_MAX  65535
#define ANSWER_NSID_MAX 64

enum answer_transport { ANSWER_UDP, ANSWER_TCP };
#define ANSWER_TRANSPORTS 2

/* One writer, many readers: plain stores that no reader can see torn. */
struct answer_counters {
    _Atomic uint64_t queries[ANSWER_TRANSPORTS];
    _Atomic uint64_t rcodes[17]; /* by RCODE; 16 is BADVERS */
    _Atomic uint64_t dropped;    /* not worth an answer: short, or an answer itself */
    _Atomic uint64_t truncated;
    _Atomic uint64_t trailing; /* answered, with octets after the last record */
};

static inline void answer_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

struct answer_config {
    const char *id;        /* NSID and id.server; NULL: none. At most ANSWER_NSID_MAX */
    const char *version;   /* version.bind; NULL: none */
    bool chaos;            /* answer in class CH at all (RFC 4892) */
    uint16_t keepalive_ds; /* what edns-tcp-keepalive is answered with, in 100 ms (RFC 7828) */
};

struct answerer {
    const struct zone_snapshot *snapshot; /* shared: the worker's reference; NULL: none yet */
    const struct answer_config *config;   /* borrowed */
    struct answer_counters *counters;     /* borrowed */
    uint32_t turn;                        /* which address comes first, from answer to answer */
};

/* Answers the message IN, that came over TRANSPORT, into OUT; returns the octets of the answer, 0:
 * send nothing. OUT may be IN; it needs ANSWER_UDP_MAX or ANSWER_TCP_MAX octets, and LEN ones. */
size_t answer_query(struct answerer *a, enum answer_transport transport, const uint8_t *in,
                    size_t len, uint8_t *out);

#endif

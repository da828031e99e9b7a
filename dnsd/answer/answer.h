/* Packet in, packet out: everything between the socket and the zone.
 *
 * The pipeline, each stage in a file of its own and each deciding one thing:
 *
 *   parse (wire/query)   is it a DNS query at all
 *   policy               which well-formed questions we answer, and how large an answer may be.
 *                        Cookies and response rate limiting belong here: they look at the peer
 *                        and the query, and may cut the reply's limit or ask for TC.
 *   solve                what the zone says: answer, referral, "no such type", "no such name"
 *   finish               OPT record, padding, header, truncation
 *
 * RCODE, AA and TC are decided here and nowhere else. Nothing here allocates, locks, waits or
 * writes to shared memory; the work is bounded by the size of one message. An error of ours is
 * never turned into "no such name": without a snapshot the answer is SERVFAIL.
 *
 * Threads: one struct answerer per worker, used by that worker alone; its counters may be read from
 * any thread. Peers see: RFC 1034 §4.3.2, 1035, 2181, 2308, 4035 §3.1.4.1 (DS), 4592, 5001, 6604,
 * 6891, 7766, 7828, 7830, 8020, 8467, 8482, 8906, 9619.
 */
#ifndef DNSD_ANSWER_ANSWER_H
#define DNSD_ANSWER_ANSWER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/zone/snapshot.h"
#include "lib/metrics.h"

/* What fits every path without fragments (DNS flag day 2020). */
#define ANSWER_UDP_MAX  1232
#define ANSWER_TCP_MAX  65535
#define ANSWER_NSID_MAX 64

/* ANSWER_TLS is what ANSWER_TCP is, and padded for those who ask for it. */
enum answer_transport { ANSWER_UDP, ANSWER_TCP, ANSWER_TLS };
#define ANSWER_TRANSPORTS 3

/* What is counted apart: types by the index of answer_type_index(), RCODEs by that of
 * answer_rcode_index(). The last of each is what is not among the others. */
#define ANSWER_TYPES  16
#define ANSWER_RCODES 8

/* Why nothing was said. The first two are found here, the others by who has the socket. */
enum answer_drop {
    ANSWER_DROP_SHORT,       /* not even a header */
    ANSWER_DROP_ANSWER,      /* answering answers is how two servers talk for ever */
    ANSWER_DROP_PORT_ZERO,   /* nobody can be there */
    ANSWER_DROP_SEND_FAILED, /* answered, and the kernel did not take it */
};
#define ANSWER_DROPS 4

/* lib/metrics.h: one writer, many readers. */
struct answer_counters {
    _Atomic uint64_t queries[ANSWER_TRANSPORTS][ANSWER_TYPES][ANSWER_RCODES]; /* answered */
    _Atomic uint64_t dropped[ANSWER_DROPS];
    _Atomic uint64_t truncated;
    _Atomic uint64_t trailing; /* answered, with octets after the last record */
};

/* Of a type of the IANA registry; of an RCODE, extended ones included. */
unsigned answer_type_index(uint16_t type);
unsigned answer_rcode_index(unsigned rcode);
/* For each index: "udp", "AAAA", "NXDOMAIN", "send_failed"; "other". */
const char *answer_transport_text(enum answer_transport transport);
const char *answer_type_text(unsigned index);
const char *answer_rcode_text(unsigned index);
const char *answer_drop_text(enum answer_drop reason);

/* Sums: over types and RCODEs; over transports and types. */
uint64_t answer_queries_over(const struct answer_counters *c, enum answer_transport transport);
uint64_t answer_queries_with(const struct answer_counters *c, unsigned rcode_index);

struct answer_config {
    const char *id;        /* NSID and id.server; NULL: none. At most ANSWER_NSID_MAX */
    const char *version;   /* version.bind; NULL: none */
    bool chaos;            /* answer in class CH at all (RFC 4892) */
    uint16_t keepalive_ds; /* what edns-tcp-keepalive is answered with, in 100 ms (RFC 7828) */
};

/* The last question for a name that begins with _acme-challenge, and what was said: when a CA's
 * validation fails, that is the only witness of who asked. */
struct answer_challenge {
    uint8_t name_len; /* octets of NAME, folded; 0: none since it was last set to 0 */
    uint8_t name[WIRE_NAME_MAX];
    uint16_t type;
    uint16_t rcode;
    uint16_t answers; /* records */
    bool truncated;
};

struct answerer {
    const struct zone_snapshot *snapshot; /* shared: the worker's reference; NULL: none yet */
    const struct answer_config *config;   /* borrowed */
    struct answer_counters *counters;     /* borrowed */
    uint32_t turn;                        /* which address comes first, from answer to answer */
    struct answer_challenge challenge;
};

/* Answers the message IN, that came over TRANSPORT, into OUT; returns the octets of the answer, 0:
 * send nothing. OUT may be IN; it needs ANSWER_UDP_MAX or (TLS, too) ANSWER_TCP_MAX octets, and
 * LEN ones. */
size_t answer_query(struct answerer *a, enum answer_transport transport, const uint8_t *in,
                    size_t len, uint8_t *out);

#endif

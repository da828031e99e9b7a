/* A worker on a loop of the test's, and clients beside it in the same thread: whoever waits for a
 * client lets the loop turn meanwhile. cmocka assertions; deadlines instead of sleeps.
 */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include "dnsd/net/net.h"
#include "dnsd/zone/zone.h"

#define NET_FIXTURE_DEADLINE_MS 10000

struct net_fixture {
    uv_loop_t loop;
    struct zone *zone;
    const struct zone_snapshot *snapshot; /* a reference of the test's */
    struct net_sockets sockets;
    struct net_limits limits; /* net_limits_default; change before opening */
    struct net_worker *worker;
    size_t dialled; /* which of the sockets' addresses; 0 */
    bool closed;
};

/* The zone: OPTIONS and CONTENT as zone_build.h wants them. */
void net_fixture_init(struct net_fixture *f, const char *options, const char *content);
/* A worker on IP, port of the system's choice. */
void net_fixture_open(struct net_fixture *f, const char *ip);
/* The same for DNS over TLS. CONTEXT: a reference is taken; NULL: none yet. */
void net_fixture_open_tls(struct net_fixture *f, const char *ip, struct tls_context *context);
/* Ends the worker if that has not been begun, waits for its end, and frees everything. */
void net_fixture_end(struct net_fixture *f);
void net_fixture_close_begin(struct net_fixture *f);

uint16_t net_fixture_port(const struct net_fixture *f);

/* A client's socket, connected to IP at the port that is dialled. FROM: its own address; NULL: any. */
int net_fixture_dial(struct net_fixture *f, int type, const char *ip, const char *from);

/* One turn of the loop; waits at most a millisecond for something to happen at FD (-1: nothing). */
void net_fixture_turn(struct net_fixture *f, int fd);
/* Turns until COUNTER has reached N. */
void net_fixture_until(struct net_fixture *f, const _Atomic uint64_t *counter, uint64_t n);

void net_fixture_send(struct net_fixture *f, int fd, const void *bytes, size_t len);
/* Reads until LEN octets are there; fewer if the other side ended or nothing came in time. */
size_t net_fixture_read(struct net_fixture *f, int fd, void *bytes, size_t len);
/* The other side has ended, now or within the deadline, and has said nothing more. */
bool net_fixture_ended(struct net_fixture *f, int fd);

/* A query for NAME (absolute) with ID; FRAMED: with its length in front. Returns its octets. */
size_t net_fixture_query(uint8_t *out, size_t cap, uint16_t id, const char *name, uint16_t type,
                         bool framed);

#endif

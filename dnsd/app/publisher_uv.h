/* acme/publisher.h for the daemon: proofs are rows, the zone answers from them, and they are proved by
 * asking.
 *
 * precheck: DNS-01: the delegation (unless check_delegation is false): a DS record for our unsigned zone,
 *   or a name server without an address, is ERR_DENIED; CAA for each name as every core gives it, and above
 *   our apex as the world has it; more than PUBLISHER_FOREIGN_MAX foreign values at the challenge's name.
 *   HTTP-01 and ALPN-01: CAA as the world has it. What cannot be looked up because no resolver answers is
 *   told in the report and is no error; what is looked up and wrong is ERR_DENIED, with the remedy.
 * put: rows under the fence.
 * prove: first every core that is alive, at its own addresses (one without: by the revision that its
 *   heartbeat tells), and those that were never heard, which may be silent; then every NS of the parent at all its addresses. The set wanted is ours and what the
 *   store has of others. HTTP-01: our own challenge port. ALPN-01: our own HTTPS port.
 * witnesses: INFO is a sentence, with ERR_OK too.
 * Reports: JSON objects; "notes" has what was not checked, and why.
 *
 * Several operations may be under way; cancel() ends them all.
 *
 * Threads: the loop's.
 */
#ifndef DNSD_APP_PUBLISHER_UV_H
#define DNSD_APP_PUBLISHER_UV_H

#include <netinet/in.h>
#include <uv.h>

#include "acme/publisher.h"
#include "dnsd/wire/name.h"
#include "lib/clock.h"

#define PUBLISHER_FOREIGN_MAX 6
#define PUBLISHER_CORES_MAX   64

struct publisher;

struct publisher_core {
    char id[64];
    char ip[16], ipv6[46]; /* "" */
    bool live;             /* heard lately, or ourselves */
    bool unheard;          /* never heard: it is new, or has no dnsd */
    bool self;
    uint64_t revision; /* its zone's, as it last told */
};
struct publisher_options {
    uv_loop_t *loop;                          /* borrowed */
    const struct clk *clock;                  /* borrowed */
    const struct wire_name *apex;             /* NULL: no zone of ours */
    uint16_t dns_port;                        /* where cores and the NS answer: 53, but in tests */
    struct sockaddr_storage challenge, https; /* our own, as reached from here; AF_UNSPEC: off */
    const char *const *resolvers;
    size_t resolvers_count;
    bool check_delegation;
    void *ctx;                         /* borrowed, of the functions below */
    struct store *(*store)(void *ctx); /* NULL: not there */
    size_t (*cores)(void *ctx, struct publisher_core *out, size_t max); /* as known now */
    uint64_t (*revision)(void *ctx);                                    /* our own zone's */
};
/* Without resolvers /etc/resolv.conf is read (blocks: boot). ERR_MALFORMED, ERR_LIMIT: resolvers. */
enum err publisher_open(const struct publisher_options *options, struct publisher **out,
                        struct err_info *info) MUST_USE;
const struct acme_publisher *publisher_face(struct publisher *p); /* borrowed from P */
/* What is under way ends with ERR_CANCELED first. DONE may be NULL. */
void publisher_close(struct publisher *p, void (*done)(void *ctx), void *ctx);

#endif

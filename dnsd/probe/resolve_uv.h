/* What the rest of the world says: addresses, CAA, and who the parent of our zone says answers for it.
 *
 * Through recursive resolvers (letsEncrypt.resolvers, or those of /etc/resolv.conf), asked in turn until
 * one answers. A delegation is looked up by finding the parent zone (SOA of the enclosing names), its
 * servers, and asking those directly, without recursion, for our NS: what a cache believes does not
 * count (RFC 1034 §4.3.2). Servers whose names are in the zone itself have the addresses that the parent
 * gives (glue); all others those that the resolvers know, and glue besides.
 *
 * Threads: the loop's; callbacks later, once; results borrowed until they return.
 */
#ifndef DNSD_PROBE_RESOLVE_UV_H
#define DNSD_PROBE_RESOLVE_UV_H

#include "ask_uv.h"
#include "caa.h"

#define RESOLVE_SERVERS_MAX   8
#define RESOLVE_NS_MAX        16
#define RESOLVE_ADDRESSES_MAX 64
#define RESOLVE_WAIT_MS       20000 /* for all of one lookup */

struct resolve;

/* SERVERS: addresses, perhaps with a port ("192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"); none:
 * /etc/resolv.conf is read (blocks: boot). ERR_MALFORMED: not an address; ERR_LIMIT. */
enum err resolve_open(uv_loop_t *loop, struct probe *probe, const char *const *servers,
                      size_t count, struct resolve **out, struct err_info *info) MUST_USE;
/* Where the name servers that are found answer: 53, but in tests. */
void resolve_use_port(struct resolve *r, uint16_t port);
void resolve_close(struct resolve *r, void (*done)(void *ctx), void *ctx);
/* Whatever is under way ends with ERR_CANCELED, later. */
void resolve_cancel(struct resolve *r);

struct resolve_server {
    struct wire_name name;
    struct sockaddr_storage addresses[8]; /* with port */
    size_t count;                         /* 0: it cannot be found */
    bool glue;                            /* the parent gives addresses */
};
struct resolve_delegation {
    struct wire_name parent; /* the zone the delegation is in */
    struct resolve_server servers[RESOLVE_NS_MAX];
    size_t count;
    bool has_ds; /* the parent says that the zone is signed (RFC 4035 §2.4) */
};
/* ERR_NOTFOUND: the parent does not delegate the zone (INFO says who said so); ERR_TIMEOUT,
 * ERR_UNAVAIL: nobody could tell; ERR_LIMIT: more than RESOLVE_NS_MAX name servers. */
typedef void resolve_delegation_cb(void *ctx, enum err e, const struct err_info *info,
                                   const struct resolve_delegation *d);
void resolve_delegation(struct resolve *r, const struct wire_name *zone, resolve_delegation_cb *cb,
                        void *ctx);

/* A and AAAA. ERR_NOTFOUND: neither. Ports are 0. */
typedef void resolve_addresses_cb(void *ctx, enum err e, const struct err_info *info,
                                  const struct sockaddr_storage *list, size_t count);
void resolve_addresses(struct resolve *r, const struct wire_name *name, resolve_addresses_cb *cb,
                       void *ctx);

/* The relevant record set (RFC 8659 §3): the first CAA set found climbing from NAME; AT is where it was.
 * COUNT 0: there is none up to the root. A SERVFAIL on the way is ERR_UNAVAIL: a CA would refuse;
 * ERR_MALFORMED: a record that is none; ERR_LIMIT: more than CAA_MAX. */
typedef void resolve_caa_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct wire_name *at, const struct caa_set *set);
void resolve_caa(struct resolve *r, const struct wire_name *name, resolve_caa_cb *cb, void *ctx);

#endif

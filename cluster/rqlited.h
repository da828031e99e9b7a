/* rqlited as a child: how a node is to be started. Pure: no process, no file, no lookup.
 *
 * A node that starts with the wrong arguments may found a second cluster beside the first, which no
 * later step can mend. So the way a node starts follows from what is known, by these rules:
 *
 *   it was a member before, under this address   -> RESUME: no arguments about others at all
 *   a lone core (discovery is off), nobody else
 *   known to the zone or by the name lsc         -> FOUND: makes a cluster of its own
 *   one of the configured founders (seeds), a
 *   voter, and no member known                   -> FORM: together with all of them, or not at all
 *   anything else                                -> JOIN: known members first, then whoever lsc names
 *
 * Only FOUND and FORM can make a cluster. FORM wants every founder to be there (-bootstrap-expect is
 * their number), so that no two parts of them can form two. A founder whose disk was replaced finds
 * the others unwilling to form anew, and joins.
 *
 * RESUME could make one by accident: rqlited founds when its state names no peers and nothing is
 * said about others. So it is called a non-voter then, which it heeds only there: it refuses to
 * found. What it is among the others (voter or not) is in its Raft state.
 *
 * A member whose own address has changed joins again, whereby the others learn it; in turn with a
 * plain RESUME, because a core that was alone until now must not join (rqlited refuses as well).
 *
 * A state of which nobody wrote down that it was a member's (of another supervisor, or left by an
 * attempt that led nowhere) is tried by RESUME at each third attempt.
 *
 * The Raft port is open to others only with tls or discovery on. A core without either, or without
 * an address of its own, joins nobody: the others would wait for a voter they cannot reach.
 */
#ifndef CLUSTER_RQLITED_H
#define CLUSTER_RQLITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define RQLITED_PEERS_MAX 64
#define RQLITED_ARGS_MAX  64
#define RQLITED_ADDRESS   64 /* an address in text form, and its NUL */

/* What the configuration says. Borrowed texts. */
struct rqlited_config {
    const char *bin_path;
    const char *data_dir;
    const char *node_id;
    const char *ip, *ipv6; /* of this core; NULL: unset. The first that is set is advertised */
    const char *raft_bind; /* address:port to listen on; NULL: any, or loopback, as needed */
    const char *domain;    /* NULL: none */
    uint16_t http_port;    /* on loopback, always */
    uint16_t raft_port;    /* the same on every core */
    /* Behind the gate (gate_uv.h): listens on 127.0.0.1 at this port, whatever raft_bind says, and is
     * known to others as before. 0: listens by itself. */
    uint16_t raft_local_port;
    const char *ca_file, *cert_file, *key_file; /* all or none: mutual TLS between nodes */
    bool verify_client;
    bool non_voter;
    bool discovery; /* cluster.discoveryEnabled */
    const char *auth_file;
    const char *user; /* in auth_file */
};

struct rqlited_peers {
    char address[RQLITED_PEERS_MAX][RQLITED_ADDRESS]; /* without ports; IPv6 without brackets */
    size_t count;
};
/* Adds ADDRESS in its one canonical form unless it is there already, or there is no room. */
void rqlited_peers_add(struct rqlited_peers *p, const char *address);

/* What is known at this moment. */
struct rqlited_known {
    const char *member_as;        /* address:port this node last was a member with; NULL: never */
    bool has_state;               /* there is a raft.db, perhaps of an attempt that led nowhere */
    struct rqlited_peers members; /* cores of the zone; this one does not matter */
    struct rqlited_peers seeds;   /* dns.staticEntries lsc, this core among them */
    struct rqlited_peers lookup;  /* what the host's resolver says of lsc.<domain> */
    bool looked_up;               /* it gave an answer, perhaps an empty one */
    unsigned attempt;             /* how often in a row starting has failed: 0 at first */
};

enum rqlited_way { RQLITED_RESUME, RQLITED_FOUND, RQLITED_FORM, RQLITED_JOIN, RQLITED_NOBODY };

struct rqlited_plan {
    enum rqlited_way way;       /* RQLITED_NOBODY: nobody to join is known; wait and look again */
    bool unsure;                /* a RESUME that may lead nowhere */
    bool discover;              /* let rqlited ask for lsc itself (-disco-mode dns) */
    unsigned expect;            /* FORM: how many founders */
    struct rqlited_peers peers; /* JOIN and FORM without `discover` */
    const char *why;            /* static: for the log */
};
void rqlited_plan(const struct rqlited_config *c, const struct rqlited_known *k,
                  struct rqlited_plan *out);
const char *rqlited_way_text(enum rqlited_way way);

/* The argument vector: NULL-terminated, its texts in `room`. ERR_LIMIT if they do not fit; ERR_BUG for
 * a plan without a way. An attempt to form or join ends by itself after about half a minute. */
struct rqlited_argv {
    char *argv[RQLITED_ARGS_MAX];
    size_t count;
    char room[8192];
    size_t used;
};
enum err rqlited_argv(const struct rqlited_config *c, const struct rqlited_plan *p,
                      struct rqlited_argv *out, struct err_info *info) MUST_USE;

bool rqlited_argv_same(const struct rqlited_argv *a, const struct rqlited_argv *b);

/* "192.0.2.1:4002", "[2001:db8::1]:4002": what this node is known by among the others. */
void rqlited_advertised(const struct rqlited_config *c, char out[RQLITED_ADDRESS + 8]);

/* The credential file's JSON: USER may do everything, nobody else anything. The caller wipes and
 * frees it; NULL: no memory, or a text that is not UTF-8. */
char *rqlited_auth_json(const char *user, const char *password);

#endif

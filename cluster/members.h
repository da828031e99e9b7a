/* The nodes of a Raft cluster as rqlite tells them, and whether one of them may be taken out.
 *
 * Pure: no socket, no clock. What is read is the reply to GET /nodes?ver=2&nonvoters (rqlite 8.26 to
 * 10; members that are not known here are left alone). A node's id is the core's id.
 *
 * Reachable means: answered the node that was asked within the time it was given. It is what that
 * node sees, and it may be cut off itself.
 */
#ifndef CLUSTER_MEMBERS_H
#define CLUSTER_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define MEMBERS_MAX     256 /* Raft itself is no joy with more than a handful of voters */
#define MEMBERS_ID      256 /* an id, and its NUL; without a name of its own a node's address is it */
#define MEMBERS_ADDRESS 280 /* host name, port, and a NUL */
#define MEMBERS_VERSION 32  /* cut */

struct member {
    char id[MEMBERS_ID];
    char address[MEMBERS_ADDRESS]; /* of its Raft port */
    char version[MEMBERS_VERSION]; /* "": not told (before 8.36.3, or not reachable) */
    bool voter, reachable, leader;
};
struct members {
    struct member *items; /* owned; in the order of ids */
    size_t count;
    size_t voters, nonvoters, unreachable;
    size_t voters_reachable;
    const struct member *leader; /* one of items; NULL: none known */
};

/* ERR_MALFORMED, ERR_LIMIT, ERR_NOMEM: *out is empty. */
enum err members_parse(const char *text, size_t len, struct members *out,
                       struct err_info *info) MUST_USE;
void members_free(struct members *m);
/* NULL: no node of that id. */
const struct member *members_find(const struct members *m, const char *id);

/* More than half of the voters answer. */
bool members_have_quorum(const struct members *m);

/* What taking a node out would do. Raft carries a removal out when more than half of the voters that
 * are left agree to it, and cannot be asked again when they cannot. */
enum members_removal {
    MEMBERS_ABSENT,    /* there is no such node */
    MEMBERS_REMOVABLE, /* go on */
    MEMBERS_LAST,      /* it is the only voter: what is left could not hold anything */
    MEMBERS_NO_QUORUM, /* too few voters answer: nothing can be changed now */
    MEMBERS_LOSES      /* those that would be left are too few that answer; see to them first */
};
struct members_rest {
    size_t voters, reachable; /* voters after the removal, and how many of them answer */
};
/* REST may be NULL. */
enum members_removal members_removal(const struct members *m, const char *id,
                                     struct members_rest *rest);

/* What a reply of rqlite's to a request about its nodes means. ERR_DENIED: wrong credentials.
 * ERR_UNAVAIL: no leader now. ERR_TIMEOUT: the leader lost its place meanwhile; whether it was
 * carried out is not known. ERR_CONFLICT: refused. ERR_IO: something else; INFO has what it said. */
enum err members_outcome(unsigned status, const char *body, struct err_info *info) MUST_USE;

#endif

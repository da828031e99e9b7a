/* Asks an rqlite for its nodes, and takes one out, over HTTP.
 *
 * Any node may be asked: what only the leader can do is passed on to it. One request each, no retry;
 * taking out a node that is not there is fine, so after ERR_TIMEOUT it may simply be asked again.
 *
 * Threads: the loop of the client; callbacks come later, never inside the call; exactly once.
 * Memory: everything given is copied. What a callback is handed is borrowed until it returns. For
 * tools: aborts when out of memory (lib/mem.h).
 *
 * Errors: those of lib/httpc_curl.h and members_outcome().
 */
#ifndef CLUSTER_MEMBERS_UV_H
#define CLUSTER_MEMBERS_UV_H

#include "lib/httpc_curl.h"
#include "members.h"

#define MEMBERS_PROBE_S 2     /* how long the node asked waits for each other */
#define MEMBERS_WAIT_MS 10000 /* how long we wait for it */

struct members_access {
    const char *url;             /* of the HTTP API, without user and password */
    const char *user, *password; /* NULL: none asked for */
};

typedef void members_list_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct members *members);
/* Permission in rqlite: status. */
void members_list(struct httpc *http, const struct members_access *access, members_list_cb *cb,
                  void *ctx);

typedef void members_done_cb(void *ctx, enum err e, const struct err_info *info);
/* Permission in rqlite: remove. Ask members_removal() first. */
void members_remove(struct httpc *http, const struct members_access *access, const char *id,
                    members_done_cb *cb, void *ctx);

#endif

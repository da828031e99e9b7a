/* Keeps an rqlited running: starts it, watches it, starts it again, stops it in order.
 *
 *   plan ──> spawn ──> ALIVE (HTTP answers) ──> READY (knows a leader) ──> lost: ALIVE
 *    ^         │            exit                     exit
 *    └── WAIT <┴─────────────┴────────────────────────┘      backoff 0.5 s to 30 s;
 *                                                            BROKEN after many in a row: one try
 *                                                            a minute, told as an error
 *
 * The child dies with this process, however that ends (PR_SET_PDEATHSIG). What it prints goes to
 * our log, line by line, without its secrets. Once it is READY the member file in state_dir says so,
 * which makes the next start a RESUME (rqlited.h).
 *
 * Threads: everything on the loop given; callbacks come later, never inside a call.
 */
#ifndef CLUSTER_RQLITED_UV_H
#define CLUSTER_RQLITED_UV_H

#include <uv.h>

#include "rqlited.h"

struct rqlited;

enum rqlited_state {
    RQLITED_WAITING,  /* for the next try, or for somebody to join */
    RQLITED_STARTING, /* the process is there, its HTTP API not yet */
    RQLITED_ALIVE,    /* answers, but knows no leader */
    RQLITED_READY,
    RQLITED_BROKEN, /* does not stay up */
    RQLITED_STOPPING
};

/* Everything is copied. */
struct rqlited_options {
    struct rqlited_config config;
    const char *password;  /* of config.user */
    const char *state_dir; /* of ours: auth file, member file */
    /* Who is known now; called before each start. Fills members and seeds. */
    void (*known)(void *ctx, struct rqlited_known *out);
    /* The state or the role has changed. */
    void (*on_change)(void *ctx);
    void *ctx; /* borrowed */
};

struct rqlited_view {
    enum rqlited_state state;
    const char *role;        /* leader, follower, non-voter, "" (not known) */
    const char *leader;      /* node id; "": none known */
    const char *version;     /* "": not known */
    int pid;                 /* 0: not running */
    unsigned restarts;       /* since we started */
    const char *last_exit;   /* "": never ended; else how, and what it last complained of */
    size_t voters, nonvoters, unreachable; /* nodes, as this one sees them */
};

/* ERR_NOTFOUND: bin_path is no program. */
enum err rqlited_start(uv_loop_t *loop, const struct rqlited_options *options,
                       struct rqlited **out, struct err_info *info) MUST_USE;
/* Borrowed until the next event of the loop. */
void rqlited_view(const struct rqlited *r, struct rqlited_view *out);
const char *rqlited_state_text(enum rqlited_state state);
/* SIGTERM (a leader hands over first), SIGKILL after 8 s. Then DONE, and R is gone. */
void rqlited_stop(struct rqlited *r, void (*done)(void *ctx), void *ctx);

#endif

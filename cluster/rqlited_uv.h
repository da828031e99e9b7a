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
 * A core that was alone and has got another address since (the first one ever, most likely) is
 * still known to its own Raft state by the old one, at which other cores would look for it after
 * the next election. Once that state has told that there is nobody else, rqlited is started again
 * with a peers.json that says the new address; nobody but this core is in it.
 *
 * A disk without room makes rqlited wrong, silently: an entry that fits into Raft's log but not into
 * SQLite's counts as applied. So it is stopped before that, and what may have missed something is
 * started again: its database is made anew from snapshot and log. It makes no snapshot when it
 * ends, but one for each 4 MiB of WAL (minutes apart, or less): a loss that is in one stays.
 *
 * Threads: everything on the loop given; callbacks come later, never inside a call.
 */
#ifndef CLUSTER_RQLITED_UV_H
#define CLUSTER_RQLITED_UV_H

#include <uv.h>

#include "rqlited.h"

#define RQLITED_STOP_MS      8000
#define RQLITED_PASSWORD_MAX 128
/* rqlited makes a snapshot once SQLite's WAL has 4 MiB, which is a copy of it: twice that is what it
 * may write next, without anybody else on the disk. */
#define RQLITED_DISK_LOW ((uint64_t)8 * 1024 * 1024)

struct rqlited;
struct rqlited_limits; /* rqlited_life.h */

enum rqlited_state {
    RQLITED_WAITING,  /* for the next try, for somebody to join, or for room on the disk */
    RQLITED_STARTING, /* the process is there, its HTTP API not yet */
    RQLITED_ALIVE,    /* answers, but knows no leader */
    RQLITED_READY,
    RQLITED_BROKEN, /* does not stay up */
    RQLITED_STOPPING
};

/* Everything is copied. config.auth_file is not read: with a user and a password the file is
 * <state_dir>/rqlite-auth.json (0600); without, everybody may do everything on loopback. */
struct rqlited_options {
    struct rqlited_config config;
    const char *password;  /* of config.user */
    const char *state_dir; /* of ours: auth file, member file (rqlite-member). Must exist */
    /* Who is known now; called before each start. Adds members and seeds (rqlited_peers_add()). */
    void (*known)(void *ctx, struct rqlited_known *out);
    /* The state, the role or the leader has changed. May call rqlited_stop(). NULL: nobody asks. */
    void (*on_change)(void *ctx);
    void *ctx;                           /* borrowed */
    const struct rqlited_limits *limits; /* borrowed; NULL: the usual */
};

struct rqlited_view {
    enum rqlited_state state;
    const char *role;      /* leader, follower, non-voter, "" (not known) */
    const char *leader;    /* node id; "": none known */
    const char *version;   /* "": not known */
    int pid;               /* 0: not running */
    unsigned restarts;     /* since we started */
    const char *last_exit; /* "": never ended; else how, and what it last complained of */
    size_t voters, nonvoters, unreachable; /* nodes, as this one sees them */
};

/* ERR_NOTFOUND, ERR_DENIED: bin_path is no program. One look at the file system, nothing more. The
 * password must not be longer than RQLITED_PASSWORD_MAX (ERR_LIMIT). */
enum err rqlited_start(uv_loop_t *loop, const struct rqlited_options *options, struct rqlited **out,
                       struct err_info *info) MUST_USE;
/* Borrowed until the next event of the loop. */
void rqlited_view(const struct rqlited *r, struct rqlited_view *out);
const char *rqlited_state_text(enum rqlited_state state);
/* What this node holds is not what the others hold at the same revision: WHY, for the log. It is
 * started again, which makes its database anew; at most once in 60 s, for it may not help. */
void rqlited_suspect(struct rqlited *r, const char *why);
/* From now on it is started with CONFIG, which is copied; if it runs with other arguments than those, it is
 * ended in order and started again at once, which counts as no failure. ERR_CONFLICT: another node_id or
 * data_dir. `user` and `auth_file` are not looked at: they stay. ERR_NOTFOUND, ERR_DENIED, ERR_NOMEM; then
 * nothing has changed. */
enum err rqlited_reconfigure(struct rqlited *r, const struct rqlited_config *config,
                             struct err_info *info) MUST_USE;
/* SIGTERM (a leader hands over first), SIGKILL after RQLITED_STOP_MS. Then DONE, and R is gone. A
 * lookup of lsc.<domain> that is under way may keep the loop alive for longer. Once only. */
void rqlited_stop(struct rqlited *r, void (*done)(void *ctx), void *ctx);

#endif

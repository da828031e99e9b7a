/* The parts of the supervisor: the driver (rqlited_uv.c), what it finds out before a start
 * (rqlited_look_uv.c) and while the child runs (rqlited_poll_uv.c), the room on its disk
 * (rqlited_disk_uv.c), and its configuration (rqlited_change_uv.c). */
#ifndef CLUSTER_RQLITED_PRIV_H
#define CLUSTER_RQLITED_PRIV_H

#include <netdb.h>

#include "lib/httpc_curl.h"
#include "lib/log.h"
#include "lib/loop_uv.h"
#include "lib/proc_uv.h"
#include "members.h"
#include "rqlited_life.h"

#define RQLITED_TAG       "rqlited"
#define RQLITED_COMPLAINT 256

struct lookup; /* of lsc.<domain>; lives as long as the resolver takes */

/* Copies of texts. */
struct rqlited_texts {
    char *text[12];
    size_t count;
    bool full; /* no memory */
};

/* A configuration and its texts. */
struct rqlited_setting {
    struct rqlited_config config;
    struct rqlited_texts texts; /* owned */
};

struct rqlited {
    uv_loop_t *loop;              /* borrowed */
    struct rqlited_config config; /* its texts are in `lasting` and `texts` */
    struct rqlited_texts lasting; /* owned: what cannot change */
    struct rqlited_texts texts;   /* owned */
    struct rqlited_setting
        *next;                /* owned: takes the place of `config` when `work` is over; or NULL */
    struct rqlited_argv argv; /* of the child, if there is one */
    char password[RQLITED_PASSWORD_MAX + 1];
    char *auth_file, *member_file, *raft_db,
        *peers_json;               /* owned; auth_file NULL: no credentials */
    char url[40];                  /* of the HTTP API, without a path */
    char own[RQLITED_ADDRESS + 8]; /* what it advertises now */
    void (*known)(void *ctx, struct rqlited_known *out);
    void (*on_change)(void *ctx);
    void *ctx; /* borrowed */

    struct rqlited_life life;
    uv_timer_t timer;   /* the life's WAIT; while planning, the patience with the resolver */
    struct httpc *http; /* owned */
    struct proc *proc;  /* NULL: no child */
    struct rqlited_plan plan;
    const char *told_why; /* static: the last plan that was logged */

    /* planning */
    struct loop_work work; /* reads `config` and `own`: they stay while it is under way */
    bool working;
    enum err work_result;
    struct err_info work_info;
    bool auth_written;
    bool has_state;                       /* raft.db is there */
    bool state_gone;                      /* a member file without raft.db */
    bool readdress;                       /* write peers.json before the next start */
    char member_as[RQLITED_ADDRESS + 16]; /* "": none */
    bool member_written;                  /* the member file says `own` */
    struct lookup *lookup;
    struct rqlited_peers found;
    bool looked_up;

    /* polling */
    bool polling;
    struct httpc_call *call; /* under way; NULL: none */
    struct rqlited_event seen;
    bool exited; /* meanwhile */
    struct members members;
    char version[32];

    /* the disk */
    uv_timer_t disk_timer;
    struct loop_work disk_work;
    bool disk_busy, closing;
    bool look_ok; /* these two are the pool's while disk_busy */
    uint64_t look_free;
    struct rqlited_event disk_seen;
    char stop_why[RQLITED_COMPLAINT]; /* what last_exit will say of this child; "": how it ended */

    bool in_call; /* of the user's: no callback now */
    struct log_limit complaints, denied;
    char complaint[RQLITED_COMPLAINT], last_line[RQLITED_COMPLAINT];
    char last_exit[RQLITED_COMPLAINT + 64];
    char role[16], leader[MEMBERS_ID]; /* these and the next: as of the last poll */
    size_t voters, nonvoters, unreachable;
    void (*done)(void *ctx);
    void *done_ctx;
    unsigned open; /* to be closed: timers, http, a look at the disk */
};

/* Each ends in rqlited_planned() or rqlited_polled(), later. */
void rqlited_look(struct rqlited *r);
void rqlited_poll(struct rqlited *r);
/* Gives up waiting for the resolver; its answer is that there was none. No-op otherwise. */
void rqlited_look_hurry(struct rqlited *r);

void rqlited_planned(struct rqlited *r, enum err e, const struct err_info *info);
void rqlited_polled(struct rqlited *r);
void rqlited_event(struct rqlited *r, struct rqlited_event ev);
void rqlited_part_closed(struct rqlited *r);

/* Copies into R what OPTIONS say, once. */
enum err rqlited_copy(struct rqlited *r, const struct rqlited_options *options) MUST_USE;
void rqlited_copy_free(struct rqlited *r);
/* W, off the loop; DONE begins with rqlited_work_done(). */
void rqlited_work(struct rqlited *r, void (*work)(struct loop_work *w),
                  void (*done)(struct loop_work *w));
void rqlited_work_done(struct rqlited *r);

void rqlited_disk_start(struct rqlited *r); /* looks at once, and then each disk_ms */
void rqlited_disk_close(struct rqlited *r); /* adds to `open` */
void rqlited_disk_line(struct rqlited *r, const char *line);
/* After an event: tells whether there is no room any more, or again. */
void rqlited_disk_note(struct rqlited *r, bool was_full);

#endif

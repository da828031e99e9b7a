/* The life of a supervised rqlited, as a machine: what to do next, after what has happened. Pure: no
 * process, no clock, no file; cluster/rqlited_uv.c carries it out.
 *
 *            PLAN ──nobody──> WAIT                    one thing is under way at any time; only EXITED,
 *     GO ──>  │ ^ <───────────┘ │ time                DISK, SUSPECT, CHANGED and STOP come unasked
 *             v └───────────────┘
 *           SPAWN ──failed──> WAIT (backoff)
 *             v
 *      ┌──> WAIT ──time──> POLL ──too long──> KILL ──exited──> WAIT (backoff) ──> PLAN
 *      └─────────────────────┘
 *     EXITED: as after KILL.   STOP: KILL if there is a child, then DONE.
 *     DISK without room: KILL if there is a child; then WAITs, not PLAN, until there is room.
 *     SUSPECT: KILL. What it holds may be wrong, and a start makes it anew from its log.
 *     CHANGED: KILL, then PLAN without a backoff: it is to be started with other arguments.
 *
 * Backoff doubles with every end, and begins anew after a run of `steady_ms`; an attempt to join or
 * form that ran for `alive_ms` has ended as planned (rqlited.c bounds it), which is no reason to wait
 * longer. `broken_after` ends in a row without as much as that: BROKEN, one try each
 * `broken_every_ms`, until one lasts.
 */
#ifndef CLUSTER_RQLITED_LIFE_H
#define CLUSTER_RQLITED_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "rqlited.h"
#include "rqlited_uv.h"

struct rqlited_limits {
    unsigned poll_ms;       /* between two polls until READY */
    unsigned poll_ready_ms; /* and then */
    unsigned misses;        /* polls in a row without an answer after which it is not ALIVE */
    unsigned nobody_ms;     /* until we look again for somebody to join */
    unsigned backoff_min_ms, backoff_max_ms;
    unsigned steady_ms; /* a run as long as this was a good one */
    unsigned alive_ms;  /* a run that was ALIVE as long as this was no failure to start */
    unsigned broken_after, broken_every_ms;
    unsigned formless_ms; /* ALIVE but never READY in an attempt to join or form: planned anew */
    unsigned disk_ms;     /* between two looks at the disk */
    uint64_t disk_low;    /* octets: not run with less; started again with twice as much */
    unsigned suspect_ms;  /* SUSPECT is heeded once in this time */
};
extern const struct rqlited_limits rqlited_limits_default;

enum rqlited_event_kind {
    RQLITED_EV_GO,      /* once, first */
    RQLITED_EV_TIME,    /* a WAIT is over */
    RQLITED_EV_PLANNED, /* `way`, `unsure`; ok false: could not even look */
    RQLITED_EV_SPAWNED, /* ok false: there is no child */
    RQLITED_EV_POLLED,  /* ok: it answered; `ready`, `again` */
    RQLITED_EV_EXITED,
    RQLITED_EV_DISK,    /* `free`; ok false: not known */
    RQLITED_EV_SUSPECT, /* `full`: it said itself that it had no room */
    RQLITED_EV_CHANGED, /* the arguments it runs with are not the ones it should */
    RQLITED_EV_STOP
};
struct rqlited_event {
    enum rqlited_event_kind kind;
    int64_t now_ms;
    bool ok;
    bool ready;
    bool again; /* POLLED: start it again, for something that only a start changes */
    bool unsure;
    bool full;
    uint64_t free; /* octets */
    enum rqlited_way way;
};

enum rqlited_action_kind {
    RQLITED_ACT_NONE, /* something is under way whose event will come */
    RQLITED_ACT_PLAN,
    RQLITED_ACT_SPAWN,
    RQLITED_ACT_POLL,
    RQLITED_ACT_WAIT, /* wait_ms, then TIME */
    RQLITED_ACT_KILL, /* in order; EXITED follows */
    RQLITED_ACT_DONE
};
struct rqlited_action {
    enum rqlited_action_kind kind;
    unsigned wait_ms;
    const char *why; /* KILL: static */
};

struct rqlited_life {
    const struct rqlited_limits *limits; /* borrowed, static */
    enum rqlited_state state;
    unsigned attempt;  /* starts in a row that never led to READY; for rqlited_plan() */
    unsigned restarts; /* starts but the first */
    bool broken;       /* until a run lasts */

    bool child, killing, stopping, planning;
    bool full;    /* the disk: until there is room */
    bool changed; /* this run was ended for other arguments' sake, which is no failure either */
    bool spared;  /* this run was ended for the disk's sake, which is no failure of its own */
    bool bounded; /* this run must become READY within formless_ms */
    bool attempted;
    bool was_ready;       /* in this run */
    int64_t alive_since;  /* in this run; -1: never was */
    unsigned missed;      /* polls in a row */
    unsigned ends;        /* in a row that count towards BROKEN */
    unsigned backoff_ms;  /* the next one */
    int64_t suspected_at; /* -1: never */
};
void rqlited_life_init(struct rqlited_life *l, const struct rqlited_limits *limits);
struct rqlited_action rqlited_life_next(struct rqlited_life *l, const struct rqlited_event *ev);
/* Whether rqlited prints with LINE that its own disk was full. */
bool rqlited_says_full(const char *line);

#endif

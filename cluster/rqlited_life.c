#include "rqlited_life.h"

#include <assert.h>
#include <string.h>

const struct rqlited_limits rqlited_limits_default = {
    .poll_ms = 1000,
    .poll_ready_ms = 2000,
    .misses = 3,
    .nobody_ms = 3000,
    .backoff_min_ms = 500,
    .backoff_max_ms = 30000,
    .steady_ms = 60000,
    .alive_ms = 10000,
    .broken_after = 8,
    .broken_every_ms = 60000,
    .formless_ms = 120000,
    .disk_ms = 1000,
    .disk_low = RQLITED_DISK_LOW,
    .suspect_ms = 60000,
};

static struct rqlited_action act(enum rqlited_action_kind kind)
{
    return (struct rqlited_action){.kind = kind};
}

static struct rqlited_action wait_for(unsigned ms)
{
    return (struct rqlited_action){.kind = RQLITED_ACT_WAIT, .wait_ms = ms};
}

static struct rqlited_action kill_it(struct rqlited_life *l, const char *why)
{
    l->killing = true;
    return (struct rqlited_action){.kind = RQLITED_ACT_KILL, .why = why};
}

void rqlited_life_init(struct rqlited_life *l, const struct rqlited_limits *limits)
{
    *l = (struct rqlited_life){.limits = limits,
                               .state = RQLITED_WAITING,
                               .alive_since = -1,
                               .backoff_ms = limits->backoff_min_ms,
                               .suspected_at = -1};
}

/* BROKEN shows through until the child is of use again. */
static void set_state(struct rqlited_life *l, enum rqlited_state state)
{
    l->state = l->stopping                           ? RQLITED_STOPPING
               : l->broken && state != RQLITED_READY ? RQLITED_BROKEN
                                                     : state;
}

static struct rqlited_action plan(struct rqlited_life *l)
{
    l->planning = true;
    set_state(l, RQLITED_WAITING);
    return act(RQLITED_ACT_PLAN);
}

/* There is no child (any more), or there never was one. */
static struct rqlited_action ended(struct rqlited_life *l, int64_t now_ms)
{
    const struct rqlited_limits *m = l->limits;
    int64_t alive_ms = l->alive_since >= 0 ? now_ms - l->alive_since : 0;
    bool lasted = l->alive_since >= 0 && alive_ms >= m->alive_ms;
    l->child = l->killing = false;
    if (l->spared) {
        l->spared = false;
        l->alive_since = -1;
        set_state(l, RQLITED_WAITING);
        return wait_for(m->poll_ms);
    }
    if (l->changed) {
        l->changed = false;
        l->attempt = l->was_ready ? 0 : l->attempt;
        l->alive_since = -1;
        set_state(l, RQLITED_WAITING);
        return wait_for(0);
    }
    l->attempt = l->was_ready ? 0 : l->attempt + 1;
    l->ends = lasted ? 0 : l->ends + 1;
    l->broken = l->ends >= m->broken_after;
    if (lasted && (l->bounded || alive_ms >= m->steady_ms)) {
        l->backoff_ms = m->backoff_min_ms;
    }
    unsigned wait_ms = l->backoff_ms;
    l->backoff_ms = wait_ms < m->backoff_max_ms / 2 ? wait_ms * 2 : m->backoff_max_ms;
    l->alive_since = -1;
    set_state(l, RQLITED_WAITING);
    return wait_for(l->broken ? m->broken_every_ms : wait_ms);
}

static struct rqlited_action planned(struct rqlited_life *l, const struct rqlited_event *ev)
{
    l->planning = false;
    if (l->stopping) {
        return act(RQLITED_ACT_DONE);
    }
    if (l->full) { /* since we looked */
        return wait_for(l->limits->poll_ms);
    }
    l->was_ready = false;
    l->alive_since = -1;
    l->missed = 0;
    l->bounded = false;
    if (!ev->ok) {
        return ended(l, ev->now_ms);
    }
    if (ev->way == RQLITED_NOBODY) {
        l->attempt++; /* others are looked for next time */
        return wait_for(l->limits->nobody_ms);
    }
    l->bounded = ev->way == RQLITED_JOIN || ev->way == RQLITED_FORM || ev->unsure;
    return act(RQLITED_ACT_SPAWN);
}

static struct rqlited_action spawned(struct rqlited_life *l, const struct rqlited_event *ev)
{
    l->restarts += l->attempted;
    l->attempted = true;
    if (!ev->ok) {
        return ended(l, ev->now_ms);
    }
    l->child = true;
    set_state(l, RQLITED_STARTING);
    return wait_for(l->limits->poll_ms);
}

static void see(struct rqlited_life *l, const struct rqlited_event *ev)
{
    if (!ev->ok) {
        bool gone = l->alive_since < 0 || ++l->missed >= l->limits->misses;
        set_state(l, gone ? RQLITED_STARTING : RQLITED_ALIVE);
        return;
    }
    l->missed = 0;
    if (l->alive_since < 0) {
        l->alive_since = ev->now_ms;
    }
    if (ev->now_ms - l->alive_since >= l->limits->alive_ms) {
        l->broken = false;
    }
    l->was_ready = l->was_ready || ev->ready;
    set_state(l, ev->ready ? RQLITED_READY : RQLITED_ALIVE);
}

static struct rqlited_action polled(struct rqlited_life *l, const struct rqlited_event *ev)
{
    if (!l->child || l->killing) {
        return act(RQLITED_ACT_NONE); /* EXITED will come, or came */
    }
    see(l, ev);
    if (ev->again) {
        return kill_it(l, "its address has changed");
    }
    if (l->bounded && !l->was_ready && l->alive_since >= 0 &&
        ev->now_ms - l->alive_since >= l->limits->formless_ms) {
        return kill_it(l, "it does not become part of a cluster");
    }
    return wait_for(ev->ready ? l->limits->poll_ready_ms : l->limits->poll_ms);
}

static struct rqlited_action disk(struct rqlited_life *l, const struct rqlited_event *ev)
{
    uint64_t low = l->limits->disk_low;
    if (!ev->ok || l->stopping) {
        return act(RQLITED_ACT_NONE);
    }
    if (ev->free >= low) {
        l->full = l->full && ev->free / 2 < low;
        return act(RQLITED_ACT_NONE);
    }
    l->full = true;
    if (!l->child || l->killing) {
        return act(RQLITED_ACT_NONE);
    }
    l->spared = true;
    return kill_it(l, "its disk is nearly full");
}

static struct rqlited_action suspect(struct rqlited_life *l, const struct rqlited_event *ev)
{
    if (!l->child || l->killing || l->stopping) {
        return act(RQLITED_ACT_NONE);
    }
    if (ev->full) {
        l->full = true;
        return kill_it(l, "its disk was full");
    }
    if (l->suspected_at >= 0 && ev->now_ms - l->suspected_at < l->limits->suspect_ms) {
        return act(RQLITED_ACT_NONE);
    }
    l->suspected_at = ev->now_ms;
    return kill_it(l, "what it holds may be wrong");
}

/* While it is ended for another reason, that one counts; the next start is with what is new. */
static struct rqlited_action changed(struct rqlited_life *l)
{
    if (!l->child || l->killing || l->stopping) {
        return act(RQLITED_ACT_NONE);
    }
    l->changed = true;
    return kill_it(l, "its configuration has changed");
}

static struct rqlited_action stop(struct rqlited_life *l)
{
    bool again = l->stopping;
    l->stopping = true;
    set_state(l, RQLITED_STOPPING);
    if (again || l->planning) {
        return act(RQLITED_ACT_NONE);
    }
    if (!l->child) {
        return act(RQLITED_ACT_DONE);
    }
    return l->killing ? act(RQLITED_ACT_NONE) : kill_it(l, "stop");
}

struct rqlited_action rqlited_life_next(struct rqlited_life *l, const struct rqlited_event *ev)
{
    switch (ev->kind) {
    case RQLITED_EV_GO:
        return plan(l);
    case RQLITED_EV_TIME:
        return l->killing || l->stopping ? act(RQLITED_ACT_NONE)
               : l->child                ? act(RQLITED_ACT_POLL)
               : l->full                 ? wait_for(l->limits->poll_ms)
                                         : plan(l);
    case RQLITED_EV_PLANNED:
        return planned(l, ev);
    case RQLITED_EV_SPAWNED:
        return spawned(l, ev);
    case RQLITED_EV_POLLED:
        return polled(l, ev);
    case RQLITED_EV_EXITED:
        if (l->stopping) {
            l->child = false;
            return act(RQLITED_ACT_DONE);
        }
        return ended(l, ev->now_ms);
    case RQLITED_EV_DISK:
        return disk(l, ev);
    case RQLITED_EV_SUSPECT:
        return suspect(l, ev);
    case RQLITED_EV_CHANGED:
        return changed(l);
    case RQLITED_EV_STOP:
        return stop(l);
    }
    assert(false);
    return act(RQLITED_ACT_NONE);
}

bool rqlited_says_full(const char *line)
{
    if (strstr(line, "peer=") != NULL) { /* a leader repeats what another node said of its own */
        return false;
    }
    return strcasestr(line, "no space left on device") != NULL ||
           strcasestr(line, "database or disk is full") != NULL;
}

/* Why there are never two who believe that they hold it. A holder counts from when it began the beat
 * that was confirmed last; a watcher counts from when it had read that beat, which is later; and
 * give_up_ms is less than ttl_ms. A beat that was answered late, or not at all, only makes the holder
 * stop earlier, and each one tried has a number of its own: a second one with the same number would
 * be taken for standing still. */
#include "lease.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct lease_times lease_times_default = {
    .ttl_ms = LEASE_TTL_MS,
    .beat_ms = LEASE_BEAT_MS,
    .give_up_ms = LEASE_GIVE_UP_MS,
    .rank_ms = LEASE_RANK_MS,
    .look_ms = LEASE_LOOK_MS,
};

void lease_init(struct lease *l, const struct lease_times *times, const char *self,
                enum lease_rank rank)
{
    *l = (struct lease){.times = times, .rank = rank, .state = LEASE_WATCH};
    snprintf(l->self, sizeof l->self, "%s", self);
}

bool lease_is_held(const struct lease *l, int64_t now_ms)
{
    return l->state == LEASE_HOLD && now_ms - l->confirmed_ms < l->times->give_up_ms;
}

/* Back to watching, and to look at once: who has it is not known any more. */
static void watch(struct lease *l, int64_t now_ms)
{
    l->state = LEASE_WATCH;
    l->known = false;
    l->vacant = false;
    l->holder[0] = '\0';
    l->next_ms = now_ms;
}

/* When what was seen may be taken if it stays so. */
static int64_t take_at(const struct lease *l)
{
    int64_t wait = (int64_t)l->rank * l->times->rank_ms;
    if (!l->vacant || l->better) { /* who is preferred and lives gets as long as who is slow */
        wait += l->times->ttl_ms;
    }
    int64_t at_ms = l->still_since_ms + wait;
    return at_ms > l->away_ms ? at_ms : l->away_ms;
}

static enum lease_act hold(struct lease *l, int64_t now_ms, bool give_way)
{
    int64_t end_ms = l->confirmed_ms + l->times->give_up_ms;
    if (l->in_flight || (now_ms < l->next_ms && !give_way)) {
        l->next_ms = l->in_flight || l->next_ms > end_ms ? end_ms : l->next_ms;
        return LEASE_ACT_WAIT;
    }
    l->in_flight = true;
    if (give_way) { /* from here on: the next holder need not wait for our answer */
        watch(l, now_ms);
        return LEASE_ACT_RELEASE;
    }
    return LEASE_ACT_BEAT;
}

enum lease_act lease_next(struct lease *l, int64_t now_ms, bool better, bool idle)
{
    l->better = better;
    if (l->state == LEASE_HOLD && !lease_is_held(l, now_ms)) {
        watch(l, now_ms);
    }
    if (l->state == LEASE_HOLD) {
        return hold(l, now_ms, (better || now_ms < l->away_ms) && idle);
    }
    if (l->in_flight) {
        l->next_ms = now_ms + l->times->look_ms;
        return LEASE_ACT_WAIT;
    }
    if (now_ms < l->next_ms) {
        return LEASE_ACT_WAIT;
    }
    l->in_flight = true;
    if (l->known && !l->doubtful && now_ms >= take_at(l)) {
        l->state = LEASE_TAKING;
        return LEASE_ACT_TAKE;
    }
    return LEASE_ACT_READ;
}

void lease_saw(struct lease *l, const char *holder, uint64_t term, uint64_t beat, int64_t now_ms)
{
    bool vacant = term == 0 || holder[0] == '\0';
    l->in_flight = false;
    l->doubtful = false;
    if (!l->known || l->term != term || l->beat != beat || l->vacant != vacant) {
        l->still_since_ms = now_ms;
    }
    l->known = true;
    l->vacant = vacant;
    l->term = term;
    l->beat = beat;
    snprintf(l->holder, sizeof l->holder, "%s", vacant ? "" : holder);
    l->next_ms = now_ms + l->times->look_ms;
    if (take_at(l) < l->next_ms) {
        l->next_ms = take_at(l);
    }
}

void lease_unseen(struct lease *l, int64_t now_ms)
{
    l->in_flight = false;
    l->next_ms = now_ms + l->times->look_ms;
}

void lease_took(struct lease *l, enum err e, int64_t begun_ms, int64_t now_ms)
{
    assert(l->state == LEASE_TAKING);
    l->in_flight = false;
    if (e == ERR_OK) {
        l->state = LEASE_HOLD;
        l->vacant = false;
        l->term++;
        l->confirmed_ms = begun_ms;
        l->next_ms = begun_ms + l->times->beat_ms;
        snprintf(l->holder, sizeof l->holder, "%s", l->self);
    } else {
        l->state = LEASE_WATCH;
        l->doubtful = true; /* it has moved, or was even taken: not again on what was seen before */
        l->next_ms = e == ERR_CONFLICT ? now_ms : now_ms + l->times->look_ms;
    }
}

void lease_beaten(struct lease *l, enum err e, int64_t begun_ms, int64_t now_ms)
{
    l->in_flight = false;
    if (l->state != LEASE_HOLD) {
        return; /* too late: it has been given up */
    }
    l->beat++; /* used, whatever became of it */
    if (e == ERR_OK) {
        l->confirmed_ms = begun_ms;
        l->next_ms = begun_ms + l->times->beat_ms;
    } else if (e == ERR_DENIED) {
        watch(l, now_ms);
    } else {
        l->next_ms = now_ms + l->times->look_ms;
    }
}

void lease_released(struct lease *l, int64_t now_ms)
{
    l->in_flight = false;
    watch(l, now_ms);
}

void lease_stay_away(struct lease *l, int64_t until_ms)
{
    l->away_ms = until_ms;
}

void lease_lost(struct lease *l, int64_t now_ms)
{
    if (l->state == LEASE_HOLD) {
        watch(l, now_ms);
    }
}

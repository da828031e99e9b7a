/* Who may order: a lease with a fencing term (store/store.h), judged without any wall clock. Pure.
 *
 *                       given back, never had, or stood still
 *   LEASE_WATCH ──────────────────────────────────────────────> LEASE_TAKE ──ok──> LEASE_HOLD
 *     ^   ^                                                        │ conflict          │ beats
 *     │   └────────────────────────────────────────────────────────┘                   │
 *     └─── no beat was confirmed for LEASE_GIVE_UP_MS, or the store says: passed on ────┘
 *
 * A watcher remembers term and beat and when, on its own monotonic clock, it first saw them; after
 * LEASE_TTL_MS of standing still it takes the lease, conditional on exactly that term and beat. The
 * holder beats every LEASE_BEAT_MS and stops by itself long before anybody may take over. A machine that
 * was asleep (SIGSTOP) finds on waking that its last confirmed beat is too old and stops; what it had
 * under way is refused by the store.
 *
 * Preference: cores differ in how long they wait for a lease that nobody holds, or whose holder stands
 * still: first none, then LEASE_RANK_MS, then twice that (certRenewer: true, unset, false). A holder
 * of lower rank gives it back when it hears of a live core of higher rank and has nothing under way,
 * and then leaves it alone for LEASE_TTL_MS more: a preferred core that cannot take it is no reason to
 * pass it to and fro.
 */
#ifndef ACME_LEASE_H
#define ACME_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define LEASE_TTL_MS     60000
#define LEASE_BEAT_MS    15000
#define LEASE_GIVE_UP_MS 40000
#define LEASE_RANK_MS    10000
#define LEASE_LOOK_MS    5000 /* how often a watcher looks */

enum lease_rank { LEASE_FIRST, LEASE_MIDDLE, LEASE_LAST };

enum lease_state { LEASE_WATCH, LEASE_TAKING, LEASE_HOLD };

/* Times can be shortened all alike for tests (scale 1 is as above). */
struct lease_times {
    int64_t ttl_ms, beat_ms, give_up_ms, rank_ms, look_ms;
};
extern const struct lease_times lease_times_default;

struct lease {
    const struct lease_times *times; /* borrowed */
    char self[64];
    enum lease_rank rank;
    enum lease_state state;
    uint64_t term, beat; /* seen, or held */
    bool known;          /* there is a row, and it was seen */
    bool vacant;         /* given back */
    char holder[64];
    int64_t still_since_ms; /* monotonic: when term and beat were first seen as they are */
    int64_t confirmed_ms;   /* monotonic: when the last beat that was confirmed was begun */
    int64_t next_ms;        /* when to look or beat again */
    bool in_flight;         /* a read or write is under way */
    bool better;            /* as lease_next() was told last */
    bool doubtful;          /* a take did not succeed: look before the next one */
    int64_t away_ms;        /* until then it is not ours to have */
};

enum lease_act {
    LEASE_ACT_WAIT,    /* until next_ms */
    LEASE_ACT_READ,    /* store_lease_get(), then lease_saw() */
    LEASE_ACT_TAKE,    /* store_lease_take() of term and beat, then lease_took() */
    LEASE_ACT_BEAT,    /* store_lease_beat() with beat + 1, then lease_beaten() */
    LEASE_ACT_RELEASE, /* store_lease_release(), then lease_released(), whatever became of it */
};
void lease_init(struct lease *l, const struct lease_times *times, const char *self,
                enum lease_rank rank);
/* What to do at NOW_MS (monotonic). BETTER: a live core of higher rank was heard. IDLE: nothing is under
 * way under the lease. Whatever is not WAIT is under way until its result is told; to be asked again
 * after that, and at next_ms. The state may go from HOLD to WATCH in here: stop then what was begun. */
enum lease_act lease_next(struct lease *l, int64_t now_ms, bool better, bool idle);
/* What was read; term 0: there is no row. HOLDER "": given back. */
void lease_saw(struct lease *l, const char *holder, uint64_t term, uint64_t beat, int64_t now_ms);
void lease_unseen(struct lease *l, int64_t now_ms); /* could not be read: nothing is known anew */
/* E of store_lease_take(), begun at BEGUN_MS. */
void lease_took(struct lease *l, enum err e, int64_t begun_ms, int64_t now_ms);
void lease_beaten(struct lease *l, enum err e, int64_t begun_ms, int64_t now_ms);
void lease_released(struct lease *l, int64_t now_ms);
/* Others are to have it until UNTIL_MS (monotonic): given back when nothing is under way, and not taken
 * before, whoever has it or has not. */
void lease_stay_away(struct lease *l, int64_t until_ms);
/* A write under the lease was refused (ERR_DENIED). */
void lease_lost(struct lease *l, int64_t now_ms);
/* May something be done under the lease now? To be asked right before each step outside. */
bool lease_is_held(const struct lease *l, int64_t now_ms);

#endif

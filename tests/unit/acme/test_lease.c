/* acme/lease: the turns of one machine in order, and two and three machines on one row, interleaved at
 * random: no two of them ever believe that they hold it. */
#include "acme/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct lease l;
    int64_t now;
} t;

static int setup(void **state)
{
    (void)state;
    t.now = 5000;
    lease_init(&t.l, &lease_times_default, "core-a", LEASE_FIRST);
    return 0;
}

static void need(enum lease_act want, int line)
{
    enum lease_act got = lease_next(&t.l, t.now, false, false);
    if (got != want) {
        fail_msg("line %d: at %lld: %d, not %d", line, (long long)t.now, got, want);
    }
}
#define NEED(want) need(want, __LINE__)

/* Reads at once, takes what nobody has. */
static void have_it(uint64_t term)
{
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "", term - 1, 0, t.now);
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_OK, t.now, t.now);
    assert_true(lease_is_held(&t.l, t.now));
    assert_int_equal(t.l.term, term);
    assert_string_equal(t.l.holder, "core-a");
}

static void a_lease_that_nobody_has_is_taken_at_once(void **state)
{
    (void)state;
    NEED(LEASE_ACT_READ);
    NEED(LEASE_ACT_WAIT); /* one thing at a time */
    lease_saw(&t.l, "", 0, 0, t.now);
    NEED(LEASE_ACT_TAKE);
    assert_false(lease_is_held(&t.l, t.now));
    NEED(LEASE_ACT_WAIT);
    t.now += 200;
    lease_took(&t.l, ERR_OK, t.now - 200, t.now);
    assert_true(lease_is_held(&t.l, t.now));
    assert_int_equal(t.l.term, 1);
    NEED(LEASE_ACT_WAIT);
    assert_int_equal(t.l.next_ms, 5000 + LEASE_BEAT_MS);
}

static void a_holder_beats(void **state)
{
    (void)state;
    have_it(7);
    for (int i = 0; i < 5; i++) {
        NEED(LEASE_ACT_WAIT);
        t.now += LEASE_BEAT_MS - 1;
        NEED(LEASE_ACT_WAIT);
        t.now++;
        assert_int_equal(t.l.beat, i);
        NEED(LEASE_ACT_BEAT);
        lease_beaten(&t.l, ERR_OK, t.now, t.now + 30);
    }
    assert_int_equal(t.l.term, 7);
}

static void a_beat_that_failed_has_used_its_number(void **state)
{
    (void)state;
    have_it(1);
    t.now += LEASE_BEAT_MS;
    NEED(LEASE_ACT_BEAT);
    assert_int_equal(t.l.beat, 0);
    lease_beaten(&t.l, ERR_TIMEOUT, t.now, t.now);
    assert_int_equal(t.l.beat, 1);
    t.now += LEASE_LOOK_MS - 1;
    NEED(LEASE_ACT_WAIT);
    t.now++;
    NEED(LEASE_ACT_BEAT);
    lease_beaten(&t.l, ERR_OK, t.now, t.now);
    assert_int_equal(t.l.beat, 2);
}

static void a_holder_without_confirmed_beats_stops(void **state)
{
    (void)state;
    have_it(1);
    int64_t last = t.now;
    t.now += LEASE_BEAT_MS;
    NEED(LEASE_ACT_BEAT);
    NEED(LEASE_ACT_WAIT);
    assert_int_equal(t.l.next_ms, last + LEASE_GIVE_UP_MS); /* not later than that */
    t.now = last + LEASE_GIVE_UP_MS - 1;
    assert_true(lease_is_held(&t.l, t.now));
    t.now++;
    assert_false(lease_is_held(&t.l, t.now));
    NEED(LEASE_ACT_WAIT); /* the beat is still under way */
    assert_int_equal(t.l.state, LEASE_WATCH);
    lease_beaten(&t.l, ERR_OK, last + LEASE_BEAT_MS, t.now); /* too late to be of use */
    assert_false(lease_is_held(&t.l, t.now));
    t.now += LEASE_LOOK_MS;
    NEED(LEASE_ACT_READ);
}

static void a_sleeping_holder_stops_on_waking(void **state)
{
    (void)state;
    have_it(1);
    t.now += 3600000;
    assert_false(lease_is_held(&t.l, t.now)); /* before anybody asks what is next */
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "core-b", 2, 80, t.now);
    NEED(LEASE_ACT_WAIT);
    assert_int_equal(t.l.state, LEASE_WATCH);
}

static void a_take_that_was_answered_too_late_is_none(void **state)
{
    (void)state;
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "", 3, 0, t.now);
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_OK, t.now, t.now + LEASE_GIVE_UP_MS);
    t.now += LEASE_GIVE_UP_MS;
    assert_false(lease_is_held(&t.l, t.now));
    NEED(LEASE_ACT_READ);
}

static void what_moves_is_left_alone(void **state)
{
    (void)state;
    for (uint64_t beat = 0; beat < 50; beat++) {
        NEED(LEASE_ACT_READ);
        lease_saw(&t.l, "core-b", 4, beat / 11, t.now); /* every 55 s */
        t.now = t.l.next_ms;
    }
    t.now += LEASE_TTL_MS; /* we slept; so did the row, or not: the take will tell */
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_CONFLICT, t.now, t.now);
    assert_int_equal(t.l.state, LEASE_WATCH);
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "core-b", 4, 90, t.now);
    t.now += LEASE_TTL_MS - 1;
    NEED(LEASE_ACT_READ); /* the time is counted from the new beat */
}

static void a_new_term_with_the_same_beat_has_moved(void **state)
{
    (void)state;
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "core-b", 4, 9, t.now);
    t.now += LEASE_TTL_MS - 1;
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "core-c", 5, 9, t.now); /* taken over: the beat is kept */
    t.now += 1;
    NEED(LEASE_ACT_WAIT);
    t.now += LEASE_LOOK_MS;
    NEED(LEASE_ACT_READ);
}

static void what_stands_still_is_taken_by_rank(void **state)
{
    static const struct {
        enum lease_rank rank;
        bool vacant, better;
        int64_t after_ms;
    } cases[] = {
        {LEASE_FIRST, true, false, 0},
        {LEASE_MIDDLE, true, false, LEASE_RANK_MS},
        {LEASE_LAST, true, false, 2 * LEASE_RANK_MS},
        {LEASE_MIDDLE, true, true, LEASE_TTL_MS + LEASE_RANK_MS},
        {LEASE_FIRST, false, false, LEASE_TTL_MS},
        {LEASE_MIDDLE, false, false, LEASE_TTL_MS + LEASE_RANK_MS},
        {LEASE_LAST, false, false, LEASE_TTL_MS + 2 * LEASE_RANK_MS},
        {LEASE_LAST, false, true, LEASE_TTL_MS + 2 * LEASE_RANK_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease l;
        lease_init(&l, &lease_times_default, "core-a", cases[i].rank);
        enum lease_act a = lease_next(&l, 0, cases[i].better, false);
        int64_t now = 0;
        while (a != LEASE_ACT_TAKE && now < 1000000) {
            if (a == LEASE_ACT_READ) {
                lease_saw(&l, cases[i].vacant ? "" : "core-b", 3, 5, now);
            }
            now = l.next_ms > now ? l.next_ms : now;
            a = lease_next(&l, now, cases[i].better, false);
        }
        if (now < cases[i].after_ms || now > cases[i].after_ms + LEASE_LOOK_MS) {
            fail_msg("case %zu: taken after %lld ms", i, (long long)now);
        }
    }
}

static void a_better_core_is_given_way(void **state)
{
    (void)state;
    have_it(3);
    assert_int_equal(lease_next(&t.l, t.now, true, false),
                     LEASE_ACT_WAIT); /* something is under way */
    assert_int_equal(lease_next(&t.l, t.now, true, true), LEASE_ACT_RELEASE);
    assert_false(lease_is_held(&t.l, t.now)); /* before it is answered */
    assert_int_equal(t.l.term, 3);
    NEED(LEASE_ACT_WAIT);
    lease_released(&t.l, t.now);
    assert_false(lease_is_held(&t.l, t.now));
    NEED(LEASE_ACT_READ);
}

/* Given back when nothing is under way, and then it is not ours, free or not, for as long as was said. */
static void who_stays_away_takes_nothing(void **state)
{
    (void)state;
    have_it(3);
    int64_t until = t.now + 5 * LEASE_TTL_MS;
    lease_stay_away(&t.l, until);
    assert_int_equal(lease_next(&t.l, t.now, false, false), LEASE_ACT_WAIT);
    assert_int_equal(lease_next(&t.l, t.now, false, true), LEASE_ACT_RELEASE);
    lease_released(&t.l, t.now);
    for (; t.now < until; t.now += LEASE_LOOK_MS) {
        NEED(LEASE_ACT_READ);
        lease_saw(&t.l, "", 3, 0, t.now);
    }
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_OK, t.now, t.now);
    assert_int_equal(lease_next(&t.l, t.now, false, true), LEASE_ACT_WAIT); /* and it is over */
}

static void what_cannot_be_read_is_looked_at_again(void **state)
{
    (void)state;
    NEED(LEASE_ACT_READ);
    lease_unseen(&t.l, t.now);
    NEED(LEASE_ACT_WAIT);
    t.now += LEASE_LOOK_MS;
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "core-b", 1, 1, t.now);
    t.now += LEASE_TTL_MS / 2;
    NEED(LEASE_ACT_READ);
    lease_unseen(&t.l, t.now); /* what was seen before stands */
    t.now += LEASE_TTL_MS / 2;
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_UNAVAIL, t.now, t.now);
    NEED(LEASE_ACT_WAIT);
    t.now += LEASE_LOOK_MS;
    NEED(LEASE_ACT_READ); /* it may have been done after all */
    lease_saw(&t.l, "core-b", 1, 1, t.now);
    NEED(LEASE_ACT_TAKE);
}

static void a_refused_write_ends_it(void **state)
{
    (void)state;
    have_it(3);
    t.now += LEASE_BEAT_MS;
    NEED(LEASE_ACT_BEAT);
    lease_lost(&t.l, t.now); /* heard from the order */
    assert_false(lease_is_held(&t.l, t.now));
    NEED(LEASE_ACT_WAIT); /* for the end of the beat */
    lease_beaten(&t.l, ERR_DENIED, t.now, t.now);
    t.now += LEASE_LOOK_MS;
    NEED(LEASE_ACT_READ);
    lease_saw(&t.l, "", 4, 0, t.now);
    NEED(LEASE_ACT_TAKE);
    lease_took(&t.l, ERR_OK, t.now, t.now);
    t.now += LEASE_BEAT_MS;
    NEED(LEASE_ACT_BEAT);
    lease_beaten(&t.l, ERR_DENIED, t.now, t.now);
    assert_int_equal(t.l.state, LEASE_WATCH);
    lease_lost(&t.l, t.now); /* nothing more to lose */
    NEED(LEASE_ACT_READ);
}

/* ---- machines together ------------------------------------------------------------------------- */

#define MACHINES 3
#define STEP_MS  250

struct world {
    char holder[64];
    uint64_t term, beat;
    uint64_t random;
    int64_t now;
    struct machine {
        struct lease l;
        int64_t offset; /* of its clock */
        enum lease_act doing;
        struct lease seen; /* what the write under way is conditional on */
        int64_t begun, carried_out_at, answer_at;
        bool carried_out, answer_lost;
        enum err result;
        struct lease read;
        enum lease_act
            late; /* a write that nobody waits for any more, and that is still carried out */
        struct lease late_seen;
        int64_t late_at;
        int64_t asleep_until, cut_until;
        bool dead;
    } m[MACHINES];
    size_t count;
    uint64_t takes;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->random >> 33) % below;
}

static int64_t clock_of(const struct world *w, const struct machine *m)
{
    return w->now + m->offset;
}

/* What the store makes of a write, as store_lease_*() promise. */
static enum err apply(struct world *w, const char *self, enum lease_act act,
                      const struct lease *seen)
{
    bool mine = strcmp(w->holder, self) == 0 && w->term == seen->term;
    switch (act) {
    case LEASE_ACT_TAKE:
        if (w->term != seen->term || (w->term != 0 && w->beat != seen->beat)) {
            return ERR_CONFLICT;
        }
        w->term++;
        w->takes++;
        snprintf(w->holder, sizeof w->holder, "%s", self);
        return ERR_OK;
    case LEASE_ACT_BEAT:
        w->beat = mine ? seen->beat + 1 : w->beat;
        return mine ? ERR_OK : ERR_DENIED;
    case LEASE_ACT_RELEASE:
        if (mine) {
            w->holder[0] = '\0';
        }
        return mine ? ERR_OK : ERR_DENIED;
    case LEASE_ACT_READ:
    case LEASE_ACT_WAIT:
        break;
    }
    return ERR_OK;
}

static void carry_out(struct world *w, struct machine *m)
{
    m->carried_out = true;
    m->read.term = w->term;
    m->read.beat = w->beat;
    snprintf(m->read.holder, sizeof m->read.holder, "%s", w->holder);
    m->result = apply(w, m->l.self, m->doing, &m->seen);
}

static void answer(struct world *w, struct machine *m)
{
    int64_t now = clock_of(w, m);
    enum err e = m->answer_lost || !m->carried_out ? ERR_TIMEOUT : m->result;
    enum lease_act doing = m->doing;
    m->doing = LEASE_ACT_WAIT;
    if (!m->carried_out && doing != LEASE_ACT_READ) {
        m->late = doing;
        m->late_seen = m->seen;
        m->late_at = w->now + (int64_t)draw(w, 200) * STEP_MS;
    }
    switch (doing) {
    case LEASE_ACT_READ:
        if (e == ERR_OK) {
            lease_saw(&m->l, m->read.holder, m->read.term, m->read.beat, now);
        } else {
            lease_unseen(&m->l, now);
        }
        break;
    case LEASE_ACT_TAKE:
        lease_took(&m->l, e, m->begun, now);
        break;
    case LEASE_ACT_BEAT:
        lease_beaten(&m->l, e, m->begun, now);
        break;
    case LEASE_ACT_RELEASE:
        lease_released(&m->l, now);
        break;
    case LEASE_ACT_WAIT:
        break;
    }
}

static void turn(struct world *w, struct machine *m)
{
    if (m->doing != LEASE_ACT_WAIT && !m->carried_out && w->now >= m->carried_out_at &&
        w->now >= m->cut_until) {
        carry_out(w, m); /* also while who asked is asleep, or after he has stopped waiting */
    }
    if (m->late != LEASE_ACT_WAIT && w->now >= m->late_at) {
        (void)apply(w, m->l.self, m->late, &m->late_seen);
        m->late = LEASE_ACT_WAIT;
    }
    if (m->dead || w->now < m->asleep_until) {
        return;
    }
    if (m->doing != LEASE_ACT_WAIT) {
        if (w->now < m->answer_at) {
            (void)lease_next(&m->l, clock_of(w, m), false, false);
            return;
        }
        answer(w, m);
    }
    m->doing = lease_next(&m->l, clock_of(w, m), draw(w, 40) == 0, draw(w, 2) == 0);
    if (m->doing != LEASE_ACT_WAIT) {
        m->seen = m->l;
        m->begun = clock_of(w, m);
        m->carried_out = false;
        m->carried_out_at = w->now + (int64_t)draw(w, 40) * STEP_MS;
        m->answer_at = m->carried_out_at + (int64_t)draw(w, 40) * STEP_MS;
        m->answer_lost = draw(w, 10) == 0;
    }
}

static void upset(struct world *w)
{
    struct machine *m = &w->m[draw(w, w->count)];
    switch (draw(w, 400)) {
    case 0:
        m->asleep_until = w->now + (int64_t)draw(w, 600) * STEP_MS;
        break;
    case 1:
        m->cut_until = w->now + (int64_t)draw(w, 600) * STEP_MS;
        break;
    default:
        break;
    }
}

static void simulate(uint64_t seed, size_t count)
{
    struct world w = {.random = seed, .count = count};
    int64_t held = 0;
    for (size_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "core-%c", (char)('a' + i));
        lease_init(&w.m[i].l, &lease_times_default, name, (enum lease_rank)i);
        w.m[i].offset = (int64_t)draw(&w, 1000000);
    }
    for (w.now = 0; w.now < 2 * 3600000; w.now += STEP_MS) {
        unsigned holders = 0;
        upset(&w);
        for (size_t i = 0; i < count; i++) {
            turn(&w, &w.m[i]);
        }
        for (size_t i = 0; i < count; i++) { /* sleepers too: they wake with this belief */
            holders += lease_is_held(&w.m[i].l, clock_of(&w, &w.m[i]));
        }
        if (holders > 1) {
            fail_msg("seed %llu: %u holders at %lld", (unsigned long long)seed, holders,
                     (long long)w.now);
        }
        held += holders;
    }
    if (held * STEP_MS < 600000 || w.takes < 2) {
        fail_msg("seed %llu: held for %lld ms, taken %llu times", (unsigned long long)seed,
                 (long long)held * STEP_MS, (unsigned long long)w.takes);
    }
}

static void never_two_holders(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        simulate(seed, 2 + seed % 2);
    }
}

static void a_dead_holder_is_replaced_in_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world w = {.random = seed, .count = 2};
        lease_init(&w.m[0].l, &lease_times_default, "core-a", LEASE_FIRST);
        lease_init(&w.m[1].l, &lease_times_default, "core-b", LEASE_MIDDLE);
        int64_t died = 100000 + (int64_t)draw(&w, 60) * STEP_MS;
        int64_t limit = LEASE_TTL_MS + LEASE_LOOK_MS + LEASE_RANK_MS + 4000;
        for (w.now = 0; !lease_is_held(&w.m[1].l, w.now); w.now += STEP_MS) {
            for (size_t i = 0; i < 2; i++) {
                struct machine *m = &w.m[i];
                enum lease_act a = m->dead ? LEASE_ACT_WAIT : lease_next(&m->l, w.now, false, true);
                if (a != LEASE_ACT_WAIT) { /* a store that answers at once */
                    m->seen = m->l;
                    m->doing = a;
                    m->begun = w.now;
                    carry_out(&w, m);
                    answer(&w, m);
                }
            }
            if (w.now == died) {
                assert_true(lease_is_held(&w.m[0].l, w.now));
                w.m[0].dead = true;
            }
            if (w.now > died + limit) {
                fail_msg("seed %llu: not replaced", (unsigned long long)seed);
            }
        }
        assert_true(w.now >= died + LEASE_TTL_MS - LEASE_BEAT_MS);
        assert_int_equal(w.term, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_lease_that_nobody_has_is_taken_at_once, setup),
        cmocka_unit_test_setup(a_holder_beats, setup),
        cmocka_unit_test_setup(a_beat_that_failed_has_used_its_number, setup),
        cmocka_unit_test_setup(a_holder_without_confirmed_beats_stops, setup),
        cmocka_unit_test_setup(a_sleeping_holder_stops_on_waking, setup),
        cmocka_unit_test_setup(a_take_that_was_answered_too_late_is_none, setup),
        cmocka_unit_test_setup(what_moves_is_left_alone, setup),
        cmocka_unit_test_setup(a_new_term_with_the_same_beat_has_moved, setup),
        cmocka_unit_test_setup(what_stands_still_is_taken_by_rank, setup),
        cmocka_unit_test_setup(a_better_core_is_given_way, setup),
        cmocka_unit_test_setup(who_stays_away_takes_nothing, setup),
        cmocka_unit_test_setup(what_cannot_be_read_is_looked_at_again, setup),
        cmocka_unit_test_setup(a_refused_write_ends_it, setup),
        cmocka_unit_test(never_two_holders),
        cmocka_unit_test(a_dead_holder_is_replaced_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

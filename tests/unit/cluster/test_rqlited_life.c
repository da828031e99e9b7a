/* cluster/rqlited_life: lists of events in, actions and states out; backoff and breaker by an own
 * clock. */
#include "cluster/rqlited_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct rqlited_life life;
    int64_t now_ms;
} t;

static int setup(void **state)
{
    (void)state;
    t.now_ms = 1000000;
    rqlited_life_init(&t.life, &rqlited_limits_default);
    assert_int_equal(t.life.state, RQLITED_WAITING);
    return 0;
}

/* One event AFTER_MS later. */
static struct rqlited_action feed(unsigned after_ms, struct rqlited_event ev)
{
    t.now_ms += after_ms;
    ev.now_ms = t.now_ms;
    return rqlited_life_next(&t.life, &ev);
}

static struct rqlited_action feed_kind(unsigned after_ms, enum rqlited_event_kind kind)
{
    return feed(after_ms, (struct rqlited_event){.kind = kind});
}

static struct rqlited_action planned(enum rqlited_way way)
{
    return feed(0, (struct rqlited_event){.kind = RQLITED_EV_PLANNED, .ok = true, .way = way});
}

static struct rqlited_action spawned(bool ok)
{
    return feed(0, (struct rqlited_event){.kind = RQLITED_EV_SPAWNED, .ok = ok});
}

static struct rqlited_action polled(unsigned after_ms, bool ok, bool ready)
{
    return feed(after_ms,
                (struct rqlited_event){.kind = RQLITED_EV_POLLED, .ok = ok, .ready = ready});
}

#define need(action, want)         assert_int_equal((action).kind, want)
#define need_state(want)           assert_string_equal(rqlited_state_text(t.life.state), want)
#define need_wait(action, want_ms) need_wait_at(action, want_ms, __LINE__)

static void need_wait_at(struct rqlited_action a, unsigned want_ms, int line)
{
    if (a.kind != RQLITED_ACT_WAIT || a.wait_ms != want_ms) {
        fail_msg("line %d: action %d, %u ms", line, a.kind, a.wait_ms);
    }
}

/* From planning to a child that was just started. */
static void child(enum rqlited_way way)
{
    need(planned(way), RQLITED_ACT_SPAWN);
    need_wait(spawned(true), 1000);
    need_state(t.life.broken ? "broken" : "starting");
}

static void first_child(enum rqlited_way way)
{
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    child(way);
}

static void next_child(unsigned wait_ms, enum rqlited_way way)
{
    need(feed_kind(wait_ms, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
    child(way);
}

static void poll_once(bool ok, bool ready, unsigned next_ms)
{
    need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_POLL);
    need_wait(polled(0, ok, ready), next_ms);
}

static void test_up_and_down(void **state)
{
    (void)state;
    first_child(RQLITED_FOUND);
    poll_once(false, false, 1000);
    need_state("starting");
    poll_once(true, false, 1000);
    need_state("alive");
    poll_once(true, true, 2000);
    need_state("ready");
    assert_int_equal(t.life.attempt, 0);
    poll_once(true, false, 1000); /* the leader is lost */
    need_state("alive");
    poll_once(true, true, 2000);
    need_state("ready");
    poll_once(false, false, 1000); /* no answer: twice is bad luck */
    need_state("alive");
    poll_once(false, false, 1000);
    need_state("alive");
    poll_once(false, false, 1000);
    need_state("starting");
    poll_once(true, true, 2000);
    need_state("ready");
    poll_once(false, false, 1000); /* counted anew */
    need_state("alive");
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    need_state("waiting");
    assert_int_equal(t.life.restarts, 0);
    next_child(500, RQLITED_RESUME);
    assert_int_equal(t.life.restarts, 1);
}

/* Ends at once each time: 0.5 s doubling to 30 s, then broken: once a minute. */
static void test_backoff_and_breaker(void **state)
{
    (void)state;
    static const unsigned wait_ms[] = {500, 1000, 2000, 4000, 8000, 16000, 30000};
    first_child(RQLITED_RESUME);
    for (unsigned i = 0; i < 7; i++) {
        need_wait(feed_kind(10, RQLITED_EV_EXITED), wait_ms[i]);
        need_state("waiting");
        assert_int_equal(t.life.attempt, i + 1);
        next_child(wait_ms[i], RQLITED_RESUME);
    }
    for (unsigned i = 0; i < 3; i++) {
        need_wait(feed_kind(10, RQLITED_EV_EXITED), 60000);
        need_state("broken");
        assert_true(t.life.broken);
        next_child(60000, RQLITED_RESUME);
        poll_once(true, false, 1000);
        need_state("broken");
    }
    /* one lasts: ready at once, and mended after ten seconds */
    poll_once(true, true, 2000);
    need_state("ready");
    assert_true(t.life.broken);
    need_wait(polled(9999, true, true), 2000);
    assert_true(t.life.broken);
    need_wait(polled(1, true, false), 1000);
    assert_false(t.life.broken);
    need_state("alive");
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 30000); /* not long enough for a good run */
    need_state("waiting");
    next_child(30000, RQLITED_RESUME);
    poll_once(true, true, 2000);
    need_wait(feed_kind(60000, RQLITED_EV_EXITED), 500);
}

static void test_backoff_after_a_good_run(void **state)
{
    (void)state;
    first_child(RQLITED_RESUME);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    next_child(500, RQLITED_RESUME);
    poll_once(true, true, 2000);
    need_wait(feed_kind(59999, RQLITED_EV_EXITED), 1000);
    next_child(1000, RQLITED_RESUME);
    poll_once(true, true, 2000);
    need_wait(feed_kind(60000, RQLITED_EV_EXITED), 500);
}

/* An attempt to join that ends by itself is neither a reason to wait nor a breakage. */
static void test_joining_in_vain(void **state)
{
    (void)state;
    first_child(RQLITED_JOIN);
    for (unsigned i = 0; i < 20; i++) {
        poll_once(true, false, 1000);
        need_wait(feed_kind(14000, RQLITED_EV_EXITED), 500);
        assert_int_equal(t.life.attempt, i + 1);
        assert_false(t.life.broken);
        next_child(500, i % 2 == 0 ? RQLITED_FORM : RQLITED_JOIN);
    }
    /* one that ends at once is */
    for (unsigned i = 0; i < 8; i++) {
        need(feed_kind(10, RQLITED_EV_EXITED), RQLITED_ACT_WAIT);
        need(feed_kind(60000, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
        child(RQLITED_JOIN);
    }
    assert_true(t.life.broken);
}

static void too_long(enum rqlited_way way, bool unsure, bool expect)
{
    setup(NULL);
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    need(feed(0,
              (struct rqlited_event){
                  .kind = RQLITED_EV_PLANNED, .ok = true, .way = way, .unsure = unsure}),
         RQLITED_ACT_SPAWN);
    need_wait(spawned(true), 1000);
    need_wait(polled(500000, false, false), 1000); /* not alive yet: it may have much to read */
    need_wait(polled(0, true, false), 1000);
    need_wait(polled(119999, true, false), 1000);
    struct rqlited_action a = polled(1, true, false);
    if (!expect) {
        need_wait(a, 1000);
        return;
    }
    need(a, RQLITED_ACT_KILL);
    assert_non_null(a.why);
    need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_NONE);
    need(polled(0, true, true), RQLITED_ACT_NONE);
    need_wait(feed_kind(100, RQLITED_EV_EXITED), 500);
    assert_int_equal(t.life.attempt, 1);
    need_state("waiting");
}

static void test_formless(void **state)
{
    (void)state;
    too_long(RQLITED_JOIN, false, true);
    too_long(RQLITED_FORM, false, true);
    too_long(RQLITED_RESUME, true, true);
    too_long(RQLITED_RESUME, false, false); /* waits for its quorum, however long */
    too_long(RQLITED_FOUND, false, false);

    /* a joiner that was ready once stays */
    setup(NULL);
    first_child(RQLITED_JOIN);
    poll_once(true, true, 2000);
    need_wait(polled(0, true, false), 1000);
    need_wait(polled(500000, true, false), 1000);
}

static void test_nobody(void **state)
{
    (void)state;
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    for (unsigned i = 0; i < 20; i++) {
        need_wait(planned(RQLITED_NOBODY), 3000);
        need_state("waiting");
        assert_int_equal(t.life.attempt, i + 1);
        need(feed_kind(3000, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
    }
    assert_int_equal(t.life.restarts, 0);
    assert_false(t.life.broken);
}

/* Neither looking nor starting works. */
static void test_cannot_start(void **state)
{
    (void)state;
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    need_wait(feed(0, (struct rqlited_event){.kind = RQLITED_EV_PLANNED}), 500);
    need(feed_kind(500, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
    need(planned(RQLITED_FOUND), RQLITED_ACT_SPAWN);
    need_wait(spawned(false), 1000);
    need_state("waiting");
    for (unsigned i = 0; i < 6; i++) {
        need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
        need(feed(0, (struct rqlited_event){.kind = RQLITED_EV_PLANNED}), RQLITED_ACT_WAIT);
    }
    need_state("broken");
}

static void test_again(void **state)
{
    (void)state;
    first_child(RQLITED_RESUME);
    need(feed(0,
              (struct rqlited_event){
                  .kind = RQLITED_EV_POLLED, .ok = true, .ready = true, .again = true}),
         RQLITED_ACT_KILL);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    assert_int_equal(t.life.attempt, 0); /* it was ready */
}

static void test_stop(void **state)
{
    (void)state;
    /* before anything */
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_NONE);
    need_state("stopping");
    need(planned(RQLITED_FOUND), RQLITED_ACT_DONE);

    /* while it waits */
    setup(NULL);
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    need_wait(planned(RQLITED_NOBODY), 3000);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_DONE);

    /* while it runs; once only */
    setup(NULL);
    first_child(RQLITED_FOUND);
    poll_once(true, true, 2000);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_KILL);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_NONE);
    need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_NONE);
    need(polled(0, true, true), RQLITED_ACT_NONE);
    need_state("stopping");
    need(feed_kind(0, RQLITED_EV_EXITED), RQLITED_ACT_DONE);

    /* while it is being stopped for another reason */
    setup(NULL);
    first_child(RQLITED_JOIN);
    need_wait(polled(0, true, false), 1000);
    need(polled(120000, true, false), RQLITED_ACT_KILL);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_NONE);
    need(feed_kind(0, RQLITED_EV_EXITED), RQLITED_ACT_DONE);
}

static struct rqlited_action disk(int64_t free)
{
    return feed(0, (struct rqlited_event){
                       .kind = RQLITED_EV_DISK, .ok = free >= 0, .free = (uint64_t)free});
}

static struct rqlited_action suspect(unsigned after_ms, bool full)
{
    return feed(after_ms, (struct rqlited_event){.kind = RQLITED_EV_SUSPECT, .full = full});
}

#define LOW ((int64_t)RQLITED_DISK_LOW)

/* Stopped below the limit, started with twice as much; nothing of it counts as a failure. */
static void test_disk(void **state)
{
    (void)state;
    first_child(RQLITED_RESUME);
    for (unsigned i = 0; i < 10; i++) {
        poll_once(true, true, 2000);
        need(disk(LOW), RQLITED_ACT_NONE);
        need(disk(-1), RQLITED_ACT_NONE); /* not known is not full */
        assert_false(t.life.full);
        struct rqlited_action a = disk(LOW - 1);
        need(a, RQLITED_ACT_KILL);
        assert_non_null(a.why);
        need(disk(0), RQLITED_ACT_NONE); /* once */
        need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_NONE);
        need(polled(0, true, true), RQLITED_ACT_NONE);
        need_wait(feed_kind(0, RQLITED_EV_EXITED), 1000);
        need_state("waiting");
        need_wait(feed_kind(1000, RQLITED_EV_TIME), 1000);
        need(disk(2 * LOW - 1), RQLITED_ACT_NONE); /* there is some, but not enough */
        need_wait(feed_kind(1000, RQLITED_EV_TIME), 1000);
        need(disk(-1), RQLITED_ACT_NONE);
        need_wait(feed_kind(1000, RQLITED_EV_TIME), 1000);
        need_state("waiting");
        need(disk(2 * LOW), RQLITED_ACT_NONE);
        next_child(1000, RQLITED_RESUME);
        assert_false(t.life.broken);
        assert_int_equal(t.life.attempt, 0);
    }
}

/* Room that goes, or comes, at another moment than while a child runs. */
static void test_disk_without_child(void **state)
{
    (void)state;
    /* while it plans, from the very first */
    need(feed_kind(0, RQLITED_EV_GO), RQLITED_ACT_PLAN);
    need(disk(0), RQLITED_ACT_NONE);
    need_wait(planned(RQLITED_RESUME), 1000);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    need(feed_kind(1000, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
    child(RQLITED_RESUME);

    /* while it waits: the backoff is over only when there is room */
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    need(disk(0), RQLITED_ACT_NONE);
    need_wait(feed_kind(500, RQLITED_EV_TIME), 1000);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    next_child(1000, RQLITED_RESUME);

    /* room again before its end has come */
    need(disk(0), RQLITED_ACT_KILL);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 1000);
    next_child(1000, RQLITED_RESUME);

    /* we end */
    need(disk(0), RQLITED_ACT_KILL);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 1000);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_DONE);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    need_state("stopping");
}

static void test_said_full(void **state)
{
    (void)state;
    need(suspect(0, true), RQLITED_ACT_NONE); /* nobody there */
    assert_false(t.life.full);
    first_child(RQLITED_RESUME);
    need(suspect(0, true), RQLITED_ACT_KILL);
    need(suspect(0, true), RQLITED_ACT_NONE);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500); /* the usual backoff */
    need(disk(LOW), RQLITED_ACT_NONE);
    need_wait(feed_kind(500, RQLITED_EV_TIME), 1000);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    next_child(1000, RQLITED_RESUME);
    need(suspect(0, true), RQLITED_ACT_KILL); /* and again, at once */
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 1000);
    next_child(1000, RQLITED_RESUME);
}

static void test_suspect(void **state)
{
    (void)state;
    first_child(RQLITED_RESUME);
    poll_once(true, true, 2000);
    need(suspect(0, false), RQLITED_ACT_KILL);
    assert_false(t.life.full);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    next_child(500, RQLITED_RESUME);
    need(suspect(59499, false), RQLITED_ACT_NONE); /* since the last one: 59999 ms */
    need(suspect(1, false), RQLITED_ACT_KILL);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_NONE);
    need(suspect(60000, false), RQLITED_ACT_NONE);
    need(feed_kind(0, RQLITED_EV_EXITED), RQLITED_ACT_DONE);
}

/* Started again at once, however it did until then; nothing of it counts as a failure. */
static void test_changed(void **state)
{
    (void)state;
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_NONE); /* nobody there */
    first_child(RQLITED_RESUME);
    for (unsigned i = 0; i < 10; i++) {
        if (i % 2 == 0) {
            poll_once(true, true, 2000);
        }
        struct rqlited_action a = feed_kind(0, RQLITED_EV_CHANGED);
        need(a, RQLITED_ACT_KILL);
        assert_non_null(a.why);
        need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_NONE); /* once */
        need(feed_kind(0, RQLITED_EV_TIME), RQLITED_ACT_NONE);
        need(polled(0, true, true), RQLITED_ACT_NONE);
        need_wait(feed_kind(0, RQLITED_EV_EXITED), 0);
        need_state("waiting");
        next_child(0, RQLITED_RESUME);
        assert_false(t.life.broken);
        assert_int_equal(t.life.attempt, 0);
    }
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500); /* an end of its own counts as ever */
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_NONE);
}

/* At the same time as something else. */
static void test_changed_meanwhile(void **state)
{
    (void)state;
    /* it was to be ended anyway: that counts */
    first_child(RQLITED_RESUME);
    need(suspect(0, false), RQLITED_ACT_KILL);
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_NONE);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 500);
    next_child(500, RQLITED_RESUME);

    /* its disk fills while it ends */
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_KILL);
    need(disk(0), RQLITED_ACT_NONE);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 0);
    need_wait(feed_kind(0, RQLITED_EV_TIME), 1000);
    need(disk(2 * LOW), RQLITED_ACT_NONE);
    next_child(1000, RQLITED_RESUME);

    /* we end while it does */
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_KILL);
    need(feed_kind(0, RQLITED_EV_STOP), RQLITED_ACT_NONE);
    need_state("stopping");
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_NONE);
    need(feed_kind(0, RQLITED_EV_EXITED), RQLITED_ACT_DONE);

    /* an attempt that never was ready keeps its turn, and its state of health */
    setup(NULL);
    first_child(RQLITED_JOIN);
    for (unsigned i = 0; i < 9; i++) {
        need(feed_kind(10, RQLITED_EV_EXITED), RQLITED_ACT_WAIT);
        need(feed_kind(60000, RQLITED_EV_TIME), RQLITED_ACT_PLAN);
        child(RQLITED_JOIN);
    }
    need(feed_kind(0, RQLITED_EV_CHANGED), RQLITED_ACT_KILL);
    need_wait(feed_kind(0, RQLITED_EV_EXITED), 0);
    assert_int_equal(t.life.attempt, 9);
    assert_true(t.life.broken);
    need_state("broken");
}

static void test_says_full(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "[ERROR] raft: failed to append to logs: error=\"write /d: no space left on device\"",
        "[store] failed to snapshot due to WAL threshold: No space left on device",
        "panic: database or disk is full",
    };
    static const char *const no[] = {
        "",
        "[store] the disk is full of data",
        "[ERROR] failed to install snapshot: peer=b error=\"mkdir /d: no space left on device\"",
    };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(rqlited_says_full(yes[i]));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(rqlited_says_full(no[i]));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    static const struct CMUnitTest tests[] = {
        T(test_up_and_down),
        T(test_backoff_and_breaker),
        T(test_backoff_after_a_good_run),
        T(test_joining_in_vain),
        T(test_formless),
        T(test_nobody),
        T(test_cannot_start),
        T(test_again),
        T(test_stop),
        T(test_disk),
        T(test_disk_without_child),
        T(test_said_full),
        T(test_suspect),
        T(test_changed),
        T(test_changed_meanwhile),
        T(test_says_full),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}

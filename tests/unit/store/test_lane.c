#include "store/sqlite/lane.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct numbered {
    struct lane_job job;
    unsigned number;
    unsigned *next; /* the lane's until it has ended */
};

static void in_turn(struct lane_job *job)
{
    struct numbered *n = (struct numbered *)job;
    if (*n->next == n->number) {
        ++*n->next;
    }
}

static void jobs_in_order(void **state)
{
    struct lane lane;
    struct numbered jobs[1000];
    unsigned next = 0;
    (void)state;
    assert_int_equal(ERR_OK, lane_start(&lane, NULL, NULL));
    for (unsigned i = 0; i < 1000; i++) {
        jobs[i] = (struct numbered){.job.run = in_turn, .number = i, .next = &next};
        lane_send(&lane, &jobs[i].job);
    }
    lane_end(&lane); /* everything that was sent is done */
    assert_int_equal(1000, next);
}

static void ends_when_idle(void **state)
{
    struct lane lane;
    (void)state;
    assert_int_equal(ERR_OK, lane_start(&lane, NULL, NULL));
    lane_end(&lane);
}

struct ticks {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned poked;
    unsigned due;
};

/* After a poke: three more times by itself, then quiet. */
static int on_tick(void *ctx, bool poked)
{
    struct ticks *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->due = poked ? 0 : t->due + 1;
    t->poked += poked;
    int wait_ms = t->due < 3 ? 1 : -1;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return wait_ms;
}

static void ticks_after_poke(void **state)
{
    struct lane lane;
    struct ticks t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    (void)state;
    assert_int_equal(ERR_OK, lane_start(&lane, on_tick, &t));
    for (unsigned round = 1; round <= 3; round++) {
        lane_poke(&lane);
        pthread_mutex_lock(&t.lock);
        while (t.poked < round || t.due < 3) {
            pthread_cond_wait(&t.changed, &t.lock);
        }
        pthread_mutex_unlock(&t.lock);
    }
    lane_end(&lane);
    assert_int_equal(3, t.poked);
    assert_int_equal(3, t.due); /* asked for no more, got no more */
}

struct gated {
    struct lane_job job;
    pthread_mutex_t *gate; /* borrowed */
};

static void wait_for_gate(struct lane_job *job)
{
    pthread_mutex_t *gate = ((struct gated *)job)->gate;
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
}

/* A poke is not forgotten because there is work to do. */
static void ticks_between_jobs(void **state)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct gated jobs[2] = {{{.run = wait_for_gate}, &gate}, {{.run = wait_for_gate}, &gate}};
    struct ticks t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct lane lane;
    (void)state;
    assert_int_equal(ERR_OK, lane_start(&lane, on_tick, &t));
    pthread_mutex_lock(&gate);
    lane_send(&lane, &jobs[0].job);
    lane_send(&lane, &jobs[1].job);
    lane_poke(&lane);
    pthread_mutex_unlock(&gate);
    lane_end(&lane);
    assert_int_equal(1, t.poked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_in_order),
        cmocka_unit_test(ends_when_idle),
        cmocka_unit_test(ticks_after_poke),
        cmocka_unit_test(ticks_between_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

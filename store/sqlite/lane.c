#include "lane.h"

#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "lib/clock.h"

#define NEVER INT64_MAX

static void wait_until(struct lane *lane, int64_t due_ms)
{
    if (due_ms == NEVER) {
        pthread_cond_wait(&lane->wake, &lane->lock);
        return;
    }
    struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
    pthread_cond_timedwait(&lane->wake, &lane->lock, &until);
}

/* Waits for something to do. A job, or NULL: then *tick says that it is time for the tick, and
 * otherwise all is done and the lane ends. */
static struct lane_job *next(struct lane *lane, int64_t due_ms, bool *tick, bool *poked)
{
    struct lane_job *job = NULL;
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        *poked = lane->poked;
        *tick = *poked || clk_mono_ms(&clk_system) >= due_ms;
        if (*tick || lane->first != NULL || lane->quit) {
            break;
        }
        wait_until(lane, due_ms);
    }
    lane->poked = false;
    if (!*tick && lane->first != NULL) {
        job = lane->first;
        lane->first = job->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
    }
    pthread_mutex_unlock(&lane->lock);
    return job;
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    int64_t due_ms = NEVER;
    for (;;) {
        bool tick = false;
        bool poked = false;
        struct lane_job *job = next(lane, due_ms, &tick, &poked);
        if (job != NULL) {
            job->run(job);
        } else if (tick && lane->tick != NULL) {
            int wait_ms = lane->tick(lane->ctx, poked);
            due_ms = wait_ms < 0 ? NEVER : clk_mono_ms(&clk_system) + wait_ms;
        } else if (!tick) {
            return NULL;
        }
    }
}

enum err lane_start(struct lane *lane, lane_tick_cb *tick, void *ctx)
{
    *lane = (struct lane){.tick = tick, .ctx = ctx};
    lane->last = &lane->first;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* Signals are for the loop's thread. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&lane->thread, NULL, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        pthread_mutex_destroy(&lane->lock);
        pthread_cond_destroy(&lane->wake);
        return ERR_IO;
    }
    return ERR_OK;
}

void lane_send(struct lane *lane, struct lane_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&lane->lock);
    *lane->last = job;
    lane->last = &job->next;
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

void lane_poke(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->poked = true;
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

void lane_end(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->quit = true;
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    pthread_join(lane->thread, NULL);
    pthread_mutex_destroy(&lane->lock);
    pthread_cond_destroy(&lane->wake);
}

/* A thread that carries out jobs one after the other, and between them is called back at times of
 * its own choosing. Knows nothing of SQLite.
 */
#ifndef STORE_SQLITE_LANE_H
#define STORE_SQLITE_LANE_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/err.h"

struct lane_job {
    struct lane_job *next;             /* the lane's */
    void (*run)(struct lane_job *job); /* on the lane's thread; may free the job */
};

/* Called when POKED, and when the time is up that it asked for. Returns how many ms from now it
 * wants to be called again; negative: not before the next poke. */
typedef int lane_tick_cb(void *ctx, bool poked);

struct lane {
    pthread_t thread;
    pthread_mutex_t lock; /* for everything from here to `quit` */
    pthread_cond_t wake;
    struct lane_job *first;
    struct lane_job **last;
    bool poked;
    bool quit;
    lane_tick_cb *tick; /* NULL: none */
    void *ctx;          /* borrowed */
};

/* LANE is storage of the caller's, until lane_end(). ERR_IO: no thread to be had. */
enum err lane_start(struct lane *lane, lane_tick_cb *tick, void *ctx) MUST_USE;

/* From any thread. */
void lane_send(struct lane *lane, struct lane_job *job);
void lane_poke(struct lane *lane);

/* Waits until all jobs are done and the thread is gone. Not from the lane itself. */
void lane_end(struct lane *lane);

#endif

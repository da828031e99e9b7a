/* Messages to a loop from any thread, and blocking work off a loop.
 *
 * struct loop_box is the letter box of one loop. loop_box_send() may be called from any thread
 * while the box is open; each message runs once, on the loop's thread, in the order sent. The
 * message's memory belongs to the sender's protocol: its run() is the last the box knows of it.
 *
 * struct loop_work runs work() on libuv's pool and then done() on the loop. The struct must live
 * until done() is called; done() may free it. It is never called inside loop_offload().
 */
#ifndef LIB_LOOP_UV_H
#define LIB_LOOP_UV_H

#include <pthread.h>
#include <uv.h>

#include "err.h"

struct loop_msg {
    struct loop_msg *next;             /* the box's */
    void (*run)(struct loop_msg *msg); /* on the loop's thread; may free the message */
};

struct loop_box {
    uv_async_t wake;
    pthread_mutex_t lock;
    struct loop_msg *first;
    struct loop_msg **last;
    void (*on_closed)(void *ctx);
    void *ctx; /* borrowed */
};

/* Opens BOX (storage of the caller's, kept until on_closed) on LOOP. Loop thread only. */
enum err loop_box_open(struct loop_box *box, uv_loop_t *loop) MUST_USE;

/* Any thread. MSG must stay until its run(). */
void loop_box_send(struct loop_box *box, struct loop_msg *msg);

/* An open box keeps its loop alive unless this is called. Loop thread only. */
void loop_box_unref(struct loop_box *box);

/* Runs what is still waiting, then closes; ON_CLOSED (may be NULL) says when BOX may go. Nobody may
 * send any more. Loop thread only. */
void loop_box_close(struct loop_box *box, void (*on_closed)(void *ctx), void *ctx);

struct loop_work {
    uv_work_t req;
    void (*work)(struct loop_work *w); /* on a pool thread: may block */
    void (*done)(struct loop_work *w); /* on the loop */
};

void loop_offload(uv_loop_t *loop, struct loop_work *w);

#endif

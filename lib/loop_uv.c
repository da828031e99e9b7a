#include "loop_uv.h"

#include <assert.h>
#include <stddef.h>

static void drain(struct loop_box *box)
{
    pthread_mutex_lock(&box->lock);
    struct loop_msg *m = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->lock);
    while (m != NULL) {
        struct loop_msg *next = m->next; /* run() may free it */
        m->run(m);
        m = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    drain(wake->data);
}

enum err loop_box_open(struct loop_box *box, uv_loop_t *loop)
{
    *box = (struct loop_box){.first = NULL};
    box->last = &box->first;
    if (uv_async_init(loop, &box->wake, on_wake) != 0) {
        return ERR_IO;
    }
    box->wake.data = box;
    pthread_mutex_init(&box->lock, NULL);
    return ERR_OK;
}

void loop_box_send(struct loop_box *box, struct loop_msg *msg)
{
    msg->next = NULL;
    pthread_mutex_lock(&box->lock);
    *box->last = msg;
    box->last = &msg->next;
    /* Inside the lock: once the message can be seen, its run() may close the box. */
    uv_async_send(&box->wake);
    pthread_mutex_unlock(&box->lock);
}

void loop_box_unref(struct loop_box *box)
{
    uv_unref((uv_handle_t *)&box->wake);
}

static void on_box_closed(uv_handle_t *h)
{
    struct loop_box *box = h->data;
    pthread_mutex_destroy(&box->lock);
    if (box->on_closed != NULL) {
        box->on_closed(box->ctx);
    }
}

void loop_box_close(struct loop_box *box, void (*on_closed)(void *ctx), void *ctx)
{
    drain(box);
    box->on_closed = on_closed;
    box->ctx = ctx;
    uv_close((uv_handle_t *)&box->wake, on_box_closed);
}

static void on_work(uv_work_t *req)
{
    struct loop_work *w = req->data;
    w->work(w);
}

static void on_work_done(uv_work_t *req, int status)
{
    struct loop_work *w = req->data;
    (void)status; /* nothing is ever cancelled */
    w->done(w);
}

void loop_offload(uv_loop_t *loop, struct loop_work *w)
{
    w->req.data = w;
    int rc = uv_queue_work(loop, &w->req, on_work, on_work_done);
    assert(rc == 0);
    (void)rc;
}

/* N workers, each on a thread and a loop of its own. They hear of news by letters (lib/loop_uv.h)
 * and share nothing with each other or with the control loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/loop_uv.h"
#include "lib/mem.h"
#include "lib/tls_context.h"
#include "worker.h"

/* Of threads that make handshakes, which take long and may wait; the others' answers do neither. */
#define TLS_NICE 10

struct thread {
    struct net_server *server; /* borrowed */
    uv_thread_t id;
    uv_loop_t loop;
    struct loop_box box;
    struct net_worker *worker; /* owned until its close has begun */
    struct answer_config config;
    struct net_limits limits;
    bool tls;
    struct loop_msg ended; /* to the control loop, as the thread's last act */
    struct loop_msg stop;
};

struct net_server {
    struct loop_box box;     /* the control loop's */
    struct thread **threads; /* owned */
    unsigned count, running;
    unsigned plain; /* the first of them; the others serve TLS */
    void (*done)(void *ctx);
    void *ctx; /* borrowed */
};

struct news {
    struct loop_msg msg;
    struct thread *thread;
    const struct zone_snapshot *snapshot; /* shared: a reference for the worker */
    struct answer_config config;
    bool has_config;
};

struct context_news {
    struct loop_msg msg;
    struct thread *thread;
    struct tls_context *context; /* shared: a reference for the worker */
};

static void on_news(struct loop_msg *msg)
{
    struct news *n = (struct news *)msg;
    struct thread *t = n->thread;
    if (n->has_config) {
        t->config = n->config;
    }
    if (t->worker != NULL) {
        net_worker_use(t->worker, n->snapshot);
    } else {
        zone_snapshot_unref(n->snapshot);
    }
    free(n);
}

static void on_context(struct loop_msg *msg)
{
    struct context_news *n = (struct context_news *)msg;
    if (n->thread->worker != NULL) {
        net_worker_use_tls(n->thread->worker, n->context);
    } else {
        tls_context_unref(n->context);
    }
    free(n);
}

static void run_thread(void *arg)
{
    struct thread *t = arg;
    if (t->tls) {
        (void)!nice(TLS_NICE); /* on Linux of this thread alone; best effort */
    }
    uv_run(&t->loop, UV_RUN_DEFAULT);
    loop_box_send(&t->server->box, &t->ended);
}

static void on_server_closed(void *ctx)
{
    struct net_server *s = ctx;
    void (*done)(void *ctx) = s->done;
    void *done_ctx = s->ctx;
    free(s->threads);
    free(s);
    if (done != NULL) {
        done(done_ctx);
    }
}

/* On the control loop: the thread has nothing more to do but to return. */
static void on_ended(struct loop_msg *msg)
{
    struct thread *t = (struct thread *)((char *)msg - offsetof(struct thread, ended));
    struct net_server *s = t->server;
    uv_thread_join(&t->id);
    uv_loop_close(&t->loop);
    free(t);
    if (--s->running == 0) {
        loop_box_close(&s->box, on_server_closed, s);
    }
}

static void on_worker_closed(void *ctx)
{
    struct thread *t = ctx;
    loop_box_close(&t->box, NULL, NULL);
}

static void on_stop(struct loop_msg *msg)
{
    struct thread *t = (struct thread *)((char *)msg - offsetof(struct thread, stop));
    struct net_worker *w = t->worker;
    t->worker = NULL;
    net_worker_close(w, on_worker_closed, t);
}

static struct thread *thread_new(struct net_server *s, const struct answer_config *config,
                                 const struct net_limits *limits)
{
    struct thread *t = mem_xalloc(sizeof *t);
    t->server = s;
    t->config = *config;
    t->limits = *limits;
    t->ended.run = on_ended;
    t->stop.run = on_stop;
    return t;
}

/* Everything that can fail, before any thread runs. */
static enum err thread_prepare(struct thread *t, struct net_sockets *sockets, unsigned index,
                               struct err_info *info)
{
    if (uv_loop_init(&t->loop) != 0 || loop_box_open(&t->box, &t->loop) != ERR_OK) {
        return err_set(info, ERR_IO, "no loop for a worker: out of files?");
    }
    return net_worker_open(&t->loop, sockets, index, &t->config, &t->limits, &t->worker, info);
}

enum err net_server_start(uv_loop_t *control, struct net_sockets *sockets,
                          const struct answer_config *config, const struct net_limits *limits,
                          const struct zone_snapshot *first, struct tls_context *tls,
                          struct net_server **out, struct err_info *info)
{
    struct net_server *s = mem_xalloc(sizeof *s);
    unsigned shares = sockets->workers + sockets->tls_workers;
    enum err e = loop_box_open(&s->box, control);
    s->threads = mem_xalloc(shares * sizeof(struct thread *));
    s->plain = sockets->workers;
    for (unsigned i = 0; i < shares && e == ERR_OK; i++) {
        s->threads[i] = thread_new(s, config, limits);
        s->count++;
        s->threads[i]->tls = i >= s->plain;
        e = thread_prepare(s->threads[i], sockets, i, info);
        if (e == ERR_OK && first != NULL) {
            net_worker_use(s->threads[i]->worker, zone_snapshot_ref(first));
        }
        if (e == ERR_OK && s->threads[i]->tls && tls != NULL) {
            net_worker_use_tls(s->threads[i]->worker, tls_context_ref(tls));
        }
    }
    for (unsigned i = 0; i < s->count && e == ERR_OK; i++) {
        char name[16];
        if (uv_thread_create(&s->threads[i]->id, run_thread, s->threads[i]) != 0) {
            return err_set(info, ERR_IO, "cannot start a worker's thread");
        }
        snprintf(name, sizeof name, i < s->plain ? "dns-worker-%u" : "dns-tls-%u",
                 (i < s->plain ? i : i - s->plain) % 1000);
        pthread_setname_np(s->threads[i]->id, name);
        s->running++;
    }
    if (e != ERR_OK) {
        return e; /* the process is about to end: what was made goes with it */
    }
    *out = s;
    return ERR_OK;
}

void net_server_publish(struct net_server *s, const struct zone_snapshot *snapshot,
                        const struct answer_config *config)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct news *n = mem_xalloc(sizeof *n);
        n->msg.run = on_news;
        n->thread = s->threads[i];
        n->snapshot = zone_snapshot_ref(snapshot);
        if (config != NULL) {
            n->config = *config;
            n->has_config = true;
        }
        loop_box_send(&s->threads[i]->box, &n->msg);
    }
}

void net_server_use_tls(struct net_server *s, struct tls_context *context)
{
    for (unsigned i = s->plain; i < s->count; i++) {
        struct context_news *n = mem_xalloc(sizeof *n);
        n->msg.run = on_context;
        n->thread = s->threads[i];
        n->context = tls_context_ref(context);
        loop_box_send(&s->threads[i]->box, &n->msg);
    }
}

unsigned net_server_workers(const struct net_server *s)
{
    return s->count;
}

unsigned net_server_tls_workers(const struct net_server *s)
{
    return s->count - s->plain;
}

const struct net_counters *net_server_counters(const struct net_server *s, unsigned worker)
{
    return net_worker_counters(s->threads[worker]->worker);
}

void net_server_close(struct net_server *s, void (*done)(void *ctx), void *ctx)
{
    s->done = done;
    s->ctx = ctx;
    for (unsigned i = 0; i < s->count; i++) {
        loop_box_send(&s->threads[i]->box, &s->threads[i]->stop);
    }
}

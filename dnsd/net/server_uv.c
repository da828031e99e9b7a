/* N workers, each on a thread and a loop of its own. They hear of news by letters (lib/loop_uv.h)
 * and share nothing with each other or with the control loop.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/loop_uv.h"
#include "lib/mem.h"
#include "lib/tls_context.h"
#include "worker.h"

/* Of threads that make handshakes: where both want a CPU, other answers get nine tenths of it. */
#define TLS_NICE 10
/* Most wake-ups are over sooner. */
#define TURN_NS 100000

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

/* Asks the scheduler for short turns: who does is not kept waiting until the end of somebody's long
 * one. With handshakes flooding the same CPU a worker then waits some tens of microseconds for its
 * turn instead of some hundreds (measured). Linux 6.12 and later; the others take no notice. */
static void prefer_short_turns(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attr = {.size = sizeof attr,
              .policy = SCHED_OTHER,
              .nice = getpriority(PRIO_PROCESS, 0),
              .runtime_ns = TURN_NS};
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void run_thread(void *arg)
{
    struct thread *t = arg;
    /* On Linux both are of this thread alone; neither is more than a wish. */
    if (t->tls) {
        (void)!nice(TLS_NICE);
    } else {
        prefer_short_turns();
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
                                 const struct net_limits *limits, bool tls)
{
    struct thread *t = mem_xalloc(sizeof *t);
    t->server = s;
    t->config = *config;
    t->limits = *limits;
    t->tls = tls;
    t->ended.run = on_ended;
    t->stop.run = on_stop;
    return t;
}

/* Everything that can fail, before any thread runs. */
static enum err thread_prepare(struct thread *t, struct net_sockets *sockets, unsigned share,
                               const struct zone_snapshot *first, struct tls_context *tls,
                               struct err_info *info)
{
    if (uv_loop_init(&t->loop) != 0 || loop_box_open(&t->box, &t->loop) != ERR_OK) {
        return err_set(info, ERR_IO, "no loop for a worker: out of files?");
    }
    enum err e =
        net_worker_open(&t->loop, sockets, share, &t->config, &t->limits, &t->worker, info);
    if (e == ERR_OK && first != NULL) {
        net_worker_use(t->worker, zone_snapshot_ref(first));
    }
    if (e == ERR_OK && t->tls && tls != NULL) {
        net_worker_use_tls(t->worker, tls_context_ref(tls));
    }
    return e;
}

/* NUMBER: among those of its kind. */
static enum err thread_start(struct thread *t, unsigned number, struct err_info *info)
{
    char name[16];
    if (uv_thread_create(&t->id, run_thread, t) != 0) {
        return err_set(info, ERR_IO, "cannot start a worker's thread");
    }
    snprintf(name, sizeof name, t->tls ? "dns-tls-%u" : "dns-worker-%u", number % 1000);
    pthread_setname_np(t->id, name);
    return ERR_OK;
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
        s->threads[i] = thread_new(s, config, limits, i >= s->plain);
        s->count++;
        e = thread_prepare(s->threads[i], sockets, i, first, tls, info);
    }
    for (unsigned i = 0; i < s->count && e == ERR_OK; i++) {
        e = thread_start(s->threads[i], i < s->plain ? i : i - s->plain, info);
        s->running += e == ERR_OK;
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

size_t net_server_witnesses(struct net_server *s, struct net_witness *out, size_t max)
{
    size_t n = 0;
    for (unsigned i = 0; i < s->count; i++) {
        n += net_witness_take(&s->threads[i]->worker->witnesses, out + n, max - n);
    }
    return n;
}

void net_server_close(struct net_server *s, void (*done)(void *ctx), void *ctx)
{
    s->done = done;
    s->ctx = ctx;
    for (unsigned i = 0; i < s->count; i++) {
        loop_box_send(&s->threads[i]->box, &s->threads[i]->stop);
    }
}

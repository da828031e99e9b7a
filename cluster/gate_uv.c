/* The gate's owner and its thread. The owner hears of refusals, and logs them; the thread hears of
 * identities, revocations and the end. All of it by letters (lib/loop_uv.h). */
#include "gate_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate_priv.h"
#include "lib/mem.h"

#define TAG    "gate"
#define LOG_MS 10000

/* ---- what the thread has to tell ----------------------------------------------------------- */

static void send_note(struct gate_note *n)
{
    n->said = n->next;
    n->next.count = 0;
    n->away = true;
    loop_box_send(&n->gate->to_owner, &n->there);
}

void gate_note(struct gate_note *n, const char *who, const char *why)
{
    n->next.count++;
    snprintf(n->next.client, sizeof n->next.client, "%s", who);
    snprintf(n->next.why, sizeof n->next.why, "%s", why);
    if (!n->away) {
        send_note(n);
    }
}

/* On the thread. */
static void on_note_back(struct loop_msg *msg)
{
    struct gate_note *n = (struct gate_note *)((char *)msg - offsetof(struct gate_note, back));
    n->away = false;
    if (n->next.count > 0) {
        send_note(n);
    }
}

/* Strangers are none of the operator's worries, and each node that joins is one at first: it asks without a
 * certificate whether this is an HTTP port by mistake. One that is no good may be a node's. */
static bool is_worry(const struct gate_note *n)
{
    return n != &n->gate->refused || strncmp(n->said.why, "the certificate ", 16) == 0;
}

static void log_note(struct gate_note *n)
{
    const struct gate_said *s = &n->said;
    bool worry = is_worry(n);
    uint64_t held;
    n->unlogged += s->count;
    if (!log_limit_pass(&n->limit[worry], (int64_t)uv_now(n->gate->owner), LOG_MS, &held)) {
        return;
    }
    int64_t others = (int64_t)n->unlogged - 1;
    n->unlogged = 0;
    if (n == &n->gate->refused) {
        LOG_AT(worry ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, TAG, "refused at the Raft port",
               LOG_S("client", s->client), LOG_S("why", s->why), LOG_N("suppressed", others));
    } else {
        LOG_WARN(TAG, "rqlited takes no connection", LOG_S("why", s->why),
                 LOG_N("suppressed", others));
    }
}

/* On the owner's loop. */
static void on_note(struct loop_msg *msg)
{
    struct gate_note *n = (struct gate_note *)((char *)msg - offsetof(struct gate_note, there));
    struct gate *g = n->gate;
    const struct gate_said *s = &n->said;
    if (n == &g->refused) {
        snprintf(g->last_refusal, sizeof g->last_refusal, "%s: %s", s->client, s->why);
    }
    log_note(n);
    if (!g->stopping) {
        loop_box_send(&g->box, &n->back);
    }
}

static void note_init(struct gate_note *n, struct gate *g)
{
    n->gate = g;
    n->there.run = on_note;
    n->back.run = on_note_back;
}

/* ---- what the thread hears ----------------------------------------------------------------- */

struct identity_news {
    struct loop_msg msg;
    struct gate *gate;
    struct gate_identity identity; /* references for the gate */
};

struct revoked_news {
    struct loop_msg msg;
    struct gate *gate;
    struct gate_list *list; /* owned */
};

static struct gate_identity identity_ref(const struct gate_identity *i)
{
    return (struct gate_identity){.server = tls_context_ref(i->server),
                                  .client = tls_client_ref(i->client)};
}

static void identity_unref(const struct gate_identity *i)
{
    tls_context_unref(i->server);
    tls_client_unref(i->client);
}

static void on_identity(struct loop_msg *msg)
{
    struct identity_news *n = (struct identity_news *)msg;
    identity_unref(&n->gate->identity);
    n->gate->identity = n->identity;
    free(n);
}

static void on_revoked(struct loop_msg *msg)
{
    struct revoked_news *n = (struct revoked_news *)msg;
    free(n->gate->revoked);
    n->gate->revoked = n->list;
    gate_conns_cut_revoked(n->gate);
    free(n);
}

static void close_all(struct gate_conns *l)
{
    while (l->first != NULL) {
        gate_conn_close(l->first, false);
    }
}

static void on_stop(struct loop_msg *msg)
{
    struct gate *g = (struct gate *)((char *)msg - offsetof(struct gate, stop));
    gate_doors_close(g);
    close_all(&g->shaking);
    close_all(&g->others);
    loop_box_close(&g->box, NULL, NULL);
}

static void run_thread(void *arg)
{
    struct gate *g = arg;
    uv_run(&g->loop, UV_RUN_DEFAULT);
    loop_box_send(&g->to_owner, &g->ended);
}

/* ---- the owner's side ---------------------------------------------------------------------- */

static void free_gate(struct gate *g)
{
    identity_unref(&g->identity);
    free(g->revoked);
    free(g);
}

static void on_owner_closed(void *ctx)
{
    struct gate *g = ctx;
    void (*done)(void *ctx) = g->done;
    void *done_ctx = g->ctx;
    free_gate(g);
    if (done != NULL) {
        done(done_ctx);
    }
}

static void on_ended(struct loop_msg *msg)
{
    struct gate *g = (struct gate *)((char *)msg - offsetof(struct gate, ended));
    uv_thread_join(&g->thread);
    uv_loop_close(&g->loop);
    loop_box_close(&g->to_owner, on_owner_closed, g);
}

/* What the thread would have done at its end. */
static void abandon_loop(struct gate *g)
{
    on_stop(&g->stop);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    uv_loop_close(&g->loop);
}

static enum err start(uv_loop_t *loop, struct gate *g, struct err_info *info)
{
    if (loop_box_open(&g->to_owner, loop) != ERR_OK) {
        abandon_loop(g);
        free_gate(g);
        return err_set(info, ERR_IO, "no letter box for the gate");
    }
    if (uv_thread_create(&g->thread, run_thread, g) != 0) {
        abandon_loop(g);
        loop_box_close(&g->to_owner, on_owner_closed, g);
        return err_set(info, ERR_IO, "cannot start the gate's thread");
    }
    pthread_setname_np(g->thread, "raft-gate");
    return ERR_OK;
}

static struct gate *make(uv_loop_t *loop, const struct gate_options *options)
{
    struct gate *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    g->owner = loop;
    g->local_port = options->local_port;
    g->stop.run = on_stop;
    g->ended.run = on_ended;
    note_init(&g->refused, g);
    note_init(&g->failed, g);
    return g;
}

static enum err refuse_start(const struct gate_options *options, struct gate *g, enum err e)
{
    for (size_t i = 0; i < options->fds_count; i++) {
        close(options->fds[i]);
    }
    free(g);
    return e;
}

enum err gate_start(uv_loop_t *loop, const struct gate_options *options, struct gate **out,
                    struct err_info *info)
{
    struct gate *g = make(loop, options);
    if (g == NULL) {
        return refuse_start(options, g, err_set(info, ERR_NOMEM, "no memory for the gate"));
    }
    if (uv_loop_init(&g->loop) != 0) {
        return refuse_start(options, g, err_set(info, ERR_IO, "no loop for the gate"));
    }
    if (loop_box_open(&g->box, &g->loop) != ERR_OK) {
        uv_loop_close(&g->loop);
        return refuse_start(options, g, err_set(info, ERR_IO, "no letter box for the gate"));
    }
    g->identity = identity_ref(&options->identity);
    enum err e = gate_doors_open(g, options->fds, options->fds_count, info);
    if (e != ERR_OK) {
        abandon_loop(g);
        free_gate(g);
        return e;
    }
    e = start(loop, g, info);
    *out = e == ERR_OK ? g : NULL;
    return e;
}

void gate_use(struct gate *g, const struct gate_identity *identity)
{
    struct identity_news *n = mem_xalloc(sizeof *n);
    n->msg.run = on_identity;
    n->gate = g;
    n->identity = identity_ref(identity);
    loop_box_send(&g->box, &n->msg);
}

void gate_revoked(struct gate *g, const char *const *serials, size_t count)
{
    struct revoked_news *n = mem_xalloc(sizeof *n);
    n->msg.run = on_revoked;
    n->gate = g;
    n->list = gate_list_new(serials, count);
    loop_box_send(&g->box, &n->msg);
}

void gate_stop(struct gate *g, void (*done)(void *ctx), void *ctx)
{
    g->stopping = true;
    g->done = done;
    g->ctx = ctx;
    loop_box_send(&g->box, &g->stop);
}

const struct gate_counters *gate_counters(const struct gate *g)
{
    return &g->counters;
}

const char *gate_last_refusal(const struct gate *g)
{
    return g->last_refusal;
}

#include "watch_uv.h"

#include <stdlib.h>

#include "lib/mem.h"
#include "store_priv.h"

/* How often a driver that cannot watch is asked for its revision: a change has to be answered within
 * 50 ms on the core where it was made. It costs 2 to 3 % of a processor, most of it rqlited's. */
#define POLL_MS 40

struct watch_poll {
    uv_timer_t timer;
    struct store *store; /* borrowed; NULL once stopped */
    uint64_t revision;
    enum err e; /* of the last question */
    bool stale;
};

void watch_told(struct store *s)
{
    if (s->on_change != NULL) {
        s->on_change(s->on_change_ctx);
    }
}

static void on_told(void *ctx)
{
    watch_told(ctx);
}

static void ask(struct watch_poll *p);

static void on_due(uv_timer_t *timer)
{
    struct watch_poll *p = timer->data;
    if (p->store != NULL) {
        ask(p);
    }
}

/* Whoever watches reads then, and so hears what is new or why there is nothing to be read. */
static void on_state(void *ctx, enum err e, const struct err_info *info,
                     const struct store_state *state)
{
    struct store *s = ctx;
    struct watch_poll *p = s->poll;
    (void)info;
    if (p == NULL) {
        return;
    }
    uv_timer_start(&p->timer, on_due, POLL_MS, 0);
    uint64_t revision = e == ERR_OK ? state->revision : p->revision;
    bool stale = e == ERR_OK ? state->stale : p->stale;
    if (revision != p->revision || stale != p->stale || e != p->e) {
        p->revision = revision;
        p->stale = stale;
        p->e = e;
        watch_told(s);
    }
}

static void ask(struct watch_poll *p)
{
    store_state(p->store, on_state, p->store);
}

static void poll_start(struct store *s)
{
    struct watch_poll *p = mem_xalloc(sizeof *p);
    uv_timer_init(s->loop, &p->timer);
    p->timer.data = p;
    p->store = s;
    p->revision = UINT64_MAX; /* of no state: the first answer tells */
    s->poll = p;
    ask(p);
}

static void on_poll_closed(uv_handle_t *h)
{
    free(h->data);
}

void watch_poll_stop(struct store *s)
{
    if (s->poll != NULL) {
        s->poll->store = NULL;
        uv_close((uv_handle_t *)&s->poll->timer, on_poll_closed);
        s->poll = NULL;
    }
}

void store_watch(struct store *s, void (*on_change)(void *ctx), void *ctx)
{
    s->on_change = on_change;
    s->on_change_ctx = ctx;
    if ((s->backend->ops->features & BACKEND_WATCH) != 0) {
        s->backend->ops->watch(s->backend, on_change != NULL ? on_told : NULL, s);
        return;
    }
    watch_poll_stop(s);
    if (on_change != NULL) {
        poll_start(s);
    }
}

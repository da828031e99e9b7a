#include "server.h"

#include <assert.h>
#include <stdlib.h>

#include "h2.h"
#include "server_priv.h"

uint64_t http_server_now(const struct http_server *s)
{
    return uv_now(s->loop);
}

/* ---- turns --------------------------------------------------------------------------------- */

static void on_next(uv_idle_t *idle)
{
    struct http_server *s = idle->data;
    struct http_conn *c = s->ready;
    s->ready = NULL; /* who is ready from now on is so for the turn after this one */
    for (struct http_conn *next; c != NULL; c = next) {
        next = c->ready_next;
        c->is_ready = false;
        http_conn_go_on(c);
    }
    if (s->ready == NULL) {
        uv_idle_stop(idle);
    }
    http_server_look(s);
}

void http_server_wake(struct http_server *s)
{
    uv_idle_start(&s->next, on_next);
}

static void tick_list(struct http_conn *first, uint64_t now)
{
    for (struct http_conn *c = first, *next; c != NULL; c = next) {
        next = c->next;
        http_conn_tick(c, now);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    tick_list(s->idle.first, http_server_now(s));
    tick_list(s->busy.first, http_server_now(s));
}

void http_server_count(struct http_server *s)
{
    atomic_store_explicit(&s->counters.open, s->conns, memory_order_relaxed);
    if (s->conns == 0) {
        uv_timer_stop(&s->tick);
    } else if (!uv_is_active((uv_handle_t *)&s->tick)) {
        uv_timer_start(&s->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

enum err http_server_open(uv_loop_t *loop, const struct http_site *sites, size_t sites_count,
                          const struct http_limits *limits, struct http_server **out,
                          struct err_info *info)
{
    struct http_server *s = calloc(1, sizeof *s);
    assert(sites_count <= HTTP_SITES_MAX);
    if (s == NULL || (s->h2 = h2_setup_new(limits)) == NULL) {
        free(s);
        return err_set(info, ERR_NOMEM, "no memory for the HTTP server");
    }
    s->loop = loop;
    s->limits = *limits;
    s->sites_count = sites_count;
    for (size_t i = 0; i < sites_count; i++) {
        assert(sites[i].count <= HTTP_ROUTES_MAX);
        s->sites[i] = sites[i];
    }
    uv_random(NULL, NULL, &s->bucket_key, sizeof s->bucket_key, 0, NULL);
    s->bucket_key |= 1;
    uv_timer_init(loop, &s->tick);
    uv_timer_init(loop, &s->resume);
    uv_idle_init(loop, &s->next);
    s->tick.data = s->resume.data = s->next.data = s;
    s->handles = 3;
    *out = s;
    return ERR_OK;
}

static void use(struct tls_context **slot, struct tls_context *context)
{
    struct tls_context *old = *slot;
    *slot = tls_context_ref(context);
    tls_context_unref(old);
}

void http_server_use_tls(struct http_server *s, struct tls_context *context)
{
    use(&s->tls, context);
}

void http_server_use_site_tls(struct http_server *s, unsigned site, struct tls_context *context)
{
    assert(site < s->sites_count);
    use(&s->site_tls[site], context);
}

struct tls_context *http_server_tls(const struct http_server *s, unsigned site)
{
    return s->site_tls[site] != NULL ? s->site_tls[site] : s->tls;
}

const struct http_counters *http_server_counters(const struct http_server *s)
{
    return &s->counters;
}

static void drain(struct http_conn *first)
{
    for (struct http_conn *c = first; c != NULL; c = c->next) {
        if (c->h2 != NULL) {
            h2_drain(c);
        }
        http_conn_wake(c);
    }
}

void http_server_close(struct http_server *s, void (*done)(void *ctx), void *ctx)
{
    assert(!s->closing);
    s->closing = true;
    s->closing_ms = http_server_now(s);
    s->done = done;
    s->ctx = ctx;
    http_listeners_close(s);
    drain(s->idle.first);
    drain(s->busy.first);
    http_server_wake(s);
}

static void on_closed(uv_handle_t *h)
{
    http_server_handle_gone(h->data);
}

void http_server_look(struct http_server *s)
{
    if (!s->closing || s->ending || s->conns > 0 || s->lent > 0) {
        return;
    }
    s->ending = true;
    uv_close((uv_handle_t *)&s->tick, on_closed);
    uv_close((uv_handle_t *)&s->resume, on_closed);
    uv_close((uv_handle_t *)&s->next, on_closed);
}

void http_server_handle_gone(struct http_server *s)
{
    http_server_look(s);
    if (--s->handles > 0) {
        return;
    }
    void (*done)(void *) = s->done;
    void *ctx = s->ctx;
    h2_setup_free(s->h2);
    tls_context_unref(s->tls);
    for (unsigned i = 0; i < HTTP_SITES_MAX; i++) {
        tls_context_unref(s->site_tls[i]);
    }
    free(s);
    if (done != NULL) {
        done(ctx);
    }
}

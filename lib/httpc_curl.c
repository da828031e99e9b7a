/* The loop's side of the HTTP client.
 *
 * libcurl's multi handle asks for two things: watch these sockets (on_socket), wake me in so many
 * milliseconds (on_timeout); each becomes one libuv handle. Whatever they report goes into
 * curl_multi_socket_action(), and collect() takes the transfers that ended from there.
 *
 * Requests wait in a queue of our own: first come, first served, whatever libcurl's version makes of
 * more transfers than connections. The deadline is ours too, one timer for all: it counts from
 * httpc_start(), the queue included, and does not depend on what libcurl is busy with.
 *
 * Ends, of whatever kind, go through the list `done` and are told by on_idle() in the next turn of
 * the loop. Nothing else calls a callback, so a callback may do anything, httpc_close() included.
 * When the client is closing and that list is empty, the handles are closed; the last one that is
 * closed frees the client.
 */
#include "httpc_curl.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "httpc_priv.h"
#include "mem.h"

#define CONNECTIONS_DEFAULT 4

struct httpc {
    uv_loop_t *loop; /* borrowed: outlives us */
    CURLM *multi;    /* owned */
    struct httpc_settings settings;
    unsigned connections_max;
    struct httpc_calls queued, active, done;
    unsigned active_count;
    uv_timer_t wake;     /* libcurl's */
    uv_timer_t deadline; /* ours: for the earliest of all calls */
    int64_t deadline_ms; /* what it is set to */
    uv_idle_t idle;      /* runs while there is an end to be told */
    unsigned handles;    /* of libuv, not closed yet */
    bool closing;
    void (*on_closed)(void *ctx);
    void *ctx; /* borrowed */
};

struct watch {
    uv_poll_t poll;
    struct httpc *client; /* borrowed */
    curl_socket_t fd;     /* libcurl's */
    int events;
};

/* libcurl keeps copies of passwords and gives their memory back as it is: wipe all it frees. */
static void wiping_free(void *p)
{
    if (p != NULL) {
        explicit_bzero(p, malloc_usable_size(p));
        free(p);
    }
}

static void *wiping_realloc(void *p, size_t n)
{
    void *q = malloc(n);
    if (q != NULL && p != NULL) {
        size_t old = malloc_usable_size(p);
        memcpy(q, p, old < n ? old : n);
        wiping_free(p);
    }
    return q;
}

static CURLcode global_rc;

static void global_init(void)
{
    global_rc = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
                                     strdup, calloc);
}

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

static void on_deadline(uv_timer_t *t);
static void on_idle(uv_idle_t *idle);

/* The timer for the deadlines is set for this one, unless it is set for an earlier one. */
static void arm(struct httpc *c, int64_t deadline_ms)
{
    if (uv_is_active((uv_handle_t *)&c->deadline) && c->deadline_ms <= deadline_ms) {
        return;
    }
    int64_t left = deadline_ms - now_ms();
    c->deadline_ms = deadline_ms;
    uv_timer_start(&c->deadline, on_deadline, left > 0 ? (uint64_t)left : 0, 0);
}

/* CALL is over; its callback comes with the next turn of the loop. */
static void finish(struct httpc_call *call, enum err e)
{
    struct httpc *c = call->client;
    if (call->state == HTTPC_ACTIVE) {
        curl_multi_remove_handle(c->multi, call->easy);
        TAILQ_REMOVE(&c->active, call, link);
        c->active_count--;
    } else {
        TAILQ_REMOVE(&c->queued, call, link);
    }
    call->state = HTTPC_DONE;
    call->e = e;
    TAILQ_INSERT_TAIL(&c->done, call, link);
    uv_idle_start(&c->idle, on_idle);
    if (TAILQ_EMPTY(&c->active) && TAILQ_EMPTY(&c->queued)) {
        uv_timer_stop(&c->deadline); /* it would keep the loop alive */
    }
}

static void cancel(struct httpc_call *call)
{
    call->e = ERR_OK; /* whatever it was going to be */
    enum err e = httpc_call_fail(call, ERR_CANCELED, "canceled");
    if (call->state != HTTPC_DONE) {
        finish(call, e);
    }
}

/* Hands over as many of the queue as there are connections for. */
static void promote(struct httpc *c)
{
    struct httpc_call *call;
    while (c->active_count < c->connections_max && (call = TAILQ_FIRST(&c->queued)) != NULL) {
        if (curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) {
            finish(call, httpc_call_fail(call, ERR_NOMEM, "not taken by libcurl"));
            continue;
        }
        TAILQ_REMOVE(&c->queued, call, link);
        TAILQ_INSERT_TAIL(&c->active, call, link);
        call->state = HTTPC_ACTIVE;
        c->active_count++;
    }
}

/* The transfers that libcurl has ended. */
static void collect(struct httpc *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct httpc_call *call = NULL;
        CURLcode rc = m->data.result; /* M goes with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
        finish(call, httpc_call_result(call, rc));
    }
    promote(c);
}

static void act(struct httpc *c, curl_socket_t fd, int flags)
{
    int running;
    curl_multi_socket_action(c->multi, fd, flags, &running);
    collect(c);
}

static void on_wake(uv_timer_t *t)
{
    act(t->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
    struct httpc *c = ctx;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&c->wake);
    } else {
        uv_timer_start(&c->wake, on_wake, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static void on_handle_closed(struct httpc *c)
{
    if (--c->handles > 0) {
        return;
    }
    void (*done)(void *ctx) = c->on_closed;
    void *ctx = c->ctx;
    httpc_settings_fini(&c->settings);
    free(c);
    if (done != NULL) {
        done(ctx);
    }
}

static void on_own_closed(uv_handle_t *h)
{
    on_handle_closed(h->data);
}

static void on_watch_closed(uv_handle_t *h)
{
    struct watch *w = h->data;
    struct httpc *c = w->client;
    free(w);
    on_handle_closed(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    /* 0 lets libcurl look itself: at an error there may still be a reply to be read. */
    int flags = status < 0 ? 0
                           : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(w->client, w->fd, flags);
    /* After an error libuv has stopped watching. If libcurl still wants the socket, go on; W lives
     * until it is told that it is closed, at the earliest in this turn's end. */
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) {
        uv_poll_start(poll, w->events, on_poll);
    }
}

static struct watch *watch_new(struct httpc *c, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL || uv_poll_init_socket(c->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->client = c;
    w->fd = fd;
    c->handles++;
    curl_multi_assign(c->multi, fd, w);
    return w;
}

static void watch_close(struct watch *w)
{
    curl_multi_assign(w->client->multi, w->fd, NULL);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* A socket that cannot be watched: its request fails, but not from inside libcurl. */
static void break_later(struct httpc *c, CURL *easy)
{
    struct httpc_call *call = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    if (call != NULL) {
        httpc_call_fail(call, ERR_NOMEM, "its socket cannot be watched");
        call->deadline_ms = 0;
        arm(c, 0);
    }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct httpc *c = ctx;
    struct watch *w = socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            watch_close(w);
        }
        return 0;
    }
    if (w == NULL && (w = watch_new(c, fd)) == NULL) {
        break_later(c, easy);
        return 0; /* -1 would end every other transfer as well */
    }
    w->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (uv_poll_start(&w->poll, w->events, on_poll) != 0) {
        break_later(c, easy);
    }
    return 0;
}

/* Ends those of LIST whose time is up; returns the earliest deadline of the rest. */
static int64_t expire(struct httpc_calls *list, int64_t now, int64_t earliest)
{
    struct httpc_call *next;
    for (struct httpc_call *call = TAILQ_FIRST(list); call != NULL; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->deadline_ms <= now) {
            char text[64];
            snprintf(text, sizeof text, "no complete reply within %u ms", call->wait_ms);
            finish(call, httpc_call_fail(call, ERR_TIMEOUT, text));
        } else if (call->deadline_ms < earliest) {
            earliest = call->deadline_ms;
        }
    }
    return earliest;
}

static void on_deadline(uv_timer_t *t)
{
    struct httpc *c = t->data;
    int64_t now = now_ms();
    int64_t earliest = expire(&c->queued, now, INT64_MAX);
    earliest = expire(&c->active, now, earliest);
    if (earliest < INT64_MAX) {
        arm(c, earliest);
    }
    promote(c);
}

static void tell(struct httpc_call *call)
{
    if (call->e == ERR_OK) {
        long status = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        struct httpc_reply reply = {.status = (unsigned)status,
                                    .body = call->body != NULL ? call->body : "",
                                    .len = call->body_len,
                                    .priv = call->easy};
        call->cb(call->ctx, ERR_OK, &call->info, &reply);
    } else {
        call->cb(call->ctx, call->e, &call->info, NULL);
    }
    httpc_call_fini(call);
    free(call);
}

static void shut(struct httpc *c)
{
    curl_multi_cleanup(c->multi); /* closes the kept connections, and may still call on_socket */
    uv_close((uv_handle_t *)&c->wake, on_own_closed);
    uv_close((uv_handle_t *)&c->deadline, on_own_closed);
    uv_close((uv_handle_t *)&c->idle, on_own_closed);
}

static void on_idle(uv_idle_t *idle)
{
    struct httpc *c = idle->data;
    struct httpc_calls now = TAILQ_HEAD_INITIALIZER(now);
    struct httpc_call *call;
    TAILQ_CONCAT(&now, &c->done, link); /* what ends meanwhile waits for the next turn */
    while ((call = TAILQ_FIRST(&now)) != NULL) {
        TAILQ_REMOVE(&now, call, link);
        tell(call);
    }
    if (TAILQ_EMPTY(&c->done)) {
        uv_idle_stop(idle);
        if (c->closing) {
            shut(c);
        }
    }
}

static bool multi_init(struct httpc *c)
{
    long max = (long)c->connections_max;
    c->multi = curl_multi_init();
    if (c->multi == NULL) {
        return false;
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    /* Idle ones count too: the oldest of them goes when a new one is needed. */
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, max);
    return true;
}

enum err httpc_open(uv_loop_t *loop, const struct httpc_options *options, struct httpc **out,
                    struct err_info *info)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    pthread_once(&once, global_init);
    if (global_rc != CURLE_OK) {
        return err_set(info, ERR_NOMEM, "libcurl: %s", curl_easy_strerror(global_rc));
    }
    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) == 0) {
        return err_set(info, ERR_IO, "this libcurl would block while it looks a name up");
    }
    struct httpc *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    c->loop = loop;
    c->connections_max =
        options->connections_max != 0 ? options->connections_max : CONNECTIONS_DEFAULT;
    TAILQ_INIT(&c->queued);
    TAILQ_INIT(&c->active);
    TAILQ_INIT(&c->done);
    enum err e = httpc_settings_init(&c->settings, options, info);
    if (e == ERR_OK && !multi_init(c)) {
        e = err_set(info, ERR_NOMEM, "no memory");
    }
    if (e != ERR_OK) {
        httpc_settings_fini(&c->settings);
        free(c);
        return e;
    }
    uv_timer_init(loop, &c->wake);
    uv_timer_init(loop, &c->deadline);
    uv_idle_init(loop, &c->idle);
    c->wake.data = c->deadline.data = c->idle.data = c;
    c->handles = 3;
    *out = c;
    return ERR_OK;
}

void httpc_close(struct httpc *c, void (*done)(void *ctx), void *ctx)
{
    struct httpc_call *call;
    if (c->closing) {
        return;
    }
    c->closing = true;
    c->on_closed = done;
    c->ctx = ctx;
    while ((call = TAILQ_FIRST(&c->active)) != NULL || (call = TAILQ_FIRST(&c->queued)) != NULL) {
        cancel(call);
    }
    uv_idle_start(&c->idle, on_idle);
}

struct httpc_call *httpc_start(struct httpc *c, const struct httpc_request *request, httpc_cb *cb,
                               void *ctx)
{
    /* Who starts a request must be told of its end, and without this memory there is no way to. */
    struct httpc_call *call = mem_xalloc(sizeof *call);
    call->client = c;
    call->cb = cb;
    call->ctx = ctx;
    call->deadline_ms = now_ms() + request->wait_ms;
    call->state = HTTPC_QUEUED;
    TAILQ_INSERT_TAIL(&c->queued, call, link);
    enum err e = httpc_call_prepare(call, &c->settings, request);
    if (e == ERR_OK && c->closing) {
        e = httpc_call_fail(call, ERR_CANCELED, "the client is closing");
    }
    if (e != ERR_OK) {
        finish(call, e);
        return call;
    }
    arm(c, call->deadline_ms);
    promote(c);
    return call;
}

void httpc_cancel(struct httpc_call *call)
{
    cancel(call);
    promote(call->client);
}

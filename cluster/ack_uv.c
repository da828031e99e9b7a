#include "ack_uv.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/httpc_curl.h"
#include "lib/rng.h"

struct ack {
    uv_timer_t timer;
    struct httpc *http;      /* owned; NULL: could not be opened, or closed */
    struct httpc_call *call; /* borrowed from http; NULL: none under way */
    struct ack_machine machine;
    char *url, *core; /* owned; the machine's too */
    char body[ACK_BODY_MAX];
    size_t body_len;
    enum err open_e; /* why there is no client, or no body */
    struct err_info open_info;
    bool over; /* the machine is done: what comes in late does not count */
    enum err result;
    unsigned handles; /* not closed yet: the timer, the client */
    void (*on_try)(void *ctx, unsigned tries, const char *what, unsigned wait_ms);
    void *try_ctx; /* borrowed */
    ack_cb *cb;
    void *ctx; /* borrowed */
};

static void run(struct ack *a, struct ack_ev ev);

static void destroy(struct ack *a)
{
    ack_fini(&a->machine);
    explicit_bzero(a->body, sizeof a->body);
    free(a->url);
    free(a->core);
    free(a);
}

static void closed_one(struct ack *a)
{
    if (--a->handles > 0) {
        return;
    }
    bool well = a->result == ERR_OK;
    a->cb(a->ctx, a->result, well ? NULL : &a->machine.info, well ? &a->machine.told : NULL);
    destroy(a);
}

static void on_timer_closed(uv_handle_t *h)
{
    closed_one(h->data);
}

static void on_http_closed(void *ctx)
{
    closed_one(ctx);
}

static void finish(struct ack *a, enum err result)
{
    a->over = true;
    a->result = result;
    uv_close((uv_handle_t *)&a->timer, on_timer_closed);
    if (a->http != NULL) {
        httpc_close(a->http, on_http_closed, a);
    }
}

/* ---- events ------------------------------------------------------------------------------------ */

static struct ack_ev event(enum ack_event kind)
{
    return (struct ack_ev){
        .kind = kind, .now_ms = clk_mono_ms(&clk_system), .chance = (unsigned)rng_below(1000)};
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct ack *a = ctx;
    struct ack_ev ev = event(e == ERR_OK ? ACK_REPLY : ACK_FAILED);
    a->call = NULL;
    if (e == ERR_OK) {
        ev.status = reply->status;
        ev.body = reply->body;
        ev.len = reply->len;
        ev.retry_after = httpc_reply_header(reply, "Retry-After");
    } else {
        ev.error = e;
        ev.what = info->text;
    }
    run(a, ev);
}

static void on_timer(uv_timer_t *t)
{
    struct ack *a = t->data;
    if (a->open_e != ERR_OK) {
        a->machine.info = a->open_info;
        finish(a, a->open_e);
        return;
    }
    run(a, event(a->machine.tries == 0 ? ACK_GO : ACK_WOKEN));
}

static void post(struct ack *a, unsigned ms)
{
    static const struct httpc_header json = {"Content-Type", "application/json"};
    const struct httpc_request request = {.method = "POST",
                                          .url = a->url,
                                          .headers = &json,
                                          .headers_count = 1,
                                          .body = a->body,
                                          .body_len = a->body_len,
                                          .body_max = ACK_REPLY_MAX,
                                          .wait_ms = ms};
    a->call = httpc_start(a->http, &request, on_reply, a);
}

static void run(struct ack *a, struct ack_ev ev)
{
    if (a->over) {
        return;
    }
    struct ack_act act = ack_next(&a->machine, &ev);
    switch (act.kind) {
    case ACK_POST:
        post(a, act.ms);
        return;
    case ACK_WAIT:
        uv_timer_start(&a->timer, on_timer, act.ms, 0);
        if (a->on_try != NULL) {
            a->on_try(a->try_ctx, a->machine.tries, a->machine.info.text, act.ms);
        }
        return;
    case ACK_DONE:
        finish(a, act.result);
        return;
    }
}

/* ---- start and end ----------------------------------------------------------------------------- */

static enum err open_client(struct ack *a, uv_loop_t *loop, const struct ack_options *o)
{
    const struct httpc_options options = {.ca_file = o->system_ca ? NULL : o->ca_file,
                                          .pins = o->system_ca ? NULL : o->pins,
                                          .pins_count = o->system_ca ? 0 : o->pins_count,
                                          .connections_max = 1};
    if (!o->system_ca && o->ca_file == NULL && o->pins_count == 0) {
        return err_set(&a->open_info, ERR_BUG, "nobody to believe");
    }
    enum err e = ack_body(o->core, o->token, o->fingerprint, a->body, &a->body_len, &a->open_info);
    return e == ERR_OK ? httpc_open(loop, &options, &a->http, &a->open_info) : e;
}

struct ack *ack_start(uv_loop_t *loop, const struct ack_options *options, ack_cb *cb, void *ctx)
{
    struct ack *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->url = strdup(options->url != NULL ? options->url : "");
    a->core = strdup(options->core != NULL ? options->core : "");
    if (a->url == NULL || a->core == NULL) {
        destroy(a);
        return NULL;
    }
    ack_init(&a->machine, a->url, a->core, options->deadline_ms);
    a->on_try = options->on_try;
    a->try_ctx = options->ctx;
    a->cb = cb;
    a->ctx = ctx;
    a->open_e = open_client(a, loop, options);
    a->handles = a->http != NULL ? 2 : 1;
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    uv_timer_start(&a->timer, on_timer, 0, 0);
    return a;
}

void ack_cancel(struct ack *a)
{
    run(a, event(ACK_CANCEL));
}

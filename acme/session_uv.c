#include "session_uv.h"

#include <stdlib.h>
#include <string.h>

#include "header.h"
#include "lib/mem.h"
#include "session_priv.h"

#define CONNECT_MS 10000

static void on_idle(uv_idle_t *idle);

/* --- ends --------------------------------------------------------------------------------- */

struct session_call *session_call_new(struct session *s, enum session_state state, void *ctx)
{
    /* Who starts a request must be told of its end, and without this memory there is no way to. */
    struct session_call *call = mem_xalloc(sizeof *call);
    call->session = s;
    call->state = state;
    call->ctx = ctx;
    call->problem.retry_ms = -1;
    TAILQ_INSERT_TAIL(&s->calls, call, link);
    return call;
}

void session_call_free(struct session_call *call)
{
    free(call->payload);
    free(call->jws);
    free(call);
}

void session_end(struct session_call *call, enum err e, const struct err_info *info)
{
    struct session *s = call->session;
    if (call->state != SESSION_DONE) {
        TAILQ_REMOVE(&s->calls, call, link);
        TAILQ_INSERT_TAIL(&s->done, call, link);
        call->state = SESSION_DONE;
        uv_idle_start(&s->idle, on_idle);
    }
    call->e = e;
    call->info = *info;
}

void session_tell(struct session_call *call, enum err e, const struct err_info *info,
                  const struct session_reply *reply)
{
    session_reply_cb *cb = call->cb;
    void *ctx = call->ctx;
    TAILQ_REMOVE(&call->session->calls, call, link);
    session_call_free(call);
    cb(ctx, e, info, reply);
}

static void tell_done(struct session *s, struct session_call *call)
{
    struct err_info info = call->info;
    struct acme_problem problem = call->problem;
    session_directory_cb *directory_cb = call->directory_cb;
    session_reply_cb *cb = call->cb;
    void *ctx = call->ctx;
    enum err e = call->e;
    session_call_free(call);
    if (directory_cb != NULL) {
        directory_cb(ctx, e, &info, e == ERR_OK ? &s->directory : NULL, &problem);
    } else {
        cb(ctx, e, &info, NULL);
    }
}

static void on_shut(uv_handle_t *h)
{
    struct session *s = h->data;
    void (*done)(void *ctx) = s->on_closed;
    void *ctx = s->ctx;
    free(s);
    if (done != NULL) {
        done(ctx);
    }
}

/* Nothing is under way any more, and everybody was told. */
static void shut_if_over(struct session *s)
{
    if (s->closing && s->http == NULL && TAILQ_EMPTY(&s->done) &&
        !uv_is_closing((uv_handle_t *)&s->idle)) {
        uv_close((uv_handle_t *)&s->idle, on_shut);
    }
}

/* What ends meanwhile waits for the next turn. A call that is to be told may still be canceled by one
 * before it, so they are taken one by one. */
static void on_idle(uv_idle_t *idle)
{
    struct session *s = idle->data;
    struct session_call *last = TAILQ_LAST(&s->done, session_calls);
    struct session_call *call;
    bool more = last != NULL;
    while (more && (call = TAILQ_FIRST(&s->done)) != NULL) {
        more = call != last;
        TAILQ_REMOVE(&s->done, call, link);
        tell_done(s, call);
    }
    if (TAILQ_EMPTY(&s->done)) {
        uv_idle_stop(idle);
        shut_if_over(s);
    }
}

/* --- life --------------------------------------------------------------------------------- */

enum err session_open(uv_loop_t *loop, const struct session_options *options, struct session **out,
                      struct err_info *info)
{
    struct httpc_options http = {.user_agent = options->user_agent, .ca_file = options->ca_file};
    *out = NULL;
    if (!acme_url_secure(options->directory_url) ||
        strlen(options->directory_url) >= ACME_URL_MAX) {
        return err_set(info, ERR_MALFORMED, "not a directory's URL (https://...): %.200s",
                       options->directory_url);
    }
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    enum err e = httpc_open(loop, &http, &s->http, info);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    s->loop = loop;
    s->clock = options->clock;
    memcpy(s->url, options->directory_url, strlen(options->directory_url) + 1);
    TAILQ_INIT(&s->calls);
    TAILQ_INIT(&s->done);
    uv_idle_init(loop, &s->idle);
    s->idle.data = s;
    *out = s;
    return ERR_OK;
}

static void on_http_closed(void *ctx)
{
    struct session *s = ctx;
    s->http = NULL;
    shut_if_over(s);
}

void session_close(struct session *s, void (*done)(void *ctx), void *ctx)
{
    struct err_info info;
    struct session_call *call;
    if (s->closing) {
        return;
    }
    s->closing = true;
    s->on_closed = done;
    s->ctx = ctx;
    err_set(&info, ERR_CANCELED, "the session is closing");
    TAILQ_FOREACH(call, &s->done, link)
    {
        session_end(call, ERR_CANCELED, &info);
    }
    httpc_close(s->http, on_http_closed, s); /* those under way hear of it from there */
}

/* --- directory ---------------------------------------------------------------------------- */

/* What everything else hangs on must be at the same place. */
static enum err check_origin(const struct session *s, const struct acme_directory *d,
                             struct err_info *info)
{
    const char *const urls[] = {d->new_nonce, d->new_account, d->new_order};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (!acme_same_origin(s->url, urls[i])) {
            return err_set(info, ERR_DENIED, "%.200s: leads to another origin: %.200s", s->url,
                           urls[i]);
        }
    }
    return ERR_OK;
}

static enum err take_directory(struct session *s, const struct httpc_reply *http,
                               struct acme_problem *problem, struct err_info *info)
{
    struct session_reply reply;
    struct acme_directory directory;
    session_saw(s, http);
    session_reply_read(s, s->url, http, &reply);
    if (reply.problem.class != ACME_FINE) {
        bool passes = reply.problem.class == ACME_AGAIN || reply.problem.class == ACME_LIMITED;
        *problem = reply.problem;
        return err_set(info, passes ? ERR_UNAVAIL : ERR_DENIED, "%.200s: %.250s", s->url,
                       reply.problem.text);
    }
    enum err e = acme_directory_read(http->body, http->len, &directory, info);
    if (e == ERR_OK) {
        e = check_origin(s, &directory, info);
    }
    if (e == ERR_OK) {
        s->directory = directory;
        s->has_directory = true;
        s->fetched_ms = clk_mono_ms(s->clock);
    }
    return e;
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct httpc_reply *http)
{
    struct session *s = ctx;
    struct session_call *call, *next;
    struct acme_problem problem = {.class = ACME_FINE, .retry_ms = -1};
    struct err_info why = *info;
    s->fetching = false;
    if (e == ERR_OK) {
        e = take_directory(s, http, &problem, &why);
    }
    for (call = TAILQ_FIRST(&s->calls); call != NULL; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->state == SESSION_FETCH) {
            call->problem = problem;
            session_end(call, e, &why);
        }
    }
}

static void fetch(struct session *s)
{
    static const struct httpc_header language = {"Accept-Language", "en"};
    struct httpc_request request = {.method = "GET",
                                    .url = s->url,
                                    .headers = &language,
                                    .headers_count = 1,
                                    .body_max = SESSION_BODY_MAX,
                                    .connect_ms = CONNECT_MS,
                                    .wait_ms = SESSION_WAIT_MS};
    s->fetching = true;
    (void)httpc_start(s->http, &request, on_directory, s);
}

void session_directory(struct session *s, bool fresh, session_directory_cb *cb, void *ctx)
{
    struct session_call *call = session_call_new(s, SESSION_FETCH, ctx);
    struct err_info info = {.text = ""};
    call->directory_cb = cb;
    if (s->closing) {
        err_set(&info, ERR_CANCELED, "the session is closing");
        session_end(call, ERR_CANCELED, &info);
    } else if (!fresh && s->has_directory &&
               clk_mono_ms(s->clock) - s->fetched_ms < SESSION_DIRECTORY_MS) {
        session_end(call, ERR_OK, &info);
    } else if (!s->fetching) {
        fetch(s);
    }
}

const char *session_url(const struct session *s)
{
    return s->url;
}

int64_t session_skew_ms(const struct session *s)
{
    return s->skew_ms;
}

#include "renewal_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/httpc_curl.h"
#include "lib/jx.h"

#define PATH "/cluster/node-certificate"

struct renewal {
    uv_timer_t timer;   /* for an end that is there from the start */
    struct httpc *http; /* owned; NULL: could not be opened */
    char url[128];
    char *body;       /* owned */
    json_t *reply;    /* owned */
    const char *cert; /* in it */
    bool over;
    enum err result;
    struct err_info info;
    unsigned handles; /* not closed yet: the timer, the client */
    renewal_cb *cb;
    void *ctx; /* borrowed */
};

static void destroy(struct renewal *r)
{
    json_decref(r->reply);
    free(r->body);
    free(r);
}

static void closed_one(struct renewal *r)
{
    if (--r->handles > 0) {
        return;
    }
    bool well = r->result == ERR_OK;
    r->cb(r->ctx, r->result, well ? NULL : &r->info, well ? r->cert : NULL);
    destroy(r);
}

static void on_timer_closed(uv_handle_t *h)
{
    closed_one(h->data);
}

static void on_http_closed(void *ctx)
{
    closed_one(ctx);
}

static void finish(struct renewal *r, enum err result)
{
    if (r->over) {
        return;
    }
    r->over = true;
    r->result = result;
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
    if (r->http != NULL) {
        httpc_close(r->http, on_http_closed, r);
    }
}

/* ---- the reply --------------------------------------------------------------------------------- */

static enum err refused(struct renewal *r, unsigned status)
{
    static const struct {
        unsigned from, to;
        enum err e;
        const char *what;
    } rows[] = {
        {401, 401, ERR_DENIED, "this core is not let in"},
        {403, 403, ERR_DENIED, "this core is not let in"},
        {404, 404, ERR_NOTFOUND, "no CA there, or this core is not known"},
        {429, 429, ERR_UNAVAIL, "too much to do"},
        {500, 599, ERR_UNAVAIL, "it cannot now"},
        {0, 999, ERR_MALFORMED, "that is not the answer of a dnsd"},
    };
    size_t i = 0;
    while (status < rows[i].from || status > rows[i].to) {
        i++;
    }
    return err_set(&r->info, rows[i].e, "%s answered %u: %s", r->url, status, rows[i].what);
}

static enum err read_reply(struct renewal *r, const struct httpc_reply *reply)
{
    if (reply->status != 200) {
        return refused(r, reply->status);
    }
    enum err e = jx_parse_object(reply->body, reply->len, &r->reply, &r->info);
    if (e == ERR_OK) {
        e = jx_string(r->reply, "certPem", &r->cert, &r->info);
    }
    return e == ERR_OK || e == ERR_NOMEM
               ? e
               : err_prefix(&r->info, ERR_MALFORMED, "%s answered nonsense: ", r->url);
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct renewal *r = ctx;
    if (r->over) {
        return;
    }
    if (e != ERR_OK) {
        r->info = *info;
    }
    finish(r, e == ERR_OK ? read_reply(r, reply) : e == ERR_LIMIT ? ERR_MALFORMED : e);
}

static void on_timer(uv_timer_t *t)
{
    struct renewal *r = t->data;
    finish(r, r->result);
}

/* ---- start ------------------------------------------------------------------------------------- */

static enum err ask(struct renewal *r, uv_loop_t *loop, const struct renewal_options *o)
{
    static const struct httpc_header type = {"Content-Type", "application/json"};
    const struct httpc_options options = {.ca_file = o->ca_file,
                                          .cert_file = o->cert_file,
                                          .key_file = o->key_file,
                                          .connections_max = 1};
    const char *bracket = strchr(o->address, ':') != NULL ? "[" : "";
    snprintf(r->url, sizeof r->url, "https://%s%.64s%s:%u" PATH, bracket, o->address,
             bracket[0] != '\0' ? "]" : "", o->port);
    json_t *body = json_pack("{s:s}", "csr", o->csr);
    r->body = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (r->body == NULL) {
        return err_set(&r->info, ERR_NOMEM, "no memory");
    }
    enum err e = httpc_open(loop, &options, &r->http, &r->info);
    if (e == ERR_OK) {
        const struct httpc_request request = {.method = "POST",
                                              .url = r->url,
                                              .headers = &type,
                                              .headers_count = 1,
                                              .body = r->body,
                                              .body_len = strlen(r->body),
                                              .body_max = RENEWAL_REPLY_MAX,
                                              .wait_ms = RENEWAL_TRY_MS};
        (void)httpc_start(r->http, &request, on_reply, r);
    }
    return e;
}

struct renewal *renewal_start(uv_loop_t *loop, const struct renewal_options *options,
                              renewal_cb *cb, void *ctx)
{
    struct renewal *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->cb = cb;
    r->ctx = ctx;
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    r->result = ask(r, loop, options);
    r->handles = r->http != NULL ? 2 : 1;
    if (r->result != ERR_OK) {
        uv_timer_start(&r->timer, on_timer, 0, 0);
    }
    return r;
}

void renewal_cancel(struct renewal *r)
{
    if (!r->over) {
        finish(r, err_set(&r->info, ERR_CANCELED, "stopped"));
    }
}

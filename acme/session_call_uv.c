/* One exchange with a CA: a nonce, a signature, the request; again if the nonce was not liked. */
#include <stdlib.h>
#include <string.h>

#include "jws.h"
#include "session_priv.h"
#include "url.h"

#define CONNECT_MS 10000
#define SHOWN_MAX  200 /* of a URL in an error text */

static void go(struct session_call *call);

/* --- nonce -------------------------------------------------------------------------------- */

static void send_with(struct session_call *call, const char *nonce);

/* RFC 8555 §7.2 */
static void on_nonce(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *http)
{
    struct session_call *call = ctx;
    struct session *s = call->session;
    struct session_reply reply;
    char nonce[SESSION_NONCE_ROOM];
    call->http = NULL;
    if (e != ERR_OK) {
        session_tell(call, e, info, NULL);
        return;
    }
    session_saw(s, http);
    if (http->status < 200 || http->status > 299) {
        session_reply_read(s, s->directory.new_nonce, http, &reply);
        reply.bad_nonces = call->bad_nonces;
        session_tell(call, ERR_OK, info, &reply);
        return;
    }
    if (!session_nonce_take(s, nonce)) {
        struct err_info why;
        err_set(&why, ERR_MALFORMED, "HEAD %s: no nonce in the reply", s->directory.new_nonce);
        session_tell(call, ERR_MALFORMED, &why, NULL);
        return;
    }
    send_with(call, nonce);
}

static void ask_nonce(struct session_call *call)
{
    struct session *s = call->session;
    struct httpc_request request = {.method = "HEAD",
                                    .url = s->directory.new_nonce,
                                    .body_max = SESSION_BODY_MAX,
                                    .connect_ms = CONNECT_MS,
                                    .wait_ms = SESSION_WAIT_MS};
    call->state = SESSION_NONCE;
    call->http = httpc_start(s->http, &request, on_nonce, call);
}

/* --- request ------------------------------------------------------------------------------ */

static bool is_bad_nonce(const struct session_reply *reply)
{
    return reply->problem.class != ACME_FINE && strcmp(reply->problem.type, "badNonce") == 0;
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *http)
{
    struct session_call *call = ctx;
    struct session *s = call->session;
    struct session_reply reply;
    call->http = NULL;
    free(call->jws);
    call->jws = NULL;
    if (e != ERR_OK) {
        session_tell(call, e, info, NULL);
        return;
    }
    session_saw(s, http);
    session_reply_read(s, call->url, http, &reply);
    if (is_bad_nonce(&reply)) {
        call->bad_nonces++;
        if (call->bad_nonces <= SESSION_NONCE_TRIES && call->key != NULL) {
            go(call); /* §6.5: with the nonce of this very reply */
            return;
        }
    }
    reply.bad_nonces = call->bad_nonces;
    session_tell(call, ERR_OK, info, &reply);
}

static void ask(struct session_call *call)
{
    struct httpc_header headers[3];
    size_t n = 0;
    headers[n++] = (struct httpc_header){"Accept-Language", "en"}; /* RFC 8555 §6.1 */
    if (call->accept[0] != '\0') {
        headers[n++] = (struct httpc_header){"Accept", call->accept};
    }
    if (call->key != NULL) {
        headers[n++] = (struct httpc_header){"Content-Type", "application/jose+json"}; /* §6.2 */
    }
    struct httpc_request request = {.method = call->key != NULL ? "POST" : "GET",
                                    .url = call->url,
                                    .headers = headers,
                                    .headers_count = n,
                                    .body = call->jws,
                                    .body_len = call->jws != NULL ? strlen(call->jws) : 0,
                                    .body_max = call->body_max,
                                    .connect_ms = CONNECT_MS,
                                    .wait_ms = SESSION_WAIT_MS};
    call->state = SESSION_ASK;
    call->http = httpc_start(call->session->http, &request, on_reply, call);
}

static void send_with(struct session_call *call, const char *nonce)
{
    struct jws_request request = {.key = call->key,
                                  .kid = call->kid[0] != '\0' ? call->kid : NULL,
                                  .nonce = nonce,
                                  .url = call->url,
                                  .payload = call->payload};
    struct err_info info = {.text = ""};
    enum err e = jws_sign(&request, &call->jws, &info);
    if (e != ERR_OK) {
        session_end(call, e, &info);
        return;
    }
    ask(call);
}

static void go(struct session_call *call)
{
    char nonce[SESSION_NONCE_ROOM];
    if (session_nonce_take(call->session, nonce)) {
        send_with(call, nonce);
    } else {
        ask_nonce(call);
    }
}

/* --- start -------------------------------------------------------------------------------- */

static enum err take_text(const char *text, char *out, size_t room, struct err_info *info)
{
    if (strlen(text) >= room) {
        return err_set(info, ERR_LIMIT, "longer than %zu octets: %.40s...", room - 1, text);
    }
    memcpy(out, text, strlen(text) + 1);
    return ERR_OK;
}

/* URLs come from the CA: they may only lead back to it. */
static enum err take_url(struct session_call *call, const char *url, struct err_info *info)
{
    char shown[SHOWN_MAX];
    struct session *s = call->session;
    acme_text_clean(url, shown, sizeof shown);
    if (s->closing) {
        return err_set(info, ERR_CANCELED, "the session is closing");
    }
    if (!acme_same_origin(s->url, url)) {
        return err_set(info, ERR_DENIED, "of another origin than the directory %.200s: %s", s->url,
                       shown);
    }
    return take_text(url, call->url, sizeof call->url, info);
}

static enum err take_post(struct session_call *call, const struct session_post *post,
                          struct err_info *info)
{
    enum err e = take_url(call, post->url, info);
    call->key = post->key;
    call->body_max = post->body_max != 0 ? post->body_max : SESSION_BODY_MAX;
    if (e == ERR_OK && post->kid != NULL) {
        e = take_text(post->kid, call->kid, sizeof call->kid, info);
    }
    if (e == ERR_OK && post->accept != NULL) {
        e = take_text(post->accept, call->accept, sizeof call->accept, info);
    }
    if (e == ERR_OK && post->payload != NULL && (call->payload = strdup(post->payload)) == NULL) {
        e = err_set(info, ERR_NOMEM, "no memory");
    }
    if (e == ERR_OK && (!call->session->has_directory || post->key == NULL)) {
        e = err_set(info, ERR_BUG, "a signed request without a directory or a key");
    }
    return e;
}

struct session_call *session_post(struct session *s, const struct session_post *post,
                                  session_reply_cb *cb, void *ctx)
{
    struct session_call *call = session_call_new(s, SESSION_NONCE, ctx);
    struct err_info info = {.text = ""};
    call->cb = cb;
    enum err e = take_post(call, post, &info);
    if (e != ERR_OK) {
        session_end(call, e, &info);
    } else {
        go(call);
    }
    return call;
}

struct session_call *session_get(struct session *s, const char *url, session_reply_cb *cb,
                                 void *ctx)
{
    struct session_call *call = session_call_new(s, SESSION_ASK, ctx);
    struct err_info info = {.text = ""};
    call->cb = cb;
    call->body_max = SESSION_BODY_MAX;
    enum err e = take_url(call, url, &info);
    if (e != ERR_OK) {
        session_end(call, e, &info);
    } else {
        ask(call);
    }
    return call;
}

void session_cancel(struct session_call *call)
{
    struct err_info info;
    if (call->http != NULL) {
        httpc_cancel(call->http);
        return;
    }
    err_set(&info, ERR_CANCELED, "canceled");
    session_end(call, ERR_CANCELED, &info);
}

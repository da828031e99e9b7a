#include "ca_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "test_keys.h"

struct ca_script_sent {
    struct ca_script_sent *next;
    char *text;
    struct http_script_act acts[2];
};

static const struct ca_script_reply good_directory = {
    .header = "",
    .body = "{\"newNonce\":\"%U/nonce\",\"newAccount\":\"%U/account\",\"newOrder\":\"%U/order\","
            "\"renewalInfo\":\"%U/ari\"}"};
static const struct ca_script_reply good_reply = {.status = NULL};

/* --- requests ----------------------------------------------------------------------------- */

/* The member KEY of a JWS, decoded; NULL: there is none. */
static char *decoded(const json_t *jws, const char *key)
{
    const char *text = json_string_value(json_object_get(jws, key));
    size_t len = 0;
    if (text == NULL) {
        return NULL;
    }
    char *out = mem_xalloc(strlen(text) + 4);
    assert_true(base64url_decode(text, strlen(text), (uint8_t *)out, &len));
    out[len] = '\0';
    return out;
}

static void note_jws(struct ca_script_request *r, const char *body)
{
    json_t *jws = json_loads(body, 0, NULL);
    char *protected = decoded(jws, "protected");
    char *payload = decoded(jws, "payload");
    assert_non_null(json_object_get(jws, "signature"));
    r->protected = json_loads(protected, 0, NULL);
    const char *nonce = json_string_value(json_object_get(r->protected, "nonce"));
    r->nonce = nonce != NULL ? nonce : "";
    snprintf(r->payload, sizeof r->payload, "%s", payload);
    free(protected);
    free(payload);
    json_decref(jws);
}

static const struct ca_script_request *note(struct ca_script *c, const char *text)
{
    assert_true(c->requests_count < CA_SCRIPT_REQUESTS_MAX);
    struct ca_script_request *r = &c->requests[c->requests_count++];
    size_t line = strcspn(text, "\r");
    const char *body = strstr(text, "\r\n\r\n");
    *r = (struct ca_script_request){.nonce = ""};
    assert_non_null(body);
    snprintf(r->line, sizeof r->line, "%.*s", (int)(line - strlen(" HTTP/1.1")), text);
    snprintf(r->header, sizeof r->header, "%.*s", (int)(body + 2 - (text + line)), text + line);
    if (body[4] != '\0') {
        note_jws(r, body + 4);
    }
    return r;
}

/* --- replies ------------------------------------------------------------------------------ */

static void append_filled(struct str *out, struct ca_script *c, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 'U') {
            str_append(out, c->origin);
            at++;
        } else if (at[0] == '%' && at[1] == 'N') {
            str_appendf(out, "nonce-%u", c->nonces++);
            at++;
        } else {
            str_append_n(out, at, 1);
        }
    }
}

static const struct http_script_act *reply_with(struct ca_script *c,
                                                const struct ca_script_reply *r, bool head)
{
    struct str text = {.text = NULL}, body = {.text = NULL};
    struct ca_script_sent *sent = mem_xalloc(sizeof *sent);
    if (r->acts != NULL) {
        free(sent);
        return r->acts;
    }
    append_filled(&body, c, head ? "" : r->body != NULL ? r->body : "{}");
    str_appendf(&text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n",
                r->status != NULL ? r->status : "200 OK", body.len);
    append_filled(&text, c, r->header != NULL ? r->header : "Replay-Nonce: %N\r\n");
    str_appendf(&text, "\r\n%s", body.text != NULL ? body.text : "");
    str_free(&body);
    *sent = (struct ca_script_sent){.next = c->sent, .text = text.text};
    sent->acts[0] = (struct http_script_act){.kind = HTTP_SCRIPT_SEND, .text = text.text};
    sent->acts[1] = (struct http_script_act){.kind = HTTP_SCRIPT_END};
    c->sent = sent;
    return sent->acts;
}

static const struct http_script_act *choose(void *ctx, const struct http_script_request *request)
{
    struct ca_script *c = ctx;
    const struct ca_script_request *r = note(c, request->text);
    if (strcmp(r->line, "GET /directory") == 0) {
        c->directories_asked++;
        return reply_with(c, c->directory != NULL ? c->directory : &good_directory, false);
    }
    if (strcmp(r->line, "HEAD /nonce") == 0) {
        c->nonces_asked++;
        return reply_with(c, c->nonce != NULL ? c->nonce : &good_reply, true);
    }
    c->asked++;
    if (c->replies_count == 0) {
        return reply_with(c, &good_reply, false);
    }
    size_t i = c->replied < c->replies_count ? c->replied++ : c->replies_count - 1;
    return reply_with(c, &c->replies[i], false);
}

/* --- life --------------------------------------------------------------------------------- */

static int64_t wall(void *ctx)
{
    return ((struct ca_script *)ctx)->wall_ms;
}

static int64_t mono(void *ctx)
{
    return ((struct ca_script *)ctx)->mono_ms;
}

const char *ca_script_url(const struct ca_script *c, const char *path)
{
    static char urls[4][ACME_URL_MAX + 64];
    static unsigned next;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof urls[0], "%s%s", c->origin, path);
    return url;
}

void ca_script_init(struct ca_script *c, bool fetched)
{
    struct err_info info = {.text = ""};
    struct ca_script_got g = {.calls = 0};
    *c = (struct ca_script){.wall_ms = CA_SCRIPT_WALL_MS, .mono_ms = 1000};
    c->clock = (struct clk){.wall_ms = wall, .mono_ms = mono, .ctx = c};
    assert_int_equal(uv_loop_init(&c->loop), 0);
    uv_timer_init(&c->loop, &c->guard);
    http_script_open(&c->server, &c->loop, choose, c);
    snprintf(c->origin, sizeof c->origin, "http://127.0.0.1:%u", c->server.port);
    struct session_options options = {.directory_url = ca_script_url(c, "/directory"),
                                      .clock = &c->clock};
    if (session_open(&c->loop, &options, &c->session, &info) != ERR_OK ||
        cert_key_from_pem(TEST_KEY_RFC7515, strlen(TEST_KEY_RFC7515), &c->key, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    if (fetched) {
        ca_script_directory(c, false, &g);
        ca_script_until(c, &g.calls, 1);
        assert_int_equal(g.e, ERR_OK);
    }
}

static void on_closed(void *ctx)
{
    (*(unsigned *)ctx)++;
}

int ca_script_end(struct ca_script *c)
{
    if (c->session != NULL) {
        session_close(c->session, on_closed, &c->closed);
        ca_script_until(c, &c->closed, 1);
    }
    http_script_close(&c->server);
    uv_close((uv_handle_t *)&c->guard, NULL);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    cert_key_free(c->key);
    for (size_t i = 0; i < c->requests_count; i++) {
        json_decref(c->requests[i].protected);
    }
    while (c->sent != NULL) {
        struct ca_script_sent *sent = c->sent;
        c->sent = sent->next;
        free(sent->text);
        free(sent);
    }
    return uv_loop_close(&c->loop);
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard;
    fail_msg("not over in time");
}

void ca_script_until(struct ca_script *c, const unsigned *counter, unsigned n)
{
    uv_update_time(&c->loop);
    uv_timer_start(&c->guard, on_guard, CA_SCRIPT_DEADLINE_MS, 0);
    while (*counter < n) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&c->guard);
}

/* --- requests of ours --------------------------------------------------------------------- */

static void take(struct ca_script_got *g, enum err e, const struct err_info *info)
{
    g->calls++;
    g->e = e;
    g->info = *info;
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct ca_script_got *g = ctx;
    take(g, e, info);
    assert_true((directory != NULL) == (e == ERR_OK));
    assert_non_null(problem);
    g->problem = *problem;
    g->has_directory = directory != NULL;
    if (directory != NULL) {
        g->directory = *directory;
    }
    if (g->then != NULL) {
        g->then(g);
    }
}

void ca_script_directory(struct ca_script *c, bool fresh, struct ca_script_got *g)
{
    *g = (struct ca_script_got){.then = g->then, .ctx = g->ctx};
    session_directory(c->session, fresh, on_directory, g);
    assert_int_equal(g->calls, 0); /* never inside */
}

void ca_script_on_reply(void *ctx, enum err e, const struct err_info *info,
                        const struct session_reply *reply)
{
    struct ca_script_got *g = ctx;
    take(g, e, info);
    assert_true((reply != NULL) == (e == ERR_OK));
    if (reply != NULL) {
        assert_int_equal(reply->body[reply->len], '\0');
        g->reply = *reply;
        g->reply.body = mem_xmemdup(reply->body, reply->len + 1);
    }
    if (g->then != NULL) {
        g->then(g);
    }
}

struct session_call *ca_script_post(struct ca_script *c, const char *path, struct ca_script_got *g)
{
    struct session_post post = {
        .key = c->key, .kid = ca_script_url(c, "/account/1"), .url = ca_script_url(c, path)};
    *g = (struct ca_script_got){.then = g->then, .ctx = g->ctx};
    struct session_call *call = session_post(c->session, &post, ca_script_on_reply, g);
    assert_non_null(call);
    assert_int_equal(g->calls, 0);
    return call;
}

struct session_call *ca_script_get(struct ca_script *c, const char *url, struct ca_script_got *g)
{
    *g = (struct ca_script_got){.then = g->then, .ctx = g->ctx};
    struct session_call *call = session_get(c->session, url, ca_script_on_reply, g);
    assert_non_null(call);
    assert_int_equal(g->calls, 0);
    return call;
}

void ca_script_expect(struct ca_script *c, const char *path, enum err e, struct ca_script_got *g)
{
    g->then = NULL;
    ca_script_post(c, path, g);
    ca_script_until(c, &g->calls, 1);
    if (g->e != e) {
        fail_msg("%s instead of %s: %s", err_text(g->e), err_text(e), g->info.text);
    }
}

void ca_script_got_free(struct ca_script_got *g)
{
    free((char *)g->reply.body);
    g->reply.body = NULL;
}

/* One exchange, from its first octet to its handler, the same in HTTP/1.1 and in HTTP/2. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server_priv.h"
#include "target.h"

#define BODY_FIRST 1024

/* ---- life ---------------------------------------------------------------------------------- */

static void hold(struct http_request *r, size_t n)
{
    r->held += n;
    r->s->held += n;
}

static struct http_request *request_new(struct http_conn *c)
{
    struct http_request *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->s = c->s;
        r->c = c;
        r->site = &c->s->sites[c->site];
        r->site_index = c->site;
        r->is_tls = c->is_tls;
        r->is_local = http_peer_is_local(&c->peer);
        r->match.index = HTTP_ROUTES_MAX;
        http_head_init(&r->head, c->s->limits.header_max);
        http_peer_text(&c->peer, r->peer);
        hold(r, sizeof *r);
    }
    return r;
}

/* Authorization and bodies are among what it forgets. */
void http_request_free(struct http_request *r)
{
    r->s->held -= r->held;
    http_head_fini(&r->head);
    if (r->body != NULL) {
        explicit_bzero(r->body, r->body_len);
    }
    free(r->body);
    free(r->path);
    free(r);
}

struct http_stream *http_stream_new(struct http_conn *c, int32_t id)
{
    struct http_stream *st = calloc(1, sizeof *st);
    struct http_request *r = request_new(c);
    if (st == NULL || r == NULL) {
        free(st);
        if (r != NULL) {
            http_request_free(r);
        }
        return NULL;
    }
    st->c = c;
    st->r = r;
    r->stream = st;
    st->id = id;
    st->since_ms = http_server_now(c->s);
    st->next = c->streams;
    if (st->next != NULL) {
        st->next->prev = st;
    }
    c->streams = st;
    return st;
}

static void enter(struct http_stream *st, enum http_phase phase)
{
    st->phase = phase;
    st->since_ms = http_server_now(st->c->s);
}

void http_stream_part(struct http_stream *st)
{
    struct http_request *r = st->r;
    st->r = NULL;
    if (r != NULL) {
        r->stream = NULL;
        if (!r->lent) {
            http_request_free(r);
        }
    }
    enter(st, HTTP_PHASE_ANSWERED);
}

void http_stream_free(struct http_stream *st)
{
    struct http_conn *c = st->c;
    *(st->prev != NULL ? &st->prev->next : &c->streams) = st->next;
    if (st->next != NULL) {
        st->next->prev = st->prev;
    }
    if (c->streams == NULL) {
        c->since_ms = http_server_now(c->s);
    }
    http_stream_part(st);
    c->s->held -= st->len;
    c->answers -= st->len;
    free(st->body);
    free(st);
}

bool http_stream_late(const struct http_stream *st, uint64_t now)
{
    const struct http_limits *l = &st->c->s->limits;
    const unsigned limit[] = {[HTTP_PHASE_HEAD] = l->header_ms,
                              [HTTP_PHASE_BODY] = l->body_ms,
                              [HTTP_PHASE_WAITING] = l->write_ms,
                              [HTTP_PHASE_LENT] = l->answer_ms,
                              [HTTP_PHASE_ANSWERED] = l->write_ms};
    return st->begun && now - st->since_ms >= limit[st->phase];
}

/* ---- the head ------------------------------------------------------------------------------ */

/* A proxy on this machine says for whom it asks, in the last element of the last such field: those
 * before it are what somebody told the proxy. */
static void find_peer(struct http_request *r)
{
    struct in6_addr address;
    char text[HTTP_PEER_MAX];
    const char *value = NULL;
    for (unsigned i = r->head.count; i > 0 && value == NULL; i--) {
        if (strcmp(r->head.fields[i - 1].name, "x-forwarded-for") == 0) {
            value = r->head.fields[i - 1].value;
        }
    }
    if (value == NULL || !r->is_local) {
        return;
    }
    const char *comma = strrchr(value, ',');
    value = comma != NULL ? comma + 1 : value;
    value += strspn(value, " \t");
    size_t len = strlen(value); /* no blanks at the end: http_head_field() */
    if (len >= sizeof text) {
        return;
    }
    memcpy(text, value, len + 1);
    if (inet_pton(AF_INET6, text, &address) == 1) {
        http_peer_text(&address, r->peer);
    } else if (inet_pton(AF_INET, text, &address) == 1) {
        memcpy(r->peer, text, len + 1);
    }
}

/* RFC 9110 §8.3.1: whatever case, whatever parameters. */
static bool is_json(const struct http_request *r)
{
    static const char json[] = "application/json";
    const char *type = http_head_find(&r->head, "content-type");
    if (type == NULL || strncasecmp(type, json, sizeof json - 1) != 0) {
        return false;
    }
    type += sizeof json - 1;
    type += strspn(type, " \t");
    return *type == '\0' || *type == ';';
}

static http_status find_route(struct http_request *r)
{
    size_t cap = strcspn(r->head.target, "?") + 1;
    r->path = malloc(cap);
    if (r->path == NULL) {
        return 503;
    }
    if (target_path(r->head.target, r->path, cap) != ERR_OK) {
        return 400;
    }
    router_find(r->site, r->head.method, r->path, &r->match);
    return r->match.status;
}

static http_status judge(struct http_stream *st)
{
    struct http_request *r = st->r;
    const struct http_head *head = &r->head;
    http_status status = find_route(r);
    if (status != 0) {
        return status;
    }
    const struct http_route *route = &r->site->routes[r->match.index];
    /* HTTP/2 tells of a body by not ending with the head. */
    bool has_body = head->chunked || head->content_length > 0 ||
                    (st->id != 0 && !st->whole && head->content_length < 0);
    r->body_max = (route->flags & HTTP_NO_BODY) != 0 ? 0 : route->body_max;
    if (head->content_length > 0 && (uint64_t)head->content_length > r->body_max) {
        return 413;
    }
    if (has_body && (route->flags & HTTP_JSON_BODY) != 0 && !is_json(r)) {
        return 415;
    }
    size_t need = !has_body                  ? 0
                  : head->content_length > 0 ? (size_t)head->content_length + 1
                                             : r->body_max + 1;
    if (r->s->held + need > HTTP_HELD_MAX) {
        return 503;
    }
    hold(r, need);
    return 0;
}

void http_stream_head(struct http_stream *st)
{
    enter(st, HTTP_PHASE_BODY);
    hold(st->r, st->r->head.cap);
    find_peer(st->r);
    st->status = judge(st);
}

/* ---- the body ------------------------------------------------------------------------------ */

static bool grow(struct http_request *r, size_t len)
{
    size_t cap = r->body_cap;
    if (cap - r->body_len > len) {
        return true;
    }
    if (r->head.content_length > 0) {
        cap = (size_t)r->head.content_length + 1;
    } else {
        cap = cap == 0 ? BODY_FIRST : cap;
        while (cap - r->body_len <= len) {
            cap *= 2;
        }
    }
    char *body = malloc(cap);
    if (body == NULL) {
        return false;
    }
    if (r->body != NULL) {
        memcpy(body, r->body, r->body_len);
        explicit_bzero(r->body, r->body_len);
    }
    free(r->body);
    r->body = body;
    r->body_cap = cap;
    return true;
}

void http_stream_body(struct http_stream *st, const uint8_t *bytes, size_t len)
{
    struct http_request *r = st->r;
    if (st->status == 0 && len > r->body_max - r->body_len) {
        st->status = 413;
    }
    if (st->status == 0 && !grow(r, len)) {
        st->status = 503;
    }
    if (st->status != 0) {
        st->discarded += len;
        return;
    }
    memcpy(r->body + r->body_len, bytes, len);
    r->body_len += len;
    r->body[r->body_len] = '\0';
}

/* ---- the end ------------------------------------------------------------------------------- */

static void lend(struct http_stream *st)
{
    struct http_request *r = st->r;
    struct http_conn *c = st->c;
    enter(st, HTTP_PHASE_LENT);
    r->lent = true;
    r->next = c->lent;
    if (r->next != NULL) {
        r->next->prev = r;
    }
    c->lent = r;
    c->lent_count++;
    c->s->lent++;
    r->site->routes[r->match.index].handler(r->site->ctx, r);
}

/* To its handler, if there is one, and if there are not too many with handlers. */
static void hand_over(struct http_stream *st)
{
    struct http_conn *c = st->c;
    /* Those of a connection whose stream was reset are still there (CVE-2023-44487). */
    if (st->status == 0 &&
        (c->s->lent >= c->s->limits.requests || c->lent_count >= c->s->limits.streams)) {
        st->status = 503;
    }
    if (st->status != 0) {
        http_stream_fail(st, st->status);
    } else {
        lend(st);
    }
}

static bool must_wait(const struct http_conn *c)
{
    return c->h2 != NULL && c->answers >= c->s->limits.unsent_max;
}

void http_stream_end(struct http_stream *st)
{
    st->whole = true;
    st->c->begun++;
    st->c->touched = true;
    if (st->status == 0 && must_wait(st->c)) {
        enter(st, HTTP_PHASE_WAITING);
    } else {
        hand_over(st);
    }
}

bool http_stream_resume(struct http_conn *c)
{
    struct http_stream *first = NULL;
    for (struct http_stream *st = c->streams; st != NULL; st = st->next) {
        first = st->phase == HTTP_PHASE_WAITING ? st : first; /* the list begins with the newest */
    }
    if (first == NULL || must_wait(c)) {
        return false;
    }
    hand_over(first);
    return true;
}

/* What a handler sees of a request, and its end. */
#include <string.h>

#include "server_priv.h"
#include "target.h"

const char *http_request_method(const struct http_request *r)
{
    return r->head.method;
}

const char *http_request_path(const struct http_request *r)
{
    return r->path;
}

const char *http_request_target(const struct http_request *r)
{
    return r->head.target;
}

const char *http_request_param(const struct http_request *r, const char *name)
{
    for (unsigned i = 0; i < r->match.params_count; i++) {
        const struct router_param *p = &r->match.params[i];
        if (strlen(name) == p->name_len && memcmp(p->name, name, p->name_len) == 0) {
            return p->value;
        }
    }
    return NULL;
}

enum err http_request_query(const struct http_request *r, const char *name, char *out, size_t cap)
{
    return target_query(r->head.target, name, out, cap);
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    return http_head_find(&r->head, name);
}

const char *http_request_host(const struct http_request *r)
{
    return r->head.host;
}

const char *http_request_body(const struct http_request *r, size_t *len)
{
    *len = r->body_len;
    return r->body != NULL ? r->body : "";
}

const char *http_request_peer(const struct http_request *r)
{
    return r->peer;
}

bool http_request_is_tls(const struct http_request *r)
{
    return r->is_tls;
}

bool http_request_is_local(const struct http_request *r)
{
    return r->is_local;
}

bool http_request_tls_peer(const struct http_request *r, struct tls_peer *out)
{
    return r->c != NULL && r->c->tls != NULL && tls_conn_peer(r->c->tls, out);
}

bool http_request_gone(const struct http_request *r)
{
    return r->stream == NULL;
}

static void give_back(struct http_request *r)
{
    struct http_server *s = r->s;
    struct http_conn *c = r->c;
    if (c != NULL) {
        *(r->prev != NULL ? &r->prev->next : &c->lent) = r->next;
        if (r->next != NULL) {
            r->next->prev = r->prev;
        }
        c->lent_count--;
        http_conn_wake(c);
    }
    if (--s->lent == 0 && s->closing) {
        http_server_wake(s);
    }
    http_request_free(r);
}

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    if (r->stream != NULL) {
        http_stream_answer(r->stream, reply);
    }
    give_back(r);
}

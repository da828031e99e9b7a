/* The book of the connections: by how long they have been idle, and by client. Those with a request
 * under way are in a list of their own, for they go last. */
#include <arpa/inet.h>
#include <string.h>

#include "server_priv.h"

/* ---- clients ------------------------------------------------------------------------------- */

struct in6_addr http_peer_of(const struct sockaddr *sa)
{
    struct in6_addr out = IN6ADDR_ANY_INIT;
    if (sa->sa_family == AF_INET6) {
        out = ((const struct sockaddr_in6 *)sa)->sin6_addr;
    } else if (sa->sa_family == AF_INET) {
        out.s6_addr[10] = out.s6_addr[11] = 0xff; /* RFC 4291 §2.5.5.2 */
        memcpy(out.s6_addr + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
    }
    return out;
}

void http_peer_text(const struct in6_addr *peer, char out[HTTP_PEER_MAX])
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(peer);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (const void *)(peer->s6_addr + 12) : peer, out,
              HTTP_PEER_MAX);
}

bool http_peer_is_local(const struct in6_addr *peer)
{
    return IN6_IS_ADDR_V4MAPPED(peer) ? peer->s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(peer);
}

uint64_t http_client_of(const struct in6_addr *peer)
{
    uint64_t key;
    if (http_peer_is_local(peer)) {
        return 0;
    }
    if (IN6_IS_ADDR_V4MAPPED(peer)) {
        memcpy(&key, peer->s6_addr + 8, sizeof key);
    } else {
        memcpy(&key, peer->s6_addr, sizeof key);
    }
    return key != 0 ? key : 1;
}

/* ---- the book ------------------------------------------------------------------------------ */

static struct http_conn **bucket_of(struct http_server *s, uint64_t client)
{
    _Static_assert(HTTP_BUCKETS == 1 << (64 - 54), "buckets are the uppermost bits of a product");
    return &s->bucket[(client * s->bucket_key) >> 54];
}

static struct http_conn_list *list_of(const struct http_conn *c)
{
    return c->is_busy ? &c->s->busy : &c->s->idle;
}

static void list_remove(struct http_conn *c)
{
    struct http_conn_list *l = list_of(c);
    *(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
}

static void list_append(struct http_conn *c)
{
    struct http_conn_list *l = list_of(c);
    c->prev = l->last;
    c->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = c;
    l->last = c;
    c->listed_ms = http_server_now(c->s);
    c->touched = false;
}

void http_conns_add(struct http_conn *c)
{
    if (c->client != 0) {
        struct http_conn **at = bucket_of(c->s, c->client);
        c->same_next = *at;
        *at = c;
    }
    list_append(c);
    c->s->conns++;
}

void http_conns_remove(struct http_conn *c)
{
    if (c->client != 0) {
        struct http_conn **at = bucket_of(c->s, c->client);
        while (*at != c) {
            at = &(*at)->same_next;
        }
        *at = c->same_next;
    }
    list_remove(c);
    c->s->conns--;
}

void http_conns_list(struct http_conn *c, bool busy)
{
    if (busy == c->is_busy && !c->touched) {
        return;
    }
    list_remove(c);
    c->is_busy = busy;
    list_append(c);
}

void http_conns_offer(struct http_conn *c)
{
    list_remove(c);
    c->is_busy = false;
    struct http_conn_list *l = list_of(c);
    c->prev = NULL;
    c->next = l->first;
    *(l->first != NULL ? &l->first->prev : &l->last) = c;
    l->first = c;
    c->listed_ms = 0;
}

static bool goes_before(const struct http_conn *a, const struct http_conn *b)
{
    return a->is_busy != b->is_busy ? b->is_busy : a->listed_ms < b->listed_ms;
}

struct http_conn *http_conns_in_the_way(struct http_server *s, uint64_t client)
{
    unsigned same = 0;
    struct http_conn *out = NULL;
    for (struct http_conn *c = client != 0 ? *bucket_of(s, client) : NULL; c != NULL;
         c = c->same_next) {
        if (c->client == client) {
            same++;
            out = out == NULL || goes_before(c, out) ? c : out;
        }
    }
    if (out != NULL && same >= s->limits.per_client) {
        return out;
    }
    return s->conns < s->limits.connections ? NULL
           : s->idle.first != NULL          ? s->idle.first
                                            : s->busy.first;
}

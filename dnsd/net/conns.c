/* The book of a worker's connections: by how long they have been idle, and by client. */
#include "conn.h"

static size_t bucket_of(const struct net_worker *w, uint64_t client)
{
    return (client * w->bucket_key) >> 54;
}

_Static_assert(TCP_BUCKETS == 1 << (64 - 54), "buckets are the uppermost bits of a product");

static void list_add(struct net_worker *w, struct tcp_conn *c)
{
    c->prev = w->last;
    c->next = NULL;
    *(w->last != NULL ? &w->last->next : &w->first) = c;
    w->last = c;
}

static void list_remove(struct net_worker *w, struct tcp_conn *c)
{
    *(c->prev != NULL ? &c->prev->next : &w->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &w->last) = c->prev;
}

void tcp_conns_add(struct tcp_conn *c)
{
    struct tcp_conn **at = &c->w->bucket[bucket_of(c->w, c->client)];
    c->same_next = *at;
    *at = c;
    list_add(c->w, c);
    c->w->conns++;
}

void tcp_conns_remove(struct tcp_conn *c)
{
    struct tcp_conn **at = &c->w->bucket[bucket_of(c->w, c->client)];
    while (*at != c) {
        at = &(*at)->same_next;
    }
    *at = c->same_next;
    list_remove(c->w, c);
    c->w->conns--;
}

void tcp_conns_touch(struct tcp_conn *c)
{
    list_remove(c->w, c);
    list_add(c->w, c);
}

struct tcp_conn *tcp_conns_in_the_way(const struct net_worker *w, uint64_t client)
{
    unsigned same = 0;
    struct tcp_conn *idlest = NULL;
    for (struct tcp_conn *c = w->bucket[bucket_of(w, client)]; c != NULL; c = c->same_next) {
        if (c->client == client) {
            same++;
            /* Of several in one millisecond the oldest, which is last in its bucket. */
            idlest = idlest == NULL || c->since_ms <= idlest->since_ms ? c : idlest;
        }
    }
    if (idlest != NULL && same >= w->limits->tcp_per_client) {
        return idlest;
    }
    return w->conns >= w->conns_max ? w->first : NULL;
}

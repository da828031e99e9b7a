#include "peers.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static struct peer *find(const struct peers *p, const char *id)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i].id, id) == 0) {
            return &p->items[i];
        }
    }
    return NULL;
}

const struct peer *peers_find(const struct peers *p, const char *id)
{
    return find(p, id);
}

static struct peer *add(struct peers *p, const char *id)
{
    p->items = mem_xrealloc(p->items, (p->count + 1) * sizeof *p->items);
    struct peer *peer = &p->items[p->count++];
    *peer = (struct peer){.id = mem_xstrdup(id), .live = true, .rank = UINT_MAX};
    return peer;
}

void peers_begin(struct peers *p)
{
    for (size_t i = 0; i < p->count; i++) {
        p->items[i].listed = false;
    }
}

void peers_hear(struct peers *p, const char *id, uint64_t beat, uint64_t revision,
                const char *digest, const char *version, int64_t now_ms)
{
    struct peer *peer = find(p, id);
    if (peer == NULL) {
        if (p->count == PEERS_MAX) {
            return;
        }
        peer = add(p, id);
    } else if (peer->beat == beat) {
        peer->listed = true;
        return;
    }
    peer->listed = true;
    peer->beat = beat;
    peer->heard_ms = now_ms;
    peer->revision = revision;
    snprintf(peer->digest, sizeof peer->digest, "%s", digest);
    snprintf(peer->version, sizeof peer->version, "%s", version);
}

void peers_hear_cert(struct peers *p, const char *id, unsigned rank, uint64_t generation,
                     const char *serial)
{
    struct peer *peer = find(p, id);
    if (peer != NULL) {
        peer->rank = rank;
        peer->generation = generation;
        snprintf(peer->serial, sizeof peer->serial, "%s", serial);
    }
}

void peers_hear_join(struct peers *p, const char *id, uint16_t port)
{
    struct peer *peer = find(p, id);
    if (peer != NULL) {
        peer->join_port = port;
    }
}

void peers_end(struct peers *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].listed) {
            p->items[kept++] = p->items[i];
        } else {
            free(p->items[i].id);
        }
    }
    p->count = kept;
}

void peers_hold(struct peers *p, int64_t now_ms)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].live) {
            p->items[i].heard_ms = now_ms;
        }
    }
}

void peers_judge(struct peers *p, const char *self, int64_t now_ms,
                 void (*changed)(const struct peer *peer, int64_t silent_ms))
{
    for (size_t i = 0; i < p->count; i++) {
        struct peer *peer = &p->items[i];
        int64_t silent_ms = now_ms - peer->heard_ms;
        bool live = strcmp(peer->id, self) == 0 || silent_ms < PEERS_SILENT_MS;
        if (live != peer->live) {
            peer->live = live;
            changed(peer, silent_ms);
        }
    }
}

void peers_free(struct peers *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].id);
    }
    free(p->items);
    *p = (struct peers){.items = NULL};
}

#include "failures.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "lib/mem.h"

struct place {
    struct failures_client client;
    unsigned count; /* 0: free */
    int64_t first_ms, last_ms;
    int64_t locked_ms; /* until then; 0: not locked */
};

struct failures {
    size_t max;
    struct place *places; /* owned */
};

struct failures *failures_new(size_t max)
{
    struct failures *f = mem_xalloc(sizeof *f);
    f->max = max;
    f->places = mem_xalloc(max * sizeof *f->places);
    return f;
}

void failures_free(struct failures *f)
{
    if (f != NULL) {
        free(f->places);
        free(f);
    }
}

struct failures_client failures_client_of(const char *peer)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct failures_client c = {.bytes = {0}};
    char text[INET6_ADDRSTRLEN];
    size_t len = strcspn(peer, "%"); /* the zone of a link-local address: RFC 4007 §11 */
    if (len >= sizeof text) {
        return c;
    }
    memcpy(text, peer, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, c.bytes + sizeof mapped) == 1) {
        memcpy(c.bytes, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, text, c.bytes) == 1 &&
               memcmp(c.bytes, mapped, sizeof mapped) != 0) {
        memset(c.bytes + 8, 0, 8);
    }
    return c;
}

/* NULL: not there. *oldest (may be NULL) is the place to take then. */
static struct place *find(const struct failures *f, const struct failures_client *c,
                          struct place **oldest)
{
    struct place *take = &f->places[0];
    struct place *found = NULL;
    for (size_t i = 0; i < f->max && found == NULL; i++) {
        struct place *p = &f->places[i];
        if (p->count > 0 && memcmp(p->client.bytes, c->bytes, sizeof c->bytes) == 0) {
            found = p;
        } else if (take->count > 0 && (p->count == 0 || p->last_ms < take->last_ms)) {
            take = p;
        }
    }
    if (oldest != NULL) {
        *oldest = take;
    }
    return found;
}

unsigned failures_wait_s(const struct failures *f, const struct failures_client *c, int64_t now_ms)
{
    const struct place *p = find(f, c, NULL);
    if (p == NULL || now_ms >= p->locked_ms) {
        return 0;
    }
    return (unsigned)((p->locked_ms - now_ms + 999) / 1000);
}

bool failures_add(struct failures *f, const struct failures_client *c, int64_t now_ms)
{
    struct place *oldest;
    struct place *p = find(f, c, &oldest);
    bool is_over = p == NULL || now_ms - p->first_ms >= FAILURES_WINDOW_MS ||
                   (p->locked_ms != 0 && now_ms >= p->locked_ms);
    if (is_over) {
        p = p != NULL ? p : oldest;
        *p = (struct place){.client = *c, .first_ms = now_ms};
    }
    p->count++;
    p->last_ms = now_ms;
    if (p->count != API_FAILURES_MAX) {
        return false;
    }
    p->locked_ms = now_ms + API_LOCKED_S * (int64_t)1000;
    return true;
}

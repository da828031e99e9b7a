#include "pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Small operations get by with one small chunk, a load of a million users with some hundred. */
#define CHUNK_FIRST 1024
#define CHUNK_MAX   (256 * 1024)

struct pool_chunk {
    struct pool_chunk *next; /* owned */
    size_t size;
    char bytes[]; /* 16 bytes in, so as aligned as malloc made the chunk */
};

static bool grow(struct pool *p, size_t n)
{
    size_t size = p->chunks == NULL ? CHUNK_FIRST : p->chunks->size * 2;
    if (size > CHUNK_MAX) {
        size = CHUNK_MAX;
    }
    if (size < n) {
        size = n;
    }
    struct pool_chunk *c = n <= SIZE_MAX - sizeof *c ? malloc(sizeof *c + size) : NULL;
    if (c == NULL) {
        p->bad = true;
        return false;
    }
    c->size = size;
    c->next = p->chunks;
    p->chunks = c;
    p->at = c->bytes;
    p->left = size;
    return true;
}

void *pool_take(struct pool *p, size_t n)
{
    size_t odd = (uintptr_t)p->at % sizeof(int64_t);
    size_t skip = odd == 0 ? 0 : sizeof(int64_t) - odd;
    if (p->bad) {
        return NULL;
    }
    if (p->chunks == NULL || p->left < skip || p->left - skip < n) {
        if (!grow(p, n)) {
            return NULL;
        }
        skip = 0;
    }
    void *taken = p->at + skip;
    p->at += skip + n;
    p->left -= skip + n;
    return taken;
}

void *pool_array(struct pool *p, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        p->bad = true;
        return NULL;
    }
    return pool_take(p, count * size);
}

char *pool_text_n(struct pool *p, const char *text, size_t n)
{
    if (p->bad || ((p->chunks == NULL || p->left <= n) && !grow(p, n + 1))) {
        return NULL;
    }
    char *copy = p->at; /* text needs no alignment, so it wastes no room */
    memcpy(copy, text, n);
    copy[n] = '\0';
    p->at += n + 1;
    p->left -= n + 1;
    return copy;
}

char *pool_text(struct pool *p, const char *text)
{
    return pool_text_n(p, text, strlen(text));
}

void pool_fini(struct pool *p)
{
    while (p->chunks != NULL) {
        struct pool_chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
    }
    *p = (struct pool){.chunks = NULL};
}

/* Text and arrays that live and die together: the copies an operation keeps of its arguments, the
 * rows of a result. Sticky error: after memory ran out once, everything returns NULL and `bad` says
 * so; check once at the end. Not shared between threads at the same time.
 */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool_chunk;

struct pool {
    struct pool_chunk *chunks; /* owned */
    char *at;                  /* borrowed: the free part of the first chunk */
    size_t left;
    bool bad;
};

/* A zeroed struct pool is an empty pool. N bytes, aligned for anything but long double. */
void *pool_take(struct pool *p, size_t n);

/* COUNT things of SIZE bytes; an overflow is `bad`. */
void *pool_array(struct pool *p, size_t count, size_t size);

/* A copy of N bytes, with a NUL behind. */
char *pool_text_n(struct pool *p, const char *text, size_t n);
char *pool_text(struct pool *p, const char *text);

void pool_fini(struct pool *p);

#endif

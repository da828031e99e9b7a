#include "mem.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

static void *checked(void *p)
{
    if (p == NULL) {
        LOG_ERROR("mem", "out of memory, cannot go on");
        abort();
    }
    return p;
}

void *mem_xalloc(size_t n)
{
    return checked(calloc(1, n != 0 ? n : 1));
}

void *mem_xrealloc(void *p, size_t n)
{
    return checked(realloc(p, n != 0 ? n : 1));
}

char *mem_xstrdup(const char *s)
{
    return mem_xmemdup(s, strlen(s) + 1);
}

void *mem_xmemdup(const void *p, size_t n)
{
    void *copy = checked(malloc(n != 0 ? n : 1));
    if (n > 0) {
        memcpy(copy, p, n);
    }
    return copy;
}

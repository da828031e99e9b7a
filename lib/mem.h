/* Allocation for code that cannot go on without memory: boot, tools, tests, and the writer side of
 * the zone, whose half-built state would be worse than a restart. They abort with one clear line.
 * After boot everything else uses malloc and reports ERR_NOMEM. The packet path allocates nothing.
 */
#ifndef LIB_MEM_H
#define LIB_MEM_H

#include <stddef.h>

#define MALLOC_LIKE __attribute__((malloc, returns_nonnull, warn_unused_result))

void *mem_xalloc(size_t n) MALLOC_LIKE; /* zeroed */
void *mem_xrealloc(void *p, size_t n) __attribute__((returns_nonnull, warn_unused_result));
char *mem_xstrdup(const char *s) MALLOC_LIKE;
void *mem_xmemdup(const void *p, size_t n) MALLOC_LIKE;

#endif

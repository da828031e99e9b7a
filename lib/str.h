/* Text helpers: numbers, edit distance, growing text. Never atoi, never strtol in place.
 * Threads: none shared.
 */
#ifndef LIB_STR_H
#define LIB_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Decimal digits only, the whole of TEXT, at most MAX. False leaves *out alone. */
bool str_parse_u32(const char *text, uint32_t max, uint32_t *out);

/* Edits (insert, delete, replace, swap of neighbours; case ignored) from A to B; texts over 64
 * bytes count as 64 apart. */
unsigned str_distance(const char *a, const char *b);

/* The one of WORDS (NULL-terminated) nearest to TEXT if it is near enough to be a slip of the
 * finger (at most 2 edits, and less than half of it); NULL otherwise. Borrowed from WORDS. */
const char *str_nearest(const char *text, const char *const *words);

/* Bytes of the UTF-8 character at P (terminated text); 0 if it is none (RFC 3629 §4). */
size_t str_utf8_len(const unsigned char *p);

/* Growing text, owned by the struct. Out of memory aborts: for boot, tools and tests only. */
struct str {
    char *text; /* owned; NULL until the first append, then always terminated */
    size_t len;
    size_t cap;
};
void str_append(struct str *s, const char *text);
void str_append_n(struct str *s, const char *bytes, size_t n);
void str_appendf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void str_free(struct str *s);

#endif

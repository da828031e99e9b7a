#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define DISTANCE_MAX 64

bool str_parse_u32(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

unsigned str_distance(const char *a, const char *b)
{
    size_t na = strlen(a);
    size_t nb = strlen(b);
    unsigned row[3][DISTANCE_MAX + 1]; /* the two rows above, and this one */
    if (na > DISTANCE_MAX || nb > DISTANCE_MAX) {
        return DISTANCE_MAX;
    }
    for (size_t j = 0; j <= nb; j++) {
        row[0][j] = (unsigned)j;
        row[1][j] = (unsigned)j;
        row[2][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3];
        const unsigned *up = row[(i + 2) % 3];
        const unsigned *up2 = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned same = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
            now[j] = min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && up2[j - 2] + 1 < now[j]) {
                now[j] = up2[j - 2] + 1;
            }
        }
    }
    return row[na % 3][nb];
}

const char *str_nearest(const char *text, const char *const *words)
{
    const char *best = NULL;
    unsigned best_edits = 3;
    size_t len = strlen(text);
    for (; *words != NULL; words++) {
        unsigned edits = str_distance(text, *words);
        if (edits < best_edits && edits * 2 < len) {
            best = *words;
            best_edits = edits;
        }
    }
    return best;
}

static void reserve(struct str *s, size_t more)
{
    if (s->cap - s->len > more) {
        return;
    }
    size_t cap = s->cap == 0 ? 128 : s->cap;
    while (cap - s->len <= more) {
        cap *= 2;
    }
    s->text = mem_xrealloc(s->text, cap);
    s->cap = cap;
}

void str_append_n(struct str *s, const char *bytes, size_t n)
{
    reserve(s, n);
    if (n > 0) {
        memcpy(s->text + s->len, bytes, n);
    }
    s->len += n;
    s->text[s->len] = '\0';
}

void str_append(struct str *s, const char *text)
{
    str_append_n(s, text, strlen(text));
}

void str_appendf(struct str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    reserve(s, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

void str_free(struct str *s)
{
    free(s->text);
    *s = (struct str){.text = NULL};
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t str_utf8_len(const unsigned char *p)
{
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4 || !is_tail(p[1])) {
        return 0;
    }
    if (p[0] < 0xe0) {
        return 2;
    }
    if (!is_tail(p[2]) || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) {
        return 0;
    }
    if (p[0] < 0xf0) {
        return 3;
    }
    bool outside = (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return is_tail(p[3]) && !outside ? 4 : 0;
}

#include "users_set.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* FNV-1a. The names come from the operator's own file: nobody gains by making them collide. */
static uint64_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    }
    return h;
}

const char *users_set_name(const struct users_set *s, size_t i)
{
    return s->names + s->items[i].name;
}

/* The slot that holds NAME, or the free one where it belongs. */
static uint32_t *find(const struct users_set *s, const char *name)
{
    size_t mask = s->slots_count - 1;
    size_t at = (size_t)hash(name) & mask;
    while (s->slots[at] != 0 && strcmp(users_set_name(s, s->slots[at] - 1), name) != 0) {
        at = (at + 1) & mask;
    }
    return &s->slots[at];
}

/* Slots are twice the items at least. */
static void grow(struct users_set *s)
{
    if (s->count < s->cap) {
        return;
    }
    s->cap = s->cap == 0 ? 1024 : s->cap * 2;
    s->items = mem_xrealloc(s->items, s->cap * sizeof *s->items);
    free(s->slots);
    s->slots_count = s->cap * 2;
    s->slots = mem_xalloc(s->slots_count * sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++) {
        *find(s, users_set_name(s, i)) = (uint32_t)(i + 1);
    }
}

uint32_t users_set_add(struct users_set *s, const char *name, uint32_t core, uint32_t line)
{
    size_t len = strlen(name) + 1;
    grow(s);
    uint32_t *slot = find(s, name);
    if (*slot != 0) {
        return s->items[*slot - 1].line;
    }
    if (s->names_len + len > s->names_cap) {
        s->names_cap = s->names_cap == 0 ? 16384 : s->names_cap * 2;
        s->names = mem_xrealloc(s->names, s->names_cap);
    }
    memcpy(s->names + s->names_len, name, len);
    s->items[s->count++] = (struct users_entry){.name = s->names_len, .core = core, .line = line};
    s->names_len += len;
    *slot = (uint32_t)s->count;
    return 0;
}

static int compare(const void *a, const void *b, void *names)
{
    const struct users_entry *left = a;
    const struct users_entry *right = b;
    return strcmp((const char *)names + left->name, (const char *)names + right->name);
}

void users_set_sort(struct users_set *s)
{
    free(s->slots); /* they hold places in the old order */
    s->slots = NULL;
    if (s->count > 1) {
        qsort_r(s->items, s->count, sizeof *s->items, compare, s->names);
    }
}

void users_set_free(struct users_set *s)
{
    free(s->names);
    free(s->items);
    free(s->slots);
    *s = (struct users_set){.count = 0};
}

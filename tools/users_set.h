/* The users of a file, each name once: what a load holds in memory. About 25 octets a user besides
 * its name. Pure; aborts when out of memory. */
#ifndef TOOLS_USERS_SET_H
#define TOOLS_USERS_SET_H

#include <stddef.h>
#include <stdint.h>

#define USERS_SET_MAX 10000000 /* ten times a large platform */

struct users_entry {
    uint64_t name; /* where it begins in names */
    uint32_t core; /* the caller's number for it */
    uint32_t line;
};
struct users_set {
    char *names; /* owned: one after the other, each terminated */
    uint64_t names_len, names_cap;
    struct users_entry *items; /* owned; in the order added, until sorted */
    size_t count, cap;
    uint32_t *slots; /* owned: index + 1 by hash of the name; open addressing */
    size_t slots_count;
};

/* The line on which NAME was before; 0: it is new, and in the set now. */
uint32_t users_set_add(struct users_set *s, const char *name, uint32_t core, uint32_t line);
const char *users_set_name(const struct users_set *s, size_t i);
/* Items in the order of names. Nothing can be added any more. */
void users_set_sort(struct users_set *s);
void users_set_free(struct users_set *s);

#endif

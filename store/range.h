/* Which stretches of keys a prefix asks for. Pure. */
#ifndef STORE_RANGE_H
#define STORE_RANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "store.h"

#define RANGE_KINDS 4

/* LOW <= key < HIGH, in the order of bytes. It may hold a little more than was asked for (see
 * range_of()), so the reader compares the prefix again. */
struct range {
    char low[STORE_KEY_MAX + 1];
    char high[STORE_KEY_MAX + 1];
    bool challenge; /* of the table of challenges, not of keyValue */
};

/* At most RANGE_KINDS, in the order of keys; none if PREFIX fits no kind. PREFIX is at most
 * STORE_KEY_MAX long. */
size_t range_of(const char *prefix, struct range out[RANGE_KINDS]);

#endif

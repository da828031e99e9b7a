/* The order in which the parameter sets of a statement are best carried out. Pure. */
#ifndef STORE_SQLITE_ORDER_H
#define STORE_SQLITE_ORDER_H

#include <stdint.h>

#include "store/backend.h"

/* A set, and the text of its first value, beside it so that sorting need not look far. */
struct order_item {
    const char *text; /* borrowed from the statement */
    size_t set;
};

/* ST's sets in the order of their first value's text; equal ones stay as they were. NULL: as they
 * come (in order already, or no memory). The caller frees it. */
struct order_item *order_of(const struct backend_statement *st);

#endif

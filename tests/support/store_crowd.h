/* Many new users at the same moment, on cores a, b and c, all available and without users. What the
 * store must make of them, on any engine and through any number of stores.
 */
#ifndef TESTS_SUPPORT_STORE_CROWD_H
#define TESTS_SUPPORT_STORE_CROWD_H

#include <stdbool.h>
#include <uv.h>

#include "store/store.h"

#define CROWD 50

struct crowd {
    bool same; /* all of them are one user */
    unsigned placed, taken;
    unsigned on[3]; /* a, b, c: how many were placed there */
};

/* Starts CROWD placements in turns through the stores, and waits for all. With SAME, each must be
 * told the same core. */
struct crowd crowd_place(uv_loop_t *loop, struct store *const *stores, size_t count, bool same);

/* Each was placed once, and the cores differ by no more than one. */
void crowd_assert_spread(struct crowd c);
/* One was placed; the others were told that it was. */
void crowd_assert_one(struct crowd c);

#endif

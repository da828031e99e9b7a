/* How long, and how often, something is sent again that could not be carried out, or of which
 * nobody knows whether it was. Pure: the clock is the caller's.
 */
#ifndef STORE_RQLITE_RETRY_H
#define STORE_RQLITE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_FIRST_MS 100 /* an election takes a second or two, so asking sooner rarely helps */
#define RETRY_MAX_MS   500

struct retry {
    int64_t end_ms;
    int64_t wait_ms; /* before the next attempt */
    bool unknown;    /* of some attempt nobody knows whether it was carried out */
};

void retry_begin(struct retry *r, int64_t now_ms, int64_t busy_ms);

/* An attempt has settled nothing (UNKNOWN: it may have been carried out). How long to wait before
 * the next one; negative: the time is up. There is always a last attempt at the end of the time. */
int64_t retry_next(struct retry *r, int64_t now_ms, bool unknown);

#endif

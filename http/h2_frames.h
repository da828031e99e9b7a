/* What a peer's frames cost us that bring no request forward (RFC 9113 §10.5): pings, settings, resets,
 * window updates and such, each of them legal, and any number of them a way to keep us busy.
 *
 * Only lengths and types are looked at, beside nghttp2, which does not tell of every frame. Pure.
 */
#ifndef HTTP_H2_FRAMES_H
#define HTTP_H2_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define H2_FRAMES_RESET 10 /* what a reset costs: a request was begun for nothing */

struct h2_frames {
    size_t skip; /* octets until the next frame begins */
    uint8_t head[9];
    size_t len; /* of `head` */
};

void h2_frames_init(struct h2_frames *f);
/* The cost of the frames that begin in the next LEN octets. */
unsigned h2_frames_cost(struct h2_frames *f, const uint8_t *bytes, size_t len);

#endif

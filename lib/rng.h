/* Random octets from the kernel. It always has some; a process that cannot get them aborts, because
 * nothing it could do instead would be safe. Any thread.
 */
#ifndef LIB_RNG_H
#define LIB_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *out, size_t len);
/* 2 * LEN hex digits and a NUL: names of rows, ids. */
void rng_hex(char *out, size_t len);
/* Evenly from 0 to BELOW - 1; BELOW is at least 1. */
uint64_t rng_below(uint64_t below);

#endif

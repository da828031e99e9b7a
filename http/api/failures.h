/* Who has shown wrong admin keys, and has to wait.
 *
 * A client is an IPv4 address, or the /64 of an IPv6 one: that is what one customer of a provider has
 * (RFC 6177), and every address in it is the same person's to take. Each has a count of failures and
 * the time of the first; a minute later the count begins anew. With API_FAILURES_MAX of them the client
 * is locked out for API_LOCKED_S, and then begins anew as well.
 *
 * The table has a fixed number of places; the client that failed longest ago goes. Places are looked
 * through one by one: that takes a few microseconds and cannot be made slower by whoever chooses the
 * addresses, as a hash table could. Pure; times are lib/clock.h's monotonic ones.
 */
#ifndef HTTP_API_FAILURES_H
#define HTTP_API_FAILURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAILURES_WINDOW_MS 60000

struct failures;

/* Aborts when out of memory: boot. */
struct failures *failures_new(size_t max);
void failures_free(struct failures *f);

struct failures_client {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) */
};
/* PEER is an address in text. Texts that are none are one client together. */
struct failures_client failures_client_of(const char *peer);

/* Seconds that the client has still to wait; 0: none. */
unsigned failures_wait_s(const struct failures *f, const struct failures_client *c, int64_t now_ms);

/* One more. True: from now on it is locked out. */
bool failures_add(struct failures *f, const struct failures_client *c, int64_t now_ms);

#endif

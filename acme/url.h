/* URLs that a CA hands out. Strict where a lenient reading could be another one's: printable ASCII, a
 * host of letters, digits, '-', '_', '.' or an IPv6 address in brackets, no user or password, nothing
 * that would have to be normalised. Pure; any thread.
 */
#ifndef ACME_URL_H
#define ACME_URL_H

#include <stdbool.h>
#include <stddef.h>

/* An absolute http or https URL. */
bool acme_url_ok(const char *url);
/* One that may be talked to: https, or http to a loopback address (tests). */
bool acme_url_secure(const char *url);
/* A and B have the same scheme, host and port. */
bool acme_same_origin(const char *a, const char *b);
/* REF, which may be a path or lack a scheme, as an absolute URL in the light of BASE (RFC 3986 §5.2;
 * without a fragment). False: it is none, has dot segments, or does not fit; OUT is "". */
bool acme_url_resolve(const char *base, const char *ref, char *out, size_t room);

#endif

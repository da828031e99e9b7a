/* The self-signed certificate that answers before there is a real one, so that the ports do.
 *
 * EC P-256, PLACEHOLDER_DAYS long, serverAuth, the names it is asked for. It proves nothing to
 * anybody; it lives in memory only, and a new one is due at half of its life.
 */
#ifndef CERT_PLACEHOLDER_H
#define CERT_PLACEHOLDER_H

#include "lib/tls_pair.h"

#define PLACEHOLDER_DAYS 7

/* NAMES: host names, wildcards and addresses, at least one, at most TLS_PAIR_NAMES_MAX. Valid from an
 * hour before NOW_MS (clocks differ) on. Generates a key: well under a millisecond, but it asks the
 * system for randomness, so off the loop. ERR_MALFORMED (a name), ERR_LIMIT, ERR_NOMEM, ERR_IO. */
enum err placeholder_new(const char *const *names, size_t count, int64_t now_ms,
                         struct tls_pair **out, struct err_info *info) MUST_USE;

/* When the next one is due, wall clock. Pure. */
int64_t placeholder_due_ms(const struct tls_pair_info *pair);

#endif

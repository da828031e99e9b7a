/* What the headers of a CA's replies say: times, Retry-After, Link. Pure; any thread. */
#ifndef ACME_HEADER_H
#define ACME_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "url.h"

/* Retry-After, as seconds or as a date (RFC 9110 §10.2.3, all three date forms of §5.6.7), as milliseconds
 * from NOW_MS on; 0 for the past. At most 30 days. False: nothing that can be read (NULL too). */
bool acme_retry_after(const char *value, int64_t now_ms, int64_t *wait_ms);

/* An HTTP date (Date:) as wall clock. */
bool acme_http_date(const char *value, int64_t *time_ms);
/* RFC 3339, as ACME's JSON has it; fractions and offsets. */
bool acme_rfc3339(const char *value, int64_t *time_ms);

/* A Link header's (RFC 8288) N-th target, from 0, with relation REL, made absolute against BASE. False:
 * there are not so many. One that is no URL, or does not fit, is "" (and counts). */
bool acme_link(const char *value, const char *rel, size_t n, const char *base, char *out,
               size_t room);

#endif

/* URLs of cores and hosts of requests: text in, text out. Pure; any thread.
 */
#ifndef HTTP_API_URL_H
#define HTTP_API_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define URL_MAX      2048 /* octets of a core's URL, with the NUL; RFC 9110 §4.1 wants 8000 of servers */
#define URL_HOST_MAX 256 /* of a host, with the NUL */

/* Where the core ID is reached, with a slash at the end: what its row says (ROW_URL, may be NULL), else
 * https://<ID>.<DOMAIN>/, else PUBLIC_URL (both may be NULL). A text that is no http or https URL counts
 * as none. False: nobody knows. */
bool url_of_core(const char *id, const char *row_url, const char *domain, const char *public_url,
                 char out[URL_MAX]);

/* What this core may be called in a request; each may be NULL. */
struct url_hosts {
    const char *domain; /* and all below it */
    const char *urls[2];
    const char *addresses[2];
};

/* Where a request without TLS is sent: https://<host>[:<PORT>]<TARGET>, into OUT (CAP octets).
 *
 * HOST (Host or :authority, with or without a port) is the client's word, and would be part of our
 * answer. So it is taken apart, must be a host name or an address (RFC 3986 §3.2.2), must be one of
 * HOSTS, and is written anew: lower case, without a final dot, addresses in the form of RFC 5952. Nobody
 * can be sent to another site, and no cache can be made to send others there. TARGET must begin with a
 * slash and be of visible octets without '#' (RFC 9112 §3.2.1; what else browsers leave unescaped is
 * let through); its escapes are left as they are.
 *
 * ERR_MALFORMED: no host, or no target; ERR_DENIED: not a host of ours; ERR_LIMIT: too long for OUT. */
enum err url_redirect(const struct url_hosts *hosts, uint16_t port, const char *host,
                      const char *target, char *out, size_t cap, struct err_info *info) MUST_USE;

#endif

/* What the files of the authority share. */
#ifndef CERT_AUTHORITY_PRIV_H
#define CERT_AUTHORITY_PRIV_H

#include "authority.h"
#include "make_priv.h"

#define AUTHORITY_ID_CHARS 64 /* RFC 5280 A.1: ub-common-name */

/* UTF-8, of 1 to AUTHORITY_ID_CHARS characters, and none that would spoil a line of a log. */
bool authority_is_id(const char *id, size_t len);

/* The first certificate of PEM. ERR_LIMIT, ERR_MALFORMED, ERR_NOMEM. */
enum err authority_read(const void *pem, size_t len, X509 **out, struct err_info *info) MUST_USE;

/* ERR_DENIED: X ("WHAT ...") is not valid at NOW_MS. */
enum err authority_check_dates(const X509 *x, int64_t now_ms, const char *what,
                               struct err_info *info) MUST_USE;

#endif

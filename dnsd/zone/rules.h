/* What may be written: the rules of record.h (what one name holds) and of names.h (who may have it)
 * put together, as every door applies them: dnsctl and the HTTP API. Pure; any thread.
 */
#ifndef DNSD_ZONE_RULES_H
#define DNSD_ZONE_RULES_H

#include "names.h"
#include "record.h"

/* May SET be all that is stored at OWNER (absolute)? OTHERS: the rows of other kinds under that name.
 * Errors as those of record_check(), then names_check_type() and names_check(). */
enum err rules_records(const struct names *n, const struct wire_name *apex,
                       const struct wire_name *owner, const struct record_set *set,
                       const struct names_rows *others, struct err_info *info) MUST_USE;

/* Only one label below the domain can be a core's id or a user's name. */
bool rules_is_label(const struct wire_name *apex, const struct wire_name *owner);

#endif

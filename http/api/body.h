/* What the bodies of requests say, and every problem they have. Pure; any thread, own objects.
 *
 * A body is a JSON object of members that are known; others are problems (a slip of the finger must not
 * place a user elsewhere). Problems are a JSON list [{"member","message"}] for the client, at most
 * BODY_PROBLEMS_MAX of them. Aborts when out of memory only where dnsd/zone/record.h does.
 */
#ifndef HTTP_API_BODY_H
#define HTTP_API_BODY_H

#include <jansson.h>

#include "dnsd/wire/name.h"
#include "dnsd/zone/record.h"

#define BODY_MAX                                                                                   \
    (64 * 1024) /* octets of one: read within milliseconds, and more than real names have */
#define BODY_CORE_MAX     253 /* octets of a core's id: ours have 63, others' rows may differ */
#define BODY_PROBLEMS_MAX 50

struct body_problems {
    json_t *list;          /* owned; NULL: none yet */
    size_t count;          /* also those that are not in the list */
    struct err_info first; /* "member: why" */
};
void body_problems_free(struct body_problems *p);

/* All: LEN octets, which may be none if nothing is required. True if there is no problem. */

/* {"core"?}. CORE is "" if it is not given. */
bool body_read_user(const char *body, size_t len, char core[BODY_CORE_MAX + 1],
                    struct body_problems *p);

/* {"hostname"?, "override"?}: a host name, or one behind "*."; a limit's name. "" if not given. */
#define BODY_HOSTNAME_MAX 255
#define BODY_OVERRIDE_MAX 32
struct body_renew {
    char hostname[BODY_HOSTNAME_MAX + 1]; /* lower case */
    char override[BODY_OVERRIDE_MAX + 1];
};
bool body_read_renew(const char *body, size_t len, struct body_renew *out, struct body_problems *p);

struct body_records {
    struct wire_name owner;        /* absolute, folded */
    char name[WIRE_NAME_TEXT_MAX]; /* as the store calls it */
    struct record_set set;         /* owned */
};
/* {"subdomain","records"}: checked up to record_check(); what the configuration and other rows say of
 * the name is the caller's to ask. body_records_free() in either case. */
bool body_read_records(const char *body, size_t len, const struct wire_name *apex,
                       uint32_t default_ttl_s, struct body_records *out, struct body_problems *p);
void body_records_free(struct body_records *r);

/* TEXT as JSON; what is not UTF-8 becomes '?'. NULL: null. */
json_t *body_text(const char *text);
bool body_is_utf8(const char *text);

#endif

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
/* MEMBER "": the body as a whole. */
void body_problems_add(struct body_problems *p, const char *member, const char *why);
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

/* {"coreId","token","tlsFingerprint"}, all of them. The fingerprint, SHA-256 in hex with or without colons,
 * comes in lower case and without. Whether the token is one is not looked at; OUT is wiped by the caller. */
#define BODY_TOKEN_MAX       256
#define BODY_FINGERPRINT_MAX 64
struct body_ack {
    char core[BODY_CORE_MAX + 1];
    char token[BODY_TOKEN_MAX + 1];
    char fingerprint[BODY_FINGERPRINT_MAX + 1];
};
bool body_read_ack(const char *body, size_t len, struct body_ack *out, struct body_problems *p);

/* {"csr"}: a text, which may be no request at all. */
#define BODY_CSR_MAX 8192
bool body_read_csr(const char *body, size_t len, char out[BODY_CSR_MAX + 1],
                   struct body_problems *p);

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

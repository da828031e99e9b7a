/* Would this CA be allowed to issue? RFC 8659 §4, RFC 8657 §3 and §4. Pure; any thread. */
#ifndef DNSD_PROBE_CAA_H
#define DNSD_PROBE_CAA_H

#include "dnsd/wire/message.h"

#define CAA_MAX 32 /* records of one set */

struct caa_set {
    size_t count;
    struct wire_caa list[CAA_MAX];
};
/* The CAA records of NAME in M's answer, or of where its aliases lead (RFC 8659 §3). ERR_MALFORMED: a
 * record that is none; ERR_LIMIT. */
enum err caa_take(const struct wire_message *m, const struct wire_name *name, struct caa_set *out,
                  struct err_info *info) MUST_USE;

struct caa_wish {
    const char *const *issuers; /* any of these identifies the CA (its caaIdentities) */
    size_t issuers_count;
    const char
        *account; /* URL; "": not known yet, accounturi cannot be judged and is taken to fit */
    const char *method; /* "dns-01", "http-01", "tls-alpn-01" */
    bool wildcard;
};
/* LIST: the relevant set; none allows everybody. ERR_DENIED: INFO says which record forbids it, and which
 * to add. */
enum err caa_judge(const struct wire_caa *list, size_t count, const struct caa_wish *wish,
                   struct err_info *info) MUST_USE;

#endif

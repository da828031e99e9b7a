/* What one name holds, as operators write it and as the store keeps it: types, TTLs, data.
 *
 * JSON shape of a `dns-record/<name>` row (the predecessor's members first, then by type number):
 *   {"a": ["192.0.2.1"], "aaaa": ["2001:db8::1"], "cname": "host.example.org", "txt": ["text"],
 *    "mx": [{"exchange": "mail.example.org", "priority": 10}],
 *    "caa": [{"flags": 0, "tag": "issue", "value": "letsencrypt.org"}],
 *    "srv": ["0 5 443 host.example.org."], "type65280": ["\\# 2 abcd"],   any other type, as text
 *    "ttl": 300}                 the TTL of every type here; or, if they differ or some have none,
 *    "ttls": {"txt": 5}}         the TTL of each type that has one of its own
 * A member that holds one value may be a string (or object) instead of a list. TTL of a type:
 * ttls.<type>, else ttl, else the zone's default. A value that is not a string, an unknown type, a
 * bad address: that value alone is a problem, the rest counts. null is nothing.
 *
 * A string under "txt" is the text itself: no quotes, no escapes, cut into strings of 255 octets.
 * A TXT record that this cannot say (strings cut elsewhere, octets that are not UTF-8) is an object
 * with the text of a zone file: {"text": "\"one\" \"t\\200o\""}. "mx" and "caa" also take that
 * text as a string ("10 mail.example.org"); a CAA value that is not UTF-8 is written so.
 *
 * Names in values: with a dot anywhere they are absolute, whether or not they end with one (the
 * predecessor's rule); a single label is relative to the domain; "@" is the domain. They keep their
 * case.
 *
 * Pure; any thread. Memory: struct record_set owns everything in it; record_set_free() accepts a
 * zeroed one. Aborts when out of memory (writer side, see lib/mem.h).
 */
#ifndef DNSD_ZONE_RECORD_H
#define DNSD_ZONE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/wire/name.h"
#include "dnsd/wire/type.h"

#define RECORD_TYPES_MAX 32  /* types at one name: a lookup goes through them one by one */
#define RECORD_RRS_MAX   100 /* values in one RRset (the shape of CVE-2024-1737) */
#define RECORD_BYTES_MAX                                                                           \
    60000 /* wire bytes of one RRset: one TCP message with room for the rest                       \
           */
#define RECORD_TTL_MAX 2147483647 /* RFC 2181 §8 */
/* What is looked at of one row, so that a row of the store's largest size is read within milliseconds:
 * more than a name that passes record_check() can have. */
#define RECORD_MEMBERS_MAX 256  /* members of the row, and of "ttls" */
#define RECORD_VALUES_MAX  4096 /* values in all */

struct record_data {
    uint8_t *bytes; /* owned: wire form, uncompressed */
    uint16_t len;
};
struct record_rrset {
    uint16_t type;
    uint32_t ttl;
    bool ttl_default;         /* no TTL was given: it follows the zone's default */
    struct record_data *data; /* owned; in the order given, no duplicates */
    size_t count;
};
struct record_set {
    struct record_rrset *sets; /* owned; in the order of types */
    size_t count;
};

/* Called for each value that cannot be used: WHERE is the member ("a[1]"), WHY the reason. */
typedef void record_problem_cb(void *ctx, const char *where, const char *why);

/* Reads a row. ERR_MALFORMED only if JSON is not an object at all; otherwise problems are told one
 * by one and the rest is in *out (which the caller frees in either case). What is over
 * RECORD_MEMBERS_MAX or RECORD_VALUES_MAX is one problem. */
enum err record_from_json(const char *json, const struct wire_name *apex, uint32_t default_ttl,
                          struct record_set *out, record_problem_cb *on_problem,
                          void *ctx) MUST_USE;

/* The row for SET: canonical (members sorted, one line), so that equal sets are equal texts. Names
 * are written absolute, whatever APEX is. The caller frees it. */
char *record_to_json(const struct record_set *set, const struct wire_name *apex);

/* Adds one value in presentation form. TTL < 0: none given, so the default or what the type has. A
 * second TTL for a type replaces the first (RFC 2181 §5.2: one per RRset). A value that is there
 * already is no error. ERR_MALFORMED: the value; ERR_LIMIT: the TTL, or more than RECORD_RRS_MAX
 * values; ERR_DENIED: not a type that holds data. */
enum err record_add_text(struct record_set *set, uint16_t type, int64_t ttl_s, const char *text,
                         const struct wire_name *apex, uint32_t default_ttl,
                         struct err_info *info) MUST_USE;
/* The same from wire form; RDATA must have passed wire_rdata_check(). */
enum err record_add_wire(struct record_set *set, uint16_t type, uint32_t ttl_s,
                         const uint8_t *rdata, size_t len, struct err_info *info) MUST_USE;

/* Removes all values of TYPE; false if there were none. */
bool record_remove(struct record_set *set, uint16_t type);

const struct record_rrset *record_find(const struct record_set *set, uint16_t type);

/* The rules for a whole name: CNAME alone (RFC 2181 §10.1) and single, not at the apex, not at a
 * challenge name or below one, not to itself; SOA only at the apex; the limits above; no type that
 * a zone cannot hold, no DNSSEC records (the zone is unsigned), no DNAME (RFC 6672 synthesis is not
 * done). OWNER is absolute. ERR_CONFLICT, ERR_LIMIT or ERR_DENIED (a type) with rule and remedy. */
enum err record_check(const struct record_set *set, const struct wire_name *owner,
                      const struct wire_name *apex, struct err_info *info) MUST_USE;

/* The same types, TTLs and values in the same order. */
bool record_equal(const struct record_set *a, const struct record_set *b);
void record_set_free(struct record_set *set);

#endif

/* A zone from lines of text, for tests and fuzz targets. A line that makes no sense aborts.
 *
 *   apex mc.example.com           the zone's own name; this and the lines up to `caa` come first
 *   ttl 300 | minimum 30 | serial 7 | primary NAME | admin NAME | contact a.b@example.org
 *   hashed KEY                    users are hashed, with KEY's text, padded to 32 octets
 *   wildcard cores | service reg | nameserver LABEL CORE | caa letsencrypt.org
 *   static NAME TYPE TTL VALUE    TTL `-`: none given
 *   root TYPE TTL VALUE
 *   core ID [ip=A] [ipv6=A] [cname=N] [drained] [dead]
 *   user NAME CORE                NAME in clear, whether users are hashed or not
 *   record NAME TYPE TTL VALUE    all lines of one name in one text are one set; it replaces
 *   proof NAME VALUE EXPIRES_MS   likewise
 *   -core ID | -user NAME | -record NAME | -proof NAME
 */
#ifndef TESTS_ZONE_BUILD_H
#define TESTS_ZONE_BUILD_H

#include "dnsd/zone/user.h"
#include "dnsd/zone/zone.h"

/* TEXT and then MORE (may be NULL). Nothing is committed. Caller frees. */
struct zone *zone_build(const char *text, const char *more);

/* Lines from `core` on, into a zone that has been committed. */
void zone_build_add(struct zone *z, const char *text);

/* What a row calls user NAME: its token by KEY, or NAME itself (no KEY, or nobody's name). */
void zone_build_user(const struct digest_hmac *key, const char *name, char out[USER_TOKEN_TEXT]);
/* The key of a `hashed` line: 32 octets. */
void zone_build_key(const char *text, uint8_t out[USER_KEY_LEN]);

/* NAME relative to APEX (absolute with a dot at its end, "@": APEX), folded. */
struct wire_name zone_build_name(const struct wire_name *apex, const char *name);

struct zone_build_find {
    struct zone_match match;
    const struct zone_rrset *set; /* of the type asked for; NULL: none */
};
/* What SNAPSHOT says of NAME (as above); kind ZONE_MISS and node NULL if it is not in the zone. */
struct zone_build_find zone_build_find(const struct zone_snapshot *s, const char *name,
                                       uint16_t type);

/* The same as text: "hit", "wild", "miss" or "cut", and a line for each record in the order in
 * which it is answered: "hit\nA 300 192.0.2.1\nTXT 1 \"x\"\n". NAME "SOA": the zone's SOA. Caller
 * frees. */
char *zone_build_text(const struct zone_snapshot *s, const char *name);

#endif

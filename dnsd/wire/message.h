/* A reply from a server, read: the counterpart of query.h for those who ask (dnsd/probe). Strict where a
 * stranger could mislead (the question must be ours, pointers only go back, everything is inside the
 * packet), lenient in what it does not need (unknown types, unknown options). Linear, bounded, without
 * memory of its own. Pure; any thread.
 */
#ifndef DNSD_WIRE_MESSAGE_H
#define DNSD_WIRE_MESSAGE_H

#include "query.h"

#define WIRE_RECORDS_MAX 256 /* of all sections; a reply with more is ERR_LIMIT */

enum wire_section { WIRE_ANSWER, WIRE_AUTHORITY, WIRE_ADDITIONAL };

struct wire_record {
    enum wire_section section;
    struct wire_name owner; /* folded, uncompressed */
    uint16_t type, class;
    uint32_t ttl_s;
    const uint8_t *rdata; /* into the packet: names in it may be compressed */
    uint16_t rdata_len;
};
struct wire_message {
    const uint8_t *packet; /* borrowed */
    size_t len;
    uint16_t id, flags;
    uint16_t rcode;          /* with the upper bits of OPT */
    bool question_same_case; /* the question came back octet for octet (0x20) */
    size_t count;
    struct wire_record records[WIRE_RECORDS_MAX]; /* OPT is not among them */
};

/* PACKET answers the question QUERY (a whole packet of ours, QUERY_LEN octets). ERR_MALFORMED: it is not
 * DNS; ERR_CONFLICT: it answers something else (id, name, type, class, not a reply); ERR_LIMIT. With TC
 * set, records that are cut off are left out (RFC 2181 §9). */
enum err wire_message_read(const uint8_t *packet, size_t len, const uint8_t *query,
                           size_t query_len, struct wire_message *out) MUST_USE;

/* The name at the beginning of R's rdata (NS, CNAME, SOA; after SKIP octets: MX 2, SRV 6), uncompressed
 * and folded. But for SOA nothing may follow it. */
enum err wire_record_name(const struct wire_message *m, const struct wire_record *r, size_t skip,
                          struct wire_name *out) MUST_USE;

/* Where the chain of CNAMEs in M's answer ends that begins at NAME, NAME itself if there is none; at most
 * WIRE_ALIASES_MAX are followed. True: there is one. */
#define WIRE_ALIASES_MAX 8
bool wire_message_alias(const struct wire_message *m, const struct wire_name *name,
                        struct wire_name *out);

/* TXT: all strings of R, one after the other (RFC 7208 §3.3 style; challenge values are one string).
 * ERR_LIMIT: more than ROOM - 1 octets. Octets are as they are, a NUL follows; one among them is
 * ERR_MALFORMED, for what is after it would not be seen. */
enum err wire_record_text(const struct wire_record *r, char *out, size_t room) MUST_USE;

struct wire_caa {
    uint8_t flags;    /* 128: critical (RFC 8659 §4.1) */
    char tag[256];    /* lower case; '?' for what is neither letter nor digit */
    char value[1024]; /* printable, or with '?' for what is not */
};
enum err wire_record_caa(const struct wire_record *r, struct wire_caa *out) MUST_USE;

#endif

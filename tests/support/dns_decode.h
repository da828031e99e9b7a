/* Reads DNS messages, for tests: written from RFC 1035 alone and sharing nothing with the code
 * under test, so that a mistake would have to be made twice. Strict: pointers only go back, names
 * are at most 255 octets, counts are right, data of known types is whole, nothing is left over.
 */
#ifndef TESTS_DNS_DECODE_H
#define TESTS_DNS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_RRS_MAX 6000

enum { DNS_ANSWER = 1, DNS_AUTHORITY = 2, DNS_ADDITIONAL = 3 };

struct dns_name {
    size_t len;
    uint8_t bytes[255];
};

struct dns_rr {
    int section;
    struct dns_name owner;
    unsigned type, class;
    uint32_t ttl;
    size_t rdata_at, rdata_len; /* in the message */
};

struct dns_message {
    const uint8_t *bytes; /* borrowed */
    size_t len;
    unsigned id, flags;
    unsigned counts[4];
    struct dns_name qname;
    unsigned qtype, qclass;
    size_t question_end;
    size_t rrs_count;
    struct dns_rr rrs[DNS_RRS_MAX];
    const char *why; /* what is wrong with it */
};

/* False: not well-formed, and *why says so. A header alone is fine. */
bool dns_decode(const uint8_t *bytes, size_t len, struct dns_message *m);

/* The name at AT, decompressed; *at moves behind it. */
bool dns_decode_name(const uint8_t *bytes, size_t len, size_t *at, struct dns_name *out);

/* A line each for the header, the question and every record:
 *   "NOERROR aa\n? www.mc.example.com. A\n= www.mc.example.com. 300 A 192.0.2.1\n"
 * "=" answer, "!" authority, "+" additional; OPT as "+ OPT 1232 [do] [rcode hex] [code:hex]...".
 * Data of types that are not known here is hex. Caller frees. */
char *dns_text(const struct dns_message *m);

#endif

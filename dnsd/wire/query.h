/* One DNS message from a stranger, parsed (RFC 1035 §4.1, RFC 6891 §6.1). The only code that reads
 * packets. Linear in the packet's length with small constants, bounded by the limits below, without
 * memory of its own; compression pointers are not followed at all: a question has nothing to point
 * at, and in other records only the length of a name matters.
 *
 * Refuses to interpret: TSIG (skipped), options it does not know (skipped). Pure; any thread.
 */
#ifndef DNSD_WIRE_QUERY_H
#define DNSD_WIRE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define WIRE_HEADER_LEN 12

/* Second 16 bits of the header (RFC 1035 §4.1.1, RFC 4035 §3.1.6). */
#define WIRE_QR            0x8000
#define WIRE_AA            0x0400
#define WIRE_TC            0x0200
#define WIRE_RD            0x0100
#define WIRE_OPCODE(flags) (((flags) >> 11) & 15)

#define WIRE_OPCODE_QUERY  0
#define WIRE_OPCODE_NOTIFY 4
#define WIRE_OPCODE_UPDATE 5

enum wire_rcode {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_BADVERS = 16 /* extended: upper bits travel in the OPT record */
};

/* A query has an OPT record, perhaps a TSIG or a SIG(0); more is not a query anybody sends. */
#define WIRE_ADDITIONAL_MAX 3
/* Options in one OPT. Real ones carry two or three; the bound keeps the slowest packet cheap. */
#define WIRE_OPTIONS_MAX 64

#define EDNS_OPTION_NSID      3  /* RFC 5001 */
#define EDNS_OPTION_COOKIE    10 /* RFC 7873 */
#define EDNS_OPTION_KEEPALIVE 11 /* RFC 7828 */
#define EDNS_OPTION_PADDING   12 /* RFC 7830 */

#define EDNS_FLAG_DO 0x8000

struct wire_edns {
    bool present;
    uint8_t version;
    uint16_t udp_size; /* as sent: the caller treats less than 512 as 512 (RFC 6891 §6.2.3) */
    uint16_t flags;
    bool nsid;          /* the option was there */
    bool keepalive;     /* the option was there */
    bool padding;       /* the option was there */
    uint8_t cookie_len; /* 0: no cookie; else 8 or 16..40 */
    uint8_t cookie[40];
};

enum wire_verdict {
    WIRE_QUERY,       /* one question, well-formed */
    WIRE_DROP,        /* not to be answered at all */
    WIRE_FORMERR,     /* answer FORMERR; the question is echoed if question_len is not 0 */
    WIRE_OTHER_OPCODE /* not a QUERY: only id, flags and opcode are set */
};

struct wire_query {
    uint16_t id;
    uint16_t flags;
    uint8_t opcode;
    uint8_t qname_len; /* octets of qname, the root's zero included */
    uint8_t labels;    /* not counting the root */
    bool trailing;     /* octets after the last record: answered, and counted by the caller */
    uint16_t qtype;
    uint16_t qclass;
    uint16_t question_len; /* octets of the question section; 0 until it was read in full */
    struct wire_edns edns;
    uint8_t qname[WIRE_NAME_MAX];          /* folded */
    uint8_t label_at[WIRE_LABELS_MAX + 1]; /* offset of each label in qname, and of the root */
};

enum wire_verdict wire_query_parse(const uint8_t *packet, size_t len, struct wire_query *q);

/* Offsets of NAME's labels (uncompressed, valid): fills at[0..labels], the last one the root's.
 * Returns the number of labels. */
unsigned wire_name_offsets(const uint8_t *name, uint8_t at[WIRE_LABELS_MAX + 1]);

#endif

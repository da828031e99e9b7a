/* Record data between presentation form and wire form, and zone files (RFC 1035 §5). The door to
 * ldns: nothing else calls it, and it never sees a packet. Text here comes from operators and
 * files; it is hostile too (fuzz_record feeds it). Blocks on nothing but the FILE it is given. Any
 * thread.
 *
 * Errors: ERR_MALFORMED says what is wrong and what would be right, ERR_LIMIT which limit; and
 * ERR_NOMEM. A type whose fields are not known here is read and written as in RFC 3597 §5 only.
 */
#ifndef DNSD_WIRE_RDATA_H
#define DNSD_WIRE_RDATA_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "name.h"

#define WIRE_RDATA_MAX      65535
#define WIRE_RDATA_TEXT_MAX (WIRE_RDATA_MAX * 4 + 64)

/* TEXT as in a zone file ("10 mail", "\# 4 0A000001", "\"one\" \"two\""). Names without a trailing
 * dot are relative to ORIGIN. OUT has WIRE_RDATA_MAX; the result is uncompressed. A TXT string over
 * 255 octets is split (RFC 1035 §3.3), unquoted TXT text with blanks is one string. */
enum err wire_rdata_from_text(uint16_t type, const char *text, const struct wire_name *origin,
                              uint8_t *out, size_t *len, struct err_info *info) MUST_USE;

/* The same as an operator writes it: a name of several labels is absolute whether or not it ends
 * with a dot, a single label is relative to APEX, "@" is APEX; an address where a name belongs is
 * refused. */
enum err wire_rdata_from_input(uint16_t type, const char *text, const struct wire_name *apex,
                               uint8_t *out, size_t *len, struct err_info *info) MUST_USE;

/* Checks that BYTES is well-formed data of TYPE (unknown types: anything). Names must not be
 * compressed. */
enum err wire_rdata_check(uint16_t type, const uint8_t *bytes, size_t len,
                          struct err_info *info) MUST_USE;

/* Canonical text; absolute names with a dot. *out is the caller's to free. */
enum err wire_rdata_to_text(uint16_t type, const uint8_t *bytes, size_t len, char **out,
                            struct err_info *info) MUST_USE;

/* One record of a zone file. OWNER is absolute. RDATA is borrowed until the callback returns. */
struct wire_zone_rr {
    struct wire_name owner;
    uint16_t type;
    uint32_t ttl;
    const uint8_t *rdata;
    size_t len;
};
typedef enum err wire_zone_cb(void *ctx, const struct wire_zone_rr *rr, struct err_info *info);
/* Reads the file to its end, calling ON_RR for each IN record. Errors are `line N: ...`, the line
 * where the record starts. An error from ON_RR ends the reading and is returned with the line in
 * front. $INCLUDE is ERR_DENIED: the text may come from somebody who may not read our files. */
enum err wire_zone_read(FILE *in, const struct wire_name *origin, uint32_t default_ttl,
                        wire_zone_cb *on_rr, void *ctx, struct err_info *info) MUST_USE;

#endif

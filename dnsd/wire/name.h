/* Domain names in wire form (RFC 1035 §3.1): length-prefixed labels ending with the root label,
 * never compressed. Limits: 255 octets, 63 per label (RFC 1035 §2.3.4). Comparison and hashing
 * work on folded names: ASCII letters in lower case (RFC 4343). Pure; any thread.
 */
#ifndef DNSD_WIRE_NAME_H
#define DNSD_WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define WIRE_NAME_MAX   255
#define WIRE_LABEL_MAX  63
#define WIRE_LABELS_MAX 127 /* not counting the root */
/* Longest text form: every octet as \DDD, a dot per label, a NUL. */
#define WIRE_NAME_TEXT_MAX 1024

struct wire_name {
    uint8_t len;    /* octets in bytes, the root's zero included; 1 for the root itself */
    uint8_t labels; /* not counting the root */
    uint8_t bytes[WIRE_NAME_MAX];
};

/* Lower-cases N octets; DST may be SRC. Length octets (< 64) are not letters, so whole names fold.
 */
void wire_name_fold(uint8_t *dst, const uint8_t *src, size_t n);

/* Reads presentation form (RFC 1035 §5.1: \. and \DDD escapes). Without a trailing dot the name is
 * relative to ORIGIN, or absolute if ORIGIN is NULL; "@" is ORIGIN itself. Keeps the case. */
enum err wire_name_from_text(const char *text, const struct wire_name *origin,
                             struct wire_name *out, struct err_info *info) MUST_USE;

/* Reads an uncompressed name from the first octets of BYTES. ERR_MALFORMED if it does not end
 * there. */
enum err wire_name_from_wire(const uint8_t *bytes, size_t len, struct wire_name *out) MUST_USE;

/* Absolute text with a trailing dot, terminated; odd octets escaped. OUT has WIRE_NAME_TEXT_MAX. */
void wire_name_to_text(const struct wire_name *name, char *out);

/* Text relative to APEX without a trailing dot ("@" for the apex itself); absolute text with a
 * dot if NAME is not under APEX. OUT has WIRE_NAME_TEXT_MAX. */
void wire_name_to_relative(const struct wire_name *name, const struct wire_name *apex, char *out);

/* Equal but for case. */
bool wire_name_equal(const struct wire_name *a, const struct wire_name *b);

/* NAME is APEX or below it, at a label boundary, whatever the case. */
bool wire_name_is_under(const struct wire_name *name, const struct wire_name *apex);

/* A record's owner as an operator types it: relative to APEX, absolute with a trailing dot, or "@".
 * Result is folded, under APEX, made of letters, digits, '-', '_' with '*' only as the whole first
 * label. ERR_MALFORMED says which rule was broken. */
enum err wire_name_owner(const char *text, const struct wire_name *apex, struct wire_name *out,
                         struct err_info *info) MUST_USE;

#endif

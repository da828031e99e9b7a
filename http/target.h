/* From a request's target to a path and its parameters. Pure; any thread. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stddef.h>

#include "lib/err.h"

/* Decodes the path of TARGET (what is before '?') into OUT. ERR_MALFORMED: a broken %xx, a NUL or
 * another control character, an encoded '/', "//", a segment "." or "..". ERR_LIMIT: longer than CAP,
 * its NUL included. The target "*" is its own path. Octets from 0x80 are let pass, UTF-8 or not. */
enum err target_path(const char *target, char *out, size_t cap) MUST_USE;
/* The first NAME=value of the query, decoded, names too ('+' is a space; without '=' the value is
 * empty). ERR_NOTFOUND, ERR_LIMIT, ERR_MALFORMED: a broken %xx or a NUL in the value. */
enum err target_query(const char *target, const char *name, char *out, size_t cap) MUST_USE;

#endif

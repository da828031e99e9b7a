/* Typed access to JSON. Objects are read member by member; a member of the wrong type is
 * ERR_MALFORMED with its path, a missing one or a null is ERR_NOTFOUND. The door to jansson, except
 * that code which builds JSON may use json_pack() and json_dumps() directly. Input is bounded by
 * the caller; nesting by JX_DEPTH_MAX (ERR_LIMIT). Any thread, own objects.
 */
#ifndef LIB_JX_H
#define LIB_JX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define JX_DEPTH_MAX 64

/* Parses LEN bytes; *out is the caller's to json_decref(). Duplicate keys and NULs are refused. */
enum err jx_parse(const char *text, size_t len, json_t **out, struct err_info *info) MUST_USE;
/* The same, and it must be an object. */
enum err jx_parse_object(const char *text, size_t len, json_t **out,
                         struct err_info *info) MUST_USE;

/* The same for rows of a database, which may hold what is rare in JSON: texts with NULs
 * (json_string_length() tells), and whole numbers too large for 64 bits. If there is one of these,
 * all numbers of the text come as reals. */
enum err jx_parse_loose(const char *text, size_t len, json_t **out, struct err_info *info) MUST_USE;

/* *out is borrowed from OBJECT. */
enum err jx_array(const json_t *object, const char *key, const json_t **out,
                  struct err_info *info) MUST_USE;
enum err jx_object(const json_t *object, const char *key, const json_t **out,
                   struct err_info *info) MUST_USE;
enum err jx_string(const json_t *object, const char *key, const char **out,
                   struct err_info *info) MUST_USE;
/* The text itself, into ROOM octets with its NUL. ERR_LIMIT: it does not fit. "" after any error. */
enum err jx_text(const json_t *object, const char *key, char *out, size_t room,
                 struct err_info *info) MUST_USE;
/* The I-th of a list; NULL: there is none, or it is no text. Borrowed from LIST. */
const char *jx_string_at(const json_t *list, size_t i);
enum err jx_bool(const json_t *object, const char *key, bool *out, struct err_info *info) MUST_USE;
enum err jx_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                struct err_info *info) MUST_USE;

/* Overwrites each text in it that nobody else holds, too, and lets go of it: for secrets. NULL is fine. (What
 * the parser had in buffers of its own on the way is not within reach.) */
void jx_wipe(json_t *value);

#endif

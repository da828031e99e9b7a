/* Base64 in both alphabets (RFC 4648 §4 and §5). Strict: nothing but the alphabet, no line ends, no
 * bits left over that are not zero. Any thread.
 */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for N octets as text, the NUL counted. */
#define BASE64_ROOM(n) (((n) + 2) / 3 * 4 + 1)

/* OUT has BASE64_ROOM(len) octets. With padding. Returns the length of the text. */
size_t base64_encode(const void *bytes, size_t len, char *out);
/* The URL alphabet, without padding (RFC 7515 §2): OUT need not have room for that either. */
size_t base64url_encode(const void *bytes, size_t len, char *out);

/* LEN characters of TEXT into OUT, which has room for len / 4 * 3 + 3 octets. Padding is required. */
bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);
/* Padding may be there or not. */
bool base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif

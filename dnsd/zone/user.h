/* How users are called where their names are hashed (platform.piiMode: hashed).
 *
 *   token = HMAC-SHA256(key, "username" NUL name), the name in lower case, the key of 32 octets
 *
 * Rows have the token as 64 lower-case hexadecimal digits in the name's place; names cannot be got
 * back from them, so a question's name is hashed and looked for. In the zone's table (table.h) a
 * hashed user's key is the token's first 23 octets behind an octet that no label can begin with
 * (RFC 1035 §3.1: at most 63): no packet can ask for a slot by its token, and names and users of
 * one name are two slots. 184 bits are enough: names that share them cannot be found.
 *
 * The row's form is the platform's and is shared with its other programs. Pure; any thread.
 */
#ifndef DNSD_ZONE_USER_H
#define DNSD_ZONE_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "table.h"

#define USER_KEY_LEN    32
#define USER_TOKEN_LEN  DIGEST_SHA256_LEN
#define USER_TOKEN_TEXT (2 * USER_TOKEN_LEN + 1)
#define USER_SLOT_LEN   TABLE_INLINE_MAX
#define USER_SLOT_MARK  0xff

/* What may be a user's name at all, hashed or not: 1 to 63 folded letters, digits, '-' and '_'. */
bool user_name_is_plain(const uint8_t *name, size_t len);

/* False: not plain, so nobody is called that. No heap, no lock: fit for the packet path. */
bool user_token(const struct digest_hmac *key, const uint8_t *name, size_t len,
                uint8_t out[USER_TOKEN_LEN]);

void user_token_to_text(const uint8_t token[USER_TOKEN_LEN], char out[USER_TOKEN_TEXT]);
/* False: not exactly 64 lower-case hexadecimal digits. */
bool user_token_from_text(const char *text, uint8_t out[USER_TOKEN_LEN]);

/* What rows call the user NAME (folded): NAME itself (KEY is NULL), or its token, in TOKEN. NULL:
 * nobody is called that. */
const char *user_row(const struct digest_hmac *key, const char *name, char token[USER_TOKEN_TEXT]);

/* The table's key. */
void user_slot_key(const uint8_t token[USER_TOKEN_LEN], uint8_t out[USER_SLOT_LEN]);

#endif

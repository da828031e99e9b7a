#include "user.h"

#include <string.h>

#include "dnsd/wire/name.h"

/* The field's name and the NUL behind it, as the platform hashes them. */
static const uint8_t field[] = "username";

_Static_assert(USER_SLOT_MARK > WIRE_LABEL_MAX, "a question's label could be taken for a token");
_Static_assert(USER_SLOT_LEN - 1 <= USER_TOKEN_LEN, "a token fills the key");

bool user_name_is_plain(const uint8_t *name, size_t len)
{
    if (len == 0 || len > WIRE_LABEL_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
                     name[i] == '-' || name[i] == '_';
        if (!plain) {
            return false;
        }
    }
    return true;
}

bool user_token(const struct digest_hmac *key, const uint8_t *name, size_t len,
                uint8_t out[USER_TOKEN_LEN])
{
    uint8_t text[sizeof field + WIRE_LABEL_MAX];
    if (!user_name_is_plain(name, len)) {
        return false;
    }
    memcpy(text, field, sizeof field);
    memcpy(text + sizeof field, name, len);
    digest_hmac(key, text, sizeof field + len, out);
    return true;
}

void user_token_to_text(const uint8_t token[USER_TOKEN_LEN], char out[USER_TOKEN_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < USER_TOKEN_LEN; i++) {
        out[2 * i] = digits[token[i] >> 4];
        out[2 * i + 1] = digits[token[i] & 15];
    }
    out[2 * USER_TOKEN_LEN] = '\0';
}

/* The value of a lower-case hexadecimal digit, 16 if it is none. */
static unsigned digit_of(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                  : 16;
}

bool user_token_from_text(const char *text, uint8_t out[USER_TOKEN_LEN])
{
    if (strnlen(text, USER_TOKEN_TEXT) != USER_TOKEN_TEXT - 1) {
        return false;
    }
    for (size_t i = 0; i < USER_TOKEN_LEN; i++) {
        unsigned high = digit_of(text[2 * i]);
        unsigned low = digit_of(text[2 * i + 1]);
        if (high > 15 || low > 15) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

const char *user_row(const struct digest_hmac *key, const char *name, char token[USER_TOKEN_TEXT])
{
    uint8_t bytes[USER_TOKEN_LEN];
    if (key == NULL) {
        return user_name_is_plain((const uint8_t *)name, strlen(name)) ? name : NULL;
    }
    if (!user_token(key, (const uint8_t *)name, strlen(name), bytes)) {
        return NULL;
    }
    user_token_to_text(bytes, token);
    return token;
}

void user_slot_key(const uint8_t token[USER_TOKEN_LEN], uint8_t out[USER_SLOT_LEN])
{
    out[0] = USER_SLOT_MARK;
    memcpy(out + 1, token, USER_SLOT_LEN - 1);
}

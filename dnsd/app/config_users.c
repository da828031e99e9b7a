#include "config_users.h"

#include <string.h>

/* The value of a digit of base64 (RFC 4648 §4). */
static uint32_t digit_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
           : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 26
           : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 52
           : c == '+'             ? 62
                                  : 63;
}

/* The reader of the configuration has seen to it that TEXT is 43 digits and a '='. The last digit
 * has two bits more than 32 octets; what they are makes no difference, as in the platform. */
static void decode(const char *text, uint8_t out[USER_KEY_LEN])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;
    for (; n < USER_KEY_LEN; text++) {
        bits = bits << 6 | digit_of(*text);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
        }
    }
}

bool config_user_key(const struct config *c, uint8_t out[USER_KEY_LEN])
{
    if (!c->platform.pii_hashed) {
        return false;
    }
    decode(c->platform.pii_hmac_key, out);
    return true;
}

bool config_users_equal(const struct config *a, const struct config *b)
{
    uint8_t one[USER_KEY_LEN] = {0};
    uint8_t two[USER_KEY_LEN] = {0};
    bool hashed = config_user_key(a, one);
    bool equal = config_user_key(b, two) == hashed && memcmp(one, two, sizeof one) == 0;
    explicit_bzero(one, sizeof one);
    explicit_bzero(two, sizeof two);
    return equal;
}

#include "base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define NO_DIGIT 64

/* ---- to text ------------------------------------------------------------------------------- */

/* Without padding. */
static size_t encode(const char *alphabet, const uint8_t *in, size_t len, char *out)
{
    char *at = out;
    for (; len >= 3; in += 3, len -= 3) {
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        *at++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        *at++ = alphabet[in[2] & 63];
    }
    if (len > 0) {
        uint8_t second = len > 1 ? in[1] : 0;
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3) << 4 | second >> 4];
        if (len > 1) {
            *at++ = alphabet[(second & 15) << 2];
        }
    }
    *at = '\0';
    return (size_t)(at - out);
}

size_t base64_encode(const void *bytes, size_t len, char *out)
{
    size_t n = encode(standard, bytes, len, out);
    while (n % 4 != 0) {
        out[n++] = '=';
    }
    out[n] = '\0';
    return n;
}

size_t base64url_encode(const void *bytes, size_t len, char *out)
{
    return encode(url, bytes, len, out);
}

/* ---- from text ----------------------------------------------------------------------------- */

/* NO_DIGIT for what is none. Keys are read here: no table and no branch, so that neither the cache nor the
 * time it takes tells them. */
static unsigned digit_of(char c, char c62, char c63)
{
    /* All ones where LOW <= C <= HIGH. */
#define WITHIN(low, high) (unsigned)-(int)((c >= (low)) & (c <= (high)))
    unsigned value = (WITHIN('A', 'Z') & (unsigned)(c - 'A')) |
                     (WITHIN('a', 'z') & (unsigned)(c - 'a' + 26)) |
                     (WITHIN('0', '9') & (unsigned)(c - '0' + 52)) | (WITHIN(c62, c62) & 62) |
                     (WITHIN(c63, c63) & 63);
    unsigned any = WITHIN('A', 'Z') | WITHIN('a', 'z') | WITHIN('0', '9') | WITHIN(c62, c62) |
                   WITHIN(c63, c63);
#undef WITHIN
    return value | (~any & NO_DIGIT);
}

/* LEN digits, no padding. Something was wrong if any digit was none, if one digit is left over, or if
 * bits are left over that are not zero (RFC 4648 §3.5): one text for each row of octets. */
static bool decode(char c62, char c63, const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    unsigned bad = len % 4 == 1 ? NO_DIGIT : 0;
    uint32_t bits = 0; /* what is not in OUT yet, and older ones */
    unsigned count = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = digit_of(text[i], c62, c63);
        bad |= digit & NO_DIGIT;
        bits = bits << 6 | (digit & 63);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[n++] = (uint8_t)(bits >> count);
        }
    }
    bad |= bits & ((1u << count) - 1);
    *out_len = bad == 0 ? n : 0;
    return bad == 0;
}

/* How many of the last characters are padding, if that is as it should be. */
static size_t padding(const char *text, size_t len)
{
    if (len == 0 || len % 4 != 0 || text[len - 1] != '=') {
        return 0;
    }
    return text[len - 2] == '=' ? 2 : 1;
}

bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    *out_len = 0;
    return len % 4 == 0 && decode('+', '/', text, len - padding(text, len), out, out_len);
}

bool base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    return decode('-', '_', text, len - padding(text, len), out, out_len);
}

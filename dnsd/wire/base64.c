#include "rdata_priv.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Four characters to one, two or three octets; false if they are not base64. */
static bool read_group(const char *text, bool last, struct buf_writer *out)
{
    size_t padding = !last || text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4 - padding; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        bits |= (uint32_t)(digit - digits) << (18 - 6 * i);
    }
    /* RFC 4648 §3.5: what the padding cuts off is zero, so that data has one text only. */
    if ((bits & (padding == 2 ? 0xffff : padding == 1 ? 0xff : 0)) != 0) {
        return false;
    }
    for (size_t i = 0; i < 3 - padding; i++) {
        buf_put_u8(out, (uint8_t)(bits >> (16 - 8 * i)));
    }
    return true;
}

enum err rdata_base64_read(const char *text, size_t len, struct buf_writer *out,
                           struct err_info *info)
{
    bool ok = len > 0 && len % 4 == 0;
    for (size_t at = 0; ok && at < len; at += 4) {
        ok = read_group(text + at, at + 4 == len, out);
    }
    return ok ? ERR_OK : err_set(info, ERR_MALFORMED, "not base64");
}

void rdata_base64_write(const uint8_t *bytes, size_t len, struct buf_writer *out)
{
    for (size_t at = 0; at < len; at += 3) {
        size_t n = len - at < 3 ? len - at : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < n; i++) {
            bits |= (uint32_t)bytes[at + i] << (16 - 8 * i);
        }
        for (size_t i = 0; i < 4; i++) {
            buf_put_u8(out, i <= n ? (uint8_t)digits[bits >> (18 - 6 * i) & 63] : '=');
        }
    }
}

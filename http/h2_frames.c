#include "h2_frames.h"

#include <string.h>

#define PREFACE_LEN 24 /* RFC 9113 §3.4 */
/* DATA is free if it brings that much; a body in pieces of one octet is not. */
#define DATA_FREE 256

/* RFC 9113 §6 */
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4 };
#define END_STREAM 1

void h2_frames_init(struct h2_frames *f)
{
    *f = (struct h2_frames){.skip = PREFACE_LEN};
}

static unsigned cost(const struct h2_frames *f, size_t len)
{
    switch (f->head[3]) {
    case DATA:
        return len >= DATA_FREE || (f->head[4] & END_STREAM) != 0 ? 0 : 1;
    case HEADERS:
        return 0; /* a request, or a stream that we reset, and count */
    case RST_STREAM:
        return H2_FRAMES_RESET;
    case SETTINGS:
        return 2; /* an answer, and each of its entries is looked at */
    default:
        return 1;
    }
}

unsigned h2_frames_cost(struct h2_frames *f, const uint8_t *bytes, size_t len)
{
    unsigned sum = 0;
    while (len > 0) {
        size_t n = f->skip > 0 ? f->skip : sizeof f->head - f->len;
        n = n < len ? n : len;
        if (f->skip > 0) {
            f->skip -= n;
        } else {
            memcpy(f->head + f->len, bytes, n);
            f->len += n;
        }
        bytes += n;
        len -= n;
        if (f->len == sizeof f->head) {
            f->skip = (size_t)f->head[0] << 16 | (size_t)f->head[1] << 8 | f->head[2];
            sum += cost(f, f->skip);
            f->len = 0;
        }
    }
    return sum;
}

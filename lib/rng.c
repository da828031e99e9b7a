#include "rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"

void rng_bytes(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno != EINTR) {
            LOG_ERROR("rng", "the system gives no random numbers", LOG_S("error", strerror(errno)));
            abort();
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
}

void rng_hex(char *out, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    rng_bytes(out, len);
    for (size_t i = len; i-- > 0;) { /* from the end, where there is room */
        uint8_t octet = (uint8_t)out[i];
        out[2 * i] = digits[octet >> 4];
        out[2 * i + 1] = digits[octet & 15];
    }
    out[2 * len] = '\0';
}

uint64_t rng_below(uint64_t below)
{
    /* 2^64 modulo BELOW: so many of the lowest numbers would come once too often. */
    uint64_t uneven = -below % below;
    uint64_t n;
    do {
        rng_bytes(&n, sizeof n);
    } while (n < uneven);
    return n % below;
}

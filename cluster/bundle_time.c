/* Instants as the bundle writes them (RFC 3339 §5.6, UTC only). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bundle_priv.h"

static const char shape[] = "0000-00-00T00:00:00"; /* 0: any digit */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int number(const char *at, size_t digits)
{
    int n = 0;
    for (size_t i = 0; i < digits; i++) {
        n = n * 10 + (at[i] - '0');
    }
    return n;
}

/* "", or a dot and digits; then Z. Up to a thousandth. */
static bool fraction(const char *at, int64_t *ms)
{
    *ms = 0;
    if (*at == '.') {
        size_t n = strspn(++at, "0123456789");
        for (size_t i = 0; i < 3; i++) {
            *ms = *ms * 10 + (i < n ? at[i] - '0' : 0);
        }
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return strcmp(at, "Z") == 0;
}

bool bundle_time_read(const char *text, int64_t *ms)
{
    char again[BUNDLE_TIME];
    int64_t part;
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] == '0' ? !is_digit(text[i]) : text[i] != shape[i]) {
            return false;
        }
    }
    struct tm tm = {.tm_year = number(text, 4) - 1900,
                    .tm_mon = number(text + 5, 2) - 1,
                    .tm_mday = number(text + 8, 2),
                    .tm_hour = number(text + 11, 2),
                    .tm_min = number(text + 14, 2),
                    .tm_sec = number(text + 17, 2)};
    int64_t whole = (int64_t)timegm(&tm) * 1000;
    bundle_time_write(whole, again); /* the 30th of February has become another day */
    if (strncmp(again, text, sizeof shape - 1) != 0 || !fraction(text + sizeof shape - 1, &part)) {
        return false;
    }
    *ms = whole + part;
    return true;
}

void bundle_time_write(int64_t ms, char out[BUNDLE_TIME])
{
    int64_t part = (ms % 1000 + 1000) % 1000;
    struct tm tm;
    time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
    out[0] = '\0';
    if (gmtime_r(&s, &tm) != NULL) {
        size_t n = strftime(out, BUNDLE_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(out + n, BUNDLE_TIME - n, ".%03dZ", (int)part);
    }
}

/* Whether a certificate is the one that was ordered. No OpenSSL in it: lib/tls_pair has read it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "chain.h"

#define LIST_ROOM 200 /* of struct err_info's text, for each of two lists */

static bool has(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of A that are not among B, as far as there is room; how many there are. */
static size_t differ(const char *const *a, size_t a_count, const char *const *b, size_t b_count,
                     char text[LIST_ROOM])
{
    size_t count = 0, len = 0, left_out = 0;
    text[0] = '\0';
    for (size_t i = 0; i < a_count; i++) {
        static const size_t end = sizeof " and 100 more";
        if (has(b, b_count, a[i])) {
            continue;
        }
        count++;
        if (left_out > 0 || len + 2 + strlen(a[i]) + end > LIST_ROOM) {
            left_out++;
            continue;
        }
        len += (size_t)snprintf(text + len, LIST_ROOM - len, "%s%s", len > 0 ? ", " : "", a[i]);
    }
    if (left_out > 0) {
        snprintf(text + len, LIST_ROOM - len, "%s%zu%s", len > 0 ? " and " : "", left_out,
                 len > 0 ? " more" : " with long names");
    }
    return count;
}

static enum err check_names(const struct tls_pair_info *pair, const char *const *names,
                            size_t count, struct err_info *info)
{
    char missing[LIST_ROOM], extra[LIST_ROOM];
    bool lacks = differ(names, count, pair->names, pair->names_count, missing) > 0;
    bool exceeds = differ(pair->names, pair->names_count, names, count, extra) > 0;
    if (!lacks && !exceeds) {
        return ERR_OK;
    }
    return err_set(info, ERR_CONFLICT,
                   "the certificate is not for the names that were asked for%s%s%s%s",
                   lacks ? "; missing: " : "", lacks ? missing : "", exceeds ? "; too many: " : "",
                   exceeds ? extra : "");
}

static void write_time(int64_t time_ms, char out[32])
{
    time_t s = (time_t)(time_ms / 1000);
    struct tm tm;
    if (gmtime_r(&s, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        snprintf(out, 32, "(a time out of bounds)");
    }
}

enum err cert_chain_check(const struct tls_pair_info *pair, const char *const *names, size_t count,
                          int64_t now_ms, struct err_info *info)
{
    char when[32], now[32];
    enum err e = check_names(pair, names, count, info);
    if (e != ERR_OK) {
        return e;
    }
    write_time(now_ms, now);
    if (pair->not_before_ms > now_ms + CERT_CHAIN_EARLY_MS) {
        write_time(pair->not_before_ms, when);
        return err_set(info, ERR_DENIED,
                       "the certificate is not valid before %s, and it is %s here: is the clock "
                       "right?",
                       when, now);
    }
    if (pair->not_after_ms < now_ms) {
        write_time(pair->not_after_ms, when);
        return err_set(info, ERR_DENIED, "the certificate has expired at %s, and it is %s here",
                       when, now);
    }
    return ERR_OK;
}

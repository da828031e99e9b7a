#include "placeholder.h"

#include <arpa/inet.h>

#include "make_priv.h"

/* IPv4 looks like a host. */
static bool is_name(const char *name)
{
    uint8_t octets[16];
    return inet_pton(AF_INET6, name, octets) == 1 || make_is_host(name);
}

enum err placeholder_new(const char *const *names, size_t count, int64_t now_ms,
                         struct tls_pair **out, struct err_info *info)
{
    if (count == 0 || count > TLS_PAIR_NAMES_MAX) {
        return err_set(info, ERR_LIMIT, "%zu names for one certificate: 1 to %d are possible",
                       count, TLS_PAIR_NAMES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_name(names[i])) {
            return err_set(info, ERR_MALFORMED, "no name for a certificate: %.100s", names[i]);
        }
    }
    return make_self_signed(&(struct make_certificate){.subject = "dnsd placeholder",
                                                       .names = names,
                                                       .names_count = count,
                                                       .now_ms = now_ms,
                                                       .days = PLACEHOLDER_DAYS},
                            out, info);
}

int64_t placeholder_due_ms(const struct tls_pair_info *pair)
{
    return pair->not_before_ms + (pair->not_after_ms - pair->not_before_ms) / 2;
}

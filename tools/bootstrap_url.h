/* https URLs and addresses that are given to bootstrap commands. Pure. */
#ifndef TOOLS_BOOTSTRAP_URL_H
#define TOOLS_BOOTSTRAP_URL_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define BOOTSTRAP_URL_MAX  512
#define BOOTSTRAP_HOST_MAX 254

struct bootstrap_url {
    char host[BOOTSTRAP_HOST_MAX]; /* without brackets, in lower case */
    bool is_address;               /* the host is one */
    uint16_t port;
    const char *path; /* borrowed: from the first '/' after the host; "" */
};
/* RFC 3986 §3, and no more of it than is of use here: https, no user, no fragment. ERR_MALFORMED: INFO is
 * what is wrong, to stand after the URL. */
enum err bootstrap_url_read(const char *text, struct bootstrap_url *out,
                            struct err_info *info) MUST_USE;

/* An address that other machines can call a core by, in the form that everybody writes (RFC 5952). INFO as
 * above. OUT: INET_ADDRSTRLEN or INET6_ADDRSTRLEN octets. */
enum err bootstrap_ipv4_read(const char *text, char *out, struct err_info *info) MUST_USE;
enum err bootstrap_ipv6_read(const char *text, char *out, struct err_info *info) MUST_USE;

#endif

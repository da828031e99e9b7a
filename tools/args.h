/* The command line: words and options in any order. Pure; no option is known to two commands by two
 * meanings, so one table serves all and each command says which of them it takes.
 *
 * `--` ends the options; a lone `-` is a word (standard input). `--ttl 5` and `--ttl=5` are the
 * same.
 */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define ARGS_WORDS_MAX 256

enum args_option {
    ARGS_CONFIG = 1 << 0,
    ARGS_JSON = 1 << 1,
    ARGS_HELP = 1 << 2,
    ARGS_VERSION = 1 << 3,
    ARGS_DRY_RUN = 1 << 4,
    ARGS_REPLACE = 1 << 5,
    ARGS_TTL = 1 << 6,
    ARGS_IP = 1 << 7,
    ARGS_IPV6 = 1 << 8,
    ARGS_URL = 1 << 9,
    ARGS_AVAILABLE = 1 << 10,
    ARGS_FORCE = 1 << 11,
    ARGS_OVERRIDE = 1 << 12,
    ARGS_NO_WAIT = 1 << 13,
    ARGS_REASON = 1 << 14,
    ARGS_ID = 1 << 15,
    ARGS_HOSTING = 1 << 16,
    ARGS_OUT = 1 << 17,
    ARGS_ACK_URL = 1 << 18,
    ARGS_ALL = 1 << 19,
};
/* What every command takes. */
#define ARGS_COMMON (ARGS_CONFIG | ARGS_JSON | ARGS_HELP | ARGS_VERSION)

/* All text is borrowed from argv. */
struct args {
    unsigned given;     /* args_option bits */
    const char *config; /* values: NULL unless given */
    const char *ttl, *ip, *ipv6, *url, *available, *override, *reason;
    const char *id, *hosting, *out, *ack_url;
    const char *words[ARGS_WORDS_MAX];
    size_t count;
};

/* ERR_MALFORMED: INFO says what is wrong, with the nearest known option for an unknown one. */
enum err args_parse(int argc, char *const *argv, struct args *out, struct err_info *info) MUST_USE;

/* The first option given that ALLOWED does not have, as it is written; NULL if there is none. */
const char *args_not_allowed(const struct args *args, unsigned allowed);

#endif

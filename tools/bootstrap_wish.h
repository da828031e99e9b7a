/* What `bootstrap new-core` is asked for, read and checked before anything is done. Pure: what has to be
 * looked up elsewhere (rows, files) comes later, or as data. Aborts when out of memory. */
#ifndef TOOLS_BOOTSTRAP_WISH_H
#define TOOLS_BOOTSTRAP_WISH_H

#include "args.h"
#include "bootstrap_url.h"
#include "dnsd/app/config.h"
#include "lib/str.h"

#define BOOTSTRAP_TTL_S       ((int64_t)24 * 3600)
#define BOOTSTRAP_TTL_MIN_S   60
#define BOOTSTRAP_TTL_MAX_S   ((int64_t)30 * 24 * 3600)
#define BOOTSTRAP_HOSTING_MAX 100
#define BOOTSTRAP_ACK_PATH    "/system/admin/cores/ack"

struct wish {
    char id[WIRE_LABEL_MAX + 1];
    char ip[INET_ADDRSTRLEN], ipv6[INET6_ADDRSTRLEN]; /* "": none */
    const char *url, *hosting;                        /* borrowed; NULL */
    char *ack_url;                                    /* owned */
    bool ack_given;                                   /* with --ack-url */
    char *out;                                        /* owned: the bundle's path */
    int64_t ttl_s;
    bool replace;
};

/* All that is wrong, in one text. */
struct wish_problems {
    struct str text;
    size_t count;
    bool missing; /* a needed option is not there: wrong usage */
};

/* What ARGS say, on the core that CONFIG is of. Free *out with wish_free() whatever was found. */
void wish_read(const struct args *args, const struct config *config, struct wish *out,
               struct wish_problems *problems);
void wish_free(struct wish *w);

/* What CONFIG lacks for a cluster of several cores: the engine, secrets, an address. HAS_SEALING_KEYS: there
 * are keys at rest (config_keys_read()). */
void wish_check_config(const struct config *config, bool has_sealing_keys,
                       struct wish_problems *problems);

/* "90s", "15m", "24h", "7d"; from BOOTSTRAP_TTL_MIN_S to _MAX_S. */
bool wish_ttl_read(const char *text, int64_t *out);

#endif

/* How to reach this core's rqlite, and with which credentials. The daemon and the tools ask here.
 *
 * Credentials, the first that there is: those in storages.engines.rqlite.url; for a node of ours
 * (external: false) a password made from auth.adminAccessKey, so that it is the same on every core
 * (nodes pass each other's requests on, with them); for a lone core without such a key a random one
 * that lies in <state folder>/rqlite-auth.json.
 *
 * Blocks (may read that file). Everything in the struct is owned by it.
 */
#ifndef DNSD_APP_CONFIG_RQLITE_H
#define DNSD_APP_CONFIG_RQLITE_H

#include "config.h"

#define CONFIG_RQLITE_USER "dnsd"
#define CONFIG_RQLITE_AUTH "rqlite-auth.json"

struct config_rqlite {
    char *url;      /* scheme, host and port only */
    uint16_t port;  /* of that */
    bool loopback;  /* its host is this machine */
    char *user;     /* NULL: none */
    char *password; /* secret; NULL: none */
};

/* MAKE: a lone core without a key and without a file gets a new password (which nobody has written
 * anywhere yet). ERR_MALFORMED: not a URL of that kind, or the file is damaged. */
enum err config_rqlite_read(const struct config *c, bool make, struct config_rqlite *out,
                            struct err_info *info) MUST_USE;
void config_rqlite_free(struct config_rqlite *r);

#endif

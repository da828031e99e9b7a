/* How rows name users: platform.piiMode and platform.piiHmacKey, as the daemon and the tools need
 * them. Any thread. */
#ifndef DNSD_APP_CONFIG_USERS_H
#define DNSD_APP_CONFIG_USERS_H

#include "config.h"
#include "dnsd/zone/user.h"

/* True: by their token (dnsd/zone/user.h) with the key in OUT, a secret for the caller to wipe.
 * False: by their names; OUT is left alone. */
bool config_user_key(const struct config *c, uint8_t out[USER_KEY_LEN]);

/* Both have users called the same. */
bool config_users_equal(const struct config *a, const struct config *b);

#endif

/* From the configuration to an empty zone: options, static entries, the apex. The daemon and the
 * tools make the same zone. ERR_MALFORMED, ERR_LIMIT: INFO names the key. Any thread.
 */
#ifndef DNSD_APP_CONFIG_ZONE_H
#define DNSD_APP_CONFIG_ZONE_H

#include "config.h"
#include "dnsd/zone/zone.h"

/* Without a domain the zone is the root's: nobody is answered from it, but it holds the rows. Nothing
 * of C is borrowed afterwards. */
enum err config_zone_new(const struct config *c, struct zone **out, struct err_info *info) MUST_USE;

#endif

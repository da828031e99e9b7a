/* The rules of names (dnsd/zone/names.h) as the configuration has them, for every door through which
 * rows are written: the daemon's API and the tools. Any thread. */
#ifndef DNSD_APP_CONFIG_NAMES_H
#define DNSD_APP_CONFIG_NAMES_H

#include "config.h"
#include "dnsd/zone/names.h"

/* The domain; the root if there is none. Borrowed from C, or static. */
const struct wire_name *config_apex(const struct config *c);

/* Borrows nothing of C. names_free() it. */
struct names *config_names_new(const struct config *c);

#endif

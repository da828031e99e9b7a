/* A part of a configuration's tree as JSON, for what is handed on to another machine: as it stands in the
 * files, before anything is read into fields. Unset values (see lib/cfg.h) are left out. Pure; any thread,
 * own objects. Out of memory aborts.
 */
#ifndef DNSD_APP_CONFIG_JSON_H
#define DNSD_APP_CONFIG_JSON_H

#include <jansson.h>

#include "lib/cfg.h"

/* Types are kept, so that it reads the same when it is written as JSON, which is YAML: true, false and whole
 * numbers without quotes are those; everything else is a text (`yes` and 010 too). The caller's. NULL: NODE
 * is NULL or unset. */
json_t *config_json(const struct cfg_node *node);

#endif

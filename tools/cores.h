/* Cores as the tools show them. */
#ifndef TOOLS_CORES_H
#define TOOLS_CORES_H

#include <jansson.h>

#include "db.h"

json_t *cores_list_json(const struct db_cores *cores);
void cores_print(const struct db_cores *cores);

#endif

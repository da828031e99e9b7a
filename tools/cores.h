/* Cores as the tools show them. */
#ifndef TOOLS_CORES_H
#define TOOLS_CORES_H

#include <jansson.h>

#include "db.h"

json_t *cores_list_json(const struct db_cores *cores);
void cores_print(const struct db_cores *cores);

/* The core of that id, as TEXT is or as we would write it (rows of other programs may have an id
 * that we would not have made). NULL: none; then LABEL (WIRE_LABEL_MAX + 1 octets) is the id that
 * TEXT would be, or INFO says why it is none. */
const struct store_core *cores_find(const struct db_cores *cores, const char *text, char *label,
                                    struct err_info *info);

/* A new core must not take, or hide, a name that means something already. ID is a label. Needs cli_open().
 * ERR_CONFLICT, and the store's errors. */
struct cli;
enum err cores_check_new(struct cli *cli, const char *id, struct err_info *info) MUST_USE;

#endif

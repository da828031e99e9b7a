/* The nodes of the database's cluster (cluster/members.h), one call at a time, as tools/db.h does it.
 * Errors are those of cluster/members_uv.h; INFO says what may help.
 */
#ifndef TOOLS_NODES_H
#define TOOLS_NODES_H

#include "cluster/members.h"
#include "dnsd/app/config.h"

/* The caller frees *out with members_free(). */
enum err nodes_list(const struct config *config, struct members *out,
                    struct err_info *info) MUST_USE;
/* ERR_TIMEOUT: whether it was done is not known; doing it again is right. */
enum err nodes_remove(const struct config *config, const char *id, struct err_info *info) MUST_USE;

#endif

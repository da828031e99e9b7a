/* A core's row, for those who write it together with rows of other kinds. */
#ifndef STORE_NODES_H
#define STORE_NODES_H

#include "store.h"

/* CORE's members as a merge patch (RFC 7396): what is absent is null, which removes it. NULL: one of
 * them is not UTF-8. The caller frees it. */
char *nodes_patch(const struct store_core *core);

/* ?1: the id. Puts the row, ?2: the patch; or deletes it, whoever is on it. */
extern const char nodes_put_sql[];
extern const char nodes_delete_sql[];

/* What goes with the row of ?1. */
#define NODES_FORGET 3
extern const char *const nodes_forget[NODES_FORGET];

#endif

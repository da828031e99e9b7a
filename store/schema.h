/* The tables, made and kept up to date. Runs once when a store is opened; several processes may do
 * it at the same time. A database that holds only the predecessor's keyValue is taken over as it
 * is: no row of it is touched.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "backend.h"

typedef void schema_done_cb(void *ctx, enum err e, const struct err_info *info);

/* ERR_MALFORMED: the tables are of a later version of this program. Loop thread; DONE later. */
void schema_prepare(struct backend *b, schema_done_cb *done, void *ctx);

#endif

/* The embedded driver: one file, one thread that does everything with it, and a second one for what
 * takes long and only reads. See store/backend.h for the contract.
 */
#ifndef STORE_SQLITE_BACKEND_SQLITE_H
#define STORE_SQLITE_BACKEND_SQLITE_H

#include "store/backend.h"
#include "store/store.h"
#include "lib/loop_uv.h"

/* BOX must stay open until the driver is closed. CB runs on its loop, later. */
void backend_sqlite_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                         backend_open_cb *cb, void *ctx);

#endif

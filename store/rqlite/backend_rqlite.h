/* The driver for rqlite: SQLite replicated over several machines, behind the HTTP API of the rqlited
 * that runs on this one. See store/backend.h for the contract.
 *
 * It wants an rqlite from 8.26 on. Of its user it needs the permissions execute and query.
 */
#ifndef STORE_RQLITE_BACKEND_RQLITE_H
#define STORE_RQLITE_BACKEND_RQLITE_H

#include "lib/loop_uv.h"
#include "store/backend.h"
#include "store/store.h"

/* BOX must stay open until the driver is closed. CB runs on its loop, later. A node that does not
 * answer, or is starting, is ERR_UNAVAIL at once: whoever wants to wait opens again. A node that
 * has the tables is opened even if it has no leader. */
void backend_rqlite_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                         backend_open_cb *cb, void *ctx);

#endif

/* What the files of this folder share of struct store. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "store.h"

#include "backend.h"
#include "lib/loop_uv.h"

struct store {
    uv_loop_t *loop;         /* borrowed */
    struct loop_box box;     /* ours and the driver's */
    struct backend *backend; /* owned; NULL until it is open */
    size_t pending;          /* operations under way */
    bool closing;            /* no operation may be started any more */
    bool ending;             /* the driver has been told to close */

    void (*on_change)(void *ctx); /* NULL: nobody watches */
    void *on_change_ctx;          /* borrowed */
    struct watch_poll *poll;      /* owned; only for a driver that cannot watch */

    store_open_cb *on_open;
    void *on_open_ctx; /* borrowed */
    enum err open_e;   /* how opening went, told once everything is cleared up */
    struct err_info open_info;

    void (*on_closed)(void *ctx);
    void *on_closed_ctx; /* borrowed */
};

/* Opens a store on a driver of the caller's (that is how tests bring their own): ENGINE is called
 * once and must answer through backend_open_cb, on the loop, later. */
typedef void store_engine_open(uv_loop_t *loop, struct loop_box *box,
                               const struct store_options *options, backend_open_cb *cb, void *ctx);
void store_open_on(uv_loop_t *loop, store_engine_open *engine, const struct store_options *options,
                   store_open_cb *cb, void *ctx);

/* An operation has ended (op.c). */
void store_op_ended(struct store *s);

#endif

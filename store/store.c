/* Opening and closing. The rest is one file per kind of row. */
#include "store.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/mem.h"
#include "op.h"
#include "rqlite/backend_rqlite.h"
#include "schema.h"
#include "sqlite/backend_sqlite.h"
#include "store_priv.h"
#include "watch_uv.h"

/* ---- the end --------------------------------------------------------------------------------- */

static void on_box_closed(void *ctx)
{
    struct store *s = ctx;
    store_open_cb *on_open = s->on_open;
    if (on_open != NULL) { /* it never was open */
        on_open(s->on_open_ctx, s->open_e, &s->open_info, NULL);
    } else if (s->on_closed != NULL) {
        s->on_closed(s->on_closed_ctx);
    }
    free(s);
}

static void on_backend_closed(void *ctx)
{
    struct store *s = ctx;
    s->backend = NULL;
    loop_box_close(&s->box, on_box_closed, s);
}

static void close_now(struct store *s)
{
    s->ending = true;
    if (s->backend != NULL) {
        s->backend->ops->close(s->backend, on_backend_closed, s);
    } else {
        on_backend_closed(s);
    }
}

void store_op_ended(struct store *s)
{
    s->pending--;
    if (s->pending == 0 && s->closing && !s->ending) {
        close_now(s);
    }
}

void store_close(struct store *s, void (*done)(void *ctx), void *ctx)
{
    assert(!s->closing);
    s->on_closed = done;
    s->on_closed_ctx = ctx;
    s->on_change = NULL;
    watch_poll_stop(s);
    s->pending++; /* so that the last operation, or this, is what closes it */
    s->closing = true;
    store_op_ended(s);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void open_failed(struct store *s, enum err e, const struct err_info *info)
{
    s->open_e = e;
    if (info != NULL) {
        s->open_info = *info;
    }
    close_now(s);
}

static void on_schema(void *ctx, enum err e, const struct err_info *info)
{
    struct store *s = ctx;
    if (e != ERR_OK) {
        open_failed(s, e, info);
        return;
    }
    store_open_cb *cb = s->on_open;
    s->on_open = NULL;
    cb(s->on_open_ctx, ERR_OK, NULL, s);
}

static void on_backend(void *ctx, enum err e, const struct err_info *info, struct backend *b)
{
    struct store *s = ctx;
    if (e != ERR_OK) {
        open_failed(s, e, info);
        return;
    }
    s->backend = b;
    schema_prepare(b, on_schema, s);
}

void store_open_on(uv_loop_t *loop, store_engine_open *engine, const struct store_options *options,
                   store_open_cb *cb, void *ctx)
{
    struct store *s = mem_xalloc(sizeof *s);
    s->loop = loop;
    s->on_open = cb;
    s->on_open_ctx = ctx;
    enum err e = loop_box_open(&s->box, loop);
    assert(e == ERR_OK); /* without a way to the loop nobody could be told */
    engine(loop, &s->box, options, on_backend, s);
}

void store_open(uv_loop_t *loop, const struct store_options *options, store_open_cb *cb, void *ctx)
{
    store_engine_open *engine =
        options->engine == STORE_SQLITE ? backend_sqlite_open : backend_rqlite_open;
    store_open_on(loop, engine, options, cb, ctx);
}

/* From the embedded engine to rqlite by a change of the configuration: the first start with rqlite brings the
 * rows of the SQLite file along, before anything else is written. Where rqlite has rows already, of this core or of
 * the others, nothing is done; the file stays as it is.
 */
#include <stdlib.h>

#include "app.h"
#include "lib/mem.h"

#define AGAIN_MS 1000

struct move {
    struct app *a;      /* borrowed */
    struct store *from; /* owned */
    enum err e;
};

static void on_again(uv_timer_t *timer)
{
    move_in(timer->data);
}

static void on_closed(void *ctx)
{
    struct move *m = ctx;
    struct app *a = m->a;
    a->feed_busy = false;
    a->moved_in = m->e == ERR_OK;
    free(m);
    if (a->moved_in || a->stopping) {
        feed_confirm(a);
    } else {
        uv_timer_start(&a->store_timer, on_again, AGAIN_MS, 0);
    }
}

static void on_imported(void *ctx, enum err e, const struct err_info *info, uint64_t rows)
{
    struct move *m = ctx;
    m->e = e;
    if (e != ERR_OK) {
        LOG_WARN("app", "the embedded store's rows are not all here yet",
                 LOG_S("reason", info->text));
    } else if (rows > 0) {
        LOG_INFO("app", "the rows of the embedded store were brought along",
                 LOG_S("file", m->a->config.storages.sqlite_path), LOG_N("rows", rows));
    }
    store_close(m->from, on_closed, m);
}

static void on_opened(void *ctx, enum err e, const struct err_info *info, struct store *from)
{
    struct move *m = ctx;
    struct app *a = m->a;
    if (e == ERR_OK && a->store != NULL && !a->stopping) {
        m->from = from;
        store_import(a->store, from, on_imported, m);
        return;
    }
    if (e != ERR_OK && e != ERR_NOTFOUND) {
        LOG_ERROR("app", "the embedded store's rows cannot be brought along",
                  LOG_S("reason", info->text));
    }
    m->e = ERR_OK; /* there is nothing to bring, or nothing that could be read */
    if (from != NULL) {
        store_close(from, on_closed, m);
    } else {
        on_closed(m);
    }
}

void move_in(struct app *a)
{
    const struct config *c = &a->config;
    if (a->moved_in || !c->storages.engine_rqlite || c->storages.rqlite.external || a->loaded) {
        feed_confirm(a);
        return;
    }
    struct move *m = mem_xalloc(sizeof *m);
    m->a = a;
    a->feed_busy = true;
    store_open(&a->loop,
               &(struct store_options){.engine = STORE_SQLITE,
                                       .sqlite_path = c->storages.sqlite_path,
                                       .must_exist = true},
               on_opened, m);
}

#include "nodes.h"

#include <assert.h>
#include <uv.h>

#include "cluster/members_uv.h"
#include "db.h"
#include "lib/mem.h"

/* One request; a loop, a client and the credentials just for it. */
struct ask {
    uv_loop_t loop;
    struct httpc *http;
    struct config_rqlite reach;
    struct members *out; /* borrowed; NULL: nothing to hand out */
    bool done;
    enum err e;
    struct err_info info;
};

static void finish(struct ask *ask, enum err e, const struct err_info *info)
{
    ask->e = e;
    if (e != ERR_OK && info != NULL) {
        ask->info = *info;
    }
    ask->done = true;
}

static void on_list(void *ctx, enum err e, const struct err_info *info, const struct members *m)
{
    struct ask *ask = ctx;
    if (e == ERR_OK) {
        *ask->out = *m; /* the list itself is lent */
        ask->out->items = mem_xmemdup(m->items, (m->count + 1) * sizeof *m->items);
        ask->out->leader = m->leader != NULL ? ask->out->items + (m->leader - m->items) : NULL;
    }
    finish(ask, e, info);
}

static void on_removed(void *ctx, enum err e, const struct err_info *info)
{
    finish(ctx, e, info);
}

static enum err begin(const struct config *config, struct ask *ask, struct err_info *info)
{
    *ask = (struct ask){.done = false};
    enum err e = db_access(config, &ask->reach, info);
    if (e != ERR_OK) {
        return e;
    }
    if (uv_loop_init(&ask->loop) != 0) {
        config_rqlite_free(&ask->reach);
        return err_set(info, ERR_NOMEM, "no event loop: %m");
    }
    e = httpc_open(&ask->loop, &(struct httpc_options){.user_agent = "dnsctl"}, &ask->http, info);
    if (e != ERR_OK) {
        uv_loop_close(&ask->loop);
        config_rqlite_free(&ask->reach);
    }
    return e;
}

static struct members_access access_of(const struct ask *ask)
{
    return (struct members_access){
        .url = ask->reach.url, .user = ask->reach.user, .password = ask->reach.password};
}

static enum err end(const struct config *config, struct ask *ask, struct err_info *info)
{
    while (!ask->done) {
        int alive = uv_run(&ask->loop, UV_RUN_ONCE);
        assert(alive != 0 || ask->done); /* the client promises exactly one callback */
    }
    httpc_close(ask->http, NULL, NULL);
    uv_run(&ask->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&ask->loop);
    assert(busy == 0);
    if (ask->e != ERR_OK) {
        if (info != NULL) {
            *info = ask->info;
        }
        ask->e = db_explain(ask->e, config, &ask->reach, info);
    }
    config_rqlite_free(&ask->reach);
    return ask->e;
}

enum err nodes_list(const struct config *config, struct members *out, struct err_info *info)
{
    struct ask ask;
    *out = (struct members){.count = 0};
    enum err e = begin(config, &ask, info);
    if (e != ERR_OK) {
        return e;
    }
    struct members_access reach = access_of(&ask);
    ask.out = out;
    members_list(ask.http, &reach, on_list, &ask);
    return end(config, &ask, info);
}

enum err nodes_remove(const struct config *config, const char *id, struct err_info *info)
{
    struct ask ask;
    enum err e = begin(config, &ask, info);
    if (e != ERR_OK) {
        return e;
    }
    struct members_access reach = access_of(&ask);
    members_remove(ask.http, &reach, id, on_removed, &ask);
    return end(config, &ask, info);
}

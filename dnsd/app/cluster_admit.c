/* A core that was let in makes itself available: when its node is in Raft, its zone is where the others' are,
 * and it answers. One that was drained has no admission, and stays as it is. */
#include <string.h>

#include "cluster/rqlited_uv.h"
#include "cluster_priv.h"

/* Our own row says that nobody is to be sent here. */
static bool is_waiting(const struct app *a)
{
    const struct zone_snapshot *s = zone_current(a->zone);
    bool waiting = false;
    for (uint32_t i = 0; i < s->cores_count; i++) {
        const struct zone_core_info *info = s->infos[i];
        waiting = waiting || (info->present && !info->available && strcmp(info->id, a->id) == 0);
    }
    zone_snapshot_unref(s);
    return waiting;
}

static bool has_arrived(const struct app *a)
{
    struct rqlited_view v;
    rqlited_view(a->rqlited, &v);
    if (v.state != RQLITED_READY || v.role[0] == '\0' || a->stale || a->dated || !a->ready ||
        a->feed_busy) {
        return false;
    }
    for (size_t i = 0; i < a->peers.count; i++) {
        const struct peer *p = &a->peers.items[i];
        if (p->live && p->revision > zone_revision(a->zone)) {
            return false;
        }
    }
    return !a->config.dns.active || a->server != NULL;
}

static void on_finished(void *ctx, enum err e, const struct err_info *info)
{
    struct cluster *c = ctx;
    c->admit_asking = false;
    if (e == ERR_OK) {
        LOG_INFO("cluster", "this core has joined", LOG_S("core", c->app->id));
    } else if (e != ERR_CONFLICT) {
        LOG_WARN("cluster", "this core has joined, and cannot say so yet",
                 LOG_S("reason", info->text));
    }
    cluster_done(c);
}

static void on_admission(void *ctx, enum err e, const struct err_info *info,
                         const struct store_admission *admission)
{
    struct cluster *c = ctx;
    struct store *s = cluster_store(c);
    (void)info; /* the store's troubles are told by the feed */
    if (e == ERR_OK && admission->state == STORE_ADMISSION_ACKED && s != NULL &&
        has_arrived(c->app)) {
        store_admission_finish(s, c->app->id, c->app->config.core.available, on_finished, c);
        return;
    }
    c->admitted = e == ERR_NOTFOUND;
    c->admit_asking = false;
    cluster_done(c);
}

void cluster_see_admission(struct cluster *c, int64_t now_ms)
{
    struct app *a = c->app;
    struct store *s = cluster_store(c);
    if (!is_waiting(a)) {
        c->admitted = false; /* if it is drained and let in again */
        return;
    }
    if (s == NULL || a->rqlited == NULL || c->admit_asking || c->admitted ||
        now_ms - c->admit_ms < CLUSTER_ADMIT_MS || !has_arrived(a)) {
        return;
    }
    c->admit_asking = true;
    c->admit_ms = now_ms;
    c->busy++;
    store_admission_get(s, a->id, on_admission, c);
}

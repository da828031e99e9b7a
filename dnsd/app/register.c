/* This core's own row, core-info/<id>: made if it is not there, and corrected where the
 * configuration says otherwise. Whether the core is available is the cluster's business once the
 * row exists: a drained core stays drained over a restart.
 */
#include <string.h>

#include "app.h"

static bool differs(const char *configured, const char *stored)
{
    return configured != NULL && (stored == NULL || strcmp(configured, stored) != 0);
}

static const char *either(const char *configured, const char *stored)
{
    return configured != NULL ? configured : stored;
}

static void on_put(void *ctx, enum err e, const struct err_info *info)
{
    struct app *a = ctx;
    if (e != ERR_OK) {
        LOG_ERROR("app", "cannot write this core's row", LOG_S("core", a->config.core.id),
                  LOG_S("reason", info->text));
    } else {
        LOG_INFO("app", "this core's row is written", LOG_S("core", a->config.core.id));
    }
    feed_registered(a);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct app *a = ctx;
    const struct config *c = &a->config;
    struct store_core core = {.available = c->core.available};
    const struct store_core *there = NULL;
    if (e != ERR_OK) {
        LOG_ERROR("app", "cannot read the cores", LOG_S("reason", info->text));
        feed_registered(a);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cores[i].id, c->core.id) == 0) {
            there = &cores[i];
            core = cores[i];
        }
    }
    if (there != NULL && !differs(c->core.ip, core.ip) && !differs(c->core.ipv6, core.ipv6) &&
        !differs(c->core.cname, core.cname) && !differs(c->core.url, core.url) &&
        !differs(c->core.hosting, core.hosting)) {
        feed_registered(a);
        return;
    }
    core.id = c->core.id;
    core.ip = either(c->core.ip, core.ip);
    core.ipv6 = either(c->core.ipv6, core.ipv6);
    core.cname = either(c->core.cname, core.cname);
    core.url = either(c->core.url, core.url);
    core.hosting = either(c->core.hosting, core.hosting);
    store_core_put(a->store, &core, STORE_REPLACE, on_put, a);
}

void register_self(struct app *a)
{
    const struct config *c = &a->config;
    if (c->core.ip == NULL && c->core.ipv6 == NULL && c->core.cname == NULL &&
        c->core.url == NULL) {
        feed_registered(a); /* nothing is known that others could use */
        return;
    }
    store_cores_list(a->store, on_cores, a);
}

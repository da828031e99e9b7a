/* SIGHUP: the configuration is read again, off the loop; a new zone is made from it and from what
 * the present one holds, so the store is not asked; then the two change places. A configuration
 * with problems changes nothing. What was bound or opened at the start (addresses, workers, store,
 * account) stays until the next start, and the log says so.
 */
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "config_names.h"
#include "config_users.h"
#include "lib/mem.h"

struct reload {
    struct loop_work work;
    struct app *a;        /* borrowed */
    struct config config; /* owned until it is the app's */
    struct config_problems problems;
    const struct zone_snapshot *snapshot; /* shared: our reference */
    char store_id[ZONE_STORE_ID_MAX];
    struct zone *zone; /* owned until it is the app's */
    bool loaded;       /* there are rows to move */
    uint64_t revision;
    enum err result;
    struct err_info info;
};

/* The rows of the present zone, by way of the file's format: it holds just that. */
static enum err move_rows(struct reload *r)
{
    uint8_t *bytes = NULL;
    size_t len;
    char id[ZONE_STORE_ID_MAX];
    enum err e = zone_save(r->snapshot, r->store_id, &bytes, &len);
    if (e == ERR_OK) {
        e = zone_restore(r->zone, bytes, len, id, &r->revision, &r->info);
    }
    free(bytes);
    return e;
}

static void reload_work(struct loop_work *work)
{
    struct reload *r = (struct reload *)work;
    r->result = config_load(r->a->config_path, &r->config, &r->problems);
    if (r->result != ERR_OK) {
        return;
    }
    if (r->config.dns.active != r->a->config.dns.active ||
        !wire_name_equal(config_apex(&r->config), &r->snapshot->apex)) {
        r->result = err_set(&r->info, ERR_CONFLICT,
                            "dns.active and dns.domain cannot change while running: restart");
        return;
    }
    if (!config_users_equal(&r->config, &r->a->config)) {
        r->result = err_set(&r->info, ERR_CONFLICT,
                            "platform.piiMode and platform.piiHmacKey cannot change while running: "
                            "restart");
        return;
    }
    r->result = config_zone_new(&r->config, &r->zone, &r->info);
    if (r->result == ERR_OK && r->loaded) {
        r->result = move_rows(r);
    } else if (r->result == ERR_OK) {
        zone_set_provisional(r->zone, true);
    }
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void tell_unchanged(const char *key)
{
    LOG_WARN("app", "a change takes effect at the next start only", LOG_S("key", key));
}

static bool same_storages(const struct config *a, const struct config *b)
{
    return a->storages.engine_rqlite == b->storages.engine_rqlite &&
           a->storages.rqlite.external == b->storages.rqlite.external &&
           a->storages.rqlite.raft_port == b->storages.rqlite.raft_port &&
           same_text(a->storages.sqlite_path, b->storages.sqlite_path) &&
           same_text(a->storages.rqlite.url, b->storages.rqlite.url) &&
           same_text(a->storages.rqlite.data_dir, b->storages.rqlite.data_dir) &&
           same_text(a->storages.rqlite.bin_path, b->storages.rqlite.bin_path);
}

/* What certificates are managed by; letsEncrypt.caa counts at once. */
static bool same_lets_encrypt(const struct config *a, const struct config *b)
{
    return !a->lets_encrypt.enabled ||
           (a->lets_encrypt.staging == b->lets_encrypt.staging &&
            a->lets_encrypt.cert_renewer == b->lets_encrypt.cert_renewer &&
            a->lets_encrypt.cert_renewer_set == b->lets_encrypt.cert_renewer_set &&
            a->lets_encrypt.check_delegation == b->lets_encrypt.check_delegation &&
            a->lets_encrypt.renew_before_days == b->lets_encrypt.renew_before_days &&
            same_text(a->lets_encrypt.email, b->lets_encrypt.email) &&
            same_text(a->lets_encrypt.directory_url, b->lets_encrypt.directory_url) &&
            same_text(a->lets_encrypt.staging_url, b->lets_encrypt.staging_url) &&
            same_text(a->lets_encrypt.ca_file, b->lets_encrypt.ca_file) &&
            same_text(a->lets_encrypt.profile, b->lets_encrypt.profile) &&
            same_text(a->lets_encrypt.eab_kid, b->lets_encrypt.eab_kid) &&
            same_text(a->lets_encrypt.eab_hmac_key, b->lets_encrypt.eab_hmac_key) &&
            same_text(a->lets_encrypt.preferred_chain, b->lets_encrypt.preferred_chain) &&
            same_text(a->lets_encrypt.tls_dir, b->lets_encrypt.tls_dir) &&
            same_text(a->lets_encrypt.on_rotate_script, b->lets_encrypt.on_rotate_script) &&
            same_text(a->lets_encrypt.at_rest_key_file, b->lets_encrypt.at_rest_key_file) &&
            same_list(&a->lets_encrypt.at_rest_keys, &b->lets_encrypt.at_rest_keys) &&
            same_list(&a->lets_encrypt.resolvers, &b->lets_encrypt.resolvers));
}

static void tell_what_waits(const struct config *old, const struct config *new)
{
    if (old->dns.port != new->dns.port || !same_list(&old->dns.ip, &new->dns.ip) ||
        !same_list(&old->dns.ip6, &new->dns.ip6)) {
        tell_unchanged("dns.ip, dns.ip6, dns.port");
    }
    if (old->http.port != new->http.port || old->http.challenge_port != new->http.challenge_port ||
        old->http.dot_port != new->http.dot_port || !same_text(old->http.ip, new->http.ip) ||
        !same_text(old->http.cert_file, new->http.cert_file) ||
        !same_text(old->http.key_file, new->http.key_file) ||
        old->lets_encrypt.enabled != new->lets_encrypt.enabled) {
        tell_unchanged("http");
    }
    if (!same_lets_encrypt(old, new)) {
        tell_unchanged("letsEncrypt");
    }
    if (old->dns.workers != new->dns.workers) {
        tell_unchanged("dns.workers");
    }
    if (!same_storages(old, new)) {
        tell_unchanged("storages");
    }
    if (!same_text(old->user, new->user)) {
        tell_unchanged("user");
    }
    if (!same_text(old->core.id, new->core.id)) {
        tell_unchanged("core.id");
    }
}

/* One line of the log for each line of the problems. */
static void tell_problems(const struct reload *r)
{
    char *text = mem_xstrdup(r->problems.text.text != NULL ? r->problems.text.text : r->info.text);
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        LOG_ERROR("app", "the configuration stays as it was", LOG_S("problem", line));
    }
    free(text);
}

static void keep_text(char **text, const char *old)
{
    free(*text);
    *text = old != NULL ? mem_xstrdup(old) : NULL;
}

static void take_over(struct app *a, struct reload *r)
{
    struct config old = a->config;
    struct answer_config answer;
    tell_what_waits(&old, &r->config);
    keep_text(&r->config.core.id, old.core.id);
    r->config.http.port = old.http.port;
    r->config.lets_encrypt.enabled = old.lets_encrypt.enabled;
    keep_text(&r->config.storages.sqlite_path, old.storages.sqlite_path);
    r->config.storages.engine_rqlite = old.storages.engine_rqlite;
    r->config.storages.rqlite.external = old.storages.rqlite.external;
    r->config.storages.rqlite.raft_port = old.storages.rqlite.raft_port;
    keep_text(&r->config.storages.rqlite.data_dir, old.storages.rqlite.data_dir);
    keep_text(&r->config.storages.rqlite.bin_path, old.storages.rqlite.bin_path);
    a->config = r->config;
    r->config = (struct config){.path = NULL};
    log_setup(a->config.log.level, a->config.log.format);
    http_take_config(a);
    app_replace_zone(a, r->zone);
    r->zone = NULL;
    app_answer_config(a, &answer);
    feed_expire(a);
    app_publish(a, r->revision, &answer);
    config_free(&old);
    cluster_look(a);
    LOG_INFO("app", "the configuration was read again", LOG_S("file", a->config.path));
}

static void reload_done(struct loop_work *work)
{
    struct reload *r = (struct reload *)work;
    struct app *a = r->a;
    bool taken = r->result == ERR_OK && !a->stopping;
    a->reloading = false;
    zone_snapshot_unref(r->snapshot);
    if (taken) {
        take_over(a, r);
    } else if (r->result != ERR_OK) {
        tell_problems(r);
    }
    zone_free(r->zone);
    config_free(&r->config);
    config_problems_free(&r->problems);
    free(r);
    if (a->stopping) {
        app_continue_stop(a);
    } else if (a->reload_wanted) {
        reload_start(a);
    } else if (taken && a->store != NULL && engine_runs(a)) {
        feed_confirm(a); /* this core's addresses may be others now */
    } else if (taken && a->store != NULL) {
        a->confirm_due = true;
    } else if (a->feed_again) {
        feed_wake(a);
    }
}

void reload_start(struct app *a)
{
    a->reload_wanted = true;
    if (a->reloading || a->feed_busy || a->opening || a->stopping) {
        return; /* whoever is busy comes back here */
    }
    a->reload_wanted = false;
    struct reload *r = mem_xalloc(sizeof *r);
    r->work.work = reload_work;
    r->work.done = reload_done;
    r->a = a;
    r->snapshot = zone_current(a->zone);
    memcpy(r->store_id, a->store_id, sizeof r->store_id);
    r->loaded = a->loaded;
    a->reloading = true;
    loop_offload(&a->loop, &r->work);
}

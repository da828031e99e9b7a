#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/mem.h"

/* How long a replaced zone's last readers are waited for between two looks. */
#define OLD_ZONES_MS 50
/* The snapshot file may be a second older than the store, and "no such name" for what was written
 * in that second would be cached. So the store has this long to tell before the file is answered
 * from; questions wait in the sockets meanwhile. */
#define GRACE_MS 300
/* edns-tcp-keepalive (RFC 7828) tells the real limit, in 100 ms. */
#define KEEPALIVE_DS 100

/* ---- publishing -------------------------------------------------------------------------- */

void app_answer_config(const struct app *a, struct answer_config *out)
{
    *out = (struct answer_config){.id = a->id,
                                  .version = "dnsd " DNSD_VERSION,
                                  .chaos = a->config.dns.chaos,
                                  .keepalive_ds = KEEPALIVE_DS};
}

/* Until there are rows, from this machine or from the others: what the configuration says is
 * answered (the database's nodes look for each other by lsc), the rest is SERVFAIL. */
static void begin_without_rows(void)
{
    LOG_INFO("app", "answering what the configuration says, until the store is there");
    sd_notify(0, "READY=1\nSTATUS=waiting for the store");
}

static void become_ready(struct app *a)
{
    const struct zone_snapshot *s = zone_current(a->zone);
    a->ready = true;
    LOG_INFO("app", "ready",
             LOG_S("domain", a->config.dns.domain_text != NULL ? a->config.dns.domain_text : ""),
             LOG_S("core", a->id), LOG_N("revision", s->revision), LOG_N("users", s->users),
             LOG_N("names", s->names), LOG_S("from", a->from_file ? "snapshot file" : "store"));
    zone_snapshot_unref(s);
    sd_notify(0, "READY=1\nSTATUS=answering");
}

/* Without DNS, HTTP is all there is to serve, and it does so from the start. */
static bool is_serving(const struct app *a)
{
    return a->server != NULL || !a->config.dns.active;
}

void app_publish(struct app *a, uint64_t revision, const struct answer_config *config)
{
    beats_apply(a);
    certs_apply(a);
    zone_set_dated(a->zone, a->dated);
    const struct zone_snapshot *s = zone_commit(a->zone, revision);
    if (a->server != NULL && !a->server_closing) {
        net_server_publish(a->server, s, config);
    }
    zone_snapshot_unref(s);
    savefile_soon(a);
    if (!a->ready && a->loaded && is_serving(a)) {
        become_ready(a);
    }
}

static void on_old_zones(uv_timer_t *timer)
{
    struct app *a = timer->data;
    struct app_old_zone **at = &a->old_zones;
    while (*at != NULL) {
        struct app_old_zone *o = *at;
        if (zone_is_idle(o->zone)) {
            *at = o->next;
            zone_free(o->zone);
            free(o);
        } else {
            at = &o->next;
        }
    }
    if (a->old_zones == NULL) {
        uv_timer_stop(timer);
    }
}

void app_replace_zone(struct app *a, struct zone *zone)
{
    struct app_old_zone *o = mem_xalloc(sizeof *o);
    o->zone = a->zone;
    o->next = a->old_zones;
    a->old_zones = o;
    a->zone = zone;
    if (!a->stopping) {
        uv_timer_start(&a->old_zones_timer, on_old_zones, OLD_ZONES_MS, OLD_ZONES_MS);
    }
}

/* ---- stopping ---------------------------------------------------------------------------- */

static void on_server_closed(void *ctx)
{
    struct app *a = ctx;
    a->server = NULL;
    app_continue_stop(a);
}

static void on_store_closed(void *ctx)
{
    struct app *a = ctx;
    a->store = NULL;
    app_continue_stop(a);
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h)) {
        uv_close(h, NULL);
    }
}

static void close_handles(struct app *a)
{
    control_close(a);
    close_handle((uv_handle_t *)&a->sighup);
    close_handle((uv_handle_t *)&a->sigterm);
    close_handle((uv_handle_t *)&a->sigint);
    close_handle((uv_handle_t *)&a->watchdog_timer);
    close_handle((uv_handle_t *)&a->old_zones_timer);
    close_handle((uv_handle_t *)&a->proofs_timer);
    close_handle((uv_handle_t *)&a->store_timer);
    close_handle((uv_handle_t *)&a->save_timer);
    close_handle((uv_handle_t *)&a->grace_timer);
    close_handle((uv_handle_t *)&a->beats_timer);
}

static void on_tls_closed(void *ctx)
{
    struct app *a = ctx;
    a->tls = NULL;
    app_continue_stop(a);
}

static bool stop_tls(struct app *a)
{
    if (a->tls != NULL && !a->tls_closing) {
        a->tls_closing = true;
        tls_slot_close(a->tls, on_tls_closed, a);
    }
    return a->tls != NULL;
}

void app_continue_stop(struct app *a)
{
    if (http_stop(a)) {
        return; /* what is under way there may still want the store */
    }
    if (a->server != NULL) {
        if (!a->server_closing) {
            a->server_closing = true;
            net_server_close(a->server, on_server_closed, a);
        }
        return;
    }
    if (a->feed_busy || a->opening || a->reloading || a->beats_reading || a->beats_writing) {
        return;
    }
    if (savefile_last(a)) {
        return;
    }
    if (certs_stop(a)) {
        return; /* a lease may have to be given back */
    }
    if (a->store != NULL) {
        if (!a->store_closing) {
            a->store_closing = true;
            store_watch(a->store, NULL, NULL);
            store_close(a->store, on_store_closed, a);
        }
        return;
    }
    if (engine_stop(a) || cluster_stop(a) || stop_tls(a)) {
        return;
    }
    close_handles(a);
}

void app_stop(struct app *a, int exit_code)
{
    if (a->stopping) {
        return;
    }
    a->stopping = true;
    a->exit_code = exit_code;
    sd_notify(0, "STOPPING=1");
    uv_timer_stop(&a->store_timer);
    uv_timer_stop(&a->proofs_timer);
    uv_timer_stop(&a->watchdog_timer);
    uv_timer_stop(&a->grace_timer);
    uv_timer_stop(&a->beats_timer);
    cluster_hush(a);
    app_continue_stop(a);
}

/* ---- signals ----------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *a = handle->data;
    if (number == SIGHUP) {
        LOG_INFO("app", "reading the configuration again", LOG_S("file", a->config.path));
        if (a->tls != NULL && !a->tls_closing) {
            tls_slot_look(a->tls);
        }
        certs_look(a);
        reload_start(a);
        return;
    }
    LOG_INFO("app", "stopping", LOG_S("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    app_stop(a, APP_EXIT_OK);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

static void start_handles(struct app *a)
{
    uint64_t watchdog_us = 0;
    uv_timer_t *timers[] = {&a->watchdog_timer, &a->old_zones_timer, &a->proofs_timer,
                            &a->store_timer,    &a->save_timer,      &a->grace_timer,
                            &a->beats_timer};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(&a->loop, timers[i]);
        timers[i]->data = a;
    }
    uv_signal_t *signals[] = {&a->sighup, &a->sigterm, &a->sigint};
    const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&a->loop, signals[i]);
        signals[i]->data = a;
        uv_signal_start(signals[i], on_signal, numbers[i]);
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        uint64_t ms = watchdog_us / 2000;
        uv_timer_start(&a->watchdog_timer, on_watchdog, ms, ms);
    }
}

/* ---- starting ---------------------------------------------------------------------------- */

static void tell_listening(const struct app *a)
{
    for (size_t i = 0; i < a->sockets.count; i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        net_address_text(&a->sockets.bound[i].address, text);
        if (a->sockets.bound[i].address.tls) {
            LOG_INFO("net", "listening", LOG_S("address", text), LOG_S("transport", "tls"));
            continue;
        }
        LOG_INFO("net", "listening", LOG_S("address", text), LOG_S("transport", "udp"));
        LOG_INFO("net", "listening", LOG_S("address", text), LOG_S("transport", "tcp"));
    }
}

static enum err add_addresses(struct app *a, const struct config_list *list, uint16_t port,
                              bool tls, struct err_info *info)
{
    for (size_t i = 0; i < list->count; i++) {
        if (a->addresses_count == NET_ADDRESSES_MAX) {
            return err_set(
                info, ERR_LIMIT,
                "dns.ip and dns.ip6: at most %d addresses, those of http.dotPort counted",
                NET_ADDRESSES_MAX);
        }
        struct net_address *address = &a->addresses[a->addresses_count++];
        enum err e = net_address_parse(list->items[i], port, address);
        if (e != ERR_OK) {
            return err_set(info, e, "%s is not an address", list->items[i]);
        }
        address->tls = tls;
    }
    return ERR_OK;
}

/* DNS over TLS is where DNS is. */
static enum err read_addresses(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    enum err e = add_addresses(a, &c->dns.ip, c->dns.port, false, info);
    if (e == ERR_OK) {
        e = add_addresses(a, &c->dns.ip6, c->dns.port, false, info);
    }
    if (e == ERR_OK && c->http.dot_port != 0) {
        e = add_addresses(a, &c->dns.ip, c->http.dot_port, true, info);
    }
    if (e == ERR_OK && c->http.dot_port != 0) {
        e = add_addresses(a, &c->dns.ip6, c->http.dot_port, true, info);
    }
    return e;
}

static unsigned workers(const struct app *a)
{
    return a->config.dns.workers != 0 ? a->config.dns.workers : uv_available_parallelism();
}

static enum err bind_dns(struct app *a, struct err_info *info)
{
    if (!a->config.dns.active) {
        return ERR_OK;
    }
    enum err e = read_addresses(a, info);
    return e == ERR_OK
               ? net_sockets_bind(a->addresses, a->addresses_count, workers(a), &a->sockets, info)
               : e;
}

/* What may block, and what needs root. */
static enum err prepare_system(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    const char *database = c->storages.engine_rqlite ? NULL : c->storages.sqlite_path;
    a->state_dir = config_state_dir(c);
    system_raise_files();
    enum err e = ERR_OK;
    if (c->storages.engine_rqlite) {
        e = system_state_dir(c->storages.rqlite.data_dir, NULL, c->user, info);
    }
    if (e == ERR_OK) {
        e = system_state_dir(a->state_dir, database, c->user, info);
    }
    if (e == ERR_OK) {
        e = bind_dns(a, info);
    }
    if (e == ERR_OK) {
        e = http_bind(a, info);
    }
    if (e == ERR_OK) {
        e = system_become(c->user, info);
    }
    return e == ERR_OK ? system_lock(a->state_dir, &a->lock_fd, info) : e;
}

static enum err start_zone(struct app *a, struct err_info *info)
{
    struct err_info why = {.text = ""};
    enum err e = config_zone_new(&a->config, &a->zone, info);
    if (e != ERR_OK) {
        return e;
    }
    a->dated = a->config.storages.engine_rqlite; /* others have gone on without us */
    e = savefile_load(a, &why);
    if (e == ERR_OK) {
        return ERR_OK;
    }
    if (e != ERR_NOTFOUND) {
        LOG_WARN("app", "the snapshot file is not used, the store will be read",
                 LOG_S("reason", why.text));
    }
    zone_free(a->zone); /* what is in it is of no use */
    a->zone = NULL;
    e = config_zone_new(&a->config, &a->zone, info);
    if (e == ERR_OK) {
        zone_set_provisional(a->zone, true);
        zone_snapshot_unref(zone_commit(a->zone, 0));
    }
    return e;
}

static enum err start_workers(struct app *a, struct err_info *info)
{
    struct answer_config answer;
    const struct zone_snapshot *first = zone_current(a->zone);
    app_answer_config(a, &answer);
    enum err e = net_server_start(&a->loop, &a->sockets, &answer, &net_limits_default, first,
                                  a->context, &a->server, info);
    zone_snapshot_unref(first);
    if (e != ERR_OK) {
        return e;
    }
    tell_listening(a);
    if (a->loaded) {
        become_ready(a);
    } else {
        begin_without_rows();
    }
    return ERR_OK;
}

void app_serve(struct app *a)
{
    struct err_info info = {.text = ""};
    if (a->server != NULL || a->stopping) {
        return;
    }
    if (!a->config.dns.active) {
        if (a->loaded && !a->ready) {
            become_ready(a);
        }
        return;
    }
    if (start_workers(a, &info) != ERR_OK) {
        LOG_ERROR("app", "cannot start", LOG_S("reason", info.text));
        app_stop(a, APP_EXIT_FAILED);
    }
}

static void on_grace_over(uv_timer_t *timer)
{
    app_serve(timer->data);
}

static void on_context(void *ctx, struct tls_context *context)
{
    struct app *a = ctx;
    tls_context_unref(a->context);
    a->context = tls_context_ref(context);
    if (a->server != NULL && !a->server_closing) {
        net_server_use_tls(a->server, context);
    }
    http_use_tls(a, context);
    certs_shown(a);
}

static enum err start_http(struct app *a, struct err_info *info)
{
    cluster_open(a);
    http_take_config(a);
    enum err e = http_open(a, info);
    if (e == ERR_OK && http_needs_tls(&a->config)) {
        tls_slot_open(&a->loop, &a->config, &clk_system, on_context, a, &a->tls);
    }
    if (e == ERR_OK) {
        e = certs_open(a, info);
    }
    return e;
}

static enum err start(struct app *a, struct err_info *info)
{
    const struct config *c = &a->config;
    /* A core without DNS and API still keeps its part of the cluster's database. */
    if (!c->dns.active && c->http.port == 0 && c->http.challenge_port == 0 &&
        !c->storages.engine_rqlite) {
        return err_set(info, ERR_CONFLICT,
                       "there is nothing to do: set dns.active: true and dns.domain, or http.port");
    }
    enum err e = prepare_system(a, info);
    if (e == ERR_OK) {
        e = start_http(a, info);
    }
    if (e == ERR_OK) {
        e = start_zone(a, info);
    }
    if (e == ERR_OK) {
        e = engine_prepare(a, info);
    }
    if (e == ERR_OK) {
        e = control_open(a, info);
    }
    if (e == ERR_OK) {
        e = engine_start(a, info);
    }
    if (e == ERR_OK) {
        beats_start(a);
        uv_timer_start(&a->grace_timer, on_grace_over, GRACE_MS, 0);
    }
    return e;
}

static void release(struct app *a)
{
    net_sockets_close(&a->sockets);
    listen_close(&a->api_sockets);
    listen_close(&a->challenge_sockets);
    api_free(a->api); /* if there was no server for it */
    tls_context_unref(a->context);
    names_free(a->names);
    explicit_bzero(a->user_key, sizeof a->user_key);
    while (a->old_zones != NULL) {
        struct app_old_zone *o = a->old_zones;
        a->old_zones = o->next;
        zone_free(o->zone);
        free(o);
    }
    zone_free(a->zone);
    if (a->lock_fd >= 0) {
        close(a->lock_fd);
    }
    peers_free(&a->peers);
    config_rqlite_free(&a->rqlite);
    config_free(&a->config);
    free(a->state_dir);
    free(a->id);
    free(a->config_path);
    free(a);
}

static int load_config(struct app *a)
{
    struct config_problems problems = {.count = 0};
    enum err e = config_load(a->config_path, &a->config, &problems);
    if (e != ERR_OK) {
        fputs(problems.text.text != NULL ? problems.text.text : err_text(e), stderr);
        fprintf(stderr, "dnsd: %zu problem%s in the configuration\n", problems.count,
                problems.count == 1 ? "" : "s");
    }
    config_problems_free(&problems);
    return e == ERR_OK ? APP_EXIT_OK : APP_EXIT_CONFIG;
}

int app_run(const char *config_path)
{
    struct app *a = mem_xalloc(sizeof *a);
    struct err_info info = {.text = ""};
    a->lock_fd = -1;
    a->config_path = config_path != NULL ? mem_xstrdup(config_path) : NULL;
    a->exit_code = load_config(a);
    if (a->exit_code != APP_EXIT_OK) {
        release(a);
        return APP_EXIT_CONFIG;
    }
    a->id = mem_xstrdup(a->config.core.id);
    a->started_ms = clk_mono_ms(&clk_system);
    a->started_wall_ms = clk_wall_ms(&clk_system);
    log_setup(a->config.log.level, a->config.log.format);
    signal(SIGPIPE, SIG_IGN);
    umask(0027); /* rows are the platform's and its operators' business */
    uv_loop_init(&a->loop);
    start_handles(a);
    enum err e = start(a, &info);
    if (e == ERR_OK) {
        feed_start(a);
    } else {
        LOG_ERROR("app", "cannot start", LOG_S("reason", info.text));
        app_stop(a, e == ERR_CONFLICT || e == ERR_MALFORMED ? APP_EXIT_CONFIG : APP_EXIT_FAILED);
    }
    uv_run(&a->loop, UV_RUN_DEFAULT);
    uv_loop_close(&a->loop);
    uv_library_shutdown(); /* the pool's threads free what OpenSSL has for each, while it still can */
    int exit_code = a->exit_code;
    LOG_INFO("app", "stopped", LOG_N("exit", exit_code));
    release(a);
    return exit_code;
}

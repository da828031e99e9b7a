/* Keeps the zone equal to the store.
 *
 *   open the store --fails--> try again every STORE_RETRY_MS, answering from what there is
 *        |
 *        v
 *   which store, how far?  --another store, or the feed forgot--> full load into a new zone
 *        |                                                              |
 *        v                                                              v
 *   read the feed from the zone's revision, apply, publish  <----- replace the zone
 *        ^                                     |
 *        +---- something changed (watch) ------+
 *
 * One operation at a time. A failing read changes nothing: the last good zone goes on answering.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "config_names.h"
#include "lib/mem.h"

#define STORE_RETRY_MS 2000
#define REPLAY_MAX_MS  15000
/* Rows applied in one go: about 2 ms of the loop. */
#define FEED_PAGE 2000
/* Expired challenge rows are swept by whoever notices; they are not served anyway. */
#define PROOF_SWEEP_MS 60000

static void read_feed(struct app *a);
static void full_load(struct app *a);
static void read_challenges(struct app *a);

/* ---- errors and the end of an operation ---------------------------------------------------- */

static void store_failed(struct app *a, const char *doing, enum err e, const struct err_info *info)
{
    const char *text = info != NULL && info->text[0] != '\0' ? info->text : err_text(e);
    if (strcmp(a->store_error, text) != 0) {
        const char *from = a->loaded ? "from the last good zone" : "what the configuration says";
        log_write(err_is_transient(e) ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "feed", doing,
                  (const struct log_field[]){LOG_S("reason", text), LOG_S("answering", from),
                                             LOG_N(NULL, 0)});
        snprintf(a->store_error, sizeof a->store_error, "%s", text);
    }
}

static void store_works(struct app *a, bool stale)
{
    if (a->store_error[0] != '\0') {
        LOG_INFO("feed", "the store is back");
        a->store_error[0] = '\0';
    }
    if (stale != a->stale) {
        a->stale = stale;
        if (stale) {
            LOG_WARN("feed", "this core's database is cut off from the others; answering from what "
                             "it has");
        } else {
            LOG_INFO("feed", "this core's database is in touch with the others");
        }
    }
    int64_t now = clk_mono_ms(&clk_system);
    a->from_file = false;
    a->confirmed_ms = a->confirmed_ms != 0 ? a->confirmed_ms : now;
    if (!stale) {
        a->in_touch_ms = a->in_touch_ms != 0 ? a->in_touch_ms : now;
        a->fresh_ms = clk_wall_ms(&clk_system);
    }
}

/* A file that cannot be read now will not be read later; other nodes may yet come. */
static bool hopeless(const struct app *a)
{
    return !a->loaded && !a->stopping && !a->config.storages.engine_rqlite;
}

static void on_retry(uv_timer_t *timer)
{
    feed_start(timer->data);
}

static void retry_later(struct app *a)
{
    if (!a->stopping) {
        uv_timer_start(&a->store_timer, on_retry, STORE_RETRY_MS, 0);
    }
}

/* What was going on has ended; whatever came up meanwhile is next. */
static void feed_idle(struct app *a)
{
    a->feed_busy = false;
    if (a->loaded && a->store != NULL && !a->store_leaving && !a->from_file) {
        certs_use_store(a);
    }
    if (a->stopping) {
        app_continue_stop(a);
    } else if (a->reload_wanted) {
        reload_start(a);
    } else if (a->feed_again && a->store != NULL) {
        read_feed(a);
    } else {
        app_serve(a); /* the zone is as good as it gets */
    }
}

static void on_broken_closed(void *ctx)
{
    struct app *a = ctx;
    a->store = NULL;
    a->store_leaving = false;
    retry_later(a);
    feed_idle(a);
}

static void close_broken(struct app *a)
{
    store_close(a->store, on_broken_closed, a);
}

static void feed_failed(struct app *a, const char *doing, enum err e, const struct err_info *info)
{
    store_failed(a, doing, e, info);
    a->feed_again = false;
    if (!err_is_transient(e) && a->store != NULL && !a->store_closing) {
        /* A file that was moved, replaced or damaged does not heal under an open database. */
        store_watch(a->store, NULL, NULL);
        a->store_leaving = true;
        if (!certs_leave_store(a, close_broken)) {
            close_broken(a);
        }
        return;
    }
    retry_later(a);
    feed_idle(a);
}

/* ---- proofs ------------------------------------------------------------------------------ */

static void on_purged(void *ctx, enum err e, const struct err_info *info)
{
    (void)ctx;
    (void)e; /* the rows are not served; the next sweep takes them */
    (void)info;
}

static void on_proofs_due(uv_timer_t *timer)
{
    struct app *a = timer->data;
    if (!feed_expire(a)) {
        return;
    }
    app_publish(a, zone_revision(a->zone), NULL);
    if (a->store != NULL) {
        int64_t before = clk_wall_ms(&clk_system) - PROOF_SWEEP_MS;
        store_challenges_purge(a->store, before, on_purged, NULL);
    }
}

bool feed_expire(struct app *a)
{
    bool changed;
    int64_t now = clk_wall_ms(&clk_system);
    int64_t next = zone_proofs_expire(a->zone, now, &changed);
    if (next != INT64_MAX && !a->stopping) {
        /* At least now and then: the wall clock may jump. */
        int64_t wait = next - now;
        wait = wait < 1 ? 1 : wait > PROOF_SWEEP_MS ? PROOF_SWEEP_MS : wait;
        uv_timer_start(&a->proofs_timer, on_proofs_due, (uint64_t)wait, 0);
    }
    return changed;
}

static void put_proofs(struct app *a, const char *name, const struct store_challenge *list,
                       size_t count, int64_t now)
{
    struct err_info info = {.text = ""};
    struct wire_name owner;
    struct zone_proof *proofs = mem_xalloc(count * sizeof *proofs);
    for (size_t i = 0; i < count; i++) {
        proofs[i] = (struct zone_proof){.value = list[i].value, .expires_ms = list[i].expires_ms};
    }
    enum err e = wire_name_owner(name, config_apex(&a->config), &owner, &info);
    if (e == ERR_OK) {
        e = zone_proofs_put(a->zone, &owner, proofs, count, now, &info);
    }
    if (e != ERR_OK) {
        LOG_WARN("feed", "a challenge is left out", LOG_S("name", name),
                 LOG_S("reason", info.text));
    }
    free(proofs);
}

/* All there are: a handful. Names that had proofs and have none now are emptied. */
static void on_challenges(void *ctx, enum err e, const struct err_info *info,
                          const struct store_challenge *list, size_t count)
{
    struct app *a = ctx;
    int64_t now = clk_wall_ms(&clk_system);
    bool changed;
    if (e != ERR_OK) {
        feed_failed(a, "cannot read the challenges", e, info);
        return;
    }
    zone_proofs_expire(a->zone, INT64_MAX, &changed);
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && strcmp(list[i].name, list[i + n].name) == 0; n++) {
        }
        put_proofs(a, list[i].name, list + i, n, now);
    }
    feed_expire(a);
    app_publish(a, zone_revision(a->zone), NULL);
    feed_idle(a);
}

static void read_challenges(struct app *a)
{
    a->feed_busy = true;
    store_challenges_of(a->store, NULL, on_challenges, a);
}

/* ---- the feed ---------------------------------------------------------------------------- */

/* An rqlited that was restarted may show the past for a moment, until it has carried out its log
 * again. Only a store that stays behind was really put back, and then that is what counts. */
static bool wait_for_replay(struct app *a, uint64_t revision)
{
    int64_t now = clk_mono_ms(&clk_system);
    if (!a->config.storages.engine_rqlite || revision >= zone_revision(a->zone)) {
        a->behind_ms = 0;
        return false;
    }
    a->behind_ms = a->behind_ms != 0 ? a->behind_ms : now;
    if (now - a->behind_ms < REPLAY_MAX_MS) {
        return true;
    }
    a->behind_ms = 0;
    return false;
}

static void on_feed(void *ctx, enum err e, const struct err_info *info, const struct store_feed *f)
{
    struct app *a = ctx;
    struct rows rows = {.zone = a->zone, .config = &a->config};
    bool challenges = false;
    if (e != ERR_OK) {
        feed_failed(a, "cannot read what has changed", e, info);
        return;
    }
    if (wait_for_replay(a, f->revision)) {
        retry_later(a);
        feed_idle(a);
        return;
    }
    store_works(a, f->stale);
    if (f->pruned) {
        LOG_INFO("feed", "the feed does not reach back far enough, loading all",
                 LOG_N("revision", zone_revision(a->zone)));
        full_load(a);
        return;
    }
    for (size_t i = 0; i < f->count; i++) {
        challenges = challenges || strncmp(f->rows[i].key, "challenge/", 10) == 0;
        certs_changed(a, f->rows[i].key);
        rows_apply(&rows, &f->rows[i]);
    }
    rows_end(&rows);
    if (f->revision != zone_revision(a->zone)) {
        app_publish(a, f->revision, NULL);
    }
    a->feed_again = a->feed_again || f->more;
    if (challenges) {
        read_challenges(a);
    } else {
        feed_idle(a);
    }
}

static void read_feed(struct app *a)
{
    a->feed_busy = true;
    a->feed_again = false;
    store_feed_read(a->store, zone_revision(a->zone), FEED_PAGE, on_feed, a);
}

void feed_wake(struct app *a)
{
    if (a->store == NULL || a->feed_busy || a->reloading) {
        a->feed_again = true;
    } else {
        read_feed(a);
    }
}

static void on_change(void *ctx)
{
    feed_wake(ctx);
}

/* ---- loading all ------------------------------------------------------------------------- */

struct load {
    struct app *a;    /* borrowed */
    struct rows rows; /* its zone is owned */
    uint64_t count;
    int64_t began_ms;
};

/* On a thread of the store's: the new zone is nobody else's yet, and the configuration does not
 * change while the feed is busy (reload.c waits). */
static bool on_load_row(void *ctx, const struct store_row *row)
{
    struct load *l = ctx;
    rows_apply(&l->rows, row);
    l->count++;
    return true;
}

/* A load leaves holes behind: the database's cache and the pages that grew. The allocator keeps
 * them unless it is asked, and going through them takes longer than a loop may. */
static void trim(struct loop_work *w)
{
    (void)w;
    malloc_trim(0);
}

static void trimmed(struct loop_work *w)
{
    free(w);
}

static void trim_later(struct app *a)
{
    struct loop_work *w = mem_xalloc(sizeof *w);
    w->work = trim;
    w->done = trimmed;
    loop_offload(&a->loop, w);
}

static void on_loaded(void *ctx, enum err e, const struct err_info *info,
                      const struct store_state *state)
{
    struct load *l = ctx;
    struct app *a = l->a;
    if (e != ERR_OK) {
        zone_free(l->rows.zone);
        free(l);
        feed_failed(a, "cannot load the zone", e, info);
        if (hopeless(a)) {
            LOG_ERROR("app", "there is nothing to answer from", LOG_S("reason", a->store_error));
            app_stop(a, APP_EXIT_FAILED);
        }
        return;
    }
    rows_end(&l->rows);
    LOG_INFO("feed", "loaded", LOG_N("rows", l->count), LOG_N("revision", state->revision),
             LOG_N("ms", clk_mono_ms(&clk_system) - l->began_ms));
    snprintf(a->store_id, sizeof a->store_id, "%s", state->id);
    a->loaded = true;
    store_works(a, state->stale);
    app_replace_zone(a, l->rows.zone);
    app_publish(a, state->revision, NULL);
    certs_reread(a);
    trim_later(a);
    free(l);
    read_challenges(a);
}

static void full_load(struct app *a)
{
    struct err_info info = {.text = ""};
    struct load *l = mem_xalloc(sizeof *l);
    l->a = a;
    l->rows.config = &a->config;
    l->began_ms = clk_mono_ms(&clk_system);
    a->feed_busy = true;
    a->feed_again = true; /* what changes meanwhile is read afterwards */
    enum err e = config_zone_new(&a->config, &l->rows.zone, &info);
    if (e != ERR_OK) {
        free(l); /* not reached: the same configuration made a zone before */
        feed_failed(a, "cannot make a zone", e, &info);
        return;
    }
    store_scan(a->store, "", on_load_row, on_loaded, l);
}

void feed_reload(struct app *a)
{
    if (a->store != NULL && !a->feed_busy && !a->reloading && !a->stopping) {
        full_load(a);
    }
}

/* ---- the beginning ----------------------------------------------------------------------- */

static void on_state(void *ctx, enum err e, const struct err_info *info,
                     const struct store_state *state)
{
    struct app *a = ctx;
    if (e != ERR_OK) {
        feed_failed(a, "cannot read the store's state", e, info);
        if (hopeless(a)) {
            app_stop(a, APP_EXIT_FAILED);
        }
        return;
    }
    bool same = a->loaded && strcmp(a->store_id, state->id) == 0;
    if (same && state->revision < zone_revision(a->zone) && !a->config.storages.engine_rqlite) {
        LOG_WARN("feed", "the store is older than the zone: restored from a backup?",
                 LOG_N("store", state->revision), LOG_N("zone", zone_revision(a->zone)));
        same = false;
    }
    if (same) {
        /* Those of the snapshot file may be of before the last second. */
        a->feed_again = true;
        if (state->revision >= zone_revision(a->zone)) {
            store_works(a, state->stale);
        }
        read_challenges(a);
    } else {
        full_load(a);
    }
}

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct app *a = ctx;
    a->opening = false;
    if (e != ERR_OK) {
        struct err_info why = *info;
        if (e == ERR_NOTFOUND && !a->config.storages.engine_rqlite) {
            err_set(&why, e,
                    "%.200s; bring it back, or stop and remove %.200s/zone.snapshot to begin with "
                    "an empty one",
                    info->text, a->state_dir);
        }
        store_failed(a, "cannot open the store", e, &why);
        if (hopeless(a)) {
            app_stop(a, APP_EXIT_FAILED); /* and no snapshot file either */
            return;
        }
        retry_later(a);
        feed_idle(a);
        return;
    }
    a->store = s;
    store_watch(s, on_change, a);
    move_in(a);
}

void feed_confirm(struct app *a)
{
    a->feed_busy = true;
    if (a->stopping) {
        feed_idle(a);
    } else {
        register_self(a);
    }
}

/* Whether it could be registered or not: the row comes first, so that the first zone has it. */
void feed_registered(struct app *a)
{
    if (a->stopping) {
        feed_idle(a);
    } else {
        store_state(a->store, on_state, a);
    }
}

void feed_start(struct app *a)
{
    if (a->stopping || a->feed_busy || a->opening) {
        return;
    }
    if (a->reloading) {
        retry_later(a);
        return;
    }
    if (a->store != NULL) {
        feed_wake(a);
        return;
    }
    if (!engine_runs(a)) {
        retry_later(a); /* who starts it tells what is wrong with it, and when it answers */
        app_serve(a);   /* which takes a second at least */
        return;
    }
    struct store_options o;
    engine_options(a, &o);
    uv_timer_stop(&a->store_timer);
    a->opening = true;
    store_open(&a->loop, &o, on_open, a);
}

/* Heartbeats: what this core tells the others, and which of them are alive.
 *
 * A core is alive as long as its heartbeat keeps changing, by our clock: machines' clocks are not
 * compared. What has no heartbeat at all is alive as far as we know (a platform's core on which
 * dnsd does not run yet). While this core is cut off it hears nobody, and judges nobody: everyone
 * stays what they were, and has the whole time again afterwards.
 *
 * Who is alive decides what shared names lead to (zone.h), and nothing else; it takes no revision.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "lib/jx.h"
#include "lib/mem.h"

#define TICK_MS      1000
#define BEAT_MS      5000 /* with nothing new to tell */
#define BEAT_SOON_MS 1000 /* with something new */
#define LISTEN_MS    2000
#define SILENT_MS    20000 /* four heartbeats */
#define PEERS_MAX    ZONE_CORES_MAX

static struct app_peer *peer_of(struct app *a, const char *id)
{
    for (size_t i = 0; i < a->peers_count; i++) {
        if (strcmp(a->peers[i].id, id) == 0) {
            return &a->peers[i];
        }
    }
    if (a->peers_count == PEERS_MAX) {
        return NULL;
    }
    a->peers = mem_xrealloc(a->peers, (a->peers_count + 1) * sizeof *a->peers);
    struct app_peer *p = &a->peers[a->peers_count++];
    *p = (struct app_peer){.id = mem_xstrdup(id), .live = true};
    return p;
}

void beats_free(struct app *a)
{
    for (size_t i = 0; i < a->peers_count; i++) {
        free(a->peers[i].id);
    }
    free(a->peers);
    a->peers = NULL;
    a->peers_count = 0;
}

bool beats_apply(struct app *a)
{
    bool changed = false;
    for (size_t i = 0; i < a->peers_count; i++) {
        changed = zone_core_live(a->zone, a->peers[i].id, a->peers[i].live) || changed;
    }
    return changed;
}

/* ---- the others ------------------------------------------------------------------------------ */

static void read_detail(struct app_peer *p, const char *detail)
{
    json_t *o = NULL;
    const char *version = NULL;
    p->version[0] = '\0';
    if (jx_parse_object(detail, strlen(detail), &o, NULL) == ERR_OK &&
        jx_string(o, "version", &version, NULL) == ERR_OK) {
        snprintf(p->version, sizeof p->version, "%s", version);
    }
    json_decref(o);
}

static void hear(struct app *a, const struct store_beat *b, int64_t now)
{
    struct app_peer *p = b->core != NULL ? peer_of(a, b->core) : NULL;
    if (p == NULL) {
        return;
    }
    p->listed = true;
    if (p->changed_ms != 0 && p->beat == b->beat) {
        return;
    }
    p->beat = b->beat;
    p->changed_ms = now;
    p->revision = b->revision;
    snprintf(p->digest, sizeof p->digest, "%s", b->digest != NULL ? b->digest : "");
    read_detail(p, b->detail != NULL ? b->detail : "");
}

/* Those whose row is gone are forgotten; what they were in the zone goes with their core's row. */
static void forget_unlisted(struct app *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->peers_count; i++) {
        if (a->peers[i].listed) {
            a->peers[kept++] = a->peers[i];
        } else {
            zone_core_live(a->zone, a->peers[i].id, true);
            free(a->peers[i].id);
        }
    }
    a->peers_count = kept;
}

static void judge(struct app *a, int64_t now)
{
    for (size_t i = 0; i < a->peers_count; i++) {
        struct app_peer *p = &a->peers[i];
        bool live = strcmp(p->id, a->id) == 0 || now - p->changed_ms < SILENT_MS;
        if (live != p->live) {
            p->live = live;
            if (live) {
                LOG_INFO("cluster", "a core is heard again", LOG_S("core", p->id));
            } else {
                LOG_WARN("cluster", "a core is silent, shared names no longer lead to it",
                         LOG_S("core", p->id), LOG_N("silent_ms", now - p->changed_ms));
            }
        }
    }
    if (beats_apply(a)) {
        app_publish(a, zone_revision(a->zone), NULL);
    }
}

static void on_beats(void *ctx, enum err e, const struct err_info *info,
                     const struct store_beat *list, size_t count)
{
    struct app *a = ctx;
    int64_t now = clk_mono_ms(&clk_system);
    (void)info; /* whoever reads the feed tells of a store that fails */
    a->beats_reading = false;
    if (a->stopping) {
        app_continue_stop(a);
        return;
    }
    for (size_t i = 0; i < a->peers_count; i++) {
        a->peers[i].listed = e != ERR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        hear(a, &list[i], now);
    }
    forget_unlisted(a);
    if (e != ERR_OK || a->stale) {
        for (size_t i = 0; i < a->peers_count; i++) {
            a->peers[i].changed_ms = now;
        }
        return;
    }
    if (!a->feed_busy && a->store_error[0] == '\0') {
        a->fresh_ms = clk_wall_ms(&clk_system);
    }
    judge(a, now);
}

/* ---- this core ------------------------------------------------------------------------------- */

static void on_put(void *ctx, enum err e, const struct err_info *info)
{
    struct app *a = ctx;
    (void)info;
    a->beats_writing = false;
    if (e != ERR_OK) {
        a->beat_sent_ms = 0; /* the next tick tries again */
    }
    if (a->stopping) {
        app_continue_stop(a);
    }
}

static void send_beat(struct app *a, const char *digest, int64_t now)
{
    char *detail = NULL;
    int64_t wall = clk_wall_ms(&clk_system);
    a->beat = wall > (int64_t)a->beat ? (uint64_t)wall : a->beat + 1;
    if (asprintf(&detail, "{\"version\":\"%s\"}", DNSD_VERSION) < 0) {
        return;
    }
    const struct store_beat beat = {.core = a->id,
                                    .beat = a->beat,
                                    .revision = zone_revision(a->zone),
                                    .digest = digest,
                                    .detail = detail};
    a->beats_writing = true;
    a->beat_sent_ms = now;
    snprintf(a->beat_digest, sizeof a->beat_digest, "%s", digest);
    store_beat_put(a->store, &beat, on_put, a);
    free(detail);
}

static void on_tick(uv_timer_t *timer)
{
    struct app *a = timer->data;
    int64_t now = clk_mono_ms(&clk_system);
    char digest[ZONE_DIGEST_TEXT];
    if (a->store == NULL || a->store_closing || a->stopping || !a->loaded) {
        return;
    }
    zone_digest(a->zone, digest);
    int64_t wait = strcmp(digest, a->beat_digest) != 0 ? BEAT_SOON_MS : BEAT_MS;
    if (!a->beats_writing && now - a->beat_sent_ms >= wait) {
        send_beat(a, digest, now);
    }
    if (!a->beats_reading && now - a->beats_read_ms >= LISTEN_MS) {
        a->beats_reading = true;
        a->beats_read_ms = now;
        store_beats_list(a->store, on_beats, a);
    }
}

void beats_start(struct app *a)
{
    if (a->config.storages.engine_rqlite) {
        uv_timer_start(&a->beats_timer, on_tick, TICK_MS, TICK_MS);
    }
}

/* Heartbeats: what this core tells the others, and what it hears of them (peers.h). Who is alive
 * decides what shared names lead to (zone.h), and nothing else; it takes no revision.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/lease.h"
#include "app.h"
#include "cluster/rqlited_uv.h"
#include "lib/jx.h"

#define TICK_MS      500
#define BEAT_MS      5000 /* with nothing new to tell */
#define BEAT_SOON_MS 1000 /* with something new */
#define LISTEN_MS    2000
/* A digest may be of a moment before the zone's: only one that stays another is told. */
#define DIFFERS_MAX 4
/* A node that has found its leader still gets what was written while it was away. */
#define CATCH_UP_MS 1000
/* What a restart of the database has not mended, the next ones will not. */
#define DOUBT_MS 3600000
/* Without a leader this core's own rows are the best there is. */
#define ALONE_MS 15000

bool beats_apply(struct app *a)
{
    bool changed = false;
    for (size_t i = 0; i < a->peers.count; i++) {
        const struct peer *p = &a->peers.items[i];
        changed = zone_core_live(a->zone, p->id, p->live) || changed;
    }
    return changed;
}

/* ---- the others ------------------------------------------------------------------------------ */

/* {"certificate":{"rank","generation","serial","hostname"}}; a core that manages none says nothing. One
 * that has a certificate of its own, as cores without a domain do, is neither preferred for ours nor does it
 * serve it. */
static void hear_cert(struct app *a, const char *core, const json_t *detail)
{
    const json_t *cert = NULL;
    const char *serial = NULL, *hostname = NULL;
    const char *ours = certs_hostname(a);
    int64_t rank, generation;
    if (detail == NULL || jx_object(detail, "certificate", &cert, NULL) != ERR_OK ||
        jx_int(cert, "rank", 0, LEASE_LAST, &rank, NULL) != ERR_OK) {
        return;
    }
    if (ours != NULL && jx_string(cert, "hostname", &hostname, NULL) == ERR_OK &&
        strcmp(hostname, ours) != 0) {
        peers_hear_cert(&a->peers, core, UINT_MAX, 0, "");
        return;
    }
    if (jx_int(cert, "generation", 0, INT64_MAX, &generation, NULL) != ERR_OK ||
        jx_string(cert, "serial", &serial, NULL) != ERR_OK) {
        generation = 0;
    }
    peers_hear_cert(&a->peers, core, (unsigned)rank, (uint64_t)generation,
                    serial != NULL ? serial : "");
}

/* {"cluster":{"joinPort"}}: of a core that has the CA. */
static void hear_cluster(struct app *a, const char *core, const json_t *detail)
{
    const json_t *cluster = NULL;
    int64_t port = 0;
    if (detail == NULL || jx_object(detail, "cluster", &cluster, NULL) != ERR_OK ||
        jx_int(cluster, "joinPort", 1, UINT16_MAX, &port, NULL) != ERR_OK) {
        port = 0;
    }
    peers_hear_join(&a->peers, core, (uint16_t)port);
}

static void hear(struct app *a, const struct store_beat *b, int64_t now)
{
    json_t *o = NULL;
    const char *version = NULL;
    const char *detail = b->detail != NULL ? b->detail : "";
    if (b->core == NULL || b->digest == NULL) {
        return; /* not a heartbeat of ours */
    }
    if (jx_parse_object(detail, strlen(detail), &o, NULL) != ERR_OK ||
        jx_string(o, "version", &version, NULL) != ERR_OK) {
        version = "";
    }
    peers_hear(&a->peers, b->core, b->beat, b->revision, b->digest, version, now);
    hear_cert(a, b->core, o);
    hear_cluster(a, b->core, o);
    json_decref(o);
}

static void on_changed(const struct peer *p, int64_t silent_ms)
{
    if (p->live) {
        LOG_INFO("cluster", "a core is heard again", LOG_S("core", p->id));
    } else {
        LOG_WARN("cluster", "a core is silent, shared names no longer lead to it",
                 LOG_S("core", p->id), LOG_N("silent_ms", silent_ms));
    }
}

/* How many of those who are at our revision have our digest, ourselves included, and who of the
 * others has not (NULL: nobody). */
static size_t agreeing(const struct app *a, const char *digest, const struct peer **other,
                       size_t *others)
{
    size_t same = 1;
    *other = NULL;
    *others = 0;
    for (size_t i = 0; i < a->peers.count; i++) {
        const struct peer *p = &a->peers.items[i];
        if (strcmp(p->id, a->id) == 0 || !p->live || p->revision != zone_revision(a->zone)) {
            continue;
        }
        if (strcmp(p->digest, digest) == 0) {
            same++;
        } else {
            *other = p;
            (*others)++;
        }
    }
    return same;
}

static void doubt(struct app *a)
{
    int64_t now = clk_mono_ms(&clk_system);
    if (a->doubted_ms == 0 || now - a->doubted_ms >= DOUBT_MS) {
        a->doubted_ms = now;
        a->doubt_told = false;
        rqlited_suspect(a->rqlited, "its rows differ from the other cores'");
        a->reloaded[0] = '\0'; /* what comes of it is to be loaded */
    } else if (!a->doubt_told) {
        a->doubt_told = true;
        LOG_ERROR("cluster",
                  "this core's database has lost rows: stop dnsd here, empty its dataDir, "
                  "and start it again");
    }
}

/* The same revision is the same rows; if not, something has gone wrong on the way here (a full disk
 * under the database, say), and the feed would never put it right. First everything is loaded anew;
 * if that was of no use, and most others agree with each other, the database is made anew too. */
static void compare(struct app *a)
{
    char digest[ZONE_DIGEST_TEXT];
    const struct peer *other;
    size_t others;
    zone_digest(a->zone, digest);
    size_t same = agreeing(a, digest, &other, &others);
    a->differs = other != NULL && !a->feed_busy ? a->differs + 1 : 0;
    if (a->differs < DIFFERS_MAX) {
        return;
    }
    a->differs = 0;
    if (strcmp(a->reloaded, digest) != 0) {
        LOG_WARN("cluster",
                 "the zone differs from another core's at the same revision, loading all",
                 LOG_S("core", other->id), LOG_N("revision", other->revision),
                 LOG_S("digest", digest), LOG_S("theirs", other->digest));
        snprintf(a->reloaded, sizeof a->reloaded, "%s", digest);
        feed_reload(a);
    } else if (a->rqlited != NULL && others > same) {
        doubt(a);
    }
}

/* A failing store is told of by whoever reads the feed. */
static void on_beats(void *ctx, enum err e, const struct err_info *info,
                     const struct store_beat *list, size_t count)
{
    struct app *a = ctx;
    int64_t now = clk_mono_ms(&clk_system);
    (void)info;
    a->beats_reading = false;
    a->beats_read_ms = now;
    a->beats_mute = e != ERR_OK; /* who cannot be read from need not be written to */
    if (a->stopping) {
        app_continue_stop(a);
        return;
    }
    if (e == ERR_OK) {
        a->beats_heard = true;
        peers_begin(&a->peers);
        for (size_t i = 0; i < count; i++) {
            hear(a, &list[i], now);
        }
        peers_end(&a->peers);
    }
    if (e != ERR_OK || a->stale) {
        peers_hold(&a->peers, now);
        return;
    }
    if (!a->feed_busy && a->store_error[0] == '\0') {
        a->fresh_ms = clk_wall_ms(&clk_system);
    }
    peers_judge(&a->peers, a->id, now, on_changed);
    if (beats_apply(a)) {
        app_publish(a, zone_revision(a->zone), NULL);
    }
    compare(a);
}

/* ---- this core ------------------------------------------------------------------------------- */

static void on_put(void *ctx, enum err e, const struct err_info *info)
{
    struct app *a = ctx;
    (void)info;
    a->beats_writing = false;
    (void)e; /* the next one tells more */
    a->beat_sent_ms = clk_mono_ms(&clk_system);
    if (a->stopping) {
        app_continue_stop(a);
    }
}

/* NULL: no memory. */
static char *detail_of(const struct app *a)
{
    json_t *o = json_pack("{s:s}", "version", DNSD_VERSION);
    json_t *cert = certs_beat(a);
    if (cert != NULL) {
        json_object_set_new(o, "certificate", cert);
    }
    json_t *cluster = cluster_beat(a);
    if (cluster != NULL) {
        json_object_set_new(o, "cluster", cluster);
    }
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static void send_beat(struct app *a, const char *digest, int64_t now)
{
    int64_t wall = clk_wall_ms(&clk_system);
    char *detail = detail_of(a);
    a->beat = wall > (int64_t)a->beat ? (uint64_t)wall : a->beat + 1;
    const struct store_beat beat = {.core = a->id,
                                    .beat = a->beat,
                                    .revision = zone_revision(a->zone),
                                    .digest = digest,
                                    .detail = detail != NULL ? detail : "{}"};
    a->beats_writing = true;
    a->beat_sent_ms = now;
    a->beat_revision = beat.revision;
    store_beat_put(a->store, &beat, on_put, a);
    free(detail);
}

/* From here on what is not in the zone is not there. */
static void settle(struct app *a, int64_t now)
{
    bool caught_up = a->in_touch_ms != 0 && now - a->in_touch_ms >= CATCH_UP_MS;
    bool alone = a->confirmed_ms != 0 && now - a->confirmed_ms >= ALONE_MS;
    if (a->dated && !a->feed_busy && (caught_up || alone)) {
        a->dated = false;
        app_publish(a, zone_revision(a->zone), NULL);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct app *a = timer->data;
    int64_t now = clk_mono_ms(&clk_system);
    char digest[ZONE_DIGEST_TEXT];
    if (a->store == NULL || a->stopping || !a->loaded) {
        return;
    }
    settle(a, now);
    int64_t wait = zone_revision(a->zone) != a->beat_revision ? BEAT_SOON_MS : BEAT_MS;
    if (!a->beats_writing && !a->beats_mute && !a->feed_busy && now - a->beat_sent_ms >= wait) {
        zone_digest(a->zone, digest);
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

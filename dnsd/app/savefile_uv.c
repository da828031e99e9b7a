/* The snapshot file: written as soon as there is a zone, then some time after the zone has changed,
 * off the loop, and never more than a twentieth of the time. A file that cannot be written is told
 * and tried again; a file that cannot be read is told and ignored, for the store has it all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

#define SAVE_DELAY_MS 1000
#define SAVE_RETRY_MS 30000
#define SAVE_SHARE    20
/* 100 million users would fit. */
#define FILE_MAX ((size_t)4 << 30)

struct save {
    struct loop_work work;
    struct app *a;                        /* borrowed */
    const struct zone_snapshot *snapshot; /* shared: our reference */
    char store_id[ZONE_STORE_ID_MAX];
    char path[4096];
    int64_t took_ms;
    enum err result;
    struct err_info info;
};

static void file_path(const struct app *a, char *out, size_t size)
{
    snprintf(out, size, "%s/zone.snapshot", a->state_dir);
}

static void save_work(struct loop_work *work)
{
    struct save *s = (struct save *)work;
    uint8_t *bytes = NULL;
    size_t len;
    int64_t began = clk_mono_ms(&clk_system);
    s->result = zone_save(s->snapshot, s->store_id, &bytes, &len);
    if (s->result == ERR_OK) {
        s->result = file_replace(s->path, bytes, len, 0640, &s->info);
    }
    free(bytes);
    s->took_ms = clk_mono_ms(&clk_system) - began + 1;
}

static void on_save_due(uv_timer_t *timer);

static void save_done(struct loop_work *work)
{
    struct save *s = (struct save *)work;
    struct app *a = s->a;
    a->saving = false;
    a->save_took_ms = s->took_ms;
    zone_snapshot_unref(s->snapshot);
    if (s->result != ERR_OK) {
        LOG_ERROR("app", "cannot write the snapshot file",
                  LOG_S("reason", s->info.text[0] != '\0' ? s->info.text : err_text(s->result)));
    }
    bool failed = s->result != ERR_OK;
    free(s);
    if (a->stopping) {
        app_continue_stop(a);
    } else if (failed) {
        a->save_due = true;
        uv_timer_start(&a->save_timer, on_save_due, SAVE_RETRY_MS, 0);
    } else if (a->save_due) {
        a->save_due = false;
        savefile_soon(a);
    }
}

static void save_begin(struct app *a)
{
    struct save *s = mem_xalloc(sizeof *s);
    s->work.work = save_work;
    s->work.done = save_done;
    s->a = a;
    s->snapshot = zone_current(a->zone);
    snprintf(s->store_id, sizeof s->store_id, "%s", a->store_id);
    file_path(a, s->path, sizeof s->path);
    a->save_due = false;
    a->saving = true;
    loop_offload(&a->loop, &s->work);
}

static void on_save_due(uv_timer_t *timer)
{
    save_begin(timer->data);
}

void savefile_soon(struct app *a)
{
    if (a->save_due || !a->loaded || a->stopping) {
        return;
    }
    a->save_due = true;
    if (!a->saving) {
        int64_t wait = a->save_took_ms * SAVE_SHARE;
        wait = a->save_took_ms > 0 && wait < SAVE_DELAY_MS ? SAVE_DELAY_MS : wait;
        uv_timer_start(&a->save_timer, on_save_due, (uint64_t)wait, 0);
    }
}

bool savefile_last(struct app *a)
{
    uv_timer_stop(&a->save_timer);
    if (a->saving) {
        return true;
    }
    if (!a->save_due) {
        return false;
    }
    save_begin(a);
    return true;
}

enum err savefile_load(struct app *a, struct err_info *info)
{
    char path[4096];
    uint8_t *bytes = NULL;
    size_t len;
    uint64_t revision;
    file_path(a, path, sizeof path);
    file_replace_leftovers(path); /* the lock says that nobody is writing it now */
    enum err e = file_read(path, FILE_MAX, &bytes, &len, info);
    if (e != ERR_OK) {
        return e;
    }
    e = zone_restore(a->zone, bytes, len, a->store_id, &revision, info);
    free(bytes);
    if (e != ERR_OK) {
        return err_prefix(info, e, "%s: ", path);
    }
    a->loaded = true;
    a->from_file = true;
    feed_expire(a);
    zone_set_dated(a->zone, a->dated);
    zone_snapshot_unref(zone_commit(a->zone, revision));
    return ERR_OK;
}

/* The room on rqlited's disk: looked at each second, and what rqlited itself says about it. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "rqlited_priv.h"

static void on_pool(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, disk_work));
    struct statvfs fs;
    r->look_ok = statvfs(r->config.data_dir, &fs) == 0; /* else: not made yet */
    r->look_free = r->look_ok ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

static void on_looked(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, disk_work));
    r->disk_busy = false;
    if (r->closing) {
        rqlited_part_closed(r);
    } else {
        r->disk_seen = (struct rqlited_event){.kind = RQLITED_EV_DISK,
                                              .now_ms = (int64_t)uv_now(r->loop),
                                              .ok = r->look_ok,
                                              .free = r->look_free};
        rqlited_event(r, r->disk_seen);
    }
}

static void look(struct rqlited *r)
{
    if (!r->disk_busy) { /* a disk may take its time */
        r->disk_busy = true;
        r->disk_work.work = on_pool;
        r->disk_work.done = on_looked;
        loop_offload(r->loop, &r->disk_work);
    }
}

static void on_timer(uv_timer_t *t)
{
    look(t->data);
}

void rqlited_disk_start(struct rqlited *r)
{
    unsigned every_ms = r->life.limits->disk_ms;
    uv_timer_init(r->loop, &r->disk_timer);
    r->disk_timer.data = r;
    uv_timer_start(&r->disk_timer, on_timer, every_ms, every_ms);
    look(r);
}

static void on_timer_closed(uv_handle_t *h)
{
    rqlited_part_closed(h->data);
}

void rqlited_disk_close(struct rqlited *r)
{
    r->closing = true;
    r->open += r->disk_busy ? 2 : 1;
    uv_close((uv_handle_t *)&r->disk_timer, on_timer_closed);
}

void rqlited_disk_line(struct rqlited *r, const char *line)
{
    if (rqlited_says_full(line)) {
        rqlited_event(r, (struct rqlited_event){.kind = RQLITED_EV_SUSPECT,
                                                .now_ms = (int64_t)uv_now(r->loop),
                                                .full = true});
    }
}

void rqlited_disk_note(struct rqlited *r, bool was_full)
{
    const char *path = r->config.data_dir;
    uint64_t mib = r->disk_seen.free >> 20;
    if (r->life.full == was_full) {
        return;
    }
    if (was_full) {
        LOG_INFO(RQLITED_TAG, "there is room on the disk again", LOG_S("path", path),
                 LOG_N("mib_left", mib));
        snprintf(r->stop_why, sizeof r->stop_why, "stopped: the disk of %s was full", path);
    } else if (!r->disk_seen.ok || r->disk_seen.free >= r->life.limits->disk_low) {
        LOG_ERROR(RQLITED_TAG, "has met a full disk: stopped until there is room",
                  LOG_S("path", path), LOG_S("said", r->last_line));
        snprintf(r->stop_why, sizeof r->stop_why,
                 "the disk of %s was full: rqlited is stopped until there is room", path);
    } else {
        LOG_ERROR(RQLITED_TAG, "the disk is nearly full: stopped until there is room",
                  LOG_S("path", path), LOG_N("mib_left", mib));
        snprintf(r->stop_why, sizeof r->stop_why,
                 "the disk of %s is nearly full (%" PRIu64
                 " MiB left): rqlited is stopped until there is room",
                 path, mib);
    }
    snprintf(r->last_exit, sizeof r->last_exit, "%s", r->stop_why);
}

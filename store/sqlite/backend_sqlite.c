/* Threads. The loop's thread starts operations and hears of their end; it never waits. `main` owns
 * the writing connection and takes operations in the order they were started. `side` owns a
 * read-only connection; scans and long queries are handed on to it when their turn comes on `main`,
 * so they see all that was written before them, and the feed need not wait for them. In WAL mode
 * neither connection waits for the other.
 *
 *     loop ── job ──> main ── scans, long queries ──> side
 *       ^              │                                │
 *       └── loop_box <─┴────────────────────────────────┘
 *
 * Noticing others. SQLite tells a connection whether another one has committed (data_version), but
 * only if asked. Asking is a matter of microseconds, yet asking all the time would keep an idle
 * machine awake. So inotify on the folder wakes us: whoever commits writes to the -wal file. The
 * write comes before the commit becomes visible, by as long as an fsync takes, which nobody knows;
 * hence the question is repeated, at intervals that grow with the time since the last event: late
 * by no more than a quarter of what the commit itself took. After two seconds that has become the
 * slow poll which goes on for ever, for file systems where inotify is blind.
 */
#include "backend_sqlite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conn_sqlite.h"
#include "lane.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

#define BUSY_DEFAULT_MS 5000
#define POLL_FAST_MS    1
#define POLL_SLOW_MS    500
#define POLL_PART       4 /* the next question after this part of the time since the last event */

struct driver {
    struct backend base;
    uv_loop_t *loop;      /* borrowed */
    struct loop_box *box; /* borrowed: the store's */
    char *path;           /* owned */
    unsigned busy_ms;
    bool must_exist;

    struct lane main;
    struct lane side;
    struct conn conn;   /* main's alone */
    struct conn reader; /* side's alone, once it is open */

    /* Watching: main's. */
    bool watching;
    int64_t version;  /* data_version when last asked */
    int64_t event_ms; /* when something last happened to the file */
    bool misplaced;   /* the file is not where it was; told */

    /* Watching: the loop's. */
    void (*on_change)(void *ctx); /* NULL: nobody watches */
    void *on_change_ctx;          /* borrowed */
    uv_fs_event_t folder;
    bool folder_open;

    /* Opening and closing. */
    struct lane_job job;
    struct loop_msg msg;
    enum err open_e;
    struct err_info open_info;
    backend_open_cb *on_open;
    void *on_open_ctx; /* borrowed */
    void (*on_closed)(void *ctx);
    void *on_closed_ctx; /* borrowed */
};

#define DRIVER_OF(ptr, member) ((struct driver *)((char *)(ptr)-offsetof(struct driver, member)))

/* ---- operations ------------------------------------------------------------------------------ */

enum job_kind { JOB_BATCH, JOB_QUERY, JOB_SCAN };

struct job {
    struct lane_job lane;
    struct loop_msg msg;
    struct driver *driver; /* borrowed */
    enum job_kind kind;
    union { /* borrowed until done() */
        const struct backend_batch *batch;
        const struct backend_query *query;
        const struct backend_scan *scan;
    };
    backend_done_cb *done;
    void *ctx; /* borrowed */
    enum err e;
    struct err_info info;
    struct backend_reply reply;
    uint64_t *changes;     /* owned */
    struct conn_rows rows; /* owned */
};

static void on_job_done(struct loop_msg *msg)
{
    struct job *j = (struct job *)((char *)msg - offsetof(struct job, msg));
    j->reply.changes = j->changes;
    j->reply.cells = j->rows.cells;
    j->reply.columns = j->rows.columns;
    j->reply.rows = j->rows.rows;
    j->done(j->ctx, j->e, &j->info, &j->reply);
    conn_rows_fini(&j->rows);
    free(j->changes);
    free(j);
}

static enum err run_batch(struct job *j)
{
    j->changes = calloc(j->batch->count + 1, sizeof *j->changes);
    if (j->changes == NULL) {
        return err_set(&j->info, ERR_NOMEM, "no memory for a batch of %zu", j->batch->count);
    }
    return conn_batch(&j->driver->conn, j->batch, j->changes, &j->reply.failed, &j->info);
}

static enum err run_read(struct job *j, struct conn *c)
{
    return j->kind == JOB_SCAN ? conn_scan(c, j->scan, &j->info)
                               : conn_query(c, j->query, &j->rows, &j->info);
}

static void run_on_side(struct lane_job *lane)
{
    struct job *j = (struct job *)lane; /* the first member */
    j->e = run_read(j, &j->driver->reader);
    loop_box_send(j->driver->box, &j->msg);
}

static void run_on_main(struct lane_job *lane)
{
    struct job *j = (struct job *)lane; /* the first member */
    j->e = conn_check_place(&j->driver->conn, &j->info);
    if (j->e != ERR_OK) {
        loop_box_send(j->driver->box, &j->msg);
        return;
    }
    if (j->kind == JOB_SCAN || (j->kind == JOB_QUERY && j->query->aside)) {
        j->lane.run = run_on_side;
        lane_send(&j->driver->side, &j->lane);
        return;
    }
    j->e = j->kind == JOB_BATCH ? run_batch(j) : run_read(j, &j->driver->conn);
    loop_box_send(j->driver->box, &j->msg);
}

static struct job *job_new(struct backend *b, enum job_kind kind, backend_done_cb *done, void *ctx)
{
    struct job *j = mem_xalloc(sizeof *j);
    j->lane.run = run_on_main;
    j->msg.run = on_job_done;
    j->driver = (struct driver *)b; /* the first member */
    j->kind = kind;
    j->done = done;
    j->ctx = ctx;
    return j;
}

static void sqlite_batch(struct backend *b, const struct backend_batch *batch,
                         backend_done_cb *done, void *ctx)
{
    struct job *j = job_new(b, JOB_BATCH, done, ctx);
    j->batch = batch;
    lane_send(&j->driver->main, &j->lane);
}

static void sqlite_query(struct backend *b, const struct backend_query *query,
                         backend_done_cb *done, void *ctx)
{
    struct job *j = job_new(b, JOB_QUERY, done, ctx);
    j->query = query;
    lane_send(&j->driver->main, &j->lane);
}

static void sqlite_scan(struct backend *b, const struct backend_scan *scan, backend_done_cb *done,
                        void *ctx)
{
    struct job *j = job_new(b, JOB_SCAN, done, ctx);
    j->scan = scan;
    lane_send(&j->driver->main, &j->lane);
}

/* ---- watching -------------------------------------------------------------------------------- */

struct notice {
    struct loop_msg msg;
    struct driver *driver; /* borrowed */
};

static void on_notice(struct loop_msg *msg)
{
    struct notice *n = (struct notice *)msg; /* the first member */
    struct driver *d = n->driver;
    free(n);
    if (d->on_change != NULL) {
        d->on_change(d->on_change_ctx);
    }
}

static void notify(struct driver *d)
{
    struct notice *n = mem_xalloc(sizeof *n);
    n->msg.run = on_notice;
    n->driver = d;
    loop_box_send(d->box, &n->msg);
}

static int on_tick(void *ctx, bool poked)
{
    struct driver *d = ctx;
    struct err_info ignored;
    int64_t now_ms = clk_mono_ms(&clk_system);
    int64_t version = d->version;
    if (!d->watching) {
        return -1;
    }
    if (poked) {
        d->event_ms = now_ms;
    }
    /* A file that cannot be read now will tell so to whoever reads it next. */
    (void)!conn_data_version(&d->conn, &version, &ignored);
    bool misplaced = conn_check_place(&d->conn, &ignored) != ERR_OK;
    if (version != d->version || misplaced != d->misplaced) {
        d->version = version;
        d->misplaced = misplaced;
        notify(d);
    }
    int64_t wait_ms = (now_ms - d->event_ms) / POLL_PART;
    return wait_ms < POLL_FAST_MS ? POLL_FAST_MS
                                  : (int)(wait_ms > POLL_SLOW_MS ? POLL_SLOW_MS : wait_ms);
}

struct watch_job {
    struct lane_job lane;
    struct driver *driver; /* borrowed */
    bool on;
};

static void run_watch(struct lane_job *lane)
{
    struct watch_job *j = (struct watch_job *)lane; /* the first member */
    struct driver *d = j->driver;
    d->watching = j->on;
    if (j->on) {
        notify(d); /* whatever came before the watch did */
        lane_poke(&d->main);
    }
    free(j);
}

static void on_folder(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct driver *d = DRIVER_OF(h, folder);
    const char *slash = strrchr(d->path, '/');
    const char *base = slash != NULL ? slash + 1 : d->path;
    (void)events;
    (void)status;
    if (name == NULL || strncmp(name, base, strlen(base)) == 0) { /* x, x-wal, x-journal */
        lane_poke(&d->main);
    }
}

static void open_folder(struct driver *d)
{
    const char *slash = strrchr(d->path, '/');
    char *folder = slash == NULL      ? strdup(".")
                   : slash == d->path ? strdup("/")
                                      : strndup(d->path, (size_t)(slash - d->path));
    int rc = folder != NULL ? uv_fs_event_init(d->loop, &d->folder) : UV_ENOMEM;
    if (rc == 0) {
        d->folder_open = true;
        rc = uv_fs_event_start(&d->folder, on_folder, folder, 0);
    }
    if (rc != 0) {
        LOG_WARN("store", "inotify does not work here, so changes by other programs are seen late",
                 LOG_S("path", d->path), LOG_S("reason", uv_strerror(rc)),
                 LOG_N("late_ms", POLL_SLOW_MS));
    }
    free(folder);
}

static void sqlite_watch(struct backend *b, void (*on_change)(void *ctx), void *ctx)
{
    struct driver *d = (struct driver *)b;
    struct watch_job *j = mem_xalloc(sizeof *j);
    d->on_change = on_change;
    d->on_change_ctx = ctx;
    if (on_change != NULL && !d->folder_open) {
        open_folder(d);
    }
    j->lane.run = run_watch;
    j->driver = d;
    j->on = on_change != NULL;
    lane_send(&d->main, &j->lane);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void driver_free(struct driver *d)
{
    free(d->path);
    free(d);
}

static void on_closed(struct loop_msg *msg)
{
    struct driver *d = DRIVER_OF(msg, msg);
    void (*done)(void *ctx) = d->on_closed;
    void *ctx = d->on_closed_ctx;
    lane_end(&d->main); /* it has nothing left to do but to return */
    driver_free(d);
    done(ctx);
}

static void run_close(struct lane_job *job)
{
    struct driver *d = DRIVER_OF(job, job);
    d->watching = false; /* a tick may still come */
    lane_end(&d->side);
    conn_close(&d->reader);
    conn_close(&d->conn);
    d->msg.run = on_closed;
    loop_box_send(d->box, &d->msg);
}

static void start_close(struct driver *d)
{
    d->job.run = run_close;
    lane_send(&d->main, &d->job);
}

static void on_folder_closed(uv_handle_t *h)
{
    start_close(DRIVER_OF(h, folder));
}

static void sqlite_close(struct backend *b, void (*done)(void *ctx), void *ctx)
{
    struct driver *d = (struct driver *)b;
    d->on_change = NULL;
    d->on_closed = done;
    d->on_closed_ctx = ctx;
    if (d->folder_open) {
        uv_close((uv_handle_t *)&d->folder, on_folder_closed);
    } else {
        start_close(d);
    }
}

static const struct backend_ops sqlite_ops = {
    .name = "sqlite",
    .features = BACKEND_WATCH | BACKEND_MOMENT,
    .batch = sqlite_batch,
    .query = sqlite_query,
    .scan = sqlite_scan,
    .watch = sqlite_watch,
    .close = sqlite_close,
};

static void on_open(struct loop_msg *msg)
{
    struct driver *d = DRIVER_OF(msg, msg);
    if (d->open_e == ERR_OK) {
        d->on_open(d->on_open_ctx, ERR_OK, NULL, &d->base);
        return;
    }
    lane_end(&d->side);
    lane_end(&d->main);
    d->on_open(d->on_open_ctx, d->open_e, &d->open_info, NULL);
    driver_free(d);
}

/* Both connections now: later the program may have another user or working directory. */
static void run_open(struct lane_job *job)
{
    struct driver *d = DRIVER_OF(job, job);
    enum conn_mode mode = d->must_exist ? CONN_MUST_EXIST : CONN_MAKE;
    d->open_e = conn_open(&d->conn, d->path, d->busy_ms, mode, &d->open_info);
    if (d->open_e == ERR_OK) {
        d->open_e = conn_open(&d->reader, d->path, d->busy_ms, CONN_READ, &d->open_info);
    }
    if (d->open_e != ERR_OK) {
        conn_close(&d->conn);
    }
    loop_box_send(d->box, &d->msg);
}

static void on_no_threads(struct loop_msg *msg)
{
    struct driver *d = DRIVER_OF(msg, msg);
    struct err_info info;
    enum err e = err_set(&info, ERR_IO, "%s: no thread to be had for the database", d->path);
    d->on_open(d->on_open_ctx, e, &info, NULL);
    driver_free(d);
}

static enum err start_lanes(struct driver *d)
{
    enum err e = lane_start(&d->main, on_tick, d);
    if (e != ERR_OK) {
        return e;
    }
    e = lane_start(&d->side, NULL, NULL);
    if (e != ERR_OK) {
        lane_end(&d->main);
    }
    return e;
}

void backend_sqlite_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                         backend_open_cb *cb, void *ctx)
{
    struct driver *d = mem_xalloc(sizeof *d);
    d->base.ops = &sqlite_ops;
    d->loop = loop;
    d->box = box;
    d->path = mem_xstrdup(options->sqlite_path != NULL ? options->sqlite_path : "");
    d->busy_ms = options->busy_ms != 0 ? options->busy_ms : BUSY_DEFAULT_MS;
    d->must_exist = options->must_exist;
    d->on_open = cb;
    d->on_open_ctx = ctx;
    if (start_lanes(d) != ERR_OK) {
        d->msg.run = on_no_threads;
        loop_box_send(box, &d->msg);
        return;
    }
    d->msg.run = on_open;
    d->job.run = run_open;
    lane_send(&d->main, &d->job);
}

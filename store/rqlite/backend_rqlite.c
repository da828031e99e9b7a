/* The driver: a queue of jobs, each a request or several, one after the other.
 *
 * Lanes. `main` carries out jobs in the order they were started, one request at a time. Scans and
 * queries that take long change to `side` when their turn comes, so they see what was written before
 * them and nobody waits for them. Each lane uses one connection at most.
 *
 *     started ──> main ── batches, short queries
 *                  └────> side ── scans, long queries
 *
 * A job prepares a request, sends it, looks at the answer and settles what is next; what is large is
 * prepared and looked at on the pool. A batch that could not be carried out now, or of which nobody
 * knows, is sent again until busy_ms is over; so is a query of BACKEND_LATEST. A query of
 * BACKEND_LOCAL is a matter between this node and us, and waits for nobody.
 *
 *        ┌──── next piece or page ─────┐
 *        v                             │
 *     prepare ──> send ──> look ──> settle ──> done
 *                  ^                   │
 *                  └─────── wait ──────┘
 *
 * Own writes. rqlite acknowledges a write when the leader has carried it out; a follower does so a
 * moment later. So the token of the last write (request.h) is asked for along with each local query
 * until this node has it, and a query that came too early is repeated.
 *
 * Going back. An rqlited that was restarted takes its rows from a snapshot, and then carries out its
 * log again; meanwhile it answers, and without any sign that it shows the past. So each local query
 * is sent along with the question how far the database has come, and an answer from before what was
 * seen is not used. At the beginning, and if it seems to have gone back, the leader is asked how far
 * it is: if that is no further, somebody has put the database back, and we follow. Without a leader
 * the first reader waits for one for busy_ms; then rows are taken as they are, and called stale.
 *
 * Scans. Nothing holds a moment over several requests, so a scan is one page after the other, none
 * of them older than the one before.
 */
#include "backend_rqlite.h"

#include <stdlib.h>
#include <string.h>

#include "driver_priv.h"
#include "lib/mem.h"

#define BUSY_DEFAULT_MS 5000

/* ---- operations ------------------------------------------------------------------------------ */

static void rqlite_batch(struct backend *b, const struct backend_batch *batch,
                         backend_done_cb *done, void *ctx)
{
    struct job *j = job_new((struct driver *)b, &job_batch_ops, done, ctx);
    j->batch = batch;
    j->large = request_is_large(batch);
    job_start(j);
}

static void rqlite_query(struct backend *b, const struct backend_query *query,
                         backend_done_cb *done, void *ctx)
{
    struct job *j = job_new((struct driver *)b, &job_read_ops, done, ctx);
    j->query = query;
    job_start(j);
}

static void rqlite_scan(struct backend *b, const struct backend_scan *scan, backend_done_cb *done,
                        void *ctx)
{
    struct job *j = job_new((struct driver *)b, &job_read_ops, done, ctx);
    j->scan = scan;
    job_start(j);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void wipe(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

static void driver_free(struct driver *d)
{
    free(d->url);
    free(d->user);
    wipe(d->password);
    free(d);
}

static void closed_one(struct driver *d)
{
    d->handles--;
    if (d->handles > 0) {
        return;
    }
    if (d->on_open != NULL) { /* it never was open */
        d->on_open(d->on_open_ctx, d->open_e, &d->open_info, NULL);
        driver_free(d);
        return;
    }
    void (*done)(void *ctx) = d->on_closed;
    void *ctx = d->on_closed_ctx;
    driver_free(d);
    done(ctx);
}

static void on_http_closed(void *ctx)
{
    closed_one(ctx);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct lane *lane = h->data;
    closed_one(lane->driver);
}

static void shut(struct driver *d)
{
    d->handles = 2;
    if (d->http != NULL) {
        d->handles++;
        httpc_close(d->http, on_http_closed, d);
    }
    uv_close((uv_handle_t *)&d->main.timer, on_timer_closed);
    uv_close((uv_handle_t *)&d->side.timer, on_timer_closed);
}

static void rqlite_close(struct backend *b, void (*done)(void *ctx), void *ctx)
{
    struct driver *d = (struct driver *)b;
    d->on_closed = done;
    d->on_closed_ctx = ctx;
    shut(d);
}

/* ---- opening --------------------------------------------------------------------------------- */

/*  look here ── the tables are there ──────────────────────┐
 *      └── not all ──> look at the leader ── there ────────┤
 *                            └── not there ──> make them ──┴──> open */

static const struct backend_ops rqlite_ops = {
    .name = "rqlite",
    .features = 0,
    .batch = rqlite_batch,
    .query = rqlite_query,
    .scan = rqlite_scan,
    .watch = NULL,
    .close = rqlite_close,
};

static void open_ended(struct driver *d, enum err e, const struct err_info *info)
{
    if (e == ERR_OK) {
        backend_open_cb *cb = d->on_open;
        d->on_open = NULL;
        cb(d->on_open_ctx, ERR_OK, NULL, &d->base);
        return;
    }
    d->open_e = e;
    d->open_info = *info;
    shut(d);
}

static void on_made(void *ctx, enum err e, const struct err_info *info,
                    const struct backend_reply *reply)
{
    (void)reply;
    open_ended(ctx, e, info);
}

static void make_tables(struct driver *d)
{
    for (size_t i = 0; i < REQUEST_TABLES; i++) {
        d->tables[i] = (struct backend_statement){.sql = request_tables[i], .sets = 1};
    }
    d->make = (struct backend_batch){.statements = d->tables, .count = REQUEST_TABLES};
    struct job *j = job_new(d, &job_batch_ops, on_made, d);
    j->batch = &d->make;
    j->bare = true;
    job_start(j);
}

static void look(struct driver *d, enum backend_level level);

static void on_looked(void *ctx, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct driver *d = ctx;
    struct err_info why;
    if (e != ERR_OK) {
        open_ended(d, e, info);
        return;
    }
    bool ours = backend_number(&reply->cells[0]) == REQUEST_TABLES;
    bool store = backend_number(&reply->cells[1]) > 0;
    if (ours && (store || !d->must_exist)) {
        open_ended(d, ERR_OK, NULL);
    } else if (d->look.level == BACKEND_LOCAL) {
        look(d, BACKEND_LATEST); /* this node may not have got everything yet */
    } else if (d->must_exist && !store) {
        e = err_set(&why, ERR_NOTFOUND, "rqlite at %s: has no database of this program", d->url);
        open_ended(d, e, &why);
    } else {
        make_tables(d);
    }
}

static void look(struct driver *d, enum backend_level level)
{
    d->look = (struct backend_query){.sql = request_look_sql, .level = level};
    struct job *j = job_new(d, &job_read_ops, on_looked, d);
    j->query = &d->look;
    j->impatient = true;
    j->bare = true;
    job_start(j);
}

static void on_begin(struct loop_msg *msg)
{
    struct driver *d = (struct driver *)((char *)msg - offsetof(struct driver, msg));
    if (d->open_e != ERR_OK) {
        shut(d);
        return;
    }
    look(d, BACKEND_LOCAL);
}

/* The URL is shown in messages, so there must be no password in it. */
static enum err check_url(const char *url, struct err_info *info)
{
    const char *host = strstr(url, "://");
    size_t len = host != NULL ? strcspn(host + 3, "/?#") : 0;
    if (len == 0 || len > RQLITE_URL_MAX - 10 || strlen(url) >= RQLITE_URL_MAX) {
        return err_set(info, ERR_MALFORMED, "rqlite: not a URL like http://127.0.0.1:4001");
    }
    if (memchr(host + 3, '@', len) != NULL || strpbrk(url, "?#") != NULL) {
        return err_set(info, ERR_MALFORMED,
                       "rqlite: its URL must end with host and port; user and password have "
                       "settings of their own");
    }
    return ERR_OK;
}

static void lane_init(struct lane *lane, struct driver *d)
{
    lane->driver = d;
    lane->last = &lane->first;
    uv_timer_init(d->loop, &lane->timer);
    lane->timer.data = lane;
}

static char *copy(const char *text)
{
    return text != NULL ? mem_xstrdup(text) : NULL;
}

void backend_rqlite_open(uv_loop_t *loop, struct loop_box *box, const struct store_options *options,
                         backend_open_cb *cb, void *ctx)
{
    static const struct httpc_options http = {.connections_max = 2}; /* one for each lane */
    struct driver *d = mem_xalloc(sizeof *d);
    d->base.ops = &rqlite_ops;
    d->loop = loop;
    d->box = box;
    d->url = mem_xstrdup(options->rqlite.url != NULL ? options->rqlite.url : "");
    d->user = copy(options->rqlite.user);
    d->password = copy(options->rqlite.password);
    d->busy_ms = options->busy_ms != 0 ? options->busy_ms : BUSY_DEFAULT_MS;
    d->must_exist = options->must_exist;
    d->on_open = cb;
    d->on_open_ctx = ctx;
    lane_init(&d->main, d);
    lane_init(&d->side, d);
    d->open_e = check_url(d->url, &d->open_info);
    if (d->open_e == ERR_OK) {
        size_t len = strlen(d->url);
        d->url[d->url[len - 1] == '/' ? len - 1 : len] = '\0';
        d->open_e = httpc_open(loop, &http, &d->http, &d->open_info);
    }
    d->msg.run = on_begin;
    loop_box_send(box, &d->msg);
}

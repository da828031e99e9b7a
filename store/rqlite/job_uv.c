/* Jobs in their lanes, and one exchange of a job's: prepare, send, look, settle. */
#include <stdlib.h>
#include <string.h>

#include "driver_priv.h"
#include "lib/clock.h"
#include "lib/mem.h"

/* A reply: 2000 rows of the feed with 8 KB each, or a page of a scan (one that is larger is asked
 * for with fewer rows). */
#define REPLY_MAX    (16 * 1024 * 1024)
#define REPLY_INLINE (16 * 1024) /* looked at on the loop: well under a millisecond */

int64_t job_now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void on_turn(struct loop_msg *msg);

/* Not at once: nothing ends within the call that started it. */
static void lane_kick(struct lane *lane)
{
    if (!lane->running && lane->first != NULL) {
        lane->running = true;
        lane->first->msg.run = on_turn;
        loop_box_send(lane->driver->box, &lane->first->msg);
    }
}

static void lane_put(struct lane *lane, struct job *j)
{
    j->lane = lane;
    j->next = NULL;
    *lane->last = j;
    lane->last = &j->next;
}

static void lane_take(struct lane *lane)
{
    lane->first = lane->first->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
    }
}

static void on_turn(struct loop_msg *msg)
{
    struct job *j = (struct job *)((char *)msg - offsetof(struct job, msg));
    struct driver *d = j->driver;
    bool aside = j->scan != NULL || (j->query != NULL && j->query->aside);
    if (!aside || j->lane == &d->side) {
        job_step(j);
        return;
    }
    lane_take(&d->main);
    d->main.running = false;
    lane_put(&d->side, j);
    lane_kick(&d->side);
    lane_kick(&d->main);
}

struct job *job_new(struct driver *d, const struct job_ops *ops, backend_done_cb *done, void *ctx)
{
    struct job *j = mem_xalloc(sizeof *j);
    j->ops = ops;
    j->driver = d;
    j->done = done;
    j->ctx = ctx;
    return j;
}

void job_start(struct job *j)
{
    lane_put(&j->driver->main, j);
    lane_kick(j->lane);
}

static void end(struct job *j, enum err e)
{
    struct lane *lane = j->lane;
    lane_take(lane);
    j->done(j->ctx, e, &j->info, &j->result);
    request_fini(&j->request);
    reply_fini(&j->reply);
    reply_rows_fini(&j->rows);
    pool_fini(&j->keys_pool);
    free(j->changes);
    free(j);
    lane->running = false; /* only now: what done() has started comes after what waited */
    lane_kick(lane);
}

void job_done(struct job *j)
{
    end(j, ERR_OK);
}

void job_fail(struct job *j, enum err e, const char *words, const char *more)
{
    end(j, err_set(&j->info, e, "rqlite at %s: %s%s", j->driver->url, words, more));
}

/* ---- one exchange ---------------------------------------------------------------------------- */

static void look(struct job *j, const char *body)
{
    reply_read(&j->reply, j->status, j->location, body, j->body_len, j->entries);
    if (j->reply.kind == REPLY_OK) {
        j->ops->look(j);
    }
}

static void work_look(struct loop_work *w)
{
    struct job *j = (struct job *)((char *)w - offsetof(struct job, work));
    look(j, j->body);
}

static void on_looked(struct loop_work *w)
{
    struct job *j = (struct job *)((char *)w - offsetof(struct job, work));
    free(j->body);
    j->body = NULL;
    j->ops->settle(j);
}

static void look_on_pool(struct job *j, const char *body)
{
    j->body = malloc(j->body_len + 1);
    if (j->body == NULL) {
        reply_none(&j->reply, ERR_NOMEM, "no memory for its answer", j->sent);
        j->ops->settle(j);
        return;
    }
    memcpy(j->body, body, j->body_len + 1);
    j->work.work = work_look;
    j->work.done = on_looked;
    loop_offload(j->driver->loop, &j->work);
}

/* The HTTP client's message without what we asked: METHOD URL: WORDS. */
static const char *words_of(const struct err_info *info)
{
    const char *colon = strstr(info->text, ": ");
    return colon != NULL ? colon + 2 : info->text;
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct job *j = ctx;
    j->cut = e == ERR_UNAVAIL && j->sent;
    if (e != ERR_OK) {
        reply_none(&j->reply, e, words_of(info), j->sent);
        j->ops->settle(j);
        return;
    }
    const char *location = httpc_reply_header(reply, "Location");
    const char *version = httpc_reply_header(reply, "X-Rqlite-Version");
    if (version != NULL) {
        j->driver->linearizable = reply_linearizable(version);
    }
    snprintf(j->location, sizeof j->location, "%s", location != NULL ? location : "");
    j->status = reply->status;
    j->body_len = reply->len;
    if (reply->len > REPLY_INLINE || j->scan != NULL) {
        look_on_pool(j, reply->body);
    } else {
        look(j, reply->body);
        j->ops->settle(j);
    }
}

static void send_request(struct job *j)
{
    static const struct httpc_header type = {"Content-Type", "application/json"};
    struct driver *d = j->driver;
    char url[RQLITE_URL_MAX + sizeof j->target];
    reply_fini(&j->reply);
    reply_rows_fini(&j->rows);
    j->sent = false;
    snprintf(url, sizeof url, "%s%s", d->url, j->target);
    struct httpc_request r = {
        .method = "POST",
        .url = url,
        .user = d->user,
        .password = d->password,
        .headers = &type,
        .headers_count = 1,
        .body = j->request.text,
        .body_len = j->request.len,
        .body_max = REPLY_MAX,
        .wait_ms = j->wait_ms,
        .sent = &j->sent,
    };
    httpc_start(d->http, &r, on_reply, j);
}

static void prepared(struct job *j)
{
    if (j->prepared != ERR_OK) {
        char why[sizeof j->info.text];
        memcpy(why, j->info.text, sizeof why);
        job_fail(j, j->prepared, why, "");
    } else if (j->through) {
        j->ops->settle(j);
    } else {
        send_request(j);
    }
}

static void work_prepare(struct loop_work *w)
{
    struct job *j = (struct job *)((char *)w - offsetof(struct job, work));
    j->prepared = j->ops->prepare(j);
}

static void on_prepared(struct loop_work *w)
{
    prepared((struct job *)((char *)w - offsetof(struct job, work)));
}

void job_step(struct job *j)
{
    if (j->large) {
        j->work.work = work_prepare;
        j->work.done = on_prepared;
        loop_offload(j->driver->loop, &j->work);
        return;
    }
    j->prepared = j->ops->prepare(j);
    prepared(j);
}

static void on_waited(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    lane->first->resume(lane->first);
}

static void resume_in(struct job *j, int64_t wait_ms, void (*resume)(struct job *j))
{
    j->resume = resume;
    uv_timer_start(&j->lane->timer, on_waited, (uint64_t)wait_ms, 0);
}

void job_step_in(struct job *j, int64_t wait_ms)
{
    resume_in(j, wait_ms, job_step);
}

void job_send_in(struct job *j, int64_t wait_ms)
{
    resume_in(j, wait_ms, send_request);
}

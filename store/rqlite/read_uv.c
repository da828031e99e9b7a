/* Queries and scans: what is asked along with them, whether an answer is believed. */
#include <stdio.h>
#include <string.h>

#include "driver_priv.h"
#include "sqltext.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/* How long one answer may take. A local read is a matter of a millisecond, and more is only seen
 * where the machine has other troubles; what takes long, of seconds. */
#define LOCAL_MS  3000
#define LATEST_MS 3000 /* half of the usual busy_ms: there may be a leader meanwhile */
#define LONG_MS   20000

#define CONFIRM_MS 1000 /* one number from the leader; local reads wait for it */

#define SEEN_WAIT_MS 15   /* between two looks whether something has arrived here */
#define SEEN_MAX_MS  2000 /* then it will not come soon: this node is cut off, or restarted */

/* ---- what is asked --------------------------------------------------------------------------- */

static bool is_local(const struct job *j)
{
    return j->scan != NULL || j->query->level == BACKEND_LOCAL;
}

/* Of a scan only the first query has to be of a certain time: the others come later. */
static bool is_first(const struct job *j)
{
    return j->scan == NULL || j->at == 0;
}

static const char *latest_of(const struct driver *d)
{
    return d->linearizable ? "linearizable" : "strong";
}

static const char *level_of(const struct job *j)
{
    if (!is_local(j)) {
        return latest_of(j->driver);
    }
    return is_first(j) && !j->result.stale ? "none&freshness=" TEXT_OF(STORE_FRESH_S) "s" : "none";
}

static void begin_once(struct job *j)
{
    if (j->retry.end_ms == 0) {
        int64_t now_ms = job_now_ms();
        retry_begin(&j->retry, now_ms, j->impatient ? 0 : j->driver->busy_ms);
        j->seen_end_ms = now_ms + SEEN_MAX_MS;
        if (is_local(j)) {
            memcpy(j->token, j->driver->token, sizeof j->token);
        }
    }
}

static bool has_mark(const struct job *j)
{
    return j->confirming || (is_local(j) && !j->bare);
}

static enum err prepare_confirm(struct job *j)
{
    request_begin(&j->request);
    request_add_mark(&j->request);
    j->entries = 1;
    j->wait_ms = CONFIRM_MS;
    snprintf(j->target, sizeof j->target, "/db/query?level=%s&noparse&timeout=%ums",
             latest_of(j->driver), j->wait_ms);
    return request_end(&j->request, &j->info);
}

/* Entries: the mark, the token, the query; the first two where there is need for them. */
static enum err read_prepare(struct job *j)
{
    const struct backend_query *q = page_query(j);
    const struct backend_page *page = page_of(j);
    enum err e = ERR_OK;
    begin_once(j);
    if (j->confirming) {
        return prepare_confirm(j);
    }
    request_begin(&j->request);
    j->entries = 1;
    j->floor = j->driver->mark;
    j->doubted = false;
    if (has_mark(j)) {
        j->doubted = !j->driver->confirmed && !j->confirmed && !j->result.stale;
        request_add_mark(&j->request);
        j->entries++;
    }
    if (j->token[0] != '\0') {
        request_add_check(&j->request, j->token);
        j->entries++;
    }
    if (page != NULL) {
        e = page_add(j, page);
    } else {
        request_add(&j->request, q->sql, q->values, q->params);
    }
    j->wait_ms = page != NULL || q->aside ? LONG_MS : is_local(j) ? LOCAL_MS : LATEST_MS;
    snprintf(j->target, sizeof j->target, "/db/query?level=%s&noparse&timeout=%ums", level_of(j),
             j->wait_ms);
    return e == ERR_OK ? request_end(&j->request, &j->info) : e;
}

/* ---- what came ------------------------------------------------------------------------------- */

static void spoil(struct job *j, enum err e, const struct err_info *why)
{
    j->reply.kind = REPLY_FAILED;
    j->reply.e = e;
    j->reply.info = *why;
}

/* What has been sent along with the query. */
static enum err look_aside(struct job *j, struct err_info *why)
{
    static const struct sqltext_shape number = {.columns = 1, .one_row = true};
    static const struct sqltext_shape check = {.columns = 1};
    enum err e = ERR_OK;
    j->unseen = false;
    j->mark = j->floor;
    if (has_mark(j)) {
        e = reply_rows(&j->reply, 0, number, &j->rows, why);
        j->mark = e == ERR_OK ? backend_number(&j->rows.cells[0]) : 0;
        reply_rows_fini(&j->rows);
    }
    if (e == ERR_OK && j->token[0] != '\0' && !j->confirming) {
        e = reply_rows(&j->reply, j->entries - 2, check, &j->rows, why);
        j->unseen = j->rows.rows == 0;
        reply_rows_fini(&j->rows);
    }
    return e;
}

/* The rows are no older than they may be. */
static bool is_believed(const struct job *j)
{
    return !j->confirming && !j->unseen && !j->doubted && j->mark >= j->floor;
}

static void read_look(struct job *j)
{
    const struct backend_page *page = page_of(j);
    struct err_info why = {.text = ""};
    enum err e = look_aside(j, &why);
    if (e == ERR_OK && is_believed(j)) {
        const char *sql = page != NULL ? page->sql : page_query(j)->sql;
        e = reply_rows(&j->reply, j->entries - 1, sqltext_shape(sql), &j->rows, &why);
    }
    if (e == ERR_OK && is_believed(j) && j->scan != NULL) {
        e = page_give(j, &why);
        reply_rows_fini(&j->rows); /* here, since freeing a page takes milliseconds */
        reply_fini(&j->reply);
    }
    if (e != ERR_OK) {
        spoil(j, e, &why);
    }
}

/* ---- what follows ---------------------------------------------------------------------------- */

static void fail(struct job *j, enum err e)
{
    struct err_info why = j->reply.info;
    job_fail(j, e, why.text, j->sent ? "" : "; is rqlited running?");
}

/* The node is behind where it was. Either it is on its way there, or the database as a whole was put
 * back (a backup, for one): the leader knows. */
static void ask_leader(struct job *j)
{
    j->confirming = true;
    job_step(j);
}

static void confirm_settle(struct job *j)
{
    struct driver *d = j->driver;
    bool ok = j->reply.kind == REPLY_OK;
    bool hope = !d->hasty && j->reply.e == ERR_UNAVAIL;
    int64_t wait_ms = hope ? retry_next(&j->retry, job_now_ms(), false) : -1;
    if (wait_ms >= 0) { /* who has just been started may be followed by its leader soon */
        job_step_in(j, wait_ms);
        return;
    }
    d->hasty = true;
    j->confirming = false;
    j->confirmed = true;
    if (ok) {
        d->mark = j->mark;
        d->confirmed = true;
        j->seen_end_ms = job_now_ms() + SEEN_MAX_MS;
    } else {
        j->result.stale = true;
    }
    job_step(j);
}

/* The node has not got our last write, and will not soon. */
static void give_up_token(struct job *j)
{
    if (strcmp(j->driver->token, j->token) == 0) {
        j->driver->token[0] = '\0'; /* once is enough: others need not wait as well */
    }
    j->token[0] = '\0';
    j->result.stale = true;
    job_step(j);
}

/* False: the rows are not to be used, and it is seen to what follows. */
static bool believe(struct job *j)
{
    if (is_believed(j)) {
        j->driver->mark = j->mark > j->driver->mark ? j->mark : j->driver->mark;
        return true;
    }
    if (!j->confirmed && !j->unseen) {
        ask_leader(j);
    } else if (job_now_ms() < j->seen_end_ms) {
        job_step_in(j, SEEN_WAIT_MS);
    } else if (j->mark < j->floor) {
        job_fail(j, ERR_UNAVAIL, "this node was restarted and has not caught up yet", "");
    } else {
        give_up_token(j);
    }
    return false;
}

static void after_page(struct job *j)
{
    j->repeated = false;
    if (j->enough) {
        job_fail(j, ERR_CANCELED, "the reader of a scan wanted no more", "");
    } else if (page_next(j)) {
        job_step(j);
    } else {
        job_done(j);
    }
}

static void read_ok(struct job *j)
{
    if (!believe(j)) {
        return;
    }
    if (j->token[0] != '\0' && strcmp(j->driver->token, j->token) == 0) {
        j->driver->token[0] = '\0';
    }
    j->token[0] = '\0';
    if (j->scan != NULL) {
        after_page(j);
        return;
    }
    j->result.cells = j->rows.cells;
    j->result.columns = j->rows.columns;
    j->result.rows = j->rows.rows;
    job_done(j);
}

static void latest_again(struct job *j)
{
    bool hope = j->reply.e == ERR_UNAVAIL || j->reply.e == ERR_BUSY;
    int64_t wait_ms = hope ? retry_next(&j->retry, job_now_ms(), false) : -1;
    if (wait_ms >= 0 && !j->impatient) {
        job_step_in(j, wait_ms);
    } else {
        fail(j, j->reply.e);
    }
}

static void local_again(struct job *j)
{
    if (j->reply.e == ERR_LIMIT && page_shrink(j)) {
        job_step(j);
    } else if (j->cut && !j->repeated) { /* a kept connection has died, perhaps */
        j->repeated = true;
        job_step(j);
    } else {
        fail(j, j->reply.e);
    }
}

static void read_settle(struct job *j)
{
    bool local = is_local(j);
    if (j->confirming) {
        confirm_settle(j);
        return;
    }
    switch (j->reply.kind) {
    case REPLY_OK:
        read_ok(j);
        return;
    case REPLY_STALE:
        if (!local) {
            latest_again(j);
        } else if (!j->result.stale) {
            j->result.stale = true;
            job_step(j);
        } else {
            fail(j, ERR_UNAVAIL);
        }
        return;
    case REPLY_LATER:
    case REPLY_UNKNOWN:
        if (local) {
            local_again(j);
        } else {
            latest_again(j);
        }
        return;
    case REPLY_MISSING:
        if (local && !j->bare && job_now_ms() < j->seen_end_ms) {
            job_step_in(j, SEEN_WAIT_MS); /* a node that has just joined, or was restarted */
            return;
        }
        if (local) {
            job_fail(j, ERR_UNAVAIL,
                     "this node has not got the tables yet, or somebody removed them", "");
            return;
        }
        fail(j, ERR_MALFORMED);
        return;
    case REPLY_BEFORE:
    case REPLY_UNCHANGED:
        fail(j, ERR_MALFORMED);
        return;
    case REPLY_FAILED:
        fail(j, j->reply.e);
        return;
    }
}

const struct job_ops job_read_ops = {
    .prepare = read_prepare, .look = read_look, .settle = read_settle};

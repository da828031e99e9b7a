/* Queries, and scans page by page. */
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

#define PAGE_ROWS   10000 /* of a scan: half a second's work on a slow machine */
#define PAGE_SHRINK 4     /* times fewer, where a page is more than one reply may be */

#define SEEN_WAIT_MS 15   /* between two looks whether something has arrived here */
#define SEEN_MAX_MS  2000 /* then it will not come soon: this node is cut off, or restarted */

/* ---- what is asked --------------------------------------------------------------------------- */

static const struct backend_query *query_of(const struct job *j)
{
    return j->scan != NULL ? &j->scan->queries[j->at] : j->query;
}

static const struct backend_page *page_of(const struct job *j)
{
    return j->scan != NULL && j->scan->pages[j->at].sql != NULL ? &j->scan->pages[j->at] : NULL;
}

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

/* The first page begins behind nothing: before every text there is. */
static enum err page_begin(struct job *j, const struct backend_query *q, size_t keys)
{
    size_t own = q->params * sizeof *q->values;
    j->values = pool_array(&j->keys_pool, q->params + keys + 1, sizeof *j->values);
    if (j->values == NULL) {
        return err_set(&j->info, ERR_NOMEM, "no memory for a page");
    }
    if (own > 0) {
        memcpy(j->values, q->values, own);
    }
    for (size_t i = 0; i < keys; i++) {
        j->values[q->params + i] = (struct backend_value){.kind = BACKEND_TEXT, .text = ""};
    }
    return ERR_OK;
}

static enum err add_page(struct job *j, const struct backend_page *page)
{
    const struct backend_query *q = query_of(j);
    enum err e = j->values == NULL ? page_begin(j, q, page->keys) : ERR_OK;
    if (e == ERR_OK) {
        j->page_rows = j->page_rows == 0 ? PAGE_ROWS : j->page_rows;
        j->values[q->params + page->keys] =
            (struct backend_value){.kind = BACKEND_NUMBER, .number = (int64_t)j->page_rows};
        request_add(&j->request, page->sql, j->values, q->params + page->keys + 1);
    }
    return e;
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
    const struct backend_query *q = query_of(j);
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
        e = add_page(j, page);
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

/* A is behind B, in the order of a page's keys. */
static bool is_behind(const struct backend_value *a, const struct backend_value *b, size_t keys)
{
    for (size_t i = 0; i < keys; i++) {
        if (a[i].kind != b[i].kind) {
            return a[i].kind > b[i].kind; /* NULL, numbers, text: as SQLite sorts */
        }
        int order = a[i].kind == BACKEND_TEXT ? strcmp(a[i].text, b[i].text)
                    : a[i].kind == BACKEND_NUMBER
                        ? (a[i].number > b[i].number) - (a[i].number < b[i].number)
                        : 0;
        if (order != 0) {
            return order > 0;
        }
    }
    return false;
}

/* The next page begins behind the last row of this one. A node that does not come forward would
 * keep us here for ever. */
static enum err turn_page(struct job *j, const struct backend_page *page, struct err_info *why)
{
    const struct backend_value *row = j->rows.cells + (j->rows.rows - 1) * j->rows.columns;
    struct backend_value *keys = j->values + query_of(j)->params;
    if (j->rows.rows > j->page_rows || page->keys > j->rows.columns ||
        !is_behind(row, keys, page->keys)) {
        return err_set(why, ERR_MALFORMED, "the pages of a scan do not follow each other");
    }
    struct pool fresh = {.chunks = NULL};
    struct backend_value *values =
        pool_array(&fresh, query_of(j)->params + page->keys + 1, sizeof *values);
    if (values != NULL) {
        memcpy(values, j->values, query_of(j)->params * sizeof *values);
        for (size_t i = 0; i < page->keys; i++) {
            keys = values + query_of(j)->params + i;
            *keys = row[i];
            keys->text = row[i].kind == BACKEND_TEXT ? pool_text(&fresh, row[i].text) : keys->text;
        }
    }
    pool_fini(&j->keys_pool);
    j->keys_pool = fresh;
    j->values = values;
    return fresh.bad ? err_set(why, ERR_NOMEM, "no memory for a page") : ERR_OK;
}

static enum err give_rows(struct job *j, struct err_info *why)
{
    const struct backend_page *page = page_of(j);
    const struct backend_value *row = j->rows.cells;
    for (size_t i = 0; i < j->rows.rows && !j->enough; i++, row += j->rows.columns) {
        j->enough = !j->scan->on_row(j->scan->ctx, j->at, row);
    }
    j->full = page != NULL && j->rows.rows >= j->page_rows;
    return j->full && !j->enough ? turn_page(j, page, why) : ERR_OK;
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
        const char *sql = page != NULL ? page->sql : query_of(j)->sql;
        e = reply_rows(&j->reply, j->entries - 1, sqltext_shape(sql), &j->rows, &why);
    }
    if (e == ERR_OK && is_believed(j) && j->scan != NULL) {
        e = give_rows(j, &why);
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

static void next(struct job *j)
{
    j->repeated = false;
    if (j->enough) {
        job_fail(j, ERR_CANCELED, "the reader of a scan wanted no more", "");
        return;
    }
    if (j->full) {
        j->page_rows = j->page_rows * 2 < PAGE_ROWS ? j->page_rows * 2 : PAGE_ROWS;
        job_step(j);
        return;
    }
    pool_fini(&j->keys_pool);
    j->values = NULL;
    j->at++;
    if (j->at < j->scan->count) {
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
        next(j);
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
    if (j->reply.e == ERR_LIMIT && page_of(j) != NULL && j->page_rows > 1) {
        j->page_rows = j->page_rows > PAGE_SHRINK ? j->page_rows / PAGE_SHRINK : 1;
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

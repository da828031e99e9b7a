/* The queries of a scan, each page by page: where it is, what it asks for next, what it gives. */
#include <string.h>

#include "driver_priv.h"

#define PAGE_ROWS   10000 /* of a scan: half a second's work on a slow machine */
#define PAGE_SHRINK 4     /* times fewer, where a page is more than one reply may be */

const struct backend_query *page_query(const struct job *j)
{
    return j->scan != NULL ? &j->scan->queries[j->at] : j->query;
}

const struct backend_page *page_of(const struct job *j)
{
    return j->scan != NULL && j->scan->pages[j->at].sql != NULL ? &j->scan->pages[j->at] : NULL;
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

enum err page_add(struct job *j, const struct backend_page *page)
{
    const struct backend_query *q = page_query(j);
    enum err e = j->values == NULL ? page_begin(j, q, page->keys) : ERR_OK;
    if (e == ERR_OK) {
        j->page_rows = j->page_rows == 0 ? PAGE_ROWS : j->page_rows;
        j->values[q->params + page->keys] =
            (struct backend_value){.kind = BACKEND_NUMBER, .number = (int64_t)j->page_rows};
        request_add(&j->request, page->sql, j->values, q->params + page->keys + 1);
    }
    return e;
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
    struct backend_value *keys = j->values + page_query(j)->params;
    if (j->rows.rows > j->page_rows || page->keys > j->rows.columns ||
        !is_behind(row, keys, page->keys)) {
        return err_set(why, ERR_MALFORMED, "the pages of a scan do not follow each other");
    }
    struct pool fresh = {.chunks = NULL};
    struct backend_value *values =
        pool_array(&fresh, page_query(j)->params + page->keys + 1, sizeof *values);
    if (values != NULL) {
        memcpy(values, j->values, page_query(j)->params * sizeof *values);
        for (size_t i = 0; i < page->keys; i++) {
            keys = values + page_query(j)->params + i;
            *keys = row[i];
            keys->text = row[i].kind == BACKEND_TEXT ? pool_text(&fresh, row[i].text) : keys->text;
        }
    }
    pool_fini(&j->keys_pool);
    j->keys_pool = fresh;
    j->values = values;
    return fresh.bad ? err_set(why, ERR_NOMEM, "no memory for a page") : ERR_OK;
}

enum err page_give(struct job *j, struct err_info *why)
{
    const struct backend_page *page = page_of(j);
    const struct backend_value *row = j->rows.cells;
    for (size_t i = 0; i < j->rows.rows && !j->enough; i++, row += j->rows.columns) {
        j->enough = !j->scan->on_row(j->scan->ctx, j->at, row);
    }
    j->full = page != NULL && j->rows.rows >= j->page_rows;
    return j->full && !j->enough ? turn_page(j, page, why) : ERR_OK;
}

bool page_shrink(struct job *j)
{
    if (page_of(j) == NULL || j->page_rows <= 1) {
        return false;
    }
    j->page_rows = j->page_rows > PAGE_SHRINK ? j->page_rows / PAGE_SHRINK : 1;
    return true;
}

bool page_next(struct job *j)
{
    if (j->full) {
        j->page_rows = j->page_rows * 2 < PAGE_ROWS ? j->page_rows * 2 : PAGE_ROWS;
        return true;
    }
    pool_fini(&j->keys_pool);
    j->values = NULL;
    j->at++;
    return j->at < j->scan->count;
}

/* Targets: reply_read(), reply_rows(), reply_changes(), reply_linearizable(): an HTTP reply of any
 * bytes. The first two bytes choose the status, how many statements were asked, and how many columns
 * the query has; the rest is the body. */
#include <assert.h>
#include <string.h>

#include "lib/mem.h"
#include "store/rqlite/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_info(const struct err_info *info)
{
    assert(info->text[0] != '\0');
    for (const char *at = info->text; *at != '\0'; at++) {
        assert((unsigned char)*at >= ' ' && *at != 0x7f);
    }
}

static void check_cells(const struct reply_rows *rows, size_t columns)
{
    assert(rows->columns == columns);
    for (size_t i = 0; i < (rows->rows + 1) * columns; i++) {
        const struct backend_value *v = &rows->cells[i];
        assert(v->kind == BACKEND_NULL || v->kind == BACKEND_NUMBER || v->kind == BACKEND_TEXT);
        assert(v->kind != BACKEND_TEXT || strlen(v->text) < SIZE_MAX / 2); /* all of it readable */
        assert(i < rows->rows * columns || v->kind == BACKEND_NULL);
    }
}

static void check_ok(const struct reply *r, size_t entries, size_t columns)
{
    assert(r->count == entries && r->e == ERR_OK);
    for (size_t i = 0; i < entries; i++) {
        struct reply_rows rows = {.rows = 0};
        struct err_info info = {.text = ""};
        struct sqltext_shape shape = {.columns = columns, .one_row = i % 2 == 1};
        assert(reply_changes(r, i) <= INT64_MAX);
        if (reply_rows(r, i, shape, &rows, &info) == ERR_OK) {
            check_cells(&rows, columns);
        } else {
            check_info(&info);
        }
        reply_rows_fini(&rows);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 503, 500, 401, 301, 404, 100, 599};
    if (size < 2) {
        return 0;
    }
    unsigned status = statuses[data[0] % (sizeof statuses / sizeof statuses[0])];
    size_t entries = 1 + data[1] % 4;
    size_t columns = 1 + data[1] / 4 % 8;
    size_t len = size - 2;
    char *body = mem_xalloc(len + 1); /* with a NUL behind, as the HTTP client gives it */
    memcpy(body, data + 2, len);
    struct reply r;
    reply_read(&r, status, body, body, len, entries);
    if (r.kind == REPLY_OK) {
        check_ok(&r, entries, columns);
    } else {
        assert(r.e != ERR_OK && r.at < entries);
        check_info(&r.info);
    }
    reply_fini(&r);
    (void)reply_linearizable(body);
    free(body);
    return 0;
}

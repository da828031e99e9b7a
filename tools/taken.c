#include "taken.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/zone/rules.h"
#include "lib/mem.h"
#include "rows.h"

void taken_add(struct taken *t, const char *name)
{
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->names = mem_xrealloc(t->names, t->cap * sizeof *t->names);
    }
    t->names[t->count++] = mem_xstrdup(name);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void taken_sort(struct taken *t)
{
    if (t->count > 1) {
        qsort(t->names, t->count, sizeof *t->names, by_bytes);
    }
}

size_t taken_find(const struct taken *t, const char *name)
{
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(t->names[middle], name);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return TAKEN_NONE;
}

bool taken_has(const struct taken *t, const char *name)
{
    return taken_find(t, name) != TAKEN_NONE;
}

void taken_free(struct taken *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->names[i]);
    }
    free(t->names);
    *t = (struct taken){.count = 0};
}

struct scan {
    size_t prefix_len;
    const struct taken *only; /* borrowed; NULL: all */
    struct taken *out;
};

static bool on_row(void *ctx, const struct store_row *row)
{
    struct scan *scan = ctx;
    const char *name = row->key + scan->prefix_len;
    if (scan->only == NULL || taken_has(scan->only, name)) {
        taken_add(scan->out, name);
    }
    return true;
}

enum err taken_scan(struct cli *cli, const char *prefix, const struct taken *only,
                    struct taken *out, struct err_info *info)
{
    struct scan scan = {.prefix_len = strlen(prefix), .only = only, .out = out};
    return db_scan(cli->db, prefix, on_row, &scan, info);
}

enum err taken_by(struct cli *cli, const struct wire_name *owner, struct names_rows *out,
                  struct err_info *info)
{
    char name[WIRE_NAME_TEXT_MAX];
    char token[USER_TOKEN_TEXT];
    struct taken cores = {.count = 0};
    char *found = NULL;
    *out = (struct names_rows){.record = false};
    row_name(cli, owner, name);
    enum err e = db_record_get(cli->db, name, &found, info);
    out->record = found != NULL;
    free(found);
    found = NULL;
    if (e != ERR_OK || !rules_is_label(cli_apex(cli), owner)) {
        return e;
    }
    const char *user = cli_user_row(cli, name, token);
    e = user != NULL ? db_user_get(cli->db, user, &found, info) : ERR_OK;
    out->user = found != NULL;
    free(found);
    if (e == ERR_OK) {
        e = taken_scan(cli, "core-info/", NULL, &cores, info);
    }
    out->core = taken_has(&cores, name);
    taken_free(&cores);
    return e;
}

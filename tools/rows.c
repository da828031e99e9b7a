#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

#define PREFIX "dns-record/"

void row_name(const struct cli *cli, const struct wire_name *owner, char *out)
{
    wire_name_to_relative(owner, cli_apex(cli), out);
}

struct telling {
    const struct cli *cli;
    struct row *row;
};

static void on_problem(void *ctx, const char *where, const char *why)
{
    struct telling *t = ctx;
    t->row->problems++;
    cli_warn(t->cli, "stored %s%s: %s: %s", PREFIX, t->row->name, where, why);
}

void row_parse(const struct cli *cli, struct row *row)
{
    struct err_info info = {.text = ""};
    struct telling telling = {.cli = cli, .row = row};
    enum err e = wire_name_owner(row->name, cli_apex(cli), &row->owner, &info);
    if (e == ERR_OK) {
        e = record_from_json(row->json, cli_apex(cli), cli->config.dns.default_ttl_s, &row->set,
                             on_problem, &telling);
    }
    row->usable = e == ERR_OK;
    row->key = mem_xstrdup(row->name);
    if (row->usable) {
        char key[WIRE_NAME_TEXT_MAX];
        row_name(cli, &row->owner, key);
        free(row->key);
        row->key = mem_xstrdup(key);
    }
    if (e != ERR_OK) {
        row->problems++;
        cli_warn(cli, "stored %s%s cannot be served: %s", PREFIX, row->name,
                 info.text[0] != '\0' ? info.text : "its value is not a JSON object");
    }
}

/* On a thread of the store's: copies, and nothing else. */
static bool on_row(void *ctx, const struct store_row *stored)
{
    struct rows *rows = ctx;
    if (rows->count == rows->cap) {
        rows->cap = rows->cap == 0 ? 64 : rows->cap * 2;
        rows->items = mem_xrealloc(rows->items, rows->cap * sizeof *rows->items);
    }
    rows->items[rows->count++] = (struct row){
        .name = mem_xstrdup(stored->key + strlen(PREFIX)),
        .json = mem_xstrdup(stored->value),
    };
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : strcmp(x->name, y->name);
}

int rows_read(struct cli *cli, struct rows *out)
{
    struct err_info info = {.text = ""};
    *out = (struct rows){.count = 0};
    enum err e = cli->db != NULL ? db_scan(cli->db, PREFIX, on_row, out, &info) : ERR_OK;
    if (e != ERR_OK) {
        rows_free(out);
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    for (size_t i = 0; i < out->count; i++) {
        row_parse(cli, &out->items[i]);
    }
    if (out->count > 1) {
        qsort(out->items, out->count, sizeof *out->items, by_key);
    }
    return CLI_OK;
}

void row_fini(struct row *row)
{
    free(row->name);
    free(row->key);
    free(row->json);
    record_set_free(&row->set);
}

void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        row_fini(&rows->items[i]);
    }
    free(rows->items);
    *rows = (struct rows){.count = 0};
}

struct row *rows_find(const struct rows *rows, const char *key)
{
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rows->items[middle].key, key);
        if (order == 0) {
            return &rows->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

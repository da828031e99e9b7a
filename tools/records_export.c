/* dnsctl records export: what `load` reads. A JSON value is a YAML value, so a row's members are
 * written as they are stored in canonical form. */
#include "records.h"

#include <stdlib.h>

/* NAME and its members, indented. Takes nothing. */
static void append_row(const struct cli *cli, const struct row *row, struct str *out)
{
    char *canonical = record_to_json(&row->set, cli_apex(cli));
    json_t *object = json_loads(canonical, 0, NULL);
    json_t *name = cli_text(row->key);
    char *quoted = json_dumps(name, JSON_ENCODE_ANY);
    const char *key;
    json_t *value;
    str_appendf(out, "  - subdomain: %s\n    records:\n", quoted);
    json_object_foreach(object, key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        str_appendf(out, "      %s: %s\n", key, text);
        free(text);
    }
    free(quoted);
    json_decref(name);
    json_decref(object);
    free(canonical);
}

static json_t *row_json(const struct cli *cli, const struct row *row)
{
    char *canonical = record_to_json(&row->set, cli_apex(cli));
    json_t *o = json_pack("{s:o, s:o}", "subdomain", cli_text(row->key), "records",
                          json_loads(canonical, 0, NULL));
    free(canonical);
    return o;
}

int records_export(struct cli *cli)
{
    struct str text = {.text = NULL};
    struct rows rows;
    json_t *list = json_array();
    size_t left_out = 0;
    int code = cli_need_domain(cli);
    if (code != CLI_OK || (code = cli_open(cli, DB_READ)) != CLI_OK ||
        (code = rows_read(cli, &rows)) != CLI_OK) {
        json_decref(list);
        return code;
    }
    str_append(&text, rows.count > 0 ? "records:\n" : "records: []\n");
    for (size_t i = 0; i < rows.count; i++) {
        const struct row *row = &rows.items[i];
        left_out += row->problems;
        if (row->usable && row->set.count > 0) {
            append_row(cli, row, &text);
            json_array_append_new(list, row_json(cli, row));
        }
    }
    if (cli_json(cli)) {
        json_t *document = json_pack("{s:O}", "records", list);
        char *dumped = json_dumps(document, JSON_INDENT(2));
        str_free(&text);
        str_appendf(&text, "%s\n", dumped);
        free(dumped);
        json_decref(document);
    }
    code = cli_write_output(cli, cli->count > 0 ? cli->words[0] : NULL, text.text, text.len);
    if (code == CLI_OK && left_out > 0) {
        code = cli_fail(cli, "%zu stored value%s that cannot be served %s left out (see above)",
                        left_out, left_out == 1 ? "" : "s", left_out == 1 ? "was" : "were");
    }
    json_decref(list);
    str_free(&text);
    rows_free(&rows);
    return code;
}

/* dnsctl delegation: what the parent zone must say, ready to be typed at the registrar. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "columns.h"
#include "records.h"
#include "view.h"

struct delegation {
    struct cli *cli;
    struct view *view; /* owned */
    struct columns columns;
    json_t *servers;  /* owned */
    json_t *warnings; /* owned */
};

/* Addresses of one type as glue lines; returns them for JSON. */
static json_t *glue(struct delegation *d, const char *server, const struct record_set *set,
                    uint16_t type)
{
    const struct record_rrset *addresses = record_find(set, type);
    json_t *list = json_array();
    for (size_t i = 0; addresses != NULL && i < addresses->count; i++) {
        char *text = records_value_text(type, &addresses->data[i]);
        columns_add(&d->columns, (const char *[]){server, type == TYPE_A ? "A" : "AAAA", text});
        json_array_append_new(list, json_string(text));
        free(text);
    }
    return list;
}

static void warn(struct delegation *d, const char *text)
{
    json_array_append_new(d->warnings, cli_text(text));
}

static void add_server(struct delegation *d, const struct record_data *data)
{
    char text[WIRE_NAME_TEXT_MAX];
    struct wire_name name;
    struct record_set set = {.sets = NULL};
    if (wire_name_from_wire(data->bytes, data->len, &name) != ERR_OK) {
        return;
    }
    wire_name_to_text(&name, text);
    json_t *server = json_pack("{s:s}", "name", text);
    /* Names outside the domain have their addresses elsewhere: RFC 1034 §4.2.1 */
    if (wire_name_is_under(&name, cli_apex(d->cli))) {
        view_find(d->view, &name, &set);
        json_object_set_new(server, "a", glue(d, text, &set, TYPE_A));
        json_object_set_new(server, "aaaa", glue(d, text, &set, TYPE_AAAA));
        if (record_find(&set, TYPE_A) == NULL && record_find(&set, TYPE_AAAA) == NULL) {
            char line[WIRE_NAME_TEXT_MAX + 64];
            snprintf(line, sizeof line, "%s has no address: resolvers cannot reach it", text);
            warn(d, line);
        }
        record_set_free(&set);
    }
    json_array_append_new(d->servers, server);
}

static void warn_of_cores(struct delegation *d, size_t servers)
{
    struct err_info info = {.text = ""};
    struct db_cores cores;
    char line[256];
    if (servers == 1) {
        warn(d, "there is one name server only: when it is away, so is the domain (RFC 1034 §4.1 "
                "asks for two)");
    }
    enum err e = view_cores(d->cli, &cores, &info);
    for (size_t i = 0; e == ERR_OK && i < cores.count; i++) {
        if (cores.items[i].ip == NULL && cores.items[i].ipv6 == NULL) {
            snprintf(line, sizeof line,
                     "core %.63s has no address and is no name server: dnsctl cores set %.63s "
                     "--ip ADDRESS",
                     cores.items[i].id, cores.items[i].id);
            warn(d, line);
        }
    }
    db_cores_free(&cores);
}

static void print_text(struct delegation *d)
{
    const char *domain = d->cli->config.dns.domain_text;
    size_t i;
    json_t *line;
    printf("At the registrar of %s, enter these name servers and addresses (glue):\n\n", domain);
    columns_print(&d->columns, stdout);
    json_array_foreach(d->warnings, i, line)
    {
        cli_warn(d->cli, "%s", json_string_value(line));
    }
}

/* Everything, from the apex's NS; *servers is how many there are. */
static void collect(struct delegation *d, size_t *servers)
{
    struct record_set apex;
    char domain[WIRE_NAME_TEXT_MAX];
    view_find(d->view, cli_apex(d->cli), &apex);
    const struct record_rrset *ns = record_find(&apex, TYPE_NS);
    *servers = ns != NULL ? ns->count : 0;
    wire_name_to_text(cli_apex(d->cli), domain);
    for (size_t i = 0; i < *servers; i++) {
        char *text = records_value_text(TYPE_NS, &ns->data[i]);
        columns_add(&d->columns, (const char *[]){domain, "NS", text});
        free(text);
    }
    for (size_t i = 0; i < *servers; i++) {
        add_server(d, &ns->data[i]);
    }
    warn_of_cores(d, *servers);
    record_set_free(&apex);
}

static int print(struct delegation *d, size_t servers)
{
    if (servers == 0) {
        return cli_nothing(d->cli, "no core has an address yet, so there is no name server: "
                                   "dnsctl cores set ID --ip ADDRESS");
    }
    if (cli_json(d->cli)) {
        cli_print_json_own(json_pack("{s:s, s:O, s:O}", "domain", d->cli->config.dns.domain_text,
                                     "nameservers", d->servers, "warnings", d->warnings));
    } else {
        print_text(d);
    }
    return CLI_OK;
}

int delegation_show(struct cli *cli)
{
    struct delegation d = {.cli = cli};
    struct rows rows;
    size_t servers;
    int code = cli_need_domain(cli);
    /* Before the first start there is no store, but the registrar can be told already. */
    if (code == CLI_OK && !cli_store_is_missing(cli)) {
        code = cli_open(cli, DB_READ);
    }
    if (code != CLI_OK || (code = rows_read(cli, &rows)) != CLI_OK) {
        return code;
    }
    code = view_make(cli, &rows, &d.view);
    if (code == CLI_OK) {
        d.servers = json_array();
        d.warnings = json_array();
        columns_init(&d.columns, 3, NULL);
        collect(&d, &servers);
        code = print(&d, servers);
        columns_free(&d.columns);
        json_decref(d.servers);
        json_decref(d.warnings);
    }
    view_free(d.view);
    rows_free(&rows);
    return code;
}

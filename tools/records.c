/* dnsctl records list, set, delete: one name at a time. */
#include "records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "dnsd/wire/rdata.h"
#include "dnsd/zone/rules.h"
#include "lib/mem.h"
#include "taken.h"

/* Each round of a race for one row is won by somebody: this many others may come first. */
#define ATTEMPTS 64

char *records_value_text(uint16_t type, const struct record_data *data)
{
    char *text = NULL;
    if (wire_rdata_to_text(type, data->bytes, data->len, &text, NULL) != ERR_OK) {
        text = mem_xstrdup("(not readable)");
    }
    return text;
}

enum err records_check(struct cli *cli, const struct wire_name *owner, const struct record_set *set,
                       const struct names_rows *others, struct err_info *info)
{
    return rules_records(cli_names(cli), cli_apex(cli), owner, set, others, info);
}

/* ---- list -------------------------------------------------------------------------------- */

/* One RRset to be shown; everything borrowed from the configuration and the rows. */
struct shown {
    const struct wire_name *owner;
    char name[WIRE_NAME_TEXT_MAX];
    const struct record_rrset *set;
    bool stored;
    char note[640];
};

struct listing {
    struct cli *cli;
    const struct wire_name *only; /* NULL: all */
    struct shown **items;         /* owned */
    size_t count, cap;
};

static void show(struct listing *l, const struct wire_name *owner, const struct record_rrset *set,
                 bool stored, const char *note)
{
    struct shown *s = mem_xalloc(sizeof *s);
    s->owner = owner;
    s->set = set;
    s->stored = stored;
    row_name(l->cli, owner, s->name);
    snprintf(s->note, sizeof s->note, "%s", note);
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        l->items = mem_xrealloc(l->items, l->cap * sizeof(struct shown *));
    }
    l->items[l->count++] = s;
}

static void show_config(struct listing *l, const struct wire_name *owner,
                        const struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (l->only == NULL || wire_name_equal(l->only, owner)) {
            show(l, owner, &set->sets[i], false, "from the configuration");
        }
    }
}

static void show_row(struct listing *l, const struct row *row)
{
    const struct names *names = cli_names(l->cli);
    struct names_rows none = {.record = false};
    enum names_kind shadow = names_shadow(names, NAMES_RECORD, &row->owner, &none);
    for (size_t i = 0; i < row->set.count; i++) {
        struct err_info info = {.text = ""};
        char note[sizeof((struct shown *)NULL)->note] = "";
        if (shadow != NAMES_NONE) {
            snprintf(note, sizeof note, "never answered: the name is %s", names_kind_text(shadow));
        } else if (names_check_type(names, &row->owner, row->set.sets[i].type, &info) != ERR_OK) {
            snprintf(note, sizeof note, "never answered: %s", info.text);
        }
        show(l, &row->owner, &row->set.sets[i], true, note);
    }
}

/* The domain itself first, then by name, what is fixed before what is stored. */
static int by_owner(const void *a, const void *b)
{
    const struct shown *x = *(struct shown *const *)a;
    const struct shown *y = *(struct shown *const *)b;
    bool x_apex = strcmp(x->name, "@") == 0;
    bool y_apex = strcmp(y->name, "@") == 0;
    if (x_apex != y_apex) {
        return x_apex ? -1 : 1;
    }
    int order = strcmp(x->name, y->name);
    if (order == 0) {
        order = (int)x->stored - (int)y->stored;
    }
    return order != 0 ? order : (int)x->set->type - (int)y->set->type;
}

static void collect(struct listing *l, const struct rows *rows)
{
    const struct config *c = &l->cli->config;
    show_config(l, cli_apex(l->cli), &c->dns.root);
    for (size_t i = 0; i < c->dns.static_entries.count; i++) {
        show_config(l, &c->dns.static_entries.items[i].owner,
                    &c->dns.static_entries.items[i].records);
    }
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        if (row->usable && (l->only == NULL || wire_name_equal(l->only, &row->owner))) {
            show_row(l, row);
        }
    }
    if (l->count > 1) {
        qsort(l->items, l->count, sizeof(struct shown *), by_owner);
    }
}

static uint32_t ttl_of(const struct listing *l, const struct record_rrset *set)
{
    return set->ttl_default ? l->cli->config.dns.default_ttl_s : set->ttl;
}

static void print_text(const struct listing *l)
{
    struct columns columns;
    char type[WIRE_TYPE_TEXT_MAX];
    char ttl[16];
    columns_init(&columns, 5, (const char *[]){"NAME", "TYPE", "TTL", "VALUE", ""});
    for (size_t i = 0; i < l->count; i++) {
        const struct shown *s = l->items[i];
        wire_type_to_text(s->set->type, type);
        snprintf(ttl, sizeof ttl, "%" PRIu32, ttl_of(l, s->set));
        for (size_t v = 0; v < s->set->count; v++) {
            char *value = records_value_text(s->set->type, &s->set->data[v]);
            columns_add(&columns, (const char *[]){s->name, type, ttl, value, s->note});
            free(value);
        }
    }
    columns_print(&columns, stdout);
    columns_free(&columns);
}

static void print_json(const struct listing *l)
{
    json_t *list = json_array();
    char type[WIRE_TYPE_TEXT_MAX];
    for (size_t i = 0; i < l->count; i++) {
        const struct shown *s = l->items[i];
        json_t *values = json_array();
        for (size_t v = 0; v < s->set->count; v++) {
            char *value = records_value_text(s->set->type, &s->set->data[v]);
            json_array_append_new(values, cli_text(value));
            free(value);
        }
        wire_type_to_text(s->set->type, type);
        json_t *o = json_pack("{s:o, s:s, s:I, s:o, s:s}", "name", cli_text(s->name), "type", type,
                              "ttl", (json_int_t)ttl_of(l, s->set), "values", values, "source",
                              s->stored ? "stored" : "configuration");
        if (s->stored && s->note[0] != '\0') {
            json_object_set_new(o, "shadowed", cli_text(s->note));
        }
        json_array_append_new(list, o);
    }
    cli_print_json_own(json_pack("{s:o}", "records", list));
}

int records_list(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct listing l = {.cli = cli};
    struct wire_name owner;
    struct rows rows;
    int code = cli_need_domain(cli);
    if (code == CLI_OK && cli->count == 1) {
        if (wire_name_owner(cli->words[0], cli_apex(cli), &owner, &info) != ERR_OK) {
            return cli_fail(cli, "%s", info.text);
        }
        l.only = &owner;
    }
    if (code != CLI_OK || (code = cli_open(cli, DB_READ)) != CLI_OK ||
        (code = rows_read(cli, &rows)) != CLI_OK) {
        return code;
    }
    collect(&l, &rows);
    if (l.only != NULL && l.count == 0) {
        code = cli_nothing(cli, "nothing is stored at %s", cli->words[0]);
    } else if (cli_json(cli)) {
        print_json(&l);
    } else {
        print_text(&l);
    }
    for (size_t i = 0; i < l.count; i++) {
        free(l.items[i]);
    }
    free(l.items);
    rows_free(&rows);
    return code;
}

/* ---- set and delete ---------------------------------------------------------------------- */

/* A wanted change of one row, tried again while others change it too. */
struct edit {
    struct cli *cli;
    struct wire_name owner;
    char name[WIRE_NAME_TEXT_MAX]; /* as the store calls it */
    uint16_t type;                 /* 0: the whole row */
    int64_t ttl_s;                 /* -1: the zone's default */
    bool changed;
    size_t values; /* set: how many are there now */
    bool raced;    /* somebody else changed the row meanwhile */
};

/* What the row is to become, in SET. */
typedef enum err edit_fn(struct edit *edit, struct row *row, struct err_info *info);

static enum err attempt(struct edit *edit, edit_fn *change, struct err_info *info)
{
    struct row row = {.name = mem_xstrdup(edit->name)};
    char *value = NULL;
    enum err e = db_record_get(edit->cli->db, edit->name, &row.json, info);
    if (e == ERR_OK && row.json != NULL) {
        row_parse(edit->cli, &row);
    }
    if (e == ERR_OK) {
        e = change(edit, &row, info);
    }
    if (e == ERR_OK) {
        if (row.set.count > 0) {
            value = record_to_json(&row.set, cli_apex(edit->cli));
        }
        edit->changed = row.json == NULL || value == NULL || strcmp(row.json, value) != 0;
        if (edit->changed) {
            struct store_record_change c = {.name = edit->name, .expect = row.json, .value = value};
            e = db_records_apply(edit->cli->db, &c, 1, info);
            edit->raced = e == ERR_CONFLICT;
        }
    }
    free(value);
    row_fini(&row);
    return e;
}

static enum err change_row(struct edit *edit, edit_fn *change, struct err_info *info)
{
    enum err e = ERR_OK;
    edit->raced = true;
    for (int i = 0; i < ATTEMPTS && edit->raced; i++) {
        edit->raced = false;
        info->text[0] = '\0';
        e = attempt(edit, change, info);
    }
    return e;
}

static enum err set_values(struct edit *edit, struct row *row, struct err_info *info)
{
    struct cli *cli = edit->cli;
    struct names_rows others;
    enum err e = taken_by(cli, &edit->owner, &others, info);
    record_remove(&row->set, edit->type);
    for (size_t i = 2; e == ERR_OK && i < cli->count; i++) {
        e = record_add_text(&row->set, edit->type, edit->ttl_s, cli->words[i], cli_apex(cli),
                            cli->config.dns.default_ttl_s, info);
    }
    if (e == ERR_OK) {
        e = records_check(cli, &edit->owner, &row->set, &others, info);
    }
    if (e == ERR_OK) {
        edit->values = record_find(&row->set, edit->type)->count;
    }
    return e;
}

/* CLI_OK, or said what is wrong. */
static int read_type(const struct cli *cli, const char *text, uint16_t *out)
{
    if (!wire_type_from_text(text, out)) {
        return cli_nothing(cli, "%s is no record type (A, AAAA, TXT, ..., or TYPE65280)", text);
    }
    return CLI_OK;
}

static int read_ttl(const struct cli *cli, int64_t *out)
{
    uint32_t ttl_s;
    *out = -1;
    if (cli->args.ttl == NULL) {
        return CLI_OK;
    }
    if (!str_parse_u32(cli->args.ttl, RECORD_TTL_MAX, &ttl_s)) {
        return cli_nothing(cli, "--ttl %s: seconds from 0 to %d", cli->args.ttl, RECORD_TTL_MAX);
    }
    *out = ttl_s;
    return CLI_OK;
}

int records_set(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct edit edit = {.cli = cli};
    char type[WIRE_TYPE_TEXT_MAX];
    int code = cli_need_domain(cli);
    if (code != CLI_OK || (code = read_type(cli, cli->words[1], &edit.type)) != CLI_OK ||
        (code = read_ttl(cli, &edit.ttl_s)) != CLI_OK) {
        return code;
    }
    if (wire_name_owner(cli->words[0], cli_apex(cli), &edit.owner, &info) != ERR_OK) {
        return cli_fail(cli, "%s", info.text);
    }
    row_name(cli, &edit.owner, edit.name);
    if ((code = cli_open(cli, DB_WRITE)) != CLI_OK) {
        return code;
    }
    enum err e = change_row(&edit, set_values, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    wire_type_to_text(edit.type, type);
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:s, s:s, s:I, s:b}", "name", edit.name, "type", type,
                                     "values", (json_int_t)edit.values, "changed", edit.changed));
    } else {
        printf("%s %s: %zu value%s%s\n", edit.name, type, edit.values, edit.values == 1 ? "" : "s",
               edit.changed ? "" : ", as before");
    }
    return CLI_OK;
}

static enum err delete_values(struct edit *edit, struct row *row, struct err_info *info)
{
    (void)info;
    if (row->json == NULL || (edit->type != 0 && !record_remove(&row->set, edit->type))) {
        return ERR_NOTFOUND;
    }
    if (edit->type == 0) {
        record_set_free(&row->set);
        row->set = (struct record_set){.count = 0};
    }
    return ERR_OK;
}

int records_delete(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct edit edit = {.cli = cli};
    const char *type = cli->count == 2 ? cli->words[1] : NULL;
    int code = cli_need_domain(cli);
    if (code != CLI_OK || (type != NULL && (code = read_type(cli, type, &edit.type)) != CLI_OK) ||
        (code = cli_open(cli, DB_READ)) != CLI_OK) {
        return code;
    }
    /* Other programs may have stored what is no name to us; it must be possible to remove it. */
    bool is_name = wire_name_owner(cli->words[0], cli_apex(cli), &edit.owner, &info) == ERR_OK;
    if (is_name) {
        row_name(cli, &edit.owner, edit.name);
    }
    enum err e = is_name ? change_row(&edit, delete_values, &info) : ERR_NOTFOUND;
    if (e == ERR_NOTFOUND && strlen(cli->words[0]) < sizeof edit.name) {
        snprintf(edit.name, sizeof edit.name, "%s", cli->words[0]);
        e = change_row(&edit, delete_values, &info);
    }
    if (e == ERR_NOTFOUND) {
        return cli_nothing(cli, "nothing is stored at %s%s%s", cli->words[0],
                           type != NULL ? " of type " : "", type != NULL ? type : "");
    }
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    if (cli_json(cli)) {
        cli_print_json_own(
            json_pack("{s:o, s:o}", "deleted", cli_text(edit.name), "type", cli_text(type)));
    } else {
        printf("%s%s%s deleted\n", edit.name, type != NULL ? " " : "", type != NULL ? type : "");
    }
    return CLI_OK;
}

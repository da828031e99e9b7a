/* dnsctl records import-zone and export-zone: zone files (RFC 1035 §5). */
#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "view.h"

/* ---- import ------------------------------------------------------------------------------ */

/* What an import leaves out because the daemon or the configuration has it. */
struct left_out {
    size_t soa, apex_ns, servers, fixed;
};

struct importer {
    struct cli *cli;
    struct wishes *wishes;
    struct left_out left_out;
    size_t problems;
};

static void on_problem(void *ctx, const struct wish *wish, const char *why)
{
    struct importer *im = ctx;
    im->problems++;
    fprintf(stderr, "%s: %s: %s\n", im->cli->words[0], wish->name, why);
}

static size_t problems(void *ctx, bool print)
{
    (void)print; /* each was told as it was found */
    return ((struct importer *)ctx)->problems;
}

/* A zone file tells each name's records together as a rule, so the last wish is nearly always the
 * one; otherwise a second wish is made, and wishes of one name are joined at the end. */
static struct wish *wish_of(struct importer *im, const struct wire_name *owner)
{
    struct wishes *w = im->wishes;
    char name[WIRE_NAME_TEXT_MAX];
    if (w->count > 0 && wire_name_equal(&w->items[w->count - 1].owner, owner)) {
        return &w->items[w->count - 1];
    }
    row_name(im->cli, owner, name);
    return wishes_add(w, name, owner);
}

/* Puts one value in; a TTL that is the zone's default is no TTL of its own, so that what was
 * exported comes back as it was. */
static enum err add_value(struct importer *im, struct record_set *set, uint16_t type,
                          uint32_t ttl_s, const uint8_t *rdata, size_t len, struct err_info *info)
{
    enum err e = record_add_wire(set, type, ttl_s, rdata, len, info);
    for (size_t i = 0; e == ERR_OK && i < set->count; i++) {
        if (set->sets[i].type == type) {
            set->sets[i].ttl_default = ttl_s == im->cli->config.dns.default_ttl_s;
        }
    }
    return e;
}

static enum err on_rr(void *ctx, const struct wire_zone_rr *rr, struct err_info *info)
{
    struct importer *im = ctx;
    const struct wire_name *apex = cli_apex(im->cli);
    char text[WIRE_NAME_TEXT_MAX];
    struct wire_name owner;
    wire_name_to_text(&rr->owner, text);
    if (!wire_name_is_under(&rr->owner, apex)) {
        return err_set(info, ERR_MALFORMED, "%.300s is outside of %s", text,
                       im->cli->config.dns.domain_text);
    }
    if (rr->type == TYPE_SOA) {
        im->left_out.soa++;
        return ERR_OK;
    }
    if (rr->type == TYPE_NS && wire_name_equal(&rr->owner, apex)) {
        im->left_out.apex_ns++;
        return ERR_OK;
    }
    if (names_fixed(cli_names(im->cli), &rr->owner) == NAMES_SERVER &&
        (rr->type == TYPE_A || rr->type == TYPE_AAAA)) {
        im->left_out.servers++;
        return ERR_OK;
    }
    enum err e = wire_name_owner(text, apex, &owner, info);
    if (e != ERR_OK) {
        return e;
    }
    return add_value(im, &wish_of(im, &owner)->set, rr->type, rr->ttl, rr->rdata, rr->len, info);
}

static enum err join_into(struct importer *im, struct record_set *to, const struct record_set *from,
                          struct err_info *info)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct record_rrset *set = &from->sets[i];
        for (size_t v = 0; v < set->count; v++) {
            enum err e =
                add_value(im, to, set->type, set->ttl, set->data[v].bytes, set->data[v].len, info);
            if (e != ERR_OK) {
                return e;
            }
        }
    }
    return ERR_OK;
}

/* Joins wishes of one name: they are neighbours once sorted. */
static void join(struct importer *im)
{
    struct wishes *w = im->wishes;
    size_t kept = 0;
    wishes_sort(w);
    for (size_t i = 0; i < w->count; i++) {
        struct wish *last = kept > 0 ? &w->items[kept - 1] : NULL;
        struct err_info info = {.text = ""};
        if (last == NULL || strcmp(last->name, w->items[i].name) != 0) {
            w->items[kept++] = w->items[i];
            continue;
        }
        if (join_into(im, &last->set, &w->items[i].set, &info) != ERR_OK) {
            on_problem(im, last, info.text);
        }
        free(w->items[i].name);
        record_set_free(&w->items[i].set);
    }
    w->count = kept;
}

static bool has_value(const struct record_rrset *set, const struct record_data *data)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->data[i].len == data->len &&
            memcmp(set->data[i].bytes, data->bytes, data->len) == 0) {
            return true;
        }
    }
    return false;
}

/* Removes from WISH each type that FIXED has with the same values; other values stay, to be told as
 * what they are: a contradiction. */
static void drop_same(struct importer *im, struct wish *wish, const struct record_set *fixed)
{
    for (size_t i = 0; i < fixed->count; i++) {
        const struct record_rrset *theirs = &fixed->sets[i];
        const struct record_rrset *ours = record_find(&wish->set, theirs->type);
        bool same = ours != NULL && ours->count == theirs->count;
        for (size_t v = 0; same && v < ours->count; v++) {
            same = has_value(theirs, &ours->data[v]);
        }
        if (same) {
            im->left_out.fixed += theirs->count;
            record_remove(&wish->set, theirs->type);
        }
    }
}

static void drop_fixed(struct importer *im)
{
    const struct config *c = &im->cli->config;
    struct wishes *w = im->wishes;
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct wish *wish = &w->items[i];
        if (wire_name_equal(&wish->owner, cli_apex(im->cli))) {
            drop_same(im, wish, &c->dns.root);
        }
        for (size_t s = 0; s < c->dns.static_entries.count; s++) {
            const struct config_entry *entry = &c->dns.static_entries.items[s];
            if (wire_name_equal(&wish->owner, &entry->owner)) {
                drop_same(im, wish, &entry->records);
            }
        }
        if (wish->set.count > 0) {
            w->items[kept++] = *wish;
        } else {
            free(wish->name);
            record_set_free(&wish->set);
        }
    }
    w->count = kept;
}

static void tell_left_out(const struct importer *im)
{
    const struct left_out *l = &im->left_out;
    if (l->soa > 0 || l->apex_ns > 0) {
        cli_warn(im->cli,
                 "left out: %zu SOA and %zu NS of the domain itself; the daemon makes them", l->soa,
                 l->apex_ns);
    }
    if (l->servers > 0) {
        cli_warn(im->cli, "left out: %zu address%s of the name servers; they follow from the cores",
                 l->servers, l->servers == 1 ? "" : "es");
    }
    if (l->fixed > 0) {
        cli_warn(im->cli, "left out: %zu record%s that the configuration has already", l->fixed,
                 l->fixed == 1 ? "" : "s");
    }
}

int records_import_zone(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct records_file file = {.on_problem = on_problem, .problems = problems};
    struct importer im = {.cli = cli, .wishes = &file.wishes};
    const char *name = cli->words[0];
    bool is_stdin = strcmp(name, "-") == 0;
    int code = cli_need_domain(cli);
    if (code != CLI_OK) {
        return code;
    }
    FILE *in = is_stdin ? stdin : fopen(name, "r");
    if (in == NULL) {
        return cli_fail(cli, "%s: %s", name, strerror(errno));
    }
    file.ctx = &im;
    enum err e =
        wire_zone_read(in, cli_apex(cli), cli->config.dns.default_ttl_s, on_rr, &im, &info);
    if (e != ERR_OK) {
        code = cli_fail(cli, "nothing was changed: %s: %s", name, info.text);
    } else {
        join(&im);
        drop_fixed(&im);
        tell_left_out(&im);
        code = records_carry_out(cli, &file);
    }
    if (!is_stdin) {
        fclose(in);
    }
    wishes_free(&file.wishes);
    return code;
}

/* ---- export ------------------------------------------------------------------------------ */

struct exporter {
    struct cli *cli;
    struct str text; /* owned */
    size_t count;
};

static void put_set(struct exporter *ex, const struct wire_name *owner,
                    const struct record_rrset *set)
{
    char name[WIRE_NAME_TEXT_MAX];
    char type[WIRE_TYPE_TEXT_MAX];
    uint32_t ttl_s = set->ttl_default ? ex->cli->config.dns.default_ttl_s : set->ttl;
    wire_name_to_text(owner, name);
    wire_type_to_text(set->type, type);
    for (size_t i = 0; i < set->count; i++) {
        char *value = records_value_text(set->type, &set->data[i]);
        str_appendf(&ex->text, "%s\t%" PRIu32 "\tIN\t%s\t%s\n", name, ttl_s, type, value);
        free(value);
        ex->count++;
    }
}

static void put_all(struct exporter *ex, const struct wire_name *owner,
                    const struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        put_set(ex, owner, &set->sets[i]);
    }
}

/* SOA first, as readers want it; then the name servers; then what is configured or stored.
 * Addresses that follow from the cores are not written: they would stay when the cores change. */
static void put_apex(struct exporter *ex, const struct view *view, const struct rows *rows)
{
    const struct wire_name *apex = cli_apex(ex->cli);
    const struct row *stored = rows_find(rows, "@");
    struct record_set all;
    view_find(view, apex, &all);
    put_set(ex, apex, record_find(&all, TYPE_SOA));
    const struct record_rrset *ns = record_find(&all, TYPE_NS);
    if (ns != NULL) {
        put_set(ex, apex, ns);
    }
    for (size_t i = 0; i < all.count; i++) {
        uint16_t type = all.sets[i].type;
        bool ours = record_find(&ex->cli->config.dns.root, type) != NULL ||
                    (stored != NULL && stored->usable && record_find(&stored->set, type) != NULL);
        if (type != TYPE_SOA && type != TYPE_NS && ours) {
            put_set(ex, apex, &all.sets[i]);
        }
    }
    for (size_t i = 0; ns != NULL && i < ns->count; i++) {
        struct wire_name server;
        struct record_set glue;
        if (wire_name_from_wire(ns->data[i].bytes, ns->data[i].len, &server) == ERR_OK &&
            names_fixed(cli_names(ex->cli), &server) == NAMES_SERVER &&
            view_find(view, &server, &glue)) {
            put_all(ex, &server, &glue);
            record_set_free(&glue);
        }
    }
    record_set_free(&all);
}

static void put_rest(struct exporter *ex, const struct rows *rows)
{
    const struct config *c = &ex->cli->config;
    struct names_rows none = {.record = false};
    size_t shadowed = 0;
    for (size_t i = 0; i < c->dns.static_entries.count; i++) {
        const struct config_entry *entry = &c->dns.static_entries.items[i];
        if (names_fixed(cli_names(ex->cli), &entry->owner) != NAMES_DISCOVERY) {
            put_all(ex, &entry->owner, &entry->records);
        }
    }
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        if (!row->usable || strcmp(row->key, "@") == 0) {
            continue;
        }
        if (names_shadow(cli_names(ex->cli), NAMES_RECORD, &row->owner, &none) != NAMES_NONE) {
            shadowed++;
        } else {
            put_all(ex, &row->owner, &row->set);
        }
    }
    if (shadowed > 0) {
        cli_warn(ex->cli, "left out: %zu stored name%s never answered (see dnsctl records list)",
                 shadowed, shadowed == 1 ? " that is" : "s that are");
    }
}

static int write_zone(const struct exporter *ex)
{
    const char *file = ex->cli->count > 0 ? ex->cli->words[0] : NULL;
    json_int_t count = (json_int_t)ex->count;
    int code = CLI_OK;
    if (file != NULL || !cli_json(ex->cli)) {
        code = cli_write_output(ex->cli, file, ex->text.text, ex->text.len);
    }
    if (code == CLI_OK && cli_json(ex->cli)) {
        const char *key = file != NULL ? "file" : "zone";
        cli_print_json_own(json_pack(
            "{s:o, s:I}", key, cli_text(file != NULL ? file : ex->text.text), "records", count));
    }
    return code;
}

int records_export_zone(struct cli *cli)
{
    struct exporter ex = {.cli = cli};
    struct view *view = NULL;
    struct rows rows;
    char origin[WIRE_NAME_TEXT_MAX];
    int code = cli_need_domain(cli);
    if (code != CLI_OK || (code = cli_open(cli, DB_READ)) != CLI_OK ||
        (code = rows_read(cli, &rows)) != CLI_OK) {
        return code;
    }
    code = view_make(cli, &rows, &view);
    if (code == CLI_OK) {
        wire_name_to_text(cli_apex(cli), origin);
        str_appendf(&ex.text, "$ORIGIN %s\n$TTL %" PRIu32 "\n", origin,
                    cli->config.dns.default_ttl_s);
        put_apex(&ex, view, &rows);
        put_rest(&ex, &rows);
        code = write_zone(&ex);
    }
    view_free(view);
    rows_free(&rows);
    str_free(&ex.text);
    return code;
}

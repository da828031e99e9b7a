/* dnsctl records load: YAML (or JSON, which is YAML) in the predecessor's shape,
 *   records:
 *     - subdomain: www
 *       records: {a: [192.0.2.1], ttl: 60}
 * `records` inside has the shape of a row (dnsd/zone/record.h). */
#include "records.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cfg.h"
#include "lib/mem.h"
#include "progress.h"

struct loader {
    struct cli *cli;
    struct cfg *cfg; /* owned */
    struct wishes *wishes;
};

/* ---- a YAML map as a row's JSON ---------------------------------------------------------- */

/* Members that are numbers in a row; everything else is text, quoted or not. */
static bool is_number(const struct cfg_node *n)
{
    static const char *const keys[] = {"ttl", "priority", "flags"};
    const char *key = n->key;
    uint32_t value;
    bool numeric = n->parent != NULL && n->parent->key != NULL && key != NULL &&
                   strcmp(n->parent->key, "ttls") == 0;
    for (size_t i = 0; key != NULL && i < sizeof keys / sizeof keys[0]; i++) {
        numeric = numeric || strcmp(key, keys[i]) == 0;
    }
    return numeric && str_parse_u32(n->text, UINT32_MAX, &value);
}

static bool is_null(const struct cfg_node *n)
{
    return n->kind == CFG_SCALAR && n->plain &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

static json_t *to_json(const struct cfg_node *n)
{
    json_t *out;
    uint32_t number;
    switch (n->kind) {
    case CFG_SCALAR:
        if (is_number(n) && str_parse_u32(n->text, UINT32_MAX, &number)) {
            return json_integer(number);
        }
        return cli_text(n->text);
    case CFG_LIST:
        out = json_array();
        for (size_t i = 0; i < n->count; i++) {
            json_array_append_new(out, to_json(n->items[i]));
        }
        return out;
    case CFG_MAP:
        break;
    }
    out = json_object();
    for (size_t i = 0; i < n->count; i++) {
        if (!is_null(n->items[i])) { /* as if it were not there: `cname: null` */
            json_object_set_new(out, n->items[i]->key, to_json(n->items[i]));
        }
    }
    return out;
}

/* The part of AT that STEP names: "[1]" of a list, "name" of a map; NULL if there is none. */
static const struct cfg_node *part_of(const struct cfg_node *at, char *step)
{
    uint32_t index;
    if (step[0] != '[') {
        return at->kind == CFG_MAP ? cfg_get(at, step) : NULL;
    }
    step[strcspn(step, "]")] = '\0';
    bool in_list =
        at->kind == CFG_LIST && str_parse_u32(step + 1, UINT32_MAX, &index) && index < at->count;
    return in_list ? at->items[index] : NULL;
}

/* The node that WHERE ("mx[1].priority") points at below MAP, as far as it goes. */
static const struct cfg_node *find_where(const struct cfg_node *map, const char *where)
{
    char *copy = mem_xstrdup(where);
    const struct cfg_node *at = map;
    const struct cfg_node *next = map;
    char *step = copy;
    while (next != NULL && *step != '\0') {
        char *end = step + 1 + strcspn(step + 1, ".[");
        char kept = *end;
        *end = '\0';
        next = part_of(at, step);
        at = next != NULL ? next : at;
        *end = kept;
        step = end + (kept == '.');
    }
    free(copy);
    return at;
}

/* ---- entries ----------------------------------------------------------------------------- */

struct member {
    struct loader *loader;
    const struct cfg_node *map;
};

static void on_value_problem(void *ctx, const char *where, const char *why)
{
    struct member *m = ctx;
    cfg_problem(m->loader->cfg, find_where(m->map, where), "%s", why);
}

static bool known_keys(struct loader *l, const struct cfg_node *map, const char *const *known)
{
    bool ok = true;
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->items[i]->key;
        bool found = false;
        for (size_t k = 0; known[k] != NULL; k++) {
            found = found || strcmp(key, known[k]) == 0;
        }
        if (!found) {
            const char *near = str_nearest(key, known);
            cfg_problem(l->cfg, map->items[i], "unknown key%s%s%s",
                        near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                        near != NULL ? "?" : "");
            ok = false;
        }
    }
    return ok;
}

static void read_entry(struct loader *l, const struct cfg_node *entry)
{
    static const char *const known[] = {"subdomain", "records", NULL};
    struct err_info info = {.text = ""};
    struct wire_name owner;
    char name[WIRE_NAME_TEXT_MAX];
    if (entry->kind != CFG_MAP) {
        cfg_problem(l->cfg, entry, "must be a map with subdomain and records");
        return;
    }
    const struct cfg_node *subdomain = cfg_get(entry, "subdomain");
    const struct cfg_node *records = cfg_get(entry, "records");
    bool ok = known_keys(l, entry, known);
    if (subdomain == NULL || subdomain->kind != CFG_SCALAR || is_null(subdomain)) {
        cfg_problem(l->cfg, subdomain != NULL ? subdomain : entry,
                    "subdomain must be a name below the domain, or \"@\" for the domain itself");
        ok = false;
    } else if (wire_name_owner(subdomain->text, cli_apex(l->cli), &owner, &info) != ERR_OK) {
        cfg_problem(l->cfg, subdomain, "%s", info.text);
        ok = false;
    }
    if (records == NULL || records->kind != CFG_MAP) {
        cfg_problem(l->cfg, records != NULL ? records : entry,
                    "records must be a map such as {a: [192.0.2.1]}");
        return;
    }
    if (!ok) {
        return;
    }
    row_name(l->cli, &owner, name);
    struct wish *wish = wishes_add(l->wishes, name, &owner);
    struct member member = {.loader = l, .map = records};
    json_t *object = to_json(records);
    char *text = json_dumps(object, JSON_COMPACT);
    wish->where = entry;
    size_t before = cfg_problem_count(l->cfg);
    if (record_from_json(text, cli_apex(l->cli), l->cli->config.dns.default_ttl_s, &wish->set,
                         on_value_problem, &member) != ERR_OK) {
        cfg_problem(l->cfg, records, "must be a map such as {a: [192.0.2.1]}");
    } else if (wish->set.count == 0 && cfg_problem_count(l->cfg) == before) {
        cfg_problem(l->cfg, records, "holds no records; leave the entry out, or use delete");
    }
    free(text);
    json_decref(object);
}

static int by_name_then_line(const void *a, const void *b)
{
    const struct wish *x = a;
    const struct wish *y = b;
    const struct cfg_node *nx = x->where;
    const struct cfg_node *ny = y->where;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : nx->line < ny->line ? -1 : 1;
}

/* The first of each name counts; the others are problems. */
static void drop_duplicates(struct loader *l)
{
    struct wishes *w = l->wishes;
    size_t kept = 0;
    if (w->count > 1) {
        qsort(w->items, w->count, sizeof *w->items, by_name_then_line);
    }
    for (size_t i = 0; i < w->count; i++) {
        if (kept > 0 && strcmp(w->items[kept - 1].name, w->items[i].name) == 0) {
            const struct cfg_node *first = w->items[kept - 1].where;
            cfg_problem(l->cfg, w->items[i].where, "%s is on line %u already", w->items[i].name,
                        first->line);
            free(w->items[i].name);
            record_set_free(&w->items[i].set);
        } else {
            w->items[kept++] = w->items[i];
        }
    }
    w->count = kept;
}

static void read_entries(struct loader *l)
{
    static const char *const known[] = {"records", NULL};
    const struct cfg_node *root = cfg_root(l->cfg);
    const struct cfg_node *list = cfg_get(root, "records");
    struct progress bar;
    known_keys(l, root, known);
    if (list != NULL && is_null(list)) {
        return; /* `records:` with nothing: no wishes, which --replace takes at its word */
    }
    if (list == NULL || list->kind != CFG_LIST) {
        cfg_problem(l->cfg, list != NULL ? list : root,
                    "the file must hold a list `records:` of entries with subdomain and records");
        return;
    }
    progress_start(&bar, "reading", list->count);
    for (size_t i = 0; i < list->count; i++) {
        progress_at(&bar, i);
        read_entry(l, list->items[i]);
    }
    progress_end(&bar);
    drop_duplicates(l);
}

/* ---- the command ------------------------------------------------------------------------- */

static void on_problem(void *ctx, const struct wish *wish, const char *why)
{
    struct loader *l = ctx;
    cfg_problem(l->cfg, wish->where, "%s", why);
}

static size_t problems(void *ctx, bool print)
{
    struct loader *l = ctx;
    struct str text = {.text = NULL};
    if (print && cfg_problem_count(l->cfg) > 0) {
        cfg_problems_text(l->cfg, &text);
        fputs(text.text, stderr);
        str_free(&text);
    }
    return cfg_problem_count(l->cfg);
}

int records_load(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct loader loader = {.cli = cli};
    struct records_file file = {.on_problem = on_problem, .problems = problems, .ctx = &loader};
    char *text = NULL;
    size_t len = 0;
    int code = cli_need_domain(cli);
    if (code != CLI_OK) {
        return code;
    }
    if (cli_read_input(cli->words[0], CFG_BYTES_MAX, &text, &len, &info) != ERR_OK) {
        return cli_fail(cli, "%s", info.text);
    }
    loader.wishes = &file.wishes;
    loader.cfg = cfg_new();
    cfg_add(loader.cfg, cli->words[0], text, len);
    if (cfg_problem_count(loader.cfg) == 0) { /* after a syntax error there is no tree to judge */
        read_entries(&loader);
    }
    code = records_carry_out(cli, &file);
    wishes_free(&file.wishes);
    cfg_free(loader.cfg);
    free(text);
    return code;
}

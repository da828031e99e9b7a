/* dnsctl users list, get, set, delete. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "columns.h"
#include "lib/mem.h"
#include "taken.h"

/* A million users are normal: nothing here holds more than one. */
struct listing {
    bool json;
    size_t count;
    int failure; /* errno of the thread that could not write; 0: none */
};

static void print_user_line(const char *name, const char *core)
{
    char text[STORE_KEY_MAX * 2 + 40];
    snprintf(text, sizeof text, "%-30s %s", name, core);
    columns_clean(text);
    puts(text);
}

/* On a thread of the store's, while the command waits. */
static bool on_user(void *ctx, const struct store_row *row)
{
    struct listing *l = ctx;
    const char *name = row->key + strlen("user-core/");
    if (l->json) {
        json_t *o = json_pack("{s:o, s:o}", "name", cli_text(name), "core", cli_text(row->value));
        fputs(l->count > 0 ? ",\n" : "\n", stdout);
        json_dumpf(o, stdout, 0);
        json_decref(o);
    } else {
        print_user_line(name, row->value);
    }
    l->count++;
    l->failure = ferror(stdout) != 0 ? errno : 0;
    return l->failure == 0;
}

int users_list(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct listing listing = {.json = cli_json(cli)};
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    if (listing.json) {
        fputs("{\"users\": [", stdout);
    } else {
        printf("%-30s %s\n", "NAME", "CORE");
    }
    enum err e = db_scan(cli->db, "user-core/", on_user, &listing, &info);
    if (listing.failure != 0) {
        return cli_output_failed(cli, listing.failure);
    }
    if (e != ERR_OK) {
        return cli_fail(cli, "the store: %s", info.text);
    }
    if (listing.json) {
        fputs("\n]}\n", stdout);
    }
    return CLI_OK;
}

/* The name as stored: as we would write it, or exactly as given (rows of other programs). */
static enum err find(struct cli *cli, const char *text, char **name, char **core,
                     struct err_info *info)
{
    char label[WIRE_LABEL_MAX + 1];
    const char *found = text;
    enum err e = db_user_get(cli->db, text, core, info);
    if (e == ERR_OK && *core == NULL && names_label(text, label, NULL) == ERR_OK) {
        found = label;
        e = db_user_get(cli->db, label, core, info);
    }
    *name = e == ERR_OK && *core != NULL ? mem_xstrdup(found) : NULL;
    return e;
}

static int print_user(const struct cli *cli, const char *name, const char *core, const char *what)
{
    if (cli_json(cli)) {
        json_t *o =
            json_pack("{s:{s:o, s:o}}", "user", "name", cli_text(name), "core", cli_text(core));
        if (what != NULL) {
            json_object_set_new(o, "change", cli_text(what));
        }
        cli_print_json_own(o);
    } else if (what != NULL) {
        printf("user %s %s %s\n", name, what, core);
    } else {
        printf("%s\n", core);
    }
    return CLI_OK;
}

int users_get(struct cli *cli)
{
    struct err_info info = {.text = ""};
    char *name = NULL;
    char *core = NULL;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    if (find(cli, cli->words[0], &name, &core, &info) != ERR_OK) {
        code = cli_fail(cli, "the store: %s", info.text);
    } else if (core == NULL) {
        code = cli_nothing(cli, "there is no user %s", cli->words[0]);
    } else {
        code = print_user(cli, name, core, NULL);
    }
    free(name);
    free(core);
    return code;
}

/* The available core with fewest users; of equals the first. NULL: none is available. */
static const struct store_core *emptiest(const struct db_cores *cores)
{
    const struct store_core *best = NULL;
    for (size_t i = 0; i < cores->count; i++) {
        const struct store_core *c = &cores->items[i];
        if (c->available && (best == NULL || c->users < best->users)) {
            best = c;
        }
    }
    return best;
}

/* The core that a user is to have; borrowed. NULL: said why there is none. */
static const char *choose(struct cli *cli, const struct db_cores *cores)
{
    const char *wanted = cli->count == 2 ? cli->words[1] : NULL;
    const struct store_core *core = wanted != NULL ? db_cores_find(cores, wanted) : emptiest(cores);
    if (core != NULL) {
        return core->id;
    }
    if (wanted != NULL) {
        cli_fail(cli, "there is no core %s; dnsctl cores list shows them", wanted);
    } else {
        cli_fail(cli, "no core is available for a new user; dnsctl cores list shows them");
    }
    return NULL;
}

static enum err check_new(struct cli *cli, const char *label, struct err_info *info)
{
    struct wire_name owner;
    struct names_rows rows;
    enum err e = wire_name_from_text(label, cli_apex(cli), &owner, info);
    if (e == ERR_OK) {
        e = taken_by(cli, &owner, &rows, info);
    }
    if (e == ERR_OK) {
        e = names_check(cli_names(cli), NAMES_USER, &owner, &rows, info);
    }
    return e;
}

/* OLD: the core it has now, NULL if it is new. */
static int put(struct cli *cli, const char *name, const char *core, const char *old)
{
    struct err_info info = {.text = ""};
    if (old != NULL && strcmp(old, core) == 0) {
        return print_user(cli, name, core, "stays on");
    }
    enum store_put how = old == NULL ? STORE_ONLY_NEW : STORE_REPLACE;
    if (db_user_put(cli->db, name, core, how, &info) != ERR_OK) {
        return cli_fail(cli, "user %s: %s", name, info.text);
    }
    return print_user(cli, name, core, old == NULL ? "added to" : "moved to");
}

int users_set(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    char label[WIRE_LABEL_MAX + 1];
    char *name = NULL;
    char *old = NULL;
    int code = cli_need_cleartext(cli);
    if (code != CLI_OK || (code = cli_open(cli, DB_WRITE)) != CLI_OK) {
        return code;
    }
    if (find(cli, cli->words[0], &name, &old, &info) != ERR_OK ||
        db_cores_list(cli->db, &cores, &info) != ERR_OK) {
        code = cli_fail(cli, "the store: %s", info.text);
    } else if (old == NULL && (names_label(cli->words[0], label, &info) != ERR_OK ||
                               check_new(cli, label, &info) != ERR_OK)) {
        code = cli_fail(cli, "user %s: %s", cli->words[0], info.text);
    } else if (old != NULL && cli->count == 1) {
        code = put(cli, name, old, old); /* without a core, one who has a place keeps it */
    } else {
        const char *core = choose(cli, &cores);
        code = core != NULL ? put(cli, old != NULL ? name : label, core, old) : CLI_FAILED;
    }
    db_cores_free(&cores);
    free(name);
    free(old);
    return code;
}

int users_delete(struct cli *cli)
{
    struct err_info info = {.text = ""};
    char *name = NULL;
    char *core = NULL;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = find(cli, cli->words[0], &name, &core, &info);
    if (e == ERR_OK && core != NULL) {
        e = db_user_delete(cli->db, name, &info);
    }
    if (e == ERR_NOTFOUND || (e == ERR_OK && core == NULL)) {
        code = cli_nothing(cli, "there is no user %s", cli->words[0]);
    } else if (e != ERR_OK) {
        code = cli_fail(cli, "user %s: %s", cli->words[0], info.text);
    } else if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o}", "deleted", cli_text(name)));
    } else {
        printf("user %s deleted\n", name);
    }
    free(name);
    free(core);
    return code;
}

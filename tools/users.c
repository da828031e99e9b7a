/* dnsctl users list, get, set, delete. Where names are hashed (platform.piiMode) a name that is given
 * leads to its row by way of its token; a list can only show the tokens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "columns.h"
#include "lib/mem.h"
#include "taken.h"

#define NAME_WIDTH 30

/* A million users are normal: nothing here holds more than one. */
struct listing {
    bool json;
    bool hashed;
    size_t count;
    int failure; /* errno of the thread that could not write; 0: none */
};

static bool is_token(const char *text)
{
    uint8_t token[USER_TOKEN_LEN];
    return user_token_from_text(text, token);
}

static void print_user_line(int width, const char *name, const char *core)
{
    char text[STORE_KEY_MAX * 2 + 40];
    snprintf(text, sizeof text, "%-*s %s", width, name, core);
    columns_clean(text);
    puts(text);
}

/* On a thread of the store's, while the command waits. */
static bool on_user(void *ctx, const struct store_row *row)
{
    struct listing *l = ctx;
    const char *name = row->key + strlen("user-core/");
    if (l->json) {
        const char *what = l->hashed && is_token(name) ? "token" : "name";
        json_t *o = json_pack("{s:o, s:o}", what, cli_text(name), "core", cli_text(row->value));
        fputs(l->count > 0 ? ",\n" : "\n", stdout);
        json_dumpf(o, stdout, 0);
        json_decref(o);
    } else {
        print_user_line(l->hashed ? USER_TOKEN_TEXT - 1 : NAME_WIDTH, name, row->value);
    }
    l->count++;
    l->failure = ferror(stdout) != 0 ? errno : 0;
    return l->failure == 0;
}

int users_list(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct listing listing = {.json = cli_json(cli), .hashed = cli_users_hashed(cli)};
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    cli_begin_output(cli);
    if (listing.json) {
        fputs("{\"users\": [", stdout);
    } else if (listing.hashed) {
        print_user_line(USER_TOKEN_TEXT - 1, "NAME, HASHED (platform.piiMode)", "CORE");
    } else {
        print_user_line(NAME_WIDTH, "NAME", "CORE");
    }
    enum err e = db_scan(cli->db, "user-core/", on_user, &listing, &info);
    if (listing.failure != 0) {
        return cli_output_failed(cli, listing.failure);
    }
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    if (listing.json) {
        fputs("\n]}\n", stdout);
    }
    return CLI_OK;
}

/* Whom a command is about. */
struct user {
    char name[WIRE_LABEL_MAX + 1]; /* as we would write it; "": nobody can be called that */
    char *row;                     /* owned: as stored, NULL: there is no such row */
    char *core;                    /* owned: likewise */
};

static void user_fini(struct user *u)
{
    free(u->row);
    free(u->core);
}

/* What to call one that is there: a token only if one was given. */
static const char *shown(const struct cli *cli, const struct user *u)
{
    return is_token(u->row) && !is_token(cli->words[0]) ? u->name : u->row;
}

static enum err look(struct cli *cli, const char *row, struct user *u, struct err_info *info)
{
    enum err e =
        row != NULL && u->core == NULL ? db_user_get(cli->db, row, &u->core, info) : ERR_OK;
    if (u->core != NULL && u->row == NULL) {
        u->row = mem_xstrdup(row);
    }
    return e;
}

/* The user that is called by the first word: exactly as stored (rows of other programs; tokens), or
 * as we would write it. */
static enum err find(struct cli *cli, struct user *u, struct err_info *info)
{
    const char *text = cli->words[0];
    char token[USER_TOKEN_TEXT];
    *u = (struct user){.row = NULL};
    bool exact = !cli_users_hashed(cli) || is_token(text);
    enum err e = exact ? look(cli, text, u, info) : ERR_OK;
    if (e == ERR_OK && names_label(text, u->name, NULL) == ERR_OK) {
        e = look(cli, cli_user_row(cli, u->name, token), u, info);
    }
    return e;
}

/* WHAT: what was done, NULL: nothing. */
static int print_user(const struct cli *cli, const char *name, const char *row, const char *core,
                      const char *what)
{
    if (cli_json(cli)) {
        json_t *user = json_object();
        if (!cli_users_hashed(cli) || !is_token(name)) {
            json_object_set_new(user, "name", cli_text(name));
        }
        json_object_set_new(user, "core", cli_text(core));
        if (cli_users_hashed(cli)) {
            json_object_set_new(user, "token", cli_text(row));
        }
        json_t *o = json_pack("{s:o}", "user", user);
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
    struct user user;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = find(cli, &user, &info);
    if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "the store: %s", info.text);
    } else if (user.row == NULL) {
        code = cli_nothing(cli, "there is no user %s", cli->words[0]);
    } else {
        code = print_user(cli, shown(cli, &user), user.row, user.core, NULL);
    }
    user_fini(&user);
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

/* Moves a user that is there, or makes the row of one that is not. */
static int put(struct cli *cli, const struct user *u, const char *core)
{
    struct err_info info = {.text = ""};
    char token[USER_TOKEN_TEXT];
    bool is_new = u->row == NULL;
    const char *row = is_new ? cli_user_row(cli, u->name, token) : u->row;
    const char *name = is_new ? u->name : shown(cli, u);
    if (!is_new && strcmp(u->core, core) == 0) {
        return print_user(cli, name, row, core, "stays on");
    }
    enum store_put how = is_new ? STORE_ONLY_NEW : STORE_REPLACE;
    enum err e = db_user_put(cli->db, row, core, how, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "user %s: %s", name, info.text);
    }
    return print_user(cli, name, row, core, is_new ? "added to" : "moved to");
}

int users_set(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    struct user user;
    char label[WIRE_LABEL_MAX + 1];
    int code = cli_open(cli, DB_WRITE);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = find(cli, &user, &info);
    if (e == ERR_OK) {
        e = db_cores_list(cli->db, &cores, &info);
    }
    if (e == ERR_OK && user.row == NULL) {
        e = names_label(cli->words[0], label, &info);
    }
    if (e == ERR_OK && user.row == NULL) {
        e = check_new(cli, label, &info);
    }
    if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "user %s: %s", cli->words[0], info.text);
    } else if (user.row != NULL && cli->count == 1) {
        code = put(cli, &user, user.core); /* without a core, one who has a place keeps it */
    } else {
        const char *core = choose(cli, &cores);
        code = core != NULL ? put(cli, &user, core) : CLI_FAILED;
    }
    db_cores_free(&cores);
    user_fini(&user);
    return code;
}

int users_delete(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct user user;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = find(cli, &user, &info);
    if (e == ERR_OK) {
        e = look(cli, cli->words[0], &user, &info); /* a name in clear that should not be there */
    }
    if (e == ERR_OK && user.row != NULL) {
        e = db_user_delete(cli->db, user.row, &info);
    }
    if (e == ERR_NOTFOUND || (e == ERR_OK && user.row == NULL)) {
        code = cli_nothing(cli, "there is no user %s", cli->words[0]);
    } else if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "user %s: %s", cli->words[0], info.text);
    } else if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o}", "deleted", cli_text(shown(cli, &user))));
    } else {
        printf("user %s deleted\n", shown(cli, &user));
    }
    user_fini(&user);
    return code;
}

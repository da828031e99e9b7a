/* Carrying out what a file wants: plan, tell, apply as a whole. */
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/zone/rules.h"
#include "lib/mem.h"
#include "progress.h"
#include "taken.h"

#define ATTEMPTS       8  /* how often others may change rows between plan and apply */
#define ASK_ONE_BY_ONE 64 /* from this many new names on, one scan is quicker than questions */

struct work {
    struct cli *cli;
    struct records_file *file;
    struct rows rows;
    struct plan plan;
    struct taken cores, users; /* of the names that change */
};

static bool changes(const struct plan_step *s)
{
    return s->kind == PLAN_ADD || s->kind == PLAN_UPDATE;
}

static bool is_label(const struct cli *cli, const struct wish *wish)
{
    return rules_is_label(cli_apex(cli), &wish->owner);
}

static enum err ask_users(struct work *w, const struct taken *names, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < names->count; i++) {
        char token[USER_TOKEN_TEXT];
        char *core = NULL;
        const char *row = cli_user_row(w->cli, names->names[i], token);
        e = row != NULL ? db_user_get(w->cli->db, row, &core, info) : ERR_OK;
        if (core != NULL) {
            taken_add(&w->users, names->names[i]);
        }
        free(core);
    }
    return e;
}

/* A scan is in the order of rows, which is not that of names where those are hashed. */
static enum err scan_users(struct work *w, const struct taken *names, struct err_info *info)
{
    struct taken wanted = {.count = 0};
    struct taken found = {.count = 0};
    char token[USER_TOKEN_TEXT];
    for (size_t i = 0; i < names->count; i++) {
        const char *row = cli_user_row(w->cli, names->names[i], token);
        if (row != NULL) {
            taken_add(&wanted, row);
        }
    }
    taken_sort(&wanted);
    enum err e = taken_scan(w->cli, "user-core/", &wanted, &found, info);
    for (size_t i = 0; e == ERR_OK && i < names->count; i++) {
        const char *row = cli_user_row(w->cli, names->names[i], token);
        if (row != NULL && taken_has(&found, row)) {
            taken_add(&w->users, names->names[i]);
        }
    }
    taken_free(&wanted);
    taken_free(&found);
    return e;
}

/* Users among the names that change: asked one by one, or found by a scan of all. */
static enum err find_users(struct work *w, struct err_info *info)
{
    struct taken names = {.count = 0};
    for (size_t i = 0; i < w->plan.count; i++) {
        const struct plan_step *s = &w->plan.steps[i];
        if (changes(s) && is_label(w->cli, s->wish)) {
            taken_add(&names, s->wish->name);
        }
    }
    enum err e =
        names.count < ASK_ONE_BY_ONE ? ask_users(w, &names, info) : scan_users(w, &names, info);
    taken_free(&names);
    return e;
}

/* Only what would be written is judged: a row that is there already stays as it is. */
static int judge(struct work *w)
{
    struct err_info info = {.text = ""};
    struct progress bar;
    enum err e =
        w->cli->db != NULL ? taken_scan(w->cli, "core-info/", NULL, &w->cores, &info) : ERR_OK;
    if (e == ERR_OK && w->cli->db != NULL) {
        e = find_users(w, &info);
    }
    if (e != ERR_OK) {
        return cli_fail_store(w->cli, e, "the store: %s", info.text);
    }
    progress_start(&bar, "checking", w->plan.count);
    for (size_t i = 0; i < w->plan.count; i++) {
        const struct plan_step *s = &w->plan.steps[i];
        progress_at(&bar, i);
        if (changes(s)) {
            struct names_rows others = {
                .core = is_label(w->cli, s->wish) && taken_has(&w->cores, s->wish->name),
                .user = taken_has(&w->users, s->wish->name),
            };
            info.text[0] = '\0';
            if (records_check(w->cli, &s->wish->owner, &s->wish->set, &others, &info) != ERR_OK) {
                w->file->on_problem(w->file->ctx, s->wish, info.text);
            }
        }
    }
    progress_end(&bar);
    return CLI_OK;
}

static const char *const marks[] = {
    [PLAN_ADD] = "+", [PLAN_UPDATE] = "~", [PLAN_KEEP] = "=", [PLAN_REMOVE] = "-"};
static const char *const words[] = {[PLAN_ADD] = "added",
                                    [PLAN_UPDATE] = "updated",
                                    [PLAN_KEEP] = "unchanged",
                                    [PLAN_REMOVE] = "removed"};

static const char *step_name(const struct plan_step *s)
{
    return s->wish != NULL ? s->wish->name : s->row->key;
}

static void tell_text(const struct plan *plan, bool each)
{
    struct str line = {.text = NULL};
    for (size_t i = 0; each && i < plan->count; i++) {
        if (plan->steps[i].kind != PLAN_KEEP) {
            printf("%s %s\n", marks[plan->steps[i].kind], step_name(&plan->steps[i]));
        }
    }
    plan_line(plan, &line);
    printf("%s\n", line.text);
    fflush(stdout);
    str_free(&line);
}

static void tell_json(const struct plan *plan, bool dry_run)
{
    json_t *o =
        json_pack("{s:{s:I, s:I, s:I, s:I}, s:b}", "plan", "added", (json_int_t)plan->added,
                  "updated", (json_int_t)plan->updated, "unchanged", (json_int_t)plan->unchanged,
                  "removed", (json_int_t)plan->removed, "dryRun", dry_run);
    json_t *list = json_array();
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_step *s = &plan->steps[i];
        if (s->kind != PLAN_KEEP) {
            json_array_append_new(list, json_pack("{s:o, s:s}", "name", cli_text(step_name(s)),
                                                  "change", words[s->kind]));
        }
    }
    json_object_set_new(o, "changes", list);
    cli_print_json_own(o);
}

static int apply(struct work *w, bool *raced)
{
    struct err_info info = {.text = ""};
    size_t count;
    struct store_record_change *list = plan_changes(&w->plan, cli_apex(w->cli), &count);
    enum err e = count > 0 ? db_records_apply(w->cli->db, list, count, &info) : ERR_OK;
    plan_changes_free(list, count);
    *raced = e == ERR_CONFLICT;
    if (e != ERR_OK && !*raced) {
        return cli_fail_store(w->cli, e, "the store: %s", info.text);
    }
    return CLI_OK;
}

static void work_fini(struct work *w)
{
    plan_free(&w->plan);
    taken_free(&w->cores);
    taken_free(&w->users);
    rows_free(&w->rows);
}

static int round_of(struct cli *cli, struct records_file *file, bool *raced)
{
    bool dry_run = (cli->args.given & ARGS_DRY_RUN) != 0;
    struct work w = {.cli = cli, .file = file};
    int code = rows_read(cli, &w.rows);
    *raced = false;
    if (code == CLI_OK) {
        plan_compare(&w.rows, &file->wishes, (cli->args.given & ARGS_REPLACE) != 0, &w.plan);
        code = judge(&w);
    }
    size_t problems = code == CLI_OK ? file->problems(file->ctx, true) : 0;
    if (problems > 0) {
        code = cli_fail(cli, "nothing was changed: %zu problem%s in %s", problems,
                        problems == 1 ? "" : "s", cli->words[0]);
    }
    if (code == CLI_OK && !cli_json(cli)) {
        tell_text(&w.plan, dry_run);
    }
    if (code == CLI_OK && !dry_run) {
        code = apply(&w, raced);
    }
    if (code == CLI_OK && !*raced && cli_json(cli)) {
        tell_json(&w.plan, dry_run);
    }
    work_fini(&w);
    return code;
}

int records_carry_out(struct cli *cli, struct records_file *file)
{
    bool dry_run = (cli->args.given & ARGS_DRY_RUN) != 0;
    bool raced = true;
    int code = CLI_OK;
    wishes_sort(&file->wishes);
    /* A dry run makes no database: without one it plans against nothing. */
    if (!dry_run || !cli_store_is_missing(cli)) {
        code = cli_open(cli, dry_run ? DB_READ : DB_WRITE);
    }
    for (int i = 0; i < ATTEMPTS && code == CLI_OK && raced; i++) {
        if (i > 0) {
            cli_warn(cli, "rows were changed meanwhile; planning again");
        }
        code = round_of(cli, file, &raced);
    }
    if (code == CLI_OK && raced) {
        code = cli_fail(cli, "nothing was changed: others keep changing the same rows");
    }
    return code;
}

/* dnsctl users load: the whole file is judged first, then written in large transactions. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "columns.h"
#include "lib/mem.h"
#include "progress.h"
#include "taken.h"
#include "users_csv.h"
#include "users_set.h"

#define LINE_MAX_LEN   1024 /* two labels and generous blanks */
#define PROBLEMS_SHOWN 20
#define CHUNK          50000 /* users a transaction: short enough for other writers to get in */

struct load {
    struct cli *cli;
    FILE *in; /* borrowed or owned by users_load() */
    struct users_set set;
    struct taken cores, records;
    size_t problems;
    uint32_t line;
    uint64_t bytes;
};

static void problem(struct load *l, char *why)
{
    columns_clean(why);
    if (l->problems++ < PROBLEMS_SHOWN) {
        fprintf(stderr, "%s:%" PRIu32 ": %s\n", l->cli->words[0], l->line, why);
    }
}

/* One line without its end; false at the end of the file. *whole: it fits and holds no NUL. */
static bool read_line(struct load *l, char line[LINE_MAX_LEN], bool *whole)
{
    size_t len = 0;
    int c = getc_unlocked(l->in);
    *whole = true;
    if (c == EOF) {
        return false;
    }
    for (; c != EOF && c != '\n'; c = getc_unlocked(l->in)) {
        l->bytes++;
        if (c == '\0' || len == LINE_MAX_LEN - 1) {
            *whole = false;
        } else {
            line[len++] = (char)c;
        }
    }
    l->bytes++;
    line[len] = '\0';
    l->line++;
    return true;
}

static enum err judge(struct load *l, const struct users_csv_line *line, char *label, size_t *core,
                      struct err_info *info)
{
    struct names_rows rows = {.record = false};
    struct wire_name owner;
    enum err e = names_label(line->name, label, info);
    if (e == ERR_OK) {
        e = wire_name_from_text(label, cli_apex(l->cli), &owner, info);
    }
    if (e == ERR_OK) {
        rows.record = taken_has(&l->records, label);
        rows.core = taken_has(&l->cores, label);
        e = names_check(cli_names(l->cli), NAMES_USER, &owner, &rows, info);
    }
    if (e == ERR_OK) {
        *core = taken_find(&l->cores, line->core);
        if (*core == TAKEN_NONE) {
            e = err_set(info, ERR_NOTFOUND, "there is no core %.80s", line->core);
        }
    }
    return e;
}

static void read_user(struct load *l, char *text)
{
    struct err_info info = {.text = ""};
    struct users_csv_line line;
    char label[WIRE_LABEL_MAX + 1];
    size_t core = 0;
    enum err e = users_csv_read(text, l->line == 1, &line, &info);
    if (e == ERR_OK && line.kind == USERS_CSV_NOTHING) {
        return;
    }
    if (e == ERR_OK) {
        e = judge(l, &line, label, &core, &info);
    }
    if (e == ERR_OK) {
        uint32_t before = users_set_add(&l->set, label, (uint32_t)core, l->line);
        if (before != 0) {
            e = err_set(&info, ERR_CONFLICT, "%s is on line %" PRIu32 " already", label, before);
        }
    }
    if (e != ERR_OK) {
        problem(l, info.text);
    }
}

/* CLI_OK: everything is in the set; else said what is wrong. */
static int read_all(struct load *l)
{
    char line[LINE_MAX_LEN];
    bool whole;
    struct stat file;
    struct progress bar;
    bool sized = fstat(fileno(l->in), &file) == 0 && S_ISREG(file.st_mode);
    progress_start(&bar, "reading bytes", sized ? (uint64_t)file.st_size : 0);
    while (l->set.count < USERS_SET_MAX && read_line(l, line, &whole)) {
        if (whole) {
            read_user(l, line);
        } else {
            char why[] = "a line is text of at most 1023 characters";
            problem(l, why);
        }
        if (sized && l->line % 4096 == 0) {
            progress_at(&bar, l->bytes);
        }
    }
    progress_end(&bar);
    if (ferror(l->in)) {
        return cli_fail(l->cli, "nothing was changed: %s: %s", l->cli->words[0], strerror(errno));
    }
    if (l->set.count == USERS_SET_MAX) {
        return cli_fail(l->cli, "nothing was changed: %s has %d users or more; split it",
                        l->cli->words[0], USERS_SET_MAX);
    }
    if (l->problems > PROBLEMS_SHOWN) {
        fprintf(stderr, "%s: and %zu more\n", l->cli->words[0], l->problems - PROBLEMS_SHOWN);
    }
    if (l->problems > 0) {
        return cli_fail(l->cli, "nothing was changed: %zu problem%s in %s", l->problems,
                        l->problems == 1 ? "" : "s", l->cli->words[0]);
    }
    return CLI_OK;
}

static int write_all(struct load *l, struct store_tally *total)
{
    struct err_info info = {.text = ""};
    struct store_user *users = mem_xalloc(CHUNK * sizeof *users);
    char(*tokens)[USER_TOKEN_TEXT] = mem_xalloc(CHUNK * sizeof *tokens);
    struct progress bar;
    enum err e = ERR_OK;
    size_t done = 0;
    /* Rows that lie together are written together: the store's pages are then written about once,
     * not once a transaction (and by rqlite into a log that has to be read again). */
    users_set_sort(&l->set);
    progress_start(&bar, "users", l->set.count);
    while (e == ERR_OK && done < l->set.count) {
        size_t n = l->set.count - done < CHUNK ? l->set.count - done : CHUNK;
        struct store_tally tally;
        for (size_t i = 0; i < n; i++) {
            users[i].name = cli_user_row(l->cli, users_set_name(&l->set, done + i), tokens[i]);
            users[i].core = l->cores.names[l->set.items[done + i].core];
        }
        e = db_users_load(l->cli->db, users, n, &tally, &info);
        if (e == ERR_OK) {
            total->added += tally.added;
            total->updated += tally.updated;
            total->unchanged += tally.unchanged;
            done += n;
            progress_at(&bar, done);
        }
    }
    progress_end(&bar);
    free(tokens);
    free(users);
    if (e != ERR_OK) { /* the store may have divided the last ones too (store_users_load) */
        cli_fail(l->cli,
                 "the store: %s (%s%zu of %zu users are in; load the file again for the rest)",
                 info.text, err_is_transient(e) ? "at least " : "", done, l->set.count);
        return cli_code(e);
    }
    return CLI_OK;
}

static int load(struct load *l)
{
    struct err_info info = {.text = ""};
    struct store_tally total = {.added = 0};
    int code = cli_open(l->cli, DB_WRITE);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = taken_scan(l->cli, "core-info/", NULL, &l->cores, &info);
    if (e == ERR_OK) {
        e = taken_scan(l->cli, "dns-record/", NULL, &l->records, &info);
    }
    if (e != ERR_OK) {
        return cli_fail_store(l->cli, e, "the store: %s", info.text);
    }
    if ((code = read_all(l)) != CLI_OK || (code = write_all(l, &total)) != CLI_OK) {
        return code;
    }
    if (cli_json(l->cli)) {
        cli_print_json_own(json_pack("{s:{s:I, s:I, s:I}}", "users", "added",
                                     (json_int_t)total.added, "moved", (json_int_t)total.updated,
                                     "unchanged", (json_int_t)total.unchanged));
    } else {
        printf("Users: +%zu added, ~%zu moved, =%zu unchanged\n", total.added, total.updated,
               total.unchanged);
    }
    return CLI_OK;
}

int users_load(struct cli *cli)
{
    struct load l = {.cli = cli};
    bool is_stdin = strcmp(cli->words[0], "-") == 0;
    l.in = is_stdin ? stdin : fopen(cli->words[0], "r");
    if (l.in == NULL) {
        return cli_fail(cli, "%s: %s", cli->words[0], strerror(errno));
    }
    int code = load(&l);
    if (!is_stdin) {
        fclose(l.in);
    }
    users_set_free(&l.set);
    taken_free(&l.cores);
    taken_free(&l.records);
    return code;
}

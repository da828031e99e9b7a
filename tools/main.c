/* dnsctl, and dns-records or bootstrap when called by that name: finds the command and runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "lib/log.h"
#include "lib/str.h"

#ifndef DNSD_VERSION
#error "DNSD_VERSION comes from the build"
#endif

struct command {
    const char *noun;
    const char *verb;  /* NULL: the noun alone is the command */
    const char *usage; /* what follows */
    const char *help;
    int (*run)(struct cli *cli);
    unsigned options; /* besides ARGS_COMMON */
    size_t min, max;  /* words after noun and verb */
    bool writes;
};

#define MANY ARGS_WORDS_MAX

static const struct command commands[] = {
    {"records", "list", "[NAME]", "what is stored and what the configuration fixes", records_list,
     0, 0, 1, false},
    {"records", "set", "NAME TYPE VALUE... [--ttl N]",
     "replace the values of one type at a name; its other types stay", records_set, ARGS_TTL, 3,
     MANY, true},
    {"records", "delete", "NAME [TYPE]", "remove one type, or everything stored at a name",
     records_delete, 0, 1, 2, true},
    {"records", "load", "FILE|- [--dry-run] [--replace]",
     "bring the store to what a YAML or JSON file says, all or nothing", records_load,
     ARGS_DRY_RUN | ARGS_REPLACE, 1, 1, true},
    {"records", "export", "[FILE]", "write what `load` reads", records_export, 0, 0, 1, false},
    {"records", "import-zone", "FILE|- [--dry-run] [--replace]",
     "the same as load, from a zone file", records_import_zone, ARGS_DRY_RUN | ARGS_REPLACE, 1, 1,
     true},
    {"records", "export-zone", "[FILE]", "write a zone file", records_export_zone, 0, 0, 1, false},
    {"users", "list", "", "every user and its core", users_list, 0, 0, 0, false},
    {"users", "get", "NAME", "the core of one user", users_get, 0, 1, 1, false},
    {"users", "set", "NAME [CORE]",
     "put a user on a core; a new one without CORE goes where there are fewest", users_set, 0, 1, 2,
     true},
    {"users", "delete", "NAME", "forget a user", users_delete, 0, 1, 1, true},
    {"users", "load", "FILE|-", "add and move users from a CSV file `name,core`", users_load, 0, 1,
     1, true},
    {"cores", "list", "", "every core", cores_list, 0, 0, 0, false},
    {"cores", "set", "ID [--ip A] [--ipv6 A] [--url U] [--available yes|no]",
     "add a core or change it; an empty value removes", cores_set,
     ARGS_IP | ARGS_IPV6 | ARGS_URL | ARGS_AVAILABLE, 1, 1, true},
    {"cores", "drain", "ID", "send no new users and no service traffic to a core", cores_drain, 0,
     1, 1, true},
    {"cores", "delete", "ID [--force]",
     "take a core out of the database's cluster and forget it; --force: though users are on it",
     cores_delete, ARGS_FORCE, 1, 1, true},
    {"certs", "list", "", "every stored certificate", certs_list, 0, 0, 0, false},
    {"certs", "show", "[HOSTNAME]",
     "one certificate, this core's own if it is not said which: what is stored, who serves it, "
     "what comes "
     "next",
     certs_show, 0, 0, 1, false},
    {"certs", "renew", "[HOSTNAME] [--override LIMIT] [--no-wait]",
     "get a new certificate now; LIMIT is one of ours to be passed over: order, floor, certs, "
     "authz, "
     "backoff, paused",
     certs_renew, ARGS_OVERRIDE | ARGS_NO_WAIT, 0, 1, true},
    {"certs", "revoke", "[HOSTNAME] [--reason WORD] [--no-wait]",
     "have the stored certificate revoked, and get another one; WORD is keyCompromise, superseded, "
     "cessationOfOperation or unspecified",
     certs_revoke, ARGS_REASON | ARGS_NO_WAIT, 0, 1, true},
    {"certs", "rollover", "[--no-wait]", "another key for the account at the certificate authority",
     certs_rollover, ARGS_NO_WAIT, 0, 0, true},
    {"certs", "rewrap", "[--dry-run] [--force]",
     "seal every stored key with the first of letsEncrypt.atRestKey; --force: though a core has "
     "not got it",
     certs_rewrap, ARGS_DRY_RUN | ARGS_FORCE, 0, 0, true},
    {"certs", "history", "[HOSTNAME]", "what was asked of certificate authorities, and what came",
     certs_history, 0, 0, 1, false},
    {"bootstrap", "new-core",
     "--id ID --ip A [--ipv6 A] [--url U] [--hosting H] [--out FILE] [--ttl 24h] [--replace] "
     "[--ack-url U]",
     "let a core in: its row, a token and a sealed bundle that it joins with", bootstrap_new_core,
     ARGS_ID | ARGS_IP | ARGS_IPV6 | ARGS_URL | ARGS_HOSTING | ARGS_OUT | ARGS_TTL | ARGS_REPLACE |
         ARGS_ACK_URL,
     0, 0, true},
    {"bootstrap", "init-ca-holder", "",
     "make this core the one with the cluster's CA; new-core does it by itself",
     bootstrap_init_ca_holder, 0, 0, 0, true},
    {"bootstrap", "list-tokens", "[--all]",
     "who may still join; --all: also tokens that are used, revoked or expired",
     bootstrap_list_tokens, ARGS_ALL, 0, 0, false},
    {"bootstrap", "revoke-token", "ID [--ip IP]", "take back what new-core did",
     bootstrap_revoke_token, ARGS_IP, 1, 1, true},
    {"bootstrap", "renew-node", "", "another certificate for this core's node, now",
     bootstrap_renew_node, 0, 0, 0, true},
    {"bootstrap", "remove-core", "ID [--force]",
     "drain a core, take it out of the database's cluster, forget it and revoke its certificates",
     bootstrap_remove_core, ARGS_FORCE, 1, 1, true},
    {"bootstrap", "promote-core", "ID [--force]",
     "make a core's node one that votes: take it out, and say how it comes in again",
     bootstrap_promote_core, ARGS_FORCE, 1, 1, true},
    {"status", NULL, "", "the running daemon and the store", status_show, 0, 0, 0, false},
    {"delegation", NULL, "", "what to enter at the registrar", delegation_show, 0, 0, 0, false},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* Called as dns-records or bootstrap, the first word is the verb. */
static const char *implied_noun(const struct cli *cli)
{
    return strcmp(cli->program, "dns-records") == 0 ? "records"
           : strcmp(cli->program, "bootstrap") == 0 ? "bootstrap"
                                                    : NULL;
}

static void print_line(FILE *out, const struct cli *cli, const struct command *c)
{
    bool implied = implied_noun(cli) != NULL;
    struct str line = {.text = NULL};
    str_append(&line, cli->program);
    if (!implied) {
        str_appendf(&line, " %s", c->noun);
    }
    if (c->verb != NULL) {
        str_appendf(&line, " %s", c->verb);
    }
    str_appendf(&line, "%s%s", c->usage[0] != '\0' ? " " : "", c->usage);
    fprintf(out, "  %s\n      %s\n", line.text, c->help);
    str_free(&line);
}

/* All commands, or those of NOUN, or the one with VERB too. */
static void print_usage(FILE *out, const struct cli *cli, const char *noun, const char *verb)
{
    fprintf(out, "usage: %s [-c FILE] [--json] COMMAND\n\n", cli->program);
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        if ((noun == NULL || strcmp(noun, c->noun) == 0) &&
            (verb == NULL || (c->verb != NULL && strcmp(verb, c->verb) == 0))) {
            print_line(out, cli, c);
        }
    }
    fputs("\n  -c FILE    the configuration (else $DNSD_CONFIG, else /etc/dnsd/dnsd.yml)\n"
          "  --json     one JSON document instead of text\n"
          "  --help, --version\n"
          "exit code: 0 done, 1 failed, 2 nothing there or wrong usage,\n"
          "           3 the store cannot be reached or written now, 4 (status) not all is well\n",
          out);
}

static bool is_noun(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].noun, word) == 0) {
            return true;
        }
    }
    return false;
}

static const struct command *find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->noun, noun) == 0 &&
            (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0))) {
            return c;
        }
    }
    return NULL;
}

/* NOUN NULL: WORD should have been a noun; else a verb of NOUN. */
static int unknown(const struct cli *cli, const char *noun, const char *word)
{
    const char *known[COMMANDS + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (noun == NULL) {
            known[count++] = commands[i].noun;
        } else if (strcmp(noun, commands[i].noun) == 0) {
            known[count++] = commands[i].verb;
        }
    }
    const char *near = str_nearest(word, known);
    const char *show = noun != NULL && implied_noun(cli) == NULL ? noun : "";
    if (near != NULL) {
        return cli_nothing(cli, "unknown command: %s%s%s; did you mean %s?", show,
                           show[0] != '\0' ? " " : "", word, near);
    }
    return cli_nothing(cli, "unknown command: %s%s%s; `%s --help` lists them", show,
                       show[0] != '\0' ? " " : "", word, cli->program);
}

static int load_config(struct cli *cli)
{
    struct config_problems problems = {.count = 0};
    enum err e = config_load(cli->args.config, &cli->config, &problems);
    if (e != ERR_OK) {
        fputs(problems.text.text != NULL ? problems.text.text : "", stderr);
        cli_fail(cli, "the configuration cannot be used: %zu problem%s", problems.count,
                 problems.count == 1 ? "" : "s");
    }
    config_problems_free(&problems);
    return e == ERR_OK ? CLI_OK : CLI_FAILED;
}

/* With rqlite this core's node gets a moment later what was written, perhaps through another one; the
 * next command here shall find it. The store waits for its own writes before it reads. */
static void wait_for_own_writes(struct cli *cli)
{
    struct store_state state;
    if (cli->db != NULL && cli->config.storages.engine_rqlite) {
        enum err e = db_state(cli->db, &state, NULL);
        (void)e; /* what was written is written */
    }
}

static int run(struct cli *cli, const struct command *c, size_t own_words)
{
    const char *option = args_not_allowed(&cli->args, ARGS_COMMON | c->options);
    cli->writes = c->writes;
    cli->words = cli->args.words + own_words;
    cli->count = cli->args.count - own_words;
    if (option != NULL) {
        return cli_nothing(cli, "%s%s%s does not take %s", c->noun, c->verb != NULL ? " " : "",
                           c->verb != NULL ? c->verb : "", option);
    }
    if (cli->count < c->min || cli->count > c->max) {
        cli_nothing(cli, cli->count < c->min ? "something is missing" : "too many words");
        print_usage(stderr, cli, c->noun, c->verb);
        return CLI_NOTHING;
    }
    int code = load_config(cli);
    if (code == CLI_OK) {
        code = c->run(cli);
        if (code == CLI_OK && c->writes) {
            wait_for_own_writes(cli);
        }
    }
    db_close(cli->db);
    names_free(cli->names);
    explicit_bzero(&cli->user_key, sizeof cli->user_key);
    config_free(&cli->config);
    return code;
}

static int dispatch(struct cli *cli)
{
    const char *noun = implied_noun(cli);
    size_t at = noun != NULL ? 0 : 1;
    if (noun == NULL && cli->args.count > 0) {
        noun = cli->args.words[0];
    }
    const char *verb = cli->args.count > at ? cli->args.words[at] : NULL;
    if ((cli->args.given & ARGS_VERSION) != 0) {
        printf("%s %s\n", cli->program, DNSD_VERSION);
        return CLI_OK;
    }
    bool help = (cli->args.given & ARGS_HELP) != 0;
    if (noun == NULL) {
        print_usage(help ? stdout : stderr, cli, NULL, NULL);
        return help ? CLI_OK : CLI_NOTHING;
    }
    if (!is_noun(noun)) {
        return unknown(cli, NULL, noun);
    }
    const struct command *c = find(noun, verb);
    if (help && (c != NULL || verb == NULL)) {
        print_usage(stdout, cli, noun, c != NULL ? c->verb : NULL);
        return CLI_OK;
    }
    if (c != NULL) {
        return run(cli, c, at + (c->verb != NULL ? 1 : 0));
    }
    if (verb == NULL) {
        print_usage(stderr, cli, noun, NULL);
        return CLI_NOTHING;
    }
    return unknown(cli, noun, verb);
}

int main(int argc, char **argv)
{
    struct cli_said said = {.document = false};
    struct cli cli = {.program = "dnsctl", .said = &said};
    struct err_info info = {.text = ""};
    if (argc > 0) {
        const char *slash = strrchr(argv[0], '/');
        cli.program = slash != NULL ? slash + 1 : argv[0];
    }
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    umask(0027); /* as the daemon: rows, and what is exported of them, are not for everybody */
    enum err e = args_parse(argc, argv, &cli.args, &info);
    int code = e == ERR_OK ? dispatch(&cli) : cli_nothing(&cli, "%s", info.text);
    cli_print_error(&cli, code);
    if (fflush(stdout) != 0) {
        return cli_output_failed(&cli, errno);
    }
    if (ferror(stdout)) {
        return cli_fail(&cli, "the output is not complete");
    }
    return code;
}

/* dnsctl bootstrap new-core: lets a core in.
 *
 *   checks: options, configuration, names, the file    nothing was touched yet
 *   the CA, this core's own certificate                 stay whatever happens: they are good
 *   key, certificate, token, sealed bundle              in memory
 *   FILE.tmp -> rows in one transaction -> FILE -> the passphrase is told -> FILE.tmp goes
 *
 * Killed anywhere, the same command again ends well: what is only half there is put in its place. What fails
 * is taken back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bootstrap_priv.h"
#include "cli.h"
#include "cores.h"
#include "daemon.h"
#include "db_join.h"
#include "dnsd/app/config_certs.h"
#include "lib/clock.h"
#include "lib/mem.h"

#define TIME_TEXT 40

/* ---- before anything is done ----------------------------------------------------------------- */

static int read_wish(struct letting *l)
{
    struct cli *cli = l->cli;
    struct wish_problems problems = {.count = 0};
    struct err_info info = {.text = ""};
    enum err e = config_keys_read(&cli->config, &l->keys, &info);
    bool unreadable = e != ERR_OK && cli->config.lets_encrypt.at_rest_key_file != NULL;
    wish_read(&cli->args, &cli->config, &l->wish, &problems);
    wish_check_config(&cli->config, e == ERR_OK || unreadable, &problems);
    if (unreadable) {
        str_appendf(&problems.text, "%s%s", problems.count++ > 0 ? "; " : "", info.text);
    }
    int code = problems.count == 0 ? CLI_OK
               : problems.missing  ? cli_nothing(cli, "%s", problems.text.text)
                                   : cli_fail(cli, "%s", problems.text.text);
    str_free(&problems.text);
    return code;
}

/* A core that serves is not put out of its place by a slip of the finger. */
static int check_rows(struct letting *l)
{
    struct cli *cli = l->cli;
    const char *id = l->wish.id;
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    enum store_admission_state state = STORE_ADMISSION_NONE;
    int code = CLI_OK;
    enum err e = cores_check_new(cli, id, &info);
    if (e == ERR_CONFLICT) {
        return cli_fail(cli, "--id %s: %s", id, info.text);
    }
    e = e == ERR_OK ? db_cores_list(cli->db, &cores, &info) : e;
    e = e == ERR_OK ? db_admission_state(cli->db, id, &state, &info) : e;
    const struct store_core *there = e == ERR_OK ? db_cores_find(&cores, id) : NULL;
    if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "the store: %s", info.text);
    } else if (there != NULL && state != STORE_ADMISSION_ISSUED && !l->wish.replace) {
        code =
            cli_fail(cli,
                     "core %s is there already (%s, %s); --replace lets another machine take its "
                     "place",
                     id,
                     there->ip != NULL     ? there->ip
                     : there->ipv6 != NULL ? there->ipv6
                                           : "-",
                     state == STORE_ADMISSION_ACKED ? "about to join"
                     : there->available             ? "available"
                                                    : "not available");
    }
    db_cores_free(&cores);
    return code;
}

static int look_at_pin(struct letting *l)
{
    struct err_info info = {.text = ""};
    struct bootstrap_url url;
    if (!l->wish.ack_given) {
        return CLI_OK;
    }
    enum err e = bootstrap_url_read(l->wish.ack_url, &url, &info);
    if (e == ERR_OK) {
        e = bootstrap_pin(&url, l->pin, &info);
    }
    return e == ERR_OK ? CLI_OK
                       : cli_fail(l->cli, "--ack-url %s: its public key cannot be looked at: %s",
                                  l->wish.ack_url, info.text);
}

static int check(struct letting *l)
{
    struct err_info info = {.text = ""};
    int code = read_wish(l);
    if (code == CLI_OK) {
        code = cli_open(l->cli, DB_READ);
    }
    if (code == CLI_OK) {
        code = check_rows(l);
    }
    if (code == CLI_OK) {
        code = look_at_pin(l);
    }
    if (code == CLI_OK && bundle_file_open(&l->file, l->wish.out, &info) != ERR_OK) {
        code = cli_fail(l->cli, "%s", info.text);
    }
    return code;
}

/* ---- rows and file ----------------------------------------------------------------------------- */

static enum err issue(struct letting *l, struct err_info *info)
{
    const struct wish *w = &l->wish;
    const struct store_letting rows = {.core = {.id = w->id,
                                                .url = w->url,
                                                .ip = w->ip[0] != '\0' ? w->ip : NULL,
                                                .ipv6 = w->ipv6[0] != '\0' ? w->ipv6 : NULL,
                                                .hosting = w->hosting,
                                                .available = false},
                                       .token = {.hash = l->token_hash,
                                                 .core = w->id,
                                                 .issued_ms = l->now_ms,
                                                 .expires_ms = l->expires_ms,
                                                 .consumed_by = "",
                                                 .consumed_from = ""},
                                       .cert = {.serial = l->pair.info.serial,
                                                .core = w->id,
                                                .fingerprint = l->pair.info.sha256,
                                                .issued_ms = l->now_ms,
                                                .expires_ms = l->pair.info.not_after_ms,
                                                .reason = ""},
                                       .replace = w->replace,
                                       .now_ms = l->now_ms};
    return db_admission_issue(l->cli->db, &rows, info);
}

/* The rows go the way they came. */
static void take_back(struct letting *l)
{
    struct store_withdrawn w;
    struct err_info info = {.text = ""};
    enum err e = db_admission_withdraw(l->cli->db, l->wish.id, NULL, l->now_ms, &w, &info);
    if (e != ERR_OK) {
        cli_warn(l->cli, "core %s stays admitted: %s; undo it with: %s revoke-token %s", l->wish.id,
                 info.text,
                 strcmp(l->cli->program, "bootstrap") == 0 ? "bootstrap" : "dnsctl bootstrap",
                 l->wish.id);
    }
    bundle_file_undo(&l->file);
}

static void expires_text(int64_t time_ms, char out[TIME_TEXT])
{
    time_t t = (time_t)(time_ms / 1000);
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL ||
        strftime(out, TIME_TEXT, "%Y-%m-%d %H:%M:%S (UTC)", &tm) == 0) {
        snprintf(out, TIME_TEXT, "-");
    }
}

static void print_next(const struct letting *l)
{
    const struct config *c = &l->cli->config;
    const char *id = l->wish.id;
    const char *slash = strrchr(l->wish.out, '/');
    int step = 1;
    printf("\nNext:\n");
    if (l->needs_restart) {
        printf("  %d. here: restart dnsd, so that this core's database speaks TLS\n", step++);
    }
    printf("  %d. copy %s to %s (%s)\n", step++, l->wish.out, id,
           l->wish.ip[0] != '\0' ? l->wish.ip : l->wish.ipv6);
    printf("  %d. on %s, write the passphrase into a file that only you can read:\n"
           "       (umask 077; cat > passphrase.txt)\n",
           step++, id);
    printf("  %d. on %s:\n"
           "       dnsd -c /etc/dnsd/dnsd.yml --bootstrap %s "
           "--bootstrap-passphrase-file passphrase.txt\n",
           step, id, slash != NULL ? slash + 1 : l->wish.out);
    if (l->holder.ca_made) {
        printf(
            "\nThe cluster's CA was made in %s.\n"
            "BACK UP THIS FOLDER NOW, off this machine: without ca.key no core can join, and no\n"
            "certificate be renewed.\n",
            c->cluster.ca_path);
    }
}

static void print(const struct letting *l)
{
    char expires[TIME_TEXT];
    cli_begin_output(l->cli);
    if (cli_json(l->cli)) {
        cli_print_json_own(json_pack("{s:s, s:o, s:s, s:I, s:s, s:b, s:b}", "core", l->wish.id,
                                     "file", cli_text(l->wish.out), "passphrase", l->passphrase,
                                     "expiresAt", (json_int_t)l->expires_ms, "ackUrl",
                                     l->wish.ack_url, "caCreated", (int)l->holder.ca_made,
                                     "restartNeeded", (int)l->needs_restart));
        return;
    }
    expires_text(l->expires_ms, expires);
    printf("Bundle written:\n"
           "  file:       %s\n"
           "  passphrase: %s\n"
           "  expires:    %s\n"
           "  ack URL:    %s\n",
           l->wish.out, l->passphrase, expires, l->wish.ack_url);
    print_next(l);
}

static int publish(struct letting *l)
{
    struct cli *cli = l->cli;
    struct err_info info = {.text = ""};
    enum err e = issue(l, &info);
    if (e != ERR_OK) {
        if (e == ERR_TIMEOUT) { /* perhaps it was written */
            take_back(l);
        }
        bundle_file_undo(&l->file);
        return cli_fail_store(cli, e, "core %s: %s", l->wish.id, info.text);
    }
    if (bundle_file_publish(&l->file, &info) != ERR_OK) {
        take_back(l);
        return cli_fail(cli, "%s; core %s was not let in", info.text, l->wish.id);
    }
    e = db_tokens_purge(cli->db, l->now_ms, &info);
    if (e != ERR_OK) {
        cli_warn(cli, "old tokens stay: %s", info.text);
    }
    l->heard = daemon_joining(cli);
    l->needs_restart = !l->heard && l->holder.config == HOLDER_CONFIG_WRITTEN;
    print(l);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a passphrase that nobody has read */
        take_back(l);
        return cli_fail(cli, "the passphrase could not be told: core %s was not let in",
                        l->wish.id);
    }
    bundle_file_settle(&l->file);
    if (l->heard && cli->config.cluster.join_port != 0 && !daemon_settles(cli)) {
        cli_warn(cli, "the daemon does not let cores in yet: dnsctl status says why");
    }
    return CLI_OK;
}

static int carry_out(struct letting *l)
{
    struct cli *cli = l->cli;
    struct err_info info = {.text = ""};
    char *text = NULL;
    int code = holder_ensure(cli, &l->holder);
    if (code != CLI_OK) {
        return code;
    }
    if (l->holder.config == HOLDER_CONFIG_OTHER) {
        cli_warn(cli,
                 "storages.engines.rqlite.tls names other files than %s: they have to be of "
                 "the CA in %s, or the new core is not believed",
                 cli->config.cluster.tls_dir, cli->config.cluster.ca_path);
    }
    enum err e = holder_record(cli, &l->holder, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    e = bootstrap_make(l, &text, &info);
    e = e == ERR_OK ? bundle_file_write(&l->file, text, strlen(text), &info) : e;
    free(text);
    return e == ERR_OK ? publish(l) : cli_fail(cli, "%s", info.text);
}

int bootstrap_new_core(struct cli *cli)
{
    struct letting *l = mem_xalloc(sizeof *l);
    l->cli = cli;
    l->holder.lock = -1;
    int code = check(l);
    if (code == CLI_OK) {
        code = carry_out(l);
    }
    bundle_file_close(&l->file);
    pair_free(&l->pair);
    holder_close(&l->holder);
    config_keys_free(&l->keys);
    wish_free(&l->wish);
    explicit_bzero(l, sizeof *l);
    free(l);
    return code;
}

/* dnsctl certs renew, rollover, revoke: asks whoever may order, and waits for what comes of it. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/leaf.h"
#include "certs.h"
#include "columns.h"
#include "daemon.h"
#include "db_certs.h"
#include "lib/clock.h"
#include "lib/rng.h"

#define LOOK_MS 250
/* The way of an order is bounded (acme/order.h: 15 minutes), and a rehearsal may come before it. */
#define WAIT_MS (35 * 60 * 1000)
#define AWAY_MS 30000 /* for so long the store may be away */

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static bool is_over(const json_t *job)
{
    return strcmp(text(job, "state"), "done") == 0 || strcmp(text(job, "state"), "failed") == 0;
}

/* How it failed is said by whoever ends the command. */
static void print_step(const struct cli *cli, const json_t *job, char *last, size_t room)
{
    char now[1024];
    snprintf(now, sizeof now, "%s%s%s", text(job, "state"),
             text(job, "text")[0] != '\0' ? ": " : "", text(job, "text"));
    columns_clean(now);
    bool failed = strcmp(text(job, "state"), "failed") == 0;
    if (!cli_json(cli) && !failed && strcmp(now, last) != 0) {
        printf("%s\n", now);
        fflush(stdout);
    }
    snprintf(last, room, "%s", now);
}

/* Another look at *job. */
static enum err look(struct cli *cli, json_t **job, struct err_info *info)
{
    json_t *next = NULL;
    enum err e = db_job_get(cli->db, text(*job, "id"), &next, info);
    if (e == ERR_OK && next == NULL) {
        return err_set(info, ERR_NOTFOUND, "the job is gone");
    }
    if (e == ERR_OK) {
        json_decref(*job);
        *job = next;
    }
    return e;
}

/* Follows *job to its end. A store that chooses another leader meanwhile is waited for. */
static enum err follow(struct cli *cli, json_t **job, struct err_info *info)
{
    char last[1024] = "";
    int64_t now_ms = clk_mono_ms(&clk_system);
    int64_t end_ms = now_ms + WAIT_MS;
    int64_t seen_ms = now_ms;
    print_step(cli, *job, last, sizeof last);
    while (!is_over(*job)) {
        poll(NULL, 0, LOOK_MS);
        enum err e = look(cli, job, info);
        now_ms = clk_mono_ms(&clk_system);
        if (e == ERR_OK) {
            seen_ms = now_ms;
            print_step(cli, *job, last, sizeof last);
        } else if (!err_is_transient(e) || now_ms - seen_ms >= AWAY_MS) {
            return e;
        }
        if (now_ms >= end_ms && !is_over(*job)) {
            return err_set(info, ERR_TIMEOUT, "it is still %s; look at dnsctl certs show",
                           text(*job, "state"));
        }
    }
    return ERR_OK;
}

struct wish {
    const char *hostname, *kind, *argument; /* as in struct store_job */
};

static enum err ask(struct cli *cli, const struct wish *w, json_t **job, struct err_info *info)
{
    char id[33], by[128];
    rng_hex(id, 16);
    snprintf(by, sizeof by, "dnsctl %.64s", cli->config.core.id);
    const struct store_job wanted = {.id = id,
                                     .hostname = w->hostname,
                                     .kind = w->kind,
                                     .argument = w->argument,
                                     .state = "waiting",
                                     .by = by,
                                     .override =
                                         cli->args.override != NULL ? cli->args.override : "",
                                     .text = "",
                                     .asked_ms = clk_wall_ms(&clk_system)};
    return db_job_ask(cli->db, &wanted, job, info);
}

/* The daemon here looks sooner when it is told; false: there is none. */
static bool wake(const struct cli *cli)
{
    json_t *ignored = NULL;
    enum err e = daemon_ask(cli, "renew", &ignored, NULL);
    json_decref(ignored);
    return e != ERR_UNAVAIL;
}

static bool is_limit(const char *word)
{
    static const char *const limits[] = {"order", "floor", "certs", "authz", "backoff", "paused"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(word, limits[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Another core's certificate may be asked for too; whoever orders has, or had, the lease for it. */
static int check_managed(struct cli *cli, const char *hostname, const struct config_cert *own)
{
    struct err_info info = {.text = ""};
    json_t *lease = NULL;
    char name[300];
    if (own->hostname != NULL && strcmp(hostname, own->hostname) == 0) {
        return CLI_OK;
    }
    snprintf(name, sizeof name, "acme/%.255s", hostname);
    enum err e = db_lease(cli->db, name, &lease, &info);
    int code = e != ERR_OK ? cli_fail_store(cli, e, "the store: %s", info.text)
               : lease == NULL
                   ? cli_nothing(cli, "%s: no core manages such a certificate", hostname)
                   : CLI_OK;
    json_decref(lease);
    return code;
}

/* JOB is in the store. */
static int wait_for_it(struct cli *cli, const char *hostname, json_t **job)
{
    struct err_info info = {.text = ""};
    if (!wake(cli)) {
        if (!cli->config.storages.engine_rqlite) { /* nobody else can see the row */
            return cli_fail(cli, "%s: no daemon runs here; job %s waits for it", hostname,
                            text(*job, "id"));
        }
        cli_warn(cli, "no daemon answers here: this waits for another core, or for this one");
    }
    enum err e = follow(cli, job, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s: job %s is written, but cannot be followed: %s", hostname,
                              text(*job, "id"), info.text);
    }
    if (strcmp(text(*job, "state"), "done") != 0) {
        return cli_fail(cli, "%s: %s", hostname, text(*job, "text"));
    }
    return CLI_OK;
}

static int carry_out(struct cli *cli, const struct wish *w)
{
    struct err_info info = {.text = ""};
    json_t *job = NULL;
    bool wait = (cli->args.given & ARGS_NO_WAIT) == 0;
    int code = CLI_OK;
    enum err e = ask(cli, w, &job, &info);
    if (e != ERR_OK) {
        json_decref(job);
        return cli_fail_store(cli, e, "%s: %s", w->hostname, info.text);
    }
    if (wait) {
        code = wait_for_it(cli, w->hostname, &job);
    } else {
        wake(cli);
    }
    if (code == CLI_OK && cli_json(cli)) {
        cli_begin_output(cli);
        cli_print_json_own(json_pack("{s:O}", "job", job));
    } else if (code == CLI_OK && !wait) {
        printf("asked for: job %s\n", text(job, "id"));
    }
    json_decref(job);
    return code;
}

/* The store is open, and HOSTNAME is of a certificate that is managed; or said why not. */
static int begin(struct cli *cli, char hostname[WIRE_NAME_TEXT_MAX])
{
    struct config_cert own = {.hostname = NULL};
    int code = certs_wanted(cli, &own, hostname);
    if (code == CLI_OK && !cli->config.lets_encrypt.enabled) {
        code = cli_fail(cli, "letsEncrypt.enabled is false: no certificate is managed");
    }
    if (code == CLI_OK) {
        code = cli_open(cli, DB_READ);
    }
    if (code == CLI_OK) {
        code = check_managed(cli, hostname, &own);
    }
    config_cert_free(&own);
    return code;
}

int certs_renew(struct cli *cli)
{
    char hostname[WIRE_NAME_TEXT_MAX];
    if (cli->args.override != NULL && !is_limit(cli->args.override)) {
        return cli_nothing(cli, "--override: one of order, floor, certs, authz, backoff, paused");
    }
    const struct wish w = {.hostname = hostname, .kind = "renew", .argument = ""};
    int code = begin(cli, hostname);
    return code == CLI_OK ? carry_out(cli, &w) : code;
}

int certs_rollover(struct cli *cli)
{
    char hostname[WIRE_NAME_TEXT_MAX];
    const struct wish w = {.hostname = hostname, .kind = "rollover", .argument = ""};
    int code = begin(cli, hostname);
    return code == CLI_OK ? carry_out(cli, &w) : code;
}

/* ---- revoke ---------------------------------------------------------------------------------------- */

static bool is_reason(const char *word)
{
    static const char *const reasons[] = {"keyCompromise", "superseded", "cessationOfOperation",
                                          "unspecified"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(word, reasons[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The one that is stored now, so that it is no other one by the time it is revoked. */
static int stored_serial(struct cli *cli, const char *hostname, struct cert_leaf *leaf)
{
    struct err_info info = {.text = ""};
    json_t *row = NULL;
    int code = CLI_OK;
    enum err e = db_cert_get(cli->db, hostname, &row, &info);
    const char *pem = text(row, "certPem");
    if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "%s: %s", hostname, info.text);
    } else if (row == NULL) {
        code = cli_nothing(cli, "%s: nothing is stored", hostname);
    } else if (cert_leaf_read(pem, strlen(pem), NULL, 0, leaf, &info) != ERR_OK) {
        code = cli_fail(cli, "%s: %s", hostname, info.text);
    }
    json_decref(row);
    return code;
}

int certs_revoke(struct cli *cli)
{
    char hostname[WIRE_NAME_TEXT_MAX], argument[96];
    const char *reason = cli->args.reason != NULL ? cli->args.reason : "unspecified";
    struct cert_leaf leaf;
    if (!is_reason(reason)) {
        return cli_nothing(
            cli, "--reason: one of keyCompromise, superseded, cessationOfOperation, unspecified");
    }
    int code = begin(cli, hostname);
    if (code == CLI_OK) {
        code = stored_serial(cli, hostname, &leaf);
    }
    if (code != CLI_OK) {
        return code;
    }
    snprintf(argument, sizeof argument, "%s %s", leaf.serial, reason);
    const struct wish w = {.hostname = hostname, .kind = "revoke", .argument = argument};
    return carry_out(cli, &w);
}

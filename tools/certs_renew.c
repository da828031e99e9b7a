/* dnsctl certs renew: asks whoever may order, and waits for what comes of it. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs.h"
#include "columns.h"
#include "daemon.h"
#include "db_certs.h"
#include "lib/clock.h"
#include "lib/rng.h"

#define LOOK_MS 250
/* The way of an order is bounded (acme/order.h: 15 minutes), and a rehearsal may come before it. */
#define WAIT_MS (35 * 60 * 1000)

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static bool is_over(const json_t *job)
{
    return strcmp(text(job, "state"), "done") == 0 || strcmp(text(job, "state"), "failed") == 0;
}

static void print_step(const struct cli *cli, const json_t *job, char *last, size_t room)
{
    char now[1024];
    snprintf(now, sizeof now, "%s%s%s", text(job, "state"),
             text(job, "text")[0] != '\0' ? ": " : "", text(job, "text"));
    columns_clean(now);
    if (!cli_json(cli) && strcmp(now, last) != 0) {
        printf("%s\n", now);
        fflush(stdout);
    }
    snprintf(last, room, "%s", now);
}

/* Follows *job to its end. */
static enum err follow(struct cli *cli, json_t **job, struct err_info *info)
{
    char last[1024] = "";
    int64_t end_ms = clk_mono_ms(&clk_system) + WAIT_MS;
    enum err e = ERR_OK;
    print_step(cli, *job, last, sizeof last);
    while (e == ERR_OK && !is_over(*job)) {
        json_t *next = NULL;
        if (clk_mono_ms(&clk_system) >= end_ms) {
            return err_set(info, ERR_TIMEOUT, "it is still %s; look at dnsctl certs show",
                           text(*job, "state"));
        }
        poll(NULL, 0, LOOK_MS);
        e = db_job_get(cli->db, text(*job, "id"), &next, info);
        if (e == ERR_OK && next == NULL) {
            e = err_set(info, ERR_NOTFOUND, "the job is gone");
        }
        if (e == ERR_OK) {
            json_decref(*job);
            *job = next;
            print_step(cli, *job, last, sizeof last);
        }
    }
    return e;
}

static enum err ask(struct cli *cli, const char *hostname, json_t **job, struct err_info *info)
{
    char id[33], by[128];
    json_t *ignored = NULL;
    rng_hex(id, 16);
    snprintf(by, sizeof by, "dnsctl %.64s", cli->config.core.id);
    const struct store_job wanted = {.id = id,
                                     .hostname = hostname,
                                     .state = "waiting",
                                     .by = by,
                                     .override =
                                         cli->args.override != NULL ? cli->args.override : "",
                                     .text = "",
                                     .asked_ms = clk_wall_ms(&clk_system)};
    enum err e = db_job_ask(cli->db, &wanted, job, info);
    if (e == ERR_OK && daemon_ask(cli, "renew", &ignored, NULL) == ERR_OK) {
        json_decref(ignored); /* sooner; if it is not there, another core finds the row */
    }
    return e;
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

int certs_renew(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct config_cert own = {.hostname = NULL};
    json_t *job = NULL;
    if (cli->args.override != NULL && !is_limit(cli->args.override)) {
        return cli_nothing(cli, "--override: one of order, floor, certs, authz, backoff, paused");
    }
    const char *hostname = certs_wanted(cli, &own);
    int code = hostname == NULL ? CLI_FAILED : CLI_OK;
    if (code == CLI_OK && !cli->config.lets_encrypt.enabled) {
        code = cli_fail(cli, "letsEncrypt.enabled is false: no certificate is managed");
    }
    if (code == CLI_OK) {
        code = cli_open(cli, DB_READ);
    }
    if (code == CLI_OK) {
        enum err e = ask(cli, hostname, &job, &info);
        bool wait = (cli->args.given & ARGS_NO_WAIT) == 0;
        if (e == ERR_OK && wait) {
            e = follow(cli, &job, &info);
        }
        if (e != ERR_OK) {
            code = cli_fail_store(cli, e, "%s: %s", hostname, info.text);
        } else if (wait && strcmp(text(job, "state"), "done") != 0) {
            code = cli_fail(cli, "%s: %s", hostname, text(job, "text"));
        }
    }
    if (code == CLI_OK && cli_json(cli)) {
        cli_begin_output(cli);
        cli_print_json_own(json_pack("{s:O}", "job", job));
    } else if (code == CLI_OK && (cli->args.given & ARGS_NO_WAIT) != 0) {
        printf("asked for: job %s\n", text(job, "id"));
    }
    json_decref(job);
    config_cert_free(&own);
    return code;
}

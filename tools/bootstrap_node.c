/* dnsctl bootstrap init-ca-holder and renew-node: this core's own part in the cluster's TLS. */
#include <stdio.h>
#include <string.h>

#include "bootstrap_holder.h"
#include "certs.h"
#include "cli.h"
#include "daemon.h"

#define RENEW_WAIT_S 60 /* of the daemon, which may have to ask another core */

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

/* True if the database knows the certificate now. It need not run: dnsd may be started after this. */
static bool record(struct cli *cli, const struct holder *h)
{
    struct err_info info = {.text = ""};
    enum err e = db_open(&cli->config, DB_READ, &cli->db, &info);
    if (e == ERR_OK) {
        e = holder_record(cli, h, &info);
    }
    return e == ERR_OK;
}

/* ---- init-ca-holder ------------------------------------------------------------------------------ */

static void print_holder(const struct cli *cli, const struct holder *h, bool recorded, bool heard)
{
    const char *const configs[] = {
        [HOLDER_CONFIG_WRITTEN] =
            heard ? "written: the database here speaks TLS from now on"
                  : "written: restart dnsd, if it runs, so that its database speaks TLS",
        [HOLDER_CONFIG_OURS] = "names these files already",
        [HOLDER_CONFIG_OTHER] = "left: storages.engines.rqlite.tls names other files",
    };
    const struct config *c = &cli->config;
    char until[CERTS_TIME_TEXT];
    certs_time_text(h->info.not_after_ms, until);
    printf("CA:             %s (%s)\n"
           "certificate:    %s (%s), serial %s, until %s\n"
           "configuration:  %s\n",
           c->cluster.ca_path, h->ca_made ? "made" : "there already", c->cluster.tls_dir,
           h->pair_made ? "made" : "there already", h->info.serial, until, configs[h->config]);
    if (!recorded) {
        printf("database:       not reached; the first new-core tells it of this certificate\n");
    }
    if (h->ca_made) {
        printf("\nBACK UP %s NOW, off this machine: without ca.key no core can join, and no\n"
               "certificate be renewed.\n",
               c->cluster.ca_path);
    }
}

int bootstrap_init_ca_holder(struct cli *cli)
{
    struct holder h;
    int code = holder_ensure(cli, &h);
    if (code == CLI_OK) {
        bool recorded = record(cli, &h);
        bool heard = daemon_joining(cli);
        cli_begin_output(cli);
        if (cli_json(cli)) {
            cli_print_json_own(json_pack(
                "{s:o, s:b, s:o, s:b, s:s, s:I, s:b, s:b, s:b, s:b}", "caDir",
                cli_text(cli->config.cluster.ca_path), "caCreated", (int)h.ca_made, "tlsDir",
                cli_text(cli->config.cluster.tls_dir), "certCreated", (int)h.pair_made, "serial",
                h.info.serial, "notAfter", (json_int_t)h.info.not_after_ms, "configWritten",
                h.config == HOLDER_CONFIG_WRITTEN, "configOther", h.config == HOLDER_CONFIG_OTHER,
                "recorded", (int)recorded, "restartNeeded",
                !heard && h.config == HOLDER_CONFIG_WRITTEN));
        } else {
            print_holder(cli, &h, recorded, heard);
        }
    }
    holder_close(&h);
    return code;
}

/* ---- renew-node ------------------------------------------------------------------------------------ */

static void print_renewed(const struct cli *cli, const char *serial, const char *how)
{
    cli_begin_output(cli);
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o, s:s}", "serial", cli_text(serial), "by", how));
    } else {
        printf("this core has another certificate: serial %s\n", serial);
    }
}

static int renew_by_daemon(const struct cli *cli, const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    if (json_is_true(json_object_get(reply, "ok"))) {
        print_renewed(cli, text(reply, "serial"), "daemon");
        return CLI_OK;
    }
    return cli_fail(cli, "the certificate was not renewed: %s",
                    error != NULL                    ? text(error, "message")
                    : text(reply, "text")[0] != '\0' ? text(reply, "text")
                                                     : "the daemon does not say why");
}

/* Nobody there to ask; the core with the CA needs nobody. */
static int renew_here(struct cli *cli, const struct err_info *why)
{
    struct holder h;
    if (!ca_is_here(cli->config.cluster.ca_path)) {
        cli_fail(cli, "%s: dnsd has to run, so that it can ask the core that has the CA",
                 why->text);
        return CLI_UNAVAIL;
    }
    int code = holder_renew(cli, &h);
    if (code == CLI_OK) {
        bool recorded = record(cli, &h);
        print_renewed(cli, h.info.serial, "here");
        if (!recorded) {
            cli_warn(cli, "the database was not reached: the next new-core tells it of this "
                          "certificate");
        }
    }
    holder_close(&h);
    return code;
}

int bootstrap_renew_node(struct cli *cli)
{
    struct err_info info = {.text = ""};
    json_t *reply = NULL;
    enum err e = daemon_ask_within(cli, "renew-node", RENEW_WAIT_S, &reply, &info);
    int code = CLI_FAILED;
    if (e == ERR_OK) {
        code = renew_by_daemon(cli, reply);
        json_decref(reply);
    } else if (e == ERR_UNAVAIL) {
        code = renew_here(cli, &info);
    } else {
        cli_fail(cli, "%s", info.text);
        code = cli_code(e);
    }
    return code;
}

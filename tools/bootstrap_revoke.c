/* dnsctl bootstrap list-tokens and revoke-token */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_tokens.h"
#include "bootstrap_url.h"
#include "cli.h"
#include "cores.h"
#include "daemon.h"
#include "db_join.h"
#include "lib/clock.h"

int bootstrap_list_tokens(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct str out = {.text = NULL};
    json_t *list = NULL;
    bool all = (cli->args.given & ARGS_ALL) != 0;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_tokens(cli->db, &list, &info);
    if (e != ERR_OK) {
        json_decref(list);
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    json_t *shown = tokens_shown(list, all, clk_wall_ms(&clk_system));
    json_decref(list);
    cli_begin_output(cli);
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o}", "tokens", shown));
        return CLI_OK;
    }
    tokens_render(shown, all, &out);
    fputs(out.text, stdout);
    str_free(&out);
    json_decref(shown);
    return CLI_OK;
}

/* ---- revoke-token ------------------------------------------------------------------------------ */

struct revoking {
    struct cli *cli;
    char id[WIRE_LABEL_MAX + 1];
    char ip[INET6_ADDRSTRLEN]; /* "": not asked for */
    bool arrived;              /* it is a member, and not to be admitted any more */
    struct store_withdrawn w;
    json_t *lsc_ips; /* owned: the addresses that are left */
};

static int read_words(struct revoking *r)
{
    struct cli *cli = r->cli;
    struct err_info info = {.text = ""};
    const char *ip = cli->args.ip;
    if (names_label(cli->words[0], r->id, &info) != ERR_OK) {
        return cli_fail(cli, "core %s: %s", cli->words[0], info.text);
    }
    if (ip != NULL && bootstrap_ipv4_read(ip, r->ip, NULL) != ERR_OK &&
        bootstrap_ipv6_read(ip, r->ip, NULL) != ERR_OK) {
        return cli_fail(cli, "--ip %s: not an address such as 192.0.2.1 or 2001:db8::1", ip);
    }
    return CLI_OK;
}

/* One that serves is not undone by taking back the letter that once let it in. */
static enum err look_whether_arrived(struct revoking *r, struct err_info *info)
{
    struct db_cores cores;
    enum store_admission_state state = STORE_ADMISSION_NONE;
    enum err e = db_cores_list(r->cli->db, &cores, info);
    if (e != ERR_OK) {
        return e;
    }
    e = db_admission_state(r->cli->db, r->id, &state, info);
    r->arrived = state == STORE_ADMISSION_NONE && db_cores_find(&cores, r->id) != NULL;
    db_cores_free(&cores);
    return e;
}

static void add_ips(json_t *list, const struct db_cores *cores)
{
    for (size_t i = 0; i < cores->count; i++) {
        const struct store_core *c = &cores->items[i];
        if (c->ip != NULL) {
            json_array_append_new(list, cli_text(c->ip));
        } else if (c->ipv6 != NULL) {
            json_array_append_new(list, cli_text(c->ipv6));
        }
    }
}

static int withdraw(struct revoking *r)
{
    struct cli *cli = r->cli;
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    enum err e = look_whether_arrived(r, &info);
    if (e == ERR_OK) {
        e = db_admission_withdraw(cli->db, r->id, r->ip[0] != '\0' && !r->arrived ? r->ip : NULL,
                                  clk_wall_ms(&clk_system), &r->w, &info);
    }
    if (e == ERR_OK) {
        e = db_cores_list(cli->db, &cores, &info);
    }
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "core %s: %s", r->id, info.text);
    }
    r->lsc_ips = json_array();
    add_ips(r->lsc_ips, &cores);
    db_cores_free(&cores);
    return CLI_OK;
}

static void print_revoked(const struct revoking *r)
{
    size_t i;
    json_t *ip;
    printf("Revoked %zu active token(s) for %s.\n", r->w.tokens, r->id);
    if (r->w.core_restored) {
        printf("Core %s is again what it was before.\n", r->id);
    }
    if (r->ip[0] == '\0') {
        return;
    }
    /* The core's own name goes with its row. */
    printf("Cleaned up DNS/PlatformDB: coreInfoDeleted=%s, perCoreDeleted=%s, lscIpsAfter=[",
           r->w.core_deleted ? "true" : "false",
           r->w.core_deleted || r->w.record_deleted ? "true" : "false");
    json_array_foreach(r->lsc_ips, i, ip)
    {
        printf("%s%s", i > 0 ? ", " : "", json_string_value(ip));
    }
    printf("]\n");
}

static void tell_revoked(struct revoking *r)
{
    struct cli *cli = r->cli;
    cli_begin_output(cli);
    if (cli_json(cli)) {
        cli_print_json_own(json_pack(
            "{s:s, s:I, s:I, s:b, s:b, s:b, s:o}", "core", r->id, "tokensRevoked",
            (json_int_t)r->w.tokens, "certsRevoked", (json_int_t)r->w.certs, "coreInfoDeleted",
            (int)r->w.core_deleted, "coreInfoRestored", (int)r->w.core_restored, "perCoreDeleted",
            r->w.core_deleted || r->w.record_deleted, "lscIpsAfter", r->lsc_ips));
        r->lsc_ips = NULL;
    } else {
        print_revoked(r);
    }
}

int bootstrap_revoke_token(struct cli *cli)
{
    struct revoking r = {.cli = cli};
    int code = read_words(&r);
    if (code == CLI_OK) {
        code = cli_open(cli, DB_READ);
    }
    if (code == CLI_OK) {
        code = withdraw(&r);
    }
    if (code == CLI_OK) {
        tell_revoked(&r);
        daemon_joining(cli);
    }
    if (code == CLI_OK && r.arrived && r.ip[0] != '\0') {
        code = cli_fail(cli,
                        "core %s has arrived already, and stays: dnsctl bootstrap remove-core %s "
                        "takes it out of the cluster",
                        r.id, r.id);
    }
    json_decref(r.lsc_ips);
    return code;
}

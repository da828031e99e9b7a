/* dnsctl certs rewrap: what is sealed with an older key of letsEncrypt.atRestKey is sealed with the first
 * one. Row by row, each only if it is still as it was read: it may be interrupted and done again, and
 * others may renew meanwhile. Not before every core that is heard has the new key: it could not open its
 * certificate any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/key.h"
#include "cert/vault.h"
#include "certs.h"
#include "columns.h"
#include "daemon.h"
#include "db_certs.h"
#include "lib/jx.h"

struct rewrap {
    struct cli *cli; /* borrowed */
    struct cert_vault *vault;
    bool dry;
    size_t done, same, failed; /* rows */
    int code;                  /* CLI_OK, or why it was broken off */
};

/* One sealed text. */
struct again {
    char from[SEAL_ID_TEXT]; /* id of the key that it is sealed with */
    char *sealed;            /* owned: with the first key; NULL: it has that already */
};

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

/* A store that is gone now is not asked for each of the rest. */
static void fail(struct rewrap *r, enum err e, const char *what, const char *name,
                 const struct err_info *info)
{
    r->failed++;
    if (err_is_transient(e)) {
        r->code = cli_fail_store(r->cli, e, "%s %s: %s", what, name, info->text);
    } else {
        cli_fail(r->cli, "%s %s: %s", what, name, info->text);
    }
}

static enum err seal_again(struct rewrap *r, const struct cert_vault_place *place,
                           const char *sealed, struct again *out, struct err_info *info)
{
    char *pem = NULL;
    *out = (struct again){.sealed = NULL};
    enum err e = seal_text_id(sealed, out->from);
    if (e != ERR_OK) {
        return err_set(info, e, "what is stored is not a sealed key");
    }
    if (strcmp(out->from, cert_vault_key_id(r->vault, 0)) == 0) {
        return ERR_OK;
    }
    e = cert_vault_open(r->vault, place, sealed, &pem, info);
    if (e == ERR_OK) {
        e = cert_vault_seal(r->vault, place, pem, &out->sealed, info);
    }
    cert_key_pem_free(pem);
    return e;
}

/* How it went with one row, of which something was sealed with the key FROM; NULL: nothing was to do. */
static void note(struct rewrap *r, enum err e, const char *what, const char *name, const char *from,
                 struct err_info *info)
{
    char entry[1024];
    if (e == ERR_CONFLICT) {
        err_set(info, e, "it was changed meanwhile; run this again");
    }
    if (e != ERR_OK) {
        fail(r, e, what, name, info);
        return;
    }
    if (from == NULL) {
        r->same++;
        return;
    }
    r->done++;
    snprintf(entry, sizeof entry, "%s %s: %s -> %s%s", what, name, from,
             cert_vault_key_id(r->vault, 0), r->dry ? " (not done: --dry-run)" : "");
    columns_clean(entry);
    if (!cli_json(r->cli)) {
        puts(entry);
    }
}

static void certificate(struct rewrap *r, const char *hostname)
{
    struct err_info info = {.text = ""};
    struct again key = {.sealed = NULL};
    char generation[24];
    json_t *row = NULL;
    enum err e = db_cert_get(r->cli->db, hostname, &row, &info);
    if (e == ERR_OK && row == NULL) {
        return; /* it was removed since the list was made */
    }
    snprintf(generation, sizeof generation, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(row, "generation")));
    const struct cert_vault_place place = {CERT_VAULT_LEAF, hostname, generation};
    if (e == ERR_OK) {
        e = seal_again(r, &place, text(row, "sealed"), &key, &info);
    }
    if (e == ERR_OK && key.sealed != NULL && !r->dry) {
        e = db_cert_reseal(r->cli->db, hostname, text(row, "sealed"), key.sealed, &info);
    }
    note(r, e, "certificate", hostname, key.sealed != NULL ? key.from : NULL, &info);
    free(key.sealed);
    json_decref(row);
}

static void account(struct rewrap *r, const json_t *a)
{
    struct err_info info = {.text = ""};
    struct again key = {.sealed = NULL}, pending = {.sealed = NULL};
    const char *directory = text(a, "directory");
    const char *old = text(a, "sealed");
    const char *old_pending = json_string_value(json_object_get(a, "sealedPending"));
    const struct cert_vault_place place = {CERT_VAULT_ACCOUNT, directory, NULL};
    const struct cert_vault_place pending_place = {CERT_VAULT_PENDING, directory, NULL};
    enum err e = seal_again(r, &place, old, &key, &info);
    if (e == ERR_OK && old_pending != NULL) {
        e = seal_again(r, &pending_place, old_pending, &pending, &info);
    }
    const char *from = key.sealed != NULL ? key.from : pending.sealed != NULL ? pending.from : NULL;
    if (e == ERR_OK && from != NULL && !r->dry) {
        e = db_account_reseal(r->cli->db, directory, old, old_pending,
                              key.sealed != NULL ? key.sealed : old,
                              pending.sealed != NULL ? pending.sealed : old_pending, &info);
    }
    note(r, e, "account", directory, from, &info);
    free(key.sealed);
    free(pending.sealed);
}

/* CERTIFICATE is what a core tells of its own, with its keys; one that manages none has none. */
static bool lacks(const json_t *certificate, const char *id)
{
    size_t i;
    json_t *key;
    const json_t *keys = json_object_get(certificate, "keys");
    json_array_foreach(keys, i, key)
    {
        if (json_is_string(key) && strcmp(json_string_value(key), id) == 0) {
            return false;
        }
    }
    return json_is_array(keys);
}

static int refuse(const struct rewrap *r, const char *core)
{
    return cli_fail(r->cli,
                    "core %s does not have key %s: put it into its letsEncrypt.atRestKey, restart "
                    "it, and run this again (--force: do it all the same)",
                    core, cert_vault_key_id(r->vault, 0));
}

/* Heartbeats are written where a store is shared; the daemon here is asked in any case. */
static int check_cores(struct rewrap *r)
{
    struct err_info info = {.text = ""};
    json_t *beats = NULL, *status = NULL, *beat;
    const char *id = cert_vault_key_id(r->vault, 0);
    int code = CLI_OK;
    size_t i;
    enum err e = db_beats(r->cli->db, &beats, &info);
    if (e != ERR_OK) {
        code = cli_fail_store(r->cli, e, "the store: %s", info.text);
    }
    if (code == CLI_OK && daemon_ask(r->cli, "status", &status, NULL) == ERR_OK &&
        lacks(json_object_get(status, "managed"), id)) {
        code = refuse(r, r->cli->config.core.id);
    }
    json_array_foreach(beats, i, beat)
    {
        const char *detail = text(beat, "detail");
        json_t *o = NULL;
        if (code == CLI_OK && jx_parse_object(detail, strlen(detail), &o, NULL) == ERR_OK &&
            lacks(json_object_get(o, "certificate"), id)) {
            code = refuse(r, text(beat, "core"));
        }
        json_decref(o);
    }
    json_decref(beats);
    json_decref(status);
    return code;
}

static void rewrap_all(struct rewrap *r)
{
    struct err_info info = {.text = ""};
    json_t *certs = NULL, *accounts = NULL;
    enum err e = db_certs_list(r->cli->db, &certs, &info);
    if (e == ERR_OK) {
        e = db_accounts(r->cli->db, &accounts, &info);
    }
    if (e != ERR_OK) {
        r->code = cli_fail_store(r->cli, e, "the store: %s", info.text);
    }
    for (size_t i = 0; r->code == CLI_OK && i < json_array_size(certs); i++) {
        certificate(r, text(json_array_get(certs, i), "hostname"));
    }
    for (size_t i = 0; r->code == CLI_OK && i < json_array_size(accounts); i++) {
        account(r, json_array_get(accounts, i));
    }
    json_decref(certs);
    json_decref(accounts);
}

static int report(const struct rewrap *r)
{
    if (cli_json(r->cli)) {
        cli_begin_output(r->cli);
        cli_print_json_own(json_pack("{s:s, s:I, s:I, s:I}", "key", cert_vault_key_id(r->vault, 0),
                                     "rewrapped", (json_int_t)r->done, "unchanged",
                                     (json_int_t)r->same, "failed", (json_int_t)r->failed));
    } else {
        printf("key %s: %zu rewrapped, %zu had it already, %zu failed\n",
               cert_vault_key_id(r->vault, 0), r->done, r->same, r->failed);
    }
    return r->code != CLI_OK ? r->code : r->failed == 0 ? CLI_OK : CLI_FAILED;
}

int certs_rewrap(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct rewrap r = {.cli = cli, .dry = (cli->args.given & ARGS_DRY_RUN) != 0};
    struct config_list keys;
    enum err e = config_keys_read(&cli->config, &keys, &info);
    if (e == ERR_OK) {
        e = cert_vault_new((const char *const *)keys.items, keys.count, &r.vault, &info);
    }
    config_keys_free(&keys);
    if (e != ERR_OK) {
        return cli_fail(cli, "%s", info.text);
    }
    int code = cli_open(cli, DB_READ);
    if (code == CLI_OK && (cli->args.given & ARGS_FORCE) == 0) {
        code = check_cores(&r);
    }
    if (code == CLI_OK) {
        rewrap_all(&r);
        code = report(&r);
    }
    cert_vault_free(r.vault);
    return code;
}

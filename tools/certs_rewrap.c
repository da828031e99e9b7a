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
    size_t done, same, failed;
};

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static void tell(const struct rewrap *r, const char *what, const char *name, const char *from)
{
    char entry[1024];
    snprintf(entry, sizeof entry, "%s %s: %s -> %s%s", what, name, from,
             cert_vault_key_id(r->vault, 0), r->dry ? " (not done: --dry-run)" : "");
    columns_clean(entry);
    if (!cli_json(r->cli)) {
        puts(entry);
    }
}

static void fail(struct rewrap *r, const char *what, const char *name, const struct err_info *info)
{
    r->failed++;
    cli_fail(r->cli, "%s %s: %s", what, name, info->text);
}

/* SEALED again, with the first key; NULL: it has it already, or (counted) cannot be opened. */
static char *again(struct rewrap *r, const char *what, const char *name,
                   const struct cert_vault_place *place, const char *sealed)
{
    struct err_info info = {.text = ""};
    char id[SEAL_ID_TEXT];
    char *pem = NULL, *out = NULL;
    enum err e = seal_text_id(sealed, id);
    if (e == ERR_OK && strcmp(id, cert_vault_key_id(r->vault, 0)) == 0) {
        r->same++;
        return NULL;
    }
    if (e != ERR_OK) {
        err_set(&info, e, "what is stored is not a sealed key");
    } else {
        e = cert_vault_open(r->vault, place, sealed, &pem, &info);
    }
    if (e == ERR_OK) {
        e = cert_vault_seal(r->vault, place, pem, &out, &info);
    }
    cert_key_pem_free(pem);
    if (e != ERR_OK) {
        fail(r, what, name, &info);
        return NULL;
    }
    tell(r, what, name, id);
    return out;
}

static void note(struct rewrap *r, enum err e, const char *what, const char *name,
                 struct err_info *info)
{
    if (e == ERR_OK) {
        r->done++;
        return;
    }
    if (e == ERR_CONFLICT) {
        err_set(info, e, "it was changed meanwhile; run this again");
    }
    fail(r, what, name, info);
}

static void certificate(struct rewrap *r, const char *hostname)
{
    struct err_info info = {.text = ""};
    char generation[24];
    json_t *row = NULL;
    enum err e = db_cert_get(r->cli->db, hostname, &row, &info);
    if (e != ERR_OK) {
        fail(r, "certificate", hostname, &info);
        return;
    }
    snprintf(generation, sizeof generation, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(row, "generation")));
    const struct cert_vault_place place = {CERT_VAULT_LEAF, hostname, generation};
    char *sealed =
        row != NULL ? again(r, "certificate", hostname, &place, text(row, "sealed")) : NULL;
    if (sealed != NULL && r->dry) {
        r->done++;
    } else if (sealed != NULL) {
        e = db_cert_reseal(r->cli->db, hostname, text(row, "sealed"), sealed, &info);
        note(r, e, "certificate", hostname, &info);
    }
    free(sealed);
    json_decref(row);
}

static void account(struct rewrap *r, const json_t *a)
{
    struct err_info info = {.text = ""};
    const char *directory = text(a, "directory");
    const char *old = text(a, "sealed");
    const char *old_pending = json_string_value(json_object_get(a, "sealedPending"));
    const struct cert_vault_place place = {CERT_VAULT_ACCOUNT, directory, NULL};
    const struct cert_vault_place pending_place = {CERT_VAULT_PENDING, directory, NULL};
    size_t failed = r->failed;
    char *sealed = again(r, "account", directory, &place, old);
    char *pending = old_pending != NULL
                        ? again(r, "pending key of", directory, &pending_place, old_pending)
                        : NULL;
    if ((sealed != NULL || pending != NULL) && r->failed == failed && r->dry) {
        r->done++;
    } else if ((sealed != NULL || pending != NULL) && r->failed == failed) {
        enum err e = db_account_reseal(r->cli->db, directory, old, old_pending,
                                       sealed != NULL ? sealed : old,
                                       pending != NULL ? pending : old_pending, &info);
        note(r, e, "account", directory, &info);
    }
    free(sealed);
    free(pending);
}

/* Somebody who tells its keys and has not the new one; NULL: everybody has. Caller frees. */
static char *who_lacks(const json_t *beats, const char *id)
{
    size_t i, k;
    json_t *beat, *key;
    json_array_foreach(beats, i, beat)
    {
        const char *detail = text(beat, "detail");
        json_t *o = NULL;
        if (jx_parse_object(detail, strlen(detail), &o, NULL) != ERR_OK) {
            continue;
        }
        const json_t *keys = json_object_get(json_object_get(o, "certificate"), "keys");
        bool has = !json_is_array(keys); /* it manages no certificate */
        json_array_foreach(keys, k, key)
        {
            has = has || strcmp(json_string_value(key), id) == 0;
        }
        json_decref(o);
        if (!has) {
            return strdup(text(beat, "core"));
        }
    }
    return NULL;
}

static int check_cores(struct rewrap *r)
{
    struct err_info info = {.text = ""};
    json_t *beats = NULL;
    const char *id = cert_vault_key_id(r->vault, 0);
    enum err e = db_beats(r->cli->db, &beats, &info);
    int code = CLI_OK;
    if (e != ERR_OK) {
        code = cli_fail_store(r->cli, e, "the store: %s", info.text);
    } else if ((r->cli->args.given & ARGS_FORCE) == 0) {
        char *core = who_lacks(beats, id);
        if (core != NULL) {
            code = cli_fail(r->cli,
                            "core %s does not have key %s: put it into its letsEncrypt.atRestKey, "
                            "restart it, and run this again (--force: do it all the same)",
                            core, id);
        }
        free(core);
    }
    json_decref(beats);
    return code;
}

static int rewrap_all(struct rewrap *r)
{
    struct err_info info = {.text = ""};
    json_t *certs = NULL, *accounts = NULL;
    size_t i;
    json_t *one;
    enum err e = db_certs_list(r->cli->db, &certs, &info);
    if (e == ERR_OK) {
        e = db_accounts(r->cli->db, &accounts, &info);
    }
    json_array_foreach(certs, i, one)
    {
        certificate(r, text(one, "hostname"));
    }
    json_array_foreach(accounts, i, one)
    {
        account(r, one);
    }
    json_decref(certs);
    json_decref(accounts);
    return e == ERR_OK ? CLI_OK : cli_fail_store(r->cli, e, "the store: %s", info.text);
}

static int report(struct rewrap *r)
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
    return r->failed == 0 ? CLI_OK : CLI_FAILED;
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
    if (code == CLI_OK) {
        code = check_cores(&r);
    }
    if (code == CLI_OK) {
        code = rewrap_all(&r);
    }
    if (code == CLI_OK) {
        code = report(&r);
    }
    cert_vault_free(r.vault);
    return code;
}

/* What the job does off the loop: keys, sealing, looking at certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/chain.h"
#include "job_priv.h"
#include "lib/log.h"

static void done(struct loop_work *w)
{
    struct acme_job *j = acme_job_of_work(w);
    acme_job_done(j, j->work_err, &j->work_info);
}

static void start(struct acme_job *j, void (*work)(struct loop_work *w))
{
    j->work_info.text[0] = '\0';
    acme_job_offload(j, work, done);
}

static void work_stage(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_job *j = acme_job_of_work(w);
    struct cert_vault_place place = {.kind = CERT_VAULT_STAGED, .name = j->o.hostname, .id = j->id};
    char *pem = NULL;
    cert_key_free(j->staged);
    j->staged = NULL;
    free(j->staged_sealed);
    j->staged_sealed = NULL;
    j->work_err = cert_key_new(&j->staged, &j->work_info);
    if (j->work_err == ERR_OK) {
        j->work_err = cert_key_to_pem(j->staged, &pem, &j->work_info);
    }
    if (j->work_err == ERR_OK) {
        j->work_err = cert_vault_seal(j->o.vault, &place, pem, &j->staged_sealed, &j->work_info);
    }
    cert_key_pem_free(pem);
}

void acme_job_stage(struct acme_job *j)
{
    start(j, work_stage);
}

/* ---- what the CA gave ------------------------------------------------------------------------------ */

static enum err look(struct acme_job *j, const char *pem)
{
    struct tls_pair *pair = NULL;
    struct err_info *info = &j->work_info;
    enum err e = tls_pair_new(j->chain, j->chain_len, pem, strlen(pem), &pair, info);
    if (e != ERR_OK) {
        return e;
    }
    const struct tls_pair_info *of = tls_pair_info(pair);
    e = cert_chain_check(of, j->o.names, j->o.names_count, acme_job_wall_ms(j), info);
    snprintf(j->outcome.serial, sizeof j->outcome.serial, "%s", of->serial);
    j->outcome.not_before_ms = of->not_before_ms;
    j->outcome.not_after_ms = of->not_after_ms;
    tls_pair_unref(pair);
    return e;
}

static enum err take_apart(struct acme_job *j)
{
    char id[CERT_CHAIN_ARI_MAX];
    j->outcome.ari_id[0] = '\0';
    if (cert_chain_ari_id(j->chain, j->chain_len, id, NULL) == ERR_OK) {
        snprintf(j->outcome.ari_id, sizeof j->outcome.ari_id, "%s", id);
    }
    free(j->leaf);
    free(j->rest);
    j->leaf = j->rest = NULL;
    return cert_chain_split(j->chain, j->chain_len, &j->leaf, &j->rest, &j->work_info);
}

static enum err seal(struct acme_job *j, const char *pem)
{
    char generation[24];
    snprintf(generation, sizeof generation, "%llu", (unsigned long long)j->o.expect + 1);
    struct cert_vault_place place = {
        .kind = CERT_VAULT_LEAF, .name = j->o.hostname, .id = generation};
    free(j->leaf_key);
    j->leaf_key = NULL;
    return cert_vault_seal(j->o.vault, &place, pem, &j->leaf_key, &j->work_info);
}

static void work_check(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_job *j = acme_job_of_work(w);
    char *pem = NULL;
    enum err e = cert_key_to_pem(j->staged, &pem, &j->work_info);
    if (e == ERR_OK) {
        e = look(j, pem);
    }
    if (e == ERR_OK) {
        e = take_apart(j);
    }
    if (e == ERR_OK) {
        e = seal(j, pem);
    }
    cert_key_pem_free(pem);
    j->work_err = e;
}

void acme_job_check(struct acme_job *j)
{
    if (!j->order.chain_found) {
        LOG_WARN("acme", "the CA has no such chain; its default is used",
                 LOG_S("hostname", j->o.hostname), LOG_S("preferredChain", j->o.preferred_chain));
    }
    start(j, work_check);
}

/* What the job wants of the publisher. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_priv.h"

#include "lib/digest.h"
#include "lib/log.h"

#define KEEP_MS (ORDER_DEADLINE_MS + 300000) /* how long a proof is good that nobody takes away */

/* ---- evidence ---------------------------------------------------------------------------------------- */

static void remember(struct acme_job *j, const char *report)
{
    json_t *object = NULL;
    if (report == NULL || strlen(report) > JOB_DETAIL_MAX ||
        jx_parse_object(report, strlen(report), &object, NULL) != ERR_OK) {
        return;
    }
    json_object_set_new(j->detail, acme_order_state_text(j->order.state), object);
}

static void on_published(void *ctx, enum err e, const struct err_info *info, const char *report)
{
    struct acme_job *j = ctx;
    if (j->order.doing == ACME_ACT_PROVE) {
        j->outcome.prove_ms += acme_job_mono_ms(j) - j->since_ms;
    }
    remember(j, report);
    acme_job_done(j, e, info);
}

static void on_witnesses(void *ctx, enum err e, const struct err_info *info, const char *report)
{
    struct acme_job *j = ctx;
    if (report != NULL && acme_job_keep(&j->witnesses, report)) {
        LOG_INFO("acme", "what the validators saw", LOG_S("hostname", j->o.hostname),
                 LOG_S("report", report));
    }
    acme_job_done(j, e, info);
}

/* ---- proofs ------------------------------------------------------------------------------------------- */

/* SHA-256 of the key authorization in hex (RFC 8737 §3). */
static enum err alpn_value(const char *token, const char *thumbprint, char *out, size_t room)
{
    char text[JOB_PROOF_MAX];
    uint8_t digest[DIGEST_SHA256_LEN];
    enum err e = acme_key_authorization(token, thumbprint, text, sizeof text);
    if (e == ERR_OK) {
        e = digest_sha256(text, strlen(text), digest);
    }
    for (size_t i = 0; e == ERR_OK && i < sizeof digest; i++) {
        snprintf(out + 2 * i, room - 2 * i, "%02x", digest[i]);
    }
    return e;
}

static enum err value_of(const struct acme_job *j, const char *token, char out[JOB_PROOF_MAX])
{
    switch (j->o.type) {
    case ACME_DNS01:
        return acme_dns01_value(token, j->thumbprint, out);
    case ACME_HTTP01:
        return acme_key_authorization(token, j->thumbprint, out, JOB_PROOF_MAX);
    default:
        return alpn_value(token, j->thumbprint, out, JOB_PROOF_MAX);
    }
}

static enum err make_proofs(struct acme_job *j)
{
    const struct acme_order *o = &j->order;
    j->proofs_count = 0;
    for (size_t i = 0; i < o->authz_count; i++) {
        if (!acme_order_proves(o, i)) {
            continue;
        }
        char *value = j->proof_values[j->proofs_count];
        enum err e = value_of(j, o->authz[i].token, value);
        if (e != ERR_OK) {
            return e;
        }
        j->proofs[j->proofs_count++] = (struct acme_proof){.type = j->o.type,
                                                           .name = o->authz[i].name,
                                                           .token = o->authz[i].token,
                                                           .value = value};
    }
    return ERR_OK;
}

/* ---- actions ------------------------------------------------------------------------------------------ */

static const struct acme_publisher *begin(struct acme_job *j)
{
    j->park = JOB_PUBLISHER;
    j->since_ms = acme_job_mono_ms(j);
    return j->o.publisher;
}

void acme_job_precheck(struct acme_job *j)
{
    const char *issuers[4];
    size_t count = j->directory.caa_identities_count;
    for (size_t i = 0; i < count; i++) {
        issuers[i] = j->directory.caa_identities[i];
    }
    struct acme_precheck check = {.names = j->names,
                                  .names_count = j->o.names_count,
                                  .type = j->o.type,
                                  .account = j->account.url,
                                  .issuers = issuers,
                                  .issuers_count = count};
    const struct acme_publisher *p = begin(j);
    p->precheck(p->ctx, &check, on_published, j);
}

void acme_job_publish(struct acme_job *j)
{
    enum err e = make_proofs(j);
    if (e != ERR_OK) {
        acme_job_later(j, e, &(struct err_info){.text = ""});
        return;
    }
    const struct acme_publisher *p = begin(j);
    p->put(p->ctx, &j->o.fence, j->id, j->proofs, j->proofs_count, acme_job_wall_ms(j) + KEEP_MS,
           on_published, j);
}

void acme_job_prove(struct acme_job *j)
{
    const struct acme_publisher *p = begin(j);
    p->prove(p->ctx, j->proofs, j->proofs_count, acme_job_mono_ms(j) + ORDER_PROVE_MS, on_published,
             j);
}

void acme_job_witnesses(struct acme_job *j)
{
    const struct acme_publisher *p = begin(j);
    p->witnesses(p->ctx, j->proofs, j->proofs_count, j->challenged_ms, on_witnesses, j);
}

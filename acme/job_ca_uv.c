/* What the job asks of the CA. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/chain.h"
#include "cert/csr.h"
#include "job_priv.h"
#include "lib/log.h"

/* ---- directory --------------------------------------------------------------------------------------- */

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct acme_job *j = ctx;
    struct acme_ev ev = {.e = e,
                         .text = info != NULL ? info->text : NULL,
                         .problem = problem,
                         .retry_ms = -1,
                         .directory = &j->directory};
    j->outcome.ca_ms += acme_job_mono_ms(j) - j->since_ms;
    if (directory != NULL) {
        j->directory = *directory;
    }
    acme_job_result(j, &ev);
}

void acme_job_directory(struct acme_job *j)
{
    j->park = JOB_DIRECTORY;
    j->since_ms = acme_job_mono_ms(j);
    session_directory(j->o.session, false, on_directory, j);
}

/* ---- replies ------------------------------------------------------------------------------------------- */

int64_t acme_job_retry_ms(const struct session_reply *reply)
{
    return reply->problem.class != ACME_FINE && reply->problem.retry_ms >= 0
               ? reply->problem.retry_ms
               : reply->retry_ms;
}

static enum err take_chain(struct acme_job *j, const struct session_reply *reply,
                           struct acme_ev *ev)
{
    const char *wanted = j->o.preferred_chain;
    ev->matches =
        wanted == NULL || *wanted == '\0' || cert_chain_leads_to(reply->body, reply->len, wanted);
    ev->alternates = reply->alternates;
    ev->alternates_count = reply->alternates_count;
    if (j->order.index > 0 && !ev->matches) {
        return ERR_OK;
    }
    free(j->chain);
    j->chain = strndup(reply->body, reply->len);
    j->chain_len = j->chain != NULL ? strlen(j->chain) : 0;
    return j->chain != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err take(struct acme_job *j, const struct session_reply *reply, struct acme_ev *ev,
                     struct err_info *info)
{
    switch (j->order.doing) {
    case ACME_ACT_NEW_ORDER:
    case ACME_ACT_ORDER:
    case ACME_ACT_FINALIZE:
        ev->order = &j->object.order;
        return acme_order_read(reply->body, reply->len, &j->object.order, info);
    case ACME_ACT_AUTHORIZATION:
        ev->authorization = &j->object.authorization;
        return acme_authorization_read(reply->body, reply->len, &j->object.authorization, info);
    case ACME_ACT_DOWNLOAD:
        return take_chain(j, reply, ev);
    default: /* nothing in it is of interest */
        return ERR_OK;
    }
}

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    struct acme_job *j = ctx;
    struct err_info mine = {.text = ""};
    struct acme_ev ev = {.e = e, .text = info != NULL ? info->text : NULL, .retry_ms = -1};
    j->outcome.ca_ms += acme_job_mono_ms(j) - j->since_ms;
    if (e == ERR_OK) {
        ev.problem = &reply->problem;
        ev.retry_ms = acme_job_retry_ms(reply);
        ev.url = reply->location;
    }
    if (e == ERR_OK && reply->problem.class == ACME_FINE) {
        ev.e = take(j, reply, &ev, &mine);
        ev.text = mine.text;
    }
    acme_job_result(j, &ev);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static void send_post(struct acme_job *j, const struct session_post *post, session_reply_cb *cb)
{
    j->park = JOB_CALL;
    j->since_ms = acme_job_mono_ms(j);
    j->call = session_post(j->o.session, post, cb, j);
}

void acme_job_post(struct acme_job *j, const char *url, const char *payload, bool with_key,
                   session_reply_cb *cb)
{
    struct session_post post = {
        .key = j->key, .kid = with_key ? NULL : j->account.url, .url = url, .payload = payload};
    send_post(j, &post, cb);
}

static enum err new_order(struct acme_job *j, char **out)
{
    const char *profile = j->order.profile[0] != '\0' ? j->order.profile : NULL;
    *out = acme_job_payload_order(j->names, j->o.names_count,
                                  j->order.with_replaces ? j->o.replaces : NULL, profile);
    return *out != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err finalize(struct acme_job *j, char **out, struct err_info *info)
{
    uint8_t *der = NULL;
    size_t len = 0;
    enum err e = cert_csr_new(j->staged, j->names, j->o.names_count, &der, &len, info);
    if (e == ERR_OK) {
        *out = acme_job_payload_finalize(der, len);
        e = *out != NULL ? ERR_OK : ERR_NOMEM;
    }
    free(der);
    return e;
}

static void download(struct acme_job *j, size_t i)
{
    struct session_post post = {.key = j->key,
                                .kid = j->account.url,
                                .url = i == 0 ? j->order.certificate : j->order.alternates[i - 1],
                                .accept = "application/pem-certificate-chain",
                                .body_max = SESSION_CHAIN_MAX};
    send_post(j, &post, on_reply);
}

static void send_payload(struct acme_job *j, const char *url, enum err e, char *payload,
                         const struct err_info *info)
{
    if (e != ERR_OK) {
        acme_job_later(j, e, info);
    } else {
        acme_job_post(j, url, payload, false, on_reply);
    }
    free(payload);
}

void acme_job_request(struct acme_job *j, const struct acme_act *act)
{
    const struct acme_order_authz *z = &j->order.authz[act->index];
    struct err_info info = {.text = ""};
    char *payload = NULL;
    enum err e;
    switch (act->kind) {
    case ACME_ACT_NEW_ORDER:
        e = new_order(j, &payload);
        send_payload(j, j->directory.new_order, e, payload, &info);
        return;
    case ACME_ACT_FINALIZE:
        e = finalize(j, &payload, &info);
        send_payload(j, j->order.finalize, e, payload, &info);
        return;
    case ACME_ACT_ORDER:
        acme_job_post(j, j->order.url, NULL, false, on_reply);
        return;
    case ACME_ACT_AUTHORIZATION:
        acme_job_post(j, z->url, NULL, false, on_reply);
        return;
    case ACME_ACT_CHALLENGE: /* an empty object, and nothing else (RFC 8555 §7.5.1) */
        j->challenged_ms = j->challenged_ms == 0 ? acme_job_wall_ms(j) : j->challenged_ms;
        acme_job_post(j, z->challenge, "{}", false, on_reply);
        return;
    case ACME_ACT_DEACTIVATE: /* §7.5.2 */
        acme_job_post(j, z->url, "{\"status\":\"deactivated\"}", false, on_reply);
        return;
    default: /* DOWNLOAD */
        download(j, act->index);
        return;
    }
}

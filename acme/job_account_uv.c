/* The account machine's driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_priv.h"

#include "account_key.h"
#include "lib/log.h"

#define READY_MS ORDER_PROVE_MS /* for every core to give the account's CAA */

static void perform(struct acme_job *j, enum acme_account_act what);

/* ---- results ------------------------------------------------------------------------------------- */

static void leave(struct acme_job *j, struct acme_ev *ev)
{
    j->in_account = false;
    acme_job_result(j, ev);
}

static void next(struct acme_job *j, const struct acme_account_ev *ev)
{
    if (j->order.cancelled || j->account_fenced_off) {
        struct acme_ev out = {.e = j->account_fenced_off ? ERR_DENIED : ERR_CANCELED,
                              .retry_ms = -1};
        leave(j, &out);
        return;
    }
    perform(j, acme_account_next(&j->account, ev));
}

void acme_job_account_failed(struct acme_job *j, enum err e, const struct err_info *info)
{
    struct acme_account_ev ev = {.e = e, .text = info != NULL ? info->text : NULL, .retry_ms = -1};
    next(j, &ev);
}

/* Refused on our side, and asking again is of no use. */
static void next_denied(struct acme_job *j, const char *type, const struct err_info *info)
{
    struct acme_problem p = {.class = ACME_DENIED, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    snprintf(p.text, sizeof p.text, "%s", info->text);
    struct acme_account_ev ev = {.problem = &p, .retry_ms = -1};
    next(j, &ev);
}

void acme_job_account_waited(struct acme_job *j)
{
    if (j->park == JOB_READY) {
        acme_job_account_canceled(j); /* it took too long, which for who says READY is the same */
        return;
    }
    next(j, &(struct acme_account_ev){.retry_ms = -1});
}

/* ---- the row --------------------------------------------------------------------------------------- */

static const char *issuer(const struct acme_job *j)
{
    return j->directory.caa_identities_count > 0 ? j->directory.caa_identities[0] : "";
}

static const char *wanted_contact(const struct acme_job *j)
{
    return j->o.contact != NULL ? j->o.contact : "";
}

static enum err open_key(struct acme_job *j, enum cert_vault_kind kind, const char *sealed,
                         struct err_info *info)
{
    struct cert_key *key = NULL;
    enum err e = account_key_open(j->o.vault, kind, session_url(j->o.session), sealed, &key,
                                  j->thumbprint, info);
    if (e == ERR_OK) {
        cert_key_free(j->key);
        j->key = key;
    }
    return e;
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_account *row)
{
    struct acme_job *j = ctx;
    struct err_info mine = {.text = ""};
    struct acme_account_ev ev = {.retry_ms = -1};
    if (e == ERR_NOTFOUND) {
        j->account_ms = acme_job_wall_ms(j);
        j->contact[0] = '\0';
        next(j, &ev);
        return;
    }
    if (e != ERR_OK) {
        acme_job_account_failed(j, e, info);
        return;
    }
    e = open_key(j, CERT_VAULT_ACCOUNT, row->key, &mine);
    if (e != ERR_OK) { /* another atRestKey, or another row's: never written over */
        err_prefix(&mine, e, "the account's key: ");
        next_denied(j, "vault", &mine);
        return;
    }
    if (!acme_job_keep(&j->key_sealed, row->key) ||
        !acme_job_keep(&j->pending_sealed, row->pending_key)) {
        acme_job_account_failed(j, ERR_NOMEM, NULL);
        return;
    }
    j->account_ms = row->created_ms;
    snprintf(j->contact, sizeof j->contact, "%s", row->contact);
    ev.found = true;
    ev.pending = row->pending_key != NULL;
    ev.url = row->url;
    /* Another issuer is a reason to write the row, too: CAA is made of it. */
    ev.same_contact =
        strcmp(row->contact, wanted_contact(j)) == 0 && strcmp(row->issuer, issuer(j)) == 0;
    next(j, &ev);
}

static void on_saved(void *ctx, enum err e, const struct err_info *info)
{
    struct acme_job *j = ctx;
    j->account_fenced_off = e == ERR_DENIED;
    acme_job_account_failed(j, e, info);
}

static void save(struct acme_job *j)
{
    struct store_account row = {.directory = session_url(j->o.session),
                                .url = j->account.url,
                                .key = j->key_sealed,
                                .pending_key = j->pending_sealed,
                                .thumbprint = j->thumbprint,
                                .contact = j->contact,
                                .issuer = issuer(j),
                                .created_ms = j->account_ms};
    j->park = JOB_STORE;
    store_account_put(j->o.store, &j->o.fence, &row, on_saved, j);
}

/* ---- a key ---------------------------------------------------------------------------------------- */

static void work_key(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_job *j = acme_job_of_work(w);
    cert_key_free(j->key);
    free(j->key_sealed);
    j->work_err = account_key_make(j->o.vault, CERT_VAULT_ACCOUNT, session_url(j->o.session),
                                   &j->key, &j->key_sealed, j->thumbprint, &j->work_info);
}

static void done_key(struct loop_work *w)
{
    struct acme_job *j = acme_job_of_work(w);
    acme_job_keep(&j->pending_sealed, NULL);
    j->contact[0] = '\0';
    j->account_ms = acme_job_wall_ms(j);
    acme_job_account_failed(j, j->work_err, &j->work_info);
}

/* The change of keys that somebody was interrupted in had been carried out. */
static void work_promote(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_job *j = acme_job_of_work(w);
    free(j->key_sealed);
    j->work_err = account_key_seal(j->o.vault, CERT_VAULT_ACCOUNT, session_url(j->o.session),
                                   j->key, &j->key_sealed, &j->work_info);
}

static void done_promote(struct loop_work *w)
{
    struct acme_job *j = acme_job_of_work(w);
    acme_job_keep(&j->pending_sealed, NULL);
    acme_job_account_failed(j, j->work_err, &j->work_info);
}

/* ---- requests --------------------------------------------------------------------------------------- */

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    struct acme_job *j = ctx;
    j->outcome.ca_ms += acme_job_mono_ms(j) - j->since_ms;
    if (e != ERR_OK) {
        acme_job_account_failed(j, e, info);
        return;
    }
    struct acme_account_ev ev = {
        .problem = &reply->problem, .retry_ms = acme_job_retry_ms(reply), .url = reply->location};
    bool well = reply->problem.class == ACME_FINE;
    /* What is in it is of interest only if it says that the account is out of use. */
    if (well && acme_account_read(reply->body, reply->len, &j->object.account, NULL) == ERR_OK) {
        ev.account = &j->object.account;
    }
    if (well && (j->account.doing == ACCOUNT_NEW || j->account.doing == ACCOUNT_CONTACT)) {
        snprintf(j->contact, sizeof j->contact, "%s", wanted_contact(j));
    }
    next(j, &ev);
}

static void post(struct acme_job *j, const char *url, char *payload, bool with_key)
{
    if (payload == NULL) {
        acme_job_later(j, ERR_NOMEM, &(struct err_info){.text = ""});
        return;
    }
    acme_job_post(j, url, payload, with_key, on_reply);
    free(payload);
}

static void enroll(struct acme_job *j)
{
    char *binding = NULL;
    struct err_info info = {.text = ""};
    if (j->account.binding) {
        enum err e = jws_bind(j->key, j->o.eab_kid, j->o.eab_hmac_key, j->directory.new_account,
                              &binding, &info);
        if (e == ERR_MALFORMED) {
            err_prefix(&info, e, "letsEncrypt.eab.hmacKey: ");
            next_denied(j, "eab", &info);
            return;
        }
        if (e != ERR_OK) {
            acme_job_later(j, e, &info);
            return;
        }
    }
    post(j, j->directory.new_account, acme_job_payload_account(wanted_contact(j), false, binding),
         true);
    free(binding);
}

/* Does the CA know the key that the account's was to be changed to. */
static void probe(struct acme_job *j)
{
    struct err_info info = {.text = ""};
    enum err e = open_key(j, CERT_VAULT_PENDING, j->pending_sealed, &info);
    if (e != ERR_OK) {
        err_prefix(&info, e, "the account's other key: ");
        next_denied(j, "vault", &info);
        return;
    }
    post(j, j->directory.new_account, acme_job_payload_account("", true, NULL), true);
}

static void back(struct acme_job *j)
{
    struct err_info info = {.text = ""};
    enum err e = open_key(j, CERT_VAULT_ACCOUNT, j->key_sealed, &info);
    acme_job_account_failed(j, e, &info);
}

/* ---- usable ----------------------------------------------------------------------------------------- */

static void usable(struct acme_job *j)
{
    struct acme_ev ev = {.retry_ms = -1};
    leave(j, &ev);
}

static void on_ready(void *ctx)
{
    struct job_ready *ready = ctx;
    struct acme_job *j = ready->job;
    free(ready);
    if (j == NULL) {
        return;
    }
    j->ready = NULL;
    if (j->in_on_account) {
        j->ready_at_once = true;
        return;
    }
    uv_timer_stop(&j->timer);
    usable(j);
}

static void announce(struct acme_job *j)
{
    if (j->o.on_account == NULL) {
        usable(j);
        return;
    }
    j->ready = malloc(sizeof *j->ready);
    if (j->ready == NULL) {
        struct acme_ev ev = {.e = ERR_NOMEM, .retry_ms = -1};
        leave(j, &ev);
        return;
    }
    j->ready->job = j;
    j->ready_at_once = false;
    j->in_on_account = true;
    j->park = JOB_READY;
    j->o.on_account(j->o.ctx, j->account.url, on_ready, j->ready);
    j->in_on_account = false;
    if (j->ready_at_once) {
        usable(j);
    } else if (!j->order.cancelled) {
        acme_job_wait(j, READY_MS);
        j->park = JOB_READY;
    }
}

static void on_unready(uv_timer_t *timer)
{
    struct acme_job *j = timer->data;
    bool stopped = j->order.cancelled;
    struct acme_ev ev = {.e = stopped ? ERR_CANCELED : ERR_TIMEOUT,
                         .text = "not every core gives the account's CAA",
                         .retry_ms = -1};
    leave(j, &ev);
}

void acme_job_account_canceled(struct acme_job *j)
{
    if (j->ready != NULL) {
        j->ready->job = NULL;
        j->ready = NULL;
    }
    uv_timer_start(&j->timer, on_unready, 0, 0);
}

/* ---- actions ---------------------------------------------------------------------------------------- */

static void give_up(struct acme_job *j)
{
    struct acme_problem p = j->account.problem;
    struct acme_ev ev = {.problem = &p, .retry_ms = -1};
    leave(j, &ev);
}

static void perform(struct acme_job *j, enum acme_account_act what)
{
    switch (what) {
    case ACCOUNT_READ:
        j->park = JOB_STORE;
        store_account_get(j->o.store, session_url(j->o.session), on_row, j);
        return;
    case ACCOUNT_KEY:
        acme_job_offload(j, work_key, done_key);
        return;
    case ACCOUNT_SAVE:
        save(j);
        return;
    case ACCOUNT_FIND:
        post(j, j->directory.new_account, acme_job_payload_account("", true, NULL), true);
        return;
    case ACCOUNT_PROBE:
        probe(j);
        return;
    case ACCOUNT_BACK:
        back(j);
        return;
    case ACCOUNT_PROMOTE:
        acme_job_offload(j, work_promote, done_promote);
        return;
    case ACCOUNT_NEW:
        enroll(j);
        return;
    case ACCOUNT_CONTACT:
        post(j, j->account.url, acme_job_payload_contact(wanted_contact(j)), false);
        return;
    case ACCOUNT_WAIT:
        acme_job_tell_again(j, &j->account.problem, j->account.wait_ms);
        acme_job_wait(j, j->account.wait_ms);
        return;
    case ACCOUNT_USABLE:
        announce(j);
        return;
    case ACCOUNT_FAILED:
        give_up(j);
        return;
    }
}

void acme_job_account_start(struct acme_job *j, bool anew)
{
    j->in_account = true;
    acme_account_init(&j->account, anew, j->o.eab_kid != NULL,
                      j->directory.external_account_required);
    perform(j, ACCOUNT_READ);
}

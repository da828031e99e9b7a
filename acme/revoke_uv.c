#include "revoke_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account_key.h"
#include "cert/leaf.h"
#include "job_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "revoke.h"

struct acme_revocation {
    struct acme_revoke_options o;
    acme_revoke_cb *cb;
    void *ctx; /* borrowed */
    struct acme_revoke machine;
    struct acme_revoke_wish wish;
    bool wish_fine;
    uv_timer_t timer;
    struct session_call *call; /* under way */
    bool canceled, lease_lost;
    char url[ACME_URL_MAX];     /* revokeCert */
    char account[ACME_URL_MAX]; /* its URL */
    struct cert_key *key;       /* owned: the account's */
    char *payload;              /* owned */
};

static void perform(struct acme_revocation *v, enum acme_revoke_act what);

/* ---- results ------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *timer)
{
    struct acme_revocation *v = timer->data;
    cert_key_free(v->key);
    free(v->payload);
    free(v);
}

static void finish(struct acme_revocation *v, bool well)
{
    struct acme_problem p = {.class = ACME_FINE, .retry_ms = -1};
    if (!well) {
        p = v->machine.problem;
    } else if (v->machine.already) {
        snprintf(p.text, sizeof p.text, "it was revoked already");
    }
    if (well) {
        LOG_INFO("acme", "the certificate is revoked", LOG_S("hostname", v->o.hostname),
                 LOG_S("serial", v->wish.serial));
    } else if (!v->lease_lost) {
        LOG_WARN("acme", "the certificate is not revoked", LOG_S("hostname", v->o.hostname),
                 LOG_S("type", p.type), LOG_S("problem", p.text));
    }
    acme_revoke_cb *cb = v->cb;
    void *ctx = v->ctx;
    bool lost = v->lease_lost;
    uv_close((uv_handle_t *)&v->timer, on_closed);
    cb(ctx, &p, lost);
}

static void next(struct acme_revocation *v, const struct acme_revoke_ev *ev)
{
    if (v->canceled) {
        v->lease_lost = true;
        finish(v, false);
        return;
    }
    perform(v, acme_revoke_next(&v->machine, ev));
}

static void next_err(struct acme_revocation *v, enum err e, const struct err_info *info)
{
    struct acme_revoke_ev ev = {.e = e, .text = info != NULL ? info->text : NULL, .retry_ms = -1};
    next(v, &ev);
}

/* What asking again does not change. */
static void refuse(struct acme_revocation *v, const char *type, const char *text)
{
    struct acme_problem p = {.class = ACME_DENIED, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    snprintf(p.text, sizeof p.text, "%s", text);
    next(v, &(struct acme_revoke_ev){.problem = &p, .retry_ms = -1});
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool is_wanted(const struct acme_revocation *v, const struct store_cert_row *row, char *text,
                      size_t room)
{
    static const char *const none[] = {""};
    struct cert_leaf leaf;
    enum err e = cert_leaf_read(row->cert_pem, strlen(row->cert_pem), none, 1, &leaf, NULL);
    if (e != ERR_OK) {
        snprintf(text, room, "the stored certificate cannot be read");
    } else if (strcmp(leaf.serial, v->wish.serial) != 0) {
        snprintf(text, room, "the stored certificate is not the one that was meant: serial %s",
                 leaf.serial);
        e = ERR_CONFLICT;
    }
    return e == ERR_OK;
}

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct acme_revocation *v = ctx;
    struct err_info mine = {.text = ""};
    char text[160];
    uint8_t *der = NULL;
    size_t len = 0;
    if (e == ERR_NOTFOUND || e == ERR_MALFORMED) {
        refuse(v, "serial", "no certificate is stored");
        return;
    }
    if (e != ERR_OK) {
        next_err(v, e, info);
        return;
    }
    if (row->directory != NULL && strcmp(row->directory, session_url(v->o.session)) != 0) {
        refuse(v, "certificate", "the stored certificate is of another CA than the one in use");
        return;
    }
    if (!is_wanted(v, row, text, sizeof text)) {
        refuse(v, "serial", text);
        return;
    }
    e = cert_leaf_der(row->cert_pem, strlen(row->cert_pem), &der, &len, &mine);
    free(v->payload);
    v->payload = e == ERR_OK ? acme_job_payload_revoke(der, len, v->wish.reason) : NULL;
    free(der);
    next_err(v, e == ERR_OK && v->payload == NULL ? ERR_NOMEM : e, &mine);
}

static void on_account(void *ctx, enum err e, const struct err_info *info,
                       const struct store_account *row)
{
    struct acme_revocation *v = ctx;
    struct err_info mine = {.text = ""};
    char thumbprint[JWS_THUMBPRINT];
    if (e != ERR_OK && e != ERR_NOTFOUND) {
        next_err(v, e, info);
        return;
    }
    if (e == ERR_NOTFOUND || *row->url == '\0') {
        refuse(v, "account", "there is no account at this CA yet");
        return;
    }
    cert_key_free(v->key);
    v->key = NULL;
    e = account_key_open(v->o.vault, CERT_VAULT_ACCOUNT, row->directory, row->key, &v->key,
                         thumbprint, &mine);
    if (e == ERR_NOMEM) {
        next_err(v, e, &mine);
    } else if (e != ERR_OK) {
        err_prefix(&mine, e, "the account's key: ");
        refuse(v, "vault", mine.text);
    } else {
        snprintf(v->account, sizeof v->account, "%s", row->url);
        store_cert_get(v->o.store, v->o.hostname, on_cert, v);
    }
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct acme_revocation *v = ctx;
    if (directory == NULL) {
        struct acme_revoke_ev ev = {
            .e = e, .text = info != NULL ? info->text : NULL, .problem = problem, .retry_ms = -1};
        next(v, &ev);
    } else if (v->canceled) {
        next_err(v, ERR_CANCELED, NULL);
    } else if (!v->wish_fine) {
        refuse(v, "argument", "what is to be revoked, and why, cannot be read");
    } else if (directory->revoke_cert[0] == '\0') {
        refuse(v, "account", "the CA offers no revocation");
    } else {
        snprintf(v->url, sizeof v->url, "%s", directory->revoke_cert);
        store_account_get(v->o.store, session_url(v->o.session), on_account, v);
    }
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    struct acme_revocation *v = ctx;
    v->call = NULL;
    if (e != ERR_OK) {
        next_err(v, e, info);
        return;
    }
    struct acme_revoke_ev ev = {.problem = &reply->problem, .retry_ms = acme_job_retry_ms(reply)};
    next(v, &ev);
}

static void on_later(uv_timer_t *timer)
{
    struct acme_revocation *v = timer->data;
    next_err(v, ERR_OK, NULL);
}

static void ask(struct acme_revocation *v)
{
    if (!v->o.is_held(v->o.ctx)) {
        v->canceled = true;
        uv_timer_start(&v->timer, on_later, 0, 0);
        return;
    }
    struct session_post post = {
        .key = v->key, .kid = v->account, .url = v->url, .payload = v->payload};
    v->call = session_post(v->o.session, &post, on_reply, v);
}

static void perform(struct acme_revocation *v, enum acme_revoke_act what)
{
    switch (what) {
    case REVOKE_READ:
        session_directory(v->o.session, false, on_directory, v);
        return;
    case REVOKE_ASK:
        ask(v);
        return;
    case REVOKE_WAIT:
        uv_timer_start(&v->timer, on_later, (uint64_t)v->machine.wait_ms, 0);
        return;
    case REVOKE_OVER:
    case REVOKE_FAILED:
        finish(v, what == REVOKE_OVER);
        return;
    }
}

/* ---- from outside ------------------------------------------------------------------------------------ */

void acme_revoke_start(const struct acme_revoke_options *options, acme_revoke_cb *cb, void *ctx,
                       struct acme_revocation **out)
{
    struct acme_revocation *v = mem_xalloc(sizeof *v);
    v->o = *options;
    v->o.argument = NULL;
    v->cb = cb;
    v->ctx = ctx;
    v->wish_fine = acme_revoke_wish_read(options->argument, &v->wish);
    acme_revoke_init(&v->machine);
    uv_timer_init(v->o.loop, &v->timer);
    v->timer.data = v;
    *out = v;
    perform(v, REVOKE_READ);
}

void acme_revoke_cancel(struct acme_revocation *v)
{
    v->canceled = true;
    if (v->call != NULL) {
        session_cancel(v->call);
    } else if (uv_is_active((uv_handle_t *)&v->timer)) {
        uv_timer_start(&v->timer, on_later, 0, 0);
    }
}

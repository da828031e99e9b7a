#include "rollover_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account_key.h"
#include "job_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "rollover.h"

struct acme_change {
    struct acme_rollover_options o;
    acme_rollover_cb *cb;
    void *ctx; /* borrowed */
    struct acme_rollover machine;
    uv_timer_t timer;
    struct session_call *call; /* under way */
    struct loop_work work;
    enum err work_err;
    struct err_info work_info;
    struct acme_directory directory;
    struct cert_key *key, *other; /* owned */
    char thumbprint[JWS_THUMBPRINT], other_thumbprint[JWS_THUMBPRINT];
    char *sealed, *other_sealed;                  /* owned */
    char *url, *contact, *issuer, *directory_url; /* owned: of the row */
    int64_t created_ms;
    bool canceled, lease_lost;
};

static void perform(struct acme_change *c, enum acme_rollover_act what);
static void finish(struct acme_change *c, bool well);

/* ---- results ------------------------------------------------------------------------------------- */

static void next(struct acme_change *c, const struct acme_rollover_ev *ev)
{
    if (c->canceled) {
        c->lease_lost = true;
        finish(c, false);
        return;
    }
    perform(c, acme_rollover_next(&c->machine, ev));
}

static void next_err(struct acme_change *c, enum err e, const struct err_info *info)
{
    struct acme_rollover_ev ev = {.e = e, .text = info != NULL ? info->text : NULL, .retry_ms = -1};
    next(c, &ev);
}

static void on_closed(uv_handle_t *timer)
{
    struct acme_change *c = timer->data;
    cert_key_free(c->key);
    cert_key_free(c->other);
    char *const owned[] = {c->sealed,  c->other_sealed, c->url,
                           c->contact, c->issuer,       c->directory_url};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        free(owned[i]);
    }
    free(c);
}

static void finish(struct acme_change *c, bool well)
{
    struct acme_problem p = {.class = ACME_FINE, .retry_ms = -1};
    if (!well) {
        p = c->machine.problem;
    }
    if (well) {
        LOG_INFO("acme", "the account has another key", LOG_S("account", c->url));
    } else if (!c->lease_lost) {
        LOG_WARN("acme", "the account keeps its key", LOG_S("type", p.type),
                 LOG_S("problem", p.text));
    }
    acme_rollover_cb *cb = c->cb;
    void *ctx = c->ctx;
    bool lost = c->lease_lost;
    uv_close((uv_handle_t *)&c->timer, on_closed);
    cb(ctx, &p, lost);
}

/* ---- reading --------------------------------------------------------------------------------------- */

static enum err open_keys(struct acme_change *c, const struct store_account *row,
                          struct err_info *info)
{
    enum err e = account_key_open(c->o.vault, CERT_VAULT_ACCOUNT, row->directory, row->key, &c->key,
                                  c->thumbprint, info);
    if (e == ERR_OK && row->pending_key != NULL) {
        e = account_key_open(c->o.vault, CERT_VAULT_PENDING, row->directory, row->pending_key,
                             &c->other, c->other_thumbprint, info);
    }
    return e;
}

static bool keep(struct acme_change *c, const struct store_account *row)
{
    c->created_ms = row->created_ms;
    return acme_job_keep(&c->sealed, row->key) &&
           acme_job_keep(&c->other_sealed, row->pending_key) && acme_job_keep(&c->url, row->url) &&
           acme_job_keep(&c->contact, row->contact) && acme_job_keep(&c->issuer, row->issuer) &&
           acme_job_keep(&c->directory_url, row->directory);
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_account *row)
{
    struct acme_change *c = ctx;
    struct err_info mine = {.text = ""};
    struct acme_problem p = {.class = ACME_DENIED, .type = "vault", .retry_ms = -1};
    struct acme_rollover_ev ev = {.retry_ms = -1};
    if (e != ERR_OK && e != ERR_NOTFOUND) {
        next_err(c, e, info);
        return;
    }
    ev.found = e == ERR_OK && *row->url != '\0';
    if (ev.found) {
        cert_key_free(c->key);
        cert_key_free(c->other);
        c->key = c->other = NULL;
        e = open_keys(c, row, &mine);
        ev.e = e == ERR_NOMEM || !keep(c, row) ? ERR_NOMEM : ERR_OK;
        ev.pending = row->pending_key != NULL;
        if (e != ERR_OK && ev.e == ERR_OK) {
            snprintf(p.text, sizeof p.text, "the account's key: %.400s", mine.text);
            ev.problem = &p;
        }
    }
    next(c, &ev);
}

static void on_directory(void *ctx, enum err e, const struct err_info *info,
                         const struct acme_directory *directory, const struct acme_problem *problem)
{
    struct acme_change *c = ctx;
    if (directory == NULL) {
        struct acme_rollover_ev ev = {
            .e = e, .text = info != NULL ? info->text : NULL, .problem = problem, .retry_ms = -1};
        next(c, &ev);
        return;
    }
    if (c->canceled) {
        next_err(c, ERR_CANCELED, NULL);
        return;
    }
    c->directory = *directory;
    if (directory->key_change[0] == '\0') {
        struct acme_problem p = {.class = ACME_DENIED, .type = "account", .retry_ms = -1};
        snprintf(p.text, sizeof p.text, "the CA offers no change of keys");
        next(c, &(struct acme_rollover_ev){.problem = &p, .retry_ms = -1});
        return;
    }
    store_account_get(c->o.store, session_url(c->o.session), on_row, c);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static void on_saved(void *ctx, enum err e, const struct err_info *info)
{
    struct acme_change *c = ctx;
    c->canceled = c->canceled || e == ERR_DENIED;
    next_err(c, e, info);
}

static void save(struct acme_change *c)
{
    struct store_account row = {.directory = c->directory_url,
                                .url = c->url,
                                .key = c->sealed,
                                .pending_key = c->other_sealed,
                                .thumbprint = c->thumbprint,
                                .contact = c->contact,
                                .issuer = c->issuer,
                                .created_ms = c->created_ms};
    store_account_put(c->o.store, &c->o.fence, &row, on_saved, c);
}

static struct acme_change *change_of(struct loop_work *w)
{
    return (struct acme_change *)((char *)w - offsetof(struct acme_change, work));
}

static void work_make(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_change *c = change_of(w);
    c->work_err = account_key_make(c->o.vault, CERT_VAULT_PENDING, c->directory_url, &c->other,
                                   &c->other_sealed, c->other_thumbprint, &c->work_info);
}

static void work_promote(struct loop_work *w) /* on a thread of the pool */
{
    struct acme_change *c = change_of(w);
    char *sealed = NULL;
    c->work_err = account_key_seal(c->o.vault, CERT_VAULT_ACCOUNT, c->directory_url, c->other,
                                   &sealed, &c->work_info);
    if (c->work_err != ERR_OK) {
        return;
    }
    free(c->sealed);
    c->sealed = sealed;
    free(c->other_sealed);
    c->other_sealed = NULL;
    memcpy(c->thumbprint, c->other_thumbprint, sizeof c->thumbprint);
}

static void done_work(struct loop_work *w)
{
    struct acme_change *c = change_of(w);
    next_err(c, c->work_err, &c->work_info);
}

static void offload(struct acme_change *c, void (*work)(struct loop_work *w))
{
    c->work.work = work;
    c->work.done = done_work;
    loop_offload(c->o.loop, &c->work);
}

/* ---- requests ---------------------------------------------------------------------------------------- */

static void on_reply(void *ctx, enum err e, const struct err_info *info,
                     const struct session_reply *reply)
{
    struct acme_change *c = ctx;
    c->call = NULL;
    if (e != ERR_OK) {
        next_err(c, e, info);
        return;
    }
    struct acme_rollover_ev ev = {.problem = &reply->problem, .retry_ms = acme_job_retry_ms(reply)};
    next(c, &ev);
}

static void probe(struct acme_change *c)
{
    struct session_post post = {.key = c->other,
                                .url = c->directory.new_account,
                                .payload = "{\"onlyReturnExisting\":true}"};
    c->call = session_post(c->o.session, &post, on_reply, c);
}

/* {"account", "oldKey"}, signed by the new key without a nonce (§7.3.5). */
static enum err inner(const struct acme_change *c, char **out, struct err_info *info)
{
    char *old = NULL;
    char *payload = NULL;
    json_t *jwk = NULL;
    enum err e = jws_jwk(c->key, &old, info);
    if (e == ERR_OK) {
        jwk = json_loads(old, 0, NULL);
        json_t *object = json_pack("{s:s, s:O}", "account", c->url, "oldKey", jwk);
        payload = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
        json_decref(object);
        e = payload != NULL ? ERR_OK : ERR_NOMEM;
    }
    if (e == ERR_OK) {
        struct jws_request r = {
            .key = c->other, .url = c->directory.key_change, .payload = payload};
        e = jws_sign(&r, out, info);
    }
    json_decref(jwk);
    free(payload);
    free(old);
    return e;
}

static void on_later(uv_timer_t *timer)
{
    struct acme_change *c = timer->data;
    next_err(c, c->work_err, &c->work_info);
}

/* What could not even be begun; said later. */
static void later(struct acme_change *c, enum err e, const struct err_info *info)
{
    c->work_err = e;
    c->work_info = *info;
    uv_timer_start(&c->timer, on_later, 0, 0);
}

static void change(struct acme_change *c)
{
    struct err_info info = {.text = ""};
    char *payload = NULL;
    if (!c->o.is_held(c->o.ctx)) {
        c->canceled = true;
        later(c, ERR_DENIED, &(struct err_info){.text = ""});
        return;
    }
    enum err e = inner(c, &payload, &info);
    if (e != ERR_OK) {
        later(c, e, &info);
        return;
    }
    struct session_post post = {
        .key = c->key, .kid = c->url, .url = c->directory.key_change, .payload = payload};
    c->call = session_post(c->o.session, &post, on_reply, c);
    free(payload);
}

/* ---- actions ------------------------------------------------------------------------------------------ */

static void wait_for(struct acme_change *c)
{
    c->work_err = ERR_OK;
    uv_timer_start(&c->timer, on_later, (uint64_t)c->machine.wait_ms, 0);
}

static void perform(struct acme_change *c, enum acme_rollover_act what)
{
    switch (what) {
    case ROLLOVER_READ:
        session_directory(c->o.session, false, on_directory, c);
        return;
    case ROLLOVER_MAKE:
        offload(c, work_make);
        return;
    case ROLLOVER_SAVE:
        save(c);
        return;
    case ROLLOVER_PROBE:
        probe(c);
        return;
    case ROLLOVER_CHANGE:
        change(c);
        return;
    case ROLLOVER_PROMOTE:
        offload(c, work_promote);
        return;
    case ROLLOVER_WAIT:
        wait_for(c);
        return;
    case ROLLOVER_OVER:
    case ROLLOVER_FAILED:
        finish(c, what == ROLLOVER_OVER);
        return;
    }
}

void acme_rollover_start(const struct acme_rollover_options *options, acme_rollover_cb *cb,
                         void *ctx, struct acme_change **out)
{
    struct acme_change *c = mem_xalloc(sizeof *c);
    c->o = *options;
    c->cb = cb;
    c->ctx = ctx;
    acme_rollover_init(&c->machine);
    uv_timer_init(c->o.loop, &c->timer);
    c->timer.data = c;
    *out = c;
    perform(c, ROLLOVER_READ);
}

void acme_rollover_cancel(struct acme_change *c)
{
    c->canceled = true;
    if (c->call != NULL) {
        session_cancel(c->call);
    } else if (uv_is_active((uv_handle_t *)&c->timer)) {
        uv_timer_start(&c->timer, on_later, 0, 0);
    }
}

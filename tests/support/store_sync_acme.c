/* The operations that certificates are got with. */
#include "store_sync_priv.h"

#define BEGIN(y)                                                                                   \
    struct sync_op o = {.y = (y)};                                                                 \
    sync_begin(y)

static void text(struct sync_op *o, const char *value)
{
    str_appendf(&o->y->out, ",%s", value != NULL ? value : "-");
}

static void number(struct sync_op *o, int64_t value)
{
    str_appendf(&o->y->out, ",%lld", (long long)value);
}

/* ---- leases ---------------------------------------------------------------------------------- */

static void on_lease(void *ctx, enum err e, const struct err_info *info,
                     const struct store_lease *lease)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (lease != NULL));
    if (e == ERR_OK) {
        str_appendf(&o->y->out, "%s=%s(%llu,%llu)", lease->name, lease->holder,
                    (unsigned long long)lease->term, (unsigned long long)lease->beat);
    }
    sync_ended(o, e, info);
}

enum err sync_lease_get(struct sync *y, const char *name)
{
    BEGIN(y);
    store_lease_get(y->store, name, on_lease, &o);
    return sync_finish(&o);
}

enum err sync_lease_take(struct sync *y, const char *name, uint64_t term, uint64_t beat,
                         const char *holder)
{
    const struct store_lease seen = {.name = name, .holder = "x", .term = term, .beat = beat};
    BEGIN(y);
    store_lease_take(y->store, &seen, holder, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_lease_beat(struct sync *y, const struct store_fence *fence, uint64_t beat)
{
    BEGIN(y);
    store_lease_beat(y->store, fence, beat, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_lease_release(struct sync *y, const struct store_fence *fence)
{
    BEGIN(y);
    store_lease_release(y->store, fence, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- proofs ---------------------------------------------------------------------------------- */

enum err sync_challenges_put(struct sync *y, const struct store_fence *fence,
                             const struct store_challenge *list, size_t count)
{
    BEGIN(y);
    store_challenges_put(y->store, fence, list, count, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_http01_put_under(struct sync *y, const struct store_fence *fence,
                               const struct store_http01 *h)
{
    BEGIN(y);
    store_http01_put(y->store, fence, h, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_alpn01_put(struct sync *y, const struct store_fence *fence,
                         const struct store_alpn01 *a)
{
    BEGIN(y);
    store_alpn01_put(y->store, fence, a, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_alpn01(void *ctx, enum err e, const struct err_info *info,
                      const struct store_alpn01 *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_appendf(&o->y->out, "%s=%s(%s,%lld)", list[i].name, list[i].digest, list[i].order,
                    (long long)list[i].expires_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_alpn01(struct sync *y, int64_t now_ms)
{
    BEGIN(y);
    store_alpn01_list(y->store, now_ms, on_alpn01, &o);
    return sync_finish(&o);
}

enum err sync_proofs_reap(struct sync *y, const struct store_fence *fence, int64_t now_ms)
{
    BEGIN(y);
    store_proofs_reap(y->store, fence, now_ms, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- accounts -------------------------------------------------------------------------------- */

static void put_account(struct sync_op *o, const struct store_account *a)
{
    sync_item(o->y);
    str_append(&o->y->out, a->directory);
    text(o, a->url);
    text(o, a->key);
    text(o, a->pending_key);
    text(o, a->thumbprint);
    text(o, a->contact);
    text(o, a->issuer);
    number(o, a->created_ms);
}

static void on_account(void *ctx, enum err e, const struct err_info *info,
                       const struct store_account *account)
{
    assert_true((e == ERR_OK) == (account != NULL));
    if (e == ERR_OK) {
        put_account(ctx, account);
    }
    sync_ended(ctx, e, info);
}

static void on_accounts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_account *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_account(ctx, &list[i]);
    }
    sync_ended(ctx, e, info);
}

enum err sync_account_get(struct sync *y, const char *directory)
{
    BEGIN(y);
    store_account_get(y->store, directory, on_account, &o);
    return sync_finish(&o);
}

enum err sync_account_put(struct sync *y, const struct store_fence *fence,
                          const struct store_account *a)
{
    BEGIN(y);
    store_account_put(y->store, fence, a, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_accounts(struct sync *y)
{
    BEGIN(y);
    store_accounts_list(y->store, on_accounts, &o);
    return sync_finish(&o);
}

enum err sync_account_reseal(struct sync *y, const struct store_account *expect, const char *key,
                             const char *pending_key)
{
    BEGIN(y);
    store_account_reseal(y->store, expect, key, pending_key, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void put_order(struct sync_op *o, const struct store_order *order)
{
    sync_item(o->y);
    str_append(&o->y->out, order->hostname);
    text(o, order->id);
    text(o, order->directory);
    text(o, order->purpose);
    text(o, order->state);
    text(o, order->url);
    text(o, order->names);
    text(o, order->key);
    text(o, order->replaces);
    text(o, order->detail);
    number(o, order->started_ms);
    number(o, order->expires_ms);
}

static void on_order(void *ctx, enum err e, const struct err_info *info,
                     const struct store_order *order)
{
    assert_true((e == ERR_OK) == (order != NULL));
    if (e == ERR_OK) {
        put_order(ctx, order);
    }
    sync_ended(ctx, e, info);
}

static void on_orders(void *ctx, enum err e, const struct err_info *info,
                      const struct store_order *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_order(ctx, &list[i]);
    }
    sync_ended(ctx, e, info);
}

enum err sync_order_get(struct sync *y, const char *hostname)
{
    BEGIN(y);
    store_order_get(y->store, hostname, on_order, &o);
    return sync_finish(&o);
}

enum err sync_order_put(struct sync *y, const struct store_fence *fence,
                        const struct store_order *order)
{
    BEGIN(y);
    store_order_put(y->store, fence, order, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_orders(struct sync *y)
{
    BEGIN(y);
    store_orders_list(y->store, on_orders, &o);
    return sync_finish(&o);
}

enum err sync_order_end(struct sync *y, const struct store_fence *fence, const char *hostname,
                        const char *id)
{
    BEGIN(y);
    store_order_end(y->store, fence, hostname, id, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- attempts, renewals ---------------------------------------------------------------------- */

static void on_attempts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_attempt *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        const struct store_attempt *a = &list[i];
        const char *const texts[] = {a->hostname, a->directory, a->kind, a->outcome,
                                     a->problem,  a->text,      a->core};
        sync_item(o->y);
        str_append(&o->y->out, a->id);
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            text(o, texts[k]);
        }
        number(o, a->at_ms);
        number(o, a->retry_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_attempt_put(struct sync *y, const struct store_fence *fence,
                          const struct store_attempt *a)
{
    BEGIN(y);
    store_attempt_put(y->store, fence, a, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_attempts(struct sync *y, const char *hostname, int64_t since_ms, size_t max,
                       bool latest)
{
    BEGIN(y);
    store_attempts_list(y->store, hostname, since_ms, max, latest, on_attempts, &o);
    return sync_finish(&o);
}

static void on_renewal(void *ctx, enum err e, const struct err_info *info,
                       const struct store_renewal *r)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (r != NULL));
    if (e == ERR_OK) {
        str_append(&o->y->out, r->hostname);
        text(o, r->serial);
        number(o, r->renew_ms);
        number(o, r->ari_start_ms);
        number(o, r->ari_end_ms);
        number(o, r->ari_next_ms);
        text(o, r->explanation);
        text(o, r->replaced);
        number(o, r->revoked_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_renewal_get(struct sync *y, const char *hostname)
{
    BEGIN(y);
    store_renewal_get(y->store, hostname, on_renewal, &o);
    return sync_finish(&o);
}

enum err sync_renewal_put(struct sync *y, const struct store_fence *fence,
                          const struct store_renewal *r)
{
    BEGIN(y);
    store_renewal_put(y->store, fence, r, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void on_job(void *ctx, enum err e, const struct err_info *info, const struct store_job *job)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (job != NULL));
    if (e == ERR_OK) {
        str_append(&o->y->out, job->id);
        text(o, job->hostname);
        text(o, job->kind);
        text(o, job->argument);
        text(o, job->state);
        text(o, job->by);
        text(o, job->override);
        text(o, job->text);
        number(o, job->asked_ms);
        number(o, job->ended_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_job_ask(struct sync *y, const struct store_job *job)
{
    BEGIN(y);
    store_job_ask(y->store, job, on_job, &o);
    return sync_finish(&o);
}

enum err sync_job_get(struct sync *y, const char *id)
{
    BEGIN(y);
    store_job_get(y->store, id, on_job, &o);
    return sync_finish(&o);
}

enum err sync_job_open(struct sync *y, const char *hostname, const char *kind)
{
    BEGIN(y);
    store_job_open(y->store, hostname, kind, on_job, &o);
    return sync_finish(&o);
}

enum err sync_job_put(struct sync *y, const struct store_fence *fence, const struct store_job *job)
{
    BEGIN(y);
    store_job_put(y->store, fence, job, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- witnesses ------------------------------------------------------------------------------- */

static void on_witnesses(void *ctx, enum err e, const struct err_info *info,
                         const struct store_witness *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_append(&o->y->out, list[i].core);
        text(o, list[i].name);
        text(o, list[i].source);
        text(o, list[i].transport);
        text(o, list[i].answer);
        number(o, list[i].at_ms);
        number(o, (int64_t)list[i].count);
    }
    sync_ended(o, e, info);
}

enum err sync_witness_put(struct sync *y, const struct store_witness *list, size_t count)
{
    BEGIN(y);
    store_witness_put(y->store, list, count, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_witnesses(struct sync *y, const char *name, int64_t since_ms)
{
    BEGIN(y);
    store_witnesses_list(y->store, name, since_ms, on_witnesses, &o);
    return sync_finish(&o);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (row != NULL));
    if (e == ERR_OK) {
        str_append(&o->y->out, row->cert.hostname);
        number(o, row->cert.issued_ms);
        number(o, row->cert.expires_ms);
        number(o, (int64_t)row->cert.generation);
        text(o, row->cert_pem);
        text(o, row->chain_pem);
        text(o, row->key);
        text(o, row->directory);
    }
    sync_ended(o, e, info);
}

enum err sync_cert_get(struct sync *y, const char *hostname)
{
    BEGIN(y);
    store_cert_get(y->store, hostname, on_cert, &o);
    return sync_finish(&o);
}

enum err sync_cert_put(struct sync *y, const struct store_fence *fence,
                       const struct store_cert_row *row, uint64_t expect)
{
    BEGIN(y);
    store_cert_put(y->store, fence, row, expect, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_cert_reseal(struct sync *y, const char *hostname, const char *expect, const char *key)
{
    BEGIN(y);
    store_cert_reseal(y->store, hostname, expect, key, sync_on_done, &o);
    return sync_finish(&o);
}

#include "job_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/chain.h"
#include "cert/key.h"
#include "lib/mem.h"

#define LEASE "acme/" JOB_FIXTURE_HOST

static const char *const names[] = {"*.job.example", "Job.Example"};

/* ---- the publisher ------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    struct job_fixture *f = timer->data;
    acme_publisher_cb *cb = f->cb;
    struct err_info info = {.text = "as the test wants it"};
    f->cb = NULL;
    cb(f->cb_ctx, f->then, f->then != ERR_OK ? &info : NULL, f->report);
}

static void say_later(struct job_fixture *f, enum err e, const char *report, acme_publisher_cb *cb,
                      void *cb_ctx)
{
    assert_null(f->cb); /* one at a time */
    f->cb = cb;
    f->cb_ctx = cb_ctx;
    f->then = e;
    f->report = report;
    uv_timer_start(&f->timer, on_timer, 0, 0);
}

static void precheck(void *ctx, const struct acme_precheck *check, acme_publisher_cb *cb,
                     void *cb_ctx)
{
    struct job_fixture *f = ctx;
    snprintf(f->prechecked, sizeof f->prechecked, "%s %s %s %s", check->names[0],
             check->names_count > 1 ? check->names[1] : "-", check->account,
             check->issuers_count > 0 ? check->issuers[0] : "-");
    say_later(f, f->precheck, "{\"delegation\": \"seen\"}", cb, cb_ctx);
}

static void on_put(void *ctx, enum err e, const struct err_info *info)
{
    struct job_fixture *f = ctx;
    acme_publisher_cb *cb = f->cb;
    f->cb = NULL;
    cb(f->cb_ctx, e, info, NULL);
}

static void put(void *ctx, const struct store_fence *fence, const char *order,
                const struct acme_proof *proofs, size_t count, int64_t expires_ms,
                acme_publisher_cb *cb, void *cb_ctx)
{
    struct job_fixture *f = ctx;
    struct store_challenge rows[STORE_PROOFS_MAX];
    size_t len = 0;
    f->puts++;
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct store_challenge){.name = "_acme-challenge",
                                           .value = proofs[i].value,
                                           .order = order,
                                           .expires_ms = expires_ms};
        len += (size_t)snprintf(f->put_values + len, sizeof f->put_values - len, "%s%s=%s",
                                i > 0 ? " " : "", proofs[i].name, proofs[i].value);
    }
    if (f->put != ERR_OK) {
        say_later(f, f->put, NULL, cb, cb_ctx);
        return;
    }
    f->cb = cb;
    f->cb_ctx = cb_ctx;
    store_challenges_put(f->y.store, fence, rows, count, on_put, f);
}

static void prove(void *ctx, const struct acme_proof *proofs, size_t count, int64_t deadline_ms,
                  acme_publisher_cb *cb, void *cb_ctx)
{
    struct job_fixture *f = ctx;
    (void)proofs;
    assert_true(count > 0);
    assert_true(deadline_ms > clk_mono_ms(&f->clock));
    f->proves++;
    say_later(f, f->prove, "{\"asked\": 4}", cb, cb_ctx);
}

static void witnesses(void *ctx, const struct acme_proof *proofs, size_t count, int64_t since_ms,
                      acme_publisher_cb *cb, void *cb_ctx)
{
    struct job_fixture *f = ctx;
    (void)proofs;
    (void)count;
    assert_true(since_ms > 0);
    f->witnessed++;
    say_later(f, ERR_OK, "{\"core-a\": \"nobody asked\"}", cb, cb_ctx);
}

static void cancel(void *ctx)
{
    struct job_fixture *f = ctx;
    f->then = ERR_CANCELED;
}

/* ---- the job's owner -------------------------------------------------------------------------------- */

static int64_t wall_ms(void *ctx)
{
    struct job_fixture *f = ctx;
    return clk_wall_ms(&clk_system) + f->wall_plus_ms;
}

static int64_t mono_ms(void *ctx)
{
    (void)ctx;
    return clk_mono_ms(&clk_system);
}

static bool is_held(void *ctx)
{
    return ((struct job_fixture *)ctx)->held;
}

static void on_account(void *ctx, const char *url, void (*ready)(void *ready_ctx), void *ready_ctx)
{
    struct job_fixture *f = ctx;
    snprintf(f->account, sizeof f->account, "%s", url);
    f->accounts++;
    if (!f->ready_is_late) {
        ready(ready_ctx);
        return;
    }
    acme_job_cancel(f->job); /* and READY comes all the same */
    ready(ready_ctx);
}

static void on_step(void *ctx, const char *state, const char *text)
{
    struct job_fixture *f = ctx;
    size_t len = strlen(f->steps);
    (void)text;
    assert_true(len + strlen(state) + 2 < sizeof f->steps);
    snprintf(f->steps + len, sizeof f->steps - len, "%s%s", len > 0 ? " " : "", state);
    if (f->on_step != NULL) {
        f->on_step(f, state);
    }
    if (f->cancel_at != NULL && strcmp(state, f->cancel_at) == 0) {
        acme_job_cancel(f->job);
    }
}

static void on_done(void *ctx, const struct acme_outcome *outcome)
{
    struct job_fixture *f = ctx;
    assert_false(f->done);
    f->outcome = *outcome;
    f->done = true;
    f->job = NULL;
}

void job_fixture_init(struct job_fixture *f, uv_loop_t *loop)
{
    static const char *const keys[] = {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    memset(f, 0, sizeof *f);
    f->loop = loop;
    f->file = store_file_new();
    assert_err(ERR_OK, sync_open(&f->y, loop, &f->file->options));
    assert_err(ERR_OK, cert_vault_new(keys, 1, &f->vault, NULL));
    f->clock = (struct clk){.wall_ms = wall_ms, .mono_ms = mono_ms, .ctx = f};
    f->term = 1;
    f->held = true;
    assert_err(ERR_OK, sync_lease_take(&f->y, LEASE, 0, 0, "core-a"));
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    f->publisher = (struct acme_publisher){.ctx = f,
                                           .precheck = precheck,
                                           .put = put,
                                           .prove = prove,
                                           .witnesses = witnesses,
                                           .cancel = cancel};
    f->options = (struct acme_job_options){.loop = loop,
                                           .vault = f->vault,
                                           .publisher = &f->publisher,
                                           .clock = &f->clock,
                                           .is_held = is_held,
                                           .purpose = ACME_ISSUE,
                                           .core = "core-a",
                                           .hostname = JOB_FIXTURE_HOST,
                                           .names = names,
                                           .names_count = 2,
                                           .type = ACME_DNS01,
                                           .contact = "ops@job.example",
                                           .replaces = "",
                                           .on_account = on_account,
                                           .on_step = on_step,
                                           .ctx = f};
}

void job_fixture_run(struct job_fixture *f, struct session *session)
{
    f->done = false;
    f->steps[0] = '\0';
    f->options.session = session;
    f->options.store = f->y.store;
    f->options.fence = (struct store_fence){.name = LEASE, .holder = "core-a", .term = f->term};
    acme_job_start(&f->options, on_done, f, &f->job);
    assert_false(f->done);
    sync_wait(f->loop, &f->done);
}

void job_fixture_need(const struct job_fixture *f, const char *state, enum acme_class class,
                      const char *type)
{
    const struct acme_problem *p = &f->outcome.problem;
    if (f->outcome.ok || strcmp(f->outcome.state, state) != 0 || p->class != class ||
        strcmp(p->type, type) != 0) {
        fail_msg("ok %d, in %s, class %d, type '%s': %s", f->outcome.ok, f->outcome.state, p->class,
                 p->type, p->text);
    }
}

void job_fixture_take_over(struct job_fixture *f)
{
    assert_err(ERR_OK, sync_lease_take(&f->y, LEASE, f->term, 0, "core-a"));
    f->term++;
    f->cancel_at = NULL;
}

/* ---- what is left ------------------------------------------------------------------------------------- */

struct look {
    struct job_fixture *f;
    uint64_t generation;
    struct tls_pair *pair;
    bool done;
};

static void on_cert(void *ctx, enum err e, const struct err_info *info,
                    const struct store_cert_row *row)
{
    struct look *l = ctx;
    char id[24];
    char *pem = NULL;
    char *chain = NULL;
    struct err_info why = {.text = ""};
    (void)info;
    assert_err(ERR_OK, e);
    assert_int_equal(l->generation, row->cert.generation);
    snprintf(id, sizeof id, "%llu", (unsigned long long)l->generation);
    struct cert_vault_place place = {.kind = CERT_VAULT_LEAF, .name = JOB_FIXTURE_HOST, .id = id};
    if (cert_vault_open(l->f->vault, &place, row->key, &pem, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    assert_true(asprintf(&chain, "%s%s", row->cert_pem, row->chain_pem) > 0);
    if (tls_pair_new(chain, strlen(chain), pem, strlen(pem), &l->pair, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    free(chain);
    cert_key_pem_free(pem);
    l->done = true;
}

void job_fixture_stored(struct job_fixture *f, uint64_t generation, struct tls_pair **pair)
{
    struct look l = {.f = f, .generation = generation};
    store_cert_get(f->y.store, JOB_FIXTURE_HOST, on_cert, &l);
    sync_wait(f->loop, &l.done);
    assert_err(ERR_OK, cert_chain_check(tls_pair_info(l.pair), f->options.names,
                                        f->options.names_count, clk_wall_ms(&clk_system), NULL));
    if (pair != NULL) {
        *pair = l.pair;
    } else {
        tls_pair_unref(l.pair);
    }
}

struct ledger {
    char text[1024];
    bool done;
};

static void on_attempts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_attempt *list, size_t count)
{
    struct ledger *l = ctx;
    size_t len = 0;
    (void)info;
    assert_err(ERR_OK, e);
    l->text[0] = '\0';
    for (size_t i = 0; i < count && len < sizeof l->text; i++) {
        len += (size_t)snprintf(l->text + len, sizeof l->text - len, "%s %s %s;", list[i].kind,
                                list[i].outcome, list[i].problem);
    }
    l->done = true;
}

const char *job_fixture_ledger(struct job_fixture *f)
{
    static struct ledger l;
    l.done = false;
    store_attempts_list(f->y.store, JOB_FIXTURE_HOST, 0, 20, true, on_attempts, &l);
    sync_wait(f->loop, &l.done);
    return l.text;
}

void job_fixture_clean(struct job_fixture *f)
{
    assert_err(ERR_NOTFOUND, sync_order_get(&f->y, JOB_FIXTURE_HOST));
    assert_err(ERR_OK, sync_challenges(&f->y, NULL));
    assert_string_equal("", f->y.out.text);
}

static void on_closed(uv_handle_t *timer)
{
    ((struct job_fixture *)timer->data)->closed++;
}

void job_fixture_end(struct job_fixture *f)
{
    uv_close((uv_handle_t *)&f->timer, on_closed);
    sync_wait_count(f->loop, &f->closed, 1);
    sync_close(&f->y);
    cert_vault_free(f->vault);
    store_file_free(f->file);
}

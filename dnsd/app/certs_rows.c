/* Rows of the store that concern certificates: this core's own, the accounts, proofs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/chain.h"
#include "certs_priv.h"
#include "lib/mem.h"

/* Something that used the store has ended. */
static void ended(struct certs *c)
{
    if (c->app->stopping) {
        app_continue_stop(c->app);
    } else {
        certs_step(c);
    }
}

static bool may_read(const struct certs *c)
{
    return c->in_use && !c->leaving && !c->stopping && !c->app->stopping;
}

/* ---- the certificate --------------------------------------------------------------------------- */

static void offer(struct certs *c, const struct store_cert_row *row)
{
    const struct cert_sync_row offered = {
        .hostname = c->cert.hostname,
        .generation = row->cert.generation,
        .issued_ms = row->cert.issued_ms,
        .cert_pem = row->cert_pem,
        .chain_pem = row->chain_pem,
        .key = row->key,
    };
    cert_sync_offer(c->sync, &offered);
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_cert_row *row)
{
    struct certs *c = ctx;
    c->row_busy = false;
    if (e == ERR_OK) {
        offer(c, row);
    } else if (e == ERR_NOTFOUND) {
        cert_sync_none(c->sync);
    } else if (!err_is_transient(e)) {
        LOG_WARN("certs", "the certificate's row cannot be read, what is shown goes on",
                 LOG_S("name", c->cert.hostname), LOG_S("reason", info->text));
    }
    if (c->row_again && may_read(c)) {
        certs_read_row(c);
    }
    ended(c);
}

void certs_read_row(struct certs *c)
{
    c->row_again = c->row_busy;
    if (!c->row_busy && may_read(c)) {
        c->row_busy = true;
        store_cert_get(c->app->store, c->cert.hostname, on_row, c);
    }
}

/* ---- accounts ---------------------------------------------------------------------------------- */

/* All that are alive have come as far as we were when we knew it. */
static bool everybody_knows(const struct certs *c)
{
    const struct app *a = c->app;
    bool all = c->account_known && (a->beats_heard || !a->config.storages.engine_rqlite);
    for (size_t i = 0; all && i < a->peers.count; i++) {
        const struct peer *p = &a->peers.items[i];
        all = !p->live || strcmp(p->id, a->id) == 0 || p->revision >= c->account_revision;
    }
    return all;
}

void certs_end_account_wait(struct certs *c)
{
    if (c->account == NULL) {
        return;
    }
    free(c->account);
    c->account = NULL;
    c->account_ready(c->account_ctx);
}

static void look_for_account(struct certs *c, const struct store_account *list, size_t count)
{
    for (size_t i = 0; c->account != NULL && !c->account_known && i < count; i++) {
        if (strcmp(list[i].url, c->account) == 0) {
            c->account_known = true;
            c->account_revision = zone_revision(c->app->zone);
        }
    }
}

static void on_accounts(void *ctx, enum err e, const struct err_info *info,
                        const struct store_account *list, size_t count)
{
    struct certs *c = ctx;
    struct app *a = c->app;
    (void)info; /* whoever reads the feed tells of a store that fails */
    c->accounts_busy = false;
    if (e == ERR_OK && a->config.dns.active) {
        c->caa_count = certs_caa(&a->config, list, count, c->caa, ZONE_CAA_MAX);
        if (certs_apply(a)) {
            certs_caa_save(c);
            LOG_INFO("certs", "CAA of the domain follows the accounts",
                     LOG_N("records", (int64_t)c->caa_count));
            app_publish(a, zone_revision(a->zone), NULL);
        }
    }
    if (e == ERR_OK) {
        look_for_account(c, list, count);
    }
    if (c->accounts_again && may_read(c)) {
        certs_read_accounts(c);
    }
    if (everybody_knows(c)) {
        certs_end_account_wait(c);
    }
    ended(c);
}

void certs_read_accounts(struct certs *c)
{
    c->accounts_again = c->accounts_busy;
    if (!c->accounts_busy && may_read(c)) {
        c->accounts_busy = true;
        store_accounts_list(c->app->store, on_accounts, c);
    }
}

/* Who does not know it in time may not be listening at all; the precheck asks everybody. */
void certs_tick_account(struct certs *c)
{
    if (c->account == NULL) {
        return;
    }
    if (everybody_knows(c) || clk_mono_ms(&clk_system) >= c->account_until_ms) {
        certs_end_account_wait(c);
    } else if (!c->account_known) {
        certs_read_accounts(c);
    }
}

void certs_wait_for_account(struct certs *c, const char *url, void (*ready)(void *ctx), void *ctx)
{
    certs_end_account_wait(c); /* of a job that was given up: it is told, and does not mind */
    if (!c->app->config.dns.active) {
        ready(ctx); /* no zone, no CAA of ours */
        return;
    }
    c->account = mem_xstrdup(url);
    c->account_ready = ready;
    c->account_ctx = ctx;
    c->account_known = false;
    c->account_revision = 0;
    c->account_until_ms = clk_mono_ms(&clk_system) + CERTS_ACCOUNT_MS;
    certs_read_accounts(c);
}

/* ---- proofs for TLS-ALPN-01 ---------------------------------------------------------------------- */

/* On a pool thread. One that cannot be made is missing: its validation fails, and says so. */
static void make_proofs(struct loop_work *work)
{
    struct certs *c = (struct certs *)((char *)work - offsetof(struct certs, proofs_work));
    int64_t now = clk_wall_ms(&clk_system);
    for (size_t i = 0; i < c->proofs_count; i++) {
        enum err e = cert_chain_alpn01(c->proofs[i].name, c->proofs[i].digest, now,
                                       &c->proofs_pairs[i], NULL);
        c->proofs_pairs[i] = e == ERR_OK ? c->proofs_pairs[i] : NULL;
    }
}

static void on_proofs_made(struct loop_work *work)
{
    struct certs *c = (struct certs *)((char *)work - offsetof(struct certs, proofs_work));
    struct tls_pair *made[CERTS_PROOFS] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < c->proofs_count; i++) {
        if (c->proofs_pairs[i] != NULL) {
            made[n++] = c->proofs_pairs[i];
        }
    }
    c->proofs_making = false;
    if (c->app->tls != NULL && !c->app->tls_closing) {
        tls_slot_use_proofs(c->app->tls, made, n);
    }
    for (size_t i = 0; i < n; i++) {
        tls_pair_unref(made[i]);
    }
    ended(c);
}

static bool read_digest(const char *hex, uint8_t out[32])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(hex) != 64 || strspn(hex, digits) != 64) {
        return false;
    }
    for (size_t i = 0; i < 32; i++) {
        out[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 |
                           (strchr(digits, hex[2 * i + 1]) - digits));
    }
    return true;
}

/* True: they are others than those in the slot. */
static bool take_list(struct certs *c, const struct store_alpn01 *list, size_t count)
{
    char text[sizeof c->proofs_text] = "";
    size_t len = 0;
    size_t n = 0;
    for (size_t i = 0; i < count && n < CERTS_PROOFS; i++) {
        if (strlen(list[i].name) >= sizeof c->proofs[n].name ||
            !read_digest(list[i].digest, c->proofs[n].digest)) {
            continue;
        }
        snprintf(c->proofs[n].name, sizeof c->proofs[n].name, "%s", list[i].name);
        int more =
            snprintf(text + len, sizeof text - len, "%.60s %.64s\n", list[i].name, list[i].digest);
        len += (size_t)more;
        n++;
    }
    if (strcmp(text, c->proofs_text) == 0) {
        return false;
    }
    memcpy(c->proofs_text, text, sizeof text);
    c->proofs_count = n;
    return true;
}

static void on_proofs(void *ctx, enum err e, const struct err_info *info,
                      const struct store_alpn01 *list, size_t count)
{
    struct certs *c = ctx;
    (void)info;
    c->proofs_busy = false;
    if (e == ERR_OK && !c->app->stopping && take_list(c, list, count)) {
        c->proofs_making = true;
        c->proofs_work.work = make_proofs;
        c->proofs_work.done = on_proofs_made;
        loop_offload(&c->app->loop, &c->proofs_work);
    }
    ended(c);
}

void certs_read_proofs(struct certs *c)
{
    if (!c->proofs_busy && !c->proofs_making && may_read(c)) {
        c->proofs_busy = true;
        store_alpn01_list(c->app->store, clk_wall_ms(&clk_system), on_proofs, c);
    }
}

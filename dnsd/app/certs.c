#include "certs_priv.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* ---- what the parts ask of the daemon -------------------------------------------------------- */

static struct store *on_store(void *ctx)
{
    const struct certs *c = ctx;
    return c->in_use && !c->leaving ? c->app->store : NULL;
}

static uint64_t on_revision(void *ctx)
{
    const struct certs *c = ctx;
    return zone_revision(c->app->zone);
}

/* Who has no part in a shared store cannot have our rows, alive or not. In a shared one a core that has
 * not been heard yet may have begun to answer a moment ago. */
static bool is_live(const struct app *a, const struct zone_core_info *info)
{
    return info->live && a->config.storages.engine_rqlite;
}

static size_t on_cores(void *ctx, struct publisher_core *out, size_t max)
{
    const struct certs *c = ctx;
    const struct app *a = c->app;
    const struct zone_snapshot *s = zone_current(a->zone);
    size_t n = 0;
    for (uint32_t i = 0; i < s->cores_count && n < max; i++) {
        const struct zone_core_info *info = s->infos[i];
        const struct peer *peer = peers_find(&a->peers, info->id);
        if (!info->present) {
            continue;
        }
        struct publisher_core *core = &out[n++];
        *core = (struct publisher_core){.self = strcmp(info->id, a->id) == 0};
        snprintf(core->id, sizeof core->id, "%s", info->id);
        snprintf(core->ip, sizeof core->ip, "%s", info->ip != NULL ? info->ip : "");
        snprintf(core->ipv6, sizeof core->ipv6, "%s", info->ipv6 != NULL ? info->ipv6 : "");
        core->live = core->self || (peer != NULL && is_live(a, info));
        core->unheard = !core->self && peer == NULL && is_live(a, info);
        core->revision = core->self ? zone_revision(a->zone) : peer != NULL ? peer->revision : 0;
    }
    zone_snapshot_unref(s);
    return n;
}

static void on_pair(void *ctx, struct tls_pair *pair)
{
    struct certs *c = ctx;
    snprintf(c->wanted, sizeof c->wanted, "%s", tls_pair_info(pair)->sha256);
    if (c->app->tls != NULL && !c->app->tls_closing) {
        tls_slot_use(c->app->tls, pair);
    } else {
        c->look_wanted = true; /* nobody shows it, and so there is nothing to wait for */
        c->look_next_ms = 0;
    }
}

static void on_files_known(void *ctx)
{
    struct certs *c = ctx;
    if (c->app->tls != NULL && !c->app->tls_closing) {
        tls_slot_go(c->app->tls);
    }
}

static void on_account(void *ctx, const char *directory, const char *url,
                       void (*ready)(void *ready_ctx), void *ready_ctx)
{
    (void)directory;
    certs_wait_for_account(ctx, url, ready, ready_ctx);
}

enum lease_rank certs_rank(const struct certs *c)
{
    const struct config *config = &c->app->config;
    if (c->renewer != NULL) { /* who lacks a key comes last, whatever the configuration says */
        struct renewer_view v;
        renewer_view(c->renewer, &v);
        return v.rank;
    }
    if (!config->lets_encrypt.cert_renewer_set) {
        return LEASE_MIDDLE;
    }
    return config->lets_encrypt.cert_renewer ? LEASE_FIRST : LEASE_LAST;
}

static bool on_better(void *ctx)
{
    const struct certs *c = ctx;
    unsigned own = certs_rank(c);
    for (size_t i = 0; i < c->app->peers.count; i++) {
        const struct peer *p = &c->app->peers.items[i];
        if (p->live && p->rank < own && strcmp(p->id, c->app->id) != 0) {
            return true;
        }
    }
    return false;
}

static void on_stored(void *ctx)
{
    certs_read_row(ctx); /* sooner than the feed would say it */
}

static void on_alarm(void *ctx, unsigned level, int64_t left_ms)
{
    struct certs *c = ctx;
    (void)left_ms; /* the renewer has told it */
    c->alarm = level;
}

#ifdef DNSD_FAULTS
/* Only in builds for tests. DNSD_TEST_FAULT=<state>:stop|kill: what happens to this process when an order
 * has come to that state and it is saved; once. */
static void on_step(void *ctx, const char *state)
{
    static bool done;
    const char *fault = getenv("DNSD_TEST_FAULT");
    const char *colon = fault != NULL ? strchr(fault, ':') : NULL;
    (void)ctx;
    if (done || colon == NULL || strncmp(fault, state, (size_t)(colon - fault)) != 0 ||
        state[colon - fault] != '\0') {
        return;
    }
    done = true;
    LOG_INFO("certs", "a fault that was asked for", LOG_S("state", state));
    raise(strcmp(colon + 1, "kill") == 0 ? SIGKILL : SIGSTOP);
}

/* DNSD_TEST_SCALE: what all waiting is multiplied by. */
static double scale_of_time(void)
{
    const char *text = getenv("DNSD_TEST_SCALE");
    double scale = text != NULL ? strtod(text, NULL) : 1;
    return scale > 0 && scale <= 1 ? scale : 1;
}
#define ON_STEP on_step
#else
static double scale_of_time(void)
{
    return 1;
}
#define ON_STEP NULL
#endif

/* ---- beginning ------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct certs *c = timer->data;
    certs_tick_account(c);
    certs_tick_looks(c);
    certs_tick_witnesses(c);
    if (c->cert.proof == CONFIG_PROOF_ALPN) {
        certs_read_proofs(c);
    }
}

static enum err open_vault(struct certs *c, struct err_info *info)
{
    struct config_list keys;
    enum err e = config_keys_read(&c->app->config, &keys, info);
    if (e == ERR_OK) {
        e = cert_vault_new((const char *const *)keys.items, keys.count, &c->vault, info);
    }
    config_keys_free(&keys);
    return e;
}

static enum err open_sync(struct certs *c, struct err_info *info)
{
    const struct config *config = &c->app->config;
    const struct cert_sync_options o = {
        .tls_dir = config->lets_encrypt.tls_dir,
        .hostname = c->cert.hostname,
        .names = (const char *const *)c->cert.names,
        .names_count = c->cert.count,
        .hook = config->lets_encrypt.on_rotate_script,
        .copy_cert = config->http.cert_file,
        .copy_key = config->http.key_file,
        .vault = c->vault,
        .clock = &clk_system,
        .on_pair = on_pair,
        .on_ready = on_files_known,
        .ctx = c,
    };
    return cert_sync_open(&c->app->loop, &o, &c->sync, info);
}

/* The ports that were really bound: 0 is for tests. */
static uint16_t port_of(const struct net_address *address)
{
    return ntohs(address->sa.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)&address->sa)->sin6_port
                     : ((const struct sockaddr_in *)&address->sa)->sin_port);
}

static struct sockaddr_storage bound_at(const struct app_listeners *l)
{
    return l->count > 0 ? certs_reachable(&l->items[0].address)
                        : (struct sockaddr_storage){.ss_family = AF_UNSPEC};
}

static uint16_t dns_port(const struct app *a)
{
    for (size_t i = 0; i < a->sockets.count; i++) {
        if (!a->sockets.bound[i].address.tls) {
            return port_of(&a->sockets.bound[i].address);
        }
    }
    return 53;
}

static enum err open_publisher(struct certs *c, struct err_info *info)
{
    struct app *a = c->app;
    const struct publisher_options o = {
        .loop = &a->loop,
        .clock = &clk_system,
        .apex = a->config.dns.active ? &a->config.dns.domain : NULL,
        .dns_port = dns_port(a),
        .challenge = bound_at(&a->challenge_sockets),
        .https = bound_at(&a->api_sockets),
        .resolvers = (const char *const *)a->config.lets_encrypt.resolvers.items,
        .resolvers_count = a->config.lets_encrypt.resolvers.count,
        .check_delegation = a->config.lets_encrypt.check_delegation,
        .ctx = c,
        .store = on_store,
        .cores = on_cores,
        .revision = on_revision,
    };
    return publisher_open(&o, &c->publisher, info);
}

static enum err open_renewer(struct certs *c, struct err_info *info)
{
    static const enum acme_challenge_type types[] = {[CONFIG_PROOF_DNS] = ACME_DNS01,
                                                     [CONFIG_PROOF_HTTP] = ACME_HTTP01,
                                                     [CONFIG_PROOF_ALPN] = ACME_ALPN01};
    struct app *a = c->app;
    const struct config *config = &a->config;
    const struct renewer_options o = {
        .loop = &a->loop,
        .vault = c->vault,
        .publisher = publisher_face(c->publisher),
        .clock = &clk_system,
        .core = a->id,
        .rank = certs_rank(c),
        .hostname = c->cert.hostname,
        .names = (const char *const *)c->cert.names,
        .names_count = c->cert.count,
        .type = types[c->cert.proof],
        .directory_url = config_directory(config),
        .staging_url = config_staging(config),
        .ca_file = config->lets_encrypt.ca_file,
        .contact = config->lets_encrypt.email,
        .eab_kid = config->lets_encrypt.eab_kid,
        .eab_hmac_key = config->lets_encrypt.eab_hmac_key,
        .profile = config->lets_encrypt.profile,
        .preferred_chain = config->lets_encrypt.preferred_chain,
        .renew_before_days = config->lets_encrypt.renew_before_days,
        .scale = scale_of_time(),
        .on_account = on_account,
        .better = on_better,
        .on_stored = on_stored,
        .on_alarm = on_alarm,
        .on_step = ON_STEP,
        .ctx = c,
    };
    return renewer_open(&o, &c->renewer, info);
}

enum err certs_open(struct app *a, struct err_info *info)
{
    if (!a->config.lets_encrypt.enabled) {
        return ERR_OK;
    }
    struct certs *c = mem_xalloc(sizeof *c);
    a->certs = c;
    c->app = a;
    uv_timer_init(&a->loop, &c->timer);
    c->timer.data = c;
    c->timer_open = true;
    if (a->config.dns.active) {
        certs_caa_load(c);
    }
    enum err e = config_cert(&a->config, &c->cert, info);
    if (e == ERR_OK) {
        e = open_vault(c, info);
    }
    if (e == ERR_OK) {
        e = open_sync(c, info);
    }
    if (e == ERR_OK) {
        e = open_publisher(c, info);
    }
    if (e == ERR_OK) {
        e = open_renewer(c, info);
    }
    if (e == ERR_OK) {
        LOG_INFO("certs", "certificates are managed", LOG_S("name", c->cert.hostname),
                 LOG_S("directory", config_directory(&a->config)),
                 LOG_S("key", cert_vault_key_id(c->vault, 0)));
        uv_timer_start(&c->timer, on_tick, CERTS_TICK_MS, CERTS_TICK_MS);
    }
    return e;
}

/* ---- the store comes and goes ----------------------------------------------------------------- */

void certs_use_store(struct app *a)
{
    struct certs *c = a->certs;
    if (c == NULL || c->in_use || c->stopping || a->store == NULL) {
        return;
    }
    c->in_use = true;
    renewer_use_store(c->renewer, a->store, NULL, NULL);
    certs_reread(a);
}

bool certs_is_idle(const struct certs *c)
{
    return !c->row_busy && !c->accounts_busy && !c->proofs_busy && !c->witness_busy;
}

void certs_step(struct certs *c)
{
    if (c->leaving && !c->in_use && certs_is_idle(c)) {
        void (*left)(struct app * a) = c->left;
        c->leaving = false;
        c->left = NULL;
        left(c->app);
    }
}

static void on_renewer_left(void *ctx)
{
    struct certs *c = ctx;
    c->in_use = false;
    certs_step(c);
}

bool certs_leave_store(struct app *a, void (*done)(struct app *a))
{
    struct certs *c = a->certs;
    if (c == NULL || (!c->in_use && !c->leaving)) {
        return false;
    }
    c->left = done;
    if (!c->leaving) {
        c->leaving = true;
        publisher_face(c->publisher)->cancel(publisher_face(c->publisher)->ctx);
        renewer_use_store(c->renewer, NULL, on_renewer_left, c);
    }
    return true;
}

/* ---- what the daemon tells -------------------------------------------------------------------- */

#define CERT_PREFIX    "tls-cert/"
#define ACCOUNT_PREFIX "acme-account/"

void certs_changed(struct app *a, const char *key)
{
    struct certs *c = a->certs;
    if (c == NULL || !c->in_use || c->leaving) {
        return;
    }
    if (strncmp(key, CERT_PREFIX, sizeof CERT_PREFIX - 1) == 0 &&
        strcmp(key + sizeof CERT_PREFIX - 1, c->cert.hostname) == 0) {
        certs_read_row(c);
    } else if (strncmp(key, ACCOUNT_PREFIX, sizeof ACCOUNT_PREFIX - 1) == 0) {
        certs_read_accounts(c);
    }
}

void certs_reread(struct app *a)
{
    struct certs *c = a->certs;
    if (c != NULL && c->in_use && !c->leaving) {
        certs_read_row(c);
        certs_read_accounts(c);
    }
}

bool certs_apply(struct app *a)
{
    const struct certs *c = a->certs;
    const char *texts[ZONE_CAA_MAX];
    char fixed[1][CERTS_CAA_TEXT];
    size_t n = 0;
    if (c != NULL) {
        for (; n < c->caa_count; n++) {
            texts[n] = c->caa[n];
        }
    } else if (certs_caa(&a->config, NULL, 0, fixed, 1) == 1) {
        texts[n++] = fixed[0];
    }
    return zone_set_caa(a->zone, texts, n);
}

void certs_shown(struct app *a)
{
    struct certs *c = a->certs;
    if (c != NULL) {
        c->look_wanted = true;
        c->look_next_ms = 0;
        certs_tick_looks(c);
    }
}

void certs_look(struct app *a)
{
    if (a->certs != NULL && a->certs->sync != NULL && !a->certs->stopping) {
        cert_sync_look(a->certs->sync);
    }
}

void certs_wake(struct app *a)
{
    if (a->certs != NULL && !a->certs->stopping) {
        renewer_wake(a->certs->renewer);
    }
}

const char *certs_hostname(const struct app *a)
{
    return a->certs != NULL ? a->certs->cert.hostname : NULL;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void release(struct certs *c)
{
    struct app *a = c->app;
    cert_vault_free(c->vault);
    config_cert_free(&c->cert);
    certs_end_account_wait(c); /* its job is over, and what it waits with is freed by being told */
    free(c);
    a->certs = NULL;
    app_continue_stop(a);
}

static void part_closed(struct certs *c)
{
    if (--c->closing == 0) {
        release(c);
    }
}

static void on_part_closed(void *ctx)
{
    part_closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void on_renewer_closed(void *ctx)
{
    struct certs *c = ctx;
    c->renewer = NULL;
    if (c->publisher != NULL) {
        c->closing++;
        publisher_close(c->publisher, on_part_closed, c);
    }
    part_closed(c);
}

/* The renewer first: what it has under way uses the publisher. */
bool certs_stop(struct app *a)
{
    struct certs *c = a->certs;
    if (c == NULL) {
        return false;
    }
    if (c->stopping) {
        return true;
    }
    if (c->look != NULL || !certs_is_idle(c) || c->proofs_making || c->caa_saving) {
        if (c->look != NULL) {
            tls_look_cancel(c->look);
        }
        return true; /* whatever ends calls app_continue_stop() */
    }
    c->stopping = true;
    c->closing = 1;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    if (c->sync != NULL) {
        c->closing++;
        cert_sync_close(c->sync, on_part_closed, c);
    }
    if (c->renewer != NULL) {
        c->closing++;
        renewer_close(c->renewer, on_renewer_closed, c);
    } else if (c->publisher != NULL) {
        c->closing++;
        publisher_close(c->publisher, on_part_closed, c);
    }
    return true;
}

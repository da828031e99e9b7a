/* This node's own certificate, renewed long before it ends: at a third of its life left another key and a request are
 * made, the core with the CA signs (over mutual TLS with the present certificate; or this core does, if it is
 * the one), and the pair is put in the place of the present one by one rename. rqlited reads it again by
 * itself. What fails is tried again, each time a little later, while the present one is good.
 */
#include <stdlib.h>
#include <string.h>

#include "cert/csr.h"
#include "cluster_priv.h"
#include "lib/mem.h"

#define RETRY_PART   100 /* of the lifetime, between two tries */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS ((int64_t)3600 * 1000)

static int64_t lifetime_ms(const struct cert_node_info *info)
{
    int64_t ms = info->not_after_ms - (info->not_before_ms + CERT_BACKDATE_MS);
    return ms > 0 ? ms : info->not_after_ms - info->not_before_ms;
}

static int64_t retry_ms(const struct cluster *c)
{
    int64_t ms = lifetime_ms(&c->identity.info) / RETRY_PART * (1 + (int64_t)c->renew_failures);
    return ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms;
}

bool cluster_runs_out(const struct cluster *c)
{
    const struct cert_node_info *info = &c->identity.info;
    return c->has_identity &&
           clk_wall_ms(&clk_system) >= info->not_after_ms - lifetime_ms(info) / 10;
}

/* A third of its life is left, or the core is called otherwise by now. */
static bool is_due(const struct cluster *c)
{
    const struct cert_node_info *info = &c->identity.info;
    return clk_wall_ms(&clk_system) >= info->not_after_ms - lifetime_ms(info) / 3 ||
           !c->identity.covers;
}

/* ---- the end of one ------------------------------------------------------------------------ */

static void wipe(struct cluster *c)
{
    cert_key_pem_free(c->new_key);
    free(c->new_cert);
    free(c->csr);
    c->new_key = c->new_cert = c->csr = NULL;
}

static void tell_waiters(struct cluster *c, enum err e, const struct err_info *info)
{
    size_t n = c->waiters_count;
    c->waiters_count = 0;
    for (size_t i = 0; i < n; i++) {
        c->waiters[i].cb(c->waiters[i].ctx, e, info, c->identity.info.serial);
    }
}

static void finish(struct cluster *c, enum err e, const struct err_info *info)
{
    c->renewing = RENEW_IDLE;
    c->renew_failures = e == ERR_OK ? 0 : c->renew_failures + 1;
    c->renew_next_ms = clk_mono_ms(&clk_system) + retry_ms(c);
    wipe(c);
    snprintf(c->renew_problem, sizeof c->renew_problem, "%s", e == ERR_OK ? "" : info->text);
    if (e == ERR_OK) {
        LOG_INFO("cluster", "this node's certificate was renewed",
                 LOG_S("serial", c->identity.info.serial));
    } else if (!c->closing) {
        LOG_WARN("cluster", "this node's certificate was not renewed", LOG_S("reason", info->text),
                 LOG_N("not_after_ms", (uint64_t)c->identity.info.not_after_ms));
    }
    tell_waiters(c, e, e == ERR_OK ? NULL : info);
    cluster_done(c);
}

void cluster_identity_was_read(struct cluster *c, enum err e, const struct err_info *info)
{
    if (c->renewing == RENEW_READ) {
        finish(c, e, info);
    }
}

/* ---- into the files ------------------------------------------------------------------------ */

struct placing {
    struct loop_work work;
    struct cluster *c; /* borrowed */
    char *folder, *ca_pem;
    enum err e;
    struct err_info info;
};

static void place_work(struct loop_work *work)
{
    struct placing *p = (struct placing *)work;
    const struct cluster *c = p->c; /* new_cert and new_key stay while we are at it */
    p->e = cert_node_verify(c->new_cert, strlen(c->new_cert), p->ca_pem, strlen(p->ca_pem),
                            clk_wall_ms(&clk_system), &p->info);
    if (p->e == ERR_OK) {
        p->e = node_place(p->folder, NULL, p->ca_pem, c->new_cert, c->new_key, false, &p->info);
    }
}

static void place_done(struct loop_work *work)
{
    struct placing *p = (struct placing *)work;
    struct cluster *c = p->c;
    if (p->e == ERR_OK && !c->closing) {
        c->renewing = RENEW_READ;
        cluster_read_identity(c, CLUSTER_READ_RENEWED);
    } else {
        finish(c, p->e == ERR_OK ? ERR_CANCELED : p->e, &p->info);
    }
    free(p->folder);
    free(p->ca_pem);
    free(p);
}

static void place(struct cluster *c, const char *cert)
{
    struct placing *p = mem_xalloc(sizeof *p);
    c->new_cert = mem_xstrdup(cert);
    c->renewing = RENEW_PLACE;
    p->work.work = place_work;
    p->work.done = place_done;
    p->c = c;
    p->folder = mem_xstrdup(c->app->config.cluster.tls_dir);
    p->ca_pem = mem_xstrdup(c->identity.ca_pem);
    loop_offload(&c->app->loop, &p->work);
}

/* ---- signed -------------------------------------------------------------------------------- */

static void on_answer(void *ctx, enum err e, const struct err_info *info, const char *cert)
{
    struct cluster *c = ctx;
    c->call = NULL;
    if (e == ERR_OK && !c->closing) {
        place(c, cert);
    } else {
        finish(c, e == ERR_OK ? ERR_CANCELED : e, info);
    }
}

static void on_signed(void *ctx, enum err e, const struct err_info *info, const char *cert,
                      const char *ca)
{
    (void)ca;
    on_answer(ctx, e, info, cert);
}

/* The address of a core that says that it has the CA. */
static bool find_holder(const struct cluster *c, char *address, size_t cap, uint16_t *port)
{
    const struct app *a = c->app;
    const struct zone_snapshot *s = zone_current(a->zone);
    bool found = false;
    for (uint32_t i = 0; i < s->cores_count && !found; i++) {
        const struct zone_core_info *info = s->infos[i];
        const struct peer *p = peers_find(&a->peers, info->id);
        const char *ip = info->ip != NULL ? info->ip : info->ipv6;
        if (p != NULL && p->join_port != 0 && info->present && ip != NULL) {
            found = true;
            *port = p->join_port;
            snprintf(address, cap, "%s", ip);
        }
    }
    zone_snapshot_unref(s);
    return found;
}

static void ask(struct cluster *c)
{
    struct app *a = c->app;
    const struct config *config = &a->config;
    char address[64];
    struct err_info info = {.text = ""};
    struct renewal_options o = {.address = address,
                                .ca_file = config->storages.rqlite.ca_file,
                                .cert_file = config->storages.rqlite.cert_file,
                                .key_file = config->storages.rqlite.key_file,
                                .csr = c->csr};
    c->renewing = RENEW_ASK;
    if (c->has_ca) {
        cluster_sign(a, a->id, c->csr, strlen(c->csr), on_signed, c);
        return;
    }
    if (!find_holder(c, address, sizeof address, &o.port)) {
        finish(c, err_set(&info, ERR_UNAVAIL, "no core that is heard has the CA"), &info);
        return;
    }
    c->call = renewal_start(&a->loop, &o, on_answer, c);
    if (c->call == NULL) {
        finish(c, err_set(&info, ERR_NOMEM, "no memory"), &info);
    }
}

/* ---- a key and a request ------------------------------------------------------------------- */

struct making {
    struct loop_work work;
    struct cluster *c; /* borrowed */
    char *id, *key_pem, *csr;
    enum err e;
    struct err_info info;
};

static void make_work(struct loop_work *work)
{
    struct making *m = (struct making *)work;
    struct cert_key *key = NULL;
    const char *const names[] = {m->id};
    m->e = cert_key_new(&key, &m->info);
    if (m->e == ERR_OK) {
        m->e = cert_key_to_pem(key, &m->key_pem, &m->info);
    }
    if (m->e == ERR_OK) {
        m->e = cert_csr_new_pem(key, names, 1, &m->csr, &m->info);
    }
    cert_key_free(key);
}

static void make_done(struct loop_work *work)
{
    struct making *m = (struct making *)work;
    struct cluster *c = m->c;
    c->new_key = m->key_pem;
    c->csr = m->csr;
    if (m->e == ERR_OK && !c->closing) {
        ask(c);
    } else {
        finish(c, m->e == ERR_OK ? ERR_CANCELED : m->e, &m->info);
    }
    free(m->id);
    free(m);
}

static void begin(struct cluster *c)
{
    struct making *m = mem_xalloc(sizeof *m);
    m->work.work = make_work;
    m->work.done = make_done;
    m->c = c;
    m->id = mem_xstrdup(c->app->id);
    c->renewing = RENEW_MAKE;
    c->busy++;
    loop_offload(&c->app->loop, &m->work);
}

/* ---- when ---------------------------------------------------------------------------------- */

void cluster_see_renewal(struct cluster *c, int64_t now_ms)
{
    if (c->renewing == RENEW_IDLE && c->has_identity && c->identity.managed &&
        cluster_store(c) != NULL && now_ms >= c->renew_next_ms &&
        (c->waiters_count > 0 || is_due(c))) {
        begin(c);
    }
}

static void refuse(cluster_renewed_cb *cb, void *ctx, enum err e, const char *why)
{
    struct err_info info;
    cb(ctx, err_set(&info, e, "%s", why), &info, NULL);
}

void cluster_renew(struct app *a, cluster_renewed_cb *cb, void *ctx)
{
    struct cluster *c = a->cluster;
    if (c == NULL || c->closing || !c->has_identity) {
        refuse(cb, ctx, ERR_NOTFOUND, "this core has no certificate of a cluster");
    } else if (!c->identity.managed) {
        refuse(cb, ctx, ERR_CONFLICT,
               "storages.engines.rqlite.tls does not lead into cluster.tlsDir: the files are not "
               "dnsd's to renew");
    } else if (c->waiters_count == CLUSTER_WAITERS) {
        refuse(cb, ctx, ERR_BUSY, "it is being renewed");
    } else {
        c->waiters[c->waiters_count].cb = cb;
        c->waiters[c->waiters_count++].ctx = ctx;
        c->renew_next_ms = 0;
    }
}

void cluster_renewal_stop(struct cluster *c)
{
    if (c->call != NULL) {
        renewal_cancel(c->call);
    }
    if (c->renewing == RENEW_IDLE) {
        struct err_info info;
        tell_waiters(c, err_set(&info, ERR_CANCELED, "dnsd is stopping"), &info);
    }
}

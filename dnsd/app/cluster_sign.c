/* The CA at work: a certificate for a core that the zone knows, with the names that its row says, written down
 * before it is handed out. */
#include <stdlib.h>
#include <string.h>

#include "cluster/ca_sys.h"
#include "cluster_priv.h"
#include "lib/mem.h"

struct signing {
    struct loop_work work;
    struct cluster *c; /* borrowed */
    api_signed_cb *cb;
    void *cb_ctx;            /* borrowed */
    char *folder, *id, *csr; /* owned */
    size_t csr_len;
    char *names[CLUSTER_NAMES_MAX]; /* owned */
    size_t names_count;
    char *cert_pem, *ca_pem; /* owned */
    struct cert_node_info made;
    int64_t now_ms;
    enum err e;
    struct err_info info;
};

int64_t cluster_node_lifetime_s(void)
{
    int64_t lifetime_s = (int64_t)CERT_NODE_DAYS * 24 * 3600;
#ifdef DNSD_FAULTS
    const char *text = getenv("DNSD_TEST_NODE_LIFETIME_S");
    uint32_t s;
    if (text != NULL && str_parse_u32(text, UINT32_MAX, &s)) {
        lifetime_s = s;
    }
#endif
    return lifetime_s;
}

static void end(struct signing *s)
{
    struct cluster *c = s->c;
    bool well = s->e == ERR_OK;
    s->cb(s->cb_ctx, s->e, well ? NULL : &s->info, well ? s->cert_pem : NULL,
          well ? s->ca_pem : NULL);
    for (size_t i = 0; i < s->names_count; i++) {
        free(s->names[i]);
    }
    free(s->folder);
    free(s->id);
    free(s->csr);
    free(s->cert_pem);
    free(s->ca_pem);
    free(s);
    c->signs--;
    cluster_done(c);
}

static void on_written(void *ctx, enum err e, const struct err_info *info)
{
    struct signing *s = ctx;
    s->e = e;
    if (e != ERR_OK) {
        s->info = *info;
    } else {
        LOG_INFO("cluster", "a node's certificate was signed", LOG_S("core", s->id),
                 LOG_S("serial", s->made.serial),
                 LOG_N("not_after_ms", (uint64_t)s->made.not_after_ms));
    }
    end(s);
}

static void sign_work(struct loop_work *work)
{
    struct signing *s = (struct signing *)work;
    struct ca ca = {.authority = NULL};
    const struct cert_node_wish wish = {.id = s->id,
                                        .names = (const char *const *)s->names,
                                        .names_count = s->names_count,
                                        .now_ms = s->now_ms,
                                        .lifetime_s = cluster_node_lifetime_s()};
    if (s->e != ERR_OK) {
        return;
    }
    s->e = ca_open(s->folder, s->now_ms, &ca, &s->info);
    if (s->e == ERR_OK) {
        s->e = cert_authority_sign(ca.authority, s->csr, s->csr_len, &wish, &s->cert_pem, &s->info);
    } else if (s->e == ERR_MALFORMED) {
        s->e = ERR_IO; /* the CA's fault, not the request's */
    }
    if (s->e == ERR_OK) {
        s->e = cert_node_read(s->cert_pem, strlen(s->cert_pem), &s->made, &s->info);
    }
    if (s->e == ERR_OK) {
        s->ca_pem = mem_xstrdup(ca.cert_pem);
    }
    ca_close(&ca);
}

static void sign_done(struct loop_work *work)
{
    struct signing *s = (struct signing *)work;
    struct store *store = cluster_store(s->c);
    if (s->e == ERR_OK && store == NULL) {
        s->e = err_set(&s->info, ERR_UNAVAIL, "the store is not there");
    }
    if (s->e != ERR_OK) {
        end(s);
        return;
    }
    store_node_cert_put(store,
                        &(struct store_node_cert){.serial = s->made.serial,
                                                  .core = s->id,
                                                  .fingerprint = s->made.sha256,
                                                  .issued_ms = s->now_ms,
                                                  .expires_ms = s->made.not_after_ms,
                                                  .reason = ""},
                        on_written, s);
}

static void add_name(struct signing *s, const char *name)
{
    if (name != NULL && s->names_count < CLUSTER_NAMES_MAX) {
        s->names[s->names_count++] = mem_xstrdup(name);
    }
}

/* False: the zone knows no such core. */
static bool take_names(struct signing *s, const char *core)
{
    const struct app *a = s->c->app;
    const struct zone_snapshot *snapshot = zone_current(a->zone);
    char host[CERT_ID_MAX + WIRE_NAME_TEXT_MAX];
    bool found = false;
    for (uint32_t i = 0; i < snapshot->cores_count && !found; i++) {
        const struct zone_core_info *info = snapshot->infos[i];
        found = info->present && strcmp(info->id, core) == 0;
        if (found) {
            add_name(s, core);
            if (a->config.dns.domain_text != NULL) {
                snprintf(host, sizeof host, "%.255s.%s", core, a->config.dns.domain_text);
                add_name(s, host);
            }
            add_name(s, info->ip);
            add_name(s, info->ipv6);
        }
    }
    zone_snapshot_unref(snapshot);
    return found;
}

void cluster_sign(struct app *a, const char *core, const char *csr, size_t csr_len,
                  api_signed_cb *cb, void *cb_ctx)
{
    struct cluster *c = a->cluster;
    struct signing *s = mem_xalloc(sizeof *s);
    s->work.work = sign_work;
    s->work.done = sign_done;
    s->c = c;
    s->cb = cb;
    s->cb_ctx = cb_ctx;
    s->folder = mem_xstrdup(a->config.cluster.ca_path);
    s->id = mem_xstrdup(core);
    s->csr = mem_xmemdup(csr, csr_len);
    s->csr_len = csr_len;
    s->now_ms = clk_wall_ms(&clk_system);
    c->signs++;
    c->busy++;
    if (c->signs > CLUSTER_SIGNS_MAX) {
        s->e = err_set(&s->info, ERR_BUSY, "too many requests at a time");
    } else if (!take_names(s, core)) {
        s->e = err_set(&s->info, ERR_DENIED, "there is no core %.100s", core);
    }
    loop_offload(&a->loop, &s->work); /* also to say no: later, as promised */
}

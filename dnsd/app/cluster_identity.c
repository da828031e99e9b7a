/* This node's certificate, key and CA, out of the files of the configuration: read off the loop, made into
 * what the gate and the join port show. */
#include <stdlib.h>
#include <string.h>

#include "cert/covers.h"
#include "cluster/ca_sys.h"
#include "cluster_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

void cluster_identity_free(struct cluster_identity *i)
{
    tls_context_unref(i->gate);
    tls_context_unref(i->join);
    tls_client_unref(i->client);
    free(i->ca_pem);
    *i = (struct cluster_identity){.gate = NULL};
}

struct material {
    uint8_t *ca, *cert, *key; /* owned */
    size_t ca_len, cert_len, key_len;
};

static enum err read_material(const char *ca_file, const char *cert_file, const char *key_file,
                              struct material *m, struct err_info *info)
{
    enum err e = file_read(ca_file, CA_PEM_MAX, &m->ca, &m->ca_len, info);
    if (e == ERR_OK) {
        e = file_read(cert_file, CA_PEM_MAX, &m->cert, &m->cert_len, info);
    }
    return e == ERR_OK ? file_read(key_file, CA_PEM_MAX, &m->key, &m->key_len, info) : e;
}

static enum err make_contexts(const struct material *m, struct tls_pair *pair,
                              struct cluster_identity *out, struct err_info *info)
{
    struct tls_pair *const pairs[] = {pair};
    struct tls_context_options o = {.pairs = pairs,
                                    .pairs_count = 1,
                                    .client_ca = m->ca,
                                    .client_ca_len = m->ca_len,
                                    .client_must = true};
    enum err e = tls_context_new(&o, &out->gate, info);
    o.client_must = false;
    if (e == ERR_OK) {
        e = tls_context_new(&o, &out->join, info);
    }
    return e == ERR_OK ? tls_client_new(m->ca, m->ca_len, pair, &out->client, info) : e;
}

/* Ours to renew is what we put there ourselves. */
static bool is_managed(const char *cert_file, const char *tls_dir)
{
    char *ours = node_path_cert(tls_dir);
    bool same = strcmp(ours, cert_file) == 0;
    free(ours);
    return same;
}

struct reading {
    struct loop_work work;
    struct cluster *c; /* borrowed */
    char *ca_file, *cert_file, *key_file, *tls_dir, *ca_dir;
    char *names[CLUSTER_NAMES_MAX]; /* that it should have */
    size_t names_count;
    struct cluster_identity identity;
    enum cluster_read when;
    unsigned number;
    bool has_ca;
    enum err e;
    struct err_info info;
};

/* Blocks. */
static enum err read_identity(const struct reading *r, struct cluster_identity *out,
                              struct err_info *info)
{
    struct material m = {.ca = NULL};
    struct tls_pair *pair = NULL;
    *out = (struct cluster_identity){.gate = NULL};
    enum err e = read_material(r->ca_file, r->cert_file, r->key_file, &m, info);
    if (e == ERR_OK) {
        e = cert_node_read(m.cert, m.cert_len, &out->info, info);
    }
    if (e == ERR_OK) {
        e = tls_pair_new(m.cert, m.cert_len, m.key, m.key_len, &pair, info);
    }
    if (e == ERR_OK) {
        e = make_contexts(&m, pair, out, info);
    }
    if (e == ERR_OK) {
        out->managed = is_managed(r->cert_file, r->tls_dir);
        out->covers =
            cert_covers(m.cert, m.cert_len, (const char *const *)r->names, r->names_count);
        out->ca_pem = (char *)m.ca;
        m.ca = NULL;
    } else {
        cluster_identity_free(out);
    }
    tls_pair_unref(pair);
    if (m.key != NULL) {
        explicit_bzero(m.key, m.key_len);
    }
    free(m.ca);
    free(m.cert);
    free(m.key);
    return e;
}

/* ---- on the loop --------------------------------------------------------------------------- */

static void read_work(struct loop_work *work)
{
    struct reading *r = (struct reading *)work;
    r->has_ca = ca_is_here(r->ca_dir);
    r->e = read_identity(r, &r->identity, &r->info);
}

static bool is_new(const struct cluster *c, const struct cluster_identity *read)
{
    return !c->has_identity || strcmp(c->identity.info.sha256, read->info.sha256) != 0 ||
           strcmp(c->identity.ca_pem, read->ca_pem) != 0 || c->identity.managed != read->managed ||
           c->identity.covers != read->covers;
}

static void take(struct cluster *c, struct reading *r)
{
    c->problem[0] = '\0';
    if (!is_new(c, &r->identity)) {
        return;
    }
    cluster_identity_free(&c->identity);
    c->identity = r->identity;
    r->identity = (struct cluster_identity){.gate = NULL};
    c->has_identity = true;
    LOG_INFO("cluster", "this node's certificate", LOG_S("core", c->identity.info.id),
             LOG_S("serial", c->identity.info.serial),
             LOG_N("not_after_ms", (uint64_t)c->identity.info.not_after_ms));
    cluster_use_identity(c);
}

static void read_done(struct loop_work *work)
{
    struct reading *r = (struct reading *)work;
    struct cluster *c = r->c;
    c->reading = c->reading && r->when == CLUSTER_READ_RENEWED;
    if (!c->closing && r->number > c->read_taken) { /* else: of before what is known already */
        c->read_taken = r->number;
        c->has_ca = r->has_ca;
        if (r->e == ERR_OK) {
            take(c, r);
        } else if (strcmp(c->problem, r->info.text) != 0) {
            snprintf(c->problem, sizeof c->problem, "%s", r->info.text);
            LOG_ERROR("cluster", "this node's certificate cannot be used",
                      LOG_S("reason", r->info.text));
        }
        cluster_see_ports(c);
    }
    if (r->when == CLUSTER_READ_RENEWED) {
        cluster_identity_was_read(c, r->e, &r->info);
    }
    cluster_identity_free(&r->identity);
    free(r->ca_file);
    free(r->cert_file);
    free(r->key_file);
    free(r->tls_dir);
    free(r->ca_dir);
    for (size_t i = 0; i < r->names_count; i++) {
        free(r->names[i]);
    }
    free(r);
    cluster_done(c);
}

static void add_name(struct reading *r, const char *name)
{
    if (name != NULL) {
        r->names[r->names_count++] = mem_xstrdup(name);
    }
}

static void add_names(struct reading *r, const struct config *config)
{
    char host[CERT_ID_MAX + WIRE_NAME_TEXT_MAX];
    add_name(r, config->core.id);
    if (config->dns.domain_text != NULL) {
        snprintf(host, sizeof host, "%.255s.%s", config->core.id, config->dns.domain_text);
        add_name(r, host);
    }
    add_name(r, config->core.ip);
    add_name(r, config->core.ipv6);
}

void cluster_read_identity(struct cluster *c, enum cluster_read when)
{
    const struct config *config = &c->app->config;
    int64_t t = clk_mono_ms(&clk_system);
    if (config->storages.rqlite.ca_file == NULL || (when != CLUSTER_READ_RENEWED && c->reading) ||
        (when == CLUSTER_READ_LATER && t - c->looked_ms < CLUSTER_LOOK_MS)) {
        return;
    }
    struct reading *r = mem_xalloc(sizeof *r);
    r->work.work = read_work;
    r->work.done = read_done;
    r->c = c;
    r->ca_file = mem_xstrdup(config->storages.rqlite.ca_file);
    r->cert_file = mem_xstrdup(config->storages.rqlite.cert_file);
    r->key_file = mem_xstrdup(config->storages.rqlite.key_file);
    r->tls_dir = mem_xstrdup(config->cluster.tls_dir);
    r->ca_dir = mem_xstrdup(config->cluster.ca_path);
    add_names(r, config);
    r->when = when;
    r->number = ++c->reads;
    c->reading = c->reading || when != CLUSTER_READ_RENEWED;
    c->looked_ms = t;
    c->busy++;
    loop_offload(&c->app->loop, &r->work);
}
